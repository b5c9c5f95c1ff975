# Plans in a store on generated traces, with the truth written down: the runs
# that left their plan are found, with the step that each replaced, and no
# others; by a reader who may not see message bodies.

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

my $node = PostgreSQL::Test::Cluster->new('plan_views');
$node->init(extra => [ '--encoding=UTF8', '--locale=C' ]);
$node->start;

my $folder = PostgreSQL::Test::Utils::tempdir();
system("$generate --traces 1500 --days 3 --seed 7 --truth $folder/truth.json >$folder/traces.jsonl") == 0 or die 'the generator failed';
my $truth = decode_json(slurp_file("$folder/truth.json"));
my @left = @{ $truth->{left_plan} };
cmp_ok(scalar(@left), '>', 5, 'some runs left their plan');

$node->safe_psql('postgres', <<SQL);
CREATE EXTENSION llmtrace;
SELECT llmtrace.create_store();
\\copy llmtrace.otlp from '$folder/traces.jsonl' with (format csv, quote e'\\x01', delimiter e'\\x02')
CALL llmtrace.fold(quiet_for => '0');
CREATE TABLE left_plan (trace_id uuid, skipped text, inserted text);
CREATE ROLE analyst LOGIN;
SELECT llmtrace.grant_reader('analyst');
GRANT SELECT ON left_plan TO analyst;
SQL
$node->safe_psql('postgres', join "\n", map { "INSERT INTO left_plan VALUES ('$_->{trace_id}', '$_->{skipped}', '$_->{inserted}');" } @left);

sub ask { return $node->safe_psql('postgres', $_[0], extra_params => [ '-U', 'analyst' ]) }

is(ask(q{SELECT count(*) FROM llmtrace.plan_adherence WHERE plan_source = 'recorded'}), $truth->{totals}{recorded_plans}, 'every recorded plan is there');
is(ask('SELECT count(*) FROM llmtrace.plan_adherence'), ask('SELECT count(*) FROM llmtrace.traces'), 'one row a trace');
is(ask(q{SELECT count(*) FROM llmtrace.plan_adherence WHERE (plan_source = 'none') IS DISTINCT FROM (distance IS NULL)}), '0', 'a figure wherever there is a plan, and nowhere else');

# The step that was replaced, and by what.  Where the same tool was called again,
# in a sub-agent that has no name, that call is the step, at the wrong time.
is(ask(q{
	SELECT count(*) FROM left_plan l
	WHERE EXISTS (SELECT FROM llmtrace.plan_step s WHERE s.trace_id = l.trace_id AND s.step = l.skipped
			AND s.label IN ('substituted', 'skipped', 'reordered') AND s.cost > 0.2)
		AND EXISTS (SELECT FROM llmtrace.plan_step s WHERE s.trace_id = l.trace_id AND s.action = l.inserted
			AND s.label IN ('substituted', 'inserted'))}),
	scalar(@left), 'each of them is found, with the step and what was done instead');
# Some instrumentation does not name sub-agents, so that one cannot tell which were called.
is(ask(q{
	SELECT count(*) FROM llmtrace.plan_step s
	WHERE s.label IN ('substituted', 'skipped', 'reordered') AND s.step NOT IN ('researcher', 'reviewer', 'summarizer', 'worker')
		AND NOT EXISTS (SELECT FROM left_plan l WHERE l.trace_id = s.trace_id)}),
	'0', 'no other run left out a tool or called it at the wrong time');
cmp_ok(ask(q{
	SELECT count(*) FROM llmtrace.plan_adherence a
	WHERE a.distance < 0.3 AND EXISTS (SELECT FROM left_plan l WHERE l.trace_id = a.trace_id)}),
	'==', 0, 'the distance shows it');

# What the views say of a trace is what the functions say of it.
is(ask(q{
	SELECT count(*) FROM llmtrace.plan_adherence a
		JOIN (SELECT trace_id, sum(cost) AS cost FROM llmtrace.plan_step GROUP BY trace_id) s USING (trace_id)
	WHERE abs(s.cost - a.deviation) > 1e-9}), '0', 'costs of steps add up to the deviation');
is(ask(q{
	SELECT count(*) FROM llmtrace.plan_adherence a JOIN llmtrace.trajectories t USING (trace_id)
	WHERE a.distance IS DISTINCT FROM llmtrace.plan_distance(llmtrace.trace_plan(t.trajectory), t.trajectory)}), '0', 'the distance is that of the function');
is(ask(q{SELECT sum(trace_count) = (SELECT count(*) FROM llmtrace.traces) AND sum(planned_count) = (SELECT count(distance) FROM llmtrace.plan_adherence)
	AND bool_and(coverage_rate = planned_count::float8 / trace_count OR weighted_count <> trace_count) FROM llmtrace.plan_adherence_daily}), 't', 'days add up to all traces');

# Bodies put back give the same: these plans have no arguments.
is($node->safe_psql('postgres', q{
	SELECT count(*) FROM llmtrace.trajectories t, LATERAL llmtrace.restore_bodies(t.trajectory) r
	WHERE llmtrace.trace_plan(t.trajectory)::text IS DISTINCT FROM llmtrace.trace_plan(r)::text}), '0', 'the outline is the plan');
is($node->safe_psql('postgres', q{SELECT count(*) FROM llmtrace.trajectories t WHERE llmtrace.attr(t.trajectory, 'gen_ai.plan') IS NOT NULL
	AND llmtrace.attr(t.trajectory, 'gen_ai.plan') LIKE '%steps%'}), '0', 'the text is not in the trace');

done_testing();
