/*
 * sample.h
 *		Type sample: a fair sample of keyed things, each with the probability
 *		with which it came in.
 *
 * Every key has a fixed random number, its rank: the rank of a trace by its id
 * (trace_state.h), or a hash of the key under a seed. Kept are the k keys of
 * lowest rank and the threshold, which is the rank of the next one (bottom-k
 * sampling; E. Cohen, H. Kaplan, "Summarizing data using bottom-k sketches",
 * PODC 2007). With weights the rank is divided by the weight (priority
 * sampling; N. Duffield, C. Lund, M. Thorup, "Priority sampling for estimation
 * of arbitrary subset sums", JACM 2007).
 *
 * So a sample is a function of the set of what was sampled: not of its order,
 * its grouping or the number of workers. The sample of a union comes from the
 * samples of its parts, a larger one contains a smaller one, and the same data
 * give the same sample again. A key that comes twice counts once, with its
 * lowest rank.
 *
 * Given the others, a key is in if its rank is below the threshold: with
 * probability min(1, weight * threshold). What had come through head sampling
 * with probability p before is in with
 *		min(p, weight * threshold)		by the trace's own rank, which decided there
 *		p * min(1, weight * threshold)	by a hash, which is independent of that
 * While nothing has been left out there is no threshold, and p is all.
 *
 * With these probabilities, sum(f / p) is unbiased for the sum of f over
 * everything, and sum(f^2 (1 - p) / p^2) for its variance (Horvitz-Thompson).
 *
 * Order: ranks are compared as uint64, which are the rank itself, 0 ..
 * 2^56 - 1, or with weights the bits of the float8 rank / 2^56 / weight, whose
 * order is that of the numbers. Equal ranks are ordered by key.
 *
 * Binary form, version 1 (coding of numbers: state.h; test/golden holds bytes)
 *
 *		byte		version = 1
 *		byte		flags, SAMPLE_*, others zero
 *		byte		type of the keys, SampleKeyType
 *		varint		k
 *		8 bytes		seed						if SAMPLE_SEEDED
 *		8 bytes		threshold					if SAMPLE_THRESHOLD
 *		varint		number of items, at most k
 *		items, in their order:
 *			8 bytes		rank as above
 *			key			uuid: 16 bytes; others: varint length, bytes
 *			byte		ITEM_*, others zero
 *			float8		weight					if ITEM_WEIGHT, not 1
 *			float8		probability upstream	if ITEM_PROBABILITY, not 1
 *			float8		payload					if ITEM_PAYLOAD
 */
#ifndef LLMTRACE_SAMPLE_H
#define LLMTRACE_SAMPLE_H

#include "kernel/siphash.h"
#include "kernel/state.h"
#include "kernel/trace_state.h"

#define SAMPLE_VERSION		1
#define SAMPLE_MAX_K		100000
#define SAMPLE_MAX_KEY		1024	/* bytes */
#define SAMPLE_MIN_WEIGHT	1e-300
#define SAMPLE_MAX_WEIGHT	1e300

/* ranks are divided by weights */
#define SAMPLE_WEIGHTED		0x01
/* ranks are hashes under the seed; those of traces otherwise */
#define SAMPLE_SEEDED		0x02
/* something was left out; binary form only */
#define SAMPLE_THRESHOLD	0x04

#define ITEM_WEIGHT			0x01
#define ITEM_PROBABILITY	0x02
#define ITEM_PAYLOAD		0x04

typedef enum SampleKeyType
{
	SAMPLE_KEY_UUID = 1,
	SAMPLE_KEY_TEXT,
	SAMPLE_KEY_BYTEA
} SampleKeyType;

/* Above every rank: nothing was left out. */
#define SAMPLE_ALL	PG_UINT64_MAX

typedef struct SampleItem
{
	uint64		order;
	double		weight;
	double		probability;	/* upstream, 0 < p <= 1 */
	double		payload;		/* NaN: none */
	union
	{
		char		uuid[16];
		Bytes		bytes;		/* text, bytea */
	}			key;
} SampleItem;

/*
 * Items in no order and maybe more than k, or a key twice, unless the sample is
 * settled; but none above the threshold. Their bytes belong to the sample
 * unless they are borrowed.
 */
typedef struct Sample
{
	int32		k;
	uint8		flags;			/* SAMPLE_WEIGHTED, SAMPLE_SEEDED */
	SampleKeyType key_type;
	int64		seed;
	uint64		threshold;		/* as SampleItem.order */
	bool		borrowed;
	int32		n;
	int32		capacity;
	SampleItem *items;
} Sample;

typedef struct SampleEstimate
{
	double		estimate;
	double		standard_error;
	double		lower;			/* 95 % confidence */
	double		upper;
} SampleEstimate;

extern const char *const sample_key_type_names[];

/* The key of an item of a sample. */
static inline Bytes
sample_key(const Sample *s, const SampleItem *item)
{
	return s->key_type == SAMPLE_KEY_UUID
		? (Bytes) {item->key.uuid, sizeof(item->key.uuid)} : item->key.bytes;
}

/* The rank of a key under a seed, below RANK_END. */
static inline uint64
sample_hash(int64 seed, Bytes key)
{
	/* the second half of the key is "llmtrace" */
	return siphash((uint64) seed, UINT64CONST(0x65636172746d6c6c), key) >> (64 - RANK_BITS);
}

static inline uint64
sample_order(const Sample *s, uint64 rank, double weight)
{
	if (!(s->flags & SAMPLE_WEIGHTED))
		return rank;
	return double_bits((double) rank / (double) RANK_END / weight);
}

/* Life */
extern Sample *sample_new(int k, SampleKeyType key_type, uint8 flags, int64 seed);
extern Sample *sample_copy(const Sample *s);

/* What comes from outside; each throws, naming the value */
extern void sample_check_k(int64 k);
extern void sample_check_weight(double weight);
extern void sample_check_probability(double probability);
extern void sample_check_payload(double payload);
extern void sample_check_key(Bytes key);

/* Change */
extern void sample_add(Sample *s, Bytes key, const SampleItem *item);
extern void sample_merge(Sample *s, const Sample *other);
extern void sample_erase(Sample *s, const Bytes *keys, int n);
extern void sample_settle(Sample *s);

/* Ask a settled sample */
extern double sample_threshold(const Sample *s);
extern double sample_rank(const Sample *s, uint64 order);
extern double sample_probability(const Sample *s, const SampleItem *item);
extern void sample_count(const Sample *s, SampleEstimate *result);
extern bool sample_sum(const Sample *s, SampleEstimate *result);
extern bool sample_mean(const Sample *s, SampleEstimate *result);

/* Forms (sample_format.c) of a settled sample */
extern void sample_encode(const Sample *s, StringInfo out);
extern Sample *sample_decode(const void *bytes, size_t len);
extern void sample_verify(const void *bytes, size_t len);
extern void sample_to_text(const Sample *s, StringInfo out);
extern Sample *sample_from_text(const char *text);
extern void sample_put_key(StringInfo out, const Sample *s, const SampleItem *item);
extern bool sample_read_key(SampleKeyType type, Bytes text, Bytes *key);

#endif							/* LLMTRACE_SAMPLE_H */
