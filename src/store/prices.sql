-- What models cost.

CREATE FUNCTION llmtrace.price_candidates(provider text, model text)
	RETURNS TABLE (since timestamptz, until timestamptz,
		input bigint, output bigint, cache_read bigint, cache_write bigint, reasoning bigint)
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	-- once: inlined, the expressions would be computed for each row of price
	WITH name AS MATERIALIZED (
		SELECT model AS whole,
			pg_catalog.regexp_replace(model, '^.*/', '') AS bare,
			-- gpt-4o-2024-08-06, claude-3-5-haiku-20241022, gemini-1.5-pro@20240514
			pg_catalog.regexp_replace(pg_catalog.regexp_replace(model, '^.*/', ''),
				'[-@](\d{4}-\d{2}-\d{2}|\d{8})$', '') AS undated
	)
	SELECT coalesce(pg_catalog.lower(p.valid), timestamptz '-infinity'),
		coalesce(pg_catalog.upper(p.valid), timestamptz 'infinity'),
		(p.input_usd_per_million * 1000000)::bigint, (p.output_usd_per_million * 1000000)::bigint,
		(p.cache_read_usd_per_million * 1000000)::bigint, (p.cache_write_usd_per_million * 1000000)::bigint,
		(p.reasoning_usd_per_million * 1000000)::bigint
	FROM name n
		JOIN llmtrace.price p ON p.model_pattern IN (n.whole, n.bare, n.undated)
			OR (p.model_pattern LIKE '%*' AND (
				pg_catalog.starts_with(n.whole, pg_catalog.rtrim(p.model_pattern, '*'))
				OR pg_catalog.starts_with(n.bare, pg_catalog.rtrim(p.model_pattern, '*'))))
	ORDER BY CASE WHEN p.provider = price_candidates.provider THEN 1 WHEN p.provider IS NULL THEN 2 ELSE 3 END,
		CASE p.model_pattern WHEN n.whole THEN 1 WHEN n.bare THEN 2 WHEN n.undated THEN 3 ELSE 4 END,
		pg_catalog.length(p.model_pattern) DESC, p.provider, p.valid DESC;
END;
COMMENT ON FUNCTION llmtrace.price_candidates(text, text) IS
'internal: what the price list has for a model, the best first, in 1e-12 dollars a token; priced_cost reads it';

CREATE FUNCTION llmtrace.load_prices(prices json, since timestamptz DEFAULT NULL, source text DEFAULT 'litellm',
	OUT loaded_count bigint, OUT changed_count bigint)
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
BEGIN
	IF prices IS NULL OR json_typeof(prices) <> 'object' THEN
		RAISE EXCEPTION 'prices must be a JSON object of models'
			USING ERRCODE = 'invalid_parameter_value',
				HINT = 'LiteLLM''s file model_prices_and_context_window.json has the shape {"gpt-4o": {"litellm_provider": "openai", "input_cost_per_token": 2.5e-06, ...}, ...}.';
	END IF;
	CREATE TEMPORARY TABLE llmtrace_new_price ON COMMIT DROP AS
	SELECT DISTINCT ON (x.provider, x.model_pattern) *
	FROM (
		SELECT CASE m.value ->> 'litellm_provider'
				WHEN 'azure' THEN 'azure.ai.openai' WHEN 'azure_ai' THEN 'azure.ai.inference'
				WHEN 'azure_text' THEN 'azure.ai.openai'
				WHEN 'bedrock' THEN 'aws.bedrock' WHEN 'bedrock_converse' THEN 'aws.bedrock'
				WHEN 'gemini' THEN 'gcp.gemini' WHEN 'mistral' THEN 'mistral_ai' WHEN 'xai' THEN 'x_ai'
				WHEN 'watsonx' THEN 'ibm.watsonx.ai' WHEN 'cohere_chat' THEN 'cohere'
				WHEN 'text-completion-openai' THEN 'openai'
				ELSE regexp_replace(m.value ->> 'litellm_provider', '^vertex_ai.*', 'gcp.vertex_ai') END AS provider,
			CASE WHEN starts_with(m.key, m.value ->> 'litellm_provider' || '/')
				THEN substr(m.key, length(m.value ->> 'litellm_provider') + 2)
				ELSE m.key END AS model_pattern,
			(m.value ->> 'input_cost_per_token')::numeric * 1000000 AS input,
			(m.value ->> 'output_cost_per_token')::numeric * 1000000 AS output,
			(m.value ->> 'cache_read_input_token_cost')::numeric * 1000000 AS cache_read,
			(m.value ->> 'cache_creation_input_token_cost')::numeric * 1000000 AS cache_write,
			(m.value ->> 'output_cost_per_reasoning_token')::numeric * 1000000 AS reasoning
		FROM json_each(prices) m
		WHERE m.key <> 'sample_spec' AND json_typeof(m.value) = 'object'
			AND json_typeof(m.value -> 'input_cost_per_token') IN ('number', 'string')) x
	WHERE x.model_pattern <> '' AND position('*' IN rtrim(x.model_pattern, '*')) = 0
	ORDER BY x.provider, x.model_pattern;
	GET DIAGNOSTICS loaded_count = ROW_COUNT;
	IF loaded_count = 0 THEN
		DROP TABLE pg_temp.llmtrace_new_price;
		RAISE EXCEPTION 'there is no price in this file'
			USING ERRCODE = 'invalid_parameter_value',
				DETAIL = 'No member is an object with "input_cost_per_token".',
				HINT = 'LiteLLM''s file model_prices_and_context_window.json has the shape {"gpt-4o": {"litellm_provider": "openai", "input_cost_per_token": 2.5e-06, ...}, ...}.';
	END IF;

	-- what has changed ends when the new begins
	WITH changed AS (
		SELECT n.*, p.ctid AS old, p.valid AS old_valid
		FROM pg_temp.llmtrace_new_price n
			LEFT JOIN llmtrace.price p ON p.model_pattern = n.model_pattern AND p.provider IS NOT DISTINCT FROM n.provider
				AND upper_inf(p.valid)
		WHERE (p.input_usd_per_million, p.output_usd_per_million, p.cache_read_usd_per_million,
				p.cache_write_usd_per_million, p.reasoning_usd_per_million)
			IS DISTINCT FROM (n.input, n.output, n.cache_read, n.cache_write, n.reasoning)
	), ended AS (
		UPDATE llmtrace.price p SET valid = tstzrange(lower(p.valid), since)
		FROM changed c
		WHERE p.ctid = c.old AND since > coalesce(lower(p.valid), '-infinity')
		RETURNING p.model_pattern
	), replaced AS (
		UPDATE llmtrace.price p SET (input_usd_per_million, output_usd_per_million, cache_read_usd_per_million,
			cache_write_usd_per_million, reasoning_usd_per_million, source)
			= (c.input, c.output, c.cache_read, c.cache_write, c.reasoning, source)
		FROM changed c
		WHERE p.ctid = c.old AND (since > coalesce(lower(p.valid), '-infinity')) IS NOT TRUE
		RETURNING p.model_pattern
	), added AS (
		INSERT INTO llmtrace.price
		SELECT c.provider, c.model_pattern, tstzrange(since, NULL), c.input, c.output, c.cache_read, c.cache_write,
			c.reasoning, source
		FROM changed c
		WHERE c.old IS NULL OR since > coalesce(lower(c.old_valid), '-infinity')
		RETURNING model_pattern
	)
	SELECT (SELECT count(*) FROM replaced) + (SELECT count(*) FROM added) INTO changed_count;
	DROP TABLE pg_temp.llmtrace_new_price;
END
$$;
COMMENT ON FUNCTION llmtrace.load_prices(json, timestamptz, text) IS
'Takes LiteLLM''s price file (model_prices_and_context_window.json) into table price: prices in US dollars a million tokens. With since, changed prices hold from then on and the old ones before; without, they replace the old ones. Returns the models read and those whose price is new. Then CALL reprice() for what is folded. Example: SELECT * FROM llmtrace.load_prices(''{"gpt-4o": {"litellm_provider": "openai", "input_cost_per_token": 2.5e-06, "output_cost_per_token": 1e-05}}'')';

CREATE FUNCTION llmtrace.reprice_day(day timestamptz, next_day timestamptz) RETURNS bigint
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	changed bigint;
BEGIN
	PERFORM llmtrace.lock_shards();
	UPDATE llmtrace.folded f
	SET (cost_usd, cost_source, missing_price_count) = (c.cost_usd, c.cost_source, c.missing_price_count)
	FROM llmtrace.folded o CROSS JOIN LATERAL llmtrace.trace_cost(o.trajectory) c
	WHERE o.started_at >= day AND o.started_at < next_day
		AND f.started_at = o.started_at AND f.trace_id = o.trace_id
		AND (f.cost_usd, f.cost_source, f.missing_price_count)
			IS DISTINCT FROM (c.cost_usd, c.cost_source, c.missing_price_count);
	GET DIAGNOSTICS changed = ROW_COUNT;
	IF changed > 0 THEN
		PERFORM llmtrace.mark_hours(day, next_day);
	END IF;
	RETURN changed;
END
$$;
COMMENT ON FUNCTION llmtrace.reprice_day(timestamptz, timestamptz) IS 'the costs of the traces that started in a time, by the prices of now; returns how many changed';

CREATE PROCEDURE llmtrace.reprice(since timestamptz DEFAULT '-infinity', until timestamptz DEFAULT 'infinity')
	LANGUAGE plpgsql
AS $$
DECLARE
	day record;
	changed bigint := 0;
	missing pg_catalog.numeric;
BEGIN
	FOR day IN SELECT * FROM llmtrace.folded_days(since, until) LOOP
		changed := changed OPERATOR(pg_catalog.+) llmtrace.reprice_day(day.start, day.next);
		COMMIT;
	END LOOP;
	SELECT coalesce(sum(f.missing_price_count), 0) INTO missing
	FROM llmtrace.folded f
	WHERE f.started_at OPERATOR(pg_catalog.>=) since AND f.started_at OPERATOR(pg_catalog.<) until;
	RAISE NOTICE 'the cost of % traces changed; % calls have no price', changed, missing;
END
$$;
COMMENT ON PROCEDURE llmtrace.reprice(timestamptz, timestamptz) IS
'Sets the costs of folded traces anew after prices have changed, a day and transaction at a time. Example: CALL llmtrace.reprice(now() - interval ''30 days'')';
