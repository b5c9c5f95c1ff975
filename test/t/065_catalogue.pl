# Rules that every view and function of a store obeys: comments with examples
# that run, types that dashboards can read, a time to filter by, no bodies.

use strict;
use warnings FATAL => 'all';
use Cwd qw(abs_path);
use File::Basename qw(dirname);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $top = abs_path(dirname(__FILE__) . '/../..');
my $generate = $ENV{LLMTRACE_GENERATE} || "$top/bench/generate";

plan skip_all => 'no generator: make bench/generate' unless -x $generate;

my $node = PostgreSQL::Test::Cluster->new('catalogue');
$node->init(extra => [ '--encoding=UTF8', '--locale=C' ]);
$node->start;

my $folder = PostgreSQL::Test::Utils::tempdir();
system("$generate --traces 3000 --days 5 >$folder/traces.jsonl") == 0 or die 'the generator failed';
$node->safe_psql('postgres', <<SQL);
CREATE EXTENSION llmtrace;
SELECT llmtrace.create_store();
\\copy llmtrace.otlp from '$folder/traces.jsonl' with (format csv, quote e'\\x01', delimiter e'\\x02')
CALL llmtrace.fold(quiet_for => '0');
INSERT INTO llmtrace.outcome (task_id, trace_id, success, value)
SELECT 'task-' || row_number() OVER (ORDER BY trace_id), trace_id, error_count = 0, 1 FROM llmtrace.traces;
INSERT INTO llmtrace.tool_class (tool_name, effect)
SELECT DISTINCT tool_name, CASE WHEN tool_name ~ 'get|search|read|fetch|grep|diff' THEN 'read' ELSE 'write' END
FROM llmtrace.tool_calls WHERE tool_name IS NOT NULL;
CALL llmtrace.refresh_rollups();
SQL

sub rows { return map { [ split /\t/, $_, -1 ] } split /\n/, $node->safe_psql('postgres', $_[0], extra_params => [ '-F', "\t" ]) }

# ------------------------------------------------------------------ comments ---

# Objects of the store are those of the schema that the extension does not own.
my $ours = q{NOT EXISTS (SELECT FROM pg_depend e WHERE e.objid = o.oid AND e.deptype = 'e')};

is_deeply([ rows(qq{
	SELECT o.oid::regclass FROM pg_class o
	WHERE o.relnamespace = 'llmtrace'::regnamespace AND o.relkind IN ('r', 'p', 'v') AND NOT o.relispartition
		AND obj_description(o.oid, 'pg_class') IS NULL AND $ours}) ],
	[], 'every table and view has a comment');
is_deeply([ rows(qq{
	SELECT o.oid::regclass, a.attname FROM pg_class o JOIN pg_attribute a ON a.attrelid = o.oid AND a.attnum > 0
	WHERE o.relnamespace = 'llmtrace'::regnamespace AND o.relkind = 'v' AND $ours
		AND col_description(o.oid, a.attnum) IS NULL}) ],
	[], 'every column of a view has a comment');
is_deeply([ rows(qq{
	SELECT o.oid::regclass, a.attname, c.comment
	FROM pg_class o JOIN pg_attribute a ON a.attrelid = o.oid AND a.attnum > 0
		CROSS JOIN LATERAL (SELECT col_description(o.oid, a.attnum) AS comment) c
		JOIN (VALUES ('_ms(_|\$)', 'millisecond'), ('_usd\$', 'dollar'), ('bytes', 'bytes'), ('tokens\$', 'tokens'),
			('_(share|rate)\$', 'share|0 to 1')) u (name, unit) ON a.attname ~ u.name
	WHERE o.relnamespace = 'llmtrace'::regnamespace AND o.relkind = 'v' AND $ours AND c.comment !~ u.unit}) ],
	[], 'which names its unit');
is_deeply([ rows(qq{
	SELECT o.oid::regprocedure FROM pg_proc o
	WHERE o.pronamespace = 'llmtrace'::regnamespace AND obj_description(o.oid, 'pg_proc') IS NULL}) ],
	[], 'every function has a comment');

# ------------------------------------------------------------------ examples ---

my @views = map { $_->[0] } rows(qq{
	SELECT o.relname FROM pg_class o
	WHERE o.relnamespace = 'llmtrace'::regnamespace AND o.relkind = 'v' AND $ours ORDER BY 1});
cmp_ok(scalar(@views), '>', 5, 'there are views');

my @examples = rows(qq{
	SELECT 'view ' || o.relname, replace(split_part(obj_description(o.oid, 'pg_class'), 'Example: ', 2), E'\n', ' ')
	FROM pg_class o
	WHERE o.relnamespace = 'llmtrace'::regnamespace AND o.relkind = 'v' AND $ours
	UNION ALL
	SELECT 'function ' || o.proname, replace(split_part(obj_description(o.oid, 'pg_proc'), 'Example: ', 2), E'\n', ' ')
	FROM pg_proc o
	WHERE o.pronamespace = 'llmtrace'::regnamespace AND obj_description(o.oid, 'pg_proc') LIKE '%Example: %'
	ORDER BY 1});

# Roles and a trace that examples speak of.
$node->safe_psql('postgres', 'CREATE ROLE analyst; CREATE ROLE reviewer; CREATE ROLE collector');
my ($known) = map { $_->[0] } rows("SELECT left(llmtrace.trace_hex(trace_id), 8) FROM llmtrace.traces ORDER BY 1 LIMIT 1");
for my $example (@examples)
{
	my ($what, $sql) = @$example;
	isnt($sql, '', "the comment of $what ends with an example") or next;
	$sql =~ s/4bf92f35/$known/g;
	my ($status, undef, $error) = $node->psql('postgres', $sql, on_error_stop => 1);
	is($status, 0, "the example of $what runs") or diag("$sql\n$error");
}

# ---------------------------------------------------------------- dashboards ---

is_deeply([ rows(qq{
	SELECT o.relname, a.attname, a.atttypid::regtype FROM pg_class o JOIN pg_attribute a ON a.attrelid = o.oid AND a.attnum > 0
	WHERE o.relnamespace = 'llmtrace'::regnamespace AND o.relkind = 'v' AND $ours
		AND o.relname NOT IN ('trajectories', 'cohort_rollup')
		AND a.atttypid NOT IN ('text'::regtype, 'boolean'::regtype, 'integer'::regtype, 'bigint'::regtype,
			'double precision'::regtype, 'numeric'::regtype, 'timestamptz'::regtype, 'uuid'::regtype, 'jsonb'::regtype)}) ],
	[], 'views have types that dashboards can read');

my %no_time = map { $_ => 1 } qw(otlp fold_backlog);
for my $view (@views)
{
	next if $no_time{$view};
	is($node->safe_psql('postgres', qq{
		SELECT count(*) FROM pg_attribute WHERE attrelid = 'llmtrace.$view'::regclass
			AND attname IN ('started_at', 'time') AND atttypid = 'timestamptz'::regtype}),
		1, "view $view has one time to filter by");
}

# A dashboard's tool reads so much of every view, without a filter, to get to
# know it.  Processor time: the machine may have other work.
my $processor_seconds = q{SELECT (s[12]::int + s[13]::int) / 100.0
	FROM regexp_split_to_array(regexp_replace(pg_read_file('/proc/self/stat'), '.*\) ', ''), ' ') s};
for my $view (@views)
{
	my $seconds = (split /\n/, $node->safe_psql('postgres', "SET max_parallel_workers_per_gather = 0;
		SELECT count(v::text) FROM (SELECT * FROM llmtrace.$view LIMIT 10000) v; $processor_seconds"))[1];
	cmp_ok($seconds, '<', 1, "view $view gives 10,000 rows within a second");
}

# Another reads the values of each column, by which its filters are made.
for my $view (qw(traces model_calls tool_calls agent_runs))
{
	for my $column (map { $_->[0] } rows(qq{SELECT attname FROM pg_attribute WHERE attrelid = 'llmtrace.$view'::regclass AND attnum > 0 AND atttypid = 'text'::regtype}))
	{
		my ($status, undef, $error) = $node->psql('postgres', "SELECT $column FROM llmtrace.$view GROUP BY $column ORDER BY $column LIMIT 1000");
		is($status, 0, "the values of $view.$column can be read") or diag($error);
	}
}

# Superset's grain and bounds, Metabase's fingerprint, in a session of theirs.
for my $view (qw(traces spans model_calls tool_calls agent_runs reasoning_spend telemetry_cost))
{
	my $day = $node->safe_psql('postgres', "SELECT to_char(min(started_at) + interval '1 day', 'YYYY-MM-DD') FROM llmtrace.traces");
	my $sql = "SELECT DATE_TRUNC('hour', started_at) AS __timestamp, count(*) FROM llmtrace.$view
		WHERE started_at >= TO_TIMESTAMP('$day 00:00:00.000000', 'YYYY-MM-DD HH24:MI:SS.US')
		GROUP BY DATE_TRUNC('hour', started_at) ORDER BY 2 DESC LIMIT 1000";
	my ($status, $out, $error) = $node->psql('postgres', "SET search_path = 'public'; $sql");
	is($status, 0, "$view by the hour, in a session with another search_path") or diag($error);
	isnt($out, '', "$view has hours");
}

# ------------------------------------------------------------ what is wrong ---

for my $function (map { $_->[0] } rows(qq{
	SELECT o.proname FROM pg_proc o
	WHERE o.pronamespace = 'llmtrace'::regnamespace AND 'since' = ANY (o.proargnames[1:o.pronargs])
		AND 'until' = ANY (o.proargnames[1:o.pronargs]) AND o.proretset AND o.pronargdefaults = o.pronargs
		AND o.prokind = 'f' AND $ours}))
{
	my ($status, undef, $error) = $node->psql('postgres',
		"SELECT * FROM llmtrace.$function(since => '2026-01-02', until => '2026-01-01')");
	isnt($status, 0, "$function refuses a period that ends before it begins");
	like($error, qr/since must be before until/, "$function says so");
}

done_testing();
