"""DIP-VAE's penalties on constructed codes."""

from __future__ import annotations

import numpy as np
import pytest

from models.objectives import dip_vae_i, dip_vae_ii

WEIGHTS = {"num_latents": 2, "lambda_od": 3.0, "lambda_d": 7.0}

pytestmark = pytest.mark.usefixtures("tensorflow")
# Of zero mean, variances 1 and 4, covariance 0; and of variances 1 and 2.125, covariance .75.
UNCORRELATED = np.float32([[1, 2], [1, -2], [-1, 2], [-1, -2]])
CORRELATED = np.float32([[1, 2], [1, -0.5], [-1, 0.5], [-1, -2]])


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        (UNCORRELATED, 7 * (4 - 1) ** 2),
        (CORRELATED, 3 * 2 * 0.75**2 + 7 * (2.125 - 1) ** 2),  # both entries off the diagonal
        (UNCORRELATED / np.float32([1, 2]) + 5, 0),  # the identity, wherever its mean is
    ],
)
def test_the_penalty_is_of_the_codes_covariance(codes, expected):
    settings = dip_vae_i.Settings(objective="dip_vae_i", **WEIGHTS)
    found = dip_vae_i.distance(dip_vae_i.covariance(codes), settings)
    assert float(found) == pytest.approx(expected, rel=1e-5, abs=1e-5)


def test_correlations_within_images_make_up_for_those_between():
    """DIP-VAE-II's covariance is that of the latents themselves, by the actual posteriors."""
    import tensorflow_probability as tfp

    tfd = tfp.distributions
    within = np.float32([[0.9, -0.5], [-0.5, 0.6]])
    scales = np.linalg.cholesky(np.broadcast_to(within, (4, 2, 2)))
    full = dip_vae_ii.aggregate_covariance(tfd.MultivariateNormalTriL(CORRELATED, scales))
    between = np.cov(CORRELATED.T, bias=True)
    np.testing.assert_allclose(full, between + within, rtol=1e-5)
    assert abs(full[0, 1]) < abs(between[0, 1])
    deviations = np.sqrt(np.broadcast_to(np.diag(within), (4, 2)))
    diagonal = dip_vae_ii.aggregate_covariance(tfd.MultivariateNormalDiag(CORRELATED, deviations))
    np.testing.assert_allclose(diagonal, between + np.diag(np.diag(within)), rtol=1e-5)


def test_the_aggregate_covariance_is_that_of_draws():
    import tensorflow_probability as tfp

    rng = np.random.default_rng(0)
    scales = np.tril(rng.normal(size=(4, 2, 2))).astype(np.float32)
    scales[:, [0, 1], [0, 1]] = np.abs(scales[:, [0, 1], [0, 1]]) + 0.1
    posterior = tfp.distributions.MultivariateNormalTriL(CORRELATED, scales)
    num = 100_000
    draws = posterior.sample(num, seed=[0, 1]).numpy().reshape(-1, 2)
    found = dip_vae_ii.aggregate_covariance(posterior).numpy()
    spread = np.sqrt(np.var(draws[:, :, None] * draws[:, None], axis=0) / len(draws))
    assert np.all(np.abs(found - np.cov(draws.T)) < 5 * spread + 1e-3)
