/*
 * control_chart_sql.c
 *		Aggregates ewma, cusum and page_hinkley, meant as window aggregates: the
 *		value of a row is the chart's after it. A row with a NULL argument
 *		leaves the chart as it is. The order of rows matters, so states cannot
 *		be combined.
 */
#include "postgres.h"

#include "fmgr.h"

#include "kernel/control_chart.h"

PG_FUNCTION_INFO_V1(sql_ewma_trans);
PG_FUNCTION_INFO_V1(sql_ewma_final);
PG_FUNCTION_INFO_V1(sql_cusum_trans);
PG_FUNCTION_INFO_V1(sql_cusum_final);
PG_FUNCTION_INFO_V1(sql_page_hinkley_trans);
PG_FUNCTION_INFO_V1(sql_page_hinkley_final);

/* The state, made of zeros for the first row. */
static void *
chart_state(FunctionCallInfo fcinfo, size_t size)
{
	MemoryContext context;

	if (!PG_ARGISNULL(0))
		return PG_GETARG_POINTER(0);
	if (!AggCheckCallContext(fcinfo, &context))
		elog(ERROR, "aggregate function called in non-aggregate context");
	return MemoryContextAllocZero(context, size);
}

static bool
any_null(FunctionCallInfo fcinfo)
{
	for (int i = 1; i < PG_NARGS(); i++)
		if (PG_ARGISNULL(i))
			return true;
	return false;
}

Datum
sql_ewma_trans(PG_FUNCTION_ARGS)
{
	Ewma	   *chart = chart_state(fcinfo, sizeof(Ewma));

	if (!any_null(fcinfo))
		ewma_step(chart, PG_GETARG_FLOAT8(1), PG_GETARG_FLOAT8(2));
	PG_RETURN_POINTER(chart);
}

Datum
sql_ewma_final(PG_FUNCTION_ARGS)
{
	const Ewma *chart = PG_ARGISNULL(0) ? NULL : (Ewma *) PG_GETARG_POINTER(0);

	if (!chart || !chart->started)
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(chart->average);
}

Datum
sql_cusum_trans(PG_FUNCTION_ARGS)
{
	Cusum	   *chart = chart_state(fcinfo, sizeof(Cusum));

	if (!any_null(fcinfo))
		cusum_step(chart, PG_GETARG_FLOAT8(1), PG_GETARG_FLOAT8(2), PG_GETARG_FLOAT8(3));
	PG_RETURN_POINTER(chart);
}

Datum
sql_cusum_final(PG_FUNCTION_ARGS)
{
	const Cusum *chart = PG_ARGISNULL(0) ? NULL : (Cusum *) PG_GETARG_POINTER(0);

	if (!chart || !chart->started)
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(cusum_value(chart));
}

Datum
sql_page_hinkley_trans(PG_FUNCTION_ARGS)
{
	PageHinkley *chart = chart_state(fcinfo, sizeof(PageHinkley));

	if (!any_null(fcinfo))
		page_hinkley_step(chart, PG_GETARG_FLOAT8(1), PG_GETARG_FLOAT8(2));
	PG_RETURN_POINTER(chart);
}

Datum
sql_page_hinkley_final(PG_FUNCTION_ARGS)
{
	const PageHinkley *chart = PG_ARGISNULL(0) ? NULL : (PageHinkley *) PG_GETARG_POINTER(0);

	if (!chart || chart->count == 0)
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(page_hinkley_value(chart));
}
