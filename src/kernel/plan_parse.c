/*
 * plan_parse.c
 *		The short form of plans.
 *
 *	plan		sequence
 *	sequence	group { "->" group }
 *	group		element { ("&" | ",") element }
 *	element		choice [ times ] | "(" sequence ")" [ times ]
 *	choice		action { "|" action }
 *	action		[ kind ":" ] name [ "[" effect "]" ] [ "(" predicates ")" ] [ "{" plan "}" ]
 *	times		"?" | "*" | "+" | "{" min "}" | "{" min "," [ max ] "}"
 *	predicates	predicate { "," predicate }
 *	predicate	[ "." ] key ("=" | "!=" | "<" | "<=" | ">" | ">=") value
 *	name, key	letters, digits, "_", "." and "-", or "*", or a quoted string
 *	value		a quoted string, a number, true, false, null, or a word
 *	effect		read, reversible, write, generic, unknown, or a weight
 *
 * What stands before "->" comes before what stands behind it.  A key that
 * begins with a point is an attribute's.  Times after parentheses are only for
 * one step in them.  The recursion is bounded by PLAN_MAX_NESTING.
 */
#include "postgres.h"

#include <math.h>

#include "kernel/json_reader.h"
#include "kernel/plan.h"
#include "miscadmin.h"

/* Steps that a part of the text has, and those it begins and ends with. */
typedef struct Part
{
	uint32		first;			/* steps are numbered as they are read */
	uint32		count;
	uint32	   *begins;
	uint32	   *ends;
	uint32		begin_count;
	uint32		end_count;
} Part;

typedef struct Parser
{
	const char *text;
	const char *at;
	const char *end;
	Arena	   *arena;
	PlanStep   *steps;
	uint32		step_count;
	uint32		step_max;
	uint32		edge_count;
	int			depth;
	int			plan_depth;
} Parser;

pg_noreturn static void parse_fail(const Parser *p, const char *expected);
static Part parse_sequence(Parser *p);
static ActionPlan *parse_plan(Parser *p, char close);

static void
parse_fail(const Parser *p, const char *expected)
{
	Bytes		rest = {p->at, Min(p->end - p->at, 1000)};
	int			shown = utf8_clip(rest, 20);

	ereport(ERROR,
			(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
			 errmsg("invalid plan"),
			 shown == 0 ?
			 errdetail("Byte %zu: expected %s, found the end.", p->at - p->text + 1, expected) :
			 errdetail("Byte %zu: expected %s, found \"%.*s\".", p->at - p->text + 1, expected,
					   shown, rest.data),
			 errhint("A plan looks like: search -> (fetch_invoice & get_user) -> charge_card[write](amount = 42)? -> answer")));
}

static void
skip_space(Parser *p)
{
	while (p->at < p->end && strchr(" \t\r\n", *p->at) && *p->at != '\0')
		p->at++;
}

static bool
is_next(Parser *p, const char *token)
{
	size_t		len = strlen(token);

	skip_space(p);
	return (size_t) (p->end - p->at) >= len && memcmp(p->at, token, len) == 0;
}

static bool
accept(Parser *p, const char *token)
{
	if (!is_next(p, token))
		return false;
	p->at += strlen(token);
	return true;
}

static void
expect(Parser *p, const char *token, const char *what)
{
	if (!accept(p, token))
		parse_fail(p, what);
}

static inline bool
is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (unsigned char) c >= 0x80;
}

static inline bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* A word; "-" is part of it unless it begins "->". */
static bool
parse_word(Parser *p, Bytes *word)
{
	const char *from;

	skip_space(p);
	from = p->at;
	if (from >= p->end || !is_letter(*from))
		return false;
	while (p->at < p->end &&
		   (is_letter(*p->at) || is_digit(*p->at) || *p->at == '.' ||
			(*p->at == '-' && (p->at + 1 == p->end || p->at[1] != '>'))))
		p->at++;
	*word = (Bytes) {from, p->at - from};
	return true;
}

/* A quoted string, as in JSON. */
static bool
parse_quoted(Parser *p, Bytes *string)
{
	const char *close;
	JsonReader	r;

	skip_space(p);
	if (p->at >= p->end || *p->at != '"')
		return false;
	for (close = p->at + 1; close < p->end && *close != '"'; close++)
		if (*close == '\\')
			close++;
	if (close >= p->end)
		parse_fail(p, "a string with a closing quote");
	json_reader_init(&r, p->at, close + 1 - p->at, "plan", p->arena);
	*string = json_string(&r);
	p->at = close + 1;
	return true;
}

static Bytes
parse_name(Parser *p, const char *what)
{
	Bytes		name;

	if (accept(p, "*"))
		return BYTES_LITERAL("*");
	if (!parse_quoted(p, &name) && !parse_word(p, &name))
		parse_fail(p, what);
	if (name.len == 0)
		parse_fail(p, what);
	return name;
}

static bool
parse_number(Parser *p, Bytes *number)
{
	const char *from;

	skip_space(p);
	from = p->at;
	if (p->at < p->end && *p->at == '-')
		p->at++;
	if (p->at >= p->end || !is_digit(*p->at))
	{
		p->at = from;
		return false;
	}
	while (p->at < p->end && (is_digit(*p->at) || *p->at == '.' || *p->at == 'e' || *p->at == 'E' ||
							  ((*p->at == '-' || *p->at == '+') && (p->at[-1] == 'e' || p->at[-1] == 'E'))))
		p->at++;
	*number = (Bytes) {from, p->at - from};
	return true;
}

static Value
parse_value(Parser *p)
{
	Bytes		text;
	const char *from;
	int64		i;
	double		d;

	if (parse_quoted(p, &text))
		return value_string(text);
	skip_space(p);
	from = p->at;
	if (parse_number(p, &text))
	{
		if (number_read_int(text, &i))
			return value_int(i);
		if (number_read_double(text, &d) && isfinite(d))
			return value_double(d);
		p->at = from;
		parse_fail(p, "a number");
	}
	if (!parse_word(p, &text))
		parse_fail(p, "a value");
	if (bytes_equal_cstring(text, "true") || bytes_equal_cstring(text, "false"))
		return value_bool(text.data[0] == 't');
	if (bytes_equal_cstring(text, "null"))
		return (Value) {.type = VALUE_EMPTY};
	return value_string(text);
}

static uint8
parse_operator(Parser *p)
{
	static const struct
	{
		const char *token;
		uint8		op;
	}			operators[] = {
		{"!=", PLAN_UNEQUAL}, {"<=", PLAN_AT_MOST}, {">=", PLAN_AT_LEAST},
		{"=", PLAN_EQUAL}, {"<", PLAN_LESS}, {">", PLAN_GREATER}
	};

	for (uint32 i = 0; i < lengthof(operators); i++)
		if (accept(p, operators[i].token))
			return operators[i].op;
	parse_fail(p, "one of = != < <= > >=");
}

static void
parse_predicates(Parser *p, PlanMatcher *m)
{
	uint32		max = 0;

	do
	{
		PlanPredicate predicate = {.is_attribute = accept(p, ".")};

		predicate.key = parse_name(p, "the name of an argument");
		predicate.op = parse_operator(p);
		predicate.value = parse_value(p);
		if (m->predicate_count >= max)
		{
			PlanPredicate *more = arena_alloc(p->arena, (max = Max(max * 2, 4)) * sizeof(PlanPredicate));

			if (m->predicate_count > 0)
				memcpy(more, m->predicates, m->predicate_count * sizeof(PlanPredicate));
			m->predicates = more;
		}
		m->predicates[m->predicate_count++] = predicate;
	} while (accept(p, ","));
	expect(p, ")", "\",\" or \")\"");
}

static void
parse_effect(Parser *p, PlanStep *s)
{
	Bytes		text;
	const char *from;
	double		weight;

	skip_space(p);
	from = p->at;
	if (parse_number(p, &text))
	{
		if (!number_read_double(text, &weight) ||
			!(weight >= 0 && weight <= PLAN_MAX_WEIGHT / 1000))
		{
			p->at = from;
			parse_fail(p, psprintf("a weight from 0 to %d", PLAN_MAX_WEIGHT / 1000));
		}
		s->effect = EFFECT_WEIGHT;
		s->weight = (int32) rint(weight * 1000);
	}
	else if (!parse_word(p, &text) || !plan_effect_find(text, &s->effect))
	{
		p->at = from;
		parse_fail(p, "read, reversible, write, generic, unknown or a weight");
	}
	expect(p, "]", "\"]\"");
}

static uint32
parse_times_number(Parser *p)
{
	Bytes		text;
	const char *from;
	int64		times;

	skip_space(p);
	from = p->at;
	if (!parse_number(p, &text) || !number_read_int(text, &times) ||
		times < 0 || times > PLAN_MAX_REPEAT)
	{
		p->at = from;
		parse_fail(p, psprintf("a number of times from 0 to %d", PLAN_MAX_REPEAT));
	}
	return (uint32) times;
}

static bool
parse_braced_times(Parser *p, PlanStep *s)
{
	const char *from = p->at;

	if (!accept(p, "{"))
		return false;
	skip_space(p);
	if (p->at >= p->end || !(is_digit(*p->at) || *p->at == '-'))
	{
		p->at = from;			/* a sub-plan */
		return false;
	}
	s->min = s->max = parse_times_number(p);
	if (accept(p, ","))
	{
		if (is_next(p, "}"))
			s->max = PLAN_ANY_NUMBER;
		else
		{
			s->max = parse_times_number(p);
			if (s->max < s->min || s->max == 0)
			{
				p->at = from;
				parse_fail(p, "least and greatest number of times, the greatest not below the least nor 0");
			}
		}
	}
	else if (s->max == 0)
	{
		p->at = from;
		parse_fail(p, "at least one time");
	}
	expect(p, "}", "\"}\"");
	return true;
}

static void
parse_times(Parser *p, PlanStep *s)
{
	if (parse_braced_times(p, s))
		return;
	if (accept(p, "?"))
		s->min = 0;
	else if (accept(p, "*"))
	{
		s->min = 0;
		s->max = PLAN_ANY_NUMBER;
	}
	else if (accept(p, "+"))
		s->max = PLAN_ANY_NUMBER;
}

static uint8
find_kind(Bytes word)
{
	for (uint8 kind = 0; kind < KIND_COUNT; kind++)
		if (bytes_equal_cstring(word, operation_kind_name(kind)))
			return kind;
	return PLAN_TOOL_OR_AGENT;
}

static PlanMatcher
parse_action(Parser *p, PlanStep *s)
{
	PlanMatcher m = {.kind = PLAN_TOOL_OR_AGENT};
	const char *from;

	skip_space(p);
	from = p->at;
	m.name = parse_name(p, "the name of a tool or \"(\"");
	if (accept(p, ":"))
	{
		m.kind = *from == '"' ? PLAN_TOOL_OR_AGENT : find_kind(m.name);
		if (m.kind == PLAN_TOOL_OR_AGENT)
		{
			p->at = from;
			parse_fail(p, "a kind of span, such as tool, agent or llm, before \":\"");
		}
		m.name = parse_name(p, "a name");
	}
	if (accept(p, "["))
		parse_effect(p, s);
	if (accept(p, "("))
		parse_predicates(p, &m);
	if (is_next(p, "{"))
	{
		PlanStep	ignored;

		from = p->at;
		if (parse_braced_times(p, &ignored))
			p->at = from;
		else
		{
			p->at++;
			if (++p->plan_depth > PLAN_MAX_DEPTH)
				parse_fail(p, "no more than 8 levels of sub-plans");
			s->subplan = parse_plan(p, '}');
			p->plan_depth--;
		}
	}
	return m;
}

static Part
parse_choice(Parser *p)
{
	PlanStep	s = {.id = {"", 0},.min = 1,.max = 1};
	Part		part = {.first = p->step_count,.count = 1,.begin_count = 1,.end_count = 1};
	uint32		max = 1;

	s.matchers = arena_alloc(p->arena, sizeof(PlanMatcher));
	do
	{
		PlanMatcher m = parse_action(p, &s);

		if (s.matcher_count >= max)
		{
			PlanMatcher *more = arena_alloc(p->arena, (max *= 2) * sizeof(PlanMatcher));

			memcpy(more, s.matchers, s.matcher_count * sizeof(PlanMatcher));
			s.matchers = more;
		}
		s.matchers[s.matcher_count++] = m;
	} while (accept(p, "|"));
	parse_times(p, &s);

	if (p->step_count >= PLAN_MAX_STEPS)
		parse_fail(p, psprintf("no more than %d steps", PLAN_MAX_STEPS));
	if (p->step_count >= p->step_max)
	{
		p->step_max = Max(p->step_max * 2, 16);
		p->steps = p->steps ? repalloc(p->steps, p->step_max * sizeof(PlanStep)) :
			palloc(p->step_max * sizeof(PlanStep));
	}
	part.begins = part.ends = arena_alloc(p->arena, sizeof(uint32));
	part.begins[0] = p->step_count;
	p->steps[p->step_count++] = s;
	return part;
}

static Part
parse_element(Parser *p)
{
	Part		part;
	const char *from;

	if (!accept(p, "("))
		return parse_choice(p);
	if (++p->depth > PLAN_MAX_NESTING)
		parse_fail(p, psprintf("no more than %d levels of parentheses", PLAN_MAX_NESTING));
	part = parse_sequence(p);
	expect(p, ")", "\"->\", \"&\", \"|\" or \")\"");
	p->depth--;
	skip_space(p);
	from = p->at;
	if (part.count == 1 && p->steps[part.first].min == 1 && p->steps[part.first].max == 1)
		parse_times(p, &p->steps[part.first]);
	else if (from < p->end && strchr("?*+{", *from))
		parse_fail(p, "times behind one step, not behind several in parentheses");
	if (is_next(p, "|"))
		parse_fail(p, "alternatives without parentheses");
	return part;
}

static uint32 *
join(Parser *p, const uint32 *a, uint32 a_count, const uint32 *b, uint32 b_count)
{
	uint32	   *all = arena_alloc(p->arena, (a_count + b_count) * sizeof(uint32));

	memcpy(all, a, a_count * sizeof(uint32));
	memcpy(all + a_count, b, b_count * sizeof(uint32));
	return all;
}

static Part
parse_group(Parser *p)
{
	Part		part = parse_element(p);

	while (accept(p, "&") || accept(p, ","))
	{
		Part		next = parse_element(p);

		part.begins = join(p, part.begins, part.begin_count, next.begins, next.begin_count);
		part.ends = join(p, part.ends, part.end_count, next.ends, next.end_count);
		part.begin_count += next.begin_count;
		part.end_count += next.end_count;
		part.count += next.count;
	}
	return part;
}

/* Steps are numbered as they are read: what a part ends with is ascending. */
static void
put_behind(Parser *p, const Part *before, const Part *behind)
{
	p->edge_count += before->end_count * behind->begin_count;
	if (p->edge_count > PLAN_MAX_EDGES)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("plan is too large"),
				 errdetail("More than %d times one step comes right after another.", PLAN_MAX_EDGES),
				 errhint("Put one step between two large groups.")));
	for (uint32 i = 0; i < behind->begin_count; i++)
	{
		PlanStep   *s = &p->steps[behind->begins[i]];

		s->after = before->ends;
		s->after_count = before->end_count;
	}
}

static Part
parse_sequence(Parser *p)
{
	Part		part = parse_group(p);

	while (accept(p, "->"))
	{
		Part		next;

		CHECK_FOR_INTERRUPTS();
		next = parse_group(p);
		put_behind(p, &part, &next);
		part.ends = next.ends;
		part.end_count = next.end_count;
		part.count += next.count;
	}
	return part;
}

/* A plan with steps of its own, to the closing character or the end. */
static ActionPlan *
parse_plan(Parser *p, char close)
{
	ActionPlan *plan = arena_alloc(p->arena, sizeof(ActionPlan));
	Parser		own = *p;

	memset(plan, 0, sizeof(ActionPlan));
	own.steps = NULL;
	own.step_count = own.step_max = own.edge_count = 0;
	parse_sequence(&own);
	skip_space(&own);
	if (close == '\0' ? own.at < own.end : own.at >= own.end || *own.at != close)
		parse_fail(&own, close == '\0' ? "\"->\", \"&\", \"|\" or the end" : "\"->\", \"&\", \"|\" or \"}\"");
	if (close != '\0')
		own.at++;
	plan->step_count = own.step_count;
	plan->steps = arena_alloc(p->arena, own.step_count * sizeof(PlanStep));
	memcpy(plan->steps, own.steps, own.step_count * sizeof(PlanStep));
	pfree(own.steps);
	plan_name_steps(plan, p->arena);
	p->at = own.at;
	return plan;
}

ActionPlan *
plan_parse_short(const char *text, size_t len, Arena *arena)
{
	Parser		p = {.text = text,.at = text,.end = text + len,.arena = arena};

	return parse_plan(&p, '\0');
}

/*
 * Names with arrows between them, as agents note a plan down: NULL if the text
 * is anything else.
 */
ActionPlan *
plan_from_arrows(Bytes text, Arena *arena)
{
	Parser		p = {.text = text.data,.at = text.data,.end = text.data + text.len,.arena = arena};
	ActionPlan *plan = arena_alloc(arena, sizeof(ActionPlan));
	uint32		max = 0;

	memset(plan, 0, sizeof(ActionPlan));
	do
	{
		PlanStep	s = {.id = {"", 0},.min = 1,.max = 1,.matcher_count = 1};
		Bytes		name;

		if (!parse_word(&p, &name) || !plan_is_word(name) || plan->step_count >= PLAN_MAX_STEPS)
			return NULL;
		s.matchers = arena_alloc(arena, sizeof(PlanMatcher));
		s.matchers[0] = (PlanMatcher) {.name = name,.kind = PLAN_TOOL_OR_AGENT};
		if (plan->step_count > 0)
		{
			s.after = arena_alloc(arena, sizeof(uint32));
			s.after[s.after_count++] = plan->step_count - 1;
		}
		if (plan->step_count >= max)
		{
			PlanStep   *more = arena_alloc(arena, (max = Max(max * 2, 8)) * sizeof(PlanStep));

			if (plan->step_count > 0)
				memcpy(more, plan->steps, plan->step_count * sizeof(PlanStep));
			plan->steps = more;
		}
		plan->steps[plan->step_count++] = s;
	} while (accept(&p, "->"));
	skip_space(&p);
	if (p.at < p.end || plan->step_count < 2)
		return NULL;
	plan_name_steps(plan, arena);
	return plan;
}
