"""Families of bases of the latent space (N1 to N7 of paper/protocol.md).

A basis is a matrix whose columns are the new axes: new latents = latents @ basis.
"""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np

from data.random_matrices import haar
from reproduce.basis.representation import Representation
from reproduce.metrics.labelled_latents import LabelledLatents
from reproduce.metrics.registry import check_names
from reproduce.metrics.rounding import rank

GEODESIC_TIMES = (0.0, 0.05, 0.1, 0.25, 0.5, 1.0)
MAX_CONDITION = 10.0  # of general linear maps

Role = Literal["null", "control", "reference", "supervised_rotation", "interpolation"]
Draw = Callable[[int, int, np.random.Generator], np.ndarray]


def signed_permutation(num_bases: int, dimension: int, rng: np.random.Generator) -> np.ndarray:
    """Uniform draws of permutations of the axes with signs: float64 [num_bases, d, d]."""
    bases = np.zeros((num_bases, dimension, dimension))
    orders = rng.permuted(np.tile(np.arange(dimension), (num_bases, 1)), axis=1)
    signs = rng.choice([-1.0, 1.0], size=(num_bases, dimension))
    np.put_along_axis(bases, orders[:, None, :], signs[:, None, :], axis=1)
    return bases


def general_linear(num_bases: int, dimension: int, rng: np.random.Generator) -> np.ndarray:
    """Draws M = U D V^T, U and V Haar: float64 [num_bases, d, d]; its columns read latents out.

    Singular values are log-uniform within a condition number of `MAX_CONDITION`.
    """
    u, v = haar(num_bases, dimension, rng), haar(num_bases, dimension, rng)
    logs = rng.uniform(0, np.log(MAX_CONDITION), size=(num_bases, 1, dimension))
    return (u * np.exp(logs)) @ np.swapaxes(v, 1, 2)


def general_linear_traversal(
    num_bases: int, dimension: int, rng: np.random.Generator
) -> np.ndarray:
    """The axes along which `general_linear`'s new latents move: the inverse's rows, as columns.

    The same generator gives the same maps M; what moves one new latent alone is a row of M^-1.
    """
    return np.linalg.inv(general_linear(num_bases, dimension, rng)).swapaxes(1, 2)


def sparse_rotation(num_bases: int, dimension: int, rng: np.random.Generator) -> np.ndarray:
    """Rotations in the planes of disjoint pairs of axes: float64 [num_bases, d, d].

    The axes are paired at random, and each pair is rotated by an angle uniform on the circle; of an
    odd number one axis stays. Each new axis is a mix of two learned ones at most.
    """
    found = np.zeros((num_bases, dimension, dimension))
    draws = np.arange(num_bases)[:, None]
    orders = rng.permuted(np.tile(np.arange(dimension), (num_bases, 1)), axis=1)
    half = dimension // 2
    first, second, left = np.split(orders, [half, 2 * half], axis=1)
    angles = rng.uniform(0, 2 * np.pi, size=(num_bases, half))
    found[draws, first, first] = found[draws, second, second] = np.cos(angles)
    found[draws, second, first] = np.sin(angles)
    found[draws, first, second] = -np.sin(angles)
    found[draws, left, left] = 1.0
    return found


def geodesic(rotation: np.ndarray, times: tuple[float, ...] = GEODESIC_TIMES) -> np.ndarray:
    """Points Q^t on the shortest path from the identity to a rotation: float64 [times, d, d].

    By the real Schur form Q = V T V^T, whose blocks are plane rotations by angles of at most pi.
    A matrix of determinant -1, to which no path leads, has its last column flipped first.

    Args:
        rotation: float [d, d], orthogonal.
        times: From 0 (the learned basis) to 1 (the rotation itself).
    """
    import scipy.linalg

    rotation = np.array(rotation, np.float64)
    if np.linalg.det(rotation) < 0:
        rotation[:, -1] *= -1
    t, v = scipy.linalg.schur(rotation, output="real")
    d = len(rotation)
    angles: list[tuple[int, int, float]] = []  # planes and their angles
    flipped: list[int] = []  # axes with eigenvalue -1: pairs of them turn by pi
    i = 0
    while i < d:
        if i + 1 < d and abs(t[i + 1, i]) > 1e-12:
            angles.append((i, i + 1, float(np.arctan2(t[i + 1, i], t[i, i]))))
            i += 2
        else:
            if t[i, i] < 0:
                flipped.append(i)
            i += 1
    angles += [(a, b, np.pi) for a, b in zip(flipped[::2], flipped[1::2], strict=True)]
    path = np.empty((len(times), d, d))
    for index, time in enumerate(times):
        power = np.eye(d)
        for a, b, angle in angles:
            cos, sin = np.cos(time * angle), np.sin(time * angle)
            power[[a, a, b, b], [a, b, a, b]] = cos, -sin, sin, cos
        path[index] = v @ power @ v.T
    return path


def pca(latents: np.ndarray, seed: int, eps: float | None = None) -> np.ndarray:
    """Principal axes of latents [n, d]: float64 [d, r]; deterministic.

    As many as the latents' rank r: further ones would be directions of rounding noise. `eps` is
    that of `rounding.rank`.
    """
    from sklearn.decomposition import PCA

    del seed
    return PCA(svd_solver="full").fit(latents).components_[: rank(latents, eps)].T


def fast_ica(latents: np.ndarray, seed: int, eps: float | None = None) -> np.ndarray:
    """Unmixing matrix of latents [n, d], columns as axes: float64 [d, r] (FastICA, logcosh).

    As many axes as the latents' rank r, as in `pca`. Where it does not converge, what the last
    iteration gave serves.
    """
    from sklearn.decomposition import FastICA
    from sklearn.exceptions import ConvergenceWarning

    if rank(latents, eps) < latents.shape[1]:  # scikit-learn would divide by the others' zero
        axes = pca(latents, seed, eps)
        return axes @ fast_ica(latents @ axes, seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = FastICA(whiten="unit-variance", max_iter=1000, random_state=seed)
        return model.fit(latents).components_.T


def standardise(points: LabelledLatents) -> LabelledLatents:
    """Each latent with mean 0 and standard deviation 1 over the training split."""
    if points.is_large:
        return points.read_out(np.diag(1 / np.sqrt(np.diagonal(points.covariance()))))
    mean, sd = points.latents.mean(axis=0), points.latents.std(axis=0)
    return points.mapped(lambda latents: (latents - mean) / sd)


def _covariance_power(points: LabelledLatents, power: float) -> np.ndarray:
    """A symmetric power of the covariance of latents [n, d]: float64 [d, d].

    Directions that vary by no more than rounding are left out, as in a pseudo-inverse.
    """
    variances, axes = np.linalg.eigh(points.covariance())
    variances = np.maximum(variances, variances.max() * 1e-12)
    powers = variances**power
    powers[: len(powers) - points.rank()] = 0  # eigh puts the smallest first
    return (axes * powers) @ axes.T


def whiten(points: LabelledLatents) -> LabelledLatents:
    """Latents with mean 0 and covariance 1 over the training split, by the symmetric root (ZCA).

    Of all whitened latents these are the closest to the latents themselves. Where these depend on
    one another, the covariance is the projection on the directions that they span.
    """
    root = _covariance_power(points, -0.5)
    if points.is_large:
        return points.read_out(root)
    mean = points.latents.mean(axis=0)
    return points.mapped(lambda latents: (latents - mean) @ root)


@dataclasses.dataclass(frozen=True)
class Family:
    """A family of bases, and what part it plays.

    Attributes:
        role: `null`: gives a p-value; `control`: must change nothing; `reference`: one basis
            found by another method; `supervised_rotation`: the best rotation that labels can find;
            `interpolation`: paths from the learned basis to Haar draws.
        points: What is rotated.
        summary: In a few words.
        draw: (number, dimension, generator) to bases [number, m, m], where bases are drawn.
        learned: The learned basis as a basis of `points`; by default the identity.
        fit: For references: (latents, seed, eps) to a basis [m, r], as `pca`.
        max_bases: No more draws than so many are of use.
        is_confirmatory: Whether a verdict asks for it; other nulls are exploratory.
    """

    role: Role
    points: Callable[[Representation], LabelledLatents]
    summary: str
    draw: Draw | None = None
    learned: Callable[[Representation], np.ndarray] | None = None
    fit: Callable[[np.ndarray, int, float], np.ndarray] | None = None
    max_bases: int | None = None
    is_confirmatory: bool = False

    @property
    def is_fitted(self) -> bool:
        """Whether a basis is found from the points, of large ones from a sample."""
        return self.fit is not None or self.role == "supervised_rotation"

    @property
    def needs_active(self) -> bool:
        """Whether the family turns active latents alone, and so needs two of them."""
        return self.points is not Representation.points


# Scaling each axis to variance 1 does not commute with rotations, so that p of haar_active is not
# exact: conservative for most metrics, too small for means over axes where variances differ much.
# `reproduce.calibration` measures it. Together with haar, as verdicts ask, p is never too small.


def _standardised(representation: Representation) -> LabelledLatents:
    return standardise(representation.active_points())


def _whitened(representation: Representation) -> LabelledLatents:
    return whiten(representation.active_points())


# Whitened latents w are z C^-1/2, so that the learned latents are read out as z = w C^1/2, and move
# along the rows of its inverse. With these in the learned basis' place, p is exact if the learned
# map is one more draw: a map M0 of latents w0 whitens to w0 U V^T, which a Haar factor absorbs.


def _learned_readout(representation: Representation) -> np.ndarray:
    return _covariance_power(representation.active_points(), 0.5)


def _learned_traversal(representation: Representation) -> np.ndarray:
    return _covariance_power(representation.active_points(), -0.5)


# Products of sparse rotations are none, so that p of sparse is no exact one, whatever is true: it
# tells whether a learned basis does better than its neighbours.

FAMILIES = {
    "haar_active": Family(
        "null",
        _standardised,
        "Haar rotations of the active latents, standardised (N1)",
        draw=haar,
        is_confirmatory=True,
    ),
    "haar": Family(
        "null",
        Representation.points,
        "Haar rotations of all raw latents (N2)",
        draw=haar,
        is_confirmatory=True,
    ),
    "general_linear": Family(
        "null",
        _whitened,
        "general linear maps of the whitened active latents, read out (N3, exploratory)",
        draw=general_linear,
        learned=_learned_readout,
    ),
    "general_linear_traversal": Family(
        "null",
        _whitened,
        "the axes along which the latents of such maps move (N3, exploratory)",
        draw=general_linear_traversal,
        learned=_learned_traversal,
    ),
    "sparse": Family(
        "null",
        _standardised,
        "rotations of random pairs of the active latents, standardised (N7, exploratory)",
        draw=sparse_rotation,
    ),
    "haar_data": Family(
        "null",
        _whitened,
        "Haar rotations of the whitened active latents (N7, exploratory)",
        draw=haar,
        learned=_learned_readout,
    ),
    "signed_permutation": Family(
        "control",
        Representation.points,
        "signed permutations of all latents, which must change nothing (N4)",
        draw=signed_permutation,
        max_bases=99,
    ),
    "pca": Family("reference", Representation.active_points, "principal components (N5)", fit=pca),
    "ica": Family(
        "reference",
        Representation.active_points,
        "independent components, FastICA (N5)",
        fit=fast_ica,
    ),
    "supervised": Family(
        "supervised_rotation",
        _standardised,
        "the rotation that labels of one half of the points find best, on the other half (N5)",
        draw=haar,
        max_bases=499,
    ),
    "geodesic": Family(
        "interpolation",
        _standardised,
        "Q^t from the learned basis to Haar draws, active latents standardised (N6)",
        draw=haar,
        max_bases=499,
    ),
}


def check_families(names: Sequence[str]) -> None:
    """Checks names of families.

    Raises:
        InputError: If one is unknown, or none is given.
    """
    check_names("family", names, tuple(FAMILIES))
