/*
 * cat_agg.c
 *		Aggregates cat_agg and cat_merge_agg. The state is a cat that may have
 *		twice as many keys as its limit; what is read off it is a trimmed copy.
 */
#include "postgres.h"

#include "kernel/cat_sql.h"

PG_FUNCTION_INFO_V1(sql_cat_agg_trans);
PG_FUNCTION_INFO_V1(sql_cat_merge_agg_trans);
PG_FUNCTION_INFO_V1(sql_cat_agg_combine);
PG_FUNCTION_INFO_V1(sql_cat_agg_serial);
PG_FUNCTION_INFO_V1(sql_cat_agg_deserial);
PG_FUNCTION_INFO_V1(sql_cat_agg_final);

struct CatAggState
{
	MemoryContext context;
	Cat		   *cat;
};

CatAggState *
cat_state_new(FunctionCallInfo fcinfo, int limit)
{
	CatAggState *state;
	MemoryContext context = aggregate_context(fcinfo);
	MemoryContext old = MemoryContextSwitchTo(context);

	state = palloc(sizeof(CatAggState));
	state->context = context;
	state->cat = cat_new(limit);
	MemoryContextSwitchTo(old);
	return state;
}

static void
merge_into(CatAggState *state, const Cat *c)
{
	MemoryContext old = MemoryContextSwitchTo(state->context);

	cat_merge(state->cat, c);
	MemoryContextSwitchTo(old);
}

static int
limit_argument(FunctionCallInfo fcinfo)
{
	return aggregate_limit(fcinfo, 3, "key limit", CAT_DEFAULT_LIMIT, cat_check_limit);
}

void
cat_state_count(CatAggState *state, const char *name, int len, int64 weight)
{
	MemoryContext old;

	if (unlikely(len > CAT_MAX_KEY))
		name = state_shorten(name, &len, CAT_MAX_KEY);
	old = MemoryContextSwitchTo(state->context);
	cat_add(state->cat, name, len, weight, (int128) weight * weight);
	MemoryContextSwitchTo(old);
}

void
cat_state_count_null(CatAggState *state, int64 weight)
{
	state->cat->null_count += weight;
}

/* (state, value [, weight [, key limit]]); a NULL weight counts as one */
Datum
sql_cat_agg_trans(PG_FUNCTION_ARGS)
{
	int64		weight = WEIGHT_ONE;
	CatAggState *state;
	Cat		   *c;

	if (unlikely(PG_ARGISNULL(0)))
		state = cat_state_new(fcinfo, limit_argument(fcinfo));
	else
		state = (CatAggState *) PG_GETARG_POINTER(0);
	c = state->cat;
	if (PG_NARGS() > 2 && !PG_ARGISNULL(2))
		weight = weight_from_float8(PG_GETARG_FLOAT8(2));
	if (PG_NARGS() > 3)
		aggregate_check_limit("key limit", limit_argument(fcinfo), c->limit);

	if (PG_ARGISNULL(1))
		cat_state_count_null(state, weight);
	else
	{
		text	   *value = PG_GETARG_TEXT_PP(1);

		cat_state_count(state, VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value), weight);
	}
	cat_check(c);
	PG_RETURN_POINTER(state);
}

Datum
sql_cat_merge_agg_trans(PG_FUNCTION_ARGS)
{
	CatAggState *state = PG_ARGISNULL(0) ? NULL : (CatAggState *) PG_GETARG_POINTER(0);

	if (!PG_ARGISNULL(1))
	{
		Cat		   *c = PG_GETARG_CAT(1);

		if (!state)
			state = cat_state_new(fcinfo, c->limit);
		merge_into(state, c);
	}
	if (!state)
		PG_RETURN_NULL();
	PG_RETURN_POINTER(state);
}

Datum
sql_cat_agg_combine(PG_FUNCTION_ARGS)
{
	CatAggState *state = PG_ARGISNULL(0) ? NULL : (CatAggState *) PG_GETARG_POINTER(0);

	if (!PG_ARGISNULL(1))
	{
		const CatAggState *other = (CatAggState *) PG_GETARG_POINTER(1);

		if (!state)
			state = cat_state_new(fcinfo, other->cat->limit);
		merge_into(state, other->cat);
	}
	if (!state)
		PG_RETURN_NULL();
	PG_RETURN_POINTER(state);
}

/* a cat's datum is a bytea with its binary form */
Datum
sql_cat_agg_serial(PG_FUNCTION_ARGS)
{
	PG_RETURN_CAT(((CatAggState *) PG_GETARG_POINTER(0))->cat);
}

Datum
sql_cat_agg_deserial(PG_FUNCTION_ARGS)
{
	CatAggState *state = palloc(sizeof(CatAggState));

	state->context = CurrentMemoryContext;
	state->cat = PG_GETARG_CAT(0);
	PG_RETURN_POINTER(state);
}

Datum
sql_cat_agg_final(PG_FUNCTION_ARGS)
{
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	PG_RETURN_CAT(((CatAggState *) PG_GETARG_POINTER(0))->cat);
}
