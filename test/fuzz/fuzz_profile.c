/*
 * fuzz_profile.c
 *		Fuzzes the binary and the text form of profile, and what is done with
 *		values that come in that way; and budgets, held against a trajectory.
 *
 * The first byte of the input chooses.  What is accepted as a profile must have
 * one binary form, read back from its text, and stand being merged, subtracted
 * and drawn.  What is accepted as a budget must keep its two identities.
 */
#include "fuzz.h"

#include <math.h>

#include "kernel/flamegraph.h"
#include "kernel/latency_budget.h"
#include "kernel/path_input.h"
#include "kernel/profile.h"
#include "kernel/trajectory_text.h"
#include "kernel/value.h"

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

/* ---------------------------------------------------------------- profile */

static bool is_text;
static Profile *profile;

static void
parse_profile(void *arg)
{
	if (is_text)
	{
		char	   *text = as_text();

		/* the server has verified this before */
		if (!utf8_is_valid(text, strlen(text)))
			ereport(ERROR, (errmsg("not UTF-8")));
		profile = profile_from_text(text);
	}
	else
	{
		profile_verify(input->data, input->size);
		profile = profile_decode(input->data, input->size);
	}
}

/* May fail: sums may become too large. */
static void
merge_profile(void *arg)
{
	StringInfoData bytes;
	StringInfoData again;
	Profile    *twice = profile_new();

	initStringInfo(&bytes);
	initStringInfo(&again);
	profile_encode(profile, &bytes);
	profile_merge(twice, profile);
	profile_merge(twice, profile);
	profile_encode(profile_subtract(twice, profile), &again);
	fuzz_expect(same(&bytes, &again), "a + a - a is a");
	resetStringInfo(&again);
	profile_encode(twice, &again);
	profile_verify(again.data, again.len);
}

static void
use_profile(void)
{
	StringInfoData bytes;
	StringInfoData text;
	StringInfoData again;
	StringInfoData svg;

	initStringInfo(&bytes);
	initStringInfo(&text);
	initStringInfo(&again);
	initStringInfo(&svg);
	profile_encode(profile, &bytes);
	profile_verify(bytes.data, bytes.len);
	profile_to_text(profile, &text);
	profile_encode(profile_from_text(text.data), &again);
	fuzz_expect(same(&bytes, &again), "the text of a profile reads back");
	for (int i = 0; i < flame_measure_count; i++)
	{
		resetStringInfo(&svg);
		flamegraph_svg(&svg, profile, &flame_measures[i]);
	}
	shim_try(merge_profile, NULL);
}

/* ----------------------------------------------------------------- budget */

static const char trace[] =
"{\"trace_id\": \"00000000000000000000000000000001\", \"spans\": ["
"{\"span_id\": \"0000000000000001\", \"name\": \"a\", \"start_ns\": 1000, \"end_ns\": 1100},"
"{\"span_id\": \"0000000000000002\", \"parent_span_id\": \"0000000000000001\", \"name\": \"b\", \"start_ns\": 1010, \"end_ns\": 1060},"
"{\"span_id\": \"0000000000000003\", \"parent_span_id\": \"0000000000000001\", \"name\": \"b\", \"start_ns\": 1020, \"end_ns\": 1050},"
"{\"span_id\": \"0000000000000004\", \"parent_span_id\": \"0000000000000002\", \"name\": \"c\", \"start_ns\": 1020, \"end_ns\": null},"
"{\"span_id\": \"0000000000000005\", \"name\": \"c\", \"start_ns\": 1060, \"end_ns\": 1090}]}";

static Budget *budget;

static void
parse_budget(void *arg)
{
	budget = budget_parse((const char *) input->data, input->size);
}

static void
use_budget(void *arg)
{
	SpanSet    *set = spanset_create();
	struct varlena *datum;
	Trajectory *t;
	PathOptions options = {0};
	PathInput	in;
	BudgetResult *results;
	double		created = 0;
	double		absorbed = 0;
	double		blame = 0;
	double		over;

	trajectory_read_text(set, trace, strlen(trace));
	datum = trajectory_encode_set(set, false, CODEC_RAW);
	t = trajectory_decode(datum, VARSIZE(datum), true);
	in = path_input(t, &options);
	results = budget_apply(budget, t, &in, path_work_create());
	over = results[0].overrun_ns;
	fuzz_expect(results[0].critical_ns == 130, "the root has all of the path");
	for (uint32 k = 0; k < budget->count; k++)
	{
		created += results[k].created_ns;
		absorbed += results[k].absorbed_ns;
		blame += results[k].blame_ns;
	}
	fuzz_expect(fabs(over - created + absorbed) < 1e-6, "created less absorbed is the root's overrun");
	fuzz_expect(fabs(over - blame) < 1e-6, "so is the blame");
}

static void
run(void *arg)
{
	int			kind = *(int *) arg;

	is_text = kind & 1;
	if (kind & 2)
	{
		/* a query's own errors, such as a failing pattern, are none of ours; a
		 * server's texts are valid */
		if (utf8_is_valid((const char *) input->data, input->size) && shim_try(parse_budget, NULL))
			shim_try(use_budget, NULL);
	}
	else if (shim_try(parse_profile, NULL))
		use_profile();
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
