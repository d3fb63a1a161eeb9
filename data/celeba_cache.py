"""CelebA prepared once: JPEGs cropped and averaged down, by all cores, into a mapped file."""

from __future__ import annotations

import collections
import dataclasses
import itertools
import json
import logging
import math
import os
import zlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any

import numpy as np
import threadpoolctl
import tqdm

from data.area_means import shrink
from data.celeba_files import ATTRIBUTES, HEIGHT, PARTITIONS, WIDTH, Labels
from data.dataset import Dataset, content_digest
from data.files import InputError, load_npz, save_npz, write_text

BLOCK = 64  # images that a thread prepares at once, and that an interruption costs at most

Header = dict[str, Any]

_HEADER, _IMAGES, _LABELS, _JOURNAL = "header.json", "images.u8", "labels.npz", "journal.txt"


@dataclasses.dataclass(frozen=True)
class Variant:
    """Which part of an image is seen, how large.

    Attributes:
        crop: Side of the centre crop in pixels; 0: the whole image.
        size: Side to which it is averaged down.
    """

    crop: int
    size: int

    @property
    def shape(self) -> tuple[int, int, int]:
        """(height, width, channels)."""
        return self.size, self.size, 3


VARIANTS = {
    "crop148_64": Variant(148, 64),
    "crop148_128": Variant(148, 128),
    "whole_64": Variant(0, 64),
    "crop128_32": Variant(128, 32),
}


@dataclasses.dataclass(frozen=True, eq=False)
class Source:
    """The JPEGs from whatever door.

    Attributes:
        name: The door's.
        order: int [n], the row in the cache of each JPEG in the order in which they come.
        read_from: A function from a place in this order to the names and JPEGs from there on.
    """

    name: str
    order: np.ndarray
    read_from: Callable[[int], Iterator[tuple[str, bytes]]]


def crop_and_resize(image: np.ndarray, variant: Variant) -> np.ndarray:
    """The image as a variant has it: each pixel the mean over the area that it covers.

    Args:
        image: uint8 [218, 178, 3].
        variant: What is wanted.

    Returns:
        uint8 [size, size, 3], rounded half up.
    """
    if variant.crop:
        top, left = (HEIGHT - variant.crop) // 2, (WIDTH - variant.crop) // 2
        image = image[top : top + variant.crop, left : left + variant.crop]
    return shrink(image, variant.size)


def decode(name: str, jpeg: bytes) -> np.ndarray:
    """Decodes a JPEG as TensorFlow Datasets does: uint8 [218, 178, 3].

    Other decoders, and TensorFlow's own other settings, differ by up to ten in 255.

    Raises:
        InputError: If it is damaged or of another size.
    """
    import tensorflow as tf

    try:
        with tf.device("CPU"):
            image = tf.io.decode_jpeg(jpeg, channels=3).numpy()
    except tf.errors.InvalidArgumentError as error:
        raise InputError(f"{name} is no whole JPEG; fetch it anew") from error
    if image.shape != (HEIGHT, WIDTH, 3):
        raise InputError(
            f"{name} is {image.shape[1]} x {image.shape[0]} pixels; expected the aligned images of "
            f"{WIDTH} x {HEIGHT}"
        )
    return image


def prepare(folder: Path, variant: Variant, labels: Labels, source: Source) -> Header:
    """Prepares all images into a cache folder, or goes on where it was interrupted.

    Memory does not grow with the number of images: a few blocks for each core are held at a time.

    Args:
        folder: The cache folder; the caller holds its lock.
        variant: What is wanted.
        labels: All images', in the order of the cache.
        source: Their JPEGs.

    Returns:
        What `dataset` needs.

    Raises:
        InputError: If an image is damaged, or there are too few of them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _HEADER).unlink(missing_ok=True)
    names, values = np.array(labels.names), math.prod(variant.shape)
    arrays = {"names": names, "attributes": labels.attributes, "partitions": labels.partitions}
    save_npz(folder / _LABELS, arrays)
    (folder / _IMAGES).touch()
    title = f"{source.name} {labels.digest}"
    with (
        (folder / _IMAGES).open("r+b") as images,
        (folder / _JOURNAL).open("a+", encoding="utf-8") as journal,
    ):
        images.truncate(len(labels) * values)
        done = _take_up(images, journal, title, source.order, values)
        _prepare_blocks(images, journal, variant, source, done)
        images.flush()
        header: Header = {
            "labels": labels.digest,
            "fingerprints": {
                partition: _fingerprint(images, variant, labels, labels.rows(partition))
                for partition in (*PARTITIONS, "all")
            },
        }
    write_text(folder / _HEADER, json.dumps(header, indent=2) + "\n")
    (folder / _JOURNAL).unlink()
    return header


def _take_up(images: IO[bytes], journal: IO[str], title: str, order: np.ndarray, size: int) -> int:
    """How many blocks an interrupted preparation left whole; drops the rest of its journal.

    The journal's first line is a title, each further one the CRC-32 of a block.
    """
    journal.seek(0)
    lines = journal.read().split("\n")[:-1]  # a last line without an end was cut short
    whole = lines[:1] if lines[:1] == [title] else []
    if whole:
        for block, line in enumerate(lines[1:]):
            rows = order[block * BLOCK : (block + 1) * BLOCK]
            crc = 0
            for row in rows:
                images.seek(row * size)
                crc = zlib.crc32(images.read(size), crc)
            if not len(rows) or line != f"{crc:08x}":
                break
            whole.append(line)
    journal.truncate(0)
    journal.write("".join(f"{line}\n" for line in whole or [title]))
    journal.flush()
    return max(len(whole) - 1, 0)


def _prepare_blocks(
    images: IO[bytes], journal: IO[str], variant: Variant, source: Source, done: int
) -> None:
    """Prepares the blocks that are not done yet and writes them one after the other."""
    start, size = min(done * BLOCK, len(source.order)), math.prod(variant.shape)
    encoded = source.read_from(start)
    blocks = iter(lambda: list(itertools.islice(encoded, BLOCK)), [])

    def prepared(block: list[tuple[str, bytes]]) -> list[bytes]:
        return [crop_and_resize(decode(*image), variant).tobytes() for image in block]

    cores = _num_cores()
    bar = tqdm.tqdm(
        desc="preparing CelebA",
        total=len(source.order),
        initial=start,
        unit=" images",
        disable=None,
    )
    with bar, threadpoolctl.threadpool_limits(1), ThreadPoolExecutor(cores) as pool:
        for parts in _map_in_order(pool, prepared, blocks, ahead=2 * cores):
            for row, part in zip(source.order[start:], parts, strict=False):
                images.seek(row * size)
                images.write(part)
            images.flush()
            journal.write(f"{zlib.crc32(b''.join(parts)):08x}\n")
            journal.flush()
            start += len(parts)
            bar.update(len(parts))
    if start < len(source.order):
        raise InputError(
            f"{source.name} gave {start:,} of {len(source.order):,} images; fetch them anew"
        )


def _map_in_order(
    pool: ThreadPoolExecutor, function: Callable[[Any], Any], items: Iterable[Any], ahead: int
) -> Iterator[Any]:
    """Results in the order of the items, of which no more than `ahead` are taken in advance."""
    waiting: collections.deque[Future[Any]] = collections.deque()
    try:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) == ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()


def _num_cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _fingerprint(images: IO[bytes], variant: Variant, labels: Labels, rows: slice) -> str:
    """What `Dataset.fingerprint` is for these rows, read block by block."""
    size = math.prod(variant.shape)
    images.seek(rows.start * size)
    starts = range(rows.start, rows.stop, BLOCK)
    parts = (images.read((min(start + BLOCK, rows.stop) - start) * size) for start in starts)
    return content_digest(8, variant.shape, ATTRIBUTES, parts, labels.attributes[rows])


def read(folder: Path, variant: Variant) -> tuple[Header, Labels] | None:
    """The header and the labels of a prepared cache; None where there is none, or half of one.

    A damaged one is logged. Images are not read, so that a start takes no time: a change in them
    that leaves the file its size is not noticed.
    """
    if not (folder / _HEADER).exists():
        return None
    try:
        header = json.loads((folder / _HEADER).read_text(encoding="utf-8"))
        arrays = load_npz(folder / _LABELS, ["names", "attributes", "partitions"])
        names = tuple(arrays["names"].tolist())
        labels = Labels(names, arrays["attributes"], arrays["partitions"])
        size = (folder / _IMAGES).stat().st_size
        if header["labels"] == labels.digest and size == len(labels) * math.prod(variant.shape):
            return header, labels
    except (ValueError, KeyError, TypeError, OSError):  # an InputError is a ValueError
        pass
    logging.warning("%s is damaged; it has to be prepared anew", folder)
    return None


def dataset(
    folder: Path, variant: Variant, partition: str, header: Header, labels: Labels
) -> Dataset:
    """The images of a partition, or of `all`, as they lie in a prepared cache."""
    rows = labels.rows(partition)
    shape = (len(labels), math.prod(variant.shape))
    storage = np.memmap(folder / _IMAGES, np.uint8, "r", shape=shape)
    return Dataset(
        "celeb_a",
        storage[rows],
        8,
        variant.shape,
        labels.attributes[rows].astype(np.int32),
        ATTRIBUTES,
        (2,) * len(ATTRIBUTES),
        factor_kinds=("categorical",) * len(ATTRIBUTES),
        known_fingerprint=header["fingerprints"][partition],
    )
