/*
 * latency_sql.c
 *		Critical paths, slack and what-if of one trajectory as SQL functions.
 */
#include "postgres.h"

#include <math.h>

#include "kernel/component_time.h"
#include "kernel/latency_sql.h"
#include "kernel/span_measure.h"
#include "kernel/span_times.h"
#include "kernel/spans.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"

/* A tolerance of more than a year is a mistake. */
#define MAX_TOLERANCE_MS 3.2e10

/* So is a factor beyond this. */
#define MAX_FACTOR 1e6

/* ------------------------------------------------------------- call sites */

LatencyCall *
latency_call(FunctionCallInfo fcinfo)
{
	LatencyCall *call = fcinfo->flinfo->fn_extra;

	if (call == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);

		call = palloc0(sizeof(LatencyCall));
		call->path = path_work_create();
		/* what most traces take stays allocated from call to call */
		call->work = AllocSetContextCreate(fcinfo->flinfo->fn_mcxt, "llmtrace latency",
										   0, 64 * 1024, ALLOCSET_DEFAULT_MAXSIZE);
		MemoryContextSwitchTo(old);
		fcinfo->flinfo->fn_extra = call;
	}
	MemoryContextReset(call->work);
	return call;
}

/* A query, parsed anew only if it is not the last one. */
Tracequery *
kept_query(KeptQuery *kept, const TracequeryDatum *given, MemoryContext parent)
{
	MemoryContext old;

	if (kept->query && VARSIZE(kept->datum) == VARSIZE(given) &&
		memcmp(kept->datum, given, VARSIZE(given)) == 0)
		return kept->query;
	if (kept->context == NULL)
		kept->context = AllocSetContextCreate(parent, "llmtrace query", ALLOCSET_SMALL_SIZES);
	kept->query = NULL;
	MemoryContextReset(kept->context);
	old = MemoryContextSwitchTo(kept->context);
	kept->datum = palloc(VARSIZE(given));
	memcpy(kept->datum, given, VARSIZE(given));
	kept->query = tracequery_from_datum(kept->datum);
	MemoryContextSwitchTo(old);
	return kept->query;
}

/* The spans that the query of an argument finds: a flag each, in work. */
uint8 *
latency_query(FunctionCallInfo fcinfo, LatencyCall *call, LatencyQuery which, int arg)
{
	Tracequery *query = kept_query(&call->queries[which],
								   (TracequeryDatum *) PG_GETARG_VARLENA_P(arg),
								   fcinfo->flinfo->fn_mcxt);
	MemoryContext old = MemoryContextSwitchTo(call->work);
	uint32		count;
	uint8	   *found = tracequery_spans(query, call->t, &count);

	MemoryContextSwitchTo(old);
	return found;
}

/* ---------------------------------------------------------------- options */

/* The number of a word among those that an option may be. */
static int
word_arg(FunctionCallInfo fcinfo, int arg, const char *name, const char *const *words, int count)
{
	text	   *given = PG_GETARG_TEXT_PP(arg);
	Bytes		word = {VARDATA_ANY(given), VARSIZE_ANY_EXHDR(given)};
	StringInfoData known;

	for (int i = 0; i < count; i++)
		if (bytes_equal_cstring(word, words[i]))
			return i;
	initStringInfo(&known);
	for (int i = 0; i < count; i++)
		appendStringInfo(&known, "%s\"%s\"", i == 0 ? "" : i == count - 1 ? " and " : ", ", words[i]);
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("unknown value \"%s\" of option %s", text_to_cstring(given), name),
			 count == 1 ? errdetail("Known is %s.", known.data) :
			 errdetail("Known are %s.", known.data)));
}

static double
number_arg(FunctionCallInfo fcinfo, int arg, const char *name, double max)
{
	double		number = PG_GETARG_FLOAT8(arg);

	if (!(number >= 0 && number <= max))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must be between 0 and %g, not %g", name, max, number)));
	return number;
}

/* An option that is NULL has its default. */
static PathOptions
read_options(FunctionCallInfo fcinfo, LatencyCall *call, int first)
{
	static const char *const asyncs[] = {"clamp", "exclude", "extend"};
	static const char *const roots[] = {"each", "primary"};
	static const char *const compats[] = {"jaeger"};
	PathOptions options = {0};

	if (!PG_ARGISNULL(first))
		options.async = word_arg(fcinfo, first, "async", asyncs, lengthof(asyncs));
	if (!PG_ARGISNULL(first + 1))
		options.tolerance_ns = (int64) rint(number_arg(fcinfo, first + 1, "tolerance_ms",
													   MAX_TOLERANCE_MS) * 1e6);
	if (!PG_ARGISNULL(first + 2))
		options.tolerance_share = number_arg(fcinfo, first + 2, "tolerance_share", 1);
	if (!PG_ARGISNULL(first + 3))
		options.blocking = latency_query(fcinfo, call, QUERY_BLOCKING, first + 3);
	if (!PG_ARGISNULL(first + 4))
		options.hidden = latency_query(fcinfo, call, QUERY_EXCLUDE, first + 4);
	if (!PG_ARGISNULL(first + 5))
		options.is_primary_only = word_arg(fcinfo, first + 5, "roots", roots, lengthof(roots));
	if (!PG_ARGISNULL(first + 6))
	{
		word_arg(fcinfo, first + 6, "compat", compats, lengthof(compats));
		options.is_jaeger = true;
		if (options.async != ASYNC_CLAMP || options.tolerance_ns > 0 ||
			options.tolerance_share > 0 || options.blocking || options.hidden)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("compat cannot be combined with async, tolerance_ms, tolerance_share, blocking or exclude"),
					 errdetail("Jaeger has no such options.")));
	}
	return options;
}

/*
 * Open the first argument and read the options behind some argument; without
 * any (-1), as by default.
 */
void
latency_open(FunctionCallInfo fcinfo, LatencyCall *call, int first_option)
{
	MemoryContext old = MemoryContextSwitchTo(call->work);
	struct varlena *datum = pg_detoast_datum((struct varlena *) PG_GETARG_POINTER(0));
	PathOptions options = {0};

	call->t = trajectory_open(datum, VARSIZE(datum));
	trajectory_decode_hot(call->t);
	if (first_option >= 0)
		options = read_options(fcinfo, call, first_option);
	call->in = path_input(call->t, &options);
	MemoryContextSwitchTo(old);
}

/* -------------------------------------------------------------- functions */

/* The span of each span, upwards, that names an agent; -1 for none. */
static int32 *
nearest_agents(const Trajectory *t)
{
	int32	   *nearest = palloc_extended(t->n * sizeof(int32), MCXT_ALLOC_HUGE);

	for (uint32 i = 0; i < t->n; i++)
	{
		SpanColumns columns = trajectory_columns(t, i);
		Bytes		name;

		nearest[i] = column_text(&columns, COLUMN_AGENT_NAME, &name) ? (int32) i :
			t->parent[i] >= 0 ? nearest[t->parent[i]] : -1;
	}
	return nearest;
}

static void
put_section(RowWriter *w, const LatencyCall *call, uint32 number, const int32 *agents)
{
	const Trajectory *t = call->t;
	const PathSection *s = &call->path->sections[number];
	uint32		i = s->ordinal;
	const SpanClass *class = trajectory_class(t, i);
	SpanColumns columns = trajectory_columns(t, i);
	Bytes		name;
	row_begin(w);
	row_int4(w, number + 1);
	row_int4(w, i + 1);
	row_hex_id(w, trajectory_span_id(t, i));
	row_text(w, class->name);
	row_cstring(w, operation_kind_name(class->kind));
	row_text_or_null(w, span_tool(class, &columns, &name) ? name : (Bytes) {NULL, 0});
	if (agents[i] >= 0)
	{
		SpanColumns agent = trajectory_columns(t, agents[i]);

		column_text(&agent, COLUMN_AGENT_NAME, &name);
		row_text(w, name);
	}
	else
		row_null(w);
	row_int4(w, s->root + 1);
	row_ms(w, s->start_ns - t->summary.start_ns);
	row_ms(w, s->end_ns - t->summary.start_ns);
	row_ms(w, s->end_ns - s->start_ns);
	row_bool(w, span_overruns(&call->in, i));
	row_end(w);
}

PG_FUNCTION_INFO_V1(trajectory_critical_path);
Datum
trajectory_critical_path(PG_FUNCTION_ARGS)
{
	LatencyCall *call = latency_call(fcinfo);
	MemoryContext old;
	int32	   *agents;
	RowWriter	w;

	row_writer_init(&w, fcinfo);
	if (PG_ARGISNULL(0))
		return (Datum) 0;
	latency_open(fcinfo, call, 1);
	critical_path(&call->in, call->path);

	old = MemoryContextSwitchTo(call->work);
	trajectory_decode_cold(call->t);
	agents = nearest_agents(call->t);
	MemoryContextSwitchTo(old);
	for (uint32 i = 0; i < call->path->section_count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		put_section(&w, call, i, agents);
	}
	return (Datum) 0;
}

/* Milliseconds of the path that the spans found own. */
PG_FUNCTION_INFO_V1(trajectory_critical_ms);
Datum
trajectory_critical_ms(PG_FUNCTION_ARGS)
{
	LatencyCall *call = latency_call(fcinfo);
	const PathSection *s;
	uint8	   *matching;
	int64		sum = 0;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		PG_RETURN_NULL();
	latency_open(fcinfo, call, 2);
	matching = latency_query(fcinfo, call, QUERY_MATCHING, 1);
	critical_path(&call->in, call->path);
	s = call->path->sections;
	for (uint32 i = 0; i < call->path->section_count; i++)
		if (matching[s[i].ordinal])
			sum += s[i].end_ns - s[i].start_ns;
	PG_RETURN_FLOAT8(sum / 1e6);
}

static void
row_ms_or_null(RowWriter *w, int64 ns, bool is_known)
{
	if (is_known)
		row_ms(w, ns);
	else
		row_null(w);
}

PG_FUNCTION_INFO_V1(trajectory_component_times);
Datum
trajectory_component_times(PG_FUNCTION_ARGS)
{
	LatencyCall *call = latency_call(fcinfo);
	ComponentTime *times;
	MemoryContext old;
	uint32		count;
	RowWriter	w;

	row_writer_init(&w, fcinfo);
	if (PG_ARGISNULL(0))
		return (Datum) 0;
	latency_open(fcinfo, call, 1);
	old = MemoryContextSwitchTo(call->work);
	trajectory_decode_tables(call->t);
	times = component_times(call->t, &call->in, call->path, &count);
	MemoryContextSwitchTo(old);
	for (uint32 i = 0; i < count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		row_begin(&w);
		row_cstring(&w, component_names[times[i].component]);
		row_text(&w, times[i].name);
		row_cstring(&w, operation_kind_name(times[i].kind));
		row_int8(&w, times[i].span_count);
		row_ms(&w, times[i].self_ns);
		row_ms(&w, times[i].critical_ns);
		row_end(&w);
	}
	return (Datum) 0;
}

PG_FUNCTION_INFO_V1(trajectory_span_timing);
Datum
trajectory_span_timing(PG_FUNCTION_ARGS)
{
	LatencyCall *call = latency_call(fcinfo);
	MemoryContext old;
	RowWriter	w;
	Trajectory *t;
	int64	   *numbers;
	int64	   *self_ns;
	int64	   *critical_ns;
	int64	   *slack_ns;
	int64	   *drag_ns;

	row_writer_init(&w, fcinfo);
	if (PG_ARGISNULL(0))
		return (Datum) 0;
	latency_open(fcinfo, call, 1);
	t = call->t;

	old = MemoryContextSwitchTo(call->work);
	numbers = palloc_extended(4 * (size_t) t->n * sizeof(int64), MCXT_ALLOC_HUGE);
	self_ns = numbers;
	critical_ns = self_ns + t->n;
	slack_ns = critical_ns + t->n;
	drag_ns = slack_ns + t->n;
	self_times(t->n, t->parent, t->start_ns, t->end_ns, call->in.own_end_ns, self_ns);
	memset(critical_ns, 0, t->n * sizeof(int64));
	critical_path(&call->in, call->path);
	for (uint32 i = 0; i < call->path->section_count; i++)
	{
		const PathSection *s = &call->path->sections[i];

		critical_ns[s->ordinal] += s->end_ns - s->start_ns;
	}
	span_slack(&call->in, call->path, slack_ns, drag_ns);
	MemoryContextSwitchTo(old);

	for (uint32 i = 0; i < t->n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		row_begin(&w);
		row_int4(&w, i + 1);
		row_ms_or_null(&w, self_ns[i], self_ns[i] != TIME_OPEN);
		row_ms(&w, critical_ns[i]);
		row_ms_or_null(&w, slack_ns[i], slack_ns[i] != NOT_WAITED);
		row_ms(&w, drag_ns[i]);
		row_bool(&w, span_overruns(&call->in, i));
		row_end(&w);
	}
	return (Datum) 0;
}

/* (duration_ms, saved_ms) of the trace with matching spans scaled. */
PG_FUNCTION_INFO_V1(trajectory_what_if);
Datum
trajectory_what_if(PG_FUNCTION_ARGS)
{
	LatencyCall *call = latency_call(fcinfo);
	MemoryContext old;
	RowWriter	w;
	uint8	   *matching;
	double		factor;
	double		duration_ns;
	double		saved_ns;

	row_writer_init(&w, fcinfo);
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1) || PG_ARGISNULL(2))
		return (Datum) 0;
	factor = number_arg(fcinfo, 2, "factor", MAX_FACTOR);
	latency_open(fcinfo, call, 3);
	matching = latency_query(fcinfo, call, QUERY_MATCHING, 1);
	old = MemoryContextSwitchTo(call->work);
	what_if(&call->in, call->path, matching, factor, &duration_ns, &saved_ns);
	MemoryContextSwitchTo(old);

	row_begin(&w);
	row_float8(&w, duration_ns / 1e6);
	row_float8(&w, saved_ns / 1e6);
	row_end(&w);
	return (Datum) 0;
}

/* The budget of an argument, parsed anew only if it is not the last one. */
static const Budget *
budget_arg(FunctionCallInfo fcinfo, LatencyCall *call, int arg)
{
	Jsonb	   *given = PG_GETARG_JSONB_P(arg);
	MemoryContext old;
	char	   *text;

	if (call->budget && VARSIZE(call->budget_datum) == VARSIZE(given) &&
		memcmp(call->budget_datum, given, VARSIZE(given)) == 0)
		return call->budget;
	if (call->budget_context == NULL)
		call->budget_context = AllocSetContextCreate(fcinfo->flinfo->fn_mcxt, "llmtrace budget",
													 ALLOCSET_SMALL_SIZES);
	call->budget = NULL;
	MemoryContextReset(call->budget_context);
	text = JsonbToCString(NULL, &given->root, VARSIZE(given));
	old = MemoryContextSwitchTo(call->budget_context);
	call->budget_datum = palloc(VARSIZE(given));
	memcpy(call->budget_datum, given, VARSIZE(given));
	call->budget = budget_parse(text, strlen(text));
	MemoryContextSwitchTo(old);
	return call->budget;
}

PG_FUNCTION_INFO_V1(trajectory_latency_budget);
Datum
trajectory_latency_budget(PG_FUNCTION_ARGS)
{
	LatencyCall *call = latency_call(fcinfo);
	const Budget *budget;
	BudgetResult *results;
	MemoryContext old;
	RowWriter	w;

	row_writer_init(&w, fcinfo);
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		return (Datum) 0;
	budget = budget_arg(fcinfo, call, 1);
	latency_open(fcinfo, call, 2);
	old = MemoryContextSwitchTo(call->work);
	results = budget_apply(budget, call->t, &call->in, call->path);
	MemoryContextSwitchTo(old);
	for (uint32 k = 0; k < budget->count; k++)
	{
		const BudgetResult *r = &results[k];

		row_begin(&w);
		row_text(&w, budget->nodes[k].name);
		row_float8(&w, r->budget_ns / 1e6);
		row_ms(&w, r->critical_ns);
		row_float8(&w, r->overrun_ns / 1e6);
		row_float8(&w, r->created_ns / 1e6);
		row_float8(&w, r->absorbed_ns / 1e6);
		row_float8(&w, r->blame_ns / 1e6);
		row_int4(&w, r->instances);
		if (r->verdict == VERDICT_NONE)
			row_null(&w);
		else
			row_cstring(&w, budget_verdicts[r->verdict]);
		row_ms_or_null(&w, r->slack_ns, r->slack_ns != NOT_WAITED);
		row_end(&w);
	}
	return (Datum) 0;
}
