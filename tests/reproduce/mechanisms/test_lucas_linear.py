"""The optimum of linear VAEs: against probabilistic PCA, SciPy's optimiser, and rotations."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.optimize
import scipy.stats

from reproduce.basis import bases
from reproduce.mechanisms import linear_vae, lucas_linear
from reproduce.mechanisms.linear_vae import LinearModels

NOISE = 0.1


@pytest.fixture(scope="module")
def covariance() -> np.ndarray:
    directions = bases.haar(4, 5, np.random.default_rng(0))
    return directions * np.array([3.0, 1.5, 0.7, 0.05, 0.05]) @ np.swapaxes(directions, 1, 2)


def test_at_the_optimum_the_elbo_is_the_likelihood_of_probabilistic_pca(covariance):
    models = linear_vae.optimum(covariance, 3, NOISE)
    found = linear_vae.loss(models, covariance, NOISE, "diagonal")
    rng = np.random.default_rng(1)
    for i in range(4):
        decoder = models.decoder[i]
        marginal = decoder @ decoder.T + NOISE * np.eye(5)
        x = rng.normal(size=(400_000, 5)) @ np.linalg.cholesky(covariance[i]).T
        nats = -scipy.stats.multivariate_normal(cov=marginal).logpdf(x).mean()
        assert found[i] + 2.5 * np.log(2 * np.pi * NOISE) == pytest.approx(nats, abs=0.02)


def test_no_step_of_an_optimiser_leads_below_the_optimum(covariance):
    rng = np.random.default_rng(2)
    lowest = linear_vae.loss(
        linear_vae.optimum(covariance, 2, NOISE), covariance, NOISE, "diagonal"
    )

    def unpack(x: np.ndarray) -> LinearModels:
        return LinearModels(
            x[:10].reshape(1, 2, 5), x[10:20].reshape(1, 5, 2), x[20:, None] * np.eye(2)[None]
        )

    def value(x: np.ndarray) -> float:
        return float(linear_vae.loss(unpack(x), covariance[:1], NOISE, "diagonal")[0])

    ends = [
        scipy.optimize.minimize(value, rng.normal(0, 0.3, 22), options={"gtol": 1e-6})
        for _ in range(2)
    ]
    for end in ends:
        assert end.fun > lowest[0] - 1e-9
        assert end.fun == pytest.approx(lowest[0], abs=1e-4)
        directions = np.linalg.eigh(covariance[:1])[1][:, :, ::-1][:, :, :2]
        assert linear_vae.angles(unpack(end.x).decoder, directions)[0] < 0.5


def test_rotations_cost_nothing_but_with_a_diagonal_posterior(covariance):
    lowest = linear_vae.loss(
        linear_vae.optimum(covariance, 3, NOISE), covariance, NOISE, "diagonal"
    )
    turned = lucas_linear.rotated_optimum(
        covariance, bases.haar(4, 3, np.random.default_rng(3)), NOISE
    )
    full = lucas_linear.with_full_posterior(turned, NOISE)
    np.testing.assert_allclose(
        linear_vae.loss(full, covariance, NOISE, "full_covariance"), lowest, atol=1e-9
    )
    diagonal = linear_vae.loss(turned, covariance, NOISE, "diagonal")
    assert np.all(diagonal > lowest + 1e-3)
    straight = lucas_linear.rotated_optimum(covariance, np.tile(np.eye(3), (4, 1, 1)), NOISE)
    np.testing.assert_allclose(
        linear_vae.loss(straight, covariance, NOISE, "diagonal"), lowest, atol=1e-9
    )
    for change in (0.9, 1.1):  # the best diagonal posterior is no worse than its neighbours
        other = LinearModels(turned.encoder, turned.decoder, turned.scale * change)
        assert np.all(linear_vae.loss(other, covariance, NOISE, "diagonal") > diagonal)


def test_summaries_tell_trained_axes_from_random_ones():
    arms = {"diagonal": (0.1, 1.0), "full_covariance": (25.0, 0.0)}
    found = {
        arm: {"nats_above_optimum": np.full(3, 1e-5), "angle_to_pca": np.full(3, angle)}
        | {"nats_lost_by_rotation": np.full(3, cost)}
        for arm, (angle, cost) in arms.items()
    }
    null = np.linspace(24, 26, 39)
    holds = {row["measure"]: row["holds"] for row in lucas_linear._summaries(found, null)}
    assert holds == {
        "optimum": True,
        "trained diagonal": True,
        "full_covariance": True,
    }
    found["diagonal"]["nats_above_optimum"] = np.array([0.0, 0.0, -0.1])
    found["diagonal"]["angle_to_pca"] = np.full(3, 25.0)
    holds = {row["measure"]: row["holds"] for row in lucas_linear._summaries(found, null)}
    assert (holds["optimum"], holds["trained diagonal"]) == (False, False)
