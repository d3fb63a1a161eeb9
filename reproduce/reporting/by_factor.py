"""Verdicts by factor on a page: a table of gaps, and what each axis tells as a heat map."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from reproduce.basis.representation import Representation
from reproduce.reporting import figures, names, style
from reproduce.reporting.seed_results import SeedResult

MAX_AXES = 40  # rows of a heat map


def sections(results: Sequence[SeedResult]) -> list[dict[str, Any]]:
    """Each seed's table and picture for the page, of those that were tested by factor."""
    return [
        _section(result, result.by_factor, result.shares)
        for result in results
        if result.by_factor is not None and result.shares is not None
    ]


def _section(result: SeedResult, by_factor: pd.DataFrame, shares: pd.DataFrame) -> dict[str, Any]:
    tested = dict(iter(by_factor.groupby("family")))
    main = tested.get("haar", by_factor)
    other = tested.get("haar_active")
    rows = []
    for index, row in enumerate(main.to_dict("records")):
        active = None if other is None else other.iloc[index]
        rows.append(
            {
                **row,
                "p_active": None if active is None else active["p_value"],
                "holm_active": None if active is None else active["holm_p"],
            }
        )
    return {
        "title": names.name(result.arm),
        "seed": result.seed if result.run else None,
        "rows": rows,
        "left_out": [row["factor"] for row in rows if not row["carried"]],
        "svg": figures.to_svg(heat_map(shares, result.encoded)),
    }


def heat_map(shares: pd.DataFrame, encoded: Representation) -> Figure:
    """What each axis (row) tells about each factor (column), in per cent of its entropy.

    Of more than MAX_AXES axes, those that tell most about some factor are shown.
    """
    names = list(encoded.factor_names)
    values = shares[names].to_numpy()
    active = set(encoded.active().tolist())
    shown = np.arange(len(values))
    if len(values) > MAX_AXES:
        shown = np.sort(np.argsort(-values.max(axis=1), kind="stable")[:MAX_AXES])
    with plt.rc_context(style.BASE | {"font.size": 9}):
        size = (min(9.0, 2.2 + 0.6 * len(names)), 1.3 + 0.24 * len(shown))
        figure, axis = plt.subplots(figsize=size)
        style.heat_map(axis, values[shown], 7)
        axis.set_xticks(range(len(names)), names, rotation=40, ha="right", fontsize=8)
        labels = [f"latent {i}{'' if i in active else ' (not active)'}" for i in shown]
        axis.set_yticks(range(len(shown)), labels, fontsize=8)
        axis.tick_params(length=0)
        for side in ("left", "bottom"):
            axis.spines[side].set_visible(False)
        bar = figure.colorbar(axis.images[0], ax=axis, shrink=0.8)
        bar.set_label("information, share of the factor's entropy")
    return figure
