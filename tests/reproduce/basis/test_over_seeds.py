"""Joint p-values, intervals, verdicts and contrasts against enumerations, SciPy and simulations."""

import itertools

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from reproduce.basis import over_seeds, significance
from reproduce.basis.significance import ALIGNED, EQUIVALENT, INCONCLUSIVE


def test_one_seeds_joint_null_is_its_own():
    null = np.random.default_rng(0).normal(size=199)
    joint = over_seeds.joint_null([null])
    for observed in (-1.0, 0.3, 2.2, 9.0, null[3]):
        assert joint.p_value(observed) == pytest.approx(significance.p_value(observed, null))
        assert joint.z_score(observed) == pytest.approx(significance.z_score(observed, null))
    assert joint.smallest_detectable(0.05) == pytest.approx(
        significance.smallest_detectable(null, 0.05)
    )


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 3), st.booleans())
def test_all_pairings_of_draws_are_counted(seed, num_seeds, is_discrete):
    rng = np.random.default_rng(seed)
    nulls = [rng.normal(size=rng.integers(5, 30)) for _ in range(num_seeds)]
    if is_discrete:
        nulls = [np.round(null, 1) for null in nulls]  # ties with the observed mean
    means = np.array([np.mean(one) for one in itertools.product(*nulls)])
    observed = float(rng.choice(means))
    joint = over_seeds.joint_null(nulls)
    n = min(map(len, nulls))
    share = np.mean(means >= observed - 1e-9)
    # Cells are so narrow that a few pairings, if any, lie within one of the observed mean.
    near = np.mean(np.abs(means - observed) < 2e-3)
    p = (1 + n * share) / (n + 1)
    assert p - 1e-9 <= joint.p_value(observed) <= p + near * n / (n + 1) + 1e-9
    assert joint.mean == pytest.approx(means.mean())
    variance = sum(null.var(ddof=1) for null in nulls) / num_seeds**2
    assert joint.sd == pytest.approx(np.sqrt(variance))


def test_a_joint_p_is_within_monte_carlo_error_of_any_shuffle():
    rng = np.random.default_rng(1)
    nulls = [rng.gamma(2, size=9_999) for _ in range(12)]
    joint = over_seeds.joint_null(nulls)
    for observed in (2.0, 2.4, 2.9):
        p = joint.p_value(observed)
        for shuffle in range(20):
            order = np.random.default_rng(shuffle)
            paired = np.mean([order.permutation(null) for null in nulls], axis=0)
            error = np.sqrt(p * (1 - p) / 9_999)
            assert abs(significance.p_value(observed, paired) - p) < 4 * error + 1e-4


def test_twins_among_the_draws_do_not_meet():
    # The mean of two independent standard normals has a variance of one half, of twins one.
    draws = np.random.default_rng(1).normal(size=20_000)
    joint = over_seeds.joint_null([draws, draws])
    assert joint.sd**2 == pytest.approx(0.5, abs=0.03)
    assert joint.p_value(2.0) == pytest.approx(scipy.stats.norm.sf(2 * np.sqrt(2)), rel=0.2)


@pytest.mark.parametrize("num_seeds", [2, 3, 12])
def test_the_smallest_detectable_mean_is_where_p_crosses_alpha(num_seeds):
    rng = np.random.default_rng(num_seeds)
    joint = over_seeds.joint_null([rng.normal(size=999) for _ in range(num_seeds)])
    smallest = joint.smallest_detectable(0.05)
    assert joint.p_value(smallest + 2e-3) <= 0.05
    assert joint.p_value(smallest - 2e-3) > 0.05


def test_draws_that_are_all_equal_or_not_numbers_give_no_significance():
    equal = over_seeds.joint_null([np.full(99, 0.5), np.full(99, 0.3)])
    assert equal.p_value(0.4) == 1.0
    assert equal.z_score(0.4) == 0.0
    spoiled = over_seeds.joint_null([np.array([0.1, np.nan]), np.array([0.1, 0.2])])
    assert np.isnan(spoiled.p_value(9.0))
    assert np.isnan(spoiled.smallest_detectable(0.05))


def test_joint_p_values_are_uniform_under_the_null():
    rng = np.random.default_rng(2)
    p = []
    for _ in range(400):
        draws = rng.normal(size=(3, 100))
        p.append(over_seeds.joint_null(list(draws[:, 1:])).p_value(draws[:, 0].mean()))
    assert scipy.stats.kstest(p, "uniform").pvalue > 1e-3


def test_the_interval_is_students_and_the_bootstraps():
    values = [0.1, 0.25, 0.18, 0.4, 0.31]
    found = over_seeds.interval(values, np.random.default_rng(0))
    low, high = scipy.stats.t.interval(0.95, 4, np.mean(values), scipy.stats.sem(values))
    assert (found.low, found.high) == pytest.approx((low, high))
    narrow = scipy.stats.t.interval(0.9, 4, np.mean(values), scipy.stats.sem(values))
    assert (found.narrow_low, found.narrow_high) == pytest.approx(narrow)
    boot = scipy.stats.bootstrap(
        (values,), np.mean, method="percentile", rng=np.random.default_rng(1)
    ).confidence_interval
    assert (found.boot_low, found.boot_high) == pytest.approx((boot.low, boot.high), abs=0.01)
    alone = over_seeds.interval([0.3], np.random.default_rng(0))
    assert alone.mean == 0.3
    assert np.isnan(alone.low)
    assert not alone.lies_within(1.0)


def test_flips_of_signs_are_scipys_exact_test():
    rng = np.random.default_rng(3)
    for n in (3, 6, 12):
        differences = rng.normal(0.3, size=n)
        expected = scipy.stats.permutation_test(
            (differences,),
            np.mean,
            permutation_type="samples",
            alternative="greater",
            n_resamples=np.inf,
        ).pvalue
        p, floor = over_seeds.sign_flips(differences.tolist(), rng)
        assert p == pytest.approx(expected)
        assert floor == 2.0**-n
    p, floor = over_seeds.sign_flips([0.1] * 12, rng)
    assert p == floor == 1 / 4096
    drawn, floor = over_seeds.sign_flips(rng.normal(0.5, size=30).tolist(), rng)
    assert floor == 1e-5
    assert 0 < drawn < 0.1
    assert np.isnan(over_seeds.sign_flips([0.1, np.inf], rng)[0])


def test_the_contrast_enumerates_all_ways_to_deal_the_seeds():
    a, b = [3.0, 5.0, 4.2], [1.0, 4.5, 2.0]
    p, floor = over_seeds.permutation_contrast(a, b, np.random.default_rng(0))
    pool = np.array(a + b)
    differences = []
    for chosen in itertools.combinations(range(6), 3):
        mask = np.isin(np.arange(6), chosen)
        differences.append(pool[mask].mean() - pool[~mask].mean())
    observed = np.mean(a) - np.mean(b)
    assert p == pytest.approx(np.mean(np.array(differences) >= observed - 1e-12))
    assert floor == pytest.approx(1 / 20)


def test_the_contrasts_floor_is_reached_when_the_arms_do_not_overlap():
    p, floor = over_seeds.permutation_contrast([9, 8, 7], [1, 2, 3], np.random.default_rng(0))
    assert p == pytest.approx(floor)


def evidence(effects, null_sd=0.01, num_bases=199, seed=0):
    """What seeds with these effects over random bases show; their nulls have mean .05."""
    rng = np.random.default_rng(seed)
    nulls = [rng.normal(0.05, null_sd, size=num_bases) for _ in effects]
    observed = [null.mean() + effect for null, effect in zip(nulls, effects, strict=True)]
    return over_seeds.weigh(observed, nulls, rng)


def test_the_three_verdicts():
    clear = evidence([0.2, 0.25, 0.22])
    assert over_seeds.verdict([clear, clear], clear.p_value) == ALIGNED
    assert over_seeds.verdict([clear], 0.06) == INCONCLUSIVE  # after a correction
    assert over_seeds.verdict([clear], clear.p_value, is_worth_testing=False) == INCONCLUSIVE
    nothing = evidence([0.001, -0.002, 0.0005, 0.001])
    assert over_seeds.verdict([nothing], nothing.p_value) == EQUIVALENT
    assert over_seeds.verdict([nothing], nothing.p_value, margin=None) == INCONCLUSIVE
    wide = evidence([0.06, -0.06, 0.03])
    assert over_seeds.verdict([nothing, wide], 0.5) == INCONCLUSIVE
    alone = evidence([0.0])
    assert over_seeds.verdict([alone], alone.p_value) == INCONCLUSIVE
    assert over_seeds.verdict([nothing], float("nan"), margin=None) == INCONCLUSIVE


def test_the_smallest_difference_is_found_with_its_power():
    # Nulls that hardly vary, so that the critical effect is known; seeds vary by .05.
    rng = np.random.default_rng(4)
    num_seeds, critical = 12, 0.02
    true = over_seeds.smallest_difference(critical, 0.05, num_seeds)
    means = rng.normal(true, 0.05, size=(20_000, num_seeds)).mean(axis=1)
    # Student's quantile is a little above the normal one, as the deviation is an estimate.
    assert 0.79 < np.mean(means > critical) < 0.82
    assert np.isnan(over_seeds.smallest_difference(critical, np.nan, 1))
