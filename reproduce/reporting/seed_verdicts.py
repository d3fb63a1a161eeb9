"""From many seeds' basis tests to one verdict an arm, and to the contrast between arms."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.stats

from data import random_streams
from data.files import InputError
from models import registry as models_registry
from models.registry import ARMS, MODELS, PRIMARY
from reproduce.basis import over_seeds, significance
from reproduce.metrics.registry import DECODER_SIDE, sign_of
from reproduce.reporting import gate, result_tables
from reproduce.reporting.names import NULLS, PURITY, name, text
from reproduce.reporting.seed_results import SeedResult, metrics_of
from reproduce.reporting.verdict_words import arm_sentence, contrast_sentence, is_known
from reproduce.training.run_directory import read_log

ALPHA = 0.05
NUM_PRIMARY = 5  # primary hypotheses, see paper/protocol.md; those not run yet count as p = 1
MATCHED = 0.03  # share by which a term of two arms' losses may differ in arms of equal fit
WITH_MARGIN = ("mig", f"{DECODER_SIDE}mig")  # metrics of which `over_seeds.MARGIN` is one
# What each arm is contrasted with.
CONTRASTS = {arm.key: arm.control for arm in ARMS.values() if arm.control}
CONTRAST_COLUMNS = (
    "model",
    "control",
    "data_set",
    "metric",
    "num_seeds",
    "num_control_seeds",
    "paired",
    "effect",
    "control_effect",
    "difference",
    "low",
    "high",
    "p_value",
    "smallest_p",
    "active_p_value",
    "fit",
    "fits_match",
    "sentence",
)


def judge(
    results: Sequence[SeedResult], seed: int, alpha: float = ALPHA, control: str | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Judges every arm on its data set over its seeds, and the contrasts between arms.

    Args:
        results: One for each trained seed.
        seed: The seed of bootstraps and permutations.
        alpha: Level of significance.
        control: The arm that all others are contrasted with; by default a full-covariance
            posterior is that of the diagonal one.

    Returns:
        The verdicts, a row for each arm, data set and metric, and the contrasts. An arm is
        `special` if its mean over seeds has p <= alpha against both nulls; a decoder's latent
        blocks, whose coordinates are standardised by their prior, have the one null alone.
        `verdict` is one of the three of `over_seeds`, by Holm's p where the metric is primary.

    Raises:
        InputError: If an arm has the same seed twice, or there is no such control.
    """
    if control is not None and control not in {result.arm for result in results}:
        arms = ", ".join(dict.fromkeys(result.arm for result in results))
        raise InputError(f"unknown control {control!r}; expected one of the arms {arms}")
    groups: dict[tuple[str, str], list[SeedResult]] = {}
    for result in results:
        groups.setdefault((result.arm, result.data_set), []).append(result)
    verdicts: list[dict[str, Any]] = []
    evidence: list[list[over_seeds.Evidence]] = []
    for (arm, dataset), seeds in groups.items():
        _check_arm(arm, dataset, seeds)
        for metric in metrics_of(seeds):
            row, against = _judge_arm(arm, dataset, seeds, metric, seed, alpha)
            verdicts.append(row)
            evidence.append(against)
    contrasts = []
    for (arm, dataset), seeds in groups.items():
        other = _control(arm) if control is None else control
        if other is None or other == arm or (other, dataset) not in groups:
            continue
        others = groups[other, dataset]
        if min(len(seeds), len(others)) < 2:
            continue  # nothing can be permuted
        for metric in metrics_of([*seeds, *others]):
            contrasts.append(_contrast(arm, other, dataset, seeds, others, metric, seed))
    table = pd.DataFrame(verdicts)
    contrast_table = pd.DataFrame(contrasts, columns=CONTRAST_COLUMNS)
    _adjust(table, contrast_table)
    return _concluded(table, evidence), contrast_table


def _check_arm(arm: str, dataset: str, seeds: Sequence[SeedResult]) -> None:
    """Refuses seeds that are no sample of one arm."""
    numbers = [result.seed for result in seeds]
    if len(set(numbers)) < len(numbers):
        raise InputError(
            f"seed {max(numbers, key=numbers.count)} of {arm} on {dataset} is given twice; "
            "name each run once"
        )
    if len({result.encoded.fingerprint for result in seeds}) < len(seeds):
        raise InputError(
            f"two seeds of {name(arm)} have the same latents; give each representation once"
        )
    if not arm.strip():
        raise InputError("an arm has an empty name; name each")
    # Which factors a decoder's images show may differ between seeds; what is encoded may not.
    factors = {result.encoded.factor_names for result in seeds if result.encoded.reading is None}
    if len({frozenset(names) for names in factors}) > 1:
        told = "; ".join(", ".join(names) for names in sorted(factors))
        raise InputError(
            f"seeds of {name(arm)} were tested on different factors ({told}); make them arms of "
            "their own, or test all on the same"
        )
    if not metrics_of(seeds):
        raise InputError(
            f"{name(arm)}: no metric was tested against random bases in every seed; test all "
            "seeds by one that a rotation changes, with reproduce.basis_test"
        )


def _control(arm: str) -> str | None:
    key, separator, rest = arm.partition(" ")
    control = CONTRASTS.get(key)
    return None if control is None else control + separator + rest


def _judge_arm(
    arm: str, dataset: str, seeds: Sequence[SeedResult], metric: str, seed: int, alpha: float
) -> tuple[dict[str, Any], list[over_seeds.Evidence]]:
    """A row of verdict.csv but for what follows from all rows, and what it is derived from."""
    row: dict[str, Any] = {
        "model": arm,
        "data_set": dataset,
        "metric": metric,
        "side": seeds[0].side(metric),
        "num_seeds": len(seeds),
        "seeds": " ".join(str(result.seed) for result in seeds),
        "collapsed": sum(len(result.tested(metric).active()) < 2 for result in seeds),
    }
    evidence = []
    special_seeds = np.full(len(seeds), True)
    for family in NULLS:
        if metric.startswith(PURITY) and not any(s.is_tested(family, metric) for s in seeds):
            continue
        found = over_seeds.weigh(
            [result.observed(family, metric) for result in seeds],
            [result.null(family, metric) for result in seeds],
            random_streams.generator(seed, random_streams.EFFECTS[family]),
            sign_of(metric),
            alpha,
        )
        evidence.append(found)
        special_seeds &= [result.p_value(family, metric) <= alpha for result in seeds]
        row |= {
            f"{family}_observed": found.observed,
            f"{family}_null_mean": found.null_mean,
            f"{family}_null_sd": found.null_sd,
            f"{family}_z": found.z,
            f"{family}_p": found.p_value,
            f"{family}_detectable": found.detectable,
            f"{family}_difference": found.effect.mean,
            f"{family}_sd": found.effect.sd,
            f"{family}_low": found.effect.low,
            f"{family}_high": found.effect.high,
            f"{family}_boot_low": found.effect.boot_low,
            f"{family}_boot_high": found.effect.boot_high,
            f"{family}_smallest_difference": found.smallest_difference,
        }
    p_values = [found.p_value for found in evidence]
    if np.isnan(p_values).any():
        # One null alone decides nothing: neither keeps its p-value.
        row |= {f"{family}_p": float("nan") for family in NULLS if f"{family}_p" in row}
    special = bool(max(p_values) <= alpha and not np.isnan(p_values).any())
    row |= {"alpha": alpha, "special": special, "special_seeds": int(special_seeds.sum())}
    row |= gate.of_arm([result.gate() for result in seeds])
    return row, evidence


def _concluded(
    table: pd.DataFrame, evidence: Sequence[Sequence[over_seeds.Evidence]]
) -> pd.DataFrame:
    """The verdicts with their words, once primary ones are adjusted."""
    rows = table.to_dict("records")
    for row, against in zip(rows, evidence, strict=True):
        p = row["holm_p"] if not np.isnan(row["holm_p"]) else max(one.p_value for one in against)
        row["verdict"] = over_seeds.verdict(
            against,
            p if is_known(row) else float("nan"),
            row["alpha"],
            over_seeds.MARGIN if row["metric"] in WITH_MARGIN and is_known(row) else None,
            row["gate"] != gate.FAILED,
        )
        # What another arm was tested against, and this one was not, is no column of its row.
        own = {key: value for key, value in row.items() if not _is_of_other_null(key, len(against))}
        row["sentence"] = arm_sentence(own)
    return pd.DataFrame(rows)


def _is_of_other_null(column: Any, num_nulls: int) -> bool:
    return str(column).startswith(f"{NULLS[1]}_") and num_nulls < len(NULLS)


def _contrast(
    arm: str,
    control: str,
    dataset: str,
    seeds: Sequence[SeedResult],
    others: Sequence[SeedResult],
    metric: str,
    seed: int,
) -> dict[str, Any]:
    """A row of contrast.csv but for Holm's p."""
    paired = _are_pairs(seeds, others)
    if paired:
        seeds, others = (sorted(group, key=lambda one: one.seed) for group in (seeds, others))
    effects, other_effects = (
        [result.difference("haar", metric) for result in group] for group in (seeds, others)
    )
    p, floor = _compare(effects, other_effects, paired, seed)
    active_p = float("nan")
    if all(result.is_tested("haar_active", metric) for result in (*seeds, *others)):
        z = [[r.z_score("haar_active", metric) for r in group] for group in (seeds, others)]
        active_p = _compare(z[0], z[1], paired, seed)[0]
    low, high = _difference_interval(effects, other_effects, paired)
    fit, fits_match = _fits(seeds, others)
    row = {
        "model": arm,
        "control": control,
        "data_set": dataset,
        "metric": metric,
        "num_seeds": len(seeds),
        "num_control_seeds": len(others),
        "paired": paired,
        "effect": float(np.mean(effects)),
        "control_effect": float(np.mean(other_effects)),
        "difference": float(np.mean(effects) - np.mean(other_effects)),
        "low": low,
        "high": high,
        "p_value": p,
        "smallest_p": floor,
        "active_p_value": active_p,
        "fit": fit,
        "fits_match": fits_match,
    }
    return row | {"sentence": contrast_sentence(row, effects, other_effects)}


def _are_pairs(seeds: Sequence[SeedResult], others: Sequence[SeedResult]) -> bool:
    """Whether the runs of two arms are pairs: those of one seed share the order of the data."""
    numbers = [sorted(result.seed for result in group) for group in (seeds, others)]
    return numbers[0] == numbers[1] and all(result.run for result in (*seeds, *others))


def _compare(
    effects: Sequence[float], others: Sequence[float], paired: bool, seed: int
) -> tuple[float, float]:
    """The one-sided p-value that the first are larger, and the smallest that there can be."""
    rng = random_streams.generator(seed, random_streams.CONTRAST)
    if paired:
        return over_seeds.sign_flips(np.subtract(effects, others).tolist(), rng)
    return over_seeds.permutation_contrast(effects, others, rng)


def _difference_interval(
    effects: Sequence[float], others: Sequence[float], paired: bool
) -> tuple[float, float]:
    """Student's 95% interval of the difference of means; Welch's where there are no pairs."""
    if not np.all(np.isfinite([*effects, *others])):
        return float("nan"), float("nan")
    if np.ptp(effects) == np.ptp(others) == 0:
        difference = float(np.mean(effects) - np.mean(others))
        return difference, difference
    tested = (
        scipy.stats.ttest_rel(effects, others)
        if paired
        else scipy.stats.ttest_ind(effects, others, equal_var=False)
    )
    found = tested.confidence_interval(0.95)
    return float(found.low), float(found.high)


def _fits(seeds: Sequence[SeedResult], others: Sequence[SeedResult]) -> tuple[str, bool]:
    """Whether two arms' trainings ended alike, in words and as a fact.

    By the terms that every training of a model logs. Empty, and true, where nothing was trained.
    """
    if not all(result.run for result in (*seeds, *others)):
        return "", True
    runs = [[result.run for result in group if result.run] for group in (seeds, others)]
    configs = [run.read_config() for group in runs for run in group]
    if any(config.origin is not None or config.recipe.num_steps == 0 for config in configs):
        return "", True
    models = [MODELS[config.recipe.model] for config in configs]
    terms = [
        term
        for term in models[0].terms
        if not term.is_of_some and all(term in model.terms for model in models)
    ]
    parts, match = [], True
    for term in terms:
        ends = []
        for group in runs:
            logs = [read_log(run.training_file, ["step", term.column], ()) for run in group]
            ends.append([result_tables.at_end(log, term.column) for log in logs])
        mean, other = float(np.mean(ends[0])), float(np.mean(ends[1]))
        apart = abs(mean - other) / max(abs(mean), abs(other), 1e-12)
        match &= apart <= MATCHED
        tested = ""
        if np.ptp(ends[0]) > 0 and np.ptp(ends[1]) > 0:
            p = scipy.stats.ttest_ind(ends[0], ends[1], equal_var=False).pvalue
            tested = f", t test p = {p:.2g}"
        parts.append(f"{term.label} {mean:.3g} against {other:.3g} ({apart:.1%} apart{tested})")
    return "; ".join(parts), match


def _adjust(verdicts: pd.DataFrame, contrasts: pd.DataFrame) -> None:
    """Adds Holm's adjusted p-values of the primary hypotheses, within each data set.

    The p-value of an arm's hypothesis is the larger of those against both nulls. Several settings
    of the VAE (betas, say) are judged as families of their own; the other models belong to each of
    them, and the largest of their adjusted values counts.
    """
    verdicts["holm_p"] = np.nan
    contrasts["holm_p"] = np.nan
    keys = verdicts["model"].str.partition(" ")
    columns = [f"{family}_p" for family in NULLS if f"{family}_p" in verdicts]
    p_values = verdicts[columns].max(axis=1)
    primary = _is_primary(verdicts)
    of_vae = keys[0].isin([*CONTRASTS, *CONTRASTS.values()])
    contrast_keys = contrasts["model"].str.partition(" ") if len(contrasts) else None
    for dataset in verdicts["data_set"].unique():
        here = primary & verdicts["data_set"].eq(dataset)
        for setting in keys[2][here & of_vae].unique() if (here & of_vae).any() else [""]:
            rows = verdicts[here & (~of_vae | keys[2].eq(setting))].index
            pairs = pd.Index([])
            if contrast_keys is not None:
                of_setting = contrast_keys[0].isin(PRIMARY) & contrast_keys[2].eq(setting)
                chosen = of_setting & contrasts["data_set"].eq(dataset)
                pairs = contrasts[chosen & contrasts["metric"].eq("mig")].index
            if not len(rows):
                continue
            tested = [*p_values.loc[rows], *contrasts.loc[pairs, "p_value"]]
            if len(tested) > NUM_PRIMARY:
                continue  # several settings of one model: no family that was fixed in advance
            adjusted = np.array(significance.holm(tested, NUM_PRIMARY))
            verdicts.loc[rows, "holm_p"] = np.fmax(
                verdicts.loc[rows, "holm_p"], adjusted[: len(rows)]
            )
            contrasts.loc[pairs, "holm_p"] = adjusted[len(rows) :]


def _is_primary(verdicts: pd.DataFrame) -> pd.Series:
    """Which rows are about an arm's primary metric."""
    rows = verdicts.to_dict("records")
    tested: dict[tuple[str, str], set[str]] = {}
    for row in rows:
        tested.setdefault((row["model"], row["data_set"]), set()).add(row["metric"])
    found = [
        row["metric"]
        == models_registry.primary_metric(
            row["model"].partition(" ")[0], tested[row["model"], row["data_set"]]
        )
        for row in rows
    ]
    return pd.Series(found, verdicts.index)


def read_verdicts(file: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Reads a verdict.csv and the contrast.csv beside it, which may have no row.

    Raises:
        InputError: If one is missing or damaged.
    """
    columns = ["model", "data_set", "metric", "num_seeds", "haar_observed", "sentence", "holm_p"]
    columns += ["verdict"]
    table = result_tables.read(file, columns)
    contrasts = result_tables.read(file.with_name("contrast.csv"), CONTRAST_COLUMNS, min_rows=0)
    return table, contrasts


def check_verdicts(file: Path, table: pd.DataFrame, results: Sequence[SeedResult]) -> None:
    """Whether verdicts that were read are those of these results.

    Raises:
        InputError: If they judge other arms or seeds, or other values.
    """
    for row in table.to_dict("records"):
        seeds = [
            result
            for result in results
            if result.arm == row["model"] and result.data_set == text(row["data_set"])
        ]
        metric, observed = str(row["metric"]), row["haar_observed"]
        if (
            not all(result.is_tested("haar", metric) for result in seeds)
            or len(seeds) != row["num_seeds"]
            or not np.isclose(
                observed, np.mean([s.observed("haar", metric) for s in seeds]), equal_nan=True
            )
        ):
            raise InputError(
                f"{file}: its verdict on {row['model']} by {metric} is of other results; make it "
                "anew by reproduce.verdict from these"
            )
