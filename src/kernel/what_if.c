/*
 * what_if.c
 *		How long a trace would have taken if some spans had been faster.
 *
 * The trace is replayed as in span_slack.c: each span starts as long after
 * whom it may have waited for as it did.  Of a matching span the time that is
 * its own is scaled: all of it if it has no children, else what passes before,
 * between and after them.  A start within the tolerance, before the end of whom
 * it waits for, stays as far before.  Roots start when they did.  O(n log n).
 */
#include "postgres.h"

#include <math.h>

#include "kernel/critical_path.h"
#include "miscadmin.h"

/* Set the windows of all spans below a root; those not reached are from > to. */
static void
find_windows(const PathInput *in, PathWork *w, uint32 root)
{
	uint32		end = root + in->subtree[root];

	for (uint32 p = root + 1; p < end; p++)
	{
		w->from[p] = 0;
		w->to[p] = -1;
	}
	for (uint32 p = root; p < end; p++)
		if (w->from[p] <= w->to[p] && in->subtree[p] > 1)
			sibling_group(in, w, p);
}

/*
 * The time that p takes when replayed; that of its children is known.  ends:
 * room for the latest end that each waits for, replayed.
 */
static double
replay_span(const PathInput *in, PathWork *w, uint32 p, double factor,
			const double *duration, double *ends)
{
	const SiblingGroup *g = &w->group;
	int64		waited;
	double		latest = 0;

	if (in->subtree[p] > 1)
		sibling_group(in, w, p);
	if (in->subtree[p] == 1 || g->count == 0)
		return (w->to[p] - w->from[p]) * factor;

	sibling_waits(w);
	for (uint32 v = 0; v <= g->count; v++)
		ends[v] = 0;
	for (uint32 v = 0; v < g->count; v++)
	{
		double		gap;
		double		end;

		waited = g->waits_for[v] < 0 ? w->from[p] : g->to[g->waits_for[v]];
		gap = g->from[v] - waited;
		latest = Max(latest, ends[v]);
		end = latest + (gap > 0 ? gap * factor : gap) + duration[g->child[v]];
		ends[g->ready[v]] = Max(ends[g->ready[v]], end);
	}
	latest = Max(latest, ends[g->count]);
	return latest + (w->to[p] - g->to[g->waits_for[g->count]]) * factor;
}

/*
 * What the trace takes from its first start to its last end, and how much less
 * that is than it was.
 */
void
what_if(const PathInput *in, PathWork *w, const uint8 *matching, double factor,
		double *duration_ns, double *saved_ns)
{
	double	   *duration = palloc_extended(in->n * sizeof(double), MCXT_ALLOC_HUGE);
	double	   *ends = palloc_extended((in->n + 1) * sizeof(double), MCXT_ALLOC_HUGE);
	double		first = 0;		/* all from the start of the first root found */
	double		last_before = 0;
	double		last = 0;
	int64		base = 0;
	bool		has_root = false;
	uint32		root;

	path_work_reserve(w, in->n);
	for (uint32 at = in->first_root; path_next_root(in, &at, &root);)
	{
		w->tolerance_ns = path_tolerance(in, root);
		w->from[root] = in->start_ns[root];
		w->to[root] = in->end_ns[root];
		find_windows(in, w, root);
		for (uint32 p = root + in->subtree[root]; p-- > root;)
			if (w->from[p] <= w->to[p])
			{
				CHECK_FOR_INTERRUPTS();
				duration[p] = replay_span(in, w, p, matching[p] ? factor : 1, duration, ends);
			}
		if (!has_root)
			base = in->start_ns[root];
		has_root = true;
		first = Min(first, (double) (in->start_ns[root] - base));
		last_before = Max(last_before, (double) (in->end_ns[root] - base));
		last = Max(last, (double) (in->start_ns[root] - base) + duration[root]);
	}
	*duration_ns = last - first;
	*saved_ns = last_before - last;
	pfree(duration);
	pfree(ends);
}
