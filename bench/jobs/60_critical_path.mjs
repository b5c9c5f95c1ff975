// The critical path of every trace.  The others have no such thing; in SQL over
// rows, the chain of last finishers is what can be asked for: from the root to
// the child that ends last, and so on.

const chain = `
with recursive chain as (
	select trace_id, span_id, 1 as links
	from spans s
	where not exists (select from spans p where p.trace_id = s.trace_id and p.span_id = s.parent_span_id)
	union all
	select c.trace_id, c.span_id, links + 1
	from chain, lateral (
		select trace_id, span_id from spans s
		where s.trace_id = chain.trace_id and s.parent_span_id = chain.span_id
		order by end_ns desc limit 1) c)
select count(*), max(links) from chain`;

export default {
	name: 'critical path',
	unit: 'ms',
	systems: {
		llmtrace: () => [
			{ figure: 'a figure a trace', sql: `select count(llmtrace.critical_ms(t, '{ kind = llm }')) from folded` },
			{ figure: 'rows of the path', sql: 'select count(*) from folded, llmtrace.critical_path(t)' },
			{ figure: 'slack and drag, one row a span', sql: 'select count(slack_ms) from folded, llmtrace.span_timing(t)' },
			{ figure: 'what-if', sql: `select count(*) from folded, llmtrace.what_if(t, '{ isError }', 0)` },
			{ figure: 'profile', sql: 'select llmtrace.profile_trace_count(llmtrace.profile_agg(t)) from folded' },
		],
		rows: () => [{ figure: 'chain of last finishers only', sql: chain }],
	},
};
