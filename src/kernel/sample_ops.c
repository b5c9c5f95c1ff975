/*
 * sample_ops.c
 *		Operators and questions of type sample.
 */
#include "postgres.h"

#include <math.h>

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "kernel/row_writer.h"
#include "kernel/sample_sql.h"

PG_FUNCTION_INFO_V1(sql_sample_union);
PG_FUNCTION_INFO_V1(sql_sample_erase);
PG_FUNCTION_INFO_V1(sql_sample_items);
PG_FUNCTION_INFO_V1(sql_sample_threshold);
PG_FUNCTION_INFO_V1(sql_sample_count);
PG_FUNCTION_INFO_V1(sql_sample_sum);
PG_FUNCTION_INFO_V1(sql_sample_mean);

Datum
sql_sample_union(PG_FUNCTION_ARGS)
{
	Sample	   *s = PG_GETARG_SAMPLE(0);

	sample_merge(s, PG_GETARG_SAMPLE(1));
	PG_RETURN_SAMPLE(s);
}

/* (sample, keys as text) */
Datum
sql_sample_erase(PG_FUNCTION_ARGS)
{
	Sample	   *s = PG_GETARG_SAMPLE(0);
	Datum	   *elements;
	bool	   *nulls;
	int			n;
	Bytes	   *keys;
	int			nkeys = 0;

	deconstruct_array(PG_GETARG_ARRAYTYPE_P(1), TEXTOID, -1, false, TYPALIGN_INT,
					  &elements, &nulls, &n);
	keys = palloc(Max(n, 1) * sizeof(Bytes));
	for (int i = 0; i < n; i++)
	{
		text	   *key;

		if (nulls[i])
			continue;
		key = DatumGetTextPP(elements[i]);
		if (!sample_read_key(s->key_type, (Bytes) {VARDATA_ANY(key), VARSIZE_ANY_EXHDR(key)}, &keys[nkeys++]))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
					 errmsg("\"%s\" is no key of this sample", text_to_cstring(key)),
					 errdetail("Its keys are of type %s.", sample_key_type_names[s->key_type])));
	}
	sample_erase(s, keys, nkeys);
	PG_RETURN_SAMPLE(s);
}

/* (key, rank, weight, probability, adjusted_count, payload), by rank */
Datum
sql_sample_items(PG_FUNCTION_ARGS)
{
	Sample	   *s = PG_GETARG_SAMPLE(0);
	RowWriter	w;
	StringInfoData key;

	row_writer_init(&w, fcinfo);
	initStringInfo(&key);
	for (int i = 0; i < s->n; i++)
	{
		const SampleItem *item = &s->items[i];
		double		probability = sample_probability(s, item);

		resetStringInfo(&key);
		sample_put_key(&key, s, item);
		row_begin(&w);
		row_text(&w, (Bytes) {key.data, key.len});
		row_float8(&w, sample_rank(s, item->order));
		row_float8(&w, item->weight);
		row_float8(&w, probability);
		row_float8(&w, 1 / probability);
		if (isnan(item->payload))
			row_null(&w);
		else
			row_float8(&w, item->payload);
		row_end(&w);
	}
	return (Datum) 0;
}

Datum
sql_sample_threshold(PG_FUNCTION_ARGS)
{
	Sample	   *s = PG_GETARG_SAMPLE(0);

	if (s->threshold == SAMPLE_ALL)
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(sample_threshold(s));
}

/* A row of type sample_estimate; of NULLs if there is nothing to estimate. */
static Datum
estimate_row(FunctionCallInfo fcinfo, bool known, const SampleEstimate *e)
{
	Datum		values[] = {
		Float8GetDatum(e->estimate), Float8GetDatum(e->standard_error),
		Float8GetDatum(e->lower), Float8GetDatum(e->upper)
	};
	bool		nulls[] = {!known, !known, !known, !known};
	TupleDesc	desc;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE ||
		desc->natts != lengthof(values))
		elog(ERROR, "return type must be sample_estimate");
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls));
}

Datum
sql_sample_count(PG_FUNCTION_ARGS)
{
	SampleEstimate e;

	sample_count(PG_GETARG_SAMPLE(0), &e);
	return estimate_row(fcinfo, true, &e);
}

Datum
sql_sample_sum(PG_FUNCTION_ARGS)
{
	SampleEstimate e;
	bool		known = sample_sum(PG_GETARG_SAMPLE(0), &e);

	return estimate_row(fcinfo, known, &e);
}

Datum
sql_sample_mean(PG_FUNCTION_ARGS)
{
	SampleEstimate e;
	bool		known = sample_mean(PG_GETARG_SAMPLE(0), &e);

	return estimate_row(fcinfo, known, &e);
}
