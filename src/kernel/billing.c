/*
 * billing.c
 *		Which spans cost money, and what for.
 */
#include "postgres.h"

#include <math.h>

#include "kernel/billing.h"
#include "kernel/dictionary.h"
#include "kernel/span_measure.h"

/* A reported cost in 1e-12 dollars; COST_UNKNOWN if there is none. */
static int64
reported_cost(const SpanColumns *columns)
{
	double		usd;

	if (!column_is_borne(columns, COLUMN_COST_USD) ||
		!column_double(columns, COLUMN_COST_USD, &usd) || usd < 0)
		return COST_UNKNOWN;
	usd = rint(usd * 1e12);
	return usd >= (double) PG_INT64_MAX ? PG_INT64_MAX : (int64) usd;
}

/*
 * For each span, whether it is billed.  Scopes are those of usage.c, where a
 * reported cost counts as usage, too.
 */
SpanBill *
span_bills(const Trajectory *t)
{
	SpanBill   *bills = palloc_extended(t->n * sizeof(SpanBill), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	SpanUsage  *usage = palloc_extended(t->n * sizeof(SpanUsage), MCXT_ALLOC_HUGE);
	uint8	   *kinds = palloc_extended(t->n, MCXT_ALLOC_HUGE);
	uint8	   *scopes = palloc_extended(t->n, MCXT_ALLOC_HUGE);
	bool	   *wrappers = palloc_extended(t->n, MCXT_ALLOC_HUGE);

	for (uint32 i = 0; i < t->n; i++)
	{
		SpanColumns columns = trajectory_columns(t, i);

		kinds[i] = trajectory_class(t, i)->kind;
		usage[i] = columns_usage(&columns);
		bills[i].reported_pico = reported_cost(&columns);
		if (bills[i].reported_pico >= 0 && usage[i].input_tokens <= 0)
			usage[i].input_tokens = bills[i].reported_pico > 0;
	}
	usage_scopes(t->n, t->parent, kinds, usage, scopes);
	usage_wrappers(t->n, t->parent, kinds, usage, wrappers);
	for (uint32 i = 0; i < t->n; i++)
	{
		bills[i].is_billed = scopes[i] == USAGE_OWN;
		bills[i].is_wrapper = wrappers[i];
	}
	pfree(usage);
	pfree(kinds);
	pfree(scopes);
	pfree(wrappers);
	return bills;
}

/*
 * Parts of what was reported, TOKENS_UNKNOWN being none.  Input includes what
 * a cache held, output includes reasoning; where they do not, nothing gets
 * negative.
 */
BillableTokens
billable_tokens(int64 input, int64 output, int64 reasoning, int64 cache_read, int64 cache_write)
{
	BillableTokens tokens;
	int64		cached;

	tokens.cache_read = Max(cache_read, 0);
	tokens.cache_write = Max(cache_write, 0);
	tokens.reasoning = Max(reasoning, 0);
	cached = tokens_add(tokens.cache_read, tokens.cache_write);
	tokens.input = input > cached ? input - cached : 0;
	tokens.output = output > tokens.reasoning ? output - tokens.reasoning : 0;
	return tokens;
}

/* What one span reports, in such parts. */
BillableTokens
span_billable_tokens(const SpanColumns *columns)
{
	SpanUsage	usage = columns_usage(columns);
	int64		reasoning;
	int64		cache_read;
	int64		cache_write;

	if (!column_int(columns, COLUMN_REASONING_TOKENS, &reasoning))
		reasoning = TOKENS_UNKNOWN;
	if (!column_int(columns, COLUMN_CACHE_READ_TOKENS, &cache_read))
		cache_read = TOKENS_UNKNOWN;
	if (!column_int(columns, COLUMN_CACHE_WRITE_TOKENS, &cache_write))
		cache_write = TOKENS_UNKNOWN;
	return billable_tokens(usage.input_tokens, usage.output_tokens, reasoning,
						   cache_read, cache_write);
}

static void
add_tokens(BillableTokens *sum, BillableTokens own)
{
	sum->input = tokens_add(sum->input, own.input);
	sum->output = tokens_add(sum->output, own.output);
	sum->cache_read = tokens_add(sum->cache_read, own.cache_read);
	sum->cache_write = tokens_add(sum->cache_write, own.cache_write);
	sum->reasoning = tokens_add(sum->reasoning, own.reasoning);
}

/* Bills that are being added up. */
typedef struct ModelBills
{
	ModelBill  *bills;
	uint32		max;
	Dictionary	keys;			/* billing_key() of each */
	StringInfoData key;
} ModelBills;

/*
 * A provider's model as one string, which is good until the buffer is used
 * again.  No text has a zero byte.
 */
Bytes
billing_key(StringInfo buf, Bytes provider, Bytes model)
{
	resetStringInfo(buf);
	appendBinaryStringInfo(buf, provider.data, provider.len);
	appendStringInfoChar(buf, '\0');
	appendBinaryStringInfo(buf, model.data, model.len);
	return (Bytes) {buf->data, buf->len};
}

/* The bill of a provider's model, which is begun if it is the first. */
static ModelBill *
find_bill(ModelBills *b, Bytes provider, Bytes model)
{
	Bytes		key = billing_key(&b->key, provider, model);
	int64		number = dictionary_find(&b->keys, key);
	char	   *copy;
	bool		is_new;

	if (number >= 0)
		return &b->bills[number];
	if (b->keys.count == b->max)
		b->bills = repalloc_huge(b->bills, (b->max *= 2) * sizeof(ModelBill));
	copy = palloc(key.len);
	memcpy(copy, key.data, key.len);
	number = dictionary_number(&b->keys, (Bytes) {copy, key.len}, &is_new);
	b->bills[number] = (ModelBill) {.provider = {copy, provider.len},.model = model};
	return &b->bills[number];
}

/*
 * What is billed in a trajectory, by provider and model in the order in which
 * they first appear.  O(spans).
 */
ModelBill *
model_bills(const Trajectory *t, uint32 *count)
{
	SpanBill   *spans = span_bills(t);
	ModelBills	b = {.max = 8};

	b.bills = palloc(b.max * sizeof(ModelBill));
	dictionary_init(&b.keys, b.max);
	initStringInfo(&b.key);
	for (uint32 i = 0; i < t->n; i++)
	{
		SpanColumns columns = trajectory_columns(t, i);
		char		room[SPAN_TEXT_ROOM];
		Bytes		provider = {"", 0};
		Bytes		model = {"", 0};
		ModelBill  *bill;

		if (!spans[i].is_billed)
			continue;
		span_text(t, i, TEXT_PROVIDER, room, &provider);
		span_model(&columns, &model);
		bill = find_bill(&b, provider, model);
		bill->call_count++;
		if (spans[i].reported_pico >= 0)
		{
			bill->reported_count++;
			bill->reported_pico = tokens_add(bill->reported_pico, spans[i].reported_pico);
		}
		else
			add_tokens(&bill->tokens, span_billable_tokens(&columns));
	}
	pfree(spans);
	*count = b.keys.count;
	return b.bills;
}
