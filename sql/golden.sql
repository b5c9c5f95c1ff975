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
'010001000af7651916cd43dd8448eb211c80319c9400b01f32f8ebf2e803000000000000a00f0000000000006400000000000000ffffffff'
'ffffffff02000000010000000100000022000000020200330100000001a100000000000000b2000000000000002022a10fe803b90b007855'
'070300040303040472756e73686f706c6962312e30636861747465616d05990f3051e903810d010200010001030104050200000201010302'
'03010104626c75650100000000021100060100000002110613c8011108020a056f7665726c6f6164656472657472790101000000010101e8'
'0700000104030400');
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
'0100010a000000000000000000000000000000ff26e815ae550ed9c100ca9a3b0000000000286bee00000000ffffffffffffffffffffffff'
'ffffffff06000000000000000300000077000000050a00030001000400050000000102010000010102030401000000000000000200000000'
'000000030000000000000004000000000000000500000000000000060000000000000040140414111001286bee009435770100943577fd27'
'6bee020402030203026300000000000000010306000000000000009804cb021b0407090104030309060006030d040b050405060503060503'
'030601726f6f746f743d74683a3868747470733a2f2f786173686f706c6962312e3068747470733a2f2f7976616c7565736f727068616e63'
'757462656c6f772074686520637574686f73746170702e666561747572656172726179626f6f6c6279746573646f75626c65656d70747969'
'6e746b766c6973746d697865646e616e726566737472696e676c1268990f18741d8a01788001880190019801a001a801b001b801c001c801'
'b90dd001020302020001040101050a00000206070803010203020a0a0a0000030203040b05060708090a0b0c0d0e0f000306160373656172'
'6368040302010161060100060b0200040000000000000440c3a90a01000000810202110014000000000000d03f09010101000a1600020504'
'10030720043811000b020101000a0c020101000a0d020101000a09030e010304050907030001020201620302016107050101630200006f6e'
'6566696e656561726c79657863657074696f6e54696d656f7574783d790100000a00000000000000809a9999999999b93fffffffffffffff'
'ffff01feffffffffffffffff01000003020100000000000000f87f000000000000f0ff000102030405060708090a0b0c0d0e0fd209010000'
'0100040506010003010002ff83af5f0001008094ebdc03000001100100010001000000000000000000000000000000ee0b00000000000000'
'00010101110302');

-- The content hash, bytes 20 to 27, depends on the machine's byte order: left
-- out.
SELECT name, overlay(encode(trajectory_send(t), 'hex') placing '' from 41 for 16)
	= overlay(bytes placing '' from 41 for 16) AS same_bytes, length(bytes) / 2 AS bytes
FROM golden ORDER BY name;
SELECT encode(trajectory_send(t), 'hex') FROM golden
WHERE overlay(encode(trajectory_send(t), 'hex') placing '' from 41 for 16)
	<> overlay(bytes placing '' from 41 for 16);

DROP TABLE golden;
