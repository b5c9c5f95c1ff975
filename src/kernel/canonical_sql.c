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
	row_begin(&w);
	row_cstring(&w, canonical_column_name(COLUMN_PROMPT_HASH));
	row_null(&w);
	row_null(&w);
	row_end(&w);
	return (Datum) 0;
}
