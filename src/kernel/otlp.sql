-- OTLP to trajectories.

CREATE FUNCTION trajectories_from_otlp(document text) RETURNS SETOF trajectory
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000 ROWS 20;
COMMENT ON FUNCTION trajectories_from_otlp(text) IS
'The traces of any number of OTLP/JSON documents (ExportTraceServiceRequest) that follow one another, one row a trace. A span that cannot be kept is left out with a warning that says why; a document that is not OTLP is an error.';

CREATE FUNCTION trajectories_from_otlp_protobuf(message bytea) RETURNS SETOF trajectory
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000 ROWS 20;
COMMENT ON FUNCTION trajectories_from_otlp_protobuf(bytea) IS
'The traces of one OTLP protobuf message (ExportTraceServiceRequest), one row a trace. A span that cannot be kept is left out with a warning that says why; bytes that are not OTLP are an error.';
