"""A data set as TensorFlow sees it: packed on the device, gathered and unpacked on the fly."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from data.dataset import Dataset

LARGEST_ON_DEVICE = 4 << 30  # bytes; CelebA at 64 x 64 has 2.5e9


def stays_in_its_file(dataset: Dataset) -> bool:
    """Whether images are read from a mapped file batch by batch, which XLA cannot do.

    A GPU gets them all where they fit; a CPU would only have them in memory twice.
    """
    mapped = isinstance(dataset.storage, np.memmap)
    is_large = dataset.storage.nbytes > LARGEST_ON_DEVICE
    return mapped and (is_large or not tf.config.list_physical_devices("GPU"))


def gatherer(dataset: Dataset) -> Callable[[tf.Tensor], tf.Tensor]:
    """Puts a data set on the device and returns the function that gathers images from it.

    One that `stays_in_its_file` is left there, and the function reads from the file.

    Returns:
        A function from indices int [batch] to images float32 [batch, height, width, channels] in
        [0, 1], to be called inside a `tf.function`.
    """
    in_file = stays_in_its_file(dataset)
    storage = None if in_file else tf.constant(dataset.storage)
    bit_places = tf.constant([7, 6, 5, 4, 3, 2, 1, 0], tf.uint8)
    num_values, side = math.prod(dataset.stored_shape), dataset.reduction

    def gather(indices: tf.Tensor) -> tf.Tensor:
        if in_file:
            values = tf.numpy_function(dataset.storage.__getitem__, [indices], tf.uint8)
            values.set_shape([*indices.shape, dataset.storage.shape[-1]])
        else:
            values = tf.gather(storage, indices)
        if dataset.bits == 1:
            bits = tf.bitwise.right_shift(values[..., None], bit_places)
            values = tf.bitwise.bitwise_and(bits, tf.constant(1, tf.uint8))
            values = tf.reshape(values, [len(indices), -1])[:, :num_values]
        images = tf.reshape(tf.cast(values, tf.float32), [-1, *dataset.stored_shape])
        if dataset.bits == 8:
            images /= 255
        return tf.nn.avg_pool2d(images, side, side, "VALID") if side > 1 else images

    return gather
