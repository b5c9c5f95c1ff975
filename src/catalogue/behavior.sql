-- What changed when the model, the prompt or the users did.

CREATE VIEW llmtrace.model_alias_change WITH (security_invoker = true) AS
SELECT c.model_requested AS alias, c.started_at, c.old_responded, c.model_responded AS new_responded, c.trace_id AS first_trace_id
FROM (
	SELECT m.model_requested, m.model_responded, m.started_at, m.trace_id,
		lag(m.model_responded) OVER (PARTITION BY m.model_requested ORDER BY m.started_at, m.trace_id) AS old_responded
	FROM (
		SELECT DISTINCT ON (x.model_requested, x.model_responded) x.model_requested, x.model_responded, t.started_at, t.trace_id
		FROM llmtrace.trajectories t
			CROSS JOIN LATERAL (
				SELECT DISTINCT y.model_requested, y.model_responded
				FROM llmtrace.model_call_rows(t.trajectory) y
				WHERE y.model_requested IS NOT NULL AND y.model_responded IS NOT NULL) x
		WHERE t.started_at > '-infinity'
		ORDER BY x.model_requested, x.model_responded, t.started_at, t.trace_id) m) c
WHERE c.old_responded IS NOT NULL;
COMMENT ON VIEW llmtrace.model_alias_change IS 'When another model first answered to a name that is requested. Reads all model calls: behavior_diff and cohort_drift of model_calls.model by model_requested tell how much. Example: SELECT * FROM llmtrace.model_alias_change ORDER BY started_at DESC LIMIT 10';
COMMENT ON COLUMN llmtrace.model_alias_change.alias IS 'model that is requested';
COMMENT ON COLUMN llmtrace.model_alias_change.started_at IS 'start of the first trace in which the new model answered';
COMMENT ON COLUMN llmtrace.model_alias_change.old_responded IS 'the model that began to answer before it';
COMMENT ON COLUMN llmtrace.model_alias_change.new_responded IS 'the model that answers';
COMMENT ON COLUMN llmtrace.model_alias_change.first_trace_id IS 'that trace';

CREATE FUNCTION llmtrace.behavior_diff(
	since timestamptz DEFAULT now() - interval '7 days', until timestamptz DEFAULT 'infinity',
	ref_since timestamptz DEFAULT NULL, ref_until timestamptz DEFAULT NULL, "by" text[] DEFAULT '{}',
	min_n double precision DEFAULT 50, min_effect double precision DEFAULT 0.1, alpha double precision DEFAULT 0.05)
	RETURNS TABLE (cohort text, metric text, a_count double precision, b_count double precision, a_value double precision,
		b_value double precision, delta double precision, effect_size double precision, p_value double precision,
		p_adjusted double precision, is_significant boolean, verdict text, dims jsonb)
	LANGUAGE plpgsql STABLE ROWS 50 SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
BEGIN
	SELECT w.since, w.until, w.ref_since, w.ref_until INTO since, until, ref_since, ref_until
	FROM llmtrace.check_windows(since, until, ref_since, ref_until) w;
	RETURN QUERY
		WITH s AS MATERIALIZED (
			SELECT row_number() OVER (ORDER BY x.dims, m.name) AS place, m.name AS metric, x.*
			FROM unnest(ARRAY['model_calls.output_tokens', 'model_calls.duration_ms', 'model_calls.ttft_ms', 'model_calls.cost_usd',
					'model_calls.reasoning_tokens', 'model_calls.finish_reason', 'model_calls.is_error', 'model_calls.model',
					'tool_calls.tool_name', 'tool_calls.is_error', 'tool_calls.attempt']) m (name)
				CROSS JOIN LATERAL llmtrace.cohort_states(m.name, "by", since, until, ref_since, ref_until) x
			WHERE llmtrace.view_columns(split_part(m.name, '.', 1)) @> array(
				SELECT n FROM unnest("by") n WHERE n NOT IN (SELECT d.name FROM llmtrace.cohort_dimension d))
		), a AS (
			SELECT array_agg(s.ref_dist ORDER BY s.place) AS ref_dists, array_agg(s.cur_dist ORDER BY s.place) AS cur_dists,
				array_agg(s.ref_cat ORDER BY s.place) AS ref_cats, array_agg(s.cur_cat ORDER BY s.place) AS cur_cats
			FROM s
		)
		SELECT llmtrace.cohort_label(s.dims), s.metric, c.n_ref, c.n_cur, v.a, v.b, v.b - v.a,
			coalesce(c.ks, c.cramers_v), coalesce(c.ks_p, c.chi2_p), c.p_adjusted, c.verdict = 'drifted', c.verdict, s.dims
		FROM a CROSS JOIN LATERAL llmtrace.compare_states(a.ref_dists, a.cur_dists, a.ref_cats, a.cur_cats, min_n, min_effect, alpha, 'bh') c
			JOIN s ON s.place = c.place
			CROSS JOIN LATERAL (
				SELECT CASE WHEN s.metric LIKE '%.is\_%'
						THEN (SELECT coalesce(sum(k.count) FILTER (WHERE k.key = 'true'), 0) / nullif(sum(k.count), 0) FROM llmtrace.cat_counts(s.ref_cat) k)
						ELSE llmtrace.dist_mean(s.ref_dist) END AS a,
					CASE WHEN s.metric LIKE '%.is\_%'
						THEN (SELECT coalesce(sum(k.count) FILTER (WHERE k.key = 'true'), 0) / nullif(sum(k.count), 0) FROM llmtrace.cat_counts(s.cur_cat) k)
						ELSE llmtrace.dist_mean(s.cur_dist) END AS b) v
		ORDER BY c.verdict = 'drifted' DESC NULLS LAST, coalesce(c.ks, c.cramers_v) DESC NULLS LAST, s.place;
END
$$;
COMMENT ON FUNCTION llmtrace.behavior_diff(timestamptz, timestamptz, timestamptz, timestamptz, text[], double precision, double precision, double precision) IS
'What models do otherwise than before a change: lengths, latency, cost, finish reasons, errors, models that answer, tools chosen, retries; a is the reference window, b the current. Values are means, or shares of true; categories have none. p is adjusted over all rows. Too little data is insufficient_data, not no change. Example: SELECT cohort, metric, a_value, b_value, verdict FROM llmtrace.behavior_diff("by" => ''{feature}'') WHERE is_significant';

CREATE FUNCTION llmtrace.input_drift(
	since timestamptz DEFAULT now() - interval '7 days', until timestamptz DEFAULT 'infinity',
	ref_since timestamptz DEFAULT NULL, ref_until timestamptz DEFAULT NULL, feature text DEFAULT NULL,
	min_n double precision DEFAULT 50, min_effect double precision DEFAULT 0.1, alpha double precision DEFAULT 0.05)
	RETURNS TABLE (dimension text, statistic double precision, psi double precision, threshold double precision,
		p_value double precision, p_adjusted double precision, is_drifted boolean, verdict text, ref_count double precision,
		cur_count double precision, pinned_share double precision, new_values text[])
	LANGUAGE plpgsql STABLE ROWS 10 SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
BEGIN
	SELECT w.since, w.until, w.ref_since, w.ref_until INTO since, until, ref_since, ref_until
	FROM llmtrace.check_windows(since, until, ref_since, ref_until) w;
	RETURN QUERY
		-- what users send, seen through one call a trace: the first
		WITH call AS (
			SELECT DISTINCT ON (m.trace_id) m.trace_id, m.started_at >= ref_since AND m.started_at < ref_until AS is_ref,
				m.started_at, m.sample_weight, m.input_tokens, m.model, m.prompt_hash, m.tenant_id, m.user_id, m.environment, m.region
			FROM llmtrace.model_calls m
			WHERE (m.started_at >= ref_since AND m.started_at < ref_until OR m.started_at >= since AND m.started_at < until)
				AND (feature IS NULL OR m.feature = feature)
			ORDER BY m.trace_id, m.span_started_at, m.span_id
		), pin AS (
			-- the same model and prompt, in both windows
			SELECT c.model, c.prompt_hash FROM call c GROUP BY c.model, c.prompt_hash HAVING bool_or(c.is_ref) AND bool_or(NOT c.is_ref)
		), pinned AS MATERIALIZED (
			SELECT c.* FROM call c JOIN pin p ON p.model IS NOT DISTINCT FROM c.model AND p.prompt_hash IS NOT DISTINCT FROM c.prompt_hash
		), s AS (
			SELECT 1 AS place, 'input_tokens' AS dimension,
				llmtrace.dist_agg(c.input_tokens, c.sample_weight) FILTER (WHERE c.is_ref) AS ref_dist,
				llmtrace.dist_agg(c.input_tokens, c.sample_weight) FILTER (WHERE NOT c.is_ref) AS cur_dist,
				NULL::llmtrace.cat AS ref_cat, NULL::llmtrace.cat AS cur_cat
			FROM pinned c
			UNION ALL
			SELECT row_number() OVER (ORDER BY v.name) + 1, v.name, NULL, NULL,
				llmtrace.cat_agg(v.value, c.sample_weight) FILTER (WHERE c.is_ref),
				llmtrace.cat_agg(v.value, c.sample_weight) FILTER (WHERE NOT c.is_ref)
			FROM pinned c
				CROSS JOIN LATERAL (VALUES ('tenant_id', c.tenant_id), ('environment', c.environment), ('region', c.region),
					('model', c.model), ('prompt_hash', c.prompt_hash),
					('hour_of_day', extract(hour FROM c.started_at AT TIME ZONE 'UTC')::text)) v (name, value)
			GROUP BY v.name
		), a AS (
			SELECT array_agg(s.ref_dist ORDER BY s.place) AS ref_dists, array_agg(s.cur_dist ORDER BY s.place) AS cur_dists,
				array_agg(s.ref_cat ORDER BY s.place) AS ref_cats, array_agg(s.cur_cat ORDER BY s.place) AS cur_cats
			FROM s
		)
		SELECT s.dimension, coalesce(c.ks, c.cramers_v), c.psi, c.psi_critical, coalesce(c.ks_p, c.chi2_p), c.p_adjusted,
			c.verdict = 'drifted', c.verdict, c.n_ref, c.n_cur,
			(SELECT count(*) FROM pinned)::float8 / nullif((SELECT count(*) FROM call), 0),
			(SELECT (array_agg(k.key ORDER BY k.count DESC, k.key))[1:5] FROM llmtrace.cat_counts(s.cur_cat) k
				WHERE k.key IS NOT NULL AND NOT EXISTS (SELECT FROM llmtrace.cat_counts(s.ref_cat) o WHERE o.key = k.key))
		FROM a CROSS JOIN LATERAL llmtrace.compare_states(a.ref_dists, a.cur_dists, a.ref_cats, a.cur_cats, min_n, min_effect, alpha, 'bh') c
			JOIN s ON s.place = c.place
		ORDER BY c.verdict = 'drifted' DESC NULLS LAST, coalesce(c.ks, c.cramers_v) DESC NULLS LAST;
END
$$;
COMMENT ON FUNCTION llmtrace.input_drift(timestamptz, timestamptz, timestamptz, timestamptz, text, double precision, double precision, double precision) IS
'Do users send something else, while model and prompt are the same? Of the first model call of each trace, and of pairs of model and prompt_hash that are in both windows; pinned_share is their share of the traces. Length, tenants, places and times of day; texts are not looked at. statistic is ks or cramers_v, threshold what psi exceeds by chance with probability alpha; compare the same days of the week where weeks have a shape. Example: SELECT dimension, statistic, p_adjusted, verdict FROM llmtrace.input_drift()';

CREATE FUNCTION llmtrace.prompt_versions(
	since timestamptz DEFAULT now() - interval '7 days', until timestamptz DEFAULT 'infinity', "by" text[] DEFAULT '{feature}')
	RETURNS TABLE (prompt_name text, prompt_version text, prompt_hash text, first_seen timestamptz, last_seen timestamptz,
		call_count bigint, call_share double precision, user_count bigint, error_rate double precision,
		score_avg double precision, trace_count bigint, weighted_count double precision, coverage_rate double precision,
		cohort text, dims jsonb)
	LANGUAGE plpgsql STABLE ROWS 50 SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
	PERFORM llmtrace.check_period(since, until);
	PERFORM llmtrace.notice_empty_period(since, until);
	RETURN QUERY EXECUTE format($sql$
		WITH call AS (
			SELECT x.trace_id, x.prompt_name, x.prompt_version, x.prompt_hash, x.started_at, x.user_id, x.is_error, x.sample_weight, %s AS dims
			FROM llmtrace.model_calls x
			WHERE x.started_at >= $1 AND x.started_at < $2 AND x.kind = 'llm'
		), score AS (
			SELECT a.trace_id, avg(a.score) AS score FROM llmtrace.annotation a
			WHERE a.score IS NOT NULL AND a.trace_id IN (SELECT c.trace_id FROM call c) GROUP BY a.trace_id
		), g AS (
			SELECT c.dims, c.prompt_name, c.prompt_version, c.prompt_hash, min(c.started_at) AS first_seen, max(c.started_at) AS last_seen,
				count(*) AS calls, count(DISTINCT c.user_id) AS users,
				sum(c.sample_weight) FILTER (WHERE c.is_error) AS failed, sum(c.sample_weight) AS weight,
				count(DISTINCT c.trace_id) AS traces, avg(s.score) AS score
			FROM call c LEFT JOIN score s ON s.trace_id = c.trace_id
			GROUP BY c.dims, c.prompt_name, c.prompt_version, c.prompt_hash
		)
		SELECT g.prompt_name, g.prompt_version, g.prompt_hash, g.first_seen, g.last_seen, g.calls, g.weight / nullif(sum(g.weight) OVER w, 0),
			g.users, coalesce(g.failed, 0) / nullif(g.weight, 0), g.score, g.traces, g.weight,
			coalesce(sum(g.weight) FILTER (WHERE g.prompt_hash IS NOT NULL) OVER w, 0) / nullif(sum(g.weight) OVER w, 0),
			llmtrace.cohort_label(g.dims), g.dims
		FROM g
		WINDOW w AS (PARTITION BY g.dims)
		ORDER BY g.dims, g.first_seen, g.prompt_hash$sql$, llmtrace.dims_expression('llmtrace.model_calls', "by"))
	USING since, until;
END
$$;
COMMENT ON FUNCTION llmtrace.prompt_versions(timestamptz, timestamptz, text[]) IS
'Which prompts were in use when: by prompt_hash, the system text and tools of a model call, so that a prompt nobody gave a version is seen too; texts that bear names or dates have many. call_share is within the cohort, coverage_rate the share of its calls that have a hash, score_avg of annotations of the traces. Example: SELECT cohort, prompt_hash, first_seen, last_seen, call_share, error_rate FROM llmtrace.prompt_versions()';
