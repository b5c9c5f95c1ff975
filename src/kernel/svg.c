/*
 * svg.c
 *		Writing SVG: text that is escaped, colours by kind, durations.
 */
#include "postgres.h"

#include "kernel/svg.h"
#include "kernel/tree.h"
#include "mb/pg_wchar.h"

/* Told apart also by those who see fewer colours, and readable under text. */
static const char *const kind_colors[KIND_COUNT] = {
	[KIND_OTHER] = "#b8bec8",
	[KIND_LLM] = "#f2a65a",
	[KIND_EMBEDDING] = "#f6d186",
	[KIND_RERANK] = "#e5c494",
	[KIND_RETRIEVAL] = "#8dd3c7",
	[KIND_TOOL] = "#7fb77e",
	[KIND_AGENT] = "#7aa6d6",
	[KIND_WORKFLOW] = "#a9c3e6",
	[KIND_PLAN] = "#b39ddb",
	[KIND_GUARDRAIL] = "#e6a0c4",
	[KIND_EVALUATOR] = "#d4a5a5",
	[KIND_HUMAN] = "#ffd92f",
	[KIND_MEMORY] = "#9ad0ec"
};

const char *
svg_kind_color(uint8 kind)
{
	return kind_colors[kind];
}

const char *
duration_text(char *room, int64 ns)
{
	double		s = ns / 1e9;

	if (ns == TIME_OPEN)
		strlcpy(room, "open", DURATION_TEXT_ROOM);
	else if (s >= 3600)
		snprintf(room, DURATION_TEXT_ROOM, "%.4gh", s / 3600);
	else if (s >= 120)
		snprintf(room, DURATION_TEXT_ROOM, "%.4gmin", s / 60);
	else if (s >= 1)
		snprintf(room, DURATION_TEXT_ROOM, "%.3gs", s);
	else if (s >= 1e-3)
		snprintf(room, DURATION_TEXT_ROOM, "%.3gms", s * 1e3);
	else if (ns == 0)
		strlcpy(room, "0ms", DURATION_TEXT_ROOM);
	else if (ns >= 1000)
		snprintf(room, DURATION_TEXT_ROOM, "%.3gus", s * 1e6);
	else
		snprintf(room, DURATION_TEXT_ROOM, INT64_FORMAT "ns", ns);
	return room;
}

/* XML has no control characters, and not U+FFFE and U+FFFF. */
static bool
is_xml_char(const char *c, int len)
{
	unsigned char first = c[0];

	return !(first < ' ' || first == 0x7f) &&
		!(len == 3 && first == 0xef && (unsigned char) c[1] == 0xbf && (unsigned char) c[2] >= 0xbe);
}

/* Text with no more characters than that, escaped. */
void
svg_text(StringInfo buf, Bytes text, int max_chars)
{
	uint32		at = 0;

	for (int chars = 0; at < text.len; chars++)
	{
		const char *c = text.data + at;
		int			len = Min(pg_utf_mblen((const unsigned char *) c), (int) (text.len - at));

		if (chars >= max_chars - 1 && at + len < text.len)
		{
			appendStringInfoString(buf, "…");
			return;
		}
		if (!is_xml_char(c, len))
			appendStringInfoChar(buf, ' ');
		else if (*c == '<')
			appendStringInfoString(buf, "&lt;");
		else if (*c == '>')
			appendStringInfoString(buf, "&gt;");
		else if (*c == '&')
			appendStringInfoString(buf, "&amp;");
		else if (*c == '"')
			appendStringInfoString(buf, "&quot;");
		else
			appendBinaryStringInfo(buf, c, len);
		at += len;
	}
}

void
svg_begin(StringInfo buf, int height, const char *title)
{
	appendStringInfo(buf,
					 "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\""
					 " font-family=\"Helvetica, Arial, sans-serif\" font-size=\"12\" fill=\"#1f2430\">\n"
					 "<title>%s</title>\n"
					 "<rect width=\"100%%\" height=\"100%%\" fill=\"#ffffff\"/>\n",
					 SVG_WIDTH, height, SVG_WIDTH, height, title);
}

void
svg_end(StringInfo buf)
{
	appendStringInfoString(buf, "</svg>");
}

void
svg_rect(StringInfo buf, double x, double y, double width, double height, const char *fill,
		 const char *more)
{
	appendStringInfo(buf, "<rect x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\" fill=\"%s\"%s/>",
					 x, y, width, height, fill, more);
}

/* The kinds that a picture shows. */
void
svg_legend(StringInfo buf, const uint8 *kind_is_used, double x, double y)
{
	for (int kind = KIND_COUNT; kind-- > 0;)
	{
		const char *name = operation_kind_name(kind);

		if (!kind_is_used[kind])
			continue;
		svg_rect(buf, x, y - 10, 12, 12, kind_colors[kind], " rx=\"2\"");
		appendStringInfo(buf, "<text x=\"%.0f\" y=\"%.0f\" fill=\"#5b6474\">%s</text>\n", x + 16, y, name);
		x += 30 + 7 * (int) strlen(name);
	}
}
