/*
 * state.h
 *		What the mergeable states (dist, cat) share: weights, the bytes of
 *		their binary form, and the scanner of their text form.
 *
 * Weights are fixed-point numbers in units of 2^-20, so that adding them is
 * associative and a state is the same to the byte in whatever order, grouping
 * or number of workers it was made. One weight is at most 2^32 and all weights
 * of a state together at most 2^53 (also where float8 still counts by ones);
 * thereby the sum of squared weights, in units of 2^-40, fits int128.
 *
 * Binary form: every state is a string of bytes that is the same on all
 * machines: the datum's body, what send writes, and what parallel workers
 * exchange. Integers are LEB128 varints, signed ones zigzag-coded, float8 is
 * eight bytes, least significant first. A value has exactly one binary form, so
 * that equality of values is equality of bytes.
 */
#ifndef LLMTRACE_STATE_H
#define LLMTRACE_STATE_H

#include "lib/stringinfo.h"

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

/* A name of no more than max bytes; a fresh one if it was longer. */
extern const char *state_shorten(const char *name, int *len, int max);

/*
 * Reader of the binary form. Reading past the end or an overlong number
 * throws ERRCODE_INVALID_BINARY_REPRESENTATION with the type's name.
 */
typedef struct StateReader
{
	const char *type;
	const unsigned char *p;
	const unsigned char *end;
} StateReader;

extern void state_corrupt(const char *type, const char *detail) pg_attribute_noreturn();
extern int	state_read_byte(StateReader *r);
extern uint128 state_read_varint(StateReader *r);
extern int32 state_read_int(StateReader *r, int32 min, int32 max);
extern int128 state_read_weight(StateReader *r, int shift);
extern double state_read_float8(StateReader *r);
extern const char *state_read_bytes(StateReader *r, int len);

extern void state_write_varint(StringInfo out, uint128 value);
extern void state_write_int(StringInfo out, int32 value);
extern void state_write_float8(StringInfo out, double value);

/*
 * The weights of a state have a common number of trailing zero bits (20 for
 * unweighted rows), which the binary form leaves out. Collect them by or-ing.
 */
extern int	state_weight_shift(int128 all_weights);

/*
 * Scanner of the text form: a JSON object, keys in any order, each at most
 * once. Errors are ERRCODE_INVALID_TEXT_REPRESENTATION.
 */
typedef struct TextScanner
{
	const char *type;
	const char *start;
	const char *p;
} TextScanner;

extern void text_fail(TextScanner *s, const char *detail) pg_attribute_noreturn();
extern bool text_try(TextScanner *s, char c);
extern void text_expect(TextScanner *s, char c);
extern void text_end(TextScanner *s);
extern char *text_string(TextScanner *s, int *len);
extern bool text_member(TextScanner *s, bool *first, char **key, int *len);
extern int	text_choice(TextScanner *s, const char *key, const char *const *known,
						int nknown, uint32 *seen);
extern int32 text_int(TextScanner *s, int32 min, int32 max);
extern double text_float8(TextScanner *s);
extern int128 text_weight(TextScanner *s);
extern int128 text_amount(TextScanner *s);
extern int128 text_squares(TextScanner *s);

extern void text_put_string(StringInfo out, const char *str, int len);
extern void text_put_float8(StringInfo out, double value);
extern void text_put_weight(StringInfo out, int128 weight);
extern void text_put_squares(StringInfo out, int128 squares);

#endif
