"""The same mutual information on a GPU: counting as a product of one-hot matrices."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from reproduce.metrics import rounding
from reproduce.metrics.information import NUM_BINS

_CHUNK_NUMBERS = 2**27  # float32 (512 MiB) of one-hot bins at once, whatever the number of bases
_MAX_EXACT = 2**24  # whole numbers up to here are exact in float32


class TensorFlowInformationEngine:
    """`InformationEngine` in TensorFlow, for a GPU; on a CPU the other one is faster."""

    def __init__(self, latents: np.ndarray, factors: np.ndarray, eps: float = rounding.EPS) -> None:
        """Puts latents float [n, d] and factors int [n, k] on the device; `eps` as elsewhere.

        Raises:
            ValueError: If there are more points than float32 counts exactly.
        """
        n, self._num_factors = factors.shape
        if n > _MAX_EXACT:
            raise ValueError(f"{n} points; expected at most {_MAX_EXACT}")
        self._noise = rounding.noise(latents, eps)
        sizes = factors.max(axis=0) + 1
        self._latents = tf.constant(latents, tf.float64)
        # One-hot factors beside each other, and after counting the columns of each.
        columns = [tf.one_hot(factors[:, j], size) for j, size in enumerate(sizes)]
        self._factors = tf.concat(columns, axis=1)
        self._owner = tf.constant(np.repeat(np.arange(len(sizes)), sizes), tf.int32)
        shares = tf.reduce_mean(tf.cast(self._factors, tf.float64), axis=0)
        self._factor_shares = shares

    def __call__(self, bases: np.ndarray) -> np.ndarray:
        """Mutual information in nats: float64 [b, m, k], of bases float [b, d, m]."""
        return self._in_chunks(self._information, bases, (self._num_factors,))

    def entropies(self, bases: np.ndarray) -> np.ndarray:
        """Entropies of the binned latents in nats: float64 [b, m], of bases float [b, d, m]."""
        return self._in_chunks(self._entropies, bases, ())

    def _in_chunks(
        self, function: Callable[..., tf.Tensor], bases: np.ndarray, shape: tuple[int, ...]
    ) -> np.ndarray:
        """A function of some bases, their noise and the number of bins, of all: [b, m, *shape]."""
        num_bases, _, m = bases.shape
        noise = np.abs(bases).swapaxes(-1, -2) @ self._noise
        step = max(1, _CHUNK_NUMBERS // (len(self._latents) * m * NUM_BINS))
        parts = [
            function(
                tf.constant(bases[start : start + step], tf.float64),
                tf.constant(noise[start : start + step], tf.float64),
                # As a tensor: TensorFlow replaces a division by a constant by a product, which
                # rounds differently from NumPy's edges.
                tf.constant(NUM_BINS, tf.float64),
            ).numpy()
            for start in range(0, num_bases, step)
        ]
        return np.concatenate(parts) if parts else np.zeros((0, m, *shape))

    def _one_hot_bins(self, bases: tf.Tensor, noise: tf.Tensor, num_bins: tf.Tensor) -> tf.Tensor:
        rotated = tf.einsum("nd,bdm->bmn", self._latents, bases)
        return tf.one_hot(_bin(rotated, noise, num_bins), NUM_BINS)  # [b, m, n, bins]

    @tf.function(reduce_retracing=True)
    def _entropies(self, bases: tf.Tensor, noise: tf.Tensor, num_bins: tf.Tensor) -> tf.Tensor:
        counts = tf.reduce_sum(self._one_hot_bins(bases, noise, num_bins), axis=2)
        shares = tf.cast(counts, tf.float64) / tf.cast(tf.shape(self._latents)[0], tf.float64)
        return -tf.reduce_sum(tf.math.multiply_no_nan(tf.math.log(shares), shares), axis=-1)

    @tf.function(reduce_retracing=True, autograph=False)
    def _information(self, bases: tf.Tensor, noise: tf.Tensor, num_bins: tf.Tensor) -> tf.Tensor:
        bins = self._one_hot_bins(bases, noise, num_bins)
        n = tf.cast(tf.shape(self._latents)[0], tf.float64)
        # Exact even where a GPU rounds the factors of a product: these are zeros and ones.
        counts = tf.einsum("bmnv,nc->bmcv", bins, self._factors)
        joint = tf.cast(counts, tf.float64) / n
        latent_shares = tf.cast(tf.reduce_sum(bins, axis=2), tf.float64)[:, :, None, :] / n
        independent = latent_shares * self._factor_shares[None, None, :, None]
        terms = tf.reduce_sum(tf.math.multiply_no_nan(tf.math.log(joint / independent), joint), -1)
        by_factor = tf.math.unsorted_segment_sum(
            tf.transpose(terms, [2, 0, 1]), self._owner, self._num_factors
        )
        return tf.maximum(tf.transpose(by_factor, [1, 2, 0]), 0.0)


def _bin(values: tf.Tensor, noise: tf.Tensor, num_bins: tf.Tensor) -> tf.Tensor:
    """Bins float64 [..., n] into 0..19 as `numpy.histogram`'s edges do; a constant into bin 0.

    A constant is what spreads no wider than the noise, float64 [...].
    """
    low = tf.reduce_min(values, axis=-1, keepdims=True)
    high = tf.reduce_max(values, axis=-1, keepdims=True)
    width = tf.where(high - low <= noise[..., None], tf.zeros_like(low), (high - low) / num_bins)
    guess = tf.math.floor(tf.math.divide_no_nan(values - low, width))
    # The quotient may round to the wrong side of an edge; the edges decide, as NumPy computes them.
    guess -= tf.cast(values < guess * width + low, tf.float64)
    guess += tf.cast((values >= (guess + 1) * width + low) & (width > 0), tf.float64)
    return tf.cast(tf.clip_by_value(guess, 0, NUM_BINS - 1), tf.int32)
