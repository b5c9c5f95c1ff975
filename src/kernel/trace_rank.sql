-- The randomness of traces, by which samplers choose: ranks, head sampling.

CREATE FUNCTION trace_rank(trace_id uuid) RETURNS bigint
	LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE COST 1 AS 'MODULE_PATHNAME', 'sql_trace_rank';
CREATE FUNCTION trace_rank(trace_id uuid, trace_state text) RETURNS bigint
	LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1 AS 'MODULE_PATHNAME', 'sql_trace_rank_of_state';
CREATE FUNCTION trace_state_probability(trace_state text) RETURNS float8
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1 AS 'MODULE_PATHNAME', 'sql_trace_state_probability';
CREATE FUNCTION sample_weight(t trajectory) RETURNS float8
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 50 AS 'MODULE_PATHNAME', 'sql_sample_weight';

COMMENT ON FUNCTION trace_rank(trace_id uuid) IS 'the complement of the last 56 bits of a trace id, 0 to 2^56 - 1: the traces of lowest rank are a fair sample, and those that OpenTelemetry''s samplers keep';
COMMENT ON FUNCTION trace_rank(trace_id uuid, trace_state text) IS 'the same from ot=rv of the W3C trace state, where that has it';
COMMENT ON FUNCTION trace_state_probability(trace_state text) IS 'probability (above 0, at most 1) with which a sampler let the trace pass, from ot=th of the W3C trace state; NULL if that does not say';
COMMENT ON FUNCTION sample_weight(t trajectory) IS 'how many traces this one stands for after head sampling: 1 / probability from ot=th of the root''s trace state, else its SampleRate, else 1';

CREATE TYPE trace_rank_check_result AS (ids bigint, p float8, verdict text, reason text);

COMMENT ON TYPE trace_rank_check_result IS 'what trace_rank_check found';
COMMENT ON COLUMN trace_rank_check_result.ids IS 'number of ids';
COMMENT ON COLUMN trace_rank_check_result.p IS 'probability of such ids if they are random';
COMMENT ON COLUMN trace_rank_check_result.verdict IS 'random, patterned, inconsistent or insufficient_data';
COMMENT ON COLUMN trace_rank_check_result.reason IS 'what decided the verdict';

CREATE FUNCTION trace_rank_check_trans(internal, uuid) RETURNS internal
	LANGUAGE C IMMUTABLE PARALLEL SAFE COST 5 AS 'MODULE_PATHNAME', 'sql_trace_rank_check_trans';
CREATE FUNCTION trace_rank_check_trans(internal, uuid, float8) RETURNS internal
	LANGUAGE C IMMUTABLE PARALLEL SAFE COST 5 AS 'MODULE_PATHNAME', 'sql_trace_rank_check_trans';
CREATE FUNCTION trace_rank_check_combine(internal, internal) RETURNS internal
	LANGUAGE C IMMUTABLE PARALLEL SAFE COST 5 AS 'MODULE_PATHNAME', 'sql_trace_rank_check_combine';
CREATE FUNCTION trace_rank_check_serial(internal) RETURNS bytea
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 5 AS 'MODULE_PATHNAME', 'sql_trace_rank_check_serial';
CREATE FUNCTION trace_rank_check_deserial(bytea, internal) RETURNS internal
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 5 AS 'MODULE_PATHNAME', 'sql_trace_rank_check_deserial';
CREATE FUNCTION trace_rank_check_final(internal) RETURNS trace_rank_check_result
	LANGUAGE C IMMUTABLE PARALLEL SAFE COST 20 AS 'MODULE_PATHNAME', 'sql_trace_rank_check_final';

CREATE AGGREGATE trace_rank_check(trace_id uuid) (
	SFUNC = trace_rank_check_trans, STYPE = internal, SSPACE = 2048, FINALFUNC = trace_rank_check_final,
	COMBINEFUNC = trace_rank_check_combine, SERIALFUNC = trace_rank_check_serial, DESERIALFUNC = trace_rank_check_deserial,
	PARALLEL = SAFE
);
CREATE AGGREGATE trace_rank_check(trace_id uuid, probability float8) (
	SFUNC = trace_rank_check_trans, STYPE = internal, SSPACE = 2048, FINALFUNC = trace_rank_check_final,
	COMBINEFUNC = trace_rank_check_combine, SERIALFUNC = trace_rank_check_serial, DESERIALFUNC = trace_rank_check_deserial,
	PARALLEL = SAFE
);

COMMENT ON FUNCTION trace_rank_check_trans(internal, uuid) IS 'transition of trace_rank_check(trace_id)';
COMMENT ON FUNCTION trace_rank_check_trans(internal, uuid, float8) IS 'transition of trace_rank_check(trace_id, probability)';
COMMENT ON FUNCTION trace_rank_check_combine(internal, internal) IS 'combines partial states of trace_rank_check';
COMMENT ON FUNCTION trace_rank_check_serial(internal) IS 'a partial state of trace_rank_check as bytes';
COMMENT ON FUNCTION trace_rank_check_deserial(bytea, internal) IS 'a partial state of trace_rank_check from bytes';
COMMENT ON FUNCTION trace_rank_check_final(internal) IS 'final function of trace_rank_check';
COMMENT ON AGGREGATE trace_rank_check(uuid) IS 'are the last 56 bits of trace ids random enough to sample by; give each trace once';
COMMENT ON AGGREGATE trace_rank_check(uuid, float8) IS 'the same of traces that head sampling let pass with a probability (trace_state_probability), and whether it went by these bits';

-- A reservoir that PostgreSQL keeps: a partial index

CREATE FUNCTION trace_reservoir(relation regclass, k integer, cohort name DEFAULT NULL, trace_id name DEFAULT 'trace_id',
	row_count bigint DEFAULT NULL, OUT rank_below bigint, OUT create_index text, OUT query text)
	LANGUAGE plpgsql STABLE PARALLEL SAFE COST 1000 AS $$
DECLARE
	n float8 := row_count;
	-- so many rows below the bound make it all but certain (six standard deviations) that there are k + 1
	wanted float8 := ((6 + pg_catalog.sqrt(36 + 4 * (k + 1)::float8)) / 2) ^ 2;
	rank text := pg_catalog.format('llmtrace.trace_rank(%I)', trace_id);
BEGIN
	IF relation IS NULL OR k IS NULL OR trace_id IS NULL THEN
		RAISE null_value_not_allowed USING MESSAGE = 'relation, k and trace_id must not be null';
	ELSIF k < 1 OR k > 100000 THEN
		RAISE invalid_parameter_value USING MESSAGE = pg_catalog.format('sample size %s is out of range', k),
			DETAIL = 'The size must be between 1 and 100000.';
	END IF;
	IF n IS NULL THEN
		SELECT c.reltuples / coalesce(CASE WHEN s.n_distinct > 0 THEN s.n_distinct ELSE -s.n_distinct * c.reltuples END, 1) INTO n
		FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_stats s ON s.schemaname = c.relnamespace::pg_catalog.regnamespace::text
			AND s.tablename = c.relname AND s.attname = cohort AND s.n_distinct <> 0
		WHERE c.oid = relation;
	END IF;
	IF n IS NULL OR NOT n > 0 THEN
		RAISE invalid_parameter_value USING MESSAGE = pg_catalog.format('number of rows of %s is not known', relation),
			HINT = 'Analyze the table when it has rows, or give row_count, the rows of a small cohort.';
	END IF;
	rank_below := pg_catalog.ceil(72057594037927936 * least(1, wanted / n));
	create_index := pg_catalog.format('CREATE INDEX ON %s (%s%s) INCLUDE (%I) WHERE %s < %s',
		relation, pg_catalog.quote_ident(cohort) || ', ', rank, trace_id, rank, rank_below);
	-- below the bound or below the rank of the next: the probability is one or the other
	query := pg_catalog.format('SELECT trace_id, CASE WHEN count(*) OVER () > %2$s THEN max(rank) OVER () ELSE %3$s END / 72057594037927936::float8 AS probability'
		' FROM (SELECT %1$I AS trace_id, %5$s AS rank FROM %4$s WHERE %6$s%5$s < %3$s ORDER BY %5$s LIMIT %7$s) r ORDER BY rank LIMIT %2$s',
		trace_id, k, rank_below, relation, rank, coalesce(pg_catalog.quote_ident(cohort) || ' = $1 AND ', ''), k + 1);
END $$;

COMMENT ON FUNCTION trace_reservoir(relation regclass, k integer, cohort name, trace_id name, row_count bigint) IS 'writes a partial index that holds the k traces of lowest rank of a table, or of each cohort of row_count rows ($1 of the query), and the query that samples them with their probability (0..1)';
