"""dSprites (Matthey et al. 2017), rendered pixel for pixel as the original archive was.

The rasterisation was inferred from real images. An image is 64 pixels wide and high, y points
down, and a pixel is on if its centre is inside the outline, whose vertices are first rounded to
1/256 pixel. A centre on the outline is in on a left or bottom edge, out on a right or top one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from data import checked, rendered_cache, tfds_examples
from data.dataset import Dataset, pack
from data.drawn import grid
from data.files import InputError, cache_directory
from data.numba_cache import numba

FACTOR_NAMES = ("shape", "scale", "orientation", "pos_x", "pos_y")
FACTOR_SIZES = (3, 6, 40, 32, 32)  # shapes: square, ellipse, heart
FACTOR_KINDS = ("categorical", "ordered", "angle", "ordered", "ordered")
SYMMETRIES = (4, 2, 1)  # square, ellipse, heart
NUM_IMAGES = int(np.prod(FACTOR_SIZES))
IMAGE_SIZE = 64
SUBPIXELS = 256  # vertices lie on a grid of 1/256 pixel, so all that follows is exact in integers

_BYTES = IMAGE_SIZE * IMAGE_SIZE // 8


def outline(shape: int, scale: int, orientation: int) -> np.ndarray:
    """The outline of a sprite around its centre: float64 [vertices, 2] in pixels, (x, y), y down.

    Args:
        shape: 0 square, 1 ellipse (a 100-gon), 2 heart (a 150-gon).
        scale: 0 to 5, for .5 to 1.
        orientation: 0 to 39, for 0 to 2 pi inclusive, counter-clockwise as displayed.
    """
    radius = 9.6 * np.linspace(0.5, 1, FACTOR_SIZES[1])[scale]
    if shape == 0:
        x, y_up = radius * np.array([[-1, 1, 1, -1], [-1, -1, 1, 1]])
    elif shape == 1:
        t = 2 * np.pi * np.arange(100) / 100
        x, y_up = 1.33 * radius * np.cos(t), radius / 1.33 * np.sin(t)
    else:
        t = 2 * np.pi * np.arange(150) / 150
        x = radius * np.sin(t) ** 3
        y_up = (
            2
            * radius
            / 29
            * (13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t))
            + 0.15 * radius
        )
    angle = np.linspace(0, 2 * np.pi, FACTOR_SIZES[2])[orientation]
    cos, sin = np.cos(angle), np.sin(angle)
    return np.stack([cos * x - sin * y_up, -(sin * x + cos * y_up)], axis=-1)


def _centres(size: int) -> np.ndarray:
    """Centre coordinates in pixels of each class of a position factor."""
    return 16 + 32 * np.linspace(0, 1, size)


@numba.njit(cache=True)
def _fill(xs: np.ndarray, ys: np.ndarray, crossings: np.ndarray, packed: np.ndarray) -> None:
    """Fills a polygon (even-odd) into packed bits, most significant bit first.

    Args:
        xs: int64 [vertices], in 1/256 pixel.
        ys: int64 [vertices], in 1/256 pixel.
        crossings: int64 [64, 32], scratch: the first pixel whose centre is not left of each edge.
        packed: uint8 [512], zero on entry.
    """
    half = SUBPIXELS // 2
    counts = np.zeros(IMAGE_SIZE, np.int64)
    num_vertices = len(xs)
    for i in range(num_vertices):
        j = i + 1 if i + 1 < num_vertices else 0
        x0, y0, x1, y1 = xs[i], ys[i], xs[j], ys[j]
        if y0 == y1:
            continue
        if y0 > y1:
            x0, y0, x1, y1 = x1, y1, x0, y0
        # Rows whose centre, 256 row + 128, lies in (y0, y1]: the top is out, the bottom is in.
        first = max((y0 - half) // SUBPIXELS + 1, 0)
        last = min((y1 - half) // SUBPIXELS, IMAGE_SIZE - 1)
        for row in range(first, last + 1):
            # The edge's x on this row is x0 + run / rise; a pixel is to the right of it, or on it,
            # if 256 column + 128 >= x. Ceiling division keeps this exact.
            rise = y1 - y0
            run = (x1 - x0) * (SUBPIXELS * row + half - y0)
            column = -((-(rise * (x0 - half) + run)) // (rise * SUBPIXELS))
            k = counts[row]
            while k > 0 and crossings[row, k - 1] > column:
                crossings[row, k] = crossings[row, k - 1]
                k -= 1
            crossings[row, k] = column
            counts[row] += 1
    for row in range(IMAGE_SIZE):
        for pair in range(0, counts[row], 2):
            start = max(crossings[row, pair], 0)
            stop = min(crossings[row, pair + 1], IMAGE_SIZE)
            for column in range(start, stop):
                packed[(row * IMAGE_SIZE + column) >> 3] |= np.uint8(128 >> (column & 7))


@numba.njit(cache=True, parallel=True)
def _fill_many(
    outlines: np.ndarray,
    starts: np.ndarray,
    which: np.ndarray,
    centres_x: np.ndarray,
    centres_y: np.ndarray,
) -> np.ndarray:
    """Renders image i: outline which[i], moved to (centres_x[i], centres_y[i]); uint8 [n, 512]."""
    num_images = len(which)
    packed = np.zeros((num_images, _BYTES), np.uint8)
    for i in numba.prange(num_images):
        vertices = outlines[starts[which[i]] : starts[which[i] + 1]]
        xs = np.empty(len(vertices), np.int64)
        ys = np.empty(len(vertices), np.int64)
        for v in range(len(vertices)):
            xs[v] = np.int64(np.rint(SUBPIXELS * (vertices[v, 0] + centres_x[i])))
            ys[v] = np.int64(np.rint(SUBPIXELS * (vertices[v, 1] + centres_y[i])))
        _fill(xs, ys, np.empty((IMAGE_SIZE, 32), np.int64), packed[i])
    return packed


def _render_packed(factors: np.ndarray) -> np.ndarray:
    """Renders class indices int [n, 5] to packed bits uint8 [n, 512]."""
    poses = FACTOR_SIZES[:3]
    outlines = [outline(*pose) for pose in np.ndindex(poses)]
    starts = np.cumsum([0, *map(len, outlines)])
    return _fill_many(
        np.concatenate(outlines),
        starts,
        np.ravel_multi_index(tuple(factors[:, :3].T), poses),
        _centres(FACTOR_SIZES[3])[factors[:, 3]],
        _centres(FACTOR_SIZES[4])[factors[:, 4]],
    )


def render(factors: np.ndarray) -> np.ndarray:
    """Renders images by their factors.

    Args:
        factors: int [n, 5], class indices (shape, scale, orientation, pos_x, pos_y).

    Returns:
        uint8 [n, 64, 64] in {0, 1}.

    Raises:
        ValueError: If the shape is another, or an index is out of its factor's range.
    """
    factors = np.asarray(factors)
    if factors.ndim != 2 or factors.shape[1] != len(FACTOR_SIZES):
        raise ValueError(f"factors are {list(factors.shape)}; expected [n, 5]")
    if np.any(factors < 0) or np.any(factors >= FACTOR_SIZES):
        raise ValueError(f"a factor is out of range; expected indices below {FACTOR_SIZES}")
    packed = _render_packed(factors.astype(np.int64))
    return np.unpackbits(packed, axis=-1).reshape(-1, IMAGE_SIZE, IMAGE_SIZE)


def all_factors() -> np.ndarray:
    """The factors of every image in the archive's order, the last factor fastest: [737280, 5]."""
    return grid(FACTOR_SIZES)


def load(cache: Path | None = None) -> Dataset:
    """Loads all 737,280 images, rendered once and kept in a cache file with its checksum.

    Args:
        cache: The folder of the cache file; by default the kit's own.
    """
    path = (cache or cache_directory()) / "dsprites.bits"
    storage = rendered_cache.load(
        path,
        (NUM_IMAGES, _BYTES),
        lambda: _render_packed(all_factors().astype(np.int64)),
    )
    return rendered_cache.with_fingerprint(_dataset(storage), path)


def _dataset(storage: np.ndarray) -> Dataset:
    shape = (IMAGE_SIZE, IMAGE_SIZE, 1)
    return Dataset(
        "dsprites",
        storage,
        1,
        shape,
        all_factors(),
        FACTOR_NAMES,
        FACTOR_SIZES,
        factor_kinds=FACTOR_KINDS,
        symmetries=SYMMETRIES,
    )


ARCHIVE_ARRAYS = ("imgs", "latents_classes")  # of the original .npz, which holds others, too


def from_archive(name: str, arrays: dict[str, np.ndarray]) -> Dataset:
    """The original archive, or some rows or columns of it, as it is.

    Args:
        name: The data set's.
        arrays: `ARCHIVE_ARRAYS`: uint8 [n, height, width] of zeros and ones, and int [n, k]: the
            colour, which is always white, and the factors of `FACTOR_NAMES`. Of other k, they have
            numbers for names.

    Raises:
        InputError: If they are of other types or shapes, or nothing varies.
    """
    images, classes = (arrays[key] for key in ARCHIVE_ARRAYS)
    if images.dtype != np.uint8 or images.ndim != 3 or images.size == 0:
        raise InputError(
            f"{name}: imgs are {images.dtype} {list(images.shape)}; expected uint8 [n, height, "
            "width], as in dSprites' archive"
        )
    classes = checked.whole(name, "latents_classes", classes, (len(images), "k"))
    names = [f"factor {j}" for j in range(classes.shape[1])]
    kinds = ["ordered"] * len(names)
    if len(names) == len(FACTOR_NAMES) + 1:
        names, kinds = ["colour", *FACTOR_NAMES], ["categorical", *FACTOR_KINDS]
    kept = np.flatnonzero((classes != classes[:1]).any(axis=0))
    factors, _, found, sizes = checked.factors(
        name,
        classes[:, kept],
        [names[j] for j in kept],
        classes[:, kept].max(axis=0, initial=0) + 1,
        len(images),
    )
    kinds = [kinds[j] for j in kept]
    storage, bits = pack(images)
    shape = (*images.shape[1:], 1)
    symmetries = SYMMETRIES if kinds[:1] == ["categorical"] and "angle" in kinds else ()
    if not symmetries:  # whose angles these are is not known
        kinds = ["ordered" if kind == "angle" else kind for kind in kinds]
    return Dataset(name, storage, bits, shape, factors, found, sizes, tuple(kinds), symmetries)


def load_tfds() -> Dataset:
    """Loads the original archive through TensorFlow Datasets (it downloads it at first use).

    Raises:
        InputError: If TensorFlow Datasets is not installed or cannot fetch the archive.
    """
    otherwise = "leave data_source out: the rendered data set is the same"
    return from_examples(tfds_examples.load("dsprites", "train", otherwise))


_EXAMPLE_KEYS = ("shape", "scale", "orientation", "x_position", "y_position")


def from_examples(examples: Iterable[Mapping[str, np.ndarray]]) -> Dataset:
    """Orders TensorFlow Datasets' examples, which come shuffled, as the archive does.

    Args:
        examples: Dictionaries with `image` uint8 [64, 64, 1] and the `label_*` class indices.

    Raises:
        InputError: If an image is missing.
    """
    storage = np.zeros((NUM_IMAGES, _BYTES), np.uint8)
    seen = np.zeros(NUM_IMAGES, bool)
    for example in examples:
        factors = tuple(int(example[f"label_{key}"]) for key in _EXAMPLE_KEYS)
        index = np.ravel_multi_index(factors, FACTOR_SIZES)
        storage[index] = np.packbits(example["image"].ravel() > 0)
        seen[index] = True
    if not seen.all():
        raise InputError(
            f"TensorFlow Datasets gave {int(seen.sum())} of dSprites' {NUM_IMAGES} images; "
            "delete its prepared copy and let it prepare the archive again"
        )
    return _dataset(storage)
