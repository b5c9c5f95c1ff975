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
			 errmsg("invalid binary value of type trajectory"),
			 errdetail("The bytes of the %s are malformed or cut short.", what)));
}

/* A varint of more than one byte, or none at all. */
uint64
cursor_varint_slow(Cursor *c, const char *what)
{
	uint64		v = 0;

	for (int shift = 0; shift < 70; shift += 7)
	{
		uint8		b = cursor_byte(c, what);

		if (shift == 63 && b > 1)
			break;
		v |= (uint64) (b & 0x7f) << shift;
		if (b < 0x80)
		{
			/* a redundant zero would give the number a second spelling */
			if (b == 0 && shift > 0)
				break;
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
