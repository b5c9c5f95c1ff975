/*
 * dist_format.c
 *		The binary and the text form of type dist; dist.h documents the first.
 *
 * Text is a JSON object that leaves out what is zero or unknown:
 *
 *		{"scale": 5, "limit": 320, "null": 1, "nan": 1, "-inf": 1, "inf": 1,
 *		 "zero": 2, "threshold": 1e-9, "min": -3, "max": 12.5, "bounds": 1,
 *		 "grain": -1, "squares": 9.5, "sum": "0x19p-1",
 *		 "negative": {"first": 50, "counts": [1]},
 *		 "positive": {"first": 40, "counts": [1, 0, 2.5]}}
 *
 * Counts are exact decimals, the sum an exact hexadecimal integer times a
 * power of two, null if it is unknown; squares (of the weights) are left out
 * where all weights are one, bounds unless min and max are only bounds.
 */
#include "postgres.h"

#include <float.h>
#include <math.h>

#include "kernel/dist.h"

#define TYPE "dist"

/* ------------------------------------------------- the sum as a magnitude */

/* Bytes of the magnitude, lowest first: enough for every digit. */
#define SUM_BYTES	(SUM_DIGITS * 4)

/* No sum of values is longer: 2^1024 * 2^53 in units of 2^-1094. */
#define SUM_MAX_BYTES	((1024 + 53 + 1094 + 7) / 8)

/*
 * The sum's magnitude without zero bytes at either end. Returns its length;
 * position is that of the first byte.
 */
static int
sum_to_bytes(const Dist *d, unsigned char bytes[SUM_BYTES], int *position, bool *negative)
{
	int64		carry = 0;
	int			first = 0;
	int			last = SUM_BYTES;

	/* Pass one: the sign, that of the carry out of the last digit. */
	for (int i = 0; i < SUM_DIGITS; i++)
		carry = (carry + d->sum[i]) >> 32;
	*negative = carry < 0;

	carry = 0;
	for (int i = 0; i < SUM_DIGITS; i++)
	{
		carry += *negative ? -d->sum[i] : d->sum[i];
		for (int b = 0; b < 4; b++)
			bytes[4 * i + b] = (unsigned char) (carry >> (8 * b));
		carry >>= 32;
	}
	while (last > 0 && bytes[last - 1] == 0)
		last--;
	while (first < last && bytes[first] == 0)
		first++;
	if (last > SUM_MAX_BYTES)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("sum of a distribution is out of range")));
	*position = first;
	return last - first;
}

/* The same back; false if there are too many. */
static bool
sum_from_bytes(Dist *d, const unsigned char *bytes, int len, int position, bool negative)
{
	if (position < 0 || position + len > SUM_MAX_BYTES)
		return false;
	for (int i = 0; i < len; i++)
		d->sum[(position + i) / 4] += (int64) bytes[i] << 8 * ((position + i) % 4);
	if (negative)
		for (int i = 0; i < SUM_DIGITS; i++)
			d->sum[i] = -d->sum[i];
	d->sum_pending = 1;
	return true;
}

/* ---------------------------------------------------------------- validity */

/* What both parsers check last; NULL if the value is sound. */
static const char *
unsound(const Dist *d)
{
	DistExtremes bounds;

	if (d->null_count + d->nan_count + dist_total(d) > WEIGHT_TOTAL_MAX)
		return "The total weight is too large.";
	if (d->squares < 0 || d->squares > dist_total(d) * WEIGHT_MAX ||
		(d->squares == 0) != (dist_total(d) == 0))
		return "The sum of squared weights contradicts the weights.";
	if (!isfinite(d->threshold) || d->threshold < 0)
		return "The zero threshold must be finite and not negative.";
	if (d->finite_count == 0)
	{
		if (d->min <= d->max || d->grain != DIST_MAX_GRAIN)
			return "There are a minimum, maximum or grain without values.";
		for (int i = 0; i < SUM_DIGITS; i++)
			if (d->sum[i])
				return "There is a sum without values.";
		if (d->flags)
			return "There are flags without values.";
		return NULL;
	}
	dist_bound_extremes(d, &bounds);
	if (!(bounds.min_low <= d->min && d->min <= bounds.min_high &&
		  bounds.max_low <= d->max && d->max <= bounds.max_high && d->min <= d->max))
		return "The minimum and maximum contradict the buckets.";
	if ((d->min == 0 && signbit(d->min)) || (d->max == 0 && signbit(d->max)))
		return "The minimum and maximum cannot be -0.";
	return NULL;
}

/* ------------------------------------------------------------- binary form */

static int128
side_bits(const DistSide *side)
{
	int128		all = 0;

	for (int32 i = side->first; side->capacity && i <= side->last; i++)
		all |= side->count[i - side->base];
	return all;
}

static void
side_encode(const DistSide *side, int shift, StringInfo out)
{
	int32		i = side->first;

	if (!side->capacity)
	{
		put_varint(out, 0);
		return;
	}
	put_varint(out, (uint32) (side->last - side->first + 1));
	put_int(out, side->first);
	while (i <= side->last)
	{
		int128		count = side->count[i - side->base];
		int32		from = i++;

		put_varint128(out, (uint128) count >> shift);
		if (count)
			continue;
		while (side->count[i - side->base] == 0)
			i++;
		put_varint(out, (uint32) (i - from));
	}
}

void
dist_encode(const Dist *d, StringInfo out)
{
	int			shift = state_weight_shift(d->null_count | d->nan_count | d->low_count |
										   d->high_count | d->zero_count |
										   side_bits(&d->negative) | side_bits(&d->positive));
	bool		unit = d->squares == dist_total(d) << WEIGHT_BITS;
	int			len = 0;
	int			position = 0;
	bool		negative = false;
	unsigned char bytes[SUM_BYTES];

	put_byte(out, DIST_VERSION);
	put_byte(out, (uint8) (d->flags | (d->threshold > 0 ? DIST_FLAG_THRESHOLD : 0) |
						   (unit ? DIST_FLAG_UNIT : 0)));
	put_byte(out, (uint8) (d->scale + 128));
	put_byte(out, (uint8) shift);
	put_varint(out, (uint32) d->limit);
	put_varint128(out, (uint128) d->null_count >> shift);
	put_varint128(out, (uint128) d->nan_count >> shift);
	put_varint128(out, (uint128) d->low_count >> shift);
	put_varint128(out, (uint128) d->high_count >> shift);
	put_varint128(out, (uint128) d->zero_count >> shift);
	side_encode(&d->negative, shift, out);
	side_encode(&d->positive, shift, out);
	if (d->threshold > 0)
		put_float8(out, d->threshold);
	if (d->finite_count)
	{
		put_float8(out, d->min);
		put_float8(out, d->max);
		put_int(out, d->grain);
	}
	if (!unit)
		put_varint128(out, (uint128) d->squares);

	if (!(d->flags & DIST_FLAG_NO_SUM))
		len = sum_to_bytes(d, bytes, &position, &negative);
	put_varint(out, (uint32) len << 1 | negative);
	if (len)
	{
		put_varint(out, (uint32) position);
		put_bytes(out, bytes + position, len);
	}
}

static void
side_decode(Dist *d, DistSide *side, int shift, Cursor *c)
{
	uint64		span = cursor_varint(c, TYPE);
	int32		i = 0;

	if (span == 0)
		return;
	if (span > (uint64) d->limit)
		state_corrupt(TYPE, "There are more buckets than the limit.");
	side->capacity = (int32) span;
	side->base = side->first = cursor_int(c, DIST_MIN_INDEX, DIST_MAX_INDEX, TYPE);
	if (!dist_index_exists(side->first, d->scale) ||
		!dist_index_exists((int64) side->first + side->capacity - 1, d->scale))
		state_corrupt(TYPE, "A bucket lies beyond the values of float8.");
	side->last = side->first + side->capacity - 1;
	side->count = palloc0((size_t) side->capacity * sizeof(int128));
	while (i < side->capacity)
	{
		int128		count = cursor_weight(c, shift, TYPE);

		if (count)
		{
			side->count[i++] = count;
			d->finite_count += count;
		}
		else
		{
			uint64		run = cursor_varint(c, TYPE);

			if (run == 0 || i == 0 || run >= (uint64) (side->capacity - i))
				state_corrupt(TYPE, "The first and last bucket must not be empty.");
			i += (int32) run;
		}
	}
}

/* Throws unless every count and size is possible; see also dist_verify. */
Dist *
dist_decode(const void *bytes, size_t len)
{
	Cursor		c = {bytes, (const uint8 *) bytes + len};
	Dist	   *d;
	int			flags;
	int			scale;
	int			shift;
	uint64		limit;
	uint64		sum_len;
	const char *problem;

	if (cursor_byte(&c, TYPE) != DIST_VERSION)
		state_corrupt(TYPE, "The format version is unknown.");
	flags = cursor_byte(&c, TYPE);
	scale = cursor_byte(&c, TYPE) - 128;
	shift = cursor_byte(&c, TYPE);
	limit = cursor_varint(&c, TYPE);
	if (flags & ~(DIST_FLAG_BOUNDS | DIST_FLAG_NO_SUM | DIST_FLAG_THRESHOLD | DIST_FLAG_UNIT))
		state_corrupt(TYPE, "A flag is unknown.");
	if (scale < DIST_MIN_SCALE || scale > DIST_MAX_SCALE || shift > WEIGHT_BITS)
		state_corrupt(TYPE, "The scale is out of range.");
	if (limit < DIST_MIN_LIMIT || limit > DIST_MAX_LIMIT)
		state_corrupt(TYPE, "The bucket limit is out of range.");

	d = dist_new((int) limit);
	d->flags = flags & (DIST_FLAG_BOUNDS | DIST_FLAG_NO_SUM);
	d->scale = scale;
	d->null_count = cursor_weight(&c, shift, TYPE);
	d->nan_count = cursor_weight(&c, shift, TYPE);
	d->low_count = cursor_weight(&c, shift, TYPE);
	d->high_count = cursor_weight(&c, shift, TYPE);
	d->zero_count = cursor_weight(&c, shift, TYPE);
	d->finite_count = d->zero_count;
	side_decode(d, &d->negative, shift, &c);
	side_decode(d, &d->positive, shift, &c);
	if (flags & DIST_FLAG_THRESHOLD)
		d->threshold = cursor_float8(&c, TYPE);
	if (d->finite_count)
	{
		d->min = cursor_float8(&c, TYPE);
		d->max = cursor_float8(&c, TYPE);
		d->grain = cursor_int(&c, DIST_MIN_GRAIN, DIST_MAX_GRAIN, TYPE);
	}
	if (flags & DIST_FLAG_UNIT)
		d->squares = dist_total(d) << WEIGHT_BITS;
	else
		d->squares = (int128) cursor_varint128(&c, TYPE);
	sum_len = cursor_varint(&c, TYPE);
	if (sum_len >> 1)
	{
		uint64		position = cursor_varint(&c, TYPE);

		if (sum_len >> 1 > SUM_BYTES || position > SUM_BYTES || d->flags & DIST_FLAG_NO_SUM ||
			!sum_from_bytes(d, cursor_take(&c, sum_len >> 1, TYPE),
							(int) (sum_len >> 1), (int) position, (bool) (sum_len & 1)))
			state_corrupt(TYPE, "The sum is out of range.");
	}
	if (cursor_left(&c) != 0)
		state_corrupt(TYPE, "It goes on after its end.");
	problem = unsound(d);
	if (problem)
		state_corrupt(TYPE, problem);
	return d;
}

/*
 * What comes from outside must also be the one binary form its value has:
 * no needless zeros, no overlong numbers.
 */
void
dist_verify(const void *bytes, size_t len)
{
	StringInfoData again;

	initStringInfo(&again);
	dist_encode(dist_decode(bytes, len), &again);
	state_check_form(TYPE, &again, bytes, len);
	pfree(again.data);
}

/* -------------------------------------------------------------- text form */

enum
{
	KEY_SCALE, KEY_LIMIT, KEY_NULL, KEY_NAN, KEY_LOW, KEY_HIGH, KEY_ZERO,
	KEY_THRESHOLD, KEY_MIN, KEY_MAX, KEY_BOUNDS, KEY_GRAIN, KEY_SQUARES, KEY_SUM,
	KEY_NEGATIVE, KEY_POSITIVE
};

static const char *const keys[] = {
	"scale", "limit", "null", "nan", "-inf", "inf", "zero",
	"threshold", "min", "max", "bounds", "grain", "squares", "sum",
	"negative", "positive"
};

static void
put_key(StringInfo out, int key)
{
	appendStringInfo(out, "%s\"%s\": ", out->data[out->len - 1] == '{' ? "" : ", ", keys[key]);
}

static void
put_count(StringInfo out, int key, int128 count)
{
	if (count == 0)
		return;
	put_key(out, key);
	text_put_weight(out, count);
}

static void
put_side(StringInfo out, int key, const DistSide *side)
{
	if (!side->capacity)
		return;
	put_key(out, key);
	appendStringInfo(out, "{\"first\": %d, \"counts\": [", side->first);
	for (int32 i = side->first; i <= side->last; i++)
	{
		if (i > side->first)
			appendStringInfoString(out, ", ");
		text_put_weight(out, side->count[i - side->base]);
	}
	appendStringInfoString(out, "]}");
}

static void
put_sum(StringInfo out, const Dist *d)
{
	unsigned char bytes[SUM_BYTES];
	int			position;
	bool		negative;
	int			len = sum_to_bytes(d, bytes, &position, &negative);

	appendStringInfo(out, "\"%s0x%s", negative ? "-" : "", len ? "" : "0");
	for (int i = position + len - 1; i >= position; i--)
		appendStringInfo(out, i == position + len - 1 ? "%x" : "%02x", bytes[i]);
	appendStringInfo(out, "p%d\"", 8 * position + SUM_UNIT_EXPONENT);
}

void
dist_to_text(const Dist *d, StringInfo out)
{
	appendStringInfo(out, "{\"%s\": %d, \"%s\": %d",
					 keys[KEY_SCALE], d->scale, keys[KEY_LIMIT], d->limit);
	put_count(out, KEY_NULL, d->null_count);
	put_count(out, KEY_NAN, d->nan_count);
	put_count(out, KEY_LOW, d->low_count);
	put_count(out, KEY_HIGH, d->high_count);
	put_count(out, KEY_ZERO, d->zero_count);
	if (d->threshold > 0)
	{
		put_key(out, KEY_THRESHOLD);
		text_put_float8(out, d->threshold);
	}
	if (d->finite_count)
	{
		put_key(out, KEY_MIN);
		text_put_float8(out, d->min);
		put_key(out, KEY_MAX);
		text_put_float8(out, d->max);
		if (d->flags & DIST_FLAG_BOUNDS)
		{
			put_key(out, KEY_BOUNDS);
			appendStringInfoChar(out, '1');
		}
		put_key(out, KEY_GRAIN);
		appendStringInfo(out, "%d", d->grain);
	}
	if (d->squares != dist_total(d) << WEIGHT_BITS)
	{
		put_key(out, KEY_SQUARES);
		text_put_squares(out, d->squares);
	}
	if (d->finite_count)
	{
		put_key(out, KEY_SUM);
		if (d->flags & DIST_FLAG_NO_SUM)
			appendStringInfoString(out, "null");
		else
			put_sum(out, d);
	}
	put_side(out, KEY_NEGATIVE, &d->negative);
	put_side(out, KEY_POSITIVE, &d->positive);
	appendStringInfoChar(out, '}');
}

/* "-0x19p-1": an integer magnitude in hexadecimal times a power of two */
static void
scan_sum(JsonReader *r, Dist *d)
{
	static const char expected[] = "a sum like \"0x19p-1\"";
	unsigned char bytes[SUM_BYTES] = {0};
	Bytes		text = r->token == JSON_TOKEN_STRING ? json_peek_text(r) : BYTES_LITERAL("");
	const char *end = text.data + text.len - 1;		/* the closing quote */
	const char *digits = text.data + 1;
	bool		negative = text.len > 1 && *digits == '-';
	int			ndigits = 0;
	int64		exponent;

	digits += negative;
	if (text.len < 6 || strncmp(digits, "0x", 2) != 0)
		json_fail(r, expected);
	digits += 2;
	while (digits + ndigits < end && hex_digit(digits[ndigits]) < 16)
		ndigits++;
	if (ndigits == 0 || ndigits > 2 * SUM_BYTES || digits[ndigits] != 'p' ||
		!number_read_int((Bytes) {digits + ndigits + 1, end - digits - ndigits - 1}, &exponent))
		json_fail(r, expected);
	for (int i = 0; i < ndigits; i++)
		bytes[i / 2] |= (unsigned char) (hex_digit(digits[ndigits - 1 - i]) << 4 * (i % 2));
	if (exponent < SUM_UNIT_EXPONENT || exponent > 1100 || (exponent - SUM_UNIT_EXPONENT) % 8 ||
		!sum_from_bytes(d, bytes, (ndigits + 1) / 2, (int) (exponent - SUM_UNIT_EXPONENT) / 8, negative))
		json_fail_detail(r, "The sum is out of range.");
	json_next(r);
}

static void
scan_side(JsonReader *r, Dist *d, DistSide *side)
{
	static const char *const members[] = {"first", "counts"};
	uint32		seen = 0;
	Bytes		key;

	json_begin_object(r);
	while (json_next_member(r, &key))
	{
		int			n = 0;

		if (text_choice(r, key, members, lengthof(members), &seen) == 0)
		{
			side->base = side->first = text_int(r, DIST_MIN_INDEX, DIST_MAX_INDEX);
			continue;
		}
		side->capacity = DIST_MAX_LIMIT;
		side->count = palloc0(DIST_MAX_LIMIT * sizeof(int128));
		json_begin_array(r);
		while (json_next_element(r))
		{
			if (n == DIST_MAX_LIMIT)
				json_fail_detail(r, "There are too many buckets.");
			side->count[n] = text_weight(r);
			d->finite_count += side->count[n++];
		}
		if (n == 0 || side->count[0] == 0 || side->count[n - 1] == 0)
			json_fail_detail(r, "The first and last bucket must not be empty.");
		side->last = n - 1;
	}
	text_check_seen(r, members, 3, seen);
	side->last += side->first;
}

static void
check_side(JsonReader *r, const Dist *d, const DistSide *side)
{
	if (!side->capacity)
		return;
	if (side->last - side->first >= d->limit)
		json_fail_detail(r, "There are more buckets than the limit.");
	if (!dist_index_exists(side->first, d->scale) || !dist_index_exists(side->last, d->scale))
		json_fail_detail(r, "A bucket lies beyond the values of float8.");
}

Dist *
dist_from_text(const char *text)
{
	JsonReader	r;
	Dist	   *d = dist_new(DIST_DEFAULT_LIMIT);
	uint32		seen = 0;
	uint32		needed = 1 << KEY_SCALE | 1 << KEY_LIMIT;
	Bytes		key;
	const char *problem;

	text_begin(&r, TYPE, text);
	while (json_next_member(&r, &key))
		switch (text_choice(&r, key, keys, lengthof(keys), &seen))
		{
			case KEY_SCALE:
				d->scale = text_int(&r, DIST_MIN_SCALE, DIST_MAX_SCALE);
				break;
			case KEY_LIMIT:
				d->limit = text_int(&r, DIST_MIN_LIMIT, DIST_MAX_LIMIT);
				break;
			case KEY_NULL:
				d->null_count = text_weight(&r);
				break;
			case KEY_NAN:
				d->nan_count = text_weight(&r);
				break;
			case KEY_LOW:
				d->low_count = text_weight(&r);
				break;
			case KEY_HIGH:
				d->high_count = text_weight(&r);
				break;
			case KEY_ZERO:
				d->zero_count = text_weight(&r);
				d->finite_count += d->zero_count;
				break;
			case KEY_THRESHOLD:
				d->threshold = text_float8(&r);
				break;
			case KEY_MIN:
				d->min = text_float8(&r);
				break;
			case KEY_MAX:
				d->max = text_float8(&r);
				break;
			case KEY_BOUNDS:
				if (text_int(&r, 0, 1))
					d->flags |= DIST_FLAG_BOUNDS;
				break;
			case KEY_GRAIN:
				d->grain = text_int(&r, DIST_MIN_GRAIN, DIST_MAX_GRAIN);
				break;
			case KEY_SQUARES:
				d->squares = text_squares(&r);
				break;
			case KEY_SUM:
				if (r.token == JSON_TOKEN_NULL)
				{
					json_next(&r);
					d->flags |= DIST_FLAG_NO_SUM;
				}
				else
					scan_sum(&r, d);
				break;
			case KEY_NEGATIVE:
				scan_side(&r, d, &d->negative);
				break;
			case KEY_POSITIVE:
				scan_side(&r, d, &d->positive);
				break;
		}
	text_end(&r);

	if (d->finite_count)
		needed |= 1 << KEY_MIN | 1 << KEY_MAX | 1 << KEY_GRAIN | 1 << KEY_SUM;
	text_check_seen(&r, keys, needed, seen);
	if (!(seen & 1 << KEY_SQUARES))
		d->squares = dist_total(d) << WEIGHT_BITS;
	check_side(&r, d, &d->negative);
	check_side(&r, d, &d->positive);
	problem = unsound(d);
	if (problem)
		json_fail_detail(&r, problem);
	return d;
}
