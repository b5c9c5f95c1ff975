/*
 * tracequery.h
 *		The tracequery type: structure and attributes of spans in one expression.
 *
 * The language is a subset of TraceQL.  A query gives a set of spans of a
 * trace, and a trace matches if that set is not empty.
 *
 *	query		pipeline
 *	pipeline	set { "|" stage }
 *	stage		set | scalar
 *	set			relation { ("&&" | "||") relation }
 *	relation	operand { [ "!" | "&" ] (">" | ">>" | "<" | "<<" | "~" | "->") operand }
 *	operand		"{" [ condition ] "}" | "(" pipeline ")"
 *	condition	comparison { ("&&" | "||") comparison }
 *	comparison	sum { ("=" | "!=" | "<" | "<=" | ">" | ">=" | "=~" | "!~") sum }
 *	sum			product { ("+" | "-") product }
 *	product		power { ("*" | "/" | "%") power }
 *	power		( "!" | "-" ) power | atom [ "^" power ]
 *	atom		literal | field | "(" condition ")"
 *	scalar		a comparison whose atoms are numbers and count(), min(condition),
 *				max(condition), avg(condition), sum(condition)
 *
 * As in TraceQL, && and || have one level and are left-associative.  What is
 * stored is the canonical text behind a version byte: it is checked by parsing
 * it, like any other text, and parsed once a call site.
 */
#ifndef LLMTRACE_TRACEQUERY_H
#define LLMTRACE_TRACEQUERY_H

#include "kernel/span_measure.h"
#include "compat.h"
#include "kernel/trajectory.h"

#define TRACEQUERY_VERSION 1

/* Longest text, in bytes, and deepest tree of expressions. */
#define TRACEQUERY_MAX_LEN 65536
#define TRACEQUERY_MAX_DEPTH 128

/* No more than fit in PostgreSQL's cache of them. */
#define TRACEQUERY_MAX_REGEXES 16

/*
 * What a filter says of a class by its kinds alone is the same in all traces:
 * it is remembered for each combination of span kind, status, error and kind,
 * for so many filters.
 */
#define KINDS_COMBINATIONS 1024
#define TRACEQUERY_MAX_REMEMBERED 16

typedef struct TracequeryDatum
{
	int32		vl_len_;		/* varlena header, do not touch directly */
	uint8		version;		/* TRACEQUERY_VERSION */
	char		text[FLEXIBLE_ARRAY_MEMBER];	/* canonical, not terminated */
} TracequeryDatum;

/* What an expression is known to be before it meets a span. */
typedef enum QueryType
{
	TYPE_ANY = 0,				/* an attribute: of what type, its value tells */
	TYPE_NIL,
	TYPE_BOOL,
	TYPE_NUMBER,
	TYPE_STRING,
	TYPE_STATUS,
	TYPE_KIND
} QueryType;

typedef enum QueryValueType
{
	QUERY_NIL = 0,
	QUERY_BOOL,
	QUERY_INT,
	QUERY_FLOAT,
	QUERY_DURATION,				/* nanoseconds, in integer */
	QUERY_STRING,
	QUERY_STATUS,				/* as the wire numbers them, in integer */
	QUERY_KIND,
	QUERY_OTHER					/* bytes, kvlists, payload references */
} QueryValueType;

/*
 * A kind is a word of ours or one of OpenTelemetry's.  A span has both, so the
 * value of the field has both, and a literal one, which the mask selects.
 */
#define KIND_OPERATION_MASK 0x00ff
#define KIND_SPAN_MASK 0xff00
#define KIND_SPAN_SHIFT 8

typedef struct QueryValue
{
	uint8		type;			/* QueryValueType */
	uint16		mask;			/* kind: KIND_…_MASK */
	bool		is_temporary;	/* the string is in memory that is reused */
	union
	{
		int64		integer;
		double		number;
		bool		boolean;
		Bytes		string;
	};
} QueryValue;

typedef enum QueryScope
{
	SCOPE_INTRINSIC = 0,
	SCOPE_ANY,					/* .name: of the span, else of its resource */
	SCOPE_SPAN,
	SCOPE_RESOURCE,
	SCOPE_EVENT,
	SCOPE_LINK,
	SCOPE_INSTRUMENTATION
} QueryScope;

typedef enum Intrinsic
{
	INTRINSIC_NONE = 0,
	INTRINSIC_NAME,
	INTRINSIC_STATUS,
	INTRINSIC_STATUS_MESSAGE,
	INTRINSIC_KIND,
	INTRINSIC_DURATION,
	INTRINSIC_CHILD_COUNT,
	INTRINSIC_ROOT_NAME,
	INTRINSIC_ROOT_SERVICE_NAME,
	INTRINSIC_TRACE_DURATION,
	INTRINSIC_SPAN_ID,
	INTRINSIC_PARENT_ID,
	INTRINSIC_TRACE_ID,
	INTRINSIC_EVENT_NAME,
	INTRINSIC_EVENT_TIME,
	INTRINSIC_LINK_SPAN_ID,
	INTRINSIC_LINK_TRACE_ID,
	INTRINSIC_SCOPE_NAME,
	INTRINSIC_SCOPE_VERSION,
	INTRINSIC_IS_ERROR,
	INTRINSIC_MODEL,
	INTRINSIC_PROVIDER,
	INTRINSIC_TOOL,
	INTRINSIC_AGENT,
	INTRINSIC_INPUT_TOKENS,
	INTRINSIC_OUTPUT_TOKENS,
	INTRINSIC_COST_USD,
	INTRINSIC_TTFT,
	INTRINSIC_COUNT
} Intrinsic;

/* From where the value of a field comes: the cheapest first. */
typedef enum FieldLevel
{
	LEVEL_HEADER,				/* the trace's header */
	LEVEL_HOT,					/* structure and times */
	LEVEL_KIND,					/* what classes are known as without their names */
	LEVEL_CLASS,				/* names, resources, scopes */
	LEVEL_COLUMN				/* attributes, events, links, messages */
} FieldLevel;

typedef struct QueryField
{
	uint8		scope;			/* QueryScope */
	uint8		intrinsic;		/* Intrinsic, or none: an attribute */
	Bytes		name;			/* the attribute's */
	uint8		level;			/* FieldLevel */
	uint32		uses;			/* none if the word turned out to be a kind */
} QueryField;

typedef enum ExprNode
{
	EXPR_LITERAL,
	EXPR_FIELD,
	EXPR_NOT,
	EXPR_NEGATE,
	EXPR_ARITHMETIC,
	EXPR_COMPARE,
	EXPR_AND,
	EXPR_OR,
	EXPR_AGGREGATE
} ExprNode;

typedef enum CompareOp
{
	COMPARISON_EQ,
	COMPARISON_NE,
	COMPARISON_LT,
	COMPARISON_LE,
	COMPARISON_GT,
	COMPARISON_GE,
	COMPARISON_MATCH,
	COMPARISON_NOT_MATCH
} CompareOp;

typedef enum Aggregate
{
	AGGREGATE_COUNT,
	AGGREGATE_MIN,
	AGGREGATE_MAX,
	AGGREGATE_AVG,
	AGGREGATE_SUM,
	AGGREGATE_KINDS
} Aggregate;

typedef struct QueryExpr
{
	uint8		node;			/* ExprNode */
	uint8		type;			/* QueryType */
	uint8		op;				/* CompareOp, Aggregate, or the character of an
								 * arithmetic operator */
	bool		may_be_kind;	/* "tool" and "agent" name a kind too */
	int			depth;
	uint32		position;		/* of the operator in the text, in bytes */
	uint32		number;			/* field: index into Tracequery.fields; literal:
								 * into Tracequery.literals, for strings;
								 * =~ and !~: into Tracequery.regexes */
	QueryValue	literal;
	uint32		arg_count;
	uint32		arg_max;
	struct QueryExpr **args;
} QueryExpr;

typedef enum SetNode
{
	SET_FILTER,					/* { expr }; no expr: all spans */
	SET_AND,
	SET_OR,
	SET_RELATION,
	SET_PIPELINE,				/* args[0], then stages */
	SET_SCALAR					/* a stage: expr */
} SetNode;

typedef enum SpanRelation
{
	RELATION_CHILD,				/* > */
	RELATION_DESCENDANT,		/* >> */
	RELATION_PARENT,			/* < */
	RELATION_ANCESTOR,			/* << */
	RELATION_SIBLING,			/* ~ */
	RELATION_AFTER,				/* -> */
	RELATION_BEFORE,			/* its mirror, which has no spelling */
	RELATION_COUNT
} SpanRelation;

typedef enum RelationMode
{
	MODE_RIGHT,					/* right spans that are so related to a left one */
	MODE_NOT,					/* right spans that are not */
	MODE_BOTH					/* both sides */
} RelationMode;

typedef struct QuerySet
{
	uint8		node;			/* SetNode */
	uint8		relation;
	uint8		mode;
	int			depth;
	uint32		number;			/* filter: of all filters */
	QueryExpr  *expr;
	uint32		arg_count;
	uint32		arg_max;
	struct QuerySet **args;
} QuerySet;

typedef struct Tracequery
{
	QuerySet   *root;
	QueryField *fields;			/* distinct */
	uint32		field_count;
	Bytes	   *literals;		/* strings */
	uint32		literal_count;
	Bytes	   *regexes;		/* patterns as written */
	uint32		regex_count;
	uint32		filter_count;
	uint8		levels;			/* 1 << FieldLevel of each field in use */
	bool		is_local;		/* spans that match do so whatever others there are,
								 * those above them excepted */
	uint8	   *by_kinds;		/* of each filter, what it said; or NULL */
} Tracequery;

/* tracequery_parse.c */
extern Tracequery *tracequery_parse(const char *text, size_t len);
extern const char *intrinsic_name(Intrinsic intrinsic);
extern bool attribute_char(unsigned char c);
extern const char *const aggregate_names[AGGREGATE_KINDS];
extern const char *const compare_names[];

/* tracequery_text.c */
extern void tracequery_write(StringInfo buf, const Tracequery *q);
extern TracequeryDatum *tracequery_make_datum(const char *text, size_t len);
extern void tracequery_require_version(int version);
extern Tracequery *tracequery_from_datum(const TracequeryDatum *datum);

static inline size_t
tracequery_text_size(const TracequeryDatum *datum)
{
	return VARSIZE(datum) - offsetof(TracequeryDatum, text);
}

/* tracequery_eval.c */
extern bool tracequery_is_hot(const Tracequery *q);
extern bool tracequery_excludes(const Tracequery *q, const TrajectorySummary *summary);
extern bool tracequery_matches(const Tracequery *q, Trajectory *t);
extern uint8 *tracequery_spans(const Tracequery *q, Trajectory *t, uint32 *count);
extern bool field_compare(const Tracequery *q, const QueryExpr *e, const QueryField **field,
						  CompareOp *op, const QueryValue **literal);

/* What the index reads of a span, as queries read it. */
extern Bytes trajectory_root_service(const Trajectory *t);

/* tracequery_regex.c: regular expressions, anchored at both ends. */
typedef struct QueryRegex QueryRegex;
extern void query_regex_check(Bytes pattern, const char **problem);
extern QueryRegex *query_regex_compile(Bytes pattern);
extern bool query_regex_matches(QueryRegex *regex, Bytes subject, bool is_stored);

#endif							/* LLMTRACE_TRACEQUERY_H */
