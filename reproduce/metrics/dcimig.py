"""DCIMIG: the gap of each latent for the factor that it claims (Sepliarskaia et al. 2019)."""

from __future__ import annotations

import numpy as np


def dcimig(information: np.ndarray, factor_entropies: np.ndarray) -> np.ndarray:
    """DCIMIG, later called 3CharM, of one basis or of many at once.

    Each latent claims the factor about which it tells most, with the gap between the largest and
    the second-largest I(z_i; g_j) over factors j. A factor's score is the largest gap among the
    latents that claim it, over its entropy, and 0 if none does; the score is the mean over factors
    (Sepliarskaia et al. 2019, How to not measure disentanglement). Range 0 to 1, higher is better.
    A rotation that mixes aligned latents lowers it. Invariant under permutation, sign flip and
    positive scaling of latents, but for values on bin edges. A constant latent claims nothing that
    counts. With one factor alone, the second largest is 0.

    Args:
        information: float [..., m, k], mutual information of m latents and k factors in nats.
        factor_entropies: float [k] in nats, all above 0; with ones it is the unnormalised score,
            in nats.

    Returns:
        float64 [...].
    """
    information = np.asarray(information, np.float64)
    k = information.shape[-1]
    claimed = information.argmax(axis=-1)  # the first of equal ones
    largest = information.max(axis=-1)
    second = np.partition(information, -2, axis=-1)[..., -2] if k > 1 else np.zeros_like(largest)
    claims = (claimed[..., None] == np.arange(k)) * (largest - second)[..., None]
    return np.mean(claims.max(axis=-2) / factor_entropies, axis=-1)
