-- Plans: what was planned, and how far from it what was done is.

CREATE FUNCTION llmtrace.plan_options() RETURNS jsonb
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT pg_catalog.jsonb_build_object('effects',
		coalesce(pg_catalog.jsonb_object_agg(c.tool_name, c.effect) FILTER (WHERE c.effect IS NOT NULL), '{}'))
	FROM llmtrace.tool_class c;
END;
COMMENT ON FUNCTION llmtrace.plan_options() IS
'Options for plan_distance and its like: the effects that table tool_class gives to tools, for those that a plan does not classify itself. Example: SELECT llmtrace.plan_distance(''search -> answer'', llmtrace.trace(''4bf92f35''), llmtrace.plan_options())';

CREATE FUNCTION llmtrace.plan_for(t llmtrace.trajectory, agent_name text, feature text, at timestamptz)
	RETURNS TABLE (plan llmtrace.plan, plan_source text)
	LANGUAGE sql STABLE PARALLEL SAFE ROWS 1
BEGIN ATOMIC
	-- OFFSET: read the trace once
	SELECT coalesce(n.plan, r.plan),
		CASE WHEN n.plan IS NOT NULL THEN 'recorded' WHEN r.plan IS NOT NULL THEN 'reference' ELSE 'none' END
	FROM (SELECT llmtrace.trace_plan(t) AS plan OFFSET 0) n
		LEFT JOIN LATERAL (
			SELECT p.plan
			FROM llmtrace.reference_plan p
			WHERE n.plan IS NULL AND (p.agent_name IS NULL OR p.agent_name = plan_for.agent_name)
				AND (p.feature IS NULL OR p.feature = plan_for.feature) AND p.valid @> at
			ORDER BY p.agent_name IS NULL, p.feature IS NULL, pg_catalog.lower(p.valid) DESC NULLS LAST
			LIMIT 1) r ON true;
END;
COMMENT ON FUNCTION llmtrace.plan_for(llmtrace.trajectory, text, text, timestamptz) IS
'The plan that a trace is held against: the one that its agent recorded, else that of table reference_plan; plan_source is recorded, reference or none.';

CREATE VIEW llmtrace.plan_adherence WITH (security_invoker = true) AS
SELECT t.trace_id, t.started_at, t.root_name, t.status, t.is_error, t.model, p.plan_source,
	a.deviation, a.distance, a.fitness, a.matched, a.skipped, a.substituted, a.inserted, a.reordered, a.retried,
	a.superseded, a.blocked, a.revisions, a.churn, a.first_distance, a.exact, a.distance_low, a.distance_high,
	a.unjudged,
	t.service_name, t.service_version, t.environment, t.region, t.feature, t.feature_source, t.tenant_id, t.user_id,
	t.conversation_id, t.agent_name, t.prompt_name, t.prompt_version, t.prompt_hash, t.dims, t.sample_weight
FROM llmtrace.trajectories t
	CROSS JOIN LATERAL llmtrace.plan_for(t.trajectory, t.agent_name, t.feature, t.started_at) p
	LEFT JOIN LATERAL llmtrace.plan_adherence(p.plan, t.trajectory, (SELECT llmtrace.plan_options())) a ON true;
COMMENT ON VIEW llmtrace.plan_adherence IS 'One row a trace: how far what was done is from what was planned, which the agent recorded or table reference_plan says. Without a plan plan_source is none and the figures are NULL. What tools do to the world is as the plan says, else as table tool_class does. Example: SELECT trace_id, plan_source, distance, skipped, inserted FROM llmtrace.plan_adherence WHERE started_at > now() - interval ''7 days'' ORDER BY distance DESC NULLS LAST LIMIT 10';
COMMENT ON COLUMN llmtrace.plan_adherence.plan_source IS 'recorded (by the agent, in the trace), reference (table reference_plan) or none';
COMMENT ON COLUMN llmtrace.plan_adherence.deviation IS 'cost of all deviations, in steps: skipping a write is 1';
COMMENT ON COLUMN llmtrace.plan_adherence.distance IS 'deviation / (1 + deviation): 0 if the plan was kept, towards 1 the more it was not';
COMMENT ON COLUMN llmtrace.plan_adherence.fitness IS '1 - deviation / (all steps skipped + all actions unplanned), as in process mining';
COMMENT ON COLUMN llmtrace.plan_adherence.matched IS 'steps that were done as planned';
COMMENT ON COLUMN llmtrace.plan_adherence.skipped IS 'steps that were not done';
COMMENT ON COLUMN llmtrace.plan_adherence.substituted IS 'steps for which something else was done: other arguments, another tool';
COMMENT ON COLUMN llmtrace.plan_adherence.inserted IS 'actions that were not planned';
COMMENT ON COLUMN llmtrace.plan_adherence.reordered IS 'steps that were done at the wrong time';
COMMENT ON COLUMN llmtrace.plan_adherence.retried IS 'actions that did again, or tried, what was planned';
COMMENT ON COLUMN llmtrace.plan_adherence.superseded IS 'steps that a revision dropped before they were done';
COMMENT ON COLUMN llmtrace.plan_adherence.blocked IS 'steps that were not done since they wait for themselves, or for such a step';
COMMENT ON COLUMN llmtrace.plan_adherence.revisions IS 'how often the agent replaced its plan';
COMMENT ON COLUMN llmtrace.plan_adherence.churn IS 'share of steps that revisions dropped undone or added';
COMMENT ON COLUMN llmtrace.plan_adherence.first_distance IS 'distance from the first plan';
COMMENT ON COLUMN llmtrace.plan_adherence.exact IS 'is distance the least there is? If not, it lies between distance_low and distance_high';
COMMENT ON COLUMN llmtrace.plan_adherence.distance_low IS 'no way to read the trace as the plan is less far';
COMMENT ON COLUMN llmtrace.plan_adherence.distance_high IS 'distance of the best way that was found';
COMMENT ON COLUMN llmtrace.plan_adherence.unjudged IS 'steps whose arguments were not compared since they, or those of the call, are in payloads; they count as planned. With restore_bodies a reader of payloads compares them';

CREATE VIEW llmtrace.plan_adherence_daily WITH (security_invoker = true) AS
SELECT pg_catalog.date_trunc('day', a.started_at, 'UTC') AS "time", a.agent_name, a.model, a.prompt_version,
	count(*) AS trace_count,
	sum(a.sample_weight) AS weighted_count,
	count(a.distance) AS planned_count,
	sum(a.sample_weight * (a.distance IS NOT NULL)::integer) / nullif(sum(a.sample_weight), 0) AS coverage_rate,
	sum(a.sample_weight * (a.distance = 0)::integer) / nullif(sum(a.sample_weight) FILTER (WHERE a.distance IS NOT NULL), 0) AS kept_rate,
	sum(a.sample_weight * (a.distance <= 0.25)::integer) / nullif(sum(a.sample_weight) FILTER (WHERE a.distance IS NOT NULL), 0) AS within_rate,
	avg(a.distance) AS avg_distance,
	percentile_cont(0.5) WITHIN GROUP (ORDER BY a.distance) AS p50_distance,
	percentile_cont(0.95) WITHIN GROUP (ORDER BY a.distance) AS p95_distance,
	count(*) FILTER (WHERE a.unjudged > 0) AS unjudged_count,
	count(*) FILTER (WHERE NOT a.exact) AS inexact_count
FROM llmtrace.plan_adherence a
GROUP BY 1, 2, 3, 4;
COMMENT ON VIEW llmtrace.plan_adherence_daily IS 'Adherence to plans as a service level, a row a day, agent, model and prompt version: which share of runs kept to their plan or nearly so, and of how many there was a plan. A filter by time goes over all traces; plan_adherence is bounded by started_at. Example: SELECT time, agent_name, within_rate, coverage_rate FROM llmtrace.plan_adherence_daily WHERE time > now() - interval ''30 days'' ORDER BY time, agent_name';
COMMENT ON COLUMN llmtrace.plan_adherence_daily."time" IS 'the day, UTC, on which the traces started';
COMMENT ON COLUMN llmtrace.plan_adherence_daily.trace_count IS 'traces';
COMMENT ON COLUMN llmtrace.plan_adherence_daily.weighted_count IS 'how many traces these stand for; rates are of these';
COMMENT ON COLUMN llmtrace.plan_adherence_daily.planned_count IS 'traces with a plan, recorded or reference';
COMMENT ON COLUMN llmtrace.plan_adherence_daily.coverage_rate IS 'share of traces with a plan; the other figures are of those';
COMMENT ON COLUMN llmtrace.plan_adherence_daily.kept_rate IS 'share of runs at distance 0';
COMMENT ON COLUMN llmtrace.plan_adherence_daily.within_rate IS 'share of runs within distance 0.25: the deviations cost less than a third of a skipped write';
COMMENT ON COLUMN llmtrace.plan_adherence_daily.avg_distance IS 'mean distance';
COMMENT ON COLUMN llmtrace.plan_adherence_daily.p50_distance IS 'median distance';
COMMENT ON COLUMN llmtrace.plan_adherence_daily.p95_distance IS '95th percentile of distances';
COMMENT ON COLUMN llmtrace.plan_adherence_daily.unjudged_count IS 'traces in which arguments were not compared since they are in payloads';
COMMENT ON COLUMN llmtrace.plan_adherence_daily.inexact_count IS 'traces whose distance is the best found, not the least there is';

CREATE VIEW llmtrace.plan_step WITH (security_invoker = true) AS
SELECT t.trace_id, a.span_id, t.started_at, a.started_at AS span_started_at, p.plan_source, a.revision, a.step_number,
	a.step_id, a.step, a.ordinal, a.action, a.label, a.cost, a.violated, a.effect, a.is_error, a.is_unjudged,
	t.service_name, t.service_version, t.environment, t.region, t.feature, t.feature_source, t.tenant_id, t.user_id,
	t.conversation_id, t.agent_name, t.prompt_name, t.prompt_version, t.prompt_hash, t.dims, t.sample_weight
FROM llmtrace.trajectories t
	CROSS JOIN LATERAL llmtrace.plan_for(t.trajectory, t.agent_name, t.feature, t.started_at) p
	CROSS JOIN LATERAL llmtrace.plan_alignment(p.plan, t.trajectory, (SELECT llmtrace.plan_options())) a;
COMMENT ON VIEW llmtrace.plan_step IS 'One row a planned step or an action, of traces with a plan: what became of it, and what it adds to the deviation. Example: SELECT step_id, label, count(*), sum(cost) FROM llmtrace.plan_step WHERE cost > 0 GROUP BY step_id, label ORDER BY 4 DESC LIMIT 10';
COMMENT ON COLUMN llmtrace.plan_step.span_id IS 'id of the action''s span, 16 hexadecimal digits; NULL for a step that was not done';
COMMENT ON COLUMN llmtrace.plan_step.span_started_at IS 'start of the action; NULL for a step that was not done';
COMMENT ON COLUMN llmtrace.plan_step.plan_source IS 'recorded (by the agent, in the trace) or reference (table reference_plan)';
COMMENT ON COLUMN llmtrace.plan_step.revision IS 'the plan that was in force: 0 for the first';
COMMENT ON COLUMN llmtrace.plan_step.step_number IS 'place of the step in its plan, from 1; NULL for an action that was not planned';
COMMENT ON COLUMN llmtrace.plan_step.step_id IS 'id of the step, below those of the steps whose sub-plan it is in';
COMMENT ON COLUMN llmtrace.plan_step.step IS 'tool or agent that the step names, with alternatives';
COMMENT ON COLUMN llmtrace.plan_step.ordinal IS 'place of the action''s span in the trace, from 1';
COMMENT ON COLUMN llmtrace.plan_step.action IS 'tool or agent that was called';
COMMENT ON COLUMN llmtrace.plan_step.label IS 'matched, skipped, substituted, inserted, reordered, retried, superseded or blocked';
COMMENT ON COLUMN llmtrace.plan_step.cost IS 'what it adds to the deviation of the trace, in steps';
COMMENT ON COLUMN llmtrace.plan_step.violated IS 'the order that was broken: one -> other';
COMMENT ON COLUMN llmtrace.plan_step.effect IS 'of the step, else of the action: read, reversible, write, generic or unknown';
COMMENT ON COLUMN llmtrace.plan_step.is_error IS 'did the action fail?';
COMMENT ON COLUMN llmtrace.plan_step.is_unjudged IS 'were arguments not compared since they are in payloads?';

-- The order that plans say, and where it cannot be kept.

CREATE VIEW llmtrace.plan_graph WITH (security_invoker = true) AS
SELECT t.trace_id, t.started_at, p.plan_source, s.revision, s.step_number, s.step_id, s.step, d.depends_on, s.is_blocked,
	f.is_finished OR s.step = ANY (a.tried) AS is_started, f.is_finished,
	t.service_name, t.service_version, t.environment, t.region, t.feature, t.feature_source, t.tenant_id, t.user_id,
	t.conversation_id, t.agent_name, t.prompt_name, t.prompt_version, t.prompt_hash, t.dims, t.sample_weight
FROM llmtrace.trajectories t
	CROSS JOIN LATERAL llmtrace.plan_for(t.trajectory, t.agent_name, t.feature, t.started_at) p
	CROSS JOIN LATERAL (SELECT max(x.revision) AS last FROM llmtrace.plan_steps(p.plan) x) r
	CROSS JOIN LATERAL (
		SELECT coalesce(pg_catalog.array_agg(l.step_id) FILTER (WHERE l.label IN ('matched', 'reordered')
				OR l.label = 'substituted' AND l.action = l.step), '{}') AS finished_ids,
			coalesce(pg_catalog.array_agg(l.step_id) FILTER (WHERE l.revision = r.last), '{}') AS last_ids,
			coalesce(pg_catalog.array_agg(l.action) FILTER (WHERE l.label = 'retried' AND l.is_error), '{}') AS tried
		FROM llmtrace.plan_alignment(p.plan, t.trajectory, (SELECT llmtrace.plan_options())) l) a
	CROSS JOIN LATERAL llmtrace.plan_steps(p.plan) s
	-- what was done before the last revision has no row of its own
	CROSS JOIN LATERAL (
		SELECT s.step_id = ANY (a.finished_ids)
			OR s.revision > 0 AND NOT s.is_optional AND s.step_id <> ALL (a.last_ids) AS is_finished) f
	LEFT JOIN LATERAL pg_catalog.unnest(s.after) d (depends_on) ON true
WHERE s.is_last;
COMMENT ON VIEW llmtrace.plan_graph IS 'One row a step and step that it depends on, of the last plan of each trace that has one: an edge of the plan, and how far it came. Example: SELECT step_id, depends_on, is_finished FROM llmtrace.plan_graph WHERE is_blocked LIMIT 10';
COMMENT ON COLUMN llmtrace.plan_graph.plan_source IS 'recorded (by the agent, in the trace) or reference (table reference_plan)';
COMMENT ON COLUMN llmtrace.plan_graph.revision IS 'how often the plan was replaced before: 0 for the first';
COMMENT ON COLUMN llmtrace.plan_graph.step_number IS 'place of the step in its plan, from 1';
COMMENT ON COLUMN llmtrace.plan_graph.step_id IS 'id of the step, below those of the steps whose sub-plan it is in';
COMMENT ON COLUMN llmtrace.plan_graph.step IS 'tool or agent that the step names, with alternatives';
COMMENT ON COLUMN llmtrace.plan_graph.depends_on IS 'id of a step that has to come before, in the same plan; NULL if none has to';
COMMENT ON COLUMN llmtrace.plan_graph.is_blocked IS 'does it wait for itself, or for a step that does?';
COMMENT ON COLUMN llmtrace.plan_graph.is_started IS 'was it done, or tried?';
COMMENT ON COLUMN llmtrace.plan_graph.is_finished IS 'was it done?';

CREATE FUNCTION llmtrace.plan_cycle_report(
	since timestamptz DEFAULT now() - interval '7 days', until timestamptz DEFAULT 'infinity')
	RETURNS TABLE (trace_id uuid, started_at timestamptz, plan_source text, agent_name text, feature text, cycle text,
		step_count bigint, waiting_count bigint, stalled_at timestamptz, tokens_after_stall bigint,
		cost_after_stall_usd numeric)
	LANGUAGE plpgsql STABLE ROWS 20 SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM llmtrace.check_period(since, until);
	-- the names of the columns are those of variables, too
	RETURN QUERY EXECUTE $sql$
		SELECT t.trace_id, t.started_at, p.plan_source, t.agent_name, t.feature,
			pg_catalog.array_to_string(c.cycle || c.cycle[1], ' -> '), pg_catalog.cardinality(c.steps)::bigint,
			pg_catalog.cardinality(c.waiting)::bigint, l.stalled_at, u.tokens, u.cost
		FROM llmtrace.trajectories t
			CROSS JOIN LATERAL llmtrace.plan_for(t.trajectory, t.agent_name, t.feature, t.started_at) p
			CROSS JOIN LATERAL llmtrace.plan_cycles(p.plan) c
			CROSS JOIN LATERAL (
				SELECT coalesce(max(s.span_ended_at), t.started_at) AS stalled_at
				FROM llmtrace.actions(t.trajectory) a
					JOIN llmtrace.span_rows(t.trajectory) s ON s.ordinal = a.ordinal) l
			CROSS JOIN LATERAL (
				SELECT coalesce(sum(s.input_tokens), 0)::bigint + coalesce(sum(s.output_tokens), 0)::bigint AS tokens,
					sum(s.cost_usd) AS cost
				FROM llmtrace.span_rows(t.trajectory) s
				WHERE s.span_started_at >= l.stalled_at) u
		WHERE t.started_at >= $1 AND t.started_at < $2 AND c.is_last
		ORDER BY t.started_at, t.trace_id, c.component $sql$
	USING since, until;
	IF NOT FOUND THEN
		PERFORM llmtrace.notice_nothing(since, until, 'no plan has steps that wait for each other',
			'How many traces have a plan: SELECT plan_source, count(*) FROM llmtrace.plan_adherence GROUP BY plan_source');
	END IF;
END
$$;
COMMENT ON FUNCTION llmtrace.plan_cycle_report(timestamptz, timestamptz) IS
'Plans that cannot be carried out since steps wait for each other: one row a trace and set of such steps in its last plan, with a shortest cycle (each waits for the next), how many steps there are in the set and wait for it from outside, the end of the last action, and the tokens and the cost, in US dollars, of what began after that. Example: SELECT * FROM llmtrace.plan_cycle_report(since => ''-infinity'')';

-- Did what says that it succeeded succeed?

CREATE FUNCTION llmtrace.write_check(p llmtrace.plan, t llmtrace.trajectory, options jsonb)
	RETURNS TABLE (write_count bigint, failed_write_count bigint, skipped_write_count bigint, unknown_count bigint,
		last_write text, last_write_span_id text, is_last_write_error boolean, verifier_span_id text, verified_by text,
		unjudged_read_count bigint)
	LANGUAGE sql STABLE PARALLEL SAFE ROWS 1
BEGIN ATOMIC
	-- another action where a step was skipped does not do what the step does
	WITH RECURSIVE done AS MATERIALIZED (
		SELECT l.*, CASE WHEN l.is_other THEN coalesce(options -> 'effects' ->> l.action, 'unknown') ELSE l.effect END AS effect_done
		FROM (SELECT a.*, a.label = 'substituted' AND a.ordinal IS NOT NULL
					AND a.action <> ALL (pg_catalog.string_to_array(a.step, ' | ')) AS is_other
				FROM llmtrace.plan_alignment(p, t, options) a) l
	), tally AS (
		SELECT count(*) FILTER (WHERE d.ordinal IS NOT NULL AND d.effect_done = 'write') AS write_count,
			count(*) FILTER (WHERE d.ordinal IS NOT NULL AND d.effect_done = 'write' AND d.is_error) AS failed_write_count,
			count(*) FILTER (WHERE d.effect = 'write' AND (d.label IN ('skipped', 'blocked') OR d.is_other)) AS skipped_write_count,
			count(*) FILTER (WHERE d.ordinal IS NOT NULL AND d.effect_done = 'unknown') AS unknown_count
		FROM done d
	), act AS NOT MATERIALIZED (
		SELECT d.action, d.span_id, d.is_error, d.started_at, d.ordinal, d.revision,
			CASE WHEN d.label IN ('matched', 'reordered') THEN d.step_id END AS step_id, d.effect_done AS effect
		FROM done d
		WHERE d.ordinal IS NOT NULL
	), last_write AS MATERIALIZED (
		SELECT a.* FROM act a WHERE a.effect = 'write' ORDER BY a.started_at DESC, a.ordinal DESC LIMIT 1
	), later_read AS MATERIALIZED (
		SELECT a.*, w.ordinal AS write_ordinal, w.action AS write_action
		FROM act a CROSS JOIN last_write w
		WHERE a.effect = 'read' AND NOT a.is_error AND (a.started_at, a.ordinal) > (w.started_at, w.ordinal)
	), later_step (step_id) AS (
		-- what the plan has after the step that wrote; after names steps of the same sub-plan
		SELECT w.step_id FROM last_write w WHERE EXISTS (SELECT FROM later_read)
		UNION
		SELECT s.step_id
		FROM later_step l
			CROSS JOIN last_write w
			JOIN llmtrace.plan_steps(p) s ON s.revision = w.revision
			CROSS JOIN LATERAL pg_catalog.unnest(s.after) o (step_id)
		WHERE l.step_id = pg_catalog.regexp_replace(s.step_id, '[^/]*$', '') || o.step_id
	), call AS MATERIALIZED (
		SELECT c.ordinal, CASE WHEN c.arguments_bytes > 2 THEN c.arguments_hash END AS hash
		FROM llmtrace.tool_call_rows(t) c
		WHERE EXISTS (SELECT FROM later_read)
	), called AS MATERIALIZED (
		SELECT a.ordinal, nullif(a.arguments, '{}') AS arguments
		FROM llmtrace.actions(t) a
		WHERE EXISTS (SELECT FROM later_read)
	), verifier AS MATERIALIZED (
		-- an argument that says how, not what, is no evidence: two calls have a limit in common by chance
		SELECT r.span_id, r.started_at, r.ordinal,
			CASE WHEN r.step_id IN (SELECT l.step_id FROM later_step l) THEN 'plan'
				WHEN rc.hash = wc.hash OR EXISTS (
					SELECT FROM pg_catalog.jsonb_each(wa.arguments) x JOIN pg_catalog.jsonb_each(ra.arguments) y ON x.value = y.value
					WHERE pg_catalog.jsonb_typeof(x.value) IN ('string', 'number') AND x.value <> '""'
						AND CASE WHEN wk.resource_arg IS NULL THEN x.key = y.key AND x.key !~* '^(limit|offset|cursor|page.*|per_?page|max.*|min.*|top_?k|count|size|sort.*|order_?by|fields|format|currency|units?|locale|lang|language|region|country|time_?zone|tz|timeout|verbose|dry_?run)$'
							ELSE x.key = wk.resource_arg AND y.key = coalesce(rk.resource_arg, y.key) END) THEN 'arguments' END AS verified_by,
			wa.arguments IS NULL OR ra.arguments IS NULL AS is_unjudged
		FROM later_read r
			LEFT JOIN call rc ON rc.ordinal = r.ordinal
			LEFT JOIN call wc ON wc.ordinal = r.write_ordinal
			LEFT JOIN called ra ON ra.ordinal = r.ordinal
			LEFT JOIN called wa ON wa.ordinal = r.write_ordinal
			LEFT JOIN llmtrace.tool_class rk ON rk.tool_name = r.action
			LEFT JOIN llmtrace.tool_class wk ON wk.tool_name = r.write_action
	), first_verifier AS (
		SELECT v.* FROM verifier v WHERE v.verified_by IS NOT NULL ORDER BY v.started_at, v.ordinal LIMIT 1
	)
	SELECT n.write_count, n.failed_write_count, n.skipped_write_count, n.unknown_count,
		w.action, w.span_id, w.is_error, v.span_id, v.verified_by,
		(SELECT count(*) FROM verifier u WHERE u.verified_by IS NULL AND u.is_unjudged)
	FROM tally n LEFT JOIN last_write w ON true LEFT JOIN first_verifier v ON true;
END;
COMMENT ON FUNCTION llmtrace.write_check(llmtrace.plan, llmtrace.trajectory, jsonb) IS
'What success_check looks at: actions that write, those that failed, planned writes that were not done, actions whose effect is not known, the last write, and the first read after it that verifies it: that did not fail, and that the plan has after the write, or that has an argument in common with it. unjudged_read_count: other reads after it, of which this cannot be said, since arguments are in payloads, or there are none. With restore_bodies a reader of payloads compares them. Example: SELECT * FROM llmtrace.write_check(''charge -> get_order'', llmtrace.restore_bodies(llmtrace.trace(''4bf92f35'')), llmtrace.plan_options())';

CREATE VIEW llmtrace.success_check WITH (security_invoker = true) AS
SELECT t.trace_id, t.started_at, t.root_name, t.status, c.is_claimed, p.plan_source, w.write_count, w.failed_write_count,
	w.skipped_write_count, w.unknown_count, w.last_write, w.last_write_span_id, w.is_last_write_error, w.verifier_span_id,
	w.verified_by, w.unjudged_read_count, o.success AS outcome,
	CASE WHEN NOT c.is_claimed THEN 'not_claimed'
		WHEN w.skipped_write_count > 0 OR w.is_last_write_error OR NOT o.success THEN 'contradicted'
		WHEN w.verifier_span_id IS NOT NULL THEN 'verified'
		WHEN w.write_count > 0 AND w.unjudged_read_count = 0 THEN 'unverified'
		WHEN w.write_count > 0 THEN 'unknown'
		WHEN w.unknown_count > 0 THEN 'unknown'
		ELSE 'no_write' END AS verdict,
	CASE WHEN NOT c.is_claimed THEN NULL
		WHEN w.is_last_write_error THEN 'last write failed'
		WHEN w.skipped_write_count > 0 THEN 'planned write skipped'
		WHEN NOT o.success THEN 'outcome was a failure'
		WHEN w.verifier_span_id IS NOT NULL THEN NULL
		WHEN w.unjudged_read_count > 0 THEN 'what was read after the last write is not known'
		WHEN w.write_count > 0 THEN 'what was last written was not read'
		WHEN w.unknown_count > 0 THEN 'what actions do is not known' END AS reason,
	t.service_name, t.service_version, t.environment, t.region, t.feature, t.feature_source, t.tenant_id, t.user_id,
	t.conversation_id, t.agent_name, t.prompt_name, t.prompt_version, t.prompt_hash, t.dims, t.sample_weight
-- the options as a column: with a subquery for an argument write_check would not be inlined
FROM (SELECT llmtrace.plan_options() AS options OFFSET 0) k
	CROSS JOIN llmtrace.trajectories t
	CROSS JOIN LATERAL (SELECT NOT t.is_error AND t.ended_at IS NOT NULL AS is_claimed) c
	CROSS JOIN LATERAL llmtrace.plan_for(t.trajectory, t.agent_name, t.feature, t.started_at) p
	CROSS JOIN LATERAL llmtrace.write_check(coalesce(p.plan, '[]'), t.trajectory, k.options) w
	LEFT JOIN LATERAL (
		SELECT x.success FROM llmtrace.outcome x
		WHERE x.trace_id = t.trace_id AND x.success IS NOT NULL
		ORDER BY x.at DESC LIMIT 1) o ON true;
COMMENT ON VIEW llmtrace.success_check IS 'One row a trace: is its success, if it says so, borne out by what it did? Which tools write and read is as its plan says, else as table tool_class does. Example: SELECT trace_id, reason, last_write FROM llmtrace.success_check WHERE verdict IN (''contradicted'', ''unverified'') ORDER BY started_at DESC LIMIT 10';
COMMENT ON COLUMN llmtrace.success_check.is_claimed IS 'is the root closed, and without error?';
COMMENT ON COLUMN llmtrace.success_check.plan_source IS 'recorded (by the agent, in the trace), reference (table reference_plan) or none';
COMMENT ON COLUMN llmtrace.success_check.write_count IS 'actions that change the world, failed ones included';
COMMENT ON COLUMN llmtrace.success_check.failed_write_count IS 'those that failed';
COMMENT ON COLUMN llmtrace.success_check.skipped_write_count IS 'steps of the plan that change the world and were not done';
COMMENT ON COLUMN llmtrace.success_check.unknown_count IS 'actions of which neither plan nor tool_class says what they do';
COMMENT ON COLUMN llmtrace.success_check.last_write IS 'the tool or agent that changed the world last';
COMMENT ON COLUMN llmtrace.success_check.last_write_span_id IS 'id of its span';
COMMENT ON COLUMN llmtrace.success_check.is_last_write_error IS 'did it fail?';
COMMENT ON COLUMN llmtrace.success_check.verifier_span_id IS 'id of the first span after it that verifies it: that reads, did not fail, and is what verified_by says';
COMMENT ON COLUMN llmtrace.success_check.verified_by IS 'plan: the plan has this read after the write. arguments: it has an argument in common with the write, of the same name or, where tool_class has resource_arg, that of the resource';
COMMENT ON COLUMN llmtrace.success_check.unjudged_read_count IS 'other reads after it whose arguments, or those of the write, are not known here: they are in payloads, or there are none';
COMMENT ON COLUMN llmtrace.success_check.outcome IS 'what table outcome says of the trace: did it succeed?';
COMMENT ON COLUMN llmtrace.success_check.verdict IS 'not_claimed, contradicted, unverified, verified, no_write, or unknown: what was read after the last write is not known, or nothing is known to have changed the world, but of some actions it is not known';
COMMENT ON COLUMN llmtrace.success_check.reason IS 'why it is contradicted, unverified or unknown';
