"""Whether a model's images show the factors: read from reconstructions, and from samples.

Both are compared with what the same predictor reads from real images, whose errors are its own.
"""

from __future__ import annotations

import numpy as np

from reproduce.traversal import predicted_factors
from reproduce.traversal.predicted_factors import Factors

_BINS = 10  # of an ordered factor with more classes than that, and of an angle


def skill(factors: Factors, predictions: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """How well each factor is read: 1 where it is without error, 0 where nothing is known of it.

    Args:
        factors: The layout.
        predictions: float [n, P], predicted factors.
        truth: int [n, k], class indices.

    Returns:
        For an ordered factor R^2; for a categorical one the balanced accuracy, scaled so that
        chance is 0; for an angle the mean cosine of the error, on the circle of the true class'
        symmetry.
    """
    errors = predicted_factors.errors(factors, predictions, truth)
    found = {}
    for name, kind, size, error, column in zip(
        factors.names, factors.kinds, factors.sizes, errors.T, truth.T, strict=True
    ):
        if kind == "categorical":
            shares = [1 - error[column == value].mean() for value in np.unique(column)]
            found[name] = float((np.mean(shares) - 1 / size) / (1 - 1 / size))
        elif kind == "ordered":
            found[name] = float(1 - np.mean(error**2) / np.var(column))
        else:
            found[name] = float(np.mean(np.cos(2 * np.pi * error)))
    return found


def histograms(factors: Factors, predictions: np.ndarray) -> list[np.ndarray]:
    """How often each factor is read as what, shares float [bins] a factor.

    A categorical factor has a bin a class. An ordered one is cut into at most ten equal ranges of
    its classes, what lies outside counting with the last; an angle into ten parts of the circle of
    its symmetry, whichever class it belongs to.

    Args:
        factors: The layout.
        predictions: float [n, P], predicted factors.
    """
    found = []
    own = predicted_factors.own_symmetry(factors, predictions)
    for kind, size, part in zip(
        factors.kinds, factors.sizes, factors.split(predictions), strict=True
    ):
        if kind == "categorical":
            bins, num_bins = part.argmax(axis=1), size
        elif kind == "ordered":
            num_bins = min(size, _BINS)
            bins = np.floor((part[:, 0] + 0.5) / size * num_bins)
        else:
            num_bins = _BINS
            bins = np.floor(predicted_factors.turn_of(part, own) % 1 * num_bins)
        counted = np.bincount(np.clip(bins, 0, num_bins - 1).astype(int), minlength=num_bins)
        found.append(counted / len(predictions))
    return found


def distances(factors: Factors, predictions: np.ndarray, reference: np.ndarray) -> dict[str, float]:
    """Total variation between the `histograms` of two sets of images, by factor: 0 to 1.

    Args:
        factors: The layout.
        predictions: float [n, P], predicted factors of the one.
        reference: float [m, P], those of the other.
    """
    pairs = zip(histograms(factors, predictions), histograms(factors, reference), strict=True)
    return {
        name: float(np.abs(one - other).sum() / 2)
        for name, (one, other) in zip(factors.names, pairs, strict=True)
    }
