/*
 * payload.c
 *		Bodies that leave a trajectory: messages, arguments, long strings.
 */
#include "postgres.h"

#include "common/hmac.h"
#include "common/sha2.h"
#include "kernel/json_list.h"
#include "kernel/payload.h"
#include "kernel/trajectory_text.h"
#include "kernel/value_builder.h"
#include "miscadmin.h"

#define NS_PER_DAY INT64CONST(86400000000000)

const char *const payload_role_names[] = {
	"other", "system", "input", "output", "tool_arguments", "tool_result", "documents"
};

/*
 * Keys of message bodies that no column for bodies knows, and beginnings of
 * keys that are of no column at all.
 */
static const struct
{
	const char *name;
	bool		is_prefix;
	PayloadRole role;
}			body_keys[] = {
	{"agent.plan", false, PAYLOAD_OUTPUT},
	{"ai.embedding", true, PAYLOAD_OUTPUT},
	{"ai.prompt", true, PAYLOAD_INPUT},
	{"ai.response.reasoning", true, PAYLOAD_OUTPUT},
	{"ai.result.", true, PAYLOAD_OUTPUT},
	{"ai.telemetry.metadata.langfusePrompt", false, PAYLOAD_SYSTEM},
	{"ai.value", true, PAYLOAD_INPUT},
	{"all_messages_events", false, PAYLOAD_INPUT},
	{"embedding.embeddings.", true, PAYLOAD_INPUT},
	{"gcp.vertex.agent.llm_request", false, PAYLOAD_INPUT},
	{"gcp.vertex.agent.llm_response", false, PAYLOAD_OUTPUT},
	{"gcp.vertex.agent.tool_call_args", false, PAYLOAD_TOOL_ARGUMENTS},
	{"gcp.vertex.agent.tool_response", false, PAYLOAD_TOOL_RESULT},
	{"gen_ai.evaluation.explanation", false, PAYLOAD_OTHER},
	{"gen_ai.event.content", false, PAYLOAD_INPUT},
	{"gen_ai.plan", false, PAYLOAD_OUTPUT},
	{"gen_ai.retrieval.query.text", false, PAYLOAD_INPUT},
	{"genkit:input", false, PAYLOAD_INPUT},
	{"genkit:output", false, PAYLOAD_OUTPUT},
	{"input", false, PAYLOAD_INPUT},
	{"inputs", false, PAYLOAD_INPUT},
	{"langfuse.trace.input", false, PAYLOAD_INPUT},
	{"langfuse.trace.output", false, PAYLOAD_OUTPUT},
	{"langwatch.input", false, PAYLOAD_INPUT},
	{"langwatch.output", false, PAYLOAD_OUTPUT},
	{"lk.chat_ctx", false, PAYLOAD_INPUT},
	{"lk.function_tool.arguments", false, PAYLOAD_TOOL_ARGUMENTS},
	{"lk.function_tool.output", false, PAYLOAD_TOOL_RESULT},
	{"lk.input_text", false, PAYLOAD_INPUT},
	{"lk.instructions", false, PAYLOAD_SYSTEM},
	{"lk.response.function_calls", false, PAYLOAD_OUTPUT},
	{"lk.response.text", false, PAYLOAD_OUTPUT},
	{"lk.user_input", false, PAYLOAD_INPUT},
	{"lk.user_transcript", false, PAYLOAD_INPUT},
	{"llm.choices", true, PAYLOAD_OUTPUT},
	{"llm.prompt_template.template", false, PAYLOAD_INPUT},
	{"llm.prompt_template.variables", false, PAYLOAD_INPUT},
	{"mastra.input", false, PAYLOAD_INPUT},
	{"mastra.output", false, PAYLOAD_OUTPUT},
	{"message.content", false, PAYLOAD_INPUT},
	{"output", false, PAYLOAD_OUTPUT},
	{"outputs", false, PAYLOAD_OUTPUT},
	{"prompt", false, PAYLOAD_INPUT},
	{"completion", false, PAYLOAD_OUTPUT},
	{"raw_input", false, PAYLOAD_INPUT},
	{"reranker.input_documents.", true, PAYLOAD_DOCUMENTS},
	{"reranker.output_documents.", true, PAYLOAD_DOCUMENTS},
	{"reranker.query", false, PAYLOAD_INPUT},
	{"tool.result", false, PAYLOAD_TOOL_RESULT}
};

/* Keys of the events by which older conventions send messages. */
static const char *const event_body_keys[] = {
	"arguments", "body", "content", "message", "tool_calls"
};

/* Last parts of flattened keys that say how a message is made, not what it says. */
static const char *const structural_parts[] = {
	"finish_reason", "id", "index", "mime_type", "name", "role", "score", "type"
};

static bool
starts_with(Bytes s, const char *prefix)
{
	size_t		len = strlen(prefix);

	return s.len >= len && memcmp(s.data, prefix, len) == 0;
}

/* Does a flattened key, one with a dot, end in such a part? */
static bool
is_structural(Bytes name)
{
	Bytes		last = name;

	for (uint32 i = 0; i < name.len; i++)
		if (name.data[i] == '.')
			last = (Bytes) {name.data + i + 1, name.len - i - 1};
	if (last.len == name.len)
		return false;
	for (size_t i = 0; i < lengthof(structural_parts); i++)
		if (bytes_equal_cstring(last, structural_parts[i]))
			return true;
	return false;
}

/* The role of bodies under a key; false if it is no key of messages. */
static bool
message_key(const Key *key, PayloadRole *role)
{
	/* also those that are read as a name: Langfuse's has the prompt beside it */
	for (size_t i = 0; i < lengthof(body_keys); i++)
		if (body_keys[i].is_prefix ? key->column == COLUMN_NONE && starts_with(key->name, body_keys[i].name) :
			bytes_equal_cstring(key->name, body_keys[i].name))
		{
			*role = body_keys[i].role;
			return !is_structural(key->name);
		}
	switch ((CanonicalColumn) key->column)
	{
		case COLUMN_SYSTEM:
			*role = PAYLOAD_SYSTEM;
			break;
		case COLUMN_INPUT:
			*role = PAYLOAD_INPUT;
			break;
		case COLUMN_OUTPUT:
		case COLUMN_PLAN:
			*role = PAYLOAD_OUTPUT;
			break;
		case COLUMN_TOOL_ARGUMENTS:
			*role = PAYLOAD_TOOL_ARGUMENTS;
			break;
		case COLUMN_TOOL_RESULT:
			*role = PAYLOAD_TOOL_RESULT;
			break;
		case COLUMN_RETRIEVAL_DOCUMENTS:
			*role = PAYLOAD_DOCUMENTS;
			break;
		default:
			*role = PAYLOAD_OTHER;
			return false;
	}
	return !is_structural(key->name);
}

/* What is known of a key, found once a set. */
typedef struct KeyRule
{
	bool		is_message;
	bool		is_event_message;	/* on an event that sends a message */
	bool		is_column;		/* of a column that is read from spans */
	PayloadPolicy policy;
} KeyRule;

typedef struct Extraction
{
	SpanSet    *set;
	const PayloadRules *rules;
	KeyRule    *keys;
	PayloadSet *out;
	pg_hmac_ctx *hmac;
	StringInfoData text;		/* a body, or several, being written */
	StringInfoData ends;		/* where each of several ends */
} Extraction;

static KeyRule
key_rule(const Key *key, const PayloadRules *rules)
{
	KeyRule		rule = {0};
	PayloadRole role;

	rule.is_message = message_key(key, &role);
	rule.is_column = key->is_derived || (key->column != COLUMN_NONE && !rule.is_message);
	for (size_t i = 0; i < lengthof(event_body_keys); i++)
		rule.is_event_message |= bytes_equal_cstring(key->name, event_body_keys[i]);
	for (uint32 i = 0; i < rules->policy_count; i++)
		if (bytes_equal(rules->policies[i].key, key->name))
			rule.policy = rules->policies[i].policy;
	if (key->is_derived)
		rule.policy = PAYLOAD_INLINE;
	return rule;
}

static void
hash_body(Extraction *x, Bytes body, uint8 *hash)
{
	uint8		digest[PG_SHA256_DIGEST_LENGTH];

	if (pg_hmac_init(x->hmac, (const uint8 *) x->rules->secret.data, x->rules->secret.len) < 0 ||
		pg_hmac_update(x->hmac, (const uint8 *) body.data, body.len) < 0 ||
		pg_hmac_final(x->hmac, digest, sizeof(digest)) < 0)
		elog(ERROR, "could not compute a hash of a body: %s", pg_hmac_error(x->hmac));
	memcpy(hash, digest, VALUE_REF_HASH_LEN);
}

static uint32
body_slot(const PayloadSet *out, const uint8 *hash, int32 day)
{
	uint32		h;

	/* the hash is a keyed one, so nobody can prepare collisions */
	memcpy(&h, hash, sizeof(h));
	h = (h + (uint32) day) & out->mask;
	while (out->slots[h] != 0 &&
		   (memcmp(out->bodies[out->slots[h] - 1].hash, hash, VALUE_REF_HASH_LEN) != 0 ||
			out->bodies[out->slots[h] - 1].day != day))
		h = (h + 1) & out->mask;
	return h;
}

/* Make room for one more body. */
static void
grow_bodies(PayloadSet *out)
{
	if (out->count < out->max)
		return;
	out->max = out->max == 0 ? 64 : out->max * 2;
	out->bodies = out->bodies == NULL ?
		palloc_extended(out->max * sizeof(PayloadBody), MCXT_ALLOC_HUGE) :
		repalloc_huge(out->bodies, out->max * sizeof(PayloadBody));
	out->mask = out->max * 2 - 1;
	if (out->slots)
		pfree(out->slots);
	out->slots = palloc_extended((out->mask + 1) * sizeof(uint32), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	for (uint32 i = 0; i < out->count; i++)
		out->slots[body_slot(out, out->bodies[i].hash, out->bodies[i].day)] = i + 1;
}

/* The reference to a body, which is kept unless only its hash is wanted. */
static Value
put_body(Extraction *x, Bytes body, uint32 size, int32 day, bool is_kept)
{
	uint8	   *hash = arena_alloc(&x->set->arena, VALUE_REF_HASH_LEN);
	uint32		slot;

	hash_body(x, body, hash);
	if (is_kept)
	{
		grow_bodies(x->out);
		slot = body_slot(x->out, hash, day);
		if (x->out->slots[slot] == 0)
		{
			PayloadBody *b = &x->out->bodies[x->out->count++];

			memcpy(b->hash, hash, VALUE_REF_HASH_LEN);
			b->day = day;
			b->body = arena_copy(&x->set->arena, body.data, body.len);
			x->out->slots[slot] = x->out->count;
		}
	}
	return (Value) {.type = VALUE_REF,.len = size,.bytes = (const char *) hash};
}

static Value
put_value(Extraction *x, const Value *v, int32 day, bool is_kept)
{
	resetStringInfo(&x->text);
	value_write_text(&x->text, v);
	return put_body(x, (Bytes) {x->text.data, x->text.len},
					v->type == VALUE_STRING ? v->len : (uint32) x->text.len, day, is_kept);
}

/* Does an array hold references, so that it has been here before? */
static bool
is_reference_list(const Value *v)
{
	ValueIterator it;
	Bytes		key;
	Value		element;

	if (v->type != VALUE_ARRAY)
		return false;
	value_iterate(&it, v);
	while (value_next(&it, &key, &element))
		if (element.type != VALUE_EMPTY)
			return element.type == VALUE_REF;
	return false;
}

/* A structured list of messages, one body each. */
static Value
put_messages(Extraction *x, const Value *list, int32 day, bool is_kept)
{
	ValueStack	stack = {0};
	ValueIterator it;
	Bytes		key;
	Value		message;
	Value		result;

	value_iterate(&it, list);
	while (value_next(&it, &key, &message))
	{
		CHECK_FOR_INTERRUPTS();
		value_push(&stack, (Bytes) {0}, put_value(x, &message, day, is_kept));
	}
	result = value_finish(&stack, 0, VALUE_ARRAY, &x->set->arena);
	if (stack.entries)
		pfree(stack.entries);
	return result;
}

/*
 * A list of messages written as JSON text.  False if the text is no JSON
 * array, has no elements, or has what SQL could not read again.
 */
static bool
put_json_messages(Extraction *x, Bytes text, int32 day, bool is_kept, Value *result)
{
	ValueStack	stack = {0};
	const uint32 *ends;
	uint32		count;

	while (text.len > 0 && strchr(" \t\r\n", text.data[0]) != NULL)
		text = (Bytes) {text.data + 1, text.len - 1};
	resetStringInfo(&x->text);
	resetStringInfo(&x->ends);
	if (text.len < 3 || text.data[0] != '[' || !json_list_split(text, &x->text, &x->ends) ||
		x->ends.len == 0)
		return false;

	ends = (const uint32 *) x->ends.data;
	count = x->ends.len / sizeof(uint32);
	value_push(&stack, (Bytes) {0}, (Value) {.type = VALUE_EMPTY});
	for (uint32 i = 0; i < count; i++)
	{
		uint32		from = i == 0 ? 0 : ends[i - 1];
		Bytes		body = {x->text.data + from, ends[i] - from};

		value_push(&stack, (Bytes) {0}, put_body(x, body, body.len, day, is_kept));
	}
	*result = value_finish(&stack, 0, VALUE_ARRAY, &x->set->arena);
	pfree(stack.entries);
	return true;
}

/* Replace the value of one attribute, if it has to leave. */
static void
extract_value(Extraction *x, const KeyRule *rule, bool is_message, Value *v, int32 day)
{
	bool		is_kept = rule->policy != PAYLOAD_HASH;
	Value		result = {.type = VALUE_EMPTY};

	if (v->type == VALUE_EMPTY || v->type == VALUE_REF || rule->policy == PAYLOAD_INLINE)
		return;
	if (!is_message && rule->policy == PAYLOAD_DEFAULT &&
		(rule->is_column || !value_is_bytes(v->type) || v->len <= x->rules->max_inline_bytes))
		return;
	if (is_reference_list(v))
		return;
	if (is_message && v->type == VALUE_ARRAY)
		result = put_messages(x, v, day, is_kept);
	else if (!(is_message && v->type == VALUE_STRING &&
			   put_json_messages(x, value_bytes(v), day, is_kept, &result)))
		result = put_value(x, v, day, is_kept);
	*v = result;
}

static void
extract_list(Extraction *x, AttrList *list, bool is_message_event, int32 day)
{
	for (uint32 i = 0; i < list->n; i++)
	{
		const KeyRule *rule = &x->keys[list->keys[i]];

		extract_value(x, rule, rule->is_message || (is_message_event && rule->is_event_message),
					  &list->values[i], day);
	}
}

/* To be called before spanset_finish: status messages become attributes. */
void
payload_prepare(SpanSet *set, const PayloadRules *rules)
{
	for (uint32 i = 0; i < set->span_count; i++)
	{
		Span	   *span = &set->spans[i];
		uint32		base = set->stack_count;

		if (span->status_message.len <= rules->max_inline_bytes)
			continue;
		for (uint32 k = 0; k < span->attributes.n; k++)
			spanset_push_attr(set, span->attributes.keys[k], span->attributes.values[k]);
		spanset_push_attr(set, spanset_key(set, BYTES_LITERAL(PAYLOAD_STATUS_MESSAGE_KEY)),
						  value_string(span->status_message));
		span->attributes = spanset_pop_attrs(set, base);
		span->status_message = (Bytes) {"", 0};
	}
}

/*
 * Move bodies out of the spans of a finished set.  O(bytes).  Resources and
 * scopes keep theirs: they describe programs, not conversations.
 */
void
payload_extract(SpanSet *set, const PayloadRules *rules, PayloadSet *out)
{
	Extraction	x = {.set = set,.rules = rules,.out = out};

	x.hmac = pg_hmac_create(PG_SHA256);
	if (x.hmac == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory")));
	initStringInfo(&x.text);
	initStringInfo(&x.ends);
	x.keys = palloc_extended(Max(set->key_count, 1) * sizeof(KeyRule), MCXT_ALLOC_HUGE);
	for (uint32 i = 0; i < set->key_count; i++)
		x.keys[i] = key_rule(&set->keys[i], rules);

	for (uint32 i = 0; i < set->span_count; i++)
	{
		Span	   *span = &set->spans[i];
		int32		day = (int32) (span->start_ns / NS_PER_DAY);

		CHECK_FOR_INTERRUPTS();
		extract_list(&x, &span->attributes, false, day);
		for (uint32 k = 0; k < span->event_count; k++)
			extract_list(&x, &span->events[k].attributes,
						 starts_with(span->events[k].name, "gen_ai."), day);
		for (uint32 k = 0; k < span->link_count; k++)
			extract_list(&x, &span->links[k].attributes, false, day);
	}
	pfree(x.keys);
	pfree(x.text.data);
	pfree(x.ends.data);
	pg_hmac_free(x.hmac);
}

/* Visit one reference, or those of a list. */
static void
visit_value(PayloadRef *ref, const Value *v, PayloadVisitor visit, void *arg)
{
	ValueIterator it;
	Bytes		key;

	if (v->type == VALUE_REF)
	{
		ref->item = -1;
		ref->ref = *v;
		visit(ref, arg);
		return;
	}
	ref->item = 0;
	value_iterate(&it, v);
	while (value_next(&it, &key, &ref->ref))
		if (ref->ref.type == VALUE_REF)
		{
			visit(ref, arg);
			ref->item++;
		}
}

static void
visit_list(const Trajectory *t, const AttrList *list, PayloadRef *ref,
		   PayloadVisitor visit, void *arg)
{
	for (uint32 i = 0; i < list->n; i++)
	{
		const Value *v = &list->values[i];
		const Key  *key = &t->keys[list->keys[i]];

		/* most are none: what a key is for is asked of those that are */
		if (v->type != VALUE_REF && !is_reference_list(v))
			continue;
		ref->key = key->name;
		message_key(key, &ref->role);
		visit_value(ref, v, visit, arg);
	}
}

/* Visit all references of a trajectory that is decoded as a whole, in order. */
void
payload_visit(const Trajectory *t, PayloadVisitor visit, void *arg)
{
	Value	   *room = palloc_extended(Max(t->max_attributes, 1) * sizeof(Value), MCXT_ALLOC_HUGE);

	for (uint32 i = 0; i < t->n; i++)
	{
		const SpanExtra *extra = trajectory_extra(t, i);
		AttrList	own = trajectory_attributes(t, i, room);
		PayloadRef	ref = {.ordinal = i,.event = -1,.link = -1};

		CHECK_FOR_INTERRUPTS();
		ref.day = (int32) (t->start_ns[i] / NS_PER_DAY);
		visit_list(t, &own, &ref, visit, arg);
		for (uint32 k = 0; extra && k < extra->event_count; k++)
		{
			ref.event = k;
			visit_list(t, &extra->events[k].attributes, &ref, visit, arg);
		}
		ref.event = -1;
		for (uint32 k = 0; extra && k < extra->link_count; k++)
		{
			ref.link = k;
			visit_list(t, &extra->links[k].attributes, &ref, visit, arg);
		}
	}
	pfree(room);
}

/* A list of messages from its references; unchanged if one is not there. */
static void
restore_messages(SpanSet *set, Value *v, PayloadLookup lookup, void *arg)
{
	ValueStack	stack = {0};
	StringInfoData text;
	ValueIterator it;
	Bytes		key;
	Value		element;
	bool		is_text = false;
	bool		is_whole = true;

	initStringInfo(&text);
	value_iterate(&it, v);
	while (value_next(&it, &key, &element) && is_whole)
	{
		Bytes		body;

		if (element.type != VALUE_REF)
		{
			is_text = true;
			continue;
		}
		is_whole = lookup(&element, &body, arg);
		if (!is_whole)
			break;
		appendStringInfoString(&text, text.len == 0 ? "[" : ", ");
		appendBinaryStringInfo(&text, body.data, body.len);
		if (!is_text)
			value_push(&stack, (Bytes) {0}, value_read_text(set, body));
	}
	appendStringInfoChar(&text, ']');
	if (is_whole && is_text)
		*v = value_string(arena_copy(&set->arena, text.data, text.len));
	else if (is_whole)
		*v = value_finish(&stack, 0, VALUE_ARRAY, &set->arena);
	pfree(text.data);
	if (stack.entries)
		pfree(stack.entries);
}

static void
restore_list(SpanSet *set, AttrList *list, PayloadLookup lookup, void *arg)
{
	for (uint32 i = 0; i < list->n; i++)
	{
		Value	   *v = &list->values[i];
		Bytes		body;

		if (v->type == VALUE_REF)
		{
			if (lookup(v, &body, arg))
				*v = value_read_text(set, body);
		}
		else if (is_reference_list(v))
			restore_messages(set, v, lookup, arg);
	}
}

/* A status message that became an attribute is one again. */
static void
restore_status_message(SpanSet *set, Span *span)
{
	uint32		base = set->stack_count;

	for (uint32 i = 0; i < span->attributes.n; i++)
	{
		uint32		key = span->attributes.keys[i];
		Value		v = span->attributes.values[i];

		if (v.type == VALUE_STRING &&
			bytes_equal_cstring(set->keys[key].name, PAYLOAD_STATUS_MESSAGE_KEY))
			span->status_message = value_bytes(&v);
		else
			spanset_push_attr(set, key, v);
	}
	if (set->stack_count - base < span->attributes.n)
		span->attributes = spanset_pop_attrs(set, base);
	else
		set->stack_count = base;
}

/*
 * Put back the bodies that the lookup knows, in the spans of a set that is not
 * finished yet.  Bodies are read as text input is, so malformed ones raise an
 * error.
 */
void
payload_restore(SpanSet *set, PayloadLookup lookup, void *arg)
{
	for (uint32 i = 0; i < set->span_count; i++)
	{
		Span	   *span = &set->spans[i];

		CHECK_FOR_INTERRUPTS();
		restore_list(set, &span->attributes, lookup, arg);
		for (uint32 k = 0; k < span->event_count; k++)
			restore_list(set, &span->events[k].attributes, lookup, arg);
		for (uint32 k = 0; k < span->link_count; k++)
			restore_list(set, &span->links[k].attributes, lookup, arg);
		restore_status_message(set, span);
	}
}
