/*
 * trajectory_agg.c
 *		Building trajectories from rows, and merging them over a group.
 *
 * Both aggregates have one kind of state: a set of spans of one trace, which
 * owns all bytes it refers to.  On the wire it is a trajectory in binary form.
 * A trajectory that is alone so far waits undecoded: most traces that are merged
 * came in one piece.  When spans have been added twice as often as there are,
 * the set is encoded and begun anew, so that the state grows with what is
 * distinct.  Final and
 * serial functions work on a copy of the lists, and do not change the state.
 */
#include "postgres.h"

#include "compat.h"
#include "kernel/jsonb_values.h"
#include "kernel/otlp.h"
#include "kernel/trajectory_sql.h"
#include "kernel/trajectory_text.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/uuid.h"

/* Merge as soon as the state has so many spans, or bytes; then at twice as many. */
#define MIN_MERGE_SPANS 4096
#define MIN_MERGE_BYTES (16 * 1024 * 1024)

typedef struct SpanState
{
	MemoryContext context;		/* of the aggregate */
	MemoryContext spans_context;	/* of the set and what it refers to */
	SpanSet    *set;
	struct varlena *alone;		/* the only datum so far, not in the set yet */
	uint8		trace_id[16];
	uint32		merge_spans;	/* number of spans at which to merge */
	Size		merge_bytes;	/* memory at which to merge */
} SpanState;

static MemoryContext
aggregate_context(FunctionCallInfo fcinfo)
{
	MemoryContext context;

	if (!AggCheckCallContext(fcinfo, &context))
		elog(ERROR, "aggregate function called in non-aggregate context");
	return context;
}

static void
begin_set(SpanState *state)
{
	MemoryContext old;

	state->spans_context = AllocSetContextCreate(state->context, "llmtrace span state",
												 ALLOCSET_DEFAULT_SIZES);
	state->alone = NULL;
	old = MemoryContextSwitchTo(state->spans_context);
	state->set = spanset_create();
	MemoryContextSwitchTo(old);
}

static SpanState *
state_create(MemoryContext context, const uint8 *trace_id)
{
	SpanState  *state = MemoryContextAllocZero(context, sizeof(SpanState));

	state->context = context;
	memcpy(state->trace_id, trace_id, sizeof(state->trace_id));
	state->merge_spans = MIN_MERGE_SPANS;
	state->merge_bytes = MIN_MERGE_BYTES;
	begin_set(state);
	return state;
}

/* Add the spans of a datum that lives as long as they do. */
static void
add_spans(SpanState *state, struct varlena *datum)
{
	MemoryContext old = MemoryContextSwitchTo(state->spans_context);
	Trajectory *t = trajectory_decode(datum, VARSIZE(datum), true);

	trajectory_add_to_set(t, state->set, 0, t->n);
	MemoryContextSwitchTo(old);
}

/* Have all spans in the set. */
static void
decode_alone(SpanState *state)
{
	struct varlena *datum = state->alone;

	state->alone = NULL;
	if (datum)
		add_spans(state, datum);
}

/* Add a datum of the same trace, whose bytes are copied. */
static void
add_datum(SpanState *state, struct varlena *datum)
{
	TrajectorySummary s;
	struct varlena *copy;

	trajectory_read_summary(datum, &s);
	trajectory_require_same_trace(state->trace_id, s.trace_id);
	copy = MemoryContextAllocHuge(state->spans_context, VARSIZE(datum));
	memcpy(copy, datum, VARSIZE(datum));
	if (state->set->span_count == 0 && state->alone == NULL)
		state->alone = copy;
	else
	{
		decode_alone(state);
		add_spans(state, copy);
	}
}

/* The state as a datum in the current context; the state is not changed. */
static struct varlena *
state_encode(const SpanState *state, Codec codec)
{
	SpanSet    *copy;
	struct varlena *datum;

	if (state->alone)
	{
		datum = palloc(VARSIZE(state->alone));
		memcpy(datum, state->alone, VARSIZE(state->alone));
		return datum;
	}
	copy = spanset_copy(state->set);
	datum = trajectory_encode_set(copy, true, codec);
	spanset_free(copy);
	return datum;
}

/* Put several versions of spans together when there are many. */
static void
merge_if_large(SpanState *state)
{
	MemoryContext old_spans = state->spans_context;
	struct varlena *datum;

	if (state->set->span_count < state->merge_spans &&
		MemoryContextMemAllocated(state->spans_context, true) < state->merge_bytes)
		return;
	datum = state_encode(state, CODEC_RAW);
	begin_set(state);
	add_datum(state, datum);
	decode_alone(state);
	pfree(datum);
	MemoryContextDelete(old_spans);
	state->merge_spans = Max(MIN_MERGE_SPANS, state->set->span_count * 2);
	state->merge_bytes = Max(MIN_MERGE_BYTES,
							 MemoryContextMemAllocated(state->spans_context, true) * 2);
}

/* merge_agg(trajectory) */
PG_FUNCTION_INFO_V1(trajectory_merge_transfn);
Datum
trajectory_merge_transfn(PG_FUNCTION_ARGS)
{
	MemoryContext context = aggregate_context(fcinfo);
	SpanState  *state = PG_ARGISNULL(0) ? NULL : (SpanState *) PG_GETARG_POINTER(0);
	struct varlena *datum;

	if (PG_ARGISNULL(1))
	{
		if (state == NULL)
			PG_RETURN_NULL();
		PG_RETURN_POINTER(state);
	}
	datum = PG_DETOAST_DATUM(PG_GETARG_DATUM(1));
	if (state == NULL)
	{
		TrajectorySummary s;

		trajectory_read_summary(datum, &s);
		state = state_create(context, s.trace_id);
	}
	add_datum(state, datum);
	merge_if_large(state);
	PG_RETURN_POINTER(state);
}

/* A text argument, copied to where the state lives. */
static Bytes
copy_text_arg(FunctionCallInfo fcinfo, int arg, SpanSet *set)
{
	text	   *t;

	if (PG_ARGISNULL(arg))
		return (Bytes) {"", 0};
	t = PG_GETARG_TEXT_PP(arg);
	return arena_copy(&set->arena, VARDATA_ANY(t), VARSIZE_ANY_EXHDR(t));
}

static uint64
span_id_arg(FunctionCallInfo fcinfo, int arg, const char *what)
{
	text	   *t = PG_GETARG_TEXT_PP(arg);
	Bytes		digits = {VARDATA_ANY(t), VARSIZE_ANY_EXHDR(t)};
	uint8		id[8];

	if (!hex_read(digits, id, sizeof(id)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s is malformed", what),
				 errdetail("\"%.*s\" is not a number of at most 16 hexadecimal digits.",
						   utf8_clip(digits, 60), digits.data),
				 errhint("Other ids can be made into one: to_hex(id) of a number, left(md5(id), 16) of a text.")));
	return span_id_from_bytes(id);
}

/* One of some words, in either case, also as OTLP spells it with a prefix. */
static uint8
word_arg(FunctionCallInfo fcinfo, int arg, const char *const *words, uint8 count,
		 const char *prefix, const char *what, const char *hint)
{
	char	   *word;
	char	   *bare;

	if (PG_ARGISNULL(arg))
		return 0;
	word = bare = text_to_cstring(PG_GETARG_TEXT_PP(arg));
	if (pg_strncasecmp(word, prefix, strlen(prefix)) == 0)
		bare += strlen(prefix);
	for (uint8 i = 0; i < count; i++)
		if (pg_strcasecmp(bare, words[i]) == 0)
			return i;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("unknown %s \"%s\"", what, word),
			 errhint("%s", hint)));
}

static void
require_time(bool is_in_range)
{
	if (!is_in_range)
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("time of a span is out of range"),
				 errdetail("Times lie between the years 1970 and 2262.")));
}

static bool
ns_from_timestamptz(TimestampTz time, int64 *ns)
{
	return !TIMESTAMP_NOT_FINITE(time) && timestamptz_to_ns(time, ns);
}

/*
 * One span from a row: trace_id uuid, span_id text, parent_span_id text, name
 * text, start, end, span_kind text, status text, attributes jsonb.  Start and
 * end are given by the caller, end TIME_OPEN if it is unknown.
 */
static SpanState *
add_row(FunctionCallInfo fcinfo, int64 start_ns, int64 end_ns)
{
	MemoryContext context = aggregate_context(fcinfo);
	SpanState  *state = PG_ARGISNULL(0) ? NULL : (SpanState *) PG_GETARG_POINTER(0);
	pg_uuid_t  *trace_id;
	Span		span = {.start_ns = start_ns,.end_ns = end_ns};

	if (PG_ARGISNULL(1) || PG_ARGISNULL(2))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s of a span must not be null",
						PG_ARGISNULL(1) ? "trace id" : "span id")));
	trace_id = PG_GETARG_UUID_P(1);
	if (bytes_are_zero(trace_id->data, UUID_LEN))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("trace id must not be zero")));
	memcpy(span.trace_id, trace_id->data, UUID_LEN);
	span.span_id = span_id_arg(fcinfo, 2, "span id");
	if (span.span_id == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("span id must not be zero")));
	if (!PG_ARGISNULL(3) && VARSIZE_ANY_EXHDR(PG_GETARG_TEXT_PP(3)) > 0)
		span.parent_id = span_id_arg(fcinfo, 3, "parent span id");
	span.span_kind = word_arg(fcinfo, 7, span_kind_names, SPAN_KIND_COUNT, "SPAN_KIND_", "span kind",
							  "Known are unspecified, internal, server, client, producer and consumer.");
	span.status = word_arg(fcinfo, 8, span_status_names, SPAN_STATUS_COUNT, "STATUS_CODE_", "status",
						   "Known are unset, ok and error.");

	if (state == NULL)
		state = state_create(context, span.trace_id);
	trajectory_require_same_trace(state->trace_id, span.trace_id);
	decode_alone(state);
	if (state->set->resource_count == 0)
	{
		spanset_add_resource(state->set);
		spanset_add_scope(state->set);
	}

	/* arguments are detoasted here, in the call's context; the set copies them */
	span.name = copy_text_arg(fcinfo, 4, state->set);
	if (span.name.len > SPAN_NAME_MAX_LEN)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("name of a span is longer than %d bytes", SPAN_NAME_MAX_LEN)));
	if (!PG_ARGISNULL(9))
		span.attributes = jsonb_attributes(state->set, PG_GETARG_JSONB_P(9));
	*spanset_add_span(state->set) = span;

	merge_if_large(state);
	return state;
}

static void
require_start(FunctionCallInfo fcinfo)
{
	if (PG_ARGISNULL(5))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("start of a span must not be null")));
}

/* trajectory_agg(…, started_at timestamptz, ended_at timestamptz, …) */
PG_FUNCTION_INFO_V1(trajectory_rows_transfn);
Datum
trajectory_rows_transfn(PG_FUNCTION_ARGS)
{
	int64		start_ns;
	int64		end_ns = TIME_OPEN;

	require_start(fcinfo);
	require_time(ns_from_timestamptz(PG_GETARG_TIMESTAMPTZ(5), &start_ns) && start_ns >= 0);
	if (!PG_ARGISNULL(6))
		require_time(ns_from_timestamptz(PG_GETARG_TIMESTAMPTZ(6), &end_ns));
	PG_RETURN_POINTER(add_row(fcinfo, start_ns, span_end(start_ns, end_ns)));
}

/* trajectory_agg(…, start_ns bigint, end_ns bigint, …) */
PG_FUNCTION_INFO_V1(trajectory_rows_ns_transfn);
Datum
trajectory_rows_ns_transfn(PG_FUNCTION_ARGS)
{
	int64		start_ns;
	int64		end_ns;

	require_start(fcinfo);
	start_ns = PG_GETARG_INT64(5);
	require_time(start_ns >= 0);
	end_ns = PG_ARGISNULL(6) ? TIME_OPEN : PG_GETARG_INT64(6);
	PG_RETURN_POINTER(add_row(fcinfo, start_ns, span_end(start_ns, end_ns)));
}

PG_FUNCTION_INFO_V1(trajectory_agg_combine);
Datum
trajectory_agg_combine(PG_FUNCTION_ARGS)
{
	MemoryContext context = aggregate_context(fcinfo);
	SpanState  *a = PG_ARGISNULL(0) ? NULL : (SpanState *) PG_GETARG_POINTER(0);
	SpanState  *b = PG_ARGISNULL(1) ? NULL : (SpanState *) PG_GETARG_POINTER(1);

	if (b != NULL)
	{
		struct varlena *datum = state_encode(b, CODEC_RAW);

		if (a == NULL)
			a = state_create(context, b->trace_id);
		add_datum(a, datum);
		pfree(datum);
		merge_if_large(a);
	}
	if (a == NULL)
		PG_RETURN_NULL();
	PG_RETURN_POINTER(a);
}

PG_FUNCTION_INFO_V1(trajectory_agg_serialize);
Datum
trajectory_agg_serialize(PG_FUNCTION_ARGS)
{
	SpanState  *state = (SpanState *) PG_GETARG_POINTER(0);

	aggregate_context(fcinfo);
	/* a datum is laid out as a bytea is */
	PG_RETURN_BYTEA_P(state_encode(state, CODEC_RAW));
}

PG_FUNCTION_INFO_V1(trajectory_agg_deserialize);
Datum
trajectory_agg_deserialize(PG_FUNCTION_ARGS)
{
	bytea	   *bytes = PG_GETARG_BYTEA_P(0);
	struct varlena *datum;
	TrajectorySummary s;
	SpanState  *state;

	aggregate_context(fcinfo);
	datum = trajectory_receive(bytes, VARSIZE(bytes), CODEC_RAW);
	trajectory_read_summary(datum, &s);
	state = state_create(CurrentMemoryContext, s.trace_id);
	add_datum(state, datum);
	pfree(datum);
	PG_RETURN_POINTER(state);
}

PG_FUNCTION_INFO_V1(trajectory_agg_final);
Datum
trajectory_agg_final(PG_FUNCTION_ARGS)
{
	aggregate_context(fcinfo);
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	PG_RETURN_POINTER(state_encode((SpanState *) PG_GETARG_POINTER(0),
								   trajectory_best_codec()));
}
