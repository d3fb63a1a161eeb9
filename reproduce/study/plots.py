"""The study's figures, in the report's colours: orange the learned axes, grey what is random."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from reproduce.reporting.figures import LEARNED, RANDOM, REFERENCE, to_png
from reproduce.study.preference import MARGIN, Preference
from reproduce.study.responses import MIN_CATCH_SHARE
from reproduce.study.results import StudyResult

_STYLE: dict[Any, Any] = {
    "font.size": 9,
    "font.family": "DejaVu Sans",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9,
    "axes.titleweight": "bold",
    "figure.constrained_layout.use": True,
}
_WIDTH = 7.5  # inches


def preferences(result: StudyResult) -> Figure:
    """Each arm's preference with its interval, by both rules, and its runs."""
    rows: list[tuple[str, Preference | None, dict[str, float], str]] = []
    for arm in result.arms:
        rows.append((arm.name, arm.primary, arm.by_run, LEARNED))
        if arm.secondary is not None:
            rows.append(("label-free rule (secondary)", arm.secondary, {}, REFERENCE))
    with plt.rc_context(_STYLE):
        figure, axis = plt.subplots(figsize=(_WIDTH, 0.9 + 0.42 * len(rows)))
        low, high = 0.5 - MARGIN, 0.5 + MARGIN
        axis.axvspan(low, high, color=RANDOM, alpha=0.25, lw=0, label="equivalence margin")
        for place, (_, found, by_run, colour) in enumerate(rows):
            if found is not None:
                _interval(axis, place, found, colour)
            axis.plot(
                list(by_run.values()), [place + 0.22] * len(by_run), "|", color="#1D2430", ms=7
            )
        axis.plot([], [], "|", color="#1D2430", label="single runs")
        _finish(axis, [row[0] for row in rows], result)
        axis.set_xlabel("choices of the learned axis over the random direction")
    return figure


def metrics(result: StudyResult) -> Figure | None:
    """How often raters choose what a metric prefers; None without metrics."""
    rows = [(arm.name, agreement) for arm in result.arms for agreement in arm.agreements]
    if not rows:
        return None
    with plt.rc_context(_STYLE):
        figure, axis = plt.subplots(figsize=(_WIDTH, 0.9 + 0.42 * len(rows)))
        for place, (_, agreement) in enumerate(rows):
            _interval(axis, place, agreement.preference, REFERENCE)
        _finish(axis, [f"{name}\n{agreement.title}" for name, agreement in rows], result)
        axis.set_xlabel("choices of the strip that the metric prefers")
    return figure


def raters(result: StudyResult) -> Figure:
    """How many catch trials each rater answered right, and who is left out."""
    table = result.raters
    with plt.rc_context(_STYLE):
        figure, axis = plt.subplots(figsize=(_WIDTH, 2.2))
        edges = [(n - 0.5) / 20 for n in range(22)]
        shares = table["catch_share"].fillna(0)
        for excluded, colour, label in ((False, LEARNED, "counted"), (True, RANDOM, "left out")):
            own = shares[table["excluded"] == excluded]
            axis.hist(own, edges, color=colour, label=f"{label} ({len(own)})", rwidth=0.9)
        axis.axvline(MIN_CATCH_SHARE, color="#1D2430", ls="--", lw=1)
        axis.xaxis.set_major_formatter(PercentFormatter(1))
        axis.set(xlabel="catch trials answered right", ylabel="raters", xlim=(-0.03, 1.05))
        axis.legend(frameon=False, loc="upper left")
        _mark(axis, result)
    return figure


def _interval(axis: Axes, place: float, found: Preference, colour: str) -> None:
    axis.plot([found.low, found.high], [place, place], color=colour, lw=2)
    axis.plot(found.share, place, "o", color=colour, ms=6)
    axis.annotate(
        f"{found.share:.0%}", (found.high, place), (5, 0), textcoords="offset points", va="center"
    )


def _finish(axis: Axes, labels: Sequence[str], result: StudyResult) -> None:
    axis.axvline(0.5, color="#1D2430", lw=1, ls="--")
    axis.set_yticks(range(len(labels)), labels)
    axis.set_ylim(len(labels) - 0.4, -0.6)
    left, right = axis.get_xlim()
    axis.set_xlim(max(min(left, 0.35), 0), min(max(right + 0.05, 0.65), 1.05))
    axis.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    handles, names = axis.get_legend_handles_labels()
    if handles:
        axis.figure.legend(handles, names, loc="outside upper left", ncols=2, frameon=False)
    _mark(axis, result)


def _mark(axis: Axes, result: StudyResult) -> None:
    if result.simulated:
        axis.set_title("SIMULATED RATERS", loc="right", color=LEARNED)


def figures(result: StudyResult) -> dict[str, Figure]:
    """All of them by name."""
    drawn = {
        "study_preferences": preferences(result),
        "study_metrics": metrics(result),
        "study_raters": raters(result),
    }
    return {name: figure for name, figure in drawn.items() if figure is not None}


def files(result: StudyResult) -> dict[str, bytes]:
    """Every figure as PNG and PDF, by file name."""
    found = {}
    for name, figure in figures(result).items():
        buffer = io.BytesIO()
        figure.savefig(buffer, format="pdf", metadata={"CreationDate": None})
        found[f"{name}.pdf"] = buffer.getvalue()
        found[f"{name}.png"] = to_png(figure)
    return found
