/*
 * tracequery_keys.c
 *		The keys of a trajectory and of a query: see tracequery_keys.h.
 *
 * Whatever makes a key of a value is one function for both sides, so that
 * equal values have equal keys.
 */
#include "postgres.h"

#include <ctype.h>
#include <math.h>

#include "common/hashfn.h"
#include "kernel/tracequery_keys.h"
#include "kernel/trajectory_text.h"
#include "kernel/usage.h"
#include "miscadmin.h"

#define KEY_BITS 56
#define KEY_MASK ((UINT64CONST(1) << KEY_BITS) - 1)
#define ID_BITS 14
#define MAX_VALUE_LEN 128
#define MAX_EXACT_INTEGER 1023

#define ANY_KIND 0xff

/* What a state key is about. */
#define STATE_STATUS 0x000
#define STATE_KIND 0x100
#define STATE_SPAN_KIND 0x200
#define STATE_FAILED 0x300
#define STATE_FAILED_KIND 0x400

/* Ranges end in one that has no upper limit. */
static const uint8 measure_top[MEASURE_COUNT] = {180, 96, 96, 120, 180, 96, 96, 120};

static const char *const measure_names[MEASURE_COUNT] = {
	"duration", "reported input tokens", "reported output tokens", "reported cost", "traceDuration",
	"inputTokens", "outputTokens", "costUsd"
};

/* How the values of an attribute are kept. */
typedef enum KeyPlan
{
	PLAN_NOTHING,
	PLAN_VALUE,
	PLAN_IDENTIFIER
} KeyPlan;

static inline int64
make_key(IndexClass class, uint64 bits)
{
	return (int64) ((uint64) class << KEY_BITS | (bits & KEY_MASK));
}

static inline uint64
hash_text(Bytes s, uint64 seed)
{
	return hash_bytes_extended((const unsigned char *) s.data, s.len, seed);
}

static inline uint64
hash_pair(uint64 a, uint64 b)
{
	return hash_combine64(a, b);
}

/* ------------------------------------------------------- what is kept --- */

static bool
ends_with(Bytes s, const char *suffix)
{
	size_t		len = strlen(suffix);

	return s.len >= len && memcmp(s.data + s.len - len, suffix, len) == 0;
}

/* An id, but not of something of which there are few. */
static bool
is_id_name(Bytes name)
{
	static const char *const suffixes[] = {".id", "_id", "Id", "ID"};
	static const char *const few[] = {
		"tenant", "organization", "org", "team", "project", "workspace", "agent", "model", "workflow", "prompt"
	};

	for (size_t i = 0; i < lengthof(suffixes); i++)
		if (ends_with(name, suffixes[i]))
		{
			Bytes		of = {name.data, name.len - strlen(suffixes[i])};

			for (size_t k = 0; k < lengthof(few); k++)
				if (ends_with(of, few[k]))
					return false;
			return true;
		}
	return ends_with(name, "uuid") || ends_with(name, "guid");
}

/* Is a string one of many: a UUID, a hash, a time, a JSON text? */
static bool
is_unlikely_value(Bytes s)
{
	if (s.len > 0 && (s.data[0] == '{' || s.data[0] == '['))
		return true;
	if (s.len < 16)
		return false;
	if (s.data[4] == '-' && s.data[7] == '-' && s.data[13] == ':')
		return true;
	for (uint32 i = 0; i < s.len; i++)
		if (strchr("0123456789abcdefABCDEF-", s.data[i]) == NULL || s.data[i] == '\0')
			return false;
	return true;
}

static int
column_measure(CanonicalColumn column)
{
	switch (column)
	{
		case COLUMN_INPUT_TOKENS:
			return MEASURE_INPUT_TOKENS;
		case COLUMN_OUTPUT_TOKENS:
			return MEASURE_OUTPUT_TOKENS;
		case COLUMN_COST_USD:
			return MEASURE_COST;
		default:
			return -1;
	}
}

static CanonicalColumn
known_column(Bytes name)
{
	int			known = known_key_find(name);

	return known >= 0 ? known_keys[known].column : COLUMN_NONE;
}

static KeyPlan
plan_key(Bytes name)
{
	int			known = known_key_find(name);

	/* JSON and times, from which columns are derived */
	if (known >= 0 && known_keys[known].rule != DERIVE_NOTHING &&
		known_keys[known].rule != DERIVE_ENTITY_NAME &&
		known_keys[known].rule != DERIVE_PROMPT && known_keys[known].rule != DERIVE_PLAN)
		return PLAN_NOTHING;
	switch (known >= 0 ? known_keys[known].column : COLUMN_NONE)
	{
		case COLUMN_TOOL_CALL_ID:
		case COLUMN_CONVERSATION_ID:
		case COLUMN_USER_ID:
			return PLAN_IDENTIFIER;
		case COLUMN_RESPONSE_ID:
		case COLUMN_TOOL_ARGUMENTS:
		case COLUMN_TOOL_RESULT:
		case COLUMN_SYSTEM:
		case COLUMN_INPUT:
		case COLUMN_OUTPUT:
		case COLUMN_RETRIEVAL_DOCUMENTS:
		case COLUMN_INPUT_TOKENS:
		case COLUMN_OUTPUT_TOKENS:
		case COLUMN_REASONING_TOKENS:
		case COLUMN_CACHE_READ_TOKENS:
		case COLUMN_CACHE_WRITE_TOKENS:
		case COLUMN_COST_USD:
		case COLUMN_TTFT_MS:
			return PLAN_NOTHING;
		case COLUMN_TENANT_ID:
			return PLAN_VALUE;
		default:
			return is_id_name(name) ? PLAN_NOTHING : PLAN_VALUE;
	}
}

/*
 * That a built-in key has a value is true of most traces and seldom asked; but
 * for errors.
 */
static bool
is_existence_kept(Bytes name)
{
	CanonicalColumn column = known_column(name);

	return known_key_find(name) < 0 || column == COLUMN_ERROR_TYPE || column == COLUMN_ERROR_LEVEL;
}

/*
 * The quarter of an octave that a number is in, from 1 for [1, 1.19) on; 0 for
 * what is less than 1.  By comparison, not by logarithm, whose last bit may
 * differ from library to library.
 */
static int
quarter_octave(double v, int top)
{
	int			exponent;
	double		mantissa;
	int			bucket;

	if (!(v >= 1))
		return 0;
	mantissa = frexp(v, &exponent);
	bucket = 4 * (exponent - 1) + 1 +
		(mantissa >= 0.8408964152537145 ? 3 : mantissa >= 0.7071067811865476 ? 2 :
		 mantissa >= 0.5946035575013605 ? 1 : 0);
	return Min(bucket, top);
}

static uint64
hash_number(double v)
{
	uint64		bits;

	if (v == rint(v) && fabs(v) <= MAX_EXACT_INTEGER)
		bits = (uint64) (int64) v;
	else
	{
		double		scaled = fabs(v) * 1048576;	/* small fractions have buckets too */

		bits = UINT64CONST(0x100000) + quarter_octave(scaled, 65535) + (v < 0 ? 0x10000 : 0);
	}
	return hash_bytes_extended((const unsigned char *) &bits, sizeof(bits), 2);
}

/* The key of an attribute with one value; false if none is kept. */
static bool
value_key(IndexClass class, KeyPlan plan, uint64 name_hash, const QueryValue *v, int64 *key)
{
	uint64		hash;

	switch (v->type)
	{
		case QUERY_STRING:
			if (plan == PLAN_IDENTIFIER)
			{
				hash = hash_pair(name_hash, hash_text(v->string, 1));
				*key = make_key(INDEX_IDENTIFIER, hash & ((1 << ID_BITS) - 1));
				return true;
			}
			if (v->string.len > MAX_VALUE_LEN || is_unlikely_value(v->string))
				return false;
			hash = hash_text(v->string, 1);
			break;
		case QUERY_BOOL:
			hash = v->boolean ? 1 : 0;
			break;
		case QUERY_INT:
		case QUERY_DURATION:
			hash = hash_number((double) v->integer);
			break;
		case QUERY_FLOAT:
			hash = hash_number(v->number);
			break;
		default:
			return false;
	}
	*key = make_key(class, hash_pair(name_hash, hash));
	return plan == PLAN_VALUE;
}

static inline int64
range_key(Measure measure, uint8 kind, int bucket)
{
	return make_key(INDEX_RANGE, (uint64) measure << 16 | (uint64) kind << 8 | (uint64) bucket);
}

static inline int64
state_key(uint32 what, uint32 value)
{
	return make_key(INDEX_STATE, what | value);
}

static int64
edge_key(bool failed, uint64 parent_hash, uint64 child_hash)
{
	return make_key(failed ? INDEX_FAILED_EDGE : INDEX_EDGE,
					hash_pair(parent_hash, hash_pair(child_hash, 3)));
}

static int64
column_key(bool failed, Intrinsic intrinsic, Bytes text)
{
	return make_key(failed ? INDEX_FAILED_COLUMN : INDEX_COLUMN, hash_text(text, 16 + intrinsic));
}

/* ------------------------------------------------- keys of a trajectory --- */

/* What is done with the values of one key of the trajectory. */
typedef struct AttributePlan
{
	uint8		plan;			/* KeyPlan */
	int8		measure;		/* of its column, or -1 */
	int8		known_measure;	/* of its name, which the user may have mapped to
								 * another column, or -1 */
	bool		is_hidden;		/* derived: no name to ask by */
	bool		has_existence;
	uint64		name_hash;
	const char *last;			/* the string before this one */
	uint32		last_len;
} AttributePlan;

typedef struct Extract
{
	Trajectory *t;
	AttributePlan *plans;
	uint64	   *name_hashes;	/* of classes */
	double		most[MEASURE_COUNT][KIND_COUNT + 1];	/* -1: none; last: of all */
	int64	   *keys;
	uint32		count;
	uint32		max;
} Extract;

static void
put_key(Extract *x, int64 key)
{
	if (x->count == x->max)
	{
		x->max *= 2;
		x->keys = repalloc_huge(x->keys, x->max * sizeof(int64));
	}
	x->keys[x->count++] = key;
}

static void
put_measure(Extract *x, Measure measure, uint8 kind, double v)
{
	double	   *of_kind = &x->most[measure][kind];
	double	   *of_all = &x->most[measure][KIND_COUNT];

	if (measure == MEASURE_COST || measure == MEASURE_OWN_COST)
		v *= 1e6;
	*of_kind = Max(*of_kind, v);
	*of_all = Max(*of_all, v);
}

static bool
scalar_value(const Value *v, QueryValue *out)
{
	memset(out, 0, sizeof(*out));
	switch (v->type)
	{
		case VALUE_STRING:
			*out = (QueryValue) {.type = QUERY_STRING,.string = value_bytes(v)};
			return true;
		case VALUE_BOOL:
			*out = (QueryValue) {.type = QUERY_BOOL,.boolean = v->boolean};
			return true;
		case VALUE_INT:
			*out = (QueryValue) {.type = QUERY_INT,.integer = v->integer};
			return true;
		case VALUE_DOUBLE:
			*out = (QueryValue) {.type = QUERY_FLOAT,.number = v->number};
			return !isnan(v->number) && !isinf(v->number);
		default:
			return false;
	}
}

static void
put_scalar(Extract *x, IndexClass class, const AttributePlan *plan, const Value *v, int kind)
{
	QueryValue	q;
	double		number;
	int64		key;

	if ((plan->measure >= 0 || plan->known_measure >= 0) && kind >= 0 &&
		value_read_double(v, &number))
	{
		if (plan->measure >= 0)
			put_measure(x, plan->measure, kind, number);
		if (plan->known_measure >= 0)
			put_measure(x, plan->known_measure, kind, number);
	}
	if (!plan->is_hidden && plan->plan != PLAN_NOTHING && scalar_value(v, &q) &&
		value_key(class, plan->plan, plan->name_hash, &q, &key))
		put_key(x, key);
}

/* An attribute's value, as the elements of a list too; kind is -1 for events. */
static void
put_attribute(Extract *x, IndexClass class, uint32 key, const Value *v, int kind)
{
	AttributePlan *plan = &x->plans[key];
	ValueIterator it;
	Bytes		name;
	Value		element;
	uint32		n = 0;

	bool		is_measure = plan->measure >= 0 || plan->known_measure >= 0;

	if (v->type == VALUE_STRING && kind >= 0 && !is_measure)
	{
		/* strings are in a dictionary: a repeated one is at the same place */
		if (plan->last == v->bytes && plan->last_len == v->len)
			return;
		plan->last = v->bytes;
		plan->last_len = v->len;
	}
	if (v->type != VALUE_ARRAY)
	{
		put_scalar(x, class, plan, v, kind);
		return;
	}
	value_iterate(&it, v);
	while (value_next(&it, &name, &element))
		if (n++ < INDEX_MAX_ELEMENTS || is_measure)
			put_scalar(x, class, plan, &element, kind);
	if (n > INDEX_MAX_ELEMENTS)
		put_key(x, make_key(class == INDEX_EVENT ? INDEX_EVENT_MANY : INDEX_MANY, plan->name_hash));
}

static void
extract_begin(Extract *x, Trajectory *t)
{
	memset(x, 0, sizeof(*x));
	x->t = t;
	x->max = 256;
	x->keys = palloc(x->max * sizeof(int64));
	x->plans = palloc0(Max(t->key_count, 1) * sizeof(AttributePlan));
	for (uint32 i = 0; i < t->key_count; i++)
	{
		const Key  *key = &t->keys[i];
		AttributePlan *plan = &x->plans[i];

		plan->measure = column_measure(key->column);
		plan->known_measure = key->is_derived ? -1 : column_measure(known_column(key->name));
		plan->plan = plan_key(key->name);
		plan->is_hidden = key->is_derived;
		plan->has_existence = !key->is_derived && is_existence_kept(key->name);
		plan->name_hash = hash_text(key->name, 0);
	}
	x->name_hashes = palloc(Max(t->class_count, 1) * sizeof(uint64));
	for (uint32 i = 0; i < t->class_count; i++)
		x->name_hashes[i] = hash_text(t->classes[i].name, 0);
	for (int m = 0; m < MEASURE_COUNT; m++)
		for (int k = 0; k <= KIND_COUNT; k++)
			x->most[m][k] = -1;
}

static void
extract_class(Extract *x, uint32 number)
{
	Trajectory *t = x->t;
	const SpanClass *class = &t->classes[number];
	const Shape *shape = &t->shapes[class->shape];
	const AttrList *resource = &t->resources[class->resource].attributes;

	put_key(x, make_key(INDEX_NAME, x->name_hashes[number]));
	put_key(x, state_key(STATE_STATUS, class->status));
	put_key(x, state_key(STATE_KIND, class->kind));
	put_key(x, state_key(STATE_SPAN_KIND, class->span_kind));
	if (class->is_error)
	{
		put_key(x, make_key(INDEX_FAILED, x->name_hashes[number]));
		put_key(x, state_key(STATE_FAILED, 0));
		put_key(x, state_key(STATE_FAILED_KIND, class->kind));
	}
	if (t->scopes[class->scope].name.len > 0)
		put_key(x, make_key(INDEX_SCOPE, hash_text(t->scopes[class->scope].name, 0)));
	for (uint32 i = 0; i < shape->nkeys; i++)
		if (x->plans[shape->keys[i]].has_existence)
			put_key(x, make_key(INDEX_EXISTS, x->plans[shape->keys[i]].name_hash));
	for (uint32 i = 0; i < resource->n; i++)
	{
		if (x->plans[resource->keys[i]].has_existence)
			put_key(x, make_key(INDEX_EXISTS, x->plans[resource->keys[i]].name_hash));
		put_attribute(x, INDEX_ATTRIBUTE, resource->keys[i], &resource->values[i], class->kind);
	}
}

static void
put_column(Extract *x, bool failed, Intrinsic intrinsic, Bytes text)
{
	if (text.len > MAX_VALUE_LEN)
		return;
	put_key(x, column_key(false, intrinsic, text));
	if (failed)
		put_key(x, column_key(true, intrinsic, text));
}

static void
extract_columns(Extract *x, uint32 ordinal)
{
	const SpanClass *class = trajectory_class(x->t, ordinal);
	SpanColumns columns = trajectory_columns(x->t, ordinal);
	char		buf[64];
	Bytes		text;

	if (span_model(&columns, &text))
		put_column(x, class->is_error, INTRINSIC_MODEL, text);
	if (span_tool(class, &columns, &text))
		put_column(x, class->is_error, INTRINSIC_TOOL, text);
	if (column_text(&columns, COLUMN_AGENT_NAME, &text))
		put_column(x, class->is_error, INTRINSIC_AGENT, text);
	if (column_text(&columns, COLUMN_PROVIDER, &text))
		put_column(x, class->is_error, INTRINSIC_PROVIDER,
				   provider_normalise(text, buf, sizeof(buf)));
}

static void
extract_span(Extract *x, uint32 ordinal)
{
	Trajectory *t = x->t;
	uint32		class_number = t->span_class[ordinal];
	const SpanClass *class = &t->classes[class_number];
	const Shape *shape = &t->shapes[class->shape];
	SpanColumns columns = trajectory_columns(t, ordinal);
	const SpanExtra *extra = trajectory_extra(t, ordinal);

	for (uint32 i = 0; i < shape->nkeys; i++)
		put_attribute(x, INDEX_ATTRIBUTE, shape->keys[i], span_value(&columns, i), class->kind);
	extract_columns(x, ordinal);
	if (t->end_ns[ordinal] != TIME_OPEN)
		put_measure(x, MEASURE_DURATION, class->kind,
					(double) (t->end_ns[ordinal] - t->start_ns[ordinal]));
	if (t->parent[ordinal] >= 0)
	{
		uint64		parent_hash = x->name_hashes[t->span_class[t->parent[ordinal]]];

		put_key(x, edge_key(false, parent_hash, x->name_hashes[class_number]));
		if (class->is_error)
			put_key(x, edge_key(true, parent_hash, x->name_hashes[class_number]));
	}
	for (uint32 i = 0; extra && i < extra->event_count; i++)
	{
		const Event *event = &extra->events[i];

		put_key(x, make_key(INDEX_EVENT_NAME, hash_text(event->name, 0)));
		for (uint32 k = 0; k < event->attributes.n; k++)
			put_attribute(x, INDEX_EVENT, event->attributes.keys[k], &event->attributes.values[k], -1);
	}
}

static int
compare_keys(const void *a, const void *b)
{
	int64		x = *(const int64 *) a;
	int64		y = *(const int64 *) b;

	return (x > y) - (x < y);
}

/* The largest usage that is a span's own, not its descendants' again. */
static void
extract_own_usage(Extract *x)
{
	Trajectory *t = x->t;
	SpanUsage  *usage;
	uint8	   *kinds;
	uint8	   *scopes;

	if (x->most[MEASURE_INPUT_TOKENS][KIND_COUNT] < 0 &&
		x->most[MEASURE_OUTPUT_TOKENS][KIND_COUNT] < 0 && x->most[MEASURE_COST][KIND_COUNT] < 0)
		return;
	usage = palloc_extended(t->n * sizeof(SpanUsage), MCXT_ALLOC_HUGE);
	kinds = palloc_extended(t->n, MCXT_ALLOC_HUGE);
	scopes = palloc_extended(t->n, MCXT_ALLOC_HUGE);
	for (uint32 i = 0; i < t->n; i++)
	{
		SpanColumns columns = trajectory_columns(t, i);

		kinds[i] = trajectory_class(t, i)->kind;
		usage[i] = columns_usage(&columns);
	}
	usage_scopes(t->n, t->parent, kinds, usage, scopes);
	for (uint32 i = 0; i < t->n; i++)
	{
		SpanColumns columns = trajectory_columns(t, i);
		double		cost;

		if (scopes[i] == USAGE_ROLLUP)
			continue;
		if (usage[i].input_tokens >= 0)
			put_measure(x, MEASURE_OWN_INPUT_TOKENS, KIND_OTHER, (double) usage[i].input_tokens);
		if (usage[i].output_tokens >= 0)
			put_measure(x, MEASURE_OWN_OUTPUT_TOKENS, KIND_OTHER, (double) usage[i].output_tokens);
		if (column_double(&columns, COLUMN_COST_USD, &cost))
			put_measure(x, MEASURE_OWN_COST, KIND_OTHER, cost);
	}
}

/* The distinct keys of a trajectory, in order. */
int64 *
trajectory_index_keys(Trajectory *t, uint32 *count)
{
	Extract		x;
	uint32		distinct = 0;

	trajectory_decode_cold(t);
	extract_begin(&x, t);
	for (uint32 i = 0; i < t->class_count; i++)
		extract_class(&x, i);
	for (uint32 i = 0; i < t->n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		extract_span(&x, i);
	}
	if (!(t->summary.flags & TRAJECTORY_OPEN_ROOT))
		x.most[MEASURE_TRACE_DURATION][KIND_COUNT] = (double) t->summary.duration_ns;
	extract_own_usage(&x);
	for (int m = 0; m < MEASURE_COUNT; m++)
		for (int k = m <= MEASURE_COST ? 0 : KIND_COUNT; k <= KIND_COUNT; k++)
			if (x.most[m][k] >= 0)
				put_key(&x, range_key(m, k == KIND_COUNT ? ANY_KIND : k,
									  quarter_octave(x.most[m][k], measure_top[m])));

	qsort(x.keys, x.count, sizeof(int64), compare_keys);
	for (uint32 i = 0; i < x.count; i++)
		if (i == 0 || x.keys[i] != x.keys[i - 1])
			x.keys[distinct++] = x.keys[i];
	*count = distinct;
	return x.keys;
}

/* ------------------------------------------------------ keys of a query --- */

/* Shares of traces, where statistics say nothing. */
#define GUESS_KEY 0.01
#define GUESS_RANGE 0.2
#define GUESS_UNKNOWN 0.5
#define GUESS_REGEX 0.1

static IndexNode *
node_create(IndexNodeType type)
{
	IndexNode  *node = palloc0(sizeof(IndexNode));

	node->type = type;
	return node;
}

static IndexNode *
node_all(double guess)
{
	IndexNode  *node = node_create(NODE_ALL);

	node->guess = guess;
	return node;
}

static IndexNode *
node_key(int64 key, const char *label)
{
	IndexNode  *node = node_create(NODE_KEY);

	node->key = key;
	node->guess = GUESS_KEY;
	node->label = label;
	return node;
}

static void
node_add(IndexNode *node, IndexNode *arg)
{
	if (node->arg_count == node->arg_max)
	{
		node->arg_max = Max(4, 2 * node->arg_max);
		node->args = node->args ? repalloc(node->args, node->arg_max * sizeof(IndexNode *)) :
			palloc(node->arg_max * sizeof(IndexNode *));
	}
	node->args[node->arg_count++] = arg;
}

static const char *
label_text(const char *what, Bytes text)
{
	return psprintf("%s \"%.*s\"", what, (int) Min(text.len, MAX_VALUE_LEN), text.data);
}

/*
 * What a conjunction says of one and the same span: several of these make one
 * key, which is rarer than they are.
 */
typedef struct Facts
{
	const Bytes *name;
	int			kind;			/* operation kind, or -1 */
	bool		failed;
} Facts;

/* A comparison for equality of one of the facts? */
static bool
take_fact(const Tracequery *q, const QueryExpr *e, Facts *facts)
{
	const QueryField *field;
	const QueryValue *literal;
	CompareOp	op;

	if (e->node == EXPR_FIELD && q->fields[e->number].intrinsic == INTRINSIC_IS_ERROR)
		return facts->failed = true;
	if (!field_compare(q, e, &field, &op, &literal))
		return false;
	if (field->intrinsic == INTRINSIC_IS_ERROR && literal->type == QUERY_BOOL &&
		(op == COMPARISON_EQ) == literal->boolean)
		return facts->failed = true;
	if (op != COMPARISON_EQ)
		return false;
	if (field->intrinsic == INTRINSIC_NAME && literal->type == QUERY_STRING && facts->name == NULL)
	{
		facts->name = &literal->string;
		return true;
	}
	if (field->intrinsic == INTRINSIC_KIND && literal->type == QUERY_KIND &&
		literal->mask == KIND_OPERATION_MASK && facts->kind < 0)
	{
		facts->kind = (int) literal->integer;
		return true;
	}
	if (field->intrinsic == INTRINSIC_STATUS && literal->type == QUERY_STATUS &&
		literal->integer == SPAN_STATUS_ERROR)
		return facts->failed = true;
	return false;
}

static Facts
gather_facts(const Tracequery *q, const QueryExpr *e)
{
	Facts		facts = {.kind = -1};

	if (e != NULL && e->node == EXPR_AND)
	{
		for (uint32 i = 0; i < e->arg_count; i++)
			take_fact(q, e->args[i], &facts);
	}
	else if (e != NULL)
		take_fact(q, e, &facts);
	return facts;
}

static IndexNode *
name_node(bool failed, Bytes name)
{
	return node_key(make_key(failed ? INDEX_FAILED : INDEX_NAME, hash_text(name, 0)),
					label_text(failed ? "failed name" : "name", name));
}

static void
add_facts(IndexNode *and, const Facts *facts)
{
	if (facts->name)
		node_add(and, name_node(facts->failed, *facts->name));
	else if (facts->kind >= 0)
		node_add(and, node_key(state_key(facts->failed ? STATE_FAILED_KIND : STATE_KIND, facts->kind),
							   psprintf("%s %s", facts->failed ? "failed kind" : "kind",
										operation_kind_name(facts->kind))));
	else if (facts->failed)
		node_add(and, node_key(state_key(STATE_FAILED, 0), "failed"));
}

/* A measure that is at least so much. */
static IndexNode *
range_node(Measure measure, int kind, const QueryValue *literal)
{
	double		least = literal->type == QUERY_FLOAT ? literal->number : (double) literal->integer;
	int			top = measure_top[measure];
	int			from;
	IndexNode  *node;

	if (measure == MEASURE_TRACE_DURATION)
		kind = -1;
	if (measure == MEASURE_COST || measure == MEASURE_OWN_COST)
		least *= 1e6;
	from = quarter_octave(least, top);
	if (top - from + 1 > INDEX_MAX_RANGE_KEYS)
		return node_all(GUESS_UNKNOWN);
	node = node_create(NODE_RANGE);
	node->key = range_key(measure, kind < 0 ? ANY_KIND : kind, from);
	node->last = range_key(measure, kind < 0 ? ANY_KIND : kind, top);
	node->is_of_kind = kind >= 0;
	node->guess = GUESS_RANGE;
	node->label = psprintf("%s%s%s in %d ranges", measure_names[measure], kind < 0 ? "" : " of ",
						   kind < 0 ? "" : operation_kind_name(kind), top - from + 1);
	return node;
}

/* The attribute with this value, or with a list too long to be kept. */
static IndexNode *
attribute_node(const QueryField *field, const QueryValue *literal)
{
	bool		is_event = field->scope == SCOPE_EVENT;
	uint64		hash = hash_text(field->name, 0);
	int64		key;
	IndexNode  *or;

	if (!value_key(is_event ? INDEX_EVENT : INDEX_ATTRIBUTE, plan_key(field->name), hash,
				   literal, &key))
		return NULL;
	or = node_create(NODE_OR);
	node_add(or, node_key(key, literal->type == QUERY_STRING ?
						  psprintf(".%.*s = \"%.*s\"", (int) field->name.len, field->name.data,
								   (int) literal->string.len, literal->string.data) :
						  psprintf(".%.*s and value", (int) field->name.len, field->name.data)));
	node_add(or, node_key(make_key(is_event ? INDEX_EVENT_MANY : INDEX_MANY, hash),
						  label_text("long list", field->name)));
	or->args[1]->guess = 0.0001;
	return or;
}

static IndexNode *
exists_node(const QueryField *field)
{
	if ((field->scope != SCOPE_ANY && field->scope != SCOPE_SPAN && field->scope != SCOPE_RESOURCE) ||
		!is_existence_kept(field->name))
		return node_all(GUESS_UNKNOWN);
	return node_key(make_key(INDEX_EXISTS, hash_text(field->name, 0)),
					label_text("attribute", field->name));
}

/* Nothing. */
static const Facts no_facts = {.kind = -1};

/* A span's own usage is kept for all kinds together, what it reports by kind. */
static int
field_measure(const QueryField *field, int kind)
{
	switch (field->intrinsic)
	{
		case INTRINSIC_DURATION:
			return MEASURE_DURATION;
		case INTRINSIC_INPUT_TOKENS:
			return kind < 0 ? MEASURE_OWN_INPUT_TOKENS : MEASURE_INPUT_TOKENS;
		case INTRINSIC_OUTPUT_TOKENS:
			return kind < 0 ? MEASURE_OWN_OUTPUT_TOKENS : MEASURE_OUTPUT_TOKENS;
		case INTRINSIC_COST_USD:
			return kind < 0 ? MEASURE_OWN_COST : MEASURE_COST;
		case INTRINSIC_TRACE_DURATION:
			return MEASURE_TRACE_DURATION;
		default:
			break;
	}
	return field->scope == SCOPE_SPAN || field->scope == SCOPE_ANY ?
		column_measure(known_column(field->name)) : -1;
}

static inline bool
is_number(const QueryValue *v)
{
	return v->type == QUERY_INT || v->type == QUERY_FLOAT || v->type == QUERY_DURATION;
}

static IndexNode *
status_node(int64 status)
{
	return node_key(state_key(STATE_STATUS, status), psprintf("status %s", span_status_names[status]));
}

static IndexNode *
intrinsic_equal_node(const QueryField *field, const QueryValue *literal, bool failed)
{
	switch (field->intrinsic)
	{
		case INTRINSIC_NAME:
			return name_node(failed, literal->string);
		case INTRINSIC_ROOT_NAME:
			return name_node(false, literal->string);
		case INTRINSIC_STATUS:
			return status_node(literal->integer);
		case INTRINSIC_KIND:
			if (literal->mask == KIND_SPAN_MASK)
				return node_key(state_key(STATE_SPAN_KIND, literal->integer >> KIND_SPAN_SHIFT),
								psprintf("kind %s", span_kind_names[literal->integer >> KIND_SPAN_SHIFT]));
			return node_key(state_key(STATE_KIND, literal->integer),
							psprintf("kind %s", operation_kind_name(literal->integer)));
		case INTRINSIC_EVENT_NAME:
			return node_key(make_key(INDEX_EVENT_NAME, hash_text(literal->string, 0)),
							label_text("event", literal->string));
		case INTRINSIC_SCOPE_NAME:
			return node_key(make_key(INDEX_SCOPE, hash_text(literal->string, 0)),
							label_text("instrumentation", literal->string));
		case INTRINSIC_ROOT_SERVICE_NAME:
			return attribute_node(&(QueryField) {SCOPE_RESOURCE, INTRINSIC_NONE, BYTES_LITERAL("service.name")},
								  literal);
		case INTRINSIC_MODEL:
		case INTRINSIC_PROVIDER:
		case INTRINSIC_TOOL:
		case INTRINSIC_AGENT:
			if (literal->string.len > MAX_VALUE_LEN)
				return NULL;
			return node_key(column_key(failed, field->intrinsic, literal->string),
							label_text(psprintf("%s%s", failed ? "failed " : "",
												intrinsic_name(field->intrinsic)),
									   literal->string));
		default:
			return NULL;
	}
}

static IndexNode *
equal_node(const QueryField *field, const QueryValue *literal, const Facts *known)
{
	IndexNode  *node = NULL;
	int			measure = field_measure(field, known->kind);

	if (field->scope == SCOPE_INTRINSIC)
		node = intrinsic_equal_node(field, literal, known->failed);
	else if (field->scope != SCOPE_LINK && field->scope != SCOPE_INSTRUMENTATION)
		node = attribute_node(field, literal);
	if (node == NULL && measure >= 0 && is_number(literal))
		node = range_node(measure, known->kind, literal);
	return node;
}

/* A status is one of three. */
static IndexNode *
other_status_node(int64 status)
{
	IndexNode  *or = node_create(NODE_OR);

	for (int64 other = 0; other < SPAN_STATUS_COUNT; other++)
		if (other != status)
			node_add(or, status_node(other));
	return or;
}

/* Does a character of a regular expression stand for itself? */
static bool
is_literal_char(char c)
{
	return strchr("\\^$.|?*+()[]{}", c) == NULL;
}

/*
 * One alternative of a regular expression, if it is no more than a string:
 * punctuation may be escaped.  *at moves to the bar behind it, or the end.
 */
static bool
take_alternative(const char **at, const char *end, Bytes *literal)
{
	char	   *text = palloc(end - *at + 1);

	*literal = (Bytes) {text, 0};
	for (; *at < end && **at != '|'; (*at)++)
	{
		if (**at == '\\' && *at + 1 < end && isascii((*at)[1]) && ispunct((*at)[1]))
			(*at)++;
		else if (!is_literal_char(**at))
			return false;
		text[literal->len++] = **at;
	}
	return literal->len > 0;
}

/*
 * The strings that a regular expression, which must match as a whole, is a
 * choice among: a|b, (a|b) or (?:a|b).  Their number, or 0 if it is anything
 * else, or of more than max.
 */
static uint32
regex_alternatives(Bytes pattern, Bytes *literals, uint32 max)
{
	const char *at = pattern.data;
	const char *end = at + pattern.len;
	uint32		count = 0;

	if (pattern.len > 2 && at[0] == '(' && end[-1] == ')')
	{
		at += pattern.len > 3 && at[1] == '?' && at[2] == ':' ? 3 : 1;
		end--;
	}
	for (;; at++)
	{
		if (count == max || !take_alternative(&at, end, &literals[count]))
			return 0;
		count++;
		if (at == end)
			return count;
	}
}

/* A regular expression that is a choice among strings: any of them. */
static IndexNode *
match_node(const QueryField *field, const QueryValue *pattern, const Facts *known)
{
	Bytes		literals[INDEX_MAX_ALTERNATIVES];
	uint32		count = regex_alternatives(pattern->string, literals, lengthof(literals));
	IndexNode  *or = node_create(NODE_OR);

	for (uint32 i = 0; i < count; i++)
	{
		QueryValue	literal = {.type = QUERY_STRING,.string = literals[i]};
		IndexNode  *node = equal_node(field, &literal, known);

		if (node == NULL)
			return NULL;
		node_add(or, node);
	}
	return count > 1 ? or : count == 1 ? or->args[0] : NULL;
}

static IndexNode *
compare_node(const Tracequery *q, const QueryExpr *e, const Facts *known)
{
	const QueryField *field;
	const QueryValue *literal;
	CompareOp	op;
	IndexNode  *node = NULL;
	int			measure;

	if (!field_compare(q, e, &field, &op, &literal))
		return node_all(GUESS_UNKNOWN);
	if (literal->type == QUERY_NIL)
		return op == COMPARISON_NE ? exists_node(field) : node_all(GUESS_UNKNOWN);
	measure = field_measure(field, known->kind);
	if (op == COMPARISON_EQ)
		node = equal_node(field, literal, known);
	else if (op == COMPARISON_MATCH)
		node = match_node(field, literal, known);
	else if (op == COMPARISON_NE && literal->type == QUERY_STATUS)
		node = other_status_node(literal->integer);
	else if ((op == COMPARISON_GT || op == COMPARISON_GE) && measure >= 0 && is_number(literal))
		node = range_node(measure, known->kind, literal);
	if (node == NULL && field->scope != SCOPE_INTRINSIC)
		node = exists_node(field);
	if (node == NULL)
		node = node_all(op == COMPARISON_MATCH ? GUESS_REGEX : GUESS_UNKNOWN);
	return node;
}

static IndexNode *expr_node(const Tracequery *q, const QueryExpr *e, const Facts *known);

/* Does a node say that a span failed, or more of its kind than that it is there? */
static bool
says(const IndexNode *node, bool failed)
{
	IndexClass	class = node->key >> KEY_BITS;
	bool		result = node->type == NODE_OR;

	if (node->type == NODE_KEY)
		return failed && (class == INDEX_FAILED_COLUMN || class == INDEX_FAILED);
	if (node->type == NODE_RANGE)
		return !failed && node->is_of_kind;
	/* any part of and, all of or */
	for (uint32 i = 0; i < node->arg_count && result == (node->type == NODE_OR); i++)
		result = says(node->args[i], failed);
	return result;
}

static IndexNode *
and_node(const Tracequery *q, const QueryExpr *e, const Facts *above)
{
	IndexNode  *and = node_create(NODE_AND);
	Facts		facts = gather_facts(q, e);
	Facts		known = facts;
	Facts		seen = no_facts;

	known.failed |= above->failed;
	if (known.kind < 0)
		known.kind = above->kind;
	and->is_same_span = true;
	for (uint32 i = 0; i < e->arg_count; i++)
		/* a second name contradicts the first, and is a key of its own */
		if (!take_fact(q, e->args[i], &seen))
			node_add(and, expr_node(q, e->args[i], &known));
	/* what others say already is no key of its own */
	for (uint32 i = 0; i < and->arg_count && !facts.name; i++)
	{
		if (says(and->args[i], false) && !facts.failed)
			facts.kind = -1;
		if (says(and->args[i], true) && facts.kind < 0)
			facts.failed = false;
	}
	add_facts(and, &facts);
	return and;
}

/* known: what holds of the span besides. */
static IndexNode *
expr_node(const Tracequery *q, const QueryExpr *e, const Facts *known)
{
	IndexNode  *node;
	Facts		facts = no_facts;

	switch (e->node)
	{
		case EXPR_AND:
			return and_node(q, e, known);
		case EXPR_OR:
			node = node_create(NODE_OR);
			for (uint32 i = 0; i < e->arg_count; i++)
				node_add(node, expr_node(q, e->args[i], known));
			return node;
		case EXPR_LITERAL:
			return e->literal.boolean ? node_all(1) : node_create(NODE_OR);
		case EXPR_FIELD:
		case EXPR_COMPARE:
			if (take_fact(q, e, &facts))
			{
				node = node_create(NODE_AND);
				facts.failed |= known->failed;
				if (facts.kind < 0)
					facts.kind = known->kind;
				add_facts(node, &facts);
				return node;
			}
			if (e->node == EXPR_COMPARE)
				return compare_node(q, e, known);
			node = q->fields[e->number].scope == SCOPE_INTRINSIC ? NULL :
				equal_node(&q->fields[e->number], &(QueryValue) {.type = QUERY_BOOL,.boolean = true}, known);
			return node ? node : node_all(GUESS_UNKNOWN);
		default:
			return node_all(GUESS_UNKNOWN);
	}
}

/* What is known of every span that a set can have. */
static Facts
set_facts(const Tracequery *q, const QuerySet *s)
{
	if (s->node == SET_FILTER)
		return gather_facts(q, s->expr);
	if (s->node == SET_RELATION && s->mode != MODE_BOTH)
		return set_facts(q, s->args[1]);
	return (Facts) {.kind = -1};
}

/* Does a set consist of nothing but its facts? */
static bool
is_only_facts(const Tracequery *q, const QuerySet *s)
{
	Facts		seen = {.kind = -1};

	if (s->node != SET_FILTER || s->expr == NULL)
		return false;
	if (s->expr->node != EXPR_AND)
		return take_fact(q, s->expr, &seen);
	for (uint32 i = 0; i < s->expr->arg_count; i++)
		if (!take_fact(q, s->expr->args[i], &seen))
			return false;
	return true;
}

static IndexNode *set_node(const Tracequery *q, const QuerySet *s);

static IndexNode *
relation_node(const Tracequery *q, const QuerySet *s)
{
	IndexNode  *and;
	const QuerySet *above = s->args[s->relation == RELATION_CHILD ? 0 : 1];
	const QuerySet *below = s->args[s->relation == RELATION_CHILD ? 1 : 0];
	Facts		parent;
	Facts		child;
	bool		is_edge;

	if (s->mode == MODE_NOT)
		return set_node(q, s->args[1]);
	and = node_create(NODE_AND);
	parent = set_facts(q, above);
	child = set_facts(q, below);
	is_edge = (s->relation == RELATION_CHILD || s->relation == RELATION_PARENT) &&
		parent.name && child.name;
	if (is_edge)
		node_add(and, node_key(edge_key(child.failed, hash_text(*parent.name, 0),
										hash_text(*child.name, 0)),
							   psprintf("%sedge \"%.*s\" > \"%.*s\"", child.failed ? "failed " : "",
										(int) Min(parent.name->len, MAX_VALUE_LEN), parent.name->data,
										(int) Min(child.name->len, MAX_VALUE_LEN), child.name->data)));
	/* an edge says what its ends' names say */
	if (!is_edge || !is_only_facts(q, above) || parent.failed)
		node_add(and, set_node(q, above));
	if (!is_edge || !is_only_facts(q, below))
		node_add(and, set_node(q, below));
	return and;
}

static IndexNode *
set_node(const Tracequery *q, const QuerySet *s)
{
	IndexNode  *node;

	switch ((SetNode) s->node)
	{
		case SET_FILTER:
			return s->expr ? expr_node(q, s->expr, &no_facts) : node_all(1);
		case SET_RELATION:
			return relation_node(q, s);
		case SET_SCALAR:
			return node_all(GUESS_UNKNOWN);
		default:
			node = node_create(s->node == SET_OR ? NODE_OR : NODE_AND);
			for (uint32 i = 0; i < s->arg_count; i++)
				node_add(node, set_node(q, s->args[i]));
			return node;
	}
}

/* What must hold of the keys of a trajectory that matches. */
IndexNode *
tracequery_index_tree(const Tracequery *q)
{
	return set_node(q, q->root);
}

/*
 * The tree with only what an index is asked: ranges beside other keys are left
 * to the recheck, since they take many keys to say little.
 */
IndexNode *
index_tree_for_scan(IndexNode *tree)
{
	IndexNode  *node;
	bool		has_exact = false;

	if (tree->type != NODE_AND && tree->type != NODE_OR)
		return tree;
	node = node_create(tree->type);
	for (uint32 i = 0; i < tree->arg_count; i++)
	{
		IndexNode  *arg = index_tree_for_scan(tree->args[i]);

		if (arg->type == NODE_ALL)
		{
			if (tree->type == NODE_OR)
				return arg;
			continue;
		}
		has_exact |= arg->type != NODE_RANGE;
		node_add(node, arg);
	}
	if (tree->type == NODE_AND && has_exact)
	{
		uint32		kept = 0;

		for (uint32 i = 0; i < node->arg_count; i++)
			if (node->args[i]->type != NODE_RANGE)
				node->args[kept++] = node->args[i];
		node->arg_count = kept;
	}
	if (tree->type == NODE_AND && node->arg_count == 0)
		return node_all(1);
	return node->arg_count == 1 ? node->args[0] : node;
}

static uint32
count_keys(const IndexNode *tree)
{
	uint32		count = 0;

	if (tree->type == NODE_KEY)
		return 1;
	if (tree->type == NODE_RANGE)
		return tree->last - tree->key + 1;
	for (uint32 i = 0; i < tree->arg_count; i++)
		count += count_keys(tree->args[i]);
	return count;
}

static void
list_keys(IndexNode *tree, int64 *keys, uint32 *count)
{
	tree->number = *count;
	if (tree->type == NODE_KEY)
		keys[(*count)++] = tree->key;
	else if (tree->type == NODE_RANGE)
		for (int64 key = tree->key; key <= tree->last; key++)
			keys[(*count)++] = key;
	for (uint32 i = 0; i < tree->arg_count; i++)
		list_keys(tree->args[i], keys, count);
}

/* Number the keys of a tree and list them; 0 if it has none. */
uint32
index_tree_keys(IndexNode *tree, int64 **keys)
{
	uint32		count = 0;

	*keys = palloc(Max(count_keys(tree), 1) * sizeof(int64));
	list_keys(tree, *keys, &count);
	return count;
}

/*
 * Can a trajectory match of which the keys are there (1), not there (0) or
 * perhaps there (2)?  0 if not, 2 if it may.
 */
int
index_tree_check(const IndexNode *tree, const int8 *check)
{
	bool		holds;

	switch ((IndexNodeType) tree->type)
	{
		case NODE_ALL:
			return 2;
		case NODE_KEY:
			return check[tree->number] ? 2 : 0;
		case NODE_RANGE:
			for (int64 i = 0; i <= tree->last - tree->key; i++)
				if (check[tree->number + i])
					return 2;
			return 0;
		default:
			holds = tree->type == NODE_AND;
			for (uint32 i = 0; i < tree->arg_count; i++)
				if ((index_tree_check(tree->args[i], check) != 0) != holds)
					return holds ? 0 : 2;
			return holds ? 2 : 0;
	}
}

/* For people. */
void
index_tree_write(StringInfo buf, const IndexNode *tree)
{
	switch ((IndexNodeType) tree->type)
	{
		case NODE_ALL:
			appendStringInfoString(buf, "everything");
			break;
		case NODE_KEY:
		case NODE_RANGE:
			appendStringInfoString(buf, tree->label);
			break;
		default:
			if (tree->arg_count == 0)
				appendStringInfoString(buf, "nothing");
			for (uint32 i = 0; i < tree->arg_count; i++)
			{
				const IndexNode *arg = tree->args[i];
				bool		has_parens = arg->arg_count > 1;

				if (i > 0)
					appendStringInfoString(buf, tree->type == NODE_AND ? " and " : " or ");
				if (has_parens)
					appendStringInfoChar(buf, '(');
				index_tree_write(buf, arg);
				if (has_parens)
					appendStringInfoChar(buf, ')');
			}
			break;
	}
}
