/*
 * component_time.c
 *		What a trace's time went to: models, tools, databases, own code.
 *
 * What a span does and is called is its class's, so that only the few classes
 * look at names.  O(spans + classes) besides the critical path.
 */
#include "postgres.h"

#include "kernel/component_time.h"
#include "kernel/dictionary.h"
#include "kernel/span_times.h"

const char *const component_names[COMPONENT_COUNT] = {
	"own", "model", "tool", "retrieval", "database", "human"
};

/* Attributes of which any tells that a database is asked. */
static const char *const database_keys[] = {
	"db.system", "db.system.name", "db.statement", "db.query.text", "db.type"
};

/* A class whose spans belong where their parents do. */
#define COMPONENT_INHERITED 0xff

static bool
asks_database(const Trajectory *t, const SpanClass *class)
{
	const Shape *shape = &t->shapes[class->shape];

	for (uint32 i = 0; i < shape->nkeys; i++)
		for (size_t k = 0; k < lengthof(database_keys); k++)
			if (bytes_equal_cstring(t->keys[shape->keys[i]].name, database_keys[k]))
				return true;
	return false;
}

static uint8
class_component(const Trajectory *t, const SpanClass *class)
{
	switch (class->kind)
	{
		case KIND_LLM:
		case KIND_EMBEDDING:
		case KIND_RERANK:
			return COMPONENT_MODEL;
		case KIND_TOOL:
			return COMPONENT_TOOL;
		case KIND_RETRIEVAL:
		case KIND_MEMORY:
			return COMPONENT_RETRIEVAL;
		case KIND_HUMAN:
			return COMPONENT_HUMAN;
		case KIND_OTHER:
			return asks_database(t, class) ? COMPONENT_DATABASE : COMPONENT_INHERITED;
		default:
			return COMPONENT_OWN;
	}
}

/* The component of each span, by ordinal.  The tables must be decoded. */
uint8 *
span_components(const Trajectory *t)
{
	uint8	   *components = palloc_extended(Max(t->n, 1), MCXT_ALLOC_HUGE);
	uint8	   *of_class = palloc_extended(Max(t->class_count, 1), MCXT_ALLOC_HUGE);

	for (uint32 i = 0; i < t->class_count; i++)
		of_class[i] = class_component(t, &t->classes[i]);
	for (uint32 i = 0; i < t->n; i++)
	{
		components[i] = of_class[t->span_class[i]];
		if (components[i] == COMPONENT_INHERITED)
			components[i] = t->parent[i] >= 0 ? components[t->parent[i]] : COMPONENT_OWN;
	}
	pfree(of_class);
	return components;
}

/*
 * For each class the first one of the same name and kind, times the number of
 * components: where its figures are.
 */
static uint32 *
class_places(const Trajectory *t)
{
	uint32	   *places = palloc_extended(Max(t->class_count, 1) * sizeof(uint32), MCXT_ALLOC_HUGE);
	uint32	   *first = palloc_extended(Max(t->class_count, 1) * KIND_COUNT * sizeof(uint32),
										MCXT_ALLOC_HUGE);
	Dictionary	names;

	dictionary_init(&names, t->class_count);
	memset(first, 0xff, (size_t) Max(t->class_count, 1) * KIND_COUNT * sizeof(uint32));
	for (uint32 i = 0; i < t->class_count; i++)
	{
		bool		is_new;
		uint32		name = dictionary_number(&names, t->classes[i].name, &is_new);
		uint32	   *like = &first[(size_t) name * KIND_COUNT + t->classes[i].kind];

		if (*like == PG_UINT32_MAX)
			*like = i;
		places[i] = *like * COMPONENT_COUNT;
	}
	pfree(first);
	return places;
}

/*
 * The figures of all spans, in the order of the first use of their classes.
 * Times and tables must be decoded; only what roots cover of the path is in
 * critical_ns, so its sum is the path's length.
 */
ComponentTime *
component_times(const Trajectory *t, const PathInput *in, PathWork *w, uint32 *count)
{
	size_t		places = (size_t) t->class_count * COMPONENT_COUNT;
	ComponentTime *times = palloc_extended(Max(places, 1) * sizeof(ComponentTime),
										   MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	int64	   *self_ns = palloc_extended(Max(t->n, 1) * sizeof(int64), MCXT_ALLOC_HUGE);
	uint8	   *components = span_components(t);
	uint32	   *place = class_places(t);

	self_times(t->n, t->parent, t->start_ns, t->end_ns, in->own_end_ns, self_ns);
	for (uint32 i = 0; i < t->n; i++)
	{
		ComponentTime *x = &times[place[t->span_class[i]] + components[i]];

		x->span_count++;
		if (self_ns[i] != TIME_OPEN)
			x->self_ns += self_ns[i];
	}
	critical_path(in, w);
	for (uint32 i = 0; i < w->section_count; i++)
	{
		const PathSection *s = &w->sections[i];

		times[place[t->span_class[s->ordinal]] + components[s->ordinal]].critical_ns +=
			s->end_ns - s->start_ns;
	}

	*count = 0;
	for (size_t i = 0; i < places; i++)
		if (times[i].span_count > 0)
		{
			const SpanClass *class = &t->classes[i / COMPONENT_COUNT];
			ComponentTime *x = &times[(*count)++];

			*x = times[i];
			x->name = class->name;
			x->kind = class->kind;
			x->component = i % COMPONENT_COUNT;
		}
	return times;
}
