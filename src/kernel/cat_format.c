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

	put_byte(out, CAT_VERSION);
	put_byte(out, unit ? CAT_FLAG_UNIT : 0);
	put_byte(out, (uint8) shift);
	put_varint(out, (uint32) c->limit);
	put_varint128(out, (uint128) c->null_count >> shift);
	put_varint128(out, (uint128) c->other_count >> shift);
	put_varint128(out, (uint128) c->error >> shift);
	put_varint(out, (uint32) c->nkeys);
	for (int i = 0; i < c->nkeys; i++)
	{
		put_varint(out, (uint32) c->keys[i].len);
		put_bytes(out, c->keys[i].name, c->keys[i].len);
		put_varint128(out, (uint128) c->keys[i].count >> shift);
	}
	if (!unit)
		put_varint128(out, (uint128) c->squares);
}

/*
 * Throws unless every count and size is possible; see also cat_verify. The
 * names point into the bytes.
 */
Cat *
cat_decode(const void *bytes, size_t len)
{
	Cursor		in = {bytes, (const uint8 *) bytes + len};
	Cat		   *c;
	int			flags;
	int			shift;
	uint64		limit;
	uint64		nkeys;
	const char *problem;

	if (cursor_byte(&in, TYPE) != CAT_VERSION)
		state_corrupt(TYPE, "The format version is unknown.");
	flags = cursor_byte(&in, TYPE);
	shift = cursor_byte(&in, TYPE);
	limit = cursor_varint(&in, TYPE);
	if (flags & ~CAT_FLAG_UNIT || shift > WEIGHT_BITS)
		state_corrupt(TYPE, "A flag is unknown.");
	if (limit < CAT_MIN_LIMIT || limit > CAT_MAX_LIMIT)
		state_corrupt(TYPE, "The key limit is out of range.");

	c = cat_new((int) limit);
	c->null_count = cursor_weight(&in, shift, TYPE);
	c->total = c->other_count = cursor_weight(&in, shift, TYPE);
	c->error = cursor_weight(&in, shift, TYPE);
	nkeys = cursor_varint(&in, TYPE);
	if (nkeys > limit)
		state_corrupt(TYPE, "There are more keys than the limit.");
	while (c->nkeys < (int) nkeys)
	{
		uint64		name_len = cursor_varint(&in, TYPE);
		const char *name;
		int128		count;

		if (name_len > CAT_MAX_KEY)
			state_corrupt(TYPE, "A key is too long.");
		name = (const char *) cursor_take(&in, name_len, TYPE);
		count = cursor_weight(&in, shift, TYPE);
		if (count == 0)
			state_corrupt(TYPE, "A key has no weight.");
		cat_append(c, name, (int) name_len, count);
		if (c->nkeys > 1 && cat_compare(&c->keys[c->nkeys - 2], &c->keys[c->nkeys - 1]) >= 0)
			state_corrupt(TYPE, "The keys are not in order.");
	}
	c->squares = flags & CAT_FLAG_UNIT ? c->total << WEIGHT_BITS
		: (int128) cursor_varint128(&in, TYPE);
	if (cursor_left(&in) != 0)
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
	state_check_form(TYPE, &again, bytes, len);
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
		json_put_string(out, (Bytes) {c->keys[i].name, c->keys[i].len});
		appendStringInfoString(out, ": ");
		text_put_weight(out, c->keys[i].count);
	}
	appendStringInfoString(out, "}}");
}

static void
scan_counts(JsonReader *r, Cat *c)
{
	Bytes		name;

	json_begin_object(r);
	while (json_next_member(r, &name))
	{
		int128		count = text_weight(r);

		if (count == 0)
			json_fail_detail(r, "A key has no weight.");
		if (name.len > CAT_MAX_KEY)
			json_fail_detail(r, psprintf("A key is longer than %d bytes.", CAT_MAX_KEY));
		if (c->nkeys == CAT_MAX_LIMIT)
			json_fail_detail(r, "There are more keys than the limit.");
		if (cat_find(c, name.data, name.len))
			json_fail_detail(r, psprintf("Key \"%.*s\" appears twice.", (int) name.len, name.data));
		cat_append(c, name.data, name.len, count);
	}
}

Cat *
cat_from_text(const char *text)
{
	JsonReader	r;
	Cat		   *c = cat_new(CAT_DEFAULT_LIMIT);
	uint32		seen = 0;
	Bytes		key;
	const char *problem;

	text_begin(&r, TYPE, text);
	while (json_next_member(&r, &key))
		switch (text_choice(&r, key, members, lengthof(members), &seen))
		{
			case KEY_LIMIT:
				c->limit = text_int(&r, CAT_MIN_LIMIT, CAT_MAX_LIMIT);
				break;
			case KEY_NULL:
				c->null_count = text_weight(&r);
				break;
			case KEY_OTHER:
				c->other_count = text_weight(&r);
				c->total += c->other_count;
				break;
			case KEY_ERROR:
				c->error = text_weight(&r);
				break;
			case KEY_SQUARES:
				c->squares = text_squares(&r);
				break;
			case KEY_COUNTS:
				scan_counts(&r, c);
				break;
		}
	text_end(&r);

	text_check_seen(&r, members, 1 << KEY_LIMIT | 1 << KEY_COUNTS, seen);
	if (!(seen & 1 << KEY_SQUARES))
		c->squares = c->total << WEIGHT_BITS;
	problem = unsound(c);
	if (problem)
		json_fail_detail(&r, problem);
	cat_sort(c);
	return c;
}
