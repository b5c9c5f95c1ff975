/*
 * plan_format.c
 *		The binary form of plans.
 */
#include "postgres.h"

#include "kernel/json_value.h"
#include "kernel/plan.h"
#include "miscadmin.h"

static void put_plan(StringInfo buf, const ActionPlan *plan);

static void
put_string(StringInfo buf, Bytes s)
{
	put_varint(buf, s.len);
	put_bytes(buf, s.data, s.len);
}

/* Those of arguments come first, as in the JSON form. */
static void
put_predicates(StringInfo buf, const PlanMatcher *m, bool of_attributes)
{
	for (uint32 i = 0; i < m->predicate_count; i++)
	{
		const PlanPredicate *p = &m->predicates[i];

		if (p->is_attribute != of_attributes)
			continue;
		put_byte(buf, p->op | (p->is_attribute ? PLAN_OF_ATTRIBUTE : 0));
		put_string(buf, p->key);
		value_put(buf, &p->value);
	}
}

static void
put_matcher(StringInfo buf, const PlanMatcher *m)
{
	put_byte(buf, m->kind);
	put_string(buf, m->name);
	put_varint(buf, m->cost);
	put_byte(buf, m->has_args);
	if (m->has_args)
		value_put(buf, &m->args);
	put_varint(buf, m->predicate_count);
	put_predicates(buf, m, false);
	put_predicates(buf, m, true);
}

static void
put_step(StringInfo buf, const PlanStep *s)
{
	uint32		before = 0;

	put_string(buf, s->id);
	put_varint(buf, s->matcher_count);
	for (uint32 i = 0; i < s->matcher_count; i++)
		put_matcher(buf, &s->matchers[i]);
	put_varint(buf, s->min);
	put_varint(buf, s->max);
	put_byte(buf, s->effect);
	if (s->effect == EFFECT_WEIGHT)
		put_varint(buf, s->weight);
	put_varint(buf, s->after_count);
	for (uint32 i = 0; i < s->after_count; i++)
	{
		put_varint(buf, s->after[i] - before);
		before = s->after[i];
	}
	put_byte(buf, s->subplan != NULL);
	if (s->subplan)
		put_plan(buf, s->subplan);
}

/* The recursion is bounded by PLAN_MAX_DEPTH. */
static void
put_plan(StringInfo buf, const ActionPlan *plan)
{
	put_varint(buf, plan->step_count);
	for (uint32 i = 0; i < plan->step_count; i++)
		put_step(buf, &plan->steps[i]);
	put_varint(buf, plan->revision_count);
	for (uint32 i = 0; i < plan->revision_count; i++)
	{
		put_varint(buf, zigzag(plan->revisions[i].at_ns));
		put_plan(buf, plan->revisions[i].plan);
	}
}

/* Append what follows the version byte. */
void
plan_encode(StringInfo buf, const ActionPlan *plan)
{
	put_plan(buf, plan);
}

static ActionPlan *get_plan(Cursor *c, Arena *arena, int depth, bool may_be_revised);

static Bytes
get_string(Cursor *c, const char *what)
{
	uint32		len = cursor_count(c, 1, what);

	return (Bytes) {(const char *) cursor_take(c, len, what), len};
}

static bool
get_flag(Cursor *c, const char *what)
{
	uint8		flag = cursor_byte(c, what);

	if (flag > 1)
		bytes_corrupt(what);
	return flag;
}

static void
get_predicate(Cursor *c, PlanPredicate *p)
{
	uint8		op = cursor_byte(c, "predicate of a plan");

	p->is_attribute = (op & PLAN_OF_ATTRIBUTE) != 0;
	p->op = op & ~PLAN_OF_ATTRIBUTE;
	if (p->op >= PLAN_OPERATORS)
		bytes_corrupt("predicate of a plan");
	p->key = get_string(c, "predicate of a plan");
	value_get(c, &p->value);
}

static void
get_matcher(Cursor *c, Arena *arena, PlanMatcher *m)
{
	m->kind = cursor_byte(c, "kind of a step");
	if (m->kind >= KIND_COUNT && m->kind != PLAN_TOOL_OR_AGENT)
		bytes_corrupt("kind of a step");
	m->name = get_string(c, "name of a step");
	m->cost = cursor_index(c, PLAN_MAX_WEIGHT + 1, "cost of an alternative");
	m->has_args = get_flag(c, "arguments of a step");
	m->args = (Value) {.type = VALUE_EMPTY};
	if (m->has_args)
		value_get(c, &m->args);
	m->predicate_count = cursor_count(c, 3, "predicates of a plan");
	m->predicates = arena_alloc(arena, m->predicate_count * sizeof(PlanPredicate));
	for (uint32 i = 0; i < m->predicate_count; i++)
		get_predicate(c, &m->predicates[i]);
}

static void
get_after(Cursor *c, Arena *arena, PlanStep *s, uint32 step_count)
{
	uint32		before = 0;

	s->after_count = cursor_count(c, 1, "order of a plan");
	s->after = arena_alloc(arena, s->after_count * sizeof(uint32));
	for (uint32 i = 0; i < s->after_count; i++)
	{
		uint32		more = cursor_index(c, step_count, "order of a plan");

		if ((i > 0 && more == 0) || before + more >= step_count)
			bytes_corrupt("order of a plan");
		s->after[i] = before += more;
	}
}

static void
get_step(Cursor *c, Arena *arena, PlanStep *s, uint32 step_count, int depth)
{
	s->id = get_string(c, "id of a step");
	s->matcher_count = cursor_count(c, 5, "alternatives of a step");
	s->matchers = arena_alloc(arena, s->matcher_count * sizeof(PlanMatcher));
	for (uint32 i = 0; i < s->matcher_count; i++)
		get_matcher(c, arena, &s->matchers[i]);
	s->min = cursor_uint32(c, "repetition of a step");
	s->max = cursor_uint32(c, "repetition of a step");
	s->effect = cursor_byte(c, "effect of a step");
	s->weight = s->effect == EFFECT_WEIGHT ?
		(int32) cursor_index(c, PLAN_MAX_WEIGHT + 1, "effect of a step") : 0;
	get_after(c, arena, s, step_count);
	s->subplan = get_flag(c, "sub-plan") ? get_plan(c, arena, depth + 1, false) : NULL;
}

static ActionPlan *
get_plan(Cursor *c, Arena *arena, int depth, bool may_be_revised)
{
	ActionPlan *plan = arena_alloc(arena, sizeof(ActionPlan));

	if (depth > PLAN_MAX_DEPTH)
		bytes_corrupt("sub-plan");
	plan->step_count = cursor_count(c, 11, "steps of a plan");
	if (plan->step_count > PLAN_MAX_STEPS)
		bytes_corrupt("steps of a plan");
	plan->steps = arena_alloc(arena, plan->step_count * sizeof(PlanStep));
	for (uint32 i = 0; i < plan->step_count; i++)
		get_step(c, arena, &plan->steps[i], plan->step_count, depth);
	plan->revision_count = cursor_count(c, 3, "revisions of a plan");
	if (plan->revision_count > (may_be_revised ? PLAN_MAX_REVISIONS : 0))
		bytes_corrupt("revisions of a plan");
	plan->revisions = arena_alloc(arena, plan->revision_count * sizeof(PlanRevision));
	for (uint32 i = 0; i < plan->revision_count; i++)
	{
		plan->revisions[i].at_ns = unzigzag(cursor_varint(c, "time of a revision"));
		plan->revisions[i].plan = get_plan(c, arena, depth, false);
	}
	return plan;
}

/* Read a stored plan; strings and values point into it. */
ActionPlan *
plan_decode(const void *bytes, size_t size, Arena *arena)
{
	Cursor		c = {(const uint8 *) bytes, (const uint8 *) bytes + size};
	ActionPlan *plan = get_plan(&c, arena, 0, true);

	if (cursor_left(&c) != 0)
		bytes_corrupt("end of a plan");
	return plan;
}

static void
check_values(const ActionPlan *plan)
{
	for (uint32 i = 0; i < plan->step_count; i++)
	{
		const PlanStep *s = &plan->steps[i];

		if (!utf8_is_valid(s->id.data, s->id.len))
			bytes_corrupt("id of a step");
		for (uint32 k = 0; k < s->matcher_count; k++)
		{
			const PlanMatcher *m = &s->matchers[k];

			if (!utf8_is_valid(m->name.data, m->name.len))
				bytes_corrupt("name of a step");
			if (m->has_args && m->args.type != VALUE_KVLIST && m->args.type != VALUE_EMPTY)
				bytes_corrupt("arguments of a step");
			json_check_value(&m->args);
			for (uint32 p = 0; p < m->predicate_count; p++)
			{
				if (!utf8_is_valid(m->predicates[p].key.data, m->predicates[p].key.len))
					bytes_corrupt("predicate of a plan");
				json_check_value(&m->predicates[p].value);
			}
		}
		if (s->subplan)
			check_values(s->subplan);
	}
	for (uint32 i = 0; i < plan->revision_count; i++)
		check_values(plan->revisions[i].plan);
}

/* Read a plan from outside. */
ActionPlan *
plan_receive(const void *bytes, size_t size, Arena *arena)
{
	ActionPlan *plan = plan_decode(bytes, size, arena);

	check_values(plan);
	plan_check(plan);
	return plan;
}
