/*
 * fuzz_recv.c
 *		Fuzzes the binary form, as it comes from a client.
 */
#include "fuzz.h"

#include "kernel/trajectory.h"

static struct varlena *accepted_datum;

static void
read_input(void *arg)
{
	const FuzzInput *in = arg;
	struct varlena **accepted = &accepted_datum;
	struct varlena *datum;
	size_t		size = in->size + VARHDRSZ;
	char	   *bytes = palloc(size);

	memcpy(bytes + VARHDRSZ, in->data, in->size);
	SET_VARSIZE(bytes, size);
	datum = trajectory_receive(bytes, size, CODEC_RAW);
	*accepted = datum;
}

static void
run(void *arg)
{
	/* an error is an answer; after that, none may come */
	if (shim_try(read_input, arg))
		fuzz_use(accepted_datum);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	FuzzInput	in = {data, size};

	if (!shim_run(run, &in) && accepted_datum != NULL)
		fuzz_expect(false, "an accepted value raises no error");
	accepted_datum = NULL;
	return 0;
}
