/*
 * call_context.c
 *		What stands around calls of models and tools.
 *
 * Requests of a call are the spans of OpenTelemetry kind client below it that
 * do nothing in particular (kind other), with no other call and no request in
 * between: HTTP requests of an SDK.  Steps of an agent are the llm calls,
 * tools and agents whose nearest span above that is an agent, workflow or tool
 * is the same.  In the order of their starts a tool or agent is of the llm call
 * before it.
 *
 * O(n log n) for n spans: calls are sorted by time.
 */
#include "postgres.h"

#include "kernel/call_context.h"
#include "kernel/usage.h"
#include "miscadmin.h"

#define MINUTE_NS INT64CONST(60000000000)

static uint8
kind_of(const Trajectory *t, uint32 ordinal)
{
	return trajectory_class(t, ordinal)->kind;
}

/* --------------------------------------------------------------- requests --- */

static void
note_request(ModelContext *c, const Trajectory *t, uint32 request)
{
	int64		start = t->start_ns[request];
	int64		end = t->end_ns[request];

	if (c->request_count++ == 0)
	{
		c->first_start_ns = c->last_start_ns = start;
		c->last_end_ns = end;
		return;
	}
	c->first_start_ns = Min(c->first_start_ns, start);
	c->last_start_ns = Max(c->last_start_ns, start);
	if (c->last_end_ns != TIME_OPEN)
		c->last_end_ns = end == TIME_OPEN ? TIME_OPEN : Max(c->last_end_ns, end);
}

static void
gather_requests(const Trajectory *t, ModelContext *contexts)
{
	/* the call whose requests would be below each span, or -1 */
	int32	   *above = palloc_extended(Max(t->n, 1) * sizeof(int32), MCXT_ALLOC_HUGE);

	for (uint32 i = 0; i < t->n; i++)
	{
		const SpanClass *class = trajectory_class(t, i);

		above[i] = t->parent[i] >= 0 ? above[t->parent[i]] : -1;
		if (class->kind != KIND_OTHER)
			above[i] = kind_is_call(class->kind) ? (int32) i : -1;
		else if (class->span_kind == SPAN_KIND_CLIENT && above[i] >= 0)
		{
			note_request(&contexts[above[i]], t, i);
			above[i] = -1;
		}
	}
	pfree(above);
}

/* ------------------------------------------------------------- what is next --- */

typedef struct Step
{
	int64		start_ns;
	uint32		ordinal;
	int32		scope;
} Step;

static int
compare_steps(const void *a, const void *b)
{
	const Step *x = a;
	const Step *y = b;

	if (x->scope != y->scope)
		return x->scope < y->scope ? -1 : 1;
	if (x->start_ns != y->start_ns)
		return x->start_ns < y->start_ns ? -1 : 1;
	return x->ordinal < y->ordinal ? -1 : x->ordinal > y->ordinal;
}

/*
 * The span whose steps a span's children are: itself if it is an agent, a
 * workflow or a tool, else that of its parent; or -1.  A model call that wraps
 * others is seen through.
 */
static int32 *
step_scopes(const Trajectory *t)
{
	int32	   *scopes = palloc_extended(Max(t->n, 1) * sizeof(int32), MCXT_ALLOC_HUGE);

	for (uint32 i = 0; i < t->n; i++)
	{
		uint8		kind = kind_of(t, i);

		if (kind == KIND_AGENT || kind == KIND_WORKFLOW || kind == KIND_TOOL)
			scopes[i] = i;
		else
			scopes[i] = t->parent[i] >= 0 ? scopes[t->parent[i]] : -1;
	}
	return scopes;
}

/* What a model call can ask for: another agent is called as tools are. */
static bool
is_action(uint8 kind)
{
	return kind == KIND_TOOL || kind == KIND_AGENT;
}

/* Does a model call stand below a span? */
static bool *
model_calls_below(const Trajectory *t)
{
	bool	   *below = palloc_extended(Max(t->n, 1) * sizeof(bool), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);

	for (uint32 i = t->n; i-- > 0;)
		if (t->parent[i] >= 0 && (below[i] || is_model_call(kind_of(t, i))))
			below[t->parent[i]] = true;
	return below;
}

static void
gather_next_steps(const Trajectory *t, ModelContext *contexts)
{
	int32	   *scopes = step_scopes(t);
	bool	   *below = model_calls_below(t);
	Step	   *steps = palloc_extended(Max(t->n, 1) * sizeof(Step), MCXT_ALLOC_HUGE);
	uint32		count = 0;
	ModelContext *call = NULL;
	int32		scope = -2;

	for (uint32 i = 0; i < t->n; i++)
	{
		uint8		kind = kind_of(t, i);
		int32		parent = t->parent[i];

		if (is_action(kind) || (kind == KIND_LLM && !below[i]))
			steps[count++] = (Step) {t->start_ns[i], i, parent >= 0 ? scopes[parent] : -1};
	}
	qsort(steps, count, sizeof(Step), compare_steps);
	for (uint32 i = 0; i < count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (steps[i].scope != scope)
			call = NULL;
		scope = steps[i].scope;
		if (is_action(kind_of(t, steps[i].ordinal)))
		{
			if (call)
				call->tool_count++;
			continue;
		}
		if (call)
			call->is_last = false;
		call = &contexts[steps[i].ordinal];
		call->is_last = true;
	}
	pfree(scopes);
	pfree(below);
	pfree(steps);
}

/* By ordinal; of spans that are no model calls only the requests count. */
ModelContext *
call_contexts(const Trajectory *t)
{
	ModelContext *contexts = palloc_extended(Max(t->n, 1) * sizeof(ModelContext),
											MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);

	gather_requests(t, contexts);
	gather_next_steps(t, contexts);
	return contexts;
}

/* --------------------------------------------------------------- attempts --- */

/* An open span ends last. */
static int64
known_end(const Trajectory *t, uint32 ordinal)
{
	return t->end_ns[ordinal] == TIME_OPEN ? PG_INT64_MAX : t->end_ns[ordinal];
}

/* By the number of the logical call. */
CallOutcome *
call_outcomes(const Trajectory *t, const LogicalCall *calls, int32 *count)
{
	CallOutcome *outcomes;

	*count = 0;
	for (uint32 i = 0; i < t->n; i++)
		*count = Max(*count, calls[i].call + 1);
	outcomes = palloc_extended(Max(*count, 1) * sizeof(CallOutcome), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	for (uint32 i = 0; i < t->n; i++)
	{
		CallOutcome *o;

		if (calls[i].call == NOT_A_CALL)
			continue;
		o = &outcomes[calls[i].call];
		if (o->attempt_count == 0 || known_end(t, i) >= known_end(t, o->last))
			o->last = i;
		o->attempt_count = Max(o->attempt_count, calls[i].attempt);
		o->is_success |= !trajectory_class(t, i)->is_error;
	}
	return outcomes;
}

/* ----------------------------------------------------------------- fan-out --- */

static uint32
widest_level(const Trajectory *t)
{
	uint32	   *widths = palloc_extended(Max(t->n, 1) * sizeof(uint32), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	uint32		widest = 0;

	for (uint32 i = 0; i < t->n; i++)
	{
		uint32		width = ++widths[t->depth[i]];

		widest = Max(widest, width);
	}
	pfree(widths);
	return widest;
}

static double
mean_branching(const Trajectory *t)
{
	uint32		children = 0;
	uint32		parents = 0;

	for (uint32 i = 0; i < t->n; i++)
	{
		children += t->parent[i] >= 0;
		parents += t->subtree[i] > 1;
	}
	return parents > 0 ? (double) children / parents : 0;
}

static int
compare_times(const void *a, const void *b)
{
	int64		x = *(const int64 *) a;
	int64		y = *(const int64 *) b;

	return x < y ? -1 : x > y;
}

/* Most intervals that hold one moment; their ends do not belong to them. */
static uint32
most_at_once(int64 *starts, int64 *ends, uint32 count)
{
	uint32		most = 0;
	uint32		ended = 0;

	qsort(starts, count, sizeof(int64), compare_times);
	qsort(ends, count, sizeof(int64), compare_times);
	for (uint32 i = 0; i < count; i++)
	{
		while (ended < i && ends[ended] <= starts[i])
			ended++;
		most = Max(most, i + 1 - ended);
	}
	return most;
}

/* Calls with no call below them, an open one until the trace's end. */
static uint32
calls_at_once(const Trajectory *t)
{
	int64	   *starts = palloc_extended(Max(t->n, 1) * sizeof(int64), MCXT_ALLOC_HUGE);
	int64	   *ends = palloc_extended(Max(t->n, 1) * sizeof(int64), MCXT_ALLOC_HUGE);
	bool	   *below = palloc_extended(Max(t->n, 1) * sizeof(bool), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	uint32		count = 0;
	uint32		most;

	for (uint32 i = t->n; i-- > 0;)
	{
		bool		is_call = kind_is_call(kind_of(t, i));

		if (t->parent[i] >= 0)
			below[t->parent[i]] |= below[i] || is_call;
		if (is_call && !below[i])
		{
			int64		end = t->end_ns[i] != TIME_OPEN ? t->end_ns[i] :
				t->summary.start_ns + t->summary.duration_ns;

			/* one of no length runs for a nanosecond */
			starts[count] = t->start_ns[i];
			ends[count++] = Max(end, t->start_ns[i] + 1);
		}
	}
	most = most_at_once(starts, ends, count);
	pfree(starts);
	pfree(ends);
	pfree(below);
	return most;
}

/* Tokens of calls that own them, as of their start. */
typedef struct Spending
{
	int64		at;
	int64		tokens;
} Spending;

static int
compare_spending(const void *a, const void *b)
{
	return compare_times(&((const Spending *) a)->at, &((const Spending *) b)->at);
}

static int64
most_in_a_minute(Spending *spent, uint32 count)
{
	int64		most = 0;
	int64		sum = 0;
	uint32		from = 0;

	qsort(spent, count, sizeof(Spending), compare_spending);
	for (uint32 i = 0; i < count; i++)
	{
		sum += spent[i].tokens;
		while (spent[i].at - spent[from].at >= MINUTE_NS)
			sum -= spent[from++].tokens;
		most = Max(most, sum);
	}
	return most;
}

/* More tokens than this are no count of a call; sums of any number fit. */
#define MAX_TOKENS INT64CONST(100000000000)

/* All parts must be decoded. */
Fanout
trace_fanout(const Trajectory *t)
{
	Fanout		f = {0};
	SpanUsage  *usage = palloc_extended(Max(t->n, 1) * sizeof(SpanUsage), MCXT_ALLOC_HUGE);
	uint8	   *kinds = palloc_extended(Max(t->n, 1), MCXT_ALLOC_HUGE);
	uint8	   *scopes = palloc_extended(Max(t->n, 1), MCXT_ALLOC_HUGE);
	bool	   *wrappers = palloc_extended(Max(t->n, 1) * sizeof(bool), MCXT_ALLOC_HUGE);
	Spending   *spent = palloc_extended(Max(t->n, 1) * sizeof(Spending), MCXT_ALLOC_HUGE);
	uint32		count = 0;

	for (uint32 i = 0; i < t->n; i++)
	{
		SpanColumns columns = trajectory_columns(t, i);

		kinds[i] = kind_of(t, i);
		usage[i] = columns_usage(&columns);
	}
	usage_scopes(t->n, t->parent, kinds, usage, scopes);
	usage_wrappers(t->n, t->parent, kinds, usage, wrappers);
	for (uint32 i = 0; i < t->n; i++)
	{
		int64		tokens = Max(tokens_add(usage[i].input_tokens, usage[i].output_tokens), 0);

		f.model_call_count += is_model_call(kinds[i]) && !wrappers[i];
		f.tool_call_count += kinds[i] == KIND_TOOL;
		if (scopes[i] == USAGE_OWN)
			spent[count++] = (Spending) {t->start_ns[i], Min(tokens, MAX_TOKENS)};
	}
	f.peak_tokens = most_in_a_minute(spent, count);
	f.max_width = widest_level(t);
	f.max_in_flight = calls_at_once(t);
	f.branching = mean_branching(t);
	pfree(usage);
	pfree(kinds);
	pfree(scopes);
	pfree(wrappers);
	pfree(spent);
	return f;
}
