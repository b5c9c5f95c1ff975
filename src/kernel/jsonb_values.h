/*
 * jsonb_values.h
 *		Attributes from jsonb, and as jsonb.
 */
#ifndef LLMTRACE_JSONB_VALUES_H
#define LLMTRACE_JSONB_VALUES_H

#include "kernel/spanset.h"
#include "utils/jsonb.h"

extern AttrList jsonb_attributes(SpanSet *set, Jsonb *jsonb);
extern Jsonb *attributes_jsonb(const Key *keys, const AttrList *list);

#endif							/* LLMTRACE_JSONB_VALUES_H */
