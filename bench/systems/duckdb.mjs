import path from 'node:path';

export async function open(folder)
{
	const { DuckDBInstance } = await import('@duckdb/node-api');
	const instance = await DuckDBInstance.create(path.join(folder, 'duck.db'), { threads: '1' });
	const connection = await instance.connect();
	const rowsOf = async (sql) => (await connection.runAndReadAll(sql)).getRowsJson();
	const [[version]] = await rowsOf('select version()');
	return {
		version: `DuckDB ${version}`,
		run: async (sql) =>
		{
			const start = performance.now();
			const rows = await rowsOf(sql);
			return { ms: performance.now() - start, rows: rows.map((row) => row.map(String)) };
		},
		close: () => { connection.closeSync(); instance.closeSync(); },
	};
}
