"""The tables of the experiments: one row a seed, one over seeds, one sentence a statement.

A row with a `seed` holds one trained model's value. A row without one holds the mean over seeds
and, where the paper has a number, `published` +- `published_sd`, the `tolerance` fixed before
(twice the published spread, as in paper/claims.toml) and whether the mean is `inside`. A row whose
arm is `summary` says in `expected` what the paper says, in `holds` whether it was so here, and in
`sentence` what was found; the paper quotes it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from reproduce.basis import over_seeds

SUMMARY = "summary"
LEVEL = 0.05
COLUMNS = (
    "experiment",
    "arm",
    "measure",
    "seed",
    "value",
    "sd",
    "num_seeds",
    "p_value",
    "published",
    "published_sd",
    "tolerance",
    "inside",
    "expected",
    "holds",
    "sentence",
)
Row = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Published:
    """A published mean and its standard deviation over seeds."""

    value: float
    sd: float

    @property
    def tolerance(self) -> float:
        """How far a mean may be from it and still reproduce it."""
        return 2 * self.sd


def measured(
    arm: str, measure: str, values: dict[int, float], published: Published | None = None
) -> list[Row]:
    """A row for each seed and one over them.

    Args:
        arm: What was trained, or the condition.
        measure: What was measured.
        values: By seed.
        published: What it is compared with, if there is something.
    """
    rows: list[Row] = [
        {"arm": arm, "measure": measure, "seed": seed, "value": value}
        for seed, value in values.items()
    ]
    found = np.array(list(values.values()))
    over: Row = {
        "arm": arm,
        "measure": measure,
        "value": found.mean(),
        "sd": found.std(ddof=1) if len(found) > 1 else np.nan,
        "num_seeds": len(found),
    }
    if published:
        over |= {
            "published": published.value,
            "published_sd": published.sd,
            "tolerance": published.tolerance,
            "inside": bool(abs(found.mean() - published.value) <= published.tolerance),
        }
    return [*rows, over]


def summary(
    measure: str, expected: str, holds: bool, sentence: str, p_value: float | None = None
) -> Row:
    """A row that says what the paper says, whether it was so here, and what was found."""
    return {
        "arm": SUMMARY,
        "measure": measure,
        "p_value": np.nan if p_value is None else p_value,
        "expected": expected,
        "holds": bool(holds),
        "sentence": sentence,
    }


def as_published(holds: bool, p_value: float) -> str:
    """Whether a statement of a paper was so here: yes, no, or inconclusive.

    Where it was tested, its own p decides: between .05 and .95 it shows neither a difference nor
    its opposite, and that there is none is not shown either.

    Args:
        holds: As a summary says it.
        p_value: Its test's; NaN without one.
    """
    if LEVEL < p_value < 1 - LEVEL:
        return "inconclusive"
    return "yes" if holds else "no"


def contrast(larger: np.ndarray, smaller: np.ndarray) -> tuple[float, float]:
    """One-sided permutation test over seeds, and its smallest p; 1 and 1 for single seeds."""
    if min(len(larger), len(smaller)) < 2:
        return 1.0, 1.0
    rng = np.random.default_rng(0)
    return over_seeds.permutation_contrast(larger.tolist(), smaller.tolist(), rng)


def table(experiment: str, rows: Sequence[Row]) -> pd.DataFrame:
    """The rows of an experiment with the columns `COLUMNS`; seeds are whole numbers or empty."""
    frame = pd.DataFrame([{"experiment": experiment, **row} for row in rows], columns=list(COLUMNS))
    for column in ("seed", "num_seeds"):
        frame[column] = frame[column].astype("Int64")
    return frame


def means(frame: pd.DataFrame, measure: str) -> pd.Series:
    """The means over seeds of a measure, by arm."""
    over = frame[(frame["measure"] == measure) & frame["seed"].isna() & frame["value"].notna()]
    return over.set_index("arm")["value"]
