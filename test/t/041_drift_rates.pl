# False alarms and power of drift's verdict on random data with fixed seeds.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init(extra => ['--encoding=UTF8', '--locale=C']);
$node->append_conf('postgresql.conf', "search_path = 'public, llmtrace'\njit = off\nwork_mem = '256MB'\n");
$node->start;

# A pair of cohorts: two distributions, two categorical ones, of the same
# population but for a shift in standard deviations, and a share of the
# categories' weight that goes to the first.
$node->safe_psql('postgres', q{
CREATE EXTENSION llmtrace;
CREATE FUNCTION pairs(seed float8, trials int, n int, m int, shift float8, share float8,
	OUT trial int, OUT a dist, OUT b dist, OUT ca cat, OUT cb cat) RETURNS SETOF record LANGUAGE plpgsql AS $$
BEGIN
	PERFORM setseed(seed);
	RETURN QUERY SELECT t, dist_agg(v) FILTER (WHERE i <= n), dist_agg(v) FILTER (WHERE i > n), cat_agg(k) FILTER (WHERE i <= n), cat_agg(k) FILTER (WHERE i > n)
	FROM generate_series(1, trials) t, generate_series(1, n + m) i,
		LATERAL (SELECT exp(sqrt(-2 * ln(1 - random())) * cos(2 * pi() * random()) + CASE WHEN i > n THEN shift ELSE 0 END + 0 * t) AS v,
			-- Zipf's categories: many rare ones
			CASE WHEN i > n AND random() < share THEN 'k0' ELSE 'k' || floor(exp(random() * 5)) END AS k) s
	GROUP BY t;
END $$;
});

sub rates
{
	my ($args, $options) = @_;

	return split /\|/, $node->safe_psql('postgres',
		"SELECT round(avg((d.verdict = 'drifted')::int), 4), round(avg((c.verdict = 'drifted')::int), 4), round(avg((d.psi > d.psi_critical)::int), 4), round(avg((d.chi2_p <= 0.05)::int), 4)
		FROM pairs($args) p, LATERAL drift(a, b, $options) d, LATERAL drift(ca, cb, $options) c");
}

# No shift: alarms at most alpha plus two standard errors.
my $alpha = 0.05;
my $bound = $alpha + 2 * sqrt($alpha * (1 - $alpha) / 2000);
for my $sizes ('100, 100', '500, 500', '5000, 5000', '100, 1000', '1000, 100')
{
	my ($any, $cat, $psi, $chi2) = rates("0.2, 2000, $sizes, 0, 0", 'min_effect => 0');
	my $note = "of 2000 identical pairs of $sizes values";

	cmp_ok($any, '<=', $bound, "false alarms for dist $note: $any");
	cmp_ok($cat, '<=', $bound, "false alarms for cat $note: $cat");
	cmp_ok($psi, '<=', $bound, "psi above its critical value $note: $psi");
	cmp_ok($chi2, '<=', $bound, "chi2_p of dist below alpha $note: $chi2");
}

# 200 cohorts at once: any alarm at all in at most alpha of 200 trials.
my $many = $alpha + 2 * sqrt($alpha * (1 - $alpha) / 200);
my ($family, $family_cat, $plain) = split /\|/, $node->safe_psql('postgres', q{
	SELECT round(avg((least_d <= 0.05)::int), 4), round(avg((least_c <= 0.05)::int), 4), round(avg((raw <= 0.05)::int), 4) FROM (
		SELECT t, (SELECT min(p) FROM unnest(p_adjust(array_agg(d.ks_p))) p) least_d, (SELECT min(p) FROM unnest(p_adjust(array_agg(c.chi2_p))) p) least_c, min(d.ks_p) raw
		FROM (SELECT trial % 200 AS t, * FROM pairs(0.2, 40000, 100, 100, 0, 0)) p, LATERAL drift(a, b) d, LATERAL drift(ca, cb) c GROUP BY t) s});
cmp_ok($family, '<=', $many, "trials with an alarm in 200 cohorts, adjusted: $family");
cmp_ok($family_cat, '<=', $many, "the same for cat: $family_cat");
cmp_ok($plain, '>', 0.9, "... unadjusted: $plain");

# Shifts of stated size are found, with the default options.
for my $case (['100, 100', 1, 0.3, 0.99, 0.95], ['500, 500', 0.5, 0.2, 0.99, 0.95], ['5000, 5000', 0.35, 0.15, 0.99, 0.99])
{
	my ($sizes, $shift, $share, $power, $power_cat) = @$case;
	my ($found, $cat) = rates("0.3, 500, $sizes, $shift, $share", 'alpha => 0.05');

	cmp_ok($found, '>=', $power, "a shift by $shift standard deviations among $sizes values is found: $found");
	cmp_ok($cat, '>=', $power_cat, "a category that takes $share of the weight among $sizes values is found: $cat");
}

# What is real but tiny is no drift, what is large but few is not either.
my ($tiny) = rates('0.4, 50, 5000, 5000, 0.1, 0', 'alpha => 0.05');
cmp_ok($tiny, '==', 0, 'a shift below the minimum effect is no drift, however many values');
my ($few) = rates('0.5, 50, 40, 40, 3, 0', 'alpha => 0.05');
cmp_ok($few, '==', 0, 'nor is any shift of too few values');

$node->stop;
done_testing();
