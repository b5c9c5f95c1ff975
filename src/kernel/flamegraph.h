/*
 * flamegraph.h
 *		A profile as a flame graph.
 */
#ifndef LLMTRACE_FLAMEGRAPH_H
#define LLMTRACE_FLAMEGRAPH_H

#include "kernel/profile.h"

/* What the width of a frame stands for: a column of frames(). */
typedef struct FlameMeasure
{
	const char *name;
	ProfileSum	sum;
	double		unit;			/* of the sum in one of the column */
} FlameMeasure;

extern const FlameMeasure flame_measures[];
extern const int flame_measure_count;

static inline double
flame_own(const Profile *p, const FlameMeasure *measure, uint32 frame)
{
	return weight_to_float8(p->frames[frame].sums[measure->sum]) / measure->unit;
}

extern double *flame_totals(const Profile *p, const FlameMeasure *measure, const uint32 *order);
extern void flamegraph_svg(StringInfo buf, const Profile *p, const FlameMeasure *measure);

#endif							/* LLMTRACE_FLAMEGRAPH_H */
