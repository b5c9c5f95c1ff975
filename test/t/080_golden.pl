# Values of every released format are still read, and the tables that the
# format refers to by number still say the same.

use strict;
use warnings FATAL => 'all';
use File::Basename qw(basename dirname);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $top = dirname(__FILE__) . '/../..';

sub lines { return split /\n/, slurp_file($_[0]) }

my $source = slurp_file("$top/src/kernel/known_keys.c");
my ($table) = $source =~ /^const KnownKey known_keys\[\] = \{\n(.*?)^\};/ms;
is_deeply([ lines("$top/test/golden/known-keys-1.txt") ], [ $table =~ /^\t\{"([^"]*)"/mg ],
	'known keys: numbers never change, new ones are appended');

my %times;
is_deeply([ grep { $times{$_}++ } lines("$top/test/golden/known-keys-1.txt") ], [], 'no known key has two numbers');

my $header = slurp_file("$top/src/kernel/canonical.h");
my ($enum) = $header =~ /^typedef enum CanonicalColumn\n\{\n(.*?)\tCOLUMN_COUNT/ms;
is_deeply([ lines("$top/test/golden/columns-1.txt") ], [ map { lc } $enum =~ /^\tCOLUMN_(\w+)/mg ],
	'canonical columns: numbers never change, new ones are appended');

my $node = PostgreSQL::Test::Cluster->new('golden');
$node->init(extra => [ '--encoding=UTF8', '--locale=C' ]);
$node->start;
$node->safe_psql('postgres', 'create extension llmtrace; create table golden (t llmtrace.trajectory)');

for my $path (glob("$top/test/golden/trajectory-*.bin"))
{
	my $name = basename($path, '.bin');
	my $bytes = slurp_file($path);
	my $copy = "$PostgreSQL::Test::Utils::tmp_check/$name.copy";

	# COPY's binary format: signature, flags, header extension; one row of one
	# field; the end.
	open(my $file, '>:raw', $copy) or die "$copy: $!";
	print $file "PGCOPY\n\377\r\n\0", pack('NN', 0, 0), pack('nN/a*', 1, $bytes), pack('n', 0xffff);
	close($file);

	my $json = slurp_file("$top/test/golden/$name.json");
	$node->safe_psql('postgres', "truncate golden; copy golden from '$copy' (format binary)");
	is($node->safe_psql('postgres', "select llmtrace.trajectory_eq(t, \$json\$$json\$json\$::llmtrace.trajectory) from golden"),
		't', "$name is read as its text");
}

done_testing();
