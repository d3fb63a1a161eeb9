"""How the study's analysis does on simulated raters, of whom the truth is known."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from reproduce.study import preference, simulated_raters
from reproduce.study.sample_size import ALPHA


def measure(
    truths: Sequence[simulated_raters.Truth],
    shape: tuple[int, int, int],
    studies: int,
    seed: int,
    progress: Callable[[int], object] = lambda done: None,
) -> pd.DataFrame:
    """Analyses simulated studies.

    Args:
        truths: What raters do.
        shape: Raters, trials of each, pairs.
        studies: How many for each truth.
        seed: Each study has its own stream.
        progress: Called with the number of studies done.

    Returns:
        A row for each truth: what was planted; the mean estimate and its bias; the share of
        studies whose 95% interval covers the planted preference; the shares that reject that
        there is none, by the mixed model, the binomial test and flipped items and raters; and the
        share that declares equivalence.
    """
    rows = []
    for truth in truths:
        found = []
        for study in range(studies):
            rng = np.random.default_rng([seed, round(1000 * truth.preference), study])
            result = preference.estimate(simulated_raters.plain_study(truth, *shape, rng), study)
            assert result is not None
            found.append(result)
            progress(1)
        shares = np.array([one.share for one in found])
        rows.append(
            {
                "simulated": True,
                "preference": truth.preference,
                "sd_rater": truth.sd_rater,
                "sd_item": truth.sd_item,
                "left_bias": truth.left_bias,
                "raters": shape[0],
                "trials": shape[1],
                "items": shape[2],
                "studies": studies,
                "mean_estimate": shares.mean(),
                "bias": shares.mean() - truth.preference,
                "mean_width": np.mean([one.high - one.low for one in found]),
                "coverage": np.mean([one.low <= truth.preference <= one.high for one in found]),
                "mixed_model_rejects": np.mean([one.p_value < ALPHA for one in found]),
                "items_reject": np.mean([one.items_p < ALPHA for one in found]),
                "raters_reject": np.mean([one.raters_p < ALPHA for one in found]),
                "binomial_rejects": np.mean([one.binomial_p < ALPHA for one in found]),
                "equivalence_declared": np.mean([one.equivalent for one in found]),
            }
        )
    return pd.DataFrame(rows)
