"""What a difference from random bases is made of, and what decides that it is as good as none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from paper.published import plain
from paper.sources import PROSE, MissingError, Results
from paper.words import decimal
from reproduce.basis import over_seeds
from reproduce.metrics.registry import DECODER_SIDE


def narrow(row: Mapping[str, Any]) -> tuple[float, float]:
    """The 90% interval of a row's difference, by which *equivalent to random* is decided.

    Against random bases of all latents, as the 95% interval that tables show.
    """
    return over_seeds.students(
        row["haar_difference"], row["haar_sd"], int(row["num_seeds"]), over_seeds.NARROW
    )


def is_below(row: Mapping[str, Any]) -> bool:
    """Whether the 95% interval of a row's difference lies below none, however little."""
    return bool(row["haar_high"] < 0)


def largest_part(results: Results, profile: str, arm: str) -> str:
    """Which factor makes half or more of an arm's difference in MIG; empty if none does.

    MIG is a mean over factors, and so is its difference from random bases: a factor's part is its
    own difference over the number of factors.
    """
    metric = str(results.primary(profile, arm)["metric"])
    if not metric.endswith("mig"):
        return ""
    file = "decoder/factor_test.csv" if metric.startswith(DECODER_SIDE) else "factor_test.csv"
    seeds = []
    for run in results.runs(profile, arm):
        try:
            tested = run.table(file, ["family", "factor", "gap", "null_mean"])
        except MissingError:
            return ""  # not tested factor by factor
        own = tested[tested["family"] == "haar"].set_index("factor")
        seeds.append((own["gap"] - own["null_mean"]) / len(own))
    parts = pd.concat(seeds, axis=1).mean(axis=1)
    whole, part = float(parts.sum()), float(parts.max())
    if part < whole / 2:
        return ""
    return (
        f"Of the difference of {PROSE[arm]}, {decimal(whole)} MIG, {decimal(part)} is one factor's "
        f"alone: {plain(str(parts.idxmax()))}."
    )
