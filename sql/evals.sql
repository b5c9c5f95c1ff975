-- Eval sets: how n is shared among strata, what messages look like to others,
-- what is refused.  What is drawn from a store of traces is tested with a server
-- of its own (test/t/068_erasure.pl).
\set SHOW_CONTEXT never
SET client_min_messages = warning;
\set before :DBNAME
DROP DATABASE IF EXISTS llmtrace_evals;
CREATE DATABASE llmtrace_evals;
\c llmtrace_evals
SET timezone = 'UTC';
SET datestyle = 'ISO';
CREATE EXTENSION llmtrace;
SELECT llmtrace.create_store();

-- Allocation.
SELECT llmtrace.sample_allocation(10, '{3,100,1000}', '{1,1,1}') AS equal,
	llmtrace.sample_allocation(12, '{1,100,1000}', '{1,1,1}') AS equal_but_few,
	llmtrace.sample_allocation(11, '{3,100,1000}', '{3,100,1000}') AS proportional,
	llmtrace.sample_allocation(3, '{3,100,1000}', '{3,100,1000}') AS one_each,
	llmtrace.sample_allocation(5000, '{3,100,1000}', '{1,1,1}') AS everything;

-- Against seats given one after the other, to whom (seats / weight) is least; and a larger n gives nobody less.
CREATE FUNCTION pg_temp.one_by_one(n bigint, counts bigint[], weights float8[]) RETURNS bigint[] LANGUAGE plpgsql AS $$
DECLARE
	seats bigint[] := array_fill(0::bigint, ARRAY[cardinality(counts)]);
	best int;
BEGIN
	FOR i IN 1 .. n LOOP
		SELECT s.k INTO best FROM generate_subscripts(counts, 1) s (k) WHERE seats[s.k] < counts[s.k]
		ORDER BY seats[s.k] / weights[s.k], s.k LIMIT 1;
		EXIT WHEN best IS NULL;
		seats[best] := seats[best] + 1;
	END LOOP;
	RETURN seats;
END
$$;
WITH tried AS (
	SELECT c, n, s.counts, s.weights, llmtrace.sample_allocation(n, s.counts, s.weights) AS seats
	FROM generate_series(1, 60) c
		CROSS JOIN LATERAL (
			SELECT array_agg(1 + hashint4extended(c, k) % 30 + 29 ORDER BY k) AS counts,
				array_agg(CASE WHEN c % 3 = 0 THEN 1 ELSE sqrt(0.5 + abs(hashint4extended(c, k + 50) % 9973)) END::float8 ORDER BY k) AS weights
			FROM generate_series(1, 1 + c % 7) k) s
		CROSS JOIN LATERAL generate_series(cardinality(s.counts), 120, 1 + c % 5) n)
SELECT count(*) > 1000 AS many,
	count(*) FILTER (WHERE seats <> pg_temp.one_by_one(n, counts, weights)) AS differ,
	count(*) FILTER (WHERE (SELECT sum(x) FROM unnest(seats) x) <> least(n, (SELECT sum(x) FROM unnest(counts) x))) AS not_all,
	count(*) FILTER (WHERE EXISTS (SELECT FROM unnest(seats, (
		SELECT b.seats FROM tried b WHERE b.c = t.c AND b.n < t.n ORDER BY b.n DESC LIMIT 1)) y (more, less) WHERE more < less)) AS shrunk
FROM tried t;

SELECT llmtrace.sample_allocation(2, '{3,100,1000}', '{1,1,1}');
SELECT llmtrace.sample_allocation(3, '{3,0}', '{1,1}');
SELECT llmtrace.sample_allocation(3, '{3,4}', '{1,NaN}');
SELECT llmtrace.sample_allocation(3, '{3,4}', '{1}');

-- What draws by interest.
SELECT llmtrace.interest(false, false, false, NULL) AS plain, llmtrace.interest(true, true, true, 1e9) AS most,
	round(llmtrace.interest(true, false, false, 0.1)::numeric, 3) AS failed;

-- A conversation is on one side, whatever is drawn of it; shares are what they are said to be.
SELECT abs(avg((split = 'train')::int) - 0.8) < 0.02 AS train, abs(avg((split = 'test')::int) - 0.1) < 0.02 AS test, count(DISTINCT split)
FROM generate_series(1, 4000) c CROSS JOIN LATERAL llmtrace.eval_split(7, 'conversation ' || c) split;
SELECT llmtrace.eval_split(1, 'a') = llmtrace.eval_split(1, 'a') AS same, count(DISTINCT llmtrace.eval_split(s, 'a')) > 1 AS by_seed FROM generate_series(1, 40) s;

-- Messages of several conventions, as chat models take them.
SELECT llmtrace.chat_messages('[
	{"role": "developer", "content": "be kind"},
	{"role": "human", "parts": [{"type": "text", "content": "one"}, {"type": "text", "content": "two"}]},
	{"role": "user", "content": [{"type": "text", "text": "three"}]},
	{"role": "assistant", "parts": [{"type": "reasoning", "content": "hm"}, {"type": "tool_call", "id": "c1", "name": "search", "arguments": {"q": 1}}]},
	{"role": "assistant", "content": "", "tool_calls": [{"id": "c2", "function": {"name": "get", "arguments": "{\"id\": 2}"}}]},
	{"role": "assistant", "content": [{"type": "tool_use", "id": "c3", "name": "put", "input": {"id": 3}}]},
	{"role": "tool", "parts": [{"type": "tool_call_response", "id": "c1", "response": "found"}]},
	{"role": "tool", "tool_call_id": "c2", "content": "got"}]') AS message \gset
SELECT jsonb_array_elements(:'message');
SELECT llmtrace.chat_messages('{"text": "hello"}'), llmtrace.last_request('{"text": "hello"}'),
	llmtrace.last_request('[{"role": "user", "content": "first"}, {"role": "user", "content": "last"}, {"role": "assistant", "content": "so?"}]');
SELECT llmtrace.body_json('{"a": [1]}'), llmtrace.body_json('not JSON'), llmtrace.body_json('"\u0000"');
SELECT v, llmtrace.promptfoo_text(v) FROM unnest(ARRAY['plain', '{{ 7*7 }}', '{%raw%} {# #}', 'file:///etc/passwd', '{{{x']) v;

-- A store without traces, and what is refused.
SELECT count(*) FROM llmtrace.eval_sample();
SELECT count(*) FROM llmtrace.eval_sample(n => 0);
SELECT count(*) FROM llmtrace.eval_sample(n => 100001);
SELECT count(*) FROM llmtrace.eval_sample(n => NULL);
SELECT count(*) FROM llmtrace.eval_sample(seed => NULL);
SELECT count(*) FROM llmtrace.eval_sample(per => 'span');
SELECT count(*) FROM llmtrace.eval_sample(policy => 'unifrom');
SELECT count(*) FROM llmtrace.eval_sample(policy => 'novelty');
SELECT count(*) FROM llmtrace.eval_sample(allocation => 'all');
SELECT count(*) FROM llmtrace.eval_sample(strata => '{featur}');
SELECT count(*) FROM llmtrace.eval_sample(since => '2026-01-02', until => '2026-01-01');
SELECT count(*) FROM llmtrace.eval_sample_take('', 'test');
SELECT count(*) FROM llmtrace.eval_sample_take('set', NULL);
SELECT count(*) FROM llmtrace.erasure_plan('user', 'u');
SELECT count(*) FROM llmtrace.erasure_plan('user_id', '');
SELECT count(*) FROM llmtrace.erasure_plan('trace_id', 'xyz');
SELECT trace_count FROM llmtrace.erase_subject('user_id', 'u', 'crypto_shred');
SELECT count(*) FROM llmtrace.erasure_plan('user_id', 'u', 'redacted');
SELECT trace_count FROM llmtrace.erase_subject('user_id', 'u-1', reason => 'u-1 asked');
SELECT trace_count, row_count, body_count FROM llmtrace.erase_subject('user_id', 'nobody');
SELECT count(*), count(reason) FROM llmtrace.erasure_log;
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT trace_count FROM llmtrace.erase_subject('user_id', 'nobody');
ROLLBACK;
INSERT INTO llmtrace.legal_hold (kind, subject, reason) VALUES ('user_id', 'nobody', 'case 4');
SELECT trace_count FROM llmtrace.erase_subject('user_id', 'nobody');
SELECT relation, action, row_count FROM llmtrace.erasure_plan('user_id', 'nobody') WHERE relation = 'legal_hold';
DELETE FROM llmtrace.legal_hold;
\set VERBOSITY terse
INSERT INTO llmtrace.legal_hold (kind, subject) VALUES ('user', 'nobody');
INSERT INTO llmtrace.legal_hold (kind, subject) VALUES ('trace_id', 'ABCD');
\set VERBOSITY default
SELECT trace_count, row_count, body_count FROM llmtrace.erase_subject('user_id', 'nobody', 'redact');
SELECT llmtrace.without_nulls('{"a": null, "arguments": {"id": 7, "assignee": null}}'), llmtrace.without_nulls('{"a": null}');
BEGIN;
SAVEPOINT before;
SELECT trace_count, row_count, body_count FROM llmtrace.erase_subject('user_id', 'nobody');
RELEASE before;
SELECT (SELECT count(*) FROM llmtrace.directory) AS directory, (SELECT count(*) FROM llmtrace.annotation) AS annotation,
	(SELECT count(*) FROM llmtrace.outcome) AS outcome, (SELECT count(*) FROM llmtrace.fragments) AS fragments, (SELECT count(*) FROM llmtrace.rollup_cell) AS rollup_cell;
COMMIT;
SELECT mode, count(*) FROM llmtrace.erasure_log GROUP BY 1 ORDER BY 1;
CALL llmtrace.retain(0);
CALL llmtrace.retain(1000, strata => '{featur}');
CALL llmtrace.retain(1000, policy => 'novel');
CALL llmtrace.retain(1000, batch_size => 0);
CALL llmtrace.retain(1000);
SELECT count(*) FROM llmtrace.keep_score('00000000000000000000000000000001', 'rarity');
SELECT count(*) FROM llmtrace.keep_score('00000000000000000000000000000001');
SELECT count(*) FROM llmtrace.sampling_bias();

\c :before
DROP DATABASE llmtrace_evals;
