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
