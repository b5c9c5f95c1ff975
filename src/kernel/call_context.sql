-- What stands around calls of models and tools.

CREATE FUNCTION call_context(t trajectory) RETURNS TABLE (
	ordinal integer,
	request_count integer,
	before_request_ms double precision,
	resent_ms double precision,
	after_request_ms double precision,
	tool_count integer,
	is_last boolean
)
	AS 'MODULE_PATHNAME', 'trajectory_call_context' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 500 ROWS 15;
COMMENT ON FUNCTION call_context(trajectory) IS
'One row a model call: the client requests below it (request_count), the time before the first, from the start of the first to that of the last (more than 0 if it was sent again), and after the last, in milliseconds, NULL without requests; how many tools and agents its agent ran before its next model call, and is it the agent''s last?';

CREATE FUNCTION call_attempts(t trajectory) RETURNS TABLE (
	ordinal integer,
	span_id text,
	call integer,
	attempt integer,
	attempt_count integer,
	attempt_source text,
	is_hedge boolean,
	is_last boolean,
	is_call_success boolean,
	name text,
	kind text,
	tool_name text,
	provider text,
	model text,
	started_at timestamptz,
	span_started_at timestamptz,
	span_ended_at timestamptz,
	duration_ms double precision,
	is_error boolean,
	error_type text,
	agent_name text
)
	AS 'MODULE_PATHNAME', 'trajectory_call_attempts' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 2000 ROWS 15;
COMMENT ON FUNCTION call_attempts(trajectory) IS
'One row an attempt at a call of a model, a retrieval or a tool, with what came of the call: attempts of one call have its number; is_last, the attempt that ended last; is_call_success, some attempt did not fail. attempt_count may be more than the attempts there are, where a number is recorded. agent_name is its own, else that of the nearest span above. How attempts are told: logical_calls.';

CREATE FUNCTION fanout(t trajectory) RETURNS TABLE (
	max_width integer,
	max_in_flight integer,
	model_call_count bigint,
	tool_call_count bigint,
	branching_mean double precision,
	peak_tokens_per_minute bigint
)
	AS 'MODULE_PATHNAME', 'trajectory_fanout' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000 ROWS 1;
COMMENT ON FUNCTION fanout(trajectory) IS
'How far a trace fans out: most spans on one level of the tree, most calls (of models, retrievals, tools; those with none below) at one moment, model and tool calls, mean number of children of a span that has some, and most tokens of calls that began within a minute of each other.';
