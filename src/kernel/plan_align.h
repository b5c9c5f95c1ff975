/*
 * plan_align.h
 *		Matching steps with actions at least cost, with and without order.
 *
 * A step that may be repeated has a node for each time; the last may be open,
 * and then takes any number of actions.  What a matching is worth is its gain:
 * what skipping the step and inserting the action would cost more than having
 * them as a pair.  Only pairs that gain, or cost nothing more, are given.
 *
 * Among matchings of equal gain the one with the higher bonus is chosen, then
 * the one with lower nodes and earlier actions that the engines find first:
 * the result is the same for the same input.
 */
#ifndef LLMTRACE_PLAN_ALIGN_H
#define LLMTRACE_PLAN_ALIGN_H

#include "kernel/plan_graph.h"

/* Gains are counted in this many, so that all bonuses are less than one. */
#define ALIGN_SCALE ((int64) 1 << 22)
#define ALIGN_MAX_ACTIONS (1 << 20)
#define ALIGN_MAX_BONUS 3

typedef struct AlignPair
{
	uint32		node;
	uint32		action;
	int64		gain;			/* thousandths × ALIGN_SCALE + bonus; above 0 */
} AlignPair;

typedef struct AlignProblem
{
	uint32		node_count;
	uint32		action_count;
	uint32		pair_count;
	AlignPair  *pairs;			/* by action, then by node */
	const uint32 *node_step;	/* ascending */
	const bool *node_is_open;
	const PlanOrder *order;		/* of steps; the nodes of one are a chain */
	uint32		max_states;		/* of the dynamic program */
} AlignProblem;

typedef struct AlignResult
{
	bool	   *is_chosen;		/* by pair */
	int64		gain;			/* of those, without bonus, thousandths */
	int64		bound;			/* no matching gains more */
} AlignResult;

extern AlignResult align_free(const AlignProblem *p);
extern AlignResult align_ordered(const AlignProblem *p, const AlignResult *free);
extern bool align_is_in_order(const AlignProblem *p, const AlignResult *r);

#endif							/* LLMTRACE_PLAN_ALIGN_H */
