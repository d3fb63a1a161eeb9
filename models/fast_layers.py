"""Keras' convolutions, computed as this processor does it fastest.

The layers have Keras' weights, names and mathematics; only how they are computed differs, and so
the last bits of their results.
"""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from models import convolutions


class Conv2D(keras.layers.Conv2D):
    """A convolution with SAME padding."""

    def convolution_op(self, inputs: tf.Tensor, kernel: Any) -> tf.Tensor:
        """The convolution itself, before bias and activation."""
        size, stride = self.kernel_size[0], self.strides[0]
        if convolutions.is_faster(size, stride, inputs.shape[1:3], inputs.shape[-1]):
            return convolutions.convolve(inputs, tf.convert_to_tensor(kernel), stride)
        return super().convolution_op(inputs, kernel)


class Conv2DTranspose(keras.layers.Conv2DTranspose):
    """A transposed convolution with SAME padding."""

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """The layer's output."""
        size, stride = self.kernel_size[0], self.strides[0]
        # Its inputs need not be multiples of the stride: its outputs are.
        if not convolutions.is_faster(size, stride, (stride, stride), self.filters):
            return super().call(inputs)
        kernel, bias = tf.convert_to_tensor(self.kernel), tf.convert_to_tensor(self.bias)
        outputs = convolutions.convolve_transposed(inputs, kernel, stride)
        return self.activation(tf.nn.bias_add(outputs, bias))
