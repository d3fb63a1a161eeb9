"""The paper's plots, each a function from result files to a figure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from paper.sources import POSTERIORS, SYSTEMS, Results, Run, name
from paper.words import p_value, plain, signed
from reproduce.metrics.registry import DECODER_SIDE
from reproduce.reporting import style
from reproduce.reporting.style import LEARNED, RANDOM, REFERENCE, SEED_STYLES

COLUMN, PAGE = 3.33, 7.0  # inches: a column's width, and that of both
STYLE: dict[Any, Any] = style.BASE | {
    "font.size": 6.5,
    "axes.titlesize": 6.5,
    "axes.labelsize": 6.5,
    "axes.linewidth": 0.5,
    "axes.titlepad": 3,
    "axes.labelpad": 2,
    "xtick.labelsize": 6,
    "ytick.labelsize": 6,
    "xtick.major.width": 0.5,
    "ytick.major.width": 0.5,
    "xtick.major.size": 2,
    "ytick.major.size": 2,
    "legend.fontsize": 6,
    "legend.frameon": False,
    "legend.handlelength": 1.6,
    "lines.linewidth": 1,
    "lines.markersize": 3,
    "pdf.fonttype": 42,
}
METRICS = {
    "mig": "MIG",
    "decoder_mig": "decoder-side MIG",
    "traversal_purity": "traversal purity",
}
DARK = "#1D2430"


def metrics(results: Results, profile: str) -> list[str]:
    """The metrics that a profile is shown by: without the decoder side's if it was not tested."""
    tested = set(results.table(f"{profile}/verdict.csv", ["metric"])["metric"])
    return [m for m in METRICS if m in tested or not m.startswith(DECODER_SIDE)]


def headline(results: Results, profile: str) -> Figure:
    """The learned basis among random ones: a row for each metric, a column for each system."""
    shown = metrics(results, profile)
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(
            len(shown), len(SYSTEMS), figsize=(PAGE, 1.3 * len(shown) + 0.2), squeeze=False
        )
        for row, metric in zip(axes, shown, strict=True):
            for axis, arm in zip(row, SYSTEMS, strict=True):
                _headline_panel(axis, results, profile, arm, metric)
            row[0].set_ylabel("random bases")
        for axis, arm in zip(axes[0], SYSTEMS, strict=True):
            axis.annotate(
                *(name(arm), (0, 1)),
                xytext=(0, 12),
                xycoords="axes fraction",
                textcoords="offset points",
                weight="bold",
            )
        handles, labels = axes[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=len(handles))
    return figure


def _headline_panel(axis: Axes, results: Results, profile: str, arm: str, metric: str) -> None:
    """Means over seeds, the unit of the test; single seeds as marks below."""
    verdict = results.verdict(profile, arm, metric)
    runs = results.runs(profile, arm)
    null = _means_over_seeds([run.null(metric) for run in runs])
    tests = [run.test(metric) for run in runs]
    learned = [_value(test, "haar", "observed") for test in tests]
    bins = 50 if len(null) > 1000 else 20
    axis.hist(null, bins, color=RANDOM, label="random bases, mean over seeds")
    top = axis.get_ylim()[1]
    axis.axvline(
        verdict["haar_observed"], color=LEARNED, linewidth=1.6, label="learned basis, mean"
    )
    axis.plot(
        learned,
        np.full(len(learned), 0.06 * top),
        "o",
        color=LEARNED,
        markeredgecolor="white",
        markeredgewidth=0.4,
        label="learned basis, each seed",
    )
    for family, marker, label in (("pca", "^", "PCA"), ("supervised", "D", "found with labels")):
        values = [_value(test, family, "observed") for test in tests]
        if not np.isnan(values).any():
            axis.plot(np.mean(values), 0.06 * top, marker, color=REFERENCE, label=label)
    note = f"p {p_value(verdict['haar_p'])}, z = {signed(verdict['haar_z'])}"
    axis.set_title(note, loc="left", weight="normal")
    if metric.endswith("mig"):
        axis.set_xlim(left=0)
    axis.set_ylim(0, top)
    axis.set_yticks([])
    axis.spines["left"].set_visible(False)
    axis.set_xlabel(METRICS[metric])
    axis.locator_params(axis="x", nbins=5)


def _means_over_seeds(nulls: Sequence[np.ndarray]) -> np.ndarray:
    """Means over seeds of one random basis each, shuffled so that equal draws do not meet."""
    rng = np.random.default_rng(0)
    length = min(map(len, nulls))
    return np.mean([rng.permutation(null)[:length] for null in nulls], axis=0)


def _value(test: pd.DataFrame, family: str, column: str) -> float:
    rows = test[test["family"] == family]
    return float("nan") if rows.empty else float(rows[column].iloc[0])


def _small_multiples(arms: Sequence[str]) -> tuple[Figure, Sequence[Axes]]:
    """Two panels in a row, each row on its own scale."""
    figure, axes = plt.subplots(
        -(-len(arms) // 2), 2, figsize=(COLUMN, 1.15 * (-(-len(arms) // 2)) + 0.25), sharey="row"
    )
    for axis, arm in zip(axes.flat, arms, strict=True):
        axis.set_title(name(arm), loc="left")
    return figure, list(axes.flat)


def dose_response(results: Results, profile: str) -> Figure:
    """Mean MIG on the way from the learned basis (t = 0) to random ones (t = 1), by seed."""
    with plt.rc_context(STYLE):
        figure, axes = _small_multiples(SYSTEMS)
        for axis, arm in zip(axes, SYSTEMS, strict=True):
            for index, run in enumerate(results.runs(profile, arm)):
                test = run.test("mig")
                rows = test[test["family"] == "geodesic"].sort_values("t")
                t, mean, sd = (rows[c].to_numpy() for c in ("t", "null_mean", "null_sd"))
                line = SEED_STYLES[index % len(SEED_STYLES)]
                axis.fill_between(t, mean - sd, mean + sd, color=RANDOM, alpha=0.3, linewidth=0)
                axis.plot(t, mean, line, color=LEARNED, label=f"seed {run.seed}")
                axis.plot(t[:1], mean[:1], "o", color=LEARNED)
                axis.plot(t[-1:], mean[-1:], "s", color=RANDOM, markeredgecolor=DARK, mew=0.4)
            axis.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", ".25", ".5", ".75", "1"])
        _finish(figure, axes)
        _label(figure, "t, from the learned basis (0) to random ones (1)", "MIG, mean over paths")
    return figure


def cherry_picking(results: Results, profile: str) -> Figure:
    """The best k axes of the learned basis against the best k of random bases, by seed."""
    columns = ["k", "learned", "null_mean", "null_sd"]
    with plt.rc_context(STYLE):
        figure, axes = _small_multiples(SYSTEMS)
        for axis, arm in zip(axes, SYSTEMS, strict=True):
            for index, run in enumerate(results.runs(profile, arm)):
                rows = run.table("cherry_picking.csv", columns)
                k, learned, mean, sd = (rows[column].to_numpy() for column in columns)
                line = SEED_STYLES[index % len(SEED_STYLES)]
                axis.fill_between(k, mean - sd, mean + sd, color=RANDOM, alpha=0.3, linewidth=0)
                axis.plot(k, mean, line, color=RANDOM)
                axis.plot(k, learned, line, color=LEARNED, marker="o", label=f"seed {run.seed}")
            axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        _finish(figure, axes)
        _label(figure, "k, how many of the best axes are shown", "mean gap of the best k")
    return figure


def _finish(figure: Figure, axes: Sequence[Axes]) -> None:
    """Scales from zero, and one legend for all panels."""
    for axis in axes[::2]:
        axis.set_ylim(bottom=0)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=min(len(handles), 6))


def _label(figure: Figure, x: str, y: str) -> None:
    figure.supxlabel(x, fontsize=6.5)
    figure.supylabel(y, fontsize=6.5)


def posteriors(results: Results, profile: str) -> Figure:
    """Every seed of the diagonal and the full-covariance VAE: MIG among random bases, and z."""
    arms = [(arm, results.runs(profile, arm)) for arm in POSTERIORS]
    num_rows = sum(1 + len(runs) for _, runs in arms)
    with plt.rc_context(STYLE):
        figure, (left, right) = plt.subplots(
            1, 2, figsize=(COLUMN, 0.12 * num_rows + 0.4), sharey=True, width_ratios=(1.5, 1)
        )
        place, ticks = 0, []
        for arm, runs in arms:
            ticks.append((place, name(arm).split(", ")[-1]))
            effects = []
            for run in runs:
                place += 1
                _seed_row(left, run, place)
                effects.append(_value(run.test("mig"), "haar", "z"))
                right.plot(effects[-1], place, "o", color=LEARNED)
                ticks.append((place, f"seed {run.seed}"))
            mean = float(np.mean(effects))
            right.plot([mean, mean], [place - len(runs) + 0.5, place + 0.5], color=DARK)
            place += 1
        right.axvspan(-2, 2, color=RANDOM, alpha=0.3, linewidth=0)
        left.set_yticks([p for p, _ in ticks], [label for _, label in ticks])
        for label in left.get_yticklabels():
            if not label.get_text().startswith("seed"):
                label.set_weight("bold")
        left.tick_params(axis="y", length=0)
        right.tick_params(axis="y", length=0)
        left.set_ylim(place - 0.4, -0.5)
        left.set_xlim(left=0)
        left.set_xlabel("MIG (grey: random bases)")
        right.set_xlabel("z; bar: mean of seeds")
    return figure


def _seed_row(axis: Axes, run: Run, place: float) -> None:
    test = run.test("mig")
    mean, sd, observed = (_value(test, "haar", c) for c in ("null_mean", "null_sd", "observed"))
    low = max(mean - 2 * sd, 0)
    axis.plot([low, mean + 2 * sd], [place, place], color=RANDOM, linewidth=3, alpha=0.6)
    axis.plot(mean, place, "|", color=DARK, markersize=4, markeredgewidth=0.7)
    axis.plot(observed, place, "o", color=LEARNED)


def operating_characteristics(results: Results) -> Figure:
    """How often p is small under the null, and against a basis turned part of the way."""
    shares = results.table(
        "calibration.csv", ["null", "family", "metric", "repetitions", "share_0.05"]
    )
    power = results.table("power.csv", ["t", "family", "metric", "level", "power", "low", "high"])
    with plt.rc_context(STYLE):
        figure, (left, right) = plt.subplots(1, 2, figsize=(COLUMN, 1.65))
        _calibration_panel(left, shares)
        chosen = power[power["metric"].eq("mig") & power["level"].eq(0.05)]
        for family, line, label in (("haar", "-", "all"), ("haar_active", "--", "active")):
            rows = chosen[chosen["family"] == family].sort_values("t")
            right.fill_between(rows["t"], rows["low"], rows["high"], color=REFERENCE, alpha=0.15)
            right.plot(rows["t"], rows["power"], line, color=REFERENCE, label=label)
        right.axhline(0.05, color=RANDOM, linewidth=0.7)
        right.set_xlabel("t: 0 aligned, 1 one more draw")
        right.set_ylabel("share of p ≤ .05 (MIG)")
        right.set_ylim(0, 1.02)
        right.legend(title="latents", title_fontsize=6)
    return figure


def _calibration_panel(axis: Axes, shares: pd.DataFrame) -> None:
    columns = [column for column in shares.columns if column.startswith("share_")]
    levels = np.array([float(column.removeprefix("share_")) for column in columns])
    for family, marker in (("haar", "o"), ("haar_active", "x")):
        rows = shares[shares["family"] == family]
        for _, row in rows.iterrows():
            axis.plot(
                levels * (0.96 if family == "haar" else 1.04),
                row[columns].to_numpy(float),
                marker,
                color=REFERENCE,
                alpha=0.45,
                markersize=2.5,
            )
    n = float(shares["repetitions"].min())
    grid = np.geomspace(levels.min() * 0.8, levels.max() * 1.2, 100)
    spread = 2 * np.sqrt(grid * (1 - grid) / n)
    axis.fill_between(
        grid, np.maximum(grid - spread, 1e-4), grid + spread, color=RANDOM, alpha=0.3, linewidth=0
    )
    axis.plot(grid, grid, color=DARK, linewidth=0.7)
    axis.set_xscale("log")
    axis.set_yscale("log")
    axis.set_ylim(levels.min() / 4, 1)
    axis.set_xticks(levels, [plain(level) for level in levels])
    axis.minorticks_off()
    axis.set_xlabel("level")
    axis.set_ylabel("share of p ≤ level, null true")
