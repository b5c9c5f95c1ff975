/*
 * critical_path.c
 *		Which span a trace was waiting for at every moment: the walk from a
 *		root's end back to its start that critical_path.h defines.
 *
 * Only children of spans on the path are looked at, each once, and who waits
 * for whom is found by their order, so a trace takes O(n log n) whatever its
 * shape.  There is no recursion: the walk leaves its place on each span.
 */
#include "postgres.h"

#include "kernel/bytes.h"
#include "kernel/critical_path.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#define NONE (-1)

PathWork *
path_work_create(void)
{
	PathWork   *w = palloc0(sizeof(PathWork));

	w->context = CurrentMemoryContext;
	return w;
}

/* Room for a trace of n spans, in one block. */
void
path_work_reserve(PathWork *w, uint32 n)
{
	size_t		max;
	size_t		per_span = 5 * sizeof(int64) + 6 * sizeof(int32) + 2 * sizeof(PathSection);

	if (n <= w->max)
		return;
	max = Max((size_t) n, 256);
	if (w->block)
		pfree(w->block);
	w->block = NULL;
	w->max = 0;
	w->block = MemoryContextAllocHuge(w->context, per_span * (max + 1));
	w->from = (int64 *) w->block;
	w->to = w->from + max + 1;
	w->until = w->to + max + 1;
	w->group.from = w->until + max + 1;
	w->group.to = w->group.from + max + 1;
	w->sections = (PathSection *) (w->group.to + max + 1);
	w->parent = (int32 *) (w->sections + 2 * (max + 1));
	w->next = w->parent + max + 1;
	w->before = w->next + max + 1;
	w->group.waits_for = w->before + max + 1;
	w->group.child = (uint32 *) (w->group.waits_for + max + 1);
	w->group.ready = w->group.child + max + 1;
	w->max = max;
}

int64
path_tolerance(const PathInput *in, uint32 root)
{
	double		share = in->tolerance_share * (double) (in->end_ns[root] - in->start_ns[root]);

	if (in->is_jaeger)
		return TOLERANCE_JAEGER;
	return Max(in->tolerance_ns, (int64) share);
}

static inline PathRole
role_of(const PathInput *in, uint32 i)
{
	return in->role ? (PathRole) in->role[i] : ROLE_WAITED;
}

/* The next root from a place on, which moves behind it: false if there is none. */
bool
path_next_root(const PathInput *in, uint32 *at, uint32 *root)
{
	while (*at < in->last)
	{
		uint32		i = *at;

		switch (role_of(in, i))
		{
			case ROLE_HIDDEN:
				(*at)++;
				break;
			case ROLE_ABSENT:
				*at += in->subtree[i];
				break;
			default:
				*at += in->subtree[i];
				*root = i;
				return true;
		}
	}
	return false;
}

bool
span_overruns(const PathInput *in, uint32 ordinal)
{
	int32		p = in->parent[ordinal];

	while (p >= 0 && role_of(in, p) == ROLE_HIDDEN)
		p = in->parent[p];
	return p >= 0 && in->own_end_ns[ordinal] > in->own_end_ns[p];
}

static int
compare_siblings(const void *a, const void *b, void *arg)
{
	const PathInput *in = arg;
	uint32		x = *(const uint32 *) a;
	uint32		y = *(const uint32 *) b;

	if (in->start_ns[x] != in->start_ns[y])
		return in->start_ns[x] < in->start_ns[y] ? -1 : 1;
	if (in->own_end_ns[x] != in->own_end_ns[y])
		return in->own_end_ns[x] < in->own_end_ns[y] ? -1 : 1;
	return load_uint64(in->span_id + 8 * (size_t) x) < load_uint64(in->span_id + 8 * (size_t) y) ? -1 : 1;
}

/* Collect the children that p waits for; those of hidden ones among them. */
static void
collect_children(const PathInput *in, SiblingGroup *g, uint32 p)
{
	uint32		end = p + in->subtree[p];
	bool		has_hidden = false;

	g->count = 0;
	for (uint32 i = p + 1; i < end;)
	{
		PathRole	role = role_of(in, i);

		if (role == ROLE_HIDDEN)
		{
			has_hidden = true;
			i++;
			continue;
		}
		if (role == ROLE_WAITED && !(in->drops_overruns && in->end_ns[i] > in->end_ns[p]))
			g->child[g->count++] = i;
		i += in->subtree[i];
	}
	if (has_hidden)
		qsort_arg(g->child, g->count, sizeof(uint32), compare_siblings, unconstify(PathInput *, in));
}

/*
 * The group of the children of p, whose window is known, with theirs.  A span
 * that only touches the window drops out, unless it has no length itself.
 */
void
sibling_group(const PathInput *in, PathWork *w, uint32 p)
{
	SiblingGroup *g = &w->group;
	int64		from = w->from[p];
	int64		to = w->to[p];
	uint32		kept = 0;

	collect_children(in, g, p);
	for (uint32 k = 0; k < g->count; k++)
	{
		uint32		i = g->child[k];
		int64		start = in->start_ns[i];
		int64		end = in->end_ns[i];

		if (start > to || end < from ||
			(end > start && (start == to || end == from)) ||
			(in->is_jaeger && start == to))
			continue;
		start = Max(start, from);
		end = Min(end, to);
		g->child[kept] = i;
		g->from[kept] = w->from[i] = start;
		g->to[kept] = w->to[i] = end;
		w->parent[i] = p;
		kept++;
	}
	g->count = kept;
}

/* Has u ended when v starts?  True from some v on, as v start in order. */
static inline bool
is_ready(const SiblingGroup *g, int64 tolerance_ns, uint32 u, uint32 v)
{
	return g->to[u] - tolerance_ns <= g->from[v] &&
		(g->from[u] < g->from[v] || g->to[u] == g->from[u]);
}

/* The first v for which u is ready: mostly the next one, so step, then halve. */
static uint32
first_ready(const SiblingGroup *g, int64 tolerance_ns, uint32 u)
{
	uint32		low = u + 1;
	uint32		high = low;
	uint32		step = 1;

	while (high < g->count && !is_ready(g, tolerance_ns, u, high))
	{
		low = high + 1;
		high = low + step;
		step *= 2;
	}
	high = Min(high, g->count);
	while (low < high)
	{
		uint32		middle = low + (high - low) / 2;

		if (is_ready(g, tolerance_ns, u, middle))
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

/* The later end; of equal ones the first. */
static inline int32
later_end(const SiblingGroup *g, int32 a, int32 b)
{
	if (a < 0 || b < 0)
		return Max(a, b);
	if (g->to[a] != g->to[b])
		return g->to[a] > g->to[b] ? a : b;
	return Min(a, b);
}

/* Who waits for whom in the group. */
void
sibling_waits(PathWork *w)
{
	SiblingGroup *g = &w->group;

	for (uint32 v = 0; v <= g->count; v++)
		g->waits_for[v] = NONE;
	for (uint32 u = 0; u < g->count; u++)
	{
		uint32		v = first_ready(g, w->tolerance_ns, u);

		g->ready[u] = v;
		g->waits_for[v] = later_end(g, g->waits_for[v], u);
	}
	for (uint32 v = 1; v <= g->count; v++)
		g->waits_for[v] = later_end(g, g->waits_for[v - 1], g->waits_for[v]);
}

/*
 * The child that p waits for at a time before its end, because who waits for p
 * began before that, within the tolerance.
 */
static int32
last_to_start_before(const SiblingGroup *g, int64 time_ns)
{
	int32		last = NONE;

	for (uint32 u = 0; u < g->count && g->from[u] <= time_ns; u++)
		if (g->from[u] < time_ns || g->to[u] == g->from[u])
			last = later_end(g, last, u);
	return last;
}

/* Begin to walk a span whose part of the path ends at some time. */
static void
enter_span(const PathInput *in, PathWork *w, uint32 p, int64 until)
{
	SiblingGroup *g = &w->group;
	int32		u;

	w->until[p] = until;
	w->next[p] = NONE;
	if (in->subtree[p] == 1)
		return;
	sibling_group(in, w, p);
	if (g->count == 0)
		return;
	sibling_waits(w);
	u = until < w->to[p] ? last_to_start_before(g, until) : g->waits_for[g->count];
	if (u >= 0)
		w->next[p] = g->child[u];
	while (u >= 0)
	{
		int32		v = g->waits_for[u];

		w->before[g->child[u]] = v >= 0 ? (int32) g->child[v] : NONE;
		u = v;
	}
}

static inline void
add_section(PathWork *w, uint32 ordinal, uint32 root, int64 start_ns, int64 end_ns)
{
	if (start_ns < end_ns)
		w->sections[w->section_count++] = (PathSection) {
		ordinal, root, start_ns, end_ns
	};
}

static void
walk_root(const PathInput *in, PathWork *w, uint32 root)
{
	uint32		p = root;

	w->tolerance_ns = path_tolerance(in, root);
	w->from[root] = in->start_ns[root];
	w->to[root] = in->end_ns[root];
	w->parent[root] = NONE;
	enter_span(in, w, root, w->to[root]);
	for (;;)
	{
		int32		c = w->next[p];

		if (c >= 0)
		{
			int64		end = Min(w->to[c], w->until[p]);

			add_section(w, p, root, end, w->until[p]);
			enter_span(in, w, c, end);
			p = c;
			continue;
		}
		add_section(w, p, root, w->from[p], w->until[p]);
		if (p == root)
			break;
		c = p;
		p = w->parent[c];
		w->until[p] = w->from[c];
		w->next[p] = w->before[c];
		CHECK_FOR_INTERRUPTS();
	}
}

static void
reverse_sections(PathSection *sections, uint32 count)
{
	for (uint32 i = 0; i < count / 2; i++)
	{
		PathSection other = sections[i];

		sections[i] = sections[count - 1 - i];
		sections[count - 1 - i] = other;
	}
}

/* The sections of all roots, each root's in the order of time. */
void
critical_path(const PathInput *in, PathWork *w)
{
	uint32		root;

	path_work_reserve(w, in->n);
	w->section_count = 0;
	for (uint32 at = in->first_root; path_next_root(in, &at, &root);)
	{
		uint32		first = w->section_count;

		walk_root(in, w, root);
		reverse_sections(w->sections + first, w->section_count - first);
	}
}

/* Which sections are whose; each span's in the order of time. */
PathIndex
path_index(const PathWork *w, uint32 n)
{
	PathIndex	index;
	uint32	   *at;

	index.first = palloc_extended(((size_t) n + 2) * sizeof(uint32), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	index.by_span = palloc_extended((w->section_count + 1) * sizeof(uint32), MCXT_ALLOC_HUGE);
	/* first[i + 1] is where the next of i goes, and in the end where they end */
	at = index.first + 1;
	for (uint32 s = 0; s < w->section_count; s++)
		at[w->sections[s].ordinal + 1]++;
	for (uint32 i = 1; i <= n; i++)
		at[i] += at[i - 1];
	for (uint32 s = 0; s < w->section_count; s++)
		index.by_span[at[w->sections[s].ordinal]++] = s;
	return index;
}
