/*
 * plan_ops.c
 *		What a plan says of a trajectory, and of itself.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "compat.h"
#include "kernel/derive.h"
#include "kernel/json_value.h"
#include "kernel/plan_sql.h"
#include "kernel/spans.h"
#include "kernel/trajectory_sql.h"
#include "kernel/transcript.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"

/* The trace of this call, in memory that is emptied at the next. */
static Trajectory *
open_trajectory(FunctionCallInfo fcinfo, int arg)
{
	struct varlena *datum = pg_detoast_datum((struct varlena *) PG_GETARG_POINTER(arg));
	Trajectory *t = trajectory_open(datum, VARSIZE(datum));

	trajectory_decode_hot(t);
	trajectory_decode_cold(t);
	return t;
}

/*
 * The same, for a plan: decoded as far as its distance may need, which is
 * nothing but the header where no span could be an action.
 */
static Trajectory *
open_for_plan(FunctionCallInfo fcinfo, int arg, const CompiledPlan *c)
{
	struct varlena *datum = pg_detoast_datum((struct varlena *) PG_GETARG_POINTER(arg));
	Trajectory *t = trajectory_open(datum, VARSIZE(datum));

	if (plan_may_act(c, t))
	{
		trajectory_decode_structure(t);
		trajectory_decode_tables(t);
	}
	return t;
}

static double
distance_of(double deviation)
{
	/* thousandths of a step */
	return deviation / (1000 + deviation);
}

PG_FUNCTION_INFO_V1(plan_distance);
Datum
plan_distance(PG_FUNCTION_ARGS)
{
	PlanCall   *call = plan_call(fcinfo, 0, 2, ARGUMENTS_CANONICAL);
	MemoryContext old = MemoryContextSwitchTo(call->work);
	PlanOutcome o = plan_evaluate(call->compiled, open_for_plan(fcinfo, 1, call->compiled), NULL);
	double		distance = distance_of(plan_deviation(&call->options, o.free_cost, o.ordered_cost));

	MemoryContextSwitchTo(old);
	PG_RETURN_FLOAT8(distance > call->options.cutoff ? 1 : distance);
}

PG_FUNCTION_INFO_V1(plan_adherence);
Datum
plan_adherence(PG_FUNCTION_ARGS)
{
	PlanCall   *call = plan_call(fcinfo, 0, 2, ARGUMENTS_CANONICAL);
	MemoryContext old = MemoryContextSwitchTo(call->work);
	const PlanOptions *options = &call->options;
	Trajectory *t = open_trajectory(fcinfo, 1);
	PlanRows	rows = {0};
	PlanOutcome o = plan_evaluate(call->compiled, t, &rows);
	bool		is_revised = compiled_plan(call->compiled)->revision_count > 0;
	PlanOutcome first = is_revised ? plan_evaluate_first(call->compiled, t) : o;
	double		deviation = plan_deviation(options, o.free_cost, o.ordered_cost);
	double		low = plan_deviation(options, o.free_cost, o.ordered_low);
	double		weight = o.plan_weight + o.trace_weight;
	double		churn = plan_churn(call->compiled, t);
	int64		counts[PLAN_LABELS] = {0};
	int64		unjudged = 0;
	RowWriter	w;

	for (uint32 i = 0; i < rows.count; i++)
	{
		counts[rows.rows[i].label]++;
		unjudged += rows.rows[i].is_unjudged;
	}
	MemoryContextSwitchTo(old);
	row_writer_init(&w, fcinfo);
	row_begin(&w);
	row_float8(&w, deviation / 1000);
	row_float8(&w, distance_of(deviation));
	row_float8(&w, weight > 0 ? Max(0, 1 - deviation / weight) : 1);
	for (int label = 0; label < PLAN_LABELS; label++)
		row_int8(&w, counts[label]);
	row_int8(&w, compiled_plan(call->compiled)->revision_count);
	row_float8(&w, churn);
	row_float8(&w, distance_of(plan_deviation(options, first.free_cost, first.ordered_cost)));
	row_bool(&w, low >= deviation);
	row_float8(&w, distance_of(low));
	row_float8(&w, distance_of(deviation));
	row_int8(&w, unjudged);
	row_end(&w);
	return (Datum) 0;
}

/* The id of a step, below those of the steps whose sub-plan it is in. */
static Bytes
row_step_id(const PlanRow *r, StringInfo buf)
{
	Bytes		id = r->plan->steps[r->step].id;

	if (r->parent.len == 0)
		return id;
	resetStringInfo(buf);
	put_bytes(buf, r->parent.data, r->parent.len);
	put_byte(buf, '/');
	put_bytes(buf, id.data, id.len);
	return (Bytes) {buf->data, buf->len};
}

static Bytes
row_step_text(const PlanRow *r, StringInfo buf)
{
	const PlanStep *s = &r->plan->steps[r->step];

	resetStringInfo(buf);
	for (uint32 i = 0; i < s->matcher_count; i++)
	{
		if (i > 0)
			put_bytes(buf, " | ", 3);
		put_bytes(buf, s->matchers[i].name.data, s->matchers[i].name.len);
	}
	return (Bytes) {buf->data, buf->len};
}

static Bytes
row_edge(const PlanRow *r, StringInfo buf)
{
	Bytes		from = r->edge_plan->steps[r->edge[0]].id;
	Bytes		to = r->edge_plan->steps[r->edge[1]].id;

	resetStringInfo(buf);
	put_bytes(buf, from.data, from.len);
	put_bytes(buf, " -> ", 4);
	put_bytes(buf, to.data, to.len);
	return (Bytes) {buf->data, buf->len};
}

static void
put_alignment_row(RowWriter *w, const Trajectory *t, const PlanRow *r, StringInfo buf)
{
	row_begin(w);
	if (r->step == NO_STEP)
		for (int i = 0; i < 3; i++)
			row_null(w);
	else
	{
		row_int4(w, r->step + 1);
		row_text(w, row_step_id(r, buf));
		row_text(w, row_step_text(r, buf));
	}
	if (r->ordinal == NO_ORDINAL)
		for (int i = 0; i < 3; i++)
			row_null(w);
	else
	{
		row_int4(w, r->ordinal + 1);
		row_hex_id(w, trajectory_span_id(t, r->ordinal));
		row_text(w, r->action);
	}
	row_cstring(w, plan_label_names[r->label]);
	row_float8(w, r->cost / 1000);
	if (r->edge_plan == NULL)
		row_null(w);
	else
		row_text(w, row_edge(r, buf));
	row_int4(w, r->revision);
	/* a step with a weight of its own does something to the world */
	row_cstring(w, plan_effect_names[r->effect == EFFECT_WEIGHT ? EFFECT_WRITE : r->effect]);
	if (r->ordinal == NO_ORDINAL)
		row_null(w);
	else
		row_bool(w, trajectory_class(t, r->ordinal)->is_error);
	row_bool(w, r->is_unjudged);
	if (r->ordinal == NO_ORDINAL)
		row_null(w);
	else
		row_timestamptz(w, timestamptz_from_ns(t->start_ns[r->ordinal]));
	row_end(w);
}

PG_FUNCTION_INFO_V1(plan_alignment);
Datum
plan_alignment(PG_FUNCTION_ARGS)
{
	PlanCall   *call = plan_call(fcinfo, 0, 2, ARGUMENTS_CANONICAL);
	MemoryContext old = MemoryContextSwitchTo(call->work);
	Trajectory *t = open_trajectory(fcinfo, 1);
	PlanRows	rows = {0};
	StringInfoData buf;
	RowWriter	w;

	plan_evaluate(call->compiled, t, &rows);
	initStringInfo(&buf);
	MemoryContextSwitchTo(old);
	row_writer_init(&w, fcinfo);
	for (uint32 i = 0; i < rows.count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		put_alignment_row(&w, t, &rows.rows[i], &buf);
	}
	return (Datum) 0;
}

static PlanMatchMode
mode_arg(FunctionCallInfo fcinfo, int arg)
{
	text	   *word = PG_GETARG_TEXT_PP(arg);
	Bytes		given = {VARDATA_ANY(word), VARSIZE_ANY_EXHDR(word)};

	for (int mode = 0; mode < PLAN_MATCH_MODES; mode++)
		if (bytes_equal_cstring(given, plan_match_mode_names[mode]))
			return mode;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("unknown mode \"%.*s\" of matching a plan", utf8_clip(given, 60), given.data),
			 errhint("Modes are strict, unordered, superset, subset, exact, in_order, any_order, "
					 "precision and recall.")));
}

PG_FUNCTION_INFO_V1(plan_match_sql);
Datum
plan_match_sql(PG_FUNCTION_ARGS)
{
	PlanMatchMode mode = mode_arg(fcinfo, 2);
	PlanCall   *call = plan_call(fcinfo, 0, 3, ARGUMENTS_EXACT);
	MemoryContext old = MemoryContextSwitchTo(call->work);
	double		result = plan_match(call->compiled, open_trajectory(fcinfo, 1), mode);

	MemoryContextSwitchTo(old);
	PG_RETURN_FLOAT8(result);
}

/* ---------------------------------------------------------------- cycles --- */

static Datum
step_ids(const ActionPlan *plan, const uint32 *steps, uint32 count)
{
	Datum	   *ids = palloc((count + 1) * sizeof(Datum));

	for (uint32 i = 0; i < count; i++)
		ids[i] = text_datum(plan->steps[steps[i]].id);
	return PointerGetDatum(construct_array(ids, count, TEXTOID, -1, false, TYPALIGN_INT));
}

/* The steps that wait for a component, themselves not in it. */
static uint32
find_waiting(const PlanOrder *order, const PlanCycle *cycle, uint32 *waiting)
{
	uint32		count = 0;

	for (uint32 s = 0; s < order->n; s++)
		if (plan_is_before(order, cycle->steps[0], s))
			waiting[count++] = s;
	return count;
}

static void
put_cycles(RowWriter *w, const ActionPlan *plan, uint32 revision, bool is_last)
{
	PlanOrder  *order = plan_order(plan);
	uint32	   *waiting = palloc((plan->step_count + 1) * sizeof(uint32));
	uint32		count;
	PlanCycle  *cycles = plan_find_cycles(plan, order, &count);

	for (uint32 i = 0; i < count; i++)
	{
		row_begin(w);
		row_int4(w, i + 1);
		row_varlena(w, (struct varlena *) DatumGetPointer(step_ids(plan, cycles[i].steps, cycles[i].step_count)));
		row_varlena(w, (struct varlena *) DatumGetPointer(step_ids(plan, cycles[i].cycle, cycles[i].cycle_length)));
		row_varlena(w, (struct varlena *) DatumGetPointer(step_ids(plan, waiting, find_waiting(order, &cycles[i], waiting))));
		row_int4(w, revision);
		row_bool(w, is_last);
		row_end(w);
	}
}

/* Calls put for a plan and its revisions, in memory that is emptied after each. */
static void
for_revisions(FunctionCallInfo fcinfo, void (*put) (RowWriter *w, const ActionPlan *plan, uint32 revision, bool is_last))
{
	ActionPlan *plan = plan_from_datum((PlanDatum *) PG_GETARG_VARLENA_P(0));
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "llmtrace revision", ALLOCSET_DEFAULT_SIZES);
	RowWriter	w;

	row_writer_init(&w, fcinfo);
	for (uint32 i = 0; i <= plan->revision_count; i++)
	{
		MemoryContext old = MemoryContextSwitchTo(context);

		CHECK_FOR_INTERRUPTS();
		put(&w, i == 0 ? plan : plan->revisions[i - 1].plan, i, i == plan->revision_count);
		MemoryContextSwitchTo(old);
		MemoryContextReset(context);
	}
}

PG_FUNCTION_INFO_V1(plan_cycles);
Datum
plan_cycles(PG_FUNCTION_ARGS)
{
	for_revisions(fcinfo, put_cycles);
	return (Datum) 0;
}

/* The recursion is bounded by the depth of plans. */
static void
put_steps_below(RowWriter *w, const ActionPlan *plan, Bytes parent, uint32 revision, bool is_last)
{
	PlanOrder  *order = plan_order(plan);
	StringInfoData buf;

	initStringInfo(&buf);
	for (uint32 i = 0; i < plan->step_count; i++)
	{
		const PlanStep *s = &plan->steps[i];
		PlanRow		row = {.plan = plan,.step = i,.parent = parent};
		Bytes		id = row_step_id(&row, &buf);

		row_begin(w);
		row_int4(w, revision);
		row_bool(w, is_last);
		row_int4(w, i + 1);
		row_text(w, id);
		if (s->subplan != NULL)
			id = (Bytes) {pnstrdup(id.data, id.len), id.len};
		row_text(w, row_step_text(&row, &buf));
		row_cstring(w, plan_effect_names[s->effect == EFFECT_WEIGHT ? EFFECT_WRITE : s->effect]);
		row_bool(w, s->min == 0);
		row_varlena(w, (struct varlena *) DatumGetPointer(step_ids(plan, s->after, s->after_count)));
		row_bool(w, order->is_blocked[i]);
		row_end(w);
		if (s->subplan != NULL)
			put_steps_below(w, s->subplan, id, revision, is_last);
	}
}

static void
put_plan_steps(RowWriter *w, const ActionPlan *plan, uint32 revision, bool is_last)
{
	put_steps_below(w, plan, (Bytes) {"", 0}, revision, is_last);
}

PG_FUNCTION_INFO_V1(plan_steps);
Datum
plan_steps(PG_FUNCTION_ARGS)
{
	for_revisions(fcinfo, put_plan_steps);
	return (Datum) 0;
}

/* --------------------------------------------------- actions, transcripts --- */

PG_FUNCTION_INFO_V1(trace_plan);
Datum
trace_plan(PG_FUNCTION_ARGS)
{
	Trajectory *t = trajectory_arg(fcinfo, 0, PARTS_ALL);
	Arena		arena = {.context = CurrentMemoryContext};
	PlanRules	rules = plan_rules_parse(jsonb_text(fcinfo, 1), &arena);
	ActionPlan *plan = plan_of_trace(t, &rules, &arena);

	if (plan == NULL)
		PG_RETURN_NULL();
	PG_RETURN_POINTER(plan_make_datum(plan));
}

/* outline_plans(t, noted): the two are one trace, the second with its bodies */
PG_FUNCTION_INFO_V1(trajectory_outline_plans);
Datum
trajectory_outline_plans(PG_FUNCTION_ARGS)
{
	Trajectory *t = trajectory_from_datum(PG_GETARG_DATUM(0), true);
	Trajectory *noted = trajectory_from_datum(PG_GETARG_DATUM(1), true);
	SpanSet    *set = spanset_create();
	struct varlena *datum;

	if (t->n != noted->n || memcmp(t->span_id, noted->span_id, t->n * sizeof(uint64)) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("trajectories are not of the same spans")));
	trajectory_add_to_set(t, set, 0, t->n);
	spans_derive_plans(set, noted);
	datum = trajectory_encode_set(set, false, trajectory_best_codec());
	spanset_free(set);
	PG_RETURN_POINTER(datum);
}

/* The arguments of a call as jsonb, if they are known. */
static void
row_arguments(RowWriter *w, Trajectory *t, uint32 ordinal)
{
	Arena		arena = {.context = CurrentMemoryContext};
	StringInfoData buf;
	Value		args;
	bool		is_moved;

	if (!action_arguments(t, ordinal, &arena, &args, &is_moved))
	{
		row_null(w);
		return;
	}
	initStringInfo(&buf);
	json_put_value(&buf, &args);
	row_varlena(w, (struct varlena *) DatumGetPointer(DirectFunctionCall1(jsonb_in, CStringGetDatum(buf.data))));
}

PG_FUNCTION_INFO_V1(trace_actions);
Datum
trace_actions(PG_FUNCTION_ARGS)
{
	Trajectory *t = trajectory_arg(fcinfo, 0, PARTS_ALL);
	ActionScan	scan = actions_begin(t, 0, t->n, KIND_BIT(KIND_TOOL) | KIND_BIT(KIND_AGENT), NULL, NULL);
	ActionList	list = actions_collect(&scan);
	MemoryContext outer = CurrentMemoryContext;
	MemoryContext scratch = AllocSetContextCreate(outer, "llmtrace arguments", ALLOCSET_DEFAULT_SIZES);
	RowWriter	w;

	row_writer_init(&w, fcinfo);
	for (uint32 i = 0; i < list.count; i++)
	{
		const Action *a = &list.actions[i];

		CHECK_FOR_INTERRUPTS();
		row_begin(&w);
		row_int4(&w, i + 1);
		row_int4(&w, a->ordinal + 1);
		row_hex_id(&w, trajectory_span_id(t, a->ordinal));
		row_cstring(&w, operation_kind_name(a->kind));
		row_text(&w, a->name);
		MemoryContextSwitchTo(scratch);
		row_arguments(&w, t, a->ordinal);
		MemoryContextSwitchTo(outer);
		MemoryContextReset(scratch);
		row_bool(&w, a->is_failed);
		row_end(&w);
	}
	return (Datum) 0;
}

static Datum
read_transcript(FunctionCallInfo fcinfo, void (*read) (SpanSet *set, const char *json, size_t len))
{
	Bytes		json = jsonb_text(fcinfo, 0);
	SpanSet    *set = spanset_create();
	struct varlena *datum;

	read(set, json.data, json.len);
	datum = trajectory_encode_set(set, false, trajectory_best_codec());
	spanset_free(set);
	PG_RETURN_POINTER(datum);
}

PG_FUNCTION_INFO_V1(trajectory_from_actions);
Datum
trajectory_from_actions(PG_FUNCTION_ARGS)
{
	return read_transcript(fcinfo, transcript_read_actions);
}

PG_FUNCTION_INFO_V1(trajectory_from_messages);
Datum
trajectory_from_messages(PG_FUNCTION_ARGS)
{
	return read_transcript(fcinfo, transcript_read_messages);
}
