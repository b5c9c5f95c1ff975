# Rollups are what a computation from the traces gives, after whatever happens
# to these; and what is planted in generated traces is found in the right
# cohort and measure.

use strict;
use warnings FATAL => 'all';
use Cwd qw(abs_path);
use File::Basename qw(dirname);
use IPC::Run qw(start finish);
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $top = abs_path(dirname(__FILE__) . '/../..');
my $generate = $ENV{LLMTRACE_GENERATE} || "$top/bench/generate";

plan skip_all => 'no generator: make bench/generate' unless -x $generate;

my $node = PostgreSQL::Test::Cluster->new('rollup');
$node->init(extra => [ '--encoding=UTF8', '--locale=C' ]);
$node->append_conf('postgresql.conf', "fsync = off\ntimezone = 'UTC'");
$node->start;

sub sql { return $node->safe_psql('postgres', $_[0]) }
sub rows { return map { [ split /\|/, $_, -1 ] } split /\n/, sql($_[0]) }

# What a call says to standard error.
sub notices
{
	my ($status, undef, $error) = $node->psql('postgres', $_[0], extra_params => [ '-v', 'SHOW_CONTEXT=never' ]);
	return $error;
}

my $folder = PostgreSQL::Test::Utils::tempdir();

sub load
{
	my ($name) = @_;
	sql("\\copy llmtrace.otlp from '$folder/$name' with (format csv, quote e'\\x01', delimiter e'\\x02')");
}

# --------------------------------------------------- equal to a recomputation ---

# A rollup as text that is the same for the same values.
my $content = q{SELECT md5(string_agg(x, E'\n' ORDER BY x)) FROM (
	SELECT concat_ws('|', "time", is_day, measure, "by", dims, dist, cat) AS x FROM llmtrace.cohort_rollup) s};

# Measures by all, by one dimension and by a pair, against the views.
my @against = map {
	my ($measure, $by) = @$_;
	my ($view, $column) = split /\./, $measure;
	my @by = @$by;
	my $dims = 'jsonb_build_object(' . join(', ', map { $_ eq 'experiment' ? "'$_', x.dims ->> '$_'" : "'$_', x.$_" } @by) . ')';
	my $names = join ',', @by;
	my $number = $measure =~ /tokens|_ms|usd|attempt|count/;
	my ($cast, $state, $figures) = $number
	  ? ('float8', 'dist', 'dist_count(%1$s), dist_null_count(%1$s), dist_sum(%1$s), dist_min(%1$s), dist_max(%1$s), dist_quantile(%1$s, 0.5), dist_scale(%1$s)')
	  : ('text', 'cat', 'cat_count(%1$s), cat_null_count(%1$s), (SELECT string_agg(k::text, \',\') FROM cat_counts(%1$s) k)');
	my $some = @by ? "(SELECT count(*) FROM jsonb_each($dims) e WHERE e.value <> 'null') > 0" : 'true';
	map {
		my ($grain, $is_day) = @$_;
		"SET search_path = llmtrace, public;
		WITH kept AS (SELECT \"time\", dims, " . sprintf($figures =~ s/%1\$s/r.$state/gr) . " FROM cohort_rollup r
				WHERE measure = '$measure' AND \"by\" = '$names' AND is_day = $is_day),
			anew AS (SELECT at, dims, " . $figures =~ s/%1\$s/s/gr . " FROM (
				SELECT date_trunc('$grain', started_at, 'UTC') AS at, $dims AS dims, ${state}_agg(x.$column\::$cast, x.sample_weight) AS s
				FROM $view x WHERE $some GROUP BY 1, 2) y)
		SELECT '$measure by $names, $grain', (SELECT count(*) FROM kept) > 0,
			(SELECT count(*) FROM (TABLE kept EXCEPT ALL TABLE anew) d) + (SELECT count(*) FROM (TABLE anew EXCEPT ALL TABLE kept) d)"
	} ([ 'hour', 'false' ], [ 'day', 'true' ]);
} ([ 'traces.duration_ms', [] ], [ 'traces.cost_usd', ['feature'] ], [ 'traces.is_error', ['model'] ],
	[ 'model_calls.input_tokens', [ 'feature', 'tenant_id' ] ], [ 'model_calls.model', ['model_requested'] ],
	[ 'model_calls.cost_usd', ['model'] ], [ 'tool_calls.attempt', ['tool_name'] ],
	[ 'tool_calls.error_type', ['agent_name'] ], [ 'tool_calls.is_error', [] ], [ 'traces.retry_count', ['experiment'] ]);

sub check
{
	my ($when) = @_;
	my @wrong = grep { $_->[1] ne 't' || $_->[2] ne '0' } map { rows($_) } @against;
	is_deeply(\@wrong, [], "$when, rollups are what the views give");
	my $kept = sql($content);
	sql('TRUNCATE llmtrace.rollup_cell; SELECT llmtrace.mark_hours()');
	sql('CALL llmtrace.refresh_rollups()');
	is(sql($content), $kept, "$when, they are the same to the byte when all are made anew");
	is(sql('SELECT count(*) FROM llmtrace.rollup_lag'), '0', "$when, nothing is stale then");
}

# Traces come in pieces, in an order of no meaning.
system("$generate --traces 60 --days 3 --until 2026-01-31T00:00:00Z --batch 50 >$folder/some.jsonl") == 0 or die 'the generator failed';
my @lines = split /\n/, slurp_file("$folder/some.jsonl");
srand(7);
@lines = sort { $a->[0] <=> $b->[0] } map { [ rand, $_ ] } @lines;
my @parts = ('', '', '');
my $n = 0;
$parts[ $n++ % 3 ] .= "$_->[1]\n" for @lines;
append_to_file("$folder/part$_.jsonl", $parts[$_]) for 0 .. 2;

sql(q{
CREATE EXTENSION llmtrace;
SELECT llmtrace.create_store(1);
});
sql(q{CALL llmtrace.map_attribute('feature', 'app.feature')});
sql(q{CALL llmtrace.map_attribute('tenant_id', 'app.tenant_id')});
sql(q{CALL llmtrace.map_attribute('experiment', 'app.tenant_id')});
sql(q{CALL llmtrace.keep_cohort('{tenant_id,feature}')});
is(sql(q{SELECT "by" FROM llmtrace.kept_cohort WHERE cardinality("by") = 2}), '{feature,tenant_id}', 'a pair is kept in the order of the alphabet');

load('part0.jsonl');
sql("CALL llmtrace.fold(quiet_for => '0')");
my $stale = sql('SELECT count(*) FROM llmtrace.rollup_lag WHERE NOT is_day');
cmp_ok($stale, '>', 10, 'folding marks hours');
is(sql('SELECT count(*) FROM llmtrace.cohort_rollup'), '0', 'and leaves rollups alone');
like(notices("SELECT * FROM llmtrace.cohort_drift('traces.duration_ms', since => '2026-01-30', until => '2026-01-31')"),
	qr/rollups of \d+ hours .* are stale.*CALL llmtrace.refresh_rollups/s, 'who asks is told what is stale');
sql('CALL llmtrace.refresh_rollups()');
check('after the first traces');

for my $part (1, 2)
{
	load("part$part.jsonl");
	sql("CALL llmtrace.fold(quiet_for => '0')");
	cmp_ok(sql('SELECT count(*) FROM llmtrace.rollup_lag'), '>', 0, 'late spans mark hours');
	sql('CALL llmtrace.refresh_rollups()');
	check("after late spans ($part)");
}

sql(q{INSERT INTO llmtrace.price (model_pattern, input_usd_per_million, output_usd_per_million) VALUES ('gpt-4o*', 2.5, 10)});
sql('CALL llmtrace.reprice()');
cmp_ok(sql('SELECT count(*) FROM llmtrace.rollup_lag'), '>', 0, 'repricing marks hours');
sql('CALL llmtrace.refresh_rollups()');
check('after repricing');

sql(q{CALL llmtrace.map_attribute('shop', 'app.feature')});
is(sql(q{SELECT count(*) FROM llmtrace.rollup_lag}), '0', 'map_attribute refreshes');
is(sql(q{SELECT count(DISTINCT dims) > 1 FROM llmtrace.cohort_rollup WHERE "by" = 'shop'}), 't', 'a new dimension is filled back by one command');
sql(q{CALL llmtrace.add_measure('model_calls.tpot_ms')});
is(sql(q{SELECT sum(llmtrace.dist_count(dist)) = (SELECT count(tpot_ms) FROM llmtrace.model_calls) FROM llmtrace.cohort_rollup WHERE measure = 'model_calls.tpot_ms' AND "by" = '' AND is_day}),
	't', 'and so is a new measure');
check('after a new dimension and a new measure');

sql(q{SELECT llmtrace.drop_before('2026-01-29 05:30:00+00')});
sql('CALL llmtrace.refresh_rollups()');
is(sql(q{SELECT min("time") FROM llmtrace.cohort_rollup WHERE NOT is_day}) ge '2026-01-29 05:00', 1, 'what is dropped is dropped from rollups');
check('after retention');

my $erased = sql('SELECT min(tenant_id) FROM llmtrace.folded');
cmp_ok(sql("SELECT trace_count FROM llmtrace.erase_subject('tenant_id', '$erased')"), '>', 0, 'a tenant is erased');
cmp_ok(sql('SELECT count(*) FROM llmtrace.rollup_lag'), '>', 0, 'which marks hours');
sql('CALL llmtrace.refresh_rollups()');
check('after erasure');

# -------------------------------------------------------------- at the same time ---

# A refresh that does not end does not stop folding, of the same hours too.
my ($stdin, $stdout, $stderr) = ('', '', '');
sql('SELECT llmtrace.mark_hours()');
my $held = start([ 'psql', '-XAtq', '-d', $node->connstr('postgres') ], '<', \$stdin, '>', \$stdout, '2>', \$stderr);
$stdin = "BEGIN; SELECT 'at ' || llmtrace.refresh_next(false, '-infinity');\n";
$held->pump until $stdout =~ /at \d/ || $stderr;
is($stderr, '', 'a refresh is under way');
load('part0.jsonl');
sql(q{SET lock_timeout = '10s'; CALL llmtrace.fold(quiet_for => '0')});
is(sql('SELECT count(*) FROM llmtrace.fragments'), '0', 'folding goes on beside it');
is(notices('SET lock_timeout = 2000; CALL llmtrace.refresh_rollups()'), '', 'another refresh passes over what it is at');
$stdin = "COMMIT;\n\\q\n";
finish($held);
sql('CALL llmtrace.refresh_rollups()');
check('after a refresh, a fold and a refresh at the same time');

sql('SELECT llmtrace.mark_hours()');
my @running = map { start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', 'CALL llmtrace.refresh_rollups()' ]) } 1 .. 3;
finish($_) or fail('a refresh among others failed') for @running;
sql('CALL llmtrace.refresh_rollups()');
check('after three at the same time');

# What takes long says how far it is.
sql(q{CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(1.8); RETURN NULL; END';
CREATE TRIGGER slowly AFTER INSERT ON llmtrace.rollup_cell FOR EACH STATEMENT EXECUTE FUNCTION slowly();
SELECT llmtrace.mark_hours(max("time")) FROM llmtrace.rollup_cell WHERE NOT is_day});
like(notices('CALL llmtrace.refresh_rollups()'), qr/rollups: 1 of 1 hours, up to 2026-01/, 'progress is told');
sql('DROP FUNCTION slowly CASCADE');

# ----------------------------------------------------------------- bad input ---

sub fails
{
	my ($call, $pattern, $what) = @_;
	my ($status, undef, $error) = $node->psql('postgres', "SELECT count(*) FROM llmtrace.$call", on_error_stop => 1);
	isnt($status, 0, "$what is refused");
	like($error, $pattern, "$what: the error says what is known");
}
fails(q{cohort_drift('model_calls.input_tokns')}, qr/unknown measure.*model_calls\.input_tokens, .*Did you mean "model_calls.input_tokens"/s, 'an unknown measure');
fails(q{cohort_drift('folded.trajectory')}, qr/unknown measure/, 'a measure of no view');
fails(q{cohort_drift('model_calls.dims')}, qr/unknown measure/, 'a measure of no number');
fails(q{cohort_drift('model_calls.input_tokens', '{tennant_id}')}, qr/unknown dimension "tennant_id".*Did you mean "tenant_id"/s, 'an unknown dimension');
fails(q{cohort_drift('traces.depth', since => '2026-01-29', until => '2026-01-30', ref_since => '2026-01-29 12:00', ref_until => '2026-01-31')}, qr/windows overlap/, 'a window in the other');
fails(q{cohort_drift('traces.depth', since => '2026-01-29', until => '2026-01-30', ref_since => '2026-01-28', ref_until => '2026-01-28')}, qr/window is empty/, 'an empty window');
fails(q{cohort_drift('traces.depth', since => '-infinity')}, qr/reference needs a beginning/, 'no beginning');
fails(q{cohort_drift('traces.depth', method => 'none')}, qr/none/, 'an unknown method');
for my $call (q{keep_cohort('{tennant_id}')}, q{keep_cohort('{}')}, q{add_measure('spans.name')}, q{add_measure('traces.dims')})
{
	my ($status) = $node->psql('postgres', "CALL llmtrace.$call");
	isnt($status, 0, "$call is refused");
}
is(sql(q{SELECT DISTINCT verdict FROM llmtrace.cohort_drift('traces.depth', '{feature}', since => '2026-01-30', until => '2026-01-30 03:00') WHERE n_ref > 0 AND n_cur > 0}), 'insufficient_data', 'too little data is a verdict');

# ------------------------------------------------------- weights, and measures ---

my $half = sql('SELECT sum(pg_column_size(trajectory)) / 2 FROM llmtrace.folded');
cmp_ok((split /\|/, sql("CALL llmtrace.retain($half)"))[2], '>', 0, 'traces are dropped by chance');
cmp_ok(sql('SELECT count(*) FROM llmtrace.rollup_lag'), '>', 0, 'which marks hours, for the others weigh more');
sql('CALL llmtrace.refresh_rollups()');
cmp_ok(sql(q{SELECT sum(llmtrace.dist_count(dist)) FROM llmtrace.cohort_rollup WHERE measure = 'traces.span_count' AND "by" = '' AND is_day}), '>',
	sql('SELECT count(*) FROM llmtrace.folded'), 'and they stand for those that went');
check('after traces were dropped by chance');

# A measure that is no more, or not yet, is in no one's way.
sql(q{DELETE FROM llmtrace.measure WHERE name = 'model_calls.ttft_ms'});
sql('CALL llmtrace.refresh_rollups()');
check('without a measure in the middle');
is(sql(q{SELECT count(*) FROM llmtrace.cohort_rollup WHERE measure = 'model_calls.ttft_ms'}), '0', 'it is gone');
sql(q{INSERT INTO llmtrace.measure (name, is_category, place) VALUES ('model_calls.ttft_ms', false, 20)});
is(sql(q{SELECT count(*) FROM llmtrace.cohort_rollup WHERE measure = 'model_calls.ttft_ms'}), '0', 'hours that were not refreshed have nothing of a new one');
sql('SELECT llmtrace.mark_hours()');
sql('CALL llmtrace.refresh_rollups()');
check('with a measure beyond a gap');
is(sql(q{SELECT abs(sum(llmtrace.dist_count(dist)) / (SELECT sum(sample_weight) FILTER (WHERE ttft_ms IS NOT NULL) FROM llmtrace.model_calls) - 1) < 1e-5 FROM llmtrace.cohort_rollup WHERE measure = 'model_calls.ttft_ms' AND "by" = '' AND NOT is_day}), 't', 'it has all');

# Nor does a new one come where one that is no more has been.
my $beyond = sql(q{SELECT max(place) FROM llmtrace.measure WHERE subject = 'model_calls'});
sql(q{DELETE FROM llmtrace.measure WHERE name = 'model_calls.ttft_ms'});
sql(q{CALL llmtrace.add_measure('model_calls.ttft_ms')});
cmp_ok(sql(q{SELECT place FROM llmtrace.measure WHERE name = 'model_calls.ttft_ms'}), '>', $beyond, 'a place is not used again while rollups have it');
check('with a measure that came back');

# Views of rollups say what the traces do.
is(sql(q{SELECT count(*) > 10 AND bool_and(abs(m.weighted_count - t.n) < 1e-5 * t.n AND abs(m.mean - t.mean) < 1e-5 * t.mean AND m.p99 <= t.max * 1.01)
	FROM llmtrace.cohort_metric m JOIN (SELECT llmtrace.hour_of(started_at) AS "time", sum(sample_weight) AS n, sum(span_count * sample_weight) / sum(sample_weight) AS mean, max(span_count) AS max
		FROM llmtrace.traces GROUP BY 1) t ON t."time" = m."time" WHERE m.measure = 'traces.span_count' AND m."by" = ''}), 't', 'cohort_metric');
is(sql(q{SELECT count(*) > 1 AND bool_and(abs(m.true_rate - t.rate) < 1e-5 AND abs(m.weighted_count - t.n) < 1e-5 * t.n)
	FROM llmtrace.cohort_metric_daily m JOIN (SELECT date_trunc('day', started_at, 'UTC') AS "time", tool_name, sum(sample_weight) AS n, sum(sample_weight * is_error::int) / sum(sample_weight) AS rate
		FROM llmtrace.tool_calls GROUP BY 1, 2) t ON t."time" = m."time" AND m.cohort = 'tool_name=' || t.tool_name WHERE m.measure = 'tool_calls.is_error' AND m."by" = 'tool_name'}), 't', 'cohort_metric_daily');

# ------------------------------------------------------------ row-level security ---

# Who may read some traces only reads no rollups of all, but his own from the traces, or what a policy lets him read.
my $tenant = sql('SELECT tenant_id FROM llmtrace.folded GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1');
sub as { my ($role, $query) = @_; return sql("SET client_min_messages = warning; SET ROLE $role; $query") }
my $summary = q{SELECT string_agg(DISTINCT cohort, ','), sum(weighted_count) > 0, string_agg(DISTINCT source, ',') FROM llmtrace.cohort_summary('tool_calls.duration_ms', '{tenant_id}', '2026-01-01', '2026-01-31')};
sql('CREATE ROLE partial; SELECT llmtrace.grant_reader(\'partial\')');
like(as('partial', $summary), qr/,.*\|t\|rollups$/, 'readers read rollups of all');
sql("ALTER TABLE llmtrace.folded ENABLE ROW LEVEL SECURITY; ALTER TABLE llmtrace.fragments ENABLE ROW LEVEL SECURITY;
	CREATE POLICY own ON llmtrace.folded TO partial USING (tenant_id = '$tenant'); CREATE POLICY own ON llmtrace.fragments TO partial USING (tenant_id = '$tenant')");
is(as('partial', $_), '0', "under a policy nothing of $_") for map { "SELECT count(*) FROM llmtrace.$_" } qw(cohort_rollup rollup_cell cohort_metric), q{drift_scan('2026-01-30', '2026-01-31')};
is(as('partial', $summary), "tenant_id=$tenant|t|traces", 'but its own, from the traces');
like(as('postgres', $summary), qr/,.*\|t\|rollups$/, 'the owner reads all');
sql(qq{CREATE POLICY own ON llmtrace.rollup_cell FOR SELECT TO partial USING (dims @> '{"tenant_id": "$tenant"}')});
is(as('partial', q{SELECT DISTINCT cohort FROM llmtrace.cohort_metric WHERE cardinality(string_to_array("by", ',')) = 1}), "tenant_id=$tenant", 'a policy on rollups gives it those');
is(as('partial', $summary), "tenant_id=$tenant|t|traces", 'functions go on from the traces, for it has not all');
sql('CREATE POLICY whole ON llmtrace.rollup_cell FOR SELECT TO partial USING (true)');
like(as('partial', $summary), qr/,.*\|t\|rollups$/, 'one that lets it see all gives it all');
sql('ALTER TABLE llmtrace.folded DISABLE ROW LEVEL SECURITY; ALTER TABLE llmtrace.fragments DISABLE ROW LEVEL SECURITY');

# -------------------------------------------------------- what is planted is found ---

$node->safe_psql('postgres', 'CREATE DATABASE planted');
system("$generate --traces 3000 --days 14 --until 2026-01-31T00:00:00Z --truth $folder/truth.json --output $folder/planted.jsonl") == 0 or die 'the generator failed';
my $truth = decode_json(slurp_file("$folder/truth.json"));
sub planted { return map { [ split /\|/, $_, -1 ] } split /\n/, $node->safe_psql('planted', $_[0]) }
planted('CREATE EXTENSION llmtrace; SELECT llmtrace.create_store()');
planted(q{CALL llmtrace.map_attribute('feature', 'app.feature')});
planted(q{CALL llmtrace.map_attribute('tenant_id', 'app.tenant_id')});
$node->safe_psql('planted', "\\copy llmtrace.otlp from '$folder/planted.jsonl' with (format csv, quote e'\\x01', delimiter e'\\x02')");
planted("CALL llmtrace.fold(quiet_for => '0')");
my ($growth, $failing, $swapped) = @$truth{qw(growing_prompts failing_tool swapped_model)};
# A trace's calls are alike, but not the same.
planted(q{CALL llmtrace.estimate_trace_correlation('2026-01-17', '2026-01-24')});
is((planted(q{SELECT count(*) FROM llmtrace.measure WHERE name LIKE 'model_calls.%' AND trace_correlation > 0 AND trace_correlation < 1}))[0][0] > 5, 1, 'how alike calls of a trace are is measured');

sub found
{
	my ($measure, $by, $from, $options) = @_;
	return [ map { $_->[0] } planted("SELECT cohort FROM llmtrace.cohort_drift('$measure', '$by', since => '$from', until => '2026-01-31', ref_since => '2026-01-17', ref_until => '$from'" . ($options || '') . ") WHERE verdict = 'drifted'") ];
}
is_deeply(found('model_calls.input_tokens', '{feature,tenant_id}', $growth->{from}),
	["feature=$growth->{feature}, tenant_id=$growth->{tenant}"], 'the tenant whose prompts grow, and no other');
is_deeply(found('tool_calls.is_error', '{tool_name}', $failing->{from}), ["tool_name=$failing->{tool}"], 'the tool that begins to fail, and no other');
is_deeply(found('tool_calls.attempt', '{tool_name}', $failing->{from}), ["tool_name=$failing->{tool}"], 'the retries of it, and of no other');
is_deeply(found('model_calls.model', '{model_requested}', $swapped->{from}), ["model_requested=$swapped->{requested}"], 'the model that is swapped, and no other');
is_deeply(found('tool_calls.duration_ms', '{tool_name}', $failing->{from}), [], 'no tool has become slower');
is_deeply([ planted(q{SELECT cohort, "time" FROM llmtrace.drift_daily WHERE measure = 'tool_calls.is_error' AND "by" = 'tool_name' AND verdict = 'drifted' ORDER BY "time" LIMIT 1}) ],
	[ [ "tool_name=$failing->{tool}", $failing->{from} =~ /^(\S{10})/ ? "$1 00:00:00+00" : '' ] ], 'the first day that differs is that of the tool');
is_deeply([ planted(q{SELECT DISTINCT cohort FROM llmtrace.drift_daily WHERE measure = 'tool_calls.is_error' AND "by" = 'tool_name' AND verdict = 'drifted'}) ],
	[ ["tool_name=$failing->{tool}"] ], 'days of no other differ');
is_deeply([ planted("SELECT f.feature FROM (SELECT DISTINCT feature FROM llmtrace.traces) f, llmtrace.input_drift('$growth->{from}', '2026-01-31', '2026-01-17', feature => f.feature) d WHERE d.dimension = 'input_tokens' AND d.is_drifted") ],
	[ [ $growth->{feature} ] ], 'what users send has become longer, where it has, and nowhere else');
is_deeply([ planted("SELECT cohort, metric FROM llmtrace.behavior_diff('$swapped->{from}', '2026-01-31', '2026-01-17', NULL, '{model_requested}') WHERE is_significant") ],
	[ [ "model_requested=$swapped->{requested}", 'model_calls.model' ] ], 'the model that answers is what is new of it');
is_deeply([ planted(q{SELECT prompt_name, prompt_version, prompt_hash, round(sum(call_count)), round(sum(weighted_count)), min(first_seen), max(last_seen), round(sum(error_rate * weighted_count)) FROM llmtrace.prompt_versions('2026-01-17', '2026-01-31') GROUP BY 1, 2, 3 ORDER BY 1, 2, 3}) ],
	[ planted(q{SELECT prompt_name, prompt_version, prompt_hash, count(*), round(sum(sample_weight)), min(started_at), max(started_at), sum(is_error::int) FROM llmtrace.model_calls WHERE kind = 'llm' GROUP BY 1, 2, 3 ORDER BY 1, 2, 3}) ],
	'prompt_versions');

# Before anything is planted nothing is found, over all measures and cohorts:
# the chance of a false alarm at all is alpha for a scan of no change.
my @false = planted(q{SELECT measure, cohort FROM llmtrace.drift_scan('2026-01-20 12:00', '2026-01-24', '2026-01-17') WHERE verdict = 'drifted'});
is_deeply(\@false, [], 'nothing is found where nothing is planted');
cmp_ok((planted(q{SELECT count(*) FROM llmtrace.drift_scan('2026-01-20 12:00', '2026-01-24', '2026-01-17') WHERE p_adjusted IS NOT NULL}))[0][0], '>', 100, 'though there was much to judge');

# The suspect of the incident, the day that tools got worse, and whom it hit.
is_deeply([ planted("SELECT dimension, value FROM llmtrace.incident_delta('$failing->{from}', '5 days', '3 days', '{ kind = tool && isError }') WHERE rank = 1") ],
	[ [ 'tool_name', $failing->{tool} ] ], 'the tool that begins to fail is the first suspect');
is_deeply([ planted(q{SELECT dimension, value FROM llmtrace.incident_delta('2026-01-22', '3 days', '1 day') WHERE rank > 0 AND p_adjusted <= 0.05}) ],
	[], 'there is no suspect where nothing happened');
is_deeply([ planted(q{SELECT "time" FROM llmtrace.quality_trend('2026-01-17', '2026-01-31', '1 day') WHERE is_change_point AND metric = 'tool error rate'}) ],
	[ [ $failing->{from} =~ /^(\S{10})/ ? "$1 00:00:00+00" : '' ] ], 'the day that tools got worse is the change point');
is_deeply([ planted(q{SELECT count(*) FROM llmtrace.quality_trend('2026-01-17', '2026-01-24', '1 day') WHERE is_change_point}) ], [ ['0'] ], 'there is none before');
is_deeply([ planted(q{SELECT metric FROM llmtrace.decay_report('2026-01-17', '2026-01-31', '1 day') WHERE first_breach >= '2026-01-28' ORDER BY 1}) ],
	[ ['retries'], ['tool error rate'] ], 'and what it is');
is_deeply([ planted(qq{SELECT bad_count, tenant_count FROM llmtrace.blast_radius('$failing->{from}', bad => '{ tool = "$failing->{tool}" && isError }')}) ],
	[ planted(qq{SELECT count(DISTINCT trace_id), count(DISTINCT tenant_id) FROM llmtrace.tool_calls WHERE is_error AND tool_name = '$failing->{tool}' AND started_at >= '$failing->{from}'}) ],
	'whom it hit');
is_deeply([ planted(qq{SELECT sum(attempt_count) FROM llmtrace.logical_call WHERE name = '$failing->{tool}'}) ],
	[ planted(qq{SELECT count(*) FROM llmtrace.tool_calls WHERE tool_name = '$failing->{tool}'}) ], 'attempts at the failing tool are its spans');
cmp_ok((planted(qq{SELECT abs(sum(attempt_count) - $failing->{calls_before} - $failing->{calls_after}) / sum(attempt_count) FROM llmtrace.logical_call WHERE name = '$failing->{tool}'}))[0][0],
	'<', 0.002, 'as many as were made');
is_deeply([ planted(q{SELECT alias, old_responded, new_responded, started_at >= '2026-01-26' FROM llmtrace.model_alias_change}) ],
	[ [ @$swapped{qw(requested responded_before responded_after)}, 't' ] ], 'the swapped model is found when it begins to answer');

# The same from rollups and from traces, where both can.
is_deeply([ planted(q{SELECT cohort, round(n_cur), round(ks::numeric, 6), round(ks_p::numeric, 6), verdict FROM llmtrace.cohort_drift('model_calls.duration_ms', '{model}', '2026-01-24 05:00', '2026-01-28 07:00') ORDER BY 1}) ],
	[ planted(q{SELECT cohort, round(n_cur), round(ks::numeric, 6), round(ks_p::numeric, 6), verdict FROM llmtrace.cohort_drift('model_calls.duration_ms', '{model}', '2026-01-24 05:00', '2026-01-28 07:00', matching => '{ }') ORDER BY 1}) ],
	'rollups and traces say the same');

done_testing();
