/*
 * trajectory.h
 *		The trajectory type: one trace as an ordered forest of spans.
 *
 * The binary format, version 1.  Numbers are little-endian; see bytes.h for
 * varints and value.h for values.  Reads go through memcpy, so nothing is
 * aligned.
 *
 *	header		TrajectoryHeader
 *	hot			never compressed: what shape, time and identity need
 *		pops	n bytes.  A span's depth is that of the span before it, plus
 *				one, minus its pop; the first span's depth is 0.  255 means
 *				that a varint with the rest follows among the big pops.
 *		big pops	varints, one for each pop of 255
 *		classes	n × class_width bytes: the span's class
 *		ids		n × 8 bytes: span ids
 *		times	for each span two numbers: zigzag of the start minus the start
 *				of the span before it (of the trace's start for the first), and
 *				0 for an open span, else 1 + end - start.  First n bytes: in
 *				how many bytes the first number stands, 0 to 8, | 16 × the
 *				second's; then the numbers
 *		parents	varint count, then for each root with a parent id: varint
 *				ordinal minus the one before, byte (RootKind), 8 bytes id
 *	cold		varint size when decompressed, varint how much of it the tables
 *				take, then the rest of the datum, compressed as the header's
 *				codec says: the tables, which many a question can do with …
 *		strings	varint count, varint length of each, bytes of all
 *		keys	varint count, each: varint tag = number << 3 | mapped << 2 |
 *				type; type 0: number of a string, 1: number of a built-in
 *				key, 2: column of a derived value; if mapped: byte (column)
 *		resources	varint count, each: string schema URL, varint dropped
 *				attributes, attributes
 *		scopes	varint count, each: strings name, version, schema URL, varint
 *				dropped attributes, attributes
 *		shapes	varint count, each: varint number of keys, numbers of keys
 *		strings	more of them, numbered on: those of the classes' values
 *		classes	each: string name, varint shape, varint resource, varint scope,
 *				varint flags, string trace state; then for each key of its shape
 *				byte type | 16 × ColumnForm, and if all spans of the class have
 *				one value that is not long, that value
 *				… and the values:
 *		strings	more of them, numbered on: those that no table has
 *		columns	for each class, for each key of its shape that has no value yet:
 *				the values in the order of the spans, each preceded by its type
 *				if types differ; or only one, if all are the same
 *		messages	spans with a status message: ordinals, string each
 *		dropped		spans with dropped counts: ordinals, 3 varints each:
 *				attributes, events, links
 *		repaired	spans with repaired strings: ordinals, varint each
 *		events		spans with events: ordinals, varint number of events each;
 *				an event: zigzag varint time minus the span's start, string
 *				name, varint dropped attributes, attributes
 *		links		spans with links: ordinals, varint number of links each; a
 *				link: 16 bytes trace id, 8 bytes span id, string trace state,
 *				varint flags, varint dropped attributes, attributes
 *
 *	string		varint: the string's number, plus one; or, among values, 0 for
 *				the first of the strings before them that no 0 has stood for
 *	ordinals	varint count of spans, then before each span's part a varint: its
 *				ordinal (from 0) minus the one before
 *	attributes	varint count, each: varint key, byte type, payload
 *	payload		as in value.h, but string, bytes, array and kvlist are the number
 *				of a string
 *
 * The order is canonical: spans in preorder (tree.h), attributes by key,
 * strings, keys, resources, scopes, shapes and classes in the order of their
 * first use, the tables first, mapped keys that nothing uses last, by name.  So
 * equal content has equal bytes before compression, and the content hash is
 * over those.
 */
#ifndef LLMTRACE_TRAJECTORY_H
#define LLMTRACE_TRAJECTORY_H

#include "kernel/spanset.h"

#define TRAJECTORY_VERSION 1

/* More than these do not fit; depth has no limit of its own. */
#define TRAJECTORY_MAX_SPANS 16000000
#define TRAJECTORY_MAX_VALUES UINT64_C(0x10000000)

/* How the cold section is compressed.  On disk. */
typedef enum Codec
{
	CODEC_RAW = 0,
	CODEC_PGLZ = 1,
	CODEC_LZ4 = 2
} Codec;

/* What a tag in the table of keys stands for.  On disk. */
#define KEY_NAMED 0
#define KEY_BUILT_IN 1
#define KEY_DERIVED 2
#define KEY_MAPPED 4			/* flag */

/* How the values of an attribute stand in a class.  On disk. */
typedef enum ColumnForm
{
	COLUMN_UNIFORM = 0,			/* one type */
	COLUMN_CONSTANT = 1,		/* one value, with the class */
	COLUMN_MIXED = 2,			/* each with its type */
	COLUMN_LONG_CONSTANT = 3	/* one value, among the values */
} ColumnForm;

/* A value larger than this is long, in bytes. */
#define VALUE_SHORT_LEN 64

#define TRAJECTORY_OPEN_ROOT 0x01	/* a root's end is unknown */
#define TRAJECTORY_OPEN_SPAN 0x02	/* some span's end is unknown */
#define TRAJECTORY_NO_PROPER_ROOT 0x04	/* only orphans and cut cycles */
#define TRAJECTORY_HAS_ORPHAN 0x08	/* a parent is missing, or a cycle was cut */
#define TRAJECTORY_FLAGS 0x0f

typedef struct TrajectoryHeader
{
	int32		vl_len_;		/* varlena header, do not touch directly */
	uint8		version;		/* TRAJECTORY_VERSION */
	uint8		codec;			/* Codec */
	uint8		class_width;	/* bytes a class number takes: 1, 2 or 4 */
	uint8		flags;			/* TRAJECTORY_… */
	uint8		trace_id[16];
	uint8		content_hash[8];	/* of all that follows, decompressed, and of
									 * the fields below; 0 while hashing */
	uint8		start_ns[8];	/* earliest start */
	uint8		duration_ns[8]; /* to the latest end (or start) */
	uint8		input_tokens[8];	/* own usage of all spans, or -1 */
	uint8		output_tokens[8];
	uint8		span_count[4];
	uint8		error_count[4];
	uint8		root_count[4];
	uint8		hot_size[4];	/* bytes from the header to the cold section */
} TrajectoryHeader;

/* The header's numbers, read. */
typedef struct TrajectorySummary
{
	uint8		trace_id[16];
	uint64		content_hash;
	int64		start_ns;
	int64		duration_ns;
	int64		input_tokens;
	int64		output_tokens;
	uint32		span_count;
	uint32		error_count;
	uint32		root_count;
	uint32		hot_size;
	uint8		version;
	uint8		codec;
	uint8		class_width;
	uint8		flags;
} TrajectorySummary;

/* What the spans of one class have in common. */
typedef struct SpanClass
{
	Bytes		name;
	Bytes		trace_state;
	uint32		shape;
	uint32		resource;
	uint32		scope;
	uint32		flags;
	uint8		span_kind;
	uint8		status;
	uint8		kind;			/* OperationKind */
	bool		is_error;
	uint32		span_count;
	ValueColumn *columns;		/* as many as the shape has keys */
} SpanClass;

/* A root that names a parent. */
typedef struct RootParent
{
	uint32		ordinal;
	uint64		parent_id;
	uint8		root_kind;		/* ROOT_ORPHAN or ROOT_CUT */
} RootParent;

/* The parts of a span that few spans have. */
typedef struct SpanExtra
{
	Bytes		status_message;
	uint32		dropped_attributes_count;
	uint32		dropped_events_count;
	uint32		dropped_links_count;
	uint32		repaired;
	Event	   *events;
	Link	   *links;
	uint32		event_count;
	uint32		link_count;
} SpanExtra;

/*
 * A trajectory read into arrays by ordinal, which counts from 0.  What kinds of
 * classes there are is known at once, the rest when it has been asked for.
 * Bytes point into the datum or the decompressed cold section.
 */
typedef struct Trajectory
{
	TrajectorySummary summary;
	uint32		n;				/* spans */

	/* hot: structure, then times and the roots' parents */
	bool		has_structure;
	bool		has_hot;
	Cursor		hot;			/* the rest of it */
	int64	   *start_ns;
	int64	   *end_ns;			/* TIME_OPEN if unknown */
	int32	   *parent;			/* -1 for a root */
	int32	   *depth;			/* 0 for a root */
	uint32	   *subtree;		/* spans in the subtree, this one included */
	uint32	   *span_class;
	const uint8 *span_id;		/* n × 8 bytes */
	RootParent *root_parents;
	uint32		root_parent_count;

	/* cold: what spans share, the values of whole classes among it; the rest */
	bool		has_tables;
	bool		has_cold;
	const uint8 *cold;			/* decompressed … */
	size_t		cold_known;		/* … as far as this */
	size_t		cold_size;
	size_t		tables_size;	/* of it, the tables */
	Bytes	   *strings;
	uint32		string_count;
	uint32		next_string;	/* what a reference of 0 stands for */
	Key		   *keys;
	uint32		key_count;
	Resource   *resources;
	uint32		resource_count;
	Scope	   *scopes;
	uint32		scope_count;
	Shape	   *shapes;
	uint32		shape_count;
	SpanClass  *classes;
	uint32		class_count;
	uint32	   *class_index;	/* each span's place among those of its class */
	uint32		max_attributes; /* of one span */
	SpanExtra **extras;			/* NULL, or NULL for spans without */

	MemoryContext context;		/* where all of this lives */
	Arena		arena;			/* its many small parts */
	const char *datum;			/* what was decoded */
	size_t		datum_size;
} Trajectory;

typedef struct TrajectoryEncoder TrajectoryEncoder;

extern Codec trajectory_best_codec(void);
extern TrajectoryEncoder *trajectory_encoder_create(SpanSet *set);
extern void trajectory_encoder_free(TrajectoryEncoder *e);
extern struct varlena *trajectory_encode(TrajectoryEncoder *e, Span **spans, uint32 n,
										 Codec codec);
extern struct varlena *trajectory_encode_set(SpanSet *set, bool merge, Codec codec);
extern struct varlena *trajectory_recode(const Trajectory *t, uint32 from, uint32 count,
										 Codec codec);
extern struct varlena *trajectory_receive(const void *bytes, size_t size, Codec codec);
extern bool trajectory_may_have_key(Trajectory *t, Bytes name);
extern Bytes trajectory_cold_bytes(Trajectory *t);
extern int	trajectory_compare(Trajectory *a, Trajectory *b);
extern void trajectory_read_summary(const void *datum, TrajectorySummary *summary);
extern uint32 trajectory_levels(const void *datum, size_t size);
extern Trajectory *trajectory_decode(const void *datum, size_t size, bool with_cold);
extern Trajectory *trajectory_open(const void *datum, size_t size);
extern void trajectory_decode_structure(Trajectory *t);
extern Trajectory *trajectory_first_spans(const Trajectory *t, uint32 n);
extern void trajectory_decode_hot(Trajectory *t);
extern void trajectory_decode_tables(Trajectory *t);
extern void trajectory_decode_values(Trajectory *t);
extern void trajectory_decode_cold(Trajectory *t);
extern void trajectory_check(const Trajectory *t);
extern void trajectory_add_to_set(const Trajectory *t, SpanSet *set, uint32 from, uint32 count);

static inline uint64
trajectory_span_id(const Trajectory *t, uint32 ordinal)
{
	return load_uint64(t->span_id + (size_t) ordinal * 8);
}

static inline const SpanClass *
trajectory_class(const Trajectory *t, uint32 ordinal)
{
	return &t->classes[t->span_class[ordinal]];
}

static inline SpanColumns
trajectory_columns(const Trajectory *t, uint32 ordinal)
{
	const SpanClass *class = trajectory_class(t, ordinal);

	return (SpanColumns) {
		.shape = &t->shapes[class->shape],
			.keys = t->keys,
			.columns = class->columns,
			.index = t->class_index[ordinal]
	};
}

/* Is one attribute the same for all spans of a class, and decoded already? */
static inline bool
class_has_value(const SpanClass *class, uint32 place)
{
	return class->columns[place].mask == 0 && class->columns[place].values != NULL;
}

/* Is a column, or that there is none? */
static inline bool
class_tells(const Trajectory *t, const SpanClass *class, CanonicalColumn column)
{
	const Shape *shape = &t->shapes[class->shape];

	for (uint32 i = shape_first_alias(shape, column); shape_is_alias(shape, i, column); i++)
		if (!class_has_value(class, shape_alias_place(shape, i)))
			return false;
	return true;
}

/* What class_tells() tells of, to be read. */
static inline SpanColumns
class_columns(const Trajectory *t, const SpanClass *class)
{
	return (SpanColumns) {
		.shape = &t->shapes[class->shape],
			.keys = t->keys,
			.columns = class->columns,
			.index = 0
	};
}

static inline const SpanExtra *
trajectory_extra(const Trajectory *t, uint32 ordinal)
{
	return t->extras ? t->extras[ordinal] : NULL;
}

/* Has a span a sibling after it? */
static inline bool
trajectory_has_next_sibling(const Trajectory *t, uint32 ordinal)
{
	uint32		next = ordinal + t->subtree[ordinal];

	return next < t->n && t->parent[next] == t->parent[ordinal];
}

extern AttrList trajectory_attributes(const Trajectory *t, uint32 ordinal, Value *room);
extern uint64 trajectory_parent_id(const Trajectory *t, uint32 ordinal);
extern RootKind trajectory_root_kind(const Trajectory *t, uint32 ordinal);
extern uint32 trajectory_primary_root(const Trajectory *t);

#endif							/* LLMTRACE_TRAJECTORY_H */
