-- Pictures.

CREATE FUNCTION waterfall_svg(t trajectory) RETURNS text
	AS 'MODULE_PATHNAME', 'trajectory_waterfall_svg' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 2000;
COMMENT ON FUNCTION waterfall_svg(trajectory) IS
'The trajectory as an SVG document that needs nothing else: one bar a span, coloured by kind, what of it is on the critical path dark, failures red. Of more than 200 spans the longest are drawn. For a file: psql -XAtqc "..." > trace.svg. Example: SELECT llmtrace.waterfall_svg(trajectory) FROM llmtrace.trajectories LIMIT 1';

CREATE FUNCTION flamegraph_svg(p profile, measure text DEFAULT 'critical_ms') RETURNS text
	AS 'MODULE_PATHNAME', 'profile_flamegraph_svg' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 2000;
COMMENT ON FUNCTION flamegraph_svg(profile, text) IS
'The profile as a flame graph, roots on top, as an SVG document that needs nothing else. The width of a frame is a measure of it and all below it: critical_ms, self_ms, calls, error_count, input_tokens, output_tokens or reported_cost_usd.';
