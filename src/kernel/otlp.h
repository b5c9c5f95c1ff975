/*
 * otlp.h
 *		OTLP in and out: ExportTraceServiceRequest as JSON and as protobuf.
 *
 * A span that cannot be kept is left out with its reason, noted in the set;
 * what is no OTLP at all raises an error.
 */
#ifndef LLMTRACE_OTLP_H
#define LLMTRACE_OTLP_H

#include "kernel/trajectory.h"
#include "kernel/value_builder.h"

/*
 * Attributes by which what the wire has no place for travels: to_otlp writes
 * them, reading takes them off again.
 */
#define OTLP_REPAIRED_KEY "llmtrace.repaired"
#define OTLP_REF_KEY "llmtrace.payload_ref"

/* Hexadecimal digits of a span id. */
#define SPAN_ID_DIGITS 16

extern void otlp_json_read(SpanSet *set, const char *json, size_t len);
extern void otlp_protobuf_read(SpanSet *set, const uint8 *bytes, size_t len);
extern void otlp_json_write(StringInfo buf, const Trajectory *t);

/* What both readers do alike. */
extern void otlp_finish_spans(SpanSet *set, uint32 first, const char *reject, uint32 repaired);
extern void otlp_take_attributes(SpanSet *set, Span *span, uint32 base);
extern Value otlp_finish_container(ValueStack *stack, uint32 base, ValueType type, Arena *arena);
extern void otlp_set_times(Span *span, uint64 start_ns, uint64 end_ns, const char **reject);
extern int64 otlp_event_time(uint64 time_ns, Span *span);
extern bool payload_ref_read(Bytes text, Value *ref, Arena *arena);

/* Hex, of any length up to size bytes, right-aligned. */
extern bool hex_read(Bytes text, uint8 *out, size_t size);
extern void hex_put(StringInfo buf, const uint8 *bytes, size_t len);
extern uint64 span_id_from_bytes(const uint8 *bytes);
extern void span_id_hex(uint64 span_id, char *digits);
extern void span_id_put_hex(StringInfo buf, uint64 span_id);

#endif							/* LLMTRACE_OTLP_H */
