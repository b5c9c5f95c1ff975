/*
 * otlp.c
 *		What reading OTLP as JSON and as protobuf have in common.
 */
#include "postgres.h"

#include "kernel/otlp.h"

bool
bytes_are_zero(const uint8 *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (bytes[i] != 0)
			return false;
	return true;
}

/* The value of a hexadecimal digit; 0xff for any other byte. */
static inline uint8
hex_digit(char c)
{
	static const uint8 digits[256] = {
		['0'] = 1, ['1'] = 2, ['2'] = 3, ['3'] = 4, ['4'] = 5, ['5'] = 6, ['6'] = 7,
		['7'] = 8, ['8'] = 9, ['9'] = 10,
		['a'] = 11, ['b'] = 12, ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16,
		['A'] = 11, ['B'] = 12, ['C'] = 13, ['D'] = 14, ['E'] = 15, ['F'] = 16
	};

	return digits[(unsigned char) c] - 1;
}

/* Read hex digits, fewer than there is room for too, as the last bytes. */
bool
hex_read(Bytes text, uint8 *out, size_t size)
{
	memset(out, 0, size);
	if (text.len == 0 || text.len > size * 2)
		return false;
	for (uint32 i = 0; i < text.len; i++)
	{
		size_t		place = size * 2 - text.len + i;
		uint8		digit = hex_digit(text.data[i]);

		if (digit > 15)
			return false;
		out[place / 2] = out[place / 2] << 4 | digit;
	}
	return true;
}

void
hex_put(StringInfo buf, const uint8 *bytes, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	char	   *out = buffer_reserve(buf, (int) len * 2);

	for (size_t i = 0; i < len; i++)
	{
		*out++ = digits[bytes[i] >> 4];
		*out++ = digits[bytes[i] & 15];
	}
	buf->len += len * 2;
	buf->data[buf->len] = '\0';
}

/* A span id is kept as a number whose order is that of its bytes. */
uint64
span_id_from_bytes(const uint8 *bytes)
{
	uint64		id = 0;

	for (int i = 0; i < 8; i++)
		id = id << 8 | bytes[i];
	return id;
}

void
span_id_put_hex(StringInfo buf, uint64 span_id)
{
	uint8		bytes[8];

	for (int i = 0; i < 8; i++)
		bytes[i] = span_id >> (56 - 8 * i);
	hex_put(buf, bytes, 8);
}

/*
 * OTLP has unsigned times.  An end that does not lie behind the start is
 * unknown; a start that does not fit cannot be kept.
 */
void
otlp_set_times(Span *span, uint64 start_ns, uint64 end_ns, const char **reject)
{
	if (start_ns > (uint64) PG_INT64_MAX)
		*reject = "start time is later than the year 2262";
	span->start_ns = (int64) start_ns;
	span->end_ns = end_ns == 0 || end_ns < start_ns || end_ns > (uint64) PG_INT64_MAX ?
		TIME_OPEN : (int64) end_ns;
}

/* An event's time that does not fit becomes 0, which is counted. */
int64
otlp_event_time(uint64 time_ns, Span *span)
{
	if (time_ns <= (uint64) PG_INT64_MAX)
		return (int64) time_ns;
	span->repaired++;
	return 0;
}

/*
 * The attributes pushed since base become the span's, except what we once
 * wrote there ourselves.
 */
void
otlp_take_attributes(SpanSet *set, Span *span, uint32 base)
{
	uint32		kept = base;

	for (uint32 i = base; i < set->stack_count; i++)
	{
		const Value *v = &set->stack_values[i];

		if (v->type == VALUE_INT && v->integer > 0 &&
			v->integer <= (int64) (PG_UINT32_MAX - span->repaired) &&
			bytes_equal_cstring(set->keys[set->stack_keys[i]].name, OTLP_REPAIRED_KEY))
		{
			span->repaired += (uint32) v->integer;
			continue;
		}
		set->stack_keys[kept] = set->stack_keys[i];
		set->stack_values[kept++] = *v;
	}
	set->stack_count = kept;
	span->attributes = spanset_pop_attrs(set, base);
}

/* "32 hex digits:bytes", as payload references are written. */
bool
payload_ref_read(Bytes text, Value *ref, Arena *arena)
{
	const uint32 digits = VALUE_REF_HASH_LEN * 2;
	uint8	   *hash = arena_alloc(arena, VALUE_REF_HASH_LEN);
	uint64		size = 0;

	if (text.len < digits + 2 || text.len > digits + 11 || text.data[digits] != ':' ||
		!hex_read((Bytes) {text.data, digits}, hash, VALUE_REF_HASH_LEN))
		return false;
	for (uint32 i = digits + 1; i < text.len; i++)
	{
		if (text.data[i] < '0' || text.data[i] > '9')
			return false;
		size = size * 10 + (text.data[i] - '0');
	}
	if (size > PG_UINT32_MAX)
		return false;
	*ref = (Value) {.type = VALUE_REF,.len = (uint32) size,.bytes = (const char *) hash};
	return true;
}

/* As value_finish, but a payload reference that we wrote is one again. */
Value
otlp_finish_container(ValueStack *stack, uint32 base, ValueType type, Arena *arena)
{
	if (type == VALUE_KVLIST && stack->count - base == 1)
	{
		const ValueEntry *only = &stack->entries[base];
		Value		ref;

		if (only->value.type == VALUE_STRING &&
			bytes_equal_cstring(only->key, OTLP_REF_KEY) &&
			payload_ref_read(value_bytes(&only->value), &ref, arena))
		{
			stack->count = base;
			return ref;
		}
	}
	return value_finish(stack, base, type, arena);
}
