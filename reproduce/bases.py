"""Families of bases of the latent space (the protocol's N1, N2, N4, N5 and N6).

A basis is an orthogonal matrix whose columns are the new axes: new latents = latents @ basis.
"""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable
from typing import Literal

import numpy as np
import scipy.linalg

from reproduce.representation import Representation

GEODESIC_TIMES = (0.0, 0.05, 0.1, 0.25, 0.5, 1.0)

Role = Literal["null", "control", "reference", "dose_response"]


def haar(num_bases: int, dimension: int, rng: np.random.Generator) -> np.ndarray:
    """Draws from the Haar distribution on O(dimension): float64 [num_bases, d, d].

    The Q of a Gaussian matrix's QR, with the signs that make R's diagonal positive (Mezzadri
    2007, How to generate random matrices from the classical compact groups).
    """
    q, r = np.linalg.qr(rng.standard_normal((num_bases, dimension, dimension)))
    return q * np.sign(np.diagonal(r, axis1=1, axis2=2))[:, None, :]


def signed_permutation(num_bases: int, dimension: int, rng: np.random.Generator) -> np.ndarray:
    """Uniform draws of permutations of the axes with signs: float64 [num_bases, d, d]."""
    bases = np.zeros((num_bases, dimension, dimension))
    orders = rng.permuted(np.tile(np.arange(dimension), (num_bases, 1)), axis=1)
    signs = rng.choice([-1.0, 1.0], size=(num_bases, dimension))
    np.put_along_axis(bases, orders[:, None, :], signs[:, None, :], axis=1)
    return bases


def geodesic(rotation: np.ndarray, times: tuple[float, ...] = GEODESIC_TIMES) -> np.ndarray:
    """Points Q^t on the shortest path from the identity to a rotation: float64 [times, d, d].

    By the real Schur form Q = V T V^T, whose blocks are plane rotations by angles of at most pi.
    A matrix of determinant -1, to which no path leads, has its last column flipped first.

    Args:
        rotation: float [d, d], orthogonal.
        times: From 0 (the learned basis) to 1 (the rotation itself).
    """
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


def pca(latents: np.ndarray, seed: int) -> np.ndarray:
    """Principal components of the latents, as new latents [n, d]; deterministic."""
    from sklearn.decomposition import PCA

    del seed
    return PCA(svd_solver="full").fit_transform(latents)


def fast_ica(latents: np.ndarray, seed: int) -> np.ndarray:
    """Independent components of the latents, as new latents [n, d] (FastICA, parallel, logcosh).

    Where it does not converge, what the last iteration gave serves.
    """
    from sklearn.decomposition import FastICA
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = FastICA(whiten="unit-variance", max_iter=1000, random_state=seed)
        return model.fit_transform(latents)


@dataclasses.dataclass(frozen=True)
class Family:
    """A family of bases, and what part it plays.

    Attributes:
        role: `null`: gives a p-value; `control`: must change nothing; `reference`: one basis
            found by another method; `dose_response`: paths from the learned basis to Haar draws.
        latents: What is rotated, float64 [n, m].
        draw: For all but references: (number, dimension, generator) to bases [number, m, m].
        fit: For references: (latents, seed) to new latents.
        max_bases: No more draws than so many are of use.
        summary: In a few words.
    """

    role: Role
    latents: Callable[[Representation], np.ndarray]
    summary: str
    draw: Callable[[int, int, np.random.Generator], np.ndarray] | None = None
    fit: Callable[[np.ndarray, int], np.ndarray] | None = None
    max_bases: int | None = None

    @property
    def needs_active(self) -> bool:
        """Whether the family rotates active latents alone, and so needs two of them."""
        return self.latents is not _raw


def _raw(representation: Representation) -> np.ndarray:
    return representation.latents


def _raw_active(representation: Representation) -> np.ndarray:
    representation.standardised_active()  # raises where there are fewer than two
    return _raw(representation)[:, representation.active()]


FAMILIES = {
    "haar_active": Family(
        "null",
        Representation.standardised_active,
        "Haar rotations of the active latents, standardised (N1)",
        draw=haar,
    ),
    "haar": Family("null", _raw, "Haar rotations of all raw latents (N2)", draw=haar),
    "signed_permutation": Family(
        "control",
        _raw,
        "signed permutations of all latents, which must change nothing (N4)",
        draw=signed_permutation,
        max_bases=99,
    ),
    "pca": Family("reference", _raw_active, "principal components (N5)", fit=pca),
    "ica": Family("reference", _raw_active, "independent components, FastICA (N5)", fit=fast_ica),
    "geodesic": Family(
        "dose_response",
        Representation.standardised_active,
        "Q^t from the learned basis to Haar draws, active latents standardised (N6)",
        draw=haar,
        max_bases=499,
    ),
}
