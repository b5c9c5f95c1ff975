/*
 * json_value.h
 *		JSON values as attribute values, and back; and what makes two of them
 *		the same.
 */
#ifndef LLMTRACE_JSON_VALUE_H
#define LLMTRACE_JSON_VALUE_H

#include "kernel/json_reader.h"
#include "kernel/value_builder.h"

/* How values are compared. */
typedef struct ValueFolding
{
	bool		strings;		/* surrounding space and case do not count */
	bool		lists;			/* nor does the order of a list */
} ValueFolding;

extern Value json_read_value(JsonReader *r, ValueStack *stack);
extern void json_put_value(StringInfo buf, const Value *v);
extern void json_check_value(const Value *v);
extern bool json_text_is_readable(Bytes text);
extern bool json_text_object(Bytes text, Arena *arena, Value *v);
extern void value_put_folded(StringInfo buf, const Value *v, ValueFolding folding);

#endif							/* LLMTRACE_JSON_VALUE_H */
