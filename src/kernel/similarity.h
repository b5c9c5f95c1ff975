/*
 * similarity.h
 *		How alike two traces are in the shape of what they did and how it failed.
 */
#ifndef LLMTRACE_SIMILARITY_H
#define LLMTRACE_SIMILARITY_H

#include "kernel/trajectory.h"

typedef struct Feature
{
	uint64		hash;
	double		weight;
} Feature;

typedef struct FeatureList
{
	Feature    *features;		/* by hash, none twice */
	uint32		n;
} FeatureList;

extern FeatureList similarity_features(Trajectory *t);
extern double similarity_distance(const FeatureList *a, const FeatureList *b);

#endif							/* LLMTRACE_SIMILARITY_H */
