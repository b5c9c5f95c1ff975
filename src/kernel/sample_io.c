/*
 * sample_io.c
 *		Input and output of type sample. The binary form is the datum's body.
 *		Sending it: state_sql.c.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"

#include "kernel/sample_sql.h"

PG_FUNCTION_INFO_V1(sql_sample_in);
PG_FUNCTION_INFO_V1(sql_sample_out);
PG_FUNCTION_INFO_V1(sql_sample_recv);

Datum
sample_to_datum(const Sample *s)
{
	Sample	   *settled = sample_copy(s);
	StringInfoData out;

	sample_settle(settled);
	state_begin(&out);
	sample_encode(settled, &out);
	pfree(settled->items);
	pfree(settled);
	return state_end(&out);
}

Datum
sql_sample_in(PG_FUNCTION_ARGS)
{
	PG_RETURN_SAMPLE(sample_from_text(PG_GETARG_CSTRING(0)));
}

Datum
sql_sample_out(PG_FUNCTION_ARGS)
{
	StringInfoData out;

	initStringInfo(&out);
	sample_to_text(PG_GETARG_SAMPLE(0), &out);
	PG_RETURN_CSTRING(out.data);
}

static void
verify_with_keys(const void *bytes, size_t len)
{
	Sample	   *s;

	sample_verify(bytes, len);
	s = sample_decode(bytes, len);
	if (s->key_type != SAMPLE_KEY_TEXT)
		return;
	for (int i = 0; i < s->n; i++)
		(void) pg_verify_mbstr(GetDatabaseEncoding(), s->items[i].key.bytes.data,
							   s->items[i].key.bytes.len, false);
}

Datum
sql_sample_recv(PG_FUNCTION_ARGS)
{
	return state_receive(fcinfo, verify_with_keys);
}
