-- A standing sample: an index that holds the traces of lowest rank, of which a
-- stratified sample is read without reading the traces.

CREATE TABLE llmtrace.reservoir (
	stratum text PRIMARY KEY,
	k integer NOT NULL,
	rank_below bigint NOT NULL
);
COMMENT ON TABLE llmtrace.reservoir IS 'which reservoirs there are; filled by create_reservoir';
COMMENT ON COLUMN llmtrace.reservoir.stratum IS 'the column of traces';
COMMENT ON COLUMN llmtrace.reservoir.k IS 'how many traces of each value it was made for';
COMMENT ON COLUMN llmtrace.reservoir.rank_below IS 'trace_rank below which a trace is in it';

CREATE FUNCTION llmtrace.create_reservoir(stratum text DEFAULT 'feature', k integer DEFAULT 200) RETURNS double precision
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	least_count bigint;
	bound bigint;
BEGIN
	PERFORM llmtrace.check_word('stratum', stratum, ARRAY(
		SELECT attname::text FROM pg_attribute WHERE attrelid = 'llmtrace.folded'::regclass AND attnum > 0 AND atttypid = 'text'::regtype));
	EXECUTE format('SELECT min(c) FROM (SELECT count(*) AS c FROM llmtrace.folded GROUP BY %I) x', stratum) INTO least_count;
	-- what is as rare as the rarest value has k, but no more than everything is in
	SELECT r.rank_below INTO bound FROM llmtrace.trace_reservoir('llmtrace.folded', k, stratum, 'trace_id', greatest(least_count, 1)) r;
	EXECUTE format('DROP INDEX IF EXISTS llmtrace.%I', 'folded_reservoir_' || stratum);
	EXECUTE format('CREATE INDEX %I ON llmtrace.folded (%I, llmtrace.trace_rank(trace_id)) INCLUDE (trace_id, started_at, sample_weight, keep_probability)'
		' WHERE llmtrace.trace_rank(trace_id) < %s', 'folded_reservoir_' || stratum, stratum, bound);
	INSERT INTO llmtrace.reservoir AS r VALUES (stratum, k, bound)
	ON CONFLICT ON CONSTRAINT reservoir_pkey DO UPDATE SET k = excluded.k, rank_below = excluded.rank_below;
	RETURN bound / 72057594037927936::float8;
END
$$;
COMMENT ON FUNCTION llmtrace.create_reservoir(text, integer) IS
'Makes, or makes anew, an index from which stratified_sample reads k traces of every value of a column of traces: by the counts of now, so that the rarest value has k. Folding waits while it is built. Returns the share of traces that it holds. Example: SELECT llmtrace.create_reservoir(''feature'', 200)';

CREATE FUNCTION llmtrace.stratified_sample(stratum text DEFAULT 'feature', k integer DEFAULT 200,
	since timestamptz DEFAULT '-infinity', until timestamptz DEFAULT 'infinity')
	RETURNS TABLE (value text, trace_id uuid, inclusion_probability double precision, weight double precision)
	LANGUAGE plpgsql STABLE ROWS 1000 SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
DECLARE
	bound bigint;
	drawn text;
BEGIN
	PERFORM llmtrace.check_period(since, until);
	SELECT r.rank_below INTO bound FROM llmtrace.reservoir r WHERE r.stratum = stratified_sample.stratum;
	IF k IS NULL OR k NOT BETWEEN 1 AND 100000 THEN
		RAISE EXCEPTION 'sample size % is out of range', coalesce(k::text, 'null')
			USING ERRCODE = 'invalid_parameter_value', DETAIL = 'The size must be between 1 and 100000.';
	ELSIF bound IS NULL THEN
		RAISE EXCEPTION 'there is no reservoir of "%"', left(stratum, 60)
			USING ERRCODE = 'undefined_object', HINT = format('SELECT llmtrace.create_reservoir(%L) makes one; eval_sample draws without.', stratum);
	END IF;
	-- by its index: one value after the other, and of each the first; where fewer than k are below the bound, that is the threshold
	drawn := format($sql$
		SELECT d.trace_id, least(CASE WHEN count(*) OVER () > $1 THEN max(d.rank) OVER () ELSE %2$s END / 72057594037927936::float8,
			1 / greatest(d.sample_weight, 1)) AS p, coalesce(d.keep_probability, 1) AS keep_p, d.rank
		FROM (SELECT x.trace_id, llmtrace.trace_rank(x.trace_id) AS rank, x.sample_weight, x.keep_probability
			FROM llmtrace.folded x
			WHERE x.%1$I %%s AND llmtrace.trace_rank(x.trace_id) < %2$s%3$s
			ORDER BY llmtrace.trace_rank(x.trace_id) LIMIT $1 + 1) d
		ORDER BY d.rank LIMIT $1
		$sql$, stratum, bound,
		CASE WHEN since > '-infinity' OR until < 'infinity' THEN ' AND x.started_at >= $2 AND x.started_at < $3' ELSE '' END);
	RETURN QUERY EXECUTE format($sql$
		WITH RECURSIVE one AS (
			(SELECT x.%1$I AS value FROM llmtrace.folded x
			WHERE x.%1$I IS NOT NULL AND llmtrace.trace_rank(x.trace_id) < %2$s ORDER BY x.%1$I LIMIT 1)
			UNION ALL
			SELECT n.value FROM one o CROSS JOIN LATERAL (SELECT x.%1$I AS value FROM llmtrace.folded x
				WHERE x.%1$I > o.value AND llmtrace.trace_rank(x.trace_id) < %2$s ORDER BY x.%1$I LIMIT 1) n
		)
		SELECT o.value, s.trace_id, s.p, 1 / (s.p * s.keep_p) FROM one o CROSS JOIN LATERAL (%3$s) s
		UNION ALL
		SELECT NULL, s.trace_id, s.p, 1 / (s.p * s.keep_p) FROM (%4$s) s
		$sql$, stratum, bound, format(drawn, '= o.value'), format(drawn, 'IS NULL'))
	USING k, since, until;
END
$$;
COMMENT ON FUNCTION llmtrace.stratified_sample(text, integer, timestamptz, timestamptz) IS
'The k folded traces of lowest trace_rank of every value of a column, from its reservoir (create_reservoir), with inclusion probabilities and weights: always the same ones, more contain fewer, and those that head sampling would have kept. Fewer than k where the reservoir has fewer; probabilities are right all the same. Ids must be random (trace_rank_check). Example: SELECT count(*) FROM llmtrace.create_reservoir(''feature'', 5) r, llmtrace.stratified_sample(''feature'', 5)';
