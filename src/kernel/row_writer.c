/*
 * row_writer.c
 *		Rows of a set-returning function, written as tuples in one go.
 */
#include "postgres.h"

#include "kernel/row_writer.h"
#include "miscadmin.h"
#include "utils/memutils.h"

/*
 * Set up a materialized result; rows are written from now on.  The caller's
 * descriptor is used: looking up the function's own would cost more than a
 * small trajectory's rows.  Nor is the caller given one to compare with that,
 * which is what InitMaterializedSRF() would add.
 */
void
row_writer_init(RowWriter *w, FunctionCallInfo fcinfo)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	MemoryContext old;
	bool		random_access;

	if (rsinfo == NULL || !IsA(rsinfo, ReturnSetInfo) ||
		!(rsinfo->allowedModes & SFRM_Materialize) || rsinfo->expectedDesc == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("set-valued function called in context that cannot accept a set")));
	random_access = (rsinfo->allowedModes & SFRM_Materialize_Random) != 0;
	old = MemoryContextSwitchTo(rsinfo->econtext->ecxt_per_query_memory);
	w->store = tuplestore_begin_heap(random_access, false, work_mem);
	MemoryContextSwitchTo(old);
	rsinfo->returnMode = SFRM_Materialize;
	rsinfo->setResult = w->store;
	rsinfo->setDesc = NULL;
	w->desc = rsinfo->expectedDesc;
	if (w->desc->natts > ROW_MAX_COLUMNS)
		elog(ERROR, "a row of %d columns cannot be written", w->desc->natts);
	w->data_start = MAXALIGN(SizeofMinimalTupleHeader + BITMAPLEN(w->desc->natts));
	w->wanted = PG_UINT64_MAX;
	w->max = 1024;
	w->tuple = palloc(w->max);
}

/* Likewise, where the last argument says which columns are read: wanted_columns_sql.c. */
void
row_writer_init_wanted(RowWriter *w, FunctionCallInfo fcinfo)
{
	row_writer_init(w, fcinfo);
	w->wanted = (uint64) PG_GETARG_INT64(PG_NARGS() - 1);
}

/* Make the buffer larger. */
void
row_grow(RowWriter *w, size_t len)
{
	if (len > MaxAllocSize)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("row is too large")));
	w->max = Min(Max(w->max * 2, len), MaxAllocSize);
	w->tuple = repalloc(w->tuple, w->max);
}

void
row_begin(RowWriter *w)
{
	memset(w->tuple, 0, w->data_start);
	w->len = w->data_start;
	w->column = 0;
	w->not_null = 0;
}

void
row_end(RowWriter *w)
{
	MinimalTuple tuple = (MinimalTuple) w->tuple;
	HeapTupleData heap_tuple;
	uint8		bits[ROW_MAX_COLUMNS / 8];

	Assert(w->column == w->desc->natts);
	tuple->t_len = w->len;
	tuple->t_infomask = HEAP_HASNULL | HEAP_HASVARWIDTH;
	tuple->t_hoff = w->data_start + MINIMAL_TUPLE_OFFSET;
	tuple->t_infomask2 = w->desc->natts;
	store_uint64(bits, w->not_null);
	memcpy(tuple->t_bits, bits, BITMAPLEN(w->desc->natts));
	/* as a heap tuple, of which the store copies the minimal part */
	heap_tuple.t_len = w->len + MINIMAL_TUPLE_OFFSET;
	heap_tuple.t_data = (HeapTupleHeader) (w->tuple - MINIMAL_TUPLE_OFFSET);
	tuplestore_puttuple(w->store, &heap_tuple);
}
