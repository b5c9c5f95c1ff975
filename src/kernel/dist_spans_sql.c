/*
 * dist_spans_sql.c
 *		Distributions over the spans of trajectories, without making rows:
 *		dist_spans_agg, cat_spans_agg and, by a column, dist_spans_by_agg.
 *
 * The first two have the states of dist_agg and cat_agg.  The state of the
 * third is a table from a text to a state of dist_agg; on the wire it is
 *
 *		varint count, then for each group: byte is NULL, varint length, text,
 *		varint length, binary form of type dist
 */
#include "postgres.h"

#include <math.h>

#include "access/htup_details.h"
#include "funcapi.h"
#include "kernel/cat_sql.h"
#include "kernel/dictionary.h"
#include "kernel/dist_sql.h"
#include "kernel/span_measure.h"
#include "kernel/tracequery_sql.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/typcache.h"

/* More groups than this are no distribution by a column any more. */
#define MAX_GROUPS 10000

typedef struct GroupsState
{
	MemoryContext context;
	Dictionary	names;
	DistAggState **dists;		/* by number of the name */
	uint32		max;
	DistAggState *null_dist;	/* of spans that lack the column */
} GroupsState;

/* The number of a column by its name. */
static int
column_arg(FunctionCallInfo fcinfo, int arg, const char *const *names, int count)
{
	text	   *name = PG_GETARG_TEXT_PP(arg);
	Bytes		wanted = {VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name)};
	StringInfoData known;

	for (int i = 0; i < count; i++)
		if (bytes_equal_cstring(wanted, names[i]))
			return i;
	initStringInfo(&known);
	for (int i = 0; i < count; i++)
		appendStringInfo(&known, "%s%s", i == 0 ? "" : ", ", names[i]);
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_COLUMN),
			 errmsg("unknown column \"%s\" of spans", text_to_cstring(name)),
			 errdetail("Known here are %s.", known.data)));
}

/* The trajectory, the query and the column must all be there. */
static bool
has_arguments(FunctionCallInfo fcinfo, int last)
{
	if (PG_ARGISNULL(1))
		return false;
	for (int i = 2; i <= last; i++)
		if (PG_ARGISNULL(i))
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("%s must not be null", i == 2 ? "query" : "column")));
	return true;
}

/* (state, trajectory, tracequery, column) */
PG_FUNCTION_INFO_V1(dist_spans_agg_trans);
Datum
dist_spans_agg_trans(PG_FUNCTION_ARGS)
{
	MemoryContext context = aggregate_context(fcinfo);
	DistAggState *state = PG_ARGISNULL(0) ? dist_state_new(context, DIST_DEFAULT_LIMIT) :
		(DistAggState *) PG_GETARG_POINTER(0);

	if (has_arguments(fcinfo, 3))
	{
		NumberMeasure measure = column_arg(fcinfo, 3, number_measure_names, NUMBER_MEASURES);
		Trajectory *t;
		uint32		count;
		uint8	   *found = query_call_spans(fcinfo, 1, 2, &t, &count);

		if (count > 0)
		{
			double	   *numbers = span_numbers(t, measure);

			for (uint32 i = 0; i < t->n; i++)
				if (found[i])
				{
					if (isnan(numbers[i]))
						dist_state_count_null(state, WEIGHT_ONE);
					else
						dist_state_count(state, numbers[i], WEIGHT_ONE);
				}
			pfree(numbers);
		}
	}
	PG_RETURN_POINTER(state);
}

/* A column of a span, for which no more is decoded than it takes. */
static bool
found_text(Trajectory *t, uint32 ordinal, TextMeasure measure, char *room, Bytes *text)
{
	const SpanClass *class = trajectory_class(t, ordinal);

	if (class_tells_text(t, class, measure))
		return class_text(t, class, measure, room, text);
	trajectory_decode_cold(t);
	return span_text(t, ordinal, measure, room, text);
}

/* (state, trajectory, tracequery, column) */
PG_FUNCTION_INFO_V1(cat_spans_agg_trans);
Datum
cat_spans_agg_trans(PG_FUNCTION_ARGS)
{
	CatAggState *state = PG_ARGISNULL(0) ? cat_state_new(fcinfo, CAT_DEFAULT_LIMIT) :
		(CatAggState *) PG_GETARG_POINTER(0);

	if (has_arguments(fcinfo, 3))
	{
		TextMeasure measure = column_arg(fcinfo, 3, text_measure_names, TEXT_MEASURES);
		Trajectory *t;
		uint32		count;
		uint8	   *found = query_call_spans(fcinfo, 1, 2, &t, &count);

		if (count > 0)
			trajectory_decode_tables(t);
		for (uint32 i = 0; count > 0 && i < t->n; i++)
		{
			char		room[SPAN_TEXT_ROOM];
			Bytes		text;

			if (!found[i])
				continue;
			if (found_text(t, i, measure, room, &text))
				cat_state_count(state, text.data, text.len, WEIGHT_ONE);
			else
				cat_state_count_null(state, WEIGHT_ONE);
		}
	}
	PG_RETURN_POINTER(state);
}

static GroupsState *
groups_new(MemoryContext context)
{
	MemoryContext old = MemoryContextSwitchTo(context);
	GroupsState *state = palloc0(sizeof(GroupsState));

	state->context = context;
	dictionary_init(&state->names, 16);
	MemoryContextSwitchTo(old);
	return state;
}

/* The group of a name, or of none, which is added if it is new. */
static DistAggState *
find_group(GroupsState *state, bool has_name, Bytes name)
{
	bool		is_new;
	uint32		number;

	if (!has_name)
	{
		if (state->null_dist == NULL)
			state->null_dist = dist_state_new(state->context, DIST_DEFAULT_LIMIT);
		return state->null_dist;
	}
	number = dictionary_number(&state->names, name, &is_new);
	if (is_new)
	{
		char	   *copy = MemoryContextAlloc(state->context, Max(name.len, 1));

		if (state->names.count > MAX_GROUPS)
			ereport(ERROR,
					(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					 errmsg("too many groups of spans"),
					 errdetail("The limit is %d different values of the column.", MAX_GROUPS)));
		memcpy(copy, name.data, name.len);
		state->names.items[number].data = copy;
		if (number >= state->max)
		{
			state->max = Max(state->max * 2, 16);
			state->dists = state->dists ?
				repalloc(state->dists, state->max * sizeof(DistAggState *)) :
				MemoryContextAlloc(state->context, state->max * sizeof(DistAggState *));
		}
		state->dists[number] = dist_state_new(state->context, DIST_DEFAULT_LIMIT);
	}
	return state->dists[number];
}

/* (state, trajectory, tracequery, column, by) */
PG_FUNCTION_INFO_V1(dist_spans_by_agg_trans);
Datum
dist_spans_by_agg_trans(PG_FUNCTION_ARGS)
{
	MemoryContext context = aggregate_context(fcinfo);
	GroupsState *state = PG_ARGISNULL(0) ? groups_new(context) :
		(GroupsState *) PG_GETARG_POINTER(0);

	if (has_arguments(fcinfo, 4))
	{
		NumberMeasure measure = column_arg(fcinfo, 3, number_measure_names, NUMBER_MEASURES);
		TextMeasure by = column_arg(fcinfo, 4, text_measure_names, TEXT_MEASURES);
		Trajectory *t;
		uint32		count;
		uint8	   *found = query_call_spans(fcinfo, 1, 2, &t, &count);

		if (count > 0)
		{
			double	   *numbers = span_numbers(t, measure);
			DistAggState **groups;	/* of the classes that are of one */

			trajectory_decode_tables(t);
			groups = palloc_extended(t->class_count * sizeof(DistAggState *),
									 MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
			for (uint32 i = 0; i < t->n; i++)
			{
				DistAggState *group;

				if (!found[i])
					continue;
				group = groups[t->span_class[i]];
				if (group == NULL)
				{
					char		room[SPAN_TEXT_ROOM];
					Bytes		name = {"", 0};
					bool		is_named = found_text(t, i, by, room, &name);

					group = find_group(state, is_named, name);
					if (class_tells_text(t, trajectory_class(t, i), by))
						groups[t->span_class[i]] = group;
				}
				if (isnan(numbers[i]))
					dist_state_count_null(group, WEIGHT_ONE);
				else
					dist_state_count(group, numbers[i], WEIGHT_ONE);
			}
			pfree(groups);
			pfree(numbers);
		}
	}
	PG_RETURN_POINTER(state);
}

PG_FUNCTION_INFO_V1(dist_spans_by_agg_combine);
Datum
dist_spans_by_agg_combine(PG_FUNCTION_ARGS)
{
	MemoryContext context = aggregate_context(fcinfo);
	GroupsState *state = PG_ARGISNULL(0) ? NULL : (GroupsState *) PG_GETARG_POINTER(0);

	if (!PG_ARGISNULL(1))
	{
		const GroupsState *other = (GroupsState *) PG_GETARG_POINTER(1);

		if (state == NULL)
			state = groups_new(context);
		for (uint32 i = 0; i < other->names.count; i++)
			dist_state_merge(find_group(state, true, other->names.items[i]),
							 dist_state_settled(other->dists[i]));
		if (other->null_dist)
			dist_state_merge(find_group(state, false, (Bytes) {"", 0}),
							 dist_state_settled(other->null_dist));
	}
	if (state == NULL)
		PG_RETURN_NULL();
	PG_RETURN_POINTER(state);
}

static void
put_group(StringInfo buf, const Bytes *name, const DistAggState *group)
{
	StringInfoData dist;

	put_byte(buf, name == NULL);
	put_varint(buf, name ? name->len : 0);
	if (name)
		put_bytes(buf, name->data, name->len);
	initStringInfo(&dist);
	dist_encode(dist_state_settled(group), &dist);
	put_varint(buf, dist.len);
	put_bytes(buf, dist.data, dist.len);
	pfree(dist.data);
}

PG_FUNCTION_INFO_V1(dist_spans_by_agg_serialize);
Datum
dist_spans_by_agg_serialize(PG_FUNCTION_ARGS)
{
	const GroupsState *state = (GroupsState *) PG_GETARG_POINTER(0);
	StringInfoData buf;

	aggregate_context(fcinfo);
	initStringInfo(&buf);
	put_varint(&buf, state->names.count + (state->null_dist ? 1 : 0));
	for (uint32 i = 0; i < state->names.count; i++)
		put_group(&buf, &state->names.items[i], state->dists[i]);
	if (state->null_dist)
		put_group(&buf, NULL, state->null_dist);
	PG_RETURN_BYTEA_P((bytea *) cstring_to_text_with_len(buf.data, buf.len));
}

PG_FUNCTION_INFO_V1(dist_spans_by_agg_deserialize);
Datum
dist_spans_by_agg_deserialize(PG_FUNCTION_ARGS)
{
	bytea	   *bytes = PG_GETARG_BYTEA_PP(0);
	const uint8 *data = (const uint8 *) VARDATA_ANY(bytes);
	Cursor		c = {data, data + VARSIZE_ANY_EXHDR(bytes)};
	GroupsState *state;
	uint32		count;

	aggregate_context(fcinfo);
	state = groups_new(CurrentMemoryContext);
	count = cursor_count(&c, 3, "groups");
	for (uint32 i = 0; i < count; i++)
	{
		bool		is_null = cursor_index(&c, 2, "groups");
		Bytes		name;
		uint32		size;

		name.len = cursor_count(&c, 1, "groups");
		name.data = (const char *) cursor_take(&c, name.len, "groups");
		if (!utf8_is_valid(name.data, name.len))
			bytes_corrupt("groups");
		size = cursor_count(&c, 1, "groups");
		dist_state_merge(find_group(state, !is_null, name),
						 dist_decode(cursor_take(&c, size, "groups"), size));
	}
	if (cursor_left(&c) != 0)
		bytes_corrupt("groups");
	PG_RETURN_POINTER(state);
}

/* Groups in the order of their names, the one without a name last. */
static int
group_compare(const void *a, const void *b, void *arg)
{
	const Bytes *names = arg;

	return bytes_compare(names[*(const uint32 *) a], names[*(const uint32 *) b]);
}

static Datum
group_datum(TupleDesc desc, const Bytes *name, const DistAggState *group)
{
	Datum		values[2] = {0};
	bool		nulls[2] = {name == NULL, false};

	if (name)
		values[0] = PointerGetDatum(cstring_to_text_with_len(name->data, name->len));
	values[1] = dist_to_datum(dist_state_settled(group));
	return HeapTupleGetDatum(heap_form_tuple(desc, values, nulls));
}

PG_FUNCTION_INFO_V1(dist_spans_by_agg_final);
Datum
dist_spans_by_agg_final(PG_FUNCTION_ARGS)
{
	const GroupsState *state = PG_ARGISNULL(0) ? NULL : (GroupsState *) PG_GETARG_POINTER(0);
	Oid			element_type = get_element_type(get_fn_expr_rettype(fcinfo->flinfo));
	TupleDesc	desc;
	Datum	   *groups;
	uint32	   *order;
	int			count = 0;

	aggregate_context(fcinfo);
	if (state == NULL)
		PG_RETURN_NULL();
	desc = lookup_rowtype_tupdesc_copy(element_type, -1);
	groups = palloc((state->names.count + 1) * sizeof(Datum));
	order = palloc((state->names.count + 1) * sizeof(uint32));
	for (uint32 i = 0; i < state->names.count; i++)
		order[i] = i;
	qsort_arg(order, state->names.count, sizeof(uint32), group_compare, state->names.items);
	for (uint32 i = 0; i < state->names.count; i++)
		groups[count++] = group_datum(desc, &state->names.items[order[i]], state->dists[order[i]]);
	if (state->null_dist)
		groups[count++] = group_datum(desc, NULL, state->null_dist);
	PG_RETURN_ARRAYTYPE_P(construct_array(groups, count, element_type, -1, false, TYPALIGN_DOUBLE));
}
