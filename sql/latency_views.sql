-- Views and functions of a store about latency, over a few traces whose answers are known.
SELECT current_database() AS before \gset
CREATE DATABASE llmtrace_latency_views;
\c llmtrace_latency_views
CREATE EXTENSION llmtrace;
SET timezone = 'UTC';
SET datestyle = 'ISO';
\set SHOW_CONTEXT never
SELECT llmtrace.create_store();

-- A trace of spans: id, parent, name, start and end in seconds from the start of 2026, attributes; status is an
-- attribute of its own here, and so is the kind.
CREATE FUNCTION pg_temp.any_value(v jsonb) RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_object(CASE jsonb_typeof(v) WHEN 'number' THEN 'intValue' WHEN 'boolean' THEN 'boolValue' ELSE 'stringValue' END,
		CASE WHEN jsonb_typeof(v) = 'boolean' THEN v ELSE to_jsonb(v #>> '{}') END)
$$;
CREATE FUNCTION pg_temp.load(trace text, spans jsonb) RETURNS bigint LANGUAGE sql AS $$
	SELECT accepted_spans FROM llmtrace.ingest_otlp((
		SELECT jsonb_build_object('resourceSpans', jsonb_build_array(jsonb_build_object('scopeSpans', jsonb_build_array(jsonb_build_object('spans', jsonb_agg(
			jsonb_build_object('traceId', trace, 'spanId', lpad(s ->> 0, 2, '0'), 'parentSpanId', coalesce(lpad(s ->> 1, 2, '0'), ''), 'name', s ->> 2,
				'startTimeUnixNano', ((1767225600 + (s ->> 3)::numeric) * 1e9)::bigint::text,
				'endTimeUnixNano', coalesce(((1767225600 + (s ->> 4)::numeric) * 1e9)::bigint, 0)::text,
				'kind', coalesce((s -> 5 -> 'kind')::int, 1), 'status', jsonb_build_object('code', CASE WHEN (s -> 5) ? 'error.type' THEN 2 ELSE 0 END),
				'attributes', (SELECT coalesce(jsonb_agg(jsonb_build_object('key', a.key, 'value', pg_temp.any_value(a.value))), '[]')
					FROM jsonb_each((s -> 5) - 'kind'::text) a))))))))::text
		FROM jsonb_array_elements(spans) s))
$$;

-- Ten seconds: a model call, sent twice, that asks for a tool; the tool, which asks a database; the answer.
SELECT pg_temp.load('c1', '[["1", null, "run", 0, 10, {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "shop"}],
	["2", "1", "chat", 0, 4, {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-x", "gen_ai.usage.input_tokens": 1000, "gen_ai.usage.output_tokens": 100,
		"gen_ai.usage.cache_read.input_tokens": 400, "gen_ai.request.stream": true, "gen_ai.server.time_to_first_token": 2, "gen_ai.response.finish_reasons": "tool_calls"}],
	["3", "2", "POST", 0.2, 1.2, {"kind": 3}], ["4", "2", "POST", 1.5, 3.9, {"kind": 3}],
	["5", "1", "search", 4, 8, {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "search"}],
	["6", "5", "SELECT", 5, 7, {"kind": 3, "db.system": "postgresql"}],
	["7", "1", "chat", 8, 10, {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-x", "gen_ai.usage.input_tokens": 1200, "gen_ai.usage.output_tokens": 50,
		"gen_ai.response.finish_reasons": "[\"stop\"]"}]]');
-- Two seconds: a tool is refused and succeeds the second time; the run fails all the same.
SELECT pg_temp.load('c2', '[["1", null, "run", 100, 102, {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "shop", "error.type": "Failed"}],
	["2", "1", "search", 100, 100.5, {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "search", "gen_ai.tool.call.arguments": "{\"q\": 1}", "error.type": "RateLimitError"}],
	["3", "1", "search", 101, 101.5, {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "search", "gen_ai.tool.call.arguments": "{\"q\": 1}"}]]');
-- Twenty seconds, all but one in a model call that was cut; another tenant, in the same minute as a call that is refused.
SELECT pg_temp.load('c3', '[["1", null, "run", 200, 220, {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "shop", "tenant.id": "globex"}],
	["2", "1", "chat", 200, 219, {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-x", "gen_ai.usage.input_tokens": 3000, "gen_ai.usage.output_tokens": 1000, "gen_ai.response.finish_reasons": "max_tokens"}]]');
-- Two seconds: three tools, of which two run at once and one is refused; a model call that is refused.
SELECT pg_temp.load('c4', '[["1", null, "run", 201, 203, {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "shop", "user.id": "u1"}],
	["2", "1", "fetch", 201, 202, {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "fetch"}],
	["3", "1", "fetch", 201, 201.5, {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "fetch", "error.type": "429"}],
	["4", "1", "fetch", 202, 203, {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "fetch"}],
	["5", "1", "chat", 201, 201.1, {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-x", "error.type": "RateLimitError"}]]');
CALL llmtrace.fold(quiet_for => '0');

-- Components.
SELECT trace_id, component, span_count, self_ms, critical_ms, critical_share FROM llmtrace.component_time ORDER BY trace_id, component;
SELECT component, self_ms_avg, critical_ms_avg, critical_share, p95_critical_ms, span_count, trace_count, cohort FROM llmtrace.time_share(since => '2026-01-01');
SELECT "time", component, critical_ms_avg, critical_share, cohort FROM llmtrace.time_share(since => '2026-01-01', bucket => '1 minute', "by" => '{tenant_id}', matching => '{ kind = llm && inputTokens > 1 }');
SELECT component, name, kind, k.span_count, self_ms, critical_ms FROM llmtrace.trajectories, llmtrace.component_times(trajectory) k WHERE trace_id = '00000000-0000-0000-0000-0000000000c1';
-- They have all of the path, whatever the options.
SELECT options, count(*), bool_and(k.ms = llmtrace.critical_ms(trajectory, '{}', async => options[1], roots => options[2])) AS same
FROM llmtrace.trajectories, (VALUES (ARRAY['clamp', 'each']), (ARRAY['exclude', 'primary']), (ARRAY['extend', 'each'])) o (options),
	LATERAL (SELECT sum(critical_ms) AS ms FROM llmtrace.component_times(trajectory, async => options[1], roots => options[2])) k
GROUP BY options ORDER BY options;

-- The critical path, of all and of the slowest.
SELECT component, kind, name, critical_ms, round(critical_share::numeric, 4) AS share, critical_ms_avg, span_count, trace_count FROM llmtrace.critical_path_share(since => '2026-01-01');
SELECT name, critical_ms, critical_share, trace_count FROM llmtrace.critical_path_share(since => '2026-01-01', min_quantile => 0.95);
SELECT cohort, round(sum(critical_share)::numeric, 9) AS shares, max(trace_count) AS traces FROM llmtrace.critical_path_share('{tenant_id}', since => '2026-01-01', async => 'exclude') GROUP BY cohort ORDER BY cohort;

-- What if.
SELECT duration_ms_avg, what_if_ms_avg, saved_ms, round(saved_share::numeric, 4) AS share, p50_saved_ms, p95_saved_ms, matched_count, trace_count
FROM llmtrace.what_if_report('{ kind = llm }', since => '2026-01-01');
SELECT cohort, saved_ms, matched_count FROM llmtrace.what_if_report('{ kind = llm }', 0.5, since => '2026-01-01', "by" => '{tenant_id}');

-- Budgets.
SELECT node, budget_ms_avg, critical_ms_avg, p95_critical_ms, violation_rate, multiplicity_rate, latent_rate, blame_ms, blame_share, trace_count
FROM llmtrace.latency_budget_report('{"ms": 15000, "children": [{"node": "models", "pattern": "{ kind = llm }", "ms": 10000}, {"node": "fetch", "pattern": "{ tool = \"fetch\" }", "ms": 100, "max_instances": 2}]}', since => '2026-01-01');
SELECT node, violation_rate, trace_count, cohort FROM llmtrace.latency_budget_report('{"ms": 15000}', since => '2026-01-01', "by" => '{tenant_id}', matching => '{ kind = llm }');

-- Model calls.
SELECT trace_id, span_id, ttft_ms, connect_ms, queue_prefill_ms, decode_ms, tail_ms, output_tps, uncached_input_tokens, cache_hit_share, prefill_ms_per_1k, hidden_retry_ms, request_count, phase_source, agent_name
FROM llmtrace.llm_phase ORDER BY trace_id, span_id;
SELECT p50_ms, attainment_rate, round(burn_rate::numeric, 3) AS burn_rate, call_count, missing_rate, cohort FROM llmtrace.ttft_slo(since => '2026-01-01', target_ms => 1500, objective => 0.9, "by" => '{model}');
SELECT * FROM llmtrace.ttft_histogram(since => '2026-01-01', bounds_ms => '{1000,2000,3000}');
SELECT trace_id, span_id, finish_reason, stop_class, evidence, confidence, tool_count FROM llmtrace.stop_taxonomy ORDER BY trace_id, span_id;

-- Attempts and tasks.
SELECT trace_id, span_id, call_number, attempt, attempt_count, attempt_source, is_last, is_call_success, kind, wait_ms, is_error, agent_name FROM llmtrace.attempts ORDER BY trace_id, span_id;
SELECT task_count, task_success_rate, round(call_success_rate::numeric, 4) AS call_success_rate, calls_per_task, round(predicted_task_success_rate::numeric, 4) AS predicted,
	round(independence_gap::numeric, 4) AS gap, round(budget_burn::numeric, 4) AS burn, outcome_rate FROM llmtrace.task_slo(since => '2026-01-01', target => 0.9);
INSERT INTO llmtrace.outcome (trace_id, success) VALUES ('00000000-0000-0000-0000-0000000000c2', true), ('00000000-0000-0000-0000-0000000000c3', false), ('00000000-0000-0000-0000-0000000000c4', NULL);
SELECT cohort, task_count, task_success_rate, outcome_rate FROM llmtrace.task_slo(since => '2026-01-01', "by" => '{tenant_id}');

-- At once.
SELECT trace_id, span_count, max_depth, max_width, max_in_flight, model_call_count, tool_call_count, branching_mean, peak_tokens_per_minute FROM llmtrace.fanout_tree ORDER BY trace_id;
SELECT "time", trace_id, tenant_id, top_tokens, bucket_tokens, bucket_token_share, dominance, consumer_count, call_count, rate_limited_count, victim_count, cohort FROM llmtrace.rate_pressure(since => '2026-01-01', "by" => '{provider}');
SELECT "time", max_in_flight, calls_in_bucket, human_baseline_ratio, call_count, round(rate_limited_rate::numeric, 3) AS limited, trace_count, cohort FROM llmtrace.burst_concurrency(since => '2026-01-01');
SELECT e, llmtrace.is_rate_limit(e) FROM unnest(ARRAY['429', 'HTTP 429 Too Many Requests', '14290', 'ThrottlingException', 'rate_limit_exceeded', 'Timeout', NULL]) e;

-- Bad input.
\set VERBOSITY default
SELECT * FROM llmtrace.time_share(since => '2026-01-01', "by" => '{tennant_id}');
SELECT * FROM llmtrace.time_share(bucket => '0');
SELECT * FROM llmtrace.time_share(bucket => '1 month');
SELECT * FROM llmtrace.critical_path_share(since => '2026-01-02', until => '2026-01-01');
SELECT * FROM llmtrace.critical_path_share(min_quantile => 1);
SELECT * FROM llmtrace.critical_path_share(min_quantile => 'NaN');
SELECT * FROM llmtrace.critical_path_share(since => '2026-01-01', async => 'wait');
SELECT * FROM llmtrace.what_if_report(NULL);
SELECT * FROM llmtrace.what_if_report('{}', -1, since => '2026-01-01');
SELECT * FROM llmtrace.what_if_report('{ nme = 1 }');
SELECT * FROM llmtrace.latency_budget_report('{"ms": 10, "children": [{"node": "x", "pattern": "{}", "ms": 11}]}', since => '2026-01-01');
SELECT * FROM llmtrace.latency_budget_report('{"ms": 10, "limit": 11}', since => '2026-01-01');
SELECT * FROM llmtrace.latency_budget_report(NULL);
SELECT * FROM llmtrace.ttft_slo(target_ms => 0);
SELECT * FROM llmtrace.ttft_slo(objective => 1);
SELECT * FROM llmtrace.ttft_histogram(bounds_ms => '{2,1}');
SELECT * FROM llmtrace.ttft_histogram(bounds_ms => '{1,NULL}');
SELECT * FROM llmtrace.ttft_histogram(bucket => NULL);
SELECT * FROM llmtrace.task_slo(target => 99.9);
SELECT * FROM llmtrace.rate_pressure(bucket => '-1 minute');
SELECT * FROM llmtrace.burst_concurrency(human_calls_per_minute => 0);
\set VERBOSITY terse
SELECT * FROM llmtrace.what_if_report('{}', tolerance => 1);
-- Nothing there: a notice.
SELECT count(*) FROM llmtrace.time_share(since => '2020-01-01', until => '2020-01-02');
-- Traces, but none that counts: another.
SELECT count(*) FROM llmtrace.time_share(since => '2026-01-01', matching => '{ name = "nothing" }');
SELECT count(*) FROM llmtrace.critical_path_share(since => '2026-01-01', matching => '{ name = "nothing" }');
SELECT count(*) FROM llmtrace.latency_budget_report('{"ms": 1}', since => '2026-01-01', matching => '{ name = "nothing" }');
SELECT count(*) FROM llmtrace.ttft_slo(since => '2026-01-01 00:01:00+00');
SELECT count(*) FROM llmtrace.ttft_histogram(since => '2026-01-01 00:01:00+00');
SELECT count(*) FROM llmtrace.rate_pressure(since => '2026-01-01 00:01:00+00', until => '2026-01-01 00:02:00+00');
SELECT count(*) FROM llmtrace.burst_concurrency(since => '2026-01-01 00:03:20+00', until => '2026-01-01 00:03:21+00');

\c :before
DROP DATABASE llmtrace_latency_views;
