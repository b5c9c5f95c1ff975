/*
 * span_times.h
 *		Time that a span spent itself, and ends of spans left open.
 */
#ifndef LLMTRACE_SPAN_TIMES_H
#define LLMTRACE_SPAN_TIMES_H

extern void effective_ends(uint32 n, const int32 *parent, const int64 *start_ns,
						   const int64 *end_ns, int64 *effective_ns);
extern void self_times(uint32 n, const int32 *parent, const int64 *start_ns,
					   const int64 *end_ns, const int64 *effective_ns, int64 *self_ns);

#endif							/* LLMTRACE_SPAN_TIMES_H */
