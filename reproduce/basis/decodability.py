"""How much of each factor the latents carry, whatever the basis: the gate of verdicts by factor."""

from __future__ import annotations

import numpy as np

from data import random_streams

# Fixed before any factor was judged by it: a factor of whose variance the latents explain less than
# a tenth, on images that the regression never saw, is left out of a verdict by factor.
MIN_R2 = 0.1
_PENALTY = 1e-3  # of the ridge, for each training row
_MAX_PRODUCTS = 32  # latents; products of more would be too many features


def held_out_r2(latents: np.ndarray, factors: np.ndarray, seed: int) -> np.ndarray:
    """R^2 of a quadratic ridge regression of each factor's class index, on the half not fitted.

    Features are standardised latents, their squares and, of up to 32 latents, their products: a
    full polynomial of degree 2, whose span no rotation of the latents changes, so that the gate
    favours no basis.

    Args:
        latents: float [n, d].
        factors: int [n, k], class indices, taken as numbers.
        seed: The seed of the halves.

    Returns:
        float64 [k]; at most 1, below 0 where the regression is worse than the mean, and NaN where a
        half has one class alone.
    """
    rng = random_streams.generator(seed, random_streams.DECODED_HALVES)
    order = rng.permutation(len(latents))
    train, test = order[: len(order) // 2], order[len(order) // 2 :]
    features = _features(np.asarray(latents, np.float64), train)
    mean = features[train].mean(axis=0)
    spread = features[train].std(axis=0)
    features = (features - mean) / np.where(spread > 0, spread, 1)
    targets = np.asarray(factors, np.float64)
    centre = targets[train].mean(axis=0)
    gram = features[train].T @ features[train]
    gram[np.diag_indices_from(gram)] += _PENALTY * len(train)
    weights = np.linalg.solve(gram, features[train].T @ (targets[train] - centre))
    errors = np.square(targets[test] - centre - features[test] @ weights).sum(axis=0)
    total = np.square(targets[test] - targets[test].mean(axis=0)).sum(axis=0)
    varies = (total > 0) & (targets[train].std(axis=0) > 0)
    return np.where(varies, 1 - errors / np.where(total > 0, total, 1), np.nan)


def _features(latents: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Standardised latents, squares and products: float64 [n, features]."""
    spread = latents[train].std(axis=0)
    scaled = (latents - latents[train].mean(axis=0)) / np.where(spread > 0, spread, 1)
    if scaled.shape[1] > _MAX_PRODUCTS:
        return np.hstack([scaled, np.square(scaled)])
    first, second = np.triu_indices(scaled.shape[1])
    return np.hstack([scaled, scaled[:, first] * scaled[:, second]])
