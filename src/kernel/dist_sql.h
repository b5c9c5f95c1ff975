/*
 * dist_sql.h
 *		Type dist as a datum, for the files that speak fmgr.
 */
#ifndef LLMTRACE_DIST_SQL_H
#define LLMTRACE_DIST_SQL_H

#include "kernel/dist.h"
#include "kernel/state_sql.h"

/* A fresh dist, of the current context's memory */
static inline Dist *
dist_from_datum(Datum datum)
{
	struct varlena *raw = PG_DETOAST_DATUM_PACKED(datum);

	return dist_decode(VARDATA_ANY(raw), VARSIZE_ANY_EXHDR(raw));
}

#define PG_GETARG_DIST(n)	dist_from_datum(PG_GETARG_DATUM(n))
#define PG_RETURN_DIST(d)	PG_RETURN_DATUM(dist_to_datum(d))

extern Datum dist_to_datum(const Dist *d);

/* The state of the aggregates, dist_agg.c. */
typedef struct DistAggState DistAggState;

extern DistAggState *dist_state_new(MemoryContext context, int limit);
extern void dist_state_count(DistAggState *state, double value, int64 weight);
extern void dist_state_count_null(DistAggState *state, int64 weight);
extern void dist_state_merge(DistAggState *state, const Dist *d);
extern const Dist *dist_state_settled(const DistAggState *state);

#endif
