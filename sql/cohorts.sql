-- What breaks inside runs, and cohorts that move against the whole: on traces
-- made by hand.
\set home :DBNAME
\set SHOW_CONTEXT never
SET client_min_messages = warning;
DROP DATABASE IF EXISTS regression_cohorts;
CREATE DATABASE regression_cohorts;
\c regression_cohorts
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET extra_float_digits = 0;
CREATE EXTENSION llmtrace;
SELECT llmtrace.create_store();

-- A trace of spans [id, parent, name, start, end, kind, attributes, is an error], times in seconds.
CREATE FUNCTION pg_temp.trace(id text, day timestamptz, spans jsonb) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	PERFORM llmtrace.ingest_otlp(json_build_object('resourceSpans', json_build_array(json_build_object('scopeSpans', json_build_array(json_build_object('spans', (
		SELECT json_agg(json_build_object('traceId', lpad(id, 32, '0'), 'spanId', lpad(s ->> 0, 16, '0'), 'parentSpanId', CASE WHEN s ->> 1 <> '' THEN lpad(s ->> 1, 16, '0') ELSE '' END,
			'name', s ->> 2, 'startTimeUnixNano', ((extract(epoch FROM day) + (s ->> 3)::numeric) * 1e9)::bigint::text, 'endTimeUnixNano', ((extract(epoch FROM day) + (s ->> 4)::numeric) * 1e9)::bigint::text,
			'status', json_build_object('code', CASE WHEN (s ->> 7)::boolean THEN 2 ELSE 0 END),
			'attributes', (SELECT json_agg(json_build_object('key', a.key, 'value', CASE jsonb_typeof(a.value) WHEN 'number' THEN json_build_object('intValue', a.value::text) ELSE json_build_object('stringValue', a.value #>> '{}') END))
				FROM jsonb_each(jsonb_build_object('gen_ai.operation.name', s ->> 5) || coalesce(s -> 6, '{}')) a)))
		FROM jsonb_array_elements(spans) s))))))::text);
END $$;

SELECT pg_temp.trace('a1', '2026-01-05', '[
	["1", "", "agent", 0, 90, "invoke_agent", {"gen_ai.agent.name": "boss"}],
	["2", "1", "execute_tool find", 1, 2, "execute_tool", {"gen_ai.tool.name": "find", "gen_ai.tool.call.arguments": "{\"q\": 1}", "error.type": "Timeout"}, true],
	["3", "1", "execute_tool find", 3, 4, "execute_tool", {"gen_ai.tool.name": "find", "gen_ai.tool.call.arguments": "{\"q\": 1}"}],
	["4", "1", "execute_tool find", 5, 9, "execute_tool", {"gen_ai.tool.name": "find", "gen_ai.tool.call.arguments": "{\"q\": 2}"}],
	["5", "1", "execute_tool find", 6, 8, "execute_tool", {"gen_ai.tool.name": "find", "gen_ai.tool.call.arguments": "{\"q\": 2}"}],
	["6", "1", "execute_tool find", 10, 12, "execute_tool", {"gen_ai.tool.name": "find", "gen_ai.tool.call.arguments": "{\"q\": 3}"}],
	["7", "1", "execute_tool find", 10, 12, "execute_tool", {"gen_ai.tool.name": "find", "gen_ai.tool.call.arguments": "{\"q\": 4}"}],
	["8", "1", "execute_tool read", 13, 14, "execute_tool", {"gen_ai.tool.name": "read", "gen_ai.tool.call.arguments": "{\"f\": 1}"}, true],
	["9", "1", "execute_tool fetch", 15, 16, "execute_tool", {"gen_ai.tool.name": "fetch", "gen_ai.tool.call.arguments": "{\"f\": 1}"}],
	["a", "1", "execute_tool pay", 17, 18, "execute_tool", {"gen_ai.tool.name": "pay", "gen_ai.tool.call.arguments": "{\"p\": 1}"}, true],
	["b", "1", "execute_tool pay", 20, 21, "execute_tool", {"gen_ai.tool.name": "pay", "gen_ai.tool.call.arguments": "{\"p\": 2}"}],
	["c", "1", "execute_tool lost", 22, 23, "execute_tool", {"gen_ai.tool.name": "lost"}, true],
	["d", "1", "agent", 30, 50, "invoke_agent", {"gen_ai.agent.name": "helper"}, true],
	["e", "d", "chat", 31, 32, "chat", {"gen_ai.request.model": "small", "gen_ai.input.messages": "[{\"role\": \"user\", \"content\": \"why?\"}]", "gen_ai.usage.input_tokens": 10}, true],
	["f", "d", "chat", 33, 37, "chat", {"gen_ai.request.model": "large", "gen_ai.input.messages": "[{\"role\": \"user\", \"content\": \"why?\"}]", "gen_ai.usage.input_tokens": 10}],
	["10", "1", "chat", 60, 64, "chat", {"gen_ai.request.model": "small", "gen_ai.input.messages": "[{\"role\": \"user\", \"content\": \"how?\"}]"}],
	["11", "1", "chat", 61, 63, "chat", {"gen_ai.request.model": "large", "gen_ai.input.messages": "[{\"role\": \"user\", \"content\": \"how?\"}]"}]]');
CALL llmtrace.fold('0');

-- Retries are counted, hedges and parallel calls are none.
SELECT right(logical_id, 2) AS id, kind, name, layer, attempt_count, hedge_count, first_error, final_status, duration_ms, wasted_ms, wasted_tokens, attempt_source FROM llmtrace.logical_call ORDER BY 1;
SELECT name, call_count, attempt_count, hedge_count, call_error_rate, unrecovered_rate, attempts_per_logical, amplification, wasted_ms FROM llmtrace.retry_amplification('2026-01-01') ORDER BY 1;
-- What put failures right.
SELECT right(fail_span_id, 2) AS fail, right(recover_span_id, 2) AS recover, mechanism, name, error_type, ttr_ms, extra_tokens FROM llmtrace.recovery ORDER BY 1;
SELECT success_rate, first_try_success_rate, recoveries_per_success, p95_depth, unrecovered_rate, trace_count FROM llmtrace.recovery_depth('2026-01-01');
-- Small, then large; side by side they are two questions.
SELECT right(first_span_id, 2) AS first, step_count, first_model, final_model, is_escalated, wasted_ms, total_ms, direct_ms_est FROM llmtrace.cascade_route ORDER BY 1;
SELECT escalation_rate, p95_ms, p95_direct_ms, route_count FROM llmtrace.cascade_report('2026-01-01');
-- The helper failed by the model's call below it.
SELECT from_name, to_name, edge_type, count(*), count(*) FILTER (WHERE is_error) AS failed, count(*) FILTER (WHERE is_origin) AS blamed FROM llmtrace.handoff GROUP BY 1, 2, 3 ORDER BY 1, 2, 3;
SELECT edge, call_count, error_count, blame_count, round(blame_share::numeric, 3) AS blame_share FROM llmtrace.handoff_failure('2026-01-01') ORDER BY 1;
SELECT (SELECT count(*) FROM llmtrace.handoff_nodes('2026-01-01')) AS nodes, count(*) AS edges FROM llmtrace.handoff_edges('2026-01-01');

-- Two tools whose spans have one name: the second is no retry of the first.
SELECT pg_temp.trace('a2', '2026-01-05', '[
	["1", "", "agent", 0, 9, "invoke_agent"],
	["2", "1", "ai.toolCall", 1, 2, "execute_tool", {"ai.toolCall.name": "find"}, true],
	["3", "1", "ai.toolCall", 3, 4, "execute_tool", {"ai.toolCall.name": "read"}],
	["4", "1", "ai.toolCall", 5, 6, "execute_tool", {"ai.toolCall.name": "find"}]]');
CALL llmtrace.fold('0');
SELECT right(logical_id, 2) AS id, name, attempt_count, final_status FROM llmtrace.logical_call WHERE trace_id::text LIKE '%a2' ORDER BY 1;

-- Simpson: the new model is quicker in both features, and slower on the whole,
-- for it is given what takes long.
SELECT count(pg_temp.trace('b' || n, timestamptz '2026-01-06' + n * interval '10 minutes', format('[["1", "", "run", 0, 100, "invoke_agent", {"gen_ai.agent.name": "%s"}], ["2", "1", "chat", 1, %s, "chat", {"gen_ai.request.model": "%s"}]]',
	f.feature, 1 + f.ms + (n % 7) * 0.01, f.model)::jsonb))
FROM generate_series(1, 400) n, LATERAL (SELECT CASE WHEN n <= 160 OR n > 360 THEN 'short' ELSE 'long' END AS feature, CASE WHEN n <= 200 THEN 'old' ELSE 'new' END AS model,
	CASE WHEN n <= 160 THEN 2 WHEN n <= 200 THEN 20 WHEN n <= 360 THEN 18 ELSE 1.5 END AS ms) f;
CALL llmtrace.fold('0');
SELECT cohort, a_count, b_count, round(a_value) AS a, round(b_value) AS b, round(delta) AS delta, round(lower) AS lower, round(upper) AS upper, is_regressed, verdict, round(mix_part) AS mix, round(within_part) AS within, round(aggregate_delta) AS whole, is_simpson, source
FROM llmtrace.cohort_regression('model_calls.duration_ms', 'old', 'new', '{feature}', '2026-01-06') ORDER BY 1;
CALL llmtrace.refresh_rollups();
SELECT cohort, round(delta) AS delta, verdict, round(mix_part) AS mix, round(within_part) AS within, round(aggregate_delta) AS whole, is_simpson, source
FROM llmtrace.drift_parts('model_calls.duration_ms', '{agent_name}', '2026-01-07 09:00', '2026-01-09', '2026-01-06', '2026-01-07 09:00') ORDER BY 1;
SELECT sum(mix_part) + sum(within_part) - min(aggregate_delta) < 1e-6 AS adds_up FROM llmtrace.drift_parts('model_calls.duration_ms', '{agent_name}', '2026-01-07 09:00', '2026-01-09', '2026-01-06', '2026-01-07 09:00');
-- the same without the mix is none
SELECT DISTINCT is_simpson FROM llmtrace.cohort_regression('model_calls.duration_ms', 'old', 'new', '{kind}', '2026-01-06');
SELECT llmtrace.cohort_regression('model_calls.finish_reason', 'old', 'new', since => '2026-01-06');
SELECT llmtrace.cohort_regression('model_calls.duration_ms', 'old', 'new', '{model}', '2026-01-06');
SELECT verdict FROM llmtrace.cohort_regression('model_calls.duration_ms', 'old', 'new', '{feature}', '2026-01-06', min_n => 1000);

-- Somebody spends a hundred times as much, of a sudden; somebody is new.
SELECT count(pg_temp.trace('c' || n, timestamptz '2026-02-01' + n * interval '1 hour', format('[["1", "", "run", 0, 1, "chat", {"gen_ai.request.model": "m", "tenant.id": "%s", "gen_ai.usage.input_tokens": %s, "gen_ai.usage.output_tokens": 10}]]',
	CASE WHEN n > 300 THEN 'late' ELSE 'early' END, CASE WHEN n = 290 THEN 100000 ELSE 1000 + n % 5 END)::jsonb)) FROM generate_series(1, 310) n;
SELECT llmtrace.add_mapping('tenant_id', 'tenant.id');
CALL llmtrace.map_attribute('tenant_id', 'tenant.id');
CALL llmtrace.fold('0');
SELECT "time", entity, metric, observed, expected, severity, is_new_entity FROM llmtrace.spend_anomaly('2026-02-10', '2026-02-14', baseline => '9 days') WHERE metric = 'tokens' ORDER BY 1;
SELECT llmtrace.spend_anomaly('2026-02-10', bucket => '2 days');

-- An alias that another model answers to.
SELECT count(pg_temp.trace('d' || n, timestamptz '2026-03-01' + n * interval '1 minute', format('[["1", "", "run", 0, 1, "chat", {"gen_ai.request.model": "alias", "gen_ai.response.model": "model-%s"}]]', n / 10)::jsonb)) FROM generate_series(0, 19) n;
CALL llmtrace.fold('0');
SELECT alias, started_at, old_responded, new_responded, right(first_trace_id::text, 4) AS trace FROM llmtrace.model_alias_change;

-- Traces that failed alike
SELECT right(s.trace_id::text, 4) AS id, round(s.distance::numeric, 2) AS distance FROM llmtrace.similar_traces(llmtrace.trace(lpad('b7', 32, '0')), 2) s;
SELECT count(*) FROM llmtrace.similar_traces(llmtrace.trace(lpad('a1', 32, '0')), 5);
SELECT llmtrace.similar_traces(NULL);

\c :home
DROP DATABASE regression_cohorts;
