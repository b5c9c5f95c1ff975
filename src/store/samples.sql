-- What was taken out of the store, what was erased, what was let go.

CREATE TABLE llmtrace.sample_lineage (
	sample_id text,
	trace_id uuid,
	span_id text,
	body_hashes uuid[],
	dataset text NOT NULL,
	purpose text NOT NULL,
	taken_at timestamptz NOT NULL DEFAULT now(),
	taken_by text NOT NULL DEFAULT session_user,
	stratum text,
	split text,
	inclusion_probability double precision NOT NULL,
	weight double precision NOT NULL,
	erased_at timestamptz,
	erasure_id uuid,
	erased_digest bytea,
	CHECK ((erased_at IS NULL) = (trace_id IS NOT NULL))
);
CREATE INDEX sample_lineage_trace_id_idx ON llmtrace.sample_lineage (trace_id);
COMMENT ON TABLE llmtrace.sample_lineage IS 'which traces went into which data set, when, for whom and what for; filled by eval_sample_take. Of what was erased only the row remains, without ids';
COMMENT ON COLUMN llmtrace.sample_lineage.sample_id IS 'as eval_sample gives it; NULL once erased';
COMMENT ON COLUMN llmtrace.sample_lineage.body_hashes IS 'the bodies that the trace, or span, refers to';
COMMENT ON COLUMN llmtrace.sample_lineage.dataset IS 'name of the data set';
COMMENT ON COLUMN llmtrace.sample_lineage.purpose IS 'what it is for';
COMMENT ON COLUMN llmtrace.sample_lineage.erased_at IS 'when the trace was erased; the copy in the data set is for its holder to remove';
COMMENT ON COLUMN llmtrace.sample_lineage.erased_digest IS 'erasure_digest(sample_id), by which the row of a copy can be told that has to go';

CREATE TABLE llmtrace.erasure_log (
	erasure_id uuid PRIMARY KEY,
	erased_at timestamptz NOT NULL DEFAULT now(),
	erased_by text NOT NULL DEFAULT session_user,
	mode text NOT NULL,
	kind text NOT NULL,
	subject_digest bytea NOT NULL,
	trace_digest bytea NOT NULL,
	reason text,
	trace_count bigint NOT NULL,
	row_counts jsonb NOT NULL,
	body_count bigint NOT NULL,
	shared_body_count bigint NOT NULL,
	datasets text[] NOT NULL
);
COMMENT ON TABLE llmtrace.erasure_log IS 'what erase_subject did: counts and digests, no content';
COMMENT ON COLUMN llmtrace.erasure_log.mode IS 'delete, or redact: bodies and comments only';
COMMENT ON COLUMN llmtrace.erasure_log.kind IS 'user_id, conversation_id, tenant_id or trace_id';
COMMENT ON COLUMN llmtrace.erasure_log.subject_digest IS 'erasure_digest(subject)';
COMMENT ON COLUMN llmtrace.erasure_log.trace_digest IS 'erasure_digest of the ids of the traces, in order, with a comma between them';
COMMENT ON COLUMN llmtrace.erasure_log.row_counts IS 'rows erased, by relation';
COMMENT ON COLUMN llmtrace.erasure_log.body_count IS 'bodies erased';
COMMENT ON COLUMN llmtrace.erasure_log.shared_body_count IS 'bodies that stay, since other traces say the same';
COMMENT ON COLUMN llmtrace.erasure_log.datasets IS 'data sets that were taken before, and hold copies';

CREATE TABLE llmtrace.legal_hold (
	kind text NOT NULL CHECK (kind IN ('user_id', 'conversation_id', 'tenant_id', 'trace_id')),
	subject text NOT NULL CHECK (subject <> '' AND (kind <> 'trace_id' OR subject ~ '^[0-9a-f]{32}$')),
	reason text,
	held_at timestamptz NOT NULL DEFAULT now(),
	held_by text NOT NULL DEFAULT session_user,
	PRIMARY KEY (kind, subject)
);
COMMENT ON TABLE llmtrace.legal_hold IS 'subjects of which nothing may go: erase_subject and drop_before refuse to touch their traces, retain keeps them. Filled by hand; the hold ends when the row is deleted';
COMMENT ON COLUMN llmtrace.legal_hold.kind IS 'user_id, conversation_id, tenant_id or trace_id';
COMMENT ON COLUMN llmtrace.legal_hold.subject IS 'the subject; of trace_id 32 hexadecimal digits in lower case';
COMMENT ON COLUMN llmtrace.legal_hold.reason IS 'why: the case, the order';
COMMENT ON COLUMN llmtrace.legal_hold.held_at IS 'since when';
COMMENT ON COLUMN llmtrace.legal_hold.held_by IS 'the role that put it on hold';

CREATE TABLE llmtrace.retention_log (
	retained_at timestamptz NOT NULL DEFAULT now(),
	since timestamptz NOT NULL,
	until timestamptz NOT NULL,
	stratum text NOT NULL,
	budget_bytes bigint NOT NULL,
	trace_count bigint NOT NULL,
	failed_count bigint NOT NULL,
	always_count bigint NOT NULL,
	dropped_count bigint NOT NULL,
	demoted_count bigint NOT NULL,
	threshold double precision,
	body_threshold double precision
);
COMMENT ON TABLE llmtrace.retention_log IS 'what retain did: how much there was in each stratum, and how much was let go';
COMMENT ON COLUMN llmtrace.retention_log.stratum IS 'the stratum: feature=research';
COMMENT ON COLUMN llmtrace.retention_log.budget_bytes IS 'the budget of all strata';
COMMENT ON COLUMN llmtrace.retention_log.trace_count IS 'traces that there were';
COMMENT ON COLUMN llmtrace.retention_log.failed_count IS 'of them, those in which a span failed';
COMMENT ON COLUMN llmtrace.retention_log.always_count IS 'of them, those that a rule keeps';
COMMENT ON COLUMN llmtrace.retention_log.dropped_count IS 'traces dropped so far';
COMMENT ON COLUMN llmtrace.retention_log.demoted_count IS 'traces that lost their bodies so far';
COMMENT ON COLUMN llmtrace.retention_log.threshold IS 'rank divided by score below which traces were kept; NULL if none was dropped';
COMMENT ON COLUMN llmtrace.retention_log.body_threshold IS 'the same for bodies';
