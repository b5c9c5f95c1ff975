/*
 * span_rows.c
 *		Traces, spans, model calls, tool calls and runs of agents as the views
 *		show them: with costs by the store's prices, and what they have from the
 *		spans around them.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "kernel/otlp.h"
#include "kernel/span_common.h"
#include "kernel/span_measure.h"
#include "kernel/spans.h"
#include "kernel/trace_summary.h"
#include "kernel/trajectory_sql.h"
#include "kernel/trajectory_text.h"
#include "miscadmin.h"
#include "store/price.h"

/* What one span costs, and how that is known. */
typedef struct SpanCost
{
	int64		pico;			/* or COST_UNKNOWN */
	const char *source;			/* NULL if it is not billed */
} SpanCost;

static SpanCost *
span_costs(FunctionCallInfo fcinfo, const Trajectory *t, const SpanBill *bills)
{
	PriceList **prices = (PriceList **) trajectory_arg_companion(fcinfo);
	TimestampTz at = timestamptz_from_ns(t->summary.start_ns);
	SpanCost   *costs = palloc_extended(t->n * sizeof(SpanCost), MCXT_ALLOC_HUGE);

	if (*prices == NULL)
		*prices = price_list_create(fcinfo->flinfo->fn_mcxt);
	for (uint32 i = 0; i < t->n; i++)
	{
		SpanColumns columns = trajectory_columns(t, i);
		char		room[SPAN_TEXT_ROOM];
		Bytes		provider = {"", 0};
		Bytes		model = {"", 0};
		BillableTokens tokens;

		costs[i] = (SpanCost) {COST_UNKNOWN, NULL};
		if (!bills[i].is_billed)
			continue;
		if (bills[i].reported_pico >= 0)
		{
			costs[i] = (SpanCost) {bills[i].reported_pico, "reported"};
			continue;
		}
		span_text(t, i, TEXT_PROVIDER, room, &provider);
		span_model(&columns, &model);
		tokens = span_billable_tokens(&columns);
		costs[i].pico = price_list_cost(*prices, provider, model, at, &tokens);
		costs[i].source = costs[i].pico == COST_UNKNOWN ? "missing" : "priced";
	}
	return costs;
}

/* What a run did itself, and with those it called. */
typedef struct AgentRun
{
	int64		model_call_count;
	int64		tool_call_count;
	int64		subagent_count;
	int64		error_count;
	int64		input_tokens;
	int64		output_tokens;
	int64		cost_pico;
	int64		total_input_tokens;
	int64		total_output_tokens;
	int64		total_cost_pico;
	int32		depth;			/* of agents: 1 for one that no agent called */
} AgentRun;

/*
 * What rows of the views take from a trajectory as a whole, found when it is
 * first asked for.
 */
typedef struct StoreFacts
{
	SpanFacts	spans;
	SpanCommon	common;
	SpanBill   *bills;
	SpanCost   *costs;
	int32	   *agents;			/* of each span the nearest agent's, or -1 */
	AgentRun   *runs;
} StoreFacts;

static const SpanBill *
facts_bills(StoreFacts *facts)
{
	if (facts->bills == NULL)
	{
		span_facts_decode(&facts->spans, PARTS_ALL);
		facts->bills = span_bills(facts->spans.t);
	}
	return facts->bills;
}

static const SpanCost *
facts_costs(StoreFacts *facts)
{
	if (facts->costs == NULL)
	{
		const SpanBill *bills = facts_bills(facts);

		facts->costs = span_costs(facts->spans.fcinfo, facts->spans.t, bills);
	}
	return facts->costs;
}

static SpanCommon *
facts_common(StoreFacts *facts)
{
	if (facts->common.t == NULL)
	{
		span_facts_decode(&facts->spans, PARTS_ALL);
		facts->common = span_common(facts->spans.t);
	}
	return &facts->common;
}

static void
row_word(RowWriter *w, const char *word)
{
	if (word)
		row_cstring(w, word);
	else
		row_null(w);
}

static void
row_cost_and_source(RowWriter *w, StoreFacts *facts, uint32 i)
{
	const SpanCost *cost;

	if (row_skip_all(w, 2))
		return;
	cost = &facts_costs(facts)[i];
	row_usd(w, cost->pico);
	row_word(w, cost->source);
}

/* What the span has from those around it, the last columns. */
static void
row_common(RowWriter *w, StoreFacts *facts, uint32 ordinal)
{
	SpanCommon *common;

	if (row_skip_all(w, COMMON_TEXTS))
		return;
	common = facts_common(facts);
	for (int k = 0; k < COMMON_TEXTS; k++)
	{
		Bytes		value;

		if (row_skip(w))
			continue;
		if (span_common_text(common, ordinal, k, &value))
			row_text(w, value);
		else
			row_null(w);
	}
}

static void
row_column_int(RowWriter *w, const SpanColumns *columns, CanonicalColumn column)
{
	row_own_tokens(w, columns, column, true);
}

/* The columns with which rows of calls and agents begin. */
static void
row_identity(RowWriter *w, const Trajectory *t, uint32 i)
{
	row_uuid(w, t->summary.trace_id);
	row_hex_id(w, trajectory_span_id(t, i));
	row_parent_id(w, t, i);
	row_int4(w, i + 1);
	row_span_times(w, t, i);
}

/* The columns with which they end, before the common ones. */
static void
row_outcome(RowWriter *w, const Trajectory *t, uint32 i)
{
	const SpanClass *class = trajectory_class(t, i);

	row_cstring(w, span_status_names[class->status]);
	row_bool(w, class->is_error);
	row_error_type(w, t, i);
}

static void
row_attempt(RowWriter *w, StoreFacts *facts, uint32 i)
{
	const LogicalCall *call;

	if (row_skip_all(w, 2))
		return;
	call = &span_facts_calls(&facts->spans)[i];
	if (call->call == NOT_A_CALL)
	{
		row_nulls(w, 2);
		return;
	}
	row_int4(w, call->attempt);
	row_cstring(w, attempt_source_names[call->source]);
}

/* ----------------------------------------------------------------- traces --- */

/* Cost, its source, and how many calls have none: what spans cost, summed up. */
static void
row_trace_cost(RowWriter *w, const Trajectory *t, const SpanBill *bills, const SpanCost *costs)
{
	int64		sum = COST_UNKNOWN;
	bool		is_reported = false;
	bool		is_priced = false;
	int64		missing = 0;

	for (uint32 i = 0; i < t->n; i++)
	{
		if (!bills[i].is_billed)
			continue;
		if (costs[i].pico == COST_UNKNOWN)
			missing++;
		else if (bills[i].reported_pico >= 0)
			is_reported = true;
		else
			is_priced = true;
		sum = tokens_add(sum, costs[i].pico);
	}
	row_usd(w, sum);
	row_word(w, is_reported && is_priced ? "mixed" : is_reported ? "reported" :
			 is_priced ? "priced" : missing > 0 ? "missing" : NULL);
	row_int8(w, missing);
}

/* trace_cost(trajectory) */
PG_FUNCTION_INFO_V1(store_trace_cost);
Datum
store_trace_cost(PG_FUNCTION_ARGS)
{
	Trajectory *t = trajectory_arg(fcinfo, 0, PARTS_ALL);
	SpanBill   *bills = span_bills(t);
	SpanCost   *costs = span_costs(fcinfo, t, bills);
	RowWriter	w;

	row_writer_init(&w, fcinfo);
	row_begin(&w);
	row_trace_cost(&w, t, bills, costs);
	row_end(&w);
	return (Datum) 0;
}

/* trace_row(trajectory): both, decoding once */
PG_FUNCTION_INFO_V1(store_trace_row);
Datum
store_trace_row(PG_FUNCTION_ARGS)
{
	Trajectory *t = trajectory_arg(fcinfo, 0, PARTS_ALL);
	SpanBill   *bills = span_bills(t);
	SpanCost   *costs = span_costs(fcinfo, t, bills);
	RowWriter	w;

	row_writer_init(&w, fcinfo);
	row_begin(&w);
	row_trace_summary(&w, t);
	row_trace_cost(&w, t, bills, costs);
	row_end(&w);
	return (Datum) 0;
}

/* ------------------------------------------------------------------ spans --- */

/* span_rows(trajectory, wanted) */
PG_FUNCTION_INFO_V1(store_span_rows);
Datum
store_span_rows(PG_FUNCTION_ARGS)
{
	StoreFacts	facts = {span_facts(fcinfo, PARTS_HOT)};
	RowWriter	w;

	row_writer_init_wanted(&w, fcinfo);
	for (uint32 i = 0; i < facts.spans.t->n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		row_begin(&w);
		row_span(&w, &facts.spans, i);
		row_cost_and_source(&w, &facts, i);
		row_common(&w, &facts, i);
		row_end(&w);
	}
	return (Datum) 0;
}

/* ------------------------------------------------------------ model calls --- */

/* Time to the first token, how that is known, and time for each one after. */
static void
row_ttft(RowWriter *w, StoreFacts *facts, uint32 i, const SpanColumns *columns)
{
	const Trajectory *t = facts->spans.t;
	double		ttft_ms;
	uint32		alias;
	int64		output_tokens;

	if (row_skip_all(w, 3))
		return;
	if (!column_is_borne(columns, COLUMN_TTFT_MS) ||
		!column_double(columns, COLUMN_TTFT_MS, &ttft_ms))
	{
		row_nulls(w, 3);
		return;
	}
	alias = shape_first_alias(columns->shape, COLUMN_TTFT_MS);
	row_float8(w, ttft_ms);
	row_cstring(w, columns->keys[columns->shape->keys[shape_alias_place(columns->shape, alias)]].is_derived ?
				"derived" : "attribute");
	if (row_skip(w))
		return;
	output_tokens = span_facts_usage(&facts->spans)[i].output_tokens;
	if (t->end_ns[i] != TIME_OPEN && output_tokens > 1 &&
		(t->end_ns[i] - t->start_ns[i]) / 1e6 >= ttft_ms)
		row_float8(w, ((t->end_ns[i] - t->start_ns[i]) / 1e6 - ttft_ms) / (output_tokens - 1));
	else
		row_null(w);
}

/* Some write a list as JSON: ["tool-calls"].  Its first word, else the text. */
static Bytes
first_listed(Bytes text)
{
	const char *end;

	if (text.len < 2 || memcmp(text.data, "[\"", 2) != 0)
		return text;
	end = memchr(text.data + 2, '"', text.len - 2);
	return end && end > text.data + 2 ? (Bytes) {text.data + 2, end - text.data - 2} : text;
}

/* One word for what providers call differently; others in small letters. */
static void
row_finish_reason(RowWriter *w, const SpanColumns *columns)
{
	static const struct
	{
		const char *raw;
		const char *word;
	}			words[] = {
		{"stop", "stop"}, {"end_turn", "stop"}, {"stop_sequence", "stop"}, {"eos", "stop"},
		{"complete", "stop"}, {"length", "length"}, {"max_tokens", "length"},
		{"max_output_tokens", "length"}, {"tool_calls", "tool_call"}, {"tool-calls", "tool_call"},
		{"tool_use", "tool_call"}, {"tool_call", "tool_call"}, {"function_call", "tool_call"},
		{"content_filter", "content_filter"}, {"content-filter", "content_filter"},
		{"safety", "content_filter"}, {"refusal", "content_filter"}
	};
	Bytes		raw;
	Bytes		reason;
	char		buf[64];
	uint32		len;

	if (row_skip_all(w, 2))
		return;
	if (!column_is_borne(columns, COLUMN_FINISH_REASON) ||
		!column_text(columns, COLUMN_FINISH_REASON, &raw))
	{
		row_nulls(w, 2);
		return;
	}
	reason = first_listed(raw);
	len = Min(reason.len, sizeof(buf) - 1);
	for (uint32 i = 0; i < len; i++)
		buf[i] = pg_ascii_tolower((unsigned char) reason.data[i]);
	buf[len] = '\0';
	for (size_t k = 0; k < lengthof(words); k++)
		if (strcmp(buf, words[k].raw) == 0)
		{
			row_cstring(w, words[k].word);
			row_text(w, raw);
			return;
		}
	row_text(w, reason.len == len ? (Bytes) {buf, len} : reason);
	row_text(w, raw);
}

static void
row_streaming(RowWriter *w, const SpanColumns *columns)
{
	const Value *v = column_is_borne(columns, COLUMN_IS_STREAMING) ?
		column_value(columns, COLUMN_IS_STREAMING) : NULL;

	if (v && v->type == VALUE_BOOL)
		row_bool(w, v->boolean);
	else if (v && v->type == VALUE_STRING && pg_strncasecmp(v->bytes, "true", v->len) == 0 && v->len == 4)
		row_bool(w, true);
	else if (v && v->type == VALUE_STRING && pg_strncasecmp(v->bytes, "false", v->len) == 0 && v->len == 5)
		row_bool(w, false);
	else
		row_null(w);
}

/* The columns input_tokens to cache_write_tokens. */
static void
row_own_usage(RowWriter *w, StoreFacts *facts, const SpanColumns *columns, uint32 i)
{
	const SpanUsage *usage;
	bool		is_own;

	if (row_skip_all(w, 5))
		return;
	usage = &span_facts_usage(&facts->spans)[i];
	is_own = span_facts_scope(&facts->spans)[i] == USAGE_OWN;
	row_tokens(w, is_own ? usage->input_tokens : TOKENS_UNKNOWN);
	row_tokens(w, is_own ? usage->output_tokens : TOKENS_UNKNOWN);
	row_own_tokens(w, columns, COLUMN_REASONING_TOKENS, is_own);
	row_own_tokens(w, columns, COLUMN_CACHE_READ_TOKENS, is_own);
	row_own_tokens(w, columns, COLUMN_CACHE_WRITE_TOKENS, is_own);
}

static void
row_model_call(RowWriter *w, StoreFacts *facts, uint32 i)
{
	static const CanonicalColumn texts[] = {
		COLUMN_MODEL_REQUESTED, COLUMN_MODEL_RESPONDED, COLUMN_MODEL_FINGERPRINT,
		COLUMN_SERVICE_TIER, COLUMN_RESPONSE_ID, COLUMN_REASONING_LEVEL
	};
	const Trajectory *t = facts->spans.t;
	SpanColumns columns = trajectory_columns(t, i);

	row_identity(w, t, i);
	row_cstring(w, operation_kind_name(trajectory_class(t, i)->kind));
	row_column_text(w, &columns, COLUMN_OPERATION);
	row_provider(w, &columns);
	row_model(w, &columns);
	for (size_t k = 0; k < lengthof(texts); k++)
		row_column_text(w, &columns, texts[k]);
	row_column_int(w, &columns, COLUMN_MAX_OUTPUT_TOKENS);
	row_streaming(w, &columns);
	row_own_usage(w, facts, &columns, i);
	row_cost_and_source(w, facts, i);
	row_ttft(w, facts, i, &columns);
	row_finish_reason(w, &columns);
	row_attempt(w, facts, i);
	row_outcome(w, t, i);
}

/* model_call_rows(trajectory, wanted) */
PG_FUNCTION_INFO_V1(store_model_call_rows);
Datum
store_model_call_rows(PG_FUNCTION_ARGS)
{
	StoreFacts	facts = {span_facts(fcinfo, PARTS_ALL)};
	const Trajectory *t = facts.spans.t;
	const SpanBill *bills = facts_bills(&facts);
	RowWriter	w;

	row_writer_init_wanted(&w, fcinfo);
	for (uint32 i = 0; i < t->n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (!is_model_call(trajectory_class(t, i)->kind) || bills[i].is_wrapper)
			continue;
		row_begin(&w);
		row_model_call(&w, &facts, i);
		row_common(&w, &facts, i);
		row_end(&w);
	}
	return (Datum) 0;
}

/* ------------------------------------------------------------- tool calls --- */

/* Conventions that know no arguments have inputs. */
static const Value *
body_value(const SpanColumns *columns, CanonicalColumn column, CanonicalColumn other)
{
	const Value *v = column_is_borne(columns, column) ? column_value(columns, column) : NULL;

	if (v == NULL && column_is_borne(columns, other))
		v = column_value(columns, other);
	return v;
}

/*
 * Hash and size in bytes of a body: of one kept elsewhere the keyed hash, of
 * one that is here a plain one.
 */
static void
row_body(RowWriter *w, const SpanColumns *columns, CanonicalColumn column, CanonicalColumn other)
{
	const Value *v;
	StringInfoData text;
	StringInfoData hex;
	uint64		hash;
	uint8		bytes[8];

	if (row_skip_all(w, 2))
		return;
	v = body_value(columns, column, other);
	if (v == NULL)
	{
		row_nulls(w, 2);
		return;
	}
	initStringInfo(&hex);
	if (v->type == VALUE_REF)
	{
		hex_put(&hex, (const uint8 *) v->bytes, VALUE_REF_HASH_LEN);
		row_text(w, (Bytes) {hex.data, hex.len});
		row_int8(w, v->len);
		pfree(hex.data);
		return;
	}
	initStringInfo(&text);
	if (v->type == VALUE_STRING)
		appendBinaryStringInfo(&text, v->bytes, v->len);
	else
		value_write_text(&text, v);
	hash = hash_bytes_extended((const unsigned char *) text.data, text.len, 0);
	for (int k = 0; k < 8; k++)
		bytes[k] = hash >> (56 - 8 * k);
	hex_put(&hex, bytes, sizeof(bytes));
	row_text(w, (Bytes) {hex.data, hex.len});
	row_int8(w, text.len);
	pfree(text.data);
	pfree(hex.data);
}

/* tool_call_rows(trajectory, wanted) */
PG_FUNCTION_INFO_V1(store_tool_call_rows);
Datum
store_tool_call_rows(PG_FUNCTION_ARGS)
{
	StoreFacts	facts = {span_facts(fcinfo, PARTS_ALL)};
	const Trajectory *t = facts.spans.t;
	RowWriter	w;

	row_writer_init_wanted(&w, fcinfo);
	for (uint32 i = 0; i < t->n; i++)
	{
		SpanColumns columns = trajectory_columns(t, i);
		Bytes		tool;

		CHECK_FOR_INTERRUPTS();
		if (!span_tool(trajectory_class(t, i), &columns, &tool))
			continue;
		row_begin(&w);
		row_identity(&w, t, i);
		row_text(&w, tool);
		row_column_text(&w, &columns, COLUMN_TOOL_CALL_ID);
		row_column_text(&w, &columns, COLUMN_TOOL_TYPE);
		row_body(&w, &columns, COLUMN_TOOL_ARGUMENTS, COLUMN_INPUT);
		row_body(&w, &columns, COLUMN_TOOL_RESULT, COLUMN_OUTPUT);
		row_attempt(&w, &facts, i);
		row_outcome(&w, t, i);
		row_common(&w, &facts, i);
		row_end(&w);
	}
	return (Datum) 0;
}

/* --------------------------------------------------------- runs of agents --- */

/* Tokens and costs add alike: unknown only if all are. */
static void
add_known(int64 *sum, int64 more)
{
	*sum = tokens_add(*sum, more);
}

static const int32 *
facts_agents(StoreFacts *facts)
{
	if (facts->agents == NULL)
		facts->agents = nearest_agents(facts->spans.t);
	return facts->agents;
}

/* Of each span; only those of agents are filled.  O(n). */
static AgentRun *
agent_runs(StoreFacts *facts)
{
	const Trajectory *t = facts->spans.t;
	const int32 *agent = facts_agents(facts);
	const SpanUsage *usage = span_facts_usage(&facts->spans);
	const uint8 *scope = span_facts_scope(&facts->spans);
	const SpanBill *bills = facts_bills(facts);
	const SpanCost *costs = facts_costs(facts);
	AgentRun   *runs = palloc_extended(t->n * sizeof(AgentRun), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);

	for (uint32 i = 0; i < t->n; i++)
	{
		runs[i].input_tokens = runs[i].output_tokens = TOKENS_UNKNOWN;
		runs[i].cost_pico = COST_UNKNOWN;
	}
	for (uint32 i = 0; i < t->n; i++)
	{
		const SpanClass *class = trajectory_class(t, i);
		int32		above = t->parent[i] >= 0 ? agent[t->parent[i]] : -1;
		AgentRun   *run;

		if (class->kind == KIND_AGENT)
		{
			runs[i].depth = above >= 0 ? runs[above].depth + 1 : 1;
			if (above >= 0)
				runs[above].subagent_count++;
		}
		if (agent[i] < 0)
			continue;
		run = &runs[agent[i]];
		run->error_count += class->is_error;
		run->tool_call_count += class->kind == KIND_TOOL;
		run->model_call_count += is_model_call(class->kind) && !bills[i].is_wrapper;
		if (scope[i] == USAGE_OWN)
		{
			add_known(&run->input_tokens, usage[i].input_tokens);
			add_known(&run->output_tokens, usage[i].output_tokens);
		}
		add_known(&run->cost_pico, costs[i].pico);
	}

	/* those that agents called come after them */
	for (uint32 i = 0; i < t->n; i++)
	{
		runs[i].total_input_tokens = runs[i].input_tokens;
		runs[i].total_output_tokens = runs[i].output_tokens;
		runs[i].total_cost_pico = runs[i].cost_pico;
	}
	for (uint32 i = t->n; i-- > 0;)
	{
		int32		above = t->parent[i] >= 0 ? agent[t->parent[i]] : -1;

		if (trajectory_class(t, i)->kind != KIND_AGENT || above < 0)
			continue;
		add_known(&runs[above].total_input_tokens, runs[i].total_input_tokens);
		add_known(&runs[above].total_output_tokens, runs[i].total_output_tokens);
		add_known(&runs[above].total_cost_pico, runs[i].total_cost_pico);
	}
	return runs;
}

static const AgentRun *
facts_runs(StoreFacts *facts)
{
	if (facts->runs == NULL)
		facts->runs = agent_runs(facts);
	return facts->runs;
}

/* The agent that called it. */
static void
row_parent_agent_name(RowWriter *w, StoreFacts *facts, uint32 i)
{
	const Trajectory *t = facts->spans.t;
	int32		caller;
	SpanColumns columns;
	Bytes		name;

	if (row_skip(w))
		return;
	caller = t->parent[i] >= 0 ? facts_agents(facts)[t->parent[i]] : -1;
	if (caller < 0)
	{
		row_null(w);
		return;
	}
	columns = trajectory_columns(t, caller);
	if (span_agent(trajectory_class(t, caller), &columns, &name))
		row_text(w, name);
	else
		row_null(w);
}

static void
row_agent_depth(RowWriter *w, StoreFacts *facts, uint32 i)
{
	if (!row_skip(w))
		row_int4(w, facts_runs(facts)[i].depth);
}

static void
row_agent_self_time(RowWriter *w, StoreFacts *facts, uint32 i)
{
	int64		self_ns;

	if (row_skip(w))
		return;
	self_ns = span_facts_self_ns(&facts->spans)[i];
	if (self_ns != TIME_OPEN && facts->spans.t->end_ns[i] != TIME_OPEN)
		row_ms(w, self_ns);
	else
		row_null(w);
}

/* What a run did, the columns model_call_count to total_cost_usd. */
static void
row_agent_run(RowWriter *w, StoreFacts *facts, uint32 i)
{
	const AgentRun *run;

	if (row_skip_all(w, 10))
		return;
	run = &facts_runs(facts)[i];
	row_int8(w, run->model_call_count);
	row_int8(w, run->tool_call_count);
	row_int8(w, run->subagent_count);
	row_int8(w, run->error_count);
	row_tokens(w, run->input_tokens);
	row_tokens(w, run->output_tokens);
	row_usd(w, run->cost_pico);
	row_tokens(w, run->total_input_tokens);
	row_tokens(w, run->total_output_tokens);
	row_usd(w, run->total_cost_pico);
}

/* agent_run_rows(trajectory, wanted) */
PG_FUNCTION_INFO_V1(store_agent_run_rows);
Datum
store_agent_run_rows(PG_FUNCTION_ARGS)
{
	StoreFacts	facts = {span_facts(fcinfo, PARTS_ALL)};
	const Trajectory *t = facts.spans.t;
	RowWriter	w;

	row_writer_init_wanted(&w, fcinfo);
	for (uint32 i = 0; i < t->n; i++)
	{
		SpanColumns columns = trajectory_columns(t, i);

		CHECK_FOR_INTERRUPTS();
		if (trajectory_class(t, i)->kind != KIND_AGENT)
			continue;
		row_begin(&w);
		row_identity(&w, t, i);
		row_parent_agent_name(&w, &facts, i);
		row_agent_depth(&w, &facts, i);
		row_column_text(&w, &columns, COLUMN_AGENT_VERSION);
		row_agent_self_time(&w, &facts, i);
		row_agent_run(&w, &facts, i);
		row_outcome(&w, t, i);
		row_common(&w, &facts, i);
		row_end(&w);
	}
	return (Datum) 0;
}
