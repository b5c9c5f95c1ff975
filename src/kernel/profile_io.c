/*
 * profile_io.c
 *		Input and output of type profile. The binary form is the datum's body.
 *		Sending it: state_sql.c.
 */
#include "postgres.h"

#include "kernel/profile_sql.h"
#include "libpq/pqformat.h"

Datum
profile_to_datum(const Profile *p)
{
	StringInfoData out;

	initStringInfo(&out);
	appendStringInfoSpaces(&out, VARHDRSZ);
	profile_encode(p, &out);
	SET_VARSIZE(out.data, out.len);
	return PointerGetDatum(out.data);
}

PG_FUNCTION_INFO_V1(sql_profile_in);
Datum
sql_profile_in(PG_FUNCTION_ARGS)
{
	PG_RETURN_PROFILE(profile_from_text(PG_GETARG_CSTRING(0)));
}

PG_FUNCTION_INFO_V1(sql_profile_out);
Datum
sql_profile_out(PG_FUNCTION_ARGS)
{
	StringInfoData out;

	initStringInfo(&out);
	profile_to_text(PG_GETARG_PROFILE(0), &out);
	PG_RETURN_CSTRING(out.data);
}

PG_FUNCTION_INFO_V1(sql_profile_recv);
Datum
sql_profile_recv(PG_FUNCTION_ARGS)
{
	StringInfo	in = (StringInfo) PG_GETARG_POINTER(0);
	int			len = in->len - in->cursor;
	const char *body = pq_getmsgbytes(in, len);
	struct varlena *result = palloc(VARHDRSZ + len);

	profile_verify(body, len);
	SET_VARSIZE(result, VARHDRSZ + len);
	memcpy(VARDATA(result), body, len);
	PG_RETURN_POINTER(result);
}
