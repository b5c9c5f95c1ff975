-- The bytes of every released format, which must never change
-- (docs/format.md). The same values are in test/golden as files.
SET search_path = llmtrace, public;

CREATE TABLE golden (name text PRIMARY KEY, t trajectory, bytes text);
INSERT INTO golden VALUES ('agent', $${"trace_id": "0af7651916cd43dd8448eb211c80319c",
 "resources": [{"attributes": {"service.name": "shop"}}],
 "scopes": [{"name": "lib", "version": "1.0"}],
 "spans": [
  {"span_id": "00000000000000a1", "name": "run", "span_kind": "server", "start_ns": 1000, "end_ns": 5000,
   "attributes": {"team": "blue"}},
  {"span_id": "00000000000000b2", "parent_span_id": "00000000000000a1", "name": "chat", "span_kind": "client",
   "start_ns": 1500, "end_ns": 4500, "status": "error", "status_message": "overloaded",
   "attributes": {"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 100, "team": "blue"},
   "events": [{"time_ns": 2000, "name": "retry", "attributes": {"attempt": 2}}]}]}$$,
'010001000af7651916cd43dd8448eb211c80319cc3a35da53649eec9e803000000000000a00f0000000000006400000000000000ffffffff'
'ffffffff0200000001000000010000001c00000000000001a100000000000000b20000000000000000a11fe807b917007b0a030004030304'
'040a050472756e73686f706c6962312e3063686174626c75656f7665726c6f6164656472657472797465616d05990f810d4851e903010100'
'010001020103040100000201020303040202000000000200000105010000330100011106110513c80111060101070000010101e807080001'
'01030400');
INSERT INTO golden VALUES ('all', $${"trace_id": "000000000000000000000000000000ff",
 "canonical": {"app.feature": "feature"},
 "resources": [
  {"attributes": {"host": "a", "service.name": "shop"}, "schema_url": "https://x", "dropped_attributes_count": 2},
  {}],
 "scopes": [
  {"name": "lib", "version": "1.0", "attributes": {"a": 1}, "schema_url": "https://y", "dropped_attributes_count": 3},
  {}],
 "spans": [
  {"span_id": "0000000000000001", "name": "root", "span_kind": "server", "start_ns": 1000000000, "end_ns": 5000000000,
   "status": "ok", "status_message": "fine", "trace_state": "ot=th:8", "flags": 257, "repaired": 3,
   "attributes": {"app.feature": "search"},
   "derived": {"cost_usd": 0.25},
   "events": [
    {"time_ns": 900000000, "name": "early", "dropped_attributes_count": 1},
    {"time_ns": 1500000000, "name": "exception", "attributes": {"exception.type": "Timeout"}}],
   "links": [
    {"trace_id": "000000000000000000000000000000ee", "span_id": "000000000000000b", "trace_state": "x=y", "flags": 1,
     "attributes": {"l": 1}, "dropped_attributes_count": 1}],
   "dropped_attributes_count": 4, "dropped_events_count": 5, "dropped_links_count": 6},
  {"span_id": "0000000000000002", "parent_span_id": "0000000000000001", "name": "values", "span_kind": "client",
   "start_ns": 2000000000, "end_ns": 2000000000, "resource": 1, "scope": 1,
   "attributes": {"array": [1, "a", [], [null, 2.5]], "bool": true, "bytes": {"$bytes": "AAEC"}, "double": -0.0,
    "empty": null, "int": -9223372036854775808, "kvlist": {"b": 1, "a": {"c": false}}, "mixed": 1,
    "nan": {"$double": "NaN"}, "ref": {"$ref": "000102030405060708090a0b0c0d0e0f:1234"}, "string": "é\n"}},
  {"span_id": "0000000000000003", "parent_span_id": "0000000000000001", "name": "values", "span_kind": "client",
   "start_ns": 3000000000, "end_ns": null, "resource": 1, "scope": 1,
   "attributes": {"array": [1, "a", [], [null, 2.5]], "bool": false, "bytes": {"$bytes": ""}, "double": 0.1,
    "empty": null, "int": 9223372036854775807, "kvlist": {}, "mixed": "one",
    "nan": {"$double": "-Infinity"}, "ref": {"$ref": "000102030405060708090a0b0c0d0e0f:1234"}, "string": "é\n"}},
  {"span_id": "0000000000000004", "parent_span_id": "0000000000000063", "name": "orphan", "span_kind": "internal",
   "start_ns": 1000000001, "end_ns": 1000000002, "resource": 1, "scope": 1},
  {"span_id": "0000000000000005", "parent_span_id": "0000000000000006", "name": "cut", "span_kind": "producer",
   "start_ns": 1000000003, "end_ns": 1000000004, "resource": 1, "scope": 1},
  {"span_id": "0000000000000006", "parent_span_id": "0000000000000005", "name": "below the cut", "span_kind": "consumer",
   "start_ns": 1000000003, "end_ns": 1000000005, "resource": 1, "scope": 1}]}$$,
'0100010a000000000000000000000000000000ff3e444eec21460f8300ca9a3b0000000000286bee00000000ffffffffffffffffffffffff'
'ffffffff0600000000000000030000006d000000000001020100000101020304010000000000000002000000000000000300000000000000'
'0400000000000000050000000000000006000000000000000081d0acf30e80a8d6b9070180a8d6b90700fdcfacf30e020402000302030263'
'0000000000000001030600000000000000a404270407090104030309060006030d0616030e010303040509070304010b0504050605030605'
'030306726f6f746f743d74683a3868747470733a2f2f786173686f706c6962312e3068747470733a2f2f7976616c7565736f727068616e63'
'757462656c6f772074686520637574736561726368040302010161060100060b020004000000000000044000010202016203020161070501'
'01630200006f6e65c3a90a66696e656561726c79657863657074696f6e54696d656f7574783d79686f73746c6170702e6665617475726561'
'72726179626f6f6c6279746573646f75626c65656d707479696e746b766c6973746d697865646e616e726566737472696e6712c801990f18'
'b90dd001dc011d8a01e001e801f001f8018002880290029802a002a802b00202020202000103010104090000020506070301020302090909'
'0000030205060b0708090a0b0c0d0e0f10110005000000000a0081020108010101030000090a020101010000090b020101040000090c0201'
'0105000009110d14000000000000d03f160e020100050f090400000000000000809a9999999999b93f1003ffffffffffffffffff01feffff'
'ffffffffffff01071011200302011204000000000000f87f000000000000f0ff18000102030405060708090a0b0c0d0e0fd2091113010014'
'0100040506010003010002ff83af5f1501008094ebdc03160001030117010001000000000000000000000000000000ee0b00000000000000'
'18010101040302');

-- The content hash, bytes 20 to 27, depends on the machine's byte order: left
-- out.
SELECT name, overlay(encode(trajectory_send(t), 'hex') placing '' from 41 for 16)
	= overlay(bytes placing '' from 41 for 16) AS same_bytes, length(bytes) / 2 AS bytes
FROM golden ORDER BY name;
SELECT encode(trajectory_send(t), 'hex') FROM golden
WHERE overlay(encode(trajectory_send(t), 'hex') placing '' from 41 for 16)
	<> overlay(bytes placing '' from 41 for 16);

DROP TABLE golden;
