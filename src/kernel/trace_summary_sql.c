/*
 * trace_summary_sql.c
 *		What one row says of a trace, and other figures a trace, as SQL.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "kernel/billing.h"
#include "kernel/json_value.h"
#include "kernel/jsonb_values.h"
#include "kernel/otlp.h"
#include "kernel/short_text.h"
#include "kernel/spans.h"
#include "kernel/trace_summary.h"
#include "kernel/trajectory_sql.h"
#include "kernel/trajectory_text.h"
#include "utils/array.h"
#include "utils/builtins.h"

/* A text from outside; none is null. */
static void
row_short_text_or_null(RowWriter *w, Bytes text)
{
	ShortText	room = {.len = 0};

	row_text_or_null(w, short_text(text, &room));
}

/* The root, and the times of the whole. */
static void
put_root(RowWriter *w, const Trajectory *t, const TraceSummary *s)
{
	const SpanClass *class = trajectory_class(t, s->root);
	char		digits[SPAN_ID_DIGITS];
	ShortText	room = {.len = 0};

	span_id_hex(trajectory_span_id(t, s->root), digits);
	row_uuid(w, t->summary.trace_id);
	row_text(w, (Bytes) {digits, sizeof(digits)});
	row_text(w, short_text(class->name, &room));
	row_cstring(w, operation_kind_name(class->kind));
	row_timestamptz(w, timestamptz_from_ns(t->summary.start_ns));
	if (t->summary.flags & TRAJECTORY_OPEN_ROOT)
	{
		row_null(w);
		row_null(w);
	}
	else
	{
		row_timestamptz(w, timestamptz_from_ns(t->summary.start_ns + t->summary.duration_ns));
		row_float8(w, t->summary.duration_ns / 1e6);
	}
	row_cstring(w, span_status_names[class->status]);
	row_bool(w, class->is_error);
}

static void
put_counts(RowWriter *w, const Trajectory *t, const TraceSummary *s)
{
	row_short_text_or_null(w, s->error_type);
	row_bool(w, !(t->summary.flags & (TRAJECTORY_OPEN_SPAN | TRAJECTORY_HAS_ORPHAN)));
	row_int8(w, t->summary.span_count);
	row_int8(w, t->summary.error_count);
	row_int8(w, s->model_call_count);
	row_int8(w, s->tool_call_count);
	row_int8(w, s->tool_error_count);
	row_int8(w, s->agent_run_count);
	row_int8(w, s->retry_count);
	row_int4(w, s->depth);
	row_tokens(w, t->summary.input_tokens);
	row_tokens(w, t->summary.output_tokens);
	row_tokens(w, s->reasoning_tokens);
	row_tokens(w, s->cache_read_tokens);
	row_tokens(w, s->cache_write_tokens);
}

/* The columns of trace_summary(), as trace_summary.sql declares them. */
void
row_trace_summary(RowWriter *w, const Trajectory *t)
{
	TraceSummary s;

	trace_summarise(t, &s);
	put_root(w, t, &s);
	put_counts(w, t, &s);
	row_short_text_or_null(w, s.first_model);
	row_short_text_or_null(w, s.last_model);
	for (int k = 0; k < TRACE_TEXTS; k++)
	{
		row_short_text_or_null(w, s.texts[k]);
		if (k != TRACE_FEATURE)
			continue;
		if (s.feature_source == FEATURE_UNKNOWN)
			row_null(w);
		else
			row_cstring(w, feature_source_names[s.feature_source]);
	}
	if (isnan(s.sample_weight))
		row_null(w);
	else
		row_float8(w, s.sample_weight);
}

/* trace_summary(trajectory) */
PG_FUNCTION_INFO_V1(trajectory_trace_summary);
Datum
trajectory_trace_summary(PG_FUNCTION_ARGS)
{
	Trajectory *t = trajectory_arg(fcinfo, 0, PARTS_ALL);
	RowWriter	w;

	row_writer_init(&w, fcinfo);
	row_begin(&w);
	row_trace_summary(&w, t);
	row_end(&w);
	return (Datum) 0;
}

/* model_bills(trajectory) */
PG_FUNCTION_INFO_V1(trajectory_model_bills);
Datum
trajectory_model_bills(PG_FUNCTION_ARGS)
{
	Trajectory *t = trajectory_arg(fcinfo, 0, PARTS_ALL);
	uint32		count;
	ModelBill  *bills = model_bills(t, &count);
	RowWriter	w;

	row_writer_init(&w, fcinfo);
	for (uint32 i = 0; i < count; i++)
	{
		const ModelBill *b = &bills[i];

		row_begin(&w);
		row_text_or_null(&w, b->provider);
		row_text_or_null(&w, b->model);
		row_int8(&w, b->call_count);
		row_int8(&w, b->reported_count);
		if (b->reported_count > 0)
			row_usd(&w, b->reported_pico);
		else
			row_null(&w);
		row_int8(&w, b->tokens.input);
		row_int8(&w, b->tokens.output);
		row_int8(&w, b->tokens.cache_read);
		row_int8(&w, b->tokens.cache_write);
		row_int8(&w, b->tokens.reasoning);
		row_end(&w);
	}
	return (Datum) 0;
}

/* An array of texts, none of them null. */
static Bytes *
texts_arg(FunctionCallInfo fcinfo, int arg, int *count)
{
	Datum	   *datums;
	bool	   *nulls;
	Bytes	   *texts;

	deconstruct_array(PG_GETARG_ARRAYTYPE_P(arg), TEXTOID, -1, false, TYPALIGN_INT,
					  &datums, &nulls, count);
	texts = palloc(Max(*count, 1) * sizeof(Bytes));
	for (int i = 0; i < *count; i++)
	{
		text	   *t;

		if (nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("names must not be null")));
		t = DatumGetTextPP(datums[i]);
		texts[i] = (Bytes) {VARDATA_ANY(t), VARSIZE_ANY_EXHDR(t)};
	}
	return texts;
}

static void
require_pairs(int a, int b)
{
	if (a != b)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("arrays must be of one length"),
				 errdetail("They have %d and %d elements.", a, b)));
}

/* The value of a key in a list of attributes, or NULL. */
static const Value *
find_key(const AttrList *list, int64 key)
{
	for (uint32 i = 0; i < list->n; i++)
		if (list->keys[i] == key && list->values[i].type != VALUE_EMPTY)
			return &list->values[i];
	return NULL;
}

/* Of the primary root, else of a resource, else of the first span that has it. */
static const Value *
find_attribute(const Trajectory *t, Bytes name, Value *room)
{
	uint32		root = trajectory_primary_root(t);
	AttrList	list = trajectory_attributes(t, root, room);
	const Value *v;
	int64		key = -1;

	for (uint32 i = 0; i < t->key_count && key < 0; i++)
		if (!t->keys[i].is_derived && bytes_equal(t->keys[i].name, name))
			key = i;
	if (key < 0)
		return NULL;
	if ((v = find_key(&list, key)) != NULL)
		return v;
	for (uint32 i = 0; i < t->resource_count; i++)
		if ((v = find_key(&t->resources[i].attributes, key)) != NULL)
			return v;
	for (uint32 i = 0; i < t->n; i++)
	{
		list = trajectory_attributes(t, i, room);
		if ((v = find_key(&list, key)) != NULL)
			return v;
	}
	return NULL;
}

/* A value that is no longer than a column may be: else its text, cut. */
static Value
short_value(const Value *v)
{
	StringInfoData json;
	Bytes		text = value_bytes(v);
	ShortText  *room;

	if (!value_is_bytes(v->type) || v->len <= SHORT_TEXT_MAX)
		return *v;
	if (v->type != VALUE_STRING)
	{
		initStringInfo(&json);
		json_put_value(&json, v);
		text = (Bytes) {json.data, json.len};
	}
	room = palloc0(sizeof(ShortText));
	return value_string(short_text(text, room));
}

/* short_text(text) */
PG_FUNCTION_INFO_V1(short_text_sql);
Datum
short_text_sql(PG_FUNCTION_ARGS)
{
	text	   *whole = PG_GETARG_TEXT_PP(0);
	ShortText	room = {.len = 0};
	Bytes		text;

	if (VARSIZE_ANY_EXHDR(whole) <= SHORT_TEXT_MAX)
		PG_RETURN_TEXT_P(whole);
	text = short_text((Bytes) {VARDATA_ANY(whole), VARSIZE_ANY_EXHDR(whole)}, &room);
	PG_RETURN_TEXT_P(cstring_to_text_with_len(text.data, text.len));
}

/* trace_dims(trajectory, names text[], keys text[]) */
PG_FUNCTION_INFO_V1(trajectory_trace_dims);
Datum
trajectory_trace_dims(PG_FUNCTION_ARGS)
{
	Trajectory *t;
	int			n;
	int			n_keys;
	Bytes	   *names = texts_arg(fcinfo, 1, &n);
	Bytes	   *keys = texts_arg(fcinfo, 2, &n_keys);
	Value	   *room;
	Key		   *found_keys;
	AttrList	found = {0};

	require_pairs(n, n_keys);
	if (n == 0)
		PG_RETURN_NULL();
	t = trajectory_arg(fcinfo, 0, PARTS_ALL);
	room = palloc_extended(Max(t->max_attributes, 1) * sizeof(Value), MCXT_ALLOC_HUGE);
	found_keys = palloc(n * sizeof(Key));
	found.keys = palloc(n * sizeof(uint32));
	found.values = palloc(n * sizeof(Value));
	for (int i = 0; i < n; i++)
	{
		const Value *v = find_attribute(t, keys[i], room);
		bool		is_again = false;

		/* the first key of a name that has a value wins */
		for (uint32 k = 0; k < found.n; k++)
			is_again |= bytes_equal(found_keys[k].name, names[i]);
		if (v == NULL || is_again)
			continue;
		found_keys[found.n] = (Key) {.name = names[i]};
		found.keys[found.n] = found.n;
		found.values[found.n++] = short_value(v);
	}
	if (found.n == 0)
		PG_RETURN_NULL();
	PG_RETURN_JSONB_P(attributes_jsonb(found_keys, &found));
}

/* map_keys(trajectory, keys text[], columns text[]) */
PG_FUNCTION_INFO_V1(trajectory_map_keys);
Datum
trajectory_map_keys(PG_FUNCTION_ARGS)
{
	Trajectory *t = trajectory_from_datum(PG_GETARG_DATUM(0), true);
	int			n;
	int			n_columns;
	Bytes	   *names = texts_arg(fcinfo, 1, &n);
	Bytes	   *columns = texts_arg(fcinfo, 2, &n_columns);
	SpanSet    *set = spanset_create();
	struct varlena *result;

	require_pairs(n, n_columns);
	trajectory_add_to_set(t, set, 0, t->n);
	for (int i = 0; i < n; i++)
	{
		CanonicalColumn column = canonical_column_find(columns[i]);

		if (column == COLUMN_NONE)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("unknown canonical column \"%.*s\"",
							utf8_clip(columns[i], 60), columns[i].data),
					 errhint("canonical_columns() lists them.")));
		/* a key that this trace does not have stays out of it */
		for (uint32 k = 0; k < t->key_count; k++)
			if (!t->keys[k].is_derived && bytes_equal(t->keys[k].name, names[i]))
				key_map(&set->keys[spanset_key(set, names[i])], column);
	}
	result = trajectory_encode_set(set, false, trajectory_best_codec());
	spanset_free(set);
	PG_RETURN_POINTER(result);
}

/* has_closed_root(trajectory) */
PG_FUNCTION_INFO_V1(trajectory_has_closed_root);
Datum
trajectory_has_closed_root(PG_FUNCTION_ARGS)
{
	TrajectorySummary s;

	trajectory_summary_arg(fcinfo, 0, &s);
	PG_RETURN_BOOL(!(s.flags & (TRAJECTORY_OPEN_ROOT | TRAJECTORY_NO_PROPER_ROOT)));
}
