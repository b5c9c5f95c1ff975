/*
 * cat_format.c
 *		The binary and the text form of type cat; cat.h documents the first.
 *
 * Text is a JSON object that leaves out what is zero:
 *
 *		{"limit": 256, "null": 1, "other": 7.5, "error": 2, "squares": 60,
 *		 "counts": {"search": 12, "write": 3}}
 *
 * Counts are exact decimals, keys in the order of their bytes; squares (of
 * the weights) are left out where all weights are one.
 */
#include "postgres.h"

#include "kernel/cat.h"

#define TYPE "cat"

/* What both parsers check last; NULL if the value is sound. */
static const char *
unsound(const Cat *c)
{
	if (c->nkeys > c->limit)
		return "There are more keys than the limit.";
	if (c->null_count + c->total > WEIGHT_TOTAL_MAX)
		return "The total weight is too large.";
	if (c->error > c->other_count || (c->error == 0) != (c->other_count == 0))
		return "The error contradicts the weight of other keys.";
	if (c->squares < 0 || c->squares > c->total * WEIGHT_MAX ||
		(c->squares == 0) != (c->total == 0))
		return "The sum of squared weights contradicts the weights.";
	return NULL;
}

/* ------------------------------------------------------------- binary form */

void
cat_encode(const Cat *c, StringInfo out)
{
	bool		unit = c->squares == c->total << WEIGHT_BITS;
	int128		all = c->null_count | c->other_count | c->error;
	int			shift;

	for (int i = 0; i < c->nkeys; i++)
		all |= c->keys[i].count;
	shift = state_weight_shift(all);

	appendStringInfoCharMacro(out, CAT_VERSION);
	appendStringInfoCharMacro(out, unit ? CAT_FLAG_UNIT : 0);
	appendStringInfoCharMacro(out, (char) shift);
	state_write_varint(out, (uint32) c->limit);
	state_write_varint(out, (uint128) c->null_count >> shift);
	state_write_varint(out, (uint128) c->other_count >> shift);
	state_write_varint(out, (uint128) c->error >> shift);
	state_write_varint(out, (uint32) c->nkeys);
	for (int i = 0; i < c->nkeys; i++)
	{
		state_write_varint(out, (uint32) c->keys[i].len);
		appendBinaryStringInfo(out, c->keys[i].name, c->keys[i].len);
		state_write_varint(out, (uint128) c->keys[i].count >> shift);
	}
	if (!unit)
		state_write_varint(out, (uint128) c->squares);
}

/*
 * Throws unless every count and size is possible; see also cat_verify. The
 * names point into the bytes.
 */
Cat *
cat_decode(const void *bytes, size_t len)
{
	StateReader r = {TYPE, bytes, (const unsigned char *) bytes + len};
	Cat		   *c;
	int			flags;
	int			shift;
	uint128		limit;
	uint128		nkeys;
	const char *problem;

	if (state_read_byte(&r) != CAT_VERSION)
		state_corrupt(TYPE, "The format version is unknown.");
	flags = state_read_byte(&r);
	shift = state_read_byte(&r);
	limit = state_read_varint(&r);
	if (flags & ~CAT_FLAG_UNIT || shift > WEIGHT_BITS)
		state_corrupt(TYPE, "A flag is unknown.");
	if (limit < CAT_MIN_LIMIT || limit > CAT_MAX_LIMIT)
		state_corrupt(TYPE, "The key limit is out of range.");

	c = cat_new((int) limit);
	c->null_count = state_read_weight(&r, shift);
	c->total = c->other_count = state_read_weight(&r, shift);
	c->error = state_read_weight(&r, shift);
	nkeys = state_read_varint(&r);
	if (nkeys > limit)
		state_corrupt(TYPE, "There are more keys than the limit.");
	while (c->nkeys < (int) nkeys)
	{
		uint128		name_len = state_read_varint(&r);
		const char *name;
		int128		count;

		if (name_len > CAT_MAX_KEY)
			state_corrupt(TYPE, "A key is too long.");
		name = state_read_bytes(&r, (int) name_len);
		count = state_read_weight(&r, shift);
		if (count == 0)
			state_corrupt(TYPE, "A key has no weight.");
		cat_append(c, name, (int) name_len, count);
		if (c->nkeys > 1 && cat_compare(&c->keys[c->nkeys - 2], &c->keys[c->nkeys - 1]) >= 0)
			state_corrupt(TYPE, "The keys are not in order.");
	}
	c->squares = flags & CAT_FLAG_UNIT ? c->total << WEIGHT_BITS
		: (int128) state_read_varint(&r);
	if (r.p != r.end)
		state_corrupt(TYPE, "It goes on after its end.");
	problem = unsound(c);
	if (problem)
		state_corrupt(TYPE, problem);
	return c;
}

/* What comes from outside must also be the one binary form its value has. */
void
cat_verify(const void *bytes, size_t len)
{
	StringInfoData again;

	initStringInfo(&again);
	cat_encode(cat_decode(bytes, len), &again);
	if ((size_t) again.len != len || memcmp(again.data, bytes, len) != 0)
		state_corrupt(TYPE, "It is not in its shortest form.");
	pfree(again.data);
}

/* -------------------------------------------------------------- text form */

enum
{
	KEY_LIMIT, KEY_NULL, KEY_OTHER, KEY_ERROR, KEY_SQUARES, KEY_COUNTS
};

static const char *const members[] = {
	"limit", "null", "other", "error", "squares", "counts"
};

static void
put_count(StringInfo out, int member, int128 count)
{
	if (count == 0)
		return;
	appendStringInfo(out, ", \"%s\": ", members[member]);
	text_put_weight(out, count);
}

void
cat_to_text(const Cat *c, StringInfo out)
{
	appendStringInfo(out, "{\"%s\": %d", members[KEY_LIMIT], c->limit);
	put_count(out, KEY_NULL, c->null_count);
	put_count(out, KEY_OTHER, c->other_count);
	put_count(out, KEY_ERROR, c->error);
	if (c->squares != c->total << WEIGHT_BITS)
	{
		appendStringInfo(out, ", \"%s\": ", members[KEY_SQUARES]);
		text_put_squares(out, c->squares);
	}
	appendStringInfo(out, ", \"%s\": {", members[KEY_COUNTS]);
	for (int i = 0; i < c->nkeys; i++)
	{
		if (i)
			appendStringInfoString(out, ", ");
		text_put_string(out, c->keys[i].name, c->keys[i].len);
		appendStringInfoString(out, ": ");
		text_put_weight(out, c->keys[i].count);
	}
	appendStringInfoString(out, "}}");
}

static void
scan_counts(TextScanner *s, Cat *c)
{
	bool		first = true;
	char	   *name;
	int			len;

	text_expect(s, '{');
	while (text_member(s, &first, &name, &len))
	{
		int128		count = text_weight(s);

		if (count == 0)
			text_fail(s, "A key has no weight.");
		if (len > CAT_MAX_KEY)
			text_fail(s, psprintf("A key is longer than %d bytes.", CAT_MAX_KEY));
		if (c->nkeys == CAT_MAX_LIMIT)
			text_fail(s, "There are more keys than the limit.");
		if (cat_find(c, name, len))
			text_fail(s, psprintf("Key \"%s\" appears twice.", name));
		cat_append(c, name, len, count);
	}
}

Cat *
cat_from_text(const char *text)
{
	TextScanner s = {TYPE, text, text};
	Cat		   *c = cat_new(CAT_DEFAULT_LIMIT);
	uint32		seen = 0;
	bool		first = true;
	char	   *key;
	int			len;
	const char *problem;

	text_expect(&s, '{');
	while (text_member(&s, &first, &key, &len))
		switch (text_choice(&s, key, members, lengthof(members), &seen))
		{
			case KEY_LIMIT:
				c->limit = text_int(&s, CAT_MIN_LIMIT, CAT_MAX_LIMIT);
				break;
			case KEY_NULL:
				c->null_count = text_weight(&s);
				break;
			case KEY_OTHER:
				c->other_count = text_weight(&s);
				c->total += c->other_count;
				break;
			case KEY_ERROR:
				c->error = text_weight(&s);
				break;
			case KEY_SQUARES:
				c->squares = text_squares(&s);
				break;
			case KEY_COUNTS:
				scan_counts(&s, c);
				break;
		}
	text_end(&s);

	for (int i = 0; i < (int) lengthof(members); i++)
		if ((i == KEY_LIMIT || i == KEY_COUNTS) && !(seen & (uint32) 1 << i))
			text_fail(&s, psprintf("Key \"%s\" is missing.", members[i]));
	if (!(seen & 1 << KEY_SQUARES))
		c->squares = c->total << WEIGHT_BITS;
	problem = unsound(c);
	if (problem)
		text_fail(&s, problem);
	cat_sort(c);
	return c;
}
