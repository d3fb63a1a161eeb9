"""Studies of many pairs: either posterior on several data sets, and under several objectives.

A row is a pair of arms that differ in the posterior's covariance: what is learned against random
bases by MIG on the encoder's side, of each arm, and the contrast of the two.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from models.registry import ARMS
from paper import findings
from paper.sources import Results
from paper.words import count, decimal, listing, p_value
from reproduce.basis.significance import ALIGNED, EQUIVALENT, INCONCLUSIVE

DATASETS: Mapping[str, str] = {
    "datasets": "dSprites",
    "datasets-coloured_scene": "the coloured scene",
    "datasets-xysquares": "XYSquares",
    "datasets-faces": "the rendered faces",
}
OBJECTIVES = "objectives"
_METRIC = "mig"
_FULL = "full_covariance"
_COLUMNS = (
    "diagonal",
    "less random",
    "verdict",
    "full covariance",
    "less random ",
    "verdict ",
    "contrast",
    "p",
)
_NONE = "–"


def of_datasets(results: Results) -> pd.DataFrame:
    """The pair of beta-VAEs, a row a data set."""
    return pd.DataFrame(
        {"data": words, **cells}
        for profile, words in DATASETS.items()
        for cells in _pairs(results, profile).values()
    )


def of_objectives(results: Results) -> pd.DataFrame:
    """Every objective on dSprites, a row each."""
    pairs = _pairs(results, OBJECTIVES)
    return pd.DataFrame([{"objective": title, **cells} for title, cells in pairs.items()])


def datasets_found(results: Results) -> str:
    """On which data sets the axes of either posterior are aligned, equivalent or neither."""
    table, says = of_datasets(results), []
    for posterior, column in (("diagonal", "verdict"), ("full-covariance", "verdict ")):
        groups = []
        for verdict, words in (
            (ALIGNED, "are aligned"),
            (EQUIVALENT, "are equivalent to random axes"),
            (INCONCLUSIVE, "are inconclusive"),
        ):
            names = [str(name) for name in table.loc[table[column].str.startswith(verdict), "data"]]
            if names:
                groups.append(f"{words} on {listing(names)}")
        if groups:
            says.append(f"The axes of the {posterior} posterior {'; '.join(groups)}.")
    differ = table["p"].str.endswith("*")
    p = pd.to_numeric(table["p"].str.rstrip("*"), errors="coerce")
    shown = [str(name) for name in table.loc[p <= findings.ALPHA, "data"]]
    with_contrast = int(p.notna().sum())
    says.append(
        f"Of {count(with_contrast)} contrasts of the two, not corrected for their number, "
        + (f"{listing(shown)} have p at or below .05" if shown else "none has p at or below .05")
        + (
            f"; in {count(int(differ.sum()))} the two arms do not fit alike."
            if differ.any()
            else "."
        )
    )
    return " ".join(says)


def _pairs(results: Results, profile: str) -> dict[str, dict[str, str]]:
    """Cells by the title of what a pair has in common."""
    columns = ["model", "metric", "side", "haar_observed", "haar_difference", "special"]
    verdicts = _by_model(results.table(f"{profile}/verdict.csv", columns))
    contrasts = _by_model(results.table(f"{profile}/contrast.csv", ["model", "metric", "p_value"]))
    found: dict[str, dict[str, str]] = {}
    for key, row in verdicts.items():
        stem, _, posterior = key.partition("/")
        if posterior == _FULL:
            continue
        full, contrast = verdicts.get(f"{stem}/{_FULL}"), contrasts.get(key)
        cells = (
            *_of_arm(row),
            *(_of_arm(full) if full else 3 * (_NONE,)),
            *(_of_contrast(contrast) if contrast else 2 * (_NONE,)),
        )
        title = ARMS[key].title.partition(",")[0].replace("beta-VAE", "β-VAE")
        found[title] = dict(zip(_COLUMNS, cells, strict=True))
    return found


def _by_model(frame: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Rows by MIG on the encoder's side."""
    rows = frame[frame["metric"].eq(_METRIC)].to_dict("records")
    return {str(row["model"]): {str(k): value for k, value in row.items()} for row in rows}


def _of_arm(row: Mapping[str, Any]) -> tuple[str, str, str]:
    """What is learned, how much more that is than random bases have, and what it comes to."""
    return decimal(row["haar_observed"]), findings.difference(row), findings.alone(row)


def _of_contrast(row: Mapping[str, Any]) -> tuple[str, str]:
    """The difference of the arms' effects, and its p; an asterisk where the fits differ."""
    value = decimal(row["difference"])
    if pd.notna(row.get("low", math.nan)):
        value += f" ({decimal(row['low'])} to {decimal(row['high'])})"
    p = p_value(row["p_value"]).removeprefix("= ")
    return value, p + ("" if row["fits_match"] else "*")
