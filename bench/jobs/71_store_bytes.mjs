// What a span costs on disk in a store, with everything, item by item.

export default {
	name: 'bytes a span in a store',
	unit: 'B',
	sizes: true,
	systems: {
		llmtrace: () => [{
			sql: `with part as (
					select inhrelid as oid, inhparent::regclass::text as parent from pg_inherits
					where inhparent in ('llmtrace.folded'::regclass, 'llmtrace.payloads'::regclass)
					union all select 'llmtrace.directory'::regclass, 'directory'
				), item as (
					select case when parent like '%folded' then 'traces' else regexp_replace(parent, '.*[.]', '') end as item,
						pg_table_size(oid) as bytes from part
					union all
					select regexp_replace(parent, '.*[.]', '') || ' ' || case when a.amname = 'gin' then 'attribute index' else 'key' end,
						pg_relation_size(i.indexrelid)
					from part join pg_index i on i.indrelid = part.oid join pg_class c on c.oid = i.indexrelid join pg_am a on a.oid = c.relam
				)
				select 'all', sum(bytes) from item
				union all select * from (select item, sum(bytes) from item group by item order by 2 desc) x`,
		}],
	},
};
