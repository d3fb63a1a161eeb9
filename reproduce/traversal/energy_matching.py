"""Latent traversals matched on image-space energy, in the learned basis or any other.

The step at which a direction meets the energy is searched for in two ways. Pictures that people
see are few and take the smallest such step, to a thousandth (`matched_steps`). The directions of
hundreds of random bases take one within a twentieth of the energy, for a fraction of the decoding
(`near_steps`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from data import checked
from data.files import InputError
from reproduce.basis.representation import Representation

ENERGY_SHARE = 0.1  # of the mean squared difference between two images of the data set
ENERGY_SAMPLE = 2_000  # images, from which it is estimated
MAX_STEP = 3.0  # prior standard deviations
NUM_FRAMES = 7
_NUM_STEPS = 31  # of the grid on which a step's energy is first looked for
_STEPS_AT_ONCE = 6
_BISECTIONS = 10
_MAX_ITERATIONS = 6  # of the search for a step that is near
_TOLERANCE = 0.05  # relative, of the energy
_NO_CHANGE = 1e-12

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


def read_directions(file: str) -> np.ndarray:
    """A user's directions from a .npy: float64 [m, D], scaled to unit length.

    Raises:
        InputError: If the file is missing or damaged, or a direction is zero.
    """
    try:
        given = np.load(file, allow_pickle=False)
        if not isinstance(given, np.ndarray):
            raise ValueError("an archive of several arrays")
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{file}: no readable .npy ({error})") from error
    directions = checked.reals(file, "directions", given, ("m", "D"))
    norms = np.linalg.norm(directions, axis=1)
    if not norms.all():
        raise InputError(f"{file}: direction {norms.argmin()} is zero; leave it out")
    return directions / norms[:, None]


def along_active(encoded: Representation, coordinates: np.ndarray) -> np.ndarray:
    """Directions of the active latents, standardised, as unit directions of all latents.

    Args:
        encoded: Says which of its d latents are active and how far each spreads.
        coordinates: float [m, a], of the a active latents in units of their standard deviation.

    Returns:
        float64 [m, d].
    """
    active = encoded.active()
    directions = np.zeros((len(coordinates), encoded.latents.shape[1]))
    directions[:, active] = coordinates * encoded.latents[:, active].std(axis=0)
    return directions / np.linalg.norm(directions, axis=1, keepdims=True)


def matched_steps(
    decode: Decode, start: np.ndarray, directions: np.ndarray, target: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The smallest step along each direction that changes images by the target energy.

    Searched for on a grid up to `MAX_STEP`, since energy need not grow with the step, and then by
    bisection; along all directions at once, for a decoder is fastest on many points.

    Args:
        decode: float [n, d] to images in [0, 1].
        start: float [n, d], latents of real images.
        directions: float [m, d].
        target: The mean squared pixel change.

    Returns:
        The steps float64 [m], their energies float64 [m], and whether a direction is dead: the
        target out of reach; bool [m].
    """
    origin = decode(start)
    grid = np.linspace(0, MAX_STEP, _NUM_STEPS)[1:]
    steps = np.full(len(directions), MAX_STEP)
    energies = np.zeros(len(directions))
    dead = np.full(len(directions), True)
    # Most directions need no long steps: the grid is looked at part by part.
    for part in np.split(grid, range(_STEPS_AT_ONCE, len(grid), _STEPS_AT_ONCE)):
        open_ = np.flatnonzero(dead)
        if len(open_) == 0:
            break
        scaled = (directions[open_, None, :] * part[:, None]).reshape(-1, directions.shape[1])
        found = _changes(decode, start, origin, scaled).reshape(len(open_), len(part))
        reached = found >= target
        steps[open_] = np.where(reached.any(axis=1), part[reached.argmax(axis=1)], MAX_STEP)
        energies[open_] = found[:, -1]
        dead[open_] = ~reached.any(axis=1)
    live = np.flatnonzero(~dead)
    if len(live) == 0:
        return steps, energies, dead
    high, low = steps[live], steps[live] - grid[0]
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        reached = _changes(decode, start, origin, middle[:, None] * directions[live]) >= target
        high, low = np.where(reached, middle, high), np.where(reached, low, middle)
    steps[live] = high
    energies[live] = _changes(decode, start, origin, high[:, None] * directions[live])
    return steps, energies, dead


def near_steps(
    decode: Decode,
    start: np.ndarray,
    directions: np.ndarray,
    target: float,
    origin: np.ndarray,
    first_steps: np.ndarray | float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Steps that change images by the target energy, within a tolerance, or `MAX_STEP`.

    The energy of a small step grows with its square. From a first step, the next is taken by the
    power law through the last two, and all that is not matched yet goes on together. Where the
    search has not settled, the nearest of what was tried is taken.

    Args:
        decode: float [n, d] to images in [0, 1].
        start: float [n, d], latents of real images.
        directions: float [m, d].
        target: The mean squared pixel change.
        origin: float [n, height, width, channels], the decoded start.
        first_steps: Where the search begins, for all directions or each.

    Returns:
        Steps float64 [m], their energies float64 [m], whether the target is out of reach bool
        [m], and images float32 [m, 2, n, height, width, channels] of both signs.
    """
    m = len(directions)
    steps = np.full(m, np.minimum(first_steps, MAX_STEP))
    exponents = np.full(m, 2.0)
    tried_steps, tried_energies = np.zeros(m), np.zeros(m)
    best_steps, best_energies, best_misses = np.zeros(m), np.zeros(m), np.full(m, np.inf)
    images = np.empty((m, 2, *origin.shape), np.float32)
    ended = np.full(m, False)
    open_ = np.arange(m)
    for _ in range(_MAX_ITERATIONS):
        offsets = steps[open_, None] * directions[open_]
        frames, squared = _squared_changes(decode, start, origin, offsets)
        energies = squared.mean(axis=1, dtype=np.float64)
        misses = np.abs(np.log(np.maximum(energies, _NO_CHANGE) / target))
        # Of equally bad ones the last, so that a dead direction is shown at its longest step.
        better = misses <= best_misses[open_]
        chosen = open_[better]
        best_misses[chosen] = misses[better]
        best_steps[chosen], best_energies[chosen] = steps[chosen], energies[better]
        images[chosen] = frames[better]
        with np.errstate(divide="ignore", invalid="ignore"):
            slope = np.log(energies / tried_energies[open_]) / np.log(
                steps[open_] / tried_steps[open_]
            )
        known = np.isfinite(slope) & (slope > 0.2) & (slope < 8)
        exponents[open_] = np.where(known, slope, 2.0)
        tried_steps[open_], tried_energies[open_] = steps[open_], energies
        growth = (target / np.maximum(energies, _NO_CHANGE)) ** (1 / exponents[open_])
        following = np.minimum(steps[open_] * np.clip(growth, 0.1, 10), MAX_STEP)
        at_end = (steps[open_] >= MAX_STEP) & (energies < target)
        settled = (np.abs(energies / target - 1) < _TOLERANCE) | at_end
        ended[open_] |= at_end
        steps[open_] = following
        open_ = open_[~settled]
        if len(open_) == 0:
            break
    dead = ended & (best_energies < (1 - _TOLERANCE) * target)
    return best_steps, best_energies, dead, images


def both_ways(start: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Inputs at offsets [m, d] from each start [n, d] and opposite to them: [2 m n, d]."""
    signed = offsets[:, None, None, :] * np.array([1, -1])[:, None, None]  # [m, 2, 1, d]
    return (start + signed).reshape(-1, start.shape[1])


def _squared_changes(
    decode: Decode, start: np.ndarray, origin: np.ndarray, offsets: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Images [m, 2, n, ...] by +-offsets [m, d] from start [n, d], and their squared changes."""
    frames = decode(both_ways(start, offsets)).reshape(len(offsets), 2, *origin.shape)
    return frames, np.square(frames - origin).reshape(len(offsets), -1)


def _changes(
    decode: Decode, start: np.ndarray, origin: np.ndarray, offsets: np.ndarray
) -> np.ndarray:
    """Mean squared pixel changes of images [n, ...] by +-offsets [m, d] from start [n, d]: [m]."""
    _, squared = _squared_changes(decode, start, origin, offsets)
    return np.asarray(squared.mean(axis=1), np.float64)


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
    steps, energies, dead = matched_steps(decode, start[None], directions, target)
    places = np.linspace(-1, 1, num_frames)[None, :, None] * steps[:, None, None]
    points = start + places * directions[:, None, :]
    images = decode(points.reshape(-1, len(start)))
    frames = images.reshape(len(directions), num_frames, *images.shape[1:])
    return Traversal(directions, steps, energies, dead, frames)
