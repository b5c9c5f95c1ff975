-- Members of the extension that serve a store: the store itself is made by
-- create_store and belongs to who made it.

CREATE FUNCTION ingest_body(document bytea, format text, line_number bigint DEFAULT 0,
	OUT accepted_spans bigint, OUT rejected_spans bigint, OUT error_message text)
	AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE COST 100000;
COMMENT ON FUNCTION ingest_body(bytea, text, bigint) IS
'internal: takes an OTLP document (format json or protobuf) into a store, with the rights of the caller; ingest_otlp_json and its like call it. With a line number what cannot be read is noted in ingest_rejected instead of raised.';

CREATE FUNCTION otlp_insert() RETURNS trigger
	AS 'MODULE_PATHNAME' LANGUAGE C;
COMMENT ON FUNCTION otlp_insert() IS 'internal: trigger of the view otlp';

CREATE FUNCTION session_accepted_spans() RETURNS bigint
	AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED;
COMMENT ON FUNCTION session_accepted_spans() IS
'internal: spans that this session has taken in so far, those of transactions that failed included; a COPY does not tell';

CREATE FUNCTION priced_cost(provider text, model text, at timestamptz, input_tokens bigint, output_tokens bigint,
	reasoning_tokens bigint, cache_read_tokens bigint, cache_write_tokens bigint) RETURNS numeric
	AS 'MODULE_PATHNAME' LANGUAGE C STABLE PARALLEL SAFE COST 50;
COMMENT ON FUNCTION priced_cost(text, text, timestamptz, bigint, bigint, bigint, bigint, bigint) IS
'What tokens cost in US dollars (to 1e-12) by table price at a time. Input includes what a cache held, output includes reasoning. The price is that of the model''s exact name, else of its name without a path before it or a date behind it, else of the longest pattern; that of the provider before that of any. NULL if there is no price or no count.';

CREATE FUNCTION trace_cost(t trajectory) RETURNS TABLE (
	cost_usd numeric,
	cost_source text,
	missing_price_count bigint
)
	AS 'MODULE_PATHNAME', 'store_trace_cost' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 1000 ROWS 1;
COMMENT ON FUNCTION trace_cost(trajectory) IS
'What a trace cost in US dollars (to 1e-12): what its calls report, else what table price says at the time of its start. cost_source is reported, priced, mixed or missing; missing_price_count the calls with neither, which the sum lacks.';

CREATE FUNCTION trace_row(t trajectory) RETURNS TABLE (
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
	sample_weight double precision,
	cost_usd numeric,
	cost_source text,
	missing_price_count bigint
)
	AS 'MODULE_PATHNAME', 'store_trace_row' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 3000 ROWS 1;
COMMENT ON FUNCTION trace_row(trajectory) IS 'trace_summary and trace_cost in one';

CREATE FUNCTION span_rows(t trajectory, wanted bigint DEFAULT '-1') RETURNS TABLE (
	trace_id uuid, span_id text, parent_span_id text, ordinal integer, parent integer, depth integer,
	subtree_count bigint, name text, kind text, operation text, span_kind text, started_at timestamptz,
	span_started_at timestamptz, span_ended_at timestamptz, start_ms double precision,
	duration_ms double precision, self_ms double precision, status text, status_message text, is_error boolean,
	error_type text, is_orphan boolean, provider text, model text, tool_name text, tool_call_id text,
	attempt integer, usage_scope text, input_tokens bigint, output_tokens bigint, reasoning_tokens bigint,
	cache_read_tokens bigint, cache_write_tokens bigint, reported_input_tokens bigint,
	reported_output_tokens bigint, reported_cost_usd numeric, own_prompt_hash text, cost_usd numeric,
	cost_source text, service_name text, service_version text, environment text, region text, feature text,
	tenant_id text, user_id text, conversation_id text, agent_name text, prompt_name text, prompt_version text,
	prompt_hash text)
	AS 'MODULE_PATHNAME', 'store_span_rows' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 2000 ROWS 40
	SUPPORT wanted_columns_support;
COMMENT ON FUNCTION span_rows(trajectory, bigint) IS
'The spans of a trajectory as the view spans shows them: with costs by the store''s prices, and what a span has from the nearest span above it.';

CREATE FUNCTION model_call_rows(t trajectory, wanted bigint DEFAULT '-1') RETURNS TABLE (
	trace_id uuid, span_id text, parent_span_id text, ordinal integer, started_at timestamptz,
	span_started_at timestamptz, span_ended_at timestamptz, duration_ms double precision, kind text,
	operation text, provider text, model text, model_requested text, model_responded text,
	model_fingerprint text, service_tier text, response_id text, reasoning_level text, max_output_tokens bigint,
	is_streaming boolean, input_tokens bigint, output_tokens bigint, reasoning_tokens bigint,
	cache_read_tokens bigint, cache_write_tokens bigint, cost_usd numeric, cost_source text,
	ttft_ms double precision, ttft_source text, tpot_ms double precision, finish_reason text,
	finish_reason_raw text, attempt integer, attempt_source text, status text, is_error boolean,
	error_type text, service_name text, service_version text, environment text, region text, feature text,
	tenant_id text, user_id text, conversation_id text, agent_name text, prompt_name text, prompt_version text,
	prompt_hash text)
	AS 'MODULE_PATHNAME', 'store_model_call_rows' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 2000 ROWS 15
	SUPPORT wanted_columns_support;
COMMENT ON FUNCTION model_call_rows(trajectory, bigint) IS
'The model calls of a trajectory as the view model_calls shows them; those that only wrap another are left out.';

CREATE FUNCTION tool_call_rows(t trajectory, wanted bigint DEFAULT '-1') RETURNS TABLE (
	trace_id uuid, span_id text, parent_span_id text, ordinal integer, started_at timestamptz,
	span_started_at timestamptz, span_ended_at timestamptz, duration_ms double precision, tool_name text,
	tool_call_id text, tool_type text, arguments_hash text, arguments_bytes bigint, result_hash text,
	result_bytes bigint, attempt integer, attempt_source text, status text, is_error boolean, error_type text,
	service_name text, service_version text, environment text, region text, feature text, tenant_id text,
	user_id text, conversation_id text, agent_name text, prompt_name text, prompt_version text, prompt_hash text)
	AS 'MODULE_PATHNAME', 'store_tool_call_rows' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 2000 ROWS 15
	SUPPORT wanted_columns_support;
COMMENT ON FUNCTION tool_call_rows(trajectory, bigint) IS
'The tool calls of a trajectory as the view tool_calls shows them.';

CREATE FUNCTION agent_run_rows(t trajectory, wanted bigint DEFAULT '-1') RETURNS TABLE (
	trace_id uuid, span_id text, parent_span_id text, ordinal integer, started_at timestamptz,
	span_started_at timestamptz, span_ended_at timestamptz, duration_ms double precision,
	parent_agent_name text, agent_depth integer, agent_version text, self_ms double precision,
	model_call_count bigint, tool_call_count bigint, subagent_count bigint, error_count bigint,
	input_tokens bigint, output_tokens bigint, cost_usd numeric, total_input_tokens bigint,
	total_output_tokens bigint, total_cost_usd numeric, status text, is_error boolean, error_type text,
	service_name text, service_version text, environment text, region text, feature text, tenant_id text,
	user_id text, conversation_id text, agent_name text, prompt_name text, prompt_version text, prompt_hash text)
	AS 'MODULE_PATHNAME', 'store_agent_run_rows' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 2000 ROWS 3
	SUPPORT wanted_columns_support;
COMMENT ON FUNCTION agent_run_rows(trajectory, bigint) IS
'The runs of agents in a trajectory as the view agent_runs shows them.';

CREATE FUNCTION closest_word(word text, words text[]) RETURNS text
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 50;
COMMENT ON FUNCTION closest_word(text, text[]) IS 'the word that a misspelled one is closest to; NULL if none is close';
