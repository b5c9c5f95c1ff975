/*
 * profile_ops.c
 *		Operators and questions of type profile.
 */
#include "postgres.h"

#include "kernel/profile_sql.h"
#include "kernel/row_writer.h"

PG_FUNCTION_INFO_V1(sql_profile_merge);
Datum
sql_profile_merge(PG_FUNCTION_ARGS)
{
	Profile    *p = PG_GETARG_PROFILE(0);

	profile_merge(p, PG_GETARG_PROFILE(1));
	PG_RETURN_PROFILE(p);
}

PG_FUNCTION_INFO_V1(sql_profile_subtract);
Datum
sql_profile_subtract(PG_FUNCTION_ARGS)
{
	PG_RETURN_PROFILE(profile_subtract(PG_GETARG_PROFILE(0), PG_GETARG_PROFILE(1)));
}

PG_FUNCTION_INFO_V1(sql_profile_trace_count);
Datum
sql_profile_trace_count(PG_FUNCTION_ARGS)
{
	PG_RETURN_FLOAT8(weight_to_float8(PG_GETARG_PROFILE(0)->traces));
}

/* Where the path of each level's frame ends in a buffer of the path of one. */
typedef struct PathText
{
	StringInfoData text;
	int			ends[PROFILE_MAX_DEPTH + 1];
} PathText;

static Bytes
frame_path(PathText *path, const Profile *p, uint32 frame)
{
	int32		depth = p->frames[frame].depth;
	Bytes		name = profile_frame_name(p, frame);

	path->text.len = depth > 0 ? path->ends[depth - 1] : 0;
	if (depth > 0)
		appendStringInfoString(&path->text, " > ");
	appendBinaryStringInfo(&path->text, name.data, name.len);
	path->ends[depth] = path->text.len;
	return (Bytes) {path->text.data, path->text.len};
}

/* id, parent, depth, name, kind, path; number: of each frame in the output */
static void
put_place(RowWriter *w, PathText *path, const Profile *p, uint32 frame, uint32 *number, uint32 id)
{
	const ProfileFrame *f = &p->frames[frame];

	number[frame] = id;
	row_begin(w);
	row_int4(w, id);
	if (f->parent < 0)
		row_null(w);
	else
		row_int4(w, number[f->parent]);
	row_int4(w, f->depth + 1);
	row_text(w, profile_frame_name(p, frame));
	row_cstring(w, operation_kind_name(f->kind));
	row_text(w, frame_path(path, p, frame));
}

static double
amount_ms(int128 amount)
{
	return weight_to_float8(amount) / 1e6;
}

PG_FUNCTION_INFO_V1(sql_profile_frames);
Datum
sql_profile_frames(PG_FUNCTION_ARGS)
{
	Profile    *p = PG_GETARG_PROFILE(0);
	uint32	   *order = profile_order(p);
	uint32	   *number = palloc_extended(Max(p->count, 1) * sizeof(uint32), MCXT_ALLOC_HUGE);
	double		critical = (double) profile_sum(p, SUM_CRITICAL_NS);
	PathText	path;
	RowWriter	w;

	row_writer_init(&w, fcinfo);
	initStringInfo(&path.text);
	for (uint32 i = 0; i < p->count; i++)
	{
		const int128 *sums = p->frames[order[i]].sums;

		put_place(&w, &path, p, order[i], number, i + 1);
		row_float8(&w, weight_to_float8(sums[SUM_CALLS]));
		row_float8(&w, amount_ms(sums[SUM_SELF_NS]));
		row_float8(&w, amount_ms(sums[SUM_TOTAL_NS]));
		row_float8(&w, amount_ms(sums[SUM_CRITICAL_NS]));
		row_float8(&w, critical > 0 ? (double) sums[SUM_CRITICAL_NS] / critical : 0);
		row_float8(&w, weight_to_float8(sums[SUM_ERRORS]));
		row_float8(&w, weight_to_float8(sums[SUM_INPUT_TOKENS]));
		row_float8(&w, weight_to_float8(sums[SUM_OUTPUT_TOKENS]));
		row_float8(&w, weight_to_float8(sums[SUM_COST_NANO_USD]) / 1e9);
		row_end(&w);
	}
	return (Datum) 0;
}

/* A sum of a frame, if it is there, for each of the profile's traces. */
static double
mean_of(const Profile *p, int32 frame, ProfileSum sum)
{
	return frame < 0 || p->traces == 0 ? 0 : (double) p->frames[frame].sums[sum] / (double) p->traces;
}

PG_FUNCTION_INFO_V1(sql_profile_diff);
Datum
sql_profile_diff(PG_FUNCTION_ARGS)
{
	Profile    *a = PG_GETARG_PROFILE(0);
	Profile    *b = PG_GETARG_PROFILE(1);
	Profile    *both = PG_GETARG_PROFILE(0);
	uint32	   *order;
	uint32	   *number;
	int32	   *in_a;
	int32	   *in_b;
	PathText	path;
	RowWriter	w;

	profile_merge(both, b);
	order = profile_order(both);
	number = palloc_extended(Max(both->count, 1) * sizeof(uint32), MCXT_ALLOC_HUGE);
	in_a = palloc_extended(Max(both->count, 1) * sizeof(int32), MCXT_ALLOC_HUGE);
	in_b = palloc_extended(Max(both->count, 1) * sizeof(int32), MCXT_ALLOC_HUGE);
	row_writer_init(&w, fcinfo);
	initStringInfo(&path.text);
	for (uint32 i = 0; i < both->count; i++)
	{
		uint32		f = order[i];
		int32		parent = both->frames[f].parent;
		double		before;
		double		after;

		in_a[f] = parent >= 0 && in_a[parent] < 0 ? -1 :
			profile_find_like(a, parent < 0 ? -1 : in_a[parent], both, f);
		in_b[f] = parent >= 0 && in_b[parent] < 0 ? -1 :
			profile_find_like(b, parent < 0 ? -1 : in_b[parent], both, f);
		before = mean_of(a, in_a[f], SUM_CRITICAL_NS) / 1e6;
		after = mean_of(b, in_b[f], SUM_CRITICAL_NS) / 1e6;

		put_place(&w, &path, both, f, number, i + 1);
		row_float8(&w, mean_of(a, in_a[f], SUM_CALLS));
		row_float8(&w, mean_of(b, in_b[f], SUM_CALLS));
		row_float8(&w, mean_of(a, in_a[f], SUM_SELF_NS) / 1e6);
		row_float8(&w, mean_of(b, in_b[f], SUM_SELF_NS) / 1e6);
		row_float8(&w, before);
		row_float8(&w, after);
		row_float8(&w, after - before);
		row_float8(&w, mean_of(a, in_a[f], SUM_ERRORS));
		row_float8(&w, mean_of(b, in_b[f], SUM_ERRORS));
		row_end(&w);
	}
	return (Datum) 0;
}
