/*
 * transcript.h
 *		Runs that come without a trace: lists of actions, and chats.
 */
#ifndef LLMTRACE_TRANSCRIPT_H
#define LLMTRACE_TRANSCRIPT_H

#include "kernel/spanset.h"

/* How deep the actions of sub-agents may be nested. */
#define TRANSCRIPT_MAX_DEPTH 16

extern void transcript_read_actions(SpanSet *set, const char *json, size_t len);
extern void transcript_read_messages(SpanSet *set, const char *json, size_t len);

#endif							/* LLMTRACE_TRANSCRIPT_H */
