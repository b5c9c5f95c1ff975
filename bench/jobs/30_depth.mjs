// The depth of every trace: spans on the longest way down, a span whose
// parent is missing being a root.

const descend = `
with recursive tree as (
	select trace_id, span_id, 1 as depth
	from spans s
	where not exists (select from spans p where p.trace_id = s.trace_id and p.span_id = s.parent_span_id)
	union all
	select s.trace_id, s.span_id, depth + 1
	from tree join spans s on s.trace_id = tree.trace_id and s.parent_span_id = tree.span_id
), depths as (select trace_id, max(depth) as depth from tree group by trace_id)
select count(*), sum(depth), max(depth) from depths`;

// ClickHouse has no correlated subqueries, and hashes the right side of a join.
const descendHouse = `
with recursive tree as (
	select s.trace_id as trace_id, s.span_id as span_id, toUInt64(1) as depth
	from spans s
	where (trace_id, parent_span_id) not in (select trace_id, span_id from spans)
	union all
	select s.trace_id, s.span_id, depth + 1
	from spans s join tree on s.trace_id = tree.trace_id and s.parent_span_id = tree.span_id
), depths as (select trace_id, max(depth) as depth from tree group by trace_id)
select count(*), sum(depth), max(depth) from depths`;

export default {
	name: 'tree depth',
	unit: 'ms',
	systems: {
		llmtrace: () => [
			{
				figure: 'every trace',
				sql: 'select count(*), sum(llmtrace.depth(t)), max(llmtrace.depth(t)) from folded',
			},
			{
				figure: 'histogram',
				sql: 'select depth, count(*) from (select llmtrace.depth(t) from folded) d(depth) group by depth order by depth',
			},
			{
				figure: 'one row a span',
				sql: 'select count(*), sum(depth), max(depth) from folded, llmtrace.spans(t)',
			},
		],
		rows: () => [{ figure: 'every trace', sql: descend }],
		duckdb: () => [{ figure: 'every trace', sql: descend.replace('select from', 'select 1 from') }],
		clickhouse: () => [{ figure: 'every trace', sql: descendHouse }],
	},
};
