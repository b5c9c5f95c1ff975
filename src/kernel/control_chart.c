/*
 * control_chart.c
 *		See control_chart.h. No fmgr.
 */
#include "postgres.h"

#include <math.h>

#include "kernel/control_chart.h"

void
ewma_step(Ewma *chart, double value, double alpha)
{
	if (!(alpha > 0 && alpha <= 1))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("alpha %g is out of range", alpha),
				 errdetail("The weight of the newest value must be above 0 and at most 1.")));
	if (!isfinite(value))
		return;
	chart->average = chart->started ? alpha * value + (1 - alpha) * chart->average : value;
	chart->started = true;
}

static void
check_slack(const char *name, double slack)
{
	if (!(slack >= 0 && isfinite(slack)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s %g is out of range", name, slack),
				 errdetail("It must be finite and not negative.")));
}

/* The larger of both sides, negative for downward. */
static double
signed_larger(double up, double down)
{
	return up >= down ? up : -down;
}

void
cusum_step(Cusum *chart, double value, double target, double slack)
{
	check_slack("slack", slack);
	if (!isfinite(value) || !isfinite(target))
		return;
	chart->up = Max(0, chart->up + (value - target - slack));
	chart->down = Max(0, chart->down + (target - value - slack));
	chart->started = true;
}

double
cusum_value(const Cusum *chart)
{
	return signed_larger(chart->up, chart->down);
}

void
page_hinkley_step(PageHinkley *chart, double value, double delta)
{
	check_slack("delta", delta);
	if (!isfinite(value))
		return;
	chart->count++;
	chart->mean += (value - chart->mean) / chart->count;
	chart->up += value - chart->mean - delta;
	chart->down += chart->mean - value - delta;
	chart->up_lowest = Min(chart->up_lowest, chart->up);
	chart->down_lowest = Min(chart->down_lowest, chart->down);
}

double
page_hinkley_value(const PageHinkley *chart)
{
	return signed_larger(chart->up - chart->up_lowest, chart->down - chart->down_lowest);
}
