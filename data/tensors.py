"""A data set as TensorFlow sees it: packed on the device, gathered and unpacked on the fly."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from data.dataset import Dataset
from data.drawn import Drawn

LARGEST_ON_DEVICE = 4 << 30  # bytes; CelebA at 64 x 64 has 2.5e9


def comes_by_batch(dataset: Dataset) -> bool:
    """Whether images are drawn, or read from a mapped file, batch by batch, which XLA cannot do.

    A GPU gets all of a file's where they fit; a CPU would only have them in memory twice.
    """
    if isinstance(dataset.storage, Drawn):
        return True
    mapped = isinstance(dataset.storage, np.memmap)
    is_large = dataset.storage.nbytes > LARGEST_ON_DEVICE
    return mapped and (is_large or not tf.config.list_physical_devices("GPU"))


def gatherer(dataset: Dataset) -> Callable[[tf.Tensor], tf.Tensor]:
    """Puts a data set on the device and returns the function that gathers images from it.

    Of one that `comes_by_batch` the function reads or draws what it is asked for.

    Returns:
        A function from indices int [batch] to images float32 [batch, height, width, channels] in
        [0, 1], to be called inside a `tf.function`.
    """
    by_batch = comes_by_batch(dataset)
    storage = None if by_batch else tf.constant(dataset.storage)
    unpack = _unpack_bits(dataset) if dataset.bits == 1 else _unpack_bytes(dataset)

    def gather(indices: tf.Tensor) -> tf.Tensor:
        if by_batch:
            values = tf.numpy_function(dataset.storage.__getitem__, [indices], tf.uint8)
            values.set_shape([*indices.shape, dataset.storage.shape[-1]])
        else:
            values = tf.gather(storage, indices)
        return unpack(values)

    return gather


def _unpack_bytes(dataset: Dataset) -> Callable[[tf.Tensor], tf.Tensor]:
    def unpack(values: tf.Tensor) -> tf.Tensor:
        images = tf.reshape(tf.cast(values, tf.float32), [-1, *dataset.stored_shape])
        return _averaged(images / 255, dataset.reduction)

    return unpack


def _unpack_bits(dataset: Dataset) -> Callable[[tf.Tensor], tf.Tensor]:
    """Unpacks through a table of bytes: a third of the time that shifting each bit takes.

    Where a byte holds whole sums of neighbouring pixels, the table has these.
    """
    (height, width, channels), side = dataset.stored_shape, dataset.reduction
    sums_fit = channels == 1 and not width % 8 and not 8 % side
    bits = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).astype(np.float32)
    table = tf.constant(bits.reshape(256, -1, side).sum(axis=2) if sums_fit else bits)

    def unpack(values: tf.Tensor) -> tf.Tensor:
        found = tf.gather(table, tf.cast(values, tf.int32))
        if sums_fit:
            rows = tf.reshape(found, [-1, height // side, side, width // side, 1])
            return tf.reduce_sum(rows, axis=2) / side**2 if side > 1 else rows[:, :, 0]
        flat = tf.reshape(found, [-1, 8 * found.shape[1]])[:, : math.prod(dataset.stored_shape)]
        return _averaged(tf.reshape(flat, [-1, *dataset.stored_shape]), side)

    return unpack


def _averaged(images: tf.Tensor, side: int) -> tf.Tensor:
    return tf.nn.avg_pool2d(images, side, side, "VALID") if side > 1 else images
