-- Type sample: a fair sample of keyed things, with inclusion probabilities.

CREATE TYPE sample;

CREATE FUNCTION sample_in(cstring) RETURNS sample
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 50 AS 'MODULE_PATHNAME', 'sql_sample_in';
CREATE FUNCTION sample_out(sample) RETURNS cstring
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 50 AS 'MODULE_PATHNAME', 'sql_sample_out';
CREATE FUNCTION sample_recv(internal) RETURNS sample
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 50 AS 'MODULE_PATHNAME', 'sql_sample_recv';
CREATE FUNCTION sample_send(sample) RETURNS bytea
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1 AS 'MODULE_PATHNAME', 'sql_state_send';

CREATE TYPE sample (
	INPUT = sample_in, OUTPUT = sample_out, RECEIVE = sample_recv, SEND = sample_send,
	INTERNALLENGTH = VARIABLE, ALIGNMENT = int4, STORAGE = extended
);

COMMENT ON TYPE sample IS 'a fair sample of keyed things, each with the probability with which it came in: a function of their set alone, exactly mergeable';
COMMENT ON FUNCTION sample_in(cstring) IS 'input of type sample: a JSON object as sample_out writes it';
COMMENT ON FUNCTION sample_out(sample) IS 'output of type sample: a JSON object that reads back as the same value';
COMMENT ON FUNCTION sample_recv(internal) IS 'binary input of type sample, validated';
COMMENT ON FUNCTION sample_send(sample) IS 'binary output of type sample: the same bytes on every machine, equal for equal values';

-- Operators

CREATE FUNCTION sample_eq(sample, sample) RETURNS boolean
	LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE COST 1 AS 'MODULE_PATHNAME', 'sql_state_eq';
CREATE FUNCTION sample_ne(sample, sample) RETURNS boolean
	LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE COST 1 AS 'MODULE_PATHNAME', 'sql_state_ne';
CREATE FUNCTION sample_union(a sample, b sample) RETURNS sample
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 50 AS 'MODULE_PATHNAME', 'sql_sample_union';

CREATE OPERATOR = (
	FUNCTION = sample_eq, LEFTARG = sample, RIGHTARG = sample,
	COMMUTATOR = =, NEGATOR = <>, RESTRICT = eqsel, JOIN = eqjoinsel
);
CREATE OPERATOR <> (
	FUNCTION = sample_ne, LEFTARG = sample, RIGHTARG = sample,
	COMMUTATOR = <>, NEGATOR = =, RESTRICT = neqsel, JOIN = neqjoinsel
);
CREATE OPERATOR + (
	FUNCTION = sample_union, LEFTARG = sample, RIGHTARG = sample, COMMUTATOR = +
);

COMMENT ON FUNCTION sample_eq(sample, sample) IS 'are the two samples the same to the byte';
COMMENT ON FUNCTION sample_ne(sample, sample) IS 'do the two samples differ';
COMMENT ON FUNCTION sample_union(a sample, b sample) IS 'the sample of everything that either is a sample of; the smaller size holds';
COMMENT ON OPERATOR = (sample, sample) IS 'are the two samples the same to the byte';
COMMENT ON OPERATOR <> (sample, sample) IS 'do the two samples differ';
COMMENT ON OPERATOR + (sample, sample) IS 'the sample of what either is a sample of (sample_union)';

-- Aggregates

CREATE FUNCTION sample_agg_trans(internal, anyelement, integer) RETURNS internal
	LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1 AS 'MODULE_PATHNAME', 'sql_sample_agg_trans';
CREATE FUNCTION sample_agg_trans(internal, anyelement, integer, bigint) RETURNS internal
	LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1 AS 'MODULE_PATHNAME', 'sql_sample_agg_trans';
CREATE FUNCTION sample_agg_trans(internal, anyelement, integer, bigint, float8, float8) RETURNS internal
	LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1 AS 'MODULE_PATHNAME', 'sql_sample_agg_trans';
CREATE FUNCTION sample_agg_trans(internal, anyelement, integer, bigint, float8, text) RETURNS internal
	LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1 AS 'MODULE_PATHNAME', 'sql_sample_agg_trans';
CREATE FUNCTION sample_weighted_agg_trans(internal, anyelement, float8, integer) RETURNS internal
	LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1 AS 'MODULE_PATHNAME', 'sql_sample_weighted_agg_trans';
CREATE FUNCTION sample_weighted_agg_trans(internal, anyelement, float8, integer, bigint) RETURNS internal
	LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1 AS 'MODULE_PATHNAME', 'sql_sample_weighted_agg_trans';
CREATE FUNCTION sample_weighted_agg_trans(internal, anyelement, float8, integer, bigint, float8, float8) RETURNS internal
	LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1 AS 'MODULE_PATHNAME', 'sql_sample_weighted_agg_trans';
CREATE FUNCTION sample_weighted_agg_trans(internal, anyelement, float8, integer, bigint, float8, text) RETURNS internal
	LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1 AS 'MODULE_PATHNAME', 'sql_sample_weighted_agg_trans';
CREATE FUNCTION sample_union_agg_trans(internal, sample) RETURNS internal
	LANGUAGE C IMMUTABLE PARALLEL SAFE COST 20 AS 'MODULE_PATHNAME', 'sql_sample_union_agg_trans';
CREATE FUNCTION sample_agg_combine(internal, internal) RETURNS internal
	LANGUAGE C IMMUTABLE PARALLEL SAFE COST 20 AS 'MODULE_PATHNAME', 'sql_sample_agg_combine';
CREATE FUNCTION sample_agg_serial(internal) RETURNS bytea
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20 AS 'MODULE_PATHNAME', 'sql_sample_agg_serial';
CREATE FUNCTION sample_agg_deserial(bytea, internal) RETURNS internal
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20 AS 'MODULE_PATHNAME', 'sql_sample_agg_deserial';
CREATE FUNCTION sample_agg_final(internal) RETURNS sample
	LANGUAGE C IMMUTABLE PARALLEL SAFE COST 20 AS 'MODULE_PATHNAME', 'sql_sample_agg_final';

CREATE AGGREGATE sample_agg(key anyelement, k integer) (
	SFUNC = sample_agg_trans, STYPE = internal, SSPACE = 16384, FINALFUNC = sample_agg_final,
	COMBINEFUNC = sample_agg_combine, SERIALFUNC = sample_agg_serial, DESERIALFUNC = sample_agg_deserial,
	PARALLEL = SAFE
);
CREATE AGGREGATE sample_agg(key anyelement, k integer, seed bigint) (
	SFUNC = sample_agg_trans, STYPE = internal, SSPACE = 16384, FINALFUNC = sample_agg_final,
	COMBINEFUNC = sample_agg_combine, SERIALFUNC = sample_agg_serial, DESERIALFUNC = sample_agg_deserial,
	PARALLEL = SAFE
);
CREATE AGGREGATE sample_agg(key anyelement, k integer, seed bigint, payload float8, probability float8) (
	SFUNC = sample_agg_trans, STYPE = internal, SSPACE = 16384, FINALFUNC = sample_agg_final,
	COMBINEFUNC = sample_agg_combine, SERIALFUNC = sample_agg_serial, DESERIALFUNC = sample_agg_deserial,
	PARALLEL = SAFE
);
CREATE AGGREGATE sample_agg(key anyelement, k integer, seed bigint, payload float8, trace_state text) (
	SFUNC = sample_agg_trans, STYPE = internal, SSPACE = 16384, FINALFUNC = sample_agg_final,
	COMBINEFUNC = sample_agg_combine, SERIALFUNC = sample_agg_serial, DESERIALFUNC = sample_agg_deserial,
	PARALLEL = SAFE
);
CREATE AGGREGATE sample_weighted_agg(key anyelement, weight float8, k integer) (
	SFUNC = sample_weighted_agg_trans, STYPE = internal, SSPACE = 16384, FINALFUNC = sample_agg_final,
	COMBINEFUNC = sample_agg_combine, SERIALFUNC = sample_agg_serial, DESERIALFUNC = sample_agg_deserial,
	PARALLEL = SAFE
);
CREATE AGGREGATE sample_weighted_agg(key anyelement, weight float8, k integer, seed bigint) (
	SFUNC = sample_weighted_agg_trans, STYPE = internal, SSPACE = 16384, FINALFUNC = sample_agg_final,
	COMBINEFUNC = sample_agg_combine, SERIALFUNC = sample_agg_serial, DESERIALFUNC = sample_agg_deserial,
	PARALLEL = SAFE
);
CREATE AGGREGATE sample_weighted_agg(key anyelement, weight float8, k integer, seed bigint, payload float8, probability float8) (
	SFUNC = sample_weighted_agg_trans, STYPE = internal, SSPACE = 16384, FINALFUNC = sample_agg_final,
	COMBINEFUNC = sample_agg_combine, SERIALFUNC = sample_agg_serial, DESERIALFUNC = sample_agg_deserial,
	PARALLEL = SAFE
);
CREATE AGGREGATE sample_weighted_agg(key anyelement, weight float8, k integer, seed bigint, payload float8, trace_state text) (
	SFUNC = sample_weighted_agg_trans, STYPE = internal, SSPACE = 16384, FINALFUNC = sample_agg_final,
	COMBINEFUNC = sample_agg_combine, SERIALFUNC = sample_agg_serial, DESERIALFUNC = sample_agg_deserial,
	PARALLEL = SAFE
);
CREATE AGGREGATE sample_union_agg(sample) (
	SFUNC = sample_union_agg_trans, STYPE = internal, SSPACE = 16384, FINALFUNC = sample_agg_final,
	COMBINEFUNC = sample_agg_combine, SERIALFUNC = sample_agg_serial, DESERIALFUNC = sample_agg_deserial,
	PARALLEL = SAFE
);

COMMENT ON FUNCTION sample_agg_trans(internal, anyelement, integer) IS 'transition of sample_agg(key, k)';
COMMENT ON FUNCTION sample_agg_trans(internal, anyelement, integer, bigint) IS 'transition of sample_agg(key, k, seed)';
COMMENT ON FUNCTION sample_agg_trans(internal, anyelement, integer, bigint, float8, float8) IS 'transition of sample_agg(key, k, seed, payload, probability)';
COMMENT ON FUNCTION sample_agg_trans(internal, anyelement, integer, bigint, float8, text) IS 'transition of sample_agg(key, k, seed, payload, trace_state)';
COMMENT ON FUNCTION sample_weighted_agg_trans(internal, anyelement, float8, integer) IS 'transition of sample_weighted_agg(key, weight, k)';
COMMENT ON FUNCTION sample_weighted_agg_trans(internal, anyelement, float8, integer, bigint) IS 'transition of sample_weighted_agg(key, weight, k, seed)';
COMMENT ON FUNCTION sample_weighted_agg_trans(internal, anyelement, float8, integer, bigint, float8, float8) IS 'transition of sample_weighted_agg(key, weight, k, seed, payload, probability)';
COMMENT ON FUNCTION sample_weighted_agg_trans(internal, anyelement, float8, integer, bigint, float8, text) IS 'transition of sample_weighted_agg(key, weight, k, seed, payload, trace_state)';
COMMENT ON FUNCTION sample_union_agg_trans(internal, sample) IS 'transition of sample_union_agg';
COMMENT ON FUNCTION sample_agg_combine(internal, internal) IS 'combines partial states of the aggregates of samples';
COMMENT ON FUNCTION sample_agg_serial(internal) IS 'a partial state as the binary form of type sample';
COMMENT ON FUNCTION sample_agg_deserial(bytea, internal) IS 'a partial state from the binary form of type sample';
COMMENT ON FUNCTION sample_agg_final(internal) IS 'final function of the aggregates of samples';
COMMENT ON AGGREGATE sample_agg(anyelement, integer) IS 'a sample of k (1 to 100000) of the keys, all equally likely; keys of type uuid, text or bytea, uuids by their last 56 bits as trace ids, the others by a hash; a NULL key is left out, one that comes twice counts once';
COMMENT ON AGGREGATE sample_agg(anyelement, integer, bigint) IS 'a sample of k (1 to 100000) of the keys, all equally likely by a hash of the key under the seed';
COMMENT ON AGGREGATE sample_agg(anyelement, integer, bigint, float8, float8) IS 'a sample of k (1 to 100000) of the keys, all equally likely with a payload to estimate sums and means of (NULL: none), of keys that came through sampling with this probability before (above 0, at most 1; NULL: 1)';
COMMENT ON AGGREGATE sample_agg(anyelement, integer, bigint, float8, text) IS 'a sample of k (1 to 100000) of the keys, all equally likely with a payload, of traces that came through head sampling, by ot=th and ot=rv of their trace state';
COMMENT ON AGGREGATE sample_weighted_agg(anyelement, float8, integer) IS 'a sample of k (1 to 100000) of the keys, in proportion to their weight (1e-300 to 1e300; NULL: 1) as far as possible; keys as of sample_agg';
COMMENT ON AGGREGATE sample_weighted_agg(anyelement, float8, integer, bigint) IS 'a sample of k (1 to 100000) of the keys, in proportion to their weight (1e-300 to 1e300; NULL: 1) as far as possible by a hash of the key under the seed';
COMMENT ON AGGREGATE sample_weighted_agg(anyelement, float8, integer, bigint, float8, float8) IS 'a sample of k (1 to 100000) of the keys, in proportion to their weight (1e-300 to 1e300; NULL: 1) as far as possible with a payload to estimate sums and means of (NULL: none), of keys that came through sampling with this probability before (above 0, at most 1; NULL: 1)';
COMMENT ON AGGREGATE sample_weighted_agg(anyelement, float8, integer, bigint, float8, text) IS 'a sample of k (1 to 100000) of the keys, in proportion to their weight (1e-300 to 1e300; NULL: 1) as far as possible with a payload, of traces that came through head sampling, by ot=th and ot=rv of their trace state';
COMMENT ON AGGREGATE sample_union_agg(sample) IS 'the sample of everything that the samples are samples of; the smallest size holds';

-- Questions

CREATE TYPE sample_estimate AS (estimate float8, stderr float8, lower float8, upper float8);

COMMENT ON TYPE sample_estimate IS 'what a sample says of everything; NULLs if it has nothing to say it with';
COMMENT ON COLUMN sample_estimate.estimate IS 'the estimate, unbiased for counts and sums (Horvitz-Thompson)';
COMMENT ON COLUMN sample_estimate.stderr IS 'its standard error';
COMMENT ON COLUMN sample_estimate.lower IS 'lower end of the 95 % confidence interval';
COMMENT ON COLUMN sample_estimate.upper IS 'upper end of the 95 % confidence interval';

CREATE FUNCTION sample_items(s sample, OUT key text, OUT rank float8, OUT weight float8, OUT probability float8,
	OUT adjusted_count float8, OUT payload float8) RETURNS SETOF record
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100 ROWS 100 AS 'MODULE_PATHNAME', 'sql_sample_items';
CREATE FUNCTION sample_threshold(s sample) RETURNS float8
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20 AS 'MODULE_PATHNAME', 'sql_sample_threshold';
CREATE FUNCTION sample_count(s sample) RETURNS sample_estimate
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20 AS 'MODULE_PATHNAME', 'sql_sample_count';
CREATE FUNCTION sample_sum(s sample) RETURNS sample_estimate
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20 AS 'MODULE_PATHNAME', 'sql_sample_sum';
CREATE FUNCTION sample_mean(s sample) RETURNS sample_estimate
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20 AS 'MODULE_PATHNAME', 'sql_sample_mean';
CREATE FUNCTION sample_erase(s sample, keys text[]) RETURNS sample
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 50 AS 'MODULE_PATHNAME', 'sql_sample_erase';

COMMENT ON FUNCTION sample_items(s sample) IS 'what is in the sample, by rank: the probability (0..1) with which it came in, and adjusted_count = 1 / probability, how many it stands for; weight is 1 where the sample is not weighted';
COMMENT ON FUNCTION sample_threshold(s sample) IS 'the rank below which everything is in the sample: 0..1, with weights any; NULL if nothing was left out';
COMMENT ON FUNCTION sample_count(s sample) IS 'estimates how many keys there are';
COMMENT ON FUNCTION sample_sum(s sample) IS 'estimates the sum of the payloads of all keys';
COMMENT ON FUNCTION sample_mean(s sample) IS 'estimates the mean of the payloads of all keys that have one';
COMMENT ON FUNCTION sample_erase(s sample, keys text[]) IS 'the sample without these keys, for erasure: the others keep their probabilities, and estimates are of everything but what was erased';
