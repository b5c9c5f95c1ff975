// What a row costs in dist_agg and cat_agg over count(*), beside tdigest and hll
// (Debian: postgresql-15-tdigest, postgresql-15-hll) in the database of plain
// rows, where they are installed.
import { measureCost } from '../aggregate_cost.mjs';

const perRow = (number, weighted, category) => [
	{ figure: 'number', base: 'all', sql: `select ${number} from cost.sample` },
	...weighted ? [{ figure: 'weighted number', base: 'all', sql: `select ${weighted} from cost.sample` }] : [],
	{ figure: 'number, 10,000 groups', base: 'groups', sql: `select g, ${number} from cost.sample group by g` },
	{ figure: 'category', base: 'all', sql: `select ${category} from cost.sample` },
	{ figure: 'category, 10,000 groups', base: 'groups', sql: `select g, ${category} from cost.sample group by g` },
];

const columns = `exp(5 + 1.5 * sqrt(-2 * ln(1 - random())) * cos(2 * pi() * random())) as x, 1 + floor(random() * 4) as weight,
	'tool_' || floor(exp(random() * 4)) as tool, (random() * 9999)::int as g`;

export default {
	name: 'a row of dist_agg, cat_agg (rows: tdigest, hll)',
	unit: 'ns',
	sizes: true,
	systems: {
		llmtrace: (data) => [{
			sql: measureCost(data.totals.spans, columns, perRow('llmtrace.dist_agg(x)', 'llmtrace.dist_agg(x, weight)', 'llmtrace.cat_agg(tool)')),
		}],
		// Without tdigest and hll there is nothing to measure, and no figure.
		rows: (data) => [{
			sql: `do $$ begin
				create extension if not exists tdigest;
				create extension if not exists hll;
			exception when others then null; end $$;
			create or replace function pg_temp.peers() returns boolean language sql as
				$$ select count(*) = 2 from pg_extension where extname in ('tdigest', 'hll') $$;
			select pg_temp.peers() as peers \\gset
			\\if :peers
			${measureCost(data.totals.spans, columns, perRow('tdigest(x, 100)', null, 'hll_add_agg(hll_hash_text(tool))'))};
			\\endif
			select 1 where false`,
		}],
	},
};
