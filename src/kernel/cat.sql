-- Type cat: how often each of a set of categories occurs.

CREATE TYPE cat;

CREATE FUNCTION cat_in(cstring) RETURNS cat
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 50 AS 'MODULE_PATHNAME', 'sql_cat_in';
CREATE FUNCTION cat_out(cat) RETURNS cstring
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 50 AS 'MODULE_PATHNAME', 'sql_cat_out';
CREATE FUNCTION cat_recv(internal) RETURNS cat
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20 AS 'MODULE_PATHNAME', 'sql_cat_recv';
CREATE FUNCTION cat_send(cat) RETURNS bytea
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1 AS 'MODULE_PATHNAME', 'sql_state_send';

CREATE TYPE cat (
	INPUT = cat_in, OUTPUT = cat_out, RECEIVE = cat_recv, SEND = cat_send,
	INTERNALLENGTH = VARIABLE, ALIGNMENT = int4, STORAGE = extended
);

COMMENT ON TYPE cat IS 'how often each of a set of text values (categories) occurs: exact up to a limit of keys, the most frequent ones with an error bound beyond';
COMMENT ON FUNCTION cat_in(cstring) IS 'input of type cat: a JSON object as cat_out writes it';
COMMENT ON FUNCTION cat_out(cat) IS 'output of type cat: a JSON object that reads back as the same value';
COMMENT ON FUNCTION cat_recv(internal) IS 'binary input of type cat, validated';
COMMENT ON FUNCTION cat_send(cat) IS 'binary output of type cat: the same bytes on every machine, equal for equal values';

-- Operators

CREATE FUNCTION cat_eq(cat, cat) RETURNS boolean
	LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE COST 1 AS 'MODULE_PATHNAME', 'sql_state_eq';
CREATE FUNCTION cat_ne(cat, cat) RETURNS boolean
	LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE COST 1 AS 'MODULE_PATHNAME', 'sql_state_ne';
CREATE FUNCTION cat_merge(a cat, b cat) RETURNS cat
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 50 AS 'MODULE_PATHNAME', 'sql_cat_merge';
CREATE FUNCTION cat_subtract(a cat, b cat) RETURNS cat
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 50 AS 'MODULE_PATHNAME', 'sql_cat_subtract';

CREATE OPERATOR = (
	FUNCTION = cat_eq, LEFTARG = cat, RIGHTARG = cat,
	COMMUTATOR = =, NEGATOR = <>, RESTRICT = eqsel, JOIN = eqjoinsel
);
CREATE OPERATOR <> (
	FUNCTION = cat_ne, LEFTARG = cat, RIGHTARG = cat,
	COMMUTATOR = <>, NEGATOR = =, RESTRICT = neqsel, JOIN = neqjoinsel
);
CREATE OPERATOR + (
	FUNCTION = cat_merge, LEFTARG = cat, RIGHTARG = cat, COMMUTATOR = +
);
CREATE OPERATOR - (
	FUNCTION = cat_subtract, LEFTARG = cat, RIGHTARG = cat
);

COMMENT ON FUNCTION cat_eq(cat, cat) IS 'are the two the same to the byte';
COMMENT ON FUNCTION cat_ne(cat, cat) IS 'do the two differ';
COMMENT ON FUNCTION cat_merge(a cat, b cat) IS 'the counts of the values of both; the lower key limit holds';
COMMENT ON FUNCTION cat_subtract(a cat, b cat) IS 'a without the values of b, which must be part of a: exact if both are, else with the errors of both';
COMMENT ON OPERATOR = (cat, cat) IS 'are the two the same to the byte';
COMMENT ON OPERATOR <> (cat, cat) IS 'do the two differ';
COMMENT ON OPERATOR + (cat, cat) IS 'the counts of the values of both (cat_merge)';
COMMENT ON OPERATOR - (cat, cat) IS 'counts without a part of them (cat_subtract)';

-- Aggregates

CREATE FUNCTION cat_agg_trans(internal, text) RETURNS internal
	LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1 AS 'MODULE_PATHNAME', 'sql_cat_agg_trans';
CREATE FUNCTION cat_agg_trans(internal, text, float8) RETURNS internal
	LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1 AS 'MODULE_PATHNAME', 'sql_cat_agg_trans';
CREATE FUNCTION cat_agg_trans(internal, text, float8, integer) RETURNS internal
	LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1 AS 'MODULE_PATHNAME', 'sql_cat_agg_trans';
CREATE FUNCTION cat_merge_agg_trans(internal, cat) RETURNS internal
	LANGUAGE C IMMUTABLE PARALLEL SAFE COST 20 AS 'MODULE_PATHNAME', 'sql_cat_merge_agg_trans';
CREATE FUNCTION cat_agg_combine(internal, internal) RETURNS internal
	LANGUAGE C IMMUTABLE PARALLEL SAFE COST 20 AS 'MODULE_PATHNAME', 'sql_cat_agg_combine';
CREATE FUNCTION cat_agg_serial(internal) RETURNS bytea
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20 AS 'MODULE_PATHNAME', 'sql_cat_agg_serial';
CREATE FUNCTION cat_agg_deserial(bytea, internal) RETURNS internal
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20 AS 'MODULE_PATHNAME', 'sql_cat_agg_deserial';
CREATE FUNCTION cat_agg_final(internal) RETURNS cat
	LANGUAGE C IMMUTABLE PARALLEL SAFE COST 20 AS 'MODULE_PATHNAME', 'sql_cat_agg_final';

CREATE AGGREGATE cat_agg(value text) (
	SFUNC = cat_agg_trans, STYPE = internal, SSPACE = 2048, FINALFUNC = cat_agg_final,
	COMBINEFUNC = cat_agg_combine, SERIALFUNC = cat_agg_serial, DESERIALFUNC = cat_agg_deserial,
	PARALLEL = SAFE
);
CREATE AGGREGATE cat_agg(value text, weight float8) (
	SFUNC = cat_agg_trans, STYPE = internal, SSPACE = 2048, FINALFUNC = cat_agg_final,
	COMBINEFUNC = cat_agg_combine, SERIALFUNC = cat_agg_serial, DESERIALFUNC = cat_agg_deserial,
	PARALLEL = SAFE
);
CREATE AGGREGATE cat_agg(value text, weight float8, keys integer) (
	SFUNC = cat_agg_trans, STYPE = internal, SSPACE = 2048, FINALFUNC = cat_agg_final,
	COMBINEFUNC = cat_agg_combine, SERIALFUNC = cat_agg_serial, DESERIALFUNC = cat_agg_deserial,
	PARALLEL = SAFE
);
CREATE AGGREGATE cat_merge_agg(cat) (
	SFUNC = cat_merge_agg_trans, STYPE = internal, SSPACE = 2048, FINALFUNC = cat_agg_final,
	COMBINEFUNC = cat_agg_combine, SERIALFUNC = cat_agg_serial, DESERIALFUNC = cat_agg_deserial,
	PARALLEL = SAFE
);

COMMENT ON FUNCTION cat_agg_trans(internal, text) IS 'transition of cat_agg(value)';
COMMENT ON FUNCTION cat_agg_trans(internal, text, float8) IS 'transition of cat_agg(value, weight)';
COMMENT ON FUNCTION cat_agg_trans(internal, text, float8, integer) IS 'transition of cat_agg(value, weight, keys)';
COMMENT ON FUNCTION cat_merge_agg_trans(internal, cat) IS 'transition of cat_merge_agg';
COMMENT ON FUNCTION cat_agg_combine(internal, internal) IS 'combines partial states of cat_agg and cat_merge_agg';
COMMENT ON FUNCTION cat_agg_serial(internal) IS 'a partial state as the binary form of type cat';
COMMENT ON FUNCTION cat_agg_deserial(bytea, internal) IS 'a partial state from the binary form of type cat';
COMMENT ON FUNCTION cat_agg_final(internal) IS 'final function of cat_agg and cat_merge_agg';
COMMENT ON AGGREGATE cat_agg(text) IS 'how often each value occurs; NULL is counted apart; keys above 256 bytes are shortened and end in a hash';
COMMENT ON AGGREGATE cat_agg(text, float8) IS 'how often each value occurs, each row counted weight times (0 to 2^32, in steps of 2^-20; NULL counts as 1)';
COMMENT ON AGGREGATE cat_agg(text, float8, integer) IS 'how often each value occurs, for at most this many keys (1 to 4096, 256 by default)';
COMMENT ON AGGREGATE cat_merge_agg(cat) IS 'the counts of all values of the counts';

-- Questions

CREATE FUNCTION cat_count(c cat) RETURNS float8
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20 AS 'MODULE_PATHNAME', 'sql_cat_count';
CREATE FUNCTION cat_effective_count(c cat) RETURNS float8
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20 AS 'MODULE_PATHNAME', 'sql_cat_effective_count';
CREATE FUNCTION cat_clustered(c cat, cluster_size float8) RETURNS cat
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10 AS 'MODULE_PATHNAME', 'sql_cat_clustered';
CREATE FUNCTION cat_null_count(c cat) RETURNS float8
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20 AS 'MODULE_PATHNAME', 'sql_cat_null_count';
CREATE FUNCTION cat_other_count(c cat) RETURNS float8
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20 AS 'MODULE_PATHNAME', 'sql_cat_other_count';
CREATE FUNCTION cat_count_error(c cat) RETURNS float8
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20 AS 'MODULE_PATHNAME', 'sql_cat_count_error';
CREATE FUNCTION cat_counts(c cat, OUT key text, OUT count float8, OUT max_count float8)
	RETURNS SETOF record
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100 ROWS 50 AS 'MODULE_PATHNAME', 'sql_cat_counts';

COMMENT ON FUNCTION cat_count(c cat) IS 'weight of all values but NULL: their number, where weights are one';
COMMENT ON FUNCTION cat_effective_count(c cat) IS 'number of equally weighted values that would tell as much: (sum of weights)^2 / sum of squared weights';
COMMENT ON FUNCTION cat_clustered(c cat, cluster_size float8) IS 'the same values, told to come in clusters (the calls of a trace) of which each tells no more than one observation: the effective count, and with it what drift makes of them, is divided by cluster_size, the sum of squared cluster weights by that of squared weights, NULL values included';
COMMENT ON FUNCTION cat_null_count(c cat) IS 'weight of the NULL values';
COMMENT ON FUNCTION cat_other_count(c cat) IS 'weight that is counted in no key; 0 while all keys are exact';
COMMENT ON FUNCTION cat_count_error(c cat) IS 'a key''s count is too low by at most this weight; 0 while all keys are exact';
COMMENT ON FUNCTION cat_counts(c cat) IS 'the keys, most frequent first: the true weight is between count and max_count; what is counted in no key comes last, with key NULL';
