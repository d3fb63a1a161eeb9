"""How often verdicts over seeds, and contrasts of arms, are right where the truth is known.

Scores are simulated, seed by seed, as a test would have given them: what is examined is what is
concluded from several seeds. How single tests do is in `operating_characteristics`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import scipy.stats

from reproduce.basis import over_seeds
from reproduce.basis.significance import ALIGNED, EQUIVALENT, INCONCLUSIVE, MARGIN

COLUMNS = (
    "truth",
    "effect",
    "sd_between_seeds",
    "num_seeds",
    "outcome",
    "share",
    "low",
    "high",
    "repetitions",
)
NULL_MEAN, NULL_SD = 0.05, 0.015  # of MIG in random bases, about what trained models have
_SHAPE = (NULL_MEAN / NULL_SD) ** 2  # of a gamma distribution: MIG is positive and skewed
CONTRAST = "contrast"  # the outcome that the arm's effect is larger than its control's


@dataclasses.dataclass(frozen=True)
class Truth:
    """What is true of an arm and its control.

    Attributes:
        name: In the table.
        effect: The arm's mean over random bases; None: its basis is one more of these, the exact
            null hypothesis, and so is its control's.
        sd: Between seeds.
        of_control: The effect of its control.
    """

    name: str
    effect: float | None
    sd: float = 0.0
    of_control: float = 0.0


TRUTHS = (
    Truth("one more random basis", None),
    Truth("the same on average", 0.0, 0.01),
    Truth("at the margin", MARGIN, 0.01, MARGIN),
    Truth("at the margin, below", -MARGIN, 0.01, -MARGIN),
    Truth("twice the margin", 2 * MARGIN, 0.02),
    # Zietlow et al. 2021, table 1: MIG .23 +- .08 over ten seeds; random bases have about .08.
    Truth("as published on dSprites", 0.15, 0.08),
)


def simulate(
    truths: Sequence[Truth],
    nums_seeds: Sequence[int],
    repetitions: int,
    num_bases: int,
    seed: int,
    progress: Callable[[int], object] | None = None,
) -> pd.DataFrame:
    """The shares of verdicts and of significant contrasts.

    Args:
        truths: What is simulated.
        nums_seeds: Numbers of seeds an arm.
        repetitions: Studies for each of them.
        num_bases: Draws of each null.
        seed: The seed of everything.
        progress: Called with 1 for each study.

    Returns:
        The columns `COLUMNS`, a row for each truth, number of seeds and outcome, with exact 95%
        intervals of the shares. A contrast counts where its p is at most .05.
    """
    rows: list[tuple[object, ...]] = []
    for t, truth in enumerate(truths):
        for num_seeds in nums_seeds:
            counts = dict.fromkeys((ALIGNED, EQUIVALENT, INCONCLUSIVE, CONTRAST), 0)
            for repetition in range(repetitions):
                rng = np.random.default_rng([seed, t, num_seeds, repetition])
                verdict, is_contrast = _study(truth, num_seeds, num_bases, rng)
                counts[verdict] += 1
                counts[CONTRAST] += is_contrast
                if progress:
                    progress(1)
            for outcome, count in counts.items():
                found = scipy.stats.binomtest(count, repetitions).proportion_ci(method="exact")
                shares = (count / repetitions, found.low, found.high, repetitions)
                effect = 0.0 if truth.effect is None else truth.effect
                rows.append((truth.name, effect, truth.sd, num_seeds, outcome, *shares))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _study(
    truth: Truth, num_seeds: int, num_bases: int, rng: np.random.Generator
) -> tuple[str, bool]:
    """The verdict on an arm, and whether it is told from its control."""
    effects, nulls = _arm(truth.effect, truth.sd, num_seeds, num_bases, rng)
    others, _ = _arm(
        None if truth.effect is None else truth.of_control, truth.sd, num_seeds, num_bases, rng
    )
    evidence = []
    for null in nulls:
        observed = [draws.mean() + effect for draws, effect in zip(null, effects, strict=True)]
        evidence.append(over_seeds.weigh(observed, null, rng))
    verdict = over_seeds.verdict(evidence, max(one.p_value for one in evidence))
    p, _ = over_seeds.sign_flips((effects - others).tolist(), rng)
    return verdict, p <= 0.05


def _arm(
    effect: float | None, sd: float, num_seeds: int, num_bases: int, rng: np.random.Generator
) -> tuple[np.ndarray, list[list[np.ndarray]]]:
    """The seeds' effects [s], and the draws of both nulls: two lists of [num_bases] a seed."""
    scale = NULL_MEAN / _SHAPE
    nulls = [list(rng.gamma(_SHAPE, scale, size=(num_seeds, num_bases))) for _ in range(2)]
    if effect is None:
        return rng.gamma(_SHAPE, scale, size=num_seeds) - NULL_MEAN, nulls
    return rng.normal(effect, sd, size=num_seeds), nulls
