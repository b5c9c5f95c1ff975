-- One row a trace.

CREATE FUNCTION trace_summary(t trajectory) RETURNS TABLE (
	trace_id uuid,
	root_span_id text,
	root_name text,
	root_kind text,
	started_at timestamptz,
	ended_at timestamptz,
	duration_ms double precision,
	status text,
	is_error boolean,
	error_type text,
	is_complete boolean,
	span_count bigint,
	error_count bigint,
	model_call_count bigint,
	tool_call_count bigint,
	tool_error_count bigint,
	agent_run_count bigint,
	retry_count bigint,
	depth integer,
	input_tokens bigint,
	output_tokens bigint,
	reasoning_tokens bigint,
	cache_read_tokens bigint,
	cache_write_tokens bigint,
	first_model text,
	last_model text,
	service_name text,
	service_version text,
	environment text,
	region text,
	feature text,
	feature_source text,
	tenant_id text,
	user_id text,
	conversation_id text,
	agent_name text,
	prompt_name text,
	prompt_version text,
	prompt_hash text,
	sample_weight double precision
)
	AS 'MODULE_PATHNAME', 'trajectory_trace_summary' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 2000 ROWS 1;
COMMENT ON FUNCTION trace_summary(trajectory) IS
'What one row says of a trace: the columns of the view traces but costs and dims. is_error: the root failed; error_type: the root''s, else that of the first span that failed. Model calls that wrap others are not counted; retries are attempts after the first, hedges left out. feature is a key''s value, else the workflow''s name, else the root agent''s, as feature_source says (attribute, workflow, agent). prompt_* are the root agent''s, else those of the first model call that has any. sample_weight: how many traces this one stands for, NULL if nothing speaks of sampling.';

CREATE FUNCTION short_text(value text) RETURNS text
	AS 'MODULE_PATHNAME', 'short_text_sql' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 2;
COMMENT ON FUNCTION short_text(text) IS
'A text as columns of traces have it: whole up to 255 bytes, else its beginning, an ellipsis and 16 digits of a hash of the whole. Attributes of a trajectory are never cut.';

CREATE FUNCTION model_bills(t trajectory) RETURNS TABLE (
	provider text,
	model text,
	call_count bigint,
	reported_count bigint,
	reported_cost_usd numeric,
	input_tokens bigint,
	output_tokens bigint,
	cache_read_tokens bigint,
	cache_write_tokens bigint,
	reasoning_tokens bigint
)
	AS 'MODULE_PATHNAME', 'trajectory_model_bills' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000 ROWS 3;
COMMENT ON FUNCTION model_bills(trajectory) IS
'What is to be paid for a trace, one row a provider and model: the calls, those that report their cost and its sum in US dollars (to 1e-12), and the tokens of the others in parts that do not overlap, as price lists have them: input that was neither read from nor written to a cache, output that is not reasoning. What agents and wrappers repeat is left out.';

CREATE FUNCTION trace_dims(t trajectory, names text[], keys text[]) RETURNS jsonb
	AS 'MODULE_PATHNAME', 'trajectory_trace_dims' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION trace_dims(trajectory, text[], text[]) IS
'Values of attributes under names of one''s own, {"name": value, ...}: of the root, else of a resource, else of the first span that has the key. names and keys are pairs; of several keys for one name the first with a value counts. NULL if there are none.';

CREATE FUNCTION map_keys(t trajectory, keys text[], columns text[]) RETURNS trajectory
	AS 'MODULE_PATHNAME', 'trajectory_map_keys' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 5000;
COMMENT ON FUNCTION map_keys(trajectory, text[], text[]) IS
'The trajectory with some of its attributes'' keys read as canonical columns (pairs of key and column; canonical_columns() lists the columns), before what is built in.';

CREATE FUNCTION has_closed_root(t trajectory) RETURNS boolean
	AS 'MODULE_PATHNAME', 'trajectory_has_closed_root' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 5;
COMMENT ON FUNCTION has_closed_root(trajectory) IS 'is there a root without parent, and are all roots closed?';

CREATE FUNCTION evaluations(t trajectory) RETURNS TABLE (
	ordinal integer,
	span_id text,
	at timestamptz,
	name text,
	score double precision,
	label text
)
	AS 'MODULE_PATHNAME', 'trajectory_evaluations' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 500 ROWS 1;
COMMENT ON FUNCTION evaluations(trajectory) IS
'Judgements recorded in gen_ai.evaluation.result events: the span that was judged, when, what was judged, the score as a number and as a word.';

CREATE FUNCTION attribute_keys(t trajectory) RETURNS TABLE (
	key text,
	column_name text,
	is_resource boolean,
	span_count bigint
)
	AS 'MODULE_PATHNAME', 'trajectory_attribute_keys' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 500 ROWS 30;
COMMENT ON FUNCTION attribute_keys(trajectory) IS
'The attributes of spans and of their resources: the key, the canonical column that it is read as (NULL if none), and how many spans have it.';

CREATE FUNCTION attribute_weights(t trajectory) RETURNS TABLE (
	key text,
	column_name text,
	span_count bigint,
	value_bytes bigint
)
	AS 'MODULE_PATHNAME', 'trajectory_attribute_weights' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 2000 ROWS 30;
COMMENT ON FUNCTION attribute_weights(trajectory) IS
'The attributes of spans: the key, the canonical column that it is read as (NULL if none), how many spans have it, and the size of its values in bytes before compression, of bodies kept elsewhere that of the reference.';
