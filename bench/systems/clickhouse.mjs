import path from 'node:path';

export async function open(folder)
{
	const { Session } = await import('chdb');
	const session = new Session(path.join(folder, 'clickhouse'));
	const query = (sql) => session.query(sql, 'TabSeparated').split('\n').slice(0, -1);
	for (const setting of ['max_threads', 'max_insert_threads', 'max_parsing_threads'])
		query(`set ${setting} = 1`);
	return {
		version: `ClickHouse ${query('select version()')[0]}`,
		run: async (sql) =>
		{
			const start = performance.now();
			const lines = query(sql);
			return { ms: performance.now() - start, rows: lines.map((line) => line.split('\t')) };
		},
		close: () => session.close(),
	};
}
