"""Spectral normalisation (Miyato et al. 2018) of the weights that a Keras model is called with."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

_FIRST_ITERATIONS = 30


def divide_by_norm(kernel: tf.Tensor, u: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """A kernel over its largest singular value, as one power iteration estimates it (eq. 8).

    Args:
        kernel: float32 [..., outputs], taken as the matrix W [inputs, outputs].
        u: float32 [outputs], about W's first right singular vector.

    Returns:
        W / (v^T W u') in the kernel's shape, through which gradients flow (eq. 12), and u', through
        which none do.
    """
    matrix = tf.reshape(kernel, [-1, kernel.shape[-1]])
    held = tf.stop_gradient(matrix)
    v = tf.math.l2_normalize(tf.linalg.matvec(held, u))
    u = tf.math.l2_normalize(tf.linalg.matvec(held, v, transpose_a=True))
    return kernel / tf.tensordot(v, tf.linalg.matvec(matrix, u), 1), u


class SpectralNorm:
    """Divides all kernels of a model by their norms.

    Attributes:
        vectors: u [outputs] by the path of its kernel: kept from step to step, in each of which one
            iteration follows the slowly changing weights.
    """

    def __init__(self, model: keras.Model, rng: np.random.Generator) -> None:
        """Draws each u and iterates it on the initial weights."""
        self._model = model
        self.vectors: dict[str, keras.Variable] = {}
        for weight in model.trainable_variables:
            if weight.name == "kernel":
                u = _iterated(np.asarray(weight), rng)
                # Devices that share a batch all compute the same one.
                self.vectors[weight.path] = keras.Variable(
                    u, trainable=False, aggregation="only_first_replica", name="u"
                )

    def weights(self) -> tuple[list[tf.Tensor], dict[str, tf.Tensor]]:
        """The model's trainable weights, kernels divided, and the vectors of the next step."""
        weights, vectors = [], {}
        for weight in self._model.trainable_variables:
            value = tf.convert_to_tensor(weight)
            if weight.path in self.vectors:
                u = tf.convert_to_tensor(self.vectors[weight.path])
                value, vectors[weight.path] = divide_by_norm(value, u)
            weights.append(value)
        return weights, vectors

    def keep(self, vectors: dict[str, tf.Tensor]) -> None:
        """Takes over the vectors that `weights` gave."""
        for path, u in vectors.items():
            self.vectors[path].assign(u)


def _iterated(kernel: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    matrix = kernel.reshape(-1, kernel.shape[-1])
    u = rng.normal(size=matrix.shape[1]).astype(np.float32)
    for _ in range(_FIRST_ITERATIONS):
        u = matrix.T @ (matrix @ u)
        u /= np.linalg.norm(u)
    return u
