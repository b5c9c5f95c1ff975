/*
 * span_slack.c
 *		How long a span may grow before its root ends later, and how much
 *		sooner the root would end if the span took no time.
 *
 * Both are of a trace that is replayed: each span starts as long after the end
 * of whom it may have waited for (critical_path.h) as it did, and ends as long
 * after its last child as it did.  The end of the root is then the longest of
 * many ways through the trace, and
 *
 *		slack	is that length less the longest way through the span's end
 *		drag	the lesser of the span's time and that length less the longest
 *				way that leaves the span's end out
 *
 * Within a group of siblings, with M(v) the latest end that v waits for (v =
 * count: the parent's end), and K(x) the least of M(v) + slack(v) over v >= x:
 *
 *		slack(u) = K(ready(u)) - end(u)
 *		length less the longest way around c = the lesser of K(c + 1) - M(c)
 *		and of all slack(u) with u < c < ready(u)
 *
 * since a way around c goes from some u before c to some v behind it, and of
 * those u that are ready for c the last to end matters alone.  O(n log n).
 */
#include "postgres.h"

#include "kernel/critical_path.h"
#include "miscadmin.h"

typedef struct SlackWork
{
	int64	   *least;			/* K */
	int64	   *around;			/* a tree of minima over the group's places */
	int64	   *cap;			/* by ordinal: what the root can gain by the span */
	int64	   *slack;			/* by ordinal */
	int64	   *drag;
} SlackWork;

/* The latest end that v waits for: of a sibling, else the parent's start. */
static inline int64
waited_end(const SiblingGroup *g, uint32 v, int64 parent_start)
{
	return g->waits_for[v] < 0 ? parent_start : g->to[g->waits_for[v]];
}

static void
group_slack(const PathWork *w, SlackWork *s, uint32 p)
{
	const SiblingGroup *g = &w->group;

	s->least[g->count] = waited_end(g, g->count, w->from[p]) + s->slack[p];
	for (uint32 u = g->count; u-- > 0;)
	{
		int64		slack = s->least[g->ready[u]] - g->to[u];

		s->slack[g->child[u]] = slack;
		s->least[u] = Min(s->least[u + 1], waited_end(g, u, w->from[p]) + slack);
	}
}

/* Lower all places from `from` to before `to`. */
static void
lower_range(int64 *tree, uint32 size, uint32 from, uint32 to, int64 value)
{
	for (from += size, to += size; from < to; from /= 2, to /= 2)
	{
		if (from & 1)
		{
			tree[from] = Min(tree[from], value);
			from++;
		}
		if (to & 1)
		{
			to--;
			tree[to] = Min(tree[to], value);
		}
	}
}

static int64
lowest_at(const int64 *tree, uint32 size, uint32 place)
{
	int64		lowest = PG_INT64_MAX;

	for (place += size; place > 0; place /= 2)
		lowest = Min(lowest, tree[place]);
	return lowest;
}

/* What each child can gain the root, through a parent that can gain some. */
static void
group_drag(const PathWork *w, SlackWork *s, uint32 p)
{
	const SiblingGroup *g = &w->group;

	for (uint32 k = 0; k < 2 * g->count; k++)
		s->around[k] = PG_INT64_MAX;
	for (uint32 u = 0; u < g->count; u++)
		lower_range(s->around, g->count, u + 1, g->ready[u], s->slack[g->child[u]]);
	for (uint32 c = 0; c < g->count; c++)
	{
		uint32		i = g->child[c];
		int64		cap;

		if (s->slack[i] > 0)
			continue;
		cap = Min(s->cap[p], s->least[c + 1] - waited_end(g, c, w->from[p]));
		s->cap[i] = Min(cap, lowest_at(s->around, g->count, c));
		s->drag[i] = Min(s->cap[i], g->to[c] - g->from[c]);
	}
}

/* Slack, NOT_WAITED where nobody waits, and drag of each span. */
void
span_slack(const PathInput *in, PathWork *w, int64 *slack_ns, int64 *drag_ns)
{
	SlackWork	s = {.slack = slack_ns,.drag = drag_ns};
	uint32		root;

	path_work_reserve(w, in->n);
	s.least = palloc_extended((in->n + 1) * sizeof(int64), MCXT_ALLOC_HUGE);
	s.around = palloc_extended(2 * ((size_t) in->n + 1) * sizeof(int64), MCXT_ALLOC_HUGE);
	s.cap = palloc_extended(in->n * sizeof(int64), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	for (uint32 i = 0; i < in->n; i++)
	{
		slack_ns[i] = NOT_WAITED;
		drag_ns[i] = 0;
	}
	for (uint32 at = in->first_root; path_next_root(in, &at, &root);)
	{
		w->tolerance_ns = path_tolerance(in, root);
		w->from[root] = in->start_ns[root];
		w->to[root] = in->end_ns[root];
		slack_ns[root] = 0;
		drag_ns[root] = w->to[root] - w->from[root];
		s.cap[root] = PG_INT64_MAX;
		for (uint32 p = root; p < root + in->subtree[root]; p++)
		{
			if (slack_ns[p] == NOT_WAITED || in->subtree[p] == 1)
				continue;
			CHECK_FOR_INTERRUPTS();
			sibling_group(in, w, p);
			if (w->group.count == 0)
				continue;
			sibling_waits(w);
			group_slack(w, &s, p);
			if (slack_ns[p] == 0 && s.cap[p] > 0)
				group_drag(w, &s, p);
		}
	}
	pfree(s.least);
	pfree(s.around);
	pfree(s.cap);
}
