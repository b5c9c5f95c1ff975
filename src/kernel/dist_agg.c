/*
 * dist_agg.c
 *		Aggregates dist_agg and dist_merge_agg.
 *
 * The state is a dist and a few values not yet counted in it. Buffering them
 * makes a row cheap (no bucket is touched) and a group of few rows small: it
 * has no buckets before it has DIST_BATCH values. Final and serial functions
 * leave the state as it is: they count the buffer into a copy.
 */
#include "postgres.h"

#include "kernel/dist_sql.h"

PG_FUNCTION_INFO_V1(sql_dist_agg_trans);
PG_FUNCTION_INFO_V1(sql_dist_merge_agg_trans);
PG_FUNCTION_INFO_V1(sql_dist_agg_combine);
PG_FUNCTION_INFO_V1(sql_dist_agg_serial);
PG_FUNCTION_INFO_V1(sql_dist_agg_deserial);
PG_FUNCTION_INFO_V1(sql_dist_agg_final);

/* DIST_BATCH makes it 512 bytes, a size that memory contexts do not round up. */
struct DistAggState
{
	MemoryContext context;
	Dist	   *dist;			/* NULL until the buffer was full once */
	int			limit;
	int			buffered;
	int128		null_count;		/* not yet in dist */
	DistValue	buffer[DIST_BATCH];
};

DistAggState *
dist_state_new(MemoryContext context, int limit)
{
	DistAggState *state = MemoryContextAlloc(context, sizeof(DistAggState));

	state->context = context;
	state->dist = NULL;
	state->limit = limit;
	state->buffered = 0;
	state->null_count = 0;
	return state;
}

static void
count_buffer(Dist *d, const DistAggState *state)
{
	d->null_count += state->null_count;
	dist_add(d, state->buffer, state->buffered);
}

static void
flush(DistAggState *state)
{
	MemoryContext old = MemoryContextSwitchTo(state->context);

	if (!state->dist)
		state->dist = dist_new(state->limit);
	count_buffer(state->dist, state);
	state->buffered = 0;
	state->null_count = 0;
	MemoryContextSwitchTo(old);
}

/* Count one value; NaN and NULL have counts of their own. */
void
dist_state_count(DistAggState *state, double value, int64 weight)
{
	if (unlikely(state->buffered == DIST_BATCH))
		flush(state);
	state->buffer[state->buffered].value = value;
	state->buffer[state->buffered++].weight = weight;
}

void
dist_state_count_null(DistAggState *state, int64 weight)
{
	state->null_count += weight;
}

/* Everything the state has counted, only to be read. */
const Dist *
dist_state_settled(const DistAggState *state)
{
	Dist	   *d;

	if (state->dist && state->buffered == 0 && state->null_count == 0)
		return state->dist;
	d = state->dist ? dist_copy(state->dist) : dist_new(state->limit);
	count_buffer(d, state);
	return d;
}

/* state += dist; a state without a dist takes over a copy of this one */
void
dist_state_merge(DistAggState *state, const Dist *d)
{
	MemoryContext old = MemoryContextSwitchTo(state->context);

	if (state->dist)
		dist_merge(state->dist, d);
	else
		state->dist = dist_copy(d);
	MemoryContextSwitchTo(old);
}

static int
limit_argument(FunctionCallInfo fcinfo)
{
	return aggregate_limit(fcinfo, 3, "bucket limit", DIST_DEFAULT_LIMIT, dist_check_limit);
}

/* (state, value [, weight [, bucket limit]]); a NULL weight counts as one */
Datum
sql_dist_agg_trans(PG_FUNCTION_ARGS)
{
	int64		weight = WEIGHT_ONE;
	DistAggState *state;

	if (unlikely(PG_ARGISNULL(0)))
		state = dist_state_new(aggregate_context(fcinfo), limit_argument(fcinfo));
	else
		state = (DistAggState *) PG_GETARG_POINTER(0);
	if (PG_NARGS() > 2 && !PG_ARGISNULL(2))
		weight = weight_from_float8(PG_GETARG_FLOAT8(2));
	if (PG_NARGS() > 3)
		aggregate_check_limit("bucket limit", limit_argument(fcinfo), state->limit);

	if (PG_ARGISNULL(1))
		dist_state_count_null(state, weight);
	else
		dist_state_count(state, PG_GETARG_FLOAT8(1), weight);
	PG_RETURN_POINTER(state);
}

Datum
sql_dist_merge_agg_trans(PG_FUNCTION_ARGS)
{
	MemoryContext context = aggregate_context(fcinfo);
	DistAggState *state = PG_ARGISNULL(0) ? NULL : (DistAggState *) PG_GETARG_POINTER(0);

	if (!PG_ARGISNULL(1))
	{
		Dist	   *d = PG_GETARG_DIST(1);

		if (!state)
			state = dist_state_new(context, d->limit);
		dist_state_merge(state, d);
	}
	if (!state)
		PG_RETURN_NULL();
	PG_RETURN_POINTER(state);
}

Datum
sql_dist_agg_combine(PG_FUNCTION_ARGS)
{
	MemoryContext context = aggregate_context(fcinfo);
	DistAggState *state = PG_ARGISNULL(0) ? NULL : (DistAggState *) PG_GETARG_POINTER(0);

	if (!PG_ARGISNULL(1))
	{
		const DistAggState *other = (DistAggState *) PG_GETARG_POINTER(1);

		if (!state)
			state = dist_state_new(context, other->limit);
		else
			flush(state);
		dist_state_merge(state, dist_state_settled(other));
	}
	if (!state)
		PG_RETURN_NULL();
	PG_RETURN_POINTER(state);
}

Datum
sql_dist_agg_serial(PG_FUNCTION_ARGS)
{
	aggregate_context(fcinfo);
	/* a dist's datum is a bytea with its binary form */
	PG_RETURN_DIST(dist_state_settled((DistAggState *) PG_GETARG_POINTER(0)));
}

Datum
sql_dist_agg_deserial(PG_FUNCTION_ARGS)
{
	DistAggState *state = dist_state_new(CurrentMemoryContext, 0);

	aggregate_context(fcinfo);
	state->dist = PG_GETARG_DIST(0);
	state->limit = state->dist->limit;
	PG_RETURN_POINTER(state);
}

Datum
sql_dist_agg_final(PG_FUNCTION_ARGS)
{
	aggregate_context(fcinfo);
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	PG_RETURN_DIST(dist_state_settled((DistAggState *) PG_GETARG_POINTER(0)));
}
