-- How the store is, and what to do about it.

CREATE FUNCTION llmtrace.doctor_store() RETURNS TABLE ("check" text, status text, finding text, hint text)
	LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT 'version',
		CASE WHEN s.version = e.extversion THEN 'ok' ELSE 'warning' END,
		pg_catalog.format('store %s, extension %s', s.version, e.extversion),
		CASE WHEN s.version <> e.extversion THEN 'SELECT llmtrace.upgrade_store()' END
	FROM llmtrace.store s, pg_catalog.pg_extension e WHERE e.extname = 'llmtrace'
	UNION ALL
	SELECT 'loaded',
		CASE WHEN count(*) > 0 THEN 'ok' ELSE 'note' END,
		CASE WHEN count(*) > 0 THEN pg_catalog.format('%s traces, %s spans, from %s to %s; the newest started %s ago',
				count(*), sum(f.span_count), min(f.started_at), max(f.started_at),
				pg_catalog.date_trunc('second', pg_catalog.now() - max(f.started_at)))
			ELSE 'no folded traces' END,
		CASE WHEN count(*) = 0 THEN 'bin/llmtrace-load FILE, then CALL llmtrace.fold(quiet_for => ''0'')' END
	FROM llmtrace.folded f
	UNION ALL
	SELECT 'waiting to be folded',
		CASE WHEN b.oldest_received_at < pg_catalog.now() - interval '20 minutes' THEN 'warning' ELSE 'ok' END,
		CASE WHEN b.trace_count > 0 THEN
				pg_catalog.format('%s traces in %s fragments, %s; the oldest came in %s ago', b.trace_count, b.fragment_count,
					pg_catalog.pg_size_pretty(b.fragment_bytes),
					pg_catalog.date_trunc('second', pg_catalog.now() - b.oldest_received_at))
			ELSE 'nothing' END,
		CASE WHEN b.oldest_received_at < pg_catalog.now() - interval '20 minutes'
			THEN 'CALL llmtrace.fold(); and see that it is called every few seconds' END
	FROM llmtrace.fold_backlog b
	UNION ALL
	SELECT 'set aside', 'warning',
		pg_catalog.format('%s traces cannot be folded', count(DISTINCT f.trace_id)),
		'SELECT reason FROM llmtrace.ingest_rejected WHERE reason LIKE ''trace % cannot%''; when it is mended: SELECT llmtrace.fold_again()'
	FROM llmtrace.fragments f
	WHERE f.is_set_aside
	HAVING count(*) > 0
	UNION ALL
	SELECT 'rejected',
		CASE WHEN count(*) FILTER (WHERE r.received_at > pg_catalog.now() - interval '1 day') > 0 THEN 'warning' ELSE 'ok' END,
		pg_catalog.format('%s in the last day, %s in all%s',
			count(*) FILTER (WHERE r.received_at > pg_catalog.now() - interval '1 day'), count(*),
			coalesce('; mostly: ' || mode() WITHIN GROUP (ORDER BY r.reason), '')),
		CASE WHEN count(*) > 0 THEN 'SELECT * FROM llmtrace.ingest_rejected ORDER BY received_at DESC LIMIT 20' END
	FROM llmtrace.ingest_rejected r;
END;
COMMENT ON FUNCTION llmtrace.doctor_store() IS 'the part of doctor() about what came in';

CREATE FUNCTION llmtrace.doctor_prices(since timestamptz) RETURNS TABLE ("check" text, status text, finding text, hint text)
	LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT 'price of ' || coalesce(llmtrace.short_text(b.provider) || ' ', '') || coalesce(llmtrace.short_text(b.model), 'calls without a model'),
		'warning',
		pg_catalog.format('%s calls neither report a cost nor have a price', sum(b.call_count - b.reported_count)),
		CASE WHEN b.model IS NOT NULL THEN pg_catalog.format(
			'INSERT INTO llmtrace.price (provider, model_pattern, input_usd_per_million, output_usd_per_million) VALUES (%L, %L, ..., ...); CALL llmtrace.reprice()',
			b.provider, b.model) END
	FROM llmtrace.folded f
		CROSS JOIN LATERAL llmtrace.model_bills(f.trajectory) b
	WHERE f.started_at >= since AND f.missing_price_count > 0 AND b.call_count > b.reported_count
		AND llmtrace.priced_cost(b.provider, b.model, f.started_at, 1, 1, 0, 0, 0) IS NULL
	GROUP BY b.provider, b.model
	ORDER BY sum(b.call_count - b.reported_count) DESC
	LIMIT 10;
END;
COMMENT ON FUNCTION llmtrace.doctor_prices(timestamptz) IS 'the part of doctor() about prices that are missing';

CREATE FUNCTION llmtrace.doctor_dimensions(since timestamptz) RETURNS TABLE ("check" text, status text, finding text, hint text)
	LANGUAGE sql STABLE
BEGIN ATOMIC
	WITH recent AS MATERIALIZED (
		SELECT f.trajectory, f.feature, f.feature_source, f.tenant_id, f.user_id, f.conversation_id, f.agent_name,
			f.prompt_name, f.prompt_version, f.prompt_hash, f.service_version, f.environment
		FROM llmtrace.folded f
		WHERE f.started_at >= since
		ORDER BY f.started_at DESC
		LIMIT 1000
	), filled AS (
		SELECT count(*) AS n, v.name, v.look, count(v.value) AS filled
		FROM recent r CROSS JOIN LATERAL (VALUES
			('feature', CASE WHEN r.feature_source = 'attribute' THEN r.feature END, 'feature|product|use_?case|task_?type'),
			('feature by workflow or agent', CASE WHEN r.feature_source <> 'attribute' THEN r.feature END, NULL),
			('tenant_id', r.tenant_id, 'tenant|customer|org(anization)?[._]?id|account|company|workspace'),
			('user_id', r.user_id, 'user[._]?(id|name)?$|enduser'),
			('conversation_id', r.conversation_id, 'session|conversation|thread|chat[._]?id'),
			('prompt_name', r.prompt_name, 'prompt[._]?(name|id|key|template)'),
			('prompt_version', r.prompt_version, 'prompt.*version'),
			('service_version', r.service_version, '(service|app|release|build|git).*(version|sha|commit)|release$'),
			('environment', r.environment, 'environment|deployment|[._]env$|stage')) v (name, value, look)
		GROUP BY v.name, v.look
	), looks_like AS (
		SELECT w.name, k.key, sum(k.span_count) AS spans
		FROM filled w, recent r, llmtrace.attribute_keys(r.trajectory) k
		WHERE w.filled * 2 < w.n AND k.column_name IS NULL AND k.key ~* w.look
			AND NOT EXISTS (SELECT FROM llmtrace.cohort_dimension d WHERE d.key = k.key)
		GROUP BY w.name, k.key
	)
	SELECT w.name || ' filled',
		CASE WHEN w.filled > 0 OR w.look IS NULL THEN 'ok' ELSE 'note' END,
		pg_catalog.format('%s %% of the last %s traces%s', pg_catalog.round(100.0 * w.filled / w.n), w.n,
			coalesce('; keys that look like it: ' || b.keys, CASE WHEN w.filled = 0 AND w.look IS NOT NULL THEN '; no key looks like it' END)),
		CASE WHEN b.best IS NOT NULL THEN pg_catalog.format('CALL llmtrace.map_attribute(%L, %L)', w.name, b.best) END
	FROM filled w
		LEFT JOIN (
			SELECT l.name, pg_catalog.string_agg(l.key, ', ' ORDER BY l.spans DESC, l.key) AS keys,
				(pg_catalog.array_agg(l.key ORDER BY l.spans DESC, l.key))[1] AS best
			FROM looks_like l
			GROUP BY l.name) b ON b.name = w.name
	WHERE w.n > 0
	ORDER BY w.name;
END;
COMMENT ON FUNCTION llmtrace.doctor_dimensions(timestamptz) IS 'the part of doctor() about the columns by which people group';

CREATE FUNCTION llmtrace.doctor_figures(since timestamptz) RETURNS TABLE ("check" text, status text, finding text, hint text)
	LANGUAGE sql STABLE
BEGIN ATOMIC
	WITH recent AS MATERIALIZED (
		SELECT f.trace_id, f.trajectory, f.agent_name
		FROM llmtrace.folded f
		WHERE f.started_at >= since
		ORDER BY f.started_at DESC
		LIMIT 1000
	), known AS MATERIALIZED (
		SELECT count(*) AS traces, count(o.trace_id) AS outcomes,
			count(*) FILTER (WHERE llmtrace.trace_plan(r.trajectory) IS NOT NULL) AS plans,
			mode() WITHIN GROUP (ORDER BY r.agent_name) AS agent
		FROM recent r LEFT JOIN (SELECT DISTINCT x.trace_id FROM llmtrace.outcome x) o ON o.trace_id = r.trace_id
	), call AS MATERIALIZED (
		SELECT count(*) AS calls, count(c.ttft_ms) AS with_ttft, count(coalesce(c.input_tokens, c.output_tokens)) AS with_tokens,
			count(*) FILTER (WHERE c.cost_source = 'reported') AS with_cost
		FROM recent r CROSS JOIN LATERAL llmtrace.model_call_rows(r.trajectory) c
		WHERE c.kind = 'llm'
	), tool AS MATERIALIZED (
		SELECT c.tool_name, count(*) AS calls, k.effect IS NOT NULL AS is_classified
		FROM recent r
			CROSS JOIN LATERAL llmtrace.tool_call_rows(r.trajectory) c
			LEFT JOIN llmtrace.tool_class k ON k.tool_name = c.tool_name
		WHERE c.tool_name IS NOT NULL
		GROUP BY c.tool_name, k.effect
	)
	SELECT 'model calls', 'note', pg_catalog.format('none in the last %s traces, so no tokens, costs and first tokens', k.traces),
		'What is read as what: SELECT * FROM llmtrace.canonical_columns()'
	FROM call c, known k WHERE c.calls = 0 AND k.traces > 0
	UNION ALL
	SELECT 'tokens', CASE WHEN c.with_tokens > 0 THEN 'ok' ELSE 'note' END,
		pg_catalog.format('%s of %s model calls say how many they used, which prices need; %s say what they cost', c.with_tokens, c.calls, c.with_cost), NULL
	FROM call c WHERE c.calls > 0
	UNION ALL
	SELECT 'first tokens', CASE WHEN c.with_ttft > 0 THEN 'ok' ELSE 'note' END,
		pg_catalog.format('%s of %s model calls say when their first token came, which ttft_slo and ttft_histogram are of', c.with_ttft, c.calls), NULL
	FROM call c WHERE c.calls > 0
	UNION ALL
	SELECT 'outcomes', CASE WHEN k.outcomes > 0 THEN 'ok' ELSE 'note' END,
		pg_catalog.format('%s of the last %s traces have one, which tasks and cost_per_success_usd are of', k.outcomes, k.traces),
		CASE WHEN k.outcomes = 0 THEN 'INSERT INTO llmtrace.outcome (task_id, trace_id, success) VALUES (...)' END
	FROM known k WHERE k.traces > 0
	UNION ALL
	SELECT 'plans', CASE WHEN k.plans > 0 OR p.count > 0 THEN 'ok' ELSE 'note' END,
		pg_catalog.format('%s of the last %s traces record one; reference_plan has %s for the others', k.plans, k.traces, p.count),
		CASE WHEN k.plans = 0 AND p.count = 0 THEN
			pg_catalog.format('INSERT INTO llmtrace.reference_plan (agent_name, plan) VALUES (%L, ''...'')', k.agent) END
	FROM known k, (SELECT count(*) AS count FROM llmtrace.reference_plan) p WHERE k.traces > 0
	UNION ALL
	SELECT 'tools classified', CASE WHEN bool_and(t.is_classified) THEN 'ok' ELSE 'note' END,
		pg_catalog.format('%s of %s tools, by which success_check tells what writes', count(*) FILTER (WHERE t.is_classified), count(*)),
		'INSERT INTO llmtrace.tool_class (tool_name, effect) VALUES '
			|| (pg_catalog.array_agg(pg_catalog.format('(%L, ''read'')', t.tool_name) ORDER BY t.calls DESC, t.tool_name) FILTER (WHERE NOT t.is_classified))[1]
	FROM tool t HAVING count(*) > 0;
END;
COMMENT ON FUNCTION llmtrace.doctor_figures(timestamptz) IS 'the part of doctor() about what some figures need: why they have nothing to say';

CREATE FUNCTION llmtrace.doctor(since timestamptz DEFAULT '-infinity')
	RETURNS TABLE ("check" text, status text, finding text, hint text)
	LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT * FROM llmtrace.doctor_store()
	UNION ALL
	SELECT * FROM llmtrace.doctor_prices(since)
	UNION ALL
	SELECT * FROM llmtrace.doctor_dimensions(since)
	UNION ALL
	SELECT * FROM llmtrace.doctor_figures(since);
END;
COMMENT ON FUNCTION llmtrace.doctor(timestamptz) IS
'How the store is: what is loaded and how old it is, what waits to be folded, what was rejected, which prices are missing, how far the columns are filled by which people group and which keys of one''s own look like them, and what some figures lack; with the line to run. status is ok, note or warning. Example: SELECT * FROM llmtrace.doctor()';
