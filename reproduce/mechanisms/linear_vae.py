"""Linear VAEs, of which two experiments ask where their axes end.

The loss of a linear VAE is known in closed form. With x ~ (0, C), q(z | x) = N(W x, S) and
p(x | z) = N(V z, s I), up to a constant and in nats,

    1/(2 s) (tr((I - V W) C (I - V W)^T) + tr(V S V^T)) + 1/2 (tr(W C W^T) + tr S - log det S - d).

Many models are trained side by side by Adam on it, each on data of its own.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import scipy.optimize

ARMS = ("diagonal", "full_covariance", "autoencoder")


@dataclasses.dataclass(frozen=True)
class Training:
    """How linear models are trained.

    Attributes:
        noise: s, the variance of p(x | z).
        num_steps: Adam's.
        learning_rate: Adam's, falling to zero over the steps.
    """

    noise: float = 0.1
    num_steps: int = 4_000
    learning_rate: float = 1e-2


@dataclasses.dataclass(frozen=True, eq=False)
class LinearModels:
    """Weights of n models.

    Attributes:
        encoder: W, float64 [n, d, D].
        decoder: V, float64 [n, D, d].
        scale: float64 [n, d, d], lower triangular, of S = L L^T; its diagonal is kept as a
            logarithm. Not used by an autoencoder.
    """

    encoder: np.ndarray
    decoder: np.ndarray
    scale: np.ndarray

    def factor(self) -> np.ndarray:
        """L, float64 [n, d, d]."""
        lower = np.tril(self.scale, -1)
        diagonal = np.exp(np.diagonal(self.scale, axis1=1, axis2=2))
        return lower + diagonal[:, :, None] * np.eye(diagonal.shape[1])


def loss(models: LinearModels, covariance: np.ndarray, noise: float, arm: str) -> np.ndarray:
    """The loss above of each model, or its first term alone for an autoencoder: float64 [n].

    Args:
        models: n of them.
        covariance: C, float [n, D, D].
        noise: s.
        arm: One of `ARMS`; a diagonal posterior's scale must have a lower entry of 0.
    """
    w, v, factor = models.encoder, models.decoder, models.factor()
    error = np.eye(v.shape[1]) - v @ w
    reconstruction = _trace(error @ covariance @ transposed(error))
    if arm == "autoencoder":
        return reconstruction / (2 * noise)
    s = factor @ transposed(factor)
    reconstruction += _trace(v @ s @ transposed(v))
    log_det = 2 * np.diagonal(models.scale, axis1=1, axis2=2).sum(axis=1)
    kl = (_trace(w @ covariance @ transposed(w)) + _trace(s) - log_det - v.shape[2]) / 2
    return reconstruction / (2 * noise) + kl


def gradient(
    models: LinearModels, covariance: np.ndarray, noise: float, arm: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The gradient of `loss` by encoder, decoder and scale, in their shapes."""
    w, v, factor = models.encoder, models.decoder, models.factor()
    wrong = (v @ w - np.eye(v.shape[1])) @ covariance
    by_encoder = transposed(v) @ wrong / noise
    by_decoder = wrong @ transposed(w) / noise
    if arm == "autoencoder":
        return by_encoder, by_decoder, np.zeros_like(factor)
    by_encoder += w @ covariance
    by_decoder += v @ factor @ transposed(factor) / noise
    diagonal = np.diagonal(factor, axis1=1, axis2=2)
    by_factor = transposed(v) @ v @ factor / noise + factor
    by_log = np.diagonal(by_factor, axis1=1, axis2=2) * diagonal - 1
    lower = np.tril(by_factor, -1) if arm == "full_covariance" else 0
    return by_encoder, by_decoder, lower + by_log[:, :, None] * np.eye(by_log.shape[1])


def fit(
    covariance: np.ndarray, d: int, training: Training, arm: str, rng: np.random.Generator
) -> LinearModels:
    """Trains a model for each covariance [n, D, D] by Adam (Kingma & Ba 2015).

    Args:
        covariance: C of each model's points.
        d: Latents.
        training: Steps, rate and noise.
        arm: One of `ARMS`.
        rng: Draws the initial weights, N(0, 1/D).
    """
    n, dimension, _ = covariance.shape
    sd = dimension**-0.5
    weights = [
        rng.normal(0, sd, (n, d, dimension)),
        rng.normal(0, sd, (n, dimension, d)),
        np.zeros((n, d, d)),
    ]
    first = [np.zeros_like(weight) for weight in weights]
    second = [np.zeros_like(weight) for weight in weights]
    for step in range(training.num_steps):
        slopes = gradient(LinearModels(*weights), covariance, training.noise, arm)
        rate = training.learning_rate * (1 - step / training.num_steps)
        for weight, slope, m, s in zip(weights, slopes, first, second, strict=True):
            m += 0.1 * (slope - m)
            s += 0.001 * (slope**2 - s)
            m_hat, s_hat = m / (1 - 0.9 ** (step + 1)), s / (1 - 0.999 ** (step + 1))
            weight -= rate * m_hat / (np.sqrt(s_hat) + 1e-8)
    return LinearModels(*weights)


def optimum(covariance: np.ndarray, d: int, noise: float) -> LinearModels:
    """A global optimum in closed form (Tipping & Bishop 1999, eq. 7; Lucas et al. 2019).

    V = U (L - s I)^(1/2) with the d principal directions U and their variances L, all above s; the
    posterior of p(x | z) is then diagonal, with W = L^-1 V^T and S = s L^-1.

    Args:
        covariance: C of each model's points, float [n, D, D].
        d: Latents.
        noise: s.
    """
    variances, directions = np.linalg.eigh(covariance)
    variances, directions = variances[:, ::-1][:, :d], directions[:, :, ::-1][:, :, :d]
    decoder = directions * np.sqrt(variances - noise)[:, None]
    encoder = transposed(decoder) / variances[:, :, None]
    scale = np.log(noise / variances)[:, :, None] / 2 * np.eye(d)
    return LinearModels(encoder, decoder, scale)


def angles(axes: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """Mean angle between d axes and d directions, matched as well as they can be.

    Args:
        axes: float [n, D, d], columns of any length above 0.
        directions: float [n, D, d], orthonormal columns.

    Returns:
        float64 [n], degrees; of a random basis of a plane, uniform on [0, 45].
    """
    unit = axes / np.linalg.norm(axes, axis=1, keepdims=True)
    found = np.degrees(np.arccos(np.clip(np.abs(transposed(unit) @ directions), 0, 1)))
    matched = [scipy.optimize.linear_sum_assignment(one) for one in found]
    return np.array([one[match].mean() for one, match in zip(found, matched, strict=True)])


def transposed(matrices: np.ndarray) -> np.ndarray:
    """Each of many matrices transposed."""
    return np.swapaxes(matrices, -1, -2)


def _trace(matrices: np.ndarray) -> np.ndarray:
    return np.trace(matrices, axis1=-2, axis2=-1)
