"""How many trials, raters and items it takes: the power calculation of the study."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import scipy.special
import scipy.stats

from reproduce.study import mixed_model, simulated_raters

ALPHA = 0.05
POWER = 0.9


def independent_trials(preference: float, alpha: float = ALPHA, power: float = POWER) -> int:
    """Trials for a two-sided exact binomial test of one half, were all trials independent.

    A floor, for answers of one rater, or to one pair, go together. The power rises in saw-teeth
    with the number of trials: this is the number from which on it is never less.

    Args:
        preference: The share of choices of the learned axis to be detected; not .5.
        alpha: The level; half of it on either side.
        power: The power.
    """
    # By the normal approximation (Fleiss, Levin & Paik 2003, eq. 2.8), half as many again and
    # some: far beyond the last tooth that falls below.
    z_alpha, z_power = scipy.special.ndtri([1 - alpha / 2, power])
    spread = z_alpha * 0.5 + z_power * math.sqrt(preference * (1 - preference))
    trials = np.arange(1, math.ceil(1.5 * (spread / (preference - 0.5)) ** 2) + 50)
    return int(trials[exact_power(preference, trials, alpha) < power][-1]) + 1


def exact_power(preference: float, trials: np.ndarray, alpha: float = ALPHA) -> np.ndarray:
    """Power of the two-sided exact binomial test of one half, for each number of trials."""
    # The most successes with P(X <= k) <= alpha / 2 under one half; -1 where there are none.
    most = np.asarray(scipy.stats.binom.ppf(alpha / 2, trials, 0.5))
    most = most - (scipy.stats.binom.cdf(most, trials, 0.5) > alpha / 2)
    below = scipy.stats.binom.cdf(most, trials, preference)
    above = scipy.stats.binom.sf(trials - most - 1, trials, preference)
    return np.asarray(below + above)


def mixed_power(
    truth: simulated_raters.Truth,
    shape: tuple[int, int, int],
    repetitions: int,
    seed: int,
    progress: Callable[[int], object] = lambda done: None,
) -> float:
    """How often the mixed model's test rejects at `ALPHA`, by simulation.

    Args:
        truth: What raters prefer, and how much raters and items vary.
        shape: Raters, trials of each, items.
        repetitions: Simulated studies.
        seed: Each study has its own stream.
        progress: Called with the number of studies done.
    """
    rejected = 0
    for repetition in range(repetitions):
        answers = simulated_raters.plain_study(
            truth, *shape, np.random.default_rng([seed, repetition])
        )
        fitted = mixed_model.fit_preference(answers)
        rejected += fitted.p_value(0) < ALPHA
        progress(1)
    return rejected / repetitions


def smallest_detectable(standard_error: float, df: int, sd: float) -> float:
    """The preference that a study of this precision detects with power `POWER`.

    Args:
        standard_error: Of the mean preference in logits.
        df: Of its t distribution.
        sd: Of raters and items together, in logits.
    """
    reach = scipy.stats.t.ppf(1 - ALPHA / 2, df) + scipy.stats.t.ppf(POWER, df)
    return float(mixed_model.marginal(reach * standard_error, sd))
