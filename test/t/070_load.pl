# llmtrace-load: every form of file, going on after any end, following a file
# that is written and rotated, flat memory.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use File::Basename;
use File::Copy qw(copy);
use IO::Compress::Gzip qw(gzip $GzipError);
use IPC::Run;
use JSON::PP;
use Test::More;
use Time::HiRes qw(sleep time);

my $top = dirname(__FILE__) . '/../..';
my $load = "$top/bin/llmtrace-load";
my $generate = $ENV{LLMTRACE_GENERATE} || "$top/bench/generate";
plan skip_all => 'no generator: make bench/generate' unless -x $generate;
plan skip_all => 'no llmtrace-load' unless -x $load;

my $tmp = PostgreSQL::Test::Utils::tempdir();
my $node = PostgreSQL::Test::Cluster->new('main');
$node->init(extra => ['--encoding=UTF8', '--locale=C']);
$node->append_conf('postgresql.conf', "fsync = off\nmax_wal_size = '2GB'\nrestart_after_crash = on");
$node->start;
$ENV{PATH} = $node->config_data('--bindir') . ":$ENV{PATH}";
$ENV{PGHOST} = $node->host;
$ENV{PGPORT} = $node->port;
$ENV{PGDATABASE} = 'postgres';
srand(my $seed = $ENV{LLMTRACE_SEED} || time);
note "LLMTRACE_SEED=$seed";

# ------------------------------------------------------------------ helpers

# Runs the loader: (status, output without commas in numbers, complaints).
sub loader
{
	my @options = @_;
	my $in = ref $options[0] ? shift(@options) : \'';
	my ($out, $err);
	IPC::Run::run([ $load, @options ], '<', $in, '>', \$out, '2>', \$err);
	return ($? >> 8, $out =~ s/(?<=\d),(?=\d)//gr, $err);
}

sub sql { return $node->safe_psql('postgres', $_[0]); }

sub empty_store
{
	sql('TRUNCATE llmtrace.fragments, llmtrace.folded, llmtrace.directory, llmtrace.payloads,'
		. ' llmtrace.ingest_rejected, llmtrace.load_progress, llmtrace.annotation');
}

# Everything that is stored, whether it is folded or not.
sub contents
{
	return sql(q{
		SELECT count(*), sum(llmtrace.span_count(t)), md5(string_agg(md5(t::text), '' ORDER BY trace_id))
		FROM (SELECT trace_id, llmtrace.merge_agg(t) AS t
			FROM (SELECT trace_id, fragment FROM llmtrace.fragments
				UNION ALL SELECT trace_id, trajectory FROM llmtrace.folded) AS x (trace_id, t)
			GROUP BY 1) y});
}

sub spit
{
	my ($name, $content) = @_;
	open(my $file, '>:raw', "$tmp/$name") or die "$tmp/$name: $!";
	print $file $content;
	close($file) or die $!;
	return "$tmp/$name";
}

sub append
{
	my ($path, $content) = @_;
	open(my $file, '>>:raw', $path) or die "$path: $!";
	$file->autoflush(1);
	print $file $content;
	close($file) or die $!;
}

sub generated
{
	my ($name, @options) = @_;
	system($generate, '--until', '2026-01-31T00:00:00Z', '--output', "$tmp/$name", @options) == 0 or die 'generate';
	return slurp_file("$tmp/$name");
}

# A document of one span, with an attribute.
sub document
{
	my ($number, $value) = @_;
	return sprintf('{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"%032x","spanId":"%016x","name":"s",'
		. '"startTimeUnixNano":"1769000000000000000","endTimeUnixNano":"1769000001000000000",'
		. '"attributes":[{"key":"note","value":{"stringValue":"%s"}}]}]}]}]}', $number, $number, $value // 'x');
}

sub eventually
{
	my ($query, $wanted, $name) = @_;
	ok($node->poll_query_until('postgres', $query, $wanted), $name);
}

is(system('env', 'PYTHONDONTWRITEBYTECODE=1', 'python3', "$top/test/load_scanner.py"), 0, 'random files are cut into their documents');

# ------------------------------------------------- every form, the same traces

my $jsonl = generated('a.jsonl', '--traces', 60, '--batch', 64);
my $framed = generated('a.proto', '--traces', 60, '--batch', 64, '--format', 'protobuf');
my @lines = split(/\n/, $jsonl);

my ($status, $out, $err) = loader("$tmp/a.jsonl");
is($status, 1, 'without a store it fails');
like($err, qr/no store.*create_store/s, 'and says what to do');

sql('CREATE EXTENSION llmtrace; SELECT llmtrace.create_store()');
sql(qq{\\copy llmtrace.otlp from '$tmp/a.jsonl' with (format csv, quote e'\\x01', delimiter e'\\x02')});
my $wanted = contents();
my ($spans) = $wanted =~ /\|(\d+)\|/;
cmp_ok($spans, '>', 1000, 'there is something to load');

my $json = JSON::PP->new->utf8(0)->canonical;
sub gz { my ($content) = @_; my $out; gzip(\$content, \$out) or die $GzipError; return $out; }

# Folded, all is as it was.
is((loader('--fold-now', '--again', "$tmp/a.jsonl"))[0], 0, '--fold-now ends well');
is(sql('SELECT count(*) FROM llmtrace.fragments'), 0, 'everything is folded');
is(contents(), $wanted, 'and is what it was, though sent twice');

my @half = (join('', map { "$_\n" } @lines[0 .. 9]), join('', map { "$_\n" } @lines[10 .. $#lines]));
my $pretty = join("\n", map { my $l = $_; $l =~ s/([\[,])(?=\{"(?:key|scope|resource|traceId)")/$1\n    /g; $l =~ s/^\{/{\n  /; $l =~ s/\}$/\n}/; $l } @lines);
my %forms = (
	'lines' => $jsonl,
	'no line end at the end' => $jsonl =~ s/\n\z//r,
	'CRLF' => $jsonl =~ s/\n/\r\n/gr,
	'byte order mark' => "\xef\xbb\xbf$jsonl",
	'blank lines' => "\n \n" . $jsonl =~ s/\n/\n\n\t\n/gr,
	'pretty-printed' => $pretty,
	'concatenated' => $jsonl =~ s/\n//gr,
	'concatenated with blanks' => $jsonl =~ s/\n/ \r\n /gr,
	'gzip' => gz($jsonl),
	'gzip in members' => gz($half[0]) . gz($half[1]),
	'protobuf with lengths' => $framed,
	'protobuf with lengths, gzip' => gz($framed),
);
for my $form (sort keys %forms)
{
	for my $options ([], ['--chunk-mb', 0.05])
	{
		empty_store();
		($status, $out, $err) = loader(@$options, '--no-fold', spit('form', $forms{$form}));
		is("$status $err", '0 ', "$form @$options: loads");
		like($out, qr/ $spans spans accepted, [\d.]+ MB/, "$form @$options: tells the spans");
		is(contents(), $wanted, "$form @$options: the same traces");
	}
	empty_store();
	($status, $out, $err) = loader(\$forms{$form}, '--no-fold', '-');
	is("$status $err", '0 ', "$form from standard input: loads");
	is(contents(), $wanted, "$form from standard input: the same traces");
	($status, $out, $err) = loader('--dry-run', "$tmp/form");
	like($out, qr/ $spans spans, /, "$form: the same count when dry");
}

mkdir "$tmp/split";
generated('split.out', '--traces', 60, '--batch', 64, '--format', 'protobuf', '--split', "$tmp/split");
empty_store();
my @messages = glob("$tmp/split/*.pb");
($status, $out, $err) = loader('--no-fold', @messages);
is("$status $err", '0 ', 'single messages of protobuf load');
like($out, qr/ @{[scalar @messages]} files, /, 'all of them');
is(contents(), $wanted, 'and are the same traces');

# ----------------------------------------------------------------- repairs

empty_store();
($status, $out, $err) = loader('--no-fold', spit('repair', document(1, "a\0b\1c\2d\xffe\x80\\\\") . "\n"
	. document(2, "line\nend\rs") . "\n" . document(3, "\xf0\x9f\x98\x80") . "\n" . ("\0" x 100) . document(4, '}{') . "\n"));
is($status, 0, 'what COPY cannot carry loads');
like($err, qr/^llmtrace-load: \S+repair, line 5: .*\n\z/, 'but for NULs between documents');
like($out, qr/4 spans accepted, 1 document malformed, 107 bytes replaced/, 'replaced bytes are counted');
my $note = q{SELECT encode(convert_to(jsonb_path_query_first(llmtrace.to_otlp(trajectory)::jsonb,
	'$.**.attributes[*] ? (@.key == "note").value.stringValue') #>> '{}', 'UTF8'), 'hex') FROM llmtrace.trajectories ORDER BY trace_id};
my $fffd = 'efbfbd';
is(sql($note), join("\n", "61${fffd}62016302${\'64'}${fffd}65${fffd}5c", '6c696e650a656e640d73', 'f09f9880', '7d7b'), 'each in its place');

# -------------------------------------------------------------- malformed

empty_store();
my @bad = (document(1), 'not JSON', document(2), '\\.', '{"resourceLogs":[]}', '', document(3) =~ s/"spanId":"\d+"/"spanId":"zz"/r,
	substr(document(9), 0, 150) . document(4), substr(document(9), 0, 50), document(5));
my $bad = spit('bad', join('', map { "$_\n" } @bad));
($status, $out, $err) = loader('--no-fold', $bad);
is($status, 0, 'malformed documents do not end the load');
is(join(' ', map { /bad, line (\d+):/ ? $1 : "?$_" } split(/\n/, $err)), '2 4 5 7 8 9', 'each is told with its line') or diag $err;
like($err, qr/line 7: span "zz": /, 'and a span with its id');
like($out, qr/10 documents, 4 spans accepted, 1 span rejected, 5 documents malformed/, 'they are counted');
is(sql('SELECT count(*) FILTER (WHERE span_id IS NULL), count(span_id) FROM llmtrace.ingest_rejected'), '5|1', 'and noted');
is(sql('SELECT count(*) FROM llmtrace.traces'), 4, 'good ones beside them are loaded');
append($bad, "bad again\n");
($status, $out, $err) = loader('--no-fold', $bad);
like($err, qr/bad, line 11: /, 'the line is that of the file also when only its end is loaded');
is($status, 1, 'nothing that is OTLP: a failure');

empty_store();
($status, $out, $err) = loader('--no-fold', spit('badproto', $framed . pack('N', 5) . "\x0a\xffabc" . $framed));
is($status, 0, 'a malformed message does not end the load');
like($err, qr/badproto, byte @{[length $framed]}: /, 'and is told with its place');
is(contents(), $wanted, 'what comes before and after it is loaded');
($status, $out, $err) = loader('--no-fold', spit('badlength', $framed . "\xff\xff\xff\xff" . $framed));
is($status, 1, 'a length that is none is a failure');
like($err, qr/badlength: byte @{[length $framed]}: /, 'with its place');

my $cut = gz($jsonl);
empty_store();
($status, $out, $err) = loader('--no-fold', spit('cut', substr($cut, 0, length($cut) / 2)), "$tmp/a.jsonl", "$tmp/none");
is($status, 1, 'a gzip file that was cut is a failure');
like($err, qr/cut: after \d+ bytes.*none: No such file/s, 'and told, as is a file that is not there');
is(contents(), $wanted, 'the others are loaded');

SKIP:
{
	skip 'no program zstd', 9 if system('zstd --version >/dev/null 2>&1') != 0;
	sub zstd { my ($in, $out) = ($_[0], ''); IPC::Run::run([ 'zstd', '-qc' ], '<', \$in, '>', \$out); return $out; }
	my $compressed = zstd($jsonl);
	my @lines = split(/(?<=\n)/, $jsonl);
	my $half = int(@lines / 2);

	empty_store();
	($status, $out, $err) = loader('--no-fold', spit('whole.zst', zstd(join('', @lines[ 0 .. $half - 1 ])) . zstd(join('', @lines[ $half .. $#lines ]))));
	is("$status $err", '0 ', 'a file compressed with zstd loads, in several frames');
	is(contents(), $wanted, 'and has the same traces');
	like((loader('--no-fold', "$tmp/whole.zst"))[2], qr/loaded already/, 'once');
	empty_store();
	is((loader('--no-fold', spit('exported', join('', map { pack('N/a*', zstd(s/\n//r)) } @lines))))[0], 0, 'as the exporter compresses');
	is(contents(), $wanted, 'the same');
	empty_store();
	is((loader(\$compressed, '--no-fold', '-'))[0], 0, 'from standard input');
	is(contents(), $wanted, 'the same');
	like(join(' ', loader('--no-fold', spit('cut.zst', substr($compressed, 0, length($compressed) / 2)))), qr/^1 .*cut\.zst: after \d+ bytes: zstd: /s, 'one that was cut is a failure');
	like(join(' ', loader('--no-fold', spit('bad.zst', "\x28\xb5\x2f\xfd" . 'x' x 100))), qr/^1 .*bad\.zst: after 0 bytes: zstd: /s, 'so is one that is none');
}
mkdir "$tmp/programs" or die $!;
for my $program ('python3', 'psql')
{
	my ($path) = grep { -x } map { "$_/$program" } split(/:/, $ENV{PATH});
	symlink($path, "$tmp/programs/$program") or die $!;
}
{
	local $ENV{PATH} = "$tmp/programs";
	like(join(' ', loader('--no-fold', spit('none.zst', "\x28\xb5\x2f\xfd" . 'x' x 100))), qr/^1 .*there is no program zstd/s, 'without the program it says so');
}

# ------------------------------------------------------------------ going on

empty_store();
my $grows = spit('grows', $half[0]);
loader('--no-fold', $grows);
($status, $out, $err) = loader('--no-fold', $grows);
like("$status $err $out", qr/^0 .*loaded already\n.* 0 documents, 0 spans/s, 'a second run loads nothing and says so');
append($grows, $half[1] . substr($lines[0], 0, 1000));
($status, $out, $err) = loader('--no-fold', $grows);
like($out, qr/ @{[@lines - 10]} documents/, 'of a file that grew the new part is loaded');
like($err, qr/not complete, 1,000 bytes left/, 'but no half document');
append($grows, substr($lines[0], 1000) . "\n");
($status, $out, $err) = loader('--no-fold', $grows);
like("$status $out $err", qr/^0 .* 1 document, /, 'which is loaded once it is whole');
is(contents(), $wanted, 'all is there, once');
($status, $out, $err) = loader('--again', '--no-fold', $grows);
like($out, qr/ @{[@lines + 1]} documents/, '--again loads everything');
is(contents(), $wanted, 'and changes nothing');
spit('grows', $half[1] . $half[0]);
($status, $out, $err) = loader('--no-fold', $grows);
like($out, qr/ @{[scalar @lines]} documents/, 'another file of that name is loaded from its start');

# An equal beginning of two files of one name, down to their first document.
empty_store();
loader('--no-fold', spit('small', "{\"resourceSpans\":[]}\n" . document(1) . "\n"));
loader('--no-fold', spit('small', "{\"resourceSpans\":[]}\n" . document(2) . "\n"));
is(sql('SELECT count(*) FROM llmtrace.traces'), 2, 'small files that begin alike are told apart');

# ------------------------------------------------------------------- roles

empty_store();
sql(q{CREATE ROLE collector LOGIN; SELECT llmtrace.grant_writer('collector')});
($status, $out, $err) = loader('-U', 'collector', $bad, "$tmp/a.proto");
is($status, 0, 'a writer can load');
like($out, qr/ @{[$spans + 4]} spans accepted, 1 span rejected, 6 documents malformed/, 'and learns what was rejected');
like($err, qr/loaded, but not folded: .*permission denied.*SELECT llmtrace\.grant_folder\('\w+'\)/s, 'but not fold, and is told who could');
($status, $out, $err) = loader('-U', 'collector', '--no-fold', $bad);
like("$status $err", qr/^0 .*loaded already/, 'and goes on where he was');
sql(q{SELECT llmtrace.grant_folder('collector')});
($status, $out, $err) = loader('-d', "host=$ENV{PGHOST} port=$ENV{PGPORT} user=collector dbname=postgres", "$tmp/a.proto", '--fold-now');
unlike($err, qr/not folded/, 'a folder can; a conninfo is taken');
sql(q{DROP OWNED BY collector; DROP ROLE collector});

# --------------------------------------------------------- kill at any moment

sub start_loader
{
	my @options = @_;
	my ($out, $err) = ('', '');
	my $run = IPC::Run::start([ $load, @options ], '<', \undef, '>', "$tmp/loader.out", '2>', "$tmp/loader.err");
	return $run;
}

generated('k.jsonl', '--traces', 1500, '--batch', 64);
empty_store();
my $begun = time;
loader('--no-fold', '--chunk-mb', 0.3, "$tmp/k.jsonl");
my $seconds = time - $begun;
my $k_wanted = contents();
for my $victim ('the loader', 'the server', 'a backend')
{
	empty_store();
	my $killed = 0;
	for my $round (1 .. 6)
	{
		my $run = start_loader('--chunk-mb', 0.3, '--no-fold', "$tmp/k.jsonl");
		sleep(0.2 + rand($seconds / 8));
		if ($victim eq 'the loader')
		{
			$run->signal('KILL');
		}
		elsif ($victim eq 'the server')
		{
			$node->stop('immediate');
			$node->start;
		}
		else
		{
			my $pid = sql(q{SELECT min(pid) FROM pg_stat_activity WHERE application_name = 'llmtrace-load'});
			kill 'KILL', $pid if $pid;
		}
		eval { $run->finish; };
		$killed++ if $run->full_result(0);
		$node->poll_query_until('postgres', 'SELECT true');
	}
	cmp_ok($killed, '>', 0, "$victim was killed $killed times while loading");
	my $loaded = sql('SELECT coalesce(max(loaded_bytes), 0) FROM llmtrace.load_progress');
	note "loaded by then: $loaded of " . -s "$tmp/k.jsonl";
	($status, $out, $err) = loader('--no-fold', "$tmp/k.jsonl");
	is($status, 0, "after $victim was killed the load goes on") or diag $err;
	is(sql('SELECT max(loaded_bytes) FROM llmtrace.load_progress'), -s "$tmp/k.jsonl", 'to the end');
	is(contents(), $k_wanted, 'with nothing lost and nothing doubled');
}

# ------------------------------------------------------------------ following

empty_store();
my $live = "$tmp/live.jsonl";
my $count = 'SELECT sum(span_count) FROM llmtrace.traces';
my $run = start_loader('--follow', $live);
sleep(0.5);
append($live, document(1) . "\n");
eventually($count, 1, 'follow waits for the file, and loads it');
append($live, substr(document(2), 0, 100));
sleep(0.5);
append($live, substr(document(2), 100));
eventually($count, 2, 'a document is loaded when it is whole, also without a line end');
append($live, "\n" . document(3) . "\n");
rename($live, "$tmp/live-1.jsonl");
append("$tmp/live-1.jsonl", document(4) . "\n");
append($live, document(5) . "\n");
eventually($count, 5, 'a rotation loses nothing');
open(my $file, '>', $live);
close($file);
append($live, document(6) . "\n");
eventually($count, 6, 'a truncated file is read from its start');
$node->stop('immediate');
append($live, document(7) . "\n");
rename($live, "$tmp/live-2.jsonl");
append($live, document(8) . "\n");
rename($live, "$tmp/live-3.jsonl");
append($live, document(9) . "\n");
sleep(1);
$node->start;
eventually($count, 9, 'follow comes back after the server was away, and misses no rotated file');
append($live, document(10 + $_) . "\n") for 1 .. 200;
eventually($count, 209, 'many small documents');
$run->signal('TERM');
eval { $run->finish; };
is($run->full_result(0), 0, 'it ends cleanly') or diag slurp_file("$tmp/loader.err");
like(slurp_file("$tmp/loader.out"), qr/spans accepted/, 'with a summary');
append($live, document(300) . "\n");
$run = start_loader('--follow', $live);
eventually($count, 210, 'and begins where it ended');
eventually('SELECT count(*) > 0 FROM llmtrace.folded', 't', 'follow folds');
$run->signal('INT');
eval { $run->finish; };
is($run->full_result(0), 0, 'an interrupt ends it cleanly, too');
like(slurp_file("$tmp/loader.out"), qr/ 1 document, 1 span accepted/, 'what was loaded was not loaded again');

# -------------------------------------------------------------------- memory

SKIP:
{
	skip 'no /proc', 3 unless -e '/proc/self/status';
	sub memory { my ($pid, $what) = @_; return eval { slurp_file("/proc/$pid/status") } =~ /^$what:\s+(\d+)/m ? $1 : 0; }
	my $traces = $ENV{LLMTRACE_LOAD_TRACES} || 300;
	generated('big', '--traces', $traces, '--rich');
	empty_store();
	my %peak = (first => 0, later => 0, loader => 0);
	my $run = start_loader('--chunk-mb', 4, '--no-fold', "$tmp/big");
	my $pid = $run->{KIDS}[0]{PID};
	while (my $loader = memory($pid, 'VmHWM'))	# one that has ended has none
	{
		my ($backend, $loaded) = split(/\|/, sql(q{SELECT coalesce((SELECT min(pid) FROM pg_stat_activity
			WHERE application_name = 'llmtrace-load'), 0), coalesce((SELECT max(loaded_bytes) FROM llmtrace.load_progress), 0)}));
		my $when = $loaded < 0.3 * -s "$tmp/big" ? 'first' : 'later';
		my %now = ($when => $backend ? memory($backend, 'RssAnon') : 0, loader => $loader);
		for (keys %now) { $peak{$_} = $now{$_} if $now{$_} > $peak{$_}; }
		sleep(0.05);
	}
	$run->finish;
	note sprintf('%d MB of file: loader %d kB, backend %d kB, later %d kB', (-s "$tmp/big") / 1e6, @peak{qw(loader first later)});
	cmp_ok($peak{loader}, '<', 90_000, 'the loader stays small');
	cmp_ok($peak{loader}, '>', 0, 'and was measured');
	cmp_ok($peak{later}, '<', 1.3 * $peak{first} + 10_000, 'the backend stays as it was at first');
}

$node->stop;
done_testing();
