/*
 * show.h
 *		A trajectory drawn as a tree, for a terminal.
 */
#ifndef LLMTRACE_SHOW_H
#define LLMTRACE_SHOW_H

#include "kernel/trajectory.h"

extern void show_trajectory(StringInfo buf, Trajectory *t);

#endif							/* LLMTRACE_SHOW_H */
