"""CelebA (Liu et al. 2015), aligned: 202,599 photographs of faces with 40 binary attributes.

Three doors lead to the same data set: the official files in a folder, TensorFlow Datasets, and the
cache that either of them was prepared into. A variant is named as `VARIANTS` has it, and holds the
official training partition (162,770 images), on which models are trained and by which their axes
are judged; with `_valid`, `_test` or `_all` at its end it holds another one, or every image.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from data import celeba_cache
from data.celeba_cache import VARIANTS, Source
from data.celeba_files import (
    ATTRIBUTES,
    NUM_IMAGES,
    PARTITIONS,
    WHAT_TO_FETCH,
    Labels,
    official_folder,
    open_images,
    read_labels,
)
from data.dataset import Dataset
from data.files import InputError, cache_directory, exclusive, write_text

DEFAULT_VARIANT = "crop148_64"

LICENCE = (
    "CelebA is for non-commercial research only. Its images are the property of their owners and "
    "may not be reproduced, copied, sold or given on, nor may the prepared copy; publications cite "
    "Liu et al., Deep Learning Face Attributes in the Wild, ICCV 2015. The agreement: "
    "mmlab.ie.cuhk.edu.hk/projects/CelebA.html"
)

_TFDS_SPLITS = ("train", "validation", "test")  # in the order of `PARTITIONS`


def load(data_source: str, folder: Path | None, variant: str, cache: Path | None = None) -> Dataset:
    """Loads a variant, prepared first where it is not yet.

    Args:
        data_source: `files` (the official ones), `tfds`, or anything else for the official images
            as they were prepared before.
        folder: The official files', for `files` alone.
        variant: As above; the default one is nameless.
        cache: The folder of the caches; by default the kit's own.

    Raises:
        InputError: If there is no such variant, files are missing or damaged, TensorFlow Datasets
            cannot fetch them, or nothing is prepared.
    """
    name, partition = _parse(variant)
    if (data_source == "files") != (folder is not None):
        raise InputError(
            "celeb_a takes data_source=files and data_file=FOLDER together, "
            "or data_source=tfds, or neither of them once it is prepared"
        )
    root = (cache or cache_directory()) / "celeb_a"
    if folder is not None:
        return _from_files(folder, name, partition, root)
    if data_source == "tfds":
        return _from_tfds(name, partition, root)
    prepared = _read(root, name, partition, NUM_IMAGES)
    if prepared is None:
        raise InputError(
            f"celeb_a as {name} is not prepared yet; {WHAT_TO_FETCH}, or try data_source=tfds"
        )
    return prepared


def _parse(variant: str) -> tuple[str, str]:
    """The key of `VARIANTS` and the partition that a variant's name means."""
    name, partition = variant, "train"
    for other in (*PARTITIONS[1:], "all"):
        if variant.endswith(f"_{other}"):
            name, partition = variant.removesuffix(f"_{other}"), other
    name = name or DEFAULT_VARIANT
    if name not in VARIANTS:
        raise InputError(
            f"unknown variant {variant!r} of celeb_a; expected one of {', '.join(VARIANTS)}, "
            "maybe with _valid, _test or _all behind it"
        )
    return name, partition


def _folder(root: Path, name: str, num_images: int) -> Path:
    return root / f"{name}-{num_images}"


def _read(
    root: Path, name: str, partition: str, num_images: int, labels: Labels | None = None
) -> Dataset | None:
    """A prepared data set; None where there is none, or its labels are not those wanted."""
    folder, variant = _folder(root, name, num_images), VARIANTS[name]
    found = celeba_cache.read(folder, variant)
    if found is None or (labels is not None and labels.digest != found[1].digest):
        return None
    return celeba_cache.dataset(folder, variant, partition, *found)


def _prepare(root: Path, name: str, partition: str, labels: Labels, source: Source) -> Dataset:
    """Prepares a variant, and shows the licence where it was not shown yet."""
    shown = root / "licence.txt"
    if not shown.exists():
        print(LICENCE)
        write_text(shown, LICENCE + "\n")
    folder, variant = _folder(root, name, len(labels)), VARIANTS[name]
    header = celeba_cache.prepare(folder, variant, labels, source)
    return celeba_cache.dataset(folder, variant, partition, header, labels)


def _from_files(folder: Path, name: str, partition: str, root: Path) -> Dataset:
    """From the official files; a cache is theirs where their lists say the same as it."""
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; {WHAT_TO_FETCH}")
    folder = official_folder(folder)
    labels = read_labels(folder)
    if len(labels) != NUM_IMAGES:
        logging.warning(f"{folder} lists {len(labels):,} images; CelebA has {NUM_IMAGES:,}")
    with exclusive(_folder(root, name, len(labels)).with_suffix(".lock"), wait=True):
        found = _read(root, name, partition, len(labels), labels)
        if found is not None:
            return found
        with open_images(folder, labels.names) as read:

            def read_from(start: int) -> Iterator[tuple[str, bytes]]:
                return ((f"{folder}: {image}", read(image)) for image in labels.names[start:])

            source = Source("files", np.arange(len(labels)), read_from)
            return _prepare(root, name, partition, labels, source)


def _from_tfds(name: str, partition: str, root: Path) -> Dataset:
    """From TensorFlow Datasets, which is not asked where the official images are prepared."""
    found = _read(root, name, partition, NUM_IMAGES)
    if found is not None:
        return found
    try:
        import tensorflow_datasets as tfds
    except ImportError as error:
        raise InputError(
            "data_source=tfds needs TensorFlow Datasets; install axisbias[tfds], or "
            f"{WHAT_TO_FETCH}"
        ) from error
    try:
        builder = tfds.builder("celeb_a")
        builder.download_and_prepare()
    except Exception as error:  # whatever a download can raise
        first_line = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise InputError(
            f"TensorFlow Datasets could not fetch celeb_a ({first_line}); the drive that it comes "
            f"from has a quota: {WHAT_TO_FETCH}"
        ) from error
    return from_builder(builder, name, partition, root)


def from_builder(builder: Any, name: str, partition: str, root: Path) -> Dataset:
    """From a prepared builder of TensorFlow Datasets, whose examples bear no file names.

    The official partitions are runs of consecutive file numbers, and the examples of a split come
    in the order of MD5 over the split's name and the file's; so the order of the files is known.

    Args:
        builder: TFDS' for `celeb_a`, downloaded and prepared.
        name: A key of `VARIANTS`.
        partition: One of `PARTITIONS`, or `all`.
        root: The folder of CelebA's caches.
    """
    counts = [builder.info.splits[split].num_examples for split in _TFDS_SPLITS]
    names = [f"{number:06d}.jpg" for number in range(1, sum(counts) + 1)]
    with exclusive(_folder(root, name, len(names)).with_suffix(".lock"), wait=True):
        found = _read(root, name, partition, len(names))
        if found is not None:
            return found
        rows = _rows_of_examples(names, counts)
        attributes = np.zeros((len(names), len(ATTRIBUTES)), np.uint8)
        for row, example in zip(rows, _examples(builder, {"attributes": True}), strict=True):
            attributes[row] = [example["attributes"][key] for key in ATTRIBUTES]
        labels = Labels(tuple(names), attributes, np.repeat(np.arange(3, dtype=np.uint8), counts))

        def read_from(start: int) -> Iterator[tuple[str, bytes]]:
            examples = _examples(builder, {"image": True}, start)
            for row, example in zip(rows[start:], examples, strict=True):
                yield f"TensorFlow Datasets' {names[row]}", example["image"]

        return _prepare(root, name, partition, labels, Source("tfds", rows, read_from))


def _rows_of_examples(names: Sequence[str], counts: Sequence[int]) -> np.ndarray:
    """The place among the file names of each example as TensorFlow Datasets stores them."""
    orders, first = [], 0
    for split, count in zip(_TFDS_SPLITS, counts, strict=True):
        keys = [
            hashlib.md5(f"{split}{name}".encode(), usedforsecurity=False).digest()
            for name in names[first : first + count]
        ]
        orders.append(first + np.argsort(keys))
        first += count
    return np.concatenate(orders)


def _examples(builder: Any, wanted: dict[str, bool], start: int = 0) -> Iterator[dict[str, Any]]:
    """Entries of the examples from one on, as they are stored; images are still JPEGs."""
    import tensorflow_datasets as tfds

    skip = {"image": tfds.decode.SkipDecoding()} if "image" in wanted else {}
    decoders = tfds.decode.PartialDecoding(wanted, decoders=skip)
    config = tfds.ReadConfig(interleave_cycle_length=1)  # by default files are read by turns
    for split in _TFDS_SPLITS:
        count = builder.info.splits[split].num_examples
        if start < count:
            examples = builder.as_dataset(split=split, decoders=decoders, read_config=config)
            yield from tfds.as_numpy(examples.skip(start))
        start = max(start - count, 0)
