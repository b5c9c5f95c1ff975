/*
 * spans.c
 *		The spans of a trajectory as rows: spans, span_tree, span_events,
 *		span_links, span_attributes and logical_calls.
 */
#include "postgres.h"

#include "compat.h"
#include "kernel/jsonb_values.h"
#include "kernel/json_reader.h"
#include "kernel/otlp.h"
#include "kernel/span_measure.h"
#include "kernel/span_times.h"
#include "kernel/spans.h"
#include "kernel/trajectory_sql.h"
#include "kernel/trajectory_text.h"
#include "miscadmin.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"

static const char *const usage_scope_names[] = {NULL, "own", "rollup"};

void
row_hex_id(RowWriter *w, uint64 span_id)
{
	char	   *p = row_reserve(w, 1, VARHDRSZ_SHORT + SPAN_ID_DIGITS);

	SET_VARSIZE_1B(p, VARHDRSZ_SHORT + SPAN_ID_DIGITS);
	span_id_hex(span_id, p + VARHDRSZ_SHORT);
	row_value(w);
}

void
row_ms(RowWriter *w, int64 ns)
{
	row_float8(w, ns / 1e6);
}

void
row_column_text(RowWriter *w, const SpanColumns *columns, CanonicalColumn column)
{
	Bytes		text;

	if (column_is_borne(columns, column) && column_text(columns, column, &text))
		row_text(w, text);
	else
		row_null(w);
}

/* A count of tokens; unknown if negative. */
void
row_tokens(RowWriter *w, int64 tokens)
{
	if (tokens >= 0)
		row_int8(w, tokens);
	else
		row_null(w);
}

void
row_own_tokens(RowWriter *w, const SpanColumns *columns, CanonicalColumn column, bool is_own)
{
	int64		tokens;

	if (is_own && column_is_borne(columns, column) && column_int(columns, column, &tokens))
		row_int8(w, tokens);
	else
		row_null(w);
}

/* Usage, self times and attempts of all spans. */
SpanFacts
span_facts(const Trajectory *t)
{
	SpanFacts	facts;
	int64	   *ends = palloc_extended(t->n * sizeof(int64), MCXT_ALLOC_HUGE);
	uint8	   *kinds = palloc_extended(t->n, MCXT_ALLOC_HUGE);

	facts.usage = palloc_extended(t->n * sizeof(SpanUsage), MCXT_ALLOC_HUGE);
	facts.scope = palloc_extended(t->n, MCXT_ALLOC_HUGE);
	facts.self_ns = palloc_extended(t->n * sizeof(int64), MCXT_ALLOC_HUGE);
	for (uint32 i = 0; i < t->n; i++)
	{
		SpanColumns columns = trajectory_columns(t, i);

		kinds[i] = trajectory_class(t, i)->kind;
		facts.usage[i] = columns_usage(&columns);
	}
	usage_scopes(t->n, t->parent, kinds, facts.usage, facts.scope);
	effective_ends(t->n, t->parent, t->start_ns, t->end_ns, ends);
	self_times(t->n, t->parent, t->start_ns, t->end_ns, ends, facts.self_ns);
	facts.calls = logical_calls(t);
	facts.runs = palloc_extended(t->class_count * sizeof(ClassRuns *),
								 MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	for (uint32 i = 0; i < t->class_count; i++)
		if (t->classes[i].span_count > 1)
			facts.runs[i] = palloc0(sizeof(ClassRuns));
	pfree(ends);
	pfree(kinds);
	return facts;
}

void
row_error_type(RowWriter *w, const Trajectory *t, uint32 ordinal)
{
	char		room[SPAN_TEXT_ROOM];
	Bytes		type;

	if (trajectory_class(t, ordinal)->is_error && span_error_type(t, ordinal, room, &type))
		row_text(w, type);
	else
		row_null(w);
}

void
row_provider(RowWriter *w, const SpanColumns *columns)
{
	char		buf[64];
	Bytes		provider;

	if (column_text(columns, COLUMN_PROVIDER, &provider))
		row_text(w, provider_normalise(provider, buf, sizeof(buf)));
	else
		row_null(w);
}

void
row_model(RowWriter *w, const SpanColumns *columns)
{
	Bytes		model;

	if (span_model(columns, &model))
		row_text(w, model);
	else
		row_null(w);
}

/* What the span is, the columns name to span_kind. */
static void
row_what(RowWriter *w, const Trajectory *t, const SpanClass *class, const SpanColumns *columns,
		 ClassRuns *runs)
{
	int			column = w->column;
	size_t		len = w->len;

	if (runs && runs->knows_what)
	{
		row_run_repeat(w, &runs->what);
		return;
	}
	row_text(w, class->name);
	row_cstring(w, operation_kind_name(class->kind));
	row_column_text(w, columns, COLUMN_OPERATION);
	row_cstring(w, span_kind_names[class->span_kind]);
	if (runs && class_tells(t, class, COLUMN_OPERATION))
		runs->knows_what = row_run_keep(w, column, len, &runs->what);
}

/* Whom it called, the columns provider to tool_name. */
static void
row_who(RowWriter *w, const Trajectory *t, const SpanClass *class, const SpanColumns *columns,
		ClassRuns *runs)
{
	int			column = w->column;
	size_t		len = w->len;
	Bytes		tool;

	if (runs && runs->knows_who)
	{
		row_run_repeat(w, &runs->who);
		return;
	}
	row_provider(w, columns);
	row_model(w, columns);
	if (span_tool(class, columns, &tool))
		row_text(w, tool);
	else
		row_null(w);
	if (runs && class_tells_text(t, class, TEXT_PROVIDER) &&
		class_tells_text(t, class, TEXT_MODEL) && class_tells_text(t, class, TEXT_TOOL_NAME))
		runs->knows_who = row_run_keep(w, column, len, &runs->who);
}

static void
row_cost(RowWriter *w, const SpanColumns *columns)
{
	StringInfoData buf;
	double		cost;
	Datum		numeric;

	if (!column_is_borne(columns, COLUMN_COST_USD) ||
		!column_double(columns, COLUMN_COST_USD, &cost))
	{
		row_null(w);
		return;
	}
	/* by way of the shortest text: float8_numeric rounds to 15 digits */
	initStringInfo(&buf);
	json_put_double(&buf, cost);
	numeric = DirectFunctionCall3(numeric_in, CStringGetDatum(buf.data),
								  ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1));
	row_varlena(w, (struct varlena *) DatumGetPointer(numeric));
	pfree(buf.data);
}

static void
row_usage(RowWriter *w, const SpanColumns *columns, const SpanFacts *facts, uint32 ordinal)
{
	const SpanUsage *usage = &facts->usage[ordinal];
	uint8		scope = facts->scope[ordinal];
	bool		is_own = scope == USAGE_OWN;

	if (scope == USAGE_NONE)
	{
		row_nulls(w, 8);
		row_cost(w, columns);
		return;
	}
	row_cstring(w, usage_scope_names[scope]);
	row_tokens(w, is_own ? usage->input_tokens : TOKENS_UNKNOWN);
	row_tokens(w, is_own ? usage->output_tokens : TOKENS_UNKNOWN);
	row_own_tokens(w, columns, COLUMN_REASONING_TOKENS, is_own);
	row_own_tokens(w, columns, COLUMN_CACHE_READ_TOKENS, is_own);
	row_own_tokens(w, columns, COLUMN_CACHE_WRITE_TOKENS, is_own);
	row_tokens(w, usage->input_tokens);
	row_tokens(w, usage->output_tokens);
	row_cost(w, columns);
}

void
row_text_or_null(RowWriter *w, Bytes s)
{
	if (s.len > 0)
		row_text(w, s);
	else
		row_null(w);
}

void
row_parent_id(RowWriter *w, const Trajectory *t, uint32 i)
{
	uint64		parent_id = trajectory_parent_id(t, i);

	if (parent_id != 0)
		row_hex_id(w, parent_id);
	else
		row_null(w);
}

static void
row_structure(RowWriter *w, const Trajectory *t, uint32 i)
{
	row_uuid(w, t->summary.trace_id);
	row_hex_id(w, trajectory_span_id(t, i));
	row_parent_id(w, t, i);
	row_int4(w, i + 1);
	if (t->parent[i] >= 0)
		row_int4(w, t->parent[i] + 1);
	else
		row_null(w);
	row_int4(w, t->depth[i] + 1);
	row_int8(w, t->subtree[i]);
}

/* Start of the trace, start and end of the span, and its duration. */
void
row_span_times(RowWriter *w, const Trajectory *t, uint32 i)
{
	row_timestamptz(w, timestamptz_from_ns(t->summary.start_ns));
	row_timestamptz(w, timestamptz_from_ns(t->start_ns[i]));
	if (t->end_ns[i] != TIME_OPEN)
	{
		row_timestamptz(w, timestamptz_from_ns(t->end_ns[i]));
		row_ms(w, t->end_ns[i] - t->start_ns[i]);
	}
	else
	{
		row_null(w);
		row_null(w);
	}
}

static void
row_times(RowWriter *w, const Trajectory *t, uint32 i, int64 self_ns)
{
	row_timestamptz(w, timestamptz_from_ns(t->summary.start_ns));
	row_timestamptz(w, timestamptz_from_ns(t->start_ns[i]));
	if (t->end_ns[i] != TIME_OPEN)
	{
		row_timestamptz(w, timestamptz_from_ns(t->end_ns[i]));
		row_ms(w, t->start_ns[i] - t->summary.start_ns);
		row_ms(w, t->end_ns[i] - t->start_ns[i]);
		row_ms(w, self_ns);
	}
	else
	{
		row_null(w);
		row_ms(w, t->start_ns[i] - t->summary.start_ns);
		row_null(w);
		row_null(w);
	}
}

/* The columns of spans(), as trajectory.sql declares them, in their order. */
void
row_span(RowWriter *w, const Trajectory *t, const SpanFacts *facts, uint32 i)
{
	const SpanClass *class = trajectory_class(t, i);
	const SpanExtra *extra = trajectory_extra(t, i);
	SpanColumns columns = trajectory_columns(t, i);
	ClassRuns  *runs = facts->runs[t->span_class[i]];
	RootKind	root_kind = trajectory_root_kind(t, i);

	row_structure(w, t, i);
	row_what(w, t, class, &columns, runs);
	row_times(w, t, i, facts->self_ns[i]);
	row_cstring(w, span_status_names[class->status]);
	if (extra && extra->status_message.len > 0)
		row_text(w, extra->status_message);
	else
		row_null(w);
	row_bool(w, class->is_error);
	row_error_type(w, t, i);
	row_bool(w, root_kind == ROOT_ORPHAN || root_kind == ROOT_CUT);
	row_who(w, t, class, &columns, runs);
	if (class->kind == KIND_TOOL)
		row_column_text(w, &columns, COLUMN_TOOL_CALL_ID);
	else
		row_null(w);
	if (facts->calls[i].call != NOT_A_CALL)
		row_int4(w, facts->calls[i].attempt);
	else
		row_null(w);
	row_usage(w, &columns, facts, i);
	row_column_text(w, &columns, COLUMN_PROMPT_HASH);
}

PG_FUNCTION_INFO_V1(trajectory_spans);
Datum
trajectory_spans(PG_FUNCTION_ARGS)
{
	Trajectory *t = trajectory_arg(fcinfo, 0, PARTS_ALL);
	SpanFacts	facts = span_facts(t);
	RowWriter	w;

	row_writer_init(&w, fcinfo);
	for (uint32 i = 0; i < t->n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		row_begin(&w);
		row_span(&w, t, &facts, i);
		row_end(&w);
	}
	return (Datum) 0;
}

/* Where each span stands in the tree: for that, nothing is decompressed. */
PG_FUNCTION_INFO_V1(trajectory_span_tree);
Datum
trajectory_span_tree(PG_FUNCTION_ARGS)
{
	Trajectory *t = trajectory_arg(fcinfo, 0, PARTS_HOT);
	RowWriter	w;

	row_writer_init(&w, fcinfo);
	for (uint32 i = 0; i < t->n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		row_begin(&w);
		row_int4(&w, i + 1);
		if (t->parent[i] >= 0)
			row_int4(&w, t->parent[i] + 1);
		else
			row_null(&w);
		row_int4(&w, t->depth[i] + 1);
		row_int8(&w, t->subtree[i]);
		row_end(&w);
	}
	return (Datum) 0;
}

PG_FUNCTION_INFO_V1(trajectory_logical_calls);
Datum
trajectory_logical_calls(PG_FUNCTION_ARGS)
{
	Trajectory *t = trajectory_arg(fcinfo, 0, PARTS_ALL);
	LogicalCall *calls = logical_calls(t);
	RowWriter	w;

	row_writer_init(&w, fcinfo);
	for (uint32 i = 0; i < t->n; i++)
	{
		if (calls[i].call == NOT_A_CALL)
			continue;
		CHECK_FOR_INTERRUPTS();
		row_begin(&w);
		row_int4(&w, calls[i].call + 1);
		row_int4(&w, i + 1);
		row_int4(&w, calls[i].attempt);
		row_cstring(&w, attempt_source_names[calls[i].source]);
		row_bool(&w, calls[i].is_hedge);
		row_end(&w);
	}
	return (Datum) 0;
}

PG_FUNCTION_INFO_V1(trajectory_span_attributes);
Datum
trajectory_span_attributes(PG_FUNCTION_ARGS)
{
	Trajectory *t = trajectory_arg(fcinfo, 0, PARTS_ALL);
	uint32		i = ordinal_arg(fcinfo, 1, t);
	Value	   *room = palloc_extended(Max(t->max_attributes, 1) * sizeof(Value), MCXT_ALLOC_HUGE);
	AttrList	list = trajectory_attributes(t, i, room);

	PG_RETURN_JSONB_P(attributes_jsonb(t->keys, &list));
}

static void
add_member(JsonbParseState **state, const char *name, JsonbValue *v)
{
	JsonbValue	key = {.type = jbvString};

	key.val.string.val = unconstify(char *, name);
	key.val.string.len = strlen(name);
	pushJsonbValue(state, WJB_KEY, &key);
	pushJsonbValue(state, WJB_VALUE, v);
}

static void
add_text(JsonbParseState **state, const char *name, Bytes s)
{
	JsonbValue	v = {.type = jbvString};

	v.val.string.val = unconstify(char *, s.data);
	v.val.string.len = s.len;
	add_member(state, name, &v);
}

static void
add_number(JsonbParseState **state, const char *name, int64 number)
{
	JsonbValue	v = {.type = jbvNumeric};

	v.val.numeric = int64_to_numeric(number);
	add_member(state, name, &v);
}

static void
add_attributes(JsonbParseState **state, const Trajectory *t, const AttrList *list)
{
	JsonbValue	v = {.type = jbvBinary};
	Jsonb	   *jsonb = attributes_jsonb(t->keys, list);

	v.val.binary.data = &jsonb->root;
	v.val.binary.len = VARSIZE(jsonb) - VARHDRSZ;
	add_member(state, "attributes", &v);
}

/*
 * Events as an array of {"time_ns", "name", "attributes"}, and of
 * "dropped_attributes_count" where there were more.
 */
PG_FUNCTION_INFO_V1(trajectory_span_events);
Datum
trajectory_span_events(PG_FUNCTION_ARGS)
{
	Trajectory *t = trajectory_arg(fcinfo, 0, PARTS_ALL);
	uint32		ordinal = ordinal_arg(fcinfo, 1, t);
	const SpanExtra *extra = trajectory_extra(t, ordinal);
	JsonbParseState *state = NULL;

	pushJsonbValue(&state, WJB_BEGIN_ARRAY, NULL);
	for (uint32 i = 0; extra && i < extra->event_count; i++)
	{
		const Event *event = &extra->events[i];

		CHECK_FOR_INTERRUPTS();
		pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
		add_number(&state, "time_ns", event->time_ns);
		add_text(&state, "name", event->name);
		add_attributes(&state, t, &event->attributes);
		if (event->dropped_attributes_count > 0)
			add_number(&state, "dropped_attributes_count", event->dropped_attributes_count);
		pushJsonbValue(&state, WJB_END_OBJECT, NULL);
	}
	PG_RETURN_JSONB_P(JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_ARRAY, NULL)));
}

/*
 * Links as an array of {"trace_id", "span_id", "attributes"}, and of
 * "trace_state", "flags" and "dropped_attributes_count" where there are any.
 */
PG_FUNCTION_INFO_V1(trajectory_span_links);
Datum
trajectory_span_links(PG_FUNCTION_ARGS)
{
	Trajectory *t = trajectory_arg(fcinfo, 0, PARTS_ALL);
	uint32		ordinal = ordinal_arg(fcinfo, 1, t);
	const SpanExtra *extra = trajectory_extra(t, ordinal);
	JsonbParseState *state = NULL;

	pushJsonbValue(&state, WJB_BEGIN_ARRAY, NULL);
	for (uint32 i = 0; extra && i < extra->link_count; i++)
	{
		const Link *link = &extra->links[i];
		StringInfoData ids;

		CHECK_FOR_INTERRUPTS();
		initStringInfo(&ids);
		hex_put(&ids, link->trace_id, 16);
		span_id_put_hex(&ids, link->span_id);
		pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
		add_text(&state, "trace_id", (Bytes) {ids.data, 32});
		add_text(&state, "span_id", (Bytes) {ids.data + 32, 16});
		add_attributes(&state, t, &link->attributes);
		if (link->trace_state.len > 0)
			add_text(&state, "trace_state", link->trace_state);
		if (link->flags != 0)
			add_number(&state, "flags", link->flags);
		if (link->dropped_attributes_count > 0)
			add_number(&state, "dropped_attributes_count", link->dropped_attributes_count);
		pushJsonbValue(&state, WJB_END_OBJECT, NULL);
	}
	PG_RETURN_JSONB_P(JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_ARRAY, NULL)));
}
