-- Who may do what.

-- What runs with the owner's rights is not for everybody.
DO $$
DECLARE
	f regprocedure;
BEGIN
	FOR f IN
		SELECT p.oid FROM pg_catalog.pg_proc p
		WHERE p.pronamespace = 'llmtrace'::regnamespace AND p.prosecdef
	LOOP
		EXECUTE pg_catalog.format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', f);
	END LOOP;
END
$$;

CREATE FUNCTION llmtrace.grant_reader(role regrole) RETURNS void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	relation regclass;
BEGIN
	EXECUTE format('GRANT USAGE ON SCHEMA llmtrace TO %s', role);
	FOR relation IN
		SELECT c.oid FROM pg_class c
		WHERE c.relnamespace = 'llmtrace'::regnamespace AND c.relkind IN ('r', 'p', 'v') AND NOT c.relispartition
			AND c.relname NOT IN ('secret', 'payloads', 'messages', 'otlp', 'load_progress')
	LOOP
		EXECUTE format('GRANT SELECT ON %s TO %s', relation, role);
	END LOOP;
	BEGIN
		EXECUTE format('ALTER ROLE %s SET search_path = "$user", public, llmtrace', role);
	EXCEPTION WHEN insufficient_privilege THEN
		RAISE NOTICE 'the names can be used without "llmtrace." after: ALTER ROLE % SET search_path = "$user", public, llmtrace', role;
	END;
END
$$;
COMMENT ON FUNCTION llmtrace.grant_reader(regrole) IS
'Lets a role read traces and whatever is computed from them, but no message bodies, and sets its search_path. Example: SELECT llmtrace.grant_reader(''analyst'')';

CREATE FUNCTION llmtrace.grant_payload_reader(role regrole) RETURNS void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM llmtrace.grant_reader(role);
	EXECUTE format('GRANT SELECT ON llmtrace.messages TO %s', role);
	EXECUTE format('GRANT EXECUTE ON FUNCTION llmtrace.body(date, uuid) TO %s', role);
END
$$;
COMMENT ON FUNCTION llmtrace.grant_payload_reader(regrole) IS
'grant_reader, and the message bodies of the traces that the role may read: prompts, answers, tools'' arguments and results. Example: SELECT llmtrace.grant_payload_reader(''reviewer'')';

CREATE FUNCTION llmtrace.grant_writer(role regrole) RETURNS void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	EXECUTE format('GRANT USAGE ON SCHEMA llmtrace TO %s', role);
	EXECUTE format('GRANT INSERT ON llmtrace.otlp TO %s', role);
	EXECUTE format('GRANT EXECUTE ON FUNCTION llmtrace.ingest_otlp_json(bytea), llmtrace.ingest_otlp_protobuf(bytea),'
		' llmtrace.ingest_otlp(text), llmtrace.ingest_otlp_line(text, bigint), llmtrace.ingest_otlp_message(bytea, bigint),'
		' llmtrace.note_load_progress(text, text, bigint), llmtrace.load_progress_of(text),'
		' llmtrace.rejected_in_transaction() TO %s', role);
END
$$;
COMMENT ON FUNCTION llmtrace.grant_writer(regrole) IS
'Lets a role bring traces in, with llmtrace-load, COPY or the ingest functions, and nothing else. Example: SELECT llmtrace.grant_writer(''collector'')';

CREATE FUNCTION llmtrace.grant_folder(role regrole) RETURNS void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	EXECUTE format('GRANT USAGE ON SCHEMA llmtrace TO %s', role);
	EXECUTE format('GRANT EXECUTE ON FUNCTION llmtrace.fold_batch(interval, interval, bigint, integer, uuid), llmtrace.fold_finish(),'
		' llmtrace.refresh_next(boolean, timestamptz) TO %s', role);
	EXECUTE format('GRANT SELECT ON llmtrace.rollup_dirty TO %s', role);
END
$$;
COMMENT ON FUNCTION llmtrace.grant_folder(regrole) IS 'Lets a role CALL fold() and refresh_rollups(). Example: SELECT llmtrace.grant_folder(''collector'')';
