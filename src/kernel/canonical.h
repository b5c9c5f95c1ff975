/*
 * canonical.h
 *		Canonical columns: one name for what every convention names differently.
 *
 * A key of an attribute may be a direct alias of a column.  Several aliases of
 * one column are ranked; the first whose value can be read as the column's
 * type wins.  Values that need more than reading (numbers inside a JSON text,
 * one key that feeds two columns) are computed once, when a span comes in, and
 * kept as derived attributes (derive.c).
 */
#ifndef LLMTRACE_CANONICAL_H
#define LLMTRACE_CANONICAL_H

#include "kernel/value.h"

/*
 * The columns.  The numbers are on disk (derived and mapped attributes), so
 * new ones are appended.
 */
typedef enum CanonicalColumn
{
	COLUMN_NONE = 0,
	COLUMN_KIND,
	COLUMN_OPERATION,
	COLUMN_PROVIDER,
	COLUMN_MODEL_REQUESTED,
	COLUMN_MODEL_RESPONDED,
	COLUMN_MODEL_FINGERPRINT,
	COLUMN_SERVICE_TIER,
	COLUMN_RESPONSE_ID,
	COLUMN_REASONING_LEVEL,
	COLUMN_MAX_OUTPUT_TOKENS,
	COLUMN_IS_STREAMING,
	COLUMN_INPUT_TOKENS,
	COLUMN_OUTPUT_TOKENS,
	COLUMN_REASONING_TOKENS,
	COLUMN_CACHE_READ_TOKENS,
	COLUMN_CACHE_WRITE_TOKENS,
	COLUMN_COST_USD,
	COLUMN_TOOL_NAME,
	COLUMN_TOOL_CALL_ID,
	COLUMN_TOOL_TYPE,
	COLUMN_TOOL_ARGUMENTS,
	COLUMN_TOOL_RESULT,
	COLUMN_AGENT_NAME,
	COLUMN_AGENT_VERSION,
	COLUMN_WORKFLOW_NAME,
	COLUMN_CONVERSATION_ID,
	COLUMN_USER_ID,
	COLUMN_TENANT_ID,
	COLUMN_FEATURE,
	COLUMN_PROMPT_NAME,
	COLUMN_PROMPT_VERSION,
	COLUMN_FINISH_REASON,
	COLUMN_RESPONSE_STATUS,
	COLUMN_TTFT_MS,
	COLUMN_ATTEMPT,
	COLUMN_ERROR_TYPE,
	COLUMN_ERROR_LEVEL,
	COLUMN_HTTP_STATUS_CODE,
	COLUMN_SYSTEM,
	COLUMN_INPUT,
	COLUMN_OUTPUT,
	COLUMN_RETRIEVAL_DOCUMENTS,
	COLUMN_SERVICE_NAME,
	COLUMN_SERVICE_VERSION,
	COLUMN_ENVIRONMENT,
	COLUMN_REGION,
	COLUMN_SAMPLE_RATE,
	COLUMN_PROMPT_HASH,
	COLUMN_PLAN,
	COLUMN_COUNT
} CanonicalColumn;

/* What a span does. */
typedef enum OperationKind
{
	KIND_OTHER = 0,
	KIND_LLM,
	KIND_EMBEDDING,
	KIND_RERANK,
	KIND_RETRIEVAL,
	KIND_TOOL,
	KIND_AGENT,
	KIND_WORKFLOW,
	KIND_PLAN,
	KIND_GUARDRAIL,
	KIND_EVALUATOR,
	KIND_HUMAN,
	KIND_MEMORY,
	KIND_COUNT
} OperationKind;

/* How the value of an alias becomes the value of its column. */
typedef enum AliasUnit
{
	UNIT_AS_IS = 0,
	UNIT_SECONDS,				/* the column is in milliseconds */
	UNIT_ZERO_BASED				/* the column counts from one */
} AliasUnit;

/* What has to be computed from a key's value when a span comes in. */
typedef enum DeriveRule
{
	DERIVE_NOTHING = 0,
	DERIVE_USAGE,				/* JSON text with token counts */
	DERIVE_COST,				/* JSON text with costs */
	DERIVE_REQUEST,				/* JSON text with request parameters */
	DERIVE_PROVIDER_METADATA,	/* JSON text by provider */
	DERIVE_NAMED_PROMPT,		/* JSON text of a prompt: name, version, text */
	DERIVE_ENTITY_NAME,			/* names a tool, an agent or neither, by kind */
	DERIVE_FIRST_TOKEN_TIME,	/* an ISO 8601 time */
	DERIVE_PROMPT,				/* system text or tools; see prompt_hash.h */
	DERIVE_PLAN					/* a plan, noted down by the agent; see plan_actions.h */
} DeriveRule;

/* The rank of a key that holds a part of what the column stands for. */
#define ALIAS_PART 250

typedef struct KnownKey
{
	const char *name;
	uint8		column;			/* CanonicalColumn */
	uint8		rank;			/* among the column's aliases; lower wins */
	uint8		unit;			/* AliasUnit */
	uint8		rule;			/* DeriveRule */
} KnownKey;

/* The built-in keys; a key's number on disk is its index here. */
extern const KnownKey known_keys[];
extern const int known_key_count;

extern int	known_key_find(Bytes name);
extern const char *canonical_column_name(CanonicalColumn column);
extern CanonicalColumn canonical_column_find(Bytes name);
extern const char *operation_kind_name(OperationKind kind);

/*
 * Reading attributes as columns.  A Shape is a set of keys, as many spans
 * share it.  Those of its keys that are aliases of a column are listed by
 * column, the best alias first.
 */
typedef struct Key
{
	Bytes		name;
	int16		known;			/* number of the built-in key, or -1 */
	uint8		column;			/* CanonicalColumn this key is an alias of */
	uint8		rank;
	uint8		rule;			/* DeriveRule */
	bool		is_mapped;		/* the column is the user's choice, not built in */
	bool		is_derived;		/* computed by us, named after its column */
} Key;

typedef struct Shape
{
	uint32		nkeys;
	uint32	   *keys;			/* indexes of keys, sorted by name */
	uint64		columns;		/* bit c: some key is an alias of column c */
	uint32	   *aliases;		/* column << 24 | rank << 16 | place in the
								 * span's attributes, ascending */
	uint32		alias_count;
	bool		has_rules;		/* some key needs deriving from */
	bool		has_prompt;		/* some key may hold system text or tools */
	bool		has_plan;		/* some key may hold a plan */
} Shape;

StaticAssertDecl(COLUMN_COUNT <= 64, "columns must fit into a bit map");

/*
 * One attribute of all spans of a class: a value for each, or one for all.
 */
typedef struct ValueColumn
{
	Value	   *values;			/* NULL if not decoded */
	uint32		mask;			/* 0 if there is one for all, else all bits */
	uint8		form;			/* as on disk */
	uint8		type;
} ValueColumn;

/*
 * What the columns of one span are read from: its own list of values, or, in a
 * decoded trajectory, its place in those of its class.
 */
typedef struct SpanColumns
{
	const Shape *shape;
	const Key  *keys;
	const Value *values;		/* as many as the shape has keys; or NULL, and … */
	const ValueColumn *columns;
	uint32		index;			/* … the span's place in them */
} SpanColumns;

/* The value at a place of the shape. */
static inline const Value *
span_value(const SpanColumns *s, uint32 place)
{
	if (s->values)
		return &s->values[place];
	return &s->columns[place].values[s->index & s->columns[place].mask];
}

/* Is any key an alias of the column?  Most shapes lack most columns. */
static inline bool
shape_bears(const Shape *shape, CanonicalColumn column)
{
	return (shape->columns >> column & 1) != 0;
}

static inline bool
column_is_borne(const SpanColumns *s, CanonicalColumn column)
{
	return shape_bears(s->shape, column);
}

/* The first alias of a column, if there is one. */
static inline uint32
shape_first_alias(const Shape *shape, CanonicalColumn column)
{
	uint32		i = 0;

	if (!shape_bears(shape, column))
		return shape->alias_count;
	while (shape->aliases[i] >> 24 != column)
		i++;
	return i;
}

/* Is this an alias of the column still? */
static inline bool
shape_is_alias(const Shape *shape, uint32 i, CanonicalColumn column)
{
	return i < shape->alias_count && shape->aliases[i] >> 24 == column;
}

/* Where among the span's attributes an alias stands. */
static inline uint32
shape_alias_place(const Shape *shape, uint32 i)
{
	return shape->aliases[i] & 0xffff;
}

extern Key	key_make(Bytes name);
extern Key	key_make_known(int number);
extern Key	key_make_named(Bytes name);
extern Key	key_make_derived(CanonicalColumn column);
extern void key_map(Key *key, CanonicalColumn column);
extern void shape_prepare(Shape *shape, const Key *keys, uint32 *room);
extern const Value *column_value(const SpanColumns *s, CanonicalColumn column);
extern bool column_text(const SpanColumns *s, CanonicalColumn column, Bytes *text);
extern bool column_int(const SpanColumns *s, CanonicalColumn column, int64 *number);
extern bool column_double(const SpanColumns *s, CanonicalColumn column, double *number);
extern bool value_read_int(const Value *v, int64 *number);
extern bool value_read_double(const Value *v, double *number);
extern OperationKind columns_kind(const SpanColumns *s);
extern bool columns_is_error(const SpanColumns *s);
extern Bytes provider_normalise(Bytes provider, char *buf, size_t buf_size);

#endif							/* LLMTRACE_CANONICAL_H */
