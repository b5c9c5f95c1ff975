/*
 * plan_distance.c
 *		How far a run is from its plan, and where.
 *
 * What each pair of a step and an action that it names (plan_compile.c) costs
 * becomes a matching problem (plan_align.c), solved without the plan's order
 * and with it.  The cost is the one where order weighs nothing, the other where
 * it weighs all; their difference is the price of disorder.  Where only costs
 * are asked for, most plans need less (plan_chains.c).
 *
 * What an action costs by itself does not depend on the matching: a call that
 * does just what some step plans is never dearer than a retry, wherever it
 * stands.  A call that failed has not done what was planned.  So costs add up,
 * a better matching is a subset of those without order, and without order is
 * never dearer than with it.
 */
#include "postgres.h"

#include "kernel/plan_align.h"
#include "kernel/plan_compile.h"
#include "miscadmin.h"

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

/* One plan and the actions that are held against it. */
typedef struct Evaluation
{
	const CompiledPlan *c;
	Trajectory *t;
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
		e->is_repeat[i] = e->list.actions[i].is_failed && e->list.actions[i].is_planned;
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

/* The recursion is bounded by the depth of plans. */
static PlanOutcome evaluate(const CompiledPlan *c, Trajectory *t, uint32 from, uint32 to,
							Bytes parent, PlanRows *rows);

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

/*
 * A step's times that have no action: the nodes that no action has, then the
 * times there are no nodes for.
 */
static void
put_missing_rows(const Evaluation *e, Chosen *free, const Chosen *ordered, uint32 step,
				 bool *is_taken, PlanRow row, PlanRows *rows)
{
	const PlanStep *s = &e->c->plan->steps[step];
	uint32		count = e->first_node[step + 1] - e->first_node[step];
	uint32		missing = is_out(e, step) ? 0 : s->min;
	Gap			gap = {0, 0};
	bool		is_gap_known = false;

	if (count > 0 && s->max == PLAN_ANY_NUMBER)
		count--;
	missing -= Min(missing, count);
	row.plan = e->c->plan;
	row.step = step;
	row.effect = e->c->effect[step];
	for (uint32 i = 0; i < count + missing; i++)
	{
		uint32		node = e->first_node[step] + i;
		bool		is_node = i < count;
		int32		skip = is_node ? e->node_skip[node] :
			e->is_superseded ? 0 : e->c->weight[step];
		uint32		a = NO_PAIR;
		PlanRow    *added;

		if (is_node && (free->pair_of_node[node] != NO_PAIR || i >= s->min))
			continue;
		row.cost = is_node ? mix(e, skip, ordered_node_cost(e, ordered, node)) : skip;
		row.label = e->is_superseded ? LABEL_SUPERSEDED :
			e->c->order->is_blocked[step] ? LABEL_BLOCKED : LABEL_SKIPPED;
		if (row.label == LABEL_SKIPPED && e->c->options->substitute)
		{
			if (!is_gap_known)
				gap = find_gap(e, ordered, step);
			is_gap_known = true;
			a = find_substitute(e, &gap, step, is_taken);
		}
		added = add_row(rows, row);
		if (a == NO_PAIR)
			continue;
		is_taken[a] = true;
		added->label = LABEL_SUBSTITUTED;
		added->ordinal = e->list.actions[a].ordinal;
		added->action = e->list.actions[a].name;
		added->cost += mix(e, e->insert[a], ordered_action_cost(e, ordered, a));
		free->pair_of_action[a] = 0;	/* it has a row */
	}
}

static void
put_rows(const Evaluation *e, Bytes parent, uint32 revision, PlanRows *rows)
{
	const AlignProblem *p = &e->problem;
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

	for (uint32 s = 0; s < e->c->plan->step_count; s++)
	{
		CHECK_FOR_INTERRUPTS();
		put_missing_rows(e, &free, &ordered, s, is_taken, empty, rows);
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
evaluate(const CompiledPlan *c, Trajectory *t, uint32 from, uint32 to, Bytes parent, PlanRows *rows)
{
	Evaluation	e = {.c = c,.t = t};

	trajectory_decode_hot(t);
	e.list = compiled_actions(c, t, from, to);
	e.candidates = find_candidates(c, t, &e.list, false);
	run(&e);
	if (rows != NULL)
		put_rows(&e, parent, 0, rows);
	return e.outcome;
}

/* The costs alone of the spans from one ordinal to before another. */
PlanOutcome
plan_evaluate_part(const CompiledPlan *c, Trajectory *t, uint32 from, uint32 to)
{
	if (c->chains != NULL)
		return plan_chains_evaluate(c, t, from, to);
	return evaluate(c, t, from, to, (Bytes) {"", 0}, NULL);
}

/*
 * Revisions apart.  Of a trace without any action the header is enough, else
 * structure and tables have been decoded.
 */
PlanOutcome
plan_evaluate_first(const CompiledPlan *c, Trajectory *t)
{
	return plan_evaluate_part(c, t, 0, plan_may_act(c, t) ? t->n : 0);
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
evaluate_epochs(const CompiledPlan *c, Trajectory *t, PlanRows *rows, double *churn)
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
plan_evaluate(const CompiledPlan *c, Trajectory *t, PlanRows *rows)
{
	double		churn;

	if (c->plan->revision_count == 0)
		return rows == NULL ? plan_evaluate_first(c, t) :
			evaluate(c, t, 0, t->n, (Bytes) {"", 0}, rows);
	trajectory_decode_hot(t);
	return evaluate_epochs(c, t, rows, &churn);
}

/* The share of steps that revisions dropped undone or added, of all they had. */
double
plan_churn(const CompiledPlan *c, Trajectory *t)
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
