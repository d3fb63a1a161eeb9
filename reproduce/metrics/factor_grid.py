"""A full grid of factors: traversals along one factor, and the mean over factors of their figures.

As Michlo et al. (2022) measure them: Overlooked implications of the reconstruction loss for VAE
disentanglement.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from data.files import InputError

_TINY = 1e-300


def traversals(latents: np.ndarray, factors: np.ndarray) -> Iterator[np.ndarray]:
    """The traversals along each factor that varies: latents as it takes all its values.

    Args:
        latents: float [n, d].
        factors: int [n, k], each combination of values exactly once.

    Yields:
        float64 [n / s, s, d], of a factor with s values, in their order.

    Raises:
        InputError: If the rows are no full grid of the factors.
    """
    grid = _on_grid(np.asarray(latents, np.float64), factors)
    for axis, size in enumerate(grid.shape[:-1]):
        if size > 1:
            yield np.moveaxis(grid, axis, -2).reshape(-1, size, grid.shape[-1])


def geometric_mean(figures: Sequence[Sequence[float]]) -> tuple[float, ...]:
    """The geometric mean over factors, of figures of each factor; 0 if one is 0 or below.

    Raises:
        InputError: If there are none, for no factor varies.
    """
    if not figures:
        raise InputError("no factor has more than one value; expected at least one that varies")
    values = np.array(figures)
    means = np.exp(np.mean(np.log(np.maximum(values, _TINY)), axis=0))
    return tuple(np.where((values > 0).all(axis=0), means, 0.0).tolist())


def _on_grid(latents: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """Latents as an array with an axis for each factor: float64 [size_1, ..., size_k, d]."""
    indices = [np.unique(column, return_inverse=True) for column in factors.T]
    shape = tuple(len(values) for values, _ in indices)
    cells = np.ravel_multi_index([index for _, index in indices], shape)
    if len(cells) != np.prod(shape) or len(np.unique(cells)) != len(cells):
        raise InputError(
            f"{len(cells)} rows are no full grid of factors with {' x '.join(map(str, shape))} "
            "values; metrics of traversals need each combination exactly once"
        )
    grid = np.empty_like(latents)
    grid[cells] = latents
    return grid.reshape(*shape, latents.shape[1])
