-- Plans in a store: what is kept of those that agents note down, and the views.
\set home :DBNAME
\set SHOW_CONTEXT never
SET client_min_messages = warning;
DROP DATABASE IF EXISTS regression_plan_views;
CREATE DATABASE regression_plan_views;
\c regression_plan_views
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET extra_float_digits = 0;
CREATE EXTENSION llmtrace;
SELECT llmtrace.create_store();

-- A run: agent, then one span a second, each of them (name, attributes); times in seconds from the start of 2026.
CREATE FUNCTION pg_temp.attributes(a jsonb) RETURNS jsonb LANGUAGE sql AS $$
	SELECT coalesce(jsonb_agg(jsonb_build_object('key', key, 'value', CASE jsonb_typeof(value)
		WHEN 'number' THEN jsonb_build_object('intValue', value) ELSE jsonb_build_object('stringValue', value #>> '{}') END)), '[]') FROM jsonb_each(a)
$$;
CREATE FUNCTION pg_temp.run(trace text, agent text, feature text, day int, spans jsonb, root_code int DEFAULT 0) RETURNS text LANGUAGE sql AS $$
	WITH span (i, name, attributes, code) AS (
		SELECT 1, agent, jsonb_build_object('gen_ai.operation.name', 'invoke_agent', 'gen_ai.agent.name', agent, 'app.feature', feature), root_code
		UNION ALL
		SELECT 1 + n, s ->> 0, jsonb_build_object('gen_ai.operation.name', 'execute_tool', 'gen_ai.tool.name', s ->> 0) || coalesce(s -> 1, '{}'),
			CASE WHEN s -> 1 ? 'error.type' THEN 2 ELSE 0 END
		FROM jsonb_array_elements(spans) WITH ORDINALITY x (s, n))
	SELECT jsonb_build_object('resourceSpans', jsonb_build_array(jsonb_build_object('scopeSpans', jsonb_build_array(jsonb_build_object('spans',
		jsonb_agg(jsonb_build_object('traceId', lpad(trace, 32, '0'), 'spanId', lpad(to_hex(i), 16, '0'),
			'parentSpanId', CASE WHEN i = 1 THEN '' ELSE lpad('1', 16, '0') END, 'name', name,
			'startTimeUnixNano', ((1767225600 + day * 86400 + i)::bigint * 1000000000)::text,
			'endTimeUnixNano', ((1767225600 + day * 86400 + CASE WHEN i = 1 THEN 60 ELSE i + 1 END)::bigint * 1000000000)::text,
			'status', jsonb_build_object('code', code), 'attributes', pg_temp.attributes(attributes)) ORDER BY i))))))::text
	FROM span
$$;
CALL llmtrace.map_attribute('feature', 'app.feature');
INSERT INTO llmtrace.tool_class (tool_name, effect) VALUES ('search', 'read'), ('get_order', 'read'), ('charge', 'write'), ('refund', 'write'), ('think', NULL);
INSERT INTO llmtrace.otlp SELECT pg_temp.run(trace, agent, feature, day, spans::jsonb, code) FROM (VALUES
	-- recorded, with arguments and a secret in it: kept to; other arguments; a step skipped
	('a1', 'shop', 'pay', 0, '[["plan", {"gen_ai.operation.name": "plan", "gen_ai.plan": "{\"goal\": \"secret\", \"steps\": [{\"tool\": \"search\"}, {\"tool\": \"charge\", \"args\": {\"amount\": 42, \"card\": \"secret\"}, \"after\": [\"search\"]}]}"}],
		["search"], ["charge", {"gen_ai.tool.call.arguments": "{\"amount\": 42, \"card\": \"secret\"}"}], ["get_order"]]', 0),
	('a2', 'shop', 'pay', 0, '[["plan", {"gen_ai.operation.name": "plan", "output.value": "{\"steps\": [{\"tool\": \"search\"}, {\"tool\": \"charge\", \"args\": {\"amount\": 42}}]}"}],
		["search"], ["charge", {"gen_ai.tool.call.arguments": "{\"amount\": 4711}"}], ["get_order"]]', 0),
	('a3', 'shop', 'pay', 0, '[["write_todos", {"gen_ai.tool.call.arguments": "{\"todos\": [{\"tool\": \"search\", \"text\": \"secret\"}, {\"tool\": \"charge\"}]}"}], ["search"]]', 0),
	-- no plan of their own: charged and looked; skipped the refund; failed; tried again, and did not look; failed and says so
	('b1', 'biller', 'refunds', 1, '[["search"], ["refund"], ["get_order"]]', 0),
	('b2', 'biller', 'refunds', 1, '[["search"]]', 0),
	('b3', 'biller', 'refunds', 1, '[["search"], ["refund", {"error.type": "timeout"}]]', 0),
	('b4', 'biller', 'refunds', 2, '[["search"], ["refund", {"error.type": "timeout"}], ["refund"]]', 0),
	('b5', 'biller', 'refunds', 2, '[["search"], ["refund", {"error.type": "timeout"}]]', 2),
	-- the same plan, but for a tool that is not it: called charge
	('b6', 'biller', 'refunds', 2, '[["search"], ["charge"], ["get_order"]]', 0),
	-- no plan at all: unknown tool; reads only; what the world outside says
	('c1', 'helper', 'chat', 3, '[["think"]]', 0),
	('c2', 'helper', 'chat', 3, '[["search"]]', 0),
	('c3', 'helper', 'chat', 3, '[["charge"], ["search"]]', 0),
	-- a plan that waits for itself, the second time; then models talk on
	('d1', 'planner', 'chat', 4, '[["plan", {"gen_ai.operation.name": "plan", "gen_ai.plan": "[{\"tool\": \"search\"}]"}], ["search"],
		["plan", {"gen_ai.operation.name": "plan", "gen_ai.plan": "[{\"id\": \"look\", \"tool\": \"search\"}, {\"id\": \"x\", \"tool\": \"charge\", \"after\": [\"y\"]}, {\"id\": \"y\", \"tool\": \"refund\", \"after\": [\"x\"]}, {\"tool\": \"mail\", \"after\": [\"x\"]}]"}],
		["chat", {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m", "gen_ai.usage.input_tokens": 100, "gen_ai.usage.output_tokens": 7}]]', 0)
	) v (trace, agent, feature, day, spans, code);
INSERT INTO llmtrace.outcome (trace_id, success) VALUES ('000000000000000000000000000000c3', false);
INSERT INTO llmtrace.reference_plan (agent_name, feature, plan, valid) VALUES
	('biller', NULL, 'search -> refund', '(,)'), (NULL, 'refunds', 'never', '(,)'), ('biller', 'other', 'never', '(,)'), ('biller', 'refunds', 'never', '(,2026-01-01)');
CREATE FUNCTION pg_temp.name(id uuid) RETURNS text LANGUAGE sql AS $$ SELECT ltrim(llmtrace.trace_hex(id), '0') $$;

-- The same before and after folding.
CREATE TEMP TABLE before AS SELECT * FROM llmtrace.plan_adherence;
CALL llmtrace.fold(quiet_for => '0');
SELECT count(*) AS differ FROM (SELECT * FROM before EXCEPT SELECT * FROM llmtrace.plan_adherence) d;

-- No text stays; steps and order do. Whoever may read bodies has all of it.
SELECT count(*) AS with_text FROM llmtrace.folded WHERE trajectory::text LIKE '%secret%' OR trajectory::text LIKE '%4711%';
SELECT count(*) > 0 AS is_in_payloads FROM llmtrace.payloads WHERE body LIKE '%secret%';
SELECT pg_temp.name(trace_id) AS trace, llmtrace.trace_plan(trajectory), llmtrace.trace_plan(llmtrace.restore_bodies(trajectory)) AS whole
FROM llmtrace.folded WHERE agent_name = 'shop' ORDER BY 1;

-- What was planned and what was done; arguments that cannot be compared are counted, and count as planned.
SELECT pg_temp.name(trace_id) AS trace, plan_source, round(distance::numeric, 3) AS distance, matched, skipped, substituted, inserted, retried, blocked, revisions, exact, unjudged
FROM llmtrace.plan_adherence ORDER BY 1;
SELECT pg_temp.name(trace_id) AS trace, round(a.distance::numeric, 3) AS distance, a.matched, a.substituted, a.unjudged
FROM llmtrace.folded f, LATERAL llmtrace.restore_bodies(f.trajectory) t, llmtrace.plan_adherence(llmtrace.trace_plan(t), t, llmtrace.plan_options()) a
WHERE agent_name = 'shop' ORDER BY 1;
-- A plan of one's own, its conditions on arguments alike.
SELECT pg_temp.name(trace_id) AS trace, a.distance AS stored, a.unjudged, b.distance AS whole, b.unjudged, llmtrace.plan_match(p, f.trajectory, 'any_order') AS match, llmtrace.plan_match(p, t, 'any_order') AS match_whole
FROM llmtrace.folded f, LATERAL llmtrace.restore_bodies(f.trajectory) t, (VALUES ('search -> charge(amount <= 100) -> get_order'::llmtrace.plan)) v (p),
	llmtrace.plan_adherence(p, f.trajectory, '{"skip": 1, "insert": 1}') a, llmtrace.plan_adherence(p, t, '{"skip": 1, "insert": 1}') b
WHERE trace_id IN ('000000000000000000000000000000a1', '000000000000000000000000000000a2') ORDER BY 1;
SELECT pg_temp.name(trace_id) AS trace, plan_source, revision, step_number AS n, step_id, ordinal, action, label, round(cost::numeric, 3) AS cost, effect, is_error, is_unjudged AS unjudged
FROM llmtrace.plan_step WHERE agent_name <> 'helper' ORDER BY 1, revision, step_number, ordinal;
SELECT time, agent_name, trace_count, planned_count, coverage_rate, kept_rate, within_rate, round(avg_distance::numeric, 3) AS mean, round(p50_distance::numeric, 3) AS p50, unjudged_count, inexact_count
FROM llmtrace.plan_adherence_daily ORDER BY 1, 2;

-- The graph of a plan, and those that cannot be carried out.
SELECT pg_temp.name(trace_id) AS trace, revision, step_id, depends_on, is_blocked, is_started, is_finished FROM llmtrace.plan_graph WHERE agent_name IN ('planner', 'biller') ORDER BY 1, step_number, depends_on;
SELECT pg_temp.name(trace_id) AS trace, plan_source, agent_name, cycle, step_count, waiting_count, stalled_at, tokens_after_stall, cost_after_stall_usd
FROM llmtrace.plan_cycle_report(since => '-infinity');
SELECT count(*) FROM llmtrace.plan_cycle_report(since => '2026-01-06');

-- Who says that it succeeded, and did it?
SELECT pg_temp.name(trace_id) AS trace, is_claimed, plan_source, write_count AS writes, failed_write_count AS failed, skipped_write_count AS skipped, unknown_count AS unknown, last_write, is_last_write_error AS is_error,
	ltrim(verifier_span_id, '0') AS verifier, verdict, reason
FROM llmtrace.success_check ORDER BY 1;

-- Which reference holds: of agent and feature, of the agent, of the feature, for all.
SELECT f.agent_name, f.feature, x.plan, x.plan_source FROM (VALUES ('biller', 'other'), ('biller', 'none'), ('helper', 'refunds'), ('helper', 'none'), (NULL, NULL)) f (agent_name, feature),
	llmtrace.plan_for(llmtrace.trajectory_from_actions('[]'), f.agent_name, f.feature, '2026-02-01') x;
INSERT INTO llmtrace.reference_plan (plan, valid) VALUES ('old', '[2025-01-01,)'), ('new', '[2026-01-01,)');
SELECT at, x.plan FROM unnest('{2024-06-01,2025-06-01,2026-06-01}'::timestamptz[]) at, llmtrace.plan_for(llmtrace.trajectory_from_actions('[]'), 'helper', NULL, at) x;
INSERT INTO llmtrace.reference_plan (plan, valid) VALUES ('other', '[2026-01-01,2027-01-01)');

-- A key of one's own.
CALL llmtrace.map_attribute('plan', 'app.plan');
INSERT INTO llmtrace.otlp SELECT pg_temp.run('e1', 'mapped', 'x', 5, '[["note", {"app.plan": "[{\"tool\": \"search\", \"why\": \"secret\"}, {\"tool\": \"charge\"}]"}], ["search"]]');
SELECT llmtrace.trace_plan(trajectory), trajectory::text LIKE '%secret%' AS with_text FROM llmtrace.trajectories WHERE agent_name = 'mapped';

\c :home
DROP DATABASE regression_plan_views;
