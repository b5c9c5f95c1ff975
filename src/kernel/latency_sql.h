/*
 * latency_sql.h
 *		What the functions about latency share: options as named arguments, and
 *		memory and queries that a call site keeps.
 */
#ifndef LLMTRACE_LATENCY_SQL_H
#define LLMTRACE_LATENCY_SQL_H

#include "kernel/latency_budget.h"
#include "kernel/path_input.h"
#include "kernel/row_writer.h"
#include "kernel/tracequery_sql.h"

/* A query of a call site, parsed. */
typedef struct KeptQuery
{
	TracequeryDatum *datum;
	Tracequery *query;
	MemoryContext context;		/* of the two */
} KeptQuery;

typedef enum LatencyQuery
{
	QUERY_MATCHING,
	QUERY_BLOCKING,
	QUERY_EXCLUDE,
	LATENCY_QUERIES
} LatencyQuery;

/* What a call site keeps. */
typedef struct LatencyCall
{
	MemoryContext work;			/* emptied at each call */
	PathWork   *path;
	KeptQuery	queries[LATENCY_QUERIES];
	Budget	   *budget;			/* parsed */
	struct varlena *budget_datum;
	MemoryContext budget_context;	/* of the two */

	/* of this call, in work */
	Trajectory *t;
	PathInput	in;
} LatencyCall;

/* async, tolerance_ms, tolerance_share, blocking, exclude, roots, compat */
#define LATENCY_OPTIONS 7

extern LatencyCall *latency_call(FunctionCallInfo fcinfo);
extern void latency_open(FunctionCallInfo fcinfo, LatencyCall *call, int first_option);
extern uint8 *latency_query(FunctionCallInfo fcinfo, LatencyCall *call, LatencyQuery which,
							int arg);
extern Tracequery *kept_query(KeptQuery *kept, const TracequeryDatum *given, MemoryContext parent);

#endif							/* LLMTRACE_LATENCY_SQL_H */
