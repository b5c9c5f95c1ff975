/*
 * transcript.c
 *		Runs that come without a trace: lists of actions, and chats.
 *
 *	actions		[{"tool": "search", "args": {…}, "failed": false}, …]; "agent"
 *				or "model" in place of "tool"; "actions": […] of a sub-agent
 *	messages	[{"role": …, "content": …, "tool_calls": […]}, …], as the chat
 *				interfaces of OpenAI and Anthropic have them, or an object with
 *				such "messages"
 *
 * They become spans below one of an agent, a millisecond each from 1970 on, so
 * that all that is asked of traces can be asked of them.  The trace id is made
 * from the bytes of the input.
 *
 * The result of a call that says so (is_error, status "error"), or whose text
 * begins with "Error:", makes the call one that failed.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "kernel/json_value.h"
#include "kernel/transcript.h"
#include "miscadmin.h"

#define TICK_NS INT64CONST(1000000)

typedef struct Transcript
{
	SpanSet    *set;
	JsonReader	json;
	ValueStack	stack;
	uint8		trace_id[16];
	int64		now;			/* ticks */
} Transcript;

/* A call, as one of many forms has it. */
typedef struct Call
{
	Bytes		name;
	Bytes		id;
	Bytes		arguments;		/* JSON */
	uint8		kind;			/* OperationKind */
	bool		is_failed;
} Call;

/* Calls that wait for their results. */
typedef struct PendingCall
{
	Bytes		id;
	uint32		span;
} PendingCall;

static void
begin(Transcript *t, SpanSet *set, const char *json, size_t len, const char *what)
{
	*t = (Transcript) {.set = set,.now = 1};
	store_uint64(t->trace_id, hash_bytes_extended((const unsigned char *) json, (int) len, 1));
	store_uint64(t->trace_id + 8, hash_bytes_extended((const unsigned char *) json, (int) len, 2) | 1);
	spanset_add_resource(set);
	spanset_add_scope(set);
	json_reader_init(&t->json, json, len, what, &set->arena);
}

static void
push_text(SpanSet *set, const char *key, Bytes text)
{
	if (text.len > 0)
		spanset_push_attr(set, spanset_key(set, (Bytes) {key, strlen(key)}), value_string(text));
}

static Bytes
joined(SpanSet *set, const char *prefix, Bytes name)
{
	uint32		len = strlen(prefix);
	char	   *text = arena_alloc(&set->arena, len + name.len);

	name.len = Min(name.len, SPAN_NAME_MAX_LEN - len);
	memcpy(text, prefix, len);
	memcpy(text + len, name.data, name.len);
	return (Bytes) {text, len + name.len};
}

/* One span; its number is its id. */
static uint32
add_span(Transcript *t, uint64 parent_id, const Call *call)
{
	SpanSet    *set = t->set;
	uint32		base = set->stack_count;
	Span		span = {.parent_id = parent_id};
	const char *operation = call->kind == KIND_AGENT ? "invoke_agent" :
		call->kind == KIND_LLM ? "chat" : "execute_tool";

	memcpy(span.trace_id, t->trace_id, sizeof(span.trace_id));
	span.span_id = set->span_count + 1;
	span.start_ns = t->now++ * TICK_NS;
	span.end_ns = span.start_ns + TICK_NS;
	span.status = call->is_failed ? SPAN_STATUS_ERROR : SPAN_STATUS_UNSET;
	span.name = joined(set, psprintf("%s ", operation), call->name);
	push_text(set, "gen_ai.operation.name", (Bytes) {operation, strlen(operation)});
	push_text(set, call->kind == KIND_AGENT ? "gen_ai.agent.name" :
			  call->kind == KIND_LLM ? "gen_ai.request.model" : "gen_ai.tool.name", call->name);
	push_text(set, "gen_ai.tool.call.id", call->id);
	push_text(set, "gen_ai.tool.call.arguments", call->arguments);
	span.attributes = spanset_pop_attrs(set, base);
	*spanset_add_span(set) = span;
	return set->span_count - 1;
}

static void
end_span(Transcript *t, uint32 span)
{
	t->set->spans[span].end_ns = t->now * TICK_NS;
}

static uint32
add_root(Transcript *t)
{
	Call		root = {.name = BYTES_LITERAL("agent"),.kind = KIND_AGENT};

	return add_span(t, 0, &root);
}

/* Arguments: an object, or a text that holds one. */
static Bytes
read_arguments(Transcript *t)
{
	StringInfoData buf;
	Value		v = json_read_value(&t->json, &t->stack);
	Bytes		copy;

	if (v.type == VALUE_STRING)
		return value_bytes(&v);
	if (v.type == VALUE_EMPTY)
		return (Bytes) {"", 0};
	initStringInfo(&buf);
	json_put_value(&buf, &v);
	copy = arena_copy(&t->set->arena, buf.data, buf.len);
	pfree(buf.data);
	return copy;
}

static bool
read_bool(Transcript *t)
{
	bool		is_true = t->json.token == JSON_TOKEN_TRUE;

	if (!is_true && t->json.token != JSON_TOKEN_FALSE && t->json.token != JSON_TOKEN_NULL)
		json_fail(&t->json, "true or false");
	json_next(&t->json);
	return is_true;
}

/* A text, or nothing if it is something else. */
static Bytes
read_text(Transcript *t)
{
	if (t->json.token == JSON_TOKEN_STRING)
		return json_string(&t->json);
	json_skip(&t->json);
	return (Bytes) {"", 0};
}

static bool
is(Bytes name, const char *word)
{
	return bytes_equal_cstring(name, word);
}

/* --------------------------------------------------------------- actions --- */

static void read_actions(Transcript *t, uint64 parent_id, int depth);

static void
read_action(Transcript *t, uint64 parent_id, int depth)
{
	Call		call = {.name = {"", 0},.kind = KIND_TOOL};
	uint32		span;
	JsonReader	inner;
	bool		has_inner = false;
	Bytes		name;

	json_begin_object(&t->json);
	while (json_next_member(&t->json, &name))
	{
		if (is(name, "tool") || is(name, "agent") || is(name, "model"))
		{
			if (call.name.len > 0)
				json_fail_detail(&t->json, "an action has one of tool, agent and model.");
			call.kind = is(name, "tool") ? KIND_TOOL : is(name, "agent") ? KIND_AGENT : KIND_LLM;
			call.name = json_string(&t->json);
		}
		else if (is(name, "args"))
			call.arguments = read_arguments(t);
		else if (is(name, "failed"))
			call.is_failed = read_bool(t);
		else if (is(name, "actions") && t->json.token == JSON_TOKEN_ARRAY_START && !has_inner)
		{
			/* they come after their agent, whose name may still follow */
			size_t		offset = json_offset(&t->json);

			has_inner = true;
			json_skip(&t->json);
			json_reader_init(&inner, t->json.input + offset, t->json.input_len - offset,
							 t->json.what, t->json.arena);
		}
		else
			json_fail_detail(&t->json, psprintf("\"%.*s\" is not known here; an action has tool, agent or model, args, failed and actions.",
												utf8_clip(name, 60), name.data));
	}
	if (call.name.len == 0)
		json_fail_detail(&t->json, "an action needs a tool, an agent or a model.");
	span = add_span(t, parent_id, &call);
	if (has_inner)
	{
		JsonReader	outer = t->json;

		t->json = inner;
		read_actions(t, span + 1, depth + 1);
		t->json = outer;
		end_span(t, span);
	}
}

/* The recursion is bounded by TRANSCRIPT_MAX_DEPTH. */
static void
read_actions(Transcript *t, uint64 parent_id, int depth)
{
	if (depth > TRANSCRIPT_MAX_DEPTH)
		json_fail_detail(&t->json, psprintf("actions are nested deeper than %d levels.", TRANSCRIPT_MAX_DEPTH));
	json_begin_array(&t->json);
	/* the end of what is nested is the end of its text */
	while (t->json.token != JSON_TOKEN_ARRAY_END)
	{
		if (!json_next_element(&t->json))
			return;
		read_action(t, parent_id, depth);
		CHECK_FOR_INTERRUPTS();
	}
	if (depth == 0)
		json_next(&t->json);
}

void
transcript_read_actions(SpanSet *set, const char *json, size_t len)
{
	Transcript	t;
	uint32		root;

	begin(&t, set, json, len, "list of actions");
	root = add_root(&t);
	read_actions(&t, root + 1, 0);
	if (t.json.token != JSON_TOKEN_END)
		json_fail(&t.json, "the end");
	end_span(&t, root);
}

/* -------------------------------------------------------------- messages --- */

typedef struct Chat
{
	Transcript	t;
	uint32		root;
	PendingCall *pending;
	uint32		pending_count;
	uint32		pending_max;
} Chat;

static void
add_call(Chat *c, const Call *call)
{
	if (call->name.len == 0)
		json_fail_detail(&c->t.json, "a call of a tool has no name.");
	if (c->pending_count >= c->pending_max)
	{
		c->pending_max = Max(c->pending_max * 2, 16);
		c->pending = c->pending ? repalloc(c->pending, c->pending_max * sizeof(PendingCall)) :
			palloc(c->pending_max * sizeof(PendingCall));
	}
	c->pending[c->pending_count++] = (PendingCall) {
		call->id, add_span(&c->t, c->root + 1, call)
	};
}

/* A result without an id is that of the oldest call. */
static void
add_result(Chat *c, Bytes id, bool is_failed)
{
	for (uint32 i = 0; i < c->pending_count; i++)
		if (id.len == 0 || bytes_equal(c->pending[i].id, id))
		{
			Span	   *span = &c->t.set->spans[c->pending[i].span];

			span->end_ns = c->t.now++ * TICK_NS;
			if (is_failed)
				span->status = SPAN_STATUS_ERROR;
			memmove(&c->pending[i], &c->pending[i + 1],
					(--c->pending_count - i) * sizeof(PendingCall));
			return;
		}
}

static bool
says_error(Bytes text)
{
	static const char word[] = "Error:";

	return text.len >= sizeof(word) - 1 && memcmp(text.data, word, sizeof(word) - 1) == 0;
}

/* {"name": …, "arguments": …}, within a call or as one. */
static void
read_function(Chat *c, Call *call)
{
	Bytes		name;

	json_begin_object(&c->t.json);
	while (json_next_member(&c->t.json, &name))
	{
		if (is(name, "name"))
			call->name = read_text(&c->t);
		else if (is(name, "arguments") || is(name, "args") || is(name, "input"))
			call->arguments = read_arguments(&c->t);
		else if (is(name, "id"))
			call->id = read_text(&c->t);
		else if (is(name, "function") && c->t.json.token == JSON_TOKEN_OBJECT_START && call->kind == KIND_TOOL)
		{
			call->kind = KIND_OTHER;	/* not another within */
			read_function(c, call);
			call->kind = KIND_TOOL;
		}
		else
			json_skip(&c->t.json);
	}
}

static Call
read_call(Chat *c)
{
	Call		call = {.name = {"", 0},.id = {"", 0},.kind = KIND_TOOL};

	read_function(c, &call);
	return call;
}

typedef struct Calls
{
	Call	   *calls;
	uint32		count;
	uint32		max;
} Calls;

static void
push_call(Calls *calls, Call call)
{
	if (calls->count >= calls->max)
	{
		calls->max = Max(calls->max * 2, 8);
		calls->calls = calls->calls ? repalloc(calls->calls, calls->max * sizeof(Call)) :
			palloc(calls->max * sizeof(Call));
	}
	calls->calls[calls->count++] = call;
}

/* A block of Anthropic's content: text, a call, or the result of one. */
static void
read_block(Chat *c, Calls *calls, bool *says_failed)
{
	Call		call = {.name = {"", 0},.id = {"", 0},.kind = KIND_TOOL};
	Bytes		type = {"", 0};
	Bytes		result_of = {"", 0};
	Bytes		text = {"", 0};
	bool		is_error = false;
	Bytes		name;

	if (c->t.json.token != JSON_TOKEN_OBJECT_START)
	{
		json_skip(&c->t.json);
		return;
	}
	json_begin_object(&c->t.json);
	while (json_next_member(&c->t.json, &name))
	{
		if (is(name, "type"))
			type = read_text(&c->t);
		else if (is(name, "name"))
			call.name = read_text(&c->t);
		else if (is(name, "id"))
			call.id = read_text(&c->t);
		else if (is(name, "input"))
			call.arguments = read_arguments(&c->t);
		else if (is(name, "tool_use_id"))
			result_of = read_text(&c->t);
		else if (is(name, "is_error"))
			is_error = read_bool(&c->t);
		else if (is(name, "text") || is(name, "content"))
			text = read_text(&c->t);
		else
			json_skip(&c->t.json);
	}
	if (is(type, "tool_use"))
		push_call(calls, call);
	else if (is(type, "tool_result"))
		add_result(c, result_of, is_error || says_error(text));
	else
		*says_failed |= says_error(text);
}

static void
read_message(Chat *c)
{
	Call		turn = {.name = BYTES_LITERAL("model"),.kind = KIND_LLM};
	Calls		calls = {0};
	Bytes		role = {"", 0};
	Bytes		result_of = {"", 0};
	bool		is_failed = false;
	Bytes		name;

	json_begin_object(&c->t.json);
	while (json_next_member(&c->t.json, &name))
	{
		if (is(name, "role") || is(name, "type"))
			role = role.len > 0 ? (json_skip(&c->t.json), role) : read_text(&c->t);
		else if (is(name, "tool_call_id"))
			result_of = read_text(&c->t);
		else if (is(name, "status"))
			is_failed |= is(read_text(&c->t), "error");
		else if (is(name, "is_error"))
			is_failed |= read_bool(&c->t);
		else if (is(name, "model"))
		{
			Bytes		model = read_text(&c->t);

			if (model.len > 0)
				turn.name = model;
		}
		else if (is(name, "tool_calls") && c->t.json.token == JSON_TOKEN_ARRAY_START)
		{
			json_begin_array(&c->t.json);
			while (json_next_element(&c->t.json))
				push_call(&calls, read_call(c));
		}
		else if (is(name, "function_call") && c->t.json.token == JSON_TOKEN_OBJECT_START)
			push_call(&calls, read_call(c));
		else if (is(name, "content") && c->t.json.token == JSON_TOKEN_ARRAY_START)
		{
			json_begin_array(&c->t.json);
			while (json_next_element(&c->t.json))
				read_block(c, &calls, &is_failed);
		}
		else if (is(name, "content"))
			is_failed |= says_error(read_text(&c->t));
		else
			json_skip(&c->t.json);
	}
	if (is(role, "assistant") || is(role, "ai"))
		add_span(&c->t, c->root + 1, &turn);
	else if (is(role, "tool") || is(role, "function"))
		add_result(c, result_of, is_failed);
	for (uint32 i = 0; i < calls.count; i++)
		add_call(c, &calls.calls[i]);
}

static void
read_messages(Chat *c)
{
	json_begin_array(&c->t.json);
	while (json_next_element(&c->t.json))
	{
		read_message(c);
		CHECK_FOR_INTERRUPTS();
	}
}

void
transcript_read_messages(SpanSet *set, const char *json, size_t len)
{
	Chat		c = {0};
	bool		is_found = false;
	Bytes		name;

	begin(&c.t, set, json, len, "list of messages");
	c.root = add_root(&c.t);
	if (c.t.json.token == JSON_TOKEN_ARRAY_START)
		read_messages(&c);
	else
	{
		json_begin_object(&c.t.json);
		while (json_next_member(&c.t.json, &name))
			if (is(name, "messages") && !is_found)
			{
				is_found = true;
				read_messages(&c);
			}
			else
				json_skip(&c.t.json);
		if (!is_found)
			json_fail_detail(&c.t.json, "there are no \"messages\".");
	}
	if (c.t.json.token != JSON_TOKEN_END)
		json_fail(&c.t.json, "the end");
	end_span(&c.t, c.root);
}
