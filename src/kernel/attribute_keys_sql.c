/*
 * attribute_keys_sql.c
 *		Which attributes a trace has, and as what they are read.
 */
#include "postgres.h"

#include "kernel/row_writer.h"
#include "kernel/trajectory_sql.h"
#include "miscadmin.h"

static void
put_key(RowWriter *w, const Key *key, bool is_resource, int64 span_count)
{
	row_begin(w);
	row_text(w, key->name);
	if (key->column != COLUMN_NONE)
		row_cstring(w, canonical_column_name(key->column));
	else
		row_null(w);
	row_bool(w, is_resource);
	row_int8(w, span_count);
	row_end(w);
}

/* attribute_keys(trajectory) */
PG_FUNCTION_INFO_V1(trajectory_attribute_keys);
Datum
trajectory_attribute_keys(PG_FUNCTION_ARGS)
{
	Trajectory *t = trajectory_arg(fcinfo, 0, PARTS_TABLES);
	int64	   *of_spans = palloc0(Max(t->key_count, 1) * sizeof(int64));
	int64	   *of_resources = palloc0(Max(t->key_count, 1) * sizeof(int64));
	int64	   *of_classes = palloc0(Max(t->class_count, 1) * sizeof(int64));
	RowWriter	w;

	/* the classes' own counts come with the columns, which nobody asks for here */
	for (uint32 i = 0; i < t->n; i++)
		of_classes[t->span_class[i]]++;

	for (uint32 c = 0; c < t->class_count; c++)
	{
		const SpanClass *class = &t->classes[c];
		const Shape *shape = &t->shapes[class->shape];
		const AttrList *resource = &t->resources[class->resource].attributes;

		for (uint32 i = 0; i < shape->nkeys; i++)
			of_spans[shape->keys[i]] += of_classes[c];
		for (uint32 i = 0; i < resource->n; i++)
			of_resources[resource->keys[i]] += of_classes[c];
	}
	row_writer_init(&w, fcinfo);
	for (uint32 k = 0; k < t->key_count; k++)
	{
		if (t->keys[k].is_derived)
			continue;
		if (of_spans[k] > 0)
			put_key(&w, &t->keys[k], false, of_spans[k]);
		if (of_resources[k] > 0)
			put_key(&w, &t->keys[k], true, of_resources[k]);
	}
	return (Datum) 0;
}

/* Bytes that a value takes before compression. */
static int64
value_size(const Value *v)
{
	switch ((ValueType) v->type)
	{
		case VALUE_STRING:
		case VALUE_BYTES:
		case VALUE_ARRAY:
		case VALUE_KVLIST:
			return v->len;
		case VALUE_REF:
			return VALUE_REF_HASH_LEN;
		case VALUE_BOOL:
			return 1;
		case VALUE_INT:
		case VALUE_DOUBLE:
			return 8;
		case VALUE_EMPTY:
			break;
	}
	return 0;
}

/* attribute_weights(trajectory) */
PG_FUNCTION_INFO_V1(trajectory_attribute_weights);
Datum
trajectory_attribute_weights(PG_FUNCTION_ARGS)
{
	Trajectory *t = trajectory_arg(fcinfo, 0, PARTS_ALL);
	int64	   *spans = palloc0(Max(t->key_count, 1) * sizeof(int64));
	int64	   *bytes = palloc0(Max(t->key_count, 1) * sizeof(int64));
	Value	   *room = palloc_extended(Max(t->max_attributes, 1) * sizeof(Value), MCXT_ALLOC_HUGE);
	RowWriter	w;

	for (uint32 i = 0; i < t->n; i++)
	{
		AttrList	list = trajectory_attributes(t, i, room);

		CHECK_FOR_INTERRUPTS();
		for (uint32 k = 0; k < list.n; k++)
		{
			spans[list.keys[k]]++;
			bytes[list.keys[k]] += value_size(&list.values[k]);
		}
	}
	row_writer_init(&w, fcinfo);
	for (uint32 k = 0; k < t->key_count; k++)
	{
		if (t->keys[k].is_derived || spans[k] == 0)
			continue;
		row_begin(&w);
		row_text(&w, t->keys[k].name);
		if (t->keys[k].column != COLUMN_NONE)
			row_cstring(&w, canonical_column_name(t->keys[k].column));
		else
			row_null(&w);
		row_int8(&w, spans[k]);
		row_int8(&w, bytes[k]);
		row_end(&w);
	}
	return (Datum) 0;
}
