/*
 * fuzz_plan_align.c
 *		Holds the engines that match steps with actions against trying all.
 *
 * The input seeds a small problem: up to 6 steps, any order among them, steps
 * that may be repeated, up to 7 actions.  Which engine is tried first depends
 * on limits that are variables here, so that each meets each kind of problem.
 * Without order and with it, no matching may gain more; beyond the limits, the
 * best one must lie between what was found and the bound.
 */
#include "fuzz.h"

static uint32 few_pairs;
static uint32 max_cut_pairs;

#define FEW_PAIRS few_pairs
#define MAX_CUT_PAIRS max_cut_pairs
#define align_free tested_align_free
#define align_ordered tested_align_ordered
#define align_is_in_order tested_align_is_in_order
#include "../../src/kernel/plan_align.c"

#define MAX_STEPS 6
#define MAX_NODES 8
#define MAX_ACTIONS 7
#define MAX_PAIRS (MAX_NODES * MAX_ACTIONS)

/* So many choices are tried at most. */
#define MAX_TRIED 20000

static uint64 random_state;

static uint32
draw(uint32 below)
{
	random_state = random_state * UINT64CONST(6364136223846793005) + UINT64CONST(1442695040888963407);
	return (uint32) (random_state >> 33) % below;
}

typedef struct Problem
{
	AlignProblem align;
	AlignPair	pairs[MAX_PAIRS];
	uint32		node_step[MAX_NODES];
	bool		node_is_open[MAX_NODES];
} Problem;

/* A plan with random order; now and then one that waits for itself. */
static PlanOrder *
make_order(uint32 steps)
{
	ActionPlan *plan = palloc0(sizeof(ActionPlan));
	uint32		density = draw(5);
	bool		may_cycle = draw(8) == 0;

	plan->step_count = steps;
	plan->steps = palloc0((steps + 1) * sizeof(PlanStep));
	for (uint32 i = 0; i < steps; i++)
	{
		PlanStep   *s = &plan->steps[i];

		s->after = palloc((steps + 1) * sizeof(uint32));
		for (uint32 k = 0; k < steps; k++)
			if ((k < i || may_cycle) && draw(5) < density)
				s->after[s->after_count++] = k;
	}
	return plan_order(plan);
}

static Problem *
make_problem(void)
{
	Problem    *p = palloc0(sizeof(Problem));
	uint32		steps = 1 + draw(MAX_STEPS);
	uint32		actions = draw(MAX_ACTIONS + 1);
	uint32		density = 1 + draw(4);
	uint32		most = draw(2) ? 3 : 1000;
	uint32		nodes = 0;
	uint64		tried = 1;

	p->align.order = make_order(steps);
	for (uint32 s = 0; s < steps; s++)
	{
		uint32		times = draw(4) == 0 ? 2 : 1;

		for (uint32 i = 0; i < times && nodes < MAX_NODES; i++)
			p->node_step[nodes++] = s;
		if (draw(5) == 0)
			p->node_is_open[nodes - 1] = true;
	}
	for (uint32 a = 0; a < actions; a++)
	{
		uint32		choices = 1;
		uint32		from = p->align.pair_count;

		for (uint32 n = 0; n < nodes; n++)
			if (draw(5) < density)
			{
				p->pairs[p->align.pair_count++] = (AlignPair) {
					n, a, draw(most) * ALIGN_SCALE + 1 + draw(2)
				};
				choices++;
			}
		tried *= choices;
		if (tried > MAX_TRIED)
			p->align.pair_count = from;
	}
	p->align.node_count = nodes;
	p->align.action_count = actions;
	p->align.pairs = p->pairs;
	p->align.node_step = p->node_step;
	p->align.node_is_open = p->node_is_open;
	return p;
}

/* May both pairs be chosen? */
static bool
go_together(const AlignProblem *p, const AlignPair *a, const AlignPair *b, bool in_order)
{
	if (a->action == b->action)
		return false;
	if (a->node == b->node)
		return p->node_is_open[a->node];
	if (!in_order)
		return true;
	if (is_before(p, a->node, b->node))
		return a->action < b->action;
	if (is_before(p, b->node, a->node))
		return a->action > b->action;
	return true;
}

/* The most that pairs from here on gain on top of the chosen ones. */
static int64
try_all(const AlignProblem *p, uint32 from, const AlignPair **chosen, uint32 count, bool in_order)
{
	int64		best = 0;

	for (uint32 i = from; i < p->pair_count; i++)
	{
		bool		fits = true;
		int64		gain;

		for (uint32 k = 0; k < count && fits; k++)
			fits = go_together(p, chosen[k], &p->pairs[i], in_order);
		if (!fits)
			continue;
		chosen[count] = &p->pairs[i];
		gain = p->pairs[i].gain / ALIGN_SCALE + try_all(p, i + 1, chosen, count + 1, in_order);
		best = Max(best, gain);
	}
	return best;
}

static void
check_chosen(const AlignProblem *p, const AlignResult *r, bool in_order)
{
	int64		gain = 0;

	for (uint32 i = 0; i < p->pair_count; i++)
	{
		if (!r->is_chosen[i])
			continue;
		gain += p->pairs[i].gain / ALIGN_SCALE;
		for (uint32 k = 0; k < i; k++)
			if (r->is_chosen[k])
				fuzz_expect(go_together(p, &p->pairs[i], &p->pairs[k], in_order),
							"what was chosen can be chosen");
	}
	fuzz_expect(gain == r->gain, "the gain is that of what was chosen");
}

static void
check_problem(void)
{
	Problem    *problem = make_problem();
	AlignProblem *p = &problem->align;
	const AlignPair *chosen[MAX_PAIRS];
	int64		best_free = try_all(p, 0, chosen, 0, false);
	int64		best = try_all(p, 0, chosen, 0, true);
	AlignResult free;
	AlignResult ordered;

	free = tested_align_free(p);
	check_chosen(p, &free, false);
	fuzz_expect(free.gain == best_free, "the assignment is best");
	for (int engine = 0; engine < 4; engine++)
	{
		bool		is_limited = engine == 3;

		few_pairs = engine == 1 ? MAX_PAIRS : engine == 2 ? 5 : 0;
		max_cut_pairs = engine == 0 ? 0 : is_limited ? draw(MAX_PAIRS) : MAX_PAIRS;
		p->max_states = is_limited ? draw(6) : 100000;
		ordered = tested_align_ordered(p, &free);
		check_chosen(p, &ordered, true);
		fuzz_expect(ordered.gain <= best, "no matching in order gains more than all tried");
		fuzz_expect(ordered.bound >= best, "the bound holds");
		fuzz_expect(is_limited || ordered.gain == best, "within the limits the best is found");
		fuzz_expect(is_limited || ordered.bound == best, "and known to be the best");
		fuzz_expect(ordered.gain <= free.gain, "order gains nothing");
	}
	if (tested_align_is_in_order(p, &free))
		fuzz_expect(best == best_free, "what is in order is best in order");
}

static void
run(void *arg)
{
	const FuzzInput *in = arg;

	random_state = 1;
	for (size_t i = 0; i < in->size; i++)
		random_state = (random_state ^ in->data[i]) * UINT64CONST(1099511628211);
	/* many problems from one input: starting a run costs more than solving one */
	for (int i = 0; i < 20; i++)
		check_problem();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	FuzzInput	in = {data, size};

	if (!shim_run(run, &in))
		fuzz_expect(false, "matching raises no error");
	return 0;
}
