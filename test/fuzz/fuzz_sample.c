/*
 * fuzz_sample.c
 *		Fuzzes the binary and the text form of sample, what is done with values
 *		that come in that way, and trace states.
 *
 * The first byte of the input chooses. What is accepted must have one binary
 * form, read back from its text, and stand being merged, erased from and asked.
 */
#include "fuzz.h"

#include <math.h>

#include "kernel/sample.h"

static const char *input_text;
static const FuzzInput *input;
static Sample *sample;

static bool
same(StringInfo a, StringInfo b)
{
	return a->len == b->len && memcmp(a->data, b->data, a->len) == 0;
}

static void
encode(Sample *s, StringInfo out)
{
	Sample	   *settled = sample_copy(s);

	sample_settle(settled);
	initStringInfo(out);
	sample_encode(settled, out);
	sample_verify(out->data, out->len);
}

static void
parse(void *arg)
{
	if (input_text)
		sample = sample_from_text(input_text);
	else
	{
		sample_verify(input->data, input->size);
		sample = sample_decode(input->data, input->size);
	}
}

/* Does the text have a byte that JSON cannot hold as text? */
static bool
has_zero(const Sample *s)
{
	for (int i = 0; s->key_type == SAMPLE_KEY_TEXT && i < s->n; i++)
		if (memchr(s->items[i].key.bytes.data, 0, s->items[i].key.bytes.len))
			return true;
	return false;
}

static void
use_sample(void)
{
	StringInfoData bytes;
	StringInfoData text;
	StringInfoData again;
	SampleEstimate e;
	Sample	   *half;
	Sample	   *united;

	encode(sample, &bytes);
	initStringInfo(&text);
	sample_to_text(sample, &text);
	if (!has_zero(sample))
	{
		encode(sample_from_text(text.data), &again);
		fuzz_expect(same(&bytes, &again), "the text of a sample reads back");
	}

	for (int i = 0; i < sample->n; i++)
	{
		double		p = sample_probability(sample, &sample->items[i]);

		fuzz_expect(p > 0 && p <= 1, "a probability is above 0 and at most 1");
	}
	sample_count(sample, &e);
	fuzz_expect(e.estimate >= sample->n * (1 - 1e-12), "a sample stands for what it has at least");
	sample_sum(sample, &e);
	sample_mean(sample, &e);

	/* twice the same is the same */
	united = sample_copy(sample);
	sample_merge(united, sample);
	encode(united, &again);
	fuzz_expect(same(&bytes, &again), "a sample united with itself is itself");

	/* what is erased comes back with a union, unless the size cut others */
	half = sample_copy(sample);
	for (int i = 0; i < sample->n; i += 2)
	{
		Bytes		key = sample_key(sample, &sample->items[i]);

		sample_erase(half, &key, 1);
	}
	fuzz_expect(half->n == sample->n / 2 && half->threshold == sample->threshold, "erasing takes keys alone");
	encode(half, &again);
	sample_merge(half, sample);
	encode(half, &again);
	fuzz_expect(same(&bytes, &again), "what was erased comes back");
}

static void
use_trace_state(void)
{
	Bytes		state = {(const char *) input->data, input->size};
	uint64		rank;
	double		p;

	if (trace_state_rank(state, &rank))
		fuzz_expect(rank < RANK_END, "a rank has 56 bits");
	if (trace_state_probability(state, &p))
		fuzz_expect(p > 0 && p <= 1, "a probability is above 0 and at most 1");
}

static void
run(void *arg)
{
	int			kind = *(int *) arg;

	if (kind % 3 == 2)
	{
		use_trace_state();
		return;
	}
	input_text = kind % 3 == 1 ? pnstrdup((const char *) input->data, input->size) : NULL;
	if (shim_try(parse, NULL))
		use_sample();
}

/* The vectors of the paper's reference: key 00 01 … 0f, text 00 01 02 … */
static void
check_siphash(void)
{
	static const uint64 expected[] = {
		UINT64CONST(0x726fdb47dd0e0e31), UINT64CONST(0x74f839c593dc67fd),
		UINT64CONST(0x0d6c8009d9a94f5a), UINT64CONST(0x85676696d7fb7e2d),
		UINT64CONST(0xcf2794e0277187b7), UINT64CONST(0x18765564cd99a68d),
		UINT64CONST(0xcbc9466e58fee3ce), UINT64CONST(0xab0200f58b01d137),
		UINT64CONST(0x93f5f5799a932462)
	};
	char		text[15];

	for (int i = 0; i < (int) lengthof(text); i++)
		text[i] = (char) i;
	for (int len = 0; len < (int) lengthof(expected); len++)
		fuzz_expect(siphash(UINT64CONST(0x0706050403020100), UINT64CONST(0x0f0e0d0c0b0a0908),
							(Bytes) {text, len}) == expected[len], "SipHash is SipHash");
	fuzz_expect(siphash(UINT64CONST(0x0706050403020100), UINT64CONST(0x0f0e0d0c0b0a0908),
						(Bytes) {text, 15}) == UINT64CONST(0xa129ca6149be45e5), "SipHash is SipHash");
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	FuzzInput	in = {data + 1, size - 1};
	static bool checked = false;
	int			kind;

	if (!checked)
		check_siphash();
	checked = true;
	if (size == 0)
		return 0;
	kind = data[0];
	input = &in;
	fuzz_expect(shim_run(run, &kind), "an accepted value raises no error");
	return 0;
}
