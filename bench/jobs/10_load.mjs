// From OTLP to what the other jobs ask.  PostgreSQL gets the requests from a
// table, since how a file is read is not in question; DuckDB and ClickHouse
// read the file itself, which is their way.

// An attribute's value as jsonb.
const jsonbValue = `coalesce(a->'value'->'stringValue', to_jsonb((a->'value'->>'intValue')::bigint),
	a->'value'->'doubleValue', a->'value'->'boolValue', a->'value'->'arrayValue')`;

const resourceAttribute = (key) =>
	`jsonb_path_query_first(r, '$.resource.attributes[*] ? (@.key == "${key}").value.stringValue') #>> '{}'`;

const createRows = `
create table spans (
	trace_id uuid not null, span_id bigint not null, parent_span_id bigint,
	start_ns bigint not null, end_ns bigint not null, kind smallint, status smallint,
	name text, status_message text, service text, version text, environment text, scope text,
	attributes jsonb, events jsonb)`;

const insertRows = `
insert into spans
select (s->>'traceId')::uuid, ('x' || (s->>'spanId'))::bit(64)::bigint,
	('x' || nullif(s->>'parentSpanId', ''))::bit(64)::bigint,
	(s->>'startTimeUnixNano')::bigint, (s->>'endTimeUnixNano')::bigint,
	(s->>'kind')::smallint, coalesce((s->'status'->>'code')::smallint, 0),
	s->>'name', s->'status'->>'message', service, version, environment, c->'scope'->>'name',
	(select jsonb_object_agg(a->>'key', ${jsonbValue}) from jsonb_array_elements(s->'attributes') a),
	s->'events'
from (
	select r, ${resourceAttribute('service.name')} as service, ${resourceAttribute('service.version')} as version,
		${resourceAttribute('deployment.environment.name')} as environment
	from json_requests, jsonb_array_elements(line::jsonb->'resourceSpans') r
	offset 0) resource,
	jsonb_array_elements(r->'scopeSpans') c,
	jsonb_array_elements(c->'spans') s`;

// An attribute's value as text, for a map, in DuckDB and in ClickHouse.
const duckValue = `coalesce(a.value.stringValue, a.value.intValue, a.value.doubleValue::varchar,
	a.value.boolValue::varchar, a.value.arrayValue::varchar)`;

// from_json() over whole objects takes a third of what read_json() takes for
// columns so deeply nested.
const duckAttributes = [{
	key: 'VARCHAR',
	value: { stringValue: 'VARCHAR', intValue: 'VARCHAR', doubleValue: 'DOUBLE', boolValue: 'BOOLEAN', arrayValue: 'JSON' },
}];

const duckStructure = JSON.stringify([{
	resource: { attributes: duckAttributes },
	scopeSpans: [{
		scope: { name: 'VARCHAR', version: 'VARCHAR' },
		spans: [{
			traceId: 'VARCHAR', spanId: 'VARCHAR', parentSpanId: 'VARCHAR', name: 'VARCHAR', kind: 'SMALLINT',
			startTimeUnixNano: 'BIGINT', endTimeUnixNano: 'BIGINT', attributes: duckAttributes, events: 'JSON',
			status: { message: 'VARCHAR', code: 'SMALLINT' },
		}],
	}],
}]);

const duckResourceAttribute = (key) =>
	`list_filter(r.resource.attributes, lambda a: a.key = '${key}')[1].value.stringValue`;

const createDuck = (data) => `
create or replace table spans as
with requests as (
	select unnest(from_json(json->'resourceSpans', '${duckStructure}')) as r
	from read_json_objects('${data.json}', format = 'newline_delimited')
), resources as (
	select ${duckResourceAttribute('service.name')} as service, ${duckResourceAttribute('service.version')} as version,
		${duckResourceAttribute('deployment.environment.name')} as environment, unnest(r.scopeSpans) as c
	from requests
), scopes as (
	select service, version, environment, c.scope.name as scope, unnest(c.spans) as s from resources
)
select s.traceId::uuid as trace_id, ('0x' || s.spanId)::ubigint as span_id,
	('0x' || nullif(s.parentSpanId, ''))::ubigint as parent_span_id,
	s.startTimeUnixNano as start_ns, s.endTimeUnixNano as end_ns, s.kind, coalesce(s.status.code, 0)::smallint as status,
	s.name, s.status.message as status_message, service, version, environment, scope,
	map_from_entries(list_transform(s.attributes, lambda a: {'k': a.key, 'v': ${duckValue}})) as attributes, s.events
from scopes`;

const houseAttributes = `Array(Tuple(key String, value Tuple(stringValue Nullable(String), intValue Nullable(String),
	doubleValue Nullable(Float64), boolValue Nullable(Bool), arrayValue Nullable(String))))`;

const houseColumns = `resourceSpans Array(Tuple(
	resource Tuple(attributes ${houseAttributes}),
	scopeSpans Array(Tuple(
		scope Tuple(name String, version String),
		spans Array(Tuple(traceId String, spanId String, parentSpanId String, name String, kind UInt8,
			startTimeUnixNano UInt64, endTimeUnixNano UInt64, attributes ${houseAttributes},
			events String, status Tuple(message String, code UInt8)))))))`;

const houseValue = `coalesce(a.value.stringValue, a.value.intValue, toString(a.value.doubleValue),
	toString(a.value.boolValue), a.value.arrayValue, '')`;

const houseResourceAttribute = (key) =>
	`arrayFirst(a -> a.key = '${key}', r.resource.attributes).value.stringValue`;

const createHouse = `
create table spans (
	trace_id UUID, span_id UInt64, parent_span_id UInt64, start_ns UInt64 codec(Delta, LZ4), end_ns UInt64 codec(Delta, LZ4),
	kind UInt8, status UInt8, name LowCardinality(String), status_message LowCardinality(String),
	service LowCardinality(String), version LowCardinality(String), environment LowCardinality(String),
	scope LowCardinality(String), attributes Map(LowCardinality(String), String), events String,
	index by_value mapValues(attributes) type bloom_filter(0.01) granularity 1)
engine = MergeTree order by (trace_id, start_ns)`;

const insertHouse = (data) => `
insert into spans
select toUUID(s.traceId), reinterpretAsUInt64(reverse(unhex(s.spanId))), reinterpretAsUInt64(reverse(unhex(s.parentSpanId))),
	s.startTimeUnixNano, s.endTimeUnixNano, s.kind, s.status.code, s.name, s.status.message,
	assumeNotNull(${houseResourceAttribute('service.name')}), assumeNotNull(${houseResourceAttribute('service.version')}),
	assumeNotNull(${houseResourceAttribute('deployment.environment.name')}), c.scope.name,
	mapFromArrays(arrayMap(a -> toLowCardinality(a.key), s.attributes), arrayMap(a -> ${houseValue}, s.attributes)), s.events
from file('${data.json}', 'JSONEachRow', '${houseColumns}')
array join resourceSpans as r array join r.scopeSpans as c array join c.spans as s
settings input_format_json_read_objects_as_strings = 1, input_format_json_read_arrays_as_strings = 1`;

const createFragments = `create table fragments (t llmtrace.trajectory)`;
const createFolded = `
create table folded (trace_id uuid, t llmtrace.trajectory) with (toast_tuple_target = 8160);
alter table folded alter t set storage main`;

export default {
	name: 'load',
	unit: 'ms',
	loads: true,
	systems: {
		llmtrace: () => [
			{
				figure: 'JSON to rows or trajectories',
				before: ['drop table if exists fragments', createFragments],
				sql: 'insert into fragments select t from json_requests, llmtrace.trajectories_from_otlp(line) t',
			},
			{
				figure: 'protobuf to trajectories',
				before: ['drop table fragments', createFragments],
				sql: 'insert into fragments select t from protobuf_requests, llmtrace.trajectories_from_otlp_protobuf(body) t',
			},
			{
				figure: 'indexed, merged, folded',
				before: ['drop table if exists folded', createFolded],
				sql: `insert into folded
					select llmtrace.trace_id(t), llmtrace.merge_agg(t) from fragments group by 1;
					create index on folded (trace_id)`,
			},
			{
				figure: 'spans',
				check: true,
				before: ['vacuum (analyze) folded'],
				sql: 'select sum(llmtrace.span_count(t)) from folded',
			},
		],
		rows: () => [
			{
				figure: 'JSON to rows or trajectories',
				before: ['drop table if exists spans', createRows],
				sql: insertRows,
			},
			{
				figure: 'indexed, merged, folded',
				sql: `create index spans_trace on spans (trace_id);
					create index spans_time on spans (start_ns);
					create index spans_attributes on spans using gin (attributes jsonb_path_ops)`,
			},
			{
				figure: 'spans',
				check: true,
				before: ['vacuum (analyze) spans'],
				sql: 'select count(*) from spans',
			},
		],
		duckdb: (data) => [
			{ figure: 'JSON to rows or trajectories', sql: createDuck(data) },
			{ figure: 'indexed, merged, folded', sql: 'checkpoint' },
			{ figure: 'spans', check: true, sql: 'select count(*) from spans' },
		],
		clickhouse: (data) => [
			{
				figure: 'JSON to rows or trajectories',
				before: ['drop table if exists spans', createHouse],
				sql: insertHouse(data),
			},
			{ figure: 'indexed, merged, folded', sql: 'optimize table spans final' },
			{ figure: 'spans', check: true, sql: 'select count(*) from spans' },
		],
	},
};
