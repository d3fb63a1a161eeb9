"""Pairs of strips of one trained model: along a learned axis, and along a random direction."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np

from models.strata import Stratum
from reproduce import purity, traversals
from reproduce.traversals import Decode

RULES = ("uniform", "label_free")
# A basis is looked at along so many axes, drawn from it: so that both bases give the rule the same
# choice, however large the stratum.
MAX_CANDIDATES = 32
LABEL_FREE_CANDIDATES = 8


@dataclasses.dataclass(frozen=True, eq=False)
class Strip:
    """A traversal.

    Attributes:
        axis: Which axis of its basis.
        coordinates: float64 [k], its direction in the stratum.
        step: In prior standard deviations.
        energy: The mean squared pixel change that was reached.
        frames: float32 [f, h, w, c].
    """

    axis: int
    coordinates: np.ndarray
    step: float
    energy: float
    frames: np.ndarray


def draw_axes(
    stratum: Stratum, basis: str, rng: np.random.Generator
) -> Iterator[tuple[int, np.ndarray]]:
    """Axes of the learned basis, or of one Haar-random basis, in random order.

    Both are treated alike, so that under the null hypothesis, the learned basis being one more
    random one, the two strips of a pair could change places.

    Args:
        stratum: What is turned.
        basis: `learned` or `random`.
        rng: Draws.
    """
    count = min(stratum.size, MAX_CANDIDATES)
    if basis == "learned":
        for axis in rng.permutation(stratum.size)[:count]:
            yield int(axis), np.eye(stratum.size)[axis]
    else:
        yield from enumerate(purity.stiefel(1, stratum.size, count, rng)[0].T)


def draw_strip(
    decode: Decode,
    start: np.ndarray,
    stratum: Stratum,
    basis: str,
    rule: str,
    energy: float,
    rng: np.random.Generator,
) -> Strip | None:
    """A live strip of a basis, or None if it has none from this starting image.

    Args:
        decode: The model's decoder.
        start: float [D], the starting image's decoder input.
        stratum: What is turned.
        basis: `learned` or `random`.
        rule: `uniform`, any live axis; `label_free`, of some live axes the one along which a
            step changes most, as who looks for a striking axis without labels would choose.
        energy: The mean squared pixel change.
        rng: Draws.
    """
    live: list[Strip] = []
    wanted = 1 if rule == "uniform" else LABEL_FREE_CANDIDATES
    for axis, coordinates in draw_axes(stratum, basis, rng):
        result = traversals.traverse(decode, start, stratum.embed(coordinates[None]), energy)
        if not result.dead[0]:
            step, reached = float(result.steps[0]), float(result.energies[0])
            live.append(Strip(axis, coordinates, step, reached, result.frames[0]))
        if len(live) == wanted:
            break
    return min(live, key=lambda strip: strip.step) if live else None
