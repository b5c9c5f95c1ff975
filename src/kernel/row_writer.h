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

#include "access/htup_details.h"
#include "compat.h"
#include "fmgr.h"
#include "funcapi.h"
#include "kernel/bytes.h"
#include "utils/timestamp.h"

typedef struct RowWriter
{
	Tuplestorestate *store;
	TupleDesc	desc;
	char	   *tuple;
	size_t		max;
	size_t		len;
	size_t		data_start;
	int			column;			/* the one that is written next */
	uint64		not_null;		/* bit c: column c has a value */
	uint64		wanted;			/* bit c: column c is read; others become null */
} RowWriter;

#define ROW_MAX_COLUMNS 64

extern void row_writer_init(RowWriter *w, FunctionCallInfo fcinfo);
extern void row_writer_init_wanted(RowWriter *w, FunctionCallInfo fcinfo);
extern void row_begin(RowWriter *w);
extern void row_end(RowWriter *w);
extern void row_grow(RowWriter *w, size_t len);

/* Room for a column of some size behind padding, which is zero. */
static inline char *
row_reserve(RowWriter *w, size_t alignment, size_t room)
{
	size_t		at = w->data_start + TYPEALIGN(alignment, w->len - w->data_start);

	if (unlikely(at + room > w->max))
		row_grow(w, at + room);
	while (w->len < at)
		w->tuple[w->len++] = 0;
	w->len += room;
	return w->tuple + at;
}

/* The next column is null. */
static inline void
row_null(RowWriter *w)
{
	w->column++;
}

static inline void
row_nulls(RowWriter *w, int count)
{
	w->column += count;
}

/* Is the next column read? */
static inline bool
row_wants(const RowWriter *w)
{
	return (w->wanted >> w->column & 1) != 0;
}

/* Go past so many columns if none of them is read. */
static inline bool
row_skip_all(RowWriter *w, int count)
{
	if ((w->wanted >> w->column & ((UINT64_C(1) << count) - 1)) != 0)
		return false;
	w->column += count;
	return true;
}

static inline bool
row_skip(RowWriter *w)
{
	return row_skip_all(w, 1);
}

/* The next column has a value. */
static inline void
row_value(RowWriter *w)
{
	Assert(w->column < w->desc->natts);
	w->not_null |= UINT64_C(1) << w->column++;
}

static inline void
row_bool(RowWriter *w, bool v)
{
	if (row_skip(w))
		return;
	*row_reserve(w, 1, 1) = v;
	row_value(w);
}

static inline void
row_int4(RowWriter *w, int32 v)
{
	if (row_skip(w))
		return;
	memcpy(row_reserve(w, ALIGNOF_INT, sizeof(v)), &v, sizeof(v));
	row_value(w);
}

static inline void
row_int8(RowWriter *w, int64 v)
{
	if (row_skip(w))
		return;
	memcpy(row_reserve(w, ALIGNOF_DOUBLE, sizeof(v)), &v, sizeof(v));
	row_value(w);
}

static inline void
row_float8(RowWriter *w, double v)
{
	if (row_skip(w))
		return;
	memcpy(row_reserve(w, ALIGNOF_DOUBLE, sizeof(v)), &v, sizeof(v));
	row_value(w);
}

static inline void
row_timestamptz(RowWriter *w, TimestampTz v)
{
	row_int8(w, v);
}

static inline void
row_uuid(RowWriter *w, const uint8 *uuid)
{
	if (row_skip(w))
		return;
	memcpy(row_reserve(w, 1, 16), uuid, 16);
	row_value(w);
}

/* Copy what is mostly short: two words that may overlap are enough for that. */
static inline void
copy_short(char *to, const char *from, size_t len)
{
	if (len > 16)
		memcpy(to, from, len);
	else if (len >= 8)
	{
		uint64		last;

		memcpy(&last, from + len - 8, 8);
		memcpy(to, from, 8);
		memcpy(to + len - 8, &last, 8);
	}
	else if (len >= 4)
	{
		uint32		last;

		memcpy(&last, from + len - 4, 4);
		memcpy(to, from, 4);
		memcpy(to + len - 4, &last, 4);
	}
	else
		for (size_t i = 0; i < len; i++)
			to[i] = from[i];
}

static inline void
row_text(RowWriter *w, Bytes s)
{
	if (row_skip(w))
		return;
	if (likely(s.len + VARHDRSZ_SHORT <= VARATT_SHORT_MAX))
	{
		char	   *p = row_reserve(w, 1, s.len + VARHDRSZ_SHORT);

		SET_VARSIZE_1B(p, s.len + VARHDRSZ_SHORT);
		copy_short(p + VARHDRSZ_SHORT, s.data, s.len);
	}
	else
	{
		char	   *p = row_reserve(w, ALIGNOF_INT, (size_t) s.len + VARHDRSZ);

		SET_VARSIZE(p, s.len + VARHDRSZ);
		memcpy(p + VARHDRSZ, s.data, s.len);
	}
	row_value(w);
}

static inline void
row_cstring(RowWriter *w, const char *s)
{
	row_text(w, (Bytes) {s, strlen(s)});
}

/*
 * Neighbouring texts that many rows have in common, as they were written once:
 * so short all together that none is padded.
 */
typedef struct RowRun
{
	uint8		columns;		/* up to 8 … */
	uint8		not_null;		/* … of which these have a value */
	uint8		len;
	char		bytes[120];
} RowRun;

/* Keep the columns written since some column and length; false if they are long. */
static inline bool
row_run_keep(const RowWriter *w, int column, size_t len, RowRun *run)
{
	if (w->len - len > sizeof(run->bytes))
		return false;
	run->columns = w->column - column;
	run->not_null = w->not_null >> column;
	run->len = w->len - len;
	memcpy(run->bytes, w->tuple + len, run->len);
	return true;
}

/* Write the same columns again. */
static inline void
row_run_repeat(RowWriter *w, const RowRun *run)
{
	memcpy(row_reserve(w, 1, run->len), run->bytes, run->len);
	w->not_null |= (uint64) run->not_null << w->column;
	w->column += run->columns;
}

/* A value with a header of four bytes, not compressed, of int alignment. */
static inline void
row_varlena(RowWriter *w, const struct varlena *v)
{
	if (row_skip(w))
		return;
	memcpy(row_reserve(w, ALIGNOF_INT, VARSIZE(v)), v, VARSIZE(v));
	row_value(w);
}

#endif							/* LLMTRACE_ROW_WRITER_H */
