"""EDI: modularity, compactness, explicitness by exclusivity of information (Julka et al. 2024)."""

from __future__ import annotations

from typing import Literal

import numpy as np
from scipy.spatial import cKDTree
from scipy.special import digamma

from reproduce.metrics.information import entropies
from reproduce.metrics.neighbours import count_within

_NEIGHBOURS = 3
_JITTER = 1e-10


def edi(
    latents: np.ndarray,
    factors: np.ndarray,
    *,
    seed: int = 0,
    captured: Literal["max", "sum"] = "max",
) -> tuple[float, float, float]:
    """Modularity, compactness and explicitness (Julka et al. 2024, Exclusivity-based EDI).

    N[i, j] = I(z_i; g_j) / c_j by Kraskov's estimator, where c_j is the largest (or the sum of)
    I(z; g_j) over latents, estimated anew. The exclusivity of a vector is its largest entry less
    the root of the mean square of the others. Modularity: mean over factors of the sum of the
    exclusivities of the latents that tell most about the factor, at most 1. Compactness: mean over
    factors of a column's exclusivity. Explicitness: mean over factors of min(c_j, H_j) / H_j.
    Higher is better. A rotation that mixes aligned latents lowers all three, explicitness too, for
    c_j is that of one latent. Ties are broken by noise from the seed, which moves the figures by
    some thousandths; where no latent tells anything, they are quotients of noise.

    Args:
        latents: float [n, d], d at least 2.
        factors: int [n, k], class indices, k at least 2.
        seed: The seed of the noise that breaks ties.
        captured: How c_j is made; the metric has the largest one.
    """
    rng = np.random.RandomState(seed)  # the stream of the authors' code
    known = np.array([[_kraskov(z, g, rng) for g in factors.T] for z in latents.T])
    again = np.array([[_kraskov(z, g, rng) for z in latents.T] for g in factors.T])
    told = again.max(axis=1) if captured == "max" else again.sum(axis=1)
    of_factors = entropies(factors)
    shares = known / (told + 1e-10)
    best = shares.argmax(axis=1)
    exclusive = _exclusivity(shares)
    modular = [min(1.0, exclusive[best == j].sum()) for j in range(factors.shape[1])]
    explicit = np.minimum(told, of_factors) / (of_factors + 1e-10)
    return float(np.mean(modular)), float(np.mean(_exclusivity(shares.T))), float(explicit.mean())


def _exclusivity(rows: np.ndarray) -> np.ndarray:
    """The largest entry of each row [r, c] less the root of the others' mean square: [r]."""
    largest = rows.max(axis=1)
    others = np.maximum((rows**2).sum(axis=1) - largest**2, 0)
    return largest - np.sqrt(others / (rows.shape[1] - 1))


def _kraskov(latent: np.ndarray, factor: np.ndarray, rng: np.random.RandomState) -> float:
    """Mutual information of two vectors, both as continuous ones (Kraskov et al. 2004, eq. 8)."""
    x, y = (_scaled(np.asarray(v, np.float64), rng) for v in (latent, factor))
    plane = cKDTree(np.stack([x, y], axis=1))
    distance = np.asarray(plane.query(plane.data, k=[_NEIGHBOURS + 1], p=np.inf)[0])
    # Strictly closer points, itself included: n_x + 1 and n_y + 1.
    counts = [count_within(np.sort(values), values, distance[:, 0]) for values in (x, y)]
    terms = sum(digamma(count).mean() for count in counts)
    return max(0.0, float(digamma(len(x)) + digamma(_NEIGHBOURS) - terms))


def _scaled(values: np.ndarray, rng: np.random.RandomState) -> np.ndarray:
    spread = values.std()
    return (values / spread if spread > 0 else values) + _JITTER * rng.random_sample(len(values))
