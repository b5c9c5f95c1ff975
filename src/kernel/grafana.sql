-- The frames that Grafana's panels read.

CREATE FUNCTION grafana_trace(t trajectory) RETURNS TABLE (
	"traceID" text,
	"spanID" text,
	"parentSpanID" text,
	"operationName" text,
	"serviceName" text,
	"serviceTags" jsonb,
	"startTime" double precision,
	duration double precision,
	tags jsonb,
	kind text,
	"statusCode" integer,
	"statusMessage" text
)
	AS 'MODULE_PATHNAME', 'trajectory_grafana_trace' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 5000 ROWS 50;
COMMENT ON FUNCTION grafana_trace(trajectory) IS
'The trajectory as Grafana''s trace panel reads it, one row a span: startTime in milliseconds since 1970, duration in milliseconds (0 for an open span), statusCode 0 unset, 1 ok, 2 error.';

CREATE FUNCTION grafana_flamegraph(p profile, measure text DEFAULT 'critical_ms') RETURNS TABLE (
	level integer,
	value double precision,
	label text,
	self double precision
)
	AS 'MODULE_PATHNAME', 'profile_grafana_flamegraph' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 500 ROWS 100;
COMMENT ON FUNCTION grafana_flamegraph(profile, text) IS
'The profile as Grafana''s flame graph panel reads it, depth first; measure as of flamegraph_svg.';

CREATE FUNCTION grafana_nodes(t trajectory) RETURNS TABLE (
	id text,
	title text,
	subtitle text,
	mainstat text,
	secondarystat text,
	arc__ok double precision,
	arc__failed double precision,
	detail__calls bigint,
	detail__self_ms double precision
)
	LANGUAGE SQL IMMUTABLE STRICT PARALLEL SAFE COST 5000 ROWS 20
BEGIN ATOMIC
	SELECT s.kind || ':' || s.name, s.name, s.kind,
		pg_catalog.round(pg_catalog.sum(s.self_ms)::numeric, 1) || ' ms', pg_catalog.count(*) || ' calls',
		1 - pg_catalog.avg(s.is_error::integer::double precision), pg_catalog.avg(s.is_error::integer::double precision),
		pg_catalog.count(*), pg_catalog.sum(s.self_ms)
	FROM spans(t) s
	GROUP BY s.kind, s.name
	ORDER BY pg_catalog.min(s.ordinal)
	LIMIT 1500;
END;
COMMENT ON FUNCTION grafana_nodes(trajectory) IS
'Kinds and names of spans as the nodes of Grafana''s node graph, in the order of their first span, at most 1,500: self time and calls, shares of calls that went well and failed.';

CREATE FUNCTION grafana_edges(t trajectory) RETURNS TABLE (
	id text,
	source text,
	target text,
	mainstat text,
	secondarystat text,
	detail__calls bigint,
	detail__total_ms double precision
)
	LANGUAGE SQL IMMUTABLE STRICT PARALLEL SAFE COST 5000 ROWS 20
BEGIN ATOMIC
	SELECT p.id || ' > ' || c.id, p.id, c.id, pg_catalog.count(*) || ' calls',
		pg_catalog.round(pg_catalog.sum(c.duration_ms)::numeric, 1) || ' ms', pg_catalog.count(*), pg_catalog.sum(c.duration_ms)
	FROM (SELECT s.kind || ':' || s.name AS id, s.ordinal, s.parent, s.duration_ms FROM spans(t) s) c
		JOIN (SELECT s.kind || ':' || s.name AS id, s.ordinal FROM spans(t) s) p ON p.ordinal = c.parent
		JOIN grafana_nodes(t) known ON known.id = p.id
		JOIN grafana_nodes(t) also_known ON also_known.id = c.id
	GROUP BY p.id, c.id
	ORDER BY pg_catalog.min(c.ordinal);
END;
COMMENT ON FUNCTION grafana_edges(trajectory) IS
'Which kind and name of span called which, as the edges of Grafana''s node graph: both ends are among grafana_nodes.';
