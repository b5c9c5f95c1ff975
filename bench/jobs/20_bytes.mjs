// What a span costs on disk, item by item; the sum comes first.

// Each relation: a table with its TOAST and maps, or an index.
const relations = (table) => `
with item as (
	select relname as item, pg_table_size(oid) as bytes from pg_class where oid = '${table}'::regclass
	union all
	select relname, pg_relation_size(oid)
	from pg_class join pg_index on indexrelid = oid where indrelid = '${table}'::regclass
)
select 'all', sum(bytes) from item union all select item, bytes from item`;

export default {
	name: 'bytes a span',
	unit: 'B',
	sizes: true,
	systems: {
		llmtrace: () => [{ sql: relations('folded') }],
		rows: () => [{ sql: relations('spans') }],
		duckdb: () => [{
			sql: `select 'all', used_blocks * block_size from pragma_database_size()`,
		}],
		clickhouse: () => [{
			sql: `with ours as (select * from system.parts where active and table = 'spans')
				select 'all', sum(bytes_on_disk) from ours
				union all select 'columns', sum(data_compressed_bytes) from ours
				union all select 'indexes', sum(secondary_indices_compressed_bytes) + sum(primary_key_size) from ours`,
		}],
	},
};
