// What a dashboard's tool asks of every view to get to know it: 10,000 rows of
// all columns, without a filter, as text.  It is to take less than a second.

const views = ['agent_runs', 'attempts', 'cascade_route', 'cohort_metric', 'cohort_metric_daily', 'cohort_rollup', 'component_time',
	'conversations', 'drift_daily', 'fanout_tree', 'fold_backlog', 'handoff', 'llm_phase', 'logical_call', 'messages',
	'model_alias_change', 'model_calls', 'otlp', 'plan_adherence', 'plan_adherence_daily', 'plan_graph', 'plan_step',
	'reasoning_spend', 'recovery', 'rollup_lag', 'spans', 'stop_taxonomy', 'success_check', 'tasks', 'telemetry_cost',
	'tool_calls', 'traces', 'trajectories'];

// What people fill in, of which some views make more.
const prepare = [
	`do $$ begin if not exists (select from llmtrace.cohort_rollup) then call llmtrace.refresh_rollups(); end if; end $$`,
	`do $$
	declare
		forgotten text;
	begin
		select string_agg(relname, ', ') into forgotten
		from pg_class
		where relnamespace = 'llmtrace'::regnamespace and relkind = 'v' and relname <> all ('{${views}}');
		if forgotten is not null then
			raise exception 'views that are not measured: %', forgotten;
		end if;
	end $$`,
	`insert into llmtrace.tool_class (tool_name, effect)
	select distinct tool_name, case when tool_name ~ 'get|search|read|fetch|grep|diff' then 'read' else 'write' end
	from llmtrace.tool_calls where tool_name is not null
	on conflict do nothing`,
	`insert into llmtrace.outcome (task_id, trace_id, conversation_id, success, value)
	select 'task ' || trace_id, trace_id, conversation_id, error_count = 0, 1
	from llmtrace.traces where not exists (select from llmtrace.outcome)`,
	`insert into llmtrace.annotation (trace_id, name, score)
	select trace_id, 'quality', (error_count = 0)::int
	from llmtrace.traces where not exists (select from llmtrace.annotation)`,
	'vacuum (analyze)',
];

export default {
	name: '10,000 rows of a view',
	unit: 'ms',
	systems: {
		llmtrace: () => views.map((view, i) => ({
			figure: view,
			before: i === 0 ? prepare : [],
			sql: `select count(v::text) > -1 from (select * from llmtrace.${view} limit 10000) v`,
		})),
	},
};
