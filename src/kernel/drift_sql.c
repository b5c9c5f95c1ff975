/*
 * drift_sql.c
 *		SQL functions drift, drift_verdict, p_adjust, chi2_p and chi2_critical.
 */
#include "postgres.h"

#include <math.h>

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "kernel/cat_sql.h"
#include "kernel/dist_sql.h"
#include "kernel/drift.h"
#include "kernel/p_adjust.h"
#include "kernel/probability.h"

PG_FUNCTION_INFO_V1(sql_drift_dist);
PG_FUNCTION_INFO_V1(sql_drift_cat);
PG_FUNCTION_INFO_V1(sql_drift_values);
PG_FUNCTION_INFO_V1(sql_drift_verdict);
PG_FUNCTION_INFO_V1(sql_p_adjust);
PG_FUNCTION_INFO_V1(sql_chi2_p);
PG_FUNCTION_INFO_V1(sql_chi2_critical);

/* Arguments 2, 3 and 4 of drift, with the defaults of drift.sql for NULL. */
typedef struct DriftOptions
{
	double		min_n;
	double		min_effect;
	double		alpha;
} DriftOptions;

static double
option(FunctionCallInfo fcinfo, int arg, const char *name, double fallback, double max)
{
	double		value = PG_ARGISNULL(arg) ? fallback : PG_GETARG_FLOAT8(arg);

	if (!(value >= 0 && value <= max))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s %g is out of range", name, value),
				 errdetail("It must be between 0 and %g.", max)));
	return value;
}

static DriftOptions
drift_options(FunctionCallInfo fcinfo, int first)
{
	DriftOptions options;

	options.min_n = option(fcinfo, first, "min_n", 50, 1e15);
	options.min_effect = option(fcinfo, first + 1, "min_effect", 0.1, 1);
	options.alpha = option(fcinfo, first + 2, "alpha", 0.05, 1);
	return options;
}

static Datum
text_or_null(const char *string, bool *isnull)
{
	*isnull = string == NULL;
	return string ? CStringGetTextDatum(string) : (Datum) 0;
}

/* A row of type drift_result; effect and p are those of the verdict. */
static Datum
drift_row(FunctionCallInfo fcinfo, const DriftResult *d, const DriftOptions *options,
		  double effect, double p)
{
	const double figures[] = {
		d->n_ref, d->n_cur, d->ks, d->ks_low, d->ks_high, d->ks_p,
		d->wasserstein, d->wasserstein_normed, d->psi, d->psi_critical, d->js,
		d->hellinger, d->chi2, d->chi2_p, d->cramers_v, d->mean_diff,
		d->new_keys, d->gone_keys
	};
	Datum		values[lengthof(figures) + 2];
	bool		nulls[lengthof(figures) + 2];
	const char *verdict;
	const char *reason;
	TupleDesc	desc;
	int			i;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE ||
		desc->natts != lengthof(values))
		elog(ERROR, "return type must be drift_result");

	for (i = 0; i < (int) lengthof(figures); i++)
	{
		values[i] = Float8GetDatum(figures[i]);
		nulls[i] = isnan(figures[i]);
	}
	verdict = drift_verdict(d->n_ref_effective, d->n_cur_effective, effect, p,
							options->min_n, options->min_effect, options->alpha, &reason);
	values[i] = text_or_null(verdict, &nulls[i]);
	i++;
	values[i] = text_or_null(reason, &nulls[i]);
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls));
}

/* (ref, cur, min_n, min_effect, alpha); NULL is a side without values */
Datum
sql_drift_dist(PG_FUNCTION_ARGS)
{
	DriftOptions options = drift_options(fcinfo, 2);
	Dist	   *ref = PG_ARGISNULL(0) ? dist_new(DIST_DEFAULT_LIMIT) : PG_GETARG_DIST(0);
	Dist	   *cur = PG_ARGISNULL(1) ? dist_new(DIST_DEFAULT_LIMIT) : PG_GETARG_DIST(1);
	DriftResult result;

	drift_dist(ref, cur, options.alpha, &result);
	return drift_row(fcinfo, &result, &options, result.ks, result.ks_p);
}

Datum
sql_drift_cat(PG_FUNCTION_ARGS)
{
	DriftOptions options = drift_options(fcinfo, 2);
	Cat		   *ref = PG_ARGISNULL(0) ? cat_new(CAT_DEFAULT_LIMIT) : PG_GETARG_CAT(0);
	Cat		   *cur = PG_ARGISNULL(1) ? cat_new(CAT_DEFAULT_LIMIT) : PG_GETARG_CAT(1);
	DriftResult result;

	drift_cat(ref, cur, options.alpha, &result);
	return drift_row(fcinfo, &result, &options, result.cramers_v, result.chi2_p);
}

/* The elements that are not NULL, in fresh memory. */
static double *
float8_elements(FunctionCallInfo fcinfo, int arg, int *n)
{
	ArrayType  *array;
	Datum	   *elements;
	bool	   *nulls;
	int			total;
	double	   *values;

	*n = 0;
	if (PG_ARGISNULL(arg))
		return NULL;
	array = PG_GETARG_ARRAYTYPE_P(arg);
	deconstruct_array(array, FLOAT8OID, sizeof(float8), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE,
					  &elements, &nulls, &total);
	values = palloc(Max(total, 1) * sizeof(double));
	for (int i = 0; i < total; i++)
		if (!nulls[i])
			values[(*n)++] = DatumGetFloat8(elements[i]);
	return values;
}

Datum
sql_drift_values(PG_FUNCTION_ARGS)
{
	DriftOptions options = drift_options(fcinfo, 2);
	int			n_ref;
	int			n_cur;
	double	   *ref = float8_elements(fcinfo, 0, &n_ref);
	double	   *cur = float8_elements(fcinfo, 1, &n_cur);
	DriftResult result;

	drift_numeric(drift_sample_values(ref, n_ref), drift_sample_values(cur, n_cur),
				  options.alpha, &result);
	return drift_row(fcinfo, &result, &options, result.ks, result.ks_p);
}

/* (n_ref, n_cur, effect, p, min_n, min_effect, alpha) -> (verdict, reason) */
Datum
sql_drift_verdict(PG_FUNCTION_ARGS)
{
	DriftOptions options = drift_options(fcinfo, 4);
	double		n_ref = PG_ARGISNULL(0) ? 0 : PG_GETARG_FLOAT8(0);
	double		n_cur = PG_ARGISNULL(1) ? 0 : PG_GETARG_FLOAT8(1);
	double		effect = PG_ARGISNULL(2) ? 0 : PG_GETARG_FLOAT8(2);
	double		p = PG_ARGISNULL(3) ? 1 : PG_GETARG_FLOAT8(3);
	const char *reason;
	const char *verdict = drift_verdict(n_ref, n_cur, effect, p, options.min_n,
										options.min_effect, options.alpha, &reason);
	Datum		values[2];
	bool		nulls[2];
	TupleDesc	desc;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	values[0] = text_or_null(verdict, &nulls[0]);
	values[1] = text_or_null(reason, &nulls[1]);
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls));
}

/* NULL elements stay NULL and do not count, as in R. */
Datum
sql_p_adjust(PG_FUNCTION_ARGS)
{
	ArrayType  *array = PG_GETARG_ARRAYTYPE_P(0);
	PAdjustMethod method = p_adjust_method(text_to_cstring(PG_GETARG_TEXT_PP(1)));
	Datum	   *elements;
	bool	   *nulls;
	double	   *p;
	int			total;
	int			n;
	int			next = 0;

	if (ARR_NDIM(array) > 1)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("p values must be an array of one dimension")));
	p = float8_elements(fcinfo, 0, &n);
	p_adjust(p, n, method);
	deconstruct_array(array, FLOAT8OID, sizeof(float8), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE,
					  &elements, &nulls, &total);
	for (int i = 0; i < total; i++)
		if (!nulls[i])
			elements[i] = Float8GetDatum(p[next++]);
	PG_RETURN_ARRAYTYPE_P(construct_md_array(elements, nulls, ARR_NDIM(array), ARR_DIMS(array),
											 ARR_LBOUND(array), FLOAT8OID, sizeof(float8),
											 FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

static double
freedom_arg(FunctionCallInfo fcinfo)
{
	double		freedom = PG_GETARG_FLOAT8(1);

	if (!(freedom > 0 && freedom <= 1e6))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("degrees of freedom %g are out of range", freedom),
				 errdetail("They must be above 0 and at most 1000000.")));
	return freedom;
}

Datum
sql_chi2_p(PG_FUNCTION_ARGS)
{
	double		x = PG_GETARG_FLOAT8(0);
	double		freedom = freedom_arg(fcinfo);

	if (isnan(x))
		PG_RETURN_FLOAT8(x);
	PG_RETURN_FLOAT8(chi2_tail(x, freedom));
}

Datum
sql_chi2_critical(PG_FUNCTION_ARGS)
{
	double		p = PG_GETARG_FLOAT8(0);
	double		freedom = freedom_arg(fcinfo);

	if (!(p > 0 && p < 1))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("p %g is out of range", p),
				 errdetail("It must be between 0 and 1, both excluded.")));
	PG_RETURN_FLOAT8(chi2_critical(p, freedom));
}
