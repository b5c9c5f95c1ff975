// Samples of a store's traces, each trace with its probability.  A reservoir is
// made once, as an index that folding keeps up.

export default {
	name: 'samples of a store',
	unit: 'ms',
	systems: {
		llmtrace: () => [
			{
				figure: '200 traces of each feature, from the reservoir',
				before: [`select llmtrace.create_reservoir('feature', 200)`, 'analyze llmtrace.folded'],
				sql: `select count(*) = 200 * count(distinct value) and min(inclusion_probability) > 0 from llmtrace.stratified_sample('feature', 200)`,
			},
			{
				figure: '1,000 traces by feature, drawn anew',
				sql: `select count(*) = 1000 and min(inclusion_probability) > 0 from llmtrace.eval_sample(1000, '{feature}', since => '2020-01-01', bodies => false)`,
			},
			{ figure: 'what sampling lost, by feature', sql: `select count(*) > 0 from llmtrace.sampling_bias('2020-01-01', 'infinity', '{feature}')` },
		],
	},
};
