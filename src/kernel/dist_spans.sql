-- Distributions over spans, without making rows of them.

CREATE TYPE dist_group AS (value text, dist dist);
COMMENT ON TYPE dist_group IS 'a value of a column and the distribution of the spans that have it; NULL for those that lack the column';

CREATE FUNCTION dist_spans_agg_trans(internal, trajectory, tracequery, text) RETURNS internal
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 500;
CREATE FUNCTION cat_spans_agg_trans(internal, trajectory, tracequery, text) RETURNS internal
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 500;
CREATE FUNCTION dist_spans_by_agg_trans(internal, trajectory, tracequery, text, text) RETURNS internal
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 500;
CREATE FUNCTION dist_spans_by_agg_combine(internal, internal) RETURNS internal
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 500;
CREATE FUNCTION dist_spans_by_agg_serialize(internal) RETURNS bytea
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 500;
CREATE FUNCTION dist_spans_by_agg_deserialize(bytea, internal) RETURNS internal
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 500;
CREATE FUNCTION dist_spans_by_agg_final(internal) RETURNS dist_group[]
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 500;

COMMENT ON FUNCTION dist_spans_agg_trans(internal, trajectory, tracequery, text) IS 'internal: transition of dist_spans_agg';
COMMENT ON FUNCTION cat_spans_agg_trans(internal, trajectory, tracequery, text) IS 'internal: transition of cat_spans_agg';
COMMENT ON FUNCTION dist_spans_by_agg_trans(internal, trajectory, tracequery, text, text) IS 'internal: transition of dist_spans_by_agg';
COMMENT ON FUNCTION dist_spans_by_agg_combine(internal, internal) IS 'internal: combines states of dist_spans_by_agg';
COMMENT ON FUNCTION dist_spans_by_agg_serialize(internal) IS 'internal: a state of dist_spans_by_agg as bytes';
COMMENT ON FUNCTION dist_spans_by_agg_deserialize(bytea, internal) IS 'internal: a state of dist_spans_by_agg from bytes';
COMMENT ON FUNCTION dist_spans_by_agg_final(internal) IS 'internal: the result of dist_spans_by_agg';

CREATE AGGREGATE dist_spans_agg(t trajectory, q tracequery, "column" text) (
	SFUNC = dist_spans_agg_trans, STYPE = internal, SSPACE = 4096, FINALFUNC = dist_agg_final,
	COMBINEFUNC = dist_agg_combine, SERIALFUNC = dist_agg_serial, DESERIALFUNC = dist_agg_deserial,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE dist_spans_agg(trajectory, tracequery, text) IS
'The distribution of a column over the spans that the query finds: duration_ms, self_ms, start_ms, ttft_ms, input_tokens, output_tokens, reasoning_tokens, cache_read_tokens, cache_write_tokens (own usage), reported_cost_usd, depth or subtree_count. Spans without a value are counted apart.';

CREATE AGGREGATE cat_spans_agg(t trajectory, q tracequery, "column" text) (
	SFUNC = cat_spans_agg_trans, STYPE = internal, SSPACE = 2048, FINALFUNC = cat_agg_final,
	COMBINEFUNC = cat_agg_combine, SERIALFUNC = cat_agg_serial, DESERIALFUNC = cat_agg_deserial,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE cat_spans_agg(trajectory, tracequery, text) IS
'The counts of a column over the spans that the query finds: name, kind, operation, span_kind, status, error_type, provider, model, tool_name, agent_name or finish_reason. Spans without a value are counted apart.';

CREATE AGGREGATE dist_spans_by_agg(t trajectory, q tracequery, "column" text, "by" text) (
	SFUNC = dist_spans_by_agg_trans, STYPE = internal, SSPACE = 65536, FINALFUNC = dist_spans_by_agg_final,
	COMBINEFUNC = dist_spans_by_agg_combine, SERIALFUNC = dist_spans_by_agg_serialize,
	DESERIALFUNC = dist_spans_by_agg_deserialize,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE dist_spans_by_agg(trajectory, tracequery, text, text) IS
'As dist_spans_agg, a distribution for each value of another column, one that cat_spans_agg takes: unnest the result, an array of (value, dist) in the order of the values.';
