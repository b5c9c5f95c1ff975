/*
 * price.h
 *		What model calls cost by the store's price list.
 */
#ifndef LLMTRACE_PRICE_H
#define LLMTRACE_PRICE_H

#include "fmgr.h"
#include "kernel/billing.h"
#include "utils/timestamp.h"

/* What has been looked up for one call site. */
typedef struct PriceList PriceList;

extern PriceList *price_list_create(MemoryContext context);
extern int64 price_list_cost(PriceList *list, Bytes provider, Bytes model, TimestampTz at,
							 const BillableTokens *tokens);

#endif							/* LLMTRACE_PRICE_H */
