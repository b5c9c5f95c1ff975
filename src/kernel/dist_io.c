/*
 * dist_io.c
 *		Input and output of type dist. The binary form is the datum's body.
 *		Sending it: state_sql.c.
 */
#include "postgres.h"

#include "libpq/pqformat.h"

#include "kernel/dist_sql.h"

PG_FUNCTION_INFO_V1(sql_dist_in);
PG_FUNCTION_INFO_V1(sql_dist_out);
PG_FUNCTION_INFO_V1(sql_dist_recv);

Datum
dist_to_datum(const Dist *d)
{
	StringInfoData out;

	initStringInfo(&out);
	appendStringInfoSpaces(&out, VARHDRSZ);
	dist_encode(d, &out);
	SET_VARSIZE(out.data, out.len);
	return PointerGetDatum(out.data);
}

Datum
sql_dist_in(PG_FUNCTION_ARGS)
{
	PG_RETURN_DIST(dist_from_text(PG_GETARG_CSTRING(0)));
}

Datum
sql_dist_out(PG_FUNCTION_ARGS)
{
	StringInfoData out;

	initStringInfo(&out);
	dist_to_text(PG_GETARG_DIST(0), &out);
	PG_RETURN_CSTRING(out.data);
}

Datum
sql_dist_recv(PG_FUNCTION_ARGS)
{
	StringInfo	in = (StringInfo) PG_GETARG_POINTER(0);
	int			len = in->len - in->cursor;
	const char *body = pq_getmsgbytes(in, len);
	struct varlena *result = palloc(VARHDRSZ + len);

	dist_verify(body, len);
	SET_VARSIZE(result, VARHDRSZ + len);
	memcpy(VARDATA(result), body, len);
	PG_RETURN_POINTER(result);
}
