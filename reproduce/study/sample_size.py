"""How many trials, raters and items it takes: the power calculation of the study."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.special
import scipy.stats

from reproduce.study import mixed_model, simulated_raters
from reproduce.study.study_plan import Plan
from reproduce.training import progress

ALPHA = 0.05
POWER = 0.9
_PREFERENCES = (0.6, 0.65, 0.7)  # of the power calculation


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
        standard_error: The mean preference's, in logits.
        df: Its t distribution's degrees of freedom.
        sd: How much raters and items vary together, in logits.
    """
    reach = scipy.stats.t.ppf(1 - ALPHA / 2, df) + scipy.stats.t.ppf(POWER, df)
    return float(mixed_model.marginal(reach * standard_error, sd))


def of_plan(plan: Plan, num_arms: int) -> dict[str, Any]:
    """The power calculation, for what each arm gets of the planned raters' answers."""
    own = max(plan.trials // num_arms, 1)
    own = max(divisor for divisor in range(1, own + 1) if plan.pairs % divisor == 0)
    shape = (plan.raters, own, plan.pairs)
    floors = {share: independent_trials(share) for share in _PREFERENCES}
    total = len(_PREFERENCES) * plan.power_repetitions
    with progress.bar(desc="power", total=total, unit=" studies") as bar:
        powers = {
            share: mixed_power(
                simulated_raters.Truth(share), shape, plan.power_repetitions, plan.seed, bar.update
            )
            for share in _PREFERENCES
        }
    truth = simulated_raters.Truth()
    sentences = [
        "were all answers independent, the exact binomial test at the two-sided level .05 would "
        "have power 90% with "
        + ", ".join(f"{count} trials to detect {share:.0%}" for share, count in floors.items()),
        f"the mixed model with rater and pair deviations of {truth.sd_rater:g} and "
        f"{truth.sd_item:g} logits, {plan.raters} raters of {own} trials an arm and {plan.pairs} "
        f"pairs detects "
        + ", ".join(f"{share:.0%} with power {power:.2f}" for share, power in powers.items())
        + f" ({plan.power_repetitions} simulated studies each)",
    ]
    return {
        "independent_trials": {str(share): count for share, count in floors.items()},
        "mixed_model": {str(share): power for share, power in powers.items()},
        "raters": plan.raters,
        "trials_per_rater_and_arm": own,
        "pairs_per_arm": plan.pairs,
        "sentences": sentences,
    }
