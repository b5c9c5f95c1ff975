/*
 * json_list.c
 *		The elements of a JSON array, as they are written.
 *
 * One pass over PostgreSQL's tokens, with a grammar of our own, since its
 * parser would be a second pass, recurses, and hands out strings unescaped.
 * Nothing is raised: texts that only look like JSON are common.
 */
#include "postgres.h"

#include "common/jsonapi.h"
#include "compat.h"
#include "kernel/json_list.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"

/* What may come next. */
typedef enum Expected
{
	EXPECT_ARRAY,				/* the list itself */
	EXPECT_VALUE,
	EXPECT_VALUE_OR_END,		/* behind [ */
	EXPECT_NAME,
	EXPECT_NAME_OR_END,			/* behind { */
	EXPECT_COLON,
	EXPECT_COMMA_OR_END,
	EXPECT_NOTHING
} Expected;

typedef struct Grammar
{
	Expected	expected;
	int			depth;			/* of what is open */
	uint64		objects;		/* bit d: what is open at depth d is an object */
} Grammar;

static bool
is_in_object(const Grammar *g)
{
	return (g->objects >> (g->depth - 1) & 1) != 0;
}

static bool
open_level(Grammar *g, bool is_object)
{
	uint64		level;

	if (g->expected == EXPECT_ARRAY ? is_object :
		g->expected != EXPECT_VALUE && g->expected != EXPECT_VALUE_OR_END)
		return false;
	if (g->depth == JSON_LIST_MAX_DEPTH)
		return false;
	level = UINT64CONST(1) << g->depth++;
	g->objects = is_object ? g->objects | level : g->objects & ~level;
	g->expected = is_object ? EXPECT_NAME_OR_END : EXPECT_VALUE_OR_END;
	return true;
}

static bool
close_level(Grammar *g, bool is_object)
{
	if (g->depth == 0 || is_in_object(g) != is_object ||
		(g->expected != EXPECT_COMMA_OR_END &&
		 g->expected != (is_object ? EXPECT_NAME_OR_END : EXPECT_VALUE_OR_END)))
		return false;
	g->depth--;
	g->expected = g->depth == 0 ? EXPECT_NOTHING : EXPECT_COMMA_OR_END;
	return true;
}

/* A string, number or word. */
static bool
take_scalar(Grammar *g, JsonTokenType token)
{
	if (g->expected == EXPECT_NAME || g->expected == EXPECT_NAME_OR_END)
	{
		g->expected = EXPECT_COLON;
		return token == JSON_TOKEN_STRING;
	}
	if (g->expected != EXPECT_VALUE && g->expected != EXPECT_VALUE_OR_END)
		return false;
	g->expected = EXPECT_COMMA_OR_END;
	return true;
}

/* Go on by one token; false if it may not stand there. */
static bool
take_token(Grammar *g, JsonTokenType token)
{
	switch (token)
	{
		case JSON_TOKEN_OBJECT_START:
		case JSON_TOKEN_ARRAY_START:
			return open_level(g, token == JSON_TOKEN_OBJECT_START);
		case JSON_TOKEN_OBJECT_END:
		case JSON_TOKEN_ARRAY_END:
			return close_level(g, token == JSON_TOKEN_OBJECT_END);
		case JSON_TOKEN_COMMA:
			if (g->expected != EXPECT_COMMA_OR_END)
				return false;
			g->expected = is_in_object(g) ? EXPECT_NAME : EXPECT_VALUE;
			return true;
		case JSON_TOKEN_COLON:
			if (g->expected != EXPECT_COLON)
				return false;
			g->expected = EXPECT_VALUE;
			return true;
		case JSON_TOKEN_END:
			return false;
		default:
			return take_scalar(g, token);
	}
}

/* Write all elements one behind the other, and where each ends. */
static bool
split(JsonLexContext *lex, StringInfo out, StringInfo ends)
{
	Grammar		g = {.expected = EXPECT_ARRAY};

	for (;;)
	{
		bool		was_inside;

		CHECK_FOR_INTERRUPTS();
		if (json_lex(lex) != JSON_SUCCESS)
			return false;
		if (g.expected == EXPECT_NOTHING)
			return lex->token_type == JSON_TOKEN_END;
		was_inside = g.depth > 1;
		if (!take_token(&g, lex->token_type))
			return false;

		/* the brackets and commas of the list itself are left out */
		if (g.depth == 0 || (g.depth == 1 && !was_inside &&
							 (lex->token_type == JSON_TOKEN_COMMA || lex->token_type == JSON_TOKEN_ARRAY_START)))
			continue;
		appendBinaryStringInfo(out, lex->token_start, lex->token_terminator - lex->token_start);
		if (lex->token_type == JSON_TOKEN_COMMA || lex->token_type == JSON_TOKEN_COLON)
			appendStringInfoChar(out, ' ');
		if (g.depth == 1)
			appendBinaryStringInfo(ends, (const char *) &(uint32) {out->len}, sizeof(uint32));
	}
}

/*
 * Split the text of a JSON array into the texts of its elements, with ", " and
 * ": " between their tokens: they are written to out one behind the other,
 * and where each ends to ends, as uint32.  False if the text is no JSON
 * array, is nested too deeply, or has escapes that SQL could not resolve
 * (\u0000, half of a surrogate pair).  O(bytes).
 */
bool
json_list_split(Bytes text, StringInfo out, StringInfo ends)
{
	static const char unicode_escape[] = "\\u";
	bool		has_unicode = memmem(text.data, text.len, unicode_escape, strlen(unicode_escape)) != NULL;
	JsonLexContext *lex = compat_make_json_lexer(text.data, (int) text.len, has_unicode);
	bool		is_list = split(lex, out, ends);

	if (has_unicode)
	{
		pfree(lex->strval->data);
		pfree(lex->strval);
	}
	pfree(lex);
	return is_list;
}
