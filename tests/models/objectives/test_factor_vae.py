"""FactorVAE's discriminator: its permutations, its loss, its gradient."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.special
import scipy.stats

from data.files import InputError
from models.objectives import factor_vae
from models.objectives.base import Batch

pytestmark = pytest.mark.usefixtures("tensorflow")


def objective_of(**changes) -> factor_vae.Objective:
    values = {"num_latents": 2, "tc_weight": 3.0, "discriminator_widths": (4, 4)}
    settings = factor_vae.Settings(objective="factor_vae", **values | changes)
    return factor_vae.Objective(settings, np.random.default_rng(0))


def batch_of(latents, seed=(0, 1)) -> Batch:
    zero = np.float32(0)
    return Batch(None, None, latents, zero, zero, 0, np.int32(seed))


def test_each_latent_is_permuted_by_itself():
    latents = np.arange(300, dtype=np.float32).reshape(100, 3)
    permuted = factor_vae.permute(latents, np.int32([0, 1])).numpy()
    np.testing.assert_array_equal(np.sort(permuted, axis=0), latents)
    orders = permuted - permuted[:, :1]
    assert not np.array_equal(orders, latents - latents[:, :1])
    assert not np.array_equal(permuted, latents)


def test_a_planted_density_ratio_gives_total_correlation_and_loss(tensorflow):
    """A logit log q(z) - log prod_k q(z_k) of a Gaussian: its mean over draws is its TC."""
    correlation, num = 0.8, 20_000
    rng = np.random.default_rng(0)
    covariance = np.array([[1, correlation], [correlation, 1]])
    latents = rng.multivariate_normal(np.zeros(2), covariance, num)
    independent = rng.normal(size=(num, 2))

    def ratio(points):
        joint = scipy.stats.multivariate_normal.logpdf(points, np.zeros(2), covariance)
        return (joint - scipy.stats.norm.logpdf(points).sum(axis=1))[:, None]

    objective = objective_of()
    objective.discriminator = lambda points: tensorflow.constant(ratio(np.asarray(points)))
    known = -np.log(1 - correlation**2) / 2
    spread = 5 * ratio(latents).std() / np.sqrt(num)
    assert abs(float(objective.penalty(batch_of(latents))) / 3 - known) < spread
    loss = float(objective.discriminator_loss(latents, independent))
    told, kept = (scipy.special.expit(ratio(points)) for points in (latents, independent))
    assert loss == pytest.approx(-(np.log(told).mean() + np.log(1 - kept).mean()) / 2, rel=1e-6)
    assert loss < np.log(2)  # of a discriminator that cannot tell


def test_a_step_follows_the_losss_own_gradient(tensorflow):
    """The first step of Adam is the learning rate times the gradient's sign."""
    objective = objective_of(discriminator_learning_rate=1e-2)
    latents = np.random.default_rng(1).normal(size=(64, 2)).astype(np.float32)
    latents[:, 1] += latents[:, 0]
    batch = batch_of(latents)
    permuted = factor_vae.permute(latents, tensorflow.random.fold_in(batch.seed, 1))
    weights = objective.discriminator.trainable_variables
    with tensorflow.GradientTape() as tape:
        told = objective.discriminator(latents)
        kept = objective.discriminator(permuted)
        log_likelihood = tensorflow.math.log_sigmoid(told) + tensorflow.math.log_sigmoid(-kept)
        loss = -tensorflow.reduce_mean(log_likelihood) / 2
    gradients = [np.array(g) for g in tape.gradient(loss, weights)]
    before = [np.array(w) for w in weights]
    objective.update(batch, 1)
    for old, new, gradient in zip(before, weights, gradients, strict=True):
        clear = np.abs(gradient) > 1e-5
        moved = (np.array(new) - old)[clear]
        np.testing.assert_allclose(moved, -1e-2 * np.sign(gradient)[clear], rtol=2e-2)
    assert objective.discriminator_loss(latents, permuted) < loss


def test_encoder_and_decoder_leave_the_discriminator_alone(tensorflow):
    """Its state is in the checkpoint, and only its own step changes it."""
    objective = objective_of()
    before = {name: np.array(value) for name, value in objective.variables().items()}
    assert sum(name.startswith("discriminator/") for name in before) == 6
    assert any("optimizer/" in name for name in before)
    objective.loss(batch_of(np.ones((4, 2), np.float32)))
    for name, value in objective.variables().items():
        np.testing.assert_array_equal(value, before[name])


@pytest.mark.parametrize(
    "changes", [{"discriminator_learning_rate": 0.0}, {"discriminator_widths": (8, 0)}]
)
def test_a_discriminator_that_cannot_be_is_refused(changes):
    (name,) = changes
    with pytest.raises(InputError, match=f"{name} (is|are) "):
        objective_of(**changes)
