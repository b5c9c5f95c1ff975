/*
 * dist_io.c
 *		Input and output of type dist. The binary form is the datum's body.
 *		Sending it: state_sql.c.
 */
#include "postgres.h"

#include "kernel/dist_sql.h"

PG_FUNCTION_INFO_V1(sql_dist_in);
PG_FUNCTION_INFO_V1(sql_dist_out);
PG_FUNCTION_INFO_V1(sql_dist_recv);

Datum
dist_to_datum(const Dist *d)
{
	StringInfoData out;

	state_begin(&out);
	dist_encode(d, &out);
	return state_end(&out);
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
	return state_receive(fcinfo, dist_verify);
}
