# The dashboards: the SQL of every panel runs, as Grafana would send it, and
# gives what the panel can show.

use strict;
use warnings FATAL => 'all';
use Cwd qw(abs_path);
use File::Basename qw(basename dirname);
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $top = abs_path(dirname(__FILE__) . '/../..');
my $generate = $ENV{LLMTRACE_GENERATE} || "$top/bench/generate";

# That of cohorts reads rollups, and has a test of its own.
my @files = grep { !/cohorts/ } glob "$top/docs/grafana/*.json";

plan skip_all => 'no generator: make bench/generate' unless -x $generate;
cmp_ok(scalar(@files), '>=', 2, 'there are dashboards');

my $node = PostgreSQL::Test::Cluster->new('grafana');
$node->init(extra => [ '--encoding=UTF8', '--locale=C' ]);
$node->start;

# A price for one of the providers, so that some calls cost and some lack a price.
my $folder = PostgreSQL::Test::Utils::tempdir();
system("$generate --traces 400 --days 7 --until 2026-01-31T00:00:00Z >$folder/traces.jsonl") == 0 or die 'the generator failed';
$node->safe_psql('postgres', <<SQL);
CREATE EXTENSION llmtrace;
SELECT llmtrace.create_store();
CREATE ROLE grafana LOGIN;
SELECT llmtrace.grant_reader('grafana');
INSERT INTO llmtrace.price (model_pattern, input_usd_per_million, output_usd_per_million, cache_read_usd_per_million) VALUES ('gpt-4o*', 2.5, 10, 1.25);
\\copy llmtrace.otlp from '$folder/traces.jsonl' with (format csv, quote e'\\x01', delimiter e'\\x02')
CALL llmtrace.fold(quiet_for => '0');
SQL

my ($from, $to, $interval) = ('2026-01-24T00:00:00Z', '2026-01-31T00:00:00Z', '1h');
my ($from_epoch, $to_epoch) = (1769212800, 1769817600);

sub rows { return map { [ split /\t/, $_, -1 ] } split /\n/, $node->safe_psql('postgres', $_[0], extra_params => [ '-F', "\t" ]) }

# ------------------------------------------------------------------- macros ---

my %seconds = (s => 1, m => 60, h => 3600, d => 86400, w => 604800, ms => 0.001);

sub time_group
{
	my ($column, $width) = @_;
	my ($n, $unit) = $width =~ /^'?(\d+)(ms|[smhdw])'?$/ or die "not an interval: $width";
	my $s = $n * $seconds{$unit};
	return "floor(extract(epoch from $column)/$s)*$s";
}

my %macros = (
	__time => sub { "$_[0] AS \"time\"" },
	__timeEpoch => sub { "extract(epoch from $_[0]) as \"time\"" },
	__timeFilter => sub { "$_[0] BETWEEN '$from' AND '$to'" },
	__timeFrom => sub { "'$from'" },
	__timeTo => sub { "'$to'" },
	__timeGroup => sub { time_group(@_) },
	__timeGroupAlias => sub { time_group(@_) . ' AS "time"' },
	__unixEpochFilter => sub { "$_[0] >= $from_epoch AND $_[0] <= $to_epoch" },
	__unixEpochGroup => sub { my ($n, $unit) = $_[1] =~ /(\d+)(\w+)/; my $s = $n * $seconds{$unit}; "floor(($_[0])/$s)*$s" });

# First the variables, which the browser puts in, then the macros, which the data source does.
sub expand
{
	my ($sql, $variables) = @_;
	$sql =~ s/\$\{(\w+):sqlstring\}/join ',', map { s{'}{''}gr =~ s{^(.*)$}{'$1'}r } @{ $variables->{$1} or die "no variable $1" }/ge;
	$sql =~ s/\$__interval\b/$interval/g;
	$sql =~ s{\$([_a-zA-Z0-9]+)\(([^\)]*)\)}{
		my ($name, $arguments) = ($1, $2);
		($macros{$name} or die "unknown macro $name")->(map { s/^\s+|\s+$//gr } split /,/, $arguments)}ge;
	die "something is left: $sql" if $sql =~ /\$[_a-zA-Z{]/;
	return $sql;
}

is(expand(q{$__timeGroupAlias(c,'5m') $__timeFilter(c)}, {}), qq{floor(extract(epoch from c)/300)*300 AS "time" c BETWEEN '$from' AND '$to'}, 'macros');

# ------------------------------------------------------------------- panels ---

sub panels { return map { ($_, panels($_->{panels})) } @{ $_[0] || [] } }

my %readable = map { $_ => 1 } qw(text boolean integer bigint numeric jsonb), 'double precision', 'timestamp with time zone';
my $has_trace = $node->safe_psql('postgres', q{SELECT to_regproc('llmtrace.grafana_trace') IS NOT NULL}) eq 't';
my ($some_trace) = map { $_->[0] } rows('SELECT llmtrace.trace_hex(trace_id) FROM llmtrace.traces ORDER BY 1 LIMIT 1');

# Columns of a statement, as [name, type].
sub columns
{
	my ($sql) = @_;
	return rows(qq{
		CREATE TEMPORARY VIEW panel AS $sql;
		SELECT attname, format_type(atttypid, NULL) FROM pg_attribute WHERE attrelid = 'panel'::regclass AND attnum > 0 ORDER BY attnum});
}

sub check_time_series
{
	my ($what, $sql, @columns) = @_;
	my ($time) = grep { $_->[0] eq 'time' } @columns;
	ok($time, "$what: has a column time") or return;
	like($time->[1], qr/^(numeric|double precision|timestamp with time zone)$/, "$what: time is one");
	cmp_ok(scalar(grep { $_->[1] eq 'text' } @columns), '<=', 1, "$what: at most one text names the series");
	ok(scalar(grep { $_->[0] ne 'time' && $_->[1] =~ /^(bigint|integer|numeric|double precision)$/ } @columns), "$what: has a number");
	my $epoch = $time->[1] =~ /timestamp/ ? 'extract(epoch FROM "time")' : '"time"';
	my @times = map { $_->[0] } rows("SELECT coalesce(($epoch)::text, 'none') FROM ($sql) p");
	is(scalar(grep { $_ eq 'none' } @times), 0, "$what: every row has a time");
	is(scalar(grep { $times[ $_ - 1 ] > $times[$_] } 1 .. $#times), 0, "$what: times ascend");
	is(scalar(grep { $_ < $from_epoch - 3600 || $_ > $to_epoch } @times), 0, "$what: times are within the dashboard's");
}

for my $file (@files)
{
	my $name = basename($file);
	my $dashboard = decode_json(slurp_file($file));
	my %variables = (trace => [$some_trace]);
	my %ids;

	for my $variable (@{ $dashboard->{templating}{list} })
	{
		next if $variable->{type} ne 'query';
		$variables{ $variable->{name} } = [ map { $_->[0] } rows(expand($variable->{query}, {})) ];
		cmp_ok(scalar(@{ $variables{ $variable->{name} } }), '>', 0, "$name: variable $variable->{name} has values");
	}
	for my $panel (panels($dashboard->{panels}))
	{
		my $what = "$name, $panel->{title}";

		ok(!$ids{ $panel->{id} }++, "$what: the id $panel->{id} is its own");
		for my $target (@{ $panel->{targets} || [] })
		{
			my $sql = expand($target->{rawSql}, \%variables);

			SKIP:
			{
				skip "$what: this build has no grafana_trace", 1 if $sql =~ /grafana_trace/ && !$has_trace;
				my @columns = columns($sql);
				is_deeply([ grep { !$readable{ $_->[1] } } @columns ], [], "$what: Grafana reads its types");
				my ($status, $count, $error) = $node->psql('postgres', "SELECT count(p::text) FROM ($sql) p",
					extra_params => [ '-U', 'grafana' ]);
				is($status, 0, "$what: a reader may ask it") or diag($error);
				cmp_ok($count || 0, '>', 0, "$what: shows something ($count rows)");
				cmp_ok($count || 0, '<=', 5000, "$what: not too much");
				# a column that is null everywhere is an empty one
				for my $column (map { $_->[0] } @columns)
				{
					next if $column eq 'reasoning_cost_usd' || $panel->{type} eq 'traces' && $column =~ /^(status|parent)/;
					is($node->safe_psql('postgres', qq{SELECT count("$column") > 0 FROM ($sql) p}), 't', "$what: $column is filled");
				}
				check_time_series($what, $sql, @columns) if $target->{format} eq 'time_series';
			}
		}
	}
}

# -------------------------------------------------------------------- alike ---

# All of one build: the data source is a variable, times are UTC as rollups'
# days are, nothing is asked again by itself, each links to the others.
for my $file (glob "$top/docs/grafana/*.json")
{
	my $name = basename($file);
	my $dashboard = decode_json(slurp_file($file));
	my ($first) = @{ $dashboard->{templating}{list} };
	my ($link) = @{ $dashboard->{links} };

	is("$first->{name} $first->{type} $first->{query}", 'datasource datasource grafana-postgresql-datasource', "$name: the data source is a variable, the first");
	is($dashboard->{id}, undef, "$name: it has no id of another Grafana");
	is($dashboard->{uid}, 'llmtrace-' . $name =~ s/\.json$//r, "$name: it has an id of its own");
	is($dashboard->{timezone}, 'utc', "$name: times are UTC");
	is($dashboard->{refresh}, '', "$name: it does not refresh by itself");
	is("$dashboard->{time}{from} $dashboard->{time}{to}", 'now-7d now', "$name: it begins with seven days");
	is("@{ $dashboard->{tags} } $link->{type} @{ $link->{tags} } $link->{keepTime}", 'llmtrace dashboards llmtrace 1', "$name: it links to those of its tag");
	for my $panel (panels($dashboard->{panels}))
	{
		is_deeply([ grep { $_->{uid} ne '${datasource}' } map { $_->{datasource} } $panel, @{ $panel->{targets} || [] } ], [],
			"$name, $panel->{title}: asks the chosen data source");
	}
}

# An empty box asks for no trace.
is($node->safe_psql('postgres', "SELECT CASE WHEN '' <> '' THEN llmtrace.trace('') END IS NULL"), 't', 'no trace is chosen at first');

done_testing();
