/*
 * json_reader.c
 *		Reading JSON token by token with PostgreSQL's own lexer.
 */
#include "postgres.h"

#include <math.h>

#include "common/base64.h"
#include "common/shortest_dec.h"
#include "compat.h"
#include "kernel/json_reader.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"

/* How much of an offending token an error shows. */
#define MAX_SHOWN 60

/* Begin at the first token. */
void
json_reader_init(JsonReader *r, const char *input, size_t len,
				 const char *what, Arena *arena)
{
	r->lex = compat_make_json_lexer(input, (int) len, false);
	r->at_start = true;
	r->input = input;
	r->input_len = len;
	r->what = what;
	r->arena = arena;
	json_next(r);
}

/* Where the current token begins. */
size_t
json_offset(const JsonReader *r)
{
	return r->lex->token_start ? (size_t) (r->lex->token_start - r->input) : r->input_len;
}

void
json_fail_detail(JsonReader *r, const char *detail)
{
	size_t		offset = json_offset(r);

	ereport(ERROR,
			(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
			 errmsg("invalid %s", r->what),
			 errdetail("Line %d, byte %zu: %s", r->lex->line_number, offset + 1, detail)));
}

/* The current token is not what it should be. */
void
json_fail(JsonReader *r, const char *expected)
{
	int			len = r->token == JSON_TOKEN_END ? 0 : utf8_clip(json_peek_text(r), MAX_SHOWN);

	json_fail_detail(r, r->token == JSON_TOKEN_END ?
					 psprintf("expected %s, found the end.", expected) :
					 psprintf("expected %s, found %.*s.", expected, len, r->lex->token_start));
}

void
json_next(JsonReader *r)
{
	JsonParseErrorType error = json_lex(r->lex);

	if (unlikely(error != JSON_SUCCESS))
		json_fail_detail(r, json_errdetail(error, r->lex));
	r->token = r->lex->token_type;
}

void
json_begin_object(JsonReader *r)
{
	if (r->token != JSON_TOKEN_OBJECT_START)
		json_fail(r, "an object");
	json_next(r);
	r->at_start = true;
}

/* The next member's name; its value is the current token. */
bool
json_next_member(JsonReader *r, Bytes *name)
{
	if (r->token == JSON_TOKEN_OBJECT_END)
	{
		json_next(r);
		r->at_start = false;
		return false;
	}
	if (!r->at_start)
	{
		if (r->token != JSON_TOKEN_COMMA)
			json_fail(r, "\",\" or \"}\"");
		json_next(r);
	}
	r->at_start = false;
	if (r->token != JSON_TOKEN_STRING)
		json_fail(r, "a member's name");
	*name = json_string(r);
	if (r->token != JSON_TOKEN_COLON)
		json_fail(r, "\":\"");
	json_next(r);
	return true;
}

void
json_begin_array(JsonReader *r)
{
	if (r->token != JSON_TOKEN_ARRAY_START)
		json_fail(r, "an array");
	json_next(r);
	r->at_start = true;
}

/* Is there another element?  If so, it is the current token. */
bool
json_next_element(JsonReader *r)
{
	if (r->token == JSON_TOKEN_ARRAY_END)
	{
		json_next(r);
		r->at_start = false;
		return false;
	}
	if (!r->at_start)
	{
		if (r->token != JSON_TOKEN_COMMA)
			json_fail(r, "\",\" or \"]\"");
		json_next(r);
		if (r->token == JSON_TOKEN_ARRAY_END)
			json_fail(r, "a value");
	}
	r->at_start = false;
	return true;
}

/*
 * Pass over a value, however deep.  Brackets are matched by kind, so that
 * what is skipped is still JSON in its structure.
 */
void
json_skip(JsonReader *r)
{
	StringInfoData open;
	Bytes		name;

	switch (r->token)
	{
		case JSON_TOKEN_OBJECT_START:
		case JSON_TOKEN_ARRAY_START:
			break;
		case JSON_TOKEN_STRING:
		case JSON_TOKEN_NUMBER:
		case JSON_TOKEN_TRUE:
		case JSON_TOKEN_FALSE:
		case JSON_TOKEN_NULL:
			json_next(r);
			return;
		default:
			json_fail(r, "a value");
	}

	initStringInfo(&open);
	for (;;)
	{
		bool		has_value;

		if (r->token == JSON_TOKEN_OBJECT_START)
		{
			appendStringInfoChar(&open, '{');
			json_begin_object(r);
		}
		else if (r->token == JSON_TOKEN_ARRAY_START)
		{
			appendStringInfoChar(&open, '[');
			json_begin_array(r);
		}
		else
			json_skip(r);		/* a scalar */

		do
		{
			has_value = open.data[open.len - 1] == '{' ?
				json_next_member(r, &name) : json_next_element(r);
			if (!has_value)
				open.len--;
		} while (!has_value && open.len > 0);
		if (open.len == 0)
			break;
		CHECK_FOR_INTERRUPTS();
	}
	pfree(open.data);
}

/* How deep objects and arrays are nested, if the text is JSON at all. */
static int
json_depth(Bytes text)
{
	int			depth = 0;
	int			deepest = 0;
	bool		in_string = false;

	for (uint32 i = 0; i < text.len; i++)
		switch (text.data[i])
		{
			case '"':
				in_string = !in_string;
				break;
			case '\\':
				i++;
				break;
			case '{':
			case '[':
				if (!in_string)
					depth++;
				deepest = Max(deepest, depth);
				break;
			case '}':
			case ']':
				if (!in_string)
					depth--;
				break;
		}
	return deepest;
}

/*
 * Is this one JSON document, nested no deeper than this?  The depth is looked
 * at first, since PostgreSQL's parser recurses.  With unescape, is it also one
 * whose texts can be had in SQL: no \u0000, no half of a surrogate pair?
 */
bool
json_is_valid(Bytes text, int max_depth, bool unescape)
{
	JsonLexContext *lex;
	bool		is_valid;

	if (json_depth(text) > max_depth)
		return false;
	lex = compat_make_json_lexer(text.data, (int) text.len, unescape);
	is_valid = pg_parse_json(lex, &nullSemAction) == JSON_SUCCESS;
	if (unescape)
	{
		pfree(lex->strval->data);
		pfree(lex->strval);
	}
	pfree(lex);
	return is_valid;
}

/* The current token as it is written. */
Bytes
json_peek_text(JsonReader *r)
{
	return (Bytes) {
		r->lex->token_start, r->lex->token_terminator - r->lex->token_start
	};
}

/* The character that an escape of two stands for; 0 if it is not of two. */
static inline char
escaped_char(char escape)
{
	switch (escape)
	{
		case '"':
		case '\\':
		case '/':
			return escape;
		case 'b':
			return '\b';
		case 'f':
			return '\f';
		case 'n':
			return '\n';
		case 'r':
			return '\r';
		case 't':
			return '\t';
		default:
			return '\0';
	}
}

/*
 * Resolve the escapes of a text that the lexer has passed, into a room of its
 * size.  Most texts have none but those of two characters; false if there are
 * others, which are the lexer's.  The lexer itself goes by single characters,
 * and messages are long texts with many escapes.
 */
bool
json_unescape(Bytes text, char *room, uint32 *len)
{
	const char *at = text.data;
	const char *end = at + text.len;
	char	   *out = room;

	for (;;)
	{
		const char *escape = memchr(at, '\\', end - at);
		size_t		plain = (escape ? escape : end) - at;

		memcpy(out, at, plain);
		out += plain;
		if (escape == NULL)
			break;
		*out = escape + 1 < end ? escaped_char(escape[1]) : '\0';
		if (*out++ == '\0')
			return false;
		at = escape + 2;
	}
	*len = (uint32) (out - room);
	return true;
}

/* A token without its escapes. */
static Bytes
unescape(JsonReader *r, Bytes token)
{
	Bytes		text = {token.data + 1, token.len - 2};
	char	   *room = arena_alloc(r->arena, Max(text.len, 1));
	JsonLexContext *lex;
	JsonParseErrorType error;
	Bytes		result;

	if (json_unescape(text, room, &text.len))
		return (Bytes) {room, text.len};

	lex = compat_make_json_lexer(token.data, (int) token.len, true);
	error = json_lex(lex);
	if (error != JSON_SUCCESS)
		json_fail_detail(r, json_errdetail(error, lex));
	result = arena_copy(r->arena, lex->strval->data, lex->strval->len);
	pfree(lex->strval->data);
	pfree(lex->strval);
	pfree(lex);
	return result;
}

/* Consume a string. */
Bytes
json_string(JsonReader *r)
{
	Bytes		token;
	Bytes		result;

	if (r->token != JSON_TOKEN_STRING)
		json_fail(r, "a string");
	token = json_peek_text(r);
	result = (Bytes) {token.data + 1, token.len - 2};
	if (memchr(result.data, '\\', result.len) != NULL)
		result = unescape(r, token);
	json_next(r);
	return result;
}

/* An integer without fraction or exponent that fits in 64 bits. */
bool
number_read_int(Bytes text, int64 *number)
{
	uint64		magnitude = 0;
	uint32		i = 0;
	bool		is_negative = text.len > 0 && text.data[0] == '-';

	if (is_negative)
		i++;
	if (i == text.len)
		return false;
	for (; i < text.len; i++)
	{
		uint32		digit = (unsigned char) text.data[i] - '0';

		if (digit > 9 || magnitude > (PG_UINT64_MAX - digit) / 10)
			return false;
		magnitude = magnitude * 10 + digit;
	}
	if (magnitude > (uint64) PG_INT64_MAX + is_negative)
		return false;
	*number = is_negative ? (int64) (0 - magnitude) : (int64) magnitude;
	return true;
}

/* Any number, also one of more digits than a double keeps. */
bool
number_read_double(Bytes text, double *number)
{
	char		small[64];
	char	   *copy = text.len < sizeof(small) ? small : palloc(text.len + 1);
	char	   *end;
	bool		is_read;

	memcpy(copy, text.data, text.len);
	copy[text.len] = '\0';
	*number = strtod(copy, &end);
	is_read = text.len > 0 && end == copy + text.len;
	if (copy != small)
		pfree(copy);
	return is_read;
}

static inline bool
needs_escape(unsigned char c)
{
	return c < ' ' || c == '"' || c == '\\';
}

static void
put_escape(StringInfo buf, unsigned char c)
{
	switch (c)
	{
		case '"':
		case '\\':
			put_byte(buf, '\\');
			put_byte(buf, c);
			break;
		case '\n':
			put_bytes(buf, "\\n", 2);
			break;
		case '\r':
			put_bytes(buf, "\\r", 2);
			break;
		case '\t':
			put_bytes(buf, "\\t", 2);
			break;
		default:
			appendStringInfo(buf, "\\u%04x", c);
			break;
	}
}

void
json_put_string(StringInfo buf, Bytes s)
{
	uint32		from = 0;

	put_byte(buf, '"');
	for (uint32 i = 0; i < s.len; i++)
	{
		if (likely(!needs_escape(s.data[i])))
			continue;
		put_bytes(buf, s.data + from, i - from);
		put_escape(buf, s.data[i]);
		from = i + 1;
	}
	put_bytes(buf, s.data + from, s.len - from);
	appendStringInfoChar(buf, '"');
}

/* A trajectory as text has many: a format for each would take as long as the rest. */
void
json_put_integer(StringInfo buf, int64 integer)
{
	char		digits[20];
	char	   *p = digits + sizeof(digits);
	uint64		rest = integer < 0 ? 0 - (uint64) integer : (uint64) integer;

	do
	{
		*--p = '0' + (char) (rest % 10);
		rest /= 10;
	} while (rest > 0);
	if (integer < 0)
		put_byte(buf, '-');
	appendBinaryStringInfo(buf, p, digits + sizeof(digits) - p);
}

/*
 * A finite double in the shortest form that reads back as itself, always told
 * from an integer by a point or an exponent.
 */
void
json_put_double(StringInfo buf, double number)
{
	char		text[DOUBLE_SHORTEST_DECIMAL_LEN];

	Assert(!isnan(number) && !isinf(number));
	double_to_shortest_decimal_buf(number, text);
	appendStringInfoString(buf, text);
	if (strpbrk(text, ".e") == NULL)
		appendStringInfoString(buf, ".0");
}

void
json_put_base64(StringInfo buf, Bytes bytes)
{
	int			room = pg_b64_enc_len(bytes.len) + 1;
	char	   *out = buffer_reserve(buf, room);

	buf->len += pg_b64_encode((const void *) bytes.data, bytes.len, out, room);
	buf->data[buf->len] = '\0';
}
