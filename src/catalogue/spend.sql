-- Spend that is out of the ordinary.

CREATE FUNCTION llmtrace.spend_anomaly(
	since timestamptz DEFAULT now() - interval '7 days', until timestamptz DEFAULT 'infinity',
	bucket interval DEFAULT '1 hour', "by" text[] DEFAULT '{tenant_id}', baseline interval DEFAULT '28 days',
	min_z double precision DEFAULT 5)
	RETURNS TABLE ("time" timestamptz, entity text, metric text, observed double precision, expected double precision,
		z double precision, severity text, is_new_entity boolean, is_new_model boolean, ratio_shift double precision,
		example_trace_id uuid, trace_count bigint, dims jsonb)
	LANGUAGE plpgsql STABLE ROWS 50 SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
	PERFORM llmtrace.check_period(since, until);
	PERFORM llmtrace.notice_empty_period(since, until);
	IF bucket IS NULL OR bucket <= '0' OR bucket > '1 day' OR extract(epoch FROM bucket) <> floor(extract(epoch FROM bucket)) THEN
		RAISE EXCEPTION 'bucket must be between a second and a day' USING ERRCODE = 'invalid_parameter_value';
	END IF;
	IF baseline IS NULL OR baseline < '1 day' OR NOT isfinite(since) THEN
		RAISE EXCEPTION 'a baseline of a day at least is needed before since' USING ERRCODE = 'invalid_parameter_value';
	END IF;
	RETURN QUERY EXECUTE format($sql$
		WITH trace AS MATERIALIZED (
			SELECT date_bin($3, x.started_at, timestamptz '2000-01-03 00:00:00+00') AS at, x.started_at, x.trace_id, x.model, %s AS dims,
				x.sample_weight * coalesce(x.input_tokens, 0) AS input, x.sample_weight * coalesce(x.output_tokens, 0) AS output,
				x.sample_weight * x.cost_usd::float8 AS cost
			FROM llmtrace.traces x
			WHERE x.started_at >= $1 - $4 AND x.started_at < $2
		), range AS (
			SELECT min(t.at) AS first_at, max(t.at) AS last_at FROM trace t
		), seen AS (
			SELECT t.dims, min(t.at) AS first_at FROM trace t GROUP BY t.dims
		), new_model AS (
			SELECT t.dims, t.at, bool_or(m.first_at = t.at) AS is_new
			FROM trace t JOIN (SELECT t.dims, t.model, min(t.at) AS first_at FROM trace t GROUP BY t.dims, t.model) m
				ON m.dims = t.dims AND m.model = t.model
			GROUP BY t.dims, t.at
		), used AS (
			SELECT t.dims, t.at, sum(t.input) + sum(t.output) AS tokens, sum(t.input) AS input, sum(t.output) AS output, sum(t.cost) AS cost,
				count(*) AS traces, (array_agg(t.trace_id ORDER BY t.input + t.output DESC, t.trace_id))[1] AS example
			FROM trace t GROUP BY t.dims, t.at
		), bucket AS (
			-- hours without a request count: nothing was spent
			SELECT s.dims, g.at, coalesce(u.tokens, 0) AS tokens, coalesce(u.cost, 0) AS cost, u.input, u.output, u.traces, u.example,
				extract(hour FROM g.at AT TIME ZONE 'UTC') AS hour
			FROM seen s CROSS JOIN range r
				CROSS JOIN LATERAL generate_series(greatest(s.first_at, r.first_at), r.last_at, $3) g (at)
				LEFT JOIN used u ON u.dims = s.dims AND u.at = g.at
		), usual AS (
			-- the same hour of the day, and the hours beside it
			SELECT b.dims, h.hour, count(*) AS n,
				percentile_cont(0.5) WITHIN GROUP (ORDER BY b.tokens) AS tokens, percentile_cont(0.5) WITHIN GROUP (ORDER BY b.cost) AS cost,
				sum(b.input) / nullif(sum(b.output), 0) AS ratio
			FROM bucket b JOIN generate_series(0, 23) h (hour) ON (h.hour - b.hour + 25)::integer %% 24 <= 2
			WHERE b.at < $1
			GROUP BY b.dims, h.hour
		), spread AS (
			SELECT b.dims, h.hour,
				percentile_cont(0.5) WITHIN GROUP (ORDER BY abs(b.tokens - u.tokens)) AS tokens_mad,
				percentile_cont(0.5) WITHIN GROUP (ORDER BY abs(b.cost - u.cost)) AS cost_mad,
				avg(abs(b.tokens - u.tokens)) AS tokens_deviation, avg(abs(b.cost - u.cost)) AS cost_deviation
			FROM bucket b JOIN generate_series(0, 23) h (hour) ON (h.hour - b.hour + 25)::integer %% 24 <= 2
				JOIN usual u ON u.dims = b.dims AND u.hour = h.hour
			WHERE b.at < $1
			GROUP BY b.dims, h.hour
		), scored AS (
			SELECT b.at, b.dims, v.metric, v.observed, v.expected, u.n,
				-- MAD is 0 where most hours are idle: then the mean deviation
				(v.observed - v.expected) / nullif(greatest(1.4826 * v.mad, 1.2533 * v.deviation, 0.05 * v.expected), 0) AS z,
				(b.input / nullif(b.output, 0)) / nullif(u.ratio, 0) AS ratio_shift, b.example, b.traces
			FROM bucket b
				LEFT JOIN usual u ON u.dims = b.dims AND u.hour = b.hour
				LEFT JOIN spread p ON p.dims = b.dims AND p.hour = b.hour
				CROSS JOIN LATERAL (VALUES ('tokens', b.tokens, u.tokens, p.tokens_mad, p.tokens_deviation),
					('cost_usd', b.cost, u.cost, p.cost_mad, p.cost_deviation)) v (metric, observed, expected, mad, deviation)
			WHERE b.at >= $1 AND b.traces > 0 AND v.observed > 0
		)
		SELECT s.at, llmtrace.cohort_label(s.dims), s.metric, s.observed, s.expected, s.z,
			CASE WHEN e.first_at >= $1 AND s.z IS NULL THEN 'new' WHEN s.z >= 2 * $5 THEN 'high' ELSE 'medium' END,
			e.first_at >= $1, coalesce(m.is_new, false) AND e.first_at < s.at, s.ratio_shift, s.example, s.traces, s.dims
		FROM scored s JOIN seen e ON e.dims = s.dims
			LEFT JOIN new_model m ON m.dims = s.dims AND m.at = s.at
		WHERE s.n >= 24 AND s.z >= $5 OR e.first_at >= $1 AND s.at = e.first_at
		ORDER BY s.z DESC NULLS LAST, s.at$sql$, llmtrace.dims_expression('llmtrace.traces', "by"))
	USING since, until, bucket, baseline, min_z;
END
$$;
COMMENT ON FUNCTION llmtrace.spend_anomaly(timestamptz, timestamptz, interval, text[], interval, double precision) IS
'Who spends far more than usual: tokens and cost of each cohort and bucket against the median of the same hours of the day in the baseline before since, in robust standard deviations (z). Who is seen for the first time is new, once; is_new_model: in this bucket it used a model for the first time; ratio_shift: input to output tokens, divided by what is usual. A baseline of fewer than 24 buckets judges nothing. Example: SELECT "time", entity, metric, observed, expected, z FROM llmtrace.spend_anomaly() WHERE severity = ''high''';
