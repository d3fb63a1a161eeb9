"""The form in which every data set is handed on: packed images, and factors of variation."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from collections.abc import Iterable

import numpy as np

from data.drawn import Drawn
from data.files import InputError

# `categorical` classes have no order; `ordered` ones are equally spaced; those of an `angle` are
# equally spaced over a full turn, its two ends included, as dSprites' orientation is.
FACTOR_KINDS = ("categorical", "ordered", "angle")


@dataclasses.dataclass(frozen=True, eq=False)
class Dataset:
    """Images, packed in memory, in a file or yet to be drawn, with the classes of their factors.

    Attributes:
        name: The data set's name.
        storage: uint8 [n, bytes]: an image's values in C order, eight to a byte (most significant
            bit first) where `bits` is 1, one to a byte where it is 8. An array, or what draws its
            rows when they are asked for.
        bits: 1 for binary images, 8 for values from 0 to 255.
        image_shape: (height, width, channels) of the images that are handed on.
        factors: int [n, k] class indices.
        factor_names: The k names.
        factor_sizes: The k numbers of classes.
        factor_kinds: What each factor is, of `FACTOR_KINDS`; `ordered` by default.
        symmetries: Where there is an angle: for each class of the first categorical factor, into
            how many turns that look alike a full turn falls.
        reduction: Stored images are so many times larger a side, and averaged down when unpacked.
        known_fingerprint: `fingerprint`, where it was computed when the images were prepared; leave
            it out where images or factors are replaced.
    """

    name: str
    storage: np.ndarray | Drawn
    bits: int
    image_shape: tuple[int, int, int]
    factors: np.ndarray
    factor_names: tuple[str, ...]
    factor_sizes: tuple[int, ...]
    factor_kinds: tuple[str, ...] = ()
    symmetries: tuple[int, ...] = ()
    reduction: int = 1
    known_fingerprint: str = ""

    def __post_init__(self) -> None:
        if not self.factor_kinds:
            object.__setattr__(self, "factor_kinds", ("ordered",) * len(self.factor_names))

    def __len__(self) -> int:
        return len(self.storage)

    @functools.cached_property
    def fingerprint(self) -> str:
        """SHA-256 over images and factors: two data sets with the same one are the same.

        Of images that are drawn, a sample stands for all.
        """
        if self.known_fingerprint:
            return self.known_fingerprint
        storage = self.storage
        parts = (
            storage.characteristic_parts()
            if isinstance(storage, Drawn)
            else [np.ascontiguousarray(storage).data]
        )
        return content_digest(self.bits, self.stored_shape, self.factor_names, parts, self.factors)

    @property
    def stored_shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of the images in `storage`."""
        height, width, channels = self.image_shape
        return height * self.reduction, width * self.reduction, channels

    def at_size(self, height: int) -> Dataset:
        """The same images averaged down to a height; as they are if it is 0, or they are no larger.

        Raises:
            InputError: If the height does not divide the images'.
        """
        full_height, full_width, channels = self.stored_shape
        if not height or full_height <= height:
            return self
        if full_height % height or full_width % (full_height // height):
            raise InputError(
                f"image_size is {height}; expected a divisor of {full_height}, the height of the "
                f"images of {self.name}"
            )
        reduction = full_height // height
        shape = (height, full_width // reduction, channels)
        return dataclasses.replace(self, image_shape=shape, reduction=reduction)

    def images(self, indices: np.ndarray) -> np.ndarray:
        """Unpacks images: float32 [len(indices), height, width, channels] in [0, 1]."""
        packed = self.storage[indices]
        if self.bits == 1:
            packed = np.unpackbits(packed, axis=-1, count=int(np.prod(self.stored_shape)))
        height, width, channels = self.image_shape
        r = self.reduction
        blocks = packed.reshape(-1, height, r, width, r, channels)
        sums = blocks.sum(axis=(2, 4), dtype=np.float32)
        return sums / np.float32((1 if self.bits == 1 else 255) * r * r)


def content_digest(
    bits: int,
    stored_shape: tuple[int, int, int],
    factor_names: tuple[str, ...],
    storage: Iterable[bytes | memoryview],
    factors: np.ndarray,
) -> str:
    """SHA-256 over a `Dataset`'s content, its storage part by part."""
    digest = hashlib.sha256(repr((bits, stored_shape, factor_names)).encode())
    for part in storage:
        digest.update(part)
    digest.update(np.ascontiguousarray(factors, dtype="<i4").data)
    return digest.hexdigest()


def pack(images: np.ndarray) -> tuple[np.ndarray, int]:
    """Packs uint8 images [n, ...] into a `Dataset`'s storage; returns it with its bits a value.

    Images whose values are all 0 or 1 are binary and take one bit a value.
    """
    flat = images.reshape(len(images), -1)
    if flat.max() <= 1:
        return np.packbits(flat, axis=-1), 1
    return np.ascontiguousarray(flat), 8
