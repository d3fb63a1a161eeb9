"""Convolutions as matrix products, for processors on which these are faster than TensorFlow's own.

A convolution whose kernel is m times its stride s looks at m x m neighbouring blocks of s x s
pixels. With the blocks laid out as channels, its `columns` are m x m shifted copies side by side,
and the convolution is their product with the kernel as a matrix; a transposed convolution is a
product followed by the adjoint, `sum_columns`. The mathematics is that of TensorFlow's SAME
padding, where sides are multiples of the stride.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from models import hardware

# Up to how many channels on the side of the larger image the product is faster although kernels
# overlap. Measured on one thread of AVX2 with oneDNN: with 1 channel it takes 3.8 and 6.1 ms where
# TensorFlow's takes 10.8 and 18.5 (8 x 8, stride 4, forward and back), with 32 or more it loses.
# AVX-512 is taken to be alike; there it has not been measured.
THIN = {"avx512": 4, "avx2": 4, "other": 0}


def is_faster(size: int, stride: int, sides: Sequence[int], channels: int) -> bool:
    """Whether a convolution should be computed here rather than by TensorFlow.

    It depends on nothing but the layer and the processor's instruction set, so that one machine
    always chooses alike.

    Args:
        size: k.
        stride: s.
        sides: Height and width of the larger image: a convolution's input.
        channels: The larger image's.
    """
    if size % stride or any(side % stride for side in sides):
        return False
    return size == stride > 1 or channels <= THIN[hardware.instruction_set()]


def convolve(x: tf.Tensor, kernel: tf.Tensor, stride: int) -> tf.Tensor:
    """A convolution with SAME padding.

    Args:
        x: [batch, h, w, inputs]; h and w are multiples of the stride.
        kernel: [k, k, inputs, outputs]; k is a multiple of the stride.
        stride: s.

    Returns:
        [batch, h / s, w / s, outputs].
    """
    size, outputs = kernel.shape[0], kernel.shape[-1]
    found = columns(x, size, stride)
    flat = tf.reshape(found, [-1, found.shape[-1]]) @ _matrix(kernel, stride)
    return tf.reshape(flat, [-1, *found.shape[1:3], outputs])


def convolve_transposed(x: tf.Tensor, kernel: tf.Tensor, stride: int) -> tf.Tensor:
    """A transposed convolution with SAME padding.

    Args:
        x: [batch, h, w, inputs].
        kernel: [k, k, outputs, inputs]; k is a multiple of the stride.
        stride: s.

    Returns:
        [batch, h s, w s, outputs].
    """
    size, inputs = kernel.shape[0], kernel.shape[-1]
    flat = tf.matmul(tf.reshape(x, [-1, inputs]), _matrix(kernel, stride), transpose_b=True)
    return sum_columns(tf.reshape(flat, [-1, *x.shape[1:3], flat.shape[-1]]), size, stride)


def convolve_to_few(x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """A convolution of stride 1 with SAME padding, computed from the side of its outputs.

    It is the transposed convolution of the kernel rotated around.

    Args:
        x: [batch, h, w, inputs].
        kernel: [k, k, inputs, outputs]; k is odd.

    Returns:
        [batch, h, w, outputs].
    """
    return convolve_transposed(x, tf.transpose(kernel[::-1, ::-1], [0, 1, 3, 2]), 1)


def columns(x: tf.Tensor, size: int, stride: int) -> tf.Tensor:
    """What a kernel of size k sees at each of its places.

    Args:
        x: [batch, h, w, channels].
        size: k.
        stride: s.

    Returns:
        [batch, h / s, w / s, k k channels], in the order of `_matrix`'s rows.
    """

    @tf.custom_gradient
    def gather(x: tf.Tensor) -> Any:
        return _gather(x, size, stride), lambda upstream: sum_columns(upstream, size, stride)

    return gather(x)


def sum_columns(x: tf.Tensor, size: int, stride: int) -> tf.Tensor:
    """The adjoint of `columns`: what every place holds is added where it was seen.

    Args:
        x: [batch, h, w, k k channels].
        size: k.
        stride: s.

    Returns:
        [batch, h s, w s, channels].
    """

    @tf.custom_gradient
    def scatter(x: tf.Tensor) -> Any:
        return _scatter(x, size, stride), lambda upstream: columns(upstream, size, stride)

    return scatter(x)


def _gather(x: tf.Tensor, size: int, stride: int) -> tf.Tensor:
    shifts = size // stride
    if shifts == 1:
        return _to_blocks(x, stride)
    before = (size - stride) // 2
    border = [before, size - stride - before]
    x = _to_blocks(tf.pad(x, [[0, 0], border, border, [0, 0]]), stride)
    for axis in (2, 1):  # one after the other: 2 m shifts instead of m x m
        x = tf.concat(_shifted(x, axis, shifts), axis=-1)
    return x


def _scatter(x: tf.Tensor, size: int, stride: int) -> tf.Tensor:
    shifts = size // stride
    if shifts == 1:
        return _from_blocks(x, stride)
    for axis in (1, 2):
        x = _shifted_sum(tf.split(x, shifts, axis=-1), axis)
    image = _from_blocks(x, stride)
    before, after = (size - stride) // 2, size - stride - (size - stride) // 2
    height, width = image.shape[1:3]
    return image[:, before : height - after, before : width - after]


def _shifted(x: tf.Tensor, axis: int, shifts: int) -> list[tf.Tensor]:
    """Parts of x [batch, h, w, c], of which the i-th begins i places later along an axis."""
    length = x.shape[axis] - shifts + 1
    if axis == 1:
        return [x[:, i : i + length] for i in range(shifts)]
    return [x[:, :, i : i + length] for i in range(shifts)]


def _shifted_sum(parts: list[tf.Tensor], axis: int) -> tf.Tensor:
    """The adjoint of `_shifted`."""
    last = len(parts) - 1
    borders = [[[i, last - i] if a == axis else [0, 0] for a in range(4)] for i in range(last + 1)]
    return tf.add_n([tf.pad(part, border) for part, border in zip(parts, borders, strict=True)])


def _to_blocks(x: tf.Tensor, stride: int) -> tf.Tensor:
    """[batch, h, w, channels] to [batch, h / s, w / s, s s channels].

    As tf.nn.space_to_depth, whose kernel goes element by element: with one channel seven times as
    long.
    """
    if stride == 1:
        return x
    height, width, channels = x.shape[1:]
    rows, places = height // stride, width // stride
    split = tf.reshape(x, [-1, rows, stride, places, stride * channels])
    return tf.reshape(_swap(split), [-1, rows, places, stride * stride * channels])


def _from_blocks(x: tf.Tensor, stride: int) -> tf.Tensor:
    """The inverse of `_to_blocks`."""
    if stride == 1:
        return x
    rows, places, channels = x.shape[1:]
    split = tf.reshape(x, [-1, rows, places, stride, channels // stride])
    return tf.reshape(_swap(split), [-1, rows * stride, places * stride, channels // stride**2])


def _swap(x: tf.Tensor) -> tf.Tensor:
    return tf.transpose(x, [0, 1, 3, 2, 4])


def _matrix(kernel: tf.Tensor, stride: int) -> tf.Tensor:
    """A kernel [k, k, a, b] as a matrix [k k a, b]: by blocks, then by places within them."""
    size, _, a, b = kernel.shape
    if size == stride:
        return tf.reshape(kernel, [size * size * a, b])
    shape = [size // stride, stride, size // stride, stride, a, b]
    by_blocks = tf.transpose(tf.reshape(kernel, shape), [0, 2, 1, 3, 4, 5])
    return tf.reshape(by_blocks, [size * size * a, b])
