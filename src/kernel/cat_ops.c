/*
 * cat_ops.c
 *		Operators and questions of type cat.
 */
#include "postgres.h"

#include "funcapi.h"
#include "utils/builtins.h"

#include "kernel/cat_sql.h"

PG_FUNCTION_INFO_V1(sql_cat_merge);
PG_FUNCTION_INFO_V1(sql_cat_subtract);
PG_FUNCTION_INFO_V1(sql_cat_count);
PG_FUNCTION_INFO_V1(sql_cat_effective_count);
PG_FUNCTION_INFO_V1(sql_cat_clustered);
PG_FUNCTION_INFO_V1(sql_cat_null_count);
PG_FUNCTION_INFO_V1(sql_cat_other_count);
PG_FUNCTION_INFO_V1(sql_cat_count_error);
PG_FUNCTION_INFO_V1(sql_cat_counts);

Datum
sql_cat_merge(PG_FUNCTION_ARGS)
{
	Cat		   *c = PG_GETARG_CAT(0);

	cat_merge(c, PG_GETARG_CAT(1));
	PG_RETURN_CAT(c);
}

Datum
sql_cat_subtract(PG_FUNCTION_ARGS)
{
	Cat		   *c = PG_GETARG_CAT(0);

	cat_subtract(c, PG_GETARG_CAT(1));
	PG_RETURN_CAT(c);
}

Datum
sql_cat_count(PG_FUNCTION_ARGS)
{
	PG_RETURN_FLOAT8(weight_to_float8(PG_GETARG_CAT(0)->total));
}

Datum
sql_cat_effective_count(PG_FUNCTION_ARGS)
{
	Cat		   *c = PG_GETARG_CAT(0);

	PG_RETURN_FLOAT8(weight_effective(c->total, c->squares));
}

Datum
sql_cat_clustered(PG_FUNCTION_ARGS)
{
	Cat	   *d = PG_GETARG_CAT(0);

	d->squares = squares_of_clusters(d->total, d->null_count, d->squares, PG_GETARG_FLOAT8(1));
	PG_RETURN_CAT(d);
}

Datum
sql_cat_null_count(PG_FUNCTION_ARGS)
{
	PG_RETURN_FLOAT8(weight_to_float8(PG_GETARG_CAT(0)->null_count));
}

Datum
sql_cat_other_count(PG_FUNCTION_ARGS)
{
	PG_RETURN_FLOAT8(weight_to_float8(PG_GETARG_CAT(0)->other_count));
}

Datum
sql_cat_count_error(PG_FUNCTION_ARGS)
{
	PG_RETURN_FLOAT8(weight_to_float8(PG_GETARG_CAT(0)->error));
}

/* Most frequent first, then by name; what is in no key comes last. */
static int
compare_frequency(const void *a, const void *b)
{
	const CatKey *left = a;
	const CatKey *right = b;

	if (left->count != right->count)
		return left->count > right->count ? -1 : 1;
	return cat_compare(left, right);
}

/* (key, count, max_count); the rest of the weight has key NULL */
Datum
sql_cat_counts(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Cat		   *c = PG_GETARG_CAT(0);
	int			rows = c->nkeys + (c->other_count != 0);

	InitMaterializedSRF(fcinfo, 0);
	qsort(c->keys, c->nkeys, sizeof(CatKey), compare_frequency);
	for (int i = 0; i < rows; i++)
	{
		bool		is_key = i < c->nkeys;
		int128		count = is_key ? c->keys[i].count : c->other_count;
		Datum		values[3] = {0};
		bool		nulls[3] = {!is_key, false, false};

		if (is_key)
			values[0] = PointerGetDatum(cstring_to_text_with_len(c->keys[i].name, c->keys[i].len));
		values[1] = Float8GetDatum(weight_to_float8(count));
		values[2] = Float8GetDatum(weight_to_float8(is_key ? count + c->error : count));
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	PG_RETURN_NULL();
}
