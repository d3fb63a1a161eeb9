"""Haar draws against the moments of the Haar measure and SciPy's draws."""

import numpy as np
import pytest
import scipy.stats

from data.random_matrices import haar, stiefel


def test_haar_draws_have_the_haar_moments():
    # E Q_ij^2 = 1 / d and E Q_ij^4 = 3 / (d (d + 2)); a squared entry is Beta(1/2, (d - 1) / 2).
    d, n = 5, 20_000
    q = haar(n, d, np.random.default_rng(1))
    error = 5 / np.sqrt(n)
    np.testing.assert_allclose(np.mean(q, axis=0), 0, atol=error)
    np.testing.assert_allclose(np.mean(q**2, axis=0), 1 / d, atol=error)
    np.testing.assert_allclose(np.mean(q**4, axis=0), 3 / (d * (d + 2)), atol=error)
    for entry in ((0, 0), (2, 3), (4, 4)):
        sample = q[:, entry[0], entry[1]] ** 2
        assert scipy.stats.kstest(sample, scipy.stats.beta(0.5, (d - 1) / 2).cdf).pvalue > 1e-3
    # Both components of O(d) are equally likely.
    assert abs(np.mean(np.linalg.det(q) > 0) - 0.5) < error


def test_haar_angles_repel_as_scipys_do():
    ours = haar(4_000, 4, np.random.default_rng(2))
    theirs = scipy.stats.ortho_group(4, seed=3).rvs(4_000)
    traces = [np.trace(q, axis1=1, axis2=2) for q in (ours, theirs)]
    assert scipy.stats.ks_2samp(*traces).pvalue > 1e-3


def test_traces_of_haar_draws_have_the_haar_moments():
    """Moments of Haar's measure on O(d), within five standard errors."""
    d, num = 4, 40_000
    rotations = haar(num, d, np.random.default_rng(0))
    identity = np.broadcast_to(np.eye(d), rotations.shape)
    np.testing.assert_allclose(rotations @ rotations.transpose(0, 2, 1), identity, atol=1e-12)
    traces = np.trace(rotations, axis1=1, axis2=2)
    moments = {
        "trace": (traces, 0),
        "trace squared": (traces**2, 1),
        "trace to the fourth": (traces**4, 3),
        "entry to the fourth": (rotations[:, 1, 2] ** 4, 3 / (d * (d + 2))),
        "determinant": (np.linalg.det(rotations), 0),
    }
    for name, (values, expected) in moments.items():
        standard_error = values.std() / np.sqrt(num)
        assert abs(values.mean() - expected) < 5 * standard_error, name


def test_columns_of_haar_draws_are_orthonormal_with_haar_moments():
    draws = stiefel(2_000, 12, 3, np.random.default_rng(3))
    np.testing.assert_allclose(
        draws.swapaxes(1, 2) @ draws, np.broadcast_to(np.eye(3), (2_000, 3, 3)), atol=1e-12
    )
    # E q^2 = 1 / n and E q^4 = 3 / (n (n + 2)) for every entry of a Haar matrix.
    assert np.mean(draws[:, :, 0] ** 2) == pytest.approx(1 / 12)
    assert np.mean(draws**4) == pytest.approx(3 / (12 * 14), rel=0.05)
    assert abs(np.mean(draws, axis=0)).max() < 0.03
    whole = haar(2_000, 12, np.random.default_rng(4))
    assert np.mean(draws[:, 0, 0] ** 6) == pytest.approx(np.mean(whole[:, 0, 0] ** 6), rel=0.3)
