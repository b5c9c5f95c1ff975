-- What it costs.

CREATE FUNCTION llmtrace.cost_by_feature(
	since timestamptz DEFAULT now() - interval '7 days', until timestamptz DEFAULT 'infinity',
	bucket interval DEFAULT NULL, "by" text[] DEFAULT '{}')
	RETURNS TABLE ("time" timestamptz, feature text, request_count bigint, user_count bigint,
		input_cost_usd numeric, cached_cost_usd numeric, output_cost_usd numeric, reasoning_cost_usd numeric,
		reported_cost_usd numeric, total_cost_usd numeric, cost_per_request_usd numeric, cost_per_success_usd numeric,
		margin_usd numeric, unattributed_share double precision, missing_price_count bigint, trace_count bigint,
		weighted_count double precision, coverage_rate double precision, cohort text, dims jsonb)
	LANGUAGE plpgsql STABLE ROWS 50 SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM llmtrace.check_period(since, until);
	PERFORM llmtrace.notice_empty_period(since, until);
	PERFORM llmtrace.check_bucket(bucket, true);
	-- price lists know parts; a cost that was reported is a whole
	RETURN QUERY EXECUTE pg_catalog.format($sql$
		WITH call AS (
			SELECT CASE WHEN $3 IS NULL THEN $1 ELSE pg_catalog.date_bin($3, x.started_at, timestamptz '2000-01-01 00:00:00+00') END AS at,
				x.feature, x.trace_id, x.user_id, x.sample_weight, x.cost_usd, x.cost_source,
				%1$s AS dims,
				llmtrace.priced_cost(x.provider, x.model, x.started_at,
					greatest(x.input_tokens - coalesce(x.cache_read_tokens, 0) - coalesce(x.cache_write_tokens, 0), 0), NULL, NULL, NULL, NULL) AS input_usd,
				llmtrace.priced_cost(x.provider, x.model, x.started_at,
					coalesce(x.cache_read_tokens, 0) + coalesce(x.cache_write_tokens, 0), NULL, NULL, x.cache_read_tokens, x.cache_write_tokens) AS cached_usd,
				llmtrace.priced_cost(x.provider, x.model, x.started_at,
					NULL, greatest(x.output_tokens - coalesce(x.reasoning_tokens, 0), 0), NULL, NULL, NULL) AS output_usd,
				llmtrace.priced_cost(x.provider, x.model, x.started_at,
					NULL, x.reasoning_tokens, x.reasoning_tokens, NULL, NULL) AS reasoning_usd
			FROM llmtrace.spans x
			WHERE x.started_at >= $1 AND x.started_at < $2 AND x.cost_source IS NOT NULL
		), request AS (
			SELECT x.trace_id, x.feature, %2$s AS dims, x.user_id,
				CASE WHEN $3 IS NULL THEN $1 ELSE pg_catalog.date_bin($3, x.started_at, timestamptz '2000-01-01 00:00:00+00') END AS at,
				x.sample_weight, x.missing_price_count
			FROM llmtrace.traces x
			WHERE x.started_at >= $1 AND x.started_at < $2
		), result AS (
			SELECT o.trace_id, bool_or(o.success) AS success, max(o.value) AS value
			FROM llmtrace.outcome o
			WHERE o.trace_id IS NOT NULL
			GROUP BY o.trace_id
		), requests AS (
			SELECT r.at, r.feature, r.dims, count(*) AS requests, count(DISTINCT r.user_id) AS users,
				sum(r.sample_weight) AS weight, count(*) FILTER (WHERE s.success) AS successes,
				sum(s.value)::numeric AS value
			FROM request r LEFT JOIN result s ON s.trace_id = r.trace_id
			GROUP BY r.at, r.feature, r.dims
		), costs AS (
			SELECT c.at, c.feature, c.dims,
				sum(c.input_usd) FILTER (WHERE c.cost_source = 'priced') AS input_usd,
				sum(c.cached_usd) FILTER (WHERE c.cost_source = 'priced' AND c.cached_usd > 0) AS cached_usd,
				sum(c.output_usd) FILTER (WHERE c.cost_source = 'priced') AS output_usd,
				sum(c.reasoning_usd) FILTER (WHERE c.cost_source = 'priced') AS reasoning_usd,
				sum(c.cost_usd) FILTER (WHERE c.cost_source = 'reported') AS reported_usd,
				sum(c.cost_usd) AS total_usd,
				count(*) AS calls, count(c.cost_usd) AS known
			FROM call c
			GROUP BY c.at, c.feature, c.dims
		), joined AS (
			SELECT coalesce(c.at, r.at) AS at, coalesce(c.feature, r.feature, 'unattributed') AS feature,
				coalesce(c.dims, r.dims) AS dims, r.requests, r.users, r.weight, r.successes, r.value,
				c.input_usd, c.cached_usd, c.output_usd, c.reasoning_usd, c.reported_usd, c.total_usd, c.calls, c.known
			FROM costs c FULL JOIN requests r
				ON r.at = c.at AND r.dims = c.dims AND coalesce(r.feature, '') = coalesce(c.feature, '')
			UNION ALL
			SELECT $1, 'unattributed', '{}', 0, 0, 0, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0, 0
			WHERE $3 IS NULL AND NOT EXISTS (SELECT FROM request r WHERE r.feature IS NULL)
				AND NOT EXISTS (SELECT FROM call c WHERE c.feature IS NULL)
		)
		SELECT j.at, j.feature, coalesce(j.requests, 0), coalesce(j.users, 0),
			j.input_usd, j.cached_usd, j.output_usd, j.reasoning_usd, j.reported_usd, j.total_usd,
			pg_catalog.round(j.total_usd / nullif(j.requests, 0), 6), pg_catalog.round(j.total_usd / nullif(j.successes, 0), 6),
			j.value - j.total_usd,
			(coalesce(sum(j.total_usd) FILTER (WHERE j.feature = 'unattributed') OVER w, 0)
				/ nullif(sum(j.total_usd) OVER w, 0))::double precision,
			coalesce(j.calls - j.known, 0), coalesce(j.requests, 0), coalesce(j.weight, 0),
			j.known::double precision / nullif(j.calls, 0),
			llmtrace.cohort_label(pg_catalog.jsonb_build_object('feature', j.feature) || j.dims),
			pg_catalog.jsonb_build_object('feature', j.feature) || j.dims
		FROM joined j
		WINDOW w AS (PARTITION BY j.at)
		ORDER BY j.at, j.total_usd DESC NULLS LAST, j.feature$sql$,
		llmtrace.dims_expression('llmtrace.spans', pg_catalog.array_remove("by", 'feature')),
		llmtrace.dims_expression('llmtrace.traces', pg_catalog.array_remove("by", 'feature')))
	USING since, until, bucket;
END
$$;
COMMENT ON FUNCTION llmtrace.cost_by_feature(timestamptz, timestamptz, interval, text[]) IS
'What each feature costs, in US dollars: a span''s cost counts for the feature of the nearest span above it that names one, else for the trace''s. Costs by kind of token are of calls priced by table; reported_cost_usd is what other calls said of themselves. What no feature is known of is the row unattributed, always there; unattributed_share is its share of the period''s cost. cost_per_success_usd and margin_usd (value less cost) need table outcome. missing_price_count calls are in no sum; coverage_rate is the share of calls that are. Without bucket one row a feature. Example: SELECT feature, request_count, total_cost_usd FROM llmtrace.cost_by_feature()';

CREATE VIEW llmtrace.reasoning_spend WITH (security_invoker = true) AS
SELECT m.started_at, m.trace_id, m.span_id, m.model, m.provider, m.reasoning_level,
	m.output_tokens,
	CASE WHEN m.reasoning_tokens IS NOT NULL THEN least(m.reasoning_tokens, m.output_tokens) END AS reasoning_tokens,
	CASE WHEN m.reasoning_tokens IS NOT NULL THEN greatest(m.output_tokens - m.reasoning_tokens, 0) END AS visible_output_tokens,
	CASE WHEN m.reasoning_tokens IS NOT NULL
		THEN least(m.reasoning_tokens, m.output_tokens)::double precision / nullif(m.output_tokens, 0) END AS reasoning_share,
	CASE WHEN m.reasoning_tokens IS NOT NULL
		THEN llmtrace.priced_cost(m.provider, m.model, m.started_at, NULL, least(m.reasoning_tokens, m.output_tokens),
			least(m.reasoning_tokens, m.output_tokens), NULL, NULL) END AS reasoning_cost_usd,
	m.reasoning_tokens > m.output_tokens AS is_usage_anomaly,
	m.service_name, m.service_version, m.environment, m.region, m.feature, m.feature_source, m.tenant_id, m.user_id,
	m.conversation_id, m.agent_name, m.prompt_name, m.prompt_version, m.prompt_hash, m.dims, m.sample_weight
FROM llmtrace.model_calls m
WHERE m.output_tokens IS NOT NULL;
COMMENT ON VIEW llmtrace.reasoning_spend IS 'One row a model call: how much of its output was reasoning that nobody reads. NULL where the provider does not say. Example: SELECT model, reasoning_level, avg(reasoning_share), sum(reasoning_cost_usd) FROM llmtrace.reasoning_spend WHERE started_at > now() - interval ''7 days'' GROUP BY model, reasoning_level ORDER BY 4 DESC NULLS LAST LIMIT 10';
COMMENT ON COLUMN llmtrace.reasoning_spend.started_at IS 'start of the trace';
COMMENT ON COLUMN llmtrace.reasoning_spend.trace_id IS 'id of the trace';
COMMENT ON COLUMN llmtrace.reasoning_spend.span_id IS 'id of the span';
COMMENT ON COLUMN llmtrace.reasoning_spend.model IS 'model that responded, else the one requested';
COMMENT ON COLUMN llmtrace.reasoning_spend.provider IS 'provider of the model';
COMMENT ON COLUMN llmtrace.reasoning_spend.reasoning_level IS 'reasoning effort that was asked for';
COMMENT ON COLUMN llmtrace.reasoning_spend.output_tokens IS 'output tokens, reasoning included';
COMMENT ON COLUMN llmtrace.reasoning_spend.reasoning_tokens IS 'output tokens that are reasoning, at most all; NULL if the provider does not say';
COMMENT ON COLUMN llmtrace.reasoning_spend.visible_output_tokens IS 'output tokens that are not; NULL if the provider does not say';
COMMENT ON COLUMN llmtrace.reasoning_spend.reasoning_share IS 'share of reasoning in the output, 0 to 1';
COMMENT ON COLUMN llmtrace.reasoning_spend.reasoning_cost_usd IS 'what the reasoning cost by table price, in US dollars; NULL without a price';
COMMENT ON COLUMN llmtrace.reasoning_spend.is_usage_anomaly IS 'did it report more reasoning than output? Some emitters leave reasoning out of the output';

CREATE FUNCTION llmtrace.reasoning_budget(
	since timestamptz DEFAULT now() - interval '7 days', until timestamptz DEFAULT 'infinity',
	budget_tokens bigint DEFAULT 2000, "by" text[] DEFAULT '{model,reasoning_level}')
	RETURNS TABLE (p50_tokens double precision, p95_tokens double precision, p99_tokens double precision,
		over_budget_rate double precision, over_budget_cost_usd numeric, reasoning_tokens bigint, call_count bigint,
		trace_count bigint, weighted_count double precision, coverage_rate double precision, cohort text, dims jsonb)
	LANGUAGE plpgsql STABLE ROWS 20 SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM llmtrace.check_period(since, until);
	PERFORM llmtrace.notice_empty_period(since, until);
	IF budget_tokens IS NULL OR budget_tokens OPERATOR(pg_catalog.<) 0 THEN
		RAISE EXCEPTION 'a budget of tokens must not be negative' USING ERRCODE = 'invalid_parameter_value';
	END IF;
	RETURN QUERY EXECUTE pg_catalog.format($sql$
		SELECT llmtrace.dist_quantile(d.dist, 0.5), llmtrace.dist_quantile(d.dist, 0.95), llmtrace.dist_quantile(d.dist, 0.99),
			coalesce(d.over_weight, 0) / nullif(d.known_weight, 0), d.over_usd, d.reasoning_tokens, d.calls, d.traces, d.weight,
			d.known::double precision / d.calls, llmtrace.cohort_label(d.dims), d.dims
		FROM (
			SELECT %s AS dims,
				llmtrace.dist_agg(x.reasoning_tokens::double precision, x.sample_weight) FILTER (WHERE x.reasoning_tokens IS NOT NULL) AS dist,
				sum(x.sample_weight) FILTER (WHERE x.reasoning_tokens > $3) AS over_weight,
				sum(x.sample_weight) FILTER (WHERE x.reasoning_tokens IS NOT NULL) AS known_weight,
				sum(llmtrace.priced_cost(x.provider, x.model, x.started_at, NULL, x.reasoning_tokens - $3,
					x.reasoning_tokens - $3, NULL, NULL)) FILTER (WHERE x.reasoning_tokens > $3) AS over_usd,
				sum(x.reasoning_tokens)::bigint AS reasoning_tokens, count(*) AS calls, count(x.reasoning_tokens) AS known,
				count(DISTINCT x.trace_id) AS traces, sum(x.sample_weight) AS weight
			FROM llmtrace.reasoning_spend x
			WHERE x.started_at >= $1 AND x.started_at < $2
			GROUP BY 1) d
		ORDER BY d.reasoning_tokens DESC NULLS LAST, d.dims$sql$,
		llmtrace.dims_expression('llmtrace.reasoning_spend', "by"))
	USING since, until, budget_tokens;
END
$$;
COMMENT ON FUNCTION llmtrace.reasoning_budget(timestamptz, timestamptz, bigint, text[]) IS
'Reasoning tokens a model call, and how many calls go over a budget: over_budget_rate is their share among calls that report reasoning, over_budget_cost_usd what the tokens beyond the budget cost, in US dollars. coverage_rate: share of calls that report reasoning at all. Example: SELECT cohort, p95_tokens, over_budget_rate FROM llmtrace.reasoning_budget(budget_tokens => 4000)';

CREATE FUNCTION llmtrace.cost_drivers(
	ref_since timestamptz DEFAULT NULL, ref_until timestamptz DEFAULT NULL,
	since timestamptz DEFAULT now() - interval '7 days', until timestamptz DEFAULT now())
	RETURNS TABLE (driver text, delta_usd numeric, share double precision, ref_value double precision, value double precision)
	LANGUAGE plpgsql STABLE ROWS 6 SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM llmtrace.check_period(since, until);
	ref_until := coalesce(ref_until, since);
	ref_since := coalesce(ref_since, ref_until OPERATOR(pg_catalog.-) (until OPERATOR(pg_catalog.-) since));
	PERFORM llmtrace.check_period(ref_since, ref_until);
	IF ref_until OPERATOR(pg_catalog.>) since AND ref_since OPERATOR(pg_catalog.<) until THEN
		RAISE EXCEPTION 'the two periods overlap'
			USING ERRCODE = 'invalid_parameter_value',
				DETAIL = pg_catalog.format('They are %s to %s and %s to %s.', ref_since, ref_until, since, until);
	END IF;
	RETURN QUERY
	-- Cost = traces x calls a trace x share of model x tokens a call x cost a
	-- token, a model at a time: the additive logarithmic mean Divisia index
	-- (Ang 2004), which leaves no residual.
	WITH usage AS (
		SELECT (m.started_at >= cost_drivers.since) AS is_new, coalesce(m.model, '-') AS model,
			sum(m.cost_usd)::double precision AS usd, count(*)::double precision AS calls,
			sum(coalesce(m.input_tokens, 0) + coalesce(m.output_tokens, 0))::double precision AS tokens
		FROM llmtrace.model_calls m
		WHERE m.cost_usd > 0 AND (m.started_at >= cost_drivers.ref_since AND m.started_at < cost_drivers.ref_until
			OR m.started_at >= cost_drivers.since AND m.started_at < cost_drivers.until)
		GROUP BY 1, 2
	), period AS (
		SELECT (t.started_at >= cost_drivers.since) AS is_new, count(*)::double precision AS traces
		FROM llmtrace.traces t
		WHERE t.started_at >= cost_drivers.ref_since AND t.started_at < cost_drivers.ref_until
			OR t.started_at >= cost_drivers.since AND t.started_at < cost_drivers.until
		GROUP BY 1
	), pair AS (
		SELECT coalesce(a.model, b.model) AS model,
			-- a model that is new or gone has a trace of use in the other period
			coalesce(a.usd, 0) AS usd0, coalesce(b.usd, 0) AS usd1,
			greatest(coalesce(a.usd, 0), coalesce(b.usd, 0) * 1e-12) AS u0, greatest(coalesce(b.usd, 0), coalesce(a.usd, 0) * 1e-12) AS u1,
			greatest(coalesce(a.calls, 0), coalesce(b.calls, 0) * 1e-12) AS c0, greatest(coalesce(b.calls, 0), coalesce(a.calls, 0) * 1e-12) AS c1,
			greatest(coalesce(a.tokens, 0), coalesce(b.tokens, 0) * 1e-12) AS k0, greatest(coalesce(b.tokens, 0), coalesce(a.tokens, 0) * 1e-12) AS k1,
			pa.traces AS n0, pb.traces AS n1
		FROM (SELECT * FROM usage u WHERE NOT u.is_new) a
			FULL JOIN (SELECT * FROM usage u WHERE u.is_new) b ON b.model = a.model
			LEFT JOIN period pa ON NOT pa.is_new
			LEFT JOIN period pb ON pb.is_new
	), total AS (
		SELECT sum(p.c0) AS all0, sum(p.c1) AS all1, sum(p.usd0) AS usd0, sum(p.usd1) AS usd1 FROM pair p
	), factor AS (
		SELECT f.driver, f.rank,
			sum(CASE WHEN p.u1 = p.u0 THEN p.u0 ELSE (p.u1 - p.u0) / pg_catalog.ln(p.u1 / p.u0) END * pg_catalog.ln(f.now / f.before)) AS delta
		FROM pair p, total g, LATERAL (VALUES
			('volume', 1, p.n0, p.n1),
			('calls_per_trace', 2, g.all0 / p.n0, g.all1 / p.n1),
			('model_mix', 3, p.c0 / g.all0, p.c1 / g.all1),
			('tokens_per_call', 4, p.k0 / p.c0, p.k1 / p.c1),
			('price', 5, p.u0 / p.k0, p.u1 / p.k1)) f (driver, rank, before, now)
		WHERE p.n0 > 0 AND p.n1 > 0 AND f.before > 0 AND f.now > 0
		GROUP BY f.driver, f.rank
	)
	SELECT x.driver, pg_catalog.round(x.delta::numeric, 6), x.delta / nullif(x.total, 0), x.v0, x.v1
	FROM (
		SELECT f.driver, f.rank, f.delta, g.usd1 - g.usd0 AS total, NULL::double precision AS v0, NULL::double precision AS v1
		FROM factor f, total g
		UNION ALL
		SELECT 'total', 6, g.usd1 - g.usd0, g.usd1 - g.usd0, g.usd0, g.usd1 FROM total g WHERE g.usd0 IS NOT NULL) x
	ORDER BY x.rank;
	IF NOT FOUND THEN
		PERFORM llmtrace.notice_nothing(since, until, 'no model call of this period or the other has a cost that is known',
			'SELECT * FROM llmtrace.doctor() names the models that have no price.');
	END IF;
END
$$;
COMMENT ON FUNCTION llmtrace.cost_drivers(timestamptz, timestamptz, timestamptz, timestamptz) IS
'Why the cost of model calls differs from a reference period (by default the one before): in US dollars what came from the number of traces (volume), calls a trace, the mix of models, tokens a call and the price of a token (cache and discounts included). The parts add up to the row total, which has both periods'' cost; share is of the change. Calls without a known cost are left out. Example: SELECT * FROM llmtrace.cost_drivers()';

-- What it costs to watch.

CREATE VIEW llmtrace.telemetry_cost WITH (security_invoker = true) AS
SELECT t.started_at, t.trace_id,
	pg_catalog.pg_column_size(t.trajectory)::bigint + coalesce(b.raw_bytes, 0) AS raw_bytes,
	pg_catalog.pg_column_size(t.trajectory)::bigint + coalesce(b.distinct_bytes, 0) AS stored_bytes,
	coalesce(b.raw_bytes - b.distinct_bytes, 0) AS dup_bytes,
	coalesce(b.raw_bytes, 0) AS body_bytes,
	t.span_count,
	t.input_tokens + t.output_tokens AS total_tokens,
	t.cost_usd AS inference_cost_usd,
	j.judge_cost_usd,
	(j.judge_cost_usd / nullif(t.cost_usd, 0))::double precision AS telemetry_share,
	t.service_name, t.service_version, t.environment, t.region, t.feature, t.feature_source, t.tenant_id, t.user_id,
	t.conversation_id, t.agent_name, t.prompt_name, t.prompt_version, t.prompt_hash, t.dims, t.sample_weight
FROM llmtrace.trajectories t
	CROSS JOIN LATERAL (
		SELECT sum(h.bytes * h.n)::bigint AS raw_bytes, sum(h.bytes)::bigint AS distinct_bytes
		FROM (
			SELECT r.hash, max(r.body_bytes) AS bytes, count(*) AS n
			FROM llmtrace.payload_refs(t.trajectory) r
			GROUP BY r.hash) h) b
	CROSS JOIN LATERAL (
		-- in preorder: below an evaluator until the last of them has ended
		SELECT sum(m.cost_usd) FILTER (WHERE m.ordinal < m.evaluators_end) AS judge_cost_usd
		FROM (
			SELECT e.cost_usd, e.ordinal,
				max(e.ordinal + e.subtree_count) FILTER (WHERE e.kind = 'evaluator') OVER (ORDER BY e.ordinal) AS evaluators_end
			FROM llmtrace.span_rows(t.trajectory) e
			-- most traces have no evaluator, which is known sooner than what spans cost
			WHERE llmtrace.matches(t.trajectory, '{ kind = evaluator }')) m) j;
COMMENT ON VIEW llmtrace.telemetry_cost IS 'One row a trace: how much it takes to keep, in bytes before and after equal bodies within the trace are kept once, and what its evaluators cost beside what it cost itself. Example: SELECT feature, sum(raw_bytes), sum(stored_bytes), sum(dup_bytes) FROM llmtrace.telemetry_cost WHERE started_at > now() - interval ''7 days'' GROUP BY feature ORDER BY 2 DESC LIMIT 10';
COMMENT ON COLUMN llmtrace.telemetry_cost.started_at IS 'start of the trace';
COMMENT ON COLUMN llmtrace.telemetry_cost.trace_id IS 'id of the trace';
COMMENT ON COLUMN llmtrace.telemetry_cost.raw_bytes IS 'the trajectory, and its bodies as often as they are referred to, in bytes';
COMMENT ON COLUMN llmtrace.telemetry_cost.stored_bytes IS 'the trajectory, and each of its bodies once, in bytes';
COMMENT ON COLUMN llmtrace.telemetry_cost.dup_bytes IS 'what the bodies that repeat would take again, in bytes';
COMMENT ON COLUMN llmtrace.telemetry_cost.body_bytes IS 'bodies as often as they are referred to, in bytes';
COMMENT ON COLUMN llmtrace.telemetry_cost.span_count IS 'spans';
COMMENT ON COLUMN llmtrace.telemetry_cost.total_tokens IS 'input and output tokens';
COMMENT ON COLUMN llmtrace.telemetry_cost.inference_cost_usd IS 'cost of the trace, in US dollars';
COMMENT ON COLUMN llmtrace.telemetry_cost.judge_cost_usd IS 'of it, what ran below evaluators, in US dollars';
COMMENT ON COLUMN llmtrace.telemetry_cost.telemetry_share IS 'judge_cost_usd as a share of inference_cost_usd';

CREATE FUNCTION llmtrace.payload_dup(
	since timestamptz DEFAULT now() - interval '7 days', until timestamptz DEFAULT 'infinity')
	RETURNS TABLE (part text, body_count bigint, distinct_count bigint, dup_factor double precision, saved_bytes bigint)
	LANGUAGE plpgsql STABLE ROWS 7 SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM llmtrace.check_period(since, until);
	PERFORM llmtrace.notice_empty_period(since, until);
	RETURN QUERY
	SELECT h.role, sum(h.n)::bigint, count(*),
		(sum(h.bytes * h.n) / nullif(sum(h.bytes), 0))::double precision, sum(h.bytes * (h.n - 1))::bigint
	FROM (
		SELECT r.role, r.hash, r.day, max(r.body_bytes) AS bytes, count(*) AS n
		FROM llmtrace.trajectories t CROSS JOIN LATERAL llmtrace.payload_refs(t.trajectory) r
		WHERE t.started_at >= payload_dup.since AND t.started_at < payload_dup.until
		GROUP BY r.role, r.hash, r.day) h
	GROUP BY h.role
	ORDER BY 5 DESC;
END
$$;
COMMENT ON FUNCTION llmtrace.payload_dup(timestamptz, timestamptz) IS
'How often bodies repeat, by their part (input, output, ...): dup_factor is bytes referred to over bytes kept (once a day and content), saved_bytes the difference. Example: SELECT * FROM llmtrace.payload_dup()';

CREATE FUNCTION llmtrace.attr_weight(
	since timestamptz DEFAULT now() - interval '7 days', until timestamptz DEFAULT 'infinity')
	RETURNS TABLE (key text, column_name text, span_count bigint, trace_count bigint, bytes_total bigint, body_bytes bigint)
	LANGUAGE plpgsql STABLE ROWS 100 SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM llmtrace.check_period(since, until);
	PERFORM llmtrace.notice_empty_period(since, until);
	RETURN QUERY
	SELECT k.key, max(k.column_name), sum(k.span_count)::bigint, count(DISTINCT t.trace_id),
		sum(k.value_bytes)::bigint, coalesce(sum(b.bytes), 0)::bigint
	FROM llmtrace.trajectories t
		CROSS JOIN LATERAL llmtrace.attribute_weights(t.trajectory) k
		LEFT JOIN LATERAL (
			SELECT r.key, sum(r.body_bytes) AS bytes
			FROM llmtrace.payload_refs(t.trajectory) r
			WHERE r.event_number IS NULL AND r.link_number IS NULL
			GROUP BY r.key) b ON b.key = k.key
	WHERE t.started_at >= attr_weight.since AND t.started_at < attr_weight.until
	GROUP BY k.key
	ORDER BY sum(k.value_bytes) + coalesce(sum(b.bytes), 0) DESC;
END
$$;
COMMENT ON FUNCTION llmtrace.attr_weight(timestamptz, timestamptz) IS
'What each attribute of spans takes, in bytes before compression: bytes_total in trajectories, body_bytes in payloads as often as they are referred to. column_name is what it is read as, NULL for a key that nothing reads. Example: SELECT * FROM llmtrace.attr_weight() LIMIT 20';
