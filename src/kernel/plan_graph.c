/*
 * plan_graph.c
 *		The order of a plan's steps: what comes before what, and its cycles.
 *
 * Strongly connected components by Tarjan's algorithm, with a stack of its own
 * (Depth-first search and linear graph algorithms, 1972); a shortest cycle of
 * each by breadth-first search from every step of it.
 */
#include "postgres.h"

#include "kernel/hashing.h"
#include "kernel/plan_graph.h"
#include "miscadmin.h"

/* -------------------------------------------------------------- checking --- */

static int
compare_ids(const void *a, const void *b)
{
	return bytes_compare(*(const Bytes *) a, *(const Bytes *) b);
}

static void
check_ids(const ActionPlan *plan)
{
	Bytes	   *ids = palloc(Max(plan->step_count, 1) * sizeof(Bytes));

	for (uint32 i = 0; i < plan->step_count; i++)
		ids[i] = plan->steps[i].id;
	qsort(ids, plan->step_count, sizeof(Bytes), compare_ids);
	for (uint32 i = 1; i < plan->step_count; i++)
		if (bytes_equal(ids[i - 1], ids[i]))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
					 errmsg("invalid plan"),
					 errdetail("Two steps have the id \"%.*s\".",
							   utf8_clip(ids[i], 60), ids[i].data)));
	pfree(ids);
}

static void
check_text(Bytes text, const char *what)
{
	if (text.len == 0 || text.len > PLAN_MAX_NAME)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("invalid plan"),
				 errdetail("The %s of a step has %u bytes; it must have 1 to %d.",
						   what, text.len, PLAN_MAX_NAME)));
}

static void
check_step(const PlanStep *s)
{
	check_text(s->id, "id");
	if (s->matcher_count == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("invalid plan"),
				 errdetail("Step \"%.*s\" names nothing that could be done.",
						   utf8_clip(s->id, 60), s->id.data)));
	for (uint32 i = 0; i < s->matcher_count; i++)
		check_text(s->matchers[i].name, "name");
	if (s->matchers[0].cost != 0)
		bytes_corrupt("cost of a step");
	if (s->max != PLAN_ANY_NUMBER && s->min > s->max)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("invalid plan"),
				 errdetail("Step \"%.*s\" is to be repeated at least %u and at most %u times.",
						   utf8_clip(s->id, 60), s->id.data, s->min, s->max)));
	if (s->min > PLAN_MAX_REPEAT || s->max > PLAN_MAX_REPEAT)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("step \"%.*s\" of a plan is repeated too often",
						utf8_clip(s->id, 60), s->id.data),
				 errdetail("At most %d times can be asked for.", PLAN_MAX_REPEAT),
				 errhint("* and + stand for any number of times.")));
	if (s->effect > EFFECT_WEIGHT)
		bytes_corrupt("effect of a step");
}

/* The steps of a plan with those of its sub-plans. */
static uint64
check_plan(const ActionPlan *plan, int depth, uint64 *edges)
{
	uint64		steps = plan->step_count;

	if (depth > PLAN_MAX_DEPTH)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("plans are nested too deeply"),
				 errdetail("The limit is %d levels.", PLAN_MAX_DEPTH)));
	check_ids(plan);
	for (uint32 i = 0; i < plan->step_count; i++)
	{
		check_step(&plan->steps[i]);
		*edges += plan->steps[i].after_count;
		if (plan->steps[i].subplan)
			steps += check_plan(plan->steps[i].subplan, depth + 1, edges);
	}
	return steps;
}

/* Whatever its form was, a plan must make sense. */
void
plan_check(const ActionPlan *plan)
{
	uint64		edges = 0;
	uint64		steps = check_plan(plan, 0, &edges);

	for (uint32 i = 0; i < plan->revision_count; i++)
	{
		if (i > 0 && plan->revisions[i].at_ns < plan->revisions[i - 1].at_ns)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
					 errmsg("invalid plan"),
					 errdetail("Revision %u is earlier than the one before it.", i + 1)));
		steps += check_plan(plan->revisions[i].plan, 0, &edges);
	}
	if (plan->revision_count > PLAN_MAX_REVISIONS || steps > PLAN_MAX_STEPS * (1 + plan->revision_count) ||
		plan->step_count > PLAN_MAX_STEPS || edges > PLAN_MAX_EDGES * (1 + (uint64) plan->revision_count))
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("plan is too large"),
				 errdetail("It has %llu steps, %llu times one comes after another, and %u revisions; "
						   "at most %d, %d and %d are allowed.",
						   (unsigned long long) steps, (unsigned long long) edges,
						   plan->revision_count, PLAN_MAX_STEPS, PLAN_MAX_EDGES,
						   PLAN_MAX_REVISIONS)));
}

/* For what numbers an id: "_4294967295". */
#define NUMBER_ROOM 11

static bool
is_taken(const ActionPlan *plan, Bytes id)
{
	for (uint32 i = 0; i < plan->step_count; i++)
		if (bytes_equal(plan->steps[i].id, id))
			return true;
	return false;
}

/* What a step is called after. */
static Bytes
step_name(const PlanStep *s)
{
	return s->matcher_count > 0 ? s->matchers[0].name : BYTES_LITERAL("step");
}

/*
 * Steps without an id are called after what they name: search, search_2, …
 * Where a name comes again, the numbers go on from the last one.
 */
void
plan_name_steps(ActionPlan *plan, Arena *arena)
{
	uint32	   *numbers = palloc0((plan->step_count + 1) * sizeof(uint32));

	for (uint32 i = 0; i < plan->step_count; i++)
	{
		PlanStep   *s = &plan->steps[i];
		Bytes		name = step_name(s);
		Bytes		id = name;
		uint32		number = 1;

		if (s->id.len > 0)
			continue;
		for (uint32 k = i; k-- > 0 && number == 1;)
			if (numbers[k] > 0 && bytes_equal(step_name(&plan->steps[k]), name))
				number = numbers[k];
		while (is_taken(plan, id))
		{
			char	   *numbered = psprintf("%.*s_%u", utf8_clip(name, PLAN_MAX_NAME - NUMBER_ROOM),
											name.data, ++number);

			CHECK_FOR_INTERRUPTS();
			id = arena_copy(arena, numbered, strlen(numbered));
			pfree(numbered);
			numbers[i] = number;
		}
		s->id = id;
	}
	pfree(numbers);
}

/* ----------------------------------------------------------------- order --- */

typedef struct Visit
{
	uint32		step;
	uint32		next;			/* place in its after */
} Visit;

/*
 * Components in the order of their completion: what a step waits for is in the
 * same or an earlier one.
 */
static void
find_components(const ActionPlan *plan, PlanOrder *order)
{
	uint32		n = plan->step_count;
	uint32	   *number = palloc0((n + 1) * sizeof(uint32));	/* 0: not seen */
	uint32	   *low = palloc((n + 1) * sizeof(uint32));
	bool	   *is_open = palloc0(n + 1);
	uint32	   *open = palloc((n + 1) * sizeof(uint32));
	Visit	   *path = palloc((n + 1) * sizeof(Visit));
	uint32		open_count = 0;
	uint32		seen = 0;

	for (uint32 start = 0; start < n; start++)
	{
		uint32		depth = 0;

		if (number[start] != 0)
			continue;
		path[depth++] = (Visit) {start, 0};
		while (depth > 0)
		{
			Visit	   *v = &path[depth - 1];
			uint32		x = v->step;

			if (v->next == 0 && number[x] == 0)
			{
				number[x] = low[x] = ++seen;
				open[open_count++] = x;
				is_open[x] = true;
			}
			if (v->next < plan->steps[x].after_count)
			{
				uint32		y = plan->steps[x].after[v->next++];

				if (number[y] == 0)
					path[depth++] = (Visit) {y, 0};
				else if (is_open[y])
					low[x] = Min(low[x], number[y]);
				continue;
			}
			depth--;
			if (depth > 0)
				low[path[depth - 1].step] = Min(low[path[depth - 1].step], low[x]);
			if (low[x] == number[x])
			{
				uint32		y;

				do
				{
					y = open[--open_count];
					is_open[y] = false;
					order->component[y] = order->component_count;
				} while (y != x);
				order->component_count++;
			}
		}
	}
	pfree(number);
	pfree(low);
	pfree(is_open);
	pfree(open);
	pfree(path);
}

/* The steps of each component, one after the other. */
static uint32 *
steps_by_component(const PlanOrder *order, uint32 **first)
{
	uint32	   *steps = palloc((order->n + 1) * sizeof(uint32));
	uint32	   *at;

	*first = palloc0((order->component_count + 2) * sizeof(uint32));
	at = *first + 1;
	for (uint32 i = 0; i < order->n; i++)
		at[order->component[i] + 1]++;
	for (uint32 c = 1; c <= order->component_count; c++)
		at[c] += at[c - 1];
	/* each entry of at is where its component begins, and ends up at its end */
	for (uint32 i = 0; i < order->n; i++)
		steps[at[order->component[i]]++] = i;
	return steps;
}

static void
close_order(const ActionPlan *plan, PlanOrder *order, const uint32 *steps, const uint32 *first)
{
	uint64	   *row = palloc((order->words + 1) * sizeof(uint64));

	for (uint32 c = 0; c < order->component_count; c++)
	{
		bool		is_blocked;

		CHECK_FOR_INTERRUPTS();
		memset(row, 0, order->words * sizeof(uint64));
		order->is_cyclic[c] = first[c + 1] - first[c] > 1;
		is_blocked = false;
		for (uint32 k = first[c]; k < first[c + 1]; k++)
		{
			const PlanStep *s = &plan->steps[steps[k]];

			for (uint32 a = 0; a < s->after_count; a++)
			{
				uint32		y = s->after[a];

				if (y == steps[k])
					order->is_cyclic[c] = true;
				if (order->component[y] == c)
					continue;
				is_blocked |= order->is_blocked[y];
				row[y / 64] |= UINT64CONST(1) << (y % 64);
				for (uint32 w = 0; w < order->words; w++)
					row[w] |= order->before[(size_t) y * order->words + w];
				/* what is in a cycle with y comes before as well */
				if (order->is_cyclic[order->component[y]])
					for (uint32 z = first[order->component[y]]; z < first[order->component[y] + 1]; z++)
						row[steps[z] / 64] |= UINT64CONST(1) << (steps[z] % 64);
			}
		}
		for (uint32 k = first[c]; k < first[c + 1]; k++)
		{
			memcpy(order->before + (size_t) steps[k] * order->words, row,
				   order->words * sizeof(uint64));
			order->is_blocked[steps[k]] = is_blocked || order->is_cyclic[c];
		}
	}
	pfree(row);
}

PlanOrder *
plan_order(const ActionPlan *plan)
{
	PlanOrder  *order = palloc0(sizeof(PlanOrder));
	uint32		n = plan->step_count;
	uint32	   *steps;
	uint32	   *first;

	order->n = n;
	order->words = (n + 63) / 64;
	order->before = palloc0(((size_t) n * order->words + 1) * sizeof(uint64));
	order->component = palloc0((n + 1) * sizeof(uint32));
	order->is_blocked = palloc0(n + 1);
	find_components(plan, order);
	order->is_cyclic = palloc0(order->component_count + 1);
	steps = steps_by_component(order, &first);
	close_order(plan, order, steps, first);
	pfree(steps);
	pfree(first);
	return order;
}

/* ---------------------------------------------------------------- cycles --- */

/*
 * A shortest cycle through a step, shorter than limit; 0 if there is none.
 * from is by step: who waits for it, as the search found.
 */
static uint32
search_cycle(const ActionPlan *plan, const PlanOrder *order, uint32 start, uint32 limit,
			 uint32 *from, uint32 *distance, uint32 *queue, uint32 *last)
{
	uint32		head = 0;
	uint32		tail = 0;

	memset(distance, 0, order->n * sizeof(uint32));
	distance[start] = 1;
	queue[tail++] = start;
	while (head < tail)
	{
		uint32		x = queue[head++];

		if (distance[x] >= limit)
			break;
		for (uint32 a = 0; a < plan->steps[x].after_count; a++)
		{
			uint32		y = plan->steps[x].after[a];

			if (y == start)
			{
				*last = x;
				return distance[x];
			}
			if (order->component[y] != order->component[x] || distance[y] != 0)
				continue;
			distance[y] = distance[x] + 1;
			from[y] = x;
			queue[tail++] = y;
		}
	}
	return 0;
}

static void
shortest_cycle(const ActionPlan *plan, const PlanOrder *order, PlanCycle *c)
{
	uint32	   *from = palloc((order->n + 1) * sizeof(uint32));
	uint32	   *distance = palloc((order->n + 1) * sizeof(uint32));
	uint32	   *queue = palloc((order->n + 1) * sizeof(uint32));

	c->cycle = palloc((c->step_count + 1) * sizeof(uint32));
	c->cycle_length = c->step_count + 1;
	for (uint32 i = 0; i < c->step_count; i++)
	{
		uint32		last = 0;
		uint32		length;

		CHECK_FOR_INTERRUPTS();
		length = search_cycle(plan, order, c->steps[i], c->cycle_length, from, distance, queue, &last);
		if (length == 0)
			continue;
		c->cycle_length = length;
		for (uint32 k = length; k-- > 0; last = from[last])
			c->cycle[k] = last;
	}
	pfree(from);
	pfree(distance);
	pfree(queue);
}

static int
compare_cycles(const void *a, const void *b)
{
	uint32		x = ((const PlanCycle *) a)->steps[0];
	uint32		y = ((const PlanCycle *) b)->steps[0];

	return (x > y) - (x < y);
}

/* The components that are cyclic, by their first steps. */
PlanCycle *
plan_find_cycles(const ActionPlan *plan, const PlanOrder *order, uint32 *count)
{
	PlanCycle  *cycles = palloc((order->component_count + 1) * sizeof(PlanCycle));
	uint32	   *first;
	uint32	   *steps = steps_by_component(order, &first);

	*count = 0;
	for (uint32 c = 0; c < order->component_count; c++)
	{
		PlanCycle  *cycle = &cycles[*count];

		if (!order->is_cyclic[c])
			continue;
		cycle->steps = steps + first[c];
		cycle->step_count = first[c + 1] - first[c];
		shortest_cycle(plan, order, cycle);
		(*count)++;
	}
	qsort(cycles, *count, sizeof(PlanCycle), compare_cycles);
	return cycles;
}
