-- Making a store.

CREATE FUNCTION create_store(partition_days integer DEFAULT 7) RETURNS void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $create_store$
BEGIN
	IF to_regclass('llmtrace.store') IS NOT NULL THEN
		RAISE EXCEPTION 'there is a store in this database already'
			USING ERRCODE = 'duplicate_object',
				HINT = 'SELECT llmtrace.upgrade_store() brings it up to date.';
	END IF;
	IF NOT has_schema_privilege('llmtrace', 'CREATE') THEN
		RAISE EXCEPTION 'permission denied to create a store'
			USING ERRCODE = 'insufficient_privilege',
				DETAIL = format('Role %I has no privilege CREATE on schema llmtrace.', current_user),
				HINT = format('The schema''s owner can run: GRANT USAGE, CREATE ON SCHEMA llmtrace TO %I', current_user);
	END IF;
	IF partition_days IS NULL OR partition_days NOT BETWEEN 1 AND 366 THEN
		RAISE EXCEPTION 'a partition must hold 1 to 366 days'
			USING ERRCODE = 'invalid_parameter_value';
	END IF;
	EXECUTE llmtrace.store_script();
	INSERT INTO llmtrace.store (version, partition_days)
	SELECT extversion, partition_days FROM pg_extension WHERE extname = 'llmtrace';
	INSERT INTO llmtrace.secret (secret)
	VALUES (decode(replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'hex'));
	IF 'lz4' = ANY ((SELECT enumvals FROM pg_settings WHERE name = 'default_toast_compression')::text[]) THEN
		ALTER TABLE llmtrace.payloads ALTER COLUMN body SET COMPRESSION lz4;
		ALTER TABLE llmtrace.fragments ALTER COLUMN fragment SET COMPRESSION lz4;
		ALTER TABLE llmtrace.folded ALTER COLUMN trajectory SET COMPRESSION lz4;
	END IF;
	-- for odd clocks
	PERFORM llmtrace.make_partitions(ARRAY['1970-01-01 00:00:00+00', '2100-01-01 00:00:00+00']::timestamptz[]);
END
$create_store$;
COMMENT ON FUNCTION create_store(integer) IS
'Makes the tables, views and functions of a store of traces in schema llmtrace. They belong to the caller and are dumped as any others are. Partitions hold so many days.';

CREATE FUNCTION upgrade_store() RETURNS void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $upgrade_store$
DECLARE
	of_store text;
	of_extension text := (SELECT extversion FROM pg_extension WHERE extname = 'llmtrace');
BEGIN
	IF to_regclass('llmtrace.store') IS NULL THEN
		RAISE EXCEPTION 'there is no store in this database'
			USING ERRCODE = 'undefined_object',
				HINT = 'SELECT llmtrace.create_store() makes one.';
	END IF;
	SELECT version INTO of_store FROM llmtrace.store;
	IF of_store IS DISTINCT FROM of_extension THEN
		RAISE EXCEPTION 'a store of version % cannot be brought to version %', of_store, of_extension
			USING ERRCODE = 'feature_not_supported';
	END IF;
	RAISE NOTICE 'the store is of version %, which is up to date', of_store;
END
$upgrade_store$;
COMMENT ON FUNCTION upgrade_store() IS
'Brings a store to the version of the extension, after ALTER EXTENSION llmtrace UPDATE. Does nothing to a store that is up to date.';
