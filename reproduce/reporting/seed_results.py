"""One trained seed's tests, read from its files: the unit of evidence."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from data import checked
from data.files import InputError, load_npz
from reproduce.basis import representation, significance
from reproduce.basis.assessment import COLUMNS
from reproduce.basis.bases import FAMILIES
from reproduce.basis.representation import Representation
from reproduce.metrics.registry import DECODER_SIDE, is_invariant, sign_of
from reproduce.reporting import factor_tables, gate, result_tables
from reproduce.reporting.names import NULLS, PURITY, TURNED, primary_metric
from reproduce.training.run_directory import RunDirectory, flatten

FINGERPRINT = "fingerprint"  # in null.npz: of the representation that was tested
RUN_FINGERPRINT = "run_fingerprint"  # in purity_null.npz: of the run whose decoder was tested
TABLE = "table_fingerprint"  # in null.npz and purity_null.npz: of the table beside it
PICKED = "picked_fingerprint"  # in null.npz: of cherry_picking.csv; empty if there is none
TURNED_KEY = "turned_factors"  # in null.npz: factors described anew, with a comma between


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

    def difference(self, family: str, metric: str) -> float:
        """The effect over the mean of random bases, positive where the learned one does better."""
        observed, null = self.observed(family, metric), self.null(family, metric)
        return float(sign_of(metric) * (observed - null.mean()))

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
        encoded = representation.load(run.representation_file, run.fingerprint())
        tested = _read_test(run.basis_test_file, encoded, run)
        decoded = None
        if run.decoder_test_file.exists():
            decoded = representation.load(run.decoder_representation_file, run.fingerprint())
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
    frame = result_tables.read(file, [name for name in COLUMNS if name != "found_on"])  # newer
    for column in (name for name in COLUMNS[2:] if name in frame):
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
    """Whether a table and the draws beside it are of one test: of as many, with the same means."""
    for key, null in draws.items():
        family, _, metric = key.partition("/")
        if not metric:
            continue
        null = np.atleast_2d(checked.plain(file, key, null))
        rows = frame[(frame["family"] == family) & (frame["metric"] == metric)]
        is_like = null.dtype.kind == "f" and null.ndim == 2 and len(rows) == len(null) > 0
        is_like = is_like and null.size > 0 and bool((rows["num_bases"] == null.shape[1]).all())
        if not is_like or not np.allclose(
            rows["null_mean"], null.mean(axis=1), rtol=1e-6, equal_nan=True
        ):
            raise InputError(
                f"{file}: not of the same test as {key} in the .npz beside it; test anew"
            )


def metrics_of(results: Sequence[SeedResult]) -> list[str]:
    """The metrics by which every seed was tested; those that no rotation changes are none."""
    tested = []
    for result in results:
        in_null = result.frame["family"].map(lambda name: FAMILIES[name].role == "null")
        names = result.frame.loc[in_null, "metric"].unique()
        tested.append([name for name in names if not is_invariant(name)])
    return [metric for metric in tested[0] if all(metric in other for other in tested)]
