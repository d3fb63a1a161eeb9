"""Glow's flow as a TFP bijector: images to standardised latents, and back."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from models import flow_steps
from models.flow_steps import Fixed, Weights
from models.settings import GlowSettings

Shape = tuple[int, int, int]


def level_shapes(image_shape: Shape, num_levels: int) -> list[Shape]:
    """(height, width, C) of what each level's steps work on, after the level's squeeze."""
    height, width, channels = image_shape
    return [
        (height >> level, width >> level, channels << (level + 1))
        for level in range(1, num_levels + 1)
    ]


def make_weights(
    settings: GlowSettings, image_shape: Shape, rng: np.random.Generator
) -> tuple[list[Weights], list[Fixed]]:
    """The flow's variables, level by level, and what its 1x1 convolutions keep fixed.

    Beside its steps' weights a level has the zero-initialised ones of a Gaussian prior: conditional
    on the other half of the channels where it splits, learned but the same for every image and
    position at the last level.
    """
    levels, fixed = [], []
    shapes = level_shapes(image_shape, settings.num_levels)
    for i, (_, _, channels) in enumerate(shapes):
        num_outputs = channels // 2 if settings.coupling == "additive" else channels
        weights, of_rotations = flow_steps.initial_weights(
            settings.depth, channels, settings.width, num_outputs, rng
        )
        is_last = i == len(shapes) - 1
        num_parameters = 2 * channels if is_last else channels
        if not is_last:
            kernel = np.zeros((3, 3, channels // 2, num_parameters), np.float32)
            weights["prior_kernel"] = kernel
        weights["prior_shift"] = np.zeros(num_parameters, np.float32)
        weights["prior_log_scale"] = np.zeros(num_parameters, np.float32)
        levels.append(
            {
                name: keras.Variable(value, name=f"level_{i}_{name}", dtype="float32")
                for name, value in weights.items()
            }
        )
        fixed.append(of_rotations)
    return levels, fixed


def _prior(weights: Weights, given: tf.Tensor | None) -> tuple[tf.Tensor, tf.Tensor]:
    """Mean and log-deviation of a level's latents, given the channels that go on, if any do."""
    parameters = tf.convert_to_tensor(weights["prior_shift"])
    if given is not None:
        parameters += flow_steps.convolve(given, weights["prior_kernel"])
    parameters *= flow_steps.gain(weights["prior_log_scale"])
    mean, log_sd = tf.split(parameters, 2, axis=-1)
    return mean, log_sd


class _NoCache:
    """Stands where a bijector has TFP's cache of results by input.

    That one does not know that weights change: it would answer for those of the first call.
    """

    def __init__(self, bijector: GlowFlow | None = None) -> None:
        self._bijector: Any = bijector

    def __get__(self, bijector: GlowFlow, owner: type) -> _NoCache:
        return _NoCache(bijector)

    def forward(self, x: tf.Tensor) -> tf.Tensor:
        return self._bijector._forward(x)

    def inverse(self, y: tf.Tensor) -> tf.Tensor:
        return self._bijector._inverse(y)

    def forward_attributes(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        return {}

    def inverse_attributes(self, y: tf.Tensor) -> dict[str, tf.Tensor]:
        return {}


class GlowFlow(tfp.bijectors.Bijector):
    """Images float32 [..., height, width, channels] to standardised latents [..., D].

    Every level squeezes, makes its steps, and, but for the last, puts half of the channels aside as
    latents (sections 3 and 3.4). Latents z are standardised by their learned prior, to
    (z - mu) / sigma: since mu and sigma depend on later levels alone, this is one more triangular
    step of the flow, and its base distribution is a standard normal over all D = height * width *
    channels coordinates. They are ordered by level, then row, column and channel.
    """

    _cache = _NoCache()

    def __init__(
        self,
        settings: GlowSettings,
        image_shape: Shape,
        weights: list[Weights],
        fixed: list[Fixed],
        precision: str = "float32",
        recompute: bool = False,
    ) -> None:
        """Makes a flow of given weights, which several flows may share.

        Args:
            settings: `coupling` and `num_levels`.
            image_shape: (height, width, channels).
            weights: From `make_weights`.
            fixed: Likewise.
            precision: `mixed_bfloat16`: the coupling networks' convolutions in bfloat16.
            recompute: Whether gradients keep no more of a step than its input, and compute the
                rest again.
        """
        parameters = dict(locals())
        super().__init__(
            forward_min_event_ndims=3,
            inverse_min_event_ndims=1,
            dtype=tf.float32,
            parameters=parameters,
            name="glow_flow",
        )
        self._coupling = settings.coupling
        self._image_shape = image_shape
        self._shapes = level_shapes(image_shape, settings.num_levels)
        self._weights = weights
        self._fixed = fixed
        self._network_dtype = tf.float32 if precision == "float32" else tf.bfloat16
        step = flow_steps.step_forward(settings.coupling)
        self._step = tf.recompute_grad(step) if recompute else step

    @classmethod
    def _parameter_properties(cls, dtype: Any, num_classes: Any = None) -> dict[str, Any]:
        return {}

    def transform(self, images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Latents [batch, D] and log-determinants [batch] of images [batch, ...]."""
        x, parts = images, []
        log_det = tf.zeros(tf.shape(images)[:1])
        for i, (height, width, _) in enumerate(self._shapes):
            weights = self._weights[i]
            x = tf.nn.space_to_depth(x, 2)
            matrices, offsets, of_maps = flow_steps.channel_maps(weights, self._fixed[i])
            log_det += height * width * of_maps
            networks = flow_steps.prepare(weights, self._network_dtype)
            maps = zip(tf.unstack(matrices), tf.unstack(offsets), networks, strict=True)
            for matrix, offset, network in maps:
                x, of_coupling = self._step(x, matrix, offset, *network)
                log_det += of_coupling
            latents, of_prior, x = self._put_aside(x, i)
            log_det += of_prior
            parts.append(tf.reshape(latents, [-1, math.prod(latents.shape[1:])]))
        return tf.concat(parts, axis=-1), log_det

    def _put_aside(self, x: tf.Tensor, level: int) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Standardised latents of a level, their log-determinant, and the channels that go on."""
        given = None
        if level < len(self._shapes) - 1:
            given, x = tf.split(x, 2, axis=-1)
        mean, log_sd = _prior(self._weights[level], given)
        log_det = -tf.reduce_sum(tf.broadcast_to(log_sd, tf.shape(x)), axis=(1, 2, 3))
        return (x - mean) * tf.exp(-log_sd), log_det, given

    def invert(self, latents: tf.Tensor) -> tf.Tensor:
        """Images [batch, height, width, channels] of latents [batch, D]."""
        last = len(self._shapes) - 1
        sizes = [
            math.prod(shape) // (1 if i == last else 2) for i, shape in enumerate(self._shapes)
        ]
        x = None
        for i, part in reversed(list(enumerate(tf.split(latents, sizes, axis=-1)))):
            height, width, channels = self._shapes[i]
            weights = self._weights[i]
            mean, log_sd = _prior(weights, x)
            part = tf.reshape(part, [-1, height, width, channels if i == last else channels // 2])
            part = mean + tf.exp(log_sd) * part
            x = part if x is None else tf.concat([x, part], axis=-1)
            matrices, offsets = flow_steps.inverse_channel_maps(weights, self._fixed[i])
            networks = flow_steps.prepare(weights, self._network_dtype)
            maps = zip(tf.unstack(matrices), tf.unstack(offsets), networks, strict=True)
            for matrix, offset, network in reversed(list(maps)):
                x = flow_steps.step_inverse(x, matrix, offset, network, self._coupling)
            x = tf.nn.depth_to_space(x, 2)
        return x

    def initialise(self, images: tf.Tensor) -> None:
        """Sets every actnorm for outputs of mean 0 and deviation 1 on a batch (section 3.1)."""
        x = images
        for i, weights in enumerate(self._weights):
            x = tf.nn.space_to_depth(x, 2)
            of_steps = {k: v for k, v in weights.items() if not k.startswith("prior")}
            x, actnorms = flow_steps.initialise_actnorms(
                x, of_steps, self._fixed[i], self._coupling
            )
            for name, value in actnorms.items():
                weights[name].assign(value)
            _, _, x = self._put_aside(x, i)

    def _forward(self, x: tf.Tensor) -> tf.Tensor:
        latents, _ = self.transform(tf.reshape(x, [-1, *self._image_shape]))
        return tf.reshape(latents, tf.concat([tf.shape(x)[:-3], [latents.shape[-1]]], axis=0))

    def _inverse(self, y: tf.Tensor) -> tf.Tensor:
        images = self.invert(tf.reshape(y, [-1, y.shape[-1]]))
        return tf.reshape(images, tf.concat([tf.shape(y)[:-1], self._image_shape], axis=0))

    def _forward_log_det_jacobian(self, x: tf.Tensor) -> tf.Tensor:
        _, log_det = self.transform(tf.reshape(x, [-1, *self._image_shape]))
        return tf.reshape(log_det, tf.shape(x)[:-3])

    def _forward_event_shape(self, input_shape: tf.TensorShape) -> tf.TensorShape:
        return input_shape[:-3].concatenate(math.prod(self._image_shape))

    def _inverse_event_shape(self, output_shape: tf.TensorShape) -> tf.TensorShape:
        return output_shape[:-1].concatenate(self._image_shape)

    def _forward_event_shape_tensor(self, input_shape: tf.Tensor) -> tf.Tensor:
        return tf.concat([input_shape[:-3], [math.prod(self._image_shape)]], axis=0)

    def _inverse_event_shape_tensor(self, output_shape: tf.Tensor) -> tf.Tensor:
        return tf.concat([output_shape[:-1], self._image_shape], axis=0)
