"""The layers of Glow (Kingma & Dhariwal 2018, table 1) as functions of tensors.

A level has K steps: actnorm, invertible 1x1 convolution, affine coupling. They differ in nothing
but their weights, so those are kept stacked: every weight of a level has a leading axis of length
K, an optimiser sees a dozen arrays a level, and all that does not depend on the images is computed
for the K steps at once, in `prepare` and `inverse_channel_maps`.

Two of the authors' habits are kept: a log-scale is three times its weight, which trains it faster,
and hidden convolutions are followed by an actnorm of their own. One is left out: the extra channel
that tells their convolutions where the border is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import scipy.linalg
import tensorflow as tf

from data.random_matrices import haar
from models import convolutions

LOG_SCALE_FACTOR = 3.0
_THINNER = 4  # so many times fewer channels on one side make matrix products the faster way
_INITIAL_SD = 0.05  # of the hidden convolutions' weights, as in the authors' code

Weights = dict[str, Any]  # by name, tensors or variables [K, ...]


class Fixed(NamedTuple):
    """What the 1x1 convolutions' LU decompositions keep from their initial rotations.

    Attributes:
        permutations: P, float32 [K, C, C].
        signs: Signs of U's diagonal, float32 [K, C].
    """

    permutations: np.ndarray
    signs: np.ndarray


def initial_weights(
    depth: int, channels: int, width: int, num_outputs: int, rng: np.random.Generator
) -> tuple[dict[str, np.ndarray], Fixed]:
    """The weights of a level's steps before any image is seen: actnorms and couplings do nothing.

    Args:
        depth: K.
        channels: C, even.
        width: The coupling network's hidden layers'.
        num_outputs: The coupling network's: C, or C / 2 for an additive coupling.
        rng: Draws rotations and hidden convolutions.

    Returns:
        The weights, float32 [K, ...], and what stays fixed. `rotation_lu` packs W = P L U
        (section 3.2): L below the diagonal, U above it, log |diag U| on it.
    """

    def zeros(*shape: int) -> np.ndarray:
        return np.zeros((depth, *shape), np.float32)

    def normal(*shape: int) -> np.ndarray:
        return rng.normal(0, _INITIAL_SD, (depth, *shape)).astype(np.float32)

    decomposed = [scipy.linalg.lu(w) for w in haar(depth, channels, rng)]
    permutations, lower, upper = (np.stack(part) for part in zip(*decomposed, strict=True))
    diagonal = np.diagonal(upper, axis1=1, axis2=2)
    packed = np.tril(lower, -1) + np.triu(upper, 1)
    packed += np.log(np.abs(diagonal))[:, :, None] * np.eye(channels)
    weights = {
        "actnorm_shift": zeros(channels),
        "actnorm_log_scale": zeros(channels),
        "rotation_lu": packed.astype(np.float32),
        "hidden_1_kernel": normal(3, 3, channels // 2, width),
        "hidden_1_shift": zeros(width),
        "hidden_1_log_scale": zeros(width),
        "hidden_2_kernel": normal(1, 1, width, width),
        "hidden_2_shift": zeros(width),
        "hidden_2_log_scale": zeros(width),
        "output_kernel": zeros(3, 3, width, num_outputs),
        "output_shift": zeros(num_outputs),
        "output_log_scale": zeros(num_outputs),
    }
    return weights, Fixed(permutations.astype(np.float32), np.sign(diagonal).astype(np.float32))


def gain(log_scale: tf.Tensor) -> tf.Tensor:
    """The scale that a log-scale's weight stands for."""
    return tf.exp(LOG_SCALE_FACTOR * log_scale)


def convolve(x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """A convolution of stride 1 that keeps height and width, as the processor does it fastest."""
    _, _, inputs, outputs = kernel.shape
    if _THINNER * inputs <= outputs:
        return convolutions.convolve(x, kernel, 1)
    if _THINNER * outputs <= inputs:
        return convolutions.convolve_to_few(x, kernel)
    return tf.nn.conv2d(x, kernel, 1, "SAME")


def _triangles(weights: Weights, fixed: Fixed) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """L, U and the log |diag U| of the 1x1 convolutions: [K, C, C] twice, [K, C]."""
    packed = tf.convert_to_tensor(weights["rotation_lu"])
    log_diagonal = tf.linalg.diag_part(packed)
    lower = tf.linalg.set_diag(tf.linalg.band_part(packed, -1, 0), tf.ones_like(log_diagonal))
    diagonal = fixed.signs * tf.exp(log_diagonal)
    return lower, tf.linalg.set_diag(tf.linalg.band_part(packed, 0, -1), diagonal), log_diagonal


def channel_maps(weights: Weights, fixed: Fixed) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Actnorm and 1x1 convolution as one affine map of the channels, z = x A + a.

    Returns:
        A [K, C, C], a [K, C], and the scalar sum over the K steps of log |det A|.
    """
    lower, upper, log_diagonal = _triangles(weights, fixed)
    rotations = fixed.permutations @ lower @ upper
    scale = gain(weights["actnorm_log_scale"])
    offsets = tf.einsum("kc,kcd->kd", weights["actnorm_shift"] * scale, rotations)
    log_scale = LOG_SCALE_FACTOR * tf.reduce_sum(weights["actnorm_log_scale"])
    return scale[:, :, None] * rotations, offsets, log_scale + tf.reduce_sum(log_diagonal)


def inverse_channel_maps(weights: Weights, fixed: Fixed) -> tuple[tf.Tensor, tf.Tensor]:
    """The inverses of `channel_maps`, x = z B + b: B [K, C, C], b [K, C]."""
    lower, upper, _ = _triangles(weights, fixed)
    transposed = tf.constant(fixed.permutations.swapaxes(1, 2))
    inverses = tf.linalg.triangular_solve(lower, transposed)
    inverses = tf.linalg.triangular_solve(upper, inverses, lower=False)
    scale = gain(weights["actnorm_log_scale"])
    return inverses / scale[:, None, :], -tf.convert_to_tensor(weights["actnorm_shift"])


def prepare(weights: Weights, dtype: tf.DType) -> list[tuple[tf.Tensor, ...]]:
    """The coupling networks of a level's steps, each as the arguments of `coupling_network`.

    (x * kernel + shift) scale is a convolution with the kernel times the scale, plus shift times
    scale: actnorms cost nothing an image.

    Args:
        weights: The level's.
        dtype: The convolutions'; the last one's shift is added in float32.
    """
    stacked = []
    for layer in ("hidden_1", "hidden_2", "output"):
        scale = gain(weights[f"{layer}_log_scale"])
        kernel = weights[f"{layer}_kernel"] * scale[:, None, None, None, :]
        shift = weights[f"{layer}_shift"] * scale
        shift_dtype = tf.float32 if layer == "output" else dtype
        stacked += [tf.cast(kernel, dtype), tf.cast(shift, shift_dtype)]
    return list(zip(*(tf.unstack(part) for part in stacked), strict=True))


def coupling_network(x: tf.Tensor, *arguments: tf.Tensor) -> tf.Tensor:
    """Convolutions of 3x3, 1x1 and 3x3: [batch, h, w, C / 2] to float32 [batch, h, w, outputs]."""
    kernel_1, shift_1, kernel_2, shift_2, kernel_3, shift_3 = arguments
    h = tf.cast(x, kernel_1.dtype)
    h = tf.nn.relu(tf.nn.bias_add(convolve(h, kernel_1), shift_1))
    h = tf.nn.relu(map_channels(h, kernel_2[0, 0], shift_2))
    return tf.cast(convolve(h, kernel_3), tf.float32) + shift_3


def couple(
    x: tf.Tensor, outputs: tf.Tensor, coupling: str, inverse: bool = False
) -> tuple[tf.Tensor, tf.Tensor]:
    """Transforms one half of the channels as the other half's network says.

    Args:
        x: The half to transform, [batch, h, w, C / 2].
        outputs: The coupling network's: the shift t and, unless additive, h.
        coupling: `affine`: (x + t) sigmoid(h + 2), the authors' code; `affine_exp`: x exp(h) + t,
            the paper's table 1; `additive`: x + t.
        inverse: Whether to undo it.

    Returns:
        The transformed half, and the log-determinant of the forward direction, [batch].
    """
    if coupling == "additive":
        return (x - outputs if inverse else x + outputs), tf.zeros(tf.shape(x)[:1])
    shift, h = tf.split(outputs, 2, axis=-1)
    log_scale = h if coupling == "affine_exp" else tf.math.log_sigmoid(h + 2)
    if coupling == "affine_exp":
        y = (x - shift) * tf.exp(-h) if inverse else x * tf.exp(h) + shift
    else:
        # 1 / sigmoid(h + 2) = 1 + exp(-h - 2), which does not overflow before its inverse vanishes.
        y = x * (1 + tf.exp(-h - 2)) - shift if inverse else (x + shift) * tf.sigmoid(h + 2)
    return y, tf.reduce_sum(log_scale, axis=(1, 2, 3))


def map_channels(x: tf.Tensor, matrix: tf.Tensor, offset: tf.Tensor) -> tf.Tensor:
    """An affine map of the channels, x matrix + offset, at every position of [batch, h, w, C]."""
    flat = tf.reshape(x, [-1, x.shape[-1]])
    return tf.reshape(tf.nn.bias_add(flat @ matrix, offset), tf.shape(x))


def step_forward(coupling: str) -> Callable[..., tuple[tf.Tensor, tf.Tensor]]:
    """One step of flow, from images to latents.

    Returns:
        A function of x [batch, h, w, C], A, a and the coupling network's arguments, to y of x's
        shape and the coupling's log-determinant [batch].
    """

    def step(
        x: tf.Tensor, matrix: tf.Tensor, offset: tf.Tensor, *network: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        given, changed = tf.split(map_channels(x, matrix, offset), 2, axis=-1)
        outputs = coupling_network(given, *network)
        changed, log_det = couple(changed, outputs, coupling)
        return tf.concat([given, changed], axis=-1), log_det

    return step


def step_inverse(
    y: tf.Tensor,
    matrix: tf.Tensor,
    offset: tf.Tensor,
    network: tuple[tf.Tensor, ...],
    coupling: str,
) -> tf.Tensor:
    """The inverse of a step, given B and b of `inverse_channel_maps`."""
    given, changed = tf.split(y, 2, axis=-1)
    changed, _ = couple(changed, coupling_network(given, *network), coupling, inverse=True)
    return map_channels(tf.concat([given, changed], axis=-1), matrix, offset)


def _normalising(x: tf.Tensor, layer: str) -> Weights:
    """The actnorm weights [1, channels] with which x [batch, h, w, channels] gets mean 0, sd 1."""
    mean, variance = tf.nn.moments(x, axes=[0, 1, 2])
    log_scale = -tf.math.log(tf.sqrt(variance) + 1e-6) / LOG_SCALE_FACTOR
    return {f"{layer}_shift": -mean[None], f"{layer}_log_scale": log_scale[None]}


def initialise_actnorms(
    x: tf.Tensor, weights: Weights, fixed: Fixed, coupling: str
) -> tuple[tf.Tensor, Weights]:
    """What a level's actnorms must be for their outputs on x to have mean 0 and deviation 1.

    Args:
        x: The level's input, float32 [batch, h, w, C].
        weights: The level's weights, which are not changed.
        fixed: Likewise.
        coupling: As `couple` takes it.

    Returns:
        The level's output on x, and new values of the actnorms' weights, [K, channels] each.
    """
    found: list[Weights] = []
    for k in range(len(fixed.signs)):
        step = {name: tf.convert_to_tensor(value)[k : k + 1] for name, value in weights.items()}
        fixed_step = Fixed(fixed.permutations[k : k + 1], fixed.signs[k : k + 1])
        actnorms = _normalising(x, "actnorm")
        matrices, offsets, _ = channel_maps(step | actnorms, fixed_step)
        hidden, _ = tf.split(map_channels(x, matrices[0], offsets[0]), 2, axis=-1)
        for layer in ("hidden_1", "hidden_2"):
            hidden = convolve(hidden, step[f"{layer}_kernel"][0])
            actnorms |= _normalising(hidden, layer)
            shift, log_scale = actnorms[f"{layer}_shift"], actnorms[f"{layer}_log_scale"]
            hidden = tf.nn.relu((hidden + shift) * gain(log_scale))
        network = prepare(step | actnorms, tf.float32)[0]
        x, _ = step_forward(coupling)(x, matrices[0], offsets[0], *network)
        found.append(actnorms)
    return x, {name: tf.concat([step[name] for step in found], axis=0) for name in found[0]}
