/*
 * json_reader.h
 *		Reading JSON token by token with PostgreSQL's own lexer.
 *
 * The lexer is pulled, which is faster than the parser's callbacks and lets a
 * malformed part be skipped.  Strings without escapes are not copied.
 *
 *		json_reader_init(&r, …);
 *		json_begin_object(&r);
 *		while (json_next_member(&r, &name))
 *			… read or json_skip(&r) the value …
 *
 * A syntax error raises invalid_text_representation with its place.
 */
#ifndef LLMTRACE_JSON_READER_H
#define LLMTRACE_JSON_READER_H

#include "common/jsonapi.h"
#include "kernel/spanset.h"

typedef struct JsonReader
{
	JsonLexContext *lex;
	JsonTokenType token;		/* the one that has not been consumed */
	bool		at_start;		/* no element of the innermost list was read */
	const char *input;
	size_t		input_len;
	const char *what;			/* the kind of document, for errors */
	Arena	   *arena;			/* where unescaped strings go */
} JsonReader;

extern void json_reader_init(JsonReader *r, const char *input, size_t len,
							 const char *what, Arena *arena);
extern void json_next(JsonReader *r);
pg_noreturn extern void json_fail(JsonReader *r, const char *expected);
pg_noreturn extern void json_fail_detail(JsonReader *r, const char *detail);
extern void json_begin_object(JsonReader *r);
extern bool json_next_member(JsonReader *r, Bytes *name);
extern void json_begin_array(JsonReader *r);
extern bool json_next_element(JsonReader *r);
extern void json_skip(JsonReader *r);
extern Bytes json_peek_text(JsonReader *r);
extern bool json_unescape(Bytes text, char *room, uint32 *len);
extern Bytes json_string(JsonReader *r);
extern size_t json_offset(const JsonReader *r);
extern bool json_is_valid(Bytes text, int max_depth, bool unescape);

/* A number as it is written in JSON. */
extern bool number_read_int(Bytes text, int64 *number);
extern bool number_read_double(Bytes text, double *number);

/* Writing. */
extern void json_put_string(StringInfo buf, Bytes s);
extern void json_put_base64(StringInfo buf, Bytes bytes);
extern void json_put_integer(StringInfo buf, int64 integer);
extern void json_put_double(StringInfo buf, double number);

#endif							/* LLMTRACE_JSON_READER_H */
