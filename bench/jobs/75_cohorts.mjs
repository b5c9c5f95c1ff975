// Cohorts over time from rollups, in the store that the jobs before have filled:
// what a refresh costs, and what is asked without a look at traces.

// Functions as a session uses them again and again.
const drift = `select count(*) > 0 from llmtrace.cohort_drift('model_calls.input_tokens', '{agent_name}', since => '2026-01-24', until => '2026-01-31')`;

const p99 = `select count(*) > 0 from (select cohort, p99 from llmtrace.cohort_summary('tool_calls.duration_ms', '{tool_name}', '2026-01-17', '2026-01-31')) x`;

// The middle of a day, with as many traces as any.
const anHour = [`insert into llmtrace.rollup_dirty values ('2026-01-22 12:00+00')`];

export default {
	name: 'cohorts from rollups',
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
				before: ['truncate llmtrace.rollup_dirty', `insert into llmtrace.rollup_dirty values ('2026-01-22', true)`],
				sql: `select llmtrace.refresh_next(true, '-infinity') is not null as refreshed`,
			},
			{ figure: 'drift of all cohorts, tokens', before: ['vacuum (analyze) llmtrace.rollup_cell'], sql: drift },
			{ figure: 'p99 by tool', sql: p99 },
			{ figure: 'drift of everything', sql: `select count(*) > 0 from llmtrace.drift_scan('2026-01-24', '2026-01-31')` },
		],
	},
};
