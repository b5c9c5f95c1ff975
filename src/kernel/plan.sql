-- The plan type: what an agent meant to do, and how far from it what it did is.

CREATE TYPE plan;

CREATE FUNCTION plan_in(cstring) RETURNS plan
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
CREATE FUNCTION plan_out(plan) RETURNS cstring
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
CREATE FUNCTION plan_recv(internal) RETURNS plan
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
CREATE FUNCTION plan_send(plan) RETURNS bytea
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 5;

CREATE TYPE plan (
	INPUT = plan_in,
	OUTPUT = plan_out,
	RECEIVE = plan_recv,
	SEND = plan_send,
	INTERNALLENGTH = VARIABLE,
	ALIGNMENT = int4,
	STORAGE = extended
);

COMMENT ON TYPE plan IS
'steps and a partial order of them: search -> (fetch_invoice & get_user) -> charge_card[write](amount = 42)? -> answer, or JSON';
COMMENT ON FUNCTION plan_in(cstring) IS 'text input';
COMMENT ON FUNCTION plan_out(plan) IS 'text output';
COMMENT ON FUNCTION plan_recv(internal) IS 'binary input';
COMMENT ON FUNCTION plan_send(plan) IS 'binary output';

CREATE FUNCTION plan_eq(plan, plan) RETURNS boolean
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF COST 1;
CREATE FUNCTION plan_ne(plan, plan) RETURNS boolean
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF COST 1;
CREATE FUNCTION plan_lt(plan, plan) RETURNS boolean
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF COST 1;
CREATE FUNCTION plan_le(plan, plan) RETURNS boolean
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF COST 1;
CREATE FUNCTION plan_gt(plan, plan) RETURNS boolean
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF COST 1;
CREATE FUNCTION plan_ge(plan, plan) RETURNS boolean
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF COST 1;
CREATE FUNCTION plan_cmp(plan, plan) RETURNS integer
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF COST 1;
CREATE FUNCTION plan_hash(plan) RETURNS integer
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF COST 1;
CREATE FUNCTION plan_hash_extended(plan, bigint) RETURNS bigint
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF COST 1;
COMMENT ON FUNCTION plan_eq(plan, plan) IS 'implementation of operator =';
COMMENT ON FUNCTION plan_ne(plan, plan) IS 'implementation of operator <>';
COMMENT ON FUNCTION plan_lt(plan, plan) IS 'implementation of operator <';
COMMENT ON FUNCTION plan_le(plan, plan) IS 'implementation of operator <=';
COMMENT ON FUNCTION plan_gt(plan, plan) IS 'implementation of operator >';
COMMENT ON FUNCTION plan_ge(plan, plan) IS 'implementation of operator >=';
COMMENT ON FUNCTION plan_cmp(plan, plan) IS 'less than, equal to or greater than 0: an order to sort by, of no meaning';
COMMENT ON FUNCTION plan_hash(plan) IS 'hash of the plan';
COMMENT ON FUNCTION plan_hash_extended(plan, bigint) IS 'hash of the plan, with a seed';

CREATE OPERATOR = (
	LEFTARG = plan, RIGHTARG = plan, FUNCTION = plan_eq,
	COMMUTATOR = =, NEGATOR = <>, RESTRICT = eqsel, JOIN = eqjoinsel, HASHES, MERGES
);
CREATE OPERATOR <> (
	LEFTARG = plan, RIGHTARG = plan, FUNCTION = plan_ne,
	COMMUTATOR = <>, NEGATOR = =, RESTRICT = neqsel, JOIN = neqjoinsel
);
CREATE OPERATOR < (
	LEFTARG = plan, RIGHTARG = plan, FUNCTION = plan_lt,
	COMMUTATOR = >, NEGATOR = >=, RESTRICT = scalarltsel, JOIN = scalarltjoinsel
);
CREATE OPERATOR <= (
	LEFTARG = plan, RIGHTARG = plan, FUNCTION = plan_le,
	COMMUTATOR = >=, NEGATOR = >, RESTRICT = scalarlesel, JOIN = scalarlejoinsel
);
CREATE OPERATOR > (
	LEFTARG = plan, RIGHTARG = plan, FUNCTION = plan_gt,
	COMMUTATOR = <, NEGATOR = <=, RESTRICT = scalargtsel, JOIN = scalargtjoinsel
);
CREATE OPERATOR >= (
	LEFTARG = plan, RIGHTARG = plan, FUNCTION = plan_ge,
	COMMUTATOR = <=, NEGATOR = <, RESTRICT = scalargesel, JOIN = scalargejoinsel
);

COMMENT ON OPERATOR = (plan, plan) IS 'same plan, as written in its canonical form?';
COMMENT ON OPERATOR <> (plan, plan) IS 'different plan, as written in its canonical form?';
COMMENT ON OPERATOR < (plan, plan) IS 'before, in an order of no meaning?';
COMMENT ON OPERATOR <= (plan, plan) IS 'before or equal, in an order of no meaning?';
COMMENT ON OPERATOR > (plan, plan) IS 'after, in an order of no meaning?';
COMMENT ON OPERATOR >= (plan, plan) IS 'after or equal, in an order of no meaning?';

CREATE OPERATOR CLASS plan_btree_ops DEFAULT FOR TYPE plan USING btree AS
	OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >,
	FUNCTION 1 plan_cmp(plan, plan);
CREATE OPERATOR CLASS plan_hash_ops DEFAULT FOR TYPE plan USING hash AS
	OPERATOR 1 =,
	FUNCTION 1 plan_hash(plan),
	FUNCTION 2 plan_hash_extended(plan, bigint);
COMMENT ON OPERATOR CLASS plan_btree_ops USING btree IS 'an order to sort by, of no meaning';
COMMENT ON OPERATOR CLASS plan_hash_ops USING hash IS 'hash of the plan';

-- The distance, and where it comes from.

CREATE FUNCTION plan_distance(p plan, t trajectory, options jsonb DEFAULT '{}') RETURNS double precision
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION plan_distance(plan, trajectory, jsonb) IS
'how far what was done is from the plan: 0 if it was kept, towards 1 the more it was not; options is a table of costs';

CREATE FUNCTION plan_adherence(p plan, t trajectory, options jsonb DEFAULT '{}') RETURNS TABLE (
	deviation double precision,
	distance double precision,
	fitness double precision,
	matched bigint,
	skipped bigint,
	substituted bigint,
	inserted bigint,
	reordered bigint,
	retried bigint,
	superseded bigint,
	blocked bigint,
	revisions bigint,
	churn double precision,
	first_distance double precision,
	exact boolean,
	distance_low double precision,
	distance_high double precision,
	unjudged bigint
)
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 2000 ROWS 1;
COMMENT ON FUNCTION plan_adherence(plan, trajectory, jsonb) IS
'One row: deviation in steps, distance = deviation / (1 + deviation), fitness as in process mining, counts of the labels of plan_alignment, number of revisions, share of steps that they dropped undone or added, distance to the first plan; exact is false where the order was too wide, then the distance lies between distance_low and distance_high. unjudged counts the steps whose arguments were not compared since they, or those of the call, are kept elsewhere, as in a store (restore_bodies).';

CREATE FUNCTION plan_alignment(p plan, t trajectory, options jsonb DEFAULT '{}') RETURNS TABLE (
	step_number integer,
	step_id text,
	step text,
	ordinal integer,
	span_id text,
	action text,
	label text,
	cost double precision,
	violated text,
	revision integer,
	effect text,
	is_error boolean,
	is_unjudged boolean,
	started_at timestamptz
)
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 2000 ROWS 20;
COMMENT ON FUNCTION plan_alignment(plan, trajectory, jsonb) IS
'One row a step or action: matched, skipped, substituted, inserted, reordered, retried, superseded or blocked, with its cost in steps; violated is the order that was broken, revision counts from 0. effect is that of the step, else of the action; is_error: the call failed; is_unjudged: arguments were planned and are kept elsewhere, and so not compared; started_at is when the action started. ordinal is that of spans().';

CREATE FUNCTION plan_match(p plan, t trajectory, "mode" text, options jsonb DEFAULT '{}') RETURNS double precision
	AS 'MODULE_PATHNAME', 'plan_match_sql' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION plan_match(plan, trajectory, text, jsonb) IS
'1 or 0 as other evaluators decide, or a share: strict, unordered, superset, subset (agentevals), exact, in_order, any_order (ADK, Vertex AI), precision, recall (Vertex AI)';

CREATE FUNCTION plan_cycles(p plan) RETURNS TABLE (
	component integer,
	steps text[],
	cycle text[],
	waiting text[],
	revision integer,
	is_last boolean
)
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100 ROWS 1;
COMMENT ON FUNCTION plan_cycles(plan) IS
'One row a set of steps that wait for each other: its steps, a shortest cycle in which each waits for the next and the last for the first, and the steps outside that wait for it. revision counts from 0; is_last: none follows.';

CREATE FUNCTION plan_steps(p plan) RETURNS TABLE (
	revision integer,
	is_last boolean,
	step_number integer,
	step_id text,
	step text,
	effect text,
	is_optional boolean,
	after text[],
	is_blocked boolean
)
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100 ROWS 10;
COMMENT ON FUNCTION plan_steps(plan) IS
'One row a step, those of sub-plans below their step as in plan_alignment: what it names, its effect, the ids of steps that it comes after, and whether it waits for itself or for such a step. revision counts from 0; is_last: none follows.';

-- What was done and what was planned.

CREATE FUNCTION trace_plan(t trajectory, rules jsonb DEFAULT '{}') RETURNS plan
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION trace_plan(trajectory, jsonb) IS
'the plan that the agent noted down, with its revisions; NULL if there is none. rules say where to look: {"attributes": ["gen_ai.plan"], "tools": ["write_todos"], "ordered": false}. Where a store has moved the text elsewhere, by the default rules, and without arguments.';

CREATE FUNCTION outline_plans(t trajectory, noted trajectory) RETURNS trajectory
	AS 'MODULE_PATHNAME', 'trajectory_outline_plans' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 5000;
COMMENT ON FUNCTION outline_plans(trajectory, trajectory) IS
'The first trajectory with the outlines of the plans that the second notes down, in spans that have none: steps, tools and order, no text. Both are the same trace, the second with the bodies that the first may lack.';

CREATE FUNCTION actions(t trajectory) RETURNS TABLE (
	action_number integer,
	ordinal integer,
	span_id text,
	kind text,
	action text,
	arguments jsonb,
	is_error boolean
)
	AS 'MODULE_PATHNAME', 'trace_actions' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000 ROWS 20;
COMMENT ON FUNCTION actions(trajectory) IS
'One row a call of a tool or a sub-agent, by time; ordinal is that of spans().';

CREATE FUNCTION trajectory_from_actions(actions jsonb) RETURNS trajectory
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION trajectory_from_actions(jsonb) IS
'a run without a trace: [{"tool": "search", "args": {"q": "x"}, "failed": false}, ...]; also agent or model, and actions of a sub-agent';

CREATE FUNCTION trajectory_from_messages(messages jsonb) RETURNS trajectory
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION trajectory_from_messages(jsonb) IS
'a run from its chat: messages as the interfaces of OpenAI and Anthropic have them';
