/*
 * fuzz_payload.c
 *		Fuzzes moving bodies out and putting them back, by OTLP as JSON.
 *
 * What comes back is what came in, but for the spacing of lists of messages
 * that were written as JSON text; and out again, it gives the same bytes.
 */
#include "fuzz.h"

#include "common/sha2.h"
#include "kernel/otlp.h"
#include "kernel/payload.h"
#include "kernel/trajectory_text.h"

static const PayloadKeyPolicy policies[] = {
	{{"inline", 6}, PAYLOAD_INLINE},
	{{"store", 5}, PAYLOAD_STORE}
};

/* The first byte of the input decides which strings are long. */
static PayloadRules
rules_of(const FuzzInput *in)
{
	return (PayloadRules) {
		.secret = {"secret", 6},
		.max_inline_bytes = in->size > 0 ? in->data[0] % 8 : 0,
		.policies = policies,.policy_count = lengthof(policies)
	};
}

static SpanSet *
read_set(const FuzzInput *in)
{
	SpanSet    *set = spanset_create();

	if (in->size > 0)
		otlp_json_read(set, (const char *) in->data + 1, in->size - 1);
	return set;
}

static bool
find_body(const Value *ref, Bytes *body, void *arg)
{
	const PayloadSet *payloads = arg;

	for (uint32 i = 0; i < payloads->count; i++)
		if (memcmp(payloads->bodies[i].hash, ref->bytes, VALUE_REF_HASH_LEN) == 0)
		{
			*body = payloads->bodies[i].body;
			return true;
		}
	return false;
}

/* All spans as one text, a trajectory a line; no spaces where JSON may differ. */
static void
write_text(StringInfo buf, SpanSet *set, uint32 *count)
{
	TrajectoryEncoder *encoder;
	uint32	   *ends;
	uint32		groups;
	Span	  **spans = spanset_group(set, &ends, &groups);

	initStringInfo(buf);
	*count = 0;
	if (groups == 0)
		return;
	encoder = trajectory_encoder_create(set);
	for (uint32 g = 0; g < groups; g++)
	{
		uint32		from = g == 0 ? 0 : ends[g - 1];
		struct varlena *datum = trajectory_encode(encoder, spans + from, ends[g] - from, CODEC_RAW);
		Trajectory *t = trajectory_decode(datum, VARSIZE(datum), true);

		trajectory_check(t);
		*count += t->n;
		trajectory_write_text(buf, t);
		appendStringInfoChar(buf, '\n');
	}
	trajectory_encoder_free(encoder);
}

static void
remove_spaces(StringInfo buf)
{
	int			n = 0;

	for (int i = 0; i < buf->len; i++)
	{
		if (buf->data[i] == ' ')
			continue;
		if (buf->data[i] == '\\' && i + 1 < buf->len)
		{
			char		c = buf->data[i + 1];

			i++;
			if (c == 'n' || c == 't' || c == 'r')
				continue;
			buf->data[n++] = '\\';
			buf->data[n++] = c;
			continue;
		}
		buf->data[n++] = buf->data[i];
	}
	buf->len = n;
	buf->data[n] = '\0';
}

/* What a set becomes in the store: a set of spans with references. */
static void
extract(SpanSet *set, const PayloadRules *rules, PayloadSet *payloads)
{
	payload_prepare(set, rules);
	spanset_finish(set);
	payload_extract(set, rules, payloads);
}

/* The spans of a set that was encoded, in a new one. */
static SpanSet *
decoded(SpanSet *set)
{
	SpanSet    *out = spanset_create();
	TrajectoryEncoder *encoder;
	uint32	   *ends;
	uint32		groups;
	Span	  **spans = spanset_group(set, &ends, &groups);

	if (groups == 0)
		return out;
	encoder = trajectory_encoder_create(set);
	for (uint32 g = 0; g < groups; g++)
	{
		uint32		from = g == 0 ? 0 : ends[g - 1];
		struct varlena *datum = trajectory_encode(encoder, spans + from, ends[g] - from, CODEC_RAW);
		Trajectory *t = trajectory_decode(datum, VARSIZE(datum), true);

		trajectory_add_to_set(t, out, 0, t->n);
	}
	trajectory_encoder_free(encoder);
	return out;
}

static void
read_input(void *arg)
{
	read_set(arg);
}

static void
run(void *arg)
{
	const FuzzInput *in = arg;
	PayloadRules rules = rules_of(in);
	PayloadSet	payloads = {0};
	PayloadSet	again = {0};
	SpanSet    *original;
	SpanSet    *stored;
	SpanSet    *restored;
	StringInfoData before;
	StringInfoData after;
	StringInfoData first;
	StringInfoData second;
	uint32		n;
	uint32		m;

	if (!shim_try(read_input, arg))
		return;
	original = read_set(in);
	/* of a span that is there twice, one is chosen by its values */
	spanset_finish(original);
	write_text(&before, original, &n);
	if (n != original->span_count || strstr(before.data, PAYLOAD_STATUS_MESSAGE_KEY) != NULL)
		return;

	stored = read_set(in);
	extract(stored, &rules, &payloads);
	write_text(&first, stored, &m);
	fuzz_expect(m == n, "as many spans without bodies");

	restored = decoded(stored);
	payload_restore(restored, find_body, &payloads);
	spanset_finish(restored);
	write_text(&after, restored, &m);
	remove_spaces(&before);
	remove_spaces(&after);
	if (strcmp(before.data, after.data) != 0)
	{
		fprintf(stderr, "%s\n%s\n%s\n", before.data, first.data, after.data);
		fuzz_expect(false, "bodies put back give the spans back");
	}

	restored = decoded(stored);
	payload_restore(restored, find_body, &payloads);
	extract(restored, &rules, &again);
	write_text(&second, restored, &m);
	if (strcmp(first.data, second.data) != 0)
	{
		fprintf(stderr, "%s\n%s\n", first.data, second.data);
		fuzz_expect(false, "out again, references are the same");
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	FuzzInput	in = {data, size};

	if (!shim_run(run, &in))
		fuzz_expect(false, "accepted spans raise no error");
	return 0;
}
