-- The tour that bin/demo ends with: questions, as psql runs them.
\pset footer off
\pset null '-'
set search_path = llmtrace, public;

\echo
\echo :bold'1. What is in the store?':plain
\echo
select "check", status, finding
from doctor()
where "check" in ('loaded', 'waiting to be folded', 'rejected');

\echo :bold'2. Which trace of at most 25 spans was the slowest, and where did the time go?':plain
\echo
\pset format unaligned
\pset tuples_only on
select show(trajectory)
from trajectories
where span_count <= 25
order by duration_ms desc nulls last
limit 1;
\pset format aligned
\pset tuples_only off

\echo
\echo :bold'3. What does each feature cost, by the prices loaded into table price?':plain
\echo
select feature, request_count, round(total_cost_usd, 2) as cost_usd, cost_per_request_usd,
       round(coverage_rate::numeric, 2) as known_share
from cost_by_feature(since => now() - interval '30 days')
limit 8;

\echo :bold'4. Which models use the tokens, and what did they cost?':plain
\echo
select model,
       count(*) as calls,
       sum(input_tokens) as input_tokens,
       sum(output_tokens) as output_tokens,
       round(100.0 * sum(cache_read_tokens) / nullif(sum(input_tokens), 0)) as cached_percent,
       round(sum(cost_usd), 2) as cost_usd,
       round(avg(duration_ms)) as mean_ms
from model_calls
where started_at > now() - interval '30 days'
group by model
order by input_tokens desc nulls last
limit 8;

\echo :bold'5. Which tools fail?':plain
\echo
select tool_name,
       count(*) as calls,
       count(*) filter (where is_error) as failed,
       round(100 * avg(is_error::int), 1) as error_percent,
       mode() within group (order by error_type) filter (where is_error) as mostly
from tool_calls
where started_at > now() - interval '30 days'
group by tool_name
order by error_percent desc
limit 8;

\echo :bold'6. Since when does search_orders fail so often?':plain
\echo
select date_trunc('day', started_at)::date as day,
       count(*) as calls,
       round(100 * avg(is_error::int), 1) as error_percent,
       repeat('#', round(100 * avg(is_error::int))::int) as bar
from tool_calls
where tool_name = 'search_orders' and started_at > now() - interval '30 days'
group by day
order by day;

\echo :bold'7. In which ways do runs fail? (! marks a failing span, x3 how often it was tried)':plain
\echo
select count(*) as traces,
       failure_signature(trajectory) as signature,
       trace_hex((array_agg(trace_id order by started_at desc))[1]) as latest
from trajectories
where error_count > 0
group by signature
order by traces desc
limit 8;

\echo :bold'8. Where did the search fail and a model call with a long prompt follow? (an index answers)':plain
\echo
select left(trace_hex(trace_id), 8) as trace, root_name, match_count(trajectory, '{ kind = tool && isError }') as failed_tools,
       round(cost_usd, 3) as cost_usd
from trajectories
where matches(trajectory, '{ tool = "search_orders" && isError } -> { kind = llm && inputTokens > 8000 }')
order by failed_tools desc
limit 5;

\echo :bold'9. What changed in the last three days, of everything that is measured, in any cohort?':plain
\echo
select measure, cohort, round(coalesce(ks, cramers_v)::numeric, 2) as effect, verdict
from drift_scan(since => date_trunc('day', now(), 'UTC') - interval '3 days', until => date_trunc('hour', now(), 'UTC'),
                ref_since => date_trunc('day', now(), 'UTC') - interval '14 days')
where verdict = 'drifted'
order by effect desc
limit 6;

\echo :bold'10. What was said in a run that failed? (kept apart from traces, for those who may read it)':plain
\echo
select part, message_number as no, role, left(regexp_replace(content, '\s+', ' ', 'g'), 70) as begins
from messages
where trace_id = (select trace_id from traces where error_count > 0 and span_count < 20 order by started_at desc limit 1)
order by ordinal, event_number nulls first, key, message_number
limit 6;
