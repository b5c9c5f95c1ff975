/*
 * flamegraph.c
 *		A profile as a flame graph: the value of each frame and of all below it,
 *		for Grafana, and as SVG with the roots on top.
 *
 * What is drawn is a sum that adds up over the tree, so that no frame is wider
 * than its parent: critical time does, and so do self time and counts.
 */
#include "postgres.h"

#include "kernel/flamegraph.h"
#include "kernel/svg.h"
#include "miscadmin.h"

#define LINE 20
#define TOP 40
#define MIN_WIDTH 0.4			/* pixels; narrower ones are left out */
#define MIN_TEXT_WIDTH 30
#define CHAR_WIDTH 6.8

const FlameMeasure flame_measures[] = {
	{"critical_ms", SUM_CRITICAL_NS, 1e6},
	{"self_ms", SUM_SELF_NS, 1e6},
	{"calls", SUM_CALLS, 1},
	{"error_count", SUM_ERRORS, 1},
	{"input_tokens", SUM_INPUT_TOKENS, 1},
	{"output_tokens", SUM_OUTPUT_TOKENS, 1},
	{"reported_cost_usd", SUM_COST_NANO_USD, 1e9}
};
const int	flame_measure_count = lengthof(flame_measures);

/* Of each frame: its own value and that of all below it, in the measure's unit. */
double *
flame_totals(const Profile *p, const FlameMeasure *measure, const uint32 *order)
{
	double	   *total = palloc_extended(Max(p->count, 1) * sizeof(double), MCXT_ALLOC_HUGE);

	for (uint32 f = 0; f < p->count; f++)
		total[f] = flame_own(p, measure, f);
	for (uint32 k = p->count; k-- > 0;)
		if (p->frames[order[k]].parent >= 0)
			total[p->frames[order[k]].parent] += total[order[k]];
	return total;
}

static void
put_value(StringInfo buf, const FlameMeasure *measure, double value)
{
	char		room[DURATION_TEXT_ROOM];

	if (measure->unit == 1e6 && value >= 1e12)
		appendStringInfo(buf, "%.4gh", value / 3.6e6);
	else if (measure->unit == 1e6)
		appendStringInfoString(buf, duration_text(room, (int64) (value * 1e6)));
	else
		appendStringInfo(buf, "%.6g", value);
}

static void
put_frame(StringInfo buf, const Profile *p, const FlameMeasure *measure, uint32 f,
		  double x, double width, double value, double all)
{
	const ProfileFrame *frame = &p->frames[f];
	Bytes		name = profile_frame_name(p, f);
	double		calls = weight_to_float8(frame->sums[SUM_CALLS]);
	double		y = TOP + frame->depth * LINE;

	appendStringInfoString(buf, "<g><title>");
	svg_text(buf, name, 200);
	appendStringInfo(buf, "\n%s: ", measure->name);
	put_value(buf, measure, value);
	appendStringInfo(buf, ", %.2f %%, own ", all > 0 ? 100 * value / all : 0);
	put_value(buf, measure, flame_own(p, measure, f));
	appendStringInfo(buf, "\n%s, %.6g calls, %.6g failed</title>", operation_kind_name(frame->kind), calls,
					 weight_to_float8(frame->sums[SUM_ERRORS]));
	svg_rect(buf, x, y, width, LINE - 1, svg_kind_color(frame->kind),
			 width > 2 ? " stroke=\"#ffffff\" stroke-width=\"0.6\" rx=\"1\"" : "");
	if (width >= MIN_TEXT_WIDTH)
	{
		appendStringInfo(buf, "<text x=\"%.2f\" y=\"%.2f\">", x + 4, y + 14);
		svg_text(buf, name, (int) ((width - 8) / CHAR_WIDTH));
		appendStringInfoString(buf, "</text>");
	}
	appendStringInfoString(buf, "</g>\n");
}

void
flamegraph_svg(StringInfo buf, const Profile *p, const FlameMeasure *measure)
{
	uint32	   *order = profile_order(p);
	double	   *total = flame_totals(p, measure, order);
	/* of each frame, where its next child goes */
	double	   *left = palloc_extended(Max(p->count, 1) * sizeof(double), MCXT_ALLOC_HUGE);
	uint8		kind_is_used[KIND_COUNT] = {0};
	double		all = 0;
	double		scale;
	double		next_root = SVG_MARGIN;
	int32		deepest = 0;

	for (uint32 f = 0; f < p->count; f++)
		if (p->frames[f].parent < 0)
			all += total[f];
	scale = all > 0 ? (SVG_WIDTH - 2 * SVG_MARGIN) / all : 0;
	for (uint32 f = 0; f < p->count; f++)
		if (total[f] * scale >= MIN_WIDTH)
		{
			deepest = Max(deepest, p->frames[f].depth);
			kind_is_used[p->frames[f].kind] = 1;
		}

	svg_begin(buf, TOP + (deepest + 1) * LINE + 34, "profile");
	appendStringInfo(buf, "<text x=\"%d\" y=\"22\" font-size=\"15\" font-weight=\"bold\">%s</text>"
					 "<text x=\"160\" y=\"22\" fill=\"#5b6474\">", SVG_MARGIN, measure->name);
	put_value(buf, measure, all);
	appendStringInfo(buf, " in %.6g trace%s</text>\n", weight_to_float8(p->traces),
					 p->traces == WEIGHT_ONE ? "" : "s");
	for (uint32 k = 0; k < p->count; k++)
	{
		uint32		f = order[k];
		int32		parent = p->frames[f].parent;
		double	   *at = parent < 0 ? &next_root : &left[parent];
		double		width = total[f] * scale;

		CHECK_FOR_INTERRUPTS();
		left[f] = *at;
		if (width >= MIN_WIDTH)
			put_frame(buf, p, measure, f, *at, width, total[f], all);
		*at += width;
	}
	svg_legend(buf, kind_is_used, SVG_MARGIN, TOP + (deepest + 1) * LINE + 22);
	svg_end(buf);
	pfree(order);
	pfree(total);
	pfree(left);
}
