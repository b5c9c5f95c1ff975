# Many at once: eight sessions take in traces that overlap, in pieces, out of
# order and again; three fold; two read.  Nothing is lost, nothing is there
# twice, at no moment, and in the end all is as if it had come at once.
use strict;
use warnings;

use IPC::Run qw(start finish);
use JSON::PP;
use List::Util qw(shuffle);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $seed = $ENV{LLMTRACE_SEED} || 1;
note "seed $seed";
srand($seed);

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init(extra => [ '--encoding=UTF8', '--locale=C' ]);
$node->append_conf('postgresql.conf', "log_statement = none\nlog_lock_waits = on\n");
$node->start;
$node->safe_psql('postgres', q{
CREATE EXTENSION llmtrace;
SELECT llmtrace.create_store();
CREATE TABLE document (line text);
CREATE TABLE done (writer int);
CREATE TABLE reading (since timestamptz DEFAULT clock_timestamp());
});

# Traces of 2 to 30 spans in 8 weeks; every span in one or two versions, the
# first of which is open and may begin later.
my $start = 1_700_000_000;
my @spans;
for my $trace (1 .. 120)
{
	my $begin = $start + int(rand(8 * 7 * 86400));
	for my $id (1 .. 2 + int(rand(29)))
	{
		my $at = $begin + $id;
		my %span = (
			traceId => sprintf('%032x', $trace * 7919), spanId => sprintf('%016x', $id),
			parentSpanId => $id == 1 ? '' : sprintf('%016x', 1 + int(rand($id - 1))),
			name => "span $id", startTimeUnixNano => "${at}000000000", endTimeUnixNano => ($at + 5) . '000000000',
			attributes => [ { key => 'gen_ai.operation.name', value => { stringValue => $id % 3 ? 'chat' : 'execute_tool' } },
				{ key => 'gen_ai.usage.input_tokens', value => { intValue => $id } } ]);
		push @spans, \%span;
		push @spans, { %span, endTimeUnixNano => '0', attributes => [] } if rand() < 0.3;
		push @spans, { %span, startTimeUnixNano => ($at - 86400 * 9) . '000000000' } if rand() < 0.02;
	}
}
my @documents;
my @left = shuffle(@spans, grep { rand() < 0.3 } @spans);
while (@left)
{
	push @documents, encode_json({ resourceSpans => [ { resource => { attributes => [ { key => 'service.name', value => { stringValue => 'shop' } } ] },
		scopeSpans => [ { spans => [ splice(@left, 0, 1 + int(rand(25))) ] } ] } ] });
}
note scalar(@spans) . ' versions of spans in ' . scalar(@documents) . ' documents';

sub sql_file
{
	my ($name, $sql) = @_;
	my $path = PostgreSQL::Test::Utils::tempdir() . "/$name.sql";
	open(my $file, '>', $path) or die "$path: $!";
	print $file $sql;
	close($file);
	return $path;
}

my @sessions;
sub session
{
	my ($name, $sql) = @_;
	my %s = (name => $name, out => '', err => '');
	$s{run} = start([ 'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('postgres'), '-f', sql_file($name, $sql) ],
		'>', \$s{out}, '2>', \$s{err}, IPC::Run::timeout(300));
	push @sessions, \%s;
}

my $dollar = '$doc$';
sub ingest { return "SELECT accepted_spans FROM llmtrace.ingest_otlp($dollar$_[0]$dollar) \\g /dev/null\n"; }

for my $writer (1 .. 8)
{
	# when both readers are reading
	my $sql = "DO 'BEGIN FOR i IN 1 .. 1200 LOOP EXIT WHEN (SELECT count(*) FROM reading) >= 2; PERFORM pg_sleep(0.05); COMMIT; END LOOP; END';\n";
	# each document goes to one writer, and half of them to another one, too
	my @mine = shuffle(grep { ($_ % 8) + 1 == $writer || (($_ * 5 + 3) % 16) + 1 == $writer } 0 .. $#documents);
	while (@mine)
	{
		my @batch = splice(@mine, 0, 1 + int(rand(4)));
		$sql .= @batch == 1 ? ingest($documents[ $batch[0] ]) : "BEGIN;\n" . join('', map { ingest($documents[$_]) } @batch) . "COMMIT;\n";
		$sql .= "SELECT pg_sleep(0.1) \\g /dev/null\n" if rand() < 0.7;
	}
	session("writer$writer", $sql . "INSERT INTO done VALUES ($writer);\n");
}
# Until the writers are done.
session("folder$_", q{
DO $$
DECLARE
	until timestamptz := clock_timestamp() + interval '3 minutes';
BEGIN
	WHILE (SELECT count(*) FROM done) < 8 AND clock_timestamp() < until LOOP
		CALL llmtrace.fold('0');
		PERFORM pg_sleep(0.03);
		COMMIT;
	END LOOP;
END
$$;
}) for 1 .. 3;
my $reader = q{
SET jit = off;
DO $$
DECLARE
	until timestamptz := clock_timestamp() + interval '3 minutes';
	seen record;
	reads bigint := 0;
	traces bigint := 0;
	spans bigint := 0;
	one uuid;
BEGIN
	WHILE (SELECT count(*) FROM done) < 8 AND clock_timestamp() < until LOOP
		SELECT count(*) AS traces, count(DISTINCT trace_id) AS ids, coalesce(sum(span_count), 0) AS spans INTO seen FROM llmtrace.traces;
		IF seen.traces <> seen.ids THEN RAISE EXCEPTION '% traces, % ids', seen.traces, seen.ids; END IF;
		IF seen.traces < traces OR seen.spans < spans THEN
			RAISE EXCEPTION 'went from % and % to % traces and % spans', traces, spans, seen.traces, seen.spans;
		END IF;
		traces := seen.traces;
		spans := seen.spans;
		FOR one IN SELECT trace_id FROM llmtrace.traces LIMIT 3 OFFSET reads % 100 LOOP
			IF llmtrace.stored_trace(one) IS NULL THEN RAISE EXCEPTION 'trace % cannot be found', one; END IF;
		END LOOP;
		reads := reads + 1;
		IF reads = 1 THEN INSERT INTO reading DEFAULT VALUES; END IF;
		COMMIT;
		PERFORM pg_sleep(0.05);
	END LOOP;
	IF traces = 0 OR reads < 5 THEN RAISE EXCEPTION 'read % times, and last % traces', reads, traces; END IF;
	RAISE NOTICE 'last seen: % traces, % reads', traces, reads;
END
$$;
};
session("reader$_", $reader) for 1 .. 2;

for my $s (@sessions)
{
	my $ok = finish($s->{run});
	ok($ok, "$s->{name} had no error") or diag $s->{err};
	note "$s->{name}: $s->{err}" if $s->{err} =~ /last seen/;
}
unlike(slurp_file($node->logfile), qr/deadlock|could not serialize|duplicate key|PANIC|TRAP/, 'no deadlock, no conflict');

$node->safe_psql('postgres', "CALL llmtrace.fold('0')");
is($node->safe_psql('postgres', 'SELECT count(*) FROM llmtrace.fragments'), 0, 'all is folded');

# As if all had come at once.
$node->safe_psql('postgres', "COPY document (line) FROM '" . sql_file('documents', join('', map { "$_\n" } @documents)) . q{' (FORMAT csv, QUOTE e'\x01', DELIMITER e'\x02')});
is($node->safe_psql('postgres', q{
SET search_path = llmtrace, public;
WITH whole AS (
	SELECT llmtrace.merge_agg(f) AS t FROM document, llmtrace.trajectories_from_otlp(line) f GROUP BY llmtrace.trace_id(f))
SELECT count(*), count(*) FILTER (WHERE w.t IS DISTINCT FROM f.trajectory),
	count(*) FILTER (WHERE f.started_at IS DISTINCT FROM llmtrace.started_at(w.t) OR d.started_at IS DISTINCT FROM f.started_at
		OR f.span_count IS DISTINCT FROM llmtrace.span_count(w.t) OR f.input_tokens IS DISTINCT FROM llmtrace.input_tokens(w.t))
FROM whole w
	FULL JOIN llmtrace.folded f ON f.trace_id = llmtrace.trace_id(w.t)
	FULL JOIN llmtrace.directory d ON d.trace_id = f.trace_id
}), '120|0|0', 'every trace is the merge of all that came in');

$node->stop;
done_testing();
