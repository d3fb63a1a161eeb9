"""Pairs of strips of one trained model: along a learned axis, and along a random direction."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np

from data.random_matrices import stiefel
from models.latent_blocks import LatentBlock
from reproduce.traversal import energy_matching
from reproduce.traversal.energy_matching import Decode

RULES = ("uniform", "label_free")
# A basis is looked at along so many axes, drawn from it: so that both bases give the rule the same
# choice, however large the latent block.
MAX_CANDIDATES = 32
LABEL_FREE_CANDIDATES = 8
_AXES_AT_ONCE = 4  # a decoder is fastest on many points, but most axes are live


@dataclasses.dataclass(frozen=True, eq=False)
class Strip:
    """A traversal.

    Attributes:
        axis: Which axis of its basis.
        coordinates: float64 [k], its direction in the latent block.
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
    block: LatentBlock, basis: str, rng: np.random.Generator
) -> Iterator[tuple[int, np.ndarray]]:
    """Axes of the learned basis, or of one Haar-random basis, in random order.

    Both are treated alike, so that under the null hypothesis, the learned basis being one more
    random one, the two strips of a pair could change places.

    Args:
        block: What is rotated.
        basis: `learned` or `random`.
        rng: Draws.
    """
    count = min(block.size, MAX_CANDIDATES)
    if basis == "learned":
        for axis in rng.permutation(block.size)[:count]:
            yield int(axis), np.eye(block.size)[axis]
    else:
        yield from enumerate(stiefel(1, block.size, count, rng)[0].T)


def draw_strip(
    decode: Decode,
    start: np.ndarray,
    block: LatentBlock,
    basis: str,
    rule: str,
    energy: float,
    rng: np.random.Generator,
) -> Strip | None:
    """A live strip of a basis, or None if it has none from this starting image.

    Args:
        decode: The model's decoder.
        start: float [D], the starting image's decoder input.
        block: What is rotated.
        basis: `learned` or `random`.
        rule: `uniform`, any live axis; `label_free`, of some live axes the one along which a
            step changes most, as who looks for a striking axis without labels would choose.
        energy: The mean squared pixel change.
        rng: Draws.
    """
    live: list[Strip] = []
    wanted = 1 if rule == "uniform" else LABEL_FREE_CANDIDATES
    axes = list(draw_axes(block, basis, rng))
    for first in range(0, len(axes), _AXES_AT_ONCE):
        part = axes[first:][:_AXES_AT_ONCE]
        directions = block.embed(np.stack([coordinates for _, coordinates in part]))
        result = energy_matching.traverse(decode, start, directions, energy)
        for index in np.flatnonzero(~result.dead):
            step, reached = float(result.steps[index]), float(result.energies[index])
            live.append(Strip(*part[index], step, reached, result.frames[index]))
        if len(live) >= wanted:
            break
    return min(live[:wanted], key=lambda strip: strip.step) if live else None
