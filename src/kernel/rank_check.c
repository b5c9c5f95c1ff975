/*
 * rank_check.c
 *		Testing the digits of ranks; see rank_check.h.
 */
#include "postgres.h"

#include "kernel/probability.h"
#include "kernel/rank_check.h"

#define SCALED_DIGITS 8

static int
digit(uint64 rank, int i)
{
	return rank >> (RANK_BITS - 4 - 4 * i) & 15;
}

void
rank_check_add(RankCheck *check, uint64 rank, double probability)
{
	uint64		scaled = rank;

	check->ids++;
	if (probability < 1)
	{
		double		quotient = (double) rank / probability;

		if (quotient >= (double) RANK_END)
		{
			check->beyond++;
			return;
		}
		scaled = (uint64) quotient;
	}
	for (int i = 0; i < RANK_CHECK_DIGITS; i++)
		check->counts[i][digit(i < SCALED_DIGITS ? scaled : rank, i)]++;
}

void
rank_check_merge(RankCheck *check, const RankCheck *other)
{
	check->ids += other->ids;
	check->beyond += other->beyond;
	for (int i = 0; i < RANK_CHECK_DIGITS; i++)
		for (int value = 0; value < 16; value++)
			check->counts[i][value] += other->counts[i][value];
}

/* The p value of one digit. */
static double
digit_p(const RankCheck *check, int i)
{
	double		expected = (double) (check->ids - check->beyond) / 16;
	double		chi2 = 0;

	for (int value = 0; value < 16; value++)
	{
		double		off = (double) check->counts[i][value] - expected;

		chi2 += off * off / expected;
	}
	return chi2_tail(chi2, 15);
}

static int
worst_digit(const RankCheck *check)
{
	int			worst = 0;

	for (int i = 1; i < RANK_CHECK_DIGITS; i++)
		if (digit_p(check, i) < digit_p(check, worst))
			worst = i;
	return worst;
}

double
rank_check_p(const RankCheck *check)
{
	if (check->ids == check->beyond)
		return 1;
	return Min(1, RANK_CHECK_DIGITS * digit_p(check, worst_digit(check)));
}

const char *
rank_check_verdict(const RankCheck *check, const char **reason)
{
	double		p = rank_check_p(check);

	if (check->beyond > 0)
	{
		*reason = psprintf(INT64_FORMAT " ids would not have passed a sampler of their probability: something else decided",
						   check->beyond);
		return "inconsistent";
	}
	if (check->ids < RANK_CHECK_MIN)
	{
		*reason = psprintf(INT64_FORMAT " ids, fewer than %d", check->ids, RANK_CHECK_MIN);
		return "insufficient_data";
	}
	if (p < RANK_CHECK_ALPHA)
	{
		*reason = psprintf("digit %d of the last 14 is not uniform, p %.3g: sample with a seed",
						   worst_digit(check) + 1, p);
		return "patterned";
	}
	*reason = psprintf("all of the last 14 digits are uniform, p %.3g", p);
	return "random";
}
