-- OTLP in and out: what real exporters send, and what is refused.
SET search_path = llmtrace, public;
SET timezone = 'UTC';

-- A document around some spans.
CREATE FUNCTION pg_temp.doc(spans text) RETURNS text LANGUAGE sql AS $$
	SELECT '{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}}]},'
		|| '"scopeSpans":[{"scope":{"name":"lib","version":"1"},"spans":[' || spans || ']}]}]}'
$$;
-- One span with an attribute of that value.
CREATE FUNCTION pg_temp.with_value(value text) RETURNS text LANGUAGE sql AS $$
	SELECT pg_temp.doc('{"traceId":"0af7651916cd43dd8448eb211c80319c","spanId":"b7ad6b7169203331","name":"n",'
		|| '"startTimeUnixNano":"1","endTimeUnixNano":"2","attributes":[{"key":"k","value":' || value || '}]}')
$$;

SELECT trajectories_from_otlp(pg_temp.doc('{"traceId":"0af7651916cd43dd8448eb211c80319c","spanId":"b7ad6b7169203331",
	"parentSpanId":"00f067aa0ba902b7","name":"n","kind":3,"startTimeUnixNano":"1544712660000000000","endTimeUnixNano":"1544712661000000000",
	"traceState":"ot=th:0","flags":257,"status":{"code":2,"message":"m"},"droppedAttributesCount":1,"droppedEventsCount":2,"droppedLinksCount":3,
	"events":[{"timeUnixNano":"1544712660500000000","name":"e","attributes":[{"key":"a","value":{"boolValue":true}}]}],
	"links":[{"traceId":"0af7651916cd43dd8448eb211c80319d","spanId":"00f067aa0ba902b8","traceState":"x","flags":1}]}'));

-- Ids in all their spellings are one.
SELECT DISTINCT t FROM (VALUES
	('"0af7651916cd43dd8448eb211c80319c"', '"00f067aa0ba902b7"'), ('"0AF7651916CD43DD8448EB211C80319C"', '"00F067AA0BA902B7"'),
	('"0x0af7651916cd43dd8448eb211c80319c"', '"0xf067aa0ba902b7"'), ('"CvdlGRbNQ92ESOshHIAxnA=="', '"APBnqgupArc="'),
	('"CvdlGRbNQ92ESOshHIAxnA"', '"APBnqgupArc"')) v(trace, span),
	trajectories_from_otlp(pg_temp.doc('{"traceId":' || trace || ',"spanId":' || span || ',"name":"n"}')) t;
SELECT trace_id(t), s.parent_span_id IS NULL AS is_root FROM (VALUES ('"84d8eb211c80319c"', 'null'), ('"84d8eb211c80319c"', '""'),
	('"84d8eb211c80319c"', '"0000000000000000"'), ('"hNjrIRyAMZw="', '""')) v(trace, parent),
	trajectories_from_otlp(pg_temp.doc('{"traceId":' || trace || ',"spanId":"1","parentSpanId":' || parent || ',"name":"n"}')) t, spans(t) s;

-- Enums by number or name, members in snake case and in any order.
SELECT DISTINCT span_kind, status FROM (VALUES ('"kind":3,"status":{"code":2}'), ('"kind":"SPAN_KIND_CLIENT","status":{"code":"STATUS_CODE_ERROR"}'),
	('"kind":"3","status":{"code":"2"}')) v(members),
	trajectories_from_otlp(pg_temp.doc('{"traceId":"1","spanId":"1","name":"n",' || members || '}')) t, spans(t);
SELECT trajectories_from_otlp('{"resource_spans":[{"scope_spans":[{"spans":[{"name":"n","span_id":"1","trace_id":"1","start_time_unix_nano":5,
	"end_time_unix_nano":"6","dropped_attributes_count":1,"attributes":[{"value":{"string_value":"v"},"key":"k"}]}],
	"scope":{"name":"late"},"schema_url":"s"}],"resource":{"dropped_attributes_count":2,"attributes":[{"key":"r","value":{"int_value":1}}]},"schema_url":"u"}]}');

-- Values.
SELECT v, span_attributes(t, 1) -> 'k' AS value, t::text LIKE '%"k": ' || w || '}%' AS as_expected
FROM (VALUES
	('{"stringValue":"s"}', '"s"'), ('{"boolValue":false}', 'false'), ('{"intValue":"-9223372036854775808"}', '-9223372036854775808'),
	('{"intValue":42}', '42'), ('{"intValue":1152921504606846976}', '1152921504606846976'), ('{"intValue":1.5e3}', '1500'),
	('{"intValue":"9223372036854775808"}', '9.223372036854776e+18'), ('{"intValue":1.7976931348623157e+308}', '1.7976931348623157e+308'),
	('{"doubleValue":1}', '1.0'), ('{"doubleValue":-0.0}', '-0.0'), ('{"doubleValue":"NaN"}', '{"$double": "NaN"}'), ('{"doubleValue":"-Infinity"}', '{"$double": "-Infinity"}'),
	('{"doubleValue":null}', 'null'), ('{}', 'null'), ('null', 'null'), ('{"bytesValue":"AAE="}', '{"$bytes": "AAE="}'),
	('{"arrayValue":{"values":[{"intValue":1},{},{"arrayValue":{}}]}}', '[1, null, []]'),
	('{"kvlistValue":{"values":[{"key":"a","value":{"intValue":1}},{"key":"b"},{"key":"a","value":{"intValue":2}}]}}', '{"b": null, "a": 2}')) v(v, w),
	trajectories_from_otlp(pg_temp.with_value(v)) t;

-- Duplicate keys: the last wins.
SELECT span_attributes(t, 1) FROM trajectories_from_otlp(pg_temp.doc('{"traceId":"1","spanId":"1","name":"n",
	"attributes":[{"key":"k","value":{"intValue":1}},{"key":"l"},{"key":"k","value":{"intValue":2}}]}')) t;

-- What PostgreSQL cannot store is replaced, and counted.
SELECT t FROM trajectories_from_otlp(pg_temp.doc('{"traceId":"1","spanId":"1","name":"a\u0000b\ud800c\udc00\ud83d\ude00\\u0000",
	"attributes":[{"key":"k","value":{"stringValue":"\ud83dx"}}]},{"traceId":"1","spanId":"2","name":"sound"}')) t;

-- Control characters and escapes that JSON does not know cost no document.
SELECT span_attributes(t, 1) - 'long' AS attributes, span_attributes(t, 1) ->> 'long' = repeat('x', 200) || E'\x01' || repeat('y', 200) AS long,
	(t::text::jsonb #> '{spans,0,repaired}')::int AS repaired, t::text::jsonb #> '{spans,1,repaired}' AS in_the_sound_one
FROM trajectories_from_otlp(pg_temp.doc('{"traceId":"1","spanId":"1","name":"n","attributes":[
	{"key":"escape","value":{"stringValue":"\d+ \x41 \u12 \\d \\\d \"\''\""}}, {"key":"control","value":{"stringValue":"\t' || E'\x01\x1b[0m\\\x02\x7f' || '"}},
	{"key":"both","value":{"stringValue":"\q\u0000\ud800\q' || E'\x1f' || '"}},
	{"key":"long","value":{"stringValue":"' || repeat('x', 200) || E'\x01' || repeat('y', 200) || '"}}]},{"traceId":"1","spanId":"2","name":"sound","attributes":[{"key":"a","value":{"stringValue":"\\d\n"}}]}')) t;

-- Open spans: no end, or one before the start.
SELECT s.name, s.span_ended_at, s.duration_ms FROM trajectories_from_otlp(pg_temp.doc('{"traceId":"1","spanId":"1","name":"none","startTimeUnixNano":"5"},
	{"traceId":"1","spanId":"2","name":"zero","startTimeUnixNano":"5","endTimeUnixNano":"0"},
	{"traceId":"1","spanId":"3","name":"backwards","startTimeUnixNano":"5","endTimeUnixNano":"4"},
	{"traceId":"1","spanId":"4","name":"closed","startTimeUnixNano":"5000000","endTimeUnixNano":"5000000"}')) t, spans(t) s ORDER BY 1;

-- The same span twice; several traces and documents in one text.
SELECT trace_id(t), span_count(t), is_complete(t) FROM trajectories_from_otlp(
	pg_temp.doc('{"traceId":"1","spanId":"1","name":"n","startTimeUnixNano":"5"},{"traceId":"2","spanId":"1","name":"n"}')
	|| E'\n' || pg_temp.doc('{"traceId":"1","spanId":"1","name":"n","startTimeUnixNano":"5","endTimeUnixNano":"6"}')) t;
SELECT count(*) FROM trajectories_from_otlp('{}');
SELECT count(*) FROM trajectories_from_otlp(E' \n');
SELECT count(*) FROM trajectories_from_otlp('{"resourceSpans":[]} {"resourceSpans":null}');

-- One bad span is left out with its reason, the others are kept.
SELECT span_count(t) FROM trajectories_from_otlp(pg_temp.doc('{"traceId":"1","spanId":"1","name":"good"},
	{"traceId":"xyz","spanId":"2","name":"n"}, {"spanId":"3","name":"n"}, {"traceId":"1","spanId":"0000000000000000","name":"n"},
	{"traceId":"1","name":"n"}, {"traceId":"1","spanId":"4","name":7}, {"traceId":"1","spanId":"5","name":"n","parentSpanId":"?"},
	{"traceId":"1","spanId":"6","name":"n","attributes":{"a":1}}, {"traceId":"1","spanId":"7","name":"n","attributes":[{"key":"k","value":{"intValue":"x"}}]},
	{"traceId":"1","spanId":"8","name":"n","startTimeUnixNano":"18446744073709551615"}, 9,
	{"traceId":"1","spanId":"a","name":"n","events":[1]}, {"traceId":"1","spanId":"b","name":"good too"}')) t;
SELECT span_count(t) FROM trajectories_from_otlp(pg_temp.doc('{"traceId":"1","spanId":"1","name":"deep","attributes":[{"key":"k","value":'
	|| repeat('{"arrayValue":{"values":[', 10000) || repeat(']}}', 10000) || '}]},{"traceId":"1","spanId":"2","name":"n"}')) t;
SELECT span_count(t) FROM trajectories_from_otlp(pg_temp.doc('{"traceId":"1","spanId":"2","name":"n","attributes":[{"key":"k","value":'
	|| repeat('{"arrayValue":{"values":[', 64) || repeat(']}}', 64) || '}]}')) t;
SELECT length(span_attributes(t, 1) ->> 'k') FROM trajectories_from_otlp(pg_temp.with_value('{"stringValue":"' || repeat('x', 250000) || '"}')) t;

-- A bad resource or scope costs its own spans.
SELECT path_signature(t) FROM trajectories_from_otlp('{"resourceSpans": [
	{"resource": {"attributes": [{"key": 1}]}, "scopeSpans": [{"spans": [{"traceId": "1", "spanId": "1", "name": "a"}]}]},
	{"scopeSpans": [{"spans": [{"traceId": "1", "spanId": "2", "name": "b"}], "scope": {"name": 7}}, {"spans": [{"traceId": "1", "spanId": "3", "name": "c"}]}]}]}') t;
SELECT t::text LIKE '%"repaired": 1%' AS repaired_in_resource FROM trajectories_from_otlp('{"resourceSpans": [
	{"resource": {"attributes": [{"key": "k", "value": {"stringValue": "a\u0000b"}}]}, "scopeSpans": [{"spans": [{"traceId": "1", "spanId": "1", "name": "a"}]}]}]}') t;
-- Serializers that write every member of a choice.
SELECT span_attributes(t, 1) FROM trajectories_from_otlp(pg_temp.with_value('{"stringValue":"s","intValue":null,"boolValue":null}')) t;

-- What is no OTLP is an error.
SELECT trajectories_from_otlp('just text');
SELECT trajectories_from_otlp('[1]');
SELECT trajectories_from_otlp('{"hello": "world"}');
SELECT trajectories_from_otlp('{"resourceSpans": 7}');
SELECT trajectories_from_otlp('{"resourceSpans": [{"scopeSpans": [{"spans": [}]}]}');
SELECT trajectories_from_otlp('{"resourceLogs": []}');
SELECT trajectories_from_otlp('{"resourceMetrics": []}');
SELECT trajectories_from_otlp_protobuf('not protobuf');
SELECT trajectories_from_otlp_protobuf('\x0a');
-- a log record, where a span would be
SELECT trajectories_from_otlp_protobuf('\x0a0d120b1209090000000000000000');
-- a gauge, which unpacks as a span without ids
SELECT trajectories_from_otlp_protobuf('\x0a0b120912070a0361626312002a00');
SELECT count(*) FROM trajectories_from_otlp_protobuf('');
SELECT span_count(t), s.name, span_attributes(t, 1) FROM trajectories_from_otlp_protobuf(
	'\x0a81020a0012fc010a0012f7010a1000000000000000000000000000000003120800000000000000012a01673900ca9a3b0000000041001a7118020000004a290a196c616e67667573652e6f62736572766174696f6e2e74797065120c0a0a67656e65726174696f6e4a5a0a226c616e67667573652e6f62736572766174696f6e2e75736167655f64657461696c7312340a327b22696e707574223a3131392c226f7574707574223a33312c22696e7075745f6361636865645f746f6b656e73223a36347d4a1c0a1574726163656c6f6f702e656e746974792e6e616d6512030a017a5a1d09002f685900000000121267656e5f61692e66697273745f746f6b656e7a00') t, spans(t) s;

-- There and back.
CREATE TEMP TABLE t AS SELECT t FROM trajectories_from_otlp(pg_temp.doc('{"traceId":"1","spanId":"1","name":"a\u0000","attributes":[
	{"key":"langfuse.observation.type","value":{"stringValue":"generation"}},
	{"key":"langfuse.observation.usage_details","value":{"stringValue":"{\"input\":119,\"output\":31,\"input_cached_tokens\":64,\"total\":214}"}},
	{"key":"d","value":{"doubleValue":"Infinity"}},{"key":"b","value":{"bytesValue":"AAE="}}]},
	{"traceId":"1","spanId":"2","parentSpanId":"1","name":"b","events":[{"timeUnixNano":"7","name":"e"}],"status":{"code":1}}')) t;
SELECT to_otlp(t) FROM t;
SELECT o = t AS survives FROM t, trajectories_from_otlp(to_otlp(t)) o;
SELECT '{"trace_id": "1", "spans": [{"span_id": "1", "name": "n", "start_ns": 1, "end_ns": 2,
	"attributes": {"body": {"$ref": "000102030405060708090a0b0c0d0e0f:99"}}}]}'::trajectory = o AS reference_survives
FROM trajectories_from_otlp(to_otlp('{"trace_id": "1", "spans": [{"span_id": "1", "name": "n", "start_ns": 1, "end_ns": 2,
	"attributes": {"body": {"$ref": "000102030405060708090a0b0c0d0e0f:99"}}}]}')) o;
