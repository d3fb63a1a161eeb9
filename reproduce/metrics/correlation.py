"""How far from independent Gaussian latents are: total and Wasserstein correlation.

Both are unsupervised scores of Locatello et al. 2019 (appendix, "unsupervised scores"), computed
from the covariance of the latents. In a basis Q the covariance is Q^T C Q.
"""

from __future__ import annotations

import numpy as np

_CONSTANT_VARIANCE = 1e-12  # up to here a latent counts as constant, as in SAP


def gaussian_total_correlation(covariance: np.ndarray) -> np.ndarray:
    """Total correlation of a Gaussian with this covariance, in nats, for one basis or for many.

    KL(N(0, C) || product of its marginals) = (sum_i log C_ii - log det C) / 2 (Watanabe 1960;
    Locatello et al. 2019). From 0 up, lower means less correlated. A rotation away from the
    principal axes raises it: 0 in the PCA basis. Invariant under permutation, sign flip and
    positive scaling. Constant latents (variance at most 1e-12) are dropped; without at least two
    others it is 0. Latents that depend linearly on one another would give infinity: eigenvalues
    of the correlation matrix count as at least d times the float64 precision, so it stays finite,
    about 17 nats for each lost dimension.

    Args:
        covariance: float [..., d, d], symmetric.

    Returns:
        float64 [...].
    """
    covariance = np.asarray(covariance, np.float64)
    d = covariance.shape[-1]
    variances = np.diagonal(covariance, axis1=-2, axis2=-1)
    varies = variances > _CONSTANT_VARIANCE
    scale = np.where(varies, np.sqrt(np.where(varies, variances, 1)), np.inf)
    correlation = covariance / scale[..., :, None] / scale[..., None, :]
    # A dropped latent leaves a row of zeros; a 1 on the diagonal makes it independent.
    correlation[..., np.arange(d), np.arange(d)] = 1
    eigenvalues = np.linalg.eigvalsh(correlation)
    floor = d * np.finfo(np.float64).eps
    return np.maximum(-np.sum(np.log(np.maximum(eigenvalues, floor)), axis=-1) / 2, 0)


def gaussian_wasserstein_correlation(covariance: np.ndarray) -> np.ndarray:
    """Squared 2-Wasserstein distance of N(0, C) to N(0, diag C), for one basis or for many.

    2 tr C - 2 tr (D^.5 C D^.5)^.5 with D = diag C (Dowson & Landau 1982; used by Locatello et al.
    2019). From 0 up, lower means less correlated. A rotation away from
    the principal axes raises it: 0 in the PCA basis. Invariant under permutation and sign flip,
    *not* under scaling: it grows with the square of one scale for all. A constant latent
    contributes 0.

    Args:
        covariance: float [..., d, d], symmetric.

    Returns:
        float64 [...].
    """
    covariance = np.asarray(covariance, np.float64)
    variances = np.maximum(np.diagonal(covariance, axis1=-2, axis2=-1), 0)
    root = np.sqrt(variances)
    eigenvalues = np.linalg.eigvalsh(root[..., :, None] * covariance * root[..., None, :])
    roots = np.sqrt(np.maximum(eigenvalues, 0)).sum(axis=-1)
    return np.maximum(2 * variances.sum(axis=-1) - 2 * roots, 0)
