// Finding traces: an attribute, a structure, with the index and without it, and
// what the index costs.

// A tool that failed under an agent, and a model call after it.
const structural = '({ kind = agent } >> { kind = tool && status = error }) -> { kind = llm }';
const selective = '{ tool = "charge_card" && status = error } -> { kind = llm }';

const count = (query) => `select count(*) from folded where llmtrace.matches(t, '${query}')`;

// One tool call that exists: the same in all systems, since the data are.
const anyCall = `select min(a->>'gen_ai.tool.call.id') from (
	select llmtrace.span_attributes(t, ordinal) a from folded, llmtrace.spans(t) where kind = 'tool' limit 1000) s`;

const lookUp = `do $$ begin
	execute format('create or replace view one_call as select count(*) as n from folded where t operator(llmtrace.@@) %L::llmtrace.tracequery',
		format('{ .gen_ai.tool.call.id = "%s" }', (${anyCall})));
end $$`;

const withIndex = ['set enable_seqscan = off', 'set enable_bitmapscan = on'];
const withoutIndex = ['set enable_seqscan = on', 'set enable_bitmapscan = off'];
const reset = ['reset enable_seqscan', 'reset enable_bitmapscan'];

export default {
	name: 'finding traces',
	unit: 'ms',
	systems: {
		llmtrace: () => [
			{
				figure: 'index build',
				before: ['drop index if exists folded_t'],
				sql: 'create index folded_t on folded using gin (t llmtrace.trajectory_ops)',
			},
			{ figure: 'structural question, no index', before: withoutIndex, sql: count(structural) },
			{ figure: 'structural question, index', before: withIndex, sql: count(structural) },
			{ figure: 'selective structure, no index', before: withoutIndex, sql: count(selective) },
			{ figure: 'selective structure, index', before: withIndex, sql: count(selective) },
			{
				figure: 'attribute look-up, one tool call',
				before: [...reset, 'analyze folded', lookUp],
				sql: 'select n from one_call',
			},
			{
				figure: 'insert 1,000 traces, no index',
				before: ['drop table if exists copied', 'create table copied (like folded including all)', 'drop index if exists copied_t_idx'],
				sql: 'insert into copied select * from folded limit 1000',
			},
			{
				figure: 'insert 1,000 traces, index',
				before: ['drop table copied', 'create table copied (like folded)',
					'create index on copied using gin (t llmtrace.trajectory_ops) with (fastupdate = off)'],
				sql: 'insert into copied select * from folded limit 1000',
			},
		],
	},
};
