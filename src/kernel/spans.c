/*
 * spans.c
 *		The spans of a trajectory as rows: spans, span_events, span_links,
 *		span_attributes and logical_calls.
 */
#include "postgres.h"

#include "compat.h"
#include "kernel/billing.h"
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

/*
 * Columns of spans(), and of span_rows(), which has more behind them, that are
 * told by values: operation, status_message, and from provider on.
 */
#define VALUE_COLUMNS (UINT64_C(1) << 9 | UINT64_C(1) << 18 | ~UINT64_C(0) << 22)

static const char *const usage_scope_names[] = {NULL, "own", "rollup"};

void
row_hex_id(RowWriter *w, uint64 span_id)
{
	char	   *p;

	if (row_skip(w))
		return;
	p = row_reserve(w, 1, VARHDRSZ_SHORT + SPAN_ID_DIGITS);
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

	if (row_skip(w))
		return;
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

/* US dollars, kept in 1e-12; null if unknown. */
void
row_usd(RowWriter *w, int64 pico)
{
	Datum		numeric;

	if (row_skip(w))
		return;
	if (pico == COST_UNKNOWN)
	{
		row_null(w);
		return;
	}
	numeric = pico_usd_numeric(pico);
	row_varlena(w, (struct varlena *) DatumGetPointer(numeric));
	pfree(DatumGetPointer(numeric));
}

void
row_own_tokens(RowWriter *w, const SpanColumns *columns, CanonicalColumn column, bool is_own)
{
	int64		tokens;

	if (row_skip(w))
		return;
	if (is_own && column_is_borne(columns, column) && column_int(columns, column, &tokens))
		row_int8(w, tokens);
	else
		row_null(w);
}

/* What rows are made of, of the trajectory that is the first argument. */
SpanFacts
span_facts(FunctionCallInfo fcinfo, TrajectoryParts parts)
{
	return (SpanFacts) {.t = trajectory_arg(fcinfo, 0, parts),.fcinfo = fcinfo};
}

/* Decode as much of the trajectory, if that has not been done. */
void
span_facts_decode(SpanFacts *facts, TrajectoryParts parts)
{
	if (parts == PARTS_ALL ? !facts->t->has_cold : !facts->t->has_tables)
		trajectory_arg_decode(facts->fcinfo, parts);
}

const LogicalCall *
span_facts_calls(SpanFacts *facts)
{
	if (facts->calls == NULL)
		facts->calls = logical_calls(facts->t);
	return facts->calls;
}

const int64 *
span_facts_self_ns(SpanFacts *facts)
{
	const Trajectory *t = facts->t;
	int64	   *ends;

	if (facts->self_ns)
		return facts->self_ns;
	facts->self_ns = palloc_extended(t->n * sizeof(int64), MCXT_ALLOC_HUGE);
	ends = palloc_extended(t->n * sizeof(int64), MCXT_ALLOC_HUGE);
	effective_ends(t->n, t->parent, t->start_ns, t->end_ns, ends);
	self_times(t->n, t->parent, t->start_ns, t->end_ns, ends, facts->self_ns);
	pfree(ends);
	return facts->self_ns;
}

static void
find_usage(SpanFacts *facts)
{
	const Trajectory *t = facts->t;
	uint8	   *kinds = palloc_extended(t->n, MCXT_ALLOC_HUGE);

	facts->usage = palloc_extended(t->n * sizeof(SpanUsage), MCXT_ALLOC_HUGE);
	facts->scope = palloc_extended(t->n, MCXT_ALLOC_HUGE);
	for (uint32 i = 0; i < t->n; i++)
	{
		SpanColumns columns = trajectory_columns(t, i);

		kinds[i] = trajectory_class(t, i)->kind;
		facts->usage[i] = columns_usage(&columns);
	}
	usage_scopes(t->n, t->parent, kinds, facts->usage, facts->scope);
	pfree(kinds);
}

const SpanUsage *
span_facts_usage(SpanFacts *facts)
{
	if (facts->usage == NULL)
		find_usage(facts);
	return facts->usage;
}

const uint8 *
span_facts_scope(SpanFacts *facts)
{
	if (facts->scope == NULL)
		find_usage(facts);
	return facts->scope;
}

void
row_error_type(RowWriter *w, const Trajectory *t, uint32 ordinal)
{
	char		room[SPAN_TEXT_ROOM];
	Bytes		type;

	if (row_skip(w))
		return;
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

	if (row_skip(w))
		return;
	if (column_text(columns, COLUMN_PROVIDER, &provider))
		row_text(w, provider_normalise(provider, buf, sizeof(buf)));
	else
		row_null(w);
}

void
row_model(RowWriter *w, const SpanColumns *columns)
{
	Bytes		model;

	if (row_skip(w))
		return;
	if (span_model(columns, &model))
		row_text(w, model);
	else
		row_null(w);
}

/* What rows of a class have in common; NULL for the first: many have no second. */
static ClassRuns *
class_runs(SpanFacts *facts, uint32 i)
{
	static ClassRuns met_once;
	ClassRuns **runs;

	if (facts->runs == NULL)
		facts->runs = palloc_extended(facts->t->class_count * sizeof(ClassRuns *),
									  MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	runs = &facts->runs[facts->t->span_class[i]];
	if (*runs == NULL)
	{
		*runs = &met_once;
		return NULL;
	}
	if (*runs == &met_once)
		*runs = palloc0(sizeof(ClassRuns));
	return *runs;
}

static void
row_class_name(RowWriter *w, SpanFacts *facts, const SpanClass *class)
{
	if (row_skip(w))
		return;
	/* what is needed anyway is cheaper at once */
	span_facts_decode(facts, w->wanted & VALUE_COLUMNS ? PARTS_ALL : PARTS_TABLES);
	row_text(w, class->name);
}

/* Returns whether all spans of the class have the same. */
static bool
row_operation(RowWriter *w, SpanFacts *facts, uint32 i)
{
	SpanColumns columns;

	if (row_skip(w))
		return true;
	span_facts_decode(facts, PARTS_ALL);
	columns = trajectory_columns(facts->t, i);
	row_column_text(w, &columns, COLUMN_OPERATION);
	return class_tells(facts->t, trajectory_class(facts->t, i), COLUMN_OPERATION);
}

/* What the span is, the columns name to span_kind. */
static void
row_what(RowWriter *w, SpanFacts *facts, uint32 i)
{
	const SpanClass *class = trajectory_class(facts->t, i);
	ClassRuns  *runs;
	int			column = w->column;
	size_t		len = w->len;
	bool		is_same;

	if (row_skip_all(w, 4))
		return;
	runs = class_runs(facts, i);
	if (runs && runs->knows_what)
	{
		row_run_repeat(w, &runs->what);
		return;
	}
	row_class_name(w, facts, class);
	row_cstring(w, operation_kind_name(class->kind));
	is_same = row_operation(w, facts, i);
	row_cstring(w, span_kind_names[class->span_kind]);
	if (runs && is_same)
		runs->knows_what = row_run_keep(w, column, len, &runs->what);
}

static void
row_tool(RowWriter *w, const SpanClass *class, const SpanColumns *columns)
{
	Bytes		tool;

	if (row_skip(w))
		return;
	if (span_tool(class, columns, &tool))
		row_text(w, tool);
	else
		row_null(w);
}

/* Whom it called, the columns provider to tool_name. */
static void
row_who(RowWriter *w, SpanFacts *facts, const SpanColumns *columns, uint32 i)
{
	const Trajectory *t = facts->t;
	const SpanClass *class = trajectory_class(t, i);
	ClassRuns  *runs;
	int			column = w->column;
	size_t		len = w->len;

	if (row_skip_all(w, 3))
		return;
	runs = class_runs(facts, i);
	if (runs && runs->knows_who)
	{
		row_run_repeat(w, &runs->who);
		return;
	}
	row_provider(w, columns);
	row_model(w, columns);
	row_tool(w, class, columns);
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

	if (row_skip(w))
		return;
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

/* Tokens and costs, the columns usage_scope to reported_cost_usd. */
static void
row_usage(RowWriter *w, SpanFacts *facts, const SpanColumns *columns, uint32 i)
{
	const SpanUsage *usage;
	uint8		scope;
	bool		is_own;

	if (row_skip_all(w, 9))
		return;
	usage = &span_facts_usage(facts)[i];
	scope = span_facts_scope(facts)[i];
	if (scope == USAGE_NONE)
	{
		row_nulls(w, 8);
		row_cost(w, columns);
		return;
	}
	is_own = scope == USAGE_OWN;
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
	uint64		parent_id;

	if (row_skip(w))
		return;
	parent_id = trajectory_parent_id(t, i);
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
row_self_time(RowWriter *w, SpanFacts *facts, uint32 i)
{
	if (!row_skip(w))
		row_ms(w, span_facts_self_ns(facts)[i]);
}

/* The columns started_at to self_ms. */
static void
row_times(RowWriter *w, SpanFacts *facts, uint32 i)
{
	const Trajectory *t = facts->t;

	if (row_skip_all(w, 6))
		return;
	row_timestamptz(w, timestamptz_from_ns(t->summary.start_ns));
	row_timestamptz(w, timestamptz_from_ns(t->start_ns[i]));
	if (t->end_ns[i] != TIME_OPEN)
	{
		row_timestamptz(w, timestamptz_from_ns(t->end_ns[i]));
		row_ms(w, t->start_ns[i] - t->summary.start_ns);
		row_ms(w, t->end_ns[i] - t->start_ns[i]);
		row_self_time(w, facts, i);
	}
	else
	{
		row_null(w);
		row_ms(w, t->start_ns[i] - t->summary.start_ns);
		row_null(w);
		row_null(w);
	}
}

static void
row_status_message(RowWriter *w, SpanFacts *facts, uint32 i)
{
	const SpanExtra *extra;

	if (row_skip(w))
		return;
	span_facts_decode(facts, PARTS_ALL);
	extra = trajectory_extra(facts->t, i);
	if (extra && extra->status_message.len > 0)
		row_text(w, extra->status_message);
	else
		row_null(w);
}

static void
row_is_orphan(RowWriter *w, const Trajectory *t, uint32 i)
{
	RootKind	root_kind;

	if (row_skip(w))
		return;
	root_kind = trajectory_root_kind(t, i);
	row_bool(w, root_kind == ROOT_ORPHAN || root_kind == ROOT_CUT);
}

/* How it ended, the columns status to is_orphan. */
static void
row_end_state(RowWriter *w, SpanFacts *facts, uint32 i)
{
	const SpanClass *class = trajectory_class(facts->t, i);

	row_cstring(w, span_status_names[class->status]);
	row_status_message(w, facts, i);
	row_bool(w, class->is_error);
	if (class->is_error && row_wants(w))
		span_facts_decode(facts, PARTS_ALL);
	row_error_type(w, facts->t, i);
	row_is_orphan(w, facts->t, i);
}

static void
row_attempt_number(RowWriter *w, SpanFacts *facts, uint32 i)
{
	const LogicalCall *call;

	if (row_skip(w))
		return;
	call = &span_facts_calls(facts)[i];
	if (call->call != NOT_A_CALL)
		row_int4(w, call->attempt);
	else
		row_null(w);
}

/* What its attributes tell, the columns provider to prompt_hash. */
static void
row_attributes(RowWriter *w, SpanFacts *facts, uint32 i)
{
	SpanColumns columns;

	if (row_skip_all(w, 15))
		return;
	span_facts_decode(facts, PARTS_ALL);
	columns = trajectory_columns(facts->t, i);
	row_who(w, facts, &columns, i);
	if (trajectory_class(facts->t, i)->kind == KIND_TOOL)
		row_column_text(w, &columns, COLUMN_TOOL_CALL_ID);
	else
		row_null(w);
	row_attempt_number(w, facts, i);
	row_usage(w, facts, &columns, i);
	row_column_text(w, &columns, COLUMN_PROMPT_HASH);
}

/* The columns of spans(), as trajectory.sql declares them, in their order. */
void
row_span(RowWriter *w, SpanFacts *facts, uint32 i)
{
	row_structure(w, facts->t, i);
	row_what(w, facts, i);
	row_times(w, facts, i);
	row_end_state(w, facts, i);
	row_attributes(w, facts, i);
}

/* spans(trajectory, wanted) */
PG_FUNCTION_INFO_V1(trajectory_spans);
Datum
trajectory_spans(PG_FUNCTION_ARGS)
{
	SpanFacts	facts = span_facts(fcinfo, PARTS_HOT);
	RowWriter	w;

	row_writer_init_wanted(&w, fcinfo);
	for (uint32 i = 0; i < facts.t->n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		row_begin(&w);
		row_span(&w, &facts, i);
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
