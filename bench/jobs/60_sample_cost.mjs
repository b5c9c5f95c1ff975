// What a row costs in the aggregates of samples over count(*); beside them, what
// PostgreSQL has: sorting by the rank, and the same for the first 1,000.
import { measureCost } from '../aggregate_cost.mjs';

const columns = 'gen_random_uuid() as id, exp(random()) as weight, (random() * 9999)::int as g';

const queries = [
	{ figure: 'by trace id, k 1000', base: 'all', sql: 'select llmtrace.sample_agg(id, 1000) from cost.sample' },
	{ figure: 'with a seed', base: 'all', sql: 'select llmtrace.sample_agg(id, 1000, 7) from cost.sample' },
	{ figure: 'weighted', base: 'all', sql: 'select llmtrace.sample_weighted_agg(id, weight, 1000) from cost.sample' },
	{ figure: 'by trace id, k 10, 10,000 groups', base: 'groups', sql: 'select g, llmtrace.sample_agg(id, 10) from cost.sample group by g' },
	{ figure: 'order by rank limit 1001', base: 'all', sql: 'select id from cost.sample order by llmtrace.trace_rank(id) limit 1001' },
];

export default {
	name: 'a row of sample_agg',
	unit: 'ns',
	sizes: true,
	systems: { llmtrace: (data) => [{ sql: measureCost(data.totals.spans, columns, queries) }] },
};
