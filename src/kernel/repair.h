/*
 * repair.h
 *		Text that PostgreSQL cannot store, made storable.
 *
 * NUL, lone surrogates and bytes that are not UTF-8 become U+FFFD.  In JSON,
 * where one character would cost the whole document, a control character that
 * was not escaped is (but for tab and line ends), and the backslash of an
 * escape that does not exist stands for itself.  Each is counted on its span,
 * those of a resource or scope on each span that has it, so that nothing
 * changes unseen.
 */
#ifndef LLMTRACE_REPAIR_H
#define LLMTRACE_REPAIR_H

#include "kernel/spanset.h"

/* Where in a repaired document something was replaced, ascending. */
typedef struct RepairList
{
	size_t	   *offsets;
	uint32		count;
	uint32		max;
} RepairList;

extern Bytes repair_utf8(Bytes s, Arena *arena, uint32 *repaired);
extern const char *repair_json(const char *json, size_t len, size_t *repaired_len,
							   RepairList *repairs);

#endif							/* LLMTRACE_REPAIR_H */
