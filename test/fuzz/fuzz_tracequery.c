/*
 * fuzz_tracequery.c
 *		Fuzzes queries, and their evaluation.
 *
 * The input is a query, and after a NUL the binary form of a trajectory, if
 * any; without one, a small one that is built in is asked.  The binary form of
 * a query is a version and its text, which is parsed as any other.  A query
 * that is accepted must have a text that reads back as itself, must not find
 * spans that its index keys deny, and must raise no error.
 */
#include "fuzz.h"

#include "kernel/tracequery_keys.h"
#include "kernel/trajectory_text.h"

static const char built_in[] =
	"{\"trace_id\":\"1\",\"spans\":["
	"{\"span_id\":\"1\",\"name\":\"a\",\"start_ns\":1,\"end_ns\":90,\"attributes\":{\"x\":1,\"y\":[\"p\",2,true]}},"
	"{\"span_id\":\"2\",\"parent_span_id\":\"1\",\"name\":\"b\",\"start_ns\":2,\"end_ns\":30,\"status\":\"error\","
	"\"attributes\":{\"gen_ai.operation.name\":\"chat\",\"gen_ai.request.model\":\"m\",\"gen_ai.usage.input_tokens\":5},"
	"\"events\":[{\"name\":\"e\",\"time_ns\":3,\"attributes\":{\"x\":\"p\"}}]},"
	"{\"span_id\":\"3\",\"parent_span_id\":\"1\",\"name\":\"b\",\"start_ns\":30,\"end_ns\":0,\"attributes\":{\"x\":\"1\",\"z\":false}}]}";

static Tracequery *query;
static Trajectory *trajectory;

static void
parse(void *arg)
{
	const FuzzInput *in = arg;

	/* the server sees to this */
	if (utf8_is_valid((const char *) in->data, in->size))
		query = tracequery_parse((const char *) in->data, in->size);
}

static void
receive(void *arg)
{
	const FuzzInput *in = arg;
	char	   *datum = palloc(in->size + VARHDRSZ);
	struct varlena *value;

	SET_VARSIZE(datum, in->size + VARHDRSZ);
	memcpy(datum + VARHDRSZ, in->data, in->size);
	value = trajectory_receive(datum, in->size + VARHDRSZ, CODEC_RAW);
	trajectory = trajectory_open(value, VARSIZE(value));
}

static void
take_built_in(void)
{
	SpanSet    *set = spanset_create();
	struct varlena *value;

	trajectory_read_text(set, built_in, strlen(built_in));
	value = trajectory_encode_set(set, false, CODEC_RAW);
	trajectory = trajectory_open(value, VARSIZE(value));
}

static void
check_text(void)
{
	StringInfoData first;
	StringInfoData second;

	initStringInfo(&first);
	initStringInfo(&second);
	tracequery_write(&first, query);
	if (first.len > TRACEQUERY_MAX_LEN)
		return;
	tracequery_write(&second, tracequery_parse(first.data, first.len));
	fuzz_expect(first.len == second.len && memcmp(first.data, second.data, first.len) == 0,
				"the text of a query reads back");
}

static void
check_keys(bool matches)
{
	uint32		count;
	int64	   *own = trajectory_index_keys(trajectory, &count);
	IndexNode  *tree = index_tree_for_scan(tracequery_index_tree(query));
	StringInfoData buf;
	int64	   *keys;
	uint32		n = index_tree_keys(tree, &keys);
	int8	   *check = palloc0(n + 1);

	for (uint32 i = 0; i < n; i++)
		for (uint32 k = 0; k < count && !check[i]; k++)
			check[i] = own[k] == keys[i];
	fuzz_expect(!matches || index_tree_check(tree, check) != 0, "the index denies no match");
	initStringInfo(&buf);
	index_tree_write(&buf, tree);
}

static void
evaluate(void)
{
	uint32		count;
	bool		matches = !tracequery_excludes(query, &trajectory->summary) &&
		tracequery_matches(query, trajectory);

	tracequery_spans(query, trajectory, &count);
	fuzz_expect(matches == (count > 0), "matching is finding spans");
	check_keys(matches);
}

static void
run(void *arg)
{
	FuzzInput	in = *(const FuzzInput *) arg;
	const uint8 *nul = memchr(in.data, 0, in.size);
	FuzzInput	rest = {NULL, 0};

	if (nul)
	{
		rest = (FuzzInput) {nul + 1, in.size - (nul + 1 - in.data)};
		in.size = nul - in.data;
	}
	if (!shim_try(parse, &in) || query == NULL)
	{
		query = NULL;
		return;
	}
	check_text();
	if (rest.size == 0)
		take_built_in();
	else if (!shim_try(receive, &rest))
	{
		query = NULL;
		return;
	}
	evaluate();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	FuzzInput	in = {data, size};

	query = NULL;
	trajectory = NULL;
	if (!shim_run(run, &in) && query != NULL)
		fuzz_expect(false, "an accepted query raises no error");
	return 0;
}
