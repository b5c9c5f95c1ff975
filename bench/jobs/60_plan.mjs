// How far runs are from a plan: every trace, and pairs of small plans and runs
// as an evaluator has them.  All runs differ, so decoding is a part of each pair.

const pairs = 10000;

// Ten steps in a row, and twenty actions: the steps in their order with others
// between, some missing, some swapped.
const linear = Array.from({ length: 10 }, (_, i) => `t${i}`).join(' -> ');

// Three chains of four, next to each other.
const wide = [0, 1, 2].map((c) => '(' + [0, 1, 2, 3].map((i) => `t${c * 4 + i}`).join(' -> ') + ')').join(' & ');

// Runs that keep to the steps more or less, by a hash of their number.
const runs = (table, steps, actions) => [
	`drop table if exists ${table}`,
	`create table ${table} as
	select n, (select llmtrace.trajectory_from_actions(jsonb_agg(jsonb_build_object('tool',
			case when hashint4extended(n, i) % 5 < 0 then 'other' || i % 7
			else 't' || least(${steps - 1}, greatest(0, i * ${steps} / ${actions} + hashint4extended(n, i + 100) % 2)) end) order by i))
		from generate_series(0, ${actions - 1}) i where i >= 0 and n >= 0) as t
	from generate_series(1, ${pairs}) n`,
	`analyze ${table}`,
];

const every = (table, plan) => `select round(sum(llmtrace.plan_distance('${plan}', t))::numeric, 3) from ${table}`;

export default {
	name: 'plans',
	unit: 'ms',
	systems: {
		llmtrace: () => [
			{
				figure: 'plan distance of every trace',
				sql: `select count(*) from folded where llmtrace.plan_distance('search_orders -> get_order? -> charge_card[write]', t) >= 0`,
			},
			{
				figure: 'adherence of every trace',
				sql: `select sum(skipped) from folded, llmtrace.plan_adherence('search_orders -> get_order? -> charge_card[write]', t)`,
			},
			{ figure: '10,000 pairs, 10 steps in a row, 20 actions', before: runs('plan_linear', 10, 20), sql: every('plan_linear', linear) },
			{ figure: '10,000 pairs, 12 steps three wide, 25 actions', before: runs('plan_wide', 12, 25), sql: every('plan_wide', wide) },
			{
				figure: '10,000 pairs, 10 steps in a row, other evaluators\' in_order',
				sql: `select sum(llmtrace.plan_match('${linear}', t, 'in_order')) from plan_linear`,
			},
		],
	},
};
