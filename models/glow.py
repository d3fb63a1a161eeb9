"""Glow (Kingma & Dhariwal 2018): an invertible map between images and standard normal latents."""

from __future__ import annotations

import math

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from data.files import InputError
from models import flow, optimizers, schedules
from models.latent_blocks import LatentBlock, coordinates
from models.settings import GlowSettings

tfb = tfp.bijectors
tfd = tfp.distributions


def dequantise(images: tf.Tensor, num_bits: int, noise: tf.Tensor | float) -> tf.Tensor:
    """Continuous values of n-bit images (section 2 of the paper, eq. 2): (k + u) / 2^n - 1/2.

    Args:
        images: float32 in [0, 1], of which only the 2^n bins are kept: k = floor(2^n x), at most
            2^n - 1.
        num_bits: n.
        noise: u, in [0, 1): of the images' shape; .5 is the bins' centres.
    """
    num_bins = 2.0**num_bits
    bins = tf.minimum(tf.floor(images * num_bins), num_bins - 1)
    return (bins + noise) / num_bins - 0.5


def to_images(values: tf.Tensor, num_bits: int) -> tf.Tensor:
    """Images in [0, 1] of continuous values; the centre of bin k becomes k / (2^n - 1)."""
    num_bins = 2.0**num_bits
    return tf.clip_by_value(((values + 0.5) * num_bins - 0.5) / (num_bins - 1), 0.0, 1.0)


class Glow:
    """A Glow with its optimiser: what the training loop trains and the later steps read.

    Attributes:
        flow: Images, dequantised, to standardised latents, in float32.
        prior: The standardised latents', [D]: a standard normal.
        distribution: The dequantised images', [height, width, channels].
    """

    def __init__(
        self, settings: GlowSettings, image_shape: tuple[int, int, int], rng: np.random.Generator
    ) -> None:
        """Builds the flow; `rng` draws its initial weights.

        Raises:
            InputError: If height or width cannot be halved at every level.
        """
        factor = 2**settings.num_levels
        if image_shape[0] % factor or image_shape[1] % factor:
            raise InputError(
                f"images of {image_shape[0]} x {image_shape[1]} do not fit {settings.num_levels} "
                f"levels; expected multiples of {factor}"
            )
        self.settings = settings
        self._dimension = math.prod(image_shape)
        self._top_shape = flow.level_shapes(image_shape, settings.num_levels)[-1]
        weights, fixed = flow.make_weights(settings, image_shape, rng)
        self._weights = [variable for level in weights for variable in level.values()]
        self.flow = flow.GlowFlow(settings, image_shape, weights, fixed)
        # Only gradients bear bfloat16: what is measured of a flow should be its exact inverse.
        self._trained_flow = flow.GlowFlow(
            settings, image_shape, weights, fixed, settings.precision, settings.recompute
        )
        zeros = tf.zeros(self._dimension)
        self.prior = tfd.MultivariateNormalDiag(zeros, tf.ones(self._dimension))
        self.distribution = tfd.TransformedDistribution(self.prior, tfb.Invert(self.flow))
        rate = schedules.schedule_of(settings.learning_rate, settings)
        self.optimizer = optimizers.Adam(rate, epsilon=1e-8)
        self.optimizer.build(self._weights)

    @property
    def term_names(self) -> tuple[str, ...]:
        """Names of what `train_step` returns, in order."""
        return ("loss", "bits_per_dim")

    def variables(self) -> dict[str, keras.Variable]:
        """All state that training changes, by name: weights and the optimiser's slots."""
        named = {f"weights/{v.path}": v for v in self._weights}
        # Not by path: Keras numbers a process's optimisers, and a checkpoint must not depend on it.
        named |= {f"optimizer/{v.name}": v for v in self.optimizer.variables}
        return named

    @property
    def latent_blocks(self) -> tuple[LatentBlock, ...]:
        """The last level's channels at all positions alike, at its central one, and everything."""
        height, width, channels = self._top_shape
        first = self._dimension - math.prod(self._top_shape)
        centre = first + (height // 2 * width + width // 2) * channels

        def embed(directions: np.ndarray) -> np.ndarray:
            embedded = np.zeros((len(directions), self._dimension))
            embedded[:, first:] = np.tile(directions, height * width)
            return embedded

        return (
            LatentBlock(
                "channels", channels, embed, "the last level's channels, at every position"
            ),
            coordinates(
                "position",
                np.arange(centre, centre + channels),
                self._dimension,
                "the last level's channels, at the central position",
            ),
            coordinates(
                "everything",
                np.arange(self._dimension),
                self._dimension,
                "all latents of all levels, positions mixed",
            ),
        )

    def initialise(self, images: tf.Tensor, seed: tf.Tensor) -> None:
        """Sets the actnorms from a first batch, before anything is trained or sampled."""
        self.flow.initialise(self._dequantise(images, seed))

    def _dequantise(self, images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        noise = tf.random.stateless_uniform(tf.shape(images), seed)
        return dequantise(images, self.settings.num_bits, noise)

    def losses(self, images: tf.Tensor, step: tf.Tensor, seed: tf.Tensor) -> dict[str, tf.Tensor]:
        """Minus the log-likelihood of n-bit images, bounded by dequantisation.

        Args:
            images: float32 [batch, height, width, channels] in [0, 1].
            step: Not needed.
            seed: int32 [2], of the dequantisation's stateless noise.

        Returns:
            `loss`, nats an image, mean over images; `bits_per_dim`, the same in bits a channel of
            a pixel.
        """
        del step
        return self._losses(self.flow, images, seed)

    def _losses(
        self, trained_flow: flow.GlowFlow, images: tf.Tensor, seed: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        latents, log_det = trained_flow.transform(self._dequantise(images, seed))
        log_density = tf.reduce_mean(self.prior.log_prob(latents) + log_det)
        # A bin has the volume 2^-n in each of the D dimensions.
        loss = self.settings.num_bits * self._dimension * math.log(2) - log_density
        return {"loss": loss, "bits_per_dim": loss / (self._dimension * math.log(2))}

    def train_step(
        self, images: tf.Tensor, step: tf.Tensor, seed: tf.Tensor, num_replicas: int = 1
    ) -> dict[str, tf.Tensor]:
        """One step of gradient descent on the bits per dimension; returns `losses`.

        Args:
            images: This replica's part of the batch.
            step: Scalar int, training steps already made.
            seed: int32 [2], of this replica's draw.
            num_replicas: Over how many replicas Keras sums the gradients.
        """
        del step
        with tf.GradientTape() as tape:
            terms = self._losses(self._trained_flow, images, seed)
            loss = terms["bits_per_dim"] / num_replicas
        gradients = tape.gradient(loss, self._weights)
        if self.settings.clip_norm:
            limit = self.settings.clip_norm / num_replicas
            gradients, _ = tf.clip_by_global_norm(gradients, limit)
        self.optimizer.apply(gradients, self._weights)
        return terms

    def encode(self, images: tf.Tensor) -> tuple[tf.Tensor, None]:
        """The last level's standardised latents, summed over P positions, by sqrt(P): [batch, C].

        Their mean over positions, scaled to have deviation 1 under the prior as the latents have.
        Images are dequantised at their bins' centres. A rotation of the channels that all positions
        share rotates the representation as much.
        """
        height, width, channels = self._top_shape
        latents = self.start(images, tf.zeros(2, tf.int32))
        top = tf.reshape(latents[:, -height * width * channels :], [-1, height * width, channels])
        return tf.reduce_sum(top, axis=1) / math.sqrt(height * width), None

    def start(self, images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Standardised latents [batch, D], from which a traversal starts.

        They are those of the bins' centres, so that `decode` gives the images back without grain.
        """
        del seed
        return self.flow.forward(dequantise(images, self.settings.num_bits, 0.5))

    def decode(self, latents: tf.Tensor) -> tf.Tensor:
        """Images in [0, 1], float32 [batch, height, width, channels], of latents [batch, D]."""
        return to_images(self.flow.inverse(latents), self.settings.num_bits)

    def draw(self, num: int, seed: tf.Tensor) -> tf.Tensor:
        """Standardised latents drawn from the prior: [num, D]."""
        return self.prior.sample(num, seed=seed)

    def sample(self, num_images: int, seed: tf.Tensor, temperature: float = 1.0) -> tf.Tensor:
        """Images drawn from the model, every prior's deviation times `temperature` (section 6)."""
        return self.decode(temperature * self.draw(num_images, seed))
