/*
 * call_context.h
 *		What stands around calls of models and tools: the requests that they are
 *		made of, what came of them next, attempts; and how far a trace fans out.
 */
#ifndef LLMTRACE_CALL_CONTEXT_H
#define LLMTRACE_CALL_CONTEXT_H

#include "kernel/logical_calls.h"
#include "kernel/trajectory.h"

/* Of a model call. */
typedef struct ModelContext
{
	uint32		request_count;	/* requests below it that are its own */
	int64		first_start_ns; /* of them */
	int64		last_start_ns;
	int64		last_end_ns;	/* TIME_OPEN: one is open */
	uint32		tool_count;		/* tools and agents that ran before the next call */
	bool		is_last;		/* no model call of its agent follows */
} ModelContext;

/* Of a logical call, by its number. */
typedef struct CallOutcome
{
	int32		attempt_count;	/* as counted, or as the highest number says */
	uint32		last;			/* ordinal of the attempt that ended last */
	bool		is_success;		/* some attempt did not fail */
} CallOutcome;

typedef struct Fanout
{
	uint32		max_width;		/* most spans on one level of the tree */
	uint32		max_in_flight;	/* most calls without a call below that ran at once */
	uint32		model_call_count;
	uint32		tool_call_count;
	double		branching;		/* mean number of children of spans with any */
	int64		peak_tokens;	/* most tokens of calls that began within a minute */
} Fanout;

extern ModelContext *call_contexts(const Trajectory *t);
extern CallOutcome *call_outcomes(const Trajectory *t, const LogicalCall *calls, int32 *count);
extern Fanout trace_fanout(const Trajectory *t);

#endif							/* LLMTRACE_CALL_CONTEXT_H */
