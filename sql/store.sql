-- The store: what comes in, what is folded, what can be read, and what is refused.
SET timezone = 'UTC';
SET datestyle = 'ISO';
\set SHOW_CONTEXT never
SELECT llmtrace.upgrade_store();
SELECT llmtrace.create_store(0);
SELECT llmtrace.create_store();
SELECT llmtrace.create_store();
SELECT llmtrace.upgrade_store();

-- A document of spans, and a span: times in seconds from the start of 2026,
-- attributes as an object.
CREATE FUNCTION pg_temp.any_value(v jsonb) RETURNS json LANGUAGE sql AS $$
	SELECT CASE jsonb_typeof(v) WHEN 'number' THEN json_build_object(CASE WHEN v::text LIKE '%.%' THEN 'doubleValue' ELSE 'intValue' END, v)
		ELSE json_build_object('stringValue', v #>> '{}') END
$$;
CREATE FUNCTION pg_temp.span(trace text, id text, parent text, name text, starts numeric, ends numeric, attributes jsonb DEFAULT '{}', more text DEFAULT '')
RETURNS text LANGUAGE sql AS $$
	SELECT format('{"traceId":"%s","spanId":"%s","parentSpanId":"%s","name":"%s","startTimeUnixNano":"%s","endTimeUnixNano":"%s","attributes":%s%s}',
		trace, id, parent, name, ((1767225600 + starts) * 1e9)::bigint, CASE WHEN ends IS NULL THEN 0 ELSE ((1767225600 + ends) * 1e9)::bigint END,
		(SELECT coalesce(json_agg(json_build_object('key', key, 'value', pg_temp.any_value(value))), '[]') FROM jsonb_each(attributes)), more)
$$;
CREATE FUNCTION pg_temp.doc(VARIADIC spans text[]) RETURNS text LANGUAGE sql AS $$
	SELECT '{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}}]},"scopeSpans":[{"spans":['
		|| array_to_string(spans, ',') || ']}]}]}'
$$;
-- What every reader can rely on; empty.
CREATE VIEW pg_temp.broken AS
	SELECT 'folded, not in the directory' AS what, trace_id FROM llmtrace.folded f WHERE NOT EXISTS (SELECT FROM llmtrace.directory d WHERE d.trace_id = f.trace_id AND d.started_at = f.started_at)
	UNION ALL SELECT 'in the directory, not folded', trace_id FROM llmtrace.directory d WHERE NOT EXISTS (SELECT FROM llmtrace.folded f WHERE d.trace_id = f.trace_id AND d.started_at = f.started_at)
	UNION ALL SELECT 'columns differ from the datum', trace_id FROM llmtrace.folded f WHERE (trace_id, started_at, span_count) <> (llmtrace.trace_id(trajectory), llmtrace.started_at(trajectory), llmtrace.span_count(trajectory))
	UNION ALL SELECT 'twice', trace_id FROM llmtrace.traces GROUP BY trace_id HAVING count(*) > 1;

-- A good document: an agent, a model call, a tool that fails.
SELECT * FROM llmtrace.ingest_otlp(pg_temp.doc(
	pg_temp.span('a1', '01', '', 'answer', 0, 9, '{"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "helper", "app.team": "blue", "app.experiment": "x1", "app.workspace": "w1"}'),
	pg_temp.span('a1', '02', '01', 'chat', 1, 4, '{"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-x", "gen_ai.usage.input_tokens": 1000, "gen_ai.usage.output_tokens": 100,
		"gen_ai.input.messages": "[{\"role\":\"system\",\"content\":\"be kind\"},{\"role\":\"user\",\"content\":\"where is my order?\"}]", "gen_ai.output.messages": "not JSON at all"}'),
	pg_temp.span('a1', '03', '01', 'search', 5, 6, '{"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "search", "error.type": "Timeout"}',
		',"status":{"code":2,"message":"too slow"}')));
-- One bad span costs no more than itself.
SELECT * FROM llmtrace.ingest_otlp(pg_temp.doc(pg_temp.span('a2', '01', '', 'open', 20, NULL), pg_temp.span('a2', 'zz', '01', 'bad', 21, 22), pg_temp.span('0', '01', '', 'bad', 21, 22)));
-- What is no OTLP is an error, and as a line of a file a row; no reason quotes what it is about.
SELECT * FROM llmtrace.ingest_otlp('{"resourceSpans": [{"scopeSpans": [{"spans": [{"name": "a secret');
SELECT * FROM llmtrace.ingest_otlp('{"resourceLogs": []}');
SELECT * FROM llmtrace.ingest_otlp_json('\xff00');
SELECT * FROM llmtrace.ingest_body('{}', 'xml');
INSERT INTO llmtrace.otlp VALUES ('{"resourceSpans": []}'), (NULL), ('{"resourceSpans": [{"scopeSpans": [{"spans": [{"name": "a secret'), ('no secret');
-- The same by protobuf: one span, ids 16 times 0b and 8 times 02, name pb, from 1 to 2 seconds.
SELECT * FROM llmtrace.ingest_otlp_protobuf(decode('0a3612341232' || '0a10' || repeat('0b', 16) || '1208' || repeat('02', 8) || '2a027062'
	|| '3900ca942952728618' || '4100942f6552728618', 'hex'));
SELECT * FROM llmtrace.ingest_otlp_protobuf('\xdeadbeef');
SELECT line_number, span_id, reason FROM llmtrace.ingest_rejected ORDER BY received_at;

-- What came in shows at once.
SELECT trace_id, root_name, started_at, duration_ms, is_complete, span_count, error_count, error_type, input_tokens, feature, feature_source, first_model, cost_source, missing_price_count FROM llmtrace.traces ORDER BY trace_id;
SELECT llmtrace.show(llmtrace.trace('000000000000000000000000000000a1'));
-- Not yet quiet; then everything; then nothing is left to do.
CALL llmtrace.fold();
SELECT count(*) FROM llmtrace.folded;
CREATE TEMPORARY TABLE before_fold AS SELECT * FROM llmtrace.trajectories;
CALL llmtrace.fold(quiet_for => '0');
CALL llmtrace.fold(quiet_for => '0');
CALL llmtrace.fold(quiet_for => '-1 s');
CALL llmtrace.fold(quiet_for => NULL);
SELECT count(*) AS folded, (SELECT count(*) FROM llmtrace.fragments) AS pending, (SELECT count(*) FROM before_fold b JOIN llmtrace.trajectories t ON b::text = t::text) AS the_same FROM llmtrace.folded;
SELECT * FROM pg_temp.broken;

-- Sent again, nothing changes.  A late span shows after the next fold, wherever it moves the start.
SELECT accepted_spans FROM llmtrace.ingest_otlp(pg_temp.doc(pg_temp.span('a2', '01', '', 'open', 20, NULL)));
CALL llmtrace.fold('0');
SELECT count(*) FROM before_fold b JOIN llmtrace.trajectories t ON b::text = t::text;
SELECT accepted_spans FROM llmtrace.ingest_otlp(pg_temp.doc(pg_temp.span('a2', '01', '', 'open', 20, 30), pg_temp.span('a2', '07', '01', 'early', -30 * 86400, -1)));
SELECT started_at, span_count FROM llmtrace.traces WHERE trace_id = '000000000000000000000000000000a2';
CALL llmtrace.fold('0');
SELECT tableoid::regclass AS place, started_at, duration_ms, is_complete, span_count FROM llmtrace.folded WHERE trace_id = '000000000000000000000000000000a2';
SELECT * FROM pg_temp.broken;

-- Clocks a century off.
SELECT accepted_spans FROM llmtrace.ingest_otlp(pg_temp.doc(pg_temp.span('c1', '01', '', 'early', -1767225600, -1767225599, '{"input.value": "hello 1970"}'),
	pg_temp.span('c2', '01', '', 'late', 2335219200, 2335219201, '{"input.value": "hello 2100"}')));
CALL llmtrace.fold('0');
SELECT tableoid::regclass AS place, started_at, root_name FROM llmtrace.folded WHERE trace_id::text LIKE '%-0000000000c_' ORDER BY started_at;
SELECT tableoid::regclass AS place, day, body FROM llmtrace.payloads ORDER BY day, body;

-- Ready: a closed root and quiet; or having waited; a late fragment once quiet.
BEGIN;
SELECT accepted_spans FROM llmtrace.ingest_otlp(pg_temp.doc(pg_temp.span('d1', '02', '01', 'child of a root to come', 0, 1), pg_temp.span('d2', '01', '', 'closed', 0, 1), pg_temp.span('a1', '09', '01', 'late', 2, 3)));
SELECT trace_id, has_closed_root, tenant_id FROM llmtrace.fragments ORDER BY trace_id;
SELECT sum(trace_count), sum(fragment_count) FROM generate_series(1, 3), llmtrace.fold_batch('1 hour', '1 hour');
UPDATE llmtrace.fragments SET received_at = received_at - interval '2 minutes';
SELECT r AS ready FROM generate_series(0, 63) s, llmtrace.ready_traces(s, '00000000-0000-0000-0000-000000000000', '1 minute', '1 hour', 1000000) x, unnest(x.trace_ids) r ORDER BY r;
SELECT r AS ready FROM generate_series(0, 63) s, llmtrace.ready_traces(s, '00000000-0000-0000-0000-000000000000', '1 minute', '1 minute', 1000000) x, unnest(x.trace_ids) r ORDER BY r;
SELECT trace_count, fragment_count FROM llmtrace.fold_backlog;
ROLLBACK;

-- A trace by its id.
SELECT id, llmtrace.span_count(llmtrace.trace(id)) FROM (VALUES ('000000000000000000000000000000A1'), ('00000000-0000-0000-0000-0000000000a1'), (' 0x000000000000000000000000000000a1 '), ('0b0b0b0b'), ('ffffffff')) v(id);
SELECT llmtrace.trace('00000000');
SELECT llmtrace.trace('0b0b');
SELECT llmtrace.trace('not an id');
SELECT llmtrace.trace_hex('00000000-0000-0000-0000-0000000000a1');

-- Bodies.
SELECT span_id, part, message_number, role, content, body_bytes, key FROM llmtrace.messages WHERE trace_id = '000000000000000000000000000000a1' ORDER BY ordinal, key, message_number;
SELECT llmtrace.payload(t, 2, 'gen_ai.input.messages') AS list, llmtrace.payload(t, 2, 'gen_ai.output.messages') AS text, llmtrace.payload(t, 2, 'none') AS none,
	t::text LIKE '%order?%' AS is_in_the_trace
FROM llmtrace.trace('000000000000000000000000000000a1') t;
-- Out and in again: the same trajectory, and the same bodies, none new.
CREATE TEMPORARY TABLE exported AS SELECT trace_id, llmtrace.export_otlp(trace_id) AS document, trajectory FROM llmtrace.trajectories;
CREATE TEMPORARY TABLE kept AS SELECT * FROM llmtrace.payloads;
BEGIN;
DELETE FROM llmtrace.folded; DELETE FROM llmtrace.directory;
SELECT sum(i.accepted_spans), sum(i.rejected_spans) FROM exported, llmtrace.ingest_otlp(document) i;
SELECT count(*) AS traces, count(*) FILTER (WHERE llmtrace.trace(e.trace_id::text)::text = e.trajectory::text) AS the_same FROM exported e;
SELECT count(*) FROM (TABLE llmtrace.payloads EXCEPT ALL TABLE kept) x;
ROLLBACK;
SELECT llmtrace.export_otlp('ffffffff-0000-0000-0000-000000000000') IS NULL AS is_none;

-- A key of one's own as a column, and as a dimension: of what is folded and of what waits.
SELECT accepted_spans FROM llmtrace.ingest_otlp(pg_temp.doc(pg_temp.span('e1', '01', '', 'pending', 0, 1, '{"app.team": "red", "app.experiment": 7, "app.customer": "c9"}')));
CALL llmtrace.map_attribute('feature', 'app.team');
CALL llmtrace.map_attribute('experiment', 'app.experiment');
CALL llmtrace.map_attribute('tenant_id', 'app.customer');
SELECT trace_id, feature, feature_source, tenant_id, dims FROM llmtrace.traces WHERE feature IS NOT NULL ORDER BY trace_id;
SELECT tenant_id FROM llmtrace.fragments;
SELECT accepted_spans FROM llmtrace.ingest_otlp(pg_temp.doc(pg_temp.span('e2', '01', '', 'new', 0, 1, '{"app.team": "green", "app.experiment": 8, "app.customer": "c8"}'),
	pg_temp.span('a1', '0a', '01', 'late', 2, 3, '{"app.team": "white"}')));
SELECT trace_id, tenant_id FROM llmtrace.fragments ORDER BY trace_id;
CALL llmtrace.fold('0');
SELECT trace_id, feature, feature_source, tenant_id, dims FROM llmtrace.traces WHERE feature IS NOT NULL ORDER BY trace_id;
SELECT key, column_name FROM llmtrace.attribute_keys(llmtrace.trace('000000000000000000000000000000a1')) WHERE key LIKE 'app.%' ORDER BY key;
CALL llmtrace.map_attribute('Feature!', 'x');
CALL llmtrace.map_attribute('duration_ms', 'x');
CALL llmtrace.map_attribute('feature', '');
CALL llmtrace.map_attribute(NULL, 'x');
SELECT * FROM llmtrace.attribute_alias ORDER BY key;
SELECT * FROM llmtrace.cohort_dimension ORDER BY name;
SELECT * FROM pg_temp.broken;

-- Prices.
SELECT * FROM llmtrace.load_prices('{"sample_spec": {"input_cost_per_token": 1}, "gpt-x": {"litellm_provider": "openai", "input_cost_per_token": 2.5e-06, "output_cost_per_token": 1e-05},
	"openai/gpt-y": {"litellm_provider": "openai", "input_cost_per_token": "1e-06", "cache_read_input_token_cost": 0}, "vertex_ai/gemini": {"litellm_provider": "vertex_ai-language-models", "input_cost_per_token": 1e-07},
	"image": {"output_cost_per_image": 0.04}, "odd": 3}');
SELECT provider, model_pattern, valid, input_usd_per_million, output_usd_per_million, cache_read_usd_per_million, source FROM llmtrace.price ORDER BY model_pattern;
SELECT * FROM llmtrace.load_prices('{"gpt-x": {"litellm_provider": "openai", "input_cost_per_token": 2.5e-06, "output_cost_per_token": 1e-05}}');
SELECT * FROM llmtrace.load_prices('[]');
SELECT * FROM llmtrace.load_prices('{"a": {"mode": "chat"}}');
SELECT * FROM llmtrace.load_prices('{"a": {"input_cost_per_token": "dear"}}');
SELECT * FROM llmtrace.load_prices('{"a": {"input_cost_per_token": -1}}');
CALL llmtrace.reprice();
SELECT cost_usd, cost_source, missing_price_count FROM llmtrace.traces WHERE trace_id = '000000000000000000000000000000a1';
-- dearer from 2026-02-01 on, which is after this trace
SELECT * FROM llmtrace.load_prices('{"gpt-x": {"litellm_provider": "openai", "input_cost_per_token": 5e-06, "output_cost_per_token": 1e-05}}', since => '2026-02-01');
CALL llmtrace.reprice();
SELECT model, at, llmtrace.priced_cost(provider, model, at, 1000, 100, NULL, NULL, NULL) FROM (VALUES
	('openai', 'gpt-x', timestamptz '2026-01-31 23:59:59.999999'), ('openai', 'gpt-x', '2026-02-01'), ('openai', 'gpt-x-2024-08-06', '2026-01-01'), ('openai', 'proxy/gpt-x', '2026-01-01'),
	(NULL, 'gpt-x', '2026-01-01'), ('openai', 'gpt-z', '2026-01-01'), ('openai', NULL, '2026-01-01')) v(provider, model, at);
SELECT llmtrace.priced_cost('openai', 'gpt-x', now(), NULL, NULL, 1, 1, 1), llmtrace.priced_cost('openai', 'gpt-x', '2026-01-01', 9223372036854775807, 0, 0, 0, 0);
-- one call site, as the price changes
DO $$
DECLARE
	usd numeric[];
BEGIN
	FOR i IN 1..3 LOOP
		UPDATE llmtrace.price SET output_usd_per_million = i WHERE model_pattern = 'gpt-y';
		usd[i] := llmtrace.priced_cost('openai', 'gpt-y', '2026-01-01', NULL, 1000000, NULL, NULL, NULL);
	END LOOP;
	RAISE NOTICE '%', usd;
END
$$;
INSERT INTO llmtrace.price (model_pattern, input_usd_per_million) VALUES ('gpt*', 9), ('*', 1);
SELECT model, llmtrace.priced_cost('openai', model, '2026-01-01', 1000000, 0, 0, 0, 0) FROM (VALUES ('gpt-x'), ('gpt-z'), ('other')) v(model);
INSERT INTO llmtrace.price (model_pattern) VALUES ('g*t');
INSERT INTO llmtrace.price (model_pattern, input_usd_per_million) VALUES ('gpt*', 10);

-- Judgements that come with a trace.
SELECT accepted_spans FROM llmtrace.ingest_otlp(pg_temp.doc(pg_temp.span('f1', '01', '', 'judged', 0, 1, '{}', ',"events":[
	{"timeUnixNano":"1767225600500000000","name":"gen_ai.evaluation.result","attributes":[{"key":"gen_ai.evaluation.name","value":{"stringValue":"relevance"}},{"key":"gen_ai.evaluation.score.value","value":{"doubleValue":0.75}},{"key":"gen_ai.evaluation.explanation","value":{"stringValue":"because of the prompt"}}]},
	{"timeUnixNano":"1767225600500000000","name":"gen_ai.evaluation.result","attributes":[{"key":"gen_ai.evaluation.score.label","value":{"stringValue":"nameless"}}]}]')));
CALL llmtrace.fold('0');
SELECT accepted_spans FROM llmtrace.ingest_otlp(pg_temp.doc(pg_temp.span('f1', '02', '01', 'late', 0, 1)));
CALL llmtrace.fold('0');
SELECT * FROM llmtrace.annotation;
SELECT part, content, event_number FROM llmtrace.messages WHERE trace_id = '000000000000000000000000000000f1';

-- Bodies of which only the hash is wanted, and a key that stays.
INSERT INTO llmtrace.payload_policy VALUES ('gen_ai.output.messages', 'hash'), ('input.value', 'inline'), ('app.note', 'store');
INSERT INTO llmtrace.payload_policy VALUES ('x', 'burn');
UPDATE llmtrace.store SET max_inline_bytes = 10;
SELECT accepted_spans FROM llmtrace.ingest_otlp(pg_temp.doc(pg_temp.span('f2', '01', '', 'policies', 0, 1,
	'{"gen_ai.output.messages": "not kept", "input.value": "it stays where it is", "app.note": "short", "app.long": "longer than ten bytes"}', ',"status":{"code":2,"message":"a long message of status"}')));
SELECT llmtrace.span_attributes(llmtrace.trace('000000000000000000000000000000f2'), 1) - 'service.name' - 'gen_ai.output.messages' - 'app.note' - 'app.long' - 'llmtrace.status_message';
SELECT key, content, body_bytes FROM llmtrace.messages WHERE trace_id = '000000000000000000000000000000f2' ORDER BY key;
SELECT status_message FROM llmtrace.spans(llmtrace.restore_bodies(llmtrace.trace('000000000000000000000000000000f2')));
UPDATE llmtrace.store SET max_inline_bytes = 256;

-- A link's long attribute goes and comes back; a name too long for a key is cut.
INSERT INTO llmtrace.payload_policy VALUES ('gen_ai.evaluation.name', 'inline');
SELECT accepted_spans FROM llmtrace.ingest_otlp(pg_temp.doc(pg_temp.span('f3', '01', '', 'linked', 0, 1, '{}', format(',
	"links":[{"traceId":"f1","spanId":"01","attributes":[{"key":"why","value":{"stringValue":"%s"}}]}],
	"events":[{"timeUnixNano":"1767225600500000000","name":"gen_ai.evaluation.result","attributes":[{"key":"gen_ai.evaluation.name","value":{"stringValue":"%s"}}]}]',
	repeat('because ', 40), (SELECT string_agg(md5(i::text), '') FROM generate_series(1, 400) i)))));
CALL llmtrace.fold('0');
SELECT span_id, length(name) FROM llmtrace.annotation WHERE trace_id = '000000000000000000000000000000f3';
SELECT key, event_number, link_number, length(content) FROM llmtrace.messages WHERE trace_id = '000000000000000000000000000000f3';
SELECT llmtrace.span_links(t, 1) #> '{0,attributes,why}' ? '$ref' AS is_reference, length(llmtrace.span_links(llmtrace.restore_bodies(t), 1) #>> '{0,attributes,why}') AS restored, llmtrace.payload(t, 1, 'why') IS NULL AS is_no_spans
FROM llmtrace.trace('000000000000000000000000000000f3') t;

-- What judges cost, also those within another, once; a task's traces, however they are named.
SELECT accepted_spans FROM llmtrace.ingest_otlp(pg_temp.doc(
	pg_temp.span('f4', '01', '', 'run', 0, 9, '{"gen_ai.conversation.id": "talk"}'),
	pg_temp.span('f4', '02', '01', 'judge', 1, 5, '{"openinference.span.kind": "EVALUATOR"}'),
	pg_temp.span('f4', '03', '02', 'judge of the judge', 2, 4, '{"openinference.span.kind": "EVALUATOR"}'),
	pg_temp.span('f4', '04', '03', 'chat', 2, 3, '{"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-x", "gen_ai.usage.input_tokens": 1000000}'),
	pg_temp.span('f4', '05', '01', 'chat', 6, 7, '{"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-x", "gen_ai.usage.input_tokens": 3000000}')));
SELECT judge_cost_usd, inference_cost_usd, telemetry_share FROM llmtrace.telemetry_cost WHERE trace_id = '000000000000000000000000000000f4';
INSERT INTO llmtrace.outcome (task_id, trace_id, conversation_id, at, success) VALUES
	('both', '000000000000000000000000000000f4', 'talk', '2026-01-01', false), ('both', '000000000000000000000000000000f3', NULL, '2026-01-02', true),
	('none', '00000000000000000000000000000099', NULL, '2026-01-01', NULL);
SELECT task_id, success, trace_count, input_tokens, cost_usd FROM llmtrace.tasks ORDER BY task_id;

-- A name misspelled.
SELECT * FROM llmtrace.cost_by_feature(since => '2025-01-01', "by" => '{tennant}');
SELECT w, llmtrace.closest_word(w, '{tenant_id,model,kind,feature,user_id}') FROM unnest('{tennant,modle,usr,featre,kinds,colour,x,""}'::text[]) w;

-- How the store is.
SELECT "check", status, regexp_replace(finding, 'the newest started .*|the oldest came in .*|fragments, .*', '...') AS finding, hint FROM llmtrace.doctor() ORDER BY "check";
-- What has no answer says why, in a period that has traces.
SELECT count(*) FROM llmtrace.ttft_slo(since => '1960-01-01');
SELECT count(*) FROM llmtrace.ttft_histogram(since => '1960-01-01');
SELECT count(*) FROM llmtrace.plan_cycle_report(since => '1960-01-01');
SELECT count(*) FROM llmtrace.cost_drivers(since => '1965-01-01', until => '1975-01-01');
SELECT count(*) FROM llmtrace.incident_delta('2050-01-01 00:00:00+00', '100 years', '100 years');

-- One trace that an index of one's own cannot hold keeps no other from being folded.
CREATE INDEX root_names ON llmtrace.folded ((1 / (length(root_name) - 200)));
SELECT accepted_spans FROM llmtrace.ingest_otlp(format('{"resourceSpans": [{"scopeSpans": [{"spans": [
	{"traceId": "000000000000000000000000000009a1", "spanId": "01", "name": "%s", "startTimeUnixNano": "1767225600000000000", "endTimeUnixNano": "1767225601000000000"},
	{"traceId": "000000000000000000000000000009a2", "spanId": "01", "name": "short", "startTimeUnixNano": "1767225600000000000", "endTimeUnixNano": "1767225601000000000"}]}]}]}',
	repeat('n', 200)));
CALL llmtrace.fold('0');
SELECT f.trace_id, length(t.root_name), f.is_set_aside FROM llmtrace.fragments f JOIN llmtrace.traces t USING (trace_id);
SELECT left(reason, 72) AS reason FROM llmtrace.ingest_rejected WHERE reason LIKE 'trace % cannot be folded%';
SELECT "check", finding FROM llmtrace.doctor() WHERE "check" = 'set aside';
SELECT root_name FROM llmtrace.folded WHERE trace_id = '000000000000000000000000000009a2';
DROP INDEX llmtrace.root_names;
SELECT llmtrace.fold_again();
CALL llmtrace.fold('0');
SELECT count(*), max(length(root_name)) FROM llmtrace.folded WHERE trace_id = '000000000000000000000000000009a1';
DELETE FROM llmtrace.ingest_rejected WHERE reason LIKE 'trace % cannot be folded%';
DELETE FROM llmtrace.folded WHERE trace_id IN ('000000000000000000000000000009a1', '000000000000000000000000000009a2');
DELETE FROM llmtrace.directory WHERE trace_id IN ('000000000000000000000000000009a1', '000000000000000000000000000009a2');

-- However long a text is, columns keep so much of it that rows stay small and an index of one's own holds them; the trajectory
-- keeps all.  Different texts stay different, and are the same in views of traces and of spans, while they wait and later.
SELECT accepted_spans FROM llmtrace.ingest_otlp(pg_temp.doc(pg_temp.span('9a3', '01', '', '', 0, 9, '{}')));
CALL llmtrace.fold('0');
SELECT root_name = '' AS is_unnamed FROM llmtrace.traces WHERE trace_id::text LIKE '%-0000000009a3';
DELETE FROM llmtrace.folded WHERE trace_id::text LIKE '%-0000000009a3';
DELETE FROM llmtrace.directory WHERE trace_id::text LIKE '%-0000000009a3';
CREATE INDEX long_texts ON llmtrace.folded (tenant_id, user_id, conversation_id, feature, agent_name, first_model, root_name, error_type);
CREATE FUNCTION pg_temp.noise(n int) RETURNS text LANGUAGE sql AS $$ SELECT string_agg(md5(i::text), '') FROM generate_series(1, n / 32) i $$;
SELECT accepted_spans FROM generate_series(1, 2) i, llmtrace.ingest_otlp(pg_temp.doc(
	pg_temp.span('9b' || i, '01', '', 'root' || pg_temp.noise(60000), 0, 9, (SELECT jsonb_object_agg(key, key || pg_temp.noise(100000) || i)
		FROM unnest('{gen_ai.agent.name,tenant.id,user.id,gen_ai.conversation.id,app.team,app.experiment,error.type,gen_ai.prompt.name,deployment.environment.name}'::text[]) key)
		|| '{"gen_ai.operation.name": "invoke_agent"}'),
	pg_temp.span('9b' || i, '02', '01', 'chat', 1, 2, jsonb_build_object('gen_ai.operation.name', 'chat', 'gen_ai.request.model', 'm' || pg_temp.noise(100000) || i)),
	pg_temp.span('9b' || i, '03', '01', 'tool', 3, 4, jsonb_build_object('gen_ai.operation.name', 'execute_tool', 'gen_ai.tool.name', 't' || pg_temp.noise(100000) || i)))) x;
CREATE VIEW pg_temp.long_texts AS
	SELECT 'traces' AS view, j.key, octet_length(j.value) AS bytes, j.value FROM llmtrace.traces t, jsonb_each_text(to_jsonb(t) || t.dims) j WHERE trace_id::text LIKE '%-0000000009b_'
	UNION SELECT 'spans', j.key, octet_length(j.value), j.value FROM llmtrace.spans s, jsonb_each_text(to_jsonb(s)) j WHERE trace_id::text LIKE '%-0000000009b_';
CREATE TEMPORARY TABLE waiting AS TABLE pg_temp.long_texts;
SELECT DISTINCT octet_length(tenant_id) FROM llmtrace.fragments;
CALL llmtrace.fold('0');
SELECT count(*) FROM llmtrace.fragments;
(TABLE waiting EXCEPT TABLE pg_temp.long_texts) UNION ALL (TABLE pg_temp.long_texts EXCEPT TABLE waiting);
SELECT t.key, t.bytes, count(*) AS values, count(s.key) AS of_spans
FROM pg_temp.long_texts t LEFT JOIN pg_temp.long_texts s ON s.view = 'spans' AND s.key = t.key AND s.value = t.value
WHERE t.view = 'traces' AND t.bytes > 100 AND t.key <> 'dims' GROUP BY t.key, t.bytes ORDER BY t.key COLLATE "C";
SELECT max(pg_column_size(f.*) - pg_column_size(f.trajectory)) < 4500 AS rows_are_small FROM llmtrace.folded f WHERE trace_id::text LIKE '%-0000000009b_';
SELECT s.ordinal, key, length(value) FROM llmtrace.trace('000000000000000000000000000009b1') t, llmtrace.spans(t) s, jsonb_each_text(llmtrace.span_attributes(t, s.ordinal)) WHERE length(value) > 300 ORDER BY 1, 2;
SELECT tenant_id = llmtrace.short_text('tenant.id' || pg_temp.noise(100000) || 1), octet_length(tenant_id), llmtrace.short_text(repeat('x', 255)) = repeat('x', 255) FROM llmtrace.traces WHERE trace_id = '000000000000000000000000000009b1';
SELECT is_valid, octet_length(s) FROM llmtrace.short_text(repeat('ä', 200)) s, LATERAL (SELECT s = convert_from(convert_to(s, 'UTF8'), 'UTF8') AS is_valid) v;
CALL llmtrace.refresh_rollups();
SELECT "by", count(DISTINCT dims), max(octet_length(dims::text)) < 300 AS are_short FROM llmtrace.cohort_rollup WHERE "by" IN ('model', 'tool_name', 'tenant_id') AND octet_length(dims::text) > 200 GROUP BY 1 ORDER BY 1;
SELECT count(*) FROM llmtrace.subject_traces('user_id', 'user.id' || pg_temp.noise(100000) || 1) ids, unnest(ids);
DROP INDEX llmtrace.long_texts;
WITH gone AS (DELETE FROM llmtrace.folded WHERE trace_id::text LIKE '%-0000000009b_' RETURNING trace_id) DELETE FROM llmtrace.directory d USING gone g WHERE d.trace_id = g.trace_id;

-- Retention.
SELECT * FROM llmtrace.drop_before(NULL);
SELECT * FROM llmtrace.drop_before('infinity');
SELECT * FROM llmtrace.drop_before('2026-01-01');
SELECT trace_id, started_at FROM llmtrace.traces ORDER BY trace_id;
SELECT day, count(*) FROM llmtrace.payloads GROUP BY day ORDER BY day;
SELECT * FROM pg_temp.broken;
-- what is too old comes in again, into partitions made anew
SELECT accepted_spans FROM llmtrace.ingest_otlp((SELECT document FROM exported WHERE trace_id = '000000000000000000000000000000c1'));
CALL llmtrace.fold('0');
-- with what came in the traces, but not what people said of them
INSERT INTO llmtrace.annotation (trace_id, at, name, label) VALUES ('000000000000000000000000000000f1', '2026-01-01', 'looked at', 'fine');
UPDATE llmtrace.ingest_rejected SET received_at = '2026-01-31' WHERE span_id IS NULL;
SELECT * FROM llmtrace.drop_before('2026-02-01');
SELECT trace_id, started_at FROM llmtrace.traces ORDER BY trace_id;
SELECT name, source FROM llmtrace.annotation;
SELECT span_id, reason FROM llmtrace.ingest_rejected ORDER BY received_at;
SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent = 'llmtrace.folded'::regclass ORDER BY inhrelid::regclass::text COLLATE "C";
SELECT * FROM pg_temp.broken;
SELECT llmtrace.upgrade_store();
UPDATE llmtrace.store SET version = '0.0.1';
SELECT llmtrace.upgrade_store();
