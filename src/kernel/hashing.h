/*
 * hashing.h
 *		Hashes for tables in memory.
 *
 * What is hashed comes from outside, so the hashes depend on a number that is
 * drawn once a process: nobody can prepare input whose entries all collide.
 * Nothing that is stored or returned may depend on them.
 */
#ifndef LLMTRACE_HASHING_H
#define LLMTRACE_HASHING_H

#include "common/hashfn.h"
#include "kernel/bytes.h"

extern uint64 hash_seed(void);

static inline uint32
hash_text(Bytes s)
{
	return (uint32) hash_bytes_extended((const unsigned char *) s.data, (int) s.len, hash_seed());
}

/* Multiply-shift with a random odd factor. */
static inline uint32
hash_id(uint64 id)
{
	return (uint32) ((id * (hash_seed() | 1)) >> 32);
}

#endif							/* LLMTRACE_HASHING_H */
