"""From many seeds' basis tests to one verdict an arm, and to the contrast between arms."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import pandas as pd

from data.files import InputError, load_npz
from reproduce import representation, significance
from reproduce.assessment import COLUMNS
from reproduce.runs import RunConfig, RunDirectory, flatten

ALPHA = 0.05
NUM_PRIMARY = 5  # the protocol's primary hypotheses; those not run yet count as p = 1
NULLS = ("haar", "haar_active")
MODEL_NAMES = {
    "beta_vae/diagonal": "beta-VAE, diagonal posterior",
    "beta_vae/full_covariance": "beta-VAE, full-covariance posterior",
}
CONTRASTS = {"beta_vae/diagonal": "beta_vae/full_covariance"}
CONTRAST_COLUMNS = (
    "model",
    "control",
    "data_set",
    "metric",
    "num_seeds",
    "num_control_seeds",
    "effect",
    "control_effect",
    "p_value",
    "smallest_p",
    "sentence",
)


@dataclasses.dataclass(frozen=True, eq=False)
class SeedResult:
    """One trained seed's basis test: the unit of evidence.

    Attributes:
        run: Where it comes from.
        config: Its settings.
        arm: The model with its posterior and whatever else tells arms apart.
        frame: basis_test.csv.
        nulls: The draws by "family/metric".
        active: How many latents are active.
        training: The last row of training.csv, by column.
    """

    run: RunDirectory
    config: RunConfig
    arm: str
    frame: pd.DataFrame
    nulls: dict[str, np.ndarray]
    active: int
    training: dict[str, float]

    def row(self, family: str, metric: str) -> dict[str, float] | None:
        """The first row of a family and metric in the basis test, or None."""
        rows = self.frame[(self.frame["family"] == family) & (self.frame["metric"] == metric)]
        return None if rows.empty else {str(k): v for k, v in rows.iloc[0].items()}

    def observed(self, family: str, metric: str) -> float:
        """The learned basis' value as a null family sees it.

        A collapsed model has no rotation of active latents; its value is that of all latents.
        """
        row = self.row(family, metric) or self.row("haar", metric)
        assert row is not None
        return row["observed"]

    def null(self, family: str, metric: str) -> np.ndarray:
        """The draws of a null family; for a collapsed model ties with its own value."""
        draws = self.nulls.get(f"{family}/{metric}")
        if draws is None:
            draws = np.full_like(self.nulls[f"haar/{metric}"], self.observed(family, metric))
        return draws


def read_results(runs: Sequence[RunDirectory]) -> list[SeedResult]:
    """Reads tested runs. Those of one model with equal settings are one arm.

    Raises:
        InputError: If a file is missing or damaged; it is named.
    """
    configs = [run.read_config() for run in runs]
    settings = [flatten(dataclasses.asdict(config.recipe)) for config in configs]
    results = []
    for run, config, own in zip(runs, configs, settings, strict=True):
        peers = [s for c, s in zip(configs, settings, strict=True) if c.arm == config.arm]
        varied = [key for key in own if any(peer.get(key) != own[key] for peer in peers)]
        arm = " ".join([config.arm, *(f"{key}={own[key]}" for key in varied)])
        results.append(_read_result(run, config, arm))
    return results


def _read_result(run: RunDirectory, config: RunConfig, arm: str) -> SeedResult:
    nulls = load_npz(run.path / "null.npz", ["haar/mig"])
    frames = []
    for file, columns in ((run.basis_test_file, list(COLUMNS)), (run.training_file, ["step"])):
        try:
            frame = pd.read_csv(file)
            if not set(columns) <= set(frame.columns) or frame.empty:
                raise ValueError(f"expected rows with the columns {', '.join(columns)}")
        except (OSError, ValueError) as error:
            raise InputError(f"{file}: missing or damaged ({error}); make it anew") from error
        frames.append(frame)
    encoded = representation.load(run.representation_file)
    return SeedResult(
        run,
        config,
        arm,
        frames[0],
        nulls,
        len(encoded.active()),
        {str(key): value for key, value in frames[1].iloc[-1].items()},
    )


def name(arm: str) -> str:
    """An arm as the report writes it."""
    key, _, rest = arm.partition(" ")
    return MODEL_NAMES.get(key, key) + (f", {rest}" if rest else "")


def metrics_of(results: Sequence[SeedResult]) -> list[str]:
    """The metrics that every seed's test has."""
    common = set.intersection(*(set(result.frame["metric"]) for result in results))
    return [metric for metric in results[0].frame["metric"].unique() if metric in common]


def judge(
    results: Sequence[SeedResult], seed: int, alpha: float = ALPHA
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Judges every arm on its data set over its seeds, and the contrasts between arms.

    Args:
        results: One for each trained seed.
        seed: Of the shuffles of joint draws and permutations.
        alpha: Level of significance.

    Returns:
        The verdicts, a row for each arm, data set and metric, and the contrasts. An arm is
        `special` if its mean over seeds has p <= alpha against both nulls.

    Raises:
        InputError: If an arm has the same seed twice.
    """
    verdicts, contrasts = [], []
    groups: dict[tuple[str, str], list[SeedResult]] = {}
    for result in results:
        groups.setdefault((result.arm, result.config.data_set), []).append(result)
    for (arm, dataset), seeds in groups.items():
        numbers = [result.config.seed for result in seeds]
        if len(set(numbers)) < len(numbers):
            raise InputError(
                f"seed {max(numbers, key=numbers.count)} of {arm} on {dataset} is given twice; "
                "name each run once"
            )
        for metric in metrics_of(seeds):
            verdicts.append(_judge_arm(arm, dataset, seeds, metric, seed, alpha))
    for (arm, dataset), seeds in groups.items():
        control = _control(arm)
        if control is None or (control, dataset) not in groups:
            continue
        others = groups[control, dataset]
        if min(len(seeds), len(others)) < 2:
            continue  # nothing can be dealt anew
        for metric in metrics_of(seeds):
            contrasts.append(_contrast(arm, control, dataset, seeds, others, metric, seed))
    verdict_frame, contrast_frame = (
        pd.DataFrame(verdicts),
        pd.DataFrame(contrasts, columns=CONTRAST_COLUMNS),
    )
    _adjust(verdict_frame, contrast_frame)
    return verdict_frame, contrast_frame


def _control(arm: str) -> str | None:
    key, separator, rest = arm.partition(" ")
    control = CONTRASTS.get(key)
    return None if control is None else control + separator + rest


def _judge_arm(
    arm: str,
    dataset: str,
    seeds: Sequence[SeedResult],
    metric: str,
    seed: int,
    alpha: float,
) -> dict[str, object]:
    row: dict[str, object] = {
        "model": arm,
        "data_set": dataset,
        "metric": metric,
        "num_seeds": len(seeds),
        "seeds": " ".join(str(result.config.seed) for result in seeds),
        "collapsed": sum(result.active < 2 for result in seeds),
    }
    special = True
    special_seeds = np.full(len(seeds), True)
    for index, family in enumerate(NULLS):
        observed = float(np.mean([result.observed(family, metric) for result in seeds]))
        rng = np.random.default_rng([seed, index])
        null = significance.joint_null([result.null(family, metric) for result in seeds], rng)
        p = significance.p_value(observed, null)
        special_seeds &= [
            significance.p_value(result.observed(family, metric), result.null(family, metric))
            <= alpha
            for result in seeds
        ]
        row |= {
            f"{family}_observed": observed,
            f"{family}_null_mean": null.mean(),
            f"{family}_null_sd": null.std(ddof=1),
            f"{family}_z": significance.z_score(observed, null),
            f"{family}_p": p,
            f"{family}_detectable": significance.smallest_detectable(null, alpha),
        }
        special &= p <= alpha
    row |= {"alpha": alpha, "special": special, "special_seeds": int(special_seeds.sum())}
    row["sentence"] = verdict_sentence(row)
    return row


def verdict_sentence(row: dict[str, object]) -> str:
    """One arm's verdict in words that say no more than its numbers."""
    metric, seeds = str(row["metric"]).upper(), int(str(row["num_seeds"]))
    count = f"{seeds} seed{'s' if seeds > 1 else ''}"
    parts = [
        f"{metric} {row['haar_observed']:.3f} against a mean of {row['haar_null_mean']:.3f} in "
        f"random bases of all latents (z = {_signed(row['haar_z'])}, p = {row['haar_p']:.2g})",
        f"{row['haar_active_observed']:.3f} against {row['haar_active_null_mean']:.3f} in random "
        f"bases of the active latents (z = {_signed(row['haar_active_z'])}, "
        f"p = {row['haar_active_p']:.2g})",
    ]
    if row["special"]:
        claim = "the learned axes match the chosen factors better than random axes do"
        end = f". By themselves, {row['special_seeds']} of {seeds} would be called special"
    else:
        claim = "the learned axes are not told apart from random axes"
        end = (
            f". A mean {metric} of {row['haar_detectable']:.3f} and "
            f"{row['haar_active_detectable']:.3f} would have been called special"
        )
    collapsed = int(str(row["collapsed"]))
    if collapsed:
        plural = "s have" if collapsed > 1 else " has"
        end += f". {collapsed} seed{plural} fewer than two active latents"
    return f"{name(str(row['model']))}, {count}: {claim}: {'; '.join(parts)}{end}."


def _signed(z: object) -> str:
    """A z score with one decimal, and no minus before a zero."""
    return f"{float(str(z)):.1f}".replace("-0.0", "0.0")


def _contrast(
    arm: str,
    control: str,
    dataset: str,
    seeds: Sequence[SeedResult],
    others: Sequence[SeedResult],
    metric: str,
    seed: int,
) -> dict[str, object]:
    effects = [
        [
            significance.z_score(result.observed("haar", metric), result.null("haar", metric))
            for result in group
        ]
        for group in (seeds, others)
    ]
    rng = np.random.default_rng([seed, len(NULLS)])
    p, floor = significance.permutation_contrast(effects[0], effects[1], rng)
    means = [float(np.mean(effect)) for effect in effects]
    sentence = (
        f"{name(arm)} against {name(control)}, z over random bases of all latents by seed: mean "
        f"{_signed(means[0])} ({', '.join(map(_signed, effects[0]))}) against "
        f"{_signed(means[1])} ({', '.join(map(_signed, effects[1]))}); one-sided permutation test "
        f"over seeds p = {p:.2g}, of which the smallest that {len(seeds)} and {len(others)} seeds "
        f"allow is {floor:.2g}."
    )
    return {
        "model": arm,
        "control": control,
        "data_set": dataset,
        "metric": metric,
        "num_seeds": len(seeds),
        "num_control_seeds": len(others),
        "effect": means[0],
        "control_effect": means[1],
        "p_value": p,
        "smallest_p": floor,
        "sentence": sentence,
    }


def _adjust(verdicts: pd.DataFrame, contrasts: pd.DataFrame) -> None:
    """Adds Holm's adjusted p-values of the primary hypotheses: by MIG, within each data set.

    Several settings of one model (betas, say) are judged as families of their own.
    """
    verdicts["holm_p"] = np.nan
    contrasts["holm_p"] = np.nan
    for arm, dataset in {(v["model"], v["data_set"]) for v in verdicts.to_dict("records")}:
        control = _control(arm)
        if control is None:
            continue
        primary = verdicts["metric"].eq("mig") & verdicts["data_set"].eq(dataset)
        rows = verdicts[primary & verdicts["model"].isin([arm, control])].index
        primary = contrasts["metric"].eq("mig") & contrasts["data_set"].eq(dataset)
        pairs = contrasts[primary & contrasts["model"].eq(arm)].index
        tested = [*verdicts.loc[rows, "haar_p"], *contrasts.loc[pairs, "p_value"]]
        adjusted = significance.holm(tested, NUM_PRIMARY)
        verdicts.loc[rows, "holm_p"] = adjusted[: len(rows)]
        contrasts.loc[pairs, "holm_p"] = adjusted[len(rows) :]
