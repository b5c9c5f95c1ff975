-- Type dist: the OpenTelemetry exponential histogram, its aggregates,
-- operators and questions.
SET search_path = llmtrace, public;

-- Shape of a value: what is zero or unknown is left out.
SELECT dist_agg(v, 1, 8) FROM (VALUES (1::float8), (1.5), (2), (-4), (0), ('-0'), (NULL), ('NaN'), ('Infinity'), ('-Infinity')) t(v);
SELECT dist_agg(v, 0.5, 8) FROM generate_series(1, 3) v;
SELECT dist_agg(v) FROM (VALUES (NULL::float8)) t(v);
SELECT dist_agg(v) IS NULL AS no_rows FROM (SELECT 1::float8 WHERE false) t(v);

-- Boundaries, one by one against numeric with 40 digits: bucket k of scale 20
-- is (2^(k / 2^20), 2^((k + 1) / 2^20)]. 2^52 to 2^53 holds the integers next
-- to each boundary, and powers of two belong to the bucket they close.
CREATE FUNCTION bucket(v float8) RETURNS bigint LANGUAGE sql AS
	$$ SELECT (dist_agg(v)::text::jsonb -> 'positive' ->> 'first')::bigint $$;
SELECT count(*) > 300 AS many,
	count(*) FILTER (WHERE bucket(floor(b)::float8) <> 52 * 1048576 + k - 1) AS wrong_below,
	count(*) FILTER (WHERE bucket((floor(b) + 1)::float8) <> 52 * 1048576 + k) AS wrong_above
FROM (SELECT k, power(2::numeric, 52 + k / 1048576::numeric(60, 50)) AS b
	  FROM (SELECT DISTINCT hashint4(i) & 1048575 AS k FROM generate_series(1, 400) i) r WHERE k > 0) s;
SELECT e, bucket(2::float8 ^ e) = e * 1048576 - 1 AS closes,
	bucket(2::float8 ^ e * (1 + 2::float8 ^ -52)) = e * 1048576 AS opens
FROM unnest('{-1022, -300, -1, 0, 1, 10, 1023}'::int[]) e;
SELECT bucket(v) = e * 1048576 - 1 AS subnormal
FROM (VALUES ('4.9406564584124654e-324'::float8, -1074), ('9.8813129168249309e-324', -1073), ('1.1125369292536007e-308', -1023)) t(v, e);
SELECT bucket('1.7976931348623157e308') = 1024 * 1048576 - 1 AS largest;

-- The scale is the largest at which the values' buckets fit the limit.
SELECT buckets, dist_scale(d), count(*) AS used, count(*) <= buckets AS fits
FROM unnest('{8, 160, 320, 4096}'::int[]) buckets,
	LATERAL (SELECT dist_agg(i, 1, buckets) AS d FROM generate_series(1, 1000) i) s,
	LATERAL dist_buckets(d)
GROUP BY buckets, d::text, dist_scale(d) ORDER BY buckets;
SELECT name, dist_scale(d) FROM (VALUES
	('one value', (SELECT dist_agg(7) FROM generate_series(1, 9))),
	('all float8', (SELECT dist_agg(v, 1, 8) FROM unnest('{4.9406564584124654e-324, 1, 1.7976931348623157e308}'::float8[]) v))) t(name, d);

-- ... and the state stays small
SELECT pg_column_size(dist_agg(exp(hashint4(i) / 3e8))) < 1000 AS small FROM generate_series(1, 100000) i;

-- Buckets, zero and the infinities
SELECT * FROM dist_buckets((SELECT dist_agg(v, 1, 8) FROM unnest('{-4, -1, 0, 0, 1, 1.5, 4, -Infinity, Infinity}'::float8[]) v));

-- Any order, any grouping: the same bytes.
CREATE TABLE samples AS
	SELECT i, hashint4(i) % 7 AS g,
		CASE i % 50 WHEN 0 THEN NULL WHEN 1 THEN 'NaN' WHEN 2 THEN 0 WHEN 3 THEN 'Infinity'
			ELSE CASE WHEN i % 3 = 0 THEN -1 ELSE 1 END * exp(hashint4(i + 7)::float8 / 2e8) END AS v,
		(hashint4(i + 99) & 1023) / 256.0 AS w
	FROM generate_series(1, 5000) i;
SELECT count(DISTINCT d::text) AS one, count(DISTINCT dw::text) AS one_weighted FROM (
	SELECT dist_agg(v ORDER BY i) d, dist_agg(v, w ORDER BY i) dw FROM samples UNION ALL
	SELECT dist_agg(v ORDER BY i DESC), dist_agg(v, w ORDER BY i DESC) FROM samples UNION ALL
	SELECT dist_agg(v ORDER BY v), dist_agg(v, w ORDER BY w, v) FROM samples UNION ALL
	SELECT dist_agg(v ORDER BY hashint4(i)), dist_agg(v, w ORDER BY hashint4(i)) FROM samples UNION ALL
	SELECT dist_merge_agg(d ORDER BY g), dist_merge_agg(dw ORDER BY g) FROM (SELECT g, dist_agg(v) d, dist_agg(v, w) dw FROM samples GROUP BY g) s UNION ALL
	SELECT dist_merge_agg(d ORDER BY g DESC), dist_merge_agg(dw ORDER BY g DESC) FROM (SELECT i / 3 AS g, dist_agg(v) d, dist_agg(v, w) dw FROM samples GROUP BY 1) s) t;
-- ... and a limit that differs: the lower one, in any order
SELECT count(DISTINCT d::text) AS one FROM (
	SELECT dist_agg(v, 1, 40) d FROM samples UNION ALL
	SELECT dist_merge(dist_agg(v) FILTER (WHERE i % 2 = 0), dist_agg(v, 1, 40) FILTER (WHERE i % 2 = 1)) FROM samples UNION ALL
	SELECT dist_merge(dist_agg(v, 1, 40) FILTER (WHERE i % 2 = 0), dist_agg(v) FILTER (WHERE i % 2 = 1)) FROM samples) t;

-- Against counting one by one
SELECT dist_count(d) = n AS count, dist_nan_count(d) = nan AS nan, dist_null_count(d) = nulls AS nulls,
	abs(dist_count(dw) - weight) < 1e-9 AS weight,
	abs(dist_effective_count(dw) / (weight ^ 2 / squares) - 1) < 1e-9 AS effective,
	dist_effective_count(d) = dist_count(d) AS unweighted
FROM (SELECT dist_agg(v) d, dist_agg(v, w) dw, count(v) FILTER (WHERE v <> 'NaN') n, count(*) FILTER (WHERE v = 'NaN') nan,
		count(*) - count(v) nulls, sum(w) FILTER (WHERE v <> 'NaN') weight, sum(w * w) FILTER (WHERE v <> 'NaN') squares FROM samples) s;
SELECT count(*) > 100 AS buckets, count(*) FILTER (WHERE b.count <> n) AS wrong
FROM (SELECT dist_agg(v) d FROM samples) s, dist_buckets(d) b,
	LATERAL (SELECT count(*) n FROM samples WHERE CASE
		WHEN b.lower_bound = b.upper_bound THEN v = b.lower_bound
		WHEN b.lower_bound < 0 THEN v >= b.lower_bound AND v < b.upper_bound
		ELSE v > b.lower_bound AND v <= b.upper_bound END) c;

-- Sums are exact: what float8 addition loses is there.
SELECT dist_sum(dist_agg(v)), dist_mean(dist_agg(v)) FROM unnest('{1e300, 1, -1e300}'::float8[]) v;
SELECT dist_sum(dist_agg(0.1)) FROM generate_series(1, 10);
SELECT dist_sum(dist_agg(v)), dist_mean(dist_agg(v)) FROM unnest('{1.7e308, 1.7e308}'::float8[]) v;
SELECT dist_sum(dist_agg(v)), dist_mean(dist_agg(v)), dist_stddev(dist_agg(v)) FROM unnest('{1, Infinity}'::float8[]) v;
SELECT dist_sum(dist_agg(v)) FROM unnest('{-Infinity, Infinity}'::float8[]) v;
SELECT dist_sum(dist_agg(v)) = '4.9406564584124654e-324' AS smallest FROM unnest('{4.9406564584124654e-324, 1e308, -1e308}'::float8[]) v;

-- Quantiles within the scale's bound, on data that is hard for other sketches
CREATE TABLE hard AS
	SELECT name, v, i FROM generate_series(1, 2000) i, LATERAL (VALUES
		('constant', 0.1::float8), ('two points', CASE i % 2 WHEN 0 THEN 3 ELSE 1000 END),
		('1e-300 to 1e300', 10::float8 ^ (i * 0.3 - 300)), ('U(1000, 1001)', 1000 + i / 2000.0),
		('ties', i % 10), ('integers', i % 40), ('normal', 5 * cos(i) + sin(i * i)),
		('outlier', CASE i WHEN 7 THEN 1e300 ELSE i END)) t(name, v);
SELECT name, dist_scale(d) AS scale, max(abs(dist_quantile(d, q) - exact)) = 0 AS exact,
	bool_and(abs(dist_quantile(d, q) - exact) <= abs(exact) * dist_relative_error(d) * (1 + 1e-12)) AS within_bound,
	bool_and(dist_cdf(d, exact) BETWEEN below AND upto) AS cdf
FROM (SELECT name, dist_agg(v) d FROM hard GROUP BY name) s
	CROSS JOIN unnest('{0, 0.01, 0.25, 0.5, 0.75, 0.95, 0.99, 1}'::float8[]) q,
	LATERAL (SELECT percentile_disc(q) WITHIN GROUP (ORDER BY v) exact FROM hard h WHERE h.name = s.name) p,
	LATERAL (SELECT 3 * dist_relative_error(d) * abs(exact) AS width) e,
	LATERAL (SELECT count(*) FILTER (WHERE v < exact - width) / 2000.0 - 1e-12 AS below, count(*) FILTER (WHERE v <= exact + width) / 2000.0 + 1e-12 AS upto
			 FROM hard h WHERE h.name = s.name) c
GROUP BY name, d::text, dist_scale(d) ORDER BY name;
SELECT name, abs(dist_stddev(d) - e) <= e * 0.02 + 1e-9 AS stddev, dist_min(d) = lo AND dist_max(d) = hi AS extremes
FROM (SELECT name, dist_agg(v) d, min(v) lo, max(v) hi, stddev_pop(v) e FROM hard WHERE name NOT LIKE '1e%' AND name <> 'outlier' GROUP BY name) s ORDER BY name;
SELECT dist_quantile(d, 0) AS q0, dist_quantile(d, 1) AS q1, dist_cdf(d, '-Infinity') AS at_minus, dist_cdf(d, 5) AS at_5, dist_cdf(d, 'Infinity') AS at_plus, dist_cdf(d, 'NaN') AS at_nan
FROM (SELECT dist_agg(v) d FROM unnest('{-Infinity, 1, 2, Infinity}'::float8[]) v) s;
SELECT dist_quantile(d, 0.5) IS NULL AS quantile, dist_cdf(d, 1) IS NULL AS cdf, dist_mean(d) IS NULL AS mean, dist_min(d) IS NULL AS min,
	dist_max(d) IS NULL AS max, dist_stddev(d) IS NULL AS stddev, dist_sum(d) IS NULL AS sum, dist_count(d) AS count
FROM (SELECT dist_agg(NULL::float8) d) s;

-- (a + b) - b has the counts and the sum of a at the scale of the result.
SELECT dist_scale(a) - dist_scale(back) AS coarser, dist_sum(back) = dist_sum(a) AS sum,
	dist_count(back) = dist_count(a) AS count, dist_null_count(back) = dist_null_count(a) AS nulls,
	dist_min(back) <= dist_min(a) AND dist_max(back) >= dist_max(a) AS bounds,
	(SELECT count(*) FROM (SELECT * FROM dist_buckets(back) EXCEPT SELECT * FROM dist_buckets(coarse)) x) AS differences,
	(SELECT count(*) FROM (SELECT * FROM dist_buckets(coarse) EXCEPT SELECT * FROM dist_buckets(back)) x) AS reverse
FROM (SELECT a, (a + b) - b AS back, (a + e) - e AS coarse
	FROM (SELECT dist_agg(v) FILTER (WHERE i % 2 = 0) a, dist_agg(v * 1e6) FILTER (WHERE i % 2 = 1) b FROM samples WHERE v < 'Infinity' OR v IS NULL) s,
		-- e: the extremes of b alone, which bring a to the same scale
		LATERAL (SELECT dist_agg(x) e FROM unnest(ARRAY[dist_min(b), dist_max(b)]) x) t) r;
SELECT d - d AS nothing FROM (SELECT dist_agg(v, w, 16) d FROM samples) s;
SELECT dist_subtract(a, b) FROM (SELECT dist_agg(1) a, dist_agg(2) b) s;
SELECT a - a - a FROM (SELECT dist_agg(NULL::float8) a) s;

-- Window frames: the final function leaves the state as it is.
SELECT i, dist_count(dist_agg(v) OVER w) AS n, dist_mean(dist_agg(v) OVER w) AS mean, dist_max(dist_merge_agg(d) OVER w) AS max
FROM (SELECT i, i::float8 AS v, (SELECT dist_agg(j) FROM generate_series(1, i) j) AS d FROM generate_series(1, 5) i) s
WINDOW w AS (ORDER BY i);
SELECT bool_and(running = (SELECT dist_agg(v) FROM samples b WHERE b.i <= a.i)) AS same
FROM (SELECT i, dist_agg(v) OVER (ORDER BY i) running FROM samples WHERE i <= 300) a;
SELECT i, dist_count(dist_agg(i) OVER (ORDER BY i ROWS 1 PRECEDING)) FROM generate_series(1, 3) i;

-- Text reads back as the same value, whatever the settings.
SET extra_float_digits = -15;
SELECT bool_and(d::text::dist = d) AS round_trip FROM (
	SELECT dist_agg(v) d FROM samples UNION ALL SELECT dist_agg(v, w) FROM samples UNION ALL
	SELECT dist_agg(v, w, 16) FROM samples UNION ALL SELECT dist_agg(v) FROM hard GROUP BY name UNION ALL
	SELECT dist_agg(v * pi()) - dist_agg(v * pi()) FILTER (WHERE i % 2 = 0) FROM hard GROUP BY name) s;
RESET extra_float_digits;
SELECT dist_agg(0), dist_agg(0)::text::dist = dist_agg(0) AS round_trip, dist_sum(dist_agg(0)) FROM generate_series(1, 2);
SELECT '{"limit": 320, "scale": 20}'::dist = a - a AS empty, a <> a - a AS differs FROM (SELECT dist_agg(1) a) s;
SELECT '{"scale": 0, "limit": 320, "min": 1.5, "max": 3, "grain": -1, "sum": null, "bounds": 1, "positive": {"counts": [2, 0.5], "first": 0}}'::dist;

-- OTLP data points
SELECT d, dist_sum(d), dist_min(d), dist_max(d) FROM dist_from_otlp('{"count": "7", "sum": 12.5, "scale": 1, "zeroCount": "1",
	"positive": {"offset": -1, "bucketCounts": ["1", "0", "2", "0"]}, "negative": {"offset": 3, "bucketCounts": [3]}, "min": -5.5, "max": 2, "startTimeUnixNano": "1"}') d;
SELECT * FROM dist_buckets(dist_from_otlp('{"count": "7", "sum": 12.5, "scale": 1, "zeroCount": "1", "zeroThreshold": 0.01,
	"positive": {"offset": -1, "bucketCounts": ["1", "0", "2", "0"]}, "negative": {"offset": 3, "bucketCounts": [3]}}'));
SELECT d, dist_sum(d), dist_quantile(d, 0.5) FROM dist_from_otlp('{"count": 2, "scale": 3, "positive": {"offset": 8, "bucket_counts": [2]}}') d;
SELECT dist_from_otlp('{}'), dist_from_otlp('{"flags": 1}'), dist_from_otlp('{"count": 0, "scale": 5, "sum": 0}');
-- the point of the same values is the same histogram
SELECT count(*) AS differences FROM (SELECT * FROM dist_buckets((SELECT dist_agg(i) FROM generate_series(1, 100) i)) EXCEPT
	SELECT * FROM dist_buckets(dist_from_otlp((SELECT jsonb_build_object('scale', j -> 'scale', 'positive',
		jsonb_build_object('offset', j -> 'positive' -> 'first', 'bucketCounts', j -> 'positive' -> 'counts'))
		FROM (SELECT dist_agg(i)::text::jsonb j FROM generate_series(1, 100) i) s)))) t;

-- What cannot be
SELECT dist_agg(1, -1);
SELECT dist_agg(1, 'NaN');
SELECT dist_agg(1, 1e10);
SELECT dist_agg(1, 1, 7);
SELECT dist_agg(1, 1, 5000);
SELECT dist_agg(1, 1, NULL);
SELECT dist_agg(1, 1, i * 100) FROM generate_series(1, 2) i;
SELECT dist_count(dist_agg(1, 4294967296)) FROM generate_series(1, 2100000);
SELECT dist_quantile(dist_agg(1), 1.5);
SELECT dist_quantile(dist_agg(1), 'NaN');
SELECT dist_from_otlp('[]');
SELECT dist_from_otlp('{"scale": 21}');
SELECT dist_from_otlp('{"scale": 20, "count": 5, "zeroCount": 4}');
SELECT dist_from_otlp('{"scale": 0, "positive": {"offset": 1024, "bucketCounts": [1]}}');
SELECT dist_from_otlp('{"scale": 0, "positive": {"offset": 0, "bucketCounts": [-1]}}');
SELECT dist_from_otlp('{"scale": 0, "positive": [1]}');
SELECT dist_from_otlp('{"scale": 0, "zeroCount": 1, "sum": "x"}');
CREATE FUNCTION try_dist(t text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE detail text;
BEGIN
	RETURN t::dist;
EXCEPTION WHEN invalid_text_representation THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
	RETURN detail;
END $$;
\pset format unaligned
SELECT t, try_dist(t) FROM unnest(ARRAY['', 'x', '{}', '{"scale": 20}', '{"scale": 21, "limit": 320}', '{"scale": 20, "limit": 7}',
	'{"scale": 20, "limit": 320} x', '{"scale": 20, "scale": 20}', '{"size": 1}', '{"scale": 20, "limit": 320, "null": -1}',
	'{"scale": 20, "limit": 320, "null": 0.1}', '{"scale": 20, "limit": 320, "null": 9007199254740993}', '{"scale": 20, "limit": 320, "zero": 1}',
	'{"scale": 20, "limit": 320, "zero": 1, "min": 0, "max": 0, "grain": 0, "sum": "0x1"}',
	'{"scale": 20, "limit": 320, "zero": 1, "min": 0, "max": 1, "grain": 0, "sum": "0x0p-1094"}',
	'{"scale": 0, "limit": 8, "min": 1, "max": 2, "grain": 0, "sum": null, "positive": {"first": 0, "counts": [1, 0]}}',
	'{"scale": 0, "limit": 8, "min": 1, "max": 2, "grain": 0, "sum": null, "positive": {"first": 1024, "counts": [1]}}',
	'{"scale": 0, "limit": 8, "min": 1, "max": 512, "grain": 0, "sum": null, "positive": {"first": 0, "counts": [1, 1, 1, 1, 1, 1, 1, 1, 1]}}',
	'{"scale": 0, "limit": 8, "sum": "0x1p-1094"}', '{"sc\u0061le": 0, "limit": 8}', '{"\u00e9": 0}']) t;

-- Clusters: the same values, fewer observations; merging adds what they tell
SELECT dist_count(d), dist_effective_count(d), dist_effective_count(c), dist_effective_count(c + c), dist_quantile(c, 0.5) = dist_quantile(d, 0.5) AS same, c::text::dist = c AS text,
	dist_effective_count(dist_clustered(d + '{"scale": 20, "limit": 320, "null": 100}', 4)) AS nulls, dist_clustered(d, 1) = d AS one, dist_clustered('{"scale": 20, "limit": 320}', 9)
FROM (SELECT d, dist_clustered(d, 4) AS c FROM (SELECT dist_agg(x) AS d FROM generate_series(1, 100) x) s) t;
SELECT cat_effective_count(c), cat_effective_count(cat_clustered(c, 4)), cat_clustered(c, 4)::text::cat = cat_clustered(c, 4) AS text FROM (SELECT cat_agg((x % 3)::text) AS c FROM generate_series(1, 100) x) s;
SELECT dist_clustered(dist_agg(x), 0.5) FROM generate_series(1, 2) x;
SELECT cat_clustered(cat_agg('a'), 'NaN');

DROP TABLE samples, hard;
DROP FUNCTION bucket, try_dist;
