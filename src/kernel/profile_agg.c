/*
 * profile_agg.c
 *		Aggregates profile_agg and profile_merge_agg. The state is a profile.
 */
#include "postgres.h"

#include "kernel/profile_sql.h"
#include "utils/memutils.h"

typedef struct ProfileAggState
{
	MemoryContext context;
	MemoryContext work;			/* emptied at each trajectory */
	Profile    *profile;
	PathWork   *path;
} ProfileAggState;

static ProfileAggState *
state_new(FunctionCallInfo fcinfo)
{
	ProfileAggState *state;
	MemoryContext context = aggregate_context(fcinfo);
	MemoryContext old = MemoryContextSwitchTo(context);

	state = palloc0(sizeof(ProfileAggState));
	state->context = context;
	state->profile = profile_new();
	MemoryContextSwitchTo(old);
	return state;
}

static ProfileAggState *
state_arg(FunctionCallInfo fcinfo)
{
	return PG_ARGISNULL(0) ? NULL : (ProfileAggState *) PG_GETARG_POINTER(0);
}

static void
prepare_work(ProfileAggState *state)
{
	MemoryContext old = MemoryContextSwitchTo(state->context);

	if (state->work == NULL)
	{
		state->work = AllocSetContextCreate(state->context, "llmtrace profile", 0, 64 * 1024,
											ALLOCSET_DEFAULT_MAXSIZE);
		state->path = path_work_create();
	}
	MemoryContextReset(state->work);
	MemoryContextSwitchTo(old);
}

/* (state, trajectory [, weight]); a NULL weight counts as one */
PG_FUNCTION_INFO_V1(sql_profile_agg_trans);
Datum
sql_profile_agg_trans(PG_FUNCTION_ARGS)
{
	ProfileAggState *state = state_arg(fcinfo);
	int64		weight = WEIGHT_ONE;
	MemoryContext old;
	struct varlena *datum;
	Trajectory *t;

	if (state == NULL)
		state = state_new(fcinfo);
	if (PG_ARGISNULL(1))
		PG_RETURN_POINTER(state);
	if (PG_NARGS() > 2 && !PG_ARGISNULL(2))
		weight = weight_from_float8(PG_GETARG_FLOAT8(2));
	prepare_work(state);
	old = MemoryContextSwitchTo(state->work);
	datum = pg_detoast_datum((struct varlena *) PG_GETARG_POINTER(1));
	t = trajectory_decode(datum, VARSIZE(datum), true);
	profile_add_trace(state->profile, t, state->path, weight);
	MemoryContextSwitchTo(old);
	PG_RETURN_POINTER(state);
}

/* Merge in what is decoded meanwhile. */
PG_FUNCTION_INFO_V1(sql_profile_merge_agg_trans);
Datum
sql_profile_merge_agg_trans(PG_FUNCTION_ARGS)
{
	ProfileAggState *state = state_arg(fcinfo);
	MemoryContext old;

	if (PG_ARGISNULL(1))
	{
		if (state == NULL)
			PG_RETURN_NULL();
		PG_RETURN_POINTER(state);
	}
	if (state == NULL)
		state = state_new(fcinfo);
	prepare_work(state);
	old = MemoryContextSwitchTo(state->work);
	profile_merge(state->profile, PG_GETARG_PROFILE(1));
	MemoryContextSwitchTo(old);
	PG_RETURN_POINTER(state);
}

PG_FUNCTION_INFO_V1(sql_profile_agg_combine);
Datum
sql_profile_agg_combine(PG_FUNCTION_ARGS)
{
	ProfileAggState *state = state_arg(fcinfo);

	if (!PG_ARGISNULL(1))
	{
		if (state == NULL)
			state = state_new(fcinfo);
		profile_merge(state->profile, ((ProfileAggState *) PG_GETARG_POINTER(1))->profile);
	}
	if (state == NULL)
		PG_RETURN_NULL();
	PG_RETURN_POINTER(state);
}

/* a profile's datum is a bytea with its binary form */
PG_FUNCTION_INFO_V1(sql_profile_agg_serial);
Datum
sql_profile_agg_serial(PG_FUNCTION_ARGS)
{
	PG_RETURN_PROFILE(((ProfileAggState *) PG_GETARG_POINTER(0))->profile);
}

PG_FUNCTION_INFO_V1(sql_profile_agg_deserial);
Datum
sql_profile_agg_deserial(PG_FUNCTION_ARGS)
{
	ProfileAggState *state = palloc0(sizeof(ProfileAggState));

	state->context = CurrentMemoryContext;
	state->profile = PG_GETARG_PROFILE(0);
	PG_RETURN_POINTER(state);
}

PG_FUNCTION_INFO_V1(sql_profile_agg_final);
Datum
sql_profile_agg_final(PG_FUNCTION_ARGS)
{
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	PG_RETURN_PROFILE(((ProfileAggState *) PG_GETARG_POINTER(0))->profile);
}
