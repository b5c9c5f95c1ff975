/*
 * repair.c
 *		Text that PostgreSQL cannot store, made storable.
 */
#include "postgres.h"

#include "kernel/repair.h"
#include "mb/pg_wchar.h"
#include "utils/memutils.h"

#define REPLACEMENT "\xef\xbf\xbd"
#define REPLACEMENT_LEN 3
#define ESCAPED_REPLACEMENT "\\ufffd"
#define ESCAPE_LEN 6			/* \uXXXX */
#define CONTROL_BLOCK 128

/* How much of the input is valid, as whole characters, without NUL. */
static size_t
valid_prefix(const char *s, size_t len)
{
	return pg_encoding_verifymbstr(PG_UTF8, s, (int) len);
}

static void
note_repair(RepairList *repairs, size_t offset)
{
	if (repairs->count >= repairs->max)
	{
		repairs->max = Max(repairs->max * 2, 64);
		repairs->offsets = repairs->offsets ?
			repalloc_huge(repairs->offsets, repairs->max * sizeof(size_t)) :
			palloc(repairs->max * sizeof(size_t));
	}
	repairs->offsets[repairs->count++] = offset;
}

/*
 * Copy with each invalid byte replaced.  out has room for three times the
 * input.  Every replacement's place in out is noted, if there is a list.
 */
static size_t
copy_repaired(const char *s, size_t len, char *out, uint32 *repaired, RepairList *repairs)
{
	size_t		in = 0;
	size_t		filled = 0;

	for (;;)
	{
		size_t		valid = valid_prefix(s + in, len - in);

		memcpy(out + filled, s + in, valid);
		in += valid;
		filled += valid;
		if (in == len)
			return filled;
		if (repairs)
			note_repair(repairs, filled);
		(*repaired)++;
		memcpy(out + filled, REPLACEMENT, REPLACEMENT_LEN);
		in++;
		filled += REPLACEMENT_LEN;
	}
}

/* A string that may hold anything; copied only if it has to change. */
Bytes
repair_utf8(Bytes s, Arena *arena, uint32 *repaired)
{
	char	   *out;

	if (valid_prefix(s.data, s.len) == s.len)
		return s;
	out = arena_alloc(arena, (size_t) s.len * REPLACEMENT_LEN);
	return (Bytes) {
		out, copy_repaired(s.data, s.len, out, repaired, NULL)
	};
}

/* The code unit of the \uXXXX escape at p, or -1 if there is none. */
static int
escape_unit(const char *p, const char *end)
{
	int			unit = 0;

	if (end - p < ESCAPE_LEN || p[0] != '\\' || p[1] != 'u')
		return -1;
	for (int i = 2; i < ESCAPE_LEN; i++)
	{
		uint8		digit = hex_digit(p[i]);

		if (digit > 15)
			return -1;
		unit = unit << 4 | digit;
	}
	return unit;
}

#define IS_HIGH_SURROGATE(unit) ((unit) >= 0xd800 && (unit) < 0xdc00)
#define IS_LOW_SURROGATE(unit) ((unit) >= 0xdc00 && (unit) < 0xe000)

/* Does what follows the backslash at p not make an escape? */
static bool
is_unknown_escape(const char *p, const char *end)
{
	if (end - p < 2)
		return false;			/* the text ends here, unfinished */
	switch (p[1])
	{
		case '"':
		case '\\':
		case '/':
		case 'b':
		case 'f':
		case 'n':
		case 'r':
		case 't':
			return false;
		default:
			return escape_unit(p, end) < 0;
	}
}

/*
 * The next escape that the JSON parser would refuse: an unknown one, NUL or
 * half a surrogate pair.  NULL if there is none.
 */
static const char *
find_bad_escape(const char *p, const char *end)
{
	while (p < end && (p = memchr(p, '\\', end - p)) != NULL)
	{
		int			unit = escape_unit(p, end);

		if (unit == 0 || IS_LOW_SURROGATE(unit) || (unit < 0 && is_unknown_escape(p, end)))
			return p;
		if (IS_HIGH_SURROGATE(unit))
		{
			int			next = escape_unit(p + ESCAPE_LEN, end);

			if (!IS_LOW_SURROGATE(next))
				return p;
			p += 2 * ESCAPE_LEN;
		}
		else
			p += unit >= 0 ? ESCAPE_LEN : 2;
	}
	return NULL;
}

static inline bool
is_bad_control(unsigned char c)
{
	return c < ' ' && c != '\t' && c != '\n' && c != '\r';
}

/* The least byte of a block; compilers make a few instructions of this. */
static inline unsigned char
block_min(const char *p)
{
	unsigned char least = 0xff;

	for (int i = 0; i < CONTROL_BLOCK; i++)
		least = (unsigned char) p[i] < least ? (unsigned char) p[i] : least;
	return least;
}

/* The next control character that is no white space, or NULL. */
static const char *
find_control(const char *p, const char *end)
{
	while (p < end)
	{
		const char *stop = end - p < CONTROL_BLOCK ? end : p + CONTROL_BLOCK;

		if (stop - p == CONTROL_BLOCK && block_min(p) >= ' ')
			p = stop;
		for (; p < stop; p++)
			if (is_bad_control(*p))
				return p;
	}
	return NULL;
}

/*
 * Copy with each bad escape and control character mended: what stands for no
 * character becomes U+FFFD, a control character its escape, and the backslash
 * of an unknown escape one that stands for itself.  The places of repairs that
 * were made before move along.
 */
static void
mend_json(const char *json, size_t len, StringInfo out, RepairList *repairs)
{
	RepairList	before = *repairs;
	const char *end = json + len;
	const char *escape = find_bad_escape(json, end);
	const char *control = find_control(json, end);
	uint32		moved = 0;

	memset(repairs, 0, sizeof(*repairs));
	for (const char *from = json;;)
	{
		const char *at = escape == NULL || (control && control < escape) ? control : escape;
		const char *to = at ? at : end;

		for (; moved < before.count && before.offsets[moved] < (size_t) (to - json); moved++)
			note_repair(repairs, out->len + before.offsets[moved] - (from - json));
		appendBinaryStringInfo(out, from, to - from);
		if (at == NULL)
			break;
		note_repair(repairs, out->len);
		if (at == control)
		{
			appendStringInfo(out, "\\u%04x", (unsigned char) *at);
			from = at + 1;
			control = find_control(from, end);
			continue;
		}
		if (is_unknown_escape(at, end))
		{
			appendStringInfoString(out, "\\\\");
			from = at + 1;
		}
		else
		{
			appendStringInfoString(out, ESCAPED_REPLACEMENT);
			from = at + ESCAPE_LEN;
		}
		escape = find_bad_escape(from, end);
	}
	if (before.offsets)
		pfree(before.offsets);
}

/*
 * Make a JSON document readable for the parser, which would fail all of it for
 * one bad character.  The result is the input itself if there is nothing to
 * repair.
 */
const char *
repair_json(const char *json, size_t len, size_t *repaired_len, RepairList *repairs)
{
	uint32		repaired = 0;
	StringInfoData out;

	memset(repairs, 0, sizeof(*repairs));
	*repaired_len = len;
	if (valid_prefix(json, len) != len)
	{
		char	   *copy;

		if (len > MaxAllocSize / REPLACEMENT_LEN)
			ereport(ERROR,
					(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					 errmsg("document is too large to be repaired"),
					 errdetail("It has %zu bytes, and some of them are not UTF-8.", len)));
		copy = palloc_extended(len * REPLACEMENT_LEN, MCXT_ALLOC_HUGE);
		*repaired_len = len = copy_repaired(json, len, copy, &repaired, repairs);
		json = copy;
	}
	if (find_bad_escape(json, json + len) == NULL && find_control(json, json + len) == NULL)
		return json;

	initStringInfo(&out);
	mend_json(json, len, &out, repairs);
	*repaired_len = out.len;
	return out.data;
}
