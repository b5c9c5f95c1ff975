/*
 * fuzz.c
 *		What the harnesses check of every trajectory that gets in.
 *
 * A value that was accepted must survive: encoding what was decoded gives the
 * same bytes, and so do the text form and OTLP, there and back; and every
 * function must cope with it.
 */
#include "fuzz.h"

#include <math.h>

#include "kernel/call_context.h"
#include "kernel/component_time.h"
#include "kernel/otlp.h"
#include "kernel/path_input.h"
#include "kernel/show.h"
#include "kernel/signature.h"
#include "kernel/trajectory_text.h"

void
fuzz_expect(bool condition, const char *what)
{
	if (!condition)
	{
		fprintf(stderr, "failed: %s (last error: %s)\n", what, shim_last_error);
		abort();
	}
}

static bool
is_same(const struct varlena *a, const struct varlena *b)
{
	return VARSIZE(a) == VARSIZE(b) && memcmp(a, b, VARSIZE(a)) == 0;
}

static void
check_text(const Trajectory *t, const struct varlena *datum)
{
	StringInfoData text;
	SpanSet    *set = spanset_create();
	struct varlena *again;

	initStringInfo(&text);
	trajectory_write_text(&text, t);
	trajectory_read_text(set, text.data, text.len);
	again = trajectory_encode_set(set, false, CODEC_RAW);
	if (!is_same(again, datum))
	{
		fprintf(stderr, "%s\n", text.data);
		resetStringInfo(&text);
		trajectory_write_text(&text, trajectory_decode(again, VARSIZE(again), true));
		fprintf(stderr, "%s\n", text.data);
		fuzz_expect(false, "the text form gives the value back");
	}
}

/* Has OTLP a place for all of it? */
static bool
fits_otlp(const Trajectory *t)
{
	for (uint32 i = 0; i < t->key_count; i++)
		if (t->keys[i].is_mapped ||
			bytes_equal_cstring(t->keys[i].name, OTLP_REPAIRED_KEY))
			return false;
	return true;
}

static void
check_otlp(const Trajectory *t)
{
	StringInfoData first;
	StringInfoData second;
	struct varlena *datum;
	SpanSet    *set = spanset_create();

	/* what is derived may differ from what a stranger claims was derived */
	initStringInfo(&first);
	otlp_json_write(&first, t);
	otlp_json_read(set, first.data, first.len);
	fuzz_expect(set->rejection_count == 0, "no span of our OTLP is rejected");
	datum = trajectory_encode_set(set, false, CODEC_RAW);
	initStringInfo(&second);
	otlp_json_write(&second, trajectory_decode(datum, VARSIZE(datum), true));
	if (fits_otlp(t) && strcmp(first.data, second.data) != 0)
	{
		fprintf(stderr, "%s\n%s\n", first.data, second.data);
		fuzz_expect(false, "OTLP gives the value back");
	}
}

static void
check_times(Trajectory *t)
{
	PathOptions options = {0};
	PathInput	in = path_input(t, &options);
	PathWork   *work = path_work_create();
	uint32		count;
	ComponentTime *times = component_times(t, &in, work, &count);
	int64		spans = 0;
	double		critical = 0;
	double		length = 0;

	for (uint32 i = 0; i < count; i++)
	{
		spans += times[i].span_count;
		critical += times[i].critical_ns;
	}
	for (uint32 i = 0; i < work->section_count; i++)
		length += work->sections[i].end_ns - work->sections[i].start_ns;
	fuzz_expect(spans == t->n && (fabs(critical - length) <= length * 1e-9 || length > 9e18), "components have all spans and all of the path");
}

static void
check_calls(const Trajectory *t)
{
	LogicalCall *calls = logical_calls(t);
	int32		count;
	CallOutcome *outcomes = call_outcomes(t, calls, &count);

	for (int32 i = 0; i < count; i++)
		fuzz_expect(outcomes[i].attempt_count > 0 && calls[outcomes[i].last].call == i,
					"a call has a last attempt");
	call_contexts(t);
	trace_fanout(t);
}

/* Check, and use, a datum encoded without compression. */
void
fuzz_use(struct varlena *datum)
{
	Trajectory *t = trajectory_decode(datum, VARSIZE(datum), true);
	StringInfoData buf;

	trajectory_check(t);
	fuzz_expect(is_same(trajectory_recode(t, 0, t->n, CODEC_RAW), datum),
				"encoding anew gives the same bytes");
	fuzz_expect(trajectory_compare(t, t) == 0, "a value equals itself");
	check_text(t, datum);
	check_otlp(t);

	initStringInfo(&buf);
	show_trajectory(&buf, t);
	path_signature(&buf, t);
	failure_signature(&buf, t);
	check_times(t);
	check_calls(t);
}

/* Use each trajectory of a set. */
struct varlena *
fuzz_encode_all(SpanSet *set, void (*use) (struct varlena *datum))
{
	TrajectoryEncoder *encoder;
	struct varlena *datum = NULL;
	Span	  **spans;
	uint32	   *ends;
	uint32		groups;

	spanset_finish(set);
	spans = spanset_group(set, &ends, &groups);
	encoder = trajectory_encoder_create(set);
	for (uint32 g = 0; g < groups; g++)
	{
		uint32		from = g == 0 ? 0 : ends[g - 1];

		datum = trajectory_encode(encoder, spans + from, ends[g] - from, CODEC_RAW);
		use(datum);
	}
	trajectory_encoder_free(encoder);
	return datum;
}
