/*
 * sample_format.c
 *		The binary and the text form of type sample; sample.h documents the
 *		first.
 *
 * Text is a JSON object that leaves out what is 1 or not there:
 *
 *		{"k": 2, "key": "text", "weighted": true, "seed": 7, "threshold": 0.25,
 *		 "items": [{"key": "a", "rank": 0.125, "weight": 4, "probability": 0.5, "payload": 12.5}]}
 *
 * Ranks are integers below 2^56 without weights, else float8. Keys of type
 * uuid and bytea are in hexadecimal.
 */
#include "postgres.h"

#include <math.h>

#include "kernel/otlp.h"
#include "kernel/sample.h"

#define TYPE "sample"

/* Is this the order of a rank of that weight? */
static bool
is_possible(const Sample *s, uint64 order, double weight)
{
	if (!(s->flags & SAMPLE_WEIGHTED))
		return order < RANK_END;
	return order <= double_bits(1 / weight);
}

static bool
is_threshold(const Sample *s, uint64 order)
{
	return is_possible(s, order, SAMPLE_MIN_WEIGHT);
}

static const char *
unsound_item(const Sample *s, const SampleItem *item)
{
	Bytes		key = sample_key(s, item);

	if (key.len > SAMPLE_MAX_KEY)
		return "A key is too long.";
	if (!(item->weight >= SAMPLE_MIN_WEIGHT && item->weight <= SAMPLE_MAX_WEIGHT))
		return "A weight is out of range.";
	if (item->weight != 1 && !(s->flags & SAMPLE_WEIGHTED))
		return "A sample that is not weighted has a weight.";
	if (!(item->probability > 0 && item->probability <= 1))
		return "A probability is out of range.";
	if (isinf(item->payload) || (item->payload == 0 && signbit(item->payload)))
		return "A payload is infinite or -0.";
	if (item->order > s->threshold)
		return "A rank is above the threshold.";
	if (s->flags & SAMPLE_SEEDED
		? item->order != sample_order(s, sample_hash(s->seed, key), item->weight)
		: !is_possible(s, item->order, item->weight))
		return "A rank is not that of its key.";
	return NULL;
}

/* What both parsers check last; NULL if the value is sound and settled. */
static const char *
unsound(Sample *s)
{
	Sample	   *settled;

	if (s->key_type != SAMPLE_KEY_UUID && !(s->flags & SAMPLE_SEEDED))
		return "Only keys of type uuid can be without a seed.";
	if (s->threshold != SAMPLE_ALL && !is_threshold(s, s->threshold))
		return "The threshold is out of range.";
	if (s->n > s->k)
		return "There are more items than the sample's size.";
	for (int i = 0; i < s->n; i++)
	{
		const char *problem = unsound_item(s, &s->items[i]);

		if (problem)
			return problem;
	}
	settled = sample_copy(s);
	sample_settle(settled);
	if (settled->n < s->n)
		return "A key appears twice.";
	for (int i = 0; i < s->n; i++)
		if (!bytes_equal(sample_key(s, &s->items[i]), sample_key(settled, &settled->items[i])))
			return "The items are not in order.";
	return NULL;
}

static SampleItem *
append_item(Sample *s)
{
	SampleItem *item;

	if (s->n == s->capacity)
	{
		s->capacity = Max(8, s->capacity * 2);
		s->items = s->items ? repalloc(s->items, (size_t) s->capacity * sizeof(SampleItem))
			: palloc((size_t) s->capacity * sizeof(SampleItem));
	}
	item = &s->items[s->n++];
	memset(item, 0, sizeof(SampleItem));
	item->weight = item->probability = 1;
	item->payload = NAN;
	return item;
}

/* ------------------------------------------------------------- binary form */

static void
encode_item(const Sample *s, const SampleItem *item, StringInfo out)
{
	Bytes		key = sample_key(s, item);

	put_uint64(out, item->order);
	if (s->key_type != SAMPLE_KEY_UUID)
		put_varint(out, key.len);
	put_bytes(out, key.data, key.len);
	put_byte(out, (item->weight != 1 ? ITEM_WEIGHT : 0) |
			 (item->probability != 1 ? ITEM_PROBABILITY : 0) |
			 (!isnan(item->payload) ? ITEM_PAYLOAD : 0));
	if (item->weight != 1)
		put_float8(out, item->weight);
	if (item->probability != 1)
		put_float8(out, item->probability);
	if (!isnan(item->payload))
		put_float8(out, item->payload);
}

void
sample_encode(const Sample *s, StringInfo out)
{
	bool		has_threshold = s->threshold != SAMPLE_ALL;

	put_byte(out, SAMPLE_VERSION);
	put_byte(out, s->flags | (has_threshold ? SAMPLE_THRESHOLD : 0));
	put_byte(out, s->key_type);
	put_varint(out, (uint32) s->k);
	if (s->flags & SAMPLE_SEEDED)
		put_uint64(out, (uint64) s->seed);
	if (has_threshold)
		put_uint64(out, s->threshold);
	put_varint(out, (uint32) s->n);
	for (int i = 0; i < s->n; i++)
		encode_item(s, &s->items[i], out);
}

static uint64
cursor_uint64(Cursor *c)
{
	return load_uint64(cursor_take(c, sizeof(uint64), TYPE));
}

static void
decode_item(Sample *s, Cursor *c)
{
	SampleItem *item = append_item(s);
	uint8		flags;

	item->order = cursor_uint64(c);
	if (s->key_type == SAMPLE_KEY_UUID)
		memcpy(item->key.uuid, cursor_take(c, sizeof(item->key.uuid), TYPE), sizeof(item->key.uuid));
	else
	{
		uint32		len = cursor_count(c, 1, TYPE);

		item->key.bytes = (Bytes) {(const char *) cursor_take(c, len, TYPE), len};
	}
	flags = cursor_byte(c, TYPE);
	if (flags & ~(ITEM_WEIGHT | ITEM_PROBABILITY | ITEM_PAYLOAD))
		state_corrupt(TYPE, "A flag is unknown.");
	if (flags & ITEM_WEIGHT)
		item->weight = cursor_float8(c, TYPE);
	if (flags & ITEM_PROBABILITY)
		item->probability = cursor_float8(c, TYPE);
	if (flags & ITEM_PAYLOAD)
		item->payload = cursor_float8(c, TYPE);
}

/*
 * Of bytes that sample_verify has accepted. The bytes of keys stay where they
 * are. Throws where memory is at risk.
 */
Sample *
sample_decode(const void *bytes, size_t len)
{
	Cursor		c = {bytes, (const uint8 *) bytes + len};
	uint8		flags;
	uint8		key_type;
	uint64		k;
	uint32		n;
	Sample	   *s;

	if (cursor_byte(&c, TYPE) != SAMPLE_VERSION)
		state_corrupt(TYPE, "The format version is unknown.");
	flags = cursor_byte(&c, TYPE);
	key_type = cursor_byte(&c, TYPE);
	k = cursor_varint(&c, TYPE);
	if (flags & ~(SAMPLE_WEIGHTED | SAMPLE_SEEDED | SAMPLE_THRESHOLD))
		state_corrupt(TYPE, "A flag is unknown.");
	if (key_type < SAMPLE_KEY_UUID || key_type > SAMPLE_KEY_BYTEA)
		state_corrupt(TYPE, "The type of the keys is unknown.");
	if (k < 1 || k > SAMPLE_MAX_K)
		state_corrupt(TYPE, "The size is out of range.");

	s = sample_new((int) k, key_type, flags & ~SAMPLE_THRESHOLD, 0);
	s->borrowed = true;
	if (flags & SAMPLE_SEEDED)
		s->seed = (int64) cursor_uint64(&c);
	if (flags & SAMPLE_THRESHOLD)
		s->threshold = cursor_uint64(&c);
	n = cursor_count(&c, 10, TYPE);		/* rank, length and flags at least */
	s->capacity = Max(n, 1);
	s->items = palloc((size_t) s->capacity * sizeof(SampleItem));
	for (uint32 i = 0; i < n; i++)
		decode_item(s, &c);
	if (cursor_left(&c) != 0)
		state_corrupt(TYPE, "It goes on after its end.");
	return s;
}

void
sample_verify(const void *bytes, size_t len)
{
	Sample	   *s = sample_decode(bytes, len);
	const char *problem = unsound(s);
	StringInfoData again;

	if (problem)
		state_corrupt(TYPE, problem);
	initStringInfo(&again);
	sample_encode(s, &again);
	state_check_form(TYPE, &again, bytes, len);
	pfree(again.data);
}

/* -------------------------------------------------------------- text form */

/* A key as text: what sample_read_key reads. */
void
sample_put_key(StringInfo out, const Sample *s, const SampleItem *item)
{
	Bytes		key = sample_key(s, item);

	if (s->key_type == SAMPLE_KEY_UUID)
		for (int i = 0; i < 16; i++)
		{
			if (i == 4 || i == 6 || i == 8 || i == 10)
				appendStringInfoChar(out, '-');
			hex_put(out, (const uint8 *) key.data + i, 1);
		}
	else if (s->key_type == SAMPLE_KEY_BYTEA)
	{
		appendStringInfoString(out, "\\x");
		hex_put(out, (const uint8 *) key.data, key.len);
	}
	else
		appendBinaryStringInfo(out, key.data, key.len);
}

/* Hexadecimal digits, between which may be dashes; false if they are none. */
static bool
read_hex(Bytes text, Bytes *bytes)
{
	char	   *out = palloc0(text.len / 2 + 1);
	uint32		digits = 0;

	for (uint32 i = 0; i < text.len; i++)
	{
		if (text.data[i] == '-')
			continue;
		if (hex_digit(text.data[i]) > 15)
			return false;
		out[digits / 2] |= hex_digit(text.data[i]) << (digits % 2 ? 0 : 4);
		digits++;
	}
	*bytes = (Bytes) {out, digits / 2};
	return digits % 2 == 0;
}

/* The bytes of a key from its text; false if it is no such key. */
bool
sample_read_key(SampleKeyType type, Bytes text, Bytes *key)
{
	switch (type)
	{
		case SAMPLE_KEY_UUID:
			return read_hex(text, key) && key->len == 16;
		case SAMPLE_KEY_BYTEA:
			if (text.len < 2 || memcmp(text.data, "\\x", 2) != 0)
				return false;
			return read_hex((Bytes) {text.data + 2, text.len - 2}, key);
		case SAMPLE_KEY_TEXT:
			*key = text;
			return true;
	}
	return false;
}

enum
{
	KEY_K, KEY_TYPE, KEY_WEIGHTED, KEY_SEED, KEY_THRESHOLD, KEY_ITEMS
};

static const char *const members[] = {
	"k", "key", "weighted", "seed", "threshold", "items"
};

enum
{
	KEY_KEY, KEY_RANK, KEY_WEIGHT, KEY_PROBABILITY, KEY_PAYLOAD
};

static const char *const item_members[] = {
	"key", "rank", "weight", "probability", "payload"
};

static void
put_order(StringInfo out, const Sample *s, uint64 order)
{
	if (s->flags & SAMPLE_WEIGHTED)
		text_put_float8(out, bits_double(order));
	else
		appendStringInfo(out, UINT64_FORMAT, order);
}

static void
put_number(StringInfo out, int member, double number)
{
	appendStringInfo(out, ", \"%s\": ", item_members[member]);
	text_put_float8(out, number);
}

static void
put_item(StringInfo out, const Sample *s, const SampleItem *item)
{
	StringInfoData key;

	initStringInfo(&key);
	sample_put_key(&key, s, item);
	appendStringInfoString(out, "{\"key\": ");
	json_put_string(out, (Bytes) {key.data, key.len});
	pfree(key.data);
	appendStringInfoString(out, ", \"rank\": ");
	put_order(out, s, item->order);
	if (item->weight != 1)
		put_number(out, KEY_WEIGHT, item->weight);
	if (item->probability != 1)
		put_number(out, KEY_PROBABILITY, item->probability);
	if (!isnan(item->payload))
		put_number(out, KEY_PAYLOAD, item->payload);
	appendStringInfoChar(out, '}');
}

void
sample_to_text(const Sample *s, StringInfo out)
{
	appendStringInfo(out, "{\"k\": %d, \"key\": \"%s\"", s->k, sample_key_type_names[s->key_type]);
	if (s->flags & SAMPLE_WEIGHTED)
		appendStringInfoString(out, ", \"weighted\": true");
	if (s->flags & SAMPLE_SEEDED)
		appendStringInfo(out, ", \"seed\": " INT64_FORMAT, s->seed);
	if (s->threshold != SAMPLE_ALL)
	{
		appendStringInfoString(out, ", \"threshold\": ");
		put_order(out, s, s->threshold);
	}
	appendStringInfoString(out, ", \"items\": [");
	for (int i = 0; i < s->n; i++)
	{
		if (i)
			appendStringInfoString(out, ", ");
		put_item(out, s, &s->items[i]);
	}
	appendStringInfoString(out, "]}");
}

static int64
read_int64(JsonReader *r)
{
	int64		value;

	if (r->token != JSON_TOKEN_NUMBER || !number_read_int(json_peek_text(r), &value))
		json_fail(r, "an integer");
	json_next(r);
	return value;
}

static uint64
read_order(JsonReader *r, const Sample *s)
{
	double		rank;

	if (!(s->flags & SAMPLE_WEIGHTED))
	{
		int64		order = read_int64(r);

		return order < 0 ? SAMPLE_ALL - 1 : (uint64) order;
	}
	rank = text_float8(r);
	return rank < 0 ? SAMPLE_ALL - 1 : double_bits(rank == 0 ? 0 : rank);
}

static void
read_item(JsonReader *r, Sample *s)
{
	SampleItem *item = append_item(s);
	uint32		seen = 0;
	Bytes		name;
	Bytes		key;

	json_begin_object(r);
	while (json_next_member(r, &name))
		switch (text_choice(r, name, item_members, lengthof(item_members), &seen))
		{
			case KEY_KEY:
				if (!sample_read_key(s->key_type, json_string(r), &key))
					json_fail_detail(r, psprintf("A key is not of type %s.", sample_key_type_names[s->key_type]));
				if (s->key_type == SAMPLE_KEY_UUID)
					memcpy(item->key.uuid, key.data, sizeof(item->key.uuid));
				else
					item->key.bytes = key;
				break;
			case KEY_RANK:
				item->order = read_order(r, s);
				break;
			case KEY_WEIGHT:
				item->weight = text_float8(r);
				break;
			case KEY_PROBABILITY:
				item->probability = text_float8(r);
				break;
			case KEY_PAYLOAD:
				item->payload = text_float8(r);
				if (item->payload == 0)
					item->payload = 0;		/* not -0 */
				break;
		}
	text_check_seen(r, item_members, 1 << KEY_KEY | 1 << KEY_RANK, seen);
}

static SampleKeyType
read_key_type(JsonReader *r)
{
	Bytes		name = json_string(r);

	for (int type = SAMPLE_KEY_UUID; type <= SAMPLE_KEY_BYTEA; type++)
		if (bytes_equal_cstring(name, sample_key_type_names[type]))
			return type;
	json_fail_detail(r, "The type of keys must be uuid, text or bytea.");
}

/* The members that say how to read ranks and keys must come before these. */
Sample *
sample_from_text(const char *text)
{
	const uint32 first = 1 << KEY_K | 1 << KEY_TYPE;
	JsonReader	r;
	Sample	   *s = sample_new(1, SAMPLE_KEY_UUID, 0, 0);
	uint32		seen = 0;
	Bytes		name;
	const char *problem;

	s->borrowed = true;
	text_begin(&r, TYPE, text);
	while (json_next_member(&r, &name))
		switch (text_choice(&r, name, members, lengthof(members), &seen))
		{
			case KEY_K:
				s->k = text_int(&r, 1, SAMPLE_MAX_K);
				break;
			case KEY_TYPE:
				s->key_type = read_key_type(&r);
				break;
			case KEY_WEIGHTED:
				if (seen & (1 << KEY_THRESHOLD | 1 << KEY_ITEMS))
					json_fail_detail(&r, "weighted must come before threshold and items.");
				if (r.token == JSON_TOKEN_TRUE)
					s->flags |= SAMPLE_WEIGHTED;
				else if (r.token != JSON_TOKEN_FALSE)
					json_fail(&r, "true or false");
				json_next(&r);
				break;
			case KEY_SEED:
				s->flags |= SAMPLE_SEEDED;
				s->seed = read_int64(&r);
				break;
			case KEY_THRESHOLD:
				s->threshold = read_order(&r, s);
				break;
			case KEY_ITEMS:
				text_check_seen(&r, members, first, seen);
				json_begin_array(&r);
				while (json_next_element(&r))
					read_item(&r, s);
				break;
		}
	text_end(&r);
	text_check_seen(&r, members, first | 1 << KEY_ITEMS, seen);
	problem = unsound(s);
	if (problem)
		json_fail_detail(&r, problem);
	return s;
}
