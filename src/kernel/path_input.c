/*
 * path_input.c
 *		A trajectory as the walks of critical_path.h see it: ends of open spans,
 *		and whom nobody waits for.
 *
 * What is made lives in the current memory context; most traces need nothing.
 */
#include "postgres.h"

#include "kernel/path_input.h"
#include "kernel/span_times.h"
#include "kernel/tree.h"

/* How OpenTracing's references come through OTLP. */
#define REFERENCE_KEY "opentracing.ref_type"
#define REFERENCE_FOLLOWS "follows_from"

/* The end of each span, of an open one the last that is known of it. */
const int64 *
path_ends(const Trajectory *t)
{
	int64	   *ends;

	if (!(t->summary.flags & TRAJECTORY_OPEN_SPAN))
		return t->end_ns;
	ends = palloc_extended(t->n * sizeof(int64), MCXT_ALLOC_HUGE);
	effective_ends(t->n, t->parent, t->start_ns, t->end_ns, ends);
	return ends;
}

/* The roles, made when the first is not ROLE_WAITED. */
static uint8 *
make_roles(const Trajectory *t, PathInput *in)
{
	if (in->role == NULL)
		in->role = palloc_extended(t->n, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	return unconstify(uint8 *, in->role);
}

static bool
has_consumers(const Trajectory *t)
{
	for (uint32 i = 0; i < t->class_count; i++)
		if (t->classes[i].span_kind == SPAN_KIND_CONSUMER)
			return true;
	return false;
}

/* A producer does not wait for who consumes what it sent. */
static void
mark_consumers(const Trajectory *t, PathInput *in)
{
	if (!has_consumers(t))
		return;
	for (uint32 i = 0; i < t->n; i++)
		if (trajectory_class(t, i)->span_kind == SPAN_KIND_CONSUMER && t->parent[i] >= 0 &&
			trajectory_class(t, t->parent[i])->span_kind == SPAN_KIND_PRODUCER)
			make_roles(t, in)[i] = ROLE_ASYNC;
}

static bool
has_references(const Trajectory *t)
{
	for (uint32 i = 0; i < t->key_count; i++)
		if (bytes_equal_cstring(t->keys[i].name, REFERENCE_KEY))
			return true;
	return false;
}

static bool
follows_from(const Trajectory *t, const Link *link, uint64 parent_id)
{
	if (link->span_id != parent_id)
		return false;
	for (uint32 i = 0; i < link->attributes.n; i++)
	{
		const Value *v = &link->attributes.values[i];

		if (bytes_equal_cstring(t->keys[link->attributes.keys[i]].name, REFERENCE_KEY))
			return v->type == VALUE_STRING && bytes_equal_cstring(value_bytes(v), REFERENCE_FOLLOWS);
	}
	return false;
}

/* Nor does a span wait for who merely follows from it. */
static void
mark_followers(Trajectory *t, PathInput *in)
{
	if (!has_references(t))
		return;
	trajectory_decode_cold(t);
	for (uint32 i = 0; i < t->n; i++)
	{
		const SpanExtra *extra = trajectory_extra(t, i);

		for (uint32 k = 0; extra && t->parent[i] >= 0 && k < extra->link_count; k++)
			if (follows_from(t, &extra->links[k], trajectory_span_id(t, t->parent[i])))
				make_roles(t, in)[i] = ROLE_ASYNC;
	}
}

/* Ends that take in the spans below that are waited for. */
static void
extend_ends(const Trajectory *t, PathInput *in)
{
	int64	   *ends = palloc_extended(t->n * sizeof(int64), MCXT_ALLOC_HUGE);

	/* a hidden span passes on what is below it, not its own end */
	for (uint32 i = 0; i < t->n; i++)
		ends[i] = in->role && in->role[i] == ROLE_HIDDEN ? PG_INT64_MIN : in->end_ns[i];
	for (uint32 i = t->n; i-- > 0;)
		if (t->parent[i] >= 0 && !(in->role && in->role[i] == ROLE_ASYNC))
			ends[t->parent[i]] = Max(ends[t->parent[i]], ends[i]);
	in->end_ns = ends;
}

/* Jaeger shows no path for a root whose parent is missing. */
static void
drop_orphans(const Trajectory *t, PathInput *in)
{
	for (uint32 i = 0; i < t->n; i += t->subtree[i])
		if (trajectory_root_kind(t, i) != ROOT_PROPER)
			make_roles(t, in)[i] = ROLE_ABSENT;
}

/* The trajectory's hot part is decoded, the rest as far as it is needed. */
PathInput
path_input(Trajectory *t, const PathOptions *options)
{
	const int64 *ends = path_ends(t);
	PathInput	in = {
		.n = t->n,.span_id = t->span_id,.parent = t->parent,.subtree = t->subtree,
		.start_ns = t->start_ns,.end_ns = ends,.own_end_ns = ends,
		.first_root = 0,.last = t->n,
		.drops_overruns = options->async == ASYNC_EXCLUDE,
		.is_jaeger = options->is_jaeger,
		.tolerance_ns = options->tolerance_ns,.tolerance_share = options->tolerance_share
	};

	if (options->blocking)
	{
		for (uint32 i = 0; i < t->n; i++)
			if (!options->blocking[i] && t->parent[i] >= 0)
				make_roles(t, &in)[i] = ROLE_ASYNC;
	}
	else
	{
		trajectory_decode_tables(t);
		mark_consumers(t, &in);
		if (!options->is_jaeger)
			mark_followers(t, &in);
	}
	if (options->hidden)
		for (uint32 i = 0; i < t->n; i++)
			if (options->hidden[i])
				make_roles(t, &in)[i] = ROLE_HIDDEN;
	if (options->is_jaeger)
		drop_orphans(t, &in);
	if (options->async == ASYNC_EXTEND)
		extend_ends(t, &in);
	if (options->is_primary_only)
	{
		in.first_root = trajectory_primary_root(t);
		in.last = in.first_root + t->subtree[in.first_root];
	}
	return in;
}
