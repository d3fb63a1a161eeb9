"""Generators, and discriminators with InfoGAN's Q, built in Keras from `models.architectures`."""

from __future__ import annotations

import itertools
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
    """Makes layers of one precision; their weights are drawn in order."""

    def __init__(self, network: GANNetwork, precision: str, rng: np.random.Generator) -> None:
        self._network, self._precision, self._rng = network, precision, rng

    def _common(self, name: str, fan_in: float, gain: float = 2.0) -> dict[str, Any]:
        """Arguments of any layer; each of its outputs is a sum of `fan_in` products."""
        is_he = self._network.initializer == "he"
        sd = math.sqrt(gain / fan_in) if is_he else 0.02
        initializer = keras.initializers.RandomNormal(0.0, sd, int(self._rng.integers(2**31)))
        return {"name": name, "dtype": self._precision, "kernel_initializer": initializer}

    def dense(self, fan_in: int, width: int, name: str) -> keras.layers.Layer:
        return keras.layers.Dense(width, **self._common(name, fan_in))

    def output(self, fan_in: int, width: int, name: str) -> keras.layers.Layer:
        return keras.layers.Dense(width, **self._common(name, fan_in, 1.0) | {"dtype": "float32"})

    def down(
        self, inputs: int, channels: int, kernel: int, stride: int, name: str
    ) -> keras.layers.Layer:
        common = self._common(name, inputs * kernel**2)
        return fast_layers.Conv2D(channels, kernel, stride, "same", **common)

    def up(
        self, inputs: int, channels: int, kernel: int, stride: int, name: str, **more: Any
    ) -> keras.layers.Layer:
        gain = 1.0 if more else 2.0  # only the last layer has more, a bias that is not zero
        common = self._common(name, inputs * kernel**2 / stride**2, gain) | more
        return fast_layers.Conv2DTranspose(channels, kernel, stride, "same", **common)

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
    initial_output: float = 0.0,
) -> keras.Model:
    """Builds G: inputs [batch, num_inputs] to [batch, height, width, channels].

    The outputs are linear, in the layers' precision.

    Args:
        network: Its layers; their strides say how large the first feature map is.
        image_shape: (height, width, channels).
        num_inputs: Codes, categories and noise together.
        precision: `float32` or `mixed_bfloat16` (bfloat16 layers with float32 weights).
        rng: Draws the initial weights.
        initial_output: The last layer's initial bias.

    Raises:
        InputError: If the image's size is no multiple of the network's strides.
    """
    height, width, channels = image_shape
    stride = math.prod(stride for _, _, stride, _ in network.generator_convolutions)
    if height % stride or width % stride:
        raise InputError(
            f"images of {height} x {width} do not fit this network; expected multiples of {stride}"
        )
    make = _Maker(network, precision, rng)
    map_shape = (height // stride, width // stride, network.map_channels)
    layers: list[keras.layers.Layer] = [keras.Input((num_inputs,))]
    widths = (num_inputs, *network.generator_dense, math.prod(map_shape))
    norm, slope = network.generator_dense_norm, network.generator_dense_slope
    for i, (inputs, units) in enumerate(itertools.pairwise(widths)):
        layers.append(make.dense(inputs, units, f"dense_{i}"))
        layers += make.relu(slope, norm, f"dense_{i}", network.norm_last)
    layers.append(keras.layers.Reshape(map_shape, dtype=precision, name="map"))
    *inner, (_, last_kernel, last_stride, _) = network.generator_convolutions
    inputs = network.map_channels
    for i, (channels_i, kernel, stride_i, norm) in enumerate(inner):
        layers.append(make.up(inputs, channels_i, kernel, stride_i, f"convolution_{i}"))
        layers += make.relu(network.generator_slope, norm, f"convolution_{i}", network.norm_last)
        inputs = channels_i
    bias = keras.initializers.Constant(initial_output)
    layers.append(
        make.up(inputs, channels, last_kernel, last_stride, "output", bias_initializer=bias)
    )
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
    make, slope = _Maker(network, precision, rng), network.discriminator_slope
    image = keras.Input(image_shape)
    features = image
    for i, (channels, kernel, stride, norm) in enumerate(network.body_convolutions):
        name = f"convolution_{i}"
        layer = make.down(features.shape[-1], channels, kernel, stride, name)
        features = _chain(features, [layer, *make.relu(slope, norm, name)])
    features = keras.layers.Flatten(dtype=precision, name="flatten")(features)
    for i, units in enumerate(network.body_dense):
        layer = make.dense(features.shape[-1], units, f"dense_{i}")
        features = _chain(features, [layer, *make.relu(slope, network.dense_norm, layer.name)])
    q_layers: list[keras.layers.Layer] = []
    q_inputs = features.shape[-1]
    for i, units in enumerate(network.q_dense):
        q_layers.append(make.dense(q_inputs, units, f"q_dense_{i}"))
        q_layers += make.relu(slope, network.dense_norm, f"q_dense_{i}")
        q_inputs = units
    logit = make.output(features.shape[-1], 1, "d_output")(features)
    parameters = make.output(q_inputs, num_parameters, "q_output")(_chain(features, q_layers))
    return keras.Model(image, [logit, parameters], name="discriminator")


def _chain(inputs: Any, layers: list[keras.layers.Layer]) -> Any:
    for layer in layers:
        inputs = layer(inputs)
    return inputs
