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
	state_write_varint(out, count);
	for (uint32 i = 0; i < count; i++)
	{
		state_write_varint(out, p->names.items[used[i]].len);
		appendBinaryStringInfo(out, p->names.items[used[i]].data, p->names.items[used[i]].len);
	}
	state_write_varint(out, p->count);
	for (uint32 i = 0; i < p->count; i++)
	{
		const ProfileFrame *f = &p->frames[order[i]];

		state_write_varint(out, depth + 1 - f->depth);
		state_write_varint(out, number[f->name]);
		appendStringInfoCharMacro(out, (char) f->kind);
		for (int k = 0; k < PROFILE_SUMS; k++)
			state_write_varint(out, (uint128) f->sums[k] >> shift);
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

	appendStringInfoCharMacro(out, PROFILE_VERSION);
	appendStringInfoCharMacro(out, 0);
	appendStringInfoCharMacro(out, (char) shift);
	state_write_varint(out, (uint128) p->traces >> shift);
	encode_frames(p, order, shift, out);
	pfree(order);
}

static int128
read_amount(StateReader *r, int shift)
{
	uint128		raw = state_read_varint(r);

	if (raw > (uint128) AMOUNT_MAX >> shift)
		state_corrupt(TYPE, "A sum is too large.");
	return (int128) (raw << shift);
}

/* A count of things of which each takes at least so many bytes. */
static uint32
read_count(StateReader *r, size_t min_size)
{
	uint128		count = state_read_varint(r);

	if (count > (size_t) (r->end - r->p) / min_size)
		state_corrupt(TYPE, "It ends too early.");
	return (uint32) count;
}

static void
decode_names(StateReader *r, Profile *p)
{
	uint32		count = read_count(r, 1);

	for (uint32 i = 0; i < count; i++)
	{
		Bytes		name;

		name.len = read_count(r, 1);
		name.data = state_read_bytes(r, name.len);
		if (name.len > PROFILE_MAX_NAME)
			state_corrupt(TYPE, "A name is too long.");
		if (profile_name(p, name, true) != i)
			state_corrupt(TYPE, "A name appears twice.");
	}
}

static void
decode_frames(StateReader *r, Profile *p, int shift)
{
	uint32		count = read_count(r, MIN_FRAME);
	int32		at[PROFILE_MAX_DEPTH + 1];	/* the last frame of each level */
	int32		depth = -1;

	for (uint32 i = 0; i < count; i++)
	{
		uint128		up = state_read_varint(r);
		uint128		name = state_read_varint(r);
		int			kind = state_read_byte(r);
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
			f->sums[k] = read_amount(r, shift);
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
	StateReader r = {TYPE, bytes, (const unsigned char *) bytes + len};
	Profile    *p = profile_new();
	int			shift;
	const char *problem;

	if (state_read_byte(&r) != PROFILE_VERSION)
		state_corrupt(TYPE, "The format version is unknown.");
	if (state_read_byte(&r) != 0)
		state_corrupt(TYPE, "A flag is unknown.");
	shift = state_read_byte(&r);
	if (shift > WEIGHT_BITS)
		state_corrupt(TYPE, "A flag is unknown.");
	p->traces = state_read_weight(&r, shift);
	decode_names(&r, p);
	decode_frames(&r, p, shift);
	if (r.p != r.end)
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
	if ((size_t) again.len != len || memcmp(again.data, bytes, len) != 0)
		state_corrupt(TYPE, "It is not in its shortest form.");
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
		text_put_string(out, name.data, name.len);
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
scan_kind(TextScanner *s)
{
	int			len;
	char	   *word = text_string(s, &len);

	for (int kind = 0; kind < KIND_COUNT; kind++)
		if (strcmp(operation_kind_name(kind), word) == 0)
			return kind;
	text_fail(s, psprintf("Unknown kind \"%s\".", word));
}

/* One frame, behind its brace; at: the last frame of each level. */
static void
scan_frame(TextScanner *s, Profile *p, int32 *at, int32 *depth)
{
	ProfileFrame f = {.kind = KIND_OTHER};
	bool		first = true;
	uint32		seen = 0;
	uint32		before = p->count;
	char	   *name = NULL;
	int			name_len = 0;
	char	   *key;
	int			len;
	const char *problem;

	while (text_member(s, &first, &key, &len))
	{
		int			member = text_choice(s, key, frame_members, lengthof(frame_members), &seen);

		switch (member)
		{
			case KEY_DEPTH:
				f.depth = text_int(s, 1, PROFILE_MAX_DEPTH + 1) - 1;
				break;
			case KEY_NAME:
				name = text_string(s, &name_len);
				break;
			case KEY_KIND:
				f.kind = scan_kind(s);
				break;
			default:
				f.sums[member - KEY_SUMS] = text_amount(s);
		}
	}
	if (!(seen & 1 << KEY_DEPTH) || name == NULL)
		text_fail(s, "A frame lacks its depth or its name.");
	if (f.depth > *depth + 1)
		text_fail(s, "A frame is more than one level below the frame before.");
	if (name_len > PROFILE_MAX_NAME)
		text_fail(s, psprintf("A name is longer than %d bytes.", PROFILE_MAX_NAME));
	problem = unsound_frame(&f);
	if (problem)
		text_fail(s, problem);
	at[f.depth] = profile_frame(p, f.depth == 0 ? -1 : at[f.depth - 1],
								profile_name(p, (Bytes) {name, name_len}, true), f.kind);
	if (at[f.depth] != (int32) before)
		text_fail(s, psprintf("Frame \"%s\" appears twice in one place.", name));
	memcpy(p->frames[before].sums, f.sums, sizeof(f.sums));
	*depth = f.depth;
}

static void
scan_frames(TextScanner *s, Profile *p)
{
	int32		at[PROFILE_MAX_DEPTH + 1];
	int32		depth = -1;

	text_expect(s, '[');
	if (text_try(s, ']'))
		return;
	do
	{
		CHECK_FOR_INTERRUPTS();
		text_expect(s, '{');
		scan_frame(s, p, at, &depth);
	} while (text_try(s, ','));
	text_expect(s, ']');
}

Profile *
profile_from_text(const char *text)
{
	TextScanner s = {TYPE, text, text};
	Profile    *p = profile_new();
	uint32		seen = 0;
	bool		first = true;
	char	   *key;
	int			len;
	const char *problem;

	text_expect(&s, '{');
	while (text_member(&s, &first, &key, &len))
		switch (text_choice(&s, key, members, lengthof(members), &seen))
		{
			case KEY_TRACES:
				p->traces = text_weight(&s);
				break;
			case KEY_FRAMES:
				scan_frames(&s, p);
				break;
		}
	text_end(&s);
	for (int i = 0; i < (int) lengthof(members); i++)
		if (!(seen & 1 << i))
			text_fail(&s, psprintf("Key \"%s\" is missing.", members[i]));
	problem = unsound(p);
	if (problem)
		text_fail(&s, problem);
	return p;
}
