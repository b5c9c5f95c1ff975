/*
 * tree.h
 *		From parent ids to an ordered forest.
 */
#ifndef LLMTRACE_TREE_H
#define LLMTRACE_TREE_H

/* End of a span whose end is unknown. */
#define TIME_OPEN (-1)

/* An end that lies before the start, or is zero, is unknown. */
static inline int64
span_end(int64 start_ns, int64 end_ns)
{
	return end_ns <= 0 || end_ns < start_ns ? TIME_OPEN : end_ns;
}

/* Why a span is a root. */
typedef enum RootKind
{
	NOT_A_ROOT = 0,
	ROOT_PROPER,				/* it has no parent */
	ROOT_ORPHAN,				/* its parent is not here */
	ROOT_CUT					/* it was the earliest of a cycle */
} RootKind;

typedef struct TreeInput
{
	int			n;
	const uint64 *span_id;		/* distinct, not 0 */
	const uint64 *parent_id;	/* 0 for none */
	const int64 *start_ns;
	const int64 *end_ns;		/* TIME_OPEN if unknown */
} TreeInput;

/* All by preorder position. */
typedef struct TreeOrder
{
	int		   *input;			/* index into TreeInput */
	int		   *parent;			/* -1 for a root */
	uint8	   *root_kind;		/* RootKind */
} TreeOrder;

extern bool tree_build(const TreeInput *in, TreeOrder *out, uint64 *duplicate_id);

#endif							/* LLMTRACE_TREE_H */
