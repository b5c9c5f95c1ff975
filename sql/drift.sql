-- drift, its verdict, p_adjust and the control charts. The figures themselves
-- are compared with scipy's in drift_reference.
SET search_path = llmtrace, public;

-- A side without values is a verdict, not an error.
SELECT n_ref, n_cur, ks, psi, verdict IS NULL AS no_verdict, reason FROM drift(NULL::dist, (SELECT dist_agg(i) FROM generate_series(1, 9) i));
SELECT verdict IS NULL AS no_verdict, reason FROM drift((SELECT dist_agg('NaN'::float8)), (SELECT dist_agg(1)));
SELECT verdict IS NULL AS no_verdict, reason FROM drift((SELECT cat_agg('a')), NULL);
SELECT verdict IS NULL AS no_verdict, reason FROM drift('{}'::float8[], NULL);

-- The certificate on 60 pairs of samples, sketched with few buckets and many
WITH pairs AS MATERIALIZED (
	SELECT p, buckets, array_agg(v) FILTER (WHERE side = 0) ref, array_agg(v) FILTER (WHERE side = 1) cur,
		dist_agg(v, 1, buckets) FILTER (WHERE side = 0) a, dist_agg(v, 1, buckets) FILTER (WHERE side = 1) b
	FROM generate_series(1, 20) p, unnest('{8, 64, 320}'::int[]) buckets, generate_series(1, 400) i, generate_series(0, 1) side,
		LATERAL (SELECT hashint4(i + 1000 * p + 100000 * side) / 2147483648.0 AS u) r,
		LATERAL (SELECT CASE p % 5 WHEN 0 THEN u WHEN 1 THEN exp(3 * u + side / 8.0) WHEN 2 THEN round(10 * u * u) WHEN 3 THEN 1000 + u + side / 5.0 ELSE tan(1.5 * u) END::float8 AS v) s
	GROUP BY p, buckets)
SELECT buckets, count(*) AS pairs, bool_and(e.ks BETWEEN d.ks_low - 1e-12 AND d.ks_high + 1e-12) AS certified,
	bool_and(d.ks_high - d.ks_low < 0.04) AS narrow, bool_and(p % 5 <> 2 OR d.ks_high = d.ks_low) AS integers_exact,
	bool_and(abs(d.wasserstein - e.wasserstein) <= dist_relative_error(a + b) * (m.ref + m.cur)) AS wasserstein,
	bool_and(abs(d.mean_diff - e.mean_diff) < 1e-9) AS mean, max(abs(d.ks - e.ks)) < 0.01 AS close
FROM pairs, drift(a, b) d, drift(ref, cur) e,
	LATERAL (SELECT (SELECT avg(abs(v)) FROM unnest(ref) v) ref, (SELECT avg(abs(v)) FROM unnest(cur) v) cur) m
GROUP BY buckets ORDER BY buckets;

-- The scales are aligned, and the answer is symmetric where it should be.
SELECT dist_scale(a) > dist_scale(b) AS differ, ab.ks = ba.ks AS ks, ab.wasserstein = ba.wasserstein AS wasserstein, ab.mean_diff = -ba.mean_diff AS mean, ab.verdict
FROM (SELECT dist_agg(i) FILTER (WHERE i < 200) a, dist_agg(i * i) b FROM generate_series(100, 400) i) s, drift(a, b) ab, drift(b, a) ba;

-- Zero buckets of different width (OTLP) overlap other buckets: the
-- certificate is as wide as that makes it.
SELECT ks_low, ks_high FROM drift(
	dist_from_otlp('{"scale": 0, "zeroCount": 10, "zeroThreshold": 3, "positive": {"offset": 3, "bucketCounts": [10]}}'),
	(SELECT dist_agg(v) FROM unnest('{-1, -1, 1, 2, 12, 12}'::float8[]) v));

-- Weights: a row that counts a thousand times is still one row.
SELECT round((w.ks - u.ks)::numeric, 12) AS ks, w.n_ref / u.n_ref AS weight, abs(w.ks_p - u.ks_p) < 1e-12 AS p, abs(w.psi - u.psi) < 1e-12 AS psi,
	abs(w.chi2_p - u.chi2_p) < 1e-12 AS chi2_p, w.verdict = u.verdict AS verdict
FROM (SELECT drift(dist_agg(sin(i), 1000), dist_agg(sin(i) + 0.15, 1000)) w, drift(dist_agg(sin(i)), dist_agg(sin(i) + 0.15)) u FROM generate_series(1, 60) i) s,
	LATERAL (SELECT (w).*) w, LATERAL (SELECT (u).*) u;
SELECT w.cramers_v = u.cramers_v AS v, w.chi2_p = u.chi2_p AS p, w.n_cur / u.n_cur AS weight
FROM (SELECT drift(cat_agg((i % 3)::text, 8), cat_agg((i % 4)::text, 8)) w, drift(cat_agg((i % 3)::text), cat_agg((i % 4)::text)) u FROM generate_series(1, 60) i) s,
	LATERAL (SELECT (w).*) w, LATERAL (SELECT (u).*) u;

-- More keys than the limit: what is dropped on one side is no news.
SELECT d.new_keys, d.gone_keys, d.verdict FROM (SELECT cat_agg(v, 1, 20) c FROM (SELECT 'k' || (i % 7) AS v FROM generate_series(1, 700) i UNION ALL SELECT 'r' || i FROM generate_series(1, 100) i) s) a,
	(SELECT cat_agg(v, 1, 20) c FROM (SELECT 'k' || (i % 7) AS v FROM generate_series(1, 700) i UNION ALL SELECT 's' || i FROM generate_series(1, 100) i) s) b, drift(a.c, b.c) d;

-- The verdict and its options
SELECT (drift(a, b)).verdict AS default_options, (drift(a, b, min_n => 500)).reason AS few, (drift(a, b, min_effect => 0.5)).reason AS small,
	(drift(a, b, alpha => 1e-9)).reason AS chance, (drift(a, b, min_n => NULL, min_effect => NULL, alpha => NULL)).verdict AS nulls
FROM (SELECT dist_agg(i) a, dist_agg(i + 20) b FROM generate_series(1, 100) i) s;
SELECT t.*, v.* FROM (VALUES (100, 100, 0.3, 0.01), (100, 100, 0.3, 0.06), (100, 100, 0.05, 0.01), (10, 100, 0.3, 0.01), (0, 100, NULL, NULL)) t(n_ref, n_cur, effect, p), drift_verdict(n_ref, n_cur, effect, p) v;
SELECT drift(dist_agg(1), dist_agg(1), alpha => 2) FROM generate_series(1, 1);
SELECT drift('{1}'::float8[], '{1}', min_n => -1);
SELECT drift(cat_agg('a'), cat_agg('a'), min_effect => 'NaN') FROM generate_series(1, 1);

-- p_adjust: R's p.adjust gives the same, NULL included
SELECT method, p_adjust('{0.01, 0.04, NULL, 0.03, 0.005, 1, 0}', method) FROM unnest('{bh, by, holm, bonferroni}'::text[]) method;
SELECT p_adjust('{}'), p_adjust('{NULL}'), p_adjust('[2:3]={0.5,0.01}'), p_adjust('{0.5}') = '{0.5}' AS alone;
SELECT p_adjust('{0.5}', 'fdr');
SELECT p_adjust('{1.5}');
SELECT p_adjust('{NaN}');
SELECT p_adjust('{{0.5}}');

-- Chi-square, against tables
SELECT round(sqrt(chi2_critical(0.05))::numeric, 9) AS z, round(chi2_critical(0.01, 10)::numeric, 6) AS table_23_209251, round(chi2_p(3.841458820694124)::numeric, 12) AS p,
	chi2_p(0), chi2_p('Infinity', 3), chi2_p('NaN'), chi2_p(NULL), chi2_p(1600) < 1e-300 AS far;
SELECT chi2_p(1, 0);
SELECT chi2_critical(0);

-- Control charts, row by row; what is not a finite value leaves them as they are
SELECT i, v, round((ewma(v, 0.5) OVER w)::numeric, 6) AS ewma, cusum(v, 10, 0.5) OVER w AS cusum, round((page_hinkley(v, 0.1) OVER w)::numeric, 6) AS page_hinkley
FROM (VALUES (1, NULL::float8), (2, 10), (3, 11), (4, 'NaN'), (5, 9), (6, 'Infinity'), (7, 14), (8, 15), (9, 2), (10, 1)) t(i, v) WINDOW w AS (ORDER BY i) ORDER BY i;
-- against the definitions
WITH RECURSIVE v AS (SELECT i, (hashint4(i) / 2147483648.0 + CASE WHEN i > 60 THEN 1 ELSE 0 END)::float8 AS v FROM generate_series(1, 100) i),
	chart AS (SELECT i, v, v AS e, greatest(0, v - 0.25) AS up, greatest(0, -v - 0.25) AS down FROM v WHERE i = 1
		UNION ALL SELECT v.i, v.v, 0.2 * v.v + 0.8 * e, greatest(0, up + v.v - 0.25), greatest(0, down - v.v - 0.25) FROM chart, v WHERE v.i = chart.i + 1),
	page AS (SELECT i, sum(v - mean - 0.1) OVER (ORDER BY i) AS up, sum(mean - v - 0.1) OVER (ORDER BY i) AS down FROM (SELECT i, v, avg(v) OVER (ORDER BY i) AS mean FROM v) m)
SELECT max(abs(ewma - e)) < 1e-12 AS ewma, max(abs(cusum - CASE WHEN up >= down THEN up ELSE -down END)) < 1e-12 AS cusum,
	max(abs(ph - CASE WHEN pu >= pd THEN pu ELSE -pd END)) < 1e-9 AS page_hinkley, max(cusum) > 5 AS alert
FROM (SELECT chart.*, ewma(v, 0.2) OVER w, cusum(v, 0, 0.25) OVER w, page_hinkley(v, 0.1) OVER w AS ph FROM chart WINDOW w AS (ORDER BY i)) c
	JOIN (SELECT i, up - least(0, min(up) OVER w) AS pu, down - least(0, min(down) OVER w) AS pd FROM page WINDOW w AS (ORDER BY i)) p USING (i);
SELECT ewma(1, 0);
SELECT cusum(1, 0, -1);
SELECT page_hinkley(1, 'NaN');
SELECT ewma(NULL, 0.5), cusum(1, NULL, 1), page_hinkley('NaN', 0.1);
