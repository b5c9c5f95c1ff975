/*
 * plan_sql.h
 *		Plans as arguments of SQL functions.
 */
#ifndef LLMTRACE_PLAN_SQL_H
#define LLMTRACE_PLAN_SQL_H

#include "fmgr.h"
#include "kernel/plan_distance.h"

/* What a call site keeps: plan and options, compiled, and memory for one call. */
typedef struct PlanCall
{
	PlanDatum  *datum;
	struct varlena *options_datum;	/* jsonb */
	PlanOptions options;
	CompiledPlan *compiled;
	MemoryContext context;		/* of these */
	MemoryContext work;			/* emptied at each call */
} PlanCall;

extern PlanCall *plan_call(FunctionCallInfo fcinfo, int plan_arg, int options_arg, ArgumentMode mode);
extern ActionPlan *plan_from_datum(const PlanDatum *datum);
extern PlanDatum *plan_make_datum(const ActionPlan *plan);
extern Bytes jsonb_text(FunctionCallInfo fcinfo, int arg);

#endif							/* LLMTRACE_PLAN_SQL_H */
