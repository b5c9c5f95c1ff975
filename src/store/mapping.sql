-- A team's own attribute names.

CREATE FUNCTION llmtrace.folded_days(since timestamptz, until timestamptz)
	RETURNS TABLE (start timestamptz, next timestamptz)
	LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT x.day, x.day + interval '24 hours'
	FROM (SELECT DISTINCT pg_catalog.date_trunc('day', d.started_at, 'UTC') AS day
			FROM llmtrace.directory d
			WHERE d.started_at >= since AND d.started_at < until) x
	ORDER BY x.day;
END;
COMMENT ON FUNCTION llmtrace.folded_days(timestamptz, timestamptz) IS 'the UTC days on which folded traces started';

CREATE FUNCTION llmtrace.add_mapping(name text, key text) RETURNS boolean
	LANGUAGE plpgsql SECURITY INVOKER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
BEGIN
	IF name IS NULL OR key IS NULL OR key = '' THEN
		RAISE EXCEPTION 'a name and an attribute''s key are needed'
			USING ERRCODE = 'null_value_not_allowed', HINT = 'Example: CALL llmtrace.map_attribute(''feature'', ''app.feature'')';
	END IF;
	IF EXISTS (SELECT FROM llmtrace.canonical_columns() c WHERE c.column_name = name) THEN
		INSERT INTO llmtrace.attribute_alias AS a VALUES (key, name)
		ON CONFLICT ON CONSTRAINT attribute_alias_pkey DO UPDATE SET column_name = excluded.column_name;
		RETURN true;
	END IF;
	IF name !~ '^[a-z][a-z0-9_]*$' THEN
		RAISE EXCEPTION 'unknown canonical name "%"', left(name, 60)
			USING ERRCODE = 'invalid_parameter_value',
				DETAIL = 'A name that is not canonical becomes a dimension of your own; it begins with a small letter and has small letters, digits and _.',
				HINT = 'SELECT DISTINCT column_name FROM llmtrace.canonical_columns() lists the canonical ones.';
	END IF;
	IF EXISTS (SELECT FROM pg_attribute WHERE attrelid = 'llmtrace.traces'::regclass AND attname = name AND attnum > 0) THEN
		RAISE EXCEPTION 'column "%" of traces is computed, and cannot be mapped', name
			USING ERRCODE = 'invalid_parameter_value';
	END IF;
	INSERT INTO llmtrace.cohort_dimension
	SELECT name, key, coalesce(max(d.rank), 0) + 1 FROM llmtrace.cohort_dimension d WHERE d.name = add_mapping.name
	ON CONFLICT DO NOTHING;
	RETURN false;
END
$$;
COMMENT ON FUNCTION llmtrace.add_mapping(text, text) IS 'the mapping alone, for what comes in from now on; is the name canonical?';

CREATE FUNCTION llmtrace.with_mapping(t llmtrace.trajectory, name text, key text) RETURNS llmtrace.trajectory
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	mapped llmtrace.trajectory := llmtrace.map_keys(t, ARRAY[key], ARRAY[name]);
BEGIN
	-- the only column that is derived from texts under keys of one's own, and those may be in payloads
	IF name = 'plan' AND mapped OPERATOR(llmtrace.<>) t THEN
		mapped := llmtrace.outline_plans(mapped, llmtrace.restore_bodies(mapped));
	END IF;
	RETURN mapped;
END
$$;
COMMENT ON FUNCTION llmtrace.with_mapping(llmtrace.trajectory, text, text) IS 'the trajectory with a key read as a canonical column, and what is derived from it';

CREATE FUNCTION llmtrace.map_fragments(name text, key text) RETURNS bigint
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	mapped bigint;
BEGIN
	PERFORM llmtrace.lock_shards();
	-- what came in before the mapping was there has to be seen
	LOCK TABLE llmtrace.fragments IN SHARE MODE;
	UPDATE llmtrace.fragments f
	SET fragment = n.fragment,
		tenant_id = coalesce(f.tenant_id, (SELECT s.tenant_id FROM llmtrace.trace_summary(n.fragment) s))
	FROM (SELECT o.ctid AS place, llmtrace.with_mapping(o.fragment, name, key) AS fragment
			FROM llmtrace.fragments o
			-- each is mapped once
			OFFSET 0) n
	WHERE f.ctid = n.place AND f.fragment OPERATOR(llmtrace.<>) n.fragment;
	GET DIAGNOSTICS mapped = ROW_COUNT;
	RETURN mapped;
END
$$;
COMMENT ON FUNCTION llmtrace.map_fragments(text, text) IS 'a key of what waits to be folded read as a canonical column; returns how many fragments have it';

CREATE FUNCTION llmtrace.map_day(name text, key text, is_canonical boolean, day timestamptz, next_day timestamptz) RETURNS bigint
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	mapped bigint;
BEGIN
	PERFORM llmtrace.lock_shards();
	UPDATE llmtrace.folded f SET (
		trace_id, started_at, ended_at, duration_ms, span_count, error_count, model_call_count, tool_call_count,
		tool_error_count, agent_run_count, retry_count, input_tokens, output_tokens, reasoning_tokens,
		cache_read_tokens, cache_write_tokens, missing_price_count, sample_weight, depth, is_error, is_complete,
		root_span_id, root_name, root_kind, status, error_type, cost_usd, cost_source, first_model, last_model,
		service_name, service_version, environment, region, feature, feature_source, tenant_id, user_id,
		conversation_id, agent_name, prompt_name, prompt_version, prompt_hash, dims, trajectory)
		= ROW (s.*, n.trajectory)
	FROM (SELECT o.started_at, o.trace_id,
				CASE WHEN is_canonical THEN llmtrace.with_mapping(o.trajectory, name, key)
					ELSE o.trajectory END AS trajectory
			FROM llmtrace.folded o
			WHERE o.started_at >= day AND o.started_at < next_day
				AND EXISTS (SELECT FROM llmtrace.attribute_keys(o.trajectory) k WHERE k.key = map_day.key)
			-- each is mapped once
			OFFSET 0) n
		CROSS JOIN LATERAL llmtrace.folded_columns(n.trajectory) s
	WHERE f.started_at = n.started_at AND f.trace_id = n.trace_id;
	GET DIAGNOSTICS mapped = ROW_COUNT;
	-- a new dimension has cohorts also in hours without the key
	IF mapped > 0 OR NOT is_canonical THEN
		PERFORM llmtrace.mark_hours(day, next_day);
	END IF;
	RETURN mapped;
END
$$;
COMMENT ON FUNCTION llmtrace.map_day(text, text, boolean, timestamptz, timestamptz) IS 'a mapping applied to the folded traces of a day; returns how many have the key';

CREATE PROCEDURE llmtrace.map_attribute(name text, key text)
	LANGUAGE plpgsql
AS $$
DECLARE
	is_canonical boolean := llmtrace.add_mapping(name, key);
	day record;
	traces bigint := 0;
	told_at pg_catalog.timestamptz := pg_catalog.clock_timestamp();
BEGIN
	COMMIT;
	IF is_canonical THEN
		PERFORM llmtrace.map_fragments(name, key);
		COMMIT;
	END IF;
	FOR day IN SELECT * FROM llmtrace.folded_days('-infinity', 'infinity') LOOP
		traces := traces OPERATOR(pg_catalog.+) llmtrace.map_day(name, key, is_canonical, day.start, day.next);
		COMMIT;
		IF pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) told_at OPERATOR(pg_catalog.>) interval '5 seconds' THEN
			RAISE NOTICE '% traces mapped, up to %', traces, day.next;
			told_at := pg_catalog.clock_timestamp();
		END IF;
	END LOOP;
	RAISE NOTICE '"%" is now read as %: % folded traces have it%', key, name, traces,
		CASE WHEN traces OPERATOR(pg_catalog.=) 0 THEN '; doctor() lists keys that may be meant' ELSE '' END;
	CALL llmtrace.refresh_rollups();
END
$$;
COMMENT ON PROCEDURE llmtrace.map_attribute(text, text) IS
'Has an attribute key of your own read as a column (canonical_columns() lists them), or, under a name that is not a column, as a member of dims, by which cohorts can be compared. Of what comes in from now on, and of what is there, a day and transaction at a time; then rollups are refreshed. Example: CALL llmtrace.map_attribute(''feature'', ''app.feature'')';
