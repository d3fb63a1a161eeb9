"""MIG-sup: the gap of each latent over factors (Li et al. 2020)."""

from __future__ import annotations

import numpy as np


def axis_gaps(information: np.ndarray, factor_entropies: np.ndarray) -> np.ndarray:
    """Each latent's gap between its best and its second-best factor, in one basis or in many.

    gap_i = largest - second largest over factors j of I(z_i; g_j) / H(g_j): the summand of
    MIG-sup (Li et al. 2020, Progressive learning and disentanglement of hierarchical
    representations). Range 0 to 1, higher is better: the latent then informs about one factor
    alone. A rotation that mixes aligned latents lowers the gaps. Invariant under
    permutation (which permutes the gaps), sign flip and positive scaling, but for values on bin
    edges. A constant latent's gap is 0. With one factor alone, the second largest is 0.

    Args:
        information: float [..., m, k], mutual information of m latents and k factors in nats.
        factor_entropies: float [k] in nats, all above 0.

    Returns:
        float64 [..., m].
    """
    shares = np.asarray(information, np.float64) / factor_entropies
    if shares.shape[-1] == 1:
        return shares[..., 0]
    two = np.partition(shares, -2, axis=-1)[..., -2:]
    return two[..., 1] - two[..., 0]


def mig_sup(information: np.ndarray, factor_entropies: np.ndarray) -> np.ndarray:
    """MIG-sup, of one basis or of many: the mean of `axis_gaps` over latents.

    Range 0 to 1, higher is better. It falls where a latent mixes factors, to which MIG is blind;
    MIG falls where a factor is spread over latents. Rotation and invariances as for `axis_gaps`.
    A constant latent counts as 0, as the paper's mean over all latents has it, so a constant
    representation scores 0.

    Args:
        information: float [..., m, k] in nats.
        factor_entropies: float [k] in nats, all above 0.

    Returns:
        float64 [...].
    """
    return axis_gaps(information, factor_entropies).mean(axis=-1)
