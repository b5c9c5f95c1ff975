/*
 * drift.c
 *		The statistics of drift.h. No fmgr: memory comes from the current
 *		context.
 */
#include "postgres.h"

#include <float.h>
#include <math.h>

#include "kernel/drift.h"
#include "kernel/probability.h"

/* Bins of about equal weight. */
#define DRIFT_BINS		10

/* Cochran's rule: the chi-square approximation wants this much in a cell. */
#define DRIFT_EXPECTED	5

/* ---------------------------------------------------------------- samples */

static int
compare_values(const void *a, const void *b)
{
	double		left = *(const double *) a;
	double		right = *(const double *) b;

	return (left > right) - (left < right);
}

/*
 * Population standard deviation of the items at their middles. It is a
 * seminorm: off by at most the root mean square of the distance of values from
 * their item's middle. In units of the largest value, so that nothing
 * overflows.
 */
static double
stddev(const DriftSample *sample)
{
	double		largest = 0;
	double		mean = 0;
	double		squares = 0;

	for (int i = 0; i < sample->nitems; i++)
		largest = Max(largest, fabs(sample->items[i].middle));
	if (largest == 0)
		return 0;
	if (isinf(largest))
		return NAN;
	for (int i = 0; i < sample->nitems; i++)
		mean += sample->items[i].weight / sample->count * (sample->items[i].middle / largest);
	for (int i = 0; i < sample->nitems; i++)
	{
		double		off = sample->items[i].middle / largest - mean;

		squares += sample->items[i].weight / sample->count * off * off;
	}
	return sqrt(squares) * largest;
}

/* Sorts the values. */
DriftSample *
drift_sample_values(double *values, int n)
{
	DriftSample *sample = palloc0(sizeof(DriftSample));
	Dist	   *sum = dist_new(DIST_DEFAULT_LIMIT);
	int			kept = 0;

	for (int i = 0; i < n; i++)
	{
		dist_add(sum, &(DistValue) {values[i], WEIGHT_ONE}, 1);
		if (!isnan(values[i]))
			values[kept++] = values[i];
	}
	qsort(values, kept, sizeof(double), compare_values);

	sample->items = palloc(Max(kept, 1) * sizeof(DriftItem));
	for (int i = 0; i < kept; i++)
	{
		DriftItem  *item = &sample->items[sample->nitems - 1];

		if (sample->nitems == 0 || values[i] != item->key)
		{
			item = &sample->items[sample->nitems++];
			item->key = item->low = item->middle = item->high = values[i];
			item->weight = 0;
		}
		item->weight++;
	}
	sample->count = sample->effective = kept;
	sample->mean = kept ? dist_mean(sum) : NAN;
	sample->stddev = stddev(sample);
	return sample;
}

/*
 * Buckets that reach into the zero bucket of either side, up to threshold, are
 * one item with it.
 */
DriftSample *
drift_sample_dist(const Dist *d, double threshold)
{
	DriftSample *sample = palloc0(sizeof(DriftSample));
	int			capacity = 64;
	DistWalk	walk;
	DistCell	cell;

	sample->items = palloc(capacity * sizeof(DriftItem));
	dist_walk_start(&walk, d);
	while (dist_walk_next(&walk, &cell))
	{
		double		weight = weight_to_float8(cell.count);
		double		key = cell.key;
		double		low;
		double		high;
		DriftItem  *item;

		dist_cell_bounds(d, cell.key, &low, &high);
		dist_cell_range(d, &cell);
		if (isinf(low))
			key = low;
		else if (low < threshold && high > -threshold)
			key = 0;

		if (sample->nitems && sample->items[sample->nitems - 1].key == key)
		{
			item = &sample->items[sample->nitems - 1];
			item->low = Min(item->low, cell.low);
			item->high = Max(item->high, cell.high);
			item->middle += (cell.middle - item->middle) * (weight / (item->weight + weight));
			item->weight += weight;
			continue;
		}
		if (sample->nitems == capacity)
		{
			capacity *= 2;
			sample->items = repalloc(sample->items, capacity * sizeof(DriftItem));
		}
		item = &sample->items[sample->nitems++];
		item->key = key;
		item->low = cell.low;
		item->middle = cell.middle;
		item->high = cell.high;
		item->weight = weight;
	}
	sample->count = weight_to_float8(dist_total(d));
	sample->effective = weight_effective(dist_total(d), d->squares);
	sample->mean = dist_total(d) && !(d->flags & DIST_FLAG_NO_SUM) ? dist_mean(d) : NAN;
	sample->stddev = stddev(sample);
	return sample;
}

/* ---------------------------------------------------- along the line: KS, W */

/*
 * Steps through both samples together: the items of the lowest key that is
 * left, NULL on a side that has none of it.
 */
typedef struct Pair
{
	const DriftItem *ref;
	const DriftItem *cur;
	int			next_ref;
	int			next_cur;
} Pair;

static bool
next_pair(const DriftSample *ref, const DriftSample *cur, Pair *pair)
{
	const DriftItem *r = pair->next_ref < ref->nitems ? &ref->items[pair->next_ref] : NULL;
	const DriftItem *c = pair->next_cur < cur->nitems ? &cur->items[pair->next_cur] : NULL;

	if (!r && !c)
		return false;
	pair->ref = r && (!c || r->key <= c->key) ? r : NULL;
	pair->cur = c && (!r || c->key <= r->key) ? c : NULL;
	pair->next_ref += pair->ref != NULL;
	pair->next_cur += pair->cur != NULL;
	return true;
}

static void
kolmogorov_smirnov(const DriftSample *ref, const DriftSample *cur, DriftResult *result)
{
	double		passed_ref = 0;
	double		passed_cur = 0;
	double		low = 0;
	double		high = 0;
	Pair		pair = {0};

	while (next_pair(ref, cur, &pair))
	{
		double		f0 = passed_ref / ref->count;
		double		g0 = passed_cur / cur->count;
		double		f1;
		double		g1;

		passed_ref += pair.ref ? pair.ref->weight : 0;
		passed_cur += pair.cur ? pair.cur->weight : 0;
		f1 = passed_ref / ref->count;
		g1 = passed_cur / cur->count;
		low = Max(low, fabs(f1 - g1));

		if (!pair.ref || !pair.cur)
			continue;
		if (pair.ref->high < pair.cur->low)
			low = Max(low, fabs(f1 - g0));
		else if (pair.cur->high < pair.ref->low)
			low = Max(low, fabs(g1 - f0));
		else if (pair.ref->low < pair.cur->high || pair.cur->low < pair.ref->high)
			high = Max(high, Max(f1 - g0, g1 - f0));
	}
	result->ks = result->ks_low = low;
	result->ks_high = Max(low, high);
	result->ks_p = kolmogorov_tail(low * sqrt(ref->effective * cur->effective /
											  (ref->effective + cur->effective)));
}

static double
wasserstein(const DriftSample *ref, const DriftSample *cur)
{
	double		passed_ref = 0;
	double		passed_cur = 0;
	double		from = 0;
	double		area = 0;
	int			r = 0;
	int			c = 0;

	while (r < ref->nitems || c < cur->nitems)
	{
		double		at = Min(r < ref->nitems ? ref->items[r].middle : INFINITY,
							 c < cur->nitems ? cur->items[c].middle : INFINITY);
		double		height = fabs(passed_ref / ref->count - passed_cur / cur->count);

		if (height > 0)
			area += isinf(at - from) ? height * at - height * from : height * (at - from);
		for (; r < ref->nitems && ref->items[r].middle <= at; r++)
			passed_ref += ref->items[r].weight;
		for (; c < cur->nitems && cur->items[c].middle <= at; c++)
			passed_cur += cur->items[c].weight;
		from = at;
	}
	return area;
}

/* -------------------------------------------------------------------- bins */

typedef struct Bin
{
	double		ref;			/* effective counts */
	double		cur;
} Bin;

static int
compare_totals(const void *a, const void *b)
{
	double		left = ((const Bin *) a)->ref + ((const Bin *) a)->cur;
	double		right = ((const Bin *) b)->ref + ((const Bin *) b)->cur;

	return (left > right) - (left < right);
}

static double
chi2_of_bin(const Bin *bin, double n_ref, double n_cur)
{
	double		total = bin->ref + bin->cur;
	double		ref = total * n_ref / (n_ref + n_cur);
	double		cur = total * n_cur / (n_ref + n_cur);

	return (bin->ref - ref) * (bin->ref - ref) / ref + (bin->cur - cur) * (bin->cur - cur) / cur;
}

/* Sorts the bins. Which are pooled depends on the sums of both sides alone. */
static double
pooled_chi2_p(Bin *bins, int nbins, double n_ref, double n_cur)
{
	double		needed = DRIFT_EXPECTED * (n_ref + n_cur) / Min(n_ref, n_cur);
	Bin			pool = {0, 0};
	double		chi2 = 0;
	int			left;
	int			i = 0;

	qsort(bins, nbins, sizeof(Bin), compare_totals);
	for (; i < nbins; i++)
	{
		double		pooled = pool.ref + pool.cur;

		if (bins[i].ref + bins[i].cur >= needed && (pooled == 0 || pooled >= needed))
			break;
		pool.ref += bins[i].ref;
		pool.cur += bins[i].cur;
	}
	left = nbins - i;
	for (; i < nbins; i++)
		chi2 += chi2_of_bin(&bins[i], n_ref, n_cur);
	if (pool.ref + pool.cur > 0)
	{
		chi2 += chi2_of_bin(&pool, n_ref, n_cur);
		left++;
	}
	return left > 1 ? chi2_tail(chi2, left - 1) : 1;
}

/* Bins that are empty on both sides are left out. */
static int
drop_empty(Bin *bins, int nbins, double *n_ref, double *n_cur)
{
	int			used = 0;

	*n_ref = *n_cur = 0;
	for (int i = 0; i < nbins; i++)
		if (bins[i].ref + bins[i].cur > 0)
		{
			*n_ref += bins[i].ref;
			*n_cur += bins[i].cur;
			bins[used++] = bins[i];
		}
	return used;
}

static void
compare_shares(Bin *bins, int nbins, double alpha, DriftResult *result)
{
	double		n_ref;
	double		n_cur;
	double		bits = 0;
	double		distance = 0;
	int			used = drop_empty(bins, nbins, &n_ref, &n_cur);

	result->psi = 0;
	for (int i = 0; i < used; i++)
	{
		double		p = bins[i].ref / n_ref;
		double		q = bins[i].cur / n_cur;
		double		root = sqrt(p) - sqrt(q);
		double		p_psi = (bins[i].ref + 0.5) / (n_ref + 0.5 * used);
		double		q_psi = (bins[i].cur + 0.5) / (n_cur + 0.5 * used);

		result->psi += (q_psi - p_psi) * log(q_psi / p_psi);
		bits += p > 0 ? p * log2(2 * p / (p + q)) : 0;
		bits += q > 0 ? q * log2(2 * q / (p + q)) : 0;
		distance += root * root;
	}
	result->psi_critical = used > 1
		? (1 / n_ref + 1 / n_cur) * chi2_critical(alpha, used - 1) : 0;
	result->js = Max(bits / 2, 0);
	result->hellinger = Min(sqrt(distance / 2), 1);
}

/* The order of the bins is lost. */
static void
compare_counts(Bin *bins, int nbins, DriftResult *result)
{
	double		n_ref;
	double		n_cur;
	int			used = drop_empty(bins, nbins, &n_ref, &n_cur);

	result->chi2 = 0;
	for (int i = 0; i < used; i++)
		result->chi2 += chi2_of_bin(&bins[i], n_ref, n_cur);
	result->cramers_v = Min(sqrt(result->chi2 / (n_ref + n_cur)), 1);
	result->chi2_p = pooled_chi2_p(bins, used, n_ref, n_cur);
}

/*
 * A bin ends with the item that brings the reference, or both sides together,
 * to a tenth more of its weight; the first and last are open. Bins of the
 * reference lie between its items; where it has one item only, what lies
 * beside that is a bin on each side.
 */
static void
cut_line(const DriftSample *ref, const DriftSample *cur, bool by_both, Bin bins[DRIFT_BINS])
{
	double		unit_ref = ref->effective / ref->count;
	double		unit_cur = cur->effective / cur->count;
	double		total = ref->effective + (by_both ? cur->effective : 0);
	bool		alone = !by_both && ref->nitems == 1;
	double		passed = 0;
	double		next = 1;
	int			bin = 0;
	Pair		pair = {0};

	memset(bins, 0, DRIFT_BINS * sizeof(Bin));
	while (next_pair(ref, cur, &pair))
	{
		double		in_ref = pair.ref ? pair.ref->weight * unit_ref : 0;
		double		in_cur = pair.cur ? pair.cur->weight * unit_cur : 0;
		bool		more = pair.next_ref < ref->nitems ||
			(by_both && pair.next_cur < cur->nitems);

		if (pair.ref && alone)
			bin++;
		bins[bin].ref += in_ref;
		bins[bin].cur += in_cur;
		if (!pair.ref && !by_both)
			continue;
		passed += in_ref + (by_both ? in_cur : 0);
		if (alone)
			bin++;
		else if (passed * DRIFT_BINS >= total * next && more)
		{
			/* rounding may complete the weight before the last item */
			next = floor(passed * DRIFT_BINS / total) + 1;
			bin = Min(bin + 1, DRIFT_BINS - 1);
		}
	}
}

/* ----------------------------------------------------------------- results */

static void
no_result(DriftResult *result)
{
	*result = (DriftResult)
	{
		.ks = NAN, .ks_low = NAN, .ks_high = NAN, .ks_p = NAN,
			.wasserstein = NAN, .wasserstein_normed = NAN,
			.psi = NAN, .psi_critical = NAN, .js = NAN, .hellinger = NAN,
			.chi2 = NAN, .chi2_p = NAN, .cramers_v = NAN, .mean_diff = NAN,
			.new_keys = NAN, .gone_keys = NAN
	};
}

void
drift_numeric(const DriftSample *ref, const DriftSample *cur, double alpha, DriftResult *result)
{
	Bin			bins[DRIFT_BINS];

	no_result(result);
	result->n_ref = ref->count;
	result->n_cur = cur->count;
	result->n_ref_effective = ref->effective;
	result->n_cur_effective = cur->effective;
	if (ref->count == 0 || cur->count == 0)
		return;
	kolmogorov_smirnov(ref, cur, result);
	result->wasserstein = wasserstein(ref, cur);
	result->wasserstein_normed = result->wasserstein == 0 ? 0 : result->wasserstein / ref->stddev;
	result->mean_diff = cur->mean - ref->mean;
	cut_line(ref, cur, false, bins);
	compare_shares(bins, DRIFT_BINS, alpha, result);
	cut_line(ref, cur, true, bins);
	compare_counts(bins, DRIFT_BINS, result);
}

/* Brings both to the lower scale. */
void
drift_dist(Dist *ref, Dist *cur, double alpha, DriftResult *result)
{
	double		threshold = Max(ref->threshold, cur->threshold);

	dist_set_scale(ref, cur->scale);
	dist_set_scale(cur, ref->scale);
	drift_numeric(drift_sample_dist(ref, threshold), drift_sample_dist(cur, threshold),
				  alpha, result);
}

/*
 * Could a key with this weight in one cat have been dropped from the other
 * although it is as frequent there?
 */
static bool
may_be_dropped(int128 weight, const Cat *here, const Cat *there)
{
	return (double) weight / (double) here->total <= (double) there->error / (double) there->total;
}

/*
 * Both cats are sorted. Keys that one side alone has count as new or gone; if
 * the other may just have dropped them, they belong to what has no key.
 */
void
drift_cat(const Cat *ref, const Cat *cur, double alpha, DriftResult *result)
{
	Bin		   *bins = palloc((size_t) (ref->nkeys + cur->nkeys + 1) * sizeof(Bin));
	Bin			other = {(double) ref->other_count, (double) cur->other_count};
	int			nbins = 0;
	int			r = 0;
	int			c = 0;

	no_result(result);
	result->n_ref = weight_to_float8(ref->total);
	result->n_cur = weight_to_float8(cur->total);
	result->n_ref_effective = weight_effective(ref->total, ref->squares);
	result->n_cur_effective = weight_effective(cur->total, cur->squares);
	if (ref->total == 0 || cur->total == 0)
		return;

	result->new_keys = 0;
	result->gone_keys = 0;
	while (r < ref->nkeys || c < cur->nkeys)
	{
		int			order = r == ref->nkeys ? 1 : c == cur->nkeys ? -1 :
			cat_compare(&ref->keys[r], &cur->keys[c]);
		int128		in_ref = order <= 0 ? ref->keys[r++].count : 0;
		int128		in_cur = order >= 0 ? cur->keys[c++].count : 0;

		if ((order < 0 && may_be_dropped(in_ref, ref, cur)) ||
			(order > 0 && may_be_dropped(in_cur, cur, ref)))
		{
			other.ref += (double) in_ref;
			other.cur += (double) in_cur;
			continue;
		}
		result->gone_keys += order < 0;
		result->new_keys += order > 0;
		bins[nbins].ref = (double) in_ref;
		bins[nbins++].cur = (double) in_cur;
	}
	bins[nbins++] = other;
	for (int i = 0; i < nbins; i++)
	{
		bins[i].ref *= result->n_ref_effective / (double) ref->total;
		bins[i].cur *= result->n_cur_effective / (double) cur->total;
	}
	compare_shares(bins, nbins, alpha, result);
	compare_counts(bins, nbins, result);
}

/* ----------------------------------------------------------------- verdict */

const char *
drift_verdict(double n_ref, double n_cur, double effect, double p,
			  double min_n, double min_effect, double alpha, const char **reason)
{
	if (n_ref == 0 || n_cur == 0)
	{
		*reason = n_ref == 0 ? n_cur == 0 ? "no values" : "no reference values" : "no current values";
		return NULL;
	}
	if (n_ref < min_n || n_cur < min_n)
	{
		*reason = psprintf("%s of %g values, fewer than %g",
						   n_ref < min_n ? "reference" : "current",
						   n_ref < min_n ? n_ref : n_cur, min_n);
		return "insufficient_data";
	}
	if (effect < min_effect)
	{
		*reason = psprintf("effect %.3g is below %g", effect, min_effect);
		return "stable";
	}
	if (!(p <= alpha))
	{
		*reason = psprintf("p %.3g is above %g", p, alpha);
		return "stable";
	}
	*reason = psprintf("effect %.3g, p %.3g", effect, p);
	return "drifted";
}
