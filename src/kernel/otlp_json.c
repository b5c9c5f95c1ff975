/*
 * otlp_json.c
 *		Reading ExportTraceServiceRequest as JSON.
 *
 * Accepts what exporters in the wild send: camelCase and snake_case, members
 * in any order, ids in hex or base64, enums by number or name, 64-bit integers
 * as strings or numbers.  Several documents may follow one another.  Unknown
 * members are skipped.
 *
 * The lists that hold spans have to be right.  Inside a span, anything that
 * cannot be kept leaves out that span alone: what is wrong is noted as the
 * reason, the rest is still read past.  What is wrong with a resource or scope
 * leaves out its spans.
 */
#include "postgres.h"

#include <math.h>

#include "common/base64.h"
#include "kernel/json_reader.h"
#include "kernel/otlp.h"
#include "kernel/repair.h"
#include "miscadmin.h"

typedef struct OtlpJson
{
	JsonReader	r;
	SpanSet    *set;
	ValueStack	stack;
	RepairList	repairs;
	uint32		repairs_seen;	/* those that lie before what is read next */
	const char *reject;			/* why the span at hand cannot be kept */
} OtlpJson;

static void
reject(OtlpJson *o, const char *reason)
{
	if (o->reject == NULL)
		o->reject = reason;
}

/* A value of another type than it should be: passed over. */
static void
misfit(OtlpJson *o, const char *reason)
{
	reject(o, reason);
	json_skip(&o->r);
}

/* The name of a member is one of two spellings. */
static inline bool
is_named(Bytes name, const char *camel, const char *snake)
{
	return bytes_equal_cstring(name, camel) || bytes_equal_cstring(name, snake);
}

/* null stands for an absent member. */
static bool
read_null(OtlpJson *o)
{
	if (o->r.token != JSON_TOKEN_NULL)
		return false;
	json_next(&o->r);
	return true;
}

static Bytes
read_text(OtlpJson *o, const char *reason)
{
	if (read_null(o))
		return (Bytes) {"", 0};
	if (o->r.token == JSON_TOKEN_STRING)
		return json_string(&o->r);
	misfit(o, reason);
	return (Bytes) {"", 0};
}

/* A number, or a string that holds one. */
static bool
read_number_text(OtlpJson *o, Bytes *text)
{
	if (o->r.token == JSON_TOKEN_STRING)
		*text = json_string(&o->r);
	else if (o->r.token == JSON_TOKEN_NUMBER)
	{
		*text = json_peek_text(&o->r);
		json_next(&o->r);
	}
	else
		return false;
	return true;
}

static bool
unsigned_from_text(Bytes text, uint64 *number)
{
	int64		i;
	double		d;

	if (number_read_int(text, &i))
	{
		*number = (uint64) i;
		return i >= 0;
	}
	/* from 2^63 on, or written with an exponent */
	if (!number_read_double(text, &d) || !(d >= 0 && d <= 18446744073709551616.0))
		return false;
	*number = d < 18446744073709551616.0 ? (uint64) d : PG_UINT64_MAX;
	return true;
}

static uint64
read_unsigned(OtlpJson *o, const char *reason)
{
	Bytes		text;
	uint64		number = 0;

	if (read_null(o))
		return 0;
	if (!read_number_text(o, &text))
		misfit(o, reason);
	else if (!unsigned_from_text(text, &number))
		reject(o, reason);
	return number;
}

/* A count or a set of flags: 32 bits, more of them are as good as all. */
static uint32
read_uint32(OtlpJson *o, const char *reason)
{
	uint64		number = read_unsigned(o, reason);

	return (uint32) Min(number, PG_UINT32_MAX);
}

/*
 * An enum by number or name; unknown ones are the first, as a reader of
 * protobuf that does not know them would have it.
 */
static uint8
read_enum(OtlpJson *o, const char *const *names, uint8 count, const char *reason)
{
	Bytes		text;
	uint64		number;

	if (read_null(o))
		return 0;
	if (!read_number_text(o, &text))
	{
		misfit(o, reason);
		return 0;
	}
	for (uint8 i = 0; i < count; i++)
		if (bytes_equal_cstring(text, names[i]))
			return i;
	return unsigned_from_text(text, &number) && number < count ? (uint8) number : 0;
}

/* Bytes from base64, with the alphabet of URLs too, padded or not. */
static bool
base64_read(Bytes text, Arena *arena, Bytes *bytes)
{
	char	   *padded = palloc(text.len + 4);
	uint32		len = text.len;
	char	   *out;
	int			got;

	for (uint32 i = 0; i < len; i++)
		padded[i] = text.data[i] == '-' ? '+' : text.data[i] == '_' ? '/' : text.data[i];
	while (len % 4 != 0 && len < text.len + 3)
		padded[len++] = '=';
	out = arena_alloc(arena, pg_b64_dec_len(len) + 1);
	got = pg_b64_decode(padded, len, (void *) out, pg_b64_dec_len(len) + 1);
	pfree(padded);
	*bytes = (Bytes) {out, Max(got, 0)};
	return got >= 0;
}

/*
 * An id of size bytes: hex in either case, with 0x or not, shorter ones padded
 * on the left, or base64.  False if it is neither.
 */
static bool
id_from_text(OtlpJson *o, Bytes text, uint8 *id, size_t size)
{
	Bytes		bytes;

	if (text.len > 2 && text.data[0] == '0' && (text.data[1] == 'x' || text.data[1] == 'X'))
		text = (Bytes) {text.data + 2, text.len - 2};
	if (hex_read(text, id, size))
		return true;
	if (text.len > size * 2 || !base64_read(text, &o->set->arena, &bytes) ||
		(bytes.len != size && bytes.len != 8))
		return false;
	memset(id, 0, size);
	memcpy(id + size - bytes.len, bytes.data, bytes.len);
	return true;
}

/* A trace id; zero for none. */
static void
read_trace_id(OtlpJson *o, uint8 *id, const char *reason)
{
	Bytes		text = read_text(o, reason);

	if (text.len > 0 && !id_from_text(o, text, id, 16))
		reject(o, reason);
}

/* A span id; 0 for none. */
static uint64
span_id_from_text(OtlpJson *o, Bytes text, const char *reason)
{
	uint8		id[8];

	if (text.len == 0)
		return 0;
	if (!id_from_text(o, text, id, 8))
	{
		reject(o, reason);
		return 0;
	}
	return span_id_from_bytes(id);
}

/* Characters of the document that were replaced since the last call. */
static uint32
take_repairs(OtlpJson *o)
{
	uint32		before = o->repairs_seen;
	size_t		offset = json_offset(&o->r);

	while (o->repairs_seen < o->repairs.count &&
		   o->repairs.offsets[o->repairs_seen] < offset)
		o->repairs_seen++;
	return o->repairs_seen - before;
}

static Value read_value(OtlpJson *o, int depth);

static Value
read_int_value(OtlpJson *o)
{
	Bytes		text;
	int64		i;
	double		d;

	if (!read_number_text(o, &text))
		misfit(o, "intValue is not a number");
	else if (number_read_int(text, &i))
		return value_int(i);
	else if (number_read_double(text, &d))
	{
		/* written with an exponent, or beyond 64 bits */
		if (d == rint(d) && d >= -9223372036854775808.0 && d < 9223372036854775808.0)
			return value_int((int64) d);
		return value_double(d);
	}
	else
		reject(o, "intValue is not a number");
	return (Value) {.type = VALUE_EMPTY};
}

static Value
read_double_value(OtlpJson *o)
{
	Bytes		text;
	double		d;

	if (!read_number_text(o, &text))
		misfit(o, "doubleValue is not a number");
	else if (number_read_double(text, &d))
		return value_double(d);
	else
		reject(o, "doubleValue is not a number");
	return (Value) {.type = VALUE_EMPTY};
}

static Value
read_bool_value(OtlpJson *o)
{
	bool		is_true = o->r.token == JSON_TOKEN_TRUE;

	if (is_true || o->r.token == JSON_TOKEN_FALSE)
	{
		json_next(&o->r);
		return value_bool(is_true);
	}
	misfit(o, "boolValue is neither true nor false");
	return (Value) {.type = VALUE_EMPTY};
}

static Value
read_bytes_value(OtlpJson *o)
{
	Bytes		bytes = {"", 0};

	if (o->r.token != JSON_TOKEN_STRING)
		misfit(o, "bytesValue is not base64");
	else if (!base64_read(json_string(&o->r), &o->set->arena, &bytes))
		reject(o, "bytesValue is not base64");
	return (Value) {.type = VALUE_BYTES,.len = bytes.len,.bytes = bytes.data};
}

/* A KeyValue: {"key": …, "value": …}. */
static void
read_key_value(OtlpJson *o, int depth, Bytes *key, Value *value)
{
	Bytes		name;

	*key = (Bytes) {"", 0};
	*value = (Value) {.type = VALUE_EMPTY};
	if (o->r.token != JSON_TOKEN_OBJECT_START)
	{
		misfit(o, "an attribute is not an object");
		return;
	}
	json_begin_object(&o->r);
	while (json_next_member(&o->r, &name))
	{
		if (bytes_equal_cstring(name, "key"))
			*key = read_text(o, "an attribute's key is not a string");
		else if (bytes_equal_cstring(name, "value"))
			*value = read_value(o, depth);
		else
			json_skip(&o->r);
	}
}

/* An ArrayValue or KeyValueList: {"values": […]}. */
static Value
read_container(OtlpJson *o, ValueType type, int depth)
{
	uint32		base = o->stack.count;
	Bytes		name;
	Bytes		key = {"", 0};
	Value		value;

	if (depth >= VALUE_MAX_DEPTH)
	{
		misfit(o, "an attribute's value is nested too deeply");
		return (Value) {.type = VALUE_EMPTY};
	}
	if (o->r.token != JSON_TOKEN_OBJECT_START)
	{
		misfit(o, "arrayValue or kvlistValue is not an object");
		return (Value) {.type = VALUE_EMPTY};
	}
	json_begin_object(&o->r);
	while (json_next_member(&o->r, &name))
	{
		if (!bytes_equal_cstring(name, "values") || o->r.token == JSON_TOKEN_NULL)
			json_skip(&o->r);
		else if (o->r.token != JSON_TOKEN_ARRAY_START)
			misfit(o, "values is not an array");
		else
		{
			json_begin_array(&o->r);
			while (json_next_element(&o->r))
			{
				CHECK_FOR_INTERRUPTS();
				if (type == VALUE_KVLIST)
					read_key_value(o, depth + 1, &key, &value);
				else
					value = read_value(o, depth + 1);
				value_push(&o->stack, key, value);
			}
		}
	}
	return otlp_finish_container(&o->stack, base, type, &o->set->arena);
}

/* An AnyValue.  The recursion is bounded by VALUE_MAX_DEPTH. */
static Value
read_value(OtlpJson *o, int depth)
{
	Value		value = {.type = VALUE_EMPTY};
	Bytes		name;

	if (read_null(o))
		return value;
	if (o->r.token != JSON_TOKEN_OBJECT_START)
	{
		misfit(o, "an attribute's value is not an object");
		return value;
	}
	json_begin_object(&o->r);
	while (json_next_member(&o->r, &name))
	{
		if (read_null(o))
			continue;
		if (is_named(name, "stringValue", "string_value"))
			value = value_string(read_text(o, "stringValue is not a string"));
		else if (is_named(name, "intValue", "int_value"))
			value = read_int_value(o);
		else if (is_named(name, "doubleValue", "double_value"))
			value = read_double_value(o);
		else if (is_named(name, "boolValue", "bool_value"))
			value = read_bool_value(o);
		else if (is_named(name, "arrayValue", "array_value"))
			value = read_container(o, VALUE_ARRAY, depth);
		else if (is_named(name, "kvlistValue", "kvlist_value"))
			value = read_container(o, VALUE_KVLIST, depth);
		else if (is_named(name, "bytesValue", "bytes_value"))
			value = read_bytes_value(o);
		else
			json_skip(&o->r);
	}
	return value;
}

/* Push an array of KeyValues. */
static void
read_attributes(OtlpJson *o)
{
	Bytes		key;
	Value		value;

	if (read_null(o))
		return;
	if (o->r.token != JSON_TOKEN_ARRAY_START)
	{
		misfit(o, "attributes is not an array");
		return;
	}
	json_begin_array(&o->r);
	while (json_next_element(&o->r))
	{
		CHECK_FOR_INTERRUPTS();
		read_key_value(o, 0, &key, &value);
		spanset_push_attr(o->set, spanset_key(o->set, key), value);
	}
}

static void
read_status(OtlpJson *o, Span *span)
{
	static const char *const codes[] = {
		"STATUS_CODE_UNSET", "STATUS_CODE_OK", "STATUS_CODE_ERROR"
	};
	Bytes		name;

	if (read_null(o))
		return;
	if (o->r.token != JSON_TOKEN_OBJECT_START)
	{
		misfit(o, "status is not an object");
		return;
	}
	json_begin_object(&o->r);
	while (json_next_member(&o->r, &name))
	{
		if (bytes_equal_cstring(name, "code"))
			span->status = read_enum(o, codes, lengthof(codes), "status code is not a number");
		else if (bytes_equal_cstring(name, "message"))
			span->status_message = read_text(o, "status message is not a string");
		else
			json_skip(&o->r);
	}
}

static void
read_event(OtlpJson *o, Span *span, Event *event)
{
	uint32		base = o->set->stack_count;
	Bytes		name;

	memset(event, 0, sizeof(*event));
	if (o->r.token != JSON_TOKEN_OBJECT_START)
	{
		misfit(o, "an event is not an object");
		return;
	}
	json_begin_object(&o->r);
	while (json_next_member(&o->r, &name))
	{
		if (is_named(name, "timeUnixNano", "time_unix_nano"))
			event->time_ns = otlp_event_time(read_unsigned(o, "an event's time is not a number"),
											 span);
		else if (bytes_equal_cstring(name, "name"))
			event->name = read_text(o, "an event's name is not a string");
		else if (bytes_equal_cstring(name, "attributes"))
			read_attributes(o);
		else if (is_named(name, "droppedAttributesCount", "dropped_attributes_count"))
			event->dropped_attributes_count =
				read_uint32(o, "droppedAttributesCount is not a number");
		else
			json_skip(&o->r);
	}
	event->attributes = spanset_pop_attrs(o->set, base);
}

static void
read_link(OtlpJson *o, Link *link)
{
	uint32		base = o->set->stack_count;
	Bytes		name;

	memset(link, 0, sizeof(*link));
	if (o->r.token != JSON_TOKEN_OBJECT_START)
	{
		misfit(o, "a link is not an object");
		return;
	}
	json_begin_object(&o->r);
	while (json_next_member(&o->r, &name))
	{
		if (is_named(name, "traceId", "trace_id"))
			read_trace_id(o, link->trace_id, "a link's trace id is malformed");
		else if (is_named(name, "spanId", "span_id"))
			link->span_id = span_id_from_text(o, read_text(o, "a link's span id is malformed"),
											  "a link's span id is malformed");
		else if (is_named(name, "traceState", "trace_state"))
			link->trace_state = read_text(o, "a link's trace state is not a string");
		else if (bytes_equal_cstring(name, "attributes"))
			read_attributes(o);
		else if (is_named(name, "droppedAttributesCount", "dropped_attributes_count"))
			link->dropped_attributes_count =
				read_uint32(o, "droppedAttributesCount is not a number");
		else if (bytes_equal_cstring(name, "flags"))
			link->flags = read_uint32(o, "a link's flags are not a number");
		else
			json_skip(&o->r);
	}
	link->attributes = spanset_pop_attrs(o->set, base);
}

/* Begin an array of events or links, if the member is one. */
static bool
begin_list(OtlpJson *o, const char *reason)
{
	if (read_null(o))
		return false;
	if (o->r.token != JSON_TOKEN_ARRAY_START)
	{
		misfit(o, reason);
		return false;
	}
	json_begin_array(&o->r);
	return true;
}

static void
read_events(OtlpJson *o, Span *span)
{
	Event	   *events = NULL;
	uint32		max = 0;
	uint32		n = 0;

	if (!begin_list(o, "events is not an array"))
		return;
	while (json_next_element(&o->r))
	{
		CHECK_FOR_INTERRUPTS();
		events = spanset_grow(o->set, events, n, &max, sizeof(Event));
		read_event(o, span, &events[n++]);
	}
	span->events = events;
	span->event_count = n;
}

static void
read_links(OtlpJson *o, Span *span)
{
	Link	   *links = NULL;
	uint32		max = 0;
	uint32		n = 0;

	if (!begin_list(o, "links is not an array"))
		return;
	while (json_next_element(&o->r))
	{
		CHECK_FOR_INTERRUPTS();
		links = spanset_grow(o->set, links, n, &max, sizeof(Link));
		read_link(o, &links[n++]);
	}
	span->links = links;
	span->link_count = n;
}

/* The members that most spans do not have. */
static void
read_rare_member(OtlpJson *o, Bytes name, Span *span)
{
	if (is_named(name, "traceState", "trace_state"))
		span->trace_state = read_text(o, "traceState is not a string");
	else if (bytes_equal_cstring(name, "flags"))
		span->flags = read_uint32(o, "flags is not a number");
	else if (bytes_equal_cstring(name, "events"))
		read_events(o, span);
	else if (bytes_equal_cstring(name, "links"))
		read_links(o, span);
	else if (is_named(name, "droppedAttributesCount", "dropped_attributes_count"))
		span->dropped_attributes_count =
			read_uint32(o, "droppedAttributesCount is not a number");
	else if (is_named(name, "droppedEventsCount", "dropped_events_count"))
		span->dropped_events_count = read_uint32(o, "droppedEventsCount is not a number");
	else if (is_named(name, "droppedLinksCount", "dropped_links_count"))
		span->dropped_links_count = read_uint32(o, "droppedLinksCount is not a number");
	else
		json_skip(&o->r);
}

static void
read_span(OtlpJson *o)
{
	static const char *const kinds[] = {
		"SPAN_KIND_UNSPECIFIED", "SPAN_KIND_INTERNAL", "SPAN_KIND_SERVER",
		"SPAN_KIND_CLIENT", "SPAN_KIND_PRODUCER", "SPAN_KIND_CONSUMER"
	};
	uint32		base = o->set->stack_count;
	Span		span = {.end_ns = TIME_OPEN};
	Bytes		name;
	Bytes		id_text = {"", 0};
	uint64		start_ns = 0;
	uint64		end_ns = 0;

	o->reject = NULL;
	take_repairs(o);
	if (o->r.token != JSON_TOKEN_OBJECT_START)
	{
		reject(o, "a span is not an object");
		json_skip(&o->r);
		spanset_reject(o->set, id_text, o->reject);
		return;
	}
	json_begin_object(&o->r);
	while (json_next_member(&o->r, &name))
	{
		if (is_named(name, "traceId", "trace_id"))
			read_trace_id(o, span.trace_id, "trace id is malformed");
		else if (is_named(name, "spanId", "span_id"))
			id_text = read_text(o, "span id is not a string");
		else if (is_named(name, "parentSpanId", "parent_span_id"))
			span.parent_id = span_id_from_text(o, read_text(o, "parent span id is not a string"),
											   "parent span id is malformed");
		else if (bytes_equal_cstring(name, "name"))
			span.name = read_text(o, "name is not a string");
		else if (bytes_equal_cstring(name, "kind"))
			span.span_kind = read_enum(o, kinds, lengthof(kinds), "kind is not a number");
		else if (is_named(name, "startTimeUnixNano", "start_time_unix_nano"))
			start_ns = read_unsigned(o, "startTimeUnixNano is not a number");
		else if (is_named(name, "endTimeUnixNano", "end_time_unix_nano"))
			end_ns = read_unsigned(o, "endTimeUnixNano is not a number");
		else if (bytes_equal_cstring(name, "attributes"))
			read_attributes(o);
		else if (bytes_equal_cstring(name, "status"))
			read_status(o, &span);
		else
			read_rare_member(o, name, &span);
	}

	span.repaired += take_repairs(o);
	otlp_set_times(&span, start_ns, end_ns, &o->reject);
	span.span_id = span_id_from_text(o, id_text, "span id is malformed");
	if (bytes_are_zero(span.trace_id, sizeof(span.trace_id)))
		reject(o, "trace id is missing or zero");
	if (span.span_id == 0)
		reject(o, "span id is missing or zero");
	if (span.name.len > SPAN_NAME_MAX_LEN)
		reject(o, "name is longer than 65535 bytes");

	if (o->reject)
	{
		o->set->stack_count = base;
		spanset_reject(o->set, id_text, o->reject);
		return;
	}
	otlp_take_attributes(o->set, &span, base);
	*spanset_add_span(o->set) = span;
}

/* What befell a resource or scope, and with it all of its spans. */
typedef struct Envelope
{
	const char *reject;
	uint32		repaired;
} Envelope;

static void
begin_envelope(OtlpJson *o)
{
	o->reject = NULL;
	take_repairs(o);
}

static void
end_envelope(OtlpJson *o, Envelope *envelope)
{
	if (envelope->reject == NULL)
		envelope->reject = o->reject;
	envelope->repaired += take_repairs(o);
}

static void
read_schema_url(OtlpJson *o, Bytes *schema_url, Envelope *envelope)
{
	begin_envelope(o);
	*schema_url = read_text(o, "schemaUrl is not a string");
	end_envelope(o, envelope);
}

static void
read_resource(OtlpJson *o, uint32 index, Envelope *envelope)
{
	uint32		base = o->set->stack_count;
	Resource   *resource = &o->set->resources[index];
	Bytes		name;

	begin_envelope(o);
	if (read_null(o))
		return;
	json_begin_object(&o->r);
	while (json_next_member(&o->r, &name))
	{
		if (bytes_equal_cstring(name, "attributes"))
			read_attributes(o);
		else if (is_named(name, "droppedAttributesCount", "dropped_attributes_count"))
			resource->dropped_attributes_count = read_uint32(o, "droppedAttributesCount is not a number");
		else
			json_skip(&o->r);
	}
	resource->attributes = spanset_pop_attrs(o->set, base);
	end_envelope(o, envelope);
}

static void
read_scope(OtlpJson *o, uint32 index, Envelope *envelope)
{
	uint32		base = o->set->stack_count;
	Scope	   *scope = &o->set->scopes[index];
	Bytes		name;

	begin_envelope(o);
	if (read_null(o))
		return;
	json_begin_object(&o->r);
	while (json_next_member(&o->r, &name))
	{
		if (bytes_equal_cstring(name, "name"))
			scope->name = read_text(o, "the scope's name is not a string");
		else if (bytes_equal_cstring(name, "version"))
			scope->version = read_text(o, "the scope's version is not a string");
		else if (bytes_equal_cstring(name, "attributes"))
			read_attributes(o);
		else if (is_named(name, "droppedAttributesCount", "dropped_attributes_count"))
			scope->dropped_attributes_count = read_uint32(o, "droppedAttributesCount is not a number");
		else
			json_skip(&o->r);
	}
	scope->attributes = spanset_pop_attrs(o->set, base);
	end_envelope(o, envelope);
}

static void
read_scope_spans(OtlpJson *o, uint32 resource)
{
	uint32		scope = spanset_add_scope(o->set);
	uint32		first = o->set->span_count;
	Envelope	envelope = {0};
	Bytes		name;

	json_begin_object(&o->r);
	while (json_next_member(&o->r, &name))
	{
		if (bytes_equal_cstring(name, "scope") ||
			is_named(name, "instrumentationLibrary", "instrumentation_library"))
			read_scope(o, scope, &envelope);
		else if (is_named(name, "schemaUrl", "schema_url"))
			read_schema_url(o, &o->set->scopes[scope].schema_url, &envelope);
		else if (bytes_equal_cstring(name, "spans") && !read_null(o))
		{
			json_begin_array(&o->r);
			while (json_next_element(&o->r))
			{
				CHECK_FOR_INTERRUPTS();
				read_span(o);
			}
		}
		else if (!bytes_equal_cstring(name, "spans"))
			json_skip(&o->r);
	}
	for (uint32 i = first; i < o->set->span_count; i++)
	{
		o->set->spans[i].resource = resource;
		o->set->spans[i].scope = scope;
	}
	otlp_finish_spans(o->set, first, envelope.reject, envelope.repaired);
}

static void
read_resource_spans(OtlpJson *o)
{
	uint32		resource = spanset_add_resource(o->set);
	uint32		first = o->set->span_count;
	Envelope	envelope = {0};
	Bytes		name;

	json_begin_object(&o->r);
	while (json_next_member(&o->r, &name))
	{
		if (bytes_equal_cstring(name, "resource"))
			read_resource(o, resource, &envelope);
		else if (is_named(name, "schemaUrl", "schema_url"))
			read_schema_url(o, &o->set->resources[resource].schema_url, &envelope);
		else if (is_named(name, "scopeSpans", "scope_spans") ||
				 is_named(name, "instrumentationLibrarySpans", "instrumentation_library_spans"))
		{
			if (read_null(o))
				continue;
			json_begin_array(&o->r);
			while (json_next_element(&o->r))
				read_scope_spans(o, resource);
		}
		else
			json_skip(&o->r);
	}
	otlp_finish_spans(o->set, first, envelope.reject, envelope.repaired);
}

/* Requests of the other signals come to the same place when misconfigured. */
static void
fail_other_signal(Bytes name)
{
	static const char *const signals[][3] = {
		{"resourceLogs", "resource_logs", "logs"},
		{"resourceMetrics", "resource_metrics", "metrics"},
		{"resourceProfiles", "resource_profiles", "profiles"}
	};

	for (size_t i = 0; i < lengthof(signals); i++)
		if (is_named(name, signals[i][0], signals[i][1]))
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("OTLP document holds %s, not traces", signals[i][2]),
					 errdetail("It has a member \"%s\" where \"resourceSpans\" was expected.",
							   signals[i][0]),
					 errhint("Send only traces here: in a Collector, use this exporter in a traces pipeline.")));
}

static void
read_request(OtlpJson *o)
{
	bool		has_spans = false;
	bool		is_empty = true;
	Bytes		name;

	if (o->r.token != JSON_TOKEN_OBJECT_START)
		json_fail(&o->r, "an object with \"resourceSpans\"");
	json_begin_object(&o->r);
	while (json_next_member(&o->r, &name))
	{
		is_empty = false;
		/* Tempo's API calls them batches */
		if (is_named(name, "resourceSpans", "resource_spans") ||
			bytes_equal_cstring(name, "batches"))
		{
			has_spans = true;
			if (read_null(o))
				continue;
			json_begin_array(&o->r);
			while (json_next_element(&o->r))
				read_resource_spans(o);
		}
		else
		{
			fail_other_signal(name);
			json_skip(&o->r);
		}
	}
	/* an exporter with nothing to say may send {} */
	if (!has_spans && !is_empty)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("document is JSON, but not OTLP"),
				 errdetail("The object has no member \"resourceSpans\".")));
}

/*
 * Add the spans of any number of ExportTraceServiceRequest documents to a set:
 * an empty line at the end of a file holds none.  The document must stay where it is as long as the set.
 */
void
otlp_json_read(SpanSet *set, const char *json, size_t len)
{
	OtlpJson	o = {.set = set};

	json = repair_json(json, len, &len, &o.repairs);
	json_reader_init(&o.r, json, len, "OTLP JSON", &set->arena);
	while (o.r.token != JSON_TOKEN_END)
		read_request(&o);
}
