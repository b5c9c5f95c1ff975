-- Type dist: distributions of float8 as OpenTelemetry exponential histograms.

CREATE TYPE dist;

CREATE FUNCTION dist_in(cstring) RETURNS dist
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 50 AS 'MODULE_PATHNAME', 'sql_dist_in';
CREATE FUNCTION dist_out(dist) RETURNS cstring
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 50 AS 'MODULE_PATHNAME', 'sql_dist_out';
CREATE FUNCTION dist_recv(internal) RETURNS dist
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20 AS 'MODULE_PATHNAME', 'sql_dist_recv';
CREATE FUNCTION dist_send(dist) RETURNS bytea
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1 AS 'MODULE_PATHNAME', 'sql_state_send';

CREATE TYPE dist (
	INPUT = dist_in, OUTPUT = dist_out, RECEIVE = dist_recv, SEND = dist_send,
	INTERNALLENGTH = VARIABLE, ALIGNMENT = int4, STORAGE = extended
);

COMMENT ON TYPE dist IS 'a distribution of float8 values: an OpenTelemetry base-2 exponential histogram with automatic scale, exactly mergeable and independent of the order of values';
COMMENT ON FUNCTION dist_in(cstring) IS 'input of type dist: a JSON object as dist_out writes it';
COMMENT ON FUNCTION dist_out(dist) IS 'output of type dist: a JSON object that reads back as the same value';
COMMENT ON FUNCTION dist_recv(internal) IS 'binary input of type dist, validated';
COMMENT ON FUNCTION dist_send(dist) IS 'binary output of type dist: the same bytes on every machine, equal for equal values';

-- Operators

CREATE FUNCTION dist_eq(dist, dist) RETURNS boolean
	LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE COST 1 AS 'MODULE_PATHNAME', 'sql_state_eq';
CREATE FUNCTION dist_ne(dist, dist) RETURNS boolean
	LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE COST 1 AS 'MODULE_PATHNAME', 'sql_state_ne';
CREATE FUNCTION dist_merge(a dist, b dist) RETURNS dist
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 50 AS 'MODULE_PATHNAME', 'sql_dist_merge';
CREATE FUNCTION dist_subtract(a dist, b dist) RETURNS dist
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 50 AS 'MODULE_PATHNAME', 'sql_dist_subtract';

CREATE OPERATOR = (
	FUNCTION = dist_eq, LEFTARG = dist, RIGHTARG = dist,
	COMMUTATOR = =, NEGATOR = <>, RESTRICT = eqsel, JOIN = eqjoinsel
);
CREATE OPERATOR <> (
	FUNCTION = dist_ne, LEFTARG = dist, RIGHTARG = dist,
	COMMUTATOR = <>, NEGATOR = =, RESTRICT = neqsel, JOIN = neqjoinsel
);
CREATE OPERATOR + (
	FUNCTION = dist_merge, LEFTARG = dist, RIGHTARG = dist, COMMUTATOR = +
);
CREATE OPERATOR - (
	FUNCTION = dist_subtract, LEFTARG = dist, RIGHTARG = dist
);

COMMENT ON FUNCTION dist_eq(dist, dist) IS 'are the two distributions the same to the byte';
COMMENT ON FUNCTION dist_ne(dist, dist) IS 'do the two distributions differ';
COMMENT ON FUNCTION dist_merge(a dist, b dist) IS 'the distribution of the values of both; the lower bucket limit holds';
COMMENT ON FUNCTION dist_subtract(a dist, b dist) IS 'a without the values of b, which must be part of a: counts and sum are exact, the scale stays, minimum and maximum become bounds';
COMMENT ON OPERATOR = (dist, dist) IS 'are the two distributions the same to the byte';
COMMENT ON OPERATOR <> (dist, dist) IS 'do the two distributions differ';
COMMENT ON OPERATOR + (dist, dist) IS 'the distribution of the values of both (dist_merge)';
COMMENT ON OPERATOR - (dist, dist) IS 'a distribution without a part of it (dist_subtract)';

-- Aggregates

CREATE FUNCTION dist_agg_trans(internal, float8) RETURNS internal
	LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1 AS 'MODULE_PATHNAME', 'sql_dist_agg_trans';
CREATE FUNCTION dist_agg_trans(internal, float8, float8) RETURNS internal
	LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1 AS 'MODULE_PATHNAME', 'sql_dist_agg_trans';
CREATE FUNCTION dist_agg_trans(internal, float8, float8, integer) RETURNS internal
	LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1 AS 'MODULE_PATHNAME', 'sql_dist_agg_trans';
CREATE FUNCTION dist_merge_agg_trans(internal, dist) RETURNS internal
	LANGUAGE C IMMUTABLE PARALLEL SAFE COST 20 AS 'MODULE_PATHNAME', 'sql_dist_merge_agg_trans';
CREATE FUNCTION dist_agg_combine(internal, internal) RETURNS internal
	LANGUAGE C IMMUTABLE PARALLEL SAFE COST 20 AS 'MODULE_PATHNAME', 'sql_dist_agg_combine';
CREATE FUNCTION dist_agg_serial(internal) RETURNS bytea
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20 AS 'MODULE_PATHNAME', 'sql_dist_agg_serial';
CREATE FUNCTION dist_agg_deserial(bytea, internal) RETURNS internal
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20 AS 'MODULE_PATHNAME', 'sql_dist_agg_deserial';
CREATE FUNCTION dist_agg_final(internal) RETURNS dist
	LANGUAGE C IMMUTABLE PARALLEL SAFE COST 20 AS 'MODULE_PATHNAME', 'sql_dist_agg_final';

CREATE AGGREGATE dist_agg(value float8) (
	SFUNC = dist_agg_trans, STYPE = internal, SSPACE = 4096, FINALFUNC = dist_agg_final,
	COMBINEFUNC = dist_agg_combine, SERIALFUNC = dist_agg_serial, DESERIALFUNC = dist_agg_deserial,
	PARALLEL = SAFE
);
CREATE AGGREGATE dist_agg(value float8, weight float8) (
	SFUNC = dist_agg_trans, STYPE = internal, SSPACE = 4096, FINALFUNC = dist_agg_final,
	COMBINEFUNC = dist_agg_combine, SERIALFUNC = dist_agg_serial, DESERIALFUNC = dist_agg_deserial,
	PARALLEL = SAFE
);
CREATE AGGREGATE dist_agg(value float8, weight float8, buckets integer) (
	SFUNC = dist_agg_trans, STYPE = internal, SSPACE = 4096, FINALFUNC = dist_agg_final,
	COMBINEFUNC = dist_agg_combine, SERIALFUNC = dist_agg_serial, DESERIALFUNC = dist_agg_deserial,
	PARALLEL = SAFE
);
CREATE AGGREGATE dist_merge_agg(dist) (
	SFUNC = dist_merge_agg_trans, STYPE = internal, SSPACE = 4096, FINALFUNC = dist_agg_final,
	COMBINEFUNC = dist_agg_combine, SERIALFUNC = dist_agg_serial, DESERIALFUNC = dist_agg_deserial,
	PARALLEL = SAFE
);

COMMENT ON FUNCTION dist_agg_trans(internal, float8) IS 'transition of dist_agg(value)';
COMMENT ON FUNCTION dist_agg_trans(internal, float8, float8) IS 'transition of dist_agg(value, weight)';
COMMENT ON FUNCTION dist_agg_trans(internal, float8, float8, integer) IS 'transition of dist_agg(value, weight, buckets)';
COMMENT ON FUNCTION dist_merge_agg_trans(internal, dist) IS 'transition of dist_merge_agg';
COMMENT ON FUNCTION dist_agg_combine(internal, internal) IS 'combines partial states of dist_agg and dist_merge_agg';
COMMENT ON FUNCTION dist_agg_serial(internal) IS 'a partial state as the binary form of type dist';
COMMENT ON FUNCTION dist_agg_deserial(bytea, internal) IS 'a partial state from the binary form of type dist';
COMMENT ON FUNCTION dist_agg_final(internal) IS 'final function of dist_agg and dist_merge_agg';
COMMENT ON AGGREGATE dist_agg(float8) IS 'the distribution of the values; NULL and NaN are counted apart';
COMMENT ON AGGREGATE dist_agg(float8, float8) IS 'the distribution of the values, each counted weight times (0 to 2^32, in steps of 2^-20; NULL counts as 1)';
COMMENT ON AGGREGATE dist_agg(float8, float8, integer) IS 'the distribution of weighted values in at most this many buckets a sign (8 to 4096, 320 by default)';
COMMENT ON AGGREGATE dist_merge_agg(dist) IS 'the distribution of all values of the distributions';

-- Questions

CREATE FUNCTION dist_from_otlp(point jsonb) RETURNS dist
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100 AS 'MODULE_PATHNAME', 'sql_dist_from_otlp';
CREATE FUNCTION dist_count(d dist) RETURNS float8
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20 AS 'MODULE_PATHNAME', 'sql_dist_count';
CREATE FUNCTION dist_effective_count(d dist) RETURNS float8
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20 AS 'MODULE_PATHNAME', 'sql_dist_effective_count';
CREATE FUNCTION dist_clustered(d dist, cluster_size float8) RETURNS dist
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10 AS 'MODULE_PATHNAME', 'sql_dist_clustered';
CREATE FUNCTION dist_null_count(d dist) RETURNS float8
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20 AS 'MODULE_PATHNAME', 'sql_dist_null_count';
CREATE FUNCTION dist_nan_count(d dist) RETURNS float8
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20 AS 'MODULE_PATHNAME', 'sql_dist_nan_count';
CREATE FUNCTION dist_sum(d dist) RETURNS float8
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20 AS 'MODULE_PATHNAME', 'sql_dist_sum';
CREATE FUNCTION dist_mean(d dist) RETURNS float8
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20 AS 'MODULE_PATHNAME', 'sql_dist_mean';
CREATE FUNCTION dist_stddev(d dist) RETURNS float8
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100 AS 'MODULE_PATHNAME', 'sql_dist_stddev';
CREATE FUNCTION dist_min(d dist) RETURNS float8
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20 AS 'MODULE_PATHNAME', 'sql_dist_min';
CREATE FUNCTION dist_max(d dist) RETURNS float8
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20 AS 'MODULE_PATHNAME', 'sql_dist_max';
CREATE FUNCTION dist_scale(d dist) RETURNS integer
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20 AS 'MODULE_PATHNAME', 'sql_dist_scale';
CREATE FUNCTION dist_relative_error(d dist) RETURNS float8
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20 AS 'MODULE_PATHNAME', 'sql_dist_relative_error';
CREATE FUNCTION dist_quantile(d dist, q float8) RETURNS float8
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20 AS 'MODULE_PATHNAME', 'sql_dist_quantile';
CREATE FUNCTION dist_cdf(d dist, x float8) RETURNS float8
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100 AS 'MODULE_PATHNAME', 'sql_dist_cdf';
CREATE FUNCTION dist_buckets(d dist, OUT lower_bound float8, OUT upper_bound float8, OUT count float8)
	RETURNS SETOF record
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100 ROWS 100 AS 'MODULE_PATHNAME', 'sql_dist_buckets';

COMMENT ON FUNCTION dist_from_otlp(point jsonb) IS 'the distribution of an OTLP/JSON exponential histogram data point; NULL if the point has no recorded value';
COMMENT ON FUNCTION dist_count(d dist) IS 'weight of all values that are neither NULL nor NaN: their number, where weights are one';
COMMENT ON FUNCTION dist_effective_count(d dist) IS 'number of equally weighted values that would tell as much: (sum of weights)^2 / sum of squared weights';
COMMENT ON FUNCTION dist_clustered(d dist, cluster_size float8) IS 'the same values, told to come in clusters (the calls of a trace) of which each tells no more than one observation: the effective count, and with it what drift makes of them, is divided by cluster_size, the sum of squared cluster weights by that of squared weights, NULL values included';
COMMENT ON FUNCTION dist_null_count(d dist) IS 'weight of the NULL values';
COMMENT ON FUNCTION dist_nan_count(d dist) IS 'weight of the NaN values';
COMMENT ON FUNCTION dist_sum(d dist) IS 'weighted sum of the values, exact and rounded once; NULL if empty or unknown';
COMMENT ON FUNCTION dist_mean(d dist) IS 'weighted mean of the values, from the exact sum; NULL if empty or unknown';
COMMENT ON FUNCTION dist_stddev(d dist) IS 'standard deviation of the distribution (population), off by at most the mean distance of values from their bucket''s middle; NULL if empty';
COMMENT ON FUNCTION dist_min(d dist) IS 'smallest value, exact; a lower bound after a subtraction; NULL if empty';
COMMENT ON FUNCTION dist_max(d dist) IS 'largest value, exact; an upper bound after a subtraction; NULL if empty';
COMMENT ON FUNCTION dist_scale(d dist) IS 'OpenTelemetry scale, -10 to 20: a bucket is a factor of 2^(2^-scale) wide';
COMMENT ON FUNCTION dist_relative_error(d dist) IS 'bound of the relative error of a quantile at this scale: (b - 1) / (b + 1), b = 2^(2^-scale)';
COMMENT ON FUNCTION dist_quantile(d dist, q float8) IS 'smallest value with at least the share q (0..1) of the weight at or below it, to within dist_relative_error; NULL if empty';
COMMENT ON FUNCTION dist_cdf(d dist, x float8) IS 'share (0..1) of the weight at or below x, off by at most that of the bucket of x; NULL if empty';
COMMENT ON FUNCTION dist_buckets(d dist) IS 'the buckets that are not empty, in order: values above lower_bound (from it, if negative) up to upper_bound, and their weight; zero and the infinities are buckets of their own';
