/*
 * dictionary.h
 *		Distinct byte strings, numbered in the order of their first use.
 */
#ifndef LLMTRACE_DICTIONARY_H
#define LLMTRACE_DICTIONARY_H

#include "kernel/bytes.h"

typedef struct Dictionary
{
	MemoryContext context;		/* where it was made, and grows */
	Bytes	   *items;
	uint32	   *hashes;
	uint32		count;
	uint32		max;
	uint32	   *slots;			/* item number + 1 */
	uint32		mask;
	uint32		slots_max;
} Dictionary;

extern void dictionary_init(Dictionary *d, uint32 expected);
extern void dictionary_reset(Dictionary *d, uint32 expected);
extern int64 dictionary_find(const Dictionary *d, Bytes item);
extern uint32 dictionary_number(Dictionary *d, Bytes item, bool *is_new);

#endif							/* LLMTRACE_DICTIONARY_H */
