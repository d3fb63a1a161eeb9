"""Whether a model's samples cover its data: histograms of the factors read from them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def histograms(classes: np.ndarray, sizes: Sequence[int]) -> list[np.ndarray]:
    """The share of each class of each factor.

    Args:
        classes: int [n, k], class indices.
        sizes: The k numbers of classes.

    Returns:
        k arrays float64 [size], each of sum 1.
    """
    return [
        np.bincount(column, minlength=size) / len(column)
        for column, size in zip(classes.T, sizes, strict=True)
    ]


def total_variation(classes: np.ndarray, of_data: np.ndarray, sizes: Sequence[int]) -> list[float]:
    """How far factors are distributed otherwise in samples than in the data, factor by factor.

    Half the sum of absolute differences of the classes' shares: 0 where they are equal, 1 where no
    class occurs in both. Two samples of one distribution differ, too, by about the root of
    (size - 1) (1 / n + 1 / m) / (2 pi) for equally frequent classes: compare with what the same
    number of real images gives.

    Args:
        classes: int [n, k], read from samples.
        of_data: int [m, k], of the data: read from its images by the same reader, or its labels.
        sizes: The k numbers of classes.
    """
    both = zip(histograms(classes, sizes), histograms(of_data, sizes), strict=True)
    return [float(np.abs(one - other).sum() / 2) for one, other in both]
