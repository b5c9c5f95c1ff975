/*
 * trajectory_ops.c
 *		Comparison, merging, accessors and the functions that give text.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "compat.h"
#include "kernel/otlp.h"
#include "kernel/show.h"
#include "kernel/signature.h"
#include "kernel/trajectory_sql.h"
#include "kernel/trajectory_text.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

/* ---------------------------------------------------------- comparison --- */

/*
 * Sorting and ANALYZE compare very many values in a context that lives long,
 * so nothing may be left behind.
 */
static int
compare_content(FunctionCallInfo fcinfo)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "llmtrace comparison",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	int			cmp = trajectory_compare(trajectory_from_datum(PG_GETARG_DATUM(0), false),
										 trajectory_from_datum(PG_GETARG_DATUM(1), false));

	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	return cmp;
}

/* Mostly the trace ids, in the headers, tell. */
static int
compare_args(FunctionCallInfo fcinfo)
{
	TrajectorySummary a;
	TrajectorySummary b;
	int			cmp;

	trajectory_summary_arg(fcinfo, 0, &a);
	trajectory_summary_arg(fcinfo, 1, &b);
	cmp = memcmp(a.trace_id, b.trace_id, sizeof(a.trace_id));
	return cmp != 0 ? cmp : compare_content(fcinfo);
}

/* Most unequal values have another hash, which the header tells. */
static bool
args_are_equal(FunctionCallInfo fcinfo)
{
	TrajectorySummary a;
	TrajectorySummary b;

	trajectory_summary_arg(fcinfo, 0, &a);
	trajectory_summary_arg(fcinfo, 1, &b);
	return a.content_hash == b.content_hash && compare_content(fcinfo) == 0;
}

PG_FUNCTION_INFO_V1(trajectory_eq);
Datum
trajectory_eq(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(args_are_equal(fcinfo));
}

PG_FUNCTION_INFO_V1(trajectory_ne);
Datum
trajectory_ne(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(!args_are_equal(fcinfo));
}

PG_FUNCTION_INFO_V1(trajectory_lt);
Datum
trajectory_lt(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_args(fcinfo) < 0);
}

PG_FUNCTION_INFO_V1(trajectory_le);
Datum
trajectory_le(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_args(fcinfo) <= 0);
}

PG_FUNCTION_INFO_V1(trajectory_gt);
Datum
trajectory_gt(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_args(fcinfo) > 0);
}

PG_FUNCTION_INFO_V1(trajectory_ge);
Datum
trajectory_ge(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_args(fcinfo) >= 0);
}

PG_FUNCTION_INFO_V1(trajectory_cmp);
Datum
trajectory_cmp(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(compare_args(fcinfo));
}

PG_FUNCTION_INFO_V1(trajectory_hash);
Datum
trajectory_hash(PG_FUNCTION_ARGS)
{
	TrajectorySummary s;

	trajectory_summary_arg(fcinfo, 0, &s);
	PG_RETURN_INT32((int32) s.content_hash);
}

PG_FUNCTION_INFO_V1(trajectory_hash_extended);
Datum
trajectory_hash_extended(PG_FUNCTION_ARGS)
{
	TrajectorySummary s;
	uint64		seed = PG_GETARG_INT64(1);

	trajectory_summary_arg(fcinfo, 0, &s);
	/* with seed 0 the low half has to equal trajectory_hash */
	PG_RETURN_INT64((int64) (seed == 0 ? s.content_hash :
							 hash_combine64(s.content_hash, seed)));
}

/* ------------------------------------------------------- merge and part --- */

PG_FUNCTION_INFO_V1(trajectory_merge);
Datum
trajectory_merge(PG_FUNCTION_ARGS)
{
	Trajectory *a = trajectory_from_datum(PG_GETARG_DATUM(0), true);
	Trajectory *b = trajectory_from_datum(PG_GETARG_DATUM(1), true);
	SpanSet    *set;
	struct varlena *result;

	trajectory_require_same_trace(a->summary.trace_id, b->summary.trace_id);
	set = spanset_create();
	trajectory_add_to_set(a, set, 0, a->n);
	trajectory_add_to_set(b, set, 0, b->n);
	result = trajectory_encode_set(set, true, trajectory_best_codec());
	spanset_free(set);
	PG_RETURN_POINTER(result);
}

PG_FUNCTION_INFO_V1(trajectory_subtree);
Datum
trajectory_subtree(PG_FUNCTION_ARGS)
{
	Trajectory *t = trajectory_arg(fcinfo, 0, PARTS_ALL);
	uint32		ordinal = ordinal_arg(fcinfo, 1, t);

	PG_RETURN_POINTER(trajectory_recode(t, ordinal, t->subtree[ordinal],
										trajectory_best_codec()));
}

/* ----------------------------------------------------------- accessors --- */

PG_FUNCTION_INFO_V1(trajectory_trace_id);
Datum
trajectory_trace_id(PG_FUNCTION_ARGS)
{
	TrajectorySummary s;

	trajectory_summary_arg(fcinfo, 0, &s);
	PG_RETURN_DATUM(uuid_datum(s.trace_id));
}

PG_FUNCTION_INFO_V1(trajectory_started_at);
Datum
trajectory_started_at(PG_FUNCTION_ARGS)
{
	TrajectorySummary s;

	trajectory_summary_arg(fcinfo, 0, &s);
	PG_RETURN_TIMESTAMPTZ(timestamptz_from_ns(s.start_ns));
}

PG_FUNCTION_INFO_V1(trajectory_ended_at);
Datum
trajectory_ended_at(PG_FUNCTION_ARGS)
{
	TrajectorySummary s;

	trajectory_summary_arg(fcinfo, 0, &s);
	if (s.flags & TRAJECTORY_OPEN_ROOT)
		PG_RETURN_NULL();
	PG_RETURN_TIMESTAMPTZ(timestamptz_from_ns(s.start_ns + s.duration_ns));
}

PG_FUNCTION_INFO_V1(trajectory_duration_ms);
Datum
trajectory_duration_ms(PG_FUNCTION_ARGS)
{
	TrajectorySummary s;

	trajectory_summary_arg(fcinfo, 0, &s);
	if (s.flags & TRAJECTORY_OPEN_ROOT)
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(s.duration_ns / 1e6);
}

PG_FUNCTION_INFO_V1(trajectory_span_count);
Datum
trajectory_span_count(PG_FUNCTION_ARGS)
{
	TrajectorySummary s;

	trajectory_summary_arg(fcinfo, 0, &s);
	PG_RETURN_INT64(s.span_count);
}

PG_FUNCTION_INFO_V1(trajectory_error_count);
Datum
trajectory_error_count(PG_FUNCTION_ARGS)
{
	TrajectorySummary s;

	trajectory_summary_arg(fcinfo, 0, &s);
	PG_RETURN_INT64(s.error_count);
}

PG_FUNCTION_INFO_V1(trajectory_input_tokens);
Datum
trajectory_input_tokens(PG_FUNCTION_ARGS)
{
	TrajectorySummary s;

	trajectory_summary_arg(fcinfo, 0, &s);
	if (s.input_tokens < 0)
		PG_RETURN_NULL();
	PG_RETURN_INT64(s.input_tokens);
}

PG_FUNCTION_INFO_V1(trajectory_output_tokens);
Datum
trajectory_output_tokens(PG_FUNCTION_ARGS)
{
	TrajectorySummary s;

	trajectory_summary_arg(fcinfo, 0, &s);
	if (s.output_tokens < 0)
		PG_RETURN_NULL();
	PG_RETURN_INT64(s.output_tokens);
}

PG_FUNCTION_INFO_V1(trajectory_is_complete);
Datum
trajectory_is_complete(PG_FUNCTION_ARGS)
{
	TrajectorySummary s;

	trajectory_summary_arg(fcinfo, 0, &s);
	PG_RETURN_BOOL(!(s.flags & (TRAJECTORY_OPEN_SPAN | TRAJECTORY_HAS_ORPHAN)));
}

PG_FUNCTION_INFO_V1(trajectory_root_name);
Datum
trajectory_root_name(PG_FUNCTION_ARGS)
{
	Trajectory *t = trajectory_arg(fcinfo, 0, PARTS_TABLES);

	PG_RETURN_DATUM(text_datum(trajectory_class(t, trajectory_primary_root(t))->name));
}

PG_FUNCTION_INFO_V1(trajectory_status);
Datum
trajectory_status(PG_FUNCTION_ARGS)
{
	Trajectory *t = trajectory_arg(fcinfo, 0, PARTS_HOT);
	const SpanClass *class = trajectory_class(t, trajectory_primary_root(t));

	PG_RETURN_TEXT_P(cstring_to_text(span_status_names[class->status]));
}

PG_FUNCTION_INFO_V1(trajectory_depth);
Datum
trajectory_depth(PG_FUNCTION_ARGS)
{
	struct varlena *datum = PG_DETOAST_DATUM(PG_GETARG_DATUM(0));
	uint32		levels = trajectory_levels(datum, VARSIZE(datum));

	PG_FREE_IF_COPY(datum, 0);
	PG_RETURN_INT32(levels);
}

static const Value *
find_attribute(const Trajectory *t, const AttrList *list, Bytes name)
{
	for (uint32 i = 0; i < list->n; i++)
		if (!t->keys[list->keys[i]].is_derived && bytes_equal(t->keys[list->keys[i]].name, name))
			return &list->values[i];
	return NULL;
}

/* An attribute of the root, else of its resource, as text. */
PG_FUNCTION_INFO_V1(trajectory_attr);
Datum
trajectory_attr(PG_FUNCTION_ARGS)
{
	Trajectory *t = trajectory_arg(fcinfo, 0, PARTS_ALL);
	text	   *name = PG_GETARG_TEXT_PP(1);
	Bytes		key = {VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name)};
	uint32		root = trajectory_primary_root(t);
	Value	   *room = palloc_extended(Max(t->max_attributes, 1) * sizeof(Value), MCXT_ALLOC_HUGE);
	AttrList	own = trajectory_attributes(t, root, room);
	const Value *v = find_attribute(t, &own, key);
	StringInfoData buf;

	if (v == NULL)
		v = find_attribute(t, &t->resources[trajectory_class(t, root)->resource].attributes, key);
	if (v == NULL || v->type == VALUE_EMPTY)
		PG_RETURN_NULL();
	if (v->type == VALUE_STRING)
		PG_RETURN_DATUM(text_datum(value_bytes(v)));
	initStringInfo(&buf);
	value_write_text(&buf, v);
	PG_RETURN_DATUM(text_datum((Bytes) {buf.data, buf.len}));
}

/* ---------------------------------------------------------------- text --- */

PG_FUNCTION_INFO_V1(trajectory_show);
Datum
trajectory_show(PG_FUNCTION_ARGS)
{
	Trajectory *t = trajectory_arg(fcinfo, 0, PARTS_ALL);
	StringInfoData buf;

	initStringInfo(&buf);
	show_trajectory(&buf, t);
	PG_RETURN_DATUM(text_datum((Bytes) {buf.data, buf.len}));
}

PG_FUNCTION_INFO_V1(trajectory_path_signature);
Datum
trajectory_path_signature(PG_FUNCTION_ARGS)
{
	Trajectory *t = trajectory_arg(fcinfo, 0, PARTS_TABLES);
	StringInfoData buf;

	initStringInfo(&buf);
	path_signature(&buf, t);
	PG_RETURN_DATUM(text_datum((Bytes) {buf.data, buf.len}));
}

PG_FUNCTION_INFO_V1(trajectory_failure_signature);
Datum
trajectory_failure_signature(PG_FUNCTION_ARGS)
{
	TrajectorySummary s;
	Trajectory *t;
	StringInfoData buf;

	/* most traces have no failure, and their header says so */
	trajectory_summary_arg(fcinfo, 0, &s);
	if (s.error_count == 0)
		PG_RETURN_NULL();
	t = trajectory_arg(fcinfo, 0, PARTS_TABLES);
	initStringInfo(&buf);
	if (!failure_signature(&buf, t))
		PG_RETURN_NULL();
	PG_RETURN_DATUM(text_datum((Bytes) {buf.data, buf.len}));
}

PG_FUNCTION_INFO_V1(trajectory_to_otlp);
Datum
trajectory_to_otlp(PG_FUNCTION_ARGS)
{
	Trajectory *t = trajectory_arg(fcinfo, 0, PARTS_ALL);
	StringInfoData buf;

	initStringInfo(&buf);
	otlp_json_write(&buf, t);
	PG_RETURN_DATUM(text_datum((Bytes) {buf.data, buf.len}));
}
