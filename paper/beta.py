"""The sweep over beta: by which penalty, and with which posterior, axes are aligned."""

from __future__ import annotations

import re
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from models.registry import MODELS
from paper import findings
from paper.plots import COLUMN, DARK, STYLE
from paper.sources import MissingError, Results
from paper.words import count, decimal, listing, p_value, plain
from reproduce.basis.significance import ALIGNED, EQUIVALENT, INCONCLUSIVE, MARGIN
from reproduce.reporting import gate
from reproduce.reporting.style import LEARNED, RANDOM, REFERENCE

SWEEP = "beta/dsprites"  # of paper/sweeps/beta.toml
_ARM = re.compile(r"beta_vae/(?P<posterior>\w+) beta=(?P<beta>[\d.]+)")
_POSTERIORS = {"diagonal": "diagonal", "full_covariance": "full covariance"}
_COLOURS = {"diagonal": LEARNED, "full_covariance": REFERENCE}
_MARKERS = {"diagonal": "o", "full_covariance": "s"}


def arms(results: Results) -> pd.DataFrame:
    """The rows of verdict.csv by MIG on the encoder's side, in order of posterior and beta.

    Besides its own columns: `posterior`, `beta` per image of 32 x 32, and `shown`, the factors that
    count in every seed, by the gate.
    """
    columns = ["model", "metric", "haar_observed", "haar_difference", "haar_low", "haar_high"]
    frame = results.table(f"{SWEEP}/verdict.csv", columns)
    frame = frame[frame["metric"].eq("mig")]
    parts = frame["model"].str.extract(_ARM)
    frame = frame.assign(posterior=parts["posterior"], beta=parts["beta"].astype(float))
    shown = _shown(results)
    frame["shown"] = [shown[key] for key in zip(frame["posterior"], frame["beta"], strict=True)]
    return frame.sort_values(["posterior", "beta"]).reset_index(drop=True)


def _runs(results: Results) -> dict[tuple[str, float], list[str]]:
    """The folders of runs by posterior and beta."""
    found: dict[tuple[str, float], list[str]] = {}
    for folder in sorted((results.root / SWEEP / "runs").glob("*-seed*")):
        where = folder.relative_to(results.root).as_posix()
        settings = results.settings(f"{where}/config.json")["recipe"]["settings"]
        found.setdefault((settings["posterior"], float(settings["beta"])), []).append(where)
    if not found:
        raise MissingError(f"{results.root.name}/{SWEEP}/runs")
    return found


def _shown(results: Results) -> dict[tuple[str, float], tuple[str, ...]]:
    """Factors that count in every seed, by posterior and beta."""
    found = {}
    for key, folders in _runs(results).items():
        tables = [results.table(f"{where}/quality.csv", gate.COLUMNS) for where in folders]
        count_in = [gate.shows(MODELS["beta_vae"], quality) for quality in tables]
        always = np.logical_and.reduce([shows.to_numpy(bool) for shows in count_in])
        found[key] = tuple(str(name) for name in tables[0].loc[always, "factor"])
    return found


def _of_seeds(results: Results) -> dict[tuple[str, float], list[float]]:
    """MIG of learned less the mean of random axes, of each seed."""
    found: dict[tuple[str, float], list[float]] = {}
    for key, folders in _runs(results).items():
        for where in folders:
            columns = ["family", "metric", "observed", "null_mean"]
            frame = results.table(f"{where}/basis_test.csv", columns)
            row = frame[frame["family"].eq("haar") & frame["metric"].eq("mig")].iloc[0]
            found.setdefault(key, []).append(float(row["observed"] - row["null_mean"]))
    return found


def figure(results: Results) -> Figure:
    """What learned axes have more of MIG than random ones, and what is shown, against beta."""
    frame, of_seeds = arms(results), _of_seeds(results)
    with plt.rc_context(STYLE):
        drawn, (above, below) = plt.subplots(
            2, 1, figsize=(COLUMN, 2.6), sharex=True, height_ratios=(2.2, 1)
        )
        betas = sorted(frame["beta"].unique())
        above.axhspan(-MARGIN, MARGIN, color=RANDOM, alpha=0.25, linewidth=0)
        for shift, (key, rows) in zip((-0.06, 0.06), frame.groupby("posterior"), strict=True):
            posterior, at = str(key), np.log2(rows["beta"].to_numpy()) + shift
            colour, marker = _COLOURS[posterior], _MARKERS[posterior]
            means = rows["haar_difference"].to_numpy()
            above.plot(at, means, color=colour, label=_POSTERIORS[posterior])
            failed = rows["gate"].eq(gate.FAILED).to_numpy()
            for x, beta, fails in zip(at, rows["beta"], failed, strict=True):
                values = of_seeds[posterior, beta]
                fill = "white" if fails else colour
                above.plot(len(values) * [x], values, marker, color=colour, mfc=fill)
            below.plot(at, rows["shown"].map(len), color=colour, marker=marker)
        above.set_ylabel("MIG, learned less random")
        above.legend(loc="center right", title="posterior")
        below.set_ylabel("factors shown")
        below.set_ylim(-0.4, 5.4)
        below.set_yticks(range(6))
        below.set_xticks(np.log2(betas), [plain(beta) for beta in betas])
        below.set_xlabel("β per image of 32 × 32")
        for axis in (above, below):
            axis.tick_params(colors=DARK)
    return drawn


def table(results: Results) -> pd.DataFrame:
    """Both posteriors and their contrast, a row a beta."""
    frame = arms(results)
    contrasts = results.table(f"{SWEEP}/contrast.csv", ["model", "metric", "p_value"])
    contrasts = contrasts[contrasts["metric"].eq("mig")].set_index("model")
    rows = []
    for beta in sorted(set(frame["beta"])):
        pair = frame[frame["beta"].eq(beta)]
        cells = {"beta": plain(beta)}
        for row in _records(pair):
            words = _POSTERIORS[row["posterior"]]
            cells[f"{words}: shown"] = f"{len(row['shown'])} of 5"
            cells[f"{words}: MIG less random"] = findings.difference(row)
            cells[f"{words}: verdict"] = findings.alone(row)
            if row["posterior"] == "diagonal":
                contrast = contrasts.loc[row["model"]]
                p = p_value(contrast["p_value"]).removeprefix("= ")
                interval = f"{decimal(contrast['low'])} to {decimal(contrast['high'])}"
                last = {"contrast": f"{decimal(contrast['difference'])} ({interval})", "p": p}
        rows.append({**cells, **last})
    return pd.DataFrame(rows)


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(k): value for k, value in row.items()} for row in frame.to_dict("records")]


def found(results: Results) -> str:
    """At which betas axes are aligned, and what is shown there."""
    frame = arms(results)
    says = []
    for posterior, rows in frame.groupby("posterior"):
        verdicts = [findings.verdict(row) for row in _records(rows)]
        groups = []
        for verdict, words in (
            (ALIGNED, "aligned"),
            (EQUIVALENT, "equivalent to random axes"),
            (INCONCLUSIVE, "inconclusive"),
        ):
            betas = [plain(b) for b, v in zip(rows["beta"], verdicts, strict=True) if v == verdict]
            if betas:
                groups.append(f"{words} at {listing(betas)}")
        words = _POSTERIORS[str(posterior)].replace("full c", "full-c")
        says.append(f"With the {words} posterior the axes are {'; '.join(groups)}.")
    diagonal = frame[frame["posterior"].eq("diagonal")]
    shown = [f"{count(len(row['shown']))} at {plain(row['beta'])}" for row in _records(diagonal)]
    seeds = int(frame["num_seeds"].max())
    says.append(
        f"The images of the diagonal VAE show, of five factors, {listing(shown)}. "
        f"This is said of {count(seeds)} seeds each, not corrected over the range; for others, "
        "intervals are wide."
    )
    return " ".join(says)
