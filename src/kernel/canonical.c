/*
 * canonical.c
 *		Reading the attributes of a span as canonical columns.
 */
#include "postgres.h"

#include <math.h>

#include "common/hashfn.h"
#include "kernel/canonical.h"

#define RANK_MAPPED		0		/* the user's choice wins */
#define RANK_BUILT_IN	1		/* + the rank of the alias */
#define RANK_DERIVED	255		/* what was reported as such wins */

/* Longest text that is read as a number, a kind or a provider. */
#define MAX_WORD 64

/*
 * Number of a built-in key, or -1.  The table is hashed at first use; it lives
 * as long as the process and holds nothing that can change.
 */
int
known_key_find(Bytes name)
{
	static int16 slots[2048];
	static bool is_ready = false;
	uint32		mask = lengthof(slots) - 1;

	if (!is_ready)
	{
		Assert(known_key_count * 2 <= (int) lengthof(slots));
		memset(slots, -1, sizeof(slots));
		for (int i = 0; i < known_key_count; i++)
		{
			const char *key = known_keys[i].name;
			uint32		h = hash_bytes((const unsigned char *) key, strlen(key)) & mask;

			while (slots[h] >= 0)
				h = (h + 1) & mask;
			slots[h] = i;
		}
		is_ready = true;
	}

	for (uint32 h = hash_bytes((const unsigned char *) name.data, name.len) & mask;
		 slots[h] >= 0; h = (h + 1) & mask)
		if (bytes_equal_cstring(name, known_keys[slots[h]].name))
			return slots[h];
	return -1;
}

static const char *const kind_names[KIND_COUNT] = {
	[KIND_OTHER] = "other",
	[KIND_LLM] = "llm",
	[KIND_EMBEDDING] = "embedding",
	[KIND_RERANK] = "rerank",
	[KIND_RETRIEVAL] = "retrieval",
	[KIND_TOOL] = "tool",
	[KIND_AGENT] = "agent",
	[KIND_WORKFLOW] = "workflow",
	[KIND_PLAN] = "plan",
	[KIND_GUARDRAIL] = "guardrail",
	[KIND_EVALUATOR] = "evaluator",
	[KIND_HUMAN] = "human",
	[KIND_MEMORY] = "memory"
};

const char *
operation_kind_name(OperationKind kind)
{
	return kind_names[kind];
}

/* A built-in key, by its number. */
Key
key_make_known(int number)
{
	const KnownKey *known = &known_keys[number];

	return (Key) {
		.name = {known->name, strlen(known->name)},
			.known = number,
			.column = known->column,
			.rank = RANK_BUILT_IN + known->rank,
			.rule = known->rule
	};
}

/*
 * Conventions that flatten lists into attributes have keys without number;
 * each holds a part of a column, or of what one is derived from.
 */
static const struct
{
	const char *prefix;
	uint8		column;
	uint8		rule;
}			flattened_keys[] = {
	{"gen_ai.completion.", COLUMN_OUTPUT},
	{"gen_ai.prompt.", COLUMN_INPUT, DERIVE_PROMPT},
	{"llm.input_messages.", COLUMN_INPUT, DERIVE_PROMPT},
	{"llm.output_messages.", COLUMN_OUTPUT},
	{"llm.request.functions.", COLUMN_NONE, DERIVE_PROMPT},
	{"llm.tools.", COLUMN_NONE, DERIVE_PROMPT},
	{"retrieval.documents.", COLUMN_RETRIEVAL_DOCUMENTS}
};

/* A key that is not built in. */
Key
key_make_named(Bytes name)
{
	Key			key = {.name = name,.known = -1};

	for (size_t i = 0; i < lengthof(flattened_keys); i++)
	{
		size_t		len = strlen(flattened_keys[i].prefix);

		if (name.len > len && memcmp(name.data, flattened_keys[i].prefix, len) == 0)
		{
			key.column = flattened_keys[i].column;
			key.rank = RANK_BUILT_IN + ALIAS_PART;
			key.rule = flattened_keys[i].rule;
		}
	}
	return key;
}

/* A key as it arrives on the wire: built in or not. */
Key
key_make(Bytes name)
{
	int			known = known_key_find(name);

	return known >= 0 ? key_make_known(known) : key_make_named(name);
}

/*
 * Make a key an alias of a column, whatever it is by itself.  Of two columns
 * for one key the larger number wins, so that merging does not depend on the
 * order.
 */
void
key_map(Key *key, CanonicalColumn column)
{
	if (key->is_mapped && key->column >= column)
		return;
	key->is_mapped = true;
	key->column = column;
	key->rank = RANK_MAPPED;
}

/* The key of a value that we computed. */
Key
key_make_derived(CanonicalColumn column)
{
	const char *name = canonical_column_name(column);

	return (Key) {
		.name = {name, strlen(name)},
			.known = -1,
			.column = column,
			.rank = RANK_DERIVED,
			.is_derived = true
	};
}

#define ST_SORT sort_aliases
#define ST_ELEMENT_TYPE uint32
#define ST_COMPARE(a, b) ((*(a) > *(b)) - (*(a) < *(b)))
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

/* Most shapes are short: add an alias to those that are in order already. */
static inline void
insert_alias(uint32 *aliases, uint32 n, uint32 alias)
{
	for (; n > 0 && aliases[n - 1] > alias; n--)
		aliases[n] = aliases[n - 1];
	aliases[n] = alias;
}

/* Fill in what a shape's keys mean.  room has an entry a key. */
void
shape_prepare(Shape *shape, const Key *keys, uint32 *room)
{
	uint32		n = 0;
	uint32		rules = 0;		/* bit r: some key has rule r */
	bool		is_short = shape->nkeys <= 32;

	shape->aliases = room;
	shape->columns = 0;
	for (uint32 i = 0; i < Min(shape->nkeys, 0x10000); i++)
	{
		const Key  *key = &keys[shape->keys[i]];
		uint32		alias;

		rules |= 1 << key->rule;
		if (key->column == COLUMN_NONE)
			continue;
		if (key->column == COLUMN_PLAN && !key->is_derived)
			rules |= 1 << DERIVE_PLAN;
		alias = (uint32) key->column << 24 | (uint32) key->rank << 16 | i;
		if (is_short)
			insert_alias(shape->aliases, n, alias);
		else
			shape->aliases[n] = alias;
		n++;
		shape->columns |= UINT64_C(1) << key->column;
	}
	shape->alias_count = n;
	shape->has_prompt = (rules & (1 << DERIVE_PROMPT | 1 << DERIVE_REQUEST)) != 0;
	shape->has_plan = (rules & 1 << DERIVE_PLAN) != 0;
	shape->has_rules = (rules & ~(1 << DERIVE_NOTHING | 1 << DERIVE_PROMPT | 1 << DERIVE_PLAN)) != 0;
	if (!is_short)
		sort_aliases(shape->aliases, n);
}

/* Copy a short text, trimmed and lower-cased, as a C string. */
static bool
copy_word(Bytes text, char *buf, size_t buf_size)
{
	while (text.len > 0 && text.data[0] == ' ')
		text = (Bytes) {text.data + 1, text.len - 1};
	while (text.len > 0 && text.data[text.len - 1] == ' ')
		text.len--;
	if (text.len == 0 || text.len >= buf_size)
		return false;
	for (uint32 i = 0; i < text.len; i++)
		buf[i] = pg_ascii_tolower((unsigned char) text.data[i]);
	buf[text.len] = '\0';
	return true;
}

/* A text that is a number as a whole. */
static bool
parse_number(Bytes text, double *number)
{
	char		buf[MAX_WORD];
	char	   *end;

	if (!copy_word(text, buf, sizeof(buf)))
		return false;
	*number = strtod(buf, &end);
	return end != buf && *end == '\0';
}

bool
value_read_double(const Value *v, double *number)
{
	switch (v->type)
	{
		case VALUE_DOUBLE:
			*number = v->number;
			break;
		case VALUE_INT:
			*number = (double) v->integer;
			break;
		case VALUE_STRING:
			if (!parse_number(value_bytes(v), number))
				return false;
			break;
		default:
			return false;
	}
	return !isnan(*number) && !isinf(*number);
}

/* Counts arrive as integers, as whole doubles and as text. */
bool
value_read_int(const Value *v, int64 *number)
{
	double		d;

	if (v->type == VALUE_INT)
	{
		*number = v->integer;
		return true;
	}
	if (v->type == VALUE_STRING)
	{
		char		buf[MAX_WORD];
		char	   *end;

		if (!copy_word(value_bytes(v), buf, sizeof(buf)))
			return false;
		errno = 0;
		*number = strtoll(buf, &end, 10);
		if (errno == 0 && end != buf && *end == '\0')
			return true;
	}
	if (!value_read_double(v, &d) || d != rint(d) || fabs(d) > 9007199254740992.0)
		return false;
	*number = (int64) d;
	return true;
}

/* The first array element that is a text. */
static bool
first_text(const Value *array, Bytes *text)
{
	ValueIterator it;
	Bytes		key;
	Value		v;

	value_iterate(&it, array);
	while (value_next(&it, &key, &v))
		if (v.type == VALUE_STRING && v.len > 0)
		{
			*text = value_bytes(&v);
			return true;
		}
	return false;
}

/* The best alias of the column that has a value at all, or NULL. */
const Value *
column_value(const SpanColumns *s, CanonicalColumn column)
{
	for (uint32 i = shape_first_alias(s->shape, column); shape_is_alias(s->shape, i, column); i++)
	{
		const Value *v = span_value(s, shape_alias_place(s->shape, i));

		if (v->type != VALUE_EMPTY && !(v->type == VALUE_STRING && v->len == 0))
			return v;
	}
	return NULL;
}

/* A column of type text: a string, or the first of an array of them. */
bool
column_text(const SpanColumns *s, CanonicalColumn column, Bytes *text)
{
	for (uint32 i = shape_first_alias(s->shape, column); shape_is_alias(s->shape, i, column); i++)
	{
		const Value *v = span_value(s, shape_alias_place(s->shape, i));

		if (v->type == VALUE_STRING && v->len > 0)
		{
			*text = value_bytes(v);
			return true;
		}
		if (v->type == VALUE_ARRAY && first_text(v, text))
			return true;
	}
	return false;
}

static AliasUnit
alias_unit(const SpanColumns *s, uint32 position)
{
	const Key  *key = &s->keys[s->shape->keys[position]];

	return key->known >= 0 && !key->is_mapped ? known_keys[key->known].unit : UNIT_AS_IS;
}

/* A column that counts something: never negative. */
bool
column_int(const SpanColumns *s, CanonicalColumn column, int64 *number)
{
	for (uint32 i = shape_first_alias(s->shape, column); shape_is_alias(s->shape, i, column); i++)
	{
		uint32		position = shape_alias_place(s->shape, i);

		if (value_read_int(span_value(s, position), number) && *number >= 0)
		{
			if (alias_unit(s, position) == UNIT_ZERO_BASED && *number < PG_INT64_MAX)
				(*number)++;
			return true;
		}
	}
	return false;
}

/* A column that measures something: never negative. */
bool
column_double(const SpanColumns *s, CanonicalColumn column, double *number)
{
	for (uint32 i = shape_first_alias(s->shape, column); shape_is_alias(s->shape, i, column); i++)
	{
		uint32		position = shape_alias_place(s->shape, i);

		if (value_read_double(span_value(s, position), number) && *number >= 0)
		{
			if (alias_unit(s, position) == UNIT_SECONDS)
				*number *= 1000;
			return true;
		}
	}
	return false;
}

typedef struct KindWord
{
	const char *word;
	uint8		kind;
} KindWord;

/* The words of all conventions, lower-cased, in order. */
static const KindWord kind_words[] = {
	{"agent", KIND_AGENT},
	{"agent_run", KIND_AGENT},
	{"agent_step", KIND_OTHER},
	{"ai.embed", KIND_WORKFLOW},
	{"ai.embedmany", KIND_WORKFLOW},
	{"ai.generateobject", KIND_AGENT},
	{"ai.generatetext", KIND_AGENT},
	{"ai.streamobject", KIND_AGENT},
	{"ai.streamtext", KIND_AGENT},
	{"ai.toolcall", KIND_TOOL},
	{"chain", KIND_WORKFLOW},
	{"chat", KIND_LLM},
	{"chat_model", KIND_LLM},
	{"completion", KIND_LLM},
	{"create_agent", KIND_AGENT},
	{"embedding", KIND_EMBEDDING},
	{"embeddings", KIND_EMBEDDING},
	{"evaluator", KIND_EVALUATOR},
	{"execute_tool", KIND_TOOL},
	{"fetch_response", KIND_OTHER},
	{"function", KIND_TOOL},
	{"generate", KIND_LLM},
	{"generate_content", KIND_LLM},
	{"generation", KIND_LLM},
	{"guardrail", KIND_GUARDRAIL},
	{"handle_conversation_turn", KIND_WORKFLOW},
	{"human", KIND_HUMAN},
	{"invoke_agent", KIND_AGENT},
	{"invoke_workflow", KIND_WORKFLOW},
	{"llm", KIND_LLM},
	{"memory", KIND_MEMORY},
	{"model", KIND_LLM},
	{"plan", KIND_PLAN},
	{"prompt", KIND_OTHER},
	{"realtime_inference", KIND_LLM},
	{"rerank", KIND_RERANK},
	{"reranker", KIND_RERANK},
	{"response", KIND_LLM},
	{"retrieval", KIND_RETRIEVAL},
	{"retriever", KIND_RETRIEVAL},
	{"task", KIND_OTHER},
	{"text_completion", KIND_LLM},
	{"tool", KIND_TOOL},
	{"tool_call", KIND_TOOL},
	{"tools/call", KIND_TOOL},
	{"workflow", KIND_WORKFLOW}
};

static bool
ends_with(const char *s, const char *suffix)
{
	size_t		len = strlen(s);
	size_t		suffix_len = strlen(suffix);

	return len >= suffix_len && strcmp(s + len - suffix_len, suffix) == 0;
}

/* What kind a word means, or -1 if it says nothing ("span", "unknown"). */
static int
kind_from_word(Bytes text)
{
	char		word[MAX_WORD];
	const char *space;
	int			low = 0;
	int			high = lengthof(kind_words) - 1;

	/* MLflow writes its words as JSON strings */
	if (text.len > 2 && text.data[0] == '"' && text.data[text.len - 1] == '"')
		text = (Bytes) {text.data + 1, text.len - 2};
	/* the Vercel AI SDK appends the name of a function to its word */
	if (text.len > 3 && memcmp(text.data, "ai.", 3) == 0 &&
		(space = memchr(text.data, ' ', text.len)) != NULL)
		text.len = space - text.data;
	if (!copy_word(text, word, sizeof(word)))
		return -1;

	while (low <= high)
	{
		int			mid = (low + high) / 2;
		int			cmp = strcmp(word, kind_words[mid].word);

		if (cmp == 0)
			return kind_words[mid].kind;
		if (cmp < 0)
			high = mid - 1;
		else
			low = mid + 1;
	}

	/* the Vercel AI SDK's ai.generateText.doGenerate and the like */
	if (strncmp(word, "ai.", 3) == 0)
	{
		if (ends_with(word, ".dogenerate") || ends_with(word, ".dostream"))
			return KIND_LLM;
		if (ends_with(word, ".doembed"))
			return KIND_EMBEDDING;
		if (ends_with(word, ".dorerank"))
			return KIND_RERANK;
	}
	if (ends_with(word, "_memory") || ends_with(word, "_memory_store"))
		return KIND_MEMORY;
	return -1;
}

static int
kind_from_column(const SpanColumns *s, CanonicalColumn column)
{
	for (uint32 i = shape_first_alias(s->shape, column); shape_is_alias(s->shape, i, column); i++)
	{
		const Value *v = span_value(s, shape_alias_place(s->shape, i));
		int			kind = v->type == VALUE_STRING ? kind_from_word(value_bytes(v)) : -1;

		if (kind >= 0)
			return kind;
	}
	return -1;
}

/*
 * What a span does: what a vendor or OpenInference says, else the operation,
 * else what the presence of keys gives away.  An operation that names an agent
 * or a workflow beats a vendor's model call, since exporters stamp wrappers as
 * those.
 */
OperationKind
columns_kind(const SpanColumns *s)
{
	int			kind = kind_from_column(s, COLUMN_KIND);
	int			operation = kind < 0 || kind == KIND_LLM ?
		kind_from_column(s, COLUMN_OPERATION) : -1;

	if (kind < 0 || operation == KIND_AGENT || operation == KIND_WORKFLOW)
		kind = operation >= 0 ? operation : kind;
	if (kind >= 0)
		return kind;
	if (column_value(s, COLUMN_TOOL_NAME) || column_value(s, COLUMN_TOOL_CALL_ID))
		return KIND_TOOL;
	if (column_value(s, COLUMN_RETRIEVAL_DOCUMENTS))
		return KIND_RETRIEVAL;
	if ((column_value(s, COLUMN_MODEL_REQUESTED) || column_value(s, COLUMN_MODEL_RESPONDED)) &&
		(column_value(s, COLUMN_INPUT) || column_value(s, COLUMN_OUTPUT) ||
		 column_value(s, COLUMN_INPUT_TOKENS) || column_value(s, COLUMN_OUTPUT_TOKENS)))
		return column_value(s, COLUMN_AGENT_NAME) ? KIND_AGENT : KIND_LLM;
	return KIND_OTHER;
}

/* Do the attributes say that a span of unset status failed? */
bool
columns_is_error(const SpanColumns *s)
{
	Bytes		text;
	int64		code;

	if (column_text(s, COLUMN_ERROR_TYPE, &text))
		return true;
	if (column_text(s, COLUMN_ERROR_LEVEL, &text))
	{
		char		word[MAX_WORD];

		if (copy_word(text, word, sizeof(word)) && strcmp(word, "error") == 0)
			return true;
	}
	return column_int(s, COLUMN_HTTP_STATUS_CODE, &code) && code >= 500;
}

/* Older names of providers, and those of the Vercel AI SDK. */
static const struct
{
	const char *from;
	const char *to;
}			provider_aliases[] = {
	{"az.ai.inference", "azure.ai.inference"},
	{"az.ai.openai", "azure.ai.openai"},
	{"gemini", "gcp.gemini"},
	{"vertex_ai", "gcp.vertex_ai"},
	{"xai", "x_ai"}
};

/* The parts of a name that the Vercel AI SDK appends: "openai.chat". */
static const char *const provider_suffixes[] = {
	".chat", ".completion", ".embedding", ".messages", ".responses"
};

/*
 * The name of a provider as the semantic conventions spell it.  The result
 * may point into buf.
 */
Bytes
provider_normalise(Bytes provider, char *buf, size_t buf_size)
{
	if (!copy_word(provider, buf, buf_size))
		return provider;
	for (size_t i = 0; i < lengthof(provider_suffixes); i++)
		if (ends_with(buf, provider_suffixes[i]))
			buf[strlen(buf) - strlen(provider_suffixes[i])] = '\0';
	for (size_t i = 0; i < lengthof(provider_aliases); i++)
		if (strcmp(buf, provider_aliases[i].from) == 0)
			return (Bytes) {provider_aliases[i].to, strlen(provider_aliases[i].to)};
	return (Bytes) {buf, strlen(buf)};
}
