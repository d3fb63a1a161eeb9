"""Reads the factors of variation from an image: traversals are measured by what it reads."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from models import networks, optimizers
from models.architectures import NETWORKS
from models.settings import FactorPredictorSettings


class FactorPredictor:
    """A convolutional network with one head a factor, and its optimiser."""

    is_supervised = True

    def __init__(
        self,
        settings: FactorPredictorSettings,
        image_shape: tuple[int, int, int],
        rng: np.random.Generator,
    ) -> None:
        """Builds the network; `rng` draws its initial weights."""
        self.settings = settings
        self._sizes = settings.head_sizes
        self._network = networks.build_encoder(
            NETWORKS[settings.network], image_shape, sum(self._sizes), settings.precision, rng
        )
        self._weights = self._network.trainable_variables
        schedule = keras.optimizers.schedules.CosineDecay(
            settings.learning_rate, settings.decay_steps
        )
        self.optimizer = optimizers.Adam(schedule)
        self.optimizer.build(self._weights)

    @property
    def term_names(self) -> tuple[str, ...]:
        """Names of what `train_step` returns, in order."""
        return ("loss",)

    def variables(self) -> dict[str, keras.Variable]:
        """All state that training changes, by name: weights and the optimiser's slots."""
        named = {f"weights/{v.path}": v for v in self._weights}
        named |= {f"optimizer/{v.name}": v for v in self.optimizer.variables}
        return named

    def initialise(self, images: tf.Tensor, seed: tf.Tensor) -> None:
        """Nothing depends on a first batch."""

    def losses(self, images: tf.Tensor, factors: tf.Tensor) -> list[tf.Tensor]:
        """Each factor's loss, scalars.

        Cross-entropy in nats for a categorical factor; for an ordered one the squared error over
        its variance, if all its classes are equally frequent; for an angle the squared distance on
        the circle that belongs to the image's own symmetry.

        Args:
            images: float32 [batch, height, width, channels] in [0, 1].
            factors: int [batch, k], class indices.
        """
        outputs = tf.split(self._network(images), self._sizes, axis=1)
        return [self._loss(j, output, factors) for j, output in enumerate(outputs)]

    def _loss(self, j: int, output: tf.Tensor, factors: tf.Tensor) -> tf.Tensor:
        kind, size = self.settings.factor_kinds[j], self.settings.factor_sizes[j]
        truth = factors[:, j]
        if kind == "categorical":
            return tf.reduce_mean(
                tf.nn.sparse_softmax_cross_entropy_with_logits(labels=truth, logits=output)
            )
        if kind == "ordered":
            return tf.reduce_mean(tf.square(output[:, 0] - _standardise(truth, size)))
        angle = 2 * np.pi * tf.cast(truth, tf.float32) / (size - 1)
        pairs = tf.reshape(output, [-1, max(1, len(self.settings.symmetries)), 2])
        if self.settings.symmetries:
            own = factors[:, self.settings.factor_kinds.index("categorical")]
            angle *= tf.cast(tf.gather(tf.constant(self.settings.symmetries), own), tf.float32)
            pairs = tf.gather(pairs, own, batch_dims=1)[:, None]
        on_circle = tf.stack([tf.cos(angle), tf.sin(angle)], axis=1)
        return tf.reduce_mean(tf.reduce_sum(tf.square(pairs[:, 0] - on_circle), axis=1))

    def train_step(
        self,
        images: tf.Tensor,
        step: tf.Tensor,
        seed: tf.Tensor,
        num_replicas: int = 1,
        factors: tf.Tensor | None = None,
    ) -> dict[str, tf.Tensor]:
        """One step of gradient descent on the sum of `losses`; returns it.

        Args:
            images: This replica's part of the batch.
            step: Not used: nothing is scheduled here.
            seed: int32 [2], the seed by which images are blurred and made noisy.
            num_replicas: Over how many replicas Keras sums the gradients.
            factors: int [batch, k], the images' class indices.
        """
        del step
        if self.settings.blur or self.settings.noise:
            images = self._degraded(images, seed)
        with tf.GradientTape() as tape:
            loss = tf.add_n(self.losses(images, factors))
            scaled = loss / num_replicas
        self.optimizer.apply(tape.gradient(scaled, self._weights), self._weights)
        return {"loss": loss}

    def _degraded(self, images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """The images, every second one blurred and made noisy, each to a degree of its own."""
        of_blur, of_noise, of_pixels = tf.unstack(tf.random.split(seed, 3))
        degrees = [tf.shape(images)[0], 1, 1, 1]
        chosen = tf.cast(tf.range(degrees[0]) % 2, tf.float32)[:, None, None, None]
        blurred = images
        for _ in range(2):
            blurred = tf.nn.avg_pool2d(blurred, 3, 1, "SAME")
        share = chosen * tf.random.stateless_uniform(degrees, of_blur, 0, self.settings.blur)
        sd = chosen * tf.random.stateless_uniform(degrees, of_noise, 0, self.settings.noise)
        noise = tf.random.stateless_normal(tf.shape(images), of_pixels)
        return tf.clip_by_value(images + share * (blurred - images) + sd * noise, 0.0, 1.0)

    def predict(self, images: tf.Tensor) -> tf.Tensor:
        """The factors of images: float32 [batch, sum(settings.head_sizes)].

        Args:
            images: float32 [batch, height, width, channels] in [0, 1].
        """
        outputs = tf.split(self._network(images), self._sizes, axis=1)
        return tf.concat([self._read(j, output) for j, output in enumerate(outputs)], axis=1)

    def _read(self, j: int, output: tf.Tensor) -> tf.Tensor:
        kind, size = self.settings.factor_kinds[j], self.settings.factor_sizes[j]
        if kind == "categorical":
            return tf.nn.softmax(output)
        if kind == "ordered":
            return output * _sd(size) + (size - 1) / 2
        pairs = tf.reshape(output, [-1, output.shape[1] // 2, 2])
        return tf.reshape(tf.math.l2_normalize(pairs, axis=2), tf.shape(output))


def _sd(size: int) -> float:
    """Standard deviation of a uniform class index below `size`."""
    return float(np.sqrt((size**2 - 1) / 12))


def _standardise(index: tf.Tensor, size: int) -> tf.Tensor:
    return (tf.cast(index, tf.float32) - (size - 1) / 2) / _sd(size)


def held_out(settings: Any, num_images: int) -> np.ndarray:
    """Which images a model's training never sees: bool [num_images]; none for most models.

    The choice depends on nothing but the number of images.
    """
    share = getattr(settings, "held_out", 0.0)
    return np.random.default_rng(0).random(num_images) < share
