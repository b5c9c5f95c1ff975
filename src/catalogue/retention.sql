-- Which traces are worth their bytes.

CREATE FUNCTION llmtrace.keep_score(trace_id text) RETURNS TABLE (score double precision, reasons text)
	LANGUAGE sql STABLE STRICT ROWS 1
BEGIN ATOMIC
	SELECT llmtrace.interest(t.error_count > 0, t.retry_count > 0, NOT t.is_complete, t.cost_usd),
		pg_catalog.concat_ws(', ', CASE WHEN t.error_count > 0 THEN 'failed' END, CASE WHEN t.retry_count > 0 THEN 'retried' END,
			CASE WHEN NOT t.is_complete THEN 'incomplete' END, CASE WHEN t.cost_usd > 0 THEN 'cost' END,
			CASE WHEN EXISTS (SELECT FROM llmtrace.annotation a WHERE a.trace_id = t.trace_id AND a.source = 'human') THEN 'judged: always kept' END,
			CASE WHEN EXISTS (SELECT FROM llmtrace.outcome o WHERE o.trace_id = t.trace_id) THEN 'outcome known: always kept' END,
			CASE WHEN EXISTS (SELECT FROM llmtrace.sample_lineage l WHERE l.trace_id = t.trace_id) THEN 'in a data set: always kept' END)
	FROM llmtrace.folded_columns(llmtrace.trace(keep_score.trace_id)) t
	WHERE t.trace_id IS NOT NULL;
END;
COMMENT ON FUNCTION llmtrace.keep_score(text) IS
'How much a trace is worth keeping (interest: 1 to 11; retain keeps it with a probability in proportion), and why. Example: SELECT * FROM llmtrace.keep_score(''4bf92f35'')';

CREATE FUNCTION llmtrace.keep_rank(trace_id uuid) RETURNS double precision
	LANGUAGE sql STABLE STRICT
BEGIN ATOMIC
	SELECT (('x' || pg_catalog.encode(pg_catalog.substr(pg_catalog.sha256(s.secret || pg_catalog.uuid_send(trace_id)), 1, 7), 'hex'))::bit(56)::bigint
		+ 1) / 72057594037927936::double precision
	FROM llmtrace.secret s;
END;
COMMENT ON FUNCTION llmtrace.keep_rank(uuid) IS 'a fixed random number (above 0, at most 1) of a trace, keyed with the store''s secret, so that nobody can choose ids that stay; independent of the ranks of eval_sample';

CREATE FUNCTION llmtrace.retain(budget_bytes bigint, always llmtrace.tracequery DEFAULT NULL, strata text[] DEFAULT '{}',
	since timestamptz DEFAULT '-infinity', until timestamptz DEFAULT 'infinity',
	OUT kept_count bigint, OUT demoted_count bigint, OUT dropped_count bigint, OUT kept_bytes bigint, OUT body_count bigint)
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	always_bytes bigint;
	rest bigint;
	dropped uuid[];
	demoted uuid[];
BEGIN
	PERFORM llmtrace.check_period(since, until);
	IF budget_bytes IS NULL OR budget_bytes < 1 THEN
		RAISE EXCEPTION 'a budget of at least one byte is needed' USING ERRCODE = 'invalid_parameter_value';
	END IF;
	PERFORM llmtrace.lock_store();

	-- what there is: always first, then by rank over score
	CREATE TEMP TABLE llmtrace_keep (trace_id uuid, started_at timestamptz, stratum jsonb, failed boolean, has_bodies boolean,
		always boolean, score float8, rank float8, own_bytes bigint, body_bytes bigint DEFAULT 0, p float8 DEFAULT 1, body_p float8 DEFAULT 1,
		is_dropped boolean DEFAULT false, is_demoted boolean DEFAULT false, tau float8, body_tau float8) ON COMMIT DROP;
	EXECUTE format($sql$
		INSERT INTO pg_temp.llmtrace_keep (trace_id, started_at, stratum, failed, has_bodies, always, score, rank, own_bytes)
		SELECT w.*, CASE WHEN w.always THEN 0 ELSE llmtrace.keep_rank(w.trace_id) / w.score END, w2.bytes
		FROM llmtrace.folded x CROSS JOIN LATERAL (
			SELECT x.trace_id, x.started_at, %s AS stratum, x.error_count > 0 AS failed, x.keep_reason IS DISTINCT FROM 'demoted' AS has_bodies,
				coalesce(x.trajectory OPERATOR(llmtrace.@@) $3, false)
				OR EXISTS (SELECT FROM llmtrace.annotation a WHERE a.trace_id = x.trace_id AND a.source = 'human')
				OR EXISTS (SELECT FROM llmtrace.outcome o WHERE o.trace_id = x.trace_id)
				OR EXISTS (SELECT FROM llmtrace.sample_lineage l WHERE l.trace_id = x.trace_id) AS always,
				llmtrace.interest(x.error_count > 0, x.retry_count > 0, NOT x.is_complete, x.cost_usd) AS score) w
			CROSS JOIN LATERAL (SELECT pg_column_size(x.trajectory)::bigint AS bytes) w2
		WHERE x.started_at >= $1 AND x.started_at < $2
		$sql$, llmtrace.dims_expression('llmtrace.folded', strata))
	USING since, until, always;

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

	SELECT coalesce(array_agg(k.trace_id) FILTER (WHERE k.is_dropped), '{}'),
		coalesce(array_agg(k.trace_id) FILTER (WHERE k.is_demoted), '{}'),
		count(*) FILTER (WHERE NOT k.is_dropped), count(*) FILTER (WHERE k.is_dropped), count(*) FILTER (WHERE k.is_demoted),
		coalesce(sum(k.own_bytes) FILTER (WHERE NOT k.is_dropped), 0) + coalesce(sum(k.body_bytes) FILTER (WHERE NOT k.is_dropped AND NOT k.is_demoted), 0)
	INTO dropped, demoted, kept_count, dropped_count, demoted_count, kept_bytes
	FROM pg_temp.llmtrace_keep k;
	INSERT INTO llmtrace.retention_log (since, until, stratum, budget_bytes, trace_count, failed_count, always_count,
		dropped_count, demoted_count, threshold, body_threshold)
	SELECT retain.since, retain.until, llmtrace.cohort_label(k.stratum), retain.budget_bytes, count(*), count(*) FILTER (WHERE k.failed),
		count(*) FILTER (WHERE k.always), count(*) FILTER (WHERE k.is_dropped), count(*) FILTER (WHERE k.is_demoted), min(k.tau), min(k.body_tau)
	FROM pg_temp.llmtrace_keep k GROUP BY k.stratum;

	SELECT e.body_count INTO body_count FROM llmtrace.erase_bodies(dropped || demoted) e;
	-- weights change with what is dropped
	PERFORM llmtrace.mark_hours(retain.since, retain.until);
	DELETE FROM llmtrace.folded f USING pg_temp.llmtrace_keep k
	WHERE k.is_dropped AND f.started_at = k.started_at AND f.trace_id = k.trace_id;
	DELETE FROM llmtrace.directory d WHERE d.trace_id IN (SELECT unnest(dropped));
	-- spans of a dropped trace that wait would come back as a trace of their own
	DELETE FROM llmtrace.fragments p WHERE p.trace_id IN (SELECT unnest(dropped));
	DELETE FROM llmtrace.annotation a WHERE a.trace_id IN (SELECT unnest(dropped));
	UPDATE llmtrace.folded f SET keep_probability = least(f.keep_probability, k.p), body_probability = least(f.body_probability, k.body_p),
		keep_reason = CASE WHEN k.is_demoted OR NOT k.has_bodies THEN 'demoted' WHEN k.always THEN 'rule' ELSE 'drawn' END
	FROM pg_temp.llmtrace_keep k
	WHERE NOT k.is_dropped AND f.started_at = k.started_at AND f.trace_id = k.trace_id;
	DROP TABLE pg_temp.llmtrace_keep;
	IF kept_bytes > budget_bytes THEN
		RAISE NOTICE 'what is always kept, and one trace of each stratum, make it % bytes: more than the budget of %', kept_bytes, budget_bytes;
	END IF;
END
$$;
COMMENT ON FUNCTION llmtrace.retain(bigint, llmtrace.tracequery, text[], timestamptz, timestamptz) IS
'Keeps what is worth most within a budget of bytes (traces and bodies as they are stored, without indexes) for the folded traces of a period: first bodies go, then traces. What people judged, what has an outcome, what is in a data set and what matches always stays; of the others those of lowest rank over keep_score, the budget shared equally among strata. The probability is kept on the row, and sample_weight counts with it, so that sums of weights go on to estimate all that there was (sampling_bias). Folding and ingest wait meanwhile. Returns the number of traces kept (those without bodies included), that lost their bodies, and dropped, the bytes kept, and the bodies deleted.';

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
