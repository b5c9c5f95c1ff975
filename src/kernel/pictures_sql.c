/*
 * pictures_sql.c
 *		Trajectories and profiles as pictures, and as the frames that Grafana's
 *		flame graph and trace panels read.
 */
#include "postgres.h"

#include "kernel/flamegraph.h"
#include "kernel/json_reader.h"
#include "kernel/profile_sql.h"
#include "kernel/spans.h"
#include "kernel/svg.h"
#include "kernel/trajectory_sql.h"
#include "kernel/trajectory_text.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"

PG_FUNCTION_INFO_V1(trajectory_waterfall_svg);
Datum
trajectory_waterfall_svg(PG_FUNCTION_ARGS)
{
	Trajectory *t = trajectory_arg(fcinfo, 0, PARTS_ALL);
	StringInfoData buf;

	initStringInfo(&buf);
	waterfall_svg(&buf, t);
	PG_RETURN_DATUM(text_datum((Bytes) {buf.data, buf.len}));
}

static const FlameMeasure *
measure_arg(FunctionCallInfo fcinfo, int arg)
{
	text	   *given = PG_GETARG_TEXT_PP(arg);
	Bytes		name = {VARDATA_ANY(given), VARSIZE_ANY_EXHDR(given)};
	StringInfoData known;

	for (int i = 0; i < flame_measure_count; i++)
		if (bytes_equal_cstring(name, flame_measures[i].name))
			return &flame_measures[i];
	initStringInfo(&known);
	for (int i = 0; i < flame_measure_count; i++)
		appendStringInfo(&known, "%s%s", i == 0 ? "" : ", ", flame_measures[i].name);
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_COLUMN),
			 errmsg("unknown measure \"%s\" of a flame graph", text_to_cstring(given)),
			 errdetail("Known are %s.", known.data)));
}

PG_FUNCTION_INFO_V1(profile_flamegraph_svg);
Datum
profile_flamegraph_svg(PG_FUNCTION_ARGS)
{
	const FlameMeasure *measure = measure_arg(fcinfo, 1);
	StringInfoData buf;

	initStringInfo(&buf);
	flamegraph_svg(&buf, PG_GETARG_PROFILE(0), measure);
	PG_RETURN_DATUM(text_datum((Bytes) {buf.data, buf.len}));
}

/* level, value, label, self */
PG_FUNCTION_INFO_V1(profile_grafana_flamegraph);
Datum
profile_grafana_flamegraph(PG_FUNCTION_ARGS)
{
	const FlameMeasure *measure = measure_arg(fcinfo, 1);
	Profile    *p = PG_GETARG_PROFILE(0);
	uint32	   *order = profile_order(p);
	double	   *total = flame_totals(p, measure, order);
	RowWriter	w;

	row_writer_init(&w, fcinfo);
	for (uint32 k = 0; k < p->count; k++)
	{
		row_begin(&w);
		row_int4(&w, p->frames[order[k]].depth);
		row_float8(&w, total[order[k]]);
		row_text(&w, profile_frame_name(p, order[k]));
		row_float8(&w, flame_own(p, measure, order[k]));
		row_end(&w);
	}
	return (Datum) 0;
}

/* [{"key", "value"}, …] as jsonb */
static struct varlena *
key_values(const Trajectory *t, const AttrList *list, StringInfo buf)
{
	resetStringInfo(buf);
	appendStringInfoChar(buf, '[');
	for (uint32 i = 0; i < list->n; i++)
	{
		appendStringInfoString(buf, i ? ", {\"key\": " : "{\"key\": ");
		json_put_string(buf, t->keys[list->keys[i]].name);
		appendStringInfoString(buf, ", \"value\": ");
		value_write_text(buf, &list->values[i]);
		appendStringInfoChar(buf, '}');
	}
	appendStringInfoChar(buf, ']');
	return (struct varlena *) PG_DETOAST_DATUM(DirectFunctionCall1(jsonb_in, CStringGetDatum(buf->data)));
}

static Bytes
service_name(const Trajectory *t, const Resource *resource)
{
	for (uint32 k = 0; k < resource->attributes.n; k++)
		if (resource->attributes.values[k].type == VALUE_STRING &&
			bytes_equal_cstring(t->keys[resource->attributes.keys[k]].name, "service.name"))
			return value_bytes(&resource->attributes.values[k]);
	return BYTES_LITERAL("unknown");
}

/* One row a span, as the trace panel reads them. */
PG_FUNCTION_INFO_V1(trajectory_grafana_trace);
Datum
trajectory_grafana_trace(PG_FUNCTION_ARGS)
{
	Trajectory *t = trajectory_arg(fcinfo, 0, PARTS_ALL);
	Value	   *room = palloc_extended(Max(t->max_attributes, 1) * sizeof(Value), MCXT_ALLOC_HUGE);
	struct varlena **tags = palloc0(Max(t->resource_count, 1) * sizeof(struct varlena *));
	StringInfoData buf;
	char		trace_id[33];
	RowWriter	w;

	initStringInfo(&buf);
	for (int i = 0; i < 16; i++)
		snprintf(trace_id + 2 * i, 3, "%02x", t->summary.trace_id[i]);
	row_writer_init(&w, fcinfo);
	for (uint32 i = 0; i < t->n; i++)
	{
		const SpanClass *class = trajectory_class(t, i);
		const Resource *resource = &t->resources[class->resource];
		const SpanExtra *extra = trajectory_extra(t, i);
		AttrList	list = trajectory_attributes(t, i, room);
		struct varlena *own = key_values(t, &list, &buf);

		CHECK_FOR_INTERRUPTS();
		if (tags[class->resource] == NULL)
			tags[class->resource] = key_values(t, &resource->attributes, &buf);
		row_begin(&w);
		row_cstring(&w, trace_id);
		row_hex_id(&w, trajectory_span_id(t, i));
		row_parent_id(&w, t, i);
		row_text(&w, class->name);
		row_text(&w, service_name(t, resource));
		row_varlena(&w, tags[class->resource]);
		row_float8(&w, t->start_ns[i] / 1e6);
		row_float8(&w, t->end_ns[i] < 0 ? 0 : (t->end_ns[i] - t->start_ns[i]) / 1e6);
		row_varlena(&w, own);
		row_cstring(&w, span_kind_names[class->span_kind]);
		row_int4(&w, class->is_error ? 2 : class->status == 1 ? 1 : 0);
		row_text_or_null(&w, extra ? extra->status_message : (Bytes) {NULL, 0});
		row_end(&w);
		pfree(own);
	}
	return (Datum) 0;
}
