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
SELECT count(*) FROM llmtrace.plan_cycle_report(since => '2026-01-01', until => '2026-01-03');

-- Who says that it succeeded, and did it?
SELECT pg_temp.name(trace_id) AS trace, is_claimed, plan_source, write_count AS writes, failed_write_count AS failed, skipped_write_count AS skipped, unknown_count AS unknown, last_write, is_last_write_error AS is_error,
	ltrim(verifier_span_id, '0') AS verifier, verdict, reason
FROM llmtrace.success_check ORDER BY 1;

-- A write is verified by a read that the plan has after it, or one with an argument in common. Arguments are in
-- payloads: unless all are the same, only who may read those can say.
UPDATE llmtrace.tool_class SET resource_arg = CASE tool_name WHEN 'refund' THEN 'id' WHEN 'get_order' THEN 'order' END;
INSERT INTO llmtrace.reference_plan (agent_name, plan) VALUES ('ordered', 'search? -> charge -> get_order'), ('unordered', 'charge & get_order');
INSERT INTO llmtrace.otlp SELECT pg_temp.run(trace, agent, 'x', 6, spans::jsonb) FROM (VALUES
	('f1', 'clerk', '[["charge", {"gen_ai.tool.call.arguments": "{\"order\": \"A17\"}"}], ["search"], ["get_order", {"gen_ai.tool.call.arguments": "{\"order\": \"A17\"}"}]]'),
	('f2', 'clerk', '[["charge", {"gen_ai.tool.call.arguments": "{\"order\": \"A17\", \"amount\": 42}"}], ["get_order", {"gen_ai.tool.call.arguments": "{\"order\": \"A17\"}"}]]'),
	('f3', 'clerk', '[["charge", {"gen_ai.tool.call.arguments": "{\"order\": \"A17\", \"amount\": 42, \"fast\": true, \"note\": \"\"}"}], ["get_order", {"gen_ai.tool.call.arguments": "{\"order\": \"B9\", \"fast\": true, \"note\": \"\"}"}]]'),
	('f4', 'clerk', '[["charge", {"gen_ai.tool.call.arguments": "{\"order\": \"A17\"}"}], ["search"], ["get_order", {"gen_ai.tool.call.arguments": "{}"}]]'),
	('f5', 'clerk', '[["refund", {"gen_ai.tool.call.arguments": "{\"id\": 7, \"currency\": \"EUR\"}"}], ["get_order", {"gen_ai.tool.call.arguments": "{\"order\": 7}"}]]'),
	('f6', 'clerk', '[["refund", {"gen_ai.tool.call.arguments": "{\"id\": 7, \"currency\": \"EUR\"}"}], ["get_order", {"gen_ai.tool.call.arguments": "{\"order\": 8, \"currency\": \"EUR\"}"}]]'),
	('f7', 'clerk', '[["charge", {"gen_ai.tool.call.arguments": "{}"}], ["get_order", {"gen_ai.tool.call.arguments": "{}", "error.type": "timeout"}]]'),
	('f8', 'ordered', '[["charge"], ["get_order"]]'), ('f9', 'ordered', '[["get_order"], ["charge"], ["search"]]'), ('fa', 'unordered', '[["charge"], ["get_order"]]'),
	('fb', 'clerk', '[["charge", {"gen_ai.tool.call.arguments": "{\"order\": \"A17\", \"currency\": \"EUR\"}"}], ["get_order", {"gen_ai.tool.call.arguments": "{\"page_size\": 10, \"currency\": \"EUR\"}"}]]')) v (trace, agent, spans);
CALL llmtrace.fold(quiet_for => '0');
SELECT pg_temp.name(s.trace_id) AS trace, ltrim(s.verifier_span_id, '0') AS verifier, s.verified_by, s.unjudged_read_count AS unjudged, s.verdict, s.reason,
	ltrim(w.verifier_span_id, '0') AS verifier_of_whole, w.verified_by, w.unjudged_read_count AS unjudged
FROM llmtrace.success_check s JOIN llmtrace.trajectories t USING (trace_id),
	LATERAL llmtrace.plan_for(t.trajectory, t.agent_name, t.feature, t.started_at) p,
	LATERAL llmtrace.write_check(coalesce(p.plan, '[]'), llmtrace.restore_bodies(t.trajectory), llmtrace.plan_options()) w
WHERE s.agent_name IN ('clerk', 'ordered', 'unordered') ORDER BY 1;
-- The order of a sub-plan is its own.
SELECT verified_by FROM llmtrace.write_check('{"steps": [{"id": "pay", "agent": "payer", "effect": "read", "plan": {"ordered": true, "steps": [{"tool": "charge", "effect": "write"}, {"tool": "think"}, {"tool": "get_order", "effect": "read"}]}}, {"tool": "search", "effect": "read", "after": ["pay"]}]}',
	(SELECT llmtrace.trajectory_agg('00000000-0000-0000-0000-000000000001'::uuid, id, parent, name, n, n + 1, NULL, NULL, jsonb_build_object('gen_ai.operation.name', kind, 'gen_ai.agent.name', CASE WHEN kind <> 'execute_tool' THEN name END))
		FROM (VALUES (1, '1', NULL, 'main', 'invoke_agent'), (2, '2', '1', 'payer', 'invoke_agent'), (3, '3', '2', 'charge', 'execute_tool'), (4, '4', '2', 'think', 'execute_tool'), (5, '5', '2', 'get_order', 'execute_tool')) s (n, id, parent, name, kind)), '{}');

-- Which reference holds: of agent and feature, of the agent, of the feature, for all.
SELECT f.agent_name, f.feature, x.plan, x.plan_source FROM (VALUES ('biller', 'other'), ('biller', 'none'), ('helper', 'refunds'), ('helper', 'none'), (NULL, NULL)) f (agent_name, feature),
	llmtrace.plan_for(llmtrace.trajectory_from_actions('[]'), f.agent_name, f.feature, '2026-02-01') x;
INSERT INTO llmtrace.reference_plan (plan, valid) VALUES ('old', '[2025-01-01,)'), ('new', '[2026-01-01,)');
SELECT at, x.plan FROM unnest('{2024-06-01,2025-06-01,2026-06-01}'::timestamptz[]) at, llmtrace.plan_for(llmtrace.trajectory_from_actions('[]'), 'helper', NULL, at) x;
INSERT INTO llmtrace.reference_plan (plan, valid) VALUES ('other', '[2026-01-01,2027-01-01)');

-- A key of one's own; also of what is there, folded or not, with its text in payloads or not.
INSERT INTO llmtrace.otlp SELECT pg_temp.run(trace, 'mapped', 'x', 5, format('[["note", {"app.plan": %s}], ["search"]]', to_jsonb(plan))::jsonb) FROM (VALUES
	('e2', '[{"tool": "search"}, {"tool": "charge"}]'), ('e3', format('[{"tool": "search", "why": "%s"}, {"tool": "charge"}]', repeat('secret ', 2000)))) v (trace, plan);
CALL llmtrace.fold(quiet_for => '0');
INSERT INTO llmtrace.otlp SELECT pg_temp.run('e4', 'mapped', 'x', 5, format('[["note", {"app.plan": %s}], ["search"]]', to_jsonb(format('[{"tool": "search", "why": "%s"}, {"tool": "refund"}]', repeat('secret ', 2000))))::jsonb);
SELECT count(*) FROM llmtrace.trajectories WHERE agent_name = 'mapped' AND llmtrace.trace_plan(trajectory) IS NOT NULL;
CALL llmtrace.map_attribute('plan', 'app.plan');
INSERT INTO llmtrace.otlp SELECT pg_temp.run('e1', 'mapped', 'x', 5, '[["note", {"app.plan": "[{\"tool\": \"search\", \"why\": \"secret\"}, {\"tool\": \"charge\"}]"}], ["search"]]');
SELECT pg_temp.name(trace_id) AS trace, llmtrace.trace_plan(trajectory), trajectory::text LIKE '%secret%' AS with_text FROM llmtrace.trajectories WHERE agent_name = 'mapped' ORDER BY 1;
SELECT pg_temp.name(trace_id) AS trace, plan_source, skipped FROM llmtrace.plan_adherence WHERE agent_name = 'mapped' ORDER BY 1;
SELECT llmtrace.outline_plans(a.trajectory, b.trajectory) FROM llmtrace.trajectories a, llmtrace.trajectories b WHERE pg_temp.name(a.trace_id) = 'e2' AND pg_temp.name(b.trace_id) = 'b4';

\c :home
DROP DATABASE regression_plan_views;
