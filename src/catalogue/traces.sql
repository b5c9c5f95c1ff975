-- The views of traces, and one trace by its id.

CREATE VIEW llmtrace.trajectories WITH (security_invoker = true) AS
SELECT
	f.trace_id, f.root_span_id, f.root_name, f.root_kind, f.started_at, f.ended_at, f.duration_ms, f.status,
	f.is_error, f.error_type, f.is_complete, f.span_count, f.error_count, f.model_call_count, f.tool_call_count,
	f.tool_error_count, f.agent_run_count, f.retry_count, f.depth, f.input_tokens, f.output_tokens,
	f.reasoning_tokens, f.cache_read_tokens, f.cache_write_tokens, f.cost_usd, f.cost_source,
	f.missing_price_count, f.first_model, f.last_model, f.first_model AS model, f.service_name,
	f.service_version, f.environment, f.region, f.feature, f.feature_source, f.tenant_id, f.user_id,
	f.conversation_id, f.agent_name, f.prompt_name, f.prompt_version, f.prompt_hash, f.dims,
	coalesce(f.sample_weight, 1) / coalesce(f.keep_probability, 1) AS sample_weight, f.trajectory
FROM llmtrace.folded f
UNION ALL
SELECT
	s.trace_id, s.root_span_id, s.root_name, s.root_kind, s.started_at, s.ended_at, s.duration_ms, s.status,
	s.is_error, s.error_type, s.is_complete, s.span_count, s.error_count, s.model_call_count, s.tool_call_count,
	s.tool_error_count, s.agent_run_count, s.retry_count, s.depth, s.input_tokens, s.output_tokens,
	s.reasoning_tokens, s.cache_read_tokens, s.cache_write_tokens, s.cost_usd, s.cost_source,
	s.missing_price_count, s.first_model, s.last_model, s.first_model AS model, s.service_name,
	s.service_version, s.environment, s.region, s.feature, s.feature_source, s.tenant_id, s.user_id,
	s.conversation_id, s.agent_name, s.prompt_name, s.prompt_version, s.prompt_hash, s.dims,
	coalesce(s.sample_weight, 1) AS sample_weight, g.trajectory
FROM (
	SELECT llmtrace.merge_agg(p.fragment) AS trajectory
	FROM llmtrace.fragments p
	WHERE NOT EXISTS (SELECT FROM llmtrace.directory d WHERE d.trace_id = p.trace_id)
	GROUP BY p.trace_id) g
	CROSS JOIN LATERAL llmtrace.folded_columns(g.trajectory) s;

CREATE VIEW llmtrace.traces WITH (security_invoker = true) AS
SELECT
	t.trace_id, t.root_span_id, t.root_name, t.root_kind, t.started_at, t.ended_at, t.duration_ms, t.status,
	t.is_error, t.error_type, t.is_complete, t.span_count, t.error_count, t.model_call_count, t.tool_call_count,
	t.tool_error_count, t.agent_run_count, t.retry_count, t.depth, t.input_tokens, t.output_tokens,
	t.reasoning_tokens, t.cache_read_tokens, t.cache_write_tokens, t.cost_usd, t.cost_source,
	t.missing_price_count, t.first_model, t.last_model, t.model, t.service_name,
	t.service_version, t.environment, t.region, t.feature, t.feature_source, t.tenant_id, t.user_id,
	t.conversation_id, t.agent_name, t.prompt_name, t.prompt_version, t.prompt_hash, t.dims, t.sample_weight
FROM llmtrace.trajectories t;
COMMENT ON VIEW llmtrace.traces IS 'One row a trace. A plain sum is right: tokens and costs count each call once. What came in shows at once; a late span of a folded trace shows after the next fold. Example: SELECT root_name, count(*), sum(cost_usd) FROM llmtrace.traces WHERE started_at > now() - interval ''7 days'' GROUP BY root_name ORDER BY 2 DESC LIMIT 10';
COMMENT ON COLUMN llmtrace.traces.trace_id IS 'id of the trace';
COMMENT ON COLUMN llmtrace.traces.root_span_id IS 'id of the root span, 16 hexadecimal digits';
COMMENT ON COLUMN llmtrace.traces.root_name IS 'name of the root span';
COMMENT ON COLUMN llmtrace.traces.root_kind IS 'what the root does: llm, agent, tool, ...';
COMMENT ON COLUMN llmtrace.traces.started_at IS 'earliest start of a span; partitions are by it';
COMMENT ON COLUMN llmtrace.traces.ended_at IS 'latest end of a span; NULL while a root is open';
COMMENT ON COLUMN llmtrace.traces.duration_ms IS 'from the earliest start to the latest end, in milliseconds; NULL while a root is open';
COMMENT ON COLUMN llmtrace.traces.status IS 'status of the root: unset, ok or error';
COMMENT ON COLUMN llmtrace.traces.is_error IS 'did the root fail? Most failed runs show only in error_count';
COMMENT ON COLUMN llmtrace.traces.error_type IS 'error type of the root, else of the first span that failed';
COMMENT ON COLUMN llmtrace.traces.is_complete IS 'are all parents present and all spans closed?';
COMMENT ON COLUMN llmtrace.traces.span_count IS 'spans';
COMMENT ON COLUMN llmtrace.traces.error_count IS 'spans that failed';
COMMENT ON COLUMN llmtrace.traces.model_call_count IS 'model calls (llm, embedding, rerank), wrappers left out';
COMMENT ON COLUMN llmtrace.traces.tool_call_count IS 'tool calls';
COMMENT ON COLUMN llmtrace.traces.tool_error_count IS 'tool calls that failed';
COMMENT ON COLUMN llmtrace.traces.agent_run_count IS 'runs of agents';
COMMENT ON COLUMN llmtrace.traces.retry_count IS 'attempts after the first, of model, retrieval and tool calls';
COMMENT ON COLUMN llmtrace.traces.depth IS 'levels of the tree';
COMMENT ON COLUMN llmtrace.traces.input_tokens IS 'input tokens, cached ones included, each call counted once';
COMMENT ON COLUMN llmtrace.traces.output_tokens IS 'output tokens, reasoning included, each call counted once';
COMMENT ON COLUMN llmtrace.traces.reasoning_tokens IS 'output tokens that are reasoning';
COMMENT ON COLUMN llmtrace.traces.cache_read_tokens IS 'input tokens read from a cache';
COMMENT ON COLUMN llmtrace.traces.cache_write_tokens IS 'input tokens written to a cache';
COMMENT ON COLUMN llmtrace.traces.cost_usd IS 'cost in US dollars: reported, else by table price; NULL if unknown';
COMMENT ON COLUMN llmtrace.traces.cost_source IS 'reported, priced, mixed, or missing';
COMMENT ON COLUMN llmtrace.traces.missing_price_count IS 'calls that neither report a cost nor have a price: cost_usd lacks them';
COMMENT ON COLUMN llmtrace.traces.first_model IS 'model of the first model call';
COMMENT ON COLUMN llmtrace.traces.last_model IS 'model of the last model call';
COMMENT ON COLUMN llmtrace.traces.model IS 'the same as first_model';
COMMENT ON COLUMN llmtrace.traces.service_name IS 'service.name of the roots resource';
COMMENT ON COLUMN llmtrace.traces.service_version IS 'service.version';
COMMENT ON COLUMN llmtrace.traces.environment IS 'deployment environment';
COMMENT ON COLUMN llmtrace.traces.region IS 'cloud region';
COMMENT ON COLUMN llmtrace.traces.feature IS 'what part of the product it was: a mapped key, else the workflows name, else the root agents';
COMMENT ON COLUMN llmtrace.traces.feature_source IS 'where feature is from: attribute, workflow or agent';
COMMENT ON COLUMN llmtrace.traces.tenant_id IS 'the customer';
COMMENT ON COLUMN llmtrace.traces.user_id IS 'the user';
COMMENT ON COLUMN llmtrace.traces.conversation_id IS 'the conversation; never invented';
COMMENT ON COLUMN llmtrace.traces.agent_name IS 'the root agent';
COMMENT ON COLUMN llmtrace.traces.prompt_name IS 'prompt of the root agent, else of the first model call that has one';
COMMENT ON COLUMN llmtrace.traces.prompt_version IS 'version of that prompt';
COMMENT ON COLUMN llmtrace.traces.prompt_hash IS 'hash of its system text and tools';
COMMENT ON COLUMN llmtrace.traces.dims IS 'values of your own dimensions, by name (map_attribute)';
COMMENT ON COLUMN llmtrace.traces.sample_weight IS 'how many traces this one stands for: 1 unless it was sampled, on its way in or by retain';

COMMENT ON VIEW llmtrace.trajectories IS 'traces, and the trace itself. Example: SELECT trace_id, llmtrace.failure_signature(trajectory) FROM llmtrace.trajectories WHERE llmtrace.matches(trajectory, ''{ kind = tool && isError }'') LIMIT 10';
COMMENT ON COLUMN llmtrace.trajectories.started_at IS 'earliest start of a span; partitions are by it';
COMMENT ON COLUMN llmtrace.trajectories.duration_ms IS 'from the earliest start to the latest end, in milliseconds; NULL while a root is open';
COMMENT ON COLUMN llmtrace.trajectories.status IS 'status of the root: unset, ok or error';
COMMENT ON COLUMN llmtrace.trajectories.is_error IS 'did the root fail? Most failed runs show only in error_count';
COMMENT ON COLUMN llmtrace.trajectories.error_type IS 'error type of the root, else of the first span that failed';
COMMENT ON COLUMN llmtrace.trajectories.depth IS 'levels of the tree';
COMMENT ON COLUMN llmtrace.trajectories.input_tokens IS 'input tokens, cached ones included, each call counted once';
COMMENT ON COLUMN llmtrace.trajectories.output_tokens IS 'output tokens, reasoning included, each call counted once';
COMMENT ON COLUMN llmtrace.trajectories.cost_usd IS 'cost in US dollars: reported, else by table price; NULL if unknown';
COMMENT ON COLUMN llmtrace.trajectories.cost_source IS 'reported, priced, mixed, or missing';
COMMENT ON COLUMN llmtrace.trajectories.model IS 'the same as first_model';
COMMENT ON COLUMN llmtrace.trajectories.service_name IS 'service.name of the roots resource';
COMMENT ON COLUMN llmtrace.trajectories.environment IS 'deployment environment';
COMMENT ON COLUMN llmtrace.trajectories.feature IS 'what part of the product it was: a mapped key, else the workflows name, else the root agents';
COMMENT ON COLUMN llmtrace.trajectories.agent_name IS 'the root agent';
COMMENT ON COLUMN llmtrace.trajectories.prompt_name IS 'prompt of the root agent, else of the first model call that has one';
COMMENT ON COLUMN llmtrace.trajectories.prompt_version IS 'version of that prompt';
COMMENT ON COLUMN llmtrace.trajectories.prompt_hash IS 'hash of its system text and tools';
COMMENT ON COLUMN llmtrace.trajectories.sample_weight IS 'how many traces this one stands for: 1 unless it was sampled, on its way in or by retain';
COMMENT ON COLUMN llmtrace.trajectories.trajectory IS 'the whole trace';

-- A trace by its id.

CREATE FUNCTION llmtrace.trace_id_of(id text) RETURNS uuid
	LANGUAGE plpgsql STABLE PARALLEL SAFE STRICT
AS $$
DECLARE
	digits pg_catalog.text := pg_catalog.lower(pg_catalog.regexp_replace(id, '^\s*(0[xX])?|[-\s]', '', 'g'));
	low pg_catalog.uuid;
	high pg_catalog.uuid;
	found pg_catalog.uuid[];
BEGIN
	IF digits OPERATOR(pg_catalog.!~) '^[0-9a-f]{8,32}$' THEN
		RAISE EXCEPTION 'malformed trace id "%"', pg_catalog.left(id, 60)
			USING ERRCODE = 'invalid_text_representation',
				DETAIL = 'A trace id has 32 hexadecimal digits; the first 8 or more will do if no other trace begins with them.';
	END IF;
	low := pg_catalog.rpad(digits, 32, '0')::pg_catalog.uuid;
	high := pg_catalog.rpad(digits, 32, 'f')::pg_catalog.uuid;
	IF low OPERATOR(pg_catalog.=) high THEN
		RETURN low;
	END IF;
	SELECT pg_catalog.array_agg(x.trace_id) INTO found
	FROM (
		(SELECT d.trace_id FROM llmtrace.directory d
			WHERE d.trace_id OPERATOR(pg_catalog.>=) low AND d.trace_id OPERATOR(pg_catalog.<=) high LIMIT 2)
		UNION
		SELECT f.trace_id FROM llmtrace.fragments f
		WHERE f.trace_id OPERATOR(pg_catalog.>=) low AND f.trace_id OPERATOR(pg_catalog.<=) high) x;
	IF pg_catalog.cardinality(found) OPERATOR(pg_catalog.>) 1 THEN
		RAISE EXCEPTION 'several traces begin with "%"', digits
			USING ERRCODE = 'ambiguous_parameter', HINT = 'Give more digits.';
	END IF;
	RETURN found[1];
END
$$;
COMMENT ON FUNCTION llmtrace.trace_id_of(text) IS
'A trace id from its text: hexadecimal, with dashes or 0x before it, whole or its first 8 digits and more. Of a part, NULL if no stored trace begins so, an error if several do.';

CREATE FUNCTION llmtrace.stored_trace(id uuid) RETURNS llmtrace.trajectory
	LANGUAGE plpgsql STABLE PARALLEL SAFE STRICT
AS $$
DECLARE
	start pg_catalog.timestamptz;
	result llmtrace.trajectory;
BEGIN
	-- the start first: a plan for one partition is made faster than one for all
	SELECT d.started_at INTO start
	FROM llmtrace.directory d WHERE d.trace_id OPERATOR(pg_catalog.=) id;
	IF FOUND THEN
		SELECT f.trajectory INTO result FROM llmtrace.folded f
		WHERE f.started_at OPERATOR(pg_catalog.=) start AND f.trace_id OPERATOR(pg_catalog.=) id;
	ELSE
		SELECT llmtrace.merge_agg(f.fragment) INTO result FROM llmtrace.fragments f
		WHERE f.shard OPERATOR(pg_catalog.=) (pg_catalog.uuid_hash(id) OPERATOR(pg_catalog.&) 63)
			AND f.trace_id OPERATOR(pg_catalog.=) id;
	END IF;
	RETURN result;
END
$$;
COMMENT ON FUNCTION llmtrace.stored_trace(uuid) IS 'a trace by its id; NULL if there is none';

CREATE FUNCTION llmtrace.trace(id text) RETURNS llmtrace.trajectory
	LANGUAGE sql STABLE PARALLEL SAFE STRICT
BEGIN ATOMIC
	SELECT llmtrace.stored_trace(llmtrace.trace_id_of(id));
END;
COMMENT ON FUNCTION llmtrace.trace(text) IS
'A trace by its id: hexadecimal, with dashes or 0x, or the first 8 digits and more. NULL if there is none. Example: SELECT llmtrace.show(llmtrace.trace(''4bf92f35''))';

CREATE FUNCTION llmtrace.trace_hex(id uuid) RETURNS text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT
BEGIN ATOMIC
	SELECT pg_catalog.replace(id::text, '-', '');
END;
COMMENT ON FUNCTION llmtrace.trace_hex(uuid) IS 'a trace id as others write it: 32 hexadecimal digits';
