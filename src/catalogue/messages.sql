-- Bodies of messages, for those who may read them.

-- With the owner's rights: who may call this reads the bodies to which traces
-- refer that he may read, for nobody guesses a hash, and no others.
CREATE FUNCTION llmtrace.body(day date, hash uuid) RETURNS text
	LANGUAGE sql STABLE PARALLEL SAFE STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	SELECT p.body FROM llmtrace.payloads p WHERE p.day = body.day AND p.hash = body.hash LIMIT 1;
END;
COMMENT ON FUNCTION llmtrace.body(date, uuid) IS 'a body, as JSON text, by the day of its span and its hash; NULL if it is not kept';

CREATE VIEW llmtrace.messages WITH (security_invoker = true) AS
SELECT t.trace_id,
	r.span_id,
	r.ordinal,
	t.started_at,
	r.role AS part,
	r.item_number AS message_number,
	CASE WHEN b.body LIKE '{%' THEN b.body::json ->> 'role' END AS role,
	CASE
		WHEN b.body LIKE '"%' THEN b.body::jsonb #>> '{}'
		WHEN b.body LIKE '{%' AND pg_catalog.json_typeof(b.body::json -> 'content') = 'string' THEN b.body::json ->> 'content'
		ELSE b.body
	END AS content,
	r.body_bytes,
	r.key,
	r.event_number,
	r.link_number,
	t.feature,
	t.tenant_id,
	t.user_id,
	t.conversation_id,
	t.agent_name
FROM llmtrace.trajectories t
	CROSS JOIN LATERAL llmtrace.payload_refs(t.trajectory) r
	CROSS JOIN LATERAL (SELECT llmtrace.body(r.day, r.hash) AS body) b;
COMMENT ON VIEW llmtrace.messages IS 'One row a body: a message, a tool''s arguments or result, a long attribute. For those who may read bodies (grant_payload_reader). Example: SELECT part, message_number, role, content FROM llmtrace.messages WHERE started_at > now() - interval ''1 day'' LIMIT 10';
COMMENT ON COLUMN llmtrace.messages.trace_id IS 'id of the trace';
COMMENT ON COLUMN llmtrace.messages.span_id IS 'id of the span that has it';
COMMENT ON COLUMN llmtrace.messages.ordinal IS 'place of that span in the trace, from 1';
COMMENT ON COLUMN llmtrace.messages.started_at IS 'start of the trace';
COMMENT ON COLUMN llmtrace.messages.part IS 'system, input, output, tool_arguments, tool_result, documents or other';
COMMENT ON COLUMN llmtrace.messages.message_number IS 'place in a list of messages, from 1; NULL if it is not of a list';
COMMENT ON COLUMN llmtrace.messages.role IS 'who speaks, where the message says so: user, assistant, tool, ...';
COMMENT ON COLUMN llmtrace.messages.content IS 'the text, or JSON where it is more than a text; NULL if only the hash is kept';
COMMENT ON COLUMN llmtrace.messages.body_bytes IS 'size in bytes';
COMMENT ON COLUMN llmtrace.messages.key IS 'the attribute it is from';
COMMENT ON COLUMN llmtrace.messages.event_number IS 'the event it is from, from 1; NULL for the span itself';
COMMENT ON COLUMN llmtrace.messages.link_number IS 'the link of the span that has it, from 1; NULL if it is no link''s';
COMMENT ON COLUMN llmtrace.messages.feature IS 'feature of the trace';
COMMENT ON COLUMN llmtrace.messages.tenant_id IS 'tenant of the trace';
COMMENT ON COLUMN llmtrace.messages.user_id IS 'user of the trace';
COMMENT ON COLUMN llmtrace.messages.conversation_id IS 'conversation of the trace';
COMMENT ON COLUMN llmtrace.messages.agent_name IS 'root agent of the trace';

CREATE FUNCTION llmtrace.payload(t llmtrace.trajectory, ordinal integer, key text) RETURNS text
	LANGUAGE sql STABLE PARALLEL SAFE STRICT
BEGIN ATOMIC
	SELECT CASE
		WHEN count(*) = 0 THEN NULL
		WHEN bool_and(x.item_number IS NULL) THEN
			min(CASE WHEN x.body LIKE '"%' THEN x.body::jsonb #>> '{}' ELSE x.body END)
		ELSE '[' || pg_catalog.string_agg(x.body, ', ' ORDER BY x.item_number) || ']'
	END
	FROM (
		SELECT r.item_number, llmtrace.body(r.day, r.hash) AS body
		FROM llmtrace.payload_refs(t) r
		WHERE r.ordinal = payload.ordinal AND r.key = payload.key AND r.event_number IS NULL AND r.link_number IS NULL) x;
END;
COMMENT ON FUNCTION llmtrace.payload(llmtrace.trajectory, integer, text) IS
'The body of a span''s attribute that was moved to payloads: the text, or JSON. The span is given by its ordinal, from 1. NULL if it was not moved or only its hash is kept. Example: SELECT llmtrace.payload(llmtrace.trace(''4bf92f35''), 1, ''input.value'')';

CREATE FUNCTION llmtrace.restore_bodies(t llmtrace.trajectory) RETURNS llmtrace.trajectory
	LANGUAGE sql STABLE PARALLEL SAFE STRICT
BEGIN ATOMIC
	SELECT llmtrace.with_bodies(t,
		coalesce(pg_catalog.array_agg(x.hash) FILTER (WHERE x.body IS NOT NULL), '{}'),
		coalesce(pg_catalog.array_agg(x.body) FILTER (WHERE x.body IS NOT NULL), '{}'))
	FROM (
		SELECT r.hash, llmtrace.body(min(r.day), r.hash) AS body
		FROM llmtrace.payload_refs(t) r
		GROUP BY r.hash) x;
END;
COMMENT ON FUNCTION llmtrace.restore_bodies(llmtrace.trajectory) IS
'A stored trace with its bodies put back. For those who may read them (grant_payload_reader). Example: SELECT llmtrace.span_attributes(llmtrace.restore_bodies(llmtrace.trace(''4bf92f35'')), 1)';

CREATE FUNCTION llmtrace.export_otlp(trace_id uuid) RETURNS text
	LANGUAGE sql STABLE PARALLEL SAFE STRICT
BEGIN ATOMIC
	SELECT llmtrace.to_otlp(llmtrace.restore_bodies(llmtrace.stored_trace(trace_id)));
END;
COMMENT ON FUNCTION llmtrace.export_otlp(uuid) IS
'A stored trace as OTLP/JSON with its bodies, for any collector. For those who may read them (grant_payload_reader). NULL if there is no such trace.';
