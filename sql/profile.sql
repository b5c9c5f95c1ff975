-- Type profile: frames, merging and subtracting, forms, bad input. Parallel and
-- large: test/t/061_profile.pl.
SET search_path = llmtrace, public;

CREATE TABLE run (n int, t trajectory);
INSERT INTO run
SELECT n, trajectory_agg(('00000000-0000-0000-0000-00000000000' || n)::uuid, id, parent, name, start_ns, end_ns, NULL, status, attributes::jsonb)
FROM (VALUES
	(1, 'a1', NULL, 'run', 1000000000, 1100000000, NULL, '{"gen_ai.operation.name": "invoke_agent"}'),
	(1, 'b1', 'a1', 'chat', 1000000000, 1040000000, NULL, '{"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 100, "gen_ai.usage.output_tokens": 10, "gen_ai.usage.cost": 0.5}'),
	(1, 'c1', 'a1', 'search', 1040000000, 1060000000, 'error', '{"gen_ai.operation.name": "execute_tool"}'),
	(1, 'c2', 'a1', 'search', 1050000000, 1090000000, NULL, '{"gen_ai.operation.name": "execute_tool"}'),
	(2, 'a1', NULL, 'run', 1000000000, 1050000000, NULL, '{"gen_ai.operation.name": "invoke_agent"}'),
	(2, 'b1', 'a1', 'chat', 1000000000, 1010000000, NULL, '{"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 50, "gen_ai.usage.output_tokens": 5}'),
	(2, 'd1', 'a1', 'write', 1010000000, NULL, NULL, '{"gen_ai.operation.name": "execute_tool"}'),
	(3, 'a1', NULL, 'idle', 1000000000, 1000000000, NULL, '{}')) v(n, id, parent, name, start_ns, end_ns, status, attributes)
GROUP BY n;
CREATE TABLE part AS SELECT n, profile_agg(t) AS p FROM run GROUP BY n;

SELECT profile_agg(t) FROM run;
SELECT id, parent, depth, name, kind, path, calls, self_ms, total_ms, critical_ms, critical_share FROM frames((SELECT profile_agg(t) FROM run));
SELECT path, error_count, input_tokens, output_tokens, reported_cost_usd FROM frames((SELECT profile_agg(t) FROM run));
SELECT path, calls, critical_ms FROM frames((SELECT profile_agg(t, CASE n WHEN 1 THEN 2.5 WHEN 2 THEN 0 END) FROM run));
SELECT profile_trace_count(profile_agg(t)), profile_trace_count(profile_agg(t, 0.25)) FROM run;

-- Nothing, NULLs, an empty group.
SELECT profile_agg(t) AS none, profile_agg(t) IS NULL AS is_null FROM run WHERE n > 9;
SELECT profile_agg(NULL::trajectory), profile_merge_agg(NULL) IS NULL AS is_null;
SELECT count(*) FROM frames((SELECT profile_agg(NULL::trajectory)));

-- Any order and grouping gives equal bytes; a part comes off again.
SELECT (SELECT profile_agg(t ORDER BY n) FROM run) = (SELECT profile_agg(t ORDER BY n DESC) FROM run) AS in_order,
	(SELECT profile_merge_agg(p ORDER BY n DESC) FROM part) = (SELECT profile_agg(t) FROM run) AS merged,
	a.p + b.p = b.p + a.p AS commutes, a.p + b.p - b.p = a.p AS subtracted, (a.p + b.p) <> a.p AS differs,
	a.p - a.p AS nothing
FROM part a, part b WHERE a.n = 1 AND b.n = 2;
-- As a window aggregate: the state lives on.
SELECT n, profile_trace_count(profile_agg(t) OVER (ORDER BY n)), count(*) OVER (ORDER BY n) AS traces,
	profile_trace_count(profile_merge_agg(p) OVER (ORDER BY n)) FROM run JOIN part USING (n);

-- Two cohorts.
SELECT path, calls_a, calls_b, self_ms_a, self_ms_b, critical_ms_a, critical_ms_b, critical_change_ms, error_count_a, error_count_b
FROM part a, part b, profile_diff(a.p, b.p) WHERE a.n = 1 AND b.n = 2;

-- Levels below 128 are one frame, long names are shortened.
SELECT count(*), max(depth), max(calls) FILTER (WHERE name = '…')
FROM frames((SELECT profile_agg(t) FROM (SELECT trajectory_agg('00000000-0000-0000-0000-000000000001'::uuid, to_hex(i), CASE WHEN i > 1 THEN to_hex(i - 1) END, 'x',
	1000000000 + i, 1000001000 - i, NULL, NULL, NULL) AS t FROM generate_series(1, 300) i) x));
SELECT octet_length(name), name FROM frames((SELECT profile_agg(t) FROM (SELECT trajectory_agg('00000000-0000-0000-0000-000000000001'::uuid, '1', NULL, repeat('é', 200),
	1000000000, 1000001000, NULL, NULL, NULL) AS t) x));

-- Text and binary forms.
SELECT p::text::profile = p AS text, length(profile_send(p)) AS bytes FROM part ORDER BY n;
SELECT '{"frames": [{"kind": "llm", "depth": 1, "name": "b\u0001\"", "calls": 1.5}, {"depth": 1, "name": "a", "calls": 2, "total_ns": 3.25}], "traces": 2}'::profile;
SELECT '{"traces": 0, "frames": []}'::profile;

-- Bad input.
SELECT profile_subtract(a.p, b.p) FROM part a, part b WHERE a.n = 1 AND b.n = 2;
SELECT profile_agg(t, -1) FROM run;
SELECT ''::profile;
SELECT '{"traces": 1}'::profile;
SELECT '{"traces": 1, "frames": [], "x": 1}'::profile;
SELECT '{"traces": 0, "frames": [{"depth": 1, "name": "a", "calls": 1}]}'::profile;
SELECT '{"traces": 1, "frames": [{"depth": 1, "name": "a"}]}'::profile;
SELECT '{"traces": 1, "frames": [{"depth": 2, "name": "a", "calls": 1}]}'::profile;
SELECT '{"traces": 1, "frames": [{"depth": 1, "calls": 1}]}'::profile;
SELECT '{"traces": 1, "frames": [{"depth": 1, "name": "a", "calls": 1}, {"depth": 1, "name": "a", "calls": 1}]}'::profile;
SELECT '{"traces": 1, "frames": [{"depth": 1, "name": "a", "calls": 1, "errors": 2}]}'::profile;
SELECT '{"traces": 1, "frames": [{"depth": 1, "name": "a", "calls": 1, "self_ns": 2}]}'::profile;
SELECT '{"traces": 1, "frames": [{"depth": 1, "name": "a", "calls": -1}]}'::profile;
SELECT '{"traces": 1, "frames": [{"depth": 1, "name": "a", "kind": "chain", "calls": 1}]}'::profile;
SELECT '{"traces": 1, "frames": [{"depth": 1, "name": "a", "calls": 1, "total_ns": 100000000000000000000000000000000000000}]}'::profile;

DROP TABLE run, part;
