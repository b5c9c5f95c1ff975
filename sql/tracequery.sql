-- Queries: text, errors, what they find, what the index is asked.
SET search_path = llmtrace, public;

-- Canonical text
SELECT q::tracequery FROM unnest(ARRAY[
	'{}', '{ true }', '{ false }',
	'{span:name="a"&&.x>1||resource.y = nil}',
	'{ (.a = 1 || .b = 2) && .c = 3 }',
	'{ .a = 1 && (.b = 2 && .c = 3) }',
	'{ kind = tool && tool = agent && kind != chain }',
	'{ duration > 1h30m && traceDuration < 1500us && ttft >= 0.5s }',
	'{ .n + 2 * 3 - (4 - 5) > -.m ^ 2 ^ 3 && (.a + 1) * 2 = (-2) ^ 2 }',
	'{ !.flag || !(.a = 1) || !!.b }',
	'{ ."a b".c = "x\ty\"z\\" && ."1" = `raw\n` && span."\u00e4" = "\x41" }',
	'{ .a = 1.50 || .b = 1e3 || .c = 9007199254740993 }',
	'{ name =~ "(?i)a.*" && name !~ `\d+` }',
	'{ .a = 1 } > { .b = 2 } >> { .c = 3 } !< { } &<< { } ~ { } !~ { } -> { } !-> { } &-> { }',
	'{ .a } && { .b } || { .c } > { .d } && ({ .e } || { .f })',
	'({ .a } | count() > 1) && { .b } | { .c } | avg(duration) * 2 >= max(.n) - 1.5s | count() + 1 != 3',
	'{ event:name = "e" && event.x = 1 && link:traceID != nil && instrumentation.y = 2 && instrumentation:name = "i" }'
]) q;
SELECT bool_and(q::tracequery::text::tracequery = q::tracequery) FROM unnest(ARRAY['{.a=-1}', '{.a=-0.0}', '{ . "x" = 1}', '{."x"}', '{.a=0s}',
	'{duration>105d1ns}', '{duration<106000d18000h}', '{duration=9223372036854775807ns}']) WITH ORDINALITY u (q, n) WHERE n <> 3;
SELECT '{}'::tracequery = '{ true }'::tracequery, '{}'::tracequery <> '{ false }'::tracequery;
SELECT tracequery_send('{ }');

-- Errors say where and what was expected
SELECT ''::tracequery;
SELECT '{ name = }'::tracequery;
SELECT '{ name = "a" '::tracequery;
SELECT '{ name = "a" } { }'::tracequery;
SELECT '{ name = "ä }'::tracequery;
SELECT '{ "ä" = name ; }'::tracequery;
SELECT '{ name = "\q" }'::tracequery;
SELECT '{ duration > 5x }'::tracequery;
SELECT '{ .n = 99999999999999999999 }'::tracequery;
SELECT '{ duration > 106752d }'::tracequery;
SELECT '{ duration > 1h106751d23h }'::tracequery;
SELECT '{ nam = "a" }'::tracequery;
SELECT '{ foo.bar = 1 }'::tracequery;
SELECT '{ } | count()'::tracequery;
SELECT '{ } | duration > 1s'::tracequery;
SELECT '{ } >'::tracequery;
SELECT '{ name > 5 }'::tracequery;
SELECT '{ status = "error" }'::tracequery;
SELECT '{ status > error }'::tracequery;
SELECT '{ .a = 1 && duration }'::tracequery;
SELECT '{ name }'::tracequery;
SELECT '{ name + 1 = 2 }'::tracequery;
SELECT '{ .a < nil }'::tracequery;
SELECT '{ .a =~ .b }'::tracequery;
SELECT '{ .a =~ "(a" }'::tracequery;
SELECT '{ .a =~ "(a)\\1" }'::tracequery;
SELECT '{ } | by(name)'::tracequery;
SELECT '{ } | select(name)'::tracequery;
SELECT '{ } | rate()'::tracequery;
SELECT '{ parent.a = 1 }'::tracequery;
SELECT '({ } | count()) > 5'::tracequery;
-- All that TraceQL has and this has not
CREATE FUNCTION refusal(q text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE hint text;
BEGIN
	RETURN q::tracequery::text;
EXCEPTION WHEN syntax_error OR feature_not_supported THEN
	GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT;
	RETURN SQLSTATE || ' ' || hint;
END $$;
SELECT w, refusal(format('{ } | %s(name)', w)) FROM unnest('{by, select, coalesce, rate, count_over_time, min_over_time, max_over_time, avg_over_time, sum_over_time, quantile_over_time, histogram_over_time, compare, topk, bottomk}'::text[]) w UNION ALL
SELECT q, refusal(q) FROM unnest('{"{ } with (hint=true)", "{ nestedSetLeft = 1 }", "{ nestedSetParent < 0 }"}'::text[]) q;
SELECT (repeat('(', 1000) || '{}' || repeat(')', 1000))::tracequery;
SELECT ('{ ' || repeat('!(', 300) || 'true' || repeat(')', 300) || ' }')::tracequery;
SELECT ('{ .a = "' || repeat('x', 70000) || '" }')::tracequery;
SELECT ('{ ' || repeat('.a =~ "x" || ', 16) || '.a =~ "y" }')::tracequery;
SELECT length(('{ name = "a"' || repeat(' || name = "b"', 3000) || ' }')::tracequery::text);

-- What queries find
CREATE TABLE trace_under_test AS SELECT '{"trace_id":"00000000000000000000000000000001","spans":[
{"span_id":"1","name":"agent","start_ns":1000000000,"end_ns":9000000000,"attributes":{"gen_ai.operation.name":"invoke_agent","list":["a","b"],"n":5,"mixed":["a",1],"none":[]}},
{"span_id":"2","parent_span_id":"1","name":"plan","start_ns":1000000000,"end_ns":2000000000,"attributes":{"gen_ai.operation.name":"chat","gen_ai.request.model":"m","gen_ai.usage.input_tokens":9000,"gen_ai.provider.name":"OpenAI"}},
{"span_id":"3","parent_span_id":"1","name":"search","start_ns":2000000000,"end_ns":3000000000,"status":"error","status_message":"timed out","attributes":{"gen_ai.operation.name":"execute_tool","gen_ai.tool.name":"search"},"events":[{"name":"exception","time_ns":2500000000,"attributes":{"exception.type":"Timeout"}}]},
{"span_id":"4","parent_span_id":"3","name":"http","start_ns":2000000000,"end_ns":2900000000,"span_kind":"client","attributes":{"http.response.status_code":500}},
{"span_id":"5","parent_span_id":"1","name":"search","start_ns":3000000000,"end_ns":4000000000,"attributes":{"gen_ai.operation.name":"execute_tool","flag":true}},
{"span_id":"6","parent_span_id":"1","name":"answer","start_ns":4000000000,"end_ns":0,"attributes":{"gen_ai.operation.name":"chat","flag":false}}
]}'::trajectory AS t;
CREATE FUNCTION found(q tracequery) RETURNS text LANGUAGE sql AS $$
	SELECT coalesce(string_agg(name || ordinal, ' ' ORDER BY ordinal), '-') ||
		CASE WHEN bool_or(matches(t, q)) <> (count(ordinal) > 0) OR bool_or(q @@ t) <> (count(ordinal) > 0)
			OR max(match_count(t, q)) <> count(ordinal) THEN ' (but matches differs)' ELSE '' END
	FROM trace_under_test LEFT JOIN LATERAL (SELECT * FROM find_spans(t, q) JOIN spans(t) USING (ordinal)) f ON true
$$;
SELECT q, found(q::tracequery) FROM unnest(ARRAY[
	'{ }', '{ status = error }', '{ isError }', '{ !isError }', '{ kind = tool }', '{ kind = client }', '{ kind != client }',
	'{ kind = agent } > { kind = tool }', '{ kind = agent } >> { }', '{ name = "http" } << { }', '{ name = "http" } < { }',
	'{ name = "search" && status = error } -> { name = "search" }', '{ name = "search" } -> { }', '{ } !-> { }',
	'{ name = "search" } ~ { name = "search" }', '{ name = "plan" } ~ { }', '{ name = "plan" } !~ { }', '{ name = "http" } &<< { name = "agent" }',
	'{ name = "agent" } && { name = "nope" }', '{ name = "agent" } || { name = "nope" }', '{ name = "agent" } && { name = "plan" }',
	'{ name = "agent" || name = "plan" && name = "plan" }',
	'{ .list = "b" }', '{ .list != "b" }', '{ .list != "c" }', '{ .mixed = 1 }', '{ .mixed != "c" }', '{ .none != 1 }', '{ .none != nil }', '{ .list =~ "b|c" }', '{ .list !~ "b|c" }',
	'{ .n > 4.5 }', '{ .n = "5" }', '{ .n != "5" }', '{ .n = 5000ms }', '{ .n * 2 = 10 }', '{ .n / 0 = 1 }', '{ .n / 0 != 1 }',
	'{ .nope != 1 }', '{ .nope = nil }', '{ .n != nil }', '{ .flag }', '{ !.flag }', '{ !(.flag = true) }',
	'{ model = "m" }', '{ provider = "openai" }', '{ inputTokens > 8000 }', '{ tool = "search" }', '{ agent = nil } | count() > 1',
	'{ event:name = "exception" }', '{ event.exception.type = "Timeout" }', '{ event:timeSinceStart = 500ms }', '{ statusMessage =~ ".*out" }',
	'{ name =~ "sear" }', '{ name =~ "(?i)SEAR.*" }', '{ duration = nil }', '{ duration > 900ms }', '{ duration > 900ms } | count() > 3', '{ duration > 900ms } | { kind = tool } | avg(duration) = 1s',
	'{ childCount > 1 }', '{ span:parentID = nil }', '{ span:id = "0000000000000004" }', '{ rootName = "agent" } | count() = 6', '{ traceDuration = 8s } | min(duration) < 1s', '{ } | max(.nope) > 0', '{ false }'
]) q;

-- What the hints at SQL say, done
SELECT s.name, count(*) FROM (SELECT t AS trajectory FROM trace_under_test) traces, find_spans(trajectory, '{ }') f JOIN LATERAL spans(trajectory) s USING (ordinal) GROUP BY s.name ORDER BY s.name;
SELECT s.name, s.duration_ms FROM (SELECT t AS trajectory FROM trace_under_test) traces, find_spans(trajectory, '{ kind = tool }') f JOIN LATERAL spans(trajectory) s USING (ordinal) ORDER BY ordinal;
SELECT date_bin('1 min', started_at(trajectory), 'epoch') AT TIME ZONE 'UTC' AS time, sum(match_count(trajectory, '{ kind = tool }')) FROM (SELECT t AS trajectory FROM trace_under_test) traces GROUP BY time;

-- However deep a condition is, it is evaluated once
SELECT found(('{ .a' || repeat(' && .flag || .nope', 60) || ' }')::tracequery);

-- prune keeps what is above
SELECT path_signature(prune(t, '{ name = "http" }')), prune(t, '{ false }') IS NULL FROM trace_under_test;

-- What the index is asked
SELECT q, tracequery_keys(q::tracequery) FROM unnest(ARRAY[
	'{ }', '{ name = "a" }', '{ name = "a" && status = error }', '{ kind = tool && isError }', '{ name != "a" }', '{ name = "a" || kind = llm }', '{ name = "a" || name =~ "b" }',
	'{ .color = "red" }', '{ .color != "red" }', '{ .color = nil }', '{ .n > 5 }', '{ .order_id = "x" }', '{ .gen_ai.tool.call.id = "x" }', '{ .gen_ai.usage.input_tokens = 5 }',
	'{ model = "m" && tool = "t" }', '{ duration > 10s }', '{ duration > 1ms }', '{ duration < 10s }', '{ name = "a" && duration > 10s }', '{ kind = llm && inputTokens > 8000 }', '{ inputTokens > 8000 }',
	'{ name = "a" } > { name = "b" }', '{ name = "a" } < { name = "b" && status = error }', '{ name = "a" } >> { .x = "y" }', '{ name = "a" } !> { name = "b" }',
	'{ name = "a" } || { name = "b" }', '({ name = "a" } | count() > 2) && { name = "b" }', '{ false }',
	'{ isError && (name = "a" || name = "b") }', '{ kind = tool && (isError || name = "a") }', '{ status != unset }', '{ status != error && name = "a" }', '{ kind != llm }'
]) q;

-- Of regular expressions, a choice among strings
SELECT q, tracequery_keys(q::tracequery) FROM unnest(ARRAY[
	'{ name =~ "a|b" }', '{ name =~ "(a|b)" }', '{ name =~ "(?:a|b)" }', '{ name =~ "abc" }', '{ rootName =~ "a|b" && isError }', '{ name =~ "a|b" && status = error }',
	'{ tool =~ "a|b" && isError }', '{ model =~ `gpt-4\.1|gpt-4o` }', '{ .color =~ "red|green" }', '{ .order_id =~ "a|b" }', '{ .x_id =~ "a|b" && name = "c" }', '{ name =~ "a b|c-d" }',
	'{ name !~ "a|b" }', '{ name =~ "a|b.*" }', '{ name =~ "(a)|(b)" }', '{ name =~ "(?i)a|b" }', '{ name =~ "a|" }', '{ name =~ "a||b" }', '{ name =~ "()" }', '{ name =~ `a\d|b` }', '{ name =~ "[ab]" }', '{ name =~ "^a$" }', '{ name =~ "a{2}" }'
]) q;
SELECT tracequery_keys(format('{ name =~ "%s" }', string_agg('n' || i, '|'))::tracequery) LIKE 'name "n1" or name "n2" or %' AS has_keys
FROM unnest(ARRAY[64, 65]) n, generate_series(1, n) i GROUP BY n ORDER BY n;

-- The index answers as a scan does
CREATE TABLE traces_under_test (id int, t trajectory);
INSERT INTO traces_under_test
SELECT n, format('{"trace_id":"%s","spans":[{"span_id":"1","name":"root","start_ns":1,"end_ns":%s},{"span_id":"2","parent_span_id":"1","name":"leaf%s","start_ns":1,"end_ns":2,"status":"%s"}]}',
	lpad(to_hex(n), 32, '0'), n * 1000000000::bigint, n % 5, CASE WHEN n % 3 = 0 THEN 'error' ELSE 'ok' END)::trajectory
FROM generate_series(1, 300) n;
CREATE INDEX ON traces_under_test USING gin (t);
ANALYZE traces_under_test;
SET enable_seqscan = off;
SELECT count(*) FROM traces_under_test WHERE t @@ '{ name = "leaf3" && status = error }';
SELECT count(*) FROM traces_under_test WHERE matches(t, '{ name = "root" } > { name = "leaf3" }');
SELECT count(*) FROM traces_under_test WHERE matches('{ duration > 200s }', t);
SELECT count(*) FROM traces_under_test WHERE t @@ '{ name =~ "leaf[12]" }';
SELECT count(*) FROM traces_under_test WHERE t @@ '{ name =~ "leaf1|leaf2|leaf7" }';
SELECT count(*) FROM traces_under_test WHERE t @@ '{ name =~ "leaf1|leaf2" && status != ok }';
SELECT count(*) FROM traces_under_test WHERE t @@ '{ false }';
RESET enable_seqscan;

-- Similarity: of the same shape, of the same failure, of neither
SELECT similarity_distance(a.t, a.t) AS same, a.t <-> b.t AS alike, round((a.t <-> c.t)::numeric, 2) AS failed_otherwise, round((a.t <-> d.t)::numeric, 2) AS another
FROM traces_under_test a, traces_under_test b, traces_under_test c, trace_under_test d WHERE a.id = 3 AND b.id = 18 AND c.id = 13;

DROP TABLE trace_under_test, traces_under_test;
DROP FUNCTION found, refusal;
