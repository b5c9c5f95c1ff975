-- Plans: their forms, the distance of a run from them, and where it comes from.
CREATE SCHEMA plan_test;
SET search_path = plan_test, llmtrace;
SET extra_float_digits = 0;

-- The two text forms; the JSON one is what comes out.
SELECT p::text FROM (VALUES
	('search -> (fetch_invoice & get_user) -> charge_card[write](amount = 42)? -> answer'::plan),
	('a, b | "c d" -> llm:"gpt-5"{2} -> agent:researcher[0.25]{search* -> read+}'),
	('((a -> b) & c{1,3}) -> d{2,}'),
	('book[reversible](city != Paris, nights <= 3, .gen_ai.tool.type = "function", paid = true, note = null)'),
	('a & a & a_2'),
	('[]'),
	('["search", {"tool": "answer", "args": null}]'),
	('{"ordered": true, "steps": [{"id": "s0", "tool": "a"}, {"id": "s1", "tool": "b", "args": {"x": [1, 2.50, null]}, "optional": true},
		{"id": 7, "agent": "c", "after": ["s0"], "repeat": [1, null], "effect": 2.5, "plan": ["d"]}]}'),
	('[{"name": "m", "kind": "llm", "where": {"x": 1}, "attributes": [["k", ">=", 2]], "alternatives": ["n", {"tool": "o", "cost": 0.2}]}]'),
	('{"steps": ["a"], "revisions": [{"at_ns": 5, "steps": ["a", "b"]}]}')) v(p);

-- What comes out reads back as itself, and so do the bytes.
CREATE TABLE plans (p plan);
INSERT INTO plans VALUES
	('search -> (fetch_invoice & get_user) -> charge_card[write](amount = 42)? -> answer'),
	('{"steps": [{"id": "x", "agent": "r", "args": {"q": [1, 2.5, null, {"$ref": "y"}]}, "plan": ["a"], "effect": 1.5, "after": ["x"]}],
		"revisions": [{"at_ns": -9, "steps": []}]}');
SELECT p::text::plan = p AS same, p <> '[]' AS other FROM plans;
SELECT encode(plan_send(p), 'hex') FROM plans;

-- Equality, order and hashing.
CREATE TABLE many AS SELECT (CASE i % 3 WHEN 0 THEN 'a -> b' WHEN 1 THEN '[{"tool": "a"}]' ELSE '["a"]' END)::plan AS p FROM generate_series(1, 300) i;
SET enable_hashagg = off;
SELECT p, count(*) FROM many GROUP BY p ORDER BY p::text COLLATE "C";
RESET enable_hashagg;
SET enable_sort = off;
SELECT p, count(*) FROM many GROUP BY p ORDER BY p::text COLLATE "C";
RESET enable_sort;
CREATE INDEX ON many USING hash (p);
CREATE INDEX ON many (p);
SELECT count(DISTINCT p), count(*) FILTER (WHERE p = 'a -> b'), bool_and((p < 'a -> b') = (plan_cmp(p, 'a -> b') < 0) AND (p <= 'a -> b') <> (p > 'a -> b') AND (p >= 'a -> b') = (plan_cmp(p, 'a -> b') >= 0)) AS ordered,
	bool_and(plan_hash(p) = plan_hash_extended(p, 0)::bit(32)::int) AS hashed FROM many;
SET enable_seqscan = off;
SELECT count(*) FROM many WHERE p = 'a -> b';
RESET enable_seqscan;

-- Golden bytes of format 1.
SELECT encode(plan_send('a -> (b & c[write](x <= 1)?) -> d+'), 'hex') =
	'0104016101ff01610000000101000000016201ff0162000000010100010000016301ff016300000103017803020001030100'
	'00016401ff01640000000100000201010000' AS same;

-- Bad input: what is wrong, and where.
CREATE FUNCTION refused(input text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	state text;
	message text;
	detail text;
BEGIN
	PERFORM input::llmtrace.plan;
	RETURN 'accepted';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
	RETURN state || ' ' || message || ' | ' || detail;
END $$;
SELECT input, refused(input) FROM (VALUES
	(''), ('a ->'), ('a -> -> b'), ('a b'), ('(a & b'), ('(a & b)?'), ('(a -> b) | c'), ('a[wrote]'), ('a[-1]'),
	('a(x = )'), ('a(x ~ 1)'), ('a{3,1}'), ('a{0}'), ('a{1001}'), ('nothing:a'), ('"a'), ('""'), ('a{b'),
	('{}'), ('{"steps": 1}'), ('[1]'), ('[{}]'), ('[{"tool": "a", "name": "b"}]'), ('[{"tool": "a", "wehre": []}]'),
	('[{"id": "x", "tool": "a"}, {"id": "x", "tool": "b"}]'),
	('[{"id": "x", "tool": "a", "after": ["y"]}]'),
	('[{"tool": "a", "effect": -1}]'), ('[{"tool": "a", "alternatives": [{"tool": "b", "cost": -0.5}]}]'),
	('[{"tool": "a", "cost": 1}]'), ('[{"tool": "a", "effect": "wrote"}]'),
	('[{"tool": "a", "repeat": [3, 1]}]'), ('[{"tool": "a", "repeat": [0, 0]}]'), ('[{"tool": "a", "repeat": 3}]'),
	('[{"tool": "a", "where": [["x", "~", 1]]}]'), ('[{"name": "a", "kind": "nothing"}]'),
	('{"steps": [], "revisions": [{"at_ns": 2, "steps": []}, {"at_ns": 1, "steps": []}]}'),
	('["a"] 1')) v(input);
SELECT refused(string_agg('a', ' -> ')) FROM generate_series(1, 1001);
SELECT left(refused(repeat('(', 65) || 'a'), 60);
SELECT refused('(' || string_agg('a', '&') || ') -> (' || string_agg('a', '&') || ')') FROM generate_series(1, 400);

-- A small world: what was done, in the words of its plan.
CREATE FUNCTION did(VARIADIC tools text[]) RETURNS trajectory LANGUAGE sql IMMUTABLE AS $$
	SELECT llmtrace.trajectory_from_actions(coalesce(jsonb_agg(CASE
		WHEN tool LIKE '%!' THEN jsonb_build_object('tool', rtrim(tool, '!'), 'failed', true)
		WHEN tool LIKE '%=%' THEN jsonb_build_object('tool', split_part(tool, '=', 1),
			'args', jsonb_build_object('x', split_part(tool, '=', 2)))
		ELSE jsonb_build_object('tool', tool) END ORDER BY i), '[]'))
	FROM unnest(tools) WITH ORDINALITY u(tool, i);
$$;
CREATE FUNCTION did() RETURNS trajectory LANGUAGE sql IMMUTABLE AS $$ SELECT llmtrace.trajectory_from_actions('[]') $$;
CREATE FUNCTION explain(p plan, t trajectory, options jsonb DEFAULT '{}') RETURNS text LANGUAGE sql IMMUTABLE AS $$
	SELECT string_agg(concat_ws(' ', label, step_id, CASE WHEN action IS NOT NULL THEN '<' || action || '>' END,
		nullif(cost, 0), '(' || violated || ')'), ', ') || ' = ' || round(sum(cost)::numeric, 6)
	FROM llmtrace.plan_alignment(p, t, options);
$$;

SELECT what, explain(p, t), round(plan_distance(p, t)::numeric, 6) AS distance
FROM (VALUES
	('as planned', 'a -> b[write] -> c'::plan, did('a', 'b', 'c')),
	('dropped', 'a -> b[write] -> c', did('a', 'c')),
	('swapped', 'a -> b[write] -> c', did('b', 'a', 'c')),
	('reordered', 'a -> b -> c -> d', did('d', 'a', 'b', 'c')),
	('substituted', 'a -> b[write] -> c', did('a', 'x', 'c')),
	('repeated', 'a -> b[write] -> c', did('a', 'b', 'b', 'c')),
	('inserted', 'a -> b[write] -> c', did('a', 'b', 'x', 'c')),
	('failed, then done', 'a -> b[write] -> c', did('a', 'b!', 'b', 'c')),
	('failed', 'a -> b[write] -> c', did('a', 'b!', 'c')),
	('other arguments', 'a -> b[write](x = 1) -> c', did('a', 'b=2', 'c')),
	('another order of equals', 'a -> (b & c) -> d', did('a', 'c', 'b', 'd')),
	('optional', 'a -> b? -> c', did('a', 'c')),
	('any number', 'a -> b* -> c', did('a', 'b', 'b', 'b', 'c')),
	('too often', 'a{1,2} -> c', did('a', 'a', 'a', 'c')),
	('too rarely', 'a{3} -> c', did('a', 'c')),
	('alternative', '[{"tool": "a", "alternatives": ["b", {"tool": "c", "cost": 0.3}]}]', did('c')),
	('any tool', '* -> b', did('z', 'b')),
	('waits for itself', '[{"tool": "a", "after": "b"}, {"tool": "b", "after": "a"}, {"tool": "c", "after": "a"}]', did('a')),
	('nothing planned', '[]', did('a')),
	('nothing done', 'a[read] & b', did()),
	('nothing at all', '[]', did())) v(what, p, t);

-- Of what costs the same, the lowest step and the earliest action.
SELECT what, (SELECT string_agg(concat_ws(' ', label, step_id, ordinal - 1), ', ' ORDER BY step_number, ordinal) FROM plan_alignment(p, t)) AS alignment
FROM (VALUES
	('one step, two actions', 'a'::plan, did('a', 'a')),
	('two steps, one action', 'a & a', did('a')),
	('two steps in order, one action', 'a -> a', did('a')),
	('before or after', 'a -> b -> a', did('b', 'a')),
	('either of three', 'a -> b', did('a', 'b', 'a', 'b', 'a', 'b')),
	('no arguments as planned', 'a(x = 1) & a(x = 2)', did('a=3')),
	('in place of either', 'a & b', did('x')),
	('two in place of one', 'a', did('x', 'y')),
	('all the other way round', 'a -> b -> c', did('c', 'b', 'a'))) v(what, p, t);
-- Steps and actions that change places, and other names for them, change nothing.
SELECT count(DISTINCT plan_distance(p, t)) FROM (VALUES
	('a & b & c'::plan, did('b', 'a')), ('a & b & c', did('a', 'b')), ('c & b & a', did('b', 'c')), ('x & y & z', did('z', 'y')), ('(a & b) & c', did('c', 'a'))) v(p, t);

-- Arguments: what counts as the same.
SELECT mode, plan, call, round(plan_distance(
		jsonb_build_array(jsonb_build_object('tool', 'a', 'args', plan::jsonb))::text::plan,
		trajectory_from_actions(jsonb_build_array(jsonb_build_object('tool', 'a', 'args', call::jsonb))),
		jsonb_build_object('arguments', mode))::numeric, 4) AS distance
FROM unnest('{canonical,exact,subset,superset,ignore}'::text[]) mode, (VALUES
	('{"n": 1, "s": "Paris "}', '{"s": " paris", "n": 1.0}'),
	('{"n": 1}', '{"n": 1, "m": null}'),
	('{"n": 1}', '{"n": 1, "m": 2}'),
	('{"n": 1, "m": 2}', '{"n": 1}'),
	('{"n": 1}', '{"n": 2}')) v(plan, call);
SELECT plan_distance('[{"tool": "a", "args": {"l": [1, 2, 2]}}]', t) > 0 AS ordered,
	plan_distance('[{"tool": "a", "args": {"l": [1, 2, 2]}}]', t, '{"lists_as_sets": true}') AS as_sets
FROM trajectory_from_actions('[{"tool": "a", "args": {"l": [2, 1, 2.0]}}]') t;
SELECT call, plan_distance('a(n > 1, n <= 3, s >= b, k != 5)', trajectory_from_actions(
	jsonb_build_array(jsonb_build_object('tool', 'a', 'args', call::jsonb)))) AS distance
FROM (VALUES ('{"n": 2, "s": "c", "k": 4}'), ('{"n": 3.5, "s": "c", "k": 4}'), ('{"n": 2, "s": "a", "k": 5}'), ('{"n": 2, "s": "b"}')) v(call);

-- Arguments as text, with many objects; and such as JSON has not.
SELECT jsonb_array_length(arguments->'l') AS objects FROM actions((SELECT trajectory_agg('5b8efff7-98d7-4f5b-9a1c-0d3c2b1a0f9e', '1', NULL, 'a', 1, 2, NULL, NULL, jsonb_build_object(
	'gen_ai.operation.name', 'execute_tool', 'gen_ai.tool.call.arguments', format('{"l": [{}%s]}', repeat(', {}', 99))))));
CREATE TABLE odd AS SELECT trajectories_from_otlp('{"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": "5b8efff798d74f5b9a1c0d3c2b1a0f9e", "spanId": "0000000000000001",
	"name": "a", "startTimeUnixNano": "1", "endTimeUnixNano": "2", "attributes": [{"key": "gen_ai.operation.name", "value": {"stringValue": "execute_tool"}},
	{"key": "gen_ai.tool.name", "value": {"stringValue": "a"}}, {"key": "gen_ai.tool.call.arguments", "value": {"kvlistValue": {"values": [
	{"key": "n", "value": {"doubleValue": "NaN"}}, {"key": "b", "value": {"bytesValue": "AAAA"}}]}}}]}]}]}]}') AS t;
SELECT arguments, plan_distance('a', t) AS a, plan_distance('a(n <= 3)', t) > 0 AS at_most, plan_distance('a(n >= 3)', t) > 0 AS at_least FROM odd, actions(t);

-- Options: costs, effects of what the plan does not name, and mistakes.
SELECT explain('a -> b', did('a', 'x', 'y', 'b'), '{"effects": {"x": "write", "y": "generic", "b": "read"}}');
SELECT explain('a -> b', did('b', 'a'), '{"order_weight": 0}'), explain('a -> b', did('b', 'a'), '{"order_weight": 1}');
SELECT explain('a & b', did('x'), '{"skip": 2, "insert": {"unknown": 0.75}, "substitute": false}');
SELECT plan_distance('a', did('b', 'c'), '{"cutoff": 0.4}') AS above, plan_distance('a', did('a', 'c'), '{"cutoff": 0.4}') AS below;
SELECT plan_distance('a', did('a'), '{"skipp": 1}');
SELECT plan_distance('a', did('a'), '{"skip": -1}');
SELECT plan_distance('a', did('a'), '{"insert": {"writes": 1}}');
SELECT plan_distance('a', did('a'), '{"arguments": "same"}');
SELECT plan_distance('a', did('a'), '{"effects": {"a": "wrote"}}');
SELECT plan_distance('a & b', did('a', 'b', 'a', 'b'), '{"max_pairs": 3}');
SELECT plan_match('a', did('a'), 'nearly');

-- Adherence: one row.
SELECT * FROM plan_adherence('a -> b[write] -> c', did('b', 'x', 'a', 'c', 'c')) \gx
-- Too wide for the dynamic program, and no cut that settles it: an interval.
SELECT exact, distance_low <= truth AND truth <= distance_high AS holds, distance_low < distance_high AS is_wide
FROM (VALUES ('(a -> b) & (b -> a) & (a -> c -> b) & (c -> a)'::plan, did('b', 'b', 'c', 'a', 'a', 'b', 'c', 'a', 'a'))) v(p, t),
	plan_adherence(p, t, '{"max_states": 1}') l,
	LATERAL (SELECT plan_distance(p, t)) d(truth);

-- Sub-agents: what is below one counts against its own plan.
CREATE TABLE team AS SELECT trajectory_from_actions('[{"tool": "ask"},
	{"agent": "researcher", "actions": [{"tool": "search"}, {"tool": "search"}, {"tool": "note"}]}, {"tool": "answer"}]') AS t;
SELECT explain('ask -> agent:researcher -> answer', t) FROM team;
SELECT explain('ask -> agent:researcher{search+ -> read} -> answer', t) FROM team;
SELECT explain('ask -> search -> answer', t) FROM team;
SELECT action_number, ordinal, kind, action, arguments, is_error FROM team, actions(t);

-- Revisions: each plan for its time, what is done is carried over.
CREATE TABLE revised AS SELECT trajectory_from_actions('[
	{"tool": "write_todos", "args": {"todos": [{"tool": "a"}, {"tool": "b"}, {"tool": "c"}]}},
	{"tool": "a"},
	{"tool": "write_todos", "args": {"todos": [{"tool": "a"}, {"tool": "d"}, {"content": "think"}]}},
	{"tool": "write_todos", "args": {"todos": [{"tool": "a"}, {"tool": "d"}]}},
	{"tool": "d"}]') AS t;
SELECT trace_plan(t), trace_plan(t, '{"tools": []}') IS NULL AS elsewhere FROM revised;
SELECT step_id, action, label, cost, revision FROM revised, plan_alignment(trace_plan(t), t);
SELECT deviation, revisions, churn, round(first_distance::numeric, 4) AS first_distance, superseded
FROM revised, plan_adherence(trace_plan(t), t);
SELECT trace_plan(t, '{"ordered": true}') FROM (SELECT trajectory_agg('5b8efff7-98d7-4f5b-9a1c-0d3c2b1a0f9e', '1', NULL, 'plan', 1, 2, NULL, NULL,
	'{"gen_ai.operation.name": "plan", "gen_ai.plan": "{\"steps\": [{\"action\": \"a\", \"input\": {\"x\": 1}}, {\"function\": \"b\", \"depends_on\": [\"a\"]}]}"}')) x(t);
SELECT note, trace_plan(t) FROM (VALUES ('search -> fetch-page -> answer'), ('First search, then answer.'), ('[{"tool": 5}, 7, null]'),
	('{"steps": [{"tool": "a", "repeat": "often", "id": {}}, {"tool": "b", "id": [1], "after": [{}, "zzz"]}]}'), ('[{"tool": "\u0000"}]'), ('[')) v(note),
	LATERAL (SELECT trajectory_agg('5b8efff7-98d7-4f5b-9a1c-0d3c2b1a0f9e', '1', NULL, 'x', 1, 2, NULL, NULL, jsonb_build_object('gen_ai.plan', n)) FROM (VALUES (note)) w(n)) x(t);
SELECT trace_plan(did('a'), '{"where": 1}');
-- Steps and their order are kept apart when a span comes in, without arguments and prose; so is nothing that is no plan.
SELECT t::text::jsonb #>> '{spans,0,derived,plan}' AS kept, trace_plan(t) FROM (VALUES
	('{"gen_ai.plan": "{\"goal\": \"Refund Ann\", \"steps\": [{\"id\": \"first, look\", \"tool\": \"search\", \"args\": {\"q\": \"secret\"}, \"why\": \"secret\"}, {\"id\": \"b\", \"action\": \"pay\", \"after\": [\"first, look\"]}, {\"name\": \"tell Ann\"}]}"}'::jsonb),
	('{"plan": "a -> b"}'), ('{"plan": "pro"}'), ('{"agent.plan": "[\"tell Ann\", \"secret words\"]"}'),
	('{"gen_ai.operation.name": "plan", "output.value": "[\"a\", \"b\"]"}'),
	('{"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "write_todos", "gen_ai.tool.call.arguments": "{\"todos\": [{\"tool\": \"a\"}]}"}'),
	('{"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "search", "gen_ai.tool.call.arguments": "{\"todos\": [{\"tool\": \"a\"}]}"}')) v(attributes),
	LATERAL (SELECT trajectory_agg('5b8efff7-98d7-4f5b-9a1c-0d3c2b1a0f9e', '1', NULL, 'x', 1, 2, NULL, NULL, attributes) FROM (VALUES (attributes)) w(attributes)) x(t);
-- It is read where the text is not, but for rules of one's own; a list may still be in order.
SELECT trace_plan(t), trace_plan(t, '{"ordered": true}') AS ordered, trace_plan(t, '{"tools": ["other"]}') AS by_rules
FROM (VALUES ('{"trace_id": "5b8efff798d74f5b9a1c0d3c2b1a0f9e", "spans": [{"span_id": "0000000000000001", "name": "x", "start_ns": 1, "end_ns": 2, "derived": {"plan": "{\"steps\": [{\"id\": \"a\", \"tool\": \"a\"}, {\"id\": \"b\", \"tool\": \"b\"}]}"}}]}'::trajectory)) v(t);
SELECT step_id, label, effect, is_error, is_unjudged FROM plan_alignment('a[2.5] -> b', did('b', 'c'), '{"effects": {"c": "read", "b": "write"}}');

-- However long the notes are, what is read of them can be read back.
CREATE FUNCTION noted(VARIADIC notes text[]) RETURNS trajectory LANGUAGE sql AS $$
	SELECT llmtrace.trajectory_agg('5b8efff7-98d7-4f5b-9a1c-0d3c2b1a0f9e', to_hex(i), NULL, 'x', i, 10000, NULL, NULL, jsonb_build_object('gen_ai.plan', note))
	FROM unnest(notes) WITH ORDINALITY n(note, i) $$;
SET statement_timeout = '20s';
SELECT what, p = p::text::plan AS reads_back, jsonb_array_length(p::text::jsonb->'steps') AS steps, jsonb_array_length(p::text::jsonb->'revisions') AS revisions
FROM (SELECT what, trace_plan(t) AS p FROM (
	SELECT 'steps' AS what, noted('[' || string_agg('{"tool": "a", "args": {"n": {}}}', ', ') || ']') AS t FROM generate_series(1, 1000)
	UNION ALL SELECT 'names', noted(format('["%1$s", "%1$s"]', repeat('é', 512)))
	UNION ALL SELECT 'revisions', noted(VARIADIC array_agg((SELECT string_agg('s' || i * k, ' -> ') FROM generate_series(1, 200) k))) FROM generate_series(1, 520) i
	UNION ALL SELECT 'order', noted('[' || string_agg(format('{"id": %s, "tool": "a", "after": %s}', i, (SELECT jsonb_agg(k) FROM generate_series(1, 320) k)), ', ') || ']')
		FROM generate_series(1, 320) i) x) y;
SELECT length(format('[{"tool": "a", "alternatives": [%s]}]', string_agg('"b"', ', '))::plan::text) FROM generate_series(1, 20000);
RESET statement_timeout;

-- The metrics of others.
SELECT mode, plan_match(p, did('a', 'b'), mode) AS same, plan_match(p, did('b', 'a'), mode) AS swapped,
	plan_match(p, did('a', 'x', 'b'), mode) AS more, plan_match(p, did('b'), mode) AS less, plan_match(p, did(), mode) AS nothing,
	plan_match(p, did('a', 'a', 'b', 'c'), mode) AS mixed
FROM unnest('{strict,unordered,superset,subset,exact,in_order,any_order,precision,recall}'::text[]) WITH ORDINALITY m(mode, i),
	(VALUES ('a -> b'::plan)) v(p) ORDER BY i;

-- Cycles.
SELECT * FROM plan_cycles('[{"id": "x", "tool": "x", "after": ["y"]}, {"id": "y", "tool": "y", "after": ["x", "z"]},
	{"id": "z", "tool": "z", "after": ["y"]}, {"id": "w", "tool": "w", "after": "z"}, {"id": "s", "tool": "s", "after": "s"}]');
SELECT count(*) FROM plan_cycles('a -> (b & c) -> d');

-- Chats.
SELECT action, arguments, is_error FROM actions(trajectory_from_messages('[
	{"role": "user", "content": "book it"},
	{"role": "assistant", "content": null, "tool_calls": [
		{"id": "1", "type": "function", "function": {"name": "search", "arguments": "{\"q\": 1}"}},
		{"id": "2", "type": "function", "function": {"name": "book", "arguments": "{}"}}]},
	{"role": "tool", "tool_call_id": "2", "content": "Error: sold out"},
	{"role": "tool", "tool_call_id": "1", "content": "found"}]'));
SELECT action, arguments, is_error FROM actions(trajectory_from_messages('{"messages": [
	{"role": "assistant", "content": [{"type": "text", "text": "I will."}, {"type": "tool_use", "id": "t1", "name": "search", "input": {"q": "x"}}]},
	{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "is_error": true, "content": [{"type": "text", "text": "no"}]}]},
	{"role": "assistant", "content": "Sorry."}]}'));
SELECT plan_distance('search -> book', trajectory_from_messages('[{"type": "ai", "tool_calls": [{"name": "search", "args": {}, "id": "1"}, {"name": "book", "args": {}, "id": "2"}]}]'));
SELECT show(trajectory_from_actions('[{"tool": "a"}, {"agent": "b", "actions": [{"model": "m"}, {"tool": "c", "failed": true}]}]'));
SELECT trajectory_from_actions('[{"args": {}}]');
SELECT trajectory_from_actions('[{"tool": "a", "arg": {}}]');
SELECT trajectory_from_messages('{"message": []}');

SET client_min_messages = warning;
DROP SCHEMA plan_test CASCADE;
