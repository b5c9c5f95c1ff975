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

int
state_read_byte(StateReader *r)
{
	if (r->p >= r->end)
		state_corrupt(r->type, "It ends too early.");
	return *r->p++;
}

uint128
state_read_varint(StateReader *r)
{
	uint128		value = 0;

	for (int shift = 0; shift < 126; shift += 7)
	{
		int			b = state_read_byte(r);

		value |= (uint128) (b & 0x7f) << shift;
		if (!(b & 0x80))
			return value;
	}
	state_corrupt(r->type, "A number is too long.");
}

int32
state_read_int(StateReader *r, int32 min, int32 max)
{
	uint128		raw = state_read_varint(r);
	int64		value;

	if (raw > PG_UINT32_MAX)
		state_corrupt(r->type, "A number is out of range.");
	value = (int64) (raw >> 1) ^ -(int64) (raw & 1);
	if (value < min || value > max)
		state_corrupt(r->type, "A number is out of range.");
	return (int32) value;
}

/* A weight that was written without its last `shift` bits, 0..20. */
int128
state_read_weight(StateReader *r, int shift)
{
	uint128		raw = state_read_varint(r);

	if (raw > (uint128) WEIGHT_TOTAL_MAX >> shift)
		state_corrupt(r->type, "A weight is too large.");
	return (int128) (raw << shift);
}

double
state_read_float8(StateReader *r)
{
	uint64		bits = 0;
	double		value;

	for (int i = 0; i < 8; i++)
		bits |= (uint64) state_read_byte(r) << 8 * i;
	memcpy(&value, &bits, sizeof(value));
	return value;
}

const char *
state_read_bytes(StateReader *r, int len)
{
	const char *bytes = (const char *) r->p;

	if (len > r->end - r->p)
		state_corrupt(r->type, "It ends too early.");
	r->p += len;
	return bytes;
}

void
state_write_varint(StringInfo out, uint128 value)
{
	while (value >= 0x80)
	{
		appendStringInfoCharMacro(out, (char) (0x80 | (int) (value & 0x7f)));
		value >>= 7;
	}
	appendStringInfoCharMacro(out, (char) value);
}

void
state_write_int(StringInfo out, int32 value)
{
	state_write_varint(out, (uint32) value << 1 ^ (uint32) (value < 0 ? -1 : 0));
}

void
state_write_float8(StringInfo out, double value)
{
	uint64		bits;

	memcpy(&bits, &value, sizeof(bits));
	for (int shift = 0; shift < 64; shift += 8)
		appendStringInfoCharMacro(out, (char) (bits >> shift & 0xff));
}

/* -------------------------------------------------------------- text form */

void
text_fail(TextScanner *s, const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
			 errmsg("invalid input syntax for type %s", s->type),
			 errdetail("%s (at byte %d)", detail, (int) (s->p - s->start) + 1)));
}

static void
text_space(TextScanner *s)
{
	while (*s->p == ' ' || *s->p == '\t' || *s->p == '\n' || *s->p == '\r')
		s->p++;
}

bool
text_try(TextScanner *s, char c)
{
	text_space(s);
	if (*s->p != c)
		return false;
	s->p++;
	return true;
}

void
text_expect(TextScanner *s, char c)
{
	if (!text_try(s, c))
		text_fail(s, psprintf("Expected \"%c\".", c));
}

void
text_end(TextScanner *s)
{
	text_space(s);
	if (*s->p)
		text_fail(s, "Nothing may follow the closing brace.");
}

/*
 * A JSON string, as a fresh C string. \u escapes are for control characters:
 * all others are written as themselves.
 */
char *
text_string(TextScanner *s, int *len)
{
	StringInfoData buf;

	text_expect(s, '"');
	initStringInfo(&buf);
	while (*s->p != '"')
	{
		unsigned char c = (unsigned char) *s->p++;

		if (c < 0x20)
		{
			s->p--;
			text_fail(s, "A string is not closed, or has a bare control character.");
		}
		if (c == '\\')
		{
			static const char from[] = "\"\\/bfnrt";
			static const char to[] = "\"\\/\b\f\n\r\t";
			const char *at;

			c = (unsigned char) *s->p++;
			if (c == 'u')
			{
				int			code = 0;

				for (int i = 0; i < 4; i++)
				{
					int			d = (unsigned char) *s->p++;

					code = code << 4 |
						(d >= '0' && d <= '9' ? d - '0' :
						 d >= 'a' && d <= 'f' ? d - 'a' + 10 :
						 d >= 'A' && d <= 'F' ? d - 'A' + 10 : 0x10000);
					if (code > 0x7f)
						break;
				}
				if (code == 0 || code > 0x7f)
				{
					s->p--;
					text_fail(s, "\\u stands for a character from 0001 to 007f: write others as themselves.");
				}
				c = (unsigned char) code;
			}
			else if (c && (at = strchr(from, c)) != NULL)
				c = (unsigned char) to[at - from];
			else
			{
				s->p--;
				text_fail(s, "Unknown escape in a string.");
			}
		}
		appendStringInfoCharMacro(&buf, (char) c);
	}
	s->p++;
	*len = buf.len;
	return buf.data;
}

/* Steps through an object after its '{': false at its '}'. */
bool
text_member(TextScanner *s, bool *first, char **key, int *len)
{
	if (text_try(s, '}'))
		return false;
	if (!*first)
		text_expect(s, ',');
	*first = false;
	*key = text_string(s, len);
	text_expect(s, ':');
	return true;
}

/* The number of a key among the known ones. Error if unknown or repeated. */
int
text_choice(TextScanner *s, const char *key, const char *const *known, int nknown,
			uint32 *seen)
{
	for (int i = 0; i < nknown; i++)
		if (strcmp(key, known[i]) == 0)
		{
			if (*seen & (uint32) 1 << i)
				text_fail(s, psprintf("Key \"%s\" appears twice.", key));
			*seen |= (uint32) 1 << i;
			return i;
		}
	text_fail(s, psprintf("Unknown key \"%s\".", key));
}

int32
text_int(TextScanner *s, int32 min, int32 max)
{
	char	   *end;
	long		value;

	text_space(s);
	errno = 0;
	value = strtol(s->p, &end, 10);
	if (end == s->p || errno || value < min || value > max)
		text_fail(s, psprintf("Expected an integer between %d and %d.", min, max));
	s->p = end;
	return (int32) value;
}

/* The server keeps LC_NUMERIC at "C", so strtod reads what we write. */
double
text_float8(TextScanner *s)
{
	char	   *end;
	double		value;

	text_space(s);
	value = strtod(s->p, &end);
	if (end == s->p || !isfinite(value))
		text_fail(s, "Expected a finite number.");
	s->p = end;
	return value;
}

/*
 * The bits of a decimal fraction, n digits after the point, as a multiple of
 * 2^-bits: doubling the digits carries them out one by one. What is left must
 * be zero, or the number is not such a multiple.
 */
static uint128
text_fraction(TextScanner *s, const char *digits, int n, int bits)
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
			text_fail(s, psprintf("A number is not a multiple of 2^-%d.", bits));
	return fraction;
}

/* A decimal in 0 .. max * 2^-bits that is exactly a multiple of 2^-bits. */
static int128
text_fixed(TextScanner *s, int bits, int128 max)
{
	uint128		value = 0;

	text_space(s);
	if (!(*s->p >= '0' && *s->p <= '9'))
		text_fail(s, "Expected a number that is not negative.");
	for (; *s->p >= '0' && *s->p <= '9'; s->p++)
	{
		value = value * 10 + (uint128) (*s->p - '0');
		if (value > (uint128) max >> bits)
			text_fail(s, "A number is too large.");
	}
	value <<= bits;
	if (*s->p == '.')
	{
		const char *digits = ++s->p;

		while (*s->p >= '0' && *s->p <= '9')
			s->p++;
		if (s->p == digits || s->p - digits > bits)
			text_fail(s, psprintf("Expected 1 to %d digits after the point.", bits));
		value += text_fraction(s, digits, (int) (s->p - digits), bits);
	}
	if (value > (uint128) max)
		text_fail(s, "A number is too large.");
	return (int128) value;
}

int128
text_weight(TextScanner *s)
{
	return text_fixed(s, WEIGHT_BITS, WEIGHT_TOTAL_MAX);
}

/* A sum of weighted numbers. */
int128
text_amount(TextScanner *s)
{
	return text_fixed(s, WEIGHT_BITS, AMOUNT_MAX);
}

int128
text_squares(TextScanner *s)
{
	return text_fixed(s, 2 * WEIGHT_BITS, (int128) 1 << 125);
}

void
text_put_string(StringInfo out, const char *str, int len)
{
	appendStringInfoCharMacro(out, '"');
	for (int i = 0; i < len; i++)
	{
		unsigned char c = (unsigned char) str[i];

		if (c == '"' || c == '\\')
			appendStringInfoCharMacro(out, '\\');
		if (c < 0x20)
			appendStringInfo(out, "\\u%04x", c);
		else
			appendStringInfoCharMacro(out, (char) c);
	}
	appendStringInfoCharMacro(out, '"');
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
