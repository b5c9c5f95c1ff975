-- Functions of wide rows compute the columns that a query reads, and no query
-- can tell: each gives what it gives of a function that computes all of them.
SET search_path = llmtrace, public;

CREATE TABLE wide AS SELECT id, format('{"trace_id":"000000000000000000000000000000%s","spans":[
{"span_id":"1","name":"agent","start_ns":1000000000,"end_ns":9000000000,"attributes":{"gen_ai.operation.name":"invoke_agent","gen_ai.agent.name":"a"}},
{"span_id":"2","parent_span_id":"1","name":"plan","start_ns":1000000000,"end_ns":2000000000,"attributes":{"gen_ai.operation.name":"chat","gen_ai.request.model":"m","gen_ai.usage.input_tokens":%s,"gen_ai.provider.name":"OpenAI"}},
{"span_id":"3","parent_span_id":"1","name":"search","start_ns":2000000000,"end_ns":3000000000,"status":"error","status_message":"timed out","attributes":{"gen_ai.operation.name":"execute_tool","gen_ai.tool.name":"search"}},
{"span_id":"4","parent_span_id":"1","name":"search","start_ns":3000000000,"end_ns":4000000000,"attributes":{"gen_ai.operation.name":"execute_tool","gen_ai.tool.name":"search"}}
]}', id, id)::trajectory AS t FROM generate_series(10, 12) id;
ANALYZE wide;
CREATE TABLE target (ordinal integer PRIMARY KEY, note text);
INSERT INTO target VALUES (1, 'x'), (3, 'y');

-- What the planner asks for: bit c of wanted is column c
CREATE FUNCTION wanted(query text) RETURNS TABLE (wanted text) LANGUAGE plpgsql AS $$
DECLARE line text;
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (VERBOSE, COSTS OFF) ' || query LOOP
		IF line ~ 'Function Call: .*spans\(' THEN
			wanted := coalesce((SELECT string_agg(n.name, ' ' ORDER BY n.place)
				FROM (SELECT a.name, a.place FROM pg_proc p,
						unnest(p.proargnames[3:]) WITH ORDINALITY a (name, place)
					WHERE p.oid = 'spans(trajectory, bigint)'::regprocedure) n
				WHERE substring(line FROM $re$'(-?\d+)'::bigint$re$)::bigint >> (n.place - 1)::int & 1 = 1), 'nothing');
			RETURN NEXT;
		END IF;
	END LOOP;
END $$;
CREATE VIEW seen AS SELECT id, s.*, s.name || '!' AS loud FROM wide, spans(t) s;
CREATE VIEW seen_again AS SELECT id, kind, duration_ms, loud FROM seen;
SELECT wanted('SELECT name FROM wide, spans(t)');
SELECT wanted('SELECT count(*) FROM wide, spans(t)');
SELECT wanted('SELECT count(*) FROM wide, spans(t) WHERE kind = ''tool'' AND duration_ms > 5');
SELECT wanted('SELECT loud FROM seen_again WHERE id = 10 ORDER BY kind');
SELECT wanted('SELECT count(*) FROM seen JOIN wide USING (id) GROUP BY seen.model HAVING max(depth) > 1');
SELECT wanted('SELECT (SELECT count(*) FROM target g WHERE g.ordinal = s.ordinal) FROM wide, spans(t) s');
SELECT wanted('SELECT a.name, b.kind FROM wide, spans(t) a JOIN spans((SELECT t FROM wide LIMIT 1)) b USING (ordinal)');
SELECT wanted('SELECT x.m FROM wide, ROWS FROM (spans(t), generate_series(1, 9)) WITH ORDINALITY x (a, b, c, d, e, f, g, h, i, j, k, l, m)');

-- What comes of it: spans() beside a function that always gives all
DO $$
BEGIN
	EXECUTE (SELECT format('CREATE FUNCTION whole_spans(t trajectory) RETURNS TABLE (%s) LANGUAGE plpgsql IMMUTABLE AS %L',
			string_agg(quote_ident(name) || ' ' || type::regtype, ', ' ORDER BY place),
			'#variable_conflict use_column
			BEGIN RETURN QUERY SELECT (r).* FROM (SELECT s AS r FROM spans(t) s OFFSET 0) x; END')
		FROM pg_proc p, unnest(p.proargnames[3:], p.proallargtypes[3:]) WITH ORDINALITY a (name, type, place)
		WHERE p.oid = 'spans(trajectory, bigint)'::regprocedure);
END $$;
CREATE FUNCTION is_same(query text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
	pruned text;
	whole text;
BEGIN
	EXECUTE format('SELECT string_agg(x::text, E''\n'' ORDER BY x::text) FROM (%s) x', query) INTO pruned;
	EXECUTE format('SELECT string_agg(x::text, E''\n'' ORDER BY x::text) FROM (%s) x',
		replace(replace(query, ' spans(', ' whole_spans('), ' seen', ' whole_seen')) INTO whole;
	IF pruned IS NULL THEN RAISE EXCEPTION 'no rows'; END IF;
	RETURN pruned IS NOT DISTINCT FROM whole;
END $$;
CREATE VIEW whole_seen AS SELECT id, s.*, s.name || '!' AS loud FROM wide, whole_spans(t) s;
CREATE VIEW whole_seen_again AS SELECT id, kind, duration_ms, loud FROM whole_seen;
-- Those that differ
SELECT query FROM unnest(ARRAY[
	'SELECT * FROM wide, spans(t)',
	'SELECT s FROM wide, spans(t) s',
	'SELECT s.*, s IS NULL FROM wide, spans(t) s',
	'SELECT (s).name FROM wide, spans(t) s',
	'SELECT row_to_json(s)::text FROM wide, spans(t) s',
	'SELECT count(s), count(DISTINCT s.name) FROM wide, spans(t) s',
	'SELECT x FROM wide, spans(t) s (a, b, c, d, e, f, g, x)',
	'SELECT id, name, model, x FROM wide, spans(t) WITH ORDINALITY s (a, b, c, d, e, f, g, name), LATERAL (SELECT name || id AS x) y',
	'SELECT c8, c53, c54, c75, c76, model FROM wide, ROWS FROM ( spans(t), spans(t), generate_series(1, 5)) WITH ORDINALITY a ('
		|| (SELECT string_agg('c' || n, ', ' ORDER BY n) FROM generate_series(1, 76) n) || '), spans(t) b',
	'SELECT n, tool_name FROM wide, ROWS FROM (generate_series(1, 5), spans(t)) WITH ORDINALITY x (n)',
	'SELECT name, (SELECT string_agg(b.kind, '','' ORDER BY b.ordinal) FROM spans(t) b WHERE b.parent = a.ordinal AND b.duration_ms <= a.duration_ms) FROM wide, spans(t) a',
	'SELECT name FROM wide, spans(t) a WHERE EXISTS (SELECT FROM spans(t) b WHERE b.parent = a.ordinal AND b.is_error)',
	'SELECT name FROM wide, spans(t) a WHERE NOT EXISTS (SELECT FROM spans(t) b WHERE b.parent = a.ordinal)',
	'SELECT name FROM wide, spans(t) a WHERE (kind, depth) IN (SELECT kind, depth FROM seen)',
	'SELECT name FROM wide, spans(t) a WHERE depth = ALL (SELECT b.depth FROM seen b WHERE b.kind = a.kind)',
	'SELECT name FROM wide, spans(t) a WHERE a.ordinal = ANY (ARRAY(SELECT g.ordinal FROM target g WHERE g.note <> a.kind))',
	'SELECT a.name, b.model FROM wide, spans(t) a LEFT JOIN LATERAL (SELECT x.model, x.parent FROM spans(t) x WHERE x.kind = ''llm'') b ON b.parent = a.ordinal',
	'SELECT a.name, b.model FROM wide, spans(t) a LEFT JOIN LATERAL (SELECT coalesce(x.model, a.kind) AS model, x.parent FROM spans(t) x) b ON b.parent = a.ordinal',
	'SELECT ordinal, a.name, b.kind FROM wide w, LATERAL (SELECT * FROM spans(w.t) a1) a JOIN seen b USING (ordinal)',
	'SELECT * FROM seen a NATURAL JOIN target',
	'SELECT ordinal, note, loud FROM seen FULL JOIN target USING (ordinal)',
	'SELECT j.note, j.model FROM (target JOIN seen USING (ordinal)) j',
	'SELECT j.model, j.x FROM (wide w (x) CROSS JOIN LATERAL spans(t) s) j',
	'SELECT k.kind, note FROM ((wide CROSS JOIN LATERAL spans(t) s) i JOIN target USING (ordinal)) k WHERE k.id > 0',
	'SELECT s.ordinal, s.depth FROM wide CROSS JOIN LATERAL spans(t) s NATURAL JOIN (SELECT 2 AS depth, ''chat'' AS operation) x WHERE x.operation <> ''''',
	'SELECT ordinal, note FROM (wide CROSS JOIN LATERAL spans(t) s) FULL JOIN target USING (ordinal)',
	'SELECT j FROM (wide CROSS JOIN LATERAL spans(t) s) j',
	'SELECT j FROM (target JOIN seen USING (ordinal)) j',
	'SELECT j.x, j.provider FROM (target g JOIN seen s USING (ordinal)) j (x)',
	'SELECT k.status_message, (SELECT k.kind) FROM ((target JOIN seen USING (ordinal)) j JOIN generate_series(1, 2) n ON n < j.depth) k',
	'SELECT name FROM (SELECT name, kind FROM wide, spans(t) UNION ALL SELECT loud, model FROM seen UNION ALL SELECT note, note FROM target) u WHERE kind IS NOT NULL',
	'SELECT name FROM (SELECT name, kind FROM wide, spans(t) UNION SELECT loud, model FROM seen) u',
	'SELECT u.name, u.status FROM (SELECT * FROM spans((SELECT t FROM wide WHERE id = 10)) UNION ALL SELECT * FROM spans((SELECT t FROM wide WHERE id = 11))) u',
	'SELECT u.name, u.status FROM wide, LATERAL (SELECT * FROM spans(t) UNION ALL SELECT * FROM spans(t)) u',
	'WITH s AS MATERIALIZED (SELECT * FROM wide, spans(t)) SELECT name FROM s',
	'WITH s AS NOT MATERIALIZED (SELECT * FROM wide, spans(t)) SELECT a.name FROM s a JOIN s b ON a.ordinal = b.parent AND a.id = b.id',
	'WITH RECURSIVE r AS (SELECT id, ordinal, 1 AS n FROM seen WHERE parent IS NULL UNION ALL SELECT s.id, s.ordinal, r.n + 1 FROM r JOIN seen s ON s.id = r.id AND s.parent = r.ordinal) SELECT * FROM r',
	'SELECT kind, sum(duration_ms) FILTER (WHERE is_error), grouping(kind) FROM wide, spans(t) GROUP BY ROLLUP (kind, depth)',
	'SELECT kind || depth, count(*) FROM wide, spans(t) GROUP BY kind || depth HAVING bool_or(status = ''error'')',
	'SELECT DISTINCT ON (kind) kind, name FROM wide, spans(t) ORDER BY kind, ordinal DESC, id',
	'SELECT name, sum(input_tokens) OVER w, lag(kind) OVER (PARTITION BY id ORDER BY ordinal) FROM wide, spans(t) WINDOW w AS (PARTITION BY depth ORDER BY id, ordinal RANGE UNBOUNDED PRECEDING)',
	'SELECT min(ordinal), max(duration_ms) FROM wide, spans(t)',
	'SELECT ( spans(t)).name FROM wide',
	'SELECT ( spans(t)).name, s.kind FROM wide, spans(t) s',
	'SELECT spans(t), s.kind FROM wide, spans(t) s',
	'SELECT name, g FROM wide, spans(t) s, generate_series(1, s.depth) g',
	'SELECT x.name FROM wide, spans(t) s, jsonb_to_record(to_jsonb(s)) AS x (name text, kind text)',
	'SELECT name FROM wide, spans(t) ORDER BY id, duration_ms DESC NULLS LAST, span_id LIMIT 5',
	'SELECT CASE WHEN depth > 1 THEN tool_name ELSE name END FROM seen_again JOIN wide USING (id), spans(t) WHERE loud = name || ''!''',
	'SELECT name FROM wide CROSS JOIN LATERAL (SELECT * FROM spans(t) OFFSET 0) s WHERE kind = ''tool''',
	'SELECT y.v FROM wide, spans(t) s, LATERAL (VALUES (s.name), (s.kind)) y (v)',
	'SELECT error_type FROM wide, spans(t)  WHERE is_error',
	'SELECT attempt, self_ms, usage_scope FROM wide, spans(t)'
	]) query WHERE NOT is_same(query);

-- Commands that write, and rows that are locked
UPDATE target g SET note = s.kind FROM wide, spans(t) s WHERE s.ordinal = g.ordinal AND id = 10 RETURNING g.*, s.name, s.status_message;
DELETE FROM target g USING seen s WHERE s.ordinal = g.ordinal AND s.is_error RETURNING g.ordinal, s.tool_name;
INSERT INTO target SELECT ordinal, name FROM seen WHERE id = 11 ON CONFLICT (ordinal) DO UPDATE SET note = excluded.note || '?' RETURNING *;
MERGE INTO target g USING (SELECT ordinal, model, depth FROM seen WHERE id = 12) s ON s.ordinal = g.ordinal
	WHEN MATCHED AND s.model IS NOT NULL THEN UPDATE SET note = s.model WHEN MATCHED AND s.depth = 1 THEN DELETE;
SELECT * FROM target ORDER BY ordinal;
SELECT s.name FROM wide, spans(t) s WHERE id = 10 AND depth = 1 FOR UPDATE;

-- Plans that are kept, cursors, functions
PREPARE kinds(text) AS SELECT count(*), min(name) FROM wide, spans(t) WHERE kind = $1;
SET plan_cache_mode = force_generic_plan;
EXECUTE kinds('tool');
EXECUTE kinds('llm');
RESET plan_cache_mode;
CREATE FUNCTION tools(t trajectory) RETURNS SETOF text LANGUAGE sql STABLE AS 'SELECT tool_name FROM spans($1) WHERE kind = ''tool''';
SELECT id, tools FROM wide, tools(t) ORDER BY id LIMIT 3;
BEGIN;
DECLARE c SCROLL CURSOR FOR SELECT name, depth FROM wide, spans(t) ORDER BY id, ordinal;
FETCH 2 FROM c;
FETCH BACKWARD 1 FROM c;
COMMIT;
DROP VIEW seen_again, seen, whole_seen_again, whole_seen;
DROP FUNCTION wanted, is_same, whole_spans, tools;
DROP TABLE wide, target;
