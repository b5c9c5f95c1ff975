/*
 * trajectory_stats.c
 *		What the planner is told: statistics of a column of trajectories, the
 *		selectivity of a query, and what evaluating it costs.
 *
 * ANALYZE keeps the commonest keys of tracequery_keys.h with the share of
 * traces that have them, as it keeps those of arrays (MCELEM), and all keys of
 * ranges, whose shares add up: a trace has one for each measure.  A query is
 * estimated over the same tree of keys that an index is asked.
 */
#include "postgres.h"

#include <math.h>

#include "access/htup_details.h"
#include "catalog/pg_statistic.h"
#include "catalog/pg_type.h"
#include "commands/vacuum.h"
#include "compat.h"
#include "kernel/tracequery_keys.h"
#include "kernel/tracequery_sql.h"
#include "kernel/trajectory_sql.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "nodes/pathnodes.h"
#include "nodes/supportnodes.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "parser/parsetree.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/selfuncs.h"
#include "utils/typcache.h"

/* ANALYZE looks at no more spans than these: enough for what it keeps. */
#define MAX_ANALYZED_SPANS 1000000

/* Without a constant to look at. */
#define DEFAULT_QUERY_SELECTIVITY 0.01

/* In units of an operator's cost: a call, and each span. */
#define CALL_COST 20
#define SPAN_COST 5

/* Bytes of a trajectory for each span, when nothing better is known. */
#define BYTES_PER_SPAN 48
#define DEFAULT_SPANS 40

/* ------------------------------------------------------------- ANALYZE --- */

typedef struct KeyShare
{
	int64		key;
	uint32		count;
} KeyShare;

static inline bool
is_range_key(int64 key)
{
	return key >> 56 == INDEX_RANGE;
}

static int
compare_int64(const void *a, const void *b)
{
	int64		x = *(const int64 *) a;
	int64		y = *(const int64 *) b;

	return (x > y) - (x < y);
}

static int
compare_by_key(const void *a, const void *b)
{
	return compare_int64(&((const KeyShare *) a)->key, &((const KeyShare *) b)->key);
}

/* Ranges first, then the commonest. */
static int
compare_by_worth(const void *a, const void *b)
{
	const KeyShare *x = a;
	const KeyShare *y = b;

	if (is_range_key(x->key) != is_range_key(y->key))
		return is_range_key(x->key) ? -1 : 1;
	return (x->count < y->count) - (x->count > y->count);
}

/* Keys of all values, with the number of values that have them. */
static KeyShare *
count_keys(int64 *keys, size_t n, size_t *distinct)
{
	KeyShare   *shares;

	*distinct = 0;
	qsort(keys, n, sizeof(int64), compare_int64);
	for (size_t i = 0; i < n; i++)
		if (i == 0 || keys[i] != keys[i - 1])
			(*distinct)++;
	shares = MemoryContextAllocHuge(CurrentMemoryContext, Max(*distinct, 1) * sizeof(KeyShare));
	for (size_t i = 0, k = 0; i < n; i++)
	{
		if (i > 0 && keys[i] == keys[i - 1])
			shares[k - 1].count++;
		else
			shares[k++] = (KeyShare) {keys[i], 1};
	}
	return shares;
}

/* Fill in the slot: keys in their order, their shares, that of others, the most. */
static void
store_shares(VacAttrStats *stats, KeyShare *shares, size_t n, size_t kept, int rows)
{
	MemoryContext old = MemoryContextSwitchTo(stats->anl_context);
	Datum	   *values = palloc(kept * sizeof(Datum));
	float4	   *numbers = palloc((kept + 2) * sizeof(float4));
	double		others = 0;
	double		most = 0;

	for (size_t i = 0; i < kept; i++)
		most = Max(most, shares[i].count);
	for (size_t i = kept; i < n; i++)
		others += (double) shares[i].count / (n - kept);
	qsort(shares, kept, sizeof(KeyShare), compare_by_key);
	for (size_t i = 0; i < kept; i++)
	{
		values[i] = Int64GetDatum(shares[i].key);
		numbers[i] = (double) shares[i].count / rows;
	}
	numbers[kept] = Max(others, 0.5) / rows;
	numbers[kept + 1] = most / rows;
	MemoryContextSwitchTo(old);

	stats->stakind[0] = STATISTIC_KIND_MCELEM;
	stats->staop[0] = lookup_type_cache(INT8OID, TYPECACHE_EQ_OPR)->eq_opr;
	stats->stacoll[0] = InvalidOid;
	stats->stanumbers[0] = numbers;
	stats->numnumbers[0] = kept + 2;
	stats->stavalues[0] = values;
	stats->numvalues[0] = kept;
	stats->statypid[0] = INT8OID;
	stats->statyplen[0] = sizeof(int64);
	stats->statypbyval[0] = FLOAT8PASSBYVAL;
	stats->statypalign[0] = TYPALIGN_DOUBLE;
}

static void
compute_stats(VacAttrStats *stats, AnalyzeAttrFetchFunc fetch, int samplerows, double totalrows)
{
	MemoryContext work = AllocSetContextCreate(CurrentMemoryContext, "llmtrace analyze",
											   ALLOCSET_DEFAULT_SIZES);
	size_t		target = 10 * (size_t) stats->minrows / 300;
	size_t		max = 65536;
	size_t		n = 0;
	int64	   *keys = palloc(max * sizeof(int64));
	int			nulls = 0;
	int			analyzed = 0;
	double		width = 0;
	double		spans = 0;

	for (int i = 0; i < samplerows; i++)
	{
		bool		is_null;
		Datum		value = fetch(stats, i, &is_null);
		MemoryContext old;
		Trajectory *t;
		int64	   *own;
		uint32		count;

		compat_vacuum_delay_point(true);
		if (is_null)
		{
			nulls++;
			continue;
		}
		width += VARSIZE_ANY(DatumGetPointer(value));
		if (spans > MAX_ANALYZED_SPANS)
			continue;

		old = MemoryContextSwitchTo(work);
		t = trajectory_from_datum(value, true);
		own = trajectory_index_keys(t, &count);
		MemoryContextSwitchTo(old);
		if (n + count > max)
		{
			max = Max(2 * max, n + count);
			keys = repalloc_huge(keys, max * sizeof(int64));
		}
		memcpy(keys + n, own, count * sizeof(int64));
		n += count;
		spans += t->n;
		analyzed++;
		MemoryContextReset(work);
	}

	if (samplerows > 0)
	{
		stats->stats_valid = true;
		stats->stanullfrac = (double) nulls / samplerows;
		stats->stawidth = nulls < samplerows ? width / (samplerows - nulls) : 0;
		/* a trace has one trajectory */
		stats->stadistinct = -1.0 * (1.0 - stats->stanullfrac);
	}
	if (n > 0)
	{
		size_t		distinct;
		KeyShare   *shares = count_keys(keys, n, &distinct);
		size_t		kept = 0;

		qsort(shares, distinct, sizeof(KeyShare), compare_by_worth);
		while (kept < distinct && is_range_key(shares[kept].key))
			kept++;
		kept = Min(distinct, kept + Max(target, 100));
		store_shares(stats, shares, distinct, kept, analyzed);
	}
	MemoryContextDelete(work);
}

PG_FUNCTION_INFO_V1(trajectory_typanalyze);
Datum
trajectory_typanalyze(PG_FUNCTION_ARGS)
{
	VacAttrStats *stats = (VacAttrStats *) PG_GETARG_POINTER(0);
	int			target = compat_statistics_target(stats);

	if (target < 0)
		target = default_statistics_target;
	stats->compute_stats = compute_stats;
	/* as for other types: see the comment in std_typanalyze() */
	stats->minrows = 300 * target;
	PG_RETURN_BOOL(true);
}

/* --------------------------------------------------------- selectivity --- */

typedef struct KeyShares
{
	const Datum *keys;			/* in order */
	const float4 *shares;
	int			n;
	double		other;			/* of a key that is not among them */
} KeyShares;

/* The place of the first key that is not less. */
static int
find_share(const KeyShares *s, int64 key)
{
	int			low = 0;
	int			high = s->n;

	while (low < high)
	{
		int			middle = low + (high - low) / 2;

		if (DatumGetInt64(s->keys[middle]) < key)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static double
key_share(const KeyShares *s, const IndexNode *node)
{
	int			i;

	if (s == NULL)
		return node->guess;
	i = find_share(s, node->key);
	if (i < s->n && DatumGetInt64(s->keys[i]) == node->key)
		return s->shares[i];
	/* long lists are seldom; if they are not, they are among the commonest */
	return node->key >> 56 == INDEX_MANY || node->key >> 56 == INDEX_EVENT_MANY ? 0 : s->other;
}

static double
range_share(const KeyShares *s, const IndexNode *node)
{
	double		sum = 0;

	if (s == NULL)
		return node->guess;
	for (int i = find_share(s, node->key); i < s->n && DatumGetInt64(s->keys[i]) <= node->last; i++)
		sum += s->shares[i];
	return sum;
}

static int
compare_double(const void *a, const void *b)
{
	double		x = *(const double *) a;
	double		y = *(const double *) b;

	return (x > y) - (x < y);
}

/*
 * Conditions on one span are seldom independent: a name goes with a kind, a
 * model with a provider.  So the rarest counts in full, the next by its square
 * root, and so on.  Those on different spans of a trace nearly are, but that a
 * trace with many spans has more of everything.
 */
static double
combine_and(double *shares, uint32 n, bool is_same_span)
{
	double		result = 1;
	double		exponent = 1;

	qsort(shares, n, sizeof(double), compare_double);
	for (uint32 i = 0; i < n; i++)
	{
		result *= pow(shares[i], exponent);
		exponent *= is_same_span ? 0.5 : 0.85;
	}
	return result;
}

static double
tree_share(const KeyShares *s, const IndexNode *node)
{
	double		result = 1;
	double	   *shares;

	switch ((IndexNodeType) node->type)
	{
		case NODE_ALL:
			return node->guess;
		case NODE_KEY:
			return key_share(s, node);
		case NODE_RANGE:
			return range_share(s, node);
		case NODE_OR:
			for (uint32 i = 0; i < node->arg_count; i++)
				result *= 1 - tree_share(s, node->args[i]);
			return 1 - result;
		case NODE_AND:
			shares = palloc(Max(node->arg_count, 1) * sizeof(double));
			for (uint32 i = 0; i < node->arg_count; i++)
				shares[i] = tree_share(s, node->args[i]);
			result = combine_and(shares, node->arg_count, node->is_same_span);
			pfree(shares);
			return result;
	}
	return result;
}

static double
query_selectivity(VariableStatData *vardata, const TracequeryDatum *datum)
{
	IndexNode  *tree = tracequery_index_tree(tracequery_from_datum(datum));
	AttStatsSlot slot;
	double		null_share = 0;
	double		share;

	if (!HeapTupleIsValid(vardata->statsTuple))
		return tree_share(NULL, tree);
	null_share = ((Form_pg_statistic) GETSTRUCT(vardata->statsTuple))->stanullfrac;
	if (get_attstatsslot(&slot, vardata->statsTuple, STATISTIC_KIND_MCELEM, InvalidOid,
						 ATTSTATSSLOT_VALUES | ATTSTATSSLOT_NUMBERS))
	{
		KeyShares	s = {slot.values, slot.numbers, slot.nvalues, 0};

		if (slot.valuetype == INT8OID && slot.nnumbers == slot.nvalues + 2)
		{
			s.other = slot.numbers[slot.nvalues];
			share = tree_share(&s, tree);
		}
		else
			share = tree_share(NULL, tree);
		free_attstatsslot(&slot);
	}
	else
		share = tree_share(NULL, tree);
	return share * (1 - null_share);
}

/* types: those that the arguments are declared to have */
static double
selectivity(PlannerInfo *root, List *args, const Oid *types, int varRelid)
{
	VariableStatData vardata;
	Node	   *other;
	bool		var_on_left;
	double		result = DEFAULT_QUERY_SELECTIVITY;

	if (!get_restriction_variable(root, args, varRelid, &vardata, &other, &var_on_left))
		return result;
	if (IsA(other, Const))
	{
		Const	   *constant = (Const *) other;

		if (constant->constisnull)
			result = 0;
		else if (constant->consttype == types[var_on_left ? 1 : 0] &&
				 constant->consttype != vardata.atttype && constant->constlen == -1)
			result = query_selectivity(&vardata,
									   (TracequeryDatum *) PG_DETOAST_DATUM(constant->constvalue));
	}
	ReleaseVariableStats(vardata);
	CLAMP_PROBABILITY(result);
	return result;
}

PG_FUNCTION_INFO_V1(tracequery_sel);
Datum
tracequery_sel(PG_FUNCTION_ARGS)
{
	PlannerInfo *root = (PlannerInfo *) PG_GETARG_POINTER(0);
	Oid			operator = PG_GETARG_OID(1);
	List	   *args = (List *) PG_GETARG_POINTER(2);
	int			varRelid = PG_GETARG_INT32(3);
	Oid			types[2];

	op_input_types(operator, &types[0], &types[1]);
	PG_RETURN_FLOAT8(selectivity(root, args, types, varRelid));
}

/* ------------------------------------------------------ support function --- */

static void
function_types(Oid function, Oid *types)
{
	Oid		   *all;
	int			n;

	get_func_signature(function, &all, &n);
	types[0] = n == 2 ? all[0] : InvalidOid;
	types[1] = n == 2 ? all[1] : InvalidOid;
}

static Node *
support_selectivity(SupportRequestSelectivity *request)
{
	Oid			types[2];

	if (request->is_join)
		return NULL;
	function_types(request->funcid, types);
	request->selectivity = selectivity(request->root, request->args, types, request->varRelid);
	return (Node *) request;
}

/* Spans of the trajectories in a column, by their width. */
static double
spans_of(PlannerInfo *root, Node *node)
{
	List	   *args = node && IsA(node, OpExpr) ? ((OpExpr *) node)->args :
		node && IsA(node, FuncExpr) ? ((FuncExpr *) node)->args : NIL;
	ListCell   *cell;

	foreach(cell, args)
	{
		Var		   *var = lfirst(cell);
		RangeTblEntry *rte;
		int32		width;

		if (root == NULL || !IsA(var, Var) || var->varlevelsup != 0 ||
			IS_SPECIAL_VARNO(var->varno))
			continue;
		rte = planner_rt_fetch(var->varno, root);
		if (rte->rtekind != RTE_RELATION)
			continue;
		width = get_attavgwidth(rte->relid, var->varattno);
		if (width > 0)
			return (double) width / BYTES_PER_SPAN;
	}
	return DEFAULT_SPANS;
}

static Node *
support_cost(SupportRequestCost *request)
{
	request->startup = 0;
	request->per_tuple = cpu_operator_cost *
		(CALL_COST + SPAN_COST * spans_of(request->root, request->node));
	return (Node *) request;
}

/* matches(column, query) is column @@ query to an index. */
static Node *
support_index_condition(SupportRequestIndexCondition *request)
{
	FuncExpr   *call = (FuncExpr *) request->node;
	Node	   *column;
	Node	   *query;
	Oid			operator;

	if (!IsA(call, FuncExpr) || list_length(call->args) != 2)
		return NULL;
	column = list_nth(call->args, request->indexarg);
	query = list_nth(call->args, 1 - request->indexarg);
	if (!is_pseudo_constant_for_index(request->root, query, request->index))
		return NULL;
	operator = get_opfamily_member(request->opfamily, exprType(column), exprType(query), 1);
	if (!OidIsValid(operator))
		return NULL;
	request->lossy = false;
	return (Node *) list_make1(make_opclause(operator, BOOLOID, false, (Expr *) column,
											 (Expr *) query, InvalidOid, request->indexcollation));
}

PG_FUNCTION_INFO_V1(tracequery_support);
Datum
tracequery_support(PG_FUNCTION_ARGS)
{
	Node	   *request = (Node *) PG_GETARG_POINTER(0);
	Node	   *answer = NULL;

	if (IsA(request, SupportRequestSelectivity))
		answer = support_selectivity((SupportRequestSelectivity *) request);
	else if (IsA(request, SupportRequestCost))
		answer = support_cost((SupportRequestCost *) request);
	else if (IsA(request, SupportRequestIndexCondition))
		answer = support_index_condition((SupportRequestIndexCondition *) request);
	PG_RETURN_POINTER(answer);
}
