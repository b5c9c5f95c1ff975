/*
 * cat_io.c
 *		Input and output of type cat. The binary form is the datum's body.
 *		Sending it: state_sql.c.
 */
#include "postgres.h"

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
	state_begin(&out);
	cat_encode(copy, &out);
	return state_end(&out);
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

static void
verify_with_names(const void *bytes, size_t len)
{
	Cat		   *c;

	cat_verify(bytes, len);
	c = cat_decode(bytes, len);
	for (int i = 0; i < c->nkeys; i++)
		(void) pg_verify_mbstr(GetDatabaseEncoding(), c->keys[i].name, c->keys[i].len, false);
}

Datum
sql_cat_recv(PG_FUNCTION_ARGS)
{
	return state_receive(fcinfo, verify_with_names);
}
