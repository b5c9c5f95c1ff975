/*
 * span_common.c
 *		What a span has from those around it: its agent, feature, user …
 */
#include "postgres.h"

#include "kernel/span_common.h"
#include "kernel/span_measure.h"
#include "kernel/trace_summary.h"

static const CanonicalColumn common_columns[COMMON_TEXTS] = {
	[COMMON_SERVICE_NAME] = COLUMN_SERVICE_NAME,
	[COMMON_SERVICE_VERSION] = COLUMN_SERVICE_VERSION,
	[COMMON_ENVIRONMENT] = COLUMN_ENVIRONMENT,
	[COMMON_REGION] = COLUMN_REGION,
	[COMMON_FEATURE] = COLUMN_FEATURE,
	[COMMON_TENANT_ID] = COLUMN_TENANT_ID,
	[COMMON_USER_ID] = COLUMN_USER_ID,
	[COMMON_CONVERSATION_ID] = COLUMN_CONVERSATION_ID,
	[COMMON_AGENT_NAME] = COLUMN_AGENT_NAME,
	[COMMON_PROMPT_NAME] = COLUMN_PROMPT_NAME,
	[COMMON_PROMPT_VERSION] = COLUMN_PROMPT_VERSION,
	[COMMON_PROMPT_HASH] = COLUMN_PROMPT_HASH
};

/* A span's own value. */
static bool
own_text(const Trajectory *t, uint32 ordinal, CommonText text, Bytes *value)
{
	SpanColumns columns = trajectory_columns(t, ordinal);

	if (text == COMMON_AGENT_NAME)
		return span_agent(trajectory_class(t, ordinal), &columns, value);
	return column_is_borne(&columns, common_columns[text]) &&
		column_text(&columns, common_columns[text], value);
}

/* Can any span have one? */
static bool
is_borne(const Trajectory *t, CommonText text)
{
	for (uint32 i = 0; i < t->class_count; i++)
		if (shape_bears(&t->shapes[t->classes[i].shape], common_columns[text]) ||
			(text == COMMON_AGENT_NAME && t->classes[i].kind == KIND_AGENT))
			return true;
	return false;
}

static int32 *
find_holders(const Trajectory *t, CommonText text)
{
	int32	   *holder = palloc_extended(t->n * sizeof(int32), MCXT_ALLOC_HUGE);
	Bytes		value;

	for (uint32 i = 0; i < t->n; i++)
	{
		if (own_text(t, i, text, &value))
			holder[i] = i;
		else
			holder[i] = t->parent[i] >= 0 ? holder[t->parent[i]] : -1;
	}
	return holder;
}

/*
 * To be kept as long as the trajectory, which is decoded as a whole; so is what
 * asking for texts allocates.
 */
SpanCommon
span_common(const Trajectory *t)
{
	SpanCommon	common = {.t = t};

	common.rooms = palloc0(COMMON_TEXTS * sizeof(ShortText));
	return common;
}

/* Find out what is to be known of a text, when the first span's is asked for. */
static void
prepare(SpanCommon *common, CommonText text)
{
	const Trajectory *t = common->t;

	if (text < COMMON_RESOURCE_TEXTS)
	{
		common->of_resources[text] = palloc0(Max(t->resource_count, 1) * sizeof(Bytes));
		for (uint32 r = 0; r < t->resource_count; r++)
			resource_text(t, r, common_columns[text], &common->of_resources[text][r]);
		common->is_on_spans[text] = is_borne(t, text);
	}
	else if (is_borne(t, text))
		common->holder[text] = find_holders(t, text);
	common->is_prepared[text] = true;
}

/* The whole text. */
static bool
find_text(SpanCommon *common, uint32 ordinal, CommonText text, Bytes *value)
{
	const Trajectory *t = common->t;

	if (!common->is_prepared[text])
		prepare(common, text);
	if (text < COMMON_RESOURCE_TEXTS)
	{
		uint32		resource = trajectory_class(t, ordinal)->resource;

		if (common->is_on_spans[text] && own_text(t, ordinal, text, value))
			return true;
		*value = common->of_resources[text][resource];
		return value->len > 0;
	}
	return common->holder[text] != NULL && common->holder[text][ordinal] >= 0 &&
		own_text(t, common->holder[text][ordinal], text, value);
}

bool
span_common_text(SpanCommon *common, uint32 ordinal, CommonText text, Bytes *value)
{
	if (!find_text(common, ordinal, text, value))
		return false;
	*value = short_text(*value, &common->rooms[text]);
	return true;
}

/* Of each span the agent's span that it is, or that is nearest above it; or -1. */
int32 *
nearest_agents(const Trajectory *t)
{
	int32	   *agent = palloc_extended(t->n * sizeof(int32), MCXT_ALLOC_HUGE);

	for (uint32 i = 0; i < t->n; i++)
	{
		if (trajectory_class(t, i)->kind == KIND_AGENT)
			agent[i] = i;
		else
			agent[i] = t->parent[i] >= 0 ? agent[t->parent[i]] : -1;
	}
	return agent;
}
