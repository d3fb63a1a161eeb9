"""Whether a model's images show the factors: read from reconstructions, and from samples.

Both are compared with what the same predictor reads from real images, whose errors are its own.
"""

from __future__ import annotations

import numpy as np

from reproduce.traversal import coverage, predicted_factors
from reproduce.traversal.predicted_factors import Factors

_CLASSES = 10  # at most, of which frequencies are compared


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


def distances(factors: Factors, predictions: np.ndarray, reference: np.ndarray) -> dict[str, float]:
    """Total variation between what is read from two sets of images, by factor: 0 to 1.

    Classes are joined to at most ten, so that a few thousand images tell their shares.

    Args:
        factors: The layout.
        predictions: float [n, P], predicted factors of the one.
        reference: float [m, P], those of the other.
    """
    sizes = np.array(predicted_factors.class_sizes(factors))
    joined = np.minimum(sizes, _CLASSES)
    one, other = (
        predicted_factors.classes(factors, part) * joined // sizes
        for part in (predictions, reference)
    )
    found = coverage.total_variation(one, other, tuple(joined))
    return dict(zip(factors.names, found, strict=True))
