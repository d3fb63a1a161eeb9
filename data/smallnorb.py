"""SmallNORB (LeCun et al. 2004): 50 toys of five kinds, from 162 sides and in six lights.

From the six official files in a folder (binary matrices, packed by gzip or not), or TensorFlow
Datasets' `smallnorb`: training and testing together, of each pair of cameras the first, averaged
down from 96 x 96 to 64 x 64, as the field has it (Locatello et al. 2019). Which toy of its category
is seen is no factor: its ten instances are images of the same factors.
"""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np

from data import prepared, tfds_examples
from data.area_means import shrink
from data.dataset import Dataset
from data.files import InputError
from data.prepared import BLOCK, Blocks, Published

PARTS = ("5x46789x9x18x6x2x96x96-training", "5x01235x9x18x6x2x96x96-testing")
STORED_SIZE = 96  # pixels a side, in the files
WHAT_TO_FETCH = (
    "fetch the six smallnorb-*.mat.gz (dat, cat and info, of training and testing) from "
    "cs.nyu.edu/~ylclab/data/norb-v1.0-small into one folder and give data_source=files "
    "data_file=FOLDER, or give data_source=tfds"
)
PUBLISHED = Published(
    "smallnorb",
    (64, 64, 1),
    ("category", "elevation", "azimuth", "lighting", "instance"),
    (5, 9, 18, 6, 10),
    # Azimuths go round, for which there is no kind.
    ("categorical", "ordered", "categorical", "categorical", "categorical"),
    WHAT_TO_FETCH,
    num_unnamed=1,
)
# The first word of a file says of what its matrix is.
_TYPES = {0x1E3D4C55: np.dtype("u1"), 0x1E3D4C54: np.dtype("<i4")}


def load(data_source: str, data_file: Path | None, cache: Path | None = None) -> Dataset:
    """Loads all images, as `prepared.load` does."""
    return prepared.load(
        PUBLISHED, data_source, data_file, from_files, lambda: from_examples(_examples()), cache
    )


def from_files(folder: Path) -> Blocks:
    """The official images, by their labels.

    Args:
        folder: Where the six files are.

    Raises:
        InputError: If one is missing or damaged, or they do not fit together.
    """
    for part in PARTS:
        stem = f"smallnorb-{part}"
        categories = _matrix(folder, f"{stem}-cat.mat", "<i4", ("n",))
        info = _matrix(folder, f"{stem}-info.mat", "<i4", (len(categories), 4))
        instances, elevations, azimuths, lightings = info.T
        columns = (categories, elevations, azimuths / 2, lightings, instances)  # by 20 degrees
        rows = _rows(folder / f"{stem}-info.mat", np.stack(columns, axis=1))
        shape = (len(rows), 2, STORED_SIZE, STORED_SIZE)
        with _opened(folder, f"{stem}-dat.mat") as file:
            _header(folder / f"{stem}-dat.mat", file, "u1", shape)
            for start in range(0, len(rows), BLOCK):
                count = min(BLOCK, len(rows) - start)
                where = folder / f"{stem}-dat.mat"
                pairs = _read(where, file, np.dtype("u1"), (count, *shape[1:]))
                images = shrink(pairs[:, 0, :, :, None], PUBLISHED.image_shape[0])
                yield rows[start : start + count], images


def _rows(where: Path, classes: np.ndarray) -> np.ndarray:
    """Row numbers of class indices [n, 5].

    Raises:
        InputError: If one is none.
    """
    sizes = PUBLISHED.factor_sizes
    for name, size, column in zip(PUBLISHED.factor_names, sizes, classes.T, strict=True):
        if np.any((column < 0) | (column >= size) | (column != np.floor(column))):
            raise InputError(
                f"{where}: {name} runs from {column.min():g} to {column.max():g}; expected class "
                f"indices up to {size - 1}; fetch it anew"
            )
    return np.ravel_multi_index(tuple(classes.astype(np.int64).T), sizes)


def _opened(folder: Path, name: str) -> io.BufferedIOBase:
    packed = folder / f"{name}.gz"
    if packed.is_file():
        return gzip.open(packed)
    if not (folder / name).is_file():
        raise InputError(f"{packed}: no such file; {WHAT_TO_FETCH}")
    return (folder / name).open("rb")


def _matrix(folder: Path, name: str, dtype: str, shape: tuple[int | str, ...]) -> np.ndarray:
    """A whole matrix of a file."""
    with _opened(folder, name) as file:
        sizes = _header(folder / name, file, dtype, shape)
        return _read(folder / name, file, np.dtype(dtype), sizes)


def _header(
    where: Path, file: io.BufferedIOBase, dtype: str, shape: tuple[int | str, ...]
) -> tuple[int, ...]:
    """Reads the sizes of a matrix: a word for its type, its number of axes, and a word for each.

    Raises:
        InputError: If it is of another type or size; letters stand for any length.
    """
    magic, num_axes = _read(where, file, np.dtype("<i4"), (2,)).tolist()
    if magic not in _TYPES or not 0 < num_axes < 10:
        raise InputError(f"{where}: no binary matrix of NORB's; fetch it anew")
    # Those of fewer than three axes have three words all the same.
    sizes = tuple(_read(where, file, np.dtype("<i4"), (max(3, num_axes),)).tolist()[:num_axes])
    fits = len(sizes) == len(shape) and all(
        isinstance(wanted, str) or size == wanted for size, wanted in zip(sizes, shape, strict=True)
    )
    if _TYPES[magic] != np.dtype(dtype) or not fits:
        raise InputError(
            f"{where}: a matrix of {_TYPES[magic]} {list(sizes)}; expected {np.dtype(dtype)} "
            f"[{', '.join(map(str, shape))}]; fetch it anew"
        )
    return sizes


def _read(
    where: Path, file: io.BufferedIOBase, dtype: np.dtype, shape: tuple[int, ...]
) -> np.ndarray:
    size = int(np.prod(shape)) * dtype.itemsize
    try:
        content = file.read(size)
    except (EOFError, OSError, zlib.error) as error:
        raise InputError(f"{where}: damaged ({error}); fetch it anew") from error
    if len(content) < size:
        raise InputError(f"{where}: it is cut short; fetch it anew")
    return np.frombuffer(content, dtype).reshape(shape)


def _examples() -> Iterable[Mapping[str, np.ndarray]]:
    return tfds_examples.load("smallnorb", "train+test", WHAT_TO_FETCH)


def from_examples(examples: Iterable[Mapping[str, np.ndarray]]) -> Blocks:
    """Examples of TensorFlow Datasets, which come shuffled.

    Args:
        examples: Dictionaries with `image` uint8 [96, 96, 1], `instance` and the `label_*` class
            indices.
    """
    names = [f"label_{name}" for name in PUBLISHED.factor_names[:-1]] + ["instance"]

    def numbered() -> Iterator[tuple[int, np.ndarray]]:
        for example in examples:
            classes = tuple(int(example[name]) for name in names)
            row = int(np.ravel_multi_index(classes, PUBLISHED.factor_sizes))
            yield row, shrink(example["image"], PUBLISHED.image_shape[0])

    return prepared.blocks_of(numbered())
