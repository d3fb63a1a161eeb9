"""Every figure of the report, drawn from result files."""

from __future__ import annotations

import contextlib
import io
import re
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from data.files import say_once
from models.registry import MODELS, Term
from reproduce.basis import over_seeds
from reproduce.reporting import names, seed_verdicts, style
from reproduce.reporting.names import NULLS
from reproduce.reporting.seed_results import SeedResult
from reproduce.reporting.style import (
    ARM_COLOURS,
    LEARNED,
    RANDOM,
    REFERENCE,
    SEED_STYLES,
    side_by_side,
)
from reproduce.training.run_directory import read_log

_STYLE: dict[Any, Any] = style.BASE | {"font.size": 9, "axes.titlesize": 9}
_WIDTH = 9.0  # inches, a page's column
_NULL_TITLES = {
    "haar": "random bases of all latents (N2)",
    "haar_active": "of the active ones (N1)",
}


@contextlib.contextmanager
def _glyphs_told() -> Iterator[None]:
    """Says once which letters of names the font lacks, of which matplotlib warns at every step."""
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        yield
    lacking = set()
    for one in found:
        match = re.match(r"Glyph (\d+) ", str(one.message))
        if match:
            lacking.add(chr(int(match[1])))
        else:
            warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)
    if lacking:
        say_once(f"the figures' font lacks {' '.join(sorted(lacking))}, which are boxes there")


def to_svg(figure: Figure) -> str:
    """A figure as an <svg> element; the same figure gives the same text."""
    buffer = io.StringIO()
    with _glyphs_told():
        # The layout's last digits depend on addresses, and ids of clip paths on them.
        figure.draw_without_rendering()
        figure.set_layout_engine("none")
        for axis in figure.axes:
            axis.set_position(np.round(axis.get_position().bounds, 6).tolist())
        with plt.rc_context(_STYLE):  # the salt, without which ids are random, is read on saving
            figure.savefig(buffer, format="svg", metadata={"Date": None})
    plt.close(figure)
    text = buffer.getvalue()
    return text[text.index("<svg") :]


def to_png(figure: Figure, dpi: int = 160) -> bytes:
    """A figure as a PNG file's content, at so many dots an inch."""
    buffer = io.BytesIO()
    with _glyphs_told():
        figure.savefig(buffer, format="png", dpi=dpi, metadata={"Software": None})
    plt.close(figure)
    return buffer.getvalue()


def _grid(num_rows: int, num_columns: int, height: float) -> tuple[Figure, np.ndarray]:
    with plt.rc_context(_STYLE):
        return plt.subplots(
            num_rows, num_columns, figsize=(_WIDTH, height * num_rows), squeeze=False
        )


def _grid_of_arms(num_arms: int) -> tuple[Figure, np.ndarray]:
    """Panels for arms, two in a row; those left over are empty."""
    columns = min(num_arms, 2)
    rows = -(-num_arms // columns)
    figure, axes = _grid(rows, columns, 2.9)
    for axis in axes.flat[num_arms:]:
        axis.set_axis_off()
    return figure, axes


def _arms(results: Sequence[SeedResult]) -> dict[str, list[SeedResult]]:
    arms: dict[str, list[SeedResult]] = {}
    for result in results:
        arms.setdefault(result.arm, []).append(result)
    return arms


def null_histograms(results: Sequence[SeedResult], family: str, metric: str) -> Figure:
    """A panel for each arm (row) and seed (column): random bases, and the learned basis.

    A decoder's latent blocks are tested against some families alone; other arms are left out.
    """
    if metric.startswith(names.PURITY):
        results = [result for result in results if result.is_tested(family, metric)]
    arms = _arms(results)
    columns = max(map(len, arms.values()))
    with plt.rc_context(_STYLE):
        figure, axes = _grid(len(arms), columns, 2.1)
        highest = max(_highest(result, family, metric) for result in results)
        edges = np.linspace(0, max(highest, 1e-3) * 1.05, 61)
        for row, (arm, seeds) in zip(axes, arms.items(), strict=True):
            for axis in row[len(seeds) :]:
                axis.set_axis_off()
            for axis, result in zip(row, seeds, strict=False):
                _null_panel(axis, result, family, metric, edges)
            row[0].set_ylabel(_wrap(names.name(arm)), fontsize=8)
        for axis in axes[-1]:
            axis.set_xlabel(names.title(metric))
        handles, labels = axes[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper right", ncols=len(handles), frameon=False)
    return figure


def _highest(result: SeedResult, family: str, metric: str) -> float:
    """The largest value that a panel shows."""
    references = [result.row(name, metric) for name in ("pca", "ica")]
    shown = [row["observed"] for row in references if row is not None]
    shown += [result.null(family, metric).max(), result.observed(family, metric)]
    return max((value for value in shown if np.isfinite(value)), default=0.0)


def _null_panel(
    axis: Axes, result: SeedResult, family: str, metric: str, edges: np.ndarray
) -> None:
    null, observed = result.null(family, metric), result.observed(family, metric)
    axis.hist(null, edges.tolist(), color=RANDOM, label="random bases")
    axis.axvline(observed, color=LEARNED, linewidth=2.2, label="learned basis")
    for reference, marker in (("pca", "^"), ("ica", "D")):
        row = result.row(reference, metric)
        if row is not None:
            axis.plot(
                row["observed"],
                0,
                marker,
                color=REFERENCE,
                markersize=6,
                clip_on=False,
                label={"pca": "PCA", "ica": "FastICA"}[reference],
                linestyle="none",
                zorder=5,
            )
    p = result.p_value(family, metric)
    note = "no p: not a number" if np.isnan(p) else f"p = {p:.2g}"
    if not result.is_tested(family, metric):
        note = "fewer than two active latents"
    axis.set_title(f"seed {result.seed}: {note}" if result.run else note, loc="left")
    axis.set_xlim(edges[0], edges[-1])
    axis.set_yticks([])


def interpolation_curves(results: Sequence[SeedResult], metric: str) -> Figure | None:
    """Mean metric along geodesics from the learned basis to random ones, a line for each seed.

    None where no seed has geodesics.
    """
    arms = {
        arm: [s for s in seeds if s.row("geodesic", metric)]
        for arm, seeds in _arms(results).items()
    }
    if not any(arms.values()):
        return None
    with plt.rc_context(_STYLE):
        figure, axes = _grid_of_arms(len(arms))
        top = 0.0
        for axis, (arm, seeds) in zip(axes.flat, arms.items(), strict=False):
            for index, result in enumerate(seeds):
                frame = result.frame
                chosen = frame["family"].eq("geodesic") & frame["metric"].eq(metric)
                rows = frame[chosen].sort_values("t")
                mean, sd = rows["null_mean"].to_numpy(), rows["null_sd"].to_numpy()
                line = SEED_STYLES[index % len(SEED_STYLES)]
                axis.fill_between(rows["t"], mean - sd, mean + sd, color=LEARNED, alpha=0.10)
                axis.plot(
                    rows["t"],
                    mean,
                    line,
                    color=LEARNED,
                    marker="o",
                    markersize=3.5,
                    label=f"seed {result.seed}" if result.run else None,
                )
                top = max(top, (mean + sd).max())
            axis.set_title(names.name(arm), loc="left")
            axis.set_xlabel("t: 0 learned basis, 1 random basis")
        named = max(axes.flat, key=lambda axis: len(axis.lines))
        handles, labels = named.get_legend_handles_labels()
        if handles:
            figure.legend(handles, labels, loc="outside upper right", ncols=6, frameon=False)
        for axis in axes.flat:
            axis.set_ylim(0, top * 1.05 or 1)
            axis.set_xlim(0, 1)
        axes[0, 0].set_ylabel(f"{names.title(metric)}, mean and SD over paths")
    return figure


def cherry_picking(results: Sequence[SeedResult]) -> Figure | None:
    """The best k learned axes against the best k axes of random bases, a line for each seed.

    None where no seed has such a curve.
    """
    arms = {
        arm: [(s, s.picked) for s in seeds if s.picked is not None]
        for arm, seeds in _arms(results).items()
    }
    if not any(arms.values()):
        return None
    with plt.rc_context(_STYLE):
        figure, axes = _grid_of_arms(len(arms))
        for axis, (arm, seeds) in zip(axes.flat, arms.items(), strict=False):
            for index, (result, picked) in enumerate(seeds):
                line = SEED_STYLES[index % len(SEED_STYLES)]
                k, mean, sd = picked["k"], picked["null_mean"], picked["null_sd"]
                axis.fill_between(k, mean - sd, mean + sd, color=RANDOM, alpha=0.25, linewidth=0)
                axis.plot(k, mean, line, color=RANDOM, label="random bases" if not index else None)
                axis.plot(
                    k,
                    picked["learned"],
                    line,
                    color=LEARNED,
                    marker="o",
                    markersize=3.5,
                    label=f"learned, seed {result.seed}" if result.run else "learned basis",
                )
            axis.set_title(names.name(arm), loc="left")
            axis.set_xlabel("k, how many of the best axes are shown")
            axis.xaxis.get_major_locator().set_params(integer=True)
            axis.set_ylim(bottom=0)
        named = max(axes.flat, key=lambda axis: len(axis.lines))
        handles, labels = named.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper right", ncols=4, frameon=False)
        top = max(axis.get_ylim()[1] for axis in axes.flat)
        for axis in axes.flat:
            axis.set_ylim(0, top)
        axes[0, 0].set_ylabel("mean gap of the best k axes")
    return figure


def effects(results: Sequence[SeedResult], metric: str) -> Figure:
    """Each seed's difference from its random bases, by arm, with 95% intervals: a panel a null."""
    arms = _arms(results)
    families = [f for f in NULLS if any(result.is_tested(f, metric) for result in results)]
    with plt.rc_context(_STYLE):
        figure, axes = _grid(1, len(families), 1.1 + 0.5 * len(arms))
        for axis, family in zip(axes[0], families, strict=True):
            for place, seeds in enumerate(arms.values()):
                tested = [result for result in seeds if result.is_tested(family, metric)]
                if tested:
                    _effect_row(axis, place, [r.difference(family, metric) for r in tested])
            axis.axvline(0, color=RANDOM, linewidth=1)
            if metric in seed_verdicts.WITH_MARGIN:
                margin = over_seeds.MARGIN
                axis.axvspan(-margin, margin, color=RANDOM, alpha=0.25, linewidth=0)
            axis.set_yticks(range(len(arms)), [_wrap(names.name(arm)) for arm in arms])
            axis.set_ylim(len(arms) - 0.4, -0.6)
            axis.set_title(_NULL_TITLES[family], loc="left")
            if axis is not axes[0, 0]:
                axis.tick_params(labelleft=False)
        figure.supxlabel(
            f"{names.title(metric)} of the learned basis, less the mean of random ones\n"
            "(a dot for each seed; black: mean and 95% interval"
            + ("; grey: as good as none)" if metric in seed_verdicts.WITH_MARGIN else ")"),
            fontsize=9,
        )
    return figure


def _effect_row(axis: Axes, place: int, differences: Sequence[float]) -> None:
    """The seeds of an arm as dots, and their mean with Student's interval."""
    values = np.array(differences)
    axis.plot(values, np.full(len(values), place), "o", color=LEARNED, markersize=6, alpha=0.7)
    found = over_seeds.interval(values.tolist(), np.random.default_rng(0))
    if np.isfinite(found.low):
        axis.plot([found.low, found.high], [place + 0.18] * 2, color="black", linewidth=1.2)
        axis.plot(found.mean, place + 0.18, "|", color="black", markersize=9, markeredgewidth=1.5)


def training_curves(results: Sequence[SeedResult], model: str) -> Figure:
    """The logged terms of one model's runs that say how training went, over the images seen."""
    terms = [term for term in MODELS[model].terms if term.curve]
    columns = ["step", *(t.column for t in terms), *(t.limit[0] for t in terms if t.limit)]
    with plt.rc_context(_STYLE):
        figure, axes = _grid(1, max(2, len(terms)), 2.9)
        for axis in axes[0, len(terms) :]:
            axis.set_axis_off()
        seen = set()
        for index, (arm, seeds) in enumerate(_arms(results).items()):
            for result in seeds:
                assert result.run is not None
                frame = read_log(result.run.training_file, list(dict.fromkeys(columns)), ())
                images = frame["step"] * result.run.read_config().recipe.batch_size / 1000
                for axis, term in zip(axes[0], terms, strict=False):
                    axis.plot(
                        images,
                        frame[term.column],
                        color=ARM_COLOURS[index % len(ARM_COLOURS)],
                        linestyle=SEED_STYLES[index % len(SEED_STYLES)],
                        linewidth=1,
                        label=None if arm in seen else names.name(arm),
                    )
                seen.add(arm)
        for axis, term in zip(axes[0], terms, strict=False):
            _label_curve(axis, term, frame)
        axes[0, len(terms) - 1].legend(frameon=False)
    return figure


def _label_curve(axis: Axes, term: Term, frame: pd.DataFrame) -> None:
    """A curve's labels, its scale and its limit, as the log of a run has it."""
    axis.set_ylabel(term.curve)
    axis.set_xlabel("thousand images seen")
    if term.scale == "log":
        axis.set_yscale("log")
        axis.tick_params(axis="y", which="both", labelsize=8)
        axis.yaxis.set_major_formatter("{x:g}")
        axis.yaxis.set_minor_formatter("{x:g}")
    if term.scale == "from_zero":
        axis.set_ylim(bottom=0)
    if term.limit is not None:
        column, note = term.limit
        limit = float(frame[column].iloc[-1])
        axis.axhline(limit, color=RANDOM, linewidth=1)
        place = (0.02, limit)
        axis.annotate(note.format(limit), place, xycoords=("axes fraction", "data"), va="bottom")


def traversals(strips: dict[str, np.ndarray], table: pd.DataFrame, kl: np.ndarray | None) -> Figure:
    """Strips of the learned basis on the left, of a random one on the right, at equal energy.

    Args:
        strips: uint8 [m, frames, height, width, channels] by basis, `learned` and maybe
            `random_0`.
        table: traversals.csv: basis, axis, step, energy, dead.
        kl: Marginal KL of each learned latent in nats, by which its strips are ordered, or None.
    """
    blocks = [name for name in ("learned", "random_0") if name in strips]
    num_rows = max(len(strips[name]) for name in blocks)
    num_frames = strips["learned"].shape[1]
    with plt.rc_context(_STYLE | {"figure.constrained_layout.use": False}):
        cell = _WIDTH / (2 * (num_frames + 2.4))
        figure = plt.figure(figsize=(_WIDTH, cell * num_rows + 0.35))
        height = cell / figure.get_figheight()
        for block, name in enumerate(blocks):
            rows = table[table["basis"] == name]
            order = np.arange(len(strips[name]))
            if name == "learned" and kl is not None:
                order = np.argsort(-kl, kind="stable")
            left = 0.5 * block
            title = "learned axes" if name == "learned" else "a random basis' axes"
            figure.text(
                left + 0.005,
                1 - 0.02 / num_rows,
                title,
                weight="bold",
                va="top",
                color=LEARNED if name == "learned" else "black",
            )
            for place, axis_index in enumerate(order):
                row = rows[rows["axis"] == axis_index].iloc[0]
                bottom = 1 - (0.3 / figure.get_figheight()) - (place + 1) * height
                label = f"{axis_index}" if name == "learned" else f"direction {axis_index}"
                if name == "learned":
                    label = f"latent {axis_index}"
                    if kl is not None:
                        label += f"\nKL {kl[axis_index]:.2f}"
                label += "\ndead" if row["dead"] else f"\n±{row['step']:.2f}"
                figure.text(left + 0.005, bottom + height / 2, label, va="center", fontsize=6.5)
                strip = side_by_side(strips[name][axis_index])
                axis = figure.add_axes(
                    (left + 2.2 * cell / _WIDTH, bottom, num_frames * cell / _WIDTH, height * 0.94)
                )
                axis.imshow(
                    strip,
                    cmap="gray",
                    vmin=0,
                    vmax=255,
                    aspect="auto",
                    interpolation="nearest",
                    alpha=0.35 if row["dead"] else 1.0,
                )
                axis.set_axis_off()
    return figure


def leakage(
    learned: pd.DataFrame, random: pd.DataFrame, data: pd.DataFrame, strips: dict[int, np.ndarray]
) -> Figure:
    """Rows of shares of the factors' changes: learned axes, what the data imply, random axes.

    Beside the rows of learned axes are their traversals.

    Args:
        learned: leakage.csv: axis, purity, dead, and a column for each factor.
        random: random_leakage.csv, the same of a random basis.
        data: data_leakage.csv: given, and a column for each factor.
        strips: uint8 [frames, h, w, c], traversals of learned axes.
    """
    names = [column for column in data.columns if column != "given"]
    learned = learned.sort_values(["dead", "purity"], ascending=[True, False], kind="stable")
    random = random.sort_values(["dead", "purity"], ascending=[True, False], kind="stable")
    dominant = learned[names].to_numpy().argmax(axis=1)
    blocks = (
        ("learned axes\n(number: purity)", learned[names].to_numpy(), learned),
        ("what goes with their\nfactor in the data", None, None),
        ("axes of a\nrandom basis", random[names].to_numpy(), random),
    )
    with plt.rc_context(_STYLE):
        height = 0.28 * max(len(learned), len(random)) + 1.3
        figure, (beside, *axes) = plt.subplots(
            1, 4, figsize=(_WIDTH, height), gridspec_kw={"width_ratios": (1.2, 1, 1, 1)}
        )
        _traversals_beside(beside, learned, strips)
        for axis, (title, rows, frame) in zip(axes, blocks, strict=True):
            if rows is None or frame is None:
                rows = data[names].to_numpy()[dominant]
                is_dead = learned["dead"].to_numpy()
                labels = [""] * len(rows)
            else:
                labels = [
                    f"{row.axis}: {'dead' if row.dead else f'{row.purity:.2f}'}"
                    for row in frame.itertuples()
                ]
                is_dead = frame["dead"].to_numpy()
            shown = np.where(is_dead[:, None], np.nan, rows)
            many = len(names) > 6
            style.heat_map(axis, shown, 5.5 if many else 7)
            axis.set_xticks(
                range(len(names)), names, rotation=45, ha="right", fontsize=6.5 if many else 8
            )
            axis.set_yticks(range(len(rows)), labels, fontsize=7)
            axis.set_title(title, loc="left", color=LEARNED if frame is learned else "black")
            for side in ("left", "bottom"):
                axis.spines[side].set_visible(False)
            axis.tick_params(length=0)
        longest = max(len(learned), len(random))
        for axis in (beside, *axes):  # rows of one height throughout
            axis.set_ylim(longest - 0.5, -0.5)
    return figure


def _traversals_beside(axis: Axes, learned: pd.DataFrame, strips: dict[int, np.ndarray]) -> None:
    """The strips of live axes, each in its row."""
    for place, number in enumerate(learned["axis"].astype(int)):
        if number in strips and not learned["dead"].iloc[place]:
            extent = (0, 1, place + 0.46, place - 0.46)
            strip = side_by_side(strips[number])
            axis.imshow(strip, cmap="gray", vmin=0, vmax=255, extent=extent, aspect="auto")
    axis.set_xlim(0, 1)
    axis.set_title("their traversals", loc="left", color=LEARNED)
    axis.set_axis_off()


def sample_sheet(sheets: dict[str, np.ndarray], num_columns: int = 20) -> Figure:
    """Images uint8 [n, h, w, c] in rows, one block below the other under its title."""
    with plt.rc_context(_STYLE):
        rows = sum(-(-len(images) // num_columns) for images in sheets.values())
        height = rows * _WIDTH / num_columns + 0.3 * len(sheets)
        figure, axes = plt.subplots(len(sheets), 1, figsize=(_WIDTH, height), squeeze=False)
        for axis, (title, images) in zip(axes[:, 0], sheets.items(), strict=True):
            strips = [
                side_by_side(images[start : start + num_columns])
                for start in range(0, len(images), num_columns)
            ]
            axis.imshow(np.concatenate(strips), cmap="gray", vmin=0, vmax=255)
            axis.set_title(title, loc="left")
            axis.set_axis_off()
    return figure


def _wrap(text: str) -> str:
    """Breaks a name after its first comma."""
    return text.replace(", ", ",\n", 1)
