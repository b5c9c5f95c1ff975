/*
 * dist_index.h
 *		Bucket indexes of the OpenTelemetry base-2 exponential histogram.
 *
 * At scale s, bucket i holds the values in (2^(i / 2^s), 2^((i+1) / 2^s)]:
 * lower bound exclusive, upper inclusive. The index at a lower scale is the
 * index at a higher one shifted right by the difference, so everything starts
 * from scale 20, the finest.
 *
 * The index comes from the bits of the float8 with integer arithmetic only,
 * so that it is the same on all machines: libm's log() is not. A quadratic
 * around the middle of one of 256 slices of the octave gives log2 to within
 * 2^-27; where that does not decide the index (one value in 64), the boundary
 * itself, computed to 120 bits, does. No boundary of scale 20 but the powers
 * of two, which are handled first, comes nearer than 2^-78 to a float8, so the
 * comparison is always right (dist_table.py --check walks all of them).
 *
 * The bits-and-correction approach is that of DynaHist and of OpenTelemetry's
 * lookup-table mapping (open-telemetry/opentelemetry-specification,
 * metrics/data-model.md); the fixed-point logarithm replaces its table of 2^s
 * boundaries, which would be 8 MB at scale 20.
 */
#ifndef LLMTRACE_DIST_INDEX_H
#define LLMTRACE_DIST_INDEX_H

#define DIST_MAX_SCALE		20
#define DIST_MIN_SCALE		(-10)

/* The indexes of the smallest and the largest float8 at scale 20. */
#define DIST_MIN_INDEX		(-1074 * (1 << DIST_MAX_SCALE) - 1)
#define DIST_MAX_INDEX		(1024 * (1 << DIST_MAX_SCALE) - 1)

#define FLOAT8_FRACTION_BITS	52
#define FLOAT8_FRACTION			((UINT64CONST(1) << FLOAT8_FRACTION_BITS) - 1)

/* log2(c + t) ~ constant * 2^-62 + slope * 2^-30 t - curvature * 2^-30 t^2 */
typedef struct DistLogRow
{
	int64		constant;
	int32		slope;
	int32		curvature;
} DistLogRow;

/* The largest error of that, in units of 2^-62. */
#define DIST_LOG_ERROR		((int64) 1 << (62 - 27))

extern const DistLogRow dist_log_rows[256];

/* Is 1 + fraction * 2^-52 above 2^(k / 2^20)? 0 <= k <= 2^20 */
extern bool dist_above_boundary(uint64 fraction, int k);

/* 2^(index / 2^scale), rounded; 0 and DBL_MAX where float8 ends. */
extern double dist_boundary(int64 index, int scale);

/* Does an index of this scale belong to some float8? */
static inline bool
dist_index_exists(int64 index, int scale)
{
	return index >= DIST_MIN_INDEX >> (DIST_MAX_SCALE - scale) &&
		index <= DIST_MAX_INDEX >> (DIST_MAX_SCALE - scale);
}

/* A finite value other than zero as fraction * 2^(exponent), 53 bits at most. */
static inline uint64
float8_split(uint64 bits, int *exponent)
{
	int			e = (int) (bits >> FLOAT8_FRACTION_BITS & 0x7ff);

	*exponent = (e ? e : 1) - 1075;
	return (bits & FLOAT8_FRACTION) | (uint64) (e != 0) << FLOAT8_FRACTION_BITS;
}

/* The index at scale 20 of the absolute value of a finite float8 but zero. */
static inline int32
dist_index(uint64 bits)
{
	int			exponent = (int) (bits >> FLOAT8_FRACTION_BITS & 0x7ff) - 1023;
	uint64		fraction = bits & FLOAT8_FRACTION;
	const DistLogRow *row;
	int64		t;
	int64		log;
	int			k;

	if (unlikely(exponent == -1023))
	{
		/* subnormal: move the first bit into the implicit place */
		int			shift = __builtin_clzll(fraction) - 11;

		fraction = fraction << shift & FLOAT8_FRACTION;
		exponent = -1022 - shift;
	}
	if (fraction == 0)
		return exponent * (1 << DIST_MAX_SCALE) - 1;

	row = &dist_log_rows[fraction >> 44];
	t = ((int64) (fraction >> 12) & 0xffffffff) - ((int64) 1 << 31);	/* 2^-40 */
	log = row->constant + (t * row->slope >> 8) - ((t * t >> 32) * row->curvature >> 16);
	k = (int) ((log - DIST_LOG_ERROR) >> (62 - DIST_MAX_SCALE));
	if (unlikely((log + DIST_LOG_ERROR) >> (62 - DIST_MAX_SCALE) != k) &&
		dist_above_boundary(fraction, k + 1))
		k++;
	return exponent * (1 << DIST_MAX_SCALE) + k;
}

#endif
