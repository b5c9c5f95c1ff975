/*
 * sample.c
 *		The algorithms of type sample: keeping the lowest ranks, merging,
 *		erasing, estimating. No fmgr: memory comes from the current context.
 *
 * Costs: a key above the threshold is turned away by the caller with one
 * comparison; taking one in costs O(log k) amortised, since items are only
 * sorted when there are half as many again as are kept. Of n keys in random
 * order about k log(n / k) are taken in. The rest is O(k log k).
 */
#include "postgres.h"

#include <math.h>

#include "kernel/sample.h"

/* The normal distribution's quantile for 95 % confidence. */
#define CONFIDENCE 1.959963984540054

const char *const sample_key_type_names[] = {
	[SAMPLE_KEY_UUID] = "uuid", [SAMPLE_KEY_TEXT] = "text", [SAMPLE_KEY_BYTEA] = "bytea"
};

/* ------------------------------------------------------------------ checks */

void
sample_check_k(int64 k)
{
	if (k < 1 || k > SAMPLE_MAX_K)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("sample size " INT64_FORMAT " is out of range", k),
				 errdetail("The size must be between 1 and %d.", SAMPLE_MAX_K)));
}

void
sample_check_weight(double weight)
{
	if (!(weight >= SAMPLE_MIN_WEIGHT && weight <= SAMPLE_MAX_WEIGHT))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("weight %g is out of range", weight),
				 errdetail("A weight must be a number above zero, between %g and %g.",
						   SAMPLE_MIN_WEIGHT, SAMPLE_MAX_WEIGHT),
				 errhint("Leave out with FILTER what must not be sampled.")));
}

void
sample_check_probability(double probability)
{
	if (!(probability > 0 && probability <= 1))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("probability %g is out of range", probability),
				 errdetail("The probability of what was sampled before must be above 0 and at most 1.")));
}

void
sample_check_payload(double payload)
{
	if (isinf(payload))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("payload of a sample must not be infinite")));
}

void
sample_check_key(Bytes key)
{
	if (key.len > SAMPLE_MAX_KEY)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("key of a sample is too long"),
				 errdetail("It has %u bytes, the limit is %d.", key.len, SAMPLE_MAX_KEY),
				 errhint("Sample by a hash of it, such as sha256(key).")));
}

/* ------------------------------------------------------------------- life */

Sample *
sample_new(int k, SampleKeyType key_type, uint8 flags, int64 seed)
{
	Sample	   *s = palloc0(sizeof(Sample));

	s->k = k;
	s->key_type = key_type;
	s->flags = flags;
	s->seed = seed;
	s->threshold = SAMPLE_ALL;
	return s;
}

/* The bytes of keys are shared with the original. */
Sample *
sample_copy(const Sample *s)
{
	Sample	   *copy = memcpy(palloc(sizeof(Sample)), s, sizeof(Sample));

	copy->capacity = Max(s->n, 1);
	copy->items = palloc((size_t) copy->capacity * sizeof(SampleItem));
	if (s->n > 0)
		memcpy(copy->items, s->items, (size_t) s->n * sizeof(SampleItem));
	copy->borrowed = true;
	return copy;
}

/* ------------------------------------------------------------------- order */

static int
compare_keys(const SampleItem *a, const SampleItem *b, const Sample *s)
{
	return bytes_compare(sample_key(s, a), sample_key(s, b));
}

static int
compare_doubles(double a, double b)
{
	return (a > b) - (a < b);
}

/* NaN, no payload, comes last. */
static int
compare_payloads(double a, double b)
{
	return isnan(a) || isnan(b) ? isnan(a) - isnan(b) : compare_doubles(a, b);
}

/* By key; of one key, the item that counts comes first. */
static int
compare_by_key(const void *a, const void *b, void *sample)
{
	const SampleItem *left = a;
	const SampleItem *right = b;
	int			cmp = compare_keys(left, right, sample);

	if (cmp == 0)
		cmp = (left->order > right->order) - (left->order < right->order);
	if (cmp == 0)
		cmp = compare_doubles(left->weight, right->weight);
	if (cmp == 0)
		cmp = compare_doubles(left->probability, right->probability);
	return cmp ? cmp : compare_payloads(left->payload, right->payload);
}

static int
compare_by_order(const void *a, const void *b, void *sample)
{
	const SampleItem *left = a;
	const SampleItem *right = b;

	if (left->order != right->order)
		return left->order < right->order ? -1 : 1;
	return compare_keys(left, right, sample);
}

/* ------------------------------------------------------------------ change */

static void
drop(Sample *s, SampleItem *item)
{
	if (s->key_type != SAMPLE_KEY_UUID && !s->borrowed)
		pfree(unconstify(char *, item->key.bytes.data));
}

/* Keys once, at most k, in their order. */
void
sample_settle(Sample *s)
{
	int			kept = 0;

	qsort_arg(s->items, s->n, sizeof(SampleItem), compare_by_key, s);
	for (int i = 0; i < s->n; i++)
	{
		if (kept > 0 && compare_keys(&s->items[kept - 1], &s->items[i], s) == 0)
			drop(s, &s->items[i]);
		else
			s->items[kept++] = s->items[i];
	}
	s->n = kept;

	qsort_arg(s->items, s->n, sizeof(SampleItem), compare_by_order, s);
	if (s->n > s->k)
	{
		s->threshold = Min(s->threshold, s->items[s->k].order);
		while (s->n > s->k)
			drop(s, &s->items[--s->n]);
	}
}

/* Room for another item: half as many again as k before any is dropped. */
static void
reserve(Sample *s)
{
	int			max = s->k + s->k / 2 + 16;

	if (s->n < s->capacity)
		return;
	if (s->capacity >= max)
	{
		sample_settle(s);
		return;
	}
	s->capacity = Min(max, s->capacity * 2 + 4);
	s->items = s->items ? repalloc(s->items, (size_t) s->capacity * sizeof(SampleItem))
		: palloc((size_t) s->capacity * sizeof(SampleItem));
}

/* Take in a key unless its order is above the threshold; it is copied. */
void
sample_add(Sample *s, Bytes key, const SampleItem *item)
{
	SampleItem *new;

	reserve(s);
	if (item->order > s->threshold)
		return;
	new = &s->items[s->n++];
	*new = *item;
	if (s->key_type == SAMPLE_KEY_UUID)
		memcpy(new->key.uuid, key.data, sizeof(new->key.uuid));
	else
	{
		char	   *copy = palloc(Max(key.len, 1));

		memcpy(copy, key.data, key.len);
		new->key.bytes = (Bytes) {copy, key.len};
	}
}

pg_noreturn static void
cannot_merge(const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("cannot unite samples of different kinds"),
			 errdetail("%s", detail),
			 errhint("Take all samples with the same type of key and the same seed.")));
}

/*
 * s += other. The smaller k holds for both. What is above either threshold is
 * left out: the other may have left out such a key, too.
 */
void
sample_merge(Sample *s, const Sample *other)
{
	int			kept = 0;

	if (s->key_type != other->key_type)
		cannot_merge(psprintf("One has keys of type %s, the other of type %s.",
							  sample_key_type_names[s->key_type], sample_key_type_names[other->key_type]));
	if ((s->flags ^ other->flags) & SAMPLE_WEIGHTED)
		cannot_merge("One is weighted, the other is not.");
	if ((s->flags ^ other->flags) & SAMPLE_SEEDED)
		cannot_merge("One has a seed, the other the randomness of trace ids.");
	if (s->seed != other->seed)
		cannot_merge(psprintf("The seed of one is " INT64_FORMAT ", that of the other " INT64_FORMAT ".",
							  s->seed, other->seed));

	s->k = Min(s->k, other->k);
	s->threshold = Min(s->threshold, other->threshold);
	for (int i = 0; i < s->n; i++)
		if (s->items[i].order <= s->threshold)
			s->items[kept++] = s->items[i];
		else
			drop(s, &s->items[i]);
	s->n = kept;
	for (int i = 0; i < other->n; i++)
		sample_add(s, sample_key(other, &other->items[i]), &other->items[i]);
}

static int
compare_bytes(const void *a, const void *b)
{
	return bytes_compare(*(const Bytes *) a, *(const Bytes *) b);
}

/*
 * Remove keys that are there. The threshold stays, and with it the
 * probabilities of the others: estimates are of a population without these.
 */
void
sample_erase(Sample *s, const Bytes *keys, int n)
{
	Bytes	   *sorted = palloc(Max(n, 1) * sizeof(Bytes));
	int			kept = 0;

	memcpy(sorted, keys, n * sizeof(Bytes));
	qsort(sorted, n, sizeof(Bytes), compare_bytes);
	for (int i = 0; i < s->n; i++)
	{
		Bytes		key = sample_key(s, &s->items[i]);

		if (n > 0 && bsearch(&key, sorted, n, sizeof(Bytes), compare_bytes))
			drop(s, &s->items[i]);
		else
			s->items[kept++] = s->items[i];
	}
	s->n = kept;
	pfree(sorted);
}

/* --------------------------------------------------------------------- ask */

/* An order as a number: with weights any, else below 1. */
double
sample_rank(const Sample *s, uint64 order)
{
	return s->flags & SAMPLE_WEIGHTED ? bits_double(order) : (double) order / (double) RANK_END;
}

/* Infinite if nothing was left out. */
double
sample_threshold(const Sample *s)
{
	return s->threshold == SAMPLE_ALL ? INFINITY : sample_rank(s, s->threshold);
}

/* Never zero, whatever ids are like: it divides. */
double
sample_probability(const Sample *s, const SampleItem *item)
{
	double		below = Min(1, item->weight * sample_threshold(s));
	double		both = s->flags & SAMPLE_SEEDED ? item->probability * below
		: Min(item->probability, below);

	return Max(both, 1 / (double) RANK_END);
}

static void
set_estimate(SampleEstimate *result, double estimate, double variance)
{
	result->estimate = estimate;
	result->standard_error = sqrt(variance);
	result->lower = estimate - CONFIDENCE * result->standard_error;
	result->upper = estimate + CONFIDENCE * result->standard_error;
}

/* How many keys there are; at least those that are here. */
void
sample_count(const Sample *s, SampleEstimate *result)
{
	double		count = 0;
	double		variance = 0;

	for (int i = 0; i < s->n; i++)
	{
		double		p = sample_probability(s, &s->items[i]);

		count += 1 / p;
		variance += (1 - p) / (p * p);
	}
	set_estimate(result, count, variance);
	result->lower = Max(result->lower, s->n);
}

/* The sum of all payloads; false if there are none. */
bool
sample_sum(const Sample *s, SampleEstimate *result)
{
	double		sum = 0;
	double		variance = 0;
	bool		any = false;

	for (int i = 0; i < s->n; i++)
	{
		double		f = s->items[i].payload;
		double		p = sample_probability(s, &s->items[i]);

		if (isnan(f))
			continue;
		any = true;
		sum += f / p;
		variance += f * f * (1 - p) / (p * p);
	}
	set_estimate(result, sum, variance);
	return any;
}

/*
 * The mean of all payloads, as the quotient of two estimates; its variance is
 * that of the sum of (f - mean) / count (linearised).
 */
bool
sample_mean(const Sample *s, SampleEstimate *result)
{
	double		count = 0;
	double		sum = 0;
	double		variance = 0;

	for (int i = 0; i < s->n; i++)
		if (!isnan(s->items[i].payload))
		{
			double		p = sample_probability(s, &s->items[i]);

			count += 1 / p;
			sum += s->items[i].payload / p;
		}
	for (int i = 0; i < s->n; i++)
		if (!isnan(s->items[i].payload))
		{
			double		p = sample_probability(s, &s->items[i]);
			double		off = (s->items[i].payload - sum / count) / count;

			variance += off * off * (1 - p) / (p * p);
		}
	set_estimate(result, sum / count, variance);
	return count > 0;
}
