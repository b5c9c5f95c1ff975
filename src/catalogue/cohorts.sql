-- What functions over a period have in common: which time, by which columns.

CREATE FUNCTION llmtrace.check_period(since timestamptz, until timestamptz) RETURNS void
	LANGUAGE plpgsql STABLE PARALLEL SAFE
AS $$
BEGIN
	IF since IS NULL OR until IS NULL THEN
		RAISE EXCEPTION 'since and until must not be null'
			USING ERRCODE = 'null_value_not_allowed';
	END IF;
	IF since OPERATOR(pg_catalog.>=) until THEN
		RAISE EXCEPTION 'since must be before until'
			USING ERRCODE = 'invalid_parameter_value',
				DETAIL = pg_catalog.format('since is %s, until is %s.', since, until);
	END IF;
END
$$;
COMMENT ON FUNCTION llmtrace.check_period(timestamptz, timestamptz) IS 'an error unless since is before until';

-- What date_bin takes, and NULL where all of a period may be one bucket.
CREATE FUNCTION llmtrace.check_bucket(bucket interval, may_be_null boolean) RETURNS void
	LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF bucket <= interval '0' OR bucket IS NULL AND NOT may_be_null THEN
		RAISE EXCEPTION 'bucket must be longer than 0' USING ERRCODE = 'invalid_parameter_value';
	END IF;
	IF extract(year FROM bucket) <> 0 OR extract(month FROM bucket) <> 0 THEN
		RAISE EXCEPTION 'bucket must be days, hours or less'
			USING ERRCODE = 'invalid_parameter_value', DETAIL = 'Months and years are not all equally long.';
	END IF;
END
$$;
COMMENT ON FUNCTION llmtrace.check_bucket(interval, boolean) IS 'an error unless a bucket of time is longer than 0, and without months';

-- Most data that somebody tries this on is older than a week.
CREATE FUNCTION llmtrace.notice_empty_period(since timestamptz, until timestamptz) RETURNS boolean
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	newest timestamptz;
BEGIN
	IF EXISTS (SELECT FROM llmtrace.folded f WHERE f.started_at OPERATOR(pg_catalog.>=) since
			AND f.started_at OPERATOR(pg_catalog.<) until)
		OR EXISTS (SELECT FROM llmtrace.fragments) THEN
		RETURN false;
	END IF;
	SELECT f.started_at INTO newest FROM llmtrace.folded f ORDER BY f.started_at DESC LIMIT 1;
	IF newest IS NULL THEN
		RAISE NOTICE 'there are no traces';
	ELSE
		RAISE NOTICE 'no trace started between % and %; the newest started at %', since, until, newest
			USING HINT = pg_catalog.format('Try since => %L.', pg_catalog.date_trunc('day', newest) OPERATOR(pg_catalog.-) interval '6 days');
	END IF;
	RETURN true;
END
$$;
COMMENT ON FUNCTION llmtrace.notice_empty_period(timestamptz, timestamptz) IS 'a notice with the newest trace''s time where a period has none: was there one?';

CREATE FUNCTION llmtrace.notice_nothing(since timestamptz, until timestamptz, why text, hint text DEFAULT NULL) RETURNS void
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF llmtrace.notice_empty_period(since, until) THEN
		RETURN;
	END IF;
	IF hint IS NULL THEN
		RAISE NOTICE 'nothing between % and %: %', since, until, why;
	ELSE
		RAISE NOTICE 'nothing between % and %: %', since, until, why USING HINT = hint;
	END IF;
END
$$;
COMMENT ON FUNCTION llmtrace.notice_nothing(timestamptz, timestamptz, text, text) IS 'a notice that says why there is no answer: no trace in a period, else what is given';

CREATE FUNCTION llmtrace.dims_expression(relation regclass, "by" text[]) RETURNS text
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	columns text[];
	own text[];
	name text;
	parts text[] := '{}';
BEGIN
	SELECT array_agg(a.attname::text ORDER BY a.attnum) INTO columns
	FROM pg_attribute a
	WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped
		AND a.atttypid IN ('text'::regtype, 'boolean'::regtype)
		AND a.attname !~ '(^|_)(span_id|hash|message|call_id|response_id)$' OR a.attrelid = relation AND a.attname = 'prompt_hash';
	SELECT coalesce(array_agg(DISTINCT d.name), '{}') INTO own FROM llmtrace.cohort_dimension d;
	FOREACH name IN ARRAY coalesce("by", '{}') LOOP
		IF name = ANY (columns) THEN
			parts := parts || format('%L, x.%I', name, name);
		ELSIF name = ANY (own) THEN
			parts := parts || format('%L, x.dims ->> %L', name, name);
		ELSE
			RAISE EXCEPTION 'unknown dimension "%"', left(name, 60)
				USING ERRCODE = 'invalid_parameter_value',
					DETAIL = format('Known are %s.', array_to_string(columns || own, ', ')),
					HINT = concat('Did you mean "' || llmtrace.closest_word(name, columns || own) || '"? ',
						'Add your own with CALL llmtrace.map_attribute(name, key).');
		END IF;
	END LOOP;
	RETURN format('jsonb_build_object(%s)', array_to_string(parts, ', '));
END
$$;
COMMENT ON FUNCTION llmtrace.dims_expression(regclass, text[]) IS
'an SQL expression over x, a row of a view, that gives the dimensions by which it is grouped as jsonb; an error for a name that is neither a column of the view nor a dimension of one''s own';

CREATE FUNCTION llmtrace.cohort_label(dims jsonb) RETURNS text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT
BEGIN ATOMIC
	SELECT coalesce(pg_catalog.string_agg(d.key || '=' || coalesce(d.value, '-'), ', ' ORDER BY d.key), 'all')
	FROM pg_catalog.jsonb_each_text(dims) d;
END;
COMMENT ON FUNCTION llmtrace.cohort_label(jsonb) IS 'the name of a cohort: feature=research, model=gpt-5.4';
