-- Means, cohort by cohort: what became worse where, and what is only the mix.

CREATE FUNCTION llmtrace.mean_parts(cohorts jsonb[], a_dists llmtrace.dist[], b_dists llmtrace.dist[],
	a_cats llmtrace.cat[], b_cats llmtrace.cat[], min_n double precision, alpha double precision)
	RETURNS TABLE (dims jsonb, a_count double precision, b_count double precision, a_value double precision,
		b_value double precision, delta double precision, lower double precision, upper double precision,
		p_adjusted double precision, verdict text, a_share double precision, b_share double precision,
		mix_part double precision, within_part double precision, aggregate_delta double precision, is_simpson boolean)
	LANGUAGE sql STABLE ROWS 20
BEGIN ATOMIC
	WITH side AS (
		SELECT u.place, u.dims, s.name, coalesce(llmtrace.dist_count(s.dist), llmtrace.cat_count(s.cat), 0) AS n,
			coalesce(llmtrace.dist_effective_count(s.dist), llmtrace.cat_effective_count(s.cat), 0) AS effective,
			CASE WHEN s.cat IS NULL THEN llmtrace.dist_mean(s.dist) ELSE k.share END AS mean,
			CASE WHEN s.cat IS NULL THEN llmtrace.dist_stddev(s.dist) ^ 2 ELSE k.share * (1 - k.share) END AS variance
		FROM ROWS FROM (unnest(cohorts), unnest(a_dists), unnest(b_dists), unnest(a_cats), unnest(b_cats))
				WITH ORDINALITY AS u (dims, a_dist, b_dist, a_cat, b_cat, place)
			CROSS JOIN LATERAL (VALUES ('a', u.a_dist, u.a_cat), ('b', u.b_dist, u.b_cat)) s (name, dist, cat)
			CROSS JOIN LATERAL (
				SELECT coalesce(sum(c.count) FILTER (WHERE c.key = 'true'), 0) / nullif(llmtrace.cat_count(s.cat), 0) AS share
				FROM llmtrace.cat_counts(s.cat) c) k
	), pair AS (
		SELECT a.place, a.dims, a.n AS a_n, b.n AS b_n, a.mean AS a_mean, b.mean AS b_mean, b.mean - a.mean AS delta,
			sqrt(a.variance / nullif(a.effective, 0) + b.variance / nullif(b.effective, 0)) AS error,
			least(a.n, b.n) >= min_n AS is_enough,
			a.n / nullif(sum(a.n) OVER (), 0) AS a_share, b.n / nullif(sum(b.n) OVER (), 0) AS b_share
		FROM side a JOIN side b ON b.place = a.place AND b.name = 'b'
		WHERE a.name = 'a'
	), judged AS (
		SELECT p.*, CASE WHEN NOT p.is_enough THEN NULL WHEN p.error > 0 THEN llmtrace.chi2_p((p.delta / p.error) ^ 2)
				WHEN p.delta = 0 THEN 1 WHEN p.delta IS NOT NULL THEN 0 END AS p
		FROM pair p
	), adjusted AS (
		SELECT unnest(pg_catalog.array_agg(j.place ORDER BY j.place)) AS place,
			unnest(llmtrace.p_adjust(pg_catalog.array_agg(j.p ORDER BY j.place))) AS p
		FROM judged j
	), whole AS (
		SELECT sum(j.a_share * j.a_mean) AS a_mean, sum(j.b_share * j.b_mean) - sum(j.a_share * j.a_mean) AS delta,
			-- every cohort that has enough moves, the other way
			count(*) FILTER (WHERE j.is_enough) > 1 AND (
				bool_and(j.delta < 0) FILTER (WHERE j.is_enough) AND sum(j.b_share * j.b_mean) > sum(j.a_share * j.a_mean)
				OR bool_and(j.delta > 0) FILTER (WHERE j.is_enough) AND sum(j.b_share * j.b_mean) < sum(j.a_share * j.a_mean)) AS is_simpson
		FROM judged j
	)
	SELECT j.dims, j.a_n, j.b_n, j.a_mean, j.b_mean, j.delta,
		j.delta - sqrt(llmtrace.chi2_critical(alpha)) * j.error, j.delta + sqrt(llmtrace.chi2_critical(alpha)) * j.error,
		a.p, CASE WHEN a.p IS NULL THEN 'insufficient_data' WHEN a.p > alpha THEN 'stable' WHEN j.delta > 0 THEN 'higher' ELSE 'lower' END,
		j.a_share, j.b_share,
		(coalesce(j.b_share, 0) - coalesce(j.a_share, 0)) * (coalesce(j.a_mean, j.b_mean) - w.a_mean),
		coalesce(j.b_share * (j.b_mean - j.a_mean), 0),
		w.delta, coalesce(w.is_simpson, false)
	FROM judged j JOIN adjusted a ON a.place = j.place CROSS JOIN whole w
	ORDER BY abs(coalesce(j.b_share * (j.b_mean - j.a_mean), 0)) DESC, j.place;
END;
COMMENT ON FUNCTION llmtrace.mean_parts(jsonb[], llmtrace.dist[], llmtrace.dist[], llmtrace.cat[], llmtrace.cat[], double precision, double precision) IS
'means of two sides in each cohort (of true and false, shares of true), and the difference of the whole as a sum of parts';

CREATE FUNCTION llmtrace.check_mean(measure text) RETURNS void
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF llmtrace.check_measure(measure) AND split_part(measure, '.', 2) NOT LIKE 'is\_%' THEN
		RAISE EXCEPTION 'measure "%" has no mean', measure
			USING ERRCODE = 'invalid_parameter_value', DETAIL = 'It is a category.', HINT = 'cohort_drift compares categories.';
	END IF;
END
$$;
COMMENT ON FUNCTION llmtrace.check_mean(text) IS 'an error unless a measure is a number, or true or false';

CREATE FUNCTION llmtrace.cohort_regression(measure text, a text, b text, "by" text[] DEFAULT '{feature}',
	since timestamptz DEFAULT now() - interval '7 days', until timestamptz DEFAULT 'infinity',
	versus text DEFAULT 'model', min_n double precision DEFAULT 30, alpha double precision DEFAULT 0.05,
	higher_is_better boolean DEFAULT false)
	RETURNS TABLE (cohort text, a_count double precision, b_count double precision, a_value double precision,
		b_value double precision, delta double precision, lower double precision, upper double precision,
		p_adjusted double precision, is_regressed boolean, verdict text, a_share double precision,
		b_share double precision, mix_part double precision, within_part double precision,
		aggregate_delta double precision, is_simpson boolean, source text, dims jsonb)
	LANGUAGE plpgsql STABLE ROWS 20 SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
BEGIN
	PERFORM llmtrace.check_period(since, until);
	PERFORM llmtrace.notice_empty_period(since, until);
	PERFORM llmtrace.check_mean(measure);
	IF versus IS NULL OR versus = ANY ("by") THEN
		RAISE EXCEPTION 'what is compared cannot be a dimension of the cohorts'
			USING ERRCODE = 'invalid_parameter_value', DETAIL = format('versus is %L.', versus);
	END IF;
	RETURN QUERY
		WITH s AS MATERIALIZED (
			SELECT x.dims - versus AS dims, x.dims ->> versus AS side, x.cur_dist, x.cur_cat, x.source
			FROM llmtrace.cohort_states(measure, "by" || versus, llmtrace.hour_of(since), llmtrace.hour_of(until), since, since) x
			WHERE x.dims ->> versus IN (a, b)
		), p AS (
			SELECT c.dims, l.cur_dist AS a_dist, r.cur_dist AS b_dist, l.cur_cat AS a_cat, r.cur_cat AS b_cat
			FROM (SELECT DISTINCT s.dims FROM s) c
				LEFT JOIN s l ON l.dims = c.dims AND l.side = a
				LEFT JOIN s r ON r.dims = c.dims AND r.side = b
		)
		SELECT llmtrace.cohort_label(m.dims), m.a_count, m.b_count, m.a_value, m.b_value, m.delta, m.lower, m.upper,
			m.p_adjusted, m.verdict = CASE WHEN higher_is_better THEN 'lower' ELSE 'higher' END, m.verdict,
			m.a_share, m.b_share, m.mix_part, m.within_part, m.aggregate_delta, m.is_simpson,
			(SELECT min(s.source) FROM s), m.dims
		FROM (SELECT array_agg(p.dims ORDER BY p.dims) AS dims, array_agg(p.a_dist ORDER BY p.dims) AS a_dist,
					array_agg(p.b_dist ORDER BY p.dims) AS b_dist, array_agg(p.a_cat ORDER BY p.dims) AS a_cat,
					array_agg(p.b_cat ORDER BY p.dims) AS b_cat FROM p) l
			CROSS JOIN LATERAL llmtrace.mean_parts(l.dims, l.a_dist, l.b_dist, l.a_cat, l.b_cat, min_n, alpha) m;
END
$$;
COMMENT ON FUNCTION llmtrace.cohort_regression(text, text, text, text[], timestamptz, timestamptz, text, double precision, double precision, boolean) IS
'Two models (or values of another dimension, versus) by the mean of a measure, cohort by cohort: delta is b less a, lower and upper bound it with 1 - alpha, p is adjusted over the cohorts. is_regressed: b is significantly higher, or lower if higher is better. aggregate_delta is the sum of mix_part (b has other shares of the cohorts) and within_part over the rows; is_simpson: all cohorts with min_n values on both sides move the other way than the whole. Example: SELECT cohort, a_value, b_value, verdict, is_simpson FROM llmtrace.cohort_regression(''model_calls.duration_ms'', ''gpt-4o-2024-08-06'', ''gpt-4o-mini-2024-07-18'')';

CREATE FUNCTION llmtrace.drift_parts(measure text, "by" text[] DEFAULT '{feature}',
	since timestamptz DEFAULT now() - interval '7 days', until timestamptz DEFAULT 'infinity',
	ref_since timestamptz DEFAULT NULL, ref_until timestamptz DEFAULT NULL,
	min_n double precision DEFAULT 30, alpha double precision DEFAULT 0.05)
	RETURNS TABLE (cohort text, ref_count double precision, cur_count double precision, ref_value double precision,
		cur_value double precision, delta double precision, lower double precision, upper double precision,
		p_adjusted double precision, verdict text, ref_share double precision, cur_share double precision,
		mix_part double precision, within_part double precision, aggregate_delta double precision, is_simpson boolean,
		source text, dims jsonb)
	LANGUAGE plpgsql STABLE ROWS 20 SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
BEGIN
	SELECT w.since, w.until, w.ref_since, w.ref_until INTO since, until, ref_since, ref_until
	FROM llmtrace.check_windows(since, until, ref_since, ref_until) w;
	PERFORM llmtrace.check_mean(measure);
	RETURN QUERY
		WITH s AS MATERIALIZED (
			SELECT x.* FROM llmtrace.cohort_states(measure, "by", since, until, ref_since, ref_until) x
		)
		SELECT llmtrace.cohort_label(m.dims), m.a_count, m.b_count, m.a_value, m.b_value, m.delta, m.lower, m.upper,
			m.p_adjusted, m.verdict, m.a_share, m.b_share, m.mix_part, m.within_part, m.aggregate_delta, m.is_simpson,
			(SELECT min(s.source) FROM s), m.dims
		FROM (SELECT array_agg(s.dims ORDER BY s.dims) AS dims, array_agg(s.ref_dist ORDER BY s.dims) AS a_dist,
					array_agg(s.cur_dist ORDER BY s.dims) AS b_dist, array_agg(s.ref_cat ORDER BY s.dims) AS a_cat,
					array_agg(s.cur_cat ORDER BY s.dims) AS b_cat FROM s) l
			CROSS JOIN LATERAL llmtrace.mean_parts(l.dims, l.a_dist, l.b_dist, l.a_cat, l.b_cat, min_n, alpha) m;
END
$$;
COMMENT ON FUNCTION llmtrace.drift_parts(text, text[], timestamptz, timestamptz, timestamptz, timestamptz, double precision, double precision) IS
'Why a mean moved between two windows: aggregate_delta, current less reference, is the sum over the rows of mix_part (cohorts have other shares) and within_part (cohorts have other means). is_simpson: all cohorts with min_n values in both windows move the other way than the whole. Rows without a value of the dimensions are left out. Example: SELECT cohort, delta, mix_part, within_part, is_simpson FROM llmtrace.drift_parts(''model_calls.cost_usd'', ''{model}'')';
