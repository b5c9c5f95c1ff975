/*
 * span_times.c
 *		Time that a span spent itself, and ends of spans left open.
 *
 * Arrays are by preorder position, times in nanoseconds.  Each function is one
 * pass.
 */
#include "postgres.h"

#include "kernel/span_times.h"
#include "kernel/tree.h"

/*
 * The end of each span; of an open one, the latest that is known of it: its
 * start, or the end of a descendant.
 */
void
effective_ends(uint32 n, const int32 *parent, const int64 *start_ns,
			   const int64 *end_ns, int64 *effective_ns)
{
	for (uint32 i = 0; i < n; i++)
		effective_ns[i] = end_ns[i] == TIME_OPEN ? start_ns[i] : end_ns[i];
	for (uint32 i = n; i-- > 0;)
		if (parent[i] >= 0 && end_ns[parent[i]] == TIME_OPEN)
			effective_ns[parent[i]] = Max(effective_ns[parent[i]], effective_ns[i]);
}

/*
 * A span's duration less the time in which some child of it ran: children may
 * overlap, and what of them lies outside the span does not count.  TIME_OPEN
 * for an open span.
 */
void
self_times(uint32 n, const int32 *parent, const int64 *start_ns,
		   const int64 *end_ns, const int64 *effective_ns, int64 *self_ns)
{
	/* how far each span's time is accounted for: siblings come by start */
	int64	   *covered_until = palloc_extended(Max(n, 1) * sizeof(int64), MCXT_ALLOC_HUGE);

	for (uint32 i = 0; i < n; i++)
	{
		int32		p = parent[i];

		covered_until[i] = start_ns[i];
		self_ns[i] = end_ns[i] == TIME_OPEN ? TIME_OPEN : end_ns[i] - start_ns[i];
		if (p >= 0 && end_ns[p] != TIME_OPEN)
		{
			int64		from = Max(start_ns[i], covered_until[p]);
			int64		to = Min(effective_ns[i], end_ns[p]);

			if (to > from)
			{
				self_ns[p] -= to - from;
				covered_until[p] = to;
			}
		}
	}
	pfree(covered_until);
}
