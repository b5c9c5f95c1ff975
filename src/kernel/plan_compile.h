/*
 * plan_compile.h
 *		A plan made ready to be held against many traces, and what each action
 *		of a trace could be of it.
 */
#ifndef LLMTRACE_PLAN_COMPILE_H
#define LLMTRACE_PLAN_COMPILE_H

#include "kernel/plan_distance.h"

/* An argument, so that equal ones have equal bytes. */
typedef struct FoldedArg
{
	Bytes		key;
	Bytes		value;
	const Value *plain;
} FoldedArg;

typedef struct FoldedArgs
{
	FoldedArg  *args;			/* by key */
	uint32		count;
} FoldedArgs;

/* A matcher of a step, in the list of those with one name. */
typedef struct NameEntry
{
	Bytes		name;
	uint32		hash;
	uint32		step;
	uint32		next;			/* number of the entry + 1, or 0 */
	const PlanMatcher *matcher;
	FoldedArgs	args;
	Bytes	   *predicate_values;	/* folded */
} NameEntry;

typedef struct PlanChains PlanChains;

struct CompiledPlan
{
	const ActionPlan *plan;
	const PlanOptions *options;
	PlanOrder  *order;
	bool		has_order;
	uint32		kinds;			/* bits of the kinds that are actions */
	int32	   *weight;			/* by step: of skipping it, were it not optional */
	uint8	   *effect;			/* by step */
	NameEntry  *entries;
	uint32		entry_count;
	uint32		any_name;		/* entries of "*": number + 1, or 0 */
	uint32	   *slots;			/* hash table of entry number + 1 */
	uint32		mask;
	uint32		all_kinds;		/* kinds, with those of sub-plans and revisions */
	PlanChains *chains;			/* if the plan is one of those, else NULL */
	CompiledPlan **subplans;	/* by step, or NULL */
	CompiledPlan **revisions;	/* of the plan, each with its own */
};

/* A step that an action could be. */
typedef struct Candidate
{
	uint32		action;
	uint32		step;
	int32		cost;			/* 0: as planned */
	bool		is_unjudged;	/* as far as arguments are known here */
} Candidate;

typedef struct CandidateList
{
	Candidate  *candidates;		/* by action, then step */
	uint32		count;
	uint32		max;
} CandidateList;

extern ActionScan compiled_scan(const CompiledPlan *c, Trajectory *t, uint32 from, uint32 to);
extern ActionList compiled_actions(const CompiledPlan *c, Trajectory *t, uint32 from, uint32 to);
extern CandidateList find_candidates(const CompiledPlan *c, Trajectory *t,
									 const ActionList *list, bool with_failed);
extern void find_action_candidates(const CompiledPlan *c, Trajectory *t, const Action *action,
								   uint32 number, CandidateList *list);
extern void check_pairs(const CompiledPlan *c, uint64 pairs);
extern int32 insert_cost(const CompiledPlan *c, const Action *action);
extern uint8 action_effect(const CompiledPlan *c, const Action *action);

/* plan_chains.c */
extern PlanChains *plan_chains(const CompiledPlan *c);
extern PlanOutcome plan_chains_evaluate(const CompiledPlan *c, Trajectory *t, uint32 from, uint32 to);

#endif							/* LLMTRACE_PLAN_COMPILE_H */
