/*
 * fuzz_plan.c
 *		Fuzzes the forms of plans, and what is asked of those that get in.
 *
 * The first byte chooses: a text (short form or JSON), the binary form, a text
 * that an agent recorded, a list of actions, a chat, options.  A plan that is
 * accepted must read back from both its forms as itself, and stand being held
 * against a trace.  A record must never raise an error.
 */
#include "fuzz.h"

#include "kernel/plan_distance.h"
#include "kernel/trajectory_text.h"
#include "kernel/transcript.h"

static const char built_in[] =
	"[{\"tool\":\"a\",\"args\":{\"x\":1,\"y\":[2,\"Z \"]}},{\"tool\":\"b\",\"failed\":true},{\"tool\":\"b\"},"
	"{\"agent\":\"c\",\"args\":{\"x\":null},\"actions\":[{\"tool\":\"a\"},{\"tool\":\"d\"}]},{\"model\":\"m\"},{\"tool\":\"a\"}]";

static ActionPlan *plan;
static Arena arena;
static PlanOptions options;

static void
parse(void *arg)
{
	const FuzzInput *in = arg;

	if (utf8_is_valid((const char *) in->data, in->size))
		plan = plan_from_text((const char *) in->data, in->size, &arena);
}

static void
receive(void *arg)
{
	const FuzzInput *in = arg;

	plan = plan_receive(in->data, in->size, &arena);
}

static bool
same(const StringInfoData *a, const StringInfoData *b)
{
	return a->len == b->len && memcmp(a->data, b->data, a->len) == 0;
}

static void
check_forms(void)
{
	StringInfoData bytes;
	StringInfoData text;
	StringInfoData again;

	initStringInfo(&bytes);
	initStringInfo(&text);
	initStringInfo(&again);
	plan_encode(&bytes, plan);
	plan_put_json(&text, plan);
	plan_encode(&again, plan_receive(bytes.data, bytes.len, &arena));
	fuzz_expect(same(&bytes, &again), "the binary form reads back");
	resetStringInfo(&again);
	plan_encode(&again, plan_from_text(text.data, text.len, &arena));
	if (!same(&bytes, &again))
		fprintf(stderr, "%s\n", text.data);
	fuzz_expect(same(&bytes, &again), "the text form reads back");
}

static Trajectory *
make_trace(const char *json, size_t len, void (*read) (SpanSet *set, const char *json, size_t len))
{
	SpanSet    *set = spanset_create();
	struct varlena *datum;
	Trajectory *t;

	read(set, json, len);
	datum = trajectory_encode_set(set, false, CODEC_RAW);
	t = trajectory_open(datum, VARSIZE(datum));
	trajectory_decode_hot(t);
	trajectory_decode_cold(t);
	return t;
}

static void
check_evaluation(Trajectory *t)
{
	CompiledPlan *c = plan_compile(plan, &options);
	PlanRows	rows = {0};
	PlanOutcome o = plan_evaluate(c, t, &rows);
	PlanOutcome costs = plan_evaluate(c, t, NULL);
	uint32		count;

	fuzz_expect(o.free_cost >= 0, "no cost is negative");
	fuzz_expect(o.free_cost <= o.ordered_low && o.ordered_low <= o.ordered_cost,
				"order costs nothing less");
	fuzz_expect(costs.free_cost == o.free_cost && costs.plan_weight == o.plan_weight &&
				costs.trace_weight == o.trace_weight, "costs are the same without rows");
	fuzz_expect(costs.ordered_low >= o.ordered_low && costs.ordered_cost <= o.ordered_cost &&
				costs.ordered_low <= costs.ordered_cost, "with order, too");
	plan_evaluate_first(c, t);
	plan_churn(c, t);
	for (int mode = 0; mode < PLAN_MATCH_MODES; mode++)
	{
		double		match = plan_match(c, t, mode);

		fuzz_expect(match >= 0 && match <= 1, "a match is a share");
	}
	plan_find_cycles(plan, plan_order(plan), &count);
}

/* A few seconds of the server's time are no bug, but they are here. */
static bool
is_small(void)
{
	uint64		times = 0;

	for (uint32 i = 0; i < plan->step_count; i++)
		times += plan->steps[i].min + plan->steps[i].max;
	return times < 3000 && plan->revision_count < 20;
}

static void
use_plan(void)
{
	check_forms();
	if (is_small())
		check_evaluation(make_trace(built_in, strlen(built_in), transcript_read_actions));
}

/* What is kept of a record has its steps, by words, and is kept of itself. */
static void
check_outline(void)
{
	StringInfoData outline;
	StringInfoData again;
	ActionPlan *kept;

	initStringInfo(&outline);
	initStringInfo(&again);
	plan_put_outline_json(&outline, plan, &arena);
	kept = plan_from_outline((Bytes) {outline.data, outline.len}, false, &arena);
	fuzz_expect(kept != NULL && kept->step_count == plan->step_count, "an outline has all steps");
	for (uint32 i = 0; i < kept->step_count; i++)
	{
		const PlanStep *s = &kept->steps[i];

		fuzz_expect(plan_is_word(s->matchers[0].name), "a step is named by a word");
		fuzz_expect(strpbrk(pnstrdup(s->id.data, s->id.len), " \"\\\n") == NULL, "ids are no prose");
		fuzz_expect(s->after_count == plan->steps[i].after_count, "the order is kept");
		fuzz_expect(s->matchers[0].has_args == plan->steps[i].matchers[0].has_args, "that there are arguments is kept");
		fuzz_expect(!s->matchers[0].has_args || s->matchers[0].args.type == VALUE_EMPTY, "arguments are not");
	}
	plan_put_outline_json(&again, kept, &arena);
	fuzz_expect(same(&outline, &again), "an outline of an outline is the same");
}

static void
use_record(const FuzzInput *in)
{
	if (!utf8_is_valid((const char *) in->data, in->size))
		return;
	plan = plan_from_record((Bytes) {(const char *) in->data, in->size}, in->size % 2, &arena);
	if (plan != NULL)
		use_plan();
	if (plan != NULL)
		check_outline();
}

static void
read_transcript(void *arg)
{
	const FuzzInput *in = arg;
	Trajectory *t;

	if (in->size < 1 || !utf8_is_valid((const char *) in->data + 1, in->size - 1))
		return;
	t = make_trace((const char *) in->data + 1, in->size - 1,
				   in->data[0] & 1 ? transcript_read_actions : transcript_read_messages);
	trajectory_check(t);
	plan = plan_from_text("(a & *) -> c{b*} -> a(x = 1)?", 29, &arena);
	fuzz_use((struct varlena *) unconstify(char *, t->datum));
	check_evaluation(t);
}

static void
read_options(void *arg)
{
	const FuzzInput *in = arg;

	if (utf8_is_valid((const char *) in->data, in->size))
		options = plan_options_parse((Bytes) {(const char *) in->data, in->size}, ARGUMENTS_CANONICAL, &arena);
}

static void
run(void *arg)
{
	FuzzInput	in = *(const FuzzInput *) arg;
	uint8		form = in.data[0] % 6;

	in.data++;
	in.size--;
	plan = NULL;
	arena = (Arena) {.context = CurrentMemoryContext};
	options = plan_options_parse(BYTES_LITERAL("{\"effects\":{\"a\":\"write\",\"d\":3}}"), ARGUMENTS_CANONICAL, &arena);
	options.max_states = 1000;
	switch (form)
	{
		case 0:
		case 1:
			if (!shim_try(form == 0 ? parse : receive, &in))
				plan = NULL;
			if (plan != NULL)
				use_plan();
			break;
		case 2:
			use_record(&in);
			break;
		case 3:
		case 4:
			shim_try(read_transcript, &in);
			break;
		default:
			if (shim_try(read_options, &in))
			{
				plan = plan_from_text("a -> (b | d & c) -> a", 21, &arena);
				options.max_states = Min(options.max_states, 1000);
				check_evaluation(make_trace(built_in, strlen(built_in), transcript_read_actions));
			}
			break;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	FuzzInput	in = {data, size};

	if (size > 0 && !shim_run(run, &in))
		fuzz_expect(false, "what gets in raises no error");
	return 0;
}
