-- Cohorts over time: how distributions differ between two windows, which
-- cohorts moved, and what the whole is made of.

CREATE FUNCTION llmtrace.check_measure(name text) RETURNS boolean
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	is_category boolean := (SELECT m.is_category FROM llmtrace.measure m WHERE m.name = check_measure.name);
	known text[];
BEGIN
	IF is_category IS NOT NULL THEN
		RETURN is_category;
	END IF;
	BEGIN
		RETURN llmtrace.check_measure_column(check_measure.name);
	EXCEPTION WHEN invalid_parameter_value THEN
		known := array(SELECT m.name FROM llmtrace.measure m ORDER BY m.name);
		RAISE EXCEPTION 'unknown measure "%"', left(check_measure.name, 80)
			USING ERRCODE = 'invalid_parameter_value',
				DETAIL = format('Known are %s, and any other number, text or boolean of traces, model_calls, tool_calls and agent_runs.',
					array_to_string(known, ', ')),
				HINT = coalesce('Did you mean "' || llmtrace.closest_word(check_measure.name, known) || '"?',
					'SELECT * FROM llmtrace.measure lists what rollups have.');
	END;
END
$$;
COMMENT ON FUNCTION llmtrace.check_measure(text) IS 'is this measure a category? An error, with the known ones, if there is none of that name';

CREATE FUNCTION llmtrace.check_windows(INOUT since timestamptz, INOUT until timestamptz,
	INOUT ref_since timestamptz, INOUT ref_until timestamptz)
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM llmtrace.check_period(since, until);
	PERFORM llmtrace.notice_empty_period(since, until);
	since := llmtrace.hour_of(since);
	until := llmtrace.hour_of(until);
	ref_until := llmtrace.hour_of(coalesce(ref_until, since));
	ref_since := llmtrace.hour_of(coalesce(ref_since, CASE WHEN isfinite(since)
		THEN ref_until - (CASE WHEN isfinite(until) THEN until ELSE greatest(llmtrace.hour_of(now()), since + interval '1 hour') END - since) END));
	IF ref_since IS NULL THEN
		RAISE EXCEPTION 'a reference needs a beginning'
			USING ERRCODE = 'invalid_parameter_value', HINT = 'Give since, or ref_since and ref_until.';
	END IF;
	IF since >= until OR ref_since >= ref_until THEN
		RAISE EXCEPTION 'a window is empty'
			USING ERRCODE = 'invalid_parameter_value',
				DETAIL = format('Windows begin and end with hours: reference %s to %s, current %s to %s.', ref_since, ref_until, since, until);
	END IF;
	IF since < ref_until AND ref_since < until THEN
		RAISE EXCEPTION 'the windows overlap'
			USING ERRCODE = 'invalid_parameter_value',
				DETAIL = format('Reference is %s to %s, current %s to %s.', ref_since, ref_until, since, until);
	END IF;
END
$$;
COMMENT ON FUNCTION llmtrace.check_windows(timestamptz, timestamptz, timestamptz, timestamptz) IS
'two windows in whole hours; the reference is, unless given, as long and just before. An error if one is empty or they overlap';

CREATE FUNCTION llmtrace.notice_stale_rollups(since timestamptz, until timestamptz) RETURNS void
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	stale bigint;
BEGIN
	IF since >= until THEN
		RETURN;
	END IF;
	SELECT count(DISTINCT d."time") INTO stale FROM llmtrace.rollup_dirty d
	WHERE NOT d.is_day AND d."time" >= since AND d."time" < until;
	IF stale > 0 THEN
		RAISE NOTICE 'rollups of % hours from % on are stale', stale, since
			USING HINT = 'CALL llmtrace.refresh_rollups() brings them up to date.';
	END IF;
END
$$;
COMMENT ON FUNCTION llmtrace.notice_stale_rollups(timestamptz, timestamptz) IS 'a notice if rollups of a period do not have what was folded';

CREATE FUNCTION llmtrace.rollup_windows(since timestamptz, until timestamptz)
	RETURNS TABLE (is_day boolean, start timestamptz, stop timestamptz)
	LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 3
BEGIN ATOMIC
	SELECT w.is_day, w.start, w.stop
	FROM (SELECT pg_catalog.date_trunc('day', since + interval '24 hours' - interval '1 microsecond', 'UTC') AS first_day,
				pg_catalog.date_trunc('day', until, 'UTC') AS end_day) d
		CROSS JOIN LATERAL (VALUES
			(false, since, least(d.first_day, until)),
			(true, d.first_day, d.end_day),
			(false, greatest(d.end_day, least(d.first_day, until)), until)) w (is_day, start, stop)
	WHERE w.start < w.stop;
END;
COMMENT ON FUNCTION llmtrace.rollup_windows(timestamptz, timestamptz) IS 'a time of whole hours as whole days and the hours before and after them';

-- -------------------------------------------------------------------- states ---

CREATE FUNCTION llmtrace.rollup_states(measures text[], bys text[], since timestamptz, until timestamptz,
	ref_since timestamptz, ref_until timestamptz)
	RETURNS TABLE (measure text, "by" text, dims jsonb, ref_dist llmtrace.dist, cur_dist llmtrace.dist,
		ref_cat llmtrace.cat, cur_cat llmtrace.cat)
	LANGUAGE sql STABLE ROWS 100
BEGIN ATOMIC
	SELECT r.measure, r."by", r.dims,
		llmtrace.dist_merge_agg(r.dist) FILTER (WHERE w.is_ref), llmtrace.dist_merge_agg(r.dist) FILTER (WHERE NOT w.is_ref),
		llmtrace.cat_merge_agg(r.cat) FILTER (WHERE w.is_ref), llmtrace.cat_merge_agg(r.cat) FILTER (WHERE NOT w.is_ref)
	FROM (
			SELECT true AS is_ref, a.is_day, a.start, a.stop FROM llmtrace.rollup_windows(ref_since, ref_until) a
			UNION ALL
			SELECT false, b.is_day, b.start, b.stop FROM llmtrace.rollup_windows(since, until) b) w
		JOIN llmtrace.cohort_rollup r ON r.is_day = w.is_day AND r."time" >= w.start AND r."time" < w.stop
	WHERE r.measure = ANY (measures) AND r."by" = ANY (bys)
	-- the column first that tells most rows apart, for sorting
	GROUP BY r.dims, r.measure, r."by";
END;
COMMENT ON FUNCTION llmtrace.rollup_states(text[], text[], timestamptz, timestamptz, timestamptz, timestamptz) IS 'cohorts of measures in two windows, from rollups';

CREATE FUNCTION llmtrace.trace_states(measure text, "by" text[], since timestamptz, until timestamptz,
	ref_since timestamptz, ref_until timestamptz, matching llmtrace.tracequery)
	RETURNS TABLE (dims jsonb, ref_dist llmtrace.dist, cur_dist llmtrace.dist, ref_cat llmtrace.cat, cur_cat llmtrace.cat)
	LANGUAGE plpgsql STABLE ROWS 100 SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	subject text := split_part(measure, '.', 1);
	is_category boolean := llmtrace.check_measure(measure);
	correlation double precision := coalesce((SELECT m.trace_correlation FROM llmtrace.measure m WHERE m.name = measure), 1);
	states text;
	aggregate text;
BEGIN
	states := CASE WHEN is_category
		THEN 'NULL::llmtrace.dist, NULL::llmtrace.dist, llmtrace.cat_clustered(%1$s, %3$s), llmtrace.cat_clustered(%2$s, %4$s)'
		ELSE 'llmtrace.dist_clustered(%1$s, %3$s), llmtrace.dist_clustered(%2$s, %4$s), NULL::llmtrace.cat, NULL::llmtrace.cat' END;
	aggregate := CASE WHEN is_category THEN 'llmtrace.cat_agg(y.value::text, y.sample_weight)' ELSE 'llmtrace.dist_agg(y.value::float8, y.sample_weight)' END;
	RETURN QUERY EXECUTE format($sql$
		WITH y AS MATERIALIZED (
			SELECT %1$s AS dims, x.%2$I AS value, x.trace_id, x.sample_weight, x.started_at >= $3 AND x.started_at < $4 AS is_ref
			FROM llmtrace.%3$I x
			WHERE (x.started_at >= $3 AND x.started_at < $4 OR x.started_at >= $1 AND x.started_at < $2) %4$s
		), cluster AS (
			SELECT z.dims, greatest(1, sum(z.weight * z.weight) FILTER (WHERE z.is_ref) / sum(z.squares) FILTER (WHERE z.is_ref)) AS ref_size,
				greatest(1, sum(z.weight * z.weight) FILTER (WHERE NOT z.is_ref) / sum(z.squares) FILTER (WHERE NOT z.is_ref)) AS cur_size
			FROM (SELECT y.dims, y.is_ref, sum(y.sample_weight) AS weight, sum(y.sample_weight * y.sample_weight) AS squares
					FROM y WHERE y.sample_weight > 0 GROUP BY y.dims, y.is_ref, y.trace_id) z
			GROUP BY z.dims
		), a AS (
			SELECT y.dims, %5$s FILTER (WHERE y.is_ref) AS ref, %5$s FILTER (WHERE NOT y.is_ref) AS cur
			FROM y WHERE y.dims = '{}' OR jsonb_strip_nulls(y.dims) <> '{}'
			GROUP BY y.dims
		)
		SELECT a.dims, %6$s FROM a LEFT JOIN cluster z ON z.dims = a.dims$sql$,
		llmtrace.dims_expression(to_regclass(concat('llmtrace.', subject)), "by"),
		split_part(measure, '.', 2), subject,
		CASE WHEN matching IS NOT NULL THEN
			'AND x.trace_id IN (SELECT f.trace_id FROM llmtrace.trajectories f
				WHERE (f.started_at >= $3 AND f.started_at < $4 OR f.started_at >= $1 AND f.started_at < $2) AND llmtrace.matches(f.trajectory, $5))' END,
		aggregate, format(states, 'a.ref', 'a.cur', format('1 + %s * (coalesce(z.ref_size, 1) - 1)', correlation),
			format('1 + %s * (coalesce(z.cur_size, 1) - 1)', correlation)))
	USING since, until, ref_since, ref_until, matching;
END
$$;
COMMENT ON FUNCTION llmtrace.trace_states(text, text[], timestamptz, timestamptz, timestamptz, timestamptz, llmtrace.tracequery) IS 'cohorts of a measure in two windows, from the traces themselves';

CREATE FUNCTION llmtrace.is_kept(measure text, "by" text[]) RETURNS boolean
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
BEGIN
	RETURN (NOT row_security_active('llmtrace.folded')
			OR EXISTS (SELECT FROM llmtrace.rollup_cell c WHERE c.subject = split_part(measure, '.', 1) AND c."by" = ''))
		AND EXISTS (SELECT FROM llmtrace.measure m WHERE m.name = measure)
		AND ("by" = '{}' OR EXISTS (SELECT FROM llmtrace.kept_cohort k WHERE k."by" = is_kept."by")
			OR cardinality("by") = 1 AND EXISTS (SELECT FROM llmtrace.cohort_dimension d WHERE d.name = "by"[1]));
END
$$;
COMMENT ON FUNCTION llmtrace.is_kept(text, text[]) IS 'do rollups have a measure by these dimensions, which its view has and which are in the order of the alphabet? Not for those who, by row-level security, do not see rollups of all traces.';

-- What asks for rollups plans once a session, not five times anew: planning
-- would take as long as the answer, and the plan is the same for any window.
CREATE FUNCTION llmtrace.cohort_states(measure text, "by" text[], since timestamptz, until timestamptz,
	ref_since timestamptz, ref_until timestamptz, matching llmtrace.tracequery DEFAULT NULL)
	RETURNS TABLE (dims jsonb, ref_dist llmtrace.dist, cur_dist llmtrace.dist, ref_cat llmtrace.cat, cur_cat llmtrace.cat, source text)
	LANGUAGE plpgsql STABLE ROWS 100 SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
	names text[] := llmtrace.sorted_names("by");
BEGIN
	PERFORM llmtrace.check_measure(measure);
	IF matching IS NULL AND llmtrace.is_kept(measure, names) THEN
		PERFORM llmtrace.notice_stale_rollups(ref_since, ref_until);
		PERFORM llmtrace.notice_stale_rollups(since, until);
		RETURN QUERY SELECT s.dims, s.ref_dist, s.cur_dist, s.ref_cat, s.cur_cat, 'rollups'::text
			FROM llmtrace.rollup_states(ARRAY[measure], ARRAY[array_to_string(names, ',')], since, until, ref_since, ref_until) s;
		IF NOT FOUND THEN
			-- perhaps the view has no such dimension: for the error
			PERFORM llmtrace.dims_expression(to_regclass(concat('llmtrace.', split_part(measure, '.', 1))), names);
		END IF;
	ELSE
		RETURN QUERY SELECT s.*, 'traces'::text
			FROM llmtrace.trace_states(measure, names, since, until, ref_since, ref_until, matching) s;
	END IF;
END
$$;
COMMENT ON FUNCTION llmtrace.cohort_states(text, text[], timestamptz, timestamptz, timestamptz, timestamptz, llmtrace.tracequery) IS
'cohorts of a measure in two windows: from rollups where they have them, else from the traces; source says which';

-- --------------------------------------------------------------------- drift ---

CREATE FUNCTION llmtrace.compare_states(ref_dists llmtrace.dist[], cur_dists llmtrace.dist[],
	ref_cats llmtrace.cat[], cur_cats llmtrace.cat[], min_n double precision, min_effect double precision,
	alpha double precision, method text)
	RETURNS TABLE (place bigint, n_ref double precision, n_cur double precision, ks double precision,
		ks_low double precision, ks_high double precision, ks_p double precision, wasserstein double precision,
		wasserstein_normed double precision, psi double precision, psi_critical double precision, js double precision,
		hellinger double precision, chi2 double precision, chi2_p double precision, cramers_v double precision,
		mean_diff double precision, new_keys double precision, gone_keys double precision, verdict text, reason text,
		p_adjusted double precision, coverage_rate double precision)
	LANGUAGE sql STABLE ROWS 100
BEGIN ATOMIC
	WITH side AS (
		SELECT u.place, u.ref_dist, u.cur_dist, u.ref_cat, u.cur_cat, u.ref_cat IS NOT NULL OR u.cur_cat IS NOT NULL AS is_category
		FROM ROWS FROM (unnest(ref_dists), unnest(cur_dists), unnest(ref_cats), unnest(cur_cats))
			WITH ORDINALITY AS u (ref_dist, cur_dist, ref_cat, cur_cat, place)
	), compared AS MATERIALIZED (
		SELECT s.place, d.*, d.ks AS effect, d.ks_p AS p,
			coalesce(llmtrace.dist_null_count(s.ref_dist), 0) + coalesce(llmtrace.dist_null_count(s.cur_dist), 0) AS nulls
		FROM side s CROSS JOIN LATERAL llmtrace.drift(s.ref_dist, s.cur_dist, min_n, min_effect, alpha) d
		WHERE NOT s.is_category
		UNION ALL
		SELECT s.place, d.*, d.cramers_v, d.chi2_p,
			coalesce(llmtrace.cat_null_count(s.ref_cat), 0) + coalesce(llmtrace.cat_null_count(s.cur_cat), 0)
		FROM side s CROSS JOIN LATERAL llmtrace.drift(s.ref_cat, s.cur_cat, min_n, min_effect, alpha) d
		WHERE s.is_category
	), adjusted AS (
		-- what is too small to be judged is not one of the many questions
		SELECT unnest(pg_catalog.array_agg(c.place ORDER BY c.place)) AS place,
			unnest(llmtrace.p_adjust(pg_catalog.array_agg(
				CASE WHEN c.n_ref >= min_n AND c.n_cur >= min_n THEN c.p END ORDER BY c.place), method)) AS p_adjusted
		FROM compared c
	)
	SELECT c.place, c.n_ref, c.n_cur, c.ks, c.ks_low, c.ks_high, c.ks_p, c.wasserstein, c.wasserstein_normed, c.psi,
		c.psi_critical, c.js, c.hellinger, c.chi2, c.chi2_p, c.cramers_v, c.mean_diff, c.new_keys, c.gone_keys,
		CASE WHEN a.p_adjusted IS NULL THEN c.verdict ELSE v.verdict END,
		CASE WHEN a.p_adjusted IS NULL THEN c.reason ELSE v.reason END,
		a.p_adjusted, (c.n_ref + c.n_cur) / nullif(c.n_ref + c.n_cur + c.nulls, 0)
	FROM compared c JOIN adjusted a ON a.place = c.place
		CROSS JOIN LATERAL llmtrace.drift_verdict(c.n_ref, c.n_cur, c.effect, a.p_adjusted, min_n, min_effect, alpha) v;
END;
COMMENT ON FUNCTION llmtrace.compare_states(llmtrace.dist[], llmtrace.dist[], llmtrace.cat[], llmtrace.cat[], double precision, double precision, double precision, text) IS
'drift of each pair, with p adjusted over all; place is from 1';

CREATE FUNCTION llmtrace.cohort_drift(measure text, "by" text[] DEFAULT '{}',
	since timestamptz DEFAULT now() - interval '7 days', until timestamptz DEFAULT 'infinity',
	ref_since timestamptz DEFAULT NULL, ref_until timestamptz DEFAULT NULL,
	min_n double precision DEFAULT 50, min_effect double precision DEFAULT 0.1, alpha double precision DEFAULT 0.05,
	method text DEFAULT 'bh', matching llmtrace.tracequery DEFAULT NULL)
	RETURNS TABLE (cohort text, n_ref double precision, n_cur double precision, ks double precision, ks_low double precision, ks_high
		double precision, ks_p double precision, wasserstein double precision, wasserstein_normed double
		precision, psi double precision, psi_critical double precision, js double precision, hellinger double
		precision, chi2 double precision, chi2_p double precision, cramers_v double precision, mean_diff double
		precision, new_keys double precision, gone_keys double precision, verdict text, reason text, p_adjusted
		double precision, coverage_rate double precision, source text, dims jsonb)
	LANGUAGE plpgsql STABLE ROWS 20 SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_variable
BEGIN
	SELECT w.since, w.until, w.ref_since, w.ref_until INTO since, until, ref_since, ref_until
	FROM llmtrace.check_windows(since, until, ref_since, ref_until) w;
	PERFORM llmtrace.p_adjust('{}', method);
	RETURN QUERY
		WITH s AS MATERIALIZED (
			SELECT row_number() OVER (ORDER BY x.dims) AS place, x.*
			FROM llmtrace.cohort_states(measure, "by", since, until, ref_since, ref_until, matching) x
		), a AS (
			SELECT array_agg(s.ref_dist ORDER BY s.place) AS ref_dists, array_agg(s.cur_dist ORDER BY s.place) AS cur_dists,
				array_agg(s.ref_cat ORDER BY s.place) AS ref_cats, array_agg(s.cur_cat ORDER BY s.place) AS cur_cats
			FROM s
		)
		SELECT llmtrace.cohort_label(s.dims), c.n_ref, c.n_cur, c.ks, c.ks_low, c.ks_high, c.ks_p, c.wasserstein, c.wasserstein_normed, c.psi, c.psi_critical, c.js, c.hellinger, c.chi2, c.chi2_p, c.cramers_v, c.mean_diff, c.new_keys, c.gone_keys,
			c.verdict, c.reason, c.p_adjusted, c.coverage_rate, s.source, s.dims
		FROM a CROSS JOIN LATERAL llmtrace.compare_states(a.ref_dists, a.cur_dists, a.ref_cats, a.cur_cats, min_n, min_effect, alpha, method) c
			JOIN s ON s.place = c.place
		ORDER BY c.verdict = 'drifted' DESC NULLS LAST, coalesce(c.ks, c.cramers_v) DESC NULLS LAST, s.place;
END
$$;
COMMENT ON FUNCTION llmtrace.cohort_drift(text, text[], timestamptz, timestamptz, timestamptz, timestamptz, double precision, double precision, double precision, text, llmtrace.tracequery) IS
'How each cohort''s distribution of a measure differs between two windows of whole hours: by default the last seven days and those before. The columns are those of drift (docs/dist.md). The verdict is drifted if both sides have min_n values, the effect (ks, or cramers_v of categories) is min_effect and p, adjusted over the cohorts, is at most alpha; the calls of one trace are not taken for independent (table measure, trace_correlation); else stable or insufficient_data, NULL if a side is empty. coverage_rate is the share of rows with a value. source is rollups if these have the measure by these dimensions (add_measure, keep_cohort), else traces, as with matching, which narrows to traces that a query finds. Example: SELECT cohort, verdict, ks, p_adjusted FROM llmtrace.cohort_drift(''model_calls.input_tokens'', ''{feature}'')';

CREATE FUNCTION llmtrace.drift_scan(
	since timestamptz DEFAULT now() - interval '7 days', until timestamptz DEFAULT 'infinity',
	ref_since timestamptz DEFAULT NULL, ref_until timestamptz DEFAULT NULL,
	min_n double precision DEFAULT 50, min_effect double precision DEFAULT 0.1, alpha double precision DEFAULT 0.05,
	method text DEFAULT 'bh')
	RETURNS TABLE (measure text, cohort text, n_ref double precision, n_cur double precision, ks double precision, ks_low double precision, ks_high
		double precision, ks_p double precision, wasserstein double precision, wasserstein_normed double
		precision, psi double precision, psi_critical double precision, js double precision, hellinger double
		precision, chi2 double precision, chi2_p double precision, cramers_v double precision, mean_diff double
		precision, new_keys double precision, gone_keys double precision, verdict text, reason text, p_adjusted
		double precision, coverage_rate double precision, source text, dims jsonb)
	LANGUAGE plpgsql STABLE ROWS 1000 SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_variable
BEGIN
	SELECT w.since, w.until, w.ref_since, w.ref_until INTO since, until, ref_since, ref_until
	FROM llmtrace.check_windows(since, until, ref_since, ref_until) w;
	PERFORM llmtrace.p_adjust('{}', method);
	PERFORM llmtrace.notice_stale_rollups(ref_since, ref_until);
	PERFORM llmtrace.notice_stale_rollups(since, until);
	RETURN QUERY
		WITH s AS MATERIALIZED (
			SELECT row_number() OVER (ORDER BY x.measure, x."by", x.dims) AS place, 'rollups'::text AS source, x.*
			FROM llmtrace.rollup_states(array(SELECT m.name FROM llmtrace.measure m),
				array(SELECT DISTINCT array_to_string(k, ',') FROM (SELECT DISTINCT m.subject FROM llmtrace.measure m) m,
					llmtrace.kept_cohorts(m.subject) k), since, until, ref_since, ref_until) x
		), a AS (
			SELECT array_agg(s.ref_dist ORDER BY s.place) AS ref_dists, array_agg(s.cur_dist ORDER BY s.place) AS cur_dists,
				array_agg(s.ref_cat ORDER BY s.place) AS ref_cats, array_agg(s.cur_cat ORDER BY s.place) AS cur_cats
			FROM s
		)
		SELECT s.measure, llmtrace.cohort_label(s.dims), c.n_ref, c.n_cur, c.ks, c.ks_low, c.ks_high, c.ks_p, c.wasserstein, c.wasserstein_normed, c.psi, c.psi_critical, c.js, c.hellinger, c.chi2, c.chi2_p, c.cramers_v, c.mean_diff, c.new_keys, c.gone_keys,
			c.verdict, c.reason, c.p_adjusted, c.coverage_rate, s.source, s.dims
		FROM a CROSS JOIN LATERAL llmtrace.compare_states(a.ref_dists, a.cur_dists, a.ref_cats, a.cur_cats, min_n, min_effect, alpha, method) c
			JOIN s ON s.place = c.place
		ORDER BY c.verdict = 'drifted' DESC NULLS LAST, coalesce(c.ks, c.cramers_v) DESC NULLS LAST, s.place;
END
$$;
COMMENT ON FUNCTION llmtrace.drift_scan(timestamptz, timestamptz, timestamptz, timestamptz, double precision, double precision, double precision, text) IS
'cohort_drift of every measure in every cohort that rollups have, with p adjusted over all of them: what changed? Example: SELECT measure, cohort, coalesce(ks, cramers_v) AS effect, p_adjusted FROM llmtrace.drift_scan() WHERE verdict = ''drifted'' LIMIT 20';

-- --------------------------------------------------------------------- views ---

CREATE VIEW llmtrace.cohort_metric WITH (security_invoker = true) AS
SELECT r."time", r.measure, r."by", llmtrace.cohort_label(r.dims) AS cohort,
	coalesce(llmtrace.dist_count(r.dist), llmtrace.cat_count(r.cat)) AS weighted_count,
	coalesce(llmtrace.dist_null_count(r.dist), llmtrace.cat_null_count(r.cat)) AS missing_count,
	llmtrace.dist_mean(r.dist) AS mean, llmtrace.dist_quantile(r.dist, 0.5) AS p50,
	llmtrace.dist_quantile(r.dist, 0.95) AS p95, llmtrace.dist_quantile(r.dist, 0.99) AS p99,
	(SELECT coalesce(sum(k.count), 0) FROM llmtrace.cat_counts(r.cat) k WHERE k.key = 'true')
		/ nullif(llmtrace.cat_count(r.cat), 0) AS true_rate,
	r.dims
FROM llmtrace.cohort_rollup r
WHERE NOT r.is_day;
COMMENT ON VIEW llmtrace.cohort_metric IS 'One row an hour, measure and cohort, from rollups: filter by measure and "by", for each dimension has all traces. Example: SELECT "time", cohort, p95 FROM llmtrace.cohort_metric WHERE measure = ''tool_calls.duration_ms'' AND "by" = ''tool_name'' AND "time" > now() - interval ''7 days'' ORDER BY "time"';
COMMENT ON COLUMN llmtrace.cohort_metric."time" IS 'start of the hour, by UTC';
COMMENT ON COLUMN llmtrace.cohort_metric.measure IS 'what is measured: view and column';
COMMENT ON COLUMN llmtrace.cohort_metric."by" IS 'names of the cohort''s dimensions, with commas; empty for all';
COMMENT ON COLUMN llmtrace.cohort_metric.cohort IS 'the cohort: feature=research';
COMMENT ON COLUMN llmtrace.cohort_metric.weighted_count IS 'rows with a value, by sample_weight';
COMMENT ON COLUMN llmtrace.cohort_metric.missing_count IS 'rows without a value, by sample_weight';
COMMENT ON COLUMN llmtrace.cohort_metric.mean IS 'mean, in the measure''s unit; NULL of categories';
COMMENT ON COLUMN llmtrace.cohort_metric.p50 IS 'median, in the measure''s unit';
COMMENT ON COLUMN llmtrace.cohort_metric.p95 IS '95th percentile, in the measure''s unit';
COMMENT ON COLUMN llmtrace.cohort_metric.p99 IS '99th percentile, in the measure''s unit';
COMMENT ON COLUMN llmtrace.cohort_metric.true_rate IS 'share of rows that are true, of measures that are true or false; 0 of other categories, NULL of numbers';
COMMENT ON COLUMN llmtrace.cohort_metric.dims IS 'the cohort''s values by dimension';

CREATE VIEW llmtrace.cohort_metric_daily WITH (security_invoker = true) AS
SELECT r."time", r.measure, r."by", llmtrace.cohort_label(r.dims) AS cohort,
	coalesce(llmtrace.dist_count(r.dist), llmtrace.cat_count(r.cat)) AS weighted_count,
	coalesce(llmtrace.dist_null_count(r.dist), llmtrace.cat_null_count(r.cat)) AS missing_count,
	llmtrace.dist_mean(r.dist) AS mean, llmtrace.dist_quantile(r.dist, 0.5) AS p50,
	llmtrace.dist_quantile(r.dist, 0.95) AS p95, llmtrace.dist_quantile(r.dist, 0.99) AS p99,
	(SELECT coalesce(sum(k.count), 0) FROM llmtrace.cat_counts(r.cat) k WHERE k.key = 'true')
		/ nullif(llmtrace.cat_count(r.cat), 0) AS true_rate,
	r.dims
FROM llmtrace.cohort_rollup r
WHERE r.is_day;
COMMENT ON VIEW llmtrace.cohort_metric_daily IS 'One row a day, measure and cohort, from rollups: filter by measure and "by", for each dimension has all traces. Example: SELECT "time", cohort, p95 FROM llmtrace.cohort_metric_daily WHERE measure = ''tool_calls.duration_ms'' AND "by" = ''tool_name'' AND "time" > now() - interval ''7 days'' ORDER BY "time"';
COMMENT ON COLUMN llmtrace.cohort_metric_daily."time" IS 'start of the day, by UTC';
COMMENT ON COLUMN llmtrace.cohort_metric_daily.measure IS 'what is measured: view and column';
COMMENT ON COLUMN llmtrace.cohort_metric_daily."by" IS 'names of the cohort''s dimensions, with commas; empty for all';
COMMENT ON COLUMN llmtrace.cohort_metric_daily.cohort IS 'the cohort: feature=research';
COMMENT ON COLUMN llmtrace.cohort_metric_daily.weighted_count IS 'rows with a value, by sample_weight';
COMMENT ON COLUMN llmtrace.cohort_metric_daily.missing_count IS 'rows without a value, by sample_weight';
COMMENT ON COLUMN llmtrace.cohort_metric_daily.mean IS 'mean, in the measure''s unit; NULL of categories';
COMMENT ON COLUMN llmtrace.cohort_metric_daily.p50 IS 'median, in the measure''s unit';
COMMENT ON COLUMN llmtrace.cohort_metric_daily.p95 IS '95th percentile, in the measure''s unit';
COMMENT ON COLUMN llmtrace.cohort_metric_daily.p99 IS '99th percentile, in the measure''s unit';
COMMENT ON COLUMN llmtrace.cohort_metric_daily.true_rate IS 'share of rows that are true, of measures that are true or false; 0 of other categories, NULL of numbers';
COMMENT ON COLUMN llmtrace.cohort_metric_daily.dims IS 'the cohort''s values by dimension';

CREATE VIEW llmtrace.drift_daily WITH (security_invoker = true) AS
SELECT r."time", r.measure, r."by", llmtrace.cohort_label(r.dims) AS cohort, d.n_ref, d.n_cur,
	d.ks AS effect, d.ks_p AS p_value, d.psi, d.mean_diff, d.verdict, d.reason, r.dims
FROM llmtrace.cohort_rollup r
	CROSS JOIN LATERAL (
		SELECT llmtrace.dist_merge_agg(o.dist) AS dist FROM llmtrace.cohort_rollup o
		WHERE o.measure = r.measure AND o."by" = r."by" AND o.is_day AND o.dims = r.dims
			AND o."time" >= r."time" - interval '168 hours' AND o."time" < r."time") w
	CROSS JOIN LATERAL llmtrace.drift(w.dist, r.dist) d
WHERE r.is_day AND r.dist IS NOT NULL
UNION ALL
SELECT r."time", r.measure, r."by", llmtrace.cohort_label(r.dims), d.n_ref, d.n_cur,
	d.cramers_v, d.chi2_p, d.psi, NULL, d.verdict, d.reason, r.dims
FROM llmtrace.cohort_rollup r
	CROSS JOIN LATERAL (
		SELECT llmtrace.cat_merge_agg(o.cat) AS cat FROM llmtrace.cohort_rollup o
		WHERE o.measure = r.measure AND o."by" = r."by" AND o.is_day AND o.dims = r.dims
			AND o."time" >= r."time" - interval '168 hours' AND o."time" < r."time") w
	CROSS JOIN LATERAL llmtrace.drift(w.cat, r.cat) d
WHERE r.is_day AND r.cat IS NOT NULL;
COMMENT ON VIEW llmtrace.drift_daily IS 'Each day of each measure and cohort against the seven days before. p is of this one comparison: of many days and cohorts some are drifted by chance, which drift_scan adjusts for. Example: SELECT "time", cohort, effect, verdict FROM llmtrace.drift_daily WHERE measure = ''tool_calls.is_error'' AND "by" = ''tool_name'' AND "time" > now() - interval ''7 days'' ORDER BY "time"';
COMMENT ON COLUMN llmtrace.drift_daily."time" IS 'start of the day, by UTC';
COMMENT ON COLUMN llmtrace.drift_daily.measure IS 'what is measured: view and column';
COMMENT ON COLUMN llmtrace.drift_daily."by" IS 'names of the cohort''s dimensions, with commas; empty for all';
COMMENT ON COLUMN llmtrace.drift_daily.cohort IS 'the cohort: feature=research';
COMMENT ON COLUMN llmtrace.drift_daily.n_ref IS 'values of the seven days before, by sample_weight';
COMMENT ON COLUMN llmtrace.drift_daily.n_cur IS 'values of the day, by sample_weight';
COMMENT ON COLUMN llmtrace.drift_daily.effect IS 'how far they are apart, 0 to 1: ks of numbers, cramers_v of categories';
COMMENT ON COLUMN llmtrace.drift_daily.p_value IS 'probability of that by chance';
COMMENT ON COLUMN llmtrace.drift_daily.psi IS 'population stability index';
COMMENT ON COLUMN llmtrace.drift_daily.mean_diff IS 'mean of the day minus mean before, in the measure''s unit; NULL of categories';
COMMENT ON COLUMN llmtrace.drift_daily.verdict IS 'drifted, stable or insufficient_data; NULL if nothing is before';
COMMENT ON COLUMN llmtrace.drift_daily.reason IS 'what decided the verdict';
COMMENT ON COLUMN llmtrace.drift_daily.dims IS 'the cohort''s values by dimension';

-- ------------------------------------------------------------------ summaries ---

CREATE FUNCTION llmtrace.cohort_summary(measure text, "by" text[] DEFAULT '{}',
	since timestamptz DEFAULT now() - interval '7 days', until timestamptz DEFAULT 'infinity')
	RETURNS TABLE (cohort text, weighted_count double precision, mean double precision, p50 double precision,
		p95 double precision, p99 double precision, min double precision, max double precision,
		true_rate double precision, coverage_rate double precision, source text, dims jsonb)
	LANGUAGE plpgsql STABLE ROWS 20 SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_variable
BEGIN
	PERFORM llmtrace.check_period(since, until);
	PERFORM llmtrace.notice_empty_period(since, until);
	RETURN QUERY
		SELECT llmtrace.cohort_label(s.dims), coalesce(llmtrace.dist_count(s.cur_dist), llmtrace.cat_count(s.cur_cat)) AS n,
			llmtrace.dist_mean(s.cur_dist), llmtrace.dist_quantile(s.cur_dist, 0.5), llmtrace.dist_quantile(s.cur_dist, 0.95),
			llmtrace.dist_quantile(s.cur_dist, 0.99), llmtrace.dist_min(s.cur_dist), llmtrace.dist_max(s.cur_dist),
			(SELECT coalesce(sum(k.count), 0) FROM llmtrace.cat_counts(s.cur_cat) k WHERE k.key = 'true')
				/ nullif(llmtrace.cat_count(s.cur_cat), 0),
			coalesce(llmtrace.dist_count(s.cur_dist), llmtrace.cat_count(s.cur_cat))
				/ nullif(coalesce(llmtrace.dist_count(s.cur_dist) + llmtrace.dist_null_count(s.cur_dist),
					llmtrace.cat_count(s.cur_cat) + llmtrace.cat_null_count(s.cur_cat)), 0),
			s.source, s.dims
		FROM llmtrace.cohort_states(measure, "by", llmtrace.hour_of(since), llmtrace.hour_of(until), since, since) s
		ORDER BY n DESC NULLS LAST, s.dims;
END
$$;
COMMENT ON FUNCTION llmtrace.cohort_summary(text, text[], timestamptz, timestamptz) IS
'The distribution of a measure in each cohort over whole hours, from rollups where they have it. true_rate is the share of true. Example: SELECT cohort, weighted_count, p99 FROM llmtrace.cohort_summary(''tool_calls.duration_ms'', ''{tool_name}'')';
