/*
 * llmtrace.c
 *		Module magic and settings, nothing else.
 */
#include "postgres.h"

#include "fmgr.h"

PG_MODULE_MAGIC;
