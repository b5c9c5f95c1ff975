/*
 * spanset.h
 *		Spans on their way into a trajectory.
 *
 * Whatever brings spans (OTLP, text, rows, trajectories to be merged) adds
 * them here; trajectory_encode() takes them from here.  Keys are interned per
 * set; strings and values point into the input or into the set's memory, so
 * the input must outlive the set.  A set may hold spans of many traces.
 */
#ifndef LLMTRACE_SPANSET_H
#define LLMTRACE_SPANSET_H

#include "kernel/canonical.h"
#include "kernel/tree.h"

/* Longest name of a span, in bytes. */
#define SPAN_NAME_MAX_LEN 65535

/* OpenTelemetry's span kinds and status codes, as the wire numbers them. */
#define SPAN_KIND_COUNT 6
#define SPAN_KIND_CLIENT 3
#define SPAN_KIND_PRODUCER 4
#define SPAN_KIND_CONSUMER 5
#define SPAN_STATUS_UNSET 0
#define SPAN_STATUS_OK 1
#define SPAN_STATUS_ERROR 2
#define SPAN_STATUS_COUNT 3

/* Once finished: sorted by key, derived ones last, no key twice. */
typedef struct AttrList
{
	uint32		n;
	uint32	   *keys;			/* indexes into SpanSet.keys */
	Value	   *values;
} AttrList;

typedef struct Resource
{
	AttrList	attributes;
	Bytes		schema_url;
	uint32		dropped_attributes_count;
} Resource;

typedef struct Scope
{
	Bytes		name;
	Bytes		version;
	AttrList	attributes;
	Bytes		schema_url;
	uint32		dropped_attributes_count;
} Scope;

typedef struct Event
{
	int64		time_ns;
	Bytes		name;
	AttrList	attributes;
	uint32		dropped_attributes_count;
} Event;

typedef struct Link
{
	uint8		trace_id[16];
	uint64		span_id;
	Bytes		trace_state;
	AttrList	attributes;
	uint32		dropped_attributes_count;
	uint32		flags;
} Link;

typedef struct Span
{
	uint8		trace_id[16];
	uint64		span_id;
	uint64		parent_id;		/* 0 for none */
	int64		start_ns;
	int64		end_ns;			/* TIME_OPEN if unknown */
	Bytes		name;
	Bytes		trace_state;
	Bytes		status_message;
	AttrList	attributes;		/* derived ones among them */
	Event	   *events;
	Link	   *links;
	uint32		event_count;
	uint32		link_count;
	uint32		resource;		/* index into SpanSet.resources */
	uint32		scope;			/* index into SpanSet.scopes */
	uint32		shape;			/* index into SpanSet.shapes, once finished */
	uint32		flags;
	uint32		dropped_attributes_count;
	uint32		dropped_events_count;
	uint32		dropped_links_count;
	uint32		repaired;		/* places in strings that were repaired */
	uint8		span_kind;
	uint8		status;
	bool		is_derived;		/* derived attributes are there already */
} Span;

/* A span that was left out, and why. */
typedef struct Rejection
{
	Bytes		span_id;		/* as it was written, maybe empty */
	const char *reason;
} Rejection;

typedef struct Arena
{
	MemoryContext context;
	char	   *at;
	char	   *end;
	size_t		block;			/* size of the block at hand */
} Arena;

typedef struct SpanSet
{
	MemoryContext context;
	Arena		arena;

	Key		   *keys;
	uint32		key_count;
	uint32		key_max;
	uint32	   *key_slots;		/* hash table of key index + 1 */
	uint32		key_mask;
	uint32		recent_keys[64];
	uint32	   *key_order;		/* place of each key in the order of names */

	Shape	   *shapes;
	uint32		shape_count;
	uint32		shape_max;
	uint32	   *shape_slots;	/* hash table of shape index + 1 */
	uint32		shape_mask;

	Resource   *resources;
	uint32		resource_count;
	uint32		resource_max;
	Scope	   *scopes;
	uint32		scope_count;
	uint32		scope_max;
	Span	   *spans;
	uint32		span_count;
	uint32		span_max;
	Rejection  *rejections;
	uint32		rejection_count;
	uint32		rejection_max;

	/* lists of attributes being collected, the innermost last */
	uint32	   *stack_keys;
	Value	   *stack_values;
	uint32		stack_count;
	uint32		stack_max;

	struct PromptCache *prompts;	/* prompt_hash.c's, or NULL */
} SpanSet;

extern void *arena_alloc_slow(Arena *arena, size_t size);

/* Memory that lives as long as the arena's context; never NULL. */
static inline void *
arena_alloc(Arena *arena, size_t size)
{
	char	   *p = arena->at;

	size = size > 0 ? MAXALIGN(size) : MAXIMUM_ALIGNOF;
	if (unlikely((size_t) (arena->end - p) < size))
		return arena_alloc_slow(arena, size);
	arena->at = p + size;
	return p;
}

extern SpanSet *spanset_create(void);
extern SpanSet *spanset_copy(const SpanSet *set);
extern void spanset_free(SpanSet *set);
extern Bytes arena_copy(Arena *arena, const void *data, uint32 len);

extern void *spanset_grow(SpanSet *set, void *array, uint32 count, uint32 *max, size_t size);
extern uint32 spanset_key(SpanSet *set, Bytes name);
extern uint32 spanset_derived_key(SpanSet *set, CanonicalColumn column);
extern uint32 spanset_add_resource(SpanSet *set);
extern uint32 spanset_add_scope(SpanSet *set);
extern Span *spanset_add_span(SpanSet *set);
extern void spanset_reject(SpanSet *set, Bytes span_id, const char *reason);

extern void spanset_push_attr(SpanSet *set, uint32 key, Value value);
extern AttrList spanset_pop_attrs(SpanSet *set, uint32 base);
extern void spanset_finish(SpanSet *set);
extern SpanColumns span_columns(const SpanSet *set, const Span *span);
extern bool span_is_error(const SpanSet *set, const Span *span);
extern int	span_compare(const SpanSet *set, const Span *a, const Span *b);
extern Span **spanset_group(SpanSet *set, uint32 **group_ends, uint32 *group_count);

#endif							/* LLMTRACE_SPANSET_H */
