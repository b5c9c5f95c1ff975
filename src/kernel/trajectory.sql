-- The trajectory type: one trace as a value.

DO $$
BEGIN
	IF pg_catalog.getdatabaseencoding() <> 'UTF8' THEN
		RAISE EXCEPTION 'llmtrace needs a database with encoding UTF8'
			USING ERRCODE = 'feature_not_supported',
				  DETAIL = pg_catalog.format('This database has encoding %s.', pg_catalog.getdatabaseencoding()),
				  HINT = 'Create one with CREATE DATABASE name ENCODING ''UTF8'' TEMPLATE template0.';
	END IF;
END
$$;

CREATE TYPE trajectory;

CREATE FUNCTION trajectory_in(cstring) RETURNS trajectory
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000;
CREATE FUNCTION trajectory_out(trajectory) RETURNS cstring
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000;
CREATE FUNCTION trajectory_recv(internal) RETURNS trajectory
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000;
CREATE FUNCTION trajectory_send(trajectory) RETURNS bytea
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000;

CREATE TYPE trajectory (
	INPUT = trajectory_in,
	OUTPUT = trajectory_out,
	RECEIVE = trajectory_recv,
	SEND = trajectory_send,
	INTERNALLENGTH = VARIABLE,
	ALIGNMENT = int4,
	STORAGE = main
);

COMMENT ON TYPE trajectory IS 'one trace: an ordered forest of spans with attributes, events and links';
COMMENT ON FUNCTION trajectory_in(cstring) IS 'text input';
COMMENT ON FUNCTION trajectory_out(trajectory) IS 'text output';
COMMENT ON FUNCTION trajectory_recv(internal) IS 'binary input';
COMMENT ON FUNCTION trajectory_send(trajectory) IS 'binary output';

-- Comparison: by trace id, then by content.

CREATE FUNCTION trajectory_eq(trajectory, trajectory) RETURNS boolean
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF COST 50;
CREATE FUNCTION trajectory_ne(trajectory, trajectory) RETURNS boolean
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF COST 50;
CREATE FUNCTION trajectory_lt(trajectory, trajectory) RETURNS boolean
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF COST 50;
CREATE FUNCTION trajectory_le(trajectory, trajectory) RETURNS boolean
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF COST 50;
CREATE FUNCTION trajectory_gt(trajectory, trajectory) RETURNS boolean
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF COST 50;
CREATE FUNCTION trajectory_ge(trajectory, trajectory) RETURNS boolean
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF COST 50;
CREATE FUNCTION trajectory_cmp(trajectory, trajectory) RETURNS integer
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF COST 50;
CREATE FUNCTION trajectory_hash(trajectory) RETURNS integer
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF COST 5;
CREATE FUNCTION trajectory_hash_extended(trajectory, bigint) RETURNS bigint
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF COST 5;

COMMENT ON FUNCTION trajectory_eq(trajectory, trajectory) IS 'implementation of operator =';
COMMENT ON FUNCTION trajectory_ne(trajectory, trajectory) IS 'implementation of operator <>';
COMMENT ON FUNCTION trajectory_lt(trajectory, trajectory) IS 'implementation of operator <';
COMMENT ON FUNCTION trajectory_le(trajectory, trajectory) IS 'implementation of operator <=';
COMMENT ON FUNCTION trajectory_gt(trajectory, trajectory) IS 'implementation of operator >';
COMMENT ON FUNCTION trajectory_ge(trajectory, trajectory) IS 'implementation of operator >=';
COMMENT ON FUNCTION trajectory_cmp(trajectory, trajectory) IS 'less than, equal to or greater than 0: order by trace id, then by content';
COMMENT ON FUNCTION trajectory_hash(trajectory) IS 'hash of the content';
COMMENT ON FUNCTION trajectory_hash_extended(trajectory, bigint) IS 'hash of the content, with a seed';

CREATE OPERATOR = (
	LEFTARG = trajectory, RIGHTARG = trajectory, FUNCTION = trajectory_eq,
	COMMUTATOR = =, NEGATOR = <>, RESTRICT = eqsel, JOIN = eqjoinsel, HASHES, MERGES
);
CREATE OPERATOR <> (
	LEFTARG = trajectory, RIGHTARG = trajectory, FUNCTION = trajectory_ne,
	COMMUTATOR = <>, NEGATOR = =, RESTRICT = neqsel, JOIN = neqjoinsel
);
CREATE OPERATOR < (
	LEFTARG = trajectory, RIGHTARG = trajectory, FUNCTION = trajectory_lt,
	COMMUTATOR = >, NEGATOR = >=, RESTRICT = scalarltsel, JOIN = scalarltjoinsel
);
CREATE OPERATOR <= (
	LEFTARG = trajectory, RIGHTARG = trajectory, FUNCTION = trajectory_le,
	COMMUTATOR = >=, NEGATOR = >, RESTRICT = scalarlesel, JOIN = scalarlejoinsel
);
CREATE OPERATOR > (
	LEFTARG = trajectory, RIGHTARG = trajectory, FUNCTION = trajectory_gt,
	COMMUTATOR = <, NEGATOR = <=, RESTRICT = scalargtsel, JOIN = scalargtjoinsel
);
CREATE OPERATOR >= (
	LEFTARG = trajectory, RIGHTARG = trajectory, FUNCTION = trajectory_ge,
	COMMUTATOR = <=, NEGATOR = <, RESTRICT = scalargesel, JOIN = scalargejoinsel
);

COMMENT ON OPERATOR = (trajectory, trajectory) IS 'same content? As a function: trajectory_eq.';
COMMENT ON OPERATOR <> (trajectory, trajectory) IS 'different content?';
COMMENT ON OPERATOR < (trajectory, trajectory) IS 'before, by trace id, then by content?';
COMMENT ON OPERATOR <= (trajectory, trajectory) IS 'before or equal, by trace id, then by content?';
COMMENT ON OPERATOR > (trajectory, trajectory) IS 'after, by trace id, then by content?';
COMMENT ON OPERATOR >= (trajectory, trajectory) IS 'after or equal, by trace id, then by content?';

CREATE OPERATOR CLASS trajectory_btree_ops DEFAULT FOR TYPE trajectory USING btree AS
	OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >,
	FUNCTION 1 trajectory_cmp(trajectory, trajectory);
CREATE OPERATOR CLASS trajectory_hash_ops DEFAULT FOR TYPE trajectory USING hash AS
	OPERATOR 1 =,
	FUNCTION 1 trajectory_hash(trajectory),
	FUNCTION 2 trajectory_hash_extended(trajectory, bigint);

COMMENT ON OPERATOR CLASS trajectory_btree_ops USING btree IS 'order by trace id, then by content';
COMMENT ON OPERATOR CLASS trajectory_hash_ops USING hash IS 'hash of the content';

-- Merging and taking apart.

CREATE FUNCTION merge(a trajectory, b trajectory) RETURNS trajectory
	AS 'MODULE_PATHNAME', 'trajectory_merge' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 2000;
COMMENT ON FUNCTION merge(trajectory, trajectory) IS
'The spans of both, which must be of one trace. Of a span that is in both, the closed one stays, then the one with more attributes (derived ones count). Merging is idempotent, commutative and associative. The operator is ||.';

CREATE OPERATOR || (
	LEFTARG = trajectory, RIGHTARG = trajectory, FUNCTION = merge, COMMUTATOR = ||
);
COMMENT ON OPERATOR || (trajectory, trajectory) IS 'the spans of both, merged by span id';

CREATE FUNCTION subtree(t trajectory, ordinal integer) RETURNS trajectory
	AS 'MODULE_PATHNAME', 'trajectory_subtree' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION subtree(trajectory, integer) IS
'A span, by its ordinal (from 1, in preorder), and all spans below it. It keeps the id of its parent, so it shows as an orphan.';

-- Accessors.  Those that read the header alone are cheap.

CREATE FUNCTION trace_id(t trajectory) RETURNS uuid
	AS 'MODULE_PATHNAME', 'trajectory_trace_id' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 5;
COMMENT ON FUNCTION trace_id(trajectory) IS 'id of the trace';

CREATE FUNCTION started_at(t trajectory) RETURNS timestamptz
	AS 'MODULE_PATHNAME', 'trajectory_started_at' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 5;
COMMENT ON FUNCTION started_at(trajectory) IS 'earliest start of a span';

CREATE FUNCTION ended_at(t trajectory) RETURNS timestamptz
	AS 'MODULE_PATHNAME', 'trajectory_ended_at' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 5;
COMMENT ON FUNCTION ended_at(trajectory) IS 'latest end of a span; NULL while a root is open';

CREATE FUNCTION duration_ms(t trajectory) RETURNS double precision
	AS 'MODULE_PATHNAME', 'trajectory_duration_ms' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 5;
COMMENT ON FUNCTION duration_ms(trajectory) IS 'milliseconds from the earliest start to the latest end; NULL while a root is open';

CREATE FUNCTION span_count(t trajectory) RETURNS bigint
	AS 'MODULE_PATHNAME', 'trajectory_span_count' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 5;
COMMENT ON FUNCTION span_count(trajectory) IS 'number of spans';

CREATE FUNCTION error_count(t trajectory) RETURNS bigint
	AS 'MODULE_PATHNAME', 'trajectory_error_count' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 5;
COMMENT ON FUNCTION error_count(trajectory) IS
'number of spans that failed: by status, or, where that is unset, by error type, exception event, level or HTTP status';

CREATE FUNCTION input_tokens(t trajectory) RETURNS bigint
	AS 'MODULE_PATHNAME', 'trajectory_input_tokens' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 5;
COMMENT ON FUNCTION input_tokens(trajectory) IS
'input tokens (cached ones included), each model call counted once; NULL if none were reported';

CREATE FUNCTION output_tokens(t trajectory) RETURNS bigint
	AS 'MODULE_PATHNAME', 'trajectory_output_tokens' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 5;
COMMENT ON FUNCTION output_tokens(trajectory) IS
'output tokens (reasoning included), each model call counted once; NULL if none were reported';

CREATE FUNCTION is_complete(t trajectory) RETURNS boolean
	AS 'MODULE_PATHNAME', 'trajectory_is_complete' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 5;
COMMENT ON FUNCTION is_complete(trajectory) IS 'are all parents present and all spans closed?';

CREATE FUNCTION root_name(t trajectory) RETURNS text
	AS 'MODULE_PATHNAME', 'trajectory_root_name' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 200;
COMMENT ON FUNCTION root_name(trajectory) IS 'name of the first root that has no parent, else of the first span whose parent is missing';

CREATE FUNCTION status(t trajectory) RETURNS text
	AS 'MODULE_PATHNAME', 'trajectory_status' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 200;
COMMENT ON FUNCTION status(trajectory) IS 'status of the root: unset, ok or error';

CREATE FUNCTION depth(t trajectory) RETURNS integer
	AS 'MODULE_PATHNAME', 'trajectory_depth' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION depth(trajectory) IS 'levels of the tree; 1 if there are only roots';

CREATE FUNCTION attr(t trajectory, key text) RETURNS text
	AS 'MODULE_PATHNAME', 'trajectory_attr' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 200;
COMMENT ON FUNCTION attr(trajectory, text) IS 'an attribute of the root, else of its resource, as text; NULL if there is none';

-- What a run did, and how it failed.

CREATE FUNCTION show(t trajectory) RETURNS text
	AS 'MODULE_PATHNAME', 'trajectory_show' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION show(trajectory) IS
'The tree drawn for a terminal: start, duration, bar, name, kind, tokens, errors. A bar is full where the trace waited for the span itself, by its critical path, and light elsewhere. Runs of equal siblings are folded, at most 1,000 lines are drawn.';

CREATE FUNCTION path_signature(t trajectory) RETURNS text
	AS 'MODULE_PATHNAME', 'trajectory_path_signature' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION path_signature(trajectory) IS
'Names of the spans in time order, as one line to group by: a > (b, c x3). What is below a span follows it behind >, consecutive equal siblings stand once with their number.';

CREATE FUNCTION failure_signature(t trajectory) RETURNS text
	AS 'MODULE_PATHNAME', 'trajectory_failure_signature' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 500;
COMMENT ON FUNCTION failure_signature(trajectory) IS
'The path from the root to where the failure began (of the failing spans with none failing below them, the one that ended first), as one line to group by: a > b! x3. NULL if nothing failed.';

CREATE FUNCTION to_otlp(t trajectory) RETURNS text
	AS 'MODULE_PATHNAME', 'trajectory_to_otlp' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION to_otlp(trajectory) IS 'the trajectory as OTLP/JSON, an ExportTraceServiceRequest that any collector accepts';

-- Spans as rows.

CREATE FUNCTION wanted_columns_support(internal) RETURNS internal
	AS 'MODULE_PATHNAME' LANGUAGE C STRICT;
COMMENT ON FUNCTION wanted_columns_support(internal) IS
'internal: planner support of functions with a last argument wanted: bit c of it stays set where the query reads column c, counted from 0';

CREATE FUNCTION spans(t trajectory, wanted bigint DEFAULT '-1') RETURNS TABLE (
	trace_id uuid,
	span_id text,
	parent_span_id text,
	ordinal integer,
	parent integer,
	depth integer,
	subtree_count bigint,
	name text,
	kind text,
	operation text,
	span_kind text,
	started_at timestamptz,
	span_started_at timestamptz,
	span_ended_at timestamptz,
	start_ms double precision,
	duration_ms double precision,
	self_ms double precision,
	status text,
	status_message text,
	is_error boolean,
	error_type text,
	is_orphan boolean,
	provider text,
	model text,
	tool_name text,
	tool_call_id text,
	attempt integer,
	usage_scope text,
	input_tokens bigint,
	output_tokens bigint,
	reasoning_tokens bigint,
	cache_read_tokens bigint,
	cache_write_tokens bigint,
	reported_input_tokens bigint,
	reported_output_tokens bigint,
	reported_cost_usd numeric,
	prompt_hash text
)
	AS 'MODULE_PATHNAME', 'trajectory_spans' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000 ROWS 50
	SUPPORT wanted_columns_support;
COMMENT ON FUNCTION spans(trajectory, bigint) IS
'One row a span, in preorder; ordinal, parent and depth count from 1. started_at is the trace''s start, start_ms is from there. Token columns are a span''s own usage, NULL where its descendants report it again, so that a sum is right; reported_* is what the span itself says. prompt_hash names the system text and the tools of a model call (of an agent only if it has system text), NULL where neither is recorded: 16 hexadecimal digits, the first 64 bits of a SHA-256; the same for the same text and tools, whatever instrumentation recorded them. Beside a table with columns of the same names, give it an alias: spans(t) AS s. Only columns that the query reads are computed: the planner says so in wanted, which is not to be given.';

CREATE FUNCTION span_attributes(t trajectory, ordinal integer) RETURNS jsonb
	AS 'MODULE_PATHNAME', 'trajectory_span_attributes' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 200;
COMMENT ON FUNCTION span_attributes(trajectory, integer) IS 'the attributes of a span, by its ordinal (from 1; an error if there is no such span)';

CREATE FUNCTION span_events(t trajectory, ordinal integer) RETURNS jsonb
	AS 'MODULE_PATHNAME', 'trajectory_span_events' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 200;
COMMENT ON FUNCTION span_events(trajectory, integer) IS
'the events of a span, by its ordinal: an array of {"time_ns", "name", "attributes"}, time in nanoseconds since 1970';

CREATE FUNCTION span_links(t trajectory, ordinal integer) RETURNS jsonb
	AS 'MODULE_PATHNAME', 'trajectory_span_links' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 200;
COMMENT ON FUNCTION span_links(trajectory, integer) IS
'the links of a span, by its ordinal: an array of {"trace_id", "span_id", "attributes"}';

CREATE FUNCTION logical_calls(t trajectory) RETURNS TABLE (
	call integer,
	ordinal integer,
	attempt integer,
	attempt_source text,
	is_hedge boolean
)
	AS 'MODULE_PATHNAME', 'trajectory_logical_calls' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000 ROWS 20;
COMMENT ON FUNCTION logical_calls(trajectory) IS
'One row a model, retrieval or tool call: attempts at one thing have one call number. attempt counts from 1; attempt_source is attribute (the call''s own, or http.request.resend_count of HTTP spans below it), event, inferred (same parent, kind, name, tool and arguments after a failure) or none; a hedge began while an earlier attempt ran.';

-- Aggregates.  Their state is a set of spans; on the wire, a trajectory.

CREATE FUNCTION trajectory_merge_transfn(internal, trajectory) RETURNS internal
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 500;
CREATE FUNCTION trajectory_rows_transfn(internal, uuid, text, text, text, timestamptz, timestamptz, text, text, jsonb) RETURNS internal
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 10;
CREATE FUNCTION trajectory_rows_ns_transfn(internal, uuid, text, text, text, bigint, bigint, text, text, jsonb) RETURNS internal
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 10;
CREATE FUNCTION trajectory_agg_combine(internal, internal) RETURNS internal
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000;
CREATE FUNCTION trajectory_agg_serialize(internal) RETURNS bytea
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000;
CREATE FUNCTION trajectory_agg_deserialize(bytea, internal) RETURNS internal
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000;
CREATE FUNCTION trajectory_agg_final(internal) RETURNS trajectory
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000;

COMMENT ON FUNCTION trajectory_merge_transfn(internal, trajectory) IS 'internal: transition of merge_agg';
COMMENT ON FUNCTION trajectory_rows_transfn(internal, uuid, text, text, text, timestamptz, timestamptz, text, text, jsonb) IS 'internal: transition of trajectory_agg';
COMMENT ON FUNCTION trajectory_rows_ns_transfn(internal, uuid, text, text, text, bigint, bigint, text, text, jsonb) IS 'internal: transition of trajectory_agg, times in nanoseconds';
COMMENT ON FUNCTION trajectory_agg_combine(internal, internal) IS 'internal: combines states of merge_agg and trajectory_agg';
COMMENT ON FUNCTION trajectory_agg_serialize(internal) IS 'internal: a state as bytes';
COMMENT ON FUNCTION trajectory_agg_deserialize(bytea, internal) IS 'internal: a state from bytes';
COMMENT ON FUNCTION trajectory_agg_final(internal) IS 'internal: the result of merge_agg and trajectory_agg';

CREATE AGGREGATE merge_agg(trajectory) (
	STYPE = internal,
	SSPACE = 16384,
	SFUNC = trajectory_merge_transfn,
	COMBINEFUNC = trajectory_agg_combine,
	SERIALFUNC = trajectory_agg_serialize,
	DESERIALFUNC = trajectory_agg_deserialize,
	FINALFUNC = trajectory_agg_final,
	FINALFUNC_MODIFY = READ_ONLY,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE merge_agg(trajectory) IS 'the trajectories of one trace, merged as by ||; NULLs are left out';

CREATE AGGREGATE trajectory_agg(
	trace_id uuid, span_id text, parent_span_id text, name text,
	started_at timestamptz, ended_at timestamptz, span_kind text, status text, attributes jsonb) (
	STYPE = internal,
	SSPACE = 16384,
	SFUNC = trajectory_rows_transfn,
	COMBINEFUNC = trajectory_agg_combine,
	SERIALFUNC = trajectory_agg_serialize,
	DESERIALFUNC = trajectory_agg_deserialize,
	FINALFUNC = trajectory_agg_final,
	FINALFUNC_MODIFY = READ_ONLY,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE trajectory_agg(uuid, text, text, text, timestamptz, timestamptz, text, text, jsonb) IS
'A trajectory from the rows of a table of spans, for each trace: GROUP BY the trace id. The arguments are, in this order: trace id, span id and parent span id (hexadecimal), name, start, end, span kind, status, attributes. A NULL parent is a root, a NULL end an open span.';

CREATE AGGREGATE trajectory_agg(
	trace_id uuid, span_id text, parent_span_id text, name text,
	start_ns bigint, end_ns bigint, span_kind text, status text, attributes jsonb) (
	STYPE = internal,
	SSPACE = 16384,
	SFUNC = trajectory_rows_ns_transfn,
	COMBINEFUNC = trajectory_agg_combine,
	SERIALFUNC = trajectory_agg_serialize,
	DESERIALFUNC = trajectory_agg_deserialize,
	FINALFUNC = trajectory_agg_final,
	FINALFUNC_MODIFY = READ_ONLY,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE trajectory_agg(uuid, text, text, text, bigint, bigint, text, text, jsonb) IS
'A trajectory from the rows of a table of spans, with times in nanoseconds since 1970.';
