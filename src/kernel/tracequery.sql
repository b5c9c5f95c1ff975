-- The tracequery type: structure and attributes of spans in one expression.

CREATE TYPE tracequery;

CREATE FUNCTION tracequery_in(cstring) RETURNS tracequery
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
CREATE FUNCTION tracequery_out(tracequery) RETURNS cstring
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 5;
CREATE FUNCTION tracequery_recv(internal) RETURNS tracequery
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
CREATE FUNCTION tracequery_send(tracequery) RETURNS bytea
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 5;

CREATE TYPE tracequery (
	INPUT = tracequery_in,
	OUTPUT = tracequery_out,
	RECEIVE = tracequery_recv,
	SEND = tracequery_send,
	INTERNALLENGTH = VARIABLE,
	ALIGNMENT = int4,
	STORAGE = extended
);

COMMENT ON TYPE tracequery IS
'a question about the spans of a trace, in TraceQL: { kind = agent } >> { name = "search" && status = error }';
COMMENT ON FUNCTION tracequery_in(cstring) IS 'text input';
COMMENT ON FUNCTION tracequery_out(tracequery) IS 'text output';
COMMENT ON FUNCTION tracequery_recv(internal) IS 'binary input';
COMMENT ON FUNCTION tracequery_send(tracequery) IS 'binary output';

CREATE FUNCTION tracequery_eq(tracequery, tracequery) RETURNS boolean
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF COST 1;
CREATE FUNCTION tracequery_ne(tracequery, tracequery) RETURNS boolean
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF COST 1;
COMMENT ON FUNCTION tracequery_eq(tracequery, tracequery) IS 'implementation of operator =';
COMMENT ON FUNCTION tracequery_ne(tracequery, tracequery) IS 'implementation of operator <>';

CREATE OPERATOR = (
	LEFTARG = tracequery, RIGHTARG = tracequery, FUNCTION = tracequery_eq,
	COMMUTATOR = =, NEGATOR = <>, RESTRICT = eqsel, JOIN = eqjoinsel
);
CREATE OPERATOR <> (
	LEFTARG = tracequery, RIGHTARG = tracequery, FUNCTION = tracequery_ne,
	COMMUTATOR = <>, NEGATOR = =, RESTRICT = neqsel, JOIN = neqjoinsel
);
COMMENT ON OPERATOR = (tracequery, tracequery) IS 'same query, as written in its canonical form?';
COMMENT ON OPERATOR <> (tracequery, tracequery) IS 'different query, as written in its canonical form?';

-- Asking.  The planner is told how many traces will match, and what it costs.

CREATE FUNCTION tracequery_sel(internal, oid, internal, integer) RETURNS double precision
	AS 'MODULE_PATHNAME' LANGUAGE C STABLE STRICT PARALLEL SAFE;
CREATE FUNCTION tracequery_support(internal) RETURNS internal
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION trajectory_typanalyze(internal) RETURNS boolean
	AS 'MODULE_PATHNAME' LANGUAGE C STRICT;
COMMENT ON FUNCTION tracequery_sel(internal, oid, internal, integer) IS 'internal: selectivity of @@';
COMMENT ON FUNCTION tracequery_support(internal) IS 'internal: selectivity, cost and index condition of matches';
COMMENT ON FUNCTION trajectory_typanalyze(internal) IS 'internal: statistics of trajectories';

ALTER TYPE trajectory SET (ANALYZE = trajectory_typanalyze);

CREATE FUNCTION matches(t trajectory, q tracequery) RETURNS boolean
	AS 'MODULE_PATHNAME', 'tracequery_matches_trajectory' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF COST 200 SUPPORT tracequery_support;
CREATE FUNCTION matches(q tracequery, t trajectory) RETURNS boolean
	AS 'MODULE_PATHNAME', 'tracequery_matched_by_trajectory' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF COST 200 SUPPORT tracequery_support;
COMMENT ON FUNCTION matches(trajectory, tracequery) IS 'does the query find any span of the trace? The operator is @@.';
COMMENT ON FUNCTION matches(tracequery, trajectory) IS 'does the query find any span of the trace? The operator is @@.';

CREATE FUNCTION find_spans(t trajectory, q tracequery) RETURNS TABLE (
	ordinal integer,
	span_id text,
	spanset integer
)
	AS 'MODULE_PATHNAME', 'tracequery_find_spans' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 500 ROWS 5;
COMMENT ON FUNCTION find_spans(trajectory, tracequery) IS
'One row a span that the query finds, in preorder; ordinal is that of spans(). spanset counts sets of spans, of which a trace has one.';

CREATE FUNCTION match_count(t trajectory, q tracequery) RETURNS bigint
	AS 'MODULE_PATHNAME', 'tracequery_match_count' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 200;
COMMENT ON FUNCTION match_count(trajectory, tracequery) IS 'number of spans that the query finds';

CREATE FUNCTION prune(t trajectory, q tracequery) RETURNS trajectory
	AS 'MODULE_PATHNAME', 'tracequery_prune' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION prune(trajectory, tracequery) IS
'the trace with only the spans that the query finds and those above them; NULL if it finds none';

CREATE OPERATOR @@ (
	LEFTARG = trajectory, RIGHTARG = tracequery, FUNCTION = matches,
	COMMUTATOR = @@, RESTRICT = tracequery_sel, JOIN = contjoinsel
);
CREATE OPERATOR @@ (
	LEFTARG = tracequery, RIGHTARG = trajectory, FUNCTION = matches,
	COMMUTATOR = @@, RESTRICT = tracequery_sel, JOIN = contjoinsel
);
COMMENT ON OPERATOR @@ (trajectory, tracequery) IS 'does the query find any span of the trace?';
COMMENT ON OPERATOR @@ (tracequery, trajectory) IS 'does the query find any span of the trace?';
