/*
 * prompt_hash.h
 *		A name for the instructions that a model call was given.
 *
 * Few programs number their prompts, but most record them.  The hash is the
 * first 64 bits of a SHA-256, as 16 lower-case hexadecimal digits, over the
 * span's system text and the definitions of its tools, brought into one form
 * whatever convention carried them:
 *
 *		text			the texts of the parts, joined by a newline, without
 *						white space at the ends
 *		for each tool	a zero byte, and its definition as JSON without spaces,
 *						keys sorted: of a tool with a name its "description",
 *						"name" and "parameters", where they are not empty; of
 *						any other all of it
 *
 * Tools are sorted, byte by byte.  Numbers stay as they are written.  System
 * text is what is said to be that (gen_ai.system_instructions, "system" beside
 * the messages) and the messages of role system or developer that come before
 * all others.  If several attributes hold it the first in the order of
 * prompt_hash.c counts; so for tools.  JSON that breaks off is read as far as
 * it goes.  Attributes over PROMPT_MAX_LEN bytes are not read.
 *
 * A model call without text and tools has no hash; nor has an agent without
 * text, nor any other span.
 *
 * O(size), times the depth of the tools' schemas.
 */
#ifndef LLMTRACE_PROMPT_HASH_H
#define LLMTRACE_PROMPT_HASH_H

#include "kernel/spanset.h"

#define PROMPT_MAX_LEN (4 * 1024 * 1024)
#define PROMPT_HASH_DIGITS 16

extern bool event_bears_prompt(Bytes name);
extern bool kind_bears_prompt(OperationKind kind);
extern bool prompt_hash(SpanSet *set, const Span *span, OperationKind kind, Bytes *hash);

#endif							/* LLMTRACE_PROMPT_HASH_H */
