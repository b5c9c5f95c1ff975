/*
 * state.h
 *		What the mergeable states (dist, cat, profile) share: weights, and what their
 *		binary and text forms have in common.
 *
 * Weights are fixed-point numbers in units of 2^-20, so that adding them is
 * associative and a state is the same to the byte in whatever order, grouping
 * or number of workers it was made. One weight is at most 2^32 and all weights
 * of a state together at most 2^53 (also where float8 still counts by ones);
 * thereby the sum of squared weights, in units of 2^-40, fits int128.
 *
 * Binary form: every state is a string of bytes that is the same on all
 * machines: the datum's body, what send writes, and what parallel workers
 * exchange. Numbers are coded as in bytes.h, float8 as its eight bytes. A value
 * has exactly one binary form, so that equality of values is equality of bytes.
 *
 * Text form: a JSON object, keys in any order, each at most once.
 */
#ifndef LLMTRACE_STATE_H
#define LLMTRACE_STATE_H

#include "kernel/json_reader.h"

#ifndef HAVE_INT128
#error "llmtrace needs a compiler with 128-bit integers"
#endif

#define WEIGHT_BITS			20
#define WEIGHT_ONE			((int64) 1 << WEIGHT_BITS)
#define WEIGHT_MAX			((int64) 1 << (32 + WEIGHT_BITS))
#define WEIGHT_TOTAL_MAX	((int128) 1 << (53 + WEIGHT_BITS))

/* The most that a sum of weighted numbers (such as nanoseconds) may be. */
#define AMOUNT_MAX			((int128) 1 << 124)

/* A weight of float8, rounded to units. Error if negative or out of range. */
extern int64 weight_from_float8(double weight);

/* Throws when the total of a state exceeds WEIGHT_TOTAL_MAX. */
extern void weight_check_total(int128 total);

static inline double
weight_to_float8(int128 weight)
{
	return (double) weight / (double) WEIGHT_ONE;
}

/*
 * Kish's effective number of observations, (sum of w)^2 / sum of w^2: the
 * number of equally weighted rows that would tell as much. squares is in
 * units of 2^-40.
 */
static inline double
weight_effective(int128 total, int128 squares)
{
	return squares > 0 ? (double) total * (double) total / (double) squares : 0;
}

/*
 * squares, as if the weights came in clusters of this size and a cluster told
 * no more than one observation.  The size counts NULL values too.
 */
extern int128 squares_of_clusters(int128 total, int128 null_count, int128 squares, double cluster_size);

/* A name of no more than max bytes; a fresh one if it was longer. */
extern const char *state_shorten(const char *name, int *len, int max);

/* Binary form: ERRCODE_INVALID_BINARY_REPRESENTATION with the type's name. */
pg_noreturn extern void state_corrupt(const char *type, const char *detail);
extern void state_check_form(const char *type, StringInfo form, const void *bytes, size_t len);
extern int32 cursor_int(Cursor *c, int32 min, int32 max, const char *type);
extern double cursor_float8(Cursor *c, const char *type);
extern int128 cursor_amount(Cursor *c, int shift, const char *type);
extern void put_int(StringInfo out, int32 value);
extern void put_float8(StringInfo out, double value);

/* A weight that was written without its last `shift` bits, 0..20. */
static inline int128
cursor_weight(Cursor *c, int shift, const char *type)
{
	uint128		raw = cursor_varint128(c, type);

	if (unlikely(raw > (uint128) WEIGHT_TOTAL_MAX >> shift))
		state_corrupt(type, "A weight is too large.");
	return (int128) (raw << shift);
}

/*
 * The weights of a state have a common number of trailing zero bits (20 for
 * unweighted rows), which the binary form leaves out. Collect them by or-ing.
 */
extern int	state_weight_shift(int128 all_weights);

/* Text form: errors are ERRCODE_INVALID_TEXT_REPRESENTATION. */
extern void text_begin(JsonReader *r, const char *type, const char *text);
extern void text_end(JsonReader *r);
extern int	text_choice(JsonReader *r, Bytes key, const char *const *known, int nknown,
						uint32 *seen);
extern void text_check_seen(JsonReader *r, const char *const *known, uint32 needed,
							uint32 seen);
extern int32 text_int(JsonReader *r, int32 min, int32 max);
extern double text_float8(JsonReader *r);
extern int128 text_weight(JsonReader *r);
extern int128 text_amount(JsonReader *r);
extern int128 text_squares(JsonReader *r);
extern void text_put_float8(StringInfo out, double value);
extern void text_put_weight(StringInfo out, int128 weight);
extern void text_put_squares(StringInfo out, int128 squares);

#endif
