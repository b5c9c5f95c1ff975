/*
 * latency_budget.c
 *		A budget of time for the parts of a trace, and what came of it: read,
 *		checked and applied as latency_budget.h defines.
 */
#include "postgres.h"

#include <math.h>

#include "kernel/json_reader.h"
#include "kernel/latency_budget.h"
#include "kernel/value.h"
#include "miscadmin.h"

#define MAX_MS 1e12
#define MAX_INSTANCES 1000000

/* Bytes of a name that errors show. */
#define MAX_SHOWN 60

const char *const budget_verdicts[BUDGET_VERDICTS] = {
	[VERDICT_NONE] = NULL,
	[VERDICT_EFFECTIVE] = "effective",
	[VERDICT_LATENT] = "latent",
	[VERDICT_ABSORBED] = "absorbed",
	[VERDICT_MULTIPLICITY] = "multiplicity",
	[VERDICT_SHARE] = "share"
};

/* ---------------------------------------------------------------- reading */

typedef enum BudgetMember
{
	MEMBER_NODE, MEMBER_PATTERN, MEMBER_MS, MEMBER_MAX_INSTANCES, MEMBER_RESERVE_MS,
	MEMBER_COMBINE, MEMBER_CHILDREN
} BudgetMember;

static const char *const members[] = {
	"node", "pattern", "ms", "max_instances", "reserve_ms", "combine", "children"
};

static double
read_number(JsonReader *r, double max)
{
	double		number;

	if (r->token != JSON_TOKEN_NUMBER)
		json_fail(r, "a number");
	if (!number_read_double(json_peek_text(r), &number) || !(number >= 0 && number <= max))
		json_fail(r, psprintf("a number between 0 and %.0f", max));
	json_next(r);
	return number;
}

static Bytes
read_string(JsonReader *r)
{
	Bytes		s;
	char	   *copy;

	if (r->token != JSON_TOKEN_STRING)
		json_fail(r, "a string");
	s = json_string(r);
	copy = palloc(Max(s.len, 1));
	memcpy(copy, s.data, s.len);
	return (Bytes) {copy, s.len};
}

static BudgetMember
find_member(Bytes name)
{
	for (int i = 0; i < (int) lengthof(members); i++)
		if (bytes_equal_cstring(name, members[i]))
			return i;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("unknown member \"%.*s\" of a budget node", utf8_clip(name, MAX_SHOWN), name.data),
			 errdetail("Known are node, pattern, ms, max_instances, reserve_ms, combine and children.")));
}

static uint32
add_node(Budget *b, int32 parent)
{
	if (b->count >= BUDGET_MAX_NODES)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("budget has too many nodes"),
				 errdetail("The limit is %d.", BUDGET_MAX_NODES)));
	if (b->count >= b->max)
	{
		b->max = Max(b->max * 2, 16);
		b->nodes = b->nodes ? repalloc(b->nodes, b->max * sizeof(BudgetNode)) :
			palloc(b->max * sizeof(BudgetNode));
	}
	b->nodes[b->count] = (BudgetNode) {
		.parent = parent,.depth = parent < 0 ? 0 : b->nodes[parent].depth + 1,.ns = -1
	};
	if (b->nodes[b->count].depth >= BUDGET_MAX_DEPTH)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("budget is nested too deep"),
				 errdetail("The limit is %d levels.", BUDGET_MAX_DEPTH)));
	return b->count++;
}

/* Every node has a name, ms and, but for the root, a pattern. */
static void
finish_node(BudgetNode *node)
{
	if (node->parent >= 0 && node->pattern == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("budget node \"%.*s\" lacks a pattern", utf8_clip(node->name, MAX_SHOWN),
						node->name.len ? node->name.data : ""),
				 errhint("A pattern is a tracequery such as { tool = \"search\" }; only the root needs none.")));
	if (node->name.len == 0)
		node->name = BYTES_LITERAL("root");
	if (node->ns < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("budget node \"%.*s\" lacks ms", utf8_clip(node->name, MAX_SHOWN), node->name.data)));
}

/* Recurses no deeper than BUDGET_MAX_DEPTH. */
static void
read_node(JsonReader *r, Budget *b, int32 parent)
{
	uint32		i = add_node(b, parent);
	Bytes		pattern = {"", 0};
	Bytes		member;

	json_begin_object(r);
	while (json_next_member(r, &member))
	{
		BudgetMember which = find_member(member);
		Bytes		word;

		switch (which)
		{
			case MEMBER_NODE:
				b->nodes[i].name = read_string(r);
				break;
			case MEMBER_PATTERN:
				pattern = read_string(r);
				b->nodes[i].pattern = tracequery_parse(pattern.data, pattern.len);
				break;
			case MEMBER_MS:
				b->nodes[i].ns = (int64) rint(read_number(r, MAX_MS) * 1e6);
				break;
			case MEMBER_RESERVE_MS:
				b->nodes[i].reserve_ns = (int64) rint(read_number(r, MAX_MS) * 1e6);
				break;
			case MEMBER_MAX_INSTANCES:
				b->nodes[i].max_instances = (int64) rint(read_number(r, MAX_INSTANCES));
				if (b->nodes[i].max_instances < 1)
					ereport(ERROR,
							(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							 errmsg("max_instances of a budget node must be at least 1")));
				break;
			case MEMBER_COMBINE:
				if (r->token != JSON_TOKEN_STRING)
					json_fail(r, "\"sum\" or \"max\"");
				word = read_string(r);
				b->nodes[i].is_max = bytes_equal_cstring(word, "max");
				if (!b->nodes[i].is_max && !bytes_equal_cstring(word, "sum"))
					ereport(ERROR,
							(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							 errmsg("combine of a budget node must be \"sum\" or \"max\", not \"%.*s\"",
									utf8_clip(word, MAX_SHOWN), word.data)));
				break;
			case MEMBER_CHILDREN:
				json_begin_array(r);
				while (json_next_element(r))
					read_node(r, b, i);
				break;
		}
	}
	if (b->nodes[i].name.len == 0)
		b->nodes[i].name = pattern;
	finish_node(&b->nodes[i]);
}

/* Every node must be able to hold its children. */
static void
check_budget(const Budget *b)
{
	double	   *needed = palloc0(b->count * sizeof(double));

	for (uint32 i = b->count; i-- > 0;)
	{
		const BudgetNode *node = &b->nodes[i];
		double		all = (double) node->ns * Max(node->max_instances, 1);

		if (needed[i] + (double) node->reserve_ns > (double) node->ns)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("budget node \"%.*s\" cannot hold", utf8_clip(node->name, MAX_SHOWN), node->name.data),
					 errdetail("It has %g ms, but needs %g ms for its children and %g ms in reserve.",
							   node->ns / 1e6, needed[i] / 1e6, node->reserve_ns / 1e6)));
		if (node->parent >= 0)
			needed[node->parent] = b->nodes[node->parent].is_max ?
				Max(needed[node->parent], all) : needed[node->parent] + all;
	}
	pfree(needed);
}

/* A budget from JSON, in the current context; the JSON may go afterwards. */
Budget *
budget_parse(const char *json, size_t len)
{
	Budget	   *b = palloc0(sizeof(Budget));
	Arena		arena = {.context = CurrentMemoryContext};
	JsonReader	r;

	json_reader_init(&r, json, len, "budget", &arena);
	read_node(&r, b, -1);
	if (r.token != JSON_TOKEN_END)
		json_fail(&r, "the end");
	check_budget(b);
	return b;
}

/* --------------------------------------------------------------- applying */

/*
 * The node of each span; own: the one that its pattern gives it by itself, or -1.
 */
static int32 *
assign_spans(const Budget *b, Trajectory *t, int32 *own)
{
	int32	   *node = palloc_extended(t->n * sizeof(int32), MCXT_ALLOC_HUGE);

	memset(own, 0xff, t->n * sizeof(int32));
	for (uint32 k = 0; k < b->count; k++)
	{
		uint32		count;
		uint8	   *found;

		if (b->nodes[k].pattern == NULL)
			continue;
		found = tracequery_spans(b->nodes[k].pattern, t, &count);
		for (uint32 i = 0; count > 0 && i < t->n; i++)
			if (found[i] && (own[i] < 0 || b->nodes[k].depth > b->nodes[own[i]].depth))
				own[i] = k;
		pfree(found);
	}
	for (uint32 i = 0; i < t->n; i++)
		node[i] = own[i] >= 0 ? own[i] : t->parent[i] < 0 ? 0 : node[t->parent[i]];
	return node;
}

/* Does a span begin an instance of its node? */
static bool
begins_instance(const Trajectory *t, const int32 *own, const int32 *node, uint32 i)
{
	if (t->parent[i] < 0)
		return true;
	return own[i] > 0 && node[t->parent[i]] != own[i];
}

/* b: ms for each instance, as far as they are allowed. */
static void
set_budgets(const Budget *b, BudgetResult *results, double *allowed)
{
	for (uint32 k = 0; k < b->count; k++)
	{
		const BudgetNode *node = &b->nodes[k];
		double		parents = node->parent < 0 ? 1 :
			allowed[node->parent] > 0 ? allowed[node->parent] : Max(results[node->parent].instances, 1);
		double		instances = Max(results[k].instances, 1);

		allowed[k] = node->max_instances * parents;
		results[k].budget_ns = (double) node->ns *
			(allowed[k] > 0 ? Min(instances, allowed[k]) : 1);
	}
}

/* weight: how much of the root's overrun is the node's or below it */
static BudgetVerdict
judge(const BudgetResult *r, double weight, double below, bool has_children, double allowed)
{
	if (allowed > 0 && r->instances > allowed)
		return VERDICT_MULTIPLICITY;
	if (r->overrun_ns > 0)
		return weight == 0 ? VERDICT_ABSORBED :
			has_children && below == 0 ? VERDICT_SHARE : VERDICT_EFFECTIVE;
	return r->slack_ns != NOT_WAITED ? VERDICT_LATENT : VERDICT_NONE;
}

/* Overruns, from C and b, and whose they are. */
static void
settle(const Budget *b, BudgetResult *results, const double *allowed)
{
	double	   *below = palloc0(b->count * sizeof(double));		/* D */
	double	   *weight = palloc0(b->count * sizeof(double));	/* w */
	bool	   *has_children = palloc0(b->count * sizeof(bool));

	for (uint32 k = b->count; k-- > 0;)
	{
		BudgetResult *r = &results[k];
		int32		parent = b->nodes[k].parent;

		r->overrun_ns = Max(0, (double) r->critical_ns - r->budget_ns);
		r->created_ns = Max(0, r->overrun_ns - below[k]);
		r->absorbed_ns = Max(0, below[k] - r->overrun_ns);
		if (parent >= 0)
		{
			results[parent].critical_ns += r->critical_ns;
			below[parent] += r->overrun_ns;
			has_children[parent] = has_children[parent] || r->critical_ns > 0;
		}
	}
	weight[0] = results[0].overrun_ns;
	for (uint32 k = 0; k < b->count; k++)
	{
		BudgetResult *r = &results[k];
		int32		parent = b->nodes[k].parent;
		double		parts = r->created_ns + below[k];

		if (parent >= 0 && r->overrun_ns > 0)
			weight[k] = weight[parent] * r->overrun_ns / (results[parent].created_ns + below[parent]);
		r->blame_ns = parts > 0 ? weight[k] * r->created_ns / parts : 0;
		r->verdict = judge(r, weight[k], below[k], has_children[k], allowed[k]);
	}
	pfree(below);
	pfree(weight);
	pfree(has_children);
}

/* One result a node. */
BudgetResult *
budget_apply(const Budget *b, Trajectory *t, const PathInput *in, PathWork *w)
{
	BudgetResult *results = palloc0(b->count * sizeof(BudgetResult));
	double	   *allowed = palloc0(b->count * sizeof(double));
	int32	   *own = palloc_extended(t->n * sizeof(int32), MCXT_ALLOC_HUGE);
	int64	   *slack = palloc_extended(t->n * sizeof(int64), MCXT_ALLOC_HUGE);
	int64	   *drag = palloc_extended(t->n * sizeof(int64), MCXT_ALLOC_HUGE);
	int32	   *node = assign_spans(b, t, own);

	critical_path(in, w);
	for (uint32 i = 0; i < w->section_count; i++)
		results[node[w->sections[i].ordinal]].critical_ns +=
			w->sections[i].end_ns - w->sections[i].start_ns;
	span_slack(in, w, slack, drag);
	for (uint32 k = 0; k < b->count; k++)
		results[k].slack_ns = NOT_WAITED;
	for (uint32 i = 0; i < t->n; i++)
	{
		BudgetResult *r = &results[node[i]];

		if (!begins_instance(t, own, node, i))
			continue;
		r->instances++;
		if (slack[i] > 0 && in->own_end_ns[i] - t->start_ns[i] > b->nodes[node[i]].ns &&
			(r->slack_ns == NOT_WAITED || slack[i] < r->slack_ns))
			r->slack_ns = slack[i];
	}
	set_budgets(b, results, allowed);
	settle(b, results, allowed);
	pfree(allowed);
	pfree(own);
	pfree(slack);
	pfree(drag);
	pfree(node);
	return results;
}
