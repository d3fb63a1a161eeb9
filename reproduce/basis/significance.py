"""The statistics of paper/protocol.md: exact p-values, effects, corrections.

What is not a number is no evidence: each function gives NaN for it, and NaN is below no level.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

TIE = 1e-9  # values that differ by less are equal
MARGIN = 0.02  # of MIG: effects that are smaller are as good as none
ALIGNED, EQUIVALENT, INCONCLUSIVE = "aligned", "equivalent to random", "inconclusive"


def p_value(observed: float, null: np.ndarray) -> float:
    """(1 + #{null >= observed}) / (N + 1): exact if the observed value is one more draw.

    Args:
        observed: The learned basis' value; higher is better.
        null: float [N], of random bases.

    Returns:
        The p-value; NaN where the observed value or one of the draws is not a number.
    """
    if np.isnan(observed) or np.isnan(null).any():
        return float("nan")
    return (1 + int(np.sum(null >= observed - TIE))) / (len(null) + 1)


def z_score(observed: float, null: np.ndarray) -> float:
    """The observed value's distance from the null's mean in its standard deviations (ddof 1).

    0 where nothing varies and the observed value is the same, infinite where it is not; not a
    number for a single draw, or where the observed value or a draw is none.
    """
    if len(null) < 2 or np.isnan(observed) or np.isnan(null).any():
        return float("nan")
    return standardised(observed, null.mean(), null.std(ddof=1))


def standardised(observed: float, mean: float, sd: float) -> float:
    """`z_score` of a null's mean and standard deviation."""
    difference = observed - mean
    if np.isnan(difference) or np.isnan(sd):
        return float("nan")
    if sd > TIE:
        return float(difference / sd)
    return 0.0 if abs(difference) <= TIE else float(np.copysign(np.inf, difference))


def smallest_detectable(null: np.ndarray, alpha: float) -> float:
    """The smallest observed value that would have had p <= alpha, or infinity if none could.

    `p_value` is at most alpha when at most floor(alpha (N + 1)) - 1 draws reach the observed. NaN
    where a draw is not a number.
    """
    if np.isnan(null).any():
        return float("nan")
    allowed = int(np.floor(alpha * (len(null) + 1) + TIE)) - 1
    if allowed < 0:
        return float("inf")
    return float(np.sort(null)[::-1][min(allowed, len(null) - 1)] + TIE)


def holm(p_values: Sequence[float], family_size: int) -> list[float]:
    """Holm's step-down adjustment within a family fixed in advance (Holm 1979).

    statsmodels' has the same numbers, but collects Python's garbage at every call, which takes a
    large process up to a second.

    Args:
        p_values: The tested hypotheses'; NaN where a test gave no number.
        family_size: How many were planned; those not tested count as p = 1, as do those of NaN.

    Returns:
        The adjusted p-values, NaN for NaN.
    """
    padded = np.array([*p_values, *[1.0] * (family_size - len(p_values))])
    if not len(padded):
        return []
    known = np.where(np.isnan(padded), 1.0, padded)
    order = np.argsort(known, kind="stable")
    steps = known[order] * np.arange(len(known), 0, -1)
    adjusted = np.empty_like(known)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return np.where(np.isnan(padded), np.nan, adjusted)[: len(p_values)].tolist()
