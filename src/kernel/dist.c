/*
 * dist.c
 *		The algorithms of type dist: counting, merging, subtracting, asking.
 *		No fmgr: memory comes from the current context.
 *
 * Costs: adding a value O(1) amortised; merging, subtracting and asking
 * O(buckets).
 */
#include "postgres.h"

#include <float.h>
#include <math.h>

#include "kernel/dist.h"

/* ------------------------------------------------------------------- life */

void
dist_check_limit(int64 limit)
{
	if (limit < DIST_MIN_LIMIT || limit > DIST_MAX_LIMIT)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("bucket limit " INT64_FORMAT " is out of range", limit),
				 errdetail("The limit must be between %d and %d.",
						   DIST_MIN_LIMIT, DIST_MAX_LIMIT)));
}

Dist *
dist_new(int limit)
{
	Dist	   *d = palloc0(sizeof(Dist));

	d->limit = limit;
	d->scale = DIST_MAX_SCALE;
	d->grain = DIST_MAX_GRAIN;
	d->min = INFINITY;
	d->max = -INFINITY;
	return d;
}

static void
side_copy(DistSide *side)
{
	if (side->capacity)
	{
		size_t		size = (size_t) side->capacity * sizeof(int128);

		side->count = memcpy(palloc(size), side->count, size);
	}
}

Dist *
dist_copy(const Dist *d)
{
	Dist	   *copy = memcpy(palloc(sizeof(Dist)), d, sizeof(Dist));

	side_copy(&copy->negative);
	side_copy(&copy->positive);
	return copy;
}

/* -------------------------------------------------------------------- sum */

/* Add magnitude * 2^position units. */
static inline void
sum_add(Dist *d, uint64 magnitude, int position, bool negative)
{
	uint128		shifted = (uint128) magnitude << (position & 31);
	int64	   *digit = d->sum + (position >> 5);
	int64		sign = negative ? -1 : 1;

	digit[0] += sign * (int64) (uint32) shifted;
	digit[1] += sign * (int64) (uint32) (shifted >> 32);
	digit[2] += sign * (int64) (uint32) (shifted >> 64);
}

static void
sum_carry(Dist *d)
{
	for (int i = 0; i < SUM_DIGITS - 1; i++)
	{
		d->sum[i + 1] += d->sum[i] >> 32;
		d->sum[i] &= 0xffffffff;
	}
	d->sum_pending = 0;
}

static inline void
sum_add_product(Dist *d, uint64 bits, int64 weight)
{
	int			exponent;
	uint64		magnitude = float8_split(bits, &exponent);
	bool		negative = bits >> 63;

	exponent += 1074;
	if (weight == WEIGHT_ONE)
		sum_add(d, magnitude, exponent + WEIGHT_BITS, negative);
	else
	{
		uint128		product = (uint128) magnitude * (uint64) weight;

		sum_add(d, (uint64) product, exponent, negative);
		sum_add(d, (uint64) (product >> 64), exponent + 64, negative);
	}
	if (unlikely(++d->sum_pending >= SUM_MAX_PENDING))
		sum_carry(d);
}

void
dist_add_to_sum(Dist *d, double value)
{
	uint64		bits;

	memcpy(&bits, &value, sizeof(bits));
	if (value != 0)
		sum_add_product(d, bits, WEIGHT_ONE);
}

/* The exact sum over the divisor, rounded; infinite if float8 cannot hold it. */
static double
sum_quotient(const Dist *d, double divisor)
{
	Dist		n = *d;
	bool		negative;
	int			top = SUM_DIGITS - 1;
	uint128		head;
	int			shift;

	sum_carry(&n);
	negative = n.sum[top] < 0;
	if (negative)
	{
		for (int i = 0; i < SUM_DIGITS; i++)
			n.sum[i] = -n.sum[i];
		sum_carry(&n);
	}
	while (top > 2 && n.sum[top] == 0)
		top--;

	/* Three digits hold at least 65 bits; the rest is a sticky bit. */
	head = (uint128) n.sum[top] << 64 | (uint128) n.sum[top - 1] << 32 | (uint128) n.sum[top - 2];
	if (head == 0)
		return 0;
	for (shift = 0; head >> shift > PG_UINT64_MAX >> 1; shift++)
		;
	{
		uint64		rounded = (uint64) (head >> shift);
		bool		sticky = (head & (((uint128) 1 << shift) - 1)) != 0;
		double		quotient;

		for (int i = 0; i < top - 2 && !sticky; i++)
			sticky = n.sum[i] != 0;
		quotient = (double) (rounded | (uint64) sticky) / divisor;
		quotient = ldexp(quotient, shift + 32 * (top - 2) + SUM_UNIT_EXPONENT);
		return negative ? -quotient : quotient;
	}
}

/* ---------------------------------------------------------------- buckets */

/* Merge 2^by neighbours each. */
static void
side_coarsen(DistSide *side, int by)
{
	int32		base = side->first >> by;

	if (!side->capacity)
		return;

	for (int32 i = side->first; i <= side->last; i++)
	{
		int128		count = side->count[i - side->base];

		side->count[i - side->base] = 0;
		side->count[(i >> by) - base] += count;
	}
	side->base = base;
	side->first = base;
	side->last >>= by;
}

static void
coarsen(Dist *d, int by)
{
	if (by == 0)
		return;
	side_coarsen(&d->negative, by);
	side_coarsen(&d->positive, by);
	d->scale -= by;
}

void
dist_set_scale(Dist *d, int scale)
{
	if (scale < d->scale)
		coarsen(d, d->scale - scale);
}

/* By how much indexes first..last must be shifted to number at most limit. */
static int
coarsening(int64 first, int64 last, int limit)
{
	int			by = 0;

	while ((last >> by) - (first >> by) >= limit)
		by++;
	return by;
}

void
dist_set_limit(Dist *d, int limit)
{
	int			by = 0;

	d->limit = limit;
	if (d->negative.capacity)
		by = coarsening(d->negative.first, d->negative.last, limit);
	if (d->positive.capacity)
		by = Max(by, coarsening(d->positive.first, d->positive.last, limit));
	coarsen(d, by);
}

/* Make room for an index within the limit. */
static void
side_reserve(DistSide *side, int32 index, int limit)
{
	int32		first = side->capacity ? Min(side->first, index) : index;
	int32		last = side->capacity ? Max(side->last, index) : index;
	int32		span = last - first + 1;
	int32		base;

	if (side->capacity && first >= side->base && last < side->base + side->capacity)
	{
		side->first = first;
		side->last = last;
		return;
	}
	if (span > side->capacity)
	{
		int32		capacity = Min(limit, Max(span, Max(8, 2 * side->capacity)));
		int128	   *count = palloc0((size_t) capacity * sizeof(int128));

		base = first - (capacity - span) / 2;
		if (side->capacity)
		{
			memcpy(count + (side->first - base), side->count + (side->first - side->base),
				   (size_t) (side->last - side->first + 1) * sizeof(int128));
			pfree(side->count);
		}
		side->count = count;
		side->capacity = capacity;
	}
	else
	{
		int32		used = side->last - side->first + 1;
		int32		from = side->first - side->base;
		int32		to;

		base = first - (side->capacity - span) / 2;
		to = side->first - base;
		memmove(side->count + to, side->count + from, (size_t) used * sizeof(int128));
		if (to > from)
			memset(side->count + from, 0, (size_t) Min(to - from, used) * sizeof(int128));
		else
			memset(side->count + Max(to + used, from), 0,
				   (size_t) Min(from - to, used) * sizeof(int128));
	}
	side->base = base;
	side->first = first;
	side->last = last;
}

/*
 * Make room for the bucket of an index of a scale not below the dist's, which
 * may lower that; returns the index at the dist's scale.
 */
static inline int32
bucket_reserve(Dist *d, DistSide *side, int32 index, int scale)
{
	int32		i = index >> (scale - d->scale);

	if (side->capacity)
	{
		if (likely(i >= side->first && i <= side->last))
			return i;
		coarsen(d, coarsening(Min(i, side->first), Max(i, side->last), d->limit));
		i = index >> (scale - d->scale);
	}
	side_reserve(side, i, d->limit);
	return i;
}

/* ----------------------------------------------------------------- change */

/* NaN or infinite: counted apart */
static void
add_not_finite(Dist *d, const DistValue *v)
{
	if (isnan(v->value))
	{
		d->nan_count += v->weight;
		return;
	}
	d->squares += (int128) v->weight * v->weight;
	if (v->value < 0)
		d->low_count += v->weight;
	else
		d->high_count += v->weight;
}

/*
 * Add up to DIST_BATCH values. A batch first makes room for its lowest and
 * highest bucket, so that a new dist finds its scale and size at once.
 */
void
dist_add(Dist *d, const DistValue *values, int n)
{
	struct
	{
		DistSide   *side;
		int32		index;
		int64		weight;
	}			found[DIST_BATCH];
	int32		lowest[2] = {PG_INT32_MAX, PG_INT32_MAX};
	int32		highest[2] = {PG_INT32_MIN, PG_INT32_MIN};
	int			nfound = 0;

	Assert(n <= DIST_BATCH);
	for (int i = 0; i < n; i++)
	{
		double		value = values[i].value;
		int64		weight = values[i].weight;
		uint64		bits;

		memcpy(&bits, &value, sizeof(bits));
		if (unlikely(weight == 0))
			continue;
		if (unlikely(!isfinite(value)))
		{
			add_not_finite(d, &values[i]);
			continue;
		}
		d->finite_count += weight;
		d->squares += (int128) weight * weight;
		if (unlikely(value == 0))
		{
			value = 0;			/* not -0 */
			d->zero_count += weight;
		}
		else
		{
			bool		negative = bits >> 63;
			int32		index = dist_index(bits);
			int			exponent;
			int			grain = __builtin_ctzll(float8_split(bits, &exponent));

			d->grain = Min(d->grain, grain + exponent);
			sum_add_product(d, bits, weight);
			found[nfound].side = negative ? &d->negative : &d->positive;
			found[nfound].index = index;
			found[nfound++].weight = weight;
			lowest[negative] = Min(lowest[negative], index);
			highest[negative] = Max(highest[negative], index);
		}
		d->min = Min(d->min, value);
		d->max = Max(d->max, value);
	}

	for (int negative = 0; negative < 2; negative++)
		if (lowest[negative] <= highest[negative])
		{
			DistSide   *side = negative ? &d->negative : &d->positive;

			bucket_reserve(d, side, lowest[negative], DIST_MAX_SCALE);
			bucket_reserve(d, side, highest[negative], DIST_MAX_SCALE);
		}
	for (int i = 0; i < nfound; i++)
	{
		DistSide   *side = found[i].side;

		side->count[(found[i].index >> (DIST_MAX_SCALE - d->scale)) - side->base] += found[i].weight;
	}
	dist_check(d);
}

/* A bucket from elsewhere; the caller sees to extremes, sum and squares. */
void
dist_add_bucket(Dist *d, bool negative, int64 index, int scale, int128 weight)
{
	DistSide   *side = negative ? &d->negative : &d->positive;
	int32		i;

	dist_set_scale(d, scale);
	i = bucket_reserve(d, side, (int32) index, scale);
	side->count[i - side->base] += weight;
	d->finite_count += weight;
}

static void
side_merge(Dist *d, DistSide *side, const DistSide *other, int scale)
{
	if (!other->capacity)
		return;
	bucket_reserve(d, side, other->first, scale);
	bucket_reserve(d, side, other->last, scale);
	for (int32 i = other->first; i <= other->last; i++)
		side->count[(i >> (scale - d->scale)) - side->base] += other->count[i - other->base];
}

/* d += other. The lower bucket limit holds for both. */
void
dist_merge(Dist *d, const Dist *other)
{
	Dist		sum = *other;

	if (other->limit < d->limit)
		dist_set_limit(d, other->limit);
	dist_set_scale(d, other->scale);
	side_merge(d, &d->negative, &other->negative, other->scale);
	side_merge(d, &d->positive, &other->positive, other->scale);
	d->null_count += other->null_count;
	d->nan_count += other->nan_count;
	d->low_count += other->low_count;
	d->high_count += other->high_count;
	d->zero_count += other->zero_count;
	d->finite_count += other->finite_count;
	d->squares += other->squares;
	d->flags |= other->flags;
	d->grain = Min(d->grain, other->grain);
	d->threshold = Max(d->threshold, other->threshold);
	d->min = Min(d->min, other->min);
	d->max = Max(d->max, other->max);
	sum_carry(d);
	sum_carry(&sum);
	for (int i = 0; i < SUM_DIGITS; i++)
		d->sum[i] += sum.sum[i];
	d->sum_pending = 1;
	dist_check(d);
}

pg_noreturn static void
not_contained(const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("cannot subtract a distribution that is not part of the other"),
			 errdetail("The second has more weight than the first in %s.", what),
			 errhint("Subtract only what was merged before.")));
}

static void
count_subtract(int128 *count, int128 other, const char *what)
{
	if (other > *count)
		not_contained(what);
	*count -= other;
}

static void
side_subtract(DistSide *side, const DistSide *other)
{
	if (!other->capacity)
		return;
	for (int32 i = other->first; i <= other->last; i++)
	{
		int128		count = other->count[i - other->base];

		if (count == 0)
			continue;
		if (!side->capacity || i < side->first || i > side->last)
			not_contained("a bucket");
		count_subtract(&side->count[i - side->base], count, "a bucket");
	}
	while (side->capacity && side->count[side->first - side->base] == 0)
	{
		if (side->first == side->last)
		{
			pfree(side->count);
			memset(side, 0, sizeof(*side));
		}
		else
			side->first++;
	}
	while (side->capacity && side->count[side->last - side->base] == 0)
		side->last--;
}

/*
 * d -= other. Counts and sum are those of the values that remain; the scale
 * stays, and min and max become bounds: the old ones, drawn in to the buckets
 * that remain.
 */
void
dist_subtract(Dist *d, const Dist *other)
{
	Dist	   *o = dist_copy(other);

	if (o->limit < d->limit)
		dist_set_limit(d, o->limit);
	dist_set_scale(d, o->scale);
	dist_set_scale(o, d->scale);
	side_subtract(&d->negative, &o->negative);
	side_subtract(&d->positive, &o->positive);
	count_subtract(&d->null_count, o->null_count, "NULL");
	count_subtract(&d->nan_count, o->nan_count, "NaN");
	count_subtract(&d->low_count, o->low_count, "-infinity");
	count_subtract(&d->high_count, o->high_count, "infinity");
	count_subtract(&d->zero_count, o->zero_count, "the zero bucket");
	count_subtract(&d->squares, o->squares, "squared weights");
	d->finite_count -= o->finite_count;
	d->flags |= o->flags;
	sum_carry(d);
	sum_carry(o);
	for (int i = 0; i < SUM_DIGITS; i++)
		d->sum[i] -= o->sum[i];
	d->sum_pending = 1;

	if (d->finite_count == 0)
	{
		/* nothing is left that they could describe */
		d->min = INFINITY;
		d->max = -INFINITY;
		d->grain = DIST_MAX_GRAIN;
		d->flags &= ~(DIST_FLAG_BOUNDS | DIST_FLAG_NO_SUM);
		memset(d->sum, 0, sizeof(d->sum));
	}
	else if (o->finite_count)
	{
		DistExtremes bounds;

		dist_bound_extremes(d, &bounds);
		d->min = Max(d->min, bounds.min_low);
		d->max = Min(d->max, bounds.max_high);
		d->flags |= DIST_FLAG_BOUNDS;
	}
}

/*
 * What the buckets alone say of minimum and maximum. Each bucket has a value,
 * so the minimum is not above any bucket. Of an empty dist, nothing fits.
 */
void
dist_bound_extremes(const Dist *d, DistExtremes *bounds)
{
	int64		keys[5];
	int			n = 0;

	if (d->zero_count)
		keys[n++] = 0;
	if (d->negative.capacity)
	{
		keys[n++] = -DIST_KEY_OFFSET - d->negative.last;
		keys[n++] = -DIST_KEY_OFFSET - d->negative.first;
	}
	if (d->positive.capacity)
	{
		keys[n++] = DIST_KEY_OFFSET + d->positive.first;
		keys[n++] = DIST_KEY_OFFSET + d->positive.last;
	}

	bounds->min_low = bounds->min_high = INFINITY;
	bounds->max_low = bounds->max_high = -INFINITY;
	for (int i = 0; i < n; i++)
	{
		double		low;
		double		high;

		dist_cell_bounds(d, keys[i], &low, &high);
		bounds->min_low = Min(bounds->min_low, low);
		bounds->min_high = Min(bounds->min_high, high);
		bounds->max_low = Max(bounds->max_low, low);
		bounds->max_high = Max(bounds->max_high, high);
	}
}

void
dist_check(const Dist *d)
{
	weight_check_total(d->null_count + d->nan_count + dist_total(d));
}

/* -------------------------------------------------------------------- ask */

static int32
index_at_scale(const Dist *d, double value)
{
	uint64		bits;

	memcpy(&bits, &value, sizeof(bits));
	return dist_index(bits) >> (DIST_MAX_SCALE - d->scale);
}

/*
 * Is there only one multiple of 2^grain in a bucket? So buckets of integers
 * are exact as long as they are narrow. The boundary is a rounded one, so the
 * multiple next below it may belong to the next bucket: the index decides.
 */
static bool
one_multiple(const Dist *d, int64 index, double outer, double *value)
{
	double		grain = ldexp(1, d->grain);
	double		multiple = floor(outer / grain) * grain;

	if (multiple > 0 && multiple <= DBL_MAX && index_at_scale(d, multiple) > index)
		multiple -= grain;
	if (!(multiple > 0 && multiple <= DBL_MAX) || multiple - grain == multiple ||
		index_at_scale(d, multiple) != index)
		return false;
	*value = multiple;
	return multiple == grain || index_at_scale(d, multiple - grain) < index;
}

/* The bounds of a cell in the histogram. */
void
dist_cell_bounds(const Dist *d, int64 key, double *low, double *high)
{
	if (key == PG_INT64_MIN || key == PG_INT64_MAX)
		*low = *high = key < 0 ? -INFINITY : INFINITY;
	else if (key == 0)
	{
		*high = d->threshold;
		*low = 0 - d->threshold;
	}
	else
	{
		int64		index = (key < 0 ? -key : key) - DIST_KEY_OFFSET;
		double		inner = dist_boundary(index, d->scale);
		double		outer = dist_boundary(index + 1, d->scale);

		*low = key < 0 ? -outer : inner;
		*high = key < 0 ? -inner : outer;
	}
}

/*
 * Fill in where the values of a cell lie: its bounds, drawn in to the
 * extremes, and to one value where that is known.
 */
void
dist_cell_range(const Dist *d, DistCell *cell)
{
	double		inner;
	double		outer;

	dist_cell_bounds(d, cell->key, &cell->low, &cell->high);
	if (cell->low == cell->high)
	{
		cell->middle = cell->low;
		return;
	}
	inner = Min(fabs(cell->low), fabs(cell->high));
	outer = Max(fabs(cell->low), fabs(cell->high));
	if (cell->key == 0)
		cell->middle = 0;
	else if (one_multiple(d, (cell->key < 0 ? -cell->key : cell->key) - DIST_KEY_OFFSET,
						  outer, &cell->middle))
	{
		if (cell->key < 0)
			cell->middle = -cell->middle;
		cell->low = cell->high = cell->middle;
	}
	else
	{
		/* The value whose largest relative error is smallest: 2io / (i + o). */
		cell->middle = copysign(2 * (inner / (1 + inner / outer)), cell->low);
	}
	cell->low = Min(Max(cell->low, d->min), d->max);
	cell->high = Max(Min(cell->high, d->max), d->min);
	cell->middle = Min(Max(cell->middle, cell->low), cell->high);
}

/* The first index of a side, from `index` on in steps, that has weight. */
static bool
side_next(const DistSide *side, int64 *index, int step)
{
	while (side->capacity && *index >= side->first && *index <= side->last)
	{
		if (side->count[*index - side->base])
			return true;
		*index += step;
	}
	return false;
}

void
dist_walk_start(DistWalk *walk, const Dist *d)
{
	walk->dist = d;
	walk->stage = 0;
	walk->index = d->negative.last;
}

/* Steps along the line from -infinity: key and count of the next cell. */
bool
dist_walk_next(DistWalk *walk, DistCell *cell)
{
	const Dist *d = walk->dist;

	switch (walk->stage)
	{
		case 0:
			walk->stage++;
			cell->key = PG_INT64_MIN;
			cell->count = d->low_count;
			if (cell->count)
				return true;
			/* FALLTHROUGH */
		case 1:
			if (side_next(&d->negative, &walk->index, -1))
			{
				cell->key = -DIST_KEY_OFFSET - walk->index;
				cell->count = d->negative.count[walk->index-- - d->negative.base];
				return true;
			}
			walk->stage++;
			/* FALLTHROUGH */
		case 2:
			walk->stage++;
			walk->index = d->positive.first;
			cell->key = 0;
			cell->count = d->zero_count;
			if (cell->count)
				return true;
			/* FALLTHROUGH */
		case 3:
			if (side_next(&d->positive, &walk->index, 1))
			{
				cell->key = DIST_KEY_OFFSET + walk->index;
				cell->count = d->positive.count[walk->index++ - d->positive.base];
				return true;
			}
			walk->stage++;
			/* FALLTHROUGH */
		case 4:
			walk->stage++;
			cell->key = PG_INT64_MAX;
			cell->count = d->high_count;
			if (cell->count)
				return true;
			/* FALLTHROUGH */
		default:
			return false;
	}
}

/* The smallest value v with P(X <= v) >= q, 0 <= q <= 1. d is not empty. */
double
dist_quantile(const Dist *d, double q)
{
	double		rank = q * (double) dist_total(d);
	int128		passed = 0;
	DistWalk	walk;
	DistCell	cell;

	if (q == 0 && d->low_count == 0 && d->finite_count)
		return d->min;
	if (q == 1 && d->high_count == 0 && d->finite_count)
		return d->max;
	dist_walk_start(&walk, d);
	while (dist_walk_next(&walk, &cell))
	{
		passed += cell.count;
		if ((double) passed >= rank)
			break;
	}
	dist_cell_range(d, &cell);
	return cell.middle;
}

/* P(X <= value), uniform within a bucket. d is not empty, value not NaN. */
double
dist_cdf(const Dist *d, double value)
{
	double		passed = 0;
	DistWalk	walk;
	DistCell	cell;

	if (isinf(value) && value > 0)
		return 1;
	if (value >= d->max && d->finite_count)
		return (double) (dist_total(d) - d->high_count) / (double) dist_total(d);
	dist_walk_start(&walk, d);
	while (dist_walk_next(&walk, &cell))
	{
		dist_cell_range(d, &cell);
		if (cell.high <= value)
			passed += (double) cell.count;
		else if (cell.low < value)
			passed += (double) cell.count * ((value / 2 - cell.low / 2) / (cell.high / 2 - cell.low / 2));
	}
	return passed / (double) dist_total(d);
}

/* Infinite values make the sum what IEEE 754 says: infinite, or NaN for both. */
static double
infinities(const Dist *d)
{
	return d->low_count && d->high_count ? NAN : d->low_count ? -INFINITY : INFINITY;
}

double
dist_sum(const Dist *d)
{
	return d->low_count || d->high_count ? infinities(d) : sum_quotient(d, 1);
}

double
dist_mean(const Dist *d)
{
	if (d->low_count || d->high_count)
		return infinities(d);
	return sum_quotient(d, weight_to_float8(d->finite_count));
}

/* The bound of |estimate - value| / |value| for quantiles at this scale. */
double
dist_relative_error(const Dist *d)
{
	double		base = exp2(ldexp(1, -d->scale));

	return isinf(base) ? 1 : (base - 1) / (base + 1);
}
