-- Canonical columns.

CREATE FUNCTION canonical_columns() RETURNS TABLE (
	column_name text,
	key text,
	rank integer
)
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 10 ROWS 250;
COMMENT ON FUNCTION canonical_columns() IS
'The attribute keys that are read as canonical columns, whatever instrumentation wrote them. Of several keys of one column the one with the lowest rank whose value can be read wins. prompt_hash is computed from many and has no key; see spans.';
