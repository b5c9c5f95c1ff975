/*
 * state_sql.h
 *		What is the same for all mergeable states where they meet SQL.
 */
#ifndef LLMTRACE_STATE_SQL_H
#define LLMTRACE_STATE_SQL_H

#include "fmgr.h"

#include "compat.h"
#include "kernel/state.h"

/* A datum whose body is written in between. */
extern void state_begin(StringInfo out);
extern Datum state_end(StringInfo out);

/* The body that a recv function was sent, after verify has accepted it. */
extern Datum state_receive(FunctionCallInfo fcinfo,
						   void (*verify) (const void *bytes, size_t len));

/* Where an aggregate's state lives; an error outside an aggregate. */
extern MemoryContext aggregate_context(FunctionCallInfo fcinfo);

/*
 * The limit that an argument of an aggregate sets, if there is one, checked;
 * and that it is the same in all rows. what: "bucket limit"
 */
extern int aggregate_limit(FunctionCallInfo fcinfo, int arg, const char *what, int fallback,
						   void (*check) (int64 limit));
extern void aggregate_check_limit(const char *what, int limit, int wanted);

#endif
