"""beta-VAE (Higgins et al. 2017) with a diagonal posterior, and its full-covariance control."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from models import layer_chain, networks, objectives, optimizers, schedules
from models.architectures import NETWORKS
from models.latent_blocks import LatentBlock, coordinates
from models.layer_chain import LayerChain
from models.objectives.base import Batch
from models.settings import BetaVAESettings

tfd = tfp.distributions


def make_posterior(parameters: tf.Tensor, settings: BetaVAESettings) -> Any:
    """The posterior q(z | x) from the encoder's outputs.

    The scale is diag(exp(v / 2)) (I + N), with a strictly lower triangle N for the full covariance:
    the diagonal posterior is the full one with N = 0. Any lower triangle with a positive diagonal
    can be written so; with N in units of its row's deviation it is learnt far better than when it
    is added to the diagonal.

    Args:
        parameters: float32 [batch, num_parameters]: mean, v, and the entries of N.
        settings: `num_latents` and `posterior`.

    Returns:
        A tfd.MultivariateNormalDiag or tfd.MultivariateNormalTriL over [num_latents].
    """
    d = settings.num_latents
    mean, v = parameters[:, :d], parameters[:, d : 2 * d]
    scale = tf.exp(v / 2)
    if settings.posterior == "diagonal":
        return tfd.MultivariateNormalDiag(mean, scale)
    triangle = tfp.math.fill_triangular(parameters[:, 2 * d :])  # [batch, d - 1, d - 1]
    strictly_lower = scale[:, :, None] * tf.pad(triangle, [[0, 0], [1, 0], [0, 1]])
    return tfd.MultivariateNormalTriL(mean, strictly_lower + tf.linalg.diag(scale))


def kl_from_standard_normal(posterior: Any) -> tf.Tensor:
    """KL(q(z | x) || N(0, I)) in nats, float32 [batch].

    (tr(S) + |mean|^2 - d - log det S) / 2 with S = L L^T; log det S is that of a triangle.

    Args:
        posterior: From `make_posterior`, over [d].
    """
    scale = posterior.scale
    d = posterior.event_shape[0]
    if isinstance(posterior, tfd.MultivariateNormalDiag):
        trace = tf.reduce_sum(tf.square(scale.diag_part()), axis=-1)
    else:
        trace = tf.reduce_sum(tf.square(scale.to_dense()), axis=(-2, -1))
    squares = tf.reduce_sum(tf.square(posterior.mean()), axis=-1)
    log_det = tf.reduce_sum(tf.math.log(scale.diag_part()), axis=-1)
    return (trace + squares - d) / 2 - log_det


def num_parameters(settings: BetaVAESettings) -> int:
    """How many numbers an image's posterior takes."""
    d = settings.num_latents
    return 2 * d + (d * (d - 1) // 2 if settings.posterior == "full_covariance" else 0)


class BetaVAE:
    """A beta-VAE with its optimiser: what the training loop trains and the later steps read."""

    def __init__(
        self, settings: BetaVAESettings, image_shape: tuple[int, int, int], rng: np.random.Generator
    ) -> None:
        """Builds the networks; `rng` draws their initial weights."""
        self.settings = settings
        network = NETWORKS[settings.network]
        self.encoder = networks.build_encoder(
            network, image_shape, num_parameters(settings), settings.precision, rng
        )
        self.decoder = networks.build_decoder(
            network, image_shape, settings.num_latents, settings.precision, rng
        )
        self._weights = self.encoder.trainable_variables + self.decoder.trainable_variables
        self.objective = objectives.load(settings.objective).Objective(settings, rng)
        rate = schedules.rate_of(settings.learning_rate, settings)
        decay = self.objective.weight_decay
        if settings.optimizer == "adam":
            self.optimizer = optimizers.Adam(rate, epsilon=1e-8, weight_decay=decay)
        elif settings.optimizer == "adagrad":
            self.optimizer = keras.optimizers.Adagrad(rate, weight_decay=decay)
        else:
            self.optimizer = keras.optimizers.SGD(rate, momentum=0.9, weight_decay=decay)
        if decay:
            self.optimizer.exclude_from_weight_decay(var_names=["bias"])
        self.optimizer.build(self._weights)

    @property
    def term_names(self) -> tuple[str, ...]:
        """Names of what `train_step` returns, in order."""
        return ("loss", "reconstruction", "kl", *self.objective.term_names)

    def variables(self) -> dict[str, keras.Variable]:
        """All state that training changes, by name: weights and the optimiser's slots."""
        named = {f"weights/{v.path}": v for v in self._weights}
        # Not by path: Keras numbers a process's optimisers, and a checkpoint must not depend on it.
        named |= {f"optimizer/{v.name}": v for v in self.optimizer.variables}
        return named | {f"objective/{k}": v for k, v in self.objective.variables().items()}

    @property
    def latent_blocks(self) -> tuple[LatentBlock, ...]:
        """All latents, raw."""
        d = self.settings.num_latents
        return (coordinates("latents", np.arange(d), d, "all latents"),)

    def initialise(self, images: tf.Tensor, seed: tf.Tensor) -> None:
        """Nothing depends on a first batch."""

    def posterior(self, images: tf.Tensor) -> Any:
        """q(z | x) for images float32 [batch, height, width, channels]."""
        seen = images - 0.5 if self.settings.centred else images
        return make_posterior(self.encoder(seen), self.settings)

    def _outputs(self, latents: tf.Tensor) -> tf.Tensor:
        """The likelihood's parameters, float32 [batch, height, width, channels]."""
        outputs = tf.cast(self.decoder(latents), tf.float32)
        return outputs + 0.5 if self.settings.centred else outputs

    def likelihood(self, latents: tf.Tensor) -> Any:
        """p(x | z) for latents float32 [batch, num_latents]: independent over pixels."""
        outputs = self._outputs(latents)
        if self.settings.decoder == "bernoulli":
            pixels = tfd.Bernoulli(logits=outputs, dtype=tf.float32)
        else:
            pixels = tfd.Normal(outputs, self.settings.decoder_sd)
        return tfd.Independent(pixels, 3)

    def _reconstruction(self, latents: tf.Tensor, images: tf.Tensor) -> tf.Tensor:
        """The mean over images of -log p(x | z), in as few passes over the pixels as there can be.

        It is that of `likelihood`, whose general formula takes a quarter of a small network's time.
        """
        outputs = self._outputs(latents)
        if self.settings.decoder == "bernoulli":
            pixels = tf.nn.sigmoid_cross_entropy_with_logits(labels=images, logits=outputs)
            return tf.reduce_sum(pixels) / tf.cast(tf.shape(images)[0], tf.float32)
        sd = self.settings.decoder_sd
        squares = tf.nn.l2_loss(images - outputs) / sd**2
        of_normal = math.prod(images.shape[1:]) * (math.log(sd) + math.log(2 * math.pi) / 2)
        return squares / tf.cast(tf.shape(images)[0], tf.float32) + of_normal

    def batch_of(self, images: tf.Tensor, step: tf.Tensor, seed: tf.Tensor) -> Batch:
        """A batch as it passes through the model.

        Args:
            images: float32 [batch, height, width, channels] in [0, 1].
            step: Scalar int, training steps already made.
            seed: int32 [2], the seed of the latents' stateless draw.
        """
        posterior = self.posterior(images)
        latents = self.objective.latents(posterior, seed)
        reconstruction = self._reconstruction(latents, images)
        kl = tf.reduce_mean(kl_from_standard_normal(posterior))
        return Batch(images, posterior, latents, reconstruction, kl, step, seed)

    def losses(self, images: tf.Tensor, step: tf.Tensor, seed: tf.Tensor) -> dict[str, tf.Tensor]:
        """The terms of the objective, scalars in nats an image; arguments as in `batch_of`."""
        return self._terms(self.batch_of(images, step, seed))

    def _terms(self, batch: Batch) -> dict[str, tf.Tensor]:
        loss, terms = self.objective.loss(batch)
        return {"loss": loss, "reconstruction": batch.reconstruction, "kl": batch.kl, **terms}

    def train_step(
        self, images: tf.Tensor, step: tf.Tensor, seed: tf.Tensor, num_replicas: int = 1
    ) -> dict[str, tf.Tensor]:
        """One step of gradient descent; returns `losses`.

        Args:
            images: This replica's part of the batch.
            step: Scalar int, training steps already made.
            seed: int32 [2], the seed of this replica's draw.
            num_replicas: Over how many replicas Keras sums the gradients.
        """
        with tf.GradientTape() as tape:
            batch = self.batch_of(images, step, seed)
            terms = self._terms(batch)
            loss = terms["loss"] / num_replicas
        self.optimizer.apply(tape.gradient(loss, self._weights), self._weights)
        self.objective.update(batch, num_replicas)
        return terms

    def encode(self, images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor | None]:
        """The representation, [batch, num_latents], and the log of its variances or None.

        Of all objectives with a posterior, its mean and its marginal variances.
        """
        return self.objective.encode(self.posterior(images))

    def start(self, images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """The representation, from which a traversal starts: [batch, num_latents]."""
        del seed
        return self.encode(images)[0]

    def draw(self, num: int, seed: tf.Tensor) -> tf.Tensor:
        """Latents drawn from the prior: [num, num_latents]."""
        return self.objective.draw(num, seed)

    def sample(self, num_images: int, seed: tf.Tensor, temperature: float = 1.0) -> tf.Tensor:
        """Mean images of latents drawn from the prior, its deviation times `temperature`."""
        return self.decode(temperature * self.draw(num_images, seed))

    def decode(self, latents: tf.Tensor) -> tf.Tensor:
        """Mean images in [0, 1], float32 [batch, height, width, channels]."""
        return tf.clip_by_value(self.likelihood(latents).mean(), 0.0, 1.0)

    def layer_chain(self) -> LayerChain:
        """`decode` without TensorFlow."""
        return LayerChain(
            np.zeros(self.settings.num_latents, bool),
            layer_chain.layers_of(self.decoder),
            self.decoder.output_shape[1:],
            "logistic" if self.settings.decoder == "bernoulli" else "clipped",
        )
