/*
 * plan_align.c
 *		Matching steps with actions at least cost, with and without order.
 *
 * Without order it is an assignment: shortest augmenting paths with potentials
 * (Kuhn 1955, Munkres 1957; in the form of Jonker and Volgenant 1987), over
 * the pairs there are.  O(nodes × pairs) where paths are short, as they are.
 *
 * With order, the nodes fall into groups that have nothing to do with each
 * other: no action in common, and no two that could come in the wrong order.
 * Where the assignment keeps the order, it is the answer.  Else, in turn:
 *
 *	a total order	the heaviest chain of pairs, by a Fenwick tree of prefix
 *					maxima: O(pairs × log nodes).
 *	few pairs		pairs of comparable steps that cannot both be are
 *					themselves partially ordered, so the best choice among them
 *					is an antichain of greatest weight: by minimum cut in
 *					their transitive order (Dilworth 1950; Fulkerson 1956).
 *					Exact if no action was chosen twice, which only steps
 *					without order between them could do; else a bound.
 *	up to 64 nodes	dynamic program over the sets of steps that are past, one
 *					action after the other, with branches cut off that cannot
 *					reach what was found already; capped.
 *	else			the best matching found is returned with a bound: that of
 *					the antichain, or of the assignment.
 */
#include "postgres.h"

#include "kernel/plan_align.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#define NO_PAIR PG_UINT32_MAX
#define NO_NODE PG_UINT32_MAX
#define INFINITE_GAIN PG_INT64_MAX

/*
 * Up to so many pairs the cut comes before the dynamic program, and up to so
 * many after it: its flow is kept for every two pairs.  Tests set them anew.
 */
#ifndef FEW_PAIRS
#define FEW_PAIRS 48
#define MAX_CUT_PAIRS 400
#endif

static void *
alloc_zero(size_t count, size_t size)
{
	return palloc_extended(Max(count, 1) * size, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
}

static void *
alloc(size_t count, size_t size)
{
	return palloc_extended(Max(count, 1) * size, MCXT_ALLOC_HUGE);
}

/* Must x come before y? */
static inline bool
is_before(const AlignProblem *p, uint32 x, uint32 y)
{
	uint32		a = p->node_step[x];
	uint32		b = p->node_step[y];

	return a == b ? x < y : plan_is_before(p->order, a, b);
}

static int64
total_gain(const AlignProblem *p, const bool *is_chosen)
{
	int64		gain = 0;

	for (uint32 i = 0; i < p->pair_count; i++)
		if (is_chosen[i])
			gain += p->pairs[i].gain / ALIGN_SCALE;
	return gain;
}

/* --------------------------------------------------------- without order --- */

/*
 * What an open node takes, it takes without leaving less for others: so each
 * action has a gain of its own, and closed nodes gain what they add to it.
 */
typedef struct Assignment
{
	const AlignProblem *p;
	uint32	   *first;			/* by node: where its pairs begin in by_node */
	uint32	   *by_node;		/* numbers of pairs */
	int64	   *own_gain;		/* by action */
	uint32	   *own_pair;		/* by action, or NO_PAIR */
	uint32	   *pair_of;		/* by action: the closed pair it has, or NO_PAIR */
	uint32	   *held;			/* by node: the action it has, or NO_NODE */
	int64	   *node_potential;
	int64	   *action_potential;
	/* the search, by action */
	int64	   *distance;
	uint32	   *via;			/* pair by which it was reached */
	uint32	   *seen;			/* number of the search */
	bool	   *is_done;
	uint32	   *touched;
} Assignment;

static void
group_by_node(Assignment *a)
{
	const AlignProblem *p = a->p;
	uint32	   *at;

	a->first = alloc_zero(p->node_count + 2, sizeof(uint32));
	a->by_node = alloc(p->pair_count, sizeof(uint32));
	at = a->first + 1;
	for (uint32 i = 0; i < p->pair_count; i++)
		at[p->pairs[i].node + 1]++;
	for (uint32 n = 1; n <= p->node_count; n++)
		at[n] += at[n - 1];
	for (uint32 i = 0; i < p->pair_count; i++)
		a->by_node[at[p->pairs[i].node]++] = i;
}

static void
find_own_gains(Assignment *a)
{
	const AlignProblem *p = a->p;

	a->own_gain = alloc_zero(p->action_count, sizeof(int64));
	a->own_pair = alloc(p->action_count, sizeof(uint32));
	memset(a->own_pair, 0xff, p->action_count * sizeof(uint32));
	for (uint32 i = 0; i < p->pair_count; i++)
	{
		const AlignPair *pair = &p->pairs[i];

		if (p->node_is_open[pair->node] && pair->gain > a->own_gain[pair->action])
		{
			a->own_gain[pair->action] = pair->gain;
			a->own_pair[pair->action] = i;
		}
	}
}

static inline int64
added_gain(const Assignment *a, uint32 pair)
{
	return a->p->pairs[pair].gain - a->own_gain[a->p->pairs[pair].action];
}

/*
 * Does each node find its best action free?  Then that is the answer, and most
 * often it is.
 */
static bool
assign_greedily(Assignment *a)
{
	const AlignProblem *p = a->p;

	for (uint32 n = 0; n < p->node_count; n++)
	{
		uint32		best = NO_PAIR;
		int64		most = 0;

		for (uint32 k = a->first[n]; k < a->first[n + 1] && !p->node_is_open[n]; k++)
			if (added_gain(a, a->by_node[k]) > most)
			{
				best = a->by_node[k];
				most = added_gain(a, best);
			}
		if (best == NO_PAIR)
			continue;
		if (a->pair_of[p->pairs[best].action] != NO_PAIR)
			return false;
		a->pair_of[p->pairs[best].action] = best;
	}
	return true;
}

/*
 * Of a node with more pairs than there are nodes, only so many best can ever
 * be needed.  Ties go to the earlier action.
 */
static int
compare_added(const void *x, const void *y, void *arg)
{
	const Assignment *a = arg;
	uint32		i = *(const uint32 *) x;
	uint32		k = *(const uint32 *) y;
	int64		gi = added_gain(a, i);
	int64		gk = added_gain(a, k);

	if (gi != gk)
		return gi > gk ? -1 : 1;
	return (i > k) - (i < k);
}

static void
keep_best(Assignment *a, uint32 *last)
{
	const AlignProblem *p = a->p;

	for (uint32 n = 0; n < p->node_count; n++)
	{
		uint32		from = a->first[n];
		uint32		count = 0;

		last[n] = from;
		if (p->node_is_open[n])
			continue;
		for (uint32 k = from; k < a->first[n + 1]; k++)
			if (added_gain(a, a->by_node[k]) > 0)
				a->by_node[from + count++] = a->by_node[k];
		if (count > p->node_count)
		{
			qsort_arg(a->by_node + from, count, sizeof(uint32), compare_added, a);
			count = p->node_count;
		}
		last[n] = from + count;
		CHECK_FOR_INTERRUPTS();
	}
}

/*
 * Find the best place for one more node: along a path of pairs that are in
 * turn not chosen and chosen, to an action that is free or a node that gives
 * up.  Costs are negative gains; giving up costs nothing.
 */
static void
augment(Assignment *a, uint32 root, uint32 search, const uint32 *last)
{
	const AlignProblem *p = a->p;
	uint32		touched = 0;
	uint32		node = root;
	uint32		node_action = NO_NODE;	/* the action that node holds now */
	int64		base = 0;
	int64		best_end = INFINITE_GAIN;
	uint32		end_action = NO_NODE;	/* that becomes free or is free */
	bool		end_gives_up = false;

	for (;;)
	{
		int64		give_up = base - a->node_potential[node];
		uint32		next = NO_NODE;
		int64		least = INFINITE_GAIN;

		if (give_up < best_end)
		{
			best_end = give_up;
			end_action = node_action;
			end_gives_up = true;
		}
		for (uint32 k = a->first[node]; k < last[node]; k++)
		{
			uint32		pair = a->by_node[k];
			uint32		action = p->pairs[pair].action;
			int64		d = base - added_gain(a, pair) - a->node_potential[node] -
				a->action_potential[action];

			if (a->seen[action] != search)
			{
				a->seen[action] = search;
				a->is_done[action] = false;
				a->distance[action] = INFINITE_GAIN;
				a->touched[touched++] = action;
			}
			if (!a->is_done[action] && d < a->distance[action])
			{
				a->distance[action] = d;
				a->via[action] = pair;
			}
		}
		for (uint32 i = 0; i < touched; i++)
			if (!a->is_done[a->touched[i]] && a->distance[a->touched[i]] < least)
			{
				least = a->distance[a->touched[i]];
				next = a->touched[i];
			}
		if (next == NO_NODE || least >= best_end)
			break;
		a->is_done[next] = true;
		if (a->pair_of[next] == NO_PAIR)
		{
			best_end = least;
			end_action = next;
			end_gives_up = false;
			break;
		}
		base = least;
		node = p->pairs[a->pair_of[next]].node;
		node_action = next;
	}

	/* potentials, while the pairs of before are still known */
	a->node_potential[root] += best_end;
	for (uint32 i = 0; i < touched; i++)
	{
		uint32		action = a->touched[i];

		if (!a->is_done[action] || a->distance[action] > best_end)
			continue;
		a->action_potential[action] += a->distance[action] - best_end;
		if (a->pair_of[action] != NO_PAIR)
			a->node_potential[p->pairs[a->pair_of[action]].node] += best_end - a->distance[action];
	}

	if (end_gives_up && end_action != NO_NODE)
		a->held[p->pairs[a->pair_of[end_action]].node] = NO_NODE;
	while (end_action != NO_NODE)
	{
		uint32		pair = a->via[end_action];
		uint32		taker = p->pairs[pair].node;
		uint32		left = a->held[taker];

		a->held[taker] = end_action;
		a->pair_of[end_action] = pair;
		end_action = left;
	}
}

AlignResult
align_free(const AlignProblem *p)
{
	Assignment	a = {.p = p};
	AlignResult r = {.is_chosen = alloc_zero(p->pair_count, sizeof(bool))};

	group_by_node(&a);
	find_own_gains(&a);
	a.pair_of = alloc(p->action_count, sizeof(uint32));
	memset(a.pair_of, 0xff, p->action_count * sizeof(uint32));
	if (!assign_greedily(&a))
	{
		uint32	   *last = alloc(p->node_count, sizeof(uint32));

		memset(a.pair_of, 0xff, p->action_count * sizeof(uint32));
		a.node_potential = alloc_zero(p->node_count, sizeof(int64));
		a.action_potential = alloc_zero(p->action_count, sizeof(int64));
		a.distance = alloc(p->action_count, sizeof(int64));
		a.via = alloc(p->action_count, sizeof(uint32));
		a.seen = alloc_zero(p->action_count, sizeof(uint32));
		a.is_done = alloc(p->action_count, sizeof(bool));
		a.touched = alloc(p->action_count, sizeof(uint32));
		a.held = alloc(p->node_count, sizeof(uint32));
		memset(a.held, 0xff, p->node_count * sizeof(uint32));
		keep_best(&a, last);
		for (uint32 n = 0; n < p->node_count; n++)
		{
			int64		least = 0;

			/* a potential that leaves no pair of a new node below zero */
			for (uint32 k = a.first[n]; k < last[n]; k++)
				least = Min(least, -added_gain(&a, a.by_node[k]) -
							a.action_potential[p->pairs[a.by_node[k]].action]);
			a.node_potential[n] = least;
			if (last[n] > a.first[n])
				augment(&a, n, n + 1, last);
			CHECK_FOR_INTERRUPTS();
		}
	}
	for (uint32 i = 0; i < p->action_count; i++)
	{
		if (a.pair_of[i] != NO_PAIR)
			r.is_chosen[a.pair_of[i]] = true;
		else if (a.own_pair[i] != NO_PAIR)
			r.is_chosen[a.own_pair[i]] = true;
	}
	r.gain = r.bound = total_gain(p, r.is_chosen);
	return r;
}

/* ------------------------------------------------------------ with order --- */

/* The first and last action of each node, NO_NODE where it has none. */
typedef struct Reach
{
	uint32	   *first;
	uint32	   *last;
} Reach;

static Reach
find_reach(const AlignProblem *p, const bool *is_chosen)
{
	Reach		r;

	r.first = alloc(p->node_count, sizeof(uint32));
	r.last = alloc(p->node_count, sizeof(uint32));
	memset(r.first, 0xff, p->node_count * sizeof(uint32));
	memset(r.last, 0xff, p->node_count * sizeof(uint32));
	for (uint32 i = 0; i < p->pair_count; i++)
	{
		uint32		n = p->pairs[i].node;

		if (is_chosen != NULL && !is_chosen[i])
			continue;
		if (r.first[n] == NO_NODE)
			r.first[n] = p->pairs[i].action;
		r.last[n] = p->pairs[i].action;
	}
	return r;
}

/* Could x, which must come before y, come after it, or be the same action? */
static inline bool
can_cross(const AlignProblem *p, const Reach *r, uint32 x, uint32 y)
{
	return r->last[x] != NO_NODE && r->first[y] != NO_NODE &&
		r->last[x] >= r->first[y] && is_before(p, x, y);
}

static bool
node_is_out_of_order(const AlignProblem *p, const Reach *r, uint32 x, uint32 *with)
{
	if (r->first[x] == NO_NODE)
		return false;
	for (uint32 y = 0; y < p->node_count; y++)
		if (y != x && (can_cross(p, r, x, y) || can_cross(p, r, y, x)))
		{
			*with = y;
			return true;
		}
	return false;
}

bool
align_is_in_order(const AlignProblem *p, const AlignResult *result)
{
	Reach		r = find_reach(p, result->is_chosen);
	uint32		with;

	for (uint32 x = 0; x < p->node_count; x++)
	{
		CHECK_FOR_INTERRUPTS();
		if (node_is_out_of_order(p, &r, x, &with))
			return false;
	}
	return true;
}

/* Nodes that have to do with each other, and their pairs. */
typedef struct Group
{
	const AlignProblem *p;
	uint32	   *nodes;			/* ascending */
	uint32		node_count;
	uint32	   *pairs;			/* numbers, ascending: by action */
	uint32		pair_count;
	uint32	   *rank;			/* by node of the problem: place in nodes */
	bool	   *tried;			/* by pair of the problem: room for a choice */
} Group;

static uint32
find_set(uint32 *set, uint32 x)
{
	while (set[x] != x)
		x = set[x] = set[set[x]];
	return x;
}

static uint32 *
group_nodes(const AlignProblem *p)
{
	uint32	   *set = alloc(p->node_count, sizeof(uint32));
	Reach		r = find_reach(p, NULL);

	for (uint32 n = 0; n < p->node_count; n++)
		set[n] = n;
	for (uint32 i = 1; i < p->pair_count; i++)
		if (p->pairs[i].action == p->pairs[i - 1].action)
			set[find_set(set, p->pairs[i].node)] = find_set(set, p->pairs[i - 1].node);
	for (uint32 x = 0; x < p->node_count; x++)
	{
		CHECK_FOR_INTERRUPTS();
		for (uint32 y = x + 1; y < p->node_count; y++)
			if (can_cross(p, &r, x, y) || can_cross(p, &r, y, x))
				set[find_set(set, x)] = find_set(set, y);
	}
	return set;
}

/* Chains: rank is by node, ascending along the order of a group. */
typedef struct ChainEnd
{
	int64		gain;
	uint32		pair;
} ChainEnd;

static ChainEnd
prefix_best(const ChainEnd *tree, uint32 count)
{
	ChainEnd	best = {0, NO_PAIR};

	for (; count > 0; count &= count - 1)
		if (tree[count].gain > best.gain)
			best = tree[count];
	return best;
}

static void
raise_prefix(ChainEnd *tree, uint32 n, uint32 at, ChainEnd end)
{
	for (at++; at <= n; at += at & -at)
		if (end.gain > tree[at].gain)
			tree[at] = end;
}

/*
 * The heaviest chain: each pair stands behind one of a lower rank (or, for an
 * open node, the same) and an earlier action.  Returns its gain; marks it.
 */
static int64
best_chain(const Group *g, const uint32 *rank, bool *is_chosen)
{
	const AlignPair *pairs = g->p->pairs;
	ChainEnd   *tree = alloc_zero(g->node_count + 1, sizeof(ChainEnd));
	ChainEnd   *ends = alloc(g->pair_count, sizeof(ChainEnd));
	uint32	   *before = alloc(g->pair_count, sizeof(uint32));
	ChainEnd	best;
	int64		gain;

	for (uint32 from = 0, to; from < g->pair_count; from = to)
	{
		for (to = from; to < g->pair_count && pairs[g->pairs[to]].action == pairs[g->pairs[from]].action; to++)
		{
			const AlignPair *pair = &pairs[g->pairs[to]];
			bool		is_open = g->p->node_is_open[pair->node];
			ChainEnd	end = prefix_best(tree, rank[pair->node] + (is_open ? 1 : 0));

			before[to] = end.pair;
			ends[to] = (ChainEnd) {end.gain + pair->gain, to};
		}
		for (uint32 i = from; i < to; i++)
			raise_prefix(tree, g->node_count, rank[pairs[g->pairs[i]].node], ends[i]);
		CHECK_FOR_INTERRUPTS();
	}
	best = prefix_best(tree, g->node_count);
	gain = best.gain;
	for (uint32 i = best.pair; i != NO_PAIR; i = before[i])
		is_chosen[g->pairs[i]] = true;
	pfree(tree);
	pfree(ends);
	pfree(before);
	return gain;
}

/*
 * A linear extension of the order: of the nodes whose predecessors are all
 * placed, the one with the earliest wish comes next.  True if there was never
 * a choice, which is a total order.
 */
static bool
extend_order(const Group *g, const uint32 *wish, uint32 *rank)
{
	const AlignProblem *p = g->p;
	uint32	   *waits = alloc_zero(g->node_count, sizeof(uint32));
	bool		is_total = true;

	for (uint32 i = 0; i < g->node_count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		for (uint32 k = 0; k < g->node_count; k++)
			waits[i] += i != k && is_before(p, g->nodes[k], g->nodes[i]);
	}
	for (uint32 place = 0; place < g->node_count; place++)
	{
		uint32		best = NO_NODE;

		CHECK_FOR_INTERRUPTS();
		for (uint32 i = 0; i < g->node_count; i++)
		{
			if (waits[i] != 0)
				continue;
			is_total &= best == NO_NODE;
			if (best == NO_NODE || wish[g->nodes[i]] < wish[g->nodes[best]])
				best = i;
		}
		rank[g->nodes[best]] = place;
		waits[best] = NO_NODE;
		for (uint32 k = 0; k < g->node_count; k++)
			if (waits[k] != NO_NODE && is_before(p, g->nodes[best], g->nodes[k]))
				waits[k]--;
	}
	pfree(waits);
	return is_total;
}

/* Cannot both be, for their steps' order?  This is a partial order of pairs. */
static bool
pair_precludes(const Group *g, uint32 a, uint32 b)
{
	const AlignPair *x = &g->p->pairs[g->pairs[a]];
	const AlignPair *y = &g->p->pairs[g->pairs[b]];

	if (x->node == y->node)
		return x->action > y->action && !g->p->node_is_open[x->node];
	return x->action >= y->action && is_before(g->p, x->node, y->node);
}

/* The flow from left to right copies of n pairs, and the search for more. */
typedef struct Flow
{
	uint32		n;
	bool	   *precludes;		/* n × n: from left to right copy */
	int64	   *flow;			/* likewise */
	int64	   *left;			/* what may still leave */
	int64	   *right;			/* what may still arrive */
	uint32	   *from_left;		/* by right copy */
	uint32	   *from_right;		/* by left copy; n: the source */
	bool	   *left_seen;
	bool	   *right_seen;
	uint32	   *queue;
} Flow;

static Flow
flow_create(const Group *g)
{
	size_t		n = g->pair_count;
	Flow		f = {.n = g->pair_count};

	f.precludes = alloc_zero(n * n, sizeof(bool));
	f.flow = alloc_zero(n * n, sizeof(int64));
	f.left = alloc(n, sizeof(int64));
	f.right = alloc(n, sizeof(int64));
	f.from_left = alloc(n, sizeof(uint32));
	f.from_right = alloc(n, sizeof(uint32));
	f.left_seen = alloc(n, sizeof(bool));
	f.right_seen = alloc(n, sizeof(bool));
	f.queue = alloc(n, sizeof(uint32));
	for (uint32 a = 0; a < n; a++)
	{
		f.left[a] = f.right[a] = g->p->pairs[g->pairs[a]].gain;
		for (uint32 b = 0; b < n; b++)
			f.precludes[a * n + b] = a != b && pair_precludes(g, a, b);
	}
	return f;
}

/* A way for more to flow: the right copy where it ends, or NO_PAIR. */
static uint32
find_way(Flow *f)
{
	uint32		n = f->n;
	uint32		head = 0;
	uint32		tail = 0;

	memset(f->left_seen, 0, n);
	memset(f->right_seen, 0, n);
	for (uint32 a = 0; a < n; a++)
		if (f->left[a] > 0)
		{
			f->left_seen[a] = true;
			f->from_right[a] = n;
			f->queue[tail++] = a;
		}
	while (head < tail)
	{
		uint32		a = f->queue[head++];

		for (uint32 b = 0; b < n; b++)
		{
			if (!f->precludes[a * n + b] || f->right_seen[b])
				continue;
			f->right_seen[b] = true;
			f->from_left[b] = a;
			if (f->right[b] > 0)
				return b;
			for (uint32 c = 0; c < n; c++)
				if (f->flow[c * n + b] > 0 && !f->left_seen[c])
				{
					f->left_seen[c] = true;
					f->from_right[c] = b;
					f->queue[tail++] = c;
				}
		}
	}
	return NO_PAIR;
}

/* Let flow what can along the way that was found; returns how much. */
static int64
push_flow(Flow *f, uint32 end)
{
	uint32		n = f->n;
	uint32		a = f->from_left[end];
	int64		more = f->right[end];

	for (; f->from_right[a] != n; a = f->from_left[f->from_right[a]])
		more = Min(more, f->flow[a * n + f->from_right[a]]);
	more = Min(more, f->left[a]);

	f->left[a] -= more;
	f->right[end] -= more;
	a = f->from_left[end];
	f->flow[a * n + end] += more;
	for (; f->from_right[a] != n; a = f->from_left[f->from_right[a]])
	{
		uint32		b = f->from_right[a];

		f->flow[a * n + b] -= more;
		f->flow[f->from_left[b] * n + b] += more;
	}
	return more;
}

/*
 * The antichain of greatest weight, by a minimum cut between a left and a
 * right copy of each pair.  Returns its weight, which no matching exceeds, and
 * marks it.
 */
static int64
best_antichain(const Group *g, bool *is_chosen)
{
	Flow		f = flow_create(g);
	int64		weight = 0;
	uint32		end;

	for (uint32 a = 0; a < f.n; a++)
		weight += f.left[a];
	while ((end = find_way(&f)) != NO_PAIR)
	{
		CHECK_FOR_INTERRUPTS();
		weight -= push_flow(&f, end);
	}
	for (uint32 a = 0; a < f.n; a++)
		is_chosen[g->pairs[a]] = f.left_seen[a] && !f.right_seen[a];
	pfree(f.precludes);
	pfree(f.flow);
	return weight;
}

/* Of pairs that choose one action twice, drop what gains less. */
static bool
drop_doubles(const Group *g, bool *is_chosen, int64 *gain)
{
	uint32		last = NO_PAIR;
	bool		is_clean = true;

	for (uint32 i = 0; i < g->pair_count; i++)
	{
		uint32		pair = g->pairs[i];

		if (!is_chosen[pair])
			continue;
		if (last != NO_PAIR && g->p->pairs[last].action == g->p->pairs[pair].action)
		{
			uint32		less = g->p->pairs[pair].gain > g->p->pairs[last].gain ? last : pair;

			is_chosen[less] = false;
			*gain -= g->p->pairs[less].gain;
			is_clean = false;
			if (less == pair)
				continue;
		}
		last = pair;
	}
	return is_clean;
}

/* A set of steps that are past, and the best way to it. */
typedef struct State
{
	uint64		past;
	int64		gain;
	uint32		record;
} State;

typedef struct Record
{
	uint32		before;
	uint32		pair;
} Record;

typedef struct StateUpdate
{
	uint64		past;
	int64		gain;
	uint32		before;
	uint32		pair;
} StateUpdate;

typedef struct Program
{
	const Group *g;
	State	   *states;
	uint32		state_count;
	uint32		state_max;
	uint32		state_limit;
	uint32	   *slots;			/* hash table of state + 1 */
	uint32		mask;
	Record	   *records;
	uint32		record_count;
	uint32		record_max;
	StateUpdate *updates;
	uint32		update_count;
	uint32		update_max;
} Program;

static uint32
find_state(Program *d, uint64 past)
{
	uint32		slot = (uint32) ((past * UINT64CONST(0x9e3779b97f4a7c15)) >> 32) & d->mask;

	while (d->slots[slot] != 0 && d->states[d->slots[slot] - 1].past != past)
		slot = (slot + 1) & d->mask;
	return slot;
}

static void
grow_states(Program *d)
{
	d->state_max *= 2;
	d->states = repalloc_huge(d->states, d->state_max * sizeof(State));
	pfree(d->slots);
	d->mask = d->state_max * 2 - 1;
	d->slots = alloc_zero(d->mask + 1, sizeof(uint32));
	for (uint32 i = 0; i < d->state_count; i++)
		d->slots[find_state(d, d->states[i].past)] = i + 1;
}

/* False if there would be too many states, or too much to remember. */
static bool
apply_update(Program *d, const StateUpdate *u)
{
	uint32		slot = find_state(d, u->past);
	State	   *s;

	if (d->slots[slot] == 0)
	{
		if (d->state_count >= d->state_limit)
			return false;
		if (d->state_count >= d->state_max)
		{
			grow_states(d);
			slot = find_state(d, u->past);
		}
		d->states[d->state_count++] = (State) {u->past, 0, NO_PAIR};
		d->slots[slot] = d->state_count;
	}
	s = &d->states[d->slots[slot] - 1];
	if (u->gain <= s->gain && s->record != NO_PAIR)
		return true;
	if (d->record_count >= d->record_max)
	{
		if (d->record_count / 64 >= d->state_limit && d->record_count >= 4 * ALIGN_MAX_ACTIONS)
			return false;
		d->record_max *= 2;
		d->records = repalloc_huge(d->records, d->record_max * sizeof(Record));
	}
	d->records[d->record_count] = (Record) {u->before, u->pair};
	s->gain = u->gain;
	s->record = d->record_count++;
	return true;
}

static void
add_update(Program *d, StateUpdate u)
{
	if (d->update_count >= d->update_max)
	{
		d->update_max *= 2;
		d->updates = repalloc_huge(d->updates, d->update_max * sizeof(StateUpdate));
	}
	d->updates[d->update_count++] = u;
}

/* The nodes that must come before each of up to 64, as bits. */
static void
find_before(const Group *g, uint64 *before)
{
	for (uint32 i = 0; i < g->node_count; i++)
	{
		before[i] = 0;
		for (uint32 k = 0; k < g->node_count; k++)
			if (k != i && is_before(g->p, g->nodes[k], g->nodes[i]))
				before[i] |= UINT64CONST(1) << k;
	}
}

/* What is at most still to gain from each pair on. */
static int64 *
find_rest(const Group *g)
{
	const AlignPair *pairs = g->p->pairs;
	int64	   *rest = alloc_zero(g->pair_count + 1, sizeof(int64));

	for (uint32 to = g->pair_count, from; to > 0; to = from)
	{
		int64		most = 0;

		for (from = to; from > 0 && pairs[g->pairs[from - 1]].action == pairs[g->pairs[to - 1]].action; from--)
			most = Max(most, pairs[g->pairs[from - 1]].gain);
		for (uint32 i = from; i < to; i++)
			rest[i] = rest[to] + most;
	}
	return rest;
}

/*
 * The dynamic program over what is past.  A step is past once it was matched
 * (an open one, once a later one was), or one that comes after it.  False if
 * it gave up; else the best matching is marked, if it gains more than known.
 */
static bool
best_by_states(const Group *g, int64 known, uint32 limit, bool *is_chosen, int64 *gain)
{
	const AlignPair *pairs = g->p->pairs;
	Program		d = {.g = g,.state_limit = limit,.state_max = 64,.record_max = 256,.update_max = 64};
	uint64		before[64];
	int64	   *rest = find_rest(g);
	uint64		work = 0;
	uint32		best = 0;

	find_before(g, before);
	d.states = alloc(d.state_max, sizeof(State));
	d.mask = d.state_max * 2 - 1;
	d.slots = alloc_zero(d.mask + 1, sizeof(uint32));
	d.records = alloc(d.record_max, sizeof(Record));
	d.updates = alloc(d.update_max, sizeof(StateUpdate));
	d.states[d.state_count++] = (State) {0, 0, NO_PAIR};
	d.slots[find_state(&d, 0)] = 1;

	for (uint32 from = 0, to; from < g->pair_count; from = to)
	{
		CHECK_FOR_INTERRUPTS();
		for (to = from; to < g->pair_count && pairs[g->pairs[to]].action == pairs[g->pairs[from]].action; to++)
			;
		d.update_count = 0;
		for (uint32 s = 0; s < d.state_count; s++)
		{
			const State *state = &d.states[s];

			if (state->gain + rest[from] < known)
				continue;
			for (uint32 i = from; i < to; i++)
			{
				const AlignPair *pair = &pairs[g->pairs[i]];
				uint32		local = g->rank[pair->node];
				uint64		bit = UINT64CONST(1) << local;

				if (state->past & bit)
					continue;
				add_update(&d, (StateUpdate) {
					state->past | before[local] | (g->p->node_is_open[pair->node] ? 0 : bit),
						state->gain + pair->gain, state->record, g->pairs[i]
				});
			}
		}
		work += (uint64) d.state_count * (to - from);
		if (work > (uint64) limit * 2000)
			return false;
		for (uint32 i = 0; i < d.update_count; i++)
			if (d.updates[i].gain + rest[to] >= known && !apply_update(&d, &d.updates[i]))
				return false;
	}
	for (uint32 s = 1; s < d.state_count; s++)
		if (d.states[s].gain > d.states[best].gain)
			best = s;
	if (d.states[best].gain >= known)
	{
		*gain = d.states[best].gain;
		for (uint32 i = 0; i < g->pair_count; i++)
			is_chosen[g->pairs[i]] = false;
		for (uint32 r = d.states[best].record; r != NO_PAIR; r = d.records[r].before)
			is_chosen[d.records[r].pair] = true;
	}
	pfree(rest);
	pfree(d.states);
	pfree(d.slots);
	pfree(d.records);
	pfree(d.updates);
	return true;
}

/*
 * A group of nodes: what is chosen of its pairs, and a bound of their gain,
 * scaled.  wish is by node: when the assignment has it done.
 */
static int64
align_group(const Group *g, const uint32 *wish, int64 bound, bool *is_chosen)
{
	uint32	   *rank = alloc(g->p->node_count, sizeof(uint32));
	int64		gain = 0;
	bool		is_total = extend_order(g, wish, rank);

	gain = best_chain(g, rank, is_chosen);
	pfree(rank);
	if (is_total || gain >= bound)
		return gain;

	for (int pass = 0; pass < 2; pass++)
	{
		if (pass == 0 ? g->pair_count <= FEW_PAIRS : g->pair_count > FEW_PAIRS && g->pair_count <= MAX_CUT_PAIRS)
		{
			int64		weight = best_antichain(g, g->tried);
			int64		cut_gain = weight;
			bool		is_exact = drop_doubles(g, g->tried, &cut_gain);

			bound = Min(bound, weight);
			if (cut_gain > gain)
			{
				gain = cut_gain;
				for (uint32 i = 0; i < g->pair_count; i++)
					is_chosen[g->pairs[i]] = g->tried[g->pairs[i]];
			}
			if (is_exact || gain >= bound)
				return gain;
		}
		if (pass == 0 && g->node_count <= 64 &&
			best_by_states(g, gain, g->p->max_states, is_chosen, &gain))
			return gain;
	}
	return bound;
}

/* The nodes and pairs of each group whose order was broken, by its root. */
static Group *
make_groups(const AlignProblem *p, uint32 *set, const bool *is_wrong)
{
	Group	   *groups = alloc_zero(p->node_count, sizeof(Group));
	uint32	   *nodes = alloc(p->node_count, sizeof(uint32));
	uint32	   *pairs = alloc(p->pair_count, sizeof(uint32));
	uint32	   *rank = alloc(p->node_count, sizeof(uint32));
	bool	   *tried = alloc_zero(p->pair_count, sizeof(bool));

	for (uint32 n = 0; n < p->node_count; n++)
		groups[find_set(set, n)].node_count++;
	for (uint32 i = 0; i < p->pair_count; i++)
		groups[find_set(set, p->pairs[i].node)].pair_count++;
	for (uint32 root = 0; root < p->node_count; root++)
	{
		Group	   *g = &groups[root];
		uint32		node_count = g->node_count;
		uint32		pair_count = g->pair_count;

		*g = (Group) {.p = p,.nodes = nodes,.pairs = pairs,.rank = rank,.tried = tried};
		if (!is_wrong[root])
			continue;
		nodes += node_count;
		pairs += pair_count;
	}
	for (uint32 n = 0; n < p->node_count; n++)
	{
		Group	   *g = &groups[find_set(set, n)];

		rank[n] = g->node_count;
		if (is_wrong[find_set(set, n)])
			g->nodes[g->node_count++] = n;
	}
	for (uint32 i = 0; i < p->pair_count; i++)
	{
		uint32		root = find_set(set, p->pairs[i].node);

		if (is_wrong[root])
			groups[root].pairs[groups[root].pair_count++] = i;
	}
	return groups;
}

/*
 * A best matching that keeps the order, or the best found and a bound.  free
 * is that without order.
 */
AlignResult
align_ordered(const AlignProblem *p, const AlignResult *free)
{
	AlignResult r = {.is_chosen = alloc_zero(p->pair_count, sizeof(bool))};
	Reach		wish = find_reach(p, free->is_chosen);
	uint32	   *set = group_nodes(p);
	bool	   *is_wrong = alloc_zero(p->node_count, sizeof(bool));
	Group	   *groups;
	uint32		with;
	int64		bound = 0;

	for (uint32 x = 0; x < p->node_count; x++)
	{
		CHECK_FOR_INTERRUPTS();
		if (node_is_out_of_order(p, &wish, x, &with))
			is_wrong[find_set(set, x)] = true;
	}
	for (uint32 i = 0; i < p->pair_count; i++)
		if (!is_wrong[find_set(set, p->pairs[i].node)] && free->is_chosen[i])
		{
			r.is_chosen[i] = true;
			bound += p->pairs[i].gain / ALIGN_SCALE;
		}
	groups = make_groups(p, set, is_wrong);
	for (uint32 root = 0; root < p->node_count; root++)
	{
		int64		free_gain = 0;

		if (!is_wrong[root])
			continue;
		for (uint32 i = 0; i < groups[root].pair_count; i++)
			if (free->is_chosen[groups[root].pairs[i]])
				free_gain += p->pairs[groups[root].pairs[i]].gain;
		bound += align_group(&groups[root], wish.first, free_gain, r.is_chosen) / ALIGN_SCALE;
	}
	r.gain = total_gain(p, r.is_chosen);
	r.bound = Max(bound, r.gain);
	return r;
}
