/*
 * canonical_sql.c
 *		The built-in aliases of canonical columns, as rows.
 */
#include "postgres.h"

#include "compat.h"
#include "kernel/canonical.h"
#include "kernel/row_writer.h"

PG_FUNCTION_INFO_V1(canonical_columns);
Datum
canonical_columns(PG_FUNCTION_ARGS)
{
	static const CanonicalColumn computed[] = {COLUMN_PROMPT_HASH, COLUMN_PLAN};
	RowWriter	w;

	row_writer_init(&w, fcinfo);
	for (int i = 0; i < known_key_count; i++)
	{
		const KnownKey *key = &known_keys[i];

		if (key->column == COLUMN_NONE || key->rank == ALIAS_PART)
			continue;
		row_begin(&w);
		row_cstring(&w, canonical_column_name(key->column));
		row_cstring(&w, key->name);
		row_int4(&w, key->rank + 1);
		row_end(&w);
	}
	/* computed from many keys */
	for (size_t i = 0; i < lengthof(computed); i++)
	{
		row_begin(&w);
		row_cstring(&w, canonical_column_name(computed[i]));
		row_null(&w);
		row_null(&w);
		row_end(&w);
	}
	return (Datum) 0;
}
