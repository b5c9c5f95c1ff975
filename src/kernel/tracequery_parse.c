/*
 * tracequery_parse.c
 *		From the text of a query to a tree.
 *
 * A lexer by hand and recursive descent.  How deep it may descend is bounded,
 * and so is the tree, so that whatever walks it may recurse.  Runs of one
 * operator && or || become one node, so they may be as long as the text.
 *
 * Types are checked on the way: what is compared with what is known for all
 * but attributes.
 */
#include "postgres.h"

#include <math.h>

#include "common/int.h"
#include "kernel/tracequery.h"
#include "kernel/trajectory_text.h"

#define NS_PER_US INT64CONST(1000)
#define NS_PER_MS INT64CONST(1000000)
#define NS_PER_SECOND INT64CONST(1000000000)

typedef enum TokenType
{
	TOKEN_END,
	TOKEN_LITERAL,
	TOKEN_ATTRIBUTE,			/* scope and name */
	TOKEN_WORD,					/* with its colon, if any */
	TOKEN_OPERATOR				/* all marks */
} TokenType;

typedef enum Mark
{
	MARK_NONE,
	MARK_OPEN_BRACE, MARK_CLOSE_BRACE, MARK_OPEN_PAREN, MARK_CLOSE_PAREN, MARK_PIPE,
	MARK_AND, MARK_OR, MARK_NOT,
	MARK_EQ, MARK_NE, MARK_LT, MARK_LE, MARK_GT, MARK_GE, MARK_MATCH, MARK_NOT_MATCH,
	MARK_PLUS, MARK_MINUS, MARK_STAR, MARK_SLASH, MARK_PERCENT, MARK_POWER,
	MARK_DESCENDANT, MARK_ANCESTOR, MARK_SIBLING, MARK_AFTER,
	MARK_NOT_CHILD, MARK_NOT_DESCENDANT, MARK_NOT_PARENT, MARK_NOT_ANCESTOR, MARK_NOT_AFTER,
	MARK_BOTH_CHILD, MARK_BOTH_DESCENDANT, MARK_BOTH_PARENT, MARK_BOTH_ANCESTOR,
	MARK_BOTH_SIBLING, MARK_BOTH_AFTER, MARK_COMMA
} Mark;

/* Longer ones before those that they begin with. */
static const struct
{
	const char *text;
	uint8		mark;
}			marks[] = {
	{"&>>", MARK_BOTH_DESCENDANT}, {"&<<", MARK_BOTH_ANCESTOR}, {"&->", MARK_BOTH_AFTER},
	{"!>>", MARK_NOT_DESCENDANT}, {"!<<", MARK_NOT_ANCESTOR}, {"!->", MARK_NOT_AFTER},
	{"&&", MARK_AND}, {"||", MARK_OR}, {"!=", MARK_NE}, {"<=", MARK_LE}, {">=", MARK_GE},
	{"=~", MARK_MATCH}, {"!~", MARK_NOT_MATCH}, {">>", MARK_DESCENDANT}, {"<<", MARK_ANCESTOR},
	{"->", MARK_AFTER}, {"!>", MARK_NOT_CHILD}, {"!<", MARK_NOT_PARENT}, {"&>", MARK_BOTH_CHILD},
	{"&<", MARK_BOTH_PARENT}, {"&~", MARK_BOTH_SIBLING},
	{"{", MARK_OPEN_BRACE}, {"}", MARK_CLOSE_BRACE}, {"(", MARK_OPEN_PAREN}, {")", MARK_CLOSE_PAREN},
	{"|", MARK_PIPE}, {"!", MARK_NOT}, {"=", MARK_EQ}, {"<", MARK_LT}, {">", MARK_GT},
	{"~", MARK_SIBLING}, {"+", MARK_PLUS}, {"-", MARK_MINUS}, {"*", MARK_STAR}, {"/", MARK_SLASH},
	{"%", MARK_PERCENT}, {"^", MARK_POWER}, {",", MARK_COMMA}
};

typedef struct Token
{
	uint8		type;			/* TokenType */
	uint8		mark;			/* Mark */
	uint8		scope;			/* QueryScope */
	uint32		position;
	uint32		end;
	QueryValue	value;			/* literal; attribute or word: its string */
} Token;

typedef struct Parser
{
	const char *text;
	size_t		len;
	Token		token;			/* the one that is looked at */
	int			depth;			/* of the descent */
	bool		is_scalar;		/* in a scalar filter, outside an aggregate */
	Tracequery	   *query;
} Parser;

const char *const aggregate_names[AGGREGATE_KINDS] = {"count", "min", "max", "avg", "sum"};
const char *const compare_names[] = {"=", "!=", "<", "<=", ">", ">=", "=~", "!~"};

static const char *const intrinsic_names[INTRINSIC_COUNT] = {
	[INTRINSIC_NAME] = "name",
	[INTRINSIC_STATUS] = "status",
	[INTRINSIC_STATUS_MESSAGE] = "statusMessage",
	[INTRINSIC_KIND] = "kind",
	[INTRINSIC_DURATION] = "duration",
	[INTRINSIC_CHILD_COUNT] = "childCount",
	[INTRINSIC_ROOT_NAME] = "rootName",
	[INTRINSIC_ROOT_SERVICE_NAME] = "rootServiceName",
	[INTRINSIC_TRACE_DURATION] = "traceDuration",
	[INTRINSIC_SPAN_ID] = "span:id",
	[INTRINSIC_PARENT_ID] = "span:parentID",
	[INTRINSIC_TRACE_ID] = "trace:id",
	[INTRINSIC_EVENT_NAME] = "event:name",
	[INTRINSIC_EVENT_TIME] = "event:timeSinceStart",
	[INTRINSIC_LINK_SPAN_ID] = "link:spanID",
	[INTRINSIC_LINK_TRACE_ID] = "link:traceID",
	[INTRINSIC_SCOPE_NAME] = "instrumentation:name",
	[INTRINSIC_SCOPE_VERSION] = "instrumentation:version",
	[INTRINSIC_IS_ERROR] = "isError",
	[INTRINSIC_MODEL] = "model",
	[INTRINSIC_PROVIDER] = "provider",
	[INTRINSIC_TOOL] = "tool",
	[INTRINSIC_AGENT] = "agent",
	[INTRINSIC_INPUT_TOKENS] = "inputTokens",
	[INTRINSIC_OUTPUT_TOKENS] = "outputTokens",
	[INTRINSIC_COST_USD] = "costUsd",
	[INTRINSIC_TTFT] = "ttft"
};

/* Other spellings of intrinsics. */
static const struct
{
	const char *name;
	uint8		intrinsic;
}			intrinsic_aliases[] = {
	{"span:name", INTRINSIC_NAME},
	{"span:status", INTRINSIC_STATUS},
	{"span:statusMessage", INTRINSIC_STATUS_MESSAGE},
	{"span:kind", INTRINSIC_KIND},
	{"span:duration", INTRINSIC_DURATION},
	{"span:childCount", INTRINSIC_CHILD_COUNT},
	{"trace:rootName", INTRINSIC_ROOT_NAME},
	{"trace:rootService", INTRINSIC_ROOT_SERVICE_NAME},
	{"trace:duration", INTRINSIC_TRACE_DURATION}
};

static const struct
{
	const char *name;
	uint8		scope;
}			scope_names[] = {
	{"span", SCOPE_SPAN},
	{"resource", SCOPE_RESOURCE},
	{"event", SCOPE_EVENT},
	{"link", SCOPE_LINK},
	{"instrumentation", SCOPE_INSTRUMENTATION}
};

/* Words for kinds beside those of operation_kind_name(). */
static const struct
{
	const char *name;
	uint8		kind;
}			kind_synonyms[] = {
	{"retriever", KIND_RETRIEVAL},
	{"reranker", KIND_RERANK},
	{"chain", KIND_WORKFLOW}
};

/* Parts of TraceQL that SQL does, and how. */
static const struct
{
	const char *name;
	const char *hint;
}			unsupported[] = {
	{"by", "Group in SQL: SELECT s.name, count(*) FROM traces, find_spans(trajectory, query) f JOIN LATERAL spans(trajectory) s USING (ordinal) GROUP BY s.name."},
	{"coalesce", "Spans are one set already; leave it out."},
	{"select", "Choose columns in SQL: SELECT s.name, s.duration_ms FROM find_spans(trajectory, query) f JOIN spans(trajectory) s USING (ordinal)."},
	{"with", "Hints are not needed; leave it out."},
	{"rate", "Count in SQL: SELECT date_bin('1 min', started_at(trajectory), 'epoch') AS time, sum(match_count(trajectory, query)) … GROUP BY time."},
	{"count_over_time", "Count in SQL: SELECT date_bin('1 min', started_at(trajectory), 'epoch') AS time, sum(match_count(trajectory, query)) … GROUP BY time."},
	{"min_over_time", "Aggregate in SQL: GROUP BY date_bin() of the start over find_spans() joined with spans()."},
	{"max_over_time", "Aggregate in SQL: GROUP BY date_bin() of the start over find_spans() joined with spans()."},
	{"avg_over_time", "Aggregate in SQL: GROUP BY date_bin() of the start over find_spans() joined with spans()."},
	{"sum_over_time", "Aggregate in SQL: GROUP BY date_bin() of the start over find_spans() joined with spans()."},
	{"quantile_over_time", "Aggregate in SQL: percentile_cont() over find_spans() joined with spans(), grouped by date_bin()."},
	{"histogram_over_time", "Aggregate in SQL: width_bucket() over find_spans() joined with spans(), grouped by date_bin()."},
	{"compare", "Compare two queries in SQL, with one find_spans() each."},
	{"topk", "Use ORDER BY … DESC LIMIT in SQL."},
	{"bottomk", "Use ORDER BY … LIMIT in SQL."},
	{"parent.", "Ask with a structural operator: { .a = 1 } > { … }."},
	{"nestedSetLeft", "Use ordinal, parent and subtree_count of spans(trajectory)."},
	{"nestedSetRight", "Use ordinal, parent and subtree_count of spans(trajectory)."},
	{"nestedSetParent", "A root has no parent: { span:parentID = nil }."}
};

const char *
intrinsic_name(Intrinsic intrinsic)
{
	return intrinsic_names[intrinsic];
}

/* May a character stand in the name of an attribute without quotes? */
bool
attribute_char(unsigned char c)
{
	return c > ' ' && c != 0x7f && strchr("{}()=~!<>&|^,\"`\\", c) == NULL;
}

static FieldLevel
field_level(const QueryField *field)
{
	switch (field->scope)
	{
		case SCOPE_RESOURCE:
		case SCOPE_INSTRUMENTATION:
			return LEVEL_CLASS;
		case SCOPE_INTRINSIC:
			break;
		default:
			return LEVEL_COLUMN;
	}
	switch (field->intrinsic)
	{
		case INTRINSIC_TRACE_DURATION:
		case INTRINSIC_TRACE_ID:
			return LEVEL_HEADER;
		case INTRINSIC_DURATION:
		case INTRINSIC_CHILD_COUNT:
		case INTRINSIC_SPAN_ID:
		case INTRINSIC_PARENT_ID:
			return LEVEL_HOT;
		case INTRINSIC_STATUS:
		case INTRINSIC_KIND:
		case INTRINSIC_IS_ERROR:
			return LEVEL_KIND;
		case INTRINSIC_NAME:
		case INTRINSIC_ROOT_NAME:
		case INTRINSIC_ROOT_SERVICE_NAME:
		case INTRINSIC_SCOPE_NAME:
		case INTRINSIC_SCOPE_VERSION:
			return LEVEL_CLASS;
		default:
			return LEVEL_COLUMN;
	}
}

static QueryType
intrinsic_type(Intrinsic intrinsic)
{
	switch (intrinsic)
	{
		case INTRINSIC_STATUS:
			return TYPE_STATUS;
		case INTRINSIC_KIND:
			return TYPE_KIND;
		case INTRINSIC_IS_ERROR:
			return TYPE_BOOL;
		case INTRINSIC_DURATION:
		case INTRINSIC_CHILD_COUNT:
		case INTRINSIC_TRACE_DURATION:
		case INTRINSIC_EVENT_TIME:
		case INTRINSIC_INPUT_TOKENS:
		case INTRINSIC_OUTPUT_TOKENS:
		case INTRINSIC_COST_USD:
		case INTRINSIC_TTFT:
			return TYPE_NUMBER;
		default:
			return TYPE_STRING;
	}
}

/* --------------------------------------------------------------- errors --- */

/* A place in the text, in characters from 1. */
static int
character_number(const Parser *p, uint32 position)
{
	int			n = 1;

	for (uint32 i = 0; i < position && i < p->len; i++)
		if (((unsigned char) p->text[i] & 0xc0) != 0x80)
			n++;
	return n;
}

pg_noreturn static void
fail_expected(const Parser *p, const Token *found, const char *expected)
{
	uint32		len = Min(found->end - found->position, 40);

	/* not in the middle of a character */
	while (len > 0 && found->position + len < found->end &&
		   ((unsigned char) p->text[found->position + len] & 0xc0) == 0x80)
		len--;
	if (found->type == TOKEN_END)
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("syntax error in tracequery at character %d", character_number(p, found->position)),
				 errdetail("Expected %s, found the end.", expected)));
	ereport(ERROR,
			(errcode(ERRCODE_SYNTAX_ERROR),
			 errmsg("syntax error in tracequery at character %d", character_number(p, found->position)),
			 errdetail("Expected %s, found \"%.*s\".", expected, (int) len, p->text + found->position)));
}

pg_noreturn static void
fail_detail(const Parser *p, uint32 position, const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_SYNTAX_ERROR),
			 errmsg("syntax error in tracequery at character %d", character_number(p, position)),
			 errdetail("%s", detail)));
}

static const char *const type_names[] = {
	[TYPE_ANY] = "an attribute",
	[TYPE_NIL] = "nil",
	[TYPE_BOOL] = "a condition",
	[TYPE_NUMBER] = "a number",
	[TYPE_STRING] = "a string",
	[TYPE_STATUS] = "a status",
	[TYPE_KIND] = "a kind"
};

pg_noreturn static void
fail_type(const Parser *p, uint32 position, const char *operator, QueryType left, QueryType right)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATATYPE_MISMATCH),
			 errmsg("type error in tracequery at character %d", character_number(p, position)),
			 left == right ?
			 errdetail("Operator %s does not take %s.", operator, type_names[left]) :
			 errdetail("Operator %s does not take %s and %s.", operator, type_names[left], type_names[right])));
}

static void
fail_if_unsupported(const Parser *p, const Token *token, Bytes word)
{
	for (size_t i = 0; i < lengthof(unsupported); i++)
		if (bytes_equal_cstring(word, unsupported[i].name))
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("\"%s\" is not supported in a tracequery", unsupported[i].name),
					 errdetail("It stands at character %d.", character_number(p, token->position)),
					 errhint("%s", unsupported[i].hint)));
}

/* TraceQL compares the results of whole pipelines too: ({ } | count()) > 2. */
pg_noreturn static void
fail_scalar_pipeline(const Parser *p, uint32 position)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("comparing the results of pipelines is not supported in a tracequery"),
			 errdetail("A comparison was expected at character %d.", character_number(p, position)),
			 errhint("Compare within the pipeline, as in { } | count() > 2, or in SQL: match_count(trajectory, query) > 2.")));
}

pg_noreturn static void
fail_depth(const Parser *p, uint32 position)
{
	ereport(ERROR,
			(errcode(ERRCODE_STATEMENT_TOO_COMPLEX),
			 errmsg("tracequery is nested too deeply at character %d", character_number(p, position)),
			 errdetail("At most %d levels are allowed.", TRACEQUERY_MAX_DEPTH)));
}

/* ---------------------------------------------------------------- lexer --- */

static inline unsigned char
char_at(const Parser *p, size_t i)
{
	return i < p->len ? (unsigned char) p->text[i] : 0;
}

static inline bool
is_space(unsigned char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static inline bool
is_letter(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static inline bool
is_digit(unsigned char c)
{
	return c >= '0' && c <= '9';
}

static void
put_utf8(const Parser *p, StringInfo buf, uint32 position, uint32 code)
{
	if (code == 0 || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		fail_detail(p, position, "The escape names no character.");
	if (code < 0x80)
		appendStringInfoChar(buf, (char) code);
	else if (code < 0x800)
	{
		appendStringInfoChar(buf, (char) (0xc0 | code >> 6));
		appendStringInfoChar(buf, (char) (0x80 | (code & 0x3f)));
	}
	else if (code < 0x10000)
	{
		appendStringInfoChar(buf, (char) (0xe0 | code >> 12));
		appendStringInfoChar(buf, (char) (0x80 | (code >> 6 & 0x3f)));
		appendStringInfoChar(buf, (char) (0x80 | (code & 0x3f)));
	}
	else
	{
		appendStringInfoChar(buf, (char) (0xf0 | code >> 18));
		appendStringInfoChar(buf, (char) (0x80 | (code >> 12 & 0x3f)));
		appendStringInfoChar(buf, (char) (0x80 | (code >> 6 & 0x3f)));
		appendStringInfoChar(buf, (char) (0x80 | (code & 0x3f)));
	}
}

/* An escape, behind its backslash at i; returns where it ends. */
static size_t
lex_escape(const Parser *p, size_t i, StringInfo buf)
{
	static const char letters[] = "abfnrtv\\\"'`";
	static const char meanings[] = "\a\b\f\n\r\t\v\\\"'`";
	unsigned char c = char_at(p, i + 1);
	const char *letter = c ? strchr(letters, c) : NULL;
	uint32		code = 0;
	int			digits;

	if (letter)
	{
		appendStringInfoChar(buf, meanings[letter - letters]);
		return i + 2;
	}
	if (c != 'x' && c != 'u' && c != 'U')
		fail_detail(p, i, "There is no such escape in a string; a backslash is written twice.");
	digits = c == 'x' ? 2 : c == 'u' ? 4 : 8;
	for (int k = 0; k < digits; k++)
	{
		uint8		digit = hex_digit((char) char_at(p, i + 2 + k));

		if (digit > 15 || code > 0x0fffffff)
			fail_detail(p, i, "The escape needs more hexadecimal digits.");
		code = code << 4 | digit;
	}
	put_utf8(p, buf, i, code);
	return i + 2 + digits;
}

/* A string in double quotes or backquotes, from i on; returns where it ends. */
static size_t
lex_string(const Parser *p, size_t i, StringInfo buf)
{
	size_t		begin = i;
	char		quote = p->text[i++];

	for (;;)
	{
		if (i >= p->len)
			fail_detail(p, begin, "The string has no end.");
		if (p->text[i] == quote)
			return i + 1;
		if (p->text[i] == '\\' && quote == '"')
			i = lex_escape(p, i, buf);
		else
			appendStringInfoChar(buf, p->text[i++]);
	}
}

/* The name of an attribute behind its dot; parts may be quoted. */
static size_t
lex_attribute(const Parser *p, size_t i, Token *token)
{
	StringInfoData buf;

	initStringInfo(&buf);
	while (i < p->len)
	{
		if (p->text[i] == '"')
			i = lex_string(p, i, &buf);
		else if (attribute_char(p->text[i]))
			appendStringInfoChar(&buf, p->text[i++]);
		else
			break;
	}
	if (buf.len == 0)
		fail_detail(p, i, "Expected the name of an attribute.");
	token->type = TOKEN_ATTRIBUTE;
	token->value.string = (Bytes) {buf.data, buf.len};
	return i;
}

/* The unit of a duration at i, in nanoseconds, or 0. */
static int64
duration_unit(const Parser *p, size_t i, int *len)
{
	static const struct
	{
		const char *name;
		int64		ns;
	}			units[] = {
		{"ns", 1}, {"us", NS_PER_US}, {"\xc2\xb5s", NS_PER_US}, {"\xce\xbcs", NS_PER_US},
		{"ms", NS_PER_MS}, {"s", NS_PER_SECOND}, {"m", 60 * NS_PER_SECOND},
		{"h", 3600 * NS_PER_SECOND}, {"d", 86400 * NS_PER_SECOND}
	};

	for (size_t k = 0; k < lengthof(units); k++)
	{
		*len = strlen(units[k].name);
		if (p->len - i >= (size_t) *len && memcmp(p->text + i, units[k].name, *len) == 0 &&
			!is_letter(char_at(p, i + *len)))
			return units[k].ns;
	}
	return 0;
}

/* The digits, fraction and exponent at i: where they end. */
static size_t
number_end(const Parser *p, size_t i, bool *is_float)
{
	*is_float = false;
	while (is_digit(char_at(p, i)))
		i++;
	if (char_at(p, i) == '.' && is_digit(char_at(p, i + 1)))
	{
		*is_float = true;
		for (i++; is_digit(char_at(p, i)); i++)
			;
	}
	if ((char_at(p, i) | 0x20) == 'e')
	{
		size_t		k = i + 1;

		if (char_at(p, k) == '+' || char_at(p, k) == '-')
			k++;
		if (is_digit(char_at(p, k)))
		{
			*is_float = true;
			for (i = k; is_digit(char_at(p, i)); i++)
				;
		}
	}
	return i;
}

static double
read_double(const Parser *p, size_t from, size_t to)
{
	char	   *copy = pnstrdup(p->text + from, to - from);
	double		d = strtod(copy, NULL);

	pfree(copy);
	if (isinf(d))
		fail_detail(p, from, "The number is out of range.");
	return d;
}

/* The number that digits make; false if it is out of range. */
static bool
read_integer(const Parser *p, size_t from, size_t to, int64 *integer)
{
	*integer = 0;
	for (size_t k = from; k < to; k++)
		if (pg_mul_s64_overflow(*integer, 10, integer) ||
			pg_add_s64_overflow(*integer, p->text[k] - '0', integer))
			return false;
	return true;
}

/*
 * The nanoseconds of a number with its unit; false if they are out of range.
 * Whole numbers are exact, as a double is not beyond 104 days.
 */
static bool
read_duration(const Parser *p, size_t from, size_t to, bool is_float, int64 unit_ns, int64 *ns)
{
	double		rounded;

	if (!is_float)
		return read_integer(p, from, to, ns) && !pg_mul_s64_overflow(*ns, unit_ns, ns);
	rounded = rint(read_double(p, from, to) * (double) unit_ns);
	if (rounded >= 9.2e18)
		return false;
	*ns = (int64) rounded;
	return true;
}

/* A duration is one or more numbers with units: 1h30m, 1.5s. */
static size_t
lex_duration(const Parser *p, size_t i, Token *token)
{
	size_t		begin = i;
	int64		total = 0;

	do
	{
		bool		is_float;
		size_t		end = number_end(p, i, &is_float);
		int			unit_len;
		int64		unit = duration_unit(p, end, &unit_len);
		int64		ns;

		/* within one duration a unit may be followed by a digit */
		if (unit == 0)
			fail_detail(p, end, "Expected a unit: ns, us, ms, s, m, h or d.");
		if (!read_duration(p, i, end, is_float, unit, &ns) ||
			pg_add_s64_overflow(total, ns, &total))
			fail_detail(p, begin, "The duration is out of range.");
		i = end + unit_len;
	} while (is_digit(char_at(p, i)));
	token->value.type = QUERY_DURATION;
	token->value.integer = total;
	return i;
}

static size_t
lex_number(const Parser *p, size_t i, Token *token)
{
	bool		is_float;
	size_t		end = number_end(p, i, &is_float);
	int			unit_len;

	token->type = TOKEN_LITERAL;
	if (duration_unit(p, end, &unit_len) != 0)
		return lex_duration(p, i, token);
	if (is_letter(char_at(p, end)))
		fail_detail(p, end, "Expected a unit of a duration (ns, us, ms, s, m, h or d) or the end of the number.");
	if (is_float)
	{
		token->value.type = QUERY_FLOAT;
		token->value.number = read_double(p, i, end);
		return end;
	}
	token->value.type = QUERY_INT;
	if (!read_integer(p, i, end, &token->value.integer))
		fail_detail(p, i, "The integer is out of range.");
	return end;
}

/* A word; one of the scopes with a dot behind it begins an attribute. */
static size_t
lex_word(const Parser *p, size_t i, Token *token)
{
	size_t		begin = i;
	Bytes		word;

	while (is_letter(char_at(p, i)) || is_digit(char_at(p, i)))
		i++;
	word = (Bytes) {p->text + begin, i - begin};
	if (char_at(p, i) == '.')
	{
		for (size_t k = 0; k < lengthof(scope_names); k++)
			if (bytes_equal_cstring(word, scope_names[k].name))
			{
				token->scope = scope_names[k].scope;
				return lex_attribute(p, i + 1, token);
			}
		word.len++;
		fail_if_unsupported(p, token, word);
		fail_detail(p, begin, "Expected one of the scopes span., resource., event., link. and instrumentation., or no scope at all: .name");
	}
	if (char_at(p, i) == ':' && is_letter(char_at(p, i + 1)))
		for (i++; is_letter(char_at(p, i)) || is_digit(char_at(p, i)); i++)
			;
	token->type = TOKEN_WORD;
	token->value.string = (Bytes) {p->text + begin, i - begin};
	return i;
}

static size_t
lex_mark(const Parser *p, size_t i, Token *token)
{
	for (size_t k = 0; k < lengthof(marks); k++)
	{
		size_t		len = strlen(marks[k].text);

		if (p->len - i >= len && memcmp(p->text + i, marks[k].text, len) == 0)
		{
			token->type = TOKEN_OPERATOR;
			token->mark = marks[k].mark;
			return i + len;
		}
	}
	fail_detail(p, i, "There is no operator that begins so.");
}

/* Look at the next token. */
static void
advance(Parser *p)
{
	Token	   *token = &p->token;
	size_t		i = token->end;
	unsigned char c;

	while (is_space(char_at(p, i)))
		i++;
	memset(token, 0, sizeof(Token));
	token->position = token->end = i;
	c = char_at(p, i);
	if (i >= p->len)
		token->type = TOKEN_END;
	else if (c == '"' || c == '`')
	{
		StringInfoData buf;

		initStringInfo(&buf);
		token->type = TOKEN_LITERAL;
		token->end = lex_string(p, i, &buf);
		token->value = (QueryValue) {.type = QUERY_STRING,.string = {buf.data, buf.len}};
	}
	else if (is_digit(c) || (c == '.' && is_digit(char_at(p, i + 1))))
		token->end = lex_number(p, i, token);
	else if (c == '.')
	{
		token->scope = SCOPE_ANY;
		token->end = lex_attribute(p, i + 1, token);
	}
	else if (is_letter(c))
		token->end = lex_word(p, i, token);
	else
		token->end = lex_mark(p, i, token);
}

static inline bool
at_mark(const Parser *p, Mark mark)
{
	return p->token.type == TOKEN_OPERATOR && p->token.mark == mark;
}

static bool
take_mark(Parser *p, Mark mark)
{
	if (!at_mark(p, mark))
		return false;
	advance(p);
	return true;
}

static void
expect_mark(Parser *p, Mark mark, const char *what)
{
	if (!take_mark(p, mark))
		fail_expected(p, &p->token, what);
}

/* ---------------------------------------------------------------- nodes --- */

static void
descend(Parser *p)
{
	if (++p->depth > 3 * TRACEQUERY_MAX_DEPTH)
		fail_depth(p, p->token.position);
}

static QueryExpr *
expr_create(ExprNode node, QueryType type, uint32 position)
{
	QueryExpr  *e = palloc0(sizeof(QueryExpr));

	e->node = node;
	e->type = type;
	e->position = position;
	e->depth = 1;
	return e;
}

static void
expr_add(const Parser *p, QueryExpr *e, QueryExpr *arg)
{
	if (e->arg_count == e->arg_max)
	{
		e->arg_max = Max(2, 2 * e->arg_max);
		e->args = e->args ? repalloc(e->args, e->arg_max * sizeof(QueryExpr *)) :
			palloc(e->arg_max * sizeof(QueryExpr *));
	}
	e->args[e->arg_count++] = arg;
	e->depth = Max(e->depth, arg->depth + 1);
	if (e->depth > TRACEQUERY_MAX_DEPTH)
		fail_depth(p, e->position);
}

static QuerySet *
set_create(SetNode node)
{
	QuerySet   *s = palloc0(sizeof(QuerySet));

	s->node = node;
	s->depth = 1;
	return s;
}

static void
set_add(const Parser *p, QuerySet *s, QuerySet *arg)
{
	if (s->arg_count == s->arg_max)
	{
		s->arg_max = Max(2, 2 * s->arg_max);
		s->args = s->args ? repalloc(s->args, s->arg_max * sizeof(QuerySet *)) :
			palloc(s->arg_max * sizeof(QuerySet *));
	}
	s->args[s->arg_count++] = arg;
	s->depth = Max(s->depth, arg->depth + 1);
	if (s->depth > TRACEQUERY_MAX_DEPTH)
		fail_depth(p, p->token.position);
}

/* Arrays double when their count reaches a power of two. */
static void *
array_for_one_more(void *array, uint32 count, size_t size)
{
	if (count == 0)
		return palloc(size);
	return (count & (count - 1)) == 0 ? repalloc(array, 2 * count * size) : array;
}

static uint32
field_number(Tracequery *q, uint8 scope, uint8 intrinsic, Bytes name)
{
	for (uint32 i = 0; i < q->field_count; i++)
		if (q->fields[i].scope == scope && q->fields[i].intrinsic == intrinsic &&
			bytes_equal(q->fields[i].name, name))
		{
			q->fields[i].uses++;
			return i;
		}
	q->fields = array_for_one_more(q->fields, q->field_count, sizeof(QueryField));
	q->fields[q->field_count] = (QueryField) {scope, intrinsic, name};
	q->fields[q->field_count].level = field_level(&q->fields[q->field_count]);
	q->fields[q->field_count].uses = 1;
	return q->field_count++;
}

static QueryExpr *
field_expr(Parser *p, uint8 scope, uint8 intrinsic, Bytes name)
{
	QueryExpr  *e = expr_create(EXPR_FIELD, intrinsic ? intrinsic_type(intrinsic) : TYPE_ANY,
								p->token.position);

	if (p->is_scalar)
		fail_expected(p, &p->token, "a number or an aggregate of spans, such as avg(duration)");
	e->number = field_number(p->query, scope, intrinsic, name);
	e->may_be_kind = intrinsic == INTRINSIC_TOOL || intrinsic == INTRINSIC_AGENT;
	return e;
}

static QueryExpr *
literal_expr(Parser *p, QueryValue value)
{
	static const uint8 types[] = {
		[QUERY_NIL] = TYPE_NIL,
		[QUERY_BOOL] = TYPE_BOOL,
		[QUERY_INT] = TYPE_NUMBER,
		[QUERY_FLOAT] = TYPE_NUMBER,
		[QUERY_DURATION] = TYPE_NUMBER,
		[QUERY_STRING] = TYPE_STRING,
		[QUERY_STATUS] = TYPE_STATUS,
		[QUERY_KIND] = TYPE_KIND
	};
	QueryExpr  *e = expr_create(EXPR_LITERAL, types[value.type], p->token.position);
	Tracequery	   *q = p->query;

	e->literal = value;
	if (value.type == QUERY_STRING)
	{
		q->literals = array_for_one_more(q->literals, q->literal_count, sizeof(Bytes));
		q->literals[q->literal_count] = value.string;
		e->number = q->literal_count++;
	}
	return e;
}

/* ------------------------------------------------- conditions on a span --- */

static QueryExpr *parse_condition(Parser *p);

static bool
kind_value(Bytes word, QueryValue *value)
{
	value->type = QUERY_KIND;
	for (int i = 0; i < SPAN_KIND_COUNT; i++)
		if (bytes_equal_cstring(word, span_kind_names[i]))
		{
			value->mask = KIND_SPAN_MASK;
			value->integer = i << KIND_SPAN_SHIFT;
			return true;
		}
	value->mask = KIND_OPERATION_MASK;
	for (int i = 0; i < KIND_COUNT; i++)
		if (bytes_equal_cstring(word, operation_kind_name(i)))
		{
			value->integer = i;
			return true;
		}
	for (size_t i = 0; i < lengthof(kind_synonyms); i++)
		if (bytes_equal_cstring(word, kind_synonyms[i].name))
		{
			value->integer = kind_synonyms[i].kind;
			return true;
		}
	return false;
}

static bool
word_value(Bytes word, QueryValue *value)
{
	memset(value, 0, sizeof(*value));
	if (bytes_equal_cstring(word, "nil"))
		return true;
	if (bytes_equal_cstring(word, "true") || bytes_equal_cstring(word, "false"))
	{
		value->type = QUERY_BOOL;
		value->boolean = word.data[0] == 't';
		return true;
	}
	for (int i = 0; i < SPAN_STATUS_COUNT; i++)
		if (bytes_equal_cstring(word, span_status_names[i]))
		{
			value->type = QUERY_STATUS;
			value->integer = i;
			return true;
		}
	return kind_value(word, value);
}

static Intrinsic
find_intrinsic(Bytes word)
{
	for (int i = 1; i < INTRINSIC_COUNT; i++)
		if (bytes_equal_cstring(word, intrinsic_names[i]))
			return i;
	for (size_t i = 0; i < lengthof(intrinsic_aliases); i++)
		if (bytes_equal_cstring(word, intrinsic_aliases[i].name))
			return intrinsic_aliases[i].intrinsic;
	return INTRINSIC_NONE;
}

static int
find_aggregate(const Token *token)
{
	if (token->type == TOKEN_WORD)
		for (int i = 0; i < AGGREGATE_KINDS; i++)
			if (bytes_equal_cstring(token->value.string, aggregate_names[i]))
				return i;
	return -1;
}

static QueryExpr *
parse_aggregate(Parser *p, Aggregate aggregate)
{
	QueryExpr  *e = expr_create(EXPR_AGGREGATE, TYPE_NUMBER, p->token.position);

	e->op = aggregate;
	advance(p);
	expect_mark(p, MARK_OPEN_PAREN, "\"(\"");
	if (aggregate != AGGREGATE_COUNT)
	{
		QueryExpr  *arg;

		p->is_scalar = false;
		arg = parse_condition(p);
		p->is_scalar = true;
		if (arg->type != TYPE_NUMBER && arg->type != TYPE_ANY)
			fail_type(p, e->position, aggregate_names[aggregate], arg->type, arg->type);
		expr_add(p, e, arg);
	}
	expect_mark(p, MARK_CLOSE_PAREN, "\")\"");
	return e;
}

static QueryExpr *
parse_word(Parser *p)
{
	Bytes		word = p->token.value.string;
	Intrinsic	intrinsic = find_intrinsic(word);
	int			aggregate = find_aggregate(&p->token);
	QueryValue	value;
	QueryExpr  *e;

	if (aggregate >= 0 && p->is_scalar)
		return parse_aggregate(p, aggregate);
	if (intrinsic != INTRINSIC_NONE)
		e = field_expr(p, SCOPE_INTRINSIC, intrinsic, (Bytes) {"", 0});
	else if (word_value(word, &value))
		e = literal_expr(p, value);
	else
	{
		fail_if_unsupported(p, &p->token, word);
		fail_expected(p, &p->token, p->is_scalar ?
					  "a number or an aggregate: count(), min(), max(), avg() or sum()" :
					  "a field such as name, kind, status, duration, model, tool or .attribute, or a value");
	}
	advance(p);
	return e;
}

static QueryExpr *
parse_atom(Parser *p)
{
	QueryExpr  *e;

	switch (p->token.type)
	{
		case TOKEN_LITERAL:
			e = literal_expr(p, p->token.value);
			advance(p);
			return e;
		case TOKEN_ATTRIBUTE:
			e = field_expr(p, p->token.scope, INTRINSIC_NONE, p->token.value.string);
			advance(p);
			return e;
		case TOKEN_WORD:
			return parse_word(p);
		default:
			if (!take_mark(p, MARK_OPEN_PAREN))
				fail_expected(p, &p->token, p->is_scalar ? "a number or an aggregate" :
							  "a field or a value");
			e = parse_condition(p);
			expect_mark(p, MARK_CLOSE_PAREN, "\")\" or an operator");
			e->may_be_kind = false;
			return e;
	}
}

static QueryExpr *
arithmetic(const Parser *p, char op, uint32 position, QueryExpr *left, QueryExpr *right)
{
	QueryExpr  *e = expr_create(EXPR_ARITHMETIC, TYPE_NUMBER, position);

	if ((left->type != TYPE_NUMBER && left->type != TYPE_ANY) ||
		(right->type != TYPE_NUMBER && right->type != TYPE_ANY))
		fail_type(p, position, (char[]) {op, '\0'}, left->type, right->type);
	e->op = (uint8) op;
	expr_add(p, e, left);
	expr_add(p, e, right);
	return e;
}

/* A minus before a number belongs to it. */
static QueryExpr *
negate(const Parser *p, uint32 position, QueryExpr *arg)
{
	QueryExpr  *e;

	if (arg->type != TYPE_NUMBER && arg->type != TYPE_ANY)
		fail_type(p, position, "-", arg->type, arg->type);
	if (arg->node == EXPR_LITERAL)
	{
		if (arg->literal.type == QUERY_FLOAT)
			arg->literal.number = -arg->literal.number;
		else
			arg->literal.integer = -arg->literal.integer;
		return arg;
	}
	e = expr_create(EXPR_NEGATE, TYPE_NUMBER, position);
	expr_add(p, e, arg);
	return e;
}

static QueryExpr *
parse_power(Parser *p)
{
	uint32		position = p->token.position;
	QueryExpr  *e;

	descend(p);
	if (take_mark(p, MARK_NOT))
	{
		QueryExpr  *arg = parse_power(p);

		if (arg->type != TYPE_BOOL && arg->type != TYPE_ANY)
			fail_type(p, position, "!", arg->type, arg->type);
		e = expr_create(EXPR_NOT, TYPE_BOOL, position);
		expr_add(p, e, arg);
	}
	else if (take_mark(p, MARK_MINUS))
		e = negate(p, position, parse_power(p));
	else
	{
		e = parse_atom(p);
		position = p->token.position;
		if (take_mark(p, MARK_POWER))
			e = arithmetic(p, '^', position, e, parse_power(p));
	}
	p->depth--;
	return e;
}

static QueryExpr *
parse_product(Parser *p)
{
	QueryExpr  *e = parse_power(p);

	for (;;)
	{
		uint32		position = p->token.position;

		if (take_mark(p, MARK_STAR))
			e = arithmetic(p, '*', position, e, parse_power(p));
		else if (take_mark(p, MARK_SLASH))
			e = arithmetic(p, '/', position, e, parse_power(p));
		else if (take_mark(p, MARK_PERCENT))
			e = arithmetic(p, '%', position, e, parse_power(p));
		else
			return e;
	}
}

static QueryExpr *
parse_sum(Parser *p)
{
	QueryExpr  *e = parse_product(p);

	for (;;)
	{
		uint32		position = p->token.position;

		if (take_mark(p, MARK_PLUS))
			e = arithmetic(p, '+', position, e, parse_product(p));
		else if (take_mark(p, MARK_MINUS))
			e = arithmetic(p, '-', position, e, parse_product(p));
		else
			return e;
	}
}

/* "tool" and "agent" are kinds where a kind is asked for. */
static void
become_kind(Parser *p, QueryExpr *e)
{
	if (!e->may_be_kind)
		return;
	p->query->fields[e->number].uses--;
	e->node = EXPR_LITERAL;
	e->type = TYPE_KIND;
	kind_value((Bytes) {intrinsic_names[p->query->fields[e->number].intrinsic],
			   strlen(intrinsic_names[p->query->fields[e->number].intrinsic])}, &e->literal);
}

static void
check_regex(Parser *p, QueryExpr *e)
{
	Tracequery	   *q = p->query;
	QueryExpr  *pattern = e->args[1];
	const char *problem;

	if ((e->args[0]->type != TYPE_STRING && e->args[0]->type != TYPE_ANY) ||
		pattern->type != TYPE_STRING)
		fail_type(p, e->position, compare_names[e->op], e->args[0]->type, pattern->type);
	if (pattern->node != EXPR_LITERAL)
		fail_detail(p, pattern->position, "Expected a regular expression in quotes.");
	if (q->regex_count == TRACEQUERY_MAX_REGEXES)
		ereport(ERROR,
				(errcode(ERRCODE_STATEMENT_TOO_COMPLEX),
				 errmsg("tracequery has more than %d regular expressions", TRACEQUERY_MAX_REGEXES),
				 errhint("Several can be one, with alternatives: a|b.")));
	query_regex_check(pattern->literal.string, &problem);
	if (problem)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_REGULAR_EXPRESSION),
				 errmsg("invalid regular expression in tracequery at character %d",
						character_number(p, pattern->position)),
				 errdetail("%s", problem)));
	q->regexes = array_for_one_more(q->regexes, q->regex_count, sizeof(Bytes));
	q->regexes[q->regex_count] = pattern->literal.string;
	e->number = q->regex_count++;
}

static void
check_comparison(Parser *p, QueryExpr *e)
{
	QueryType	left = e->args[0]->type;
	QueryType	right = e->args[1]->type;
	bool		is_equality = e->op == COMPARISON_EQ || e->op == COMPARISON_NE;

	if (left == TYPE_NIL || right == TYPE_NIL)
	{
		if (!is_equality)
			fail_type(p, e->position, compare_names[e->op], left, right);
	}
	else if (left != TYPE_ANY && right != TYPE_ANY && left != right)
		fail_type(p, e->position, compare_names[e->op], left, right);
	else if (!is_equality)
		for (int i = 0; i < 2; i++)
			if (e->args[i]->type == TYPE_BOOL || e->args[i]->type == TYPE_STATUS ||
				e->args[i]->type == TYPE_KIND)
				fail_type(p, e->position, compare_names[e->op], left, right);
}

static bool
take_compare(Parser *p, CompareOp *op)
{
	static const uint8 ops[] = {
		[COMPARISON_EQ] = MARK_EQ, [COMPARISON_NE] = MARK_NE, [COMPARISON_LT] = MARK_LT,
		[COMPARISON_LE] = MARK_LE, [COMPARISON_GT] = MARK_GT, [COMPARISON_GE] = MARK_GE,
		[COMPARISON_MATCH] = MARK_MATCH, [COMPARISON_NOT_MATCH] = MARK_NOT_MATCH
	};

	for (size_t i = 0; i < lengthof(ops); i++)
		if (take_mark(p, ops[i]))
		{
			*op = i;
			return true;
		}
	return false;
}

static QueryExpr *
parse_comparison(Parser *p)
{
	QueryExpr  *e = parse_sum(p);
	uint32		position = p->token.position;
	CompareOp	op;

	while (take_compare(p, &op))
	{
		QueryExpr  *left = e;
		QueryExpr  *right = parse_sum(p);

		if (left->type == TYPE_KIND)
			become_kind(p, right);
		else if (right->type == TYPE_KIND)
			become_kind(p, left);
		e = expr_create(EXPR_COMPARE, TYPE_BOOL, position);
		e->op = op;
		expr_add(p, e, left);
		expr_add(p, e, right);
		if (op == COMPARISON_MATCH || op == COMPARISON_NOT_MATCH)
			check_regex(p, e);
		else
			check_comparison(p, e);
		position = p->token.position;
	}
	return e;
}

static QueryExpr *
parse_condition(Parser *p)
{
	QueryExpr  *e;

	descend(p);
	e = parse_comparison(p);
	while (at_mark(p, MARK_AND) || at_mark(p, MARK_OR))
	{
		ExprNode	node = at_mark(p, MARK_AND) ? EXPR_AND : EXPR_OR;
		uint32		position = p->token.position;
		QueryExpr  *right;

		advance(p);
		right = parse_comparison(p);
		for (int i = 0; i < 2; i++)
		{
			QueryType	type = (i == 0 ? e : right)->type;

			if (type != TYPE_BOOL && type != TYPE_ANY)
				fail_type(p, position, node == EXPR_AND ? "&&" : "||", type, type);
		}
		if (e->node != node)
		{
			QueryExpr  *parent = expr_create(node, TYPE_BOOL, position);

			expr_add(p, parent, e);
			e = parent;
		}
		expr_add(p, e, right);
	}
	p->depth--;
	return e;
}

/* -------------------------------------------------------- sets of spans --- */

static QuerySet *parse_pipeline(Parser *p);

static QuerySet *
parse_filter(Parser *p)
{
	QuerySet   *s = set_create(SET_FILTER);

	s->number = p->query->filter_count++;
	if (!at_mark(p, MARK_CLOSE_BRACE))
	{
		uint32		position = p->token.position;

		s->expr = parse_condition(p);
		if (s->expr->type != TYPE_BOOL && s->expr->type != TYPE_ANY)
			ereport(ERROR,
					(errcode(ERRCODE_DATATYPE_MISMATCH),
					 errmsg("type error in tracequery at character %d", character_number(p, position)),
					 errdetail("Expected a condition, found %s.", type_names[s->expr->type])));
		s->depth += s->expr->depth;
		/* { true } is { } */
		if (s->expr->node == EXPR_LITERAL && s->expr->literal.boolean)
			s->expr = NULL;
	}
	expect_mark(p, MARK_CLOSE_BRACE, "\"}\" or an operator");
	return s;
}

static QuerySet *
parse_operand(Parser *p)
{
	QuerySet   *s;

	if (take_mark(p, MARK_OPEN_BRACE))
		return parse_filter(p);
	if (p->token.type == TOKEN_WORD)
		fail_if_unsupported(p, &p->token, p->token.value.string);
	if (!take_mark(p, MARK_OPEN_PAREN))
		fail_expected(p, &p->token, "\"{\" or \"(\"");
	s = parse_pipeline(p);
	expect_mark(p, MARK_CLOSE_PAREN, "\")\" or an operator");
	return s;
}

static bool
take_relation(Parser *p, SpanRelation *relation, RelationMode *mode)
{
	static const struct
	{
		uint8		mark;
		uint8		relation;
		uint8		mode;
	}			relations[] = {
		{MARK_GT, RELATION_CHILD, MODE_RIGHT},
		{MARK_DESCENDANT, RELATION_DESCENDANT, MODE_RIGHT},
		{MARK_LT, RELATION_PARENT, MODE_RIGHT},
		{MARK_ANCESTOR, RELATION_ANCESTOR, MODE_RIGHT},
		{MARK_SIBLING, RELATION_SIBLING, MODE_RIGHT},
		{MARK_AFTER, RELATION_AFTER, MODE_RIGHT},
		{MARK_NOT_CHILD, RELATION_CHILD, MODE_NOT},
		{MARK_NOT_DESCENDANT, RELATION_DESCENDANT, MODE_NOT},
		{MARK_NOT_PARENT, RELATION_PARENT, MODE_NOT},
		{MARK_NOT_ANCESTOR, RELATION_ANCESTOR, MODE_NOT},
		{MARK_NOT_MATCH, RELATION_SIBLING, MODE_NOT},
		{MARK_NOT_AFTER, RELATION_AFTER, MODE_NOT},
		{MARK_BOTH_CHILD, RELATION_CHILD, MODE_BOTH},
		{MARK_BOTH_DESCENDANT, RELATION_DESCENDANT, MODE_BOTH},
		{MARK_BOTH_PARENT, RELATION_PARENT, MODE_BOTH},
		{MARK_BOTH_ANCESTOR, RELATION_ANCESTOR, MODE_BOTH},
		{MARK_BOTH_SIBLING, RELATION_SIBLING, MODE_BOTH},
		{MARK_BOTH_AFTER, RELATION_AFTER, MODE_BOTH}
	};

	for (size_t i = 0; i < lengthof(relations); i++)
		if (take_mark(p, relations[i].mark))
		{
			*relation = relations[i].relation;
			*mode = relations[i].mode;
			return true;
		}
	return false;
}

static QuerySet *
parse_relation(Parser *p)
{
	QuerySet   *s = parse_operand(p);
	SpanRelation	relation;
	RelationMode mode;

	while (take_relation(p, &relation, &mode))
	{
		QuerySet   *left = s;

		s = set_create(SET_RELATION);
		s->relation = relation;
		s->mode = mode;
		set_add(p, s, left);
		set_add(p, s, parse_operand(p));
	}
	return s;
}

static QuerySet *
parse_set(Parser *p)
{
	QuerySet   *s = parse_relation(p);

	while (at_mark(p, MARK_AND) || at_mark(p, MARK_OR))
	{
		SetNode		node = at_mark(p, MARK_AND) ? SET_AND : SET_OR;

		advance(p);
		if (s->node != node)
		{
			QuerySet   *left = s;

			s = set_create(node);
			set_add(p, s, left);
		}
		set_add(p, s, parse_relation(p));
	}
	return s;
}

static QuerySet *
parse_scalar(Parser *p)
{
	QuerySet   *s = set_create(SET_SCALAR);
	uint32		position = p->token.position;

	p->is_scalar = true;
	s->expr = parse_comparison(p);
	p->is_scalar = false;
	if (s->expr->node != EXPR_COMPARE)
	{
		if (at_mark(p, MARK_CLOSE_PAREN))
			fail_scalar_pipeline(p, p->token.position);
		fail_expected(p, &p->token, "a comparison");
	}
	for (int i = 0; i < 2; i++)
		if (s->expr->args[i]->type != TYPE_NUMBER)
			fail_type(p, position, compare_names[s->expr->op], s->expr->args[0]->type,
					  s->expr->args[1]->type);
	s->depth += s->expr->depth;
	return s;
}

/* Does a set begin here, behind parentheses or not? */
static bool
at_set(const Parser *p)
{
	size_t		i = p->token.position;

	while (char_at(p, i) == '(' || is_space(char_at(p, i)))
		i++;
	return char_at(p, i) == '{';
}

static QuerySet *
parse_stage(Parser *p)
{
	if (at_set(p))
		return parse_set(p);
	if (p->token.type == TOKEN_WORD)
		fail_if_unsupported(p, &p->token, p->token.value.string);
	return parse_scalar(p);
}

static QuerySet *
parse_pipeline(Parser *p)
{
	QuerySet   *s;

	descend(p);
	s = parse_set(p);
	if (at_mark(p, MARK_PIPE))
	{
		QuerySet   *first = s;

		/* a pipeline in parentheses at the start goes on here */
		if (s->node != SET_PIPELINE)
		{
			s = set_create(SET_PIPELINE);
			set_add(p, s, first);
		}
		while (take_mark(p, MARK_PIPE))
			set_add(p, s, parse_stage(p));
	}
	p->depth--;
	return s;
}

/* Does a field tell of the span and those above it alone, without the values? */
static bool
field_is_local(const QueryField *field)
{
	return field->level != LEVEL_COLUMN && field->intrinsic != INTRINSIC_CHILD_COUNT &&
		field->intrinsic != INTRINSIC_PARENT_ID && field->intrinsic != INTRINSIC_ROOT_NAME &&
		field->intrinsic != INTRINSIC_ROOT_SERVICE_NAME;
}

/* Does a set only grow if there are more spans? */
static bool
set_is_monotone(const QuerySet *s)
{
	if (s->node == SET_SCALAR || (s->node == SET_RELATION && s->mode == MODE_NOT))
		return false;
	for (uint32 i = 0; i < s->arg_count; i++)
		if (!set_is_monotone(s->args[i]))
			return false;
	return true;
}

/* What evaluation wants to know of the query as a whole. */
static void
survey(Tracequery *q)
{
	q->is_local = set_is_monotone(q->root);
	for (uint32 i = 0; i < q->field_count; i++)
	{
		if (q->fields[i].uses == 0)
			continue;
		q->levels |= 1 << q->fields[i].level;
		q->is_local &= field_is_local(&q->fields[i]);
	}
	if (q->filter_count <= TRACEQUERY_MAX_REMEMBERED && !(q->levels & 1 << LEVEL_HEADER))
		q->by_kinds = palloc0(q->filter_count * KINDS_COMBINATIONS);
}

/* Parse a query, in the current context; the text may go afterwards. */
Tracequery *
tracequery_parse(const char *text, size_t len)
{
	Parser		p = {0};

	if (len > TRACEQUERY_MAX_LEN)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("tracequery is too long"),
				 errdetail("It has %zu bytes; at most %d are allowed.", len, TRACEQUERY_MAX_LEN)));
	p.text = memcpy(palloc(len + 1), text, len);
	p.len = len;
	p.query = palloc0(sizeof(Tracequery));
	advance(&p);
	p.query->root = parse_pipeline(&p);
	if (p.token.type != TOKEN_END)
	{
		if (p.token.type == TOKEN_WORD)
			fail_if_unsupported(&p, &p.token, p.token.value.string);
		fail_expected(&p, &p.token, "an operator or the end");
	}
	survey(p.query);
	return p.query;
}
