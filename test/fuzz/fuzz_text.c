/*
 * fuzz_text.c
 *		Fuzzes the text form.
 */
#include "fuzz.h"

#include "kernel/trajectory_text.h"

static struct varlena *accepted_datum;

static void
read_input(void *arg)
{
	const FuzzInput *in = arg;
	struct varlena **accepted = &accepted_datum;
	SpanSet    *set;

	/* the server sees to this */
	if (!utf8_is_valid((const char *) in->data, in->size))
		return;
	set = spanset_create();

	trajectory_read_text(set, (const char *) in->data, in->size);
	*accepted = trajectory_encode_set(set, false, CODEC_RAW);
}

static void
run(void *arg)
{
	/* an error is an answer; after that, none may come */
	if (shim_try(read_input, arg) && accepted_datum != NULL)
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
