-- What became of the traces of a person: where they lie, how they go.

CREATE FUNCTION llmtrace.erasure_digest(value text) RETURNS bytea
	LANGUAGE sql STABLE STRICT
BEGIN ATOMIC
	SELECT pg_catalog.sha256(s.secret || pg_catalog.sha256(s.secret || pg_catalog.convert_to(value, 'UTF8')))
	FROM llmtrace.secret s;
END;
COMMENT ON FUNCTION llmtrace.erasure_digest(text) IS
'The digest by which erasure_log and sample_lineage name what was erased: keyed with the store''s secret, so that only who can read that can test a guess.';

-- The one list of what holds something of a subject.  $1 are ids of traces, $2
-- the subject, $3 conversations that only those traces belong to.
CREATE FUNCTION llmtrace.subject_relations() RETURNS TABLE (relation text, condition text, oldest text, placeholder text)
	LANGUAGE sql IMMUTABLE ROWS 8
BEGIN ATOMIC
	VALUES
		('fragments', 'x.trace_id IN (SELECT pg_catalog.unnest($1))', 'x.received_at',
			'(trace_id, shard, has_closed_root, fragment) SELECT llmtrace.trace_id(t), 0, false, t FROM llmtrace.trajectories_from_otlp('
			'''{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"00000000000000000000000000000001","spanId":"0000000000000001","name":"x","startTimeUnixNano":"1"}]}]}]}'') t'),
		-- sketches of the hours and days of those traces, to be made anew
		('rollup_cell', '(x."time", x.is_day) IN (SELECT pg_catalog.date_trunc(u.unit, d.started_at, ''UTC''), u.is_day'
			' FROM llmtrace.directory d, (VALUES (''hour'', false), (''day'', true)) u (unit, is_day) WHERE d.trace_id IN (SELECT pg_catalog.unnest($1)))', 'x."time"',
			'("time", is_day, subject, "by", dims, dists, cats) SELECT pg_catalog.now(), false, pg_catalog.chr(45), pg_catalog.chr(45), pg_catalog.jsonb_build_object(), ARRAY[]::llmtrace.dist[], ARRAY[]::llmtrace.cat[]'),
		('folded', '(x.started_at, x.trace_id) IN (SELECT d.started_at, d.trace_id FROM llmtrace.directory d WHERE d.trace_id IN (SELECT pg_catalog.unnest($1)))', 'x.started_at', NULL),
		('directory', 'x.trace_id IN (SELECT pg_catalog.unnest($1))', 'x.started_at', '(trace_id, started_at) SELECT pg_catalog.gen_random_uuid(), pg_catalog.now()'),
		('annotation', 'x.trace_id IN (SELECT pg_catalog.unnest($1))', 'x.at', '(trace_id, name) SELECT pg_catalog.gen_random_uuid(), pg_catalog.chr(45)'),
		('outcome', '(x.trace_id IN (SELECT pg_catalog.unnest($1)) OR x.conversation_id IN (SELECT pg_catalog.unnest($3)))', 'x.at', '(task_id) SELECT pg_catalog.chr(45)'),
		('ingest_rejected', 'pg_catalog.strpos(x.reason, $2) > 0', 'x.received_at', '(reason) SELECT pg_catalog.chr(45)');
END;
COMMENT ON FUNCTION llmtrace.subject_relations() IS
'The relations of which rows are erased with a subject, in that order, the condition of those rows (x; $1 ids of traces, $2 the subject, $3 its conversations), their time, and the rest of an INSERT of a row that says nothing (NULL for partitioned ones). Bodies and sample_lineage come on top.';

-- Statistics hold values, and ANALYZE leaves those of an empty table alone.
CREATE FUNCTION llmtrace.forget_values(relation text, placeholder text) RETURNS void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	part record;
	has_rows boolean;
	place tid;
BEGIN
	FOR part IN
		SELECT c.oid::regclass AS name FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
		WHERE i.inhparent = ('llmtrace.' || relation)::regclass
			AND EXISTS (SELECT FROM pg_stats s WHERE s.schemaname = 'llmtrace' AND s.tablename = c.relname)
	LOOP
		EXECUTE format('SELECT EXISTS (SELECT FROM %s)', part.name) INTO has_rows;
		IF NOT has_rows THEN
			-- it is made again when something comes in for it
			BEGIN
				EXECUTE format('DROP TABLE %s', part.name);
			EXCEPTION WHEN object_in_use THEN
				RAISE EXCEPTION 'values of the subject stay in the statistics of %, which this statement reads', part.name
					USING ERRCODE = 'object_in_use', HINT = 'Call erase_subject in a statement that reads no traces.';
			END;
		END IF;
	END LOOP;
	EXECUTE format('SELECT EXISTS (SELECT FROM llmtrace.%I)', relation) INTO has_rows;
	IF NOT has_rows AND placeholder IS NOT NULL THEN
		EXECUTE format('INSERT INTO llmtrace.%I %s RETURNING ctid', relation, placeholder) INTO place;
	END IF;
	EXECUTE format('ANALYZE llmtrace.%I', relation);
	EXECUTE format('DELETE FROM llmtrace.%I x WHERE x.ctid = $1', relation) USING place;
END
$$;
COMMENT ON FUNCTION llmtrace.forget_values(text, text) IS
'has the statistics of a relation''s columns hold only what is still there; partitions that have become empty are dropped';

CREATE FUNCTION llmtrace.subject_traces(kind text, subject text) RETURNS uuid[]
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	found uuid[];
BEGIN
	PERFORM llmtrace.check_word('kind of subject', kind, '{user_id,conversation_id,tenant_id,trace_id}');
	IF subject IS NULL OR subject = '' THEN
		RAISE EXCEPTION 'a subject is needed' USING ERRCODE = 'null_value_not_allowed',
			HINT = 'Example: SELECT * FROM llmtrace.erasure_plan(''user_id'', ''u-123'')';
	END IF;
	IF kind = 'trace_id' THEN
		RETURN array_remove(ARRAY[llmtrace.trace_id_of(subject)], NULL);
	END IF;
	-- a trace goes if any of its spans is the subject's
	EXECUTE format($sql$
		SELECT coalesce(array_agg(DISTINCT t.trace_id), '{}') FROM (
			SELECT f.trace_id FROM llmtrace.folded f
			WHERE f.%1$I = $1 OR EXISTS (SELECT FROM llmtrace.span_rows(f.trajectory) s WHERE s.%1$I = $1)
			UNION ALL
			SELECT p.trace_id FROM llmtrace.fragments p
			WHERE EXISTS (SELECT FROM llmtrace.span_rows(p.fragment) s WHERE s.%1$I = $1)) t
		$sql$, kind)
	INTO found USING llmtrace.short_text(subject);
	RETURN found;
END
$$;
COMMENT ON FUNCTION llmtrace.subject_traces(text, text) IS 'ids of the traces of which a span belongs to a subject (user_id, conversation_id, tenant_id or trace_id); reads the whole store';

CREATE FUNCTION llmtrace.held_traces(ids uuid[] DEFAULT NULL) RETURNS uuid[]
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF NOT EXISTS (SELECT FROM llmtrace.legal_hold) THEN
		RETURN '{}';
	END IF;
	RETURN (
		SELECT coalesce(array_agg(DISTINCT t.trace_id), '{}')
		FROM (
			SELECT f.trace_id, f.trajectory FROM llmtrace.folded f WHERE ids IS NULL
			UNION ALL
			SELECT f.trace_id, f.trajectory
			FROM llmtrace.directory d JOIN llmtrace.folded f ON f.trace_id = d.trace_id AND f.started_at = d.started_at
			WHERE d.trace_id IN (SELECT unnest(ids))
			UNION ALL
			SELECT p.trace_id, p.fragment FROM llmtrace.fragments p WHERE ids IS NULL OR p.trace_id IN (SELECT unnest(ids))) t
		WHERE EXISTS (SELECT FROM llmtrace.legal_hold h WHERE h.kind = 'trace_id' AND h.subject = llmtrace.trace_hex(t.trace_id))
			OR EXISTS (SELECT FROM llmtrace.span_rows(t.trajectory) s
				JOIN llmtrace.legal_hold h ON llmtrace.short_text(h.subject) = CASE h.kind WHEN 'user_id' THEN s.user_id
					WHEN 'conversation_id' THEN s.conversation_id WHEN 'tenant_id' THEN s.tenant_id END));
END
$$;
COMMENT ON FUNCTION llmtrace.held_traces(uuid[]) IS
'ids of the traces, among some or of all, of which a span belongs to a subject in legal_hold; all reads the whole store where there is a hold';

CREATE FUNCTION llmtrace.check_holds(kind text, subject text, ids uuid[]) RETURNS void
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
	n bigint := cardinality(llmtrace.held_traces(ids));
BEGIN
	IF n > 0 OR EXISTS (SELECT FROM llmtrace.legal_hold h WHERE h.kind = kind AND h.subject = subject) THEN
		RAISE EXCEPTION 'what belongs to this subject is on legal hold'
			USING ERRCODE = 'object_not_in_prerequisite_state',
				DETAIL = format('%s of %s traces are on hold. Nothing was changed.', n, cardinality(ids)),
				HINT = 'Table llmtrace.legal_hold says since when and why; who deletes the row there releases it.';
	END IF;
END
$$;
COMMENT ON FUNCTION llmtrace.check_holds(text, text, uuid[]) IS 'an error if a subject, or some traces, are in legal_hold';

-- The planner does not trust what folded_ended_at_idx tells of a partition that
-- has long been over: that nothing in it has to be read.
CREATE FUNCTION llmtrace.subject_bodies(trace_ids uuid[]) RETURNS TABLE (day date, hash uuid, is_shared boolean)
	LANGUAGE plpgsql STABLE ROWS 1000 SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_custom_plan
	SET enable_seqscan = off SET jit = off
AS $$
#variable_conflict use_column
DECLARE
	days date[];
	hashes uuid[];
	first timestamptz;
	last timestamptz;
BEGIN
	SELECT array_agg(o.day), array_agg(o.hash), min(o.day)::timestamp AT TIME ZONE 'UTC', (max(o.day) + 1)::timestamp AT TIME ZONE 'UTC'
	INTO days, hashes, first, last
	FROM (
		SELECT r.day, r.hash
		FROM llmtrace.directory d
			JOIN llmtrace.folded f ON f.trace_id = d.trace_id AND f.started_at = d.started_at
			CROSS JOIN LATERAL llmtrace.payload_refs(f.trajectory) r
		WHERE d.trace_id IN (SELECT unnest(trace_ids))
		UNION
		SELECT r.day, r.hash
		FROM llmtrace.fragments p CROSS JOIN LATERAL llmtrace.payload_refs(p.fragment) r
		WHERE p.trace_id IN (SELECT unnest(trace_ids))) o;
	RETURN QUERY
	WITH others AS MATERIALIZED (
		-- days are those of spans, which a closed trace has between its start and its end
		SELECT r.day, r.hash
		FROM llmtrace.folded f CROSS JOIN LATERAL llmtrace.payload_refs(f.trajectory) r
		WHERE f.started_at < last AND (f.ended_at >= first - interval '1 day' OR f.ended_at IS NULL OR NOT f.is_complete)
			AND NOT EXISTS (SELECT FROM unnest(trace_ids) u WHERE u = f.trace_id) AND coalesce(f.keep_reason NOT IN ('demoted', 'redacted'), true)
		UNION
		SELECT r.day, r.hash
		FROM llmtrace.fragments p CROSS JOIN LATERAL llmtrace.payload_refs(p.fragment) r
		WHERE days IS NOT NULL AND NOT EXISTS (SELECT FROM unnest(trace_ids) u WHERE u = p.trace_id)
	)
	SELECT o.day, o.hash, s.hash IS NOT NULL
	FROM unnest(days, hashes) o (day, hash) LEFT JOIN others s ON s.day = o.day AND s.hash = o.hash;
END
$$;
COMMENT ON FUNCTION llmtrace.subject_bodies(uuid[]) IS 'the bodies that traces refer to, and whether others refer to them, too';

-- Columns of type sample, wherever they are.
CREATE FUNCTION llmtrace.sample_columns() RETURNS TABLE (relation regclass, column_name name)
	LANGUAGE sql STABLE ROWS 5
BEGIN ATOMIC
	SELECT c.oid::regclass, a.attname
	FROM pg_catalog.pg_attribute a
		JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
	WHERE a.atttypid = 'llmtrace.sample'::regtype AND NOT a.attisdropped AND c.relkind IN ('r', 'p') AND NOT c.relispartition;
END;
COMMENT ON FUNCTION llmtrace.sample_columns() IS 'the columns of tables that hold values of type sample';

CREATE FUNCTION llmtrace.subject_conversations(trace_ids uuid[], kind text, subject text) RETURNS text[]
	LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT coalesce(pg_catalog.array_agg(c.conversation_id), '{}')
	FROM (
		-- outcomes may have it whole
		SELECT n.name AS conversation_id FROM (VALUES (subject), (llmtrace.short_text(subject))) n (name) WHERE kind = 'conversation_id'
		UNION
		SELECT f.conversation_id
		FROM llmtrace.directory d JOIN llmtrace.folded f ON f.trace_id = d.trace_id AND f.started_at = d.started_at
		WHERE d.trace_id IN (SELECT pg_catalog.unnest(trace_ids)) AND f.conversation_id IS NOT NULL) c
	WHERE NOT EXISTS (SELECT FROM llmtrace.folded o WHERE o.conversation_id = c.conversation_id
		AND NOT EXISTS (SELECT FROM pg_catalog.unnest(trace_ids) u WHERE u = o.trace_id));
END;
COMMENT ON FUNCTION llmtrace.subject_conversations(uuid[], text, text) IS 'the conversations that only these traces belong to';

CREATE FUNCTION llmtrace.erasure_plan(kind text, subject text, mode text DEFAULT 'delete')
	RETURNS TABLE (relation text, action text, row_count bigint, byte_count bigint, oldest timestamptz, note text)
	LANGUAGE plpgsql STABLE ROWS 20 SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	ids uuid[] := llmtrace.subject_traces(kind, subject);
	conversations text[] := llmtrace.subject_conversations(ids, kind, subject);
	held uuid[] := llmtrace.held_traces(ids);
	place record;
BEGIN
	PERFORM llmtrace.check_word('mode of erasure', mode, '{delete,redact}');
	IF cardinality(held) > 0 OR EXISTS (SELECT FROM llmtrace.legal_hold h WHERE h.kind = erasure_plan.kind AND h.subject = erasure_plan.subject) THEN
		RETURN QUERY VALUES ('legal_hold', 'blocks all', cardinality(held)::bigint, NULL::bigint, NULL::timestamptz, 'traces on hold: erase_subject refuses');
	END IF;
	FOR place IN SELECT * FROM llmtrace.subject_relations() LOOP
		relation := place.relation;
		action := CASE WHEN mode = 'delete' OR relation = 'ingest_rejected' THEN 'delete' WHEN relation IN ('folded', 'annotation') THEN 'redact'
			WHEN relation = 'fragments' THEN 'fold first' ELSE 'keep' END;
		note := CASE WHEN action = 'delete' THEN NULL WHEN relation = 'annotation' THEN 'comments and corrections go'
			WHEN relation = 'fragments' THEN 'erase_subject refuses while there are some' ELSE 'numbers, names and ids stay' END;
		EXECUTE format('SELECT count(*), sum(pg_column_size(x.*)), min(%s) FROM llmtrace.%I x WHERE %s', place.oldest, place.relation, place.condition)
		INTO row_count, byte_count, oldest USING ids, subject, conversations;
		RETURN NEXT;
	END LOOP;
	RETURN QUERY
	SELECT 'payloads', CASE WHEN b.is_shared THEN 'keep' ELSE 'delete' END, count(*), sum(pg_column_size(p.body))::bigint,
		min(p.day)::timestamp AT TIME ZONE 'UTC', CASE WHEN b.is_shared THEN 'other traces say the same' END
	FROM llmtrace.subject_bodies(ids) b JOIN llmtrace.payloads p ON p.day = b.day AND p.hash = b.hash
	GROUP BY b.is_shared ORDER BY b.is_shared;
	RETURN QUERY
	SELECT 'sample_lineage', CASE mode WHEN 'delete' THEN 'stamp' ELSE 'redact' END, count(*), NULL::bigint, min(l.taken_at),
		CASE mode WHEN 'delete' THEN 'ids go, the row stays' ELSE 'hashes of bodies go' END
	FROM llmtrace.sample_lineage l WHERE l.trace_id IN (SELECT unnest(ids));
	RETURN QUERY
	SELECT 'data set ' || l.dataset, 'ask', count(*), NULL::bigint, min(l.taken_at),
		format('a copy taken by %s for %s: out of reach, for its holder to remove', string_agg(DISTINCT l.taken_by, ', '), string_agg(DISTINCT l.purpose, ', '))
	FROM llmtrace.sample_lineage l WHERE l.trace_id IN (SELECT unnest(ids)) GROUP BY l.dataset ORDER BY l.dataset;
	FOR place IN SELECT * FROM llmtrace.sample_columns() LOOP
		action := CASE mode WHEN 'delete' THEN 'erase from sample' ELSE 'keep' END;
		relation := place.relation;
		byte_count := NULL;
		oldest := NULL;
		note := 'column ' || place.column_name;
		EXECUTE format('SELECT count(*) FROM %s x WHERE EXISTS (SELECT FROM llmtrace.sample_items(x.%I) i WHERE i.key = ANY ($1))',
			place.relation, place.column_name)
		INTO row_count USING llmtrace.subject_keys(ids, subject);
		RETURN NEXT;
	END LOOP;
	RETURN QUERY
	SELECT w.place, 'out of reach', NULL::bigint, NULL::bigint, NULL::timestamptz, w.note
	FROM (VALUES ('disk', 'pages hold what was deleted until VACUUM; the log of changes (WAL) until it is recycled'),
		('backups', 'base backups, archived WAL, dumps'),
		('replicas', 'physical ones follow; logical subscribers and exports do as they are set up'),
		('sources', 'spans of these traces that come in later; files and collectors that they came from')) w (place, note);
END
$$;
COMMENT ON FUNCTION llmtrace.erasure_plan(text, text, text) IS
'What erase_subject would do for a subject (kind user_id, conversation_id, tenant_id or trace_id) by a mode (delete or redact): legal holds that forbid it; a line a relation with rows, size in bytes and age; bodies that go and bodies that stay since other traces share them; data sets that were taken; and what is out of reach. Reads the whole store, changes nothing. Example: SELECT relation, action, row_count, note FROM llmtrace.erasure_plan(''user_id'', ''u-123'')';

CREATE FUNCTION llmtrace.subject_keys(trace_ids uuid[], subject text) RETURNS text[]
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT pg_catalog.array_agg(k.key) FROM (
		SELECT subject AS key
		UNION SELECT t::text FROM pg_catalog.unnest(trace_ids) t
		UNION SELECT llmtrace.trace_hex(t) FROM pg_catalog.unnest(trace_ids) t) k;
END;
COMMENT ON FUNCTION llmtrace.subject_keys(uuid[], text) IS 'how a subject and its traces may be called in a sample';

CREATE FUNCTION llmtrace.erase_samples(keys text[]) RETURNS jsonb
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	place record;
	n bigint;
	counts jsonb := '{}';
BEGIN
	FOR place IN SELECT * FROM llmtrace.sample_columns() LOOP
		EXECUTE format('UPDATE %1$s x SET %2$I = llmtrace.sample_erase(x.%2$I,'
			' ARRAY(SELECT i.key FROM llmtrace.sample_items(x.%2$I) i WHERE i.key = ANY ($1)))'
			' WHERE EXISTS (SELECT FROM llmtrace.sample_items(x.%2$I) i WHERE i.key = ANY ($1))', place.relation, place.column_name)
		USING keys;
		GET DIAGNOSTICS n = ROW_COUNT;
		IF n > 0 THEN
			counts := counts || jsonb_build_object(place.relation::text, n);
		END IF;
	END LOOP;
	RETURN counts;
END
$$;
COMMENT ON FUNCTION llmtrace.erase_samples(text[]) IS 'takes keys out of all values of type sample in tables, thresholds kept; returns the rows changed, by table';

CREATE FUNCTION llmtrace.erase_bodies(trace_ids uuid[], OUT body_count bigint, OUT shared_body_count bigint)
	LANGUAGE sql VOLATILE
BEGIN ATOMIC
	WITH body AS MATERIALIZED (
		SELECT * FROM llmtrace.subject_bodies(trace_ids)
	), gone AS (
		DELETE FROM llmtrace.payloads p USING body b
		WHERE p.day = b.day AND p.hash = b.hash AND NOT b.is_shared
		RETURNING p.hash
	)
	SELECT (SELECT count(*) FROM gone), (SELECT count(*) FROM body b WHERE b.is_shared);
END;
COMMENT ON FUNCTION llmtrace.erase_bodies(uuid[]) IS 'deletes the bodies that only these traces refer to; the caller keeps others from writing';

CREATE FUNCTION llmtrace.erase_rows(ids uuid[], subject text, conversations text[], erasure_id uuid) RETURNS jsonb
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	place record;
	n bigint;
	counts jsonb := '{}';
BEGIN
	PERFORM llmtrace.mark_traces(ids);
	FOR place IN SELECT * FROM llmtrace.subject_relations() LOOP
		EXECUTE format('DELETE FROM llmtrace.%I x WHERE %s', place.relation, place.condition) USING ids, subject, conversations;
		GET DIAGNOSTICS n = ROW_COUNT;
		counts := counts || jsonb_build_object(place.relation, n);
	END LOOP;
	UPDATE llmtrace.sample_lineage l SET sample_id = NULL, trace_id = NULL, span_id = NULL, body_hashes = NULL,
		erased_at = now(), erasure_id = erase_rows.erasure_id, erased_digest = llmtrace.erasure_digest(l.sample_id)
	WHERE l.trace_id IN (SELECT unnest(ids));
	GET DIAGNOSTICS n = ROW_COUNT;
	counts := counts || jsonb_build_object('sample_lineage', n) || llmtrace.erase_samples(llmtrace.subject_keys(ids, subject));
	PERFORM llmtrace.forget_values(r.relation, r.placeholder) FROM llmtrace.subject_relations() r WHERE (counts ->> r.relation)::bigint > 0;
	PERFORM llmtrace.forget_values('sample_lineage', NULL) WHERE n > 0;
	-- the subject may have been on hold before
	PERFORM llmtrace.forget_values('legal_hold', '(kind, subject) SELECT ''user_id'', pg_catalog.chr(45)')
	WHERE EXISTS (SELECT FROM pg_stats s WHERE s.schemaname = 'llmtrace' AND s.tablename = 'legal_hold');
	RETURN counts;
END
$$;
COMMENT ON FUNCTION llmtrace.erase_rows(uuid[], text, text[], uuid) IS 'for erase_subject: all rows of some traces go, those in samples and lineage included; returns the rows erased, by relation';

CREATE FUNCTION llmtrace.redact_rows(ids uuid[], subject text) RETURNS jsonb
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	place record;
	n bigint;
	counts jsonb := '{}';
BEGIN
	-- what waits has no row to be marked, and its bodies would count as its own again once they are somebody else's
	SELECT count(DISTINCT p.trace_id) INTO n FROM llmtrace.fragments p WHERE p.trace_id IN (SELECT unnest(ids));
	IF n > 0 THEN
		RAISE EXCEPTION '% traces of this subject wait to be folded', n
			USING ERRCODE = 'object_not_in_prerequisite_state', DETAIL = 'Only folded traces can be redacted. Nothing was changed.',
				HINT = 'CALL llmtrace.fold(quiet_for => ''0''), then try again.';
	END IF;
	FOR place IN
		VALUES ('folded', 'UPDATE llmtrace.folded x SET keep_reason = ''redacted'' WHERE (x.started_at, x.trace_id) IN'
				' (SELECT d.started_at, d.trace_id FROM llmtrace.directory d WHERE d.trace_id IN (SELECT unnest($1)))', NULL),
			-- a correction says what should have been said, in either column
			('annotation', 'UPDATE llmtrace.annotation x SET comment = NULL, label = CASE WHEN x.name <> ''correction'' THEN x.label END'
				' WHERE (x.comment IS NOT NULL OR x.label IS NOT NULL AND x.name = ''correction'') AND x.trace_id IN (SELECT unnest($1))', NULL),
			('sample_lineage', 'UPDATE llmtrace.sample_lineage x SET body_hashes = NULL WHERE x.trace_id IN (SELECT unnest($1))', NULL),
			('ingest_rejected', 'DELETE FROM llmtrace.ingest_rejected x WHERE strpos(x.reason, $2) > 0', '(reason) SELECT pg_catalog.chr(45)')
	LOOP
		EXECUTE place.column2 USING ids, subject;
		GET DIAGNOSTICS n = ROW_COUNT;
		counts := counts || jsonb_build_object(place.column1, n);
		PERFORM llmtrace.forget_values(place.column1, place.column3) WHERE n > 0 AND place.column1 <> 'folded';
	END LOOP;
	RETURN counts;
END
$$;
COMMENT ON FUNCTION llmtrace.redact_rows(uuid[], text) IS 'for erase_subject: what was said of some traces goes, their rows stay; returns the rows changed, by relation';

CREATE FUNCTION llmtrace.erase_subject(kind text, subject text, mode text DEFAULT 'delete', reason text DEFAULT NULL,
	OUT erasure_id uuid, OUT trace_count bigint, OUT row_count bigint, OUT body_count bigint, OUT shared_body_count bigint, OUT datasets text[])
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	ids uuid[];
	conversations text[];
	counts jsonb;
BEGIN
	PERFORM llmtrace.check_word('mode of erasure', mode, '{delete,redact}');
	IF strpos(reason, subject) > 0 THEN
		RAISE EXCEPTION 'the reason must not name the subject'
			USING ERRCODE = 'invalid_parameter_value', DETAIL = 'It stays in erasure_log.';
	END IF;
	PERFORM llmtrace.lock_store();
	ids := llmtrace.subject_traces(kind, subject);
	PERFORM llmtrace.check_holds(kind, subject, ids);
	conversations := llmtrace.subject_conversations(ids, kind, subject);
	erasure_id := gen_random_uuid();
	SELECT count(*) INTO trace_count FROM unnest(ids) id
	WHERE EXISTS (SELECT FROM llmtrace.directory d WHERE d.trace_id = id) OR EXISTS (SELECT FROM llmtrace.fragments p WHERE p.trace_id = id);
	SELECT coalesce(array_agg(DISTINCT l.dataset ORDER BY l.dataset), '{}') INTO datasets
	FROM llmtrace.sample_lineage l WHERE l.trace_id IN (SELECT unnest(ids));

	SELECT b.body_count, b.shared_body_count INTO body_count, shared_body_count FROM llmtrace.erase_bodies(ids) b;
	IF mode = 'delete' THEN
		counts := llmtrace.erase_rows(ids, subject, conversations, erasure_id);
	ELSE
		counts := llmtrace.redact_rows(ids, subject);
	END IF;
	SELECT coalesce(sum(value::bigint), 0) INTO row_count FROM jsonb_each_text(counts);
	PERFORM llmtrace.forget_values('payloads', NULL) WHERE body_count > 0;
	INSERT INTO llmtrace.erasure_log (erasure_id, mode, kind, subject_digest, trace_digest, reason, trace_count, row_counts,
		body_count, shared_body_count, datasets)
	VALUES (erasure_id, mode, kind, llmtrace.erasure_digest(subject),
		llmtrace.erasure_digest((SELECT coalesce(string_agg(id::text, ',' ORDER BY id), '') FROM unnest(ids) id)),
		reason, trace_count, counts, body_count, shared_body_count, datasets);
END
$$;
COMMENT ON FUNCTION llmtrace.erase_subject(text, text, text, text) IS
'Erases a subject (kind user_id, conversation_id, tenant_id or trace_id) in one transaction. Mode delete: the traces of which a span is the subject''s, whole; what waits to be folded; bodies that no other trace refers to; annotations and outcomes; the traces'' keys in samples, whose thresholds stay; ids in sample_lineage. Mode redact: what was said, that is bodies that no other trace refers to, comments on the traces and corrections, while these stay, with ids and short attributes; they must have been folded. An error, and nothing changed, if one of them is in legal_hold. erasure_log gets counts and digests. Folding and ingest wait meanwhile. VACUUM afterwards; erasure_plan tells what is out of reach.';
