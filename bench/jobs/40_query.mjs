// Finding traces: an attribute, a structure, with the index and without it, and
// what the index costs.
//
// What kind of thing a span does, and with which tool, llmtrace knows of every
// convention when a trace comes in; the others get it as columns of a table of
// its own, which is not counted.

// A tool that failed under an agent, and a model call after it.
const structural = '({ kind = agent } >> { kind = tool && status = error }) -> { kind = llm }';
const selective = '{ tool = "charge_card" && status = error } -> { kind = llm }';

const count = (query) => `select count(*) from folded where llmtrace.matches(t, '${query}')`;

// One tool call that exists: the same in all systems, since the data are.
const callId = 'gen_ai.tool.call.id';
const anyCall = `select min(a->>'${callId}') from (
	select llmtrace.span_attributes(t, ordinal) a from folded, llmtrace.spans(t) where kind = 'tool') s`;

const viewOfCall = (id, query) => `do $$ begin
	execute format('create or replace view one_call as ${query}', (${id}));
end $$`;
const lookUp = viewOfCall(`select format('{ .${callId} = "%s" }', (${anyCall}))`,
	`select count(*) as n from folded where t operator(llmtrace.@@) %L::llmtrace.tracequery`);

const withIndex = ['set enable_seqscan = off', 'set enable_bitmapscan = on'];
const withoutIndex = ['set enable_seqscan = on', 'set enable_bitmapscan = off'];
const reset = ['reset enable_seqscan', 'reset enable_bitmapscan'];

// The words of all conventions in the data.
const kindKeys = ['openinference.span.kind', 'traceloop.span.kind', 'gen_ai.operation.name', 'ai.operationId',
	'llm.request.type', 'langfuse.observation.type'];
const toolKeys = ['gen_ai.tool.name', 'tool.name', 'ai.toolCall.name', 'traceloop.entity.name'];
const words = {
	agent: ['AGENT', 'agent', 'invoke_agent', 'ai.streamText'],
	tool: ['TOOL', 'tool', 'execute_tool', 'ai.toolCall'],
	llm: ['LLM', 'chat', 'ai.streamText.doStream', 'generation'],
};

// attribute(key) is an expression that is null if there is none.
const steps = (attribute) => `
select trace_id, span_id, parent_span_id, start_ns, end_ns, status,
	case ${Object.entries(words).map(([kind, list]) => `when word in ('${list.join("', '")}') then '${kind}'`).join(' ')} else '' end as kind,
	coalesce(${toolKeys.map(attribute).join(', ')}, name) as tool
from (select *, coalesce(${kindKeys.map(attribute).join(', ')}) as word from spans) s`;

// Model calls after a failed tool, beside it.
const after = (failed) => `
select count(distinct l.trace_id)
from ${failed} f join steps l on l.trace_id = f.trace_id and l.parent_span_id = f.parent_span_id
where l.kind = 'llm' and l.start_ns >= f.end_ns and f.end_ns > 0`;

// From what failed, which is rare, up to the first agent.
const structuralRows = `
with recursive up as (
	select trace_id, span_id as failed_id, parent_span_id as above, kind
	from steps where kind = 'tool' and status = 2
	union all
	select s.trace_id, failed_id, s.parent_span_id, s.kind
	from up join steps s on s.trace_id = up.trace_id and s.span_id = up.above
	where up.kind <> 'agent'
), failed as (
	select s.trace_id, s.span_id, s.parent_span_id, s.end_ns
	from up join steps s on s.trace_id = up.trace_id and s.span_id = up.failed_id
	where up.kind = 'agent'
)${after('failed')}`;

const selectiveRows = `
with failed as (
	select f.trace_id, f.span_id, f.parent_span_id, f.end_ns
	from steps f join steps p on p.trace_id = f.trace_id and p.span_id = f.parent_span_id
	where f.tool = 'charge_card' and f.kind = 'tool' and f.status = 2
)${after('failed')}`;

// ClickHouse joins what is on the right as a hash table: the smaller side.
const structuralHouse = structuralRows
	.replace('from up join steps s on', 'from steps s join up on')
	.replace('from up join steps s on', 'from steps s join up on')
	.replace('from failed f join steps l on', 'from steps l join failed f on');
const selectiveHouse = selectiveRows.replace('from failed f join steps l on', 'from steps l join failed f on');

const questions = (before, structure, selection) => [
	{ figure: 'structural question, no index', before, sql: structure },
	{ figure: 'selective structure, no index', before, sql: selection },
];

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
		rows: () => [
			...questions([
				`create table if not exists steps as ${steps((key) => `attributes->>'${key}'`)}`,
				'create index if not exists steps_id on steps (trace_id, span_id)',
				'create index if not exists steps_parent on steps (trace_id, parent_span_id)',
				`create index if not exists steps_failed on steps (tool) where kind = 'tool' and status = 2`,
				'analyze steps',
			], structuralRows, selectiveRows),
			{
				figure: 'attribute look-up, one tool call',
				before: ['analyze spans', viewOfCall(`select min(attributes->>'${callId}') from spans`,
					`select count(distinct trace_id) as n from spans where attributes @> jsonb_build_object(''${callId}'', %L)`)],
				sql: 'select n from one_call',
			},
		],
		duckdb: () => [
			...questions([`create table if not exists steps as ${steps((key) => `attributes['${key}']`)}`],
				structuralRows, selectiveRows),
			{
				figure: 'attribute look-up, one tool call',
				before: [`set variable one_call = (select min(attributes['${callId}']) from spans)`],
				sql: `select count(distinct trace_id) from spans where attributes['${callId}'] = getvariable('one_call')`,
			},
		],
		clickhouse: () => [
			...questions([`create table if not exists steps engine = MergeTree order by (trace_id, span_id)
				as ${steps((key) => `nullIf(attributes['${key}'], '')`)}`], structuralHouse, selectiveHouse),
			{
				figure: 'attribute look-up, one tool call',
				before: ['drop table if exists one_call', `create table one_call engine = Memory as
					select min(attributes['${callId}']) as id from spans where mapContains(attributes, '${callId}')`],
				sql: `select count(distinct trace_id) from spans
					where has(mapValues(attributes), (select id from one_call)) and attributes['${callId}'] = (select id from one_call)`,
			},
		],
	},
};
