-- Columns that many views have are described once, with the views of traces,
-- spans and calls; the others say the same.
DO $$
DECLARE
	bare record;
BEGIN
	FOR bare IN
		SELECT DISTINCT ON (c.relname, a.attnum) c.relname, a.attname, pg_catalog.col_description(o.attrelid, o.attnum) AS comment
		FROM pg_catalog.pg_class c
			JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
			JOIN unnest(ARRAY['spans', 'traces', 'model_calls', 'tool_calls', 'agent_runs']) WITH ORDINALITY AS described (name, rank) ON true
			JOIN pg_catalog.pg_attribute o ON o.attrelid = ('llmtrace.' || described.name)::regclass AND o.attname = a.attname
		WHERE c.relnamespace = 'llmtrace'::regnamespace AND c.relkind = 'v'
			AND pg_catalog.col_description(a.attrelid, a.attnum) IS NULL
		ORDER BY c.relname, a.attnum, described.rank
	LOOP
		EXECUTE pg_catalog.format('COMMENT ON COLUMN llmtrace.%I.%I IS %L', bare.relname, bare.attname, bare.comment);
	END LOOP;
END
$$;
