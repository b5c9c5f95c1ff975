/*
 * sampling.h
 *		With which probability a trace was kept before it came here.
 *
 * OpenTelemetry's consistent sampling writes its threshold into the trace
 * state ("ot=th:c"): of 56 random bits those below it were dropped.  Others
 * write a rate into an attribute: one of so many, or a probability.
 */
#ifndef LLMTRACE_SAMPLING_H
#define LLMTRACE_SAMPLING_H

#include "kernel/trajectory.h"

extern double trace_sample_weight(const Trajectory *t, uint32 root);

#endif							/* LLMTRACE_SAMPLING_H */
