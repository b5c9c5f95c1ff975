/*
 * siphash.h
 *		SipHash-2-4 (J.-P. Aumasson, D. J. Bernstein, "SipHash: a fast
 *		short-input PRF", 2012): a hash that nobody can steer without the key,
 *		the same on all machines.
 *
 * test/fuzz/fuzz_sample.c checks it against the paper's vectors.
 */
#ifndef LLMTRACE_SIPHASH_H
#define LLMTRACE_SIPHASH_H

#include "kernel/bytes.h"

static inline uint64
siphash_rotate(uint64 x, int by)
{
	return x << by | x >> (64 - by);
}

static pg_attribute_always_inline void
siphash_round(uint64 v[4])
{
	v[0] += v[1];
	v[2] += v[3];
	v[1] = siphash_rotate(v[1], 13) ^ v[0];
	v[3] = siphash_rotate(v[3], 16) ^ v[2];
	v[0] = siphash_rotate(v[0], 32);
	v[2] += v[1];
	v[0] += v[3];
	v[1] = siphash_rotate(v[1], 17) ^ v[2];
	v[3] = siphash_rotate(v[3], 21) ^ v[0];
	v[2] = siphash_rotate(v[2], 32);
}

static pg_attribute_always_inline void
siphash_word(uint64 v[4], uint64 word)
{
	v[3] ^= word;
	siphash_round(v);
	siphash_round(v);
	v[0] ^= word;
}

static inline uint64
siphash(uint64 key0, uint64 key1, Bytes text)
{
	uint64		v[4] = {
		key0 ^ UINT64CONST(0x736f6d6570736575), key1 ^ UINT64CONST(0x646f72616e646f6d),
		key0 ^ UINT64CONST(0x6c7967656e657261), key1 ^ UINT64CONST(0x7465646279746573)
	};
	uint64		last = (uint64) text.len << 56;
	uint32		at = 0;

	for (; at + 8 <= text.len; at += 8)
		siphash_word(v, load_uint64(text.data + at));
	for (uint32 i = at; i < text.len; i++)
		last |= (uint64) (uint8) text.data[i] << 8 * (i - at);
	siphash_word(v, last);
	v[2] ^= 0xff;
	for (int i = 0; i < 4; i++)
		siphash_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

#endif							/* LLMTRACE_SIPHASH_H */
