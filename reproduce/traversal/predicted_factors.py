"""Factors as a predictor reads them from images: how far they change, and how exact they are."""

from __future__ import annotations

import dataclasses

import numpy as np

from models.settings import FactorPredictorSettings


@dataclasses.dataclass(frozen=True)
class Factors:
    """A data set's factors, as a predictor's output [n, P] holds them side by side.

    Attributes:
        names, kinds, sizes, symmetries: As `data.Dataset` has them.
        widths: How many of the P numbers each factor takes.
        scales: By what a change of each is divided: its standard deviation in the data. For a
            categorical factor that of its one-hot vector, sqrt((1 - sum p^2) / 2), as of a 0/1
            variable if there are two classes; for an angle that of a uniform one, in turns of its
            own symmetry.
    """

    names: tuple[str, ...]
    kinds: tuple[str, ...]
    sizes: tuple[int, ...]
    symmetries: tuple[int, ...]
    widths: tuple[int, ...]
    scales: tuple[float, ...]

    def split(self, predictions: np.ndarray) -> list[np.ndarray]:
        """Each factor's part of predicted factors [..., P]."""
        return np.split(predictions, np.cumsum(self.widths)[:-1], axis=-1)


def describe(
    names: tuple[str, ...], settings: FactorPredictorSettings, labels: np.ndarray
) -> Factors:
    """The layout of a predictor's predicted factors, with the factors' spread in the data.

    Args:
        names: The k factors'.
        settings: The predictor's, fitted to them.
        labels: int [n, k], class indices of the data.
    """
    kinds, sizes = settings.factor_kinds, settings.factor_sizes
    scales = []
    for kind, size, column in zip(kinds, sizes, labels.T, strict=True):
        if kind == "categorical":
            share = np.bincount(column, minlength=size) / len(column)
            scales.append(float(np.sqrt((1 - np.sum(share**2)) / 2)))
        elif kind == "angle":
            scales.append(float(1 / np.sqrt(12)))
        else:
            scales.append(float(column.std()))
    return Factors(names, kinds, sizes, settings.symmetries, settings.head_sizes, tuple(scales))


def changes(factors: Factors, origin: np.ndarray, moved: np.ndarray) -> np.ndarray:
    """How far each factor moves, in its standard deviations.

    An ordered factor by the absolute difference, a categorical one by the total variation of its
    predicted distribution, an angle by the shorter way round, modulo the symmetry of the class
    that the predictor sees at the origin, in turns of that symmetry.

    Args:
        factors: The layout.
        origin: float [..., P], predicted factors.
        moved: float [..., P], predicted factors of a shape that broadcasts with origin's.

    Returns:
        float64 [..., k].
    """
    parts = list(zip(factors.split(origin), factors.split(moved), strict=True))
    own = None
    if factors.symmetries and "categorical" in factors.kinds:
        own = parts[factors.kinds.index("categorical")][0].argmax(axis=-1)
    found = []
    for kind, scale, (before, after) in zip(factors.kinds, factors.scales, parts, strict=True):
        if kind == "categorical":
            change = np.abs(after - before).sum(axis=-1) / 2
        elif kind == "angle":
            change = _turn(before, after, own)
        else:
            change = np.abs(after - before)[..., 0]
        found.append(change / scale)
    return np.stack(np.broadcast_arrays(*found), axis=-1)


def _turn(before: np.ndarray, after: np.ndarray, own: np.ndarray | None) -> np.ndarray:
    """The shorter way round the circle `own` [...] of circles [..., 2 s], in turns: 0 to .5."""
    difference = _angle(after) - _angle(before)  # [..., s], radians of each symmetry's circle
    turns = np.abs((difference / (2 * np.pi) + 0.5) % 1 - 0.5)
    if own is None:
        return turns[..., 0]
    chosen = np.broadcast_to(own[..., None], (*turns.shape[:-1], 1))
    return np.take_along_axis(turns, chosen, axis=-1)[..., 0]


def _angle(circles: np.ndarray) -> np.ndarray:
    pairs = circles.reshape(*circles.shape[:-1], -1, 2)
    return np.arctan2(pairs[..., 1], pairs[..., 0])


def rows_of_the_data(factors: Factors, labels: np.ndarray) -> np.ndarray:
    """What the data's own correlations make of a change of one factor: float64 [k, k].

    Row j is the conditional mean change of every factor, given that factor j changes, by linear
    regression on its index (of a categorical factor: on being of the most frequent class), in the
    units of `changes`, and scaled to sum 1. A direction that moves factor j as the data do, with
    all that goes with it there, has this row; with independent factors it is the j-th unit vector,
    but for the sample's own correlations.

    Args:
        factors: The layout.
        labels: int [n, k], class indices.
    """
    moved = []
    for kind, size, column in zip(factors.kinds, factors.sizes, labels.T, strict=True):
        if kind == "categorical":
            moved.append(np.eye(size)[column])  # one-hot: a change by total variation
        else:
            moved.append(column[:, None].astype(np.float64))
    rows = np.zeros((len(moved), len(moved)))
    for j, (kind, column) in enumerate(zip(factors.kinds, labels.T, strict=True)):
        given = column == np.bincount(column).argmax() if kind == "categorical" else column
        given = (given - given.mean()) / given.std()
        for m, (other, scale) in enumerate(zip(factors.kinds, factors.scales, strict=True)):
            slopes = np.abs(given @ (moved[m] - moved[m].mean(axis=0))) / len(given)
            if other == "categorical":
                rows[j, m] = slopes.sum() / 2 / scale
            else:  # of an angle, too: how its index goes with the other factor
                rows[j, m] = slopes[0] / labels[:, m].std()
    return rows / rows.sum(axis=1, keepdims=True)


def errors(factors: Factors, predictions: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """By how much each predicted factor misses the truth.

    Args:
        factors: The layout.
        predictions: float [n, P].
        truth: int [n, k], class indices.

    Returns:
        float [n, k]: of a categorical factor 0 where its likeliest class is right, else 1; of an
        ordered one the difference in classes; of an angle the shorter way round the circle of the
        true class' symmetry, in turns, 0 to .5.
    """
    own = own_symmetry(factors, truth)
    found = []
    for kind, size, part, column in zip(
        factors.kinds, factors.sizes, factors.split(predictions), truth.T, strict=True
    ):
        if kind == "categorical":
            found.append(part.argmax(axis=1) != column)
        elif kind == "ordered":
            found.append(part[:, 0] - column)
        else:
            orders = np.array(factors.symmetries or (1,))
            angles = 2 * np.pi * column[:, None] / (size - 1) * orders
            circles = np.stack([np.cos(angles), np.sin(angles)], axis=2).reshape(len(column), -1)
            found.append(_turn(circles, part, own))
    return np.stack(found, axis=1).astype(np.float64)


def own_symmetry(factors: Factors, labels_or_predictions: np.ndarray) -> np.ndarray | None:
    """The class whose symmetry each image's angle has, int [n]; None if there is but one symmetry.

    Args:
        factors: The layout.
        labels_or_predictions: int [n, k], class indices, or float [n, P], predicted factors.
    """
    if not factors.symmetries or "categorical" not in factors.kinds:
        return None
    j = factors.kinds.index("categorical")
    if labels_or_predictions.dtype.kind in "iu":
        return labels_or_predictions[:, j]
    return factors.split(labels_or_predictions)[j].argmax(axis=1)


def accuracy(factors: Factors, predictions: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """How well predicted factors meet the truth, by factor.

    Args:
        factors: The layout.
        predictions: float [n, P].
        truth: int [n, k], class indices.

    Returns:
        For a categorical factor the share of right classes; for an ordered one the root mean
        squared error in classes; for an angle that in degrees, modulo the true class' symmetry.
    """
    own, found = own_symmetry(factors, truth), {}
    for name, kind, error in zip(
        factors.names, factors.kinds, errors(factors, predictions, truth).T, strict=True
    ):
        if kind == "categorical":
            found[name] = float(1 - np.mean(error))
            continue
        if kind == "angle":
            error = 360 * error / (1 if own is None else np.array(factors.symmetries)[own])
        found[name] = float(np.sqrt(np.mean(error**2)))
    return found


def class_sizes(factors: Factors) -> tuple[int, ...]:
    """How many classes `classes` tells apart: of an angle one less, its two ends being one."""
    return tuple(
        size - 1 if kind == "angle" else size
        for kind, size in zip(factors.kinds, factors.sizes, strict=True)
    )


def classes(factors: Factors, predictions: np.ndarray) -> np.ndarray:
    """Class indices of predicted factors, as metrics take them.

    The likeliest class of a categorical factor, and the nearest of an ordered one. An angle is
    known only modulo the symmetry of the class that is seen: its class is where it stands on that
    symmetry's circle, in size - 1 equal parts, so that a square's 0 and 90 degrees are the same.

    Args:
        factors: The layout.
        predictions: float [n, P], finite.

    Returns:
        int64 [n, k], below `class_sizes`.
    """
    parts = factors.split(predictions)
    own, found = own_symmetry(factors, predictions), []
    for kind, size, part in zip(factors.kinds, factors.sizes, parts, strict=True):
        if kind == "categorical":
            found.append(part.argmax(axis=1))
        elif kind == "ordered":
            found.append(np.clip(np.rint(part[:, 0]), 0, size - 1))
        else:
            angles = _angle(part)
            chosen = angles[:, 0] if own is None else angles[np.arange(len(angles)), own]
            found.append(np.rint(chosen / (2 * np.pi) * (size - 1)) % (size - 1))
    return np.stack(found, axis=1).astype(np.int64)
