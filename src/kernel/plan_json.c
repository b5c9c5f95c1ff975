/*
 * plan_json.c
 *		The JSON form of plans, which is also what is written.
 *
 *	plan		{"ordered": false, "steps": [step, …],
 *				 "revisions": [{"at_ns": n, "ordered": …, "steps": […]}, …]}
 *				or [step, …], which is not ordered
 *	step		{"id": "…", matcher's members, "alternatives": [matcher, …],
 *				 "after": ["id", …], "optional": false, "repeat": [min, max],
 *				 "effect": "write" or a weight, "plan": plan}, or "name"
 *	matcher		{"name" or "tool" or "agent": "…", "kind": "llm", "args": {…},
 *				 "where": [["argument", "<=", 42], …],
 *				 "attributes": [["key", "=", "value"], …], "cost": 0.2}, or "name"
 *
 * "args": null means that arguments were planned which are not known here.
 *
 * "ordered": true means that each step without "after" comes after the one
 * before it.  repeat [1, null] is any number, but once.  where and attributes
 * may also be objects, for equality.
 *
 * Plans that agents record are read with other common names of members as well:
 * ids, names, arguments and what comes after what; all else is passed over.
 * Such a record raises no error, whatever it holds.  Only a word names a tool or
 * an agent there; prose is no step.
 */
#include "postgres.h"

#include <math.h>

#include "kernel/json_value.h"
#include "kernel/plan.h"
#include "miscadmin.h"

const char *const plan_effect_names[PLAN_EFFECT_WORDS] = {
	[EFFECT_UNKNOWN] = "unknown",
	[EFFECT_READ] = "read",
	[EFFECT_REVERSIBLE] = "reversible",
	[EFFECT_WRITE] = "write",
	[EFFECT_GENERIC] = "generic"
};

const char *const plan_operator_names[PLAN_OPERATORS] = {
	[PLAN_EQUAL] = "=",
	[PLAN_UNEQUAL] = "!=",
	[PLAN_LESS] = "<",
	[PLAN_AT_MOST] = "<=",
	[PLAN_GREATER] = ">",
	[PLAN_AT_LEAST] = ">="
};

bool
plan_effect_find(Bytes word, uint8 *effect)
{
	for (uint8 i = 0; i < PLAN_EFFECT_WORDS; i++)
		if (bytes_equal_cstring(word, plan_effect_names[i]))
		{
			*effect = i;
			return true;
		}
	return false;
}

/* --------------------------------------------------------------- reading --- */

typedef enum Member
{
	MEMBER_UNKNOWN = 0,
	MEMBER_ID,
	MEMBER_NAME,
	MEMBER_TOOL,
	MEMBER_AGENT,
	MEMBER_KIND,
	MEMBER_ARGS,
	MEMBER_WHERE,
	MEMBER_ATTRIBUTES,
	MEMBER_COST,
	MEMBER_ALTERNATIVES,
	MEMBER_AFTER,
	MEMBER_OPTIONAL,
	MEMBER_REPEAT,
	MEMBER_EFFECT,
	MEMBER_PLAN,
	MEMBER_STEPS,
	MEMBER_ORDERED,
	MEMBER_REVISIONS,
	MEMBER_AT_NS
} Member;

static const struct
{
	const char *name;
	Member		member;
	bool		is_foreign;		/* only in what agents record */
}			members[] = {
	{"id", MEMBER_ID, false},
	{"name", MEMBER_NAME, false},
	{"tool", MEMBER_TOOL, false},
	{"agent", MEMBER_AGENT, false},
	{"kind", MEMBER_KIND, false},
	{"args", MEMBER_ARGS, false},
	{"where", MEMBER_WHERE, false},
	{"attributes", MEMBER_ATTRIBUTES, false},
	{"cost", MEMBER_COST, false},
	{"alternatives", MEMBER_ALTERNATIVES, false},
	{"after", MEMBER_AFTER, false},
	{"optional", MEMBER_OPTIONAL, false},
	{"repeat", MEMBER_REPEAT, false},
	{"effect", MEMBER_EFFECT, false},
	{"plan", MEMBER_PLAN, false},
	{"steps", MEMBER_STEPS, false},
	{"ordered", MEMBER_ORDERED, false},
	{"revisions", MEMBER_REVISIONS, false},
	{"at_ns", MEMBER_AT_NS, false},
	{"step_id", MEMBER_ID, true},
	{"tool_name", MEMBER_TOOL, true},
	{"action", MEMBER_NAME, true},
	{"function", MEMBER_TOOL, true},
	{"agent_name", MEMBER_AGENT, true},
	{"arguments", MEMBER_ARGS, true},
	{"input", MEMBER_ARGS, true},
	{"parameters", MEMBER_ARGS, true},
	{"depends_on", MEMBER_AFTER, true},
	{"dependencies", MEMBER_AFTER, true},
	{"requires", MEMBER_AFTER, true},
	{"todos", MEMBER_STEPS, true},
	{"tasks", MEMBER_STEPS, true},
	{"actions", MEMBER_STEPS, true}
};

/* A step as it is read: what it waits for is not yet known by number. */
typedef struct RawStep
{
	PlanStep	step;
	Bytes	   *after;
	uint32		after_count;
	bool		has_after;
} RawStep;

typedef struct PlanReader
{
	JsonReader	json;
	ValueStack	stack;
	Arena	   *arena;
	bool		is_record;		/* recorded by an agent */
	bool		is_outline;		/* what we kept of such a record */
	bool		is_ordered;		/* what a record does not say itself */
} PlanReader;

/* Is a member looked at in what an agent recorded? */
static bool
is_recorded(Member member)
{
	return member == MEMBER_ID || member == MEMBER_NAME || member == MEMBER_TOOL ||
		member == MEMBER_AGENT || member == MEMBER_ARGS || member == MEMBER_AFTER ||
		member == MEMBER_PLAN || member == MEMBER_STEPS || member == MEMBER_ORDERED;
}

static Member
find_member(PlanReader *r, Bytes name)
{
	for (uint32 i = 0; i < lengthof(members); i++)
		if (bytes_equal_cstring(name, members[i].name))
		{
			if (r->is_record ? !is_recorded(members[i].member) : members[i].is_foreign)
				return MEMBER_UNKNOWN;
			return members[i].member;
		}
	return MEMBER_UNKNOWN;
}

static void
skip_unknown(PlanReader *r, Bytes name)
{
	if (!r->is_record)
		json_fail_detail(&r->json, psprintf("\"%.*s\" is not known here.", utf8_clip(name, 60), name.data));
	json_skip(&r->json);
}

static bool
read_bool(PlanReader *r)
{
	bool		is_true = r->json.token == JSON_TOKEN_TRUE;

	if (!is_true && r->json.token != JSON_TOKEN_FALSE)
		json_fail(&r->json, "true or false");
	json_next(&r->json);
	return is_true;
}

/* Steps of a step, as thousandths. */
static int32
read_cost(PlanReader *r)
{
	double		number;

	if (r->json.token != JSON_TOKEN_NUMBER)
		json_fail(&r->json, "a number");
	if (!number_read_double(json_peek_text(&r->json), &number) ||
		!(number >= 0 && number <= PLAN_MAX_WEIGHT / 1000))
		json_fail(&r->json, psprintf("a cost from 0 to %d", PLAN_MAX_WEIGHT / 1000));
	json_next(&r->json);
	return (int32) rint(number * 1000);
}

static uint32
read_times(PlanReader *r)
{
	int64		number;

	if (r->json.token != JSON_TOKEN_NUMBER || !number_read_int(json_peek_text(&r->json), &number) ||
		number < 0 || number > PLAN_MAX_REPEAT)
		json_fail(&r->json, psprintf("a number of times from 0 to %d", PLAN_MAX_REPEAT));
	json_next(&r->json);
	return (uint32) number;
}

static void
expect_next_element(PlanReader *r, const char *what)
{
	if (!json_next_element(&r->json))
		json_fail(&r->json, what);
}

static void
expect_end_of_array(PlanReader *r)
{
	if (json_next_element(&r->json))
		json_fail(&r->json, "\"]\"");
}

static void
read_repeat(PlanReader *r, PlanStep *s)
{
	json_begin_array(&r->json);
	if (r->json.token == JSON_TOKEN_ARRAY_END)
		json_fail(&r->json, "[min, max]");
	expect_next_element(r, "[min, max]");
	s->min = read_times(r);
	if (r->json.token != JSON_TOKEN_COMMA)
		json_fail(&r->json, "[min, max]");
	expect_next_element(r, "[min, max]");
	if (r->json.token == JSON_TOKEN_NULL)
	{
		s->max = PLAN_ANY_NUMBER;
		json_next(&r->json);
	}
	else
	{
		if (s->min > 0 && bytes_equal_cstring(json_peek_text(&r->json), "0"))
			json_fail_detail(&r->json, psprintf("repeat is at least %u and at most 0 times.", s->min));
		s->max = read_times(r);
		if (s->max == 0)
			json_fail_detail(&r->json, "the greatest number of times must be at least 1.");
		if (s->min > s->max)
			json_fail_detail(&r->json, psprintf("repeat is at least %u and at most %u times.", s->min, s->max));
	}
	expect_end_of_array(r);
}

static uint8
read_kind(PlanReader *r)
{
	Bytes		word;

	if (r->json.token == JSON_TOKEN_STRING)
	{
		Bytes		quoted = json_peek_text(&r->json);

		word = (Bytes) {quoted.data + 1, quoted.len - 2};
		for (uint8 kind = 0; kind < KIND_COUNT; kind++)
			if (bytes_equal_cstring(word, operation_kind_name(kind)))
			{
				json_next(&r->json);
				return kind;
			}
	}
	json_fail(&r->json, "a kind of span, such as tool, agent or llm");
}

static void
read_effect(PlanReader *r, PlanStep *s)
{
	if (r->json.token == JSON_TOKEN_NUMBER)
	{
		s->effect = EFFECT_WEIGHT;
		s->weight = read_cost(r);
	}
	else if (r->json.token == JSON_TOKEN_STRING)
	{
		Bytes		quoted = json_peek_text(&r->json);

		if (!plan_effect_find((Bytes) {quoted.data + 1, quoted.len - 2}, &s->effect))
			json_fail(&r->json, "read, reversible, write, generic, unknown or a weight");
		json_next(&r->json);
	}
	else
		json_fail(&r->json, "an effect");
}

static void
add_predicate(PlanReader *r, PlanMatcher *m, uint32 *max, PlanPredicate p)
{
	if (m->predicate_count >= *max)
	{
		PlanPredicate *more = arena_alloc(r->arena, (*max = Max(*max * 2, 4)) * sizeof(PlanPredicate));

		if (m->predicate_count > 0)
			memcpy(more, m->predicates, m->predicate_count * sizeof(PlanPredicate));
		m->predicates = more;
	}
	m->predicates[m->predicate_count++] = p;
}

static PlanPredicate
read_triple(PlanReader *r)
{
	PlanPredicate p = {.op = PLAN_OPERATORS};
	Bytes		quoted;

	json_begin_array(&r->json);
	expect_next_element(r, "[key, operator, value]");
	p.key = json_string(&r->json);
	expect_next_element(r, "[key, operator, value]");
	quoted = json_peek_text(&r->json);
	for (uint8 op = 0; op < PLAN_OPERATORS; op++)
		if (r->json.token == JSON_TOKEN_STRING &&
			bytes_equal_cstring((Bytes) {quoted.data + 1, quoted.len - 2}, plan_operator_names[op]))
			p.op = op;
	if (p.op == PLAN_OPERATORS)
		json_fail(&r->json, "one of = != < <= > >=");
	json_next(&r->json);
	expect_next_element(r, "[key, operator, value]");
	p.value = json_read_value(&r->json, &r->stack);
	expect_end_of_array(r);
	return p;
}

static void
read_predicates(PlanReader *r, PlanMatcher *m, bool is_attribute)
{
	uint32		max = m->predicate_count;
	PlanPredicate p;

	if (r->json.token == JSON_TOKEN_OBJECT_START)
	{
		json_begin_object(&r->json);
		while (json_next_member(&r->json, &p.key))
		{
			p.op = PLAN_EQUAL;
			p.value = json_read_value(&r->json, &r->stack);
			p.is_attribute = is_attribute;
			add_predicate(r, m, &max, p);
		}
		return;
	}
	json_begin_array(&r->json);
	while (json_next_element(&r->json))
	{
		p = read_triple(r);
		p.is_attribute = is_attribute;
		add_predicate(r, m, &max, p);
	}
}

static void
read_args(PlanReader *r, PlanMatcher *m)
{
	Value		v = {.type = VALUE_EMPTY};

	if (r->json.token == JSON_TOKEN_OBJECT_START)
		v = json_read_value(&r->json, &r->stack);
	else if (r->json.token == JSON_TOKEN_NULL && (r->is_outline || !r->is_record))
		json_next(&r->json);
	else if (!r->is_record)
		json_fail(&r->json, "an object of arguments");
	else if (r->json.token == JSON_TOKEN_STRING)
	{
		if (!json_text_object(json_string(&r->json), r->arena, &v))
			return;
	}
	else
	{
		json_skip(&r->json);
		return;
	}
	m->has_args = true;
	m->args = v;
}

/* A member of a matcher, if it is one. */
static bool
read_matcher_member(PlanReader *r, PlanMatcher *m, Member member)
{
	switch (member)
	{
		case MEMBER_NAME:
		case MEMBER_TOOL:
		case MEMBER_AGENT:
			if (r->is_record && r->json.token != JSON_TOKEN_STRING)
			{
				json_skip(&r->json);
				return true;
			}
			/* of an agent's own words, the one that says tool wins */
			if (m->name.len > 0 && !r->is_record)
				json_fail_detail(&r->json, "a step has one of name, tool and agent.");
			if (m->name.len > 0 && member == MEMBER_NAME)
			{
				json_skip(&r->json);
				return true;
			}
			m->name = json_string(&r->json);
			if (member != MEMBER_NAME)
				m->kind = member == MEMBER_TOOL ? KIND_TOOL : KIND_AGENT;
			return true;
		case MEMBER_KIND:
			m->kind = read_kind(r);
			return true;
		case MEMBER_ARGS:
			read_args(r, m);
			return true;
		case MEMBER_WHERE:
			read_predicates(r, m, false);
			return true;
		case MEMBER_ATTRIBUTES:
			read_predicates(r, m, true);
			return true;
		case MEMBER_COST:
			m->cost = read_cost(r);
			return true;
		default:
			return false;
	}
}

static void
require_name(PlanReader *r, const PlanMatcher *m)
{
	if (m->name.len == 0 && !r->is_record)
		json_fail_detail(&r->json, "a step needs a name, a tool or an agent.");
}

static PlanMatcher
new_matcher(void)
{
	return (PlanMatcher) {
		.name = {"", 0},.kind = PLAN_TOOL_OR_AGENT
	};
}

static PlanMatcher
read_matcher(PlanReader *r)
{
	PlanMatcher m = new_matcher();
	Bytes		name;

	if (r->json.token == JSON_TOKEN_STRING)
	{
		m.name = json_string(&r->json);
		require_name(r, &m);
		return m;
	}
	json_begin_object(&r->json);
	while (json_next_member(&r->json, &name))
		if (!read_matcher_member(r, &m, find_member(r, name)))
			skip_unknown(r, name);
	require_name(r, &m);
	return m;
}

static void
add_matcher(PlanReader *r, PlanStep *s, PlanMatcher m)
{
	uint32		n = s->matcher_count;

	/* there is room for as many as the next power of two */
	if ((n & (n - 1)) == 0)
	{
		PlanMatcher *more = arena_alloc(r->arena, Max(2 * (size_t) n, 1) * sizeof(PlanMatcher));

		if (n > 0)
			memcpy(more, s->matchers, n * sizeof(PlanMatcher));
		s->matchers = more;
	}
	s->matchers[s->matcher_count++] = m;
}

/* An id may be a number. */
static Bytes
read_id(PlanReader *r)
{
	Bytes		text = json_peek_text(&r->json);

	if (r->json.token == JSON_TOKEN_STRING)
		return json_string(&r->json);
	if (r->json.token != JSON_TOKEN_NUMBER && r->is_record)
	{
		json_skip(&r->json);
		return (Bytes) {"", 0};
	}
	if (r->json.token != JSON_TOKEN_NUMBER)
		json_fail(&r->json, "an id");
	json_next(&r->json);
	return text;
}

static void
read_after(PlanReader *r, RawStep *raw)
{
	uint32		max = 0;

	raw->has_after = true;
	raw->after_count = 0;
	if (r->json.token != JSON_TOKEN_ARRAY_START)
	{
		raw->after = arena_alloc(r->arena, sizeof(Bytes));
		raw->after[raw->after_count++] = read_id(r);
		return;
	}
	json_begin_array(&r->json);
	while (json_next_element(&r->json))
	{
		if (raw->after_count >= max)
		{
			Bytes	   *more = arena_alloc(r->arena, (max = Max(max * 2, 4)) * sizeof(Bytes));

			if (raw->after_count > 0)
				memcpy(more, raw->after, raw->after_count * sizeof(Bytes));
			raw->after = more;
		}
		raw->after[raw->after_count++] = read_id(r);
	}
}

static ActionPlan *read_plan(PlanReader *r, int depth, bool may_be_revised, int64 *at_ns);

static void
read_step_member(PlanReader *r, RawStep *raw, PlanMatcher *m, Bytes name, int depth)
{
	PlanStep   *s = &raw->step;

	switch (find_member(r, name))
	{
		case MEMBER_ID:
			s->id = read_id(r);
			break;
		case MEMBER_ALTERNATIVES:
			if (s->matcher_count > 1)
				json_fail_detail(&r->json, "\"alternatives\" is there twice.");
			json_begin_array(&r->json);
			while (json_next_element(&r->json))
				add_matcher(r, s, read_matcher(r));
			break;
		case MEMBER_AFTER:
			read_after(r, raw);
			break;
		case MEMBER_OPTIONAL:
			if (read_bool(r))
				s->min = 0;
			break;
		case MEMBER_REPEAT:
			read_repeat(r, s);
			break;
		case MEMBER_EFFECT:
			read_effect(r, s);
			break;
		case MEMBER_PLAN:
			if (r->is_record)
				json_skip(&r->json);
			else
				s->subplan = read_plan(r, depth + 1, false, NULL);
			break;
		case MEMBER_COST:
			json_fail_detail(&r->json, "only an alternative has a cost.");
		default:
			if (!read_matcher_member(r, m, find_member(r, name)))
				skip_unknown(r, name);
			break;
	}
}

/* Is this a name as programs have them, and not prose? */
bool
plan_is_word(Bytes name)
{
	for (uint32 i = 0; i < name.len; i++)
	{
		unsigned char c = name.data[i];
		bool		is_letter = (c | 0x20) >= 'a' && (c | 0x20) <= 'z';

		if (!is_letter && !(c >= '0' && c <= '9') && (c == '\0' || strchr("_-.:/", c) == NULL))
			return false;
	}
	return name.len > 0 && name.len <= PLAN_MAX_WORD;
}

/* False if what an agent recorded is not a step that can be matched. */
static bool
read_step(PlanReader *r, RawStep *raw, int depth)
{
	PlanMatcher m = new_matcher();
	PlanStep   *s = &raw->step;
	bool		is_optional = false;
	Bytes		name;

	memset(raw, 0, sizeof(*raw));
	s->min = s->max = 1;
	add_matcher(r, s, m);		/* room for the first */
	if (r->json.token == JSON_TOKEN_STRING)
		m = read_matcher(r);
	else if (r->json.token != JSON_TOKEN_OBJECT_START && r->is_record)
		json_skip(&r->json);
	else
	{
		json_begin_object(&r->json);
		while (json_next_member(&r->json, &name))
		{
			read_step_member(r, raw, &m, name, depth);
			/* whichever of the two comes first */
			is_optional |= find_member(r, name) == MEMBER_OPTIONAL && s->min == 0;
		}
		if (is_optional)
			s->min = 0;
		require_name(r, &m);
	}
	s->matchers[0] = m;
	if (!r->is_record)
		return true;
	if (s->id.len > PLAN_MAX_NAME)
		s->id = (Bytes) {"", 0};
	return plan_is_word(m.name);
}

static int
compare_uint32(const void *a, const void *b)
{
	uint32		x = *(const uint32 *) a;
	uint32		y = *(const uint32 *) b;

	return (x > y) - (x < y);
}

typedef struct StepId
{
	Bytes		id;
	uint32		step;
} StepId;

static int
compare_step_ids(const void *a, const void *b)
{
	return bytes_compare(((const StepId *) a)->id, ((const StepId *) b)->id);
}

/* What a step waits for, by number. */
static void
resolve_after(PlanReader *r, const RawStep *raw, PlanStep *s, const StepId *ids, uint32 n)
{
	uint32		count = 0;

	s->after = arena_alloc(r->arena, raw->after_count * sizeof(uint32));
	for (uint32 i = 0; i < raw->after_count; i++)
	{
		StepId		wanted = {raw->after[i]};
		const StepId *found = bsearch(&wanted, ids, n, sizeof(StepId), compare_step_ids);

		if (found)
			s->after[count++] = found->step;
		else if (!r->is_record)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
					 errmsg("invalid plan"),
					 errdetail("Step \"%.*s\" is to come after \"%.*s\", which is not a step.",
							   utf8_clip(s->id, 60), s->id.data,
							   utf8_clip(raw->after[i], 60), raw->after[i].data)));
	}
	qsort(s->after, count, sizeof(uint32), compare_uint32);
	for (uint32 i = 0; i < count; i++)
		if (i == 0 || s->after[i] != s->after[s->after_count - 1])
			s->after[s->after_count++] = s->after[i];
}

static void
resolve(PlanReader *r, ActionPlan *plan, const RawStep *raw, bool is_ordered)
{
	uint32		n = plan->step_count;
	StepId	   *ids = palloc((n + 1) * sizeof(StepId));

	plan->steps = arena_alloc(r->arena, n * sizeof(PlanStep));
	for (uint32 i = 0; i < n; i++)
		plan->steps[i] = raw[i].step;
	plan_name_steps(plan, r->arena);
	for (uint32 i = 0; i < n; i++)
		ids[i] = (StepId) {plan->steps[i].id, i};
	qsort(ids, n, sizeof(StepId), compare_step_ids);
	for (uint32 i = 0; i < n; i++)
	{
		PlanStep   *s = &plan->steps[i];

		if (raw[i].has_after || !is_ordered || i == 0)
			resolve_after(r, &raw[i], s, ids, n);
		else
		{
			s->after = arena_alloc(r->arena, sizeof(uint32));
			s->after[s->after_count++] = i - 1;
		}
	}
	pfree(ids);
}

static RawStep *
read_steps(PlanReader *r, int depth, uint32 *count)
{
	uint32		max = 16;
	RawStep    *raw = palloc(max * sizeof(RawStep));

	*count = 0;
	if (depth > PLAN_MAX_DEPTH)
		json_fail_detail(&r->json, psprintf("plans are nested deeper than %d levels.", PLAN_MAX_DEPTH));
	json_begin_array(&r->json);
	while (json_next_element(&r->json))
	{
		if (*count >= PLAN_MAX_STEPS && r->is_record)
		{
			json_skip(&r->json);
			continue;
		}
		if (*count >= PLAN_MAX_STEPS)
			json_fail_detail(&r->json, psprintf("a plan has at most %d steps.", PLAN_MAX_STEPS));
		if (*count >= max)
			raw = repalloc(raw, (max *= 2) * sizeof(RawStep));
		if (read_step(r, &raw[*count], depth))
			(*count)++;
		CHECK_FOR_INTERRUPTS();
	}
	return raw;
}

static void
read_revisions(PlanReader *r, ActionPlan *plan, int depth)
{
	uint32		max = 0;

	json_begin_array(&r->json);
	while (json_next_element(&r->json))
	{
		PlanRevision revision = {0};

		if (plan->revision_count >= max)
		{
			PlanRevision *more = arena_alloc(r->arena, (max = Max(max * 2, 4)) * sizeof(PlanRevision));

			if (plan->revision_count > 0)
				memcpy(more, plan->revisions, plan->revision_count * sizeof(PlanRevision));
			plan->revisions = more;
		}
		if (plan->revision_count >= PLAN_MAX_REVISIONS)
			json_fail_detail(&r->json, psprintf("a plan has at most %d revisions.", PLAN_MAX_REVISIONS));
		revision.plan = read_plan(r, depth, false, &revision.at_ns);
		plan->revisions[plan->revision_count++] = revision;
	}
}

static int64
read_ns(PlanReader *r)
{
	int64		ns;

	if (r->json.token != JSON_TOKEN_NUMBER || !number_read_int(json_peek_text(&r->json), &ns))
		json_fail(&r->json, "nanoseconds since 1970");
	json_next(&r->json);
	return ns;
}

static bool
is_bool(PlanReader *r)
{
	return r->json.token == JSON_TOKEN_TRUE || r->json.token == JSON_TOKEN_FALSE;
}

/* Of a record: "plan" and others hold the steps if they are lists. */
static bool
holds_steps(PlanReader *r, Member member)
{
	return (member == MEMBER_STEPS || member == MEMBER_PLAN) &&
		r->json.token == JSON_TOKEN_ARRAY_START;
}

/* Steps of a record without an id of their own get one later. */
static void
forget_double_ids(RawStep *raw, uint32 n)
{
	for (uint32 i = 1; i < n; i++)
		for (uint32 k = 0; k < i; k++)
			if (bytes_equal(raw[i].step.id, raw[k].step.id))
				raw[i].step.id = (Bytes) {"", 0};
}

/* NULL if it is a record without steps. */
static ActionPlan *
read_plan(PlanReader *r, int depth, bool may_be_revised, int64 *at_ns)
{
	ActionPlan *plan = arena_alloc(r->arena, sizeof(ActionPlan));
	RawStep    *raw = NULL;
	bool		is_ordered = r->is_ordered;
	Bytes		name;

	memset(plan, 0, sizeof(ActionPlan));
	if (r->json.token == JSON_TOKEN_ARRAY_START)
		raw = read_steps(r, depth, &plan->step_count);
	else
	{
		json_begin_object(&r->json);
		while (json_next_member(&r->json, &name))
		{
			Member		member = find_member(r, name);

			if (r->is_record && (raw != NULL || !holds_steps(r, member)) && member != MEMBER_ORDERED)
				json_skip(&r->json);
			else if (member == MEMBER_STEPS || (member == MEMBER_PLAN && r->is_record))
			{
				if (raw != NULL)
					json_fail_detail(&r->json, "\"steps\" is there twice.");
				raw = read_steps(r, depth, &plan->step_count);
			}
			else if (member == MEMBER_ORDERED && r->is_record && !is_bool(r))
				json_skip(&r->json);
			else if (member == MEMBER_ORDERED)
				is_ordered = read_bool(r);
			else if (member == MEMBER_REVISIONS && may_be_revised)
				read_revisions(r, plan, depth);
			else if (member == MEMBER_AT_NS && at_ns != NULL)
				*at_ns = read_ns(r);
			else
				skip_unknown(r, name);
		}
		if (raw == NULL && r->is_record)
			return NULL;
		if (raw == NULL)
			json_fail_detail(&r->json, "a plan needs \"steps\".");
	}
	if (r->is_record)
		forget_double_ids(raw, plan->step_count);
	resolve(r, plan, raw, is_ordered);
	pfree(raw);
	return plan;
}

static ActionPlan *
read_json(const char *text, size_t len, Arena *arena)
{
	PlanReader	r = {.arena = arena};
	ActionPlan *plan;

	json_reader_init(&r.json, text, len, "plan", arena);
	plan = read_plan(&r, 0, true, NULL);
	if (r.json.token != JSON_TOKEN_END)
		json_fail(&r.json, "the end");
	return plan;
}

static bool
looks_like_json(const char *text, size_t len)
{
	size_t		i = 0;

	while (i < len && strchr(" \t\r\n", text[i]))
		i++;
	return i < len && (text[i] == '{' || text[i] == '[');
}

/* A plan in either form. */
ActionPlan *
plan_from_text(const char *text, size_t len, Arena *arena)
{
	ActionPlan *plan = looks_like_json(text, len) ?
		read_json(text, len, arena) : plan_parse_short(text, len, arena);

	plan_check(plan);
	return plan;
}

static bool
has_too_many_edges(const ActionPlan *plan)
{
	uint64		edges = 0;

	for (uint32 i = 0; i < plan->step_count; i++)
		edges += plan->steps[i].after_count;
	return edges > PLAN_MAX_EDGES;
}

static ActionPlan *
read_record(PlanReader *r, Bytes text)
{
	ActionPlan *plan;

	if (!json_text_is_readable(text))
		return NULL;
	json_reader_init(&r->json, text.data, text.len, "plan", r->arena);
	plan = read_plan(r, 0, false, NULL);
	return plan != NULL && plan->step_count > 0 && !has_too_many_edges(plan) ? plan : NULL;
}

/*
 * A plan that an agent recorded: JSON with steps that name tools or agents, or
 * names with arrows between them.  NULL if the text is none, or has an order
 * that no plan can have.
 */
ActionPlan *
plan_from_record(Bytes text, bool is_ordered, Arena *arena)
{
	PlanReader	r = {.arena = arena,.is_record = true,.is_ordered = is_ordered};

	if (!looks_like_json(text.data, text.len))
		return plan_from_arrows(text, arena);
	return read_record(&r, text);
}

/* What plan_put_outline_json wrote.  NULL if the text is anything else. */
ActionPlan *
plan_from_outline(Bytes text, bool is_ordered, Arena *arena)
{
	PlanReader	r = {.arena = arena,.is_record = true,.is_outline = true,.is_ordered = is_ordered};

	return looks_like_json(text.data, text.len) ? read_record(&r, text) : NULL;
}

/* --------------------------------------------------------------- writing --- */

static void put_plan(StringInfo buf, const ActionPlan *plan);

static void
put_member(StringInfo buf, const char *name)
{
	char		last = buf->data[buf->len - 1];

	if (last != '{' && last != '[')
		appendStringInfoString(buf, ", ");
	if (name)
		appendStringInfo(buf, "\"%s\": ", name);
}

/* Thousandths with no more digits than they need. */
static void
put_cost(StringInfo buf, int32 cost)
{
	appendStringInfo(buf, "%d", cost / 1000);
	if (cost % 1000 == 0)
		return;
	appendStringInfo(buf, ".%03d", cost % 1000);
	while (buf->data[buf->len - 1] == '0')
		buf->data[--buf->len] = '\0';
}

static void
put_predicates(StringInfo buf, const PlanMatcher *m, const char *name, bool of_attributes)
{
	bool		is_open = false;

	for (uint32 i = 0; i < m->predicate_count; i++)
	{
		const PlanPredicate *p = &m->predicates[i];

		if (p->is_attribute != of_attributes)
			continue;
		if (!is_open)
		{
			put_member(buf, name);
			appendStringInfoChar(buf, '[');
			is_open = true;
		}
		put_member(buf, NULL);
		appendStringInfoChar(buf, '[');
		json_put_string(buf, p->key);
		appendStringInfo(buf, ", \"%s\", ", plan_operator_names[p->op]);
		json_put_value(buf, &p->value);
		appendStringInfoChar(buf, ']');
	}
	if (is_open)
		appendStringInfoChar(buf, ']');
}

static void
put_matcher(StringInfo buf, const PlanMatcher *m)
{
	put_member(buf, m->kind == KIND_TOOL ? "tool" : m->kind == KIND_AGENT ? "agent" : "name");
	json_put_string(buf, m->name);
	if (m->kind != KIND_TOOL && m->kind != KIND_AGENT && m->kind != PLAN_TOOL_OR_AGENT)
	{
		put_member(buf, "kind");
		appendStringInfo(buf, "\"%s\"", operation_kind_name(m->kind));
	}
	if (m->has_args)
	{
		put_member(buf, "args");
		json_put_value(buf, &m->args);
	}
	put_predicates(buf, m, "where", false);
	put_predicates(buf, m, "attributes", true);
}

static void
put_alternatives(StringInfo buf, const PlanStep *s)
{
	if (s->matcher_count < 2)
		return;
	put_member(buf, "alternatives");
	appendStringInfoChar(buf, '[');
	for (uint32 i = 1; i < s->matcher_count; i++)
	{
		put_member(buf, NULL);
		appendStringInfoChar(buf, '{');
		put_matcher(buf, &s->matchers[i]);
		if (s->matchers[i].cost > 0)
		{
			put_member(buf, "cost");
			put_cost(buf, s->matchers[i].cost);
		}
		appendStringInfoChar(buf, '}');
	}
	appendStringInfoChar(buf, ']');
}

static void
put_times(StringInfo buf, const PlanStep *s)
{
	if (s->min == 1 && s->max == 1)
		return;
	if (s->min == 0 && s->max == 1)
	{
		put_member(buf, "optional");
		appendStringInfoString(buf, "true");
		return;
	}
	put_member(buf, "repeat");
	if (s->max == PLAN_ANY_NUMBER)
		appendStringInfo(buf, "[%u, null]", s->min);
	else
		appendStringInfo(buf, "[%u, %u]", s->min, s->max);
}

static void
put_step(StringInfo buf, const ActionPlan *plan, const PlanStep *s)
{
	put_member(buf, NULL);
	appendStringInfoChar(buf, '{');
	put_member(buf, "id");
	json_put_string(buf, s->id);
	put_matcher(buf, &s->matchers[0]);
	put_alternatives(buf, s);
	if (s->after_count > 0)
	{
		put_member(buf, "after");
		appendStringInfoChar(buf, '[');
		for (uint32 i = 0; i < s->after_count; i++)
		{
			put_member(buf, NULL);
			json_put_string(buf, plan->steps[s->after[i]].id);
		}
		appendStringInfoChar(buf, ']');
	}
	put_times(buf, s);
	if (s->effect != EFFECT_UNKNOWN)
	{
		put_member(buf, "effect");
		if (s->effect == EFFECT_WEIGHT)
			put_cost(buf, s->weight);
		else
			appendStringInfo(buf, "\"%s\"", plan_effect_names[s->effect]);
	}
	if (s->subplan)
	{
		put_member(buf, "plan");
		put_plan(buf, s->subplan);
	}
	appendStringInfoChar(buf, '}');
}

static void
put_steps(StringInfo buf, const ActionPlan *plan)
{
	put_member(buf, "steps");
	appendStringInfoChar(buf, '[');
	for (uint32 i = 0; i < plan->step_count; i++)
		put_step(buf, plan, &plan->steps[i]);
	appendStringInfoChar(buf, ']');
}

/* The recursion is bounded by PLAN_MAX_DEPTH. */
static void
put_plan(StringInfo buf, const ActionPlan *plan)
{
	appendStringInfoChar(buf, '{');
	put_steps(buf, plan);
	if (plan->revision_count > 0)
	{
		put_member(buf, "revisions");
		appendStringInfoChar(buf, '[');
		for (uint32 i = 0; i < plan->revision_count; i++)
		{
			put_member(buf, NULL);
			appendStringInfo(buf, "{\"at_ns\": " INT64_FORMAT, plan->revisions[i].at_ns);
			put_steps(buf, plan->revisions[i].plan);
			appendStringInfoChar(buf, '}');
		}
		appendStringInfoChar(buf, ']');
	}
	appendStringInfoChar(buf, '}');
}

void
plan_put_json(StringInfo buf, const ActionPlan *plan)
{
	put_plan(buf, plan);
}

/*
 * Write what steps there are and what comes after what, as a record to be read
 * again.  Arguments are left out, but for that there are some, and ids that are
 * no words replaced.
 */
void
plan_put_outline_json(StringInfo buf, ActionPlan *plan, Arena *arena)
{
	bool		has_order = false;

	for (uint32 i = 0; i < plan->step_count; i++)
	{
		PlanStep   *s = &plan->steps[i];

		if (!plan_is_word(s->id))
			s->id = (Bytes) {"", 0};
		s->matchers[0].args = (Value) {.type = VALUE_EMPTY};
		has_order |= s->after_count > 0;
	}
	plan_name_steps(plan, arena);
	appendStringInfoChar(buf, '{');
	/* else whoever reads it may say */
	if (has_order)
		appendStringInfoString(buf, "\"ordered\": false");
	put_steps(buf, plan);
	appendStringInfoChar(buf, '}');
}
