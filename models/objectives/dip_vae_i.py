"""DIP-VAE-I (Kumar et al. 2018, eq. 6): the posterior means' covariance is drawn to the identity.

lambda_od sum_{i != j} C_ij^2 + lambda_d sum_i (C_ii - 1)^2 with C = Cov_x[mean(x)], estimated from
the batch (over M, as in disentanglement_lib). The posterior's own covariance has no part in it.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from models.objectives import base
from models.settings import BetaVAESettings

if TYPE_CHECKING:
    import tensorflow as tf

TITLE = "DIP-VAE-I"


@dataclasses.dataclass(frozen=True)
class Settings(BetaVAESettings):
    """Those of a beta-VAE whose beta is annealed, and the covariance's.

    Attributes:
        lambda_od: The weight of entries off the diagonal.
        lambda_d: The weight of the diagonal's distances from 1.
    """

    lambda_od: float = 5.0
    lambda_d: float = 50.0

    def __post_init__(self) -> None:
        super().__post_init__()
        base.require_weights(self, "lambda_od", "lambda_d")


class Objective(base.Penalised):
    """Reconstruction + beta(step) KL + the means' weighted distance from uncorrelated ones."""

    def penalty(self, batch: base.Batch) -> tf.Tensor:
        """The weighted squares of the covariance less the identity."""
        return distance(covariance(batch.posterior.mean()), self.settings)


def covariance(values: tf.Tensor) -> tf.Tensor:
    """The covariance over a batch, float32 [d, d], from values [M, d]."""
    import tensorflow as tf

    centred = values - tf.reduce_mean(values, axis=0)
    return tf.matmul(centred, centred, transpose_a=True) / tf.cast(tf.shape(values)[0], tf.float32)


def distance(matrix: tf.Tensor, settings: Settings) -> tf.Tensor:
    """The weighted sum of squares of a covariance [d, d] less the identity."""
    import tensorflow as tf

    diagonal = tf.linalg.diag_part(matrix)
    squares = tf.square(tf.linalg.set_diag(matrix, tf.zeros_like(diagonal)))
    off_diagonal = settings.lambda_od * tf.reduce_sum(squares)
    return off_diagonal + settings.lambda_d * tf.reduce_sum(tf.square(diagonal - 1))
