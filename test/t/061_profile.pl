# Type profile where SQL alone does not reach: parallel plans, many traces, the
# binary form from outside, dump and restore; and pictures as XML.
use strict;
use warnings FATAL => 'all';
use Cwd qw(abs_path);
use File::Basename qw(dirname);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $top = abs_path(dirname(__FILE__) . '/../..');
my $tmp = PostgreSQL::Test::Utils::tempdir();
my $node = PostgreSQL::Test::Cluster->new('profile');
$node->init(extra => [ '--encoding=UTF8', '--locale=C' ]);
$node->append_conf('postgresql.conf', "search_path = 'public, llmtrace'\njit = off\nmax_parallel_workers_per_gather = 2");
$node->start;

# 100,000 traces of five spans, with 60 paths between them.
$node->safe_psql('postgres', q{
CREATE EXTENSION llmtrace;
CREATE TABLE sample AS
SELECT n, n % 11 AS part, (hashint4(n) & 255) / 64.0::float8 AS w, trajectory_agg(
	lpad(to_hex(n), 32, '0')::uuid, s::text, CASE WHEN s > 1 THEN (s / 2)::text END,
	CASE s WHEN 1 THEN 'agent ' || n % 3 ELSE 'step ' || (hashint4(n * 8 + s) & 1) END,
	1000000000 + s * 10 + (hashint4(n + s) & 7), 1000000000 + 100 - s * 5 + (hashint4(n - s) & 7), NULL,
	CASE WHEN n % 97 = s THEN 'error' END, NULL::jsonb) AS t
FROM generate_series(1, 100000) n, generate_series(1, 5) s
GROUP BY n;
ALTER TABLE sample SET (parallel_workers = 2);
ANALYZE sample;
});

my $serial = 'SET max_parallel_workers_per_gather = 0;';
my $parallel = 'SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;';

for my $agg ('profile_agg(t)', 'profile_agg(t, w)')
{
	my $query = "SELECT md5(profile_send($agg)) FROM sample";

	like($node->safe_psql('postgres', "$parallel EXPLAIN (COSTS OFF) $query"),
		qr/Partial .*Aggregate.*Parallel Seq Scan/s, "$agg runs in parallel");
	my $whole = $node->safe_psql('postgres', "$serial $query");
	is($node->safe_psql('postgres', "$parallel $query"), $whole, "$agg is the same in parallel");
	is($node->safe_psql('postgres', "$serial SELECT md5(profile_send($agg)) FROM (SELECT * FROM sample ORDER BY hashint4(n)) s"),
		$whole, "$agg is the same in another order");
	is($node->safe_psql('postgres', "$parallel SELECT md5(profile_send(profile_merge_agg(p))) FROM (SELECT $agg AS p FROM sample GROUP BY part) s"),
		$whole, "$agg is the same of merged parts");
	is($node->safe_psql('postgres', "$serial SELECT md5(profile_send(profile_subtract(profile_merge(a, b), b)))
			= md5(profile_send(a)) FROM (SELECT $agg FILTER (WHERE part < 5) AS a, $agg FILTER (WHERE part >= 5) AS b FROM sample) s"),
		't', "a part of $agg comes off again");
}
cmp_ok($node->safe_psql('postgres', 'SELECT pg_column_size(profile_agg(t)) FROM sample'), '<', 3000, 'a profile of 100,000 traces is small');
is($node->safe_psql('postgres', q{SELECT abs(sum(critical_share) - 1) < 1e-9 AND abs(sum(critical_ms) - (SELECT sum(llmtrace.critical_ms(t, '{}')) FROM sample)) < 1e-3
	AND sum(error_count) = (SELECT sum(error_count(t)) FROM sample) AND sum(calls) = 500000 FROM frames((SELECT profile_agg(t) FROM sample))}),
	't', 'shares add up to 1, times to those of the paths');

# ----------------------------------------------------------- golden bytes

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

my (@bytes, @text);
open my $golden, '<:raw', "$top/test/golden/profile.txt" or die $!;
while (<$golden>)
{
	next if /^#/;
	chomp;
	my ($hex, $text) = split /\t/;
	push @bytes, pack('H*', $hex);
	push @text, $text;
}
close $golden;
my $path = copy_file('golden', @bytes);
$node->safe_psql('postgres', "CREATE TABLE golden (n serial, v profile); COPY golden (v) FROM '$path' (FORMAT binary)");
is($node->safe_psql('postgres', 'SELECT v FROM golden ORDER BY n'), join("\n", @text), 'golden bytes read as before');
is($node->safe_psql('postgres', "SELECT encode(profile_send(v::text::profile), 'hex') FROM golden ORDER BY n"),
	join("\n", map { unpack 'H*', $_ } @bytes), 'golden text has the same bytes');

# Every cut and every changed byte is refused or is a valid other value.
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
my ($stdout, $stderr);
$node->psql('postgres', "CREATE TEMP TABLE odd (v profile);\n"
	. join('', map { "COPY odd FROM '" . copy_file("odd.$_", $damaged[$_]) . "' (FORMAT binary);\n" } 0 .. $#damaged)
	. "SELECT count(*), bool_and(v::text::profile = v) IS NOT FALSE FROM odd;",
	stdout => \$stdout, stderr => \$stderr, on_error_stop => 0);
my $refused = () = $stderr =~ /ERROR:  invalid binary (?:form|value)/g;
my ($taken, $sound) = $stdout =~ /(\d+)\|([tf])/;
is($refused + $taken, scalar @damaged, "every damage is refused or taken ($refused, $taken)");
is($sound, 't', 'what is taken is sound');
cmp_ok($refused, '>', $taken, 'most damage is found');

# ------------------------------------------------- dump, restore, pictures

$node->safe_psql('postgres', 'CREATE TABLE kept AS SELECT part, profile_agg(t, w) AS p FROM sample GROUP BY part');
my $sum = q{SELECT md5(string_agg(p::text, ' ' ORDER BY part)) FROM public.kept};
$node->command_ok([ 'pg_dump', '-Fc', '-t', 'public.kept', '-f', "$tmp/kept.dump", 'postgres' ], 'dump');
$node->safe_psql('postgres', 'CREATE DATABASE restored');
$node->safe_psql('restored', 'CREATE EXTENSION llmtrace');
$node->command_ok([ 'pg_restore', '-d', 'restored', "$tmp/kept.dump" ], 'restore');
is($node->safe_psql('restored', $sum), $node->safe_psql('postgres', $sum), 'a dump restores the same values');

SKIP:
{
	my ($status, $out, $err) = $node->psql('postgres', q{SELECT xml_is_well_formed('<a/>')});
	skip 'the server is built without libxml', 1 if $status != 0;
	is($node->safe_psql('postgres', q{
SELECT bool_and(xml_is_well_formed_document(waterfall_svg(t))) AND bool_and(xml_is_well_formed_document(flamegraph_svg(p)))
FROM (SELECT trajectory_agg('00000000-0000-0000-0000-000000000001'::uuid, '1', NULL, U&'<\FFFF' || chr(i), 1, 9, NULL, 'error', NULL) AS t
		FROM generate_series(1, 300) i GROUP BY i) x, kept}), 't', 'pictures are XML, whatever the names');
}

$node->stop;
done_testing();
