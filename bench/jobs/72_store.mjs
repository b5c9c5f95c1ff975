// What people ask a store first.

// One trace, whole: the one in the middle.
const middle = `select trace_id from llmtrace.directory where trace_id >= '80000000-0000-0000-0000-000000000000' order by trace_id limit 1`;

// By a function, as a session uses it again and again: its plans are made.
export const byId = [
	'drop function if exists public.one_trace()',
	`do $do$ begin execute format('create function public.one_trace() returns bigint language plpgsql stable as $f$ begin return llmtrace.span_count(llmtrace.stored_trace(%L)); end $f$', (${middle})); end $do$`,
	'select public.one_trace()',
];

const features = (by) => `select count(*) > 0 from (${by}) x`;

export default {
	name: 'store',
	unit: 'ms',
	systems: {
		llmtrace: () => [
			{ figure: 'trace by id', before: byId, sql: 'select public.one_trace()' },
			{ figure: 'spans view, three columns', sql: 'select count(name), sum(duration_ms), count(kind) from llmtrace.spans' },
			{ figure: 'cost by feature', sql: features(`select * from llmtrace.cost_by_feature(since => '2026-01-01')`) },
			{ figure: 'plan distance of every trace', sql: 'select count(distance) > 0 from llmtrace.plan_adherence' },
			{ figure: 'traces by hour', sql: `select count(*) > 0 from (select date_trunc('hour', started_at), count(*), sum(cost_usd), sum(error_count) from llmtrace.traces group by 1) x` },
		],
		rows: () => [
			{
				figure: 'trace by id',
				before: ['drop table if exists public.wanted', `create table public.wanted as select trace_id from spans where trace_id >= '80000000-0000-0000-0000-000000000000' order by trace_id limit 1`],
				sql: 'select count(*) from (select attributes from spans where trace_id = (select trace_id from public.wanted) offset 0) x',
			},
			{
				figure: 'traces by hour',
				sql: `select count(*) > 0 from (select to_timestamp(start_ns / 3600000000000 * 3600), count(distinct trace_id), count(*) filter (where status = 2) from spans group by 1) x`,
			},
		],
	},
};
