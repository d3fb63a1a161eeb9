"""Axis ratio and linear ratio: does a factor move one latent, or one direction? (Michlo 2022)."""

from __future__ import annotations

import dataclasses

import numpy as np

from reproduce.metrics.factor_grid import geometric_mean, traversals


@dataclasses.dataclass(frozen=True)
class Ratios:
    """What `ratios` returns; each is 1 at best.

    Attributes:
        axis: Of the variances of each traversal: does a factor move one latent?
        linear: Of the eigenvalues of each traversal's covariance: does it move along one line?
        alignment: Of axis over linear, traversal by traversal: is that line an axis?
        axis_of_mean: Of the variances' mean over traversals: is it always the same latent?
    """

    axis: float
    linear: float
    alignment: float
    axis_of_mean: float


def ratios(latents: np.ndarray, factors: np.ndarray) -> Ratios:
    """The axis ratio, the linear ratio, and their quotient, of latents on a full grid of factors.

    A traversal is the images in which one factor takes all its values and the others stay. Of its
    latents' covariance, axis ratio takes the variances and linear ratio the eigenvalues:
    f(v) = (max v / sum v - 1/d) / (1 - 1/d), mean over traversals, and geometric mean over factors
    (Michlo et al. 2022, Overlooked implications of the reconstruction loss for VAE
    disentanglement). Range 0 to 1, higher is better: 1 where each factor moves along one latent, or
    along one line. No rotation changes the linear ratio, so their quotient, alignment, is the
    question of this kit as a metric. All are invariant under permutation, sign flip and one common
    scale, and not under scales of single latents. A constant latent counts in d.

    A traversal on which no latent moves counts 0, as little as one that moves all latents alike;
    in disent, the authors' code, it makes the score NaN.

    Args:
        latents: float [n, d], d at least 2.
        factors: int [n, k], each combination of values exactly once.

    Raises:
        InputError: If the rows are no full grid of the factors, or no factor varies.
    """
    found = []
    for moved in traversals(latents, factors):
        centred = moved - moved.mean(axis=1, keepdims=True)
        covariance = centred.swapaxes(1, 2) @ centred / (moved.shape[1] - 1)
        variances = np.diagonal(covariance, axis1=1, axis2=2)
        axis = _dominance(variances)
        linear = _dominance(np.abs(np.linalg.eigvalsh(covariance)))
        alignment = axis / np.where(linear > 0, linear, 1)
        of_mean = _dominance(variances.mean(axis=0))
        found.append((axis.mean(), linear.mean(), alignment.mean(), float(of_mean)))
    return Ratios(*geometric_mean(found))


def _dominance(values: np.ndarray) -> np.ndarray:
    """How far the largest of each vector [..., d] stands out, 0 to 1: [...]; 0 of a vector of 0."""
    total = values.sum(axis=-1)
    d = values.shape[-1]
    share = values.max(axis=-1) / np.where(total > 0, total, 1)
    return np.where(total > 0, (share - 1 / d) / (1 - 1 / d), 0.0)
