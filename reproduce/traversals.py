"""Latent traversals matched on image-space energy, in the learned basis or any other."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

ENERGY_SHARE = 0.1  # of the mean squared difference between two images of the data set
MAX_STEP = 3.0  # prior standard deviations
NUM_FRAMES = 7
_NUM_STEPS = 31  # of the grid on which a step's energy is first looked for
_BISECTIONS = 10

Decode = Callable[[np.ndarray], np.ndarray]


@dataclasses.dataclass(frozen=True, eq=False)
class Traversal:
    """Strips along the directions of one basis from one starting image.

    Attributes:
        directions: float64 [m, d], in decoder inputs.
        steps: float64 [m], how many times a direction the step is; `MAX_STEP` where dead.
        energies: float64 [m], the mean squared pixel change that the step makes.
        dead: bool [m], whether the energy is out of reach within `MAX_STEP`.
        frames: float32 [m, frames, height, width, channels], from -delta to +delta.
    """

    directions: np.ndarray
    steps: np.ndarray
    energies: np.ndarray
    dead: np.ndarray
    frames: np.ndarray


def default_energy(images: np.ndarray) -> float:
    """The mean squared pixel change that strips are matched on: a share of the data's own.

    Args:
        images: float [n, height, width, channels], a sample of the data set. The mean squared
            difference between two of them is twice the pixels' mean variance.
    """
    return float(ENERGY_SHARE * 2 * images.var(axis=0).mean())


def energy(decode: Decode, start: np.ndarray, direction: np.ndarray, step: float) -> float:
    """Mean squared pixel change of steps +-delta along a direction, over starting points.

    Args:
        decode: float [n, d] to images in [0, 1].
        start: float [n, d], latents of real images.
        direction: float [d].
        step: How many times the direction.
    """
    images = decode(np.concatenate([start, start + step * direction, start - step * direction]))
    origin, forward, backward = np.split(images, 3)
    return float((np.mean((forward - origin) ** 2) + np.mean((backward - origin) ** 2)) / 2)


def matched_step(
    decode: Decode, start: np.ndarray, direction: np.ndarray, target: float
) -> tuple[float, float, bool]:
    """The smallest step along a direction that changes images by the target energy.

    Searched for on a grid up to `MAX_STEP`, since energy need not grow with the step, and then by
    bisection.

    Returns:
        The step, its energy, and whether the direction is dead: the target out of reach.
    """
    grid = np.linspace(0, MAX_STEP, _NUM_STEPS)[1:]
    n, d = start.shape
    steps = np.concatenate([grid, -grid])
    points = start[None] + steps[:, None, None] * direction
    images = decode(np.concatenate([start[None], points]).reshape(-1, d))
    images = images.reshape(1 + len(steps), n, -1)
    changes = np.mean((images[1:] - images[:1]) ** 2, axis=(1, 2))
    energies = (changes[: len(grid)] + changes[len(grid) :]) / 2
    reached = np.flatnonzero(energies >= target)
    if len(reached) == 0:
        return MAX_STEP, float(energies[-1]), True
    high = float(grid[reached[0]])
    low = high - grid[0]
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        if energy(decode, start, direction, middle) >= target:
            high = middle
        else:
            low = middle
    return high, energy(decode, start, direction, high), False


def traverse(
    decode: Decode,
    start: np.ndarray,
    directions: np.ndarray,
    target: float,
    num_frames: int = NUM_FRAMES,
) -> Traversal:
    """Decodes a strip along each direction; steps are matched on the first of `start` alone.

    Args:
        decode: float [n, d] to images in [0, 1].
        start: float [d], the latents of a real image.
        directions: float [m, d], of a prior standard deviation each.
        target: The mean squared pixel change at both ends' mean.
        num_frames: Frames a strip, the middle one being the start.
    """
    found = [matched_step(decode, start[None], direction, target) for direction in directions]
    steps, energies, dead = (np.array(column) for column in zip(*found, strict=True))
    places = np.linspace(-1, 1, num_frames)[None, :, None] * steps[:, None, None]
    points = start + places * directions[:, None, :]
    images = decode(points.reshape(-1, len(start)))
    frames = images.reshape(len(directions), num_frames, *images.shape[1:])
    return Traversal(directions, steps, energies, dead, frames)
