/*
 * p_adjust.c
 *		Adjusted p values: the smallest level at which each would be rejected.
 *		S. P. Wright, "Adjusted p-values for simultaneous inference", 1992;
 *		results are those of R's p.adjust. O(n log n). No fmgr.
 */
#include "postgres.h"

#include "kernel/p_adjust.h"

PAdjustMethod
p_adjust_method(const char *name)
{
	static const char *const names[] = {"bh", "by", "holm", "bonferroni"};

	for (int i = 0; i < (int) lengthof(names); i++)
		if (pg_strcasecmp(name, names[i]) == 0)
			return (PAdjustMethod) i;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("unknown method \"%s\"", name),
			 errhint("Known methods are bh, by, holm and bonferroni.")));
}

typedef struct Ranked
{
	double		p;
	int			place;
} Ranked;

static int
compare_p(const void *a, const void *b)
{
	const Ranked *left = a;
	const Ranked *right = b;

	if (left->p != right->p)
		return left->p < right->p ? -1 : 1;
	return left->place - right->place;
}

/* Replaces each p by its adjusted value. */
void
p_adjust(double *p, int n, PAdjustMethod method)
{
	Ranked	   *ranked = palloc(Max(n, 1) * sizeof(Ranked));
	double		harmonic = 0;
	double		bound;

	for (int i = 0; i < n; i++)
	{
		if (!(p[i] >= 0 && p[i] <= 1))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("p value %g is not between 0 and 1", p[i])));
		ranked[i].p = p[i];
		ranked[i].place = i;
		harmonic += 1.0 / (i + 1);
	}
	qsort(ranked, n, sizeof(Ranked), compare_p);

	switch (method)
	{
		case P_ADJUST_BH:
		case P_ADJUST_BY:
			bound = 1;
			for (int i = n - 1; i >= 0; i--)
			{
				bound = Min(bound, ranked[i].p * n / (i + 1) *
							(method == P_ADJUST_BY ? harmonic : 1));
				p[ranked[i].place] = bound;
			}
			break;
		case P_ADJUST_HOLM:
			bound = 0;
			for (int i = 0; i < n; i++)
			{
				bound = Max(bound, Min(1, ranked[i].p * (n - i)));
				p[ranked[i].place] = bound;
			}
			break;
		case P_ADJUST_BONFERRONI:
			for (int i = 0; i < n; i++)
				p[i] = Min(1, p[i] * n);
			break;
	}
	pfree(ranked);
}
