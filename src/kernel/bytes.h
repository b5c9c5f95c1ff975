/*
 * bytes.h
 *		Byte strings, and reading and writing the primitives of our formats.
 *
 * A varint is LEB128: seven bits a byte, least significant first.  There is
 * one spelling of each number: a redundant last byte of zero is refused, so
 * that equal content has equal bytes.  Signed numbers are zigzag encoded.
 * Fixed-width numbers are little-endian whatever the machine.
 *
 * Every read checks the bytes left; a short or malformed input raises
 * data_corrupted with the name of what was being read.
 */
#ifndef LLMTRACE_BYTES_H
#define LLMTRACE_BYTES_H

#include "compat.h"
#include "lib/stringinfo.h"
#include "port/pg_bitutils.h"
#include "port/pg_bswap.h"

/* A byte string somewhere else; not terminated. */
typedef struct Bytes
{
	const char *data;
	uint32		len;
} Bytes;

#define BYTES_LITERAL(s) ((Bytes) {(s), sizeof(s) - 1})

/* A place in a buffer that is being read. */
typedef struct Cursor
{
	const uint8 *at;
	const uint8 *end;
} Cursor;

pg_noreturn extern void bytes_corrupt(const char *what);
extern uint64 cursor_varint_slow(Cursor *c, const char *what);
extern uint128 cursor_varint128_slow(Cursor *c, const char *what);
extern void put_varint128(StringInfo buf, uint128 v);
extern int	bytes_compare(Bytes a, Bytes b);

static inline bool
bytes_equal(Bytes a, Bytes b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

static inline bool
bytes_equal_cstring(Bytes a, const char *s)
{
	return strlen(s) == a.len && memcmp(a.data, s, a.len) == 0;
}

static inline bool
bytes_are_zero(const uint8 *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (bytes[i] != 0)
			return false;
	return true;
}

/* The value of a hexadecimal digit; more than 15 for any other byte. */
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

static inline uint64
zigzag(int64 v)
{
	return ((uint64) v << 1) ^ (uint64) (v >> 63);
}

static inline int64
unzigzag(uint64 v)
{
	return (int64) (v >> 1) ^ -(int64) (v & 1);
}

static inline uint64
load_uint64(const void *p)
{
	uint64		v;

	memcpy(&v, p, sizeof(v));
#ifdef WORDS_BIGENDIAN
	v = pg_bswap64(v);
#endif
	return v;
}

static inline uint32
load_uint32(const void *p)
{
	uint32		v;

	memcpy(&v, p, sizeof(v));
#ifdef WORDS_BIGENDIAN
	v = pg_bswap32(v);
#endif
	return v;
}

static inline size_t
cursor_left(const Cursor *c)
{
	return c->end - c->at;
}

static inline uint8
cursor_byte(Cursor *c, const char *what)
{
	if (c->at >= c->end)
		bytes_corrupt(what);
	return *c->at++;
}

static inline uint64
cursor_varint(Cursor *c, const char *what)
{
	if (likely(c->at < c->end && *c->at < 0x80))
		return *c->at++;
	return cursor_varint_slow(c, what);
}

/*
 * A varint of up to eight bytes, of which eight can be read: they are loaded at
 * once, and their sevens of bits moved together.  What follows it; or NULL for
 * any other.
 */
static inline const uint8 *
varint_at(const uint8 *p, uint64 *value)
{
	uint64		v = load_uint64(p);
	uint64		last = ~v & UINT64_C(0x8080808080808080);
	int			bits;

	if (unlikely(last == 0))
		return NULL;
	bits = pg_rightmost_one_pos64(last) + 1;
	v &= PG_UINT64_MAX >> (64 - bits);
	if (unlikely(bits > 8 && v >> (bits - 8) == 0))
		return NULL;			/* a redundant zero */
	v &= UINT64_C(0x7f7f7f7f7f7f7f7f);
	v = (v & UINT64_C(0x007f007f007f007f)) | (v & UINT64_C(0x7f007f007f007f00)) >> 1;
	v = (v & UINT64_C(0x00003fff00003fff)) | (v & UINT64_C(0x3fff00003fff0000)) >> 2;
	*value = (v & UINT64_C(0x000000000fffffff)) | (v & UINT64_C(0x0fffffff00000000)) >> 4;
	return p + bits / 8;
}

/* A varint where most have several bytes. */
static inline uint64
cursor_long_varint(Cursor *c, const char *what)
{
	uint64		v;
	const uint8 *next;

	if (likely(cursor_left(c) >= 8) && likely((next = varint_at(c->at, &v)) != NULL))
	{
		c->at = next;
		return v;
	}
	return cursor_varint(c, what);
}

/* A varint of up to 126 bits, which seldom needs more than eight bytes. */
static inline uint128
cursor_varint128(Cursor *c, const char *what)
{
	uint64		v;
	const uint8 *next;

	if (likely(c->at < c->end && *c->at < 0x80))
		return *c->at++;
	if (likely(cursor_left(c) >= 8) && likely((next = varint_at(c->at, &v)) != NULL))
	{
		c->at = next;
		return v;
	}
	return cursor_varint128_slow(c, what);
}

/* A number below a limit, such as an index. */
static inline uint32
cursor_index(Cursor *c, uint32 limit, const char *what)
{
	uint64		v = cursor_varint(c, what);

	if (v >= limit)
		bytes_corrupt(what);
	return (uint32) v;
}

/* A number that fits in 32 bits. */
static inline uint32
cursor_uint32(Cursor *c, const char *what)
{
	uint64		v = cursor_varint(c, what);

	if (v > PG_UINT32_MAX)
		bytes_corrupt(what);
	return (uint32) v;
}

/*
 * A count of things that take at least min_size bytes each: no more than the
 * bytes left can hold, so that memory for them can be allocated.
 */
static inline uint32
cursor_count(Cursor *c, size_t min_size, const char *what)
{
	uint64		v = cursor_varint(c, what);

	if (v > cursor_left(c) / min_size)
		bytes_corrupt(what);
	return (uint32) v;
}

static inline const uint8 *
cursor_take(Cursor *c, size_t len, const char *what)
{
	const uint8 *p = c->at;

	if (cursor_left(c) < len)
		bytes_corrupt(what);
	c->at += len;
	return p;
}

static inline void
store_uint64(void *p, uint64 v)
{
#ifdef WORDS_BIGENDIAN
	v = pg_bswap64(v);
#endif
	memcpy(p, &v, sizeof(v));
}

static inline void
store_uint32(void *p, uint32 v)
{
#ifdef WORDS_BIGENDIAN
	v = pg_bswap32(v);
#endif
	memcpy(p, &v, sizeof(v));
}

static inline uint64
double_bits(double d)
{
	uint64		bits;

	memcpy(&bits, &d, sizeof(bits));
	return bits;
}

static inline double
bits_double(uint64 bits)
{
	double		d;

	memcpy(&d, &bits, sizeof(d));
	return d;
}

/* Room for more bytes at the end of a buffer. */
static inline char *
buffer_reserve(StringInfo buf, int room)
{
	if (unlikely(buf->maxlen - buf->len <= room))
		enlargeStringInfo(buf, room);
	return buf->data + buf->len;
}

static inline void
put_byte(StringInfo buf, uint8 v)
{
	*buffer_reserve(buf, 1) = (char) v;
	buf->len++;
}

static inline void
put_varint(StringInfo buf, uint64 v)
{
	uint8	   *p = (uint8 *) buffer_reserve(buf, 10);

	while (v >= 0x80)
	{
		*p++ = (uint8) v | 0x80;
		v >>= 7;
	}
	*p++ = (uint8) v;
	buf->len = (char *) p - buf->data;
}

static inline void
put_uint64(StringInfo buf, uint64 v)
{
	store_uint64(buffer_reserve(buf, 8), v);
	buf->len += 8;
}

static inline void
put_bytes(StringInfo buf, const void *data, uint32 len)
{
	if (len > 0)
	{
		memcpy(buffer_reserve(buf, len), data, len);
		buf->len += len;
	}
}

#endif							/* LLMTRACE_BYTES_H */
