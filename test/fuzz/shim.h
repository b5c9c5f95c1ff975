/*
 * shim.h
 *		Running kernel code outside the server.
 */
#ifndef LLMTRACE_FUZZ_SHIM_H
#define LLMTRACE_FUZZ_SHIM_H

#include "postgres.h"

/* The last message, detail or hint that was raised. */
extern char shim_last_error[1024];

/*
 * Run with an argument; false if it raised an error.  All memory that was
 * allocated meanwhile is freed.
 */
extern bool shim_run(void (*run) (void *arg), void *arg);

/* The same within a run: true if no error was raised.  Memory stays. */
extern bool shim_try(void (*run) (void *arg), void *arg);

#endif							/* LLMTRACE_FUZZ_SHIM_H */
