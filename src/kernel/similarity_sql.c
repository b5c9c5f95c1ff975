/*
 * similarity_sql.c
 *		The distance of two traces.
 *
 * Ordering by the distance from one trace compares that with many: its
 * features are kept by the call site.
 */
#include "postgres.h"

#include "compat.h"
#include "kernel/similarity.h"
#include "kernel/trajectory_sql.h"
#include "utils/memutils.h"

/* Two sides, either of which may be the one that stays the same. */
typedef struct Side
{
	MemoryContext context;
	bool		is_known;
	uint8		trace_id[16];
	uint64		content_hash;
	size_t		size;
	FeatureList list;
} Side;

static FeatureList *
side_features(Side *side, Datum datum)
{
	struct varlena *value = pg_detoast_datum((struct varlena *) DatumGetPointer(datum));
	TrajectorySummary summary;
	MemoryContext old;
	struct varlena *copy;

	if (VARSIZE(value) < sizeof(TrajectoryHeader))
		bytes_corrupt("header");
	trajectory_read_summary(value, &summary);
	if (side->is_known && side->size == VARSIZE(value) &&
		side->content_hash == summary.content_hash &&
		memcmp(side->trace_id, summary.trace_id, sizeof(side->trace_id)) == 0)
		return &side->list;

	side->is_known = false;
	MemoryContextReset(side->context);
	old = MemoryContextSwitchTo(side->context);
	copy = memcpy(palloc(VARSIZE(value)), value, VARSIZE(value));
	side->list = similarity_features(trajectory_open(copy, VARSIZE(copy)));
	MemoryContextSwitchTo(old);
	memcpy(side->trace_id, summary.trace_id, sizeof(side->trace_id));
	side->content_hash = summary.content_hash;
	side->size = VARSIZE(value);
	side->is_known = true;
	return &side->list;
}

PG_FUNCTION_INFO_V1(trajectory_similarity_distance);
Datum
trajectory_similarity_distance(PG_FUNCTION_ARGS)
{
	Side	   *sides = fcinfo->flinfo->fn_extra;

	if (sides == NULL)
	{
		sides = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, 2 * sizeof(Side));
		for (int i = 0; i < 2; i++)
			sides[i].context = AllocSetContextCreate(fcinfo->flinfo->fn_mcxt,
													 "llmtrace similarity", ALLOCSET_DEFAULT_SIZES);
		fcinfo->flinfo->fn_extra = sides;
	}
	PG_RETURN_FLOAT8(similarity_distance(side_features(&sides[0], PG_GETARG_DATUM(0)),
										 side_features(&sides[1], PG_GETARG_DATUM(1))));
}
