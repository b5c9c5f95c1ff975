/*
 * tracequery_keys.h
 *		What an index knows of a trajectory, and what it can say of a query.
 *
 * A key is an int64: a class byte and 56 bits, most often of a hash.  On disk
 * in indexes, so classes and what they hash may not change.
 *
 *	attribute	an attribute of a span or a resource: name and value, or element
 *				of a list.  Whole numbers up to 1023 are themselves, others are
 *				one key for a quarter of an octave.
 *	identifier	the same for tool call, conversation and user ids, but 14 bits:
 *				a key of its own for each id would take ten times the room
 *	exists		an attribute of a span or a resource is there: name, if it is
 *				not one of the built-in ones, which most traces have
 *	many		an attribute has a list too long to be kept: name
 *	event		an attribute of an event: name and value
 *	event many	as many, of events
 *	event name	an event: name
 *	scope		an instrumentation scope: name
 *	name		a span: name
 *	failed		a span that failed: name
 *	edge		a span and its parent: names
 *	failed edge	the same where the child failed
 *	state		a span's status, kind, failure, and kind with failure
 *	column		a canonical column: which, and the text
 *	failed column	the same of a span that failed
 *	range		the largest value of a measure, over all spans or those of one
 *				kind: a quarter of an octave
 *
 * Not kept: strings of more than 128 bytes, names that are those of ids, values
 * that look like ids, times or JSON, message bodies, token counts and costs (but
 * as ranges).
 * Such an attribute is found by its name, or not by the index.
 *
 * A query becomes a tree of keys with and and or that holds for every
 * trajectory that matches, and for others: the query itself is checked again.
 */
#ifndef LLMTRACE_TRACEQUERY_KEYS_H
#define LLMTRACE_TRACEQUERY_KEYS_H

#include "kernel/tracequery.h"

typedef enum IndexClass
{
	INDEX_ATTRIBUTE = 1,
	INDEX_IDENTIFIER,
	INDEX_EXISTS,
	INDEX_MANY,
	INDEX_EVENT,
	INDEX_EVENT_MANY,
	INDEX_EVENT_NAME,
	INDEX_SCOPE,
	INDEX_NAME,
	INDEX_FAILED,
	INDEX_EDGE,
	INDEX_FAILED_EDGE,
	INDEX_STATE,
	INDEX_COLUMN,
	INDEX_RANGE,
	INDEX_FAILED_COLUMN
} IndexClass;

typedef enum Measure
{
	MEASURE_DURATION = 0,
	MEASURE_INPUT_TOKENS,
	MEASURE_OUTPUT_TOKENS,
	MEASURE_COST,
	/* over all spans only */
	MEASURE_TRACE_DURATION,
	MEASURE_OWN_INPUT_TOKENS,
	MEASURE_OWN_OUTPUT_TOKENS,
	MEASURE_OWN_COST,
	MEASURE_COUNT
} Measure;

/* A range that needs more keys than these is left to the recheck. */
#define INDEX_MAX_RANGE_KEYS 64

/* Nor are regular expressions that choose among more strings. */
#define INDEX_MAX_ALTERNATIVES 64

/* Longer lists are not kept element by element. */
#define INDEX_MAX_ELEMENTS 32

typedef enum IndexNodeType
{
	NODE_ALL,					/* nothing is known but the guess */
	NODE_KEY,
	NODE_RANGE,					/* any of the keys from key to last */
	NODE_AND,
	NODE_OR						/* of nothing: no trajectory matches */
} IndexNodeType;

typedef struct IndexNode
{
	uint8		type;			/* IndexNodeType */
	bool		is_same_span;	/* and: of conditions on one span */
	bool		is_of_kind;		/* range: over the spans of one kind */
	int64		key;
	int64		last;
	uint32		number;			/* of the (first) key among all */
	double		guess;			/* share of trajectories, if there is nothing better */
	const char *label;
	uint32		arg_count;
	uint32		arg_max;
	struct IndexNode **args;
} IndexNode;

extern int64 *trajectory_index_keys(Trajectory *t, uint32 *count);
extern IndexNode *tracequery_index_tree(const Tracequery *q);
extern IndexNode *index_tree_for_scan(IndexNode *tree);
extern uint32 index_tree_keys(IndexNode *tree, int64 **keys);
extern int	index_tree_check(const IndexNode *tree, const int8 *check);
extern void index_tree_write(StringInfo buf, const IndexNode *tree);

#endif							/* LLMTRACE_TRACEQUERY_KEYS_H */
