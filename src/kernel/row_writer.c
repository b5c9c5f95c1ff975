/*
 * row_writer.c
 *		Rows of a set-returning function, written as tuples in one go.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "compat.h"
#include "executor/executor.h"
#include "kernel/row_writer.h"
#include "utils/memutils.h"

/*
 * Set up a materialized result; rows are written from now on.  A function that
 * returns a set of one scalar type writes rows of one column.
 */
void
row_writer_init(RowWriter *w, FunctionCallInfo fcinfo)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	TypeFuncClass class = get_call_result_type(fcinfo, NULL, NULL);

	InitMaterializedSRF(fcinfo, class == TYPEFUNC_COMPOSITE ? 0 : MAT_SRF_USE_EXPECTED_DESC);
	w->store = rsinfo->setResult;
	w->desc = rsinfo->setDesc;
	w->slot = MakeSingleTupleTableSlot(w->desc, &TTSOpsMinimalTuple);
	w->data_start = MAXALIGN(SizeofMinimalTupleHeader + BITMAPLEN(w->desc->natts));
	w->max = 1024;
	w->tuple = palloc(w->max);
}

/* Room for more bytes behind padding, which is zero. */
static char *
reserve(RowWriter *w, size_t alignment, size_t room)
{
	size_t		at = w->data_start + TYPEALIGN(alignment, w->len - w->data_start);

	if (unlikely(at + room > w->max))
	{
		if (at + room > MaxAllocSize)
			ereport(ERROR,
					(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					 errmsg("row is too large")));
		w->max = Min(Max(w->max * 2, at + room), MaxAllocSize);
		w->tuple = repalloc(w->tuple, w->max);
	}
	memset(w->tuple + w->len, 0, at - w->len);
	w->len = at + room;
	return w->tuple + at;
}

/* The next column has a value. */
static inline void
mark_value(RowWriter *w)
{
	bits8	   *bits = ((MinimalTuple) w->tuple)->t_bits;

	Assert(w->column < w->desc->natts);
	bits[w->column / 8] |= 1 << (w->column % 8);
	w->column++;
}

void
row_begin(RowWriter *w)
{
	memset(w->tuple, 0, w->data_start);
	w->len = w->data_start;
	w->column = 0;
}

void
row_end(RowWriter *w)
{
	MinimalTuple tuple = (MinimalTuple) w->tuple;

	Assert(w->column == w->desc->natts);
	tuple->t_len = w->len;
	tuple->t_infomask = HEAP_HASNULL | HEAP_HASVARWIDTH;
	tuple->t_hoff = w->data_start + MINIMAL_TUPLE_OFFSET;
	HeapTupleHeaderSetNatts(tuple, w->desc->natts);
	ExecStoreMinimalTuple(tuple, w->slot, false);
	tuplestore_puttupleslot(w->store, w->slot);
}

void
row_null(RowWriter *w)
{
	w->column++;
}

void
row_bool(RowWriter *w, bool v)
{
	*reserve(w, 1, 1) = v;
	mark_value(w);
}

void
row_int4(RowWriter *w, int32 v)
{
	memcpy(reserve(w, ALIGNOF_INT, sizeof(v)), &v, sizeof(v));
	mark_value(w);
}

void
row_int8(RowWriter *w, int64 v)
{
	memcpy(reserve(w, ALIGNOF_DOUBLE, sizeof(v)), &v, sizeof(v));
	mark_value(w);
}

void
row_float8(RowWriter *w, double v)
{
	memcpy(reserve(w, ALIGNOF_DOUBLE, sizeof(v)), &v, sizeof(v));
	mark_value(w);
}

void
row_uuid(RowWriter *w, const uint8 *uuid)
{
	memcpy(reserve(w, 1, 16), uuid, 16);
	mark_value(w);
}

void
row_text(RowWriter *w, Bytes s)
{
	if (s.len + VARHDRSZ_SHORT <= VARATT_SHORT_MAX)
	{
		char	   *p = reserve(w, 1, s.len + VARHDRSZ_SHORT);

		SET_VARSIZE_1B(p, s.len + VARHDRSZ_SHORT);
		memcpy(p + VARHDRSZ_SHORT, s.data, s.len);
	}
	else
	{
		char	   *p = reserve(w, ALIGNOF_INT, (size_t) s.len + VARHDRSZ);

		SET_VARSIZE(p, s.len + VARHDRSZ);
		memcpy(p + VARHDRSZ, s.data, s.len);
	}
	mark_value(w);
}

void
row_cstring(RowWriter *w, const char *s)
{
	row_text(w, (Bytes) {s, strlen(s)});
}

/* A value with a header of four bytes, not compressed, of int alignment. */
void
row_varlena(RowWriter *w, const struct varlena *v)
{
	memcpy(reserve(w, ALIGNOF_INT, VARSIZE(v)), v, VARSIZE(v));
	mark_value(w);
}
