/*
 * billing.h
 *		Which spans cost money, and what for.
 *
 * A cost is counted where it arose: on a model call, or, where nothing below
 * reports tokens or a cost, on whatever span reports one.  What a span above
 * repeats is not counted again.
 */
#ifndef LLMTRACE_BILLING_H
#define LLMTRACE_BILLING_H

#include "kernel/trajectory.h"
#include "kernel/usage.h"
#include "lib/stringinfo.h"

/* US dollars in 1e-12, so that sums are exact in any order. */
#define COST_UNKNOWN (-1)

/* What one span is billed for. */
typedef struct SpanBill
{
	bool		is_billed;		/* its own, reported or to be priced */
	bool		is_wrapper;		/* a model call around a model call */
	int64		reported_pico;	/* what it says it cost, or COST_UNKNOWN */
} SpanBill;

/*
 * Tokens in disjoint parts, as price lists have them: input that was neither
 * read from nor written to a cache, output that is not reasoning.
 */
typedef struct BillableTokens
{
	int64		input;
	int64		output;
	int64		cache_read;
	int64		cache_write;
	int64		reasoning;
} BillableTokens;

/* What is billed under one model in one trace. */
typedef struct ModelBill
{
	Bytes		provider;		/* normalised; empty if unknown */
	Bytes		model;			/* responded, else requested; empty if unknown */
	int64		call_count;
	int64		reported_count; /* of them, those that report their cost */
	int64		reported_pico;
	BillableTokens tokens;		/* of the calls that do not */
} ModelBill;

extern SpanBill *span_bills(const Trajectory *t);
extern BillableTokens billable_tokens(int64 input, int64 output, int64 reasoning,
									  int64 cache_read, int64 cache_write);
extern BillableTokens span_billable_tokens(const SpanColumns *columns);
extern Bytes billing_key(StringInfo buf, Bytes provider, Bytes model);
extern ModelBill *model_bills(const Trajectory *t, uint32 *count);

#endif							/* LLMTRACE_BILLING_H */
