"""The test itself: a representation's metrics in the learned basis against other bases."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pandas as pd

from data import random_streams
from data.files import InputError
from reproduce.basis import (
    bases,
    cherry_picking,
    decodability,
    factor_verdicts,
    significance,
    supervised_rotation,
)
from reproduce.basis.bases import FAMILIES, Family
from reproduce.basis.representation import Representation
from reproduce.metrics import registry
from reproduce.metrics.basis_scorer import BasisScorer, Scores
from reproduce.metrics.information import InformationEngine, entropies
from reproduce.metrics.labelled_latents import LabelledLatents
from reproduce.metrics.mig import gaps
from reproduce.metrics.mig_sup import axis_gaps
from reproduce.metrics.registry import METRICS, NUM_GROUPS, is_invariant, sign_of

COLUMNS = (
    "family",
    "metric",
    "observed",
    "null_mean",
    "null_sd",
    "null_max",
    "z",
    "p_value",
    "num_bases",
    "t",
    "p_max_t",
    "detectable",
    "rho",
    "found_on",
)
ALPHA = 0.05  # of the smallest detectable value
CONTROL_TOLERANCE = 0.005  # a signed permutation can move a value across a bin's edge
_GAPS = "mig by factor"  # beside the metrics' columns: float64 [b, k]
_BATCH = 256
_BATCH_NUMBERS = 2**22  # of a batch of Haar draws
SAMPLE = 2**23  # numbers of large latents to which components and supervised rotations are fitted

Progress = Callable[[int], object]


def _no_progress(done: int) -> None:
    del done


@dataclasses.dataclass(frozen=True)
class Plan:
    """How hard a representation is tested.

    Attributes:
        families: Keys of `bases.FAMILIES`.
        metrics: Some of `registry.OF_LATENTS`.
        num_bases: Draws of each null family, for metrics that need no fit.
        num_fits: Draws for those that do, the first of the same.
        seed: The seed of draws, splits and fits; each family has its own stream, whichever
            others are asked for.
        workers: Processes for fits; no value depends on it.
        device: `cpu` or `gpu`, for mutual information.
        num_groups: Groups of rows that train the BetaVAE and FactorVAE scores.
        num_exploratory: Draws of null families by which no verdict is made; None: as many.
        table_only: Leaves out what the table does not need: cherry-picking, and verdicts by factor.
    """

    families: Sequence[str]
    metrics: Sequence[str]
    num_bases: int = 9999
    num_fits: int = 99
    seed: int = 0
    workers: int = 1
    device: str = "cpu"
    num_groups: int = NUM_GROUPS
    num_exploratory: int | None = None
    table_only: bool = False

    def __post_init__(self) -> None:
        bases.check_families(self.families)
        registry.check_metrics(self.metrics)
        for name, least in (("num_bases", 1), ("num_fits", 1), ("seed", 0), ("workers", 1)):
            value = getattr(self, name)
            if not isinstance(value, (int, np.integer)) or value < least:
                raise InputError(f"{name} is {value!r}; expected a whole number from {least} on")

    def total(self) -> int:
        """How many bases are evaluated, for a progress bar: fits count by themselves."""
        fits = any(METRICS[metric].source == "fit" for metric in self.metrics)
        total = 0
        for name in self.families:
            family = FAMILIES[name]
            if family.role == "supervised_rotation":
                continue
            points = len(bases.GEODESIC_TIMES) if family.role == "interpolation" else 1
            total += 1 + fits + points * self.count(family)
            total += min(self.count(family), self.num_fits) if fits and family.draw else 0
        return total

    def count(self, family: Family) -> int:
        """How many bases of a family are drawn."""
        if family.draw is None:
            return 0
        is_exploratory = family.role == "null" and not family.is_confirmatory
        wanted = self.num_exploratory if is_exploratory else None
        return min(self.num_bases, family.max_bases or self.num_bases, wanted or self.num_bases)


@dataclasses.dataclass(frozen=True, eq=False)
class Assessment:
    """What a test found.

    Attributes:
        table: The columns `COLUMNS`, a row for each family and metric. `observed` is the learned
            basis' value; in a row of a reference or supervised rotation, that of the basis found.
            Only null families have `z`, `p_value` and what follows from them, for which metrics
            where lower is better are negated; an interpolation curve has a row for each t.
        nulls: The draws' values by "family/metric": float64 [bases], or [times, bases].
        cherry_picking: As `cherry_picking.curve` gives it, from haar_active; None without that,
            and of a plan of the table only, as are the others.
        by_factor: As `factor_verdicts.judge` gives it, of each null family; None without MIG.
        shares: As `factor_verdicts.shares` gives it, of all latents; None without MIG.
    """

    table: pd.DataFrame
    nulls: dict[str, np.ndarray]
    cherry_picking: pd.DataFrame | None
    by_factor: pd.DataFrame | None = None
    shares: pd.DataFrame | None = None


def assess(
    representation: Representation, plan: Plan, progress: Progress = _no_progress
) -> Assessment:
    """Tests the learned basis of a representation against families of other bases.

    Args:
        representation: What is tested.
        plan: Families, metrics, numbers and seed.
        progress: Called with the number of bases evaluated since the last call.

    Raises:
        InputError: If too few latents are active for a family.
    """
    if not representation.factor_names:
        return _nothing_to_score(plan)
    rows: list[dict[str, object]] = []
    nulls: dict[str, np.ndarray] = {}
    picked = None
    tested: list[factor_verdicts.Tested] = []
    for name in plan.families:
        family = FAMILIES[name]
        rng = random_streams.of_family(plan.seed, name)
        points = family.points(representation)
        if family.role == "supervised_rotation":
            rows += _supervised_rotation(name, points, plan, rng)
            continue
        learned = family.learned(representation) if family.learned else None
        test = _FamilyTest(name, points, learned, plan, progress)
        if family.fit is not None:
            fitted = _in_memory(points, plan.seed)
            rows += test.reference(family.fit(fitted.latents, plan.seed, fitted.eps))
        elif family.role == "interpolation":
            rows += test.interpolation_curves(_draw(family, plan, points, rng), nulls)
        else:
            rows += test.null(_draw(family, plan, points, rng), nulls, family.role == "null")
            if family.is_confirmatory and test.gaps is not None and not plan.table_only:
                tested.append(test.by_factor(representation))
        if name == "haar_active" and "mig" in plan.metrics and not plan.table_only:
            picked = test.cherry_picking(family, rng)
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return Assessment(table, nulls, picked, *_judge_factors(representation, tested, plan))


def _judge_factors(
    representation: Representation, tested: Sequence[factor_verdicts.Tested], plan: Plan
) -> tuple[pd.DataFrame | None, pd.DataFrame | None]:
    """Verdicts by factor against each null, and what all latents tell about each factor."""
    if not tested:
        return None, None
    names, points = representation.factor_names, representation.points()
    factor_entropies = entropies(points.factors)
    fitted = _in_memory(points, plan.seed)
    r2 = decodability.held_out_r2(fitted.latents, fitted.factors, plan.seed)
    verdicts = [
        factor_verdicts.judge(one, factor_entropies, names, r2, plan.seed) for one in tested
    ]
    engine = InformationEngine(points.latents, points.factors, points.eps)
    known = engine(np.eye(points.latents.shape[1])[None])[0]
    shares = factor_verdicts.shares(known, factor_entropies, names)
    return pd.concat(verdicts, ignore_index=True), shares


def _nothing_to_score(plan: Plan) -> Assessment:
    """The assessment of a decoder whose images are all alike: no value is a number."""
    rows, nulls = [], {}
    columns = [column for name in plan.metrics for column in METRICS[name].columns]
    for family in (name for name in plan.families if FAMILIES[name].role == "null"):
        for column in columns:
            null = nulls[f"{family}/{column}"] = np.full(plan.num_bases, np.nan)
            rows.append({"family": family, "metric": column, **_summary(null)})
    return Assessment(pd.DataFrame(rows, columns=list(COLUMNS)), nulls, None)


def _in_memory(points: LabelledLatents, seed: int) -> LabelledLatents:
    """Points that can be copied: all, or of large ones a sample, for what is fitted to them."""
    if not points.is_large:
        return points
    return points.sample(SAMPLE, random_streams.generator(seed, random_streams.SAMPLED_ROWS))


def control_drifts(table: pd.DataFrame, nulls: dict[str, np.ndarray]) -> dict[str, float]:
    """How far each metric moved under signed permutations, at most; empty if none were drawn."""
    drifts = {}
    for row in table.to_dict("records"):
        if FAMILIES[row["family"]].role == "control":
            null = nulls[f"{row['family']}/{row['metric']}"]
            drifts[str(row["metric"])] = float(np.abs(null - row["observed"]).max())
    return drifts


def _draw(
    family: Family, plan: Plan, points: LabelledLatents, rng: np.random.Generator
) -> Iterator[np.ndarray]:
    """The family's draws in batches, so that memory stays bounded."""
    assert family.draw is not None
    count, d = plan.count(family), points.dimension
    batch = _BATCH
    if family.draw is bases.haar or points.is_large:  # Haar draws are the same in any batches
        batch = min(_BATCH, max(1, _BATCH_NUMBERS // d**2))
    for start in range(0, count, batch):
        yield family.draw(min(batch, count - start), d, rng)


class _FamilyTest:
    """One family's rows: the learned basis first, then whatever it is compared with."""

    def __init__(
        self,
        name: str,
        points: LabelledLatents,
        learned: np.ndarray | None,
        plan: Plan,
        progress: Progress,
    ) -> None:
        self._name, self._points, self._plan, self._progress = name, points, plan, progress
        self._scorer = BasisScorer(points, plan.metrics, plan.seed, plan.device, plan.num_groups)
        self._learned = (np.eye(points.dimension) if learned is None else learned)[None]
        self.gaps: np.ndarray | None = None  # of a null's draws, by factor: float64 [b, k]

    def _score(self, many: np.ndarray, num_fits: int) -> Scores:
        """Closed forms of all bases, and fits of the first `num_fits` of them, by column."""
        known = self._scorer.information(many) if "mig" in self._plan.metrics else None
        scores = self._scorer.closed_forms(many, known)
        if known is not None:
            scores[_GAPS] = gaps(known, self._scorer.factor_entropies)
        self._progress(len(many))
        fits = []
        for fitted in self._scorer.fits(many[:num_fits], self._plan.workers):
            fits.append(fitted)
            self._progress(1)
        for column in fits[0] if fits else ():
            scores[column] = np.array([fitted[column] for fitted in fits])
        return scores

    def _score_all(self, batches: Iterator[np.ndarray], num_fits: int) -> Scores:
        chunks: dict[str, list[np.ndarray]] = {}
        done = 0
        for batch in batches:
            for column, values in self._score(batch, max(0, num_fits - done)).items():
                chunks.setdefault(column, []).append(values)
            done += len(batch)
        return {column: np.concatenate(values) for column, values in chunks.items()}

    def _observed(self) -> Scores:
        scores = self._score(self._learned, 1)
        ordered = [column for name in self._plan.metrics for column in METRICS[name].columns]
        return {column: scores[column] for column in ordered}

    def _row(self, column: str, observed: float, **entries: float) -> dict[str, object]:
        return {"family": self._name, "metric": column, "observed": float(observed), **entries}

    def reference(self, basis: np.ndarray) -> list[dict[str, object]]:
        """Rows of a basis that another method found."""
        scores = self._score(basis[None], 1)
        return [
            self._row(column, value[0], num_bases=1)
            for column, value in scores.items()
            if column != _GAPS and not is_invariant(column)
        ]

    def null(
        self, batches: Iterator[np.ndarray], nulls: dict[str, np.ndarray], with_p: bool
    ) -> list[dict[str, object]]:
        """Rows of a null or a control; the draws are added to `nulls`."""
        observed = self._observed()
        drawn = self._score_all(batches, self._plan.num_fits)
        self.gaps = drawn.pop(_GAPS, None)
        rows = []
        for column, value in observed.items():
            null = drawn[column]
            nulls[f"{self._name}/{column}"] = null
            row = self._row(column, value[0], **_summary(null))
            if with_p and not is_invariant(column):
                sign = sign_of(column)
                row["z"] = significance.z_score(sign * value[0], sign * null)
                row["p_value"] = significance.p_value(sign * value[0], sign * null)
                row["detectable"] = sign * significance.smallest_detectable(sign * null, ALPHA)
            rows.append(row)
        _add_max_t([row for row in rows if "p_value" in row], nulls)
        return rows

    def interpolation_curves(
        self, batches: Iterator[np.ndarray], nulls: dict[str, np.ndarray]
    ) -> list[dict[str, object]]:
        """Rows of the points on the way to each draw, t after t."""
        observed = self._observed()
        by_time: list[dict[str, list[np.ndarray]]] = [{} for _ in bases.GEODESIC_TIMES]
        done = 0
        for batch in batches:
            paths = np.stack([bases.geodesic(rotation) for rotation in batch], axis=1)
            for chunks, many in zip(by_time, paths, strict=True):
                for column, values in self._score(many, max(0, self._plan.num_fits - done)).items():
                    chunks.setdefault(column, []).append(values)
            done += len(batch)
        rows = []
        for column, value in observed.items():
            drawn = [np.concatenate(chunks[column]) for chunks in by_time]
            nulls[f"{self._name}/{column}"] = np.stack(drawn)
            for time, null in zip(bases.GEODESIC_TIMES, drawn, strict=True):
                rows.append(self._row(column, value[0], **_summary(null), t=time))
        return rows

    def by_factor(self, representation: Representation) -> factor_verdicts.Tested:
        """What the null family just tested says of each factor."""
        assert self.gaps is not None
        family, points = FAMILIES[self._name], _in_memory(self._points, self._plan.seed)
        axes = representation.active() if family.needs_active else np.arange(len(self._learned[0]))
        known = self._scorer.information(self._learned)[0]
        return factor_verdicts.Tested(
            self._name, points.latents, points.factors, known, self.gaps, axes
        )

    def cherry_picking(self, family: Family, rng: np.random.Generator) -> pd.DataFrame:
        """The best k learned axes against the best k of the family's random bases."""

        def gaps(many: np.ndarray) -> np.ndarray:
            return axis_gaps(self._scorer.information(many), self._scorer.factor_entropies)

        plan = dataclasses.replace(self._plan, num_bases=min(self._plan.num_bases, 999))
        random = [gaps(many) for many in _draw(family, plan, self._points, rng)]
        return cherry_picking.curve(gaps(self._learned)[0], np.concatenate(random), rng)


def _supervised_rotation(
    name: str, points: LabelledLatents, plan: Plan, rng: np.random.Generator
) -> list[dict[str, object]]:
    """Rows of the supervised rotation: found on one half of the points, scored on the other.

    `null_*` are Haar rotations on that other half, and rho is where the learned basis stands
    between their mean and the rotation's, on the same half (see paper/protocol.md); `found_on` is
    the rotation's value on the half that it was found on. The search starts from the learned basis,
    from principal and independent components, and from random rotations. Metrics that
    need a fit, or have several values, have no such row: a search takes thousands of bases. A
    factor of which a half has one class alone tells nothing there, and is left out.

    Raises:
        InputError: If no factor has two classes in both halves.
    """
    points = _in_memory(points, plan.seed)
    order = rng.permutation(len(points.latents))
    half = len(order) // 2
    halves = [points.rows(order[:half]), points.rows(order[half:])]
    varies = np.all([_varies(part.factors) for part in halves], axis=0)
    if not varies.any():
        raise InputError(
            f"{name}: no factor has two classes in both halves of the {len(order)} points; give "
            "more points, or test other families"
        )
    found_on, scored_on = (
        dataclasses.replace(part, factors=part.factors[:, varies]) for part in halves
    )
    identity = np.eye(points.dimension)
    family = FAMILIES[name]
    draws = np.concatenate(list(_draw(family, plan, points, rng)))
    found = [fit(points.latents, plan.seed, points.eps) for fit in _STARTS]
    random = bases.haar(_RANDOM_STARTS, points.dimension, rng)
    starts = np.stack([identity, *map(_orthogonal, found), *random])
    rows: list[dict[str, object]] = []
    for metric in plan.metrics:
        if METRICS[metric].source == "fit" or METRICS[metric].parts:
            continue
        search = BasisScorer(found_on, [metric], plan.seed, num_groups=plan.num_groups)
        best = supervised_rotation.best_rotation(_objective(search, metric), starts)
        held_out = BasisScorer(scored_on, [metric], plan.seed, num_groups=plan.num_groups)
        top, learned = held_out.closed_forms(np.stack([best, identity]))[metric]
        null = held_out.closed_forms(draws)[metric]
        span = top - null.mean()
        row = {"family": name, "metric": metric, "observed": float(top), **_summary(null)}
        row["rho"] = float((learned - null.mean()) / span) if span else float("nan")
        row["found_on"] = float(search.closed_forms(best[None])[metric][0])
        rows.append(row)
    return rows


def _varies(factors: np.ndarray) -> np.ndarray:
    """Which factors int [n, k] have more than one class: bool [k]."""
    return (factors != factors[:1]).any(axis=0)


_STARTS = (bases.pca, bases.fast_ica)
_RANDOM_STARTS = 20


def _objective(scorer: BasisScorer, metric: str) -> supervised_rotation.Objective:
    """A metric that needs no fit, in the form in which it is climbed."""
    sign = sign_of(metric)
    if METRICS[metric].source == "information":
        return supervised_rotation.Objective(
            scorer.information, lambda known: sign * scorer.of_information(known)[metric]
        )
    return supervised_rotation.of_bases(lambda many: sign * scorer.closed_forms(many)[metric])


def _orthogonal(basis: np.ndarray) -> np.ndarray:
    """The rotation closest to a basis [m, r] whose axes are first scaled to unit length.

    Its first r columns are the basis' own; further ones fill the space up.
    """
    u, _, v = np.linalg.svd(basis / np.linalg.norm(basis, axis=0))
    r = len(v)
    return np.hstack([u[:, :r] @ v, u[:, r:]])


def _add_max_t(rows: list[dict[str, object]], nulls: dict[str, np.ndarray]) -> None:
    """Adds p-values adjusted over metrics by the largest studentised value of shared bases.

    Metrics that need a fit have fewer draws, and are a group of their own.
    """
    for count in {len(nulls[f"{row['family']}/{row['metric']}"]) for row in rows}:
        group = [r for r in rows if len(nulls[f"{r['family']}/{r['metric']}"]) == count]
        observed, null = [], []
        for row in group:
            values = sign_of(str(row["metric"])) * nulls[f"{row['family']}/{row['metric']}"]
            sd = values.std(ddof=1) if len(values) > 1 else 0.0
            if not sd > significance.TIE or np.isnan(float(str(row["z"]))):
                continue  # nothing to studentise: this metric cannot tell bases apart
            null.append((values - values.mean()) / sd)
            observed.append((row, float(str(row["z"]))))
        for row, z in observed:
            row["p_max_t"] = significance.p_value(z, np.max(null, axis=0))


def _summary(null: np.ndarray) -> dict[str, float]:
    return {
        "null_mean": float(null.mean()),
        "null_sd": float(null.std(ddof=1)) if len(null) > 1 else float("nan"),
        "null_max": float(null.max()),
        "num_bases": len(null),
    }
