/*
 * plan_distance.c
 *		How far a run is from its plan, and where.
 *
 * A plan is compiled once a query: its order is closed, its names hashed, its
 * arguments folded.  For a trace, each action looks up the steps that name it;
 * what each such pair costs becomes a matching problem (plan_align.c), solved
 * without the plan's order and with it.  The cost is the one where order weighs
 * nothing, the other where it weighs all; their difference is the price of
 * disorder.
 *
 * What an action costs by itself does not depend on the matching: a call that
 * does just what some step plans is never dearer than a retry, wherever it
 * stands.  A call that failed has not done what was planned.  So costs add up,
 * a better matching is a subset of those without order, and without order is
 * never dearer than with it.
 */
#include "postgres.h"

#include <math.h>

#include "kernel/hashing.h"
#include "kernel/json_value.h"
#include "kernel/plan_align.h"
#include "kernel/plan_distance.h"
#include "miscadmin.h"
#include "utils/memutils.h"

const char *const plan_label_names[PLAN_LABELS] = {
	[LABEL_MATCHED] = "matched",
	[LABEL_SKIPPED] = "skipped",
	[LABEL_SUBSTITUTED] = "substituted",
	[LABEL_INSERTED] = "inserted",
	[LABEL_REORDERED] = "reordered",
	[LABEL_RETRIED] = "retried",
	[LABEL_SUPERSEDED] = "superseded",
	[LABEL_BLOCKED] = "blocked"
};

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
	CompiledPlan **subplans;	/* by step, or NULL */
	CompiledPlan **revisions;	/* of the plan, each with its own */
};

const ActionPlan *
compiled_plan(const CompiledPlan *c)
{
	return c->plan;
}

/* ------------------------------------------------------------- compiling --- */

static ValueFolding
folding_of(const PlanOptions *o)
{
	return (ValueFolding) {
		.strings = o->arguments != ARGUMENTS_EXACT,.lists = o->lists_as_sets
	};
}

static Bytes
fold_value(const Value *v, ValueFolding folding)
{
	StringInfoData buf;

	initStringInfo(&buf);
	value_put_folded(&buf, v, folding);
	return (Bytes) {buf.data, buf.len};
}

static int
compare_args(const void *a, const void *b)
{
	return bytes_compare(((const FoldedArg *) a)->key, ((const FoldedArg *) b)->key);
}

/* Arguments by key; those that are null count as absent, unless all is exact. */
static FoldedArgs
fold_args(const Value *args, ValueFolding folding)
{
	FoldedArgs	folded = {0};
	ValueIterator it;
	Value		v;

	value_iterate(&it, args);
	folded.args = palloc_extended(Max(it.left, 1) * sizeof(FoldedArg), MCXT_ALLOC_HUGE);
	while (value_next(&it, &folded.args[folded.count].key, &v))
	{
		Value	   *copy;

		if (v.type == VALUE_EMPTY && folding.strings)
			continue;
		copy = palloc(sizeof(Value));
		*copy = v;
		folded.args[folded.count].plain = copy;
		folded.args[folded.count++].value = fold_value(&v, folding);
	}
	qsort(folded.args, folded.count, sizeof(FoldedArg), compare_args);
	return folded;
}

static uint32
find_slot(const CompiledPlan *c, Bytes name, uint32 hash)
{
	uint32		slot = hash & c->mask;

	while (c->slots[slot] != 0 &&
		   (c->entries[c->slots[slot] - 1].hash != hash ||
			!bytes_equal(c->entries[c->slots[slot] - 1].name, name)))
		slot = (slot + 1) & c->mask;
	return slot;
}

/* Entries are added from the last step to the first: lists are ascending. */
static void
add_entry(CompiledPlan *c, uint32 step, const PlanMatcher *m)
{
	NameEntry  *e = &c->entries[c->entry_count++];
	ValueFolding folding = folding_of(c->options);

	*e = (NameEntry) {
		.name = m->name,.hash = hash_text(m->name),.step = step,.matcher = m
	};
	if (m->has_args && m->args.type == VALUE_KVLIST)
		e->args = fold_args(&m->args, folding);
	e->predicate_values = palloc((m->predicate_count + 1) * sizeof(Bytes));
	for (uint32 i = 0; i < m->predicate_count; i++)
		e->predicate_values[i] = fold_value(&m->predicates[i].value, folding);
	if (bytes_equal_cstring(m->name, "*"))
	{
		e->next = c->any_name;
		c->any_name = c->entry_count;
	}
	else
	{
		uint32		slot = find_slot(c, m->name, e->hash);

		e->next = c->slots[slot];
		c->slots[slot] = c->entry_count;
	}
	c->kinds |= m->kind == PLAN_TOOL_OR_AGENT ? 0 : KIND_BIT(m->kind);
}

/* The recursion is bounded by the depth of plans. */
CompiledPlan *
plan_compile(const ActionPlan *plan, const PlanOptions *options, Arena *arena)
{
	CompiledPlan *c = palloc0(sizeof(CompiledPlan));
	uint32		n = plan->step_count;
	uint32		matchers = 0;

	c->plan = plan;
	c->options = options;
	c->order = plan_order(plan);
	c->kinds = KIND_BIT(KIND_TOOL) | KIND_BIT(KIND_AGENT);
	c->weight = palloc((n + 1) * sizeof(int32));
	c->effect = palloc(n + 1);
	c->subplans = palloc0((n + 1) * sizeof(CompiledPlan *));
	for (uint32 i = 0; i < n; i++)
	{
		const PlanStep *s = &plan->steps[i];
		int32		weight = s->weight;

		matchers += s->matcher_count;
		c->has_order |= s->after_count > 0 || s->max != 1;
		c->effect[i] = s->effect;
		plan_effect(options, s->matchers[0].name, &c->effect[i], &weight);
		c->weight[i] = c->effect[i] == EFFECT_WEIGHT ? weight : options->skip[cost_class(c->effect[i])];
		if (s->subplan)
			c->subplans[i] = plan_compile(s->subplan, options, arena);
	}
	c->entries = palloc((matchers + 1) * sizeof(NameEntry));
	for (c->mask = 15; c->mask < matchers * 2; c->mask = c->mask * 2 + 1)
		;
	c->slots = palloc0((c->mask + 1) * sizeof(uint32));
	for (uint32 i = n; i-- > 0;)
		for (uint32 m = plan->steps[i].matcher_count; m-- > 0;)
			add_entry(c, i, &plan->steps[i].matchers[m]);
	c->revisions = palloc((plan->revision_count + 1) * sizeof(CompiledPlan *));
	for (uint32 i = 0; i < plan->revision_count; i++)
		c->revisions[i] = plan_compile(plan->revisions[i].plan, options, arena);
	return c;
}

/* ------------------------------------------------- actions and candidates --- */

static inline bool
kind_fits(uint8 wanted, uint8 kind)
{
	return wanted == kind || (wanted == PLAN_TOOL_OR_AGENT && (kind == KIND_TOOL || kind == KIND_AGENT));
}

/* The first of the entries with a name, as number + 1. */
static uint32
entries_named(const CompiledPlan *c, Bytes name)
{
	return c->slots[find_slot(c, name, hash_text(name))];
}

static bool
is_planned(const CompiledPlan *c, uint8 kind, uint32 named)
{
	for (uint32 e = named; e != 0; e = c->entries[e - 1].next)
		if (kind_fits(c->entries[e - 1].matcher->kind, kind))
			return true;
	for (uint32 e = c->any_name; e != 0; e = c->entries[e - 1].next)
		if (kind_fits(c->entries[e - 1].matcher->kind, kind))
			return true;
	return false;
}

/* What an action is called is looked up once: named is the first entry. */
static bool
look_up(const void *context, uint8 kind, Bytes name, uint32 *named)
{
	*named = entries_named(context, name);
	return is_planned(context, kind, *named);
}

ActionList
compiled_actions(const CompiledPlan *c, const Trajectory *t, uint32 from, uint32 to)
{
	ActionList	list = actions_collect(t, from, to, c->kinds, look_up, c);

	if (list.count > ALIGN_MAX_ACTIONS)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("trace has too many actions to be compared with a plan"),
				 errdetail("It has %u; at most %d can be compared.", list.count, ALIGN_MAX_ACTIONS),
				 errhint("Compare a part of it: subtree(t, ordinal).")));
	return list;
}

/* The arguments of one action, read when the first step asks for them. */
typedef struct ActionArgs
{
	const Trajectory *t;
	const Action *action;
	ValueFolding folding;
	Arena	   *arena;
	bool		is_read;
	bool		is_moved;		/* they are kept elsewhere: nothing can be said */
	FoldedArgs	folded;
} ActionArgs;

static void
read_args(ActionArgs *a)
{
	Value		v;

	if (a->is_read)
		return;
	a->is_read = true;
	a->folded = (FoldedArgs) {NULL, 0};
	if (action_arguments(a->t, a->action->ordinal, a->arena, &v, &a->is_moved))
		a->folded = fold_args(&v, a->folding);
}

/* How many of the arguments differ, of how many that are compared. */
static void
count_differing(const FoldedArgs *planned, const FoldedArgs *called, ArgumentMode mode,
				uint32 *differing, uint32 *total)
{
	uint32		i = 0;
	uint32		k = 0;

	while (i < planned->count || k < called->count)
	{
		int			cmp = i == planned->count ? 1 : k == called->count ? -1 :
			bytes_compare(planned->args[i].key, called->args[k].key);

		if (cmp == 0)
		{
			*differing += !bytes_equal(planned->args[i].value, called->args[k].value);
			(*total)++;
		}
		else if (cmp < 0)
		{
			*differing += mode != ARGUMENTS_SUBSET;
			(*total)++;
		}
		else if (mode != ARGUMENTS_SUPERSET)
		{
			(*differing)++;
			(*total)++;
		}
		i += cmp <= 0;
		k += cmp >= 0;
	}
}

static int
compare_values(const Value *a, const Value *b, bool *is_comparable)
{
	double		x = a->type == VALUE_INT ? (double) a->integer : a->number;
	double		y = b->type == VALUE_INT ? (double) b->integer : b->number;

	*is_comparable = true;
	if (a->type == VALUE_STRING && b->type == VALUE_STRING)
		return bytes_compare(value_bytes(a), value_bytes(b));
	if (a->type == VALUE_INT && b->type == VALUE_INT)
		return (a->integer > b->integer) - (a->integer < b->integer);
	*is_comparable = (a->type == VALUE_INT || a->type == VALUE_DOUBLE) &&
		(b->type == VALUE_INT || b->type == VALUE_DOUBLE);
	return (x > y) - (x < y);
}

/* Does a predicate hold for a value?  None holds for one that is not there. */
static bool
predicate_holds(const PlanPredicate *p, Bytes wanted, const Value *v, ValueFolding folding)
{
	bool		is_comparable;
	int			cmp;

	if (p->op == PLAN_EQUAL || p->op == PLAN_UNEQUAL)
	{
		Bytes		folded = fold_value(v, folding);
		bool		is_equal = bytes_equal(folded, wanted);

		pfree(unconstify(char *, folded.data));
		return is_equal == (p->op == PLAN_EQUAL);
	}
	cmp = compare_values(v, &p->value, &is_comparable);
	if (!is_comparable)
		return false;
	return p->op == PLAN_LESS ? cmp < 0 : p->op == PLAN_AT_MOST ? cmp <= 0 :
		p->op == PLAN_GREATER ? cmp > 0 : cmp >= 0;
}

static const Value *
find_attribute(const Trajectory *t, uint32 ordinal, Bytes key)
{
	SpanColumns columns = trajectory_columns(t, ordinal);

	for (uint32 i = 0; i < columns.shape->nkeys; i++)
		if (bytes_equal(columns.keys[columns.shape->keys[i]].name, key))
			return span_value(&columns, i);
	return NULL;
}

static const Value *
find_arg(ActionArgs *a, Bytes key)
{
	FoldedArg	wanted = {.key = key};
	FoldedArg  *found = NULL;

	read_args(a);
	if (a->folded.count > 0)
		found = bsearch(&wanted, a->folded.args, a->folded.count, sizeof(FoldedArg), compare_args);
	return found ? found->plain : NULL;
}

/* Does a predicate ask for a value that is kept elsewhere? */
static bool
is_moved_value(const PlanPredicate *p, const Value *v, ActionArgs *a)
{
	if (p->is_attribute)
		return v != NULL && v->type == VALUE_REF;
	return a->is_moved;
}

/*
 * What calling a tool with other arguments costs: δ = weight · (.5 + .5 · share).
 * Those that are kept elsewhere count as planned; is_unjudged says so.
 */
static int32
argument_cost(const NameEntry *e, int32 weight, ActionArgs *a, ArgumentMode mode, bool *is_unjudged)
{
	const PlanMatcher *m = e->matcher;
	uint32		differing = 0;
	uint32		total = 0;
	int64		cost;

	if (m->has_args && mode != ARGUMENTS_IGNORE)
	{
		read_args(a);
		if (a->is_moved || m->args.type != VALUE_KVLIST)
			*is_unjudged = true;
		else
			count_differing(&e->args, &a->folded, mode, &differing, &total);
	}
	for (uint32 i = 0; i < m->predicate_count; i++)
	{
		const PlanPredicate *p = &m->predicates[i];
		const Value *v;

		if (!p->is_attribute && mode == ARGUMENTS_IGNORE)
			continue;
		v = p->is_attribute ? find_attribute(a->t, a->action->ordinal, p->key) : find_arg(a, p->key);
		if (is_moved_value(p, v, a))
		{
			*is_unjudged = true;
			continue;
		}
		total++;
		differing += v == NULL || !predicate_holds(p, e->predicate_values[i], v, a->folding);
	}
	if (differing == 0)
		return 0;
	cost = ((int64) weight * (total + differing) + total) / (2 * (int64) total);
	return (int32) Max(cost, 1);
}

/* The recursion is bounded by the depth of plans. */
static PlanOutcome evaluate(const CompiledPlan *c, const Trajectory *t, uint32 from, uint32 to,
							Bytes parent, PlanRows *rows);

/* A sub-plan's cost counts as one sum, in thousandths. */
static int32
subplan_cost(const CompiledPlan *sub, const Trajectory *t, uint32 ordinal)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "llmtrace sub-plan",
												  ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	PlanOutcome o = evaluate(sub, t, ordinal + 1, ordinal + t->subtree[ordinal],
							 (Bytes) {"", 0}, NULL);
	double		cost = plan_deviation(sub->options, o.free_cost, o.ordered_cost);

	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	return cost <= 0 ? 0 : (int32) Max(1, Min(rint(cost), PLAN_MAX_WEIGHT));
}

static void
add_candidate(CandidateList *list, Candidate candidate)
{
	/* the alternatives of a step: the cheapest */
	if (list->count > 0)
	{
		Candidate  *last = &list->candidates[list->count - 1];

		if (last->action == candidate.action && last->step == candidate.step)
		{
			if (candidate.cost < last->cost || (candidate.cost == last->cost && last->is_unjudged))
				*last = candidate;
			return;
		}
	}
	if (list->count >= list->max)
	{
		list->max = Max(list->max * 2, 32);
		list->candidates = list->candidates ?
			repalloc_huge(list->candidates, list->max * sizeof(Candidate)) :
			palloc(list->max * sizeof(Candidate));
	}
	list->candidates[list->count++] = candidate;
}

static void
check_pairs(const CompiledPlan *c, uint64 pairs)
{
	if (pairs > c->options->max_pairs)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("plan and trace have too many possible matches"),
				 errdetail("There are more than %llu pairs of a step and an action that it names.",
						   (unsigned long long) c->options->max_pairs),
				 errhint("Raise option max_pairs, or compare a part of the trace: subtree(t, ordinal).")));
}

/* What an action could be of the plan. */
static void
find_action_candidates(const CompiledPlan *c, ActionArgs *args, uint32 action, CandidateList *list)
{
	uint8		kind = args->action->kind;
	uint32		named = args->action->named;
	uint32		any = c->any_name;

	while (named != 0 || any != 0)
	{
		/* both lists are ascending by step */
		bool		from_named = any == 0 ||
			(named != 0 && c->entries[named - 1].step <= c->entries[any - 1].step);
		const NameEntry *e = &c->entries[(from_named ? named : any) - 1];
		bool		is_unjudged = false;
		int64		cost;

		if (from_named)
			named = e->next;
		else
			any = e->next;
		if (!kind_fits(e->matcher->kind, kind))
			continue;
		cost = (int64) e->matcher->cost +
			argument_cost(e, c->weight[e->step], args, c->options->arguments, &is_unjudged);
		if (c->subplans[e->step] != NULL)
			cost += subplan_cost(c->subplans[e->step], args->t, args->action->ordinal);
		add_candidate(list, (Candidate) {
			action, e->step, (int32) Min(cost, PLAN_MAX_WEIGHT * 2), is_unjudged
		});
	}
}

/* with_failed: calls that failed count, too. */
CandidateList
find_candidates(const CompiledPlan *c, const Trajectory *t, const ActionList *list, bool with_failed)
{
	CandidateList found = {0};
	Arena		arena = {.context = CurrentMemoryContext};

	for (uint32 i = 0; i < list->count; i++)
	{
		ActionArgs	args = {
			.t = t,.action = &list->actions[i],.folding = folding_of(c->options),.arena = &arena
		};

		if ((i & 0xff) == 0)
			CHECK_FOR_INTERRUPTS();
		if (args.action->is_failed && !with_failed)
			continue;
		find_action_candidates(c, &args, i, &found);
		check_pairs(c, found.count);
	}
	return found;
}

/* ---------------------------------------------------------------- costs --- */

/* Of an action that no step has: by what it does, and whether it did it. */
static int32
insert_cost(const CompiledPlan *c, const Action *action)
{
	const PlanOptions *o = c->options;
	uint32		named = action->named;
	uint8		effect = EFFECT_UNKNOWN;
	int32		weight = 0;
	int32		cost;

	if (named != 0)
	{
		effect = c->effect[c->entries[named - 1].step];
		weight = c->weight[c->entries[named - 1].step];
	}
	plan_effect(o, action->name, &effect, &weight);
	cost = effect == EFFECT_WEIGHT ? weight / 2 : o->insert[cost_class(effect)];
	return action->is_failed ? Min(cost, o->failed_insert) : cost;
}

static uint8
action_effect(const CompiledPlan *c, const Action *action)
{
	uint32		named = action->named;
	uint8		effect = named != 0 ? c->effect[c->entries[named - 1].step] : EFFECT_UNKNOWN;
	int32		weight;

	plan_effect(c->options, action->name, &effect, &weight);
	return effect;
}

/* One plan and the actions that are held against it. */
typedef struct Evaluation
{
	const CompiledPlan *c;
	const Trajectory *t;
	const bool *is_done;		/* by step: carried over, not to be matched; or NULL */
	bool		is_superseded;	/* skipping costs nothing: a revision follows */
	ActionList	list;
	CandidateList candidates;
	int32	   *insert;			/* by action */
	bool	   *is_repeat;		/* by action: what it does is planned */
	AlignProblem problem;
	uint32	   *node_step;
	bool	   *node_is_open;
	int32	   *node_skip;
	uint32	   *first_node;		/* by step; one more at the end */
	int32	   *pair_cost;
	bool	   *pair_is_unjudged;
	int64		fixed_skip;		/* of times that there are no actions for */
	AlignResult free;
	AlignResult ordered;
	PlanOutcome outcome;
} Evaluation;

static bool
is_out(const Evaluation *e, uint32 step)
{
	return e->is_done != NULL && e->is_done[step];
}

static void
find_insert_costs(Evaluation *e)
{
	const PlanOptions *o = e->c->options;

	e->insert = palloc_extended((e->list.count + 1) * sizeof(int32), MCXT_ALLOC_HUGE);
	e->is_repeat = palloc_extended(e->list.count + 1, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	for (uint32 i = 0; i < e->list.count; i++)
	{
		e->insert[i] = insert_cost(e->c, &e->list.actions[i]);
		/* a failed try of what is planned */
		e->is_repeat[i] = e->list.actions[i].is_failed &&
			is_planned(e->c, e->list.actions[i].kind, e->list.actions[i].named);
	}
	for (uint32 i = 0; i < e->candidates.count; i++)
		if (e->candidates.candidates[i].cost == 0)
			e->is_repeat[e->candidates.candidates[i].action] = true;
	for (uint32 i = 0; i < e->list.count; i++)
	{
		if (e->is_repeat[i])
			e->insert[i] = Min(e->insert[i], o->retry);
		e->outcome.trace_weight += e->insert[i];
	}
}

static void
make_nodes(Evaluation *e)
{
	const ActionPlan *plan = e->c->plan;
	uint32	   *able = palloc0((plan->step_count + 1) * sizeof(uint32));
	uint32		nodes = 0;

	for (uint32 i = 0; i < e->candidates.count; i++)
		able[e->candidates.candidates[i].step]++;
	e->first_node = palloc((plan->step_count + 1) * sizeof(uint32));
	for (uint32 s = 0; s < plan->step_count; s++)
	{
		const PlanStep *step = &plan->steps[s];

		e->first_node[s] = nodes;
		if (!is_out(e, s))
			nodes += step->max == PLAN_ANY_NUMBER ? Min(step->min, able[s]) + 1 : Min(step->max, able[s]);
	}
	e->first_node[plan->step_count] = nodes;
	e->node_step = palloc((nodes + 1) * sizeof(uint32));
	e->node_is_open = palloc0(nodes + 1);
	e->node_skip = palloc0((nodes + 1) * sizeof(int32));
	for (uint32 s = 0; s < plan->step_count; s++)
	{
		const PlanStep *step = &plan->steps[s];
		uint32		count = e->first_node[s + 1] - e->first_node[s];
		uint32		needed = is_out(e, s) ? 0 : step->min;
		int32		skip = e->is_superseded ? 0 : e->c->weight[s];

		if (count > 0 && step->max == PLAN_ANY_NUMBER)
			e->node_is_open[e->first_node[s + 1] - 1] = true;
		for (uint32 i = 0; i < count; i++)
		{
			uint32		node = e->first_node[s] + i;

			e->node_step[node] = s;
			if (i < needed && !e->node_is_open[node])
				e->node_skip[node] = skip;
		}
		if (step->max == PLAN_ANY_NUMBER && count > 0)
			count--;
		if (needed > count)
			e->fixed_skip += (int64) (needed - count) * skip;
		e->outcome.plan_weight += (int64) needed * skip;
	}
	pfree(able);
}

static int64
scaled_gain(int64 gain, int bonus)
{
	return gain * ALIGN_SCALE + bonus;
}

static void
make_pairs(Evaluation *e)
{
	const CandidateList *list = &e->candidates;
	uint64		count = 0;
	AlignPair  *pairs;
	uint32		n = 0;

	for (uint32 i = 0; i < list->count; i++)
		count += e->first_node[list->candidates[i].step + 1] - e->first_node[list->candidates[i].step];
	check_pairs(e->c, count);
	pairs = palloc_extended((count + 1) * sizeof(AlignPair), MCXT_ALLOC_HUGE);
	e->pair_cost = palloc_extended((count + 1) * sizeof(int32), MCXT_ALLOC_HUGE);
	e->pair_is_unjudged = palloc_extended(count + 1, MCXT_ALLOC_HUGE);
	for (uint32 i = 0; i < list->count; i++)
	{
		const Candidate *candidate = &list->candidates[i];

		for (uint32 node = e->first_node[candidate->step]; node < e->first_node[candidate->step + 1]; node++)
		{
			int64		gain = (int64) e->node_skip[node] + e->insert[candidate->action] - candidate->cost;

			if (gain < 0)
				continue;
			pairs[n] = (AlignPair) {
				node, candidate->action, scaled_gain(gain, candidate->cost == 0 ? 2 : 1)
			};
			e->pair_is_unjudged[n] = candidate->is_unjudged;
			e->pair_cost[n++] = candidate->cost;
		}
	}
	e->problem = (AlignProblem) {
		.node_count = e->first_node[e->c->plan->step_count],
			.action_count = e->list.count,
			.pair_count = n,
			.pairs = pairs,
			.node_step = e->node_step,
			.node_is_open = e->node_is_open,
			.order = e->c->order,
			.max_states = e->c->options->max_states
	};
}

/*
 * Solve it.  Where the order costs something, the matching without it is made
 * as like the one with it as can be, so that what differs is disorder alone.
 */
static void
solve(Evaluation *e)
{
	AlignProblem *p = &e->problem;
	int64		all = e->fixed_skip;

	for (uint32 i = 0; i < p->node_count; i++)
		all += e->node_skip[i];
	for (uint32 i = 0; i < e->list.count; i++)
		all += e->insert[i];
	e->free = e->ordered = align_free(p);
	if (e->c->has_order && !align_is_in_order(p, &e->free))
	{
		e->ordered = align_ordered(p, &e->free);
		for (uint32 i = 0; i < p->pair_count; i++)
			if (e->ordered.is_chosen[i])
				p->pairs[i].gain = scaled_gain(p->pairs[i].gain / ALIGN_SCALE, ALIGN_MAX_BONUS);
		e->free = align_free(p);
	}
	e->outcome.free_cost = all - e->free.gain;
	e->outcome.ordered_cost = all - e->ordered.gain;
	e->outcome.ordered_low = all - Min(e->ordered.bound, e->free.gain);
}

static void
run(Evaluation *e)
{
	find_insert_costs(e);
	make_nodes(e);
	make_pairs(e);
	solve(e);
}

/* ------------------------------------------------------------------ rows --- */

static PlanRow *
add_row(PlanRows *rows, PlanRow row)
{
	if (rows->count >= rows->max)
	{
		rows->max = Max(rows->max * 2, 32);
		rows->rows = rows->rows ? repalloc_huge(rows->rows, rows->max * sizeof(PlanRow)) :
			palloc(rows->max * sizeof(PlanRow));
	}
	rows->rows[rows->count] = row;
	return &rows->rows[rows->count++];
}

/* What the two matchings have chosen, by node (the first) and by action. */
typedef struct Chosen
{
	uint32	   *pair_of_node;
	uint32	   *pair_of_action;
} Chosen;

#define NO_PAIR PG_UINT32_MAX

static Chosen
index_chosen(const AlignProblem *p, const AlignResult *r)
{
	Chosen		c;

	c.pair_of_node = palloc((p->node_count + 1) * sizeof(uint32));
	c.pair_of_action = palloc_extended((p->action_count + 1) * sizeof(uint32), MCXT_ALLOC_HUGE);
	memset(c.pair_of_node, 0xff, p->node_count * sizeof(uint32));
	memset(c.pair_of_action, 0xff, p->action_count * sizeof(uint32));
	for (uint32 i = 0; i < p->pair_count; i++)
		if (r->is_chosen[i])
		{
			if (c.pair_of_node[p->pairs[i].node] == NO_PAIR)
				c.pair_of_node[p->pairs[i].node] = i;
			c.pair_of_action[p->pairs[i].action] = i;
		}
	return c;
}

/*
 * The order that a step broke: the lowest step that keeps its place and that
 * it comes on the wrong side of, as the edge should have been.
 */
static void
find_violated(const Evaluation *e, const Chosen *free, const Chosen *ordered, uint32 pair, PlanRow *row)
{
	const AlignProblem *p = &e->problem;
	uint32		step = e->node_step[p->pairs[pair].node];
	uint32		action = p->pairs[pair].action;

	for (int pass = 0; pass < 2; pass++)
		for (uint32 n = 0; n < p->node_count; n++)
		{
			uint32		other = e->node_step[n];
			uint32		its = (pass == 0 ? ordered : free)->pair_of_node[n];
			bool		comes_first;

			if (its == NO_PAIR || other == step)
				continue;
			comes_first = plan_is_before(e->c->order, other, step);
			if (comes_first ? p->pairs[its].action > action :
				plan_is_before(e->c->order, step, other) && p->pairs[its].action < action)
			{
				row->edge_plan = e->c->plan;
				row->edge[0] = comes_first ? other : step;
				row->edge[1] = comes_first ? step : other;
				return;
			}
		}
}

/* Of what an ordered matching leaves alone, its cost; else nothing. */
static double
ordered_node_cost(const Evaluation *e, const Chosen *ordered, uint32 node)
{
	uint32		pair = ordered->pair_of_node[node];

	return pair == NO_PAIR ? e->node_skip[node] : e->pair_cost[pair];
}

static double
ordered_action_cost(const Evaluation *e, const Chosen *ordered, uint32 action)
{
	return ordered->pair_of_action[action] == NO_PAIR ? e->insert[action] : 0;
}

static double
mix(const Evaluation *e, double free_cost, double ordered_cost)
{
	double		w = e->c->options->order_weight / 1000.0;

	/* exact where both are the same */
	return free_cost + w * (ordered_cost - free_cost);
}

static Bytes
join_ids(Bytes parent, Bytes id)
{
	StringInfoData buf;

	if (parent.len == 0)
		return id;
	initStringInfo(&buf);
	put_bytes(&buf, parent.data, parent.len);
	put_byte(&buf, '/');
	put_bytes(&buf, id.data, id.len);
	return (Bytes) {buf.data, buf.len};
}

/* A step and the action that the matching without order gives it. */
static void
put_pair_row(const Evaluation *e, const Chosen *free, const Chosen *ordered, uint32 pair,
			 PlanRow row, PlanRows *rows)
{
	const AlignProblem *p = &e->problem;
	uint32		node = p->pairs[pair].node;
	uint32		action = p->pairs[pair].action;
	uint32		step = e->node_step[node];
	const CompiledPlan *sub = e->c->subplans[step];
	bool		is_kept = e->ordered.is_chosen[pair];
	uint32		at;

	row.plan = e->c->plan;
	row.step = step;
	row.ordinal = e->list.actions[action].ordinal;
	row.action = e->list.actions[action].name;
	row.effect = e->c->effect[step];
	row.is_unjudged = e->pair_is_unjudged[pair];
	if (is_kept)
	{
		row.cost = e->pair_cost[pair];
		row.label = e->pair_cost[pair] == 0 ? LABEL_MATCHED : LABEL_SUBSTITUTED;
	}
	else
	{
		/* an open node may have kept others */
		double		kept = e->node_is_open[node] ? 0 : ordered_node_cost(e, ordered, node);

		row.cost = mix(e, e->pair_cost[pair], kept + ordered_action_cost(e, ordered, action));
		row.label = LABEL_REORDERED;
		find_violated(e, free, ordered, pair, &row);
	}
	at = rows->count;
	add_row(rows, row);
	if (sub != NULL)
	{
		double		inner = 0;

		evaluate(sub, e->t, row.ordinal + 1, row.ordinal + e->t->subtree[row.ordinal],
				 join_ids(row.parent, e->c->plan->steps[step].id), rows);
		for (uint32 i = at + 1; i < rows->count; i++)
		{
			rows->rows[i].revision = row.revision;
			inner += rows->rows[i].cost;
		}
		/* the sum is that of the whole */
		rows->rows[at].cost = Max(0, rows->rows[at].cost - inner);
		if (is_kept && inner > 0 && e->pair_cost[pair] <= inner + 1)
			rows->rows[at].label = LABEL_MATCHED;
	}
}

/* Where a step that was skipped would have been. */
typedef struct Gap
{
	uint32		from;			/* actions */
	uint32		to;
} Gap;

/* After what comes before the step and before what comes after. */
static Gap
find_gap(const Evaluation *e, const Chosen *ordered, uint32 step)
{
	const AlignProblem *p = &e->problem;
	Gap			gap = {0, e->list.count};

	for (uint32 n = 0; n < p->node_count; n++)
	{
		uint32		pair = ordered->pair_of_node[n];

		if (pair == NO_PAIR)
			continue;
		if (plan_is_before(e->c->order, e->node_step[n], step))
			gap.from = Max(gap.from, p->pairs[pair].action + 1);
		else if (plan_is_before(e->c->order, step, e->node_step[n]))
			gap.to = Min(gap.to, p->pairs[pair].action);
	}
	return gap;
}

/* The first action in a gap that nothing else explains, and could be instead. */
static uint32
find_substitute(const Evaluation *e, Gap *gap, uint32 step, const bool *is_taken)
{
	uint8		effect = e->c->effect[step];

	while (gap->from < gap->to)
	{
		uint32		a = gap->from++;
		uint8		does;

		if (is_taken[a])
			continue;
		does = action_effect(e->c, &e->list.actions[a]);
		if (effect == EFFECT_UNKNOWN || does == EFFECT_UNKNOWN || cost_class(effect) == cost_class(does))
			return a;
	}
	return NO_PAIR;
}

static void
put_rows(const Evaluation *e, Bytes parent, uint32 revision, PlanRows *rows)
{
	const AlignProblem *p = &e->problem;
	const ActionPlan *plan = e->c->plan;
	Chosen		free = index_chosen(p, &e->free);
	Chosen		ordered = index_chosen(p, &e->ordered);
	bool	   *is_taken = palloc_extended(e->list.count + 1, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	PlanRow		empty = {
		.step = NO_STEP,.parent = parent,.revision = revision,.ordinal = NO_ORDINAL,.action = {"", 0}
	};

	for (uint32 i = 0; i < p->pair_count; i++)
		if (e->free.is_chosen[i])
		{
			CHECK_FOR_INTERRUPTS();
			is_taken[p->pairs[i].action] = true;
			put_pair_row(e, &free, &ordered, i, empty, rows);
		}
	for (uint32 a = 0; a < e->list.count; a++)
		is_taken[a] |= e->is_repeat[a] || e->list.actions[a].is_failed;

	for (uint32 s = 0; s < plan->step_count; s++)
	{
		uint32		count = e->first_node[s + 1] - e->first_node[s];
		uint32		missing = is_out(e, s) ? 0 : plan->steps[s].min;
		Gap			gap = {0, 0};
		bool		is_gap_known = false;

		CHECK_FOR_INTERRUPTS();
		if (count > 0 && plan->steps[s].max == PLAN_ANY_NUMBER)
			count--;
		missing -= Min(missing, count);
		/* the nodes that no action has, then the times there are none for */
		for (uint32 i = 0; i < count + missing; i++)
		{
			uint32		node = e->first_node[s] + i;
			bool		is_node = i < count;
			int32		skip = is_node ? e->node_skip[node] :
				e->is_superseded ? 0 : e->c->weight[s];
			PlanRow		row = empty;
			uint32		a = NO_PAIR;

			if (is_node && (free.pair_of_node[node] != NO_PAIR || i >= plan->steps[s].min))
				continue;
			row.plan = plan;
			row.step = s;
			row.effect = e->c->effect[s];
			row.cost = is_node ? mix(e, skip, ordered_node_cost(e, &ordered, node)) : skip;
			row.label = e->is_superseded ? LABEL_SUPERSEDED :
				e->c->order->is_blocked[s] ? LABEL_BLOCKED : LABEL_SKIPPED;
			if (row.label == LABEL_SKIPPED && e->c->options->substitute)
			{
				if (!is_gap_known)
					gap = find_gap(e, &ordered, s);
				is_gap_known = true;
				a = find_substitute(e, &gap, s, is_taken);
			}
			if (a != NO_PAIR)
			{
				is_taken[a] = true;
				row.label = LABEL_SUBSTITUTED;
				row.ordinal = e->list.actions[a].ordinal;
				row.action = e->list.actions[a].name;
				row.cost += mix(e, e->insert[a], ordered_action_cost(e, &ordered, a));
				free.pair_of_action[a] = 0;
			}
			add_row(rows, row);
		}
	}
	for (uint32 a = 0; a < e->list.count; a++)
		if (free.pair_of_action[a] == NO_PAIR)
		{
			PlanRow		row = empty;

			row.ordinal = e->list.actions[a].ordinal;
			row.action = e->list.actions[a].name;
			row.effect = action_effect(e->c, &e->list.actions[a]);
			row.label = e->is_repeat[a] ? LABEL_RETRIED : LABEL_INSERTED;
			row.cost = mix(e, e->insert[a], ordered_action_cost(e, &ordered, a));
			add_row(rows, row);
		}
}

/* ------------------------------------------------------------- revisions --- */

static PlanOutcome
evaluate(const CompiledPlan *c, const Trajectory *t, uint32 from, uint32 to, Bytes parent, PlanRows *rows)
{
	Evaluation	e = {.c = c,.t = t};

	e.list = compiled_actions(c, t, from, to);
	e.candidates = find_candidates(c, t, &e.list, false);
	run(&e);
	if (rows != NULL)
		put_rows(&e, parent, 0, rows);
	return e.outcome;
}

PlanOutcome
plan_evaluate_first(const CompiledPlan *c, const Trajectory *t)
{
	return evaluate(c, t, 0, t->n, (Bytes) {"", 0}, NULL);
}

/* A step without its name and place: what it would have done. */
static Bytes
step_content(const PlanStep *s)
{
	PlanStep	bare = *s;
	ActionPlan	plan = {.steps = &bare,.step_count = 1};
	StringInfoData buf;

	bare.id = (Bytes) {"", 0};
	bare.after_count = 0;
	initStringInfo(&buf);
	plan_encode(&buf, &plan);
	return (Bytes) {buf.data, buf.len};
}

/* Steps of earlier plans that were done, each to be carried over once. */
typedef struct Finished
{
	Bytes	   *content;
	uint32		count;
	uint32		max;
} Finished;

static void
finish_step(Finished *f, Bytes content)
{
	if (f->count >= f->max)
	{
		f->max = Max(f->max * 2, 16);
		f->content = f->content ? repalloc(f->content, f->max * sizeof(Bytes)) :
			palloc(f->max * sizeof(Bytes));
	}
	f->content[f->count++] = content;
}

/* Which steps of a plan are among those that were finished? */
static bool *
carry_over(const ActionPlan *plan, const Bytes *content, const Finished *f)
{
	bool	   *is_done = palloc0(plan->step_count + 1);
	bool	   *is_used = palloc0(f->count + 1);

	for (uint32 s = 0; s < plan->step_count; s++)
		for (uint32 i = 0; i < f->count && !is_done[s]; i++)
			if (!is_used[i] && bytes_equal(f->content[i], content[s]))
				is_used[i] = is_done[s] = true;
	pfree(is_used);
	return is_done;
}

static Bytes *
plan_contents(const ActionPlan *plan)
{
	Bytes	   *content = palloc((plan->step_count + 1) * sizeof(Bytes));

	for (uint32 s = 0; s < plan->step_count; s++)
		content[s] = step_content(&plan->steps[s]);
	return content;
}

/* Steps that a revision drops before they were done, and new ones. */
static void
count_changes(const ActionPlan *old, Bytes *old_content, const bool *old_done, const ActionPlan *new,
			  Bytes *new_content, const bool *new_done, uint64 *changed, uint64 *steps)
{
	bool	   *is_used = palloc0(new->step_count + 1);

	for (uint32 i = 0; i < old->step_count; i++)
	{
		bool		is_kept = old_done[i];

		for (uint32 k = 0; k < new->step_count && !is_kept; k++)
			if (!is_used[k] && !new_done[k] && bytes_equal(old_content[i], new_content[k]))
				is_used[k] = is_kept = true;
		*changed += !is_kept;
	}
	for (uint32 k = 0; k < new->step_count; k++)
		*changed += !is_used[k] && !new_done[k];
	*steps += old->step_count + new->step_count;
	pfree(is_used);
}

/*
 * A plan and its revisions, each held against what was done while it was in
 * force.  What earlier plans got done is carried over; what they did not get
 * done costs nothing; the last is charged whole.
 */
static PlanOutcome
evaluate_epochs(const CompiledPlan *c, const Trajectory *t, PlanRows *rows, double *churn)
{
	uint32		epochs = c->plan->revision_count + 1;
	PlanOutcome sum = {0};
	Finished	finished = {0};
	Bytes	   *old_content = NULL;
	bool	   *old_done = NULL;
	uint64		changed = 0;
	uint64		steps = 0;

	for (uint32 i = 0; i < epochs; i++)
	{
		const CompiledPlan *now = i == 0 ? c : c->revisions[i - 1];
		Bytes	   *content = plan_contents(now->plan);
		Evaluation	e = {.c = now,.t = t,.is_superseded = i + 1 < epochs};
		bool	   *is_done = carry_over(now->plan, content, &finished);
		ActionList	all = compiled_actions(now, t, 0, t->n);
		uint32		first = 0;
		uint32		end;

		CHECK_FOR_INTERRUPTS();
		if (i > 0)
			count_changes(i == 1 ? c->plan : c->revisions[i - 2]->plan, old_content, old_done,
						  now->plan, content, is_done, &changed, &steps);
		while (i > 0 && first < all.count && all.actions[first].start_ns < c->plan->revisions[i - 1].at_ns)
			first++;
		for (end = first; end < all.count; end++)
			if (e.is_superseded && all.actions[end].start_ns >= c->plan->revisions[i].at_ns)
				break;
		e.list = (ActionList) {all.actions + first, end - first};
		e.is_done = is_done;
		e.candidates = find_candidates(now, t, &e.list, false);
		run(&e);
		if (rows != NULL)
			put_rows(&e, (Bytes) {"", 0}, i, rows);
		for (uint32 k = 0; k < e.problem.pair_count; k++)
		{
			uint32		s = e.node_step[e.problem.pairs[k].node];

			if (e.free.is_chosen[k] && !is_done[s])
			{
				is_done[s] = true;
				finish_step(&finished, content[s]);
			}
		}
		sum.free_cost += e.outcome.free_cost;
		sum.ordered_cost += e.outcome.ordered_cost;
		sum.ordered_low += e.outcome.ordered_low;
		sum.plan_weight += e.outcome.plan_weight;
		sum.trace_weight += e.outcome.trace_weight;
		old_content = content;
		old_done = is_done;
	}
	*churn = steps > 0 ? (double) changed / steps : 0;
	return sum;
}

/* rows may be NULL. */
PlanOutcome
plan_evaluate(const CompiledPlan *c, const Trajectory *t, PlanRows *rows)
{
	double		churn;

	if (c->plan->revision_count == 0)
		return evaluate(c, t, 0, t->n, (Bytes) {"", 0}, rows);
	return evaluate_epochs(c, t, rows, &churn);
}

/* The share of steps that revisions dropped undone or added, of all they had. */
double
plan_churn(const CompiledPlan *c, const Trajectory *t)
{
	double		churn = 0;

	if (c->plan->revision_count > 0)
		evaluate_epochs(c, t, NULL, &churn);
	return churn;
}

/* C = (1 - ω) · C_free + ω · C_ordered, in thousandths. */
double
plan_deviation(const PlanOptions *o, int64 free_cost, int64 ordered_cost)
{
	return free_cost + o->order_weight / 1000.0 * (ordered_cost - free_cost);
}
