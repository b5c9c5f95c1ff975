-- Fills database demo, which has the extension: lines of OTLP/JSON, on psql's
-- standard input, become a table of traces. A trace may be spread over lines,
-- and sent twice.
create unlogged table staging (line text);
-- Characters that JSON cannot contain: each line is one value, as it is.
\copy staging from pstdin (format csv, quote e'\x01', delimiter e'\x02')

create table traces (
    trace_id    uuid primary key,
    started_at  timestamptz,
    trajectory  llmtrace.trajectory
);

insert into traces
select llmtrace.trace_id(t), llmtrace.started_at(t), t
from (select llmtrace.merge_agg(f)
      from staging, llmtrace.trajectories_from_otlp(line) f
      group by llmtrace.trace_id(f)) x(t);

create index on traces (started_at);
drop table staging;
vacuum analyze traces;
