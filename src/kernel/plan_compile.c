/*
 * plan_compile.c
 *		A plan made ready to be held against many traces, and what each action
 *		of a trace could be of it.
 *
 * A plan is compiled once a query: its order is closed, its names hashed, its
 * arguments folded.  For a trace, each action looks up the steps that name it.
 */
#include "postgres.h"

#include <math.h>

#include "kernel/hashing.h"
#include "kernel/json_value.h"
#include "kernel/plan_align.h"
#include "kernel/plan_compile.h"
#include "miscadmin.h"
#include "utils/memutils.h"

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
plan_compile(const ActionPlan *plan, const PlanOptions *options)
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
			c->subplans[i] = plan_compile(s->subplan, options);
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
		c->revisions[i] = plan_compile(plan->revisions[i].plan, options);
	c->all_kinds = c->kinds;
	for (uint32 i = 0; i < n; i++)
		c->all_kinds |= c->subplans[i] ? c->subplans[i]->all_kinds : 0;
	for (uint32 i = 0; i < plan->revision_count; i++)
		c->all_kinds |= c->revisions[i]->all_kinds;
	c->chains = plan_chains(c);
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

/* Has a trace any span that could be an action?  Only its header has been read. */
bool
plan_may_act(const CompiledPlan *c, const Trajectory *t)
{
	for (uint32 i = 0; i < t->class_count; i++)
		if (c->all_kinds & KIND_BIT(t->classes[i].kind))
			return true;
	return false;
}

ActionScan
compiled_scan(const CompiledPlan *c, Trajectory *t, uint32 from, uint32 to)
{
	return actions_begin(t, from, to, c->kinds, look_up, c);
}

ActionList
compiled_actions(const CompiledPlan *c, Trajectory *t, uint32 from, uint32 to)
{
	ActionScan	scan = compiled_scan(c, t, from, to);
	ActionList	list = actions_collect(&scan);

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
	Trajectory *t;
	const Action *action;
	ValueFolding folding;
	MemoryContext scratch;		/* of them, once they are read */
	bool		is_moved;		/* they are kept elsewhere: nothing can be said */
	FoldedArgs	folded;
} ActionArgs;

static void
read_args(ActionArgs *a)
{
	Arena		arena = {0};
	MemoryContext old;
	Value		v;

	if (a->scratch != NULL)
		return;
	a->scratch = AllocSetContextCreate(CurrentMemoryContext, "llmtrace arguments",
									   ALLOCSET_DEFAULT_SIZES);
	arena.context = a->scratch;
	old = MemoryContextSwitchTo(a->scratch);
	if (action_arguments(a->t, a->action->ordinal, &arena, &v, &a->is_moved))
		a->folded = fold_args(&v, a->folding);
	MemoryContextSwitchTo(old);
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
	*is_comparable = (a->type == VALUE_INT || (a->type == VALUE_DOUBLE && !isnan(x))) &&
		(b->type == VALUE_INT || (b->type == VALUE_DOUBLE && !isnan(y)));
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
find_attribute(Trajectory *t, uint32 ordinal, Bytes key)
{
	SpanColumns columns;

	trajectory_decode_values(t);
	columns = trajectory_columns(t, ordinal);
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

/* A sub-plan's cost counts as one sum, in thousandths.  The recursion is bounded. */
static int32
subplan_cost(const CompiledPlan *sub, Trajectory *t, uint32 ordinal)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "llmtrace sub-plan",
												  ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	PlanOutcome o = plan_evaluate_part(sub, t, ordinal + 1, ordinal + t->subtree[ordinal]);
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

void
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

/* What an action, which has a number, could be of the plan. */
void
find_action_candidates(const CompiledPlan *c, Trajectory *t, const Action *action, uint32 number,
					   CandidateList *list)
{
	ActionArgs	args = {.t = t,.action = action,.folding = folding_of(c->options)};
	uint32		named = action->named;
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
		if (!kind_fits(e->matcher->kind, action->kind))
			continue;
		cost = (int64) e->matcher->cost +
			argument_cost(e, c->weight[e->step], &args, c->options->arguments, &is_unjudged);
		if (c->subplans[e->step] != NULL)
			cost += subplan_cost(c->subplans[e->step], t, action->ordinal);
		add_candidate(list, (Candidate) {
			number, e->step, (int32) Min(cost, PLAN_MAX_WEIGHT * 2), is_unjudged
		});
	}
	if (args.scratch != NULL)
		MemoryContextDelete(args.scratch);
}

/* with_failed: calls that failed count, too. */
CandidateList
find_candidates(const CompiledPlan *c, Trajectory *t, const ActionList *list, bool with_failed)
{
	CandidateList found = {0};

	for (uint32 i = 0; i < list->count; i++)
	{
		if ((i & 0xff) == 0)
			CHECK_FOR_INTERRUPTS();
		if (list->actions[i].is_failed && !with_failed)
			continue;
		find_action_candidates(c, t, &list->actions[i], i, &found);
		check_pairs(c, found.count);
	}
	return found;
}

/* ---------------------------------------------------------------- costs --- */

/* Of an action that no step has: by what it does, and whether it did it. */
int32
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

uint8
action_effect(const CompiledPlan *c, const Action *action)
{
	uint32		named = action->named;
	uint8		effect = named != 0 ? c->effect[c->entries[named - 1].step] : EFFECT_UNKNOWN;
	int32		weight;

	plan_effect(c->options, action->name, &effect, &weight);
	return effect;
}
