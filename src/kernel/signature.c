/*
 * signature.c
 *		What a run did, and how it failed, as one line of text to group by.
 *
 * A path signature has the names of all spans in time order: what is below a
 * span follows it behind " > ", in parentheses if there is more than one;
 * consecutive equal siblings (with all that is below them) stand once, with
 * " xN" behind them.  "agent > (plan, search x3 > fetch, answer)".
 *
 * A failure signature is the path from the root to where the failure began:
 * of the failing spans with no failing span below them, the one that ended
 * first.  "!" marks the failing ones, " xN" consecutive siblings of one name
 * and fate.  "agent > search! x3".
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "kernel/json_reader.h"
#include "kernel/signature.h"
#include "miscadmin.h"

/* Does it end as a number of repeats does? */
static bool
ends_like_repeats(Bytes name)
{
	uint32		digits = 0;

	while (digits < name.len && name.data[name.len - 1 - digits] >= '0' &&
		   name.data[name.len - 1 - digits] <= '9')
		digits++;
	return digits > 0 && name.len >= digits + 2 &&
		memcmp(name.data + name.len - digits - 2, " x", 2) == 0;
}

/* A name, as a JSON string if it could be taken for our own marks. */
static void
put_name(StringInfo buf, Bytes name)
{
	bool		is_plain = name.len > 0 && name.data[0] != ' ' &&
		name.data[name.len - 1] != ' ' && !ends_like_repeats(name);

	for (uint32 i = 0; i < name.len && is_plain; i++)
		is_plain = (unsigned char) name.data[i] >= ' ' && strchr("\"(),>!", name.data[i]) == NULL;
	if (is_plain)
		appendBinaryStringInfo(buf, name.data, name.len);
	else
		json_put_string(buf, name);
}

static inline Bytes
span_name(const Trajectory *t, uint32 ordinal)
{
	return trajectory_class(t, ordinal)->name;
}

/* A hash of each subtree's names and shape. */
static uint32 *
hash_subtrees(const Trajectory *t)
{
	uint32	   *hashes = palloc_extended(t->n * sizeof(uint32), MCXT_ALLOC_HUGE);

	for (uint32 i = 0; i < t->n; i++)
	{
		Bytes		name = span_name(t, i);

		hashes[i] = hash_bytes((const unsigned char *) name.data, name.len);
	}
	/* later siblings first; hash_combine tells their order apart */
	for (uint32 i = t->n; i-- > 0;)
		if (t->parent[i] >= 0)
			hashes[t->parent[i]] = hash_combine(hashes[t->parent[i]], hashes[i]);
	return hashes;
}

/* Do two subtrees have the same names in the same shape? */
static bool
subtrees_equal(const Trajectory *t, uint32 a, uint32 b)
{
	if (t->subtree[a] != t->subtree[b])
		return false;
	for (uint32 k = 0; k < t->subtree[a]; k++)
		if (t->depth[a + k] != t->depth[b + k] ||
			!bytes_equal(span_name(t, a + k), span_name(t, b + k)))
			return false;
	return true;
}

static inline uint32
subtree_end(const Trajectory *t, uint32 ordinal)
{
	return ordinal + t->subtree[ordinal];
}

/*
 * How many siblings from this one on are equal to it; next becomes the place
 * behind them.
 */
static uint32
count_repeats(const Trajectory *t, const uint32 *hashes, uint32 ordinal, uint32 *next)
{
	uint32		count = 1;

	*next = subtree_end(t, ordinal);
	while (*next < t->n && t->parent[*next] == t->parent[ordinal] &&
		   hashes[*next] == hashes[ordinal] && subtrees_equal(t, ordinal, *next))
	{
		count++;
		*next += t->subtree[ordinal];
	}
	return count;
}

/*
 * Append the path signature.  Repeats are skipped as a whole, so each span is
 * compared at most once.
 */
void
path_signature(StringInfo buf, const Trajectory *t)
{
	uint32	   *hashes = hash_subtrees(t);
	uint32	   *after = palloc_extended(t->n * sizeof(uint32), MCXT_ALLOC_HUGE);
	bool	   *is_grouped = palloc_extended(t->n * sizeof(bool), MCXT_ALLOC_HUGE);
	uint32		i = 0;

	/* is_grouped: a parenthesis was opened before the span's first sibling */
	while (i < t->n)
	{
		uint32		count;
		int32		at;

		CHECK_FOR_INTERRUPTS();
		count = count_repeats(t, hashes, i, &after[i]);
		put_name(buf, span_name(t, i));
		if (count > 1)
			appendStringInfo(buf, " x%u", count);

		if (t->subtree[i] > 1)
		{
			uint32		past;

			appendStringInfoString(buf, " > ");
			count_repeats(t, hashes, i + 1, &past);
			is_grouped[i] = past < subtree_end(t, i);
			if (is_grouped[i])
				appendStringInfoChar(buf, '(');
			i++;
			continue;
		}

		/* up to the nearest span that has something behind it */
		for (at = (int32) i; at >= 0; at = t->parent[at])
		{
			uint32		next = after[at];

			if (next < t->n && t->parent[next] == t->parent[at])
				break;
			if (t->parent[at] >= 0 && is_grouped[t->parent[at]])
				appendStringInfoChar(buf, ')');
		}
		if (at < 0)
			break;
		appendStringInfoString(buf, ", ");
		i = after[at];
	}
	pfree(hashes);
	pfree(after);
	pfree(is_grouped);
}

static bool
is_error(const Trajectory *t, uint32 ordinal)
{
	return trajectory_class(t, ordinal)->is_error;
}

/* Where the failure began, or -1. */
static int32
find_failure(const Trajectory *t)
{
	bool	   *fails_below = palloc_extended(t->n * sizeof(bool),
											  MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	int32		found = -1;
	uint64		first_end = 0;

	for (uint32 i = t->n; i-- > 0;)
	{
		uint64		end = (uint64) t->end_ns[i];	/* open ends last */

		if (is_error(t, i) && !fails_below[i] && (found < 0 || end <= first_end))
		{
			found = (int32) i;
			first_end = end;
		}
		if (t->parent[i] >= 0 && (is_error(t, i) || fails_below[i]))
			fails_below[t->parent[i]] = true;
	}
	pfree(fails_below);
	return found;
}

/* Of how many consecutive siblings of one name and fate is the span one? */
static uint32
count_alike(const Trajectory *t, uint32 ordinal)
{
	uint32		count = 0;

	if (t->parent[ordinal] < 0)
		return 1;
	for (uint32 i = t->parent[ordinal] + 1;; i = subtree_end(t, i))
	{
		if (bytes_equal(span_name(t, i), span_name(t, ordinal)) &&
			is_error(t, i) == is_error(t, ordinal))
			count++;
		else if (i > ordinal)
			break;
		else
			count = 0;
		if (!trajectory_has_next_sibling(t, i))
			break;
	}
	return count;
}

/* Append the failure signature; false if nothing failed. */
bool
failure_signature(StringInfo buf, const Trajectory *t)
{
	int32		failure = find_failure(t);
	int32	   *path;
	int32		depth;

	if (failure < 0)
		return false;
	depth = t->depth[failure];
	path = palloc_extended((depth + 1) * sizeof(int32), MCXT_ALLOC_HUGE);
	for (int32 at = failure, i = depth; at >= 0; at = t->parent[at])
		path[i--] = at;
	for (int32 i = 0; i <= depth; i++)
	{
		uint32		count = count_alike(t, path[i]);

		CHECK_FOR_INTERRUPTS();
		if (i > 0)
			appendStringInfoString(buf, " > ");
		put_name(buf, span_name(t, path[i]));
		if (is_error(t, path[i]))
			appendStringInfoChar(buf, '!');
		if (count > 1)
			appendStringInfo(buf, " x%u", count);
	}
	pfree(path);
	return true;
}
