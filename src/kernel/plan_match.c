/*
 * plan_match.c
 *		What other evaluators compute of a reference and a run.
 *
 *	strict, unordered, superset, subset		LangChain's agentevals
 *	exact, in_order, any_order				Google's ADK and Vertex AI
 *	precision, recall						Vertex AI
 *
 * They compare two lists of calls: the steps as they are listed, each once, and
 * the actions, failed or not.  A call is what a step plans or it is not.  The
 * two names for equal lists are one thing, and so are superset and any_order.
 */
#include "postgres.h"

#include "kernel/plan_compile.h"
#include "miscadmin.h"

const char *const plan_match_mode_names[PLAN_MATCH_MODES] = {
	[MATCH_STRICT] = "strict",
	[MATCH_UNORDERED] = "unordered",
	[MATCH_SUPERSET] = "superset",
	[MATCH_SUBSET] = "subset",
	[MATCH_EXACT] = "exact",
	[MATCH_IN_ORDER] = "in_order",
	[MATCH_ANY_ORDER] = "any_order",
	[MATCH_PRECISION] = "precision",
	[MATCH_RECALL] = "recall"
};

/* Pairs of step and action that are alike, by action and step. */
typedef struct Likeness
{
	CandidateList list;
	uint32		steps;
	uint32		actions;
} Likeness;

static Likeness
find_likeness(const CompiledPlan *c, Trajectory *t)
{
	ActionList	actions = compiled_actions(c, t, 0, t->n);
	Likeness	l = {
		.list = find_candidates(c, t, &actions, true),
			.steps = compiled_plan(c)->step_count,
			.actions = actions.count
	};
	uint32		kept = 0;

	for (uint32 i = 0; i < l.list.count; i++)
		if (l.list.candidates[i].cost == 0)
			l.list.candidates[kept++] = l.list.candidates[i];
	l.list.count = kept;
	return l;
}

/* How many steps have an action of their own: a greatest matching (Kuhn's). */
static uint32
count_matched(const Likeness *l)
{
	uint32	   *first = palloc0((l->actions + 2) * sizeof(uint32));
	uint32	   *has = palloc((l->steps + 1) * sizeof(uint32));	/* by step: action, or none */
	uint32	   *seen = palloc0((l->steps + 1) * sizeof(uint32));
	uint32	   *from = palloc((l->steps + 1) * sizeof(uint32));	/* by step: the action that asks */
	uint32	   *queue = palloc((l->actions + 1) * sizeof(uint32));
	uint32	   *holds = palloc((l->actions + 1) * sizeof(uint32));	/* by action: step */
	uint32		matched = 0;

	for (uint32 i = 0; i < l->list.count; i++)
		first[l->list.candidates[i].action + 1]++;
	for (uint32 a = 0; a < l->actions; a++)
		first[a + 1] += first[a];
	memset(has, 0xff, l->steps * sizeof(uint32));
	memset(holds, 0xff, l->actions * sizeof(uint32));
	for (uint32 root = 0; root < l->actions && matched < l->steps; root++)
	{
		uint32		head = 0;
		uint32		tail = 0;
		uint32		end = NO_STEP;

		CHECK_FOR_INTERRUPTS();
		queue[tail++] = root;
		while (head < tail && end == NO_STEP)
		{
			uint32		a = queue[head++];

			for (uint32 i = first[a]; i < first[a + 1] && end == NO_STEP; i++)
			{
				uint32		s = l->list.candidates[i].step;

				if (seen[s] == root + 1)
					continue;
				seen[s] = root + 1;
				from[s] = a;
				if (has[s] == PG_UINT32_MAX)
					end = s;
				else
					queue[tail++] = has[s];
			}
		}
		if (end == NO_STEP)
			continue;
		matched++;
		while (end != NO_STEP)
		{
			uint32		a = from[end];
			uint32		left = holds[a];

			has[end] = a;
			holds[a] = end;
			end = left;
		}
	}
	return matched;
}

/* Are the steps, in their order, a part of the actions? */
static bool
is_subsequence(const Likeness *l)
{
	uint32		next = 0;
	uint32		last = PG_UINT32_MAX;	/* action */

	for (uint32 i = 0; i < l->list.count && next < l->steps; i++)
		if (l->list.candidates[i].step == next && l->list.candidates[i].action != last)
		{
			last = l->list.candidates[i].action;
			next++;
		}
	return next == l->steps;
}

static uint32
count_distinct(const Likeness *l, bool of_steps)
{
	uint32		n = of_steps ? l->steps : l->actions;
	bool	   *is_there = palloc0(n + 1);
	uint32		count = 0;

	for (uint32 i = 0; i < l->list.count; i++)
	{
		bool	   *one = &is_there[of_steps ? l->list.candidates[i].step : l->list.candidates[i].action];

		count += !*one;
		*one = true;
	}
	return count;
}

double
plan_match(const CompiledPlan *c, Trajectory *t, PlanMatchMode mode)
{
	Likeness	l = find_likeness(c, t);

	switch (mode)
	{
		case MATCH_STRICT:
		case MATCH_EXACT:
			return l.steps == l.actions && is_subsequence(&l);
		case MATCH_IN_ORDER:
			return is_subsequence(&l);
		case MATCH_UNORDERED:
			return l.steps == l.actions && count_matched(&l) == l.steps;
		case MATCH_SUPERSET:
		case MATCH_ANY_ORDER:
			return count_matched(&l) == l.steps;
		case MATCH_SUBSET:
			return count_matched(&l) == l.actions;
		case MATCH_PRECISION:
			if (l.actions == 0)
				return l.steps == 0;
			return (double) count_distinct(&l, false) / l.actions;
		case MATCH_RECALL:
			if (l.steps == 0)
				return 1;
			return (double) count_distinct(&l, true) / l.steps;
		case PLAN_MATCH_MODES:
			break;
	}
	return 0;
}
