/*
 * usage.c
 *		Whose tokens a span reports: its own, or its descendants' again.
 *
 * Wrappers and agents often repeat the sums of the model calls below them, so
 * a plain sum over spans would count tokens twice.  A model call (llm,
 * embedding, rerank) owns what it reports unless a model call below it reports
 * usage; any other span only if nothing below it does.
 */
#include "postgres.h"

#include "common/int.h"
#include "kernel/usage.h"

/* A sum that stops at the largest number; unknown if both are. */
int64
tokens_add(int64 a, int64 b)
{
	int64		sum;

	if (a < 0 || b < 0)
		return Max(a, b);
	return pg_add_s64_overflow(a, b, &sum) ? PG_INT64_MAX : sum;
}

SpanUsage
columns_usage(const SpanColumns *s)
{
	SpanUsage	usage;

	if (!column_is_borne(s, COLUMN_INPUT_TOKENS) ||
		!column_int(s, COLUMN_INPUT_TOKENS, &usage.input_tokens))
		usage.input_tokens = TOKENS_UNKNOWN;
	if (!column_is_borne(s, COLUMN_OUTPUT_TOKENS) ||
		!column_int(s, COLUMN_OUTPUT_TOKENS, &usage.output_tokens))
		usage.output_tokens = TOKENS_UNKNOWN;
	return usage;
}

bool
is_model_call(uint8 kind)
{
	return kind == KIND_LLM || kind == KIND_EMBEDDING || kind == KIND_RERANK;
}

static inline bool
reports_any(const SpanUsage *usage)
{
	return usage->input_tokens > 0 || usage->output_tokens > 0;
}

#define MODEL_BELOW 0x01
#define ANY_BELOW 0x02

/*
 * Set the scope of each span of a forest in preorder, in one pass from the
 * leaves up.  scope has room for n entries.  A count of zero is reported
 * usage, but nothing that a span above could have repeated.
 */
void
usage_scopes(uint32 n, const int32 *parent, const uint8 *kind,
			 const SpanUsage *usage, uint8 *scope)
{
	/* until a span's turn comes, its entry holds what is below it */
	memset(scope, 0, n);
	for (uint32 i = n; i-- > 0;)
	{
		uint8		below = scope[i];
		bool		is_reported = usage[i].input_tokens >= 0 || usage[i].output_tokens >= 0;
		bool		is_model = is_model_call(kind[i]);

		if (!is_reported)
			scope[i] = USAGE_NONE;
		else if (below & (is_model ? MODEL_BELOW : ANY_BELOW))
			scope[i] = USAGE_ROLLUP;
		else
			scope[i] = USAGE_OWN;

		if (reports_any(&usage[i]))
			below |= is_model ? MODEL_BELOW | ANY_BELOW : ANY_BELOW;
		if (parent[i] >= 0)
			scope[parent[i]] |= below;
	}
}

/*
 * Which model calls only wrap another: a model call below them reports usage.
 * is_wrapper has room for n entries.
 */
void
usage_wrappers(uint32 n, const int32 *parent, const uint8 *kind,
			   const SpanUsage *usage, bool *is_wrapper)
{
	/* until a span's turn comes: does a model call below it report usage? */
	memset(is_wrapper, 0, n * sizeof(bool));
	for (uint32 i = n; i-- > 0;)
	{
		bool		is_model = is_model_call(kind[i]);

		if (parent[i] >= 0 && (is_wrapper[i] || (is_model && reports_any(&usage[i]))))
			is_wrapper[parent[i]] = true;
		is_wrapper[i] = is_wrapper[i] && is_model;
	}
}
