# component_times, call_context, call_attempts and fanout of random traces,
# against what plain SQL over their spans says.
use strict;
use warnings FATAL => 'all';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $seed = $ENV{LLMTRACE_SEED} // 20260131;
note("seed $seed (LLMTRACE_SEED)");

my $node = PostgreSQL::Test::Cluster->new('calls');
$node->init(extra => [ '--encoding=UTF8', '--locale=C' ]);
$node->append_conf('postgresql.conf', "search_path = 'public, llmtrace'\njit = off");
$node->start;

# Two thousand trees of 1 to 30 spans: kinds, failures, open spans, tokens and
# times at random, few different ones, so that ties and overlaps are common.
$node->safe_psql('postgres', qq{
CREATE EXTENSION llmtrace;
SELECT setseed(($seed % 1000) / 1000.0);
CREATE TABLE made AS
SELECT n, id, CASE WHEN id > 1 AND random() < 0.95 THEN 1 + floor(random() * (id - 1))::int END AS parent,
	(ARRAY['chat', 'chat', 'embeddings', 'execute_tool', 'execute_tool', 'invoke_agent', 'retrieval', NULL, NULL, NULL])[1 + floor(random() * 10)::int] AS operation,
	random() < 0.5 AS is_client, random() < 0.15 AS is_db, random() < 0.3 AS is_error, random() < 0.05 AS is_open,
	1 + floor(random() * 40)::int AS start_s, floor(random() * 30)::int AS takes_s, floor(random() * 20)::int AS tokens
FROM generate_series(1, 2000) n, LATERAL generate_series(1, 1 + n % 30) id;
CREATE TABLE trace AS
SELECT n, trajectory_agg(lpad(to_hex(n), 32, '0')::uuid, to_hex(id), to_hex(parent), coalesce(operation, 'step') || id % 2,
	start_s * 4000000000, CASE WHEN NOT is_open THEN (start_s * 4 + takes_s) * 1000000000::bigint END, CASE WHEN is_client THEN 'client' END,
	CASE WHEN is_error THEN 'error' END,
	jsonb_strip_nulls(jsonb_build_object('gen_ai.operation.name', operation, 'db.system', CASE WHEN is_db THEN 'pg' END,
		'gen_ai.usage.input_tokens', CASE WHEN operation = 'chat' THEN tokens END))) AS t
FROM made GROUP BY n;
CREATE TABLE span AS
SELECT trace.n, s.*, m.is_db FROM trace CROSS JOIN LATERAL spans(t) s JOIN made m ON m.n = trace.n AND lpad(to_hex(m.id), 16, '0') = s.span_id;
CREATE INDEX ON span (n, ordinal);
CREATE INDEX ON span (n, parent);
ANALYZE;
});
is($node->safe_psql('postgres', q{SELECT count(*) = (SELECT count(*) FROM made) AND count(*) FILTER (WHERE kind = 'llm') > 1000 FROM span}), 't', 'there are spans');

# No row that only one of two queries gives; and rows at all.
sub same
{
	my ($with, $ours, $theirs, $what) = @_;
	is($node->safe_psql('postgres', "WITH RECURSIVE $with ours AS ($ours), theirs AS ($theirs)
		SELECT count(*) FROM ((TABLE ours EXCEPT ALL TABLE theirs) UNION ALL (TABLE theirs EXCEPT ALL TABLE ours)) x"), 0, $what);
	cmp_ok($node->safe_psql('postgres', "WITH RECURSIVE $with ours AS ($ours) SELECT count(*) FROM ours"), '>', 1000, "$what: many");
}

# --------------------------------------------------------------- components ---

my $component = q{component AS (
	SELECT n, ordinal, CASE WHEN kind IN ('llm', 'embedding', 'rerank') THEN 'model' WHEN kind = 'tool' THEN 'tool' WHEN kind = 'retrieval' THEN 'retrieval'
		WHEN kind = 'other' AND is_db THEN 'database' ELSE 'own' END AS component
	FROM span WHERE parent IS NULL
	UNION ALL
	SELECT s.n, s.ordinal, CASE WHEN kind IN ('llm', 'embedding', 'rerank') THEN 'model' WHEN kind = 'tool' THEN 'tool' WHEN kind = 'retrieval' THEN 'retrieval'
		WHEN kind = 'other' AND is_db THEN 'database' WHEN kind = 'other' THEN c.component ELSE 'own' END
	FROM component c JOIN span s ON s.n = c.n AND s.parent = c.ordinal)};

same("$component,",
	'SELECT n, component, name, kind, span_count, self_ms::numeric FROM trace, component_times(t)',
	'SELECT n, component, name, kind, count(*), coalesce(sum(self_ms), 0)::numeric FROM span JOIN component USING (n, ordinal) GROUP BY n, component, name, kind',
	'spans and self times of components');
same("$component,",
	'SELECT n, component, name, kind, critical_ms::numeric FROM trace, component_times(t) WHERE critical_ms > 0',
	'SELECT n, component, p.name, p.kind, sum(p.ms)::numeric FROM trace CROSS JOIN LATERAL critical_path(t) p JOIN component USING (n, ordinal) GROUP BY n, component, p.name, p.kind HAVING sum(p.ms) > 0',
	'what components own of the path');

# ----------------------------------------------------------------- requests ---

my $is_call = q{kind IN ('llm', 'embedding', 'rerank', 'retrieval', 'tool')};

# from a call down through spans that are neither requests nor of a kind
same(qq{below AS (
		SELECT n, ordinal AS call, ordinal, false AS is_request FROM span WHERE $is_call
		UNION ALL
		SELECT s.n, b.call, s.ordinal, s.span_kind = 'client' FROM below b JOIN span s ON s.n = b.n AND s.parent = b.ordinal
		WHERE NOT b.is_request AND s.kind = 'other'),},
	q{SELECT n, ordinal, request_count, before_request_ms, resent_ms, after_request_ms FROM trace, call_context(t)},
	q{SELECT c.n, c.ordinal, count(r.ordinal)::int, min(r.start_ms) - c.start_ms, max(r.start_ms) - min(r.start_ms),
		CASE WHEN bool_and(r.duration_ms IS NOT NULL) THEN c.start_ms + c.duration_ms - max(r.start_ms + r.duration_ms) END
	FROM span c LEFT JOIN (below b JOIN span r ON b.is_request AND r.n = b.n AND r.ordinal = b.ordinal) ON b.n = c.n AND b.call = c.ordinal
	WHERE c.kind IN ('llm', 'embedding', 'rerank') GROUP BY c.n, c.ordinal, c.start_ms, c.duration_ms},
	'requests below calls');

# ------------------------------------------------------------------ what next ---

# a step's scope: the nearest agent, workflow or tool above it
my $step = q{above AS (
		SELECT n, ordinal, parent AS at, kind, start_ms FROM span
		UNION ALL
		SELECT a.n, a.ordinal, s.parent, a.kind, a.start_ms FROM above a JOIN span s ON s.n = a.n AND s.ordinal = a.at
		WHERE s.kind NOT IN ('agent', 'workflow', 'tool')
	), last_above AS (
		SELECT DISTINCT ON (a.n, a.ordinal) a.n, a.ordinal, a.kind, a.start_ms, coalesce(a.at, 0) AS scope
		FROM above a LEFT JOIN span s ON s.n = a.n AND s.ordinal = a.at
		WHERE a.at IS NULL OR s.kind IN ('agent', 'workflow', 'tool')
		ORDER BY a.n, a.ordinal, a.at DESC NULLS LAST
	), step AS (
		SELECT l.* FROM last_above l
		WHERE kind IN ('tool', 'agent') OR kind = 'llm' AND NOT EXISTS (SELECT FROM span d JOIN span s ON s.n = l.n AND s.ordinal = l.ordinal
			WHERE d.n = l.n AND d.ordinal > l.ordinal AND d.ordinal < l.ordinal + s.subtree_count AND d.kind IN ('llm', 'embedding', 'rerank'))
	)};
same("$step,",
	q{SELECT n, c.ordinal, tool_count, is_last FROM trace CROSS JOIN LATERAL call_context(t) c JOIN step s USING (n, ordinal)},
	q{SELECT c.n, c.ordinal, (SELECT count(*)::int FROM step x WHERE x.n = c.n AND x.scope = c.scope AND x.kind <> 'llm' AND (x.start_ms, x.ordinal) > (c.start_ms, c.ordinal)
			AND NOT EXISTS (SELECT FROM step y WHERE y.n = c.n AND y.scope = c.scope AND y.kind = 'llm'
				AND (y.start_ms, y.ordinal) > (c.start_ms, c.ordinal) AND (y.start_ms, y.ordinal) < (x.start_ms, x.ordinal))),
		NOT EXISTS (SELECT FROM step y WHERE y.n = c.n AND y.scope = c.scope AND y.kind = 'llm' AND (y.start_ms, y.ordinal) > (c.start_ms, c.ordinal))
	FROM step c WHERE c.kind = 'llm'},
	'what runs after a model call');

# ----------------------------------------------------------------- attempts ---

same('',
	'SELECT n, call, attempt, attempt_count, is_call_success, is_hedge, ordinal FROM trace, call_attempts(t)',
	'SELECT c.n, c.call, c.attempt, max(c.attempt) OVER w, bool_or(NOT s.is_error) OVER w, c.is_hedge, c.ordinal
	FROM (SELECT n, l.* FROM trace, logical_calls(t) l) c JOIN span s USING (n, ordinal) WINDOW w AS (PARTITION BY c.n, c.call)',
	'attempts');
is($node->safe_psql('postgres', q{
	SELECT bool_and(lasts = 1 AND ends = latest) FROM (
		SELECT count(*) FILTER (WHERE is_last) AS lasts, max(coalesce(span_ended_at, 'infinity')) AS latest, max(coalesce(span_ended_at, 'infinity')) FILTER (WHERE is_last) AS ends
		FROM trace, call_attempts(t) GROUP BY n, call) x}), 't', 'one attempt of a call is the last');

# ------------------------------------------------------------------- fan-out ---

same(qq{leaf AS (
		SELECT c.n, c.ordinal, c.start_ms, greatest(coalesce(c.start_ms + c.duration_ms, e.ms), c.start_ms + 1e-6) AS end_ms
		FROM span c JOIN (SELECT n, max(start_ms + coalesce(duration_ms, 0)) AS ms FROM span GROUP BY n) e USING (n)
		WHERE $is_call AND NOT EXISTS (SELECT FROM span d WHERE d.n = c.n AND d.ordinal > c.ordinal AND d.ordinal < c.ordinal + c.subtree_count AND $is_call)),},
	'SELECT n, max_width, max_in_flight, tool_call_count, round(branching_mean::numeric, 9), peak_tokens_per_minute FROM trace, fanout(t)',
	q{SELECT n, (SELECT max(c)::int FROM (SELECT count(*) AS c FROM span s WHERE s.n = trace.n GROUP BY depth) x),
		coalesce((SELECT max(c)::int FROM (SELECT (SELECT count(*) FROM leaf o WHERE o.n = l.n
			AND (o.start_ms <= l.start_ms AND o.end_ms > l.start_ms OR o.start_ms = l.start_ms AND o.ordinal = l.ordinal)) AS c
			FROM leaf l WHERE l.n = trace.n) x), 0),
		(SELECT count(*) FROM span s WHERE s.n = trace.n AND kind = 'tool'),
		coalesce((SELECT round(count(parent)::numeric / nullif(count(DISTINCT parent), 0), 9) FROM span s WHERE s.n = trace.n), 0),
		coalesce((SELECT max(c) FROM (SELECT (SELECT sum(o.input_tokens)::bigint FROM span o WHERE o.n = s.n AND o.start_ms <= s.start_ms AND o.start_ms > s.start_ms - 60000) AS c
			FROM span s WHERE s.n = trace.n) x), 0)
	FROM trace},
	'fan-out');

# ------------------------------------------------------------- odd shapes ---

# A chain and a fan of 100,000 calls take no stack and no square of time.
for my $parent ('CASE WHEN s > 1 THEN (s - 1)::text END', "CASE WHEN s > 1 THEN '1' END")
{
	is($node->safe_psql('postgres', qq{
		SET statement_timeout = '60s';
		WITH wide AS MATERIALIZED (
			SELECT trajectory_agg('1'::text::uuid, s::text, $parent, 'call', s * 1000::bigint, s * 1000::bigint + 500, NULL, NULL,
				jsonb_build_object('gen_ai.operation.name', (ARRAY['chat', 'execute_tool'])[1 + s % 2])) AS t
			FROM generate_series(1, 100000) s)
		SELECT count(*) FROM wide, component_times(t) c, fanout(t) f, LATERAL (SELECT count(*) FROM call_context(t)) x, LATERAL (SELECT count(*) FROM call_attempts(t)) y
	} =~ s/'1'::text::uuid/'00000000-0000-0000-0000-000000000001'::uuid/r), 2, 'a hundred thousand calls');
}

done_testing();
