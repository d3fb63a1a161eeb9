"""The paper's tables, each a function from result files to a frame of cells as they are printed."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from paper.plots import METRICS
from paper.sources import CONTROLS, SYSTEMS, TURNED, Results, name
from paper.words import decimal, p_value, signed, thousands
from reproduce import ledger

HERE = Path(__file__).parent
UNAVAILABLE = "not available"
# The ledger names the file of power as seen from results/quick; here it lies in the same folder.
_MOVED = ("../../paper/results/", "../")


def predictions(results: Results) -> pd.DataFrame:
    """What each paper predicts for learned against random bases; no result file is needed."""
    del results
    return pd.read_csv(HERE / "predictions.csv").fillna("")


def verdicts(results: Results, profile: str) -> pd.DataFrame:
    """Every system's test by both metrics: learned against random bases, p of both nulls."""
    rows = []
    for arm in SYSTEMS:
        for metric in METRICS:
            rows.append(_verdict_row(results.verdict(profile, arm, metric)))
    return pd.DataFrame(rows)


def _verdict_row(row: Mapping[str, Any]) -> dict[str, str]:
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
        "special": "yes" if row["special"] else "no",
    }


def _p(value: float) -> str:
    return p_value(value).removeprefix("= ")


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


@dataclasses.dataclass(frozen=True)
class Judged:
    """A claim with what the results at hand say of it."""

    claim: ledger.Claim
    verdict: str
    measured: str


def judge_claims(results: Results) -> list[Judged]:
    """Every claim of the ledger, judged by the results at hand.

    A claim whose verdict stands in the ledger while its results are not at hand is not available.
    """
    judged = []
    for claim in ledger.read(HERE / "claims.toml"):
        finding = ledger.evaluate(_local(claim), results.root / _profile(claim))
        if finding is not None:
            judged.append(Judged(claim, finding.verdict, finding.measured))
        elif claim.check is None or claim.verdict == ledger.NOT_YET_RUN:
            judged.append(Judged(claim, ledger.NOT_YET_RUN, ""))
        else:
            file = f"{results.root.resolve().name}/{_profile(claim)}/{claim.check.source.file}"
            judged.append(Judged(claim, UNAVAILABLE, f"{file} is missing"))
    return judged


def _profile(claim: ledger.Claim) -> str:
    """The folder in which the claim was measured: that of the file which the ledger names."""
    found = re.search(r"\((\w[\w-]*)/[^()]*\)$", claim.measured)
    outside = claim.check is not None and claim.check.source.file.startswith("../")
    return found[1] if found and not outside else "quick"


def _local(claim: ledger.Claim) -> ledger.Claim:
    if claim.check is None:
        return claim
    source = claim.check.source
    moved = dataclasses.replace(source, file=source.file.replace(*_MOVED))
    return dataclasses.replace(claim, check=dataclasses.replace(claim.check, source=moved))


def claims(results: Results) -> pd.DataFrame:
    """The whole ledger."""
    return pd.DataFrame(
        {
            "source": _citation(one.claim),
            "where": one.claim.where,
            "says": one.claim.says,
            "sure": one.claim.sure,
            "verdict": one.verdict,
            "measured": one.measured,
        }
        for one in judge_claims(results)
    )


def claims_by_paper(results: Results) -> pd.DataFrame:
    """How many claims of each paper came out how; papers of which none was run are one row."""
    counts: dict[str, dict[str, int]] = {}
    for one in judge_claims(results):
        row = counts.setdefault(_citation(one.claim), {})
        row[one.verdict] = row.get(one.verdict, 0) + 1
    run = {key: row for key, row in counts.items() if set(row) - {ledger.NOT_YET_RUN}}
    others = [row for key, row in counts.items() if key not in run]
    columns = list(ledger.VERDICTS)
    if any(UNAVAILABLE in row for row in run.values()):
        columns.append(UNAVAILABLE)
    rows = [{"source": key, **_counted(row, columns)} for key, row in run.items()]
    if others:
        rest = {ledger.NOT_YET_RUN: sum(sum(row.values()) for row in others)}
        rows.append({"source": f"{len(others)} more", **_counted(rest, columns)})
    total = {c: sum(row.get(c, 0) for row in counts.values()) for c in columns}
    return pd.DataFrame([*rows, {"source": "all", **_counted(total, columns)}])


def _counted(row: Mapping[str, int], columns: Sequence[str]) -> dict[str, str]:
    return {column: str(row[column]) if row.get(column) else "–" for column in columns}


def _citation(claim: ledger.Claim) -> str:
    """First author and year."""
    author = re.split(r",| and | et al", claim.paper)[0]
    years = re.findall(r"\b(?:19|20)\d\d\b", claim.paper)
    short = "Cross Validated" if author.startswith("Answer") else author
    return f"{short} {years[-1]}" if years else short


def calibration(results: Results) -> pd.DataFrame:
    """How often p is at most a level under the null, by family: the range over metrics."""
    levels = ("share_0.01", "share_0.05", "share_0.1")
    table = results.table(
        "calibration.csv", ["null", "family", "metric", "repetitions", "num_bases", *levels]
    )
    rows = []
    for (null, family), group in table.groupby(["null", "family"], sort=False):
        row = {"null": null, "family": str(family).replace("_", " "), "metrics": str(len(group))}
        for level in levels:
            low, high = group[level].min(), group[level].max()
            row[f"≤ {level.removeprefix('share_0')}"] = f"{decimal(low)}–{decimal(high)}"
        rows.append(row)
    return pd.DataFrame(rows)


def mechanism(results: Results, file: str) -> pd.DataFrame:
    """A small experiment's own table, its numbers to three digits."""
    frame = results.table(f"mechanisms/{file}", [])
    return frame.map(lambda cell: f"{cell:.3g}" if isinstance(cell, float) else str(cell))
