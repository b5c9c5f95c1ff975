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
		pg_catalog.format('%s traces in %s fragments, %s; the oldest came in %s ago', b.trace_count, b.fragment_count,
			coalesce(pg_catalog.pg_size_pretty(b.fragment_bytes), '0 bytes'),
			coalesce(pg_catalog.date_trunc('second', pg_catalog.now() - b.oldest_received_at)::text, '-')),
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
		CASE WHEN w.filled > 0 OR b.keys IS NULL THEN 'ok' ELSE 'note' END,
		pg_catalog.format('%s %% of the last %s traces%s', pg_catalog.round(100.0 * w.filled / w.n), w.n,
			coalesce('; keys that look like it: ' || b.keys, '')),
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

CREATE FUNCTION llmtrace.doctor(since timestamptz DEFAULT '-infinity')
	RETURNS TABLE ("check" text, status text, finding text, hint text)
	LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT * FROM llmtrace.doctor_store()
	UNION ALL
	SELECT * FROM llmtrace.doctor_prices(since)
	UNION ALL
	SELECT * FROM llmtrace.doctor_dimensions(since);
END;
COMMENT ON FUNCTION llmtrace.doctor(timestamptz) IS
'How the store is: what is loaded and how old it is, what waits to be folded, what was rejected, which prices are missing, how far the columns are filled by which people group and which keys of one''s own look like them; with the line to run. status is ok, note or warning. Example: SELECT * FROM llmtrace.doctor()';
