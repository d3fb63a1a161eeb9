"""Arrays too large to be kept twice: what is computed from them is computed block by block.

An array of up to `LARGE` numbers is one block, so that what is computed from it has the same bits
as without blocks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

LARGE = 2**26  # numbers; as float64 half a GiB
ROWS = 2**23  # numbers of a large array that are worked on at once


def is_large(array: np.ndarray) -> bool:
    """Whether an array is kept but once, in the type in which it was given."""
    return array.size > LARGE


def rows(array: np.ndarray) -> Iterator[slice]:
    """The blocks of rows of an array [n, ...]."""
    n = len(array)
    step = max(1, ROWS * n // array.size) if is_large(array) else max(1, n)
    for start in range(0, n, step):
        yield slice(start, min(start + step, n))


def in_float64(array: np.ndarray) -> Iterator[np.ndarray]:
    """The blocks of rows of an array, as float64."""
    for block in rows(array):
        yield np.asarray(array[block], np.float64)


def extreme(array: np.ndarray, function: Callable[..., np.ndarray]) -> np.ndarray:
    """`numpy.max` or `numpy.min` of each column of an array [n, d]: float64 [d]."""
    return function([function(block, axis=0) for block in in_float64(array)], axis=0)


def largest(array: np.ndarray) -> np.ndarray:
    """The largest magnitude in each column of an array [n, d]: float64 [d]."""
    return np.max([np.abs(block).max(axis=0) for block in in_float64(array)], axis=0)


def mean(array: np.ndarray) -> np.ndarray:
    """The mean of each column of an array [n, d]: float64 [d]."""
    if not is_large(array):
        return array.mean(axis=0)
    return np.sum([block.sum(axis=0) for block in in_float64(array)], axis=0) / len(array)


def variance(array: np.ndarray) -> np.ndarray:
    """The variance (over n) of each column of an array [n, d]: float64 [d]."""
    if not is_large(array):
        return array.var(axis=0)
    centre, total = mean(array), 0.0
    for block in in_float64(array):
        total = total + np.square(block - centre).sum(axis=0)
    return np.asarray(total) / len(array)


def covariance(array: np.ndarray, others: np.ndarray | None = None) -> np.ndarray:
    """The covariance (over n - 1) of an array's columns [n, d] and others' [n, k], side by side.

    Returns:
        float64 [d + k, d + k].
    """
    if not is_large(array):
        joint = array if others is None else np.hstack([array, others])
        return np.cov(joint, rowvar=False)
    others = np.empty((len(array), 0)) if others is None else others
    centre = np.concatenate([mean(array), others.mean(axis=0)])
    total = np.zeros((len(centre), len(centre)))
    for block in rows(array):
        part = np.hstack([array[block], others[block]]).astype(np.float64) - centre
        total += part.T @ part
    return total / (len(array) - 1)
