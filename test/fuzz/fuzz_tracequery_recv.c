/*
 * fuzz_tracequery_recv.c
 *		Fuzzes the binary form of queries, as it comes from a client.
 *
 * A version byte and text: what is accepted becomes a datum, whose own binary
 * form is accepted in turn and gives the same datum.
 */
#include "fuzz.h"

#include "kernel/tracequery.h"

static TracequeryDatum *accepted;

static void
receive(void *arg)
{
	const FuzzInput *in = arg;

	if (in->size == 0)
		bytes_corrupt("query");
	tracequery_require_version(in->data[0]);
	/* the server sees to this */
	if (!utf8_is_valid((const char *) in->data + 1, in->size - 1))
		bytes_corrupt("query");
	accepted = tracequery_make_datum((const char *) in->data + 1, in->size - 1);
}

static void
run(void *arg)
{
	TracequeryDatum *first;
	FuzzInput	sent;

	if (!shim_try(receive, arg))
		return;
	first = accepted;
	tracequery_from_datum(first);
	sent = (FuzzInput) {(const uint8 *) first + offsetof(TracequeryDatum, version),
		VARSIZE(first) - offsetof(TracequeryDatum, version)};
	receive(&sent);
	fuzz_expect(VARSIZE(first) == VARSIZE(accepted) && memcmp(first, accepted, VARSIZE(first)) == 0,
				"what is sent is received as itself");
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	FuzzInput	in = {data, size};

	accepted = NULL;
	if (!shim_run(run, &in) && accepted != NULL)
		fuzz_expect(false, "an accepted query raises no error");
	return 0;
}
