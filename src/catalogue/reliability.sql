-- What breaks inside runs: attempts, recoveries, cascades of models, and work
-- that is handed on.

CREATE VIEW llmtrace.logical_call WITH (security_invoker = true) AS
SELECT t.started_at, t.trace_id, c.logical_id, c.kind, c.name, c.layer, c.attempt_count, c.hedge_count, c.first_error,
	c.final_status, c.span_started_at, c.duration_ms, c.wasted_ms, c.wasted_tokens, c.wasted_cost_usd, c.attempt_source, t.is_error AS is_trace_error,
	t.service_name, t.service_version, t.environment, t.region, t.feature, t.feature_source, t.tenant_id, t.user_id,
	t.conversation_id, t.agent_name, t.prompt_name, t.prompt_version, t.prompt_hash, t.dims, t.sample_weight
FROM llmtrace.trajectories t
	CROSS JOIN LATERAL (
		SELECT (array_agg(s.span_id ORDER BY l.ordinal))[1] AS logical_id, min(s.kind) AS kind,
			(array_agg(coalesce(s.tool_name, s.model, s.name) ORDER BY l.ordinal))[1] AS name, min(s.depth) AS layer,
			greatest(max(l.attempt) - count(*) FILTER (WHERE l.is_hedge), 1)::integer AS attempt_count,
			(count(*) FILTER (WHERE l.is_hedge))::integer AS hedge_count,
			(array_agg(coalesce(s.error_type, s.status_message, 'error') ORDER BY l.ordinal) FILTER (WHERE s.is_error))[1] AS first_error,
			CASE WHEN bool_or(NOT s.is_error) THEN 'ok' ELSE 'error' END AS final_status,
			min(s.span_started_at) AS span_started_at,
			extract(epoch FROM max(s.span_ended_at) - min(s.span_started_at))::double precision * 1000 AS duration_ms,
			coalesce(sum(s.duration_ms) FILTER (WHERE s.is_error), 0) AS wasted_ms,
			coalesce(sum(coalesce(s.input_tokens, 0) + coalesce(s.output_tokens, 0)) FILTER (WHERE s.is_error), 0)::bigint AS wasted_tokens,
			sum(s.cost_usd) FILTER (WHERE s.is_error) AS wasted_cost_usd,
			CASE WHEN bool_or(l.attempt_source = 'attribute') THEN 'attribute' WHEN bool_or(l.attempt_source = 'event') THEN 'event'
				WHEN bool_or(l.attempt_source = 'inferred') THEN 'inferred' ELSE 'none' END AS attempt_source
		FROM llmtrace.logical_calls(t.trajectory) l
			JOIN llmtrace.span_rows(t.trajectory) s ON s.ordinal = l.ordinal
		GROUP BY l.call) c;
COMMENT ON VIEW llmtrace.logical_call IS 'One row a call that was meant, of a model, retrieval or tool, however many attempts it took. Hedges, attempts that begin while another runs, are no retries. Example: SELECT name, count(*), avg(attempt_count) FROM llmtrace.logical_call WHERE started_at > now() - interval ''7 days'' GROUP BY name ORDER BY 3 DESC LIMIT 10';
COMMENT ON COLUMN llmtrace.logical_call.started_at IS 'start of the trace, by which rows are pruned';
COMMENT ON COLUMN llmtrace.logical_call.trace_id IS 'id of the trace';
COMMENT ON COLUMN llmtrace.logical_call.logical_id IS 'id of the span of its first attempt';
COMMENT ON COLUMN llmtrace.logical_call.kind IS 'llm, embedding, rerank, retrieval or tool';
COMMENT ON COLUMN llmtrace.logical_call.name IS 'the tool, else the model, else the spans name';
COMMENT ON COLUMN llmtrace.logical_call.layer IS 'level of the span in the tree, from 1: retries below retries multiply';
COMMENT ON COLUMN llmtrace.logical_call.attempt_count IS 'attempts, without hedges';
COMMENT ON COLUMN llmtrace.logical_call.hedge_count IS 'attempts that began while another was running';
COMMENT ON COLUMN llmtrace.logical_call.first_error IS 'error of the first attempt that failed: its type, else its message; NULL if none did';
COMMENT ON COLUMN llmtrace.logical_call.final_status IS 'ok if an attempt succeeded, else error';
COMMENT ON COLUMN llmtrace.logical_call.span_started_at IS 'start of the first attempt';
COMMENT ON COLUMN llmtrace.logical_call.duration_ms IS 'from there to the end of the last, in milliseconds; NULL while one is open';
COMMENT ON COLUMN llmtrace.logical_call.wasted_ms IS 'time of attempts that failed, in milliseconds';
COMMENT ON COLUMN llmtrace.logical_call.wasted_tokens IS 'tokens of attempts that failed';
COMMENT ON COLUMN llmtrace.logical_call.wasted_cost_usd IS 'cost of attempts that failed, in US dollars; NULL if unknown';
COMMENT ON COLUMN llmtrace.logical_call.attempt_source IS 'how attempts are known: attribute, event (of one span), inferred (from spans side by side) or none';
COMMENT ON COLUMN llmtrace.logical_call.is_trace_error IS 'did the root of the trace fail?';

CREATE FUNCTION llmtrace.retry_amplification(
	since timestamptz DEFAULT now() - interval '7 days', until timestamptz DEFAULT 'infinity',
	bucket interval DEFAULT NULL, "by" text[] DEFAULT '{}')
	RETURNS TABLE ("time" timestamptz, kind text, name text, call_count bigint, attempt_count bigint, hedge_count bigint,
		call_error_rate double precision, unrecovered_rate double precision, task_failure_rate double precision,
		attempts_per_logical double precision, amplification double precision, wasted_ms double precision,
		wasted_cost_usd numeric, trace_count bigint, weighted_count double precision, coverage_rate double precision,
		cohort text, dims jsonb)
	LANGUAGE plpgsql STABLE ROWS 50 SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM llmtrace.check_period(since, until);
	PERFORM llmtrace.notice_empty_period(since, until);
	PERFORM llmtrace.check_bucket(bucket, true);
	RETURN QUERY EXECUTE format($sql$
		SELECT CASE WHEN $3 IS NULL THEN $1 ELSE date_bin($3, c.started_at, timestamptz '2000-01-01 00:00:00+00') END AS at,
			c.kind, c.name, count(*), sum(c.attempt_count)::bigint, sum(c.hedge_count)::bigint,
			coalesce(sum(c.sample_weight) FILTER (WHERE c.first_error IS NOT NULL), 0) / sum(c.sample_weight),
			coalesce(sum(c.sample_weight) FILTER (WHERE c.final_status = 'error'), 0) / sum(c.sample_weight),
			avg(c.is_trace_error::int) FILTER (WHERE c.first_error IS NOT NULL)::float8,
			sum(c.sample_weight * c.attempt_count) / sum(c.sample_weight),
			sum(c.sample_weight * (c.attempt_count + c.hedge_count)) / sum(c.sample_weight),
			sum(c.wasted_ms), sum(c.wasted_cost_usd), count(DISTINCT c.trace_id), sum(c.sample_weight),
			avg((c.attempt_source <> 'none')::int)::float8, llmtrace.cohort_label(c.dims), c.dims
		FROM (SELECT x.started_at, x.kind, x.name, x.attempt_count, x.hedge_count, x.first_error, x.final_status, x.is_trace_error,
				x.wasted_ms, x.wasted_cost_usd, x.trace_id, nullif(x.sample_weight, 0) AS sample_weight, x.attempt_source, %s AS dims
			FROM llmtrace.logical_call x WHERE x.started_at >= $1 AND x.started_at < $2) c
		GROUP BY at, c.kind, c.name, c.dims
		ORDER BY at, 11 DESC NULLS LAST, c.name$sql$, llmtrace.dims_expression('llmtrace.logical_call', "by"))
	USING since, until, bucket;
END
$$;
COMMENT ON FUNCTION llmtrace.retry_amplification(timestamptz, timestamptz, interval, text[]) IS
'What retries make of calls: attempts_per_logical without and amplification with hedges; call_error_rate is the share of calls with an attempt that failed, unrecovered_rate with none that did not, task_failure_rate the share of traces whose root failed, among calls with a failed attempt. coverage_rate is the share of calls of whose attempts something is known; one span can hide what a client library retried. Example: SELECT name, call_count, call_error_rate, attempts_per_logical FROM llmtrace.retry_amplification()';

-- Calls side by side: what failed, and the first success after it that
-- answers to the same goal.
CREATE VIEW llmtrace.recovery WITH (security_invoker = true) AS
SELECT t.started_at, t.trace_id, r.fail_span_id, r.recover_span_id, r.mechanism, r.kind, r.name, r.error_type, r.ttr_ms,
	r.extra_tokens, r.extra_cost_usd,
	t.service_name, t.service_version, t.environment, t.region, t.feature, t.feature_source, t.tenant_id, t.user_id,
	t.conversation_id, t.agent_name, t.prompt_name, t.prompt_version, t.prompt_hash, t.dims, t.sample_weight
FROM llmtrace.trajectories t
	CROSS JOIN LATERAL (
		WITH call AS MATERIALIZED (
			-- what is asked of every pair first, and of fixed width
			SELECT s.ordinal, s.is_error, s.parent, s.span_started_at, l.call, s.span_ended_at, s.span_id, s.kind, s.model,
				coalesce(s.tool_name, s.model, s.name) AS name, h.given, s.error_type,
				coalesce(s.input_tokens, 0) + coalesce(s.output_tokens, 0) AS tokens, s.cost_usd
			FROM llmtrace.span_rows(t.trajectory) s
				LEFT JOIN llmtrace.logical_calls(t.trajectory) l ON l.ordinal = s.ordinal
				LEFT JOIN (
					SELECT p.ordinal, pg_catalog.string_agg(p.hash::text, ',' ORDER BY p.key, p.item_number) AS given
					FROM llmtrace.payload_refs(t.trajectory) p
					WHERE p.role IN ('input', 'tool_arguments') AND p.event_number IS NULL
					GROUP BY p.ordinal) h ON h.ordinal = s.ordinal
			WHERE l.call IS NOT NULL OR s.kind = 'human'
		)
		SELECT f.span_id AS fail_span_id, y.span_id AS recover_span_id, coalesce(y.mechanism, 'none') AS mechanism,
			f.kind, f.name, f.error_type,
			extract(epoch FROM y.span_ended_at - f.span_ended_at)::double precision * 1000 AS ttr_ms,
			f.tokens AS extra_tokens, f.cost_usd AS extra_cost_usd
		FROM call f
			LEFT JOIN LATERAL (
				SELECT y.span_id, y.span_ended_at, m.mechanism
				FROM call y
					CROSS JOIN LATERAL (SELECT CASE
						WHEN y.call = f.call AND (f.kind <> 'llm' OR y.model IS NULL OR f.model IS NULL OR y.model = f.model) THEN 'retry'
						WHEN y.kind = 'human' THEN 'human'
						WHEN y.kind = f.kind AND f.kind = 'llm' AND y.model <> f.model AND (y.given = f.given OR y.given IS NULL OR f.given IS NULL) THEN 'fallback_model'
						WHEN y.kind = f.kind AND f.kind IN ('tool', 'retrieval') AND y.name <> f.name AND y.given = f.given THEN 'alt_tool'
						WHEN y.kind = f.kind AND y.name = f.name THEN 'replan' END AS mechanism) m
				WHERE y.parent IS NOT DISTINCT FROM f.parent AND NOT y.is_error AND y.ordinal > f.ordinal
					AND y.span_started_at >= f.span_ended_at AND m.mechanism IS NOT NULL
				ORDER BY y.call IS DISTINCT FROM f.call, y.ordinal
				LIMIT 1) y ON true
		WHERE f.is_error AND f.call IS NOT NULL) r
WHERE t.error_count > 0;
COMMENT ON VIEW llmtrace.recovery IS 'One row an attempt at a call that failed, with what put it right: the first success after it under the same parent that is a later attempt (retry), another model with the same input, or with inputs unknown (fallback_model), another tool with the same arguments (alt_tool), the same call with others (replan), or a human; else none. Example: SELECT mechanism, count(*), percentile_cont(0.5) WITHIN GROUP (ORDER BY ttr_ms) FROM llmtrace.recovery WHERE started_at > now() - interval ''7 days'' GROUP BY mechanism';
COMMENT ON COLUMN llmtrace.recovery.started_at IS 'start of the trace, by which rows are pruned';
COMMENT ON COLUMN llmtrace.recovery.trace_id IS 'id of the trace';
COMMENT ON COLUMN llmtrace.recovery.fail_span_id IS 'id of the span that failed';
COMMENT ON COLUMN llmtrace.recovery.recover_span_id IS 'id of the span that succeeded; NULL if none did';
COMMENT ON COLUMN llmtrace.recovery.mechanism IS 'retry, fallback_model, alt_tool, replan, human or none';
COMMENT ON COLUMN llmtrace.recovery.kind IS 'what failed: llm, embedding, rerank, retrieval or tool';
COMMENT ON COLUMN llmtrace.recovery.name IS 'the tool, else the model, else the spans name';
COMMENT ON COLUMN llmtrace.recovery.error_type IS 'type of the error';
COMMENT ON COLUMN llmtrace.recovery.ttr_ms IS 'from the failures end to the end of the success, in milliseconds';
COMMENT ON COLUMN llmtrace.recovery.extra_tokens IS 'tokens of what failed';
COMMENT ON COLUMN llmtrace.recovery.extra_cost_usd IS 'cost of what failed, in US dollars; NULL if unknown';

CREATE FUNCTION llmtrace.recovery_depth(
	since timestamptz DEFAULT now() - interval '7 days', until timestamptz DEFAULT 'infinity',
	bucket interval DEFAULT NULL, "by" text[] DEFAULT '{}')
	RETURNS TABLE ("time" timestamptz, success_rate double precision, first_try_success_rate double precision,
		recoveries_per_success double precision, p95_depth double precision, hidden_cost_share double precision,
		unrecovered_rate double precision, trace_count bigint, weighted_count double precision, coverage_rate double precision,
		cohort text, dims jsonb)
	LANGUAGE plpgsql STABLE ROWS 20 SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM llmtrace.check_period(since, until);
	PERFORM llmtrace.notice_empty_period(since, until);
	PERFORM llmtrace.check_bucket(bucket, true);
	RETURN QUERY EXECUTE format($sql$
		WITH failed AS (
			SELECT r.trace_id, count(*) FILTER (WHERE r.recover_span_id IS NOT NULL) AS recovered,
				count(*) FILTER (WHERE r.recover_span_id IS NULL) AS unrecovered, sum(r.extra_cost_usd) AS cost
			FROM llmtrace.recovery r WHERE r.started_at >= $1 AND r.started_at < $2
			GROUP BY r.trace_id
		), run AS (
			SELECT CASE WHEN $3 IS NULL THEN $1 ELSE date_bin($3, x.started_at, timestamptz '2000-01-01 00:00:00+00') END AS at,
				%s AS dims, NOT x.is_error AS is_success, x.cost_usd, nullif(x.sample_weight, 0) AS weight,
				x.model_call_count + x.tool_call_count > 0 AS has_calls,
				coalesce(f.recovered, 0) AS recovered, coalesce(f.unrecovered, 0) AS unrecovered, f.cost AS hidden
			FROM llmtrace.traces x LEFT JOIN failed f ON f.trace_id = x.trace_id
			WHERE x.started_at >= $1 AND x.started_at < $2
		)
		SELECT r.at, coalesce(sum(r.weight) FILTER (WHERE r.is_success), 0) / sum(r.weight),
			coalesce(sum(r.weight) FILTER (WHERE r.is_success AND r.recovered + r.unrecovered = 0), 0) / sum(r.weight),
			sum(r.weight * r.recovered) FILTER (WHERE r.is_success) / sum(r.weight) FILTER (WHERE r.is_success),
			percentile_cont(0.95) WITHIN GROUP (ORDER BY r.recovered),
			(sum(r.hidden) / nullif(sum(r.cost_usd), 0))::float8,
			sum(r.unrecovered)::float8 / nullif(sum(r.recovered + r.unrecovered), 0)::float8,
			count(*), sum(r.weight), avg(r.has_calls::int)::float8, llmtrace.cohort_label(r.dims), r.dims
		FROM run r
		GROUP BY r.at, r.dims
		ORDER BY r.at, r.dims$sql$, llmtrace.dims_expression('llmtrace.traces', "by"))
	USING since, until, bucket;
END
$$;
COMMENT ON FUNCTION llmtrace.recovery_depth(timestamptz, timestamptz, interval, text[]) IS
'How much work hides behind success: the share of runs that succeed (the root does not fail), that do so without any call failing, recoveries a success, the 95th percentile of recoveries a run, the share of cost in calls that failed, and the share of failures that nothing put right. Runs without calls have nothing to recover: coverage_rate is the share of the others. Example: SELECT success_rate, first_try_success_rate, recoveries_per_success FROM llmtrace.recovery_depth()';

CREATE VIEW llmtrace.cascade_route WITH (security_invoker = true) AS
SELECT t.started_at, t.trace_id, c.first_span_id, c.step_count, c.first_model, c.final_model, c.is_escalated, c.wasted_ms,
	c.wasted_cost_usd, c.total_ms, c.direct_ms_est, c.final_status, a.score_value,
	t.service_name, t.service_version, t.environment, t.region, t.feature, t.feature_source, t.tenant_id, t.user_id,
	t.conversation_id, t.agent_name, t.prompt_name, t.prompt_version, t.prompt_hash, t.dims, t.sample_weight
FROM llmtrace.trajectories t
	CROSS JOIN LATERAL (
		WITH asked AS MATERIALIZED (
			SELECT p.ordinal, pg_catalog.string_agg(p.hash::text, ',' ORDER BY p.key, p.item_number) AS given
			FROM llmtrace.payload_refs(t.trajectory) p
			WHERE p.role = 'input' AND p.event_number IS NULL
			GROUP BY p.ordinal
		), step AS (
			SELECT s.parent, s.ordinal, s.span_id, s.model, s.span_started_at, s.span_ended_at, s.duration_ms, s.cost_usd, s.is_error, h.given,
				-- what begins before the one before has ended is a hedge, and a route of its own
				s.span_started_at < max(coalesce(s.span_ended_at, 'infinity')) OVER (PARTITION BY s.parent, h.given
					ORDER BY s.span_started_at, s.ordinal ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
					OR s.model = lag(s.model) OVER (PARTITION BY s.parent, h.given ORDER BY s.span_started_at, s.ordinal) AS is_other
			FROM llmtrace.span_rows(t.trajectory) s
				JOIN asked h ON h.ordinal = s.ordinal
			WHERE s.kind = 'llm' AND s.model IS NOT NULL AND EXISTS (SELECT FROM asked)
		), route AS (
			SELECT s.*, count(*) FILTER (WHERE s.is_other) OVER (PARTITION BY s.parent, s.given ORDER BY s.span_started_at, s.ordinal) AS number
			FROM step s
		)
		SELECT (array_agg(r.span_id ORDER BY r.span_started_at, r.ordinal))[1] AS first_span_id, count(*)::integer AS step_count,
			(array_agg(r.model ORDER BY r.span_started_at, r.ordinal))[1] AS first_model,
			(array_agg(r.model ORDER BY r.span_started_at DESC, r.ordinal DESC))[1] AS final_model,
			count(*) > 1 AS is_escalated,
			coalesce(sum(r.duration_ms), 0) - coalesce((array_agg(r.duration_ms ORDER BY r.span_started_at DESC, r.ordinal DESC))[1], 0) AS wasted_ms,
			sum(r.cost_usd) - (array_agg(r.cost_usd ORDER BY r.span_started_at DESC, r.ordinal DESC))[1] AS wasted_cost_usd,
			extract(epoch FROM max(r.span_ended_at) - min(r.span_started_at))::double precision * 1000 AS total_ms,
			(array_agg(r.duration_ms ORDER BY r.span_started_at DESC, r.ordinal DESC))[1] AS direct_ms_est,
			CASE WHEN (array_agg(r.is_error ORDER BY r.span_started_at DESC, r.ordinal DESC))[1] THEN 'error' ELSE 'ok' END AS final_status
		FROM route r
		GROUP BY r.parent, r.given, r.number) c
	LEFT JOIN LATERAL (SELECT avg(n.score) AS score_value FROM llmtrace.annotation n WHERE n.trace_id = t.trace_id) a ON true;
COMMENT ON VIEW llmtrace.cascade_route IS 'One row a question to models whose input is recorded: answered by one, or asked again of others, one after the other under the same parent. Parallel calls are no cascade. Example: SELECT first_model, final_model, count(*), avg(wasted_ms) FROM llmtrace.cascade_route WHERE is_escalated AND started_at > now() - interval ''7 days'' GROUP BY 1, 2';
COMMENT ON COLUMN llmtrace.cascade_route.started_at IS 'start of the trace, by which rows are pruned';
COMMENT ON COLUMN llmtrace.cascade_route.trace_id IS 'id of the trace';
COMMENT ON COLUMN llmtrace.cascade_route.first_span_id IS 'id of the span of the first step';
COMMENT ON COLUMN llmtrace.cascade_route.step_count IS 'models that were asked, one after the other';
COMMENT ON COLUMN llmtrace.cascade_route.first_model IS 'model that was asked first';
COMMENT ON COLUMN llmtrace.cascade_route.final_model IS 'model that was asked last';
COMMENT ON COLUMN llmtrace.cascade_route.is_escalated IS 'was another model asked?';
COMMENT ON COLUMN llmtrace.cascade_route.wasted_ms IS 'time of all steps but the last, in milliseconds';
COMMENT ON COLUMN llmtrace.cascade_route.wasted_cost_usd IS 'cost of all steps but the last, in US dollars; NULL if unknown';
COMMENT ON COLUMN llmtrace.cascade_route.total_ms IS 'from the first start to the last end, in milliseconds';
COMMENT ON COLUMN llmtrace.cascade_route.direct_ms_est IS 'what asking the last model at once would have taken: its own time, in milliseconds';
COMMENT ON COLUMN llmtrace.cascade_route.final_status IS 'ok, or error if the last step failed';
COMMENT ON COLUMN llmtrace.cascade_route.score_value IS 'mean score of the traces annotations';

CREATE FUNCTION llmtrace.cascade_report(
	since timestamptz DEFAULT now() - interval '7 days', until timestamptz DEFAULT 'infinity',
	bucket interval DEFAULT NULL, "by" text[] DEFAULT '{}')
	RETURNS TABLE ("time" timestamptz, escalation_rate double precision, p95_ms double precision, p95_direct_ms double precision,
		wasted_cost_usd numeric, score_delta double precision, route_count bigint, trace_count bigint,
		weighted_count double precision, cohort text, dims jsonb)
	LANGUAGE plpgsql STABLE ROWS 20 SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM llmtrace.check_period(since, until);
	PERFORM llmtrace.notice_empty_period(since, until);
	PERFORM llmtrace.check_bucket(bucket, true);
	RETURN QUERY EXECUTE format($sql$
		SELECT CASE WHEN $3 IS NULL THEN $1 ELSE date_bin($3, x.started_at, timestamptz '2000-01-01 00:00:00+00') END AS at,
			coalesce(sum(x.sample_weight) FILTER (WHERE x.is_escalated), 0) / nullif(sum(x.sample_weight), 0),
			percentile_cont(0.95) WITHIN GROUP (ORDER BY x.total_ms) FILTER (WHERE x.is_escalated),
			percentile_cont(0.95) WITHIN GROUP (ORDER BY x.direct_ms_est) FILTER (WHERE x.is_escalated),
			sum(x.wasted_cost_usd) FILTER (WHERE x.is_escalated),
			avg(x.score_value) FILTER (WHERE x.is_escalated) - avg(x.score_value) FILTER (WHERE NOT x.is_escalated),
			count(*), count(DISTINCT x.trace_id), sum(x.sample_weight), llmtrace.cohort_label(%1$s), %1$s
		FROM llmtrace.cascade_route x
		WHERE x.started_at >= $1 AND x.started_at < $2
		GROUP BY at, %1$s
		ORDER BY at, %1$s$sql$, llmtrace.dims_expression('llmtrace.cascade_route', "by"))
	USING since, until, bucket;
END
$$;
COMMENT ON FUNCTION llmtrace.cascade_report(timestamptz, timestamptz, interval, text[]) IS
'What asking a cheap model first costs: the share of questions that are asked again, how long these take and would have taken of the last model at once (95th percentiles, in milliseconds), what the steps before cost, and the mean score of escalated less that of other questions. Example: SELECT escalation_rate, p95_ms, p95_direct_ms FROM llmtrace.cascade_report()';

CREATE VIEW llmtrace.handoff WITH (security_invoker = true) AS
SELECT t.started_at, t.trace_id, h.from_span_id, h.to_span_id, h.from_kind, h.from_name, h.to_kind, h.to_name, h.edge_type,
	h.to_status, h.is_error, h.is_origin, h.error_type, h.duration_ms,
	t.service_name, t.service_version, t.environment, t.region, t.feature, t.feature_source, t.tenant_id, t.user_id,
	t.conversation_id, t.agent_name, t.prompt_name, t.prompt_version, t.prompt_hash, t.dims, t.sample_weight
FROM llmtrace.trajectories t
	CROSS JOIN LATERAL (
		WITH span AS MATERIALIZED (
			SELECT s.ordinal, s.parent, s.subtree_count, s.span_id, s.kind, s.is_error, s.error_type, s.duration_ms, s.tool_call_id,
				CASE s.kind WHEN 'tool' THEN s.tool_name WHEN 'agent' THEN s.agent_name
					WHEN 'llm' THEN s.model WHEN 'embedding' THEN s.model WHEN 'rerank' THEN s.model END AS given_name, s.name AS span_name
			FROM llmtrace.span_rows(t.trajectory) s
		), failing AS (
			-- in preorder the next failure is below this one, or none is
			SELECT s.ordinal, coalesce(lead(s.ordinal) OVER (ORDER BY s.ordinal) >= s.ordinal + s.subtree_count, true) AS is_origin
			FROM span s WHERE s.is_error AND s.kind <> 'other'
		)
		SELECT p.span_id AS from_span_id, s.span_id AS to_span_id, p.kind AS from_kind, coalesce(p.given_name, p.span_name) AS from_name,
			s.kind AS to_kind, coalesce(s.given_name, s.span_name) AS to_name,
			CASE WHEN s.kind = 'agent' AND p.kind IN ('agent', 'tool', 'workflow') THEN 'transfer' WHEN s.kind = 'tool' AND s.tool_call_id IS NOT NULL THEN 'tool_call' ELSE 'parent' END AS edge_type,
			CASE WHEN s.is_error THEN 'error' ELSE 'ok' END AS to_status, s.is_error,
			coalesce(f.is_origin, false) AS is_origin, s.error_type, s.duration_ms
		FROM span s
			JOIN span p1 ON p1.ordinal = s.parent
			LEFT JOIN span p2 ON p1.kind = 'other' AND p2.ordinal = p1.parent
			LEFT JOIN span p3 ON p2.kind = 'other' AND p3.ordinal = p2.parent
			LEFT JOIN span p4 ON p3.kind = 'other' AND p4.ordinal = p3.parent
			JOIN span p ON p.ordinal = coalesce(p4.ordinal, p3.ordinal, p2.ordinal, p1.ordinal) AND p.kind <> 'other'
			LEFT JOIN failing f ON f.ordinal = s.ordinal
		WHERE s.kind <> 'other') h;
COMMENT ON VIEW llmtrace.handoff IS 'One row a step from a span to one below it, where both do something known: an agent that calls a tool, a model or another agent. Up to three spans of kind other between them, of requests and servers, are passed over. Example: SELECT from_name, to_name, count(*), avg(is_error::int) FROM llmtrace.handoff WHERE edge_type = ''transfer'' AND started_at > now() - interval ''7 days'' GROUP BY 1, 2 ORDER BY 3 DESC LIMIT 10';
COMMENT ON COLUMN llmtrace.handoff.started_at IS 'start of the trace, by which rows are pruned';
COMMENT ON COLUMN llmtrace.handoff.trace_id IS 'id of the trace';
COMMENT ON COLUMN llmtrace.handoff.from_span_id IS 'id of the span above';
COMMENT ON COLUMN llmtrace.handoff.to_span_id IS 'id of the span below';
COMMENT ON COLUMN llmtrace.handoff.from_kind IS 'what the one above does';
COMMENT ON COLUMN llmtrace.handoff.from_name IS 'agent, tool or model of the one above, else its name';
COMMENT ON COLUMN llmtrace.handoff.to_kind IS 'what the one below does';
COMMENT ON COLUMN llmtrace.handoff.to_name IS 'agent, tool or model of the one below, else its name';
COMMENT ON COLUMN llmtrace.handoff.edge_type IS 'transfer to an agent, tool_call by id, or parent';
COMMENT ON COLUMN llmtrace.handoff.to_status IS 'ok or error';
COMMENT ON COLUMN llmtrace.handoff.is_error IS 'did the one below fail?';
COMMENT ON COLUMN llmtrace.handoff.is_origin IS 'did it fail without anything known below it failing?';
COMMENT ON COLUMN llmtrace.handoff.error_type IS 'type of its error';
COMMENT ON COLUMN llmtrace.handoff.duration_ms IS 'its time, in milliseconds';

CREATE FUNCTION llmtrace.handoff_failure(
	since timestamptz DEFAULT now() - interval '7 days', until timestamptz DEFAULT 'infinity', "by" text[] DEFAULT '{}')
	RETURNS TABLE (edge text, from_kind text, from_name text, to_kind text, to_name text, call_count bigint, error_count bigint,
		failure_rate double precision, blame_count bigint, blame_share double precision, p95_ms double precision,
		trace_count bigint, weighted_count double precision, cohort text, dims jsonb)
	LANGUAGE plpgsql STABLE ROWS 50 SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM llmtrace.check_period(since, until);
	PERFORM llmtrace.notice_empty_period(since, until);
	RETURN QUERY EXECUTE format($sql$
		SELECT concat(e.from_name, ' -> ', e.to_name), e.from_kind, e.from_name, e.to_kind, e.to_name, e.calls, e.failed,
			e.failed_weight / nullif(e.weight, 0), e.blamed, e.blamed / nullif(sum(e.blamed) OVER (PARTITION BY e.dims), 0)::float8,
			e.p95, e.traces, e.weight, llmtrace.cohort_label(e.dims), e.dims
		FROM (
			SELECT x.from_kind, x.from_name, x.to_kind, x.to_name, %1$s AS dims, count(*) AS calls, count(*) FILTER (WHERE x.is_error) AS failed,
				coalesce(sum(x.sample_weight) FILTER (WHERE x.is_error), 0) AS failed_weight, count(*) FILTER (WHERE x.is_origin) AS blamed,
				percentile_cont(0.95) WITHIN GROUP (ORDER BY x.duration_ms) AS p95, count(DISTINCT x.trace_id) AS traces, sum(x.sample_weight) AS weight
			FROM llmtrace.handoff x
			WHERE x.started_at >= $1 AND x.started_at < $2
			GROUP BY x.from_kind, x.from_name, x.to_kind, x.to_name, %1$s) e
		ORDER BY e.blamed DESC, e.calls DESC, 1$sql$, llmtrace.dims_expression('llmtrace.handoff', "by"))
	USING since, until;
END
$$;
COMMENT ON FUNCTION llmtrace.handoff_failure(timestamptz, timestamptz, text[]) IS
'Which steps from one to another fail: blame goes to the failure that has none below it, blame_share is of all such failures of the cohort. p95_ms is the time of the step, in milliseconds. Example: SELECT edge, call_count, failure_rate, blame_share FROM llmtrace.handoff_failure() LIMIT 10';

CREATE FUNCTION llmtrace.handoff_edges(since timestamptz DEFAULT now() - interval '7 days', until timestamptz DEFAULT 'infinity')
	RETURNS TABLE (id text, source text, target text, mainstat text, secondarystat text, thickness double precision)
	LANGUAGE plpgsql STABLE ROWS 50 SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM llmtrace.check_period(since, until);
	PERFORM llmtrace.notice_empty_period(since, until);
	RETURN QUERY
		SELECT concat_ws(' ', h.from_kind, h.from_name, '->', h.to_kind, h.to_name), concat_ws(' ', h.from_kind, h.from_name),
			concat_ws(' ', h.to_kind, h.to_name), count(*)::text,
			concat(round(100 * avg(h.is_error::int), 1), ' % failed'), 1 + log(count(*))::float8
		FROM llmtrace.handoff h
		WHERE h.started_at >= since AND h.started_at < until
		GROUP BY h.from_kind, h.from_name, h.to_kind, h.to_name
		ORDER BY count(*) DESC, 1
		LIMIT 1500;
END
$$;
COMMENT ON FUNCTION llmtrace.handoff_edges(timestamptz, timestamptz) IS 'edges of Grafana''s node graph: who hands on to whom, how often, and how often that fails. Example: SELECT * FROM llmtrace.handoff_edges()';

CREATE FUNCTION llmtrace.handoff_nodes(since timestamptz DEFAULT now() - interval '7 days', until timestamptz DEFAULT 'infinity')
	RETURNS TABLE (id text, title text, subtitle text, mainstat text, arc__ok double precision, arc__failed double precision)
	LANGUAGE plpgsql STABLE ROWS 50 SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM llmtrace.check_period(since, until);
	PERFORM llmtrace.notice_empty_period(since, until);
	RETURN QUERY
		WITH edge AS MATERIALIZED (
			SELECT e.source, e.target FROM llmtrace.handoff_edges(since, until) e
		), node AS (
			SELECT h.to_kind AS kind, h.to_name AS name, count(*) AS n, avg(h.is_error::int)::float8 AS failed
			FROM llmtrace.handoff h WHERE h.started_at >= since AND h.started_at < until
			GROUP BY h.to_kind, h.to_name
			UNION ALL
			-- where it begins
			SELECT h.from_kind, h.from_name, count(DISTINCT h.from_span_id), 0
			FROM llmtrace.handoff h WHERE h.started_at >= since AND h.started_at < until
				AND NOT EXISTS (SELECT FROM edge e WHERE e.target = concat_ws(' ', h.from_kind, h.from_name))
			GROUP BY h.from_kind, h.from_name
		)
		SELECT concat_ws(' ', n.kind, n.name), n.name, n.kind, n.n::text, 1 - n.failed, n.failed
		FROM node n
		WHERE concat_ws(' ', n.kind, n.name) IN (SELECT e.source FROM edge e UNION SELECT e.target FROM edge e)
		ORDER BY n.n DESC, 1;
END
$$;
COMMENT ON FUNCTION llmtrace.handoff_nodes(timestamptz, timestamptz) IS 'nodes of Grafana''s node graph: agents, tools and models, how often they were called, and the share that failed. Example: SELECT * FROM llmtrace.handoff_nodes()';

CREATE FUNCTION llmtrace.similar_traces(t llmtrace.trajectory, n integer DEFAULT 10, since timestamptz DEFAULT '-infinity', until timestamptz DEFAULT 'infinity')
	RETURNS TABLE (trace_id uuid, started_at timestamptz, distance double precision, failure_signature text)
	LANGUAGE plpgsql STABLE ROWS 10 SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	question text;
BEGIN
	PERFORM llmtrace.check_period(since, until);
	IF t IS NULL OR n IS NULL OR n < 0 THEN
		RAISE EXCEPTION 'a trace and how many are needed'
			USING ERRCODE = 'invalid_parameter_value', HINT = 'llmtrace.trace(id) gives a trace; NULL if there is none of that id.';
	END IF;
	-- The index knows which spans failed by name; then those alike come first.
	SELECT string_agg(format('{ name = %s && isError }', to_json(f.name)), ' || ')
	INTO question
	FROM (SELECT s.name, min(s.ordinal) AS first FROM llmtrace.spans(t) s
			WHERE s.is_error AND s.name <> '' AND octet_length(s.name) <= 100
				AND NOT EXISTS (SELECT FROM llmtrace.spans(t) c WHERE c.parent = s.ordinal AND c.is_error)
			GROUP BY s.name ORDER BY first LIMIT 8) f;
	question := coalesce(question, format('{ name = %s }', to_json(llmtrace.root_name(t))));
	RETURN QUERY EXECUTE
		'SELECT f.trace_id, f.started_at, llmtrace.similarity_distance(f.trajectory, $1) AS distance, llmtrace.failure_signature(f.trajectory)
		FROM llmtrace.folded f
		WHERE llmtrace.matches(f.trajectory, $2) AND f.started_at >= $3 AND f.started_at < $4 AND f.trace_id <> $5
		ORDER BY distance, f.started_at DESC, f.trace_id LIMIT $6'
	USING t, question::llmtrace.tracequery, since, until, llmtrace.trace_id(t), n;
END
$$;
COMMENT ON FUNCTION llmtrace.similar_traces(llmtrace.trajectory, integer, timestamptz, timestamptz) IS
'The folded traces that went and failed most alike: among those in which a span of the same name failed (without a failure, that have the root''s name), by similarity_distance. It is about shape, not about what texts mean. Example: SELECT trace_id, distance, failure_signature FROM llmtrace.similar_traces(llmtrace.trace(''4bf92f35''), 5)';
