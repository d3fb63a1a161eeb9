"""Networks that predict a factor from fewer and fewer directions of the latents.

As Geyer et al. (2024, arXiv 2407.03728) have them: network 0 sees all d latents, and network l the
d - l combinations to which a matrix maps what network l - 1 sees. All learn at once, by the sum of
their losses, so that each matrix drops the direction that matters least. In NumPy alone: all d
networks are one batch of matrix products.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np
from scipy.special import log_softmax, softmax

EPOCHS = 50
_BATCH = 128
_WIDTH = 128  # of both hidden layers
_SLOPE = 0.01  # of leaky ReLU below 0
_GAIN = math.sqrt(6 / (1 + _SLOPE**2))  # He's, for a uniform distribution
_RATE, _DECAYS, _EPSILON = 8e-4, (0.9, 0.999), 1e-8  # Adam's
_ROWS = 4_096  # evaluated at once


@dataclasses.dataclass(frozen=True, eq=False)
class Networks:
    """Parameters, or their gradients: views of one vector.

    Attributes:
        vector: All of them.
        layers: Weights [d, i, o] and biases [d, 1, o] of three layers of d networks. Network l has
            d - l inputs; the weights of further ones meet zeros alone.
        maps: [d - l, d - l + 1] of l = 1 to d - 1.
    """

    vector: np.ndarray
    layers: tuple[tuple[np.ndarray, np.ndarray], ...]
    maps: tuple[np.ndarray, ...]


@dataclasses.dataclass(frozen=True, eq=False)
class Task:
    """What is predicted of latents.

    Attributes:
        latents: float [n, d].
        targets: Classes, int [n] from 0 on; of an ordered factor float [n], its values.
        num_classes: Of a categorical factor; None of an ordered one.
    """

    latents: np.ndarray
    targets: np.ndarray
    num_classes: int | None = None

    def rows(self, chosen: np.ndarray | slice) -> Task:
        """The task of some rows."""
        return Task(self.latents[chosen], self.targets[chosen], self.num_classes)


def zeros(d: int, num_outputs: int, dtype: type = np.float32) -> Networks:
    """Networks for d latents whose parameters are all 0."""
    sizes = ((d, _WIDTH), (_WIDTH, _WIDTH), (_WIDTH, num_outputs))
    shapes: list[tuple[int, ...]] = []
    for i, o in sizes:
        shapes += [(d, i, o), (d, 1, o)]
    shapes += [(d - level, d - level + 1) for level in range(1, d)]
    ends = np.cumsum([math.prod(shape) for shape in shapes])
    vector = np.zeros(ends[-1], dtype)
    views = [
        part.reshape(shape) for part, shape in zip(np.split(vector, ends[:-1]), shapes, strict=True)
    ]
    return Networks(vector, tuple(zip(views[:6:2], views[1:6:2], strict=True)), tuple(views[6:]))


def initialise(networks: Networks, rng: np.random.Generator) -> None:
    """Draws all parameters from uniform distributions, as the authors' code and PyTorch do."""
    for layer, (weights, biases) in enumerate(networks.layers):
        d, inputs, _ = weights.shape
        fan_in = d - np.arange(d) if layer == 0 else np.full(d, inputs)
        bound = 1 / np.sqrt(fan_in)[:, None, None]
        gain = _GAIN if layer == 1 else 1.0  # the outer layers are PyTorch's
        weights[...] = gain * rng.uniform(-bound, bound, weights.shape)
        biases[...] = rng.uniform(-bound, bound, biases.shape)
    for matrix in networks.maps:
        bound = _GAIN / math.sqrt(matrix.size)
        matrix[...] = rng.uniform(-bound, bound, matrix.shape)


def projections(networks: Networks) -> np.ndarray:
    """What each network sees of the latents: [d, d, d], of network l in the first d - l rows."""
    d = len(networks.layers[0][0])
    found = np.zeros((d, d, d), networks.vector.dtype)
    found[0] = np.eye(d)
    for level, matrix in enumerate(networks.maps, start=1):
        found[level, : d - level] = matrix @ found[level - 1, : d - level + 1]
    return found


def loss(networks: Networks, task: Task, gradients: Networks) -> float:
    """The sum of the networks' losses, whose gradients are written into `gradients`.

    An ordered factor's is the mean square error. A categorical one's is the cross-entropy whose
    logits are the softmax of the outputs, twice the softmax, as the authors have it.
    """
    seen = projections(networks)
    values = _values(networks, seen, task.latents)
    value, upstream = _loss_of_outputs(values[-1], task)
    for layer in (2, 1, 0):
        weights, inputs = networks.layers[layer][0], values[layer]
        own_weights, own_biases = gradients.layers[layer]
        np.matmul(inputs.swapaxes(1, 2), upstream, out=own_weights)
        np.sum(upstream, axis=1, keepdims=True, out=own_biases)
        upstream = upstream @ weights.swapaxes(1, 2)
        if layer:
            upstream *= np.where(inputs > 0, inputs.dtype.type(1), inputs.dtype.type(_SLOPE))
    of_seen = upstream.swapaxes(1, 2) @ task.latents
    d = len(seen)
    carried: np.ndarray | float = 0.0
    for level in reversed(range(1, d)):
        total = of_seen[level, : d - level] + carried
        gradients.maps[level - 1][...] = total @ seen[level - 1, : d - level + 1].T
        carried = networks.maps[level - 1].T @ total
    return value


def train(task: Task, rng: np.random.Generator, epochs: int = EPOCHS) -> Networks:
    """Networks trained by Adam, in batches of rows in random order."""
    n, d = task.latents.shape
    networks, gradients = (zeros(d, task.num_classes or 1) for _ in range(2))
    initialise(networks, rng)
    mean, square = np.zeros_like(networks.vector), np.zeros_like(networks.vector)
    step = 0
    for _ in range(epochs):
        order = rng.permutation(n)
        for start in range(0, n, _BATCH):
            loss(networks, task.rows(order[start : start + _BATCH]), gradients)
            step += 1
            mean += (1 - _DECAYS[0]) * (gradients.vector - mean)
            square += (1 - _DECAYS[1]) * (gradients.vector**2 - square)
            corrections = [1 - decay**step for decay in _DECAYS]
            scale = np.sqrt(square / corrections[1])
            networks.vector[...] -= _RATE / corrections[0] * mean / (scale + _EPSILON)
    return networks


def errors(networks: Networks, task: Task) -> np.ndarray:
    """Each network's error rate, or mean square error of an ordered factor: float64 [d]."""
    seen = projections(networks)
    total = np.zeros(len(seen))
    for start in range(0, len(task.targets), _ROWS):
        part = task.rows(slice(start, start + _ROWS))
        outputs = _values(networks, seen, part.latents)[-1]
        if part.num_classes:
            wrong = outputs.argmax(axis=-1) != part.targets
        else:
            wrong = np.square(outputs[..., 0] - part.targets, dtype=np.float64)
        total += wrong.sum(axis=1)
    return total / len(task.targets)


def directions(seen: np.ndarray) -> np.ndarray:
    """The orthonormal basis in which each network sees one direction less than the one before.

    Args:
        seen: As `projections` gives it.

    Returns:
        float64 [d, d], a direction in each row, those that survive longest first.
    """
    d = len(seen)
    found = np.zeros((0, d))
    for level in reversed(range(d)):
        rows = np.linalg.qr(seen[level, : d - level].astype(np.float64).T)[0].T
        new = rows - rows @ found.T @ found  # of rank 1
        found = np.concatenate([found, np.linalg.svd(new)[2][:1]])
    return found


def _values(networks: Networks, seen: np.ndarray, latents: np.ndarray) -> list[np.ndarray]:
    """The inputs, both hidden layers and the outputs, each [d, n, _]."""
    values = [latents @ seen.swapaxes(1, 2)]
    for layer, (weights, biases) in enumerate(networks.layers):
        linear = values[-1] @ weights + biases
        values.append(np.maximum(linear, _SLOPE * linear) if layer < 2 else linear)
    return values


def _loss_of_outputs(outputs: np.ndarray, task: Task) -> tuple[float, np.ndarray]:
    """The sum of the networks' losses of outputs [d, n, _], and its gradient."""
    n = len(task.targets)
    if task.num_classes is None:
        off = outputs - task.targets[:, None]
        return float(np.sum(off**2)) / n, 2 / n * off
    shares = softmax(outputs, axis=-1)
    own = np.arange(n), task.targets
    value = -float(np.sum(log_softmax(shares, axis=-1)[:, *own])) / n
    of_shares = softmax(shares, axis=-1)
    of_shares[:, *own] -= 1
    centred = of_shares - np.sum(shares * of_shares, axis=-1, keepdims=True)
    return value, shares * centred / n
