-- Conversations and tasks: what several traces belong to.

CREATE VIEW llmtrace.conversations WITH (security_invoker = true) AS
SELECT t.conversation_id,
	min(t.started_at) AS started_at,
	max(t.ended_at) AS ended_at,
	extract(epoch FROM max(t.ended_at) - min(t.started_at))::double precision * 1000 AS duration_ms,
	count(*) AS trace_count,
	sum(t.span_count)::bigint AS span_count,
	sum(t.error_count)::bigint AS error_count,
	count(*) FILTER (WHERE t.error_count > 0) AS failed_trace_count,
	sum(t.model_call_count)::bigint AS model_call_count,
	sum(t.tool_call_count)::bigint AS tool_call_count,
	sum(t.input_tokens)::bigint AS input_tokens,
	sum(t.output_tokens)::bigint AS output_tokens,
	sum(t.cost_usd) AS cost_usd,
	sum(t.missing_price_count)::bigint AS missing_price_count,
	min(t.user_id) AS user_id,
	min(t.tenant_id) AS tenant_id,
	min(t.feature) AS feature
FROM llmtrace.traces t
WHERE t.conversation_id IS NOT NULL
GROUP BY t.conversation_id;
COMMENT ON VIEW llmtrace.conversations IS 'One row a conversation. It groups traces, so a filter by time goes over all of them: bound it by tenant or user, or use traces. Example: SELECT conversation_id, trace_count, cost_usd FROM llmtrace.conversations ORDER BY cost_usd DESC NULLS LAST LIMIT 10';
COMMENT ON COLUMN llmtrace.conversations.conversation_id IS 'the conversation';
COMMENT ON COLUMN llmtrace.conversations.started_at IS 'start of its first trace';
COMMENT ON COLUMN llmtrace.conversations.ended_at IS 'latest end of a trace';
COMMENT ON COLUMN llmtrace.conversations.duration_ms IS 'from the first start to the latest end, in milliseconds';
COMMENT ON COLUMN llmtrace.conversations.trace_count IS 'traces';
COMMENT ON COLUMN llmtrace.conversations.span_count IS 'spans';
COMMENT ON COLUMN llmtrace.conversations.error_count IS 'spans that failed';
COMMENT ON COLUMN llmtrace.conversations.failed_trace_count IS 'traces in which a span failed';
COMMENT ON COLUMN llmtrace.conversations.model_call_count IS 'model calls';
COMMENT ON COLUMN llmtrace.conversations.tool_call_count IS 'tool calls';
COMMENT ON COLUMN llmtrace.conversations.input_tokens IS 'input tokens, cached ones included';
COMMENT ON COLUMN llmtrace.conversations.output_tokens IS 'output tokens, reasoning included';
COMMENT ON COLUMN llmtrace.conversations.cost_usd IS 'cost in US dollars, as far as it is known';
COMMENT ON COLUMN llmtrace.conversations.missing_price_count IS 'calls whose cost is not known';
COMMENT ON COLUMN llmtrace.conversations.user_id IS 'the user (the least, if there are several)';
COMMENT ON COLUMN llmtrace.conversations.tenant_id IS 'the customer (the least, if there are several)';
COMMENT ON COLUMN llmtrace.conversations.feature IS 'the feature (the least, if there are several)';

-- An outcome names a trace, or a conversation and so all its traces.
CREATE VIEW llmtrace.tasks WITH (security_invoker = true) AS
SELECT o.task_id,
	min(t.started_at) AS started_at,
	max(t.ended_at) AS ended_at,
	o.success,
	o.value,
	count(t.trace_id) AS trace_count,
	coalesce(sum(t.error_count), 0)::bigint AS error_count,
	sum(t.input_tokens)::bigint AS input_tokens,
	sum(t.output_tokens)::bigint AS output_tokens,
	sum(t.cost_usd) AS cost_usd,
	coalesce(sum(t.missing_price_count), 0)::bigint AS missing_price_count,
	min(t.feature) AS feature,
	min(t.tenant_id) AS tenant_id,
	min(t.user_id) AS user_id
FROM (
		SELECT x.task_id,
			(pg_catalog.array_agg(x.success ORDER BY x.at DESC) FILTER (WHERE x.success IS NOT NULL))[1] AS success,
			(pg_catalog.array_agg(x.value ORDER BY x.at DESC) FILTER (WHERE x.value IS NOT NULL))[1] AS value
		FROM llmtrace.outcome x
		WHERE x.task_id IS NOT NULL
		GROUP BY x.task_id) o
	LEFT JOIN (
		-- two joins that can be hashed; a trace that both find is there once
		SELECT x.task_id, t.trace_id, t.started_at, t.ended_at, t.error_count, t.input_tokens, t.output_tokens,
			t.cost_usd, t.missing_price_count, t.feature, t.tenant_id, t.user_id
		FROM llmtrace.outcome x JOIN llmtrace.traces t ON t.trace_id = x.trace_id
		UNION
		SELECT x.task_id, t.trace_id, t.started_at, t.ended_at, t.error_count, t.input_tokens, t.output_tokens,
			t.cost_usd, t.missing_price_count, t.feature, t.tenant_id, t.user_id
		FROM llmtrace.outcome x JOIN llmtrace.traces t ON t.conversation_id = x.conversation_id) t ON t.task_id = o.task_id
GROUP BY o.task_id, o.success, o.value;
COMMENT ON VIEW llmtrace.tasks IS 'One row a task of table outcome, over all traces that worked on it. A filter by time goes over all of them. Example: SELECT feature, count(*), avg(success::int) AS success_rate, sum(cost_usd) FROM llmtrace.tasks GROUP BY feature ORDER BY 2 DESC LIMIT 10';
COMMENT ON COLUMN llmtrace.tasks.task_id IS 'the task';
COMMENT ON COLUMN llmtrace.tasks.started_at IS 'start of its first trace';
COMMENT ON COLUMN llmtrace.tasks.ended_at IS 'latest end of a trace';
COMMENT ON COLUMN llmtrace.tasks.success IS 'did it succeed? What was said last';
COMMENT ON COLUMN llmtrace.tasks.value IS 'its value, as was said last';
COMMENT ON COLUMN llmtrace.tasks.trace_count IS 'traces that are there; 0 if none of those named is';
COMMENT ON COLUMN llmtrace.tasks.error_count IS 'spans that failed';
COMMENT ON COLUMN llmtrace.tasks.input_tokens IS 'input tokens, cached ones included';
COMMENT ON COLUMN llmtrace.tasks.output_tokens IS 'output tokens, reasoning included';
COMMENT ON COLUMN llmtrace.tasks.cost_usd IS 'cost in US dollars, as far as it is known';
COMMENT ON COLUMN llmtrace.tasks.missing_price_count IS 'calls whose cost is not known';
COMMENT ON COLUMN llmtrace.tasks.feature IS 'the feature (the least, if there are several)';
COMMENT ON COLUMN llmtrace.tasks.tenant_id IS 'the customer (the least, if there are several)';
COMMENT ON COLUMN llmtrace.tasks.user_id IS 'the user (the least, if there are several)';
