/*
 * state.c
 *		Weights, binary and text forms shared by the mergeable states.
 *		See state.h for the rules.
 */
#include "postgres.h"

#include <math.h>

#include "common/shortest_dec.h"
#include "kernel/state.h"
#include "kernel/value.h"

/* ---------------------------------------------------------------- weights */

int64
weight_from_float8(double weight)
{
	if (!(weight >= 0) || weight > (double) (WEIGHT_MAX / WEIGHT_ONE))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("weight %g is out of range", weight),
				 errdetail("A weight must be a number between 0 and 4294967296.")));
	return (int64) rint(weight * (double) WEIGHT_ONE);
}

void
weight_check_total(int128 total)
{
	if (total < 0 || total > WEIGHT_TOTAL_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("total weight is out of range"),
				 errdetail("The weights of all values together must not exceed 9007199254740992.")));
}

int128
squares_of_clusters(int128 total, int128 null_count, int128 squares, double cluster_size)
{
	double		size;
	double		result;

	if (!(cluster_size >= 1 && cluster_size <= weight_to_float8(WEIGHT_TOTAL_MAX)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("cluster size %g is out of range", cluster_size),
				 errdetail("It must be between 1 and 2^53.")));
	if (total == 0)
		return 0;

	/* A float: sizes that were summed in another order give the same. */
	size = (float) (cluster_size * ((double) total / (double) (total + null_count)));
	if (size <= 1)
		return squares;
	result = (double) squares * size;
	if (result >= (double) total * WEIGHT_MAX)
		return total * WEIGHT_MAX;
	return (int128) result;
}

int
state_weight_shift(int128 all_weights)
{
	int			shift = 0;

	while (shift < WEIGHT_BITS && !((all_weights >> shift) & 1))
		shift++;
	return shift;
}

/* ------------------------------------------------------------------- names */

/*
 * A long name becomes its beginning and a hash of the whole (64-bit FNV-1a), so
 * that a state's size is bounded and different names remain different.
 */
const char *
state_shorten(const char *name, int *len, int max)
{
	static const char hex[] = "0123456789abcdef";
	uint64		hash = UINT64CONST(0xcbf29ce484222325);
	int			keep = utf8_clip((Bytes) {name, *len}, max - 17);
	char	   *out = palloc(max);

	for (int i = 0; i < *len; i++)
		hash = (hash ^ (unsigned char) name[i]) * UINT64CONST(0x100000001b3);
	memcpy(out, name, keep);
	out[keep++] = '#';
	for (int shift = 60; shift >= 0; shift -= 4)
		out[keep++] = hex[hash >> shift & 15];
	*len = keep;
	return out;
}

/* ------------------------------------------------------------ binary form */

void
state_corrupt(const char *type, const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
			 errmsg("invalid binary form of type %s", type),
			 errdetail_internal("%s", detail)));
}

/* What comes from outside must be the one form that its value has. */
void
state_check_form(const char *type, StringInfo form, const void *bytes, size_t len)
{
	if ((size_t) form->len != len || memcmp(form->data, bytes, len) != 0)
		state_corrupt(type, "It is not in its shortest form.");
}

int32
cursor_int(Cursor *c, int32 min, int32 max, const char *type)
{
	int64		value = unzigzag(cursor_varint(c, type));

	if (value < min || value > max)
		state_corrupt(type, "A number is out of range.");
	return (int32) value;
}

double
cursor_float8(Cursor *c, const char *type)
{
	return bits_double(load_uint64(cursor_take(c, sizeof(uint64), type)));
}

/* A sum of weighted numbers that was written without its last `shift` bits. */
int128
cursor_amount(Cursor *c, int shift, const char *type)
{
	uint128		raw = cursor_varint128(c, type);

	if (raw > (uint128) AMOUNT_MAX >> shift)
		state_corrupt(type, "A sum is too large.");
	return (int128) (raw << shift);
}

void
put_int(StringInfo out, int32 value)
{
	put_varint(out, zigzag(value));
}

void
put_float8(StringInfo out, double value)
{
	put_uint64(out, double_bits(value));
}

/* -------------------------------------------------------------- text form */

/* At the object's first member. */
void
text_begin(JsonReader *r, const char *type, const char *text)
{
	Arena	   *arena = palloc0(sizeof(Arena));

	arena->context = CurrentMemoryContext;
	json_reader_init(r, text, strlen(text), psprintf("input syntax for type %s", type), arena);
	json_begin_object(r);
}

void
text_end(JsonReader *r)
{
	if (r->token != JSON_TOKEN_END)
		json_fail(r, "the end");
}

/* The number of a key among the known ones. Error if unknown or repeated. */
int
text_choice(JsonReader *r, Bytes key, const char *const *known, int nknown, uint32 *seen)
{
	for (int i = 0; i < nknown; i++)
		if (bytes_equal_cstring(key, known[i]))
		{
			if (*seen & (uint32) 1 << i)
				json_fail_detail(r, psprintf("Key \"%s\" appears twice.", known[i]));
			*seen |= (uint32) 1 << i;
			return i;
		}
	json_fail_detail(r, psprintf("Unknown key \"%.*s\".", (int) key.len, key.data));
}

/* All of the needed keys must have been seen. */
void
text_check_seen(JsonReader *r, const char *const *known, uint32 needed, uint32 seen)
{
	for (int i = 0; needed & ~seen; i++, needed >>= 1, seen >>= 1)
		if (needed & ~seen & 1)
			json_fail_detail(r, psprintf("Key \"%s\" is missing.", known[i]));
}

int32
text_int(JsonReader *r, int32 min, int32 max)
{
	int64		value;

	if (r->token != JSON_TOKEN_NUMBER || !number_read_int(json_peek_text(r), &value) ||
		value < min || value > max)
		json_fail(r, psprintf("an integer between %d and %d", min, max));
	json_next(r);
	return (int32) value;
}

double
text_float8(JsonReader *r)
{
	double		value;

	if (r->token != JSON_TOKEN_NUMBER || !number_read_double(json_peek_text(r), &value) ||
		!isfinite(value))
		json_fail(r, "a finite number");
	json_next(r);
	return value;
}

/*
 * The bits of a decimal fraction, n digits after the point, as a multiple of
 * 2^-bits: doubling the digits carries them out one by one. What is left must
 * be zero, or the number is not such a multiple.
 */
static uint128
text_fraction(JsonReader *r, const char *digits, int n, int bits)
{
	uint128		fraction = 0;
	char		d[2 * WEIGHT_BITS];

	for (int i = 0; i < n; i++)
		d[i] = digits[i] - '0';
	for (int bit = 0; bit < bits; bit++)
	{
		int			carry = 0;

		for (int i = n - 1; i >= 0; i--)
		{
			int			twice = d[i] * 2 + carry;

			d[i] = (char) (twice % 10);
			carry = twice / 10;
		}
		fraction = fraction << 1 | (uint128) carry;
	}
	for (int i = 0; i < n; i++)
		if (d[i])
			json_fail_detail(r, psprintf("A number is not a multiple of 2^-%d.", bits));
	return fraction;
}

/* A decimal in 0 .. max * 2^-bits that is exactly a multiple of 2^-bits. */
static int128
text_fixed(JsonReader *r, int bits, int128 max)
{
	const char *p;
	const char *end;
	uint128		value = 0;

	if (r->token != JSON_TOKEN_NUMBER || *json_peek_text(r).data == '-')
		json_fail(r, "a number that is not negative");
	p = json_peek_text(r).data;
	end = p + json_peek_text(r).len;
	for (; p < end && *p >= '0' && *p <= '9'; p++)
	{
		value = value * 10 + (uint128) (*p - '0');
		if (value > (uint128) max >> bits)
			json_fail_detail(r, "A number is too large.");
	}
	value <<= bits;
	if (p < end && *p == '.')
	{
		const char *digits = ++p;

		while (p < end && *p >= '0' && *p <= '9')
			p++;
		if (p - digits > bits)
			json_fail_detail(r, psprintf("A number is not a multiple of 2^-%d.", bits));
		value += text_fraction(r, digits, (int) (p - digits), bits);
	}
	if (p < end)
		json_fail(r, "a number without exponent");
	if (value > (uint128) max)
		json_fail_detail(r, "A number is too large.");
	json_next(r);
	return (int128) value;
}

int128
text_weight(JsonReader *r)
{
	return text_fixed(r, WEIGHT_BITS, WEIGHT_TOTAL_MAX);
}

/* A sum of weighted numbers. */
int128
text_amount(JsonReader *r)
{
	return text_fixed(r, WEIGHT_BITS, AMOUNT_MAX);
}

int128
text_squares(JsonReader *r)
{
	return text_fixed(r, 2 * WEIGHT_BITS, (int128) 1 << 125);
}

/* The shortest decimal that reads back as the same float8. */
void
text_put_float8(StringInfo out, double value)
{
	char		buf[DOUBLE_SHORTEST_DECIMAL_LEN];

	double_to_shortest_decimal_buf(value, buf);
	appendStringInfoString(out, buf);
}

static void
text_put_fixed(StringInfo out, int128 value, int bits)
{
	uint128		whole = (uint128) value >> bits;
	uint128		fraction = (uint128) value & (((uint128) 1 << bits) - 1);
	char		digits[48];
	int			at = sizeof(digits);

	do
		digits[--at] = (char) ('0' + (int) (whole % 10));
	while ((whole /= 10) != 0);
	appendBinaryStringInfo(out, digits + at, (int) sizeof(digits) - at);
	if (fraction)
		appendStringInfoCharMacro(out, '.');
	for (; fraction; fraction &= ((uint128) 1 << bits) - 1)
	{
		fraction *= 10;
		appendStringInfoCharMacro(out, (char) ('0' + (int) (fraction >> bits)));
	}
}

void
text_put_weight(StringInfo out, int128 weight)
{
	text_put_fixed(out, weight, WEIGHT_BITS);
}

void
text_put_squares(StringInfo out, int128 squares)
{
	text_put_fixed(out, squares, 2 * WEIGHT_BITS);
}
