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

# A price is found without reading the list; to have met many models costs
# nothing when the next is looked for.
$node->safe_psql('few', q{
	INSERT INTO llmtrace.price (provider, model_pattern, input_usd_per_million)
	SELECT 'p' || i % 20, 'other-' || i || CASE WHEN i % 50 = 0 THEN '*' ELSE '' END, 1 FROM generate_series(1, 2500) i;
	ANALYZE llmtrace.price});
my $candidates = decode_json($node->safe_psql('few', q{
	EXPLAIN (ANALYZE, FORMAT JSON) SELECT * FROM generate_series(1, 1) i, LATERAL llmtrace.price_candidates('openai', 'm-' || i)}))->[0]{Plan};
is(scalar(grep { $_->{'Node Type'} eq 'Seq Scan' } nodes($candidates)), 0, 'the price list is read by its indexes');
sub milliseconds
{
	my ($sql) = @_;
	return decode_json($node->safe_psql('few', "EXPLAIN (ANALYZE, TIMING off, FORMAT JSON) $sql"))->[0]{'Execution Time'};
}
sub pricing { return milliseconds("SELECT sum(llmtrace.priced_cost('p', 'm-' || i % $_[0], '2026-01-01', 1, 1, 0, 0, 0)) FROM generate_series(1, $_[1]) i") }
my ($few_models, $look_ups, $many_models) = (pricing(1, 1000000), pricing(5000, 5000), pricing(5000, 1000000));
cmp_ok($many_models - $look_ups, '<', $few_models * 4,
	"a million calls of one model take $few_models ms, of 5,000 models $many_models ms, $look_ups ms of that for their prices");

# A backlog is read once, however many batches fold it: here all of one shard,
# a fragment a trace, some 50 of them a batch.
sub rows_read_by_folding
{
	my ($traces) = @_;
	$node->safe_psql('postgres', "CREATE DATABASE backlog$traces");
	$node->safe_psql("backlog$traces", qq{
CREATE EXTENSION llmtrace;
SELECT llmtrace.create_store();
SELECT sum(accepted_spans) FROM (
	SELECT format('{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"%s","spanId":"1","name":"n","startTimeUnixNano":"1767225600000000000","endTimeUnixNano":"1767225601000000000"}]}]}]}',
		replace(id::text, '-', '')) AS document
	FROM (SELECT md5(i::text)::uuid AS id FROM generate_series(1, $traces * 80) i) x WHERE uuid_hash(id) & 63 = 5 LIMIT $traces) d, llmtrace.ingest_otlp(document)});
	$node->safe_psql("backlog$traces", qq{
DO \$\$
DECLARE
	batch record;
	batches int := 0;
	after uuid := '00000000-0000-0000-0000-000000000000';
BEGIN
	WHILE after IS NOT NULL LOOP
		SELECT * INTO batch FROM llmtrace.fold_batch('0', '0', max_bytes => 10000, of_shard => 5, after => after);
		COMMIT;
		after := batch.last_id;
		batches := batches + 1;
	END LOOP;
	IF batches < $traces / 200 THEN RAISE EXCEPTION 'only % batches', batches; END IF;
END
\$\$});
	is($node->safe_psql("backlog$traces", 'SELECT (SELECT count(*) FROM llmtrace.fragments), (SELECT count(*) FROM llmtrace.folded)'), "0|$traces", "a backlog of $traces fragments is folded");
	return $node->safe_psql("backlog$traces", q{SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_user_tables WHERE relid = 'llmtrace.fragments'::regclass});
}
my ($read_of_few, $read_of_many) = (rows_read_by_folding(2000), rows_read_by_folding(8000));
cmp_ok($read_of_few, '>=', 2000, "folding 2,000 fragments reads $read_of_few rows");
cmp_ok($read_of_many, '<', $read_of_few * 5, "and four times as many read $read_of_many");

# Tasks find their traces by joins that compare no more than there is.
$node->safe_psql('few', q{
	INSERT INTO llmtrace.outcome (task_id, trace_id, conversation_id)
	SELECT 'task-' || row_number() OVER (), trace_id, 'talk' FROM llmtrace.folded;
	ANALYZE llmtrace.outcome});
my @tasks = nodes(decode_json($node->safe_psql('few', 'EXPLAIN (ANALYZE, FORMAT JSON) SELECT count(*) FROM llmtrace.tasks'))->[0]{Plan});
is(scalar(grep { ($_->{'Rows Removed by Join Filter'} // 0) > 0 } @tasks), 0, 'tasks: no pair of a task and a trace is looked at in vain');

$node->stop;
done_testing();
