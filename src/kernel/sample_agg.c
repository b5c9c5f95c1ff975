/*
 * sample_agg.c
 *		Aggregates sample_agg, sample_weighted_agg and sample_union_agg.
 *
 * The state is a sample that is not settled: what is read off it is a copy
 * that is, so that final and serial functions leave the state as it is.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/uuid.h"

#include "kernel/sample_sql.h"

PG_FUNCTION_INFO_V1(sql_sample_agg_trans);
PG_FUNCTION_INFO_V1(sql_sample_weighted_agg_trans);
PG_FUNCTION_INFO_V1(sql_sample_union_agg_trans);
PG_FUNCTION_INFO_V1(sql_sample_agg_combine);
PG_FUNCTION_INFO_V1(sql_sample_agg_serial);
PG_FUNCTION_INFO_V1(sql_sample_agg_deserial);
PG_FUNCTION_INFO_V1(sql_sample_agg_final);

typedef struct SampleAggState
{
	MemoryContext context;
	Sample	   *sample;
	bool		has_trace_state;	/* the last argument, not a probability */
} SampleAggState;

static SampleAggState *
state_new(FunctionCallInfo fcinfo, const Sample *like)
{
	MemoryContext context = aggregate_context(fcinfo);
	MemoryContext old = MemoryContextSwitchTo(context);
	SampleAggState *state = palloc0(sizeof(SampleAggState));

	state->context = context;
	state->sample = sample_new(like->k, like->key_type, like->flags, like->seed);
	MemoryContextSwitchTo(old);
	return state;
}

static SampleKeyType
key_type_argument(FunctionCallInfo fcinfo)
{
	Oid			type = get_fn_expr_argtype(fcinfo->flinfo, 1);

	switch (type)
	{
		case UUIDOID:
			return SAMPLE_KEY_UUID;
		case TEXTOID:
		case VARCHAROID:
			return SAMPLE_KEY_TEXT;
		case BYTEAOID:
			return SAMPLE_KEY_BYTEA;
		default:
			ereport(ERROR,
					(errcode(ERRCODE_DATATYPE_MISMATCH),
					 errmsg("cannot sample by keys of type %s", format_type_be(type)),
					 errdetail("A key has type uuid, text or bytea."),
					 errhint("Cast it to text.")));
	}
}

/*
 * The arguments behind the key and the weight are: k, seed, payload, and
 * probability or trace state. A key of type uuid without a seed has the
 * randomness of a trace id; others have seed 0 then.
 */
static SampleAggState *
begin(FunctionCallInfo fcinfo, int k_arg, uint8 flags)
{
	SampleKeyType key_type = key_type_argument(fcinfo);
	int			k = aggregate_limit(fcinfo, k_arg, "sample size", 1, sample_check_k);
	bool		has_seed = PG_NARGS() > k_arg + 1 && !PG_ARGISNULL(k_arg + 1);
	Sample		like = {
		.k = k, .key_type = key_type, .flags = flags,
		.seed = has_seed ? PG_GETARG_INT64(k_arg + 1) : 0
	};
	SampleAggState *state;

	if (has_seed || key_type != SAMPLE_KEY_UUID)
		like.flags |= SAMPLE_SEEDED;
	state = state_new(fcinfo, &like);
	state->has_trace_state = PG_NARGS() > k_arg + 3 &&
		get_fn_expr_argtype(fcinfo->flinfo, k_arg + 3) == TEXTOID;
	return state;
}

/* k and seed are the same in all rows. */
static pg_attribute_always_inline void
check_same(FunctionCallInfo fcinfo, int k_arg, const Sample *s)
{
	if (unlikely(PG_ARGISNULL(k_arg) || PG_GETARG_INT32(k_arg) != s->k))
		aggregate_check_limit("sample size", aggregate_limit(fcinfo, k_arg, "sample size", 1, sample_check_k), s->k);
	if (PG_NARGS() > k_arg + 1)
	{
		bool		seeded = !PG_ARGISNULL(k_arg + 1) || s->key_type != SAMPLE_KEY_UUID;
		int64		seed = PG_ARGISNULL(k_arg + 1) ? 0 : PG_GETARG_INT64(k_arg + 1);

		if (unlikely(seeded != ((s->flags & SAMPLE_SEEDED) != 0) || seed != s->seed))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("seed must be the same for all rows")));
	}
}

static Bytes
text_argument(FunctionCallInfo fcinfo, int arg)
{
	struct varlena *value = PG_GETARG_VARLENA_PP(arg);

	return (Bytes) {VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value)};
}

/* Payload and what came before, of the longer forms. */
static void
read_extras(FunctionCallInfo fcinfo, int payload_arg, const SampleAggState *state,
			SampleItem *item, uint64 *rank)
{
	if (!PG_ARGISNULL(payload_arg))
	{
		item->payload = PG_GETARG_FLOAT8(payload_arg);
		sample_check_payload(item->payload);
		if (item->payload == 0)
			item->payload = 0;		/* not -0 */
	}
	if (PG_ARGISNULL(payload_arg + 1))
		return;
	if (state->has_trace_state)
	{
		Bytes		trace_state = text_argument(fcinfo, payload_arg + 1);

		(void) trace_state_probability(trace_state, &item->probability);
		if (!(state->sample->flags & SAMPLE_SEEDED))
			(void) trace_state_rank(trace_state, rank);
	}
	else
	{
		item->probability = PG_GETARG_FLOAT8(payload_arg + 1);
		sample_check_probability(item->probability);
	}
}

/* A NULL key is not sampled; a NULL weight or probability is one. */
static pg_attribute_always_inline Datum
transition(FunctionCallInfo fcinfo, bool weighted)
{
	int			k_arg = weighted ? 3 : 2;
	SampleAggState *state = unlikely(PG_ARGISNULL(0)) ? begin(fcinfo, k_arg, weighted ? SAMPLE_WEIGHTED : 0) :
		(SampleAggState *) PG_GETARG_POINTER(0);
	Sample	   *s = state->sample;
	SampleItem	item;
	Bytes		key;
	uint64		rank;

	check_same(fcinfo, k_arg, s);
	if (PG_ARGISNULL(1))
		PG_RETURN_POINTER(state);
	if (s->key_type == SAMPLE_KEY_UUID)
		key = (Bytes) {(const char *) PG_GETARG_UUID_P(1)->data, UUID_LEN};
	else
	{
		key = text_argument(fcinfo, 1);
		sample_check_key(key);
	}
	rank = s->flags & SAMPLE_SEEDED ? sample_hash(s->seed, key)
		: trace_id_rank((const uint8 *) key.data);
	item.weight = item.probability = 1;
	item.payload = NAN;
	if (weighted && !PG_ARGISNULL(2))
	{
		item.weight = PG_GETARG_FLOAT8(2);
		sample_check_weight(item.weight);
	}
	if (PG_NARGS() > k_arg + 2)
		read_extras(fcinfo, k_arg + 2, state, &item, &rank);

	item.order = sample_order(s, rank, item.weight);
	if (unlikely(item.order <= s->threshold))
	{
		MemoryContext old = MemoryContextSwitchTo(state->context);

		sample_add(s, key, &item);
		MemoryContextSwitchTo(old);
	}
	PG_RETURN_POINTER(state);
}

/* (state, key, k [, seed [, payload, probability or trace state]]) */
Datum
sql_sample_agg_trans(PG_FUNCTION_ARGS)
{
	return transition(fcinfo, false);
}

/* (state, key, weight, k [, seed [, payload, probability or trace state]]) */
Datum
sql_sample_weighted_agg_trans(PG_FUNCTION_ARGS)
{
	return transition(fcinfo, true);
}

static void
merge_into(SampleAggState *state, const Sample *s)
{
	MemoryContext old = MemoryContextSwitchTo(state->context);

	sample_merge(state->sample, s);
	MemoryContextSwitchTo(old);
}

Datum
sql_sample_union_agg_trans(PG_FUNCTION_ARGS)
{
	SampleAggState *state = PG_ARGISNULL(0) ? NULL : (SampleAggState *) PG_GETARG_POINTER(0);

	if (!PG_ARGISNULL(1))
	{
		Sample	   *s = PG_GETARG_SAMPLE(1);

		if (state == NULL)
			state = state_new(fcinfo, s);
		merge_into(state, s);
	}
	if (state == NULL)
		PG_RETURN_NULL();
	PG_RETURN_POINTER(state);
}

Datum
sql_sample_agg_combine(PG_FUNCTION_ARGS)
{
	SampleAggState *state = PG_ARGISNULL(0) ? NULL : (SampleAggState *) PG_GETARG_POINTER(0);

	if (!PG_ARGISNULL(1))
	{
		const SampleAggState *other = (SampleAggState *) PG_GETARG_POINTER(1);

		if (state == NULL)
			state = state_new(fcinfo, other->sample);
		merge_into(state, other->sample);
	}
	if (state == NULL)
		PG_RETURN_NULL();
	PG_RETURN_POINTER(state);
}

/* a sample's datum is a bytea with its binary form */
Datum
sql_sample_agg_serial(PG_FUNCTION_ARGS)
{
	PG_RETURN_SAMPLE(((SampleAggState *) PG_GETARG_POINTER(0))->sample);
}

Datum
sql_sample_agg_deserial(PG_FUNCTION_ARGS)
{
	SampleAggState *state = palloc0(sizeof(SampleAggState));

	state->context = CurrentMemoryContext;
	state->sample = PG_GETARG_SAMPLE(0);
	PG_RETURN_POINTER(state);
}

Datum
sql_sample_agg_final(PG_FUNCTION_ARGS)
{
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	PG_RETURN_SAMPLE(((SampleAggState *) PG_GETARG_POINTER(0))->sample);
}
