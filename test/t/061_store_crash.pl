# Servers die and folds are cancelled, at any moment: what was acknowledged is
# there, once, and the next fold goes on as if nothing had been.
use strict;
use warnings;

use IPC::Run qw(start finish);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

my $seed = $ENV{LLMTRACE_SEED} || 1;
my $rounds = $ENV{LLMTRACE_ROUNDS} || 9;
note "seed $seed";
srand($seed);

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init(extra => [ '--encoding=UTF8', '--locale=C' ]);
$node->append_conf('postgresql.conf', "log_statement = none\nrestart_after_crash = off\nfsync = off\njit = off\n");
$node->start;
$node->safe_psql('postgres', q{
CREATE EXTENSION llmtrace;
SELECT llmtrace.create_store();

-- Span number n of what is sent: three spans a trace, the weeks in turn.
CREATE FUNCTION document(n int) RETURNS text LANGUAGE sql AS $$
	SELECT format('{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"%s","spanId":"%s","parentSpanId":"%s","name":"span",'
		'"startTimeUnixNano":"%s","endTimeUnixNano":"%s","attributes":[{"key":"input.value","value":{"stringValue":"body %s"}}]}]}]}]}',
		lpad(to_hex(1 + n / 3), 32, '0'), lpad(to_hex(1 + n % 3), 16, '0'), CASE n % 3 WHEN 0 THEN '' ELSE '1' END,
		s * 1000000000, (s + 1) * 1000000000, n % 100)
	FROM (SELECT 1700000000::bigint + (n / 3 % 40) * 86400 * 3 + n % 3 AS s) x
$$;
});

# Facts that have to hold at any time.
my $consistent = q{
SELECT concat_ws('; ',
	(SELECT 'twice in traces: ' || count(*) FROM (SELECT FROM llmtrace.traces GROUP BY trace_id HAVING count(*) > 1) x HAVING count(*) > 0),
	(SELECT 'directory and folded differ: ' || count(*) FROM llmtrace.directory d FULL JOIN llmtrace.folded f USING (trace_id, started_at)
		WHERE d.trace_id IS NULL OR f.trace_id IS NULL HAVING count(*) > 0),
	(SELECT 'columns and datum differ: ' || count(*) FROM llmtrace.folded WHERE span_count <> llmtrace.span_count(trajectory)
		OR started_at <> llmtrace.started_at(trajectory) HAVING count(*) > 0),
	(SELECT 'bodies missing: ' || count(*) FROM llmtrace.messages WHERE content IS NULL HAVING count(*) > 0))
};
my $spans = "SELECT coalesce(string_agg(n, ',' ORDER BY n), '') FROM (
	SELECT llmtrace.trace_hex(llmtrace.trace_id(t)) || s.span_id AS n
	FROM (SELECT trajectory AS t FROM llmtrace.folded UNION ALL SELECT fragment FROM llmtrace.fragments) x, llmtrace.spans(t) s GROUP BY 1) y";

my ($sent, $crashes, $cancels) = (0, 0, 0);
my %acknowledged;
my @running;

sub background
{
	my ($sql, $out) = @_;
	my $path = PostgreSQL::Test::Utils::tempdir() . '/session' . @running . '.sql';
	open(my $file, '>', $path) or die "$path: $!";
	print $file $sql;
	close($file);
	push @running, { out => $out, err => "$path.err", run => start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-f', $path, '-o', $out ], '2>', "$path.err", IPC::Run::timeout(120)) };
}

for my $round (1 .. $rounds)
{
	my @outs = map { PostgreSQL::Test::Utils::tempdir() . "/out$_" } 1 .. 3;
	@running = ();
	for my $writer (0 .. 2)
	{
		my $from = $sent;
		my $sql = '';
		$sent += 600;
		# each tells which spans it has been told are in
		$sql .= "SELECT $_ FROM llmtrace.ingest_otlp(document($_)) WHERE accepted_spans = 1;\n" for $from .. $sent - 1;
		background($sql, $outs[$writer]);
	}
	background("SET client_min_messages = warning;\n" . "CALL llmtrace.fold('0');\nSELECT pg_sleep(0.002) \\g /dev/null\n" x 600, '/dev/null') for 1 .. 2;

	usleep(200_000 + rand(1_500_000));
	if ($round % 3)
	{
		# kill -9: the postmaster at once, or a backend, for which it goes down itself
		my $postmaster = (split /\n/, slurp_file($node->data_dir . '/postmaster.pid'))[0];
		my $backend = $round % 3 == 1 ? '' : $node->safe_psql('postgres', q{SELECT pid FROM pg_stat_activity
			WHERE state = 'active' AND pid <> pg_backend_pid() AND backend_type = 'client backend' ORDER BY random() LIMIT 1});
		kill 'KILL', $backend || $postmaster;
		finish($_->{run}) for @running;
		# until the last process has let go of the memory
		for (1 .. 200)
		{
			last if !kill(0, $postmaster);
			usleep(50_000);
		}
		$node->{_pid} = undef;
		for (1 .. 50)
		{
			last if PostgreSQL::Test::Utils::system_log('pg_ctl', '-D', $node->data_dir, '-w', '-l', $node->logfile, 'start') == 0;
			usleep(100_000);
		}
		$node->_update_pid(1);
		$crashes++;
	}
	else
	{
		# folds are cancelled, again and again
		for (1 .. 30)
		{
			$cancels += $node->safe_psql('postgres', q{SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity WHERE query LIKE 'CALL%' AND state = 'active'});
			usleep(rand(60_000));
		}
		finish($_->{run}) for @running;
	}
	for my $out (@outs)
	{
		$acknowledged{$_} = 1 for slurp_file($out) =~ /(\d+)\n/g;
	}

	is($node->safe_psql('postgres', $consistent), '', "round $round: consistent before the next fold");
	$node->safe_psql('postgres', "CALL llmtrace.fold('0')") if rand() < 0.5;
	is($node->safe_psql('postgres', $consistent), '', "round $round: and after");
	my %there = map { $_ => 1 } split(/,/, $node->safe_psql('postgres', $spans));
	my @lost = grep { !$there{ sprintf('%032x%016x', 1 + int($_ / 3), 1 + $_ % 3) } } keys %acknowledged;
	is(scalar(@lost), 0, "round $round: none of " . keys(%acknowledged) . ' acknowledged spans is lost') or diag join(' ', sort { $a <=> $b } @lost[ 0 .. ($#lost > 9 ? 9 : $#lost) ]);
}
cmp_ok($crashes, '>', 0, "$crashes crashes");
cmp_ok(scalar(keys %acknowledged), '>', $rounds * 20, keys(%acknowledged) . " of $sent spans acknowledged at once");
cmp_ok($cancels, '>', 0, "$cancels folds cancelled");

# What was not acknowledged is sent again, with all the rest.
$node->safe_psql('postgres', "SELECT llmtrace.ingest_otlp(document(n)) FROM generate_series(0, $sent - 1) n; CALL llmtrace.fold('0')");
is($node->safe_psql('postgres', $consistent), '', 'consistent in the end');
is($node->safe_psql('postgres', 'SELECT count(*), sum(span_count), min(span_count), max(span_count), (SELECT count(*) FROM llmtrace.fragments) FROM llmtrace.traces'),
	join('|', $sent / 3, $sent, 3, 3, 0), 'all spans are there, once');
is($node->safe_psql('postgres', q{
SET search_path = llmtrace, public;
SELECT count(*) FROM (SELECT llmtrace.merge_agg(f) AS t FROM generate_series(0, } . ($sent - 1) . q{) n, llmtrace.trajectories_from_otlp(public.document(n)) f GROUP BY llmtrace.trace_id(f)) w
	LEFT JOIN llmtrace.folded f ON f.trace_id = llmtrace.trace_id(w.t) WHERE llmtrace.restore_bodies(f.trajectory) IS DISTINCT FROM w.t}),
	0, 'and are what was sent, bodies too');
$node->stop;
done_testing();
