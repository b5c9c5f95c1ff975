// A store of years: last of all, since the partitions stay.

import { byId } from './72_store.mjs';

const weeks = `do $$ begin
	perform llmtrace.make_partitions(array(select timestamptz '2025-12-01' - n * interval '7 days' from generate_series(1, 90) n)); end $$`;

export default {
	name: 'store, 90 partitions more',
	unit: 'ms',
	systems: {
		llmtrace: () => [
			{ figure: 'trace by id', before: [weeks, ...byId], sql: 'select public.one_trace()' },
			{ figure: 'traces of a day', sql: `select count(*) > 0 from llmtrace.traces where started_at >= '2026-01-22' and started_at < '2026-01-23'` },
			{
				figure: '200 traces of each feature, from the reservoir',
				sql: `select count(*) = 200 * count(distinct value) and min(inclusion_probability) > 0 from llmtrace.stratified_sample('feature', 200)`,
			},
		],
	},
};
