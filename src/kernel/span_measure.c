/*
 * span_measure.c
 *		Columns of spans by name, read without making rows.
 *
 * The names and meanings are those of spans().
 */
#include "postgres.h"

#include <math.h>

#include "kernel/span_measure.h"
#include "kernel/span_times.h"
#include "kernel/trajectory_text.h"

const char *const number_measure_names[NUMBER_MEASURES] = {
	[NUMBER_DURATION_MS] = "duration_ms",
	[NUMBER_SELF_MS] = "self_ms",
	[NUMBER_START_MS] = "start_ms",
	[NUMBER_TTFT_MS] = "ttft_ms",
	[NUMBER_INPUT_TOKENS] = "input_tokens",
	[NUMBER_OUTPUT_TOKENS] = "output_tokens",
	[NUMBER_REASONING_TOKENS] = "reasoning_tokens",
	[NUMBER_CACHE_READ_TOKENS] = "cache_read_tokens",
	[NUMBER_CACHE_WRITE_TOKENS] = "cache_write_tokens",
	[NUMBER_REPORTED_COST_USD] = "reported_cost_usd",
	[NUMBER_DEPTH] = "depth",
	[NUMBER_SUBTREE_COUNT] = "subtree_count"
};

const char *const text_measure_names[TEXT_MEASURES] = {
	[TEXT_NAME] = "name",
	[TEXT_KIND] = "kind",
	[TEXT_OPERATION] = "operation",
	[TEXT_SPAN_KIND] = "span_kind",
	[TEXT_STATUS] = "status",
	[TEXT_ERROR_TYPE] = "error_type",
	[TEXT_PROVIDER] = "provider",
	[TEXT_MODEL] = "model",
	[TEXT_TOOL_NAME] = "tool_name",
	[TEXT_AGENT_NAME] = "agent_name",
	[TEXT_FINISH_REASON] = "finish_reason"
};

static void
read_self_times(const Trajectory *t, double *out)
{
	int64	   *ends = palloc_extended(t->n * sizeof(int64), MCXT_ALLOC_HUGE);
	int64	   *self_ns = palloc_extended(t->n * sizeof(int64), MCXT_ALLOC_HUGE);

	effective_ends(t->n, t->parent, t->start_ns, t->end_ns, ends);
	self_times(t->n, t->parent, t->start_ns, t->end_ns, ends, self_ns);
	for (uint32 i = 0; i < t->n; i++)
		out[i] = self_ns[i] == TIME_OPEN ? NAN : self_ns[i] / 1e6;
	pfree(ends);
	pfree(self_ns);
}

/* A span's own tokens of some sort: unknown where they are not its own. */
static void
read_tokens(const Trajectory *t, CanonicalColumn column, double *out)
{
	SpanUsage  *usage = palloc_extended(t->n * sizeof(SpanUsage), MCXT_ALLOC_HUGE);
	uint8	   *kinds = palloc_extended(t->n, MCXT_ALLOC_HUGE);
	uint8	   *scopes = palloc_extended(t->n, MCXT_ALLOC_HUGE);

	for (uint32 i = 0; i < t->n; i++)
	{
		SpanColumns columns = trajectory_columns(t, i);

		kinds[i] = trajectory_class(t, i)->kind;
		usage[i] = columns_usage(&columns);
	}
	usage_scopes(t->n, t->parent, kinds, usage, scopes);
	for (uint32 i = 0; i < t->n; i++)
	{
		SpanColumns columns = trajectory_columns(t, i);
		int64		tokens;

		out[i] = scopes[i] == USAGE_OWN && column_int(&columns, column, &tokens) ? tokens : NAN;
	}
	pfree(usage);
	pfree(kinds);
	pfree(scopes);
}

static void
read_doubles(const Trajectory *t, CanonicalColumn column, double *out)
{
	for (uint32 i = 0; i < t->n; i++)
	{
		SpanColumns columns = trajectory_columns(t, i);

		if (!column_double(&columns, column, &out[i]))
			out[i] = NAN;
	}
}

static bool
needs_cold(NumberMeasure measure)
{
	return measure != NUMBER_DURATION_MS && measure != NUMBER_SELF_MS &&
		measure != NUMBER_START_MS && measure != NUMBER_DEPTH &&
		measure != NUMBER_SUBTREE_COUNT;
}

/* A measure of each span; NaN where it is unknown. */
double *
span_numbers(Trajectory *t, NumberMeasure measure)
{
	double	   *out = palloc_extended(t->n * sizeof(double), MCXT_ALLOC_HUGE);

	trajectory_decode_hot(t);
	if (needs_cold(measure))
		trajectory_decode_cold(t);
	switch (measure)
	{
		case NUMBER_DURATION_MS:
			for (uint32 i = 0; i < t->n; i++)
				out[i] = t->end_ns[i] == TIME_OPEN ? NAN : (t->end_ns[i] - t->start_ns[i]) / 1e6;
			break;
		case NUMBER_SELF_MS:
			read_self_times(t, out);
			break;
		case NUMBER_START_MS:
			for (uint32 i = 0; i < t->n; i++)
				out[i] = (t->start_ns[i] - t->summary.start_ns) / 1e6;
			break;
		case NUMBER_TTFT_MS:
			read_doubles(t, COLUMN_TTFT_MS, out);
			break;
		case NUMBER_INPUT_TOKENS:
			read_tokens(t, COLUMN_INPUT_TOKENS, out);
			break;
		case NUMBER_OUTPUT_TOKENS:
			read_tokens(t, COLUMN_OUTPUT_TOKENS, out);
			break;
		case NUMBER_REASONING_TOKENS:
			read_tokens(t, COLUMN_REASONING_TOKENS, out);
			break;
		case NUMBER_CACHE_READ_TOKENS:
			read_tokens(t, COLUMN_CACHE_READ_TOKENS, out);
			break;
		case NUMBER_CACHE_WRITE_TOKENS:
			read_tokens(t, COLUMN_CACHE_WRITE_TOKENS, out);
			break;
		case NUMBER_REPORTED_COST_USD:
			read_doubles(t, COLUMN_COST_USD, out);
			break;
		case NUMBER_DEPTH:
			for (uint32 i = 0; i < t->n; i++)
				out[i] = t->depth[i] + 1;
			break;
		case NUMBER_SUBTREE_COUNT:
			for (uint32 i = 0; i < t->n; i++)
				out[i] = t->subtree[i];
			break;
		case NUMBER_MEASURES:
			break;
	}
	return out;
}

bool
span_model(const SpanColumns *columns, Bytes *model)
{
	return column_text(columns, COLUMN_MODEL_RESPONDED, model) ||
		column_text(columns, COLUMN_MODEL_REQUESTED, model);
}

/* OpenTelemetry names spans "operation subject". */
static Bytes
without_operation(Bytes name, const char *operation)
{
	size_t		len = strlen(operation);

	if (name.len > len && memcmp(name.data, operation, len) == 0)
		return (Bytes) {name.data + len, name.len - len};
	return name;
}

/*
 * Only of tool spans: on a model call such a name is what the model asked for.
 * A tool span that names none is named after its tool.
 */
bool
span_tool(const SpanClass *class, const SpanColumns *columns, Bytes *tool)
{
	if (class->kind != KIND_TOOL)
		return false;
	if (!column_text(columns, COLUMN_TOOL_NAME, tool))
		*tool = without_operation(class->name, "execute_tool ");
	return true;
}

/* The agent that a span names; an agent's span that names none is named after it. */
bool
span_agent(const SpanClass *class, const SpanColumns *columns, Bytes *agent)
{
	if (column_is_borne(columns, COLUMN_AGENT_NAME) &&
		column_text(columns, COLUMN_AGENT_NAME, agent))
		return true;
	if (class->kind != KIND_AGENT)
		return false;
	*agent = without_operation(class->name, "invoke_agent ");
	return true;
}

/* The type of the first exception event that names one. */
static bool
exception_type(const Trajectory *t, uint32 ordinal, Bytes *type)
{
	const SpanExtra *extra = trajectory_extra(t, ordinal);

	for (uint32 i = 0; extra && i < extra->event_count; i++)
	{
		const AttrList *list = &extra->events[i].attributes;

		if (!bytes_equal_cstring(extra->events[i].name, "exception"))
			continue;
		for (uint32 k = 0; k < list->n; k++)
			if (list->values[k].type == VALUE_STRING && list->values[k].len > 0 &&
				bytes_equal_cstring(t->keys[list->keys[k]].name, "exception.type"))
			{
				*type = value_bytes(&list->values[k]);
				return true;
			}
	}
	return false;
}

/* Of a span that failed: its error type, else its exception's, else its HTTP status. */
bool
span_error_type(const Trajectory *t, uint32 ordinal, char *room, Bytes *type)
{
	SpanColumns columns = trajectory_columns(t, ordinal);
	int64		code;

	if (!trajectory_class(t, ordinal)->is_error)
		return false;
	if (column_text(&columns, COLUMN_ERROR_TYPE, type) || exception_type(t, ordinal, type))
		return true;
	if (!column_int(&columns, COLUMN_HTTP_STATUS_CODE, &code) || code < 400)
		return false;
	snprintf(room, SPAN_TEXT_ROOM, INT64_FORMAT, code);
	*type = (Bytes) {room, strlen(room)};
	return true;
}

/* A column that is not of events, from a span's columns or a class's. */
static bool
read_text(const SpanClass *class, const SpanColumns *columns, TextMeasure measure,
		  char *room, Bytes *text)
{
	const char *word = NULL;

	switch (measure)
	{
		case TEXT_NAME:
			*text = class->name;
			return true;
		case TEXT_KIND:
			word = operation_kind_name(class->kind);
			break;
		case TEXT_OPERATION:
			return column_text(columns, COLUMN_OPERATION, text);
		case TEXT_SPAN_KIND:
			word = span_kind_names[class->span_kind];
			break;
		case TEXT_STATUS:
			word = span_status_names[class->status];
			break;
		case TEXT_PROVIDER:
			if (!column_text(columns, COLUMN_PROVIDER, text))
				return false;
			*text = provider_normalise(*text, room, SPAN_TEXT_ROOM);
			return true;
		case TEXT_MODEL:
			return span_model(columns, text);
		case TEXT_TOOL_NAME:
			return span_tool(class, columns, text);
		case TEXT_AGENT_NAME:
			return span_agent(class, columns, text);
		case TEXT_FINISH_REASON:
			return column_text(columns, COLUMN_FINISH_REASON, text);
		case TEXT_ERROR_TYPE:
		case TEXT_MEASURES:
			return false;
	}
	*text = (Bytes) {word, strlen(word)};
	return true;
}

/*
 * Is a column the same for all spans of a class, as far as the trajectory is
 * decoded?  Its tables must be.
 */
bool
class_tells_text(const Trajectory *t, const SpanClass *class, TextMeasure measure)
{
	switch (measure)
	{
		case TEXT_NAME:
		case TEXT_KIND:
		case TEXT_SPAN_KIND:
		case TEXT_STATUS:
			return true;
		case TEXT_OPERATION:
			return class_tells(t, class, COLUMN_OPERATION);
		case TEXT_ERROR_TYPE:
			return !class->is_error;
		case TEXT_PROVIDER:
			return class_tells(t, class, COLUMN_PROVIDER);
		case TEXT_MODEL:
			return class_tells(t, class, COLUMN_MODEL_RESPONDED) &&
				class_tells(t, class, COLUMN_MODEL_REQUESTED);
		case TEXT_TOOL_NAME:
			return class->kind != KIND_TOOL || class_tells(t, class, COLUMN_TOOL_NAME);
		case TEXT_AGENT_NAME:
			return class_tells(t, class, COLUMN_AGENT_NAME);
		case TEXT_FINISH_REASON:
			return class_tells(t, class, COLUMN_FINISH_REASON);
		case TEXT_MEASURES:
			break;
	}
	return false;
}

/* Such a column; as span_text() otherwise. */
bool
class_text(const Trajectory *t, const SpanClass *class, TextMeasure measure,
		   char *room, Bytes *text)
{
	SpanColumns columns = class_columns(t, class);

	return read_text(class, &columns, measure, room, text);
}

/*
 * A column of a span of a trajectory that is decoded as a whole; false if it
 * has none.  The text may lie in room, of SPAN_TEXT_ROOM bytes.
 */
bool
span_text(const Trajectory *t, uint32 ordinal, TextMeasure measure, char *room, Bytes *text)
{
	SpanColumns columns = trajectory_columns(t, ordinal);

	if (measure == TEXT_ERROR_TYPE)
		return span_error_type(t, ordinal, room, text);
	return read_text(trajectory_class(t, ordinal), &columns, measure, room, text);
}
