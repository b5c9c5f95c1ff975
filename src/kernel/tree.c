/*
 * tree.c
 *		From parent ids to an ordered forest.
 *
 * Siblings, and roots, are ordered by start, end (open ends last) and id.  A
 * span whose parent is missing is a root, and of each cycle the earliest span
 * by that order becomes one.  O(n log n), without recursion.
 */
#include "postgres.h"

#include "kernel/hashing.h"
#include "kernel/tree.h"
#include "miscadmin.h"
#include "port/pg_bitutils.h"

#define NONE (-1)

typedef struct SortEntry
{
	int64		start_ns;
	uint64		end_ns;			/* unsigned, so that open ends come last */
	uint64		span_id;
	int			input;
} SortEntry;

static inline int
sort_entry_compare(const SortEntry *a, const SortEntry *b)
{
	if (a->start_ns != b->start_ns)
		return a->start_ns < b->start_ns ? -1 : 1;
	if (a->end_ns != b->end_ns)
		return a->end_ns < b->end_ns ? -1 : 1;
	return (a->span_id > b->span_id) - (a->span_id < b->span_id);
}

#define ST_SORT sort_entries
#define ST_ELEMENT_TYPE SortEntry
#define ST_COMPARE(a, b) sort_entry_compare(a, b)
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

/* Rank every span by the order of siblings: by_rank[rank] is its index. */
static void
rank_spans(const TreeInput *in, SortEntry *by_rank)
{
	for (int i = 0; i < in->n; i++)
		by_rank[i] = (SortEntry) {
		in->start_ns[i], (uint64) in->end_ns[i], in->span_id[i], i
	};
	sort_entries(by_rank, in->n);
}

/*
 * Find each span's parent by its id.  parent[rank] becomes a rank or NONE.
 * False, and the id, if two spans have the same one.
 */
static bool
find_parents(const TreeInput *in, const SortEntry *by_rank, int *parent,
			 uint64 *duplicate_id)
{
	uint32		size = pg_nextpower2_32(Max(in->n, 4)) * 2;
	uint32		mask = size - 1;
	int		   *slots = palloc_extended(size * sizeof(int), MCXT_ALLOC_HUGE);

	memset(slots, 0xff, size * sizeof(int));	/* NONE */
	for (int rank = 0; rank < in->n; rank++)
	{
		uint64		id = by_rank[rank].span_id;
		uint32		h = hash_id(id) & mask;

		if (rank % 4096 == 0)
			CHECK_FOR_INTERRUPTS();
		while (slots[h] != NONE)
		{
			if (by_rank[slots[h]].span_id == id)
			{
				*duplicate_id = id;
				pfree(slots);
				return false;
			}
			h = (h + 1) & mask;
		}
		slots[h] = rank;
	}
	for (int rank = 0; rank < in->n; rank++)
	{
		uint64		id = in->parent_id[by_rank[rank].input];
		uint32		h = hash_id(id) & mask;

		parent[rank] = NONE;
		if (id == 0)
			continue;
		while (slots[h] != NONE && by_rank[slots[h]].span_id != id)
			h = (h + 1) & mask;
		parent[rank] = slots[h];
	}
	pfree(slots);
	return true;
}

/*
 * Cut each cycle at its earliest span.  A walk upwards marks the spans it
 * passes with its own number; meeting that number again closes a cycle.
 */
static void
cut_cycles(int n, int *parent, bool *is_cut)
{
	int		   *walk = palloc_extended(n * sizeof(int), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);

	for (int rank = 0; rank < n; rank++)
	{
		int			at = rank;
		int			earliest;

		while (at != NONE && walk[at] == 0)
		{
			walk[at] = rank + 1;
			at = parent[at];
		}
		if (at == NONE || walk[at] != rank + 1)
			continue;

		earliest = at;
		for (int i = parent[at]; i != at; i = parent[i])
			earliest = Min(earliest, i);
		parent[earliest] = NONE;
		is_cut[earliest] = true;
	}
	pfree(walk);
}

/*
 * Order spans as a forest in preorder.  The arrays of out have room for n
 * entries.  False, and the id, if two spans have the same one.
 */
bool
tree_build(const TreeInput *in, TreeOrder *out, uint64 *duplicate_id)
{
	int			n = in->n;
	SortEntry  *by_rank = palloc_extended(n * sizeof(SortEntry), MCXT_ALLOC_HUGE);
	int		   *parent = palloc_extended(n * sizeof(int) * 4, MCXT_ALLOC_HUGE);
	int		   *first_child = parent + n;
	int		   *next_sibling = first_child + n;
	int		   *position = next_sibling + n;
	bool	   *is_cut = palloc_extended(n * sizeof(bool), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	int			first_root = NONE;
	int			at;
	int			filled = 0;

	CHECK_FOR_INTERRUPTS();
	rank_spans(in, by_rank);
	if (!find_parents(in, by_rank, parent, duplicate_id))
		return false;
	cut_cycles(n, parent, is_cut);

	/* Backwards, so that every list of children is in order. */
	for (int rank = 0; rank < n; rank++)
		first_child[rank] = NONE;
	for (int rank = n - 1; rank >= 0; rank--)
	{
		int		   *list = parent[rank] == NONE ? &first_root : &first_child[parent[rank]];

		next_sibling[rank] = *list;
		*list = rank;
	}

	for (at = first_root; at != NONE;)
	{
		int			up = parent[at];
		int			input = by_rank[at].input;

		out->input[filled] = input;
		out->parent[filled] = up == NONE ? NONE : position[up];
		out->root_kind[filled] =
			up != NONE ? NOT_A_ROOT :
			is_cut[at] ? ROOT_CUT :
			in->parent_id[input] != 0 ? ROOT_ORPHAN : ROOT_PROPER;
		position[at] = filled++;

		if (first_child[at] != NONE)
		{
			at = first_child[at];
			continue;
		}
		while (at != NONE && next_sibling[at] == NONE)
			at = parent[at];
		if (at != NONE)
			at = next_sibling[at];
	}
	Assert(filled == n);

	pfree(by_rank);
	pfree(parent);
	pfree(is_cut);
	return true;
}
