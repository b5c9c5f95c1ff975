# A subject is erased: nothing of it is left in a dump, what is others' stays,
# all of it or nothing is done.  A store is cut to a budget: what has to stay
# stays, and what is left still tells what there was.

use strict;
use warnings FATAL => 'all';
use Cwd qw(abs_path);
use File::Basename qw(dirname);
use IPC::Run qw(start);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $top = abs_path(dirname(__FILE__) . '/../..');
my $generate = $ENV{LLMTRACE_GENERATE} || "$top/bench/generate";

plan skip_all => 'no generator: make bench/generate' unless -x $generate;

my $node = PostgreSQL::Test::Cluster->new('erasure');
$node->init(extra => [ '--encoding=UTF8', '--locale=C' ]);
$node->append_conf('postgresql.conf', "jit = off\nfsync = off\nautovacuum = off\n");
$node->start;

my $folder = PostgreSQL::Test::Utils::tempdir();
sub store
{
	my ($name, $options) = @_;
	system("$generate $options --days 5 --until 2026-01-31T00:00:00Z >$folder/$name.jsonl") == 0 or die 'the generator failed';
	$node->safe_psql('postgres', "CREATE DATABASE $name");
	$node->safe_psql($name, <<SQL);
CREATE EXTENSION llmtrace;
SELECT llmtrace.create_store();
\\copy llmtrace.otlp from '$folder/$name.jsonl' with (format csv, quote e'\\x01', delimiter e'\\x02')
CALL llmtrace.fold(quiet_for => '0');
SQL
}
sub is_true { my ($database, $sql, $what) = @_; is($node->safe_psql($database, $sql), 't', $what) }

# --------------------------------------------------------------------- erasure ---

store('erase', '--traces 80 --rich --seed 9');

# Three traces of our subject, two of somebody who says the same in part; one of each waits to be folded.
$node->safe_psql('erase', q{
CREATE FUNCTION say(n int, who text, said text) RETURNS void LANGUAGE sql AS $$
	SELECT llmtrace.ingest_otlp(json_build_object('resourceSpans', json_build_array(json_build_object('scopeSpans', json_build_array(json_build_object('spans', json_build_array(
		json_build_object('traceId', lpad(to_hex(n), 32, 'ab'), 'spanId', lpad(to_hex(n), 16, 'cd'), 'name', 'chat', 'startTimeUnixNano', CASE n WHEN 7 THEN '1748736000' ELSE '1769500800' END || '000000000',
			'endTimeUnixNano', CASE n WHEN 7 THEN '1748736001' ELSE '1769500801' END || '000000000', 'attributes', json_build_array(
				json_build_object('key', 'gen_ai.operation.name', 'value', json_build_object('stringValue', 'chat')),
				json_build_object('key', 'user.id', 'value', json_build_object('stringValue', who)),
				json_build_object('key', 'gen_ai.conversation.id', 'value', json_build_object('stringValue', 'talk of ' || who)),
				json_build_object('key', 'gen_ai.input.messages', 'value', json_build_object('stringValue',
					json_build_array(json_build_object('role', 'system', 'content', 'You are a helpful assistant, to everybody.'),
						json_build_object('role', 'user', 'content', said))::text))
			))))))))::text)
$$;
SELECT say(1, 'subject-7f3a', 'my secret is MARK-one'), say(2, 'subject-7f3a', 'my secret is MARK-two'), say(4, 'other-1', 'nothing to hide');
CALL llmtrace.fold('0');
SELECT say(3, 'subject-7f3a', 'my secret is MARK-three'), say(5, 'other-2', 'nothing to hide, either');
INSERT INTO llmtrace.annotation (trace_id, name, comment) SELECT trace_id, 'tone', 'MARK-annotation of ' || user_id FROM llmtrace.traces WHERE user_id = 'subject-7f3a';
INSERT INTO llmtrace.outcome (trace_id, kind) SELECT trace_id, 'MARK-outcome' FROM llmtrace.traces WHERE user_id = 'subject-7f3a';
INSERT INTO llmtrace.outcome (conversation_id, kind) VALUES ('talk of subject-7f3a', 'task'), ('talk of other-1', 'task');
INSERT INTO llmtrace.ingest_rejected (span_id, reason) VALUES ('1', 'user subject-7f3a has no trace id'), ('2', 'no trace id');
CREATE TABLE drawn AS SELECT seed, llmtrace.sample_agg(trace_id, 20, seed) AS traces, llmtrace.sample_agg(user_id, 20, seed) AS users
	FROM llmtrace.traces, generate_series(1, 200) seed GROUP BY seed;
SELECT llmtrace.eval_sample_take('golden', 'regression test', 1000, since => '2026-01-01');
ANALYZE;
});
my $rest = $node->safe_psql('erase', "SELECT count(*) FROM llmtrace.traces WHERE user_id IS DISTINCT FROM 'subject-7f3a'");
my $messages = "SELECT string_agg(md5(m::text), '' ORDER BY m::text) FROM llmtrace.messages m WHERE user_id IS DISTINCT FROM 'subject-7f3a'";
my $others = $node->safe_psql('erase', $messages);

# Whatever is the subject's: its name, ids of its traces and spans in any form, what it said.
my @traces = map { substr('ab' x 16, 0, 31) . $_ } 1 .. 3;
my @needles = ('subject-7f3a', 'MARK-', @traces, (map { my $id = $_; $id =~ s/^(.{8})(.{4})(.{4})(.{4})/$1-$2-$3-$4-/; $id } @traces),
	map { substr('cd' x 8, 0, 15) . $_ } 1 .. 3);
sub dump_of
{
	my $file = "$folder/dump.sql";
	$node->command_ok([ 'pg_dump', '--no-sync', '-d', $node->connstr($_[0]), '-f', $file ], 'dump');
	my $dump = slurp_file($file);
	# PostgreSQL's newer versions write a random word
	$dump =~ s/^\\(un)?restrict .*$//mg;
	return $dump;
}
sub found { my ($dump) = @_; return join(', ', grep { index(lc $dump, lc $_) >= 0 } @needles) }
$node->safe_psql('erase', 'CALL llmtrace.refresh_rollups()');
my $before = dump_of('erase');
is(found($before), join(', ', @needles), 'a dump has all of it before');
my $statistics = "SELECT count(*) FROM pg_stats WHERE concat(most_common_vals, histogram_bounds) ~ 'subject-7f3a|MARK-'";
cmp_ok($node->safe_psql('erase', $statistics), '>', 0, 'and so have statistics');

my $plan = $node->safe_psql('erase', "SELECT relation, action, row_count FROM llmtrace.erasure_plan('user_id', 'subject-7f3a') WHERE action <> 'out of reach' AND relation <> 'rollup_cell' ORDER BY 1, 2, 3");
is($plan, join("\n", 'annotation|delete|3', 'data set golden|ask|3', 'directory|delete|2', 'folded|delete|2', 'fragments|delete|1', 'ingest_rejected|delete|1', 'outcome|delete|4', 'payloads|delete|3', 'payloads|keep|1',
	(sort { (split /\|/, $a)[2] <=> (split /\|/, $b)[2] } ('public.drawn|erase from sample|' . $node->safe_psql('erase',
		"SELECT count(*) FROM drawn WHERE EXISTS (SELECT FROM llmtrace.sample_items(traces) i WHERE i.key LIKE 'abab%' AND right(i.key, 1) IN ('1', '2', '3'))"),
	'public.drawn|erase from sample|' . $node->safe_psql('erase', "SELECT count(*) FROM drawn WHERE EXISTS (SELECT FROM llmtrace.sample_items(users) i WHERE i.key = 'subject-7f3a')"))), 'sample_lineage|stamp|3'),
	'the plan names all of it') or diag($plan);
my $rollups = "SELECT row_count FROM llmtrace.erasure_plan('user_id', 'subject-7f3a') WHERE relation = 'rollup_cell'";
cmp_ok($node->safe_psql('erase', $rollups), '>', 0, 'and rollups of the hours in which the traces began');
cmp_ok($node->safe_psql('erase', "SELECT count(*) FROM llmtrace.erasure_plan('user_id', 'subject-7f3a') WHERE action = 'out of reach'"), '>=', 3, 'and what it cannot reach');

# On hold nothing goes: neither the subject, nor a trace or conversation of it, nor what is old.
my ($held, undef, $on_hold);
$node->safe_psql('erase', "INSERT INTO llmtrace.legal_hold (kind, subject, reason) VALUES ('user_id', 'subject-7f3a', 'case 4')");
for my $call ("erase_subject('user_id', 'subject-7f3a')", "erase_subject('user_id', 'subject-7f3a', 'redact')", "erase_subject('trace_id', '$traces[1]')", "erase_subject('conversation_id', 'talk of subject-7f3a')", "drop_before('2026-03-01')")
{
	($held, undef, $on_hold) = $node->psql('erase', "SELECT * FROM llmtrace.$call");
	like($on_hold, qr/on legal hold/, "$call is refused");
}
is($node->safe_psql('erase', "SELECT action, row_count FROM llmtrace.erasure_plan('user_id', 'subject-7f3a') WHERE relation = 'legal_hold'"), 'blocks all|3', 'the plan says so');
is($node->safe_psql('erase', "SELECT cardinality(llmtrace.held_traces())"), 3, 'of all traces those');
is($node->safe_psql('erase', "BEGIN; INSERT INTO llmtrace.legal_hold (kind, subject) VALUES ('user_id', repeat('long ', 100)); SELECT say(9, repeat('long ', 100), 'x'); SELECT cardinality(llmtrace.held_traces()); ROLLBACK") =~ s/^\s+//r, 4, 'one of a long name, too');
is($node->safe_psql('erase', "SELECT trace_count FROM llmtrace.drop_before('2021-12-01')"), '0', 'what is before all that is on hold may go');
$node->safe_psql('erase', 'DELETE FROM llmtrace.legal_hold; ANALYZE llmtrace.legal_hold');

# Killed just before the end, or out of time: nothing is done.  Nothing comes in meanwhile.
$node->safe_psql('erase', q{
CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(60); RETURN new; END';
CREATE TRIGGER slowly BEFORE INSERT ON llmtrace.erasure_log FOR EACH ROW EXECUTE FUNCTION slowly();
});
my $erase = "SELECT trace_count, body_count, shared_body_count, datasets FROM llmtrace.erase_subject('user_id', 'subject-7f3a', reason => 'request 17')";
my ($out, $error) = ('', '');
my $session = start([ 'psql', '-XAtq', '-d', $node->connstr('erase'), '-c', $erase ], '>', \$out, '2>', \$error);
ok($node->poll_query_until('erase', "SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'"), 'an erasure is about to end');
my ($status, undef, $refused) = $node->psql('erase', "SET lock_timeout = '500ms'; SELECT say(6, 'other-3', 'x')");
like($refused, qr/lock timeout/, 'nothing comes in meanwhile');
is($node->safe_psql('erase', 'SELECT count(*) FROM llmtrace.traces'), $rest + 3, 'readers go on');
$node->safe_psql('erase', "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'");
$session->finish;
like($error, qr/terminating connection/, 'it is killed');
($status, undef, $error) = $node->psql('erase', "SET statement_timeout = '3s'; $erase");
like($error, qr/statement timeout/, 'another one runs out of time');
$node->safe_psql('erase', 'DROP TRIGGER slowly ON llmtrace.erasure_log; DROP FUNCTION slowly');
my $unchanged = dump_of('erase');
ok($unchanged eq $before, 'all is as it was') or do { my %is = map { $_ => 1 } split /\n/, $unchanged; diag(join "\n", grep { !$is{$_} } split /\n/, $before) };

is($node->safe_psql('erase', $erase), '3|3|1|{golden}', 'erased');
my $after = dump_of('erase');
is(found($after), '', 'a dump has nothing of it');
is($node->safe_psql('erase', $statistics =~ s/count\(\*\)/string_agg(tablename || '.' || attname, ', ')/r), '', 'nor have statistics');
is($node->safe_psql('erase', $messages), $others, 'others still say what they said');
is($node->safe_psql('erase', 'SELECT count(*) FROM llmtrace.traces'), $rest, 'other traces are there');
is($node->safe_psql('erase', "SELECT count(*) FROM llmtrace.messages WHERE content LIKE 'You are a helpful%'"), 2, 'a body that others share stays');
is($node->safe_psql('erase', 'SELECT conversation_id FROM llmtrace.outcome'), 'talk of other-1', "other's outcomes stay");
is($node->safe_psql('erase', "SELECT count(*), count(DISTINCT erased_digest), count(trace_id), min(dataset) FROM llmtrace.sample_lineage WHERE erased_at IS NOT NULL"), '3|3|0|golden', 'lineage is stamped');
is_true('erase', "SELECT bool_or(erased_digest = llmtrace.erasure_digest('$traces[0]')) FROM llmtrace.sample_lineage", 'who has a copy can tell its rows');
is_true('erase', "SELECT count(*) = 1 AND bool_and(trace_count = 3 AND reason = 'request 17' AND subject_digest = llmtrace.erasure_digest('subject-7f3a')) FROM llmtrace.erasure_log", 'the log has its proof');
for my $column (qw(traces users))
{
	my $what = $column eq 'traces' ? 'trace_id' : 'user_id';
	my $z = $node->safe_psql('erase', "SELECT round(((avg((llmtrace.sample_count($column)).estimate) - n) / greatest(stddev((llmtrace.sample_count($column)).estimate) / sqrt(count(*)), 1e-6))::numeric, 2)
		FROM drawn, (SELECT count(DISTINCT $what) AS n FROM llmtrace.traces) t GROUP BY n");
	cmp_ok(abs($z), '<', 3.5, "samples of $column estimate those who are left (z $z)");
}
$node->safe_psql('erase', "CALL llmtrace.fold('0')");
is($node->safe_psql('erase', 'SELECT count(*) FROM llmtrace.traces'), $rest, 'and it does not come back');

# A partition of which nothing is left goes, with its statistics; it is made anew.
my $partitions = "SELECT string_agg(inhrelid::regclass::text, ' ' ORDER BY 1) FROM pg_inherits WHERE inhparent IN ('llmtrace.folded'::regclass, 'llmtrace.payloads'::regclass)";
my $parts = $node->safe_psql('erase', $partitions);
$node->safe_psql('erase', "SELECT say(7, 'subject-7f3a', 'MARK-alone on that day'); CALL llmtrace.fold('0'); ANALYZE;");
cmp_ok($node->safe_psql('erase', $statistics), '>', 0, 'statistics of a partition of its own');
is($node->safe_psql('erase', "SELECT trace_count, body_count FROM llmtrace.erase_subject('user_id', 'subject-7f3a')"), '1|2', 'erased');
is($node->safe_psql('erase', $statistics =~ s/count\(\*\)/string_agg(tablename || '.' || attname, ', ')/r), '', 'no statistics');
is($node->safe_psql('erase', $partitions), $parts, 'nor the partition');
is($node->safe_psql('erase', "SELECT say(7, 'other-3', 'again'); CALL llmtrace.fold('0'); SELECT count(*) FROM llmtrace.traces WHERE user_id = 'other-3'"), "\n1", 'until something comes in for it');
$rest++;

# The other kinds.
for my $kind (qw(conversation_id trace_id))
{
	my $column = $kind eq 'trace_id' ? 'llmtrace.trace_hex(trace_id)' : $kind;
	my $subject = $node->safe_psql('erase', "SELECT $column FROM llmtrace.traces WHERE $kind IS NOT NULL AND user_id NOT LIKE 'other%' ORDER BY 1 LIMIT 1");
	my $n = $node->safe_psql('erase', "SELECT count(*) FROM llmtrace.traces WHERE $column = '$subject'");
	cmp_ok($n, '>', 0, "there is a $kind");
	is($node->safe_psql('erase', "SELECT trace_count FROM llmtrace.erase_subject('$kind', '$subject')"), $n, "$kind is erased");
	ok(index(dump_of('erase'), $subject) < 0, "a dump has no trace of that $kind");
}
is_true('erase', 'SELECT bool_and(content IS NOT NULL) FROM llmtrace.messages', 'no body is missing');

# What was said goes, the rest stays.
{
	my $who = 'other-2';
	$node->safe_psql('erase', "INSERT INTO llmtrace.annotation (trace_id, name, comment, label, score) SELECT trace_id, n.name, n.comment, n.label, 0.5
		FROM llmtrace.traces, (VALUES ('tone', 'MARK-comment', 'polite'), ('correction', NULL, 'MARK-correction')) n (name, comment, label) WHERE user_id = '$who'; SELECT llmtrace.eval_sample_take('silver', 'test', 1000, since => '2026-01-01')");
	is($node->safe_psql('erase', "SELECT count(*) FROM llmtrace.messages WHERE user_id = '$who' AND content = 'nothing to hide, either'"), 1, 'something was said');
	my $other = "SELECT string_agg(md5(m::text), '' ORDER BY m::text) FROM llmtrace.messages m WHERE user_id IS DISTINCT FROM '$who'";
	my ($said, $rows) = map { $node->safe_psql('erase', $_) } $other, 'SELECT count(*), sum(span_count) FROM llmtrace.traces';
	$node->safe_psql('erase', "SELECT say(8, '$who', 'of today')");
	my (undef, undef, $waits) = $node->psql('erase', "SELECT * FROM llmtrace.erase_subject('user_id', '$who', 'redact')");
	like($waits, qr/1 traces of this subject wait to be folded.*fold\(quiet_for/s, 'what waits to be folded is not half redacted');
	is($node->safe_psql('erase', "SELECT row_count FROM llmtrace.erasure_plan('user_id', '$who', 'redact') WHERE action = 'fold first'"), 1, 'the plan says so');
	$node->safe_psql('erase', "DELETE FROM llmtrace.fragments");
	my $will = $node->safe_psql('erase', "SELECT relation, action, row_count FROM llmtrace.erasure_plan('user_id', '$who', 'redact') WHERE action IN ('redact', 'delete') AND row_count > 0 ORDER BY 1");
	is($will, "annotation|redact|2\nfolded|redact|1\npayloads|delete|1\nsample_lineage|redact|2", 'the plan of it') or diag($will);
	is($node->safe_psql('erase', "SELECT trace_count, row_count, body_count, datasets FROM llmtrace.erase_subject('user_id', '$who', 'redact')"), '1|5|1|{golden,silver}', 'redacted');
	my $dump = dump_of('erase');
	is(join(', ', grep { index($dump, $_) >= 0 } 'nothing to hide, either', 'MARK-'), '', 'a dump has nothing of it');
	is($node->safe_psql('erase', $statistics =~ s/subject-7f3a\|MARK-/nothing to hide, either|MARK-/r), '0', 'nor have statistics');
	is($node->safe_psql('erase', $other), $said, 'others still say what they said');
	is($node->safe_psql('erase', 'SELECT count(*), sum(span_count) FROM llmtrace.traces'), $rows, 'traces are there');
	is($node->safe_psql('erase', "SELECT score, comment IS NULL, label FROM llmtrace.annotation a JOIN llmtrace.traces t USING (trace_id) WHERE user_id = '$who' ORDER BY name DESC"), "0.5|t|polite\n0.5|t|", 'scores and labels stay, comments and corrections go');
	is($node->safe_psql('erase', "SELECT count(*) FROM llmtrace.eval_sample(1000, since => '2026-01-01') e JOIN llmtrace.traces t ON t.trace_id = e.trace_id::uuid WHERE user_id = '$who'"), 0, 'no eval set has it');
	is_true('erase', "SELECT count(*) = 1 AND bool_and(subject_digest = llmtrace.erasure_digest('$who')) FROM llmtrace.erasure_log WHERE mode = 'redact'", 'the log says so');
	is($node->safe_psql('erase', "SELECT trace_count, body_count FROM llmtrace.erase_subject('user_id', '$who')"), '1|0', 'and it can be erased afterwards');
	$rest--;
}

# ------------------------------------------------------------------- retention ---

store('plain', '--traces 800');
# ranks are keyed with it: one large trace more or less is no matter of chance here
$node->safe_psql('plain', "UPDATE llmtrace.secret SET secret = sha256('plain')");
my $truth = $node->safe_psql('plain', 'SELECT avg((error_count > 0)::int) FROM llmtrace.traces');
my $judged = $node->safe_psql('plain', "INSERT INTO llmtrace.annotation (trace_id, name, score) SELECT trace_id, 'tone', 1 FROM llmtrace.traces ORDER BY trace_id LIMIT 12;
	SELECT string_agg(trace_id::text, ',' ORDER BY trace_id) FROM llmtrace.annotation WHERE source = 'human'");
my $budget = $node->safe_psql('plain', 'SELECT sum(pg_column_size(trajectory)) / 6 FROM llmtrace.folded');

sub z { my ($sum, $squares, $n, $true) = @_; my $mean = $sum / $n; return ($mean - $true) / (sqrt(($squares / $n - $mean ** 2) / ($n - 1)) || 1e-9) }

# Over keys of the ranks: on average the estimate is right, though what is left is not; and so it is where
# retention was interrupted after the first traces.
my $rounds = 40;
for my $case ([ 'priority', 800 ], [ 'novelty', 800 ], [ 'priority', 300 ])
{
	my ($policy, $batch) = @$case;
	my $what = $batch < 800 ? "$policy, interrupted" : $policy;
	my @found = split /\n/, $node->safe_psql('plain', join('', map { qq{
BEGIN;
UPDATE llmtrace.secret SET secret = sha256('secret $_');
CREATE TEMP TABLE kept ON COMMIT DROP AS SELECT llmtrace.retain_plan($budget, NULL, '{feature}', '-infinity', 'infinity', '$policy') AS kept_bytes;
CREATE TEMP TABLE batch ON COMMIT DROP AS SELECT * FROM llmtrace.retain_batch($batch);
SELECT (SELECT kept_bytes <= $budget FROM kept), b.trace_count, b.stored_error_rate, b.error_rate_est, b.error_rate_stderr, b.population_count_est,
	(SELECT count(*) FROM llmtrace.traces t JOIN llmtrace.annotation a USING (trace_id) WHERE a.source = 'human'),
	(SELECT bool_and(keep_probability > 0 AND keep_probability <= 1 AND keep_reason IS NOT NULL OR $batch < 800 AND keep_reason IS NULL) FROM llmtrace.folded),
	(SELECT trace_count = $batch AND dropped_count > 0 AND kept_count + dropped_count = trace_count FROM batch)
FROM llmtrace.sampling_bias('2026-01-01', 'infinity') b;
ROLLBACK;} } 1 .. $rounds));
	is(scalar @found, $rounds, "$what: retained so often");
	my ($sum, $failed, $failed_squares, $stored, $covered, $all, $all_squares) = (0) x 7;
	for (@found)
	{
		my ($fits, $n, $rate, $estimate, $stderr, $population, $judged_count, $probable, $counted) = split /\|/;
		# one of each stratum stays, however large
		($fits eq 't' || $policy eq 'novelty') && $judged_count == 12 && $probable eq 't' && $counted eq 't' or fail("$what: fits $fits, judged $judged_count, probabilities $probable, counts $counted");
		$sum += $estimate, $failed += $estimate * $population, $failed_squares += ($estimate * $population) ** 2, $stored += $rate / $rounds, $covered += abs($estimate - $truth) < 2 * $stderr;
		$all += $population, $all_squares += $population ** 2;
	}
	$policy eq 'novelty' or cmp_ok($stored, '>', ($batch < 800 ? 1.05 : 1.2) * $truth, sprintf('%s: what is left misstates failures: %.2f of %.2f', $what, $stored, $truth));
	cmp_ok(abs(z($all, $all_squares, $rounds, 800)), '<', 3.5, sprintf('%s: how many there were is estimated without bias (%.0f)', $what, $all / $rounds));
	cmp_ok(abs(z($failed, $failed_squares, $rounds, 800 * $truth)), '<', 3.5, sprintf('%s: so is how many failed (%.0f of %.0f)', $what, $failed / $rounds, 800 * $truth));
	# a ratio is right but for the size of the sample, which rare and large traces make small
	cmp_ok(abs($sum / $rounds - $truth), '<', $policy eq 'novelty' ? 0.06 : 0.03, sprintf('%s: sampling_bias recovers failures: %.3f of %.3f', $what, $sum / $rounds, $truth));
	cmp_ok($covered, '>=', 0.8 * $rounds, "$what: its standard error tells how well ($covered of $rounds within two)");
}

# The procedure commits as it goes. Killed in between, what is done is done, and nothing is half done; called again,
# it goes on to what one call would have given.
$node->safe_psql('postgres', 'CREATE DATABASE killed TEMPLATE plain');
my $consistent = "SELECT NOT EXISTS (SELECT FROM llmtrace.folded f FULL JOIN llmtrace.directory d USING (trace_id, started_at) WHERE f.span_count IS NULL OR d.trace_id IS NULL)
	AND NOT EXISTS (SELECT FROM llmtrace.annotation a WHERE NOT EXISTS (SELECT FROM llmtrace.folded f WHERE f.trace_id = a.trace_id))";
my ($retained_out, $retained_error) = ('', '');
$node->safe_psql('killed', q{
CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(60); RETURN NULL; END';
CREATE TRIGGER slowly AFTER DELETE ON llmtrace.directory FOR EACH STATEMENT EXECUTE FUNCTION slowly();
ALTER TABLE llmtrace.directory DISABLE TRIGGER slowly;
});
my $retaining = start([ 'psql', '-XAtq', '-d', $node->connstr('killed'), '-c', "CALL llmtrace.retain($budget, strata => '{feature}', batch_size => 1)" ], '>', \$retained_out, '2>', \$retained_error);
ok($node->poll_query_until('killed', 'SELECT count(*) > 20 FROM llmtrace.folded WHERE keep_reason IS NOT NULL'), 'batches are committed one after the other');
$node->safe_psql('killed', "ALTER TABLE llmtrace.directory ENABLE TRIGGER slowly");
ok($node->poll_query_until('killed', "SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'"), 'one is under way');
$node->safe_psql('killed', "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'");
$retaining->finish;
like($retained_error, qr/terminating connection/, 'it is killed');
$node->safe_psql('killed', 'DROP TRIGGER slowly ON llmtrace.directory; DROP FUNCTION slowly');
is_true('killed', $consistent, 'nothing is half done');
is_true('killed', 'SELECT count(*) FILTER (WHERE keep_reason IS NULL) > 100 AND count(*) FILTER (WHERE keep_reason IS NOT NULL) > 20 AND count(*) < 800 FROM llmtrace.folded', 'some is done');
is_true('killed', 'SELECT sum(dropped_count) = 800 - (SELECT count(*) FROM llmtrace.folded) FROM llmtrace.retention_log', 'the log has what was done');
is_true('killed', 'SELECT max(f.started_at) < min(u.started_at) FROM llmtrace.folded f, llmtrace.folded u WHERE f.keep_reason IS NOT NULL AND u.keep_reason IS NULL', 'in order of time');
$node->safe_psql('killed', "CALL llmtrace.retain($budget, strata => '{feature}')");
is_true('killed', "SELECT sum(pg_column_size(trajectory)) <= $budget AND bool_and(keep_reason IS NOT NULL) FROM llmtrace.folded", 'the next call goes on');
is_true('killed', $consistent, 'and leaves nothing half done');

# What is judged, or put on hold, while batches are carried out, stays though it was to go.
is($node->safe_psql('plain', "BEGIN;
	SET client_min_messages = warning;
	CREATE TEMP TABLE planned ON COMMIT DROP AS SELECT llmtrace.retain_plan($budget, NULL, '{}', '-infinity', 'infinity', 'priority');
	CREATE TEMP TABLE spared ON COMMIT DROP AS SELECT trace_id, row_number() OVER (ORDER BY started_at DESC) AS n FROM pg_temp.llmtrace_keep WHERE is_dropped ORDER BY n LIMIT 2;
	INSERT INTO llmtrace.outcome (trace_id) SELECT trace_id FROM spared WHERE n = 1;
	INSERT INTO llmtrace.legal_hold (kind, subject) SELECT 'trace_id', llmtrace.trace_hex(trace_id) FROM spared WHERE n = 2;
	CREATE TEMP TABLE batch ON COMMIT DROP AS SELECT * FROM llmtrace.retain_batch(10000);
	SELECT count(*), count(f.keep_reason) FROM spared JOIN llmtrace.folded f USING (trace_id);
	ROLLBACK"), '2|0', 'what is judged or put on hold meanwhile stays');

my $hold = $node->safe_psql('plain', "SELECT user_id FROM llmtrace.traces WHERE user_id IS NOT NULL AND error_count = 0 GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1");
my $held_count = $node->safe_psql('plain', "INSERT INTO llmtrace.legal_hold (kind, subject) VALUES ('user_id', '$hold'); SELECT count(*) FROM llmtrace.traces WHERE user_id = '$hold'");
my $kept = $node->safe_psql('plain', "CALL llmtrace.retain($budget, always => '{ name = \"no such\" }', batch_size => 70)");
like($kept, qr/^\d+\|\d+\|\d+\|\d+\|\d+$/, 'retained');
my ($left, undef, $dropped) = split /\|/, $kept;
is($node->safe_psql('plain', "SELECT count(*) FROM llmtrace.traces WHERE user_id = '$hold'"), $held_count, "what is on hold stays ($held_count)");
like($node->safe_psql('plain', "SELECT reasons FROM llmtrace.traces t, llmtrace.keep_score(llmtrace.trace_hex(t.trace_id)) WHERE user_id = '$hold' LIMIT 1"), qr/on hold: always kept/, 'and says why');
like($node->safe_psql('plain', "SELECT score, reasons FROM llmtrace.keep_score((SELECT llmtrace.trace_hex(min(trace_id::text)::uuid) FROM llmtrace.traces), 'novelty')"), qr/^[\d.]+\|\d+ of \d+ went this way/, 'a score of novelty has reasons');
is($left + $dropped, 800, 'all are counted');
is($node->safe_psql('plain', 'SELECT trace_count, dropped_count, threshold IS NOT NULL FROM llmtrace.retention_log'), "800|$dropped|t", 'what there was is noted');
is($node->safe_psql('plain', "SELECT string_agg(trace_id::text, ',' ORDER BY trace_id) FROM llmtrace.traces JOIN llmtrace.annotation USING (trace_id) WHERE source = 'human'"), $judged, 'what was judged is there');
is_true('plain', 'SELECT NOT EXISTS (SELECT FROM llmtrace.folded f FULL JOIN llmtrace.directory d USING (trace_id, started_at) WHERE f.span_count IS NULL OR d.trace_id IS NULL)', 'the directory knows');
is((split /\|/, $node->safe_psql('plain', "CALL llmtrace.retain($budget)"))[2], 0, 'once more drops nothing');
is_true('plain', "SELECT count(*) = $left AND min(keep_probability) < 1 FROM llmtrace.folded", 'nor does it forget probabilities');
$node->safe_psql('plain', 'DELETE FROM llmtrace.legal_hold');
cmp_ok((split /\|/, $node->safe_psql('plain', "CALL llmtrace.retain($budget / 2)"))[3], '<=', $budget / 2, 'less again');

# Bodies go before traces.
store('bodies', '--traces 80 --rich --seed 4');
$node->safe_psql('bodies', "INSERT INTO llmtrace.outcome (trace_id) SELECT trace_id FROM llmtrace.traces ORDER BY trace_id LIMIT 5");
my $size = $node->safe_psql('bodies', 'SELECT (SELECT sum(pg_column_size(trajectory)) FROM llmtrace.folded) + (SELECT sum(pg_column_size(body)) FROM llmtrace.payloads) / 2');
my ($all_kept, $without, $gone, $bytes, $bodies) = split /\|/, $node->safe_psql('bodies', "CALL llmtrace.retain($size, batch_size => 30)");
is_deeply([ $all_kept, $gone ], [ 80, 0 ], 'only bodies go');
ok($without > 10 && $bytes <= $size && $bodies > 100, "of many ($without, $bodies bodies)");
is_true('bodies', "SELECT (SELECT sum(pg_column_size(trajectory)) FROM llmtrace.folded) + (SELECT sum(pg_column_size(body)) FROM llmtrace.payloads) <= $size", 'the budget holds');
is_true('bodies', "SELECT bool_and(m.content IS NOT NULL) FROM llmtrace.messages m JOIN llmtrace.folded f USING (trace_id) WHERE f.keep_reason <> 'demoted'", 'who keeps bodies keeps all');
is_true('bodies', "SELECT count(DISTINCT trace_id) = 5 FROM llmtrace.outcome JOIN llmtrace.folded f USING (trace_id) WHERE f.keep_reason = 'rule' AND f.body_probability = 1", 'what has an outcome keeps them');
is_true('bodies', "SELECT count(*) > 5 AND bool_and(abs(e.weight * f.body_probability - 1) < 1e-9 AND f.keep_reason <> 'demoted')
	FROM llmtrace.eval_sample(80, since => '2026-01-01') e JOIN llmtrace.folded f ON f.trace_id = e.trace_id::uuid", 'eval sets are of those, and weigh for the others');
is_true('bodies', "SELECT score > 1 AND reasons ~ 'outcome' FROM llmtrace.outcome, llmtrace.keep_score(llmtrace.trace_hex(trace_id)) ORDER BY score DESC LIMIT 1", 'a score has reasons');

done_testing();
