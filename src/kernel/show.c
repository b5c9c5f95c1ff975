/*
 * show.c
 *		A trajectory drawn as a tree, for a terminal.
 *
 *		     start  duration
 *		       0ms    10.3s  ░░░█░███░░░░░░░░  invoke_agent [agent planner]
 *		       2ms     1.2s  ██                ├─ chat [llm gpt-5.4] 900 → 40 tokens
 *		      1.2s    30ms     ▏               ├─ execute_tool [tool search] ✗ timeout
 *
 * A bar is full where the span is what the trace waited for, by its critical
 * path, and light where it is not.
 *
 * Of a run of many siblings with one name the first few are drawn; very large
 * trajectories are cut off with a word on how much is left.
 */
#include "postgres.h"

#include "kernel/path_input.h"
#include "kernel/show.h"
#include "kernel/svg.h"
#include "kernel/usage.h"
#include "miscadmin.h"

#define BAR_WIDTH 16
#define MAX_LINES 1000
#define MAX_INDENT 40			/* levels; deeper ones are numbered */
#define MAX_TEXT 60				/* bytes of a name or message */
#define RUN_SHOWN 3				/* of a run of siblings of one name … */
#define RUN_FOLDED 8			/* … that is at least so long */

static const char *const levels[] = {"│  ", "   "};

/* What a line takes from the trajectory as a whole. */
typedef struct Drawing
{
	const Trajectory *t;
	const int64 *ends;
	const PathWork *path;
	PathIndex	index;
} Drawing;

static void
put_duration(StringInfo buf, int64 ns, int width)
{
	char		room[DURATION_TEXT_ROOM];

	appendStringInfo(buf, "%*s", width, duration_text(room, ns));
}

/* Text on one line, cut at a whole character. */
static void
put_text(StringInfo buf, Bytes text)
{
	int			len = utf8_clip(text, MAX_TEXT);

	for (int i = 0; i < len; i++)
		appendStringInfoChar(buf, (unsigned char) text.data[i] < ' ' ? ' ' : text.data[i]);
	if (len < (int) text.len)
		appendStringInfoString(buf, "…");
}

/* Add the time from start to end, in cells, to the cells that it touches. */
static void
add_to_cells(double *cells, double start, double end)
{
	for (int i = Max((int) start, 0); i < BAR_WIDTH && i < end; i++)
		cells[i] += Min(end, i + 1) - Max(start, i);
}

/*
 * Where in the trace's time the span ran: a cell is full if most of what the
 * span has of it is on the critical path.
 */
static void
put_bar(StringInfo buf, const Drawing *d, uint32 ordinal)
{
	const Trajectory *t = d->t;
	double		scale = t->summary.duration_ns > 0 ?
		(double) BAR_WIDTH / t->summary.duration_ns : 0;
	double		start = (t->start_ns[ordinal] - t->summary.start_ns) * scale;
	double		end = (d->ends[ordinal] - t->summary.start_ns) * scale;
	int			from = Min((int) start, BAR_WIDTH - 1);
	int			to = (int) (end + 0.5);
	double		all[BAR_WIDTH] = {0};
	double		critical[BAR_WIDTH] = {0};

	add_to_cells(all, start, end);
	for (uint32 k = d->index.first[ordinal]; k < d->index.first[ordinal + 1]; k++)
	{
		const PathSection *s = &d->path->sections[d->index.by_span[k]];

		add_to_cells(critical, (s->start_ns - t->summary.start_ns) * scale,
					 (s->end_ns - t->summary.start_ns) * scale);
	}
	for (int i = 0; i < BAR_WIDTH; i++)
		appendStringInfoString(buf, i >= from && i < to ?
							   (critical[i] * 2 >= all[i] ? "█" : "░") :
							   i == from ? "▏" : " ");
}

static void
put_labels(StringInfo buf, const Trajectory *t, uint32 ordinal)
{
	const SpanClass *class = trajectory_class(t, ordinal);
	const SpanExtra *extra = trajectory_extra(t, ordinal);
	SpanColumns columns = trajectory_columns(t, ordinal);
	SpanUsage	usage = columns_usage(&columns);
	Bytes		what = {"", 0};

	if (class->kind != KIND_OTHER)
	{
		appendStringInfo(buf, " [%s", operation_kind_name(class->kind));
		if (class->kind == KIND_TOOL)
			column_text(&columns, COLUMN_TOOL_NAME, &what);
		else if (class->kind == KIND_AGENT)
			column_text(&columns, COLUMN_AGENT_NAME, &what);
		else if (!column_text(&columns, COLUMN_MODEL_RESPONDED, &what))
			column_text(&columns, COLUMN_MODEL_REQUESTED, &what);
		if (what.len > 0)
		{
			appendStringInfoChar(buf, ' ');
			put_text(buf, what);
		}
		appendStringInfoChar(buf, ']');
	}
	if (usage.input_tokens >= 0 || usage.output_tokens >= 0)
		appendStringInfo(buf, " " INT64_FORMAT " → " INT64_FORMAT " tokens",
						 Max(usage.input_tokens, 0), Max(usage.output_tokens, 0));
	if (class->is_error)
	{
		appendStringInfoString(buf, " ✗");
		if (column_text(&columns, COLUMN_ERROR_TYPE, &what))
		{
			appendStringInfoChar(buf, ' ');
			put_text(buf, what);
		}
		else if (extra && extra->status_message.len > 0)
		{
			appendStringInfoChar(buf, ' ');
			put_text(buf, extra->status_message);
		}
	}
	if (trajectory_root_kind(t, ordinal) == ROOT_ORPHAN)
		appendStringInfoString(buf, " (its parent is missing)");
	else if (trajectory_root_kind(t, ordinal) == ROOT_CUT)
		appendStringInfoString(buf, " (cut from a cycle)");
}

/* The lines that lead to a span; continues[d]: level d has more to come. */
static void
put_indent(StringInfo buf, int32 depth, const bool *continues)
{
	if (depth > MAX_INDENT)
	{
		appendStringInfo(buf, "… level %d ", depth + 1);
		return;
	}
	for (int32 d = 1; d < depth; d++)
		appendStringInfoString(buf, levels[continues[d] ? 0 : 1]);
	if (depth > 0)
		appendStringInfoString(buf, continues[depth] ? "├─ " : "└─ ");
}

/*
 * Length of the run of leaves of one name that begins here; 1 if the span is
 * not such a leaf.
 */
static uint32
run_length(const Trajectory *t, uint32 ordinal)
{
	Bytes		name = trajectory_class(t, ordinal)->name;
	uint32		length = 1;

	while (ordinal + length < t->n && t->subtree[ordinal + length - 1] == 1 &&
		   t->parent[ordinal + length] == t->parent[ordinal] &&
		   bytes_equal(trajectory_class(t, ordinal + length)->name, name))
		length++;
	if (length > 1 && t->subtree[ordinal + length - 1] != 1)
		length--;
	return length;
}

static void
put_line(StringInfo buf, const Drawing *d, uint32 i, const bool *continues)
{
	const Trajectory *t = d->t;

	put_duration(buf, t->start_ns[i] - t->summary.start_ns, 9);
	appendStringInfoChar(buf, ' ');
	put_duration(buf, t->end_ns[i] == TIME_OPEN ? TIME_OPEN : t->end_ns[i] - t->start_ns[i], 9);
	appendStringInfoString(buf, "  ");
	put_bar(buf, d, i);
	appendStringInfoString(buf, "  ");
	put_indent(buf, t->depth[i], continues);
	put_text(buf, trajectory_class(t, i)->name);
	put_labels(buf, t, i);
	appendStringInfoChar(buf, '\n');
}

static void
put_folded(StringInfo buf, const Trajectory *t, uint32 from, uint32 count,
		   const bool *continues)
{
	uint32		errors = 0;

	for (uint32 i = from; i < from + count; i++)
		errors += trajectory_class(t, i)->is_error;
	appendStringInfo(buf, "%*s", 23 + BAR_WIDTH, "");
	put_indent(buf, t->depth[from], continues);
	appendStringInfo(buf, "… %u more ", count);
	put_text(buf, trajectory_class(t, from)->name);
	if (errors > 0)
		appendStringInfo(buf, ", %u failed", errors);
	appendStringInfoChar(buf, '\n');
}

/* Append the drawing of a trajectory that is decoded whole. */
void
show_trajectory(StringInfo buf, Trajectory *t)
{
	PathOptions options = {0};
	PathInput	in = path_input(t, &options);
	PathWork   *path = path_work_create();
	Drawing		d = {.t = t,.ends = in.end_ns,.path = path};
	bool		continues[MAX_INDENT + 1] = {false};
	uint32		lines = 0;
	uint32		i = 0;
	uint32		run_start = 0;
	uint32		run_end = 0;

	critical_path(&in, path);
	d.index = path_index(path, t->n);
	appendStringInfo(buf, "%9s %9s\n", "start", "duration");
	while (i < t->n && lines < MAX_LINES)
	{
		int32		depth = t->depth[i];

		CHECK_FOR_INTERRUPTS();
		if (i >= run_end)
		{
			run_start = i;
			run_end = i + run_length(t, i);
		}
		if (run_end - run_start >= RUN_FOLDED && i == run_start + RUN_SHOWN)
		{
			if (depth <= MAX_INDENT)
				continues[depth] = trajectory_has_next_sibling(t, run_end - 1);
			put_folded(buf, t, i, run_end - i, continues);
			i = run_end;
		}
		else
		{
			if (depth <= MAX_INDENT)
				continues[depth] = trajectory_has_next_sibling(t, i);
			put_line(buf, &d, i, continues);
			i++;
		}
		lines++;
	}
	if (i < t->n)
		appendStringInfo(buf, "… %u more spans; spans() lists them all\n", t->n - i);
	buf->data[--buf->len] = '\0';
}
