import { openDatabase } from './postgres.mjs';
import { stageJson, stageProtobuf } from './staging.mjs';

export async function open(folder, data)
{
	const database = await openDatabase(folder, 'llmtrace');
	try
	{
		await database.run('create extension llmtrace');
		const { rows } = await database.run(`select extversion from pg_extension where extname = 'llmtrace'`);
		await database.run('set search_path = public, llmtrace');
		await stageJson(database, data);
		await stageProtobuf(database, data);
		return { ...database, version: `llmtrace ${rows[0][0]} in ${database.version}` };
	}
	catch (error)
	{
		database.close();
		throw error;
	}
}
