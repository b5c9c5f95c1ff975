# Types dist and cat where SQL alone does not reach: parallel plans, many
# groups, dump and restore. Their bytes: 081_golden_states.pl.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $tmp = PostgreSQL::Test::Utils::tempdir();

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init(extra => ['--encoding=UTF8', '--locale=C']);
$node->append_conf('postgresql.conf', q{
max_parallel_workers_per_gather = 2
work_mem = '4MB'
search_path = 'public, llmtrace'
});
$node->start;
$node->safe_psql('postgres', q{
CREATE EXTENSION llmtrace;
CREATE TABLE sample AS
	SELECT i, i % 10007 AS g, i % 7 AS few, 'k' || (hashint4(i) & 127) AS k,
		CASE i % 97 WHEN 0 THEN NULL WHEN 1 THEN 'NaN' WHEN 2 THEN 0 WHEN 3 THEN '-Infinity'
			ELSE CASE WHEN i % 3 = 0 THEN -1 ELSE 1 END * exp(hashint4(i + 7) / 2e8) END::float8 AS v,
		(hashint4(i + 99) & 1023) / 256.0::float8 AS w
	FROM generate_series(1, 300000) i;
ALTER TABLE sample SET (parallel_workers = 2);
ANALYZE sample;
});

my $serial = 'SET max_parallel_workers_per_gather = 0;';
my $parallel = 'SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;';

# Serial and parallel agree to the byte.
for my $agg ('dist_agg(v)', 'dist_agg(v, w)', 'dist_agg(v, w, 40)', 'cat_agg(k)', 'cat_agg(k, w)')
{
	for my $by ('', 'GROUP BY few')
	{
		my $query = "SELECT md5(string_agg(s::text, ' ' ORDER BY s::text)) FROM (SELECT $agg AS s FROM sample $by) t";

		like($node->safe_psql('postgres', "$parallel EXPLAIN (COSTS OFF) $query"),
			qr/Partial .*Aggregate.*Parallel Seq Scan/s, "$agg $by runs in parallel");
		is($node->safe_psql('postgres', "$parallel $query"),
			$node->safe_psql('postgres', "$serial $query"), "$agg $by is the same in parallel");
	}
}
is($node->safe_psql('postgres', "$parallel SELECT dist_merge_agg(d) = (SELECT dist_agg(v) FROM sample)
		AND cat_merge_agg(c) = (SELECT cat_agg(k) FROM sample) FROM (SELECT dist_agg(v) d, cat_agg(k) c FROM sample GROUP BY g) s"),
	't', 'merged groups are the whole');

# 10,000 groups: hashing spills and stays within bounds; sorting agrees.
my $grouped = "SELECT md5(string_agg(d::text || c::text, ' ' ORDER BY g)) FROM (SELECT g, dist_agg(v) d, cat_agg(k) c FROM sample GROUP BY g) s";
my $hashed = $node->safe_psql('postgres', "$serial SET enable_sort = off; $grouped");
is($hashed, $node->safe_psql('postgres', "$serial SET enable_hashagg = off; $grouped"), 'hashed and sorted groups agree');
is($hashed, $node->safe_psql('postgres', "$parallel $grouped"), 'groups agree in parallel');
my $plan = $node->safe_psql('postgres', "$serial SET enable_sort = off; SET jit = off;
	EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) SELECT g, dist_agg(v) d, cat_agg(k) c FROM sample GROUP BY g");
my ($memory) = $plan =~ /Memory Usage: (\d+)kB/;
ok(defined $memory && $memory < 32 * 1024, 'memory for 10,000 groups is bounded (' . ($memory // '?') . ' kB)');

# Through a table, its dump and a restore
$node->safe_psql('postgres', 'CREATE TABLE kept AS SELECT few, dist_agg(v, w) d, cat_agg(k, w) c FROM sample GROUP BY few');
my $sum = 'SELECT md5(string_agg(d::text || c::text, \' \' ORDER BY few)) FROM public.kept';
$node->command_ok(['pg_dump', '-Fc', '-t', 'public.kept', '-f', "$tmp/kept.dump", 'postgres'], 'dump');
$node->safe_psql('postgres', 'CREATE DATABASE restored');
$node->safe_psql('restored', 'CREATE EXTENSION llmtrace');
$node->command_ok(['pg_restore', '-d', 'restored', "$tmp/kept.dump"], 'restore');
is($node->safe_psql('restored', $sum), $node->safe_psql('postgres', $sum), 'a dump restores the same values');


# ... and their binary forms
$node->safe_psql('restored', 'CREATE TABLE public.received (LIKE public.kept)');
$node->safe_psql('postgres', "COPY public.kept TO '$tmp/kept.bin' (FORMAT binary)");
$node->safe_psql('restored', "COPY public.received FROM '$tmp/kept.bin' (FORMAT binary)");
is($node->safe_psql('restored', $sum =~ s/kept/received/r), $node->safe_psql('postgres', $sum), 'sent and received values are the same');

$node->stop;
done_testing();
