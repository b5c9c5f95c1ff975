# Eval sets drawn from a store: the same ones again, smaller in larger, weights
# that add up, no conversation on two sides; and files that others read.

use strict;
use warnings FATAL => 'all';
use Cwd qw(abs_path);
use File::Basename qw(dirname);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $top = abs_path(dirname(__FILE__) . '/../..');
my $generate = $ENV{LLMTRACE_GENERATE} || "$top/bench/generate";

plan skip_all => 'no generator: make bench/generate' unless -x $generate;

my $node = PostgreSQL::Test::Cluster->new('evals');
$node->init(extra => [ '--encoding=UTF8', '--locale=C' ]);
$node->append_conf('postgresql.conf', "jit = off\nfsync = off\n");
$node->start;

my $folder = PostgreSQL::Test::Utils::tempdir();
for my $name (qw(plain rich))
{
	my $options = $name eq 'plain' ? '--traces 800' : '--traces 60 --rich --seed 5';
	system("$generate $options --days 5 --until 2026-01-31T00:00:00Z >$folder/$name.jsonl") == 0 or die 'the generator failed';
	$node->safe_psql('postgres', "CREATE DATABASE $name");
	$node->safe_psql($name, <<SQL);
CREATE EXTENSION llmtrace;
SELECT llmtrace.create_store();
\\copy llmtrace.otlp from '$folder/$name.jsonl' with (format csv, quote e'\\x01', delimiter e'\\x02')
CALL llmtrace.fold(quiet_for => '0');
ANALYZE;
SQL
}

sub is_true { my ($database, $sql, $what) = @_; is($node->safe_psql($database, $sql), 't', $what) }

# ----------------------------------------------------------------- what is drawn ---

my $period = "since => '2026-01-01', until => '2026-02-01'";
sub drawn
{
	my ($n, $more) = @_;
	return "SELECT sample_id, split, stratum FROM llmtrace.eval_sample($n, $period, bodies => false, $more)";
}

for my $per (qw(trace model_call))
{
	for my $policy (qw(uniform priority novelty))
	{
		for my $allocation ($per eq 'trace' ? qw(equal proportional neyman log) : 'equal')
		{
			my $more = "strata => '{feature}', per => '$per', policy => '$policy', allocation => '$allocation', seed => 7";
			my $what = "$per, $policy, $allocation";
			is_true('plain', "SELECT count(*) = 90 AND count(DISTINCT sample_id) = 90 FROM (" . drawn(90, $more) . ') x', "$what: as many as asked for");
			is_true('plain', 'SELECT NOT EXISTS (' . drawn(90, $more) . ' EXCEPT ' . drawn(90, $more) . ')', "$what: the same again");
			is_true('plain', 'SELECT NOT EXISTS (' . drawn(40, $more) . ' EXCEPT ' . drawn(90, $more) . ')', "$what: more contain fewer");
		}
	}
}
is_true('plain', 'SELECT count(*) > 30 FROM (' . drawn(50, 'seed => 1') . ' EXCEPT ' . drawn(50, 'seed => 2') . ') x', 'another seed draws others');
is_true('plain', "SELECT count(*) = 90 FROM (SELECT FROM llmtrace.eval_sample(90, matching => '{ isError }', $period, bodies => false) e
	JOIN llmtrace.traces t ON t.trace_id = e.trace_id::uuid WHERE t.error_count > 0) x", 'matching: only of what matches');
is_true('plain', 'SELECT count(*) > 5 AND max(splits) = 1 FROM (
	SELECT count(DISTINCT e.split) AS splits FROM llmtrace.eval_sample(800, ' . $period . ", bodies => false) e
	GROUP BY e.metadata ->> 'conversation_id' HAVING count(*) > 1) x", 'no conversation is on two sides');
is_true('plain', 'SELECT count(DISTINCT split) = 3 FROM (' . drawn(800, 'seed => 1') . ') x', 'there are three sides');

# --------------------------------------------------------------------- weights ---

is_true('plain', "SELECT bool_and(abs(e.weight / t.n - 1) < 1e-9) AND bool_and(e.p BETWEEN 0 AND 1) FROM (
		SELECT stratum, sum(weight) AS weight, min(inclusion_probability) AS p FROM llmtrace.eval_chosen(60, '{feature}', NULL, 'trace', 'log', 'uniform', 3,
			'2026-01-01', '2026-02-01') GROUP BY stratum) e
	JOIN (SELECT 'feature=' || feature AS stratum, count(*) AS n FROM llmtrace.traces GROUP BY feature) t USING (stratum)",
	'uniform weights add up to each stratum');

# Over seeds, estimates of the number of failed traces, and of all, are right on average.
for my $policy (qw(uniform priority novelty))
{
	my $z = $node->safe_psql('plain', "SELECT round(((avg(e.failed) - t.failed) / (stddev(e.failed) / sqrt(count(*))))::numeric, 2),
			round(((avg(e.weight) - t.n) / greatest(stddev(e.weight) / sqrt(count(*)), 1e-6))::numeric, 2)
		FROM (SELECT count(*) AS n, count(*) FILTER (WHERE error_count > 0) AS failed FROM llmtrace.traces) t,
			LATERAL (SELECT seed, sum(c.weight) AS weight, coalesce(sum(c.weight) FILTER (WHERE x.error_count > 0), 0) AS failed
				FROM generate_series(1, 150) seed,
					LATERAL llmtrace.eval_chosen(60, '{feature}', NULL, 'trace', 'equal', '$policy', seed, '2026-01-01', '2026-02-01') c
					JOIN llmtrace.traces x ON x.trace_id = c.trace_id
				GROUP BY seed) e
		GROUP BY t.n, t.failed");
	my ($failed, $all) = split /\|/, $z;
	cmp_ok(abs($failed), '<', 3.5, "$policy: the failed ones are estimated without bias (z $failed)");
	cmp_ok(abs($all), '<', 3.5, "$policy: so are all (z $all)");
}
is_true('plain', "SELECT avg((t.error_count > 0)::int) > 2 * (SELECT avg((error_count > 0)::int) FROM llmtrace.traces)
	FROM llmtrace.eval_chosen(100, '{}', NULL, 'trace', 'equal', 'priority', 1, '2026-01-01', '2026-02-01') c JOIN llmtrace.traces t USING (trace_id)",
	'priority draws what failed more often');

# What is rare: computed in another way from the signatures, and drawn more often.
my $shapes = "SELECT trace_id, regexp_replace(llmtrace.path_signature(trajectory) || ' / ' || coalesce(llmtrace.failure_signature(trajectory), 'none'), ' x\\d+', '', 'g') AS shape FROM llmtrace.trajectories";
is_true('plain', "WITH s AS ($shapes), n AS (SELECT shape, count(*) AS alike FROM s GROUP BY shape)
	SELECT count(*) = 800 AND max(n.alike) > 10 AND min(n.alike) = 1 AND bool_and(abs(r.rarity - greatest(1, 100.0 / n.alike)) < 1e-9 AND r.alike_count = n.alike AND r.all_count = 800)
	FROM s JOIN n USING (shape) JOIN llmtrace.trace_rarity('2026-01-01', '2026-02-01') r USING (trace_id)", 'rarity is of how a trace went and failed');
is_true('plain', "SELECT avg(r.alike_count) FILTER (WHERE policy = 'novelty') < 0.8 * avg(r.alike_count) FILTER (WHERE policy = 'uniform')
	FROM unnest('{uniform,novelty}'::text[]) policy, generate_series(1, 10) seed, llmtrace.eval_chosen(100, '{}', NULL, 'trace', 'equal', policy, seed, '2026-01-01', '2026-02-01')
		JOIN llmtrace.trace_rarity('2026-01-01', '2026-02-01') r USING (trace_id)", 'novelty draws what is rare more often');

# What head sampling let through stands for more.
$node->safe_psql('plain', q{
CREATE DATABASE heads TEMPLATE template0;
});
$node->safe_psql('heads', q{
CREATE EXTENSION llmtrace;
SELECT llmtrace.create_store();
SELECT llmtrace.ingest_otlp(format('{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"%s","spanId":"%s","name":"s","traceState":"%s",
	"startTimeUnixNano":"1767225600000000000","endTimeUnixNano":"1767225601000000000"}]}]}]}', md5(n::text), left(md5(n::text), 16),
	CASE WHEN n <= 20 THEN 'ot=th:8' ELSE '' END)) FROM generate_series(1, 60) n;
CALL llmtrace.fold('0');
});
is_true('heads', "SELECT abs(sum(weight) - 80) < 1e-9 AND count(*) = 60 FROM llmtrace.eval_sample(60, since => '2026-01-01', bodies => false)",
	'weights count with head sampling');

# ------------------------------------------------------------------- reservoir ---

# The same as sample_agg over everything, whatever the index holds; also where there are too few, and where a value is missing.
$node->safe_psql('plain', "UPDATE llmtrace.folded SET feature = NULL WHERE feature = 'ops-agent'; UPDATE llmtrace.folded SET sample_weight = 3 WHERE trace_id > '80000000-0000-0000-0000-000000000000'");
cmp_ok($node->safe_psql('plain', "SELECT llmtrace.create_reservoir('feature', 8)"), '<', 1, 'a reservoir holds a part');
for my $k (3, 8, 40)
{
	is($node->safe_psql('plain', "SELECT count(*) FILTER (WHERE s.trace_id IS NULL OR a.key IS NULL AND $k < 40), count(*) FILTER (WHERE abs(s.inclusion_probability - least(a.probability, b.share)) > 1e-12), count(*) > 10
		FROM (SELECT feature AS value, i.* FROM (SELECT feature, llmtrace.sample_agg(trace_id, $k, NULL::bigint, NULL::float8, 1 / greatest(sample_weight, 1)) AS sample
				FROM llmtrace.folded WHERE llmtrace.trace_rank(trace_id) < (SELECT rank_below FROM llmtrace.reservoir) GROUP BY feature) g, LATERAL llmtrace.sample_items(g.sample) i) a
			FULL JOIN llmtrace.stratified_sample('feature', $k) s ON s.trace_id = a.key::uuid,
			(SELECT rank_below / 72057594037927936::float8 AS share FROM llmtrace.reservoir) b"), '0|0|t', "the $k of lowest rank of every value, with their probabilities");
}
is_true('plain', "SELECT count(*) > 0 AND bool_and(t.started_at >= '2026-01-29') FROM llmtrace.stratified_sample('feature', 5, since => '2026-01-29') JOIN llmtrace.traces t USING (trace_id)", 'of a period');
{
	my ($status, undef, $error) = $node->psql('plain', "SELECT * FROM llmtrace.stratified_sample('tenant_id')");
	like($error, qr/there is no reservoir of "tenant_id".*create_reservoir/s, 'no reservoir: what to do');
	($status, undef, $error) = $node->psql('plain', "SELECT llmtrace.create_reservoir('featur')");
	like($error, qr/unknown stratum "featur".*Did you mean "feature"/s, 'no such column');
	($status, undef, $error) = $node->psql('plain', "SELECT * FROM llmtrace.stratified_sample('feature', 0)");
	like($error, qr/sample size 0 is out of range/, 'no sample of none');
}

# ---------------------------------------------------------------- what was said ---

# A model call whose user writes what templates and loaders would run.
my @tricky = ('plain', '{{ 7*7 }}', 'file:///etc/hostname', '{% raw %}a{% endraw %} {%- if %} b', 'x {# no #} y', "{%\nendraw %}{{7*7}}", 'python: 1',
	'{{env.PATH}}', '{{{x', "two\nlines \"quoted\" \\ back", '[1,2]');
$node->safe_psql('rich', q{
CREATE TABLE tricky (n int PRIMARY KEY, said text);
CREATE FUNCTION say(n int, said text) RETURNS void LANGUAGE sql AS $$
	SELECT llmtrace.ingest_otlp(json_build_object('resourceSpans', json_build_array(json_build_object('scopeSpans', json_build_array(json_build_object('spans', json_build_array(
		json_build_object('traceId', lpad(to_hex(n), 32, 'f'), 'spanId', lpad(to_hex(n), 16, 'f'), 'name', 'chat tricky', 'startTimeUnixNano', '1767225600000000000',
			'endTimeUnixNano', '1767225601000000000', 'attributes', json_build_array(
				json_build_object('key', 'gen_ai.operation.name', 'value', json_build_object('stringValue', 'chat')),
				json_build_object('key', 'user.id', 'value', json_build_object('stringValue', 'the-user')),
				json_build_object('key', 'retrieval.documents.0.document.content', 'value', json_build_object('stringValue', 'what is so')),
				json_build_object('key', 'gen_ai.conversation.id', 'value', json_build_object('stringValue', 'tricky-' || n % 3)),
				json_build_object('key', 'gen_ai.input.messages', 'value', json_build_object('stringValue',
					json_build_array(json_build_object('role', 'user', 'parts', json_build_array(json_build_object('type', 'text', 'content', said))))::text)),
				json_build_object('key', 'gen_ai.output.messages', 'value', json_build_object('stringValue',
					json_build_array(json_build_object('role', 'assistant', 'parts', json_build_array(json_build_object('type', 'text', 'content', 'answer ' || n))))::text))
			))))))))::text)
$$;
});
for my $n (0 .. $#tricky)
{
	(my $quoted = $tricky[$n]) =~ s/'/''/g;
	$node->safe_psql('rich', "INSERT INTO tricky VALUES ($n, '$quoted'); SELECT say($n, '$quoted')");
}
$node->safe_psql('rich', "CALL llmtrace.fold('0');
	INSERT INTO llmtrace.annotation (trace_id, name, comment, at) SELECT trace_id, 'correction', x.text, x.at FROM llmtrace.traces,
		(VALUES ('say this instead {{ 1 }}', timestamptz '2026-02-02'), ('older', '2026-02-01')) x (text, at) WHERE root_name = 'chat tricky'");

my $said = "llmtrace.eval_sample(1000, $period)";
is_true('rich', "SELECT count(*) = (SELECT count(*) FROM llmtrace.traces) AND bool_and(input IS NOT NULL) FROM $said", 'every trace has an input');
is_true('rich', "SELECT bool_and(jsonb_typeof(input) = 'array' AND NOT EXISTS (SELECT FROM jsonb_array_elements(input) m
	WHERE m ->> 'role' IS NULL OR m -> 'content' IS NULL AND m -> 'parts' IS NULL)) FROM $said WHERE jsonb_typeof(input) <> 'object'",
	'inputs are messages with roles and contents');
is_true('rich', "SELECT count(*) = @{[ scalar @tricky ]} AND bool_and(expected = '\"say this instead {{ 1 }}\"'
	AND input #>> '{0,parts,0,content}' = t.said AND output #>> '{0,parts,0,content}' = 'answer ' || t.n) FROM $said e
	JOIN tricky t ON e.trace_id = lpad(to_hex(t.n), 32, 'f')", 'input, output, and the latest correction as expected');
is_true('rich', "SELECT count(*) > 0 AND bool_and(expected IS NULL) FROM $said e WHERE e.trace_id NOT LIKE 'fff%'", 'expected is never what the model said');
is_true('rich', "SELECT count(*) > 0 FROM $said e, jsonb_array_elements(e.metadata -> 'tools_called') t WHERE t ->> 'name' IS NOT NULL AND t -> 'output' <> 'null'",
	'tools are in the metadata');
is_true('rich', "SELECT NOT bool_or(metadata::text ~ 'the-user') FROM $said", 'users are not');
is_true('rich', "SELECT bool_and(e.span_id = c.span_id AND jsonb_array_length(e.input) > 0 AND e.metadata ->> 'model' = c.model) FROM
	llmtrace.eval_sample(40, per => 'model_call', $period) e JOIN llmtrace.model_calls c ON c.trace_id = e.trace_id::uuid AND c.span_id = e.span_id
	WHERE jsonb_typeof(e.input) = 'array' AND c.model IS NOT NULL", 'model calls have theirs');

# ----------------------------------------------------------------------- rights ---

$node->safe_psql('rich', "CREATE ROLE analyst LOGIN; CREATE ROLE reviewer LOGIN; SELECT llmtrace.grant_reader('analyst'); SELECT llmtrace.grant_payload_reader('reviewer')");
for my $role (qw(analyst reviewer))
{
	my ($status, $out, $error) = $node->psql('rich', "SET ROLE $role; SELECT count(*) FROM $said");
	if ($role eq 'reviewer') { is($status, 0, "$role: bodies") or diag($error) }
	else { like($error, qr/permission denied for message bodies.*grant_payload_reader/s, "$role: no bodies, and what to do") }
	($status, $out, $error) = $node->psql('rich', "SET ROLE $role; SELECT count(*) > 0, count(input) FROM llmtrace.eval_sample(50, $period, bodies => false)");
	is($out, 't|0', "$role: ids and weights") or diag($error);
	($status, $out, $error) = $node->psql('rich', "SET ROLE $role; SELECT count(*) FROM llmtrace.eval_sample_take('set', 'test', 5, $period, bodies => false)");
	like($error, qr/permission denied for table sample_lineage/, "$role: may not write lineage");
}
is($node->safe_psql('rich', "SELECT count(*) FROM llmtrace.eval_sample_take('set', 'test', 5, $period);
	SELECT count(*), bool_and(cardinality(body_hashes) > 0 AND dataset = 'set' AND purpose = 'test' AND weight > 0) FROM llmtrace.sample_lineage"), "5\n5|t", 'lineage');
{
	my ($status, $out, $error) = $node->psql('rich', "SET default_transaction_read_only = on; SELECT count(*) FROM $said");
	is($status, 0, 'eval_sample is read-only') or diag($error);
}

# ---------------------------------------------------------------- as others read ---

# Inspect's documentation of datasets (inspect.aisi.org.uk/datasets.html, and the reference of inspect_ai.dataset): a
# Sample has input (a string or a list of chat messages; the one required field), target (a string or strings), id,
# metadata (an object), choices, sandbox, files, setup. json_dataset reads lines without a FieldSpec where these are the
# names of the fields, as FieldSpec's defaults have them; metadata is taken as an object or as JSON in a string. Its reader
# refuses an empty input, messages without content, and roles other than system, user, assistant and tool; it passes on
# tool_calls of the assistant's messages and tool_call_id of the tools'.
my $inspect = "llmtrace.eval_sample_inspect(1000, $period)";
is_true('rich', "SELECT count(*) = (SELECT count(*) FROM llmtrace.traces) AND bool_and((SELECT array_agg(k ORDER BY k) FROM jsonb_object_keys(s) k) = '{id,input,metadata,target}'
	AND jsonb_typeof(s -> 'id') = 'string' AND jsonb_typeof(s -> 'target') = 'string' AND jsonb_typeof(s -> 'metadata') = 'object') FROM $inspect s", 'Inspect: fields');
is_true('rich', "SELECT count(*) > 100 AND bool_and(m ->> 'role' IN ('system', 'user', 'assistant', 'tool') AND jsonb_typeof(m -> 'content') = 'string'
	AND (m -> 'tool_calls' IS NULL OR m ->> 'role' = 'assistant')) FROM $inspect s, jsonb_array_elements(s -> 'input') m", 'Inspect: messages');
is_true('rich', "SELECT count(*) = @{[ scalar @tricky ]} FROM $inspect s WHERE s ->> 'target' = 'say this instead {{ 1 }}'", 'Inspect: target');

is_true('rich', "SELECT bool_and(jsonb_array_length(s -> 'input') > 0 AND s -> 'metadata' -> 'weight' IS NOT NULL) AND count(DISTINCT s ->> 'id') = count(*) FROM $inspect s", 'Inspect: no input is empty, ids are unique');

# The other shapes. OpenAI Evals: input as chat messages, ideal a string. DeepEval's goldens: input, actual_output and
# expected_output strings, retrieval_context strings, tools_called of name, input_parameters (an object) and output.
# LangSmith's examples: inputs, outputs and metadata objects, split a string. Phoenix: input, output, metadata objects.
sub projection { return "llmtrace.eval_sample_$_[0](1000, $period)" }
my $all = '(SELECT count(*) FROM llmtrace.traces)';
my $corrected = scalar @tricky;
is_true('rich', "SELECT count(*) = $all AND bool_and(s -> 'input' = i -> 'input') AND count(s -> 'ideal') = $corrected AND bool_and(s ->> 'ideal' IS NULL OR s ->> 'ideal' = i ->> 'target')
	AND bool_and(s ? 'metadata') FROM @{[ projection('openai') ]} s JOIN $inspect i ON i ->> 'id' = s #>> '{metadata,sample_id}'", 'OpenAI Evals');
is_true('rich', "SELECT count(*) = $all AND bool_and(jsonb_typeof(s -> 'input') = 'string') AND count(s -> 'expected_output') = $corrected
	AND bool_and(jsonb_typeof(s -> 'actual_output') = 'string') FILTER (WHERE s ? 'actual_output') AND count(s -> 'actual_output') > 20
	AND bool_and(NOT (s -> 'additional_metadata') ? 'tools_called') FROM @{[ projection('deepeval') ]} s", 'DeepEval');
is_true('rich', "SELECT count(*) > 10 AND bool_and(c ->> 'name' IS NOT NULL AND coalesce(jsonb_typeof(c -> 'input_parameters') = 'object', true)) AND count(c -> 'input_parameters') > 10 AND count(c -> 'output') > 10
	FROM @{[ projection('deepeval') ]} s, jsonb_array_elements(s -> 'tools_called') c", 'DeepEval: tools');
is_true('rich', "SELECT count(*) = $corrected AND bool_and(s -> 'retrieval_context' = '[\"what is so\"]') FROM @{[ projection('deepeval') ]} s WHERE s ? 'retrieval_context'", 'DeepEval: documents');
is_true('rich', "SELECT bool_and(s ->> 'input' = t.said AND s ->> 'actual_output' = 'answer ' || t.n) AND count(*) = $corrected FROM @{[ projection('deepeval') ]} s JOIN tricky t ON s #>> '{additional_metadata,trace_id}' = lpad(to_hex(t.n), 32, 'f')", 'DeepEval: what was said');
is_true('rich', "SELECT count(*) = $all AND bool_and(jsonb_typeof(s #> '{inputs,messages}') = 'array' AND s ->> 'split' IN ('train', 'validation', 'test') AND jsonb_typeof(s -> 'metadata') = 'object')
	AND count(s -> 'outputs') = $corrected AND bool_and(s #>> '{outputs,output}' = 'say this instead {{ 1 }}') FILTER (WHERE s ? 'outputs') FROM @{[ projection('langsmith') ]} s", 'LangSmith');
is_true('rich', "SELECT count(*) = $all AND bool_and(jsonb_typeof(s #> '{input,messages}') = 'array' AND jsonb_typeof(s -> 'output') = 'object' AND jsonb_typeof(s -> 'metadata') = 'object' AND s ->> 'span_id' IS NOT NULL)
	AND count(s #> '{output,output}') = $corrected FROM @{[ projection('phoenix') ]} s", 'Phoenix');

my $promptfoo = "llmtrace.eval_sample_promptfoo(1000, $period)";
is_true('rich', "SELECT count(*) = (SELECT count(*) FROM llmtrace.traces) AND bool_and(jsonb_typeof(p #> '{vars,input}') = 'string'
	AND jsonb_typeof(p #> '{vars,messages}') = 'string' AND p #>> '{metadata,weight}' IS NOT NULL) FROM $promptfoo p", 'promptfoo: fields');

SKIP:
{
	# where promptfoo was installed: npm install promptfoo
	my $modules = $ENV{LLMTRACE_PROMPTFOO} || '';
	my $program = "$modules/node_modules/promptfoo/dist/src/entrypoint.js";
	skip 'no promptfoo: npm install promptfoo in a folder, and LLMTRACE_PROMPTFOO=folder', 4 unless -e $program;

	my $where = PostgreSQL::Test::Utils::tempdir();
	run_command([ 'psql', '-XAtq', '-d', $node->connstr('rich'), '-c', "SELECT $promptfoo", '-o', "$where/tests.jsonl" ]);
	append_to_file("$where/promptfooconfig.yaml", "prompts:\n  - 'say {{ input }}'\nproviders:\n  - echo\ntests: file://tests.jsonl\n");
	local %ENV = (%ENV, PROMPTFOO_DISABLE_TELEMETRY => 1, PROMPTFOO_DISABLE_UPDATE => 1, PROMPTFOO_CONFIG_DIR => "$where/state", HOME => $where);
	my ($out, $error) = run_command([ 'node', $program, 'validate', '-c', "$where/promptfooconfig.yaml" ]);
	like($out, qr/Configuration is valid/, 'promptfoo validates the file') or diag($error);
	($out, $error) = run_command([ 'node', $program, 'eval', '-c', "$where/promptfooconfig.yaml", '-o', "$where/out.json", '--no-cache', '--no-table', '--no-progress-bar' ]);
	ok(-s "$where/out.json", 'promptfoo runs it') or diag($error);
	$node->safe_psql('rich', "CREATE TABLE outcome (o json); \\copy outcome from program 'node -e \"console.log(JSON.stringify(JSON.parse(require(\\\"fs\\\").readFileSync(\\\"$where/out.json\\\")).results.results))\"' with (format csv, quote e'\\x01', delimiter e'\\x02')");
	is($node->safe_psql('rich', "SELECT count(*) = (SELECT count(*) FROM llmtrace.traces), bool_and(r ->> 'error' IS NULL OR r ->> 'error' LIKE 'Expected output%') FROM outcome, json_array_elements(o) r"),
		't|t', 'promptfoo has every test');
	is($node->safe_psql('rich', "SELECT string_agg(t.said, E'\\n') FROM outcome, json_array_elements(o) r JOIN tricky t
		ON r #>> '{testCase,metadata,trace_id}' = lpad(to_hex(t.n), 32, 'f') WHERE r #>> '{response,output}' <> 'say ' || t.said"), '',
		'what people wrote is neither run nor opened');
}

done_testing();
