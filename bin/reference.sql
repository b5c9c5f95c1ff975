-- The reference as Markdown. On standard input, where each object belongs:
-- lines of heading, heading below it, kind of object, name.
\set QUIET on
create extension llmtrace;
do $$ begin perform llmtrace.create_store(); end $$;
set search_path = llmtrace, pg_catalog;

create temp table place (
    position  integer generated always as identity,
    title     text,
    section   text,
    kind      text,
    name      text
);
\copy place (title, section, kind, name) from pstdin

-- Members of the extension, and what a store has beside them.
create temp view member as
select d.classid, d.objid
from pg_depend d
join pg_extension e on e.oid = d.refobjid
where d.refclassid = 'pg_extension'::regclass and d.deptype = 'e' and e.extname = 'llmtrace'
union
select 'pg_proc'::regclass, oid from pg_proc where pronamespace = 'llmtrace'::regnamespace
union
select 'pg_class'::regclass, oid from pg_class
where relnamespace = 'llmtrace'::regnamespace and relkind in ('r', 'p', 'v') and not relispartition;

-- What only serves a type, an operator class, an operator or an aggregate.
create temp view support as
select unnest(array[typinput, typoutput, typsend, typreceive, typmodin, typmodout, typanalyze]::oid[]) as oid from pg_type
union
select unnest(array[aggtransfn, aggfinalfn, aggcombinefn, aggserialfn, aggdeserialfn, aggmtransfn, aggminvtransfn, aggmfinalfn]::oid[])
from pg_aggregate
union
select amproc from pg_amproc
union
select unnest(array[oprcode, oprrest, oprjoin]::oid[]) from pg_operator
where obj_description(oprcode, 'pg_proc') like 'implementation of operator %' or oprcode = 0
union
select oid from pg_proc where prorettype = 'internal'::regtype or 'internal'::regtype = any (proargtypes::oid[])
union
select oid from pg_proc where obj_description(oid, 'pg_proc') like 'internal: %';

create temp table routine as
select p.oid, p.proname::text as name, p.prokind = 'a' as is_aggregate,
    p.oid in (select oid from support) as is_support,
    min(place.position) as position
from member m
join pg_proc p on p.oid = m.objid
left join place on place.name = p.proname and place.kind = case p.prokind when 'a' then 'aggregate' when 'p' then 'procedure' else 'function' end
where m.classid = 'pg_proc'::regclass
group by p.oid;

do $$
declare
    missing text;
begin
    select string_agg(name, ', ') into missing from routine where position is null and not is_support;
    if missing is not null then
        raise exception 'the pieces of the install script do not create: %', missing;
    end if;
    select string_agg(pg_describe_object(classid, objid, 0), ', ') into missing
    from member
    where classid in ('pg_proc'::regclass, 'pg_type'::regclass, 'pg_operator'::regclass, 'pg_opclass'::regclass)
        and obj_description(objid, classid::regclass::name) is null
        and not exists (select from pg_type where oid = objid and classid = 'pg_type'::regclass and typelem <> 0);
    if missing is not null then
        raise exception 'without a COMMENT: %', missing;
    end if;
end
$$;

-- A comment ends like a sentence, and begins like one.
create function pg_temp.sentence(comment text) returns text
language sql as $$
    select upper(left(comment, 1)) || substr(comment, 2) || case when comment ~ '[.?!]$' then '' else '.' end
$$;

-- A pipe would end a table's cell.
create function pg_temp.cell(text) returns text
language sql as $$ select replace($1, '|', '\|') $$;

-- Types by the names that people use.
create function pg_temp.short(text) returns text
language sql as $$ select replace($1, 'timestamp with time zone', 'timestamptz') $$;

create function pg_temp.routine_entry(routine) returns text
language sql as $$
    select format(E'### %s(%s)\n\n', p.proname, pg_temp.short(pg_get_function_arguments(p.oid)))
        || case p.prokind when 'a' then 'Aggregate' when 'p' then 'Procedure' else 'Function' end
        || case when p.prokind = 'p' then ''
                when columns.list is not null then ', returns rows'
                else format(', returns `%s`', pg_temp.short(pg_get_function_result(p.oid))) end
        || '. ' || pg_temp.sentence(obj_description(p.oid, 'pg_proc'))
        || case p.provolatile when 's' then ' Stable.' when 'v' then ' Volatile.' else '' end
        || case when p.prokind = 'f' and not p.proisstrict and p.pronargs > 0 then ' Takes NULL arguments.' else '' end
        || coalesce(E'\n\n| column | type |\n|---|---|\n' || columns.list, '')
        || E'\n'
    from pg_proc p
    cross join lateral (
        select string_agg(format('| %s | %s |', name, pg_temp.short(format_type(type, null))), E'\n' order by n) as list
        from unnest(p.proargnames, p.proargmodes, p.proallargtypes) with ordinality as c (name, mode, type, n)
        where mode = 't'
    ) columns
    where p.oid = $1.oid
$$;

create temp table entry (title text, section text, major integer, minor integer, markdown text);

insert into entry
select place.title, place.section, place.position, 0,
    format(E'### type %s\n\n%s\n', t.typname, pg_temp.sentence(obj_description(t.oid, 'pg_type')))
from member m
join pg_type t on t.oid = m.objid
join (select title, section, name, min(position) as position from place where kind = 'type' group by 1, 2, 3) place
    on place.name = t.typname
where m.classid = 'pg_type'::regclass;

-- Views with their columns; tables with those that need a word.
insert into entry
select place.title, place.section, place.position, 0,
    format(E'### %s %s\n\n%s\n\n| column | type | what |\n|---|---|---|\n%s\n',
        case c.relkind when 'v' then 'view' else 'table' end, c.relname, pg_temp.sentence(obj_description(c.oid, 'pg_class')),
        (select string_agg(format('| %s | %s | %s |', a.attname, pg_temp.short(format_type(a.atttypid, null)),
                pg_temp.cell(coalesce(col_description(c.oid, a.attnum), ''))), E'\n' order by a.attnum)
            from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped))
from member m
join pg_class c on c.oid = m.objid
join place on place.name = c.relname and place.kind = case c.relkind when 'v' then 'view' else 'table' end
where m.classid = 'pg_class'::regclass;

insert into entry
select place.title, place.section, place.position, row_number() over (order by r.oid), pg_temp.routine_entry(r)
from routine r
join place using (position)
where not r.is_support;

-- Operators and operator classes stand at the end of the piece of what
-- implements them.
insert into entry
select place.title, 'Operators of this piece', 1000000, 1,
    E'| operator | function | what |\n|---|---|---|\n'
    || string_agg(format('| `%s %s %s` | %s | %s |',
           pg_temp.cell(coalesce(format_type(nullif(o.oprleft, 0), null), '')), pg_temp.cell(o.oprname),
           pg_temp.cell(format_type(o.oprright, null)),
           r.name, pg_temp.cell(obj_description(o.oid, 'pg_operator'))), E'\n' order by r.position, o.oid)
    || E'\n'
from member m
join pg_operator o on o.oid = m.objid
join routine r on r.oid = o.oprcode
join place using (position)
where m.classid = 'pg_operator'::regclass
group by place.title;

insert into entry
select title, 'Operators of this piece', 1000000, 2,
    E'| operator class | access method | what |\n|---|---|---|\n'
    || string_agg(format('| %s%s | %s | %s |', c.opcname, case when c.opcdefault then ' (default)' else '' end, a.amname,
           pg_temp.cell(obj_description(c.oid, 'pg_opclass'))), E'\n' order by c.oid)
    || E'\n'
from member m
join pg_opclass c on c.oid = m.objid
join pg_am a on a.oid = c.opcmethod
join pg_type t on t.oid = c.opcintype
join (select distinct title, name from place where kind = 'type') place on place.name = t.typname
where m.classid = 'pg_opclass'::regclass
group by title;

\echo '# Reference'
\echo
select format($$Version %s. Everything is in schema `llmtrace`: write `llmtrace.show(…)`, or put the schema in
`search_path`; operators need the latter, or the spelling `operator(llmtrace.||)`.
Functions return NULL for a NULL argument and are immutable and parallel safe, unless stated. Tables, views, and functions
over periods are those of a store, which `create_store()` makes.

This file is written by `make docs` from the COMMENTs in the server. Change those, not this.
$$, extversion)
from pg_extension where extname = 'llmtrace';

select case when row_number() over (partition by title order by major, minor) = 1 then format(E'## %s\n\n', title) else '' end
    || case when row_number() over (partition by title, section order by major, minor) = 1 and section <> ''
            then format(E'**%s**\n\n', case when major = 1000000 then 'Operators' else section end)
            else '' end
    || markdown
from entry
order by (select min(position) from place where place.title = entry.title), major, minor;

\echo '## Support functions'
\echo
\echo 'PostgreSQL calls these on behalf of a type, an operator or an aggregate; queries do not need them.'
\echo
select string_agg(format('`%s`', name), ', ' order by first)
from (select name, min(oid) as first from routine where is_support group by name) s;
