/*
 * signature.h
 *		What a run did, and how it failed, as one line of text to group by.
 */
#ifndef LLMTRACE_SIGNATURE_H
#define LLMTRACE_SIGNATURE_H

#include "kernel/trajectory.h"

extern void path_signature(StringInfo buf, const Trajectory *t);
extern bool failure_signature(StringInfo buf, const Trajectory *t);

#endif							/* LLMTRACE_SIGNATURE_H */
