# The SQL of the dashboard of cohorts runs, with Grafana's macros expanded as
# Grafana does it, and has the columns that the panels want.

use strict;
use warnings FATAL => 'all';
use Cwd qw(abs_path);
use File::Basename qw(dirname);
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $top = abs_path(dirname(__FILE__) . '/../..');
my $generate = $ENV{LLMTRACE_GENERATE} || "$top/bench/generate";

plan skip_all => 'no generator: make bench/generate' unless -x $generate;

my $node = PostgreSQL::Test::Cluster->new('grafana');
$node->init(extra => [ '--encoding=UTF8', '--locale=C' ]);
$node->start;

my $folder = PostgreSQL::Test::Utils::tempdir();
system("$generate --traces 600 --until 2026-01-31T00:00:00Z >$folder/traces.jsonl") == 0 or die 'the generator failed';
$node->safe_psql('postgres', <<SQL);
CREATE EXTENSION llmtrace;
SELECT llmtrace.create_store();
\\copy llmtrace.otlp from '$folder/traces.jsonl' with (format csv, quote e'\\x01', delimiter e'\\x02')
CALL llmtrace.fold(quiet_for => '0');
CALL llmtrace.refresh_rollups();
CREATE ROLE viewer LOGIN;
SELECT llmtrace.grant_reader('viewer');
SQL

my $dashboard = decode_json(slurp_file("$top/docs/grafana/cohorts.json"));
my ($from, $to) = ('2026-01-24T00:00:00Z', '2026-01-31T00:00:00Z');
my %seconds = (s => 1, m => 60, h => 3600, d => 86400);
my %variable = map { $_->{name} => $_->{current}{value} } grep { $_->{type} eq 'query' } @{ $dashboard->{templating}{list} };

# Variables, then macros: their arguments end at the first parenthesis.
sub expand
{
	my ($sql) = @_;
	$sql =~ s/\$(\w+)\b(?!\()/exists $variable{$1} ? $variable{$1} : die "no variable $1"/ge;
	$sql =~ s{\$([_a-zA-Z0-9]+)\(([^\)]*)\)}{
		my ($macro, @arguments) = ($1, map { s/^\s+|\s+$//gr } split /,/, $2);
		$macro eq '__timeFilter' ? "$arguments[0] BETWEEN '$from' AND '$to'"
		: $macro eq '__timeFrom' ? "'$from'"
		: $macro eq '__timeTo' ? "'$to'"
		: $macro eq '__timeGroup' ? do {
			my ($n, $unit) = $arguments[1] =~ /^'(\d+)([smhd])'$/ or die "interval $arguments[1]";
			my $step = $n * $seconds{$unit};
			"floor(extract(epoch from $arguments[0])/$step)*$step" }
		: die "macro $macro" }ge;
	return $sql;
}

for my $list (grep { $_->{type} eq 'query' } @{ $dashboard->{templating}{list} })
{
	my @values = split /\n/, $node->safe_psql('postgres', "SET ROLE viewer; $list->{query}");
	ok((grep { $_ eq $list->{current}{value} } @values), "variable $list->{name} has its value to choose");
}

my %wanted = (
	nodes => qr/^id\|title\|.*arc__ok\|arc__failed$/,
	edges => qr/^id\|source\|target\b/);
my $rows = 0;
for my $panel (@{ $dashboard->{panels} })
{
	for my $target (@{ $panel->{targets} })
	{
		my ($status, $out, $error) = $node->psql('postgres', 'SET ROLE viewer; ' . expand($target->{rawSql}),
			extra_params => [ '-P', 'tuples_only=off', '-P', 'footer=off' ], on_error_stop => 1);
		is($status, 0, "panel \"$panel->{title}\", $target->{refId} runs") or diag($error), next;
		my ($names, @found) = grep { $_ ne 'SET' } split /\n/, $out;
		$rows++ if @found;
		like($names, $target->{format} eq 'time_series' ? qr/^time\|/ : $wanted{ $target->{refId} } || qr/./, "  and has the columns that it needs");
	}
}
cmp_ok($rows, '>=', 10, 'most panels show something');

done_testing();
