-- The critical path, situation by situation; slack, what-if and budgets.
-- Random traces against an oracle: test/t/060_latency.pl.
SET search_path = llmtrace, public;

-- A trace from lines of name, parent, start and end in ms (NULL: open), kind.
CREATE FUNCTION trace_of(spans jsonb) RETURNS trajectory LANGUAGE sql AS $$
	SELECT trajectory_agg('00000000-0000-0000-0000-000000000001'::uuid, lpad(to_hex(n), 16, '0'),
		(SELECT lpad(to_hex(p.n), 16, '0') FROM jsonb_array_elements(spans) WITH ORDINALITY p(s, n) WHERE p.s->>0 = x.s->>1
			UNION ALL SELECT '00000000000000ff' WHERE x.s->>1 = 'missing'),
		x.s->>0, 1000000000 + ((x.s->>2)::numeric * 1000000)::bigint, 1000000000 + ((x.s->>3)::numeric * 1000000)::bigint,
		coalesce(x.s->>4, 'internal'), 'unset', coalesce(x.s->5, '{}'))
	FROM jsonb_array_elements(spans) WITH ORDINALITY x(s, n)
$$;
CREATE FUNCTION path(t trajectory) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(format('%s %s-%s', name, start_ms, end_ms) || CASE WHEN async_overrun THEN '!' ELSE '' END, ', ' ORDER BY section)
	FROM critical_path(t)
$$;

CREATE TABLE situation (number int, what text, t trajectory);
INSERT INTO situation SELECT row_number() OVER (), what, trace_of(spans::jsonb) FROM (VALUES
	('one span', '[["root",null,0,10]]'),
	('one after the other', '[["root",null,0,10],["a","root",1,4],["b","root",5,9]]'),
	('siblings that touch', '[["root",null,0,10],["a","root",0,4],["b","root",4,7],["c","root",7,10]]'),
	('siblings that overlap: the later to end', '[["root",null,0,10],["a","root",0,6],["b","root",5,10]]'),
	('side by side: the slowest', '[["root",null,0,10],["a","root",1,6],["b","root",1,9],["c","root",1,3]]'),
	('equal ends: the first to start', '[["root",null,0,10],["a","root",3,9],["b","root",1,9]]'),
	('equal spans: the lower id', '[["root",null,0,10],["a","root",1,9],["b","root",1,9]]'),
	('a child outlives its parent', '[["root",null,0,10],["a","root",5,14]]'),
	('a child begins before its parent', '[["root",null,5,10],["a","root",3,7]]'),
	('a child before its parent, with its own', '[["root",null,5,10],["a","root",1,4],["b","a",1,4]]'),
	('a child after its parent', '[["root",null,0,10],["a","root",10,14],["b","root",12,13]]'),
	('a span of no length', '[["root",null,0,10],["a","root",2,5],["z","root",5,5],["b","root",5,8]]'),
	('a root of no length', '[["root",null,5,5],["a","root",5,5]]'),
	('an open span', '[["root",null,0,10],["a","root",2,null],["b","a",3,7]]'),
	('an open root', '[["root",null,0,null],["a","root",2,6]]'),
	('all open', '[["root",null,0,null],["a","root",2,null]]'),
	('a producer and its consumer', '[["root",null,0,10],["send","root",1,9,"producer"],["take","send",2,8,"consumer"]]'),
	('follows from', '[["root",null,0,10],["a","root",1,9]]'),
	('an orphan', '[["root",null,0,10],["a","root",1,4],["lost","missing",2,20],["b","lost",3,5]]'),
	('two roots', '[["one",null,0,10],["two",null,5,20]]'),
	('a cycle', '[["x","y",0,10],["y","x",2,8]]'),
	('wrappers', '[["graphql.execute",null,0,10],["graphql.resolve","graphql.execute",1,9],["agent","graphql.resolve",2,8]]')
) s(what, spans);

-- A link that says the span follows from its parent.
UPDATE situation SET t = replace(t::text, '"name": "a"', '"name": "a", "links": [{"trace_id": "00000000000000000000000000000001", "span_id": "0000000000000001", "attributes": {"opentracing.ref_type": "follows_from"}}]')::trajectory
WHERE what = 'follows from';

SELECT number, what, path(t) FROM situation ORDER BY number;

-- Options.
SELECT number, what, string_agg(format('%s %s-%s', name, start_ms, end_ms), ', ' ORDER BY section)
FROM situation, critical_path(t, compat => 'jaeger') GROUP BY number, what ORDER BY number;
SELECT what, option, string_agg(format('%s %s-%s', name, start_ms, end_ms), ', ' ORDER BY o, section) FROM (
	SELECT 1 AS o, what, 'async exclude' AS option, p.* FROM situation, critical_path(t, async => 'exclude') p WHERE what = 'a child outlives its parent'
	UNION ALL SELECT 2, what, 'async extend', p.* FROM situation, critical_path(t, async => 'extend') p WHERE what = 'a child outlives its parent'
	UNION ALL SELECT 3, what, 'tolerance_ms', p.* FROM situation, critical_path(t, tolerance_ms => 1) p WHERE what LIKE 'siblings that overlap%'
	UNION ALL SELECT 4, what, 'tolerance_share', p.* FROM situation, critical_path(t, tolerance_share => 0.1) p WHERE what LIKE 'siblings that overlap%'
	UNION ALL SELECT 5, what, 'blocking', p.* FROM situation, critical_path(t, blocking => '{}') p WHERE what LIKE 'a producer%'
	UNION ALL SELECT 6, what, 'exclude', p.* FROM situation, critical_path(t, exclude => '{ name =~ "graphql.*" }') p WHERE what = 'wrappers'
	UNION ALL SELECT 7, what, 'roots', p.* FROM situation, critical_path(t, roots => 'primary') p WHERE what IN ('two roots', 'an orphan')
) x GROUP BY o, what, option ORDER BY o, what;
-- NULL is the default.
SELECT count(*) FILTER (WHERE a = b), count(*) FROM situation,
	LATERAL (SELECT path(t) AS a, (SELECT string_agg(format('%s %s-%s', name, start_ms, end_ms) || CASE WHEN async_overrun THEN '!' ELSE '' END, ', ' ORDER BY section)
		FROM critical_path(t, NULL, NULL, NULL, NULL, NULL, NULL, NULL)) AS b) x WHERE number BETWEEN 2 AND 12;

-- Rows in full.
SELECT * FROM critical_path(trace_of('[["run",null,0,10,"internal",{"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "planner"}],
	["search","run",1,4,"internal",{"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "web"}],["chat","run",4,9,"client",{"gen_ai.operation.name": "chat"}]]'));
SELECT critical_ms(t, '{ name = "b" }'), critical_ms(t, '{}'), critical_ms(t, '{ name = "nothing" }'), critical_ms(NULL, '{}') IS NULL AS of_null
FROM situation WHERE number = 2;
SELECT count(*) FROM critical_path(NULL);

-- Slack and drag.
SELECT what, s.name, x.* FROM situation, spans(t) s, span_timing(t) x
WHERE s.ordinal = x.ordinal AND number IN (4, 5, 8, 14, 17) ORDER BY number, s.ordinal;

-- What if.
SELECT number, factor, w.* FROM situation, unnest(ARRAY[0, 0.5, 1, 2]::float8[]) factor, what_if(t, '{ name = "b" }', factor) w
WHERE number IN (2, 5) ORDER BY number, factor;
SELECT number, w.* FROM situation, what_if(t, '{}', 0.5) w WHERE number IN (2, 8, 20) ORDER BY number;

-- Budgets: a node is over, its parent absorbs it; over without any child; latent; too many.
CREATE TABLE run AS SELECT trace_of('[["run",null,0,100],["plan","run",0,20],["search","run",20,50],["fetch","search",22,30],["fetch","search",30,44],
	["fetch","search",22,40],["write","run",50,95]]') AS t;
SELECT b.* FROM run, latency_budget(t, '{"node": "run", "ms": 90, "reserve_ms": 5, "children": [
	{"node": "plan", "pattern": "{ name = \"plan\" }", "ms": 10},
	{"node": "search", "pattern": "{ name = \"search\" }", "ms": 34, "children": [
		{"node": "fetch", "pattern": "{ name = \"fetch\" }", "ms": 17, "max_instances": 2}]},
	{"node": "write", "pattern": "{ name = \"write\" }", "ms": 41}]}') b;
SELECT b.* FROM run, latency_budget(t, '{"ms": 99, "combine": "max", "children": [{"pattern": "{ name = \"fetch\" }", "ms": 15}, {"pattern": "{ name = \"write\" }", "ms": 60}]}') b;
SELECT node, verdict FROM run, latency_budget(t, '{"ms": 200, "children": [{"pattern": "{ name = \"plan\" }", "ms": 1}]}');

-- The two identities, over budgets and traces.
SELECT bool_and(abs(over - created + absorbed) < 1e-9) AS created_less_absorbed, bool_and(abs(over - blame) < 1e-9) AS blame, count(*)
FROM (SELECT sum(created_ms) AS created, sum(absorbed_ms) AS absorbed, sum(blame_ms) AS blame, max(overrun_ms) FILTER (WHERE node = 'all') AS over
	FROM situation, generate_series(1, 20) ms,
		latency_budget(t, format('{"node": "all", "ms": %s, "children": [{"pattern": "{ name = \"a\" }", "ms": %s, "children": [{"pattern": "{ name = \"b\" }", "ms": %s}]}]}',
			ms * 0.5, ms * 0.2, ms * 0.1)::jsonb)
	GROUP BY number, ms) x;

-- Bad input.
SELECT * FROM run, critical_path(t, async => 'wait');
SELECT * FROM run, critical_path(t, roots => 'all');
SELECT * FROM run, critical_path(t, compat => 'zipkin');
SELECT * FROM run, critical_path(t, compat => 'jaeger', tolerance_ms => 1);
SELECT * FROM run, critical_path(t, tolerance_ms => -1);
SELECT * FROM run, critical_path(t, tolerance_share => 1.5);
SELECT * FROM run, critical_path(t, tolerance_ms => 'NaN');
SELECT * FROM run, critical_path(t, exclude => '{ nme = 1 }');
SELECT * FROM run, what_if(t, '{}', -1);
SELECT * FROM run, what_if(t, '{}', 'Infinity');
SELECT * FROM run, latency_budget(t, '{"ms": 10, "children": [{"node": "fetches", "pattern": "{}", "ms": 10, "children": [{"pattern": "{ name = \"a\" }", "ms": 6, "max_instances": 2}]}]}');
SELECT * FROM run, latency_budget(t, '{"ms": 10, "reserve_ms": 11}');
SELECT * FROM run, latency_budget(t, '{"node": "all"}');
SELECT * FROM run, latency_budget(t, '{"ms": 10, "children": [{"node": "x", "ms": 1}]}');
SELECT * FROM run, latency_budget(t, '{"ms": 10, "children": [{"pattern": "{", "ms": 1}]}');
SELECT * FROM run, latency_budget(t, '{"ms": 10, "child": []}');
SELECT * FROM run, latency_budget(t, '{"ms": "10"}');
SELECT * FROM run, latency_budget(t, '{"ms": -10}');
SELECT * FROM run, latency_budget(t, '{"ms": 1e400}');
SELECT * FROM run, latency_budget(t, '{"ms": 10, "max_instances": 0}');
SELECT * FROM run, latency_budget(t, '{"ms": 10, "combine": "avg"}');
SELECT * FROM run, latency_budget(t, '{"ms": 10, "children": {}}');
SELECT * FROM run, latency_budget(t, '[]');
\set VERBOSITY terse
SELECT * FROM run, critical_path(t, tolerance => 1);
SELECT * FROM run, latency_budget(t, '{"ms": 10');
\set VERBOSITY default

DROP TABLE situation, run;
DROP FUNCTION path(trajectory), trace_of(jsonb);
