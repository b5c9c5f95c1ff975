-- Partitions of folded and payloads, by time, made as needed.  What lies
-- before 2022 or after 2049 has a partition each: clocks that are wrong.

CREATE FUNCTION llmtrace.partition_start(at timestamptz) RETURNS timestamptz
	LANGUAGE sql STABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE
		WHEN at < timestamptz '2022-01-03 00:00:00+00' THEN timestamptz '-infinity'
		WHEN at >= timestamptz '2050-01-03 00:00:00+00' THEN timestamptz '2050-01-03 00:00:00+00'
		ELSE pg_catalog.date_bin(pg_catalog.make_interval(hours => 24 * s.partition_days), at,
			timestamptz '2022-01-03 00:00:00+00')
	END
	FROM llmtrace.store s;
END;
COMMENT ON FUNCTION llmtrace.partition_start(timestamptz) IS
'start of the partition that a time belongs to; before 2022 and from 2050 on there is one each, for odd clocks';

CREATE FUNCTION llmtrace.partition_end(start timestamptz) RETURNS timestamptz
	LANGUAGE sql STABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE
		WHEN start < timestamptz '2022-01-03 00:00:00+00' THEN timestamptz '2022-01-03 00:00:00+00'
		WHEN start >= timestamptz '2050-01-03 00:00:00+00' THEN timestamptz 'infinity'
		ELSE least(start + pg_catalog.make_interval(hours => 24 * s.partition_days),
			timestamptz '2050-01-03 00:00:00+00')
	END
	FROM llmtrace.store s;
END;
COMMENT ON FUNCTION llmtrace.partition_end(timestamptz) IS 'end of the partition that begins then';

CREATE FUNCTION llmtrace.partition_name(parent text, start timestamptz) RETURNS text
	LANGUAGE sql STABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT parent || CASE
		WHEN start < timestamptz '2022-01-03 00:00:00+00' THEN '_early'
		WHEN start >= timestamptz '2050-01-03 00:00:00+00' THEN '_late'
		ELSE pg_catalog.to_char(start AT TIME ZONE 'UTC', '_YYYYMMDD')
	END;
END;
COMMENT ON FUNCTION llmtrace.partition_name(text, timestamptz) IS 'name of a partition: folded_20260105';

CREATE FUNCTION llmtrace.missing_partitions(times timestamptz[]) RETURNS TABLE (parent text, name text, start timestamptz)
	LANGUAGE sql STABLE STRICT
BEGIN ATOMIC
	SELECT p.parent, llmtrace.partition_name(p.parent, s.start), s.start
	FROM (SELECT DISTINCT llmtrace.partition_start(t) AS start
			FROM pg_catalog.unnest(times) t WHERE t IS NOT NULL) s,
		(VALUES ('folded'), ('payloads')) AS p (parent)
	WHERE pg_catalog.to_regclass('llmtrace.' || llmtrace.partition_name(p.parent, s.start)) IS NULL
	ORDER BY p.parent, s.start;
END;
COMMENT ON FUNCTION llmtrace.missing_partitions(timestamptz[]) IS 'the partitions that these times need and that are not there';

-- Readers and writers of other partitions go on meanwhile: a table is made and
-- attached, which asks for no more than ANALYZE does.
CREATE FUNCTION llmtrace.make_partitions(times timestamptz[]) RETURNS integer
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET TimeZone = 'UTC' SET DateStyle = 'ISO'
AS $$
DECLARE
	missing record;
	until timestamptz;
	bounds text;
	made integer := 0;
BEGIN
	FOR missing IN SELECT * FROM llmtrace.missing_partitions(times) LOOP
		-- whoever comes second waits here, and finds it made
		EXECUTE format('LOCK TABLE ONLY llmtrace.%I IN SHARE UPDATE EXCLUSIVE MODE', missing.parent);
		CONTINUE WHEN to_regclass('llmtrace.' || missing.name) IS NOT NULL;

		until := llmtrace.partition_end(missing.start);
		bounds := format('FROM (%s) TO (%s)',
			CASE WHEN missing.start = '-infinity' THEN 'MINVALUE'
				WHEN missing.parent = 'payloads' THEN quote_literal(missing.start::date)
				ELSE quote_literal(missing.start) END,
			CASE WHEN until = 'infinity' THEN 'MAXVALUE'
				WHEN missing.parent = 'payloads' THEN quote_literal(until::date)
				ELSE quote_literal(until) END);
		EXECUTE format('CREATE TABLE llmtrace.%I (LIKE llmtrace.%I INCLUDING ALL)', missing.name, missing.parent);
		IF missing.parent = 'folded' THEN
			-- whole trajectories in the row: a scan reads them in order
			EXECUTE format('ALTER TABLE llmtrace.%I SET (toast_tuple_target = 8160)', missing.name);
		END IF;
		EXECUTE format('ALTER TABLE llmtrace.%I ATTACH PARTITION llmtrace.%I FOR VALUES %s',
			missing.parent, missing.name, bounds);
		made := made + 1;
	END LOOP;
	RETURN made;
END
$$;
COMMENT ON FUNCTION llmtrace.make_partitions(timestamptz[]) IS
'makes the partitions of folded and payloads that these times need; returns how many were missing';

CREATE FUNCTION llmtrace.drop_before(before timestamptz, OUT trace_count bigint, OUT partition_count bigint, OUT body_count bigint)
	LANGUAGE plpgsql SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET TimeZone = 'UTC'
AS $$
DECLARE
	day date := before::date;
	old record;
	first timestamptz;
	n bigint;
BEGIN
	IF before IS NULL OR NOT isfinite(before) THEN
		RAISE EXCEPTION 'a time is needed before which traces are dropped'
			USING ERRCODE = 'invalid_parameter_value';
	END IF;
	-- no fold meanwhile: it would write of what is being dropped; and no ingest of what is on hold
	PERFORM llmtrace.lock_store();

	IF EXISTS (SELECT FROM llmtrace.legal_hold) THEN
		SELECT count(*), min(d.started_at) INTO n, first
		FROM unnest(llmtrace.held_traces(ARRAY(
				SELECT d.trace_id FROM llmtrace.directory d WHERE d.started_at < before
				UNION SELECT f.trace_id FROM llmtrace.fragments f WHERE llmtrace.started_at(f.fragment) < before))) h (trace_id)
			LEFT JOIN llmtrace.directory d ON d.trace_id = h.trace_id;
		IF n > 0 THEN
			RAISE EXCEPTION '% traces from before that time are on legal hold', n
				USING ERRCODE = 'object_not_in_prerequisite_state', DETAIL = concat('The first of them started at ' || first || '. ', 'Nothing was dropped.'),
					HINT = 'retain keeps what is on hold and lets go of the rest; table llmtrace.legal_hold says what is on hold.';
		END IF;
	END IF;
	PERFORM llmtrace.mark_hours('-infinity', before);
	WITH gone AS (
		DELETE FROM llmtrace.directory WHERE started_at < before RETURNING trace_id
	), judged AS (
		DELETE FROM llmtrace.annotation a USING gone g WHERE a.trace_id = g.trace_id AND a.source = 'trace'
	)
	SELECT count(*) INTO trace_count FROM gone;
	DELETE FROM llmtrace.ingest_rejected WHERE received_at < before;
	DELETE FROM llmtrace.fragments f WHERE llmtrace.started_at(f.fragment) < before;
	partition_count := 0;
	body_count := 0;
	FOR old IN
		SELECT c.relname AS name, p.relname AS parent,
			-- the late partition, if it is there, has no end
			CASE WHEN c.relname LIKE '%\_early' THEN timestamptz '2022-01-03 00:00:00+00'
				WHEN c.relname LIKE '%\_late' THEN 'infinity'
				ELSE llmtrace.partition_end(to_timestamp(right(c.relname, 8), 'YYYYMMDD')) END <= before AS is_whole
		FROM pg_inherits i
			JOIN pg_class c ON c.oid = i.inhrelid
			JOIN pg_class p ON p.oid = i.inhparent
		WHERE i.inhparent IN ('llmtrace.folded'::regclass, 'llmtrace.payloads'::regclass)
		ORDER BY p.relname, c.relname
	LOOP
		IF old.is_whole THEN
			EXECUTE format('DROP TABLE llmtrace.%I', old.name);
			partition_count := partition_count + 1;
		ELSIF old.parent = 'folded' THEN
			EXECUTE format('DELETE FROM llmtrace.%I WHERE started_at < $1', old.name) USING before;
		ELSE
			EXECUTE format('DELETE FROM llmtrace.%I WHERE day < $1', old.name) USING day;
			GET DIAGNOSTICS n = ROW_COUNT;
			body_count := body_count + n;
		END IF;
	END LOOP;
END
$$;
COMMENT ON FUNCTION llmtrace.drop_before(timestamptz) IS
'Retention: drops the traces that started before a time, with their bodies (by UTC day) and the annotations that came in them, pending ones too, and what ingest_rejected has from before that time. Whole partitions are dropped, which waits for their readers; of the one in between rows are deleted. Returns the number of folded traces, of partitions, and of bodies deleted one by one. Bodies of the day itself stay, since younger traces may share them. An error if one of the traces is in legal_hold. Example: SELECT * FROM llmtrace.drop_before(now() - interval ''90 days'')';
