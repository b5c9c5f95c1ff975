-- Eval sets: traces or model calls drawn by chance, each with the probability
-- with which it came in, and what was said in them.

CREATE FUNCTION llmtrace.sample_allocation(n bigint, counts bigint[], weights double precision[]) RETURNS bigint[]
	LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE STRICT COST 10000
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	low float8 := 0;
	high float8 := 1;
	middle float8;
	seats bigint[];
BEGIN
	IF cardinality(counts) <> cardinality(weights) THEN
		RAISE EXCEPTION 'there are % strata and % weights', cardinality(counts), cardinality(weights)
			USING ERRCODE = 'array_subscript_error';
	ELSIF EXISTS (SELECT FROM unnest(counts, weights) s (c, w)
			WHERE c IS NULL OR c < 1 OR w IS NULL OR NOT (w > 0 AND w < 'infinity')) THEN
		RAISE EXCEPTION 'counts must be at least 1, weights above 0 and finite'
			USING ERRCODE = 'invalid_parameter_value';
	ELSIF n < cardinality(counts) THEN
		RAISE EXCEPTION 'a sample of % cannot be of % strata', n, cardinality(counts)
			USING ERRCODE = 'invalid_parameter_value',
				DETAIL = 'Every stratum needs at least one, or nothing can be said of all.',
				HINT = format('Ask for at least %s, or for fewer strata.', cardinality(counts));
	ELSIF n >= (SELECT sum(c) FROM unnest(counts) c) THEN
		RETURN counts;
	END IF;
	-- seat i of a stratum comes at time (i - 1) / weight: the more time, the more seats for everyone
	WHILE (SELECT sum(least(c, floor(w * high) + 1)) FROM unnest(counts, weights) s (c, w)) <= n LOOP
		high := high * 2;
	END LOOP;
	LOOP
		middle := (low + high) / 2;
		EXIT WHEN middle <= low OR middle >= high;
		IF (SELECT sum(least(c, floor(w * middle) + 1)) FROM unnest(counts, weights) s (c, w)) <= n THEN
			low := middle;
		ELSE
			high := middle;
		END IF;
	END LOOP;
	-- what is left are seats that come at the same time: to the first strata
	SELECT array_agg(s.had + (s.wants AND s.turn <= n - s.taken)::int ORDER BY s.ordinal) INTO seats
	FROM (
		SELECT g.*, count(*) FILTER (WHERE g.wants) OVER (ORDER BY g.ordinal) AS turn, sum(g.had) OVER () AS taken
		FROM (
			SELECT ordinal, least(c, floor(w * low) + 1)::bigint AS had,
				least(c, floor(w * low) + 1) < least(c, floor(w * high) + 1) AS wants
			FROM unnest(counts, weights) WITH ORDINALITY s (c, w, ordinal)) g) s;
	RETURN seats;
END
$$;
COMMENT ON FUNCTION llmtrace.sample_allocation(bigint, bigint[], double precision[]) IS
'How many of n are drawn from each stratum, given what is in them and their weights: in proportion to the weights (by Adams'' divisors: at least one each), no more than there are; the rest goes to the others. A larger n gives no stratum less. Example: SELECT llmtrace.sample_allocation(10, ''{3,100,1000}'', ''{1,1,1}'')';

CREATE FUNCTION llmtrace.interest(failed boolean, retried boolean, incomplete boolean, cost_usd numeric) RETURNS double precision
	LANGUAGE sql IMMUTABLE PARALLEL SAFE COST 10
BEGIN ATOMIC
	SELECT 1 + CASE WHEN failed THEN 4 ELSE 0 END + CASE WHEN retried THEN 2 ELSE 0 END + CASE WHEN incomplete THEN 1 ELSE 0 END
		+ least(3, pg_catalog.ln(1 + 10 * greatest(coalesce(cost_usd, 0), 0)))::double precision;
END;
COMMENT ON FUNCTION llmtrace.interest(boolean, boolean, boolean, numeric) IS
'how much a trace or call is worth looking at: 1, and 4 if it failed, 2 if something was tried again, 1 if it is incomplete, and ln(1 + 10 cost in US dollars), at most 3';

-- How a run went, whatever the number of repeats, and how it failed.
CREATE FUNCTION llmtrace.shape(t llmtrace.trajectory) RETURNS text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT COST 2000
BEGIN ATOMIC
	SELECT pg_catalog.md5(pg_catalog.regexp_replace(llmtrace.path_signature(t) || E'\n' || coalesce(llmtrace.failure_signature(t), ''), ' x[0-9]+', '', 'g'));
END;
COMMENT ON FUNCTION llmtrace.shape(llmtrace.trajectory) IS
'a hash of path_signature and failure_signature without the numbers of repeats: the same for runs that went, and failed, alike';

CREATE FUNCTION llmtrace.trace_rarity(since timestamptz, until timestamptz)
	RETURNS TABLE (trace_id uuid, rarity double precision, alike_count double precision, all_count double precision)
	LANGUAGE sql STABLE ROWS 10000
BEGIN ATOMIC
	SELECT s.trace_id, greatest(1, 100 / sum(s.weight) OVER w), sum(s.weight) OVER w, sum(s.weight) OVER ()
	FROM (SELECT t.trace_id, coalesce(nullif(t.sample_weight, 0), 1) AS weight, llmtrace.shape(t.trajectory) AS shape
			FROM llmtrace.trajectories t WHERE t.started_at >= since AND t.started_at < until) s
	WINDOW w AS (PARTITION BY s.shape);
END;
COMMENT ON FUNCTION llmtrace.trace_rarity(timestamptz, timestamptz) IS
'how rare the shape of each trace of a period is: 100 by the number of those alike, by sample_weight, at least 1; and that number, and that of all. Reads the traces.';

CREATE FUNCTION llmtrace.check_word(what text, word text, words text[]) RETURNS void
	LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF word IS NULL OR word <> ALL (words) THEN
		RAISE EXCEPTION 'unknown % "%"', what, left(word, 60)
			USING ERRCODE = 'invalid_parameter_value',
				DETAIL = format('Known are %s.', array_to_string(words, ', ')),
				HINT = coalesce('Did you mean "' || llmtrace.closest_word(word, words) || '"?', 'Choose one of them.');
	END IF;
END
$$;
COMMENT ON FUNCTION llmtrace.check_word(text, text, text[]) IS 'an error that lists the words, unless it is one of them';

CREATE FUNCTION llmtrace.eval_chosen(n integer, strata text[], matching llmtrace.tracequery, per text, allocation text,
	policy text, seed bigint, since timestamptz, until timestamptz)
	RETURNS TABLE (trace_id uuid, span_id text, stratum text, inclusion_probability double precision, weight double precision)
	LANGUAGE plpgsql STABLE ROWS 200 SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	relation regclass := CASE WHEN per = 'model_call' THEN 'llmtrace.model_calls'
		WHEN matching IS NULL THEN 'llmtrace.traces' ELSE 'llmtrace.trajectories' END;
	cohorts jsonb[];
	counts bigint[];
	failures bigint[];
	samples llmtrace.sample[];
	shares float8[];
BEGIN
	PERFORM llmtrace.check_period(since, until);
	PERFORM llmtrace.check_word('unit', per, '{trace,model_call}');
	PERFORM llmtrace.check_word('allocation', allocation, '{equal,proportional,neyman,log}');
	PERFORM llmtrace.check_word('policy', policy, '{uniform,priority,novelty}');
	IF n IS NULL OR n NOT BETWEEN 1 AND 100000 THEN
		RAISE EXCEPTION 'sample size % is out of range', coalesce(n::text, 'null')
			USING ERRCODE = 'invalid_parameter_value', DETAIL = 'The size must be between 1 and 100000.';
	ELSIF seed IS NULL THEN
		RAISE EXCEPTION 'seed must not be null' USING ERRCODE = 'null_value_not_allowed';
	END IF;
	PERFORM llmtrace.notice_empty_period(since, until);

	-- one pass: of each stratum how much there is, and the n of lowest rank, of which its share are taken
	EXECUTE format($sql$
		SELECT array_agg(g.dims ORDER BY g.dims), array_agg(g.n ORDER BY g.dims), array_agg(g.failed ORDER BY g.dims),
			array_agg(g.sample ORDER BY g.dims)
		FROM (
			SELECT x.dims, count(*) AS n, count(*) FILTER (WHERE x.failed) AS failed, %1$s AS sample
			FROM (SELECT %2$s AS dims, %3$s AS key, x.sample_weight, %4$s AS failed, %5$s AS interest
				FROM %6$s x%8$s WHERE x.started_at >= $1 AND x.started_at < $2%7$s) x
			GROUP BY x.dims) g
		$sql$,
		CASE policy WHEN 'uniform' THEN 'llmtrace.sample_agg(x.key, $3, $4, x.sample_weight, NULL::float8)'
			ELSE 'llmtrace.sample_weighted_agg(x.key, x.interest, $3, $4, x.sample_weight, NULL::float8)' END,
		llmtrace.dims_expression(relation, strata),
		CASE per WHEN 'trace' THEN 'x.trace_id' ELSE 'x.trace_id || '' '' || x.span_id' END,
		CASE per WHEN 'trace' THEN 'x.error_count > 0' ELSE 'x.is_error' END,
		CASE WHEN policy = 'uniform' THEN 'NULL::float8'
			WHEN policy = 'novelty' THEN 'r.rarity'
			WHEN per = 'trace' THEN 'llmtrace.interest(x.error_count > 0, x.retry_count > 0, NOT x.is_complete, x.cost_usd)'
			ELSE 'llmtrace.interest(x.is_error, x.attempt > 1, x.duration_ms IS NULL, x.cost_usd)' END,
		relation,
		CASE WHEN matching IS NULL THEN ''
			WHEN per = 'trace' THEN ' AND x.trajectory OPERATOR(llmtrace.@@) $5'
			ELSE ' AND x.trace_id IN (SELECT t.trace_id FROM llmtrace.trajectories t'
				' WHERE t.started_at >= $1 AND t.started_at < $2 AND t.trajectory OPERATOR(llmtrace.@@) $5)' END,
		CASE policy WHEN 'novelty' THEN ' JOIN llmtrace.trace_rarity($1, $2) r ON r.trace_id = x.trace_id' ELSE '' END)
	INTO cohorts, counts, failures, samples
	USING since, until, n, seed, matching;
	IF counts IS NULL THEN
		RETURN;
	END IF;

	SELECT array_agg(CASE allocation
			WHEN 'equal' THEN 1
			WHEN 'proportional' THEN c
			WHEN 'log' THEN log(1 + c)
			-- the spread of what most evals ask: does it fail?
			ELSE c * sqrt((f + 1) * (c - f + 1)) / (c + 2) END ORDER BY ordinal) INTO shares
	FROM unnest(counts::float8[], failures::float8[]) WITH ORDINALITY s (c, f, ordinal);

	RETURN QUERY
	SELECT split_part(i.key, ' ', 1)::uuid, CASE WHEN per = 'model_call' THEN split_part(i.key, ' ', 2) END,
		llmtrace.cohort_label(s.dims), i.p, i.payload / i.p
	FROM unnest(cohorts, counts, llmtrace.sample_allocation(n, counts, shares), samples)
			WITH ORDINALITY s (dims, population, quota, sample, ordinal),
		LATERAL (
			SELECT r.key, r.payload, r.number, CASE
					WHEN s.quota >= s.population THEN 1
					WHEN policy = 'uniform' THEN s.quota::float8 / s.population
					ELSE least(1, r.weight * coalesce(max(r.rank) FILTER (WHERE r.number = s.quota + 1) OVER (),
						llmtrace.sample_threshold(s.sample))) END AS p
			FROM (SELECT *, row_number() OVER (ORDER BY rank, key) AS number FROM llmtrace.sample_items(s.sample)) r) i
	WHERE i.number <= s.quota
	ORDER BY s.ordinal, i.number;
END
$$;
COMMENT ON FUNCTION llmtrace.eval_chosen(integer, text[], llmtrace.tracequery, text, text, text, bigint, timestamptz, timestamptz) IS
'what eval_sample draws, without what was said: ids, stratum, inclusion probability (0..1) and weight. Reads no bodies.';

-- ------------------------------------------------------ what was said ------

CREATE FUNCTION llmtrace.body_json(body text) RETURNS jsonb
	LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL UNSAFE
AS $$
BEGIN
	RETURN body::pg_catalog.jsonb;
	-- no pg_input_is_valid before PostgreSQL 16
EXCEPTION WHEN data_exception OR program_limit_exceeded THEN
	RETURN pg_catalog.to_jsonb(body);
END
$$;
COMMENT ON FUNCTION llmtrace.body_json(text) IS 'a body as jsonb; as a string if jsonb cannot hold it';

CREATE FUNCTION llmtrace.span_messages(t llmtrace.trajectory, of_ordinal integer, part text) RETURNS jsonb
	LANGUAGE plpgsql STABLE PARALLEL UNSAFE STRICT SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN (WITH ref AS (
		SELECT r.*, pg_catalog.regexp_match(r.key, '^(.+)\.([0-9]{1,8})\.(?:message\.)?contents?') AS flat
		FROM llmtrace.payload_refs(t) r
		WHERE r.ordinal = of_ordinal AND r.role = span_messages.part AND r.key !~* 'tool|template|embedding'
	), family AS (
		-- the same messages may stand there under several conventions
		SELECT coalesce(r.flat[1], r.key) AS name,
			CASE WHEN bool_or(r.item_number IS NOT NULL) THEN 1 WHEN bool_or(r.flat IS NOT NULL) THEN 2 ELSE 3 END AS rank
		FROM ref r
		GROUP BY coalesce(r.flat[1], r.key)
		ORDER BY 2, count(*) DESC, 1
		LIMIT 1
	), inline AS MATERIALIZED (
		SELECT llmtrace.span_attributes(t, of_ordinal) AS attributes
	), said AS (
		SELECT coalesce(r.event_number, 0) AS event_number, coalesce(r.item_number, r.flat[2]::integer, 0) AS number, f.rank, r.key,
			llmtrace.body_json(llmtrace.body(r.day, r.hash)) AS body,
			CASE WHEN r.flat IS NOT NULL THEN coalesce(
				a.attributes ->> (r.flat[1] || '.' || r.flat[2] || '.message.role'),
				a.attributes ->> (r.flat[1] || '.' || r.flat[2] || '.role')) END AS role
		FROM ref r
			JOIN family f ON f.name = coalesce(r.flat[1], r.key)
			CROSS JOIN inline a
	)
	SELECT CASE WHEN min(s.rank) = 3 AND count(*) = 1 AND pg_catalog.jsonb_typeof((pg_catalog.array_agg(s.body))[1]) = 'string'
			AND part <> 'system'
		THEN coalesce(
			CASE WHEN (pg_catalog.array_agg(s.body))[1] #>> '{}' LIKE '{%"messages"%' THEN
				(SELECT m.list FROM (SELECT llmtrace.body_json((pg_catalog.array_agg(s.body))[1] #>> '{}') -> 'messages' AS list) m
				WHERE pg_catalog.jsonb_typeof(m.list) = 'array') END,
			pg_catalog.jsonb_build_object('text', (pg_catalog.array_agg(s.body))[1]))
		ELSE pg_catalog.jsonb_agg(
			CASE WHEN pg_catalog.jsonb_typeof(s.body -> 'role') = 'string' THEN s.body
				WHEN pg_catalog.jsonb_typeof(s.body -> 'parts') = 'array' THEN pg_catalog.jsonb_build_object('role',
					coalesce(s.role, CASE part WHEN 'system' THEN 'system' WHEN 'output' THEN 'assistant' ELSE 'user' END)) || s.body
				ELSE pg_catalog.jsonb_build_object('role',
					coalesce(s.role, CASE part WHEN 'system' THEN 'system' WHEN 'output' THEN 'assistant' ELSE 'user' END),
					'content', CASE WHEN pg_catalog.jsonb_typeof(s.body -> 'content') = 'string' THEN s.body -> 'content' ELSE s.body END) END
			ORDER BY s.event_number, s.number, s.key) END
	FROM said s
	WHERE s.body IS NOT NULL
	HAVING count(*) > 0);
END
$$;
COMMENT ON FUNCTION llmtrace.span_messages(llmtrace.trajectory, integer, text) IS
'what a span was told (input), said (output) or was set up with (system): an array of {role, content or parts}, or {"text": ...} where it was a text alone; NULL if bodies are not kept. Needs the privilege to read bodies.';

CREATE FUNCTION llmtrace.eval_content(t llmtrace.trajectory, of_span text)
	RETURNS TABLE (input jsonb, output jsonb, tools_called jsonb, retrieval_context jsonb)
	LANGUAGE sql STABLE PARALLEL UNSAFE ROWS 1
BEGIN ATOMIC
	WITH ref AS MATERIALIZED (
		SELECT * FROM llmtrace.payload_refs(t)
	), span AS MATERIALIZED (
		SELECT s.ordinal, s.span_id, s.kind, s.span_ended_at, s.tool_name FROM llmtrace.span_rows(t) s
	), talk AS (
		SELECT r.ordinal, r.role, s.span_ended_at
		FROM ref r JOIN span s ON s.ordinal = r.ordinal
		WHERE r.key !~* 'tool|template|embedding'
			AND (s.span_id = of_span OR of_span IS NULL AND s.kind NOT IN ('tool', 'retrieval', 'embedding', 'rerank'))
	), place AS MATERIALIZED (
		SELECT q.asked, coalesce(
			(SELECT q.asked WHERE EXISTS (SELECT FROM talk a WHERE a.role = 'output' AND a.ordinal = q.asked
				AND (of_span IS NOT NULL OR NOT EXISTS (SELECT FROM span s WHERE s.ordinal = q.asked AND s.kind = 'llm')))),
			(SELECT a.ordinal FROM talk a WHERE a.role = 'output' ORDER BY a.span_ended_at DESC NULLS FIRST, a.ordinal DESC LIMIT 1)) AS answered
		FROM (SELECT min(k.ordinal) AS asked FROM talk k WHERE k.role = 'input') q
	), call AS MATERIALIZED (
		SELECT b.ordinal, pg_catalog.jsonb_object_agg(b.what,
			llmtrace.body_json(llmtrace.body(b.day, b.hash))) AS said
		FROM (
			SELECT DISTINCT ON (r.ordinal, w.what) r.ordinal, w.what, r.day, r.hash
			FROM ref r
				JOIN (VALUES ('tool_arguments', 'arguments', 1), ('input', 'arguments', 2), ('tool_result', 'output', 1), ('output', 'output', 2))
					w (role, what, rank) ON w.role = r.role
				JOIN span s ON s.ordinal = r.ordinal
			WHERE s.kind = 'tool' AND of_span IS NULL
			ORDER BY r.ordinal, w.what, w.rank, r.key) b
		GROUP BY b.ordinal
	), told AS MATERIALIZED (
		SELECT llmtrace.span_messages(t, p.asked, 'system') AS system, llmtrace.span_messages(t, p.asked, 'input') AS input,
			llmtrace.span_messages(t, p.answered, 'output') AS output
		FROM place p
	)
	SELECT CASE WHEN pg_catalog.jsonb_typeof(d.input) = 'array' THEN coalesce(d.system, '[]') || d.input
			WHEN d.system IS NOT NULL AND d.input IS NOT NULL THEN d.system
				|| pg_catalog.jsonb_build_array(pg_catalog.jsonb_build_object('role', 'user', 'content', d.input -> 'text'))
			ELSE d.input END,
		d.output,
		CASE WHEN of_span IS NULL THEN (
			SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object('name', s.tool_name, 'arguments', c.said -> 'arguments', 'output', c.said -> 'output')
				ORDER BY s.ordinal)
			FROM span s LEFT JOIN call c ON c.ordinal = s.ordinal
			WHERE s.kind = 'tool') END,
		(SELECT pg_catalog.jsonb_agg(llmtrace.body_json(llmtrace.body(r.day, r.hash)) ORDER BY r.ordinal, r.item_number, r.key)
			FROM ref r JOIN span s ON s.ordinal = r.ordinal
			WHERE r.role = 'documents' AND r.key !~ 'metadata' AND (s.span_id = of_span OR of_span IS NULL))
	FROM told d;
END;
COMMENT ON FUNCTION llmtrace.eval_content(llmtrace.trajectory, text) IS
'What was said in a trace, or in one span of it: input of the first span that has one, output of the same or of the last model call, the tools'' calls {name, arguments, output}, the documents retrieved. Needs the privilege to read bodies.';

CREATE FUNCTION llmtrace.without_nulls(object jsonb) RETURNS jsonb
	LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT
BEGIN ATOMIC
	SELECT coalesce(pg_catalog.jsonb_object_agg(m.key, m.value), '{}') FROM pg_catalog.jsonb_each(object) m WHERE m.value <> 'null';
END;
COMMENT ON FUNCTION llmtrace.without_nulls(jsonb) IS 'an object without its members that are null; those of members, which may be what a tool was given, stay';

CREATE FUNCTION llmtrace.eval_facts(t llmtrace.trajectory, of_span text) RETURNS TABLE (span_id text, metadata jsonb)
	LANGUAGE sql STABLE ROWS 1
BEGIN ATOMIC
	SELECT coalesce(c.span_id, r.root_span_id), llmtrace.without_nulls(pg_catalog.jsonb_build_object(
		'started_at', coalesce(c.span_started_at, r.started_at),
		'model_requested', c.model_requested,
		'model_responded', c.model_responded,
		'model', coalesce(c.model, r.first_model),
		'provider', c.provider,
		'prompt_name', coalesce(c.prompt_name, r.prompt_name),
		'prompt_version', coalesce(c.prompt_version, r.prompt_version),
		'feature', coalesce(c.feature, r.feature),
		'conversation_id', coalesce(c.conversation_id, r.conversation_id),
		'finish_reason', c.finish_reason,
		'error_count', CASE WHEN c.span_id IS NULL THEN r.error_count ELSE c.is_error::integer END,
		'tags', nullif(r.dims, '{}')))
	FROM llmtrace.folded_columns(t) r
		LEFT JOIN LATERAL (SELECT * FROM llmtrace.model_call_rows(t) m WHERE of_span IS NOT NULL AND m.span_id = of_span) c ON true;
END;
COMMENT ON FUNCTION llmtrace.eval_facts(llmtrace.trajectory, text) IS
'what is known of a trace (its span is the root) or of a model call in it, as metadata of a row of an eval set; no user';

CREATE FUNCTION llmtrace.eval_split(seed bigint, conversation text) RETURNS text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT
BEGIN ATOMIC
	SELECT CASE WHEN h.share < 0.8 THEN 'train' WHEN h.share < 0.9 THEN 'validation' ELSE 'test' END
	FROM (SELECT ('x' || pg_catalog.substr(pg_catalog.md5(seed::text || ' ' || conversation), 1, 7))::bit(28)::integer
		/ 268435456::double precision AS share) h;
END;
COMMENT ON FUNCTION llmtrace.eval_split(bigint, text) IS 'train (80 %), validation (10 %) or test (10 %), by a hash, so that a conversation is on one side';

CREATE FUNCTION llmtrace.eval_sample(n integer DEFAULT 200, strata text[] DEFAULT '{}', matching llmtrace.tracequery DEFAULT NULL,
	per text DEFAULT 'trace', allocation text DEFAULT 'equal', policy text DEFAULT 'uniform', seed bigint DEFAULT 0,
	since timestamptz DEFAULT now() - interval '7 days', until timestamptz DEFAULT 'infinity', bodies boolean DEFAULT true)
	RETURNS TABLE (sample_id text, trace_id text, span_id text, input jsonb, expected jsonb, output jsonb, metadata jsonb,
		split text, stratum text, inclusion_probability double precision, weight double precision)
	LANGUAGE plpgsql STABLE PARALLEL UNSAFE ROWS 200 SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
#variable_conflict use_column
DECLARE
	chosen record;
	trace llmtrace.trajectory;
	facts record;
	demoted boolean;
	kept float8;
	skipped bigint := 0;
BEGIN
	IF bodies AND NOT has_function_privilege('llmtrace.body(date, uuid)', 'EXECUTE') THEN
		RAISE EXCEPTION 'permission denied for message bodies'
			USING ERRCODE = 'insufficient_privilege',
				HINT = format('SELECT llmtrace.grant_payload_reader(%L) gives it; with bodies => false, ids and weights come without.', current_user);
	END IF;
	FOR chosen IN
		SELECT * FROM llmtrace.eval_chosen(n, strata, matching, per, allocation, policy, seed, since, until)
	LOOP
		trace := llmtrace.stored_trace(chosen.trace_id);
		SELECT f.* INTO facts FROM llmtrace.eval_facts(trace, chosen.span_id) f;
		trace_id := llmtrace.trace_hex(chosen.trace_id);
		span_id := facts.span_id;
		sample_id := concat_ws('-', trace_id, chosen.span_id);
		metadata := facts.metadata || jsonb_build_object('trace_id', trace_id, 'span_id', span_id, 'seed', seed, 'policy', policy);
		split := llmtrace.eval_split(seed, coalesce(facts.metadata ->> 'conversation_id', trace_id));
		stratum := chosen.stratum;
		inclusion_probability := chosen.inclusion_probability;
		weight := chosen.weight;
		input := NULL;
		expected := NULL;
		output := NULL;
		IF bodies THEN
			SELECT c.input, c.output, metadata || llmtrace.without_nulls(jsonb_build_object('tools_called', c.tools_called,
				'retrieval_context', c.retrieval_context))
			INTO input, output, metadata
			FROM llmtrace.eval_content(trace, chosen.span_id) c;
			-- bodies are kept more rarely than traces: who has them stands for those who lost theirs
			SELECT f.keep_reason IN ('demoted', 'redacted'), f.body_probability / f.keep_probability INTO demoted, kept
			FROM llmtrace.directory d JOIN llmtrace.folded f ON f.trace_id = d.trace_id AND f.started_at = d.started_at
			WHERE d.trace_id = chosen.trace_id;
			IF input IS NULL OR demoted THEN
				skipped := skipped + 1;
				CONTINUE;
			END IF;
			IF kept < 1 THEN
				inclusion_probability := inclusion_probability * kept;
				weight := weight / kept;
			END IF;
			SELECT to_jsonb(coalesce(a.comment, a.label)) INTO expected
			FROM llmtrace.annotation a
			WHERE a.trace_id = chosen.trace_id AND a.name = 'correction' AND a.source = 'human'
				AND (chosen.span_id IS NULL OR a.span_id = chosen.span_id) AND coalesce(a.comment, a.label) IS NOT NULL
			ORDER BY a.at DESC LIMIT 1;
		END IF;
		RETURN NEXT;
	END LOOP;
	IF skipped > 0 THEN
		RAISE NOTICE '% of those drawn have no input that is kept, and are left out', skipped;
	END IF;
END
$$;
COMMENT ON FUNCTION llmtrace.eval_sample(integer, text[], llmtrace.tracequery, text, text, text, bigint, timestamptz, timestamptz, boolean) IS
'An eval set: n (1 to 100000) traces or model calls (per) of a period, drawn by chance from every stratum (columns of traces or model_calls, or dimensions of your own), of traces that match. allocation says how n is shared among strata: equal, proportional, neyman (where failures vary) or log. policy uniform takes all alike, priority those with errors, retries and costs more often (interest), novelty those that went or failed as few others of the period did (trace_rarity). inclusion_probability is that of being drawn, weight how many of the population the row stands for: sums of what is known of rows, times weight, are unbiased estimates of all. The same seed and data give the same rows, a larger n contains a smaller, split (train, validation, test) goes by the conversation. Rows without a kept input are left out, with a notice. expected is the latest annotation of name correction and source human. Example: SELECT sample_id, input, stratum, weight FROM llmtrace.eval_sample(20, ''{feature}'', bodies => false) LIMIT 10';

-- ------------------------------------------------- as others read them -----

CREATE FUNCTION llmtrace.message_text(message jsonb) RETURNS text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN pg_catalog.jsonb_typeof(message) = 'string' THEN message #>> '{}'
		WHEN pg_catalog.jsonb_typeof(message -> 'text') = 'string' THEN message ->> 'text'
		WHEN pg_catalog.jsonb_typeof(message -> 'content') = 'string' THEN message ->> 'content'
		ELSE coalesce((
			SELECT pg_catalog.string_agg(coalesce(p.part ->> 'text', p.part ->> 'content', p.part ->> 'response', p.part ->> 'result', p.part ->> 'output',
				CASE WHEN pg_catalog.jsonb_typeof(p.part) = 'string' THEN p.part #>> '{}' END), E'\n' ORDER BY p.ordinal)
			FROM pg_catalog.jsonb_array_elements(CASE WHEN pg_catalog.jsonb_typeof(message -> 'parts') = 'array' THEN message -> 'parts'
				WHEN pg_catalog.jsonb_typeof(message -> 'content') = 'array' THEN message -> 'content' ELSE '[]' END)
				WITH ORDINALITY p (part, ordinal)
			WHERE coalesce(p.part ->> 'type', '') NOT IN ('tool_call', 'tool_use', 'reasoning', 'thinking')),
			CASE WHEN pg_catalog.jsonb_typeof(message -> 'content') = 'object' THEN (message -> 'content')::text ELSE '' END) END;
END;
COMMENT ON FUNCTION llmtrace.message_text(jsonb) IS 'the text of a message {role, content or parts}, or of {"text": ...}; without what it calls or reasons';

CREATE FUNCTION llmtrace.chat_messages(messages jsonb) RETURNS jsonb
	LANGUAGE sql IMMUTABLE PARALLEL UNSAFE STRICT
BEGIN ATOMIC
	SELECT pg_catalog.jsonb_agg(llmtrace.without_nulls(pg_catalog.jsonb_build_object(
			'role', CASE WHEN m.calls IS NOT NULL THEN 'assistant'
				WHEN m.message ->> 'role' IN ('system', 'developer') THEN 'system'
				WHEN m.message ->> 'role' IN ('assistant', 'model', 'ai') THEN 'assistant'
				WHEN m.message ->> 'role' IN ('tool', 'function') THEN 'tool'
				ELSE 'user' END,
			'content', llmtrace.message_text(m.message),
			'tool_call_id', CASE WHEN m.message ->> 'role' IN ('tool', 'function') THEN coalesce(m.message ->> 'tool_call_id',
				m.message #>> '{parts,0,id}', m.message #>> '{content,0,tool_use_id}', m.message #>> '{content,0,toolCallId}') END,
			'tool_calls', m.calls)) ORDER BY m.ordinal)
	FROM (
		SELECT l.message, l.ordinal, (
			SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
					'id', coalesce(c.call ->> 'id', c.call ->> 'toolCallId', 'call_' || c.number),
					'type', 'function',
					'function', coalesce(c.call #>> '{function,name}', c.call ->> 'name', c.call ->> 'toolName', 'unknown'),
					'arguments', CASE WHEN pg_catalog.jsonb_typeof(a.arguments) = 'object' THEN a.arguments
						WHEN a.arguments IS NULL THEN '{}'
						ELSE pg_catalog.jsonb_build_object('arguments', a.arguments) END) ORDER BY c.number)
			FROM pg_catalog.jsonb_array_elements(CASE
					WHEN pg_catalog.jsonb_typeof(l.message -> 'tool_calls') = 'array' THEN l.message -> 'tool_calls'
					WHEN pg_catalog.jsonb_typeof(l.message -> 'parts') = 'array' THEN l.message -> 'parts'
					WHEN pg_catalog.jsonb_typeof(l.message -> 'content') = 'array' THEN l.message -> 'content'
					ELSE '[]' END) WITH ORDINALITY c (call, number)
				CROSS JOIN LATERAL (SELECT coalesce(c.call #> '{function,arguments}', c.call -> 'arguments', c.call -> 'input', c.call -> 'args') AS given) g
				CROSS JOIN LATERAL (SELECT CASE WHEN pg_catalog.jsonb_typeof(g.given) = 'string'
					THEN llmtrace.body_json(g.given #>> '{}') ELSE g.given END AS arguments) a
			WHERE pg_catalog.jsonb_typeof(l.message -> 'tool_calls') = 'array'
				OR c.call ->> 'type' IN ('tool_call', 'tool_use', 'tool-call')) AS calls
		FROM pg_catalog.jsonb_array_elements(CASE WHEN pg_catalog.jsonb_typeof(messages) = 'array' THEN messages
				ELSE pg_catalog.jsonb_build_array(pg_catalog.jsonb_build_object('role', 'user', 'content', llmtrace.message_text(messages))) END)
			WITH ORDINALITY l (message, ordinal)) m;
END;
COMMENT ON FUNCTION llmtrace.chat_messages(jsonb) IS
'messages as chat models take them: role (system, user, assistant, tool), content as text, tool_calls {id, type, function, arguments}, tool_call_id';

CREATE FUNCTION llmtrace.last_request(input jsonb) RETURNS text
	LANGUAGE sql IMMUTABLE PARALLEL UNSAFE STRICT
BEGIN ATOMIC
	SELECT c.message ->> 'content'
	FROM pg_catalog.jsonb_array_elements(llmtrace.chat_messages(input)) WITH ORDINALITY c (message, ordinal)
	ORDER BY c.message ->> 'role' = 'user' DESC, c.ordinal DESC
	LIMIT 1;
END;
COMMENT ON FUNCTION llmtrace.last_request(jsonb) IS 'the text of the last message of the user in an input of eval_sample';

-- What people wrote must not be run as a template, nor opened as a file.
CREATE FUNCTION llmtrace.promptfoo_text(value text) RETURNS text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT
BEGIN ATOMIC
	SELECT CASE WHEN value ~ '^\s*\w+:' THEN '{{ "" }}' ELSE '' END
		|| pg_catalog.regexp_replace(value, '(?<=#)\}|\{(?=[{%#])', '{{ "\&" }}', 'g');
END;
COMMENT ON FUNCTION llmtrace.promptfoo_text(text) IS 'a text as a variable of promptfoo, which would take {{...}} as a template and file://... as a file: such beginnings become expressions that give them';

CREATE FUNCTION llmtrace.sample_metadata(sample_id text, metadata jsonb, split text, stratum text, inclusion_probability double precision, weight double precision)
	RETURNS jsonb
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT metadata || llmtrace.without_nulls(pg_catalog.jsonb_build_object('sample_id', sample_id, 'split', split, 'stratum', stratum,
		'inclusion_probability', inclusion_probability, 'weight', weight));
END;
COMMENT ON FUNCTION llmtrace.sample_metadata(text, jsonb, text, text, double precision, double precision) IS
'the metadata of a row of eval_sample, and what it stands for';

CREATE FUNCTION llmtrace.eval_sample_promptfoo(n integer DEFAULT 200, strata text[] DEFAULT '{}', matching llmtrace.tracequery DEFAULT NULL,
	per text DEFAULT 'trace', allocation text DEFAULT 'equal', policy text DEFAULT 'uniform', seed bigint DEFAULT 0,
	since timestamptz DEFAULT now() - interval '7 days', until timestamptz DEFAULT 'infinity') RETURNS SETOF jsonb
	LANGUAGE sql STABLE ROWS 200
BEGIN ATOMIC
	SELECT llmtrace.without_nulls(pg_catalog.jsonb_build_object(
		'description', e.stratum || ' ' || e.sample_id,
		'vars', llmtrace.without_nulls(pg_catalog.jsonb_build_object(
			'input', llmtrace.promptfoo_text(llmtrace.last_request(e.input)),
			'messages', llmtrace.promptfoo_text(llmtrace.chat_messages(e.input)::text))),
		'assert', CASE WHEN e.expected IS NOT NULL THEN pg_catalog.jsonb_build_array(pg_catalog.jsonb_build_object(
			'type', 'equals', 'value', llmtrace.promptfoo_text(e.expected #>> '{}'))) END,
		'metadata', llmtrace.sample_metadata(e.sample_id, e.metadata - 'tools_called' - 'retrieval_context', e.split, e.stratum, e.inclusion_probability, e.weight)))
	FROM llmtrace.eval_sample(n, strata, matching, per, allocation, policy, seed, since, until) e;
END;
COMMENT ON FUNCTION llmtrace.eval_sample_promptfoo(integer, text[], llmtrace.tracequery, text, text, text, bigint, timestamptz, timestamptz) IS
'eval_sample as test cases of promptfoo, one a line: vars input (what the user said last) and messages (all of it, as JSON), assert equals where there is a correction, metadata. psql -XAtqc "SELECT llmtrace.eval_sample_promptfoo(n => 200)" > tests.jsonl. Needs the privilege to read bodies. Example: SELECT llmtrace.eval_sample_promptfoo(n => 20, strata => ''{feature}'', seed => 7)';

CREATE FUNCTION llmtrace.eval_sample_inspect(n integer DEFAULT 200, strata text[] DEFAULT '{}', matching llmtrace.tracequery DEFAULT NULL,
	per text DEFAULT 'trace', allocation text DEFAULT 'equal', policy text DEFAULT 'uniform', seed bigint DEFAULT 0,
	since timestamptz DEFAULT now() - interval '7 days', until timestamptz DEFAULT 'infinity') RETURNS SETOF jsonb
	LANGUAGE sql STABLE ROWS 200
BEGIN ATOMIC
	SELECT pg_catalog.jsonb_build_object(
		'id', e.sample_id,
		'input', llmtrace.chat_messages(e.input),
		'target', coalesce(e.expected #>> '{}', ''),
		'metadata', llmtrace.sample_metadata(e.sample_id, e.metadata, e.split, e.stratum, e.inclusion_probability, e.weight))
	FROM llmtrace.eval_sample(n, strata, matching, per, allocation, policy, seed, since, until) e;
END;
COMMENT ON FUNCTION llmtrace.eval_sample_inspect(integer, text[], llmtrace.tracequery, text, text, text, bigint, timestamptz, timestamptz) IS
'eval_sample as samples of Inspect (json_dataset reads the lines): id, input as chat messages, target (empty where there is no correction), metadata. Needs the privilege to read bodies. Example: SELECT llmtrace.eval_sample_inspect(n => 20, strata => ''{feature}'', seed => 7)';

CREATE FUNCTION llmtrace.eval_sample_openai(n integer DEFAULT 200, strata text[] DEFAULT '{}', matching llmtrace.tracequery DEFAULT NULL,
	per text DEFAULT 'trace', allocation text DEFAULT 'equal', policy text DEFAULT 'uniform', seed bigint DEFAULT 0,
	since timestamptz DEFAULT now() - interval '7 days', until timestamptz DEFAULT 'infinity') RETURNS SETOF jsonb
	LANGUAGE sql STABLE ROWS 200
BEGIN ATOMIC
	SELECT llmtrace.without_nulls(pg_catalog.jsonb_build_object(
		'input', llmtrace.chat_messages(e.input),
		'ideal', e.expected #>> '{}',
		'metadata', llmtrace.sample_metadata(e.sample_id, e.metadata - 'tools_called' - 'retrieval_context', e.split, e.stratum, e.inclusion_probability, e.weight)))
	FROM llmtrace.eval_sample(n, strata, matching, per, allocation, policy, seed, since, until) e;
END;
COMMENT ON FUNCTION llmtrace.eval_sample_openai(integer, text[], llmtrace.tracequery, text, text, text, bigint, timestamptz, timestamptz) IS
'eval_sample as samples of OpenAI Evals, one a line: input as chat messages, ideal where there is a correction (its matching evals need one: filter by it), metadata. Needs the privilege to read bodies. Example: SELECT llmtrace.eval_sample_openai(n => 20, strata => ''{feature}'', seed => 7)';

CREATE FUNCTION llmtrace.eval_sample_deepeval(n integer DEFAULT 200, strata text[] DEFAULT '{}', matching llmtrace.tracequery DEFAULT NULL,
	per text DEFAULT 'trace', allocation text DEFAULT 'equal', policy text DEFAULT 'uniform', seed bigint DEFAULT 0,
	since timestamptz DEFAULT now() - interval '7 days', until timestamptz DEFAULT 'infinity') RETURNS SETOF jsonb
	LANGUAGE sql STABLE ROWS 200
BEGIN ATOMIC
	SELECT llmtrace.without_nulls(pg_catalog.jsonb_build_object(
		'input', llmtrace.last_request(e.input),
		'actual_output', (SELECT pg_catalog.string_agg(o.message ->> 'content', E'\n' ORDER BY o.ordinal)
			FROM pg_catalog.jsonb_array_elements(llmtrace.chat_messages(e.output)) WITH ORDINALITY o (message, ordinal)),
		'expected_output', e.expected #>> '{}',
		'retrieval_context', (SELECT pg_catalog.jsonb_agg(d.document #>> '{}' ORDER BY d.ordinal)
			FROM pg_catalog.jsonb_array_elements(e.metadata -> 'retrieval_context') WITH ORDINALITY d (document, ordinal)),
		'tools_called', (SELECT pg_catalog.jsonb_agg(llmtrace.without_nulls(pg_catalog.jsonb_build_object('name', coalesce(c.call ->> 'name', 'unknown'),
				'input_parameters', CASE WHEN pg_catalog.jsonb_typeof(a.arguments) = 'object' THEN a.arguments END,
				'output', c.call -> 'output')) ORDER BY c.ordinal)
			FROM pg_catalog.jsonb_array_elements(e.metadata -> 'tools_called') WITH ORDINALITY c (call, ordinal)
				CROSS JOIN LATERAL (SELECT CASE WHEN pg_catalog.jsonb_typeof(c.call -> 'arguments') = 'string'
					THEN llmtrace.body_json(c.call ->> 'arguments') ELSE c.call -> 'arguments' END AS arguments) a),
		'additional_metadata', llmtrace.sample_metadata(e.sample_id, e.metadata - 'tools_called' - 'retrieval_context', e.split, e.stratum, e.inclusion_probability, e.weight)))
	FROM llmtrace.eval_sample(n, strata, matching, per, allocation, policy, seed, since, until) e;
END;
COMMENT ON FUNCTION llmtrace.eval_sample_deepeval(integer, text[], llmtrace.tracequery, text, text, text, bigint, timestamptz, timestamptz) IS
'eval_sample as goldens of DeepEval, one a line: input (what the user said last), actual_output, expected_output where there is a correction, retrieval_context, tools_called {name, input_parameters, output}, additional_metadata. Needs the privilege to read bodies. Example: SELECT llmtrace.eval_sample_deepeval(n => 20, strata => ''{feature}'', seed => 7)';

CREATE FUNCTION llmtrace.eval_sample_langsmith(n integer DEFAULT 200, strata text[] DEFAULT '{}', matching llmtrace.tracequery DEFAULT NULL,
	per text DEFAULT 'trace', allocation text DEFAULT 'equal', policy text DEFAULT 'uniform', seed bigint DEFAULT 0,
	since timestamptz DEFAULT now() - interval '7 days', until timestamptz DEFAULT 'infinity') RETURNS SETOF jsonb
	LANGUAGE sql STABLE ROWS 200
BEGIN ATOMIC
	SELECT llmtrace.without_nulls(pg_catalog.jsonb_build_object(
		'inputs', pg_catalog.jsonb_build_object('messages', llmtrace.chat_messages(e.input)),
		'outputs', CASE WHEN e.expected IS NOT NULL THEN pg_catalog.jsonb_build_object('output', e.expected #>> '{}') END,
		'metadata', llmtrace.sample_metadata(e.sample_id, e.metadata, e.split, e.stratum, e.inclusion_probability, e.weight),
		'split', e.split))
	FROM llmtrace.eval_sample(n, strata, matching, per, allocation, policy, seed, since, until) e;
END;
COMMENT ON FUNCTION llmtrace.eval_sample_langsmith(integer, text[], llmtrace.tracequery, text, text, text, bigint, timestamptz, timestamptz) IS
'eval_sample as examples of LangSmith, one a line, for create_examples: inputs {messages}, outputs {output} where there is a correction, metadata, split. Without source_run_id, which names runs of LangSmith''s own. Needs the privilege to read bodies. Example: SELECT llmtrace.eval_sample_langsmith(n => 20, strata => ''{feature}'', seed => 7)';

CREATE FUNCTION llmtrace.eval_sample_phoenix(n integer DEFAULT 200, strata text[] DEFAULT '{}', matching llmtrace.tracequery DEFAULT NULL,
	per text DEFAULT 'trace', allocation text DEFAULT 'equal', policy text DEFAULT 'uniform', seed bigint DEFAULT 0,
	since timestamptz DEFAULT now() - interval '7 days', until timestamptz DEFAULT 'infinity') RETURNS SETOF jsonb
	LANGUAGE sql STABLE ROWS 200
BEGIN ATOMIC
	SELECT pg_catalog.jsonb_build_object(
		'input', pg_catalog.jsonb_build_object('messages', llmtrace.chat_messages(e.input)),
		'output', CASE WHEN e.expected IS NULL THEN '{}' ELSE pg_catalog.jsonb_build_object('output', e.expected #>> '{}') END,
		'metadata', llmtrace.sample_metadata(e.sample_id, e.metadata, e.split, e.stratum, e.inclusion_probability, e.weight),
		'splits', e.split,
		'span_id', e.span_id)
	FROM llmtrace.eval_sample(n, strata, matching, per, allocation, policy, seed, since, until) e;
END;
COMMENT ON FUNCTION llmtrace.eval_sample_phoenix(integer, text[], llmtrace.tracequery, text, text, text, bigint, timestamptz, timestamptz) IS
'eval_sample as examples of Phoenix, one a line: input {messages}, output {output} (empty without a correction), metadata, splits, span_id. Needs the privilege to read bodies. Example: SELECT llmtrace.eval_sample_phoenix(n => 20, strata => ''{feature}'', seed => 7)';

-- --------------------------------------------------------------- lineage ---

CREATE FUNCTION llmtrace.eval_sample_take(dataset text, purpose text, n integer DEFAULT 200, strata text[] DEFAULT '{}',
	matching llmtrace.tracequery DEFAULT NULL, per text DEFAULT 'trace', allocation text DEFAULT 'equal', policy text DEFAULT 'uniform',
	seed bigint DEFAULT 0, since timestamptz DEFAULT now() - interval '7 days', until timestamptz DEFAULT 'infinity', bodies boolean DEFAULT true)
	RETURNS TABLE (sample_id text, trace_id text, span_id text, input jsonb, expected jsonb, output jsonb, metadata jsonb,
		split text, stratum text, inclusion_probability double precision, weight double precision)
	LANGUAGE plpgsql VOLATILE ROWS 200 SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF dataset IS NULL OR dataset = '' OR purpose IS NULL OR purpose = '' THEN
		RAISE EXCEPTION 'a data set and a purpose are needed' USING ERRCODE = 'null_value_not_allowed',
			HINT = 'Example: SELECT * FROM llmtrace.eval_sample_take(''refunds-v1'', ''regression test'', n => 50)';
	END IF;
	FOR sample_id, trace_id, span_id, input, expected, output, metadata, split, stratum, inclusion_probability, weight IN
		SELECT e.* FROM llmtrace.eval_sample(n, strata, matching, per, allocation, policy, seed, since, until, bodies) e
	LOOP
		INSERT INTO llmtrace.sample_lineage AS l (sample_id, trace_id, span_id, body_hashes, dataset, purpose, stratum, split,
			inclusion_probability, weight)
		SELECT eval_sample_take.sample_id, eval_sample_take.trace_id::uuid, eval_sample_take.span_id,
			ARRAY(SELECT DISTINCT r.hash FROM llmtrace.payload_refs(llmtrace.stored_trace(eval_sample_take.trace_id::uuid)) r
				WHERE bodies AND (per = 'trace' OR r.span_id = eval_sample_take.span_id)),
			eval_sample_take.dataset, eval_sample_take.purpose, eval_sample_take.stratum, eval_sample_take.split,
			eval_sample_take.inclusion_probability, eval_sample_take.weight;
		RETURN NEXT;
	END LOOP;
END
$$;
COMMENT ON FUNCTION llmtrace.eval_sample_take(text, text, integer, text[], llmtrace.tracequery, text, text, text, bigint, timestamptz, timestamptz, boolean) IS
'eval_sample, and a row in sample_lineage for each: what went into which data set, what for, so that erasure_plan finds it. The projections give the same rows for the same arguments. Needs the privilege to insert into sample_lineage. Example: SELECT sample_id, split FROM llmtrace.eval_sample_take(''refunds-v1'', ''regression test'', n => 10, bodies => false)';
