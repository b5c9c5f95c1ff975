-- How much runs at once: within a trace, for a user, at a provider.

CREATE VIEW llmtrace.fanout_tree WITH (security_invoker = true) AS
SELECT t.started_at, t.trace_id, t.root_name, t.duration_ms, t.span_count, t.depth AS max_depth, f.max_width, f.max_in_flight,
	f.model_call_count, f.tool_call_count, f.branching_mean, f.peak_tokens_per_minute, t.is_complete,
	t.service_name, t.service_version, t.environment, t.region, t.feature, t.feature_source, t.tenant_id, t.user_id,
	t.conversation_id, t.agent_name, t.prompt_name, t.prompt_version, t.prompt_hash, t.dims, t.sample_weight
FROM llmtrace.trajectories t
	CROSS JOIN LATERAL llmtrace.fanout(t.trajectory) f;
COMMENT ON VIEW llmtrace.fanout_tree IS 'One row a trace: how far it fans out. Example: SELECT trace_id, span_count, max_width, max_in_flight, peak_tokens_per_minute FROM llmtrace.fanout_tree WHERE started_at > now() - interval ''7 days'' ORDER BY peak_tokens_per_minute DESC NULLS LAST LIMIT 10';
COMMENT ON COLUMN llmtrace.fanout_tree.started_at IS 'start of the trace';
COMMENT ON COLUMN llmtrace.fanout_tree.trace_id IS 'id of the trace';
COMMENT ON COLUMN llmtrace.fanout_tree.root_name IS 'name of the root span';
COMMENT ON COLUMN llmtrace.fanout_tree.duration_ms IS 'from the earliest start to the latest end, in milliseconds; NULL while a root is open';
COMMENT ON COLUMN llmtrace.fanout_tree.span_count IS 'spans';
COMMENT ON COLUMN llmtrace.fanout_tree.max_depth IS 'levels of the tree';
COMMENT ON COLUMN llmtrace.fanout_tree.max_width IS 'most spans on one level';
COMMENT ON COLUMN llmtrace.fanout_tree.max_in_flight IS 'most calls of models, retrievals and tools (those with none below) at one moment';
COMMENT ON COLUMN llmtrace.fanout_tree.model_call_count IS 'model calls (llm, embedding, rerank), wrappers left out';
COMMENT ON COLUMN llmtrace.fanout_tree.tool_call_count IS 'tool calls';
COMMENT ON COLUMN llmtrace.fanout_tree.branching_mean IS 'mean number of children of a span that has some';
COMMENT ON COLUMN llmtrace.fanout_tree.peak_tokens_per_minute IS 'most tokens of calls that began within a minute of each other';
COMMENT ON COLUMN llmtrace.fanout_tree.is_complete IS 'are all parents present and all spans closed?';

CREATE FUNCTION llmtrace.rate_pressure(
	since timestamptz DEFAULT now() - interval '7 days', until timestamptz DEFAULT 'infinity',
	bucket interval DEFAULT '1 minute', "by" text[] DEFAULT '{}')
	RETURNS TABLE ("time" timestamptz, trace_id uuid, tenant_id text, top_tokens bigint, bucket_tokens bigint,
		bucket_token_share double precision, dominance double precision, consumer_count bigint, call_count bigint,
		rate_limited_count bigint, victim_count bigint, cohort text, dims jsonb)
	LANGUAGE plpgsql STABLE ROWS 500 SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM llmtrace.check_period(since, until);
	PERFORM llmtrace.check_bucket(bucket, false);
	RETURN QUERY EXECUTE format($sql$
		WITH consumer AS (
			SELECT date_bin($3, x.span_started_at, timestamptz '2000-01-01 00:00:00+00') AS at, %s AS dims,
				x.trace_id, min(x.tenant_id) AS tenant_id, count(*) AS calls,
				sum(coalesce(x.input_tokens, 0) + coalesce(x.output_tokens, 0))::bigint AS tokens,
				count(*) FILTER (WHERE x.is_error AND llmtrace.is_rate_limit(x.error_type)) AS limited
			FROM llmtrace.model_calls x
			WHERE x.started_at >= $1 AND x.started_at < $2
			GROUP BY 1, 2, 3
		), ranked AS (
			SELECT c.*, row_number() OVER (PARTITION BY c.at, c.dims ORDER BY c.tokens DESC, c.trace_id) AS rank,
				sum(c.tokens) OVER w AS all_tokens, count(*) OVER w AS consumers, sum(c.calls) OVER w AS all_calls,
				sum(c.limited) OVER w AS all_limited
			FROM consumer c
			WINDOW w AS (PARTITION BY c.at, c.dims)
		)
		SELECT r.at, r.trace_id, r.tenant_id, r.tokens, r.all_tokens::bigint,
			(r.tokens / nullif(r.all_tokens, 0))::double precision, (r.tokens * r.consumers / nullif(r.all_tokens, 0))::double precision,
			r.consumers, r.all_calls::bigint, r.all_limited::bigint, (r.all_limited - r.limited)::bigint,
			llmtrace.cohort_label(r.dims), r.dims
		FROM ranked r
		WHERE r.rank = 1 AND (r.all_tokens > 0 OR r.all_limited > 0)
		ORDER BY r.at, r.dims$sql$,
		llmtrace.dims_expression('llmtrace.model_calls', "by"))
	USING since, until, bucket;
	IF NOT FOUND THEN
		PERFORM llmtrace.notice_nothing(since, until, 'no model call has tokens or was refused');
	END IF;
END
$$;
COMMENT ON FUNCTION llmtrace.rate_pressure(timestamptz, timestamptz, interval, text[]) IS
'Who uses up a rate limit, one row a bucket of time in which model calls used tokens or were refused: the trace with the most tokens, its share of them, and dominance, how many times what each would have had of an even share. victim_count: calls of other traces that were refused for too many requests meanwhile. By provider or model: "by". Example: SELECT "time", trace_id, tenant_id, bucket_token_share, victim_count FROM llmtrace.rate_pressure("by" => ''{provider}'') ORDER BY victim_count DESC LIMIT 10';

CREATE FUNCTION llmtrace.burst_concurrency(
	since timestamptz DEFAULT now() - interval '7 days', until timestamptz DEFAULT 'infinity',
	bucket interval DEFAULT '10 seconds', "by" text[] DEFAULT '{user_id,tool_name}',
	human_calls_per_minute double precision DEFAULT 6)
	RETURNS TABLE ("time" timestamptz, max_in_flight bigint, calls_in_bucket bigint, human_baseline_ratio double precision,
		call_count bigint, rate_limited_rate double precision, trace_count bigint, weighted_count double precision,
		cohort text, dims jsonb)
	LANGUAGE plpgsql STABLE ROWS 100 SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM llmtrace.check_period(since, until);
	PERFORM llmtrace.check_bucket(bucket, false);
	IF (human_calls_per_minute > 0) IS NOT TRUE THEN
		RAISE EXCEPTION 'human_calls_per_minute must be more than 0' USING ERRCODE = 'invalid_parameter_value';
	END IF;
	-- a call of no length runs for a microsecond
	RETURN QUERY EXECUTE format($sql$
		WITH call AS (
			SELECT %s AS dims, x.trace_id, x.sample_weight AS weight, x.span_started_at AS from_at,
				greatest(x.span_ended_at, x.span_started_at + interval '1 microsecond') AS to_at,
				x.is_error AND llmtrace.is_rate_limit(x.error_type) AS is_limited
			FROM llmtrace.tool_calls x
			WHERE x.started_at >= $1 AND x.started_at < $2
		), running AS (
			SELECT e.dims, sum(e.step) OVER (PARTITION BY e.dims ORDER BY e.at, e.step ROWS UNBOUNDED PRECEDING) AS count
			FROM (SELECT c.dims, c.from_at AS at, 1 AS step FROM call c
				UNION ALL SELECT c.dims, c.to_at, -1 FROM call c) e
		), most AS (
			SELECT r.dims, max(r.count) AS at_once FROM running r GROUP BY r.dims
		), busiest AS (
			SELECT DISTINCT ON (b.dims) b.dims, b.at, b.calls
			FROM (SELECT c.dims, date_bin($3, c.from_at, timestamptz '2000-01-01 00:00:00+00') AS at, count(*) AS calls
				FROM call c GROUP BY 1, 2) b
			ORDER BY b.dims, b.calls DESC, b.at
		), summed AS (
			SELECT c.dims, count(*) AS calls, count(*) FILTER (WHERE c.is_limited) AS limited,
				count(DISTINCT c.trace_id) AS traces, sum(c.weight) AS weight
			FROM call c GROUP BY c.dims
		)
		SELECT b.at, m.at_once::bigint, b.calls,
			b.calls / ($4 * (extract(epoch FROM $3) / 60)::double precision), s.calls,
			s.limited::double precision / s.calls, s.traces, s.weight, llmtrace.cohort_label(s.dims), s.dims
		FROM summed s JOIN most m ON m.dims = s.dims JOIN busiest b ON b.dims = s.dims
		ORDER BY m.at_once DESC, b.calls DESC, s.dims$sql$,
		llmtrace.dims_expression('llmtrace.tool_calls', "by"))
	USING since, until, bucket, human_calls_per_minute;
	IF NOT FOUND THEN
		PERFORM llmtrace.notice_nothing(since, until, 'no tool was called');
	END IF;
END
$$;
COMMENT ON FUNCTION llmtrace.burst_concurrency(timestamptz, timestamptz, interval, text[], double precision) IS
'How hard agents hit tools, one row a user and tool: most calls that ran at one moment, calls that began in the busiest bucket of time and when that was, how many times what a person would do (human_calls_per_minute), and the share of calls refused for too many requests. An open call counts from its start for a microsecond. Example: SELECT cohort, max_in_flight, calls_in_bucket, human_baseline_ratio FROM llmtrace.burst_concurrency("by" => ''{tool_name}'') LIMIT 10';
