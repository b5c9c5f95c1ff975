/*
 * trace_summary.h
 *		What one row says of a trace: the columns of the view traces.
 *
 * O(n) in the spans, besides the attempts, which logical_calls() groups.
 */
#ifndef LLMTRACE_TRACE_SUMMARY_H
#define LLMTRACE_TRACE_SUMMARY_H

#include "kernel/trajectory.h"
#include "kernel/usage.h"

/* Where the feature comes from. */
typedef enum FeatureSource
{
	FEATURE_UNKNOWN = 0,
	FEATURE_ATTRIBUTE,
	FEATURE_WORKFLOW,
	FEATURE_AGENT
} FeatureSource;

extern const char *const feature_source_names[];

/* Columns whose value is a text of the trace's, found on one of its spans. */
typedef enum TraceText
{
	TRACE_SERVICE_NAME = 0,
	TRACE_SERVICE_VERSION,
	TRACE_ENVIRONMENT,
	TRACE_REGION,
	TRACE_FEATURE,
	TRACE_TENANT_ID,
	TRACE_USER_ID,
	TRACE_CONVERSATION_ID,
	TRACE_AGENT_NAME,
	TRACE_PROMPT_NAME,
	TRACE_PROMPT_VERSION,
	TRACE_PROMPT_HASH,
	TRACE_TEXTS
} TraceText;

typedef struct TraceSummary
{
	uint32		root;			/* ordinal of the primary root */
	uint32		model_call_count;	/* wrappers left out */
	uint32		tool_call_count;
	uint32		tool_error_count;
	uint32		agent_run_count;
	uint32		retry_count;	/* attempts after the first, hedges left out */
	uint32		depth;			/* levels */
	int64		reasoning_tokens;	/* own usage, or TOKENS_UNKNOWN */
	int64		cache_read_tokens;
	int64		cache_write_tokens;
	Bytes		error_type;		/* the root's, else the first failing span's */
	Bytes		first_model;	/* by start; empty if unknown */
	Bytes		last_model;
	Bytes		texts[TRACE_TEXTS]; /* empty if unknown */
	FeatureSource feature_source;
	double		sample_weight;	/* NaN if nothing speaks of sampling */
	char		error_room[64];
} TraceSummary;

extern void trace_summarise(const Trajectory *t, TraceSummary *summary);
extern bool resource_text(const Trajectory *t, uint32 resource, CanonicalColumn column,
						  Bytes *text);

#endif							/* LLMTRACE_TRACE_SUMMARY_H */
