/*
 * tracequery_io.c
 *		Input and output of queries, and queries as arguments.
 *
 * The binary form on the wire is the version byte and the canonical text;
 * receiving parses it as typing it in would.
 */
#include "postgres.h"

#include "compat.h"
#include "kernel/tracequery_sql.h"
#include "libpq/pqformat.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

/*
 * What the call site keeps, with the query of this call.  Almost always that
 * is the query of the call before.
 */
QueryCall *
query_call(FunctionCallInfo fcinfo, int arg)
{
	TracequeryDatum *given = (TracequeryDatum *) PG_GETARG_VARLENA_P(arg);
	QueryCall  *call = fcinfo->flinfo->fn_extra;

	if (call == NULL)
	{
		call = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(QueryCall));
		call->context = AllocSetContextCreate(fcinfo->flinfo->fn_mcxt, "llmtrace query",
											  ALLOCSET_DEFAULT_SIZES);
		/* what most traces take stays allocated from call to call */
		call->work = AllocSetContextCreate(fcinfo->flinfo->fn_mcxt, "llmtrace query evaluation",
										   0, 64 * 1024, ALLOCSET_DEFAULT_MAXSIZE);
		fcinfo->flinfo->fn_extra = call;
	}
	MemoryContextReset(call->work);
	if (call->query == NULL || VARSIZE(call->datum) != VARSIZE(given) ||
		memcmp(call->datum, given, VARSIZE(given)) != 0)
	{
		MemoryContext old;

		call->query = NULL;
		MemoryContextReset(call->context);
		old = MemoryContextSwitchTo(call->context);
		call->datum = palloc(VARSIZE(given));
		memcpy(call->datum, given, VARSIZE(given));
		call->query = tracequery_from_datum(call->datum);
		MemoryContextSwitchTo(old);
	}
	return call;
}

PG_FUNCTION_INFO_V1(tracequery_in);
Datum
tracequery_in(PG_FUNCTION_ARGS)
{
	char	   *text = PG_GETARG_CSTRING(0);

	PG_RETURN_POINTER(tracequery_make_datum(text, strlen(text)));
}

PG_FUNCTION_INFO_V1(tracequery_out);
Datum
tracequery_out(PG_FUNCTION_ARGS)
{
	TracequeryDatum *datum = (TracequeryDatum *) PG_GETARG_VARLENA_P(0);

	tracequery_require_version(datum->version);
	PG_RETURN_CSTRING(pnstrdup(datum->text, tracequery_text_size(datum)));
}

PG_FUNCTION_INFO_V1(tracequery_recv);
Datum
tracequery_recv(PG_FUNCTION_ARGS)
{
	StringInfo	buf = (StringInfo) PG_GETARG_POINTER(0);
	char	   *text;
	int			len;

	tracequery_require_version(pq_getmsgbyte(buf));
	text = pq_getmsgtext(buf, buf->len - buf->cursor, &len);
	PG_RETURN_POINTER(tracequery_make_datum(text, len));
}

PG_FUNCTION_INFO_V1(tracequery_send);
Datum
tracequery_send(PG_FUNCTION_ARGS)
{
	TracequeryDatum *datum = (TracequeryDatum *) PG_GETARG_VARLENA_P(0);
	StringInfoData buf;

	pq_begintypsend(&buf);
	pq_sendbyte(&buf, datum->version);
	pq_sendtext(&buf, datum->text, tracequery_text_size(datum));
	PG_RETURN_BYTEA_P(pq_endtypsend(&buf));
}

/* Equality of the canonical texts. */
static int
compare_args(FunctionCallInfo fcinfo)
{
	TracequeryDatum *a = (TracequeryDatum *) PG_GETARG_VARLENA_P(0);
	TracequeryDatum *b = (TracequeryDatum *) PG_GETARG_VARLENA_P(1);

	return bytes_compare((Bytes) {a->text, tracequery_text_size(a)}, (Bytes) {b->text, tracequery_text_size(b)});
}

PG_FUNCTION_INFO_V1(tracequery_eq);
Datum
tracequery_eq(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_args(fcinfo) == 0);
}

PG_FUNCTION_INFO_V1(tracequery_ne);
Datum
tracequery_ne(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_args(fcinfo) != 0);
}
