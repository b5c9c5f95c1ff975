/*
 * cat_sql.h
 *		Type cat as a datum, for the files that speak fmgr.
 */
#ifndef LLMTRACE_CAT_SQL_H
#define LLMTRACE_CAT_SQL_H

#include "kernel/cat.h"
#include "kernel/state_sql.h"

/* A fresh cat, its names in the datum */
static inline Cat *
cat_from_datum(Datum datum)
{
	struct varlena *raw = PG_DETOAST_DATUM_PACKED(datum);

	return cat_decode(VARDATA_ANY(raw), VARSIZE_ANY_EXHDR(raw));
}

#define PG_GETARG_CAT(n)	cat_from_datum(PG_GETARG_DATUM(n))
#define PG_RETURN_CAT(c)	PG_RETURN_DATUM(cat_to_datum(c))

/* Trims and sorts a copy where needed: the cat stays as it is. */
extern Datum cat_to_datum(const Cat *c);

/* The state of the aggregates, cat_agg.c. */
typedef struct CatAggState CatAggState;

extern CatAggState *cat_state_new(FunctionCallInfo fcinfo, int limit);
extern void cat_state_count(CatAggState *state, const char *name, int len, int64 weight);
extern void cat_state_count_null(CatAggState *state, int64 weight);

#endif
