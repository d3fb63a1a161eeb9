"""Encoders and decoders built in Keras from the tables of `models.architectures`."""

from __future__ import annotations

import math
from collections.abc import Sequence

import keras
import numpy as np

from data.files import InputError
from models import fast_layers
from models.architectures import Network


def _initializer(rng: np.random.Generator) -> keras.initializers.Initializer:
    """Glorot's uniform initialisation, TensorFlow's default in all of the sources."""
    return keras.initializers.GlorotUniform(seed=int(rng.integers(2**31)))


def build_encoder(
    network: Network,
    image_shape: tuple[int, int, int],
    num_outputs: int,
    precision: str,
    rng: np.random.Generator,
) -> keras.Model:
    """Builds an encoder: images [batch, height, width, channels] to float32 [batch, num_outputs].

    Args:
        network: Its layers.
        image_shape: (height, width, channels).
        num_outputs: The width of the last, linear, layer, which is float32 always.
        precision: `float32` or `mixed_bfloat16` (bfloat16 layers with float32 weights).
        rng: Draws the initial weights.
    """
    layers: list[keras.layers.Layer] = [keras.Input(image_shape)]
    for i, (channels, kernel, stride) in enumerate(network.encoder_convolutions):
        layers.append(
            fast_layers.Conv2D(
                channels,
                kernel,
                stride,
                "same",
                activation="relu",
                dtype=precision,
                kernel_initializer=_initializer(rng),
                name=f"convolution_{i}",
            )
        )
    layers.append(keras.layers.Flatten(dtype=precision, name="flatten"))
    layers += _dense(network.encoder_dense, "relu", precision, rng)
    layers += _dense([num_outputs], None, "float32", rng, "output")
    return keras.Sequential(layers, name="encoder")


def build_decoder(
    network: Network,
    image_shape: tuple[int, int, int],
    num_latents: int,
    precision: str,
    rng: np.random.Generator,
) -> keras.Model:
    """Builds a decoder: latents [batch, num_latents] to [batch, height, width, channels].

    The outputs are linear (logits, or means), in the layers' precision.

    Raises:
        InputError: If the image's size is no multiple of the network's strides, or its smallest
            feature map does not come out of the last dense layer.
    """
    height, width, channels = image_shape
    layers: list[keras.layers.Layer] = [keras.Input((num_latents,))]
    activation = network.decoder_activation
    layers += _dense(network.decoder_dense, activation, precision, rng)
    if not network.decoder_convolutions:
        layers += _dense([math.prod(image_shape)], None, precision, rng, "output")
        layers.append(keras.layers.Reshape(image_shape, dtype=precision, name="image"))
        return keras.Sequential(layers, name="decoder")

    stride = math.prod(stride for _, _, stride in network.decoder_convolutions)
    if height % stride or width % stride:
        raise InputError(
            f"images of {height} x {width} do not fit this network; expected multiples of {stride}"
        )
    area = (height // stride) * (width // stride)
    # The published widths are for 64 x 64; at other sizes the channels stay and the width follows.
    map_channels = network.decoder_convolutions[0][0]
    if network.decoder_dense[-1] != area * map_channels:
        layers += _dense([area * map_channels], activation, precision, rng, "to_map")
    map_shape = (height // stride, width // stride, map_channels)
    layers.append(keras.layers.Reshape(map_shape, dtype=precision, name="map"))
    last = len(network.decoder_convolutions) - 1
    for i, (width_i, kernel, stride_i) in enumerate(network.decoder_convolutions):
        layers.append(
            fast_layers.Conv2DTranspose(
                channels if i == last else width_i,
                kernel,
                stride_i,
                "same",
                activation=None if i == last else activation,
                dtype=precision,
                kernel_initializer=_initializer(rng),
                name="output" if i == last else f"convolution_{i}",
            )
        )
    return keras.Sequential(layers, name="decoder")


def build_discriminator(
    num_inputs: int, widths: Sequence[int], rng: np.random.Generator
) -> keras.Model:
    """Builds a discriminator of latents: float32 [batch, num_inputs] to logits [batch, 1].

    Args:
        num_inputs: d.
        widths: The hidden layers', whose negative slope is .2 (Kim & Mnih 2018, appendix A).
        rng: Draws the initial weights.
    """
    layers: list[keras.layers.Layer] = [keras.Input((num_inputs,))]
    layers += _dense(widths, "leaky_relu", "float32", rng)
    layers += _dense([1], None, "float32", rng, "output")
    return keras.Sequential(layers, name="discriminator")


def _dense(
    widths: Sequence[int],
    activation: str | None,
    precision: str,
    rng: np.random.Generator,
    name: str = "dense",
) -> list[keras.layers.Layer]:
    return [
        keras.layers.Dense(
            width,
            activation,
            dtype=precision,
            kernel_initializer=_initializer(rng),
            name=name if len(widths) == 1 else f"{name}_{i}",
        )
        for i, width in enumerate(widths)
    ]
