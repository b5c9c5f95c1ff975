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
	bool		is_planned;		/* as the look-up said, by its name and kind */
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

/* What the name of a span, or of all spans of a class, says. */
typedef struct ActionName
{
	Bytes		name;
	uint32		named;			/* what the look-up said */
	bool		is_planned;		/* likewise */
	bool		is_action;		/* unless it is an agent that counts as none */
	bool		is_shared;
} ActionName;

/* Going through the actions of a trace. */
typedef struct ActionScan
{
	Trajectory *t;
	uint32		at;				/* the next span */
	uint32		to;
	uint32		kinds;
	ActionLookUp look_up;
	const void *context;
	ActionName *names;			/* by class; or NULL */
	ActionName	own_name;
	uint32		agent_end;		/* of the outermost agent at hand */
	Bytes		agent;
} ActionScan;

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

extern ActionScan actions_begin(Trajectory *t, uint32 from, uint32 to, uint32 kinds,
								ActionLookUp look_up, const void *context);
extern bool actions_next(ActionScan *s, Action *action);
extern ActionList actions_collect(ActionScan *s);
extern bool action_arguments(Trajectory *t, uint32 ordinal, Arena *arena, Value *args,
							 bool *is_moved);
extern bool span_notes_plan(const SpanClass *class, const SpanColumns *columns);
extern bool plan_put_outline(StringInfo buf, const SpanClass *class, const SpanColumns *columns);
extern PlanRules plan_rules_parse(Bytes json, Arena *arena);
extern ActionPlan *plan_of_trace(const Trajectory *t, const PlanRules *rules, Arena *arena);

#endif							/* LLMTRACE_PLAN_ACTIONS_H */
