"""JEMMIG: the joint entropy of a factor and its best latent, less MIG's gap (Do & Tran 2020)."""

from __future__ import annotations

import numpy as np

from reproduce.metrics.information import discretise, entropies, mutual_information


def jemmig(latents: np.ndarray, factors: np.ndarray) -> float:
    """JEMMIG, normalised so that higher is better.

    Of each factor g: J = H(z, g) - I1 + I2, where z is the latent that tells most about it, and I1
    and I2 are the two largest mutual informations (Do & Tran 2020, Theory and evaluation metrics
    for learning disentangled representations). The score is the mean over factors of 1 - J / (ln 20
    + H(g)): unlike MIG it asks of the best latent that it tells nothing else. Range 0 to 1. A
    rotation that mixes aligned latents lowers it. Invariant under permutation, sign flip and
    positive scaling, but for values on bin edges. A constant latent tells nothing.

    Args:
        latents: float [n, d].
        factors: int [n, k], class indices.
    """
    information = mutual_information(latents, factors)
    bins = discretise(latents)
    best = information.argmax(axis=0)
    ordered = np.sort(information, axis=0)
    first = ordered[-1]
    second = ordered[-2] if len(ordered) > 1 else np.zeros_like(first)
    of_latents, of_factors = entropies(bins), entropies(factors)
    num_bins = bins.max() + 1  # all of them, if any latent varies
    joint = of_latents[best] + of_factors - first
    scores = np.abs(1 - (joint - first + second) / (np.log(num_bins) + of_factors))
    return float(np.mean(scores))
