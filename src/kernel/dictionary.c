/*
 * dictionary.c
 *		Distinct byte strings, numbered in the order of their first use.
 *
 * Open addressing over hashes that are kept, so that growing does not read the
 * strings again.  The strings themselves stay where they are.
 */
#include "postgres.h"

#include "kernel/dictionary.h"
#include "kernel/hashing.h"
#include "port/pg_bitutils.h"
#include "utils/memutils.h"

/* An empty table of that size, a power of two. */
static void
prepare_slots(Dictionary *d, uint32 size)
{
	if (size > d->slots_max)
	{
		if (d->slots)
			pfree(d->slots);
		d->slots = MemoryContextAllocHuge(d->context, size * sizeof(uint32));
		d->slots_max = size;
	}
	d->mask = size - 1;
	memset(d->slots, 0, size * sizeof(uint32));
}

/* Empty it, with room for some strings; clears no more than that. */
void
dictionary_reset(Dictionary *d, uint32 expected)
{
	prepare_slots(d, pg_nextpower2_32(Max(Min(expected, 1 << 24), 16)) * 2);
	d->count = 0;
}

void
dictionary_init(Dictionary *d, uint32 expected)
{
	memset(d, 0, sizeof(Dictionary));
	d->context = CurrentMemoryContext;
	dictionary_reset(d, expected);
}

static void
grow_slots(Dictionary *d)
{
	prepare_slots(d, (d->mask + 1) * 2);
	for (uint32 i = 0; i < d->count; i++)
	{
		uint32		h = d->hashes[i] & d->mask;

		while (d->slots[h] != 0)
			h = (h + 1) & d->mask;
		d->slots[h] = i + 1;
	}
}

/* The number of a string, or -1. */
int64
dictionary_find(const Dictionary *d, Bytes item)
{
	uint32		hash = hash_text(item);

	for (uint32 h = hash & d->mask; d->slots[h] != 0; h = (h + 1) & d->mask)
	{
		uint32		i = d->slots[h] - 1;

		if (d->hashes[i] == hash && bytes_equal(d->items[i], item))
			return i;
	}
	return -1;
}

/* The number of a string, which is added if it is new. */
uint32
dictionary_number(Dictionary *d, Bytes item, bool *is_new)
{
	uint32		hash = hash_text(item);
	uint32		h = hash & d->mask;

	for (; d->slots[h] != 0; h = (h + 1) & d->mask)
	{
		uint32		i = d->slots[h] - 1;

		if (d->hashes[i] == hash && bytes_equal(d->items[i], item))
		{
			*is_new = false;
			return i;
		}
	}

	if (d->count >= d->max)
	{
		d->max = Max(d->max * 2, 64);
		d->items = d->items ? repalloc_huge(d->items, d->max * sizeof(Bytes)) :
			MemoryContextAllocHuge(d->context, d->max * sizeof(Bytes));
		d->hashes = d->hashes ? repalloc_huge(d->hashes, d->max * sizeof(uint32)) :
			MemoryContextAllocHuge(d->context, d->max * sizeof(uint32));
	}
	d->items[d->count] = item;
	d->hashes[d->count] = hash;
	d->slots[h] = ++d->count;
	if (d->count * 2 > d->mask)
		grow_slots(d);
	*is_new = true;
	return d->count - 1;
}
