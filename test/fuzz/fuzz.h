/*
 * fuzz.h
 *		What the harnesses check of every trajectory that gets in.
 */
#ifndef LLMTRACE_FUZZ_H
#define LLMTRACE_FUZZ_H

#include "shim.h"

#include "compat.h"
#include "kernel/trajectory.h"

typedef struct FuzzInput
{
	const uint8 *data;
	size_t		size;
} FuzzInput;

extern void fuzz_expect(bool condition, const char *what);
extern struct varlena *fuzz_encode_all(SpanSet *set, void (*use) (struct varlena *datum));
extern void fuzz_use(struct varlena *datum);

#endif							/* LLMTRACE_FUZZ_H */
