/*
 * profile_io.c
 *		Input and output of type profile. The binary form is the datum's body.
 *		Sending it: state_sql.c.
 */
#include "postgres.h"

#include "kernel/profile_sql.h"

Datum
profile_to_datum(const Profile *p)
{
	StringInfoData out;

	state_begin(&out);
	profile_encode(p, &out);
	return state_end(&out);
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
	return state_receive(fcinfo, profile_verify);
}
