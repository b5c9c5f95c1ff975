#!/usr/bin/env python3
"""Writes sql/drift_reference.sql: statistics of drift.h by scipy and numpy.

    python3 test/drift_reference.py > sql/drift_reference.sql

Written with scipy 1.10; the binning is written here a second time, from the
definition in drift.h.
"""
import math
import random
import numpy as np
from scipy import special, stats
from scipy.spatial.distance import jensenshannon

NAN, INF = float("nan"), float("inf")
rng = random.Random(20251)


def line_bins(ref, cur):
    """Ten bins of equal reference weight, closed above, the ends open; what is
    below and above a reference of one value are bins of their own."""
    values = sorted(set(ref))
    edges, k = [], 1
    for v in values[:-1]:
        at_most = sum(r <= v for r in ref)
        if at_most * 10 >= k * len(ref):
            edges.append(v)
            k = at_most * 10 // len(ref) + 1

    def count(xs):
        if len(values) == 1:
            return [sum(x < values[0] for x in xs), sum(x == values[0] for x in xs), sum(x > values[0] for x in xs)]
        up_to = [sum(x <= edge for x in xs) for edge in edges + [INF]]
        return [b - a for a, b in zip([0] + up_to, up_to)]
    return count(ref), count(cur)


def both_bins(ref, cur):
    """Ten bins of equal weight of both, closed above."""
    both = sorted(ref + cur)
    values = sorted(set(both))
    edges, k = [], 1
    for v in values[:-1]:
        at_most = sum(x <= v for x in both)
        if at_most * 10 >= k * len(both):
            edges.append(v)
            k = at_most * 10 // len(both) + 1

    def count(xs):
        up_to = [sum(x <= edge for x in xs) for edge in edges + [INF]]
        return [b - a for a, b in zip([0] + up_to, up_to)]
    return count(ref), count(cur)


def pooled_p(r, c):
    n, m = sum(r), sum(c)
    cells = sorted(zip(r, c), key=sum)
    need = 5 * (n + m) / min(n, m)
    pool, rest = [0, 0], []
    for i, (a, b) in enumerate(cells):
        if a + b >= need and (sum(pool) == 0 or sum(pool) >= need):
            rest = cells[i:]
            break
        pool = [pool[0] + a, pool[1] + b]
    table = ([tuple(pool)] if sum(pool) else []) + rest
    if len(table) < 2:
        return 1.0
    return stats.chi2_contingency(np.array(table).T, correction=False)[1]


def used(r, c):
    r, c = zip(*[(a, b) for a, b in zip(r, c) if a + b])
    return list(r), list(c)


def shares(r, c):
    r, c = used(r, c)
    n, m, k = sum(r), sum(c), len(r)
    p, q = np.array(r) / n, np.array(c) / m
    ps = (np.array(r) + .5) / (n + .5 * k)
    qs = (np.array(c) + .5) / (m + .5 * k)
    return dict(
        psi=float(np.sum((qs - ps) * np.log(qs / ps))),
        psi_critical=(1 / n + 1 / m) * stats.chi2.isf(0.05, k - 1) if k > 1 else 0.0,
        js=float(jensenshannon(p, q, base=2) ** 2) if k > 1 else 0.0,
        hellinger=float(np.sqrt(np.sum((np.sqrt(p) - np.sqrt(q)) ** 2) / 2)))


def counts(r, c):
    r, c = used(r, c)
    chi2 = stats.chi2_contingency(np.array([r, c]), correction=False)[0] if len(r) > 1 else 0.0
    return dict(chi2=chi2, chi2_p=pooled_p(r, c), cramers_v=math.sqrt(chi2 / (sum(r) + sum(c))))


def numeric(ref, cur):
    ref = [x for x in ref if x is not None and not math.isnan(x)]
    cur = [x for x in cur if x is not None and not math.isnan(x)]
    if not ref or not cur:
        return {}
    n, m = len(ref), len(cur)
    ks = stats.ks_2samp(ref, cur, method="asymp").statistic
    out = dict(ks=ks, ks_low=ks, ks_high=ks, ks_p=special.kolmogorov(ks * math.sqrt(n * m / (n + m))))
    if all(map(math.isfinite, ref + cur)):
        w = stats.wasserstein_distance(ref, cur)
        sd = float(np.std(np.array(ref, dtype=np.longdouble)))
        out.update(wasserstein=w, wasserstein_normed=0 if w == 0 else w / sd if sd else INF,
                   mean_diff=float(np.mean(np.array(cur, dtype=np.longdouble)) - np.mean(np.array(ref, dtype=np.longdouble))))
    out.update(shares(*line_bins(ref, cur)))
    out.update(counts(*both_bins(ref, cur)))
    return out


def categories(ref, cur):
    if not ref or not cur:
        return {}
    keys = sorted(set(ref) | set(cur))
    r, c = [ref.count(k) for k in keys], [cur.count(k) for k in keys]
    out = shares(r, c)
    out.update(counts(r, c))
    out.update(new_keys=len(set(cur) - set(ref)), gone_keys=len(set(ref) - set(cur)))
    return out


def normal(n, mu=0, sd=1):
    return [round(rng.gauss(mu, sd), 3) for _ in range(n)]


CASES = [
    ("empty", [], []), ("empty reference", [], [1, 2]), ("empty current", [1, 2], []),
    ("only NULL and NaN", [None, NAN], [1]),
    ("one point each, equal", [3], [3]), ("one point each, different", [3], [4]),
    ("constant", [2.5] * 20, [2.5] * 30), ("constant, moved up", [2.5] * 20, [2.6] * 30),
    ("constant, moved down", [2.5] * 20, [2.4] * 30), ("constant and many", [0] * 20, normal(30)),
    ("ties", [rng.randrange(5) for _ in range(80)], [rng.randrange(6) for _ in range(60)]),
    ("two points", [0, 1] * 30, [0, 1, 1] * 30),
    ("same population", normal(100), normal(90)), ("shifted", normal(100), normal(90, .8)),
    ("wider", normal(70), normal(100, 0, 3)), ("disjoint", normal(40), normal(40, 100)),
    ("identical", list(range(50)), list(range(50))),
    ("skewed", [round(math.exp(x), 3) for x in normal(100, 3, 2)], [round(math.exp(x), 3) for x in normal(100, 3.5, 2)]),
    ("negative and zero", [-x for x in range(30)] + [0] * 10, [-2 * x for x in range(30)]),
    ("NaN and NULL among values", [1, NAN, 2, None, 3, 4], [NAN, NAN, 2, 3, None, 5]),
    ("infinite on both sides", [-INF, 1, 2, 3, INF, INF], [-INF, -INF, 2, 3, 4, INF]),
    ("huge", [1e300, -1e300, 5e299, 1e299], [1e300, -1e300, 6e299, 3e299]),
    ("tiny", [1e-300, 3e-300, 5e-300], [2e-300, 3e-300]),
    ("unequal sizes", normal(12), normal(150, .3)),
    ("small reference", normal(100), normal(1000)), ("small current", normal(1000), normal(60, .5)),
    ("small reference, ties", [rng.randrange(4) for _ in range(30)], [rng.randrange(5) for _ in range(300)]),
]
CATEGORIES = [
    ("empty", [], []), ("empty current", ["a"], []), ("one key", ["a"] * 5, ["a"] * 9),
    ("same", list("abcabcabc") * 8, list("abcabcabc") * 8), ("different", ["a"] * 30, ["b"] * 20),
    ("moved", list("aaabbc") * 20, list("abbccc") * 20), ("new and gone", list("aab") * 20, list("aac") * 20),
    ("rare", list("abcdefgh") + ["x"] * 80, list("ijklmnop") + ["x"] * 60 + ["y"] * 20),
    ("all rare", list("abcdef"), list("defghi")),
]
COLUMNS = ["ks", "ks_low", "ks_high", "ks_p", "wasserstein", "wasserstein_normed", "psi", "psi_critical", "js",
           "hellinger", "chi2", "chi2_p", "cramers_v", "mean_diff", "new_keys", "gone_keys"]


def number(x):
    return "NULL" if x is None else "Infinity" if x == INF else "-Infinity" if x == -INF else "NaN" if x != x else repr(x)


def array(xs):
    return "'{" + ",".join(map(number, xs)) + "}'"


def wanted(d):
    return "'" + "{" + ", ".join('"%s": "%s"' % (k, number(float(d[k]))) for k in COLUMNS if k in d) + "}'"


print("-- drift against scipy. Written by test/drift_reference.py: do not edit.")
print("SET search_path = llmtrace, public;")
print("CREATE TABLE line (name text, ref float8[], cur float8[], wanted jsonb);")
print("INSERT INTO line VALUES")
print(",\n".join("\t('%s', %s, %s, %s)" % (n, array(a), array(b), wanted(numeric(a, b))) for n, a, b in CASES) + ";")
print("CREATE TABLE categories (name text, ref text[], cur text[], wanted jsonb);")
print("INSERT INTO categories VALUES")
print(",\n".join("\t('%s', '{%s}', '{%s}', %s)" % (n, ",".join(a), ",".join(b), wanted(categories(a, b))) for n, a, b in CATEGORIES) + ";")
print(r"""
-- Every figure to 1e-9, absolute or relative. Where there is no reference (the
-- distances of infinite values), drift's own figure is shown instead.
CREATE FUNCTION compare(got drift_result, wanted jsonb, OUT compared bigint, OUT wrong text) LANGUAGE sql AS $$
	SELECT count(*), string_agg(format('%s: %s, not %s', key, to_jsonb(got) ->> key, value), ', ' ORDER BY key)
		FILTER (WHERE NOT coalesce((to_jsonb(got) ->> key) = value
			OR abs((to_jsonb(got) ->> key)::float8 - value::float8) <= 1e-9 * greatest(1, abs(value::float8)), false))
	FROM jsonb_each_text(wanted) $$;
SELECT name, compared, wrong, (d).verdict, (d).reason
FROM (SELECT *, drift(ref, cur) d FROM line OFFSET 0) s, compare(d, wanted) ORDER BY name COLLATE "C";
SELECT name, compared, wrong, (d).verdict, (d).reason
FROM (SELECT *, drift(a, b) d FROM categories, LATERAL (SELECT (SELECT cat_agg(v) FROM unnest(ref) v) a, (SELECT cat_agg(v) FROM unnest(cur) v) b) c OFFSET 0) s,
	compare(d, wanted) ORDER BY name COLLATE "C";
SELECT d.wasserstein, d.wasserstein_normed, d.mean_diff, d.ks FROM drift('{1,2,Infinity}'::float8[], '{1,3,Infinity}') d UNION ALL
SELECT d.wasserstein, d.wasserstein_normed, d.mean_diff, d.ks FROM drift('{1,2}'::float8[], '{1,Infinity}') d;

-- The same from sketches: ks within its certificate, Wasserstein and the mean
-- within the error of the buckets.
SELECT name, e.ks BETWEEN s.ks_low - 1e-12 AND s.ks_high + 1e-12 AS certified, s.ks_high = s.ks_low AS exact,
	s.ks = s.ks_low AS ks, abs(s.mean_diff - e.mean_diff) <= 1e-9 * greatest(1, abs(e.mean_diff)) AS mean,
	s.wasserstein = e.wasserstein OR abs(s.wasserstein - e.wasserstein) <= bound AS wasserstein,
	CASE WHEN s.ks_high = s.ks_low AND dist_relative_error(a) < 0.03 THEN abs(s.psi - e.psi) < 0.05 END AS psi
FROM (SELECT name, drift(a, b) s, drift(ref, cur) e, a, b, dist_relative_error(a + b) * (dist_mean(aa) + dist_mean(ab)) + 1e-12 AS bound
	FROM line, LATERAL (SELECT (SELECT dist_agg(v) FROM unnest(ref) v) a, (SELECT dist_agg(v) FROM unnest(cur) v) b,
		(SELECT dist_agg(abs(v)) FROM unnest(ref) v) aa, (SELECT dist_agg(abs(v)) FROM unnest(cur) v) ab) d OFFSET 0) t,
	LATERAL (SELECT (s).*) s, LATERAL (SELECT (e).*) e
WHERE e.ks IS NOT NULL ORDER BY name COLLATE "C";

DROP FUNCTION compare;
DROP TABLE line, categories;""")
