/*
 * otlp_protobuf.c
 *		Reading ExportTraceServiceRequest as protobuf, with protobuf-c.
 *
 * The request is unpacked into an arena.  Attribute values are bytes to
 * protobuf-c and are unpacked here one level at a time, to a bounded depth.
 */
#include "postgres.h"

#include "kernel/otlp.h"
#include "kernel/otlp.pb-c.h"
#include "kernel/repair.h"
#include "miscadmin.h"

typedef struct OtlpProtobuf
{
	SpanSet    *set;
	ProtobufCAllocator allocator;
	ValueStack	stack;
	const char *reject;			/* why the span at hand cannot be kept */
	uint32		repaired;		/* characters of the span, or the envelope */
} OtlpProtobuf;

static void *
arena_allocate(void *arena, size_t size)
{
	return arena_alloc(arena, size);
}

static void
arena_keep(void *arena, void *pointer)
{
	/* what is in the arena goes with it */
}

static void
reject(OtlpProtobuf *o, const char *reason)
{
	if (o->reject == NULL)
		o->reject = reason;
}

static Bytes
read_text(OtlpProtobuf *o, ProtobufCBinaryData s)
{
	if (s.len == 0)
		return (Bytes) {"", 0};
	return repair_utf8((Bytes) {(char *) s.data, s.len}, &o->set->arena, &o->repaired);
}

static Value read_value(OtlpProtobuf *o, ProtobufCBinaryData packed, int depth);

static Value
read_array(OtlpProtobuf *o, ProtobufCBinaryData packed, int depth)
{
	uint32		base = o->stack.count;
	Otlp__ArrayValue *array = otlp__array_value__unpack(&o->allocator, packed.len, packed.data);

	if (array == NULL)
		reject(o, "an array value is malformed");
	for (size_t i = 0; array && i < array->n_values; i++)
		value_push(&o->stack, (Bytes) {"", 0}, read_value(o, array->values[i], depth + 1));
	return otlp_finish_container(&o->stack, base, VALUE_ARRAY, &o->set->arena);
}

static Value
read_kvlist(OtlpProtobuf *o, ProtobufCBinaryData packed, int depth)
{
	uint32		base = o->stack.count;
	Otlp__KeyValueList *list = otlp__key_value_list__unpack(&o->allocator, packed.len, packed.data);

	if (list == NULL)
		reject(o, "a kvlist value is malformed");
	for (size_t i = 0; list && i < list->n_values; i++)
		value_push(&o->stack, read_text(o, list->values[i]->key),
				   read_value(o, list->values[i]->value, depth + 1));
	return otlp_finish_container(&o->stack, base, VALUE_KVLIST, &o->set->arena);
}

/* An AnyValue.  The recursion is bounded by VALUE_MAX_DEPTH. */
static Value
read_value(OtlpProtobuf *o, ProtobufCBinaryData packed, int depth)
{
	Value		value = {.type = VALUE_EMPTY};
	Otlp__AnyValue *any;

	if (packed.len == 0)
		return value;
	any = otlp__any_value__unpack(&o->allocator, packed.len, packed.data);
	if (any == NULL)
	{
		reject(o, "an attribute's value is malformed");
		return value;
	}
	switch (any->value_case)
	{
		case OTLP__ANY_VALUE__VALUE_STRING_VALUE:
			return value_string(read_text(o, any->string_value));
		case OTLP__ANY_VALUE__VALUE_BOOL_VALUE:
			return value_bool(any->bool_value);
		case OTLP__ANY_VALUE__VALUE_INT_VALUE:
			return value_int(any->int_value);
		case OTLP__ANY_VALUE__VALUE_DOUBLE_VALUE:
			return value_double(any->double_value);
		case OTLP__ANY_VALUE__VALUE_BYTES_VALUE:
			value.type = VALUE_BYTES;
			value.len = any->bytes_value.len;
			value.bytes = value.len > 0 ? (char *) any->bytes_value.data : "";
			return value;
		case OTLP__ANY_VALUE__VALUE_ARRAY_VALUE:
		case OTLP__ANY_VALUE__VALUE_KVLIST_VALUE:
			if (depth >= VALUE_MAX_DEPTH)
			{
				reject(o, "an attribute's value is nested too deeply");
				return value;
			}
			return any->value_case == OTLP__ANY_VALUE__VALUE_ARRAY_VALUE ?
				read_array(o, any->array_value, depth) :
				read_kvlist(o, any->kvlist_value, depth);
		default:
			return value;
	}
}

static void
push_attributes(OtlpProtobuf *o, Otlp__KeyValue **attributes, size_t n)
{
	for (size_t i = 0; i < n; i++)
	{
		Value		value = read_value(o, attributes[i]->value, 0);

		CHECK_FOR_INTERRUPTS();
		spanset_push_attr(o->set, spanset_key(o->set, read_text(o, attributes[i]->key)), value);
	}
}

static AttrList
read_attributes(OtlpProtobuf *o, Otlp__KeyValue **attributes, size_t n)
{
	uint32		base = o->set->stack_count;

	push_attributes(o, attributes, n);
	return spanset_pop_attrs(o->set, base);
}

/*
 * An id of size bytes, or of 8 bytes, padded on the left.  False if it has
 * another length.
 */
static bool
read_id(ProtobufCBinaryData bytes, uint8 *id, size_t size)
{
	memset(id, 0, size);
	if (bytes.len != size && bytes.len != 8)
		return false;
	memcpy(id + size - bytes.len, bytes.data, bytes.len);
	return true;
}

static uint64
read_span_id(OtlpProtobuf *o, ProtobufCBinaryData bytes, const char *reason)
{
	uint8		id[8];

	if (bytes.len == 0)
		return 0;
	if (!read_id(bytes, id, sizeof(id)))
		reject(o, reason);
	return span_id_from_bytes(id);
}

static void
read_events(OtlpProtobuf *o, const Otlp__Span *in, Span *span)
{
	span->event_count = in->n_events;
	span->events = arena_alloc(&o->set->arena, in->n_events * sizeof(Event));
	for (size_t i = 0; i < in->n_events; i++)
	{
		const Otlp__Event *event = in->events[i];

		span->events[i] = (Event) {
			.time_ns = otlp_event_time(event->time_unix_nano, span),
				.name = read_text(o, event->name),
				.attributes = read_attributes(o, event->attributes, event->n_attributes),
				.dropped_attributes_count = event->dropped_attributes_count
		};
	}
}

static void
read_links(OtlpProtobuf *o, const Otlp__Span *in, Span *span)
{
	span->link_count = in->n_links;
	span->links = arena_alloc(&o->set->arena, in->n_links * sizeof(Link));
	for (size_t i = 0; i < in->n_links; i++)
	{
		const Otlp__Link *link = in->links[i];

		span->links[i] = (Link) {
			.span_id = read_span_id(o, link->span_id, "a link's span id is malformed"),
				.trace_state = read_text(o, link->trace_state),
				.attributes = read_attributes(o, link->attributes, link->n_attributes),
				.dropped_attributes_count = link->dropped_attributes_count,
				.flags = link->flags
		};
		if (link->trace_id.len > 0 && !read_id(link->trace_id, span->links[i].trace_id, 16))
			reject(o, "a link's trace id is malformed");
	}
}

static Bytes
id_as_hex(OtlpProtobuf *o, ProtobufCBinaryData id)
{
	StringInfoData buf;
	Bytes		copy;

	initStringInfo(&buf);
	hex_put(&buf, id.data, Min(id.len, 16));
	copy = arena_copy(&o->set->arena, buf.data, buf.len);
	pfree(buf.data);
	return copy;
}

static void
read_span(OtlpProtobuf *o, const Otlp__Span *in, uint32 resource, uint32 scope)
{
	uint32		base = o->set->stack_count;
	Span		span = {.resource = resource,.scope = scope};

	o->reject = NULL;
	o->repaired = 0;
	otlp_set_times(&span, in->start_time_unix_nano, in->end_time_unix_nano, &o->reject);
	if (in->trace_id.len > 0 && !read_id(in->trace_id, span.trace_id, 16))
		reject(o, "trace id is malformed");
	if (bytes_are_zero(span.trace_id, 16))
		reject(o, "trace id is missing or zero");
	span.span_id = read_span_id(o, in->span_id, "span id is malformed");
	if (span.span_id == 0)
		reject(o, "span id is missing or zero");
	span.parent_id = read_span_id(o, in->parent_span_id, "parent span id is malformed");
	span.name = read_text(o, in->name);
	if (span.name.len > SPAN_NAME_MAX_LEN)
		reject(o, "name is longer than 65535 bytes");
	span.span_kind = in->kind > 0 && in->kind < SPAN_KIND_COUNT ? in->kind : 0;
	span.trace_state = read_text(o, in->trace_state);
	span.flags = in->flags;
	for (size_t i = 0; i < in->n_status; i++)
	{
		int32		code = in->status[i]->code;

		span.status = code > 0 && code < SPAN_STATUS_COUNT ? code : SPAN_STATUS_UNSET;
		span.status_message = read_text(o, in->status[i]->message);
	}
	push_attributes(o, in->attributes, in->n_attributes);
	read_events(o, in, &span);
	read_links(o, in, &span);
	span.dropped_attributes_count = in->dropped_attributes_count;
	span.dropped_events_count = in->dropped_events_count;
	span.dropped_links_count = in->dropped_links_count;
	span.repaired += o->repaired;

	if (o->reject)
	{
		o->set->stack_count = base;
		spanset_reject(o->set, id_as_hex(o, in->span_id), o->reject);
		return;
	}
	otlp_take_attributes(o->set, &span, base);
	*spanset_add_span(o->set) = span;
}

static void
read_scope_spans(OtlpProtobuf *o, const Otlp__ScopeSpans *in, uint32 resource)
{
	uint32		index = spanset_add_scope(o->set);
	uint32		first = o->set->span_count;
	uint32		base = o->set->stack_count;
	Scope	   *scope = &o->set->scopes[index];
	const char *reason;
	uint32		repaired;

	o->reject = NULL;
	o->repaired = 0;
	scope->schema_url = read_text(o, in->schema_url);
	for (size_t i = 0; i < in->n_scope; i++)
	{
		scope->name = read_text(o, in->scope[i]->name);
		scope->version = read_text(o, in->scope[i]->version);
		push_attributes(o, in->scope[i]->attributes, in->scope[i]->n_attributes);
		scope->dropped_attributes_count = in->scope[i]->dropped_attributes_count;
	}
	scope->attributes = spanset_pop_attrs(o->set, base);
	reason = o->reject;
	repaired = o->repaired;

	for (size_t i = 0; i < in->n_spans; i++)
		read_span(o, in->spans[i], resource, index);
	otlp_finish_spans(o->set, first, reason, repaired);
}

static void
read_resource_spans(OtlpProtobuf *o, const Otlp__ResourceSpans *in)
{
	uint32		index = spanset_add_resource(o->set);
	uint32		first = o->set->span_count;
	uint32		base = o->set->stack_count;
	Resource   *resource = &o->set->resources[index];
	const char *reason;
	uint32		repaired;

	o->reject = NULL;
	o->repaired = 0;
	resource->schema_url = read_text(o, in->schema_url);
	for (size_t i = 0; i < in->n_resource; i++)
	{
		push_attributes(o, in->resource[i]->attributes, in->resource[i]->n_attributes);
		resource->dropped_attributes_count = in->resource[i]->dropped_attributes_count;
	}
	resource->attributes = spanset_pop_attrs(o->set, base);
	reason = o->reject;
	repaired = o->repaired;

	for (size_t i = 0; i < in->n_scope_spans; i++)
		read_scope_spans(o, in->scope_spans[i], index);
	otlp_finish_spans(o->set, first, reason, repaired);
}

/* The first length-delimited field of that number in a message; else empty. */
static Bytes
find_field(Bytes message, uint8 number)
{
	const uint8 *at = (const uint8 *) message.data;
	const uint8 *end = at + message.len;

	while (at < end && (*at & 7) == 2)
	{
		bool		is_it = *at++ >> 3 == number;
		uint64		len = 0;

		for (int shift = 0; at < end && shift < 35; shift += 7)
		{
			len |= (uint64) (*at & 0x7f) << shift;
			if (*at++ < 0x80)
				break;
		}
		if (len > (uint64) (end - at))
			break;
		if (is_it)
			return (Bytes) {(const char *) at, (uint32) len};
		at += len;
	}
	return (Bytes) {"", 0};
}

/*
 * All signals have the same envelope.  A log record begins with a fixed time,
 * where a span has its trace id; a metric begins with its name, and what
 * follows does not fit a span.
 */
static const char *
guess_signal(const uint8 *bytes, size_t len)
{
	Bytes		record = find_field(find_field(find_field((Bytes) {(const char *) bytes, len}, 1), 2), 2);

	if (record.len > 0 && (record.data[0] == 0x09 || record.data[0] == 0x59))
		return "It looks like logs, not traces.";
	if (record.len > 1 && record.data[0] == 0x0a && record.data[1] != 16 && record.data[1] != 8)
		return "It looks like metrics, not traces.";
	return NULL;
}

/*
 * Add the spans of one ExportTraceServiceRequest to a set.  The bytes must
 * stay where they are as long as the set.
 */
void
otlp_protobuf_read(SpanSet *set, const uint8 *bytes, size_t len)
{
	OtlpProtobuf o = {.set = set};
	uint32		spans_before = set->span_count;
	uint32		rejections_before = set->rejection_count;
	Otlp__ExportTraceServiceRequest *request;
	const char *signal;

	o.allocator = (ProtobufCAllocator) {
		.alloc = arena_allocate,.free = arena_keep,.allocator_data = &set->arena
	};
	request = otlp__export_trace_service_request__unpack(&o.allocator, len, bytes);
	for (size_t i = 0; request && i < request->n_resource_spans; i++)
		read_resource_spans(&o, request->resource_spans[i]);
	if (request && (set->span_count > spans_before || set->rejection_count == rejections_before))
		return;

	/* not one span could be kept: is it something else altogether? */
	signal = guess_signal(bytes, len);
	if (request == NULL || signal)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("invalid OTLP protobuf"),
				 errdetail("%s", signal ? signal :
						   "The bytes are no ExportTraceServiceRequest."),
				 errhint("A body compressed with gzip has to be decompressed first; JSON goes to trajectories_from_otlp().")));
}
