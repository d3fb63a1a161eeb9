"""Lucas, Tucker, Grosse & Norouzi 2019 (1911.02469): the axes of a linear VAE's optimum.

The likelihood of probabilistic PCA knows the principal plane alone; any rotation of V within it is
as good. The paper shows that the ELBO with a diagonal posterior is not blind: at its global optimum
the columns of V are the principal directions themselves. Three things are asked, on Gaussian data
whose variances differ:

- Is the closed form (`linear_vae.optimum`) a minimum that no training passes, and do all reach it?
- What do rotations of it cost, once with the best diagonal posterior and once with the best full
  one? The best full covariance is that of p(z | x), S = s (V^T V + s I)^-1, and the best diagonal
  one has the entries 1 / S^-1_ii; the encoder is the same, W = (V^T V + s I)^-1 V^T.
- How far from the principal directions do trained axes end, against random bases of the plane?
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd

from data import random_streams
from reproduce.basis import bases, significance
from reproduce.mechanisms import linear_vae, results
from reproduce.mechanisms.linear_vae import LinearModels, Training, transposed
from reproduce.pipeline import jobs
from reproduce.training import progress

POSTERIORS = ("diagonal", "full_covariance")
GAP, ANGLE, COST = "nats_above_optimum", "angle_to_pca", "nats_lost_by_rotation"
LEVEL = 0.05
EXACT = 1e-9  # nats, of rounding alone
REACHED = 1e-3  # nats, within which a training has reached the optimum


@dataclasses.dataclass(frozen=True)
class Settings:
    """The experiment's settings.

    Attributes:
        num_models: Models of each posterior, each on data with directions of its own.
        variances: The data's along its first directions, one for each latent, descending.
        remainder: Variance along each other direction; below the noise, so that it is not coded.
        dimension: The data's.
        training: Each model's.
        num_null: Draws of as many random bases as there are models.
        seeds: One, of everything.
    """

    num_models: int = 50
    variances: tuple[float, ...] = (4.0, 2.5, 1.5, 0.8)
    remainder: float = 0.05
    dimension: int = 10
    training: Training = dataclasses.field(default_factory=Training)
    num_null: int = 999
    seeds: tuple[int, ...] = (30,)


PROFILES = {
    "smoke": Settings(num_models=3, training=Training(num_steps=50), num_null=19, seeds=(0,)),
    # The plane is found within hundreds of steps; within it, losses differ by tenths of a nat.
    "quick": Settings(training=Training(num_steps=20_000, learning_rate=2e-2)),
    "paper": Settings(500, training=Training(num_steps=100_000, learning_rate=2e-2), seeds=(300,)),
}


def rotated_optimum(covariance: np.ndarray, rotation: np.ndarray, noise: float) -> LinearModels:
    """The optimum with its latents rotated, and the best diagonal posterior for it.

    Args:
        covariance: C of each model's data, float [n, D, D].
        rotation: How each model's latents are rotated, float [n, d, d].
        noise: s.
    """
    d = rotation.shape[1]
    decoder = linear_vae.optimum(covariance, d, noise).decoder @ rotation
    precision = transposed(decoder) @ decoder / noise + np.eye(d)
    encoder = np.linalg.inv(precision) @ transposed(decoder) / noise
    scale = -np.log(np.diagonal(precision, axis1=1, axis2=2))[:, :, None] / 2 * np.eye(d)
    return LinearModels(encoder, decoder, scale)


def with_full_posterior(models: LinearModels, noise: float) -> LinearModels:
    """The same models with the covariance of p(z | x)."""
    d = models.decoder.shape[2]
    precision = transposed(models.decoder) @ models.decoder / noise + np.eye(d)
    factor = np.linalg.cholesky(np.linalg.inv(precision))
    scale = np.tril(factor, -1)
    scale += np.log(np.diagonal(factor, axis1=1, axis2=2))[:, :, None] * np.eye(d)
    return dataclasses.replace(models, scale=scale)


def chains(settings: Settings, output: Path) -> list[jobs.Chain]:
    """None: the models are trained in the measuring."""
    return []


def measure(settings: Settings, output: Path) -> pd.DataFrame:
    """Trains either posterior's models, and compares them with the closed form."""
    seed, n, d = settings.seeds[0], settings.num_models, len(settings.variances)
    noise = settings.training.noise
    draw = random_streams.generator(seed, random_streams.TOY_POINTS)
    directions = bases.haar(n, settings.dimension, draw)
    variances = np.full(settings.dimension, settings.remainder)
    variances[:d] = settings.variances
    covariance = directions * variances @ transposed(directions)
    principal = directions[:, :, :d]
    lowest = linear_vae.loss(
        linear_vae.optimum(covariance, d, noise), covariance, noise, "diagonal"
    )
    found: dict[str, dict[str, np.ndarray]] = {}
    turned = rotated_optimum(covariance, bases.haar(n, d, draw), noise)
    for arm in progress.bar(POSTERIORS, desc="linear models", unit=" posteriors"):
        fitted = linear_vae.fit(covariance, d, settings.training, arm, draw)
        other = turned if arm == "diagonal" else with_full_posterior(turned, noise)
        found[arm] = {
            GAP: linear_vae.loss(fitted, covariance, noise, arm) - lowest,
            ANGLE: linear_vae.angles(fitted.decoder, principal),
            COST: linear_vae.loss(other, covariance, noise, arm) - lowest,
        }
    null = _random_angles(settings, principal)
    rows = []
    for arm, measures in found.items():
        for name, values in measures.items():
            rows += results.measured(arm, name, dict(enumerate(values)))[-1:]
    return results.table("lucas_linear", [*rows, *_summaries(found, null)])


def _random_angles(settings: Settings, principal: np.ndarray) -> np.ndarray:
    """Mean angles over models of random bases of their principal planes: float64 [num_null]."""
    n, _, d = principal.shape
    rng = random_streams.generator(settings.seeds[0], random_streams.TOY_NULL)
    planes = (principal @ bases.haar(n, d, rng) for _ in range(settings.num_null))
    return np.array([linear_vae.angles(axes, principal).mean() for axes in planes])


def _summaries(found: dict[str, dict[str, np.ndarray]], null: np.ndarray) -> list[results.Row]:
    diagonal, full = found["diagonal"], found["full_covariance"]
    gap, cost = diagonal[GAP], diagonal[COST]
    reached = int(np.sum(gap <= REACHED))
    angles = {arm: float(measures[ANGLE].mean()) for arm, measures in found.items()}
    p = {arm: significance.p_value(-angle, -null) for arm, angle in angles.items()}
    return [
        results.summary(
            "optimum",
            "the closed form with principal directions is the global optimum",
            bool(gap.min() > -EXACT and cost.min() > 0),
            f"No one of {len(gap)} trained linear VAEs is below the closed form, and {reached} end "
            f"within {REACHED:g} nats of it; rotating its latents costs at least {cost.min():.2g} "
            f"nats, {cost.mean():.2f} on average, with the best diagonal posterior.",
        ),
        results.summary(
            "trained diagonal",
            "the columns are the principal directions",
            p["diagonal"] <= LEVEL,
            f"Trained with a diagonal posterior, axes end {angles['diagonal']:.2g} degrees from "
            f"the principal directions on average, at most {diagonal[ANGLE].max():.2g}; random "
            f"ones of the plane {null.mean():.1f} (p = {p['diagonal']:.2g}).",
            p["diagonal"],
        ),
        results.summary(
            "full_covariance",
            "no columns are preferred",
            bool(np.abs(full[COST]).max() < EXACT),
            f"With a full-covariance posterior no rotation costs more than "
            f"{np.abs(full[COST]).max():.0e} nats, and trained axes end "
            f"{angles['full_covariance']:.1f} degrees away (p = {p['full_covariance']:.2g}).",
        ),
    ]
