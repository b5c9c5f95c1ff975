/*
 * dist_ops.c
 *		Operators and questions of type dist.
 */
#include "postgres.h"

#include <math.h>

#include "funcapi.h"

#include "kernel/dist_sql.h"
#include "kernel/drift.h"

PG_FUNCTION_INFO_V1(sql_dist_merge);
PG_FUNCTION_INFO_V1(sql_dist_subtract);
PG_FUNCTION_INFO_V1(sql_dist_count);
PG_FUNCTION_INFO_V1(sql_dist_effective_count);
PG_FUNCTION_INFO_V1(sql_dist_clustered);
PG_FUNCTION_INFO_V1(sql_dist_null_count);
PG_FUNCTION_INFO_V1(sql_dist_nan_count);
PG_FUNCTION_INFO_V1(sql_dist_sum);
PG_FUNCTION_INFO_V1(sql_dist_mean);
PG_FUNCTION_INFO_V1(sql_dist_stddev);
PG_FUNCTION_INFO_V1(sql_dist_min);
PG_FUNCTION_INFO_V1(sql_dist_max);
PG_FUNCTION_INFO_V1(sql_dist_scale);
PG_FUNCTION_INFO_V1(sql_dist_relative_error);
PG_FUNCTION_INFO_V1(sql_dist_quantile);
PG_FUNCTION_INFO_V1(sql_dist_cdf);
PG_FUNCTION_INFO_V1(sql_dist_buckets);

Datum
sql_dist_merge(PG_FUNCTION_ARGS)
{
	Dist	   *d = PG_GETARG_DIST(0);

	dist_merge(d, PG_GETARG_DIST(1));
	PG_RETURN_DIST(d);
}

Datum
sql_dist_subtract(PG_FUNCTION_ARGS)
{
	Dist	   *d = PG_GETARG_DIST(0);

	dist_subtract(d, PG_GETARG_DIST(1));
	PG_RETURN_DIST(d);
}

Datum
sql_dist_count(PG_FUNCTION_ARGS)
{
	PG_RETURN_FLOAT8(weight_to_float8(dist_total(PG_GETARG_DIST(0))));
}

Datum
sql_dist_effective_count(PG_FUNCTION_ARGS)
{
	Dist	   *d = PG_GETARG_DIST(0);

	PG_RETURN_FLOAT8(weight_effective(dist_total(d), d->squares));
}

Datum
sql_dist_clustered(PG_FUNCTION_ARGS)
{
	Dist	   *d = PG_GETARG_DIST(0);

	d->squares = squares_of_clusters(dist_total(d), d->null_count + d->nan_count, d->squares, PG_GETARG_FLOAT8(1));
	PG_RETURN_DIST(d);
}

Datum
sql_dist_null_count(PG_FUNCTION_ARGS)
{
	PG_RETURN_FLOAT8(weight_to_float8(PG_GETARG_DIST(0)->null_count));
}

Datum
sql_dist_nan_count(PG_FUNCTION_ARGS)
{
	PG_RETURN_FLOAT8(weight_to_float8(PG_GETARG_DIST(0)->nan_count));
}

Datum
sql_dist_sum(PG_FUNCTION_ARGS)
{
	Dist	   *d = PG_GETARG_DIST(0);

	if (dist_total(d) == 0 || d->flags & DIST_FLAG_NO_SUM)
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(dist_sum(d));
}

Datum
sql_dist_mean(PG_FUNCTION_ARGS)
{
	Dist	   *d = PG_GETARG_DIST(0);

	if (dist_total(d) == 0 || d->flags & DIST_FLAG_NO_SUM)
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(dist_mean(d));
}

Datum
sql_dist_stddev(PG_FUNCTION_ARGS)
{
	Dist	   *d = PG_GETARG_DIST(0);

	if (dist_total(d) == 0)
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(drift_sample_dist(d, 0)->stddev);
}

Datum
sql_dist_min(PG_FUNCTION_ARGS)
{
	Dist	   *d = PG_GETARG_DIST(0);

	if (dist_total(d) == 0)
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(dist_quantile(d, 0));
}

Datum
sql_dist_max(PG_FUNCTION_ARGS)
{
	Dist	   *d = PG_GETARG_DIST(0);

	if (dist_total(d) == 0)
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(dist_quantile(d, 1));
}

Datum
sql_dist_scale(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(PG_GETARG_DIST(0)->scale);
}

Datum
sql_dist_relative_error(PG_FUNCTION_ARGS)
{
	PG_RETURN_FLOAT8(dist_relative_error(PG_GETARG_DIST(0)));
}

Datum
sql_dist_quantile(PG_FUNCTION_ARGS)
{
	Dist	   *d = PG_GETARG_DIST(0);
	double		q = PG_GETARG_FLOAT8(1);

	if (!(q >= 0 && q <= 1))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("quantile %g is not between 0 and 1", q)));
	if (dist_total(d) == 0)
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(dist_quantile(d, q));
}

Datum
sql_dist_cdf(PG_FUNCTION_ARGS)
{
	Dist	   *d = PG_GETARG_DIST(0);
	double		value = PG_GETARG_FLOAT8(1);

	if (dist_total(d) == 0 || isnan(value))
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(dist_cdf(d, value));
}

/*
 * (lower_bound, upper_bound, count) of what is not empty, from -infinity up:
 * the histogram's own boundaries, whatever else is known of the values.
 */
Datum
sql_dist_buckets(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Dist	   *d = PG_GETARG_DIST(0);
	DistWalk	walk;
	DistCell	cell;

	InitMaterializedSRF(fcinfo, 0);
	dist_walk_start(&walk, d);
	while (dist_walk_next(&walk, &cell))
	{
		Datum		values[3];
		bool		nulls[3] = {false, false, false};
		double		low;
		double		high;

		dist_cell_bounds(d, cell.key, &low, &high);
		values[0] = Float8GetDatum(low);
		values[1] = Float8GetDatum(high);
		values[2] = Float8GetDatum(weight_to_float8(cell.count));
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	PG_RETURN_NULL();
}
