-- Bodies that left a trajectory.

CREATE FUNCTION payload_refs(t trajectory) RETURNS TABLE (
	ordinal integer,
	span_id text,
	event_number integer,
	link_number integer,
	key text,
	item_number integer,
	role text,
	hash uuid,
	body_bytes bigint,
	day date
)
	AS 'MODULE_PATHNAME', 'trajectory_payload_refs' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000 ROWS 20;
COMMENT ON FUNCTION payload_refs(trajectory) IS
'One row a body that is kept outside of the trajectory: the span, the event or link if it is on one (from 1), the attribute, the place in a list of messages (from 1), its role (system, input, output, tool_arguments, tool_result, documents, other), the keyed hash of the body, its size in bytes, and the UTC day of the span, by which bodies are stored.';

CREATE FUNCTION with_bodies(t trajectory, hashes uuid[], bodies text[]) RETURNS trajectory
	AS 'MODULE_PATHNAME', 'trajectory_with_bodies' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 5000;
COMMENT ON FUNCTION with_bodies(trajectory, uuid[], text[]) IS
'The trajectory with bodies, given by hash as JSON text, put back in place of their references; references to others stay.';
