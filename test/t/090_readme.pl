# The SQL of README.md and of pages in docs runs, block after block, on
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

# Run the blocks of a page in a database, after some statements, and others once
# the page has made its table.
sub run_blocks
{
	my ($page, $database, $before, $filling) = @_;
	my $name = lc($page =~ s/\W/_/gr);
	my @blocks = slurp_file("$top/$page") =~ /^```sql\n(.*?)^```/msg;
	cmp_ok(scalar(@blocks), '>', 0, "$page has SQL");
	if (defined $filling)
	{
		# what makes the table comes first, whichever block it is in
		@blocks = sort { ($b =~ /^CREATE TABLE/) <=> ($a =~ /^CREATE TABLE/) } @blocks;
		splice(@blocks, 1, 0, $filling);
	}
	append_to_file("$name.sql", join("\n", $before, @blocks));
	$node->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', $database, '-f', "$name.sql" ],
		"the SQL of $page runs");
}

SKIP:
{
	skip 'no generator: make bench/generate', 14 unless -x $generate;

	# The traces come in two files, some of them partly in each.
	my $folder = PostgreSQL::Test::Utils::tempdir();
	my @lines = `$generate --traces 200 --batch 100 --until 2026-01-31T00:00:00Z`;
	append_to_file("$folder/traces.jsonl", join('', splice(@lines, 0, @lines / 2)));
	append_to_file("$folder/more.jsonl", join('', @lines));

	chdir $folder or die "$folder: $!";
	$node->safe_psql('postgres', 'create database readme');
	run_blocks('README.md', 'readme', '', <<'SQL');
\copy llmtrace.otlp from 'traces.jsonl' with (format csv, quote e'\x01', delimiter e'\x02')
\copy llmtrace.otlp from 'more.jsonl' with (format csv, quote e'\x01', delimiter e'\x02')
call llmtrace.fold(quiet_for => '0');
SQL

	$node->safe_psql('postgres', 'create database cohorts template readme');
	run_blocks('docs/cohorts.md', 'cohorts', '');

	# Other pages go on with the table that this one makes, each in a copy.
	$node->safe_psql('postgres', 'create database own_tables');
	run_blocks('docs/own-tables.md', 'own_tables', '');
	for my $topic ('sample', 'plan', 'latency')
	{
		$node->safe_psql('postgres', "create database $topic template own_tables");
		run_blocks("docs/$topic.md", $topic, '');
	}

	# The page's examples are of a table of one's own, and write names without
	# their schema.
	$node->safe_psql('postgres', 'create database tracequery');
	run_blocks('docs/tracequery.md', 'tracequery', <<'SQL', <<'SQL');
CREATE EXTENSION llmtrace;
SET search_path = public, llmtrace;
CREATE TABLE lines (line text);
\copy lines from 'traces.jsonl' with (format csv, quote e'\x01', delimiter e'\x02')
CREATE TABLE generated AS SELECT merge_agg(f) AS trajectory FROM lines, trajectories_from_otlp(line) f GROUP BY trace_id(f);
SQL
INSERT INTO traces_of_mine SELECT attr(trajectory, 'app.feature'), trajectory FROM generated;
ANALYZE traces_of_mine;
SQL

	# Eval sets need what was said.
	append_to_file("$folder/rich.jsonl", `$generate --traces 60 --rich --until 2026-01-31T00:00:00Z`);
	$node->safe_psql('postgres', 'create database evals');
	run_blocks('docs/evals.md', 'evals', <<'SQL');
create extension llmtrace;
select llmtrace.create_store();
\copy llmtrace.otlp from 'rich.jsonl' with (format csv, quote e'\x01', delimiter e'\x02')
call llmtrace.fold(quiet_for => '0');
SQL
	chdir $top;
}

done_testing();
