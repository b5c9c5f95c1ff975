/*
 * plan_chains.c
 *		The distance from a plan of chains, without rows.
 *
 * Most plans list steps one after the other, or in a few rows side by side, and
 * each name stands for one step, or for several of one row that ask for nothing
 * but the name.  Such plans need no general matching.  Without order, the
 * names have nothing to do with each other: a single step takes the action that
 * gains most, and of k actions that could each be one of several steps, as many
 * of the dearest steps are done.  With order, the rows have nothing to do with
 * each other, and each is the heaviest chain of pairs: for each place in a row,
 * the most that can be gained up to there.
 *
 * What an action costs is known from its name where no argument counts.  Costs
 * are those that plan_distance.c finds, gains as in plan_align.h.  O(actions ×
 * steps of one name × row) at the most.
 */
#include "postgres.h"

#include "kernel/plan_compile.h"
#include "miscadmin.h"

/* Longer plans are left to what takes less than the square of their length. */
#define MAX_STEPS 256

/* Steps that one name stands for. */
typedef struct StepGroup
{
	uint32		count;
	uint32	   *steps;			/* from the last in their row to the first */
	int64	   *skips;			/* of so many of the dearest to skip */
	bool		is_plain;		/* what an action costs depends on its name alone */
} StepGroup;

/* What an action costs by itself, and, less the skip of its step, gains. */
typedef struct ActionCost
{
	const StepGroup *group;		/* of what it could be, or NULL */
	int32		insert;
	int32		gain;
} ActionCost;

/* That of actions with one name, where it depends on nothing else. */
typedef struct NameCost
{
	bool		is_known;
	ActionCost	cost[2];		/* done, failed */
} NameCost;

struct PlanChains
{
	uint32	   *cell;			/* by step: its place in its row, the rows one
								 * after the other with an empty place before */
	uint32	   *row_end;		/* by step: behind the last cell of its row */
	uint32		cell_count;
	StepGroup **group;			/* by step */
	int32	   *skip;			/* by step: what skipping it costs */
	int64		all_skips;
	NameCost   *of_name;		/* by number of the name's first entry */
};

/* An action that could be a step. */
typedef struct Hit
{
	int64		start_ns;
	uint32		ordinal;
	int32		gain;
	const StepGroup *group;
} Hit;

typedef struct HitList
{
	Hit		   *hits;
	uint32		count;
	uint32		max;
	int32		parent;			/* of the first */
	bool		is_ordered;		/* all have that parent, so they are by start */
} HitList;

/* ------------------------------------------------------------- compiling --- */

/* The number of steps before each. */
static uint32 *
count_before(const PlanOrder *order)
{
	uint32	   *count = palloc0((order->n + 1) * sizeof(uint32));

	for (uint32 s = 0; s < order->n; s++)
		for (uint32 p = 0; p < order->n; p++)
			count[s] += plan_is_before(order, p, s);
	return count;
}

/*
 * Place the steps of the rows in cells; false if the order is not one of rows.
 * What comes before a step in a row is one step and all that comes before that.
 */
static bool
place_steps(PlanChains *chains, const PlanOrder *order)
{
	uint32		n = order->n;
	uint32	   *before = count_before(order);
	uint32	   *next = palloc((n + 1) * sizeof(uint32));
	bool	   *is_next = palloc0(n + 1);

	for (uint32 s = 0; s < n; s++)
		next[s] = NO_STEP;
	for (uint32 s = 0; s < n; s++)
		for (uint32 p = 0; p < n && !is_next[s] && before[s] > 0; p++)
			if (before[p] + 1 == before[s] && plan_is_before(order, p, s))
			{
				if (next[p] != NO_STEP)
					return false;
				next[p] = s;
				is_next[s] = true;
			}
	chains->cell = palloc((n + 1) * sizeof(uint32));
	chains->row_end = palloc((n + 1) * sizeof(uint32));
	for (uint32 first = 0; first < n; first++)
	{
		if (is_next[first])
			continue;
		if (before[first] > 0)
			return false;
		chains->cell_count++;
		for (uint32 s = first; s != NO_STEP; s = next[s])
			chains->cell[s] = chains->cell_count++;
		for (uint32 s = first; s != NO_STEP; s = next[s])
			chains->row_end[s] = chains->cell_count;
	}
	return true;
}

/* Does a matcher ask for nothing but a name? */
static bool
is_plain(const CompiledPlan *c, const PlanMatcher *m)
{
	return m->predicate_count == 0 && (!m->has_args || c->options->arguments == ARGUMENTS_IGNORE);
}

static StepGroup *
single_group(const CompiledPlan *c, uint32 step)
{
	const PlanStep *s = &c->plan->steps[step];
	StepGroup  *g = palloc0(sizeof(StepGroup));

	g->count = 1;
	g->steps = palloc(sizeof(uint32));
	g->steps[0] = step;
	g->is_plain = c->subplans[step] == NULL;
	for (uint32 i = 0; i < s->matcher_count; i++)
		g->is_plain &= is_plain(c, &s->matchers[i]);
	return g;
}

/* May this step, and the first with the same name, be any of one group? */
static bool
fits_group(const CompiledPlan *c, const PlanChains *chains, const NameEntry *first, const NameEntry *e)
{
	const PlanMatcher *m = e->matcher;

	return c->plan->steps[e->step].matcher_count == 1 && c->subplans[e->step] == NULL &&
		is_plain(c, m) && m->cost == 0 && m->kind == first->matcher->kind &&
		(!c->has_order || chains->row_end[e->step] == chains->row_end[first->step]);
}

static int
compare_cells(const void *a, const void *b, void *arg)
{
	const PlanChains *chains = arg;
	uint32		x = chains->cell[*(const uint32 *) a];
	uint32		y = chains->cell[*(const uint32 *) b];

	return (x < y) - (x > y);
}

static int
compare_skips(const void *a, const void *b)
{
	int64		x = *(const int64 *) a;
	int64		y = *(const int64 *) b;

	return (x < y) - (x > y);
}

/* The steps with the name of an entry and of those after it. */
static StepGroup *
name_group(const CompiledPlan *c, PlanChains *chains, const NameEntry *first)
{
	StepGroup  *g = palloc0(sizeof(StepGroup));

	g->is_plain = true;
	for (const NameEntry *e = first;; e = &c->entries[e->next - 1])
	{
		if (!fits_group(c, chains, first, e))
			return NULL;
		g->count++;
		if (e->next == 0)
			break;
	}
	g->steps = palloc(g->count * sizeof(uint32));
	g->skips = palloc0((g->count + 1) * sizeof(int64));
	for (uint32 i = 0; i < g->count; i++)
	{
		g->steps[i] = first->step;
		g->skips[i + 1] = chains->skip[first->step];
		chains->group[first->step] = g;
		if (first->next != 0)
			first = &c->entries[first->next - 1];
	}
	qsort_arg(g->steps, g->count, sizeof(uint32), compare_cells, chains);
	qsort(g->skips + 1, g->count, sizeof(int64), compare_skips);
	for (uint32 i = 1; i <= g->count; i++)
		g->skips[i] += g->skips[i - 1];
	return g;
}

/* Group the steps by name; false if a name stands for too much. */
static bool
group_steps(const CompiledPlan *c, PlanChains *chains)
{
	for (uint32 slot = 0; slot <= c->mask; slot++)
	{
		const NameEntry *first = c->slots[slot] == 0 ? NULL : &c->entries[c->slots[slot] - 1];
		bool		is_single = true;

		for (const NameEntry *e = first; e != NULL; e = e->next == 0 ? NULL : &c->entries[e->next - 1])
			is_single &= e->step == first->step;
		if (!is_single && name_group(c, chains, first) == NULL)
			return false;
	}
	for (uint32 s = 0; s < c->plan->step_count; s++)
		if (chains->group[s] == NULL)
			chains->group[s] = single_group(c, s);
	return true;
}

/* Of an action that the plan names. */
static ActionCost
find_cost(const CompiledPlan *c, const PlanChains *chains, Trajectory *t, const Action *a)
{
	ActionCost	cost = {.insert = insert_cost(c, a)};
	CandidateList found = {0};

	if (!a->is_failed)
	{
		cost.group = chains->group[c->entries[a->named - 1].step];
		find_action_candidates(c, t, a, 0, &found);
	}
	/* a call that failed, and one as planned, is a try at what is planned */
	if (found.count == 0 || found.candidates[0].cost == 0)
		cost.insert = Min(cost.insert, c->options->retry);
	if (found.count > 0)
	{
		cost.gain = cost.insert - found.candidates[0].cost;
		pfree(found.candidates);
	}
	return cost;
}

/* What actions with the name of an entry cost, if no trace is needed to know it. */
static void
find_name_cost(const CompiledPlan *c, PlanChains *chains, uint32 named)
{
	const NameEntry *e = &c->entries[named - 1];
	const StepGroup *g = chains->group[e->step];
	NameCost   *known = &chains->of_name[named - 1];
	Action		a = {.name = e->name,.is_planned = true,.named = named};

	/* the matchers of one step may ask for one name in several ways */
	if (!g->is_plain || (e->next != 0 && g->count == 1))
		return;
	a.kind = e->matcher->kind == PLAN_TOOL_OR_AGENT ? KIND_TOOL : e->matcher->kind;
	for (int failed = 0; failed < 2; failed++)
	{
		a.is_failed = failed == 1;
		known->cost[failed] = find_cost(c, chains, NULL, &a);
	}
	known->is_known = true;
}

static void
find_name_costs(const CompiledPlan *c, PlanChains *chains)
{
	chains->of_name = palloc0((c->entry_count + 1) * sizeof(NameCost));
	for (uint32 slot = 0; slot <= c->mask; slot++)
		if (c->slots[slot] != 0)
			find_name_cost(c, chains, c->slots[slot]);
}

/* NULL if the plan is not as the top of this file says. */
PlanChains *
plan_chains(const CompiledPlan *c)
{
	uint32		n = c->plan->step_count;
	PlanChains *chains;

	if (n > MAX_STEPS || c->any_name != 0)
		return NULL;
	for (uint32 s = 0; s < n; s++)
		if (c->plan->steps[s].max != 1)
			return NULL;
	chains = palloc0(sizeof(PlanChains));
	chains->group = palloc0((n + 1) * sizeof(StepGroup *));
	chains->skip = palloc((n + 1) * sizeof(int32));
	for (uint32 s = 0; s < n; s++)
	{
		chains->skip[s] = c->plan->steps[s].min > 0 ? c->weight[s] : 0;
		chains->all_skips += chains->skip[s];
	}
	if (!place_steps(chains, c->order) || !group_steps(c, chains))
		return NULL;
	find_name_costs(c, chains);
	return chains;
}

/* ------------------------------------------------------------ evaluating --- */

static void
add_hit(HitList *list, const Trajectory *t, const Action *a, const ActionCost *cost)
{
	if (list->count >= list->max)
	{
		list->max = Max(list->max * 2, 32);
		list->hits = list->hits ? repalloc_huge(list->hits, list->max * sizeof(Hit)) :
			palloc(list->max * sizeof(Hit));
	}
	if (list->count == 0)
	{
		list->parent = t->parent[a->ordinal];
		list->is_ordered = list->parent >= 0;
	}
	else if (t->parent[a->ordinal] != list->parent)
		list->is_ordered = false;
	list->hits[list->count++] = (Hit) {
		.ordinal = a->ordinal,.gain = cost->gain,.group = cost->group
	};
}

static int
compare_hits(const void *a, const void *b)
{
	const Hit  *x = a;
	const Hit  *y = b;

	if (x->start_ns != y->start_ns)
		return x->start_ns < y->start_ns ? -1 : 1;
	return (x->ordinal > y->ordinal) - (x->ordinal < y->ordinal);
}

/* By start; times are decoded only if the tree does not say so much. */
static void
sort_hits(HitList *list, Trajectory *t)
{
	bool		is_sorted = true;

	if (list->is_ordered || list->count < 2)
		return;
	trajectory_decode_hot(t);
	for (uint32 i = 0; i < list->count; i++)
	{
		list->hits[i].start_ns = t->start_ns[list->hits[i].ordinal];
		is_sorted &= i == 0 || list->hits[i].start_ns >= list->hits[i - 1].start_ns;
	}
	if (!is_sorted)
		qsort(list->hits, list->count, sizeof(Hit), compare_hits);
}

/* The most that each row gains, each place after those before it. */
static int64
ordered_gain(const PlanChains *chains, uint32 steps, const HitList *list)
{
	int64	   *best = palloc0((chains->cell_count + 1) * sizeof(int64));
	int64		gain = 0;

	for (uint32 i = 0; i < list->count; i++)
	{
		const Hit  *hit = &list->hits[i];

		if ((i & 0xff) == 0)
			CHECK_FOR_INTERRUPTS();
		/* an action is one step: what it adds is not seen from the places before */
		for (uint32 k = 0; k < hit->group->count; k++)
		{
			uint32		s = hit->group->steps[k];
			int64		sum = best[chains->cell[s] - 1] + chains->skip[s] + hit->gain;

			for (uint32 cell = chains->cell[s]; cell < chains->row_end[s] && best[cell] < sum; cell++)
				best[cell] = sum;
		}
	}
	for (uint32 s = 0; s < steps; s++)
		if (chains->cell[s] + 1 == chains->row_end[s])
			gain += best[chains->cell[s]];
	return gain;
}

/* What is gained without order: by first step of a group, so far. */
typedef struct FreeGain
{
	uint32		count;			/* actions that could be of the group */
	int32		gain;			/* of the best of them; of several steps, of each */
} FreeGain;

static int64
free_gain(const CompiledPlan *c, const FreeGain *found)
{
	int64		gain = 0;

	for (uint32 s = 0; s < c->plan->step_count; s++)
	{
		const StepGroup *g = c->chains->group[s];
		uint32		done = Min(found[s].count, g->count);

		if (done == 0)
			continue;
		gain += g->count == 1 ? Max(0, (int64) c->chains->skip[s] + found[s].gain) :
			g->skips[done] + (int64) done * found[s].gain;
	}
	return gain;
}

static inline ActionCost
action_cost(const CompiledPlan *c, Trajectory *t, const Action *a)
{
	const NameCost *known;

	if (!a->is_planned)
		return (ActionCost) {.insert = insert_cost(c, a)};
	known = &c->chains->of_name[a->named - 1];
	if (known->is_known)
		return known->cost[a->is_failed];
	return find_cost(c, c->chains, t, a);
}

/*
 * The costs of the spans from one ordinal to before another.  If there are any,
 * structure and tables have been decoded.
 */
PlanOutcome
plan_chains_evaluate(const CompiledPlan *c, Trajectory *t, uint32 from, uint32 to)
{
	ActionScan	scan = compiled_scan(c, t, from, to);
	FreeGain   *found = palloc0((c->plan->step_count + 1) * sizeof(FreeGain));
	HitList		list = {0};
	PlanOutcome o = {.plan_weight = c->chains->all_skips};
	uint64		pairs = 0;
	int64		gain;
	Action		a;

	while (actions_next(&scan, &a))
	{
		ActionCost	cost = action_cost(c, t, &a);
		FreeGain   *f;

		o.trace_weight += cost.insert;
		if (cost.group == NULL)
			continue;
		pairs += cost.group->count;
		check_pairs(c, pairs);
		f = &found[cost.group->steps[0]];
		f->gain = f->count == 0 ? cost.gain : Max(f->gain, cost.gain);
		f->count++;
		if (c->has_order)
			add_hit(&list, t, &a, &cost);
	}
	gain = free_gain(c, found);
	o.free_cost = o.ordered_cost = o.ordered_low = o.plan_weight + o.trace_weight - gain;
	if (list.count > 0)
	{
		sort_hits(&list, t);
		o.ordered_cost = o.ordered_low = o.plan_weight + o.trace_weight -
			ordered_gain(c->chains, c->plan->step_count, &list);
	}
	return o;
}
