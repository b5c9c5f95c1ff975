// What the index of trajectories takes on disk.

export default {
	name: 'bytes a span, index of attributes',
	unit: 'B',
	sizes: true,
	systems: {
		llmtrace: () => [{ sql: `select 'folded_t', pg_relation_size('folded_t')` }],
		rows: () => [{ sql: `select 'spans_attributes', pg_relation_size('spans_attributes')` }],
	},
};
