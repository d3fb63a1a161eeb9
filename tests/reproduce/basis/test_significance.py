"""p-values and corrections against closed forms."""

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


@pytest.mark.parametrize("size", [19, 99, 199, 1000])
def test_the_smallest_detectable_value_is_where_p_crosses_alpha(size):
    null = np.random.default_rng(3).normal(size=size)
    smallest = significance.smallest_detectable(null, 0.05)
    assert significance.p_value(smallest + 1e-8, null) <= 0.05
    assert significance.p_value(smallest - 1e-6, null) > 0.05


def test_too_few_draws_can_detect_nothing():
    assert significance.smallest_detectable(np.zeros(10), 0.05) == np.inf


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
