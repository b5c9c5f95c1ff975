/*
 * fuzz_otlp_json.c
 *		Fuzzes OTLP as JSON, any bytes at all.
 */
#include "fuzz.h"

#include "kernel/otlp.h"
#include "kernel/repair.h"

static SpanSet *accepted_set;

static void
read_input(void *arg)
{
	const FuzzInput *in = arg;
	SpanSet    *set = spanset_create();

	otlp_json_read(set, (const char *) in->data, in->size);
	accepted_set = set;
}

/* What was repaired needs no repair, and the places are in it, in order. */
static void
check_repair(const FuzzInput *in)
{
	RepairList	repairs;
	RepairList	again;
	size_t		len;
	size_t		len_again;
	const char *json = repair_json((const char *) in->data, in->size, &len, &repairs);

	for (uint32 i = 0; i < repairs.count; i++)
		fuzz_expect(repairs.offsets[i] < (i + 1 < repairs.count ? repairs.offsets[i + 1] : len),
					"repairs are in order");
	fuzz_expect(repair_json(json, len, &len_again, &again) == json && again.count == 0,
				"what was repaired is sound");
}

static void
run(void *arg)
{
	check_repair(arg);
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
