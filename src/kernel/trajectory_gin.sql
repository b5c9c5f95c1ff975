-- The index: GIN operator class trajectory_ops.

CREATE FUNCTION tracequery_keys(q tracequery) RETURNS text
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION tracequery_keys(tracequery) IS
'what an index of class trajectory_ops is asked for a query; everything, if the index is of no use';

CREATE FUNCTION trajectory_gin_extract_value(trajectory, internal) RETURNS internal
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000;
CREATE FUNCTION trajectory_gin_extract_query(tracequery, internal, int2, internal, internal, internal, internal) RETURNS internal
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
CREATE FUNCTION trajectory_gin_consistent(internal, int2, tracequery, int4, internal, internal, internal, internal) RETURNS boolean
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION trajectory_gin_triconsistent(internal, int2, tracequery, int4, internal, internal, internal) RETURNS "char"
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION trajectory_gin_extract_value(trajectory, internal) IS 'internal: keys of a trajectory';
COMMENT ON FUNCTION trajectory_gin_extract_query(tracequery, internal, int2, internal, internal, internal, internal) IS 'internal: keys of a query';
COMMENT ON FUNCTION trajectory_gin_consistent(internal, int2, tracequery, int4, internal, internal, internal, internal) IS 'internal: may a trajectory with these keys match?';
COMMENT ON FUNCTION trajectory_gin_triconsistent(internal, int2, tracequery, int4, internal, internal, internal) IS 'internal: may a trajectory with some of these keys match?';

CREATE OPERATOR CLASS trajectory_ops DEFAULT FOR TYPE trajectory USING gin AS
	OPERATOR 1 @@ (trajectory, tracequery),
	FUNCTION 1 pg_catalog.btint8cmp(bigint, bigint),
	FUNCTION 2 trajectory_gin_extract_value(trajectory, internal),
	FUNCTION 3 trajectory_gin_extract_query(tracequery, internal, int2, internal, internal, internal, internal),
	FUNCTION 4 trajectory_gin_consistent(internal, int2, tracequery, int4, internal, internal, internal, internal),
	FUNCTION 6 trajectory_gin_triconsistent(internal, int2, tracequery, int4, internal, internal, internal),
	STORAGE bigint;
COMMENT ON OPERATOR CLASS trajectory_ops USING gin IS
'finds traces by names, failures, edges, attributes, canonical columns, and largest durations, tokens and costs of their spans';
