-- What a model call spends its time on, and how soon it answers.

CREATE VIEW llmtrace.llm_phase WITH (security_invoker = true) AS
SELECT t.started_at, m.trace_id, m.span_id, m.provider, m.model, m.is_streaming, m.duration_ms, m.ttft_ms,
	c.before_request_ms AS connect_ms,
	p.queue_prefill_ms,
	CASE WHEN m.ttft_ms <= m.duration_ms THEN m.duration_ms - m.ttft_ms - coalesce(p.tail_ms, 0) END AS decode_ms,
	p.tail_ms, m.tpot_ms,
	m.output_tokens / nullif(m.duration_ms / 1000, 0) AS output_tps,
	p.uncached_input_tokens,
	m.cache_read_tokens::double precision / nullif(m.input_tokens, 0) AS cache_hit_share,
	p.queue_prefill_ms / nullif(p.uncached_input_tokens / 1000.0::double precision, 0) AS prefill_ms_per_1k,
	CASE WHEN c.request_count > 1 THEN c.resent_ms END AS hidden_retry_ms,
	coalesce(c.request_count, 0) AS request_count,
	CASE WHEN c.request_count > 0 AND m.ttft_ms IS NOT NULL THEN 'ttft, requests'
		WHEN c.request_count > 0 THEN 'requests' WHEN m.ttft_ms IS NOT NULL THEN 'ttft' ELSE 'none' END AS phase_source,
	m.is_error,
	m.service_name, m.service_version, m.environment, m.region, coalesce(m.feature, t.feature) AS feature,
	CASE WHEN m.feature IS NOT NULL THEN 'attribute' ELSE t.feature_source END AS feature_source,
	coalesce(m.tenant_id, t.tenant_id) AS tenant_id, coalesce(m.user_id, t.user_id) AS user_id,
	coalesce(m.conversation_id, t.conversation_id) AS conversation_id, m.agent_name,
	coalesce(m.prompt_name, t.prompt_name) AS prompt_name,
	coalesce(m.prompt_version, t.prompt_version) AS prompt_version,
	coalesce(m.prompt_hash, t.prompt_hash) AS prompt_hash, t.dims, t.sample_weight
FROM llmtrace.trajectories t
	CROSS JOIN LATERAL llmtrace.model_call_rows(t.trajectory) m
	LEFT JOIN LATERAL llmtrace.call_context(t.trajectory) c ON c.ordinal = m.ordinal
	CROSS JOIN LATERAL (
		SELECT CASE WHEN m.input_tokens >= coalesce(m.cache_read_tokens, 0)
				THEN m.input_tokens - coalesce(m.cache_read_tokens, 0) END AS uncached_input_tokens,
			CASE WHEN m.ttft_ms >= coalesce(c.before_request_ms, 0)
				THEN m.ttft_ms - coalesce(c.before_request_ms, 0) END AS queue_prefill_ms,
			-- many a client's span ends with the headers of the answer
			CASE WHEN c.after_request_ms >= 0 AND c.after_request_ms <= m.duration_ms - m.ttft_ms THEN c.after_request_ms END AS tail_ms) p
WHERE m.kind = 'llm';
COMMENT ON VIEW llmtrace.llm_phase IS 'One row a call of a language model: what its time went to. Phases are known where the time to the first token is, or where requests are recorded below it (phase_source). Example: SELECT model, avg(queue_prefill_ms), avg(decode_ms), avg(cache_hit_share), sum(hidden_retry_ms) FROM llmtrace.llm_phase WHERE started_at > now() - interval ''7 days'' GROUP BY model ORDER BY 2 DESC NULLS LAST LIMIT 10';
COMMENT ON COLUMN llmtrace.llm_phase.started_at IS 'start of the trace';
COMMENT ON COLUMN llmtrace.llm_phase.trace_id IS 'id of the trace';
COMMENT ON COLUMN llmtrace.llm_phase.span_id IS 'id of the span';
COMMENT ON COLUMN llmtrace.llm_phase.provider IS 'provider of the model';
COMMENT ON COLUMN llmtrace.llm_phase.model IS 'model that responded, else the one requested';
COMMENT ON COLUMN llmtrace.llm_phase.is_streaming IS 'was the answer streamed? NULL if unknown';
COMMENT ON COLUMN llmtrace.llm_phase.duration_ms IS 'from start to end, in milliseconds; NULL while it is open';
COMMENT ON COLUMN llmtrace.llm_phase.ttft_ms IS 'time to the first token, in milliseconds';
COMMENT ON COLUMN llmtrace.llm_phase.connect_ms IS 'before the first request below it, in milliseconds; NULL if none is recorded';
COMMENT ON COLUMN llmtrace.llm_phase.queue_prefill_ms IS 'from there to the first token, in milliseconds: waiting at the provider, and reading the prompt';
COMMENT ON COLUMN llmtrace.llm_phase.decode_ms IS 'from the first token to the last, in milliseconds';
COMMENT ON COLUMN llmtrace.llm_phase.tail_ms IS 'after the last request ended, in milliseconds; NULL if unknown, or if that span ends before the first token';
COMMENT ON COLUMN llmtrace.llm_phase.tpot_ms IS 'time an output token after the first, in milliseconds';
COMMENT ON COLUMN llmtrace.llm_phase.output_tps IS 'output tokens a second of the whole call';
COMMENT ON COLUMN llmtrace.llm_phase.uncached_input_tokens IS 'input tokens that were not read from a cache';
COMMENT ON COLUMN llmtrace.llm_phase.cache_hit_share IS 'share of input tokens read from a cache, 0 to 1';
COMMENT ON COLUMN llmtrace.llm_phase.prefill_ms_per_1k IS 'queue_prefill_ms for 1,000 input tokens that were not cached, in milliseconds';
COMMENT ON COLUMN llmtrace.llm_phase.hidden_retry_ms IS 'from the start of the first request to that of the last, in milliseconds; NULL if there was but one';
COMMENT ON COLUMN llmtrace.llm_phase.request_count IS 'client requests recorded below it';
COMMENT ON COLUMN llmtrace.llm_phase.phase_source IS 'what the phases are known from: ttft, requests, both or none';
COMMENT ON COLUMN llmtrace.llm_phase.is_error IS 'did it fail?';

CREATE FUNCTION llmtrace.notice_no_first_token(since timestamptz, until timestamptz) RETURNS void
	LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	SELECT llmtrace.notice_nothing(since, until, 'no model call streams, or says when its first token came',
		'If an attribute of your own says it, in milliseconds: CALL llmtrace.map_attribute(''ttft_ms'', key)');
END;
COMMENT ON FUNCTION llmtrace.notice_no_first_token(timestamptz, timestamptz) IS 'a notice where nothing is known of first tokens';

CREATE FUNCTION llmtrace.ttft_slo(
	since timestamptz DEFAULT now() - interval '7 days', until timestamptz DEFAULT 'infinity',
	bucket interval DEFAULT NULL, target_ms double precision DEFAULT 1000, objective double precision DEFAULT 0.95,
	"by" text[] DEFAULT '{}')
	RETURNS TABLE ("time" timestamptz, p50_ms double precision, p95_ms double precision, p99_ms double precision,
		attainment_rate double precision, burn_rate double precision, call_count bigint, missing_rate double precision,
		trace_count bigint, weighted_count double precision, cohort text, dims jsonb)
	LANGUAGE plpgsql STABLE ROWS 50 SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM llmtrace.check_period(since, until);
	PERFORM llmtrace.check_bucket(bucket, true);
	IF (target_ms > 0) IS NOT TRUE THEN
		RAISE EXCEPTION 'target_ms must be more than 0' USING ERRCODE = 'invalid_parameter_value';
	END IF;
	PERFORM llmtrace.check_objective('objective', objective);
	-- a call that does not stream has no first token
	RETURN QUERY EXECUTE format($sql$
		SELECT c.at, llmtrace.dist_quantile(c.dist, 0.5), llmtrace.dist_quantile(c.dist, 0.95), llmtrace.dist_quantile(c.dist, 0.99),
			c.met / c.known, (1 - c.met / c.known) / (1 - $5), c.calls, 1 - coalesce(c.known, 0) / c.weight,
			c.traces, c.weight, llmtrace.cohort_label(c.dims), c.dims
		FROM (
			SELECT CASE WHEN $3 IS NULL THEN $1 ELSE date_bin($3, x.started_at, timestamptz '2000-01-01 00:00:00+00') END AS at,
				%s AS dims,
				llmtrace.dist_agg(x.ttft_ms, x.sample_weight) FILTER (WHERE x.ttft_ms IS NOT NULL) AS dist,
				coalesce(sum(x.sample_weight) FILTER (WHERE x.ttft_ms <= $4), 0) AS met,
				nullif(sum(x.sample_weight) FILTER (WHERE x.ttft_ms IS NOT NULL), 0) AS known,
				nullif(sum(x.sample_weight), 0) AS weight, count(*) AS calls, count(DISTINCT x.trace_id) AS traces
			FROM llmtrace.model_calls x
			WHERE x.started_at >= $1 AND x.started_at < $2 AND x.kind = 'llm'
				AND (x.is_streaming OR x.is_streaming IS NULL AND x.ttft_ms IS NOT NULL)
			GROUP BY 1, 2) c
		ORDER BY c.at, c.weight DESC, c.dims$sql$,
		llmtrace.dims_expression('llmtrace.model_calls', "by"))
	USING since, until, bucket, target_ms, objective;
	IF NOT FOUND THEN
		PERFORM llmtrace.notice_no_first_token(since, until);
	END IF;
END
$$;
COMMENT ON FUNCTION llmtrace.ttft_slo(timestamptz, timestamptz, interval, double precision, double precision, text[]) IS
'Time to the first token of streamed model calls, in milliseconds, against a target: attainment_rate is the share of calls within target_ms; burn_rate how fast that uses up what the objective allows (1: just so). Calls that do not stream are left out; missing_rate is the share of streamed ones that do not say. Example: SELECT cohort, p95_ms, attainment_rate, burn_rate FROM llmtrace.ttft_slo(target_ms => 800, "by" => ''{model}'')';

CREATE FUNCTION llmtrace.ttft_histogram(
	since timestamptz DEFAULT now() - interval '7 days', until timestamptz DEFAULT 'infinity',
	bucket interval DEFAULT '1 hour',
	bounds_ms double precision[] DEFAULT '{50,100,200,300,500,750,1000,1500,2000,3000,5000,10000,30000}')
	RETURNS TABLE ("time" timestamptz, le text, bucket_count bigint, weighted_count double precision)
	LANGUAGE plpgsql STABLE ROWS 500 SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM llmtrace.check_period(since, until);
	PERFORM llmtrace.check_bucket(bucket, false);
	IF coalesce(cardinality(bounds_ms), 0) = 0
		OR EXISTS (SELECT FROM unnest(bounds_ms) WITH ORDINALITY AS b (ms, n)
			WHERE (b.ms > 0 AND b.ms < 'infinity' AND (b.n = 1 OR b.ms > bounds_ms[b.n - 1])) IS NOT TRUE) THEN
		RAISE EXCEPTION 'bounds_ms must be numbers above 0, each more than the one before'
			USING ERRCODE = 'invalid_parameter_value';
	END IF;
	RETURN QUERY
	WITH call AS (
		SELECT date_bin(bucket, x.started_at, timestamptz '2000-01-01 00:00:00+00') AS at, x.sample_weight,
			(SELECT count(*) FROM unnest(bounds_ms) AS b (ms) WHERE b.ms < x.ttft_ms) + 1 AS n
		FROM llmtrace.model_calls x
		WHERE x.started_at >= since AND x.started_at < until AND x.kind = 'llm' AND x.ttft_ms IS NOT NULL
			AND x.is_streaming IS NOT false
	), counted AS (
		SELECT c.at, c.n, count(*) AS calls, sum(c.sample_weight) AS weight FROM call c GROUP BY c.at, c.n
	)
	SELECT h.at, coalesce(b.ms::text, '+Inf'), coalesce(c.calls, 0), coalesce(c.weight, 0)
	FROM (SELECT DISTINCT k.at FROM counted k) h
		CROSS JOIN unnest(bounds_ms || NULL::double precision) WITH ORDINALITY AS b (ms, n)
		LEFT JOIN counted c ON c.at = h.at AND c.n = b.n
	ORDER BY h.at, b.n;
	IF NOT FOUND THEN
		PERFORM llmtrace.notice_no_first_token(since, until);
	END IF;
END
$$;
COMMENT ON FUNCTION llmtrace.ttft_histogram(timestamptz, timestamptz, interval, double precision[]) IS
'How many streamed model calls had their first token when, as a heatmap reads it: one row a bucket of time and bound. le is the upper bound in milliseconds, +Inf behind the last; counts are of one bucket, not of those before it. Example: SELECT "time", le, bucket_count FROM llmtrace.ttft_histogram(bucket => ''1 day'')';
