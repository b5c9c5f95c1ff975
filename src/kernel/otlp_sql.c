/*
 * otlp_sql.c
 *		OTLP to trajectories, as SQL functions.
 */
#include "postgres.h"

#include "compat.h"
#include "kernel/otlp.h"
#include "kernel/row_writer.h"
#include "miscadmin.h"

/* So many rejected spans are warned of one by one. */
#define MAX_WARNINGS 20

/* Say which spans were left out, and why. */
static void
warn_rejections(const SpanSet *set)
{
	for (uint32 i = 0; i < Min(set->rejection_count, MAX_WARNINGS); i++)
	{
		const Rejection *r = &set->rejections[i];
		ereport(WARNING,
				(errcode(ERRCODE_WARNING),
				 errmsg("span \"%.*s\" was left out: %s",
						utf8_clip(r->span_id, 60), r->span_id.data, r->reason)));
	}
	if (set->rejection_count > MAX_WARNINGS)
		ereport(WARNING,
				(errcode(ERRCODE_WARNING),
				 errmsg("%u more spans were left out", set->rejection_count - MAX_WARNINGS)));
}

/* One row a trace, in the order in which they first appear. */
static void
put_trajectories(FunctionCallInfo fcinfo, SpanSet *set)
{
	RowWriter	w;
	TrajectoryEncoder *encoder;
	Span	  **spans;
	uint32	   *ends;
	uint32		groups;

	warn_rejections(set);
	row_writer_init(&w, fcinfo);
	spanset_finish(set);
	spans = spanset_group(set, &ends, &groups);
	encoder = trajectory_encoder_create(set);
	for (uint32 g = 0; g < groups; g++)
	{
		uint32		from = g == 0 ? 0 : ends[g - 1];
		struct varlena *datum;

		CHECK_FOR_INTERRUPTS();
		datum = trajectory_encode(encoder, spans + from, ends[g] - from,
								  trajectory_best_codec());
		row_begin(&w);
		row_varlena(&w, datum);
		row_end(&w);
		pfree(datum);
	}
	trajectory_encoder_free(encoder);
	spanset_free(set);
}

PG_FUNCTION_INFO_V1(trajectories_from_otlp);
Datum
trajectories_from_otlp(PG_FUNCTION_ARGS)
{
	text	   *json = PG_GETARG_TEXT_PP(0);
	SpanSet    *set = spanset_create();

	otlp_json_read(set, VARDATA_ANY(json), VARSIZE_ANY_EXHDR(json));
	put_trajectories(fcinfo, set);
	return (Datum) 0;
}

PG_FUNCTION_INFO_V1(trajectories_from_otlp_protobuf);
Datum
trajectories_from_otlp_protobuf(PG_FUNCTION_ARGS)
{
	bytea	   *bytes = PG_GETARG_BYTEA_PP(0);
	SpanSet    *set = spanset_create();

	otlp_protobuf_read(set, (const uint8 *) VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes));
	put_trajectories(fcinfo, set);
	return (Datum) 0;
}
