-- Type sample: bottom-k sampling with inclusion probabilities.
SET search_path = llmtrace, public;

-- Shape of a value
SELECT sample_agg(md5(i::text)::uuid, 2) FROM generate_series(1, 5) i;
SELECT sample_agg(md5(i::text)::uuid, 9) FROM generate_series(1, 2) i;
SELECT sample_agg(k, 2) FROM unnest('{a,b,"c\"d",NULL,ä}'::text[]) k;
SELECT sample_agg(k, 2, 7) FROM unnest('{"\\x","\\x00ff","\\x41"}'::bytea[]) k;
SELECT sample_weighted_agg(k, w, 2, 7, p, 0.5) FROM (VALUES ('a'::varchar, 1::float8, 1.5::float8), ('b', 1e6, NULL), ('c', NULL, -2)) t(k, w, p);
SELECT sample_agg(NULL::uuid, 3) AS only_null, sample_agg('a'::text, 1) FILTER (WHERE false) IS NULL AS no_rows;

-- Against ORDER BY rank LIMIT k + 1, bit for bit
CREATE TABLE population AS
	SELECT i, md5(i::text)::uuid AS id, 'key ' || i AS name, exp(hashint4(i) / 4e8)::float8 AS w, (hashint4(i + 7) & 1023)::float8 AS f, hashint4(i) & 7 AS g
	FROM generate_series(1, 5000) i;
CREATE FUNCTION keys(s sample) RETURNS text[] LANGUAGE sql AS $$ SELECT coalesce(array_agg(key ORDER BY n), '{}') FROM sample_items(s) WITH ORDINALITY t(key, a, b, c, d, e, n) $$;
SELECT k, keys(s) = (SELECT array_agg(id::text) FROM (SELECT id FROM population ORDER BY trace_rank(id), id LIMIT k) o) AS keys,
	sample_threshold(s) IS NOT DISTINCT FROM (SELECT trace_rank(id) / 72057594037927936::float8 FROM population ORDER BY trace_rank(id), id OFFSET k LIMIT 1) AS threshold,
	(SELECT bool_and(rank = trace_rank(key::uuid) / 72057594037927936::float8 AND weight = 1 AND probability = coalesce(sample_threshold(s), 1) AND adjusted_count = 1 / probability) FROM sample_items(s)) AS items
FROM unnest('{1, 2, 10, 999, 4999, 5000, 5001, 100000}'::int[]) k, LATERAL (SELECT sample_agg(id, k) AS s FROM population) a;
SELECT k, keys(s) = (SELECT array_agg(id::text) FROM (SELECT id FROM population ORDER BY trace_rank(id)::float8 / 72057594037927936 / w, id LIMIT k) o) AS keys,
	sample_threshold(s) IS NOT DISTINCT FROM (SELECT trace_rank(id)::float8 / 72057594037927936 / w FROM population ORDER BY 1 OFFSET k LIMIT 1) AS threshold,
	(SELECT bool_and(i.rank = trace_rank(id)::float8 / 72057594037927936 / w AND i.weight = w AND probability = least(1, w * sample_threshold(s))) FROM sample_items(s) i JOIN population ON id = key::uuid) AS items
FROM unnest('{1, 2, 10, 999, 5000}'::int[]) k, LATERAL (SELECT sample_weighted_agg(id, w, k) AS s FROM population) a;
-- hashed ranks are the same at every size, and a larger sample contains a smaller one
SELECT count(*) AS sizes, bool_and(keys(small) = (keys(everything))[:k] AND sample_threshold(small) = ranks[k + 1]) AS nested
FROM (SELECT sample_agg(name, 5000, 42) everything FROM population) e, LATERAL (SELECT array_agg(rank) ranks FROM sample_items(everything)) r,
	unnest('{1, 2, 10, 999, 4999}'::int[]) k, LATERAL (SELECT sample_agg(name, k, 42) small FROM population) s;
SELECT sample_agg(id, 3, 1) <> sample_agg(id, 3, 2) AS by_seed, sample_agg(name, 3) = sample_agg(name, 3, 0) AS seed_0,
	keys(sample_agg(name::bytea, 50, 3)) = (SELECT array_agg(key::bytea::text) FROM sample_items(sample_agg(name, 50, 3))) AS text_like_bytea FROM population;

-- Any order, any grouping, any tree of merges: the same bytes
SELECT count(DISTINCT s::text) AS one, count(DISTINCT t::text) AS one_weighted FROM (
	SELECT sample_agg(id, 100 ORDER BY i) s, sample_weighted_agg(name, w, 100, 5, f, 0.5 ORDER BY i) t FROM population UNION ALL
	SELECT sample_agg(id, 100 ORDER BY i DESC), sample_weighted_agg(name, w, 100, 5, f, 0.5 ORDER BY i DESC) FROM population UNION ALL
	SELECT sample_agg(id, 100 ORDER BY trace_rank(id)), sample_weighted_agg(name, w, 100, 5, f, 0.5 ORDER BY w) FROM population UNION ALL
	SELECT sample_agg(id, 100 ORDER BY trace_rank(id) DESC), sample_weighted_agg(name, w, 100, 5, f, 0.5 ORDER BY hashint4(i)) FROM population UNION ALL
	SELECT sample_union_agg(s ORDER BY g), sample_union_agg(t ORDER BY g DESC) FROM (SELECT i / 3 AS g, sample_agg(id, 100) s, sample_weighted_agg(name, w, 100, 5, f, 0.5) t FROM population GROUP BY 1) p) q;
CREATE FUNCTION merge_tree(seed int, size int) RETURNS sample LANGUAGE plpgsql AS $$
DECLARE parts sample[]; a int; b int; n int := 0;
BEGIN
	parts := ARRAY(SELECT sample_weighted_agg(id, w, size) FROM population GROUP BY (hashint4(i + seed) & 1023) % 37 ORDER BY min(hashint4(i # seed)));
	WHILE array_length(parts, 1) > 1 LOOP
		n := n + 1;
		a := 1 + (hashint4(seed * 1000 + n) & 65535) % array_length(parts, 1);
		b := 1 + (hashint4(seed * 1000 + n + 500) & 65535) % array_length(parts, 1);
		CONTINUE WHEN a = b;
		parts[a] := CASE WHEN n % 2 = 0 THEN parts[a] + parts[b] ELSE sample_union(parts[b], parts[a]) END;
		parts := parts[:b - 1] || parts[b + 1:];
	END LOOP;
	RETURN parts[1];
END $$;
SELECT size, count(*) AS trees, bool_and(merge_tree(seed, size) = (SELECT sample_weighted_agg(id, w, size) FROM population)) AS same
FROM unnest('{1, 7, 300, 6000}'::int[]) size, generate_series(1, 8) seed GROUP BY size ORDER BY size;
-- overlapping parts, sizes that differ (the smaller one holds), the same key twice
SELECT a + b = whole AS overlap, whole + whole = whole AS idempotent, a + small = (SELECT sample_agg(id, 20) FROM population) AS smaller,
	(SELECT sample_agg(id, 100) FROM (SELECT id FROM population UNION ALL SELECT id FROM population) d) = whole AS twice
FROM (SELECT sample_agg(id, 100) FILTER (WHERE i < 3000) a, sample_agg(id, 100) FILTER (WHERE i > 2000) b, sample_agg(id, 20) FILTER (WHERE i > 2000) small, sample_agg(id, 100) whole FROM population) s;
-- of a key that comes with several weights the lowest rank counts, in any order and tree
SELECT count(DISTINCT s::text) AS one FROM (
	SELECT sample_weighted_agg(name, w, 50, 1, f, 1.0 ORDER BY i) s FROM (SELECT i, 'key ' || i % 300 AS name, w, f FROM population) p UNION ALL
	SELECT sample_weighted_agg(name, w, 50, 1, f, 1.0 ORDER BY w) FROM (SELECT i, 'key ' || i % 300 AS name, w, f FROM population) p UNION ALL
	SELECT sample_weighted_agg(name, w, 50, 1, f, 1.0) FROM (SELECT DISTINCT ON (i % 300) 'key ' || i % 300 AS name, w, f FROM population ORDER BY i % 300, w DESC) p UNION ALL
	SELECT sample_union_agg(s) FROM (SELECT sample_weighted_agg('key ' || i % 300, w, 50, 1, f, 1.0) s FROM population GROUP BY g) p) q;
-- ranks that are equal: by key
SELECT keys(sample_agg(id, 2 ORDER BY n)) AS ascending, keys(sample_agg(id, 2 ORDER BY n DESC)) AS descending, sample_threshold(sample_agg(id, 2)) AS threshold, (sample_count(sample_agg(id, 2))).estimate > 2 AS finite
FROM (SELECT n, (lpad(n::text, 8, '0') || '-0000-4000-80ff-ffffffffffff')::uuid AS id FROM generate_series(1, 9) n) s;

-- Groups, window frames: the final function leaves the state as it is
SELECT count(*) AS groups, bool_and(s = (SELECT sample_agg(id, 10) FROM population b WHERE b.g = a.g)) AS same FROM (SELECT g, sample_agg(id, 10) s FROM population GROUP BY g) a;
SELECT bool_and(running = (SELECT sample_agg(id, 5) FROM population b WHERE b.i <= a.i)) AS same,
	bool_and(united = (SELECT sample_agg(name, 5) FROM population b WHERE b.i <= a.i)) AS united
FROM (SELECT i, sample_agg(id, 5) OVER (ORDER BY i) running, sample_union_agg(one) OVER (ORDER BY i) united
	FROM (SELECT i, id, sample_agg(name, 5) one FROM population WHERE i <= 200 GROUP BY i, id) p) a;
SELECT bool_and(s = (SELECT sample_weighted_agg(id, w, 3) FROM population b WHERE b.i BETWEEN a.i - 9 AND a.i)) AS sliding
FROM (SELECT i, sample_weighted_agg(id, w, 3) OVER (ORDER BY i ROWS 9 PRECEDING) s FROM population WHERE i <= 100) a;

-- Probabilities compose with head sampling: by the same randomness the lower
-- one holds, with a seed they are independent
SELECT * FROM sample_items((SELECT sample_agg(id, 3, NULL, f, 'ot=th:8') FROM population WHERE i <= 3));
SELECT bool_and(probability = least(0.5, sample_threshold(s))) AS by_rank FROM (SELECT sample_agg(id, 4000, NULL, f, 'ot=th:8') s FROM population) q, sample_items(s);
SELECT bool_and(probability = 0.5 * sample_threshold(s)) AS by_seed FROM (SELECT sample_agg(id, 4000, 1, f, 'ot=th:8') s FROM population) q, sample_items(s);
SELECT bool_and(probability = least(p, w * sample_threshold(s))) AS weighted
FROM (SELECT sample_weighted_agg(id, w, 400, NULL, f, 1.0 / (1 + g)) s FROM population) q, sample_items(s), LATERAL (SELECT w, 1.0::float8 / (1 + g) p FROM population WHERE id = key::uuid) x;
-- ot=rv is the rank then
SELECT keys(sample_agg(id, 1, NULL, f, CASE i WHEN 77 THEN 'ot=rv:ffffffffffffff' END)) = (SELECT ARRAY[id::text] FROM population WHERE i = 77) AS by_rv FROM population;

-- Estimates
SELECT sample_count(s), sample_sum(s), sample_mean(s) FROM (SELECT sample_agg(name, 5000, 1, f, 1.0) s FROM population) q;
SELECT abs((c).estimate / (500 / t) - 1) < 1e-12 AS count, abs((c).stderr / (sqrt(500 * (1 - t)) / t) - 1) < 1e-12 AS stderr, (c).lower < 5000 AND (c).upper > 5000 AS covers,
	abs((m).estimate / (SELECT avg(payload) FROM sample_items(s)) - 1) < 1e-12 AS mean, abs((u).estimate / (SELECT sum(payload * adjusted_count) FROM sample_items(s)) - 1) < 1e-12 AS sum
FROM (SELECT sample_agg(name, 500, 1, f, 1.0) s FROM population) q, LATERAL (SELECT sample_threshold(s) t, sample_count(s) c, sample_mean(s) m, sample_sum(s) u) e;
-- only payloads that are there
SELECT sample_sum(s), sample_mean(s), sample_count(s) FROM (SELECT sample_agg(k, 5, 0, f, 1.0) s FROM (VALUES ('a'::text, 1::float8), ('b', NULL), ('c', 'NaN'), ('d', 4)) t(k, f)) q;
SELECT sample_sum(s), sample_mean(s), sample_count(s), sample_threshold(s) FROM (SELECT sample_agg(NULL::text, 5) s) q;

-- Erasure: the threshold stays, estimates are of those who are left
SELECT cardinality(keys(erased)) AS left, sample_threshold(erased) = sample_threshold(s) AS threshold, keys(erased) = (keys(s))[3:] AS others,
	erased + erased = erased AS united, erased + s = s AS comes_back, sample_erase(erased, '{}') = erased AS nothing
FROM (SELECT sample_agg(id, 10) s FROM population) q, LATERAL (SELECT sample_erase(s, (keys(s))[:2] || NULL || md5('nobody')::uuid::text) erased) e;
-- ... and what was above it is not let in again by a union
SELECT keys(sample_erase(a, keys(a)) + b) = ARRAY(SELECT id::text FROM population WHERE i > 2500 AND trace_rank(id) / 72057594037927936::float8 < least(sample_threshold(a), sample_threshold(b)) ORDER BY trace_rank(id)) AS below
FROM (SELECT sample_agg(id, 10) FILTER (WHERE i <= 2500) a, sample_agg(id, 10) FILTER (WHERE i > 2500) b FROM population) q;
SELECT keys(sample_erase(sample_agg(k, 5), '{"\\x00FF"}')) FROM unnest('{"\\x","\\x00ff"}'::bytea[]) k;
SELECT sample_erase(sample_agg(id, 2), '{nobody}') FROM population;
SELECT sample_erase(sample_agg(name::bytea, 2), '{name}') FROM population;

-- Text reads back as the same value, whatever the settings
SET extra_float_digits = -15;
SELECT bool_and(s::text::sample = s) AS round_trip FROM (
	SELECT sample_agg(id, 20) s FROM population UNION ALL SELECT sample_agg(name, 20, -9223372036854775808, f / 3, 0.1) FROM population UNION ALL
	SELECT sample_weighted_agg(name::bytea, w, 20, 9223372036854775807, f / 3, 0.1) FROM population UNION ALL
	SELECT sample_weighted_agg(id, w, 20, NULL, -f, 1 / 3.0) FROM population UNION ALL SELECT sample_agg(id, 9000) FROM population WHERE i < 50 UNION ALL
	SELECT sample_agg(chr(i), 500) FROM population WHERE i < 400) q;
RESET extra_float_digits;
SELECT '{"items": []}'::sample;
SELECT '{"k": 1, "key": "uuid", "items": []}'::sample <> '{"k": 2, "key": "uuid", "items": []}'::sample AS differs;

-- What cannot be
SELECT sample_agg(id, 0) FROM population;
SELECT sample_agg(id, 100001) FROM population;
SELECT sample_agg(id, NULL) FROM population;
SELECT sample_agg(id, i) FROM population;
SELECT sample_agg(id, 5, i) FROM population;
SELECT sample_agg(id, 5, NULLIF(i, 7)) FROM population;
SELECT sample_agg(i, 5) FROM population;
SELECT sample_agg(repeat('x', 1025), 5);
SELECT sample_weighted_agg(id, x, 5) FROM population, unnest('{0}'::float8[]) x;
SELECT sample_weighted_agg(id, x, 5) FROM population, unnest('{-1}'::float8[]) x;
SELECT sample_weighted_agg(id, x, 5) FROM population, unnest('{NaN}'::float8[]) x;
SELECT sample_weighted_agg(id, x, 5) FROM population, unnest('{Infinity}'::float8[]) x;
SELECT sample_weighted_agg(id, x, 5) FROM population, unnest('{1e-301}'::float8[]) x;
-- ... also far above the threshold
SELECT sample_weighted_agg(id, CASE i WHEN 5000 THEN 'NaN' ELSE w END, 1 ORDER BY i) FROM population;
SELECT sample_agg(id, 5, 1, 'Infinity', 1.0) FROM population;
SELECT sample_agg(id, 5, 1, 1, 0.0) FROM population;
SELECT sample_agg(id, 5, 1, 1, 1.5) FROM population;
SELECT sample_agg(id, 5, 1, 1, 'NaN'::float8) FROM population;
SELECT sample_agg(id, 5) + sample_agg(name, 5) FROM population;
SELECT sample_agg(id, 5) + sample_weighted_agg(id, w, 5) FROM population;
SELECT sample_agg(id, 5) + sample_agg(id, 5, 1) FROM population;
SELECT sample_agg(id, 5, 2) + sample_agg(id, 5, 1) FROM population;
SELECT sample_union_agg(s) FROM (SELECT sample_agg(id, 5, 2) s FROM population UNION ALL SELECT sample_agg(id, 5, 3) FROM population) q;
CREATE FUNCTION try_sample(t text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE detail text;
BEGIN
	RETURN t::sample;
EXCEPTION WHEN invalid_text_representation THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
	RETURN detail;
END $$;
\pset format unaligned
SELECT t, try_sample(t) FROM unnest(ARRAY['', '[]', '{}', '{"k": 1}', '{"k": 0, "key": "uuid", "items": []}', '{"k": 100001, "key": "uuid", "items": []}', '{"k": 1, "key": "int", "items": []}',
	'{"k": 1, "key": "uuid", "items": []} x', '{"k": 1, "k": 1}', '{"size": 1}', '{"k": 1, "items": [], "key": "uuid"}', '{"k": 1, "key": "text", "items": []}',
	'{"k": 1, "key": "uuid", "seed": 1.5, "items": []}', '{"k": 1, "key": "uuid", "seed": 9223372036854775808, "items": []}',
	'{"k": 1, "key": "uuid", "threshold": -1, "items": []}', '{"k": 1, "key": "uuid", "threshold": 72057594037927936, "items": []}', '{"k": 1, "key": "uuid", "threshold": 0.5, "items": []}',
	'{"k": 1, "key": "uuid", "weighted": true, "threshold": 1e301, "items": []}', '{"k": 1, "key": "uuid", "threshold": 1, "weighted": true, "items": []}', '{"k": 1, "key": "uuid", "weighted": 1, "items": []}',
	'{"k": 1, "key": "uuid", "items": [{"key": "x", "rank": 1}]}', '{"k": 1, "key": "uuid", "items": [{"rank": 1}]}', '{"k": 1, "key": "uuid", "items": [{"key": "00000000-0000-0000-0000-000000000000"}]}',
	'{"k": 1, "key": "uuid", "items": [{"key": "00000000-0000-0000-0000-000000000000", "rank": 72057594037927936}]}',
	'{"k": 1, "key": "uuid", "threshold": 4, "items": [{"key": "00000000-0000-0000-0000-000000000000", "rank": 5}]}',
	'{"k": 1, "key": "uuid", "items": [{"key": "00000000-0000-0000-0000-000000000000", "rank": 5, "weight": 2}]}',
	'{"k": 1, "key": "uuid", "weighted": true, "items": [{"key": "00000000-0000-0000-0000-000000000000", "rank": 0.6, "weight": 2}]}',
	'{"k": 1, "key": "uuid", "items": [{"key": "00000000-0000-0000-0000-000000000000", "rank": 5, "probability": 0}]}',
	'{"k": 1, "key": "uuid", "items": [{"key": "00000000-0000-0000-0000-000000000000", "rank": 5, "payload": 1e999}]}',
	'{"k": 1, "key": "uuid", "seed": 1, "items": [{"key": "00000000-0000-0000-0000-000000000000", "rank": 5}]}',
	'{"k": 1, "key": "uuid", "items": [{"key": "00000000-0000-0000-0000-000000000000", "rank": 5}, {"key": "00000000-0000-0000-0000-000000000001", "rank": 6}]}',
	'{"k": 2, "key": "uuid", "items": [{"key": "00000000-0000-0000-0000-000000000000", "rank": 5}, {"key": "00000000-0000-0000-0000-000000000000", "rank": 6}]}',
	'{"k": 2, "key": "uuid", "items": [{"key": "00000000-0000-0000-0000-000000000000", "rank": 6}, {"key": "00000000-0000-0000-0000-000000000001", "rank": 5}]}',
	'{"k": 2, "key": "uuid", "items": [{"key": "00000000-0000-0000-0000-000000000001", "rank": 5}, {"key": "00000000-0000-0000-0000-000000000000", "rank": 5}]}',
	'{"k": 2, "key": "bytea", "seed": 0, "items": [{"key": "00", "rank": 5}]}']) t;

DROP TABLE population;
DROP FUNCTION keys, merge_tree, try_sample;
