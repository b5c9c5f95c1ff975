/*
 * row_writer.h
 *		Rows of a set-returning function, written as tuples in one go.
 *
 * Forming a tuple from Datums costs more than all else that a row of many
 * columns takes: each text is allocated, measured and copied twice.  Here the
 * columns are written in order straight into the bytes of a MinimalTuple.
 */
#ifndef LLMTRACE_ROW_WRITER_H
#define LLMTRACE_ROW_WRITER_H

#include "fmgr.h"
#include "funcapi.h"
#include "kernel/bytes.h"
#include "utils/timestamp.h"

typedef struct RowWriter
{
	Tuplestorestate *store;
	TupleTableSlot *slot;
	TupleDesc	desc;
	char	   *tuple;
	size_t		max;
	size_t		len;
	size_t		data_start;
	int			column;			/* the one that is written next */
} RowWriter;

extern void row_writer_init(RowWriter *w, FunctionCallInfo fcinfo);
extern void row_begin(RowWriter *w);
extern void row_end(RowWriter *w);
extern void row_null(RowWriter *w);
extern void row_bool(RowWriter *w, bool v);
extern void row_int4(RowWriter *w, int32 v);
extern void row_int8(RowWriter *w, int64 v);
extern void row_float8(RowWriter *w, double v);
extern void row_uuid(RowWriter *w, const uint8 *uuid);
extern void row_text(RowWriter *w, Bytes s);
extern void row_cstring(RowWriter *w, const char *s);
extern void row_varlena(RowWriter *w, const struct varlena *v);

static inline void
row_timestamptz(RowWriter *w, TimestampTz v)
{
	row_int8(w, v);
}

#endif							/* LLMTRACE_ROW_WRITER_H */
