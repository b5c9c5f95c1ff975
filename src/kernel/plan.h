/*
 * plan.h
 *		The plan type: steps and a partial order of them.
 *
 * Costs and weights are integers in thousandths of a step.
 *
 * The binary format, version 1: a version byte, then a plan.  Varints and values
 * are those of bytes.h and value.h.
 *
 *	plan		varint count of steps, steps; varint count of revisions, each:
 *				zigzag varint time (ns since 1970), plan without revisions
 *	step		string id, varint count of matchers (the first is what is
 *				planned, others are alternatives), matchers, varint least and
 *				varint greatest number of times (0: any number), byte effect
 *				(PlanEffect), varint weight if the effect is EFFECT_WEIGHT,
 *				varint count of steps before, varint number of each minus that
 *				of the one listed before it (of the first: its number), byte 1
 *				and a plan without revisions if there is a sub-plan, else byte 0
 *	matcher		byte kind (OperationKind, or 255: tool or agent), string name
 *				("*": any), varint cost, byte 1 and value (kvlist, or empty) if
 *				there are arguments, else byte 0; varint count of predicates, each: byte
 *				(PlanOperator | 0x80 for an attribute), string key, value
 *	string		varint length, bytes
 *
 * Bytes that are read must be those that writing gives: a value has one form.
 */
#ifndef LLMTRACE_PLAN_H
#define LLMTRACE_PLAN_H

#include "kernel/spanset.h"

#define PLAN_VERSION 1

#define PLAN_MAX_STEPS 1000		/* with those of sub-plans and revisions */
#define PLAN_MAX_EDGES 100000
#define PLAN_MAX_REPEAT 1000
#define PLAN_MAX_REVISIONS 1000
#define PLAN_MAX_DEPTH 8		/* of sub-plans */
#define PLAN_MAX_NESTING 64		/* of parentheses */
#define PLAN_MAX_WEIGHT 1000000 /* thousandths */
#define PLAN_MAX_NAME 1024		/* bytes */
#define PLAN_MAX_WORD 64		/* bytes, of names in what agents note down */

#define PLAN_ANY_NUMBER 0		/* as a greatest number of times */
#define PLAN_TOOL_OR_AGENT 255	/* as a matcher's kind */

/* What a step does to the world.  On disk. */
typedef enum PlanEffect
{
	EFFECT_UNKNOWN = 0,
	EFFECT_READ,
	EFFECT_REVERSIBLE,
	EFFECT_WRITE,
	EFFECT_GENERIC,
	EFFECT_WEIGHT				/* as much as the weight says */
} PlanEffect;

#define PLAN_EFFECT_WORDS EFFECT_WEIGHT

/* On disk. */
typedef enum PlanOperator
{
	PLAN_EQUAL = 0,
	PLAN_UNEQUAL,
	PLAN_LESS,
	PLAN_AT_MOST,
	PLAN_GREATER,
	PLAN_AT_LEAST,
	PLAN_OPERATORS
} PlanOperator;

#define PLAN_OF_ATTRIBUTE 0x80

typedef struct PlanPredicate
{
	Bytes		key;
	Value		value;
	uint8		op;				/* PlanOperator */
	bool		is_attribute;	/* else an argument */
} PlanPredicate;

typedef struct PlanMatcher
{
	Bytes		name;			/* "*": any */
	uint8		kind;			/* OperationKind or PLAN_TOOL_OR_AGENT */
	bool		has_args;
	int32		cost;
	Value		args;			/* kvlist: all arguments of the call; or empty: not
								 * known here */
	PlanPredicate *predicates;
	uint32		predicate_count;
} PlanMatcher;

typedef struct ActionPlan ActionPlan;

typedef struct PlanStep
{
	Bytes		id;
	PlanMatcher *matchers;
	uint32		matcher_count;
	uint32		min;
	uint32		max;			/* or PLAN_ANY_NUMBER */
	uint8		effect;			/* PlanEffect */
	int32		weight;			/* of EFFECT_WEIGHT */
	uint32	   *after;			/* ascending */
	uint32		after_count;
	ActionPlan *subplan;		/* or NULL */
} PlanStep;

typedef struct PlanRevision
{
	int64		at_ns;
	ActionPlan *plan;
} PlanRevision;

struct ActionPlan
{
	PlanStep   *steps;
	uint32		step_count;
	PlanRevision *revisions;	/* by time */
	uint32		revision_count;
};

typedef struct PlanDatum
{
	int32		vl_len_;		/* varlena header, do not touch directly */
	uint8		version;		/* PLAN_VERSION */
	char		body[FLEXIBLE_ARRAY_MEMBER];
} PlanDatum;

extern const char *const plan_effect_names[PLAN_EFFECT_WORDS];
extern const char *const plan_operator_names[PLAN_OPERATORS];

/* plan_format.c: the binary form */
extern void plan_encode(StringInfo buf, const ActionPlan *plan);
extern ActionPlan *plan_decode(const void *bytes, size_t size, Arena *arena);
extern ActionPlan *plan_receive(const void *bytes, size_t size, Arena *arena);

/* plan_json.c and plan_parse.c: the text forms */
extern ActionPlan *plan_from_text(const char *text, size_t len, Arena *arena);
extern ActionPlan *plan_parse_short(const char *text, size_t len, Arena *arena);
extern void plan_put_json(StringInfo buf, const ActionPlan *plan);
extern void plan_put_outline_json(StringInfo buf, ActionPlan *plan, Arena *arena);
extern bool plan_is_word(Bytes name);
extern ActionPlan *plan_from_arrows(Bytes text, Arena *arena);
extern ActionPlan *plan_from_outline(Bytes text, bool is_ordered, Arena *arena);
extern ActionPlan *plan_from_record(Bytes text, bool is_ordered, Arena *arena);
extern bool plan_effect_find(Bytes word, uint8 *effect);

/* plan_graph.c: the order */
extern void plan_check(const ActionPlan *plan);
extern void plan_name_steps(ActionPlan *plan, Arena *arena);

#endif							/* LLMTRACE_PLAN_H */
