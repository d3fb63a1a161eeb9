"""What one sees in a basis: strips along its axes, the metrics' values, and what leaks."""

from __future__ import annotations

import dataclasses

import numpy as np

from reproduce.basis import bases
from reproduce.explore.loaded_run import MAX_SHOWN, LoadedRun, Space
from reproduce.traversal import energy_matching, purity
from reproduce.traversal.purity_assessment import METRIC as PURITY

NUM_TIMES = 41  # points of a path at which metrics are computed beforehand


@dataclasses.dataclass(frozen=True, eq=False)
class Strips:
    """Traversals of the first axes of a basis, as pictures.

    Attributes:
        frames: uint8 [m, f, h, w, c].
        steps: float64 [m].
        dead: bool [m], whether an axis changes images by too little within the largest step.
    """

    frames: np.ndarray
    steps: np.ndarray
    dead: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False)
class Measured:
    """Bases, judged.

    Attributes:
        metrics: By name, float64 [b]; with a predictor, traversal purity in the limit of small
            steps, too.
        information: float64 [b, m, k'], of the first axes about each factor, as shares of the
            factor's entropy; None without a representation.
        leakage: float64 [b, m, k'], rows of the leakage matrix; None without a predictor.
    """

    metrics: dict[str, np.ndarray]
    information: np.ndarray | None
    leakage: np.ndarray | None


def draw(loaded_run: LoadedRun, space: Space, basis: np.ndarray, image: int) -> Strips:
    """Strips matched on image-space energy: the same as `reproduce.traverse` makes.

    Args:
        loaded_run: A run.
        space: What is rotated.
        basis: float [k, k], its columns the axes.
        image: Which of the starting ones.
    """
    directions = space.embed(basis[:, :MAX_SHOWN].T)
    found = energy_matching.traverse(
        loaded_run.decode, loaded_run.starts[image], directions, loaded_run.energy
    )
    return Strips(np.rint(255 * found.frames).astype(np.uint8), found.steps, found.dead)


def measure(space: Space, some_bases: np.ndarray) -> Measured:
    """The metrics and the rows of bases float [b, k, k]."""
    metrics: dict[str, np.ndarray] = {}
    information = leakage = None
    if space.scorer is not None:
        found = space.scorer.information(some_bases)
        metrics = dict(space.scorer.closed_forms(some_bases, found))
        information = found[:, :MAX_SHOWN] / space.scorer.factor_entropies
    if space.derivative is not None:
        scaled = [_of_unit_length(space, basis) for basis in some_bases]
        rows = np.stack([space.derivative.rows(basis) for basis in scaled])
        metrics[PURITY] = purity.purity_of_rows(rows).mean(axis=-1)
        leakage = rows[:, :MAX_SHOWN]
    return Measured(metrics, information, leakage)


def angles(basis: np.ndarray) -> np.ndarray:
    """How far the first axes of a basis float [k, k] are from the learned ones, in degrees."""
    cosines = np.abs(np.diagonal(basis))[:MAX_SHOWN]
    return np.degrees(np.arccos(np.minimum(cosines, 1)))


def _of_unit_length(space: Space, basis: np.ndarray) -> np.ndarray:
    """The coordinates by which derivatives along the learned axes give those along directions.

    Where `embed` scales directions to unit length, derivatives along the learned axes are along
    unit vectors; a direction is their sum, weighted by the axes' own lengths.
    """
    axes = space.embed(np.eye(space.size))
    directions = space.embed(basis.T)
    norms = np.sum(axes**2, axis=1, keepdims=True)
    return (axes / norms) @ directions.T


def path_of(rotation: np.ndarray, num_times: int = NUM_TIMES) -> tuple[np.ndarray, np.ndarray]:
    """Places on a path from 0, the learned basis, to 1, a rotation [k, k], and the bases there.

    Returns:
        float64 [t] and [t, k, k].
    """
    times = np.linspace(0, 1, num_times)
    return times, bases.geodesic(rotation, tuple(times))


def at(rotation: np.ndarray, time: float) -> np.ndarray:
    """The basis float64 [k, k] at a time on the way to a rotation; times may be negative."""
    return bases.geodesic(rotation, (time,))[0]
