/*
 * plan_actions.h
 *		What an agent did, and the plan that it noted down itself.
 */
#ifndef LLMTRACE_PLAN_ACTIONS_H
#define LLMTRACE_PLAN_ACTIONS_H

#include "kernel/plan.h"
#include "kernel/trajectory.h"

typedef struct Action
{
	uint32		ordinal;		/* of its span, from 0 */
	uint8		kind;			/* OperationKind */
	bool		is_failed;
	Bytes		name;			/* of the tool, agent or model */
	int64		start_ns;
	uint32		named;			/* what the look-up said of the name */
} Action;

typedef struct ActionList
{
	Action	   *actions;		/* by start, then ordinal */
	uint32		count;
} ActionList;

/*
 * Looks up what a plan says of a name, in terms of its own.  Does it plan such
 * an action, so that what is below it is its own affair?
 */
typedef bool (*ActionLookUp) (const void *context, uint8 kind, Bytes name, uint32 *named);

/* Where an agent notes its plan down. */
typedef struct PlanRules
{
	const Bytes *attributes;
	uint32		attribute_count;
	const Bytes *tools;
	uint32		tool_count;
	bool		is_ordered;
} PlanRules;

/* Could a span of this shape be where an agent notes its plan down? */
static inline bool
shape_may_note_plan(const Shape *shape)
{
	return shape->has_plan || shape_bears(shape, COLUMN_OUTPUT) ||
		shape_bears(shape, COLUMN_TOOL_ARGUMENTS);
}

#define KIND_BIT(kind) (UINT32_C(1) << (kind))

extern ActionList actions_collect(const Trajectory *t, uint32 from, uint32 to, uint32 kinds,
								  ActionLookUp look_up, const void *context);
extern bool action_arguments(const Trajectory *t, uint32 ordinal, Arena *arena, Value *args,
							 bool *is_moved);
extern bool span_notes_plan(const SpanClass *class, const SpanColumns *columns);
extern bool plan_put_outline(StringInfo buf, const SpanClass *class, const SpanColumns *columns);
extern PlanRules plan_rules_parse(Bytes json, Arena *arena);
extern ActionPlan *plan_of_trace(const Trajectory *t, const PlanRules *rules, Arena *arena);

#endif							/* LLMTRACE_PLAN_ACTIONS_H */
