-- Around an incident: what changed, whom it hit; and quality as it wears off.

CREATE FUNCTION llmtrace.incident_delta(at timestamptz, before interval DEFAULT '1 day', after interval DEFAULT '2 hours',
	bad llmtrace.tracequery DEFAULT '{ isError }', min_support bigint DEFAULT 10)
	RETURNS TABLE (rank bigint, dimension text, value text, before_share double precision, after_share double precision,
		bad_rate_before double precision, bad_rate_after double precision, lift double precision, support_count bigint,
		p_adjusted double precision, is_new boolean, first_seen timestamptz)
	LANGUAGE plpgsql STABLE ROWS 50 SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
	IF at IS NULL OR before IS NULL OR after IS NULL OR bad IS NULL OR before <= '0' OR after <= '0' THEN
		RAISE EXCEPTION 'a time, what is bad, and times before and after longer than 0 are needed' USING ERRCODE = 'invalid_parameter_value';
	END IF;
	RETURN QUERY
		WITH run AS MATERIALIZED (
			SELECT t.trace_id, t.started_at, t.started_at >= at AS is_after, llmtrace.matches(t.trajectory, bad) AS is_bad,
				nullif(t.sample_weight, 0) AS weight, v.dimension, v.value
			FROM llmtrace.trajectories t
				CROSS JOIN LATERAL (
					SELECT * FROM (VALUES ('service_name', t.service_name), ('service_version', t.service_version), ('environment', t.environment),
						('region', t.region), ('feature', t.feature), ('tenant_id', t.tenant_id), ('agent_name', t.agent_name),
						('prompt_version', t.prompt_version), ('prompt_hash', t.prompt_hash), ('root_name', t.root_name)) f (dimension, value)
					WHERE f.value IS NOT NULL
					UNION ALL
					SELECT d.key, d.value FROM jsonb_each_text(t.dims) d WHERE d.value IS NOT NULL
					UNION
					SELECT CASE WHEN s.kind = 'tool' THEN 'tool_name' ELSE 'model' END, coalesce(s.tool_name, s.model)
					FROM llmtrace.span_rows(t.trajectory) s
					WHERE s.kind IN ('tool', 'llm', 'embedding', 'rerank') AND coalesce(s.tool_name, s.model) IS NOT NULL) v
			WHERE t.started_at >= at - before AND t.started_at < at + after
		), whole AS (
			SELECT sum(r.weight) FILTER (WHERE NOT r.is_after) AS n_before, sum(r.weight) FILTER (WHERE r.is_after) AS n_after,
				sum(r.weight) FILTER (WHERE r.is_after AND r.is_bad) AS bad_after
			FROM (SELECT DISTINCT r.trace_id, r.is_after, r.is_bad, r.weight FROM run r) r
		), cell AS (
			SELECT r.dimension, r.value, count(*) FILTER (WHERE r.is_after) AS support, min(r.started_at) AS first_seen,
				coalesce(sum(r.weight) FILTER (WHERE NOT r.is_after), 0) AS n_before, coalesce(sum(r.weight) FILTER (WHERE r.is_after), 0) AS n_after,
				coalesce(sum(r.weight) FILTER (WHERE NOT r.is_after AND r.is_bad), 0) AS bad_before,
				coalesce(sum(r.weight) FILTER (WHERE r.is_after AND r.is_bad), 0) AS bad_after
			FROM run r GROUP BY r.dimension, r.value
		), judged AS (
			SELECT c.*, row_number() OVER (ORDER BY c.dimension, c.value) AS place,
				-- of what is new, against the others after
				c.bad_after / nullif(c.n_after, 0) - CASE WHEN c.n_before > 0 THEN c.bad_before / c.n_before
					ELSE (w.bad_after - c.bad_after) / nullif(w.n_after - c.n_after, 0) END AS excess,
				CASE WHEN c.n_before > 0 THEN c.n_before ELSE w.n_after - c.n_after END AS n_other,
				CASE WHEN c.n_before > 0 THEN c.bad_before ELSE w.bad_after - c.bad_after END AS bad_other, w.bad_after AS all_bad, w.n_before AS all_before, w.n_after AS all_after
			FROM cell c CROSS JOIN whole w
			WHERE c.support >= min_support
		), tested AS (
			SELECT j.*, CASE WHEN j.n_after > 0 AND j.n_other > 0 THEN llmtrace.chi2_p(coalesce(j.excess ^ 2 / nullif(
					(j.bad_after + j.bad_other + 1) / (j.n_after + j.n_other + 2) * (1 - (j.bad_after + j.bad_other + 1) / (j.n_after + j.n_other + 2))
					* (1 / j.n_after + 1 / j.n_other), 0), 0)) END AS p
			FROM judged j
		), adjusted AS (
			SELECT unnest(array_agg(t.place ORDER BY t.place)) AS place, unnest(llmtrace.p_adjust(array_agg(t.p ORDER BY t.place))) AS p FROM tested t
		)
		SELECT row_number() OVER (ORDER BY coalesce(a.p, 1) <= 0.05 AND t.excess > 0 DESC, t.excess * sqrt(t.n_after) DESC NULLS LAST, t.dimension, t.value),
			t.dimension, t.value, t.n_before / nullif(t.all_before, 0), t.n_after / nullif(t.all_after, 0),
			t.bad_before / nullif(t.n_before, 0), t.bad_after / nullif(t.n_after, 0),
			(t.bad_after / nullif(t.n_after, 0)) / nullif((t.all_bad - t.bad_after) / nullif(t.all_after - t.n_after, 0), 0),
			t.support, a.p, t.n_before = 0, t.first_seen
		FROM tested t JOIN adjusted a ON a.place = t.place
		UNION ALL
		SELECT 0, 'change_event', concat(e.kind, ' ', e.subject), NULL, NULL, NULL, NULL, NULL, NULL, NULL, true, e.at
		FROM llmtrace.change_event e
		WHERE e.at >= incident_delta.at - incident_delta.before AND e.at < incident_delta.at + incident_delta.after
		ORDER BY 1, 12;
	IF NOT FOUND THEN
		PERFORM llmtrace.notice_nothing(at - before, at + after, format('no value of a dimension is in %s traces after %s', min_support, at),
			'Pass a longer after, or a smaller min_support.');
	END IF;
END
$$;
COMMENT ON FUNCTION llmtrace.incident_delta(timestamptz, interval, interval, llmtrace.tracequery, bigint) IS
'What is different since a time: for each value of each dimension, and each tool and model that a trace used, its share of the traces and how often these are bad (a query finds them), before and after. lift is the bad rate of traces with the value by that of the others, after; p compares with before, of new values with the others, adjusted over the rows. Suspects come first; values that go together are suspects together. Rank 0 are entries of change_event. Example: SELECT rank, dimension, value, bad_rate_before, bad_rate_after, lift FROM llmtrace.incident_delta(now() - interval ''1 day'')';

CREATE FUNCTION llmtrace.blast_radius(
	since timestamptz DEFAULT now() - interval '7 days', until timestamptz DEFAULT 'infinity',
	bad llmtrace.tracequery DEFAULT '{ isError }')
	RETURNS TABLE (bad_count bigint, trace_count bigint, bad_rate double precision, user_count bigint, tenant_count bigint,
		conversation_count bigint, feature_count bigint, cost_usd numeric, weighted_count double precision,
		first_at timestamptz, last_at timestamptz)
	LANGUAGE plpgsql STABLE ROWS 1 SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
	PERFORM llmtrace.check_period(since, until);
	PERFORM llmtrace.notice_empty_period(since, until);
	RETURN QUERY
		SELECT count(*) FILTER (WHERE r.is_bad), count(*), sum(r.sample_weight) FILTER (WHERE r.is_bad) / nullif(sum(r.sample_weight), 0),
			count(DISTINCT r.user_id) FILTER (WHERE r.is_bad), count(DISTINCT r.tenant_id) FILTER (WHERE r.is_bad),
			count(DISTINCT r.conversation_id) FILTER (WHERE r.is_bad), count(DISTINCT r.feature) FILTER (WHERE r.is_bad),
			sum(r.cost_usd) FILTER (WHERE r.is_bad), coalesce(sum(r.sample_weight) FILTER (WHERE r.is_bad), 0),
			min(r.started_at) FILTER (WHERE r.is_bad), max(r.started_at) FILTER (WHERE r.is_bad)
		FROM (SELECT t.*, llmtrace.matches(t.trajectory, bad) AS is_bad FROM llmtrace.trajectories t
				WHERE t.started_at >= since AND t.started_at < until) r;
END
$$;
COMMENT ON FUNCTION llmtrace.blast_radius(timestamptz, timestamptz, llmtrace.tracequery) IS
'Whom it hit: the traces that a query finds, their users, tenants, conversations and features, and what they cost; users and tenants that are not recorded are not counted. Example: SELECT bad_count, bad_rate, tenant_count FROM llmtrace.blast_radius(bad => ''{ kind = tool && isError }'')';

CREATE FUNCTION llmtrace.quality_trend(
	since timestamptz DEFAULT now() - interval '90 days', until timestamptz DEFAULT 'infinity',
	bucket interval DEFAULT '7 days', feature text DEFAULT NULL)
	RETURNS TABLE ("time" timestamptz, metric text, value double precision, lower double precision, upper double precision,
		baseline double precision, cusum double precision, is_change_point boolean, since_launch_days double precision,
		trace_count bigint, weighted_count double precision)
	LANGUAGE plpgsql STABLE ROWS 100 SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
	PERFORM llmtrace.check_period(since, until);
	PERFORM llmtrace.notice_empty_period(since, until);
	PERFORM llmtrace.check_bucket(bucket, false);
	RETURN QUERY
		WITH run AS MATERIALIZED (
			SELECT t.trace_id, date_bin(bucket, t.started_at, timestamptz '2000-01-03 00:00:00+00') AS at, t.started_at,
				nullif(t.sample_weight, 0) AS weight, t.is_error, t.tool_call_count, t.tool_error_count, t.output_tokens, t.model_call_count, t.retry_count
			FROM llmtrace.traces t
			WHERE t.started_at >= since AND t.started_at < until AND (quality_trend.feature IS NULL OR t.feature = quality_trend.feature)
		), judged AS (
			SELECT r.at, r.weight, v.metric, v.value
			FROM run r
				CROSS JOIN LATERAL (VALUES ('run errors', r.is_error::int::float8),
					('tool error rate', r.tool_error_count::float8 / nullif(r.tool_call_count, 0)),
					('output tokens a call', r.output_tokens::float8 / nullif(r.model_call_count, 0)),
					('retries', r.retry_count::float8)) v (metric, value)
			WHERE v.value IS NOT NULL
			UNION ALL
			-- another evaluator is another scale
			SELECT r.at, r.weight, concat('score ', a.name, ' by ', a.source), avg(a.score)
			FROM run r JOIN llmtrace.annotation a ON a.trace_id = r.trace_id
			WHERE a.score IS NOT NULL
			GROUP BY r.trace_id, r.at, r.weight, a.name, a.source
			UNION ALL
			SELECT r.at, r.weight, concat('success of ', o.kind), avg(o.success::int)
			FROM run r JOIN llmtrace.outcome o ON o.trace_id = r.trace_id
			WHERE o.success IS NOT NULL
			GROUP BY r.trace_id, r.at, r.weight, o.kind
		), point AS (
			SELECT j.metric, j.at, count(*) AS n, sum(j.weight) AS weight, sum(j.weight * j.value) / sum(j.weight) AS value,
				stddev_samp(j.value) / sqrt(sum(j.weight) ^ 2 / sum(j.weight ^ 2)) AS error
			FROM judged j WHERE j.weight IS NOT NULL
			GROUP BY j.metric, j.at
		), placed AS (
			SELECT p.*, row_number() OVER w AS number, avg(p.value) OVER (w ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS whole,
				-- the first third, three buckets at least, is what it was
				row_number() OVER w <= greatest(3, count(*) OVER (PARTITION BY p.metric) / 3) AS is_first
			FROM point p WINDOW w AS (PARTITION BY p.metric ORDER BY p.at)
		), base AS (
			SELECT p.metric, sum(p.value * p.weight) / sum(p.weight) AS value, sqrt(avg(p.error ^ 2)) AS error
			FROM placed p WHERE p.is_first GROUP BY p.metric
		), chart AS (
			SELECT p.*, b.value AS baseline, llmtrace.cusum((p.value - b.value) / nullif(b.error, 0), 0, 0.5) OVER (PARTITION BY p.metric ORDER BY p.at) AS sum
			FROM placed p JOIN base b ON b.metric = p.metric
		)
		SELECT c.at, c.metric, c.value, c.value - 1.959964 * c.error, c.value + 1.959964 * c.error, c.baseline, c.sum,
			abs(c.sum) > 5 AND NOT coalesce(bool_or(abs(c.sum) > 5) OVER (PARTITION BY c.metric ORDER BY c.at ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), false),
			extract(epoch FROM c.at - (SELECT min(r.at) FROM run r))::float8 / 86400, c.n, c.weight
		FROM chart c
		ORDER BY c.metric, c.at;
END
$$;
COMMENT ON FUNCTION llmtrace.quality_trend(timestamptz, timestamptz, interval, text) IS
'Means of what tells of quality, a bucket a row, with 95 percent intervals of traces: errors, tool errors, output, retries, scores (each evaluator apart) and outcomes. baseline is the first third, three buckets at least; cusum adds up what leaves it by more than half a standard error, and is_change_point is where that first exceeds 5. Example: SELECT "time", metric, value, baseline FROM llmtrace.quality_trend() WHERE is_change_point';

CREATE FUNCTION llmtrace.decay_report(
	since timestamptz DEFAULT now() - interval '90 days', until timestamptz DEFAULT 'infinity',
	bucket interval DEFAULT '7 days', feature text DEFAULT NULL)
	RETURNS TABLE (metric text, first_value double precision, last_value double precision, slope_per_week double precision,
		half_life_days double precision, first_breach timestamptz, bucket_count bigint)
	LANGUAGE plpgsql STABLE ROWS 10 SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN QUERY
		SELECT q.metric, (array_agg(q.value ORDER BY q."time"))[1], (array_agg(q.value ORDER BY q."time" DESC))[1],
			regr_slope(q.value, q.since_launch_days) * 7,
			-- of what falls off, exponentially
			CASE WHEN min(q.value) > 0 AND regr_slope(ln(nullif(greatest(q.value, 0), 0)), q.since_launch_days) < 0
				THEN -ln(2) / regr_slope(ln(nullif(greatest(q.value, 0), 0)), q.since_launch_days) END,
			min(q."time") FILTER (WHERE q.is_change_point), count(*)
		FROM llmtrace.quality_trend(since, until, bucket, feature) q
		GROUP BY q.metric
		ORDER BY q.metric;
END
$$;
COMMENT ON FUNCTION llmtrace.decay_report(timestamptz, timestamptz, interval, text) IS
'quality_trend, a metric a row: slope by least squares, the half-life of what falls (by an exponential fit; NULL of what does not), and the first change point. Example: SELECT metric, slope_per_week, half_life_days, first_breach FROM llmtrace.decay_report()';
