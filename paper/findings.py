"""What result files come to, as Markdown: the answer in a table and in sentences.

Every sentence follows from the files, whichever way they come out: by p-values after Holm's
correction and by differences with their intervals. Both versions of verdict.csv are read; the
first one has neither intervals nor a column `verdict` (paper/protocol.md, Deviations).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from models.registry import MODELS
from paper import effects
from paper.regions import paragraph, table
from paper.sources import POSTERIORS, PROSE, SYSTEMS, MissingError, Results, name
from paper.words import count, decimal, interval, listing, p_value, plain, thousands
from reproduce.basis.significance import ALIGNED, EQUIVALENT, INCONCLUSIVE, MARGIN
from reproduce.reporting import gate, names

ALPHA = 0.05
_NONE = "–"


def verdict(row: Mapping[str, Any]) -> str:
    """One of the three verdicts; of version 1's rows as far as they allow one."""
    if row.get("gate") == gate.FAILED:
        return INCONCLUSIVE
    if isinstance(row.get("verdict"), str):
        return str(row["verdict"])
    holm = row.get("holm_p", math.nan)
    corrected = bool(pd.isna(holm) or holm <= ALPHA)
    return ALIGNED if row["special"] and corrected else INCONCLUSIVE


def _measure(metric: object, side: object = "") -> str:
    """A metric in words without commas or brackets; `side` may be empty."""
    title = names.title(str(metric), names.text(side))
    return title.replace(", limit", " in the limit").replace("(", "").replace(")", "")


def beta_in_words(settings: Mapping[str, Any], shape: Sequence[int]) -> str:
    """A VAE's beta with its unit: the reconstruction is summed over the pixels of an image."""
    height, width, _ = shape
    return f"beta {plain(settings['beta'])} per image of {height} × {width}"


def per_pixel(settings: Mapping[str, Any], shape: Sequence[int], height: int = 64) -> str:
    """The beta of larger images that weighs as much per pixel; empty if they are no larger."""
    ratio = height**2 / (shape[0] * shape[1])
    same = plain(settings["beta"] * ratio)
    return f" (per pixel as {same} per image of {height} × {height})" if ratio != 1 else ""


def training(results: Results, profile: str) -> str:
    """How the VAEs of a profile were trained."""
    config = results.runs(profile, POSTERIORS[0])[0].settings()
    recipe, shape = config["recipe"], config["image_shape"]
    settings = recipe["settings"]
    images = thousands(recipe["num_steps"] * recipe["batch_size"])
    pixels = ""
    if settings["decoder"] == "gaussian":
        pixels = f", Gaussian pixels of deviation {plain(settings['decoder_sd'])}"
    return f"{beta_in_words(settings, shape)}{per_pixel(settings, shape)}{pixels}, {images} images"


def answers(results: Results, data: Mapping[str, str]) -> str:
    """Every system's primary test, a row each.

    Args:
        results: The result files.
        data: Data sets in words, by profile.
    """
    rows = []
    for profile, words in data.items():
        for arm in SYSTEMS:
            row = results.primary(profile, arm)
            rows.append(
                [
                    words,
                    name(arm),
                    str(row["num_seeds"]),
                    _shown(results, profile, arm),
                    _measure(row["metric"], row.get("side")),
                    decimal(row["haar_observed"]),
                    decimal(row["haar_null_mean"]),
                    difference(row),
                    _p(row["holm_p"]),
                    verdict(row),
                ]
            )
    columns = ["data", "model", "seeds", "factors shown", "measure", "learned", "random"]
    return table([*columns, "difference", "p", "verdict"], rows)


def difference(row: Mapping[str, Any]) -> str:
    """The learned basis less the mean of random ones, with its interval where there is one."""
    value = row["haar_observed"] - row["haar_null_mean"]
    if pd.isna(row.get("haar_low", math.nan)):
        return decimal(value)
    return f"{decimal(value)} ({interval((row['haar_low'], row['haar_high']))})"


def _p(value: Any) -> str:
    return _NONE if value is None or pd.isna(value) else p_value(value).removeprefix("= ")


def _shown(results: Results, profile: str, arm: str) -> str:
    """How many factors count in every seed, of how many."""
    counted: list[set[str]] = []
    total = 0
    for run in results.runs(profile, arm):
        try:
            quality = run.table("quality.csv", gate.COLUMNS)
        except MissingError:
            return _NONE
        shown = gate.shows(MODELS[arm.partition("/")[0]], quality)
        counted.append(set(quality.loc[shown, "factor"]))
        total = len(quality)
    return f"{len(set.intersection(*counted))} of {total}"


def tests(results: Results, profile: str) -> str:
    """Every test of a profile's verdict.csv, a row each."""
    frame = results.table(f"{profile}/verdict.csv", ["model", "metric", "special", "haar_p"])
    rows = []
    for record in frame.to_dict("records"):
        row = {str(key): value for key, value in record.items()}
        rows.append(
            [
                name(row["model"]),
                _measure(row["metric"], row.get("side")),
                str(row["num_seeds"]),
                decimal(row["haar_observed"]),
                f"{decimal(row['haar_null_mean'])} ± {decimal(row['haar_null_sd'])}",
                difference(row),
                _p(row["haar_p"]),
                _p(row.get("haar_active_p")),
                _p(row["holm_p"]),
                alone(row),
            ]
        )
    columns = ["model", "measure", "seeds", "learned", "random ± SD", "difference"]
    return table([*columns, "p, all", "p, active", "Holm", "verdict"], rows)


def alone(row: Mapping[str, Any]) -> str:
    """A verdict, with word of a failed gate, and of a p-value that was not corrected."""
    if row.get("gate") == gate.FAILED:
        return f"{INCONCLUSIVE} (gate)"
    found = verdict(row)
    return f"{found}, uncorrected" if found == ALIGNED and pd.isna(row["holm_p"]) else found


def verdicts(results: Results, profile: str, data: str) -> str:
    """The verdicts by primary metrics in sentences, the contrast, and what disagrees."""
    return "\n\n".join(
        part
        for part in (
            paragraph(
                *_by_verdict(results, profile, data),
                *_parts(results, profile),
                contrast(results, profile),
                f"The VAEs: {training(results, profile)}.",
            ),
            paragraph(*_disagreements(results, profile)),
        )
        if part
    )


def _by_verdict(results: Results, profile: str, data: str) -> list[str]:
    groups: dict[str, list[str]] = {}
    for arm in SYSTEMS:
        row = results.primary(profile, arm)
        seed = "one seed, " if row["num_seeds"] == 1 else ""
        p = "" if row.get("gate") == gate.FAILED else f" ({seed}p {p_value(row['holm_p'])})"
        groups.setdefault(_claim(row), []).append(f"{PROSE[arm]}{p}")
    first, *others = [f"the axes of {listing(arms)} {claim}." for claim, arms in groups.items()]
    return [f"On {data}, {first}", *(text[0].upper() + text[1:] for text in others)]


def _claim(row: Mapping[str, Any]) -> str:
    """What may be said of a row's axes."""
    if row.get("gate") == gate.FAILED:
        return f"are inconclusive, since the model did not pass the gate ({row['gate_reasons']})"
    found = verdict(row)
    if found == ALIGNED:
        return "match the factors better than random ones do"
    if found == EQUIVALENT:
        decided = f"by the 90% interval of the difference, {interval(effects.narrow(row))}"
        says = f"match the factors as random ones do, within {plain(MARGIN)} MIG ({decided})"
        below = f"95% interval {interval((row['haar_low'], row['haar_high']))}"
        return f"{says}, though slightly worse ({below})" if effects.is_below(row) else says
    if row["special"]:
        return "are inconclusive: better than random ones by the test alone, not after correction"
    return "are inconclusive: not distinguishable from random ones, nor shown to be equivalent"


def _parts(results: Results, profile: str) -> list[str]:
    """Which factor makes most of the difference, for each aligned arm."""
    return [
        effects.largest_part(results, profile, arm)
        for arm in SYSTEMS
        if verdict(results.primary(profile, arm)) == ALIGNED
    ]


def contrast(results: Results, profile: str, start: str = "The contrast") -> str:
    """Whether the posterior makes the difference, by MIG; empty if there is no such contrast."""
    try:
        row = results.contrast(profile, "mig")
    except MissingError:
        return ""
    shows = "shows" if row["holm_p"] <= ALPHA else "does not show"
    better = "match the factors better than those of the full-covariance one"
    size = ""
    if pd.notna(row.get("low")):
        size = f"a difference of {decimal(row['difference'])} MIG, 95% interval "
        size += f"{interval((row['low'], row['high']))}; "
    seeds = count(int(row["num_seeds"]))
    text = (
        f"{start} {shows} that the axes of the diagonal posterior {better} ({size}"
        f"p {p_value(row['p_value'])}, after correction {_p(row['holm_p'])}; "
        f"with {seeds} seeds of each it cannot be below {_p(row['smallest_p'])})."
    )
    if "fits_match" in row and not row["fits_match"]:
        text += " Their losses do not end alike, so that it may come from how well each fits."
    return text


def _disagreements(results: Results, profile: str) -> list[str]:
    """Exploratory tests that say another thing than an arm's primary one, without correction."""
    frame = results.table(f"{profile}/verdict.csv", ["model", "metric", "special"])
    found: dict[bool, list[str]] = {True: [], False: []}
    for arm in SYSTEMS:
        primary = results.primary(profile, arm)
        if primary.get("gate") == gate.FAILED:
            continue
        own = verdict(primary) == ALIGNED
        others = frame[frame["model"].eq(arm) & frame["metric"].ne(primary["metric"])]
        contrary = others[others["special"].astype(bool) != own]["metric"]
        if len(contrary):
            found[not own].append(f"{PROSE[arm]} ({', '.join(map(_measure, contrary))})")
    says = {
        True: "Other measures, uncorrected, do call axes of these seeds better than random: "
        "those of",
        False: "Other measures, uncorrected, do not single out the axes of",
    }
    return [f"{says[special]} {listing(arms)}." for special, arms in found.items() if arms]
