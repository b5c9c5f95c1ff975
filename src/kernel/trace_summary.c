/*
 * trace_summary.c
 *		What one row says of a trace: the columns of the view traces.
 */
#include "postgres.h"

#include <math.h>

#include "kernel/billing.h"
#include "kernel/logical_calls.h"
#include "kernel/sampling.h"
#include "kernel/span_measure.h"
#include "kernel/trace_summary.h"

const char *const feature_source_names[] = {NULL, "attribute", "workflow", "agent"};

static const CanonicalColumn text_columns[TRACE_TEXTS] = {
	[TRACE_SERVICE_NAME] = COLUMN_SERVICE_NAME,
	[TRACE_SERVICE_VERSION] = COLUMN_SERVICE_VERSION,
	[TRACE_ENVIRONMENT] = COLUMN_ENVIRONMENT,
	[TRACE_REGION] = COLUMN_REGION,
	[TRACE_FEATURE] = COLUMN_FEATURE,
	[TRACE_TENANT_ID] = COLUMN_TENANT_ID,
	[TRACE_USER_ID] = COLUMN_USER_ID,
	[TRACE_CONVERSATION_ID] = COLUMN_CONVERSATION_ID,
	[TRACE_AGENT_NAME] = COLUMN_AGENT_NAME,
	[TRACE_PROMPT_NAME] = COLUMN_PROMPT_NAME,
	[TRACE_PROMPT_VERSION] = COLUMN_PROMPT_VERSION,
	[TRACE_PROMPT_HASH] = COLUMN_PROMPT_HASH
};

/* Is it a text of the whole trace, to be found on whatever span has it? */
static bool
is_trace_wide(TraceText text)
{
	return text <= TRACE_CONVERSATION_ID;
}

/* A column of a resource: of its aliases that are texts, the best. */
bool
resource_text(const Trajectory *t, uint32 resource, CanonicalColumn column, Bytes *text)
{
	const AttrList *list = &t->resources[resource].attributes;
	int			best_rank = PG_INT16_MAX;

	for (uint32 i = 0; i < list->n; i++)
	{
		const Key  *key = &t->keys[list->keys[i]];

		if (key->column == column && key->rank < best_rank &&
			list->values[i].type == VALUE_STRING && list->values[i].len > 0)
		{
			best_rank = key->rank;
			*text = value_bytes(&list->values[i]);
		}
	}
	return best_rank < PG_INT16_MAX;
}

/* A column of a span, else of its resource. */
static bool
span_or_resource_text(const Trajectory *t, uint32 ordinal, CanonicalColumn column, Bytes *text)
{
	SpanColumns columns = trajectory_columns(t, ordinal);

	return (column_is_borne(&columns, column) && column_text(&columns, column, text)) ||
		resource_text(t, trajectory_class(t, ordinal)->resource, column, text);
}

/* The root's texts, else those of the first span that has them. */
static void
find_trace_wide(const Trajectory *t, TraceSummary *s)
{
	uint64		classes_with = 0;

	for (int k = 0; k < TRACE_TEXTS; k++)
	{
		CanonicalColumn column = text_columns[k];

		if (!is_trace_wide(k) || span_or_resource_text(t, s->root, column, &s->texts[k]))
			continue;
		for (uint32 i = 0; i < t->resource_count && s->texts[k].len == 0; i++)
			resource_text(t, i, column, &s->texts[k]);
		classes_with |= UINT64_C(1) << column;
	}

	/* what is still missing: of the spans, by what their classes can have */
	for (uint32 i = 0; i < t->n && classes_with != 0; i++)
	{
		SpanColumns columns = trajectory_columns(t, i);

		if ((columns.shape->columns & classes_with) == 0)
			continue;
		for (int k = 0; k < TRACE_TEXTS; k++)
			if ((classes_with >> text_columns[k] & 1) != 0 && is_trace_wide(k) &&
				column_is_borne(&columns, text_columns[k]) &&
				column_text(&columns, text_columns[k], &s->texts[k]))
				classes_with &= ~(UINT64_C(1) << text_columns[k]);
	}
}

/* Does a span name its prompt, or has it one? */
static bool
has_prompt(const SpanColumns *columns)
{
	Bytes		text;

	for (int k = TRACE_PROMPT_NAME; k <= TRACE_PROMPT_HASH; k++)
		if (column_is_borne(columns, text_columns[k]) && column_text(columns, text_columns[k], &text))
			return true;
	return false;
}

/* The prompt's name, version and hash, as far as a span has them. */
static void
read_prompt(const Trajectory *t, uint32 ordinal, TraceSummary *s)
{
	SpanColumns columns = trajectory_columns(t, ordinal);

	for (int k = TRACE_PROMPT_NAME; k <= TRACE_PROMPT_HASH; k++)
		if (s->texts[k].len == 0 && column_is_borne(&columns, text_columns[k]))
			column_text(&columns, text_columns[k], &s->texts[k]);
}

/*
 * The name of the workflow: the first that a span gives, or that of a workflow's
 * span.  One within an agent is a step of the agent, and names nothing.
 */
static bool
find_workflow(const Trajectory *t, Bytes *name)
{
	uint32		agent_end = 0;	/* spans before it are within an agent */

	for (uint32 i = 0; i < t->n; i++)
	{
		SpanColumns columns = trajectory_columns(t, i);
		const SpanClass *class = trajectory_class(t, i);

		if (column_is_borne(&columns, COLUMN_WORKFLOW_NAME) &&
			column_text(&columns, COLUMN_WORKFLOW_NAME, name))
			return true;
		if (class->kind == KIND_AGENT)
			agent_end = Max(agent_end, i + t->subtree[i]);
		if (class->kind == KIND_WORKFLOW && i >= agent_end)
		{
			*name = class->name;
			return true;
		}
	}
	return false;
}

/* Feature: mapped or known key, else the workflow's name, else the root agent. */
static void
find_feature(const Trajectory *t, TraceSummary *s)
{
	s->feature_source = FEATURE_ATTRIBUTE;
	if (s->texts[TRACE_FEATURE].len > 0)
		return;
	s->feature_source = FEATURE_WORKFLOW;
	if (find_workflow(t, &s->texts[TRACE_FEATURE]))
		return;
	s->feature_source = FEATURE_AGENT;
	s->texts[TRACE_FEATURE] = s->texts[TRACE_AGENT_NAME];
	if (s->texts[TRACE_FEATURE].len == 0)
		s->feature_source = FEATURE_UNKNOWN;
}

/* Counts by kind, and the agents and model calls that stand for the trace. */
static void
count_spans(const Trajectory *t, TraceSummary *s)
{
	SpanBill   *bills = span_bills(t);
	int64		first_ns = PG_INT64_MAX;
	int64		last_ns = PG_INT64_MIN;
	int64		prompt_ns = PG_INT64_MAX;
	int64		root_agent = -1;
	int64		prompt_call = -1;

	for (uint32 i = 0; i < t->n; i++)
	{
		const SpanClass *class = trajectory_class(t, i);
		SpanColumns columns = trajectory_columns(t, i);
		Bytes		model;

		s->depth = Max(s->depth, (uint32) t->depth[i] + 1);
		if (class->is_error && s->error_type.len == 0)
			span_error_type(t, i, s->error_room, &s->error_type);
		if (class->kind == KIND_TOOL)
		{
			s->tool_call_count++;
			s->tool_error_count += class->is_error;
		}
		else if (class->kind == KIND_AGENT)
		{
			s->agent_run_count++;
			if (root_agent < 0)
				root_agent = i;
		}
		else if (is_model_call(class->kind) && !bills[i].is_wrapper)
		{
			s->model_call_count++;
			if (t->start_ns[i] < prompt_ns && has_prompt(&columns))
			{
				prompt_ns = t->start_ns[i];
				prompt_call = i;
			}
			if (!span_model(&columns, &model))
				continue;
			if (t->start_ns[i] < first_ns)
			{
				first_ns = t->start_ns[i];
				s->first_model = model;
			}
			if (t->start_ns[i] >= last_ns)
			{
				last_ns = t->start_ns[i];
				s->last_model = model;
			}
		}
	}
	pfree(bills);

	if (root_agent >= 0)
	{
		SpanColumns columns = trajectory_columns(t, root_agent);

		span_agent(trajectory_class(t, root_agent), &columns, &s->texts[TRACE_AGENT_NAME]);
		read_prompt(t, root_agent, s);
	}
	if (prompt_call >= 0)
		read_prompt(t, prompt_call, s);
}

/* Sums of the tokens that spans own. */
static void
sum_tokens(const Trajectory *t, TraceSummary *s)
{
	SpanUsage  *usage = palloc_extended(t->n * sizeof(SpanUsage), MCXT_ALLOC_HUGE);
	uint8	   *kinds = palloc_extended(t->n, MCXT_ALLOC_HUGE);
	uint8	   *scopes = palloc_extended(t->n, MCXT_ALLOC_HUGE);

	s->reasoning_tokens = s->cache_read_tokens = s->cache_write_tokens = TOKENS_UNKNOWN;
	for (uint32 i = 0; i < t->n; i++)
	{
		SpanColumns columns = trajectory_columns(t, i);

		kinds[i] = trajectory_class(t, i)->kind;
		usage[i] = columns_usage(&columns);
	}
	usage_scopes(t->n, t->parent, kinds, usage, scopes);
	for (uint32 i = 0; i < t->n; i++)
	{
		SpanColumns columns = trajectory_columns(t, i);
		int64		tokens;

		if (scopes[i] != USAGE_OWN)
			continue;
		if (column_is_borne(&columns, COLUMN_REASONING_TOKENS) &&
			column_int(&columns, COLUMN_REASONING_TOKENS, &tokens))
			s->reasoning_tokens = tokens_add(s->reasoning_tokens, tokens);
		if (column_is_borne(&columns, COLUMN_CACHE_READ_TOKENS) &&
			column_int(&columns, COLUMN_CACHE_READ_TOKENS, &tokens))
			s->cache_read_tokens = tokens_add(s->cache_read_tokens, tokens);
		if (column_is_borne(&columns, COLUMN_CACHE_WRITE_TOKENS) &&
			column_int(&columns, COLUMN_CACHE_WRITE_TOKENS, &tokens))
			s->cache_write_tokens = tokens_add(s->cache_write_tokens, tokens);
	}
	pfree(usage);
	pfree(kinds);
	pfree(scopes);
}

static uint32
count_retries(const Trajectory *t)
{
	LogicalCall *calls = logical_calls(t);
	uint32		n = 0;

	for (uint32 i = 0; i < t->n; i++)
		n += calls[i].call != NOT_A_CALL && calls[i].attempt > 1 && !calls[i].is_hedge;
	pfree(calls);
	return n;
}

/* The trajectory has to be decoded as a whole, and to outlive the summary. */
void
trace_summarise(const Trajectory *t, TraceSummary *s)
{
	memset(s, 0, sizeof(*s));
	s->root = trajectory_primary_root(t);
	span_error_type(t, s->root, s->error_room, &s->error_type);
	find_trace_wide(t, s);
	count_spans(t, s);
	find_feature(t, s);
	sum_tokens(t, s);
	s->retry_count = count_retries(t);
	s->sample_weight = trace_sample_weight(t, s->root);
}
