/*
 * fuzz_otlp_protobuf.c
 *		Fuzzes OTLP as protobuf.
 */
#include "fuzz.h"

#include "kernel/otlp.h"

static SpanSet *accepted_set;

static void
read_input(void *arg)
{
	const FuzzInput *in = arg;
	SpanSet    *set = spanset_create();

	otlp_protobuf_read(set, in->data, in->size);
	accepted_set = set;
}

static void
run(void *arg)
{
	/* an error is an answer; after that, none may come */
	if (shim_try(read_input, arg))
		fuzz_encode_all(accepted_set, fuzz_use);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	FuzzInput	in = {data, size};

	if (!shim_run(run, &in) && accepted_set != NULL)
		fuzz_expect(false, "accepted spans raise no error");
	accepted_set = NULL;
	return 0;
}
