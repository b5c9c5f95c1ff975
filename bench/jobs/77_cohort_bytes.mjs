// What rollups take on disk beside the spans: 24 measures, by all dimensions that
// the data have, an hour and a day.

export default {
	name: 'bytes a span of rollups',
	unit: 'B',
	sizes: true,
	systems: {
		llmtrace: () => [{
			sql: `select 'rollups', pg_table_size('llmtrace.rollup_cell')
				union all select 'rollups, indexes', pg_indexes_size('llmtrace.rollup_cell')`,
		}],
	},
};
