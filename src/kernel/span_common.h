/*
 * span_common.h
 *		What a span has from those around it: its agent, feature, user …
 *
 * A span's own value counts, else that of the nearest span above it that has
 * one.  Services and places are its own, too, else those of its resource.  A long
 * text is cut, and stays until the next of the same kind is asked for.
 */
#ifndef LLMTRACE_SPAN_COMMON_H
#define LLMTRACE_SPAN_COMMON_H

#include "kernel/short_text.h"
#include "kernel/trajectory.h"

/* In the order of the views' columns. */
typedef enum CommonText
{
	COMMON_SERVICE_NAME = 0,
	COMMON_SERVICE_VERSION,
	COMMON_ENVIRONMENT,
	COMMON_REGION,
	COMMON_FEATURE,
	COMMON_TENANT_ID,
	COMMON_USER_ID,
	COMMON_CONVERSATION_ID,
	COMMON_AGENT_NAME,
	COMMON_PROMPT_NAME,
	COMMON_PROMPT_VERSION,
	COMMON_PROMPT_HASH,
	COMMON_TEXTS
} CommonText;

/* Those that stand on resources. */
#define COMMON_RESOURCE_TEXTS (COMMON_REGION + 1)

typedef struct SpanCommon
{
	const Trajectory *t;
	bool		is_prepared[COMMON_TEXTS];	/* is the following known? */
	Bytes	   *of_resources[COMMON_RESOURCE_TEXTS];	/* by resource */
	bool		is_on_spans[COMMON_RESOURCE_TEXTS]; /* does a span have one? */
	int32	   *holder[COMMON_TEXTS];	/* by ordinal: the span whose value
										 * counts, or -1; NULL if no span has
										 * one */
	ShortText  *rooms;			/* for long texts */
} SpanCommon;

extern SpanCommon span_common(const Trajectory *t);
extern bool span_common_text(SpanCommon *common, uint32 ordinal, CommonText text,
							 Bytes *value);
extern int32 *nearest_agents(const Trajectory *t);

#endif							/* LLMTRACE_SPAN_COMMON_H */
