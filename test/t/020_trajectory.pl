# Trajectories in a server: through COPY, dumps, storage of every kind, parallel
# and other plans, a crash; and the answers on data whose truth is known.

use strict;
use warnings FATAL => 'all';
use File::Basename qw(dirname);
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $generate = $ENV{LLMTRACE_GENERATE} || dirname(__FILE__) . '/../../bench/generate';
plan skip_all => "no generator: make bench/generate" unless -x $generate;

my $node = PostgreSQL::Test::Cluster->new('trajectory');
$node->init(extra => [ '--encoding=UTF8', '--locale=C' ]);
$node->append_conf('postgresql.conf', 'max_worker_processes = 8');
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION llmtrace');
my $folder = $node->basedir;

sub query
{
	my ($sql, $database) = @_;
	return $node->safe_psql($database || 'postgres', "SET search_path = public, llmtrace; $sql");
}

# What a query finds wrong is nothing.
sub none
{
	my ($sql, $name, $database) = @_;
	my @rows = split /\n/, query($sql, $database);
	is(scalar(@rows), 0, $name) or diag(map { substr($_, 0, 1000) . "\n" } @rows[ 0 .. ($#rows < 4 ? $#rows : 4) ]);
}

# Two tables (trace_id, t) have the same values, also by their text.
sub same
{
	my ($a, $b, $name, $database) = @_;
	none("SELECT trace_id, a.t = b.t FROM $a a FULL JOIN $b b USING (trace_id)
		WHERE (a.t = b.t) IS NOT TRUE OR a.t::text <> b.t::text OR trajectory_hash(a.t) <> trajectory_hash(b.t)",
		$name, $database);
}

# ---------------------------------------------------------------- the truth

# Its traces as tables <name>_piece, as they arrive, and <name>, merged.
sub load
{
	my ($name, @options) = @_;
	my $truth = "$folder/$name.truth";
	for my $format ('json', 'protobuf')
	{
		mkdir("$folder/$name.$format");
		system_or_bail($generate, '--until', '2026-01-31T00:00:00Z', '--format', $format,
			'--split', "$folder/$name.$format", '--truth', $truth, @options);
	}
	query(qq{
		CREATE TABLE ${name}_piece AS SELECT file, trace_id(t) AS trace_id, t
		FROM pg_ls_dir('$folder/$name.json') file, trajectories_from_otlp(pg_read_file('$folder/$name.json/' || file)) t;
		CREATE TABLE ${name}_protobuf AS SELECT trace_id(t) AS trace_id, merge_agg(t) AS t
		FROM pg_ls_dir('$folder/$name.protobuf') file,
			trajectories_from_otlp_protobuf(pg_read_binary_file('$folder/$name.protobuf/' || file)) t GROUP BY 1;
		CREATE TABLE $name AS SELECT trace_id, merge_agg(t) AS t FROM ${name}_piece GROUP BY 1;
		CREATE TABLE ${name}_span AS SELECT s.* FROM $name, spans(t) s;
		ANALYZE});
	return decode_json(slurp_file($truth));
}

my %truth = (
	bench => load('bench', '--traces', 300),
	rich => load('rich', '--traces', 60, '--rich'));

for my $name ('bench', 'rich')
{
	my $total = $truth{$name}{totals};
	same($name, "${name}_protobuf", "$name: JSON and protobuf give the same");

	my %asked = (
		traces => "SELECT count(*) FROM $name",
		spans => "SELECT sum(span_count(t)) FROM $name",
		resent_spans => "SELECT (SELECT sum(span_count(t)) FROM ${name}_piece) - (SELECT sum(span_count(t)) FROM $name)",
		error_spans => "SELECT sum(error_count(t)) FROM $name",
		input_tokens => "SELECT sum(input_tokens(t)) FROM $name",
		output_tokens => "SELECT sum(output_tokens(t)) FROM $name",
		attributes => "SELECT count(*) FROM $name, generate_series(1, span_count(t)::int) k,
			jsonb_object_keys(span_attributes(t, k))");
	my %asked_of_spans = (
		spans => 'count(*)',
		model_calls => q{count(*) FILTER (WHERE kind = 'llm' AND usage_scope IS DISTINCT FROM 'rollup')},
		model_call_wrappers => q{count(*) FILTER (WHERE kind = 'llm' AND usage_scope = 'rollup')},
		embedding_calls => q{count(*) FILTER (WHERE kind = 'embedding')},
		tool_calls => q{count(*) FILTER (WHERE kind = 'tool')},
		agent_runs => q{count(*) FILTER (WHERE kind = 'agent')},
		recorded_plans => q{count(*) FILTER (WHERE kind = 'plan')},
		input_tokens => 'sum(input_tokens)',
		output_tokens => 'sum(output_tokens)',
		cache_read_tokens => 'sum(cache_read_tokens)',
		reasoning_tokens => 'sum(reasoning_tokens)',
		error_spans => 'count(*) FILTER (WHERE is_error)',
		status_error_spans => q{count(*) FILTER (WHERE status = 'error')},
		orphan_spans => 'count(*) FILTER (WHERE is_orphan)');

	is(query($asked{$_}), $total->{$_}, "$name: $_ as in the truth file") for sort keys %asked;
	is(query("SELECT $asked_of_spans{$_} FROM ${name}_span"), $total->{$_}, "$name: $_ of the spans as in the truth file")
	  for sort keys %asked_of_spans;
	is(query("SELECT count(*) FROM ${name}_span WHERE span_ended_at IS NULL"),
		$total->{open_spans} + $total->{backward_spans}, "$name: open spans as in the truth file");
}

my $truth = $truth{bench};

# Groups of runs that fail alike.
my %signatures;
for my $group (@{ $truth->{failure_groups} })
{
	my $ids = join(',', map { "'$_'" } @{ $group->{trace_ids} });
	my @signatures = split /\n/, query("SELECT DISTINCT failure_signature(t) FROM bench WHERE trace_id IN ($ids)");
	my @paths = split /\n/, query("SELECT DISTINCT path_signature(t) FROM bench WHERE trace_id IN ($ids)");
	is(scalar(@signatures), 1, "one failure signature: $group->{name}") or diag(@signatures);
	is(scalar(@paths), 1, "one path signature: $group->{name}");
	$signatures{ $signatures[0] }++;
	is(query("SELECT count(*) FROM bench_span WHERE trace_id IN ($ids) AND parent IS NULL AND is_error"),
		$group->{root_fails} ? @{ $group->{trace_ids} } : 0, 'and the roots fail as said');
}
is(scalar(keys %signatures), scalar(@{ $truth->{failure_groups} }), 'each group has a failure signature of its own');
none('SELECT trace_id FROM bench WHERE (failure_signature(t) IS NULL) <> (error_count(t) = 0)',
	'there is a failure signature where something failed');

# Kinds of questions that a period, a feature and a tenant have.
my $failing = $truth->{failing_tool};
is( query("SELECT count(*) FILTER (WHERE NOT late), count(*) FILTER (WHERE late),
		count(*) FILTER (WHERE NOT late AND is_error), count(*) FILTER (WHERE late AND is_error)
	FROM (SELECT *, started_at >= '$failing->{from}' AS late FROM bench_span) s WHERE tool_name = '$failing->{tool}'"),
	join('|', @$failing{qw(calls_before calls_after failed_before failed_after)}),
	'the tool that begins to fail');
is( query("SELECT count(*) FROM bench_span
		WHERE tool_name = '$failing->{tool}' AND is_error AND started_at >= '$failing->{from}'
		AND error_type <> '$failing->{error_type}'"),
	0, 'and how');

my $growth = $truth->{growing_prompts};
is( query("SELECT count(*) FILTER (WHERE NOT late), count(*) FILTER (WHERE late),
		sum(input_tokens) FILTER (WHERE NOT late), sum(input_tokens) FILTER (WHERE late)
	FROM (SELECT s.*, started_at(t) >= '$growth->{from}' AS late FROM bench, spans(t) s
		WHERE attr(t, '$truth->{feature_key}') = '$growth->{feature}'
		AND attr(t, '$truth->{tenant_key}') = '$growth->{tenant}') s
	WHERE kind = 'llm' AND usage_scope = 'own'"),
	join('|', @$growth{qw(calls_before calls_after input_tokens_before input_tokens_after)}),
	'the prompts that grow');

my $swap = $truth->{swapped_model};
is( query("SELECT count(*) FILTER (WHERE model = '$swap->{responded_before}'),
		count(*) FILTER (WHERE model = '$swap->{responded_after}'),
		min(started_at) FILTER (WHERE model = '$swap->{responded_after}') >= '$swap->{from}'
	FROM (SELECT s.*, span_attributes(t, s.ordinal) AS a FROM bench, spans(t) s WHERE kind = 'llm' AND usage_scope = 'own') s
	WHERE '$swap->{requested}' IN (a->>'gen_ai.request.model', a->>'llm.request.model_name', a->>'ai.model.id')"),
	join('|', @$swap{qw(calls_before calls_after)}, 't'), 'the model that was swapped');

my $branch = $truth->{hidden_branch};
is(query("SELECT count(*) FROM bench_span WHERE tool_name = '$branch->{longest}'"),
	$branch->{count}, 'the hidden branches');

# ------------------------------------------------------ in and out, and back

for my $name ('bench', 'rich')
{
	for my $format ('binary', 'text', 'csv')
	{
		query("CREATE TABLE ${name}_$format (LIKE $name);
			COPY $name TO '$folder/$name.copy' (FORMAT $format);
			COPY ${name}_$format FROM '$folder/$name.copy' (FORMAT $format)");
		same($name, "${name}_$format", "$name: COPY as $format and back");
	}
}

$node->safe_psql('postgres', 'CREATE DATABASE restored');
$node->command_ok([ 'pg_dump', '--format=custom', '--file', "$folder/dump", '--exclude-table=*_*',
	$node->connstr('postgres') ], 'pg_dump');
$node->command_ok([ 'pg_restore', '--exit-on-error', '--dbname', $node->connstr('restored'), "$folder/dump" ],
	'pg_restore');
my $sums = q{SELECT md5(string_agg(trajectory_hash_extended(t, 0) || t::text, ',' ORDER BY trace_id)) FROM };
is(query($sums . $_, 'restored'), query($sums . $_), "$_: the same in another database") for 'bench', 'rich';

# --------------------------------------------------------------- aggregates

my %plans = (
	'hashed' => 'SET max_parallel_workers_per_gather = 0; SET enable_sort = off',
	'spilling' => "SET max_parallel_workers_per_gather = 0; SET enable_sort = off; SET work_mem = '64kB'",
	'sorted' => 'SET max_parallel_workers_per_gather = 0; SET enable_hashagg = off',
	'parallel hashed' => 'SET enable_sort = off',
	'parallel sorted' => 'SET enable_hashagg = off');
my $force_parallel = 'SET max_parallel_workers_per_gather = 4; SET min_parallel_table_scan_size = 0;
	SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0';

# The nodes of a plan as it ran.
sub plan_nodes
{
	my ($settings, $sql) = @_;
	my @nodes = decode_json(query("$settings; EXPLAIN (ANALYZE, FORMAT JSON) $sql"))->[0]{Plan};
	for (my $i = 0; $i < @nodes; $i++)
	{
		push @nodes, @{ $nodes[$i]{Plans} || [] };
	}
	return @nodes;
}

# The rows of a query do not depend on the plan.
sub same_by_any_plan
{
	my ($name, $sql) = @_;
	for my $plan (sort keys %plans)
	{
		my $settings = "$force_parallel; $plans{$plan}";
		my @nodes = plan_nodes($settings, $sql);
		my %strategies = map { ($_->{Strategy} // '') => 1 } @nodes;
		my %modes = map { ($_->{'Partial Mode'} // '') => 1 } @nodes;
		my ($gather) = grep { $_->{'Node Type'} =~ /^Gather/ } @nodes;

		ok($strategies{ $plan =~ /sorted/ ? 'Sorted' : 'Hashed' }, "$name: the plan is $plan");
		ok($modes{Partial} && $modes{Finalize} && $gather->{'Workers Launched'} > 0, "$name: by workers, then finally")
		  if $plan =~ /parallel/;
		ok((grep { ($_->{'HashAgg Batches'} // 0) > 1 } @nodes), "$name: some groups wait on disk") if $plan eq 'spilling';
		query("$settings; DROP TABLE IF EXISTS planned; CREATE TABLE planned AS $sql");
		same('expected', 'planned', "$name: $plan gives the same");
	}
}

# With transitions this dear, workers pay.
query(q{
	CREATE TABLE expected AS TABLE bench;
	DO $$
	DECLARE transition regproc;
	BEGIN
		FOR transition IN SELECT aggtransfn FROM pg_aggregate WHERE aggcombinefn::text = 'trajectory_agg_combine' LOOP
			EXECUTE format('ALTER FUNCTION %s COST 1000000', transition::regprocedure);
		END LOOP;
	END $$});
same_by_any_plan('merge_agg', 'SELECT trace_id, merge_agg(t) AS t FROM bench_piece GROUP BY trace_id');

# From rows, as a user's own table has them: times in microseconds, or whole.
query(q{
	CREATE TABLE span_row AS
	SELECT s.*, span_attributes(t, s.ordinal) AS attributes FROM bench, spans(t) s;
	CREATE TABLE span_row_ns AS
	SELECT trace_id, x->>'span_id' AS span_id, x->>'parent_span_id' AS parent_span_id, x->>'name' AS name,
		(x->>'start_ns')::bigint AS start_ns, (x->>'end_ns')::bigint AS end_ns, x->>'span_kind' AS span_kind,
		x->>'status' AS status, x->'attributes' AS attributes
	FROM bench, jsonb_array_elements(t::text::jsonb->'spans') x;
	ANALYZE});
my $from_rows = 'SELECT trace_id, trajectory_agg(trace_id, span_id, parent_span_id, name,
	span_started_at, span_ended_at, span_kind, status, attributes) AS t FROM span_row GROUP BY trace_id';
my $from_rows_ns = 'SELECT trace_id, trajectory_agg(trace_id, span_id, parent_span_id, name,
	start_ns, end_ns, span_kind, status, attributes) AS t FROM span_row_ns GROUP BY trace_id';

query("DROP TABLE expected; CREATE TABLE expected AS $from_rows ORDER BY trace_id");
same_by_any_plan('trajectory_agg', $from_rows);
query("DROP TABLE expected; CREATE TABLE expected AS $from_rows_ns ORDER BY trace_id");
same_by_any_plan('trajectory_agg in ns', $from_rows_ns);
my $facts = 'trace_id, ordinal, span_id, parent, depth, subtree_count, name, kind, span_kind,
	start_ms, duration_ms, self_ms, status, is_orphan, provider, model, tool_name, attempt,
	usage_scope, input_tokens, output_tokens';
none("SELECT $facts FROM (SELECT s.* FROM expected, spans(t) s) s EXCEPT SELECT $facts FROM bench_span",
	'trajectories built from rows have the spans they had');
none("SELECT trace_id, k FROM bench JOIN expected e USING (trace_id), generate_series(1, span_count(bench.t)::int) k
	WHERE span_attributes(bench.t, k) <> span_attributes(e.t, k)", 'and their attributes');

# One trace, without GROUP BY.
my $largest = query('SELECT trace_id FROM bench_piece GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1');
my $one = "SELECT merge_agg(t) AS t FROM bench_piece WHERE trace_id = '$largest'";
my @modes = map { $_->{'Partial Mode'} // () } plan_nodes($force_parallel, $one);
is_deeply([ sort @modes ], [ 'Finalize', 'Partial' ], 'one group, parallel');
is(query("$force_parallel; SELECT ($one) = t FROM bench WHERE trace_id = '$largest'"), 't', 'gives the same');

# As window functions, whose state is read time and again.
none('SELECT trace_id FROM (SELECT trace_id, merge_agg(t) OVER (PARTITION BY trace_id) AS w FROM bench_piece) p
	JOIN bench USING (trace_id) WHERE w <> t', 'a window over all of a trace');
none('SELECT trace_id FROM (SELECT trace_id, t, merge_agg(t) OVER w AS w, lag(t) OVER w AS before FROM bench_piece
		WINDOW w AS (PARTITION BY trace_id ORDER BY file ROWS 1 PRECEDING)) x
	WHERE w <> coalesce(before || t, t)', 'a window that moves');
none('SELECT trace_id FROM (SELECT trace_id, file, merge_agg(t) OVER (PARTITION BY trace_id ORDER BY file) AS w,
		count(*) OVER (PARTITION BY trace_id) FROM bench_piece) p
	WHERE count < 20 AND w <> (SELECT merge_agg(t) FROM bench_piece b WHERE b.trace_id = p.trace_id AND b.file <= p.file)',
	'a window that grows');
none(q{SELECT trace_id FROM (
		SELECT trace_id, row_number() OVER w AS i, trajectory_agg(trace_id, span_id, parent_span_id, name,
			start_ns, end_ns, span_kind, status, attributes) OVER w AS w
		FROM span_row_ns WHERE trace_id IN (SELECT trace_id FROM expected WHERE span_count(t) <= 50)
		WINDOW w AS (PARTITION BY trace_id ORDER BY span_id)) r JOIN expected USING (trace_id)
	WHERE span_count(w) <> i OR i = span_count(t) AND w <> t}, 'a window over rows');

# ------------------------------------------------------------------ storage

# Every function's answer about a value.
my $answers = q{md5(t::text) AS text, md5(show(t)) AS show, md5(path_signature(t)) AS path,
	failure_signature(t) AS failure, md5(to_otlp(t)) AS otlp, span_count(t), error_count(t),
	input_tokens(t), output_tokens(t), trace_id(t), started_at(t), ended_at(t), duration_ms(t), is_complete(t), root_name(t), status(t), depth(t), attr(t, 'app.feature') AS attr,
	trajectory_hash(t), trajectory_hash_extended(t, 1), md5(trajectory_send(t)) AS sent, t || t = t AS merged,
	(SELECT md5(string_agg(s::text, ',' ORDER BY s.ordinal)) FROM spans(t) s) AS spans,
	(SELECT md5(string_agg(c::text, ',' ORDER BY c.ordinal)) FROM logical_calls(t) c) AS calls,
	(SELECT md5(string_agg(span_attributes(t, k)::text || span_events(t, k) || span_links(t, k), ',' ORDER BY k))
		FROM generate_series(1, least(span_count(t), 50)::int) k) AS details,
	span_count(subtree(t, 1)) AS subtree};

# Traces of all sizes, one small enough for a short header, and one whose
# part that we do not compress ourselves can be.
query(qq{
	CREATE TABLE samples AS
	SELECT row_number() OVER (ORDER BY trace_id) AS n, t FROM (
		(SELECT trace_id, t FROM bench ORDER BY span_count(t), trace_id LIMIT 20)
		UNION (SELECT trace_id, t FROM bench ORDER BY span_count(t) DESC, trace_id LIMIT 5)
		UNION (SELECT trace_id, t FROM rich ORDER BY span_count(t), trace_id LIMIT 20)) x
	UNION ALL SELECT 1000,
		'{"trace_id": "1", "spans": [{"span_id": "1", "name": "a", "start_ns": 1, "end_ns": 2}]}'::trajectory
	UNION ALL SELECT 1001, trajectory_agg('00000000-0000-0000-0000-000000000002'::uuid, to_hex(i), to_hex(i - 1), 'n',
		i::bigint, i + 1::bigint, NULL, NULL, NULL) FROM generate_series(2, 1000) i;
	CREATE TABLE answer AS SELECT n, $answers FROM samples});

my %storage = (
	main => '',
	external => 'ALTER TABLE %s ALTER t SET STORAGE EXTERNAL',
	extended => 'ALTER TABLE %s ALTER t SET STORAGE EXTENDED, ALTER t SET COMPRESSION pglz',
	small_target => 'ALTER TABLE %s ALTER t SET STORAGE EXTENDED; ALTER TABLE %s SET (toast_tuple_target = 128)',
	store => 'ALTER TABLE %s SET (toast_tuple_target = 8160)');
for my $storage (sort keys %storage)
{
	my $table = "stored_$storage";
	my $alter = $storage{$storage} =~ s/%s/$table/gr;
	query("CREATE TABLE $table (n int, t trajectory); $alter; INSERT INTO $table TABLE samples");
	none("(SELECT n, $answers FROM $table) EXCEPT TABLE answer", "$storage: every function answers the same");
	none("SELECT n FROM $table JOIN samples USING (n) WHERE $table.t <> samples.t", "$storage: and the values are equal");
}

# Were all kinds there?
sub toast_of { return "(SELECT pg_relation_size(reltoastrelid) FROM pg_class WHERE relname = '$_[0]')"; }
is(query('SELECT min(pg_column_size(t)) < 127 FROM stored_main'), 't', 'some value was short');
is(query('SELECT count(pg_column_compression(t)) > 0 FROM stored_extended'), 't', 'some value was compressed');
is(query('SELECT ' . toast_of('stored_external') . ' > ' . toast_of('stored_main')), 't', 'some values were external');
is(query('SELECT count(pg_column_compression(t)) FILTER (WHERE pg_column_size(t) < 8160) > 0 FROM stored_main'),
	't', 'some value was compressed in line');

# A call site that goes back and forth between values, some alike in size and
# id, is not mistaken in what it remembers.
query(q{
	CREATE TABLE alike AS SELECT v, format('{"trace_id": "a", "resources": [{"attributes": {"filler": "%s"}}], "spans": [
		{"span_id": "1", "name": "n", "start_ns": 1, "end_ns": 2, "attributes": {"v": %s}},
		{"span_id": "2", "parent_span_id": "1", "name": "n%s", "start_ns": 1, "end_ns": 2, "attributes": {"v": %s}}]}',
		(SELECT string_agg(md5(i::text), '') FROM generate_series(1, 200) i), v, v, v + 2)::trajectory AS t
	FROM generate_series(1, 3) v});
for my $storage ('MAIN', 'EXTERNAL')
{
	query("DROP TABLE IF EXISTS moved; CREATE TABLE moved (v int, t trajectory);
		ALTER TABLE moved ALTER t SET STORAGE $storage; INSERT INTO moved TABLE alike");
	none(q{SELECT v, k FROM (SELECT v, k, t FROM moved, generate_series(1, 2) k ORDER BY k, v) x
		WHERE (span_attributes(t, k)->'v')::int <> v + 2 * (k - 1)
		OR (SELECT s.name FROM spans(t) s WHERE ordinal = 2) <> 'n' || v
		OR t::text !~ ('"n' || v || '"') OR path_signature(t) <> 'n > n' || v}, "$storage: values alike are told apart");
	is(query('SELECT count(DISTINCT pg_column_size(t)) FROM moved'), 1, 'and they are of one size');
}
none(q{SELECT n, k FROM (
		SELECT n, k, span_attributes(t, k) AS attributes, span_events(t, k) AS events,
			t::text::jsonb->'spans'->(k - 1) AS expected,
			(SELECT s.name FROM spans(t) s WHERE s.ordinal = k) AS name
		FROM (SELECT n, k, t FROM stored_external, generate_series(1, 6) k WHERE k <= span_count(t) ORDER BY k, n) x) x
	WHERE name <> expected->>'name'
		OR jsonb_array_length(events) <> coalesce(jsonb_array_length(expected->'events'), 0)
		OR attributes <> coalesce(expected->'attributes', '{}')},
	'rows in turns get answers of their own');
query(q{CREATE FUNCTION in_turns() RETURNS bigint LANGUAGE plpgsql AS $$
	DECLARE value trajectory; other trajectory; wrong bigint := 0;
	BEGIN
		FOR round IN 1 .. 20 LOOP
			SELECT t INTO value FROM alike WHERE v = round % 3 + 1;
			UPDATE moved SET t = value WHERE v = 1;
			SELECT t INTO other FROM moved WHERE v = 1;
			wrong := wrong + (span_attributes(other, 1) <> jsonb_build_object('v', round % 3 + 1))::int;
		END LOOP;
		RETURN wrong;
	END $$});
is(query('SELECT in_turns()'), 0, 'so do rows that change');

# ------------------------------------------------------------------ databases

for my $encoding ('LATIN1', 'SQL_ASCII')
{
	my $database = lc("in_$encoding");
	$node->safe_psql('postgres', "CREATE DATABASE $database ENCODING '$encoding' LOCALE 'C' TEMPLATE template0");
	my ($status, $out, $error) = $node->psql($database, 'CREATE EXTENSION llmtrace');
	like($error, qr/ERROR: .*needs a database with encoding UTF8\s.*DETAIL: .*$encoding.*HINT:/s,
		"a database in $encoding is refused");
}

$node->safe_psql('postgres', 'CREATE ROLE owner LOGIN; CREATE ROLE guest LOGIN');
$node->safe_psql('postgres', 'CREATE DATABASE owned OWNER owner');
my ($status) = $node->psql('owned', 'CREATE EXTENSION llmtrace', extra_params => [ '--username=guest' ]);
isnt($status, 0, 'a guest may not create the extension');
my $answer = $node->safe_psql('owned', q{CREATE EXTENSION llmtrace; SET search_path = llmtrace;
	SELECT span_count('{"trace_id": "1", "spans": [{"span_id": "1", "name": "a", "start_ns": 1, "end_ns": 2}]}');
	DROP EXTENSION llmtrace}, extra_params => [ '--username=owner' ]);
is($answer, 1, 'a database\'s owner may create, use and drop the extension');

# ---------------------------------------------------------------------- crash

query('CREATE TABLE crashed AS TABLE bench;
	CREATE INDEX ON crashed USING hash (t);
	UPDATE crashed SET t = crashed.t || bench.t FROM bench WHERE bench.trace_id = crashed.trace_id');
$node->stop('immediate');
$node->start;
same('bench', 'crashed', 'all is there after a crash');
none('SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off;
	SELECT trace_id FROM bench WHERE NOT EXISTS (SELECT FROM crashed WHERE crashed.t = bench.t)',
	'and found by its index');

$node->stop;
unlike(slurp_file($node->logfile), qr/PANIC:|TRAP:|terminated by signal (?!3)/, 'no server process crashed');
done_testing();
