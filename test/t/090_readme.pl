# The SQL of README.md and of docs/latency.md runs, block after block, on
# generated traces, and docs/reference.md is what the server says.

use strict;
use warnings FATAL => 'all';
use Cwd qw(abs_path);
use File::Basename qw(dirname);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $top = abs_path(dirname(__FILE__) . '/../..');
my $generate = $ENV{LLMTRACE_GENERATE} || "$top/bench/generate";

my $node = PostgreSQL::Test::Cluster->new('readme');
$node->init(extra => [ '--encoding=UTF8', '--locale=C' ]);
$node->start;
$ENV{PGHOST} = $node->host;
$ENV{PGPORT} = $node->port;

my ($reference, $errors) = run_command([ "$top/bin/reference" ]);
is($errors, '', 'bin/reference runs');
ok($reference . "\n" eq slurp_file("$top/docs/reference.md"), 'docs/reference.md is current (else: make docs)');

SKIP:
{
	skip 'no generator: make bench/generate', 2 unless -x $generate;

	# The traces come in two files, some of them partly in each.
	my $folder = PostgreSQL::Test::Utils::tempdir();
	my @lines = `$generate --traces 200 --batch 100 --until 2026-01-31T00:00:00Z`;
	append_to_file("$folder/traces.jsonl", join('', splice(@lines, 0, @lines / 2)));
	append_to_file("$folder/more.jsonl", join('', @lines));

	$node->safe_psql('postgres', 'create database readme');
	chdir $folder or die "$folder: $!";
	for my $page ('README.md', 'docs/latency.md')
	{
		my @blocks = slurp_file("$top/$page") =~ /^```sql\n(.*?)^```/msg;
		my $script = "$folder/" . $page =~ tr|/|_|r . '.sql';

		append_to_file($script, join("\n", @blocks));
		$node->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', 'readme', '-f', $script ],
			"the SQL of $page runs");
	}
	chdir $top;
}

done_testing();
