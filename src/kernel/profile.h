/*
 * profile.h
 *		Type profile: where the time of a whole cohort of traces goes, by the
 *		path of names from the root: the calling-context tree.
 *
 * All traces' spans with one path of names and kinds are one frame.  What a
 * frame sums up are integers times the trace's weight (state.h), so profiles of
 * parts add up to the profile of the whole, to the byte, in any order, and a
 * part can be taken off again.
 *
 * Spans below PROFILE_MAX_DEPTH levels are one frame, "…".  Names longer than
 * PROFILE_MAX_NAME bytes are shortened.
 *
 * Binary form, version 1 (coding of numbers: state.h; test/golden holds bytes)
 *
 *		byte		version = 1
 *		byte		flags, zero
 *		byte		shift: trailing zero bits of all amounts below, 0..20
 *		varint		weight of the traces >> shift
 *		varint		number of names
 *		names, in the order of their first use: varint length, bytes
 *		varint		number of frames
 *		frames, in preorder, siblings in the order of their names' bytes, then
 *		kinds: varint depth of the frame before + 1 - depth, varint name, byte
 *		kind, the sums of ProfileSum >> shift as varints
 */
#ifndef LLMTRACE_PROFILE_H
#define LLMTRACE_PROFILE_H

#include "kernel/critical_path.h"
#include "kernel/dictionary.h"
#include "kernel/state.h"
#include "kernel/trajectory.h"

#define PROFILE_VERSION 1
#define PROFILE_MAX_DEPTH 128
#define PROFILE_MAX_NAME 256

/* More different paths than this are no profile any more. */
#define PROFILE_MAX_FRAMES 1000000

/* What each frame sums up, times weight; in this order in the binary form. */
typedef enum ProfileSum
{
	SUM_CALLS = 0,
	SUM_ERRORS,
	SUM_SELF_NS,				/* no child ran */
	SUM_TOTAL_NS,				/* from start to end */
	SUM_CRITICAL_NS,			/* owned on the critical path */
	SUM_INPUT_TOKENS,			/* own usage */
	SUM_OUTPUT_TOKENS,
	SUM_COST_NANO_USD,			/* as reported, own */
	PROFILE_SUMS
} ProfileSum;

typedef struct ProfileFrame
{
	int32		parent;			/* -1 for a root; before the frame */
	int32		depth;			/* 0 for a root */
	uint32		name;
	uint8		kind;			/* OperationKind */
	int128		sums[PROFILE_SUMS];
} ProfileFrame;

typedef struct Profile
{
	MemoryContext context;
	Dictionary	names;			/* its own copies, but those of a decoded one */
	ProfileFrame *frames;
	uint32		count;
	uint32		max;
	uint32	   *slots;			/* hash table of frame number + 1 */
	uint32		mask;
	int128		traces;			/* weight */
} Profile;

extern Profile *profile_new(void);
extern uint32 profile_name(Profile *p, Bytes name, bool is_kept);
extern int32 profile_find(const Profile *p, int32 parent, uint32 name, uint8 kind);
extern uint32 profile_frame(Profile *p, int32 parent, uint32 name, uint8 kind);
extern int32 profile_find_like(const Profile *p, int32 parent, const Profile *other, uint32 frame);
extern void profile_add_trace(Profile *p, Trajectory *t, PathWork *w, int64 weight);
extern void profile_merge(Profile *p, const Profile *other);
extern Profile *profile_subtract(const Profile *p, const Profile *other);
extern uint32 *profile_order(const Profile *p);
extern int128 profile_sum(const Profile *p, ProfileSum sum);
extern Bytes profile_frame_name(const Profile *p, uint32 frame);

/* Forms (profile_format.c). */
extern void profile_encode(const Profile *p, StringInfo out);
extern Profile *profile_decode(const void *bytes, size_t len);
extern void profile_verify(const void *bytes, size_t len);
extern void profile_to_text(const Profile *p, StringInfo out);
extern Profile *profile_from_text(const char *text);

#endif							/* LLMTRACE_PROFILE_H */
