-- The trajectory type: text form, accessors, merging, aggregates.
SET search_path = llmtrace, public;
SET timezone = 'UTC';
SET extra_float_digits = 0;

-- Only a trace id, and of each span four members, are required; spans may
-- come in any order, ids may be short.
SELECT '{"trace_id": "1", "spans": [
	{"span_id": "2", "parent_span_id": "1", "name": "child", "start_ns": 20, "end_ns": 30},
	{"span_id": "1", "name": "root", "start_ns": 10, "end_ns": 40}]}'::trajectory;

-- Every kind of value, and everything else a span can hold.
CREATE TABLE samples (name text PRIMARY KEY, t trajectory);
INSERT INTO samples VALUES
('values', '{"trace_id": "0af7651916cd43dd8448eb211c80319c", "spans": [
	{"span_id": "1", "name": "v", "start_ns": 1, "end_ns": 2, "attributes": {
		"string": "a\"b\\c\n\u0001é", "empty": "", "true": true, "false": false,
		"int": 42, "min": -9223372036854775808, "max": 9223372036854775807,
		"beyond": 9223372036854775808, "double": 0.1, "whole": 3.0, "negative_zero": -0.0,
		"tiny": 5e-324, "nan": {"$double": "NaN"}, "inf": {"$double": "-Infinity"},
		"bytes": {"$bytes": "AAEC"}, "ref": {"$ref": "000102030405060708090a0b0c0d0e0f:1234"},
		"null": null, "array": [1, "a", [], [null, 2.5]], "kvlist": {"b": 1, "a": {"c": []}},
		"dollar": {"$kvlist": {"$double": "NaN"}}, "twice": 1, "twice": 2,
		"inner": {"k": 1, "l": 2, "k": 3}}}]}'),
('full', '{"trace_id": "ff", "canonical": {"app.feature": "feature"},
	"resources": [{"attributes": {"service.name": "shop"}, "schema_url": "https://x", "dropped_attributes_count": 2}],
	"scopes": [{"name": "lib", "version": "1.0", "attributes": {"a": 1}, "schema_url": "https://y"}],
	"spans": [
	{"span_id": "a", "name": "root", "span_kind": "server", "start_ns": 1000000000, "end_ns": 5000000000,
	 "status": "error", "status_message": "boom", "trace_state": "ot=th:8", "flags": 257, "repaired": 3,
	 "attributes": {"app.feature": "search"},
	 "events": [{"time_ns": 1500000000, "name": "exception", "attributes": {"exception.type": "Timeout"}, "dropped_attributes_count": 1}],
	 "links": [{"trace_id": "ee", "span_id": "b", "trace_state": "x=y", "flags": 1, "attributes": {"l": 1}}],
	 "dropped_attributes_count": 4, "dropped_events_count": 5, "dropped_links_count": 6}]}'),
('agent', '{"trace_id": "a9", "resources": [{"attributes": {"service.name": "planner"}}], "spans": [
	{"span_id": "1", "name": "run", "start_ns": 0, "end_ns": 10000000000,
	 "attributes": {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "planner",
		"gen_ai.usage.input_tokens": 300, "gen_ai.usage.output_tokens": 30, "ticket": 17}},
	{"span_id": "2", "parent_span_id": "1", "name": "chat m", "span_kind": "client", "start_ns": 100000000, "end_ns": 2000000000,
	 "attributes": {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "m",
		"gen_ai.response.model": "m-2", "gen_ai.usage.input_tokens": 100, "gen_ai.usage.output_tokens": 10}},
	{"span_id": "3", "parent_span_id": "1", "name": "execute_tool search", "start_ns": 2000000000, "end_ns": 3000000000,
	 "status": "error", "status_message": "timeout",
	 "attributes": {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "search", "gen_ai.tool.call.arguments": "{\"q\":1}"}},
	{"span_id": "4", "parent_span_id": "1", "name": "execute_tool search", "start_ns": 3000000000, "end_ns": 4000000000,
	 "status": "error", "attributes": {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "search", "gen_ai.tool.call.arguments": "{\"q\":1}"}},
	{"span_id": "5", "parent_span_id": "1", "name": "execute_tool search", "start_ns": 4000000000, "end_ns": 5000000000,
	 "attributes": {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "search", "gen_ai.tool.call.arguments": "{\"q\":1}"}},
	{"span_id": "6", "parent_span_id": "1", "name": "chat m", "start_ns": 5000000000, "end_ns": 9000000000,
	 "attributes": {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m", "gen_ai.usage.input_tokens": 200, "gen_ai.usage.output_tokens": 20}}]}'),
('odd', '{"trace_id": "0dd", "spans": [
	{"span_id": "1", "parent_span_id": "99", "name": "orphan", "start_ns": 5, "end_ns": 9},
	{"span_id": "2", "parent_span_id": "3", "name": "cycle a", "start_ns": 7, "end_ns": 9},
	{"span_id": "3", "parent_span_id": "2", "name": "cycle b", "start_ns": 6, "end_ns": 9},
	{"span_id": "4", "parent_span_id": "4", "name": "own parent", "start_ns": 8, "end_ns": 9},
	{"span_id": "5", "parent_span_id": "1", "name": "backwards", "start_ns": 8, "end_ns": 1},
	{"span_id": "6", "name": "open root", "start_ns": 4, "end_ns": null}]}');

SELECT name, t FROM samples ORDER BY name;

-- Text and binary come back as they were.
SELECT name, t::text::trajectory = t AS text_survives FROM samples ORDER BY name;
CREATE FUNCTION pg_temp.settings_do_not_matter() RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE before text; after text;
BEGIN
	SELECT string_agg(t::text, '' ORDER BY name) INTO before FROM samples;
	SET LOCAL extra_float_digits = -15;
	SET LOCAL timezone = 'Asia/Tokyo';
	SET LOCAL datestyle = 'German';
	SELECT string_agg(t::text, '' ORDER BY name) INTO after FROM samples;
	RETURN before = after;
END $$;
SELECT pg_temp.settings_do_not_matter();

-- Accessors.
SELECT name, trace_id(t), started_at(t), ended_at(t), duration_ms(t), span_count(t), error_count(t),
	root_name(t), status(t), depth(t), is_complete(t), input_tokens(t), output_tokens(t)
FROM samples ORDER BY name;
SELECT attr(t, 'ticket') AS root, attr(t, 'service.name') AS resource, attr(t, 'nothing') IS NULL AS absent
FROM samples WHERE name = 'agent';

-- The tree.
SELECT samples.name, ordinal, parent, depth, subtree_count, span_id, parent_span_id, is_orphan, s.name AS span,
	start_ms, duration_ms, self_ms
FROM samples, LATERAL (SELECT * FROM spans(t)) s(trace_id, span_id, parent_span_id, ordinal, parent, depth,
	subtree_count, name, kind, operation, span_kind, started_at, span_started_at, span_ended_at, start_ms, duration_ms, self_ms)
WHERE samples.name IN ('agent', 'odd') ORDER BY samples.name, ordinal;
SELECT ordinal, kind, operation, span_kind, status, status_message, is_error, error_type, provider, model, tool_name, attempt,
	usage_scope, input_tokens, output_tokens, reported_input_tokens, reported_output_tokens
FROM samples, spans(t) WHERE samples.name = 'agent';
SELECT c.* FROM samples, logical_calls(t) AS c WHERE name = 'agent';
SELECT show(t) FROM samples WHERE name = 'agent';
SELECT show(t) FROM samples WHERE name = 'odd';
SELECT name, path_signature(t), failure_signature(t) FROM samples ORDER BY name;
SELECT path_signature('{"trace_id": "1", "spans": [{"span_id": "1", "name": "s x3", "start_ns": 1, "end_ns": 2}, {"span_id": "2", "name": "a > b\nc", "start_ns": 1, "end_ns": 2}]}');
SELECT span_attributes(t, 1) FROM samples WHERE name = 'values';
SELECT span_events(t, 1), span_links(t, 1) FROM samples WHERE name = 'full';
SELECT span_events(t, 1), span_links(t, 1), span_attributes(t, 2) FROM samples WHERE name = 'agent';

-- A part of the tree.
SELECT subtree(t, 1) = t AS whole, path_signature(subtree(t, 3)), is_complete(subtree(t, 3)), t || subtree(t, 3) = t AS belongs
FROM samples WHERE name = 'agent';

-- Merging.
CREATE TEMP TABLE version (v int, t trajectory);
INSERT INTO version VALUES
(1, '{"trace_id": "1", "spans": [{"span_id": "1", "name": "a", "start_ns": 1, "end_ns": null, "attributes": {"x": 1, "y": 2, "z": 3}}]}'),
(2, '{"trace_id": "1", "spans": [{"span_id": "1", "name": "a", "start_ns": 1, "end_ns": 9}]}'),
(3, '{"trace_id": "1", "spans": [{"span_id": "1", "name": "a", "start_ns": 1, "end_ns": 9, "attributes": {"x": 1}}]}'),
(4, '{"trace_id": "1", "spans": [{"span_id": "2", "parent_span_id": "1", "name": "b", "start_ns": 2, "end_ns": 3}]}'),
(5, '{"trace_id": "1", "spans": [{"span_id": "1", "name": "a", "start_ns": 1, "end_ns": 9, "attributes": {"x": 2}}]}');
SELECT a.v, b.v, merge(a.t, b.t) = merge(b.t, a.t) AS commutes, a.t || a.t = a.t AS idempotent,
	span_attributes(a.t || b.t, 1) AS attributes, span_count(a.t || b.t), is_complete(a.t || b.t)
FROM version a, version b WHERE a.v < b.v ORDER BY 1, 2;
SELECT bool_and((a.t || b.t) || c.t = a.t || (b.t || c.t)) AS associates FROM version a, version b, version c;
SELECT merge_agg(t ORDER BY v) = merge_agg(t ORDER BY v DESC) AS any_order, merge_agg(t) AS merged FROM version;
SELECT v, span_count(merge_agg(t) OVER (ORDER BY v)) FROM version;
SELECT merge_agg(t) FROM version WHERE false;
SELECT merge_agg(t) = (SELECT t FROM version WHERE v = 2) AS null_is_left_out FROM (VALUES (NULL::trajectory)) n(t)
	FULL JOIN (SELECT t FROM version WHERE v = 2) x USING (t);

-- A mapping is not forgotten with the span that brought it.
CREATE TEMP TABLE mapping (v text, t trajectory);
INSERT INTO mapping VALUES
('a', '{"trace_id": "1", "canonical": {"m": "error_type"}, "spans": [{"span_id": "1", "name": "n", "start_ns": 1, "end_ns": null, "attributes": {"m": "a"}}]}'),
('b', '{"trace_id": "1", "spans": [{"span_id": "1", "name": "n", "start_ns": 1, "end_ns": 2}]}'),
('c', '{"trace_id": "1", "spans": [{"span_id": "2", "name": "n", "start_ns": 1, "end_ns": 2, "attributes": {"m": "x"}}]}');
SELECT (a.t || b.t) || c.t = a.t || (b.t || c.t) AS associates, error_count((a.t || b.t) || c.t), a.t || b.t AS a_and_b
FROM mapping a, mapping b, mapping c WHERE a.v = 'a' AND b.v = 'b' AND c.v = 'c';

-- From a table of spans.
CREATE TEMP TABLE my_span (trace uuid, id text, parent text, name text, at timestamptz, till timestamptz, kind text, status text, attrs jsonb);
INSERT INTO my_span VALUES
('11111111-1111-1111-1111-111111111111', '1', NULL, 'root', '2026-01-01 00:00:00.000001+00', '2026-01-01 00:00:02+00', 'server', 'ok', '{"n": 1, "f": 1.5, "w": 2.0, "o": {"a": [1, null, "x"]}, "b": true, "z": null}'),
('11111111-1111-1111-1111-111111111111', '2', '1', 'child', '2026-01-01 00:00:01+00', NULL, NULL, NULL, NULL),
('22222222-2222-2222-2222-222222222222', '3', '', 'other', '2026-01-01 00:00:01+00', '2026-01-01 00:00:00+00', 'SPAN_KIND_CLIENT', 'STATUS_CODE_ERROR', '{}');
SELECT trajectory_agg(trace, id, parent, name, at, till, kind, status, attrs) FROM my_span GROUP BY trace ORDER BY trace;
SELECT trajectory_agg('11111111-1111-1111-1111-111111111111'::uuid, '1', NULL, 'n', 1700000000123456789, 1700000000123456999, NULL, NULL, NULL);
SELECT id, span_count(trajectory_agg(trace, id, parent, name, at, till, kind, status, attrs) OVER (PARTITION BY trace ORDER BY id)) FROM my_span;

-- Order, equality and hashing.
SELECT count(DISTINCT t), count(*) FROM (SELECT t FROM samples UNION ALL SELECT t FROM samples) x;
SELECT name FROM samples ORDER BY t;
SELECT a.name, b.name FROM samples a JOIN samples b ON a.t = b.t WHERE a.name < b.name;
SELECT bool_and(trajectory_hash(t) = trajectory_hash(t::text::trajectory)) FROM samples;
CREATE INDEX ON samples (t);
CREATE INDEX ON samples USING hash (t);

-- A very deep and a very wide trajectory.
CREATE TEMP TABLE large AS
SELECT 'chain' AS name, trajectory_agg('11111111-1111-1111-1111-111111111111'::uuid, to_hex(i), CASE WHEN i > 1 THEN to_hex(i - 1) END,
	'n', i::bigint, (400000 - i)::bigint, NULL, CASE WHEN i = 100000 THEN 'error' END, NULL) AS t FROM generate_series(1, 100000) i
UNION ALL
SELECT 'fan', trajectory_agg('11111111-1111-1111-1111-111111111111'::uuid, to_hex(i), CASE WHEN i > 1 THEN '1' END,
	'n', i::bigint, (400000 - i)::bigint, NULL, CASE WHEN i = 100000 THEN 'error' END, NULL) FROM generate_series(1, 100000) i
UNION ALL
SELECT 'loop', trajectory_agg('11111111-1111-1111-1111-111111111111'::uuid, to_hex(i), to_hex(1 + (i + 99998) % 100000),
	'n', i::bigint, (400000 - i)::bigint, NULL, NULL, NULL) FROM generate_series(1, 100000) i;
SELECT name, span_count(t), depth(t), is_complete(t), t::text::trajectory = t AS text, t || t = t AS merge,
	length(show(t)) < 200000 AS show, length(path_signature(t)) > 3 AS path, length(failure_signature(t)) > 0 AS failure,
	(SELECT count(*) FROM spans(t)) AS spans, span_count(subtree(t, 50000)) AS subtree,
	span_count((SELECT merge_agg(o) FROM trajectories_from_otlp(to_otlp(t)) o)) AS otlp,
	(SELECT count(*) FROM logical_calls(t)) AS calls
FROM large ORDER BY name;

-- What is wrong is said, and where.
\set VERBOSITY default
SELECT ''::trajectory;
SELECT '{'::trajectory;
SELECT '[]'::trajectory;
SELECT '{"trace_id": "1", "spans": []}'::trajectory;
SELECT '{"spans": [{"span_id": "1", "name": "a", "start_ns": 1, "end_ns": 2}]}'::trajectory;
SELECT '{"trace_id": "xyz", "spans": []}'::trajectory;
SELECT '{"trace_id": "1", "spans": [{"span_id": "1", "name": "a", "start_ns": 1, "end_ns": 2, "colour": "red"}]}'::trajectory;
SELECT '{"trace_id": "1", "spans": [{"span_id": "1", "name": "a", "start_ns": 1}]}'::trajectory;
SELECT '{"trace_id": "1", "spans": [{"span_id": "0", "name": "a", "start_ns": 1, "end_ns": 2}]}'::trajectory;
SELECT '{"trace_id": "1", "spans": [{"span_id": "1", "name": "a", "start_ns": -1, "end_ns": 2}]}'::trajectory;
SELECT '{"trace_id": "1", "spans": [{"span_id": "1", "name": "a", "start_ns": 1.5, "end_ns": 2}]}'::trajectory;
SELECT '{"trace_id": "1", "spans": [{"span_id": "1", "name": "a", "start_ns": 1, "end_ns": 2, "status": "bad"}]}'::trajectory;
SELECT '{"trace_id": "1", "spans": [{"span_id": "1", "name": "a", "start_ns": 1, "end_ns": 2, "resource": 1}]}'::trajectory;
SELECT '{"trace_id": "1", "spans": [{"span_id": "1", "name": "a", "start_ns": 1, "end_ns": 2, "attributes": {"x": 1e999}}]}'::trajectory;
SELECT '{"trace_id": "1", "spans": [{"span_id": "1", "name": "a", "start_ns": 1, "end_ns": 2, "attributes": {"x": {"$what": 1}}}]}'::trajectory;
SELECT '{"trace_id": "1", "spans": [{"span_id": "1", "name": "a", "start_ns": 1, "end_ns": 2},
 {"span_id": "01", "name": "b", "start_ns": 1, "end_ns": 2}]}'::trajectory;
SELECT '{"trace_id": "1", "canonical": {"a": "no_such_column"}, "spans": []}'::trajectory;
SELECT ('{"trace_id": "1", "spans": [{"span_id": "1", "name": "a", "start_ns": 1, "end_ns": 2, "attributes": {"x": ' || repeat('[', 10000) || repeat(']', 10000) || '}}]}')::trajectory;
SELECT ('{"trace_id": "1", "spans": [{"span_id": "1", "name": "' || repeat('x', 65536) || '", "start_ns": 1, "end_ns": 2}]}')::trajectory;
SELECT merge(a.t, b.t) FROM samples a, samples b WHERE a.name = 'agent' AND b.name = 'odd';
SELECT merge_agg(t) FROM samples;
SELECT subtree(t, 7) FROM samples WHERE name = 'agent';
SELECT span_attributes(t, 0) FROM samples WHERE name = 'agent';
SELECT trajectory_agg(NULL, '1', NULL, 'n', now(), NULL, NULL, NULL, NULL);
SELECT trajectory_agg('11111111-1111-1111-1111-111111111111'::uuid, NULL, NULL, 'n', now(), NULL, NULL, NULL, NULL);
SELECT trajectory_agg('11111111-1111-1111-1111-111111111111'::uuid, 'nothex', NULL, 'n', now(), NULL, NULL, NULL, NULL);
SELECT trajectory_agg('11111111-1111-1111-1111-111111111111'::uuid, '1', NULL, 'n', NULL::timestamptz, NULL, NULL, NULL, NULL);
SELECT trajectory_agg('11111111-1111-1111-1111-111111111111'::uuid, '1', NULL, 'n', 'infinity'::timestamptz, NULL, NULL, NULL, NULL);
SELECT trajectory_agg('11111111-1111-1111-1111-111111111111'::uuid, '1', NULL, 'n', now(), NULL, 'bogus', NULL, NULL);
SELECT trajectory_agg('11111111-1111-1111-1111-111111111111'::uuid, '1', NULL, 'n', now(), NULL, NULL, NULL, '[1]');
SELECT trajectory_agg('00000000-0000-0000-0000-000000000000'::uuid, '1', NULL, 'n', now(), NULL, NULL, NULL, NULL);

DROP TABLE samples;
