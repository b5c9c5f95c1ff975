/*
 * json_value.c
 *		JSON values as attribute values, and back; and what makes two of them
 *		the same.
 *
 * Whatever recurses here is bounded by VALUE_MAX_DEPTH.
 */
#include "postgres.h"

#include <math.h>

#include "compat.h"
#include "kernel/json_value.h"
#include "mb/pg_wchar.h"

static Value read_value(JsonReader *r, ValueStack *stack, int depth);

static Value
read_number(JsonReader *r)
{
	Bytes		text = json_peek_text(r);
	int64		i;
	double		d;
	Value		v;

	if (number_read_int(text, &i))
		v = value_int(i);
	else if (number_read_double(text, &d) && !isinf(d))
		v = value_double(d);
	else
		v = value_string(arena_copy(r->arena, text.data, text.len));
	json_next(r);
	return v;
}

static Value
read_container(JsonReader *r, ValueStack *stack, int depth)
{
	uint32		base = stack->count;
	Bytes		name = {"", 0};
	bool		is_object = r->token == JSON_TOKEN_OBJECT_START;

	if (depth >= VALUE_MAX_DEPTH)
		json_fail_detail(r, "values are nested too deeply.");
	if (is_object)
	{
		json_begin_object(r);
		while (json_next_member(r, &name))
		{
			Value		v = read_value(r, stack, depth + 1);

			value_push(stack, name, v);
		}
	}
	else
	{
		json_begin_array(r);
		while (json_next_element(r))
		{
			Value		v = read_value(r, stack, depth + 1);

			value_push(stack, name, v);
		}
	}
	return value_finish(stack, base, is_object ? VALUE_KVLIST : VALUE_ARRAY, r->arena);
}

static Value
read_value(JsonReader *r, ValueStack *stack, int depth)
{
	Value		v = {.type = VALUE_EMPTY};

	switch (r->token)
	{
		case JSON_TOKEN_STRING:
			return value_string(json_string(r));
		case JSON_TOKEN_NUMBER:
			return read_number(r);
		case JSON_TOKEN_TRUE:
		case JSON_TOKEN_FALSE:
			v = value_bool(r->token == JSON_TOKEN_TRUE);
			break;
		case JSON_TOKEN_NULL:
			break;
		case JSON_TOKEN_OBJECT_START:
		case JSON_TOKEN_ARRAY_START:
			return read_container(r, stack, depth);
		default:
			json_fail(r, "a value");
	}
	json_next(r);
	return v;
}

/* The value at hand: null is the empty value, of equal keys the last counts. */
Value
json_read_value(JsonReader *r, ValueStack *stack)
{
	return read_value(r, stack, 0);
}

/* What JSON cannot say (bytes, infinities) is null. */
void
json_put_value(StringInfo buf, const Value *v)
{
	ValueIterator it;
	Bytes		key;
	Value		element;
	const char *separator = "";

	switch ((ValueType) v->type)
	{
		case VALUE_STRING:
			json_put_string(buf, value_bytes(v));
			break;
		case VALUE_BOOL:
			appendStringInfoString(buf, v->boolean ? "true" : "false");
			break;
		case VALUE_INT:
			appendStringInfo(buf, INT64_FORMAT, v->integer);
			break;
		case VALUE_DOUBLE:
			if (isfinite(v->number))
				json_put_double(buf, v->number);
			else
				appendStringInfoString(buf, "null");
			break;
		case VALUE_ARRAY:
		case VALUE_KVLIST:
			value_iterate(&it, v);
			appendStringInfoChar(buf, it.has_keys ? '{' : '[');
			while (value_next(&it, &key, &element))
			{
				appendStringInfoString(buf, separator);
				separator = ", ";
				if (it.has_keys)
				{
					json_put_string(buf, key);
					appendStringInfoString(buf, ": ");
				}
				json_put_value(buf, &element);
			}
			appendStringInfoChar(buf, it.has_keys ? '}' : ']');
			break;
		default:
			appendStringInfoString(buf, "null");
			break;
	}
}

static void
check_is_json(const Value *v)
{
	ValueIterator it;
	Bytes		key;
	Value		element;

	if (v->type == VALUE_BYTES || v->type == VALUE_REF ||
		(v->type == VALUE_DOUBLE && !isfinite(v->number)))
		bytes_corrupt("JSON value");
	if (v->type != VALUE_ARRAY && v->type != VALUE_KVLIST)
		return;
	value_iterate(&it, v);
	while (value_next(&it, &key, &element))
		check_is_json(&element);
}

/* Check a value from outside that has to be one of JSON's. */
void
json_check_value(const Value *v)
{
	value_check(v, 0);
	check_is_json(v);
}

/*
 * Can a text be read as JSON to its last string?  Escapes that no string can
 * hold (a zero byte, half of a pair) are only found by resolving them.
 */
bool
json_text_is_readable(Bytes text)
{
	return json_is_valid(text, VALUE_MAX_DEPTH - 1, true);
}

/* Read a text that is a JSON object; false if it is not. */
bool
json_text_object(Bytes text, Arena *arena, Value *v)
{
	JsonReader	r;
	ValueStack	stack = {0};
	uint32		i = 0;

	while (i < text.len && strchr(" \t\r\n", text.data[i]))
		i++;
	if (i == text.len || text.data[i] != '{' || !json_text_is_readable(text))
		return false;
	json_reader_init(&r, text.data, text.len, "JSON", arena);
	*v = json_read_value(&r, &stack);
	return true;
}

/* -------------------------------------------------------------- sameness --- */

typedef struct FoldedMember
{
	Bytes		key;
	Bytes		value;
} FoldedMember;

static int
compare_members(const void *a, const void *b)
{
	const FoldedMember *x = a;
	const FoldedMember *y = b;
	int			cmp = bytes_compare(x->key, y->key);

	return cmp != 0 ? cmp : bytes_compare(x->value, y->value);
}

static inline bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

/* Case of ASCII only, so that no locale has a say. */
static void
put_folded_string(StringInfo buf, Bytes s, bool fold)
{
	uint32		from = 0;
	char	   *out;

	if (fold)
	{
		while (from < s.len && is_space(s.data[from]))
			from++;
		while (s.len > from && is_space(s.data[s.len - 1]))
			s.len--;
	}
	put_varint(buf, s.len - from);
	out = buffer_reserve(buf, s.len - from);
	for (uint32 i = from; i < s.len; i++)
	{
		char		c = s.data[i];

		*out++ = fold && c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
	}
	buf->len += s.len - from;
}

static void
put_folded_container(StringInfo buf, const Value *v, ValueFolding folding)
{
	ValueIterator it;
	FoldedMember *members;
	Value		element;
	StringInfoData bytes;
	const char *at;
	uint32		n = 0;

	value_iterate(&it, v);
	members = palloc_extended(Max(it.left, 1) * sizeof(FoldedMember), MCXT_ALLOC_HUGE);
	initStringInfo(&bytes);
	while (value_next(&it, &members[n].key, &element))
	{
		int			before = bytes.len;

		if (it.has_keys && folding.strings && element.type == VALUE_EMPTY)
			continue;			/* a member that is null is none */
		if (!it.has_keys)
			members[n].key = (Bytes) {"", 0};
		value_put_folded(&bytes, &element, folding);
		members[n++].value.len = bytes.len - before;
	}
	/* the bytes no longer move */
	at = bytes.data;
	for (uint32 i = 0; i < n; at += members[i++].value.len)
		members[i].value.data = at;
	if (it.has_keys || folding.lists)
		qsort(members, n, sizeof(FoldedMember), compare_members);
	put_varint(buf, n);
	for (uint32 i = 0; i < n; i++)
	{
		if (it.has_keys)
			put_folded_string(buf, members[i].key, false);
		put_varint(buf, members[i].value.len);
		put_bytes(buf, members[i].value.data, members[i].value.len);
	}
	pfree(bytes.data);
	pfree(members);
}

/*
 * Bytes that are the same for values that count as the same: 1 and 1.0, and
 * objects whose keys stand in another order, always; strings and lists as
 * folding says.
 */
void
value_put_folded(StringInfo buf, const Value *v, ValueFolding folding)
{
	Value		plain = *v;

	/* -2^63 is a double, 2^63 is not an int64 */
	if (v->type == VALUE_DOUBLE && v->number == rint(v->number) &&
		v->number >= -9223372036854775808.0 && v->number < 9223372036854775808.0)
		plain = value_int((int64) v->number);
	put_byte(buf, plain.type);
	switch ((ValueType) plain.type)
	{
		case VALUE_STRING:
			put_folded_string(buf, value_bytes(v), folding.strings);
			break;
		case VALUE_ARRAY:
		case VALUE_KVLIST:
			put_folded_container(buf, v, folding);
			break;
		case VALUE_BYTES:
			put_varint(buf, v->len);
			put_bytes(buf, v->bytes, v->len);
			break;
		default:
			value_put_scalar(buf, &plain);
			break;
	}
}
