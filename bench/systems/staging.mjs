// Requests as they came, in a table: so that what is timed is their decoding,
// not how the file is read.  Uncompressed, for the same reason.

export async function stageJson(database, data)
{
	await database.run('create unlogged table public.json_requests (line text)');
	await database.run('alter table public.json_requests alter line set storage external');
	await database.run(`copy public.json_requests from '${data.json}' (format csv, quote e'\\x01', delimiter e'\\x02')`);
}

// Each request follows its length, four bytes big-endian.
export async function stageProtobuf(database, data)
{
	await database.run('create unlogged table public.protobuf_requests (body bytea)');
	await database.run('alter table public.protobuf_requests alter body set storage external');
	await database.run(`do $$
declare
	file constant text := '${data.protobuf}';
	size constant bigint := (pg_stat_file(file)).size;
	at bigint := 0;
	length bigint;
begin
	while at < size loop
		length := ('x' || encode(pg_read_binary_file(file, at, 4), 'hex'))::bit(32)::bigint;
		insert into public.protobuf_requests values (pg_read_binary_file(file, at + 4, length));
		at := at + 4 + length;
	end loop;
end $$`);
}
