/*
 * tracequery_sql.h
 *		Queries as arguments of SQL functions.
 */
#ifndef LLMTRACE_TRACEQUERY_SQL_H
#define LLMTRACE_TRACEQUERY_SQL_H

#include "fmgr.h"
#include "kernel/tracequery.h"

/* What a call site keeps: the query, parsed, and memory for one call. */
typedef struct QueryCall
{
	TracequeryDatum *datum;
	Tracequery	   *query;
	MemoryContext context;		/* of the two */
	MemoryContext work;			/* emptied at each call */
} QueryCall;

extern QueryCall *query_call(FunctionCallInfo fcinfo, int arg);
extern uint8 *query_call_spans(FunctionCallInfo fcinfo, int trajectory_arg, int query_arg,
								Trajectory **t, uint32 *count);

#endif							/* LLMTRACE_TRACEQUERY_SQL_H */
