"""Traversal purity: whether moving along one direction changes one factor alone.

The protocol's measure on the decoder's side. It looks at images, where people look, and so it is
the same for every model.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from data.files import InputError
from reproduce.readings import Factors, changes
from reproduce.traversals import MAX_STEP

Decode = Callable[[np.ndarray], np.ndarray]  # inputs float [n, D] to images in [0, 1]
Predict = Callable[[np.ndarray], np.ndarray]  # images to readings float [n, P]

_FIRST_STEP = 0.5
_MAX_ITERATIONS = 6
_TOLERANCE = 0.05  # relative, of the energy
_SMALL_STEP = 0.05  # of the derivative's central difference
_NO_CHANGE = 1e-12
ONE_FACTOR = (
    "with one factor there is no purity: nothing else could change along an axis; give two factors "
    "or more, or leave the purity test out"
)


@dataclasses.dataclass(frozen=True, eq=False)
class Scene:
    """Where traversals start and how they are looked at.

    Attributes:
        decode: A model's decoder.
        predict: Reads factors from its images.
        factors: The layout of the readings.
        start: float [s, D], decoder inputs of real images.
        energy: The mean squared pixel change at which directions are compared.
    """

    decode: Decode
    predict: Predict
    factors: Factors
    start: np.ndarray
    energy: float


@dataclasses.dataclass(frozen=True, eq=False)
class Leakage:
    """What steps along m directions change.

    Attributes:
        steps: float64 [m], delta in prior standard deviations.
        energies: float64 [m], the mean squared pixel change that was reached.
        dead: bool [m], whether the energy is out of reach within `MAX_STEP`.
        rows: float64 [m, k], each direction's row of the leakage matrix: shares of the factors'
            changes, which sum to 1.
    """

    steps: np.ndarray
    energies: np.ndarray
    dead: np.ndarray
    rows: np.ndarray


def purity_of_rows(rows: np.ndarray) -> np.ndarray:
    """1 - H(r) / log k of each row: 1 if one factor alone changes, 0 if all change alike.

    Args:
        rows: float [..., k], shares that sum to 1.

    Raises:
        InputError: If there is one factor alone: nothing else could change.
    """
    if rows.shape[-1] < 2:
        raise InputError(ONE_FACTOR)
    entropy = -np.sum(rows * np.log(np.maximum(rows, _NO_CHANGE)), axis=-1)
    return 1 - entropy / np.log(rows.shape[-1])


def purity_of_basis(leakage: Leakage) -> float:
    """Mean purity over the live directions; not a number if all are dead."""
    live = ~leakage.dead
    return float(purity_of_rows(leakage.rows[live]).mean()) if live.any() else float("nan")


def measure(
    scene: Scene, directions: np.ndarray, first_steps: np.ndarray | float = _FIRST_STEP
) -> Leakage:
    """Steps along each direction by the matched energy, and what changes.

    The change of a factor is the mean over starting points and both signs of the step.

    Args:
        scene: Where from and how.
        directions: float [m, D], in decoder inputs; steps are multiples of them.
        first_steps: Where the search for the steps begins, for all or each; good guesses save
            time.
    """
    origin = scene.decode(scene.start)
    steps, energies, dead, images = _matched_steps(scene, directions, origin, first_steps)
    before = scene.predict(origin)
    after = scene.predict(images.reshape(-1, *images.shape[3:]))
    after = after.reshape(*images.shape[:3], -1)  # [m, 2, s, P]
    change = changes(scene.factors, before, after).mean(axis=(1, 2))
    return Leakage(steps, energies, dead, _shares(change))


def _shares(change: np.ndarray) -> np.ndarray:
    """Changes [m, k] over their sum; equal shares where nothing changes."""
    total = change.sum(axis=1, keepdims=True)
    k = change.shape[1]
    return np.where(total > _NO_CHANGE, change / np.maximum(total, _NO_CHANGE), 1 / k)


def _matched_steps(
    scene: Scene, directions: np.ndarray, origin: np.ndarray, first_steps: np.ndarray | float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Steps at which the energy is met, within a tolerance, or `MAX_STEP`.

    The energy of a small step grows with its square. From a first step, the next is taken by the
    power law through the last two, and all that is not matched yet goes on together. Where the
    search has not settled, the nearest of what was tried is taken.

    Returns:
        Steps [m], their energies [m], whether the energy is out of reach [m], and images
        [m, 2, s, height, width, channels] of both signs.
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
        frames, energies = _energies(scene, directions[open_], steps[open_], origin)
        misses = np.abs(np.log(np.maximum(energies, _NO_CHANGE) / scene.energy))
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
        growth = (scene.energy / np.maximum(energies, _NO_CHANGE)) ** (1 / exponents[open_])
        following = np.minimum(steps[open_] * np.clip(growth, 0.1, 10), MAX_STEP)
        at_end = (steps[open_] >= MAX_STEP) & (energies < scene.energy)
        settled = (np.abs(energies / scene.energy - 1) < _TOLERANCE) | at_end
        ended[open_] |= at_end
        steps[open_] = following
        open_ = open_[~settled]
        if len(open_) == 0:
            break
    dead = ended & (best_energies < (1 - _TOLERANCE) * scene.energy)
    return best_steps, best_energies, dead, images


def _energies(
    scene: Scene, directions: np.ndarray, steps: np.ndarray, origin: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Images [m, 2, s, ...] of a step along each direction and against it, and energies [m]."""
    s, dimension = scene.start.shape
    offsets = (steps[:, None] * directions)[:, None, None, :] * np.array([1, -1])[:, None, None]
    points = (scene.start + offsets).reshape(-1, dimension)
    frames = scene.decode(points).reshape(len(directions), 2, *origin.shape)
    squared = np.square(frames - origin).reshape(len(directions), 2 * s, -1)
    return frames, squared.mean(axis=(1, 2), dtype=np.float64)


class StepGuess:
    """Guesses the step by which a direction meets the energy, so that a search ends sooner.

    In the limit of small steps the energy of a step is a quadratic form of it, which the axes'
    own derivatives give. How much longer real steps are is learned from the first ones found.
    """

    def __init__(self, scene: Scene, axes: np.ndarray) -> None:
        """Differentiates the decoder along the axes of a stratum, float [k, D]."""
        dimension = scene.start.shape[1]
        offsets = _SMALL_STEP * axes[:, None, None, :] * np.array([1, -1])[:, None, None]
        frames = scene.decode((scene.start + offsets).reshape(-1, dimension))
        frames = frames.reshape(len(axes), 2, -1).astype(np.float64)
        slopes = (frames[:, 0] - frames[:, 1]) / (2 * _SMALL_STEP)
        self._form = slopes @ slopes.T / slopes.shape[1]
        self._energy, self._ratio = scene.energy, 1.0

    def __call__(self, basis: np.ndarray) -> np.ndarray:
        """Steps along the columns of float [k, m]: float64 [m]."""
        form = np.einsum("km,kl,lm->m", basis, self._form, basis)
        return self._ratio * np.sqrt(self._energy / np.maximum(form, _NO_CHANGE))

    def learn(self, basis: np.ndarray, found: Leakage) -> None:
        """Takes the ratio of real to guessed steps from a basis whose steps are known."""
        live = ~found.dead
        if live.any():
            self._ratio *= float(np.median(found.steps[live] / self(basis)[live]))


@dataclasses.dataclass(frozen=True, eq=False)
class Derivative:
    """The readings' derivative along each axis of a stratum, by which any direction is judged.

    Attributes:
        factors: The layout.
        origin: float [s, P], readings at the starting points.
        readings: float [k, s, P], their derivative along each axis.
    """

    factors: Factors
    origin: np.ndarray
    readings: np.ndarray

    def purity(self, bases: np.ndarray) -> np.ndarray:
        """Purity in the limit of small steps, of bases float [b, k, m]: float64 [b].

        No direction is dead in this limit; the step and its size cancel.
        """
        values = np.empty(len(bases))
        for index, basis in enumerate(bases):
            values[index] = purity_of_rows(self.rows(basis)).mean()
        return values

    def rows(self, basis: np.ndarray) -> np.ndarray:
        """Rows of the leakage matrix in the same limit, of a basis float [k, m]: float64 [m, f]."""
        along = np.tensordot(basis.T, self.readings, axes=1)  # [m, s, P]
        return _small_step_rows(self.factors, self.origin, along)


def _small_step_rows(factors: Factors, origin: np.ndarray, along: np.ndarray) -> np.ndarray:
    """Shares of the factors' changes, by the readings' derivative along directions, [m, s, P]."""
    change = changes(factors, origin, origin + _SMALL_STEP * along)
    return _shares(change.mean(axis=1))


def small_step_purity(scene: Scene, directions: np.ndarray) -> float:
    """Mean purity of directions [m, D] in the limit of small steps, where none is dead."""
    derivative = differentiate(scene, directions)
    rows = _small_step_rows(derivative.factors, derivative.origin, derivative.readings)
    return float(purity_of_rows(rows).mean())


def differentiate(scene: Scene, axes: np.ndarray) -> Derivative:
    """The product of the predictor's and the decoder's Jacobians with each axis.

    By central differences, which serve any decoder: nothing is asked of it but images.

    Args:
        scene: Where from and how.
        axes: float [k, D], in decoder inputs.
    """
    s, dimension = scene.start.shape
    offsets = _SMALL_STEP * axes[:, None, None, :] * np.array([1, -1])[:, None, None]
    points = (scene.start + offsets).reshape(-1, dimension)
    readings = scene.predict(scene.decode(points)).reshape(len(axes), 2, s, -1)
    derivative = (readings[:, 0] - readings[:, 1]) / (2 * _SMALL_STEP)
    return Derivative(scene.factors, scene.predict(scene.decode(scene.start)), derivative)


def stiefel(num_draws: int, dimension: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """The first columns of Haar draws on O(dimension): float64 [num_draws, dimension, count].

    The QR decomposition of a Gaussian matrix of so many columns gives them without the others,
    which is what large dimensions need.
    """
    draws = np.empty((num_draws, dimension, count))
    for draw in draws:
        q, r = np.linalg.qr(rng.standard_normal((dimension, count)))
        draw[:] = q * np.sign(np.diagonal(r))
    return draws


def labelled_directions(
    inputs: np.ndarray, factors: np.ndarray, kinds: Sequence[str]
) -> dict[int, np.ndarray]:
    """Directions from labelled means: the mean input of one side minus that of the other.

    As Kingma & Dhariwal 2018 (section 6.2) make them from attributes. The upper against the lower
    half of an ordered factor, the most frequent class against all others of a categorical one;
    angles have none.

    Args:
        inputs: float [n, D], decoder inputs of real images.
        factors: int [n, k], their class indices.
        kinds: Of the factors.

    Returns:
        By factor: float64 [D], of unit length.
    """
    found = {}
    for j, (kind, column) in enumerate(zip(kinds, factors.T, strict=True)):
        if kind == "angle":
            continue
        if kind == "categorical":
            positive = column == np.bincount(column).argmax()
        else:
            positive = column > np.median(column)
        if positive.all() or not positive.any():
            continue
        direction = inputs[positive].mean(axis=0) - inputs[~positive].mean(axis=0)
        norm = np.linalg.norm(direction)
        if norm > _NO_CHANGE:
            found[j] = np.asarray(direction / norm, np.float64)
    return found
