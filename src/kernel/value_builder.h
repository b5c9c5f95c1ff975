/*
 * value_builder.h
 *		Building arrays and kvlists from the inside out.
 *
 * Elements are pushed on a stack; finishing takes all above a base off again
 * and makes one value of them.  Nesting needs no more than the base of each
 * level.
 */
#ifndef LLMTRACE_VALUE_BUILDER_H
#define LLMTRACE_VALUE_BUILDER_H

#include "kernel/spanset.h"

typedef struct ValueEntry
{
	Bytes		key;			/* of a kvlist */
	Value		value;
} ValueEntry;

typedef struct ValueStack
{
	ValueEntry *entries;
	uint32		count;
	uint32		max;
} ValueStack;

extern void value_push(ValueStack *stack, Bytes key, Value value);
extern Value value_finish(ValueStack *stack, uint32 base, ValueType type, Arena *arena);

#endif							/* LLMTRACE_VALUE_BUILDER_H */
