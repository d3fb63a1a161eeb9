"""Haar-distributed matrices: rotations of latents, directions among them, Glow's first weights."""

from __future__ import annotations

import numpy as np


def haar(num: int, dimension: int, rng: np.random.Generator) -> np.ndarray:
    """Draws from the Haar distribution on O(dimension): float64 [num, dimension, dimension].

    The Q of a Gaussian matrix's QR, with the signs that make R's diagonal positive (Mezzadri
    2007, How to generate random matrices from the classical compact groups); without these, or
    from a uniform matrix, Q is not Haar.
    """
    return stiefel(num, dimension, dimension, rng)


def stiefel(num: int, dimension: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """The first columns of Haar draws on O(dimension): float64 [num, dimension, count].

    The QR decomposition of a Gaussian matrix of so many columns gives them without the others,
    which is what large dimensions need.
    """
    q, r = np.linalg.qr(rng.standard_normal((num, dimension, count)))
    return np.asarray(q * np.sign(np.diagonal(r, axis1=1, axis2=2))[:, None, :])
