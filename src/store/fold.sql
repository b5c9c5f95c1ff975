-- Fragments into trajectories: finished traces are merged, once.

CREATE FUNCTION llmtrace.folded_columns(t llmtrace.trajectory) RETURNS TABLE (
	trace_id uuid, started_at timestamptz, ended_at timestamptz, duration_ms double precision,
	span_count bigint, error_count bigint, model_call_count bigint, tool_call_count bigint,
	tool_error_count bigint, agent_run_count bigint, retry_count bigint, input_tokens bigint,
	output_tokens bigint, reasoning_tokens bigint, cache_read_tokens bigint, cache_write_tokens bigint,
	missing_price_count bigint, sample_weight double precision, depth integer, is_error boolean,
	is_complete boolean, root_span_id text, root_name text, root_kind text, status text, error_type text,
	cost_usd numeric, cost_source text, first_model text, last_model text, service_name text,
	service_version text, environment text, region text, feature text, feature_source text, tenant_id text,
	user_id text, conversation_id text, agent_name text, prompt_name text, prompt_version text,
	prompt_hash text, dims jsonb)
	LANGUAGE sql STABLE PARALLEL SAFE ROWS 1
BEGIN ATOMIC
	SELECT
		s.trace_id, s.started_at, s.ended_at, s.duration_ms, s.span_count, s.error_count, s.model_call_count,
		s.tool_call_count, s.tool_error_count, s.agent_run_count, s.retry_count, s.input_tokens, s.output_tokens,
		s.reasoning_tokens, s.cache_read_tokens, s.cache_write_tokens, s.missing_price_count, s.sample_weight,
		s.depth, s.is_error, s.is_complete, s.root_span_id, s.root_name, s.root_kind, s.status, s.error_type,
		s.cost_usd, s.cost_source, s.first_model, s.last_model, s.service_name, s.service_version, s.environment,
		s.region, s.feature, s.feature_source, s.tenant_id, s.user_id, s.conversation_id, s.agent_name,
		s.prompt_name, s.prompt_version, s.prompt_hash,
		llmtrace.trace_dims(t,
			(SELECT pg_catalog.array_agg(d.name ORDER BY d.name, d.rank) FROM llmtrace.cohort_dimension d),
			(SELECT pg_catalog.array_agg(d.key ORDER BY d.name, d.rank) FROM llmtrace.cohort_dimension d))
	FROM llmtrace.trace_row(t) s;
END;
COMMENT ON FUNCTION llmtrace.folded_columns(llmtrace.trajectory) IS 'the columns that table folded has beside a trajectory, in its order';

-- In the order of the index, from where the last call ended: a backlog is read
-- once, however many batches it takes and however much was deleted before.
CREATE FUNCTION llmtrace.ready_traces(of_shard integer, after uuid, quiet_for interval, max_wait interval, max_bytes bigint,
	OUT trace_ids uuid[], OUT last_id uuid)
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
	SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off SET enable_hashagg = off
AS $$
DECLARE
	bytes bigint := 0;
	trace record;
BEGIN
	FOR trace IN
		SELECT f.trace_id AS id, min(f.received_at) AS first_at, max(f.received_at) AS last_at,
			bool_or(f.has_closed_root) AS has_closed_root, sum(pg_column_size(f.fragment)) AS bytes
		FROM llmtrace.fragments f
		WHERE f.shard = of_shard AND f.trace_id > after
		GROUP BY f.trace_id
		HAVING NOT bool_or(f.is_set_aside)
		ORDER BY f.trace_id
	LOOP
		IF quiet_for <= '0' OR trace.first_at <= clock_timestamp() - max_wait
			OR (trace.last_at <= clock_timestamp() - quiet_for
				AND (trace.has_closed_root OR EXISTS (SELECT FROM llmtrace.directory d WHERE d.trace_id = trace.id)))
		THEN
			trace_ids := trace_ids || trace.id;
			bytes := bytes + trace.bytes;
			IF bytes >= max_bytes THEN
				last_id := trace.id;
				EXIT;
			END IF;
		END IF;
	END LOOP;
END
$$;
COMMENT ON FUNCTION llmtrace.ready_traces(integer, uuid, interval, interval, bigint) IS
'the traces of a shard that can be folded, of those behind an id, up to a size of their fragments in bytes; last_id is where to go on, NULL at the end of the shard';

-- One snapshot: what commits meanwhile stays a fragment.
CREATE FUNCTION llmtrace.fold_traces(of_shard integer, trace_ids uuid[],
	OUT trace_count bigint, OUT fragment_count bigint)
	LANGUAGE sql VOLATILE
BEGIN ATOMIC
	WITH gone AS (
		DELETE FROM llmtrace.fragments f
		-- between the first and the last: no plan reads more of the shard
		WHERE f.shard = of_shard AND f.trace_id >= trace_ids[1] AND f.trace_id <= trace_ids[pg_catalog.cardinality(trace_ids)]
			AND f.trace_id = ANY (trace_ids)
		RETURNING f.trace_id, f.fragment
	), merged AS MATERIALIZED (
		SELECT g.trace_id, llmtrace.merge_agg(g.fragment) AS trajectory, count(*) AS fragment_count
		FROM gone g
		GROUP BY g.trace_id
	), late AS MATERIALIZED (
		SELECT m.trace_id, o.started_at AS old_started_at, llmtrace.merge(o.trajectory, m.trajectory) AS trajectory
		FROM merged m
			JOIN llmtrace.directory d ON d.trace_id = m.trace_id
			JOIN llmtrace.folded o ON o.trace_id = d.trace_id AND o.started_at = d.started_at
	), updated AS (
		UPDATE llmtrace.folded o SET (
			trace_id, started_at, ended_at, duration_ms, span_count, error_count, model_call_count, tool_call_count,
			tool_error_count, agent_run_count, retry_count, input_tokens, output_tokens, reasoning_tokens,
			cache_read_tokens, cache_write_tokens, missing_price_count, sample_weight, depth, is_error, is_complete,
			root_span_id, root_name, root_kind, status, error_type, cost_usd, cost_source, first_model, last_model,
			service_name, service_version, environment, region, feature, feature_source, tenant_id, user_id,
			conversation_id, agent_name, prompt_name, prompt_version, prompt_hash, dims, trajectory)
			= ROW (s.*, l.trajectory)
		FROM late l CROSS JOIN LATERAL llmtrace.folded_columns(l.trajectory) s
		WHERE o.trace_id = l.trace_id AND o.started_at = l.old_started_at
		RETURNING o.trace_id
	), inserted AS (
		INSERT INTO llmtrace.folded
		SELECT s.*, m.trajectory
		FROM merged m CROSS JOIN LATERAL llmtrace.folded_columns(m.trajectory) s
		WHERE NOT EXISTS (SELECT FROM late l WHERE l.trace_id = m.trace_id)
		RETURNING folded.trace_id
	), whole AS (
		SELECT l.trace_id, l.trajectory FROM late l
		UNION ALL
		SELECT m.trace_id, m.trajectory FROM merged m
		WHERE NOT EXISTS (SELECT FROM late l WHERE l.trace_id = m.trace_id)
	), listed AS (
		INSERT INTO llmtrace.directory AS d (trace_id, started_at)
		SELECT w.trace_id, llmtrace.started_at(w.trajectory) FROM whole w
		ON CONFLICT (trace_id) DO UPDATE SET started_at = excluded.started_at
		WHERE d.started_at <> excluded.started_at
	), judged AS (
		INSERT INTO llmtrace.annotation (trace_id, span_id, at, name, score, label, source)
		SELECT w.trace_id, e.span_id, e.at, e.name, e.score, e.label, 'trace'
		FROM whole w CROSS JOIN LATERAL llmtrace.evaluations(w.trajectory) e
		ON CONFLICT DO NOTHING
	), marked AS (
		INSERT INTO llmtrace.rollup_dirty ("time")
		SELECT llmtrace.hour_of(llmtrace.started_at(w.trajectory)) FROM whole w
		UNION
		SELECT llmtrace.hour_of(l.old_started_at) FROM late l
	)
	SELECT (SELECT count(*) FROM updated) + (SELECT count(*) FROM inserted),
		(SELECT coalesce(sum(m.fragment_count), 0)::bigint FROM merged m);
END;
COMMENT ON FUNCTION llmtrace.fold_traces(integer, uuid[]) IS 'merges the fragments of some traces, in the order of their ids, of one shard, whose lock the caller holds, into folded';

-- One trace that cannot be folded must not keep the others from it.
CREATE FUNCTION llmtrace.fold_singly(of_shard integer, trace_ids uuid[],
	OUT trace_count bigint, OUT fragment_count bigint)
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	id uuid;
	n bigint;
BEGIN
	trace_count := 0;
	fragment_count := 0;
	FOREACH id IN ARRAY trace_ids LOOP
		BEGIN
			SELECT f.fragment_count INTO n FROM llmtrace.fold_traces(of_shard, ARRAY[id]) f;
		EXCEPTION WHEN data_exception OR program_limit_exceeded OR integrity_constraint_violation OR raise_exception THEN
			INSERT INTO llmtrace.ingest_rejected (reason)
			VALUES (format('trace %s cannot be folded: %s', id, sqlerrm));
			UPDATE llmtrace.fragments f SET is_set_aside = true WHERE f.shard = of_shard AND f.trace_id = id;
			GET DIAGNOSTICS n = ROW_COUNT;
		END;
		trace_count := trace_count + 1;
		fragment_count := fragment_count + n;
	END LOOP;
END
$$;
COMMENT ON FUNCTION llmtrace.fold_singly(integer, uuid[]) IS
'fold_traces, one after the other: a trace that cannot be folded, since its values are too long for an index, say, is set aside with the reason in ingest_rejected';

CREATE FUNCTION llmtrace.fold_again() RETURNS bigint
	LANGUAGE sql VOLATILE
BEGIN ATOMIC
	WITH again AS (
		UPDATE llmtrace.fragments f SET is_set_aside = false WHERE f.is_set_aside RETURNING f.trace_id
	)
	SELECT count(DISTINCT a.trace_id) FROM again a;
END;
COMMENT ON FUNCTION llmtrace.fold_again() IS 'has traces that were set aside folded by the next fold(), once what kept them from it is gone; returns how many. Example: SELECT llmtrace.fold_again()';

CREATE FUNCTION llmtrace.fold_batch(quiet_for interval, max_wait interval, max_bytes bigint DEFAULT 64 * 1024 * 1024,
	of_shard integer DEFAULT NULL, after uuid DEFAULT '00000000-0000-0000-0000-000000000000',
	OUT trace_count bigint, OUT fragment_count bigint, OUT last_id uuid)
	LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
DECLARE
	free_shard integer;
	ready uuid[];
BEGIN
	IF quiet_for IS NULL OR max_wait IS NULL OR quiet_for < '0' OR max_wait < '0' THEN
		RAISE EXCEPTION 'times to wait must not be null or negative' USING ERRCODE = 'invalid_parameter_value';
	END IF;
	trace_count := 0;
	fragment_count := 0;
	-- several folders begin at different shards
	FOR free_shard IN
		SELECT (s + pg_backend_pid()) % 64 FROM generate_series(0, 63) s WHERE of_shard IS NULL
		UNION ALL
		SELECT of_shard WHERE of_shard IS NOT NULL
	LOOP
		CONTINUE WHEN NOT EXISTS (SELECT FROM llmtrace.fragments f WHERE f.shard = free_shard AND f.trace_id > after);
		CONTINUE WHEN NOT pg_try_advisory_xact_lock(llmtrace.lock_class(), free_shard);
		SELECT r.trace_ids, r.last_id INTO ready, last_id
		FROM llmtrace.ready_traces(free_shard, after, quiet_for, max_wait, max_bytes) r;
		CONTINUE WHEN ready IS NULL;
		PERFORM llmtrace.make_partitions(array_agg(DISTINCT date_trunc('day', llmtrace.started_at(f.fragment), 'UTC')))
		FROM llmtrace.fragments f
		WHERE f.shard = free_shard AND f.trace_id >= ready[1] AND f.trace_id <= ready[cardinality(ready)]
			AND f.trace_id = ANY (ready);
		BEGIN
			SELECT f.trace_count, f.fragment_count INTO trace_count, fragment_count FROM llmtrace.fold_traces(free_shard, ready) f;
		EXCEPTION WHEN data_exception OR program_limit_exceeded OR integrity_constraint_violation OR raise_exception THEN
			SELECT f.trace_count, f.fragment_count INTO trace_count, fragment_count FROM llmtrace.fold_singly(free_shard, ready) f;
		END;
		RETURN;
	END LOOP;
END
$$;
COMMENT ON FUNCTION llmtrace.fold_batch(interval, interval, bigint, integer, uuid) IS
'Folds traces of one shard (0 to 63; NULL: the first with something to do) that nobody else is folding, behind an id, up to a size of their fragments in bytes. Returns how many traces and fragments, and the id behind which to go on, NULL at the end of the shard. fold() calls it, for each shard until then.';

CREATE FUNCTION llmtrace.fold_finish() RETURNS void
	LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	analyzed_count double precision;
	live_count double precision;
BEGIN
	PERFORM gin_clean_pending_list(i.indexrelid)
	FROM pg_index i
		JOIN pg_class c ON c.oid = i.indexrelid AND c.relkind = 'i'
		JOIN pg_am a ON a.oid = c.relam AND a.amname = 'gin'
		JOIN pg_inherits h ON h.inhrelid = i.indrelid AND h.inhparent = 'llmtrace.folded'::regclass;
	-- autovacuum looks after the partitions, but not after the whole
	SELECT greatest(reltuples, 0) INTO analyzed_count FROM pg_class WHERE oid = 'llmtrace.folded'::regclass;
	SELECT greatest(reltuples, 0) INTO live_count FROM pg_class WHERE oid = 'llmtrace.directory'::regclass;
	SELECT greatest(live_count, n_live_tup) INTO live_count
	FROM pg_stat_all_tables WHERE relid = 'llmtrace.directory'::regclass;
	IF live_count > analyzed_count * 1.1 THEN
		ANALYZE llmtrace.folded;
	END IF;
END
$$;
COMMENT ON FUNCTION llmtrace.fold_finish() IS 'after folding: flushes the attribute index''s list of pending entries, and has folded analysed when it has grown by a tenth';

CREATE PROCEDURE llmtrace.fold(quiet_for interval DEFAULT '10 seconds', max_wait interval DEFAULT '15 minutes')
	LANGUAGE plpgsql
AS $$
DECLARE
	batch record;
	shard pg_catalog.int4;
	after pg_catalog.uuid;
	traces bigint := 0;
	told_at pg_catalog.timestamptz := pg_catalog.clock_timestamp();
BEGIN
	-- several folders begin at different shards
	FOR n IN 0 .. 63 LOOP
		shard := (n OPERATOR(pg_catalog.+) pg_catalog.pg_backend_pid()) OPERATOR(pg_catalog.%) 64;
		after := '00000000-0000-0000-0000-000000000000';
		WHILE after IS NOT NULL LOOP
			SELECT * INTO batch FROM llmtrace.fold_batch(quiet_for, max_wait, of_shard => shard, after => after);
			COMMIT;
			after := batch.last_id;
			traces := traces OPERATOR(pg_catalog.+) batch.trace_count;
			IF pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) told_at OPERATOR(pg_catalog.>) interval '5 seconds' THEN
				RAISE NOTICE 'folded % traces', traces;
				told_at := pg_catalog.clock_timestamp();
			END IF;
		END LOOP;
	END LOOP;
	IF traces OPERATOR(pg_catalog.>) 0 THEN
		PERFORM llmtrace.fold_finish();
		COMMIT;
	END IF;
END
$$;
COMMENT ON PROCEDURE llmtrace.fold(interval, interval) IS
'Merges fragments into folded: of traces whose root is closed and that have been quiet for a while, of traces that have waited for long, and of traces that are folded already. With quiet_for => ''0'' everything, now. Several can run at once, each batch is a transaction of its own. To be run every few seconds, by cron or llmtrace-load --follow. Example: CALL llmtrace.fold()';

CREATE VIEW llmtrace.fold_backlog WITH (security_invoker = true) AS
SELECT count(*) AS fragment_count,
	count(DISTINCT f.trace_id) AS trace_count,
	sum(pg_catalog.pg_column_size(f.fragment))::bigint AS fragment_bytes,
	min(f.received_at) AS oldest_received_at
FROM llmtrace.fragments f;
COMMENT ON VIEW llmtrace.fold_backlog IS 'what waits to be folded. Example: SELECT * FROM llmtrace.fold_backlog';
COMMENT ON COLUMN llmtrace.fold_backlog.fragment_count IS 'fragments';
COMMENT ON COLUMN llmtrace.fold_backlog.trace_count IS 'traces that they belong to';
COMMENT ON COLUMN llmtrace.fold_backlog.fragment_bytes IS 'their size, in bytes';
COMMENT ON COLUMN llmtrace.fold_backlog.oldest_received_at IS 'when the oldest came in';
