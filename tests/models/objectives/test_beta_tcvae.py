"""beta-TCVAE's densities against SciPy, its estimators where the total correlation is known."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import scipy.special
import scipy.stats

from data.files import InputError
from models.objectives import beta_tcvae

D = 3
SCALE = np.array([[1.0, 0, 0], [0.9, 0.6, 0], [-0.5, 0.4, 0.7]])
COVARIANCE = SCALE @ SCALE.T
VARIANCES = np.diag(COVARIANCE)
# Of a Gaussian: half the sum of its log variances, less half its log determinant.
KNOWN = (np.log(VARIANCES).sum() - np.linalg.slogdet(COVARIANCE)[1]) / 2

pytestmark = pytest.mark.usefixtures("tensorflow")


def posterior_of(means: np.ndarray, scale: np.ndarray = SCALE):
    import tensorflow_probability as tfp

    scales = np.broadcast_to(scale, (len(means), D, D)).astype(np.float32)
    return tfp.distributions.MultivariateNormalTriL(means.astype(np.float32), scales)


def diagonal_of(means: np.ndarray, deviations: np.ndarray):
    import tensorflow_probability as tfp

    return tfp.distributions.MultivariateNormalDiag(
        *np.float32(np.broadcast_arrays(means, deviations))
    )


def test_densities_are_scipys_for_both_posteriors():
    rng = np.random.default_rng(0)
    means, latents = rng.normal(size=(2, 4, D))
    deviations = rng.uniform(0.5, 2, (4, D))
    for posterior, covariances in (
        (posterior_of(means), [COVARIANCE] * 4),
        (diagonal_of(means, deviations), [np.diag(row**2) for row in deviations]),
    ):
        joint, marginal = beta_tcvae.log_densities(posterior, latents.astype(np.float32))
        for i, j in itertools.product(range(4), repeat=2):
            expected = scipy.stats.multivariate_normal.logpdf(latents[i], means[j], covariances[j])
            np.testing.assert_allclose(joint[i, j], expected, rtol=1e-4)
            sd = np.sqrt(np.diag(covariances[j]))
            of_each = scipy.stats.norm.logpdf(latents[i], means[j], sd)
            np.testing.assert_allclose(marginal[i, j], of_each, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("sampling", beta_tcvae.SAMPLINGS)
def test_images_that_share_a_posterior_have_its_total_correlation(sampling):
    """Every density is exact then, so that the mean over draws is off by its noise alone."""
    num = 1_000
    rng = np.random.default_rng(0)
    means = np.broadcast_to(rng.normal(size=D), (num, D))
    latents = (means + rng.normal(size=(num, D)) @ SCALE.T).astype(np.float32)
    weights = beta_tcvae.stratified_weights(num, 10**6) if sampling == "stratified" else None
    found = float(beta_tcvae.total_correlation(posterior_of(means), latents, weights))
    joint = scipy.stats.multivariate_normal.logpdf(latents, means[0], COVARIANCE)
    each = scipy.stats.norm.logpdf(latents, means[0], np.sqrt(VARIANCES)).sum(axis=1)
    assert abs(found - KNOWN) < 5 * np.std(joint - each) / np.sqrt(num)
    assert KNOWN > 0.5


def test_a_correlation_between_images_is_found():
    """Small posteriors around correlated means: q(z) is the Gaussian that the means are drawn of.

    Densities are those of a kernel estimate, so the tolerance is wide; without correlations, the
    same number of images gives less than a fifth.
    """
    num, width = 1_000, 0.3
    rng = np.random.default_rng(0)
    found = []
    for scale in (SCALE, np.diag(np.sqrt(VARIANCES))):
        means = rng.normal(size=(num, D)) @ scale.T
        latents = (means + width * rng.normal(size=(num, D))).astype(np.float32)
        posterior = diagonal_of(means, width)
        found.append(float(beta_tcvae.total_correlation(posterior, latents)))
    total = COVARIANCE + width**2 * np.eye(D)
    known = (np.log(np.diag(total)).sum() - np.linalg.slogdet(total)[1]) / 2
    assert found[0] == pytest.approx(known, abs=0.25 * known)
    assert abs(found[1]) < 0.2 * known


def test_stratified_weights_are_those_of_the_appendix():
    """1 / N once, (N - M) / (N M) once, and 1 / M for the rest: they add up to 1."""
    weights = np.exp(beta_tcvae.stratified_weights(5, 100))
    np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(np.diag(weights), 1 / 100, rtol=1e-6)
    np.testing.assert_allclose(np.sort(weights, axis=1)[:, 1], 96 / 400, rtol=1e-6)
    np.testing.assert_allclose(np.sort(weights, axis=1)[:, 2:], 1 / 4, rtol=1e-6)
    for batch_size, num_images in ((1, 100), (5, 4)):
        with pytest.raises(InputError, match="stratified"):
            beta_tcvae.stratified_weights(batch_size, num_images)


def test_stratified_sampling_is_unbiased():
    """Over all batches of three of five images, the mean estimate of q(z) is q(z) itself."""
    rng = np.random.default_rng(0)
    densities = rng.uniform(size=5)  # of an image's draw under each image's posterior
    weights = np.exp(beta_tcvae.stratified_weights(3, 5).astype(float))[0]
    estimates = [
        weights @ densities[[0, *others]] for others in itertools.permutations(range(1, 5), 2)
    ]
    assert np.mean(estimates) == pytest.approx(densities.mean(), rel=1e-6)
