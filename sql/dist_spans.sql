-- Distributions over spans are those of the rows that spans() gives.
SET search_path = llmtrace, public;

CREATE TABLE run AS
SELECT i, trajectory_agg(('00000000-0000-0000-0000-' || lpad(to_hex(i), 12, '0'))::uuid, to_hex(k), CASE WHEN k > 1 THEN '1' END,
	CASE WHEN k = 1 THEN 'run' WHEN k % 3 = 0 THEN 'chat' ELSE 'execute_tool t' || k % 5 END,
	(1000000 * k)::bigint, CASE WHEN (i + k) % 17 > 0 THEN (1000000 * k + 1000 * (i * k % 997))::bigint END, NULL,
	CASE WHEN (i * k) % 11 = 0 THEN 'error' END,
	CASE WHEN k = 1 THEN '{"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "a"}'::jsonb
		WHEN k % 3 = 0 THEN jsonb_build_object('gen_ai.operation.name', 'chat', 'gen_ai.request.model', 'm' || i % 3,
			'gen_ai.usage.input_tokens', i * k, 'gen_ai.usage.output_tokens', k, 'gen_ai.client.operation.time_to_first_chunk', k / 100.0)
		ELSE jsonb_build_object('gen_ai.operation.name', 'execute_tool', 'error.type', 'E' || k % 2) END) AS t
FROM generate_series(1, 60) i, generate_series(1, 25) k GROUP BY i;

-- Every number column, and some queries.
SELECT c, q, dist_spans_agg(t, q::tracequery, c) = (
	SELECT CASE c
		WHEN 'duration_ms' THEN dist_agg(s.duration_ms) WHEN 'self_ms' THEN dist_agg(s.self_ms) WHEN 'start_ms' THEN dist_agg(s.start_ms)
		WHEN 'input_tokens' THEN dist_agg(s.input_tokens) WHEN 'output_tokens' THEN dist_agg(s.output_tokens)
		WHEN 'depth' THEN dist_agg(s.depth) WHEN 'subtree_count' THEN dist_agg(s.subtree_count) END
	FROM run r, spans(r.t) s WHERE CASE q WHEN '{ }' THEN true WHEN '{ kind = tool }' THEN s.kind = 'tool' ELSE s.kind = 'llm' AND s.input_tokens > 100 END) AS as_rows
FROM run, unnest(ARRAY['duration_ms', 'self_ms', 'start_ms', 'input_tokens', 'output_tokens', 'depth', 'subtree_count']) c,
	unnest(ARRAY['{ }', '{ kind = tool }', '{ kind = llm && inputTokens > 100 }']) q
GROUP BY c, q ORDER BY c, q;
SELECT c, cat_spans_agg(t, '{ }', c) = (
	SELECT CASE c
		WHEN 'name' THEN cat_agg(s.name) WHEN 'kind' THEN cat_agg(s.kind) WHEN 'operation' THEN cat_agg(s.operation)
		WHEN 'span_kind' THEN cat_agg(s.span_kind) WHEN 'status' THEN cat_agg(s.status) WHEN 'error_type' THEN cat_agg(s.error_type)
		WHEN 'provider' THEN cat_agg(s.provider) WHEN 'model' THEN cat_agg(s.model) WHEN 'tool_name' THEN cat_agg(s.tool_name) END
	FROM run r, spans(r.t) s) AS as_rows
FROM run, unnest(ARRAY['name', 'kind', 'operation', 'span_kind', 'status', 'error_type', 'provider', 'model', 'tool_name']) c
GROUP BY c ORDER BY c;

-- By another column.
CREATE TEMP TABLE by_rows AS SELECT s.tool_name AS value, dist_agg(s.duration_ms) AS dist FROM run, spans(t) s GROUP BY 1;
SELECT g.value, g.dist = r.dist AS as_rows, round(dist_quantile(g.dist, 0.99)::numeric, 2) AS p99_ms
FROM (SELECT dist_spans_by_agg(t, '{ }', 'duration_ms', 'tool_name') AS groups FROM run) x, unnest(groups) g
	JOIN by_rows r ON g.value IS NOT DISTINCT FROM r.value ORDER BY 1;

-- In parallel, and as a window.
CREATE TEMP TABLE serial AS SELECT dist_spans_agg(t, '{ kind = tool }', 'duration_ms') AS d, cat_spans_agg(t, '{ }', 'error_type') AS c,
	dist_spans_by_agg(t, '{ }', 'duration_ms', 'model') AS g FROM run;
SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SET max_parallel_workers_per_gather = 2;
SELECT (SELECT d FROM serial) = d AS dist, (SELECT c FROM serial) = c AS cat, (SELECT g::text FROM serial) = g::text AS groups
FROM (SELECT dist_spans_agg(t, '{ kind = tool }', 'duration_ms') AS d, cat_spans_agg(t, '{ }', 'error_type') AS c,
	dist_spans_by_agg(t, '{ }', 'duration_ms', 'model') AS g FROM run) x;
SELECT count(*) FROM (SELECT dist_spans_by_agg(t, '{ }', 'duration_ms', 'model') OVER (ORDER BY i) g, dist_spans_agg(t, '{ }', 'depth') OVER (ORDER BY i) d FROM run) x
WHERE dist_count(d) > 0 AND cardinality(g) > 0;
RESET parallel_setup_cost; RESET parallel_tuple_cost; RESET min_parallel_table_scan_size; RESET max_parallel_workers_per_gather;

-- Nothing to count, and mistakes.
SELECT dist_spans_agg(t, '{ }', 'depth') FROM run WHERE false;
SELECT dist_spans_agg(NULL, '{ }', 'depth'), dist_spans_by_agg(NULL, '{ }', 'depth', 'name');
SELECT dist_spans_agg(t, '{ }', 'tool_name') FROM run;
SELECT cat_spans_agg(t, '{ }', 'depth') FROM run;
SELECT dist_spans_by_agg(t, '{ }', 'depth', 'nothing') FROM run;
SELECT dist_spans_agg(t, NULL, 'depth') FROM run;
DROP TABLE run;
