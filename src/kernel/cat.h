/*
 * cat.h
 *		Type cat: how often each of a set of text values (categories) occurs.
 *
 * Exact while there are no more distinct keys than the key limit (256 by
 * default), and then independent of order, grouping and workers to the byte.
 * Beyond, a Misra-Gries summary: the most frequent keys with counts that are
 * too low by at most `error`, and everything else in `other`. When a state has
 * too many keys, the count of the (limit + 1)-th is taken off all of them and
 * those left with nothing are dropped (Agarwal, Cormode, Huang, Phillips, Wei,
 * Yi: "Mergeable summaries", PODS 2012). Each unit of error took a unit off
 * more than `limit` keys, so error < other / limit.
 *
 * Binary form, version 1 (coding of numbers: state.h; test/golden holds bytes)
 *
 *		byte		version = 1
 *		byte		flags, CAT_FLAG_*, others zero
 *		byte		shift: trailing zero bits of all weights below, 0..20
 *		varint		key limit
 *		varint x 3	weights >> shift: NULL, other, error
 *		varint		number of keys
 *		keys, in the order of their bytes: varint length, bytes, weight >> shift
 *		varint		sum of squared weights, unless CAT_FLAG_UNIT
 *
 * Keys are in the server's encoding; the SQL face verifies them on the way in.
 */
#ifndef LLMTRACE_CAT_H
#define LLMTRACE_CAT_H

#include "kernel/state.h"

#define CAT_VERSION			1

#define CAT_DEFAULT_LIMIT	256
#define CAT_MIN_LIMIT		1
#define CAT_MAX_LIMIT		4096

/* Longest key in bytes: the SQL face shortens longer ones. */
#define CAT_MAX_KEY			256

/* every weight is one: the sum of squares equals the sum; binary form only */
#define CAT_FLAG_UNIT		0x01

typedef struct CatKey
{
	const char *name;			/* not terminated */
	int32		len;
	uint32		hash;
	int128		count;
} CatKey;

/*
 * Keys in no order but after decoding and sorting; slots is an open hash table
 * over them (number of a key + 1, 0 is free), twice as many as capacity.
 */
typedef struct Cat
{
	int32		limit;
	int32		nkeys;
	int32		capacity;
	CatKey	   *keys;
	int32	   *slots;
	bool		borrowed;		/* names belong to someone else: not freed */
	int128		null_count;
	int128		other_count;	/* weight of values whose key was dropped */
	int128		error;			/* a count is too low by at most this */
	int128		total;			/* of all keys and other */
	int128		squares;		/* sum of squared weights, units of 2^-40 */
} Cat;

extern void cat_check_limit(int64 limit);
extern Cat *cat_new(int limit);
extern Cat *cat_copy(const Cat *c);
extern void cat_add(Cat *c, const char *name, int len, int128 weight, int128 squares);
extern void cat_append(Cat *c, const char *name, int len, int128 count);
extern void cat_merge(Cat *c, const Cat *other);
extern void cat_subtract(Cat *c, const Cat *other);
extern void cat_trim(Cat *c);
extern void cat_sort(Cat *c);
extern CatKey *cat_find(const Cat *c, const char *name, int len);
extern int	cat_compare(const CatKey *a, const CatKey *b);
extern void cat_check(const Cat *c);

/* Forms (cat_format.c). All expect a trimmed, sorted cat. */
extern void cat_encode(const Cat *c, StringInfo out);
extern Cat *cat_decode(const void *bytes, size_t len);
extern void cat_verify(const void *bytes, size_t len);
extern void cat_to_text(const Cat *c, StringInfo out);
extern Cat *cat_from_text(const char *text);

#endif
