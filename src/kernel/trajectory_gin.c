/*
 * trajectory_gin.c
 *		The GIN operator class trajectory_ops.
 *
 * Keys are those of tracequery_keys.h, compared as bigints.  A query becomes a
 * tree of keys, which travels from extractQuery to the consistent functions as
 * extra data of the first key.
 *
 * Every answer is to be rechecked: keys lose which spans had them, so the
 * index knows that a name and a value occur in a trace but not that one span
 * has both; and they are hashes.
 */
#include "postgres.h"

#include "access/gin.h"
#include "access/stratnum.h"
#include "kernel/tracequery_keys.h"
#include "kernel/tracequery_sql.h"
#include "kernel/trajectory_sql.h"
#include "utils/builtins.h"

StaticAssertDecl(sizeof(GinTernaryValue) == sizeof(int8) && GIN_FALSE == 0 && GIN_MAYBE == 2,
				 "ternary values of GIN are those of index_tree_check()");

static Datum *
int8_datums(const int64 *keys, uint32 count)
{
	Datum	   *datums = palloc(Max(count, 1) * sizeof(Datum));

	for (uint32 i = 0; i < count; i++)
		datums[i] = Int64GetDatum(keys[i]);
	return datums;
}

PG_FUNCTION_INFO_V1(trajectory_gin_extract_value);
Datum
trajectory_gin_extract_value(PG_FUNCTION_ARGS)
{
	int32	   *nkeys = (int32 *) PG_GETARG_POINTER(1);
	uint32		count;
	int64	   *keys = trajectory_index_keys(trajectory_from_datum(PG_GETARG_DATUM(0), true), &count);

	*nkeys = count;
	PG_RETURN_POINTER(int8_datums(keys, count));
}

PG_FUNCTION_INFO_V1(trajectory_gin_extract_query);
Datum
trajectory_gin_extract_query(PG_FUNCTION_ARGS)
{
	TracequeryDatum *datum = (TracequeryDatum *) PG_GETARG_VARLENA_P(0);
	int32	   *nkeys = (int32 *) PG_GETARG_POINTER(1);
	Pointer   **extra_data = (Pointer **) PG_GETARG_POINTER(4);
	int32	   *search_mode = (int32 *) PG_GETARG_POINTER(6);
	IndexNode  *tree = index_tree_for_scan(tracequery_index_tree(tracequery_from_datum(datum)));
	int64	   *keys;

	*nkeys = index_tree_keys(tree, &keys);
	if (tree->type == NODE_ALL)
		*search_mode = GIN_SEARCH_MODE_ALL;
	if (*nkeys > 0)
	{
		*extra_data = palloc0(*nkeys * sizeof(Pointer));
		(*extra_data)[0] = (Pointer) tree;
	}
	PG_RETURN_POINTER(int8_datums(keys, *nkeys));
}

PG_FUNCTION_INFO_V1(trajectory_gin_consistent);
Datum
trajectory_gin_consistent(PG_FUNCTION_ARGS)
{
	int32		nkeys = PG_GETARG_INT32(3);
	Pointer    *extra_data = (Pointer *) PG_GETARG_POINTER(4);
	bool	   *recheck = (bool *) PG_GETARG_POINTER(5);

	*recheck = true;
	/* booleans are 0 and 1, as bytes */
	PG_RETURN_BOOL(nkeys == 0 ||
				   index_tree_check((IndexNode *) extra_data[0],
									(const int8 *) PG_GETARG_POINTER(0)) != 0);
}

PG_FUNCTION_INFO_V1(trajectory_gin_triconsistent);
Datum
trajectory_gin_triconsistent(PG_FUNCTION_ARGS)
{
	int32		nkeys = PG_GETARG_INT32(3);
	Pointer    *extra_data = (Pointer *) PG_GETARG_POINTER(4);

	PG_RETURN_GIN_TERNARY_VALUE(nkeys == 0 ? GIN_MAYBE :
								index_tree_check((IndexNode *) extra_data[0],
												 (const int8 *) PG_GETARG_POINTER(0)));
}

/* What the index would be asked, for people. */
PG_FUNCTION_INFO_V1(tracequery_keys);
Datum
tracequery_keys(PG_FUNCTION_ARGS)
{
	TracequeryDatum *datum = (TracequeryDatum *) PG_GETARG_VARLENA_P(0);
	StringInfoData buf;

	initStringInfo(&buf);
	index_tree_write(&buf, index_tree_for_scan(tracequery_index_tree(tracequery_from_datum(datum))));
	PG_RETURN_TEXT_P(cstring_to_text_with_len(buf.data, buf.len));
}
