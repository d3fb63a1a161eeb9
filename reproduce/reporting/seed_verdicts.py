"""From many seeds' basis tests to one verdict an arm, and to the contrast between arms."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from data import checked, random_streams
from data.files import InputError, load_npz
from models import registry as models_registry
from models.registry import ARMS
from reproduce.basis import representation, significance
from reproduce.basis.assessment import COLUMNS
from reproduce.basis.bases import FAMILIES
from reproduce.basis.representation import Representation
from reproduce.metrics.registry import DECODER_SIDE, is_invariant, sign_of
from reproduce.reporting import factor_tables, gate, result_tables
from reproduce.training.run_directory import RunDirectory, flatten

ALPHA = 0.05
FINGERPRINT = "fingerprint"  # in null.npz: of the representation that was tested
RUN_FINGERPRINT = "run_fingerprint"  # in purity_null.npz: of the run whose decoder was tested
TABLE = "table_fingerprint"  # in null.npz and purity_null.npz: of the table beside it
PICKED = "picked_fingerprint"  # in null.npz: of cherry_picking.csv; empty if there is none
TURNED_KEY = "turned_factors"  # in null.npz: factors described anew, with a comma between
NUM_PRIMARY = 5  # primary hypotheses, see paper/protocol.md; those not run yet count as p = 1
NULLS = ("haar", "haar_active")
PURITY = "traversal_purity"
TURNED = ", factors turned"  # the factor-frame control of an arm
# What each arm is contrasted with.
CONTRASTS = {arm.key: arm.control for arm in ARMS.values() if arm.control}
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
        arm: The model with its posterior and whatever else tells arms apart.
        data_set: What it was trained on; empty for somebody's own representation.
        seed: The seed of the training; somebody's own representations of one arm are numbered.
        encoded: The representation that was tested.
        frame: basis_test.csv, and traversal_purity.csv and the decoder side's basis test below it
            if there are any; the decoder side's metrics bear the prefix `DECODER_SIDE`.
        nulls: The draws of all of them by "family/metric".
        picked: cherry_picking.csv, if there is one.
        run: Where it was trained; None for somebody's own representation, and for a test of a
            run's latents against turned factors.
        by_factor: factor_test.csv, and axis_information.csv in `shares`, if they are there.
        decoded: The decoder side's representation, if it was tested.
    """

    arm: str
    data_set: str
    seed: int
    encoded: Representation
    frame: pd.DataFrame
    nulls: dict[str, np.ndarray]
    picked: pd.DataFrame | None = None
    run: RunDirectory | None = None
    by_factor: pd.DataFrame | None = None
    shares: pd.DataFrame | None = None
    decoded: Representation | None = None

    def tested(self, metric: str) -> Representation:
        """The representation that a metric was computed from."""
        if metric.startswith(DECODER_SIDE) and self.decoded is not None:
            return self.decoded
        return self.encoded

    def side(self, metric: str) -> str:
        """`encoder` or `decoder`: whose latents a metric was computed from; empty if unknown."""
        if metric.startswith(PURITY):
            return ""
        if self.tested(metric).reading is not None:
            return "decoder"
        return "encoder" if self.run is not None or self.decoded is not None else ""

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

    def gate(self) -> gate.Outcome | None:
        """What the gate says of the run; None where its images were not looked at.

        The supervised rotation is that of the side on which the arm is judged.

        Raises:
            InputError: If a file is damaged.
        """
        primary = primary_metric(self.arm, list(self.frame["metric"]))
        is_of_decoder = primary.startswith(DECODER_SIDE)
        supervised = self.row("supervised", primary if is_of_decoder else "mig")
        value = None if supervised is None else supervised["observed"]
        return None if self.run is None else gate.judge(self.run, value)

    def is_tested(self, family: str, metric: str) -> bool:
        """Whether there are draws of the family; there are none where the model has collapsed."""
        return f"{family}/{metric}" in self.nulls

    def p_value(self, family: str, metric: str) -> float:
        """The share of random bases that do at least as well, as `significance.p_value`."""
        sign = sign_of(metric)
        observed, null = self.observed(family, metric), self.null(family, metric)
        return significance.p_value(sign * observed, sign * null)

    def z_score(self, family: str, metric: str) -> float:
        """The effect over random bases, positive where the learned basis does better."""
        sign = sign_of(metric)
        observed, null = self.observed(family, metric), self.null(family, metric)
        return significance.z_score(sign * observed, sign * null)


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
        if config.origin is None:
            result_tables.read(run.training_file, ["step"], min(1, config.recipe.num_steps))
        encoded = _read_representation(run.representation_file, run)
        tested = _read_test(run.basis_test_file, encoded, run)
        decoded = None
        if run.decoder_test_file.exists():
            decoded = _read_representation(run.decoder_representation_file, run)
            below, draws = _read_decoder_test(run.decoder_test_file, decoded)
            tested["frame"] = pd.concat([tested["frame"], below], ignore_index=True)
            tested["nulls"] |= draws
        results.append(
            SeedResult(
                arm, config.data_set, config.seed, encoded, **tested, run=run, decoded=decoded
            )
        )
        if run.turned_test_file.exists():
            tested = _read_test(run.turned_test_file, encoded, is_turned=True)
            kept = {key: tested[key] for key in ("frame", "nulls")}
            where = arm + TURNED
            results.append(SeedResult(where, config.data_set, config.seed, encoded, **kept))
    return results


def _read_representation(file: Path, run: RunDirectory) -> Representation:
    """A representation that a run must have made."""
    found = representation.load(file)
    if representation.run_of(file) not in (None, run.fingerprint()):
        raise InputError(
            f"{file} was encoded by another run; encode it anew by reproduce.represent, and test it"
        )
    return found


def _read_decoder_test(
    file: Path, decoded: Representation
) -> tuple[pd.DataFrame, dict[str, np.ndarray]]:
    """The decoder side's basis test, its metrics under names of their own."""
    found = _read_test(file, decoded)
    frame, nulls = found["frame"], found["nulls"]
    frame["metric"] = DECODER_SIDE + frame["metric"]
    keys = {key: key.partition("/") for key in nulls if "/" in key}
    return frame, {
        f"{family}/{DECODER_SIDE}{metric}": nulls[key] for key, (family, _, metric) in keys.items()
    }


def read_representations(
    files: Sequence[Path], tests: Sequence[Path], arms: Sequence[str] = ()
) -> list[SeedResult]:
    """Reads somebody's own representations with their basis tests.

    Args:
        files: Each a representation.npz.
        tests: The basis_test.csv of each, with what was written beside it.
        arms: What each is a seed of; by default each is judged by itself.

    Raises:
        InputError: If a file is missing or damaged, or the numbers of files differ.
    """
    if len(files) != len(tests):
        raise InputError(
            f"{len(files)} representations and {len(tests)} basis tests; give one test for each"
        )
    if arms and len(arms) != len(files):
        raise InputError(f"{len(files)} representations and {len(arms)} arms; name one for each")
    results: list[SeedResult] = []
    for file, test, arm in zip(files, tests, arms or _own_names(files), strict=True):
        encoded = representation.load(file)
        seed = sum(result.arm == arm for result in results)
        results.append(SeedResult(arm, "", seed, encoded, **_read_test(test, encoded)))
    return results


def _own_names(files: Sequence[Path]) -> list[str]:
    """Short names that tell files apart: their stems if they do, else the whole paths."""
    stems = [file.stem for file in files]
    return stems if len(set(stems)) == len(stems) else [str(file) for file in files]


def read_verdicts(file: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Reads a verdict.csv and the contrast.csv beside it, which may have no row.

    Raises:
        InputError: If one is missing or damaged.
    """
    columns = ["model", "data_set", "metric", "num_seeds", "haar_observed", "sentence", "holm_p"]
    table = result_tables.read(file, columns)
    contrasts = result_tables.read(file.with_name("contrast.csv"), CONTRAST_COLUMNS, min_rows=0)
    return table, contrasts


def _read_test(
    file: Path, encoded: Representation, run: RunDirectory | None = None, is_turned: bool = False
) -> dict[str, Any]:
    """A basis_test.csv and what lies beside it, by `SeedResult`'s names.

    A verdict needs the draws of both nulls. All must have been computed from what is given.
    """
    frame = _read_scores(file)
    null_file = file.with_name("null.npz")
    nulls = load_npz(null_file)
    _check_source(null_file, nulls, FINGERPRINT, encoded.fingerprint)
    result_tables.check(file, frame, nulls.pop(TABLE, None))
    if str(nulls.pop(TURNED_KEY, "")) and not is_turned:
        raise InputError(f"{file}: a test of factors described anew; give one of them as they are")
    _check_draws(file, frame, nulls)
    for family in NULLS if len(encoded.active()) >= 2 else NULLS[:1]:
        if not any(key.startswith(f"{family}/") for key in nulls):
            raise InputError(f"{null_file}: no draws of {family}; test that family, too")
    purity_file = file.with_name("traversal_purity.csv")
    picked_file = file.with_name("cherry_picking.csv")
    if purity_file.exists():
        scores = _read_scores(purity_file)
        draws = load_npz(file.with_name("purity_null.npz"))
        _check_source(purity_file, draws, FINGERPRINT, encoded.fingerprint)
        if run is not None:
            _check_source(purity_file, draws, RUN_FINGERPRINT, run.fingerprint())
        result_tables.check(purity_file, scores, draws.pop(TABLE, None))
        _check_draws(purity_file, scores, draws)
        frame, nulls = pd.concat([frame, scores], ignore_index=True), nulls | draws
    of_picked, picked = nulls.pop(PICKED, None), None
    if picked_file.exists() and str(of_picked) != "":
        picked = result_tables.read(picked_file, ["k", "learned", "m_star"])
        result_tables.check(picked_file, picked, of_picked)
    found = {"frame": frame, "nulls": nulls, "picked": picked}
    return found if is_turned else found | factor_tables.read(file, encoded, frame)


def _read_scores(file: Path) -> pd.DataFrame:
    """A table with the columns of `assessment.COLUMNS`, whose numbers are numbers."""
    frame = result_tables.read(file, COLUMNS)
    for column in COLUMNS[2:]:
        try:
            frame[column] = pd.to_numeric(frame[column])
        except (TypeError, ValueError) as error:
            raise InputError(f"{file}: damaged (column {column}: {error}); make it anew") from error
    if np.isinf(frame["observed"]).any():
        raise InputError(f"{file}: damaged (an observed value is infinite); make it anew")
    unknown = set(frame["family"]) - set(FAMILIES)
    if unknown:
        raise InputError(f"{file}: damaged (unknown family {min(map(str, unknown))}); make it anew")
    return frame


def _check_source(file: Path, arrays: dict[str, np.ndarray], key: str, expected: str) -> None:
    """Takes a fingerprint out of arrays, which must be the expected one; old files have none."""
    if str(arrays.pop(key, expected)) != expected:
        raise InputError(
            f"{file}: computed from another representation or run than the one it is given with; "
            "name files in the same order, or test anew"
        )


def _check_draws(file: Path, frame: pd.DataFrame, draws: dict[str, np.ndarray]) -> None:
    """Whether a table and the draws beside it are of one test: its means are those of the draws."""
    for key, null in draws.items():
        family, _, metric = key.partition("/")
        if not metric:
            continue
        null = np.atleast_2d(checked.plain(file, key, null))
        rows = frame[(frame["family"] == family) & (frame["metric"] == metric)]
        is_same = null.dtype.kind == "f" and len(rows) == len(null)
        if not is_same or not np.allclose(
            rows["null_mean"], null.mean(axis=1), rtol=1e-6, equal_nan=True
        ):
            raise InputError(
                f"{file}: not of the same test as {key} in the .npz beside it; test anew"
            )


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


def text(cell: Any) -> str:
    """A cell that may be empty."""
    return "" if cell is None or pd.isna(cell) else str(cell)


def name(arm: str) -> str:
    """An arm as the report writes it."""
    if arm.endswith(TURNED):
        return name(arm.removesuffix(TURNED)) + TURNED
    key, _, rest = arm.partition(" ")
    return (ARMS[key].title if key in ARMS else key) + (f", {rest}" if rest else "")


def is_known(verdict: Mapping[Any, Any]) -> bool:
    """Whether a row of `judge`'s first table is a verdict; what is not a number gives none."""
    return not pd.isna(verdict.get("haar_p", 1.0))


def headline(verdict: Mapping[str, Any]) -> str:
    """What a row of `judge`'s first table comes to, once it is corrected where it is primary."""
    if not is_known(verdict):
        return "no verdict"
    if verdict.get("gate") == gate.FAILED:
        return "inconclusive: the model is not good enough"
    if not verdict["special"]:
        return "not distinguishable from random axes"
    if verdict["holm_p"] > verdict["alpha"]:  # NaN where it is not primary
        return "aligned beyond chance by itself, not after correction"
    return "aligned beyond chance"


def title(metric: str, side: str = "") -> str:
    """A metric as the report writes it: mig is MIG, factor_vae is factor VAE.

    Args:
        metric: As result tables name it.
        side: `encoder` or `decoder`, to be told as well; that of a prefix is told in any case.
    """
    if metric.startswith(PURITY):
        block = metric.removeprefix(PURITY).removesuffix("_linear").strip("_")
        limit = ", limit of small steps" if metric.endswith("_linear") else ""
        return "traversal purity" + (f" of {block}" if block else "") + limit
    acronyms = {"mig", "sap", "irs", "dci", "vae"}
    if metric.startswith(DECODER_SIDE):
        metric, side = metric.removeprefix(DECODER_SIDE), "decoder"
    words = " ".join(w.upper() if w in acronyms else w for w in metric.split("_"))
    return f"{words} ({side} side)" if side else words


def primary_metric(arm: str, tested: Collection[str]) -> str:
    """The metric of an arm's primary hypothesis; where it has none MIG, or the first tested."""
    own = models_registry.primary_metric(arm.partition(" ")[0], tested)
    return own or ("mig" if "mig" in tested else next(iter(tested)))


def metrics_of(results: Sequence[SeedResult]) -> list[str]:
    """The metrics by which every seed was tested; those that no rotation changes are none."""
    tested = []
    for result in results:
        in_null = result.frame["family"].map(lambda name: FAMILIES[name].role == "null")
        names = result.frame.loc[in_null, "metric"].unique()
        tested.append([name for name in names if not is_invariant(name)])
    return [metric for metric in tested[0] if all(metric in other for other in tested)]


def judge(
    results: Sequence[SeedResult], seed: int, alpha: float = ALPHA, control: str | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Judges every arm on its data set over its seeds, and the contrasts between arms.

    Args:
        results: One for each trained seed.
        seed: The seed of the shuffles of joint draws and permutations.
        alpha: Level of significance.
        control: The arm that all others are contrasted with; by default a full-covariance
            posterior is that of the diagonal one.

    Returns:
        The verdicts, a row for each arm, data set and metric, and the contrasts. An arm is
        `special` if its mean over seeds has p <= alpha against both nulls; a decoder's latent
        blocks, whose coordinates are standardised by their prior, have the one null alone.

    Raises:
        InputError: If an arm has the same seed twice, or there is no such control.
    """
    if control is not None and control not in {result.arm for result in results}:
        arms = ", ".join(dict.fromkeys(result.arm for result in results))
        raise InputError(f"unknown control {control!r}; expected one of the arms {arms}")
    verdicts, contrasts = [], []
    groups: dict[tuple[str, str], list[SeedResult]] = {}
    for result in results:
        groups.setdefault((result.arm, result.data_set), []).append(result)
    for (arm, dataset), seeds in groups.items():
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
        metrics = metrics_of(seeds)
        if not metrics:
            raise InputError(
                f"{name(arm)}: no metric was tested against random bases in every seed; test all "
                "seeds by one that a rotation changes, with reproduce.basis_test"
            )
        for metric in metrics:
            verdicts.append(_judge_arm(arm, dataset, seeds, metric, seed, alpha))
    for (arm, dataset), seeds in groups.items():
        other = _control(arm) if control is None else control
        if other is None or other == arm or (other, dataset) not in groups:
            continue
        others = groups[other, dataset]
        if min(len(seeds), len(others)) < 2:
            continue  # nothing can be permuted
        for metric in metrics_of([*seeds, *others]):
            contrasts.append(_contrast(arm, other, dataset, seeds, others, metric, seed))
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
        "side": seeds[0].side(metric),
        "num_seeds": len(seeds),
        "seeds": " ".join(str(result.seed) for result in seeds),
        "collapsed": sum(len(result.tested(metric).active()) < 2 for result in seeds),
    }
    special = True
    special_seeds = np.full(len(seeds), True)
    for family in NULLS:
        if metric.startswith(PURITY) and not any(s.is_tested(family, metric) for s in seeds):
            continue
        observed = float(np.mean([result.observed(family, metric) for result in seeds]))
        rng = random_streams.generator(seed, random_streams.JOINT_NULLS[family])
        null = significance.joint_null([result.null(family, metric) for result in seeds], rng)
        sign = sign_of(metric)
        p = significance.p_value(sign * observed, sign * null)
        special_seeds &= [result.p_value(family, metric) <= alpha for result in seeds]
        row |= {
            f"{family}_observed": observed,
            f"{family}_null_mean": null.mean(),
            f"{family}_null_sd": null.std(ddof=1) if len(null) > 1 else float("nan"),
            f"{family}_z": significance.z_score(sign * observed, sign * null),
            f"{family}_p": p,
            f"{family}_detectable": sign * significance.smallest_detectable(sign * null, alpha),
        }
        special &= p <= alpha
    families = [family for family in NULLS if f"{family}_p" in row]
    if any(np.isnan(float(str(row[f"{family}_p"]))) for family in families):
        # One null alone decides nothing: neither keeps its p-value.
        row |= {f"{family}_p": float("nan") for family in families}
    row |= {"alpha": alpha, "special": special, "special_seeds": int(special_seeds.sum())}
    row |= gate.of_arm([result.gate() for result in seeds])
    row["sentence"] = verdict_sentence(row)
    return row


def verdict_sentence(row: dict[str, object]) -> str:
    """One arm's verdict in words that say no more than its numbers."""
    metric, seeds = title(str(row["metric"]), str(row["side"])), int(str(row["num_seeds"]))
    count = f", {seeds} seed{'s' if seeds > 1 else ''}" if row["data_set"] or seeds > 1 else ""
    families = [family for family in NULLS if f"{family}_p" in row]
    if not is_known(row):
        return (
            f"{name(str(row['model']))}{count}: no verdict: {metric} is not a number in the "
            "learned basis or in a random one."
        )
    parts, start = [], f"{metric} "
    for family in families:
        what = {"haar": "all", "haar_active": "the active"}[family]
        if "haar_active" not in families:
            what = "the"
        parts.append(
            f"{start}{row[f'{family}_observed']:.3f} against a mean of "
            f"{row[f'{family}_null_mean']:.3f} in random bases of {what} latents "
            f"({_z(row[f'{family}_z'])}p = {row[f'{family}_p']:.2g})"
        )
        start = ""
    if row["special"]:
        claim = "the learned axes match the chosen factors better than random axes do"
        if str(row["metric"]).startswith(PURITY):
            claim = (
                "moving along the learned axes changes fewer factors at once than random axes do"
            )
        if sign_of(str(row["metric"])) < 0:
            claim = "the learned axes are less correlated than random axes are"
        alone = f". By themselves, {row['special_seeds']} of {seeds} would be called special"
        end = alone if seeds > 1 else ""
    else:
        claim = "the learned axes are not distinguishable from random axes"
        needed = [float(str(row[f"{family}_detectable"])) for family in families]
        shown = " and ".join(f"{value:.3f}" for value in needed)
        end = f". A mean {metric} of {shown} would have been called special"
        if not np.all(np.isfinite(needed)):
            end = ". With so few random bases, nothing could have been called special"
    if row["gate"] == gate.FAILED:
        claim = (
            "inconclusive, since the model is not good enough for its axes to be judged "
            f"({row['gate_reasons']})"
        )
    collapsed = int(str(row["collapsed"]))
    if collapsed:
        plural = "s have" if collapsed > 1 else " has"
        end += f". {collapsed} seed{plural} fewer than two active latents"
    return f"{name(str(row['model']))}{count}: {claim}: {'; '.join(parts)}{end}."


def _z(z: Any) -> str:
    """A z score with what stands before it; nothing where a single draw gives none."""
    return "" if np.isnan(z) else f"z = {_signed(z)}, "


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
    effects = [[result.z_score("haar", metric) for result in group] for group in (seeds, others)]
    rng = random_streams.generator(seed, random_streams.CONTRAST)
    p, floor = significance.permutation_contrast(effects[0], effects[1], rng)
    means = [float(np.mean(effect)) for effect in effects]
    sentence = (
        f"{name(arm)} against {name(control)}, z over random bases of all latents by seed: mean "
        f"{_signed(means[0])} ({', '.join(map(_signed, effects[0]))}) against "
        f"{_signed(means[1])} ({', '.join(map(_signed, effects[1]))}); one-sided permutation test "
        f"over seeds p = {p:.2g}, of which the smallest that {len(seeds)} and {len(others)} seeds "
        f"allow is {floor:.2g}."
    )
    if np.isnan(p):
        sentence = (
            f"{name(arm)} against {name(control)}: no contrast: the z score of a seed is not a "
            "finite number."
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
    """Adds Holm's adjusted p-values of the primary hypotheses, within each data set.

    Several settings of the VAE (betas, say) are judged as families of their own; the other models
    belong to each of them, and the largest of their adjusted values counts.
    """
    verdicts["holm_p"] = np.nan
    contrasts["holm_p"] = np.nan
    keys = verdicts["model"].str.partition(" ")
    primary = _is_primary(verdicts)
    of_vae = keys[0].isin([*CONTRASTS, *CONTRASTS.values()])
    contrast_keys = contrasts["model"].str.partition(" ") if len(contrasts) else None
    for dataset in verdicts["data_set"].unique():
        here = primary & verdicts["data_set"].eq(dataset)
        for setting in keys[2][here & of_vae].unique() if (here & of_vae).any() else [""]:
            rows = verdicts[here & (~of_vae | keys[2].eq(setting))].index
            pairs = pd.Index([])
            if contrast_keys is not None:
                of_setting = contrast_keys[0].isin(CONTRASTS) & contrast_keys[2].eq(setting)
                chosen = of_setting & contrasts["data_set"].eq(dataset)
                pairs = contrasts[chosen & contrasts["metric"].eq("mig")].index
            if not len(rows):
                continue
            tested = [*verdicts.loc[rows, "haar_p"], *contrasts.loc[pairs, "p_value"]]
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
