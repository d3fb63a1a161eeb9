"""XYSquares (Michlo, Klein & James 2022, 2202.13341): three squares, each anywhere on a grid.

A red, a green and a blue square of 8 x 8 pixels stand at one of 8 x 8 places each. At a spacing of
8 pixels no two places of a square overlap. However far it moves, the image then changes by the same
distance, so that a loss by pixels cannot tell which place is beside which. At smaller spacings
neighbouring places overlap, and it can.
"""

from __future__ import annotations

import numpy as np

from data.dataset import Dataset
from data.drawn import Drawn, grid
from data.files import InputError
from data.numba_cache import numba

FACTOR_NAMES = ("red_x", "red_y", "green_x", "green_y", "blue_x", "blue_y")
PLACES = 8  # a side
FACTOR_SIZES = (PLACES,) * len(FACTOR_NAMES)
IMAGE_SIZE, SQUARE_SIZE = 64, 8  # pixels
SPACINGS = tuple(range(1, 9))  # pixels from a place to the next
DEFAULT_SPACING = 8

_SHAPE = (IMAGE_SIZE, IMAGE_SIZE, 3)


def places(spacing: int) -> np.ndarray:
    """The first column, or row, of a square at each of its places: int64 [PLACES], in the middle.

    Args:
        spacing: One of `SPACINGS`.
    """
    margin = (IMAGE_SIZE - (PLACES - 1) * spacing - SQUARE_SIZE) // 2
    return margin + spacing * np.arange(PLACES)


def render(factors: np.ndarray, spacing: int = DEFAULT_SPACING) -> np.ndarray:
    """Renders images by their factors. Where squares overlap, their colours add.

    Args:
        factors: int [n, 6], class indices in the order of `FACTOR_NAMES`.
        spacing: One of `SPACINGS`.

    Returns:
        uint8 [n, 64, 64, 3] in {0, 255}.

    Raises:
        ValueError: If the shape is another, or an index is out of its factor's range.
    """
    factors = np.asarray(factors)
    if factors.ndim != 2 or factors.shape[1] != len(FACTOR_NAMES):
        raise ValueError(f"factors are {list(factors.shape)}; expected [n, {len(FACTOR_NAMES)}]")
    if np.any(factors < 0) or np.any(factors >= PLACES):
        raise ValueError(f"a factor is out of range; expected indices below {PLACES}")
    return _draw(places(spacing)[factors])


@numba.njit(cache=True)
def _draw(corners: np.ndarray) -> np.ndarray:
    """Images uint8 [n, 64, 64, 3] of corners int64 [n, 6]."""
    images = np.zeros((len(corners), IMAGE_SIZE, IMAGE_SIZE, 3), np.uint8)
    for i in range(len(corners)):
        for channel in range(3):
            x, y = corners[i, 2 * channel], corners[i, 2 * channel + 1]
            images[i, y : y + SQUARE_SIZE, x : x + SQUARE_SIZE, channel] = 255
    return images


def load(variant: str = "") -> Dataset:
    """All 262,144 images, drawn when they are asked for.

    Args:
        variant: `spacing1` to `spacing8`; the default, nameless, is `spacing8`.

    Raises:
        InputError: If there is no such variant.
    """
    spacings = {f"spacing{spacing}": spacing for spacing in SPACINGS} | {"": DEFAULT_SPACING}
    if variant not in spacings:
        raise InputError(
            f"xysquares has no variant {variant!r}; expected spacing1 to spacing8, or none"
        )
    spacing, factors = spacings[variant], grid(FACTOR_SIZES)

    def draw(rows: np.ndarray) -> np.ndarray:
        return render(factors[rows], spacing).reshape(len(rows), -1)

    storage = Drawn(draw, (len(factors), int(np.prod(_SHAPE))))
    return Dataset("xysquares", storage, 8, _SHAPE, factors, FACTOR_NAMES, FACTOR_SIZES)
