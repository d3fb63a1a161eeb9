"""Axis ratio and linear ratio: does a factor move one latent, or one direction? (Michlo 2022)."""

from __future__ import annotations

import numpy as np

from data.files import InputError


def ratios(latents: np.ndarray, factors: np.ndarray) -> tuple[float, float]:
    """The axis ratio and the linear ratio of latents on a full grid of factors.

    A traversal is the images in which one factor takes all its values and the others stay. Of its
    latents' covariance, axis ratio takes the variances and linear ratio the eigenvalues:
    f(v) = (max v / sum v - 1/d) / (1 - 1/d), mean over traversals, and geometric mean over factors
    (Michlo et al. 2022, Overlooked implications of the reconstruction loss for VAE
    disentanglement). Range 0 to 1, higher is better: 1 where each factor moves along one latent, or
    along one line. No rotation changes the linear ratio, so their quotient is the question of this
    kit as a metric. Both are invariant under permutation, sign flip and one common scale, and not
    under scales of single latents. A constant latent counts in d.

    Args:
        latents: float [n, d], d at least 2.
        factors: int [n, k], each combination of values exactly once.

    Returns:
        Axis ratio and linear ratio.

    Raises:
        InputError: If the rows are no full grid of the factors.
    """
    grid = _on_grid(np.asarray(latents, np.float64), factors)
    d = grid.shape[-1]
    found = []
    for axis, size in enumerate(grid.shape[:-1]):
        if size < 2:
            continue
        moved = np.moveaxis(grid, axis, -2).reshape(-1, size, d)
        centred = moved - moved.mean(axis=1, keepdims=True)
        covariance = centred.swapaxes(1, 2) @ centred / (size - 1)
        variances = np.diagonal(covariance, axis1=1, axis2=2)
        eigenvalues = np.abs(np.linalg.eigvalsh(covariance))
        found.append([_dominance(variances), _dominance(eigenvalues)])
    means = np.exp(np.mean(np.log(np.maximum(found, 1e-300)), axis=0))
    return float(means[0]), float(means[1])


def _on_grid(latents: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """Latents as an array with an axis for each factor: float64 [size_1, ..., size_k, d]."""
    indices = [np.unique(column, return_inverse=True) for column in factors.T]
    shape = tuple(len(values) for values, _ in indices)
    cells = np.ravel_multi_index([index for _, index in indices], shape)
    if len(cells) != np.prod(shape) or len(np.unique(cells)) != len(cells):
        raise InputError(
            f"{len(cells)} rows are no full grid of factors with {' x '.join(map(str, shape))} "
            "values; axis_ratio and linear_ratio need each combination exactly once"
        )
    grid = np.empty_like(latents)
    grid[cells] = latents
    return grid.reshape(*shape, latents.shape[1])


def _dominance(values: np.ndarray) -> float:
    """Mean over rows [t, d] of how far the largest of a row stands out; rows of 0 count 0."""
    total = values.sum(axis=1)
    d = values.shape[1]
    share = values.max(axis=1) / np.where(total > 0, total, 1)
    return float(np.mean(np.where(total > 0, (share - 1 / d) / (1 - 1 / d), 0.0)))
