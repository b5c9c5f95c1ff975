/*
 * span_measure.h
 *		Columns of spans by name, read without making rows.
 */
#ifndef LLMTRACE_SPAN_MEASURE_H
#define LLMTRACE_SPAN_MEASURE_H

#include "kernel/trajectory.h"
#include "kernel/usage.h"

typedef enum NumberMeasure
{
	NUMBER_DURATION_MS = 0,
	NUMBER_SELF_MS,
	NUMBER_START_MS,
	NUMBER_TTFT_MS,
	NUMBER_INPUT_TOKENS,
	NUMBER_OUTPUT_TOKENS,
	NUMBER_REASONING_TOKENS,
	NUMBER_CACHE_READ_TOKENS,
	NUMBER_CACHE_WRITE_TOKENS,
	NUMBER_REPORTED_COST_USD,
	NUMBER_DEPTH,
	NUMBER_SUBTREE_COUNT,
	NUMBER_MEASURES
} NumberMeasure;

typedef enum TextMeasure
{
	TEXT_NAME = 0,
	TEXT_KIND,
	TEXT_OPERATION,
	TEXT_SPAN_KIND,
	TEXT_STATUS,
	TEXT_ERROR_TYPE,
	TEXT_PROVIDER,
	TEXT_MODEL,
	TEXT_TOOL_NAME,
	TEXT_AGENT_NAME,
	TEXT_FINISH_REASON,
	TEXT_MEASURES
} TextMeasure;

extern const char *const number_measure_names[NUMBER_MEASURES];
extern const char *const text_measure_names[TEXT_MEASURES];

/* Room for a text that has to be made. */
#define SPAN_TEXT_ROOM 64

extern double *span_numbers(Trajectory *t, NumberMeasure measure);
extern bool class_tells_text(const Trajectory *t, const SpanClass *class, TextMeasure measure);
extern bool class_text(const Trajectory *t, const SpanClass *class, TextMeasure measure,
					   char *room, Bytes *text);
extern bool span_text(const Trajectory *t, uint32 ordinal, TextMeasure measure,
					  char *room, Bytes *text);
extern bool span_model(const SpanColumns *columns, Bytes *model);
extern bool span_tool(const SpanClass *class, const SpanColumns *columns, Bytes *tool);
extern bool span_agent(const SpanClass *class, const SpanColumns *columns, Bytes *agent);
extern bool span_error_type(const Trajectory *t, uint32 ordinal, char *room, Bytes *type);

#endif							/* LLMTRACE_SPAN_MEASURE_H */
