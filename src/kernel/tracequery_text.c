/*
 * tracequery_text.c
 *		The canonical text of a query.
 *
 * Parsing it gives the same query again, and writing that the same text.
 * Where && meets || there are parentheses, needed or not.
 */
#include "postgres.h"

#include "kernel/json_reader.h"
#include "kernel/tracequery.h"
#include "kernel/trajectory_text.h"

/* How tight operators bind. */
enum
{
	PRECEDENCE_LOGIC = 1,
	PRECEDENCE_COMPARE,
	PRECEDENCE_SUM,
	PRECEDENCE_PRODUCT,
	PRECEDENCE_UNARY,
	PRECEDENCE_POWER,
	PRECEDENCE_ATOM
};

static const char *const relation_names[RELATION_COUNT] = {">", ">>", "<", "<<", "~", "->", NULL};
static const char *const mode_prefixes[] = {"", "!", "&"};

static void
put_string(StringInfo buf, Bytes s)
{
	appendStringInfoChar(buf, '"');
	for (uint32 i = 0; i < s.len; i++)
	{
		unsigned char c = s.data[i];

		if (c == '"' || c == '\\')
			appendStringInfoChar(buf, '\\');
		if (c == '\n')
			appendStringInfoString(buf, "\\n");
		else if (c == '\t')
			appendStringInfoString(buf, "\\t");
		else if (c < ' ')
			appendStringInfo(buf, "\\u%04x", c);
		else
			appendStringInfoChar(buf, c);
	}
	appendStringInfoChar(buf, '"');
}

/* In the largest unit that divides it. */
static void
put_duration(StringInfo buf, int64 ns)
{
	static const struct
	{
		const char *name;
		int64		ns;
	}			units[] = {
		{"h", INT64CONST(3600000000000)}, {"m", INT64CONST(60000000000)}, {"s", 1000000000},
		{"ms", 1000000}, {"us", 1000}, {"ns", 1}
	};
	int			i = ns == 0 ? 2 : 0;

	while (ns % units[i].ns != 0)
		i++;
	appendStringInfo(buf, INT64_FORMAT "%s", ns / units[i].ns, units[i].name);
}

static void
put_kind(StringInfo buf, const QueryValue *v)
{
	appendStringInfoString(buf, v->mask == KIND_SPAN_MASK ?
						   span_kind_names[v->integer >> KIND_SPAN_SHIFT] :
						   operation_kind_name(v->integer));
}

static void
put_literal(StringInfo buf, const QueryValue *v)
{
	switch ((QueryValueType) v->type)
	{
		case QUERY_NIL:
			appendStringInfoString(buf, "nil");
			break;
		case QUERY_BOOL:
			appendStringInfoString(buf, v->boolean ? "true" : "false");
			break;
		case QUERY_INT:
			appendStringInfo(buf, INT64_FORMAT, v->integer);
			break;
		case QUERY_FLOAT:
			json_put_double(buf, v->number);
			break;
		case QUERY_DURATION:
			put_duration(buf, v->integer);
			break;
		case QUERY_STRING:
			put_string(buf, v->string);
			break;
		case QUERY_STATUS:
			appendStringInfoString(buf, span_status_names[v->integer]);
			break;
		case QUERY_KIND:
			put_kind(buf, v);
			break;
		case QUERY_OTHER:
			break;
	}
}

static void
put_field(StringInfo buf, const QueryField *field)
{
	static const char *const scopes[] = {
		[SCOPE_ANY] = "",
		[SCOPE_SPAN] = "span",
		[SCOPE_RESOURCE] = "resource",
		[SCOPE_EVENT] = "event",
		[SCOPE_LINK] = "link",
		[SCOPE_INSTRUMENTATION] = "instrumentation"
	};
	bool		is_plain;

	if (field->scope == SCOPE_INTRINSIC)
	{
		appendStringInfoString(buf, intrinsic_name(field->intrinsic));
		return;
	}
	appendStringInfo(buf, "%s.", scopes[field->scope]);
	is_plain = field->name.data[0] < '0' || field->name.data[0] > '9';
	for (uint32 i = 0; i < field->name.len && is_plain; i++)
		is_plain = attribute_char(field->name.data[i]);
	if (is_plain)
		appendBinaryStringInfo(buf, field->name.data, field->name.len);
	else
		put_string(buf, field->name);
}

static int
precedence(const QueryExpr *e)
{
	switch ((ExprNode) e->node)
	{
		case EXPR_AND:
		case EXPR_OR:
			return PRECEDENCE_LOGIC;
		case EXPR_COMPARE:
			return PRECEDENCE_COMPARE;
		case EXPR_ARITHMETIC:
			return e->op == '^' ? PRECEDENCE_POWER :
				e->op == '+' || e->op == '-' ? PRECEDENCE_SUM : PRECEDENCE_PRODUCT;
		case EXPR_NOT:
		case EXPR_NEGATE:
			return PRECEDENCE_UNARY;
		case EXPR_LITERAL:
			if (e->literal.type == QUERY_FLOAT ? double_bits(e->literal.number) >> 63 :
				(e->literal.type == QUERY_INT || e->literal.type == QUERY_DURATION) &&
				e->literal.integer < 0)
				return PRECEDENCE_UNARY;
			return PRECEDENCE_ATOM;
		default:
			return PRECEDENCE_ATOM;
	}
}

static void put_expr(StringInfo buf, const Tracequery *q, const QueryExpr *e);

/* In parentheses if it binds less than its place needs. */
static void
put_arg(StringInfo buf, const Tracequery *q, const QueryExpr *e, int needed)
{
	bool		has_parens = precedence(e) < needed;

	if (has_parens)
		appendStringInfoChar(buf, '(');
	put_expr(buf, q, e);
	if (has_parens)
		appendStringInfoChar(buf, ')');
}

static void
put_binary(StringInfo buf, const Tracequery *q, const QueryExpr *e, const char *op)
{
	int			own = precedence(e);
	bool		is_right = own == PRECEDENCE_POWER;

	put_arg(buf, q, e->args[0], is_right ? PRECEDENCE_ATOM : own);
	appendStringInfo(buf, " %s ", op);
	put_arg(buf, q, e->args[1], is_right ? PRECEDENCE_UNARY : own + 1);
}

static void
put_expr(StringInfo buf, const Tracequery *q, const QueryExpr *e)
{
	switch ((ExprNode) e->node)
	{
		case EXPR_LITERAL:
			put_literal(buf, &e->literal);
			break;
		case EXPR_FIELD:
			put_field(buf, &q->fields[e->number]);
			break;
		case EXPR_NOT:
		case EXPR_NEGATE:
			appendStringInfoChar(buf, e->node == EXPR_NOT ? '!' : '-');
			put_arg(buf, q, e->args[0], PRECEDENCE_UNARY);
			break;
		case EXPR_ARITHMETIC:
			put_binary(buf, q, e, (char[]) {e->op, '\0'});
			break;
		case EXPR_COMPARE:
			put_binary(buf, q, e, compare_names[e->op]);
			break;
		case EXPR_AND:
		case EXPR_OR:
			for (uint32 i = 0; i < e->arg_count; i++)
			{
				if (i > 0)
					appendStringInfoString(buf, e->node == EXPR_AND ? " && " : " || ");
				put_arg(buf, q, e->args[i], PRECEDENCE_COMPARE);
			}
			break;
		case EXPR_AGGREGATE:
			appendStringInfo(buf, "%s(", aggregate_names[e->op]);
			if (e->arg_count > 0)
				put_expr(buf, q, e->args[0]);
			appendStringInfoChar(buf, ')');
			break;
	}
}

static void put_set(StringInfo buf, const Tracequery *q, const QuerySet *s);

static void
put_operand(StringInfo buf, const Tracequery *q, const QuerySet *s, bool is_plain)
{
	if (!is_plain)
		appendStringInfoChar(buf, '(');
	put_set(buf, q, s);
	if (!is_plain)
		appendStringInfoChar(buf, ')');
}

static void
put_set(StringInfo buf, const Tracequery *q, const QuerySet *s)
{
	switch ((SetNode) s->node)
	{
		case SET_FILTER:
			appendStringInfoString(buf, "{ ");
			if (s->expr)
			{
				put_expr(buf, q, s->expr);
				appendStringInfoChar(buf, ' ');
			}
			appendStringInfoChar(buf, '}');
			break;
		case SET_AND:
		case SET_OR:
			for (uint32 i = 0; i < s->arg_count; i++)
			{
				if (i > 0)
					appendStringInfoString(buf, s->node == SET_AND ? " && " : " || ");
				put_operand(buf, q, s->args[i],
							s->args[i]->node == SET_FILTER || s->args[i]->node == SET_RELATION);
			}
			break;
		case SET_RELATION:
			put_operand(buf, q, s->args[0],
						s->args[0]->node == SET_FILTER || s->args[0]->node == SET_RELATION);
			appendStringInfo(buf, " %s%s ", mode_prefixes[s->mode], relation_names[s->relation]);
			put_operand(buf, q, s->args[1], s->args[1]->node == SET_FILTER);
			break;
		case SET_PIPELINE:
			for (uint32 i = 0; i < s->arg_count; i++)
			{
				if (i > 0)
					appendStringInfoString(buf, " | ");
				put_operand(buf, q, s->args[i], s->args[i]->node != SET_PIPELINE);
			}
			break;
		case SET_SCALAR:
			put_expr(buf, q, s->expr);
			break;
	}
}

void
tracequery_write(StringInfo buf, const Tracequery *q)
{
	put_set(buf, q, q->root);
}

/* The datum of a query given as text, in the current context. */
TracequeryDatum *
tracequery_make_datum(const char *text, size_t len)
{
	Tracequery *query = tracequery_parse(text, len);
	TracequeryDatum *datum;
	StringInfoData buf;
	size_t		size;

	initStringInfo(&buf);
	tracequery_write(&buf, query);
	if (buf.len > TRACEQUERY_MAX_LEN)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("tracequery is too long"),
				 errdetail("Its canonical form has %d bytes; at most %d are allowed.",
						   buf.len, TRACEQUERY_MAX_LEN)));
	size = offsetof(TracequeryDatum, text) + buf.len;
	datum = palloc0(size);
	SET_VARSIZE(datum, size);
	datum->version = TRACEQUERY_VERSION;
	memcpy(datum->text, buf.data, buf.len);
	pfree(buf.data);
	return datum;
}

void
tracequery_require_version(int version)
{
	if (version != TRACEQUERY_VERSION)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("tracequery has an unknown format version"),
				 errdetail("The version is %d; this server's extension reads version %d.",
						   version, TRACEQUERY_VERSION)));
}

/* Parse a stored query, in the current context. */
Tracequery *
tracequery_from_datum(const TracequeryDatum *datum)
{
	tracequery_require_version(datum->version);
	return tracequery_parse(datum->text, tracequery_text_size(datum));
}
