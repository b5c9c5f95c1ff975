-- Pictures as SVG, and the frames of Grafana's panels. How they look cannot be
-- tested here; that they are whole and escaped can.
SET search_path = llmtrace, public;

CREATE TABLE run AS
SELECT trajectory_agg('00000000-0000-0000-0000-000000000001'::uuid, id, parent, name, start_ns, end_ns, NULL, status, attributes::jsonb) AS t
FROM (VALUES
	('a1', NULL, '<run & "co">', 1000000000, 1100000000, NULL, '{"gen_ai.operation.name": "invoke_agent"}'),
	('b1', 'a1', 'chat' || chr(1) || chr(65535), 1000000000, 1040000000, NULL, '{"gen_ai.operation.name": "chat", "gen_ai.request.model": "<m>"}'),
	('c1', 'a1', 'search', 1040000000, 1090000000, 'error', '{"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "a<b"}'),
	('d1', 'a1', 'still running', 1095000000, NULL, NULL, '{}')) v(id, parent, name, start_ns, end_ns, status, attributes);

CREATE FUNCTION is_svg(text) RETURNS boolean LANGUAGE sql AS $$
	SELECT $1 LIKE '<svg %</svg>' AND $1 !~ 'href|<script|<style|url\(|@import' AND $1 !~ '&(?!(amp|lt|gt|quot);)' AND $1 !~ '[\x01-\x09]'
		AND regexp_count($1, '<') = regexp_count($1, '>') AND regexp_count($1, '<[a-z]') - regexp_count($1, '/>') = regexp_count($1, '</')
$$;

SELECT is_svg(waterfall_svg(t)), waterfall_svg(t) LIKE '%&lt;run &amp; &quot;co&quot;&gt;%' AS escaped, waterfall_svg(t) LIKE '%a&lt;b%' AS detail,
	waterfall_svg(t) LIKE '%open%' AS open,
	regexp_count(waterfall_svg(t), '<g><title>') AS bars, regexp_count(waterfall_svg(t), 'stroke="#c8102e"') AS failed,
	regexp_count(waterfall_svg(t), 'height="4.00" fill="#22283a"') - 1 AS sections
FROM run;
SELECT is_svg(flamegraph_svg(profile_agg(t))), flamegraph_svg(profile_agg(t)) LIKE '%&lt;run%' AS escaped,
	regexp_count(flamegraph_svg(profile_agg(t)), '<g><title>') AS frames, is_svg(flamegraph_svg(profile_agg(t), 'calls'))
FROM run;
SELECT is_svg(flamegraph_svg(profile_agg(NULL::trajectory)));

-- A large trace, a deep one and one of no length: bounded and sound.
SELECT what, is_svg(waterfall_svg(t)), length(waterfall_svg(t)) < 500000 AS bounded, length(show(t)) < 500000 AS show
FROM (SELECT 'wide' AS what, trajectory_agg('00000000-0000-0000-0000-000000000001'::uuid, to_hex(i), CASE WHEN i > 1 THEN '1' END, 'x',
		1000000000 + i, 1000000000 + CASE i WHEN 1 THEN 10000 ELSE 2 * i END, NULL, NULL, NULL) AS t FROM generate_series(1, 5000) i
	UNION ALL SELECT 'deep', trajectory_agg('00000000-0000-0000-0000-000000000001'::uuid, to_hex(i), CASE WHEN i > 1 THEN to_hex(i - 1) END, 'x',
		1000000000 + i, 1000020000 - i, NULL, NULL, NULL) FROM generate_series(1, 5000) i
	UNION ALL SELECT 'a moment', trajectory_agg('00000000-0000-0000-0000-000000000001'::uuid, '1', NULL, '', 1000000000, 1000000000, NULL, NULL, NULL)) x;

-- The bars of show: full where the span is on the path.
SELECT show(trajectory_agg('00000000-0000-0000-0000-000000000001'::uuid, id, parent, id, 1000000000 + start_ms * 1000000, 1000000000 + end_ms * 1000000, NULL, NULL, NULL))
FROM (VALUES ('a', NULL, 0, 160), ('b', 'a', 0, 80), ('c', 'a', 20, 60), ('d', 'a', 90, 150)) v(id, parent, start_ms, end_ms);

-- Grafana.
SELECT * FROM run, grafana_trace(t) g(trace, span, parent, operation, service, service_tags, start, duration, tags, kind, status, message)
WHERE false;
SELECT g."traceID", g."spanID", g."parentSpanID", g."serviceName", g."serviceTags", g."startTime", g.duration, g.tags, g.kind, g."statusCode"
FROM run, grafana_trace(t) g WHERE g."operationName" !~ 'chat';
SELECT f.* FROM grafana_flamegraph((SELECT profile_agg(t) FROM run)) f WHERE f.label !~ 'chat';
SELECT max(value) FILTER (WHERE level = 0) = sum(self) AS adds_up, count(*) FROM grafana_flamegraph((SELECT profile_agg(t) FROM run), 'self_ms');
SELECT n.id, n.title, n.mainstat, n.secondarystat, n.arc__ok, n.arc__failed FROM run, grafana_nodes(t) n WHERE n.id !~ 'chat';
SELECT e.source, e.target, e.mainstat, e.secondarystat, e.id IS NOT NULL AS id FROM run, grafana_edges(t) e WHERE e.target !~ 'chat';
SELECT flamegraph_svg(profile_agg(t), 'latency') FROM run;
SELECT count(*) FROM grafana_flamegraph((SELECT profile_agg(t) FROM run), 'total_ms');

DROP TABLE run;
DROP FUNCTION is_svg(text);
