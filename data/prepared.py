"""Data sets that others published, unpacked once into a mapped file with a header.

A data set comes through one of three doors: its official files, TensorFlow Datasets where that has
it, or what either of them was prepared into. Whatever the door, images are in the order of their
factors, and so the same.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import logging
import math
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tqdm

from data.dataset import Dataset, content_digest
from data.drawn import grid
from data.files import InputError, atomic_write, cache_directory, exclusive, write_text

BLOCK = 256  # images that are read at once
_HEADER, _IMAGES = "header.json", "images.u8"

Blocks = Iterator[tuple[np.ndarray, np.ndarray]]


@dataclasses.dataclass(frozen=True)
class Published:
    """A data set that others published, whose images show every combination of its factors.

    Attributes:
        name: The data set's, and of its cache.
        image_shape: (height, width, channels), as they are prepared.
        factor_names: In the order in which the images are numbered, the last factor fastest.
        factor_sizes: Their numbers of classes.
        factor_kinds: What each is, of `data.dataset.FACTOR_KINDS`.
        num_unnamed: So many last factors are numbered but not handed on, as nobody asks for them.
        what_to_fetch: What is to be done where nothing is there, in words.
    """

    name: str
    image_shape: tuple[int, int, int]
    factor_names: tuple[str, ...]
    factor_sizes: tuple[int, ...]
    factor_kinds: tuple[str, ...]
    what_to_fetch: str
    num_unnamed: int = 0

    @property
    def num_images(self) -> int:
        """How many images there are."""
        return math.prod(self.factor_sizes)


def load(
    published: Published,
    data_source: str,
    data_file: Path | None,
    from_files: Callable[[Path], Blocks],
    from_tfds: Callable[[], Blocks] | None = None,
    cache: Path | None = None,
) -> Dataset:
    """Loads a data set through a door, prepared first where it is not yet.

    Args:
        published: Which.
        data_source: `files`, `tfds`, or anything else for what was prepared before.
        data_file: The official file, or the folder of them; for `files` alone.
        from_files: From it to blocks: row numbers int64 [m], each once over all blocks, and images
            uint8 [m, height, width, channels].
        from_tfds: The same, of TensorFlow Datasets; None if that does not have it.
        cache: The folder of the caches; by default the kit's own.

    Raises:
        InputError: If files are missing or damaged, or nothing is prepared.
    """
    name, todo = published.name, published.what_to_fetch
    if (data_source == "files") != (data_file is not None):
        doors = "data_source=files and data_file together" + ", or data_source=tfds" * bool(
            from_tfds
        )
        raise InputError(f"{name} takes {doors}, or neither of them once it is prepared")
    folder = (cache or cache_directory()) / name
    if data_file is None and data_source != "tfds":
        found = _read(folder, published)
        if found is None:
            raise InputError(f"{name} is not prepared yet; {todo}")
        return found
    if data_file is not None and not data_file.exists():
        raise InputError(f"{data_file}: no such file; {todo}")
    with exclusive(folder.with_suffix(".lock"), wait=True):
        found = _read(folder, published)
        if data_file is None:
            if found is not None:
                return found
            assert from_tfds is not None
            return _prepare(folder, published, from_tfds())
        blocks = from_files(data_file)
        if found is None:
            return _prepare(folder, published, blocks)
        rows, images = next(blocks)
        if np.array_equal(found.storage[rows], images.reshape(len(rows), -1)):
            return found
        logging.warning("%s was prepared from other files than %s; anew", folder, data_file)
        return _prepare(folder, published, from_files(data_file))


def blocks_of(images: Iterable[tuple[int, np.ndarray]]) -> Blocks:
    """Blocks of images that come one by one, with their row numbers."""
    one_by_one = iter(images)
    while block := list(itertools.islice(one_by_one, BLOCK)):
        yield np.array([row for row, _ in block]), np.stack([image for _, image in block])


def _prepare(folder: Path, published: Published, blocks: Blocks) -> Dataset:
    """Writes the images to their rows of a file, a block at a time; it is there when it is whole.

    Raises:
        InputError: If a row is missing or there twice.
    """
    shape = (published.num_images, math.prod(published.image_shape))
    seen = np.zeros(shape[0], bool)
    bar = tqdm.tqdm(
        desc=f"preparing {published.name}", total=len(seen), unit=" images", disable=None
    )
    with bar, atomic_write(folder / _IMAGES) as file:
        for rows, images in blocks:
            if seen[rows].any() or len(np.unique(rows)) < len(rows):
                raise InputError(
                    f"{published.name}: the same factors are there twice; fetch it anew"
                )
            seen[rows] = True
            for row, image in zip(rows.tolist(), images, strict=True):
                file.seek(row * shape[1])
                file.write(image.tobytes())
            bar.update(len(rows))
        if not seen.all():
            raise InputError(
                f"{published.name}: {int(seen.sum()):,} of {len(seen):,} images are there; fetch "
                "it anew"
            )
        (folder / _HEADER).unlink(missing_ok=True)  # of what was there before
    storage = np.memmap(folder / _IMAGES, np.uint8, "r", shape=shape)
    digest = content_digest(
        8,
        published.image_shape,
        _named(published),
        (storage[start : start + BLOCK].tobytes() for start in range(0, len(storage), BLOCK)),
        _factors(published),
    )
    write_text(folder / _HEADER, json.dumps({"fingerprint": digest, "shape": shape}) + "\n")
    found = _read(folder, published)
    assert found is not None
    return found


def _named(published: Published) -> tuple[str, ...]:
    return published.factor_names[: len(published.factor_names) - published.num_unnamed]


def _factors(published: Published) -> np.ndarray:
    """The named factors of every image: int32 [n, k]."""
    return grid(published.factor_sizes)[:, : len(_named(published))]


def _read(folder: Path, published: Published) -> Dataset | None:
    """What is prepared; None where nothing is, or half of it. A damaged one is logged."""
    if not (folder / _HEADER).exists():
        return None
    shape = (published.num_images, math.prod(published.image_shape))
    try:
        header: dict[str, Any] = json.loads((folder / _HEADER).read_text(encoding="utf-8"))
        size = (folder / _IMAGES).stat().st_size
        if header["shape"] == list(shape) and size == math.prod(shape):
            names = _named(published)
            return Dataset(
                published.name,
                np.memmap(folder / _IMAGES, np.uint8, "r", shape=shape),
                8,
                published.image_shape,
                _factors(published),
                names,
                published.factor_sizes[: len(names)],
                published.factor_kinds[: len(names)],
                known_fingerprint=header["fingerprint"],
            )
    except (ValueError, KeyError, TypeError, OSError):
        pass
    logging.warning("%s is damaged; it has to be prepared anew", folder)
    return None
