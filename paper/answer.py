"""The paper's answer in one figure."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from paper import published
from paper.plots import DARK, PAGE, STYLE
from paper.sources import QUICK, QUICK_FACES, SYSTEMS, MissingError, Results, name
from paper.words import decimal, p_value
from reproduce.basis.significance import MARGIN
from reproduce.reporting.style import LEARNED, RANDOM

_TITLES = {
    "VAE": "VAE",
    "betaH": "β-VAE",
    "betaB": "capacity",
    "factor": "FactorVAE",
    "btcvae": "β-TCVAE",
}


def _title(model: str) -> str:
    """A published model in few words: btcvae_celeba_a-5 is β-TCVAE, α −5."""
    key, _, rest = model.partition("_celeba")
    weight = f", α {rest.removeprefix('_a').replace('-', '−')}" if rest else ""
    return _TITLES.get(key, key) + weight


def overview(results: Results) -> Figure:
    """Published models attribute by attribute, and the effect of every system with its interval."""
    with plt.rc_context(STYLE):
        figure, (left, right) = plt.subplots(1, 2, figsize=(PAGE, 2.5), width_ratios=(1.15, 1))
        _attribute_panel(left, published.attributes(results))
        _effect_panel(right, results)
    return figure


def _attribute_panel(axis: Axes, table: pd.DataFrame) -> None:
    """A cell for each model and factor: stands out, does not, or is not in the latents."""
    states = table["verdict"].map({state: i for i, state in enumerate(published.STATES)})
    grid = table.assign(state=states).pivot(index="model", columns="factor", values="state")
    gaps = table.pivot(index="model", columns="factor", values="gap")
    found = grid.eq(2).sum() - len(grid) * grid.eq(0).all()  # what is in no latents comes last
    order = list(found.sort_values(ascending=False, kind="stable").index)
    grid, numbers = grid[order], gaps[order].to_numpy(float)
    axis.imshow(
        grid, cmap=ListedColormap(["white", "#D9DEE5", LEARNED]), vmin=0, vmax=2, aspect="auto"
    )
    for (i, j), state in np.ndenumerate(grid.to_numpy()):
        if state > 0:
            colour = "white" if state == 2 else DARK
            text = decimal(float(numbers[i, j]), 2)
            axis.text(j, i, text, ha="center", va="center", fontsize=5, color=colour)
    axis.set_yticks(range(len(grid)), [_title(str(model)) for model in grid.index])
    axis.set_xticks(
        range(len(order)), [published.plain(str(f)) for f in order], rotation=40, ha="right"
    )
    axis.tick_params(length=0)
    axis.set_title("published models of CelebA, by attribute", loc="left")
    handles = [
        Patch(facecolor=LEARNED, label="an axis stands out"),
        Patch(facecolor="#D9DEE5", label="none does"),
        Patch(facecolor="white", edgecolor=RANDOM, label="not in the latents"),
    ]
    axis.legend(handles=handles, loc="lower left", bbox_to_anchor=(-0.02, 1.08), ncols=3)


def _effect_panel(axis: Axes, results: Results) -> None:
    """The primary metric of every system over random bases, with intervals over seeds."""
    place, ticks = 0.0, []
    for profile, title in ((QUICK, "dSprites"), (QUICK_FACES, "faces")):
        ticks.append((place, title))
        for arm in SYSTEMS:
            place += 1
            row = results.primary(profile, arm)
            if "haar_difference" not in row:
                raise MissingError(f"a difference in {profile}/verdict.csv")
            passed = row.get("gate") != "failed"
            colour = LEARNED if passed else RANDOM
            axis.plot(row["haar_difference"], place, "o", color=colour)
            if pd.notna(row["haar_low"]):
                axis.plot([row["haar_low"], row["haar_high"]], [place, place], color=colour)
            note = f"p {p_value(row['holm_p'])}" if passed else "gate failed"
            axis.annotate(
                note,
                (1, place),
                xycoords=("axes fraction", "data"),
                ha="right",
                va="center",
                fontsize=5.5,
            )
            ticks.append((place, name(arm)))
        place += 1.2
    axis.axvspan(-MARGIN, MARGIN, color=RANDOM, alpha=0.25, linewidth=0)
    axis.axvline(0, color=RANDOM, linewidth=0.7)
    axis.set_yticks([p for p, _ in ticks], [label for _, label in ticks])
    for label in axis.get_yticklabels():
        if label.get_text() in ("dSprites", "faces"):
            label.set_fontweight("bold")
    axis.tick_params(axis="y", length=0)
    axis.set_ylim(place - 0.6, -0.6)
    low, high = axis.get_xlim()
    axis.set_xlim(low, high + 0.35 * (high - low))
    axis.set_xlabel("MIG, learned less random (95% interval)")
    axis.set_title("trained here, by system", loc="left")
