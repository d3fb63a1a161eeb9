"""Distances to neighbours on a line, and how many points lie within them, ties included."""

from __future__ import annotations

import numpy as np


def nearest(ordered: np.ndarray, q: int) -> np.ndarray:
    """The distance from each of ordered values [n] to its q-th nearest other: float64 [n].

    The q nearest are neighbours in order: of the q + 1 windows of q + 1 values that hold a value,
    the least far-reaching one has them.
    """
    n = len(ordered)
    reach = np.full((q + 1, n), np.inf)
    for left in range(q + 1):  # so many of the neighbours lie below
        right = q - left
        low, high = np.arange(n) - left, np.arange(n) + right
        inside = (low >= 0) & (high < n)
        rows = np.flatnonzero(inside)
        below = ordered[rows] - ordered[low[rows]]
        above = ordered[high[rows]] - ordered[rows]
        reach[left, rows] = np.maximum(below, above)
    return reach.min(axis=0)


def count_within(ordered: np.ndarray, values: np.ndarray, r: np.ndarray) -> np.ndarray:
    """How many of the ordered values have |x - value| < r, for each value: int [n].

    A search for value +- r may be off by one where rounding lets the q-th neighbour in: its ends
    are moved until the differences themselves, which gave r, say so.
    """
    low = np.searchsorted(ordered, values - r, side="left")
    high = np.searchsorted(ordered, values + r, side="right")
    last = len(ordered) - 1
    while True:
        before = low.copy(), high.copy()
        low += (np.abs(ordered[np.minimum(low, last)] - values) >= r) & (low < high)
        high -= (np.abs(ordered[np.maximum(high - 1, 0)] - values) >= r) & (low < high)
        low -= (low > 0) & (np.abs(ordered[np.maximum(low - 1, 0)] - values) < r)
        high += (high <= last) & (np.abs(ordered[np.minimum(high, last)] - values) < r)
        if np.array_equal(before[0], low) and np.array_equal(before[1], high):
            break
    return np.maximum(high - low, 1)  # itself, where duplicates leave no distance
