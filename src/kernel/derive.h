/*
 * derive.h
 *		Canonical values that take more than reading an attribute.
 */
#ifndef LLMTRACE_DERIVE_H
#define LLMTRACE_DERIVE_H

#include "kernel/trajectory.h"

extern bool shape_needs_deriving(const Shape *shape, OperationKind kind);
extern bool events_need_deriving(const Event *events, uint32 n);
extern bool span_needs_deriving(const SpanSet *set, const Span *span);
extern void span_derive(SpanSet *set, const Span *span);
extern void spans_derive_plans(SpanSet *set, const Trajectory *noted);

#endif							/* LLMTRACE_DERIVE_H */
