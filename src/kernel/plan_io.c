/*
 * plan_io.c
 *		Input and output of plans, and plans as arguments.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "compat.h"
#include "kernel/plan_sql.h"
#include "libpq/pqformat.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"

static inline size_t
body_size(const PlanDatum *datum)
{
	return VARSIZE(datum) - offsetof(PlanDatum, body);
}

static void
require_version(int version)
{
	if (version != PLAN_VERSION)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("plan has an unknown format version"),
				 errdetail("The version is %d; this server's extension reads version %d.",
						   version, PLAN_VERSION)));
}

PlanDatum *
plan_make_datum(const ActionPlan *plan)
{
	StringInfoData buf;
	PlanDatum  *datum;
	size_t		size;

	initStringInfo(&buf);
	plan_encode(&buf, plan);
	size = offsetof(PlanDatum, body) + buf.len;
	datum = palloc0(size);
	SET_VARSIZE(datum, size);
	datum->version = PLAN_VERSION;
	memcpy(datum->body, buf.data, buf.len);
	pfree(buf.data);
	return datum;
}

/* A stored plan, in the current context, pointing into the datum. */
ActionPlan *
plan_from_datum(const PlanDatum *datum)
{
	Arena		arena = {.context = CurrentMemoryContext};

	require_version(datum->version);
	return plan_decode(datum->body, body_size(datum), &arena);
}

Bytes
jsonb_text(FunctionCallInfo fcinfo, int arg)
{
	Jsonb	   *jsonb = PG_GETARG_JSONB_P(arg);
	char	   *text = JsonbToCString(NULL, &jsonb->root, VARSIZE(jsonb));

	return (Bytes) {text, strlen(text)};
}

static bool
is_same_datum(const void *a, const void *b)
{
	return VARSIZE(a) == VARSIZE(b) && memcmp(a, b, VARSIZE(a)) == 0;
}

static void *
copy_datum(const void *datum)
{
	return memcpy(palloc(VARSIZE(datum)), datum, VARSIZE(datum));
}

/*
 * What the call site keeps, for the plan and the options of this call.  Almost
 * always they are those of the call before.
 */
PlanCall *
plan_call(FunctionCallInfo fcinfo, int plan_arg, int options_arg, ArgumentMode mode)
{
	PlanDatum  *given = (PlanDatum *) PG_GETARG_VARLENA_P(plan_arg);
	struct varlena *options = (struct varlena *) PG_GETARG_VARLENA_P(options_arg);
	PlanCall   *call = fcinfo->flinfo->fn_extra;

	if (call == NULL)
	{
		call = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(PlanCall));
		call->context = AllocSetContextCreate(fcinfo->flinfo->fn_mcxt, "llmtrace plan",
											  ALLOCSET_DEFAULT_SIZES);
		/* what most traces take stays allocated from call to call */
		call->work = AllocSetContextCreate(fcinfo->flinfo->fn_mcxt, "llmtrace plan distance",
										   0, 64 * 1024, ALLOCSET_DEFAULT_MAXSIZE);
		fcinfo->flinfo->fn_extra = call;
	}
	MemoryContextReset(call->work);
	if (call->compiled == NULL || !is_same_datum(call->datum, given) ||
		!is_same_datum(call->options_datum, options))
	{
		Arena		arena = {.context = call->context};
		MemoryContext old;

		call->compiled = NULL;
		MemoryContextReset(call->context);
		old = MemoryContextSwitchTo(call->context);
		call->datum = copy_datum(given);
		call->options_datum = copy_datum(options);
		call->options = plan_options_parse(jsonb_text(fcinfo, options_arg), mode, &arena);
		call->compiled = plan_compile(plan_from_datum(call->datum), &call->options);
		MemoryContextSwitchTo(old);
	}
	return call;
}

PG_FUNCTION_INFO_V1(plan_in);
Datum
plan_in(PG_FUNCTION_ARGS)
{
	char	   *text = PG_GETARG_CSTRING(0);
	Arena		arena = {.context = CurrentMemoryContext};

	PG_RETURN_POINTER(plan_make_datum(plan_from_text(text, strlen(text), &arena)));
}

PG_FUNCTION_INFO_V1(plan_out);
Datum
plan_out(PG_FUNCTION_ARGS)
{
	StringInfoData buf;

	initStringInfo(&buf);
	plan_put_json(&buf, plan_from_datum((PlanDatum *) PG_GETARG_VARLENA_P(0)));
	PG_RETURN_CSTRING(buf.data);
}

PG_FUNCTION_INFO_V1(plan_recv);
Datum
plan_recv(PG_FUNCTION_ARGS)
{
	StringInfo	buf = (StringInfo) PG_GETARG_POINTER(0);
	Arena		arena = {.context = CurrentMemoryContext};
	const char *bytes;
	int			len;

	require_version(pq_getmsgbyte(buf));
	len = buf->len - buf->cursor;
	bytes = pq_getmsgbytes(buf, len);
	PG_RETURN_POINTER(plan_make_datum(plan_receive(bytes, len, &arena)));
}

PG_FUNCTION_INFO_V1(plan_send);
Datum
plan_send(PG_FUNCTION_ARGS)
{
	PlanDatum  *datum = (PlanDatum *) PG_GETARG_VARLENA_P(0);
	StringInfoData buf;

	pq_begintypsend(&buf);
	pq_sendbyte(&buf, datum->version);
	pq_sendbytes(&buf, datum->body, body_size(datum));
	PG_RETURN_BYTEA_P(pq_endtypsend(&buf));
}

/* A plan has one form: bytes are what it is.  The order is one to sort by. */
static int
compare_args(FunctionCallInfo fcinfo)
{
	struct varlena *a = PG_GETARG_VARLENA_PP(0);
	struct varlena *b = PG_GETARG_VARLENA_PP(1);
	int			result = bytes_compare((Bytes) {VARDATA_ANY(a), VARSIZE_ANY_EXHDR(a)},
									   (Bytes) {VARDATA_ANY(b), VARSIZE_ANY_EXHDR(b)});

	/* an index calls this without end */
	PG_FREE_IF_COPY(a, 0);
	PG_FREE_IF_COPY(b, 1);
	return result;
}

#define PLAN_COMPARISON(name, op) \
PG_FUNCTION_INFO_V1(name); \
Datum \
name(PG_FUNCTION_ARGS) \
{ \
	PG_RETURN_BOOL(compare_args(fcinfo) op 0); \
}

PLAN_COMPARISON(plan_eq, ==)
PLAN_COMPARISON(plan_ne, !=)
PLAN_COMPARISON(plan_lt, <)
PLAN_COMPARISON(plan_le, <=)
PLAN_COMPARISON(plan_gt, >)
PLAN_COMPARISON(plan_ge, >=)

PG_FUNCTION_INFO_V1(plan_cmp);
Datum
plan_cmp(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(compare_args(fcinfo));
}

PG_FUNCTION_INFO_V1(plan_hash);
Datum
plan_hash(PG_FUNCTION_ARGS)
{
	struct varlena *plan = PG_GETARG_VARLENA_PP(0);
	Datum		hash = hash_any((unsigned char *) VARDATA_ANY(plan), VARSIZE_ANY_EXHDR(plan));

	PG_FREE_IF_COPY(plan, 0);
	return hash;
}

PG_FUNCTION_INFO_V1(plan_hash_extended);
Datum
plan_hash_extended(PG_FUNCTION_ARGS)
{
	struct varlena *plan = PG_GETARG_VARLENA_PP(0);
	Datum		hash = hash_any_extended((unsigned char *) VARDATA_ANY(plan), VARSIZE_ANY_EXHDR(plan),
										 PG_GETARG_INT64(1));

	PG_FREE_IF_COPY(plan, 0);
	return hash;
}
