-- The tables of a store.

CREATE TABLE llmtrace.store (
	is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
	version text NOT NULL,
	created_at timestamptz NOT NULL DEFAULT now(),
	partition_days integer NOT NULL CHECK (partition_days BETWEEN 1 AND 366),
	max_inline_bytes integer NOT NULL DEFAULT 256 CHECK (max_inline_bytes >= 0)
);
COMMENT ON TABLE llmtrace.store IS 'one row: the store''s version and settings';
COMMENT ON COLUMN llmtrace.store.version IS 'version of llmtrace that made it';
COMMENT ON COLUMN llmtrace.store.partition_days IS 'days that a partition holds; fixed when the store is created';
COMMENT ON COLUMN llmtrace.store.max_inline_bytes IS 'a string attribute longer than this moves to payloads, in bytes; message bodies always do';

CREATE TABLE llmtrace.secret (
	is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
	secret bytea NOT NULL
);
COMMENT ON TABLE llmtrace.secret IS 'one row: the key of the hashes of bodies; whoever can read it can test guesses of short bodies';

CREATE TABLE llmtrace.fragments (
	trace_id uuid NOT NULL,
	received_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	shard smallint NOT NULL,
	has_closed_root boolean NOT NULL,
	is_set_aside boolean NOT NULL DEFAULT false,
	tenant_id text,
	fragment llmtrace.trajectory NOT NULL
) WITH (toast_tuple_target = 8160, autovacuum_vacuum_insert_scale_factor = 1);
CREATE INDEX fragments_shard_trace_id_idx ON llmtrace.fragments (shard, trace_id);
COMMENT ON TABLE llmtrace.fragments IS 'what came in and waits to be folded: one row a trace and request';
COMMENT ON COLUMN llmtrace.fragments.received_at IS 'when it came in';
COMMENT ON COLUMN llmtrace.fragments.shard IS 'hash of the trace id, 0 to 63: what one folding transaction takes';
COMMENT ON COLUMN llmtrace.fragments.has_closed_root IS 'does it bring a closed root?';
COMMENT ON COLUMN llmtrace.fragments.is_set_aside IS 'could the trace not be folded? ingest_rejected says why; fold_again() has it tried again';
COMMENT ON COLUMN llmtrace.fragments.tenant_id IS 'the tenant, as far as this fragment tells';

-- Up to the trajectory as folded_columns() has them.
CREATE TABLE llmtrace.folded (
	trace_id uuid NOT NULL,
	started_at timestamptz NOT NULL,
	ended_at timestamptz,
	duration_ms double precision,
	span_count bigint NOT NULL,
	error_count bigint NOT NULL,
	model_call_count bigint NOT NULL,
	tool_call_count bigint NOT NULL,
	tool_error_count bigint NOT NULL,
	agent_run_count bigint NOT NULL,
	retry_count bigint NOT NULL,
	input_tokens bigint,
	output_tokens bigint,
	reasoning_tokens bigint,
	cache_read_tokens bigint,
	cache_write_tokens bigint,
	missing_price_count bigint NOT NULL,
	sample_weight double precision,
	depth integer NOT NULL,
	is_error boolean NOT NULL,
	is_complete boolean NOT NULL,
	root_span_id text NOT NULL,
	root_name text NOT NULL,
	root_kind text NOT NULL,
	status text NOT NULL,
	error_type text,
	cost_usd numeric,
	cost_source text,
	first_model text,
	last_model text,
	service_name text,
	service_version text,
	environment text,
	region text,
	feature text,
	feature_source text,
	tenant_id text,
	user_id text,
	conversation_id text,
	agent_name text,
	prompt_name text,
	prompt_version text,
	prompt_hash text,
	dims jsonb,
	trajectory llmtrace.trajectory NOT NULL,
	keep_probability double precision,
	body_probability double precision,
	keep_reason text,
	PRIMARY KEY (started_at, trace_id)
) PARTITION BY RANGE (started_at);
CREATE INDEX folded_trajectory_idx ON llmtrace.folded USING gin (trajectory) WITH (gin_pending_list_limit = 1024);
-- which traces may have spans of a time: those that ended after it, and those that have not
CREATE INDEX folded_ended_at_idx ON llmtrace.folded USING brin (ended_at) WITH (autosummarize = on);
CREATE INDEX folded_open_idx ON llmtrace.folded (started_at) WHERE ended_at IS NULL OR NOT is_complete;
COMMENT ON TABLE llmtrace.folded IS 'one row a trace, in partitions by start: what the view trajectories shows, but for traces that wait to be folded';

COMMENT ON COLUMN llmtrace.folded.keep_probability IS 'with which retain kept it (0..1); NULL: always';
COMMENT ON COLUMN llmtrace.folded.body_probability IS 'with which retain kept its bodies (0..1); NULL: always';
COMMENT ON COLUMN llmtrace.folded.keep_reason IS 'why retain kept it: a rule, drawn, or demoted (its bodies are gone); redacted if erase_subject took them; NULL: neither was asked';

CREATE TABLE llmtrace.directory (
	trace_id uuid PRIMARY KEY,
	started_at timestamptz NOT NULL
);
COMMENT ON TABLE llmtrace.directory IS 'where each folded trace lies: its start, by which folded is partitioned';

CREATE TABLE llmtrace.payloads (
	day date NOT NULL,
	hash uuid NOT NULL,
	body text NOT NULL
) PARTITION BY RANGE (day);
CREATE INDEX payloads_hash_idx ON llmtrace.payloads (hash);
COMMENT ON TABLE llmtrace.payloads IS 'bodies of messages and long attributes, as JSON text: once a day and content, rarely twice';
COMMENT ON COLUMN llmtrace.payloads.day IS 'UTC day of the start of the spans that refer to it';
COMMENT ON COLUMN llmtrace.payloads.hash IS 'HMAC-SHA-256 of the body, the first 16 bytes';

CREATE TABLE llmtrace.ingest_rejected (
	received_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	line_number bigint,
	span_id text,
	reason text NOT NULL
);
CREATE INDEX ingest_rejected_received_at_idx ON llmtrace.ingest_rejected (received_at);
COMMENT ON TABLE llmtrace.ingest_rejected IS 'what could not be kept, and why: spans, and lines of files';
COMMENT ON COLUMN llmtrace.ingest_rejected.line_number IS 'line of the COPY that brought it, from 1; NULL for a request';
COMMENT ON COLUMN llmtrace.ingest_rejected.span_id IS 'the span''s id as it was written; NULL if a whole line was no OTLP';

CREATE TABLE llmtrace.load_progress (
	file text NOT NULL,
	fingerprint text NOT NULL,
	loaded_bytes bigint NOT NULL CHECK (loaded_bytes >= 0),
	updated_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (file, fingerprint)
);
COMMENT ON TABLE llmtrace.load_progress IS 'how far llmtrace-load has loaded each file, so that it can go on';
COMMENT ON COLUMN llmtrace.load_progress.fingerprint IS 'tells files of one name apart';
COMMENT ON COLUMN llmtrace.load_progress.loaded_bytes IS 'bytes of the uncompressed file that are loaded and committed';

-- What people fill.

CREATE TABLE llmtrace.attribute_alias (
	key text PRIMARY KEY,
	column_name text NOT NULL
);
COMMENT ON TABLE llmtrace.attribute_alias IS 'attribute keys of one''s own that are read as canonical columns; filled by map_attribute';

CREATE TABLE llmtrace.cohort_dimension (
	name text NOT NULL,
	key text NOT NULL,
	rank integer NOT NULL DEFAULT 1,
	PRIMARY KEY (name, key)
);
COMMENT ON TABLE llmtrace.cohort_dimension IS 'attribute keys that become members of dims; filled by map_attribute';
COMMENT ON COLUMN llmtrace.cohort_dimension.rank IS 'of several keys for one name the lowest with a value counts';

CREATE TABLE llmtrace.payload_policy (
	key text PRIMARY KEY,
	policy text NOT NULL CHECK (policy IN ('store', 'hash', 'inline'))
);
COMMENT ON TABLE llmtrace.payload_policy IS 'what to do with an attribute''s values, by key, where the rule of sizes is not wanted: keep them in payloads (store), keep the hash and size only (hash), leave them in the trajectory (inline)';

CREATE TABLE llmtrace.price (
	provider text,
	model_pattern text NOT NULL CHECK (model_pattern <> '' AND position('*' IN rtrim(model_pattern, '*')) = 0),
	valid tstzrange NOT NULL DEFAULT '(,)' CHECK (NOT isempty(valid)),
	input_usd_per_million numeric CHECK (input_usd_per_million BETWEEN 0 AND 1000000),
	output_usd_per_million numeric CHECK (output_usd_per_million BETWEEN 0 AND 1000000),
	cache_read_usd_per_million numeric CHECK (cache_read_usd_per_million BETWEEN 0 AND 1000000),
	cache_write_usd_per_million numeric CHECK (cache_write_usd_per_million BETWEEN 0 AND 1000000),
	reasoning_usd_per_million numeric CHECK (reasoning_usd_per_million BETWEEN 0 AND 1000000),
	source text
);
CREATE UNIQUE INDEX price_key ON llmtrace.price (model_pattern, coalesce(provider, ''), coalesce(lower(valid), '-infinity'));
CREATE INDEX price_patterns ON llmtrace.price (model_pattern) WHERE model_pattern LIKE '%*';
COMMENT ON TABLE llmtrace.price IS 'what models cost, in US dollars a million tokens; read by priced_cost, filled by load_prices and by hand';
COMMENT ON COLUMN llmtrace.price.provider IS 'as model_calls.provider has it; NULL for any';
COMMENT ON COLUMN llmtrace.price.model_pattern IS 'a model''s name, or the beginning of names followed by *';
COMMENT ON COLUMN llmtrace.price.valid IS 'when the price holds, by the start of the trace';
COMMENT ON COLUMN llmtrace.price.cache_read_usd_per_million IS 'input read from a cache; NULL: as other input';
COMMENT ON COLUMN llmtrace.price.cache_write_usd_per_million IS 'input written to a cache; NULL: as other input';
COMMENT ON COLUMN llmtrace.price.reasoning_usd_per_million IS 'output that is reasoning; NULL: as other output';
COMMENT ON COLUMN llmtrace.price.source IS 'where the price is from';

CREATE TABLE llmtrace.outcome (
	task_id text,
	trace_id uuid,
	conversation_id text,
	at timestamptz NOT NULL DEFAULT now(),
	kind text NOT NULL DEFAULT 'task',
	success boolean,
	value double precision,
	source text,
	CHECK (task_id IS NOT NULL OR trace_id IS NOT NULL OR conversation_id IS NOT NULL)
);
CREATE INDEX outcome_task_id_idx ON llmtrace.outcome (task_id);
CREATE INDEX outcome_trace_id_idx ON llmtrace.outcome (trace_id);
CREATE INDEX outcome_conversation_id_idx ON llmtrace.outcome (conversation_id);
COMMENT ON TABLE llmtrace.outcome IS 'what became of it, as the world outside knows: a task that succeeded, a ticket that was reopened';
COMMENT ON COLUMN llmtrace.outcome.task_id IS 'the task; several traces can work on one';
COMMENT ON COLUMN llmtrace.outcome.kind IS 'what was observed: task, refund, reopened, ...';
COMMENT ON COLUMN llmtrace.outcome.value IS 'a figure, where there is one';
COMMENT ON COLUMN llmtrace.outcome.source IS 'who says so';

CREATE TABLE llmtrace.annotation (
	trace_id uuid NOT NULL,
	span_id text,
	at timestamptz NOT NULL DEFAULT now(),
	name text NOT NULL,
	score double precision,
	label text,
	comment text,
	source text NOT NULL DEFAULT 'human'
);
CREATE UNIQUE INDEX annotation_key ON llmtrace.annotation (trace_id, name, source, at, coalesce(span_id, ''));
COMMENT ON TABLE llmtrace.annotation IS 'judgements on traces and spans, by people and by evaluators; those in gen_ai.evaluation.result events are put here when a trace is folded';
COMMENT ON COLUMN llmtrace.annotation.name IS 'what was judged: relevance, correctness, ...';
COMMENT ON COLUMN llmtrace.annotation.score IS 'the judgement as a number';
COMMENT ON COLUMN llmtrace.annotation.label IS 'the judgement as a word';
COMMENT ON COLUMN llmtrace.annotation.source IS 'human, trace (from an event), or the name of an evaluator';

CREATE TABLE llmtrace.change_event (
	at timestamptz NOT NULL DEFAULT now(),
	kind text NOT NULL,
	subject text NOT NULL,
	detail text
);
CREATE INDEX change_event_at_idx ON llmtrace.change_event (at);
COMMENT ON TABLE llmtrace.change_event IS 'what was changed when: deployments, prompts, models, flags';
COMMENT ON COLUMN llmtrace.change_event.kind IS 'deploy, prompt, model, flag, ...';
COMMENT ON COLUMN llmtrace.change_event.subject IS 'what was changed';

CREATE TABLE llmtrace.tool_class (
	tool_name text PRIMARY KEY,
	effect text CHECK (effect IN ('read', 'reversible', 'write', 'generic')),
	resource_arg text,
	blast_class text
);
COMMENT ON TABLE llmtrace.tool_class IS 'what one''s tools do: whether they change the world';
COMMENT ON COLUMN llmtrace.tool_class.effect IS 'read, reversible, write, or generic (thinking, calculators)';
COMMENT ON COLUMN llmtrace.tool_class.resource_arg IS 'the argument that names what it acts on';
COMMENT ON COLUMN llmtrace.tool_class.blast_class IS 'how bad a mistake can be, in one''s own words';

CREATE TABLE llmtrace.reference_plan (
	agent_name text,
	feature text,
	plan llmtrace.plan NOT NULL,
	valid tstzrange NOT NULL DEFAULT '(,)' CHECK (NOT isempty(valid)),
	source text
);
CREATE UNIQUE INDEX reference_plan_key ON llmtrace.reference_plan (coalesce(agent_name, ''), coalesce(feature, ''), coalesce(lower(valid), '-infinity'));
COMMENT ON TABLE llmtrace.reference_plan IS 'the plan that traces are held against that record none: that of agent and feature, else of the agent, else of the feature, else one for all';
COMMENT ON COLUMN llmtrace.reference_plan.agent_name IS 'the root agent, as traces.agent_name has it; NULL for any';
COMMENT ON COLUMN llmtrace.reference_plan.feature IS 'as traces.feature has it; NULL for any';
COMMENT ON COLUMN llmtrace.reference_plan.plan IS 'the plan: search -> answer, or JSON';
COMMENT ON COLUMN llmtrace.reference_plan.valid IS 'when it holds, by the start of the trace; of several the one that began last';
COMMENT ON COLUMN llmtrace.reference_plan.source IS 'where the plan is from';
