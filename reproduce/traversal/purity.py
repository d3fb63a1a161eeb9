"""Traversal purity: whether moving along one direction changes one factor alone.

The measure on the decoder's side (see paper/protocol.md). It looks at images, where people look,
and so it is the same for every model.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from data.files import InputError
from reproduce.traversal import energy_matching
from reproduce.traversal.predicted_factors import Factors, changes

Decode = Callable[[np.ndarray], np.ndarray]  # inputs float [n, D] to images in [0, 1]
Predict = Callable[[np.ndarray], np.ndarray]  # images to predicted factors float [n, P]

_FIRST_STEP = 0.5
_SMALL_STEP = 0.05  # of the derivative's central difference
_NO_CHANGE = 1e-12
ONE_FACTOR = (
    "with one factor there is no purity: nothing else could change along an axis; give two factors "
    "or more, or leave the purity test out"
)


@dataclasses.dataclass(frozen=True, eq=False)
class TraversalSetup:
    """Where traversals start and how they are looked at.

    Attributes:
        decode: A model's decoder.
        predict: Reads factors from its images.
        factors: The layout of the predicted factors.
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
    setup: TraversalSetup, directions: np.ndarray, first_steps: np.ndarray | float = _FIRST_STEP
) -> Leakage:
    """Steps along each direction by the matched energy, and what changes.

    The change of a factor is the mean over starting points and both signs of the step.

    Args:
        setup: Where from and how.
        directions: float [m, D], in decoder inputs; steps are multiples of them.
        first_steps: Where the search for the steps begins, for all or each; good guesses save
            time.
    """
    origin = setup.decode(setup.start)
    steps, energies, dead, images = energy_matching.near_steps(
        setup.decode, setup.start, directions, setup.energy, origin, first_steps
    )
    before = setup.predict(origin)
    after = setup.predict(images.reshape(-1, *images.shape[3:]))
    after = after.reshape(*images.shape[:3], -1)  # [m, 2, s, P]
    change = changes(setup.factors, before, after).mean(axis=(1, 2))
    return Leakage(steps, energies, dead, _shares(change))


def _shares(change: np.ndarray) -> np.ndarray:
    """Changes [m, k] over their sum; equal shares where nothing changes."""
    total = change.sum(axis=1, keepdims=True)
    k = change.shape[1]
    return np.where(total > _NO_CHANGE, change / np.maximum(total, _NO_CHANGE), 1 / k)


def _slopes(
    function: Callable[[np.ndarray], np.ndarray], start: np.ndarray, axes: np.ndarray
) -> np.ndarray:
    """Central differences of a function along axes [k, D], at each start [s, D]: [k, s, ...]."""
    values = function(energy_matching.both_ways(start, _SMALL_STEP * axes))
    values = values.reshape(len(axes), 2, len(start), -1)
    return (values[:, 0] - values[:, 1]) / (2 * _SMALL_STEP)


class StepGuess:
    """Guesses the step by which a direction meets the energy, so that a search ends sooner.

    In the limit of small steps the energy of a step is a quadratic form of it, which the axes'
    own derivatives give. How much longer real steps are is learned from the first ones found.
    """

    def __init__(self, setup: TraversalSetup, axes: np.ndarray) -> None:
        """Differentiates the decoder along the axes of a latent block, float [k, D]."""
        slopes = _slopes(lambda inputs: setup.decode(inputs).astype(np.float64), setup.start, axes)
        slopes = slopes.reshape(len(axes), -1)
        self._form = slopes @ slopes.T / slopes.shape[1]
        self._energy, self._ratio = setup.energy, 1.0

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
    """The derivative of predicted factors along each axis of a latent block, for any direction.

    Attributes:
        factors: The layout.
        origin: float [s, P], predicted factors at the starting points.
        predictions: float [k, s, P], their derivative along each axis.
    """

    factors: Factors
    origin: np.ndarray
    predictions: np.ndarray

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
        along = np.tensordot(basis.T, self.predictions, axes=1)  # [m, s, P]
        return _small_step_rows(self.factors, self.origin, along)


def _small_step_rows(factors: Factors, origin: np.ndarray, along: np.ndarray) -> np.ndarray:
    """Shares of the factors' changes, by the derivative along directions, float [m, s, P]."""
    change = changes(factors, origin, origin + _SMALL_STEP * along)
    return _shares(change.mean(axis=1))


def small_step_purity(setup: TraversalSetup, directions: np.ndarray) -> float:
    """Mean purity of directions [m, D] in the limit of small steps, where none is dead."""
    derivative = differentiate(setup, directions)
    rows = _small_step_rows(derivative.factors, derivative.origin, derivative.predictions)
    return float(purity_of_rows(rows).mean())


def differentiate(setup: TraversalSetup, axes: np.ndarray) -> Derivative:
    """The product of the predictor's and the decoder's Jacobians with each axis.

    By central differences, which serve any decoder: nothing is asked of it but images.

    Args:
        setup: Where from and how.
        axes: float [k, D], in decoder inputs.
    """
    derivative = _slopes(lambda inputs: setup.predict(setup.decode(inputs)), setup.start, axes)
    return Derivative(setup.factors, setup.predict(setup.decode(setup.start)), derivative)


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
        kinds: The factors'.

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
