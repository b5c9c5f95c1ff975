/*
 * plan_distance.h
 *		How far a run is from its plan, and where.
 */
#ifndef LLMTRACE_PLAN_DISTANCE_H
#define LLMTRACE_PLAN_DISTANCE_H

#include "kernel/plan_actions.h"
#include "kernel/plan_graph.h"
#include "kernel/plan_options.h"

typedef enum PlanLabel
{
	LABEL_MATCHED = 0,
	LABEL_SKIPPED,
	LABEL_SUBSTITUTED,
	LABEL_INSERTED,
	LABEL_REORDERED,
	LABEL_RETRIED,
	LABEL_SUPERSEDED,
	LABEL_BLOCKED,
	PLAN_LABELS
} PlanLabel;

extern const char *const plan_label_names[PLAN_LABELS];

#define NO_STEP PG_UINT32_MAX
#define NO_ORDINAL PG_UINT32_MAX

/* One row of an alignment. */
typedef struct PlanRow
{
	const ActionPlan *plan;			/* the step's, or NULL */
	uint32		step;			/* or NO_STEP */
	Bytes		parent;			/* ids of the steps above, with slashes */
	uint32		revision;
	uint32		ordinal;		/* of the action's span, or NO_ORDINAL */
	Bytes		action;
	uint8		label;			/* PlanLabel */
	double		cost;			/* thousandths */
	uint8		effect;			/* PlanEffect, of the step, else of the action */
	bool		is_unjudged;	/* arguments were planned, and those of the call are not here */
	const ActionPlan *edge_plan;		/* the order that was violated, or NULL */
	uint32		edge[2];
} PlanRow;

typedef struct PlanRows
{
	PlanRow    *rows;
	uint32		count;
	uint32		max;
} PlanRows;

/* Costs in thousandths of a step. */
typedef struct PlanOutcome
{
	int64		free_cost;		/* order apart */
	int64		ordered_cost;	/* of the best matching found that keeps it */
	int64		ordered_low;	/* no matching that keeps it costs less */
	int64		plan_weight;	/* skipping all of it */
	int64		trace_weight;	/* inserting all of it */
} PlanOutcome;

typedef struct CompiledPlan CompiledPlan;

extern CompiledPlan *plan_compile(const ActionPlan *plan, const PlanOptions *options);
extern bool plan_may_act(const CompiledPlan *c, const Trajectory *t);
extern PlanOutcome plan_evaluate(const CompiledPlan *c, Trajectory *t, PlanRows *rows);
extern PlanOutcome plan_evaluate_first(const CompiledPlan *c, Trajectory *t);
extern PlanOutcome plan_evaluate_part(const CompiledPlan *c, Trajectory *t, uint32 from, uint32 to);
extern double plan_deviation(const PlanOptions *o, int64 free_cost, int64 ordered_cost);
extern double plan_churn(const CompiledPlan *c, Trajectory *t);
extern const ActionPlan *compiled_plan(const CompiledPlan *c);

/* plan_match.c: what other evaluators compute */
typedef enum PlanMatchMode
{
	MATCH_STRICT = 0,
	MATCH_UNORDERED,
	MATCH_SUPERSET,
	MATCH_SUBSET,
	MATCH_EXACT,
	MATCH_IN_ORDER,
	MATCH_ANY_ORDER,
	MATCH_PRECISION,
	MATCH_RECALL,
	PLAN_MATCH_MODES
} PlanMatchMode;

extern const char *const plan_match_mode_names[PLAN_MATCH_MODES];

extern double plan_match(const CompiledPlan *c, Trajectory *t, PlanMatchMode mode);

#endif							/* LLMTRACE_PLAN_DISTANCE_H */
