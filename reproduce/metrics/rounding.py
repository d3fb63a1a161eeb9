"""What rounding alone can do to latents: below it, a direction carries nothing."""

from __future__ import annotations

import numpy as np

EPS = float(np.finfo(np.float64).eps)  # of float64, in which everything is computed
MARGIN = 8.0  # so many roundings of the largest value are taken for noise


def precision(latents: np.ndarray) -> float:
    """The relative rounding error of the type in which latents were kept.

    That is the narrowest floating-point type that holds all of them; whole numbers are exact, so
    that float64's, in which everything is computed, is what is left for them.

    Args:
        latents: float [n, d], finite.
    """
    if not np.array_equal(latents, np.rint(latents)):
        for narrow in (np.float16, np.float32):
            with np.errstate(over="ignore"):
                if np.array_equal(latents, np.asarray(latents).astype(narrow)):
                    return float(np.finfo(narrow).eps)
    return EPS


def noise(latents: np.ndarray, eps: float) -> np.ndarray:
    """What rounding can change in each of latents float [n, d]: float64 [d]."""
    return MARGIN * eps * np.abs(latents).max(axis=0).astype(np.float64)


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
