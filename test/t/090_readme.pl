# The SQL of README.md and of pages in docs runs, block after block, on the
# traces that they say, and gives what they show; docs/reference.md is what the
# server says.

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
$ENV{PGTZ} = 'UTC';

my ($reference, $errors) = run_command([ "$top/bin/reference" ]);
is($errors, '', 'bin/reference runs');
ok($reference . "\n" eq slurp_file("$top/docs/reference.md"), 'docs/reference.md is current (else: make docs)');

# What psql prints, but for what differs from day to day and for widths, which
# follow from that.
sub plain
{
	my ($text) = @_;
	$text =~ s/(?:\d+ days? )?\d\d:\d\d:\d\d ago/… ago/g;
	$text =~ s/\d+ kB/… kB/g;
	$text =~ s/^\(\d+ rows?\)$//mg;
	$text =~ s/ +/ /g;
	$text =~ s/-+/-/g;
	$text =~ s/ $//mg;
	$text =~ s/\n\n+/\n/g;
	return $text =~ s/\A\s+|\s+\z//gr;
}

# Run the blocks of a page in a database, after some statements, and others once
# the page has made its table.  What is shown below a block must be the end of
# what it prints.
sub run_blocks
{
	my ($page, $database, $before, $filling) = @_;
	my $name = lc($page =~ s/\W/_/gr);
	my $text = slurp_file("$top/$page");
	my @blocks;
	push @blocks, { sql => $1, shown => $2 } while $text =~ /^```sql\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?/msg;
	cmp_ok(scalar(@blocks), '>', 0, "$page has SQL");
	if (defined $filling)
	{
		# what makes the table comes first, whichever block it is in
		@blocks = sort { ($b->{sql} =~ /^CREATE TABLE/) <=> ($a->{sql} =~ /^CREATE TABLE/) } @blocks;
		splice(@blocks, 1, 0, { sql => $filling });
	}
	my $script = "$before\n";
	for my $i (0 .. $#blocks)
	{
		# without a line below the headings, there are none
		my $is_bare = defined $blocks[$i]{shown} && $blocks[$i]{shown} !~ /\A.*\n-[-+]*\n/;
		$script .= "\\pset format @{[ $is_bare ? 'unaligned' : 'aligned' ]}\n\\pset tuples_only @{[ $is_bare ? 'on' : 'off' ]}\n\\echo @@@ block $i\n$blocks[$i]{sql}\n";
	}
	append_to_file("$name.sql", $script);
	my ($out, $err) = run_command([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', $database, '-f', "$name.sql" ]);
	unlike($err, qr/ERROR|FATAL/, "the SQL of $page runs");
	my (undef, %printed) = split(/^\@\@\@ block (\d+)$/m, "$out\n");
	for my $i (grep { defined $blocks[$_]{shown} } 0 .. $#blocks)
	{
		my ($shown, $printed) = map { plain($_ // '') } $blocks[$i]{shown}, $printed{$i};
		my $end = length($printed) > length($shown) ? substr($printed, -length($shown)) : $printed;
		is($end, $shown, "$page shows what it says: " . ($blocks[$i]{sql} =~ s/\n.*//sr));
	}
}

SKIP:
{
	skip 'no generator: make bench/generate', 14 unless -x $generate;

	# The traces come in two files, some of them partly in each, as
	# docs/own-tables.md makes them.
	my $folder = PostgreSQL::Test::Utils::tempdir();
	my @lines = `$generate --traces 2000 --until 2026-01-31T00:00:00Z`;
	append_to_file("$folder/traces.jsonl", join('', splice(@lines, 0, 80)));
	append_to_file("$folder/more.jsonl", join('', @lines));

	chdir $folder or die "$folder: $!";
	$node->safe_psql('postgres', 'create database readme');
	run_blocks('README.md', 'readme', '', <<'SQL');
\copy llmtrace.otlp from 'traces.jsonl' with (format csv, quote e'\x01', delimiter e'\x02')
\copy llmtrace.otlp from 'more.jsonl' with (format csv, quote e'\x01', delimiter e'\x02')
call llmtrace.fold(quiet_for => '0');
SQL

	for my $topic ('cohorts', 'dist')
	{
		$node->safe_psql('postgres', "create database $topic template readme");
		run_blocks("docs/$topic.md", $topic, '');
	}

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
\copy lines from 'more.jsonl' with (format csv, quote e'\x01', delimiter e'\x02')
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
