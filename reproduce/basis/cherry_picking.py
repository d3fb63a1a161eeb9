"""Cherry-picking, measured: the best k of d learned axes against the best k of random ones.

An axis' score is the gap between its best and its second-best factor (MIG-sup's summand, Li et
al. 2020, eq. 9), so that an axis is good by itself, whatever its neighbours are.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from reproduce.basis import significance

_SEARCHES = 100  # random orders in which directions are looked through


def curve(learned: np.ndarray, random: np.ndarray, rng: np.random.Generator) -> pd.DataFrame:
    """The cherry-picking curve and m*.

    Args:
        learned: float [d], scores of the learned axes.
        random: float [bases, d], scores of the axes of each random basis.
        rng: Orders the directions for m*.

    Returns:
        A row for each k = 1..d: `learned`, the mean of the best k learned axes; `null_mean`,
        `null_sd` and `p_value` of the same in random bases; `m_star`, how many random directions
        must be searched until the best k of them reach the learned best k: the median over random
        orders, infinite where more than half of them run out of directions first. NaN where a
        score is not a number.
    """
    best_learned = _best_means(learned[None])[0]
    best_random = _best_means(random)
    rows = []
    for k in range(1, len(learned) + 1):
        observed, null = best_learned[k - 1], best_random[:, k - 1]
        rows.append(
            {
                "k": k,
                "learned": observed,
                "null_mean": null.mean(),
                "null_sd": null.std(ddof=1) if len(null) > 1 else float("nan"),
                "p_value": significance.p_value(observed, null),
                "m_star": _m_star(observed, k, random.ravel(), rng),
            }
        )
    return pd.DataFrame(rows)


def _best_means(scores: np.ndarray) -> np.ndarray:
    """Mean of the best k scores of each row, for every k: float64 [rows, d]; NaN beside a NaN."""
    ordered = -np.sort(-scores, axis=1)
    means = np.cumsum(ordered, axis=1) / np.arange(1, scores.shape[1] + 1)
    return np.where(np.isnan(scores).any(axis=1, keepdims=True), np.nan, means)


def _m_star(target: float, k: int, pool: np.ndarray, rng: np.random.Generator) -> float:
    """Median number of draws from the pool until the mean of their best k reaches the target."""
    needed = [
        _search(target - significance.TIE, k, rng.permutation(pool)) for _ in range(_SEARCHES)
    ]
    return float(np.median(needed))


def _search(target: float, k: int, scores: np.ndarray) -> float:
    """The first m for which the best k of scores[:m] have at least the target as their mean."""
    if np.isnan(target) or np.isnan(scores).any():
        return float("nan")
    if _mean_of_best(scores, k) < target:
        return float("inf")
    low, high = k, len(scores)  # the mean of the best k grows with m: bisection
    while low < high:
        middle = (low + high) // 2
        if _mean_of_best(scores[:middle], k) >= target:
            high = middle
        else:
            low = middle + 1
    return float(low)


def _mean_of_best(scores: np.ndarray, k: int) -> float:
    return float(np.partition(scores, len(scores) - k)[len(scores) - k :].mean())
