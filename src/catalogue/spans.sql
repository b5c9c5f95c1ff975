-- Spans, calls and runs of agents, one row each.

CREATE VIEW llmtrace.spans WITH (security_invoker = true) AS
SELECT
	s.trace_id, s.span_id, s.parent_span_id, s.ordinal, s.parent, s.depth, s.subtree_count, s.name, s.kind,
	s.operation, s.span_kind, t.started_at, s.span_started_at, s.span_ended_at, s.start_ms, s.duration_ms,
	s.self_ms, s.status, s.status_message, s.is_error, s.error_type, s.is_orphan, s.provider, s.model,
	s.tool_name, s.tool_call_id, s.attempt, s.usage_scope, s.input_tokens, s.output_tokens, s.reasoning_tokens,
	s.cache_read_tokens, s.cache_write_tokens, s.cost_usd, s.cost_source, s.reported_input_tokens,
	s.reported_output_tokens, s.reported_cost_usd, s.service_name, s.service_version, s.environment, s.region,
	coalesce(s.feature, t.feature) AS feature,
	CASE WHEN s.feature IS NOT NULL THEN 'attribute' ELSE t.feature_source END AS feature_source,
	coalesce(s.tenant_id, t.tenant_id) AS tenant_id, coalesce(s.user_id, t.user_id) AS user_id,
	coalesce(s.conversation_id, t.conversation_id) AS conversation_id, s.agent_name,
	coalesce(s.prompt_name, t.prompt_name) AS prompt_name,
	coalesce(s.prompt_version, t.prompt_version) AS prompt_version,
	coalesce(s.prompt_hash, t.prompt_hash) AS prompt_hash, t.dims, t.sample_weight
FROM llmtrace.trajectories t
	CROSS JOIN LATERAL llmtrace.span_rows(t.trajectory) s;
COMMENT ON VIEW llmtrace.spans IS 'One row a span. A plain sum is right: tokens and costs stand where they arose. Filter by started_at, the trace''s start. Example: SELECT kind, count(*), sum(cost_usd) FROM llmtrace.spans WHERE started_at > now() - interval ''7 days'' GROUP BY kind ORDER BY 2 DESC LIMIT 10';
COMMENT ON COLUMN llmtrace.spans.trace_id IS 'id of the trace';
COMMENT ON COLUMN llmtrace.spans.span_id IS 'id of the span, 16 hexadecimal digits';
COMMENT ON COLUMN llmtrace.spans.parent_span_id IS 'id of its parent; NULL for a root';
COMMENT ON COLUMN llmtrace.spans.ordinal IS 'place in the trace, from 1, parents before children';
COMMENT ON COLUMN llmtrace.spans.parent IS 'ordinal of its parent; NULL for a root';
COMMENT ON COLUMN llmtrace.spans.depth IS 'level in the tree, from 1';
COMMENT ON COLUMN llmtrace.spans.subtree_count IS 'spans in its subtree, itself included';
COMMENT ON COLUMN llmtrace.spans.name IS 'name of the span';
COMMENT ON COLUMN llmtrace.spans.kind IS 'what it does: llm, embedding, rerank, retrieval, tool, agent, workflow, plan, guardrail, evaluator, human, memory, other';
COMMENT ON COLUMN llmtrace.spans.operation IS 'operation as it was reported: chat, execute_tool, ...';
COMMENT ON COLUMN llmtrace.spans.span_kind IS 'OpenTelemetrys kind: unspecified, internal, server, client, producer, consumer';
COMMENT ON COLUMN llmtrace.spans.started_at IS 'start of the trace, by which rows are pruned';
COMMENT ON COLUMN llmtrace.spans.span_started_at IS 'start of the span';
COMMENT ON COLUMN llmtrace.spans.span_ended_at IS 'end of the span; NULL while it is open';
COMMENT ON COLUMN llmtrace.spans.start_ms IS 'from the start of the trace, in milliseconds';
COMMENT ON COLUMN llmtrace.spans.duration_ms IS 'from start to end, in milliseconds; NULL while it is open';
COMMENT ON COLUMN llmtrace.spans.self_ms IS 'time in which no child ran, in milliseconds';
COMMENT ON COLUMN llmtrace.spans.status IS 'unset, ok or error';
COMMENT ON COLUMN llmtrace.spans.status_message IS 'message of the status';
COMMENT ON COLUMN llmtrace.spans.is_error IS 'did it fail? By status, or, if that is unset, by error type, exception, level or HTTP status';
COMMENT ON COLUMN llmtrace.spans.error_type IS 'type of the error';
COMMENT ON COLUMN llmtrace.spans.is_orphan IS 'is its parent missing?';
COMMENT ON COLUMN llmtrace.spans.provider IS 'provider of the model';
COMMENT ON COLUMN llmtrace.spans.model IS 'model that responded, else the one requested';
COMMENT ON COLUMN llmtrace.spans.tool_name IS 'the tool';
COMMENT ON COLUMN llmtrace.spans.tool_call_id IS 'id of the tool call';
COMMENT ON COLUMN llmtrace.spans.attempt IS 'which attempt at the same call it is, from 1';
COMMENT ON COLUMN llmtrace.spans.usage_scope IS 'own: the tokens are its own; rollup: spans below report them too';
COMMENT ON COLUMN llmtrace.spans.input_tokens IS 'input tokens, cached ones included; NULL where spans below report them';
COMMENT ON COLUMN llmtrace.spans.output_tokens IS 'output tokens, reasoning included; NULL where spans below report them';
COMMENT ON COLUMN llmtrace.spans.reasoning_tokens IS 'output tokens that are reasoning';
COMMENT ON COLUMN llmtrace.spans.cache_read_tokens IS 'input tokens read from a cache';
COMMENT ON COLUMN llmtrace.spans.cache_write_tokens IS 'input tokens written to a cache';
COMMENT ON COLUMN llmtrace.spans.cost_usd IS 'cost in US dollars: reported, else by table price; NULL where spans below report it, or if unknown';
COMMENT ON COLUMN llmtrace.spans.cost_source IS 'reported, priced, or missing';
COMMENT ON COLUMN llmtrace.spans.reported_input_tokens IS 'input tokens that the span itself reports';
COMMENT ON COLUMN llmtrace.spans.reported_output_tokens IS 'output tokens that the span itself reports';
COMMENT ON COLUMN llmtrace.spans.reported_cost_usd IS 'cost that the span itself reports, in US dollars';
COMMENT ON COLUMN llmtrace.spans.service_name IS 'service.name of the spans resource';
COMMENT ON COLUMN llmtrace.spans.service_version IS 'service.version';
COMMENT ON COLUMN llmtrace.spans.environment IS 'deployment environment, said by the span, else by its resource';
COMMENT ON COLUMN llmtrace.spans.region IS 'cloud region';
COMMENT ON COLUMN llmtrace.spans.feature IS 'what part of the product it was: the spans key or that of the nearest span above, else the traces';
COMMENT ON COLUMN llmtrace.spans.feature_source IS 'where feature is from: attribute, workflow or agent';
COMMENT ON COLUMN llmtrace.spans.tenant_id IS 'the customer';
COMMENT ON COLUMN llmtrace.spans.user_id IS 'the user';
COMMENT ON COLUMN llmtrace.spans.conversation_id IS 'the conversation; never invented';
COMMENT ON COLUMN llmtrace.spans.agent_name IS 'the agent whose work it is: its own name, or that of the nearest span above';
COMMENT ON COLUMN llmtrace.spans.prompt_name IS 'the prompt, of the span, else of the trace';
COMMENT ON COLUMN llmtrace.spans.prompt_version IS 'version of the prompt';
COMMENT ON COLUMN llmtrace.spans.prompt_hash IS 'hash of system text and tools, of the span, else of the trace';
COMMENT ON COLUMN llmtrace.spans.dims IS 'values of your own dimensions, by name (map_attribute)';
COMMENT ON COLUMN llmtrace.spans.sample_weight IS 'how many traces this one stands for: 1 unless it was sampled';

CREATE VIEW llmtrace.model_calls WITH (security_invoker = true) AS
SELECT
	s.trace_id, s.span_id, s.parent_span_id, t.started_at, s.span_started_at, s.span_ended_at, s.duration_ms,
	s.kind, s.operation, s.provider, s.model, s.model_requested, s.model_responded, s.model_fingerprint,
	s.service_tier, s.response_id, s.reasoning_level, s.max_output_tokens, s.is_streaming, s.input_tokens,
	s.output_tokens, s.reasoning_tokens, s.cache_read_tokens, s.cache_write_tokens, s.cost_usd, s.cost_source,
	s.ttft_ms, s.ttft_source, s.tpot_ms, s.finish_reason, s.finish_reason_raw, s.attempt, s.attempt_source,
	s.status, s.is_error, s.error_type, s.service_name, s.service_version, s.environment, s.region,
	coalesce(s.feature, t.feature) AS feature,
	CASE WHEN s.feature IS NOT NULL THEN 'attribute' ELSE t.feature_source END AS feature_source,
	coalesce(s.tenant_id, t.tenant_id) AS tenant_id, coalesce(s.user_id, t.user_id) AS user_id,
	coalesce(s.conversation_id, t.conversation_id) AS conversation_id, s.agent_name,
	coalesce(s.prompt_name, t.prompt_name) AS prompt_name,
	coalesce(s.prompt_version, t.prompt_version) AS prompt_version,
	coalesce(s.prompt_hash, t.prompt_hash) AS prompt_hash, t.dims, t.sample_weight
FROM llmtrace.trajectories t
	CROSS JOIN LATERAL llmtrace.model_call_rows(t.trajectory) s;
COMMENT ON VIEW llmtrace.model_calls IS 'One row a model call: llm, embedding, rerank; those that only wrap another are left out. Example: SELECT model, count(*), sum(input_tokens), sum(output_tokens), sum(cost_usd) FROM llmtrace.model_calls WHERE started_at > now() - interval ''7 days'' GROUP BY model ORDER BY 2 DESC LIMIT 10';
COMMENT ON COLUMN llmtrace.model_calls.model_requested IS 'model that was asked for';
COMMENT ON COLUMN llmtrace.model_calls.model_responded IS 'model that answered';
COMMENT ON COLUMN llmtrace.model_calls.model_fingerprint IS 'the providers fingerprint of the system';
COMMENT ON COLUMN llmtrace.model_calls.service_tier IS 'service tier';
COMMENT ON COLUMN llmtrace.model_calls.response_id IS 'id of the response';
COMMENT ON COLUMN llmtrace.model_calls.reasoning_level IS 'reasoning effort that was asked for';
COMMENT ON COLUMN llmtrace.model_calls.max_output_tokens IS 'limit of output tokens';
COMMENT ON COLUMN llmtrace.model_calls.is_streaming IS 'was the answer streamed?';
COMMENT ON COLUMN llmtrace.model_calls.ttft_ms IS 'time to the first token, in milliseconds';
COMMENT ON COLUMN llmtrace.model_calls.ttft_source IS 'attribute, or derived from an events or attributes time';
COMMENT ON COLUMN llmtrace.model_calls.tpot_ms IS 'time an output token after the first, in milliseconds';
COMMENT ON COLUMN llmtrace.model_calls.finish_reason IS 'why it ended: stop, length, tool_call, content_filter, or as reported, in small letters';
COMMENT ON COLUMN llmtrace.model_calls.finish_reason_raw IS 'why it ended, as reported';
COMMENT ON COLUMN llmtrace.model_calls.attempt_source IS 'how attempt is known: attribute, event, inferred or none';

CREATE VIEW llmtrace.tool_calls WITH (security_invoker = true) AS
SELECT
	s.trace_id, s.span_id, s.parent_span_id, t.started_at, s.span_started_at, s.span_ended_at, s.duration_ms,
	s.tool_name, s.tool_call_id, s.tool_type, c.effect AS effect, s.arguments_hash, s.arguments_bytes,
	s.result_hash, s.result_bytes, s.attempt, s.attempt_source, s.status, s.is_error, s.error_type,
	s.service_name, s.service_version, s.environment, s.region, coalesce(s.feature, t.feature) AS feature,
	CASE WHEN s.feature IS NOT NULL THEN 'attribute' ELSE t.feature_source END AS feature_source,
	coalesce(s.tenant_id, t.tenant_id) AS tenant_id, coalesce(s.user_id, t.user_id) AS user_id,
	coalesce(s.conversation_id, t.conversation_id) AS conversation_id, s.agent_name,
	coalesce(s.prompt_name, t.prompt_name) AS prompt_name,
	coalesce(s.prompt_version, t.prompt_version) AS prompt_version,
	coalesce(s.prompt_hash, t.prompt_hash) AS prompt_hash, t.dims, t.sample_weight
FROM llmtrace.trajectories t
	CROSS JOIN LATERAL llmtrace.tool_call_rows(t.trajectory) s
	LEFT JOIN llmtrace.tool_class c ON c.tool_name = s.tool_name;
COMMENT ON VIEW llmtrace.tool_calls IS 'One row a tool call. Example: SELECT tool_name, count(*), avg(is_error::int) AS error_rate FROM llmtrace.tool_calls WHERE started_at > now() - interval ''7 days'' GROUP BY tool_name ORDER BY 3 DESC LIMIT 10';
COMMENT ON COLUMN llmtrace.tool_calls.tool_type IS 'type of the tool';
COMMENT ON COLUMN llmtrace.tool_calls.effect IS 'what the tool does to the world, by table tool_class: read, reversible, write, generic';
COMMENT ON COLUMN llmtrace.tool_calls.arguments_hash IS 'hash of the arguments: equal arguments have equal hashes';
COMMENT ON COLUMN llmtrace.tool_calls.arguments_bytes IS 'size of the arguments, in bytes';
COMMENT ON COLUMN llmtrace.tool_calls.result_hash IS 'hash of the result';
COMMENT ON COLUMN llmtrace.tool_calls.result_bytes IS 'size of the result, in bytes';

CREATE VIEW llmtrace.agent_runs WITH (security_invoker = true) AS
SELECT
	s.trace_id, s.span_id, s.parent_span_id, s.parent_agent_name, s.agent_depth, s.agent_version, t.started_at,
	s.span_started_at, s.span_ended_at, s.duration_ms, s.self_ms, s.model_call_count, s.tool_call_count,
	s.subagent_count, s.error_count, s.input_tokens, s.output_tokens, s.cost_usd, s.total_input_tokens,
	s.total_output_tokens, s.total_cost_usd, s.status, s.is_error, s.error_type, s.service_name,
	s.service_version, s.environment, s.region, coalesce(s.feature, t.feature) AS feature,
	CASE WHEN s.feature IS NOT NULL THEN 'attribute' ELSE t.feature_source END AS feature_source,
	coalesce(s.tenant_id, t.tenant_id) AS tenant_id, coalesce(s.user_id, t.user_id) AS user_id,
	coalesce(s.conversation_id, t.conversation_id) AS conversation_id, s.agent_name,
	coalesce(s.prompt_name, t.prompt_name) AS prompt_name,
	coalesce(s.prompt_version, t.prompt_version) AS prompt_version,
	coalesce(s.prompt_hash, t.prompt_hash) AS prompt_hash, t.dims, t.sample_weight
FROM llmtrace.trajectories t
	CROSS JOIN LATERAL llmtrace.agent_run_rows(t.trajectory) s;
COMMENT ON VIEW llmtrace.agent_runs IS 'One row a run of an agent. Plain columns are without the agents that it called, total_ columns with them. Example: SELECT agent_name, count(*), sum(cost_usd), sum(error_count) FROM llmtrace.agent_runs WHERE started_at > now() - interval ''7 days'' GROUP BY agent_name ORDER BY 2 DESC LIMIT 10';
COMMENT ON COLUMN llmtrace.agent_runs.parent_agent_name IS 'the agent that called it; NULL if none did';
COMMENT ON COLUMN llmtrace.agent_runs.agent_depth IS 'level among agents, from 1';
COMMENT ON COLUMN llmtrace.agent_runs.agent_version IS 'version of the agent';
COMMENT ON COLUMN llmtrace.agent_runs.model_call_count IS 'model calls, without those of agents below';
COMMENT ON COLUMN llmtrace.agent_runs.tool_call_count IS 'tool calls, without those of agents below';
COMMENT ON COLUMN llmtrace.agent_runs.subagent_count IS 'runs of agents that it called itself';
COMMENT ON COLUMN llmtrace.agent_runs.error_count IS 'spans that failed, without those of agents below';
COMMENT ON COLUMN llmtrace.agent_runs.total_input_tokens IS 'input tokens, those of agents below included';
COMMENT ON COLUMN llmtrace.agent_runs.total_output_tokens IS 'output tokens, those of agents below included';
COMMENT ON COLUMN llmtrace.agent_runs.total_cost_usd IS 'cost in US dollars, that of agents below included';
