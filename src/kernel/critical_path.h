/*
 * critical_path.h
 *		Which span a trace was waiting for at every moment.
 *
 * Arrays are by preorder position (ordinal, from 0), times in nanoseconds.
 *
 * The window of a root is its time from start to end, that of any other span
 * what of its time lies in its parent's window; a span without such a time
 * drops out with all below it.  Siblings are in the order of their start, end
 * and id.  One is ready for a later one if it ended no later than the later
 * one started, give or take the tolerance: the later one may have waited for
 * it.  A span's end waits for all its children.
 *
 *		walk(p, t):  the span that t waits for, of the children of p, is the
 *		last to end of those that are ready (start, then id break ties): from
 *		its end to t the path is p's own, before that the child's, and the walk
 *		goes on from the child's start
 *
 * So the sections tile the root's window, each span on the path waits for the
 * one before it, and none of them has slack.
 */
#ifndef LLMTRACE_CRITICAL_PATH_H
#define LLMTRACE_CRITICAL_PATH_H

/* Jaeger's: a sibling must have ended before, not when, the later one starts. */
#define TOLERANCE_JAEGER (-1)

/* What a span is to its parent. */
typedef enum PathRole
{
	ROLE_WAITED = 0,			/* the parent ends no sooner */
	ROLE_ASYNC,					/* nobody waits for it, or for what is below */
	ROLE_HIDDEN,				/* its children take its place */
	ROLE_ABSENT					/* as ROLE_ASYNC, and not a root either */
} PathRole;

typedef struct PathInput
{
	uint32		n;
	const uint8 *span_id;		/* n x 8 bytes */
	const int32 *parent;		/* -1 for a root */
	const uint32 *subtree;
	const int64 *start_ns;
	const int64 *end_ns;		/* none is open */
	const int64 *own_end_ns;	/* the same, before parents were made longer */
	const uint8 *role;			/* PathRole, or NULL if all are waited for */
	uint32		first_root;		/* the roots from here … */
	uint32		last;			/* … to before here */
	bool		drops_overruns; /* whoever outlives the parent is not waited for */
	bool		is_jaeger;		/* TOLERANCE_JAEGER; spans at the parent's end drop out */
	int64		tolerance_ns;
	double		tolerance_share;	/* of the root's duration, if that is more */
} PathInput;

/* Time of the root's window that a span owns. */
typedef struct PathSection
{
	uint32		ordinal;
	uint32		root;
	int64		start_ns;
	int64		end_ns;
} PathSection;

/* The children of a span that is looked at, in order. */
typedef struct SiblingGroup
{
	uint32		count;
	uint32	   *child;			/* ordinals */
	int64	   *from;			/* their windows */
	int64	   *to;
	uint32	   *ready;			/* place of the first for whom each is ready */
	int32	   *waits_for;		/* place of whom each waits for, or -1; that of
								 * count is the parent's end */
} SiblingGroup;

/* Memory for the walks, reused from call to call. */
typedef struct PathWork
{
	MemoryContext context;
	uint32		max;			/* spans that fit */
	char	   *block;
	int64		tolerance_ns;	/* for the root at hand */

	/* by ordinal, set for spans that were reached */
	int64	   *from;			/* window */
	int64	   *to;
	int64	   *until;			/* the path is known from here on */
	int32	   *parent;			/* the one that is not hidden */
	int32	   *next;			/* child that is waited for next */
	int32	   *before;			/* sibling that is waited for next */
	SiblingGroup group;

	PathSection *sections;
	uint32		section_count;
} PathWork;

/* The numbers of each span's sections: by_span from first[i] to first[i + 1]. */
typedef struct PathIndex
{
	uint32	   *first;
	uint32	   *by_span;
} PathIndex;

/* NOT_WAITED: the slack of a span that nobody waits for. */
#define NOT_WAITED (-1)

extern PathWork *path_work_create(void);
extern void path_work_reserve(PathWork *w, uint32 n);
extern int64 path_tolerance(const PathInput *in, uint32 root);
extern bool path_next_root(const PathInput *in, uint32 *at, uint32 *root);
extern void sibling_group(const PathInput *in, PathWork *w, uint32 p);
extern void sibling_waits(PathWork *w);
extern void critical_path(const PathInput *in, PathWork *w);
extern PathIndex path_index(const PathWork *w, uint32 n);

/* span_slack.c */
extern void span_slack(const PathInput *in, PathWork *w, int64 *slack_ns, int64 *drag_ns);

/* what_if.c */
extern void what_if(const PathInput *in, PathWork *w, const uint8 *matching, double factor,
					double *duration_ns, double *saved_ns);

/* Does the span go on after its parent, the one that is not hidden? */
extern bool span_overruns(const PathInput *in, uint32 ordinal);

#endif							/* LLMTRACE_CRITICAL_PATH_H */
