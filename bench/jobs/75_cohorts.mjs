// Rollups of the store that the jobs before have filled: what a refresh costs.

// The middle of a day, with as many traces as any.
const anHour = [`insert into llmtrace.rollup_dirty values ('2026-01-22 12:00+00')`];

export default {
	name: 'rollups',
	unit: 'ms',
	systems: {
		llmtrace: () => [
			{
				figure: 'refresh of an hour',
				before: [
					`do $$ begin if not exists (select from llmtrace.cohort_rollup) then call llmtrace.refresh_rollups(); end if; end $$`,
					'truncate llmtrace.rollup_dirty', ...anHour,
				],
				sql: `select llmtrace.refresh_next(false, '-infinity') is not null as refreshed`,
			},
			{
				figure: 'refresh of its day',
				before: ['truncate llmtrace.rollup_dirty', `insert into llmtrace.rollup_dirty values ('2026-01-22', true)`, 'vacuum (analyze) llmtrace.rollup_cell'],
				sql: `select llmtrace.refresh_next(true, '-infinity') is not null as refreshed`,
			},
		],
	},
};
