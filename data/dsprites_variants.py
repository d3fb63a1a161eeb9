"""dSprites in colour, in noise and before a painted ground (Locatello et al. 2019).

The factors are dSprites'. What each variant adds varies from image to image and is no factor: it
follows from the image's number alone, so that an image is always the same.

Their third variant, Scream-dSprites, shows patches of Munch's painting. The one here is like it but
for the picture, which is the kit's own: bands of colour that a formula bends, nobody's painting.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from data.dataset import Dataset
from data.drawn import Drawn
from data.files import InputError
from data.numba_cache import numba

VARIANTS = ("colour", "noise", "painted")
PICTURE_SIZE = 512  # pixels a side, of which a patch is seen

_SEED = np.uint64(20_190_613)
_STEP = np.uint64(0x9E3779B97F4A7C15)  # of SplitMix64 (Steele et al. 2014), as the next two


def check(variant: str) -> None:
    """Refuses a variant's name that is none; the empty one is dSprites itself.

    Raises:
        InputError: If there is no such variant.
    """
    if variant and variant not in VARIANTS:
        raise InputError(
            f"dsprites has no variant {variant!r}; expected {', '.join(VARIANTS)}, or none"
        )


def of(dataset: Dataset, variant: str) -> Dataset:
    """A variant of dSprites, drawn when it is asked for.

    `colour`: sprites of a random colour, each channel from half to full, on black. `noise`: white
    ones on noise, each pixel's channels uniform. `painted`: the negative of a random patch of a
    picture, which is half mixed with a random colour, before this patch.

    Args:
        dataset: dSprites, or some of its images: binary, with one channel.
        variant: One of `VARIANTS`.

    Raises:
        InputError: If there is no such variant.
    """
    check(variant)
    height, width, _ = dataset.stored_shape
    picture = paint() if variant == "painted" else np.zeros((1, 1, 3), np.uint8)
    kernel: Callable[..., np.ndarray] = {
        "colour": _colour,
        "noise": _noise,
        "painted": _painted,
    }[variant]

    def draw(rows: np.ndarray) -> np.ndarray:
        sprites = np.unpackbits(dataset.storage[rows], axis=-1, count=height * width)
        return kernel(sprites.reshape(-1, height, width), rows, picture).reshape(len(rows), -1)

    return dataclasses.replace(
        dataset,
        storage=Drawn(draw, (len(dataset), height * width * 3)),
        bits=8,
        image_shape=(*dataset.image_shape[:2], 3),
        known_fingerprint="",
    )


def paint() -> np.ndarray:
    """The picture: uint8 [512, 512, 3], bands of colour from above to below, bent by waves."""
    v, u = np.meshgrid(*[np.linspace(0, 1, PICTURE_SIZE)] * 2, indexing="ij")
    turns = 2 * np.pi
    bend = 0.09 * np.sin(turns * (1.3 * u + 0.2)) + 0.05 * np.sin(turns * (2.9 * u - 1.7 * v))
    swirl = 0.03 * np.sin(turns * (5.3 * u + 4.1 * v + bend))
    height = v + bend + swirl
    strokes = 0.12 * np.sin(turns * (41 * height + 3 * u))
    bands = np.sin(turns * 3.5 * height)[..., None]
    warm, cool = np.array([0.92, 0.45, 0.16]), np.array([0.14, 0.27, 0.45])
    share = 1 / (1 + np.exp(-12 * (0.55 - height)))[..., None]  # warm above, cool below
    colours = share * warm + (1 - share) * cool + 0.14 * bands * np.array([1.0, 0.7, -0.5])
    return np.rint(255 * np.clip(colours + strokes[..., None], 0, 1)).astype(np.uint8)


@numba.njit(cache=True)
def _mixed(value: np.uint64) -> np.uint64:
    """SplitMix64's output function: 64 bits that look random, of any 64 bits."""
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


@numba.njit(cache=True)
def _state(row: np.int64) -> np.uint64:
    """Where the stream of an image starts."""
    return _mixed(_SEED + np.uint64(row) * _STEP)


@numba.njit(cache=True)
def _byte(bits: np.uint64, place: int) -> np.uint8:
    return np.uint8((bits >> np.uint64(8 * place)) & np.uint64(255))


@numba.njit(cache=True)
def _colour(sprites: np.ndarray, rows: np.ndarray, picture: np.ndarray) -> np.ndarray:
    """Images uint8 [n, height, width, 3] of sprites uint8 [n, height, width] in {0, 1}."""
    images = np.empty((*sprites.shape, 3), np.uint8)
    for i in range(len(rows)):
        bits = _mixed(_state(rows[i]) + _STEP)
        for c in range(3):
            value = np.uint8(128) + (_byte(bits, c) >> np.uint8(1))
            images[i, :, :, c] = sprites[i] * value
    return images


@numba.njit(cache=True)
def _noise(sprites: np.ndarray, rows: np.ndarray, picture: np.ndarray) -> np.ndarray:
    """As `_colour`."""
    n, height, width = sprites.shape
    images = np.empty((n, height, width, 3), np.uint8)
    for i in range(n):
        state, bits = _state(rows[i]), np.uint64(0)
        flat, covered = images[i].reshape(-1), sprites[i].reshape(-1)
        for k in range(len(flat)):
            if k % 8 == 0:
                state += _STEP
                bits = _mixed(state)
            flat[k] = np.uint8(255) if covered[k // 3] else _byte(bits, k % 8)
    return images


@numba.njit(cache=True)
def _painted(sprites: np.ndarray, rows: np.ndarray, picture: np.ndarray) -> np.ndarray:
    """As `_colour`."""
    n, height, width = sprites.shape
    images = np.empty((n, height, width, 3), np.uint8)
    for i in range(n):
        place, bits = _mixed(_state(rows[i]) + _STEP), _mixed(_state(rows[i]) + _STEP + _STEP)
        top = (place & np.uint64(0xFFFF)) % np.uint64(len(picture) - height + 1)
        left = (place >> np.uint64(16)) % np.uint64(picture.shape[1] - width + 1)
        for y in range(height):
            for x in range(width):
                for c in range(3):
                    ground = (
                        np.int64(picture[y + np.int64(top), x + np.int64(left), c])
                        + np.int64(_byte(bits, c))
                    ) // 2
                    images[i, y, x, c] = np.uint8(255 - ground if sprites[i, y, x] else ground)
    return images
