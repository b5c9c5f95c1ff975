/*
 * sampling.c
 *		With which probability a trace was kept before it came here.
 */
#include "postgres.h"

#include <math.h>

#include "kernel/sampling.h"

/* Hexadecimal digits of the 56 bits of a threshold; trailing zeros are left out. */
#define THRESHOLD_DIGITS 14

/* The next part of a list up to a separator; false at the end. */
static bool
next_part(Bytes *rest, char separator, Bytes *part)
{
	const char *end;

	if (rest->len == 0)
		return false;
	end = memchr(rest->data, separator, rest->len);
	if (end == NULL)
		end = rest->data + rest->len;
	*part = (Bytes) {rest->data, end - rest->data};
	rest->data += Min(part->len + 1, rest->len);
	rest->len -= Min(part->len + 1, rest->len);
	while (part->len > 0 && part->data[0] == ' ')
		*part = (Bytes) {part->data + 1, part->len - 1};
	return true;
}

static bool
take_prefix(Bytes *s, const char *prefix)
{
	size_t		len = strlen(prefix);

	if (s->len < len || memcmp(s->data, prefix, len) != 0)
		return false;
	*s = (Bytes) {s->data + len, s->len - len};
	return true;
}

/* A threshold's weight: 2^56 / (2^56 - threshold). */
static bool
threshold_weight(Bytes digits, double *weight)
{
	uint64		threshold = 0;

	if (digits.len == 0 || digits.len > THRESHOLD_DIGITS)
		return false;
	for (uint32 i = 0; i < THRESHOLD_DIGITS; i++)
	{
		uint8		digit = i < digits.len ? hex_digit(digits.data[i]) : 0;

		if (digit > 15)
			return false;
		threshold = threshold << 4 | digit;
	}
	*weight = ldexp(1, 56) / (double) ((UINT64_C(1) << 56) - threshold);
	return true;
}

/* The weight that a W3C trace state speaks of: member "ot", sub-key "th". */
bool
trace_state_weight(Bytes trace_state, double *weight)
{
	Bytes		member;

	while (next_part(&trace_state, ',', &member))
	{
		Bytes		part;

		if (!take_prefix(&member, "ot="))
			continue;
		while (next_part(&member, ';', &part))
			if (take_prefix(&part, "th:"))
				return threshold_weight(part, weight);
	}
	return false;
}

/* An attribute is the number of traces that one stands for, or a probability. */
static bool
rate_weight(double rate, double *weight)
{
	if (!(rate > 0) || isinf(rate))
		return false;
	*weight = rate >= 1 ? rate : 1 / rate;
	return true;
}

/* How many traces this one stands for; NaN if nothing speaks of it. */
double
trace_sample_weight(const Trajectory *t, uint32 root)
{
	const SpanClass *class = trajectory_class(t, root);
	SpanColumns columns = trajectory_columns(t, root);
	const AttrList *resource = &t->resources[class->resource].attributes;
	double		rate;
	double		weight;

	if (trace_state_weight(class->trace_state, &weight))
		return weight;
	if (column_is_borne(&columns, COLUMN_SAMPLE_RATE) &&
		column_double(&columns, COLUMN_SAMPLE_RATE, &rate) && rate_weight(rate, &weight))
		return weight;
	for (uint32 i = 0; i < resource->n; i++)
		if (t->keys[resource->keys[i]].column == COLUMN_SAMPLE_RATE &&
			value_read_double(&resource->values[i], &rate) && rate_weight(rate, &weight))
			return weight;
	return NAN;
}
