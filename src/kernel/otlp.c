/*
 * otlp.c
 *		What reading OTLP as JSON and as protobuf have in common.
 */
#include "postgres.h"

#include "kernel/otlp.h"

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

/*
 * The eight digits of a number as the bytes of another: its nibbles, moved into
 * bytes of their own, all made digits at once.
 */
static uint64
hex_digits(uint32 number)
{
	uint64		x = number;
	uint64		is_letter;

	x = (x | x << 16) & UINT64_C(0x0000ffff0000ffff);
	x = (x | x << 8) & UINT64_C(0x00ff00ff00ff00ff);
	x = (x | x << 4) & UINT64_C(0x0f0f0f0f0f0f0f0f);
	is_letter = (x + UINT64_C(0x0606060606060606)) >> 4 & UINT64_C(0x0101010101010101);
	x += UINT64_C(0x3030303030303030) + is_letter * ('a' - '0' - 10);
	return pg_hton64(x);
}

/* The 16 digits of a span id, not terminated. */
void
span_id_hex(uint64 span_id, char *digits)
{
	uint64		high = hex_digits(span_id >> 32);
	uint64		low = hex_digits((uint32) span_id);

	memcpy(digits, &high, sizeof(high));
	memcpy(digits + sizeof(high), &low, sizeof(low));
}

void
span_id_put_hex(StringInfo buf, uint64 span_id)
{
	char		digits[SPAN_ID_DIGITS];

	span_id_hex(span_id, digits);
	appendBinaryStringInfo(buf, digits, sizeof(digits));
}

/*
 * OTLP has unsigned times.  An end that does not lie behind the start is
 * unknown; a start that does not fit cannot be kept.
 */
void
otlp_set_times(Span *span, uint64 start_ns, uint64 end_ns, const char **reject)
{
	if (start_ns > (uint64) PG_INT64_MAX && *reject == NULL)
		*reject = "start time is later than the year 2262";
	span->start_ns = (int64) start_ns;
	span->end_ns = span_end(span->start_ns, end_ns > (uint64) PG_INT64_MAX ? 0 : (int64) end_ns);
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
 * Let the spans added from that one on share what befell their resource or
 * scope: characters repaired in it count for each, and if it cannot be kept,
 * neither can they.
 */
void
otlp_finish_spans(SpanSet *set, uint32 first, const char *reject, uint32 repaired)
{
	for (uint32 i = first; i < set->span_count; i++)
	{
		Span	   *span = &set->spans[i];

		span->repaired += Min(repaired, PG_UINT32_MAX - span->repaired);
		if (reject)
		{
			char		digits[SPAN_ID_DIGITS];

			span_id_hex(span->span_id, digits);
			spanset_reject(set, arena_copy(&set->arena, digits, sizeof(digits)), reject);
		}
	}
	if (reject)
		set->span_count = first;
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
