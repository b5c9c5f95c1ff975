/*
 * json_list.h
 *		The elements of a JSON array, as they are written.
 */
#ifndef LLMTRACE_JSON_LIST_H
#define LLMTRACE_JSON_LIST_H

#include "kernel/bytes.h"

/* How deep objects and arrays may be nested; a level is a bit. */
#define JSON_LIST_MAX_DEPTH 64

extern bool json_list_split(Bytes text, StringInfo out, StringInfo ends);

#endif							/* LLMTRACE_JSON_LIST_H */
