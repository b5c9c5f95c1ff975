/*
 * plan_options.h
 *		What deviations cost, and how calls are compared.
 */
#ifndef LLMTRACE_PLAN_OPTIONS_H
#define LLMTRACE_PLAN_OPTIONS_H

#include "kernel/plan.h"

/* Effects as the tables of costs have them. */
typedef enum CostClass
{
	COST_WRITE = 0,
	COST_UNKNOWN,				/* reversible, too */
	COST_READ,					/* generic, too */
	COST_CLASSES
} CostClass;

typedef enum ArgumentMode
{
	ARGUMENTS_CANONICAL = 0,	/* the same, but for case and surrounding space */
	ARGUMENTS_EXACT,
	ARGUMENTS_IGNORE,
	ARGUMENTS_SUBSET,			/* the call has some of the planned ones, no other */
	ARGUMENTS_SUPERSET,			/* the call has the planned ones, and maybe others */
	ARGUMENT_MODES
} ArgumentMode;

typedef struct EffectOption
{
	Bytes		tool;
	uint8		effect;			/* PlanEffect */
	int32		weight;
} EffectOption;

/* Costs in thousandths of a step. */
typedef struct PlanOptions
{
	int32		order_weight;	/* 0 to 1000 */
	int32		skip[COST_CLASSES];
	int32		insert[COST_CLASSES];
	int32		failed_insert;
	int32		retry;
	bool		substitute;		/* label what stands where something was skipped */
	uint8		arguments;		/* ArgumentMode */
	bool		lists_as_sets;	/* multisets, that is */
	double		cutoff;			/* a distance; above 1: none */
	uint32		max_states;
	uint64		max_pairs;
	EffectOption *effects;		/* by tool */
	uint32		effect_count;
} PlanOptions;

extern PlanOptions plan_options_parse(Bytes json, ArgumentMode default_mode, Arena *arena);
extern void plan_effect(const PlanOptions *o, Bytes tool, uint8 *effect, int32 *weight);
extern CostClass cost_class(uint8 effect);

#endif							/* LLMTRACE_PLAN_OPTIONS_H */
