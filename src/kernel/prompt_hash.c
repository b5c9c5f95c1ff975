/*
 * prompt_hash.c
 *		A name for the instructions that a model call was given.
 *
 * What an attribute holds is JSON, as a text or as an array or kvlist, which
 * is then written as JSON.  It is read token by token with PostgreSQL's lexer
 * and no further than needed: mostly the first of many messages.  Nothing here
 * raises an error over what it reads.
 */
#include "postgres.h"

#include <ctype.h>

#include "common/cryptohash.h"
#include "common/sha2.h"
#include "compat.h"
#include "kernel/json_value.h"
#include "kernel/prompt_hash.h"
#include "kernel/repair.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/memutils.h"

/* What is kept from span to span of a set. */
struct PromptCache
{
	MemoryContext scratch;		/* emptied after each span */
	StringInfoData last;		/* what was hashed last … */
	Bytes		hash;			/* … and its hash */
};

/* What a span shows of its prompt; memory is the scratch context's. */
typedef struct Prompt
{
	StringInfoData text;
	Bytes	   *tools;
	uint32		tool_count;
	uint32		tool_max;
} Prompt;

/* ------------------------------------------------------------ scanning --- */

/* JSON being read.  After an error the token is JSON_TOKEN_INVALID for good. */
typedef struct Scan
{
	JsonLexContext *lex;
	JsonTokenType token;
} Scan;

static void
scan_fail(Scan *s)
{
	s->token = JSON_TOKEN_INVALID;
}

static void
scan_next(Scan *s)
{
	if (s->token == JSON_TOKEN_INVALID)
		return;
	s->token = json_lex(s->lex) == JSON_SUCCESS ? s->lex->token_type : JSON_TOKEN_INVALID;
}

static Scan
scan_begin(Bytes text)
{
	Scan		s = {.lex = compat_make_json_lexer(text.data, (int) text.len, false)};

	s.token = JSON_TOKEN_NULL;	/* anything valid */
	scan_next(&s);
	return s;
}

static bool
scan_enter(Scan *s, JsonTokenType open)
{
	if (s->token != open)
		return false;
	scan_next(s);
	return true;
}

/* Is there another element?  If not, the bracket has been passed. */
static bool
scan_element(Scan *s, JsonTokenType close)
{
	if (s->token == JSON_TOKEN_COMMA)
		scan_next(s);
	if (s->token == close)
	{
		scan_next(s);
		return false;
	}
	return s->token != JSON_TOKEN_INVALID && s->token != JSON_TOKEN_END;
}

/* A string token without its escapes; false if they make no text. */
static bool
unescape(Bytes token, Bytes *text)
{
	char	   *room = palloc(token.len);
	JsonLexContext *lex;
	bool		is_text;

	*text = (Bytes) {room, 0};
	if (json_unescape((Bytes) {token.data + 1, token.len - 2}, room, &text->len))
		return true;
	pfree(room);
	lex = compat_make_json_lexer(token.data, (int) token.len, true);
	is_text = json_lex(lex) == JSON_SUCCESS;
	if (is_text)
		*text = (Bytes) {pnstrdup(lex->strval->data, lex->strval->len), lex->strval->len};
	/* much larger than most strings, of which there may be a million */
	pfree(lex->strval->data);
	pfree(lex->strval);
	pfree(lex);
	return is_text;
}

/* Consume a string; what cannot be stored becomes U+FFFD. */
static Bytes
scan_string(Scan *s)
{
	Bytes		token = {s->lex->token_start, s->lex->token_terminator - s->lex->token_start};
	Bytes		text = {token.data + 1, token.len - 2};

	if (memchr(text.data, '\\', text.len) != NULL && !unescape(token, &text))
	{
		RepairList	repairs;
		size_t		len;

		token.data = repair_json(token.data, token.len, &len, &repairs);
		token.len = (uint32) len;
		if (!unescape(token, &text))
		{
			scan_fail(s);
			return (Bytes) {"", 0};
		}
	}
	scan_next(s);
	return text;
}

/* The next member's name; its value is the current token. */
static bool
scan_member(Scan *s, Bytes *name)
{
	if (!scan_element(s, JSON_TOKEN_OBJECT_END))
		return false;
	if (s->token == JSON_TOKEN_STRING)
	{
		*name = scan_string(s);
		if (s->token == JSON_TOKEN_COLON)
		{
			scan_next(s);
			return true;
		}
	}
	scan_fail(s);
	return false;
}

/* Pass over a value.  Brackets are counted, not matched by kind. */
static void
scan_skip(Scan *s)
{
	int			depth = 0;

	do
	{
		switch (s->token)
		{
			case JSON_TOKEN_OBJECT_START:
			case JSON_TOKEN_ARRAY_START:
				depth++;
				break;
			case JSON_TOKEN_OBJECT_END:
			case JSON_TOKEN_ARRAY_END:
				depth--;
				break;
			case JSON_TOKEN_INVALID:
			case JSON_TOKEN_END:
				scan_fail(s);
				return;
			case JSON_TOKEN_COMMA:
			case JSON_TOKEN_COLON:
				if (depth == 0)
				{
					scan_fail(s);
					return;
				}
				break;
			default:
				break;
		}
		if (depth < 0)
		{
			scan_fail(s);
			return;
		}
		scan_next(s);
	} while (depth > 0);
}

static bool
is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static Bytes
trim(Bytes s)
{
	while (s.len > 0 && is_space(s.data[0]))
		s = (Bytes) {s.data + 1, s.len - 1};
	while (s.len > 0 && is_space(s.data[s.len - 1]))
		s.len--;
	return s;
}

static bool
begins_json(Bytes text)
{
	text = trim(text);
	return text.len > 1 && strchr("{[\"", text.data[0]) != NULL;
}

/* -------------------------------------------------------- values as JSON --- */

/* The text of a value, empty if it has none that we would read. */
static Bytes
value_text(const Value *v)
{
	StringInfoData json;

	if (v->len > PROMPT_MAX_LEN)
		return (Bytes) {"", 0};
	if (v->type == VALUE_STRING)
		return value_bytes(v);
	if (v->type != VALUE_ARRAY && v->type != VALUE_KVLIST)
		return (Bytes) {"", 0};
	initStringInfo(&json);
	json_put_value(&json, v);
	return (Bytes) {json.data, json.len};
}

/* --------------------------------------------------------- system text --- */

static void
add_text(StringInfo out, Bytes text)
{
	if (text.len == 0)
		return;
	if (out->len > 0)
		appendStringInfoChar(out, '\n');
	appendBinaryStringInfo(out, text.data, text.len);
}

static void
truncate_text(StringInfo out, int len)
{
	out->len = len;
	out->data[len] = '\0';
}

static bool
is_one_of(Bytes s, const char *const *words)
{
	for (; *words; words++)
		if (bytes_equal_cstring(s, *words))
			return true;
	return false;
}

static bool
is_system_role(Bytes role)
{
	return bytes_equal_cstring(role, "system") || bytes_equal_cstring(role, "developer");
}

/*
 * The texts of a string, a part, a message or an array of them.  Parts of
 * another type than text (images, files) are passed over, and so is what a
 * message says whose role is known not to be the system's.  role is NULL where
 * no message is expected.
 */
static void
read_texts(Scan *s, StringInfo out, Bytes *role, int depth)
{
	static const char *const text_names[] = {"content", "parts", "text", NULL};
	static const char *const text_types[] = {"text", "input_text", "message", NULL};
	Bytes		name;
	Bytes		type = {"text", 4};
	int			len = out->len;

	if (depth >= VALUE_MAX_DEPTH)
		scan_fail(s);
	else if (s->token == JSON_TOKEN_STRING)
		add_text(out, scan_string(s));
	else if (scan_enter(s, JSON_TOKEN_ARRAY_START))
		while (scan_element(s, JSON_TOKEN_ARRAY_END))
			read_texts(s, out, NULL, depth + 1);
	else if (scan_enter(s, JSON_TOKEN_OBJECT_START))
	{
		while (scan_member(s, &name))
		{
			if (is_one_of(name, text_names) &&
				(role == NULL || role->len == 0 || is_system_role(*role)))
				read_texts(s, out, NULL, depth + 1);
			else if (s->token == JSON_TOKEN_STRING && bytes_equal_cstring(name, "type"))
				type = scan_string(s);
			else if (role && s->token == JSON_TOKEN_STRING && bytes_equal_cstring(name, "role"))
				*role = scan_string(s);
			else
				scan_skip(s);
		}
		if (!is_one_of(type, text_types))
			truncate_text(out, len);
	}
	else
		scan_skip(s);
}

/*
 * The system messages at the head of an array of messages.  The rest of it is
 * only passed over if something may follow.
 */
static void
read_messages(Scan *s, StringInfo out, bool to_the_end)
{
	bool		is_head = true;

	if (!scan_enter(s, JSON_TOKEN_ARRAY_START))
	{
		scan_skip(s);
		return;
	}
	while ((is_head || to_the_end) && scan_element(s, JSON_TOKEN_ARRAY_END))
	{
		int			len = out->len;
		Bytes		role = {"", 0};

		if (is_head && s->token == JSON_TOKEN_OBJECT_START)
			read_texts(s, out, &role, 0);
		else
			scan_skip(s);
		if (s->token == JSON_TOKEN_INVALID || !is_system_role(role))
		{
			truncate_text(out, len);
			is_head = false;
		}
	}
}

/* ---------------------------------------------------------------- tools --- */

typedef struct Member
{
	Bytes		name;
	int			from;			/* in the text being written */
	int			to;
} Member;

static int
member_compare(const void *a, const void *b)
{
	const Member *x = a;
	const Member *y = b;
	int			cmp = bytes_compare(x->name, y->name);

	return cmp != 0 ? cmp : (x->from > y->from) - (x->from < y->from);
}

static void write_canonical(Scan *s, StringInfo out, int depth);

/* Put members that were written from base on in order, in brackets. */
static void
sort_members(StringInfo out, int base, Member *members, uint32 n)
{
	int			len = out->len - base;
	char	   *copy = palloc_extended(len + 1, MCXT_ALLOC_HUGE);
	bool		is_first = true;

	qsort(members, n, sizeof(Member), member_compare);
	memcpy(copy, out->data + base, len);
	truncate_text(out, base);
	appendStringInfoChar(out, '{');
	for (uint32 i = 0; i < n; i++)
	{
		/* of a name that is there twice the last value counts */
		if (i + 1 < n && bytes_equal(members[i].name, members[i + 1].name))
			continue;
		appendBinaryStringInfo(out, copy + members[i].from - base + is_first,
							   members[i].to - members[i].from - is_first);
		is_first = false;
	}
	appendStringInfoChar(out, '}');
	pfree(copy);
}

/* Members are written as they come, each after a comma, then put in order. */
static void
write_canonical_object(Scan *s, StringInfo out, int depth)
{
	Member		small[16];
	Member	   *members = small;
	uint32		max = lengthof(small);
	uint32		n = 0;
	Bytes		name;
	int			base = out->len;

	while (scan_member(s, &name))
	{
		Member		m = {name, out->len};

		appendStringInfoChar(out, ',');
		json_put_string(out, name);
		appendStringInfoChar(out, ':');
		write_canonical(s, out, depth + 1);
		m.to = out->len;
		if (n == max)
		{
			Member	   *more = palloc_extended((max *= 2) * sizeof(Member), MCXT_ALLOC_HUGE);

			memcpy(more, members, n * sizeof(Member));
			members = more;
		}
		members[n++] = m;
	}
	sort_members(out, base, members, n);
}

/* Consume a value and write it without spaces, keys sorted. */
static void
write_canonical(Scan *s, StringInfo out, int depth)
{
	bool		is_first = true;

	CHECK_FOR_INTERRUPTS();
	if (depth >= VALUE_MAX_DEPTH)
		scan_fail(s);
	else if (s->token == JSON_TOKEN_STRING)
		json_put_string(out, scan_string(s));
	else if (scan_enter(s, JSON_TOKEN_OBJECT_START))
		write_canonical_object(s, out, depth);
	else if (scan_enter(s, JSON_TOKEN_ARRAY_START))
	{
		appendStringInfoChar(out, '[');
		while (scan_element(s, JSON_TOKEN_ARRAY_END))
		{
			if (!is_first)
				appendStringInfoChar(out, ',');
			is_first = false;
			write_canonical(s, out, depth + 1);
		}
		appendStringInfoChar(out, ']');
	}
	else
	{
		const char *from = s->lex->token_start;
		int			len = s->lex->token_terminator - from;

		scan_skip(s);			/* a scalar, or an error */
		if (s->token != JSON_TOKEN_INVALID)
			appendBinaryStringInfo(out, from, len);
	}
}

/* Consume a value; its canonical text, empty if it is empty or cut off. */
static Bytes
canonical_text(Scan *s)
{
	static const char *const empty[] = {"null", "\"\"", "{}", NULL};
	StringInfoData out;
	Bytes		text;

	initStringInfo(&out);
	write_canonical(s, &out, 0);
	text = (Bytes) {out.data, out.len};
	if (s->token == JSON_TOKEN_INVALID || is_one_of(text, empty))
		text.len = 0;
	return text;
}

static void
add_tool(Prompt *p, Bytes definition)
{
	if (definition.len == 0)
		return;
	if (p->tool_count >= p->tool_max)
	{
		p->tool_max = Max(p->tool_max * 2, 16);
		p->tools = p->tools ? repalloc_huge(p->tools, p->tool_max * sizeof(Bytes)) :
			palloc(p->tool_max * sizeof(Bytes));
	}
	p->tools[p->tool_count++] = definition;
}

/* What a tool is, each as canonical JSON or empty. */
typedef struct ToolFacts
{
	Bytes		description;
	Bytes		name;
	Bytes		parameters;
} ToolFacts;

static Bytes
tool_text(const ToolFacts *facts)
{
	StringInfoData out;

	initStringInfo(&out);
	appendStringInfoChar(&out, '{');
	if (facts->description.len > 0)
		appendStringInfo(&out, "\"description\":%.*s,",
						 (int) facts->description.len, facts->description.data);
	appendStringInfo(&out, "\"name\":%.*s", (int) facts->name.len, facts->name.data);
	if (facts->parameters.len > 0)
		appendStringInfo(&out, ",\"parameters\":%.*s",
						 (int) facts->parameters.len, facts->parameters.data);
	appendStringInfoChar(&out, '}');
	return (Bytes) {out.data, out.len};
}

/* Parameters are an object, or JSON in a string. */
static Bytes
read_parameters(Scan *s)
{
	if (s->token == JSON_TOKEN_STRING)
	{
		Bytes		text = scan_string(s);
		Scan		inner = scan_begin(text);

		return canonical_text(&inner);
	}
	return canonical_text(s);
}

/*
 * The members of an object that defines a tool.  OpenAI's chat format has them
 * one level down.
 */
static void
read_tool_members(Scan *s, ToolFacts *facts, bool is_inner)
{
	static const char *const parameter_names[] = {
		"parameters", "inputSchema", "input_schema", "parameters_json_schema", NULL
	};
	Bytes		name;

	while (scan_member(s, &name))
	{
		if (bytes_equal_cstring(name, "name"))
			facts->name = canonical_text(s);
		else if (bytes_equal_cstring(name, "description"))
			facts->description = canonical_text(s);
		else if (is_one_of(name, parameter_names))
			facts->parameters = read_parameters(s);
		else if (!is_inner && bytes_equal_cstring(name, "function") &&
				 scan_enter(s, JSON_TOKEN_OBJECT_START))
			read_tool_members(s, facts, true);
		else
			scan_skip(s);
	}
}

/* One definition: an object, JSON in a string, or just a name. */
static void
read_tool(Scan *s, Prompt *p)
{
	const char *from = s->lex->token_start;
	ToolFacts	facts = {0};
	Bytes		text;
	Scan		again;

	if (s->token == JSON_TOKEN_STRING)
	{
		text = scan_string(s);
		again = scan_begin(text);
		if (again.token == JSON_TOKEN_OBJECT_START)
			read_tool(&again, p);
		else
		{
			StringInfoData quoted;

			initStringInfo(&quoted);
			json_put_string(&quoted, text);
			add_tool(p, (Bytes) {quoted.data, quoted.len});
		}
		return;
	}
	if (!scan_enter(s, JSON_TOKEN_OBJECT_START))
	{
		scan_skip(s);
		return;
	}
	read_tool_members(s, &facts, false);
	if (s->token == JSON_TOKEN_INVALID)
		return;
	if (facts.name.len > 0)
	{
		add_tool(p, tool_text(&facts));
		return;
	}
	again = scan_begin((Bytes) {from, s->lex->prev_token_terminator - from});
	add_tool(p, canonical_text(&again));
}

/*
 * An array of definitions, or one; or an object with such arrays, which is
 * what requests are.
 */
static void
read_tools(Scan *s, Prompt *p)
{
	if (!scan_enter(s, JSON_TOKEN_ARRAY_START))
	{
		read_tool(s, p);
		return;
	}
	while (scan_element(s, JSON_TOKEN_ARRAY_END))
		read_tool(s, p);
}

/* Texts that count only if they are not cut off. */
static void
read_whole_texts(Scan *s, StringInfo out)
{
	int			len = out->len;

	read_texts(s, out, NULL, 0);
	if (s->token == JSON_TOKEN_INVALID)
		truncate_text(out, len);
}

/* ------------------------------------------------------------- requests --- */

/*
 * A list of messages, or a request that holds one.  "system" counts only
 * beside messages or a prompt, being a common word.
 */
static void
read_request(Scan *s, Prompt *p, bool wants_text, bool wants_tools)
{
	static const char *const message_names[] = {"messages", "input", "prompt", NULL};
	static const char *const system_names[] = {"system", "instructions", NULL};
	static const char *const tool_names[] = {"tools", "function_tools", "output_tools", NULL};
	StringInfoData system;
	StringInfoData head;
	Bytes		name;
	bool		is_request = false;

	if (s->token == JSON_TOKEN_ARRAY_START)
	{
		if (wants_text)
			read_messages(s, &p->text, false);
		return;
	}
	if (!scan_enter(s, JSON_TOKEN_OBJECT_START))
		return;
	initStringInfo(&system);
	initStringInfo(&head);
	while (scan_member(s, &name))
	{
		if (is_one_of(name, message_names))
		{
			is_request = true;
			read_messages(s, &head, true);
		}
		else if (is_one_of(name, system_names))
			read_whole_texts(s, &system);
		else if (wants_tools && is_one_of(name, tool_names))
			read_tools(s, p);
		else
			scan_skip(s);
	}
	if (wants_text && is_request)
		add_text(&p->text, (Bytes) {system.data, system.len});
	if (wants_text)
		add_text(&p->text, (Bytes) {head.data, head.len});
}

/* Text as it is, or the texts in it if it is JSON of parts. */
static void
read_plain(Bytes text, StringInfo out)
{
	if (begins_json(text))
	{
		Scan		s = scan_begin(text);
		int			len = out->len;

		read_texts(&s, out, NULL, 0);
		if (s.token == JSON_TOKEN_END && out->len > len)
			return;
		truncate_text(out, len);
	}
	add_text(out, text);
}

/* ----------------------------------------------------------- attributes --- */

#define HOLDS_TEXT		0x01	/* system text as such */
#define HOLDS_REQUEST	0x02	/* messages, or a request */
#define HOLDS_TOOLS		0x04	/* tools, but nothing else */
#define HOLDS_OPTIONS	0x08	/* an object with tools among others */

/*
 * The first that says something counts; flattened lists come after the first
 * of these.
 */
static const struct
{
	const char *name;
	uint8		holds;
}			sources[] = {
	{"gen_ai.system_instructions", HOLDS_TEXT},
	{"gen_ai.input.messages", HOLDS_REQUEST},
	{"ai.prompt.messages", HOLDS_REQUEST},
	{"ai.prompt", HOLDS_REQUEST},
	{"pydantic_ai.all_messages", HOLDS_REQUEST},
	{"all_messages_events", HOLDS_REQUEST},
	{"events", HOLDS_REQUEST},
	{"gen_ai.prompt", HOLDS_REQUEST},
	{"llm.request.messages", HOLDS_REQUEST},
	{"gen_ai.tool.definitions", HOLDS_TOOLS},
	{"ai.prompt.tools", HOLDS_TOOLS},
	{"model_request_parameters", HOLDS_OPTIONS},
	{"llm.invocation_parameters", HOLDS_OPTIONS},
	{"input.value", HOLDS_REQUEST | HOLDS_OPTIONS},
	{"langfuse.observation.input", HOLDS_REQUEST | HOLDS_OPTIONS},
	{"mlflow.spanInputs", HOLDS_REQUEST | HOLDS_OPTIONS}
};

/* Lists that are flattened into attributes: <prefix><number>.<field>. */
typedef enum FlatList
{
	FLAT_OPENINFERENCE,
	FLAT_OPENLLMETRY,
	FLAT_TOOLS,
	FLAT_FUNCTIONS,
	FLAT_COUNT
} FlatList;

static const char *const flat_prefixes[FLAT_COUNT] = {
	[FLAT_OPENINFERENCE] = "llm.input_messages.",
	[FLAT_OPENLLMETRY] = "gen_ai.prompt.",
	[FLAT_TOOLS] = "llm.tools.",
	[FLAT_FUNCTIONS] = "llm.request.functions."
};

typedef enum FlatField
{
	FIELD_ROLE,
	FIELD_CONTENT,
	FIELD_PART,
	FIELD_SCHEMA,
	FIELD_DESCRIPTION,
	FIELD_NAME,
	FIELD_PARAMETERS,
	FIELD_COUNT
} FlatField;

static const char *const flat_fields[FLAT_COUNT][FIELD_COUNT] = {
	[FLAT_OPENINFERENCE] = {
		[FIELD_ROLE] = "message.role",[FIELD_CONTENT] = "message.content"
	},
	[FLAT_OPENLLMETRY] = {[FIELD_ROLE] = "role",[FIELD_CONTENT] = "content"},
	[FLAT_TOOLS] = {[FIELD_SCHEMA] = "tool.json_schema"},
	[FLAT_FUNCTIONS] = {
		[FIELD_DESCRIPTION] = "description",[FIELD_NAME] = "name",[FIELD_PARAMETERS] = "parameters"
	}
};

#define PART_PREFIX "message.contents."
#define PART_SUFFIX "message_content.text"

typedef struct Flat
{
	uint64		order;			/* list, number, field, part */
	FlatList	list;
	FlatField	field;
	uint32		number;
	Bytes		text;
} Flat;

/* The attributes that may hold something, of a span or an event. */
typedef struct Candidates
{
	const Value *values[lengthof(sources)];
	Flat	   *flats;
	uint32		flat_count;
	uint32		flat_max;
} Candidates;

/* Take a prefix off a name. */
static bool
take_prefix(Bytes *name, const char *prefix)
{
	size_t		len = strlen(prefix);

	if (name->len <= len || memcmp(name->data, prefix, len) != 0)
		return false;
	*name = (Bytes) {name->data + len, name->len - len};
	return true;
}

/* Take "12." off a name. */
static bool
take_number(Bytes *name, uint32 *number)
{
	uint32		digits = 0;

	*number = 0;
	while (digits < name->len && digits < 7 && isdigit((unsigned char) name->data[digits]))
		*number = *number * 10 + (name->data[digits++] - '0');
	if (digits == 0 || digits >= name->len || name->data[digits] != '.')
		return false;
	*name = (Bytes) {name->data + digits + 1, name->len - digits - 1};
	return true;
}

static bool
parse_flat(Bytes name, Flat *flat)
{
	uint32		part = 0;
	FlatList	list = 0;
	FlatField	field = 0;

	while (list < FLAT_COUNT && !take_prefix(&name, flat_prefixes[list]))
		list++;
	if (list == FLAT_COUNT || !take_number(&name, &flat->number))
		return false;
	if (list == FLAT_OPENINFERENCE && take_prefix(&name, PART_PREFIX))
	{
		if (!take_number(&name, &part) || !bytes_equal_cstring(name, PART_SUFFIX))
			return false;
		field = FIELD_PART;
	}
	else
		while (flat_fields[list][field] == NULL ||
			   !bytes_equal_cstring(name, flat_fields[list][field]))
			if (++field == FIELD_COUNT)
				return false;
	flat->list = list;
	flat->field = field;
	flat->order = (uint64) list << 60 | (uint64) flat->number << 32 | (uint64) field << 28 | part;
	return true;
}

static int
flat_compare(const void *a, const void *b)
{
	const Flat *x = a;
	const Flat *y = b;

	return (x->order > y->order) - (x->order < y->order);
}

static void
add_flat(Candidates *c, Bytes name, const Value *v)
{
	Flat		flat;

	if (v->type != VALUE_STRING || v->len > PROMPT_MAX_LEN || !parse_flat(name, &flat))
		return;
	flat.text = value_bytes(v);
	if (c->flat_count >= c->flat_max)
	{
		c->flat_max = Max(c->flat_max * 2, 32);
		c->flats = c->flats ? repalloc_huge(c->flats, c->flat_max * sizeof(Flat)) :
			palloc(c->flat_max * sizeof(Flat));
	}
	c->flats[c->flat_count++] = flat;
}

static void
gather(const SpanSet *set, const AttrList *list, Candidates *c)
{
	memset(c, 0, sizeof(*c));
	for (uint32 i = 0; i < list->n; i++)
	{
		const Key  *key = &set->keys[list->keys[i]];
		size_t		source = 0;

		if (key->rule != DERIVE_PROMPT && key->rule != DERIVE_REQUEST)
			continue;
		while (source < lengthof(sources) && !bytes_equal_cstring(key->name, sources[source].name))
			source++;
		if (source < lengthof(sources))
			c->values[source] = &list->values[i];
		else
			add_flat(c, key->name, &list->values[i]);
	}
	if (c->flat_count > 1)
		qsort(c->flats, c->flat_count, sizeof(Flat), flat_compare);
}

/* The system messages at the head of a flattened list of messages. */
static void
read_flat_messages(const Candidates *c, FlatList list, StringInfo out)
{
	bool		is_system = false;
	uint32		number = 0;

	for (uint32 i = 0; i < c->flat_count; i++)
	{
		const Flat *flat = &c->flats[i];

		if (flat->list != list)
			continue;
		if (flat->field == FIELD_ROLE)
		{
			is_system = is_system_role(flat->text);
			number = flat->number;
		}
		if (!is_system || flat->number != number)
			return;
		if (flat->field == FIELD_CONTENT && list == FLAT_OPENLLMETRY)
			read_plain(flat->text, out);
		else if (flat->field != FIELD_ROLE)
			add_text(out, flat->text);
	}
}

static Bytes
quoted(Bytes text)
{
	StringInfoData json;

	initStringInfo(&json);
	json_put_string(&json, text);
	return (Bytes) {json.data, json.len};
}

static void
read_flat_tools(const Candidates *c, Prompt *p)
{
	ToolFacts	facts = {0};

	for (uint32 i = 0; i < c->flat_count; i++)
	{
		const Flat *flat = &c->flats[i];
		bool		is_last = i + 1 == c->flat_count ||
			flat[1].list != flat->list || flat[1].number != flat->number;
		Scan		s;

		if (flat->list == FLAT_TOOLS)
		{
			s = scan_begin(flat->text);
			read_tool(&s, p);
		}
		if (flat->list != FLAT_FUNCTIONS)
			continue;
		if (flat->field == FIELD_PARAMETERS)
		{
			s = scan_begin(flat->text);
			facts.parameters = canonical_text(&s);
		}
		else if (flat->field == FIELD_NAME)
			facts.name = quoted(flat->text);
		else if (flat->text.len > 0)
			facts.description = quoted(flat->text);
		if (is_last)
		{
			if (facts.name.len > 0)
				add_tool(p, tool_text(&facts));
			facts = (ToolFacts) {0};
		}
	}
}

/* Does a text hold this one?  Cheaper than reading all of it. */
static bool
contains(Bytes text, const char *word)
{
	size_t		len = strlen(word);
	const char *end = text.data + text.len;

	for (const char *p = text.data;
		 (size_t) (end - p) >= len && (p = memchr(p, word[0], end - p - len + 1)) != NULL; p++)
		if (memcmp(p, word, len) == 0)
			return true;
	return false;
}

/* Read an attribute for what is not known yet. */
static void
read_source(const Value *v, uint8 holds, Prompt *p, bool wants_text, bool wants_tools)
{
	Bytes		text;
	Scan		s;

	wants_text = wants_text && (holds & (HOLDS_TEXT | HOLDS_REQUEST));
	wants_tools = wants_tools && (holds & (HOLDS_TOOLS | HOLDS_OPTIONS));
	if (!wants_text && !wants_tools)
		return;
	text = value_text(v);
	wants_tools = wants_tools && ((holds & HOLDS_TOOLS) || contains(text, "tools\""));
	if (text.len == 0 || (!wants_text && !wants_tools))
		return;
	if (holds & HOLDS_TEXT)
		read_plain(text, &p->text);
	else if (begins_json(text))
	{
		s = scan_begin(text);
		if (holds & HOLDS_TOOLS)
			read_tools(&s, p);
		else
			read_request(&s, p, wants_text, wants_tools);
	}
}

/* Read what a list of attributes has of what is not known yet. */
static void
read_attributes(const SpanSet *set, const AttrList *list, Prompt *p)
{
	Candidates	c;
	bool		wants_text = p->text.len == 0;
	bool		wants_tools = p->tool_count == 0;

	gather(set, list, &c);
	if (wants_text && c.values[0])
		read_source(c.values[0], sources[0].holds, p, true, false);
	for (FlatList l = 0; l < FLAT_TOOLS && wants_text && p->text.len == 0; l++)
		read_flat_messages(&c, l, &p->text);
	if (wants_tools)
		read_flat_tools(&c, p);
	for (size_t i = 1; i < lengthof(sources); i++)
		if (c.values[i])
			read_source(c.values[i], sources[i].holds, p,
						p->text.len == 0, p->tool_count == 0);
}

/* --------------------------------------------------------------- events --- */

#define SYSTEM_EVENT "gen_ai.system.message"

/* Events that carry attributes like those of spans. */
static const char *const request_events[] = {
	"gen_ai.client.inference.operation.details", "gen_ai.content.prompt", NULL
};

bool
event_bears_prompt(Bytes name)
{
	return name.len > 7 && memcmp(name.data, "gen_ai.", 7) == 0 &&
		(bytes_equal_cstring(name, SYSTEM_EVENT) || is_one_of(name, request_events));
}

static void
read_event(const SpanSet *set, const Event *event, Prompt *p, bool wants_messages)
{
	static const char *const contents[] = {"content", "gen_ai.event.content", NULL};

	if (is_one_of(event->name, request_events))
		read_attributes(set, &event->attributes, p);
	else if (wants_messages && bytes_equal_cstring(event->name, SYSTEM_EVENT))
		for (uint32 i = 0; i < event->attributes.n; i++)
			if (is_one_of(set->keys[event->attributes.keys[i]].name, contents))
				read_plain(value_text(&event->attributes.values[i]), &p->text);
}

/* ----------------------------------------------------------------- hash --- */

bool
kind_bears_prompt(OperationKind kind)
{
	return kind == KIND_LLM || kind == KIND_AGENT;
}

static int
tool_compare(const void *a, const void *b)
{
	return bytes_compare(*(const Bytes *) a, *(const Bytes *) b);
}

static void
put_sha256(Bytes data, char *digits)
{
	static const char hex[] = "0123456789abcdef";
	uint8		digest[PG_SHA256_DIGEST_LENGTH];
	pg_cryptohash_ctx *ctx = pg_cryptohash_create(PG_SHA256);

	if (pg_cryptohash_init(ctx) < 0 ||
		pg_cryptohash_update(ctx, (const uint8 *) data.data, data.len) < 0 ||
		pg_cryptohash_final(ctx, digest, sizeof(digest)) < 0)
		elog(ERROR, "could not compute a SHA-256 hash: %s", pg_cryptohash_error(ctx));
	pg_cryptohash_free(ctx);
	for (int i = 0; i < PROMPT_HASH_DIGITS; i++)
		digits[i] = hex[digest[i / 2] >> (i % 2 == 0 ? 4 : 0) & 15];
}

/* Hash it, unless it is what was hashed last. */
static Bytes
cached_hash(SpanSet *set, Bytes canonical)
{
	struct PromptCache *cache = set->prompts;
	char		digits[PROMPT_HASH_DIGITS];

	if (cache->hash.len == 0 ||
		!bytes_equal(canonical, (Bytes) {cache->last.data, cache->last.len}))
	{
		put_sha256(canonical, digits);
		cache->hash = arena_copy(&set->arena, digits, sizeof(digits));
		resetStringInfo(&cache->last);
		appendBinaryStringInfo(&cache->last, canonical.data, canonical.len);
	}
	return cache->hash;
}

static struct PromptCache *
create_cache(SpanSet *set)
{
	struct PromptCache *cache = MemoryContextAllocZero(set->context, sizeof(*cache));
	MemoryContext outer = MemoryContextSwitchTo(set->context);

	cache->scratch = AllocSetContextCreate(set->context, "llmtrace prompt",
										   ALLOCSET_DEFAULT_SIZES);
	initStringInfo(&cache->last);
	MemoryContextSwitchTo(outer);
	return cache;
}

/* Bring what was read into the form that is hashed. */
static bool
put_canonical(Prompt *p, OperationKind kind, StringInfo out)
{
	Bytes		text = trim((Bytes) {p->text.data, p->text.len});

	if (text.len == 0 && (kind != KIND_LLM || p->tool_count == 0))
		return false;
	appendBinaryStringInfo(out, text.data, text.len);
	if (p->tool_count > 1)
		qsort(p->tools, p->tool_count, sizeof(Bytes), tool_compare);
	for (uint32 i = 0; i < p->tool_count; i++)
	{
		appendStringInfoChar(out, '\0');
		appendBinaryStringInfo(out, p->tools[i].data, p->tools[i].len);
	}
	return true;
}

/*
 * The hash of a span whose attributes are sorted; false if it has none.  It
 * lives as long as the set.
 */
bool
prompt_hash(SpanSet *set, const Span *span, OperationKind kind, Bytes *hash)
{
	MemoryContext outer;
	Prompt		p = {0};
	StringInfoData canonical;
	bool		has_hash;
	bool		wants_messages;

	if (!kind_bears_prompt(kind))
		return false;
	if (set->prompts == NULL)
		set->prompts = create_cache(set);
	outer = MemoryContextSwitchTo(set->prompts->scratch);

	initStringInfo(&p.text);
	initStringInfo(&canonical);
	read_attributes(set, &span->attributes, &p);
	wants_messages = p.text.len == 0;
	for (uint32 i = 0; i < span->event_count; i++)
		if (event_bears_prompt(span->events[i].name))
			read_event(set, &span->events[i], &p, wants_messages);
	has_hash = put_canonical(&p, kind, &canonical);
	MemoryContextSwitchTo(outer);

	if (has_hash)
		*hash = cached_hash(set, (Bytes) {canonical.data, canonical.len});
	MemoryContextReset(set->prompts->scratch);
	return has_hash;
}
