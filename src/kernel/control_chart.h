/*
 * control_chart.h
 *		Charts that show when a series of values changes its level.
 *
 * Each takes one value at a time in O(1) time and memory. Values that are not
 * finite leave a chart as it is.
 */
#ifndef LLMTRACE_CONTROL_CHART_H
#define LLMTRACE_CONTROL_CHART_H

/* Exponentially weighted moving average (S. W. Roberts, 1959). */
typedef struct Ewma
{
	bool		started;
	double		average;
} Ewma;

extern void ewma_step(Ewma *chart, double value, double alpha);

/*
 * Tabular cumulative sums (E. S. Page, 1954): how far values have run above
 * target + slack, and below target - slack, since either last was zero.
 */
typedef struct Cusum
{
	bool		started;
	double		up;
	double		down;
} Cusum;

extern void cusum_step(Cusum *chart, double value, double target, double slack);
extern double cusum_value(const Cusum *chart);

/*
 * Page-Hinkley test (D. V. Hinkley, 1971): cumulative deviation from the
 * running mean less delta, above its lowest point; and the same downwards.
 */
typedef struct PageHinkley
{
	double		count;
	double		mean;
	double		up;
	double		up_lowest;
	double		down;
	double		down_lowest;
} PageHinkley;

extern void page_hinkley_step(PageHinkley *chart, double value, double delta);
extern double page_hinkley_value(const PageHinkley *chart);

#endif
