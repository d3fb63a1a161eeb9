"""Verdicts in words that say no more than their numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from reproduce.basis import over_seeds
from reproduce.basis.significance import ALIGNED, EQUIVALENT, MARGIN
from reproduce.metrics.registry import sign_of
from reproduce.reporting import gate
from reproduce.reporting.names import NULLS, PURITY, name, primary_metric, text, title

_LATENTS = {"haar": "all", "haar_active": "the active"}


def is_known(verdict: Mapping[Any, Any] | pd.Series) -> bool:
    """Whether a row of verdict.csv is a verdict; what is not a number gives none."""
    return not pd.isna(verdict.get("haar_p", 1.0))


def short(verdict: Mapping[Any, Any]) -> str:
    """The verdict of a row of verdict.csv, in a word or two."""
    if not is_known(verdict):
        return "no verdict"
    return "gate failed" if verdict["gate"] == gate.FAILED else str(verdict["verdict"])


def headline(verdict: Mapping[Any, Any]) -> str:
    """What a row of verdict.csv comes to, in short."""
    if not is_known(verdict):
        return "no verdict"
    if verdict["gate"] == gate.FAILED:
        return "inconclusive: the model is not good enough"
    if verdict["verdict"] == ALIGNED:
        return "aligned beyond chance"
    if verdict["verdict"] == EQUIVALENT:
        return f"equivalent to random axes, within {MARGIN} by the 90% interval"
    if verdict["special"]:
        return "inconclusive: aligned beyond chance by itself, not after correction"
    return "inconclusive: not distinguishable from random axes"


def arm_sentence(row: Mapping[Any, Any]) -> str:
    """One arm's verdict by one metric.

    Args:
        row: A row of verdict.csv, but for the sentence.
    """
    metric, seeds = title(str(row["metric"]), text(row["side"])), int(row["num_seeds"])
    count = f", {seeds} seed{'s' if seeds > 1 else ''}" if row["data_set"] or seeds > 1 else ""
    start = f"{name(str(row['model']))}{count}: "
    if not is_known(row):
        return (
            f"{start}no verdict: {metric} is not a number in the learned basis or in a random one."
        )
    families = [family for family in NULLS if f"{family}_p" in row]
    parts = [
        f"{row[f'{family}_observed']:.3f} against a mean of {row[f'{family}_null_mean']:.3f} in "
        f"random bases of {_LATENTS[family] if 'haar_active' in families else 'the'} latents "
        f"({_effect(row, family)}{_z(row[f'{family}_z'])}p = {row[f'{family}_p']:.2g})"
        for family in families
    ]
    sentence = f"{start}{_claim(row)}: {metric} {'; '.join(parts)}"
    if not pd.isna(row["holm_p"]):
        sentence += f"; after Holm's correction p = {row['holm_p']:.2g}"
    elif row["data_set"]:
        sentence += "; exploratory, not adjusted"
    return f"{sentence}{_addition(row, metric, families)}."


def _claim(row: Mapping[Any, Any]) -> str:
    """What may be said."""
    if row["gate"] == gate.FAILED:
        return (
            "inconclusive, since the model is not good enough for its axes to be judged "
            f"({row['gate_reasons']})"
        )
    if row["verdict"] == EQUIVALENT:
        return (
            "the learned axes match the chosen factors as random axes do: the 90% intervals of the "
            f"differences, which decide this (two one-sided tests at .05), lie within {MARGIN} of "
            f"none: {_narrow(row)}"
        )
    if not row["special"]:
        return "inconclusive, the learned axes are not distinguishable from random axes"
    metric = str(row["metric"])
    claim = "the learned axes match the chosen factors better than random axes do"
    if metric.startswith(PURITY):
        claim = "moving along the learned axes changes fewer factors at once than random axes do"
    if sign_of(metric) < 0:
        claim = "the learned axes do better than random axes by what is better when lower"
    if row["verdict"] == ALIGNED:
        return claim
    return f"inconclusive, {claim} by this test alone, but not after the correction"


def _narrow(row: Mapping[Any, Any]) -> str:
    """The 90% interval against each null, and whether the axes are below it all the same."""
    families = [family for family in NULLS if f"{family}_p" in row]
    intervals = [
        over_seeds.students(
            row[f"{family}_difference"],
            row[f"{family}_sd"],
            int(row["num_seeds"]),
            over_seeds.NARROW,
        )
        for family in families
    ]
    text = " and ".join(f"{low:.3f} to {high:.3f}" for low, high in intervals)
    if all(row[f"{family}_high"] < 0 for family in families):
        text += ", slightly below random axes all the same"
    return text


def _addition(row: Mapping[Any, Any], metric: str, families: Sequence[str]) -> str:
    """What else a reader must know: seeds by themselves, what could have been found."""
    seeds, added = int(row["num_seeds"]), ""
    if row["special"] and seeds > 1:
        added = f". By themselves, {row['special_seeds']} of {seeds} would be called special"
        if any(row[f"{family}_low"] <= 0 for family in families):
            added += ". That is said of these seeds: the interval for others includes no difference"
    elif not row["special"] and row["verdict"] != EQUIVALENT:
        found = [float(row[f"{family}_smallest_difference"]) for family in families]
        needed = [float(row[f"{family}_detectable"]) for family in families]
        if not np.all(np.isfinite(needed)):
            added = ". With so few random bases, nothing could have been called special"
        elif np.all(np.isfinite(found)):
            added = (
                f". Such seeds show a true difference of {max(found):.3f} with a probability of .8"
            )
        else:
            shown = " and ".join(f"{value:.3f}" for value in needed)
            added = f". A {metric} of {shown} would have been called special"
    collapsed = int(row["collapsed"])
    if collapsed:
        added += f". {collapsed} seed{'s have' if collapsed > 1 else ' has'} fewer than two active "
        added += "latents"
    return added


def _effect(row: Mapping[Any, Any], family: str) -> str:
    """The raw difference with its interval, before what follows it."""
    low, high = row[f"{family}_low"], row[f"{family}_high"]
    if pd.isna(low):
        return ""
    return f"difference {row[f'{family}_difference']:.3f}, 95% interval {low:.3f} to {high:.3f}; "


def _z(z: Any) -> str:
    """A z score with what stands before it; nothing where a single draw gives none."""
    return "" if np.isnan(z) else f"z = {signed(z)}, "


def signed(z: object) -> str:
    """A z score with one decimal, and no minus before a zero."""
    return f"{float(str(z)):.1f}".replace("-0.0", "0.0")


def contrast_sentence(
    row: Mapping[Any, Any], effects: Sequence[float], others: Sequence[float]
) -> str:
    """The contrast of two arms by one metric.

    Args:
        row: A row of contrast.csv, but for the sentence.
        effects: The arm's raw differences from its random bases, by seed.
        others: The control's.
    """
    start = f"{name(str(row['model']))} against {name(str(row['control']))}"
    if pd.isna(row["p_value"]):
        return f"{start}: no contrast: the effect of a seed is not a finite number."
    metric = title(str(row["metric"]))
    how = "sign flips of pairs of seeds" if row["paired"] else "permutation of seeds"
    listed = [", ".join(f"{value:.3f}" for value in group) for group in (effects, others)]
    sentence = (
        f"{start}, {metric} over the mean of random bases of all latents: {row['effect']:.3f} "
        f"({listed[0]}) against {row['control_effect']:.3f} ({listed[1]}), difference "
        f"{row['difference']:.3f}, 95% interval {row['low']:.3f} to {row['high']:.3f}; one-sided "
        f"{how} p = {row['p_value']:.2g}, of which the smallest that {row['num_seeds']} and "
        f"{row['num_control_seeds']} seeds allow is {row['smallest_p']:.2g}"
    )
    if not pd.isna(row["active_p_value"]):
        sentence += (
            f"; by z over random bases of the active latents p = {row['active_p_value']:.2g}"
        )
    if row["fit"]:
        sentence += f". The fits: {row['fit']}"
        if not row["fits_match"]:
            sentence += ". They do not match, so that the contrast may be one of fits"
    return sentence + "."


def disagreements(table: pd.DataFrame) -> list[str]:
    """For each arm, by which metrics the verdict is another than by its primary one.

    Args:
        table: verdict.csv.
    """
    sentences = []
    for (arm, _), rows in table.groupby(["model", "data_set"], sort=False):
        primary = primary_metric(str(arm), list(rows["metric"]))
        own = rows[rows["metric"].eq(primary)].iloc[0]
        if not is_known(own) or own["gate"] == gate.FAILED:
            continue
        known = rows[rows["haar_p"].notna() & rows["metric"].ne(primary)]
        contrary = known[known["special"].astype(bool) != bool(own["special"])]
        if contrary.empty:
            continue
        listed = ", ".join(
            title(str(row["metric"]), text(row["side"])) for row in contrary.to_dict("records")
        )
        says = ("does not", "do") if not own["special"] else ("does", "do not")
        sentences.append(
            f"{name(str(arm))}: {title(primary, text(own['side']))} {says[0]} single out the "
            f"learned axes (p at most {own['alpha']:g} against both nulls, not adjusted); these "
            f"{says[1]}: {listed}."
        )
    return sentences
