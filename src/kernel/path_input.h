/*
 * path_input.h
 *		A trajectory as the walks of critical_path.h see it.
 */
#ifndef LLMTRACE_PATH_INPUT_H
#define LLMTRACE_PATH_INPUT_H

#include "kernel/critical_path.h"
#include "kernel/trajectory.h"

/* What becomes of a span that outlives its parent. */
typedef enum AsyncMode
{
	ASYNC_CLAMP = 0,			/* it counts while the parent runs */
	ASYNC_EXCLUDE,				/* nobody waits for it */
	ASYNC_EXTEND				/* the parent ends when it ends */
} AsyncMode;

typedef struct PathOptions
{
	AsyncMode	async;
	bool		is_primary_only;	/* of all roots the primary one */
	bool		is_jaeger;
	int64		tolerance_ns;
	double		tolerance_share;
	const uint8 *blocking;		/* flags: whom parents wait for; NULL: all but
								 * consumers of producers, and who follows from
								 * its parent */
	const uint8 *hidden;		/* flags: ROLE_HIDDEN; or NULL */
} PathOptions;

extern const int64 *path_ends(const Trajectory *t);
extern PathInput path_input(Trajectory *t, const PathOptions *options);

#endif							/* LLMTRACE_PATH_INPUT_H */
