-- Traces that went, and failed, alike.

CREATE FUNCTION similarity_distance(a trajectory, b trajectory) RETURNS double precision
	AS 'MODULE_PATHNAME', 'trajectory_similarity_distance' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 400;
COMMENT ON FUNCTION similarity_distance(trajectory, trajectory) IS
'How different two traces are in the shape of what they did and how it failed, from 0 to 1: names, their order and nesting, and failures with what was around them. It knows nothing of what texts mean. The operator is <->.';

CREATE OPERATOR <-> (
	LEFTARG = trajectory, RIGHTARG = trajectory, FUNCTION = similarity_distance, COMMUTATOR = <->
);
COMMENT ON OPERATOR <-> (trajectory, trajectory) IS 'how different two traces are in shape and failures, from 0 to 1';
