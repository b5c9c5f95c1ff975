/*
 * component_time.h
 *		What a trace's time went to: models, tools, databases, own code.
 *
 * A span belongs to the component of what it does.  One that does nothing in
 * particular (kind other) belongs to a database if it says what database it
 * asks, else to the model, tool or whatever it is below: an HTTP request below
 * a tool is the tool's time.  Agents, workflows and the rest are own code.
 */
#ifndef LLMTRACE_COMPONENT_TIME_H
#define LLMTRACE_COMPONENT_TIME_H

#include "kernel/critical_path.h"
#include "kernel/trajectory.h"

typedef enum Component
{
	COMPONENT_OWN = 0,
	COMPONENT_MODEL,			/* llm, embedding, rerank */
	COMPONENT_TOOL,
	COMPONENT_RETRIEVAL,		/* and memory */
	COMPONENT_DATABASE,
	COMPONENT_HUMAN,
	COMPONENT_COUNT
} Component;

extern const char *const component_names[COMPONENT_COUNT];

/* Of all spans with one name, kind and component. */
typedef struct ComponentTime
{
	Bytes		name;
	uint8		kind;			/* OperationKind */
	uint8		component;
	int64		span_count;
	int64		self_ns;		/* in which no child ran; of closed spans */
	int64		critical_ns;	/* owned on the critical path */
} ComponentTime;

extern uint8 *span_components(const Trajectory *t);
extern ComponentTime *component_times(const Trajectory *t, const PathInput *in, PathWork *w,
									  uint32 *count);

#endif							/* LLMTRACE_COMPONENT_TIME_H */
