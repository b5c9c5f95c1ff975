/*
 * value_builder.c
 *		Building arrays and kvlists from the inside out.
 */
#include "postgres.h"

#include "kernel/value_builder.h"
#include "utils/memutils.h"

/* Below this many members, looking for a key twice needs no sorting. */
#define FEW_MEMBERS 16

void
value_push(ValueStack *stack, Bytes key, Value value)
{
	if (stack->count >= stack->max)
	{
		stack->max = Max(stack->max * 2, 64);
		stack->entries = stack->entries ?
			repalloc_huge(stack->entries, stack->max * sizeof(ValueEntry)) :
			palloc(stack->max * sizeof(ValueEntry));
	}
	stack->entries[stack->count++] = (ValueEntry) {key, value};
}

typedef struct KeyPlace
{
	Bytes		key;
	uint32		place;
} KeyPlace;

static int
key_place_compare(const void *a, const void *b)
{
	const KeyPlace *x = a;
	const KeyPlace *y = b;
	int			cmp = bytes_compare(x->key, y->key);

	return cmp != 0 ? cmp : (x->place > y->place) - (x->place < y->place);
}

/* Of members with one key, keep the last.  Returns how many are left. */
static uint32
drop_duplicates(ValueEntry *entries, uint32 n)
{
	bool	   *is_dropped = palloc0(n * sizeof(bool));
	uint32		left = 0;

	if (n <= FEW_MEMBERS)
	{
		for (uint32 i = 0; i < n; i++)
			for (uint32 later = i + 1; later < n && !is_dropped[i]; later++)
				is_dropped[i] = bytes_equal(entries[i].key, entries[later].key);
	}
	else
	{
		KeyPlace   *places = palloc_extended(n * sizeof(KeyPlace), MCXT_ALLOC_HUGE);

		for (uint32 i = 0; i < n; i++)
			places[i] = (KeyPlace) {entries[i].key, i};
		qsort(places, n, sizeof(KeyPlace), key_place_compare);
		for (uint32 i = 1; i < n; i++)
			if (bytes_equal(places[i - 1].key, places[i].key))
				is_dropped[places[i - 1].place] = true;
		pfree(places);
	}

	for (uint32 i = 0; i < n; i++)
		if (!is_dropped[i])
			entries[left++] = entries[i];
	pfree(is_dropped);
	return left;
}

/* Make one value of all elements from base on, and take them off the stack. */
Value
value_finish(ValueStack *stack, uint32 base, ValueType type, Arena *arena)
{
	ValueEntry *entries = stack->count > base ? &stack->entries[base] : NULL;
	uint32		n = stack->count - base;
	StringInfoData buf;
	Bytes		bytes;

	if (type == VALUE_KVLIST && n > 1)
		n = drop_duplicates(entries, n);

	initStringInfo(&buf);
	put_varint(&buf, n);
	for (uint32 i = 0; i < n; i++)
	{
		if (type == VALUE_KVLIST)
		{
			put_varint(&buf, entries[i].key.len);
			put_bytes(&buf, entries[i].key.data, entries[i].key.len);
		}
		value_put(&buf, &entries[i].value);
	}
	stack->count = base;

	bytes = arena_copy(arena, buf.data, buf.len);
	pfree(buf.data);
	return (Value) {.type = type,.len = bytes.len,.bytes = bytes.data};
}
