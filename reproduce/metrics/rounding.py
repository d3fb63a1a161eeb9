"""What rounding alone can do to latents: below it, a direction carries nothing."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from data import blocks

EPS = float(np.finfo(np.float64).eps)  # of float64, in which everything is computed
MARGIN = 8.0  # so many roundings of the largest value are taken for noise


def precision(latents: np.ndarray) -> float:
    """The relative rounding error of the type in which latents were kept.

    That is the narrowest floating-point type that holds all of them; whole numbers are exact, so
    that float64's, in which everything is computed, is what is left for them.

    Args:
        latents: float [n, d], finite.
    """
    if not all(np.array_equal(part, np.rint(part)) for part in _parts(latents)):
        for narrow in (np.float16, np.float32):
            with np.errstate(over="ignore"):
                if all(np.array_equal(part, part.astype(narrow)) for part in _parts(latents)):
                    return float(np.finfo(narrow).eps)
    return EPS


def _parts(latents: np.ndarray) -> Iterator[np.ndarray]:
    return (np.asarray(latents)[rows] for rows in blocks.rows(latents))


def noise(latents: np.ndarray, eps: float) -> np.ndarray:
    """What rounding can change in each of latents float [n, d]: float64 [d]."""
    return MARGIN * eps * blocks.largest(latents)


def rank(latents: np.ndarray, eps: float | None = None) -> int:
    """How many directions of latents vary by more than rounding, whatever each latent's scale.

    Args:
        latents: float [n, d].
        eps: As `precision` gives it, of what the latents were computed from; by default their own.

    Returns:
        At most min(n - 1, d).
    """
    rounded = noise(latents, precision(latents) if eps is None else eps)
    centred = latents - latents.mean(axis=0)
    centred -= centred.mean(axis=0)  # the first mean is off by the rounding of a long sum
    spread = np.sqrt(np.mean(np.square(centred), axis=0))
    scales = np.where(np.ptp(latents, axis=0) > rounded, spread, np.inf)
    deviations = np.linalg.svd(centred / scales, compute_uv=False) / np.sqrt(len(latents))
    return int(np.sum(deviations > np.linalg.norm(rounded / scales)))


def rank_of_covariance(covariance: np.ndarray, rounded: np.ndarray) -> int:
    """`rank` by a covariance [d, d], for latents of which there cannot be a second copy.

    Its eigenvalues are squares, so that deviations below the root of float64's rounding are lost.

    Args:
        covariance: float [d, d].
        rounded: float [d], what rounding can change in each latent, as `noise` gives it.
    """
    spread = np.sqrt(np.maximum(np.diagonal(covariance), 0))
    scales = np.where(spread > rounded, spread, np.inf)
    variances = np.linalg.eigvalsh(covariance / np.outer(scales, scales))
    least = max(float(np.linalg.norm(rounded / scales)), EPS**0.5)
    return int(np.sum(variances > least**2))
