/*
 * sample_sql.h
 *		Type sample as a datum, for the files that speak fmgr.
 */
#ifndef LLMTRACE_SAMPLE_SQL_H
#define LLMTRACE_SAMPLE_SQL_H

#include "kernel/sample.h"
#include "kernel/state_sql.h"

/* A fresh sample, its keys in the datum */
static inline Sample *
sample_from_datum(Datum datum)
{
	struct varlena *raw = PG_DETOAST_DATUM_PACKED(datum);

	return sample_decode(VARDATA_ANY(raw), VARSIZE_ANY_EXHDR(raw));
}

#define PG_GETARG_SAMPLE(n)	sample_from_datum(PG_GETARG_DATUM(n))
#define PG_RETURN_SAMPLE(s)	PG_RETURN_DATUM(sample_to_datum(s))

/* Settles a copy: the sample stays as it is. */
extern Datum sample_to_datum(const Sample *s);

#endif							/* LLMTRACE_SAMPLE_SQL_H */
