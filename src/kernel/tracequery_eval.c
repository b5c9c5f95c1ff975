/*
 * tracequery_eval.c
 *		The spans of a trajectory that a query finds.
 *
 * Work is put off as long as it can be: the header alone refutes many queries.
 * Conditions are then evaluated once a class, with a third outcome for what is
 * not known yet: first by the kinds of classes, then by whether the strings
 * that are compared with occur anywhere in the trajectory, then by names and
 * whatever else the tables have.  Structure and times are next; columns are
 * decoded only for spans of which nothing else tells.
 *
 * A set of spans is a byte for each span.  Structural operators are one or two
 * passes over arrays in preorder; nothing here recurses over the tree of
 * spans.  What does recurse goes over the query, whose depth is bounded.
 *
 * A field has a list of values: none if it is missing, several for an array
 * (or events).  A comparison holds if it holds for any pair of values, != and
 * !~ if they hold for every one; so nothing holds for what is missing.
 */
#include "postgres.h"

#include <math.h>

#include "kernel/otlp.h"
#include "kernel/tracequery.h"
#include "kernel/usage.h"
#include "miscadmin.h"

#define NOT_RESOLVED (-2)
#define NOT_THERE (-1)

/* As yet unknown, so that OR is the maximum and AND the minimum. */
typedef enum Ternary
{
	IS_FALSE = 0,
	IS_UNKNOWN = 1,
	IS_TRUE = 2
} Ternary;

typedef enum LiteralState
{
	LITERAL_UNRESOLVED = 0,
	LITERAL_ABSENT,
	LITERAL_PRESENT
} LiteralState;

/* How much may be looked at to learn about a class. */
typedef enum Stage
{
	STAGE_KINDS,
	STAGE_LITERALS,
	STAGE_TABLES
} Stage;

/* What a filter says of the classes. */
typedef struct FilterClasses
{
	uint8	   *classes;		/* a Ternary for each; NULL until asked for */
	Stage		stage;			/* as of which */
	bool		is_open;		/* some class's spans have to be asked */
	bool		is_possible;	/* some class is not ruled out */
} FilterClasses;

typedef struct Eval
{
	const Tracequery *q;
	Trajectory *t;
	Stage		stage;
	bool		has_classes;	/* else all spans are of one, 0 */
	uint32		class_count;
	int32	   *keys;			/* of each field */
	int32	   *positions;		/* of each field, in each shape */
	uint8	   *literals;		/* LiteralState of each */
	QueryRegex **regexes;
	FilterClasses *filters;
	uint8	   *usage_scope;
	uint32	   *child_count;
	char		text[64];		/* of an id or a provider, for a moment */
} Eval;

/* Where an expression is evaluated: at a span, or at all spans of a class. */
typedef struct Place
{
	uint32		class;
	int32		ordinal;		/* -1: the class */
} Place;

typedef struct Values
{
	bool		exists;
	uint32		n;
	uint32		max;
	QueryValue *v;
	QueryValue	own[4];
} Values;

/* --------------------------------------------------------------- values --- */

static inline void
values_init(Values *values)
{
	values->exists = false;
	values->n = 0;
	values->max = lengthof(values->own);
	values->v = values->own;
}

static void
values_free(Values *values)
{
	if (values->v != values->own)
		pfree(values->v);
}

static void
add_value(Values *values, QueryValue v)
{
	if (values->n == values->max)
	{
		uint32		max = values->max * 2;
		QueryValue *grown = palloc_extended(max * sizeof(QueryValue), MCXT_ALLOC_HUGE);

		memcpy(grown, values->v, values->n * sizeof(QueryValue));
		values_free(values);
		values->v = grown;
		values->max = max;
	}
	values->exists = true;
	values->v[values->n++] = v;
}

static inline void
add_string(Values *values, Bytes s)
{
	add_value(values, (QueryValue) {.type = QUERY_STRING,.string = s});
}

static inline void
add_integer(Values *values, QueryValueType type, int64 integer)
{
	add_value(values, (QueryValue) {.type = type,.integer = integer});
}

static inline void
add_double(Values *values, double number)
{
	if (!isnan(number) && !isinf(number))
		add_value(values, (QueryValue) {.type = QUERY_FLOAT,.number = number});
}

/* An attribute's value; the elements of an array one by one. */
static void
add_attribute(Values *values, const Value *v, bool is_element)
{
	switch (v->type)
	{
		case VALUE_EMPTY:
			break;
		case VALUE_STRING:
			add_string(values, value_bytes(v));
			break;
		case VALUE_BOOL:
			add_value(values, (QueryValue) {.type = QUERY_BOOL,.boolean = v->boolean});
			break;
		case VALUE_INT:
			add_integer(values, QUERY_INT, v->integer);
			break;
		case VALUE_DOUBLE:
			values->exists = true;
			add_double(values, v->number);
			break;
		case VALUE_ARRAY:
			values->exists = true;
			if (!is_element)
			{
				ValueIterator it;
				Bytes		key;
				Value		element;

				value_iterate(&it, v);
				while (value_next(&it, &key, &element))
					add_attribute(values, &element, true);
				break;
			}
			/* an array in an array compares with nothing */
			/* FALLTHROUGH */
		default:
			add_value(values, (QueryValue) {.type = QUERY_OTHER});
	}
}

/* Less, equal or greater: false if the types have nothing in common. */
static bool
value_order(const QueryValue *a, const QueryValue *b, int *order)
{
	bool		a_is_whole = a->type == QUERY_INT || a->type == QUERY_DURATION;
	bool		b_is_whole = b->type == QUERY_INT || b->type == QUERY_DURATION;

	if (a_is_whole && b_is_whole)
	{
		*order = (a->integer > b->integer) - (a->integer < b->integer);
		return true;
	}
	if ((a_is_whole || a->type == QUERY_FLOAT) && (b_is_whole || b->type == QUERY_FLOAT))
	{
		double		x = a_is_whole ? (double) a->integer : a->number;
		double		y = b_is_whole ? (double) b->integer : b->number;

		*order = (x > y) - (x < y);
		return true;
	}
	if (a->type != b->type)
		return false;
	switch (a->type)
	{
		case QUERY_STRING:
			*order = bytes_compare(a->string, b->string);
			return true;
		case QUERY_BOOL:
			*order = (int) a->boolean - (int) b->boolean;
			return true;
		case QUERY_STATUS:
			*order = a->integer != b->integer;
			return true;
		case QUERY_KIND:
			*order = ((a->integer ^ b->integer) & a->mask & b->mask) != 0;
			return true;
		default:
			return false;
	}
}

/* Of booleans, kinds and the like only equality has a meaning. */
static inline bool
is_ordered(const QueryValue *v)
{
	return v->type == QUERY_INT || v->type == QUERY_FLOAT || v->type == QUERY_DURATION ||
		v->type == QUERY_STRING;
}

static bool
compare_values(CompareOp op, const QueryValue *a, const QueryValue *b)
{
	int			order;

	if (!value_order(a, b, &order))
		return false;
	switch (op)
	{
		case COMPARISON_EQ:
			return order == 0;
		case COMPARISON_NE:
			return order != 0;
		case COMPARISON_LT:
			return order < 0 && is_ordered(a);
		case COMPARISON_LE:
			return order <= 0 && is_ordered(a);
		case COMPARISON_GT:
			return order > 0 && is_ordered(a);
		case COMPARISON_GE:
			return order >= 0 && is_ordered(a);
		default:
			return false;
	}
}

static bool
compare_lists(CompareOp op, const Values *left, const Values *right)
{
	bool		every = op == COMPARISON_NE;

	if (left->n == 0 || right->n == 0)
		return false;
	for (uint32 i = 0; i < left->n; i++)
		for (uint32 k = 0; k < right->n; k++)
			if (compare_values(op, &left->v[i], &right->v[k]) != every)
				return !every;
	return every;
}

/* --------------------------------------------------------------- fields --- */

static const Value *
find_in_list(const AttrList *list, int32 key)
{
	for (uint32 i = 0; key >= 0 && i < list->n; i++)
		if (list->keys[i] == (uint32) key)
			return &list->values[i];
	return NULL;
}

/* service.name of the resource of the root that stands for the whole. */
Bytes
trajectory_root_service(const Trajectory *t)
{
	uint32		root = trajectory_primary_root(t);
	const AttrList *list = &t->resources[trajectory_class(t, root)->resource].attributes;

	for (uint32 i = 0; i < list->n; i++)
		if (list->values[i].type == VALUE_STRING &&
			bytes_equal_cstring(t->keys[list->keys[i]].name, "service.name"))
			return value_bytes(&list->values[i]);
	return (Bytes) {NULL, 0};
}

/* The place of an attribute among the keys of a class's shape. */
static int32
field_position(Eval *e, uint32 field, uint32 class)
{
	uint32		shape_number = e->t->classes[class].shape;
	int32	   *position = &e->positions[(size_t) field * e->t->shape_count + shape_number];

	if (*position == NOT_RESOLVED)
	{
		const Shape *shape = &e->t->shapes[shape_number];

		*position = NOT_THERE;
		for (uint32 i = 0; e->keys[field] >= 0 && i < shape->nkeys; i++)
			if (shape->keys[i] == (uint32) e->keys[field])
				*position = (int32) i;
	}
	return *position;
}

/* Is the value of a field the same for all spans of a class, and known? */
static bool
field_is_known(Eval *e, uint32 number, uint32 class)
{
	const QueryField *field = &e->q->fields[number];
	const SpanClass *c = &e->t->classes[class];
	int32		position;

	switch ((FieldLevel) field->level)
	{
		case LEVEL_HEADER:
		case LEVEL_KIND:
			return true;
		case LEVEL_HOT:
			return false;
		case LEVEL_CLASS:
			return e->stage == STAGE_TABLES;
		case LEVEL_COLUMN:
			break;
	}
	if (e->stage != STAGE_TABLES)
		return false;
	if (field->scope == SCOPE_SPAN || field->scope == SCOPE_ANY)
	{
		position = field_position(e, number, class);
		return position < 0 || class_has_value(c, position);
	}
	switch (field->intrinsic)
	{
		case INTRINSIC_MODEL:
			return class_tells_text(e->t, c, TEXT_MODEL);
		case INTRINSIC_PROVIDER:
			return class_tells_text(e->t, c, TEXT_PROVIDER);
		case INTRINSIC_TOOL:
			return class_tells_text(e->t, c, TEXT_TOOL_NAME);
		case INTRINSIC_AGENT:
			return class_tells_text(e->t, c, TEXT_AGENT_NAME);
		case INTRINSIC_TTFT:
			return class_tells(e->t, c, COLUMN_TTFT_MS);
		/* whose tokens and costs are depends on the spans around */
		case INTRINSIC_INPUT_TOKENS:
			return !shape_bears(&e->t->shapes[c->shape], COLUMN_INPUT_TOKENS);
		case INTRINSIC_OUTPUT_TOKENS:
			return !shape_bears(&e->t->shapes[c->shape], COLUMN_OUTPUT_TOKENS);
		case INTRINSIC_COST_USD:
			return !shape_bears(&e->t->shapes[c->shape], COLUMN_COST_USD);
		default:
			return false;
	}
}

/* Whose usage each span reports, worked out when it is first asked for. */
static bool
is_rollup(Eval *e, uint32 ordinal)
{
	Trajectory *t = e->t;

	if (e->usage_scope == NULL)
	{
		SpanUsage  *usage = palloc_extended(t->n * sizeof(SpanUsage), MCXT_ALLOC_HUGE);
		uint8	   *kinds = palloc_extended(t->n, MCXT_ALLOC_HUGE);

		e->usage_scope = palloc_extended(t->n, MCXT_ALLOC_HUGE);
		for (uint32 i = 0; i < t->n; i++)
		{
			SpanColumns columns = trajectory_columns(t, i);

			kinds[i] = trajectory_class(t, i)->kind;
			usage[i] = columns_usage(&columns);
		}
		usage_scopes(t->n, t->parent, kinds, usage, e->usage_scope);
		pfree(usage);
		pfree(kinds);
	}
	return e->usage_scope[ordinal] == USAGE_ROLLUP;
}

static uint32
child_count(Eval *e, uint32 ordinal)
{
	Trajectory *t = e->t;

	if (e->child_count == NULL)
	{
		e->child_count = palloc_extended(t->n * sizeof(uint32), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
		for (uint32 i = 0; i < t->n; i++)
			if (t->parent[i] >= 0)
				e->child_count[t->parent[i]]++;
	}
	return e->child_count[ordinal];
}

static bool
string_value(QueryValue *out, Bytes s)
{
	*out = (QueryValue) {.type = QUERY_STRING,.string = s};
	return true;
}

static bool
integer_value(QueryValue *out, QueryValueType type, int64 integer)
{
	*out = (QueryValue) {.type = type,.integer = integer};
	return true;
}

static bool
double_value(QueryValue *out, double number)
{
	*out = (QueryValue) {.type = QUERY_FLOAT,.number = number};
	return !isnan(number) && !isinf(number);
}

/* Bytes as hexadecimal digits in text, which has room for them. */
static bool
hex_value(QueryValue *out, const uint8 *bytes, size_t len, char *text)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < len; i++)
	{
		text[2 * i] = digits[bytes[i] >> 4];
		text[2 * i + 1] = digits[bytes[i] & 15];
	}
	*out = (QueryValue) {
		.type = QUERY_STRING,.is_temporary = true,.string = {text, (uint32) (2 * len)}
	};
	return true;
}

static bool
span_id_value(QueryValue *out, uint64 id, char *text)
{
	uint8		bytes[8];

	for (int i = 0; i < 8; i++)
		bytes[i] = (uint8) (id >> (56 - 8 * i));
	return hex_value(out, bytes, sizeof(bytes), text);
}

/* The value of a class; false if it has none.  Likewise below. */
static bool
class_intrinsic(Trajectory *t, Intrinsic intrinsic, uint32 class_number, QueryValue *out)
{
	const SpanClass *class = &t->classes[class_number];
	Bytes		s;

	switch (intrinsic)
	{
		case INTRINSIC_NAME:
			return string_value(out, class->name);
		case INTRINSIC_STATUS:
			return integer_value(out, QUERY_STATUS, class->status);
		case INTRINSIC_KIND:
			*out = (QueryValue) {
				.type = QUERY_KIND,.mask = KIND_OPERATION_MASK | KIND_SPAN_MASK,
					.integer = class->kind | class->span_kind << KIND_SPAN_SHIFT
			};
			return true;
		case INTRINSIC_IS_ERROR:
			*out = (QueryValue) {.type = QUERY_BOOL,.boolean = class->is_error};
			return true;
		case INTRINSIC_ROOT_NAME:
			trajectory_decode_hot(t);
			return string_value(out, trajectory_class(t, trajectory_primary_root(t))->name);
		case INTRINSIC_ROOT_SERVICE_NAME:
			trajectory_decode_hot(t);
			s = trajectory_root_service(t);
			return s.data != NULL && string_value(out, s);
		case INTRINSIC_SCOPE_NAME:
			s = t->scopes[class->scope].name;
			return s.len > 0 && string_value(out, s);
		case INTRINSIC_SCOPE_VERSION:
			s = t->scopes[class->scope].version;
			return s.len > 0 && string_value(out, s);
		default:
			return false;
	}
}

static bool
hot_intrinsic(Eval *e, Intrinsic intrinsic, int32 ordinal, QueryValue *out)
{
	Trajectory *t = e->t;
	uint64		id;

	switch (intrinsic)
	{
		case INTRINSIC_TRACE_DURATION:
			return !(t->summary.flags & TRAJECTORY_OPEN_ROOT) &&
				integer_value(out, QUERY_DURATION, t->summary.duration_ns);
		case INTRINSIC_TRACE_ID:
			return hex_value(out, t->summary.trace_id, sizeof(t->summary.trace_id), e->text);
		case INTRINSIC_DURATION:
			trajectory_decode_hot(t);
			return t->end_ns[ordinal] != TIME_OPEN &&
				integer_value(out, QUERY_DURATION, t->end_ns[ordinal] - t->start_ns[ordinal]);
		case INTRINSIC_CHILD_COUNT:
			return integer_value(out, QUERY_INT, child_count(e, ordinal));
		case INTRINSIC_SPAN_ID:
			return span_id_value(out, trajectory_span_id(t, ordinal), e->text);
		case INTRINSIC_PARENT_ID:
			trajectory_decode_hot(t);
			id = trajectory_parent_id(t, ordinal);
			return id != 0 && span_id_value(out, id, e->text);
		default:
			return false;
	}
}

static bool
token_value(Eval *e, const SpanColumns *columns, CanonicalColumn column, Place place,
			QueryValue *out)
{
	int64		tokens;

	return column_is_borne(columns, column) && column_int(columns, column, &tokens) &&
		!is_rollup(e, place.ordinal) && integer_value(out, QUERY_INT, tokens);
}

/* A column of a span, or of a class that tells it. */
static bool
column_intrinsic(Eval *e, Intrinsic intrinsic, Place place, QueryValue *out)
{
	const SpanClass *class = &e->t->classes[place.class];
	SpanColumns columns = class_columns(e->t, class);
	Bytes		text;
	double		number;

	if (place.ordinal >= 0)
	{
		trajectory_decode_values(e->t);
		columns.index = e->t->class_index[place.ordinal];
	}
	switch (intrinsic)
	{
		case INTRINSIC_MODEL:
			return span_model(&columns, &text) && string_value(out, text);
		case INTRINSIC_PROVIDER:
			if (!column_text(&columns, COLUMN_PROVIDER, &text))
				return false;
			string_value(out, provider_normalise(text, e->text, sizeof(e->text)));
			out->is_temporary = true;
			return true;
		case INTRINSIC_TOOL:
			return span_tool(class, &columns, &text) && string_value(out, text);
		case INTRINSIC_AGENT:
			return column_text(&columns, COLUMN_AGENT_NAME, &text) && string_value(out, text);
		case INTRINSIC_INPUT_TOKENS:
			return token_value(e, &columns, COLUMN_INPUT_TOKENS, place, out);
		case INTRINSIC_OUTPUT_TOKENS:
			return token_value(e, &columns, COLUMN_OUTPUT_TOKENS, place, out);
		case INTRINSIC_COST_USD:
			return column_double(&columns, COLUMN_COST_USD, &number) &&
				!is_rollup(e, place.ordinal) && double_value(out, number);
		case INTRINSIC_TTFT:
			return column_double(&columns, COLUMN_TTFT_MS, &number) && number < 9.2e12 &&
				integer_value(out, QUERY_DURATION, (int64) rint(number * 1e6));
		default:
			return false;
	}
}

/* The value of a field that is no attribute and not of events or links. */
static bool
intrinsic_value(Eval *e, const QueryField *field, Place place, QueryValue *out)
{
	switch ((FieldLevel) field->level)
	{
		case LEVEL_HEADER:
		case LEVEL_HOT:
			return hot_intrinsic(e, field->intrinsic, place.ordinal, out);
		case LEVEL_KIND:
		case LEVEL_CLASS:
			return class_intrinsic(e->t, field->intrinsic, place.class, out);
		case LEVEL_COLUMN:
			break;
	}
	return column_intrinsic(e, field->intrinsic, place, out);
}

/* A single value of an attribute; false if it has none, or may have more. */
static bool
simple_value(const Value *v, QueryValue *out)
{
	switch (v->type)
	{
		case VALUE_STRING:
			return string_value(out, value_bytes(v));
		case VALUE_INT:
			return integer_value(out, QUERY_INT, v->integer);
		case VALUE_BOOL:
			*out = (QueryValue) {.type = QUERY_BOOL,.boolean = v->boolean};
			return true;
		case VALUE_DOUBLE:
			return double_value(out, v->number);
		default:
			return false;
	}
}

/* Of events, links and messages. */
static void
fetch_extra(Eval *e, const QueryField *field, int32 key, uint32 ordinal, Values *out)
{
	const SpanExtra *extra = trajectory_extra(e->t, ordinal);
	const Value *v;
	QueryValue	id;

	if (extra == NULL)
		return;
	if (field->intrinsic == INTRINSIC_STATUS_MESSAGE && extra->status_message.len > 0)
		add_string(out, extra->status_message);
	for (uint32 i = 0; i < extra->event_count; i++)
	{
		const Event *event = &extra->events[i];

		if (field->scope == SCOPE_EVENT && (v = find_in_list(&event->attributes, key)) != NULL)
			add_attribute(out, v, false);
		else if (field->intrinsic == INTRINSIC_EVENT_NAME)
			add_string(out, event->name);
		else if (field->intrinsic == INTRINSIC_EVENT_TIME)
			add_integer(out, QUERY_DURATION, event->time_ns - e->t->start_ns[ordinal]);
	}
	for (uint32 i = 0; i < extra->link_count; i++)
	{
		const Link *link = &extra->links[i];

		if (field->scope == SCOPE_LINK && (v = find_in_list(&link->attributes, key)) != NULL)
			add_attribute(out, v, false);
		else if (field->intrinsic == INTRINSIC_LINK_SPAN_ID)
		{
			span_id_value(&id, link->span_id, palloc(16));
			add_value(out, id);
		}
		else if (field->intrinsic == INTRINSIC_LINK_TRACE_ID)
		{
			hex_value(&id, link->trace_id, sizeof(link->trace_id), palloc(32));
			add_value(out, id);
		}
	}
}

/* An attribute, or NULL. */
static const Value *
find_attribute(Eval *e, const QueryField *field, uint32 number, Place place)
{
	Trajectory *t = e->t;
	const SpanClass *class = &t->classes[place.class];

	if (field->scope == SCOPE_SPAN || field->scope == SCOPE_ANY)
	{
		int32		position = field_position(e, number, place.class);

		if (position >= 0)
		{
			SpanColumns columns = class_columns(t, class);
			const Value *v;

			if (!class_has_value(class, position))
			{
				trajectory_decode_values(t);
				columns.index = t->class_index[place.ordinal];
			}
			v = span_value(&columns, position);
			if (v->type != VALUE_EMPTY)
				return v;
		}
	}
	if (field->scope == SCOPE_RESOURCE || field->scope == SCOPE_ANY)
		return find_in_list(&t->resources[class->resource].attributes, e->keys[number]);
	if (field->scope == SCOPE_INSTRUMENTATION)
		return find_in_list(&t->scopes[class->scope].attributes, e->keys[number]);
	return NULL;
}

/* Is a field one of events, links or messages? */
static inline bool
is_extra(const QueryField *field)
{
	return field->scope == SCOPE_EVENT || field->scope == SCOPE_LINK ||
		field->intrinsic == INTRINSIC_STATUS_MESSAGE || field->intrinsic == INTRINSIC_EVENT_NAME ||
		field->intrinsic == INTRINSIC_EVENT_TIME || field->intrinsic == INTRINSIC_LINK_SPAN_ID ||
		field->intrinsic == INTRINSIC_LINK_TRACE_ID;
}

/* The values of a field; at a class, of one that is known there. */
static void
fetch(Eval *e, uint32 number, Place place, Values *out)
{
	const QueryField *field = &e->q->fields[number];
	const Value *attribute;
	QueryValue	v;

	if (is_extra(field))
	{
		trajectory_decode_values(e->t);
		fetch_extra(e, field, e->keys[number], place.ordinal, out);
	}
	else if (field->scope == SCOPE_INTRINSIC)
	{
		if (intrinsic_value(e, field, place, &v))
			add_value(out, v);
	}
	else if ((attribute = find_attribute(e, field, number, place)) != NULL)
		add_attribute(out, attribute, false);
}

/* ---------------------------------------------------------- expressions --- */

static bool eval_bool(Eval *e, const QueryExpr *expr, Place place);
static double calculate(char op, double a, double b);

/* How many values an expression has: what is usual needs no list of them. */
typedef enum Found
{
	FOUND_NONE,
	FOUND_ONE,
	FOUND_LIST					/* eval_values() tells */
} Found;

static Found
fetch_one(Eval *e, uint32 number, Place place, QueryValue *out)
{
	const QueryField *field = &e->q->fields[number];
	const Value *attribute;

	if (field->scope == SCOPE_INTRINSIC)
	{
		if (is_extra(field))
			return FOUND_LIST;
		return intrinsic_value(e, field, place, out) ? FOUND_ONE : FOUND_NONE;
	}
	if (is_extra(field))
		return FOUND_LIST;
	attribute = find_attribute(e, field, number, place);
	if (attribute == NULL)
		return FOUND_NONE;
	return simple_value(attribute, out) ? FOUND_ONE : FOUND_LIST;
}

static bool eval_number(Eval *e, const QueryExpr *expr, Place place, double *number);
static void eval_values(Eval *e, const QueryExpr *expr, Place place, Values *out);

static Found
eval_one(Eval *e, const QueryExpr *expr, Place place, QueryValue *out)
{
	double		a;
	double		b;

	switch (expr->node)
	{
		case EXPR_LITERAL:
			*out = expr->literal;
			return out->type != QUERY_NIL ? FOUND_ONE : FOUND_NONE;
		case EXPR_FIELD:
			return fetch_one(e, expr->number, place, out);
		case EXPR_NEGATE:
			return eval_number(e, expr->args[0], place, &a) && double_value(out, -a) ?
				FOUND_ONE : FOUND_NONE;
		case EXPR_ARITHMETIC:
			return eval_number(e, expr->args[0], place, &a) &&
				eval_number(e, expr->args[1], place, &b) &&
				double_value(out, calculate(expr->op, a, b)) ? FOUND_ONE : FOUND_NONE;
		default:
			*out = (QueryValue) {.type = QUERY_BOOL,.boolean = eval_bool(e, expr, place)};
			return FOUND_ONE;
	}
}

static inline bool
number_value(const QueryValue *v, double *number)
{
	*number = v->type == QUERY_FLOAT ? v->number : (double) v->integer;
	return v->type == QUERY_FLOAT || v->type == QUERY_INT || v->type == QUERY_DURATION;
}

/* A number, if there is one and no more. */
static bool
eval_number(Eval *e, const QueryExpr *expr, Place place, double *number)
{
	QueryValue	one;
	Found		found = eval_one(e, expr, place, &one);
	Values		values;
	bool		is_number;

	if (found != FOUND_LIST)
		return found == FOUND_ONE && number_value(&one, number);
	values_init(&values);
	eval_values(e, expr, place, &values);
	is_number = values.n == 1 && number_value(&values.v[0], number);
	values_free(&values);
	return is_number;
}

/* A result that is no number is missing. */
static double
calculate(char op, double a, double b)
{
	switch (op)
	{
		case '+':
			return a + b;
		case '-':
			return a - b;
		case '*':
			return a * b;
		case '/':
			return b == 0 ? NAN : a / b;
		case '%':
			return b == 0 ? NAN : fmod(a, b);
		default:
			return pow(a, b);
	}
}

static void
eval_values(Eval *e, const QueryExpr *expr, Place place, Values *out)
{
	QueryValue	one;

	if (expr->node == EXPR_FIELD)
		fetch(e, expr->number, place, out);
	else if (eval_one(e, expr, place, &one) == FOUND_ONE)
		add_value(out, one);
}

static bool
eval_regex(Eval *e, const QueryExpr *expr, const Values *subjects)
{
	bool		every = expr->op == COMPARISON_NOT_MATCH;
	QueryRegex **regex = &e->regexes[expr->number];

	if (subjects->n == 0)
		return false;
	if (*regex == NULL)
		*regex = query_regex_compile(e->q->regexes[expr->number]);
	for (uint32 i = 0; i < subjects->n; i++)
	{
		const QueryValue *v = &subjects->v[i];
		bool		holds = v->type == QUERY_STRING &&
			query_regex_matches(*regex, v->string, !v->is_temporary) != every;

		if (holds != every)
			return !every;
	}
	return every;
}

/* Of a string that lies in memory that the next one may take, a copy. */
static void
keep_value(QueryValue *v)
{
	char	   *copy;

	if (!v->is_temporary)
		return;
	copy = palloc(v->string.len + 1);
	memcpy(copy, v->string.data, v->string.len);
	v->string.data = copy;
}

/* Has an expression a value, be it one that compares with nothing? */
static bool
exists(Eval *e, const QueryExpr *expr, Place place)
{
	const QueryField *field = expr->node == EXPR_FIELD ? &e->q->fields[expr->number] : NULL;
	Values		values;

	if (field && field->scope != SCOPE_INTRINSIC && !is_extra(field))
	{
		const Value *v = find_attribute(e, field, expr->number, place);

		return v != NULL && v->type != VALUE_EMPTY;
	}
	values_init(&values);
	eval_values(e, expr, place, &values);
	values_free(&values);
	return values.exists;
}

/* A comparison that needs the lists of values. */
static bool
compare_all(Eval *e, const QueryExpr *expr, Place place)
{
	Values		left;
	Values		right;
	bool		result;

	values_init(&left);
	values_init(&right);
	eval_values(e, expr->args[0], place, &left);
	if (expr->op == COMPARISON_MATCH || expr->op == COMPARISON_NOT_MATCH)
		result = eval_regex(e, expr, &left);
	else
	{
		/* two ids or providers would share a place */
		if (left.n == 1 && expr->args[1]->node != EXPR_LITERAL)
			keep_value(&left.v[0]);
		eval_values(e, expr->args[1], place, &right);
		result = compare_lists(expr->op, &left, &right);
	}
	values_free(&left);
	values_free(&right);
	return result;
}

static bool
eval_compare(Eval *e, const QueryExpr *expr, Place place)
{
	QueryValue	left;
	QueryValue	right;
	Found		found;
	Found		found_right;

	if (expr->args[0]->type == TYPE_NIL || expr->args[1]->type == TYPE_NIL)
		return (exists(e, expr->args[0], place) || exists(e, expr->args[1], place)) ==
			(expr->op == COMPARISON_NE);
	if (expr->op == COMPARISON_MATCH || expr->op == COMPARISON_NOT_MATCH)
		return compare_all(e, expr, place);
	found = eval_one(e, expr->args[0], place, &left);
	if (found == FOUND_NONE)
		return false;
	if (found == FOUND_LIST)
		return compare_all(e, expr, place);
	if (expr->args[1]->node != EXPR_LITERAL)
		keep_value(&left);
	found_right = eval_one(e, expr->args[1], place, &right);
	if (found_right == FOUND_LIST)
		return compare_all(e, expr, place);
	return found_right == FOUND_ONE && compare_values(expr->op, &left, &right);
}

/* Is one of an attribute's values this boolean? */
static bool
attribute_is(Eval *e, const QueryExpr *expr, Place place, bool boolean)
{
	Values		values;
	QueryValue	one;
	bool		result = false;

	switch (fetch_one(e, expr->number, place, &one))
	{
		case FOUND_NONE:
			return false;
		case FOUND_ONE:
			return one.type == QUERY_BOOL && one.boolean == boolean;
		case FOUND_LIST:
			break;
	}

	values_init(&values);
	fetch(e, expr->number, place, &values);
	for (uint32 i = 0; i < values.n && !result; i++)
		result = values.v[i].type == QUERY_BOOL && values.v[i].boolean == boolean;
	values_free(&values);
	return result;
}

static bool
eval_bool(Eval *e, const QueryExpr *expr, Place place)
{
	switch (expr->node)
	{
		case EXPR_LITERAL:
			return expr->literal.boolean;
		case EXPR_FIELD:
			return attribute_is(e, expr, place, true);
		case EXPR_NOT:
			/* of an attribute that is missing, nothing is said */
			if (expr->args[0]->node == EXPR_FIELD)
				return attribute_is(e, expr->args[0], place, false);
			return !eval_bool(e, expr->args[0], place);
		case EXPR_COMPARE:
			return eval_compare(e, expr, place);
		default:
			for (uint32 i = 0; i < expr->arg_count; i++)
				if (eval_bool(e, expr->args[i], place) == (expr->node == EXPR_OR))
					return expr->node == EXPR_OR;
			return expr->node == EXPR_AND;
	}
}

/* ---------------------------------------- conditions on a class of spans --- */

/*
 * A comparison of a field with a literal, the field on the left whichever way
 * it was written.
 */
bool
field_compare(const Tracequery *q, const QueryExpr *e, const QueryField **field, CompareOp *op,
			  const QueryValue **literal)
{
	static const uint8 mirrored[] = {
		[COMPARISON_EQ] = COMPARISON_EQ, [COMPARISON_NE] = COMPARISON_NE,
		[COMPARISON_LT] = COMPARISON_GT, [COMPARISON_LE] = COMPARISON_GE,
		[COMPARISON_GT] = COMPARISON_LT, [COMPARISON_GE] = COMPARISON_LE
	};
	int			side;

	if (e->node != EXPR_COMPARE)
		return false;
	side = e->args[0]->node == EXPR_FIELD ? 0 : 1;
	if (e->args[side]->node != EXPR_FIELD || e->args[1 - side]->node != EXPR_LITERAL)
		return false;
	*field = &q->fields[e->args[side]->number];
	*literal = &e->args[1 - side]->literal;
	*op = side == 0 ? e->op : mirrored[e->op];
	return true;
}

static bool
is_known(Eval *e, const QueryExpr *expr, uint32 class)
{
	if (expr->node == EXPR_FIELD)
		return field_is_known(e, expr->number, class);
	for (uint32 i = 0; i < expr->arg_count; i++)
		if (!is_known(e, expr->args[i], class))
			return false;
	return true;
}

/* Does the field's text stand in the trajectory as it is compared? */
static bool
is_verbatim(const QueryField *field)
{
	return field->scope != SCOPE_INTRINSIC ||
		field->intrinsic == INTRINSIC_MODEL || field->intrinsic == INTRINSIC_TOOL ||
		field->intrinsic == INTRINSIC_AGENT || field->intrinsic == INTRINSIC_STATUS_MESSAGE ||
		field->intrinsic == INTRINSIC_EVENT_NAME;
}

/*
 * Is a string nowhere in the trajectory?  Wherever it were, its bytes would lie
 * somewhere in the cold section, those of an array's elements too.
 */
static bool
literal_is_absent(Eval *e, uint32 number)
{
	Trajectory *t = e->t;
	Bytes		literal = e->q->literals[number];

	if (e->literals[number] == LITERAL_UNRESOLVED)
	{
		Bytes		cold = trajectory_cold_bytes(t);

		e->literals[number] = literal.len == 0 ||
			memmem(cold.data, cold.len, literal.data, literal.len) != NULL ?
			LITERAL_PRESENT : LITERAL_ABSENT;
	}
	return e->literals[number] == LITERAL_ABSENT;
}

static bool
is_refuted_by_literal(Eval *e, const QueryExpr *expr)
{
	const QueryField *field;
	const QueryValue *literal;
	CompareOp	op;

	return e->stage >= STAGE_LITERALS &&
		field_compare(e->q, expr, &field, &op, &literal) && op == COMPARISON_EQ &&
		literal->type == QUERY_STRING && field->level == LEVEL_COLUMN && is_verbatim(field) &&
		literal_is_absent(e, expr->args[expr->args[0]->node == EXPR_LITERAL ? 0 : 1]->number);
}

static Ternary
eval_class(Eval *e, const QueryExpr *expr, uint32 class)
{
	Ternary		result;

	if (expr->node == EXPR_AND || expr->node == EXPR_OR)
	{
		result = expr->node == EXPR_AND ? IS_TRUE : IS_FALSE;
		for (uint32 i = 0; i < expr->arg_count; i++)
		{
			Ternary		arg = eval_class(e, expr->args[i], class);

			result = expr->node == EXPR_AND ? Min(result, arg) : Max(result, arg);
			if (result == (expr->node == EXPR_AND ? IS_FALSE : IS_TRUE))
				break;
		}
		return result;
	}
	if (expr->node == EXPR_NOT && expr->args[0]->node != EXPR_FIELD)
		return IS_TRUE - eval_class(e, expr->args[0], class);
	if (is_known(e, expr, class))
		return eval_bool(e, expr, (Place) {class, -1}) ? IS_TRUE : IS_FALSE;
	return is_refuted_by_literal(e, expr) ? IS_FALSE : IS_UNKNOWN;
}

/* What a filter says of the classes by their kinds: the same in all traces. */
static void
ask_kinds(Eval *e, const QuerySet *filter, FilterClasses *f)
{
	uint8	   *by_kinds = e->q->by_kinds + filter->number * KINDS_COMBINATIONS;
	const SpanClass *class = e->t->classes;
	uint8	   *classes = f->classes;
	uint32		n = e->class_count;
	bool		is_open = false;
	bool		is_possible = false;

	for (uint32 i = 0; i < n; i++, class++)
	{
		uint8	   *known = &by_kinds[class->kind << 6 | class->is_error << 5 | class->status << 3 | class->span_kind];

		if (unlikely(*known == 0))
			*known = eval_class(e, filter->expr, i) + 1;
		classes[i] = *known - 1;
		is_open |= classes[i] == IS_UNKNOWN;
		is_possible |= classes[i] != IS_FALSE;
	}
	f->is_open = is_open;
	f->is_possible = is_possible;
}

/*
 * What a filter says of each class, worked out when it is first asked for; what
 * is unknown as of one stage is asked again in the next.
 */
static const FilterClasses *
filter_classes(Eval *e, const QuerySet *filter)
{
	FilterClasses *f = &e->filters[filter->number];
	bool		is_new = f->classes == NULL;

	if (!is_new && (f->stage == e->stage || !f->is_open))
		return f;
	if (is_new)
		f->classes = palloc(Max(e->class_count, 1));
	f->stage = e->stage;
	f->is_open = f->is_possible = false;
	if (is_new && e->stage == STAGE_KINDS && e->q->by_kinds && e->has_classes && filter->expr)
	{
		ask_kinds(e, filter, f);
		return f;
	}
	for (uint32 i = 0; i < e->class_count; i++)
	{
		if (is_new || f->classes[i] == IS_UNKNOWN)
			f->classes[i] = filter->expr ? eval_class(e, filter->expr, i) : IS_TRUE;
		f->is_open |= f->classes[i] == IS_UNKNOWN;
		f->is_possible |= f->classes[i] != IS_FALSE;
	}
	return f;
}

/* ---------------------------------------------- what can be ruled out soon --- */

typedef bool (*FilterCheck) (void *arg, const QuerySet *filter);

/* Can a set have spans, given which filters can? */
static bool
is_possible(const QuerySet *s, FilterCheck check, void *arg)
{
	switch ((SetNode) s->node)
	{
		case SET_FILTER:
			return check(arg, s);
		case SET_OR:
			for (uint32 i = 0; i < s->arg_count; i++)
				if (is_possible(s->args[i], check, arg))
					return true;
			return false;
		case SET_RELATION:
			return is_possible(s->args[1], check, arg) &&
				(s->mode == MODE_NOT || is_possible(s->args[0], check, arg));
		case SET_SCALAR:
			return true;
		default:
			for (uint32 i = 0; i < s->arg_count; i++)
				if (!is_possible(s->args[i], check, arg))
					return false;
			return true;
	}
}

static bool
classes_allow(void *arg, const QuerySet *filter)
{
	return filter_classes(arg, filter)->is_possible;
}

typedef struct HeaderCheck
{
	const Tracequery *q;
	const TrajectorySummary *summary;
} HeaderCheck;

/* No value is above this one: does that refute the comparison? */
static bool
is_above(CompareOp op, const QueryValue *literal, int64 most)
{
	QueryValue	v = {.type = QUERY_INT,.integer = most};
	int			order;

	if ((op != COMPARISON_GT && op != COMPARISON_GE && op != COMPARISON_EQ) ||
		!value_order(literal, &v, &order))
		return false;
	return op == COMPARISON_GT ? order >= 0 : order > 0;
}

static Ternary
header_compare(const HeaderCheck *c, const QueryExpr *expr)
{
	const TrajectorySummary *summary = c->summary;
	const QueryField *field;
	const QueryValue *literal;
	CompareOp	op;
	bool		is_refuted = false;

	if (!field_compare(c->q, expr, &field, &op, &literal) || literal->type == QUERY_NIL)
		return IS_UNKNOWN;
	switch (field->intrinsic)
	{
		case INTRINSIC_STATUS:
			is_refuted = op == COMPARISON_EQ && literal->integer == SPAN_STATUS_ERROR &&
				summary->error_count == 0;
			break;
		case INTRINSIC_IS_ERROR:
			is_refuted = (op == COMPARISON_EQ) == literal->boolean && summary->error_count == 0;
			break;
		case INTRINSIC_DURATION:
			is_refuted = is_above(op, literal, summary->duration_ns);
			break;
		case INTRINSIC_TRACE_DURATION:
			is_refuted = (summary->flags & TRAJECTORY_OPEN_ROOT) != 0 ||
				!compare_values(op, &(QueryValue) {
				.type = QUERY_DURATION,.integer = summary->duration_ns
			}, literal);
			break;
		case INTRINSIC_INPUT_TOKENS:
			is_refuted = summary->input_tokens < 0 || is_above(op, literal, summary->input_tokens);
			break;
		case INTRINSIC_OUTPUT_TOKENS:
			is_refuted = summary->output_tokens < 0 || is_above(op, literal, summary->output_tokens);
			break;
		default:
			break;
	}
	return is_refuted ? IS_FALSE : IS_UNKNOWN;
}

static Ternary
header_expr(const HeaderCheck *c, const QueryExpr *expr)
{
	Ternary		result;
	Ternary		arg;

	switch (expr->node)
	{
		case EXPR_FIELD:
			return c->q->fields[expr->number].intrinsic == INTRINSIC_IS_ERROR &&
				c->summary->error_count == 0 ? IS_FALSE : IS_UNKNOWN;
		case EXPR_COMPARE:
			return header_compare(c, expr);
		case EXPR_AND:
			result = IS_UNKNOWN;
			for (uint32 i = 0; i < expr->arg_count; i++)
			{
				/* in a variable, since the macro evaluates it twice: so would each level */
				arg = header_expr(c, expr->args[i]);
				result = Min(result, arg);
			}
			return result;
		case EXPR_OR:
			result = IS_FALSE;
			for (uint32 i = 0; i < expr->arg_count; i++)
			{
				arg = header_expr(c, expr->args[i]);
				result = Max(result, arg);
			}
			return result;
		default:
			return IS_UNKNOWN;
	}
}

static bool
header_allows(void *arg, const QuerySet *filter)
{
	return filter->expr == NULL || header_expr(arg, filter->expr) != IS_FALSE;
}

/* Does the header alone say that the query does not match? */
bool
tracequery_excludes(const Tracequery *q, const TrajectorySummary *summary)
{
	HeaderCheck c = {q, summary};

	return !is_possible(q->root, header_allows, &c);
}

/* ---------------------------------------------------------------- sets --- */

static uint8 *
alloc_set(const Eval *e)
{
	return palloc_extended(e->t->n, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
}

static uint32
count_set(const Eval *e, const uint8 *set)
{
	uint32		count = 0;

	for (uint32 i = 0; i < e->t->n; i++)
		count += set[i];
	return count;
}

static inline bool
is_empty(const Eval *e, const uint8 *set)
{
	return memchr(set, 1, e->t->n) == NULL;
}

static inline uint32
class_of(const Eval *e, uint32 ordinal)
{
	return e->has_classes ? e->t->span_class[ordinal] : 0;
}

static uint8 *
eval_filter(Eval *e, const QuerySet *s, const uint8 *input)
{
	const FilterClasses *f = filter_classes(e, s);
	const uint32 *span_class = e->t->span_class;
	const uint8 *classes = f->classes;
	uint32		n = e->t->n;
	uint8	   *set = alloc_set(e);

	if (!f->is_possible)
		return set;
	if (e->has_classes && !f->is_open && !input)
	{
		for (uint32 i = 0; i < n; i++)
			set[i] = classes[span_class[i]] == IS_TRUE;
		return set;
	}
	for (uint32 i = 0; i < n; i++)
	{
		uint32		class = class_of(e, i);

		if (classes[class] == IS_FALSE || (input && !input[i]))
			continue;
		if (classes[class] == IS_UNKNOWN)
		{
			CHECK_FOR_INTERRUPTS();
			set[i] = eval_bool(e, s->expr, (Place) {class, (int32) i});
		}
		else
			set[i] = 1;
	}
	return set;
}

/* The first span of a set from one on, or n: most sets are sparse. */
static inline uint32
next_span(const uint8 *set, uint32 i, uint32 n)
{
	for (; n - i >= 8; i += 8)
	{
		uint64		flags = load_uint64(set + i);

		if (flags != 0)
			return i + pg_rightmost_one_pos64(flags) / 8;
	}
	while (i < n && !set[i])
		i++;
	return i;
}

#define FOR_EACH_SPAN(i, set, n) \
	for (uint32 end_ = (n), i = next_span(set, 0, end_); i < end_; i = next_span(set, i + 1, end_))

static void
relate_to_parent(const Trajectory *t, const uint8 *a, const uint8 *b, uint8 *out)
{
	const int32 *parent = t->parent;

	FOR_EACH_SPAN(i, a, t->n)
		if (parent[i] >= 0)
			out[parent[i]] = b[parent[i]];
}

static void
relate_to_ancestors(const Trajectory *t, const uint8 *a, const uint8 *b, uint8 *out)
{
	uint8	   *is_above = palloc_extended(t->n, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);

	/* what is above a span that has been reached has been reached too */
	FOR_EACH_SPAN(i, a, t->n)
		for (int32 k = t->parent[i]; k >= 0 && !is_above[k]; k = t->parent[k])
		{
			is_above[k] = 1;
			out[k] = b[k];
		}
	pfree(is_above);
}

static void
relate_to_children(const Trajectory *t, const uint8 *a, const uint8 *b, uint8 *out)
{
	const int32 *parent = t->parent;

	FOR_EACH_SPAN(i, b, t->n)
		out[i] = parent[i] >= 0 && a[parent[i]];
}

/* In preorder, what is below a span follows it. */
static void
relate_to_descendants(const Trajectory *t, const uint8 *a, const uint8 *b, uint8 *out)
{
	uint32		n = t->n;
	uint32		end;

	for (uint32 i = next_span(a, 0, n); i < n; i = next_span(a, end, n))
	{
		end = i + t->subtree[i];
		memcpy(out + i + 1, b + i + 1, end - i - 1);
	}
}

static void
relate_siblings(const Trajectory *t, const uint8 *a, const uint8 *b, uint8 *out)
{
	uint32	   *left = palloc_extended(t->n * sizeof(uint32), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);

	FOR_EACH_SPAN(i, a, t->n)
		if (t->parent[i] >= 0)
			left[t->parent[i]]++;
	FOR_EACH_SPAN(i, b, t->n)
		out[i] = t->parent[i] >= 0 && left[t->parent[i]] > a[i];
	pfree(left);
}

/* The left span that ends first (starts last), and the next, of each parent. */
typedef struct TwoTimes
{
	int64		best;
	int64		second;
} TwoTimes;

/*
 * After: right spans that start when a left one with the same parent has
 * ended.  Before: right spans that have ended when a left one starts.  Times
 * are negated for the latter, so that the best left one is always the least.
 * A span is not after itself, though it may take no time; hence the second.
 */
static void
relate_in_time(const Trajectory *t, const uint8 *a, const uint8 *b, uint8 *out, bool is_before)
{
	const int32 *parents = t->parent;
	TwoTimes   *times = palloc_extended(t->n * sizeof(TwoTimes), MCXT_ALLOC_HUGE);
	int32	   *best_span = palloc_extended(t->n * sizeof(int32), MCXT_ALLOC_HUGE);

	/* of parents without a left child, times say nothing */
	memset(best_span, -1, t->n * sizeof(int32));
	FOR_EACH_SPAN(i, a, t->n)
	{
		int64		time = is_before ? -t->start_ns[i] : t->end_ns[i];
		int32		parent = parents[i];

		if (parent < 0 || (!is_before && time == TIME_OPEN))
			continue;
		if (best_span[parent] < 0 || time < times[parent].best)
		{
			times[parent].second = best_span[parent] < 0 ? PG_INT64_MAX : times[parent].best;
			times[parent].best = time;
			best_span[parent] = (int32) i;
		}
		else
			times[parent].second = Min(times[parent].second, time);
	}
	FOR_EACH_SPAN(i, b, t->n)
	{
		int64		time;
		int32		parent = parents[i];

		if (parent < 0 || best_span[parent] < 0 || (is_before && t->end_ns[i] == TIME_OPEN))
			continue;
		time = is_before ? -t->end_ns[i] : t->start_ns[i];
		out[i] = (best_span[parent] == (int32) i ? times[parent].second : times[parent].best) <= time;
	}
	pfree(times);
	pfree(best_span);
}

/* The right spans (b) that are so related to a left one (a). */
static uint8 *
relate(const Eval *e, SpanRelation relation, const uint8 *a, const uint8 *b)
{
	uint8	   *out = alloc_set(e);

	CHECK_FOR_INTERRUPTS();
	switch (relation)
	{
		case RELATION_CHILD:
			relate_to_children(e->t, a, b, out);
			break;
		case RELATION_DESCENDANT:
			relate_to_descendants(e->t, a, b, out);
			break;
		case RELATION_PARENT:
			relate_to_parent(e->t, a, b, out);
			break;
		case RELATION_ANCESTOR:
			relate_to_ancestors(e->t, a, b, out);
			break;
		case RELATION_SIBLING:
			relate_siblings(e->t, a, b, out);
			break;
		default:
			trajectory_decode_hot(e->t);
			relate_in_time(e->t, a, b, out, relation == RELATION_BEFORE);
			break;
	}
	return out;
}

static const uint8 mirrored_relations[RELATION_COUNT] = {
	[RELATION_CHILD] = RELATION_PARENT,
	[RELATION_DESCENDANT] = RELATION_ANCESTOR,
	[RELATION_PARENT] = RELATION_CHILD,
	[RELATION_ANCESTOR] = RELATION_DESCENDANT,
	[RELATION_SIBLING] = RELATION_SIBLING,
	[RELATION_AFTER] = RELATION_BEFORE,
	[RELATION_BEFORE] = RELATION_AFTER
};

static uint8 *eval_set(Eval *e, const QuerySet *s, const uint8 *input);

static uint8 *
eval_relation(Eval *e, const QuerySet *s, const uint8 *input)
{
	uint8	   *right = eval_set(e, s->args[1], input);
	uint8	   *left;
	uint8	   *out;
	uint32		n = e->t->n;

	if (is_empty(e, right))
		return right;
	left = eval_set(e, s->args[0], input);
	if (is_empty(e, left))
	{
		/* nothing is related to nothing */
		if (s->mode == MODE_NOT)
			return right;
		return left;
	}
	out = relate(e, s->relation, left, right);
	if (s->mode == MODE_NOT)
		for (uint32 i = 0; i < n; i++)
			out[i] = right[i] & !out[i];
	else if (s->mode == MODE_BOTH)
	{
		uint8	   *mirror = relate(e, mirrored_relations[s->relation], right, left);

		for (uint32 i = 0; i < n; i++)
			out[i] |= mirror[i];
		pfree(mirror);
	}
	pfree(left);
	pfree(right);
	return out;
}

static uint8 *
eval_and_or(Eval *e, const QuerySet *s, const uint8 *input)
{
	uint8	   *out = eval_set(e, s->args[0], input);

	for (uint32 k = 1; k < s->arg_count; k++)
	{
		uint8	   *set;

		if (s->node == SET_AND && is_empty(e, out))
			break;
		set = eval_set(e, s->args[k], input);
		if (s->node == SET_AND && is_empty(e, set))
			memset(out, 0, e->t->n);
		else
			for (uint32 i = 0; i < e->t->n; i++)
				out[i] |= set[i];
		pfree(set);
	}
	return out;
}

/* An aggregate over the spans of a set that have the value. */
static bool
eval_aggregate(Eval *e, const QueryExpr *expr, const uint8 *set, double *result)
{
	double		count = 0;
	double		sum = 0;
	double		least = 0;
	double		most = 0;

	for (uint32 i = 0; i < e->t->n; i++)
	{
		double		number = 0;

		if (!set[i])
			continue;
		CHECK_FOR_INTERRUPTS();
		if (expr->arg_count > 0 &&
			!eval_number(e, expr->args[0], (Place) {class_of(e, i), (int32) i}, &number))
			continue;
		sum += number;
		least = count == 0 ? number : Min(least, number);
		most = count == 0 ? number : Max(most, number);
		count++;
	}
	*result = expr->op == AGGREGATE_COUNT ? count : expr->op == AGGREGATE_MIN ? least :
		expr->op == AGGREGATE_MAX ? most : expr->op == AGGREGATE_SUM ? sum : sum / count;
	return count > 0 || expr->op == AGGREGATE_COUNT;
}

static bool
eval_scalar(Eval *e, const QueryExpr *expr, const uint8 *set, double *result)
{
	double		a;
	double		b;

	switch (expr->node)
	{
		case EXPR_LITERAL:
			*result = expr->literal.type == QUERY_FLOAT ? expr->literal.number :
				(double) expr->literal.integer;
			return true;
		case EXPR_AGGREGATE:
			return eval_aggregate(e, expr, set, result);
		case EXPR_NEGATE:
			if (!eval_scalar(e, expr->args[0], set, &a))
				return false;
			*result = -a;
			return true;
		default:
			if (!eval_scalar(e, expr->args[0], set, &a) || !eval_scalar(e, expr->args[1], set, &b))
				return false;
			*result = calculate(expr->op, a, b);
			return !isnan(*result) && !isinf(*result);
	}
}

static bool
scalar_holds(Eval *e, const QueryExpr *expr, const uint8 *set)
{
	QueryValue	a = {.type = QUERY_FLOAT};
	QueryValue	b = {.type = QUERY_FLOAT};

	return eval_scalar(e, expr->args[0], set, &a.number) &&
		eval_scalar(e, expr->args[1], set, &b.number) && compare_values(expr->op, &a, &b);
}

static uint8 *
eval_pipeline(Eval *e, const QuerySet *s, const uint8 *input)
{
	uint8	   *set = eval_set(e, s->args[0], input);

	for (uint32 k = 1; k < s->arg_count; k++)
	{
		const QuerySet *stage = s->args[k];

		/* a trace without spans in the set is out, whatever follows */
		if (is_empty(e, set))
			break;
		if (stage->node == SET_SCALAR)
		{
			if (!scalar_holds(e, stage->expr, set))
				memset(set, 0, e->t->n);
		}
		else
		{
			uint8	   *next = eval_set(e, stage, set);

			pfree(set);
			set = next;
		}
	}
	return set;
}

/* The spans of a set, of those in the input (NULL: all). */
static uint8 *
eval_set(Eval *e, const QuerySet *s, const uint8 *input)
{
	switch ((SetNode) s->node)
	{
		case SET_FILTER:
			return eval_filter(e, s, input);
		case SET_RELATION:
			return eval_relation(e, s, input);
		case SET_PIPELINE:
			return eval_pipeline(e, s, input);
		default:
			return eval_and_or(e, s, input);
	}
}

/* --------------------------------------------------------------- entry --- */

/* The trajectory's number for an attribute's key. */
static int32
find_key(const Trajectory *t, Bytes name)
{
	for (uint32 i = 0; i < t->key_count; i++)
		if (t->keys[i].name.len == name.len && !t->keys[i].is_derived &&
			memcmp(t->keys[i].name.data, name.data, name.len) == 0)
			return (int32) i;
	return NOT_THERE;
}

static void
eval_begin(Eval *e, const Tracequery *q, Trajectory *t)
{
	memset(e, 0, offsetof(Eval, text));
	e->q = q;
	e->t = t;
	e->stage = STAGE_KINDS;
	e->has_classes = q->levels >= 1 << LEVEL_KIND;
	e->class_count = e->has_classes ? t->class_count : 1;
	e->filters = palloc0(q->filter_count * sizeof(FilterClasses));
	e->regexes = palloc0(Max(q->regex_count, 1) * sizeof(QueryRegex *));
	e->literals = palloc0(Max(q->literal_count, 1));
}

/* From here on the tables are looked at. */
static void
eval_with_tables(Eval *e)
{
	const Tracequery *q = e->q;
	Trajectory *t = e->t;
	size_t		positions;

	trajectory_decode_tables(t);
	e->stage = STAGE_TABLES;
	e->keys = palloc(Max(q->field_count, 1) * sizeof(int32));
	positions = (size_t) q->field_count * t->shape_count;
	e->positions = palloc_extended(Max(positions, 1) * sizeof(int32), MCXT_ALLOC_HUGE);
	for (size_t i = 0; i < positions; i++)
		e->positions[i] = NOT_RESOLVED;
	for (uint32 i = 0; i < q->field_count; i++)
		e->keys[i] = q->fields[i].scope == SCOPE_INTRINSIC ? NOT_THERE :
			find_key(t, q->fields[i].name);
}

/* Can the query be answered without the cold section? */
bool
tracequery_is_hot(const Tracequery *q)
{
	return q->levels < 1 << LEVEL_CLASS;
}

/* Stage by stage: do the classes allow for a match? */
static bool
may_match(Eval *e)
{
	const Tracequery *q = e->q;

	if (!is_possible(q->root, classes_allow, e))
		return false;
	if (tracequery_is_hot(q))
		return true;
	if (q->literal_count > 0 && q->levels & 1 << LEVEL_COLUMN)
	{
		e->stage = STAGE_LITERALS;
		if (!is_possible(q->root, classes_allow, e))
			return false;
	}
	eval_with_tables(e);
	return is_possible(q->root, classes_allow, e);
}

/* One filter alone: a class that it finds is enough, since all are used. */
static bool
filter_finds_class(Eval *e, const QuerySet *s)
{
	const FilterClasses *f = filter_classes(e, s);

	for (uint32 i = 0; i < e->class_count; i++)
		if (f->classes[i] == IS_TRUE)
			return true;
	return false;
}

/* Else the first span that it finds. */
static bool
filter_finds_span(Eval *e, const QuerySet *s)
{
	const FilterClasses *f = filter_classes(e, s);

	for (uint32 i = 0; i < e->t->n; i++)
	{
		uint32		class = class_of(e, i);

		if (f->classes[class] == IS_FALSE)
			continue;
		CHECK_FOR_INTERRUPTS();
		if (eval_bool(e, s->expr, (Place) {class, (int32) i}))
			return true;
	}
	return false;
}

/* Of long traces, a few of the first spans are asked first: so many, then four times. */
#define FIRST_SPANS 48

/*
 * Do the first spans of a long trace match already?  What they say of the
 * query must not depend on others.
 */
static bool
first_spans_match(Eval *e)
{
	Trajectory *t = e->t;
	bool		result = false;

	for (uint64 n = FIRST_SPANS; n * 2 <= t->n && !result; n *= 4)
	{
		e->t = trajectory_first_spans(t, (uint32) n);
		result = !is_empty(e, eval_set(e, e->q->root, NULL));
	}
	e->t = t;
	return result;
}

/*
 * Does the query find any span?  The header has been asked before; of the rest
 * no more is decoded than the answer needs.  Memory is taken from the current
 * context and the trajectory's, and left there.
 */
bool
tracequery_matches(const Tracequery *q, Trajectory *t)
{
	Eval		e;

	eval_begin(&e, q, t);
	if (!may_match(&e))
		return false;
	if (q->root->node == SET_FILTER && filter_finds_class(&e, q->root))
		return true;
	if (q->is_local && !t->has_structure && first_spans_match(&e))
		return true;
	trajectory_decode_structure(t);
	if (q->root->node == SET_FILTER)
		return filter_finds_span(&e, q->root);
	return !is_empty(&e, eval_set(&e, q->root, NULL));
}

/*
 * The spans that a query finds: a byte for each span of the trajectory, whose
 * structure is decoded then.
 */
uint8 *
tracequery_spans(const Tracequery *q, Trajectory *t, uint32 *count)
{
	Eval		e;
	uint8	   *set;

	trajectory_decode_structure(t);
	eval_begin(&e, q, t);
	if (tracequery_excludes(q, &t->summary) || !may_match(&e))
		set = alloc_set(&e);
	else
		set = eval_set(&e, q->root, NULL);
	*count = count_set(&e, set);
	return set;
}
