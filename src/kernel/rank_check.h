/*
 * rank_check.h
 *		Are ids random enough that their ranks can choose a sample?
 *
 * Each of the 14 hexadecimal digits of the ranks is tested for being uniform,
 * by chi-square, and the smallest of the 14 p values adjusted for their number
 * (Bonferroni). So counters, times and constant parts are found; ids that were
 * chosen one by one to be in the sample are not.
 *
 * Of traces that came through head sampling with probability p, only ranks
 * below p are there. Divided by p they are uniform again, of which the first 8
 * digits are tested; of the others, those of the rank as it is. A rank that is
 * not below p says that something else than the trace's randomness decided.
 */
#ifndef LLMTRACE_RANK_CHECK_H
#define LLMTRACE_RANK_CHECK_H

#include "kernel/trace_state.h"

#define RANK_CHECK_DIGITS	(RANK_BITS / 4)

/* Fewer ids than this say nothing: 10 a digit's value. */
#define RANK_CHECK_MIN		160

/* Below this p the ids are called patterned. */
#define RANK_CHECK_ALPHA	0.001

typedef struct RankCheck
{
	int64		ids;
	int64		beyond;			/* ranks that are not below their probability */
	int64		counts[RANK_CHECK_DIGITS][16];
} RankCheck;

extern void rank_check_add(RankCheck *check, uint64 rank, double probability);
extern void rank_check_merge(RankCheck *check, const RankCheck *other);

/* The adjusted p value, and what follows from it; reason is not NULL. */
extern double rank_check_p(const RankCheck *check);
extern const char *rank_check_verdict(const RankCheck *check, const char **reason);

#endif							/* LLMTRACE_RANK_CHECK_H */
