"""Do distances between latents agree with distances between factors? (Michlo et al. 2022)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import rankdata

from reproduce.metrics.factor_grid import geometric_mean, traversals

PARTS = ("rsame_l1", "rcorr_l1", "lcorr_l1", "rsame_l2", "rcorr_l2", "lcorr_l2")
_TRIPLETS = 2**22  # compared at once
_DECIMALS = 9  # of the largest distance: what differs by rounding alone is equal
_NUM_SETS, _SET_SIZE = 256, 32  # of rows, for distances over all factors together


def factor_distances(latents: np.ndarray, factors: np.ndarray) -> tuple[float, ...]:
    """How well distances along each factor are kept by the latents, on a full grid of factors.

    Along a traversal, in which one factor alone changes, images are so many steps of the factor
    apart, and their latents so far by the l1 or l2 norm. Over ordered pairs of all traversals, an
    image with itself included: `lcorr` is Pearson's correlation of the two distances, `rcorr`
    Spearman's. `rsame`: over ordered triplets (a, p, n) of a traversal, how often both say alike
    which of p and n is closer to a, or neither. Geometric mean over factors, 0 if one is negative
    (Michlo et al. 2022, Overlooked implications of the reconstruction loss for VAE
    disentanglement). Higher is better. Rotations change the figures of l1, and none of l2. All are
    invariant under permutation, sign flip and one common scale, and a constant latent changes
    nothing. Where a factor moves no latent, its correlations count 0.

    Args:
        latents: float [n, d].
        factors: int [n, k], each combination of values exactly once.

    Returns:
        Of `PARTS`.

    Raises:
        InputError: If the rows are no full grid of the factors, or no factor varies.
    """
    found = []
    for moved in traversals(latents, factors):
        steps = np.arange(moved.shape[1], dtype=np.float64)
        apart = np.broadcast_to(np.abs(steps[:, None] - steps), (*moved.shape[:2], len(steps)))
        found.append(_agreement(apart, moved))
    return geometric_mean(found)


def global_distances(
    latents: np.ndarray, factors: np.ndarray, *, seed: int = 0
) -> tuple[float, ...]:
    """The same of rows that differ in any factors, whose distance is the sum of their steps.

    Pairs and triplets are those of 256 sets of 32 rows, drawn with replacement. That needs no grid.

    Args:
        latents: float [n, d].
        factors: int [n, k], class indices.
        seed: The seed of the sets.

    Returns:
        Of `PARTS`; a negative correlation stays one.
    """
    rows = np.random.default_rng(seed).integers(len(latents), size=(_NUM_SETS, _SET_SIZE))
    apart = _distances(np.asarray(factors, np.float64)[rows], (1,))[0]
    return _agreement(apart, np.asarray(latents, np.float64)[rows])


def _agreement(apart: np.ndarray, latents: np.ndarray) -> tuple[float, ...]:
    """The figures of distances [t, s, s] between factors and latents [t, s, d] of t sets."""
    ranks = rankdata(apart)
    figures: list[float] = []
    for distances in _distances(latents, (1, 2)):
        largest = distances.max()
        distances = np.round(distances / (largest if largest > 0 else 1), _DECIMALS)
        figures += (
            _same_order(apart, distances),
            _correlation(ranks, rankdata(distances)),
            _correlation(apart, distances),
        )
    return tuple(figures)


def _distances(points: np.ndarray, norms: Sequence[int]) -> list[np.ndarray]:
    """Between all points [t, s, d] of a set, by each norm: float64 [t, s, s]."""
    t, s, _ = points.shape
    sums = [np.zeros((t, s, s)) for _ in norms]
    for column in np.moveaxis(points, -1, 0):
        step = np.abs(column[:, :, None] - column[:, None, :])
        for total, norm in zip(sums, norms, strict=True):
            total += step**norm
    return [total if norm == 1 else np.sqrt(total) for total, norm in zip(sums, norms, strict=True)]


def _same_order(one: np.ndarray, other: np.ndarray) -> float:
    """How often distances [t, s, s] from a point say alike which of two others is closer."""
    t, s, _ = one.shape
    same, step = 0, max(1, _TRIPLETS // s**3)
    for start in range(0, t, step):
        first, second = (d[start : start + step] for d in (one, other))
        closer, farther = (
            [compare(d[..., :, None], d[..., None, :]) for d in (first, second)]
            for compare in (np.less, np.greater)
        )
        same += int(np.sum((closer[0] == closer[1]) & (farther[0] == farther[1])))
    return same / (t * s**3)


def _correlation(x: np.ndarray, y: np.ndarray) -> float:
    """Pearson's of all entries; 0 where one is constant."""
    x, y = (values.ravel() - values.mean() for values in (x, y))
    size = np.sqrt((x @ x) * (y @ y))
    return float(x @ y / size) if size > 0 else 0.0
