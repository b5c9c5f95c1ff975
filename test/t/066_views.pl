# The views' columns, which are a contract: names, order and types. And what a
# filter by time costs: only the partitions that it needs.

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

my $node = PostgreSQL::Test::Cluster->new('views');
$node->init(extra => [ '--encoding=UTF8', '--locale=C' ]);
$node->start;

my $folder = PostgreSQL::Test::Utils::tempdir();
system("$generate --traces 400 --days 60 --until 2026-03-01T00:00:00Z >$folder/traces.jsonl") == 0 or die 'the generator failed';
$node->safe_psql('postgres', <<SQL);
CREATE EXTENSION llmtrace;
SELECT llmtrace.create_store();
INSERT INTO llmtrace.price (model_pattern, input_usd_per_million, output_usd_per_million, cache_read_usd_per_million) VALUES ('gpt-4o*', 2.5, 10, 1.25), ('claude-*', 3, 15, 0.3);
\\copy llmtrace.otlp from '$folder/traces.jsonl' with (format csv, quote e'\\x01', delimiter e'\\x02')
CALL llmtrace.fold(quiet_for => '0');
ANALYZE llmtrace.folded;
SQL

# ------------------------------------------------------------------- columns ---

# A type stands before the names that have it.
my $common = 'text: service_name service_version environment region feature feature_source tenant_id user_id
	conversation_id agent_name prompt_name prompt_version prompt_hash; jsonb: dims; float8: sample_weight';
my $tokens = 'int8: input_tokens output_tokens reasoning_tokens cache_read_tokens cache_write_tokens';
my $place = 'uuid: trace_id; text: span_id parent_span_id';
my $times = 'timestamptz: started_at span_started_at span_ended_at; float8: duration_ms';
my $outcome = 'text: status; bool: is_error; text: error_type';
my $traces = "uuid: trace_id; text: root_span_id root_name root_kind; timestamptz: started_at ended_at;
	float8: duration_ms; text: status; bool: is_error; text: error_type; bool: is_complete;
	int8: span_count error_count model_call_count tool_call_count tool_error_count agent_run_count retry_count;
	int4: depth; $tokens; numeric: cost_usd; text: cost_source; int8: missing_price_count;
	text: first_model last_model model; $common";

my %columns = (
	traces => $traces,
	trajectories => "$traces; llmtrace.trajectory: trajectory",
	spans => "$place; int4: ordinal parent depth; int8: subtree_count; text: name kind operation span_kind;
		timestamptz: started_at span_started_at span_ended_at; float8: start_ms duration_ms self_ms;
		text: status status_message; bool: is_error; text: error_type; bool: is_orphan;
		text: provider model tool_name tool_call_id; int4: attempt; text: usage_scope; $tokens;
		numeric: cost_usd; text: cost_source; int8: reported_input_tokens reported_output_tokens;
		numeric: reported_cost_usd; $common",
	model_calls => "$place; $times; text: kind operation provider model model_requested model_responded
		model_fingerprint service_tier response_id reasoning_level; int8: max_output_tokens; bool: is_streaming;
		$tokens; numeric: cost_usd; text: cost_source; float8: ttft_ms; text: ttft_source; float8: tpot_ms;
		text: finish_reason finish_reason_raw; int4: attempt; text: attempt_source; $outcome; $common",
	tool_calls => "$place; $times; text: tool_name tool_call_id tool_type effect arguments_hash;
		int8: arguments_bytes; text: result_hash; int8: result_bytes; int4: attempt; text: attempt_source;
		$outcome; $common",
	agent_runs => "$place parent_agent_name; int4: agent_depth; text: agent_version; $times; float8: self_ms;
		int8: model_call_count tool_call_count subagent_count error_count input_tokens output_tokens;
		numeric: cost_usd; int8: total_input_tokens total_output_tokens; numeric: total_cost_usd;
		$outcome; $common");

my %type_names = (int8 => 'bigint', int4 => 'integer', bool => 'boolean', float8 => 'double precision',
	timestamptz => 'timestamp with time zone');

# One line a column, "name type".
sub expected
{
	my ($text) = @_;
	my @lines;
	for my $group (split /\s*;\s*/, $text)
	{
		my ($type, $names) = $group =~ /^\s*([\w.]+):\s*(.*)$/s or die "not a group: $group";
		push @lines, map { "$_ " . ($type_names{$type} // $type) } split ' ', $names;
	}
	return \@lines;
}

sub found
{
	my ($view) = @_;
	return [ split /\n/, $node->safe_psql('postgres', qq{
		SELECT a.attname || ' ' || format_type(a.atttypid, a.atttypmod)
		FROM pg_attribute a
		WHERE a.attrelid = 'llmtrace.$view'::regclass AND a.attnum > 0
		ORDER BY a.attnum}) ];
}

is_deeply(found($_), expected($columns{$_}), "view $_ has the columns that it is to have") for sort keys %columns;

# spans(t) has the names and types of the view, as far as it knows them.
my %of_view = map { $_ => 1 } @{ found('spans') };
my @of_function = split /\n/, $node->safe_psql('postgres', q{
	SELECT p.name || ' ' || format_type(p.type, NULL)
	FROM pg_proc f, unnest(f.proargnames, f.proargmodes, f.proallargtypes) WITH ORDINALITY p (name, mode, type, n)
	WHERE f.oid = 'llmtrace.spans(llmtrace.trajectory, bigint)'::regprocedure AND p.mode = 't' ORDER BY p.n});
cmp_ok(scalar(@of_function), '>', 30, 'spans(t) has columns');
is_deeply([ grep { !$of_view{$_} } @of_function ], [], 'those of spans(t) are named and typed as those of view spans');

# ------------------------------------------------------------- columns alone ---

# A query that reads some columns finds in them what one that reads all finds:
# each column alone, then more and more of them by chance.
my $compared = $node->safe_psql('postgres', q{
CREATE FUNCTION pg_temp.compared() RETURNS TABLE (function name, query_count bigint, row_count bigint, differing text)
LANGUAGE plpgsql AS $$
DECLARE
	names text[];
	list text;
	digests text[];
BEGIN
	PERFORM setseed(0.5);
	CREATE TEMP TABLE sixty AS SELECT trajectory AS t FROM llmtrace.trajectories ORDER BY trace_id LIMIT 60;
	FOR function, names IN SELECT p.proname, array_agg(quote_ident(a.name) ORDER BY a.n)
		FROM pg_proc p, unnest(p.proargnames, p.proargmodes) WITH ORDINALITY a (name, mode, n)
		WHERE p.prosupport = 'llmtrace.wanted_columns_support'::regproc AND a.mode = 't'
		GROUP BY p.oid ORDER BY p.proname
	LOOP
		EXECUTE format('CREATE TEMP TABLE whole AS
			SELECT (r).* FROM (SELECT s AS r FROM sixty, llmtrace.%I(t) s OFFSET 0) x', function);
		GET DIAGNOSTICS row_count = ROW_COUNT;
		query_count := 0;
		differing := '';
		FOR list IN SELECT unnest(names)
			UNION ALL SELECT string_agg(c, ', ') FROM generate_series(1, 40) g, unnest(names) c
			WHERE random() < g / 40.0 GROUP BY g
		LOOP
			EXECUTE format('SELECT array_agg(md5) FROM (
				SELECT md5(string_agg(x::text, chr(10))) FROM (SELECT %1$s FROM sixty, llmtrace.%2$I(t)) x UNION ALL
				SELECT md5(string_agg(x::text, chr(10))) FROM (SELECT %1$s FROM whole) x) y', list, function) INTO digests;
			query_count := query_count + 1;
			IF digests[1] IS DISTINCT FROM digests[2] THEN differing := differing || '(' || list || ')'; END IF;
		END LOOP;
		DROP TABLE whole;
		RETURN NEXT;
	END LOOP;
END $$;
SET jit = off;
SELECT * FROM pg_temp.compared();});
my @compared = map { [ split /\|/, $_, -1 ] } split /\n/, $compared;
is_deeply([ map { $_->[0] } @compared ], [qw(agent_run_rows model_call_rows span_rows spans tool_call_rows)],
	'functions that compute the columns that are read');
for (@compared)
{
	cmp_ok($_->[1] * $_->[2], '>', 1000, "$_->[0] was asked in $_->[1] ways for $_->[2] rows");
	is($_->[3], '', "columns of $_->[0] are the same whatever else is read");
}

# ------------------------------------------------------------------- pruning ---

sub nodes
{
	my ($plan) = @_;
	return ($plan, map { nodes($_) } @{ $plan->{Plans} || [] });
}

# Partitions of folded that a statement reads, and how many were pruned when it began.
sub partitions
{
	my ($sql) = @_;
	my $plan = decode_json($node->safe_psql('postgres', "EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, FORMAT JSON) $sql"))->[0]{Plan};
	my (%read, $removed);
	for my $node (nodes($plan))
	{
		$read{ $node->{'Relation Name'} } = 1 if ($node->{'Relation Name'} // '') =~ /^folded/;
		$removed += $node->{'Subplans Removed'} // 0;
	}
	return (scalar(keys %read), $removed // 0);
}

my $all = $node->safe_psql('postgres', q{SELECT count(*) FROM pg_inherits WHERE inhparent = 'llmtrace.folded'::regclass});
cmp_ok($all, '>=', 8, "there are partitions ($all)");

my $two_days = "started_at BETWEEN '2026-02-10T00:00:00Z' AND '2026-02-12T00:00:00Z'";
for my $view (qw(traces trajectories spans model_calls tool_calls agent_runs reasoning_spend telemetry_cost))
{
	my ($read) = partitions("SELECT count(*) FROM llmtrace.$view WHERE $two_days");
	cmp_ok($read, '<=', 2, "two days of $view are in at most 2 partitions of $all");
	my ($every) = partitions("SELECT count(*) FROM llmtrace.$view");
	cmp_ok($every, '>', 2, "without a filter $view reads them all ($every)");
	isnt($node->safe_psql('postgres', "SELECT count(*) FROM llmtrace.$view WHERE $two_days"), 0, "$view has rows of these days");
}

# So are those of all other views, but of four, which say so: they tell when
# something began or group by what is not a time.
my %reads_all = map { $_ => 1 } qw(conversations tasks model_alias_change plan_adherence_daily);
my $views_read = 0;
for my $line (split /\n/, $node->safe_psql('postgres', q{
	SELECT c.relname || ' ' || a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname IN ('started_at', 'time')
	WHERE c.relnamespace = 'llmtrace'::regnamespace AND c.relkind = 'v' ORDER BY 1}))
{
	my ($view, $time) = split / /, $line;
	if ($reads_all{$view})
	{
		like($node->safe_psql('postgres', "SELECT obj_description('llmtrace.$view'::regclass)"), qr/over all|all model calls/, "$view says that it reads all");
		next;
	}
	my ($read) = partitions(qq{SELECT count(x) FROM llmtrace.$view x WHERE "$time" BETWEEN '2026-02-10T00:00:00Z' AND '2026-02-12T00:00:00Z'});
	cmp_ok($read, '<=', 2, "two days of $view read at most 2 partitions");
	$views_read += $read > 0;
}
cmp_ok($views_read, '>=', 20, "$views_read views read partitions");

# As Superset asks: the bounds are known only when the statement begins.
for my $view (qw(traces spans model_calls tool_calls agent_runs))
{
	my ($read, $removed) = partitions(qq{
		SELECT DATE_TRUNC('hour', started_at), count(*) FROM llmtrace.$view
		WHERE started_at >= TO_TIMESTAMP('2026-02-10 00:00:00.000000', 'YYYY-MM-DD HH24:MI:SS.US')
			AND started_at < TO_TIMESTAMP('2026-02-12 00:00:00.000000', 'YYYY-MM-DD HH24:MI:SS.US')
		GROUP BY DATE_TRUNC('hour', started_at)});
	cmp_ok($read, '<=', 2, "bounds by TO_TIMESTAMP prune $view when the statement begins");
	cmp_ok($removed, '>', 0, "they do so then, not when it is planned ($removed)");
}

# ------------------------------------------------------------------ plain sums ---

# What is counted once, in whatever view it is summed up.
for my $column (qw(input_tokens output_tokens reasoning_tokens cache_read_tokens cost_usd))
{
	my $sum = $node->safe_psql('postgres', "SELECT sum($column) FROM llmtrace.traces");
	cmp_ok($sum || 0, '>', 0, "traces have $column");
	is($node->safe_psql('postgres', "SELECT sum($column) FROM llmtrace.spans"), $sum, "spans have as many $column");
}
is($node->safe_psql('postgres', q{SELECT sum(error_count), sum(span_count), sum(model_call_count), sum(tool_call_count), sum(agent_run_count) FROM llmtrace.traces}),
	$node->safe_psql('postgres', q{SELECT count(*) FILTER (WHERE is_error), count(*), (SELECT count(*) FROM llmtrace.model_calls),
		(SELECT count(*) FROM llmtrace.tool_calls), (SELECT count(*) FROM llmtrace.agent_runs) FROM llmtrace.spans}),
	'counts of traces are numbers of rows');
is($node->safe_psql('postgres', q{
	SELECT count(*) FROM llmtrace.traces t
		JOIN (SELECT trace_id, sum(total_cost_usd) AS usd, sum(total_input_tokens) AS tokens
			FROM llmtrace.agent_runs WHERE agent_depth = 1 GROUP BY trace_id) a USING (trace_id)
		JOIN (SELECT trace_id, sum(cost_usd) AS usd, sum(input_tokens) AS tokens
			FROM llmtrace.agent_runs GROUP BY trace_id) b USING (trace_id)
	WHERE (a.usd, a.tokens) IS DISTINCT FROM (b.usd, b.tokens) OR a.usd > t.cost_usd OR a.tokens > t.input_tokens}),
	0, 'what root agents have in all is what all agents have themselves');

# ------------------------------------------------------------------ evaluators ---

# A span of a trace of its own: number, parent, operation, what it says it cost.
sub span
{
	my ($n, $parent, $operation, $usd) = @_;
	my $key = $operation eq 'evaluator' ? 'langfuse.observation.type' : 'gen_ai.operation.name';
	my @attributes = ({ key => $key, value => { stringValue => $operation } });
	push @attributes, { key => 'gen_ai.usage.cost', value => { doubleValue => $usd } } if $usd;
	return { traceId => 'c1' x 16, spanId => sprintf('%016x', $n), parentSpanId => $parent ? sprintf('%016x', $parent) : '',
		name => $operation, startTimeUnixNano => '1770000000000000000', endTimeUnixNano => '1770000001000000000',
		attributes => \@attributes };
}

my $judged = encode_json({ resourceSpans => [ { scopeSpans => [ { spans => [ span(1, 0, 'invoke_agent'),
	span(2, 1, 'evaluator'), span(3, 2, 'evaluator'), span(4, 3, 'chat', 0.25), span(5, 1, 'chat', 0.75) ] } ] } ] });
$node->safe_psql('postgres', "SELECT llmtrace.ingest_otlp('$judged')");
is($node->safe_psql('postgres', q{SELECT inference_cost_usd, judge_cost_usd, telemetry_share FROM llmtrace.telemetry_cost WHERE judge_cost_usd IS NOT NULL}),
	'1|0.25|0.25', 'what an evaluator within an evaluator costs is counted once');

done_testing();
