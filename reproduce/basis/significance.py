"""The statistics of paper/protocol.md: exact p-values, effects, contrasts between arms."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.stats
from statsmodels.stats.multitest import multipletests

TIE = 1e-9  # values that differ by less are equal


def p_value(observed: float, null: np.ndarray) -> float:
    """(1 + #{null >= observed}) / (N + 1): exact if the observed value is one more draw.

    Args:
        observed: The learned basis' value; higher is better.
        null: float [N], of random bases.
    """
    return (1 + int(np.sum(null >= observed - TIE))) / (len(null) + 1)


def z_score(observed: float, null: np.ndarray) -> float:
    """The observed value's distance from the null's mean in its standard deviations (ddof 1).

    0 where nothing varies and the observed value is the same, infinite where it is not; not a
    number for a single draw.
    """
    if len(null) < 2:
        return float("nan")
    difference, sd = observed - null.mean(), null.std(ddof=1)
    if sd > TIE:
        return float(difference / sd)
    return 0.0 if abs(difference) <= TIE else float(np.copysign(np.inf, difference))


def joint_null(nulls: Sequence[np.ndarray], rng: np.random.Generator) -> np.ndarray:
    """Null distribution of the mean over seeds, one independent basis for each: float [N].

    Args:
        nulls: float [N_i] for each seed; each is shuffled, and the longest ones cut.
        rng: Shuffles, so that equal draws in two seeds do not meet.
    """
    length = min(map(len, nulls))
    return np.mean([rng.permutation(null)[:length] for null in nulls], axis=0)


def smallest_detectable(null: np.ndarray, alpha: float) -> float:
    """The smallest observed value that would have had p <= alpha, or infinity if none could.

    `p_value` is at most alpha when at most floor(alpha (N + 1)) - 1 draws reach the observed.
    """
    allowed = int(np.floor(alpha * (len(null) + 1) + TIE)) - 1
    if allowed < 0:
        return float("inf")
    return float(np.sort(null)[::-1][min(allowed, len(null) - 1)] + TIE)


def permutation_contrast(
    effects: Sequence[float], control: Sequence[float], rng: np.random.Generator
) -> tuple[float, float]:
    """One-sided permutation test over seeds that the first arm's mean effect is the larger.

    Exact while there are at most 99,999 ways to deal the seeds to the arms, else as many draws.

    Returns:
        The p-value, and the smallest that these numbers of seeds allow.
    """
    resamples = 99_999

    def difference(a: np.ndarray, b: np.ndarray, axis: int) -> np.ndarray:
        return np.mean(a, axis=axis) - np.mean(b, axis=axis)

    result = scipy.stats.permutation_test(
        (np.asarray(effects), np.asarray(control)),
        difference,
        vectorized=True,
        n_resamples=resamples,
        alternative="greater",
        rng=rng,
    )
    ways = scipy.special.comb(len(effects) + len(control), len(effects))
    floor = 1 / ways if ways <= resamples else 1 / (resamples + 1)
    return float(result.pvalue), float(floor)


def holm(p_values: Sequence[float], family_size: int) -> list[float]:
    """Holm's step-down adjustment within a family fixed in advance.

    Args:
        p_values: Of the hypotheses that were tested.
        family_size: How many were planned; those not tested count as p = 1.
    """
    padded = [*p_values, *[1.0] * (family_size - len(p_values))]
    if not padded:
        return []
    return [float(p) for p in multipletests(padded, method="holm")[1][: len(p_values)]]
