/*
 * trace_state.c
 *		Reading OpenTelemetry's member of a W3C trace state:
 *		"…, ot=th:c8;rv:0123456789abcd, …"
 */
#include "postgres.h"

#include "kernel/trace_state.h"

#define RANK_DIGITS (RANK_BITS / 4)

/* Take what comes before a separator off the front of a text. */
static Bytes
next_part(Bytes *text, char separator)
{
	const char *end = text->len > 0 ? memchr(text->data, separator, text->len) : NULL;
	Bytes		part = {text->data, end ? (uint32) (end - text->data) : text->len};
	uint32		taken = part.len + (end != NULL);

	text->data += taken;
	text->len -= taken;
	return part;
}

static Bytes
trim(Bytes text)
{
	while (text.len > 0 && (text.data[0] == ' ' || text.data[0] == '\t'))
	{
		text.data++;
		text.len--;
	}
	while (text.len > 0 && (text.data[text.len - 1] == ' ' || text.data[text.len - 1] == '\t'))
		text.len--;
	return text;
}

static bool
drop_prefix(Bytes *text, const char *prefix)
{
	uint32		len = strlen(prefix);

	if (text->len < len || memcmp(text->data, prefix, len) != 0)
		return false;
	text->data += len;
	text->len -= len;
	return true;
}

/* The value of a key of the member ot. */
static bool
find_value(Bytes trace_state, const char *key, Bytes *value)
{
	while (trace_state.len > 0)
	{
		Bytes		member = trim(next_part(&trace_state, ','));

		if (!drop_prefix(&member, "ot="))
			continue;
		while (member.len > 0)
		{
			*value = next_part(&member, ';');
			if (drop_prefix(value, key))
				return true;
		}
		return false;
	}
	return false;
}

/* Hexadecimal digits, the first of 56 bits; lower case, as specified. */
static bool
read_digits(Bytes text, uint64 *bits)
{
	*bits = 0;
	if (text.len == 0 || text.len > RANK_DIGITS)
		return false;
	for (uint32 i = 0; i < RANK_DIGITS; i++)
	{
		char		c = i < text.len ? text.data[i] : '0';

		if (hex_digit(c) > 15 || (c >= 'A' && c <= 'F'))
			return false;
		*bits = *bits << 4 | hex_digit(c);
	}
	return true;
}

bool
trace_state_rank(Bytes trace_state, uint64 *rank)
{
	Bytes		digits;
	uint64		randomness;

	if (!find_value(trace_state, "rv:", &digits) || digits.len != RANK_DIGITS ||
		!read_digits(digits, &randomness))
		return false;
	*rank = RANK_END - 1 - randomness;
	return true;
}

bool
trace_state_probability(Bytes trace_state, double *probability)
{
	Bytes		digits;
	uint64		threshold;

	if (!find_value(trace_state, "th:", &digits) || !read_digits(digits, &threshold))
		return false;
	*probability = (double) (RANK_END - threshold) / (double) RANK_END;
	return true;
}
