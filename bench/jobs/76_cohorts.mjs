// Cohorts over time from rollups, without a look at traces, by functions as a
// session uses them again and again.

const drift = `select count(*) > 0 from llmtrace.cohort_drift('model_calls.input_tokens', '{agent_name}', since => '2026-01-24', until => '2026-01-31')`;

const p99 = `select count(*) > 0 from (select cohort, p99 from llmtrace.cohort_summary('tool_calls.duration_ms', '{tool_name}', '2026-01-17', '2026-01-31')) x`;

export default {
	name: 'cohorts from rollups',
	unit: 'ms',
	systems: {
		llmtrace: () => [
			{ figure: 'drift of all cohorts, tokens', sql: drift },
			{ figure: 'p99 by tool', sql: p99 },
			{ figure: 'drift of everything', sql: `select count(*) > 0 from llmtrace.drift_scan('2026-01-24', '2026-01-31')` },
		],
	},
};
