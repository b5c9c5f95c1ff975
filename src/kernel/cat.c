/*
 * cat.c
 *		The algorithms of type cat: counting, merging, subtracting.
 *		No fmgr: memory comes from the current context.
 *
 * Costs: adding a value O(1) expected, and amortised O(1) for dropping keys,
 * which happens when there are twice as many as the limit; the rest O(keys).
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "kernel/cat.h"

/* -------------------------------------------------------------- hash table */

static int32 *
find_slot(const Cat *c, const char *name, int len, uint32 hash)
{
	uint32		mask = (uint32) c->capacity * 2 - 1;
	uint32		at = hash & mask;

	for (; c->slots[at]; at = (at + 1) & mask)
	{
		const CatKey *key = &c->keys[c->slots[at] - 1];

		if (key->hash == hash && key->len == len && memcmp(key->name, name, len) == 0)
			break;
	}
	return &c->slots[at];
}

/* Fill the slots anew; hashes must be set. */
static void
rebuild(Cat *c)
{
	memset(c->slots, 0, (size_t) c->capacity * 2 * sizeof(int32));
	for (int i = 0; i < c->nkeys; i++)
		*find_slot(c, c->keys[i].name, c->keys[i].len, c->keys[i].hash) = i + 1;
}

static void
grow(Cat *c)
{
	c->capacity *= 2;
	c->keys = repalloc(c->keys, (size_t) c->capacity * sizeof(CatKey));
	pfree(c->slots);
	c->slots = palloc((size_t) c->capacity * 2 * sizeof(int32));
	rebuild(c);
}

/* Append a key that is not there yet; the name is not copied. */
static CatKey *
append_key(Cat *c, const char *name, int len, uint32 hash)
{
	CatKey	   *key;

	if (c->nkeys == c->capacity)
		grow(c);
	key = &c->keys[c->nkeys++];
	key->name = name;
	key->len = len;
	key->hash = hash;
	key->count = 0;
	*find_slot(c, name, len, hash) = c->nkeys;
	return key;
}

static uint32
hash_name(const char *name, int len)
{
	return hash_bytes((const unsigned char *) name, len);
}

/* The key, or NULL */
CatKey *
cat_find(const Cat *c, const char *name, int len)
{
	int32		slot = *find_slot(c, name, len, hash_name(name, len));

	return slot ? &c->keys[slot - 1] : NULL;
}

/* ------------------------------------------------------------------- life */

void
cat_check_limit(int64 limit)
{
	if (limit < CAT_MIN_LIMIT || limit > CAT_MAX_LIMIT)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("key limit " INT64_FORMAT " is out of range", limit),
				 errdetail("The limit must be between %d and %d.",
						   CAT_MIN_LIMIT, CAT_MAX_LIMIT)));
}

Cat *
cat_new(int limit)
{
	Cat		   *c = palloc0(sizeof(Cat));

	c->limit = limit;
	c->capacity = 8;
	c->keys = palloc((size_t) c->capacity * sizeof(CatKey));
	c->slots = palloc0((size_t) c->capacity * 2 * sizeof(int32));
	return c;
}

/* The names are shared with the original. */
Cat *
cat_copy(const Cat *c)
{
	Cat		   *copy = memcpy(palloc(sizeof(Cat)), c, sizeof(Cat));

	copy->keys = memcpy(palloc((size_t) c->capacity * sizeof(CatKey)), c->keys,
						(size_t) c->nkeys * sizeof(CatKey));
	copy->slots = memcpy(palloc((size_t) c->capacity * 2 * sizeof(int32)), c->slots,
						 (size_t) c->capacity * 2 * sizeof(int32));
	copy->borrowed = true;
	return copy;
}

void
cat_check(const Cat *c)
{
	weight_check_total(c->null_count + c->total);
}

int
cat_compare(const CatKey *a, const CatKey *b)
{
	int			order = memcmp(a->name, b->name, Min(a->len, b->len));

	return order ? order : (a->len > b->len) - (a->len < b->len);
}

static int
compare_names(const void *a, const void *b)
{
	return cat_compare(a, b);
}

static int
compare_counts(const void *a, const void *b)
{
	int128		left = *(const int128 *) a;
	int128		right = *(const int128 *) b;

	return (left < right) - (left > right);
}

/* Put the keys in the order of their bytes. */
void
cat_sort(Cat *c)
{
	qsort(c->keys, c->nkeys, sizeof(CatKey), compare_names);
	rebuild(c);
}

/* ----------------------------------------------------------------- change */

/* Drop the keys that have no weight. */
static void
drop_empty(Cat *c)
{
	int			kept = 0;

	for (int i = 0; i < c->nkeys; i++)
	{
		if (c->keys[i].count > 0)
			c->keys[kept++] = c->keys[i];
		else if (!c->borrowed)
			pfree(unconstify(char *, c->keys[i].name));
	}
	c->nkeys = kept;
	rebuild(c);
}

/* Reduce the keys to the limit. */
void
cat_trim(Cat *c)
{
	int128	   *counts;
	int128		cut;

	if (c->nkeys <= c->limit)
		return;
	counts = palloc((size_t) c->nkeys * sizeof(int128));
	for (int i = 0; i < c->nkeys; i++)
		counts[i] = c->keys[i].count;
	qsort(counts, c->nkeys, sizeof(int128), compare_counts);
	cut = counts[c->limit];
	pfree(counts);

	for (int i = 0; i < c->nkeys; i++)
	{
		int128		taken = Min(cut, c->keys[i].count);

		c->keys[i].count -= taken;
		c->other_count += taken;
	}
	c->error += cut;
	drop_empty(c);
}

/* squares: the sum of the squares of the weights that make up this weight */
void
cat_add(Cat *c, const char *name, int len, int128 weight, int128 squares)
{
	uint32		hash = hash_name(name, len);
	int32		slot;
	CatKey	   *key;

	if (weight == 0)
		return;
	c->total += weight;
	c->squares += squares;
	slot = *find_slot(c, name, len, hash);
	if (slot)
		key = &c->keys[slot - 1];
	else
	{
		if (c->nkeys >= 2 * c->limit)
			cat_trim(c);
		key = append_key(c, memcpy(palloc(Max(len, 1)), name, len), len, hash);
	}
	key->count += weight;
}

/* Append a key that sorts behind all others; its name is borrowed. */
void
cat_append(Cat *c, const char *name, int len, int128 count)
{
	c->borrowed = true;
	c->total += count;
	append_key(c, name, len, hash_name(name, len))->count = count;
}

/* c += other. The lower key limit holds for both. */
void
cat_merge(Cat *c, const Cat *other)
{
	c->limit = Min(c->limit, other->limit);
	for (int i = 0; i < other->nkeys; i++)
		cat_add(c, other->keys[i].name, other->keys[i].len, other->keys[i].count, 0);
	c->null_count += other->null_count;
	c->other_count += other->other_count;
	c->total += other->other_count;
	c->error += other->error;
	c->squares += other->squares;
	cat_check(c);
}

pg_noreturn static void
not_contained(const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("cannot subtract category counts that are not part of the others"),
			 errdetail("The second have more weight than the first in %s.", what),
			 errhint("Subtract only what was merged before.")));
}

/*
 * c -= other. A key's true count is in [count, count + error] on both sides,
 * so the difference is at least count - (count + error) of the other, and at
 * most the sum of both errors above that: exact where both are.
 */
void
cat_subtract(Cat *c, const Cat *other)
{
	int128		kept = 0;

	if (other->total > c->total || other->squares > c->squares)
		not_contained("total");
	if (other->null_count > c->null_count)
		not_contained("NULL");
	for (int i = 0; i < other->nkeys; i++)
	{
		const CatKey *key = &other->keys[i];
		const CatKey *mine = cat_find(c, key->name, key->len);

		if (key->count > (mine ? mine->count : 0) + c->error)
			not_contained(psprintf("key \"%.*s\"", key->len, key->name));
	}
	for (int i = 0; i < c->nkeys; i++)
	{
		CatKey	   *key = &c->keys[i];
		const CatKey *theirs = cat_find(other, key->name, key->len);

		key->count -= (theirs ? theirs->count : 0) + other->error;
		key->count = Max(key->count, 0);
		kept += key->count;
	}
	c->limit = Min(c->limit, other->limit);
	c->null_count -= other->null_count;
	c->total -= other->total;
	c->squares -= other->squares;

	if (kept > c->total)
		not_contained("its keys");
	c->other_count = c->total - kept;
	c->error = c->other_count ? Min(c->error + other->error, c->other_count) : 0;
	drop_empty(c);
	cat_trim(c);
}
