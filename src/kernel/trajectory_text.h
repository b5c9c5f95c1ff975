/*
 * trajectory_text.h
 *		The text form of a trajectory: JSON that loses nothing.
 *
 *	{"trace_id": "…", "canonical": {"key": "column", …},
 *	 "resources": [{"attributes": {…}, "schema_url": "…",
 *					"dropped_attributes_count": n}, …],
 *	 "scopes": [{"name": "…", "version": "…", "attributes": {…},
 *				 "schema_url": "…", "dropped_attributes_count": n}, …],
 *	 "spans": [{"span_id": "…", "parent_span_id": "…", "name": "…",
 *				"span_kind": "internal", "start_ns": n, "end_ns": n,
 *				"status": "error", "status_message": "…",
 *				"resource": 0, "scope": 0, "trace_state": "…", "flags": n,
 *				"attributes": {…}, "derived": {…}, "repaired": n,
 *				"events": [{"time_ns": n, "name": "…", "attributes": {…},
 *							"dropped_attributes_count": n}, …],
 *				"links": [{"trace_id": "…", "span_id": "…", "trace_state": "…",
 *						   "flags": n, "attributes": {…},
 *						   "dropped_attributes_count": n}, …],
 *				"dropped_attributes_count": n, "dropped_events_count": n,
 *				"dropped_links_count": n}, …]}
 *
 * Of a span, span_id, name, start_ns and end_ns (null if open) are required;
 * spans may stand in any order.  resource and scope are places in the lists,
 * 0 by default.  Without "derived", canonical values are derived as for OTLP.
 *
 * Values are JSON's: an integer literal is an int, a number with a point or an
 * exponent a double, null the empty value.  What JSON lacks is an object of
 * one member: {"$double": "NaN" | "Infinity" | "-Infinity"}, {"$bytes":
 * base64}, {"$ref": "hash:size"}; and a kvlist whose first key begins with $
 * is {"$kvlist": {…}}.
 */
#ifndef LLMTRACE_TRAJECTORY_TEXT_H
#define LLMTRACE_TRAJECTORY_TEXT_H

#include "kernel/trajectory.h"

extern void trajectory_read_text(SpanSet *set, const char *text, size_t len);
extern Value value_read_text(SpanSet *set, Bytes text);
extern void value_write_text(StringInfo buf, const Value *v);
extern void trajectory_write_text(StringInfo buf, const Trajectory *t);

extern const char *const span_kind_names[SPAN_KIND_COUNT];
extern const char *const span_status_names[SPAN_STATUS_COUNT];

#endif							/* LLMTRACE_TRAJECTORY_TEXT_H */
