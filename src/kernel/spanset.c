/*
 * spanset.c
 *		Spans on their way into a trajectory.
 */
#include "postgres.h"

#include "kernel/derive.h"
#include "kernel/hashing.h"
#include "kernel/spanset.h"
#include "miscadmin.h"
#include "port/pg_bitutils.h"
#include "utils/memutils.h"

#define ARENA_MIN_BLOCK (4 * 1024)
#define ARENA_MAX_BLOCK (64 * 1024)

/* Derived keys sort after all others, by column. */
#define DERIVED_ORDER UINT32_C(0x80000000)

/* Memory of a size that is aligned, when the block at hand has not enough. */
void *
arena_alloc_slow(Arena *arena, size_t size)
{
	char	   *p;

	if (size > ARENA_MIN_BLOCK / 4)
		return MemoryContextAllocHuge(arena->context, size);
	/* blocks double, so that a small arena stays small */
	arena->block = Min(Max(arena->block * 2, ARENA_MIN_BLOCK), ARENA_MAX_BLOCK);
	p = MemoryContextAlloc(arena->context, arena->block);
	arena->at = p + size;
	arena->end = p + arena->block;
	return p;
}

Bytes
arena_copy(Arena *arena, const void *data, uint32 len)
{
	char	   *copy = arena_alloc(arena, Max(len, 1));

	memcpy(copy, data, len);
	return (Bytes) {copy, len};
}

/*
 * Make room for one more element in an array that doubles as it grows.
 */
void *
spanset_grow(SpanSet *set, void *array, uint32 count, uint32 *max, size_t size)
{
	if (count < *max)
		return array;
	if (*max > PG_UINT32_MAX / 4)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("too many spans or attributes in one request")));
	*max = Max(*max * 2, 16);
	if (array == NULL)
		return MemoryContextAllocHuge(set->context, *max * size);
	return repalloc_huge(array, *max * size);
}

SpanSet *
spanset_create(void)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "llmtrace spans",
												  ALLOCSET_DEFAULT_SIZES);
	SpanSet    *set = MemoryContextAllocZero(context, sizeof(SpanSet));

	set->context = context;
	set->arena.context = context;
	set->key_mask = 255;
	set->key_slots = MemoryContextAllocZero(context, (set->key_mask + 1) * sizeof(uint32));
	set->shape_mask = 63;
	set->shape_slots = MemoryContextAllocZero(context, (set->shape_mask + 1) * sizeof(uint32));
	return set;
}

void
spanset_free(SpanSet *set)
{
	MemoryContextDelete(set->context);
}

/* An array of its own for a copied set. */
static void *
copy_array(SpanSet *copy, const void *array, uint32 count, uint32 max, size_t size)
{
	void	   *to;

	if (max == 0)
		return NULL;
	to = MemoryContextAllocHuge(copy->context, max * size);
	memcpy(to, array, count * size);
	return to;
}

/*
 * A set that can be finished without changing the one it was copied from,
 * which must outlive it: what lists refer to is shared.
 */
SpanSet *
spanset_copy(const SpanSet *set)
{
	SpanSet    *copy = spanset_create();
	MemoryContext context = copy->context;

	*copy = *set;
	copy->context = context;
	copy->arena = (Arena) {.context = context};
	copy->prompts = NULL;
	copy->stack_keys = NULL;
	copy->stack_values = NULL;
	copy->stack_count = copy->stack_max = 0;
	copy->keys = copy_array(copy, set->keys, set->key_count, set->key_max, sizeof(Key));
	copy->key_slots = copy_array(copy, set->key_slots, set->key_mask + 1, set->key_mask + 1,
								 sizeof(uint32));
	copy->shapes = copy_array(copy, set->shapes, set->shape_count, set->shape_max, sizeof(Shape));
	copy->shape_slots = copy_array(copy, set->shape_slots, set->shape_mask + 1,
								   set->shape_mask + 1, sizeof(uint32));
	copy->resources = copy_array(copy, set->resources, set->resource_count, set->resource_max,
								 sizeof(Resource));
	copy->scopes = copy_array(copy, set->scopes, set->scope_count, set->scope_max, sizeof(Scope));
	copy->spans = copy_array(copy, set->spans, set->span_count, set->span_max, sizeof(Span));
	copy->rejections = NULL;
	copy->rejection_count = copy->rejection_max = 0;

	/* finishing sorts the attributes of events and links in place */
	for (uint32 i = 0; i < copy->span_count; i++)
	{
		Span	   *span = &copy->spans[i];

		span->events = copy_array(copy, span->events, span->event_count, span->event_count,
								  sizeof(Event));
		span->links = copy_array(copy, span->links, span->link_count, span->link_count,
								 sizeof(Link));
	}
	return copy;
}

static uint32
key_hash(const Key *key)
{
	uint32		h = hash_text(key->name);

	return key->is_derived ? ~h : h;
}

static void
rehash_keys(SpanSet *set)
{
	set->key_mask = set->key_mask * 2 + 1;
	pfree(set->key_slots);
	set->key_slots = MemoryContextAllocExtended(set->context,
												((size_t) set->key_mask + 1) * sizeof(uint32),
												MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	for (uint32 i = 0; i < set->key_count; i++)
	{
		uint32		h = key_hash(&set->keys[i]) & set->key_mask;

		while (set->key_slots[h] != 0)
			h = (h + 1) & set->key_mask;
		set->key_slots[h] = i + 1;
	}
}

/*
 * Where a key is looked for before it is hashed: spans repeat a few keys over
 * and over.
 */
static inline uint32 *
recent_key(SpanSet *set, Bytes name)
{
	uint32		h = name.len;

	if (name.len >= 4)
		h += name.data[name.len - 1] * 3 + name.data[name.len - 4] * 7 + name.data[name.len / 2] * 13;
	return &set->recent_keys[h % lengthof(set->recent_keys)];
}

static uint32
intern_key(SpanSet *set, Bytes name, CanonicalColumn derived)
{
	Key			probe = {.name = name,.is_derived = derived != COLUMN_NONE};
	uint32		h = key_hash(&probe) & set->key_mask;

	for (; set->key_slots[h] != 0; h = (h + 1) & set->key_mask)
	{
		uint32		i = set->key_slots[h] - 1;

		if (set->keys[i].is_derived == probe.is_derived &&
			bytes_equal(set->keys[i].name, name))
			return i;
	}

	set->keys = spanset_grow(set, set->keys, set->key_count, &set->key_max, sizeof(Key));
	set->keys[set->key_count] = derived != COLUMN_NONE ?
		key_make_derived(derived) : key_make(name);
	set->key_slots[h] = ++set->key_count;
	if (set->key_count * 2 > set->key_mask)
		rehash_keys(set);
	return set->key_count - 1;
}

/* The index of a key, which is added if it is new. */
uint32
spanset_key(SpanSet *set, Bytes name)
{
	uint32	   *recent = recent_key(set, name);

	if (*recent < set->key_count && !set->keys[*recent].is_derived &&
		bytes_equal(set->keys[*recent].name, name))
		return *recent;
	return *recent = intern_key(set, name, COLUMN_NONE);
}

uint32
spanset_derived_key(SpanSet *set, CanonicalColumn column)
{
	const char *name = canonical_column_name(column);

	return intern_key(set, (Bytes) {name, strlen(name)}, column);
}

uint32
spanset_add_resource(SpanSet *set)
{
	set->resources = spanset_grow(set, set->resources, set->resource_count,
						  &set->resource_max, sizeof(Resource));
	memset(&set->resources[set->resource_count], 0, sizeof(Resource));
	return set->resource_count++;
}

uint32
spanset_add_scope(SpanSet *set)
{
	set->scopes = spanset_grow(set, set->scopes, set->scope_count,
					   &set->scope_max, sizeof(Scope));
	memset(&set->scopes[set->scope_count], 0, sizeof(Scope));
	return set->scope_count++;
}

/* A new span, all zero.  The pointer is good until the next one is added. */
Span *
spanset_add_span(SpanSet *set)
{
	Span	   *span;

	set->spans = spanset_grow(set, set->spans, set->span_count, &set->span_max, sizeof(Span));
	span = &set->spans[set->span_count++];
	memset(span, 0, sizeof(Span));
	span->end_ns = TIME_OPEN;
	return span;
}

void
spanset_reject(SpanSet *set, Bytes span_id, const char *reason)
{
	set->rejections = spanset_grow(set, set->rejections, set->rejection_count,
						   &set->rejection_max, sizeof(Rejection));
	set->rejections[set->rejection_count++] = (Rejection) {span_id, reason};
}

/*
 * Collect a list of attributes: remember set->stack_count as the base, push
 * the attributes, pop them as a list.
 */
void
spanset_push_attr(SpanSet *set, uint32 key, Value value)
{
	if (set->stack_count >= set->stack_max)
	{
		uint32		max = set->stack_max;

		set->stack_keys = spanset_grow(set, set->stack_keys, set->stack_count, &max, sizeof(uint32));
		set->stack_values = spanset_grow(set, set->stack_values, set->stack_count,
								 &set->stack_max, sizeof(Value));
	}
	set->stack_keys[set->stack_count] = key;
	set->stack_values[set->stack_count++] = value;
}

AttrList
spanset_pop_attrs(SpanSet *set, uint32 base)
{
	AttrList	list = {.n = set->stack_count - base};

	if (list.n > 0)
	{
		list.values = arena_alloc(&set->arena, list.n * sizeof(Value));
		memcpy(list.values, set->stack_values + base, list.n * sizeof(Value));
		list.keys = arena_alloc(&set->arena, list.n * sizeof(uint32));
		memcpy(list.keys, set->stack_keys + base, list.n * sizeof(uint32));
	}
	set->stack_count = base;
	return list;
}

static int
key_name_compare(const void *a, const void *b, void *arg)
{
	const Key  *keys = arg;
	const Key  *x = &keys[*(const uint32 *) a];
	const Key  *y = &keys[*(const uint32 *) b];

	return bytes_compare(x->name, y->name);
}

/* Give every key its place in the order of names. */
static void
order_keys(SpanSet *set)
{
	uint32	   *sorted;

	if (set->key_count == 0)
		return;
	sorted = MemoryContextAllocHuge(set->context, set->key_count * sizeof(uint32));
	set->key_order = MemoryContextAllocHuge(set->context, set->key_count * sizeof(uint32));
	for (uint32 i = 0; i < set->key_count; i++)
		sorted[i] = i;
	qsort_arg(sorted, set->key_count, sizeof(uint32), key_name_compare, set->keys);
	for (uint32 i = 0; i < set->key_count; i++)
		set->key_order[sorted[i]] = i;
	pfree(sorted);
}

static inline uint32
key_order(const SpanSet *set, uint32 key)
{
	return set->keys[key].is_derived ?
		DERIVED_ORDER + set->keys[key].column : set->key_order[key];
}

typedef struct AttrPlace
{
	uint64		order;			/* of the key, then of arrival */
	uint32		index;
} AttrPlace;

#define ST_SORT sort_attr_places
#define ST_ELEMENT_TYPE AttrPlace
#define ST_COMPARE(a, b) (((a)->order > (b)->order) - ((a)->order < (b)->order))
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

/*
 * Sort a list by key.  Of a key that is there twice the last value stays, as
 * the OpenTelemetry SDKs do.
 */
static void
sort_attrs(SpanSet *set, AttrList *list)
{
	AttrPlace	small[64];
	AttrPlace  *places = small;
	uint32	   *keys;
	Value	   *values;
	uint32		n = 0;
	bool		is_sorted = true;

	for (uint32 i = 1; i < list->n && is_sorted; i++)
		is_sorted = key_order(set, list->keys[i - 1]) < key_order(set, list->keys[i]);
	if (is_sorted)
		return;

	if (list->n > lengthof(small))
		places = palloc_extended(list->n * sizeof(AttrPlace), MCXT_ALLOC_HUGE);
	for (uint32 i = 0; i < list->n; i++)
		places[i] = (AttrPlace) {
		((uint64) key_order(set, list->keys[i]) << 32) | i, i
	};
	sort_attr_places(places, list->n);

	keys = arena_alloc(&set->arena, list->n * sizeof(uint32));
	values = arena_alloc(&set->arena, list->n * sizeof(Value));
	for (uint32 i = 0; i < list->n; i++)
	{
		uint32		from = places[i].index;

		if (n > 0 && keys[n - 1] == list->keys[from])
			n--;
		keys[n] = list->keys[from];
		values[n++] = list->values[from];
	}
	*list = (AttrList) {n, keys, values};
	if (places != small)
		pfree(places);
}

static uint32
shape_hash(const uint32 *keys, uint32 n)
{
	return hash_text((Bytes) {(const char *) keys, n * sizeof(uint32)});
}

static void
rehash_shapes(SpanSet *set)
{
	set->shape_mask = set->shape_mask * 2 + 1;
	pfree(set->shape_slots);
	set->shape_slots = MemoryContextAllocExtended(set->context,
												  ((size_t) set->shape_mask + 1) * sizeof(uint32),
												  MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	for (uint32 i = 0; i < set->shape_count; i++)
	{
		uint32		h = shape_hash(set->shapes[i].keys, set->shapes[i].nkeys) & set->shape_mask;

		while (set->shape_slots[h] != 0)
			h = (h + 1) & set->shape_mask;
		set->shape_slots[h] = i + 1;
	}
}

/* The index of the shape of a sorted list. */
static uint32
intern_shape(SpanSet *set, const AttrList *list)
{
	uint32		h = shape_hash(list->keys, list->n) & set->shape_mask;
	Shape	   *shape;

	for (; set->shape_slots[h] != 0; h = (h + 1) & set->shape_mask)
	{
		uint32		i = set->shape_slots[h] - 1;

		if (set->shapes[i].nkeys == list->n &&
			(list->n == 0 ||
			 memcmp(set->shapes[i].keys, list->keys, list->n * sizeof(uint32)) == 0))
			return i;
	}

	set->shapes = spanset_grow(set, set->shapes, set->shape_count, &set->shape_max, sizeof(Shape));
	shape = &set->shapes[set->shape_count];
	shape->nkeys = list->n;
	shape->keys = list->keys;
	shape_prepare(shape, set->keys,
				  arena_alloc(&set->arena, list->n * sizeof(uint32)));
	set->shape_slots[h] = ++set->shape_count;
	if (set->shape_count * 2 > set->shape_mask)
		rehash_shapes(set);
	return set->shape_count - 1;
}

/* What the canonical columns of a finished span are read from. */
SpanColumns
span_columns(const SpanSet *set, const Span *span)
{
	static const Value no_value;

	return (SpanColumns) {
		.shape = &set->shapes[span->shape],
			.keys = set->keys,
			.values = span->attributes.n > 0 ? span->attributes.values : &no_value
	};
}

/*
 * Did a finished span fail?  Its status says so, or, if that is unset, its
 * attributes or an exception event.
 */
bool
span_is_error(const SpanSet *set, const Span *span)
{
	SpanColumns columns = span_columns(set, span);

	if (span->status != SPAN_STATUS_UNSET)
		return span->status == SPAN_STATUS_ERROR;
	for (uint32 i = 0; i < span->event_count; i++)
		if (bytes_equal_cstring(span->events[i].name, "exception"))
			return true;
	return columns_is_error(&columns);
}

static void
push_attrs(SpanSet *set, const AttrList *list)
{
	for (uint32 i = 0; i < list->n; i++)
		spanset_push_attr(set, list->keys[i], list->values[i]);
}

static void
finish_span(SpanSet *set, Span *span)
{
	sort_attrs(set, &span->attributes);
	span->shape = intern_shape(set, &span->attributes);
	for (uint32 i = 0; i < span->event_count; i++)
		sort_attrs(set, &span->events[i].attributes);
	for (uint32 i = 0; i < span->link_count; i++)
		sort_attrs(set, &span->links[i].attributes);

	if (!span->is_derived && span_needs_deriving(set, span))
	{
		uint32		base = set->stack_count;
		AttrList	derived;

		span_derive(set, span);
		derived = spanset_pop_attrs(set, base);
		if (derived.n > 0)
		{
			push_attrs(set, &span->attributes);
			push_attrs(set, &derived);
			span->attributes = spanset_pop_attrs(set, base);
			sort_attrs(set, &span->attributes);
			span->shape = intern_shape(set, &span->attributes);
		}
	}
	span->is_derived = true;
}

/*
 * Bring all that was added since into its final form.  To be called before
 * anything reads the spans.
 */
void
spanset_finish(SpanSet *set)
{
	order_keys(set);
	for (uint32 i = 0; i < set->resource_count; i++)
		sort_attrs(set, &set->resources[i].attributes);
	for (uint32 i = 0; i < set->scope_count; i++)
		sort_attrs(set, &set->scopes[i].attributes);
	for (uint32 i = 0; i < set->span_count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		finish_span(set, &set->spans[i]);
	}
}

#define COMPARE(x, y) \
	do { \
		if ((x) != (y)) \
			return (x) < (y) ? -1 : 1; \
	} while (0)

static int
attrs_compare(const SpanSet *set, const AttrList *a, const AttrList *b)
{
	COMPARE(a->n, b->n);
	for (uint32 i = 0; i < a->n; i++)
	{
		const Key  *x = &set->keys[a->keys[i]];
		const Key  *y = &set->keys[b->keys[i]];
		int			cmp;

		COMPARE(x->is_derived, y->is_derived);
		if ((cmp = bytes_compare(x->name, y->name)) != 0 ||
			(cmp = value_compare(&a->values[i], &b->values[i])) != 0)
			return cmp;
	}
	return 0;
}

static int
resource_compare(const SpanSet *set, const Resource *a, const Resource *b)
{
	int			cmp;

	COMPARE(a->dropped_attributes_count, b->dropped_attributes_count);
	if ((cmp = bytes_compare(a->schema_url, b->schema_url)) != 0)
		return cmp;
	return attrs_compare(set, &a->attributes, &b->attributes);
}

static int
scope_compare(const SpanSet *set, const Scope *a, const Scope *b)
{
	int			cmp;

	COMPARE(a->dropped_attributes_count, b->dropped_attributes_count);
	if ((cmp = bytes_compare(a->name, b->name)) != 0 ||
		(cmp = bytes_compare(a->version, b->version)) != 0 ||
		(cmp = bytes_compare(a->schema_url, b->schema_url)) != 0)
		return cmp;
	return attrs_compare(set, &a->attributes, &b->attributes);
}

static int
event_compare(const SpanSet *set, const Event *a, const Event *b)
{
	int			cmp;

	COMPARE(a->time_ns, b->time_ns);
	COMPARE(a->dropped_attributes_count, b->dropped_attributes_count);
	if ((cmp = bytes_compare(a->name, b->name)) != 0)
		return cmp;
	return attrs_compare(set, &a->attributes, &b->attributes);
}

static int
link_compare(const SpanSet *set, const Link *a, const Link *b)
{
	int			cmp;

	COMPARE(a->span_id, b->span_id);
	COMPARE(a->flags, b->flags);
	COMPARE(a->dropped_attributes_count, b->dropped_attributes_count);
	if ((cmp = memcmp(a->trace_id, b->trace_id, 16)) != 0 ||
		(cmp = bytes_compare(a->trace_state, b->trace_state)) != 0)
		return cmp;
	return attrs_compare(set, &a->attributes, &b->attributes);
}

/*
 * Which of two versions of a span stays when they are merged: the greater.  A
 * closed one is greater than an open one, then the one with more attributes;
 * the rest of the order only has to be total over all that a span holds, and
 * independent of how keys are numbered.
 */
int
span_compare(const SpanSet *set, const Span *a, const Span *b)
{
	int			cmp;

	COMPARE(a->end_ns != TIME_OPEN, b->end_ns != TIME_OPEN);
	COMPARE(a->attributes.n, b->attributes.n);
	COMPARE(a->end_ns, b->end_ns);
	COMPARE(a->start_ns, b->start_ns);
	COMPARE(a->parent_id, b->parent_id);
	COMPARE(a->span_kind, b->span_kind);
	COMPARE(a->status, b->status);
	COMPARE(a->flags, b->flags);
	COMPARE(a->dropped_attributes_count, b->dropped_attributes_count);
	COMPARE(a->dropped_events_count, b->dropped_events_count);
	COMPARE(a->dropped_links_count, b->dropped_links_count);
	COMPARE(a->repaired, b->repaired);
	COMPARE(a->event_count, b->event_count);
	COMPARE(a->link_count, b->link_count);
	if ((cmp = bytes_compare(a->name, b->name)) != 0 ||
		(cmp = bytes_compare(a->trace_state, b->trace_state)) != 0 ||
		(cmp = bytes_compare(a->status_message, b->status_message)) != 0 ||
		(cmp = attrs_compare(set, &a->attributes, &b->attributes)) != 0)
		return cmp;
	for (uint32 i = 0; i < a->event_count; i++)
		if ((cmp = event_compare(set, &a->events[i], &b->events[i])) != 0)
			return cmp;
	for (uint32 i = 0; i < a->link_count; i++)
		if ((cmp = link_compare(set, &a->links[i], &b->links[i])) != 0)
			return cmp;
	if ((cmp = resource_compare(set, &set->resources[a->resource],
								&set->resources[b->resource])) != 0)
		return cmp;
	return scope_compare(set, &set->scopes[a->scope], &set->scopes[b->scope]);
}

typedef struct GroupEntry
{
	uint32		group;
	uint32		arrival;
	uint64		span_id;
	Span	   *span;
} GroupEntry;

static inline int
group_entry_compare(const GroupEntry *x, const GroupEntry *y)
{
	COMPARE(x->group, y->group);
	COMPARE(x->span_id, y->span_id);
	COMPARE(x->arrival, y->arrival);
	return 0;
}

#define ST_SORT sort_group_entries
#define ST_ELEMENT_TYPE GroupEntry
#define ST_COMPARE(a, b) group_entry_compare(a, b)
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

/* Number the traces of a set in the order of their first spans. */
static uint32
number_groups(SpanSet *set, GroupEntry *entries)
{
	uint32		mask = pg_nextpower2_32(Max(set->span_count, 4)) * 2 - 1;
	uint32	   *slots = palloc_extended(((size_t) mask + 1) * sizeof(uint32),
										MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	uint32		groups = 0;

	for (uint32 i = 0; i < set->span_count; i++)
	{
		const Span *span = &set->spans[i];
		uint32		h = hash_text((Bytes) {(const char *) span->trace_id, 16}) & mask;

		while (slots[h] != 0 &&
			   memcmp(set->spans[slots[h] - 1].trace_id, span->trace_id, 16) != 0)
			h = (h + 1) & mask;
		if (slots[h] == 0)
		{
			slots[h] = i + 1;
			entries[i].group = groups++;
		}
		else
			entries[i].group = entries[slots[h] - 1].group;
	}
	pfree(slots);
	return groups;
}

/*
 * The spans of a finished set by trace, in the order in which traces first
 * appear; of several spans with one id the greatest.  group_ends[g] is the
 * place behind the last span of trace g.
 */
Span **
spanset_group(SpanSet *set, uint32 **group_ends, uint32 *group_count)
{
	GroupEntry *entries;
	Span	  **spans;
	uint32		n = 0;

	*group_count = 0;
	if (set->span_count == 0)
		return NULL;

	entries = palloc_extended(set->span_count * sizeof(GroupEntry), MCXT_ALLOC_HUGE);
	spans = MemoryContextAllocHuge(set->context, set->span_count * sizeof(Span *));
	*group_count = number_groups(set, entries);
	*group_ends = MemoryContextAllocHuge(set->context, *group_count * sizeof(uint32));

	for (uint32 i = 0; i < set->span_count; i++)
	{
		entries[i].arrival = i;
		entries[i].span = &set->spans[i];
		entries[i].span_id = set->spans[i].span_id;
	}
	sort_group_entries(entries, set->span_count);

	for (uint32 i = 0; i < set->span_count; i++)
	{
		GroupEntry *e = &entries[i];

		if (i > 0 && e->group == e[-1].group && e->span_id == e[-1].span_id)
		{
			if (span_compare(set, e->span, spans[n - 1]) > 0)
				spans[n - 1] = e->span;
		}
		else
			spans[n++] = e->span;
		(*group_ends)[e->group] = n;
	}
	pfree(entries);
	return spans;
}
