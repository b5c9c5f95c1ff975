/*
 * logical_calls.h
 *		Attempts grouped into logical calls.
 */
#ifndef LLMTRACE_LOGICAL_CALLS_H
#define LLMTRACE_LOGICAL_CALLS_H

#include "kernel/trajectory.h"

/* How the number of an attempt is known. */
typedef enum AttemptSource
{
	ATTEMPT_NONE = 0,			/* nothing speaks of attempts: the first */
	ATTEMPT_ATTRIBUTE,
	ATTEMPT_EVENT,
	ATTEMPT_INFERRED
} AttemptSource;

#define NOT_A_CALL (-1)

typedef struct LogicalCall
{
	int32		call;			/* numbered from 0 in preorder; or NOT_A_CALL */
	int32		attempt;		/* from 1 */
	uint8		source;			/* AttemptSource */
	bool		is_hedge;		/* started while an earlier attempt was running */
} LogicalCall;

extern const char *const attempt_source_names[];

extern bool kind_is_call(uint8 kind);
extern LogicalCall *logical_calls(const Trajectory *t);

#endif							/* LLMTRACE_LOGICAL_CALLS_H */
