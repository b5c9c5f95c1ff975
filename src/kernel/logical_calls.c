/*
 * logical_calls.c
 *		Attempts grouped into logical calls.
 *
 * Retries come in three shapes.  Sibling spans: same parent, kind, name,
 * tool and arguments, the later one beginning when an earlier one has failed; or
 * overlapping in time, then the later one is a hedge (only where the arguments
 * are recorded: parallel calls of unknown arguments are just parallel).  An
 * attribute that numbers the attempt, or, on HTTP spans below the call, how
 * often the request was sent again.  Events, one a retry, on a single span.
 * What is said explicitly wins over what is inferred, and what the call says
 * over what is below it.
 *
 * Two passes over the spans with a hash table: O(n).
 */
#include "postgres.h"

#include "kernel/hashing.h"
#include "kernel/logical_calls.h"
#include "miscadmin.h"
#include "port/pg_bitutils.h"

const char *const attempt_source_names[] = {"none", "attribute", "event", "inferred"};

/* Events that tell of a retry within a span. */
static const char *const retry_events[] = {"gen_ai.retry", "retry", "llm.retry", "http.retry"};

/* What a call is of, beside its parent, kind and name; NULL if not recorded. */
typedef struct CallGoal
{
	const Value *tool;			/* some emitters name all tools' spans alike */
	const Value *arguments;
} CallGoal;

bool
kind_is_call(uint8 kind)
{
	return kind == KIND_LLM || kind == KIND_EMBEDDING || kind == KIND_RERANK ||
		kind == KIND_RETRIEVAL || kind == KIND_TOOL;
}

static CallGoal
call_goal(const Trajectory *t, uint32 ordinal)
{
	SpanColumns columns = trajectory_columns(t, ordinal);
	CallGoal	goal = {NULL, NULL};

	if (trajectory_class(t, ordinal)->kind == KIND_TOOL)
	{
		goal.tool = column_value(&columns, COLUMN_TOOL_NAME);
		goal.arguments = column_value(&columns, COLUMN_TOOL_ARGUMENTS);
	}
	if (goal.arguments == NULL)
		goal.arguments = column_value(&columns, COLUMN_INPUT);
	return goal;
}

static uint32
call_hash(const Trajectory *t, uint32 ordinal, uint32 name_hash, const CallGoal *goal)
{
	const SpanClass *class = trajectory_class(t, ordinal);
	uint32		h = name_hash;

	h = hash_combine(h, murmurhash32((uint32) t->parent[ordinal]));
	h = hash_combine(h, class->kind);
	if (goal->tool)
		h = hash_combine(h, value_hash(goal->tool));
	if (goal->arguments)
		h = hash_combine(h, value_hash(goal->arguments));
	return h;
}

static bool
is_same_value(const Value *x, const Value *y)
{
	return (x == NULL) == (y == NULL) && (x == NULL || value_compare(x, y) == 0);
}

static bool
is_same_call(const Trajectory *t, uint32 a, const CallGoal *goal, uint32 b)
{
	const SpanClass *class = trajectory_class(t, a);
	const SpanClass *other = trajectory_class(t, b);
	CallGoal	other_goal;

	if (t->parent[a] != t->parent[b] || class->kind != other->kind ||
		!bytes_equal(class->name, other->name))
		return false;
	other_goal = call_goal(t, b);
	return is_same_value(goal->tool, other_goal.tool) &&
		is_same_value(goal->arguments, other_goal.arguments);
}

static int32
count_retry_events(const Trajectory *t, uint32 ordinal)
{
	const SpanExtra *extra = trajectory_extra(t, ordinal);
	int32		count = 0;

	for (uint32 i = 0; extra && i < extra->event_count; i++)
		for (size_t k = 0; k < lengthof(retry_events); k++)
			count += bytes_equal_cstring(extra->events[i].name, retry_events[k]);
	return count;
}

/* How often an HTTP span says that its request was sent again; 0 if it doesn't. */
static int32
resend_count(const Trajectory *t, uint32 ordinal, int resend_key)
{
	SpanColumns columns = trajectory_columns(t, ordinal);
	const Shape *shape = columns.shape;
	int64		count;

	for (uint32 i = shape_first_alias(shape, COLUMN_ATTEMPT);
		 shape_is_alias(shape, i, COLUMN_ATTEMPT); i++)
	{
		uint32		place = shape_alias_place(shape, i);

		if (columns.keys[shape->keys[place]].known == resend_key &&
			value_read_int(span_value(&columns, place), &count) &&
			count > 0 && count < PG_INT32_MAX)
			return (int32) count;
	}
	return 0;
}

/*
 * For each call the most resends among the HTTP spans whose nearest call above
 * it is.  NULL if no span speaks of any.
 */
static int32 *
gather_resends(const Trajectory *t)
{
	int			resend_key = known_key_find(BYTES_LITERAL("http.request.resend_count"));
	int32	   *resends;
	int32	   *above;
	bool		is_spoken_of = false;

	for (uint32 c = 0; c < t->class_count && !is_spoken_of; c++)
		is_spoken_of = !kind_is_call(t->classes[c].kind) &&
			shape_bears(&t->shapes[t->classes[c].shape], COLUMN_ATTEMPT);
	if (!is_spoken_of)
		return NULL;

	resends = palloc_extended(t->n * sizeof(int32), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	above = palloc_extended(t->n * sizeof(int32), MCXT_ALLOC_HUGE);
	for (uint32 i = 0; i < t->n; i++)
	{
		int32		parent = t->parent[i];

		CHECK_FOR_INTERRUPTS();
		above[i] = parent < 0 || kind_is_call(trajectory_class(t, parent)->kind) ?
			parent : above[parent];
		if (above[i] >= 0 && !kind_is_call(trajectory_class(t, i)->kind))
		{
			int32		count = resend_count(t, i, resend_key);

			resends[above[i]] = Max(resends[above[i]], count);
		}
	}
	pfree(above);
	return resends;
}

/* What is said about a call's attempt, by itself or by spans below it. */
static void
read_attempt(const Trajectory *t, uint32 ordinal, int32 resends, LogicalCall *call)
{
	SpanColumns columns = trajectory_columns(t, ordinal);
	int64		attempt;
	int32		retries;

	call->attempt = 1;
	if (column_is_borne(&columns, COLUMN_ATTEMPT) &&
		column_int(&columns, COLUMN_ATTEMPT, &attempt) && attempt > 0 && attempt <= PG_INT32_MAX)
	{
		call->attempt = (int32) attempt;
		call->source = ATTEMPT_ATTRIBUTE;
	}
	else if (resends > 0)
	{
		call->attempt += resends;
		call->source = ATTEMPT_ATTRIBUTE;
	}
	else if ((retries = count_retry_events(t, ordinal)) > 0)
	{
		call->attempt += retries;
		call->source = ATTEMPT_EVENT;
	}
}

/*
 * Is this span another attempt of the call of an earlier one?  has_arguments
 * tells whether those are recorded, the same for both.
 */
static bool
continues(const Trajectory *t, uint32 ordinal, uint32 earlier, bool has_arguments,
		  LogicalCall *call, const LogicalCall *previous)
{
	bool		has_failed = trajectory_class(t, earlier)->is_error;
	int64		previous_end = t->end_ns[earlier];
	bool		overlaps = previous_end == TIME_OPEN || t->start_ns[ordinal] < previous_end;

	call->is_hedge = overlaps && has_arguments;
	if (call->source == ATTEMPT_ATTRIBUTE && call->attempt <= previous->attempt)
		call->is_hedge = false;
	if (call->source == ATTEMPT_ATTRIBUTE)
		return call->attempt > previous->attempt;
	return call->is_hedge || (has_failed && !overlaps);
}

/* One entry a span of a decoded trajectory. */
LogicalCall *
logical_calls(const Trajectory *t)
{
	LogicalCall *calls = palloc_extended(t->n * sizeof(LogicalCall),
										 MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	uint32		mask = pg_nextpower2_32(Max(t->n, 4)) * 2 - 1;
	/* the latest attempt of one parent, kind, name and goal; plus one */
	uint32	   *slots = palloc_extended(((size_t) mask + 1) * sizeof(uint32),
										MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	uint32	   *hashes = palloc_extended(t->n * sizeof(uint32), MCXT_ALLOC_HUGE);
	int32	   *resends = gather_resends(t);
	uint32	   *name_hashes = palloc_extended(Max(t->class_count, 1) * sizeof(uint32), MCXT_ALLOC_HUGE);
	int32		count = 0;

	for (uint32 i = 0; i < t->class_count; i++)
		if (kind_is_call(t->classes[i].kind))
			name_hashes[i] = hash_text(t->classes[i].name);
	for (uint32 i = 0; i < t->n; i++)
	{
		LogicalCall *call = &calls[i];
		CallGoal	goal;
		uint32		h;

		CHECK_FOR_INTERRUPTS();
		call->call = NOT_A_CALL;
		if (!kind_is_call(trajectory_class(t, i)->kind))
			continue;
		read_attempt(t, i, resends ? resends[i] : 0, call);

		goal = call_goal(t, i);
		hashes[i] = call_hash(t, i, name_hashes[t->span_class[i]], &goal);
		h = hashes[i] & mask;
		while (slots[h] != 0 && (hashes[slots[h] - 1] != hashes[i] ||
								 !is_same_call(t, i, &goal, slots[h] - 1)))
			h = (h + 1) & mask;

		if (slots[h] != 0 && continues(t, i, slots[h] - 1, goal.arguments != NULL,
									   call, &calls[slots[h] - 1]))
		{
			const LogicalCall *previous = &calls[slots[h] - 1];

			call->call = previous->call;
			if (call->source != ATTEMPT_ATTRIBUTE && previous->attempt < PG_INT32_MAX)
			{
				call->attempt = previous->attempt + 1;
				call->source = ATTEMPT_INFERRED;
			}
		}
		else
		{
			call->call = count++;
			call->is_hedge = false;
		}
		slots[h] = i + 1;
	}
	pfree(name_hashes);
	pfree(hashes);
	pfree(slots);
	return calls;
}
