"""Quantized-latent autoencoder (Hsu et al. 2023): every latent takes one of a few scalar values.

The decoder is given z_k, the value nearest to the encoder's output c_k among latent k's own
(section 4.1); its gradient passes to c_k as it is, straight through. The loss is reconstruction +
lambda_q (sg(c) - z)^2 + lambda_c (c - sg(z))^2 with sg for what is held fixed: the first trains the
values alone, the second draws the encoder to them. Encoder and decoder are regularised by a strong
decoupled weight decay, without which latents are not modular (section 4.2); biases and values are
not, as in the authors' code.

The authors' reconstruction is a mean over pixels, and their quantisation and commitment losses are
means over latents. Here the reconstruction is a sum, and the other two are multiplied by the number
of pixels. There is no posterior: the encoder's mean is c, the rest of its output is unused, and the
KL is logged for nothing.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from data.files import InputError
from models.objectives import base
from models.settings import BetaVAESettings

if TYPE_CHECKING:
    import tensorflow as tf

TITLE = "QLAE"
HAS_POSTERIOR = False


@dataclasses.dataclass(frozen=True)
class Settings(BetaVAESettings):
    """Those of a beta-VAE, of which beta and the posterior do nothing, and the quantisation's.

    Attributes:
        num_values: How many each latent can take; evenly spaced over [-1/2, 1/2] at first.
        quantization_weight: lambda_q.
        commitment_weight: lambda_c.
        weight_decay: So much times the learning rate encoder's and decoder's kernels shrink a step.
    """

    num_values: int = 10
    quantization_weight: float = 0.01
    commitment_weight: float = 0.01
    weight_decay: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        base.require_weights(self, "quantization_weight", "commitment_weight", "weight_decay")
        if not self.num_values >= 2:
            raise InputError(f"num_values is {self.num_values}; expected at least 2")


class Objective(base.Objective):
    """Reconstruction from quantised latents, with what holds them and the encoder together."""

    term_names = ("quantization", "commitment")
    term_labels: ClassVar[Mapping[str, str]] = {
        "quantization": "quantisation loss, nats",
        "commitment": "commitment loss, nats",
    }

    def __init__(self, settings: Settings, rng: np.random.Generator) -> None:
        """Makes the values, and the optimiser that trains them."""
        import keras

        from models import optimizers, schedules

        super().__init__(settings, rng)
        self.weight_decay = settings.weight_decay or None
        even = np.linspace(-0.5, 0.5, settings.num_values)
        self.values = keras.Variable(
            np.tile(even, (settings.num_latents, 1)), dtype="float32", name="values"
        )
        rate = schedules.rate_of(settings.learning_rate, settings)
        self.optimizer = optimizers.Adam(rate, epsilon=1e-8)
        self.optimizer.build([self.values])

    def latents(self, posterior: Any, seed: tf.Tensor) -> tf.Tensor:
        """The encoder's outputs quantised, with the gradient of the outputs themselves."""
        import tensorflow as tf

        del seed
        outputs = posterior.mean()
        return outputs + tf.stop_gradient(self.quantise(outputs) - outputs)

    def quantise(self, outputs: tf.Tensor) -> tf.Tensor:
        """Each latent's nearest value, float32 [batch, num_latents]; the gradient is theirs."""
        import tensorflow as tf

        values = tf.convert_to_tensor(self.values)
        nearest = tf.argmin(tf.abs(outputs[:, :, None] - values), axis=-1)  # [batch, num_latents]
        return tf.transpose(tf.gather(values, tf.transpose(nearest), batch_dims=1))

    def loss(self, batch: base.Batch) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """The loss, and what quantisation and commitment add to it."""
        import tensorflow as tf

        outputs, settings = batch.posterior.mean(), self.settings
        quantised = tf.stop_gradient(self.quantise(outputs))
        num_pixels = float(np.prod(batch.images.shape[1:]))
        squares = num_pixels * tf.reduce_mean(tf.square(outputs - quantised))
        terms = {
            "quantization": settings.quantization_weight * tf.stop_gradient(squares),
            "commitment": settings.commitment_weight * squares,
        }
        return batch.reconstruction + terms["quantization"] + terms["commitment"], terms

    def update(self, batch: base.Batch, num_replicas: int) -> None:
        """One step of the values, which the quantisation loss alone depends on."""
        import tensorflow as tf

        outputs = batch.posterior.mean()
        weight = self.settings.quantization_weight * float(np.prod(batch.images.shape[1:]))
        with tf.GradientTape() as tape:
            squares = tf.square(self.quantise(outputs) - outputs)
            loss = weight * tf.reduce_mean(squares) / num_replicas
        self.optimizer.apply([tape.gradient(loss, self.values.value)], [self.values])

    def encode(self, posterior: Any) -> tuple[tf.Tensor, None]:
        """The quantised latents; there are no variances."""
        return self.quantise(posterior.mean()), None

    def draw(self, num: int, seed: tf.Tensor) -> tf.Tensor:
        """Values drawn evenly, each latent's by itself, as in the authors' code."""
        import tensorflow as tf

        num_latents, num_values = self.values.shape
        drawn = tf.random.stateless_uniform([num_latents, num], seed, 0, num_values, tf.int32)
        return tf.transpose(tf.gather(tf.convert_to_tensor(self.values), drawn, batch_dims=1))

    def variables(self) -> dict[str, Any]:
        """The values and their optimiser's slots."""
        named = {"values": self.values}
        return named | {f"optimizer/{v.name}": v for v in self.optimizer.variables}
