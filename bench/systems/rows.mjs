// The same spans as plain PostgreSQL rows with jsonb.
import { openDatabase } from './postgres.mjs';
import { stageJson } from './staging.mjs';

export async function open(folder, data)
{
	const database = await openDatabase(folder, 'rows');
	await stageJson(database, data);
	return database;
}
