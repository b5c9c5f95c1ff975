-- Type profile: where the time of a cohort of traces goes.

CREATE TYPE profile;

CREATE FUNCTION profile_in(cstring) RETURNS profile
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 200 AS 'MODULE_PATHNAME', 'sql_profile_in';
CREATE FUNCTION profile_out(profile) RETURNS cstring
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 200 AS 'MODULE_PATHNAME', 'sql_profile_out';
CREATE FUNCTION profile_recv(internal) RETURNS profile
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 200 AS 'MODULE_PATHNAME', 'sql_profile_recv';
CREATE FUNCTION profile_send(profile) RETURNS bytea
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1 AS 'MODULE_PATHNAME', 'sql_state_send';

CREATE TYPE profile (
	INPUT = profile_in, OUTPUT = profile_out, RECEIVE = profile_recv, SEND = profile_send,
	INTERNALLENGTH = VARIABLE, ALIGNMENT = int4, STORAGE = extended
);

COMMENT ON TYPE profile IS 'where the time of a cohort of traces goes, by the path of span names from the root: calls, errors, self, total and critical time, own tokens, reported cost of each path';
COMMENT ON FUNCTION profile_in(cstring) IS 'input of type profile: a JSON object as profile_out writes it';
COMMENT ON FUNCTION profile_out(profile) IS 'output of type profile: a JSON object that reads back as the same value, times in nanoseconds';
COMMENT ON FUNCTION profile_recv(internal) IS 'binary input of type profile, validated';
COMMENT ON FUNCTION profile_send(profile) IS 'binary output of type profile: the same bytes on every machine, equal for equal values';

-- Operators

CREATE FUNCTION profile_eq(profile, profile) RETURNS boolean
	LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE COST 1 AS 'MODULE_PATHNAME', 'sql_state_eq';
CREATE FUNCTION profile_ne(profile, profile) RETURNS boolean
	LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE COST 1 AS 'MODULE_PATHNAME', 'sql_state_ne';
CREATE FUNCTION profile_merge(a profile, b profile) RETURNS profile
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 200 AS 'MODULE_PATHNAME', 'sql_profile_merge';
CREATE FUNCTION profile_subtract(a profile, b profile) RETURNS profile
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 200 AS 'MODULE_PATHNAME', 'sql_profile_subtract';

CREATE OPERATOR = (
	FUNCTION = profile_eq, LEFTARG = profile, RIGHTARG = profile,
	COMMUTATOR = =, NEGATOR = <>, RESTRICT = eqsel, JOIN = eqjoinsel
);
CREATE OPERATOR <> (
	FUNCTION = profile_ne, LEFTARG = profile, RIGHTARG = profile,
	COMMUTATOR = <>, NEGATOR = =, RESTRICT = neqsel, JOIN = neqjoinsel
);
CREATE OPERATOR + (
	FUNCTION = profile_merge, LEFTARG = profile, RIGHTARG = profile, COMMUTATOR = +
);
CREATE OPERATOR - (
	FUNCTION = profile_subtract, LEFTARG = profile, RIGHTARG = profile
);

COMMENT ON FUNCTION profile_eq(profile, profile) IS 'are the two the same to the byte';
COMMENT ON FUNCTION profile_ne(profile, profile) IS 'do the two differ';
COMMENT ON FUNCTION profile_merge(a profile, b profile) IS 'the profile of the traces of both';
COMMENT ON FUNCTION profile_subtract(a profile, b profile) IS 'a without the traces of b, which must be part of it: exact';
COMMENT ON OPERATOR = (profile, profile) IS 'are the two the same to the byte';
COMMENT ON OPERATOR <> (profile, profile) IS 'do the two differ';
COMMENT ON OPERATOR + (profile, profile) IS 'the profile of the traces of both (profile_merge)';
COMMENT ON OPERATOR - (profile, profile) IS 'a profile without a part of its traces (profile_subtract)';

-- Aggregates

CREATE FUNCTION profile_agg_trans(internal, trajectory) RETURNS internal
	LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000 AS 'MODULE_PATHNAME', 'sql_profile_agg_trans';
CREATE FUNCTION profile_agg_trans(internal, trajectory, double precision) RETURNS internal
	LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000 AS 'MODULE_PATHNAME', 'sql_profile_agg_trans';
CREATE FUNCTION profile_merge_agg_trans(internal, profile) RETURNS internal
	LANGUAGE C IMMUTABLE PARALLEL SAFE COST 200 AS 'MODULE_PATHNAME', 'sql_profile_merge_agg_trans';
CREATE FUNCTION profile_agg_combine(internal, internal) RETURNS internal
	LANGUAGE C IMMUTABLE PARALLEL SAFE COST 200 AS 'MODULE_PATHNAME', 'sql_profile_agg_combine';
CREATE FUNCTION profile_agg_serial(internal) RETURNS bytea
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 200 AS 'MODULE_PATHNAME', 'sql_profile_agg_serial';
CREATE FUNCTION profile_agg_deserial(bytea, internal) RETURNS internal
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 200 AS 'MODULE_PATHNAME', 'sql_profile_agg_deserial';
CREATE FUNCTION profile_agg_final(internal) RETURNS profile
	LANGUAGE C IMMUTABLE PARALLEL SAFE COST 200 AS 'MODULE_PATHNAME', 'sql_profile_agg_final';

COMMENT ON FUNCTION profile_agg_trans(internal, trajectory) IS 'internal: transition of profile_agg';
COMMENT ON FUNCTION profile_agg_trans(internal, trajectory, double precision) IS 'internal: transition of profile_agg';
COMMENT ON FUNCTION profile_merge_agg_trans(internal, profile) IS 'internal: transition of profile_merge_agg';
COMMENT ON FUNCTION profile_agg_combine(internal, internal) IS 'internal: combines states of profile_agg';
COMMENT ON FUNCTION profile_agg_serial(internal) IS 'internal: a state of profile_agg as bytes';
COMMENT ON FUNCTION profile_agg_deserial(bytea, internal) IS 'internal: a state of profile_agg from bytes';
COMMENT ON FUNCTION profile_agg_final(internal) IS 'internal: the result of profile_agg';

CREATE AGGREGATE profile_agg(t trajectory) (
	SFUNC = profile_agg_trans, STYPE = internal, SSPACE = 65536, FINALFUNC = profile_agg_final,
	COMBINEFUNC = profile_agg_combine, SERIALFUNC = profile_agg_serial, DESERIALFUNC = profile_agg_deserial,
	PARALLEL = SAFE
);
CREATE AGGREGATE profile_agg(t trajectory, weight double precision) (
	SFUNC = profile_agg_trans, STYPE = internal, SSPACE = 65536, FINALFUNC = profile_agg_final,
	COMBINEFUNC = profile_agg_combine, SERIALFUNC = profile_agg_serial, DESERIALFUNC = profile_agg_deserial,
	PARALLEL = SAFE
);
CREATE AGGREGATE profile_merge_agg(p profile) (
	SFUNC = profile_merge_agg_trans, STYPE = internal, SSPACE = 65536, FINALFUNC = profile_agg_final,
	COMBINEFUNC = profile_agg_combine, SERIALFUNC = profile_agg_serial, DESERIALFUNC = profile_agg_deserial,
	PARALLEL = SAFE
);

COMMENT ON AGGREGATE profile_agg(trajectory) IS
'The profile of all trajectories: of each path of span names the calls, errors, self, total and critical time, own tokens and reported cost. Critical is as critical_path has it by default. The same to the byte in any order. Levels below 128 are one frame, named with an ellipsis.';
COMMENT ON AGGREGATE profile_agg(trajectory, double precision) IS
'The same, each trajectory counted by its weight, such as the sample weight; a NULL weight counts as one.';
COMMENT ON AGGREGATE profile_merge_agg(profile) IS 'the profile of the traces of all profiles';

-- Questions

CREATE FUNCTION profile_trace_count(p profile) RETURNS double precision
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100 AS 'MODULE_PATHNAME', 'sql_profile_trace_count';
COMMENT ON FUNCTION profile_trace_count(profile) IS 'number of traces, or their weight';

CREATE FUNCTION frames(p profile) RETURNS TABLE (
	id integer,
	parent integer,
	depth integer,
	name text,
	kind text,
	path text,
	calls double precision,
	self_ms double precision,
	total_ms double precision,
	critical_ms double precision,
	critical_share double precision,
	error_count double precision,
	input_tokens double precision,
	output_tokens double precision,
	reported_cost_usd double precision
)
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 500 ROWS 100 AS 'MODULE_PATHNAME', 'sql_profile_frames';
COMMENT ON FUNCTION frames(profile) IS
'One row a path of span names, depth first, in milliseconds summed over all traces: self_ms, in which no child ran; total_ms, from start to end; critical_ms, owned on the critical path, and its share of all of it (they add up to 1). Tokens are own usage, cost is as reported. Example: SELECT path, critical_share FROM llmtrace.frames((SELECT llmtrace.profile_agg(trajectory) FROM llmtrace.trajectories)) ORDER BY critical_share DESC';

CREATE FUNCTION profile_diff(a profile, b profile) RETURNS TABLE (
	id integer,
	parent integer,
	depth integer,
	name text,
	kind text,
	path text,
	calls_a double precision,
	calls_b double precision,
	self_ms_a double precision,
	self_ms_b double precision,
	critical_ms_a double precision,
	critical_ms_b double precision,
	critical_change_ms double precision,
	error_count_a double precision,
	error_count_b double precision
)
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 500 ROWS 100 AS 'MODULE_PATHNAME', 'sql_profile_diff';
COMMENT ON FUNCTION profile_diff(profile, profile) IS
'One row a path of span names that a or b has, depth first; all figures are a trace, times in milliseconds. critical_change_ms adds up to the change of the mean duration.';
