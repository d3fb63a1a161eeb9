"""A data set as TensorFlow sees it: packed on the device, gathered and unpacked on the fly."""

from __future__ import annotations

import math
from collections.abc import Callable

import tensorflow as tf

from data.dataset import Dataset


def gatherer(dataset: Dataset) -> Callable[[tf.Tensor], tf.Tensor]:
    """Puts a data set on the device and returns the function that gathers images from it.

    Returns:
        A function from indices int [batch] to images float32 [batch, height, width, channels] in
        [0, 1], to be called inside a `tf.function`.
    """
    storage = tf.constant(dataset.storage)
    bit_places = tf.constant([7, 6, 5, 4, 3, 2, 1, 0], tf.uint8)
    num_values, side = math.prod(dataset.stored_shape), dataset.reduction

    def gather(indices: tf.Tensor) -> tf.Tensor:
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
