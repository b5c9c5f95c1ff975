-- The tour that bin/demo ends with: questions, as psql runs them.
\pset footer off
\pset null '-'

\echo
\echo :bold'1. What is in the table?':plain
\echo
select count(*) as traces,
       sum(llmtrace.span_count(trajectory)) as spans,
       count(*) filter (where llmtrace.error_count(trajectory) > 0) as with_errors,
       min(started_at)::date as first_day,
       max(started_at)::date as last_day,
       pg_size_pretty(pg_total_relation_size('traces')) as size
from traces;

\echo :bold'2. Which trace of at most 25 spans was the slowest, and where did the time go?':plain
\echo
\pset format unaligned
\pset tuples_only on
select llmtrace.show(trajectory)
from traces
where llmtrace.span_count(trajectory) <= 25
order by llmtrace.duration_ms(trajectory) desc nulls last
limit 1;
\pset format aligned
\pset tuples_only off

\echo
\echo :bold'3. Which models use the tokens?':plain
\echo
select model,
       count(*) as calls,
       sum(input_tokens) as input_tokens,
       sum(output_tokens) as output_tokens,
       round(100.0 * sum(cache_read_tokens) / nullif(sum(input_tokens), 0)) as cached_percent,
       round(avg(duration_ms)) as mean_ms
from traces, llmtrace.spans(trajectory)
where kind in ('llm', 'embedding') and usage_scope = 'own'
group by model
order by input_tokens desc
limit 8;

\echo :bold'4. Which tools fail?':plain
\echo
select tool_name,
       count(*) as calls,
       count(*) filter (where is_error) as failed,
       round(100 * avg(is_error::int), 1) as error_percent,
       mode() within group (order by error_type) filter (where is_error) as mostly
from traces, llmtrace.spans(trajectory)
where kind = 'tool'
group by tool_name
order by error_percent desc
limit 8;

\echo :bold'5. Since when does search_orders fail so often?':plain
\echo
select date_trunc('day', s.started_at)::date as day,
       count(*) as calls,
       round(100 * avg(is_error::int), 1) as error_percent,
       repeat('#', round(100 * avg(is_error::int))::int) as bar
from traces, llmtrace.spans(trajectory) s
where kind = 'tool' and tool_name = 'search_orders'
group by day
order by day;

\echo :bold'6. In which ways do runs fail? (! marks a failing span, x3 how often it was tried)':plain
\echo
select count(*) as traces,
       llmtrace.failure_signature(trajectory) as signature,
       (array_agg(trace_id order by started_at desc))[1] as latest
from traces
where llmtrace.error_count(trajectory) > 0
group by signature
order by traces desc
limit 8;
