// The whole way into a store: acknowledged when the requests are committed as
// fragments, then folded, with the index and all that views read.

const emptyStore = [
	`do $$ begin if to_regclass('llmtrace.store') is null then perform llmtrace.create_store(); end if; end $$`,
	'truncate llmtrace.fragments, llmtrace.folded, llmtrace.directory, llmtrace.payloads',
];

const fold = { figure: 'folded and indexed', sql: `call llmtrace.fold(quiet_for => '0')` };

export default {
	name: 'store',
	unit: 'ms',
	loads: true,
	systems: {
		llmtrace: () => [
			{
				figure: 'JSON acknowledged',
				before: emptyStore,
				sql: 'select sum(accepted_spans) as spans from json_requests, llmtrace.ingest_otlp(line)',
			},
			{
				figure: 'protobuf acknowledged',
				before: emptyStore,
				sql: 'select sum(accepted_spans) as spans from protobuf_requests, llmtrace.ingest_otlp_protobuf(body)',
			},
			fold,
			{
				figure: 'spans',
				check: true,
				before: ['vacuum (analyze)'],
				sql: 'select sum(span_count) from llmtrace.traces',
			},
		],
	},
};
