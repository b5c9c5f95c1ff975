/*
 * price.c
 *		What model calls cost by the store's price list.
 *
 * The list is read once a model, call site and snapshot, so that pricing a
 * million spans takes a few look-ups.  Amounts are integers of 1e-12 dollars:
 * a sum of costs does not depend on how it is grouped.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/int.h"
#include "executor/spi.h"
#include "kernel/dictionary.h"
#include "kernel/trajectory_sql.h"
#include "store/price.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/numeric.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

/* Price kinds, in the order of price_candidates(). */
enum
{
	PRICE_INPUT,
	PRICE_OUTPUT,
	PRICE_CACHE_READ,
	PRICE_CACHE_WRITE,
	PRICE_REASONING,
	PRICE_KINDS
};

/* No price of this kind. */
#define PRICE_UNKNOWN (-1)

/* A row of the price list; prices in 1e-12 dollars a token. */
typedef struct Price
{
	TimestampTz since;
	TimestampTz until;
	int64		pico[PRICE_KINDS];
} Price;

/* What is known of one provider's model, the best first. */
typedef struct ModelPrices
{
	Price	   *prices;
	uint64		count;
} ModelPrices;

struct PriceList
{
	MemoryContext context;		/* of what is known, but not of this */
	TransactionId xmax;			/* the snapshot as of which it is known */
	uint32		xcnt;
	CommandId	curcid;
	Dictionary	keys;			/* billing_key() of each of the models */
	ModelPrices *models;
	uint32		max;
	StringInfoData key;			/* the one looked for */
};

PriceList *
price_list_create(MemoryContext context)
{
	PriceList  *list = MemoryContextAllocZero(context, sizeof(PriceList));

	list->context = AllocSetContextCreate(context, "llmtrace prices", ALLOCSET_DEFAULT_SIZES);
	return list;
}

/*
 * Begin anew if prices may have changed: a call site in PL/pgSQL lives as long
 * as its transaction.
 */
static void
follow_snapshot(PriceList *list)
{
	Snapshot	now = GetActiveSnapshot();
	MemoryContext old;

	if (list->models != NULL && now->xmax == list->xmax && now->xcnt == list->xcnt &&
		now->curcid == list->curcid)
		return;
	list->models = NULL;
	MemoryContextReset(list->context);
	old = MemoryContextSwitchTo(list->context);
	dictionary_init(&list->keys, 16);
	initStringInfo(&list->key);
	list->max = 8;
	list->models = palloc(list->max * sizeof(ModelPrices));
	MemoryContextSwitchTo(old);
	list->xmax = now->xmax;
	list->xcnt = now->xcnt;
	list->curcid = now->curcid;
}

static Bytes
text_arg_bytes(FunctionCallInfo fcinfo, int arg)
{
	text	   *t;

	if (PG_ARGISNULL(arg))
		return (Bytes) {"", 0};
	t = PG_GETARG_TEXT_PP(arg);
	return (Bytes) {VARDATA_ANY(t), VARSIZE_ANY_EXHDR(t)};
}

static Price
read_price(HeapTuple tuple, TupleDesc desc)
{
	Price		price;
	bool		is_null;

	price.since = DatumGetTimestampTz(SPI_getbinval(tuple, desc, 1, &is_null));
	price.until = DatumGetTimestampTz(SPI_getbinval(tuple, desc, 2, &is_null));
	for (int k = 0; k < PRICE_KINDS; k++)
	{
		Datum		pico = SPI_getbinval(tuple, desc, 3 + k, &is_null);

		price.pico[k] = is_null ? PRICE_UNKNOWN : DatumGetInt64(pico);
	}
	return price;
}

/* Ask the price list. */
static ModelPrices
look_up(MemoryContext context, Bytes provider, Bytes model)
{
	static SPIPlanPtr plan = NULL;
	ModelPrices found = {0};
	Datum		args[2] = {text_datum(provider), text_datum(model)};
	int			result;

	SPI_connect();
	if (plan == NULL)
	{
		SPIPlanPtr	prepared = SPI_prepare("SELECT since, until, input, output, cache_read, cache_write, reasoning"
										   " FROM llmtrace.price_candidates($1, $2)",
										   2, (Oid[]) {TEXTOID, TEXTOID});

		if (prepared == NULL)
			elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
		SPI_keepplan(prepared);
		plan = prepared;
	}
	result = SPI_execute_plan(plan, args, NULL, true, 0);
	if (result != SPI_OK_SELECT)
		elog(ERROR, "SPI_execute_plan failed: %s", SPI_result_code_string(result));

	if (SPI_processed > 0)
		found.prices = MemoryContextAlloc(context, SPI_processed * sizeof(Price));
	for (uint64 i = 0; i < SPI_processed; i++)
		found.prices[found.count++] = read_price(SPI_tuptable->vals[i], SPI_tuptable->tupdesc);
	SPI_finish();
	return found;
}

/* Remember the prices of the model whose key is in the buffer. */
static int64
add_model(PriceList *list, ModelPrices found)
{
	Bytes		key = {list->key.data, list->key.len};
	char	   *copy = MemoryContextAlloc(list->context, key.len);
	bool		is_new;

	if (list->keys.count == list->max)
		list->models = repalloc_huge(list->models, (list->max *= 2) * sizeof(ModelPrices));
	list->models[list->keys.count] = found;
	memcpy(copy, key.data, key.len);
	return dictionary_number(&list->keys, (Bytes) {copy, key.len}, &is_new);
}

/* The price of a model at a time, or NULL. */
static const Price *
find_price(PriceList *list, Bytes provider, Bytes model, TimestampTz at)
{
	const ModelPrices *m;
	int64		number;

	follow_snapshot(list);
	number = dictionary_find(&list->keys, billing_key(&list->key, provider, model));
	if (number < 0)
		number = add_model(list, look_up(list->context, provider, model));
	m = &list->models[number];
	for (uint64 i = 0; i < m->count; i++)
		if (m->prices[i].since <= at && at < m->prices[i].until)
			return &m->prices[i];
	return NULL;
}

/* Add tokens at a price; false if the price is not known or the sum too large. */
static bool
add_cost(int64 *sum, int64 tokens, int64 pico)
{
	int64		cost;

	return tokens == 0 ||
		(pico >= 0 && !pg_mul_s64_overflow(tokens, pico, &cost) &&
		 !pg_add_s64_overflow(*sum, cost, sum));
}

static int64
price_or(const Price *price, int kind, int fallback)
{
	return price->pico[kind] != PRICE_UNKNOWN ? price->pico[kind] : price->pico[fallback];
}

/* What tokens cost, in 1e-12 dollars; COST_UNKNOWN without a price. */
int64
price_list_cost(PriceList *list, Bytes provider, Bytes model, TimestampTz at,
				const BillableTokens *tokens)
{
	const Price *price = model.len > 0 ? find_price(list, provider, model, at) : NULL;
	int64		pico = 0;

	if (price == NULL ||
		!add_cost(&pico, tokens->input, price->pico[PRICE_INPUT]) ||
		!add_cost(&pico, tokens->output, price->pico[PRICE_OUTPUT]) ||
		!add_cost(&pico, tokens->cache_read, price_or(price, PRICE_CACHE_READ, PRICE_INPUT)) ||
		!add_cost(&pico, tokens->cache_write, price_or(price, PRICE_CACHE_WRITE, PRICE_INPUT)) ||
		!add_cost(&pico, tokens->reasoning, price_or(price, PRICE_REASONING, PRICE_OUTPUT)))
		return COST_UNKNOWN;
	return pico;
}

static int64
tokens_arg(FunctionCallInfo fcinfo, int arg)
{
	return PG_ARGISNULL(arg) ? TOKENS_UNKNOWN : PG_GETARG_INT64(arg);
}

/*
 * priced_cost(provider, model, at, input_tokens, output_tokens,
 * reasoning_tokens, cache_read_tokens, cache_write_tokens)
 */
PG_FUNCTION_INFO_V1(priced_cost);
Datum
priced_cost(PG_FUNCTION_ARGS)
{
	BillableTokens tokens;
	int64		pico;

	if (PG_ARGISNULL(1) || PG_ARGISNULL(2) || (PG_ARGISNULL(3) && PG_ARGISNULL(4)))
		PG_RETURN_NULL();
	if (fcinfo->flinfo->fn_extra == NULL)
		fcinfo->flinfo->fn_extra = price_list_create(fcinfo->flinfo->fn_mcxt);
	tokens = billable_tokens(tokens_arg(fcinfo, 3), tokens_arg(fcinfo, 4), tokens_arg(fcinfo, 5),
							 tokens_arg(fcinfo, 6), tokens_arg(fcinfo, 7));
	pico = price_list_cost(fcinfo->flinfo->fn_extra, text_arg_bytes(fcinfo, 0),
						   text_arg_bytes(fcinfo, 1), PG_GETARG_TIMESTAMPTZ(2), &tokens);
	if (pico == COST_UNKNOWN)
		PG_RETURN_NULL();
	PG_RETURN_DATUM(pico_usd_numeric(pico));
}
