-- Which traces are worth their bytes.

CREATE FUNCTION llmtrace.keep_score(trace_id text, policy text DEFAULT 'priority',
	since timestamptz DEFAULT '-infinity', until timestamptz DEFAULT 'infinity') RETURNS TABLE (score double precision, reasons text)
	LANGUAGE plpgsql STABLE STRICT ROWS 1 SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	rare record;
BEGIN
	PERFORM llmtrace.check_period(since, until);
	PERFORM llmtrace.check_word('policy', policy, '{priority,novelty,uniform}');
	SELECT r.rarity, CASE WHEN policy = 'novelty' THEN format('%s of %s went this way', round(r.alike_count), round(r.all_count)) END AS reason INTO rare
	FROM llmtrace.trace_rarity(since, until) r
	WHERE policy = 'novelty' AND r.trace_id = llmtrace.trace_id(llmtrace.trace(keep_score.trace_id));
	RETURN QUERY
		SELECT CASE policy WHEN 'priority' THEN llmtrace.interest(t.error_count > 0, t.retry_count > 0, NOT t.is_complete, t.cost_usd)
				WHEN 'novelty' THEN rare.rarity ELSE 1 END,
			concat_ws(', ', rare.reason,
				CASE WHEN policy = 'priority' AND t.error_count > 0 THEN 'failed' END,
				CASE WHEN policy = 'priority' AND t.retry_count > 0 THEN 'retried' END,
				CASE WHEN policy = 'priority' AND NOT t.is_complete THEN 'incomplete' END,
				CASE WHEN policy = 'priority' AND t.cost_usd > 0 THEN 'cost' END,
				CASE WHEN EXISTS (SELECT FROM llmtrace.annotation a WHERE a.trace_id = t.trace_id AND a.source = 'human') THEN 'judged: always kept' END,
				CASE WHEN EXISTS (SELECT FROM llmtrace.outcome o WHERE o.trace_id = t.trace_id) THEN 'outcome known: always kept' END,
				CASE WHEN EXISTS (SELECT FROM llmtrace.sample_lineage l WHERE l.trace_id = t.trace_id) THEN 'in a data set: always kept' END,
				CASE WHEN cardinality(llmtrace.held_traces(ARRAY[t.trace_id])) > 0 THEN 'on hold: always kept' END)
		FROM llmtrace.folded_columns(llmtrace.trace(keep_score.trace_id)) t
		WHERE t.trace_id IS NOT NULL;
END
$$;
COMMENT ON FUNCTION llmtrace.keep_score(text, text, timestamptz, timestamptz) IS
'How much a trace is worth keeping, and why; retain keeps it with a probability in proportion. By policy priority that is its interest (1 to 11), by novelty how rare its shape is in a period (1 to 100; reads the traces of it), by uniform 1. Example: SELECT * FROM llmtrace.keep_score(''4bf92f35'')';

CREATE FUNCTION llmtrace.keep_rank(trace_id uuid) RETURNS double precision
	LANGUAGE sql STABLE STRICT
BEGIN ATOMIC
	SELECT (('x' || pg_catalog.encode(pg_catalog.substr(pg_catalog.sha256(s.secret || pg_catalog.uuid_send(trace_id)), 1, 7), 'hex'))::bit(56)::bigint
		+ 1) / 72057594037927936::double precision
	FROM llmtrace.secret s;
END;
COMMENT ON FUNCTION llmtrace.keep_rank(uuid) IS 'a fixed random number (above 0, at most 1) of a trace, keyed with the store''s secret, so that nobody can choose ids that stay; independent of the ranks of eval_sample';

-- What retain decides, in a table of the session: batches carry it out.
CREATE FUNCTION llmtrace.retain_plan(budget_bytes bigint, always llmtrace.tracequery, strata text[], since timestamptz, until timestamptz, policy text)
	RETURNS bigint
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	always_bytes bigint;
	rest bigint;
BEGIN
	PERFORM llmtrace.check_period(since, until);
	PERFORM llmtrace.check_word('policy', policy, '{priority,novelty,uniform}');
	IF budget_bytes IS NULL OR budget_bytes < 1 THEN
		RAISE EXCEPTION 'a budget of at least one byte is needed' USING ERRCODE = 'invalid_parameter_value';
	END IF;

	-- what there is: always first, then by rank over score
	IF to_regclass('pg_temp.llmtrace_keep') IS NOT NULL THEN
		DROP TABLE pg_temp.llmtrace_keep;
	END IF;
	CREATE TEMP TABLE llmtrace_keep (trace_id uuid, started_at timestamptz, stratum jsonb, failed boolean, has_bodies boolean,
		always boolean, score float8, rank float8, own_bytes bigint, body_bytes bigint DEFAULT 0, p float8 DEFAULT 1, body_p float8 DEFAULT 1,
		is_dropped boolean DEFAULT false, is_demoted boolean DEFAULT false, tau float8, body_tau float8, planned_at timestamptz DEFAULT now());
	EXECUTE format($sql$
		INSERT INTO pg_temp.llmtrace_keep (trace_id, started_at, stratum, failed, has_bodies, always, score, rank, own_bytes)
		SELECT w.*, CASE WHEN w.always THEN 0 ELSE llmtrace.keep_rank(w.trace_id) / w.score END, w2.bytes
		FROM llmtrace.folded x%s CROSS JOIN LATERAL (
			SELECT x.trace_id, x.started_at, %s AS stratum, x.error_count > 0 AS failed, coalesce(x.keep_reason NOT IN ('demoted', 'redacted'), true) AS has_bodies,
				coalesce(x.trajectory OPERATOR(llmtrace.@@) $3, false) OR x.trace_id = ANY ($4) OR llmtrace.is_judged(x.trace_id) AS always,
				%s AS score) w
			CROSS JOIN LATERAL (SELECT pg_column_size(x.trajectory)::bigint AS bytes) w2
		WHERE x.started_at >= $1 AND x.started_at < $2
		$sql$,
		CASE policy WHEN 'novelty' THEN ' JOIN llmtrace.trace_rarity($1, $2) r ON r.trace_id = x.trace_id' ELSE '' END,
		llmtrace.dims_expression('llmtrace.folded', strata),
		CASE policy WHEN 'priority' THEN 'llmtrace.interest(x.error_count > 0, x.retry_count > 0, NOT x.is_complete, x.cost_usd)'
			WHEN 'novelty' THEN 'r.rarity' ELSE '1::float8' END)
	USING since, until, always, llmtrace.held_traces();
	-- each batch takes the first of them
	CREATE INDEX ON pg_temp.llmtrace_keep (started_at, trace_id);
	ANALYZE pg_temp.llmtrace_keep;

	SELECT coalesce(sum(b.bytes), 0) INTO always_bytes
	FROM (
		SELECT DISTINCT r.day, r.hash, pg_column_size(p.body) AS bytes
		FROM pg_temp.llmtrace_keep h
			JOIN llmtrace.folded t ON t.started_at = h.started_at AND t.trace_id = h.trace_id
			CROSS JOIN LATERAL llmtrace.payload_refs(t.trajectory) r
			JOIN llmtrace.payloads p ON p.day = r.day AND p.hash = r.hash
		WHERE h.always AND h.has_bodies) b;

	-- traces, while they fit: below the rank of the first that does not
	UPDATE pg_temp.llmtrace_keep k SET tau = c.tau, is_dropped = NOT k.always AND k.rank >= c.tau,
		p = CASE WHEN k.always THEN 1 ELSE least(1, k.score * c.tau) END
	FROM (SELECT * FROM llmtrace.retain_cutoffs(greatest(budget_bytes - always_bytes, 0), 'own_bytes')) c
	WHERE c.stratum = k.stratum AND c.tau IS NOT NULL;

	-- a body counts with the first that has it
	UPDATE pg_temp.llmtrace_keep k SET body_bytes = b.bytes
	FROM (
		SELECT f.trace_id, sum(f.bytes) AS bytes
		FROM (
			SELECT DISTINCT ON (r.day, r.hash) h.trace_id, pg_column_size(p.body) AS bytes
			FROM pg_temp.llmtrace_keep h
				JOIN llmtrace.folded t ON t.started_at = h.started_at AND t.trace_id = h.trace_id
				CROSS JOIN LATERAL llmtrace.payload_refs(t.trajectory) r
				JOIN llmtrace.payloads p ON p.day = r.day AND p.hash = r.hash
			WHERE NOT h.is_dropped AND h.has_bodies
			ORDER BY r.day, r.hash, h.rank, h.trace_id) f
		GROUP BY f.trace_id) b
	WHERE b.trace_id = k.trace_id;
	SELECT greatest(budget_bytes - coalesce(sum(k.own_bytes), 0), 0) INTO rest FROM pg_temp.llmtrace_keep k WHERE NOT k.is_dropped;
	UPDATE pg_temp.llmtrace_keep k SET body_tau = c.tau, is_demoted = NOT k.is_dropped AND k.has_bodies AND NOT k.always AND k.rank >= c.tau,
		body_p = CASE WHEN k.always THEN 1 ELSE least(k.p, k.score * c.tau) END
	FROM (SELECT * FROM llmtrace.retain_cutoffs(rest, 'body_bytes')) c
	WHERE c.stratum = k.stratum AND c.tau IS NOT NULL;
	UPDATE pg_temp.llmtrace_keep k SET body_p = least(k.p, k.body_p) WHERE k.body_p > k.p;

	INSERT INTO llmtrace.retention_log (since, until, stratum, budget_bytes, trace_count, failed_count, always_count,
		dropped_count, demoted_count, threshold, body_threshold)
	SELECT retain_plan.since, retain_plan.until, llmtrace.cohort_label(k.stratum), retain_plan.budget_bytes, count(*), count(*) FILTER (WHERE k.failed),
		count(*) FILTER (WHERE k.always), 0, 0, min(k.tau), min(k.body_tau)
	FROM pg_temp.llmtrace_keep k GROUP BY llmtrace.cohort_label(k.stratum);
	RETURN (SELECT coalesce(sum(k.own_bytes) FILTER (WHERE NOT k.is_dropped), 0)
			+ coalesce(sum(k.body_bytes) FILTER (WHERE NOT k.is_dropped AND NOT k.is_demoted), 0)
		FROM pg_temp.llmtrace_keep k);
END
$$;
COMMENT ON FUNCTION llmtrace.retain_plan(bigint, llmtrace.tracequery, text[], timestamptz, timestamptz, text) IS
'for retain: decides what stays, in a temporary table, and enters it into retention_log; returns the bytes that will stay';

CREATE FUNCTION llmtrace.is_judged(id uuid) RETURNS boolean
	LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT EXISTS (SELECT FROM llmtrace.annotation a WHERE a.trace_id = id AND a.source = 'human')
		OR EXISTS (SELECT FROM llmtrace.outcome o WHERE o.trace_id = id)
		OR EXISTS (SELECT FROM llmtrace.sample_lineage l WHERE l.trace_id = id);
END;
COMMENT ON FUNCTION llmtrace.is_judged(uuid) IS 'did people judge a trace, is its outcome known, or is it in a data set? Then retain keeps it';

-- A batch is of a stretch of time, whatever stays or goes in it: those before
-- it weigh as they will, those after it as they did, so that sums are right in
-- between, too.
CREATE FUNCTION llmtrace.retain_batch(batch_size integer, OUT trace_count bigint, OUT kept_count bigint, OUT demoted_count bigint,
	OUT dropped_count bigint, OUT body_count bigint)
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	held uuid[];
	dropped uuid[];
	demoted uuid[];
BEGIN
	PERFORM llmtrace.lock_store();
	CREATE TEMP TABLE llmtrace_batch ON COMMIT DROP AS
	WITH first AS (
		SELECT k.started_at, k.trace_id FROM pg_temp.llmtrace_keep k ORDER BY k.started_at, k.trace_id LIMIT batch_size
	), taken AS (
		DELETE FROM pg_temp.llmtrace_keep k USING first f WHERE k.started_at = f.started_at AND k.trace_id = f.trace_id
		RETURNING k.trace_id, k.started_at, k.stratum, k.has_bodies, k.always, k.p, k.body_p, k.is_dropped, k.is_demoted, k.planned_at
	)
	SELECT t.*, false AS is_spared FROM taken t;
	-- what was judged, put on hold or moved meanwhile stays as it is
	held := llmtrace.held_traces(ARRAY(SELECT b.trace_id FROM pg_temp.llmtrace_batch b));
	UPDATE pg_temp.llmtrace_batch b SET is_spared = true
	WHERE NOT b.always AND (b.trace_id = ANY (held) OR llmtrace.is_judged(b.trace_id))
		OR NOT EXISTS (SELECT FROM llmtrace.directory d WHERE d.trace_id = b.trace_id AND d.started_at = b.started_at);
	SELECT count(*), count(*) FILTER (WHERE NOT b.is_dropped OR b.is_spared),
		coalesce(array_agg(b.trace_id) FILTER (WHERE b.is_dropped AND NOT b.is_spared), '{}'),
		coalesce(array_agg(b.trace_id) FILTER (WHERE b.is_demoted AND NOT b.is_spared), '{}')
	INTO trace_count, kept_count, dropped, demoted
	FROM pg_temp.llmtrace_batch b;
	dropped_count := cardinality(dropped);
	demoted_count := cardinality(demoted);

	SELECT e.body_count INTO body_count FROM llmtrace.erase_bodies(dropped || demoted) e;
	-- weights change with what is dropped
	INSERT INTO llmtrace.rollup_dirty ("time") SELECT DISTINCT llmtrace.hour_of(b.started_at) FROM pg_temp.llmtrace_batch b;
	DELETE FROM llmtrace.folded f USING pg_temp.llmtrace_batch b
	WHERE b.is_dropped AND NOT b.is_spared AND f.started_at = b.started_at AND f.trace_id = b.trace_id;
	DELETE FROM llmtrace.directory d WHERE d.trace_id IN (SELECT unnest(dropped));
	-- spans of a dropped trace that wait would come back as a trace of their own
	DELETE FROM llmtrace.fragments p WHERE p.trace_id IN (SELECT unnest(dropped));
	DELETE FROM llmtrace.annotation a WHERE a.trace_id IN (SELECT unnest(dropped));
	UPDATE llmtrace.folded f SET keep_probability = least(f.keep_probability, b.p), body_probability = least(f.body_probability, b.body_p),
		keep_reason = CASE WHEN f.keep_reason = 'redacted' THEN 'redacted' WHEN b.is_demoted OR NOT b.has_bodies THEN 'demoted' WHEN b.always THEN 'rule' ELSE 'drawn' END
	FROM pg_temp.llmtrace_batch b
	WHERE NOT b.is_dropped AND NOT b.is_spared AND f.started_at = b.started_at AND f.trace_id = b.trace_id;
	UPDATE llmtrace.retention_log l SET dropped_count = l.dropped_count + b.dropped, demoted_count = l.demoted_count + b.demoted
	FROM (SELECT llmtrace.cohort_label(b.stratum) AS stratum, b.planned_at, count(*) FILTER (WHERE b.is_dropped) AS dropped, count(*) FILTER (WHERE b.is_demoted) AS demoted
			FROM pg_temp.llmtrace_batch b WHERE NOT b.is_spared GROUP BY 1, 2) b
	WHERE l.retained_at = b.planned_at AND l.stratum = b.stratum;
	DROP TABLE pg_temp.llmtrace_batch;
END
$$;
COMMENT ON FUNCTION llmtrace.retain_batch(integer) IS
'for retain: carries out what was decided of the next traces in order of time; folding and ingest wait until the transaction ends. Returns of how many, 0 at the end, and how many stayed (those without bodies included), lost their bodies and were dropped, and the bodies deleted.';

CREATE PROCEDURE llmtrace.retain(budget_bytes bigint, always llmtrace.tracequery DEFAULT NULL, strata text[] DEFAULT '{}',
	since timestamptz DEFAULT '-infinity', until timestamptz DEFAULT 'infinity', policy text DEFAULT 'priority', batch_size integer DEFAULT 5000,
	INOUT kept_count bigint DEFAULT NULL, INOUT demoted_count bigint DEFAULT NULL, INOUT dropped_count bigint DEFAULT NULL,
	INOUT kept_bytes bigint DEFAULT NULL, INOUT body_count bigint DEFAULT NULL)
	LANGUAGE plpgsql
AS $$
DECLARE
	batch record;
	total bigint;
	done bigint := 0;
	told_at pg_catalog.timestamptz := pg_catalog.clock_timestamp();
BEGIN
	IF batch_size IS NULL OR batch_size OPERATOR(pg_catalog.<) 1 THEN
		RAISE EXCEPTION 'batches must be of at least one trace' USING ERRCODE = 'invalid_parameter_value';
	END IF;
	kept_bytes := llmtrace.retain_plan(budget_bytes, always, strata, since, until, policy);
	SELECT pg_catalog.count(*), 0, 0, 0, 0 INTO total, kept_count, demoted_count, dropped_count, body_count FROM pg_temp.llmtrace_keep;
	COMMIT;
	LOOP
		SELECT * INTO batch FROM llmtrace.retain_batch(batch_size);
		COMMIT;
		EXIT WHEN batch.trace_count OPERATOR(pg_catalog.=) 0;
		done := done OPERATOR(pg_catalog.+) batch.trace_count;
		kept_count := kept_count OPERATOR(pg_catalog.+) batch.kept_count;
		demoted_count := demoted_count OPERATOR(pg_catalog.+) batch.demoted_count;
		dropped_count := dropped_count OPERATOR(pg_catalog.+) batch.dropped_count;
		body_count := body_count OPERATOR(pg_catalog.+) batch.body_count;
		IF pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) told_at OPERATOR(pg_catalog.>) interval '5 seconds' THEN
			RAISE NOTICE 'retention: % of % traces', done, total;
			told_at := pg_catalog.clock_timestamp();
		END IF;
	END LOOP;
	DROP TABLE pg_temp.llmtrace_keep;
	COMMIT;
	IF kept_bytes OPERATOR(pg_catalog.>) budget_bytes THEN
		RAISE NOTICE 'what is always kept, and one trace of each stratum, make it % bytes: more than the budget of %', kept_bytes, budget_bytes;
	END IF;
END
$$;
COMMENT ON PROCEDURE llmtrace.retain(bigint, llmtrace.tracequery, text[], timestamptz, timestamptz, text, integer, bigint, bigint, bigint, bigint, bigint) IS
'Keeps what is worth most within a budget of bytes (traces and bodies as they are stored, without indexes) for the folded traces of a period: first bodies go, then traces. What people judged, what has an outcome, what is in a data set or on hold, and what matches always stays; of the others those of lowest rank over keep_score (by policy priority, novelty or uniform), the budget shared equally among strata. The probability is kept on the row, and sample_weight counts with it, so that sums of weights go on to estimate all that there was (sampling_bias). Batches are transactions of their own, during which folding and ingest wait; where it is interrupted, sums are right as well, and the next call goes on. Gives the number of traces kept (those without bodies included), that lost their bodies, and dropped, the bytes kept, and the bodies deleted. Example: CALL llmtrace.retain(100000000000, until => now() - interval ''30 days'')';

CREATE FUNCTION llmtrace.retain_cutoffs(budget bigint, what text) RETURNS TABLE (stratum jsonb, tau double precision)
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN QUERY EXECUTE format($sql$
		WITH has AS (
			SELECT k.stratum, sum(k.%1$I)::bigint AS bytes, coalesce(sum(k.%1$I) FILTER (WHERE k.always), 0)::bigint AS always_bytes
			FROM pg_temp.llmtrace_keep k WHERE NOT k.is_dropped GROUP BY k.stratum
		), share AS (
			SELECT a.stratum, a.share
			FROM (SELECT array_agg(h.stratum ORDER BY h.stratum) AS strata, array_agg(greatest(h.bytes - h.always_bytes, 1) ORDER BY h.stratum) AS bytes,
					greatest($1 - sum(h.always_bytes), count(*))::bigint AS rest
				FROM has h HAVING count(*) > 0) x,
				unnest(x.strata, llmtrace.sample_allocation(x.rest, x.bytes, array_fill(1::float8, ARRAY[cardinality(x.bytes)]))) a (stratum, share)
		), run AS (
			SELECT k.stratum, k.rank, sum(k.%1$I) OVER w AS upto, row_number() OVER w AS number
			FROM pg_temp.llmtrace_keep k WHERE NOT k.is_dropped AND NOT k.always
			WINDOW w AS (PARTITION BY k.stratum ORDER BY k.rank, k.trace_id)
		)
		-- one stays, or nobody would stand for the stratum
		SELECT r.stratum, min(r.rank) FROM run r JOIN share s ON s.stratum = r.stratum WHERE r.upto > s.share AND r.number > 1 GROUP BY r.stratum
		$sql$, what)
	USING budget;
END
$$;
COMMENT ON FUNCTION llmtrace.retain_cutoffs(bigint, text) IS 'for retain: by stratum the rank of the first trace that does not fit a budget any more; strata where all fit are left out';

CREATE FUNCTION llmtrace.sampling_bias(since timestamptz DEFAULT now() - interval '7 days', until timestamptz DEFAULT 'infinity', "by" text[] DEFAULT '{}')
	RETURNS TABLE (trace_count bigint, population_count_est double precision, stored_share double precision, population_share_est double precision,
		bias double precision, stored_error_rate double precision, error_rate_est double precision, error_rate_stderr double precision,
		failure_recall_est double precision, cohort text, dims jsonb)
	LANGUAGE plpgsql STABLE ROWS 20 SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM llmtrace.check_period(since, until);
	PERFORM llmtrace.notice_empty_period(since, until);
	RETURN QUERY EXECUTE format($sql$
		SELECT g.n, g.weight, g.n / sum(g.n) OVER ()::float8, g.weight / sum(g.weight) OVER (),
			g.n / sum(g.n) OVER ()::float8 - g.weight / sum(g.weight) OVER (),
			g.failed / g.n::float8, g.failed_weight / g.weight,
			-- of a ratio, linearised: residuals (y - rate), each with variance (1 - p) / p^2
			sqrt(greatest(0, g.v_failed * (1 - g.failed_weight / g.weight) ^ 2 + (g.v_all - g.v_failed) * (g.failed_weight / g.weight) ^ 2)) / g.weight,
			g.failed / nullif(g.failed_weight, 0), llmtrace.cohort_label(g.dims), g.dims
		FROM (
			SELECT %s AS dims, count(*) AS n, sum(x.sample_weight) AS weight,
				count(*) FILTER (WHERE x.error_count > 0) AS failed,
				coalesce(sum(x.sample_weight) FILTER (WHERE x.error_count > 0), 0) AS failed_weight,
				sum(x.sample_weight * greatest(x.sample_weight - 1, 0)) AS v_all,
				coalesce(sum(x.sample_weight * greatest(x.sample_weight - 1, 0)) FILTER (WHERE x.error_count > 0), 0) AS v_failed
			FROM llmtrace.traces x
			WHERE x.started_at >= $1 AND x.started_at < $2
			GROUP BY 1) g
		ORDER BY g.weight DESC, g.dims
		$sql$, llmtrace.dims_expression('llmtrace.traces', "by"))
	USING since, until;
END
$$;
COMMENT ON FUNCTION llmtrace.sampling_bias(timestamptz, timestamptz, text[]) IS
'How far what is stored misstates what there was, by cohort: share of the traces stored and of the population (estimated by sample_weight, after head sampling and retain), their difference, the share of failed traces among those stored and estimated for all with its standard error, and the share of failures that is still there. Example: SELECT cohort, trace_count, stored_error_rate, error_rate_est, bias FROM llmtrace.sampling_bias(by => ''{feature}'')';
