"""FactorVAE (Kim & Mnih 2018, eq. 2): a discriminator tells how far latents are from independent.

Reconstruction + KL + gamma TC, with the density ratio of TC = KL(q(z) || prod_k q(z_k)) from a
discriminator D of latents and of latents permuted one by one over the batch (algorithm 1): log(D /
(1 - D)) is its logit. Latents are drawn from their posteriors, so that TC is that of the actual
covariance.

The paper permutes the latents of a second batch (algorithm 2); disentanglement_lib, and so this,
those of the same, which saves an encoding. D has one logit here and two there, whose difference
it is.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from data.files import InputError
from models.objectives import base
from models.settings import BetaVAESettings

if TYPE_CHECKING:
    import tensorflow as tf

TITLE = "FactorVAE"
_PERMUTATIONS = 1  # of the draws from a batch's seed; the seed itself is that of the latents


@dataclasses.dataclass(frozen=True)
class Settings(BetaVAESettings):
    """Those of a beta-VAE whose beta is annealed, and the discriminator's.

    Attributes:
        tc_weight: gamma, the weight of the total correlation.
        discriminator_widths: Its hidden layers'.
        discriminator_learning_rate: Its Adam's, with beta1 .5, beta2 .9 and epsilon 1e-8.
    """

    tc_weight: float = 10.0
    discriminator_widths: tuple[int, ...] = 6 * (1000,)
    discriminator_learning_rate: float = 1e-4

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "discriminator_widths", tuple(self.discriminator_widths))  # JSON
        base.require_weights(self, "tc_weight")
        if not self.discriminator_learning_rate > 0:
            raise InputError(
                f"discriminator_learning_rate is {self.discriminator_learning_rate}; "
                "expected more than 0"
            )
        if not all(isinstance(width, int) and width > 0 for width in self.discriminator_widths):
            raise InputError(
                f"discriminator_widths are {self.discriminator_widths}; "
                "expected whole numbers of at least 1"
            )


class Objective(base.Penalised):
    """Reconstruction + beta(step) KL + gamma times the discriminator's logit of latents."""

    def __init__(self, settings: Settings, rng: np.random.Generator) -> None:
        """Builds the discriminator and its optimiser."""
        from models import networks, optimizers

        super().__init__(settings, rng)
        self.discriminator = networks.build_discriminator(
            settings.num_latents, settings.discriminator_widths, rng
        )
        self.optimizer = optimizers.Adam(
            settings.discriminator_learning_rate, beta_1=0.5, beta_2=0.9, epsilon=1e-8
        )
        self.optimizer.build(self.discriminator.trainable_variables)

    def penalty(self, batch: base.Batch) -> tf.Tensor:
        """The weighted total correlation, as the discriminator has it."""
        import tensorflow as tf

        return self.settings.tc_weight * tf.reduce_mean(self.discriminator(batch.latents))

    def update(self, batch: base.Batch, num_replicas: int) -> None:
        """One step of the discriminator, on the latents that encoder and decoder were trained on.

        disentanglement_lib's two optimisers see the same latents, too; algorithm 2 encodes new
        ones.
        """
        import tensorflow as tf

        permuted = permute(batch.latents, tf.random.fold_in(batch.seed, _PERMUTATIONS))
        weights = self.discriminator.trainable_variables
        with tf.GradientTape() as tape:
            loss = self.discriminator_loss(batch.latents, permuted) / num_replicas
        self.optimizer.apply(tape.gradient(loss, weights), weights)

    def discriminator_loss(self, latents: tf.Tensor, permuted: tf.Tensor) -> tf.Tensor:
        """-(E log D(z) + E log(1 - D(z'))) / 2, nats: log 2 if it cannot tell them.

        Args:
            latents: float32 [batch, num_latents], z.
            permuted: The same for z'.
        """
        import tensorflow as tf

        of_latents = tf.nn.softplus(-self.discriminator(latents))
        of_permuted = tf.nn.softplus(self.discriminator(permuted))
        return (tf.reduce_mean(of_latents) + tf.reduce_mean(of_permuted)) / 2

    def variables(self) -> dict[str, Any]:
        """The discriminator's weights and its optimiser's slots."""
        named = {v.path: v for v in self.discriminator.trainable_variables}
        return named | {f"optimizer/{v.name}": v for v in self.optimizer.variables}


def permute(latents: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Latents [batch, d], each permuted over the batch by itself (algorithm 1)."""
    import tensorflow as tf

    by_latent = tf.transpose(latents)
    order = tf.argsort(tf.random.stateless_uniform(tf.shape(by_latent), seed), axis=1)
    return tf.transpose(tf.gather(by_latent, order, batch_dims=1))
