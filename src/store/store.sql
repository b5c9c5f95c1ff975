-- Members of the extension that serve a store: the store itself is made by
-- create_store and belongs to who made it.

CREATE FUNCTION ingest_body(document bytea, format text, line_number bigint DEFAULT 0,
	OUT accepted_spans bigint, OUT rejected_spans bigint, OUT error_message text)
	AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE COST 100000;
COMMENT ON FUNCTION ingest_body(bytea, text, bigint) IS
'internal: takes an OTLP document (format json or protobuf) into a store, with the rights of the caller; ingest_otlp_json and its like call it. With a line number what cannot be read is noted in ingest_rejected instead of raised.';

CREATE FUNCTION otlp_insert() RETURNS trigger
	AS 'MODULE_PATHNAME' LANGUAGE C;
COMMENT ON FUNCTION otlp_insert() IS 'internal: trigger of the view otlp';

CREATE FUNCTION session_accepted_spans() RETURNS bigint
	AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED;
COMMENT ON FUNCTION session_accepted_spans() IS
'internal: spans that this session has taken in so far, those of transactions that failed included; a COPY does not tell';

CREATE FUNCTION priced_cost(provider text, model text, at timestamptz, input_tokens bigint, output_tokens bigint,
	reasoning_tokens bigint, cache_read_tokens bigint, cache_write_tokens bigint) RETURNS numeric
	AS 'MODULE_PATHNAME' LANGUAGE C STABLE PARALLEL SAFE COST 50;
COMMENT ON FUNCTION priced_cost(text, text, timestamptz, bigint, bigint, bigint, bigint, bigint) IS
'What tokens cost in US dollars (to 1e-12) by table price at a time. Input includes what a cache held, output includes reasoning. The price is that of the model''s exact name, else of its name without a path before it or a date behind it, else of the longest pattern; that of the provider before that of any. NULL if there is no price or no count.';
