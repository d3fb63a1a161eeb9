"""The literature's own experiments as the paper shows them: what was found, tables, a figure.

The columns of their files are described in reproduce/mechanisms/results.py.
"""

from __future__ import annotations

import re

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from paper.plots import DARK, PAGE, STYLE
from paper.sources import Results
from paper.words import sentence
from reproduce.mechanisms.results import as_published
from reproduce.reporting.style import LEARNED, RANDOM, REFERENCE, SEED_STYLES

FILES = (
    *("rolinek_table", "rolinek_toy", "lucas_linear", "dorrell_range", "korznikov_dictionaries"),
    *("zietlow", "bau_geodesic", "szegedy", "likelihood"),
)
_COLUMNS = ("arm", "measure", "seed", "value", "sd", "num_seeds", "published", "published_sd")
_SUMMARY = ("expected", "holds", "sentence", "p_value")
_NAMES = {
    "vae": "VAE",
    "mig": "MIG",
    "iwae": "IWAE",
    "iwae_diagonal": "IWAE, diagonal",
    "elbo": "ELBO",
    "elbo_full": "ELBO, full",
    "kl_gap": "KL gap",
    "angle_to_pca": "angle to PCA",
    "mig_positions": "MIG, x and y",
    "mig_diagonals": "MIG, x + y and x − y",
    "r2_positions": "R², x and y",
}
_TOLD = {"yes": "As published", "no": "Not as published", "inconclusive": "Inconclusive"}
_RANDOM_ANGLE = 22.5  # degrees: the mean of a random basis of a plane


def _read(results: Results, file: str) -> pd.DataFrame:
    return results.table(f"mechanisms/{file}.csv", [*_COLUMNS, *_SUMMARY])


def _means(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows over seeds."""
    return frame[frame["seed"].isna() & frame["value"].notna()]


def found(results: Results, file: str) -> str:
    """What an experiment found, statement by statement, and whether it is as published."""
    frame = _read(results, file)
    sentences = [
        f"{sentence(str(row['sentence']))} _({_TOLD[as_published(row['holds'], row['p_value'])]}.)_"
        for _, row in frame[frame["arm"] == "summary"].iterrows()
    ]
    return " ".join(sentences)


def table(results: Results, file: str) -> pd.DataFrame:
    """An experiment's means over seeds, beside what was published."""
    rows = []
    for _, row in _means(_read(results, file)).iterrows():
        published = pd.notna(row["published"])
        rows.append(
            {
                "arm": _spaced(row["arm"]),
                "measure": _spaced(row["measure"]),
                "mean": _number(row["value"], row["sd"]),
                "seeds": f"{row['num_seeds']:.0f}" if pd.notna(row["num_seeds"]) else "–",
                "published": _number(row["published"], row["published_sd"]) if published else "–",
            }
        )
    return pd.DataFrame(rows)


def _spaced(name: object) -> str:
    return _NAMES.get(str(name), str(name).replace("_", " ").replace("beta vae", "β-VAE"))


def _number(value: float, sd: float) -> str:
    return f"{value:.3g}" + (f" ± {sd:.2g}" if pd.notna(sd) else "")


def panels(results: Results) -> Figure:
    """Orthogonality beside what was published, the linear toy, and detectors along geodesics."""
    rolinek, toy, bau = (
        _means(_read(results, file)) for file in ("rolinek_table", "rolinek_toy", "bau_geodesic")
    )
    with plt.rc_context(STYLE):
        figure, (left, middle, right) = plt.subplots(
            1, 3, figsize=(PAGE, 1.6), width_ratios=(1.4, 1, 1)
        )
        _orthogonality(left, rolinek[rolinek["measure"] == "distance_to_orthogonality"])
        _lines(middle, toy[toy["measure"] == "angle_to_factors"], r"(\w+), ratio ([\d.]+)")
        middle.axhline(_RANDOM_ANGLE, color=RANDOM, linewidth=1)
        middle.set_ylim(bottom=0)
        middle.set_xlabel("ratio of the scales")
        middle.set_ylabel("angle, degrees")
        counts = bau[bau["measure"] == "unique_detectors"]
        _lines(right, counts, r"(\w+), t = ([\d.]+)", relative=True)
        right.set_ylim(bottom=0)
        right.set_xlabel("t, learned (0) to random (1)")
        right.set_ylabel("share of detectors")
        for axis in (middle, right):
            axis.legend()
    return figure


def _orthogonality(axis: Axes, rows: pd.DataFrame) -> None:
    places = np.arange(len(rows))
    axis.errorbar(
        rows["published"],
        places - 0.17,
        xerr=2 * rows["published_sd"],
        fmt="D",
        color=REFERENCE,
        linewidth=0.8,
        label="published, ±2 SD",
    )
    axis.errorbar(
        rows["value"],
        places + 0.17,
        xerr=rows["sd"],
        fmt="o",
        color=LEARNED,
        linewidth=0.8,
        label="here, ±1 SD",
    )
    axis.set_yticks(places, [_spaced(arm) for arm in rows["arm"]])
    axis.set_ylim(len(rows) - 0.4, -0.6)
    axis.set_xlim(left=0)
    axis.set_xlabel("distance to orthogonality")
    axis.legend(loc="best")


def _lines(axis: Axes, rows: pd.DataFrame, pattern: str, relative: bool = False) -> None:
    """A line for each arm over the number in its name."""
    points: dict[str, list[tuple[float, float]]] = {}
    for _, row in rows.iterrows():
        match = re.fullmatch(pattern, str(row["arm"]))
        if match:
            points.setdefault(match[1], []).append((float(match[2]), float(row["value"])))
    for index, (arm, curve) in enumerate(points.items()):
        x, y = np.array(sorted(curve)).T
        axis.plot(
            x,
            y / y[0] if relative else y,
            SEED_STYLES[index % len(SEED_STYLES)],
            marker="o^s"[index % 3],
            color=LEARNED if index == 0 else DARK,
            label=_spaced(arm),
        )
