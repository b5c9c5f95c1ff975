/*
 * value.h
 *		Attribute values, as OTLP types them.
 *
 * Arrays and kvlists are kept as bytes: a count and then the elements, each a
 * type byte and its payload (a kvlist's element is preceded by its key).  They
 * are validated once, when they come in, and copied as a whole after that.
 *
 *		array		varint count, count × value
 *		kvlist		varint count, count × (varint length, key, value)
 *		value		type byte, then
 *					string, bytes, array, kvlist: varint length, bytes
 *					bool: one byte, 0 or 1
 *					int: zigzag varint
 *					double: 8 bytes, NaN always in one pattern
 *					payload reference: 16 bytes of hash, varint length
 *					empty: nothing
 *
 * Strings are valid UTF-8 without NUL.  A kvlist has no key twice.
 */
#ifndef LLMTRACE_VALUE_H
#define LLMTRACE_VALUE_H

#include "kernel/bytes.h"

/* Fixed by format 1: the numbers are on disk. */
typedef enum ValueType
{
	VALUE_EMPTY = 0,
	VALUE_STRING = 1,
	VALUE_BOOL = 2,
	VALUE_INT = 3,
	VALUE_DOUBLE = 4,
	VALUE_BYTES = 5,
	VALUE_ARRAY = 6,
	VALUE_KVLIST = 7,
	VALUE_REF = 8				/* of a body kept elsewhere */
} ValueType;

#define VALUE_TYPE_COUNT 9

/* How deep arrays and kvlists may be nested. */
#define VALUE_MAX_DEPTH 64

/* Size of the hash in a payload reference. */
#define VALUE_REF_HASH_LEN 16

typedef struct Value
{
	uint8		type;			/* ValueType */
	uint32		len;			/* string, bytes, array, kvlist: size in bytes;
								 * reference: size of the body, in bytes */
	union
	{
		int64		integer;
		double		number;
		bool		boolean;
		const char *bytes;		/* reference: the hash */
	};
} Value;

/* Walks the elements of an array or kvlist. */
typedef struct ValueIterator
{
	Cursor		cursor;
	uint32		left;
	bool		has_keys;
} ValueIterator;

extern Value value_double(double number);
extern bool value_is_bytes(uint8 type);
extern int	value_compare(const Value *a, const Value *b);
extern uint32 value_hash(const Value *v);
extern void value_put_scalar(StringInfo buf, const Value *v);
extern void value_put(StringInfo buf, const Value *v);
extern void value_get(Cursor *c, Value *v);
extern void value_check(const Value *v, int depth);
extern void value_iterate(ValueIterator *it, const Value *container);
extern bool value_next(ValueIterator *it, Bytes *key, Value *v);
extern bool utf8_is_valid(const char *data, uint32 len);
extern int	utf8_clip(Bytes s, int max);

static inline Bytes
value_bytes(const Value *v)
{
	return (Bytes) {v->bytes, v->len};
}

static inline Value
value_string(Bytes s)
{
	return (Value) {.type = VALUE_STRING,.len = s.len,.bytes = s.data};
}

static inline Value
value_int(int64 i)
{
	return (Value) {.type = VALUE_INT,.integer = i};
}

static inline Value
value_bool(bool b)
{
	return (Value) {.type = VALUE_BOOL,.boolean = b};
}

#endif							/* LLMTRACE_VALUE_H */
