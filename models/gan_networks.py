"""Generators, and discriminators with InfoGAN's Q, built in Keras from `models.architectures`."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np

from data.files import InputError
from models import fast_layers
from models.architectures import GANNetwork


class _BatchNormalization(keras.layers.BatchNormalization):
    """Keras' own, but that GPUs which share a batch may average their moving statistics."""

    def add_weight(self, *args: Any, trainable: bool = True, **kwargs: Any) -> keras.Variable:
        if not trainable:
            kwargs["aggregation"] = "mean"
        return super().add_weight(*args, trainable=trainable, **kwargs)


class _Maker:
    """Makes layers of one precision; weights are drawn in order, from N(0, .02^2) as in DCGAN."""

    def __init__(self, precision: str, rng: np.random.Generator) -> None:
        self._precision, self._rng = precision, rng

    def _common(self, name: str) -> dict[str, Any]:
        initializer = keras.initializers.RandomNormal(0.0, 0.02, int(self._rng.integers(2**31)))
        return {"name": name, "dtype": self._precision, "kernel_initializer": initializer}

    def dense(self, width: int, name: str) -> keras.layers.Layer:
        return keras.layers.Dense(width, **self._common(name))

    def output(self, width: int, name: str) -> keras.layers.Layer:
        return keras.layers.Dense(width, **self._common(name) | {"dtype": "float32"})

    def down(self, channels: int, kernel: int, stride: int, name: str) -> keras.layers.Layer:
        return fast_layers.Conv2D(channels, kernel, stride, "same", **self._common(name))

    def up(self, channels: int, kernel: int, stride: int, name: str) -> keras.layers.Layer:
        return fast_layers.Conv2DTranspose(channels, kernel, stride, "same", **self._common(name))

    def relu(
        self, slope: float, norm: bool, name: str, norm_last: bool = False
    ) -> list[keras.layers.Layer]:
        """ReLU, leaky by a slope, with batch normalisation before or behind it if there is any."""
        relu = keras.layers.ReLU(
            negative_slope=slope, dtype=self._precision, name=f"{name}_activation"
        )
        if not norm:
            return [relu]
        normalise = _BatchNormalization(
            momentum=0.9, epsilon=1e-5, dtype=self._precision, name=f"{name}_norm"
        )
        return [relu, normalise] if norm_last else [normalise, relu]


def build_generator(
    network: GANNetwork,
    image_shape: tuple[int, int, int],
    num_inputs: int,
    precision: str,
    rng: np.random.Generator,
) -> keras.Model:
    """Builds G: inputs [batch, num_inputs] to [batch, height, width, channels].

    The outputs are linear, in the layers' precision.

    Args:
        network: Its layers; their strides say how large the first feature map is.
        image_shape: (height, width, channels).
        num_inputs: Codes, categories and noise together.
        precision: `float32` or `mixed_bfloat16` (bfloat16 layers with float32 weights).
        rng: Draws the initial weights.

    Raises:
        InputError: If the image's size is no multiple of the network's strides.
    """
    height, width, channels = image_shape
    stride = math.prod(stride for _, _, stride, _ in network.generator_convolutions)
    if height % stride or width % stride:
        raise InputError(
            f"images of {height} x {width} do not fit this network; expected multiples of {stride}"
        )
    make = _Maker(precision, rng)
    map_shape = (height // stride, width // stride, network.map_channels)
    layers: list[keras.layers.Layer] = [keras.Input((num_inputs,))]
    for i, units in enumerate((*network.generator_dense, math.prod(map_shape))):
        layers.append(make.dense(units, f"dense_{i}"))
        layers += make.relu(0.0, True, f"dense_{i}", network.norm_last)
    layers.append(keras.layers.Reshape(map_shape, dtype=precision, name="map"))
    *inner, (_, last_kernel, last_stride, _) = network.generator_convolutions
    for i, (channels_i, kernel, stride_i, norm) in enumerate(inner):
        layers.append(make.up(channels_i, kernel, stride_i, f"convolution_{i}"))
        slope = network.generator_slope
        layers += make.relu(slope, norm, f"convolution_{i}", network.norm_last)
    layers.append(make.up(channels, last_kernel, last_stride, "output"))
    return keras.Sequential(layers, name="generator")


def build_discriminator(
    network: GANNetwork,
    image_shape: tuple[int, int, int],
    num_parameters: int,
    precision: str,
    rng: np.random.Generator,
) -> keras.Model:
    """Builds D and Q on one body, as one model with two outputs.

    Args:
        network: Their layers.
        image_shape: (height, width, channels).
        num_parameters: The width of Q's output.
        precision: As in `build_generator`; both outputs are float32 always.
        rng: Draws the initial weights.

    Returns:
        Images [batch, height, width, channels] to D's logit [batch, 1] that an image is real, and
        Q's parameters [batch, num_parameters].
    """
    make, slope = _Maker(precision, rng), network.discriminator_slope
    image = keras.Input(image_shape)
    body: list[keras.layers.Layer] = []
    for i, (channels, kernel, stride, norm) in enumerate(network.body_convolutions):
        body.append(make.down(channels, kernel, stride, f"convolution_{i}"))
        body += make.relu(slope, norm, f"convolution_{i}")
    body.append(keras.layers.Flatten(dtype=precision, name="flatten"))
    for i, units in enumerate(network.body_dense):
        body.append(make.dense(units, f"dense_{i}"))
        body += make.relu(slope, network.dense_norm, f"dense_{i}")
    q_layers: list[keras.layers.Layer] = []
    for i, units in enumerate(network.q_dense):
        q_layers.append(make.dense(units, f"q_dense_{i}"))
        q_layers += make.relu(slope, network.dense_norm, f"q_dense_{i}")
    features = _chain(image, body)
    logit = make.output(1, "d_output")(features)
    parameters = make.output(num_parameters, "q_output")(_chain(features, q_layers))
    return keras.Model(image, [logit, parameters], name="discriminator")


def _chain(inputs: Any, layers: list[keras.layers.Layer]) -> Any:
    for layer in layers:
        inputs = layer(inputs)
    return inputs
