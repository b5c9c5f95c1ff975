/*
 * drift.h
 *		How far two distributions differ, and whether that is more than chance.
 *
 * Both sides are first brought to the same form, a sample: the stretches of
 * the line (or the categories) that hold weight. An array of values is a
 * sample with one item a distinct value, a dist one with an item a bucket; the
 * statistics are computed alike from both.
 *
 * Numeric samples
 *	ks			largest distance of the distribution functions F, G at the ends
 *				of items, which is the statistic itself for values. For buckets
 *				a lower bound, ks_low, since it is attained; ks_high takes the
 *				worst order of the values within each bucket. The two are equal
 *				where no bucket holds different values of both sides.
 *	ks_p		Kolmogorov's limiting distribution of ks sqrt(nm / (n + m)):
 *				conservative for ties and for small samples
 *	wasserstein integral of |F - G|, each item at its middle; infinite when the
 *				sides have different shares at an infinity
 *	wasserstein_normed	by the reference's standard deviation; infinite if that
 *				is zero and the distance is not
 *	mean_diff	mean of the current values minus that of the reference
 *
 * Binned samples: ten bins of about equal reference weight, which depend on the
 * reference alone, the first and last open; for categories, the categories.
 *	psi			sum of (q - p) ln(q / p), shares of counts + 0.5
 *	psi_critical	what psi exceeds by chance with probability alpha,
 *				(1/n + 1/m) times the chi-square quantile (B. Yurdakul,
 *				"Statistical properties of the population stability index", 2018)
 *	js			Jensen-Shannon divergence in bits, 0..1
 *	hellinger	Hellinger distance, 0..1
 *
 * Binned again, ten bins of about equal weight of both sides together: given
 * these, who is on which side is chance alone, so that the test holds however
 * unequal the sides' sizes. For categories, the categories.
 *	chi2		chi-square of the table of both sides' bins
 *	chi2_p		of the same table with the rarest bins pooled until all have an
 *				expected count of 5 on both sides (Cochran's rule)
 *	cramers_v	sqrt(chi2 / (n + m)), 0..1
 *
 * n and m are effective counts: a sample of weighted values tells as much as
 * (sum of w)^2 / (sum of w^2) values. NaN and NULL are not part of a sample.
 * Costs: O(items), after sorting.
 */
#ifndef LLMTRACE_DRIFT_H
#define LLMTRACE_DRIFT_H

#include "kernel/cat.h"
#include "kernel/dist.h"

typedef struct DriftItem
{
	double		key;			/* order along the line; equal: same stretch */
	double		low;			/* its values are in [low, high] */
	double		middle;
	double		high;
	double		weight;
} DriftItem;

typedef struct DriftSample
{
	int			nitems;
	DriftItem  *items;
	double		count;			/* weight of all items */
	double		effective;		/* effective number of values */
	double		mean;			/* NaN: unknown */
	double		stddev;
} DriftSample;

/* What does not apply is NaN. */
typedef struct DriftResult
{
	double		n_ref;
	double		n_cur;
	double		n_ref_effective;
	double		n_cur_effective;
	double		ks;
	double		ks_low;
	double		ks_high;
	double		ks_p;
	double		wasserstein;
	double		wasserstein_normed;
	double		psi;
	double		psi_critical;
	double		js;
	double		hellinger;
	double		chi2;
	double		chi2_p;
	double		cramers_v;
	double		mean_diff;
	double		new_keys;
	double		gone_keys;
} DriftResult;

extern DriftSample *drift_sample_values(double *values, int n);
extern DriftSample *drift_sample_dist(const Dist *d, double threshold);
extern void drift_dist(Dist *ref, Dist *cur, double alpha, DriftResult *result);
extern void drift_numeric(const DriftSample *ref, const DriftSample *cur, double alpha,
						  DriftResult *result);
extern void drift_cat(const Cat *ref, const Cat *cur, double alpha, DriftResult *result);

/*
 * The verdict: "drifted" needs enough values, a large enough effect and a p
 * (adjusted by the caller for everything asked at once) of at most alpha;
 * NULL if a side is empty. reason says which of these decided.
 */
extern const char *drift_verdict(double n_ref, double n_cur, double effect, double p,
								 double min_n, double min_effect, double alpha,
								 const char **reason);

#endif
