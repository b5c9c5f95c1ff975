-- Type cat: category counts, exact up to a limit of keys, bounded beyond.
SET search_path = llmtrace, public;

SELECT cat_agg(v) FROM unnest('{b,a,a,NULL,"",Ä,"c\"\\d"}'::text[]) v;
SELECT cat_agg(v, 0.5) FROM unnest('{b,a,a}'::text[]) v;
SELECT cat_agg(NULL::text), cat_agg('a') FILTER (WHERE false) IS NULL AS no_rows;
SELECT * FROM cat_counts((SELECT cat_agg(v) FROM unnest('{b,a,a,NULL,c}'::text[]) v));
SELECT cat_count(c), cat_null_count(c), cat_other_count(c), cat_count_error(c), cat_effective_count(c)
FROM (SELECT cat_agg(v, w) c FROM (VALUES ('a', 1), ('b', 3), (NULL, 2), ('d', NULL), ('e', 0)) t(v, w)) s;
-- a long key is cut on a character and ends in a hash of the whole
SELECT length(key), octet_length(key), right(key, 17), count
FROM cat_counts((SELECT cat_agg(repeat('Ä', n)) FROM unnest('{128,129,130,130}'::int[]) n)) ORDER BY 1, 3;

-- While exact: the same bytes in any order and grouping, equal to GROUP BY
CREATE TABLE samples AS SELECT i, 'k' || (hashint4(i) & 255) AS v, (hashint4(i + 9) & 63) / 16.0 AS w, i % 5 AS g FROM generate_series(1, 4000) i;
SELECT count(DISTINCT c::text) AS one, count(DISTINCT cw::text) AS one_weighted FROM (
	SELECT cat_agg(v ORDER BY i) c, cat_agg(v, w ORDER BY i) cw FROM samples UNION ALL
	SELECT cat_agg(v ORDER BY i DESC), cat_agg(v, w ORDER BY i DESC) FROM samples UNION ALL
	SELECT cat_merge_agg(c ORDER BY g), cat_merge_agg(cw ORDER BY g DESC) FROM (SELECT g, cat_agg(v) c, cat_agg(v, w) cw FROM samples GROUP BY g) s) t;
SELECT count(*) AS differences FROM (
	(SELECT key, count FROM cat_counts((SELECT cat_agg(v, w) FROM samples)) EXCEPT SELECT v, sum(w) FROM samples GROUP BY v) UNION ALL
	(SELECT v, sum(w) FROM samples GROUP BY v HAVING sum(w) > 0 EXCEPT SELECT key, count FROM cat_counts((SELECT cat_agg(v, w) FROM samples)))) d;
SELECT (a + b) - b = a AS subtract, a + b = b + a AS commutes, cat_merge(a, b) = whole AS merge, cat_subtract(a, a) AS nothing, a <> b AS differ
FROM (SELECT cat_agg(v) FILTER (WHERE i % 2 = 0) a, cat_agg(v) FILTER (WHERE i % 2 = 1) b, cat_agg(v) whole FROM samples) s;

-- Beyond: counts are low by at most the error, in any order, merged or not
CREATE TABLE many AS SELECT i, 'k' || floor(exp((hashint4(i) & 65535) / 6554.0)) AS v FROM generate_series(1, 20000) i;
SELECT name, keys, cat_count(c) = 20000 AS total, cat_count_error(c) * keys < cat_other_count(c) AS error_bound,
	counts.right AS counts, counts.sum = 20000 AS shares, missing
FROM unnest('{1,10,256}'::int[]) keys, LATERAL (
	SELECT 'rows', cat_agg(v, 1, keys ORDER BY i) FROM many UNION ALL
	SELECT 'sorted', cat_agg(v, 1, keys ORDER BY v COLLATE "C") FROM many UNION ALL
	SELECT 'merged', cat_merge_agg(c) FROM (SELECT cat_agg(v, 1, keys) c FROM many GROUP BY i % 13) s) t(name, c),
	LATERAL (SELECT bool_and(key IS NULL OR n BETWEEN b.count AND b.max_count), sum(b.count)
		FROM cat_counts(c) b LEFT JOIN (SELECT v, count(*) n FROM many GROUP BY v) m ON m.v = b.key) counts("right", sum),
	LATERAL (SELECT count(*) FROM (SELECT v FROM many GROUP BY v HAVING count(*) > cat_count_error(c) EXCEPT SELECT key FROM cat_counts(c)) m) m(missing)
ORDER BY keys, name;
SELECT bool_and(n BETWEEN b.count AND b.max_count) AS subtracted
FROM (SELECT cat_agg(v, 1, 50) - cat_agg(v, 1, 50) FILTER (WHERE i % 3 = 0) c FROM many) s, cat_counts(c) b
	JOIN (SELECT v, count(*) n FROM many WHERE i % 3 <> 0 GROUP BY v) m ON m.v = b.key;

-- Windows, text
SELECT i, cat_agg(v) OVER w, cat_merge_agg(c) OVER w FROM (SELECT i, chr(96 + i) v, cat_agg('x') c FROM generate_series(1, 3) i GROUP BY i) s WINDOW w AS (ORDER BY i);
SELECT bool_and(c::text::cat = c) AS round_trip FROM (
	SELECT cat_agg(v) c FROM many UNION ALL SELECT cat_agg(v, w) FROM samples UNION ALL
	SELECT cat_agg(v, w / 3) FROM samples UNION ALL SELECT cat_agg(chr(i)) FROM generate_series(1, 300) i) s;

-- What cannot be
SELECT cat_agg('a', -1);
SELECT cat_agg('a', 1, 0);
SELECT cat_agg('a', 1, 4097);
SELECT cat_agg('a', 1, i) FROM generate_series(1, 2) i;
SELECT cat_agg('a') - cat_agg('b');
SELECT cat_agg('a') - cat_agg(v) FROM unnest('{a,b}'::text[]) v;
SELECT cat_agg('a') - cat_agg(NULL::text);
CREATE FUNCTION try_cat(t text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE detail text;
BEGIN
	RETURN t::cat;
EXCEPTION WHEN invalid_text_representation THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
	RETURN detail;
END $$;
\pset format unaligned
SELECT t, try_cat(t) FROM unnest(ARRAY['', '{"limit": 1}', '{"limit": 0, "counts": {}}', '{"limit": 1, "counts": {"b": 1, "a": 2}}', '{"limit": 2, "counts": {"b": 1, "a": 2}}',
	'{"limit": 2, "counts": {"a": 1, "a": 2}}', '{"limit": 2, "counts": {"a": 0}}', '{"limit": 2, "counts": {}, "other": 1}', '{"limit": 2, "counts": {}, "other": 1, "error": 2}',
	'{"limit": 2, "counts": {"a": 1}, "squares": 0}', '{"limit": 2, "counts": {"a}}', '{"limit": 2, "counts": {"a\qb": 1}}', '{"limit": 2, "counts": {"a\u0000b": 1}}', '{"limit": 2, "counts": {"a\u0009\nb\/": 1}}']) t;

DROP TABLE samples, many;
DROP FUNCTION try_cat;
