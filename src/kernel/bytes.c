/*
 * bytes.c
 *		Byte strings, and the rarer half of reading them.
 */
#include "postgres.h"

#include "kernel/bytes.h"

void
bytes_corrupt(const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("invalid binary value"),
			 errdetail("The bytes of the %s are malformed or cut short.", what)));
}

/* A varint of more than one byte, or none at all. */
uint64
cursor_varint_slow(Cursor *c, const char *what)
{
	const uint8 *p = c->at;
	int			max = (int) Min(cursor_left(c), 10);
	uint64		v = 0;

	for (int i = 0; i < max; i++)
	{
		uint8		b = p[i];

		v |= (uint64) (b & 0x7f) << (7 * i);
		if (b < 0x80)
		{
			/* a redundant zero would give the number a second spelling */
			if ((b == 0 && i > 0) || (i == 9 && b > 1))
				break;
			c->at = p + i + 1;
			return v;
		}
	}
	bytes_corrupt(what);
}

/* The same of 128 bits, of which 126 are used. */
uint128
cursor_varint128_slow(Cursor *c, const char *what)
{
	uint128		v = 0;

	for (int shift = 0; shift < 126; shift += 7)
	{
		uint8		b = cursor_byte(c, what);

		v |= (uint128) (b & 0x7f) << shift;
		if (b < 0x80)
		{
			if (b == 0 && shift > 0)
				break;
			return v;
		}
	}
	bytes_corrupt(what);
}

void
put_varint128(StringInfo buf, uint128 v)
{
	for (; v >= 0x80; v >>= 7)
		put_byte(buf, (uint8) v | 0x80);
	put_byte(buf, (uint8) v);
}

/* Order by bytes, a prefix first. */
int
bytes_compare(Bytes a, Bytes b)
{
	uint32		len = Min(a.len, b.len);
	int			cmp = len > 0 ? memcmp(a.data, b.data, len) : 0;

	if (cmp != 0)
		return cmp;
	return (a.len > b.len) - (a.len < b.len);
}
