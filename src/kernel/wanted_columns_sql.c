/*
 * wanted_columns_sql.c
 *		Which columns of a function's rows a query reads: a planner support
 *		function.
 *
 * A function of wide rows, such as spans(), has a last argument "wanted" whose
 * default is all columns: bit c stands for column c, from 0.  When a call in
 * FROM is planned, the bits of columns that the query does not read are taken
 * away, and the function may leave those null.  PostgreSQL itself would have
 * them all computed, written, read and thrown away.
 *
 * This happens twice: as a query, or a view in it, is planned for itself, and
 * again once views have become part of the query around them, if the argument
 * comes from another table of the query.  The second time tells what is wanted
 * of a view.  Whatever is not understood reads all columns.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "nodes/pathnodes.h"
#include "nodes/supportnodes.h"
#include "parser/parsetree.h"
#include "utils/fmgrprotos.h"

#define ALL_COLUMNS PG_UINT64_MAX

typedef struct ColumnSearch
{
	const Query *query;
	Oid			function;
	int			levels_up;		/* from the expression at hand to the query */
	int			scan_count;		/* calls in the query's FROM … */
	int			call_count;		/* … and all of its calls */
	uint64		columns;
} ColumnSearch;

static bool
is_call(const Node *node, Oid function)
{
	return node && IsA(node, FuncExpr) && castNode(FuncExpr, node)->funcid == function;
}

static uint64
column_bit(int column)
{
	return column < 64 ? UINT64_C(1) << column : ALL_COLUMNS;
}

/* A column of rows of functions: those of ROWS FROM () stand side by side. */
static void
add_column(const RangeTblEntry *rte, AttrNumber attno, ColumnSearch *search)
{
	ListCell   *lc;
	int			first = 1;

	foreach(lc, rte->functions)
	{
		const RangeTblFunction *f = lfirst_node(RangeTblFunction, lc);

		if (is_call(f->funcexpr, search->function))
		{
			if (attno <= 0)
				search->columns = ALL_COLUMNS;
			else if (attno >= first && attno < first + f->funccolcount)
				search->columns |= column_bit(attno - first);
		}
		first += f->funccolcount;
	}
}

static void
search_var(const Var *var, ColumnSearch *search)
{
	const RangeTblEntry *rte;

	/* what is special stands for a row's identity, not for a table's column */
	if ((int) var->varlevelsup != search->levels_up || IS_SPECIAL_VARNO(var->varno))
		return;
	rte = rt_fetch(var->varno, search->query->rtable);
	if (rte->rtekind == RTE_FUNCTION)
		add_column(rte, var->varattno, search);
	/* a row of a join, or a column that it merged; few are that */
	else if (rte->rtekind == RTE_JOIN)
		search->columns = ALL_COLUMNS;
}

static bool
search_expression(Node *node, ColumnSearch *search)
{
	if (node == NULL)
		return false;
	if (IsA(node, Var))
	{
		search_var(castNode(Var, node), search);
		return false;
	}
	if (IsA(node, Query))
	{
		bool		result;

		search->levels_up++;
		result = query_tree_walker(castNode(Query, node), search_expression, search, 0);
		search->levels_up--;
		return result;
	}
	if (search->levels_up == 0 && is_call(node, search->function))
		search->call_count++;
	return expression_tree_walker(node, search_expression, search);
}

static int
count_scans(const Query *query, Oid function)
{
	int			count = 0;
	ListCell   *lc;
	ListCell   *lf;

	foreach(lc, query->rtable)
		foreach(lf, lfirst_node(RangeTblEntry, lc)->functions)
			if (is_call(lfirst_node(RangeTblFunction, lf)->funcexpr, function))
				count++;
	return count;
}

/*
 * The columns that are read of any call of the function in FROM: calls of one
 * query are not told apart.
 */
static uint64
columns_read(const PlannerInfo *root, Oid function)
{
	ColumnSearch search = {.query = root->parse,.function = function};
	ListCell   *lc;

	search.scan_count = count_scans(root->parse, function);
	/* what a join has been given names for is not read for that */
	query_tree_walker(root->parse, search_expression, &search, QTW_IGNORE_JOINALIASES);
	/* a member of UNION ALL that has become part of the query */
	foreach(lc, root->append_rel_list)
		search_expression((Node *) lfirst_node(AppendRelInfo, lc)->translated_vars, &search);
	/* a call somewhere else gives rows whose columns are not seen here */
	if (search.scan_count == 0 || search.call_count != search.scan_count)
		return ALL_COLUMNS;
	return search.columns;
}

/* The call with fewer columns wanted, or NULL if it stays as it is. */
static Node *
want_less(const SupportRequestSimplify *request)
{
	const FuncExpr *call = request->fcall;
	const Const *wanted;
	FuncExpr   *result;
	uint64		columns;

	if (request->root == NULL || list_length(call->args) < 2 || !IsA(llast(call->args), Const))
		return NULL;
	wanted = llast_node(Const, call->args);
	if (wanted->consttype != INT8OID || wanted->constisnull)
		return NULL;
	columns = (uint64) DatumGetInt64(wanted->constvalue);
	columns &= columns_read(request->root, call->funcid);
	if (columns == (uint64) DatumGetInt64(wanted->constvalue))
		return NULL;

	result = makeNode(FuncExpr);
	*result = *call;
	result->args = list_copy(call->args);
	llast(result->args) = makeConst(INT8OID, -1, InvalidOid, sizeof(int64),
									Int64GetDatum((int64) columns), false, FLOAT8PASSBYVAL);
	return (Node *) result;
}

PG_FUNCTION_INFO_V1(wanted_columns_support);
Datum
wanted_columns_support(PG_FUNCTION_ARGS)
{
	Node	   *request = (Node *) PG_GETARG_POINTER(0);

	if (IsA(request, SupportRequestSimplify))
		PG_RETURN_POINTER(want_less(castNode(SupportRequestSimplify, request)));
	PG_RETURN_POINTER(NULL);
}
