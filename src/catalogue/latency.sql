-- Where the time of many traces goes.

CREATE VIEW llmtrace.component_time WITH (security_invoker = true) AS
SELECT t.started_at, t.trace_id, c.component, c.span_count, c.self_ms, c.critical_ms,
	c.critical_ms / nullif(sum(c.critical_ms) OVER (PARTITION BY t.started_at, t.trace_id), 0) AS critical_share,
	t.service_name, t.service_version, t.environment, t.region, t.feature, t.feature_source, t.tenant_id, t.user_id,
	t.conversation_id, t.agent_name, t.prompt_name, t.prompt_version, t.prompt_hash, t.dims, t.sample_weight
FROM llmtrace.trajectories t
	CROSS JOIN LATERAL (
		SELECT k.component, sum(k.span_count)::bigint AS span_count, sum(k.self_ms) AS self_ms, sum(k.critical_ms) AS critical_ms
		FROM llmtrace.component_times(t.trajectory) k
		GROUP BY k.component) c;
COMMENT ON VIEW llmtrace.component_time IS 'One row a trace and component of it: model (llm, embedding, rerank), tool, retrieval (and memory), database, human, own code. What is below a tool and does nothing in particular is the tool''s. Example: SELECT component, sum(self_ms), sum(critical_ms) FROM llmtrace.component_time WHERE started_at > now() - interval ''7 days'' GROUP BY component ORDER BY 3 DESC';
COMMENT ON COLUMN llmtrace.component_time.started_at IS 'start of the trace';
COMMENT ON COLUMN llmtrace.component_time.trace_id IS 'id of the trace';
COMMENT ON COLUMN llmtrace.component_time.component IS 'model, tool, retrieval, database, human or own';
COMMENT ON COLUMN llmtrace.component_time.span_count IS 'spans of the component';
COMMENT ON COLUMN llmtrace.component_time.self_ms IS 'time in which spans of it ran and no child of theirs, in milliseconds; side by side counts twice';
COMMENT ON COLUMN llmtrace.component_time.critical_ms IS 'time for which the trace waited for it, in milliseconds: adds up to the critical path';
COMMENT ON COLUMN llmtrace.component_time.critical_share IS 'the same as a share of the trace, 0 to 1; adds up to 1';

CREATE FUNCTION llmtrace.time_share(
	since timestamptz DEFAULT now() - interval '7 days', until timestamptz DEFAULT 'infinity',
	bucket interval DEFAULT NULL, "by" text[] DEFAULT '{}', matching llmtrace.tracequery DEFAULT NULL)
	RETURNS TABLE ("time" timestamptz, component text, self_ms_avg double precision, critical_ms_avg double precision,
		critical_share double precision, p95_critical_ms double precision, span_count bigint, trace_count bigint,
		weighted_count double precision, cohort text, dims jsonb)
	LANGUAGE plpgsql STABLE ROWS 50 SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM llmtrace.check_period(since, until);
	PERFORM llmtrace.check_bucket(bucket, true);
	-- a trace without a component spent no time in it
	RETURN QUERY EXECUTE format($sql$
		WITH part AS (
			SELECT CASE WHEN $3 IS NULL THEN $1 ELSE date_bin($3, x.started_at, timestamptz '2000-01-01 00:00:00+00') END AS at,
				%s AS dims, x.sample_weight AS weight, c.component, c.span_count, c.self_ms, c.critical_ms
			FROM llmtrace.trajectories x
				CROSS JOIN LATERAL (
					SELECT n.component, coalesce(sum(k.span_count), 0) AS span_count,
						coalesce(sum(k.self_ms), 0) AS self_ms, coalesce(sum(k.critical_ms), 0) AS critical_ms
					FROM unnest('{model,tool,retrieval,database,human,own}'::text[]) AS n (component)
						LEFT JOIN llmtrace.component_times(x.trajectory) k ON k.component = n.component
					GROUP BY n.component) c
			WHERE x.started_at >= $1 AND x.started_at < $2 AND ($4 IS NULL OR llmtrace.matches(x.trajectory, $4))
		), summed AS (
			SELECT p.at, p.dims, p.component, sum(p.span_count)::bigint AS spans, sum(p.weight) AS weight, count(*) AS traces,
				sum(p.self_ms * p.weight) AS self_ms, sum(p.critical_ms * p.weight) AS critical_ms,
				llmtrace.dist_agg(p.critical_ms, p.weight) AS dist
			FROM part p
			GROUP BY p.at, p.dims, p.component
		), share AS (
			SELECT s.*, s.critical_ms / nullif(sum(s.critical_ms) OVER (PARTITION BY s.at, s.dims), 0) AS share
			FROM summed s
		)
		SELECT s.at, s.component, s.self_ms / nullif(s.weight, 0), s.critical_ms / nullif(s.weight, 0), s.share,
			llmtrace.dist_quantile(s.dist, 0.95), s.spans, s.traces, s.weight, llmtrace.cohort_label(s.dims), s.dims
		FROM share s
		WHERE s.spans > 0
		ORDER BY s.at, s.dims, s.critical_ms DESC, s.component$sql$,
		llmtrace.dims_expression('llmtrace.trajectories', "by"))
	USING since, until, bucket, matching;
	IF NOT FOUND THEN
		PERFORM llmtrace.notice_nothing(since, until, 'no trace has what matching looks for');
	END IF;
END
$$;
COMMENT ON FUNCTION llmtrace.time_share(timestamptz, timestamptz, interval, text[], llmtrace.tracequery) IS
'What the time of traces goes to: one row a component (see component_time), in milliseconds a trace, those without it included. critical_share is of all that the traces waited for and adds up to 1; self times add up to more where spans run side by side. Example: SELECT component, critical_ms_avg, critical_share FROM llmtrace.time_share()';

CREATE FUNCTION llmtrace.critical_path_share(
	"by" text[] DEFAULT '{}', min_quantile double precision DEFAULT 0,
	since timestamptz DEFAULT now() - interval '7 days', until timestamptz DEFAULT 'infinity',
	matching llmtrace.tracequery DEFAULT NULL,
	async text DEFAULT 'clamp', tolerance_ms double precision DEFAULT 0, tolerance_share double precision DEFAULT 0,
	blocking llmtrace.tracequery DEFAULT NULL, exclude llmtrace.tracequery DEFAULT NULL, roots text DEFAULT 'each',
	compat text DEFAULT NULL)
	RETURNS TABLE (component text, kind text, name text, critical_ms double precision, critical_share double precision,
		critical_ms_avg double precision, self_ms_avg double precision, span_count bigint, trace_count bigint,
		weighted_count double precision, cohort text, dims jsonb)
	LANGUAGE plpgsql STABLE ROWS 100 SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM llmtrace.check_period(since, until);
	IF (min_quantile >= 0 AND min_quantile < 1) IS NOT TRUE THEN
		RAISE EXCEPTION 'min_quantile must be from 0 to below 1, not %', min_quantile
			USING ERRCODE = 'invalid_parameter_value', HINT = '0.95 looks at the slowest 5 % of each cohort.';
	END IF;
	RETURN QUERY EXECUTE format($sql$
		WITH trace AS (
			SELECT %s AS dims, x.duration_ms, x.sample_weight AS weight, x.trajectory
			FROM llmtrace.trajectories x
			WHERE x.started_at >= $1 AND x.started_at < $2 AND ($4 IS NULL OR llmtrace.matches(x.trajectory, $4))
		), bound AS (
			SELECT t.dims, percentile_disc($3) WITHIN GROUP (ORDER BY t.duration_ms) AS ms
			FROM trace t
			GROUP BY t.dims
		), slow AS (
			SELECT t.dims, t.weight, t.trajectory
			FROM trace t JOIN bound b ON b.dims = t.dims
			WHERE $3 = 0 OR t.duration_ms >= b.ms
		), total AS (
			SELECT s.dims, count(*) AS traces, sum(s.weight) AS weight FROM slow s GROUP BY s.dims
		), part AS (
			SELECT s.dims, k.component, k.kind, k.name, sum(k.span_count)::bigint AS spans,
				sum(k.critical_ms * s.weight) AS critical_ms, sum(k.self_ms * s.weight) AS self_ms
			FROM slow s
				CROSS JOIN LATERAL llmtrace.component_times(s.trajectory, $5, $6, $7, $8, $9, $10, $11) k
			GROUP BY s.dims, k.component, k.kind, k.name
		)
		SELECT p.component, p.kind, p.name, p.critical_ms,
			p.critical_ms / nullif(sum(p.critical_ms) OVER (PARTITION BY p.dims), 0),
			p.critical_ms / nullif(t.weight, 0), p.self_ms / nullif(t.weight, 0), p.spans, t.traces, t.weight,
			llmtrace.cohort_label(p.dims), p.dims
		FROM part p JOIN total t ON t.dims = p.dims
		ORDER BY p.dims, p.critical_ms DESC, p.kind, p.name$sql$,
		llmtrace.dims_expression('llmtrace.trajectories', "by"))
	USING since, until, min_quantile, matching, async, tolerance_ms, tolerance_share, blocking, exclude, roots, compat;
	IF NOT FOUND THEN
		PERFORM llmtrace.notice_nothing(since, until, 'no trace has what matching looks for');
	END IF;
END
$$;
COMMENT ON FUNCTION llmtrace.critical_path_share(text[], double precision, timestamptz, timestamptz, llmtrace.tracequery, text, double precision, double precision, llmtrace.tracequery, llmtrace.tracequery, text, text) IS
'Which spans make traces slow: the critical path, summed by name and kind of span, in milliseconds (critical_ms of all traces by their sample weight, _avg a trace). Of each cohort only the traces from its min_quantile of duration on: 0.95 is the slowest 5 %. critical_share adds up to 1 in a cohort. Options as of critical_path. Example: SELECT name, critical_share, critical_ms_avg FROM llmtrace.critical_path_share(min_quantile => 0.95) LIMIT 10';

CREATE FUNCTION llmtrace.what_if_report(
	matching llmtrace.tracequery, factor double precision DEFAULT 0,
	since timestamptz DEFAULT now() - interval '7 days', until timestamptz DEFAULT 'infinity',
	"by" text[] DEFAULT '{}',
	async text DEFAULT 'clamp', tolerance_ms double precision DEFAULT 0, tolerance_share double precision DEFAULT 0,
	blocking llmtrace.tracequery DEFAULT NULL, exclude llmtrace.tracequery DEFAULT NULL, roots text DEFAULT 'each',
	compat text DEFAULT NULL)
	RETURNS TABLE (duration_ms_avg double precision, what_if_ms_avg double precision, saved_ms double precision,
		saved_share double precision, p50_saved_ms double precision, p95_saved_ms double precision,
		p50_duration_ms double precision, p50_what_if_ms double precision, p95_duration_ms double precision,
		p95_what_if_ms double precision, matched_count bigint, trace_count bigint, weighted_count double precision,
		cohort text, dims jsonb)
	LANGUAGE plpgsql STABLE ROWS 20 SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM llmtrace.check_period(since, until);
	IF matching IS NULL OR factor IS NULL THEN
		RAISE EXCEPTION 'matching and factor must not be null' USING ERRCODE = 'null_value_not_allowed';
	END IF;
	RETURN QUERY EXECUTE format($sql$
		WITH run AS (
			SELECT %s AS dims, x.sample_weight AS weight, w.duration_ms, w.saved_ms, llmtrace.matches(x.trajectory, $3) AS is_matched
			FROM llmtrace.trajectories x
				CROSS JOIN LATERAL llmtrace.what_if(x.trajectory, $3, $4, $5, $6, $7, $8, $9, $10, $11) w
			WHERE x.started_at >= $1 AND x.started_at < $2
		), summed AS (
			SELECT r.dims, sum(r.weight) AS weight, count(*) AS traces, count(*) FILTER (WHERE r.is_matched) AS matched,
				sum(r.duration_ms * r.weight) AS ms, sum(r.saved_ms * r.weight) AS saved_ms,
				llmtrace.dist_agg(r.saved_ms, r.weight) AS saved, llmtrace.dist_agg(r.duration_ms, r.weight) AS after,
				llmtrace.dist_agg(r.duration_ms + r.saved_ms, r.weight) AS before
			FROM run r
			GROUP BY r.dims
		)
		SELECT (s.ms + s.saved_ms) / nullif(s.weight, 0), s.ms / nullif(s.weight, 0), s.saved_ms,
			s.saved_ms / nullif(s.ms + s.saved_ms, 0),
			llmtrace.dist_quantile(s.saved, 0.5), llmtrace.dist_quantile(s.saved, 0.95),
			llmtrace.dist_quantile(s.before, 0.5), llmtrace.dist_quantile(s.after, 0.5),
			llmtrace.dist_quantile(s.before, 0.95), llmtrace.dist_quantile(s.after, 0.95),
			s.matched, s.traces, s.weight, llmtrace.cohort_label(s.dims), s.dims
		FROM summed s
		ORDER BY s.saved_ms DESC, s.dims$sql$,
		llmtrace.dims_expression('llmtrace.trajectories', "by"))
	USING since, until, matching, factor, async, tolerance_ms, tolerance_share, blocking, exclude, roots, compat;
	IF NOT FOUND THEN
		PERFORM llmtrace.notice_nothing(since, until, 'no trace started');
	END IF;
END
$$;
COMMENT ON FUNCTION llmtrace.what_if_report(llmtrace.tracequery, double precision, timestamptz, timestamptz, text[], text, double precision, double precision, llmtrace.tracequery, llmtrace.tracequery, text, text) IS
'How long traces would take if the spans that a query finds took factor times their own time (0: none), beside how long they take, in milliseconds: each trace is replayed, see what_if. saved_ms is of all traces by their sample weight; quantiles are of traces; matched_count traces have such a span. Options as of critical_path. Example: SELECT saved_share, p95_duration_ms, p95_what_if_ms FROM llmtrace.what_if_report(''{ kind = tool }'', 0.5)';

CREATE FUNCTION llmtrace.latency_budget_report(
	budget jsonb,
	since timestamptz DEFAULT now() - interval '7 days', until timestamptz DEFAULT 'infinity',
	"by" text[] DEFAULT '{}', matching llmtrace.tracequery DEFAULT NULL,
	async text DEFAULT 'clamp', tolerance_ms double precision DEFAULT 0, tolerance_share double precision DEFAULT 0,
	blocking llmtrace.tracequery DEFAULT NULL, exclude llmtrace.tracequery DEFAULT NULL, roots text DEFAULT 'each',
	compat text DEFAULT NULL)
	RETURNS TABLE (node text, budget_ms_avg double precision, critical_ms_avg double precision,
		p50_critical_ms double precision, p95_critical_ms double precision, p99_critical_ms double precision,
		violation_rate double precision, multiplicity_rate double precision, latent_rate double precision,
		blame_ms double precision, blame_share double precision, trace_count bigint, weighted_count double precision,
		cohort text, dims jsonb)
	LANGUAGE plpgsql STABLE ROWS 20 SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM llmtrace.check_period(since, until);
	IF budget IS NULL THEN
		RAISE EXCEPTION 'the budget must not be null' USING ERRCODE = 'null_value_not_allowed';
	END IF;
	-- a budget that cannot hold is an error, even where there is no trace
	PERFORM llmtrace.latency_budget('{"trace_id": "1", "spans": [{"span_id": "1", "name": "", "start_ns": 0, "end_ns": 0}]}', budget);
	RETURN QUERY EXECUTE format($sql$
		WITH result AS (
			SELECT %s AS dims, x.sample_weight AS weight, b.*
			FROM llmtrace.trajectories x
				CROSS JOIN LATERAL llmtrace.latency_budget(x.trajectory, $3, $5, $6, $7, $8, $9, $10, $11) WITH ORDINALITY
					AS b (node, budget_ms, critical_ms, overrun_ms, created_ms, absorbed_ms, blame_ms, instances, verdict, slack_ms, number)
			WHERE x.started_at >= $1 AND x.started_at < $2 AND ($4 IS NULL OR llmtrace.matches(x.trajectory, $4))
		), summed AS (
			SELECT r.dims, r.number, r.node, count(*) AS traces, nullif(sum(r.weight), 0) AS weight,
				sum(r.budget_ms * r.weight) AS budget_ms, sum(r.critical_ms * r.weight) AS critical_ms,
				llmtrace.dist_agg(r.critical_ms, r.weight) AS dist,
				coalesce(sum(r.weight) FILTER (WHERE r.overrun_ms > 0), 0) AS violations,
				coalesce(sum(r.weight) FILTER (WHERE r.verdict = 'multiplicity'), 0) AS multiplicity,
				coalesce(sum(r.weight) FILTER (WHERE r.verdict = 'latent'), 0) AS latent,
				sum(r.blame_ms * r.weight) AS blame_ms
			FROM result r
			GROUP BY r.dims, r.number, r.node
		)
		SELECT s.node, s.budget_ms / s.weight, s.critical_ms / s.weight,
			llmtrace.dist_quantile(s.dist, 0.5), llmtrace.dist_quantile(s.dist, 0.95), llmtrace.dist_quantile(s.dist, 0.99),
			s.violations / s.weight, s.multiplicity / s.weight, s.latent / s.weight, s.blame_ms,
			s.blame_ms / nullif(sum(s.blame_ms) OVER (PARTITION BY s.dims), 0), s.traces, coalesce(s.weight, 0),
			llmtrace.cohort_label(s.dims), s.dims
		FROM summed s
		ORDER BY s.dims, s.number$sql$,
		llmtrace.dims_expression('llmtrace.trajectories', "by"))
	USING since, until, budget, matching, async, tolerance_ms, tolerance_share, blocking, exclude, roots, compat;
	IF NOT FOUND THEN
		PERFORM llmtrace.notice_nothing(since, until, 'no trace has what matching looks for');
	END IF;
END
$$;
COMMENT ON FUNCTION llmtrace.latency_budget_report(jsonb, timestamptz, timestamptz, text[], llmtrace.tracequery, text, double precision, double precision, llmtrace.tracequery, llmtrace.tracequery, text, text) IS
'A budget (see latency_budget) held against many traces: one row a node, parents first, in milliseconds a trace. violation_rate is the share of traces in which the node is over its budget, multiplicity_rate those with too many instances, latent_rate those with a span over, off the path. blame_ms are the node''s parts of the whole''s overruns, in all traces by their sample weight; blame_share adds up to 1. Options as of critical_path. Example: SELECT node, violation_rate, p95_critical_ms, blame_share FROM llmtrace.latency_budget_report(''{"ms": 30000, "children": [{"node": "models", "pattern": "{ kind = llm }", "ms": 20000}]}'')';
