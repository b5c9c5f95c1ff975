# The store as a whole: dump and restore, who may do what, row-level security,
# schemas that mean harm, an owner who is no superuser.
use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $tmp = PostgreSQL::Test::Utils::tempdir();
my $node = PostgreSQL::Test::Cluster->new('main');
$node->init(extra => [ '--encoding=UTF8', '--locale=C' ]);
$node->append_conf('postgresql.conf', "log_statement = none\ntimezone = 'UTC'\n");
$node->start;

# psql as a role; standard output, or what went wrong.
sub as
{
	my ($role, $sql, %options) = @_;
	my ($out, $err) = ('', '');
	my $status = ($options{node} // $node)->psql($options{db} // 'postgres', $sql, stdout => \$out, stderr => \$err, extra_params => [ '-U', $role ], on_error_stop => 1);
	return $status ? "failed: $err" : $out;
}
sub refuses
{
	my ($role, $sql, $pattern, $name) = @_;
	like(as($role, $sql), qr/failed: .*$pattern/s, $name);
}
# A span of a trace; seconds from the start of 2026; a secret in its prompt.
sub document
{
	my ($trace, $span, $start, $tenant) = @_;
	$tenant = $tenant ? qq({"key":"tenant.id","value":{"stringValue":"$tenant"}},) : '';
	return sprintf('{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"%s","spanId":"%s","parentSpanId":"%s","name":"span %s","startTimeUnixNano":"%d000000000","endTimeUnixNano":"%d000000000",'
		. '"status":{"code":2,"message":"%s"},"attributes":[%s{"key":"gen_ai.request.model","value":{"stringValue":"gpt-x"}},{"key":"gen_ai.operation.name","value":{"stringValue":"chat"}},{"key":"gen_ai.usage.input_tokens","value":{"intValue":1000}},'
		. '{"key":"app.feature","value":{"stringValue":"search"}},'
		. '{"key":"gen_ai.input.messages","value":{"stringValue":"[{\"role\":\"user\",\"content\":\"the secret of %s\"}]"}}],'
		. '"events":[{"name":"gen_ai.user.message","timeUnixNano":"%d000000000","attributes":[{"key":"content","value":{"stringValue":"the secret event"}}]}]}]}]}]}',
		$trace, $span, $span eq '01' ? '' : '01', $span, 1767225600 + $start, 1767225601 + $start, 'the secret failure ' x 20, $tenant, "trace $trace", 1767225600 + $start);
}
sub ingest { return "SELECT accepted_spans FROM llmtrace.ingest_otlp('" . document(@_) . "');"; }

$node->safe_psql('postgres', q{
CREATE ROLE reader LOGIN; CREATE ROLE reviewer LOGIN; CREATE ROLE writer LOGIN; CREATE ROLE folder LOGIN;
CREATE ROLE nobody LOGIN; CREATE ROLE owner LOGIN; CREATE ROLE guest LOGIN;
CREATE DATABASE owned OWNER owner;
CREATE EXTENSION llmtrace;
});

# ------------------------------------------------------------- making one ---

like(as('nobody', 'SELECT llmtrace.create_store()'), qr/permission denied for schema llmtrace/, 'without USAGE nothing can be called');
$node->safe_psql('postgres', 'GRANT USAGE ON SCHEMA llmtrace TO nobody');
like(as('nobody', 'SELECT llmtrace.create_store()'), qr/permission denied to create a store.*GRANT USAGE, CREATE ON SCHEMA llmtrace TO nobody/s, 'without CREATE the line to run is told');
$node->safe_psql('postgres', 'REVOKE ALL ON SCHEMA llmtrace FROM nobody');

is(as('owner', 'CREATE EXTENSION llmtrace; SELECT llmtrace.create_store(1);' . ingest('aa', '01', 0) . "CALL llmtrace.fold('0'); SELECT count(*) FROM llmtrace.traces; SELECT count(*) FROM llmtrace.messages; SELECT * FROM llmtrace.drop_before('2026-01-02')", db => 'owned'),
	"\n1\n1\n3\n1|4|0", 'the owner of a database, no superuser, makes a store and works with it');

$node->safe_psql('postgres', 'SELECT llmtrace.create_store();'
	. ingest('a1', '01', 0, 'acme') . ingest('b1', '01', 86400 * 30, 'globex') . "CALL llmtrace.fold('0');"
	. ingest('a2', '01', 60, 'acme') . ingest('b2', '01', 60, 'globex') . ingest('a1', '02', 5, 'acme'));
$node->safe_psql('postgres', q!
SELECT * FROM llmtrace.load_prices('{"gpt-x": {"input_cost_per_token": 1e-06}}');
SELECT * FROM llmtrace.ingest_otlp_line('{"resourceSpans": [{"the secret of a line', 1)!);
# Of what is there, too, a day at a time; whoever waits is told how far it is.
$node->safe_psql('postgres', q{
CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(5.1); RETURN NEW; END $$;
CREATE TRIGGER slow BEFORE UPDATE ON llmtrace.folded FOR EACH ROW WHEN (OLD.started_at < '2026-01-15') EXECUTE FUNCTION slow()});
$node->psql('postgres', q{CALL llmtrace.map_attribute('feature', 'app.feature')}, stderr => \my $progress);
like($progress, qr/NOTICE:  1 traces mapped, up to 2026-01-02 00:00:00\+00\n.*"app.feature" is now read as feature: 2 folded traces have it$/s, 'map_attribute tells how far it is');
$node->safe_psql('postgres', 'DROP TRIGGER slow ON llmtrace.folded; DROP FUNCTION slow');
is($node->safe_psql('postgres', q{SELECT string_agg(DISTINCT feature || ' by ' || feature_source, ', '), count(feature) = count(*) FROM llmtrace.traces}), 'search by attribute|t', 'and maps all, what waits as well');
$node->safe_psql('postgres', q{CALL llmtrace.map_attribute('team', 'app.feature')});

# ------------------------------------------------------------------ roles ---

my $definers = $node->safe_psql('postgres', q{SELECT string_agg(p.oid::regprocedure::text, ' ') FILTER (WHERE NOT 'search_path=pg_catalog, pg_temp' = ANY (proconfig)),
	string_agg(p.oid::regprocedure::text, ' ') FILTER (WHERE has_function_privilege('nobody', p.oid, 'EXECUTE')), count(*) > 7
	FROM pg_proc p WHERE pronamespace = 'llmtrace'::regnamespace AND prosecdef});
is($definers, '||t', 'what runs with the rights of the owner has a search_path of its own, and is not for everybody');
is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_depend d JOIN pg_proc p ON p.oid = d.objid
	WHERE d.deptype = 'e' AND d.classid = 'pg_proc'::regclass AND p.prosecdef}), 0, 'no member of the extension does');

$node->safe_psql('postgres', "SELECT llmtrace.grant_reader('reader'), llmtrace.grant_payload_reader('reviewer'), llmtrace.grant_writer('writer'), llmtrace.grant_folder('folder')");
is(as('reader', 'SELECT count(*), sum(span_count), sum(cost_usd) > 0 FROM llmtrace.traces'), '4|4|t', 'a reader reads');
is(as('reader', 'SELECT count(*) FROM traces'), '4', 'without the schema, too');
is(as('reader', "SELECT llmtrace.span_count(llmtrace.trace('000000000000000000000000000000a1'))"), '1', 'by id');
is(as('reader', "SELECT llmtrace.span_count(llmtrace.trace('000000000000000000000000000000a2'))"), '1', 'by id, pending');
like(as('reader', 'SELECT * FROM llmtrace.doctor()'), qr/^version\|ok/m, 'the doctor');
refuses('reader', "SELECT * FROM llmtrace.$_", 'permission denied', "a reader cannot read $_") for qw(payloads messages secret load_progress);
refuses('reader', 'SELECT * FROM llmtrace.payloads_20251229', 'permission denied', 'nor a partition');
refuses('reader', "SELECT llmtrace.export_otlp(trace_id) FROM llmtrace.traces", 'permission denied', 'nor export');
refuses('reader', "SELECT llmtrace.payload(trajectory, 1, 'gen_ai.input.messages') FROM llmtrace.trajectories", 'permission denied', 'nor have a body');
refuses('reader', ingest('c1', '01', 0), 'permission denied', 'nor bring in');
refuses('reader', 'INSERT INTO llmtrace.otlp VALUES (NULL)', 'permission denied', 'nor copy');
refuses('reader', "SELECT * FROM llmtrace.ingest_body('{}', 'json')", 'permission denied', 'nor with the function inside');
refuses('reader', 'CALL llmtrace.fold()', 'permission denied', 'nor fold');
refuses('reader', 'CALL llmtrace.reprice()', 'permission denied', 'nor reprice');
refuses('reader', "CALL llmtrace.map_attribute('feature', 'x')", 'permission denied', 'nor map');
refuses('reader', "SELECT llmtrace.drop_before('2026-01-01')", 'permission denied', 'nor drop');
refuses('reader', "SELECT llmtrace.make_partitions(ARRAY[now()])", 'permission denied', 'nor make partitions');
refuses('reader', "SELECT llmtrace.grant_payload_reader('reader')", 'permission denied', 'nor grant themselves more');
refuses('reader', "DELETE FROM llmtrace.$_", 'permission denied', "nor delete from $_") for qw(folded fragments directory price);

# Whatever a reader may read is searched for the secrets.
my @relations = split /\n/, as('reader', q{SELECT oid::regclass FROM pg_class WHERE relnamespace = 'llmtrace'::regnamespace AND relkind IN ('r', 'p', 'v', 'm') AND has_table_privilege(oid, 'SELECT')});
cmp_ok(scalar(@relations), '>', 12, 'a reader may read ' . @relations . ' relations');
unlike(as('reader', "SELECT * FROM $_"), qr/secret/, "no prompt in $_") for @relations;
unlike(as('reader', "SELECT llmtrace.to_otlp(trajectory), llmtrace.show(trajectory), llmtrace.restore_bodies(trajectory) IS NULL FROM llmtrace.trajectories WHERE false; SELECT llmtrace.to_otlp(trajectory), llmtrace.show(trajectory) FROM llmtrace.trajectories"), qr/secret/, 'nor in what is made of trajectories');
unlike(as('reader', 'SELECT * FROM llmtrace.doctor()'), qr/secret/, 'nor with the doctor');
unlike(as('reader', 'SELECT * FROM pg_stats WHERE schemaname = \'llmtrace\''), qr/secret of/, 'nor in statistics');

is(as('reviewer', 'SELECT count(*), count(*) FILTER (WHERE content LIKE \'%secret%\') FROM llmtrace.messages'), '12|12', 'a payload reader reads bodies');
like(as('reviewer', "SELECT llmtrace.export_otlp('00000000-0000-0000-0000-0000000000a1')"), qr/the secret of trace a1/, 'and exports');
refuses('reviewer', 'SELECT * FROM llmtrace.secret', 'permission denied', 'but not the key of the hashes');
refuses('reviewer', ingest('c1', '01', 0), 'permission denied', 'nor brings in');

is(as('writer', ingest('c1', '01', 0)), '1', 'a writer brings in');
is(as('writer', "INSERT INTO llmtrace.otlp VALUES ('" . document('c1', '02', 400 * 86400) . "'); SELECT llmtrace.note_load_progress('f', 'x', 7); SELECT * FROM llmtrace.load_progress_of('f')"), "\nx|7", 'into partitions that it makes, too');
refuses('writer', "SELECT * FROM llmtrace.$_", 'permission denied', "a writer cannot read $_") for qw(traces folded fragments payloads ingest_rejected);
refuses('writer', 'CALL llmtrace.fold()', 'permission denied', 'nor fold');
is(as('folder', "CALL llmtrace.fold('0')"), '', 'a folder folds');
is($node->safe_psql('postgres', 'SELECT count(*) FROM llmtrace.fragments'), 0, 'all');
refuses('folder', 'SELECT * FROM llmtrace.traces', 'permission denied', 'but does not read');
refuses('folder', ingest('c1', '01', 0), 'permission denied', 'nor bring in');

# ------------------------------------------------------- schemas that harm ---

# Whatever can be called by a bare name is there in schema evil, first in the
# search_path, and notes that it was called.
$node->safe_psql('postgres', q{
CREATE SCHEMA evil;
CREATE TABLE evil.caught (what text);
GRANT USAGE ON SCHEMA evil TO PUBLIC; GRANT ALL ON evil.caught TO PUBLIC;
CREATE FUNCTION evil.catch(what text) RETURNS void LANGUAGE sql AS 'INSERT INTO evil.caught VALUES (what)';
DO $$
DECLARE
	f record;
BEGIN
	FOR f IN SELECT DISTINCT ON (proname, args) proname, args, result FROM (
			SELECT p.proname, pg_get_function_identity_arguments(p.oid) AS args, pg_get_function_result(p.oid) AS result
			FROM pg_proc p WHERE p.prokind = 'f' AND NOT p.proretset AND p.provariadic = 0 AND p.proargmodes IS NULL
				AND p.prorettype NOT IN (SELECT oid FROM pg_type WHERE typtype = 'p')
				AND NOT EXISTS (SELECT FROM unnest(p.proargtypes) a JOIN pg_type t ON t.oid = a WHERE t.typtype = 'p')
				AND p.proname IN ('now', 'clock_timestamp', 'date_trunc', 'format', 'uuid_hash', 'pg_column_size', 'length', 'left', 'lower', 'replace', 'regexp_replace',
					'rpad', 'to_regclass', 'pg_backend_pid', 'pg_advisory_xact_lock', 'pg_try_advisory_xact_lock', 'started_at', 'trace_id', 'has_closed_root', 'merge',
					'convert_to', 'date_bin', 'make_interval', 'to_char', 'quote_literal', 'starts_with', 'rtrim', 'position', 'isfinite', 'timestamptz', 'text', 'span_count')) x
	LOOP
		BEGIN
			EXECUTE format('CREATE FUNCTION evil.%I(%s) RETURNS %s LANGUAGE sql VOLATILE AS $f$ SELECT evil.catch(%L); SELECT NULL::%s $f$', f.proname, f.args, f.result, f.proname, f.result);
		EXCEPTION WHEN OTHERS THEN NULL;
		END;
	END LOOP;
	FOR f IN SELECT o.oprname, o.oprleft::regtype AS l, o.oprright::regtype AS r, o.oprresult::regtype AS result FROM pg_operator o
		WHERE o.oprname IN ('=', '<>', '<', '>', '<=', '>=', '+', '-', '*', '/', '%', '||', '&', '~', '!~', '~~', '!~~') AND o.oprkind = 'b'
			AND NOT EXISTS (SELECT FROM pg_type t WHERE t.oid IN (o.oprleft, o.oprright, o.oprresult) AND t.typtype = 'p')
			AND o.oprleft::regtype::text IN ('integer', 'bigint', 'text', 'uuid', 'timestamp with time zone', 'interval', 'boolean', 'numeric', 'date', 'llmtrace.trajectory', 'smallint')
	LOOP
		BEGIN
			EXECUTE format('CREATE FUNCTION evil.%I(l %s, r %s) RETURNS %s LANGUAGE sql VOLATILE AS $f$ SELECT evil.catch(%L); SELECT NULL::%s $f$', 'op' || f.oprname, f.l, f.r, f.result, f.oprname, f.result);
			EXECUTE format('CREATE OPERATOR evil.%s (LEFTARG = %s, RIGHTARG = %s, FUNCTION = evil.%I)', f.oprname, f.l, f.r, 'op' || f.oprname);
		EXCEPTION WHEN OTHERS THEN NULL;
		END;
	END LOOP;
	-- tables of our names, whose rows are read or written with a note
	FOR f IN SELECT relname FROM pg_class WHERE relnamespace = 'llmtrace'::regnamespace AND relkind IN ('r', 'p', 'v') AND NOT relispartition LOOP
		EXECUTE format('CREATE VIEW evil.%I AS SELECT evil.catch(%L)::text AS trace_id', f.relname, 'table ' || f.relname);
	END LOOP;
END
$$;
-- and types: a domain that notes what it checks
CREATE FUNCTION evil.check_type(v anyelement) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN INSERT INTO evil.caught VALUES ('type'); RETURN true; END $$;
CREATE DOMAIN evil.timestamptz AS pg_catalog.timestamptz CHECK (evil.check_type(VALUE));
CREATE DOMAIN evil.text AS pg_catalog.text CHECK (evil.check_type(VALUE));
CREATE DOMAIN evil.uuid AS pg_catalog.uuid CHECK (evil.check_type(VALUE));
GRANT SELECT ON ALL TABLES IN SCHEMA evil TO PUBLIC;
});
cmp_ok($node->safe_psql('postgres', "SELECT count(*) FROM pg_proc WHERE pronamespace = 'evil'::regnamespace"), '>', 100, 'the evil schema is full');
is(as('postgres', "SET search_path = evil, pg_catalog; SELECT now(); SELECT 1 + 1; SELECT count(*) OPERATOR(pg_catalog.>) 1 FROM evil.caught"), "\n\nt", 'and works');
$node->safe_psql('postgres', 'DELETE FROM evil.caught');
my $evil = 'SET search_path = evil, pg_catalog, llmtrace;';
is(as('writer', $evil . ingest('e1', '01', 800 * 86400) . "INSERT INTO llmtrace.otlp VALUES ('" . document('e2', '01', 0) . "');"), '1', 'ingest goes on');
like(as('folder', "$evil CALL llmtrace.fold('0')"), qr/^$/, 'fold does');
is(as('postgres', "$evil SELECT llmtrace.span_count(llmtrace.trace('000000000000000000000000000000e1'))"), '1', 'a trace by id');
is(as('postgres', "$evil SELECT trace_id OPERATOR(pg_catalog.<>) '00000000-0000-0000-0000-000000000001' FROM llmtrace.traces LIMIT 1"), 't', 'views');
like(as('postgres', "$evil CALL llmtrace.reprice()"), qr/^$/, 'reprice');
like(as('postgres', "$evil CALL llmtrace.map_attribute('session', 'x')"), qr/^$/, 'map_attribute');
like(as('postgres', "$evil SELECT llmtrace.drop_before('2020-01-01')"), qr/^\(0,0,0\)$|^\(0,2,0\)$/, 'drop_before');
like(as('postgres', "$evil SELECT finding FROM llmtrace.doctor_store() LIMIT 1"), qr/^store/, 'doctor');
is($node->safe_psql('postgres', 'SELECT string_agg(DISTINCT what, \' \') FROM evil.caught'), '', 'nothing of it was caught');

# ----------------------------------------------------- row-level security ---

$node->safe_psql('postgres', ingest('a3', '01', 70, 'acme') . ingest('b3', '01', 70, 'globex') . ingest('a1', '03', 6, 'acme'));
$node->safe_psql('postgres', q{
INSERT INTO llmtrace.annotation (trace_id, name, comment)
SELECT trace_id, 'said', 'of ' || tenant_id FROM llmtrace.folded WHERE tenant_id IS NOT NULL;
INSERT INTO llmtrace.outcome (task_id, trace_id, conversation_id, success)
SELECT 'task of ' || tenant_id, trace_id, 'talk of ' || tenant_id, true FROM llmtrace.folded WHERE tenant_id IS NOT NULL;
INSERT INTO llmtrace.outcome (task_id) VALUES ('task of nobody, maybe globex');
INSERT INTO llmtrace.legal_hold (kind, subject, reason) VALUES ('tenant_id', 'globex', 'globex is sued');
INSERT INTO llmtrace.change_event (kind, subject) VALUES ('deploy', 'service');
});
$node->safe_psql('postgres', 'CALL llmtrace.refresh_rollups()');
# The policies are those of the documentation.
my ($policies) = slurp_file(abs_path(dirname(__FILE__) . '/../../docs/access.md')) =~ /^```sql\n(.*?)^```/ms;
$node->safe_psql('postgres', $policies);
my $ids = "SELECT string_agg(DISTINCT right(trace_id::text, 2), ' ') FROM";
is(as('acme', "$ids llmtrace.$_"), 'a1 a2 a3', "of its own tenant, pending ones too: $_") for qw(traces trajectories messages);
is(as('acme', "$ids llmtrace.folded"), 'a1 a2', 'folded');
is(as('acme', "$ids llmtrace.fragments"), 'a1 a3', 'fragments');
is(as('acme', "SELECT llmtrace.trace('000000000000000000000000000000$_') IS NULL"), $_ =~ /^a/ ? 'f' : 't', "by id: $_") for qw(a1 a3 b1 b3);
is(as('acme', "SELECT llmtrace.export_otlp('00000000-0000-0000-0000-0000000000b1') IS NULL"), 't', 'not by export');
like(as('acme', "SELECT finding FROM llmtrace.doctor_store()"), qr/^2 traces/m, 'nor by the doctor');
is(as('acme', 'SELECT trace_count FROM llmtrace.fold_backlog'), '2', 'nor by the backlog');
is(as('reader', "SELECT count(*) FROM llmtrace.traces"), '0', 'who has no policy sees nothing');
is(as('staff', "$ids llmtrace.traces"), $node->safe_psql('postgres', "$ids llmtrace.traces"), 'staff see all');

# Whatever they may read without a policy is not of a tenant.
is(as('acme', q{SELECT string_agg(c.relname, ' ' ORDER BY c.relname) FROM pg_class c
	WHERE c.relnamespace = 'llmtrace'::regnamespace AND c.relkind IN ('r', 'p', 'm') AND NOT c.relrowsecurity AND has_table_privilege(c.oid, 'SELECT')}),
	'attribute_alias change_event cohort_dimension kept_cohort measure payload_policy price reference_plan reservoir store tool_class',
	'tables that a tenant reads as a whole');
is(as('acme', q{SELECT string_agg(p.proname, ' ') FROM pg_proc p
	WHERE p.pronamespace = 'llmtrace'::regnamespace AND p.prosecdef AND has_function_privilege(p.oid, 'EXECUTE')}), 'body', 'and calls with the rights of the owner');
is(as('acme', q{SELECT string_agg(c.relname, ' ') FROM pg_class c
	WHERE c.relnamespace = 'llmtrace'::regnamespace AND c.relkind = 'v' AND c.relname <> 'otlp' AND NOT 'security_invoker=true' = ANY (coalesce(c.reloptions, '{}'))}), '', 'views are those of who asks');

# All views, and all functions that need no argument or a period.
my $others = qr/globex|-0000000000b[0-9]|0{14}b[0-9]/;
my $told = 0;
for my $view (split /\n/, $node->safe_psql('postgres', q{SELECT relname FROM pg_class WHERE relnamespace = 'llmtrace'::regnamespace AND relkind = 'v' AND relname <> 'otlp'}))
{
	my $out = as('acme', "SELECT * FROM llmtrace.$view");
	unlike($out, qr/failed/, "$view can be read");
	unlike($out, $others, "nothing of others in $view");
	$told++ if $out ne '';
	like($node->safe_psql('postgres', "SELECT * FROM llmtrace.$view"), $others, "which $view has") if $view =~ /^(traces|messages|tasks|cohort_metric|spans|model_calls)$/;
}
cmp_ok($told, '>=', 12, "$told views have something to say");
$told = 0;
for my $function (split /\n/, $node->safe_psql('postgres', q{
	SELECT p.oid::regproc || CASE WHEN 'since' = ANY (p.proargnames[1:p.pronargs]) THEN '(since => ''2025-12-01'')' ELSE '()' END
	FROM pg_proc p
	WHERE p.pronamespace = 'llmtrace'::regnamespace AND p.prokind = 'f' AND p.provolatile <> 'v' AND p.proretset AND p.pronargs = p.pronargdefaults}))
{
	my $out = as('acme', "SELECT * FROM $function");
	next if $out =~ /failed/;
	unlike($out, $others, "nothing of others by $function");
	$told++ if $out ne '';
}
cmp_ok($told, '>=', 15, "$told functions have something to say");
isnt(as('acme', "SELECT sum(trace_count) FROM llmtrace.sampling_bias(since => '2025-12-01')"),
	as('staff', "SELECT sum(trace_count) FROM llmtrace.sampling_bias(since => '2025-12-01')"), 'figures are of fewer traces');
is(as('acme', 'SELECT count(*) FROM llmtrace.directory'), as('acme', 'SELECT count(*) FROM llmtrace.folded'), 'the directory has no others');
is(as('acme', q{SELECT string_agg(DISTINCT comment, ' ') FROM llmtrace.annotation}), 'of acme', 'nor have annotations');
is(as('acme', q{SELECT string_agg(DISTINCT task_id, ' ') FROM llmtrace.outcome}), 'task of acme', 'nor outcomes');
is(as('acme', q{SELECT string_agg(DISTINCT dims ->> 'tenant_id', ' '), count(*) > 0, count(*) FILTER (WHERE dims ->> 'tenant_id' IS NULL) FROM llmtrace.cohort_rollup}), 'acme|t|0', 'nor rollups');
refuses('acme', 'SELECT * FROM llmtrace.payloads', 'permission denied', 'bodies have to be referred to');
my ($day, $hash) = split /\|/, $node->safe_psql('postgres', q{SELECT day, hash FROM llmtrace.payloads WHERE body LIKE '%trace b1%' LIMIT 1});
is(as('acme', "SELECT llmtrace.body('$day', '$hash') LIKE '%trace b1%'"), 't', 'who knew the hash could ask for it');
is(as('acme', "SELECT count(*) FROM llmtrace.trajectories t, llmtrace.payload_refs(t.trajectory) r WHERE r.hash = '$hash'"), '0', 'but they do not see it');
my $sample = as('acme', "SELECT string_agg(x::text, '') FROM llmtrace.eval_sample(since => '2025-12-01') x");
like($sample, qr/trace a/, 'samples have their bodies');
unlike($sample, qr/trace b/, 'and no others');
is(as('folder', "CALL llmtrace.fold('0')"), '', 'fold folds for all');
is(as('acme', "SELECT string_agg(right(trace_id::text, 2) || ':' || span_count, ' ' ORDER BY trace_id) FROM llmtrace.traces"), 'a1:3 a2:1 a3:1', 'and they see theirs');

# ------------------------------------------------------- dump and restore ---

$node->safe_psql('postgres', q{
DROP SCHEMA evil CASCADE;
CREATE INDEX folded_feature_idx ON llmtrace.folded (feature);
ALTER TABLE llmtrace.folded ADD COLUMN note text;
UPDATE llmtrace.folded SET note = 'kept' WHERE root_name = 'span 01';
INSERT INTO llmtrace.payload_policy VALUES ('x', 'hash');
INSERT INTO llmtrace.tool_class (tool_name, effect) VALUES ('search', 'read');
INSERT INTO llmtrace.reference_plan (agent_name, plan) VALUES ('helper', 'search -> answer');
UPDATE llmtrace.store SET max_inline_bytes = 200;
});
$node->safe_psql('postgres', ingest('d1', '01', 90, 'acme') . ingest('a3', '02', 71, 'acme'));
my @tables = split /\n/, $node->safe_psql('postgres', q{SELECT relname FROM pg_class WHERE relnamespace = 'llmtrace'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition});
is($node->safe_psql('postgres', "SELECT string_agg(n, ' ' ORDER BY n) FROM (" . join(' UNION ALL ', map { "SELECT '$_' AS n WHERE NOT EXISTS (SELECT FROM llmtrace.$_)" } @tables) . ') x'),
	'erasure_log reservoir retention_log sample_lineage', 'all other tables have rows');
my $facts = q{
SELECT md5(string_agg(t::text, ' ' ORDER BY trace_id)), count(*) FROM llmtrace.trajectories t;
SELECT relname, count, sum FROM (} . join(' UNION ALL ', map { "SELECT '$_' AS relname, count(*), md5(string_agg(x::text, ' ' ORDER BY x::text)) AS sum FROM llmtrace.$_ x" } @tables) . q{) y ORDER BY relname;
SELECT i.indexrelid::regclass, pg_get_indexdef(i.indexrelid), i.indisvalid FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid WHERE c.relnamespace = 'llmtrace'::regnamespace ORDER BY i.indexrelid::regclass::text;
SELECT conrelid::regclass, pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = 'llmtrace'::regnamespace ORDER BY conrelid::regclass::text, 2;
SELECT tgrelid::regclass, pg_get_triggerdef(oid) FROM pg_trigger WHERE tgrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'llmtrace'::regnamespace) AND NOT tgisinternal ORDER BY tgrelid::regclass::text, tgname;
SELECT c.relname, c.relkind, c.relrowsecurity, c.reloptions, pg_get_expr(c.relpartbound, c.oid), c.relacl FROM pg_class c WHERE relnamespace = 'llmtrace'::regnamespace ORDER BY 1;
SELECT p.oid::regprocedure, p.prosecdef, p.proconfig, (SELECT array_agg(a ORDER BY a::text) FROM unnest(p.proacl) a) FROM pg_proc p WHERE pronamespace = 'llmtrace'::regnamespace ORDER BY p.oid::regprocedure::text;
SELECT polname, polrelid::regclass, polroles::regrole[], pg_get_expr(polqual, polrelid) FROM pg_policy ORDER BY polrelid::regclass::text, polname;
SELECT objoid::regclass, objsubid, description FROM pg_description WHERE classoid = 'pg_class'::regclass AND objoid IN (SELECT oid FROM pg_class WHERE relnamespace = 'llmtrace'::regnamespace) ORDER BY objoid::regclass::text, 2;
SELECT attrelid::regclass, attname, attcompression, attstorage FROM pg_attribute WHERE attrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'llmtrace'::regnamespace AND relkind IN ('r', 'p')) AND attnum > 0 ORDER BY attrelid::regclass::text, attnum;
};
my $before = $node->safe_psql('postgres', $facts);

my $other = PostgreSQL::Test::Cluster->new('other');
$other->init(extra => [ '--encoding=UTF8', '--locale=C' ]);
$other->append_conf('postgresql.conf', "log_statement = none\ntimezone = 'UTC'\n");
$other->start;
$other->safe_psql('postgres', 'CREATE ROLE reader LOGIN; CREATE ROLE reviewer LOGIN; CREATE ROLE writer LOGIN; CREATE ROLE folder LOGIN; CREATE ROLE acme LOGIN; CREATE ROLE staff LOGIN; CREATE ROLE owner LOGIN');
for my $format ('custom', 'plain', 'directory')
{
	my $file = "$tmp/dump.$format";
	$node->command_ok([ 'pg_dump', '--format', $format, '--file', $file, '-d', $node->connstr('postgres') ], "pg_dump, $format");
	$other->safe_psql('postgres', "CREATE DATABASE $format");
	if ($format eq 'plain')
	{
		$other->command_ok([ 'psql', '-XqAt', '-v', 'ON_ERROR_STOP=1', '-d', $other->connstr($format), '-f', $file, '-o', '/dev/null' ], 'psql reads it');
	}
	else
	{
		$other->command_ok([ 'pg_restore', '--exit-on-error', '-j', $format eq 'directory' ? 2 : 1, '-d', $other->connstr($format), $file ], 'pg_restore');
	}
	my $after = $other->safe_psql($format, $facts);
	my @was = split /\n/, $before;
	my @is = split /\n/, $after;
	ok($after eq $before, "$format: the same store, with a column, an index, policies and privileges of one's own")
		or diag map { $was[$_] eq ($is[$_] // '') ? () : "was $was[$_]\nis  " . ($is[$_] // '') . "\n" } 0 .. $#was;
}
is($other->safe_psql('custom', 'SELECT llmtrace.upgrade_store()'), '', 'upgrade_store has nothing to do');
is(as('writer', ingest('a1', '04', -86400 * 100, 'acme') . ingest('f1', '01', 900 * 86400), node => $other, db => 'custom'), "1\n1", 'ingest goes on');
is(as('folder', "CALL llmtrace.fold('0')", node => $other, db => 'custom'), '', 'and fold');
is(as('acme', "SELECT string_agg(right(trace_id::text, 2) || ':' || span_count, ' ' ORDER BY trace_id) FROM llmtrace.traces", node => $other, db => 'custom'), 'a1:4 a2:1 a3:2 d1:1', 'late spans are merged');
is($other->safe_psql('custom', 'SELECT count(*) FROM (SELECT DISTINCT content FROM llmtrace.messages WHERE content IS NULL) x'), 0, 'all bodies are found');
# a body that is there already is not stored again: the key of the hashes came along
my $bodies = $other->safe_psql('plain', 'SELECT count(*) FROM llmtrace.payloads');
is($other->safe_psql('plain', ingest('a1', '01', 0, 'acme') . 'SELECT count(*) FROM llmtrace.payloads'), "1\n$bodies", 'the secret is the same');

# By an owner who is no superuser, into a database of their own.
$node->safe_psql('postgres', q{DO $$ DECLARE p record; BEGIN
	FOR p IN SELECT polname, polrelid::regclass AS of FROM pg_policy LOOP EXECUTE format('DROP POLICY %I ON %s', p.polname, p.of); END LOOP; END $$});
$node->command_ok([ 'pg_dump', '-Fc', '--no-owner', '--no-privileges', '--file', "$tmp/dump.owner", '-d', $node->connstr('postgres') ], 'pg_dump without owners');
$other->safe_psql('postgres', 'CREATE DATABASE owned OWNER owner');
$other->command_ok([ 'pg_restore', '--no-comments', '--exit-on-error', '--no-owner', '-U', 'owner', '-d', $other->connstr('owned'), "$tmp/dump.owner" ], 'an owner restores it');
is(as('owner', ingest('a1', '05', 7, 'acme') . "CALL llmtrace.fold('0'); SELECT count(*) > 5, sum(span_count) > 8 FROM llmtrace.traces", node => $other, db => 'owned'), "1\nt|t", 'and goes on with it');

$_->stop for $node, $other;
done_testing();
