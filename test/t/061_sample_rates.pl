# Is a sample fair? Inclusion, estimates and their errors over many samples of
# known populations, with fixed seeds.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init(extra => ['--encoding=UTF8', '--locale=C']);
$node->append_conf('postgresql.conf', "search_path = 'public, llmtrace'\njit = off\nwork_mem = '256MB'\n");
$node->start;

# Things with a weight that f follows; a few are heavy enough to be in every
# weighted sample. Ids are counters, which only a seed makes fair, or drawn anew
# for each trial. A head sampler drops none, half or seven of eight.
$node->safe_psql('postgres', q{
CREATE EXTENSION llmtrace;
CREATE TABLE thing AS
	SELECT i, lpad(to_hex(i), 32, '0')::uuid AS counter, 'key ' || i AS name, w, 3 + 4 * ln(1 + w) + (hashint4(i + 5) & 255) / 255.0 AS f, (ARRAY[0, 0.5, 0.875])[1 + i % 3]::float8 AS dropped
	FROM generate_series(1, 1000) i, LATERAL (SELECT CASE WHEN i % 200 = 0 THEN 200 ELSE exp(hashint4(i) / 2e9) END::float8 AS w) s;
CREATE TABLE drawn AS
	SELECT trial, id, i, name, w, f, 1 - dropped AS p, trace_rank(id) >= (1 - dropped) * 72057594037927936 AS is_dropped,
		CASE dropped WHEN 0 THEN 'ot=th:0' WHEN 0.5 THEN 'ot=th:8' ELSE 'ot=th:e' END AS state
	FROM generate_series(1, 1500) trial, thing, LATERAL (SELECT md5(trial || ' ' || i)::uuid AS id OFFSET 0) d;
CREATE INDEX ON drawn (id);
ANALYZE;
});

# Does each of n things come in equally often? Chi-square for k of n drawn
# without replacement, as a normal deviate.
sub uniformity
{
	my ($sample, $n, $k, $trials) = @_;

	return $node->safe_psql('postgres', "SELECT round(((($n - 1)::float8 / $n * sum((count - e) ^ 2 / (e * (1 - ${k}::float8 / $n))) - ($n - 1)) / sqrt(2 * ($n - 1)))::numeric, 2)
		FROM (SELECT i, count(s.key) AS count, $trials * ${k}::float8 / $n AS e FROM thing LEFT JOIN ($sample) s USING (i) WHERE i <= $n GROUP BY i) c");
}
for my $case (
	['counters with a seed', q{SELECT i, key FROM generate_series(1, 3000) trial, LATERAL (SELECT sample_agg(counter, 30, trial) s FROM thing WHERE i <= 300) a, sample_items(s), LATERAL (SELECT ('x' || right(key, 8))::bit(32)::int AS i) b}],
	['texts with a seed', q{SELECT substr(key, 5)::int AS i, key FROM generate_series(1, 3000) trial, LATERAL (SELECT sample_agg(name, 30, trial) s FROM thing WHERE i <= 300) a, sample_items(s)}],
	['random ids', q{SELECT i, key FROM (SELECT trial, sample_agg(id, 30) s FROM drawn WHERE i <= 300 GROUP BY trial) a, sample_items(s), LATERAL (SELECT i FROM drawn d WHERE d.id = key::uuid) b}, 1500])
{
	my ($name, $sample, $trials) = @$case;
	my $deviate = uniformity($sample, 300, 30, $trials // 3000);

	cmp_ok(abs($deviate), '<', 3.5, "$name: each comes in equally often ($deviate)");
}
my $unfair = uniformity(q{SELECT i, key FROM generate_series(1, 3000) trial, LATERAL (SELECT sample_agg(counter, 30) s FROM thing WHERE i <= 300) a, sample_items(s), LATERAL (SELECT ('x' || right(key, 8))::bit(32)::int AS i) b}, 300, 30, 3000);
cmp_ok($unfair, '>', 100, "the test finds counters without a seed ($unfair)");

# Weighted: each thing stands for itself on average, its adjusted count has
# mean 1; and it comes in about as often as its probability says.
my ($mean, $heavy, $ratio) = split /\|/, $node->safe_psql('postgres', q{
	SELECT round(((sum(z ^ 2) FILTER (WHERE sd > 0) - count(*) FILTER (WHERE sd > 0)) / sqrt(2 * count(*) FILTER (WHERE sd > 0)))::numeric, 2), bool_and(mean = 1) FILTER (WHERE w = 200),
		round((corr(ln(w), ln(share)) FILTER (WHERE w < 200))::numeric, 3)
	FROM (SELECT w, sum(a) / 4000 AS mean, sqrt(sum(a * a) / 4000 - (sum(a) / 4000) ^ 2) AS sd, (sum(a) / 4000 - 1) / nullif(sqrt((sum(a * a) / 4000 - (sum(a) / 4000) ^ 2) / 4000), 0) AS z, count(*) / 4000.0 AS share
		FROM (SELECT key, adjusted_count AS a FROM generate_series(1, 4000) trial, LATERAL (SELECT sample_weighted_agg(name, w, 60, trial) s FROM thing WHERE i <= 400) b, sample_items(s)) q
			JOIN thing ON name = key GROUP BY name, w) z});
cmp_ok(abs($mean), '<', 3.5, "weighted: adjusted counts have mean 1 ($mean)");
is($heavy, 't', 'what is heavy is in every weighted sample, with probability 1');
cmp_ok($ratio, '>', 0.98, "the others in proportion to their weight (correlation $ratio)");

# Estimates: no bias, standard errors as large as the errors are, and 95 %
# intervals that hold the truth in about as many (skewed payloads miss more often).
my $trials = 1500;
for my $case (
	['uniform', 'sample_agg(name, 100, trial, f, 1.0)', 'true'],
	['weighted', 'sample_weighted_agg(name, w, 100, trial, f, 1.0)', 'true'],
	['by trace id', 'sample_agg(id, 100, NULL, f, 1.0)', 'true'],
	['everything', 'sample_agg(id, 5000, NULL, f, state)', 'NOT is_dropped'],
	['after head sampling', 'sample_agg(id, 100, NULL, f, state)', 'NOT is_dropped'],
	['weighted after head sampling', 'sample_weighted_agg(id, w, 100, NULL, f, state)', 'NOT is_dropped'],
	['seeded after head sampling', 'sample_agg(id, 100, trial, f, state)', 'NOT is_dropped'],
	['weighted and seeded after head sampling', 'sample_weighted_agg(id, w, 100, trial, f, p)', 'NOT is_dropped'])
{
	my ($name, $sample, $condition) = @$case;
	my $estimates = $node->safe_psql('postgres', qq{
		WITH samples AS MATERIALIZED (
			SELECT trial, $sample AS s FROM drawn WHERE $condition GROUP BY trial),
		estimates AS (
			SELECT what, truth, e.* FROM samples, LATERAL (VALUES ('count', sample_count(s), (SELECT count(*) FROM thing)), ('sum', sample_sum(s), (SELECT sum(f) FROM thing)), ('mean', sample_mean(s), (SELECT avg(f) FROM thing))) v(what, estimate, truth),
				LATERAL (SELECT (estimate).*) e)
		SELECT what, round(((avg(estimate) - max(truth)) / (stddev(estimate) / sqrt($trials)))::numeric, 2), round((avg(stderr ^ 2) / variance(estimate))::numeric, 3), round(avg((truth BETWEEN lower AND upper)::int), 3), round(((avg(estimate) - max(truth)) / max(truth))::numeric, 4)
		FROM estimates GROUP BY what ORDER BY what});

	for (split /\n/, $estimates)
	{
		my ($what, $bias, $variance, $coverage, $relative) = split /\|/;

		# the mean is a quotient of estimates, unbiased but for O(1 / k)
		if ($what eq 'mean')
		{
			cmp_ok(abs($relative), '<', 0.01, "$name: the mean is right on average ($relative)");
		}
		else
		{
			cmp_ok(abs($bias), '<', 3.5, "$name: the $what is unbiased ($bias standard errors)");
		}
		cmp_ok(abs($variance - 1), '<', 0.15, "$name: the $what has the variance it says (ratio $variance)");
		cmp_ok($coverage, '>', 0.9, "$name: the interval of the $what holds the truth ($coverage)");
	}
}

# What trace_rank_check says of these ids
is($node->safe_psql('postgres', q{SELECT (trace_rank_check(id, p)).verdict FROM drawn WHERE NOT is_dropped}), 'random', 'head sampling by rank is consistent');
my $alarms = $node->safe_psql('postgres', q{SELECT count(*) FILTER (WHERE (c).verdict <> 'random') FROM (SELECT trace_rank_check(id) c FROM drawn GROUP BY trial) s});
cmp_ok($alarms, '<=', 5, "trace_rank_check calls $alarms of 1500 sets of random ids patterned");

$node->stop;
done_testing();
