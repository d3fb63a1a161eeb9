"""A study's results: from checked answers to estimates, sentences and a table of both."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pandas as pd

from reproduce.basis import significance
from reproduce.reporting import names
from reproduce.study import metric_table, naming, preference, responses
from reproduce.study.preference import MARGIN, Preference, Share
from reproduce.study.sample_size import ALPHA

COLUMNS = ("arm", "statistic", "estimate", "low", "high", "p_value", "sentence", "simulated")
SIMULATED = "SIMULATED RATERS: "


@dataclasses.dataclass(frozen=True, eq=False)
class Agreement:
    """How often raters choose the strip of a pair that a metric prefers."""

    metric: str
    title: str
    preference: Preference


@dataclasses.dataclass(frozen=True, eq=False)
class ArmResult:
    """One arm on one data set.

    Attributes:
        name: In words.
        primary: From pairs of uniformly drawn directions; None if there are too few answers.
        secondary: From pairs by the label-free rule, likewise.
        by_run: The plain share of each run's primary answers.
        holm_p: The primary mixed-model p, adjusted for the number of arms.
        naming: How alike raters name what changes in test pairs.
        agreements: Raters' with each metric, over test pairs by either rule.
        word: The verdict in a few words.
        sentence: The verdict.
    """

    name: str
    primary: Preference | None
    secondary: Preference | None
    by_run: dict[str, float]
    holm_p: float | None
    naming: naming.Agreement
    agreements: tuple[Agreement, ...]
    word: str
    sentence: str


@dataclasses.dataclass(frozen=True, eq=False)
class StudyResult:
    """A whole study's result.

    Attributes:
        simulated: Whether no person answered.
        raters: As `responses.exclude` gives them.
        num_answers: How many of them count.
        arms: Each arm's.
        left: The left side's share of choices in identical pairs; None without such answers.
        left_of_test: Its share of all test pairs' choices, by the binomial test.
        catch: The share of catch trials that were passed, before exclusion; None without.
    """

    simulated: bool
    raters: pd.DataFrame
    num_answers: int
    arms: tuple[ArmResult, ...]
    left: Share | None
    left_of_test: Share | None
    catch: Share | None


def analyse(
    answers: pd.DataFrame, key: pd.DataFrame, metrics: pd.DataFrame | None, seed: int = 0
) -> StudyResult:
    """Analyses a study by the rules fixed beforehand.

    Args:
        answers: As `responses.read` gives them.
        key: With them.
        metrics: `strip`, `metric`, `value` of test strips, or None.
        seed: The seed of the flips.
    """
    kept, raters = responses.exclude(answers)
    drafts = []
    test = kept[kept["kind"] == "test"]
    arms = sorted(set(zip(key["model"], key["data_set"], key["kind"], strict=True)))
    for model, data_set, kind in arms:
        if kind != "test":
            continue
        own = test[test["model"].eq(model) & test["data_set"].eq(data_set)]
        uniform = own[own["rule"] == "uniform"]
        drafts.append(
            (
                f"{names.name(model)}, {data_set}",
                own,
                uniform.groupby("run")["target_chosen"].mean().to_dict(),
                _estimate(uniform, seed),
                _estimate(own[own["rule"] == "label_free"], seed),
            )
        )
    tested = [draft[3].p_value for draft in drafts if draft[3] is not None]
    adjusted = iter(significance.holm(tested, len(drafts)))
    simulated = bool(answers["simulated"].iloc[0])
    results = []
    for name, own, by_run, primary, secondary in drafts:
        holm_p = next(adjusted) if primary is not None else None
        word, sentence = verdict(name, primary, holm_p)
        results.append(
            ArmResult(
                name,
                primary,
                secondary,
                {str(run): float(share) for run, share in by_run.items()},
                holm_p,
                naming.compare(own, key, seed),
                _agreements(own, metrics, seed),
                word,
                (SIMULATED if simulated else "") + sentence,
            )
        )
    return StudyResult(
        simulated,
        raters,
        len(kept),
        tuple(results),
        _share(kept.loc[kept["kind"] == "identical", "side"] == "left"),
        _share(test["side"] == "left"),
        _share(answers.loc[answers["kind"] == "catch", "target_chosen"]),
    )


def _estimate(answers: pd.DataFrame, seed: int) -> Preference | None:
    if answers.empty:
        return None
    return preference.estimate(responses.from_frame(answers), seed)


def _share(hits: pd.Series) -> Share | None:
    return preference.exact_share(int(hits.sum()), len(hits)) if len(hits) else None


def _agreements(
    answers: pd.DataFrame, metrics: pd.DataFrame | None, seed: int
) -> tuple[Agreement, ...]:
    """The same analysis with the metric's favourite in the place of the learned strip."""
    if metrics is None:
        return ()
    found = []
    for metric, table in metrics.groupby("metric"):
        values = table.set_index("strip")["value"]
        # As floats: of no answers pandas would make texts.
        chosen, rejected = (
            answers[side].map(values).astype(float) for side in ("chosen", "rejected")
        )
        told = (chosen - rejected).abs() > significance.TIE
        own = answers[told].assign(target_chosen=(chosen > rejected)[told])
        estimate = _estimate(own, seed)
        if estimate is not None:
            title = metric_table.TITLES.get(str(metric), str(metric))
            found.append(Agreement(str(metric), title, estimate))
    return tuple(found)


def verdict(name: str, found: Preference | None, holm_p: float | None) -> tuple[str, str]:
    """The verdict in a few words and in a sentence.

    Args:
        name: The arm's.
        found: Its primary result.
        holm_p: The adjusted p.
    """
    if found is None or holm_p is None:
        return "too few answers", f"{name}: too few answers to say anything."
    result = (
        f"{name}: raters chose the learned axis over the random direction in {found.share:.1%} of "
        f"choices (95% interval {found.low:.1%} to {found.high:.1%}; half is chance; p = "
        f"{holm_p:.2g}{', adjusted' if holm_p != found.p_value else ''}; {found.num_answers} "
        f"answers of {found.num_raters} raters to {found.num_items} pairs)"
    )
    differs = holm_p < ALPHA
    within = f"within {100 * MARGIN:.0f} points of it (TOST p = {found.equivalence_p:.2g})"
    if differs and found.share > 0.5:
        small = f" The preference is small, {within}." if found.equivalent else ""
        return "learned axes preferred", f"{result}: to people they look more disentangled.{small}"
    if differs:
        small = f" The preference is small, {within}." if found.equivalent else ""
        return "random directions preferred", f"{result}: random ones look purer to people.{small}"
    if found.equivalent:
        return (
            "just as disentangled",
            f"{result}: to people random directions look just as disentangled, {within}.",
        )
    return (
        "undecided",
        f"{result}: neither a difference nor equivalence is shown (TOST p = "
        f"{found.equivalence_p:.2g}). A preference of {found.detectable:.0%} would have been found "
        "with power 90%.",
    )


def table(result: StudyResult) -> pd.DataFrame:
    """Every statistic in a row, in `COLUMNS`."""
    rows: list[dict[str, Any]] = []

    def add(arm: str, statistic: str, sentence: str = "", **numbers: float | None) -> None:
        values = dict.fromkeys(("estimate", "low", "high", "p_value"), np.nan) | numbers
        rows.append({"arm": arm, "statistic": statistic, "sentence": sentence} | values)

    for arm in result.arms:
        for rule, found in (("uniform", arm.primary), ("label_free", arm.secondary)):
            if found is None:
                continue
            sentence = arm.sentence if rule == "uniform" else ""
            interval = {"low": found.low, "high": found.high}
            add(
                arm.name,
                f"preference_{rule}",
                sentence,
                estimate=found.share,
                p_value=found.p_value,
                **interval,
            )
            if rule == "uniform":
                add(arm.name, "preference_uniform_holm", p_value=arm.holm_p)
            add(arm.name, f"binomial_{rule}", estimate=found.raw, p_value=found.binomial_p)
            add(arm.name, f"flipped_items_{rule}", estimate=found.raw, p_value=found.items_p)
            add(arm.name, f"flipped_raters_{rule}", estimate=found.raw, p_value=found.raters_p)
            add(arm.name, f"equivalence_{rule}", p_value=found.equivalence_p)
            add(arm.name, f"sd_rater_{rule}", estimate=found.sd_rater)
            add(arm.name, f"sd_item_{rule}", estimate=found.sd_item)
            add(arm.name, f"detectable_{rule}", estimate=found.detectable)
        for run, share in arm.by_run.items():
            add(arm.name, f"raw_share_{run}", estimate=share)
        add(arm.name, "naming_agreement_learned", estimate=arm.naming.learned)
        add(arm.name, "naming_agreement_random", estimate=arm.naming.random)
        add(arm.name, "naming_agreement_difference", p_value=arm.naming.p_value)
        for agreement in arm.agreements:
            own = agreement.preference
            add(
                arm.name,
                f"agreement_{agreement.metric}",
                estimate=own.share,
                low=own.low,
                high=own.high,
                p_value=own.p_value,
            )
    for statistic, counted in (
        ("left_identical", result.left),
        ("left_test", result.left_of_test),
        ("catch_right", result.catch),
    ):
        if counted is not None:
            add(
                "",
                statistic,
                estimate=counted.share,
                low=counted.low,
                high=counted.high,
                p_value=counted.p_value,
            )
    add("", "raters_excluded", estimate=float(result.raters["excluded"].sum()))
    add("", "raters", estimate=float(len(result.raters)))
    return pd.DataFrame(rows).assign(simulated=result.simulated)[list(COLUMNS)]
