/*
 * dist.h
 *		Type dist: a distribution of float8 values as an OpenTelemetry base-2
 *		exponential histogram with automatic scale.
 *
 * A value v > 0 is counted in positive bucket dist_index(v) at the histogram's
 * scale, -v in the negative bucket of the same index, zero in the zero bucket.
 * The scale is the largest, 20 at most, at which neither the positive nor the
 * negative buckets span more indexes than the bucket limit; it never rises
 * again. A bucket is 2^(2^-scale) wide, as a ratio.
 *
 * Everything in a dist is a sum, a minimum or a maximum of exact integers, so
 * that it depends on the values and weights alone: not on their order, their
 * grouping or the number of workers. The counterpart, subtraction, restores
 * counts and sum, not scale and extremes (see dist_subtract).
 *
 * Binary form, version 1 (coding of numbers: state.h; test/golden holds bytes)
 *
 *		byte		version = 1
 *		byte		flags, DIST_FLAG_*, others zero
 *		byte		scale + 128
 *		byte		shift: trailing zero bits of all weights below, 0..20
 *		varint		bucket limit
 *		varint x 5	weights >> shift: NULL, NaN, -infinity, +infinity, zero
 *		side x 2	negative, positive buckets: varint number of indexes
 *					spanned; if any: int first index, then weights >> shift in
 *					the order of indexes, a run of n empty buckets as 0, n;
 *					first and last bucket not empty
 *		float8		zero threshold					if DIST_FLAG_THRESHOLD
 *		float8 x 2	min, max						if any finite value
 *		int			grain							if any finite value
 *		varint		sum of squared weights			unless DIST_FLAG_UNIT
 *		sum			varint bytes << 1 | negative; if any: varint position of
 *					the lowest in units of 8 bits from 2^-1094, then the bytes
 *					of the magnitude, lowest first, first and last not zero
 *
 * Size: header and sum some 40 bytes, a bucket one to three bytes while its
 * count is below two million: less than 1 kB for one-sided data at 320 buckets.
 */
#ifndef LLMTRACE_DIST_H
#define LLMTRACE_DIST_H

#include "kernel/dist_index.h"
#include "kernel/state.h"

#define DIST_VERSION		1

#define DIST_DEFAULT_LIMIT	320
#define DIST_MIN_LIMIT		8
#define DIST_MAX_LIMIT		4096

/* min and max bound the values; no value need equal them (subtraction, OTLP) */
#define DIST_FLAG_BOUNDS	0x01
/* the sum is unknown (an OTLP point need not have one) */
#define DIST_FLAG_NO_SUM	0x02
/* the zero bucket holds |v| <= zero threshold (OTLP), not zero only */
#define DIST_FLAG_THRESHOLD 0x04
/* every weight is one: the sum of squares equals the sum; binary form only */
#define DIST_FLAG_UNIT		0x08

/*
 * Exact sum of float8 values times weights: a number in units of 2^-1094,
 * digits of 32 bits in int64 so that carries can wait for 2^29 additions
 * (R. Neal, "Fast exact summation using small and large superaccumulators",
 * arXiv:1505.05571). Normalised, all digits but the last are in 0 .. 2^32-1.
 */
#define SUM_DIGITS			70
#define SUM_UNIT_EXPONENT	(-1074 - WEIGHT_BITS)
#define SUM_MAX_PENDING		(1 << 29)

/* The buckets of one sign: count[i] is that of index base + i. */
typedef struct DistSide
{
	int32		base;
	int32		capacity;
	int32		first;			/* lowest and highest index in use; */
	int32		last;			/* none while capacity is 0 */
	int128	   *count;
} DistSide;

typedef struct Dist
{
	int32		limit;			/* bucket limit, each sign */
	int32		scale;
	int32		flags;			/* DIST_FLAG_BOUNDS, DIST_FLAG_NO_SUM */
	int32		grain;			/* every finite value is a multiple of 2^grain */
	int128		null_count;		/* weights of values that have no bucket */
	int128		nan_count;
	int128		low_count;		/* -infinity */
	int128		high_count;		/* +infinity */
	int128		zero_count;
	int128		finite_count;	/* of zero and both sides */
	int128		squares;		/* sum of squared weights of all but NULL and
								 * NaN, units of 2^-40 */
	double		threshold;		/* of the zero bucket */
	double		min;			/* of the finite values; */
	double		max;			/* +inf and -inf while there are none */
	DistSide	negative;
	DistSide	positive;
	int32		sum_pending;	/* additions since the last carry */
	int64		sum[SUM_DIGITS];
} Dist;

/* The grain of no value but zero. */
#define DIST_MAX_GRAIN		1024
#define DIST_MIN_GRAIN		(-1074)

/* A value to be counted, and how many can be at a time. */
typedef struct DistValue
{
	double		value;
	int64		weight;
} DistValue;

#define DIST_BATCH		29

/* weight of all values that have a place on the line: all but NULL and NaN */
static inline int128
dist_total(const Dist *d)
{
	return d->low_count + d->finite_count + d->high_count;
}

/*
 * A stretch of the line that holds weight: one bucket, the zero bucket or an
 * infinity. key rises along the line and is equal for the same bucket of two
 * dists of one scale. dist_walk_next gives key and count, dist_cell_range the
 * rest.
 */
typedef struct DistCell
{
	int64		key;
	int128		count;
	double		low;			/* all its values are in [low, high]; */
	double		high;
	double		middle;			/* the best single value for them */
} DistCell;

/* Positive bucket i has key offset + i, negative bucket i the opposite. */
#define DIST_KEY_OFFSET		((int64) 1 << 40)

/* Where minimum and maximum can be: in [min_low, min_high] and so on. */
typedef struct DistExtremes
{
	double		min_low;
	double		min_high;
	double		max_low;
	double		max_high;
} DistExtremes;

typedef struct DistWalk
{
	const Dist *dist;
	int			stage;
	int64		index;
} DistWalk;

/* Life */
extern Dist *dist_new(int limit);
extern Dist *dist_copy(const Dist *d);
extern void dist_check_limit(int64 limit);

/* Change */
extern void dist_add(Dist *d, const DistValue *values, int n);
extern void dist_add_bucket(Dist *d, bool negative, int64 index, int scale, int128 weight);
extern void dist_add_to_sum(Dist *d, double value);
extern void dist_set_limit(Dist *d, int limit);
extern void dist_set_scale(Dist *d, int scale);
extern void dist_merge(Dist *d, const Dist *other);
extern void dist_subtract(Dist *d, const Dist *other);
extern void dist_bound_extremes(const Dist *d, DistExtremes *bounds);
extern void dist_check(const Dist *d);

/* Ask */
extern void dist_walk_start(DistWalk *walk, const Dist *d);
extern bool dist_walk_next(DistWalk *walk, DistCell *cell);
extern void dist_cell_bounds(const Dist *d, int64 key, double *low, double *high);
extern void dist_cell_range(const Dist *d, DistCell *cell);
extern double dist_quantile(const Dist *d, double q);
extern double dist_cdf(const Dist *d, double value);
extern double dist_sum(const Dist *d);
extern double dist_mean(const Dist *d);
extern double dist_relative_error(const Dist *d);

/* Forms (dist_format.c) */
extern void dist_encode(const Dist *d, StringInfo out);
extern Dist *dist_decode(const void *bytes, size_t len);
extern void dist_verify(const void *bytes, size_t len);
extern void dist_to_text(const Dist *d, StringInfo out);
extern Dist *dist_from_text(const char *text);

#endif
