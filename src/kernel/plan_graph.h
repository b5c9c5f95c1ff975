/*
 * plan_graph.h
 *		The order of a plan's steps: what comes before what, and its cycles.
 */
#ifndef LLMTRACE_PLAN_GRAPH_H
#define LLMTRACE_PLAN_GRAPH_H

#include "kernel/plan.h"

/*
 * The transitive order.  Within a cycle there is none: what waits for itself
 * can come in any order as far as matching goes.
 */
typedef struct PlanOrder
{
	uint32		n;
	uint32		words;			/* of a row of bits */
	uint64	   *before;			/* n rows: the steps that come before each */
	uint32	   *component;		/* of each step; what comes before has a lower one */
	uint32		component_count;
	bool	   *is_cyclic;		/* by component */
	bool	   *is_blocked;		/* by step: in a cycle, or after one */
} PlanOrder;

typedef struct PlanCycle
{
	uint32	   *steps;			/* of the component, ascending */
	uint32		step_count;
	uint32	   *cycle;			/* a shortest one: each waits for the next */
	uint32		cycle_length;	/* the last of them waits for the first */
} PlanCycle;

static inline bool
plan_is_before(const PlanOrder *order, uint32 x, uint32 y)
{
	return (order->before[(size_t) y * order->words + x / 64] >> (x % 64) & 1) != 0;
}

extern PlanOrder *plan_order(const ActionPlan *plan);
extern PlanCycle *plan_find_cycles(const ActionPlan *plan, const PlanOrder *order, uint32 *count);

#endif							/* LLMTRACE_PLAN_GRAPH_H */
