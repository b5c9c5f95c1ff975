/*
 * plan_options.c
 *		What deviations cost, and how calls are compared.
 */
#include "postgres.h"

#include <math.h>

#include "kernel/json_reader.h"
#include "kernel/plan_options.h"

static const char *const argument_mode_names[ARGUMENT_MODES] = {
	[ARGUMENTS_CANONICAL] = "canonical",
	[ARGUMENTS_EXACT] = "exact",
	[ARGUMENTS_IGNORE] = "ignore",
	[ARGUMENTS_SUBSET] = "subset",
	[ARGUMENTS_SUPERSET] = "superset"
};

static const char *const class_names[COST_CLASSES] = {
	[COST_WRITE] = "write",
	[COST_UNKNOWN] = "unknown",
	[COST_READ] = "read"
};

CostClass
cost_class(uint8 effect)
{
	switch (effect)
	{
		case EFFECT_WRITE:
		case EFFECT_WEIGHT:
			return COST_WRITE;
		case EFFECT_READ:
		case EFFECT_GENERIC:
			return COST_READ;
		default:
			return COST_UNKNOWN;
	}
}

pg_noreturn static void fail(const char *option, const char *expected);

static void
fail(const char *option, const char *expected)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("option \"%s\" of a plan's distance is not valid", option),
			 errdetail("It must be %s.", expected)));
}

/* A number from 0 to max. */
static double
read_number(JsonReader *r, const char *option, double max)
{
	double		number;

	if (r->token != JSON_TOKEN_NUMBER || !number_read_double(json_peek_text(r), &number) ||
		!(number >= 0 && number <= max))
		fail(option, psprintf("a number from 0 to %.0f", max));
	json_next(r);
	return number;
}

static int32
read_cost(JsonReader *r, const char *option, double max)
{
	return (int32) rint(read_number(r, option, max) * 1000);
}

static bool
read_bool(JsonReader *r, const char *option)
{
	bool		is_true = r->token == JSON_TOKEN_TRUE;

	if (!is_true && r->token != JSON_TOKEN_FALSE)
		fail(option, "true or false");
	json_next(r);
	return is_true;
}

/* One cost for all effects, or some of a table. */
static void
read_costs(JsonReader *r, const char *option, int32 *costs)
{
	Bytes		name;

	if (r->token != JSON_TOKEN_OBJECT_START)
	{
		costs[COST_WRITE] = costs[COST_UNKNOWN] = costs[COST_READ] =
			read_cost(r, option, PLAN_MAX_WEIGHT / 1000);
		return;
	}
	json_begin_object(r);
	while (json_next_member(r, &name))
	{
		int			c = 0;

		while (c < COST_CLASSES && !bytes_equal_cstring(name, class_names[c]))
			c++;
		if (c == COST_CLASSES)
			fail(option, "a number, or an object with write, unknown and read");
		costs[c] = read_cost(r, option, PLAN_MAX_WEIGHT / 1000);
	}
}

static uint8
read_mode(JsonReader *r)
{
	if (r->token == JSON_TOKEN_STRING)
	{
		Bytes		word = json_string(r);

		for (uint8 mode = 0; mode < ARGUMENT_MODES; mode++)
			if (bytes_equal_cstring(word, argument_mode_names[mode]))
				return mode;
	}
	fail("arguments", "canonical, exact, ignore, subset or superset");
}

static void
read_effects(JsonReader *r, PlanOptions *o)
{
	static const char expected[] =
		"an object of tools, each read, reversible, write, generic, unknown or a weight";
	uint32		max = 0;
	Bytes		tool;

	if (r->token != JSON_TOKEN_OBJECT_START)
		fail("effects", expected);
	json_begin_object(r);
	while (json_next_member(r, &tool))
	{
		EffectOption e = {.tool = tool};

		if (r->token == JSON_TOKEN_NUMBER)
		{
			e.effect = EFFECT_WEIGHT;
			e.weight = read_cost(r, "effects", PLAN_MAX_WEIGHT / 1000);
		}
		else if (r->token != JSON_TOKEN_STRING || !plan_effect_find(json_string(r), &e.effect))
			fail("effects", expected);
		if (o->effect_count >= max)
		{
			max = Max(max * 2, 16);
			o->effects = o->effects ? repalloc(o->effects, max * sizeof(EffectOption)) :
				palloc(max * sizeof(EffectOption));
		}
		o->effects[o->effect_count++] = e;
	}
}

static int
compare_effects(const void *a, const void *b)
{
	return bytes_compare(((const EffectOption *) a)->tool, ((const EffectOption *) b)->tool);
}

static void
read_option(JsonReader *r, PlanOptions *o, Bytes name)
{
	if (bytes_equal_cstring(name, "order_weight"))
		o->order_weight = read_cost(r, "order_weight", 1);
	else if (bytes_equal_cstring(name, "skip"))
		read_costs(r, "skip", o->skip);
	else if (bytes_equal_cstring(name, "insert"))
		read_costs(r, "insert", o->insert);
	else if (bytes_equal_cstring(name, "failed_insert"))
		o->failed_insert = read_cost(r, "failed_insert", PLAN_MAX_WEIGHT / 1000);
	else if (bytes_equal_cstring(name, "retry"))
		o->retry = read_cost(r, "retry", PLAN_MAX_WEIGHT / 1000);
	else if (bytes_equal_cstring(name, "substitute"))
		o->substitute = read_bool(r, "substitute");
	else if (bytes_equal_cstring(name, "arguments"))
		o->arguments = read_mode(r);
	else if (bytes_equal_cstring(name, "lists_as_sets"))
		o->lists_as_sets = read_bool(r, "lists_as_sets");
	else if (bytes_equal_cstring(name, "effects"))
		read_effects(r, o);
	else if (bytes_equal_cstring(name, "cutoff"))
	{
		if (r->token == JSON_TOKEN_NULL)
			json_next(r);
		else
			o->cutoff = read_number(r, "cutoff", 1);
	}
	else if (bytes_equal_cstring(name, "max_states"))
		o->max_states = (uint32) read_number(r, "max_states", 100000000);
	else if (bytes_equal_cstring(name, "max_pairs"))
		o->max_pairs = (uint64) read_number(r, "max_pairs", 1000000000);
	else
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("unknown option \"%.*s\" of a plan's distance",
						utf8_clip(name, 60), name.data),
				 errhint("Options are order_weight, skip, insert, failed_insert, retry, substitute, arguments, "
						 "lists_as_sets, effects, cutoff, max_states and max_pairs.")));
}

/* Options as a JSON object; what it does not name has its default. */
PlanOptions
plan_options_parse(Bytes json, ArgumentMode default_mode, Arena *arena)
{
	PlanOptions o = {
		.order_weight = 500,
		.skip = {1000, 500, 100},
		.insert = {500, 250, 20},
		.failed_insert = 20,
		.retry = 20,
		.substitute = true,
		.arguments = default_mode,
		.cutoff = 2,
		.max_states = 200000,
		.max_pairs = 10000000
	};
	JsonReader	r;
	Bytes		name;

	json_reader_init(&r, json.data, json.len, "options of a plan's distance", arena);
	json_begin_object(&r);
	while (json_next_member(&r, &name))
		read_option(&r, &o, name);
	if (r.token != JSON_TOKEN_END)
		json_fail(&r, "the end");
	if (o.effect_count > 0)
		qsort(o.effects, o.effect_count, sizeof(EffectOption), compare_effects);
	return o;
}

/* What a tool does as the options say, if what is known so far is nothing. */
void
plan_effect(const PlanOptions *o, Bytes tool, uint8 *effect, int32 *weight)
{
	EffectOption wanted = {.tool = tool};
	EffectOption *found;

	if (*effect != EFFECT_UNKNOWN || o->effect_count == 0)
		return;
	found = bsearch(&wanted, o->effects, o->effect_count, sizeof(EffectOption), compare_effects);
	if (found)
	{
		*effect = found->effect;
		*weight = found->weight;
	}
}
