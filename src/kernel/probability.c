/*
 * probability.c
 *		See probability.h. Incomplete gamma function: series and continued
 *		fraction (Abramowitz and Stegun 6.5.29 and 6.5.31, the latter by
 *		Lentz's method). Kolmogorov: the two theta-function series.
 */
#include "postgres.h"

#include <float.h>
#include <math.h>

#include "kernel/probability.h"

/* Enough for convergence up to a million degrees of freedom. */
#define MAX_TERMS	100000

/* x^a e^-x / Gamma(a) */
static double
gamma_front(double a, double x)
{
	return exp(a * log(x) - x - lgamma(a));
}

/* upper regularised incomplete gamma function */
static double
gamma_upper(double a, double x)
{
	if (x <= 0)
		return 1;
	if (isinf(x))
		return 0;
	if (x < a + 1)
	{
		double		term = 1 / a;
		double		sum = term;

		for (int n = 1; n < MAX_TERMS && term > sum * DBL_EPSILON / 4; n++)
		{
			term *= x / (a + n);
			sum += term;
		}
		return 1 - sum * gamma_front(a, x);
	}
	else
	{
		double		b = x + 1 - a;
		double		c = 1 / DBL_MIN;
		double		d = 1 / b;
		double		h = d;

		for (int n = 1; n < MAX_TERMS; n++)
		{
			double		an = -n * (n - a);
			double		step;

			b += 2;
			d = an * d + b;
			if (fabs(d) < DBL_MIN)
				d = DBL_MIN;
			d = 1 / d;
			c = b + an / c;
			if (fabs(c) < DBL_MIN)
				c = DBL_MIN;
			step = d * c;
			h *= step;
			if (fabs(step - 1) < DBL_EPSILON)
				break;
		}
		return h * gamma_front(a, x);
	}
}

double
chi2_tail(double x, double freedom)
{
	return gamma_upper(freedom / 2, x / 2);
}

double
chi2_critical(double p, double freedom)
{
	double		low = 0;
	double		high = freedom + 1;

	while (chi2_tail(high, freedom) > p && high < DBL_MAX / 2)
		high *= 2;
	while (low < high)
	{
		double		middle = low + (high - low) / 2;

		if (middle <= low || middle >= high)
			break;
		if (chi2_tail(middle, freedom) > p)
			low = middle;
		else
			high = middle;
	}
	return high;
}

double
kolmogorov_tail(double x)
{
	if (x <= 0)
		return 1;
	if (x < 0.8)
	{
		/* 1 - sqrt(2 pi) / x * sum of exp(-(2k - 1)^2 pi^2 / (8 x^2)) */
		double		sum = 0;

		for (int k = 1; k <= 9; k += 2)
			sum += exp(-k * k * M_PI * M_PI / (8 * x * x));
		return 1 - sqrt(2 * M_PI) / x * sum;
	}
	else
	{
		/* 2 * sum of (-1)^(k-1) exp(-2 k^2 x^2) */
		double		sum = 0;

		for (int k = 1; k <= 8; k++)
			sum += (k % 2 ? 2 : -2) * exp(-2.0 * k * k * x * x);
		return sum;
	}
}
