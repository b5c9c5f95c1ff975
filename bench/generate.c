/*-------------------------------------------------------------------------
 *
 * generate.c
 *	  Writes traces of AI agents as OTLP, for the tests, the demo and the
 *	  bench.
 *
 * A company runs five agents (features) for a dozen tenants.  A run of an
 * agent is one trace: the agent's root span, a planner's model call, then
 * steps of a model call and the tools it asks for, in parallel, retried when
 * they fail, some of them sub-agents with steps of their own.  Sizes are
 * heavy-tailed: median 20 spans, 99th percentile about 400, some of 4,000.
 * Every run writes its attributes in one of six conventions of names, as six
 * instrumentation libraries would.
 *
 * Output is one ExportTraceServiceRequest after the other, holding the spans
 * that ended next over all traces, as a Collector batches them; so a trace is
 * split over requests, and children mostly come before their parents.
 *
 *	json		one request a line, as the Collector's file exporter writes
 *	protobuf	each request preceded by its length, four bytes big-endian
 *
 * Some truths are planted in the data, for an analysis to find; --truth FILE
 * writes them down, with totals, as JSON:
 *
 *	growing_prompts	the prompts of one tenant in one feature grow, from the
 *					middle of the history on, to 2.5 times their size
 *	failing_tool	a tool begins to fail more than half of its calls, 3/14 of
 *					the history before its end, and is retried
 *	left_plan		some of the runs that recorded a plan replace one of its
 *					steps and act without one
 *	hidden_branch	of two parallel tools the one that takes longest starts
 *					first and is never on the critical path: the other waits,
 *					then ends last
 *	swapped_model	from 5/14 of the history before its end, another model
 *					answers to the name that is still requested
 *	failure_groups	groups of runs that fail in the same way: within a group
 *					the trees are alike to the last name
 *
 * Whether a run is before or after such a date is decided by its start.
 *
 * Clocks are odd in a small share of the traces: spans without an end, ends
 * before starts, a server's clock that is off, parents that never arrived,
 * and starts in whole milliseconds with ends in nanoseconds, as JavaScript
 * emitters have them.
 *
 *-------------------------------------------------------------------------
 */
#define _GNU_SOURCE

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kernel/otlp.pb-c.h"

#define lengthof(array) ((int) (sizeof(array) / sizeof((array)[0])))

#define US INT64_C(1000)
#define MS INT64_C(1000000)
#define SECOND INT64_C(1000000000)
#define DAY (86400 * SECOND)

typedef struct Text
{
	const char *data;
	uint32_t	len;
} Text;

#define T(s) {(s), sizeof(s) - 1}
#define TEXT(s) ((Text) T(s))

typedef struct Options
{
	int64_t		traces;
	uint64_t	seed;
	int64_t		until;			/* ns since the epoch */
	int			days;
	int			batch;			/* spans a request */
	int64_t		flush;			/* ns a request waits for more, 0: for ever */
	bool		protobuf;
	bool		rich;
	const char *output;
	const char *split;
	const char *truth;
} Options;

static Options options = {
	.traces = 1000,
	.seed = 1,
	.days = 14,
	.batch = 512,
};

static int64_t history_begin;

static void
die(const char *what)
{
	fprintf(stderr, "generate: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void *
allocate(void *old, size_t size)
{
	void	   *new = realloc(old, size);

	if (new == NULL)
		die("memory");
	return new;
}

/*-------------------------------------------------------------------------
 * Random numbers: xoshiro256** by Blackman and Vigna.
 *-------------------------------------------------------------------------
 */
typedef struct Random
{
	uint64_t	s[4];
} Random;

/* Decides what happens.  Texts have generators of their own: see prose(). */
static Random chance_source;

static uint64_t
mix(uint64_t *x)
{
	uint64_t	z = (*x += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static void
seed_random(Random *r, uint64_t seed)
{
	for (int i = 0; i < 4; i++)
		r->s[i] = mix(&seed);
}

static inline uint64_t
rotate(uint64_t x, int k)
{
	return (x << k) | (x >> (64 - k));
}

static inline uint64_t
next_random(Random *r)
{
	uint64_t   *s = r->s;
	uint64_t	result = rotate(s[1] * 5, 7) * 9;
	uint64_t	t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rotate(s[3], 45);
	return result;
}

static inline uint64_t
bits(void)
{
	return next_random(&chance_source);
}

/* 0 <= result < n */
static inline uint32_t
below(uint32_t n)
{
	return (uint32_t) (((bits() >> 32) * n) >> 32);
}

static inline double
uniform(void)
{
	return (double) (bits() >> 11) * 0x1p-53;
}

static inline bool
chance(double p)
{
	return uniform() < p;
}

/* Near enough to a normal variate, from one draw. */
static inline double
normal(void)
{
	uint64_t	b = bits();
	uint64_t	sum = (b & 0xffff) + (b >> 16 & 0xffff) + (b >> 32 & 0xffff) + (b >> 48);

	return ((double) sum / 65536 - 2) * 1.7320508;
}

static inline double
lognormal(double median, double sigma)
{
	return median * exp(sigma * normal());
}

/* As lognormal(), with the far tail that a sum of four draws lacks. */
static double
heavy_lognormal(double median, double sigma)
{
	double		radius = sqrt(-2 * log(1 - uniform()));

	return median * exp(sigma * radius * cos(6.283185307179586 * uniform()));
}

/* An index into weights that sum up to 100. */
static int
weighted(const uint8_t *weights)
{
	int			x = (int) below(100);
	int			i = 0;

	while (x >= weights[i])
		x -= weights[i++];
	return i;
}

/*-------------------------------------------------------------------------
 * Memory: what belongs to a trace, or to a request, is freed together.
 *-------------------------------------------------------------------------
 */
#define CHUNK_SIZE (64 * 1024)

typedef struct Chunk
{
	struct Chunk *next;
	size_t		size;
	size_t		used;
	_Alignas(16) char data[];
} Chunk;

typedef struct Arena
{
	Chunk	   *chunks;
} Arena;

static Chunk *free_chunks;

static void
add_chunk(Arena *arena, size_t size)
{
	Chunk	   *chunk = free_chunks;

	if (size <= CHUNK_SIZE && chunk != NULL)
		free_chunks = chunk->next;
	else
	{
		if (size < CHUNK_SIZE)
			size = CHUNK_SIZE;
		chunk = allocate(NULL, sizeof(Chunk) + size);
		chunk->size = size;
	}
	chunk->used = 0;
	chunk->next = arena->chunks;
	arena->chunks = chunk;
}

static void *
arena_alloc(Arena *arena, size_t size)
{
	Chunk	   *chunk = arena->chunks;
	void	   *result;

	size = (size + 7) & ~(size_t) 7;
	if (chunk == NULL || chunk->size - chunk->used < size)
	{
		add_chunk(arena, size);
		chunk = arena->chunks;
	}
	result = chunk->data + chunk->used;
	chunk->used += size;
	return result;
}

static void *
arena_zero(Arena *arena, size_t size)
{
	return memset(arena_alloc(arena, size), 0, size);
}

static void
arena_reset(Arena *arena)
{
	while (arena->chunks != NULL)
	{
		Chunk	   *chunk = arena->chunks;

		arena->chunks = chunk->next;
		if (chunk->size > CHUNK_SIZE)
			free(chunk);
		else
		{
			chunk->next = free_chunks;
			free_chunks = chunk;
		}
	}
}

/* Room for one more element at the end of an array in an arena. */
static void *
arena_grow(Arena *arena, void *array, int used, int *capacity, size_t element)
{
	void	   *larger;

	if (used < *capacity)
		return array;
	*capacity = *capacity == 0 ? 8 : *capacity * 2;
	larger = arena_alloc(arena, *capacity * element);
	if (used > 0)
		memcpy(larger, array, used * element);
	return larger;
}

/*-------------------------------------------------------------------------
 * Text.
 *-------------------------------------------------------------------------
 */
typedef struct Buffer
{
	char	   *data;
	size_t		len;
	size_t		capacity;
} Buffer;

static void
enlarge(Buffer *b, size_t more)
{
	while (b->capacity - b->len < more)
		b->capacity = b->capacity == 0 ? 65536 : b->capacity * 2;
	b->data = allocate(b->data, b->capacity);
}

static inline char *
reserve(Buffer *b, size_t more)
{
	if (b->capacity - b->len < more)
		enlarge(b, more);
	return b->data + b->len;
}

static inline void
put(Buffer *b, const char *data, size_t len)
{
	memcpy(reserve(b, len), data, len);
	b->len += len;
}

#define PUT(b, literal) put((b), (literal), sizeof(literal) - 1)

static inline void
put_text(Buffer *b, Text text)
{
	put(b, text.data, text.len);
}

static void
put_uint(Buffer *b, uint64_t n)
{
	char		digits[20];
	int			i = sizeof(digits);

	while (n >= 100)
	{
		uint32_t	pair = n % 100;

		n /= 100;
		digits[--i] = '0' + pair % 10;
		digits[--i] = '0' + pair / 10;
	}
	if (n >= 10)
	{
		digits[--i] = '0' + n % 10;
		n /= 10;
	}
	digits[--i] = '0' + n;
	put(b, digits + i, sizeof(digits) - i);
}

/* n / 1000, with three decimals: JSON readers get the nearest double. */
static void
put_thousandths(Buffer *b, uint64_t n)
{
	char		decimals[4] = {'.', '0' + n / 100 % 10, '0' + n / 10 % 10, '0' + n % 10};

	put_uint(b, n / 1000);
	put(b, decimals, sizeof(decimals));
}

static void
write_hex(char *to, uint64_t n)
{
	for (int i = 15; i >= 0; i--, n >>= 4)
		to[i] = "0123456789abcdef"[n & 15];
}

static inline void
put_hex(Buffer *b, uint64_t n)
{
	write_hex(reserve(b, 16), n);
	b->len += 16;
}

/* What stands between the quotes of a JSON string. */
static void
put_escaped(Buffer *b, Text text)
{
	char	   *to = reserve(b, 6 * (size_t) text.len);
	char	   *start = to;

	for (uint32_t i = 0; i < text.len; i++)
	{
		unsigned char c = text.data[i];

		if (c >= 0x20 && c != '"' && c != '\\')
			*to++ = c;
		else if (c == '\n')
		{
			*to++ = '\\';
			*to++ = 'n';
		}
		else if (c >= 0x20)
		{
			*to++ = '\\';
			*to++ = c;
		}
		else
			to += sprintf(to, "\\u%04x", c);
	}
	b->len += to - start;
}

static void
put_quoted(Buffer *b, Text text)
{
	PUT(b, "\"");
	put_escaped(b, text);
	PUT(b, "\"");
}

static void
put_time(Buffer *b, int64_t ns)
{
	time_t		seconds = ns / SECOND;
	char		text[32];
	struct tm	tm;

	gmtime_r(&seconds, &tm);
	put(b, text, strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm));
	put(b, text, sprintf(text, ".%03dZ", (int) (ns % SECOND / MS)));
}

/* A scratch buffer's content moves into an arena, and the buffer is empty. */
static Text
take_text(Arena *arena, Buffer *b)
{
	char	   *copy = arena_alloc(arena, b->len);
	Text		text = {copy, (uint32_t) b->len};

	memcpy(copy, b->data, b->len);
	b->len = 0;
	return text;
}

static Text
join(Arena *arena, Text a, Text b, Text c)
{
	char	   *copy = arena_alloc(arena, a.len + b.len + c.len);

	memcpy(copy, a.data, a.len);
	memcpy(copy + a.len, b.data, b.len);
	memcpy(copy + a.len + b.len, c.data, c.len);
	return (Text) {copy, a.len + b.len + c.len};
}

static Text
hex_text(Arena *arena, Text prefix, uint64_t n)
{
	char	   *copy = arena_alloc(arena, prefix.len + 16);

	memcpy(copy, prefix.data, prefix.len);
	write_hex(copy + prefix.len, n);
	return (Text) {copy, prefix.len + 16};
}

/*
 * About length bytes of something like English, the same for the same seed:
 * so that a conversation's next trace can repeat what was said before.
 */
static Text
prose(Arena *arena, uint64_t seed, int length)
{
	static const Text words[] = {
		T("the"), T("of"), T("and"), T("to"), T("order"), T("in"), T("customer"), T("is"),
		T("that"), T("for"), T("a"), T("invoice"), T("was"), T("with"), T("result"), T("as"),
		T("not"), T("request"), T("on"), T("be"), T("by"), T("this"), T("which"), T("payment"),
		T("from"), T("at"), T("should"), T("search"), T("have"), T("an"), T("are"), T("will"),
		T("document"), T("there"), T("service"), T("before"), T("after"), T("returned"), T("we"),
		T("however"), T("status"), T("delivery"), T("account"), T("because"), T("latency"),
		T("could"), T("version"), T("please"), T("between"), T("address"), T("\"pending\""),
		T("deployment"), T("refund"), T("region"), T("caf\303\251"), T("report"), T("table"),
		T("evidence"), T("therefore"), T("42"), T("error"), T("within"), T("summary"),
		T("\346\235\261\344\272\254"),
	};
	Random		source;
	char	   *text = arena_alloc(arena, length + 32);
	int			len = 0;
	int			left = 0;		/* words left in the sentence */

	seed_random(&source, seed);
	while (len < length)
	{
		uint64_t	b = next_random(&source);

		for (int i = 0; i < 10 && len < length; i++, b >>= 6)
		{
			Text		word = words[b & 63];

			if (left-- <= 0)
			{
				left = 5 + (b >> 58) % 16;
				if (len > 0)
				{
					text[len - 1] = '.';
					text[len++] = left % 4 == 0 ? '\n' : ' ';
				}
			}
			memcpy(text + len, word.data, word.len);
			len += word.len;
			text[len++] = ' ';
		}
	}
	text[len - 1] = '.';
	return (Text) {text, len};
}

/*-------------------------------------------------------------------------
 * Spans, as the writers get them.
 *-------------------------------------------------------------------------
 */
typedef enum ValueType
{
	VALUE_STRING,
	VALUE_OPEN_LIST,			/* a string: a JSON array without its last ] */
	VALUE_STRINGS,				/* an array of one string */
	VALUE_INT,
	VALUE_THOUSANDTHS,			/* a double */
	VALUE_BOOL
} ValueType;

typedef struct Attribute
{
	Text		key;
	ValueType	type;
	union
	{
		Text		text;
		int64_t		number;
	};
} Attribute;

typedef struct Attributes
{
	Attribute  *items;
	int			count;
	int			capacity;
} Attributes;

typedef struct Event
{
	Text		name;
	int64_t		time;
	Attributes	attributes;
} Event;

/* OTLP's numbers. */
enum
{
	SPAN_INTERNAL = 1, SPAN_SERVER = 2, SPAN_CLIENT = 3,
	STATUS_UNSET = 0, STATUS_ERROR = 2
};

struct Trace;

typedef struct Span
{
	struct Trace *trace;
	uint64_t	id;
	uint64_t	parent;			/* 0: a root */
	int64_t		start;
	int64_t		end;			/* 0: never ended */
	int64_t		exported;		/* when it goes out: its end, but for clocks */
	Text		name;
	Text		message;		/* of its status */
	uint8_t		span_kind;
	uint8_t		status;
	uint8_t		scope;
	uint8_t		resource;
	bool		failed;
	Attributes	attributes;
	Event	   *event;
	const struct Root *link;
} Span;

typedef struct Trace
{
	Arena		arena;
	uint64_t	id[2];
	Span	  **spans;
	int			count;
	int			capacity;
	int			merged;			/* spans that went to a request */
	int			unwritten;		/* spans of which the request is not out */
} Trace;

/* The root of a trace that may be gone, to link to. */
typedef struct Root
{
	uint64_t	trace_id[2];
	uint64_t	span_id;
} Root;

static void
add(Arena *arena, Attributes *list, Text key, Attribute value)
{
	/* A convention that has no name for something leaves it out. */
	if (key.len == 0)
		return;
	list->items = arena_grow(arena, list->items, list->count, &list->capacity, sizeof(Attribute));
	value.key = key;
	list->items[list->count++] = value;
}

static inline void
set_text(Span *span, Text key, Text text)
{
	add(&span->trace->arena, &span->attributes, key,
		(Attribute) {.type = VALUE_STRING, .text = text});
}

static inline void
set_int(Span *span, Text key, int64_t number)
{
	add(&span->trace->arena, &span->attributes, key,
		(Attribute) {.type = VALUE_INT, .number = number});
}

static inline void
set_typed(Span *span, Text key, ValueType type, Text text)
{
	add(&span->trace->arena, &span->attributes, key, (Attribute) {.type = type, .text = text});
}

static inline void
set_number(Span *span, Text key, ValueType type, int64_t number)
{
	add(&span->trace->arena, &span->attributes, key,
		(Attribute) {.type = type, .number = number});
}

static Event *
add_event(Span *span, Text name, int64_t time)
{
	Event	   *event = arena_zero(&span->trace->arena, sizeof(Event));

	event->name = name;
	event->time = time;
	span->event = event;
	return event;
}

/*-------------------------------------------------------------------------
 * The six conventions.
 *-------------------------------------------------------------------------
 */
typedef enum Kind
{
	KIND_MODEL, KIND_EMBEDDING, KIND_TOOL, KIND_AGENT, KINDS
} Kind;

typedef enum ConventionId
{
	OTEL, VERCEL, OPENINFERENCE, TRACELOOP, LANGFUSE, LEGACY, CONVENTIONS
} ConventionId;

/* How a kind is told, and its span's name: before, what it acts on, after. */
typedef struct KindNames
{
	Text		key;
	Text		value;
	Text		before;
	bool		subject;
	Text		after;
} KindNames;

/* How messages are written, in rich data. */
typedef enum MessageStyle
{
	MESSAGES_PARTS,				/* [{"role": …, "parts": [{"type": "text", …}]}] */
	MESSAGES_CONTENT,			/* [{"role": …, "content": …}] */
	MESSAGES_INDEXED			/* an attribute each role, each content */
} MessageStyle;

typedef struct Convention
{
	Text		scope;
	Text		scope_version;
	KindNames	kinds[KINDS];
	Text		provider;
	Text		model_requested;
	Text		model_responded;
	Text		embedding_model;
	Text		input_tokens;
	Text		output_tokens;
	Text		cache_read_tokens;
	Text		reasoning_tokens;
	Text		finish_reason;
	bool		finish_reason_list;
	Text		tool_calls_reason;
	Text		ttft;
	bool		ttft_seconds;
	Text		tool_name;
	Text		tool_call_id;
	Text		agent_name;
	Text		conversation_id;
	Text		user_id;
	Text		error_type;
	bool		sets_status;
	bool		millisecond_starts;
	double		repeats_usage;	/* share of runs whose agents repeat usage */
	double		wraps_models;	/* share of model calls inside another */
	MessageStyle messages;
	Text		input_messages; /* a key, or what precedes the index */
	Text		output_messages;
	Text		between;		/* index and role or content */
	Text		tool_arguments;
	Text		tool_result;
	Text		temperature;
	Text		response_id;
} Convention;

static const Convention conventions[CONVENTIONS] = {
	[OTEL] = {
		.scope = T("acme.agents"), .scope_version = T("3.1.0"),
		.kinds = {
			{T("gen_ai.operation.name"), T("chat"), T("chat "), true, T("")},
			{T("gen_ai.operation.name"), T("embeddings"), T("embeddings "), true, T("")},
			{T("gen_ai.operation.name"), T("execute_tool"), T("execute_tool "), true, T("")},
			{T("gen_ai.operation.name"), T("invoke_agent"), T("invoke_agent "), true, T("")},
		},
		.provider = T("gen_ai.provider.name"),
		.model_requested = T("gen_ai.request.model"),
		.model_responded = T("gen_ai.response.model"),
		.embedding_model = T("gen_ai.request.model"),
		.input_tokens = T("gen_ai.usage.input_tokens"),
		.output_tokens = T("gen_ai.usage.output_tokens"),
		.cache_read_tokens = T("gen_ai.usage.cache_read.input_tokens"),
		.reasoning_tokens = T("gen_ai.usage.reasoning.output_tokens"),
		.finish_reason = T("gen_ai.response.finish_reasons"),
		.finish_reason_list = true,
		.tool_calls_reason = T("tool_call"),
		.ttft = T("gen_ai.response.time_to_first_chunk"),
		.ttft_seconds = true,
		.tool_name = T("gen_ai.tool.name"),
		.tool_call_id = T("gen_ai.tool.call.id"),
		.agent_name = T("gen_ai.agent.name"),
		.conversation_id = T("gen_ai.conversation.id"),
		.user_id = T("user.id"),
		.error_type = T("error.type"),
		.sets_status = true,
		.repeats_usage = 0.5,
		.messages = MESSAGES_PARTS,
		.input_messages = T("gen_ai.input.messages"),
		.output_messages = T("gen_ai.output.messages"),
		.tool_arguments = T("gen_ai.tool.call.arguments"),
		.tool_result = T("gen_ai.tool.call.result"),
		.temperature = T("gen_ai.request.temperature"),
		.response_id = T("gen_ai.response.id"),
	},
	[VERCEL] = {
		.scope = T("ai"), .scope_version = T(""),
		.kinds = {
			{T("ai.operationId"), T("ai.streamText.doStream"), T("ai.streamText.doStream"), false, T("")},
			{T("ai.operationId"), T("ai.embed.doEmbed"), T("ai.embed.doEmbed"), false, T("")},
			{T("ai.operationId"), T("ai.toolCall"), T("ai.toolCall"), false, T("")},
			{T("ai.operationId"), T("ai.streamText"), T("ai.streamText"), false, T("")},
		},
		.provider = T("ai.model.provider"),
		.model_requested = T("ai.model.id"),
		.model_responded = T("ai.response.model"),
		.embedding_model = T("ai.model.id"),
		.input_tokens = T("ai.usage.inputTokens"),
		.output_tokens = T("ai.usage.outputTokens"),
		.cache_read_tokens = T("ai.usage.cachedInputTokens"),
		.reasoning_tokens = T("ai.usage.reasoningTokens"),
		.finish_reason = T("ai.response.finishReason"),
		.tool_calls_reason = T("tool-calls"),
		.ttft = T("ai.response.msToFirstChunk"),
		.tool_name = T("ai.toolCall.name"),
		.tool_call_id = T("ai.toolCall.id"),
		.agent_name = T("ai.telemetry.functionId"),
		.conversation_id = T("ai.telemetry.metadata.sessionId"),
		.user_id = T("ai.telemetry.metadata.userId"),
		.sets_status = true,
		.millisecond_starts = true,
		.repeats_usage = 1,
		.messages = MESSAGES_CONTENT,
		.input_messages = T("ai.prompt.messages"),
		.output_messages = T("ai.response.text"),
		.tool_arguments = T("ai.toolCall.args"),
		.tool_result = T("ai.toolCall.result"),
		.temperature = T("ai.settings.temperature"),
		.response_id = T("ai.response.id"),
	},
	[OPENINFERENCE] = {
		.scope = T("openinference.instrumentation.openai"), .scope_version = T("0.1.31"),
		.kinds = {
			{T("openinference.span.kind"), T("LLM"), T("ChatCompletion"), false, T("")},
			{T("openinference.span.kind"), T("EMBEDDING"), T("CreateEmbeddings"), false, T("")},
			{T("openinference.span.kind"), T("TOOL"), T(""), true, T("")},
			{T("openinference.span.kind"), T("AGENT"), T(""), true, T("")},
		},
		.provider = T("llm.provider"),
		.model_requested = T("llm.request.model_name"),
		.model_responded = T("llm.response.model_name"),
		.embedding_model = T("embedding.model_name"),
		.input_tokens = T("llm.token_count.prompt"),
		.output_tokens = T("llm.token_count.completion"),
		.cache_read_tokens = T("llm.token_count.prompt_details.cache_read"),
		.reasoning_tokens = T("llm.token_count.completion_details.reasoning"),
		.finish_reason = T("llm.finish_reason"),
		.tool_calls_reason = T("tool_calls"),
		.tool_name = T("tool.name"),
		.tool_call_id = T("tool.id"),
		.agent_name = T("agent.name"),
		.conversation_id = T("session.id"),
		.user_id = T("user.id"),
		.sets_status = true,
		.wraps_models = 0.05,
		.messages = MESSAGES_INDEXED,
		.input_messages = T("llm.input_messages."),
		.output_messages = T("llm.output_messages."),
		.between = T(".message."),
		.tool_arguments = T("input.value"),
		.tool_result = T("output.value"),
	},
	[TRACELOOP] = {
		.scope = T("@traceloop/instrumentation-openai"), .scope_version = T("0.27.0"),
		.kinds = {
			{T("llm.request.type"), T("chat"), T("openai.chat"), false, T("")},
			{T("llm.request.type"), T("embedding"), T("openai.embeddings"), false, T("")},
			{T("traceloop.span.kind"), T("tool"), T(""), true, T(".tool")},
			{T("traceloop.span.kind"), T("agent"), T(""), true, T(".agent")},
		},
		.provider = T("gen_ai.system"),
		.model_requested = T("gen_ai.request.model"),
		.model_responded = T("gen_ai.response.model"),
		.embedding_model = T("gen_ai.request.model"),
		.input_tokens = T("gen_ai.usage.input_tokens"),
		.output_tokens = T("gen_ai.usage.output_tokens"),
		.cache_read_tokens = T("gen_ai.usage.cache_read_input_tokens"),
		.reasoning_tokens = T("gen_ai.usage.reasoning_tokens"),
		.finish_reason = T("gen_ai.response.finish_reason"),
		.tool_calls_reason = T("tool_calls"),
		.tool_name = T("traceloop.entity.name"),
		.agent_name = T("traceloop.entity.name"),
		.conversation_id = T("traceloop.association.properties.session_id"),
		.user_id = T("traceloop.association.properties.user_id"),
		.error_type = T("error.type"),
		.sets_status = true,
		.messages = MESSAGES_INDEXED,
		.input_messages = T("gen_ai.prompt."),
		.output_messages = T("gen_ai.completion."),
		.between = T("."),
		.tool_arguments = T("traceloop.entity.input"),
		.tool_result = T("traceloop.entity.output"),
		.temperature = T("gen_ai.request.temperature"),
		.response_id = T("gen_ai.response.id"),
	},
	/* Its usage is one JSON text, and its errors are a level. */
	[LANGFUSE] = {
		.scope = T("langfuse-sdk"), .scope_version = T("5.11.1"),
		.kinds = {
			{T("langfuse.observation.type"), T("generation"), T("generate"), false, T("")},
			{T("langfuse.observation.type"), T("embedding"), T("embed"), false, T("")},
			{T("langfuse.observation.type"), T("tool"), T(""), true, T("")},
			{T("langfuse.observation.type"), T("agent"), T(""), true, T("")},
		},
		.model_requested = T("langfuse.observation.model.name"),
		.embedding_model = T("langfuse.observation.model.name"),
		.conversation_id = T("session.id"),
		.user_id = T("user.id"),
		.millisecond_starts = true,
		.messages = MESSAGES_CONTENT,
		.input_messages = T("langfuse.observation.input"),
		.output_messages = T("langfuse.observation.output"),
		.tool_arguments = T("langfuse.observation.input"),
		.tool_result = T("langfuse.observation.output"),
	},
	[LEGACY] = {
		.scope = T("opentelemetry.instrumentation.openai_v2"), .scope_version = T("2.0b0"),
		.kinds = {
			{T("gen_ai.operation.name"), T("chat"), T("chat "), true, T("")},
			{T("gen_ai.operation.name"), T("embeddings"), T("embeddings "), true, T("")},
			{T("gen_ai.operation.name"), T("execute_tool"), T("execute_tool "), true, T("")},
			{T("gen_ai.operation.name"), T("invoke_agent"), T("invoke_agent "), true, T("")},
		},
		.provider = T("gen_ai.system"),
		.model_requested = T("gen_ai.request.model"),
		.model_responded = T("gen_ai.response.model"),
		.embedding_model = T("gen_ai.request.model"),
		.input_tokens = T("gen_ai.usage.prompt_tokens"),
		.output_tokens = T("gen_ai.usage.completion_tokens"),
		.reasoning_tokens = T("gen_ai.usage.reasoning_tokens"),
		.finish_reason = T("gen_ai.response.finish_reasons"),
		.finish_reason_list = true,
		.tool_calls_reason = T("tool_calls"),
		.tool_name = T("gen_ai.tool.name"),
		.tool_call_id = T("gen_ai.tool.call.id"),
		.agent_name = T("gen_ai.agent.name"),
		.conversation_id = T("gen_ai.conversation.id"),
		.user_id = T("enduser.id"),
		.error_type = T("error.type"),
		.sets_status = true,
		.messages = MESSAGES_CONTENT,
		.input_messages = T("gen_ai.prompt"),
		.output_messages = T("gen_ai.completion"),
	},
};

static const uint8_t convention_weights[CONVENTIONS] = {45, 15, 15, 10, 8, 7};

/* Scopes: the conventions', then the two of every service. */
enum
{
	SCOPE_HTTP = CONVENTIONS, SCOPE_PLANNER, SCOPES
};

static Text
scope_name(int scope)
{
	if (scope == SCOPE_HTTP)
		return TEXT("@opentelemetry/instrumentation-http");
	if (scope == SCOPE_PLANNER)
		return TEXT("acme.planner");
	return conventions[scope].scope;
}

static Text
scope_version(int scope)
{
	if (scope == SCOPE_HTTP)
		return TEXT("0.208.0");
	if (scope == SCOPE_PLANNER)
		return TEXT("1.0.0");
	return conventions[scope].scope_version;
}

/*-------------------------------------------------------------------------
 * The company: models, tools, agents, features, tenants.
 *-------------------------------------------------------------------------
 */
typedef struct Failure
{
	Text		type;
	Text		message;
} Failure;

static const Failure unavailable = {T("ServiceUnavailable"), T("503 Service Unavailable: upstream connect error")};
static const Failure timed_out = {T("TimeoutError"), T("no answer after 30 s")};
static const Failure declined = {T("PaymentDeclined"), T("the card's bank declined: do_not_honor")};
static const Failure denied = {T("PermissionDenied"), T("role worker may not restart services")};
static const Failure tests_failed = {T("TestsFailed"), T("3 of 41 tests failed")};
static const Failure rate_limited = {T("RateLimitError"), T("429 Too Many Requests: retry after 2 s")};
static const Failure overflow = {T("ContextLengthExceeded"), T("maximum context length is 200000 tokens")};
static const Failure gave_up = {T("AgentError"), T("gave up after a step failed")};

typedef struct Model
{
	Text		provider;
	Text		requested;
	Text		responded;
	double		ttft_ms;
	double		token_ms;
} Model;

enum
{
	MODEL_GPT, MODEL_CLAUDE, MODEL_GEMINI, MODEL_PLANNER, MODEL_EMBEDDING
};

static const Model models[] = {
	{T("openai"), T("gpt-4o"), T("gpt-4o-2024-08-06"), 450, 11},
	{T("anthropic"), T("claude-sonnet-4-5"), T("claude-sonnet-4-5-20250929"), 700, 14},
	{T("gcp.gemini"), T("gemini-2.5-pro"), T("gemini-2.5-pro"), 900, 9},
	{T("anthropic"), T("claude-haiku-4-5"), T("claude-haiku-4-5-20251001"), 300, 6},
	{T("openai"), T("text-embedding-3-small"), T("text-embedding-3-small"), 80, 0},
};

static const uint8_t model_weights[] = {45, 35, 20};

static const Text swapped_responded = T("gpt-4o-mini-2024-07-18");

/* What a tool does below its own span. */
typedef enum Shape
{
	SHAPE_LOCAL,				/* nothing */
	SHAPE_RETRIEVAL,			/* an embedding */
	SHAPE_HTTP,					/* an HTTP request */
	SHAPE_BACKEND				/* an HTTP request to a service with traces */
} Shape;

typedef struct Tool
{
	Text		name;
	const char *effect;
	Shape		shape;
	Text		host;			/* of the request; the backend's name */
	double		median_ms;
	double		failure_rate;
	const Failure *failure;
} Tool;

typedef enum ToolId
{
	SEARCH_DOCS, GET_CUSTOMER, SEARCH_ORDERS, SEND_REPLY, CREATE_TICKET,
	WEB_SEARCH, FETCH_PAGE, CRAWL_ARCHIVE, RERANK_PASSAGES, TAKE_NOTE,
	READ_FILE, WRITE_FILE, RUN_TESTS, GREP, GIT_DIFF,
	GET_INVOICE, CHARGE_CARD, CONVERT_CURRENCY, SEND_EMAIL,
	QUERY_METRICS, GET_LOGS, INVENTORY_LOOKUP, RESTART_SERVICE, RUN_QUERY
} ToolId;

static const Tool tools[] = {
	[SEARCH_DOCS] = {T("search_docs"), "read", SHAPE_RETRIEVAL, T(""), 180, .005, &timed_out},
	[GET_CUSTOMER] = {T("get_customer"), "read", SHAPE_BACKEND, T("customers-api"), 60, .01, &unavailable},
	[SEARCH_ORDERS] = {T("search_orders"), "read", SHAPE_HTTP, T("orders.internal"), 120, .02, &unavailable},
	[SEND_REPLY] = {T("send_reply"), "write", SHAPE_LOCAL, T(""), 90, .002, &timed_out},
	[CREATE_TICKET] = {T("create_ticket"), "write", SHAPE_HTTP, T("tickets.internal"), 150, .01, &unavailable},
	[WEB_SEARCH] = {T("web_search"), "read", SHAPE_HTTP, T("api.search.example"), 800, .03, &timed_out},
	[FETCH_PAGE] = {T("fetch_page"), "read", SHAPE_HTTP, T("web.example"), 600, .06, &timed_out},
	[CRAWL_ARCHIVE] = {T("crawl_archive"), "read", SHAPE_LOCAL, T(""), 8000, 0, &timed_out},
	[RERANK_PASSAGES] = {T("rerank_passages"), "read", SHAPE_LOCAL, T(""), 6000, 0, &timed_out},
	[TAKE_NOTE] = {T("take_note"), "reversible", SHAPE_LOCAL, T(""), 3, 0, &timed_out},
	[READ_FILE] = {T("read_file"), "read", SHAPE_LOCAL, T(""), 4, .01, &denied},
	[WRITE_FILE] = {T("write_file"), "write", SHAPE_LOCAL, T(""), 6, .002, &denied},
	[RUN_TESTS] = {T("run_tests"), "read", SHAPE_LOCAL, T(""), 9000, .12, &tests_failed},
	[GREP] = {T("grep"), "read", SHAPE_LOCAL, T(""), 25, 0, &timed_out},
	[GIT_DIFF] = {T("git_diff"), "read", SHAPE_LOCAL, T(""), 30, 0, &timed_out},
	[GET_INVOICE] = {T("get_invoice"), "read", SHAPE_BACKEND, T("invoices-api"), 70, .01, &unavailable},
	[CHARGE_CARD] = {T("charge_card"), "write", SHAPE_BACKEND, T("payments-api"), 900, .015, &declined},
	[CONVERT_CURRENCY] = {T("convert_currency"), "read", SHAPE_LOCAL, T(""), 2, 0, &timed_out},
	[SEND_EMAIL] = {T("send_email"), "write", SHAPE_HTTP, T("mail.internal"), 200, .01, &unavailable},
	[QUERY_METRICS] = {T("query_metrics"), "read", SHAPE_HTTP, T("metrics.internal"), 350, .02, &timed_out},
	[GET_LOGS] = {T("get_logs"), "read", SHAPE_HTTP, T("logs.internal"), 700, .03, &timed_out},
	[INVENTORY_LOOKUP] = {T("inventory_lookup"), "read", SHAPE_BACKEND, T("inventory-api"), 80, .01, &unavailable},
	[RESTART_SERVICE] = {T("restart_service"), "write", SHAPE_HTTP, T("deploy.internal"), 2500, .02, &denied},
	[RUN_QUERY] = {T("run_query"), "read", SHAPE_LOCAL, T(""), 400, .04, &timed_out},
};

#define FEATURE_TOOLS 6

typedef struct Feature
{
	Text		name;
	Text		service;
	Text		agent;
	bool		plans;
	ToolId		tools[FEATURE_TOOLS];
} Feature;

typedef enum FeatureId
{
	SUPPORT, RESEARCH, CODING, BILLING, OPERATIONS, FEATURES
} FeatureId;

/* A tool that is listed twice is called twice as often. */
static const Feature features[FEATURES] = {
	[SUPPORT] = {T("support"), T("support-agents"), T("support-agent"), true,
	{SEARCH_DOCS, GET_CUSTOMER, SEARCH_ORDERS, SEARCH_ORDERS, SEND_REPLY, CREATE_TICKET}},
	[RESEARCH] = {T("research"), T("research-agents"), T("research-agent"), false,
	{WEB_SEARCH, FETCH_PAGE, FETCH_PAGE, SEARCH_DOCS, TAKE_NOTE, WEB_SEARCH}},
	[CODING] = {T("coding"), T("coding-agents"), T("coding-agent"), false,
	{READ_FILE, READ_FILE, WRITE_FILE, RUN_TESTS, GREP, GIT_DIFF}},
	[BILLING] = {T("billing"), T("billing-agents"), T("billing-agent"), true,
	{GET_INVOICE, GET_CUSTOMER, CHARGE_CARD, CONVERT_CURRENCY, SEND_EMAIL, SEARCH_ORDERS}},
	[OPERATIONS] = {T("operations"), T("ops-agents"), T("ops-agent"), true,
	{QUERY_METRICS, GET_LOGS, INVENTORY_LOOKUP, RESTART_SERVICE, RUN_QUERY, QUERY_METRICS}},
};

static const uint8_t feature_weights[FEATURES] = {35, 20, 20, 15, 10};

static const Text sub_agents[] = {T("researcher"), T("worker"), T("reviewer"), T("summarizer")};

enum
{
	RESEARCHER, WORKER
};

static const Text tenants[] = {
	T("acme"), T("northwind"), T("globex"), T("initech"), T("umbrella"), T("hooli"),
	T("stark"), T("wayne"), T("tyrell"), T("cyberdyne"), T("soylent"), T("wonka"),
};

static const uint8_t tenant_weights[] = {22, 20, 14, 10, 8, 6, 5, 4, 4, 3, 2, 2};

enum
{
	TENANT_NORTHWIND = 1
};

/*-------------------------------------------------------------------------
 * Resources: services in their versions and environments.
 *-------------------------------------------------------------------------
 */
typedef struct Resource
{
	Text		service;
	int			minor;			/* of the version */
	bool		staging;
} Resource;

#define MAX_RESOURCES 255

static Resource resources[MAX_RESOURCES];
static int	resource_count;

static int
find_resource(Text service, int minor, bool staging)
{
	Resource   *new = &resources[resource_count];

	for (int i = 0; i < resource_count; i++)
	{
		if (resources[i].service.data == service.data && resources[i].minor == minor &&
			resources[i].staging == staging)
			return i;
	}
	*new = (Resource) {service, minor, staging};
	return resource_count++;
}

static int
resource_attributes(const Resource *r, Attribute *list)
{
	static const Text versions[] = {T("2.4.0"), T("2.5.0"), T("2.6.1"), T("2.7.0")};

	list[0] = (Attribute) {TEXT("service.name"), VALUE_STRING, {r->service}};
	list[1] = (Attribute) {TEXT("service.version"), VALUE_STRING, {versions[r->minor]}};
	list[2] = (Attribute) {TEXT("deployment.environment.name"), VALUE_STRING,
	{r->staging ? TEXT("staging") : TEXT("production")}};
	list[3] = (Attribute) {TEXT("telemetry.sdk.language"), VALUE_STRING, {TEXT("nodejs")}};
	return 4;
}

#define RESOURCE_ATTRIBUTES 4

/*-------------------------------------------------------------------------
 * Truth: what --truth writes.
 *-------------------------------------------------------------------------
 */
typedef struct Deviation
{
	uint64_t	trace_id[2];
	Text		skipped;
	Text		inserted;
} Deviation;

typedef struct FailureGroup
{
	const char *name;
	const char *failing;		/* the names on the way to the failure */
	bool		root_fails;
	int			every;			/* one run in so many */
	FeatureId	feature;
	ConventionId convention;
} FailureGroup;

static const FailureGroup failure_groups[] = {
	{"card declined three times", "billing-agent > charge_card", true, 97, BILLING, OTEL},
	{"context too long in a sub-agent", "research-agent > researcher > model call", true, 151, RESEARCH, OPENINFERENCE},
	{"tests never pass", "coding-agent > run_tests", false, 211, CODING, TRACELOOP},
	{"worker may not restart", "ops-agent > worker > restart_service", false, 307, OPERATIONS, VERCEL},
};

#define GROUPS lengthof(failure_groups)

typedef struct TraceIds
{
	uint64_t  (*items)[2];
	int			count;
	int			capacity;
} TraceIds;

enum
{
	BEFORE, AFTER, PERIODS
};

static struct
{
	int64_t		traces;
	int64_t		spans;
	int64_t		attributes;
	int64_t		model_calls;
	int64_t		embedding_calls;
	int64_t		wrapped_calls;
	int64_t		tool_calls;
	int64_t		agent_runs;
	int64_t		input_tokens;
	int64_t		output_tokens;
	int64_t		cache_read_tokens;
	int64_t		reasoning_tokens;
	int64_t		error_spans;
	int64_t		status_error_spans;
	int64_t		planned;
	int64_t		grown_calls[PERIODS];
	int64_t		grown_tokens[PERIODS];
	int64_t		failing_calls[PERIODS];
	int64_t		failing_failed[PERIODS];
	int64_t		hidden_branches;
	int64_t		swapped_calls[PERIODS];
	int64_t		open_spans;
	int64_t		backward_spans;
	int64_t		lost_parents;
	int64_t		skewed_traces;
	int64_t		resent_spans;
	Deviation  *left_plan;
	int			left_plan_count;
	int			left_plan_capacity;
	TraceIds	groups[GROUPS];
} truth;

/* The dates of the truths. */
static int64_t growth_from;
static int64_t failing_from;
static int64_t swapped_from;

/*-------------------------------------------------------------------------
 * Scripts: everything about a run but its times and numbers.
 *-------------------------------------------------------------------------
 */
typedef struct Action
{
	const Tool *tool;			/* or a sub-agent's script: */
	struct Script *script;
	int			failures;		/* attempts that fail */
	bool		gives_up;		/* after them */
	double		delay_ms;		/* 0: as chance has it */
	double		takes_ms;		/* likewise */
} Action;

typedef struct Step
{
	int			model_failures;
	Action	   *actions;		/* in parallel */
	int			count;
	int			capacity;
} Step;

typedef struct Script
{
	Text		agent;
	bool		root;
	bool		fails;			/* no answer: the agent's span fails */
	bool		overflows;		/* it fails in a last model call */
	Text		plan;			/* recorded, if any */
	Step	   *steps;
	int			count;
	int			capacity;
} Script;

/* What a trace is about, and its switches. */
typedef struct Run
{
	Trace	   *trace;
	Arena	   *arena;
	int64_t		start;
	const Feature *feature;
	int			tenant;
	int			group;			/* of failures; -1: none */
	ConventionId convention_id;
	const Convention *convention;
	const Model *model;
	bool		staging;
	bool		streams;
	bool		repeats_usage;
	bool		planned;
	int			minor;
	int			resource;
	int			user;
	uint64_t	conversation;
	int			turn;
	const Root *previous;
	double		growth;
} Run;

static inline int
period(const Run *run, int64_t from)
{
	return run->start < from ? BEFORE : AFTER;
}

static Script *
new_script(Run *run, Text agent)
{
	Script	   *script = arena_zero(run->arena, sizeof(Script));

	script->agent = agent;
	return script;
}

static Step *
add_step(Run *run, Script *script)
{
	Step	   *step;

	script->steps = arena_grow(run->arena, script->steps, script->count, &script->capacity, sizeof(Step));
	step = &script->steps[script->count++];
	memset(step, 0, sizeof(Step));
	return step;
}

static Action *
add_action(Run *run, Step *step)
{
	Action	   *action;

	step->actions = arena_grow(run->arena, step->actions, step->count, &step->capacity, sizeof(Action));
	action = &step->actions[step->count++];
	memset(action, 0, sizeof(Action));
	return action;
}

static Action *
add_tool(Run *run, Step *step, ToolId tool)
{
	Action	   *action = add_action(run, step);

	action->tool = &tools[tool];
	return action;
}

static Action *
add_failing_tool(Run *run, Step *step, ToolId tool, int failures)
{
	Action	   *action = add_tool(run, step, tool);

	action->failures = failures;
	action->gives_up = true;
	return action;
}

#define MAX_ATTEMPTS 3

static void
draw_failures(Run *run, Action *action)
{
	const Tool *tool = action->tool;
	double		rate = tool->failure_rate;

	if (tool == &tools[SEARCH_ORDERS] && run->start >= failing_from)
		rate = 0.55;
	while (action->failures < MAX_ATTEMPTS && chance(rate))
		action->failures++;

	/* A run that gives up leaves its plan, and those are counted. */
	action->gives_up = action->failures == MAX_ATTEMPTS && !run->planned;
}

/* Spans of an action. */
static int
action_cost(const Action *action)
{
	static const int cost[] = {1, 2, 2, 3};

	return cost[action->tool->shape] * (action->failures + (action->gives_up ? 0 : 1));
}

static Script *draw_script(Run *run, Text agent, int budget, int depth);

/* Sub-agents in parallel, for a part of the budget; returns what they cost. */
static int
draw_delegation(Run *run, Step *step, int budget, int depth)
{
	int			count = 1 + (int) below(budget < 60 ? 2 : 4);
	int			cost = 0;

	for (int i = 0; i < count; i++)
	{
		int			share = (int) (budget * (0.25 + 0.5 * uniform()) / count);
		Text		agent = sub_agents[below(lengthof(sub_agents))];

		if (share < 4)
			share = 4;
		add_action(run, step)->script = draw_script(run, agent, share, depth + 1);
		cost += share;
	}
	return cost;
}

/* One tool, or several in parallel; returns what they cost. */
static int
draw_tools(Run *run, Step *step)
{
	static const uint8_t fan_out[] = {52, 22, 12, 6, 4, 4};
	int			count = 1 + weighted(fan_out);
	int			cost = 0;

	for (int i = 0; i < count; i++)
	{
		Action	   *action = add_tool(run, step, run->feature->tools[below(FEATURE_TOOLS)]);

		draw_failures(run, action);
		cost += action_cost(action);
	}
	return cost;
}

/* The parallel branch that hides the slow one. */
static int
draw_hidden_branch(Run *run, Step *step)
{
	Action	   *longest = add_tool(run, step, CRAWL_ARCHIVE);
	Action	   *last = add_tool(run, step, RERANK_PASSAGES);
	double		takes = lognormal(longest->tool->median_ms, 0.3);

	longest->takes_ms = takes;
	last->delay_ms = takes * (0.2 + 0.1 * uniform());
	last->takes_ms = takes * (1.03 + 0.07 * uniform()) - last->delay_ms;
	return 2;
}

static Script *
draw_script(Run *run, Text agent, int budget, int depth)
{
	Script	   *script = new_script(run, agent);

	/* The agent's span, and the answer's model call. */
	budget -= 2;
	while (budget > 1)
	{
		Step	   *step = add_step(run, script);

		while (step->model_failures < MAX_ATTEMPTS && chance(0.008))
			step->model_failures++;
		budget -= 1 + step->model_failures;

		if (depth == 0 && run->feature == &features[RESEARCH] && script->count == 2 && chance(0.3))
			budget -= draw_hidden_branch(run, step);
		else if (budget > 12 && depth < 6 && chance(0.22))
			budget -= draw_delegation(run, step, budget, depth);
		else
			budget -= draw_tools(run, step);
	}

	/* Now and then the last thing that an agent tries fails for good. */
	if (script->count > 0 && !run->planned && chance(0.015))
	{
		Step	   *step = &script->steps[script->count - 1];
		ToolId		tool = run->feature->tools[below(FEATURE_TOOLS)];

		script->fails = true;
		add_failing_tool(run, step, tool, MAX_ATTEMPTS);
	}
	return script;
}

/* The runs of a group all follow the same script. */
static Script *
group_script(Run *run)
{
	Script	   *script = new_script(run, run->feature->agent);
	Script	   *sub;

	add_tool(run, add_step(run, script), run->feature->tools[0]);
	switch (run->group)
	{
		case 0:
			add_failing_tool(run, add_step(run, script), CHARGE_CARD, 3);
			script->fails = true;
			break;
		case 1:
			sub = new_script(run, sub_agents[RESEARCHER]);
			add_action(run, add_step(run, script))->script = sub;
			add_tool(run, add_step(run, sub), WEB_SEARCH);
			add_tool(run, add_step(run, sub), FETCH_PAGE);
			sub->fails = sub->overflows = true;
			script->fails = true;
			break;
		case 2:
			for (int i = 0; i < 3; i++)
			{
				add_tool(run, add_step(run, script), WRITE_FILE);
				add_failing_tool(run, add_step(run, script), RUN_TESTS, 1);
			}
			break;
		case 3:
			sub = new_script(run, sub_agents[WORKER]);
			add_action(run, add_step(run, script))->script = sub;
			add_failing_tool(run, add_step(run, sub), RESTART_SERVICE, 1);
			break;
	}
	return script;
}

static Text
action_name(const Action *action)
{
	return action->tool != NULL ? action->tool->name : action->script->agent;
}

/* Steps number from 1, and each comes after all of the step before. */
static Text
plan_text(Run *run, const Script *script)
{
	static Buffer b;
	int			first = 1;
	int			previous = 1;	/* first of the step before */

	PUT(&b, "{\"steps\":[");
	for (int i = 0; i < script->count; i++)
	{
		const Step *step = &script->steps[i];

		for (int j = 0; j < step->count; j++)
		{
			const Action *action = &step->actions[j];

			b.len += sprintf(reserve(&b, 40), "%s{\"id\":\"s%d\",", first + j > 1 ? "," : "", first + j);
			if (action->tool != NULL)
				PUT(&b, "\"tool\":");
			else
				PUT(&b, "\"kind\":\"agent\",\"name\":");
			put_quoted(&b, action_name(action));
			for (int k = previous; k < first; k++)
				b.len += sprintf(reserve(&b, 40), "%s\"s%d\"", k > previous ? "," : ",\"after\":[", k);
			if (i > 0)
				PUT(&b, "]");
			PUT(&b, "}");
		}
		previous = first;
		first += step->count;
	}
	PUT(&b, "]}");
	return take_text(run->arena, &b);
}

static bool
script_has(const Script *script, const Tool *tool)
{
	for (int i = 0; i < script->count; i++)
	{
		for (int j = 0; j < script->steps[i].count; j++)
		{
			if (script->steps[i].actions[j].tool == tool)
				return true;
		}
	}
	return false;
}

/* Replaces the last step's first action by a tool that is not in the plan. */
static void
leave_plan(Run *run, Script *script)
{
	static const ToolId strange[] = {RUN_QUERY, CREATE_TICKET, CONVERT_CURRENCY};
	Action	   *action = &script->steps[script->count - 1].actions[0];
	const Tool *tool = &tools[strange[0]];
	Deviation  *deviation;

	for (int i = 1; script_has(script, tool) && i < lengthof(strange); i++)
		tool = &tools[strange[i]];

	if (truth.left_plan_count == truth.left_plan_capacity)
	{
		truth.left_plan_capacity = truth.left_plan_capacity * 2 + 64;
		truth.left_plan = allocate(truth.left_plan, truth.left_plan_capacity * sizeof(Deviation));
	}
	deviation = &truth.left_plan[truth.left_plan_count++];
	memcpy(deviation->trace_id, run->trace->id, sizeof(deviation->trace_id));
	deviation->skipped = action_name(action);
	deviation->inserted = tool->name;
	*action = (Action) {.tool = tool};
}

/*-------------------------------------------------------------------------
 * Message bodies, in rich data.
 *-------------------------------------------------------------------------
 */
#define MAX_MESSAGES 48

typedef struct Message
{
	Text		role;
	Text		content;
} Message;

/*
 * What an agent and its model said so far.  The list is only appended to, so
 * that a span's attribute is its length at that time: every call repeats all
 * messages before it.
 */
typedef struct History
{
	Message		messages[MAX_MESSAGES];
	int			count;
	char	   *list;			/* the messages as an open list */
	uint32_t	len;
	uint32_t	capacity;
} History;

static void
put_message(Buffer *b, MessageStyle style, Text role, Text content)
{
	PUT(b, "{\"role\":");
	put_quoted(b, role);
	if (style == MESSAGES_PARTS)
		PUT(b, ",\"parts\":[{\"type\":\"text\",\"content\":");
	else
		PUT(b, ",\"content\":");
	put_quoted(b, content);
	if (style == MESSAGES_PARTS)
		PUT(b, "}]");
	PUT(b, "}");
}

static void
remember(Run *run, History *h, Text role, Text content)
{
	static Buffer b;

	/* An agent whose context is full goes on with what it was told at first. */
	if (h->count == MAX_MESSAGES)
	{
		Message		first = h->messages[0];

		h->count = 0;
		h->list = NULL;
		h->len = h->capacity = 0;
		remember(run, h, first.role, first.content);
	}
	h->messages[h->count++] = (Message) {role, content};
	if (run->convention->messages == MESSAGES_INDEXED)
		return;

	put(&b, h->len == 0 ? "[" : ",", 1);
	put_message(&b, run->convention->messages, role, content);
	if (h->capacity - h->len < b.len)
	{
		char	   *larger;

		h->capacity = 2 * (h->len + b.len);
		larger = arena_alloc(run->arena, h->capacity);
		if (h->len > 0)
			memcpy(larger, h->list, h->len);
		h->list = larger;
	}
	memcpy(h->list + h->len, b.data, b.len);
	h->len += b.len;
	b.len = 0;
}

/* Text that belongs to one turn of a conversation. */
static Text
turn_prose(Run *run, int turn, int part, int length)
{
	return prose(run->arena, run->conversation + 2 * turn + part, length);
}

static int
body_length(double median)
{
	double		length = lognormal(median, 0.8);

	return length < 20 ? 20 : (int) length;
}

/* The same system prompt for every run of an agent; earlier turns; the task. */
static void
begin_history(Run *run, const Script *script, History *h)
{
	h->count = 0;
	h->list = NULL;
	h->len = h->capacity = 0;
	remember(run, h, TEXT("system"), prose(run->arena, script->agent.data[0] * 31 + script->agent.len, 2400));
	for (int turn = 0; script->root && turn < run->turn; turn++)
	{
		remember(run, h, TEXT("user"), turn_prose(run, turn, 0, 240));
		remember(run, h, TEXT("assistant"), turn_prose(run, turn, 1, 700));
	}
	if (script->root)
		remember(run, h, TEXT("user"), turn_prose(run, run->turn, 0, 240));
	else
		remember(run, h, TEXT("user"), prose(run->arena, bits(), body_length(200)));
}

static Text
indexed_key(Run *run, Text before, int index, Text name)
{
	static Buffer b;

	put_text(&b, before);
	put_uint(&b, index);
	put_text(&b, run->convention->between);
	put_text(&b, name);
	return take_text(run->arena, &b);
}

static void
set_indexed_message(Run *run, Span *span, Text before, int index, Message message)
{
	set_text(span, indexed_key(run, before, index, TEXT("role")), message.role);
	set_text(span, indexed_key(run, before, index, TEXT("content")), message.content);
}

static void
set_input(Run *run, Span *span, const History *h)
{
	const Convention *c = run->convention;

	if (c->messages != MESSAGES_INDEXED)
		set_typed(span, c->input_messages, VALUE_OPEN_LIST, (Text) {h->list, h->len});
	else
	{
		for (int i = 0; i < h->count; i++)
			set_indexed_message(run, span, c->input_messages, i, h->messages[i]);
	}
}

static void
set_output(Run *run, Span *span, Text answer)
{
	const Convention *c = run->convention;
	static Buffer b;

	if (c->messages == MESSAGES_INDEXED)
		set_indexed_message(run, span, c->output_messages, 0, (Message) {TEXT("assistant"), answer});
	else if (c->messages == MESSAGES_PARTS)
	{
		PUT(&b, "[");
		put_message(&b, c->messages, TEXT("assistant"), answer);
		set_typed(span, c->output_messages, VALUE_OPEN_LIST, take_text(run->arena, &b));
	}
	else
		set_text(span, c->output_messages, answer);
}

static Text
json_body(Run *run, const char *name, Text body)
{
	static Buffer b;

	b.len += sprintf(reserve(&b, 64), "{\"%s\":", name);
	put_quoted(&b, body);
	b.len += sprintf(reserve(&b, 32), ",\"limit\":%u}", 5 + below(20));
	return take_text(run->arena, &b);
}

/*-------------------------------------------------------------------------
 * Acting: a script becomes spans.
 *-------------------------------------------------------------------------
 */
typedef struct Usage
{
	int64_t		input;
	int64_t		output;
	int64_t		cache_read;
	int64_t		reasoning;
} Usage;

/* Of one agent while it runs. */
typedef struct Context
{
	double		tokens;			/* in its prompt */
	int64_t		previous_input; /* of its last model call */
	Usage		usage;			/* of its model calls and its sub-agents' */
	History		history;
} Context;

static Span *
begin_span(Run *run, const Span *parent, Text name, int64_t start)
{
	Trace	   *trace = run->trace;
	Span	   *span = arena_zero(run->arena, sizeof(Span));

	span->trace = trace;
	span->id = bits() | 1;		/* never zero */
	span->parent = parent == NULL ? 0 : parent->id;
	span->name = name;
	span->span_kind = SPAN_INTERNAL;
	span->scope = run->convention_id;
	span->resource = run->resource;
	span->start = run->convention->millisecond_starts ? start - start % MS : start;

	trace->spans = arena_grow(run->arena, trace->spans, trace->count, &trace->capacity, sizeof(Span *));
	trace->spans[trace->count++] = span;
	return span;
}

static Span *
begin_kind(Run *run, const Span *parent, Kind kind, Text subject, int64_t start)
{
	const KindNames *names = &run->convention->kinds[kind];
	Text		name = names->before;
	Span	   *span;

	if (names->subject)
		name = join(run->arena, names->before, subject, names->after);
	span = begin_span(run, parent, name, start);
	set_text(span, names->key, names->value);
	return span;
}

static void
fail_span(Run *run, Span *span, const Failure *failure)
{
	Event	   *event;

	span->failed = true;
	truth.error_spans++;
	if (run->convention_id == LANGFUSE)
	{
		set_text(span, TEXT("langfuse.observation.level"), TEXT("ERROR"));
		set_text(span, TEXT("langfuse.observation.status_message"), failure->message);
		return;
	}

	truth.status_error_spans++;
	span->status = STATUS_ERROR;
	span->message = failure->message;
	set_text(span, run->convention->error_type, failure->type);
	event = add_event(span, TEXT("exception"), span->end);
	add(run->arena, &event->attributes, TEXT("exception.type"), (Attribute) {.text = failure->type});
	add(run->arena, &event->attributes, TEXT("exception.message"), (Attribute) {.text = failure->message});
	if (options.rich)
		add(run->arena, &event->attributes, TEXT("exception.stacktrace"),
			(Attribute) {.text = prose(run->arena, failure->message.len, 900)});
}

/* Usage under a convention's names. */
static void
set_usage(Run *run, Span *span, const Usage *usage)
{
	const Convention *c = run->convention;
	static Buffer b;

	set_int(span, c->input_tokens, usage->input);
	if (usage->output > 0)
		set_int(span, c->output_tokens, usage->output);
	if (usage->cache_read > 0)
		set_int(span, c->cache_read_tokens, usage->cache_read);
	if (usage->reasoning > 0)
		set_int(span, c->reasoning_tokens, usage->reasoning);

	if (run->convention_id == LANGFUSE)
	{
		/* Its buckets exclude one another. */
		b.len += sprintf(reserve(&b, 200),
						 "{\"input\":%ld,\"output\":%ld,\"input_cached_tokens\":%ld,"
						 "\"output_reasoning_tokens\":%ld,\"total\":%ld}",
						 (long) (usage->input - usage->cache_read),
						 (long) (usage->output - usage->reasoning),
						 (long) usage->cache_read, (long) usage->reasoning,
						 (long) (usage->input + usage->output));
		set_text(span, TEXT("langfuse.observation.usage_details"), take_text(run->arena, &b));
	}
}

static void
set_first_chunk(Run *run, Span *span, int64_t at)
{
	const Convention *c = run->convention;
	int64_t		us = (at - span->start) / US;
	static Buffer b;

	if (run->convention_id == LANGFUSE)
	{
		PUT(&b, "\"");
		put_time(&b, at);
		PUT(&b, "\"");
		set_text(span, TEXT("langfuse.observation.completion_start_time"), take_text(run->arena, &b));
	}
	else if (c->ttft_seconds)
		set_number(span, c->ttft, VALUE_THOUSANDTHS, us / 1000);
	else
		set_number(span, c->ttft, VALUE_THOUSANDTHS, us);

	if (options.rich && run->convention_id == VERCEL)
	{
		Event	   *event = add_event(span, TEXT("ai.stream.firstChunk"), at);

		add(run->arena, &event->attributes, c->ttft,
			(Attribute) {.type = VALUE_THOUSANDTHS, .number = us});
	}
}

static void
set_rich_call(Run *run, Span *span)
{
	const Convention *c = run->convention;

	set_number(span, c->temperature, VALUE_THOUSANDTHS, 200);
	set_text(span, c->response_id, hex_text(run->arena, TEXT("chatcmpl-"), bits()));
	if (run->convention_id == OTEL)
	{
		set_number(span, TEXT("gen_ai.request.stream"), VALUE_BOOL, run->streams);
		set_int(span, TEXT("gen_ai.request.max_tokens"), 8192);
		set_text(span, TEXT("gen_ai.output.type"), TEXT("text"));
	}
	set_text(span, TEXT("server.address"), TEXT("models.internal"));
	set_int(span, TEXT("server.port"), 443);
	set_int(span, TEXT("thread.id"), 1 + below(16));
}

static void
set_request(Run *run, Span *span, const Model *model)
{
	const Convention *c = run->convention;

	span->span_kind = SPAN_CLIENT;
	set_text(span, c->provider, model->provider);
	set_text(span, c->model_requested, model->requested);
}

static Text
model_responded(const Run *run, const Model *model)
{
	if (model == &models[MODEL_GPT] && run->start >= swapped_from)
		return swapped_responded;
	return model->responded;
}

static void
set_response(Run *run, Span *span, const Model *model, const Usage *usage, bool calls_tools,
			 int64_t first_chunk)
{
	const Convention *c = run->convention;
	Text		reason = calls_tools ? c->tool_calls_reason : TEXT("stop");

	set_text(span, c->model_responded, model_responded(run, model));
	set_usage(run, span, usage);
	set_typed(span, c->finish_reason, c->finish_reason_list ? VALUE_STRINGS : VALUE_STRING, reason);
	if (run->streams)
		set_first_chunk(run, span, first_chunk);
	if (options.rich)
		set_rich_call(run, span);
}

static void
draw_usage(Run *run, Context *ctx, const Model *model, Usage *usage)
{
	usage->input = (int64_t) (ctx->tokens * run->growth);
	usage->output = 1 + (int64_t) lognormal(90, 0.9);
	usage->reasoning = 0;
	if (model == &models[MODEL_GEMINI])
		usage->reasoning = usage->output / 3;

	/* Providers cache a prompt that begins as the one before, in blocks. */
	usage->cache_read = ctx->previous_input / 128 * 128;
	if (usage->cache_read < 1024)
		usage->cache_read = 0;

	ctx->previous_input = usage->input;
	ctx->tokens += usage->output;
	if (ctx->tokens > 150000)
	{
		ctx->tokens = 6000;
		ctx->previous_input = 0;
	}
}

static void
count_usage(Run *run, const Model *model, const Usage *usage)
{
	truth.input_tokens += usage->input;
	truth.output_tokens += usage->output;
	truth.reasoning_tokens += usage->reasoning;
	/* The old convention has no name for it. */
	if (run->convention_id != LEGACY)
		truth.cache_read_tokens += usage->cache_read;

	if (run->feature == &features[RESEARCH] && run->tenant == TENANT_NORTHWIND)
	{
		truth.grown_calls[period(run, growth_from)]++;
		truth.grown_tokens[period(run, growth_from)] += usage->input;
	}
	if (model == &models[MODEL_GPT] && run->convention->model_responded.len > 0)
		truth.swapped_calls[period(run, swapped_from)]++;
}

static void
add_usage(Usage *total, const Usage *usage)
{
	total->input += usage->input;
	total->output += usage->output;
	total->cache_read += usage->cache_read;
	total->reasoning += usage->reasoning;
}

static int64_t
failed_model_call(Run *run, Span *parent, const Model *model, const Failure *failure, int64_t at)
{
	Span	   *span = begin_kind(run, parent, KIND_MODEL, model->requested, at);

	truth.model_calls++;
	set_request(run, span, model);
	span->end = at + (int64_t) (lognormal(180, 0.5) * MS);
	fail_span(run, span, failure);
	return span->end;
}

/* A span that reports a call, of which there are two where one wraps another. */
static Span *
report_call(Run *run, Span *parent, const Model *model, const Usage *usage, bool calls_tools,
			int64_t first_chunk, int64_t start, int64_t end)
{
	Span	   *span = begin_kind(run, parent, KIND_MODEL, model->requested, start);

	set_request(run, span, model);
	set_response(run, span, model, usage, calls_tools, first_chunk);
	span->end = end;
	return span;
}

/* Returns the end; answer is what the model says, NULL for what comes to it. */
static int64_t
model_call(Run *run, Span *parent, Context *ctx, const Model *model, bool calls_tools,
		   const Text *answer, int64_t at)
{
	double		wraps = run->group < 0 ? run->convention->wraps_models : 0;
	int64_t		wrapping = wraps > 0 && chance(wraps) ? 300 * US : 0;
	int64_t		first_chunk = at + (int64_t) (lognormal(model->ttft_ms, 0.4) * MS);
	Usage		usage;
	int64_t		end;
	Span	   *span;

	draw_usage(run, ctx, model, &usage);
	end = first_chunk + (int64_t) (usage.output * lognormal(model->token_ms, 0.15) * MS);
	if (wrapping > 0)
	{
		parent = report_call(run, parent, model, &usage, calls_tools, first_chunk, at, end + wrapping);
		parent->name = TEXT("LiteLLM.completion");
		truth.wrapped_calls++;
	}
	span = report_call(run, parent, model, &usage, calls_tools, first_chunk, at + wrapping, end);
	if (options.rich)
	{
		Text		said = answer != NULL ? *answer : prose(run->arena, bits(), body_length(350));

		set_input(run, span, &ctx->history);
		set_output(run, span, said);
		remember(run, &ctx->history, TEXT("assistant"), said);
	}

	truth.model_calls++;
	count_usage(run, model, &usage);
	add_usage(&ctx->usage, &usage);
	return end + wrapping;
}

static void
embedding(Run *run, Span *parent, Context *ctx, int64_t at, int64_t end)
{
	const Model *model = &models[MODEL_EMBEDDING];
	Span	   *span = begin_kind(run, parent, KIND_EMBEDDING, model->requested, at);
	Usage		usage = {.input = 4 + below(60)};

	span->span_kind = SPAN_CLIENT;
	span->end = end;
	set_text(span, run->convention->embedding_model, model->requested);
	set_usage(run, span, &usage);
	truth.embedding_calls++;
	truth.input_tokens += usage.input;
	ctx->usage.input += usage.input;
}

static void
finish_request(Span *span, bool failed, int64_t end)
{
	span->end = end;
	set_int(span, TEXT("http.response.status_code"), failed ? 503 : 200);
	if (!failed)
		return;
	span->failed = true;
	span->status = STATUS_ERROR;
	set_text(span, TEXT("error.type"), TEXT("503"));
	truth.error_spans++;
	truth.status_error_spans++;
}

/* The HTTP request below a tool, and the backend's side of it. */
static void
request(Run *run, Span *parent, const Tool *tool, bool failed, int64_t at, int64_t end)
{
	Span	   *client = begin_span(run, parent, TEXT("GET"), at);
	Span	   *server;
	int64_t		network = (end - at) / 10;

	client->scope = SCOPE_HTTP;
	client->span_kind = SPAN_CLIENT;
	set_text(client, TEXT("http.request.method"), TEXT("GET"));
	set_text(client, TEXT("server.address"), tool->host);
	finish_request(client, failed, end);
	if (tool->shape != SHAPE_BACKEND)
		return;

	server = begin_span(run, client, join(run->arena, TEXT("GET /v1/"), tool->name, TEXT("")), at + network);
	server->scope = SCOPE_HTTP;
	server->span_kind = SPAN_SERVER;
	server->resource = find_resource(tool->host, 0, run->staging);
	set_text(server, TEXT("http.request.method"), TEXT("GET"));
	set_text(server, TEXT("http.route"), server->name);
	finish_request(server, failed, end - network);
}

static void
count_tool_call(Run *run, const Tool *tool, bool failed)
{
	truth.tool_calls++;
	if (tool == &tools[SEARCH_ORDERS])
	{
		truth.failing_calls[period(run, failing_from)]++;
		truth.failing_failed[period(run, failing_from)] += failed;
	}
	truth.hidden_branches += tool == &tools[CRAWL_ARCHIVE];
}

static int64_t
tool_attempt(Run *run, Span *parent, Context *ctx, const Action *action, Text call_id,
			 Text arguments, bool failed, int64_t at)
{
	const Tool *tool = action->tool;
	const Convention *c = run->convention;
	double		takes = action->takes_ms > 0 ? action->takes_ms : lognormal(tool->median_ms, 0.6);
	Span	   *span = begin_kind(run, parent, KIND_TOOL, tool->name, at);
	int64_t		margin;

	span->end = at + (int64_t) (takes * MS);
	margin = (span->end - at) / 50;
	set_text(span, c->tool_name, tool->name);
	set_text(span, c->tool_call_id, call_id);
	if (options.rich)
		set_text(span, c->tool_arguments, arguments);

	if (tool->shape == SHAPE_RETRIEVAL)
		embedding(run, span, ctx, at + margin, at + (span->end - at) / 3);
	else if (tool->shape != SHAPE_LOCAL)
		request(run, span, tool, failed, at + margin, span->end - margin);

	if (failed)
		fail_span(run, span, tool->failure);
	else if (options.rich)
	{
		Text		result = json_body(run, "result", prose(run->arena, bits(), body_length(900)));

		set_text(span, c->tool_result, result);
		remember(run, &ctx->history, TEXT("tool"), result);
	}
	count_tool_call(run, tool, failed);
	return span->end;
}

static int64_t
call_tool(Run *run, Span *parent, Context *ctx, const Action *action, int64_t at)
{
	Text		call_id = hex_text(run->arena, TEXT("call_"), bits());
	Text		arguments = TEXT("");

	if (options.rich)
		arguments = json_body(run, "query", prose(run->arena, bits(), body_length(60)));
	at += (int64_t) (action->delay_ms * MS);
	for (int i = 0; i < action->failures; i++)
	{
		at = tool_attempt(run, parent, ctx, action, call_id, arguments, true, at);
		if (action->gives_up && i + 1 == action->failures)
			return at;
		at += (int64_t) (lognormal(200 << i, 0.2) * MS);
	}
	return tool_attempt(run, parent, ctx, action, call_id, arguments, false, at);
}

static int64_t act(Run *run, Span *parent, const Script *script, Usage *total, int64_t at);

/* A model call and what it asks for; returns when all of that has ended. */
static int64_t
act_step(Run *run, Span *agent, Context *ctx, const Step *step, int64_t at)
{
	int64_t		end = 0;

	for (int i = 0; i < step->model_failures; i++)
		at = failed_model_call(run, agent, run->model, &rate_limited, at) + (2 + i) * SECOND;
	at = model_call(run, agent, ctx, run->model, true, NULL, at);

	for (int i = 0; i < step->count; i++)
	{
		const Action *action = &step->actions[i];
		int64_t		ended;

		at += (int64_t) (lognormal(0.4, 0.8) * MS);
		if (action->tool != NULL)
			ended = call_tool(run, agent, ctx, action, at);
		else
			ended = act(run, agent, action->script, &ctx->usage, at);
		if (ended > end)
			end = ended;
		ctx->tokens += lognormal(220, 0.9);
	}
	return end + (int64_t) (lognormal(3, 0.8) * MS);
}

/* The planner's model call, within a span that records its plan. */
static int64_t
make_plan(Run *run, Span *agent, const Script *script, Context *ctx, int64_t at)
{
	const Model *planner = &models[MODEL_PLANNER];
	Span	   *span;

	if (script->plan.len == 0)
		return model_call(run, agent, ctx, planner, false, NULL, at) + 2 * MS;

	span = begin_span(run, agent, join(run->arena, TEXT("plan "), script->agent, TEXT("")), at);
	span->scope = SCOPE_PLANNER;
	set_text(span, TEXT("gen_ai.operation.name"), TEXT("plan"));
	set_text(span, TEXT("gen_ai.plan"), script->plan);
	span->end = model_call(run, span, ctx, planner, false, &script->plan, at + MS) + MS;
	return span->end + MS;
}

/* What a wrapper that the whole company uses puts on a run's root. */
static void
describe_root(Run *run, Span *root)
{
	const Convention *c = run->convention;
	char		user[16];
	Text		user_text = {user, (uint32_t) sprintf(user, "user-%05d", run->user)};

	set_text(root, c->conversation_id, hex_text(run->arena, TEXT("conv-"), run->conversation));
	set_text(root, c->user_id, join(run->arena, user_text, TEXT(""), TEXT("")));
	set_text(root, TEXT("app.feature"), run->feature->name);
	set_text(root, TEXT("app.tenant_id"), tenants[run->tenant]);
	root->span_kind = SPAN_SERVER;
	root->link = run->previous;
}

/* Runs an agent and adds its usage to the total of who called it. */
static int64_t
act(Run *run, Span *parent, const Script *script, Usage *total, int64_t at)
{
	Span	   *agent = begin_kind(run, parent, KIND_AGENT, script->agent, at);
	Text		answer;
	Context		ctx;

	truth.agent_runs++;
	ctx.tokens = lognormal(1600, 0.4);
	ctx.previous_input = 0;
	ctx.usage = (Usage) {0};
	if (options.rich)
	{
		begin_history(run, script, &ctx.history);
		answer = turn_prose(run, run->turn, 1, 700);
	}

	set_text(agent, run->convention->agent_name, script->agent);
	at += (int64_t) (lognormal(2, 0.8) * MS);
	if (script->root)
	{
		describe_root(run, agent);
		at = make_plan(run, agent, script, &ctx, at);
	}
	for (int i = 0; i < script->count; i++)
		at = act_step(run, agent, &ctx, &script->steps[i], at);

	if (script->overflows)
		at = failed_model_call(run, agent, run->model, &overflow, at);
	else if (!script->fails)
		at = model_call(run, agent, &ctx, run->model, false, script->root ? &answer : NULL, at);

	agent->end = at + (int64_t) (lognormal(2, 0.8) * MS);
	if (run->repeats_usage)
		set_usage(run, agent, &ctx.usage);
	if (script->fails)
		fail_span(run, agent, &gave_up);
	add_usage(total, &ctx.usage);
	return agent->end;
}

/*-------------------------------------------------------------------------
 * Odd clocks.
 *-------------------------------------------------------------------------
 */

/* The clock of the backends' host is off. */
static void
skew(Trace *trace)
{
	int64_t		off = (int64_t) (50 * MS * (2 * uniform() - 1));
	bool		any = false;

	for (int i = 1; i < trace->count; i++)
	{
		Span	   *span = trace->spans[i];

		if (span->span_kind != SPAN_SERVER)
			continue;
		span->start += off;
		span->end += off;
		any = true;
	}
	truth.skewed_traces += any;
}

static void
lose_span(Trace *trace, int at)
{
	uint64_t	id = trace->spans[at]->id;

	for (int i = at + 1; i < trace->count; i++)
		truth.lost_parents += trace->spans[i]->parent == id;
	trace->count--;
	memmove(&trace->spans[at], &trace->spans[at + 1], (trace->count - at) * sizeof(Span *));
}

/* The same span once more, as it was sent before it had ended. */
static void
resend_span(Run *run, const Span *span)
{
	Trace	   *trace = run->trace;
	Span	   *copy = arena_alloc(run->arena, sizeof(Span));

	*copy = *span;
	copy->exported = copy->start;
	copy->end = 0;
	copy->attributes.count = 1;
	trace->spans = arena_grow(run->arena, trace->spans, trace->count, &trace->capacity, sizeof(Span *));
	trace->spans[trace->count++] = copy;
	truth.resent_spans++;

	/* It is no span of its own. */
	truth.spans--;
	truth.attributes -= copy->attributes.count;
}

/* Only requests and servers: no planted truth is about them. */
static void
disturb(Run *run)
{
	Trace	   *trace = run->trace;
	int			at;
	Span	   *span;

	if (chance(0.03))
		skew(trace);
	if (!chance(0.06))
		return;
	at = below(trace->count);
	span = trace->spans[at];
	if (options.rich && chance(0.3))
		resend_span(run, span);
	else if (span->scope != SCOPE_HTTP || span->failed)
		return;
	else if (span->span_kind == SPAN_CLIENT && chance(0.4))
		lose_span(trace, at);
	else if (chance(0.7))
	{
		span->end = 0;
		truth.open_spans++;
	}
	else
	{
		span->end = span->start - 2 * MS;
		truth.backward_spans++;
	}
}

/*-------------------------------------------------------------------------
 * Runs.
 *-------------------------------------------------------------------------
 */

/* Conversations that may go on with another run. */
typedef struct Conversation
{
	uint64_t	id;
	int			turn;
	int			feature;
	int			tenant;
	int			user;
	Root		last;
} Conversation;

static Conversation conversations[64];

static Conversation *
draw_conversation(void)
{
	Conversation *c = &conversations[below(lengthof(conversations))];

	if (c->id != 0 && chance(0.55))
	{
		c->turn++;
		return c;
	}
	c->id = bits();
	c->turn = 0;
	c->feature = weighted(feature_weights);
	c->tenant = weighted(tenant_weights);
	c->user = (int) below(20000);
	return c;
}

static int
draw_group(int64_t number)
{
	for (int i = 0; i < GROUPS; i++)
	{
		if (number % failure_groups[i].every == failure_groups[i].every / 2)
			return i;
	}
	return -1;
}

static void
remember_id(TraceIds *ids, const Trace *trace)
{
	if (ids->count == ids->capacity)
	{
		ids->capacity = ids->capacity * 2 + 64;
		ids->items = allocate(ids->items, ids->capacity * sizeof(ids->items[0]));
	}
	memcpy(ids->items[ids->count++], trace->id, sizeof(trace->id));
}

/* How much larger prompts are than they would be. */
static double
prompt_growth(const Run *run)
{
	if (run->feature != &features[RESEARCH] || run->tenant != TENANT_NORTHWIND ||
		run->start < growth_from)
		return 1;
	return 1 + 1.5 * (double) (run->start - growth_from) / (double) (options.until - growth_from);
}

static void
begin_run(Run *run, Trace *trace, Conversation *c, int64_t number, int64_t start)
{
	memset(run, 0, sizeof(*run));
	run->trace = trace;
	run->arena = &trace->arena;
	run->start = start;
	run->group = draw_group(number);
	run->feature = &features[c->feature];
	run->convention_id = weighted(convention_weights);
	run->model = &models[weighted(model_weights)];
	if (run->group >= 0)
	{
		run->feature = &features[failure_groups[run->group].feature];
		run->convention_id = failure_groups[run->group].convention;
		run->model = &models[MODEL_CLAUDE];
	}
	run->convention = &conventions[run->convention_id];
	run->tenant = c->tenant;
	run->user = c->user;
	run->conversation = c->id;
	run->turn = c->turn;
	if (options.rich && c->turn > 0)
	{
		Root	   *previous = arena_alloc(run->arena, sizeof(Root));

		*previous = c->last;
		run->previous = previous;
	}
	run->staging = chance(0.08);
	run->streams = run->convention_id == VERCEL || run->convention_id == LANGFUSE ||
		(run->convention_id == OTEL && chance(0.6));
	run->repeats_usage = chance(run->convention->repeats_usage);
	run->minor = (int) (4 * (double) (start - history_begin) / (double) (options.until - history_begin));
	run->resource = find_resource(run->feature->service, run->minor, run->staging);
	run->growth = prompt_growth(run);
}

static Script *
write_script(Run *run)
{
	double		size = heavy_lognormal(16.5, 1.3);
	int			budget = size < 3 ? 3 : size > 4500 ? 4500 : (int) size;
	Script	   *script;

	if (run->group >= 0)
		return group_script(run);

	run->planned = run->feature->plans && budget >= 8 && budget <= 150 && chance(0.7);
	script = draw_script(run, run->feature->agent, budget - (run->planned ? 2 : 1), 0);
	if (run->planned)
	{
		script->plan = plan_text(run, script);
		truth.planned++;
		if (truth.planned % 25 == 13)
			leave_plan(run, script);
	}
	return script;
}

/* Nothing ends after the history. */
static void
move_into_history(Trace *trace)
{
	int64_t		over = trace->spans[0]->end - options.until;

	for (int i = 0; over > 0 && i < trace->count; i++)
	{
		trace->spans[i]->start -= over;
		trace->spans[i]->end -= over;
		if (trace->spans[i]->event != NULL)
			trace->spans[i]->event->time -= over;
	}
}

static int
by_export(const void *a, const void *b)
{
	int64_t		x = (*(Span *const *) a)->exported;
	int64_t		y = (*(Span *const *) b)->exported;

	return (x > y) - (x < y);
}

static Trace *
make_trace(int64_t number, int64_t start)
{
	Trace	   *trace = allocate(NULL, sizeof(Trace));
	Conversation *c = draw_conversation();
	Usage		total = {0};
	Script	   *script;
	Run			run;

	memset(trace, 0, sizeof(*trace));
	trace->id[0] = bits();
	trace->id[1] = bits();
	begin_run(&run, trace, c, number, start);
	script = write_script(&run);
	script->root = true;
	act(&run, NULL, script, &total, start);
	move_into_history(trace);
	c->last = (Root) {{trace->id[0], trace->id[1]}, trace->spans[0]->id};

	for (int i = 0; i < trace->count; i++)
		trace->spans[i]->exported = trace->spans[i]->end;
	if (run.group >= 0)
		remember_id(&truth.groups[run.group], trace);
	else
		disturb(&run);

	truth.traces++;
	truth.spans += trace->count;
	for (int i = 0; i < trace->count; i++)
		truth.attributes += trace->spans[i]->attributes.count;
	trace->unwritten = trace->count;
	qsort(trace->spans, trace->count, sizeof(Span *), by_export);
	return trace;
}

/* Sorted times, more of them at noon than at midnight. */
static int64_t
start_of(int64_t number)
{
	double		days = options.days * ((double) number + uniform()) / (double) options.traces;

	days -= 0.6 / 6.283185307179586 * sin(6.283185307179586 * days);
	return history_begin + (int64_t) (days * DAY);
}

/*-------------------------------------------------------------------------
 * Output.
 *-------------------------------------------------------------------------
 */
static Buffer out;
static FILE *out_file;
static int64_t requests;

static void
write_out(FILE *file)
{
	if (fwrite(out.data, 1, out.len, file) != out.len)
		die("writing");
	out.len = 0;
}

/* A request is complete in the buffer. */
static void
end_request(void)
{
	requests++;
	if (options.split != NULL)
	{
		char		path[4096];
		FILE	   *file;

		snprintf(path, sizeof(path), "%s/%08ld.%s", options.split, (long) requests,
				 options.protobuf ? "pb" : "json");
		file = fopen(path, "w");
		if (file == NULL)
			die(path);
		write_out(file);
		if (fclose(file) != 0)
			die(path);
	}
	else if (out.len > 1024 * 1024)
		write_out(out_file);
}

/* JSON */

static void
put_value(Buffer *b, const Attribute *a)
{
	switch (a->type)
	{
		case VALUE_STRING:
			PUT(b, "{\"stringValue\":\"");
			put_escaped(b, a->text);
			PUT(b, "\"}");
			break;
		case VALUE_OPEN_LIST:
			PUT(b, "{\"stringValue\":\"");
			put_escaped(b, a->text);
			PUT(b, "]\"}");
			break;
		case VALUE_STRINGS:
			PUT(b, "{\"arrayValue\":{\"values\":[{\"stringValue\":\"");
			put_escaped(b, a->text);
			PUT(b, "\"}]}}");
			break;
		case VALUE_INT:
			PUT(b, "{\"intValue\":\"");
			put_uint(b, a->number);
			PUT(b, "\"}");
			break;
		case VALUE_THOUSANDTHS:
			PUT(b, "{\"doubleValue\":");
			put_thousandths(b, a->number);
			PUT(b, "}");
			break;
		case VALUE_BOOL:
			if (a->number)
				PUT(b, "{\"boolValue\":true}");
			else
				PUT(b, "{\"boolValue\":false}");
			break;
	}
}

static void
put_attributes(Buffer *b, const Attribute *items, int count)
{
	PUT(b, "\"attributes\":[");
	for (int i = 0; i < count; i++)
	{
		if (i > 0)
			PUT(b, ",");
		PUT(b, "{\"key\":\"");
		put_text(b, items[i].key);
		PUT(b, "\",\"value\":");
		put_value(b, &items[i]);
		PUT(b, "}");
	}
	PUT(b, "]");
}

static void
put_span_id(Buffer *b, uint64_t id)
{
	if (id != 0)
		put_hex(b, id);
}

static void
put_event(Buffer *b, const Event *event)
{
	PUT(b, ",\"events\":[{\"timeUnixNano\":\"");
	put_uint(b, event->time);
	PUT(b, "\",\"name\":\"");
	put_text(b, event->name);
	PUT(b, "\",");
	put_attributes(b, event->attributes.items, event->attributes.count);
	PUT(b, "}]");
}

static void
put_link(Buffer *b, const Root *to)
{
	PUT(b, ",\"links\":[{\"traceId\":\"");
	put_hex(b, to->trace_id[0]);
	put_hex(b, to->trace_id[1]);
	PUT(b, "\",\"spanId\":\"");
	put_hex(b, to->span_id);
	PUT(b, "\"}]");
}

static void
put_span(Buffer *b, const Span *span)
{
	PUT(b, "{\"traceId\":\"");
	put_hex(b, span->trace->id[0]);
	put_hex(b, span->trace->id[1]);
	PUT(b, "\",\"spanId\":\"");
	put_span_id(b, span->id);
	PUT(b, "\",\"parentSpanId\":\"");
	put_span_id(b, span->parent);
	PUT(b, "\",\"name\":\"");
	put_text(b, span->name);
	PUT(b, "\",\"kind\":");
	put_uint(b, span->span_kind);
	PUT(b, ",\"startTimeUnixNano\":\"");
	put_uint(b, span->start);
	PUT(b, "\",\"endTimeUnixNano\":\"");
	put_uint(b, span->end);
	PUT(b, "\",");
	put_attributes(b, span->attributes.items, span->attributes.count);
	if (span->event != NULL)
		put_event(b, span->event);
	if (span->link != NULL)
		put_link(b, span->link);
	if (span->status == STATUS_UNSET)
		PUT(b, ",\"status\":{}}");
	else
	{
		PUT(b, ",\"status\":{\"message\":\"");
		put_escaped(b, span->message);
		PUT(b, "\",\"code\":2}}");
	}
}

static void
put_resource(Buffer *b, int resource)
{
	Attribute	list[RESOURCE_ATTRIBUTES];

	PUT(b, "{\"resource\":{");
	put_attributes(b, list, resource_attributes(&resources[resource], list));
	PUT(b, "},\"scopeSpans\":[");
}

static void
put_scope(Buffer *b, int scope)
{
	PUT(b, "{\"scope\":{\"name\":\"");
	put_text(b, scope_name(scope));
	PUT(b, "\",\"version\":\"");
	put_text(b, scope_version(scope));
	PUT(b, "\"},\"spans\":[");
}

/* Spans come grouped by resource, and by scope within. */
static void
write_json(Span **spans, int count)
{
	PUT(&out, "{\"resourceSpans\":[");
	for (int i = 0; i < count; i++)
	{
		bool		resource = i == 0 || spans[i]->resource != spans[i - 1]->resource;
		bool		scope = resource || spans[i]->scope != spans[i - 1]->scope;

		if (i > 0)
		{
			if (resource)
				PUT(&out, "]}]}");
			else if (scope)
				PUT(&out, "]}");
			PUT(&out, ",");
		}
		if (resource)
			put_resource(&out, spans[i]->resource);
		if (scope)
			put_scope(&out, spans[i]->scope);
		put_span(&out, spans[i]);
	}
	PUT(&out, "]}]}]}\n");
	end_request();
}

/* Protobuf: protobuf-c's structs of one request, in an arena of its own. */

static Arena request_arena;

/* An upper bound of the request's size, which saves asking protobuf-c. */
static size_t request_bound;

#define NEW(Message, message) \
	memcpy(arena_alloc(&request_arena, sizeof(Message)), &(Message) message, sizeof(Message))

static ProtobufCBinaryData
binary(Text text)
{
	request_bound += text.len + 8;
	return (ProtobufCBinaryData) {text.len, (uint8_t *) text.data};
}

static ProtobufCBinaryData
id_bytes(const uint64_t *id, int words)
{
	uint8_t    *bytes = arena_alloc(&request_arena, 8 * words);

	for (int i = 0; i < 8 * words; i++)
		bytes[i] = id[i / 8] >> (56 - 8 * (i % 8));
	request_bound += 8 * words + 8;
	return (ProtobufCBinaryData) {8 * words, bytes};
}

/* An AnyValue is bytes to our structs: they are not recursive. */
static ProtobufCBinaryData
pack_value(Otlp__AnyValue *value, size_t content)
{
	uint8_t    *bytes = arena_alloc(&request_arena, content + 32);
	size_t		len = otlp__any_value__pack(value, bytes);

	request_bound += len + 8;
	return (ProtobufCBinaryData) {len, bytes};
}

static ProtobufCBinaryData
pack_string(Text text)
{
	Otlp__AnyValue value;

	otlp__any_value__init(&value);
	value.value_case = OTLP__ANY_VALUE__VALUE_STRING_VALUE;
	value.string_value = binary(text);
	return pack_value(&value, text.len);
}

static ProtobufCBinaryData
pack_list(Text text)
{
	Otlp__AnyValue value;
	Otlp__ArrayValue array = OTLP__ARRAY_VALUE__INIT;
	ProtobufCBinaryData item = pack_string(text);
	uint8_t    *bytes = arena_alloc(&request_arena, item.len + 32);

	otlp__any_value__init(&value);
	array.n_values = 1;
	array.values = &item;
	value.value_case = OTLP__ANY_VALUE__VALUE_ARRAY_VALUE;
	value.array_value.len = otlp__array_value__pack(&array, bytes);
	value.array_value.data = bytes;
	return pack_value(&value, value.array_value.len);
}

static ProtobufCBinaryData
pack_number(const Attribute *a)
{
	Otlp__AnyValue value;

	otlp__any_value__init(&value);
	if (a->type == VALUE_INT)
	{
		value.value_case = OTLP__ANY_VALUE__VALUE_INT_VALUE;
		value.int_value = a->number;
	}
	else if (a->type == VALUE_BOOL)
	{
		value.value_case = OTLP__ANY_VALUE__VALUE_BOOL_VALUE;
		value.bool_value = a->number != 0;
	}
	else
	{
		value.value_case = OTLP__ANY_VALUE__VALUE_DOUBLE_VALUE;
		value.double_value = (double) a->number / 1000;
	}
	return pack_value(&value, 0);
}

static ProtobufCBinaryData
pack_attribute_value(const Attribute *a)
{
	switch (a->type)
	{
		case VALUE_STRING:
			return pack_string(a->text);
		case VALUE_OPEN_LIST:
			return pack_string(join(&request_arena, a->text, TEXT("]"), TEXT("")));
		case VALUE_STRINGS:
			return pack_list(a->text);
		default:
			return pack_number(a);
	}
}

static Otlp__KeyValue **
pack_attributes(const Attribute *items, int count)
{
	Otlp__KeyValue **list = arena_alloc(&request_arena, count * sizeof(*list));
	Otlp__KeyValue *pairs = arena_alloc(&request_arena, count * sizeof(*pairs));

	for (int i = 0; i < count; i++)
	{
		otlp__key_value__init(&pairs[i]);
		pairs[i].key = binary(items[i].key);
		pairs[i].value = pack_attribute_value(&items[i]);
		list[i] = &pairs[i];
	}
	request_bound += count * 16;
	return list;
}

/* A list of one. */
static void *
list_of(void *item)
{
	void	  **list = arena_alloc(&request_arena, sizeof(void *));

	list[0] = item;
	return list;
}

static Otlp__Event *
event_message(const Event *event)
{
	Otlp__Event *m = NEW(Otlp__Event, OTLP__EVENT__INIT);

	m->time_unix_nano = event->time;
	m->name = binary(event->name);
	m->n_attributes = event->attributes.count;
	m->attributes = pack_attributes(event->attributes.items, event->attributes.count);
	request_bound += 32;
	return m;
}

static Otlp__Link *
link_message(const Root *to)
{
	Otlp__Link *m = NEW(Otlp__Link, OTLP__LINK__INIT);

	m->trace_id = id_bytes(to->trace_id, 2);
	m->span_id = id_bytes(&to->span_id, 1);
	request_bound += 16;
	return m;
}

static Otlp__Status *
status_message(const Span *span)
{
	Otlp__Status *m = NEW(Otlp__Status, OTLP__STATUS__INIT);

	m->code = span->status;
	m->message = binary(span->message);
	return m;
}

static Otlp__Span *
span_message(const Span *span)
{
	Otlp__Span *m = NEW(Otlp__Span, OTLP__SPAN__INIT);

	m->trace_id = id_bytes(span->trace->id, 2);
	m->span_id = id_bytes(&span->id, 1);
	if (span->parent != 0)
		m->parent_span_id = id_bytes(&span->parent, 1);
	m->name = binary(span->name);
	m->kind = span->span_kind;
	m->start_time_unix_nano = span->start;
	m->end_time_unix_nano = span->end;
	m->n_attributes = span->attributes.count;
	m->attributes = pack_attributes(span->attributes.items, span->attributes.count);
	if (span->event != NULL)
	{
		m->n_events = 1;
		m->events = list_of(event_message(span->event));
	}
	if (span->link != NULL)
	{
		m->n_links = 1;
		m->links = list_of(link_message(span->link));
	}
	m->n_status = 1;
	m->status = list_of(status_message(span));
	request_bound += 64;
	return m;
}

static Otlp__ResourceSpans *
resource_message(int resource, int most)
{
	Otlp__ResourceSpans *m = NEW(Otlp__ResourceSpans, OTLP__RESOURCE_SPANS__INIT);
	Otlp__Resource *r = NEW(Otlp__Resource, OTLP__RESOURCE__INIT);
	Attribute	list[RESOURCE_ATTRIBUTES];

	r->n_attributes = resource_attributes(&resources[resource], list);
	r->attributes = pack_attributes(list, RESOURCE_ATTRIBUTES);
	m->n_resource = 1;
	m->resource = list_of(r);
	m->scope_spans = arena_alloc(&request_arena, most * sizeof(*m->scope_spans));
	request_bound += 32;
	return m;
}

static Otlp__ScopeSpans *
scope_message(int scope, int most)
{
	Otlp__ScopeSpans *m = NEW(Otlp__ScopeSpans, OTLP__SCOPE_SPANS__INIT);
	Otlp__Scope *s = NEW(Otlp__Scope, OTLP__SCOPE__INIT);

	s->name = binary(scope_name(scope));
	s->version = binary(scope_version(scope));
	m->n_scope = 1;
	m->scope = list_of(s);
	m->spans = arena_alloc(&request_arena, most * sizeof(*m->spans));
	request_bound += 32;
	return m;
}

static void
write_protobuf(Span **spans, int count)
{
	Otlp__ExportTraceServiceRequest all = OTLP__EXPORT_TRACE_SERVICE_REQUEST__INIT;
	Otlp__ResourceSpans *in_resource = NULL;
	Otlp__ScopeSpans *in_scope = NULL;
	size_t		prefix = options.split == NULL ? 4 : 0;
	size_t		len;
	char	   *start;

	request_bound = prefix;
	all.resource_spans = arena_alloc(&request_arena, count * sizeof(*all.resource_spans));
	for (int i = 0; i < count; i++)
	{
		bool		resource = i == 0 || spans[i]->resource != spans[i - 1]->resource;

		if (resource)
		{
			in_resource = resource_message(spans[i]->resource, SCOPES);
			all.resource_spans[all.n_resource_spans++] = in_resource;
		}
		if (resource || spans[i]->scope != spans[i - 1]->scope)
		{
			in_scope = scope_message(spans[i]->scope, count - i);
			in_resource->scope_spans[in_resource->n_scope_spans++] = in_scope;
		}
		in_scope->spans[in_scope->n_spans++] = span_message(spans[i]);
	}

	start = reserve(&out, request_bound);
	len = otlp__export_trace_service_request__pack(&all, (uint8_t *) start + prefix);
	for (size_t i = 0; i < prefix; i++)
		start[i] = (char) (len >> (24 - 8 * i));
	out.len += prefix + len;
	arena_reset(&request_arena);
	end_request();
}

/*-------------------------------------------------------------------------
 * Requests: the spans of all traces in the order of their ends.
 *-------------------------------------------------------------------------
 */
static Span **batch;
static int	batch_count;

static void
release(Trace *trace)
{
	arena_reset(&trace->arena);
	free(trace);
}

/* Counting sort by resource and scope: within them, order is kept. */
static void
group_batch(Span **grouped)
{
	static int	starts[MAX_RESOURCES * SCOPES + 1];
	int			keys = resource_count * SCOPES;

	memset(starts, 0, (keys + 1) * sizeof(int));
	for (int i = 0; i < batch_count; i++)
		starts[batch[i]->resource * SCOPES + batch[i]->scope + 1]++;
	for (int i = 0; i < keys; i++)
		starts[i + 1] += starts[i];
	for (int i = 0; i < batch_count; i++)
		grouped[starts[batch[i]->resource * SCOPES + batch[i]->scope]++] = batch[i];
}

static void
flush_batch(void)
{
	static Span **grouped;

	if (batch_count == 0)
		return;
	if (grouped == NULL)
		grouped = allocate(NULL, options.batch * sizeof(Span *));
	group_batch(grouped);
	if (options.protobuf)
		write_protobuf(grouped, batch_count);
	else
		write_json(grouped, batch_count);

	for (int i = 0; i < batch_count; i++)
	{
		Trace	   *trace = batch[i]->trace;

		if (--trace->unwritten == 0)
			release(trace);
	}
	batch_count = 0;
}

static void
add_to_batch(Span *span)
{
	if (batch_count == options.batch ||
		(batch_count > 0 && options.flush > 0 && span->exported > batch[0]->exported + options.flush))
		flush_batch();
	batch[batch_count++] = span;
}

/* Traces with spans to come: a heap by the next one's export. */
static Trace **heap;
static int	heap_count;
static int	heap_capacity;

static inline int64_t
next_export(const Trace *trace)
{
	return trace->spans[trace->merged]->exported;
}

static void
sift_down(int at)
{
	Trace	   *trace = heap[at];
	int			child;

	for (; (child = 2 * at + 1) < heap_count; at = child)
	{
		if (child + 1 < heap_count && next_export(heap[child + 1]) < next_export(heap[child]))
			child++;
		if (next_export(heap[child]) >= next_export(trace))
			break;
		heap[at] = heap[child];
	}
	heap[at] = trace;
}

static void
push_trace(Trace *trace)
{
	int			at = heap_count++;

	if (heap_count > heap_capacity)
	{
		heap_capacity = heap_capacity * 2 + 64;
		heap = allocate(heap, heap_capacity * sizeof(Trace *));
	}
	for (; at > 0 && next_export(heap[(at - 1) / 2]) > next_export(trace); at = (at - 1) / 2)
		heap[at] = heap[(at - 1) / 2];
	heap[at] = trace;
}

/* All spans that are exported before a time. */
static void
export_until(int64_t until)
{
	while (heap_count > 0 && next_export(heap[0]) < until)
	{
		Trace	   *trace = heap[0];
		Span	   *span = trace->spans[trace->merged++];

		if (trace->merged == trace->count)
			heap[0] = heap[--heap_count];
		if (heap_count > 0)
			sift_down(0);
		add_to_batch(span);
	}
}

static void
generate(void)
{
	batch = allocate(NULL, options.batch * sizeof(Span *));
	for (int64_t i = 0; i < options.traces; i++)
	{
		int64_t		start = start_of(i);

		export_until(start);
		push_trace(make_trace(i, start));
	}
	export_until(INT64_MAX);
	flush_batch();
}

/*-------------------------------------------------------------------------
 * The truth file.
 *-------------------------------------------------------------------------
 */
static FILE *truth_file;

static void
print_time(const char *name, int64_t time)
{
	Buffer		b = {0};

	put_time(&b, time);
	fprintf(truth_file, "\"%s\": \"%.*s\"", name, (int) b.len, b.data);
	free(b.data);
}

static void
print_trace_id(const uint64_t *id)
{
	fprintf(truth_file, "\"%016lx%016lx\"", (unsigned long) id[0], (unsigned long) id[1]);
}

static void
print_totals(void)
{
	const struct
	{
		const char *name;
		int64_t		value;
	}			totals[] = {
		{"traces", truth.traces},
		{"spans", truth.spans},
		{"attributes", truth.attributes},
		{"requests", requests},
		{"model_calls", truth.model_calls},
		{"embedding_calls", truth.embedding_calls},
		{"model_call_wrappers", truth.wrapped_calls},
		{"tool_calls", truth.tool_calls},
		{"agent_runs", truth.agent_runs},
		{"input_tokens", truth.input_tokens},
		{"output_tokens", truth.output_tokens},
		{"cache_read_tokens", truth.cache_read_tokens},
		{"reasoning_tokens", truth.reasoning_tokens},
		{"error_spans", truth.error_spans},
		{"status_error_spans", truth.status_error_spans},
		{"recorded_plans", truth.planned},
		{"open_spans", truth.open_spans},
		{"backward_spans", truth.backward_spans},
		{"orphan_spans", truth.lost_parents},
		{"skewed_traces", truth.skewed_traces},
		{"resent_spans", truth.resent_spans},
	};

	fprintf(truth_file, " \"totals\": {");
	for (int i = 0; i < lengthof(totals); i++)
		fprintf(truth_file, "%s\n  \"%s\": %ld", i > 0 ? "," : "", totals[i].name, (long) totals[i].value);
	fprintf(truth_file, "\n },\n");
}

static void
print_periods(const char *name, const int64_t *periods)
{
	fprintf(truth_file, ", \"%s_before\": %ld, \"%s_after\": %ld",
			name, (long) periods[BEFORE], name, (long) periods[AFTER]);
}

static void
print_dated_truths(void)
{
	fprintf(truth_file, " \"growing_prompts\": {\"feature\": \"%s\", \"tenant\": \"%s\", ",
			features[RESEARCH].name.data, tenants[TENANT_NORTHWIND].data);
	print_time("from", growth_from);
	print_periods("calls", truth.grown_calls);
	print_periods("input_tokens", truth.grown_tokens);

	fprintf(truth_file, "},\n \"failing_tool\": {\"tool\": \"%s\", \"error_type\": \"%s\", ",
			tools[SEARCH_ORDERS].name.data, tools[SEARCH_ORDERS].failure->type.data);
	print_time("from", failing_from);
	print_periods("calls", truth.failing_calls);
	print_periods("failed", truth.failing_failed);

	fprintf(truth_file, "},\n \"hidden_branch\": {\"longest\": \"%s\", \"critical\": \"%s\", \"count\": %ld",
			tools[CRAWL_ARCHIVE].name.data, tools[RERANK_PASSAGES].name.data,
			(long) truth.hidden_branches);

	fprintf(truth_file, "},\n \"swapped_model\": {\"requested\": \"%s\", \"responded_before\": \"%s\", "
			"\"responded_after\": \"%s\", ", models[MODEL_GPT].requested.data,
			models[MODEL_GPT].responded.data, swapped_responded.data);
	print_time("from", swapped_from);
	print_periods("calls", truth.swapped_calls);
	fprintf(truth_file, "},\n");
}

static void
print_left_plan(void)
{
	fprintf(truth_file, " \"left_plan\": [");
	for (int i = 0; i < truth.left_plan_count; i++)
	{
		const Deviation *d = &truth.left_plan[i];

		fprintf(truth_file, "%s\n  {\"trace_id\": ", i > 0 ? "," : "");
		print_trace_id(d->trace_id);
		fprintf(truth_file, ", \"skipped\": \"%.*s\", \"inserted\": \"%.*s\"}",
				(int) d->skipped.len, d->skipped.data, (int) d->inserted.len, d->inserted.data);
	}
	fprintf(truth_file, "],\n");
}

static void
print_groups(void)
{
	fprintf(truth_file, " \"failure_groups\": [");
	for (int i = 0; i < GROUPS; i++)
	{
		const FailureGroup *group = &failure_groups[i];

		fprintf(truth_file, "%s\n  {\"name\": \"%s\", \"failing\": \"%s\", \"root_fails\": %s, \"trace_ids\": [",
				i > 0 ? "," : "", group->name, group->failing, group->root_fails ? "true" : "false");
		for (int j = 0; j < truth.groups[i].count; j++)
		{
			fprintf(truth_file, j > 0 ? ", " : "");
			print_trace_id(truth.groups[i].items[j]);
		}
		fprintf(truth_file, "]}");
	}
	fprintf(truth_file, "],\n");
}

/* How tests may map and classify what the company calls by its own names. */
static void
print_company(void)
{
	fprintf(truth_file, " \"feature_key\": \"app.feature\",\n \"tenant_key\": \"app.tenant_id\",\n \"tools\": {");
	for (int i = 0; i < lengthof(tools); i++)
		fprintf(truth_file, "%s\n  \"%s\": \"%s\"", i > 0 ? "," : "", tools[i].name.data, tools[i].effect);
	fprintf(truth_file, "}\n");
}

static void
write_truth(void)
{
	truth_file = fopen(options.truth, "w");
	if (truth_file == NULL)
		die(options.truth);
	fprintf(truth_file, "{\"seed\": %lu, ", (unsigned long) options.seed);
	print_time("since", history_begin);
	fprintf(truth_file, ", ");
	print_time("until", options.until);
	fprintf(truth_file, ",\n");
	print_totals();
	print_dated_truths();
	print_left_plan();
	print_groups();
	print_company();
	fprintf(truth_file, "}\n");
	if (fclose(truth_file) != 0)
		die(options.truth);
}

/*-------------------------------------------------------------------------
 * The command line.
 *-------------------------------------------------------------------------
 */
static void
help(void)
{
	puts("Writes traces of AI agents as OTLP.\n"
		 "\n"
		 "Usage: generate [OPTION]...\n"
		 "\n"
		 "  --traces N       how many traces (1000; a trace has 42 spans on average)\n"
		 "  --seed N         another seed, other traces (1)\n"
		 "  --until TIME     when the data ends, as 2026-01-31T12:00:00Z or seconds since\n"
		 "                   1970 (now); with it the same seed gives the same bytes\n"
		 "  --days N         length of the history before (14)\n"
		 "  --rich           prompts, message bodies, more attributes, events and links\n"
		 "  --format NAME    json: a request a line (default); protobuf: requests, each\n"
		 "                   after its length in four bytes, big-endian\n"
		 "  --batch N        at most N spans a request (512)\n"
		 "  --flush SECONDS  a request waits no longer for more spans (for ever)\n"
		 "  --output FILE    instead of standard output\n"
		 "  --split DIR      a file a request instead, DIR/00000001.json or .pb, without\n"
		 "                   lengths\n"
		 "  --truth FILE     writes what is planted in the data, and totals, as JSON\n"
		 "  --help           this text");
	exit(0);
}

static void
usage_error(const char *option, const char *value)
{
	fprintf(stderr, "generate: --%s cannot be \"%s\"; see --help\n", option, value);
	exit(2);
}

static int64_t
parse_number(const char *option, const char *value, int64_t least, int64_t most)
{
	char	   *end;
	long long	n;

	errno = 0;
	n = strtoll(value, &end, 10);
	if (errno != 0 || end == value || *end != '\0' || n < least || n > most)
		usage_error(option, value);
	return n;
}

static int64_t
parse_time(const char *option, const char *value)
{
	struct tm	tm = {0};
	const char *end = strptime(value, "%Y-%m-%dT%H:%M:%S", &tm);

	if (end == NULL || (strcmp(end, "Z") != 0 && *end != '\0'))
		return parse_number(option, value, 100000000, INT64_C(9000000000)) * SECOND;
	return timegm(&tm) * SECOND;
}

static void
parse_options(int argc, char **argv)
{
	static const struct option known[] = {
		{"traces", required_argument, NULL, 't'},
		{"seed", required_argument, NULL, 's'},
		{"until", required_argument, NULL, 'u'},
		{"days", required_argument, NULL, 'd'},
		{"rich", no_argument, NULL, 'r'},
		{"format", required_argument, NULL, 'f'},
		{"batch", required_argument, NULL, 'b'},
		{"flush", required_argument, NULL, 'w'},
		{"output", required_argument, NULL, 'o'},
		{"split", required_argument, NULL, 'p'},
		{"truth", required_argument, NULL, 'T'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0}
	};
	int			c;
	int			at;

	while ((c = getopt_long(argc, argv, "h", known, &at)) != -1)
	{
		switch (c)
		{
			case 't':
				options.traces = parse_number("traces", optarg, 1, INT64_C(1000000000));
				break;
			case 's':
				options.seed = (uint64_t) parse_number("seed", optarg, 0, INT64_MAX);
				break;
			case 'u':
				options.until = parse_time("until", optarg);
				break;
			case 'd':
				options.days = (int) parse_number("days", optarg, 1, 1000);
				break;
			case 'r':
				options.rich = true;
				break;
			case 'f':
				options.protobuf = strcmp(optarg, "protobuf") == 0;
				if (!options.protobuf && strcmp(optarg, "json") != 0)
					usage_error("format", optarg);
				break;
			case 'b':
				options.batch = (int) parse_number("batch", optarg, 1, 1000000);
				break;
			case 'w':
				options.flush = parse_number("flush", optarg, 0, 86400) * SECOND;
				break;
			case 'o':
				options.output = optarg;
				break;
			case 'p':
				options.split = optarg;
				break;
			case 'T':
				options.truth = optarg;
				break;
			case 'h':
				help();
				break;
			default:
				exit(2);
		}
	}
	if (optind < argc)
	{
		fprintf(stderr, "generate: \"%s\" is no option; see --help\n", argv[optind]);
		exit(2);
	}
}

int
main(int argc, char **argv)
{
	options.until = (int64_t) time(NULL) * SECOND;
	parse_options(argc, argv);
	history_begin = options.until - options.days * DAY;
	growth_from = options.until - options.days * DAY / 2;
	failing_from = options.until - options.days * DAY / 14 * 3;
	swapped_from = options.until - options.days * DAY / 14 * 5;
	seed_random(&chance_source, options.seed);

	out_file = options.output == NULL ? stdout : fopen(options.output, "w");
	if (out_file == NULL)
		die(options.output);
	generate();
	write_out(out_file);
	if (fclose(out_file) != 0)
		die("writing");
	if (options.truth != NULL)
		write_truth();
	return 0;
}
