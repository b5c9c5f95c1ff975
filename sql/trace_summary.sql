-- One row a trace: what trace_summary and its neighbours read.
SET search_path = llmtrace, public;
SET timezone = 'UTC';
SET datestyle = 'ISO';
\set SHOW_CONTEXT never
\x on

CREATE TEMPORARY TABLE t (name text, t trajectory);
-- An agent that repeats the tokens of its calls, a wrapper around a call, a retry, a tool that fails, a cost that is reported.
INSERT INTO t VALUES ('agent', '{"trace_id": "a1", "resources": [{"attributes": {"service.name": "shop", "service.version": "2", "deployment.environment.name": "prod", "tenant.id": "acme", "app.exp": 7}}], "spans": [
	{"span_id": "01", "name": "invoke_agent helper", "start_ns": 0, "end_ns": 9000000000, "status": "error", "trace_state": "ot=th:8", "attributes": {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "helper", "gen_ai.usage.input_tokens": 300, "user.id": "u1", "session.id": "s1"}},
	{"span_id": "02", "parent_span_id": "01", "name": "chat", "start_ns": 1000000000, "end_ns": 2000000000, "attributes": {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-x", "gen_ai.response.model": "gpt-x-1",
		"gen_ai.usage.input_tokens": 100, "gen_ai.usage.output_tokens": 50, "gen_ai.usage.cache_read.input_tokens": 60, "gen_ai.usage.reasoning.output_tokens": 20}},
	{"span_id": "03", "parent_span_id": "01", "name": "wrapper", "start_ns": 3000000000, "end_ns": 5000000000, "attributes": {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-x", "gen_ai.usage.input_tokens": 200}},
	{"span_id": "04", "parent_span_id": "03", "name": "chat", "start_ns": 3000000000, "end_ns": 5000000000, "attributes": {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "anthropic", "gen_ai.request.model": "claude", "gen_ai.usage.input_tokens": 200, "gen_ai.usage.output_tokens": 5, "gen_ai.usage.cost": 0.25}},
	{"span_id": "05", "parent_span_id": "01", "name": "execute_tool search", "start_ns": 6000000000, "end_ns": 7000000000, "status": "error", "attributes": {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "search", "error.type": "Timeout", "app.exp": "eight", "app.team": "blue"},
		"events": [{"time_ns": 6500000000, "name": "gen_ai.evaluation.result", "attributes": {"gen_ai.evaluation.name": "safe", "gen_ai.evaluation.score.label": "pass"}},
			{"time_ns": 6500000000, "name": "gen_ai.evaluation.result", "attributes": {"gen_ai.evaluation.name": "useful", "gen_ai.evaluation.score.value": 1}},
			{"time_ns": 6500000000, "name": "gen_ai.evaluation.result", "attributes": {"gen_ai.evaluation.score.value": 1}}]}]}'),
-- An open root; an orphan alone.
('open', '{"trace_id": "a2", "spans": [{"span_id": "01", "name": "open", "start_ns": 0, "end_ns": null}, {"span_id": "02", "parent_span_id": "01", "name": "n", "start_ns": 1, "end_ns": 2}]}'),
('orphan', '{"trace_id": "a3", "spans": [{"span_id": "02", "parent_span_id": "01", "name": "orphan", "start_ns": 0, "end_ns": 1}]}');
SELECT name, s.*, has_closed_root(t) FROM t, trace_summary(t) s ORDER BY name;
\x off
SELECT b.* FROM t, model_bills(t) b;
SELECT e.* FROM t, evaluations(t) e;
SELECT k.* FROM t, attribute_keys(t) k WHERE name = 'agent' ORDER BY key COLLATE "C", is_resource;

-- Dimensions: of the root, else of a resource, else of the first span; the first key of a name counts.
SELECT trace_dims(t, ARRAY['exp', 'team', 'team', 'none'], ARRAY['app.exp', 'app.none', 'app.team', 'app.none']) FROM t ORDER BY name;
SELECT trace_dims(t, '{}', '{}') IS NULL FROM t LIMIT 1;
SELECT trace_dims(t, ARRAY['a'], '{}') FROM t LIMIT 1;
SELECT trace_dims(t, ARRAY[NULL]::text[], ARRAY['a']) FROM t LIMIT 1;

-- Keys of one's own.
SELECT s.feature, s.feature_source, m = t AS is_equal, map_keys(m, ARRAY['app.team'], ARRAY['feature']) = m AS again FROM t, map_keys(t, ARRAY['app.team', 'app.none'], ARRAY['feature', 'user_id']) m, trace_summary(m) s WHERE name = 'agent';
SELECT map_keys(t, ARRAY['a'], ARRAY['no_such_column']) FROM t LIMIT 1;
SELECT map_keys(t, ARRAY['a'], '{}') FROM t LIMIT 1;

-- How many traces one stands for.
SELECT state, attributes, s.sample_weight FROM (VALUES ('ot=th:0', '{}'), ('ot=th:8', '{}'), ('ot=th:c', '{}'), ('a=b,ot=rv:1;th:ff', '{}'), ('ot=th:zz', '{}'), ('', '{"SampleRate": 20}'), ('', '{"SampleRate": 0}'), ('', '{}')) v(state, attributes),
	trace_summary(format('{"trace_id": "a1", "spans": [{"span_id": "01", "name": "n", "start_ns": 0, "end_ns": 1, "trace_state": %s, "attributes": %s}]}', to_json(state), attributes)::trajectory) s;
