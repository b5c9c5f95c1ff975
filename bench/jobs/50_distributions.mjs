// How long the calls of each tool take: the 99th percentile, from all spans,
// without anything prepared.  Only spans of the one convention whose key the
// other systems can ask for; the answers are compared by how many tools and
// calls there are, since each estimates quantiles in its own way.

const answer = 'select count(*) as tools, sum(calls) as calls';

export default {
	name: 'distributions',
	unit: 'ms',
	systems: {
		llmtrace: () => [{
			figure: 'p99 by tool',
			sql: `${answer} from (
				select llmtrace.dist_count(dist) as calls, llmtrace.dist_quantile(dist, 0.99) as p99_ms
				from (select llmtrace.dist_spans_by_agg(t, '{ .gen_ai.tool.name != nil }', 'duration_ms', 'tool_name') as groups from folded) f,
					unnest(groups) g) p where p99_ms > 0`,
		}],
		rows: () => [{
			figure: 'p99 by tool',
			sql: `${answer} from (
				select attributes->>'gen_ai.tool.name' as tool, count(*) as calls,
					percentile_cont(0.99) within group (order by (end_ns - start_ns) / 1e6) as p99_ms
				from spans where attributes ? 'gen_ai.tool.name' group by 1) p where p99_ms > 0`,
		}],
		duckdb: () => [{
			figure: 'p99 by tool',
			sql: `${answer} from (
				select attributes['gen_ai.tool.name'] as tool, count(*) as calls,
					approx_quantile((end_ns - start_ns) / 1e6, 0.99) as p99_ms
				from spans where attributes['gen_ai.tool.name'] is not null group by 1) p where p99_ms > 0`,
		}],
		clickhouse: () => [{
			figure: 'p99 by tool',
			sql: `${answer} from (
				select attributes['gen_ai.tool.name'] as tool, count(*) as calls,
					quantileTDigest(0.99)((end_ns - start_ns) / 1e6) as p99_ms
				from spans where mapContains(attributes, 'gen_ai.tool.name') group by tool) p where p99_ms > 0`,
		}],
	},
};
