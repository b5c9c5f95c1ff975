/*
 * profile.c
 *		Type profile: frames found by their path, sums, merging and subtracting.
 *
 * Frames are numbered as they are found and looked up by parent, name and kind,
 * so a span costs one look-up; names are looked up once for each of a
 * trajectory's classes.
 */
#include "postgres.h"

#include <math.h>

#include "kernel/hashing.h"
#include "kernel/path_input.h"
#include "kernel/profile.h"
#include "kernel/span_times.h"
#include "kernel/usage.h"
#include "miscadmin.h"
#include "utils/memutils.h"

/* The frame of all that is too deep. */
#define DEEP_NAME BYTES_LITERAL("…")

#define FIRST_SLOTS 64

Profile *
profile_new(void)
{
	Profile    *p = palloc0(sizeof(Profile));

	p->context = CurrentMemoryContext;
	dictionary_init(&p->names, 16);
	p->slots = palloc0(FIRST_SLOTS * sizeof(uint32));
	p->mask = FIRST_SLOTS - 1;
	return p;
}

Bytes
profile_frame_name(const Profile *p, uint32 frame)
{
	return p->names.items[p->frames[frame].name];
}

/* The number of a name, which is copied unless it stays where it is. */
uint32
profile_name(Profile *p, Bytes name, bool is_kept)
{
	bool		is_new;
	uint32		number;

	if (name.len > PROFILE_MAX_NAME)
	{
		int			len = name.len;

		name.data = state_shorten(name.data, &len, PROFILE_MAX_NAME);
		name.len = len;
	}
	number = dictionary_number(&p->names, name, &is_new);
	if (is_new && !is_kept)
	{
		char	   *copy = MemoryContextAlloc(p->context, Max(name.len, 1));

		memcpy(copy, name.data, name.len);
		p->names.items[number].data = copy;
	}
	return number;
}

static inline uint32
frame_hash(int32 parent, uint32 name, uint8 kind)
{
	return hash_id(((uint64) (uint32) parent << 32 | name) * 64 + kind);
}

/* The slot of a frame, or the free one where it belongs. */
static uint32
find_slot(const Profile *p, int32 parent, uint32 name, uint8 kind)
{
	uint32		h = frame_hash(parent, name, kind) & p->mask;

	for (; p->slots[h] != 0; h = (h + 1) & p->mask)
	{
		const ProfileFrame *f = &p->frames[p->slots[h] - 1];

		if (f->parent == parent && f->name == name && f->kind == kind)
			break;
	}
	return h;
}

/* The frame below a parent (-1: a root), or -1. */
int32
profile_find(const Profile *p, int32 parent, uint32 name, uint8 kind)
{
	return (int32) p->slots[find_slot(p, parent, name, kind)] - 1;
}

static void
grow_slots(Profile *p)
{
	uint32		size = (p->mask + 1) * 2;

	pfree(p->slots);
	p->slots = MemoryContextAllocExtended(p->context, size * sizeof(uint32),
										  MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	p->mask = size - 1;
	for (uint32 i = 0; i < p->count; i++)
	{
		const ProfileFrame *f = &p->frames[i];

		p->slots[find_slot(p, f->parent, f->name, f->kind)] = i + 1;
	}
}

/* The same, added if it is new. */
uint32
profile_frame(Profile *p, int32 parent, uint32 name, uint8 kind)
{
	uint32		h = find_slot(p, parent, name, kind);

	if (p->slots[h] != 0)
		return p->slots[h] - 1;
	if (p->count >= PROFILE_MAX_FRAMES)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("profile has too many frames"),
				 errdetail("The limit is %d different paths of span names.", PROFILE_MAX_FRAMES),
				 errhint("Names that hold ids or other changing parts make many; keep those spans out with prune().")));
	if (p->count >= p->max)
	{
		p->max = Max(p->max * 2, 16);
		p->frames = p->frames ? repalloc_huge(p->frames, p->max * sizeof(ProfileFrame)) :
			MemoryContextAllocHuge(p->context, p->max * sizeof(ProfileFrame));
	}
	p->frames[p->count] = (ProfileFrame) {
		.parent = parent,.depth = parent < 0 ? 0 : p->frames[parent].depth + 1,
			.name = name,.kind = kind
	};
	p->slots[h] = ++p->count;
	if (p->count * 2 > p->mask)
		grow_slots(p);
	return p->count - 1;
}

/* The frame of p below a parent that is named as a frame of another profile. */
int32
profile_find_like(const Profile *p, int32 parent, const Profile *other, uint32 frame)
{
	Bytes		name = profile_frame_name(other, frame);
	int64		number = dictionary_find(&p->names, name);

	return number < 0 ? -1 : profile_find(p, parent, number, other->frames[frame].kind);
}

static void
amount_overflow(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
			 errmsg("a sum of the profile is out of range")));
}

static inline void
add_amount(int128 *sum, int128 amount)
{
	*sum += amount;
	if (unlikely(*sum > AMOUNT_MAX))
		amount_overflow();
}

/* ---------------------------------------------------------------- a trace */

/* What a profile takes of each span. */
typedef struct SpanFigures
{
	const int64 *ends;
	int64	   *self_ns;
	int64	   *critical_ns;
	SpanUsage  *usage;
	uint8	   *scopes;
} SpanFigures;

static SpanFigures
read_figures(Trajectory *t, PathWork *w)
{
	SpanFigures f;
	PathOptions options = {0};
	PathInput	in = path_input(t, &options);
	uint8	   *kinds = palloc_extended(2 * (size_t) t->n, MCXT_ALLOC_HUGE);

	f.ends = in.end_ns;
	f.scopes = kinds + t->n;
	f.usage = palloc_extended(t->n * sizeof(SpanUsage), MCXT_ALLOC_HUGE);
	f.self_ns = palloc_extended(t->n * sizeof(int64), MCXT_ALLOC_HUGE);
	f.critical_ns = palloc_extended(t->n * sizeof(int64), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	self_times(t->n, t->parent, t->start_ns, f.ends, f.ends, f.self_ns);
	critical_path(&in, w);
	for (uint32 i = 0; i < w->section_count; i++)
		f.critical_ns[w->sections[i].ordinal] += w->sections[i].end_ns - w->sections[i].start_ns;
	for (uint32 i = 0; i < t->n; i++)
	{
		SpanColumns columns = trajectory_columns(t, i);

		kinds[i] = trajectory_class(t, i)->kind;
		f.usage[i] = columns_usage(&columns);
	}
	usage_scopes(t->n, t->parent, kinds, f.usage, f.scopes);
	return f;
}

/* What the span says it cost, in 1e-9 USD; 0 if others say it again. */
static int64
reported_cost(const Trajectory *t, uint32 i, uint8 scope)
{
	SpanColumns columns = trajectory_columns(t, i);
	double		usd;

	if (scope == USAGE_ROLLUP || !column_double(&columns, COLUMN_COST_USD, &usd) || !(usd < 1e9))
		return 0;
	return (int64) rint(usd * 1e9);
}

static void
add_span(ProfileFrame *frame, const Trajectory *t, const SpanFigures *f, uint32 i, int128 weight)
{
	bool		is_own = f->scopes[i] == USAGE_OWN;

	add_amount(&frame->sums[SUM_CALLS], weight);
	if (trajectory_class(t, i)->is_error)
		add_amount(&frame->sums[SUM_ERRORS], weight);
	add_amount(&frame->sums[SUM_SELF_NS], f->self_ns[i] * weight);
	add_amount(&frame->sums[SUM_TOTAL_NS], (f->ends[i] - t->start_ns[i]) * weight);
	add_amount(&frame->sums[SUM_CRITICAL_NS], f->critical_ns[i] * weight);
	if (is_own)
	{
		add_amount(&frame->sums[SUM_INPUT_TOKENS], Max(f->usage[i].input_tokens, 0) * weight);
		add_amount(&frame->sums[SUM_OUTPUT_TOKENS], Max(f->usage[i].output_tokens, 0) * weight);
	}
	add_amount(&frame->sums[SUM_COST_NANO_USD], reported_cost(t, i, f->scopes[i]) * weight);
}

/* Add a trajectory, decoded whole; what is needed meanwhile is not freed. */
void
profile_add_trace(Profile *p, Trajectory *t, PathWork *w, int64 weight)
{
	SpanFigures f;
	uint32	   *names;
	int32	   *frame;

	if (weight == 0)
		return;
	f = read_figures(t, w);
	names = palloc_extended(Max(t->class_count, 1) * sizeof(uint32), MCXT_ALLOC_HUGE);
	frame = palloc_extended(t->n * sizeof(int32), MCXT_ALLOC_HUGE);
	for (uint32 i = 0; i < t->class_count; i++)
		names[i] = profile_name(p, t->classes[i].name, false);

	p->traces += weight;
	weight_check_total(p->traces);
	for (uint32 i = 0; i < t->n; i++)
	{
		int32		parent = t->parent[i] < 0 ? -1 : frame[t->parent[i]];

		if (t->depth[i] < PROFILE_MAX_DEPTH)
			frame[i] = profile_frame(p, parent, names[t->span_class[i]], trajectory_class(t, i)->kind);
		else if (t->depth[i] == PROFILE_MAX_DEPTH)
			frame[i] = profile_frame(p, parent, profile_name(p, DEEP_NAME, true), KIND_OTHER);
		else
			frame[i] = parent;
		add_span(&p->frames[frame[i]], t, &f, i, weight);
	}
}

/* ------------------------------------------------------ merge and subtract */

static void
add_sums(ProfileFrame *to, const ProfileFrame *from)
{
	for (int k = 0; k < PROFILE_SUMS; k++)
		add_amount(&to->sums[k], from->sums[k]);
}

void
profile_merge(Profile *p, const Profile *other)
{
	int32	   *frame = palloc_extended(Max(other->count, 1) * sizeof(int32), MCXT_ALLOC_HUGE);
	uint32	   *names = palloc_extended(Max(other->names.count, 1) * sizeof(uint32), MCXT_ALLOC_HUGE);

	for (uint32 i = 0; i < other->names.count; i++)
		names[i] = profile_name(p, other->names.items[i], false);
	for (uint32 i = 0; i < other->count; i++)
	{
		const ProfileFrame *f = &other->frames[i];

		frame[i] = profile_frame(p, f->parent < 0 ? -1 : frame[f->parent], names[f->name], f->kind);
		add_sums(&p->frames[frame[i]], f);
	}
	p->traces += other->traces;
	weight_check_total(p->traces);
	pfree(frame);
	pfree(names);
}

static void
not_a_part(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("cannot subtract a profile that is not part of the other")));
}

/* p without other, which must be part of it: what remains of both is new. */
Profile *
profile_subtract(const Profile *p, const Profile *other)
{
	Profile    *rest = profile_new();
	int32	   *mine = palloc_extended(Max(other->count, 1) * sizeof(int32), MCXT_ALLOC_HUGE);
	int32	   *kept = palloc_extended(Max(p->count, 1) * sizeof(int32), MCXT_ALLOC_HUGE);
	int32	   *off = palloc_extended(Max(p->count, 1) * sizeof(int32), MCXT_ALLOC_HUGE);

	if (other->traces > p->traces)
		not_a_part();
	rest->traces = p->traces - other->traces;
	memset(off, 0xff, Max(p->count, 1) * sizeof(int32));
	for (uint32 i = 0; i < other->count; i++)
	{
		int32		parent = other->frames[i].parent;

		mine[i] = profile_find_like(p, parent < 0 ? -1 : mine[parent], other, i);
		if (mine[i] < 0)
			not_a_part();
		off[mine[i]] = i;
	}
	for (uint32 i = 0; i < p->count; i++)
	{
		const ProfileFrame *f = &p->frames[i];
		ProfileFrame left = *f;
		bool		is_empty = true;

		for (int k = 0; k < PROFILE_SUMS; k++)
		{
			if (off[i] >= 0)
				left.sums[k] -= other->frames[off[i]].sums[k];
			if (left.sums[k] < 0)
				not_a_part();
			is_empty = is_empty && left.sums[k] == 0;
		}
		kept[i] = -1;
		if (is_empty)
			continue;
		if (left.sums[SUM_CALLS] == 0 || (f->parent >= 0 && kept[f->parent] < 0))
			not_a_part();
		kept[i] = profile_frame(rest, f->parent < 0 ? -1 : kept[f->parent],
								profile_name(rest, profile_frame_name(p, i), false), f->kind);
		memcpy(rest->frames[kept[i]].sums, left.sums, sizeof(left.sums));
	}
	if (rest->traces == 0 && rest->count > 0)
		not_a_part();
	return rest;
}

/* ------------------------------------------------------------------ order */

typedef struct FrameKey
{
	const Profile *p;
	const uint32 *rank;			/* of each name among all */
} FrameKey;

static int
compare_names(const void *a, const void *b, void *arg)
{
	const Bytes *names = arg;

	return bytes_compare(names[*(const uint32 *) a], names[*(const uint32 *) b]);
}

/* By parent, name and kind. */
static int
compare_frames(const void *a, const void *b, void *arg)
{
	const FrameKey *key = arg;
	const ProfileFrame *x = &key->p->frames[*(const uint32 *) a];
	const ProfileFrame *y = &key->p->frames[*(const uint32 *) b];

	if (x->parent != y->parent)
		return x->parent < y->parent ? -1 : 1;
	if (x->name != y->name)
		return key->rank[x->name] < key->rank[y->name] ? -1 : 1;
	return (int) x->kind - (int) y->kind;
}

/*
 * The numbers of the frames in canonical order: preorder, siblings by name and
 * kind.
 */
uint32 *
profile_order(const Profile *p)
{
	size_t		n = Max(p->count, 1);
	uint32	   *by_name = palloc_extended(Max(p->names.count, 1) * sizeof(uint32), MCXT_ALLOC_HUGE);
	uint32	   *rank = palloc_extended(Max(p->names.count, 1) * sizeof(uint32), MCXT_ALLOC_HUGE);
	uint32	   *sorted = palloc_extended(n * sizeof(uint32), MCXT_ALLOC_HUGE);
	uint32	   *next = palloc_extended(n * sizeof(uint32), MCXT_ALLOC_HUGE);	/* first child's place */
	uint32	   *order = palloc_extended(n * sizeof(uint32), MCXT_ALLOC_HUGE);
	uint32		stack[PROFILE_MAX_DEPTH + 2];	/* places in sorted */
	int			depth = 0;
	uint32		filled = 0;

	for (uint32 i = 0; i < p->names.count; i++)
		by_name[i] = i;
	qsort_arg(by_name, p->names.count, sizeof(uint32), compare_names, p->names.items);
	for (uint32 i = 0; i < p->names.count; i++)
		rank[by_name[i]] = i;
	for (uint32 i = 0; i < p->count; i++)
		sorted[i] = i;
	qsort_arg(sorted, p->count, sizeof(uint32), compare_frames, &(FrameKey) {p, rank});

	/* children of one parent are together now */
	for (uint32 i = 0; i < p->count; i++)
		next[i] = p->count;
	for (uint32 k = p->count; k-- > 0;)
		if (p->frames[sorted[k]].parent >= 0)
			next[p->frames[sorted[k]].parent] = k;
	stack[0] = 0;
	while (depth >= 0)
	{
		uint32		k = stack[depth];
		int32		parent = depth == 0 ? -1 : (int32) sorted[stack[depth - 1] - 1];

		if (k >= p->count || p->frames[sorted[k]].parent != parent)
		{
			depth--;
			continue;
		}
		stack[depth]++;
		order[filled++] = sorted[k];
		if (next[sorted[k]] < p->count)
			stack[++depth] = next[sorted[k]];
	}
	Assert(filled == p->count);
	pfree(by_name);
	pfree(rank);
	pfree(sorted);
	pfree(next);
	return order;
}

int128
profile_sum(const Profile *p, ProfileSum sum)
{
	int128		total = 0;

	for (uint32 i = 0; i < p->count; i++)
		total += p->frames[i].sums[sum];
	return total;
}
