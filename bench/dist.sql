-- What a row costs in dist_agg and cat_agg over count(*), beside tdigest and
-- hll (Debian: postgresql-15-tdigest, postgresql-15-hll), serial and parallel.
--
--   psql -X -v rows=2000000 -f bench/dist.sql
--
-- Each query runs three times, the fastest counts. Nanoseconds a row.
\set ON_ERROR_STOP 1
\if :{?rows} \else \set rows 2000000 \endif
\set QUIET 1
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS llmtrace;
CREATE EXTENSION IF NOT EXISTS tdigest;
CREATE EXTENSION IF NOT EXISTS hll;
SET search_path = public, llmtrace;
SET jit = off;
SET work_mem = '1GB';
SET hash_mem_multiplier = 4;

SELECT setseed(0.42) \g /dev/null
CREATE UNLOGGED TABLE bench_dist AS
	SELECT exp(5 + 1.5 * sqrt(-2 * ln(1 - random())) * cos(2 * pi() * random())) AS duration_ms,
		round(exp(7 * random())) AS tokens,
		1 + floor(random() * 4) AS weight,
		'tool_' || floor(exp(random() * 4)) AS tool,
		(random() * 9999)::int AS g
	FROM generate_series(1, :rows);
ALTER TABLE bench_dist SET (parallel_workers = 2);
VACUUM ANALYZE bench_dist;

CREATE FUNCTION pg_temp.fastest(query text) RETURNS float8 LANGUAGE plpgsql AS $$
DECLARE started timestamptz; best float8 := 'Infinity';
BEGIN
	FOR i IN 1..3 LOOP
		started := clock_timestamp();
		EXECUTE query;
		best := least(best, extract(epoch FROM clock_timestamp() - started));
	END LOOP;
	RETURN best;
END $$;

CREATE TEMP TABLE job (n serial, job text, query text, base text);
INSERT INTO job (job, query, base) VALUES
	('count(*)', 'SELECT count(*) FROM bench_dist', NULL),
	('avg(x)', 'SELECT avg(duration_ms) FROM bench_dist', 'count(*)'),
	('dist_agg(x)', 'SELECT dist_agg(duration_ms) FROM bench_dist', 'count(*)'),
	('dist_agg(integer x)', 'SELECT dist_agg(tokens) FROM bench_dist', 'count(*)'),
	('dist_agg(x, weight)', 'SELECT dist_agg(duration_ms, weight) FROM bench_dist', 'count(*)'),
	('tdigest(x, 100)', 'SELECT tdigest(duration_ms, 100) FROM bench_dist', 'count(*)'),
	('cat_agg(tool)', 'SELECT cat_agg(tool) FROM bench_dist', 'count(*)'),
	('hll_add_agg(tool)', 'SELECT hll_add_agg(hll_hash_text(tool)) FROM bench_dist', 'count(*)'),
	('10,000 groups: count(*)', 'SELECT g, count(*) FROM bench_dist GROUP BY g', NULL),
	('10,000 groups: dist_agg(x)', 'SELECT g, dist_agg(duration_ms) FROM bench_dist GROUP BY g', '10,000 groups: count(*)'),
	('10,000 groups: tdigest(x, 100)', 'SELECT g, tdigest(duration_ms, 100) FROM bench_dist GROUP BY g', '10,000 groups: count(*)'),
	('10,000 groups: cat_agg(tool)', 'SELECT g, cat_agg(tool) FROM bench_dist GROUP BY g', '10,000 groups: count(*)'),
	('10,000 groups: hll_add_agg(tool)', 'SELECT g, hll_add_agg(hll_hash_text(tool)) FROM bench_dist GROUP BY g', '10,000 groups: count(*)'),
	('p99 by tool: count(*)', 'SELECT tool, count(*) FROM bench_dist GROUP BY tool', NULL),
	('p99 by tool: dist_quantile', 'SELECT tool, dist_quantile(dist_agg(duration_ms), 0.99) FROM bench_dist GROUP BY tool', 'p99 by tool: count(*)'),
	('p99 by tool: tdigest_percentile', 'SELECT tool, tdigest_percentile(duration_ms, 100, 0.99) FROM bench_dist GROUP BY tool', 'p99 by tool: count(*)'),
	('p99 by tool: percentile_disc', 'SELECT tool, percentile_disc(0.99) WITHIN GROUP (ORDER BY duration_ms) FROM bench_dist GROUP BY tool', 'p99 by tool: count(*)');

SET max_parallel_workers_per_gather = 0;
CREATE TEMP TABLE serial AS SELECT n, job, base, pg_temp.fastest(query) AS s FROM job;
SET max_parallel_workers_per_gather = 2;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
CREATE TEMP TABLE parallel AS SELECT n, job, base, pg_temp.fastest(query) AS s FROM job;

SELECT a.job, round((a.s * 1e9 / :rows)::numeric, 1) AS serial_ns, round(((a.s - a0.s) * 1e9 / :rows)::numeric, 1) AS over_count_ns,
	round((b.s * 1e9 / :rows)::numeric, 1) AS parallel_ns, round(((b.s - b0.s) * 1e9 / :rows)::numeric, 1) AS parallel_over_count_ns
FROM serial a JOIN parallel b USING (n) LEFT JOIN serial a0 ON a0.job = a.base LEFT JOIN parallel b0 ON b0.job = a.base ORDER BY a.n;

-- Sizes in bytes and what the estimate is worth
SELECT 'dist' AS state, pg_column_size(dist_agg(duration_ms)) AS bytes, dist_quantile(dist_agg(duration_ms), 0.99) / exact.p99 - 1 AS p99_error, dist_relative_error(dist_agg(duration_ms)) AS bound
FROM bench_dist, (SELECT percentile_disc(0.99) WITHIN GROUP (ORDER BY duration_ms) p99 FROM bench_dist) exact GROUP BY exact.p99
UNION ALL
SELECT 'tdigest', pg_column_size(tdigest(duration_ms, 100)), tdigest_percentile(duration_ms, 100, 0.99) / exact.p99 - 1, NULL
FROM bench_dist, (SELECT percentile_disc(0.99) WITHIN GROUP (ORDER BY duration_ms) p99 FROM bench_dist) exact GROUP BY exact.p99;

DROP TABLE bench_dist;
