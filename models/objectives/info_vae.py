"""InfoVAE (Zhao et al. 2019, eq. 6), with the maximum mean discrepancy as its divergence.

Their loss is reconstruction + (1 - alpha) KL + (alpha + lambda - 1) MMD(q(z), p(z)): beta is 1 -
alpha here, and `mmd_weight` alpha + lambda - 1. The paper leaves the kernel open; this is that of
the authors' code, exp(-|z - z'|^2 / d^2), and as there q(z) is a batch's draws from their
posteriors, p(z) as many from the prior, and pairs of a draw with itself count. A draw has the
covariance of its posterior, whatever that is.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from models.objectives import base
from models.settings import BetaVAESettings

if TYPE_CHECKING:
    import tensorflow as tf

TITLE = "InfoVAE"
_PRIOR = 1  # of the draws from a batch's seed; the seed itself is that of the latents


@dataclasses.dataclass(frozen=True)
class Settings(BetaVAESettings):
    """Those of a beta-VAE whose beta is annealed, and the discrepancy's.

    Attributes:
        mmd_weight: The weight of the squared maximum mean discrepancy.
    """

    mmd_weight: float = 1000.0

    def __post_init__(self) -> None:
        super().__post_init__()
        base.require_weights(self, "mmd_weight")


class Objective(base.Penalised):
    """Reconstruction + beta(step) KL + mmd_weight MMD^2."""

    def penalty(self, batch: base.Batch) -> tf.Tensor:
        """The weighted discrepancy of the batch's latents from as many of the prior."""
        import tensorflow as tf

        seed = tf.random.fold_in(batch.seed, _PRIOR)
        prior = tf.random.stateless_normal(tf.shape(batch.latents), seed)
        return self.settings.mmd_weight * squared_mmd(batch.latents, prior)


def squared_mmd(first: tf.Tensor, second: tf.Tensor) -> tf.Tensor:
    """The squared maximum mean discrepancy of two sets of points (Gretton et al. 2012, eq. 5).

    Args:
        first: float32 [m, d].
        second: float32 [n, d].
    """
    import tensorflow as tf

    of_first, of_second = _kernel(first, first), _kernel(second, second)
    between = _kernel(first, second)
    return tf.reduce_mean(of_first) + tf.reduce_mean(of_second) - 2 * tf.reduce_mean(between)


def _kernel(first: tf.Tensor, second: tf.Tensor) -> tf.Tensor:
    """exp(-|z - z'|^2 / d^2), float32 [m, n]."""
    import tensorflow as tf

    squares = tf.reduce_sum(tf.square(first[:, None] - second), axis=-1)
    return tf.exp(-squares / first.shape[1] ** 2)
