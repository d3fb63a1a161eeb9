"""The supervised rotation: the rotation whose axes score highest, found with labels."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable

import numpy as np

_ANGLES = 16  # tried in each plane
_MAX_SWEEPS = 8
_MAX_TURNS = 1_200  # of a plane, in all sweeps at a resolution; one sweep is always made
_TOLERANCE = 1e-4
_FINALISTS = 3  # starts that are climbed from to the end


@dataclasses.dataclass(frozen=True)
class Objective:
    """What is climbed: a function of what is measured of each axis by itself.

    Turning a plane moves two axes, and only these are measured anew.

    Attributes:
        measure: Axes, the columns of float [b, d, m], to r measurements of each: [b, m, r].
        combine: Measurements of all axes, [b, d, r], to values [b]; higher is better.
    """

    measure: Callable[[np.ndarray], np.ndarray]
    combine: Callable[[np.ndarray], np.ndarray]


def of_bases(score: Callable[[np.ndarray], np.ndarray]) -> Objective:
    """The objective of a score of bases [b, d, d] that is not made of measurements of axes."""
    return Objective(
        measure=lambda axes: np.swapaxes(axes, 1, 2),
        combine=lambda axes: score(np.swapaxes(axes, 1, 2)),
    )


def best_rotation(objective: Objective, starts: np.ndarray) -> np.ndarray:
    """Climbs from several starts, turning one plane at a time, and keeps the highest end.

    Of many starts, those that are highest after one quick sweep over all planes go on.
    In each plane of two axes, angles over a quarter turn are tried (beyond it metrics repeat,
    which see neither order nor sign), first coarse ones, then ones around the best found.

    Args:
        objective: What is to be high.
        starts: float [s, d, d], orthogonal.

    Returns:
        float64 [d, d], orthogonal.
    """
    if _num_planes(starts.shape[1]) > _MAX_TURNS // 2:  # a climb takes long: only from the best
        values = [objective.combine(objective.measure(start[None]))[0] for start in starts]
        starts = starts[[int(np.argmax(values))]]
    elif len(starts) > _FINALISTS:
        first = [_climb(objective, start, is_quick=True) for start in starts]
        first.sort(key=lambda end: -end[1])
        starts = np.stack([basis for basis, _ in first[:_FINALISTS]])
    ends = [_climb(objective, start) for start in starts]
    return max(ends, key=lambda end: end[1])[0]


def _num_planes(d: int) -> int:
    return d * (d - 1) // 2


def _climb(
    objective: Objective,
    start: np.ndarray,
    is_quick: bool = False,
) -> tuple[np.ndarray, float]:
    basis = np.array(start, np.float64)
    known = objective.measure(basis[None])
    value = float(objective.combine(known)[0])
    num_angles = _ANGLES // 2 if is_quick else _ANGLES
    coarse = np.linspace(-np.pi / 4, np.pi / 4, num_angles, endpoint=False)
    planes = list(itertools.combinations(range(len(basis)), 2))
    sweeps = 1 if is_quick else min(_MAX_SWEEPS, max(1, _MAX_TURNS // len(planes)))
    for angles in (coarse,) if is_quick else (coarse, coarse / _ANGLES):
        for _ in range(sweeps):
            before = value
            for i, j in planes:
                plane = [i, j]
                turned = _turn(basis[:, i], basis[:, j], angles)
                tried = np.repeat(known, len(angles), axis=0)
                tried[:, plane] = objective.measure(turned)
                values = objective.combine(tried)
                best = int(np.argmax(values))
                if values[best] > value:
                    basis[:, plane] = turned[best]
                    known, value = tried[best : best + 1], float(values[best])
            if value - before < _TOLERANCE:
                break
    return basis, value


def _turn(first: np.ndarray, second: np.ndarray, angles: np.ndarray) -> np.ndarray:
    """Two axes [d], rotated in their plane by each angle: [angles, d, 2]."""
    cos, sin = np.cos(angles)[:, None], np.sin(angles)[:, None]
    return np.stack([cos * first + sin * second, cos * second - sin * first], axis=-1)
