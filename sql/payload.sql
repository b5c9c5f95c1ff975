-- Bodies: what leaves a trajectory, what stays, and how it comes back.
SET search_path = llmtrace, public;
SET timezone = 'UTC';
SET datestyle = 'ISO';
\set SHOW_CONTEXT never

-- References by themselves: on a span, in a list, in a list that was a text, on an event.
CREATE TEMPORARY TABLE t AS SELECT '{"trace_id": "000000000000000000000000000000a1", "spans": [
	{"span_id": "01", "name": "chat", "start_ns": 1767225600000000000, "end_ns": 1767225601000000000, "attributes": {
		"input.value": {"$ref": "00000000000000000000000000000001:17"},
		"gen_ai.input.messages": [null, {"$ref": "00000000000000000000000000000002:30"}, {"$ref": "00000000000000000000000000000003:5"}],
		"gen_ai.output.messages": [{"$ref": "00000000000000000000000000000002:30"}],
		"gen_ai.system_instructions": {"$ref": "00000000000000000000000000000004:4"},
		"app.long": {"$ref": "00000000000000000000000000000005:400"}},
	 "events": [{"time_ns": 1767225600000000001, "name": "gen_ai.user.message", "attributes": {"content": {"$ref": "00000000000000000000000000000001:17"}}}]},
	{"span_id": "02", "parent_span_id": "01", "name": "before midnight", "start_ns": 1767225599999999999, "end_ns": 1767225601000000000,
	 "attributes": {"input.value": {"$ref": "00000000000000000000000000000001:17"}}}]}'::trajectory AS t;
SELECT r.* FROM t, payload_refs(t) r;
-- Back again: what is known; a list only as a whole.
SELECT o, key, value FROM t, generate_series(1, 2) o, jsonb_each(span_attributes(with_bodies(t, ARRAY['00000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-000000000002']::uuid[],
	ARRAY['"a \"prompt\""', '{"role": "user", "content": [1, {"$double": "NaN"}]}']), o)) ORDER BY o, key;
SELECT span_attributes(with_bodies(t, ARRAY['00000000-0000-0000-0000-000000000002', '00000000-0000-0000-0000-000000000003', NULL]::uuid[], ARRAY['{"a":1}', '"b"', 'x']), 1) -> 'gen_ai.input.messages' FROM t;
SELECT with_bodies(t, '{}', '{}') = t AS the_same FROM t;
SELECT with_bodies(t, ARRAY['00000000-0000-0000-0000-000000000001']::uuid[], '{}') FROM t;
SELECT with_bodies(t, ARRAY['00000000-0000-0000-0000-000000000001']::uuid[], ARRAY['not JSON']) FROM t;
SELECT * FROM payload_refs('{"trace_id": "a1", "spans": [{"span_id": "01", "name": "n", "start_ns": 0, "end_ns": null, "attributes": {"a": [1, []], "b": "x"}}]}');

-- What leaves, by every convention's keys; nothing is kept of this store.
BEGIN;
SET LOCAL client_min_messages = warning;
SELECT create_store();
CREATE TEMPORARY TABLE attribute (key text, value text) ON COMMIT DROP;
INSERT INTO attribute SELECT key, 'the body of ' || key FROM unnest(ARRAY[
	'gen_ai.input.messages', 'gen_ai.output.messages', 'gen_ai.system_instructions', 'gen_ai.tool.call.arguments', 'gen_ai.tool.call.result', 'gen_ai.prompt', 'gen_ai.completion',
	'gen_ai.prompt.0.content', 'gen_ai.prompt.0.tool_calls.0.arguments', 'gen_ai.completion.0.content', 'gen_ai.retrieval.documents', 'gen_ai.retrieval.query.text',
	'input.value', 'output.value', 'llm.input_messages.0.message.content', 'llm.input_messages.1.message.contents.0.message_content.text', 'llm.output_messages.0.message.content',
	'llm.output_messages.0.message.tool_calls.0.tool_call.function.arguments', 'llm.prompts', 'retrieval.documents.0.document.content', 'embedding.embeddings.0.embedding.text', 'reranker.query',
	'reranker.input_documents.0.document.content', 'llm.prompt_template.template', 'llm.prompt_template.variables', 'traceloop.entity.input', 'traceloop.entity.output',
	'ai.prompt', 'ai.prompt.messages', 'ai.response.text', 'ai.response.object', 'ai.response.toolCalls', 'ai.result.text', 'ai.toolCall.args', 'ai.toolCall.result', 'ai.value', 'ai.values', 'ai.embedding', 'ai.telemetry.metadata.langfusePrompt',
	'langfuse.observation.input', 'langfuse.observation.output', 'langfuse.trace.input', 'langfuse.trace.output', 'gcp.vertex.agent.llm_request', 'gcp.vertex.agent.llm_response', 'gcp.vertex.agent.tool_call_args',
	'gcp.vertex.agent.tool_response', 'genkit:input', 'genkit:output', 'mastra.input', 'mastra.output', 'langwatch.input', 'langwatch.output', 'mlflow.spanInputs', 'mlflow.spanOutputs',
	'lk.user_transcript', 'lk.chat_ctx', 'lk.response.text', 'all_messages_events', 'pydantic_ai.all_messages', 'final_result', 'tool_arguments', 'tool_response', 'tool.result', 'message.content', 'input', 'output', 'prompt', 'completion']) key;
-- what says how, stays
INSERT INTO attribute SELECT key, 'stays: ' || key FROM unnest(ARRAY['gen_ai.prompt.0.role', 'gen_ai.completion.0.finish_reason', 'llm.input_messages.0.message.role', 'input.mime_type', 'retrieval.documents.0.document.id',
	'gen_ai.request.model', 'gen_ai.tool.name', 'app.short']) key;
INSERT INTO attribute VALUES ('app.long', repeat('x', 257)), ('app.just', repeat('x', 256)), ('gen_ai.agent.name', repeat('n', 300));
SELECT accepted_spans FROM ingest_otlp((SELECT json_build_object('resourceSpans', json_build_array(json_build_object('scopeSpans', json_build_array(json_build_object('spans', json_build_array(json_build_object(
	'traceId', 'a1', 'spanId', '01', 'name', 'n', 'startTimeUnixNano', 1767225600000000000, 'endTimeUnixNano', 1767225601000000000, 'status', json_build_object('code', 2, 'message', repeat('m', 257)),
	'attributes', json_agg(json_build_object('key', key, 'value', json_build_object('stringValue', value))))))))))::text FROM attribute));
CREATE TEMPORARY TABLE s ON COMMIT DROP AS SELECT trajectory AS t FROM trajectories;
SELECT key, role, body_bytes FROM s, payload_refs(t) ORDER BY key COLLATE "C";
SELECT key, left(span_attributes(t, 1) ->> key, 40) AS stays FROM s, attribute WHERE key NOT IN (SELECT key FROM payload_refs(t)) ORDER BY key COLLATE "C";
SELECT status_message FROM s, spans(t);
SELECT count(*) AS attributes, count(*) FILTER (WHERE span_attributes(restore_bodies(t), 1) ->> key = value) AS back, (SELECT length(status_message) FROM spans(restore_bodies(t))) AS status FROM s, attribute GROUP BY t;
-- A history that calls share is kept once; a day anew.
DELETE FROM payloads;
SELECT sum(accepted_spans) FROM generate_series(0, 3) n, ingest_otlp(format('{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"b1","spanId":"%s","name":"n","startTimeUnixNano":"%s","attributes":[
	{"key":"gen_ai.input.messages","value":{"stringValue":%s}}]}]}]}]}', n + 1, (1767225600 + n * 28800)::bigint * 1000000000, to_json((SELECT json_agg(json_build_object('role', 'user', 'content', 'turn ' || i)) FROM generate_series(0, n) i)::text)));
SELECT day, body FROM payloads ORDER BY day, body;
ROLLBACK;
