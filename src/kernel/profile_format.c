/*
 * profile_format.c
 *		The binary and the text form of type profile; profile.h documents the
 *		first.
 *
 * Text is a JSON object, whose frames are in preorder and leave out what is
 * zero:
 *
 *		{"traces": 2, "frames": [
 *		 {"depth": 1, "name": "run", "kind": "agent", "calls": 2, "total_ns": 90},
 *		 {"depth": 2, "name": "chat", "kind": "llm", "calls": 3, "total_ns": 50}]}
 *
 * Amounts are exact decimals.
 */
#include "postgres.h"

#include "kernel/profile.h"
#include "kernel/value.h"
#include "miscadmin.h"

#define TYPE "profile"

/* Bytes that a frame takes at least. */
#define MIN_FRAME (3 + PROFILE_SUMS)

/* What both parsers check of a frame; NULL if it is sound. */
static const char *
unsound_frame(const ProfileFrame *f)
{
	if (f->sums[SUM_CALLS] == 0)
		return "A frame has no calls.";
	if (f->sums[SUM_ERRORS] > f->sums[SUM_CALLS])
		return "A frame has more errors than calls.";
	if (f->sums[SUM_SELF_NS] > f->sums[SUM_TOTAL_NS] ||
		f->sums[SUM_CRITICAL_NS] > f->sums[SUM_TOTAL_NS])
		return "The parts of a frame's time are more than all of it.";
	return NULL;
}

static const char *
unsound(const Profile *p)
{
	if (p->traces > WEIGHT_TOTAL_MAX)
		return "The total weight is too large.";
	if (p->traces == 0 && p->count > 0)
		return "There are frames without a trace.";
	return NULL;
}

/* ------------------------------------------------------------- binary form */

static void
encode_frames(const Profile *p, const uint32 *order, int shift, StringInfo out)
{
	uint32	   *number = palloc_extended(Max(p->names.count, 1) * sizeof(uint32), MCXT_ALLOC_HUGE);
	uint32	   *used = palloc_extended(Max(p->names.count, 1) * sizeof(uint32), MCXT_ALLOC_HUGE);
	uint32		count = 0;
	int32		depth = -1;

	memset(number, 0xff, Max(p->names.count, 1) * sizeof(uint32));
	for (uint32 i = 0; i < p->count; i++)
	{
		uint32		name = p->frames[order[i]].name;

		if (number[name] == PG_UINT32_MAX)
		{
			used[count] = name;
			number[name] = count++;
		}
	}
	put_varint(out, count);
	for (uint32 i = 0; i < count; i++)
	{
		put_varint(out, p->names.items[used[i]].len);
		put_bytes(out, p->names.items[used[i]].data, p->names.items[used[i]].len);
	}
	put_varint(out, p->count);
	for (uint32 i = 0; i < p->count; i++)
	{
		const ProfileFrame *f = &p->frames[order[i]];

		put_varint(out, depth + 1 - f->depth);
		put_varint(out, number[f->name]);
		put_byte(out, f->kind);
		for (int k = 0; k < PROFILE_SUMS; k++)
			put_varint128(out, (uint128) f->sums[k] >> shift);
		depth = f->depth;
	}
	pfree(number);
	pfree(used);
}

void
profile_encode(const Profile *p, StringInfo out)
{
	uint32	   *order = profile_order(p);
	int128		all = p->traces;
	int			shift;

	for (uint32 i = 0; i < p->count; i++)
		for (int k = 0; k < PROFILE_SUMS; k++)
			all |= p->frames[i].sums[k];
	shift = state_weight_shift(all);

	put_byte(out, PROFILE_VERSION);
	put_byte(out, 0);
	put_byte(out, shift);
	put_varint128(out, (uint128) p->traces >> shift);
	encode_frames(p, order, shift, out);
	pfree(order);
}

static void
decode_names(Cursor *c, Profile *p)
{
	uint32		count = cursor_count(c, 1, TYPE);

	for (uint32 i = 0; i < count; i++)
	{
		Bytes		name;

		name.len = cursor_count(c, 1, TYPE);
		name.data = (const char *) cursor_take(c, name.len, TYPE);
		if (name.len > PROFILE_MAX_NAME)
			state_corrupt(TYPE, "A name is too long.");
		if (profile_name(p, name, true) != i)
			state_corrupt(TYPE, "A name appears twice.");
	}
}

static void
decode_frames(Cursor *c, Profile *p, int shift)
{
	uint32		count = cursor_count(c, MIN_FRAME, TYPE);
	int32		at[PROFILE_MAX_DEPTH + 1];	/* the last frame of each level */
	int32		depth = -1;

	for (uint32 i = 0; i < count; i++)
	{
		uint64		up = cursor_varint(c, TYPE);
		uint64		name = cursor_varint(c, TYPE);
		int			kind = cursor_byte(c, TYPE);
		const char *problem;
		ProfileFrame *f;

		if (up > (uint32) (depth + 1) || name >= p->names.count || kind >= KIND_COUNT)
			state_corrupt(TYPE, "A frame has no place, name or kind.");
		depth = depth + 1 - (int32) up;
		if (depth > PROFILE_MAX_DEPTH)
			state_corrupt(TYPE, "A frame is too deep.");
		at[depth] = profile_frame(p, depth == 0 ? -1 : at[depth - 1], name, kind);
		if (at[depth] != (int32) i)
			state_corrupt(TYPE, "A frame appears twice.");
		f = &p->frames[i];
		for (int k = 0; k < PROFILE_SUMS; k++)
			f->sums[k] = cursor_amount(c, shift, TYPE);
		problem = unsound_frame(f);
		if (problem)
			state_corrupt(TYPE, problem);
	}
}

/*
 * Throws unless every count and size is possible; see also profile_verify.  The
 * names point into the bytes.
 */
Profile *
profile_decode(const void *bytes, size_t len)
{
	Cursor		c = {bytes, (const uint8 *) bytes + len};
	Profile    *p = profile_new();
	int			shift;
	const char *problem;

	if (cursor_byte(&c, TYPE) != PROFILE_VERSION)
		state_corrupt(TYPE, "The format version is unknown.");
	if (cursor_byte(&c, TYPE) != 0)
		state_corrupt(TYPE, "A flag is unknown.");
	shift = cursor_byte(&c, TYPE);
	if (shift > WEIGHT_BITS)
		state_corrupt(TYPE, "A flag is unknown.");
	p->traces = cursor_weight(&c, shift, TYPE);
	decode_names(&c, p);
	decode_frames(&c, p, shift);
	if (cursor_left(&c) != 0)
		state_corrupt(TYPE, "It goes on after its end.");
	problem = unsound(p);
	if (problem)
		state_corrupt(TYPE, problem);
	return p;
}

/* What comes from outside must also be the one binary form its value has. */
void
profile_verify(const void *bytes, size_t len)
{
	Profile    *p = profile_decode(bytes, len);
	StringInfoData again;

	for (uint32 i = 0; i < p->names.count; i++)
		if (!utf8_is_valid(p->names.items[i].data, p->names.items[i].len))
			state_corrupt(TYPE, "A name is not valid UTF-8.");
	initStringInfo(&again);
	profile_encode(p, &again);
	state_check_form(TYPE, &again, bytes, len);
	pfree(again.data);
}

/* -------------------------------------------------------------- text form */

enum
{
	KEY_TRACES, KEY_FRAMES
};

static const char *const members[] = {"traces", "frames"};

/* A frame's: the sums come last, in the order of ProfileSum. */
enum
{
	KEY_DEPTH, KEY_NAME, KEY_KIND, KEY_SUMS
};

static const char *const frame_members[KEY_SUMS + PROFILE_SUMS] = {
	"depth", "name", "kind", "calls", "errors", "self_ns", "total_ns", "critical_ns",
	"input_tokens", "output_tokens", "cost_nano_usd"
};

void
profile_to_text(const Profile *p, StringInfo out)
{
	uint32	   *order = profile_order(p);

	appendStringInfo(out, "{\"%s\": ", members[KEY_TRACES]);
	text_put_weight(out, p->traces);
	appendStringInfo(out, ", \"%s\": [", members[KEY_FRAMES]);
	for (uint32 i = 0; i < p->count; i++)
	{
		const ProfileFrame *f = &p->frames[order[i]];
		Bytes		name = profile_frame_name(p, order[i]);

		CHECK_FOR_INTERRUPTS();
		appendStringInfo(out, "%s{\"depth\": %d, \"name\": ", i ? ", " : "", f->depth + 1);
		json_put_string(out, name);
		appendStringInfo(out, ", \"kind\": \"%s\"", operation_kind_name(f->kind));
		for (int k = 0; k < PROFILE_SUMS; k++)
			if (f->sums[k] != 0)
			{
				appendStringInfo(out, ", \"%s\": ", frame_members[KEY_SUMS + k]);
				text_put_weight(out, f->sums[k]);
			}
		appendStringInfoChar(out, '}');
	}
	appendStringInfoString(out, "]}");
	pfree(order);
}

static uint8
scan_kind(JsonReader *r)
{
	Bytes		word = json_string(r);

	for (int kind = 0; kind < KIND_COUNT; kind++)
		if (bytes_equal_cstring(word, operation_kind_name(kind)))
			return kind;
	json_fail_detail(r, psprintf("Unknown kind \"%.*s\".", (int) word.len, word.data));
}

/* at: the last frame of each level, depth: the level of the one before */
static void
scan_frame(JsonReader *r, Profile *p, int32 *at, int32 *depth)
{
	ProfileFrame f = {.kind = KIND_OTHER};
	uint32		before = p->count;
	uint32		seen = 0;
	Bytes		name = {NULL, 0};
	Bytes		key;
	const char *problem;

	json_begin_object(r);
	while (json_next_member(r, &key))
	{
		int			member = text_choice(r, key, frame_members, lengthof(frame_members), &seen);

		switch (member)
		{
			case KEY_DEPTH:
				f.depth = text_int(r, 1, PROFILE_MAX_DEPTH + 1) - 1;
				break;
			case KEY_NAME:
				name = json_string(r);
				break;
			case KEY_KIND:
				f.kind = scan_kind(r);
				break;
			default:
				f.sums[member - KEY_SUMS] = text_amount(r);
		}
	}
	text_check_seen(r, frame_members, 1 << KEY_DEPTH | 1 << KEY_NAME, seen);
	if (f.depth > *depth + 1)
		json_fail_detail(r, "A frame is more than one level below the frame before.");
	if (name.len > PROFILE_MAX_NAME)
		json_fail_detail(r, psprintf("A name is longer than %d bytes.", PROFILE_MAX_NAME));
	problem = unsound_frame(&f);
	if (problem)
		json_fail_detail(r, problem);
	at[f.depth] = profile_frame(p, f.depth == 0 ? -1 : at[f.depth - 1],
								profile_name(p, name, true), f.kind);
	if (at[f.depth] != (int32) before)
		json_fail_detail(r, psprintf("Frame \"%.*s\" appears twice in one place.",
									 (int) name.len, name.data));
	memcpy(p->frames[before].sums, f.sums, sizeof(f.sums));
	*depth = f.depth;
}

static void
scan_frames(JsonReader *r, Profile *p)
{
	int32		at[PROFILE_MAX_DEPTH + 1];
	int32		depth = -1;

	json_begin_array(r);
	while (json_next_element(r))
	{
		CHECK_FOR_INTERRUPTS();
		scan_frame(r, p, at, &depth);
	}
}

Profile *
profile_from_text(const char *text)
{
	JsonReader	r;
	Profile    *p = profile_new();
	uint32		seen = 0;
	Bytes		key;
	const char *problem;

	text_begin(&r, TYPE, text);
	while (json_next_member(&r, &key))
		switch (text_choice(&r, key, members, lengthof(members), &seen))
		{
			case KEY_TRACES:
				p->traces = text_weight(&r);
				break;
			case KEY_FRAMES:
				scan_frames(&r, p);
				break;
		}
	text_end(&r);
	text_check_seen(&r, members, 1 << KEY_TRACES | 1 << KEY_FRAMES, seen);
	problem = unsound(p);
	if (problem)
		json_fail_detail(&r, problem);
	return p;
}
