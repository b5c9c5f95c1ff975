# What the planner makes of queries, and what lies close to what: estimates
# against counts, the chosen plan against both that could be forced, and the
# neighbours of runs that were made to fail alike.

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

my $traces = 4000;
my $folder = PostgreSQL::Test::Utils::tempdir();
system_or_bail($generate, '--traces', $traces, '--until', '2026-01-31T00:00:00Z',
	'--output', "$folder/traces.jsonl", '--truth', "$folder/truth.json");
my $truth = decode_json(slurp_file("$folder/truth.json"));

my $node = PostgreSQL::Test::Cluster->new('plans');
$node->init(extra => [ '--encoding=UTF8', '--locale=C' ]);
$node->append_conf('postgresql.conf', "autovacuum = off\njit = off\nmax_parallel_workers_per_gather = 0\nmaintenance_work_mem = 256MB\n");
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION llmtrace; ALTER DATABASE postgres SET search_path = llmtrace, public');
$node->safe_psql('postgres', <<"SQL");
CREATE TABLE lines (line text);
\\copy lines from '$folder/traces.jsonl' with (format csv, quote e'\\x01', delimiter e'\\x02')
CREATE TABLE traces (trace_id uuid PRIMARY KEY, t trajectory);
INSERT INTO traces SELECT trace_id(t), merge_agg(t) FROM lines, trajectories_from_otlp(line) t GROUP BY 1;
CREATE INDEX ON traces USING gin (t);
VACUUM ANALYZE traces;
SQL
is($node->safe_psql('postgres', 'SELECT count(*) FROM traces'), $traces, 'traces are loaded');

# --------------------------------------------------------------- queries ---

# Words that occur, from the commonest to the rarest.
sub words
{
	my ($column) = @_;
	return split(/\n/, $node->safe_psql('postgres',
		"SELECT $column FROM traces, spans(t) WHERE $column IS NOT NULL GROUP BY 1 ORDER BY count(*) DESC, 1"));
}
my @tools = words('tool_name');
my @models = words('model');
my @names = words('name');
my @error_types = words('error_type');
my @call_ids = split(/\n/, $node->safe_psql('postgres',
	q{SELECT DISTINCT a->>'gen_ai.tool.call.id' FROM (SELECT span_attributes(t, ordinal) a FROM traces, spans(t) WHERE kind = 'tool' LIMIT 400) s WHERE a ? 'gen_ai.tool.call.id' LIMIT 20}));
cmp_ok(@tools + @models + @names, '>', 30, 'there are words to ask for');

# The common forms: one attribute, one kind of failure, durations and tokens.
my @common = (
	'{ status = error }', '{ kind = agent }', '{ kind = tool && isError }', '{ kind = llm && isError }',
	(map { "{ tool = \"$_\" }" } @tools), (map { "{ tool = \"$_\" && status = error }" } @tools),
	(map { "{ model = \"$_\" }" } @models), (map { "{ name = \"$_\" }" } @names[0 .. 24]),
	(map { "{ .error.type = \"$_\" }" } @error_types),
	(map { ("{ tool =~ \"$tools[$_]|$tools[$_ + 3]\" }", "{ tool =~ \"$tools[$_]|$tools[$_ + 1]\" && isError }") } 0 .. 4), '{ status != unset }',
	(map { "{ duration > ${_}s }" } 1, 5, 20, 60), (map { "{ inputTokens > $_ }" } 500, 2000, 8000, 20000));

# And what is built of them.
srand(1);
sub pick { return $_[int(rand(@_))]; }
my @queries = (@common, (map { "{ .gen_ai.tool.call.id = \"$_\" }" } @call_ids));
while (@queries < 200)
{
	my ($left, $right) = (pick(@common), pick(@common));
	my $form = int(rand(5));
	push @queries, $form == 0 ? "$left >> $right" : $form == 1 ? "$left -> $right" : $form == 2 ? "$left && $right"
	  : $form == 3 ? "$left || $right" : "$left | count() > 2";
}
@queries = @queries[0 .. 199];

# The plan of a query, run, under some settings: with buffers, once it is warm.
sub plan_of
{
	my ($query, @settings) = @_;
	my $sql = "EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) SELECT FROM traces WHERE t \@\@ '" . ($query =~ s/'/''/gr) . "'";
	my $out = $node->safe_psql('postgres', join(';', @settings, "SET jit = off", $sql));
	return decode_json($out)->[0]{Plan};
}

sub buffers { return $_[0]{'Shared Hit Blocks'} + $_[0]{'Shared Read Blocks'}; }

# What fewer than one trace in two hundred has is not among what ANALYZE keeps.
my $fewest = $traces / 200;

my (@misjudged, @wasteful);
my $judged = 0;
my $by_index = 0;
my %is_common = map { $_ => 1 } @common;
for my $query (@queries)
{
	my $chosen = plan_of($query);
	my ($estimate, $actual) = ($chosen->{'Plan Rows'}, $chosen->{'Actual Rows'});
	if ($is_common{$query} && $actual >= $fewest)
	{
		$judged++;
		push @misjudged, "$query: $estimate rows estimated, $actual found" if $estimate > 2 * $actual || $actual > 2 * $estimate;
	}
	my $scan = buffers(plan_of($query, 'SET enable_bitmapscan = off'));
	my $index = buffers(plan_of($query, 'SET enable_seqscan = off'));
	my $least = $scan < $index ? $scan : $index;
	$by_index++ if $chosen->{'Node Type'} ne 'Seq Scan';
	push @wasteful, "$query: " . buffers($chosen) . " buffers by $chosen->{'Node Type'}, $scan by a scan, $index by the index"
	  if buffers($chosen) > 1.5 * $least;
}
cmp_ok($judged, '>', 50, "$judged estimates were judged");
is(scalar(@misjudged), 0, 'common forms are estimated within a factor of two') or diag(join("\n", @misjudged));
is(scalar(@wasteful), 0, 'the chosen plan reads at most one and a half times what the better one does') or diag(join("\n", @wasteful));
cmp_ok($by_index, '>', 0, "the index was chosen for $by_index of 200 queries");
cmp_ok($by_index, '<', 200, 'and not for all');

# ------------------------------------------------------------ similarity ---

# Of each member of a group, how many of the ten nearest failed traces belong
# to the same group?
my @members;
for my $group (@{ $truth->{failure_groups} })
{
	push @members, map { "('$group->{name}', '$_')" } @{ $group->{trace_ids} };
}
my $precision = $node->safe_psql('postgres', <<"SQL");
CREATE TABLE members (name text, trace_id uuid);
INSERT INTO members VALUES @{[ join(', ', @members) ]};
SELECT round(avg((near.name IS NOT DISTINCT FROM m.name)::int), 3)
FROM (SELECT DISTINCT ON (name, n) * FROM (SELECT *, row_number() OVER (PARTITION BY name ORDER BY trace_id) n FROM members) x WHERE n <= 5) m
JOIN traces USING (trace_id),
LATERAL (
	SELECT other.trace_id, o.name
	FROM traces other LEFT JOIN members o USING (trace_id)
	WHERE error_count(other.t) > 0 AND other.trace_id <> m.trace_id
	ORDER BY other.t <-> traces.t LIMIT 10) near
SQL
cmp_ok($precision, '>=', 0.8, "planted groups of failures are neighbours: precision at 10 is $precision");

$node->stop;
done_testing();
