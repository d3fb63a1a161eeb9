"""Mutual information gap (Chen et al. 2018, eq. 6)."""

from __future__ import annotations

import numpy as np


def gaps(information: np.ndarray, factor_entropies: np.ndarray) -> np.ndarray:
    """MIG's summands, one a factor: float64 [..., k]; arguments as those of `mig`."""
    if information.shape[-2] == 1:
        second, largest = np.zeros_like(information[..., 0, :]), information[..., 0, :]
    else:
        two = np.partition(information, -2, axis=-2)[..., -2:, :]
        second, largest = two[..., 0, :], two[..., 1, :]
    return (largest - second) / factor_entropies


def mig(information: np.ndarray, factor_entropies: np.ndarray) -> np.ndarray:
    """The mutual information gap, of one basis or of many at once.

    MIG = mean over factors j of (largest - second largest over latents i of I(z_i; g_j)) / H(g_j).
    Range 0 to 1, higher is better. It does not change under permutation, sign flip or positive
    scaling of latents (but for values on bin edges); a rotation that mixes aligned latents lowers
    it. A constant latent has no information, and matters only in that it can be second.

    Args:
        information: float [..., m, k], mutual information of m latents and k factors in nats, as
            `information.mutual_information` gives it.
        factor_entropies: float [k] in nats, all above 0.

    Returns:
        float64 [...].
    """
    return np.mean(gaps(information, factor_entropies), axis=-1)
