-- Comparing two distributions, many comparisons at once, and change over time.

CREATE TYPE drift_result AS (
	n_ref float8, n_cur float8,
	ks float8, ks_low float8, ks_high float8, ks_p float8,
	wasserstein float8, wasserstein_normed float8,
	psi float8, psi_critical float8, js float8, hellinger float8,
	chi2 float8, chi2_p float8, cramers_v float8,
	mean_diff float8, new_keys float8, gone_keys float8,
	verdict text, reason text
);

COMMENT ON TYPE drift_result IS 'how far two distributions differ (docs/dist.md has the formulas); what does not apply is NULL';
COMMENT ON COLUMN drift_result.n_ref IS 'weight of the reference values';
COMMENT ON COLUMN drift_result.n_cur IS 'weight of the current values';
COMMENT ON COLUMN drift_result.ks IS 'Kolmogorov-Smirnov distance of the distribution functions, 0..1';
COMMENT ON COLUMN drift_result.ks_low IS 'the distance of the values themselves is at least this';
COMMENT ON COLUMN drift_result.ks_high IS 'the distance of the values themselves is at most this';
COMMENT ON COLUMN drift_result.ks_p IS 'probability of such a distance by chance (asymptotic)';
COMMENT ON COLUMN drift_result.wasserstein IS 'Wasserstein-1 distance, in the unit of the values';
COMMENT ON COLUMN drift_result.wasserstein_normed IS 'Wasserstein-1 distance in standard deviations of the reference';
COMMENT ON COLUMN drift_result.psi IS 'population stability index over about ten bins of equal reference weight, or over categories';
COMMENT ON COLUMN drift_result.psi_critical IS 'what psi exceeds by chance with probability alpha at these counts';
COMMENT ON COLUMN drift_result.js IS 'Jensen-Shannon divergence over the same bins, in bits, 0..1';
COMMENT ON COLUMN drift_result.hellinger IS 'Hellinger distance over the same bins, 0..1';
COMMENT ON COLUMN drift_result.chi2 IS 'chi-square of the table of both sides over about ten bins of equal weight of both together, or over categories';
COMMENT ON COLUMN drift_result.chi2_p IS 'probability of such a table by chance, rare bins pooled';
COMMENT ON COLUMN drift_result.cramers_v IS 'Cramer''s V of the table, 0..1';
COMMENT ON COLUMN drift_result.mean_diff IS 'current mean minus reference mean, in the unit of the values';
COMMENT ON COLUMN drift_result.new_keys IS 'number of categories that only the current side has';
COMMENT ON COLUMN drift_result.gone_keys IS 'number of categories that only the reference has';
COMMENT ON COLUMN drift_result.verdict IS 'drifted, stable or insufficient_data; NULL if a side is empty';
COMMENT ON COLUMN drift_result.reason IS 'what decided the verdict';

CREATE FUNCTION drift(ref dist, cur dist, min_n float8 DEFAULT 50, min_effect float8 DEFAULT 0.1, alpha float8 DEFAULT 0.05)
	RETURNS drift_result
	LANGUAGE C IMMUTABLE PARALLEL SAFE COST 500 AS 'MODULE_PATHNAME', 'sql_drift_dist';
CREATE FUNCTION drift(ref cat, cur cat, min_n float8 DEFAULT 50, min_effect float8 DEFAULT 0.1, alpha float8 DEFAULT 0.05)
	RETURNS drift_result
	LANGUAGE C IMMUTABLE PARALLEL SAFE COST 200 AS 'MODULE_PATHNAME', 'sql_drift_cat';
CREATE FUNCTION drift(ref float8[], cur float8[], min_n float8 DEFAULT 50, min_effect float8 DEFAULT 0.1, alpha float8 DEFAULT 0.05)
	RETURNS drift_result
	LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000 AS 'MODULE_PATHNAME', 'sql_drift_values';
CREATE FUNCTION drift_verdict(n_ref float8, n_cur float8, effect float8, p float8,
							  min_n float8 DEFAULT 50, min_effect float8 DEFAULT 0.1, alpha float8 DEFAULT 0.05,
							  OUT verdict text, OUT reason text)
	LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1 AS 'MODULE_PATHNAME', 'sql_drift_verdict';
CREATE FUNCTION p_adjust(p float8[], method text DEFAULT 'bh') RETURNS float8[]
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10 AS 'MODULE_PATHNAME', 'sql_p_adjust';

CREATE FUNCTION chi2_p(x float8, freedom float8 DEFAULT 1) RETURNS float8
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10 AS 'MODULE_PATHNAME', 'sql_chi2_p';
CREATE FUNCTION chi2_critical(p float8, freedom float8 DEFAULT 1) RETURNS float8
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100 AS 'MODULE_PATHNAME', 'sql_chi2_critical';

COMMENT ON FUNCTION drift(ref dist, cur dist, min_n float8, min_effect float8, alpha float8) IS 'how far the current distribution is from the reference; drifted if both sides have min_n values, ks >= min_effect and ks_p <= alpha';
COMMENT ON FUNCTION drift(ref cat, cur cat, min_n float8, min_effect float8, alpha float8) IS 'how far the current categories are from the reference; drifted if both sides have min_n values, cramers_v >= min_effect and chi2_p <= alpha';
COMMENT ON FUNCTION drift(ref float8[], cur float8[], min_n float8, min_effect float8, alpha float8) IS 'the same as for distributions, exactly, from the values; NULL and NaN are left out';
COMMENT ON FUNCTION drift_verdict(n_ref float8, n_cur float8, effect float8, p float8, min_n float8, min_effect float8, alpha float8) IS 'the verdict of drift for a p that was adjusted (p_adjust); n_ref and n_cur are effective counts';
COMMENT ON FUNCTION p_adjust(p float8[], method text) IS 'p values adjusted for being many, in the same order: bh, by, holm or bonferroni';
COMMENT ON FUNCTION chi2_p(x float8, freedom float8) IS 'probability that chi-square with so many degrees of freedom exceeds x; of z * z with one, what a standard normal exceeds z with on either side';
COMMENT ON FUNCTION chi2_critical(p float8, freedom float8) IS 'what chi-square with so many degrees of freedom exceeds with probability p; sqrt(chi2_critical(0.05)) is the 1.96 of 95 percent intervals';

-- Change over time: aggregates to be used over a window in the order of time.

CREATE FUNCTION ewma_trans(internal, float8, float8) RETURNS internal
	LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1 AS 'MODULE_PATHNAME', 'sql_ewma_trans';
CREATE FUNCTION ewma_final(internal) RETURNS float8
	LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1 AS 'MODULE_PATHNAME', 'sql_ewma_final';
CREATE FUNCTION cusum_trans(internal, float8, float8, float8) RETURNS internal
	LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1 AS 'MODULE_PATHNAME', 'sql_cusum_trans';
CREATE FUNCTION cusum_final(internal) RETURNS float8
	LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1 AS 'MODULE_PATHNAME', 'sql_cusum_final';
CREATE FUNCTION page_hinkley_trans(internal, float8, float8) RETURNS internal
	LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1 AS 'MODULE_PATHNAME', 'sql_page_hinkley_trans';
CREATE FUNCTION page_hinkley_final(internal) RETURNS float8
	LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1 AS 'MODULE_PATHNAME', 'sql_page_hinkley_final';

CREATE AGGREGATE ewma(value float8, alpha float8) (
	SFUNC = ewma_trans, STYPE = internal, SSPACE = 32, FINALFUNC = ewma_final, PARALLEL = SAFE
);
CREATE AGGREGATE cusum(value float8, target float8, slack float8) (
	SFUNC = cusum_trans, STYPE = internal, SSPACE = 32, FINALFUNC = cusum_final, PARALLEL = SAFE
);
CREATE AGGREGATE page_hinkley(value float8, delta float8) (
	SFUNC = page_hinkley_trans, STYPE = internal, SSPACE = 64, FINALFUNC = page_hinkley_final, PARALLEL = SAFE
);

COMMENT ON FUNCTION ewma_trans(internal, float8, float8) IS 'transition of ewma';
COMMENT ON FUNCTION ewma_final(internal) IS 'final function of ewma';
COMMENT ON FUNCTION cusum_trans(internal, float8, float8, float8) IS 'transition of cusum';
COMMENT ON FUNCTION cusum_final(internal) IS 'final function of cusum';
COMMENT ON FUNCTION page_hinkley_trans(internal, float8, float8) IS 'transition of page_hinkley';
COMMENT ON FUNCTION page_hinkley_final(internal) IS 'final function of page_hinkley';
COMMENT ON AGGREGATE ewma(float8, float8) IS 'exponentially weighted moving average: alpha (above 0, at most 1) is the weight of the newest value; in the unit of the values';
COMMENT ON AGGREGATE cusum(float8, float8, float8) IS 'cumulative sum of what exceeds target by more than slack, negative downwards; in the unit of the values; alert above 4 to 5 standard deviations';
COMMENT ON AGGREGATE page_hinkley(float8, float8) IS 'Page-Hinkley statistic: cumulative deviation from the running mean beyond delta, negative downwards; in the unit of the values';
