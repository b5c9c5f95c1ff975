/*
 * otlp_write.c
 *		Writing a trajectory as an ExportTraceServiceRequest in JSON.
 *
 * Derived attributes stay out: whoever reads it derives them again.  Counts of
 * repaired characters and payload references travel as reserved attributes.
 */
#include "postgres.h"

#include <math.h>

#include "kernel/json_reader.h"
#include "kernel/otlp.h"
#include "miscadmin.h"

/* Begin a member; the first of an object has no comma before it. */
static void
put_name(StringInfo buf, const char *name)
{
	if (buf->data[buf->len - 1] != '{')
		appendStringInfoChar(buf, ',');
	appendStringInfo(buf, "\"%s\":", name);
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
	put_byte(buf, '"');
	json_put_integer(buf, time_ns);
	appendStringInfoChar(buf, '"');
}

static void put_value(StringInfo buf, const Value *v);

static void
put_elements(StringInfo buf, const Value *container)
{
	ValueIterator it;
	Bytes		key;
	Value		v;
	bool		is_first = true;

	value_iterate(&it, container);
	while (value_next(&it, &key, &v))
	{
		if (!is_first)
			appendStringInfoChar(buf, ',');
		is_first = false;
		if (it.has_keys)
		{
			appendStringInfoString(buf, "{\"key\":");
			json_put_string(buf, key);
			appendStringInfoString(buf, ",\"value\":");
			put_value(buf, &v);
			appendStringInfoChar(buf, '}');
		}
		else
			put_value(buf, &v);
	}
}

/* An AnyValue.  The recursion is bounded by VALUE_MAX_DEPTH. */
static void
put_value(StringInfo buf, const Value *v)
{
	switch ((ValueType) v->type)
	{
		case VALUE_EMPTY:
			appendStringInfoString(buf, "{}");
			break;
		case VALUE_STRING:
			appendStringInfoString(buf, "{\"stringValue\":");
			json_put_string(buf, value_bytes(v));
			appendStringInfoChar(buf, '}');
			break;
		case VALUE_BOOL:
			appendStringInfo(buf, "{\"boolValue\":%s}", v->boolean ? "true" : "false");
			break;
		case VALUE_INT:
			appendStringInfoString(buf, "{\"intValue\":\"");
			json_put_integer(buf, v->integer);
			appendStringInfoString(buf, "\"}");
			break;
		case VALUE_DOUBLE:
			appendStringInfoString(buf, "{\"doubleValue\":");
			if (isnan(v->number))
				appendStringInfoString(buf, "\"NaN\"");
			else if (isinf(v->number))
				appendStringInfoString(buf, v->number > 0 ? "\"Infinity\"" : "\"-Infinity\"");
			else
				json_put_double(buf, v->number);
			appendStringInfoChar(buf, '}');
			break;
		case VALUE_BYTES:
			appendStringInfoString(buf, "{\"bytesValue\":\"");
			json_put_base64(buf, value_bytes(v));
			appendStringInfoString(buf, "\"}");
			break;
		case VALUE_ARRAY:
			appendStringInfoString(buf, "{\"arrayValue\":{\"values\":[");
			put_elements(buf, v);
			appendStringInfoString(buf, "]}}");
			break;
		case VALUE_KVLIST:
			appendStringInfoString(buf, "{\"kvlistValue\":{\"values\":[");
			put_elements(buf, v);
			appendStringInfoString(buf, "]}}");
			break;
		case VALUE_REF:
			appendStringInfoString(buf, "{\"kvlistValue\":{\"values\":[{\"key\":\"" OTLP_REF_KEY
								   "\",\"value\":{\"stringValue\":\"");
			hex_put(buf, (const uint8 *) v->bytes, VALUE_REF_HASH_LEN);
			appendStringInfo(buf, ":%u\"}}]}}", v->len);
			break;
	}
}

static void
put_attribute(StringInfo buf, Bytes key, const Value *v)
{
	if (buf->data[buf->len - 1] != '[')
		appendStringInfoChar(buf, ',');
	appendStringInfoString(buf, "{\"key\":");
	json_put_string(buf, key);
	appendStringInfoString(buf, ",\"value\":");
	put_value(buf, v);
	appendStringInfoChar(buf, '}');
}

static bool
has_attributes(const Trajectory *t, const AttrList *list)
{
	for (uint32 i = 0; i < list->n; i++)
		if (!t->keys[list->keys[i]].is_derived)
			return true;
	return false;
}

static void
put_attributes(StringInfo buf, const Trajectory *t, const AttrList *list, uint32 repaired)
{
	if (!has_attributes(t, list) && repaired == 0)
		return;
	put_name(buf, "attributes");
	appendStringInfoChar(buf, '[');
	for (uint32 i = 0; i < list->n; i++)
		if (!t->keys[list->keys[i]].is_derived)
			put_attribute(buf, t->keys[list->keys[i]].name, &list->values[i]);
	if (repaired > 0)
	{
		Value		count = value_int(repaired);

		put_attribute(buf, BYTES_LITERAL(OTLP_REPAIRED_KEY), &count);
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

		appendStringInfoString(buf, i == 0 ? "{" : ",{");
		put_time(buf, "timeUnixNano", event->time_ns);
		put_text(buf, "name", event->name);
		put_attributes(buf, t, &event->attributes, 0);
		put_count(buf, "droppedAttributesCount", event->dropped_attributes_count);
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

		appendStringInfoString(buf, i == 0 ? "{\"traceId\":\"" : ",{\"traceId\":\"");
		hex_put(buf, link->trace_id, 16);
		appendStringInfoString(buf, "\",\"spanId\":\"");
		span_id_put_hex(buf, link->span_id);
		appendStringInfoChar(buf, '"');
		put_text(buf, "traceState", link->trace_state);
		put_attributes(buf, t, &link->attributes, 0);
		put_count(buf, "droppedAttributesCount", link->dropped_attributes_count);
		put_count(buf, "flags", link->flags);
		appendStringInfoChar(buf, '}');
	}
	appendStringInfoChar(buf, ']');
}

static void
put_span(StringInfo buf, const Trajectory *t, uint32 ordinal, Value *room)
{
	const SpanClass *class = trajectory_class(t, ordinal);
	AttrList	attributes = trajectory_attributes(t, ordinal, room);
	const SpanExtra *extra = trajectory_extra(t, ordinal);
	uint64		parent_id = trajectory_parent_id(t, ordinal);

	appendStringInfoString(buf, "{\"traceId\":\"");
	hex_put(buf, t->summary.trace_id, 16);
	appendStringInfoString(buf, "\",\"spanId\":\"");
	span_id_put_hex(buf, trajectory_span_id(t, ordinal));
	appendStringInfoChar(buf, '"');
	if (parent_id != 0)
	{
		put_name(buf, "parentSpanId");
		appendStringInfoChar(buf, '"');
		span_id_put_hex(buf, parent_id);
		appendStringInfoChar(buf, '"');
	}
	put_text(buf, "traceState", class->trace_state);
	put_text(buf, "name", class->name);
	put_count(buf, "kind", class->span_kind);
	put_time(buf, "startTimeUnixNano", t->start_ns[ordinal]);
	put_time(buf, "endTimeUnixNano", t->end_ns[ordinal] == TIME_OPEN ? 0 : t->end_ns[ordinal]);
	put_attributes(buf, t, &attributes, extra ? extra->repaired : 0);
	if (extra)
	{
		if (extra->event_count > 0)
			put_events(buf, t, extra);
		if (extra->link_count > 0)
			put_links(buf, t, extra);
		put_count(buf, "droppedAttributesCount", extra->dropped_attributes_count);
		put_count(buf, "droppedEventsCount", extra->dropped_events_count);
		put_count(buf, "droppedLinksCount", extra->dropped_links_count);
	}
	put_name(buf, "status");
	appendStringInfoChar(buf, '{');
	if (extra)
		put_text(buf, "message", extra->status_message);
	put_count(buf, "code", class->status);
	appendStringInfoChar(buf, '}');
	put_count(buf, "flags", class->flags);
	appendStringInfoChar(buf, '}');
}

static void
begin_resource(StringInfo buf, const Trajectory *t, const Resource *resource)
{
	appendStringInfoString(buf, "{\"resource\":{");
	put_attributes(buf, t, &resource->attributes, 0);
	put_count(buf, "droppedAttributesCount", resource->dropped_attributes_count);
	appendStringInfoChar(buf, '}');
	put_text(buf, "schemaUrl", resource->schema_url);
	appendStringInfoString(buf, ",\"scopeSpans\":[");
}

static void
begin_scope(StringInfo buf, const Trajectory *t, const Scope *scope)
{
	appendStringInfoString(buf, "{\"scope\":{");
	put_text(buf, "name", scope->name);
	put_text(buf, "version", scope->version);
	put_attributes(buf, t, &scope->attributes, 0);
	put_count(buf, "droppedAttributesCount", scope->dropped_attributes_count);
	appendStringInfoChar(buf, '}');
	put_text(buf, "schemaUrl", scope->schema_url);
	appendStringInfoString(buf, ",\"spans\":[");
}

typedef struct SpanPlace
{
	uint64		place;			/* resource, then scope */
	uint32		ordinal;
} SpanPlace;

static int
span_place_compare(const void *a, const void *b)
{
	const SpanPlace *x = a;
	const SpanPlace *y = b;

	if (x->place != y->place)
		return x->place < y->place ? -1 : 1;
	return (x->ordinal > y->ordinal) - (x->ordinal < y->ordinal);
}

/* Append the request that holds all of a trajectory. */
void
otlp_json_write(StringInfo buf, const Trajectory *t)
{
	SpanPlace  *places = palloc_extended(t->n * sizeof(SpanPlace), MCXT_ALLOC_HUGE);
	Value	   *room = palloc_extended(Max(t->max_attributes, 1) * sizeof(Value), MCXT_ALLOC_HUGE);

	for (uint32 i = 0; i < t->n; i++)
	{
		const SpanClass *class = trajectory_class(t, i);

		places[i] = (SpanPlace) {(uint64) class->resource << 32 | class->scope, i};
	}
	qsort(places, t->n, sizeof(SpanPlace), span_place_compare);

	appendStringInfoString(buf, "{\"resourceSpans\":[");
	for (uint32 i = 0; i < t->n; i++)
	{
		uint32		resource = places[i].place >> 32;
		uint32		scope = (uint32) places[i].place;
		bool		is_new_resource = i == 0 || resource != places[i - 1].place >> 32;
		bool		is_new_scope = is_new_resource || scope != (uint32) places[i - 1].place;

		CHECK_FOR_INTERRUPTS();
		if (is_new_scope && i > 0)
			appendStringInfoString(buf, "]}");
		if (is_new_resource)
		{
			if (i > 0)
				appendStringInfoString(buf, "]},");
			begin_resource(buf, t, &t->resources[resource]);
		}
		else if (is_new_scope)
			appendStringInfoChar(buf, ',');
		if (is_new_scope)
			begin_scope(buf, t, &t->scopes[scope]);
		else
			appendStringInfoChar(buf, ',');
		put_span(buf, t, places[i].ordinal, room);
	}
	appendStringInfoString(buf, "]}]}]}");
	pfree(places);
	pfree(room);
}
