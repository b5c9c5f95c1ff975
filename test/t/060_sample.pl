# Type sample where SQL alone does not reach: parallel plans, many groups, dump
# and restore, and the index that is a reservoir.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;

my $tmp = PostgreSQL::Test::Utils::tempdir();

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init(extra => ['--encoding=UTF8', '--locale=C']);
$node->append_conf('postgresql.conf', q{
max_worker_processes = 8
max_parallel_workers = 8
work_mem = '4MB'
shared_buffers = '256MB'
fsync = off
jit = off
search_path = 'public, llmtrace'
});
$node->start;
$node->safe_psql('postgres', q{
CREATE EXTENSION llmtrace;
CREATE TABLE population AS
	SELECT i, md5(i::text)::uuid AS id, 'key ' || i AS name, exp(hashint4(i) / 4e8)::float8 AS w, (hashint4(i + 7) & 1023)::float8 AS f, i % 10007 AS g, i % 7 AS few
	FROM generate_series(1, 300000) i;
ANALYZE population;
});

my $serial = 'SET max_parallel_workers_per_gather = 0;';
my $parallel = 'SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SET parallel_leader_participation = off;';

# Serial and parallel agree to the byte, with 2 and with 4 workers.
for my $agg ('sample_agg(id, 1000)', 'sample_agg(name, 1000, 5)', 'sample_agg(id, 100, NULL, f, 0.5)', 'sample_weighted_agg(id, w, 1000)', q{sample_weighted_agg(name, w, 100, 5, f, 'ot=th:8')})
{
	for my $by ('', 'GROUP BY few')
	{
		my $query = "SELECT md5(string_agg(s::text, ' ' ORDER BY s::text)) FROM (SELECT $agg AS s FROM population $by) t";
		my $expected = $node->safe_psql('postgres', "$serial $query");

		for my $workers (2, 4)
		{
			my $settings = "$parallel SET max_parallel_workers_per_gather = $workers; ALTER TABLE population SET (parallel_workers = $workers);";

			like($node->safe_psql('postgres', "$settings EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) $query"),
				qr/Workers Launched: $workers.*Partial .*Aggregate.*Parallel Seq Scan/s, "$agg $by runs with $workers workers");
			is($node->safe_psql('postgres', "$settings $query"), $expected, "$agg $by is the same with $workers workers");
		}
	}
}
is($node->safe_psql('postgres', q{SELECT array_agg(key ORDER BY rank) = (SELECT array_agg(id::text) FROM (SELECT id FROM population ORDER BY trace_rank(id), id LIMIT 1000) o)
		AND min(sample_threshold(s)) = (SELECT trace_rank(id) / 72057594037927936::float8 FROM population ORDER BY trace_rank(id), id OFFSET 1000 LIMIT 1)
	FROM (SELECT sample_agg(id, 1000) s FROM population) q, sample_items(s)}), 't', 'it is ORDER BY rank LIMIT 1001');

# 10,000 groups: hashing spills and stays within bounds; sorting agrees.
my $grouped = "SELECT md5(string_agg(s::text || t::text, ' ' ORDER BY g)) FROM (SELECT g, sample_agg(id, 10) s, sample_weighted_agg(name, w, 10) t FROM population GROUP BY g) q";
my $hashed = $node->safe_psql('postgres', "$serial SET enable_sort = off; $grouped");
is($hashed, $node->safe_psql('postgres', "$serial SET enable_hashagg = off; $grouped"), 'hashed and sorted groups agree');
is($hashed, $node->safe_psql('postgres', "$parallel $grouped"), 'groups agree in parallel');
is($node->safe_psql('postgres', "$serial SELECT sample_union_agg(s) = (SELECT sample_agg(id, 10) FROM population) FROM (SELECT sample_agg(id, 10) s FROM population GROUP BY g) q"),
	't', 'united groups are the whole');
my $plan = $node->safe_psql('postgres', "$serial SET enable_sort = off;
	EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) SELECT g, sample_agg(id, 10) s, sample_weighted_agg(name, w, 10) t FROM population GROUP BY g");
my ($memory) = $plan =~ /Memory Usage: (\d+)kB/;
ok(defined $memory && $memory < 32 * 1024, 'memory for 10,000 groups is bounded (' . ($memory // '?') . ' kB)');

# Through a table, its dump and a restore
$node->safe_psql('postgres', 'CREATE TABLE kept AS SELECT few, sample_agg(id, 100) s, sample_weighted_agg(name, w, 100, -5, f, 0.25) t FROM population GROUP BY few');
my $sum = 'SELECT md5(string_agg(s::text || t::text, \' \' ORDER BY few)) FROM public.kept';
$node->command_ok(['pg_dump', '-Fc', '-t', 'public.kept', '-f', "$tmp/kept.dump", 'postgres'], 'dump');
$node->safe_psql('postgres', 'CREATE DATABASE restored');
$node->safe_psql('restored', 'CREATE EXTENSION llmtrace');
$node->command_ok(['pg_restore', '-d', 'restored', "$tmp/kept.dump"], 'restore');
is($node->safe_psql('restored', $sum), $node->safe_psql('postgres', $sum), 'a dump restores the same values');

# The reservoir: a partial index over 5 million rows in 4 cohorts, by the recipe.
$node->safe_psql('postgres', q{
CREATE TABLE recorded (trace_id uuid NOT NULL, cohort text NOT NULL);
INSERT INTO recorded SELECT gen_random_uuid(), CASE WHEN i % 10 < 7 THEN 'big' ELSE 'c' || i % 10 END FROM generate_series(1, 5000000) i;
});
my ($bound, $index, $query) = split /\|/, $node->safe_psql('postgres', q{SELECT * FROM trace_reservoir('recorded', 1000, row_count => 5000000)});
$node->safe_psql('postgres', "$index; VACUUM ANALYZE recorded");
is($node->safe_psql('postgres', "SELECT array_agg(trace_id ORDER BY trace_rank(trace_id)) = (SELECT array_agg(trace_id) FROM (SELECT trace_id FROM recorded ORDER BY trace_rank(trace_id) LIMIT 1000) o)
		AND min(probability) = max(probability) AND min(probability) = (SELECT trace_rank(trace_id) / 72057594037927936::float8 FROM recorded ORDER BY trace_rank(trace_id) OFFSET 1000 LIMIT 1) FROM ($query) q"),
	't', 'the index has the 1000 traces of lowest rank of 5 million, and their probability');
is($node->safe_psql('postgres', "SELECT (SELECT array_agg(key::uuid ORDER BY rank) FROM sample_items(s)) = (SELECT array_agg(trace_id ORDER BY trace_rank(trace_id)) FROM ($query) q) FROM (SELECT sample_agg(trace_id, 1000) s FROM recorded) t"),
	't', 'which is what sample_agg has');
like($node->safe_psql('postgres', "EXPLAIN (COSTS OFF) $query"), qr/Index Only Scan using recorded_trace_rank/, 'the query uses it');
my $size = $node->safe_psql('postgres', "SELECT pg_relation_size(indexrelid) FROM pg_index WHERE indrelid = 'recorded'::regclass");
cmp_ok($size, '<', 500000, "the index takes $size bytes");
my @times = sort { $a <=> $b } $node->safe_psql('postgres', "EXPLAIN (ANALYZE, TIMING OFF) $query;" x 21) =~ /Execution Time: ([\d.]+) ms/g;
is(scalar @times, 21, 'timed');
cmp_ok($times[10], '<', 1, "the top 1000 of 5 million rows in less than a millisecond (median $times[10] ms)");

# By cohort, and one that has fewer traces than the sample below the bound: all
# of them, with the bound as probability
($bound, $index, $query) = split /\|/, $node->safe_psql('postgres', q{SELECT * FROM trace_reservoir('recorded', 1000, 'cohort')});
$node->safe_psql('postgres', "DROP INDEX recorded_trace_rank_trace_id_idx; $index; INSERT INTO recorded SELECT gen_random_uuid(), 'small' FROM generate_series(1, 20000); ANALYZE recorded");
like($node->safe_psql('postgres', "PREPARE q(text) AS $query; EXPLAIN (COSTS OFF) EXECUTE q('c8')"), qr/Index (Only )?Scan/, 'the query of a cohort uses the index');
for my $cohort ('big', 'c8', 'small')
{
	is($node->safe_psql('postgres', "PREPARE q(text) AS $query; CREATE TEMP TABLE answer AS EXECUTE q('$cohort');
		SELECT array_agg(trace_id ORDER BY trace_rank(trace_id)) = (SELECT array_agg(trace_id) FROM (SELECT trace_id FROM recorded WHERE cohort = '$cohort' AND trace_rank(trace_id) < $bound ORDER BY trace_rank(trace_id) LIMIT 1000) o)
			AND min(probability) = least(($bound) / 72057594037927936::float8, (SELECT trace_rank(trace_id) / 72057594037927936::float8 FROM recorded WHERE cohort = '$cohort' ORDER BY trace_rank(trace_id) OFFSET 1000 LIMIT 1))
		FROM answer"), 't', "the sample of cohort $cohort");
}
my $few = $node->safe_psql('postgres', "PREPARE q(text) AS $query; CREATE TEMP TABLE answer AS EXECUTE q('small'); SELECT count(*) FROM answer");
cmp_ok($few, '<', 1000, "the small cohort has $few below the bound");

# It stays right under eight writers that insert, delete and roll back: after
# each round, and within a snapshot while they write.
$node->safe_psql('postgres', 'CREATE TABLE busy (trace_id uuid NOT NULL, cohort text NOT NULL); INSERT INTO busy SELECT gen_random_uuid(), \'a\' FROM generate_series(1, 20000); ANALYZE busy');
($bound, $index, $query) = split /\|/, $node->safe_psql('postgres', q{SELECT * FROM trace_reservoir('busy', 100)});
$node->safe_psql('postgres', $index);
my $script = "$tmp/writer.sql";
append_to_file($script, q{
\set n random(1, 20)
\set what random(1, 4)
BEGIN;
INSERT INTO busy SELECT gen_random_uuid(), 'a' FROM generate_series(1, :n);
DELETE FROM busy WHERE trace_id IN (SELECT trace_id FROM busy WHERE llmtrace.trace_rank(trace_id) < 400000000000000 ORDER BY llmtrace.trace_rank(trace_id) LIMIT :n FOR UPDATE SKIP LOCKED);
\if :what = 1
ROLLBACK;
\else
COMMIT;
\endif
});
my $check = "BEGIN ISOLATION LEVEL REPEATABLE READ;
	CREATE TEMP TABLE by_index ON COMMIT DROP AS $query;
	SET LOCAL enable_indexscan = off; SET LOCAL enable_indexonlyscan = off; SET LOCAL enable_bitmapscan = off;
	CREATE TEMP TABLE by_rank ON COMMIT DROP AS SELECT trace_id, trace_rank(trace_id) AS rank FROM busy ORDER BY rank LIMIT 101;
	-- deletions may have left fewer than 101 below the bound
	SELECT (SELECT array_agg(trace_id ORDER BY trace_rank(trace_id)) FROM by_index) = (SELECT (array_agg(trace_id ORDER BY rank) FILTER (WHERE rank < $bound))[:100] FROM by_rank)
		AND (SELECT min(probability) FROM by_index) = (SELECT least($bound, max(rank)) / 72057594037927936::float8 FROM by_rank);
	COMMIT";
my $writers = IPC::Run::start(['pgbench', '-n', '-c', '8', '-j', '2', '-T', '10', '-h', $node->host, '-p', $node->port, '-f', $script, 'postgres'], '>', \my $out, '2>', \my $err);
my @checks = map { $node->safe_psql('postgres', $check) } 1 .. 30;
$writers->finish;
is(join('', @checks), 't' x 30, 'the reservoir is right in 30 snapshots while eight clients write');
my ($transactions) = $out =~ /transactions actually processed: (\d+)/;
cmp_ok($transactions // 0, '>', 200, 'they wrote: ' . ($transactions // $err) . ' transactions');
like($out, qr/number of failed transactions: 0 /, 'none of them failed');
is($node->safe_psql('postgres', $check), 't', 'and afterwards');
$node->safe_psql('postgres', 'VACUUM busy; REINDEX TABLE busy');
is($node->safe_psql('postgres', $check), 't', 'and after VACUUM and REINDEX');

$node->stop;
done_testing();
