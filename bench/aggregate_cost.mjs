// SQL that measures what a row costs in an aggregate over count(*), serially and
// with two workers: rows of figure and nanoseconds in all.  Column g has 10,000
// groups.  A query's base is 'all' or 'groups', whichever it must be compared
// with.  Medians of five turns of all queries, so that a slow moment hits all
// alike.
export const measureCost = (rows, columns, queries) => `
create schema if not exists cost;
drop table if exists cost.sample;
do $$ begin perform setseed(0.42); end $$;
create unlogged table cost.sample as
	select ${columns} from generate_series(1, ${rows});
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
