/*
 * sampling.c
 *		With which probability a trace was kept before it came here.
 */
#include "postgres.h"

#include <math.h>

#include "kernel/sampling.h"
#include "kernel/trace_state.h"

/* An attribute is the number of traces that one stands for, or a probability. */
static bool
rate_weight(double rate, double *weight)
{
	if (!(rate > 0) || isinf(rate))
		return false;
	*weight = rate >= 1 ? rate : 1 / rate;
	return true;
}

/* How many traces this one stands for; NaN if nothing speaks of it. */
double
trace_sample_weight(const Trajectory *t, uint32 root)
{
	const SpanClass *class = trajectory_class(t, root);
	SpanColumns columns = trajectory_columns(t, root);
	const AttrList *resource = &t->resources[class->resource].attributes;
	double		probability;
	double		rate;
	double		weight;

	if (trace_state_probability(class->trace_state, &probability))
		return 1 / probability;
	if (column_is_borne(&columns, COLUMN_SAMPLE_RATE) &&
		column_double(&columns, COLUMN_SAMPLE_RATE, &rate) && rate_weight(rate, &weight))
		return weight;
	for (uint32 i = 0; i < resource->n; i++)
		if (t->keys[resource->keys[i]].column == COLUMN_SAMPLE_RATE &&
			value_read_double(&resource->values[i], &rate) && rate_weight(rate, &weight))
			return weight;
	return NAN;
}
