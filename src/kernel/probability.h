/*
 * probability.h
 *		The distribution functions that tests of significance need.
 *		Relative error below 1e-12 where the result exceeds 1e-280.
 */
#ifndef LLMTRACE_PROBABILITY_H
#define LLMTRACE_PROBABILITY_H

/* P(X > x) for chi-square with this many degrees of freedom, > 0 */
extern double chi2_tail(double x, double freedom);

/* the x with chi2_tail(x, freedom) = p, 0 < p < 1 */
extern double chi2_critical(double p, double freedom);

/* P(K > x) for Kolmogorov's limiting distribution */
extern double kolmogorov_tail(double x);

#endif
