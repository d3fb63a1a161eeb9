"""The paper's tables, each a function from result files to a frame of cells as they are printed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from paper import sentences
from paper.plots import METRICS, metrics
from paper.sources import CONTROLS, REPLACED, SYSTEMS, TURNED, Results, name
from paper.words import decimal, p_value, signed, thousands

_FAMILIES = {"haar": "all", "haar_active": "active", "haar_active and haar": "both"}
HERE = Path(__file__).parent


def predictions(results: Results) -> pd.DataFrame:
    """What each paper predicts for learned against random bases; no result file is needed."""
    del results
    return pd.read_csv(HERE / "predictions.csv").fillna("")


def verdicts(results: Results, profile: str) -> pd.DataFrame:
    """Every system's test by each metric: learned against random bases, p of both nulls."""
    rows = []
    for arm in SYSTEMS:
        for metric in metrics(results, profile):
            rows.append(_verdict_row(results.verdict(profile, arm, metric)))
    return pd.DataFrame(rows)


def _verdict_row(row: Mapping[str, Any]) -> dict[str, str]:
    if "verdict" in row:
        return _row_of_version_2(row)
    active = pd.notna(row.get("haar_active_p"))
    holm = row.get("holm_p")
    return {
        "model": name(row["model"]),
        "metric": METRICS.get(row["metric"], row["metric"]),
        "seeds": str(row["num_seeds"]),
        "learned": decimal(row["haar_observed"]),
        "random": f"{decimal(row['haar_null_mean'])} ± {decimal(row['haar_null_sd'])}",
        "z": signed(row["haar_z"]),
        "p, all": _p(row["haar_p"]),
        "p, active": _p(row["haar_active_p"]) if active else "–",
        "Holm": _p(holm) if pd.notna(holm) else "–",
        "special": "inconclusive"
        if row.get("gate") == "failed"
        else "yes"
        if row["special"]
        else "no",
    }


def _row_of_version_2(row: Mapping[str, Any]) -> dict[str, str]:
    """A verdict of the protocol's second version: with its effect, and one of three words."""
    effect = decimal(row["haar_difference"])
    if pd.notna(row["haar_low"]):
        effect += f" ({decimal(row['haar_low'])} to {decimal(row['haar_high'])})"
    verdict = _VERDICTS[sentences.outcome(row)]
    return {
        "model": name(row["model"]),
        "metric": METRICS.get(row["metric"], row["metric"]),
        "seeds": str(row["num_seeds"]),
        "learned": decimal(row["haar_observed"]),
        "random": f"{decimal(row['haar_null_mean'])} ± {decimal(row['haar_null_sd'])}",
        "difference": effect,
        "p, all": _p(row["haar_p"]),
        "p, active": _p(row["haar_active_p"]) if pd.notna(row.get("haar_active_p")) else "–",
        "Holm": _p(row["holm_p"]) if pd.notna(row["holm_p"]) else "–",
        "verdict": verdict,
    }


_VERDICTS = {
    "special": "aligned",
    "equivalent": "equivalent",
    "uncorrected": "inconclusive",
    "same": "inconclusive",
    "inconclusive": "gate failed",
}


def error_rates(results: Results) -> pd.DataFrame:
    """What is concluded from simulated seeds, by what is true of them."""
    columns = ["truth", "num_seeds", "outcome", "share"]
    table = results.table("error_rates.csv", columns)
    shares = table.pivot(index=["truth", "num_seeds"], columns="outcome", values="share")
    order = list(dict.fromkeys(zip(table["truth"], table["num_seeds"], strict=True)))
    return pd.DataFrame(
        [
            {
                "what is true": str(truth),
                "seeds": str(seeds),
                "aligned": decimal(shares.loc[(truth, seeds), "aligned"]),
                "equivalent": decimal(shares.loc[(truth, seeds), "equivalent to random"]),
                "inconclusive": decimal(shares.loc[(truth, seeds), "inconclusive"]),
                "contrast": decimal(shares.loc[(truth, seeds), "contrast"]),
            }
            for truth, seeds in order
        ]
    )


def _p(value: float) -> str:
    return p_value(value).removeprefix("= ")


def replaced(results: Results) -> pd.DataFrame:
    """Every seed of the run that was replaced, by MIG on the encoder side."""
    columns = ["model", "seed", "family", "observed", "null_mean", "null_sd", "z", "p_value"]
    table = results.table(f"{REPLACED}/seeds.csv", columns)
    active = table[table["family"] == "haar_active"].set_index(["model", "seed"])["p_value"]
    return pd.DataFrame(
        {
            "model": name(row["model"]),
            "seed": str(row["seed"]),
            "learned": decimal(row["observed"]),
            "random": f"{decimal(row['null_mean'])} ± {decimal(row['null_sd'])}",
            "z": signed(row["z"]),
            "p, all": _p(row["p_value"]),
            "p, active": _p(active[row["model"], row["seed"]]),
        }
        for row in table[table["family"] == "haar"].to_dict("records")
    )


def controls(results: Results) -> pd.DataFrame:
    """The arms that tell explanations apart, by MIG."""
    table = results.table(f"{CONTROLS}/verdict.csv", ["model", "metric", "special", "haar_p"])
    chosen = table[table["metric"] == "mig"].to_dict("records")
    rows = []
    for row in chosen:
        turned = str(row["model"]).endswith(TURNED)
        cells = _verdict_row({str(key): value for key, value in row.items()})
        del cells["metric"], cells["Holm"]
        if turned:
            cells["model"] = "the same, against x + y and x − y"
        rows.append(cells)
    return pd.DataFrame(rows)


def settings(results: Results, profile: str) -> pd.DataFrame:
    """How each system was trained, from its runs' own configuration."""
    rows = []
    for arm in SYSTEMS:
        runs = results.runs(profile, arm)
        config = runs[0].settings()
        recipe = config["recipe"]
        own = recipe["settings"]
        images = recipe["num_steps"] * recipe["batch_size"]
        height, width, channels = config["image_shape"]
        rows.append(
            {
                "model": name(arm),
                "setting": _setting(own),
                "images": f"{height} × {width} × {channels}",
                "seen": thousands(images),
                "seeds": ", ".join(str(run.seed) for run in runs),
            }
        )
    return pd.DataFrame(rows)


def _setting(own: Mapping[str, Any]) -> str:
    """What tells a recipe from others of its model."""
    if "beta" in own:
        return f"{own['num_latents']} latents, β = {own['beta']:g}"
    if "num_codes" in own:
        return f"{own['num_codes']} {own['codes']} codes, λ = {own['information_weight']:g}"
    return f"{own['num_levels']} levels of {own['depth']} steps, {own['num_bits']} bits"


def picking(results: Results, profile: str) -> pd.DataFrame:
    """The best axis alone, learned against random, and how many must be searched to match three.

    A gap is the mean over seeds; p and the medians of numbers searched stand seed by seed.
    """
    columns = ["k", "learned", "null_mean", "p_value", "m_star"]
    rows = []
    for arm in SYSTEMS:
        found = [run.table("cherry_picking.csv", columns) for run in results.runs(profile, arm)]
        best = pd.DataFrame([table.iloc[0] for table in found])
        searched = [table["m_star"].iloc[min(2, len(table) - 1)] for table in found]
        rows.append(
            {
                "model": name(arm),
                "learned": decimal(best["learned"].mean()),
                "random": decimal(best["null_mean"].mean()),
                "p, by seed": ", ".join(_p(p) for p in best["p_value"]),
                "searched, by seed": ", ".join(
                    thousands(m) if np.isfinite(m) else "∞" for m in searched
                ),
            }
        )
    return pd.DataFrame(rows)


def calibration(results: Results) -> pd.DataFrame:
    """How often p is at most a level under the null, by family: the range over metrics."""
    levels = ("share_0.01", "share_0.05", "share_0.1")
    table = results.table(
        "calibration.csv", ["null", "family", "metric", "repetitions", "num_bases", *levels]
    )
    rows = []
    for (null, family), group in table.groupby(["null", "family"], sort=False):
        row = {
            "null": null,
            "bases": _FAMILIES.get(str(family), str(family).replace("_", " ")),
            "metrics": str(len(group)),
        }
        for level in levels:
            low, high = group[level].min(), group[level].max()
            row[f"≤ {level.removeprefix('share_0')}"] = f"{decimal(low)}–{decimal(high)}"
        rows.append(row)
    return pd.DataFrame(rows)
