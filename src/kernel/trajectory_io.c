/*
 * trajectory_io.c
 *		Text and binary input and output of trajectories.
 *
 * The binary form on the wire is the datum without its length word, its cold
 * section not compressed, so that any server can read it.  Receiving decodes,
 * checks and encodes anew: whatever comes in, only canonical values are kept.
 */
#include "postgres.h"

#include "compat.h"
#include "kernel/trajectory_sql.h"
#include "kernel/trajectory_text.h"
#include "libpq/pqformat.h"

PG_FUNCTION_INFO_V1(trajectory_in);
Datum
trajectory_in(PG_FUNCTION_ARGS)
{
	char	   *text = PG_GETARG_CSTRING(0);
	SpanSet    *set = spanset_create();
	struct varlena *result;

	trajectory_read_text(set, text, strlen(text));
	result = trajectory_encode_set(set, false, trajectory_best_codec());
	spanset_free(set);
	PG_RETURN_POINTER(result);
}

PG_FUNCTION_INFO_V1(trajectory_out);
Datum
trajectory_out(PG_FUNCTION_ARGS)
{
	Trajectory *t = trajectory_arg(fcinfo, 0, PARTS_ALL);
	StringInfoData buf;

	initStringInfo(&buf);
	trajectory_write_text(&buf, t);
	PG_RETURN_CSTRING(buf.data);
}

PG_FUNCTION_INFO_V1(trajectory_recv);
Datum
trajectory_recv(PG_FUNCTION_ARGS)
{
	StringInfo	buf = (StringInfo) PG_GETARG_POINTER(0);
	int			len = buf->len - buf->cursor;
	char	   *datum = palloc(len + VARHDRSZ);

	SET_VARSIZE(datum, len + VARHDRSZ);
	pq_copymsgbytes(buf, datum + VARHDRSZ, len);
	PG_RETURN_POINTER(trajectory_receive(datum, len + VARHDRSZ, trajectory_best_codec()));
}

PG_FUNCTION_INFO_V1(trajectory_send);
Datum
trajectory_send(PG_FUNCTION_ARGS)
{
	Trajectory *t = trajectory_arg(fcinfo, 0, PARTS_ALL);
	struct varlena *raw = trajectory_recode(t, 0, t->n, CODEC_RAW);
	StringInfoData buf;

	pq_begintypsend(&buf);
	pq_sendbytes(&buf, VARDATA(raw), VARSIZE(raw) - VARHDRSZ);
	PG_RETURN_BYTEA_P(pq_endtypsend(&buf));
}
