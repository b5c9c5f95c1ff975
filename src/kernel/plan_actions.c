/*
 * plan_actions.c
 *		What an agent did, and the plan that it noted down itself.
 *
 * Actions are calls of tools and of sub-agents, and spans of other kinds that
 * a plan names.  What is below a tool is the tool's own affair, and so is what
 * is below an agent that the plan names.  An outermost agent is the one whose
 * plan it is, no action; nor is an agent that wraps another of its name.
 * Tools that only note plans down are no actions unless a plan names them.
 *
 * A store moves texts out of its traces, and a plan may lie in one.  What a
 * plan consists of, steps and their order, is therefore derived when a span
 * comes in (derive.c), and read from there where the text itself is not.
 */
#include "postgres.h"

#include "kernel/json_value.h"
#include "kernel/plan_actions.h"
#include "kernel/span_measure.h"
#include "miscadmin.h"
#include "utils/memutils.h"

static const Bytes default_attributes[] = {
	{"gen_ai.plan", 11}, {"agent.plan", 10}, {"plan", 4}
};

static const Bytes default_tools[] = {
	{"write_todos", 11}, {"TodoWrite", 9}, {"todo_write", 10}, {"update_plan", 11},
	{"create_plan", 11}, {"write_plan", 10}, {"make_plan", 9}, {"set_plan", 8}, {"plan", 4}
};

static bool
is_among(Bytes name, const Bytes *names, uint32 count)
{
	for (uint32 i = 0; i < count; i++)
		if (bytes_equal(name, names[i]))
			return true;
	return false;
}

static Bytes
span_action_name(const SpanClass *class, const SpanColumns *columns)
{
	Bytes		name = class->name;

	switch (class->kind)
	{
		case KIND_TOOL:
			span_tool(class, columns, &name);
			break;
		case KIND_AGENT:
			span_agent(class, columns, &name);
			break;
		case KIND_LLM:
		case KIND_EMBEDDING:
			span_model(columns, &name);
			break;
		default:
			break;
	}
	return name;
}

static int
compare_actions(const void *a, const void *b)
{
	const Action *x = a;
	const Action *y = b;

	if (x->start_ns != y->start_ns)
		return x->start_ns < y->start_ns ? -1 : 1;
	return (x->ordinal > y->ordinal) - (x->ordinal < y->ordinal);
}

static void
add_action(ActionList *list, uint32 *max, Action action)
{
	if (list->count >= *max)
	{
		*max = Max(*max * 2, 32);
		list->actions = list->actions ?
			repalloc_huge(list->actions, *max * sizeof(Action)) :
			palloc(*max * sizeof(Action));
	}
	list->actions[list->count++] = action;
}

/* Is what span_action_name() gives the same for all spans of a class? */
static bool
has_shared_name(const Trajectory *t, const SpanClass *class)
{
	switch (class->kind)
	{
		case KIND_TOOL:
			return class_tells_text(t, class, TEXT_TOOL_NAME);
		case KIND_AGENT:
			return class_tells_text(t, class, TEXT_AGENT_NAME);
		case KIND_LLM:
		case KIND_EMBEDDING:
			return class_tells_text(t, class, TEXT_MODEL);
		default:
			return true;
	}
}

/* What is the same for all of a class is read without decoding values. */
static Bytes
action_name(Trajectory *t, uint32 ordinal, bool is_shared)
{
	const SpanClass *class = trajectory_class(t, ordinal);
	SpanColumns columns = class_columns(t, class);

	if (!is_shared)
	{
		trajectory_decode_values(t);
		columns = trajectory_columns(t, ordinal);
	}
	return span_action_name(class, &columns);
}

/* What a span's name says, found once for a class where its spans share it. */
static const ActionName *
find_name(ActionScan *s, uint32 ordinal)
{
	Trajectory *t = s->t;
	const SpanClass *class = trajectory_class(t, ordinal);
	bool		is_shared;
	ActionName *n = s->names ? &s->names[t->span_class[ordinal]] : &s->own_name;

	if (n->is_shared)
		return n;
	is_shared = has_shared_name(t, class);
	*n = (ActionName) {
		.name = action_name(t, ordinal, is_shared),
			.is_shared = s->names != NULL && is_shared
	};
	if ((s->kinds & KIND_BIT(class->kind)) == 0)
		return n;
	n->is_planned = s->look_up != NULL && s->look_up(s->context, class->kind, n->name, &n->named);
	n->is_action = n->is_planned || class->kind != KIND_TOOL ||
		!is_among(n->name, default_tools, lengthof(default_tools));
	return n;
}

/*
 * Begin to go through the actions among the spans from one ordinal to before
 * another: a whole trajectory, or what is below a span.  kinds: bits of those
 * that count.  look_up may be NULL.  Structure and tables have been decoded.
 */
ActionScan
actions_begin(Trajectory *t, uint32 from, uint32 to, uint32 kinds, ActionLookUp look_up,
			  const void *context)
{
	ActionScan	s = {
		.t = t,.at = from,.to = to,.kinds = kinds,.look_up = look_up,.context = context,
		.agent_end = from == 0 ? 0 : to,.agent = {"", 0}
	};

	/* not for a few spans of many */
	if (t->class_count <= to - from)
		s.names = palloc_extended(t->class_count * sizeof(ActionName), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	return s;
}

/* The next one in preorder; its start is left open, as that need not be decoded. */
bool
actions_next(ActionScan *s, Action *action)
{
	const Trajectory *t = s->t;

	while (s->at < s->to)
	{
		uint32		i = s->at++;
		const SpanClass *class = trajectory_class(t, i);
		uint8		kind = class->kind;
		const ActionName *n;
		bool		is_wrapper = false;

		/* at each: what tools do is left out, and so may any other ordinal be */
		CHECK_FOR_INTERRUPTS();
		if ((s->kinds & KIND_BIT(kind)) == 0 && kind != KIND_AGENT && kind != KIND_TOOL)
			continue;
		n = find_name(s, i);
		if (kind == KIND_AGENT)
		{
			bool		is_inner = i < s->agent_end;

			is_wrapper = !is_inner || bytes_equal(n->name, s->agent);
			if (!is_inner)
			{
				s->agent_end = i + t->subtree[i];
				s->agent = n->name;
			}
		}
		if (kind == KIND_TOOL || (n->is_planned && !is_wrapper))
			s->at = i + t->subtree[i];
		if (!n->is_action || is_wrapper)
			continue;
		*action = (Action) {
			.ordinal = i,.kind = kind,.is_failed = class->is_error,.name = n->name,
			.is_planned = n->is_planned,.named = n->named
		};
		return true;
	}
	return false;
}

/* All of them, by start. */
ActionList
actions_collect(ActionScan *s)
{
	ActionList	list = {0};
	uint32		max = 0;
	bool		is_sorted = true;
	Action		action;

	while (actions_next(s, &action))
	{
		action.start_ns = s->t->start_ns[action.ordinal];
		add_action(&list, &max, action);
		if (list.count > 1 && list.actions[list.count - 2].start_ns > action.start_ns)
			is_sorted = false;
	}
	if (!is_sorted)
		qsort(list.actions, list.count, sizeof(Action), compare_actions);
	return list;
}

/*
 * The arguments of a call as a kvlist; false if they are not known as such.
 * is_moved: they are known, but not here.
 */
bool
action_arguments(Trajectory *t, uint32 ordinal, Arena *arena, Value *args, bool *is_moved)
{
	SpanColumns columns;
	const Value *v;

	trajectory_decode_values(t);
	columns = trajectory_columns(t, ordinal);
	v = column_value(&columns, COLUMN_TOOL_ARGUMENTS);
	*is_moved = v != NULL && v->type == VALUE_REF;
	if (v == NULL)
		return false;
	if (v->type == VALUE_STRING)
		return json_text_object(value_bytes(v), arena, args);
	*args = *v;
	return v->type == VALUE_KVLIST;
}

/* --------------------------------------------------------- recorded plans --- */

static Bytes *
read_names(JsonReader *r, uint32 *count)
{
	Bytes	   *names = NULL;
	uint32		max = 0;

	json_begin_array(r);
	while (json_next_element(r))
	{
		if (*count >= max)
		{
			max = Max(max * 2, 8);
			names = names ? repalloc(names, max * sizeof(Bytes)) : palloc(max * sizeof(Bytes));
		}
		names[(*count)++] = json_string(r);
	}
	return names;
}

static PlanRules
default_rules(void)
{
	return (PlanRules) {
		.attributes = default_attributes,
			.attribute_count = lengthof(default_attributes),
			.tools = default_tools,
			.tool_count = lengthof(default_tools)
	};
}

/* Where plans are looked for: {"attributes": […], "tools": […], "ordered": false}. */
PlanRules
plan_rules_parse(Bytes json, Arena *arena)
{
	PlanRules	rules = default_rules();
	JsonReader	r;
	Bytes		name;

	json_reader_init(&r, json.data, json.len, "rules for recorded plans", arena);
	json_begin_object(&r);
	while (json_next_member(&r, &name))
	{
		if (bytes_equal_cstring(name, "attributes"))
		{
			rules.attribute_count = 0;
			rules.attributes = read_names(&r, &rules.attribute_count);
		}
		else if (bytes_equal_cstring(name, "tools"))
		{
			rules.tool_count = 0;
			rules.tools = read_names(&r, &rules.tool_count);
		}
		else if (bytes_equal_cstring(name, "ordered") &&
				 (r.token == JSON_TOKEN_TRUE || r.token == JSON_TOKEN_FALSE))
		{
			rules.is_ordered = r.token == JSON_TOKEN_TRUE;
			json_next(&r);
		}
		else
			json_fail_detail(&r, "rules are \"attributes\" and \"tools\", lists of names, and \"ordered\", true or false.");
	}
	return rules;
}

static ActionPlan *
plan_from_value(const Value *v, const PlanRules *rules, Arena *arena)
{
	StringInfoData buf;
	Bytes		copy;

	if (v->type == VALUE_STRING)
		return plan_from_record(value_bytes(v), rules->is_ordered, arena);
	if (v->type != VALUE_ARRAY && v->type != VALUE_KVLIST)
		return NULL;
	initStringInfo(&buf);
	json_put_value(&buf, v);
	copy = arena_copy(arena, buf.data, buf.len);
	pfree(buf.data);
	return plan_from_record(copy, rules->is_ordered, arena);
}

static ActionPlan *
plan_from_column(const SpanColumns *columns, CanonicalColumn column, const PlanRules *rules,
				 Arena *arena)
{
	const Value *v = column_value(columns, column);

	return v == NULL ? NULL : plan_from_value(v, rules, arena);
}

/* A key that holds plans: by the rules, or since a user says so. */
static bool
is_plan_key(const Key *key, const PlanRules *rules)
{
	if (key->is_derived)
		return false;
	return key->column == COLUMN_PLAN || is_among(key->name, rules->attributes, rules->attribute_count);
}

static ActionPlan *
plan_of_span(const SpanClass *class, const SpanColumns *columns, const PlanRules *rules, Arena *arena)
{
	ActionPlan *plan;

	for (uint32 i = 0; i < columns->shape->nkeys; i++)
		if (is_plan_key(&columns->keys[columns->shape->keys[i]], rules) &&
			(plan = plan_from_value(span_value(columns, i), rules, arena)) != NULL)
			return plan;
	if (class->kind == KIND_PLAN)
		return plan_from_column(columns, COLUMN_OUTPUT, rules, arena);
	if (class->kind == KIND_TOOL &&
		is_among(span_action_name(class, columns), rules->tools, rules->tool_count))
		return plan_from_column(columns, COLUMN_TOOL_ARGUMENTS, rules, arena);
	return NULL;
}

/* What was derived when the span came in, by the default rules. */
static ActionPlan *
derived_plan(const SpanColumns *columns, const PlanRules *rules, Arena *arena)
{
	if (rules->attributes != default_attributes || rules->tools != default_tools)
		return NULL;
	for (uint32 i = 0; i < columns->shape->nkeys; i++)
	{
		const Key  *key = &columns->keys[columns->shape->keys[i]];

		if (key->is_derived && key->column == COLUMN_PLAN)
		{
			const Value *v = span_value(columns, i);

			return v->type == VALUE_STRING ?
				plan_from_outline(value_bytes(v), rules->is_ordered, arena) : NULL;
		}
	}
	return NULL;
}

/* Is a span one where, by the default rules, a plan is noted down? */
bool
span_notes_plan(const SpanClass *class, const SpanColumns *columns)
{
	if (columns->shape->has_plan)
		return true;
	if (class->kind == KIND_PLAN)
		return shape_bears(columns->shape, COLUMN_OUTPUT);
	return class->kind == KIND_TOOL && shape_bears(columns->shape, COLUMN_TOOL_ARGUMENTS) &&
		is_among(span_action_name(class, columns), default_tools, lengthof(default_tools));
}

/*
 * Append the outline of the plan that a span notes down, which holds no text
 * that people or models wrote: steps, by words, and their order.  False if
 * there is no plan.
 */
bool
plan_put_outline(StringInfo buf, const SpanClass *class, const SpanColumns *columns)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "llmtrace noted plan",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	Arena		arena = {.context = context};
	PlanRules	rules = default_rules();
	ActionPlan *plan = plan_of_span(class, columns, &rules, &arena);

	MemoryContextSwitchTo(old);
	if (plan != NULL)
		plan_put_outline_json(buf, plan, &arena);
	MemoryContextDelete(context);
	return plan != NULL;
}

typedef struct FoundPlan
{
	int64		at_ns;
	uint32		ordinal;
	ActionPlan *plan;
} FoundPlan;

static int
compare_found(const void *a, const void *b)
{
	const FoundPlan *x = a;
	const FoundPlan *y = b;

	if (x->at_ns != y->at_ns)
		return x->at_ns < y->at_ns ? -1 : 1;
	return (x->ordinal > y->ordinal) - (x->ordinal < y->ordinal);
}

static bool
is_same_plan(const ActionPlan *a, const ActionPlan *b)
{
	StringInfoData x;
	StringInfoData y;
	bool		is_same;

	initStringInfo(&x);
	initStringInfo(&y);
	plan_encode(&x, a);
	plan_encode(&y, b);
	is_same = x.len == y.len && memcmp(x.data, y.data, x.len) == 0;
	pfree(x.data);
	pfree(y.data);
	return is_same;
}

/* Could spans of this class bear a plan, by the rules or derived? */
static bool
class_may_bear_plan(const Trajectory *t, const SpanClass *class, const PlanRules *rules)
{
	const Shape *shape = &t->shapes[class->shape];

	if (class->kind == KIND_PLAN || shape_bears(shape, COLUMN_PLAN) ||
		(class->kind == KIND_TOOL && shape_bears(shape, COLUMN_TOOL_ARGUMENTS)))
		return true;
	for (uint32 i = 0; i < shape->nkeys; i++)
		if (is_plan_key(&t->keys[shape->keys[i]], rules))
			return true;
	return false;
}

/*
 * The plan that an agent noted down, with its revisions; NULL if there is none.
 * A span's plan is made when the span starts.  Beyond PLAN_MAX_REVISIONS the
 * last ones count.
 */
ActionPlan *
plan_of_trace(const Trajectory *t, const PlanRules *rules, Arena *arena)
{
	FoundPlan  *found = NULL;
	uint32		count = 0;
	uint32		max = 0;
	uint32		kept = 0;
	ActionPlan *plan;
	bool	   *may_bear = palloc((t->class_count + 1) * sizeof(bool));

	/* most classes of spans have no place for a plan */
	for (uint32 i = 0; i < t->class_count; i++)
		may_bear[i] = class_may_bear_plan(t, &t->classes[i], rules);
	for (uint32 i = 0; i < t->n; i++)
	{
		SpanColumns columns;

		if ((i & 0xfff) == 0)
			CHECK_FOR_INTERRUPTS();
		if (!may_bear[t->span_class[i]])
			continue;
		columns = trajectory_columns(t, i);
		plan = plan_of_span(trajectory_class(t, i), &columns, rules, arena);
		if (plan == NULL)
			plan = derived_plan(&columns, rules, arena);
		if (plan == NULL)
			continue;
		if (count >= max)
		{
			max = Max(max * 2, 8);
			found = found ? repalloc_huge(found, max * sizeof(FoundPlan)) :
				palloc(max * sizeof(FoundPlan));
		}
		found[count++] = (FoundPlan) {t->start_ns[i], i, plan};
	}
	if (count == 0)
		return NULL;
	qsort(found, count, sizeof(FoundPlan), compare_found);
	for (uint32 i = 0; i < count; i++)
		if (kept == 0 || !is_same_plan(found[kept - 1].plan, found[i].plan))
			found[kept++] = found[i];

	plan = found[0].plan;
	plan->revision_count = Min(kept - 1, PLAN_MAX_REVISIONS);
	plan->revisions = arena_alloc(arena, plan->revision_count * sizeof(PlanRevision));
	for (uint32 i = 0; i < plan->revision_count; i++)
	{
		const FoundPlan *f = &found[kept - plan->revision_count + i];

		plan->revisions[i] = (PlanRevision) {f->at_ns, f->plan};
	}
	return plan;
}
