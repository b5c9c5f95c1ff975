// Spans as rows, as a query over all of them reads them: how many columns it
// reads is what it costs.  The others have rows already.

const three = 'count(s.name) as names, count(s.kind) as kinds, max((s.duration_ms * 1e6)::bigint) as longest_ns';
const rows = 'count(name) as names, count(name) as kinds, max(end_ns - start_ns) as longest_ns from spans where end_ns >= start_ns and end_ns > 0';

export default {
	name: 'spans as rows',
	unit: 'ms',
	systems: {
		llmtrace: () => [
			{ figure: 'three columns', sql: `select ${three} from folded, llmtrace.spans(t) s where s.duration_ms is not null` },
			{ figure: 'three columns, and of attributes', sql: 'select count(s.tool_name), count(s.model), sum(s.input_tokens) from folded, llmtrace.spans(t) s' },
			{ figure: 'all columns', sql: 'select count(s) from folded, llmtrace.spans(t) s' },
		],
		rows: () => [{ figure: 'three columns', sql: `select ${rows}` }],
		duckdb: () => [{ figure: 'three columns', sql: `select ${rows}` }],
		clickhouse: () => [{ figure: 'three columns', sql: `select ${rows}` }],
	},
};
