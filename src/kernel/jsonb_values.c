/*
 * jsonb_values.c
 *		Attributes from jsonb, and as jsonb.
 *
 * From jsonb: a whole number that fits is an int, any other number a double, or
 * text where it is too large for that; null is the empty value.  As jsonb: what JSON lacks becomes text (bytes as
 * base64, NaN and infinities by name), a reference to a body kept elsewhere
 * {"$ref": "hash:size"}.
 */
#include "postgres.h"

#include <math.h>

#include "kernel/json_reader.h"
#include "kernel/jsonb_values.h"
#include "kernel/otlp.h"
#include "kernel/value_builder.h"
#include "utils/builtins.h"
#include "utils/float.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"

static Bytes
copy_string(SpanSet *set, const JsonbValue *v)
{
	return arena_copy(&set->arena, v->val.string.val, v->val.string.len);
}

static Value
value_from_numeric(SpanSet *set, Numeric numeric)
{
	char	   *text = DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(numeric)));
	Bytes		digits = {text, strlen(text)};
	const char *point = strchr(text, '.');
	int64		i;
	double		d;

	/* 3.00 is as whole as 3 */
	if (point && strspn(point + 1, "0") == strlen(point + 1))
		digits.len = point - text;
	if (number_read_int(digits, &i))
		return value_int(i);
	if (number_read_double(digits, &d) && !isinf(d))
		return value_double(d);
	return value_string(arena_copy(&set->arena, text, strlen(text)));
}

static Value
value_from_scalar(SpanSet *set, const JsonbValue *v)
{
	switch (v->type)
	{
		case jbvString:
			return value_string(copy_string(set, v));
		case jbvBool:
			return value_bool(v->val.boolean);
		case jbvNumeric:
			return value_from_numeric(set, v->val.numeric);
		default:
			return (Value) {.type = VALUE_EMPTY};
	}
}

/* An array or object whose beginning the iterator has just given. */
static Value
value_from_container(SpanSet *set, ValueStack *stack, JsonbIterator **it, ValueType type,
					 int depth)
{
	uint32		base = stack->count;
	JsonbIteratorToken token;
	JsonbValue	v;
	Bytes		key = {"", 0};

	if (depth >= VALUE_MAX_DEPTH)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("attributes are nested too deeply"),
				 errdetail("The limit is %d levels.", VALUE_MAX_DEPTH)));
	while ((token = JsonbIteratorNext(it, &v, false)) != WJB_END_ARRAY &&
		   token != WJB_END_OBJECT)
	{
		if (token == WJB_KEY)
			key = copy_string(set, &v);
		else if (token == WJB_BEGIN_ARRAY || token == WJB_BEGIN_OBJECT)
			value_push(stack, key,
					   value_from_container(set, stack, it,
											token == WJB_BEGIN_ARRAY ? VALUE_ARRAY : VALUE_KVLIST,
											depth + 1));
		else
			value_push(stack, key, value_from_scalar(set, &v));
	}
	return value_finish(stack, base, type, &set->arena);
}

/* The members of an object as attributes, all bytes copied into the set. */
AttrList
jsonb_attributes(SpanSet *set, Jsonb *jsonb)
{
	uint32		base = set->stack_count;
	ValueStack	stack = {0};
	JsonbIterator *it;
	JsonbIteratorToken token;
	JsonbValue	v;
	uint32		key = 0;

	if (!JB_ROOT_IS_OBJECT(jsonb))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("attributes must be a JSON object")));
	it = JsonbIteratorInit(&jsonb->root);
	JsonbIteratorNext(&it, &v, false);	/* the beginning */
	while ((token = JsonbIteratorNext(&it, &v, false)) != WJB_END_OBJECT)
	{
		if (token == WJB_KEY)
			key = spanset_key(set, copy_string(set, &v));
		else if (token == WJB_BEGIN_ARRAY || token == WJB_BEGIN_OBJECT)
			spanset_push_attr(set, key,
							  value_from_container(set, &stack, &it,
												   token == WJB_BEGIN_ARRAY ? VALUE_ARRAY : VALUE_KVLIST,
												   0));
		else
			spanset_push_attr(set, key, value_from_scalar(set, &v));
	}
	if (stack.entries)
		pfree(stack.entries);
	return spanset_pop_attrs(set, base);
}

static void
jsonb_string(JsonbValue *out, Bytes s)
{
	out->type = jbvString;
	out->val.string.val = unconstify(char *, s.data);
	out->val.string.len = s.len;
}

static void
jsonb_buffer(JsonbValue *out, StringInfo buf)
{
	jsonb_string(out, (Bytes) {buf->data, buf->len});
}

static void
jsonb_double(JsonbValue *out, double number)
{
	if (isnan(number) || isinf(number))
		jsonb_string(out, isnan(number) ? BYTES_LITERAL("NaN") :
					 number > 0 ? BYTES_LITERAL("Infinity") : BYTES_LITERAL("-Infinity"));
	else
	{
		StringInfoData buf;

		/* by way of the shortest text, since float8_numeric rounds */
		initStringInfo(&buf);
		json_put_double(&buf, number);
		out->type = jbvNumeric;
		out->val.numeric = DatumGetNumeric(DirectFunctionCall3(numeric_in,
															   CStringGetDatum(buf.data),
															   ObjectIdGetDatum(InvalidOid),
															   Int32GetDatum(-1)));
	}
}

static void push_value(JsonbParseState **state, JsonbIteratorToken token, const Value *v);

static void
push_container(JsonbParseState **state, const Value *container)
{
	ValueIterator it;
	Bytes		key;
	Value		v;

	value_iterate(&it, container);
	pushJsonbValue(state, it.has_keys ? WJB_BEGIN_OBJECT : WJB_BEGIN_ARRAY, NULL);
	while (value_next(&it, &key, &v))
	{
		if (it.has_keys)
		{
			JsonbValue	name;

			jsonb_string(&name, key);
			pushJsonbValue(state, WJB_KEY, &name);
		}
		push_value(state, it.has_keys ? WJB_VALUE : WJB_ELEM, &v);
	}
	pushJsonbValue(state, it.has_keys ? WJB_END_OBJECT : WJB_END_ARRAY, NULL);
}

static void
push_ref(JsonbParseState **state, const Value *v)
{
	JsonbValue	j;
	StringInfoData buf;

	pushJsonbValue(state, WJB_BEGIN_OBJECT, NULL);
	jsonb_string(&j, BYTES_LITERAL("$ref"));
	pushJsonbValue(state, WJB_KEY, &j);
	initStringInfo(&buf);
	hex_put(&buf, (const uint8 *) v->bytes, VALUE_REF_HASH_LEN);
	appendStringInfo(&buf, ":%u", v->len);
	jsonb_buffer(&j, &buf);
	pushJsonbValue(state, WJB_VALUE, &j);
	pushJsonbValue(state, WJB_END_OBJECT, NULL);
}

/* The recursion is bounded by VALUE_MAX_DEPTH. */
static void
push_value(JsonbParseState **state, JsonbIteratorToken token, const Value *v)
{
	JsonbValue	j;
	StringInfoData buf;

	switch ((ValueType) v->type)
	{
		case VALUE_ARRAY:
		case VALUE_KVLIST:
			push_container(state, v);
			return;
		case VALUE_REF:
			push_ref(state, v);
			return;
		case VALUE_EMPTY:
			j.type = jbvNull;
			break;
		case VALUE_STRING:
			jsonb_string(&j, value_bytes(v));
			break;
		case VALUE_BOOL:
			j.type = jbvBool;
			j.val.boolean = v->boolean;
			break;
		case VALUE_INT:
			j.type = jbvNumeric;
			j.val.numeric = int64_to_numeric(v->integer);
			break;
		case VALUE_DOUBLE:
			jsonb_double(&j, v->number);
			break;
		case VALUE_BYTES:
			initStringInfo(&buf);
			json_put_base64(&buf, value_bytes(v));
			jsonb_buffer(&j, &buf);
			break;
	}
	pushJsonbValue(state, token, &j);
}

/* Attributes, without the derived ones, as an object. */
Jsonb *
attributes_jsonb(const Key *keys, const AttrList *list)
{
	JsonbParseState *state = NULL;
	JsonbValue *result;

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	for (uint32 i = 0; i < list->n; i++)
	{
		JsonbValue	name;

		if (keys[list->keys[i]].is_derived)
			continue;
		jsonb_string(&name, keys[list->keys[i]].name);
		pushJsonbValue(&state, WJB_KEY, &name);
		push_value(&state, WJB_VALUE, &list->values[i]);
	}
	result = pushJsonbValue(&state, WJB_END_OBJECT, NULL);
	return JsonbValueToJsonb(result);
}
