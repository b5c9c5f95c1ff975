-- Canonical columns: one name for what every convention names differently.
SET search_path = llmtrace, public;

SELECT column_name, count(*) > 0 AS has_keys FROM canonical_columns() GROUP BY 1 ORDER BY 1;
SELECT key FROM canonical_columns() WHERE column_name = 'input_tokens' ORDER BY rank;
SELECT count(key) - count(DISTINCT key) AS keys_of_two_columns FROM canonical_columns();

-- One span of these attributes.
CREATE FUNCTION pg_temp.span(attributes text) RETURNS trajectory LANGUAGE sql AS $$
	SELECT ('{"trace_id": "1", "spans": [{"span_id": "1", "name": "execute_tool n", "start_ns": 1000000000, "end_ns": 9000000000,
		"attributes": ' || attributes || '}]}')::trajectory
$$;

-- The same call in every convention.
SELECT convention, kind, provider, model, input_tokens, output_tokens, cache_read_tokens, reasoning_tokens, reported_cost_usd
FROM (VALUES
	('OpenTelemetry', '{"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "m", "gen_ai.response.model": "m-1",
		"gen_ai.usage.input_tokens": 183, "gen_ai.usage.output_tokens": 42, "gen_ai.usage.cache_read.input_tokens": 64, "gen_ai.usage.reasoning.output_tokens": 11}'),
	('older', '{"gen_ai.operation.name": "text_completion", "gen_ai.system": "az.ai.openai", "gen_ai.request.model": "m-1", "gen_ai.usage.prompt_tokens": "183", "gen_ai.usage.completion_tokens": 42.0}'),
	('OpenInference', '{"openinference.span.kind": "LLM", "llm.provider": "openai", "llm.model_name": "m-1", "llm.token_count.prompt": 183, "llm.token_count.completion": 42,
		"llm.token_count.prompt_details.cache_read": 64, "llm.token_count.completion_details.reasoning": 11, "llm.cost.total": 0.00012345678901234567}'),
	('Vercel', '{"ai.operationId": "ai.generateText.doGenerate", "operation.name": "ai.generateText.doGenerate f", "ai.model.provider": "openai.chat", "ai.model.id": "m", "ai.response.model": "m-1",
		"ai.usage.inputTokens": 183, "ai.usage.outputTokens": 42, "ai.usage.cachedInputTokens": 64, "ai.response.providerMetadata": "{\"openai\":{\"reasoningTokens\":11}}"}'),
	('OpenLLMetry', '{"llm.request.type": "chat", "gen_ai.system": "OpenAI", "gen_ai.response.model": "m-1", "gen_ai.usage.prompt_tokens": 183, "gen_ai.usage.completion_tokens": 42}'),
	('Langfuse', '{"langfuse.observation.type": "generation", "langfuse.observation.model.name": "m-1",
		"langfuse.observation.usage_details": "{\"input\":119,\"output\":31,\"total\":225,\"input_cached_tokens\":64,\"output_reasoning_tokens\":11}",
		"langfuse.observation.cost_details": "{\"total\":0.5}"}'),
	('Langfuse, inclusive', '{"langfuse.observation.type": "generation", "langfuse.observation.usage_details": "{\"input\":183,\"output\":42,\"total\":225,\"input_cached_tokens\":64}"}'),
	('MLflow', '{"mlflow.spanType": "\"CHAT_MODEL\"", "mlflow.llm.model": "m-1", "mlflow.chat.tokenUsage": "{\"input_tokens\":183,\"output_tokens\":42}"}'),
	('no JSON', '{"langfuse.observation.type": "generation", "langfuse.observation.usage_details": "{''input'': 119}", "llm.invocation_parameters": "None"}'),
	('wide JSON', '{"langfuse.observation.type": "generation", "langfuse.observation.usage_details": "{\"steps\":[{}' || repeat(',{}', 99) || '],\"input\":119}"}'),
	('deep JSON', '{"langfuse.observation.type": "generation", "langfuse.observation.usage_details": "' || repeat('[', 20000) || '"}')) v(convention, attributes),
	spans(pg_temp.span(attributes));

-- Kinds.
SELECT attributes, kind, tool_name FROM (VALUES
	('{"gen_ai.operation.name": "execute_tool"}'), ('{"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "t"}'), ('{"gen_ai.tool.name": "t"}'),
	('{"traceloop.span.kind": "tool", "traceloop.entity.name": "e"}'), ('{"traceloop.span.kind": "agent", "traceloop.entity.name": "e"}'),
	('{"openinference.span.kind": "CHAIN"}'), ('{"openinference.span.kind": "RERANKER"}'), ('{"gen_ai.operation.name": "embeddings"}'),
	('{"langfuse.observation.type": "span", "gen_ai.operation.name": "chat"}'), ('{"langfuse.observation.type": "generation", "ai.operationId": "ai.streamText"}'),
	('{"gen_ai.operation.name": "search_memory"}'), ('{"gen_ai.operation.name": "my_own"}'), ('{"gen_ai.operation.name": "plan"}'),
	('{"retrieval.documents.0.document.id": "1"}'), ('{"gen_ai.request.model": "m", "gen_ai.prompt.0.content": "p"}'),
	('{"model_name": "m", "agent_name": "a", "final_result": "r"}'),
	('{"gen_ai.operation.name": "chat", "gen_ai.tool.name": "asked for"}'), ('{}')) v(attributes), spans(pg_temp.span(attributes));

-- Errors, where the status says nothing.
SELECT attributes, is_error, error_type FROM (VALUES
	('{}'), ('{"error.type": "timeout"}'), ('{"langfuse.observation.level": "ERROR"}'), ('{"langfuse.observation.level": "WARNING"}'),
	('{"http.response.status_code": 503}'), ('{"http.status_code": "500"}'), ('{"http.response.status_code": 404}')) v(attributes), spans(pg_temp.span(attributes));
SELECT is_error, error_type FROM spans('{"trace_id": "1", "spans": [{"span_id": "1", "name": "n", "start_ns": 1, "end_ns": 2,
	"events": [{"time_ns": 1, "name": "exception", "attributes": {"exception.type": "Boom"}}]}]}');
SELECT is_error FROM spans('{"trace_id": "1", "spans": [{"span_id": "1", "name": "n", "start_ns": 1, "end_ns": 2, "status": "ok",
	"attributes": {"error.type": "handled"}}]}');

-- Odd numbers are unknown, not wrong.
SELECT attributes, usage_scope, input_tokens FROM (VALUES
	('{"gen_ai.usage.input_tokens": -1}'), ('{"gen_ai.usage.input_tokens": 1.5}'), ('{"gen_ai.usage.input_tokens": "many"}'), ('{"gen_ai.usage.input_tokens": " 12 "}'),
	('{"gen_ai.usage.input_tokens": true}'), ('{"gen_ai.usage.input_tokens": {"$double": "NaN"}}'), ('{"gen_ai.usage.input_tokens": "x", "llm.token_count.prompt": 7}'),
	('{"gen_ai.usage.input_tokens": 9223372036854775807}')) v(attributes), spans(pg_temp.span(attributes));

-- A key mapped by its owner.
SELECT t, provider FROM (SELECT '{"trace_id": "1", "canonical": {"app.vendor": "provider"}, "spans": [{"span_id": "1", "name": "n", "start_ns": 1, "end_ns": 2,
	"attributes": {"app.vendor": "Own", "gen_ai.provider.name": "openai"}}]}'::trajectory) x(t), spans(t);

-- Derived values are kept, not derived again, and can be absent.
SELECT t::text::trajectory = t AS survives, t FROM (VALUES
	(pg_temp.span('{"langfuse.observation.usage_details": "{\"input\":1,\"output\":2}"}')),
	('{"trace_id": "1", "spans": [{"span_id": "1", "name": "n", "start_ns": 1, "end_ns": 2, "derived": {"input_tokens": 5}}]}'),
	('{"trace_id": "1", "spans": [{"span_id": "1", "name": "n", "start_ns": 1, "end_ns": 2, "derived": {},
		"attributes": {"langfuse.observation.usage_details": "{\"input\":1}"}}]}')) v(t);

-- Time to the first token, from an event or a time.
SELECT t::text LIKE '%"derived": {"ttft_ms": 500.0}%' AS from_event FROM (SELECT '{"trace_id": "1", "spans": [{"span_id": "1", "name": "n", "start_ns": 1000000000,
	"end_ns": 9000000000, "events": [{"time_ns": 1500000000, "name": "gen_ai.first_token"}]}]}'::trajectory) x(t);
SELECT t::text LIKE '%"ttft_ms": 500.0%' AS from_time FROM (SELECT pg_temp.span('{"langfuse.observation.completion_start_time": "\"1970-01-01T00:00:01.5Z\""}')) x(t);

-- Usage is counted once.
SELECT ordinal, kind, usage_scope, input_tokens, reported_input_tokens FROM spans('{"trace_id": "1", "spans": [
	{"span_id": "1", "name": "agent", "start_ns": 1, "end_ns": 9, "attributes": {"gen_ai.operation.name": "invoke_agent", "gen_ai.usage.input_tokens": 30}},
	{"span_id": "2", "parent_span_id": "1", "name": "wrapper", "start_ns": 2, "end_ns": 5, "attributes": {"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 10}},
	{"span_id": "3", "parent_span_id": "2", "name": "call", "start_ns": 3, "end_ns": 4, "attributes": {"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 10}},
	{"span_id": "4", "parent_span_id": "1", "name": "sub-agent", "start_ns": 6, "end_ns": 8, "attributes": {"gen_ai.operation.name": "invoke_agent", "gen_ai.usage.input_tokens": 20}},
	{"span_id": "5", "parent_span_id": "4", "name": "free", "start_ns": 7, "end_ns": 8, "attributes": {"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 0}}]}');

-- Attempts.
SELECT l.* FROM logical_calls('{"trace_id": "1", "spans": [
	{"span_id": "1", "name": "tool", "start_ns": 10, "end_ns": 20, "status": "error", "attributes": {"gen_ai.tool.name": "t", "gen_ai.tool.call.arguments": "a"}},
	{"span_id": "2", "name": "tool", "start_ns": 30, "end_ns": 40, "attributes": {"gen_ai.tool.name": "t", "gen_ai.tool.call.arguments": "a"}},
	{"span_id": "3", "name": "tool", "start_ns": 50, "end_ns": 60, "attributes": {"gen_ai.tool.name": "t", "gen_ai.tool.call.arguments": "a"}},
	{"span_id": "4", "name": "tool", "start_ns": 55, "end_ns": 70, "attributes": {"gen_ai.tool.name": "t", "gen_ai.tool.call.arguments": "a"}},
	{"span_id": "5", "name": "tool", "start_ns": 80, "end_ns": 90, "attributes": {"gen_ai.tool.name": "t", "gen_ai.tool.call.arguments": "b"}},
	{"span_id": "6", "name": "silent", "start_ns": 80, "end_ns": 90, "attributes": {"gen_ai.tool.name": "u"}},
	{"span_id": "7", "name": "silent", "start_ns": 80, "end_ns": 90, "attributes": {"gen_ai.tool.name": "u"}},
	{"span_id": "8", "name": "numbered", "start_ns": 91, "end_ns": 92, "attributes": {"gen_ai.tool.name": "v", "http.request.resend_count": 0}},
	{"span_id": "9", "name": "numbered", "start_ns": 93, "end_ns": 94, "attributes": {"gen_ai.tool.name": "v", "http.request.resend_count": 1}},
	{"span_id": "a", "name": "inside", "start_ns": 95, "end_ns": 99, "attributes": {"gen_ai.tool.name": "w"}, "events": [{"time_ns": 96, "name": "retry"}, {"time_ns": 97, "name": "retry"}]}]}') l;

-- Attempts that HTTP spans below a call tell of: those of the nearest call above, unless it says itself.
SELECT l.* FROM logical_calls('{"trace_id": "1", "spans": [
	{"span_id": "1", "name": "agent", "start_ns": 1, "end_ns": 99, "attributes": {"gen_ai.operation.name": "invoke_agent"}},
	{"span_id": "2", "parent_span_id": "1", "name": "tool", "start_ns": 2, "end_ns": 40, "attributes": {"gen_ai.tool.name": "t"}},
	{"span_id": "3", "parent_span_id": "2", "name": "chat", "start_ns": 3, "end_ns": 20, "attributes": {"gen_ai.operation.name": "chat"}},
	{"span_id": "4", "parent_span_id": "3", "name": "client", "start_ns": 4, "end_ns": 19},
	{"span_id": "5", "parent_span_id": "4", "name": "POST", "start_ns": 5, "end_ns": 6, "attributes": {"http.request.method": "POST"}},
	{"span_id": "6", "parent_span_id": "4", "name": "POST", "start_ns": 7, "end_ns": 8, "attributes": {"http.request.method": "POST", "http.request.resend_count": 2}},
	{"span_id": "7", "parent_span_id": "4", "name": "POST", "start_ns": 9, "end_ns": 10, "attributes": {"http.request.method": "POST", "http.request.resend_count": 1}},
	{"span_id": "8", "parent_span_id": "2", "name": "GET", "start_ns": 21, "end_ns": 22, "attributes": {"http.request.resend_count": 0}},
	{"span_id": "9", "parent_span_id": "1", "name": "own", "start_ns": 41, "end_ns": 50, "attributes": {"gen_ai.tool.name": "u", "retry.attempt": 5}},
	{"span_id": "a", "parent_span_id": "9", "name": "GET", "start_ns": 42, "end_ns": 43, "attributes": {"http.request.resend_count": 1}},
	{"span_id": "b", "parent_span_id": "1", "name": "step", "start_ns": 51, "end_ns": 60, "attributes": {"attempt": 4}},
	{"span_id": "c", "parent_span_id": "1", "name": "GET", "start_ns": 61, "end_ns": 62, "attributes": {"http.request.resend_count": 1}}]}') l;

-- The hash of a prompt: one, whatever convention carried it. The last column is
-- what is hashed, computed here from its parts.
WITH prompt(hash) AS (SELECT left(encode(sha256(
	convert_to(E'You are a planner.\nBe "brief" \u2013 really.', 'UTF8') || '\x00'::bytea || convert_to('{"description":"books","name":"book","parameters":{"properties":{"a":{},"b":{"type":"string"}},"type":"object"}}', 'UTF8') ||
	'\x00'::bytea || convert_to('{"name":"find","parameters":{"type":"object"}}', 'UTF8')), 'hex'), 16)),
parts(s, find, book, book_flat, messages, chat, system) AS (SELECT
	to_jsonb(E'  You are a planner.\nBe "brief" \u2013 really.\n'::text),
	'{"type": "function", "function": {"name": "find", "description": "", "parameters": {"type": "object"}}}'::jsonb,
	'{"type": "function", "function": {"strict": true, "name": "book", "description": "books", "parameters": {"type": "object", "properties": {"b": {"type": "string"}, "a": {}}}}}'::jsonb,
	'{"name": "book", "type": "function", "description": "books", "inputSchema": {"properties": {"a": {}, "b": {"type": "string"}}, "type": "object"}}'::jsonb,
	jsonb_build_array(jsonb_build_object('role', 'system', 'parts', '[{"type": "image", "content": "no"}, {"type": "text", "content": "You are a planner."}, {"type": "text", "content": "Be \"brief\" \u2013 really."}]'::jsonb),
		'{"role": "user", "parts": [{"type": "text", "content": "Plan"}]}'::jsonb, '{"role": "system", "content": "too late"}'::jsonb),
	jsonb_build_array('{"content": "You are a planner.", "role": "system"}'::jsonb, '{"role": "developer", "content": [{"type": "text", "text": "Be \"brief\" \u2013 really."}]}'::jsonb, '{"role": "user", "content": "Plan"}'::jsonb),
	'[{"type": "text", "content": "You are a planner."}, {"type": "text", "content": "Be \"brief\" \u2013 really."}]'::jsonb),
shapes(shape, attributes, events) AS (
	SELECT 'instructions, text', jsonb_build_object('gen_ai.system_instructions', s, 'gen_ai.tool.definitions', jsonb_build_array(book, find)::text), NULL::jsonb FROM parts
	UNION ALL SELECT 'instructions, JSON', jsonb_build_object('gen_ai.system_instructions', system::text, 'gen_ai.tool.definitions', jsonb_build_array(find::text, book_flat::text)::text) , NULL FROM parts
	UNION ALL SELECT 'instructions, structured', jsonb_build_object('gen_ai.system_instructions', system, 'gen_ai.tool.definitions', jsonb_build_array(find, book_flat)) , NULL FROM parts
	UNION ALL SELECT 'messages, JSON', jsonb_build_object('gen_ai.input.messages', messages::text, 'gen_ai.tool.definitions', jsonb_build_array(find, book)::text), NULL FROM parts
	UNION ALL SELECT 'messages, structured', jsonb_build_object('gen_ai.input.messages', messages, 'gen_ai.tool.definitions', jsonb_build_array(find, book)), NULL FROM parts
	UNION ALL SELECT 'messages, cut off', jsonb_build_object('gen_ai.input.messages', left(chat::text, -9), 'gen_ai.tool.definitions', jsonb_build_array(find, book)::text), NULL FROM parts
	UNION ALL SELECT 'OpenLLMetry', jsonb_build_object('gen_ai.prompt.0.role', 'system', 'gen_ai.prompt.0.content', system::text, 'gen_ai.prompt.1.role', 'user', 'gen_ai.prompt.1.content', 'Plan', 'gen_ai.prompt.10.role', 'system',
		'gen_ai.prompt.10.content', 'late', 'llm.request.functions.0.name', 'book', 'llm.request.functions.0.description', 'books', 'llm.request.functions.0.parameters', book_flat->'inputSchema'#>>'{}',
		'llm.request.functions.1.name', 'find', 'llm.request.functions.1.parameters', '{"type":"object"}'), NULL FROM parts
	UNION ALL SELECT 'OpenInference', jsonb_build_object('llm.input_messages.0.message.role', 'system', 'llm.input_messages.0.message.content', s, 'llm.input_messages.1.message.role', 'user', 'llm.input_messages.1.message.content', 'Plan',
		'llm.tools.0.tool.json_schema', find::text, 'llm.tools.1.tool.json_schema', book::text), NULL FROM parts
	UNION ALL SELECT 'OpenInference, parts', jsonb_build_object('llm.input_messages.1.message.role', 'system', 'llm.input_messages.1.message.contents.0.message_content.text', 'You are a planner.',
		'llm.input_messages.1.message.contents.1.message_content.text', 'Be "brief" ' || U&'\2013' || ' really.', 'llm.input_messages.2.message.role', 'user', 'llm.invocation_parameters', jsonb_build_object('tools', jsonb_build_array(find, book))::text), NULL FROM parts
	UNION ALL SELECT 'Vercel', jsonb_build_object('ai.prompt.messages', chat::text, 'ai.prompt.tools', jsonb_build_array(book_flat::text, find::text)), NULL FROM parts
	UNION ALL SELECT 'Vercel, prompt', jsonb_build_object('ai.prompt', jsonb_build_object('system', s, 'prompt', 'Plan')::text, 'ai.prompt.tools', jsonb_build_array(book_flat::text, find::text)::text), NULL FROM parts
	UNION ALL SELECT 'Langfuse', jsonb_build_object('langfuse.observation.input', jsonb_build_object('messages', chat, 'tools', jsonb_build_array(find, book))::text), NULL FROM parts
	UNION ALL SELECT 'MLflow', jsonb_build_object('mlflow.spanInputs', jsonb_build_object('system', s, 'messages', '[]'::jsonb, 'tools', jsonb_build_array(find, book))::text), NULL FROM parts
	UNION ALL SELECT 'a chat request', jsonb_build_object('input.value', jsonb_build_object('model', 'm', 'messages', chat, 'tools', jsonb_build_array(find, book))::text), NULL FROM parts
	UNION ALL SELECT 'a responses request', jsonb_build_object('input.value', jsonb_build_object('model', 'm', 'instructions', s, 'input', 'Plan', 'tools', jsonb_build_array(find, book_flat))::text), NULL FROM parts
	UNION ALL SELECT 'Pydantic', jsonb_build_object('pydantic_ai.all_messages', messages, 'model_request_parameters', jsonb_build_object('function_tools', jsonb_build_array(book_flat - 'inputSchema' || jsonb_build_object('parameters_json_schema', book_flat->'inputSchema'), find), 'output_tools', '[]'::jsonb)::text), NULL FROM parts
	UNION ALL SELECT 'Pydantic, events', jsonb_build_object('events', chat::text, 'gen_ai.tool.definitions', jsonb_build_array(find, book)::text), NULL FROM parts
	UNION ALL SELECT 'an event a message', jsonb_build_object('gen_ai.tool.definitions', jsonb_build_array(find, book)::text), jsonb_build_array(jsonb_build_object('time_ns', 2, 'name', 'gen_ai.system.message', 'attributes', jsonb_build_object('content', s))) FROM parts
	UNION ALL SELECT 'an event with all', '{}', jsonb_build_array(jsonb_build_object('time_ns', 2, 'name', 'gen_ai.client.inference.operation.details',
		'attributes', jsonb_build_object('gen_ai.input.messages', messages, 'gen_ai.tool.definitions', jsonb_build_array(find, book)))) FROM parts),
spans(shape, t) AS (SELECT shape, jsonb_build_object('trace_id', '1', 'spans', jsonb_build_array(jsonb_build_object('span_id', '1', 'name', 'n', 'start_ns', 1, 'end_ns', 9,
	'attributes', attributes || '{"gen_ai.operation.name": "chat"}', 'events', coalesce(events, '[]'))))::text::trajectory FROM shapes)
SELECT shape, t::text::jsonb #>> '{spans,0,derived,prompt_hash}' = prompt.hash AS is_same, s.prompt_hash = prompt.hash AS is_a_column FROM spans, prompt, llmtrace.spans(t) s;

-- Which spans have one, and what makes another one.
SELECT attributes, prompt_hash FROM (VALUES
	('{"gen_ai.operation.name": "chat", "gen_ai.system_instructions": "a"}'), ('{"gen_ai.operation.name": "invoke_agent", "gen_ai.system_instructions": "a"}'),
	('{"gen_ai.operation.name": "execute_tool", "gen_ai.system_instructions": "a"}'), ('{"gen_ai.operation.name": "chat", "gen_ai.system_instructions": " "}'),
	('{"gen_ai.operation.name": "chat", "gen_ai.input.messages": "[{\"role\":\"user\",\"content\":\"a\"}]"}'), ('{"gen_ai.operation.name": "chat", "gen_ai.input.messages": "a"}'),
	('{"gen_ai.operation.name": "chat", "gen_ai.tool.definitions": "[{\"name\":\"a\"}]"}'), ('{"gen_ai.operation.name": "invoke_agent", "gen_ai.tool.definitions": "[{\"name\":\"a\"}]"}'),
	('{"gen_ai.operation.name": "chat", "gen_ai.tool.definitions": "[{\"name\":\"a\",\"parameters\":{\"n\":1,\"m\":[1, 2]}}]"}'),
	('{"gen_ai.operation.name": "chat", "gen_ai.tool.definitions": "[{\"parameters\":{\"m\":[9],\"m\":[1,2],\"n\":1},\"name\":\"a\"}]"}'),
	('{"gen_ai.operation.name": "chat", "gen_ai.tool.definitions": "[{\"type\":\"web_search\"},{\"type\":\"shell\"}]"}'), ('{"gen_ai.operation.name": "chat", "gen_ai.tool.definitions": "[{\"type\":\"shell\"},{\"type\":\"web_search\"}]"}'),
	('{"gen_ai.operation.name": "chat", "input.value": "{\"system\":\"a\"}"}'), ('{"gen_ai.operation.name": "chat", "input.value": "{\"system\":\"a\",\"prompt\":\"b\"}"}'),
	('{"gen_ai.operation.name": "chat", "input.value": "{''messages'': [{''role'': ''system''}]}", "gen_ai.system_instructions": "[{''type'': ''text''}]"}'),
	('{"gen_ai.operation.name": "chat", "gen_ai.system_instructions": "[\"a\\u0000\\ud800\"]"}'), ('{"gen_ai.operation.name": "chat", "gen_ai.system_instructions": "a' || U&'\FFFD\FFFD' || '"}'),
	('{"gen_ai.operation.name": "chat", "gen_ai.system_instructions": 7}')) v(attributes), spans(pg_temp.span(attributes));

-- Hostile: deep, unclosed, mismatched.
SELECT what, prompt_hash IS NULL AS has_none FROM (VALUES
	('deep tools', '{"gen_ai.operation.name": "chat", "gen_ai.tool.definitions": "' || repeat('[', 20000) || '"}'),
	('deep schema', '{"gen_ai.operation.name": "chat", "gen_ai.tool.definitions": "[{\"name\":' || repeat('{\"a\":', 20000) || '"}'),
	('deep messages', '{"gen_ai.operation.name": "chat", "gen_ai.input.messages": "[{\"role\":\"system\",\"content\":' || repeat('[', 20000) || '"}'),
	('mismatched', '{"gen_ai.operation.name": "chat", "gen_ai.input.messages": "[{\"role\":\"system\",]}}}"}'),
	('too long', '{"gen_ai.operation.name": "chat", "gen_ai.system_instructions": "' || repeat('a', 4194305) || '"}'),
	('long', '{"gen_ai.operation.name": "chat", "gen_ai.system_instructions": "' || repeat('a', 4194304) || '"}')) v(what, attributes), spans(pg_temp.span(attributes));
