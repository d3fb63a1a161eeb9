"""The supervised ceiling: the rotation whose axes score highest, found with labels."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np

ScoreBases = Callable[[np.ndarray], np.ndarray]

_ANGLES = 16  # tried in each plane
_MAX_SWEEPS = 8
_TOLERANCE = 1e-4


def best_rotation(score: ScoreBases, starts: np.ndarray) -> np.ndarray:
    """Climbs from several starts, turning one plane at a time, and keeps the highest end.

    In each plane of two axes, angles over a quarter turn are tried (beyond it metrics repeat,
    which see neither order nor sign), first coarse ones, then ones around the best found.

    Args:
        score: Bases float [b, d, d] to values [b]; higher is better.
        starts: float [s, d, d], orthogonal.

    Returns:
        float64 [d, d], orthogonal.
    """
    ends = [_climb(score, start) for start in starts]
    return max(ends, key=lambda end: end[1])[0]


def _climb(score: ScoreBases, start: np.ndarray) -> tuple[np.ndarray, float]:
    basis, value = np.array(start, np.float64), float(score(start[None])[0])
    coarse = np.linspace(-np.pi / 4, np.pi / 4, _ANGLES, endpoint=False)
    for angles in (coarse, coarse / _ANGLES):
        for _ in range(_MAX_SWEEPS):
            before = value
            for i, j in itertools.combinations(range(len(basis)), 2):
                turned = _turn(basis, i, j, angles)
                values = score(turned)
                best = int(np.argmax(values))
                if values[best] > value:
                    basis, value = turned[best], float(values[best])
            if value - before < _TOLERANCE:
                break
    return basis, value


def _turn(basis: np.ndarray, i: int, j: int, angles: np.ndarray) -> np.ndarray:
    """The basis with its axes i and j turned in their plane by each angle: [angles, d, d]."""
    turned = np.repeat(basis[None], len(angles), axis=0)
    cos, sin = np.cos(angles)[:, None], np.sin(angles)[:, None]
    turned[:, :, i] = cos * basis[:, i] + sin * basis[:, j]
    turned[:, :, j] = cos * basis[:, j] - sin * basis[:, i]
    return turned
