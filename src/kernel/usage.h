/*
 * usage.h
 *		Whose tokens a span reports: its own, or its descendants' again.
 */
#ifndef LLMTRACE_USAGE_H
#define LLMTRACE_USAGE_H

#include "kernel/canonical.h"

/* A count of tokens that nobody reported. */
#define TOKENS_UNKNOWN (-1)

typedef enum UsageScope
{
	USAGE_NONE = 0,				/* the span reports no usage */
	USAGE_OWN,
	USAGE_ROLLUP				/* its descendants report it too */
} UsageScope;

/* What one span reports; TOKENS_UNKNOWN where it does not. */
typedef struct SpanUsage
{
	int64		input_tokens;
	int64		output_tokens;
} SpanUsage;

extern int64 tokens_add(int64 a, int64 b);
extern SpanUsage columns_usage(const SpanColumns *s);
extern bool is_model_call(uint8 kind);
extern void usage_wrappers(uint32 n, const int32 *parent, const uint8 *kind,
						   const SpanUsage *usage, bool *is_wrapper);
extern void usage_scopes(uint32 n, const int32 *parent, const uint8 *kind,
						 const SpanUsage *usage, uint8 *scope);

#endif							/* LLMTRACE_USAGE_H */
