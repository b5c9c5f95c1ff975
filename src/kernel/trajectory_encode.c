/*
 * trajectory_encode.c
 *		From spans to the binary format of trajectory.h.
 *
 * Everything is numbered in the order of its first use while the spans are
 * walked in preorder; the sections are collected in buffers and joined at the
 * end.  One encoder serves all traces of a set, and what it has allocated for
 * one trace is used again for the next.
 */
#include "postgres.h"

#ifdef USE_LZ4
#include <lz4.h>
#endif

#include "common/hashfn.h"
#include "common/pg_lzcompress.h"
#include "compat.h"
#include "kernel/dictionary.h"
#include "kernel/trajectory.h"
#include "kernel/usage.h"
#include "miscadmin.h"
#include "utils/memutils.h"

/*
 * Numbers given to the members of one of the set's arrays.  The stamp tells
 * for which trace, so that nothing has to be cleared between traces.
 */
typedef struct Numbering
{
	uint64	   *stamped;		/* trace << 32 | number */
	uint32	   *members;		/* number to member */
	uint32		count;
} Numbering;

struct TrajectoryEncoder
{
	SpanSet    *set;
	bool		keep_mapped;	/* also keys that no span uses any more */
	MemoryContext context;		/* of the encoder */
	MemoryContext scratch;		/* of one trace */
	uint64		trace;			/* counts traces, from 1 */
	bool		refers_to_next; /* 0 stands for a string's first reference */

	/* the trace at hand, in preorder */
	uint32		n;
	Span	  **spans;
	TreeOrder	order;
	uint8	   *kind;
	bool	   *is_error;
	uint32	   *span_class;
	uint32	   *class_spans;	/* the spans by class … */
	uint32	   *class_ends;		/* … and where those of each end */
	uint8	   *columns;		/* form and type, of all classes' */

	Dictionary	strings;
	Dictionary	resource_bytes; /* serialised, to tell them apart */
	Dictionary	scope_bytes;
	Dictionary	classes;		/* ClassRecord */
	Numbering	keys;
	Numbering	shapes;
	Numbering	resources;		/* of all, to a number of resource_bytes */
	Numbering	scopes;

	StringInfoData hot;
	StringInfoData big_pops;
	StringInfoData times;
	StringInfoData cold;
	StringInfoData class_table;
	StringInfoData values;		/* columns and what follows them */
	StringInfoData item;		/* one resource or scope */
};

/* A class as it is told apart; no padding, since the bytes are compared. */
typedef struct ClassRecord
{
	uint32		name;
	uint32		trace_state;
	uint32		shape;
	uint32		resource;
	uint32		scope;
	uint32		flags;
	uint32		kinds;			/* span kind, status, error and kind */
} ClassRecord;

static void
numbering_init(Numbering *numbering, uint32 members)
{
	numbering->stamped = palloc_extended(Max(members, 1) * sizeof(uint64),
										 MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	numbering->members = palloc_extended(Max(members, 1) * sizeof(uint32), MCXT_ALLOC_HUGE);
	numbering->count = 0;
}

static inline bool
numbering_find(const Numbering *numbering, uint64 trace, uint32 member, uint32 *number)
{
	*number = (uint32) numbering->stamped[member];
	return numbering->stamped[member] >> 32 == trace;
}

static inline void
numbering_set(Numbering *numbering, uint64 trace, uint32 member, uint32 number)
{
	numbering->stamped[member] = trace << 32 | number;
}

/* The next number, if the member has none yet. */
static inline uint32
numbering_number(Numbering *numbering, uint64 trace, uint32 member)
{
	uint32		number;

	if (numbering_find(numbering, trace, member, &number))
		return number;
	number = numbering->count++;
	numbering->members[number] = member;
	numbering_set(numbering, trace, member, number);
	return number;
}

Codec
trajectory_best_codec(void)
{
#ifdef USE_LZ4
	return CODEC_LZ4;
#else
	return CODEC_PGLZ;
#endif
}

/* An encoder for the traces of a finished set, in the current context. */
TrajectoryEncoder *
trajectory_encoder_create(SpanSet *set)
{
	TrajectoryEncoder *e;
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "llmtrace encoder",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);

	e = palloc0(sizeof(TrajectoryEncoder));
	e->set = set;
	e->context = context;
	e->scratch = AllocSetContextCreate(context, "llmtrace encoder scratch",
									   ALLOCSET_DEFAULT_SIZES);
	dictionary_init(&e->strings, 64);
	dictionary_init(&e->resource_bytes, 8);
	dictionary_init(&e->scope_bytes, 8);
	dictionary_init(&e->classes, 16);
	numbering_init(&e->keys, set->key_count);
	numbering_init(&e->shapes, set->shape_count);
	numbering_init(&e->resources, set->resource_count);
	numbering_init(&e->scopes, set->scope_count);
	initStringInfo(&e->hot);
	initStringInfo(&e->big_pops);
	initStringInfo(&e->times);
	initStringInfo(&e->cold);
	initStringInfo(&e->class_table);
	initStringInfo(&e->values);
	initStringInfo(&e->item);
	MemoryContextSwitchTo(old);
	return e;
}

void
trajectory_encoder_free(TrajectoryEncoder *e)
{
	MemoryContextDelete(e->context);
}

static void
begin_trace(TrajectoryEncoder *e, uint32 n)
{
	MemoryContextReset(e->scratch);
	e->trace++;
	e->n = n;
	e->refers_to_next = false;
	dictionary_reset(&e->strings, n * 2);
	dictionary_reset(&e->resource_bytes, 8);
	dictionary_reset(&e->scope_bytes, 8);
	dictionary_reset(&e->classes, Min(n, 64));
	e->keys.count = e->shapes.count = e->resources.count = e->scopes.count = 0;
	resetStringInfo(&e->hot);
	resetStringInfo(&e->big_pops);
	resetStringInfo(&e->times);
	resetStringInfo(&e->cold);
	resetStringInfo(&e->class_table);
	resetStringInfo(&e->values);
}

static void *
scratch_alloc(TrajectoryEncoder *e, size_t size)
{
	return MemoryContextAllocHuge(e->scratch, Max(size, 1));
}

/* Put the spans in preorder and find out what they do and which failed. */
static void
order_spans(TrajectoryEncoder *e, Span **spans)
{
	uint32		n = e->n;
	uint64	   *ids = scratch_alloc(e, n * sizeof(uint64));
	uint64	   *parents = scratch_alloc(e, n * sizeof(uint64));
	int64	   *starts = scratch_alloc(e, n * sizeof(int64));
	int64	   *ends = scratch_alloc(e, n * sizeof(int64));
	TreeInput	in = {n, ids, parents, starts, ends};
	uint64		duplicate;
	MemoryContext old = MemoryContextSwitchTo(e->scratch);

	for (uint32 i = 0; i < n; i++)
	{
		ids[i] = spans[i]->span_id;
		parents[i] = spans[i]->parent_id;
		starts[i] = spans[i]->start_ns;
		ends[i] = spans[i]->end_ns;
	}
	e->order.input = scratch_alloc(e, n * sizeof(int));
	e->order.parent = scratch_alloc(e, n * sizeof(int));
	e->order.root_kind = scratch_alloc(e, n);
	if (!tree_build(&in, &e->order, &duplicate))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("trajectory has two spans with one id"),
				 errdetail("The span id is %016llx.", (unsigned long long) duplicate)));
	MemoryContextSwitchTo(old);

	e->spans = scratch_alloc(e, n * sizeof(Span *));
	e->kind = scratch_alloc(e, n);
	e->is_error = scratch_alloc(e, n * sizeof(bool));
	for (uint32 i = 0; i < n; i++)
	{
		SpanColumns columns;

		e->spans[i] = spans[e->order.input[i]];
		columns = span_columns(e->set, e->spans[i]);
		e->kind[i] = columns_kind(&columns);
		e->is_error[i] = span_is_error(e->set, e->spans[i]);
	}
}

static uint32
string_number(TrajectoryEncoder *e, Bytes s)
{
	bool		is_new;

	return dictionary_number(&e->strings, s, &is_new);
}

/* A reference to a string: among values, 0 if it is the next new one. */
static void
put_string(TrajectoryEncoder *e, StringInfo buf, Bytes s)
{
	bool		is_new;
	uint32		number = dictionary_number(&e->strings, s, &is_new);

	put_varint(buf, is_new && e->refers_to_next ? 0 : (uint64) number + 1);
}

static uint32
key_number(TrajectoryEncoder *e, uint32 key)
{
	return numbering_number(&e->keys, e->trace, key);
}

static void
put_payload(TrajectoryEncoder *e, StringInfo buf, const Value *v)
{
	if (value_is_bytes(v->type))
		put_string(e, buf, value_bytes(v));
	else
		value_put_scalar(buf, v);
}

static void
put_attributes(TrajectoryEncoder *e, StringInfo buf, const AttrList *list)
{
	put_varint(buf, list->n);
	for (uint32 i = 0; i < list->n; i++)
	{
		put_varint(buf, key_number(e, list->keys[i]));
		put_byte(buf, list->values[i].type);
		put_payload(e, buf, &list->values[i]);
	}
}

/*
 * The number of the bytes collected in e->item: equal resources, or scopes,
 * have equal bytes.
 */
static uint32
item_number(TrajectoryEncoder *e, Dictionary *d)
{
	bool		is_new;
	uint32		number = dictionary_number(d, (Bytes) {e->item.data, e->item.len}, &is_new);

	if (is_new)
	{
		char	   *copy = scratch_alloc(e, e->item.len);

		memcpy(copy, e->item.data, e->item.len);
		d->items[number].data = copy;
	}
	return number;
}

static uint32
resource_number(TrajectoryEncoder *e, uint32 index)
{
	const Resource *r = &e->set->resources[index];
	uint32		number;

	if (numbering_find(&e->resources, e->trace, index, &number))
		return number;
	resetStringInfo(&e->item);
	put_string(e, &e->item, r->schema_url);
	put_varint(&e->item, r->dropped_attributes_count);
	put_attributes(e, &e->item, &r->attributes);
	number = item_number(e, &e->resource_bytes);
	numbering_set(&e->resources, e->trace, index, number);
	return number;
}

static uint32
scope_number(TrajectoryEncoder *e, uint32 index)
{
	const Scope *s = &e->set->scopes[index];
	uint32		number;

	if (numbering_find(&e->scopes, e->trace, index, &number))
		return number;
	resetStringInfo(&e->item);
	put_string(e, &e->item, s->name);
	put_string(e, &e->item, s->version);
	put_string(e, &e->item, s->schema_url);
	put_varint(&e->item, s->dropped_attributes_count);
	put_attributes(e, &e->item, &s->attributes);
	number = item_number(e, &e->scope_bytes);
	numbering_set(&e->scopes, e->trace, index, number);
	return number;
}

/* Find the class of each span. */
static void
classify_spans(TrajectoryEncoder *e)
{
	e->span_class = scratch_alloc(e, e->n * sizeof(uint32));
	for (uint32 i = 0; i < e->n; i++)
	{
		const Span *span = e->spans[i];
		ClassRecord record;
		bool		is_new;
		uint32		class;

		/* strings are numbered in this order, which the format fixes */
		record.name = string_number(e, span->name);
		record.trace_state = string_number(e, span->trace_state);
		record.shape = numbering_number(&e->shapes, e->trace, span->shape);
		record.resource = resource_number(e, span->resource);
		record.scope = scope_number(e, span->scope);
		record.flags = span->flags;
		record.kinds = span->span_kind | span->status << 3 |
			e->is_error[i] << 5 | e->kind[i] << 8;
		class = dictionary_number(&e->classes, (Bytes) {(char *) &record, sizeof(record)}, &is_new);

		if (is_new)
		{
			ClassRecord *copy = scratch_alloc(e, sizeof(ClassRecord));

			*copy = record;
			e->classes.items[class].data = (char *) copy;
		}
		e->span_class[i] = class;
	}
}

static const ClassRecord *
class_record(const TrajectoryEncoder *e, uint32 class)
{
	return (const ClassRecord *) e->classes.items[class].data;
}

static void
put_kinds(TrajectoryEncoder *e)
{
	put_varint(&e->hot, e->classes.count);
	for (uint32 i = 0; i < e->classes.count; i++)
	{
		put_byte(&e->hot, class_record(e, i)->kinds & 0xff);
		put_byte(&e->hot, class_record(e, i)->kinds >> 8);
	}
}

static void
put_structure(TrajectoryEncoder *e, TrajectoryHeader *header)
{
	StringInfo	buf = &e->hot;
	int32	   *depth = scratch_alloc(e, e->n * sizeof(int32));
	int32		previous = -1;

	for (uint32 i = 0; i < e->n; i++)
	{
		int			parent = e->order.parent[i];
		uint32		pop;

		depth[i] = parent < 0 ? 0 : depth[parent] + 1;
		pop = previous + 1 - depth[i];
		if (pop < 255)
			put_byte(buf, pop);
		else
		{
			put_byte(buf, 255);
			put_varint(&e->big_pops, pop - 255);
		}
		previous = depth[i];
	}
	put_bytes(buf, e->big_pops.data, e->big_pops.len);

	header->class_width = e->classes.count <= 0x100 ? 1 : e->classes.count <= 0x10000 ? 2 : 4;
	for (uint32 i = 0; i < e->n; i++)
	{
		char		bytes[4];

		store_uint32(bytes, e->span_class[i]);
		put_bytes(buf, bytes, header->class_width);
	}
	for (uint32 i = 0; i < e->n; i++)
		put_uint64(buf, e->spans[i]->span_id);
}

/* A number in as few bytes as it takes, 0 in none; how many. */
static uint32
put_number(StringInfo buf, uint64 number)
{
	uint32		size = number == 0 ? 0 : pg_leftmost_one_pos64(number) / 8 + 1;
	char		bytes[8];

	store_uint64(bytes, number);
	put_bytes(buf, bytes, size);
	return size;
}

static void
put_times(TrajectoryEncoder *e, TrajectoryHeader *header)
{
	int64		first = PG_INT64_MAX;
	int64		last = 0;
	int64		previous;

	for (uint32 i = 0; i < e->n; i++)
	{
		const Span *span = e->spans[i];

		first = Min(first, span->start_ns);
		last = Max(last, Max(span->start_ns, span->end_ns));
		if (span->end_ns == TIME_OPEN)
			header->flags |= e->order.parent[i] < 0 ?
				TRAJECTORY_OPEN_ROOT | TRAJECTORY_OPEN_SPAN : TRAJECTORY_OPEN_SPAN;
	}
	store_uint64(header->start_ns, first);
	store_uint64(header->duration_ns, last - first);

	previous = first;
	for (uint32 i = 0; i < e->n; i++)
	{
		const Span *span = e->spans[i];
		uint32		step_size = put_number(&e->times, zigzag(span->start_ns - previous));
		uint32		length_size = put_number(&e->times, span->end_ns == TIME_OPEN ? 0 :
											 (uint64) (span->end_ns - span->start_ns) + 1);

		put_byte(&e->hot, step_size | length_size << 4);
		previous = span->start_ns;
	}
	put_bytes(&e->hot, e->times.data, e->times.len);
}

static void
put_root_parents(TrajectoryEncoder *e, TrajectoryHeader *header)
{
	uint32		roots = 0;
	uint32		proper = 0;
	uint32		previous = 0;

	for (uint32 i = 0; i < e->n; i++)
	{
		roots += e->order.root_kind[i] != NOT_A_ROOT;
		proper += e->order.root_kind[i] == ROOT_PROPER;
	}
	if (proper == 0)
		header->flags |= TRAJECTORY_NO_PROPER_ROOT;
	if (proper < roots)
		header->flags |= TRAJECTORY_HAS_ORPHAN;
	store_uint32(header->root_count, roots);

	put_varint(&e->hot, roots - proper);
	for (uint32 i = 0; i < e->n; i++)
	{
		uint8		kind = e->order.root_kind[i];

		if (kind != ROOT_ORPHAN && kind != ROOT_CUT)
			continue;
		put_varint(&e->hot, i - previous);
		put_byte(&e->hot, kind);
		put_uint64(&e->hot, e->spans[i]->parent_id);
		previous = i;
	}
}

/* The spans by class, in order: counting sort. */
static void
sort_by_class(TrajectoryEncoder *e)
{
	uint32		classes = e->classes.count;
	uint32	   *next = scratch_alloc(e, (classes + 1) * sizeof(uint32));
	uint64		values = 0;

	memset(next, 0, (classes + 1) * sizeof(uint32));
	for (uint32 i = 0; i < e->n; i++)
	{
		next[e->span_class[i] + 1]++;
		values += e->spans[i]->attributes.n;
	}
	if (values > TRAJECTORY_MAX_VALUES)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("trajectory has too many attributes"),
				 errdetail("There are %llu attribute values; the limit is %llu.",
						   (unsigned long long) values,
						   (unsigned long long) TRAJECTORY_MAX_VALUES)));
	for (uint32 c = 0; c < classes; c++)
		next[c + 1] += next[c];
	e->class_spans = scratch_alloc(e, e->n * sizeof(uint32));
	for (uint32 i = 0; i < e->n; i++)
		e->class_spans[next[e->span_class[i]]++] = i;
	/* what was the start of a class is its end now */
	e->class_ends = next;
}

/* The spans of a class. */
static const uint32 *
class_members(const TrajectoryEncoder *e, uint32 class, uint32 *n)
{
	uint32		from = class == 0 ? 0 : e->class_ends[class - 1];

	*n = e->class_ends[class] - from;
	return e->class_spans + from;
}

static const Value *
span_attribute(const TrajectoryEncoder *e, uint32 span, uint32 place)
{
	return &e->spans[span]->attributes.values[place];
}

/* How one attribute of all spans of a class is written. */
static ColumnForm
column_form(const TrajectoryEncoder *e, const uint32 *spans, uint32 n, uint32 place)
{
	const Value *first = span_attribute(e, spans[0], place);
	ColumnForm	form = first->len > VALUE_SHORT_LEN ? COLUMN_LONG_CONSTANT : COLUMN_CONSTANT;

	for (uint32 i = 1; i < n; i++)
	{
		const Value *v = span_attribute(e, spans[i], place);

		if (v->type != first->type)
			return COLUMN_MIXED;
		if (form != COLUMN_UNIFORM && value_compare(v, first) != 0)
			form = COLUMN_UNIFORM;
	}
	return form;
}

/* What all spans of a class have in common, the form of what they do not. */
static void
put_class(TrajectoryEncoder *e, uint32 class, uint8 *columns)
{
	StringInfo	buf = &e->class_table;
	const ClassRecord *record = class_record(e, class);
	uint32		n;
	const uint32 *spans = class_members(e, class, &n);
	uint32		nkeys = e->spans[spans[0]]->attributes.n;

	put_varint(buf, (uint64) record->name + 1);
	put_varint(buf, record->shape);
	put_varint(buf, record->resource);
	put_varint(buf, record->scope);
	put_varint(buf, record->flags);
	put_varint(buf, (uint64) record->trace_state + 1);
	for (uint32 k = 0; k < nkeys; k++)
	{
		const Value *first = span_attribute(e, spans[0], k);
		ColumnForm	form;

		CHECK_FOR_INTERRUPTS();
		form = column_form(e, spans, n, k);
		columns[k] = form << 4 | (form == COLUMN_MIXED ? 0 : first->type);
		put_byte(buf, columns[k]);
		if (form == COLUMN_CONSTANT)
			put_payload(e, buf, first);
	}
}

/* The class table, and the forms of all columns. */
static void
put_classes(TrajectoryEncoder *e)
{
	uint8	   *columns;
	uint64		count = 0;

	sort_by_class(e);
	for (uint32 c = 0; c < e->classes.count; c++)
		count += e->set->shapes[e->shapes.members[class_record(e, c)->shape]].nkeys;
	e->columns = columns = scratch_alloc(e, count);
	for (uint32 c = 0; c < e->classes.count; c++)
	{
		CHECK_FOR_INTERRUPTS();
		put_class(e, c, columns);
		columns += e->set->shapes[e->shapes.members[class_record(e, c)->shape]].nkeys;
	}
}

/* One attribute of all spans of a class that does not stand with the class. */
static void
put_column(TrajectoryEncoder *e, const uint32 *spans, uint32 n, uint32 place, ColumnForm form)
{
	if (form == COLUMN_LONG_CONSTANT)
		n = 1;
	for (uint32 i = 0; i < n; i++)
	{
		const Value *v = span_attribute(e, spans[i], place);

		if (form == COLUMN_MIXED)
			put_byte(&e->values, v->type);
		put_payload(e, &e->values, v);
	}
}

static void
put_columns(TrajectoryEncoder *e)
{
	const uint8 *column = e->columns;

	for (uint32 c = 0; c < e->classes.count; c++)
	{
		uint32		n;
		const uint32 *spans = class_members(e, c, &n);
		uint32		nkeys = e->spans[spans[0]]->attributes.n;

		CHECK_FOR_INTERRUPTS();
		for (uint32 k = 0; k < nkeys; k++)
		{
			ColumnForm	form = *column++ >> 4;

			if (form != COLUMN_CONSTANT)
				put_column(e, spans, n, k, form);
		}
	}
}

/*
 * A part that few spans have: the ordinals of those that have it, and what
 * put writes for each.
 */
static void
put_sparse(TrajectoryEncoder *e,
		   bool (*has) (const Span *span),
		   void (*put) (TrajectoryEncoder *e, const Span *span))
{
	uint32		count = 0;
	uint32		previous = 0;

	for (uint32 i = 0; i < e->n; i++)
		count += has(e->spans[i]);
	put_varint(&e->values, count);
	for (uint32 i = 0; i < e->n && count > 0; i++)
	{
		if (!has(e->spans[i]))
			continue;
		put_varint(&e->values, i - previous);
		put(e, e->spans[i]);
		previous = i;
		count--;
	}
}

static bool
has_message(const Span *span)
{
	return span->status_message.len > 0;
}

static void
put_message(TrajectoryEncoder *e, const Span *span)
{
	put_string(e, &e->values, span->status_message);
}

static bool
has_dropped(const Span *span)
{
	return span->dropped_attributes_count || span->dropped_events_count ||
		span->dropped_links_count;
}

static void
put_dropped(TrajectoryEncoder *e, const Span *span)
{
	put_varint(&e->values, span->dropped_attributes_count);
	put_varint(&e->values, span->dropped_events_count);
	put_varint(&e->values, span->dropped_links_count);
}

static bool
has_repaired(const Span *span)
{
	return span->repaired > 0;
}

static void
put_repaired(TrajectoryEncoder *e, const Span *span)
{
	put_varint(&e->values, span->repaired);
}

static bool
has_events(const Span *span)
{
	return span->event_count > 0;
}

static void
put_events(TrajectoryEncoder *e, const Span *span)
{
	put_varint(&e->values, span->event_count);
	for (uint32 i = 0; i < span->event_count; i++)
	{
		const Event *event = &span->events[i];

		put_varint(&e->values, zigzag(event->time_ns - span->start_ns));
		put_string(e, &e->values, event->name);
		put_varint(&e->values, event->dropped_attributes_count);
		put_attributes(e, &e->values, &event->attributes);
	}
}

static bool
has_links(const Span *span)
{
	return span->link_count > 0;
}

static void
put_links(TrajectoryEncoder *e, const Span *span)
{
	put_varint(&e->values, span->link_count);
	for (uint32 i = 0; i < span->link_count; i++)
	{
		const Link *link = &span->links[i];

		put_bytes(&e->values, link->trace_id, 16);
		put_uint64(&e->values, link->span_id);
		put_string(e, &e->values, link->trace_state);
		put_varint(&e->values, link->flags);
		put_varint(&e->values, link->dropped_attributes_count);
		put_attributes(e, &e->values, &link->attributes);
	}
}

static int
mapped_key_compare(const void *a, const void *b, void *arg)
{
	const uint32 *order = arg;
	uint32		x = order[*(const uint32 *) a];
	uint32		y = order[*(const uint32 *) b];

	return (x > y) - (x < y);
}

/*
 * Number the mapped keys that no span uses, by name.  Were they left out, a
 * merge would forget a mapping whose span lost to another version of itself,
 * and would no longer be associative.
 */
static void
number_mapped_keys(TrajectoryEncoder *e)
{
	uint32	   *unused = scratch_alloc(e, e->set->key_count * sizeof(uint32));
	uint32		count = 0;
	uint32		number;

	for (uint32 i = 0; i < e->set->key_count; i++)
		if (e->set->keys[i].is_mapped && !numbering_find(&e->keys, e->trace, i, &number))
			unused[count++] = i;
	qsort_arg(unused, count, sizeof(uint32), mapped_key_compare, e->set->key_order);
	for (uint32 i = 0; i < count; i++)
		key_number(e, unused[i]);
}

static void
number_keys(TrajectoryEncoder *e, const AttrList *list)
{
	for (uint32 i = 0; i < list->n; i++)
		key_number(e, list->keys[i]);
}

/*
 * Number all keys, and then their names: those of shapes, of events and links,
 * and those that are only mapped.
 */
static void
number_all_keys(TrajectoryEncoder *e)
{
	for (uint32 i = 0; i < e->shapes.count; i++)
	{
		const Shape *shape = &e->set->shapes[e->shapes.members[i]];

		for (uint32 k = 0; k < shape->nkeys; k++)
			key_number(e, shape->keys[k]);
	}
	for (uint32 i = 0; i < e->n; i++)
	{
		const Span *span = e->spans[i];

		for (uint32 k = 0; k < span->event_count; k++)
			number_keys(e, &span->events[k].attributes);
		for (uint32 k = 0; k < span->link_count; k++)
			number_keys(e, &span->links[k].attributes);
	}
	if (e->keep_mapped)
		number_mapped_keys(e);
	for (uint32 i = 0; i < e->keys.count; i++)
	{
		const Key  *key = &e->set->keys[e->keys.members[i]];

		if (!key->is_derived && key->known < 0)
			string_number(e, key->name);
	}
}

static void
put_keys(TrajectoryEncoder *e, StringInfo buf)
{
	put_varint(buf, e->keys.count);
	for (uint32 i = 0; i < e->keys.count; i++)
	{
		const Key  *key = &e->set->keys[e->keys.members[i]];
		uint32		mapped = key->is_mapped ? KEY_MAPPED : 0;

		if (key->is_derived)
			put_varint(buf, (uint32) key->column << 3 | KEY_DERIVED);
		else if (key->known >= 0)
			put_varint(buf, (uint32) key->known << 3 | mapped | KEY_BUILT_IN);
		else
			put_varint(buf, (uint64) string_number(e, key->name) << 3 | mapped | KEY_NAMED);
		if (mapped)
			put_byte(buf, key->column);
	}
}

static void
put_items(StringInfo buf, const Dictionary *d)
{
	put_varint(buf, d->count);
	for (uint32 i = 0; i < d->count; i++)
		put_bytes(buf, d->items[i].data, d->items[i].len);
}

static void
put_shapes(TrajectoryEncoder *e, StringInfo buf)
{
	put_varint(buf, e->shapes.count);
	for (uint32 i = 0; i < e->shapes.count; i++)
	{
		const Shape *shape = &e->set->shapes[e->shapes.members[i]];

		put_varint(buf, shape->nkeys);
		for (uint32 k = 0; k < shape->nkeys; k++)
			put_varint(buf, key_number(e, shape->keys[k]));
	}
}

/* The strings from a number on, up to another. */
static void
put_strings(TrajectoryEncoder *e, uint32 from, uint32 to)
{
	put_varint(&e->cold, to - from);
	for (uint32 i = from; i < to; i++)
		put_varint(&e->cold, e->strings.items[i].len);
	for (uint32 i = from; i < to; i++)
		put_bytes(&e->cold, e->strings.items[i].data, e->strings.items[i].len);
}

/*
 * What spans share.  Strings of values stand before those, but are known only
 * when they have been written.
 */
static void
put_tables(TrajectoryEncoder *e)
{
	uint32		first;

	number_all_keys(e);
	put_strings(e, 0, e->strings.count);
	put_keys(e, &e->cold);
	put_items(&e->cold, &e->resource_bytes);
	put_items(&e->cold, &e->scope_bytes);
	put_shapes(e, &e->cold);

	first = e->strings.count;
	e->refers_to_next = true;
	put_classes(e);
	put_strings(e, first, e->strings.count);
	put_bytes(&e->cold, e->class_table.data, e->class_table.len);
}

/* The rest, likewise. */
static void
put_values(TrajectoryEncoder *e)
{
	uint32		first = e->strings.count;

	put_columns(e);
	put_sparse(e, has_message, put_message);
	put_sparse(e, has_dropped, put_dropped);
	put_sparse(e, has_repaired, put_repaired);
	put_sparse(e, has_events, put_events);
	put_sparse(e, has_links, put_links);
	put_strings(e, first, e->strings.count);
	put_bytes(&e->cold, e->values.data, e->values.len);
}

static void
sum_usage(TrajectoryEncoder *e, TrajectoryHeader *header)
{
	SpanUsage  *usage = scratch_alloc(e, e->n * sizeof(SpanUsage));
	uint8	   *scope = scratch_alloc(e, e->n);
	int64		input = TOKENS_UNKNOWN;
	int64		output = TOKENS_UNKNOWN;
	uint32		errors = 0;

	for (uint32 i = 0; i < e->n; i++)
	{
		SpanColumns columns = span_columns(e->set, e->spans[i]);

		usage[i] = columns_usage(&columns);
		errors += e->is_error[i];
	}
	usage_scopes(e->n, e->order.parent, e->kind, usage, scope);
	for (uint32 i = 0; i < e->n; i++)
	{
		if (scope[i] != USAGE_OWN)
			continue;
		input = tokens_add(input, usage[i].input_tokens);
		output = tokens_add(output, usage[i].output_tokens);
	}
	store_uint64(header->input_tokens, input);
	store_uint64(header->output_tokens, output);
	store_uint32(header->error_count, errors);
}

/* Compress into out, which has room for len bytes; 0 if it does not get smaller. */
static int
compress(Codec codec, const char *data, int len, char *out)
{
	int			size = 0;

	if (codec == CODEC_PGLZ)
	{
		char	   *larger = palloc_extended(PGLZ_MAX_OUTPUT(len), MCXT_ALLOC_HUGE);

		size = pglz_compress(data, len, larger, PGLZ_strategy_default);
		if (size > 0 && size < len)
			memcpy(out, larger, size);
		else
			size = 0;
		pfree(larger);
	}
#ifdef USE_LZ4
	else if (codec == CODEC_LZ4)
		size = LZ4_compress_default(data, out, len, len - 1);
#endif
	return Max(size, 0);
}

/* Join the parts of the datum in the current context. */
static struct varlena *
assemble(TrajectoryEncoder *e, TrajectoryHeader *header, uint32 tables_size, Codec codec)
{
	StringInfoData size;
	Size		largest;
	char	   *datum;
	char	   *at;
	int			compressed;
	uint64		hash;

	hash = hash_bytes_extended((unsigned char *) header, sizeof(*header), 0);
	hash = hash_bytes_extended((unsigned char *) e->hot.data, e->hot.len, hash);
	hash = hash_bytes_extended((unsigned char *) e->cold.data, e->cold.len, hash);
	store_uint64(header->content_hash, hash);

	initStringInfo(&size);
	put_varint(&size, e->cold.len);
	put_varint(&size, tables_size);
	largest = sizeof(*header) + (Size) e->hot.len + size.len + e->cold.len;
	if (largest > MaxAllocSize)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("trajectory is too large"),
				 errdetail("It would take %zu bytes; the limit is %zu.",
						   largest, (Size) MaxAllocSize)));

	datum = palloc(largest);
	at = datum + sizeof(*header);
	memcpy(at, e->hot.data, e->hot.len);
	at += e->hot.len;
	memcpy(at, size.data, size.len);
	at += size.len;
	pfree(size.data);

	compressed = compress(codec, e->cold.data, e->cold.len, at);
	if (compressed > 0)
	{
		header->codec = codec;
		at += compressed;
	}
	else
	{
		memcpy(at, e->cold.data, e->cold.len);
		at += e->cold.len;
	}
	SET_VARSIZE(header, at - datum);
	memcpy(datum, header, sizeof(*header));
	return (struct varlena *) datum;
}

/*
 * The datum, in the current context, of n > 0 spans of one trace, which have
 * distinct ids and belong to the encoder's set.
 */
struct varlena *
trajectory_encode(TrajectoryEncoder *e, Span **spans, uint32 n, Codec codec)
{
	TrajectoryHeader header = {.version = TRAJECTORY_VERSION};
	uint32		tables_size;

	if (n > TRAJECTORY_MAX_SPANS)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("trajectory has too many spans"),
				 errdetail("It has %u spans; the limit is %d.", n, TRAJECTORY_MAX_SPANS)));

	begin_trace(e, n);
	order_spans(e, spans);
	classify_spans(e);

	memcpy(header.trace_id, spans[0]->trace_id, sizeof(header.trace_id));
	store_uint32(header.span_count, n);
	put_kinds(e);
	put_structure(e, &header);
	put_times(e, &header);
	put_root_parents(e, &header);
	store_uint32(header.hot_size, e->hot.len);
	put_tables(e);
	tables_size = e->cold.len;
	put_values(e);
	sum_usage(e, &header);
	return assemble(e, &header, tables_size, codec);
}

/*
 * The datum of all spans of a set, which have one trace id.  Spans with one id
 * are merged, or else an error.
 */
struct varlena *
trajectory_encode_set(SpanSet *set, bool merge, Codec codec)
{
	TrajectoryEncoder *encoder;
	struct varlena *datum;
	Span	  **spans;
	uint32		n = set->span_count;

	spanset_finish(set);
	if (merge)
	{
		uint32	   *ends;
		uint32		groups;

		spans = spanset_group(set, &ends, &groups);
		Assert(groups == 1);
		n = ends[0];
	}
	else
	{
		spans = MemoryContextAllocHuge(set->context, n * sizeof(Span *));
		for (uint32 i = 0; i < n; i++)
			spans[i] = &set->spans[i];
	}
	encoder = trajectory_encoder_create(set);
	encoder->keep_mapped = true;
	datum = trajectory_encode(encoder, spans, n, codec);
	trajectory_encoder_free(encoder);
	return datum;
}

/* The datum of count spans from an ordinal on. */
struct varlena *
trajectory_recode(const Trajectory *t, uint32 from, uint32 count, Codec codec)
{
	SpanSet    *set = spanset_create();
	struct varlena *datum;

	trajectory_add_to_set(t, set, from, count);
	datum = trajectory_encode_set(set, false, codec);
	spanset_free(set);
	return datum;
}

/*
 * A datum from outside, checked and encoded anew.  The result is canonical
 * whatever came in.
 */
struct varlena *
trajectory_receive(const void *bytes, size_t size, Codec codec)
{
	Trajectory *t = trajectory_decode(bytes, size, true);

	trajectory_check(t);
	return trajectory_recode(t, 0, t->n, codec);
}
