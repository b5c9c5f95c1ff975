# Types dist and cat where SQL alone does not reach: parallel plans, many
# groups, the binary form from outside, dump and restore.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use File::Basename;
use Test::More;

my $golden_dir = dirname(__FILE__) . '/../golden';
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

# The binary form: golden bytes go in by COPY and come out the same.
sub copy_file
{
	my ($name, @fields) = @_;
	my $path = "$tmp/$name";

	open my $file, '>:raw', $path or die "$path: $!";
	print $file "PGCOPY\n\xff\r\n\0", pack('NN', 0, 0);
	print $file pack('nN', 1, length $_), $_ for @fields;
	print $file pack('n', 0xffff);
	close $file;
	return $path;
}

for my $type ('dist', 'cat')
{
	my (@bytes, @text);

	open my $file, '<:encoding(UTF-8)', "$golden_dir/$type.txt" or die $!;
	while (<$file>)
	{
		next if /^#/ || !/\S/;
		chomp;
		my ($hex, $text) = split /\t/;
		push @bytes, pack('H*', $hex);
		push @text, $text;
	}
	close $file;

	$node->safe_psql('postgres', "CREATE TABLE golden_$type (n serial, v $type)");
	my $path = copy_file("$type.bin", @bytes);
	$node->safe_psql('postgres', "COPY golden_$type (v) FROM '$path' (FORMAT binary)");
	utf8::encode($_) for @text;
	is($node->safe_psql('postgres', "SELECT v FROM golden_$type ORDER BY n"), join("\n", @text), "golden bytes of $type read as before");
	is($node->safe_psql('postgres', "SELECT encode(${type}_send(v::text::$type), 'hex') FROM golden_$type ORDER BY n"),
		join("\n", map { unpack 'H*', $_ } @bytes), "golden text of $type has the same bytes");
	$node->safe_psql('postgres', "COPY golden_$type (v) TO '$path.out' (FORMAT binary)");
	is(slurp_file("$path.out"), slurp_file($path), "binary output of $type is the same");

	# Every cut and every changed byte is refused or is a valid other value.
	my $odd = 0;
	my $refused = 0;
	my $script = "CREATE TEMP TABLE odd (v $type);\n\\set ON_ERROR_STOP 0\n";
	my @damaged;
	for my $bytes (@bytes)
	{
		push @damaged, substr($bytes, 0, $_) for 0 .. length($bytes) - 1;
		push @damaged, $bytes . "\0";
		for my $at (0 .. length($bytes) - 1)
		{
			my $copy = $bytes;
			substr($copy, $at, 1) = chr((ord(substr($copy, $at, 1)) + 1 + $at * 37) % 256);
			push @damaged, $copy;
		}
	}
	$script .= "COPY odd FROM '" . copy_file("$type.odd.$_", $damaged[$_]) . "' (FORMAT binary);\n" for 0 .. $#damaged;
	my $stderr;
	my $stdout;
	$node->psql('postgres', $script . "SELECT count(*) FROM odd;\nSELECT bool_and(v::text::$type = v) IS NOT FALSE FROM odd;",
		stdout => \$stdout, stderr => \$stderr, on_error_stop => 0);
	$refused = () = $stderr =~ /ERROR:  invalid binary (form|value)|ERROR:  invalid byte sequence/g;
	my ($taken, $sound) = $stdout =~ /(\d+)\n([tf])/;
	is($refused + $taken, scalar @damaged, "every damaged $type is refused or taken ($refused, $taken)");
	is($sound, 't', "what is taken is sound");
	ok($refused > $taken, "most damage to $type is found");
}

# Through a table, its dump and a restore
$node->safe_psql('postgres', 'CREATE TABLE kept AS SELECT few, dist_agg(v, w) d, cat_agg(k, w) c FROM sample GROUP BY few');
my $sum = 'SELECT md5(string_agg(d::text || c::text, \' \' ORDER BY few)) FROM public.kept';
$node->command_ok(['pg_dump', '-Fc', '-t', 'public.kept', '-f', "$tmp/kept.dump", 'postgres'], 'dump');
$node->safe_psql('postgres', 'CREATE DATABASE restored');
$node->safe_psql('restored', 'CREATE EXTENSION llmtrace');
$node->command_ok(['pg_restore', '-d', 'restored', "$tmp/kept.dump"], 'restore');
is($node->safe_psql('restored', $sum), $node->safe_psql('postgres', $sum), 'a dump restores the same values');

$node->stop;
done_testing();
