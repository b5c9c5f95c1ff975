/*
 * similarity.c
 *		How alike two traces are in the shape of what they did and how it failed.
 *
 * A trace is a bag of features, hashed:
 *
 *	grams		pq-grams of the names, with p = 1 and q = 2: a span with two
 *				neighbours among its children, or one and the edge, or none
 *	failures	a span that failed with its parent's name, and with that of the
 *				sibling before and after it and of the failure before
 *
 * The distance is one minus the weighted Jaccard similarity: the sum of the
 * smaller weights over that of the larger.  A feature that occurs n times
 * weighs 1 + log2(n): a loop that went round once more is not another trace.
 * Failures weigh more, as they are few among many spans.
 */
#include "postgres.h"

#include <math.h>

#include "common/hashfn.h"
#include "kernel/similarity.h"
#include "miscadmin.h"

#define WEIGHT_GRAM 1.0
#define WEIGHT_FAILURE 8.0

/* Stands for a neighbour that is not there. */
#define EDGE UINT64CONST(0x9e3779b97f4a7c15)

/* Kinds of features, which begin their hashes. */
enum
{
	FEATURE_GRAM = 1,
	FEATURE_FAILURE,
	FEATURE_FAILURE_CONTEXT
};

typedef struct Collector
{
	Trajectory *t;
	uint64	   *names;			/* of each span, hashed */
	Feature    *features;
	uint32		n;
	uint32		max;
} Collector;

static uint64
hash4(uint64 kind, uint64 a, uint64 b, uint64 c)
{
	return hash_combine64(hash_combine64(hash_combine64(hash_combine64(EDGE, kind), a), b), c);
}

static void
add_feature(Collector *c, uint64 hash, double weight)
{
	if (c->n == c->max)
	{
		c->max *= 2;
		c->features = repalloc_huge(c->features, c->max * sizeof(Feature));
	}
	c->features[c->n++] = (Feature) {hash, weight};
}

static void
hash_names(Collector *c)
{
	Trajectory *t = c->t;
	uint64	   *of_class = palloc_extended(Max(t->class_count, 1) * sizeof(uint64), MCXT_ALLOC_HUGE);

	c->names = palloc_extended(t->n * sizeof(uint64), MCXT_ALLOC_HUGE);
	for (uint32 i = 0; i < t->class_count; i++)
		of_class[i] = hash_bytes_extended((const unsigned char *) t->classes[i].name.data,
										  t->classes[i].name.len, 0);
	for (uint32 i = 0; i < t->n; i++)
		c->names[i] = of_class[t->span_class[i]];
	pfree(of_class);
}

/*
 * The sibling before each span, or -1.  Spans come in preorder, so the last
 * child that was seen is kept with the parent.
 */
static int32 *
previous_siblings(const Trajectory *t)
{
	int32	   *last_child = palloc_extended(t->n * sizeof(int32), MCXT_ALLOC_HUGE);
	int32	   *previous = palloc_extended(t->n * sizeof(int32), MCXT_ALLOC_HUGE);

	for (uint32 i = 0; i < t->n; i++)
	{
		int32		parent = t->parent[i];

		last_child[i] = -1;
		previous[i] = parent >= 0 ? last_child[parent] : -1;
		if (parent >= 0)
			last_child[parent] = (int32) i;
	}
	pfree(last_child);
	return previous;
}

static inline uint64
name_or_edge(const Collector *c, int32 ordinal)
{
	return ordinal >= 0 ? c->names[ordinal] : EDGE;
}

/* The sibling after a span, or -1. */
static int32
next_sibling(const Trajectory *t, uint32 ordinal)
{
	uint32		next = ordinal + t->subtree[ordinal];

	return next < t->n && t->parent[ordinal] >= 0 && t->parent[next] == t->parent[ordinal] ?
		(int32) next : -1;
}

static int
compare_features(const void *a, const void *b)
{
	const Feature *x = a;
	const Feature *y = b;

	return x->hash != y->hash ? (x->hash > y->hash) - (x->hash < y->hash) :
		(x->weight > y->weight) - (x->weight < y->weight);
}

/* Put equal ones together. */
static FeatureList
finish(Collector *c)
{
	uint32		kept = 0;

	qsort(c->features, c->n, sizeof(Feature), compare_features);
	for (uint32 i = 0; i < c->n;)
	{
		uint32		from = i;

		while (i < c->n && c->features[i].hash == c->features[from].hash)
			i++;
		c->features[kept].hash = c->features[from].hash;
		c->features[kept++].weight = c->features[from].weight * (1 + log2(i - from));
	}
	return (FeatureList) {c->features, kept};
}

FeatureList
similarity_features(Trajectory *t)
{
	Collector	c = {.t = t,.max = 64};
	int32	   *previous;
	uint64		failure = EDGE;

	trajectory_decode_structure(t);
	trajectory_decode_tables(t);
	c.features = palloc(c.max * sizeof(Feature));
	hash_names(&c);
	previous = previous_siblings(t);
	for (uint32 i = 0; i < t->n; i++)
	{
		uint64		parent = name_or_edge(&c, t->parent[i]);

		CHECK_FOR_INTERRUPTS();
		add_feature(&c, hash4(FEATURE_GRAM, parent, name_or_edge(&c, previous[i]), c.names[i]), WEIGHT_GRAM);
		if (next_sibling(t, i) < 0)
			add_feature(&c, hash4(FEATURE_GRAM, parent, c.names[i], EDGE), WEIGHT_GRAM);
		if (t->subtree[i] == 1)
			add_feature(&c, hash4(FEATURE_GRAM, c.names[i], EDGE, EDGE), WEIGHT_GRAM);
		if (!trajectory_class(t, i)->is_error)
			continue;
		add_feature(&c, hash4(FEATURE_FAILURE, parent, c.names[i], 0), WEIGHT_FAILURE);
		add_feature(&c, hash4(FEATURE_FAILURE_CONTEXT,
							  hash_combine64(c.names[i], failure),
							  name_or_edge(&c, previous[i]), name_or_edge(&c, next_sibling(t, i))),
					WEIGHT_FAILURE);
		failure = c.names[i];
	}
	pfree(previous);
	pfree(c.names);
	return finish(&c);
}

/* 0 for the same features, 1 for none in common. */
double
similarity_distance(const FeatureList *a, const FeatureList *b)
{
	double		smaller = 0;
	double		larger = 0;
	uint32		i = 0;
	uint32		k = 0;

	while (i < a->n || k < b->n)
	{
		if (k == b->n || (i < a->n && a->features[i].hash < b->features[k].hash))
			larger += a->features[i++].weight;
		else if (i == a->n || b->features[k].hash < a->features[i].hash)
			larger += b->features[k++].weight;
		else
		{
			double		x = a->features[i++].weight;
			double		y = b->features[k++].weight;

			smaller += Min(x, y);
			larger += Max(x, y);
		}
	}
	return larger > 0 ? 1 - smaller / larger : 0;
}
