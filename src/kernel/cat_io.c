/*
 * cat_io.c
 *		Input and output of type cat. The binary form is the datum's body.
 *		Sending it: state_sql.c.
 */
#include "postgres.h"

#include "libpq/pqformat.h"
#include "mb/pg_wchar.h"

#include "kernel/cat_sql.h"

PG_FUNCTION_INFO_V1(sql_cat_in);
PG_FUNCTION_INFO_V1(sql_cat_out);
PG_FUNCTION_INFO_V1(sql_cat_recv);

Datum
cat_to_datum(const Cat *c)
{
	StringInfoData out;
	Cat		   *copy = cat_copy(c);

	cat_trim(copy);
	cat_sort(copy);
	initStringInfo(&out);
	appendStringInfoSpaces(&out, VARHDRSZ);
	cat_encode(copy, &out);
	SET_VARSIZE(out.data, out.len);
	return PointerGetDatum(out.data);
}

Datum
sql_cat_in(PG_FUNCTION_ARGS)
{
	PG_RETURN_CAT(cat_from_text(PG_GETARG_CSTRING(0)));
}

Datum
sql_cat_out(PG_FUNCTION_ARGS)
{
	StringInfoData out;

	initStringInfo(&out);
	cat_to_text(PG_GETARG_CAT(0), &out);
	PG_RETURN_CSTRING(out.data);
}

Datum
sql_cat_recv(PG_FUNCTION_ARGS)
{
	StringInfo	in = (StringInfo) PG_GETARG_POINTER(0);
	int			len = in->len - in->cursor;
	const char *body = pq_getmsgbytes(in, len);
	struct varlena *result = palloc(VARHDRSZ + len);
	Cat		   *c;

	cat_verify(body, len);
	c = cat_decode(body, len);
	for (int i = 0; i < c->nkeys; i++)
		(void) pg_verify_mbstr(GetDatabaseEncoding(), c->keys[i].name, c->keys[i].len, false);
	SET_VARSIZE(result, VARHDRSZ + len);
	memcpy(VARDATA(result), body, len);
	PG_RETURN_POINTER(result);
}
