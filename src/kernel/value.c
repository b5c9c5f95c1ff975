/*
 * value.c
 *		Attribute values: their bytes, order and validation.
 */
#include "postgres.h"

#include <math.h>

#include "kernel/hashing.h"
#include "kernel/value.h"
#include "mb/pg_wchar.h"

/* The one NaN: the payload of others could not survive a text form. */
#define CANONICAL_NAN UINT64CONST(0x7ff8000000000000)

bool
utf8_is_valid(const char *data, uint32 len)
{
	return pg_encoding_verifymbstr(PG_UTF8, data, len) == (int) len;
}

/* The length of as many whole characters as fit in max bytes. */
int
utf8_clip(Bytes s, int max)
{
	return (int) s.len <= max ? (int) s.len :
		pg_encoding_mbcliplen(PG_UTF8, s.data, (int) s.len, max);
}

Value
value_double(double number)
{
	return (Value) {
		.type = VALUE_DOUBLE,
			.number = isnan(number) ? bits_double(CANONICAL_NAN) : number
	};
}

/* Is the payload of this type a string of bytes with a length? */
bool
value_is_bytes(uint8 type)
{
	return type == VALUE_STRING || type == VALUE_BYTES ||
		type == VALUE_ARRAY || type == VALUE_KVLIST;
}

/*
 * A total order that tells apart whatever the formats tell apart: -0.0 and
 * 0.0 differ, NaN equals itself.
 */
int
value_compare(const Value *a, const Value *b)
{
	if (a->type != b->type)
		return a->type < b->type ? -1 : 1;
	switch (a->type)
	{
		case VALUE_EMPTY:
			return 0;
		case VALUE_BOOL:
			return (int) a->boolean - (int) b->boolean;
		case VALUE_INT:
			return (a->integer > b->integer) - (a->integer < b->integer);
		case VALUE_DOUBLE:
			{
				uint64		x = double_bits(a->number);
				uint64		y = double_bits(b->number);

				return (x > y) - (x < y);
			}
		case VALUE_REF:
			{
				int			cmp = memcmp(a->bytes, b->bytes, VALUE_REF_HASH_LEN);

				return cmp != 0 ? cmp : (a->len > b->len) - (a->len < b->len);
			}
		default:
			return bytes_compare(value_bytes(a), value_bytes(b));
	}
}

/* For tables in memory; equal values have equal hashes. */
uint32
value_hash(const Value *v)
{
	uint64		bits = 0;

	if (value_is_bytes(v->type))
		return hash_text(value_bytes(v)) + v->type;
	if (v->type == VALUE_REF)
		return hash_text((Bytes) {v->bytes, VALUE_REF_HASH_LEN}) + v->len;
	if (v->type == VALUE_BOOL)
		bits = v->boolean;
	else if (v->type == VALUE_INT)
		bits = (uint64) v->integer;
	else if (v->type == VALUE_DOUBLE)
		bits = double_bits(v->number);
	return hash_id(bits) + v->type;
}

/* The payload of any type but those whose payload is a string of bytes. */
void
value_put_scalar(StringInfo buf, const Value *v)
{
	switch (v->type)
	{
		case VALUE_BOOL:
			put_byte(buf, v->boolean);
			break;
		case VALUE_INT:
			put_varint(buf, zigzag(v->integer));
			break;
		case VALUE_DOUBLE:
			put_uint64(buf, double_bits(v->number));
			break;
		case VALUE_REF:
			put_bytes(buf, v->bytes, VALUE_REF_HASH_LEN);
			put_varint(buf, v->len);
			break;
		default:
			break;
	}
}

void
value_put(StringInfo buf, const Value *v)
{
	put_byte(buf, v->type);
	if (!value_is_bytes(v->type))
		value_put_scalar(buf, v);
	else
	{
		put_varint(buf, v->len);
		put_bytes(buf, v->bytes, v->len);
	}
}

/* Read one value; arrays and kvlists are not looked into. */
void
value_get(Cursor *c, Value *v)
{
	v->type = cursor_byte(c, "value");
	v->len = 0;
	v->integer = 0;
	switch (v->type)
	{
		case VALUE_EMPTY:
			break;
		case VALUE_BOOL:
			v->boolean = cursor_index(c, 2, "boolean");
			break;
		case VALUE_INT:
			v->integer = unzigzag(cursor_varint(c, "integer"));
			break;
		case VALUE_DOUBLE:
			{
				uint64		bits = load_uint64(cursor_take(c, 8, "double"));

				v->number = bits_double(bits);
				if (isnan(v->number) && bits != CANONICAL_NAN)
					bytes_corrupt("double");
				break;
			}
		case VALUE_REF:
			v->bytes = (const char *) cursor_take(c, VALUE_REF_HASH_LEN, "payload reference");
			v->len = cursor_uint32(c, "payload reference");
			break;
		case VALUE_STRING:
		case VALUE_BYTES:
		case VALUE_ARRAY:
		case VALUE_KVLIST:
			v->len = cursor_count(c, 1, "value");
			v->bytes = (const char *) cursor_take(c, v->len, "value");
			break;
		default:
			bytes_corrupt("value type");
	}
}

void
value_iterate(ValueIterator *it, const Value *container)
{
	it->cursor.at = (const uint8 *) container->bytes;
	it->cursor.end = it->cursor.at + container->len;
	it->has_keys = container->type == VALUE_KVLIST;
	it->left = cursor_count(&it->cursor, 1, "count of elements");
}

/* The next element; the key is set for a kvlist. */
bool
value_next(ValueIterator *it, Bytes *key, Value *v)
{
	if (it->left == 0)
		return false;
	it->left--;
	if (it->has_keys)
	{
		key->len = cursor_count(&it->cursor, 1, "key");
		key->data = (const char *) cursor_take(&it->cursor, key->len, "key");
	}
	value_get(&it->cursor, v);
	return true;
}

static int
bytes_compare_qsort(const void *a, const void *b)
{
	return bytes_compare(*(const Bytes *) a, *(const Bytes *) b);
}

static void
check_container(const Value *container, int depth)
{
	ValueIterator it;
	Bytes		key;
	Value		v;
	Bytes	   *keys = NULL;
	uint32		nkeys = 0;

	if (depth >= VALUE_MAX_DEPTH)
		bytes_corrupt("nested value");
	value_iterate(&it, container);
	if (it.has_keys && it.left > 1)
		keys = palloc_extended(it.left * sizeof(Bytes), MCXT_ALLOC_HUGE);
	while (value_next(&it, &key, &v))
	{
		if (it.has_keys && !utf8_is_valid(key.data, key.len))
			bytes_corrupt("key");
		if (keys)
			keys[nkeys++] = key;
		value_check(&v, depth + 1);
	}
	if (cursor_left(&it.cursor) != 0)
		bytes_corrupt("nested value");
	if (keys)
	{
		qsort(keys, nkeys, sizeof(Bytes), bytes_compare_qsort);
		for (uint32 i = 1; i < nkeys; i++)
			if (bytes_equal(keys[i - 1], keys[i]))
				bytes_corrupt("kvlist");
		pfree(keys);
	}
}

/*
 * Check a value from outside to its leaves.  The recursion is bounded by
 * VALUE_MAX_DEPTH.
 */
void
value_check(const Value *v, int depth)
{
	if (v->type == VALUE_STRING && !utf8_is_valid(v->bytes, v->len))
		bytes_corrupt("string");
	if (v->type == VALUE_ARRAY || v->type == VALUE_KVLIST)
		check_container(v, depth);
}
