# What the planner makes of the views: partitions are pruned, an order by start
# stops early, the index on attributes is used, a trace by its id costs the
# same whatever else there is.
use strict;
use warnings;

use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init(extra => [ '--encoding=UTF8', '--locale=C' ]);
$node->append_conf('postgresql.conf', "log_statement = none\njit = off\nautovacuum = off\nmax_parallel_workers_per_gather = 0\n");
$node->start;

# 90 weeks up to now, so many traces in each, and a pending one; one trace in 50 calls a rare tool.
sub fill
{
	my ($db, $weeks, $traces) = @_;
	$node->safe_psql('postgres', "CREATE DATABASE $db");
	$node->safe_psql($db, qq{
CREATE EXTENSION llmtrace;
SELECT llmtrace.create_store();
CREATE FUNCTION document(week int) RETURNS text LANGUAGE sql AS \$\$
	SELECT '{"resourceSpans":[{"scopeSpans":[{"spans":[' || string_agg(format('{"traceId":"%s","spanId":"1","name":"n","startTimeUnixNano":"%s","endTimeUnixNano":"%s",'
		'"attributes":[{"key":"gen_ai.operation.name","value":{"stringValue":"execute_tool"}},{"key":"gen_ai.tool.name","value":{"stringValue":"%s"}}]}',
		lpad(to_hex(week * 1000 + n), 32, '0'), s * 1000000000, (s + 1) * 1000000000, CASE WHEN n % 50 = 7 THEN 'rare' ELSE 'common' || n % 20 END), ',') || ']}]}]}'
	FROM (SELECT n, extract(epoch FROM date_trunc('minute', now()))::bigint - week * 604800 - n AS s FROM generate_series(1, $traces) n) x
\$\$;
SELECT sum(accepted_spans) FROM generate_series(0, $weeks - 1) w, llmtrace.ingest_otlp(document(w));
});
	$node->safe_psql($db, "CALL llmtrace.fold('0')");
	$node->safe_psql($db, "SELECT accepted_spans FROM llmtrace.ingest_otlp(replace(document(0), '\"traceId\":\"0', '\"traceId\":\"f')); VACUUM ANALYZE llmtrace.folded; ANALYZE llmtrace.directory; ANALYZE llmtrace.fragments");
}
fill('many', 90, 200);
fill('few', 1, 200);

# The nodes of a plan, as it ran.
sub nodes
{
	my ($plan) = @_;
	return ($plan, map { nodes($_) } @{ $plan->{Plans} // [] });
}
sub plan_of
{
	my ($sql, $before) = @_;
	my $out = $node->safe_psql('many', ($before // '') . "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) $sql");
	return nodes(decode_json($out)->[0]{Plan});
}
# Partitions of folded that were read, not merely planned.
sub partitions { return grep { ($_->{'Relation Name'} // '') =~ /^folded_/ && $_->{'Actual Loops'} > 0 } @_; }

is(scalar(partitions(plan_of('SELECT count(*) FROM llmtrace.traces'))), $node->safe_psql('many', q{SELECT count(*) FROM pg_inherits WHERE inhparent = 'llmtrace.folded'::regclass}),
	'without a time all partitions are read');
for my $view ('traces', 'trajectories')
{
	my $constant = $node->safe_psql('many', "SELECT quote_literal(now() - interval '10 days')");
	my %predicates = (
		'a constant' => "SELECT count(*) FROM llmtrace.$view WHERE started_at > $constant",
		'a stable expression' => "SELECT count(*) FROM llmtrace.$view WHERE started_at > now() - interval '10 days'",
		'a range' => "SELECT count(*) FROM llmtrace.$view WHERE started_at >= now() - interval '20 days' AND started_at < now() - interval '10 days'");
	for my $name (sort keys %predicates)
	{
		my $n = partitions(plan_of($predicates{$name}));
		# the late partition has no end, and may be read
		ok($n >= 1 && $n <= 4, "$view: $name prunes: $n partitions read");
	}
	my $n = partitions(plan_of("EXECUTE q($constant)", "SET plan_cache_mode = force_generic_plan; PREPARE q(timestamptz) AS SELECT count(*) FROM llmtrace.$view WHERE started_at > \$1; "));
	ok($n >= 1 && $n <= 4, "$view: so does a parameter of a generic plan: $n");
}

# The latest ten: the partitions in order, from the latest.  What is pending is
# merged whole, it is not much.
my @plan = plan_of('SELECT trace_id, started_at FROM llmtrace.traces ORDER BY started_at DESC LIMIT 10');
my $read = 0;
$read += $_->{'Actual Rows'} * $_->{'Actual Loops'} for partitions(@plan);
cmp_ok($read, '<=', 200, "the latest ten read $read rows of folded");
is(scalar(grep { $_->{'Node Type'} eq 'Sort' && grep { ($_->{'Relation Name'} // '') =~ /^folded/ } nodes($_) } @plan), 0, 'and sort no partition');
is($node->safe_psql('many', 'SELECT count(*) FROM (SELECT started_at FROM llmtrace.traces ORDER BY started_at DESC LIMIT 10) x WHERE started_at >= (SELECT min(started_at) FROM (SELECT started_at FROM llmtrace.folded UNION ALL SELECT llmtrace.started_at(fragment) FROM llmtrace.fragments ORDER BY 1 DESC LIMIT 10) y)'),
	10, 'they are the latest');

# By attributes: the index.
@plan = plan_of(q{SELECT count(*) FROM llmtrace.trajectories WHERE llmtrace.matches(trajectory, '{ tool = "rare" }') AND started_at > now() - interval '100 days'});
cmp_ok(scalar(grep { ($_->{'Index Name'} // '') =~ /trajectory_idx/ } @plan), '>', 5, 'matches() uses the index on attributes');
is(scalar(grep { $_->{'Node Type'} eq 'Seq Scan' && ($_->{'Relation Name'} // '') =~ /^folded_2/ && $_->{'Actual Rows'} > 0 } @plan), 0, 'and reads no partition as a whole');

# By id, in a session that has done it before.
sub buffers
{
	my ($db, $id) = @_;
	my $out = $node->safe_psql($db, "SELECT llmtrace.trace('$id') IS NULL;" x 3 . "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT llmtrace.span_count(llmtrace.stored_trace('$id'))");
	like($out, qr/^(f\n){3}/, "$db: the trace is there");
	$out =~ s/^(f\n)+//;
	return decode_json($out)->[0]{Plan}{'Shared Hit Blocks'};
}
my $id = '00000000-0000-0000-0000-000000000064';
my ($few, $many) = (buffers('few', $id), buffers('many', $id));
cmp_ok($many, '<=', $few + 3, "by id, $many buffers of 90 weeks, $few of one");

$node->stop;
done_testing();
