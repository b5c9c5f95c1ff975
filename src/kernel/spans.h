/*
 * spans.h
 *		Spans and traces as rows: what the functions that return them have in
 *		common.
 */
#ifndef LLMTRACE_SPANS_H
#define LLMTRACE_SPANS_H

#include "kernel/logical_calls.h"
#include "kernel/row_writer.h"
#include "kernel/trajectory_sql.h"
#include "kernel/usage.h"

/* Columns that all rows of a class have in common, once one has been written. */
typedef struct ClassRuns
{
	bool		knows_what;
	bool		knows_who;
	RowRun		what;			/* name to span_kind */
	RowRun		who;			/* provider to tool_name */
} ClassRuns;

/*
 * What rows take from a trajectory as a whole, found when it is first asked
 * for: a query mostly reads few columns.
 */
typedef struct SpanFacts
{
	Trajectory *t;
	FunctionCallInfo fcinfo;	/* of which t is the argument */
	SpanUsage  *usage;
	uint8	   *scope;			/* UsageScope */
	int64	   *self_ns;
	LogicalCall *calls;
	ClassRuns **runs;			/* by class */
} SpanFacts;

extern SpanFacts span_facts(FunctionCallInfo fcinfo, TrajectoryParts parts);
extern void span_facts_decode(SpanFacts *facts, TrajectoryParts parts);
extern const SpanUsage *span_facts_usage(SpanFacts *facts);
extern const uint8 *span_facts_scope(SpanFacts *facts);
extern const int64 *span_facts_self_ns(SpanFacts *facts);
extern const LogicalCall *span_facts_calls(SpanFacts *facts);
extern void row_span(RowWriter *w, SpanFacts *facts, uint32 ordinal);

extern void row_trace_summary(RowWriter *w, const Trajectory *t);

/* Parts of such rows. */
extern void row_hex_id(RowWriter *w, uint64 span_id);
extern void row_parent_id(RowWriter *w, const Trajectory *t, uint32 ordinal);
extern void row_span_times(RowWriter *w, const Trajectory *t, uint32 ordinal);
extern void row_ms(RowWriter *w, int64 ns);
extern void row_text_or_null(RowWriter *w, Bytes s);
extern void row_column_text(RowWriter *w, const SpanColumns *columns, CanonicalColumn column);
extern void row_usd(RowWriter *w, int64 pico);
extern void row_tokens(RowWriter *w, int64 tokens);
extern void row_own_tokens(RowWriter *w, const SpanColumns *columns, CanonicalColumn column,
						   bool is_own);
extern void row_error_type(RowWriter *w, const Trajectory *t, uint32 ordinal);
extern void row_provider(RowWriter *w, const SpanColumns *columns);
extern void row_model(RowWriter *w, const SpanColumns *columns);

#endif							/* LLMTRACE_SPANS_H */
