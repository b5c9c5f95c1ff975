-- Ranks of traces and what head sampling left in the trace state.
SET search_path = llmtrace, public;

-- The complement of the last 56 bits
SELECT id, trace_rank(id), trace_rank(id) = 72057594037927935 - ('x00' || right(replace(id::text, '-', ''), 14))::bit(64)::bigint AS complement
FROM unnest('{00000000-0000-0000-0000-000000000000, ffffffff-ffff-ffff-ffff-ffffffffffff, 0af76519-16cd-43dd-8448-eb211c80319c}'::uuid[]) id;
SELECT bool_and(trace_rank(id) = 72057594037927935 - ('x00' || right(md5(i::text), 14))::bit(64)::bigint) AS all
FROM generate_series(1, 1000) i, LATERAL (SELECT md5(i::text)::uuid AS id) s;

-- ot=th and ot=rv, and what is not them
SELECT state, trace_state_probability(state) AS p, trace_rank('00000000-0000-0000-0000-000000000000', state) AS rank
FROM unnest(ARRAY['', 'ot=th:0', 'ot=th:8', 'ot=th:c', 'ot=th:ffffffffffffff', 'ot=th:fffffffffffffff', 'ot=th:', 'ot=th:C', 'ot=th:0x8', 'ot=th: 8', 'ot',
	'ot=rv:00000000000000', 'ot=rv:ffffffffffffff;th:e', 'ot=th:4;rv:0123456789abcd', 'ot=rv:123', 'ot=rv:0123456789abcde', 'ot=p:8;r:62',
	'vendor=ot=th:8', 'a=b, ot=p:1;th:8 ,c=d', 'a=b,ot=x:1,ot=th:8', 'congo@ot=th:8', 'xot=th:8', 'ot=xth:8']) state;
SELECT trace_state_probability(NULL) IS NULL AS unknown, trace_rank(NULL, 'ot=th:8') IS NULL AS no_id,
	trace_rank('00000000-0000-0000-0000-000000000001', NULL) AS of_id;
-- a sampler keeps those whose rank is below its probability
SELECT th, count(*) FILTER (WHERE trace_rank(id) < p * 72057594037927936 AND r < t) AS wrongly_in, count(*) FILTER (WHERE trace_rank(id) >= p * 72057594037927936 AND r >= t) AS wrongly_out
FROM unnest('{0, 8, c, fc, 123}'::text[]) th, LATERAL (SELECT trace_state_probability('ot=th:' || th) AS p, ('x00' || rpad(th, 14, '0'))::bit(64)::bigint AS t) s,
	generate_series(1, 1000) i, LATERAL (SELECT md5(i::text)::uuid AS id, ('x00' || right(md5(i::text), 14))::bit(64)::bigint AS r) q
GROUP BY th ORDER BY th;

-- Of a trajectory: the root's trace state, else its sample rate
SELECT w, sample_weight(('{"trace_id": "0af7651916cd43dd8448eb211c80319c", "spans": [{"span_id": "00000000000000a1", "name": "run", "start_ns": 1, "end_ns": 2' || w
	|| '}, {"span_id": "00000000000000b1", "parent_span_id": "00000000000000a1", "name": "child", "start_ns": 1, "end_ns": 2, "trace_state": "ot=th:f"}]}')::trajectory)
FROM unnest(ARRAY['', ', "trace_state": "ot=th:c"', ', "trace_state": "ot=rv:00000000000000"', ', "attributes": {"SampleRate": 20}', ', "trace_state": "ot=th:8", "attributes": {"SampleRate": 20}',
	', "attributes": {"SampleRate": 0}', ', "attributes": {"SampleRate": "x"}']) w;

-- Are ids random?
CREATE FUNCTION patterns(i int, OUT name text, OUT id uuid) RETURNS SETOF record LANGUAGE sql AS $$
	SELECT * FROM (VALUES ('random', md5(i::text)::uuid), ('counter', lpad(to_hex(i), 32, '0')::uuid),
		('version 1', (to_hex(i) || repeat('0', 8 - length(to_hex(i))) || '-1111-11ee-8abc-0242ac120002')::uuid),
		('version 7', ('01890a5d-ac96-7' || right(md5('a' || i), 3) || '-8' || right(md5('b' || i), 3) || '-' || left(md5(i::text), 12))::uuid),
		('64 bits', ('0000000000000000' || left(md5(i::text), 16))::uuid), ('clock behind', (left(md5(i::text), 26) || lpad(to_hex(i / 4), 6, '0'))::uuid),
		('one digit', (left(md5(i::text), 31) || to_hex(i % 15))::uuid)) v $$;
SELECT name, (c).ids, round((c).p::numeric, 6) AS p, (c).verdict, (c).reason FROM (SELECT name, trace_rank_check(id) c FROM generate_series(1, 3000) i, patterns(i) GROUP BY name) s ORDER BY name;
SELECT (trace_rank_check(md5(i::text)::uuid)).* FROM generate_series(1, 100) i;
SELECT (trace_rank_check(NULL::uuid)).*;
SELECT (trace_rank_check(id)).* FROM (SELECT gen_random_uuid() id WHERE false) s;
-- after head sampling, by these bits and otherwise
SELECT how, (c).ids, (c).verdict, (c).reason FROM (
	SELECT 'by rank', trace_rank_check(id, 0.25) c FROM (SELECT md5(i::text)::uuid id FROM generate_series(1, 20000) i) s WHERE trace_rank(id) < 0.25 * 72057594037927936 UNION ALL
	SELECT 'by rank, not told', trace_rank_check(id) FROM (SELECT md5(i::text)::uuid id FROM generate_series(1, 20000) i) s WHERE trace_rank(id) < 0.25 * 72057594037927936 UNION ALL
	SELECT 'otherwise', trace_rank_check(id, 0.25) FROM (SELECT md5(i::text)::uuid id FROM generate_series(1, 20000) i WHERE i % 4 = 0) s) t(how, c);
SELECT trace_rank_check(md5('x')::uuid, 0);

-- The recipe for an index that is a reservoir
CREATE TABLE recorded (trace_id uuid, feature text, "Odd id" uuid);
INSERT INTO recorded SELECT md5(i::text)::uuid, 'f' || i % 4, md5('o' || i)::uuid FROM generate_series(1, 40000) i;
SELECT * FROM trace_reservoir('recorded', 100);
ANALYZE recorded;
SELECT rank_below, create_index, query FROM trace_reservoir('recorded', 100, row_count => 1000000);
SELECT * FROM trace_reservoir('recorded', 100, 'feature', 'Odd id');
SELECT rank_below = 72057594037927936 AS everything FROM trace_reservoir('recorded', 100, row_count => 50);
SELECT trace_reservoir('recorded', 0);
SELECT trace_reservoir('recorded', NULL);

DROP TABLE recorded;
DROP FUNCTION patterns;
