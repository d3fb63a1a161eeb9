"""Metrics straight from their definitions, slow and plain: what the kit's are compared with."""

from __future__ import annotations

import numpy as np


def information(x: np.ndarray, y: np.ndarray) -> float:
    """Mutual information in nats of a latent, in 20 bins of equal width, and a factor's classes."""
    edges = np.linspace(x.min(), x.max(), 21)
    bins = np.clip(np.searchsorted(edges, x, side="right") - 1, 0, 19)
    bins = bins if x.max() > x.min() else np.zeros(len(x), int)
    total = 0.0
    for u in np.unique(bins):
        for v in np.unique(y):
            joint = np.mean((bins == u) & (y == v))
            if joint:
                total += joint * np.log(joint / (np.mean(bins == u) * np.mean(y == v)))
    return total


def entropy(y: np.ndarray) -> float:
    """The entropy of a factor's classes, in nats."""
    shares = np.unique(y, return_counts=True)[1] / len(y)
    return float(-(shares * np.log(shares)).sum())


def mig(latents: np.ndarray, factors: np.ndarray) -> float:
    """Chen et al. 2018, eq. 6; with one latent alone the second largest is 0."""
    gaps = []
    for y in np.asarray(factors).T:
        found = sorted((information(x, y) for x in np.asarray(latents, float).T), reverse=True)
        gaps.append((found[0] - (found[1] if len(found) > 1 else 0.0)) / entropy(y))
    return float(np.mean(gaps))
