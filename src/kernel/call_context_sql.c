/*
 * call_context_sql.c
 *		What stands around calls, as rows.
 */
#include "postgres.h"

#include "kernel/call_context.h"
#include "kernel/span_common.h"
#include "kernel/span_measure.h"
#include "kernel/spans.h"
#include "kernel/trajectory_sql.h"
#include "miscadmin.h"

static void
put_call_context(RowWriter *w, const Trajectory *t, uint32 i, const ModelContext *c)
{
	row_begin(w);
	row_int4(w, i + 1);
	row_int4(w, c->request_count);
	if (c->request_count > 0)
	{
		row_ms(w, c->first_start_ns - t->start_ns[i]);
		row_ms(w, c->last_start_ns - c->first_start_ns);
	}
	else
	{
		row_null(w);
		row_null(w);
	}
	if (c->request_count > 0 && c->last_end_ns != TIME_OPEN && t->end_ns[i] != TIME_OPEN)
		row_ms(w, t->end_ns[i] - c->last_end_ns);
	else
		row_null(w);
	row_int4(w, c->tool_count);
	row_bool(w, c->is_last);
	row_end(w);
}

PG_FUNCTION_INFO_V1(trajectory_call_context);
Datum
trajectory_call_context(PG_FUNCTION_ARGS)
{
	Trajectory *t = trajectory_arg(fcinfo, 0, PARTS_TABLES);
	ModelContext *contexts = call_contexts(t);
	RowWriter	w;

	row_writer_init(&w, fcinfo);
	for (uint32 i = 0; i < t->n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (is_model_call(trajectory_class(t, i)->kind))
			put_call_context(&w, t, i, &contexts[i]);
	}
	return (Datum) 0;
}

static void
put_attempt(RowWriter *w, const Trajectory *t, SpanCommon *common, uint32 i,
			const LogicalCall *call, const CallOutcome *o)
{
	const SpanClass *class = trajectory_class(t, i);
	SpanColumns columns = trajectory_columns(t, i);
	Bytes		tool;
	Bytes		agent;

	row_begin(w);
	row_int4(w, i + 1);
	row_hex_id(w, trajectory_span_id(t, i));
	row_int4(w, call->call + 1);
	row_int4(w, call->attempt);
	row_int4(w, o->attempt_count);
	row_cstring(w, attempt_source_names[call->source]);
	row_bool(w, call->is_hedge);
	row_bool(w, o->last == i);
	row_bool(w, o->is_success);
	row_text(w, class->name);
	row_cstring(w, operation_kind_name(class->kind));
	row_text_or_null(w, span_tool(class, &columns, &tool) ? tool : (Bytes) {NULL, 0});
	row_provider(w, &columns);
	row_model(w, &columns);
	row_span_times(w, t, i);
	row_bool(w, class->is_error);
	row_error_type(w, t, i);
	row_text_or_null(w, span_common_text(common, i, COMMON_AGENT_NAME, &agent) ? agent : (Bytes) {NULL, 0});
	row_end(w);
}

PG_FUNCTION_INFO_V1(trajectory_call_attempts);
Datum
trajectory_call_attempts(PG_FUNCTION_ARGS)
{
	Trajectory *t = trajectory_arg(fcinfo, 0, PARTS_ALL);
	LogicalCall *calls = logical_calls(t);
	int32		count;
	CallOutcome *outcomes = call_outcomes(t, calls, &count);
	SpanCommon	common = span_common(t);
	RowWriter	w;

	row_writer_init(&w, fcinfo);
	for (uint32 i = 0; i < t->n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (calls[i].call != NOT_A_CALL)
			put_attempt(&w, t, &common, i, &calls[i], &outcomes[calls[i].call]);
	}
	return (Datum) 0;
}

PG_FUNCTION_INFO_V1(trajectory_fanout);
Datum
trajectory_fanout(PG_FUNCTION_ARGS)
{
	Fanout		f = trace_fanout(trajectory_arg(fcinfo, 0, PARTS_ALL));
	RowWriter	w;

	row_writer_init(&w, fcinfo);
	row_begin(&w);
	row_int4(&w, f.max_width);
	row_int4(&w, f.max_in_flight);
	row_int8(&w, f.model_call_count);
	row_int8(&w, f.tool_call_count);
	row_float8(&w, f.branching);
	row_int8(&w, f.peak_tokens);
	row_end(&w);
	return (Datum) 0;
}
