/*
 * latency_budget.h
 *		A budget of time for the parts of a trace, and what came of it.
 *
 * A budget is a tree of nodes, as JSON:
 *
 *		{"node": "answer", "ms": 9000, "reserve_ms": 500, "children": [
 *		  {"node": "search", "pattern": "{ tool = \"search\" }", "ms": 1000, "max_instances": 3},
 *		  {"pattern": "{ kind = llm }", "ms": 4000}]}
 *
 *		ms				what one instance may take
 *		pattern			tracequery; the root has everything and needs none
 *		node			its name; the pattern, if it has none
 *		max_instances	how many there may be of it in one of its parent; without
 *						it, any number that share the ms
 *		reserve_ms		what children may not use up
 *		combine			"sum" of the children, or the "max" if they run side by side
 *
 * It holds if for each node ms >= reserve_ms + combine of the children's ms x
 * max_instances.
 *
 * A span belongs to the deepest node whose pattern finds it, of several the
 * first, else to its parent's node.  C of a node is the time on the critical path that
 * its spans and those of the nodes below it own: sections tile the root's time,
 * so C adds up, and that of the root is the latency.  With b the node's ms
 * times its instances, as far as they are allowed:
 *
 *		overrun	 d = max(0, C - b)		D = sum of d of its children
 *		created	 r = max(0, d - D)		absorbed	a = max(0, D - d)
 *		blame	 w(root) = d(root); blame = w r / (r + D); w(child) = w d(child) / (r + D)
 *
 * so d(root) = sum of r - sum of a = sum of blame.
 */
#ifndef LLMTRACE_LATENCY_BUDGET_H
#define LLMTRACE_LATENCY_BUDGET_H

#include "kernel/critical_path.h"
#include "kernel/tracequery.h"

#define BUDGET_MAX_NODES 1000
#define BUDGET_MAX_DEPTH 64

typedef enum BudgetVerdict
{
	VERDICT_NONE = 0,			/* within its budget */
	VERDICT_EFFECTIVE,			/* over, and so the root is */
	VERDICT_LATENT,				/* a span is over, off the critical path */
	VERDICT_ABSORBED,			/* over, but nodes above had room */
	VERDICT_MULTIPLICITY,		/* more instances than allowed */
	VERDICT_SHARE,				/* over, though none of its children is */
	BUDGET_VERDICTS
} BudgetVerdict;

extern const char *const budget_verdicts[BUDGET_VERDICTS];

/* In preorder. */
typedef struct BudgetNode
{
	Bytes		name;
	Tracequery *pattern;		/* NULL: none */
	int32		parent;			/* -1 for the root */
	int32		depth;
	int64		ns;
	int64		reserve_ns;
	int64		max_instances;	/* 0: any number */
	bool		is_max;
} BudgetNode;

typedef struct Budget
{
	BudgetNode *nodes;
	uint32		count;
	uint32		max;
} Budget;

/* What came of a node. */
typedef struct BudgetResult
{
	double		budget_ns;		/* b */
	int64		critical_ns;	/* C */
	double		overrun_ns;
	double		created_ns;
	double		absorbed_ns;
	double		blame_ns;
	uint32		instances;		/* spans that the pattern finds, not within one */
	int64		slack_ns;		/* of the latent one with least; NOT_WAITED: none */
	BudgetVerdict verdict;
} BudgetResult;

extern Budget *budget_parse(const char *json, size_t len);
extern BudgetResult *budget_apply(const Budget *budget, Trajectory *t, const PathInput *in,
								  PathWork *w);

#endif							/* LLMTRACE_LATENCY_BUDGET_H */
