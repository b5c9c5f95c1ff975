/*
 * waterfall.c
 *		A trajectory as SVG: one bar a span, what of it is on the critical path
 *		dark, failures red.
 *
 * Of a large trajectory the longest spans and those above them are drawn; the
 * others between two of them become one line that counts them.
 */
#include "postgres.h"

#include <math.h>

#include "kernel/path_input.h"
#include "kernel/span_measure.h"
#include "kernel/svg.h"
#include "miscadmin.h"

#define MAX_SPANS 200			/* that are chosen; those above come on top */
#define MAX_LINES 500
#define LINE 18
#define TOP 52
#define BAR_X 430
#define BAR_WIDTH (SVG_WIDTH - BAR_X - 78)
#define MAX_INDENT 14
#define INDENT 12
#define CHAR_WIDTH 6.6			/* about, of the font at hand */

#define PATH_COLOR "#22283a"
#define ERROR_COLOR "#c8102e"

/* A line: a span, or several that are only counted. */
typedef struct Line
{
	uint32		ordinal;		/* the first */
	uint32		folded;			/* 0: a span */
	uint32		failed;
	int32		depth;
} Line;

typedef struct Waterfall
{
	StringInfo	buf;
	const Trajectory *t;
	const int64 *ends;
	const PathWork *path;
	PathIndex	index;
	int64		start_ns;
	double		scale;			/* pixels a nanosecond */
	uint8		kind_is_used[KIND_COUNT];
} Waterfall;

static int
compare_durations(const void *a, const void *b, void *arg)
{
	const int64 *duration = arg;
	uint32		x = *(const uint32 *) a;
	uint32		y = *(const uint32 *) b;

	if (duration[x] != duration[y])
		return duration[x] > duration[y] ? -1 : 1;
	return x < y ? -1 : 1;
}

/* Flags of the spans that get a line of their own. */
static uint8 *
choose_spans(const Trajectory *t, const int64 *ends)
{
	uint8	   *chosen = palloc_extended(t->n, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	uint32	   *order;
	int64	   *duration;

	if (t->n <= MAX_SPANS)
	{
		memset(chosen, 1, t->n);
		return chosen;
	}
	order = palloc_extended(t->n * sizeof(uint32), MCXT_ALLOC_HUGE);
	duration = palloc_extended(t->n * sizeof(int64), MCXT_ALLOC_HUGE);
	for (uint32 i = 0; i < t->n; i++)
	{
		order[i] = i;
		duration[i] = ends[i] - t->start_ns[i];
	}
	qsort_arg(order, t->n, sizeof(uint32), compare_durations, duration);
	for (uint32 k = 0; k < MAX_SPANS; k++)
		chosen[order[k]] = 1;
	for (uint32 i = t->n; i-- > 0;)
		if (chosen[i] && t->parent[i] >= 0)
			chosen[t->parent[i]] = 1;
	pfree(order);
	pfree(duration);
	return chosen;
}

/* The lines; what is not chosen below one parent joins the line before it. */
static Line *
lay_out(const Trajectory *t, const uint8 *chosen, uint32 *count)
{
	Line	   *lines = palloc(MAX_LINES * sizeof(Line));
	uint32		i = 0;

	*count = 0;
	while (i < t->n && *count < MAX_LINES)
	{
		Line	   *last = *count > 0 ? &lines[*count - 1] : NULL;

		CHECK_FOR_INTERRUPTS();
		if (chosen[i])
			lines[(*count)++] = (Line) {.ordinal = i,.depth = t->depth[i]};
		else
		{
			if (last == NULL || last->folded == 0 || last->depth != t->depth[i])
			{
				last = &lines[(*count)++];
				*last = (Line) {.ordinal = i,.depth = t->depth[i]};
			}
			for (uint32 k = i; k < i + t->subtree[i]; k++)
				last->failed += trajectory_class(t, k)->is_error;
			last->folded += t->subtree[i];
			i += t->subtree[i];
			continue;
		}
		i++;
	}
	return lines;
}

static double
x_of(const Waterfall *f, int64 time_ns)
{
	return BAR_X + (double) (time_ns - f->start_ns) * f->scale;
}

/*
 * A round step of the axis, for at most six of them: 1, 2 or 5 times a power of
 * ten, of what is two minutes or longer so many minutes, of two hours, hours.
 */
static double
axis_step(double duration_ns)
{
	double		step = duration_ns >= 7200e9 ? 3600e9 : duration_ns >= 120e9 ? 60e9 : 1;
	static const double factors[] = {2, 2.5, 2};

	for (int i = 0; step < duration_ns / 6; i++)
		step *= factors[i % 3];
	return step;
}

static void
put_axis(Waterfall *f, int64 duration_ns, int bottom)
{
	double		step = axis_step((double) duration_ns);

	for (double at = 0; at <= (double) duration_ns; at += step)
	{
		double		x = BAR_X + at * f->scale;
		char		room[DURATION_TEXT_ROOM];

		appendStringInfo(f->buf, "<path d=\"M%.2f %dV%d\" stroke=\"#e4e7ec\"/>"
						 "<text x=\"%.2f\" y=\"%d\" text-anchor=\"middle\" fill=\"#5b6474\" font-size=\"11\">%s</text>\n",
						 x, TOP - 4, bottom, x, TOP - 9, duration_text(room, (int64) at));
	}
}

/* What a span is besides its name: tool, agent or model. */
static bool
span_detail(const Trajectory *t, uint32 i, Bytes *detail)
{
	const SpanClass *class = trajectory_class(t, i);
	SpanColumns columns = trajectory_columns(t, i);

	switch (class->kind)
	{
		case KIND_TOOL:
			return column_text(&columns, COLUMN_TOOL_NAME, detail);
		case KIND_AGENT:
			return column_text(&columns, COLUMN_AGENT_NAME, detail);
		default:
			return span_model(&columns, detail);
	}
}

static bool
contains(Bytes text, Bytes part)
{
	for (uint32 at = 0; at + part.len <= text.len; at++)
		if (memcmp(text.data + at, part.data, part.len) == 0)
			return true;
	return false;
}

static void
put_label(Waterfall *f, uint32 i, int32 depth, int y)
{
	const SpanClass *class = trajectory_class(f->t, i);
	int			x = SVG_MARGIN + Min(depth, MAX_INDENT) * INDENT;
	int			room = (int) ((BAR_X - 12 - x) / CHAR_WIDTH);
	int			used = Min((int) class->name.len, room);
	Bytes		detail;

	appendStringInfo(f->buf, "<text x=\"%d\" y=\"%d\"%s>", x, y + 13,
					 class->is_error ? " fill=\"" ERROR_COLOR "\"" : "");
	if (class->is_error)
		appendStringInfoString(f->buf, "✗ ");
	svg_text(f->buf, class->name, room - (class->is_error ? 2 : 0));
	if (room - used > 12 && span_detail(f->t, i, &detail) && !contains(class->name, detail))
	{
		appendStringInfoString(f->buf, "<tspan dx=\"7\" fill=\"#8a93a3\">");
		svg_text(f->buf, detail, room - used - 3);
		appendStringInfoString(f->buf, "</tspan>");
	}
	appendStringInfoString(f->buf, "</text>");
}

/*
 * What of a line is on the critical path, for spans in a range: as runs of half
 * pixels, so that no line is longer than they are many.
 */
static void
put_sections(Waterfall *f, uint32 first, uint32 count, int y)
{
	uint8		is_dark[2 * BAR_WIDTH + 1] = {0};

	for (uint32 k = f->index.first[first]; k < f->index.first[first + count]; k++)
	{
		const PathSection *s = &f->path->sections[f->index.by_span[k]];
		int			from = (int) rint(2 * (x_of(f, s->start_ns) - BAR_X));
		int			to = (int) rint(2 * (x_of(f, s->end_ns) - BAR_X));

		from = Max(Min(from, 2 * BAR_WIDTH - 1), 0);
		to = Max(Min(to, 2 * BAR_WIDTH), from + 1);
		memset(is_dark + from, 1, to - from);
	}
	for (int at = 0; at < 2 * BAR_WIDTH; at++)
	{
		int			from = at;

		while (is_dark[at])
			at++;
		if (at > from)
			svg_rect(f->buf, BAR_X + from / 2.0, y + LINE - 8, (at - from) / 2.0, 4, PATH_COLOR, "");
	}
}

static void
put_bar(Waterfall *f, uint32 i, int y)
{
	const Trajectory *t = f->t;
	const SpanClass *class = trajectory_class(t, i);
	double		x = x_of(f, t->start_ns[i]);
	double		width = Max(x_of(f, f->ends[i]) - x, 1.0);
	int64		duration = t->end_ns[i] == TIME_OPEN ? TIME_OPEN : t->end_ns[i] - t->start_ns[i];
	int64		critical = 0;
	char		room[DURATION_TEXT_ROOM];

	appendStringInfoString(f->buf, "<g><title>");
	svg_text(f->buf, class->name, 200);
	appendStringInfo(f->buf, "\n%s", operation_kind_name(class->kind));
	appendStringInfo(f->buf, ", from %s", duration_text(room, t->start_ns[i] - f->start_ns));
	appendStringInfo(f->buf, ", %s", duration_text(room, duration));
	for (uint32 k = f->index.first[i]; k < f->index.first[i + 1]; k++)
	{
		const PathSection *s = &f->path->sections[f->index.by_span[k]];

		critical += s->end_ns - s->start_ns;
	}
	if (critical > 0)
		appendStringInfo(f->buf, ", critical %s", duration_text(room, critical));
	if (class->is_error)
		appendStringInfoString(f->buf, ", failed");
	appendStringInfoString(f->buf, "</title>");
	svg_rect(f->buf, x, y + 3, width, LINE - 6, svg_kind_color(class->kind),
			 class->is_error ? " rx=\"2\" stroke=\"" ERROR_COLOR "\" stroke-width=\"1.5\"" : " rx=\"2\"");
	put_sections(f, i, 1, y);
	appendStringInfo(f->buf, "</g><text x=\"%.2f\" y=\"%d\" fill=\"#5b6474\" font-size=\"11\">%s</text>\n",
					 x + width + 5, y + 13, duration_text(room, duration));
}

static void
put_folded(Waterfall *f, const Line *line, int y)
{
	appendStringInfo(f->buf, "<text x=\"%d\" y=\"%d\" fill=\"#8a93a3\">… %u shorter span%s",
					 SVG_MARGIN + Min(line->depth, MAX_INDENT) * INDENT, y + 13, line->folded,
					 line->folded == 1 ? "" : "s");
	if (line->failed > 0)
		appendStringInfo(f->buf, ", <tspan fill=\"" ERROR_COLOR "\">%u failed</tspan>", line->failed);
	appendStringInfoString(f->buf, "</text>\n");
	/* those below each other are together, so a line's are in one range */
	put_sections(f, line->ordinal, line->folded, y);
}

static void
put_heading(Waterfall *f, int64 duration_ns)
{
	const Trajectory *t = f->t;
	char		room[DURATION_TEXT_ROOM];

	appendStringInfo(f->buf, "<text x=\"%d\" y=\"22\" font-size=\"15\" font-weight=\"bold\">", SVG_MARGIN);
	svg_text(f->buf, trajectory_class(t, trajectory_primary_root(t))->name, 50);
	appendStringInfo(f->buf, "</text><text x=\"%d\" y=\"22\" fill=\"#5b6474\">%s, %u span%s", BAR_X,
					 duration_text(room, duration_ns), t->n, t->n == 1 ? "" : "s");
	if (t->summary.error_count > 0)
		appendStringInfo(f->buf, ", <tspan fill=\"" ERROR_COLOR "\">%u failed</tspan>", t->summary.error_count);
	appendStringInfoString(f->buf, "</text>\n");
}

/* What the lines do not show, if they are too many, and the legend. */
static void
put_foot(Waterfall *f, uint32 hidden, int y)
{
	if (hidden > 0)
		appendStringInfo(f->buf, "<text x=\"%d\" y=\"%d\" fill=\"#8a93a3\">… %u more spans</text>\n",
						 SVG_MARGIN, y, hidden);
	svg_rect(f->buf, BAR_X, y - 6, 24, 4, PATH_COLOR, "");
	appendStringInfo(f->buf, "<text x=\"%d\" y=\"%d\" fill=\"#5b6474\">on the critical path</text>\n",
					 BAR_X + 30, y);
	svg_legend(f->buf, f->kind_is_used, BAR_X + 170, y);
}

/* The trajectory is decoded whole. */
void
waterfall_svg(StringInfo buf, Trajectory *t)
{
	PathOptions options = {0};
	PathInput	in = path_input(t, &options);
	PathWork   *path = path_work_create();
	uint8	   *chosen = choose_spans(t, in.end_ns);
	uint32		count;
	Line	   *lines = lay_out(t, chosen, &count);
	int			bottom = TOP + (int) count * LINE;
	int64		end_ns = t->summary.start_ns;
	Waterfall	f = {
		.buf = buf,.t = t,.ends = in.end_ns,.path = path,
		.start_ns = t->summary.start_ns
	};
	uint32		shown = 0;

	critical_path(&in, path);
	f.index = path_index(path, t->n);
	for (uint32 i = 0; i < t->n; i++)
		end_ns = Max(end_ns, in.end_ns[i]);
	f.scale = end_ns > f.start_ns ? BAR_WIDTH / (double) (end_ns - f.start_ns) : 0;

	svg_begin(buf, bottom + 34, "trace");
	put_heading(&f, end_ns - f.start_ns);
	put_axis(&f, end_ns - f.start_ns, bottom);
	for (uint32 k = 0; k < count; k++)
	{
		int			y = TOP + (int) k * LINE;

		if (lines[k].folded > 0)
			put_folded(&f, &lines[k], y);
		else
		{
			put_label(&f, lines[k].ordinal, lines[k].depth, y);
			put_bar(&f, lines[k].ordinal, y);
			f.kind_is_used[trajectory_class(t, lines[k].ordinal)->kind] = 1;
		}
		shown += Max(lines[k].folded, 1);
	}
	put_foot(&f, t->n - shown, bottom + 22);
	svg_end(buf);
}
