"""p-values, joint nulls, contrasts and corrections against closed forms."""

import itertools

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from reproduce.basis import significance


def test_p_value_counts_the_learned_basis_as_one_draw():
    null = np.array([0.1, 0.2, 0.3])
    assert significance.p_value(0.25, null) == 2 / 4
    assert significance.p_value(0.4, null) == 1 / 4
    assert significance.p_value(0.0, null) == 1.0


def test_what_differs_by_rounding_counts_as_equal():
    assert significance.p_value(0.3 + 5e-10, np.array([0.3])) == 1.0
    assert significance.p_value(0.3 + 2e-9, np.array([0.3])) == 0.5


def test_p_values_of_draws_from_the_null_are_uniform():
    rng = np.random.default_rng(0)
    p = [significance.p_value(v[0], v[1:]) for v in rng.normal(size=(4_000, 100))]
    # Exactly uniform on {1, ..., 100} / 100.
    counts = np.bincount(np.rint(np.array(p) * 100).astype(int), minlength=101)[1:]
    assert scipy.stats.chisquare(counts).pvalue > 1e-3


def test_z_is_in_the_nulls_standard_deviations():
    null = np.array([1.0, 2.0, 3.0])
    assert significance.z_score(4.0, null) == pytest.approx(2.0)
    assert significance.z_score(2.0, np.full(5, 2.0)) == 0.0
    assert significance.z_score(3.0, np.full(5, 2.0)) == np.inf


def test_joint_null_pairs_draws_at_random():
    # The same draws in both seeds must not meet their twins: the mean of two independent
    # standard normals has a variance of one half, of twins one.
    draws = np.random.default_rng(1).normal(size=20_000)
    joint = significance.joint_null([draws, draws], np.random.default_rng(2))
    assert joint.var() == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize("size", [19, 99, 199, 1000])
def test_the_smallest_detectable_value_is_where_p_crosses_alpha(size):
    null = np.random.default_rng(3).normal(size=size)
    smallest = significance.smallest_detectable(null, 0.05)
    assert significance.p_value(smallest + 1e-8, null) <= 0.05
    assert significance.p_value(smallest - 1e-6, null) > 0.05


def test_too_few_draws_can_detect_nothing():
    assert significance.smallest_detectable(np.zeros(10), 0.05) == np.inf


def test_the_contrast_enumerates_all_ways_to_deal_the_seeds():
    a, b = [3.0, 5.0, 4.2], [1.0, 4.5, 2.0]
    p, floor = significance.permutation_contrast(a, b, np.random.default_rng(0))
    pool = np.array(a + b)
    differences = []
    for chosen in itertools.combinations(range(6), 3):
        mask = np.isin(np.arange(6), chosen)
        differences.append(pool[mask].mean() - pool[~mask].mean())
    observed = np.mean(a) - np.mean(b)
    assert p == pytest.approx(np.mean(np.array(differences) >= observed - 1e-12))
    assert floor == pytest.approx(1 / 20)


def test_the_contrasts_floor_is_reached_when_the_arms_do_not_overlap():
    p, floor = significance.permutation_contrast([9, 8, 7], [1, 2, 3], np.random.default_rng(0))
    assert p == pytest.approx(floor)


@settings(max_examples=5)  # statsmodels collects garbage at each
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_is_that_of_statsmodels(p_values):
    from statsmodels.stats.multitest import multipletests

    expected = multipletests(p_values, method="holm")[1]
    np.testing.assert_allclose(significance.holm(p_values, len(p_values)), expected, atol=1e-12)


def test_holm_counts_hypotheses_that_were_not_tested():
    # .01 x 5, .02 x 4, .04 x 3 = .12, all monotone.
    assert significance.holm([0.04, 0.01, 0.02], 5) == pytest.approx([0.12, 0.05, 0.08])
    assert significance.holm([], 5) == []
