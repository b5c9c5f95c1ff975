/*
 * short_text.h
 *		Texts from outside as values of columns.
 *
 * A trace can call its agent a megabyte.  The trajectory keeps that, but the
 * columns beside it, by which people group and which their indexes hold, keep
 * SHORT_TEXT_MAX bytes: what is longer is cut and ends with a hash of the
 * whole, so that different texts stay different.
 */
#ifndef LLMTRACE_SHORT_TEXT_H
#define LLMTRACE_SHORT_TEXT_H

#include "kernel/bytes.h"

/* Bytes.  Stored, so it stays as it is. */
#define SHORT_TEXT_MAX 255

/* Where a text is cut to; it is made again only for another text. */
typedef struct ShortText
{
	Bytes		whole;
	uint32		len;
	char		room[SHORT_TEXT_MAX];
} ShortText;

extern Bytes shortened(Bytes text, ShortText *room);

/* The text itself, or what stands for it; that is in the room. */
static inline Bytes
short_text(Bytes text, ShortText *room)
{
	return likely(text.len <= SHORT_TEXT_MAX) ? text : shortened(text, room);
}

#endif							/* LLMTRACE_SHORT_TEXT_H */
