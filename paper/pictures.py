"""The paper's pictures: traversals, and leakage as heat maps."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from paper.plots import DARK, PAGE, STYLE
from paper.sources import SYSTEMS, Results, Run, name
from reproduce.reporting.style import LEARNED, heat_map, side_by_side

_SHOWN = 6  # axes of a basis in a heat map
_FEW = 6  # factors: heat maps of so many fit beside each other
_SHORT = {"orientation": "angle", "pos_x": "x", "pos_y": "y"}


def traversals(results: Results, profile: str) -> Figure:
    """Strips along learned and random axes at equal energy, of each system's first seed."""
    with plt.rc_context(STYLE):
        figure = plt.figure(figsize=(PAGE, 2.4))
        blocks = figure.subfigures(2, 2, squeeze=False, wspace=0.03, hspace=0.02).flat
        for block, arm in zip(blocks, SYSTEMS, strict=True):
            run = results.runs(profile, arm)[0]
            _strips(block, run, name(arm))
    return figure


def _strips(block: SubFigure, run: Run, title: str) -> None:
    arrays = run.strips()
    block.suptitle(title, x=0.01, ha="left", fontsize=6.5, weight="bold")
    sides = block.subplots(1, 2)
    for axis, basis, label in zip(
        sides, ("learned", "random_0"), ("learned axes", "random axes"), strict=True
    ):
        frames = arrays[f"{basis}/frames"]
        if len(frames):
            rows = [side_by_side(strip) for strip in frames]
            gap = np.full((2, *rows[0].shape[1:]), 255, np.uint8)
            sheet = np.concatenate([piece for row in rows for piece in (row, gap)][:-1])
            axis.imshow(sheet, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        axis.set_title(label, loc="left", color=LEARNED if basis == "learned" else DARK, fontsize=6)
        axis.set_anchor("NW")
        axis.set_axis_off()


def leakage(results: Results, profile: str) -> Figure:
    """What else changes along an axis: learned, what the data imply, random; first seeds."""
    with plt.rc_context(STYLE):
        runs = {arm: results.runs(profile, arm)[0] for arm in SYSTEMS}
        many = max(_num_factors(run) for run in runs.values()) > _FEW
        figure = plt.figure(figsize=(PAGE, 5.6 if many else 2.6))
        rows, columns = (4, 1) if many else (2, 2)
        blocks = figure.subfigures(rows, columns, squeeze=False, wspace=0.02, hspace=0.03).flat
        for block, (arm, run) in zip(blocks, runs.items(), strict=True):
            _heat_maps(block, run, name(arm))
    return figure


def _factors_of(data: pd.DataFrame) -> list[str]:
    return [column for column in data.columns if column != "given"]


def _num_factors(run: Run) -> int:
    return len(_factors_of(run.table("data_leakage.csv", ["given"])))


def _heat_maps(block: SubFigure, run: Run, title: str) -> None:
    columns = ["axis", "purity", "dead"]
    learned, random = (run.table(f"{n}leakage.csv", columns) for n in ("", "random_"))
    data = run.table("data_leakage.csv", ["given"])
    names = _factors_of(data)
    best, other = _best(learned), _best(random)
    implied = data[names].to_numpy(float)[best[names].to_numpy(float).argmax(axis=1)]
    panels = (
        ("learned axes", best[names].to_numpy(float), LEARNED),
        ("implied by the data", implied, DARK),
        ("random axes", other[names].to_numpy(float), DARK),
    )
    block.suptitle(title, x=0.01, ha="left", fontsize=6.5, weight="bold")
    for axis, (label, rows, colour) in zip(block.subplots(1, 3), panels, strict=True):
        _heat_map(axis, rows, names)
        axis.set_title(label, loc="left", color=colour, fontsize=6)


def _best(table: pd.DataFrame) -> pd.DataFrame:
    """The live axes of highest purity."""
    live = table[~table["dead"].astype(bool)]
    return live.sort_values("purity", ascending=False, kind="stable").head(_SHOWN)


def _heat_map(axis: Axes, rows: np.ndarray, names: list[str]) -> None:
    heat_map(axis, rows, 5)
    labels = [_SHORT.get(name, name.replace("_", " ")) for name in names]
    axis.set_xticks(range(len(names)), labels, rotation=45, ha="right", rotation_mode="anchor")
    axis.tick_params(length=0, pad=1, labelsize=5.5)
    axis.set_yticks([])
    for spine in axis.spines.values():
        spine.set_visible(False)
