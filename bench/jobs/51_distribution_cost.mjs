// What a row costs in an aggregate over count(*), in nanoseconds, serially and
// with two workers, as many rows as there are spans: dist_agg and cat_agg
// beside tdigest and hll (Debian: postgresql-15-tdigest, postgresql-15-hll) in
// the database of plain rows, where they are installed.

// Medians of five turns of all queries, so that a slow moment hits all alike.
const measure = (spans, queries) => `
create schema if not exists cost;
drop table if exists cost.sample;
do $$ begin perform setseed(0.42); end $$;
create unlogged table cost.sample as
	select exp(5 + 1.5 * sqrt(-2 * ln(1 - random())) * cos(2 * pi() * random())) as x, 1 + floor(random() * 4) as weight,
		'tool_' || floor(exp(random() * 4)) as tool, (random() * 9999)::int as g
	from generate_series(1, ${spans});
alter table cost.sample set (parallel_workers = 2);
vacuum analyze cost.sample;
drop table if exists cost.query;
create table cost.query (n serial, figure text, base text, sql text, workers int);
insert into cost.query (figure, base, sql, workers)
	select figure || case workers when 0 then '' else ', 2 workers' end, base, sql, workers
	from (values (null, 'all', 'select count(*) from cost.sample'), (null, 'groups', 'select g, count(*) from cost.sample group by g'),
		${queries.map(({ figure, base, sql }) => `('${figure}', '${base}', $q$${sql}$q$)`).join(',\n\t\t')}) q(figure, base, sql), unnest('{0,2}'::int[]) workers;
create or replace function cost.measure() returns table (figure text, total_ns float8) language plpgsql as $$
declare q record; started timestamptz;
begin
	create temp table took (n int, ns float8) on commit drop;
	for turn in 1..5 loop
		for q in select * from cost.query order by query.n loop
			perform set_config('max_parallel_workers_per_gather', q.workers::text, true);
			started := clock_timestamp();
			execute q.sql;
			insert into took values (q.n, extract(epoch from clock_timestamp() - started) * 1e9);
		end loop;
	end loop;
	return query with median as (
			select w.*, percentile_cont(0.5) within group (order by ns) as ns from took join cost.query w using (n) group by w.n, w.figure, w.base, w.sql, w.workers)
		select m.figure, m.ns - b.ns from (select * from median where median.figure is not null) m
			join (select * from median where median.figure is null) b using (base, workers) order by m.workers, m.n;
end $$ set work_mem = '1GB' set parallel_setup_cost = 0 set parallel_tuple_cost = 0 set min_parallel_table_scan_size = 0;
select * from cost.measure();
drop schema cost cascade`;

const perRow = (number, weighted, category) => [
	{ figure: 'number', base: 'all', sql: `select ${number} from cost.sample` },
	...weighted ? [{ figure: 'weighted number', base: 'all', sql: `select ${weighted} from cost.sample` }] : [],
	{ figure: 'number, 10,000 groups', base: 'groups', sql: `select g, ${number} from cost.sample group by g` },
	{ figure: 'category', base: 'all', sql: `select ${category} from cost.sample` },
	{ figure: 'category, 10,000 groups', base: 'groups', sql: `select g, ${category} from cost.sample group by g` },
];

export default {
	name: 'a row of dist_agg, cat_agg (rows: tdigest, hll)',
	unit: 'ns',
	sizes: true,
	systems: {
		llmtrace: (data) => [{
			sql: measure(data.totals.spans, perRow('llmtrace.dist_agg(x)', 'llmtrace.dist_agg(x, weight)', 'llmtrace.cat_agg(tool)')),
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
			${measure(data.totals.spans, perRow('tdigest(x, 100)', null, 'hll_add_agg(hll_hash_text(tool))'))};
			\\endif
			select 1 where false`,
		}],
	},
};
