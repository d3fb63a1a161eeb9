"""beta-TCVAE (Chen et al. 2018, eq. 4): the KL's total correlation weighs more than its rest.

With alpha = gamma = 1, as there and in disentanglement_lib, the loss is reconstruction + KL +
(their beta - 1) TC. Here the KL keeps a beta of its own, and `tc_weight` is their beta - 1.

TC = KL(q(z) || prod_k q(z_k)), of the aggregate posterior q(z) = E_x q(z | x), whose densities are
estimated from the batch itself (appendix C). The authors' code estimates the rest of the KL by the
same samples; here, as in disentanglement_lib, it is the closed form. Of a posterior with full
covariance, q(z | x) is its joint density and q(z_k | x) = N(mean_k, S_kk) its marginal.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from data.dataset import Dataset
from data.files import InputError
from models.objectives import base
from models.settings import BetaVAESettings

if TYPE_CHECKING:
    import tensorflow as tf

TITLE = "β-TCVAE"
SAMPLINGS = ("weighted", "stratified")


@dataclasses.dataclass(frozen=True)
class Settings(BetaVAESettings):
    """Those of a beta-VAE whose beta is annealed, and the total correlation's.

    Attributes:
        tc_weight: The weight of the total correlation beyond its share of the KL.
        sampling: How the aggregate posterior is estimated: minibatch `weighted` or `stratified`.
        num_images: N of the data set, which `fitted_to` fills in where stratified sampling needs
            it.
    """

    tc_weight: float = 5.0
    sampling: str = "weighted"
    num_images: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        base.require_weights(self, "tc_weight")
        if self.sampling not in SAMPLINGS:
            expected = ", ".join(SAMPLINGS)
            raise InputError(f"unknown sampling {self.sampling!r}; expected one of {expected}")

    def fitted_to(self, dataset: Dataset, num_steps: int) -> Self:
        """The same for a number of training steps and a number of images."""
        num_images = len(dataset) if self.sampling == "stratified" else 0
        fitted = super().fitted_to(dataset, num_steps)
        return dataclasses.replace(fitted, num_images=num_images)


class Objective(base.Penalised):
    """Reconstruction + beta(step) KL + tc_weight TC."""

    def penalty(self, batch: base.Batch) -> tf.Tensor:
        """The weighted total correlation."""
        settings, size = self.settings, batch.latents.shape[0]
        weights = None
        if settings.sampling == "stratified":
            weights = stratified_weights(size, settings.num_images)
        return settings.tc_weight * total_correlation(batch.posterior, batch.latents, weights)


def stratified_weights(batch_size: int, num_images: int) -> np.ndarray:
    """Log weights of a batch's posteriors in each image's estimate of q(z), float32 [b, b].

    Chen et al. 2018, appendix C.2, with M = b - 1: 1 / N for the image's own posterior, (N - M) /
    (N M) for one other, which is the next here, and 1 / M for the rest.
    They add up to 1. (It takes images to be drawn without replacement; that they are drawn with it
    matters as little as a batch is small beside the data.)

    Args:
        batch_size: b.
        num_images: N.

    Raises:
        InputError: If there are fewer than two images in a batch, or too few in the data.
    """
    m, n = batch_size - 1, num_images
    if not 1 <= m < n:
        raise InputError(
            f"sampling is stratified with batches of {batch_size} of {num_images} images; "
            "expected batches of 2 or more, and no more than there are images"
        )
    own = np.eye(batch_size, dtype=bool)
    weights = np.full((batch_size, batch_size), 1 / m)
    weights[np.roll(own, 1, axis=1)] = (n - m) / (n * m)
    weights[own] = 1 / n
    return np.log(weights).astype(np.float32)


def total_correlation(
    posterior: Any, latents: tf.Tensor, log_weights: np.ndarray | None = None
) -> tf.Tensor:
    """The mean of log q(z) - sum_k log q(z_k), nats.

    Minibatch-weighted sampling (Chen et al. 2018, eq. 3) weighs every density by 1 / (N M). Its 1 /
    N is left out, a constant of (d - 1) log N nats without a gradient: images that share one
    posterior have its own total correlation then.

    Args:
        posterior: q(z | x), of M images.
        latents: float32 [M, d], a draw for each image.
        log_weights: float32 [M, M], of posterior j in the densities at image i; None: 1 / M.
    """
    import tensorflow as tf

    if log_weights is None:
        log_weights = np.full(2 * (latents.shape[0],), -math.log(latents.shape[0]), np.float32)
    joint, marginal = log_densities(posterior, latents)
    of_all = tf.reduce_logsumexp(joint + log_weights, axis=1)
    of_each = tf.reduce_logsumexp(marginal + log_weights[:, :, None], axis=1)
    return tf.reduce_mean(of_all - tf.reduce_sum(of_each, axis=1))


def log_densities(posterior: Any, latents: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Joint log q(z_i | x_j), float32 [M, M], and marginal log q(z_ik | x_j), float32 [M, M, d].

    With S = L L^T, log N(z; m, S) = -(|L^-1 (z - m)|^2 + d log 2 pi) / 2 - log det L.

    Args:
        posterior: q(z | x), of M images.
        latents: float32 [M, d].
    """
    import tensorflow as tf
    import tensorflow_probability as tfp

    log_two_pi = math.log(2 * math.pi)
    difference = latents[:, None] - posterior.mean()  # [M, M, d]
    variance = posterior.variance()
    marginal = -(tf.square(difference) / variance + tf.math.log(variance) + log_two_pi) / 2
    if isinstance(posterior, tfp.distributions.MultivariateNormalDiag):
        return tf.reduce_sum(marginal, axis=-1), marginal
    scale = posterior.scale.to_dense()
    inverse = tf.linalg.triangular_solve(scale, tf.eye(latents.shape[1]) + 0 * scale)
    whitened = tf.einsum("jkl,ijl->ijk", inverse, difference)
    log_det = tf.reduce_sum(tf.math.log(posterior.scale.diag_part()), axis=-1)
    squares = tf.reduce_sum(tf.square(whitened), axis=-1)
    return -(squares + latents.shape[1] * log_two_pi) / 2 - log_det, marginal
