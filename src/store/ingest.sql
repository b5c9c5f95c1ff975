-- OTLP in.  A session's plans are made once, maybe when tables are empty:
-- hence generic plans without sequential scans.  What those would cost must not bring the
-- compiler in.

CREATE FUNCTION llmtrace.lock_class() RETURNS integer
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT 1819045236;
END;
COMMENT ON FUNCTION llmtrace.lock_class() IS 'first key of the store''s advisory locks; the second is a shard';

CREATE FUNCTION llmtrace.lock_shards() RETURNS void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM pg_advisory_xact_lock(llmtrace.lock_class(), shard) FROM generate_series(0, 63) shard;
END
$$;
COMMENT ON FUNCTION llmtrace.lock_shards() IS 'keeps folding waiting until the end of the transaction';

CREATE FUNCTION llmtrace.lock_store() RETURNS void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF current_setting('transaction_isolation') <> 'read committed' THEN
		RAISE EXCEPTION 'this must run in a transaction of isolation level read committed'
			USING ERRCODE = 'invalid_transaction_state',
				DETAIL = 'A snapshot from before the store was locked would miss what came in meanwhile.';
	END IF;
	-- no fold, and nothing comes in: a body that seems to be nobody's must be nobody's
	PERFORM llmtrace.lock_shards();
	LOCK TABLE llmtrace.fragments IN SHARE ROW EXCLUSIVE MODE;
END
$$;
COMMENT ON FUNCTION llmtrace.lock_store() IS 'keeps folding and ingest waiting until the end of the transaction; readers go on';

CREATE FUNCTION llmtrace.ingest_otlp_json(document bytea,
	OUT accepted_spans bigint, OUT rejected_spans bigint, OUT error_message text)
	LANGUAGE sql VOLATILE STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET jit = off
BEGIN ATOMIC
	SELECT i.accepted_spans, i.rejected_spans, i.error_message FROM llmtrace.ingest_body(document, 'json') i;
END;
COMMENT ON FUNCTION llmtrace.ingest_otlp_json(bytea) IS
'Takes in one or more OTLP/JSON documents (ExportTraceServiceRequest). A span that cannot be kept is noted in ingest_rejected with its reason, the others are kept; what is no OTLP is an error. Returns the spans that were kept and left out, and the first reasons.';

CREATE FUNCTION llmtrace.ingest_otlp_protobuf(message bytea,
	OUT accepted_spans bigint, OUT rejected_spans bigint, OUT error_message text)
	LANGUAGE sql VOLATILE STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET jit = off
BEGIN ATOMIC
	SELECT i.accepted_spans, i.rejected_spans, i.error_message FROM llmtrace.ingest_body(message, 'protobuf') i;
END;
COMMENT ON FUNCTION llmtrace.ingest_otlp_protobuf(bytea) IS
'Takes in one OTLP protobuf message (ExportTraceServiceRequest), as ingest_otlp_json does.';

CREATE FUNCTION llmtrace.ingest_otlp(document text,
	OUT accepted_spans bigint, OUT rejected_spans bigint, OUT error_message text)
	LANGUAGE sql VOLATILE STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET jit = off
BEGIN ATOMIC
	SELECT i.accepted_spans, i.rejected_spans, i.error_message
	FROM llmtrace.ingest_body(pg_catalog.convert_to(document, 'UTF8'), 'json') i;
END;
COMMENT ON FUNCTION llmtrace.ingest_otlp(text) IS 'ingest_otlp_json, by hand. Example: SELECT * FROM llmtrace.ingest_otlp(''{"resourceSpans": []}'')';

CREATE FUNCTION llmtrace.ingest_otlp_line(document text, line_number bigint) RETURNS bigint
	LANGUAGE sql VOLATILE STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET jit = off
BEGIN ATOMIC
	SELECT i.accepted_spans
	FROM llmtrace.ingest_body(pg_catalog.convert_to(document, 'UTF8'), 'json', line_number) i;
END;
COMMENT ON FUNCTION llmtrace.ingest_otlp_line(text, bigint) IS
'ingest_otlp for one line of a file: what is no OTLP is noted in ingest_rejected under its line number. Used by the view otlp.';

CREATE FUNCTION llmtrace.ingest_otlp_message(message bytea, message_number bigint) RETURNS bigint
	LANGUAGE sql VOLATILE STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET jit = off
BEGIN ATOMIC
	SELECT i.accepted_spans FROM llmtrace.ingest_body(message, 'protobuf', message_number) i;
END;
COMMENT ON FUNCTION llmtrace.ingest_otlp_message(bytea, bigint) IS
'ingest_otlp_protobuf for one message of a file: what is no OTLP is noted in ingest_rejected, with the message''s number as its line_number. Used by llmtrace-load.';

CREATE VIEW llmtrace.otlp AS SELECT NULL::text AS line WHERE false;
CREATE TRIGGER ingest INSTEAD OF INSERT ON llmtrace.otlp FOR EACH ROW EXECUTE FUNCTION llmtrace.otlp_insert();
COMMENT ON VIEW llmtrace.otlp IS
'To copy files into, a document a line: \copy llmtrace.otlp from ''traces.jsonl'' with (format csv, quote e''\x01'', delimiter e''\x02''). It is empty. Example: SELECT * FROM llmtrace.otlp';
COMMENT ON COLUMN llmtrace.otlp.line IS 'an OTLP/JSON document';

CREATE FUNCTION llmtrace.note_load_progress(file text, fingerprint text, loaded_bytes bigint) RETURNS void
	LANGUAGE sql VOLATILE STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	INSERT INTO llmtrace.load_progress AS p VALUES (file, fingerprint, loaded_bytes)
	ON CONFLICT (file, fingerprint) DO UPDATE
	SET loaded_bytes = excluded.loaded_bytes, updated_at = pg_catalog.now();
END;
COMMENT ON FUNCTION llmtrace.note_load_progress(text, text, bigint) IS 'for llmtrace-load: a file is loaded up to here, as of this transaction';

-- As many rows as the file had beginnings: a file may be replaced, and one
-- that was small grows.
CREATE FUNCTION llmtrace.load_progress_of(file text, OUT fingerprint text, OUT loaded_bytes bigint) RETURNS SETOF record
	LANGUAGE sql STABLE STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	SELECT p.fingerprint, p.loaded_bytes FROM llmtrace.load_progress p
	WHERE p.file = load_progress_of.file;
END;
COMMENT ON FUNCTION llmtrace.load_progress_of(text) IS
'for llmtrace-load: how far files of this name are loaded, in bytes; fingerprint tells which of them a file is';

CREATE FUNCTION llmtrace.rejected_in_transaction()
	RETURNS TABLE (line_number bigint, span_id text, reason text)
	LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	SELECT r.line_number, r.span_id, r.reason
	FROM llmtrace.ingest_rejected r
	WHERE r.received_at >= pg_catalog.now() AND r.xmin = pg_catalog.pg_current_xact_id()::xid
	ORDER BY r.line_number, r.received_at;
END;
COMMENT ON FUNCTION llmtrace.rejected_in_transaction() IS
'for llmtrace-load: what the current transaction has put into ingest_rejected, so that who may write learns what was wrong with what he wrote, and nothing else';
