-- Latency of one trajectory: the critical path, slack, what-if.

CREATE FUNCTION critical_path(
	t trajectory,
	async text DEFAULT 'clamp',
	tolerance_ms double precision DEFAULT 0,
	tolerance_share double precision DEFAULT 0,
	blocking tracequery DEFAULT NULL,
	exclude tracequery DEFAULT NULL,
	roots text DEFAULT 'each',
	compat text DEFAULT NULL
) RETURNS TABLE (
	section integer,
	ordinal integer,
	span_id text,
	name text,
	kind text,
	tool_name text,
	agent_name text,
	root integer,
	start_ms double precision,
	end_ms double precision,
	ms double precision,
	async_overrun boolean
)
	AS 'MODULE_PATHNAME', 'trajectory_critical_path' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000 ROWS 30;
COMMENT ON FUNCTION critical_path(trajectory, text, double precision, double precision, tracequery, tracequery, text, text) IS
'Which span the trace waited for at each moment: sections in the order of time, root after root, that together are exactly each root''s time; start_ms and end_ms are milliseconds from the trace''s start, ordinal and root are ordinals of spans, agent_name is the nearest one upwards. async: a span that outlives its parent counts while the parent runs (clamp, the default), not at all (exclude) or makes the parent longer (extend). tolerance_ms, and tolerance_share of the root''s duration: a sibling that overlaps by no more than that was waited for. blocking: the spans that parents wait for, instead of all but consumers of producers and those that follow from their parent. exclude: spans that are seen through, their children take their place. roots: each or primary. compat: jaeger gives what Jaeger''s UI shows. Example: SELECT section, name, ms FROM llmtrace.trajectories, llmtrace.critical_path(trajectory)';

CREATE FUNCTION critical_ms(
	t trajectory,
	matching tracequery,
	async text DEFAULT 'clamp',
	tolerance_ms double precision DEFAULT 0,
	tolerance_share double precision DEFAULT 0,
	blocking tracequery DEFAULT NULL,
	exclude tracequery DEFAULT NULL,
	roots text DEFAULT 'each',
	compat text DEFAULT NULL
) RETURNS double precision
	AS 'MODULE_PATHNAME', 'trajectory_critical_ms' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 500;
COMMENT ON FUNCTION critical_ms(trajectory, tracequery, text, double precision, double precision, tracequery, tracequery, text, text) IS
'Milliseconds of the critical path that the spans found by the query own; with {} all of it. Options as of critical_path.';

CREATE FUNCTION span_timing(
	t trajectory,
	async text DEFAULT 'clamp',
	tolerance_ms double precision DEFAULT 0,
	tolerance_share double precision DEFAULT 0,
	blocking tracequery DEFAULT NULL,
	exclude tracequery DEFAULT NULL,
	roots text DEFAULT 'each',
	compat text DEFAULT NULL
) RETURNS TABLE (
	ordinal integer,
	self_ms double precision,
	critical_ms double precision,
	slack_ms double precision,
	drag_ms double precision,
	async_overrun boolean
)
	AS 'MODULE_PATHNAME', 'trajectory_span_timing' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000 ROWS 50;
COMMENT ON FUNCTION span_timing(trajectory, text, double precision, double precision, tracequery, tracequery, text, text) IS
'One row a span, in milliseconds: self_ms, time in which no child ran (NULL for an open span); critical_ms, time that it owns on the critical path; slack_ms, how much longer it may take before its root ends later (NULL if nobody waits for it); drag_ms, how much sooner the root would end if it took no time; async_overrun, does it outlive its parent? Options as of critical_path.';

CREATE FUNCTION component_times(
	t trajectory,
	async text DEFAULT 'clamp',
	tolerance_ms double precision DEFAULT 0,
	tolerance_share double precision DEFAULT 0,
	blocking tracequery DEFAULT NULL,
	exclude tracequery DEFAULT NULL,
	roots text DEFAULT 'each',
	compat text DEFAULT NULL
) RETURNS TABLE (
	component text,
	name text,
	kind text,
	span_count bigint,
	self_ms double precision,
	critical_ms double precision
)
	AS 'MODULE_PATHNAME', 'trajectory_component_times' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000 ROWS 10;
COMMENT ON FUNCTION component_times(trajectory, text, double precision, double precision, tracequery, tracequery, text, text) IS
'What the time of a trace went to: one row a component, name and kind of spans, in milliseconds. component: model (llm, embedding, rerank), tool, retrieval (and memory), database (a span of no kind that says which database), human, own; a span of no kind is of the component that it is below. self_ms, in which no child ran, adds up to more than the duration where spans ran side by side; critical_ms adds up to the critical path. Options as of critical_path. Example: SELECT component, sum(critical_ms) FROM llmtrace.trajectories, llmtrace.component_times(trajectory) GROUP BY component';

CREATE FUNCTION what_if(
	t trajectory,
	matching tracequery,
	factor double precision,
	async text DEFAULT 'clamp',
	tolerance_ms double precision DEFAULT 0,
	tolerance_share double precision DEFAULT 0,
	blocking tracequery DEFAULT NULL,
	exclude tracequery DEFAULT NULL,
	roots text DEFAULT 'each',
	compat text DEFAULT NULL
) RETURNS TABLE (
	duration_ms double precision,
	saved_ms double precision
)
	AS 'MODULE_PATHNAME', 'trajectory_what_if' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000 ROWS 1;
COMMENT ON FUNCTION what_if(trajectory, tracequery, double precision, text, double precision, double precision, tracequery, tracequery, text, text) IS
'How long the trace would take if the spans found took factor times their own time, and how much less that is, in milliseconds: the trace is replayed, all other gaps and waits are kept. A factor of 0 on { isError } is what errors cost. Options as of critical_path. Example: SELECT sum(saved_ms) FROM llmtrace.trajectories, llmtrace.what_if(trajectory, ''{ isError }'', 0)';

CREATE FUNCTION latency_budget(
	t trajectory,
	budget jsonb,
	async text DEFAULT 'clamp',
	tolerance_ms double precision DEFAULT 0,
	tolerance_share double precision DEFAULT 0,
	blocking tracequery DEFAULT NULL,
	exclude tracequery DEFAULT NULL,
	roots text DEFAULT 'each',
	compat text DEFAULT NULL
) RETURNS TABLE (
	node text,
	budget_ms double precision,
	critical_ms double precision,
	overrun_ms double precision,
	created_ms double precision,
	absorbed_ms double precision,
	blame_ms double precision,
	instances integer,
	verdict text,
	slack_ms double precision
)
	AS 'MODULE_PATHNAME', 'trajectory_latency_budget' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 2000 ROWS 10;
COMMENT ON FUNCTION latency_budget(trajectory, jsonb, text, double precision, double precision, tracequery, tracequery, text, text) IS
'A budget, a tree of {"node", "pattern", "ms", "max_instances", "reserve_ms", "combine", "children"}, held against the critical path: one row a node, parents first, in milliseconds. overrun_ms is created by the node itself, less what it absorbs of its children''s; blame_ms are the parts of the root''s overrun. verdict: effective, share (over, though no child is), absorbed (above), multiplicity (too many instances), latent (a span is over, off the path: slack_ms is what it has left), NULL within budget. Options as of critical_path. Example: SELECT node, overrun_ms, verdict FROM llmtrace.trajectories, llmtrace.latency_budget(trajectory, ''{"ms": 9000, "children": [{"node": "models", "pattern": "{ kind = llm }", "ms": 6000}]}'')';
