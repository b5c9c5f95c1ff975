/*
 * trajectory_text.c
 *		Writing and reading the text form of a trajectory.
 */
#include "postgres.h"

#include <math.h>

#include "common/base64.h"
#include "kernel/derive.h"
#include "kernel/plan_actions.h"
#include "kernel/json_reader.h"
#include "kernel/otlp.h"
#include "kernel/trajectory_text.h"
#include "kernel/value_builder.h"
#include "miscadmin.h"

const char *const span_kind_names[SPAN_KIND_COUNT] = {
	"unspecified", "internal", "server", "client", "producer", "consumer"
};

const char *const span_status_names[SPAN_STATUS_COUNT] = {"unset", "ok", "error"};

/* ------------------------------------------------------------- writing --- */

static void
put_name(StringInfo buf, const char *name)
{
	if (buf->data[buf->len - 1] != '{')
		put_bytes(buf, ", ", 2);
	put_byte(buf, '"');
	put_bytes(buf, name, strlen(name));
	put_bytes(buf, "\": ", 3);
}

static void
put_text(StringInfo buf, const char *name, Bytes text)
{
	if (text.len == 0)
		return;
	put_name(buf, name);
	json_put_string(buf, text);
}

static void
put_word(StringInfo buf, const char *name, const char *word)
{
	put_name(buf, name);
	appendStringInfoChar(buf, '"');
	appendStringInfoString(buf, word);
	appendStringInfoChar(buf, '"');
}

static void
put_count(StringInfo buf, const char *name, uint32 count)
{
	if (count == 0)
		return;
	put_name(buf, name);
	appendStringInfo(buf, "%u", count);
}

static void
put_time(StringInfo buf, const char *name, int64 time_ns)
{
	put_name(buf, name);
	if (time_ns == TIME_OPEN)
		appendStringInfoString(buf, "null");
	else
		json_put_integer(buf, time_ns);
}

static void
put_span_id(StringInfo buf, const char *name, uint64 span_id)
{
	put_name(buf, name);
	appendStringInfoChar(buf, '"');
	span_id_put_hex(buf, span_id);
	appendStringInfoChar(buf, '"');
}

static void
put_trace_id(StringInfo buf, const uint8 *trace_id)
{
	put_name(buf, "trace_id");
	appendStringInfoChar(buf, '"');
	hex_put(buf, trace_id, 16);
	appendStringInfoChar(buf, '"');
}

static void
put_elements(StringInfo buf, const Value *container)
{
	ValueIterator it;
	Bytes		key;
	Value		v;
	bool		is_first = true;

	appendStringInfoChar(buf, container->type == VALUE_KVLIST ? '{' : '[');
	value_iterate(&it, container);
	while (value_next(&it, &key, &v))
	{
		if (!is_first)
			appendStringInfoString(buf, ", ");
		is_first = false;
		if (it.has_keys)
		{
			json_put_string(buf, key);
			appendStringInfoString(buf, ": ");
		}
		value_write_text(buf, &v);
	}
	appendStringInfoChar(buf, container->type == VALUE_KVLIST ? '}' : ']');
}

/* Would a kvlist be taken for one of our objects? */
static bool
needs_escape(const Value *kvlist)
{
	ValueIterator it;
	Bytes		key;
	Value		v;

	value_iterate(&it, kvlist);
	return value_next(&it, &key, &v) && key.len > 0 && key.data[0] == '$';
}

/* The recursion is bounded by VALUE_MAX_DEPTH. */
void
value_write_text(StringInfo buf, const Value *v)
{
	switch ((ValueType) v->type)
	{
		case VALUE_EMPTY:
			appendStringInfoString(buf, "null");
			break;
		case VALUE_STRING:
			json_put_string(buf, value_bytes(v));
			break;
		case VALUE_BOOL:
			appendStringInfoString(buf, v->boolean ? "true" : "false");
			break;
		case VALUE_INT:
			json_put_integer(buf, v->integer);
			break;
		case VALUE_DOUBLE:
			if (isnan(v->number))
				appendStringInfoString(buf, "{\"$double\": \"NaN\"}");
			else if (isinf(v->number))
				appendStringInfo(buf, "{\"$double\": \"%sInfinity\"}", v->number > 0 ? "" : "-");
			else
				json_put_double(buf, v->number);
			break;
		case VALUE_BYTES:
			appendStringInfoString(buf, "{\"$bytes\": \"");
			json_put_base64(buf, value_bytes(v));
			appendStringInfoString(buf, "\"}");
			break;
		case VALUE_ARRAY:
			put_elements(buf, v);
			break;
		case VALUE_KVLIST:
			if (needs_escape(v))
			{
				appendStringInfoString(buf, "{\"$kvlist\": ");
				put_elements(buf, v);
				appendStringInfoChar(buf, '}');
			}
			else
				put_elements(buf, v);
			break;
		case VALUE_REF:
			appendStringInfoString(buf, "{\"$ref\": \"");
			hex_put(buf, (const uint8 *) v->bytes, VALUE_REF_HASH_LEN);
			appendStringInfo(buf, ":%u\"}", v->len);
			break;
	}
}

/*
 * The attributes of a list that are derived, or those that are not; nothing if
 * there are none, unless they are wanted anyway.
 */
static void
put_attributes(StringInfo buf, const Trajectory *t, const char *name, bool derived,
			   const AttrList *list, bool always)
{
	bool		is_open = false;

	for (uint32 i = 0; i < list->n || always; i++)
	{
		if (!is_open && (always || t->keys[list->keys[i]].is_derived == derived))
		{
			put_name(buf, name);
			appendStringInfoChar(buf, '{');
			is_open = true;
			always = false;
		}
		if (i >= list->n)
			break;
		if (t->keys[list->keys[i]].is_derived != derived)
			continue;
		if (buf->data[buf->len - 1] != '{')
			put_bytes(buf, ", ", 2);
		json_put_string(buf, t->keys[list->keys[i]].name);
		put_bytes(buf, ": ", 2);
		value_write_text(buf, &list->values[i]);
	}
	if (is_open)
		appendStringInfoChar(buf, '}');
}

static void
put_attr_list(StringInfo buf, const Trajectory *t, const AttrList *list)
{
	put_attributes(buf, t, "attributes", false, list, false);
}

/* Keys whose column is the user's choice. */
static void
put_canonical(StringInfo buf, const Trajectory *t)
{
	bool		is_open = false;

	for (uint32 i = 0; i < t->key_count; i++)
	{
		const Key  *key = &t->keys[i];

		if (!key->is_mapped)
			continue;
		if (!is_open)
		{
			put_name(buf, "canonical");
			appendStringInfoChar(buf, '{');
			is_open = true;
		}
		else
			appendStringInfoString(buf, ", ");
		json_put_string(buf, key->name);
		appendStringInfo(buf, ": \"%s\"", canonical_column_name(key->column));
	}
	if (is_open)
		appendStringInfoChar(buf, '}');
}

static void
put_resources(StringInfo buf, const Trajectory *t)
{
	put_name(buf, "resources");
	appendStringInfoChar(buf, '[');
	for (uint32 i = 0; i < t->resource_count; i++)
	{
		const Resource *r = &t->resources[i];

		appendStringInfoString(buf, i == 0 ? "{" : ", {");
		put_attr_list(buf, t, &r->attributes);
		put_text(buf, "schema_url", r->schema_url);
		put_count(buf, "dropped_attributes_count", r->dropped_attributes_count);
		appendStringInfoChar(buf, '}');
	}
	appendStringInfoChar(buf, ']');
}

static void
put_scopes(StringInfo buf, const Trajectory *t)
{
	put_name(buf, "scopes");
	appendStringInfoChar(buf, '[');
	for (uint32 i = 0; i < t->scope_count; i++)
	{
		const Scope *s = &t->scopes[i];

		appendStringInfoString(buf, i == 0 ? "{" : ", {");
		put_text(buf, "name", s->name);
		put_text(buf, "version", s->version);
		put_attr_list(buf, t, &s->attributes);
		put_text(buf, "schema_url", s->schema_url);
		put_count(buf, "dropped_attributes_count", s->dropped_attributes_count);
		appendStringInfoChar(buf, '}');
	}
	appendStringInfoChar(buf, ']');
}

static void
put_events(StringInfo buf, const Trajectory *t, const SpanExtra *extra)
{
	put_name(buf, "events");
	appendStringInfoChar(buf, '[');
	for (uint32 i = 0; i < extra->event_count; i++)
	{
		const Event *event = &extra->events[i];

		appendStringInfoString(buf, i == 0 ? "{" : ", {");
		put_time(buf, "time_ns", event->time_ns);
		put_text(buf, "name", event->name);
		put_attr_list(buf, t, &event->attributes);
		put_count(buf, "dropped_attributes_count", event->dropped_attributes_count);
		appendStringInfoChar(buf, '}');
	}
	appendStringInfoChar(buf, ']');
}

static void
put_links(StringInfo buf, const Trajectory *t, const SpanExtra *extra)
{
	put_name(buf, "links");
	appendStringInfoChar(buf, '[');
	for (uint32 i = 0; i < extra->link_count; i++)
	{
		const Link *link = &extra->links[i];

		appendStringInfoString(buf, i == 0 ? "{" : ", {");
		put_trace_id(buf, link->trace_id);
		put_span_id(buf, "span_id", link->span_id);
		put_text(buf, "trace_state", link->trace_state);
		put_count(buf, "flags", link->flags);
		put_attr_list(buf, t, &link->attributes);
		put_count(buf, "dropped_attributes_count", link->dropped_attributes_count);
		appendStringInfoChar(buf, '}');
	}
	appendStringInfoChar(buf, ']');
}

static void
put_span(StringInfo buf, const Trajectory *t, uint32 i, bool always_derived, Value *room)
{
	const SpanClass *class = trajectory_class(t, i);
	const SpanExtra *extra = trajectory_extra(t, i);
	AttrList	list = trajectory_attributes(t, i, room);
	uint64		parent_id = trajectory_parent_id(t, i);

	appendStringInfoChar(buf, '{');
	put_span_id(buf, "span_id", trajectory_span_id(t, i));
	if (parent_id != 0)
		put_span_id(buf, "parent_span_id", parent_id);
	put_name(buf, "name");
	json_put_string(buf, class->name);
	if (class->span_kind != 0)
		put_word(buf, "span_kind", span_kind_names[class->span_kind]);
	put_time(buf, "start_ns", t->start_ns[i]);
	put_time(buf, "end_ns", t->end_ns[i]);
	if (class->status != SPAN_STATUS_UNSET)
		put_word(buf, "status", span_status_names[class->status]);
	if (extra)
		put_text(buf, "status_message", extra->status_message);
	put_count(buf, "resource", class->resource);
	put_count(buf, "scope", class->scope);
	put_text(buf, "trace_state", class->trace_state);
	put_count(buf, "flags", class->flags);
	put_attr_list(buf, t, &list);
	put_attributes(buf, t, "derived", true, &list, always_derived);
	if (extra)
	{
		put_count(buf, "repaired", extra->repaired);
		if (extra->event_count > 0)
			put_events(buf, t, extra);
		if (extra->link_count > 0)
			put_links(buf, t, extra);
		put_count(buf, "dropped_attributes_count", extra->dropped_attributes_count);
		put_count(buf, "dropped_events_count", extra->dropped_events_count);
		put_count(buf, "dropped_links_count", extra->dropped_links_count);
	}
	appendStringInfoChar(buf, '}');
}

/*
 * Append the text form.  A span from which something could be derived has its
 * "derived" written even if it is empty, or reading would derive it.
 */
void
trajectory_write_text(StringInfo buf, const Trajectory *t)
{
	Value	   *room = palloc_extended(Max(t->max_attributes, 1) * sizeof(Value), MCXT_ALLOC_HUGE);

	appendStringInfoChar(buf, '{');
	put_trace_id(buf, t->summary.trace_id);
	put_canonical(buf, t);
	put_resources(buf, t);
	put_scopes(buf, t);
	put_name(buf, "spans");
	appendStringInfoChar(buf, '[');
	for (uint32 i = 0; i < t->n; i++)
	{
		const SpanClass *class = trajectory_class(t, i);
		const SpanExtra *extra = trajectory_extra(t, i);
		SpanColumns columns = trajectory_columns(t, i);
		bool		could_derive = shape_needs_deriving(&t->shapes[class->shape], class->kind) ||
			span_notes_plan(class, &columns) ||
			(extra && events_need_deriving(extra->events, extra->event_count));

		CHECK_FOR_INTERRUPTS();
		if (i > 0)
			appendStringInfoString(buf, ", ");
		put_span(buf, t, i, could_derive, room);
	}
	appendStringInfoString(buf, "]}");
	pfree(room);
}

/* ------------------------------------------------------------- reading --- */

typedef struct TextReader
{
	JsonReader	r;
	SpanSet    *set;
	ValueStack	stack;
} TextReader;

static void
fail_unknown(TextReader *x, Bytes name, const char *where)
{
	json_fail_detail(&x->r, psprintf("unknown member \"%.*s\" of %s.",
									 utf8_clip(name, 60), name.data, where));
}

static uint64
read_number(TextReader *x, uint64 max, const char *expected)
{
	Bytes		text = json_peek_text(&x->r);
	int64		number;

	if (x->r.token == JSON_TOKEN_STRING)
		text = (Bytes) {text.data + 1, text.len - 2};
	else if (x->r.token != JSON_TOKEN_NUMBER)
		json_fail(&x->r, expected);
	if (!number_read_int(text, &number) || number < 0 || (uint64) number > max)
		json_fail(&x->r, expected);
	json_next(&x->r);
	return (uint64) number;
}

static uint32
read_count(TextReader *x)
{
	return (uint32) read_number(x, PG_UINT32_MAX, "a count from 0 to 4294967295");
}

static int64
read_time(TextReader *x)
{
	return (int64) read_number(x, PG_INT64_MAX, "nanoseconds since 1970");
}

static void
read_trace_id(TextReader *x, uint8 *id)
{
	Bytes		token = json_peek_text(&x->r);

	if (x->r.token != JSON_TOKEN_STRING ||
		!hex_read((Bytes) {token.data + 1, token.len - 2}, id, 16))
		json_fail(&x->r, "a trace id of at most 32 hexadecimal digits");
	json_next(&x->r);
}

static uint64
read_span_id(TextReader *x)
{
	Bytes		token = json_peek_text(&x->r);
	uint8		id[8];

	if (x->r.token != JSON_TOKEN_STRING ||
		!hex_read((Bytes) {token.data + 1, token.len - 2}, id, 8))
		json_fail(&x->r, "a span id of at most 16 hexadecimal digits");
	json_next(&x->r);
	return span_id_from_bytes(id);
}

static uint8
read_word(TextReader *x, const char *const *words, uint8 count, const char *expected)
{
	Bytes		token = json_peek_text(&x->r);

	if (x->r.token == JSON_TOKEN_STRING)
		for (uint8 i = 0; i < count; i++)
			if (bytes_equal_cstring((Bytes) {token.data + 1, token.len - 2}, words[i]))
			{
				json_next(&x->r);
				return i;
			}
	json_fail(&x->r, expected);
}

static Value read_value(TextReader *x, int depth);

static Value
read_array(TextReader *x, int depth)
{
	uint32		base = x->stack.count;

	json_begin_array(&x->r);
	while (json_next_element(&x->r))
		value_push(&x->stack, (Bytes) {"", 0}, read_value(x, depth + 1));
	return value_finish(&x->stack, base, VALUE_ARRAY, &x->set->arena);
}

static Value
read_special_double(TextReader *x)
{
	Bytes		text = json_peek_text(&x->r);
	double		d = 0;

	if (bytes_equal_cstring(text, "\"NaN\""))
		d = NAN;
	else if (bytes_equal_cstring(text, "\"Infinity\""))
		d = INFINITY;
	else if (bytes_equal_cstring(text, "\"-Infinity\""))
		d = -INFINITY;
	else
		json_fail(&x->r, "\"NaN\", \"Infinity\" or \"-Infinity\"");
	json_next(&x->r);
	return value_double(d);
}

static Value
read_special_bytes(TextReader *x)
{
	Bytes		token = json_peek_text(&x->r);
	int			room;
	int			got;
	char	   *out;

	if (x->r.token != JSON_TOKEN_STRING)
		json_fail(&x->r, "base64");
	room = pg_b64_dec_len(token.len - 2) + 1;
	out = arena_alloc(&x->set->arena, room);
	got = pg_b64_decode(token.data + 1, token.len - 2, (void *) out, room);
	if (got < 0)
		json_fail(&x->r, "base64");
	json_next(&x->r);
	return (Value) {.type = VALUE_BYTES,.len = got,.bytes = out};
}

static Value
read_special_ref(TextReader *x)
{
	Bytes		token = json_peek_text(&x->r);
	Value		ref;

	if (x->r.token != JSON_TOKEN_STRING ||
		!payload_ref_read((Bytes) {token.data + 1, token.len - 2}, &ref, &x->set->arena))
		json_fail(&x->r, "a payload reference such as \"<32 hexadecimal digits>:<bytes>\"");
	json_next(&x->r);
	return ref;
}

/* The members of a kvlist, the first one's name having been read. */
static Value
read_kvlist(TextReader *x, Bytes name, bool has_member, int depth)
{
	uint32		base = x->stack.count;

	while (has_member)
	{
		Value		v = read_value(x, depth + 1);

		value_push(&x->stack, name, v);
		has_member = json_next_member(&x->r, &name);
	}
	return value_finish(&x->stack, base, VALUE_KVLIST, &x->set->arena);
}

/* An object is a kvlist, or one of ours. */
static Value
read_object(TextReader *x, int depth)
{
	Value		v;
	Bytes		name;
	bool		has_member;

	json_begin_object(&x->r);
	has_member = json_next_member(&x->r, &name);
	if (!has_member || name.len == 0 || name.data[0] != '$')
		return read_kvlist(x, name, has_member, depth);

	if (bytes_equal_cstring(name, "$double"))
		v = read_special_double(x);
	else if (bytes_equal_cstring(name, "$bytes"))
		v = read_special_bytes(x);
	else if (bytes_equal_cstring(name, "$ref"))
		v = read_special_ref(x);
	else if (bytes_equal_cstring(name, "$kvlist"))
	{
		json_begin_object(&x->r);
		has_member = json_next_member(&x->r, &name);
		v = read_kvlist(x, name, has_member, depth);
	}
	else
		fail_unknown(x, name, "a value");
	if (x->r.token != JSON_TOKEN_OBJECT_END)
		json_fail(&x->r, "\"}\"");
	json_next(&x->r);
	x->r.at_start = false;
	return v;
}

static Value
read_scalar(TextReader *x)
{
	Bytes		text = json_peek_text(&x->r);
	Value		v = {.type = VALUE_EMPTY};

	switch (x->r.token)
	{
		case JSON_TOKEN_STRING:
			return value_string(json_string(&x->r));
		case JSON_TOKEN_TRUE:
		case JSON_TOKEN_FALSE:
			v = value_bool(x->r.token == JSON_TOKEN_TRUE);
			break;
		case JSON_TOKEN_NULL:
			break;
		case JSON_TOKEN_NUMBER:
			v = value_int(0);
			if (!number_read_int(text, &v.integer))
			{
				v = value_double(0);
				if (!number_read_double(text, &v.number) || isinf(v.number))
					json_fail(&x->r, "a number in the range of double precision");
			}
			break;
		default:
			json_fail(&x->r, "a value");
	}
	json_next(&x->r);
	return v;
}

/* The recursion is bounded by VALUE_MAX_DEPTH. */
static Value
read_value(TextReader *x, int depth)
{
	if (x->r.token != JSON_TOKEN_OBJECT_START && x->r.token != JSON_TOKEN_ARRAY_START)
		return read_scalar(x);
	if (depth >= VALUE_MAX_DEPTH)
		json_fail(&x->r, "a value that is nested less deeply");
	return x->r.token == JSON_TOKEN_ARRAY_START ? read_array(x, depth) : read_object(x, depth);
}

/* A value as value_write_text writes it; whatever else raises an error. */
Value
value_read_text(SpanSet *set, Bytes text)
{
	TextReader	x = {.set = set};
	Value		v;

	json_reader_init(&x.r, text.data, text.len, "JSON text of a value", &set->arena);
	v = read_value(&x, 0);
	if (x.r.token != JSON_TOKEN_END)
		json_fail(&x.r, "the end");
	return v;
}

/* Push the members of an object as attributes. */
static void
push_attributes(TextReader *x)
{
	Bytes		name;

	json_begin_object(&x->r);
	while (json_next_member(&x->r, &name))
	{
		Value		v = read_value(x, 0);

		spanset_push_attr(x->set, spanset_key(x->set, name), v);
	}
}

static AttrList
read_attributes(TextReader *x)
{
	uint32		base = x->set->stack_count;

	push_attributes(x);
	return spanset_pop_attrs(x->set, base);
}

static void
push_derived(TextReader *x)
{
	Bytes		name;

	json_begin_object(&x->r);
	while (json_next_member(&x->r, &name))
	{
		CanonicalColumn column = canonical_column_find(name);

		if (column == COLUMN_NONE)
			fail_unknown(x, name, "\"derived\"");
		spanset_push_attr(x->set, spanset_derived_key(x->set, column), read_value(x, 0));
	}
}

static void
read_canonical(TextReader *x)
{
	Bytes		name;

	json_begin_object(&x->r);
	while (json_next_member(&x->r, &name))
	{
		Bytes		token = json_peek_text(&x->r);
		CanonicalColumn column = x->r.token != JSON_TOKEN_STRING ? COLUMN_NONE :
			canonical_column_find((Bytes) {token.data + 1, token.len - 2});
		uint32		key;

		if (column == COLUMN_NONE)
			json_fail(&x->r, "the name of a canonical column");
		key = spanset_key(x->set, name);
		key_map(&x->set->keys[key], column);
		json_next(&x->r);
	}
}

static void
read_resource(TextReader *x)
{
	uint32		index = spanset_add_resource(x->set);
	Resource   *resource = &x->set->resources[index];
	Bytes		name;

	json_begin_object(&x->r);
	while (json_next_member(&x->r, &name))
	{
		if (bytes_equal_cstring(name, "attributes"))
			resource->attributes = read_attributes(x);
		else if (bytes_equal_cstring(name, "schema_url"))
			resource->schema_url = json_string(&x->r);
		else if (bytes_equal_cstring(name, "dropped_attributes_count"))
			resource->dropped_attributes_count = read_count(x);
		else
			fail_unknown(x, name, "a resource");
	}
}

static void
read_scope(TextReader *x)
{
	uint32		index = spanset_add_scope(x->set);
	Scope	   *scope = &x->set->scopes[index];
	Bytes		name;

	json_begin_object(&x->r);
	while (json_next_member(&x->r, &name))
	{
		if (bytes_equal_cstring(name, "name"))
			scope->name = json_string(&x->r);
		else if (bytes_equal_cstring(name, "version"))
			scope->version = json_string(&x->r);
		else if (bytes_equal_cstring(name, "attributes"))
			scope->attributes = read_attributes(x);
		else if (bytes_equal_cstring(name, "schema_url"))
			scope->schema_url = json_string(&x->r);
		else if (bytes_equal_cstring(name, "dropped_attributes_count"))
			scope->dropped_attributes_count = read_count(x);
		else
			fail_unknown(x, name, "a scope");
	}
}

static void
read_event(TextReader *x, Event *event)
{
	Bytes		name;

	memset(event, 0, sizeof(*event));
	json_begin_object(&x->r);
	while (json_next_member(&x->r, &name))
	{
		if (bytes_equal_cstring(name, "time_ns"))
			event->time_ns = read_time(x);
		else if (bytes_equal_cstring(name, "name"))
			event->name = json_string(&x->r);
		else if (bytes_equal_cstring(name, "attributes"))
			event->attributes = read_attributes(x);
		else if (bytes_equal_cstring(name, "dropped_attributes_count"))
			event->dropped_attributes_count = read_count(x);
		else
			fail_unknown(x, name, "an event");
	}
}

static void
read_events(TextReader *x, Span *span)
{
	uint32		max = 0;

	span->event_count = 0;
	span->events = NULL;
	json_begin_array(&x->r);
	while (json_next_element(&x->r))
	{
		span->events = spanset_grow(x->set, span->events, span->event_count, &max, sizeof(Event));
		read_event(x, &span->events[span->event_count++]);
	}
}

static void
read_link(TextReader *x, Link *link)
{
	Bytes		name;

	memset(link, 0, sizeof(*link));
	json_begin_object(&x->r);
	while (json_next_member(&x->r, &name))
	{
		if (bytes_equal_cstring(name, "trace_id"))
			read_trace_id(x, link->trace_id);
		else if (bytes_equal_cstring(name, "span_id"))
			link->span_id = read_span_id(x);
		else if (bytes_equal_cstring(name, "trace_state"))
			link->trace_state = json_string(&x->r);
		else if (bytes_equal_cstring(name, "flags"))
			link->flags = read_count(x);
		else if (bytes_equal_cstring(name, "attributes"))
			link->attributes = read_attributes(x);
		else if (bytes_equal_cstring(name, "dropped_attributes_count"))
			link->dropped_attributes_count = read_count(x);
		else
			fail_unknown(x, name, "a link");
	}
}

static void
read_links(TextReader *x, Span *span)
{
	uint32		max = 0;

	span->link_count = 0;
	span->links = NULL;
	json_begin_array(&x->r);
	while (json_next_element(&x->r))
	{
		span->links = spanset_grow(x->set, span->links, span->link_count, &max, sizeof(Link));
		read_link(x, &span->links[span->link_count++]);
	}
}

/* The members that a span need not have. */
static void
read_optional_member(TextReader *x, Bytes name, Span *span)
{
	if (bytes_equal_cstring(name, "parent_span_id"))
		span->parent_id = read_span_id(x);
	else if (bytes_equal_cstring(name, "span_kind"))
		span->span_kind = read_word(x, span_kind_names, SPAN_KIND_COUNT,
									"unspecified, internal, server, client, producer or consumer");
	else if (bytes_equal_cstring(name, "status"))
		span->status = read_word(x, span_status_names, SPAN_STATUS_COUNT, "unset, ok or error");
	else if (bytes_equal_cstring(name, "status_message"))
		span->status_message = json_string(&x->r);
	else if (bytes_equal_cstring(name, "resource"))
		span->resource = read_count(x);
	else if (bytes_equal_cstring(name, "scope"))
		span->scope = read_count(x);
	else if (bytes_equal_cstring(name, "trace_state"))
		span->trace_state = json_string(&x->r);
	else if (bytes_equal_cstring(name, "flags"))
		span->flags = read_count(x);
	else if (bytes_equal_cstring(name, "attributes"))
		push_attributes(x);
	else if (bytes_equal_cstring(name, "derived"))
	{
		span->is_derived = true;
		push_derived(x);
	}
	else if (bytes_equal_cstring(name, "repaired"))
		span->repaired = read_count(x);
	else if (bytes_equal_cstring(name, "events"))
		read_events(x, span);
	else if (bytes_equal_cstring(name, "links"))
		read_links(x, span);
	else if (bytes_equal_cstring(name, "dropped_attributes_count"))
		span->dropped_attributes_count = read_count(x);
	else if (bytes_equal_cstring(name, "dropped_events_count"))
		span->dropped_events_count = read_count(x);
	else if (bytes_equal_cstring(name, "dropped_links_count"))
		span->dropped_links_count = read_count(x);
	else
		fail_unknown(x, name, "a span");
}

static void
read_span(TextReader *x)
{
	uint32		base = x->set->stack_count;
	Span		span = {.end_ns = TIME_OPEN};
	bool		has_name = false;
	bool		has_start = false;
	bool		has_end = false;
	Bytes		name;

	json_begin_object(&x->r);
	while (json_next_member(&x->r, &name))
	{
		if (bytes_equal_cstring(name, "span_id"))
			span.span_id = read_span_id(x);
		else if (bytes_equal_cstring(name, "name"))
		{
			span.name = json_string(&x->r);
			has_name = true;
		}
		else if (bytes_equal_cstring(name, "start_ns"))
		{
			span.start_ns = read_time(x);
			has_start = true;
		}
		else if (bytes_equal_cstring(name, "end_ns"))
		{
			if (x->r.token == JSON_TOKEN_NULL)
				json_next(&x->r);
			else
				span.end_ns = read_time(x);
			has_end = true;
		}
		else
			read_optional_member(x, name, &span);
	}

	if (span.span_id == 0)
		json_fail_detail(&x->r, "the span before this has no span_id, or it is zero.");
	if (!has_name || !has_start || !has_end)
		json_fail_detail(&x->r, psprintf("the span before this has no %s.",
										 !has_name ? "name" : !has_start ? "start_ns" : "end_ns"));
	if (span.name.len > SPAN_NAME_MAX_LEN)
		json_fail_detail(&x->r, "the name of the span before this is longer than 65535 bytes.");
	span.end_ns = span_end(span.start_ns, span.end_ns);
	span.attributes = spanset_pop_attrs(x->set, base);
	*spanset_add_span(x->set) = span;
}

/*
 * Add the spans of a text form to an empty set.  Whatever is wrong with it
 * raises invalid_text_representation with its place.
 */
void
trajectory_read_text(SpanSet *set, const char *text, size_t len)
{
	TextReader	x = {.set = set};
	uint8		trace_id[16] = {0};
	Bytes		name;

	json_reader_init(&x.r, text, len, "input for type trajectory", &set->arena);
	json_begin_object(&x.r);
	while (json_next_member(&x.r, &name))
	{
		if (bytes_equal_cstring(name, "trace_id"))
			read_trace_id(&x, trace_id);
		else if (bytes_equal_cstring(name, "canonical"))
			read_canonical(&x);
		else if (bytes_equal_cstring(name, "resources") ||
				 bytes_equal_cstring(name, "scopes") ||
				 bytes_equal_cstring(name, "spans"))
		{
			json_begin_array(&x.r);
			while (json_next_element(&x.r))
			{
				CHECK_FOR_INTERRUPTS();
				if (name.data[0] == 'r')
					read_resource(&x);
				else if (name.data[1] == 'c')
					read_scope(&x);
				else
					read_span(&x);
			}
		}
		else
			fail_unknown(&x, name, "a trajectory");
	}
	if (x.r.token != JSON_TOKEN_END)
		json_fail(&x.r, "the end");

	if (bytes_are_zero(trace_id, sizeof(trace_id)))
		json_fail_detail(&x.r, "there is no trace_id, or it is zero.");
	if (set->span_count == 0)
		json_fail_detail(&x.r, "there are no spans.");
	if (set->resource_count == 0)
		spanset_add_resource(set);
	if (set->scope_count == 0)
		spanset_add_scope(set);
	for (uint32 i = 0; i < set->span_count; i++)
	{
		Span	   *span = &set->spans[i];

		memcpy(span->trace_id, trace_id, sizeof(trace_id));
		if (span->resource >= set->resource_count || span->scope >= set->scope_count)
			json_fail_detail(&x.r, "a span's resource or scope is not in the list.");
	}
}
