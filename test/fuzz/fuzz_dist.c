/*
 * fuzz_dist.c
 *		Fuzzes the binary and the text form of dist and cat, and what is done
 *		with values that come in that way.
 *
 * The first byte of the input chooses type and form. What is accepted must
 * have one binary form, read back from its text, and stand being merged,
 * subtracted and compared.
 */
#include "fuzz.h"

#include <math.h>

#include "kernel/cat.h"
#include "kernel/dist.h"
#include "kernel/drift.h"

static const char *input_text;
static const FuzzInput *input;

static bool
same(StringInfo a, StringInfo b)
{
	return a->len == b->len && memcmp(a->data, b->data, a->len) == 0;
}

static char *
as_text(void)
{
	char	   *text = palloc(input->size + 1);

	memcpy(text, input->data, input->size);
	text[input->size] = '\0';
	return text;
}

/* ------------------------------------------------------------------- dist */

static Dist *dist;

static void
parse_dist(void *arg)
{
	if (input_text)
		dist = dist_from_text(input_text);
	else
	{
		dist_verify(input->data, input->size);
		dist = dist_decode(input->data, input->size);
	}
}

/* May fail: what is read cannot prove that its sum is one of its values. */
static void
merge_dist(void *arg)
{
	StringInfoData out;
	Dist	   *twice = dist_copy(dist);
	Dist	   *back;

	dist_merge(twice, dist);
	initStringInfo(&out);
	dist_encode(twice, &out);
	dist_verify(out.data, out.len);
	back = dist_copy(twice);
	dist_subtract(back, dist);
	resetStringInfo(&out);
	dist_encode(back, &out);
	dist_verify(out.data, out.len);
	fuzz_expect(dist_total(back) == dist_total(dist), "a + a - a has the weight of a");
	fuzz_expect(back->finite_count == dist->finite_count, "and of its finite values");
}

static void
use_dist(void)
{
	StringInfoData bytes;
	StringInfoData text;
	StringInfoData again;
	DriftResult result;
	DistWalk	walk;
	DistCell	cell;
	double		before = -INFINITY;

	initStringInfo(&bytes);
	initStringInfo(&text);
	initStringInfo(&again);
	dist_encode(dist, &bytes);
	dist_verify(bytes.data, bytes.len);
	dist_to_text(dist, &text);
	dist_encode(dist_from_text(text.data), &again);
	fuzz_expect(same(&bytes, &again), "the text of a dist reads back");

	dist_walk_start(&walk, dist);
	while (dist_walk_next(&walk, &cell))
	{
		dist_cell_range(dist, &cell);
		fuzz_expect(cell.low <= cell.middle && cell.middle <= cell.high, "a cell has its middle");
		fuzz_expect(dist->threshold > 0 || before <= cell.middle, "cells are in order");
		before = cell.middle;
	}
	if (dist_total(dist) > 0)
	{
		for (double q = 0; q <= 1; q += 0.25)
			fuzz_expect(!isnan(dist_quantile(dist, q)), "a quantile is a number");
		fuzz_expect(dist_cdf(dist, dist_quantile(dist, 0.5)) <= 1 + 1e-9, "a share is at most 1");
		dist_mean(dist);
		dist_sum(dist);
	}
	drift_dist(dist_copy(dist), dist_copy(dist), 0.05, &result);
	fuzz_expect(isnan(result.ks) || (result.ks == 0 && result.ks_high <= 1 + 1e-9), "a dist has not drifted from itself");
	fuzz_expect(isnan(result.psi) || result.psi == 0, "nor has its psi");
	shim_try(merge_dist, NULL);
}

/* -------------------------------------------------------------------- cat */

static Cat *cat;

static void
parse_cat(void *arg)
{
	if (input_text)
		cat = cat_from_text(input_text);
	else
	{
		cat_verify(input->data, input->size);
		cat = cat_decode(input->data, input->size);
	}
}

static void
encode_cat(Cat *c, StringInfo out)
{
	resetStringInfo(out);
	cat_trim(c);
	cat_sort(c);
	cat_encode(c, out);
	cat_verify(out->data, out->len);
}

/* May fail: the total may be too large. */
static void
merge_cat(void *arg)
{
	StringInfoData out;
	Cat		   *twice = cat_copy(cat);

	initStringInfo(&out);
	cat_merge(twice, cat);
	encode_cat(twice, &out);
	cat_subtract(twice, cat);
	encode_cat(twice, &out);
	fuzz_expect(twice->total == cat->total, "a + a - a has the weight of a");
}

static void
use_cat(void)
{
	StringInfoData bytes;
	StringInfoData text;
	StringInfoData again;
	DriftResult result;

	initStringInfo(&bytes);
	initStringInfo(&text);
	initStringInfo(&again);
	encode_cat(cat, &bytes);
	cat_to_text(cat, &text);

	/* keys with a zero byte do not get past the SQL face */
	if (!strstr(text.data, "\\u0000"))
	{
		encode_cat(cat_from_text(text.data), &again);
		fuzz_expect(same(&bytes, &again), "the text of a cat reads back");
	}
	drift_cat(cat, cat, 0.05, &result);
	fuzz_expect(isnan(result.psi) || result.psi == 0, "a cat has not drifted from itself");
	shim_try(merge_cat, NULL);
}

static void
run(void *arg)
{
	int			kind = *(int *) arg;

	input_text = kind & 1 ? as_text() : NULL;
	if (kind & 2)
	{
		if (shim_try(parse_cat, NULL))
			use_cat();
	}
	else if (shim_try(parse_dist, NULL))
		use_dist();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	FuzzInput	in = {data + 1, size - 1};
	int			kind;

	if (size == 0)
		return 0;
	kind = data[0];
	input = &in;
	fuzz_expect(shim_run(run, &kind), "an accepted value raises no error");
	return 0;
}
