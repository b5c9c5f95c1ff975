/*
 * trajectory_sql.h
 *		Trajectories as arguments and results of SQL functions.
 */
#ifndef LLMTRACE_TRAJECTORY_SQL_H
#define LLMTRACE_TRAJECTORY_SQL_H

#include "fmgr.h"
#include "kernel/trajectory.h"
#include "utils/timestamp.h"

/* How much of an argument a function looks at. */
typedef enum TrajectoryParts
{
	PARTS_HOT,					/* structure, times, and kinds of classes */
	PARTS_TABLES,				/* names and whatever else spans share */
	PARTS_ALL
} TrajectoryParts;

extern Trajectory *trajectory_arg(FunctionCallInfo fcinfo, int arg, TrajectoryParts parts);
extern void trajectory_arg_decode(FunctionCallInfo fcinfo, TrajectoryParts parts);
extern void **trajectory_arg_companion(FunctionCallInfo fcinfo);
extern void trajectory_summary_arg(FunctionCallInfo fcinfo, int arg, TrajectorySummary *summary);
extern Trajectory *trajectory_from_datum(Datum datum, bool with_cold);
extern uint32 ordinal_arg(FunctionCallInfo fcinfo, int arg, const Trajectory *t);

extern void trajectory_require_same_trace(const uint8 *a, const uint8 *b);

extern bool timestamptz_to_ns(TimestampTz time, int64 *time_ns);
extern TimestampTz timestamptz_from_ns(int64 time_ns);
extern Datum text_datum(Bytes s);
extern Datum uuid_datum(const uint8 *bytes);
extern Datum pico_usd_numeric(int64 pico);

#endif							/* LLMTRACE_TRAJECTORY_SQL_H */
