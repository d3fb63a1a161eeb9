"""Distance to orthogonality of a decoder (Rolinek et al. 2019, eq. 29)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment


def distance_to_orthogonality(jacobians: np.ndarray) -> float:
    """How far the decoder's local principal directions are from the latent axes.

    DtO = mean over points of ||V - P(V)||_F, with J = U S V^T the singular value decomposition of
    the decoder's Jacobian and P(V) the signed permutation matrix nearest to V (Rolinek et al.
    2019, eq. 29). From 0, where the columns of every Jacobian are orthogonal, to below
    sqrt(2 d); lower is better. Haar-random directions score about 1.63 in d = 5. A rotation Q of
    the latents turns V into Q^T V, and raises it from 0; for many bases see
    `right_singular_vectors`. Invariant under permutation and sign flip of latents and under one
    scale for all; *not* under a scale for each, which changes V unless the columns are orthogonal.

    A latent that changes nothing at a point (a column of zeros) is a principal direction of its
    own and contributes 0, so a constant decoder scores 0. Where singular values are equal, V is
    not determined, and what the decomposition returns serves.

    Args:
        jacobians: float [n, pixels, d], of the decoder's mean image by the latents.

    Returns:
        The mean distance.
    """
    return float(np.mean(distances_to_signed_permutations(right_singular_vectors(jacobians))))


def right_singular_vectors(jacobians: np.ndarray) -> np.ndarray:
    """V of J = U S V^T for each point; in a basis Q it is Q^T V.

    Columns of zeros in a Jacobian have their own axis in V.

    Args:
        jacobians: float [n, pixels, d].

    Returns:
        float64 [n, d, d], orthogonal, singular vectors in columns, the largest first.
    """
    d = jacobians.shape[-1]
    vectors = np.zeros((len(jacobians), d, d))
    for jacobian, v in zip(jacobians, vectors, strict=True):
        live = np.flatnonzero(np.any(jacobian != 0, axis=0))
        dead = np.setdiff1d(np.arange(d), live)
        # R of J = Q R has the same V, and is small.
        triangle = np.linalg.qr(np.asarray(jacobian[:, live], np.float64), mode="r")
        v[live, : len(live)] = np.linalg.svd(triangle)[2].T
        v[dead, len(live) + np.arange(len(dead))] = 1
    return vectors


def distances_to_signed_permutations(vectors: np.ndarray) -> np.ndarray:
    """||V - P||_F to the nearest signed permutation P, for each orthogonal V.

    ||V - P||^2 = 2 d - 2 sum_i |V_{i, pi(i)}| with the signs of V, so that the nearest is a linear
    assignment on |V|: the solution of the paper's mixed-integer program, not a relaxation.

    Args:
        vectors: float [n, d, d], orthogonal.

    Returns:
        float64 [n].
    """
    distances = np.empty(len(vectors))
    for index, size in enumerate(np.abs(vectors)):
        matched = size[linear_sum_assignment(size, maximize=True)].sum()
        distances[index] = np.sqrt(max(2 * len(size) - 2 * matched, 0))
    return distances


def jacobians(
    decode: Callable[[Any], Any], latents: np.ndarray, *, batch_size: int = 64
) -> np.ndarray:
    """Jacobians of a TensorFlow decoder, by forward-mode differentiation: a pass for each latent.

    Args:
        decode: From a float32 tensor [n, d] to a tensor [n, ...]: the mean image.
        latents: float [n, d], the points.
        batch_size: So many points at once.

    Returns:
        float32 [n, pixels, d].
    """
    import tensorflow as tf

    n, d = latents.shape

    @tf.function(reduce_retracing=True, autograph=False)
    def derivative(points: Any, direction: Any) -> Any:
        with tf.autodiff.ForwardAccumulator(points, direction) as accumulator:
            images = tf.cast(decode(points), tf.float32)
            images = tf.reshape(images, [tf.shape(points)[0], -1])
        return accumulator.jvp(images, unconnected_gradients=tf.UnconnectedGradients.ZERO)

    batches = []
    for start in range(0, n, batch_size):
        points = tf.constant(latents[start : start + batch_size], tf.float32)
        columns = [
            derivative(points, tf.tile(tf.one_hot([i], d), [len(points), 1])) for i in range(d)
        ]
        batches.append(np.stack([column.numpy() for column in columns], axis=-1))
    return np.concatenate(batches)
