/*
 * trace_rank_sql.c
 *		SQL functions on the randomness of traces: trace_rank,
 *		trace_state_probability, sample_weight and the aggregate
 *		trace_rank_check.
 *
 * The state of the latter is a RankCheck, on the wire its counts as varints.
 */
#include "postgres.h"

#include <math.h>

#include "access/htup_details.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/uuid.h"

#include "kernel/rank_check.h"
#include "kernel/sample_sql.h"
#include "kernel/sampling.h"
#include "kernel/trajectory_sql.h"

PG_FUNCTION_INFO_V1(sql_trace_rank);
PG_FUNCTION_INFO_V1(sql_trace_rank_of_state);
PG_FUNCTION_INFO_V1(sql_trace_state_probability);
PG_FUNCTION_INFO_V1(sql_sample_weight);
PG_FUNCTION_INFO_V1(sql_trace_rank_check_trans);
PG_FUNCTION_INFO_V1(sql_trace_rank_check_combine);
PG_FUNCTION_INFO_V1(sql_trace_rank_check_serial);
PG_FUNCTION_INFO_V1(sql_trace_rank_check_deserial);
PG_FUNCTION_INFO_V1(sql_trace_rank_check_final);

Datum
sql_trace_rank(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64((int64) trace_id_rank(PG_GETARG_UUID_P(0)->data));
}

/* (trace id, trace state); a state that is NULL or says nothing leaves the id's */
Datum
sql_trace_rank_of_state(PG_FUNCTION_ARGS)
{
	uint64		rank;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	rank = trace_id_rank(PG_GETARG_UUID_P(0)->data);
	if (!PG_ARGISNULL(1))
	{
		text	   *state = PG_GETARG_TEXT_PP(1);

		(void) trace_state_rank((Bytes) {VARDATA_ANY(state), VARSIZE_ANY_EXHDR(state)}, &rank);
	}
	PG_RETURN_INT64((int64) rank);
}

Datum
sql_trace_state_probability(PG_FUNCTION_ARGS)
{
	text	   *state = PG_GETARG_TEXT_PP(0);
	double		probability;

	if (!trace_state_probability((Bytes) {VARDATA_ANY(state), VARSIZE_ANY_EXHDR(state)}, &probability))
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(probability);
}

Datum
sql_sample_weight(PG_FUNCTION_ARGS)
{
	Trajectory *t = trajectory_arg(fcinfo, 0, PARTS_ALL);
	double		weight = trace_sample_weight(t, trajectory_primary_root(t));

	PG_RETURN_FLOAT8(isnan(weight) ? 1 : weight);
}

/* (state, trace id [, probability]) */
Datum
sql_trace_rank_check_trans(PG_FUNCTION_ARGS)
{
	MemoryContext context = aggregate_context(fcinfo);
	RankCheck  *check = PG_ARGISNULL(0) ? MemoryContextAllocZero(context, sizeof(RankCheck)) :
		(RankCheck *) PG_GETARG_POINTER(0);
	double		probability = 1;

	if (PG_NARGS() > 2 && !PG_ARGISNULL(2))
	{
		probability = PG_GETARG_FLOAT8(2);
		sample_check_probability(probability);
	}
	if (!PG_ARGISNULL(1))
		rank_check_add(check, trace_id_rank(PG_GETARG_UUID_P(1)->data), probability);
	PG_RETURN_POINTER(check);
}

Datum
sql_trace_rank_check_combine(PG_FUNCTION_ARGS)
{
	MemoryContext context = aggregate_context(fcinfo);
	RankCheck  *check = PG_ARGISNULL(0) ? MemoryContextAllocZero(context, sizeof(RankCheck)) :
		(RankCheck *) PG_GETARG_POINTER(0);

	if (!PG_ARGISNULL(1))
		rank_check_merge(check, (RankCheck *) PG_GETARG_POINTER(1));
	PG_RETURN_POINTER(check);
}

Datum
sql_trace_rank_check_serial(PG_FUNCTION_ARGS)
{
	const RankCheck *check = (RankCheck *) PG_GETARG_POINTER(0);
	StringInfoData out;

	state_begin(&out);
	put_varint(&out, (uint64) check->ids);
	put_varint(&out, (uint64) check->beyond);
	for (int i = 0; i < RANK_CHECK_DIGITS; i++)
		for (int value = 0; value < 16; value++)
			put_varint(&out, (uint64) check->counts[i][value]);
	PG_RETURN_DATUM(state_end(&out));
}

Datum
sql_trace_rank_check_deserial(PG_FUNCTION_ARGS)
{
	bytea	   *bytes = PG_GETARG_BYTEA_PP(0);
	const uint8 *data = (const uint8 *) VARDATA_ANY(bytes);
	Cursor		c = {data, data + VARSIZE_ANY_EXHDR(bytes)};
	RankCheck  *check = palloc0(sizeof(RankCheck));

	check->ids = (int64) cursor_varint(&c, "rank check");
	check->beyond = (int64) cursor_varint(&c, "rank check");
	for (int i = 0; i < RANK_CHECK_DIGITS; i++)
		for (int value = 0; value < 16; value++)
			check->counts[i][value] = (int64) cursor_varint(&c, "rank check");
	PG_RETURN_POINTER(check);
}

Datum
sql_trace_rank_check_final(PG_FUNCTION_ARGS)
{
	static const RankCheck none = {0};
	const RankCheck *check = PG_ARGISNULL(0) ? &none : (RankCheck *) PG_GETARG_POINTER(0);
	Datum		values[4];
	bool		nulls[4] = {false};
	const char *reason;
	TupleDesc	desc;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE ||
		desc->natts != lengthof(values))
		elog(ERROR, "return type must be trace_rank_check_result");
	values[0] = Int64GetDatum(check->ids);
	values[1] = Float8GetDatum(rank_check_p(check));
	values[2] = CStringGetTextDatum(rank_check_verdict(check, &reason));
	values[3] = CStringGetTextDatum(reason);
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls));
}
