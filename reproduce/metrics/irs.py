"""IRS, the interventional robustness score (Suter et al. 2019)."""

from __future__ import annotations

import numpy as np

from reproduce.metrics.information import discretise

_PERCENTILE = 99.0


def irs(latents: np.ndarray, factors: np.ndarray) -> float:
    """The interventional robustness score: is each latent moved by one factor only?

    D_ij = mean over values v of factor j of the 99th percentile of |z_i - E[z_i | g_j = v]| over
    the points with g_j = v, divided by M_i = max |z_i - E z_i|: the expected maximal deviation of
    Suter et al. 2019 (their EMPIDA), the maximum taken as a percentile; latent i scores
    max_j (1 - D_ij), the representation the mean of that weighted by M_i. As in
    disentanglement_lib, factors are binned to 20 values of equal width first.

    Range 0 to 1, higher is better; noise scores about .3. A rotation that mixes aligned latents
    lowers it. Invariant under permutation, sign flip and one positive scale for all latents;
    *not* under a scale for each, for large latents weigh more. Constant latents are dropped; a
    constant representation scores 0.

    Args:
        latents: float [n, d].
        factors: int [n, k].

    Returns:
        The score.
    """
    latents = np.asarray(latents, np.float64)
    latents = latents[:, np.ptp(latents, axis=0) > 0]
    if latents.shape[1] == 0:
        return 0.0
    largest = np.abs(latents - latents.mean(axis=0)).max(axis=0)
    deviations = np.zeros((latents.shape[1], factors.shape[1]))
    for j, bins in enumerate(discretise(factors).T):
        values = np.unique(bins)
        for value in values:
            points = latents[bins == value]
            distances = np.abs(points - points.mean(axis=0))
            deviations[:, j] += np.percentile(distances, _PERCENTILE, axis=0) / len(values)
    scores = np.max(1 - deviations / largest[:, None], axis=1)
    return float(np.average(scores, weights=largest))
