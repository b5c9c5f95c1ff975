-- Attempts at calls, how calls end, and what tasks make of them.

CREATE FUNCTION llmtrace.check_objective(what text, objective double precision) RETURNS void
	LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF (objective > 0 AND objective < 1) IS NOT TRUE THEN
		RAISE EXCEPTION '% must be between 0 and 1, not %', what, objective
			USING ERRCODE = 'invalid_parameter_value', HINT = '0.99 allows one in a hundred.';
	END IF;
END
$$;
COMMENT ON FUNCTION llmtrace.check_objective(text, double precision) IS 'an error unless an objective is above 0 and below 1';

CREATE FUNCTION llmtrace.is_rate_limit(error_type text) RETURNS boolean
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT coalesce(error_type OPERATOR(pg_catalog.~*) '(^|[^0-9])429([^0-9]|$)|rate.?limit|too.?many.?requests|throttl|resource.?exhausted|quota|overloaded|(^|[^0-9])529([^0-9]|$)', false);
END;
COMMENT ON FUNCTION llmtrace.is_rate_limit(text) IS
'Does the type of an error say that there were too many requests: 429, 529, RateLimitError, TooManyRequests, ThrottlingException, RESOURCE_EXHAUSTED, quota, overloaded. Example: SELECT llmtrace.is_rate_limit(''RateLimitError'')';

CREATE VIEW llmtrace.attempts WITH (security_invoker = true) AS
SELECT t.started_at, t.trace_id, a.span_id, a.call AS call_number, a.attempt, a.attempt_count, a.attempt_source, a.is_hedge,
	a.is_last, a.is_call_success, a.kind, a.name, a.tool_name, a.provider, a.model, a.span_started_at, a.span_ended_at,
	a.duration_ms, a.wait_ms, a.is_error, a.error_type,
	t.service_name, t.service_version, t.environment, t.region, t.feature, t.feature_source, t.tenant_id, t.user_id,
	t.conversation_id, a.agent_name, t.prompt_name, t.prompt_version, t.prompt_hash, t.dims, t.sample_weight
FROM llmtrace.trajectories t
	CROSS JOIN LATERAL (
		SELECT c.*, CASE WHEN c.is_hedge THEN 0 ELSE extract(epoch FROM c.span_started_at
			- lag(c.span_ended_at) OVER (PARTITION BY c.call ORDER BY c.attempt, c.ordinal))::double precision * 1000 END AS wait_ms
		FROM llmtrace.call_attempts(t.trajectory) c) a;
COMMENT ON VIEW llmtrace.attempts IS 'One row an attempt at a call of a model, a retrieval or a tool: attempts of one call have one call_number in their trace. Example: SELECT name, count(DISTINCT (trace_id, call_number)) AS calls, count(*) AS attempts, sum(duration_ms) FILTER (WHERE is_error) AS lost_ms FROM llmtrace.attempts WHERE started_at > now() - interval ''7 days'' GROUP BY name ORDER BY 4 DESC NULLS LAST LIMIT 10';
COMMENT ON COLUMN llmtrace.attempts.started_at IS 'start of the trace';
COMMENT ON COLUMN llmtrace.attempts.trace_id IS 'id of the trace';
COMMENT ON COLUMN llmtrace.attempts.span_id IS 'id of the span';
COMMENT ON COLUMN llmtrace.attempts.call_number IS 'the call within its trace';
COMMENT ON COLUMN llmtrace.attempts.attempt IS 'which attempt at it this is, from 1';
COMMENT ON COLUMN llmtrace.attempts.attempt_count IS 'attempts at the call; more than there are rows where spans only tell their number';
COMMENT ON COLUMN llmtrace.attempts.attempt_source IS 'how attempt is known: attribute, event, inferred or none';
COMMENT ON COLUMN llmtrace.attempts.is_hedge IS 'did it start while an earlier attempt was running?';
COMMENT ON COLUMN llmtrace.attempts.is_last IS 'is it the attempt that ended last?';
COMMENT ON COLUMN llmtrace.attempts.is_call_success IS 'did some attempt at the call not fail?';
COMMENT ON COLUMN llmtrace.attempts.kind IS 'llm, embedding, rerank, retrieval or tool';
COMMENT ON COLUMN llmtrace.attempts.name IS 'name of the span';
COMMENT ON COLUMN llmtrace.attempts.tool_name IS 'the tool';
COMMENT ON COLUMN llmtrace.attempts.provider IS 'provider of the model';
COMMENT ON COLUMN llmtrace.attempts.model IS 'model that responded, else the one requested';
COMMENT ON COLUMN llmtrace.attempts.span_started_at IS 'start of the span';
COMMENT ON COLUMN llmtrace.attempts.span_ended_at IS 'end of the span; NULL while it is open';
COMMENT ON COLUMN llmtrace.attempts.duration_ms IS 'from start to end, in milliseconds; NULL while it is open';
COMMENT ON COLUMN llmtrace.attempts.wait_ms IS 'since the attempt before it ended, in milliseconds: 0 for a hedge, NULL for the first';
COMMENT ON COLUMN llmtrace.attempts.is_error IS 'did it fail?';
COMMENT ON COLUMN llmtrace.attempts.error_type IS 'type of the error';

-- The first rule that holds says how a call ended.
CREATE VIEW llmtrace.stop_taxonomy WITH (security_invoker = true) AS
SELECT t.started_at, m.trace_id, m.span_id, m.provider, m.model, m.finish_reason_raw, m.finish_reason,
	r.stop_class, r.evidence, r.confidence, m.output_tokens, m.max_output_tokens, coalesce(c.tool_count, 0) AS tool_count,
	m.is_error, m.error_type,
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
		SELECT x.stop_class, x.evidence, x.confidence
		FROM (VALUES
			(1, m.is_error AND m.error_type ~* 'cancel|abort', 'cancelled_client', 'error type', 0.9::double precision),
			(2, m.is_error AND m.error_type ~* 'time.?out|deadline', 'timed_out', 'error type', 0.9),
			(3, m.is_error AND m.error_type ~* 'stream|incomplete|connection|reset|closed|eof|chunk', 'stream_broken', 'error type', 0.8),
			(4, m.finish_reason_raw ~* '^\W*refus', 'refused', 'finish reason', 1),
			(5, m.finish_reason = 'content_filter', 'filtered', 'finish reason', 1),
			(6, m.is_error OR m.finish_reason = 'error', 'provider_error', 'error', 0.9),
			(7, m.finish_reason_raw ~* '^\W*pause', 'paused', 'finish reason', 1),
			(8, m.finish_reason = 'length', 'truncated_length', 'finish reason', 1),
			(9, m.output_tokens >= m.max_output_tokens, 'truncated_silent', 'as many output tokens as were allowed', 0.9),
			(10, m.finish_reason = 'tool_call' AND c.tool_count > 0 AND c.is_last, 'tool_result_ignored', 'a tool ran, and no model call of the agent follows', 0.7),
			(11, m.finish_reason = 'tool_call' AND c.tool_count > 0, 'tool_requested_executed', 'finish reason, and a tool ran', 1),
			(12, m.finish_reason = 'tool_call', 'tool_requested_orphan', 'no tool ran before the next model call', 0.7),
			(13, c.tool_count > 0, 'tool_requested_executed', 'a tool ran, whatever the finish reason says', 0.6),
			(14, m.finish_reason = 'stop', 'natural_stop', 'finish reason', 0.9),
			(15, m.finish_reason IS NULL, 'missing', 'no finish reason', 1),
			(16, true, 'missing', 'unknown finish reason', 0.5)) AS x (rank, holds, stop_class, evidence, confidence)
		WHERE x.holds
		ORDER BY x.rank
		LIMIT 1) r
WHERE m.kind = 'llm';
COMMENT ON VIEW llmtrace.stop_taxonomy IS 'One row a call of a language model: how it really ended, from what is recorded without reading texts, and how sure that is. natural_stop, truncated_length, truncated_silent, tool_requested_executed, tool_requested_orphan, tool_result_ignored, refused, filtered, paused, cancelled_client, timed_out, stream_broken, provider_error, or missing. What only the text tells is not told apart: output that breaks off or is not what it was to be (invalid structure), a task declared done that is not, or an agent stopped by its own budget or loop guard; such calls are mostly natural_stop. Example: SELECT finish_reason, stop_class, count(*) FROM llmtrace.stop_taxonomy WHERE started_at > now() - interval ''7 days'' GROUP BY finish_reason, stop_class ORDER BY 3 DESC LIMIT 10';
COMMENT ON COLUMN llmtrace.stop_taxonomy.started_at IS 'start of the trace';
COMMENT ON COLUMN llmtrace.stop_taxonomy.trace_id IS 'id of the trace';
COMMENT ON COLUMN llmtrace.stop_taxonomy.span_id IS 'id of the span';
COMMENT ON COLUMN llmtrace.stop_taxonomy.provider IS 'provider of the model';
COMMENT ON COLUMN llmtrace.stop_taxonomy.model IS 'model that responded, else the one requested';
COMMENT ON COLUMN llmtrace.stop_taxonomy.finish_reason_raw IS 'why it ended, as reported';
COMMENT ON COLUMN llmtrace.stop_taxonomy.finish_reason IS 'why it ended: stop, length, tool_call, content_filter, or as reported, in small letters';
COMMENT ON COLUMN llmtrace.stop_taxonomy.stop_class IS 'how it ended';
COMMENT ON COLUMN llmtrace.stop_taxonomy.evidence IS 'what tells so';
COMMENT ON COLUMN llmtrace.stop_taxonomy.confidence IS 'how sure that is, 0 to 1';
COMMENT ON COLUMN llmtrace.stop_taxonomy.output_tokens IS 'output tokens, reasoning included';
COMMENT ON COLUMN llmtrace.stop_taxonomy.max_output_tokens IS 'most output tokens that were allowed';
COMMENT ON COLUMN llmtrace.stop_taxonomy.tool_count IS 'tools and agents that its agent ran after it, before the next model call';
COMMENT ON COLUMN llmtrace.stop_taxonomy.is_error IS 'did it fail?';
COMMENT ON COLUMN llmtrace.stop_taxonomy.error_type IS 'type of the error';

CREATE FUNCTION llmtrace.task_slo(
	since timestamptz DEFAULT now() - interval '7 days', until timestamptz DEFAULT 'infinity',
	bucket interval DEFAULT NULL, target double precision DEFAULT 0.99, "by" text[] DEFAULT '{}')
	RETURNS TABLE ("time" timestamptz, task_count bigint, task_success_rate double precision,
		call_success_rate double precision, calls_per_task double precision, predicted_task_success_rate double precision,
		independence_gap double precision, budget_burn double precision, outcome_rate double precision,
		weighted_count double precision, cohort text, dims jsonb)
	LANGUAGE plpgsql STABLE ROWS 50 SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM llmtrace.check_period(since, until);
	PERFORM llmtrace.check_bucket(bucket, true);
	PERFORM llmtrace.check_objective('target', target);
	RETURN QUERY EXECUTE format($sql$
		WITH result AS (
			SELECT o.trace_id, bool_or(o.success) AS success
			FROM llmtrace.outcome o
			WHERE o.trace_id IS NOT NULL AND o.success IS NOT NULL
			GROUP BY o.trace_id
		), task AS (
			SELECT CASE WHEN $3 IS NULL THEN $1 ELSE date_bin($3, x.started_at, timestamptz '2000-01-01 00:00:00+00') END AS at,
				%s AS dims, x.sample_weight AS weight, coalesce(r.success, NOT x.is_error) AS success, r.success IS NOT NULL AS has_outcome,
				c.calls, c.good
			FROM llmtrace.trajectories x
				LEFT JOIN result r ON r.trace_id = x.trace_id
				CROSS JOIN LATERAL (
					SELECT count(*) AS calls, count(*) FILTER (WHERE a.is_call_success) AS good
					FROM llmtrace.call_attempts(x.trajectory) a
					WHERE a.is_last) c
			WHERE x.started_at >= $1 AND x.started_at < $2
		), rated AS (
			SELECT t.*, sum(t.good * t.weight) OVER w / nullif(sum(t.calls * t.weight) OVER w, 0) AS call_rate
			FROM task t
			WINDOW w AS (PARTITION BY t.at, t.dims)
		), summed AS (
			SELECT r.at, r.dims, count(*) AS tasks, nullif(sum(r.weight), 0) AS weight, max(r.call_rate) AS call_rate,
				coalesce(sum(r.weight) FILTER (WHERE r.success), 0) AS good,
				coalesce(sum(r.weight) FILTER (WHERE r.has_outcome), 0) AS known,
				sum(r.calls * r.weight) AS calls,
				sum(r.weight * CASE WHEN r.calls = 0 THEN 1 ELSE power(r.call_rate, r.calls) END) AS predicted
			FROM rated r
			GROUP BY r.at, r.dims
		)
		SELECT s.at, s.tasks, s.good / s.weight, s.call_rate, s.calls / s.weight, s.predicted / s.weight,
			(s.good - s.predicted) / s.weight, (1 - s.good / s.weight) / (1 - $4), s.known / s.weight, coalesce(s.weight, 0),
			llmtrace.cohort_label(s.dims), s.dims
		FROM summed s
		ORDER BY s.at, s.weight DESC, s.dims$sql$,
		llmtrace.dims_expression('llmtrace.trajectories', "by"))
	USING since, until, bucket, target;
	IF NOT FOUND THEN
		PERFORM llmtrace.notice_nothing(since, until, 'no trace started');
	END IF;
END
$$;
COMMENT ON FUNCTION llmtrace.task_slo(timestamptz, timestamptz, interval, double precision, text[]) IS
'How many tasks succeed, beside how many calls do. A task is a trace; it succeeded if table outcome says so, else if its root did not fail (outcome_rate is the share of the former). Attempts at one call count as one, which succeeded if any did. predicted_task_success_rate is what calls that fail on their own would give (call_success_rate to the power of each task''s calls); independence_gap, observed less predicted: above 0 agents get over failures, below 0 tasks fail where calls do not. budget_burn: failures over those that the target allows. Example: SELECT task_count, task_success_rate, call_success_rate, independence_gap, budget_burn FROM llmtrace.task_slo(target => 0.95)';
