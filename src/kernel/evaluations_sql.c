/*
 * evaluations_sql.c
 *		Judgements that were recorded as events of spans.
 */
#include "postgres.h"

#include "kernel/otlp.h"
#include "kernel/row_writer.h"
#include "kernel/short_text.h"
#include "kernel/trajectory_sql.h"
#include "miscadmin.h"

#define EVALUATION_EVENT "gen_ai.evaluation.result"

static const Value *
event_attribute(const Trajectory *t, const Event *event, const char *name)
{
	for (uint32 i = 0; i < event->attributes.n; i++)
		if (bytes_equal_cstring(t->keys[event->attributes.keys[i]].name, name))
			return &event->attributes.values[i];
	return NULL;
}

static void
row_string(RowWriter *w, const Value *v)
{
	if (v && v->type == VALUE_STRING && v->len > 0)
		row_text(w, value_bytes(v));
	else
		row_null(w);
}

/* One judgement; an event without a name of what was judged is none. */
static void
put_evaluation(RowWriter *w, const Trajectory *t, uint32 ordinal, const Event *event)
{
	const Value *name = event_attribute(t, event, "gen_ai.evaluation.name");
	const Value *score = event_attribute(t, event, "gen_ai.evaluation.score.value");
	char		digits[SPAN_ID_DIGITS];
	ShortText	room = {.len = 0};
	double		number;

	if (name == NULL || name->type != VALUE_STRING || name->len == 0)
		return;
	span_id_hex(trajectory_span_id(t, ordinal), digits);
	row_begin(w);
	row_int4(w, ordinal + 1);
	row_text(w, (Bytes) {digits, sizeof(digits)});
	row_timestamptz(w, timestamptz_from_ns(event->time_ns));
	/* part of a key of table annotation */
	row_text(w, short_text(value_bytes(name), &room));
	if (score && value_read_double(score, &number))
		row_float8(w, number);
	else
		row_null(w);
	row_string(w, event_attribute(t, event, "gen_ai.evaluation.score.label"));
	row_end(w);
}

/* evaluations(trajectory) */
PG_FUNCTION_INFO_V1(trajectory_evaluations);
Datum
trajectory_evaluations(PG_FUNCTION_ARGS)
{
	Trajectory *t = trajectory_arg(fcinfo, 0, PARTS_ALL);
	RowWriter	w;

	row_writer_init(&w, fcinfo);
	for (uint32 i = 0; i < t->n; i++)
	{
		const SpanExtra *extra = trajectory_extra(t, i);

		CHECK_FOR_INTERRUPTS();
		for (uint32 k = 0; extra && k < extra->event_count; k++)
			if (bytes_equal_cstring(extra->events[k].name, EVALUATION_EVENT))
				put_evaluation(&w, t, i, &extra->events[k]);
	}
	return (Datum) 0;
}
