-- Rollups: states of distributions an hour, a day and a cohort, so that weeks
-- are compared without a look at their traces.
--
-- An hour is never added to: whatever changes a trace marks its hour (in its
-- own transaction, in a table that is only appended to), and refresh_rollups
-- computes what is marked from folded anew.  A day is the sum of its hours,
-- marked by their refresh.

CREATE TABLE llmtrace.measure (
	name text PRIMARY KEY CHECK (name ~ '^[a-z_]+\.[a-z0-9_]+$'),
	subject text NOT NULL GENERATED ALWAYS AS (split_part(name, '.', 1)) STORED,
	place integer NOT NULL CHECK (place > 0),
	is_category boolean NOT NULL,
	trace_correlation double precision NOT NULL DEFAULT 1 CHECK (trace_correlation BETWEEN 0 AND 1),
	UNIQUE (subject, place)
);
COMMENT ON TABLE llmtrace.measure IS 'what rollups keep the distributions of: columns of views; filled by add_measure';
COMMENT ON COLUMN llmtrace.measure.name IS 'view and column: model_calls.input_tokens';
COMMENT ON COLUMN llmtrace.measure.subject IS 'the view';
COMMENT ON COLUMN llmtrace.measure.place IS 'where its states are in rollup_cell: a number among the measures of the view that does not change';
COMMENT ON COLUMN llmtrace.measure.is_category IS 'counts of texts, not a distribution of numbers';
COMMENT ON COLUMN llmtrace.measure.trace_correlation IS 'how alike the calls of one trace are: with 1, which is safe, a trace counts as one observation, with 0 every call; set by estimate_trace_correlation';

INSERT INTO llmtrace.measure (name, is_category, place)
SELECT v.name, v.is_category, row_number() OVER (PARTITION BY split_part(v.name, '.', 1) ORDER BY v.name)
FROM (VALUES ('traces.duration_ms', false), ('traces.cost_usd', false), ('traces.span_count', false), ('traces.depth', false),
	('traces.input_tokens', false), ('traces.output_tokens', false), ('traces.model_call_count', false),
	('traces.tool_call_count', false), ('traces.retry_count', false), ('traces.error_count', false),
	('traces.is_error', true),
	('model_calls.duration_ms', false), ('model_calls.ttft_ms', false), ('model_calls.input_tokens', false),
	('model_calls.output_tokens', false), ('model_calls.cost_usd', false), ('model_calls.model', true),
	('model_calls.finish_reason', true), ('model_calls.is_error', true),
	('tool_calls.duration_ms', false), ('tool_calls.attempt', false), ('tool_calls.tool_name', true),
	('tool_calls.is_error', true), ('tool_calls.error_type', true)) v (name, is_category);

CREATE TABLE llmtrace.kept_cohort (
	"by" text[] PRIMARY KEY CHECK (cardinality("by") > 0)
);
COMMENT ON TABLE llmtrace.kept_cohort IS 'by what rollups tell cohorts apart: a dimension, or several together; filled by keep_cohort. Dimensions of one''s own (map_attribute) are kept without it';
COMMENT ON COLUMN llmtrace.kept_cohort."by" IS 'columns of the measure''s view, in the order of the alphabet; a view that lacks one has no such cohorts';

INSERT INTO llmtrace.kept_cohort ("by")
VALUES ('{service_name}'), ('{service_version}'), ('{environment}'), ('{region}'), ('{feature}'), ('{tenant_id}'),
	('{agent_name}'), ('{prompt_version}'), ('{prompt_hash}'), ('{model}'), ('{model_requested}'), ('{tool_name}');

-- All measures of a cohort are in one row: most states of an hour are smaller
-- than what a row and its index entries take.
CREATE TABLE llmtrace.rollup_cell (
	"time" timestamptz NOT NULL,
	is_day boolean NOT NULL,
	subject text NOT NULL,
	"by" text NOT NULL,
	dims jsonb NOT NULL,
	dists llmtrace.dist[] NOT NULL,
	cats llmtrace.cat[] NOT NULL,
	CHECK (cardinality(dists) = cardinality(cats))
) WITH (toast_tuple_target = 8160);
ALTER TABLE llmtrace.rollup_cell ALTER COLUMN dists SET STORAGE MAIN, ALTER COLUMN cats SET STORAGE MAIN;
-- values can be longer than an index allows, so they are in none
CREATE INDEX rollup_cell_subject_idx ON llmtrace.rollup_cell (subject, "by", is_day, "time");
CREATE INDEX rollup_cell_time_idx ON llmtrace.rollup_cell ("time", is_day);
-- They are of all traces, so that who may read only some of these reads none.
ALTER TABLE llmtrace.rollup_cell ENABLE ROW LEVEL SECURITY;
CREATE POLICY of_all ON llmtrace.rollup_cell FOR SELECT USING (NOT pg_catalog.row_security_active('llmtrace.folded'));
COMMENT ON POLICY of_all ON llmtrace.rollup_cell IS 'rollups are for those who may read all traces; policies for others go beside it';
COMMENT ON TABLE llmtrace.rollup_cell IS 'the distributions of all measures of a view in a cohort, of the traces that started in an hour or a day (UTC); made by refresh_rollups, and shown by cohort_rollup';
COMMENT ON COLUMN llmtrace.rollup_cell.subject IS 'the view: traces, model_calls, tool_calls or agent_runs';
COMMENT ON COLUMN llmtrace.rollup_cell.dists IS 'of measures that are numbers, by measure.place; NULL in place of others';
COMMENT ON COLUMN llmtrace.rollup_cell.cats IS 'of measures that are categories, likewise';

CREATE VIEW llmtrace.cohort_rollup WITH (security_invoker = true) AS
SELECT c."time", c.is_day, m.name AS measure, c."by", c.dims, c.dists[m.place] AS dist, c.cats[m.place] AS cat
FROM llmtrace.rollup_cell c JOIN llmtrace.measure m ON m.subject = c.subject
-- hours that were not refreshed since have nothing of a new measure
WHERE m.place <= cardinality(c.dists);
COMMENT ON VIEW llmtrace.cohort_rollup IS 'The distribution of a measure in a cohort, of the traces that started in an hour or a day (UTC). Example: SELECT "time", llmtrace.dist_quantile(dist, 0.9) FROM llmtrace.cohort_rollup WHERE measure = ''traces.duration_ms'' AND "by" = ''feature'' AND is_day ORDER BY "time"';
COMMENT ON COLUMN llmtrace.cohort_rollup."time" IS 'start of the hour or day';
COMMENT ON COLUMN llmtrace.cohort_rollup.is_day IS 'is it a day, the sum of its hours?';
COMMENT ON COLUMN llmtrace.cohort_rollup.measure IS 'as in table measure';
COMMENT ON COLUMN llmtrace.cohort_rollup."by" IS 'names of the cohort''s dimensions, with commas; empty for all';
COMMENT ON COLUMN llmtrace.cohort_rollup.dims IS 'the cohort: values by dimension, null where a row lacks one of several; rows that have none are in no cohort of these dimensions';
COMMENT ON COLUMN llmtrace.cohort_rollup.dist IS 'distribution of numbers, by sample_weight; its effective count allows for calls of one trace being alike (measure.trace_correlation)';
COMMENT ON COLUMN llmtrace.cohort_rollup.cat IS 'counts of texts, likewise';

CREATE TABLE llmtrace.rollup_dirty (
	"time" timestamptz NOT NULL,
	is_day boolean NOT NULL DEFAULT false,
	marked_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX rollup_dirty_time_idx ON llmtrace.rollup_dirty (is_day, "time");
COMMENT ON TABLE llmtrace.rollup_dirty IS 'hours and days that changed since their rollups were made; a row a change';

-- ------------------------------------------------------------------- marking ---

CREATE FUNCTION llmtrace.hour_of(at timestamptz) RETURNS timestamptz
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT pg_catalog.date_trunc('hour', at, 'UTC');
END;
COMMENT ON FUNCTION llmtrace.hour_of(timestamptz) IS 'the hour of a time, in UTC, as rollups have it';

CREATE FUNCTION llmtrace.mark_hours(since timestamptz DEFAULT '-infinity', until timestamptz DEFAULT 'infinity') RETURNS bigint
	LANGUAGE sql VOLATILE
BEGIN ATOMIC
	WITH marked AS (
		INSERT INTO llmtrace.rollup_dirty ("time")
		SELECT llmtrace.hour_of(d.started_at) FROM llmtrace.directory d
		WHERE d.started_at >= since AND d.started_at < until
		UNION
		SELECT r."time" FROM llmtrace.rollup_cell r
		WHERE NOT r.is_day AND r."time" >= llmtrace.hour_of(since) AND r."time" < until
		RETURNING "time")
	SELECT count(*) FROM marked;
END;
COMMENT ON FUNCTION llmtrace.mark_hours(timestamptz, timestamptz) IS
'marks the hours of a time that have traces or rollups, for refresh_rollups to make them anew; returns how many. Example: SELECT llmtrace.mark_hours(now() - interval ''1 day'')';

CREATE FUNCTION llmtrace.mark_traces(ids uuid[]) RETURNS void
	LANGUAGE sql VOLATILE
BEGIN ATOMIC
	INSERT INTO llmtrace.rollup_dirty ("time")
	SELECT DISTINCT llmtrace.hour_of(d.started_at) FROM llmtrace.directory d WHERE d.trace_id = ANY (ids);
END;
COMMENT ON FUNCTION llmtrace.mark_traces(uuid[]) IS 'marks the hours of some traces, before they go, for refresh_rollups to make them anew';

-- ---------------------------------------------------------------- refreshing ---

CREATE FUNCTION llmtrace.view_columns(subject text) RETURNS text[]
	LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT pg_catalog.array_agg(a.attname::text ORDER BY a.attnum)
	FROM pg_catalog.pg_attribute a
	WHERE a.attrelid = pg_catalog.to_regclass('llmtrace.' || subject) AND a.attnum > 0 AND NOT a.attisdropped;
END;
COMMENT ON FUNCTION llmtrace.view_columns(text) IS 'the columns of a view of the store';

CREATE FUNCTION llmtrace.kept_cohorts(subject text) RETURNS SETOF text[]
	LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT '{}'::text[]
	UNION
	SELECT k."by" FROM llmtrace.kept_cohort k
	WHERE k."by" <@ (llmtrace.view_columns(subject)
		|| (SELECT pg_catalog.array_agg(d.name) FROM llmtrace.cohort_dimension d))
	UNION
	SELECT ARRAY[d.name] FROM llmtrace.cohort_dimension d;
END;
COMMENT ON FUNCTION llmtrace.kept_cohorts(text) IS 'by which dimensions rollups of a view''s measures tell cohorts apart; none at all is the first';

-- What the views traces, model_calls ... show, of folded traces alone: rollups
-- of what still waits in fragments would be stale without a mark.
CREATE FUNCTION llmtrace.folded_column(subject text, columns text[], name text) RETURNS text
	LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT CASE
		WHEN NOT name = ANY (columns) THEN pg_catalog.format('t.dims ->> %L', name)
		WHEN subject = 'traces' AND name = 'model' THEN 't.first_model'
		WHEN subject = 'traces' THEN pg_catalog.format('t.%I', name)
		WHEN name = 'feature_source' THEN 'CASE WHEN s.feature IS NOT NULL THEN ''attribute'' ELSE t.feature_source END'
		WHEN name = 'effect' THEN '(SELECT c.effect FROM llmtrace.tool_class c WHERE c.tool_name = s.tool_name)'
		WHEN name IN ('feature', 'tenant_id', 'user_id', 'conversation_id', 'prompt_name', 'prompt_version', 'prompt_hash')
			THEN pg_catalog.format('coalesce(s.%1$I, t.%1$I)', name)
		WHEN EXISTS (SELECT FROM pg_catalog.pg_attribute a WHERE a.attrelid = pg_catalog.to_regclass('llmtrace.' || subject)
				AND a.attname = folded_column.name AND a.atttypid = 'pg_catalog.text'::pg_catalog.regtype)
			THEN pg_catalog.format('llmtrace.short_text(s.%I)', name)
		ELSE pg_catalog.format('s.%I', name) END;
END;
COMMENT ON FUNCTION llmtrace.folded_column(text, text[], text) IS 'SQL of a view''s column, or else of a dimension, over t, a row of folded, and s, one of the rows within';

CREATE FUNCTION llmtrace.rollup_query(subject text) RETURNS text
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
	of_view text[] := llmtrace.view_columns(subject);
	cohorts text;
	columns text;
	aggregates text;
	dists text;
	cats text;
BEGIN
	SELECT string_agg(format('(%L, %s, jsonb_build_object(%s))', array_to_string(k."by", ','), coalesce(c.has_value, 'true'), c.members), ', ')
	INTO cohorts
	FROM llmtrace.kept_cohorts(subject) k ("by")
		CROSS JOIN LATERAL (
			SELECT string_agg(format('%s IS NOT NULL', d.value), ' OR ') AS has_value,
				string_agg(format('%L, %s', d.name, d.value), ', ' ORDER BY d.name) AS members
			FROM (SELECT n.name, llmtrace.folded_column(subject, of_view, n.name) AS value FROM unnest(k."by") n (name)) d) c;
	SELECT string_agg(format('(%s)::%s AS m%s', llmtrace.folded_column(subject, of_view, split_part(m.name, '.', 2)),
				CASE WHEN m.is_category THEN 'text' ELSE 'float8' END, m.place), ', ') FILTER (WHERE m.name IS NOT NULL),
		string_agg(format('llmtrace.%s(x.m%s, x.sample_weight) AS m%s',
				CASE WHEN m.is_category THEN 'cat_agg' ELSE 'dist_agg' END, m.place, m.place), ', ') FILTER (WHERE m.name IS NOT NULL),
		string_agg(CASE WHEN NOT m.is_category THEN format('llmtrace.dist_clustered(a.m%s, 1 + %s * (s.size - 1))', m.place, m.trace_correlation) ELSE 'NULL' END, ', ' ORDER BY p.place),
		string_agg(CASE WHEN m.is_category THEN format('llmtrace.cat_clustered(a.m%s, 1 + %s * (s.size - 1))', m.place, m.trace_correlation) ELSE 'NULL' END, ', ' ORDER BY p.place)
	INTO columns, aggregates, dists, cats
	FROM generate_series(1, (SELECT max(x.place) FROM llmtrace.measure x WHERE x.subject = rollup_query.subject)) p (place)
		LEFT JOIN llmtrace.measure m ON m.subject = rollup_query.subject AND m.place = p.place;
	IF columns IS NULL THEN
		RETURN NULL;
	END IF;
	-- the calls of a trace are no independent observations
	RETURN format($sql$
		WITH x AS MATERIALIZED (
			SELECT k."by", k.dims, t.trace_id, coalesce(t.sample_weight, 1) / coalesce(t.keep_probability, 1) AS sample_weight, %s
			FROM llmtrace.folded t %s
				CROSS JOIN LATERAL (VALUES %s) k ("by", has_value, dims)
			WHERE k.has_value AND t.started_at >= $1 AND t.started_at < $1 + interval '1 hour'
		), cluster AS (
			SELECT z."by", z.dims, sum(z.weight * z.weight) / sum(z.squares) AS size
			FROM (SELECT x."by", x.dims, sum(x.sample_weight) AS weight, sum(x.sample_weight * x.sample_weight) AS squares
					FROM x WHERE x.sample_weight > 0 GROUP BY x."by", x.dims, x.trace_id) z
			GROUP BY z."by", z.dims
		), a AS (
			SELECT x."by", x.dims, %s FROM x GROUP BY x."by", x.dims
		)
		INSERT INTO llmtrace.rollup_cell ("time", is_day, subject, "by", dims, dists, cats)
		SELECT $1, false, %L, a."by", a.dims, ARRAY[%s]::llmtrace.dist[], ARRAY[%s]::llmtrace.cat[]
		FROM a LEFT JOIN cluster z ON z."by" = a."by" AND z.dims = a.dims
			CROSS JOIN LATERAL (SELECT greatest(coalesce(z.size, 1), 1) AS size) s$sql$,
		columns,
		CASE subject WHEN 'traces' THEN '' ELSE
			format('CROSS JOIN LATERAL llmtrace.%I(t.trajectory) s', left(subject, -1) || '_rows') END,
		cohorts, aggregates, subject, dists, cats);
END
$$;
COMMENT ON FUNCTION llmtrace.rollup_query(text) IS 'SQL that makes the rollups of an hour ($1) of a view''s measures; NULL if it has none';

CREATE FUNCTION llmtrace.refresh_next(days boolean, after timestamptz) RETURNS timestamptz
	LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET TimeZone = 'UTC'
AS $$
DECLARE
	marked timestamptz := after;
	subject text;
	query text;
BEGIN
	LOOP
		SELECT min(d."time") INTO marked FROM llmtrace.rollup_dirty d WHERE d.is_day = days AND d."time" > marked;
		IF marked IS NULL THEN
			RETURN NULL;
		END IF;
		-- somebody else may be at it
		CONTINUE WHEN NOT pg_try_advisory_xact_lock(llmtrace.lock_class() + 1 + days::int,
			(extract(epoch FROM marked) / 3600)::int);
		-- Marks first: what is computed then has at least what they are about,
		-- and later marks stay.
		DELETE FROM llmtrace.rollup_dirty d WHERE d.is_day = days AND d."time" = marked;
		EXIT WHEN FOUND;
	END LOOP;
	DELETE FROM llmtrace.rollup_cell r WHERE r.is_day = days AND r."time" = marked;
	IF days THEN
		INSERT INTO llmtrace.rollup_cell ("time", is_day, subject, "by", dims, dists, cats)
		SELECT marked, true, s.subject, s."by", s.dims, array_agg(s.dist ORDER BY s.place), array_agg(s.cat ORDER BY s.place)
		FROM (
			SELECT c.subject, c."by", c.dims, u.place, llmtrace.dist_merge_agg(u.dist) AS dist, llmtrace.cat_merge_agg(u.cat) AS cat
			FROM llmtrace.rollup_cell c CROSS JOIN LATERAL ROWS FROM (unnest(c.dists), unnest(c.cats)) WITH ORDINALITY u (dist, cat, place)
			WHERE NOT c.is_day AND c."time" >= marked AND c."time" < marked + interval '24 hours'
			GROUP BY c.subject, c."by", c.dims, u.place) s
		GROUP BY s.subject, s."by", s.dims;
	ELSE
		FOREACH subject IN ARRAY ARRAY['traces', 'model_calls', 'tool_calls', 'agent_runs'] LOOP
			query := llmtrace.rollup_query(subject);
			IF query IS NOT NULL THEN
				EXECUTE query USING marked;
			END IF;
		END LOOP;
		INSERT INTO llmtrace.rollup_dirty ("time", is_day) VALUES (date_trunc('day', marked), true);
	END IF;
	RETURN marked;
END
$$;
COMMENT ON FUNCTION llmtrace.refresh_next(boolean, timestamptz) IS
'makes the rollups of the first marked hour (or day) after a time anew and returns it; NULL if there is none. Hours that others are at are passed over';

CREATE PROCEDURE llmtrace.refresh_rollups()
	LANGUAGE plpgsql
AS $$
DECLARE
	total bigint;
	done bigint := 0;
	refreshed pg_catalog.timestamptz;
	told_at pg_catalog.timestamptz := pg_catalog.clock_timestamp();
BEGIN
	SELECT count(DISTINCT d."time") INTO total FROM llmtrace.rollup_dirty d WHERE NOT d.is_day;
	-- One sweep over hours, one over days: it ends while hours are being marked.
	FOR days IN 0 .. 1 LOOP
		refreshed := '-infinity';
		LOOP
			refreshed := llmtrace.refresh_next(days OPERATOR(pg_catalog.=) 1, refreshed);
			COMMIT;
			EXIT WHEN refreshed IS NULL;
			done := done OPERATOR(pg_catalog.+) 1;
			IF pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) told_at OPERATOR(pg_catalog.>) interval '5 seconds' THEN
				RAISE NOTICE 'rollups: % of % hours, up to %', least(done, total), total, refreshed;
				told_at := pg_catalog.clock_timestamp();
			END IF;
		END LOOP;
	END LOOP;
END
$$;
COMMENT ON PROCEDURE llmtrace.refresh_rollups() IS
'Makes the rollups of the hours in which traces came, changed or went, an hour and transaction at a time. Several can run at once, and folding never waits for it. To be run every few minutes. Example: CALL llmtrace.refresh_rollups()';

CREATE VIEW llmtrace.rollup_lag WITH (security_invoker = true) AS
SELECT d."time", d.is_day, count(*) AS change_count, min(d.marked_at) AS stale_since
FROM llmtrace.rollup_dirty d
GROUP BY d."time", d.is_day;
COMMENT ON VIEW llmtrace.rollup_lag IS 'The hours and days whose rollups are stale: one row each, none after refresh_rollups. Example: SELECT count(*), min(stale_since) FROM llmtrace.rollup_lag';
COMMENT ON COLUMN llmtrace.rollup_lag."time" IS 'start of the hour or day';
COMMENT ON COLUMN llmtrace.rollup_lag.is_day IS 'is it a day? It waits for no more than the sum of its hours';
COMMENT ON COLUMN llmtrace.rollup_lag.change_count IS 'changes since: transactions that touched traces of it';
COMMENT ON COLUMN llmtrace.rollup_lag.stale_since IS 'when the first of them was';

-- ------------------------------------------------- measures and dimensions ---

CREATE FUNCTION llmtrace.check_measure_column(name text) RETURNS boolean
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	subject text := split_part(name, '.', 1);
	type regtype;
BEGIN
	IF subject = ANY (ARRAY['traces', 'model_calls', 'tool_calls', 'agent_runs']) THEN
		SELECT a.atttypid INTO type FROM pg_attribute a
		WHERE a.attrelid = to_regclass('llmtrace.' || subject) AND a.attname = split_part(check_measure_column.name, '.', 2)
			AND a.attnum > 0;
	END IF;
	IF type IN ('bigint'::regtype, 'integer'::regtype, 'double precision'::regtype, 'numeric'::regtype) THEN
		RETURN false;
	ELSIF type IN ('text'::regtype, 'boolean'::regtype) THEN
		RETURN true;
	END IF;
	RAISE EXCEPTION '"%" is no column that can be measured', left(name, 80)
		USING ERRCODE = 'invalid_parameter_value',
			DETAIL = 'A measure is a number, text or boolean of traces, model_calls, tool_calls or agent_runs.',
			HINT = 'For example model_calls.tpot_ms.';
END
$$;
COMMENT ON FUNCTION llmtrace.check_measure_column(text) IS 'is this column of a view a category? An error unless it can be measured';

CREATE FUNCTION llmtrace.free_place(subject text) RETURNS integer
	LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT 1 + greatest((SELECT max(m.place) FROM llmtrace.measure m WHERE m.subject = free_place.subject),
		(SELECT max(cardinality(c.dists)) FROM llmtrace.rollup_cell c WHERE c.subject = free_place.subject), 0);
END;
COMMENT ON FUNCTION llmtrace.free_place(text) IS 'a place for a measure of a view where no rollup has anything, not even of a measure that is no more';

CREATE PROCEDURE llmtrace.add_measure(name text)
	LANGUAGE plpgsql
AS $$
BEGIN
	INSERT INTO llmtrace.measure (name, is_category, place)
	SELECT add_measure.name, llmtrace.check_measure_column(add_measure.name), llmtrace.free_place(pg_catalog.split_part(add_measure.name, '.', 1))
	ON CONFLICT ON CONSTRAINT measure_pkey DO NOTHING;
	PERFORM llmtrace.mark_hours();
	COMMIT;
	CALL llmtrace.refresh_rollups();
END
$$;
COMMENT ON PROCEDURE llmtrace.add_measure(text) IS
'Has rollups keep the distribution of one more column of traces, model_calls, tool_calls or agent_runs, also of what is there. Example: CALL llmtrace.add_measure(''model_calls.tpot_ms'')';

CREATE FUNCTION llmtrace.add_kept_cohort("by" text[]) RETURNS void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	known text[] := array(SELECT DISTINCT c FROM unnest(ARRAY['traces', 'model_calls', 'tool_calls', 'agent_runs']) s,
			unnest(llmtrace.view_columns(s)) c ORDER BY c)
		|| array(SELECT DISTINCT d.name FROM llmtrace.cohort_dimension d);
	name text;
BEGIN
	IF coalesce(cardinality("by"), 0) = 0 THEN
		RAISE EXCEPTION 'a cohort needs a dimension' USING ERRCODE = 'invalid_parameter_value';
	END IF;
	FOREACH name IN ARRAY "by" LOOP
		IF name IS NULL OR NOT name = ANY (known) THEN
			RAISE EXCEPTION 'unknown dimension "%"', left(name, 60)
				USING ERRCODE = 'invalid_parameter_value',
					DETAIL = format('Known are %s.', array_to_string(known, ', ')),
					HINT = concat('Did you mean "' || llmtrace.closest_word(name, known) || '"? ',
						'Add your own with CALL llmtrace.map_attribute(name, key).');
		END IF;
	END LOOP;
	INSERT INTO llmtrace.kept_cohort VALUES (llmtrace.sorted_names("by")) ON CONFLICT DO NOTHING;
END
$$;
COMMENT ON FUNCTION llmtrace.add_kept_cohort(text[]) IS 'for keep_cohort: the entry alone, for what is refreshed from now on';

CREATE FUNCTION llmtrace.sorted_names(names text[]) RETURNS text[]
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT coalesce(pg_catalog.array_agg(DISTINCT n ORDER BY n), '{}') FROM unnest(names) n;
END;
COMMENT ON FUNCTION llmtrace.sorted_names(text[]) IS 'names in the order of the alphabet, each once';

CREATE PROCEDURE llmtrace.keep_cohort("by" text[])
	LANGUAGE plpgsql
AS $$
BEGIN
	PERFORM llmtrace.add_kept_cohort("by");
	PERFORM llmtrace.mark_hours();
	COMMIT;
	CALL llmtrace.refresh_rollups();
END
$$;
COMMENT ON PROCEDURE llmtrace.keep_cohort(text[]) IS
'Has rollups tell cohorts apart by one more dimension, or by several together, also of what is there. Example: CALL llmtrace.keep_cohort(''{feature,tenant_id}'')';

-- How alike calls of one trace are: of numbers the intraclass correlation of
-- ranks (analysis of variance), of categories how much more often two calls of
-- a trace agree than any two do.
CREATE FUNCTION llmtrace.trace_correlation_of(measure text, since timestamptz, until timestamptz) RETURNS double precision
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	is_category boolean := llmtrace.check_measure_column(measure);
	result double precision;
BEGIN
	EXECUTE format(CASE WHEN is_category THEN $sql$
		WITH v AS (
			SELECT x.trace_id, x.%2$I::text AS value, count(*)::float8 AS n FROM llmtrace.%1$I x
			WHERE x.started_at >= $1 AND x.started_at < $2 AND x.%2$I IS NOT NULL GROUP BY 1, 2
		), total AS (SELECT sum(v.n) AS n FROM v),
		apart AS (SELECT sum(w.n * w.n) AS squares FROM (SELECT sum(v.n) AS n FROM v GROUP BY v.value) w),
		together AS (SELECT sum(t.agree) AS agree, sum(t.n * (t.n - 1)) AS pairs
			FROM (SELECT sum(v.n) AS n, sum(v.n * (v.n - 1)) AS agree FROM v GROUP BY v.trace_id) t)
		SELECT (t.agree / t.pairs - a.squares / (n.n * n.n)) / nullif(1 - a.squares / (n.n * n.n), 0)
		FROM total n, apart a, together t WHERE t.pairs > 0$sql$
	ELSE $sql$
		WITH v AS (
			SELECT x.trace_id, percent_rank() OVER (ORDER BY x.%2$I) AS r FROM llmtrace.%1$I x
			WHERE x.started_at >= $1 AND x.started_at < $2 AND x.%2$I IS NOT NULL
		), t AS (SELECT count(*)::float8 AS n, sum(v.r) AS s, sum(v.r * v.r) AS q FROM v GROUP BY v.trace_id),
		a AS (SELECT sum(t.n) AS n, count(*) AS k, sum(t.n * t.n) AS squares,
				sum(t.s * t.s / t.n) - sum(t.s) * sum(t.s) / sum(t.n) AS between_traces, sum(t.q) - sum(t.s * t.s / t.n) AS within_traces FROM t)
		SELECT (m.b - m.w) / nullif(m.b + (m.size - 1) * m.w, 0)
		FROM (SELECT a.between_traces / (a.k - 1) AS b, a.within_traces / (a.n - a.k) AS w,
				(a.n - a.squares / a.n) / (a.k - 1) AS size FROM a WHERE a.k > 1 AND a.n > a.k) m$sql$ END,
		split_part(measure, '.', 1), split_part(measure, '.', 2))
	INTO result USING since, until;
	RETURN round(least(1, greatest(0, coalesce(result, 1)))::numeric, 3);
END
$$;
COMMENT ON FUNCTION llmtrace.trace_correlation_of(text, timestamptz, timestamptz) IS
'how alike the calls of one trace are in a measure, 0 to 1, over all traces of a time; 1 if these do not tell';

CREATE PROCEDURE llmtrace.estimate_trace_correlation(since timestamptz DEFAULT now() - interval '7 days', until timestamptz DEFAULT 'infinity')
	LANGUAGE plpgsql
AS $$
BEGIN
	PERFORM llmtrace.check_period(since, until);
	PERFORM llmtrace.notice_empty_period(since, until);
	UPDATE llmtrace.measure m SET trace_correlation = llmtrace.trace_correlation_of(m.name, since, until)
	WHERE m.name NOT LIKE 'traces.%';
	PERFORM llmtrace.mark_hours();
	COMMIT;
	CALL llmtrace.refresh_rollups();
END
$$;
COMMENT ON PROCEDURE llmtrace.estimate_trace_correlation(timestamptz, timestamptz) IS
'Has drift find smaller changes: measures how alike the calls of one trace are, instead of counting each trace as one observation, and makes all rollups anew. Within a cohort calls are less alike than over all, so that this is on the safe side still. Example: CALL llmtrace.estimate_trace_correlation()';
