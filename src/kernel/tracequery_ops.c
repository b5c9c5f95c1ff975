/*
 * tracequery_ops.c
 *		What a query says of a trajectory: matches, find_spans, match_count and
 *		prune.
 */
#include "postgres.h"

#include "access/detoast.h"
#include "access/heaptoast.h"
#include "compat.h"
#include "kernel/otlp.h"
#include "kernel/spans.h"
#include "kernel/tracequery_sql.h"
#include "utils/memutils.h"

/* No more chunks than these are fetched before the header has been read. */
#define FIRST_CHUNKS 8

/*
 * How much to fetch first of what is stored elsewhere: one chunk, which costs
 * no more than the header.  But a fetch costs as much as some chunks, so where
 * structure and times are all that is asked for, it is what they most often
 * take: 18 bytes a span, of 29 or more.
 */
static int32
first_fetch(const Tracequery *q, struct varlena *given)
{
	struct varatt_external toast;
	size_t		share;

	if (!tracequery_is_hot(q))
		return TOAST_MAX_CHUNK_SIZE;
	VARATT_EXTERNAL_GET_POINTER(toast, given);
	share = (size_t) VARATT_EXTERNAL_GET_EXTSIZE(toast) * 5 / 8;
	return (int32) Max(Min(share, FIRST_CHUNKS * TOAST_MAX_CHUNK_SIZE), TOAST_MAX_CHUNK_SIZE);
}

/*
 * A trajectory as far as a query needs it; NULL if the header says that it does
 * not match.
 */
static struct varlena *
fetch_asked(const Tracequery *q, struct varlena *given)
{
	TrajectorySummary summary;
	bool		is_elsewhere = VARATT_IS_EXTERNAL_ONDISK(given);
	struct varlena *datum = is_elsewhere ?
		pg_detoast_datum_slice(given, 0, first_fetch(q, given)) : pg_detoast_datum(given);
	size_t		asked;

	if (VARSIZE(datum) < sizeof(TrajectoryHeader))
		bytes_corrupt("header");
	trajectory_read_summary(datum, &summary);
	if (tracequery_excludes(q, &summary))
		return NULL;
	if (!is_elsewhere)
		return datum;
	if (!tracequery_is_hot(q))
		return pg_detoast_datum(given);
	asked = sizeof(TrajectoryHeader) + (size_t) summary.hot_size;
	return asked <= VARSIZE(datum) ? datum :
		pg_detoast_datum_slice(given, 0, (int32) (asked - VARHDRSZ));
}

static bool
call_matches(QueryCall *call, struct varlena *given)
{
	MemoryContext old = MemoryContextSwitchTo(call->work);
	struct varlena *datum = fetch_asked(call->query, given);
	bool		result = datum != NULL &&
		tracequery_matches(call->query, trajectory_open(datum, VARSIZE(datum)));

	MemoryContextSwitchTo(old);
	return result;
}

PG_FUNCTION_INFO_V1(tracequery_matches_trajectory);
Datum
tracequery_matches_trajectory(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(call_matches(query_call(fcinfo, 1),
								(struct varlena *) PG_GETARG_POINTER(0)));
}

PG_FUNCTION_INFO_V1(tracequery_matched_by_trajectory);
Datum
tracequery_matched_by_trajectory(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(call_matches(query_call(fcinfo, 0),
								(struct varlena *) PG_GETARG_POINTER(1)));
}

/*
 * The spans that a query finds in a trajectory: a flag for each, in memory that
 * is emptied at the next call.
 */
uint8 *
query_call_spans(FunctionCallInfo fcinfo, int trajectory_arg, int query_arg,
				 Trajectory **t, uint32 *count)
{
	QueryCall  *call = query_call(fcinfo, query_arg);
	MemoryContext old = MemoryContextSwitchTo(call->work);
	struct varlena *datum = pg_detoast_datum((struct varlena *) PG_GETARG_POINTER(trajectory_arg));
	uint8	   *set;

	*t = trajectory_open(datum, VARSIZE(datum));
	set = tracequery_spans(call->query, *t, count);
	MemoryContextSwitchTo(old);
	return set;
}

PG_FUNCTION_INFO_V1(tracequery_match_count);
Datum
tracequery_match_count(PG_FUNCTION_ARGS)
{
	Trajectory *t;
	uint32		count;

	query_call_spans(fcinfo, 0, 1, &t, &count);
	PG_RETURN_INT64(count);
}

PG_FUNCTION_INFO_V1(tracequery_find_spans);
Datum
tracequery_find_spans(PG_FUNCTION_ARGS)
{
	Trajectory *t;
	uint32		count;
	uint8	   *set = query_call_spans(fcinfo, 0, 1, &t, &count);
	RowWriter	w;

	row_writer_init(&w, fcinfo);
	for (uint32 i = 0; i < t->n; i++)
	{
		if (!set[i])
			continue;
		row_begin(&w);
		row_int4(&w, i + 1);
		row_hex_id(&w, trajectory_span_id(t, i));
		row_int4(&w, 1);
		row_end(&w);
	}
	return (Datum) 0;
}

/* The spans that are found and those above them. */
PG_FUNCTION_INFO_V1(tracequery_prune);
Datum
tracequery_prune(PG_FUNCTION_ARGS)
{
	Trajectory *t;
	uint32		count;
	uint8	   *keep = query_call_spans(fcinfo, 0, 1, &t, &count);
	SpanSet    *set;
	struct varlena *result;
	uint32		kept = 0;

	if (count == 0)
		PG_RETURN_NULL();
	for (uint32 i = t->n; i-- > 0;)
		if (keep[i] && t->parent[i] >= 0)
			keep[t->parent[i]] = 1;

	trajectory_decode_cold(t);
	set = spanset_create();
	trajectory_add_to_set(t, set, 0, t->n);
	for (uint32 i = 0; i < t->n; i++)
		if (keep[i])
			set->spans[kept++] = set->spans[i];
	set->span_count = kept;
	result = trajectory_encode_set(set, false, trajectory_best_codec());
	spanset_free(set);
	PG_RETURN_POINTER(result);
}
