"""The form in which every data set is handed on: packed images, and factors of variation."""

from __future__ import annotations

import dataclasses
import functools
import hashlib

import numpy as np


@dataclasses.dataclass(frozen=True, eq=False)
class Dataset:
    """Images kept packed in memory, with the class index of every factor of variation.

    Attributes:
        name: The data set's name.
        storage: uint8 [n, bytes]: an image's values in C order, eight to a byte (most significant
            bit first) where `bits` is 1, one to a byte where it is 8.
        bits: 1 for binary images, 8 for values from 0 to 255.
        image_shape: (height, width, channels).
        factors: int [n, k] class indices.
        factor_names: The k names.
        factor_sizes: The k numbers of classes.
    """

    name: str
    storage: np.ndarray
    bits: int
    image_shape: tuple[int, int, int]
    factors: np.ndarray
    factor_names: tuple[str, ...]
    factor_sizes: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.storage)

    @functools.cached_property
    def fingerprint(self) -> str:
        """SHA-256 over images and factors: two data sets with the same one are the same."""
        digest = hashlib.sha256(repr((self.bits, self.image_shape, self.factor_names)).encode())
        digest.update(np.ascontiguousarray(self.storage).data)
        digest.update(np.ascontiguousarray(self.factors, dtype="<i4").data)
        return digest.hexdigest()

    def images(self, indices: np.ndarray) -> np.ndarray:
        """Unpacks images: float32 [len(indices), height, width, channels] in [0, 1]."""
        packed = self.storage[indices]
        if self.bits == 1:
            values = np.unpackbits(packed, axis=-1, count=int(np.prod(self.image_shape)))
            return values.reshape(-1, *self.image_shape).astype(np.float32)
        return packed.reshape(-1, *self.image_shape).astype(np.float32) / np.float32(255)


def pack(images: np.ndarray) -> tuple[np.ndarray, int]:
    """Packs uint8 images [n, ...] into a `Dataset`'s storage; returns it with its bits a value.

    Images whose values are all 0 or 1 are binary and take one bit a value.
    """
    flat = images.reshape(len(images), -1)
    if flat.max() <= 1:
        return np.packbits(flat, axis=-1), 1
    return np.ascontiguousarray(flat), 8
