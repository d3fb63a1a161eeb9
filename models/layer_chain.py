"""A decoder as plain arrays: a chain of dense layers and transposed convolutions.

What a trained decoder computes, without Keras: for programs that are no Python, as the explorer's
page, and for whoever checks them.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any, Literal

import numpy as np

from data.files import InputError


@dataclasses.dataclass(frozen=True, eq=False)
class Layer:
    """A layer: a product, a bias, an activation, and what normalisation is left behind it.

    Attributes:
        kernel: float32 [inputs, outputs] of a dense layer; [k, k, outputs, inputs] of a transposed
            convolution with SAME padding, as Keras has it.
        bias: float32 [outputs].
        stride: A convolution's.
        map_shape: (height, width) of a convolution's input.
        activation: `relu` may be leaky.
        slope: A leaky ReLU's below 0.
        scale, shift: float32 [outputs], what the activation's results are then multiplied by, and
            what is added to them; None if nothing is.
    """

    kernel: np.ndarray
    bias: np.ndarray
    stride: int = 1
    map_shape: tuple[int, int] | None = None
    activation: Literal["linear", "relu", "tanh"] = "linear"
    slope: float = 0.0
    scale: np.ndarray | None = None
    shift: np.ndarray | None = None

    def apply(self, x: np.ndarray) -> np.ndarray:
        """Results [n, outputs] or [n, height, width, outputs] of inputs of the same kind."""
        h = _transposed(x, self) if self.map_shape else x.reshape(len(x), -1) @ self.kernel
        h = h + self.bias
        if self.activation == "relu":
            h = np.where(h > 0, h, self.slope * h)
        elif self.activation == "tanh":
            h = np.tanh(h)
        return h if self.scale is None else h * self.scale + self.shift


@dataclasses.dataclass(frozen=True, eq=False)
class LayerChain:
    """A decoder.

    Attributes:
        uniform: bool [D], the inputs g in whose place the layers are given 2 Phi(g) - 1.
        layers: In order.
        image_shape: (height, width, channels).
        output: `logistic`: pixels are the logistic of `gain` h; `clipped`: h within [0, 1].
        gain: As above.
    """

    uniform: np.ndarray
    layers: tuple[Layer, ...]
    image_shape: tuple[int, int, int]
    output: Literal["logistic", "clipped"]
    gain: float = 1.0

    @property
    def num_inputs(self) -> int:
        """The width D of the decoder's input."""
        return len(self.uniform)

    def decode(self, inputs: np.ndarray) -> np.ndarray:
        """Images in [0, 1], float [n, height, width, channels], of inputs float [n, D]."""
        from scipy import special

        h = np.where(self.uniform, special.erf(inputs / math.sqrt(2)), inputs)
        for layer in self.layers:
            if layer.map_shape:
                h = h.reshape(len(h), *layer.map_shape, -1)
            h = layer.apply(h)
        h = h.reshape(len(h), *self.image_shape)
        return special.expit(self.gain * h) if self.output == "logistic" else np.clip(h, 0, 1)

    def at_precision(self, dtype: Any) -> LayerChain:
        """The same with every weight rounded to a type of number, as float16."""

        def rounded(values: np.ndarray) -> np.ndarray:
            with np.errstate(over="ignore"):  # infinity, which the images tell
                return values.astype(dtype).astype(np.float32)

        layers = tuple(
            dataclasses.replace(
                layer,
                kernel=rounded(layer.kernel),
                bias=rounded(layer.bias),
                scale=None if layer.scale is None else rounded(layer.scale),
                shift=None if layer.shift is None else rounded(layer.shift),
            )
            for layer in self.layers
        )
        return dataclasses.replace(self, layers=layers)


def _transposed(x: np.ndarray, layer: Layer) -> np.ndarray:
    """A transposed convolution: every pixel adds its kernel to the image, whose border is cropped.

    Args:
        x: float [n, h, w, inputs].
        layer: A transposed convolution of stride s.

    Returns:
        float [n, h s, w s, outputs].
    """
    size, stride = layer.kernel.shape[0], layer.stride
    n, height, width, _ = x.shape
    spread = np.einsum("nyxi,kloi->nyxklo", x, layer.kernel, optimize=True)
    sums = np.zeros(
        (n, height * stride + size - stride, width * stride + size - stride, spread.shape[-1]),
        spread.dtype,
    )
    for k in range(size):
        for m in range(size):
            rows = slice(k, k + height * stride, stride)
            columns = slice(m, m + width * stride, stride)
            sums[:, rows, columns] += spread[:, :, :, k, m]
    before = (size - stride) // 2
    return sums[:, before:, before:][:, : height * stride, : width * stride]


def layers_of(network: Any) -> tuple[Layer, ...]:
    """The layers of a trained sequential network.

    Batch normalisation before an activation is made part of the product, by its moving statistics.

    Args:
        network: A keras.Sequential of dense layers, transposed convolutions with SAME padding,
            ReLUs, batch normalisation and reshapes.

    Raises:
        InputError: If it has a layer of another kind.
    """
    found: list[Layer] = []
    map_shape: tuple[int, int] | None = None
    for layer in network.layers:
        kind = type(layer).__name__
        if kind == "Reshape":
            map_shape = tuple(layer.target_shape[:2])
        elif kind in ("Dense", "Conv2DTranspose"):
            found.append(_product_of(layer, map_shape if kind == "Conv2DTranspose" else None))
        elif kind == "ReLU" and found[-1].activation == "linear" and found[-1].scale is None:
            found[-1] = dataclasses.replace(
                found[-1], activation="relu", slope=float(layer.negative_slope)
            )
        elif kind.endswith("BatchNormalization") and found[-1].scale is None:
            found[-1] = _normalised(found[-1], layer)
        else:
            raise InputError(f"{network.name} has a layer {layer.name} of another kind ({kind})")
        if kind == "Conv2DTranspose" and map_shape:
            map_shape = (map_shape[0] * found[-1].stride, map_shape[1] * found[-1].stride)
    return tuple(found)


def _product_of(layer: Any, map_shape: tuple[int, int] | None) -> Layer:
    activation = layer.activation.__name__
    if activation not in ("linear", "relu", "tanh"):
        raise InputError(f"a layer {layer.name} has an activation of another kind ({activation})")
    kernel, bias = np.asarray(layer.kernel, np.float32), np.asarray(layer.bias, np.float32)
    stride = layer.strides[0] if map_shape else 1
    return Layer(kernel, bias, stride, map_shape, activation)


def _normalised(layer: Layer, norm: Any) -> Layer:
    """A layer with batch normalisation behind it."""
    gamma, beta, mean, variance = (
        np.asarray(v, np.float64)
        for v in (norm.gamma, norm.beta, norm.moving_mean, norm.moving_variance)
    )
    scale = gamma / np.sqrt(variance + norm.epsilon)
    shift = beta - mean * scale
    if layer.activation != "linear":
        return dataclasses.replace(
            layer, scale=scale.astype(np.float32), shift=shift.astype(np.float32)
        )
    along_outputs = scale[:, None] if layer.map_shape else scale
    return dataclasses.replace(
        layer,
        kernel=(layer.kernel * along_outputs).astype(np.float32),
        bias=(layer.bias * scale + shift).astype(np.float32),
    )
