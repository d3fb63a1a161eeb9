"""JEMMIG: the joint entropy of a factor and its best latent, less MIG's gap (Do & Tran 2020)."""

from __future__ import annotations

import numpy as np

from reproduce.metrics.information import NUM_BINS


def jemmig(
    information: np.ndarray,
    latent_entropies: np.ndarray,
    factor_entropies: np.ndarray,
    num_bins: int = NUM_BINS,
) -> np.ndarray:
    """JEMMIG of one basis or of many at once, normalised so that higher is better.

    The mean over factors g of 1 - J / (ln 20 + H(g)), with J of `joint_entropies`: unlike MIG it
    asks of the best latent that it tells nothing else (Do & Tran 2020, Theory and evaluation
    metrics for learning disentangled representations). J is at most the denominator, so that the
    absolute value, which some code takes, changes nothing. Range 0 to 1. A rotation that mixes
    aligned latents lowers it. Invariant under permutation, sign flip and positive scaling, but for
    values on bin edges. A constant latent tells nothing; constant ones alone score 0.

    Args:
        information: float [..., m, k], mutual information of m latents and k factors in nats.
        latent_entropies: float [..., m], entropies of the binned latents in nats.
        factor_entropies: float [k] in nats.
        num_bins: The number of bins of each latent.

    Returns:
        float64 [...].
    """
    joint = joint_entropies(information, latent_entropies, factor_entropies)
    scores = 1 - joint / (np.log(num_bins) + factor_entropies)
    varies = np.max(latent_entropies, axis=-1) > 0
    return varies * scores.mean(axis=-1)


def joint_entropies(
    information: np.ndarray, latent_entropies: np.ndarray, factor_entropies: np.ndarray
) -> np.ndarray:
    """J of each factor in nats; its mean over factors is JEMMIG unnormalised, lower being better.

    J = H(z, g) - I1 + I2, where z is the latent that tells most about g, and I1 and I2 are the two
    largest mutual informations; with one latent alone, I2 is 0.

    Args:
        information: float [..., m, k] in nats.
        latent_entropies: float [..., m] in nats.
        factor_entropies: float [k] in nats.

    Returns:
        float64 [..., k].
    """
    information = np.asarray(information, np.float64)
    best = information.argmax(axis=-2)  # the first of equal ones
    first = information.max(axis=-2)
    single = information.shape[-2] == 1
    second = np.zeros_like(first) if single else np.partition(information, -2, axis=-2)[..., -2, :]
    of_latent = np.take_along_axis(np.asarray(latent_entropies), best, axis=-1)
    return of_latent + factor_entropies - 2 * first + second
