/*
 * trajectory_decode.c
 *		From the binary format of trajectory.h to arrays.
 *
 * Decoding trusts nothing: every count is checked against the bytes that are
 * left before memory is allocated, every index against its table.  What it
 * does not check is what only matters to a value from outside, such as the
 * encoding of strings and the canonical order: trajectory_check() and encoding
 * anew do that.
 */
#include "postgres.h"

#ifdef USE_LZ4
#include <lz4.h>
#endif

#include "common/int.h"
#include "common/pg_lzcompress.h"
#include "compat.h"
#include "kernel/trajectory.h"
#include "miscadmin.h"
#include "utils/memutils.h"

/*
 * No codec makes data smaller than this many times (LZ4: 255), so a size that
 * claims more is a lie.
 */
#define MAX_COMPRESSION 256

static void *
alloc_array(Trajectory *t, size_t n, size_t size)
{
	return arena_alloc(&t->arena, n * size);
}

/*
 * Have bytes come into the cache while others are read: each part of a
 * trajectory is too short for the processor to see it coming.
 */
static void
prefetch(const Cursor *c, size_t from, size_t len)
{
	const size_t line = 64;
	const size_t most = 32 * line;
	const uint8 *at = c->at + Min(from, cursor_left(c));
	const uint8 *end = at + Min(Min(len, most), (size_t) (c->end - at));

	for (; at < end; at += line)
		__builtin_prefetch(at);
}

/* Read and check the header of a datum whose first bytes are there. */
void
trajectory_read_summary(const void *datum, TrajectorySummary *summary)
{
	TrajectoryHeader h;

	memcpy(&h, datum, sizeof(h));
	memcpy(summary->trace_id, h.trace_id, sizeof(h.trace_id));
	summary->content_hash = load_uint64(h.content_hash);
	summary->start_ns = (int64) load_uint64(h.start_ns);
	summary->duration_ns = (int64) load_uint64(h.duration_ns);
	summary->input_tokens = (int64) load_uint64(h.input_tokens);
	summary->output_tokens = (int64) load_uint64(h.output_tokens);
	summary->span_count = load_uint32(h.span_count);
	summary->error_count = load_uint32(h.error_count);
	summary->root_count = load_uint32(h.root_count);
	summary->hot_size = load_uint32(h.hot_size);
	summary->version = h.version;
	summary->codec = h.codec;
	summary->class_width = h.class_width;
	summary->flags = h.flags;

	if (summary->version != TRAJECTORY_VERSION)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("trajectory has an unknown format version"),
				 errdetail("The version is %u; this server's extension reads version %d.",
						   summary->version, TRAJECTORY_VERSION),
				 errhint("The value may have been written by a later version of llmtrace.")));
	if (summary->flags & ~TRAJECTORY_FLAGS ||
		(summary->class_width != 1 && summary->class_width != 2 && summary->class_width != 4) ||
		summary->span_count == 0 || summary->span_count > TRAJECTORY_MAX_SPANS ||
		summary->start_ns < 0 || summary->duration_ns < 0 ||
		summary->start_ns > PG_INT64_MAX - summary->duration_ns)
		bytes_corrupt("header");
}

/*
 * Depths, parents and subtree sizes of t's spans, from their pops.  The classes
 * come next: until then their array has, at each depth, the span that is open.
 */
static void
decode_structure(Trajectory *t, const uint8 *pops, Cursor *c)
{
	uint32		n = t->n;
	uint32	   *open = t->span_class;
	int32	   *parent = t->parent;
	int32	   *depths = t->depth;
	uint32	   *subtree = t->subtree;
	int32		depth = -1;

	for (uint32 i = 0; i < n; i++)
	{
		uint32		pop = pops[i];

		if (unlikely(pop == 255))
			pop += cursor_index(c, TRAJECTORY_MAX_SPANS, "structure");
		if (unlikely(pop > (uint32) (depth + 1)))
			bytes_corrupt("structure");
		depth -= (int32) pop;
		parent[i] = depth < 0 ? -1 : (int32) open[depth];
		depths[i] = ++depth;
		open[depth] = i;
		subtree[i] = 1;
	}
	for (uint32 i = n; i-- > 0;)
		if (parent[i] >= 0)
			subtree[parent[i]] += subtree[i];
}

/*
 * Levels of the tree, from the pops alone: a question asked of whole tables,
 * which need not decode anything else.
 */
uint32
trajectory_levels(const void *datum, size_t size)
{
	TrajectorySummary summary;
	Cursor		c = {(const uint8 *) datum, (const uint8 *) datum + size};
	const uint8 *pops;
	int64		depth = -1;
	int64		deepest = 0;

	cursor_take(&c, sizeof(TrajectoryHeader), "header");
	trajectory_read_summary(datum, &summary);
	cursor_take(&c, 2 * (size_t) cursor_count(&c, 2, "kinds"), "kinds");
	pops = cursor_take(&c, summary.span_count, "structure");
	for (uint32 i = 0; i < summary.span_count; i++)
	{
		depth += 1 - (int64) pops[i];
		if (unlikely(pops[i] == 255))
			depth -= cursor_index(&c, TRAJECTORY_MAX_SPANS, "structure");
		if (depth < 0)
			bytes_corrupt("structure");
		deepest = Max(deepest, depth);
	}
	return deepest + 1;
}

/* What is said of the classes without their names. */
static void
decode_kinds(Trajectory *t, Cursor *c)
{
	const uint8 *p;

	t->class_count = cursor_count(c, 2, "kinds");
	t->classes = alloc_array(t, t->class_count, sizeof(SpanClass));
	p = cursor_take(c, 2 * (size_t) t->class_count, "kinds");
	for (uint32 i = 0; i < t->class_count; i++)
	{
		SpanClass  *class = &t->classes[i];
		uint8		bits = p[2 * i];

		class->span_kind = bits & 7;
		class->status = bits >> 3 & 3;
		class->is_error = bits >> 5 & 1;
		class->kind = p[2 * i + 1];
		class->span_count = 0;
		if (bits >> 6 != 0 || class->span_kind >= SPAN_KIND_COUNT ||
			class->status >= SPAN_STATUS_COUNT || class->kind >= KIND_COUNT)
			bytes_corrupt("kinds");
	}
}

static void
decode_classes(Trajectory *t, const uint8 *p)
{
	uint32		n = t->n;
	uint32		most = 0;

	switch (t->summary.class_width)
	{
		case 1:
			for (uint32 i = 0; i < n; i++)
			{
				t->span_class[i] = p[i];
				most = Max(most, p[i]);
			}
			break;
		case 2:
			for (uint32 i = 0; i < n; i++)
			{
				t->span_class[i] = p[2 * i] | p[2 * i + 1] << 8;
				most = Max(most, t->span_class[i]);
			}
			break;
		default:
			for (uint32 i = 0; i < n; i++)
			{
				t->span_class[i] = load_uint32(p + 4 * (size_t) i);
				most = Max(most, t->span_class[i]);
			}
			break;
	}
	if (most >= t->class_count)
		bytes_corrupt("classes of spans");
}

/* A number of so many bytes, and not fewer. */
static uint64
decode_number(Cursor *c, uint32 size)
{
	const uint8 *bytes;
	uint64		number = 0;

	if (size > 8)
		bytes_corrupt("times");
	bytes = cursor_take(c, size, "times");
	for (uint32 i = 0; i < size; i++)
		number |= (uint64) bytes[i] << (8 * i);
	if (size > 0 && bytes[size - 1] == 0)
		bytes_corrupt("times");
	return number;
}

/* Of numbers of so many bytes the least, which rules out any of more than 8. */
static const uint64 least_number[16] = {
	0, 1, UINT64_C(1) << 8, UINT64_C(1) << 16, UINT64_C(1) << 24, UINT64_C(1) << 32,
	UINT64_C(1) << 40, UINT64_C(1) << 48, UINT64_C(1) << 56,
	PG_UINT64_MAX, PG_UINT64_MAX, PG_UINT64_MAX, PG_UINT64_MAX, PG_UINT64_MAX, PG_UINT64_MAX, PG_UINT64_MAX
};

/* … and their bits. */
static const uint64 number_bits[16] = {
	0, UINT64_C(0xff), UINT64_C(0xffff), UINT64_C(0xffffff), UINT64_C(0xffffffff),
	UINT64_C(0xffffffffff), UINT64_C(0xffffffffffff), UINT64_C(0xffffffffffffff), PG_UINT64_MAX
};

/* No span's two numbers are longer, whatever is said of their lengths. */
#define TIMES_MAX_LEN 32

/*
 * The times of t's spans, which are the first of those at the cursor, or all.
 * As long as there are bytes enough, whether any number is bad is asked once,
 * at the end.
 */
static void
decode_times(Trajectory *t, Cursor *c)
{
	const uint8 *sizes = cursor_take(c, t->summary.span_count, "times");
	uint32		n = t->n;
	int64	   *start_ns = t->start_ns;
	int64	   *end_ns = t->end_ns;
	int64		start = t->summary.start_ns;
	Cursor		at = *c;
	bool		is_bad = false;

	for (uint32 i = 0; i < n; i++)
	{
		uint32		step_size = sizes[i] & 15;
		uint32		length_size = sizes[i] >> 4;
		uint64		step;
		uint64		length;
		int64		end;

		if (likely(cursor_left(&at) >= TIMES_MAX_LEN))
		{
			step = load_uint64(at.at) & number_bits[step_size];
			at.at += step_size;
			length = load_uint64(at.at) & number_bits[length_size];
			at.at += length_size;
			is_bad |= step < least_number[step_size] || length < least_number[length_size];
		}
		else
		{
			step = decode_number(&at, step_size);
			length = decode_number(&at, length_size);
		}
		/* from a start that is not negative, no step goes around unseen */
		start = (int64) ((uint64) start + (uint64) unzigzag(step));
		is_bad |= start < 0 || length > (uint64) (PG_INT64_MAX - start) + 1;
		start &= PG_INT64_MAX;
		/* as span_end(): zero, too, is unknown */
		end = (int64) ((uint64) start + length - 1);
		start_ns[i] = start;
		end_ns[i] = length == 0 || end == 0 ? TIME_OPEN : end;
	}
	if (is_bad)
		bytes_corrupt("times");
	*c = at;
}

static void
decode_root_parents(Trajectory *t, Cursor *c)
{
	uint32		ordinal = 0;

	t->root_parent_count = cursor_count(c, 10, "parents");
	t->root_parents = alloc_array(t, t->root_parent_count, sizeof(RootParent));
	for (uint32 i = 0; i < t->root_parent_count; i++)
	{
		RootParent *r = &t->root_parents[i];
		uint32		step = cursor_index(c, t->n - ordinal, "parents");

		if (i > 0 && step == 0)
			bytes_corrupt("parents");
		ordinal += step;
		r->ordinal = ordinal;
		r->root_kind = cursor_byte(c, "parents");
		r->parent_id = load_uint64(cursor_take(c, 8, "parents"));
		if ((r->root_kind != ROOT_ORPHAN && r->root_kind != ROOT_CUT) ||
			r->parent_id == 0 || t->depth[ordinal] != 0)
			bytes_corrupt("parents");
	}
}

/* The arrays that the hot part fills. */
static void
alloc_hot(Trajectory *t)
{
	uint32		n = t->n;
	char	   *block = alloc_array(t, n, 2 * sizeof(int64) + 4 * sizeof(int32));

	t->start_ns = (int64 *) block;
	t->end_ns = t->start_ns + n;
	t->parent = (int32 *) (t->end_ns + n);
	t->depth = t->parent + n;
	t->subtree = (uint32 *) (t->depth + n);
	t->span_class = t->subtree + n;
}

/*
 * The structure of t's spans, which are the first of those at the cursor, or
 * all.
 */
static void
decode_spans(Trajectory *t, Cursor *c)
{
	uint32		stored = t->summary.span_count;
	const uint8 *pops = cursor_take(c, stored, "structure");
	Cursor		big_pops = *c;
	size_t		until_times = (size_t) stored * (t->summary.class_width + 8);

	/* the lengths of times, and about as much as the times take */
	prefetch(c, until_times, t->n);
	prefetch(c, until_times + stored, 8 * (size_t) t->n);
	alloc_hot(t);
	decode_structure(t, pops, &big_pops);
	if (t->n < stored)
		for (uint32 i = 0; i < stored; i++)
			if (pops[i] == 255)
				cursor_varint(c, "structure");
	if (t->n == stored)
		*c = big_pops;
	decode_classes(t, cursor_take(c, (size_t) stored * t->summary.class_width, "classes of spans"));
	t->span_id = cursor_take(c, (size_t) stored * 8, "span ids");
	t->has_structure = true;
}

/* Decode the shape of the tree, the spans' classes and ids, unless done before. */
void
trajectory_decode_structure(Trajectory *t)
{
	if (!t->has_structure)
		decode_spans(t, &t->hot);
}

/*
 * The first n spans alone, with structure and times: no root's parent, and of
 * subtrees what lies among them.  The classes are shared with t.
 */
Trajectory *
trajectory_first_spans(const Trajectory *t, uint32 n)
{
	Trajectory *first = palloc(sizeof(Trajectory));

	Assert(n <= t->n && !t->has_structure);
	*first = *t;
	first->n = n;
	first->arena = (Arena) {.context = t->context};
	decode_spans(first, &first->hot);
	decode_times(first, &first->hot);
	first->has_hot = true;
	return first;
}

/* Decode all of the hot part, times and the roots' parents too, likewise. */
void
trajectory_decode_hot(Trajectory *t)
{
	if (t->has_hot)
		return;
	trajectory_decode_structure(t);
	decode_times(t, &t->hot);
	decode_root_parents(t, &t->hot);
	if (cursor_left(&t->hot) != 0)
		bytes_corrupt("parents");
	t->has_hot = true;
}

/*
 * Decompress the cold section, at least as much of it as is wanted: that much
 * can be had without the rest.
 */
static void
open_cold(Trajectory *t, bool with_values)
{
	Cursor		c;
	size_t		stored;
	size_t		wanted;
	char	   *raw;
	int			got = -1;

	c.at = (const uint8 *) t->datum + sizeof(TrajectoryHeader) + t->summary.hot_size;
	c.end = (const uint8 *) t->datum + t->datum_size;
	t->cold_size = cursor_varint(&c, "cold section");
	t->tables_size = cursor_varint(&c, "cold section");
	stored = cursor_left(&c);
	/* where the tables are most of it, all comes at little more cost */
	with_values |= t->tables_size > t->cold_size / 3;
	wanted = with_values ? t->cold_size : t->tables_size;
	if (t->cold != NULL && wanted <= t->cold_known)
		return;
	if (t->tables_size > t->cold_size)
		bytes_corrupt("cold section");

	if (t->summary.codec == CODEC_RAW)
	{
		if (t->cold_size != stored)
			bytes_corrupt("cold section");
		t->cold = c.at;
		t->cold_known = t->cold_size;
		return;
	}
	if (t->cold_size > MaxAllocSize || t->cold_size / MAX_COMPRESSION > stored)
		bytes_corrupt("cold section");

	raw = MemoryContextAllocHuge(t->context, Max(wanted, 1));
	switch (t->summary.codec)
	{
		case CODEC_PGLZ:
			got = pglz_decompress((const char *) c.at, stored, raw, wanted, with_values);
			break;
		case CODEC_LZ4:
#ifdef USE_LZ4
			got = with_values ? LZ4_decompress_safe((const char *) c.at, raw, stored, wanted) :
				LZ4_decompress_safe_partial((const char *) c.at, raw, stored, wanted, wanted);
			break;
#else
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("trajectory is compressed with lz4, which this server was built without")));
#endif
	}
	if (got < 0 || (size_t) got != wanted)
		bytes_corrupt("cold section");
	t->cold = (const uint8 *) raw;
	t->cold_known = wanted;
}

/*
 * May some key have this name, one that is not built in?  False is certain;
 * the tables need not be decoded for it, nor are they.
 */
bool
trajectory_may_have_key(Trajectory *t, Bytes name)
{
	if (!t->has_tables)
	{
		open_cold(t, false);
		return memmem(t->cold, t->tables_size, name.data, name.len) != NULL;
	}
	for (uint32 i = 0; i < t->key_count; i++)
		if (bytes_equal(t->keys[i].name, name))
			return true;
	return false;
}

/* All of the cold section, decompressed. */
Bytes
trajectory_cold_bytes(Trajectory *t)
{
	open_cold(t, true);
	return (Bytes) {(const char *) t->cold, t->cold_size};
}

/*
 * A list of strings, numbered on from those that there are: first all lengths,
 * then all bytes.
 */
static void
decode_strings(Trajectory *t, Cursor *c)
{
	uint32		count = cursor_count(c, 1, "strings");
	uint32		first = t->string_count;
	Bytes	   *strings = alloc_array(t, (size_t) first + count, sizeof(Bytes));
	const char *data;
	size_t		total = 0;

	if (first > 0)
		memcpy(strings, t->strings, first * sizeof(Bytes));
	t->strings = strings;
	t->string_count = first + count;
	strings += first;
	for (uint32 i = 0; i < count; i++)
	{
		strings[i].len = cursor_count(c, 1, "strings");
		total += strings[i].len;
	}
	data = (const char *) cursor_take(c, total, "strings");
	for (uint32 i = 0; i < count; i++)
	{
		strings[i].data = data;
		data += strings[i].len;
	}
}

/* The next string, or one by its number; before values there is no next one. */
static inline Bytes
decode_string(Trajectory *t, Cursor *c, const char *what)
{
	uint64		reference = cursor_varint(c, what);

	if (reference > t->string_count)
		bytes_corrupt(what);
	if (reference > 0)
		return t->strings[reference - 1];
	if (t->next_string >= t->string_count)
		bytes_corrupt(what);
	return t->strings[t->next_string++];
}

/* A number that this version has no meaning for. */
static void
fail_newer(const char *what, uint64 number)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("trajectory refers to an unknown %s", what),
			 errdetail("Its number is %llu.", (unsigned long long) number),
			 errhint("The value may have been written by a later version of llmtrace.")));
}

static void
decode_keys(Trajectory *t, Cursor *c)
{
	t->key_count = cursor_count(c, 1, "keys");
	t->keys = alloc_array(t, t->key_count, sizeof(Key));
	for (uint32 i = 0; i < t->key_count; i++)
	{
		uint64		tag = cursor_varint(c, "keys");
		uint64		number = tag >> 3;
		bool		is_mapped = (tag & KEY_MAPPED) != 0;

		switch (tag & 3)
		{
			case KEY_NAMED:
				if (number >= t->string_count)
					bytes_corrupt("keys");
				t->keys[i] = key_make_named(t->strings[number]);
				break;
			case KEY_BUILT_IN:
				if (number >= (uint64) known_key_count)
					fail_newer("built-in key", number);
				t->keys[i] = key_make_known(number);
				break;
			case KEY_DERIVED:
				if (number == COLUMN_NONE || is_mapped)
					bytes_corrupt("keys");
				if (number >= COLUMN_COUNT)
					fail_newer("canonical column", number);
				t->keys[i] = key_make_derived(number);
				break;
			default:
				bytes_corrupt("keys");
		}
		if (is_mapped)
		{
			uint8		column = cursor_byte(c, "keys");

			if (column == COLUMN_NONE)
				bytes_corrupt("keys");
			if (column >= COLUMN_COUNT)
				fail_newer("canonical column", column);
			key_map(&t->keys[i], column);
		}
	}
}

static void
decode_payload(Trajectory *t, Cursor *c, uint8 type, Value *v)
{
	v->type = type;
	v->len = 0;
	v->integer = 0;
	switch (type)
	{
		case VALUE_EMPTY:
			break;
		case VALUE_BOOL:
			v->boolean = cursor_index(c, 2, "boolean");
			break;
		case VALUE_INT:
			v->integer = unzigzag(cursor_varint(c, "integer"));
			break;
		case VALUE_DOUBLE:
			*v = value_double(bits_double(load_uint64(cursor_take(c, 8, "double"))));
			break;
		case VALUE_REF:
			v->bytes = (const char *) cursor_take(c, VALUE_REF_HASH_LEN, "payload reference");
			v->len = cursor_uint32(c, "payload reference");
			break;
		case VALUE_STRING:
		case VALUE_BYTES:
		case VALUE_ARRAY:
		case VALUE_KVLIST:
			{
				Bytes		s = decode_string(t, c, "value");

				v->len = s.len;
				v->bytes = s.data;
				break;
			}
		default:
			bytes_corrupt("value type");
	}
}

static AttrList
decode_attributes(Trajectory *t, Cursor *c)
{
	AttrList	list = {.n = cursor_count(c, 2, "attributes")};

	if (list.n == 0)
		return list;
	list.keys = alloc_array(t, list.n, sizeof(uint32));
	list.values = alloc_array(t, list.n, sizeof(Value));
	for (uint32 i = 0; i < list.n; i++)
	{
		list.keys[i] = cursor_index(c, t->key_count, "attributes");
		decode_payload(t, c, cursor_byte(c, "attributes"), &list.values[i]);
	}
	return list;
}

static void
decode_resources(Trajectory *t, Cursor *c)
{
	t->resource_count = cursor_count(c, 3, "resources");
	t->resources = alloc_array(t, t->resource_count, sizeof(Resource));
	for (uint32 i = 0; i < t->resource_count; i++)
	{
		Resource   *r = &t->resources[i];

		r->schema_url = decode_string(t, c, "resources");
		r->dropped_attributes_count = cursor_uint32(c, "resources");
		r->attributes = decode_attributes(t, c);
	}
}

static void
decode_scopes(Trajectory *t, Cursor *c)
{
	t->scope_count = cursor_count(c, 5, "scopes");
	t->scopes = alloc_array(t, t->scope_count, sizeof(Scope));
	for (uint32 i = 0; i < t->scope_count; i++)
	{
		Scope	   *s = &t->scopes[i];

		s->name = decode_string(t, c, "scopes");
		s->version = decode_string(t, c, "scopes");
		s->schema_url = decode_string(t, c, "scopes");
		s->dropped_attributes_count = cursor_uint32(c, "scopes");
		s->attributes = decode_attributes(t, c);
	}
}

static void
decode_shapes(Trajectory *t, Cursor *c)
{
	t->shape_count = cursor_count(c, 1, "shapes");
	t->shapes = alloc_array(t, t->shape_count, sizeof(Shape));
	for (uint32 i = 0; i < t->shape_count; i++)
	{
		Shape	   *shape = &t->shapes[i];

		CHECK_FOR_INTERRUPTS();
		shape->nkeys = cursor_count(c, 1, "shapes");
		shape->keys = alloc_array(t, shape->nkeys, sizeof(uint32));
		for (uint32 k = 0; k < shape->nkeys; k++)
			shape->keys[k] = cursor_index(c, t->key_count, "shapes");
		shape_prepare(shape, t->keys, alloc_array(t, shape->nkeys, sizeof(uint32)));
	}
}

/* One attribute of all n spans of a class, or one value for all of them. */
static void
decode_column(Trajectory *t, Cursor *c, uint32 n, ValueColumn *column)
{
	Value	   *values;

	if (column->mask == 0)
		n = 1;
	column->values = values = alloc_array(t, n, sizeof(Value));
	if (column->form == COLUMN_MIXED)
		for (uint32 i = 0; i < n; i++)
			decode_payload(t, c, cursor_byte(c, "columns"), &values[i]);
	else if (column->type == VALUE_STRING)
		for (uint32 i = 0; i < n; i++)
			values[i] = value_string(decode_string(t, c, "columns"));
	else if (column->type == VALUE_INT)
		for (uint32 i = 0; i < n; i++)
			values[i] = value_int(unzigzag(cursor_long_varint(c, "columns")));
	else
		for (uint32 i = 0; i < n; i++)
			decode_payload(t, c, column->type, &values[i]);
}

/* The form of one attribute of a class, and its value if it has one. */
static void
decode_column_form(Trajectory *t, Cursor *c, ValueColumn *column)
{
	uint8		byte = cursor_byte(c, "classes");

	column->values = NULL;
	column->form = byte >> 4;
	column->type = byte & 0x0f;
	if (column->form > COLUMN_LONG_CONSTANT || column->type >= VALUE_TYPE_COUNT ||
		(column->form == COLUMN_MIXED && column->type != 0))
		bytes_corrupt("classes");
	/* the values of one type without payload are all the same */
	column->mask = column->form == COLUMN_MIXED ||
		(column->form == COLUMN_UNIFORM && column->type != VALUE_EMPTY) ? PG_UINT32_MAX : 0;
	if (column->form == COLUMN_CONSTANT)
	{
		column->values = alloc_array(t, 1, sizeof(Value));
		if (column->type == VALUE_STRING)
			*column->values = value_string(decode_string(t, c, "classes"));
		else
			decode_payload(t, c, column->type, column->values);
	}
}

static void
decode_class_table(Trajectory *t, Cursor *c)
{
	for (uint32 i = 0; i < t->class_count; i++)
	{
		SpanClass  *class = &t->classes[i];
		uint32		nkeys;

		CHECK_FOR_INTERRUPTS();
		class->name = decode_string(t, c, "classes");
		class->shape = cursor_index(c, t->shape_count, "classes");
		class->resource = cursor_index(c, t->resource_count, "classes");
		class->scope = cursor_index(c, t->scope_count, "classes");
		class->flags = cursor_uint32(c, "classes");
		class->trace_state = decode_string(t, c, "classes");

		nkeys = t->shapes[class->shape].nkeys;
		/* each column takes a byte at least */
		if (nkeys > cursor_left(c))
			bytes_corrupt("classes");
		t->max_attributes = Max(t->max_attributes, nkeys);
		class->columns = alloc_array(t, nkeys, sizeof(ValueColumn));
		for (uint32 k = 0; k < nkeys; k++)
			decode_column_form(t, c, &class->columns[k]);
	}
}

/*
 * The attributes that have no value from the class table.  One value may stand
 * for any number of spans: how many that makes is bounded, as in encoding.
 */
static void
decode_columns(Trajectory *t, Cursor *c)
{
	uint64		values = 0;

	t->class_index = alloc_array(t, t->n, sizeof(uint32));
	for (uint32 i = 0; i < t->n; i++)
		t->class_index[i] = t->classes[t->span_class[i]].span_count++;

	for (uint32 i = 0; i < t->class_count; i++)
	{
		const SpanClass *class = &t->classes[i];

		CHECK_FOR_INTERRUPTS();
		values += (uint64) class->span_count * t->shapes[class->shape].nkeys;
		if (class->span_count == 0 || values > TRAJECTORY_MAX_VALUES)
			bytes_corrupt("classes");
		for (uint32 k = 0; k < t->shapes[class->shape].nkeys; k++)
			if (class->columns[k].values == NULL)
				decode_column(t, c, class->span_count, &class->columns[k]);
	}
}

/*
 * All attributes of a span, derived ones among them.  room has
 * t->max_attributes entries.
 */
AttrList
trajectory_attributes(const Trajectory *t, uint32 ordinal, Value *room)
{
	SpanColumns columns = trajectory_columns(t, ordinal);

	for (uint32 k = 0; k < columns.shape->nkeys; k++)
		room[k] = *span_value(&columns, k);
	return (AttrList) {
		columns.shape->nkeys, columns.shape->keys, room
	};
}

static SpanExtra *
extra_of(Trajectory *t, uint32 ordinal)
{
	if (t->extras == NULL)
		t->extras = palloc_extended(t->n * sizeof(SpanExtra *), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	if (t->extras[ordinal] == NULL)
	{
		t->extras[ordinal] = arena_alloc(&t->arena, sizeof(SpanExtra));
		memset(t->extras[ordinal], 0, sizeof(SpanExtra));
	}
	return t->extras[ordinal];
}

static void
decode_message(Trajectory *t, Cursor *c, uint32 ordinal)
{
	extra_of(t, ordinal)->status_message = decode_string(t, c, "status messages");
}

static void
decode_dropped(Trajectory *t, Cursor *c, uint32 ordinal)
{
	SpanExtra  *extra = extra_of(t, ordinal);

	extra->dropped_attributes_count = cursor_uint32(c, "dropped counts");
	extra->dropped_events_count = cursor_uint32(c, "dropped counts");
	extra->dropped_links_count = cursor_uint32(c, "dropped counts");
}

static void
decode_repaired(Trajectory *t, Cursor *c, uint32 ordinal)
{
	extra_of(t, ordinal)->repaired = cursor_uint32(c, "repaired counts");
}

static void
decode_events(Trajectory *t, Cursor *c, uint32 ordinal)
{
	SpanExtra  *extra = extra_of(t, ordinal);

	trajectory_decode_hot(t);	/* for the span's start */
	extra->event_count = cursor_count(c, 4, "events");
	extra->events = alloc_array(t, extra->event_count, sizeof(Event));
	for (uint32 i = 0; i < extra->event_count; i++)
	{
		Event	   *event = &extra->events[i];
		int64		delta = unzigzag(cursor_varint(c, "events"));

		if (pg_add_s64_overflow(t->start_ns[ordinal], delta, &event->time_ns) ||
			event->time_ns < 0)
			bytes_corrupt("events");
		event->name = decode_string(t, c, "events");
		event->dropped_attributes_count = cursor_uint32(c, "events");
		event->attributes = decode_attributes(t, c);
	}
}

static void
decode_links(Trajectory *t, Cursor *c, uint32 ordinal)
{
	SpanExtra  *extra = extra_of(t, ordinal);

	extra->link_count = cursor_count(c, 28, "links");
	extra->links = alloc_array(t, extra->link_count, sizeof(Link));
	for (uint32 i = 0; i < extra->link_count; i++)
	{
		Link	   *link = &extra->links[i];

		memcpy(link->trace_id, cursor_take(c, 16, "links"), 16);
		link->span_id = load_uint64(cursor_take(c, 8, "links"));
		link->trace_state = decode_string(t, c, "links");
		link->flags = cursor_uint32(c, "links");
		link->dropped_attributes_count = cursor_uint32(c, "links");
		link->attributes = decode_attributes(t, c);
	}
}

/* A part that few spans have. */
static void
decode_sparse(Trajectory *t, Cursor *c, const char *what,
			  void (*decode) (Trajectory *t, Cursor *c, uint32 ordinal))
{
	uint32		count = cursor_index(c, t->n + 1, what);
	uint32		ordinal = 0;

	for (uint32 i = 0; i < count; i++)
	{
		uint32		step = cursor_index(c, t->n - ordinal, what);

		if (i > 0 && step == 0)
			bytes_corrupt(what);
		ordinal += step;
		decode(t, c, ordinal);
	}
}

/*
 * Decode what all spans share, the cold section up to the classes, if that has
 * not been done: enough for many a question.
 */
void
trajectory_decode_tables(Trajectory *t)
{
	MemoryContext old;
	Cursor		c;

	if (t->has_tables)
		return;
	old = MemoryContextSwitchTo(t->context);
	open_cold(t, false);
	c = (Cursor) {t->cold, t->cold + t->tables_size};
	decode_strings(t, &c);
	t->next_string = t->string_count;
	decode_keys(t, &c);
	decode_resources(t, &c);
	decode_scopes(t, &c);
	decode_shapes(t, &c);
	decode_strings(t, &c);
	decode_class_table(t, &c);
	if (cursor_left(&c) != 0)
		bytes_corrupt("tables");
	t->has_tables = true;
	MemoryContextSwitchTo(old);
}

/*
 * Decode the rest of the cold section, if that has not been done; of the hot
 * part, no more than that takes.
 */
void
trajectory_decode_values(Trajectory *t)
{
	MemoryContext old;
	Cursor		c;

	if (t->has_cold)
		return;
	trajectory_decode_structure(t);
	old = MemoryContextSwitchTo(t->context);
	open_cold(t, true);
	trajectory_decode_tables(t);
	c = (Cursor) {t->cold + t->tables_size, t->cold + t->cold_size};
	decode_strings(t, &c);
	decode_columns(t, &c);
	decode_sparse(t, &c, "status messages", decode_message);
	decode_sparse(t, &c, "dropped counts", decode_dropped);
	decode_sparse(t, &c, "repaired counts", decode_repaired);
	decode_sparse(t, &c, "events", decode_events);
	decode_sparse(t, &c, "links", decode_links);
	if (cursor_left(&c) != 0)
		bytes_corrupt("cold section");
	t->has_cold = true;
	MemoryContextSwitchTo(old);
}

/* Decode all, likewise. */
void
trajectory_decode_cold(Trajectory *t)
{
	trajectory_decode_hot(t);
	trajectory_decode_values(t);
}

/*
 * A datum of size bytes, its varlena header of four bytes included, of which
 * only the header and the classes' kinds have been read.  What is decoded
 * later goes into the current context of now.  The datum must stay where it is.
 */
Trajectory *
trajectory_open(const void *datum, size_t size)
{
	Trajectory *t = palloc0(sizeof(Trajectory));
	size_t		hot_size;

	if (size < sizeof(TrajectoryHeader))
		bytes_corrupt("header");
	t->context = CurrentMemoryContext;
	t->arena.context = CurrentMemoryContext;
	t->datum = datum;
	t->datum_size = size;
	trajectory_read_summary(datum, &t->summary);
	t->n = t->summary.span_count;

	hot_size = t->summary.hot_size;
	if (size < sizeof(TrajectoryHeader) + hot_size)
		bytes_corrupt("header");
	t->hot.at = (const uint8 *) datum + sizeof(TrajectoryHeader);
	t->hot.end = t->hot.at + hot_size;
	/* a span takes at least a pop, a class, an id and the sizes of its times */
	if (hot_size / (10 + t->summary.class_width) < t->n)
		bytes_corrupt("header");
	/* the kinds are few; then come a pop and a class for each span */
	prefetch(&t->hot, 0, (size_t) t->n * (1 + t->summary.class_width));
	decode_kinds(t, &t->hot);
	return t;
}

/* The same, with the hot part decoded, or all of it. */
Trajectory *
trajectory_decode(const void *datum, size_t size, bool with_cold)
{
	Trajectory *t = trajectory_open(datum, size);

	trajectory_decode_hot(t);
	if (with_cold)
		trajectory_decode_cold(t);
	return t;
}

/* Attributes of anything but a span: nothing is derived for those. */
static void
check_attributes(const Trajectory *t, const AttrList *list)
{
	for (uint32 i = 0; i < list->n; i++)
	{
		if (t->keys[list->keys[i]].is_derived)
			bytes_corrupt("attributes");
		value_check(&list->values[i], 0);
	}
}

/*
 * Check the values of all spans.  Many of them may be one string: what has
 * been checked is remembered by where the string begins, and as which type.
 */
static void
check_columns(const Trajectory *t)
{
	const char *base = (const char *) t->cold;
	uint8	   *is_checked = palloc_extended(t->cold_size + 1, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);

	for (uint32 i = 0; i < t->class_count; i++)
	{
		const SpanClass *class = &t->classes[i];

		for (uint32 k = 0; k < t->shapes[class->shape].nkeys; k++)
		{
			const ValueColumn *column = &class->columns[k];
			uint32		n = column->mask == 0 ? 1 : class->span_count;

			CHECK_FOR_INTERRUPTS();
			for (uint32 v = 0; v < n; v++)
			{
				const Value *value = &column->values[v];

				if (value_is_bytes(value->type) && value->len > 0)
				{
					uint8	   *types = &is_checked[value->bytes - base];

					if (*types & 1 << value->type)
						continue;
					*types |= 1 << value->type;
				}
				value_check(value, 0);
			}
		}
	}
	pfree(is_checked);
}

/*
 * Check what decoding leaves open and encoding takes for granted, for a value
 * from outside: the contents of strings and values.
 */
void
trajectory_check(const Trajectory *t)
{
	if (bytes_are_zero(t->summary.trace_id, sizeof(t->summary.trace_id)))
		bytes_corrupt("trace id");
	for (uint32 i = 0; i < t->n; i++)
		if (trajectory_span_id(t, i) == 0)
			bytes_corrupt("span ids");
	for (uint32 i = 0; i < t->class_count; i++)
	{
		const SpanClass *class = &t->classes[i];

		if (class->name.len > SPAN_NAME_MAX_LEN ||
			!utf8_is_valid(class->name.data, class->name.len) ||
			!utf8_is_valid(class->trace_state.data, class->trace_state.len))
			bytes_corrupt("classes");
	}
	for (uint32 i = 0; i < t->key_count; i++)
		if (!utf8_is_valid(t->keys[i].name.data, t->keys[i].name.len))
			bytes_corrupt("keys");
	for (uint32 i = 0; i < t->resource_count; i++)
	{
		const Resource *r = &t->resources[i];

		if (!utf8_is_valid(r->schema_url.data, r->schema_url.len))
			bytes_corrupt("resources");
		check_attributes(t, &r->attributes);
	}
	for (uint32 i = 0; i < t->scope_count; i++)
	{
		const Scope *s = &t->scopes[i];

		if (!utf8_is_valid(s->name.data, s->name.len) ||
			!utf8_is_valid(s->version.data, s->version.len) ||
			!utf8_is_valid(s->schema_url.data, s->schema_url.len))
			bytes_corrupt("scopes");
		check_attributes(t, &s->attributes);
	}
	check_columns(t);
	for (uint32 i = 0; t->extras && i < t->n; i++)
	{
		const SpanExtra *extra = t->extras[i];

		if (extra == NULL)
			continue;
		if (!utf8_is_valid(extra->status_message.data, extra->status_message.len))
			bytes_corrupt("status messages");
		for (uint32 k = 0; k < extra->event_count; k++)
		{
			if (!utf8_is_valid(extra->events[k].name.data, extra->events[k].name.len))
				bytes_corrupt("events");
			check_attributes(t, &extra->events[k].attributes);
		}
		for (uint32 k = 0; k < extra->link_count; k++)
		{
			if (!utf8_is_valid(extra->links[k].trace_state.data, extra->links[k].trace_state.len))
				bytes_corrupt("links");
			check_attributes(t, &extra->links[k].attributes);
		}
	}
}

static const RootParent *
find_root_parent(const Trajectory *t, uint32 ordinal)
{
	uint32		low = 0;
	uint32		high = t->root_parent_count;

	while (low < high)
	{
		uint32		mid = low + (high - low) / 2;

		if (t->root_parents[mid].ordinal < ordinal)
			low = mid + 1;
		else
			high = mid;
	}
	return low < t->root_parent_count && t->root_parents[low].ordinal == ordinal ?
		&t->root_parents[low] : NULL;
}

/* The id of a span's parent, be it here or not; 0 for none. */
uint64
trajectory_parent_id(const Trajectory *t, uint32 ordinal)
{
	const RootParent *r;

	if (t->parent[ordinal] >= 0)
		return trajectory_span_id(t, t->parent[ordinal]);
	r = find_root_parent(t, ordinal);
	return r ? r->parent_id : 0;
}

RootKind
trajectory_root_kind(const Trajectory *t, uint32 ordinal)
{
	const RootParent *r;

	if (t->parent[ordinal] >= 0)
		return NOT_A_ROOT;
	r = find_root_parent(t, ordinal);
	return r ? r->root_kind : ROOT_PROPER;
}

/* The root that stands for the whole: the first proper one, else the first. */
uint32
trajectory_primary_root(const Trajectory *t)
{
	if (t->root_parent_count > 0 && !(t->summary.flags & TRAJECTORY_NO_PROPER_ROOT))
		for (uint32 i = 0; i < t->n; i += t->subtree[i])
			if (trajectory_root_kind(t, i) == ROOT_PROPER)
				return i;
	return 0;
}

/*
 * Order by trace id, then by the bytes before compression: 0 only for equal
 * content.
 */
int
trajectory_compare(Trajectory *a, Trajectory *b)
{
	TrajectoryHeader x;
	TrajectoryHeader y;
	int			cmp = memcmp(a->summary.trace_id, b->summary.trace_id, 16);

	if (cmp != 0)
		return cmp;
	memcpy(&x, a->datum, sizeof(x));
	memcpy(&y, b->datum, sizeof(y));
	x.vl_len_ = y.vl_len_ = 0;
	x.codec = y.codec = CODEC_RAW;
	if ((cmp = memcmp(&x, &y, sizeof(x))) != 0 ||
		(cmp = memcmp(a->datum + sizeof(x), b->datum + sizeof(y), a->summary.hot_size)) != 0)
		return cmp;
	return bytes_compare(trajectory_cold_bytes(a), trajectory_cold_bytes(b));
}

static AttrList
map_attributes(const AttrList *list, const uint32 *keys, SpanSet *set)
{
	AttrList	mapped = {.n = list->n,.values = list->values};

	if (list->n > 0)
		mapped.keys = arena_alloc(&set->arena, list->n * sizeof(uint32));
	for (uint32 i = 0; i < list->n; i++)
		mapped.keys[i] = keys[list->keys[i]];
	return mapped;
}

static void
add_extra(const SpanExtra *extra, const uint32 *keys, SpanSet *set, Span *span)
{
	span->status_message = extra->status_message;
	span->dropped_attributes_count = extra->dropped_attributes_count;
	span->dropped_events_count = extra->dropped_events_count;
	span->dropped_links_count = extra->dropped_links_count;
	span->repaired = extra->repaired;
	span->event_count = extra->event_count;
	span->events = arena_alloc(&set->arena, extra->event_count * sizeof(Event));
	for (uint32 i = 0; i < extra->event_count; i++)
	{
		span->events[i] = extra->events[i];
		span->events[i].attributes = map_attributes(&extra->events[i].attributes, keys, set);
	}
	span->link_count = extra->link_count;
	span->links = arena_alloc(&set->arena, extra->link_count * sizeof(Link));
	for (uint32 i = 0; i < extra->link_count; i++)
	{
		span->links[i] = extra->links[i];
		span->links[i].attributes = map_attributes(&extra->links[i].attributes, keys, set);
	}
}

/*
 * Add count spans from an ordinal on, all of a decoded trajectory or a part of
 * it, to a set.  Strings stay where they are.
 */
void
trajectory_add_to_set(const Trajectory *t, SpanSet *set, uint32 from, uint32 count)
{
	uint32	   *keys = arena_alloc(&set->arena, t->key_count * sizeof(uint32));
	uint32		first_resource = set->resource_count;
	uint32		first_scope = set->scope_count;
	uint32	  **mapped = palloc_extended(t->class_count * sizeof(uint32 *),
										 MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);

	for (uint32 i = 0; i < t->key_count; i++)
	{
		const Key  *key = &t->keys[i];

		keys[i] = key->is_derived ? spanset_derived_key(set, key->column) :
			spanset_key(set, key->name);
		if (key->is_mapped)
			key_map(&set->keys[keys[i]], key->column);
	}
	for (uint32 i = 0; i < t->resource_count; i++)
	{
		uint32		r = spanset_add_resource(set);

		set->resources[r] = t->resources[i];
		set->resources[r].attributes = map_attributes(&t->resources[i].attributes, keys, set);
	}
	for (uint32 i = 0; i < t->scope_count; i++)
	{
		uint32		s = spanset_add_scope(set);

		set->scopes[s] = t->scopes[i];
		set->scopes[s].attributes = map_attributes(&t->scopes[i].attributes, keys, set);
	}

	for (uint32 i = from; i < from + count; i++)
	{
		const SpanClass *class = trajectory_class(t, i);
		const SpanExtra *extra = trajectory_extra(t, i);
		uint32		nkeys = t->shapes[class->shape].nkeys;
		AttrList	attributes = trajectory_attributes(t, i,
													   arena_alloc(&set->arena, nkeys * sizeof(Value)));
		uint32	  **class_keys = &mapped[t->span_class[i]];
		Span	   *span = spanset_add_span(set);

		CHECK_FOR_INTERRUPTS();
		memcpy(span->trace_id, t->summary.trace_id, sizeof(span->trace_id));
		span->span_id = trajectory_span_id(t, i);
		span->parent_id = trajectory_parent_id(t, i);
		span->start_ns = t->start_ns[i];
		span->end_ns = t->end_ns[i];
		span->name = class->name;
		span->trace_state = class->trace_state;
		span->flags = class->flags;
		span->span_kind = class->span_kind;
		span->status = class->status;
		span->resource = first_resource + class->resource;
		span->scope = first_scope + class->scope;
		if (*class_keys == NULL)
			*class_keys = map_attributes(&attributes, keys, set).keys;
		span->attributes = attributes;
		span->attributes.keys = *class_keys;
		span->is_derived = true;
		if (extra)
			add_extra(extra, keys, set, span);
	}
	pfree(mapped);
}
