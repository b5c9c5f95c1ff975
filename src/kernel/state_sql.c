/*
 * state_sql.c
 *		What is the same for all mergeable states where they meet SQL: a value
 *		has one binary form, which is both its datum's body and what is sent.
 */
#include "postgres.h"

#include "libpq/pqformat.h"

#include "kernel/state_sql.h"

PG_FUNCTION_INFO_V1(sql_state_send);
PG_FUNCTION_INFO_V1(sql_state_eq);
PG_FUNCTION_INFO_V1(sql_state_ne);

Datum
sql_state_send(PG_FUNCTION_ARGS)
{
	struct varlena *state = PG_GETARG_VARLENA_PP(0);
	StringInfoData out;

	pq_begintypsend(&out);
	pq_sendbytes(&out, VARDATA_ANY(state), VARSIZE_ANY_EXHDR(state));
	PG_RETURN_BYTEA_P(pq_endtypsend(&out));
}

static bool
same_bytes(FunctionCallInfo fcinfo)
{
	struct varlena *a = PG_GETARG_VARLENA_PP(0);
	struct varlena *b = PG_GETARG_VARLENA_PP(1);

	return VARSIZE_ANY_EXHDR(a) == VARSIZE_ANY_EXHDR(b) &&
		memcmp(VARDATA_ANY(a), VARDATA_ANY(b), VARSIZE_ANY_EXHDR(a)) == 0;
}

Datum
sql_state_eq(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(same_bytes(fcinfo));
}

Datum
sql_state_ne(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(!same_bytes(fcinfo));
}

void
state_begin(StringInfo out)
{
	initStringInfo(out);
	appendStringInfoSpaces(out, VARHDRSZ);
}

Datum
state_end(StringInfo out)
{
	SET_VARSIZE(out->data, out->len);
	return PointerGetDatum(out->data);
}

Datum
state_receive(FunctionCallInfo fcinfo, void (*verify) (const void *bytes, size_t len))
{
	StringInfo	in = (StringInfo) PG_GETARG_POINTER(0);
	int			len = in->len - in->cursor;
	const char *body = pq_getmsgbytes(in, len);
	StringInfoData out;

	verify(body, len);
	state_begin(&out);
	appendBinaryStringInfo(&out, body, len);
	return state_end(&out);
}

MemoryContext
aggregate_context(FunctionCallInfo fcinfo)
{
	MemoryContext context;

	if (!AggCheckCallContext(fcinfo, &context))
		elog(ERROR, "aggregate function called in non-aggregate context");
	return context;
}

int
aggregate_limit(FunctionCallInfo fcinfo, int arg, const char *what, int fallback,
				void (*check) (int64 limit))
{
	if (PG_NARGS() <= arg)
		return fallback;
	if (PG_ARGISNULL(arg))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not be null", what)));
	check(PG_GETARG_INT32(arg));
	return PG_GETARG_INT32(arg);
}

void
aggregate_check_limit(const char *what, int limit, int wanted)
{
	if (limit != wanted)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must be the same for all rows", what)));
}
