/*
 * profile_sql.h
 *		Type profile as arguments and results of SQL functions.
 */
#ifndef LLMTRACE_PROFILE_SQL_H
#define LLMTRACE_PROFILE_SQL_H

#include "kernel/profile.h"
#include "kernel/state_sql.h"

/* A fresh profile; its names point into the datum, which stays. */
static inline Profile *
profile_from_datum(Datum datum)
{
	struct varlena *raw = PG_DETOAST_DATUM_PACKED(datum);

	return profile_decode(VARDATA_ANY(raw), VARSIZE_ANY_EXHDR(raw));
}

#define PG_GETARG_PROFILE(n)	profile_from_datum(PG_GETARG_DATUM(n))
#define PG_RETURN_PROFILE(p)	PG_RETURN_DATUM(profile_to_datum(p))

extern Datum profile_to_datum(const Profile *p);

#endif							/* LLMTRACE_PROFILE_SQL_H */
