/*
 * payload.h
 *		Bodies that leave a trajectory: messages, arguments, long strings.
 *
 * What people wrote to models and what models answered is large, repeats
 * itself from call to call, and is not for everybody.  It is kept elsewhere,
 * once a content, and the trajectory keeps references: the hash of the body
 * and its size.
 *
 * A body is the JSON text of a value (value_write_text).  A value becomes
 *
 *		a reference						in general
 *		an array of references			a list of messages: a body each, so
 *										that a history shared by many calls
 *										is kept once
 *		the same, after an empty value	a list of messages written as JSON
 *										text; its bodies are the elements with
 *										", " and ": " between tokens
 *
 * An array that holds references comes from here and nowhere else.  A hash is
 * HMAC-SHA-256, cut to 16 bytes: that of a short body could be guessed if it
 * were not keyed.
 */
#ifndef LLMTRACE_PAYLOAD_H
#define LLMTRACE_PAYLOAD_H

#include "kernel/trajectory.h"

/* Where the status message of a span waits that is too long to stay. */
#define PAYLOAD_STATUS_MESSAGE_KEY "llmtrace.status_message"

/* What to do with the values of a key. */
typedef enum PayloadPolicy
{
	PAYLOAD_DEFAULT = 0,		/* store messages, and what is long */
	PAYLOAD_STORE,				/* store, at any size */
	PAYLOAD_HASH,				/* keep the hash and size only */
	PAYLOAD_INLINE				/* leave it in the trajectory */
} PayloadPolicy;

typedef struct PayloadKeyPolicy
{
	Bytes		key;
	PayloadPolicy policy;
} PayloadKeyPolicy;

typedef struct PayloadRules
{
	Bytes		secret;
	uint32		max_inline_bytes;	/* a longer string leaves */
	const PayloadKeyPolicy *policies;
	uint32		policy_count;
} PayloadRules;

typedef struct PayloadBody
{
	uint8		hash[VALUE_REF_HASH_LEN];
	int32		day;			/* of the span's start, UTC, from 1970-01-01 */
	Bytes		body;
} PayloadBody;

/* The bodies of a set of spans, each once a day. */
typedef struct PayloadSet
{
	PayloadBody *bodies;
	uint32		count;
	uint32		max;
	uint32	   *slots;			/* hash table of place + 1 */
	uint32		mask;
} PayloadSet;

/* What a body is to its span. */
typedef enum PayloadRole
{
	PAYLOAD_OTHER = 0,
	PAYLOAD_SYSTEM,
	PAYLOAD_INPUT,
	PAYLOAD_OUTPUT,
	PAYLOAD_TOOL_ARGUMENTS,
	PAYLOAD_TOOL_RESULT,
	PAYLOAD_DOCUMENTS
} PayloadRole;

extern const char *const payload_role_names[];

/* One reference of a trajectory. */
typedef struct PayloadRef
{
	uint32		ordinal;
	int32		event;			/* the event it is of, from 0; or -1 */
	int32		link;			/* the link it is of, from 0; or -1 */
	Bytes		key;
	int32		item;			/* place in a list of messages, from 0; or -1 */
	int32		day;
	PayloadRole role;
	Value		ref;
} PayloadRef;

typedef void (*PayloadVisitor) (const PayloadRef *ref, void *arg);

/* Gives the body of a reference, or false. */
typedef bool (*PayloadLookup) (const Value *ref, Bytes *body, void *arg);

extern void payload_prepare(SpanSet *set, const PayloadRules *rules);
extern void payload_extract(SpanSet *set, const PayloadRules *rules, PayloadSet *out);
extern void payload_visit(const Trajectory *t, PayloadVisitor visit, void *arg);
extern void payload_restore(SpanSet *set, PayloadLookup lookup, void *arg);

#endif							/* LLMTRACE_PAYLOAD_H */
