/*
 * derive.c
 *		Canonical values that take more than reading an attribute.
 *
 * Some conventions put numbers inside a JSON text, or let one key mean two
 * things.  What can be had from those is computed once, when a span comes in,
 * and kept as derived attributes: after that, a value is one look-up, and it
 * survives when long texts are moved elsewhere.
 */
#include "postgres.h"

#include <math.h>

#include "kernel/derive.h"
#include "kernel/json_reader.h"
#include "kernel/plan_actions.h"
#include "kernel/prompt_hash.h"
#include "kernel/repair.h"
#include "miscadmin.h"

/* Texts longer than this are bodies, not figures. */
#define MAX_JSON_LEN (64 * 1024)

/* Events that tell when the first token arrived. */
static const char *const first_token_events[] = {
	"ai.stream.firstChunk", "First Token Stream Event", "first_token",
	"gen_ai.first_token", "new_token"
};

/* A number or text found in a JSON text. */
typedef struct JsonFact
{
	Bytes		name;
	Value		value;			/* string, int, double or bool */
} JsonFact;

#define MAX_FACTS 64

typedef struct JsonFacts
{
	JsonFact	facts[MAX_FACTS];
	int			count;
} JsonFacts;

static const Value *
fact(const JsonFacts *facts, const char *name)
{
	/* of duplicates the last wins, as everywhere */
	for (int i = facts->count; i-- > 0;)
		if (bytes_equal_cstring(facts->facts[i].name, name))
			return &facts->facts[i].value;
	return NULL;
}

static bool
fact_int(const JsonFacts *facts, const char *name, int64 *number)
{
	const Value *v = fact(facts, name);

	return v && value_read_int(v, number) && *number >= 0;
}

/* Collect the scalars of an object; those of objects in it under their names. */
static void
collect_facts(JsonReader *r, JsonFacts *facts, int depth)
{
	Bytes		name;

	json_begin_object(r);
	while (json_next_member(r, &name))
	{
		Value		v = {.type = VALUE_EMPTY};
		Bytes		text = json_peek_text(r);

		switch (r->token)
		{
			case JSON_TOKEN_OBJECT_START:
				if (depth > 0)
				{
					collect_facts(r, facts, depth - 1);
					continue;
				}
				break;
			case JSON_TOKEN_STRING:
				v = value_string(json_string(r));
				break;
			case JSON_TOKEN_TRUE:
			case JSON_TOKEN_FALSE:
				v = value_bool(r->token == JSON_TOKEN_TRUE);
				break;
			case JSON_TOKEN_NUMBER:
				v = value_int(0);
				if (!number_read_int(text, &v.integer))
				{
					v = value_double(0);
					number_read_double(text, &v.number);
				}
				break;
			default:
				break;
		}
		if (v.type != VALUE_STRING)
			json_skip(r);
		if (v.type != VALUE_EMPTY && facts->count < MAX_FACTS)
			facts->facts[facts->count++] = (JsonFact) {name, v};
	}
}

static bool
read_facts(SpanSet *set, Bytes text, int depth, JsonFacts *facts)
{
	JsonReader	r;
	RepairList	repairs;
	size_t		len;
	const char *json;

	facts->count = 0;
	if (text.len < 2 || text.len > MAX_JSON_LEN || text.data[0] != '{')
		return false;
	json = repair_json(text.data, text.len, &len, &repairs);
	if (json != text.data)
		text = arena_copy(&set->arena, json, len);
	/* a seventh of such texts in the wild are Python's, not JSON */
	if (!json_is_valid(text, VALUE_MAX_DEPTH, false))
		return false;
	json_reader_init(&r, text.data, text.len, "JSON text in an attribute", &set->arena);
	collect_facts(&r, facts, depth);
	return true;
}

static void
push_derived(SpanSet *set, CanonicalColumn column, Value value)
{
	spanset_push_attr(set, spanset_derived_key(set, column), value);
}

static bool
starts_with(Bytes s, const char *prefix)
{
	size_t		len = strlen(prefix);

	return s.len >= len && memcmp(s.data, prefix, len) == 0;
}

/* Sum of the buckets whose names begin so; false if there are none. */
static bool
sum_buckets(const JsonFacts *facts, const char *prefix, int64 *sum)
{
	bool		is_found = false;

	*sum = 0;
	for (int i = 0; i < facts->count; i++)
	{
		bool		is_last = true;
		int64		number;

		for (int later = i + 1; later < facts->count && is_last; later++)
			is_last = !bytes_equal(facts->facts[i].name, facts->facts[later].name);
		if (!is_last || !starts_with(facts->facts[i].name, prefix) ||
			!value_read_int(&facts->facts[i].value, &number) || number < 0)
			continue;
		*sum = *sum > PG_INT64_MAX - number ? PG_INT64_MAX : *sum + number;
		is_found = true;
	}
	return is_found;
}

/* The first of some names that is a count; false if none is. */
static bool
derive_first(SpanSet *set, const JsonFacts *facts, CanonicalColumn column,
			 const char *const *names)
{
	int64		number;

	for (; *names; names++)
		if (fact_int(facts, *names, &number))
		{
			push_derived(set, column, value_int(number));
			return true;
		}
	return false;
}

/*
 * One side of a usage text.  Langfuse's "input" and "output" leave out what
 * stands in buckets of their own ("input_cached_tokens"), so those are added
 * back; when the whole says that the parts are already in, they are not.
 */
static void
derive_side(SpanSet *set, const JsonFacts *facts, const char *plain,
			const char *bucket_prefix, const char *const *others,
			bool is_inclusive, CanonicalColumn column)
{
	int64		number;
	int64		buckets;

	if (!fact_int(facts, plain, &number))
		derive_first(set, facts, column, others);
	else
	{
		if (!is_inclusive && sum_buckets(facts, bucket_prefix, &buckets))
			number = number > PG_INT64_MAX - buckets ? PG_INT64_MAX : number + buckets;
		push_derived(set, column, value_int(number));
	}
}

static void
derive_usage(SpanSet *set, Bytes text)
{
	static const char *const inputs[] = {"input_tokens", "prompt_tokens", "promptTokens", NULL};
	static const char *const outputs[] = {"output_tokens", "completion_tokens", "completionTokens", NULL};
	static const char *const reasoning[] = {
		"output_reasoning", "output_reasoning_tokens", "reasoning_tokens",
		"completion_details.reasoning", NULL
	};
	static const char *const cache_read[] = {
		"input_cached_tokens", "input_cache_read", "input_cache_read_tokens",
		"cache_read_input_tokens", "prompt_details.cache_read", NULL
	};
	static const char *const cache_write[] = {
		"input_cache_creation", "input_cache_creation_tokens",
		"cache_creation_input_tokens", NULL
	};
	JsonFacts	facts;
	int64		by_lifetime;
	int64		input;
	int64		output;
	int64		total;
	bool		is_inclusive;

	if (!read_facts(set, text, 0, &facts))
		return;
	is_inclusive = fact_int(&facts, "total", &total) &&
		fact_int(&facts, "input", &input) && fact_int(&facts, "output", &output) &&
		total >= input && total - input == output;
	derive_side(set, &facts, "input", "input_c", inputs, is_inclusive, COLUMN_INPUT_TOKENS);
	derive_side(set, &facts, "output", "output_r", outputs, is_inclusive, COLUMN_OUTPUT_TOKENS);
	derive_first(set, &facts, COLUMN_REASONING_TOKENS, reasoning);
	derive_first(set, &facts, COLUMN_CACHE_READ_TOKENS, cache_read);
	if (!derive_first(set, &facts, COLUMN_CACHE_WRITE_TOKENS, cache_write) &&
		sum_buckets(&facts, "input_cache_creation_", &by_lifetime))
		push_derived(set, COLUMN_CACHE_WRITE_TOKENS, value_int(by_lifetime));
}

static void
derive_cost(SpanSet *set, Bytes text)
{
	JsonFacts	facts;
	const Value *total;
	double		number;

	if (!read_facts(set, text, 0, &facts) ||
		((total = fact(&facts, "total")) == NULL && (total = fact(&facts, "total_cost")) == NULL))
		return;
	if (value_read_double(total, &number) && number >= 0)
		push_derived(set, COLUMN_COST_USD, *total);
}

static void
derive_request(SpanSet *set, Bytes text)
{
	static const char *const limits[] = {
		"max_output_tokens", "max_completion_tokens", "max_tokens", NULL
	};
	JsonFacts	facts;
	const Value *v;

	if (!read_facts(set, text, 0, &facts))
		return;
	derive_first(set, &facts, COLUMN_MAX_OUTPUT_TOKENS, limits);
	if ((v = fact(&facts, "reasoning_effort")) && v->type == VALUE_STRING)
		push_derived(set, COLUMN_REASONING_LEVEL, *v);
	if ((v = fact(&facts, "stream")) && v->type == VALUE_BOOL)
		push_derived(set, COLUMN_IS_STREAMING, *v);
	if ((v = fact(&facts, "service_tier")) && v->type == VALUE_STRING)
		push_derived(set, COLUMN_SERVICE_TIER, *v);
}

static void
derive_provider_metadata(SpanSet *set, Bytes text)
{
	static const char *const reasoning[] = {"reasoningTokens", NULL};
	static const char *const cache_read[] = {
		"cachedPromptTokens", "cacheReadInputTokens", "cache_read_input_tokens", NULL
	};
	static const char *const cache_write[] = {
		"cacheCreationInputTokens", "cache_creation_input_tokens", NULL
	};
	JsonFacts	facts;
	const Value *v;

	if (!read_facts(set, text, 2, &facts))
		return;
	derive_first(set, &facts, COLUMN_REASONING_TOKENS, reasoning);
	derive_first(set, &facts, COLUMN_CACHE_READ_TOKENS, cache_read);
	derive_first(set, &facts, COLUMN_CACHE_WRITE_TOKENS, cache_write);
	if ((v = fact(&facts, "serviceTier")) && v->type == VALUE_STRING)
		push_derived(set, COLUMN_SERVICE_TIER, *v);
	if ((v = fact(&facts, "systemFingerprint")) && v->type == VALUE_STRING)
		push_derived(set, COLUMN_MODEL_FINGERPRINT, *v);
}

/* Langfuse sends the prompt that was used as a whole. */
static void
derive_named_prompt(SpanSet *set, Bytes text)
{
	JsonFacts	facts;
	const Value *v;

	if (!read_facts(set, text, 0, &facts))
		return;
	if ((v = fact(&facts, "name")) && v->type == VALUE_STRING && v->len > 0)
		push_derived(set, COLUMN_PROMPT_NAME, *v);
	if ((v = fact(&facts, "version")) && v->type == VALUE_INT)
	{
		char	   *version = arena_alloc(&set->arena, 24);

		snprintf(version, 24, INT64_FORMAT, v->integer);
		push_derived(set, COLUMN_PROMPT_VERSION, value_string((Bytes) {version, strlen(version)}));
	}
}

/* OpenLLMetry names tools and agents by one key; the kind tells which. */
static void
derive_entity_name(SpanSet *set, const Span *span, const Value *v)
{
	SpanColumns columns = span_columns(set, span);

	switch (columns_kind(&columns))
	{
		case KIND_TOOL:
			push_derived(set, COLUMN_TOOL_NAME, *v);
			break;
		case KIND_AGENT:
			push_derived(set, COLUMN_AGENT_NAME, *v);
			break;
		default:
			break;
	}
}

/* Days from 1970-01-01 in the Gregorian calendar. */
static int64
days_from_civil(int64 year, int month, int day)
{
	int64		y = month > 2 ? year : year - 1;
	int64		m = month > 2 ? month - 3 : month + 9;

	return 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 719469;
}

/* "2026-11-20T15:18:12.541Z", in quotes or not, UTC. */
static bool
parse_iso_time(Bytes text, int64 *time_ns)
{
	char		buf[40];
	int			year;
	int			month;
	int			day;
	int			hour;
	int			minute;
	int			used = -1;		/* stays so if the Z is not there */
	double		second;

	if (text.len > 2 && text.data[0] == '"' && text.data[text.len - 1] == '"')
		text = (Bytes) {text.data + 1, text.len - 2};
	if (text.len >= sizeof(buf))
		return false;
	memcpy(buf, text.data, text.len);
	buf[text.len] = '\0';
	if (sscanf(buf, "%4d-%2d-%2dT%2d:%2d:%lfZ%n", &year, &month, &day, &hour, &minute,
			   &second, &used) != 6 || (uint32) used != text.len)
		return false;
	if (year < 1970 || year > 2261 || month < 1 || month > 12 || day < 1 || day > 31 ||
		hour < 0 || hour > 23 || minute < 0 || minute > 59 || !(second >= 0 && second < 61))
		return false;
	*time_ns = ((days_from_civil(year, month, day) * 24 + hour) * 60 + minute) *
		INT64CONST(60000000000) + (int64) rint(second * 1e9);
	return true;
}

/* The first token came at this time, if it lies within the span. */
static void
derive_first_token(SpanSet *set, const Span *span, int64 time_ns)
{
	if (time_ns < span->start_ns || (span->end_ns != TIME_OPEN && time_ns > span->end_ns))
		return;
	push_derived(set, COLUMN_TTFT_MS, value_double((time_ns - span->start_ns) / 1e6));
}

static const Event *
first_token_event(const Event *events, uint32 n)
{
	for (uint32 i = 0; i < n; i++)
		for (size_t k = 0; k < lengthof(first_token_events); k++)
			if (bytes_equal_cstring(events[i].name, first_token_events[k]))
				return &events[i];
	return NULL;
}

bool
events_need_deriving(const Event *events, uint32 n)
{
	if (first_token_event(events, n) != NULL)
		return true;
	for (uint32 i = 0; i < n; i++)
		if (event_bears_prompt(events[i].name))
			return true;
	return false;
}

/* Could something be derived from these keys, in a span of this kind? */
bool
shape_needs_deriving(const Shape *shape, OperationKind kind)
{
	return shape->has_rules || (shape->has_prompt && kind_bears_prompt(kind));
}

static void
derive_prompt(SpanSet *set, const Span *span)
{
	SpanColumns columns = span_columns(set, span);
	Bytes		hash;

	if (prompt_hash(set, span, columns_kind(&columns), &hash))
		push_derived(set, COLUMN_PROMPT_HASH, value_string(hash));
}

/* What an agent noted down as its plan: steps and their order, no text. */
static void
derive_plan(SpanSet *set, const SpanClass *class, const SpanColumns *columns)
{
	StringInfoData buf;

	if (!span_notes_plan(class, columns))
		return;
	initStringInfo(&buf);
	if (plan_put_outline(&buf, class, columns) && buf.len <= MAX_JSON_LEN)
		push_derived(set, COLUMN_PLAN, value_string(arena_copy(&set->arena, buf.data, buf.len)));
	pfree(buf.data);
}

static void
derive_own_plan(SpanSet *set, const Span *span)
{
	SpanColumns columns = span_columns(set, span);
	SpanClass	class = {.name = span->name,.kind = columns_kind(&columns)};

	derive_plan(set, &class, &columns);
}

/* Is there anything to derive from?  The span's own attributes are sorted. */
bool
span_needs_deriving(const SpanSet *set, const Span *span)
{
	const Shape *shape = &set->shapes[span->shape];

	return shape->has_rules || shape->has_prompt || shape_may_note_plan(shape) ||
		events_need_deriving(span->events, span->event_count);
}

/*
 * Push what can be derived from a span whose attributes are sorted.  Where two
 * sources give one column the last one pushed stays.
 */
void
span_derive(SpanSet *set, const Span *span)
{
	const Event *event = first_token_event(span->events, span->event_count);
	const Shape *shape = &set->shapes[span->shape];
	int64		time_ns;

	for (uint32 i = 0; i < span->attributes.n && shape->has_rules; i++)
	{
		const Value *v = &span->attributes.values[i];

		if (v->type != VALUE_STRING)
			continue;
		switch ((DeriveRule) set->keys[span->attributes.keys[i]].rule)
		{
			case DERIVE_NOTHING:
			case DERIVE_PROMPT:
			case DERIVE_PLAN:
				break;
			case DERIVE_USAGE:
				derive_usage(set, value_bytes(v));
				break;
			case DERIVE_COST:
				derive_cost(set, value_bytes(v));
				break;
			case DERIVE_REQUEST:
				derive_request(set, value_bytes(v));
				break;
			case DERIVE_PROVIDER_METADATA:
				derive_provider_metadata(set, value_bytes(v));
				break;
			case DERIVE_NAMED_PROMPT:
				derive_named_prompt(set, value_bytes(v));
				break;
			case DERIVE_ENTITY_NAME:
				derive_entity_name(set, span, v);
				break;
			case DERIVE_FIRST_TOKEN_TIME:
				if (parse_iso_time(value_bytes(v), &time_ns))
					derive_first_token(set, span, time_ns);
				break;
		}
	}
	if (event)
		derive_first_token(set, span, event->time_ns);
	if (shape->has_prompt || span->event_count > 0)
		derive_prompt(set, span);
	if (shape_may_note_plan(shape))
		derive_own_plan(set, span);
}

static bool
has_derived_plan(const SpanSet *set, const Span *span)
{
	for (uint32 i = 0; i < span->attributes.n; i++)
	{
		const Key  *key = &set->keys[span->attributes.keys[i]];

		if (key->is_derived && key->column == COLUMN_PLAN)
			return true;
	}
	return false;
}

/*
 * Give the spans of a set what derives from the plans that the spans of a
 * trajectory note down, one after the other the same ones, where they lack it.
 */
void
spans_derive_plans(SpanSet *set, const Trajectory *noted)
{
	for (uint32 i = 0; i < set->span_count; i++)
	{
		Span	   *span = &set->spans[i];
		SpanColumns columns = trajectory_columns(noted, i);
		uint32		base = set->stack_count;

		CHECK_FOR_INTERRUPTS();
		if (has_derived_plan(set, span))
			continue;
		for (uint32 k = 0; k < span->attributes.n; k++)
			spanset_push_attr(set, span->attributes.keys[k], span->attributes.values[k]);
		derive_plan(set, trajectory_class(noted, i), &columns);
		span->attributes = spanset_pop_attrs(set, base);
	}
}
