"""3D Shapes (Burgess & Kim 2018): 480,000 images of an object in a coloured room, from DeepMind.

The kit renders a scene of this kind itself (`data.coloured_scene`); here are the published images,
from `3dshapes.h5` or TensorFlow Datasets' `shapes3d`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from data import prepared, tfds_examples
from data.dataset import Dataset
from data.files import InputError
from data.prepared import BLOCK, Blocks, Published

FILE = "3dshapes.h5"
WHAT_TO_FETCH = (
    f"fetch {FILE} from storage.googleapis.com/3d-shapes and give data_source=files "
    "data_file=PATH, or give data_source=tfds"
)
PUBLISHED = Published(
    "shapes3d",
    (64, 64, 3),
    ("floor_hue", "wall_hue", "object_hue", "scale", "shape", "orientation"),
    (10, 10, 10, 8, 4, 15),
    # Hues go round, for which there is no kind: their classes are taken as they are.
    ("categorical", "categorical", "categorical", "ordered", "categorical", "ordered"),
    WHAT_TO_FETCH,
)


def load(data_source: str, data_file: Path | None, cache: Path | None = None) -> Dataset:
    """Loads all images, as `prepared.load` does."""
    return prepared.load(
        PUBLISHED, data_source, data_file, from_file, lambda: from_examples(_examples()), cache
    )


def from_file(path: Path) -> Blocks:
    """The official file's images, by their labels, which are values of the factors.

    Args:
        path: `3dshapes.h5`, or its folder.

    Raises:
        InputError: If it is damaged or no such file.
    """
    path = path / FILE if path.is_dir() else path
    if not path.is_file():
        raise InputError(f"{path}: no such file; {WHAT_TO_FETCH}")
    try:
        import h5py
    except ImportError as error:
        raise InputError(
            'reading 3D Shapes needs h5py, which comes with the extra train: pip install ".[train]"'
        ) from error
    try:
        with h5py.File(path) as file:
            for key in ("images", "labels"):
                if key not in file:
                    raise InputError(
                        f"{path}: has no {key}; it holds {', '.join(file) or 'nothing'}"
                    )
            yield from _blocks(path, file["images"], np.asarray(file["labels"]))
    except OSError as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path}: damaged or no HDF5 file ({reason}); fetch it anew") from error


def _blocks(path: Path, images: Any, labels: np.ndarray) -> Blocks:
    """Blocks of an open file's images, an array of h5py's.

    Raises:
        InputError: If they are not what they should be.
    """
    expected = (PUBLISHED.num_images, *PUBLISHED.image_shape)
    if images.dtype != np.uint8 or images.shape != expected:
        raise InputError(
            f"{path}: images are {images.dtype} {list(images.shape)}; expected uint8 "
            f"{list(expected)}"
        )
    sizes = PUBLISHED.factor_sizes
    if labels.shape != (len(images), len(sizes)):
        raise InputError(
            f"{path}: labels are {list(labels.shape)}; expected [{len(images)}, {len(sizes)}]"
        )
    columns = [np.unique(column, return_inverse=True) for column in labels.T]
    found = tuple(len(values) for values, _ in columns)
    if found != sizes:
        raise InputError(
            f"{path}: its labels have {', '.join(map(str, found))} values; expected "
            + ", ".join(map(str, sizes))
            + f", of {', '.join(PUBLISHED.factor_names)}"
        )
    rows = np.ravel_multi_index(tuple(classes for _, classes in columns), sizes)
    # Compressed in chunks of many images, of which each should be read but once.
    step = max(BLOCK, images.chunks[0] if images.chunks else 0)
    for start in range(0, len(rows), step):
        yield rows[start : start + step], images[start : start + step]


def _examples() -> Iterable[Mapping[str, np.ndarray]]:
    return tfds_examples.load("shapes3d", "train", WHAT_TO_FETCH)


def from_examples(examples: Iterable[Mapping[str, np.ndarray]]) -> Blocks:
    """Examples of TensorFlow Datasets, which come shuffled.

    Args:
        examples: Dictionaries with `image` uint8 [64, 64, 3] and the `label_*` class indices.
    """

    def numbered() -> Iterator[tuple[int, np.ndarray]]:
        for example in examples:
            classes = tuple(int(example[f"label_{name}"]) for name in PUBLISHED.factor_names)
            yield int(np.ravel_multi_index(classes, PUBLISHED.factor_sizes)), example["image"]

    return prepared.blocks_of(numbered())
