"""The field's metrics by name: a row for each, with all that programs need to know of it.

Adding a metric takes its file beside this one, and a row here. Rows import their metrics when
these are computed, so that names are checked before SciPy and scikit-learn load.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from data.files import InputError
from reproduce.metrics.labelled_latents import LabelledLatents

if TYPE_CHECKING:
    from reproduce.metrics.factor_vae_score import DrawnRows

NUM_GROUPS = 10_000  # disentanglement_lib's

Source = Literal["information", "entropies", "covariance", "groups", "fit", "runs", "decoder"]
DECODER_SIDE = "decoder_"  # begins a column that was computed from latents of the prior
CLOSED_FORMS = ("information", "entropies", "covariance", "groups")


@dataclasses.dataclass(frozen=True, eq=False)
class Information:
    """Mutual information of latents and factors in b bases of m axes.

    Attributes:
        values: float64 [b, m, k], nats.
        factor_entropies: float64 [k], nats.
    """

    values: np.ndarray
    factor_entropies: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False)
class Entropies:
    """`Information` and the entropies of the binned latents.

    Attributes:
        information: float64 [b, m, k], nats.
        latents: float64 [b, m], nats.
        factors: float64 [k], nats.
    """

    information: np.ndarray
    latents: np.ndarray
    factors: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False)
class Covariance:
    """Covariances of latents and factors in b bases of m axes.

    Attributes:
        latents: float64 [b, m, m].
        with_factors: float64 [b, m, k].
        factor_variances: float64 [k].
    """

    latents: np.ndarray
    with_factors: np.ndarray
    factor_variances: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False)
class Groups:
    """Covariances of rows that share a factor's value, and the bases in which they are scored.

    Attributes:
        whole: float64 [d, d], of all rows.
        groups: float64 [g, d, d], of each group of rows.
        factors: int64 [g], the factor that each group shares.
        num_train: How many of the groups train the classifier; the others evaluate it.
        bases: float64 [b, d, m].
    """

    whole: np.ndarray
    groups: np.ndarray
    factors: np.ndarray
    num_train: int
    bases: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False)
class GroupRows:
    """The rows of `Groups`, where covariances of that many latents would take too much memory.

    Attributes:
        latents: float64 [n, d].
        drawn: Which rows are in which group.
        num_train: How many of the groups train the classifier; the others evaluate it.
        bases: float64 [b, d, m].
    """

    latents: np.ndarray
    drawn: DrawnRows
    num_train: int
    bases: np.ndarray


@dataclasses.dataclass(frozen=True)
class FitSettings:
    """What metrics are computed with, besides latents and factors.

    Attributes:
        seed: The seed of splits, groups of rows and fits: the same in every basis.
        num_groups: Groups of rows that train the BetaVAE and FactorVAE scores; half as many
            evaluate them.
        threads: For a fit; no value depends on it.
        progress: Called after each factor of a fit that takes long.
    """

    seed: int
    num_groups: int = NUM_GROUPS
    threads: int = 1
    progress: Callable[[], object] | None = None

    def groups(self) -> dict[str, int]:
        """The numbers of groups by the names of the metrics' arguments."""
        return {"num_train": self.num_groups, "num_eval": self.num_groups // 2}


@dataclasses.dataclass(frozen=True)
class Metric:
    """A metric as the programs see it.

    Attributes:
        name: As flags and tables call it.
        source: What it is a function of. `information`, `entropies`, `covariance` and `groups` are
            closed forms, computed for many bases at once; a `fit` is made anew in every basis.
            `runs` compares several models, and `decoder` looks at a decoder: these are no functions
            of one file's latents and factors.
        compute: The function, by its source: from `Information`, `Entropies`, `Covariance`, or
            `Groups` or `GroupRows` to float64 [b], or one for each part; from (points,
            `FitSettings`) to the columns' values, for a fit; from latents [n, d] and KLs [d] of
            each model to float64 [models]; from a decoder and latents to a number.
        parts: What follows the name in its columns, where it has several values.
        sign: 1 where higher is better, -1 where lower is.
        invariant: Whether no rotation changes it but by regularisation, so that it gets no
            p-value; or the columns of which this holds.
        by_default: Whether `reproduce.score` computes it unless told otherwise.
        needs_grid: Whether every combination of the factors' values must be there exactly once.
        min_factors: How many factors it takes; it compares them where that is 2.
        seconds: About how long a fit takes that takes minutes and tells of each factor, from the
            number of latents, factors int [n, k] and threads; None for all others. A study of many
            tests makes fewer of such fits.
    """

    name: str
    source: Source
    compute: Callable[..., Any]
    parts: tuple[str, ...] = ()
    sign: int = 1
    invariant: tuple[str, ...] = ()
    by_default: bool = True
    needs_grid: bool = False
    min_factors: int = 1
    seconds: Callable[[int, np.ndarray, int], float] | None = None

    @property
    def is_slow(self) -> bool:
        """Whether a fit takes minutes."""
        return self.seconds is not None

    @property
    def columns(self) -> tuple[str, ...]:
        """What its rows are called; a test of bases uses them all."""
        return tuple(f"{self.name}_{part}" for part in self.parts) or (self.name,)


def _mig(known: Information) -> np.ndarray:
    from reproduce.metrics.mig import mig

    return mig(known.values, known.factor_entropies)


def _mig_sup(known: Information) -> np.ndarray:
    from reproduce.metrics.mig_sup import mig_sup

    return mig_sup(known.values, known.factor_entropies)


def _dcimig(known: Information) -> np.ndarray:
    from reproduce.metrics.dcimig import dcimig

    return dcimig(known.values, known.factor_entropies)


def _med(known: Information) -> tuple[np.ndarray, ...]:
    from reproduce.metrics.med import med

    return med(known.values)


def _jemmig(known: Entropies) -> np.ndarray:
    from reproduce.metrics.jemmig import jemmig

    return jemmig(known.information, known.latents, known.factors)


def _modularity(known: Information) -> np.ndarray:
    from reproduce.metrics.modularity import modularity

    return modularity(known.values)


def _sap_continuous(known: Covariance) -> np.ndarray:
    from reproduce.metrics.sap import sap_continuous_from_covariance

    return sap_continuous_from_covariance(known.latents, known.with_factors, known.factor_variances)


def _total_correlation(known: Covariance) -> np.ndarray:
    from reproduce.metrics.correlation import gaussian_total_correlation

    return gaussian_total_correlation(known.latents)


def _wasserstein_correlation(known: Covariance) -> np.ndarray:
    from reproduce.metrics.correlation import gaussian_wasserstein_correlation

    return gaussian_wasserstein_correlation(known.latents)


def _factor_vae(known: Groups | GroupRows) -> np.ndarray:
    from reproduce.metrics.factor_vae_score import (
        factor_vae_score_from_covariances,
        factor_vae_scores,
    )

    if isinstance(known, GroupRows):
        return factor_vae_scores(known.latents, known.drawn, known.num_train, known.bases)
    return factor_vae_score_from_covariances(
        known.whole, known.groups, known.factors, known.num_train, known.bases
    )


def _beta_vae(points: LabelledLatents, settings: FitSettings) -> tuple[float, ...]:
    from reproduce.metrics.beta_vae_score import beta_vae_score

    groups = settings.groups()
    return (beta_vae_score(points.latents, points.factors, seed=settings.seed, **groups),)


def _irs(points: LabelledLatents, settings: FitSettings) -> tuple[float, ...]:
    from reproduce.metrics.irs import irs

    del settings
    return (irs(points.latents, points.factors),)


def _sap(points: LabelledLatents, settings: FitSettings) -> tuple[float, ...]:
    from reproduce.metrics.sap import sap

    return (sap(*points.split(settings.seed)),)


def _explicitness(points: LabelledLatents, settings: FitSettings) -> tuple[float, ...]:
    from reproduce.metrics.modularity import explicitness

    return (explicitness(*points.split(settings.seed))[1],)  # the test figure


def _dci(points: LabelledLatents, settings: FitSettings) -> tuple[float, ...]:
    from reproduce.metrics.dci import dci

    split = points.split(settings.seed)
    found = dci(*split, seed=settings.seed, n_jobs=settings.threads, progress=settings.progress)
    return found.disentanglement, found.completeness, found.informativeness


def _dci_seconds(num_latents: int, factors: np.ndarray, threads: int) -> float:
    from reproduce.metrics import dci

    return dci.seconds(num_latents, factors, threads)


def _dci_linear(points: LabelledLatents, settings: FitSettings) -> tuple[float, ...]:
    from reproduce.metrics.dci import dci_linear

    split = points.split(settings.seed)
    found = dci_linear(*split, seed=settings.seed, n_jobs=settings.threads)
    return found.disentanglement, found.completeness, found.informativeness


def _dci_fast(points: LabelledLatents, settings: FitSettings) -> tuple[float, ...]:
    from reproduce.metrics.dci import dci_fast

    found = dci_fast(*points.split(settings.seed), seed=settings.seed)
    return found.disentanglement, found.completeness, found.informativeness


def _med_informativeness(points: LabelledLatents, settings: FitSettings) -> tuple[float, ...]:
    from reproduce.metrics.med import informativeness

    return (informativeness(*points.split(settings.seed))[1],)  # the test figure


def _infomec(points: LabelledLatents, settings: FitSettings) -> tuple[float, ...]:
    from reproduce.metrics.infomec import infomec

    del settings
    return infomec(points.latents, points.factors)


def _infoe(points: LabelledLatents, settings: FitSettings) -> tuple[float, ...]:
    from reproduce.metrics.infomec import infoe

    return (infoe(points.latents, points.factors, settings.progress),)


def _infoe_seconds(num_latents: int, factors: np.ndarray, threads: int) -> float:
    from reproduce.metrics import infomec

    del threads
    return infomec.seconds(num_latents, factors)


def _iwo(points: LabelledLatents, settings: FitSettings) -> tuple[float, ...]:
    from reproduce.metrics.iwo import iwo

    split = points.split(settings.seed)
    return iwo(*split, seed=settings.seed, progress=settings.progress)


def _iwo_seconds(num_latents: int, factors: np.ndarray, threads: int) -> float:
    from reproduce.metrics import iwo

    del threads
    return iwo.seconds(num_latents, factors)


def _ratio(part: str) -> Callable[[LabelledLatents, FitSettings], tuple[float, ...]]:
    """One of the ratios of a traversal, which takes a moment."""

    def compute(points: LabelledLatents, settings: FitSettings) -> tuple[float, ...]:
        from reproduce.metrics.axis_ratio import ratios

        del settings
        return (getattr(ratios(points.latents, points.factors), part),)

    return compute


def _factor_distances(points: LabelledLatents, settings: FitSettings) -> tuple[float, ...]:
    from reproduce.metrics.factor_distances import factor_distances

    del settings
    return factor_distances(points.latents, points.factors)


def _global_distances(points: LabelledLatents, settings: FitSettings) -> tuple[float, ...]:
    from reproduce.metrics.factor_distances import global_distances

    return global_distances(points.latents, points.factors, seed=settings.seed)


def _edi(points: LabelledLatents, settings: FitSettings) -> tuple[float, ...]:
    from reproduce.metrics.edi import edi

    return edi(points.latents, points.factors, seed=settings.seed)


def _dci_es(points: LabelledLatents, settings: FitSettings) -> tuple[float, ...]:
    from reproduce.metrics.dci_es import dci_es

    found = dci_es(*points.split(settings.seed), seed=settings.seed)
    return found.explicitness, found.size


def _udr(latents: Sequence[np.ndarray], kls: Sequence[np.ndarray] | None) -> np.ndarray:
    from reproduce.metrics.udr import udr

    return udr(latents, kls)


def _distance_to_orthogonality(decode: Callable[[Any], Any], latents: np.ndarray) -> float:
    from reproduce.metrics import distance_to_orthogonality as measure

    return float(measure.distance_to_orthogonality(measure.jacobians(decode, latents)))


_DCI = ("disentanglement", "completeness", "informativeness")
_MED = (
    "disentanglement",
    "completeness",
    "top1",
    "top1_completeness",
    "top2",
    "top2_completeness",
    "top3",
    "top3_completeness",
)
_DISTANCES = ("rsame_l1", "rcorr_l1", "lcorr_l1", "rsame_l2", "rcorr_l2", "lcorr_l2")
_ROWS = (
    Metric("mig", "information", _mig),
    Metric("mig_sup", "information", _mig_sup),
    Metric("modularity", "information", _modularity),
    Metric("dcimig", "information", _dcimig, by_default=False),
    Metric("med", "information", _med, _MED, by_default=False),
    Metric("jemmig", "entropies", _jemmig, by_default=False),
    Metric("sap_continuous", "covariance", _sap_continuous),
    Metric("gaussian_total_correlation", "covariance", _total_correlation, sign=-1),
    Metric("gaussian_wasserstein_correlation", "covariance", _wasserstein_correlation, sign=-1),
    Metric("factor_vae", "groups", _factor_vae),
    Metric("beta_vae", "fit", _beta_vae),
    Metric("irs", "fit", _irs),
    Metric("sap", "fit", _sap),
    Metric("explicitness", "fit", _explicitness, invariant=("explicitness",)),
    Metric("dci", "fit", _dci, _DCI, seconds=_dci_seconds),
    Metric(
        "dci_linear",
        "fit",
        _dci_linear,
        _DCI,
        invariant=("dci_linear_informativeness",),
        by_default=False,
    ),
    Metric("dci_fast", "fit", _dci_fast, _DCI, by_default=False),
    Metric(
        "med_informativeness",
        "fit",
        _med_informativeness,
        invariant=("med_informativeness",),
        by_default=False,
    ),
    Metric("infomec", "fit", _infomec, ("infom", "infoc"), by_default=False, min_factors=2),
    Metric("infoe", "fit", _infoe, invariant=("infoe",), by_default=False, seconds=_infoe_seconds),
    Metric(
        "iwo",
        "fit",
        _iwo,
        ("orthogonality", "rank"),
        invariant=("iwo_orthogonality", "iwo_rank"),
        by_default=False,
        min_factors=2,
        seconds=_iwo_seconds,
    ),
    Metric("axis_ratio", "fit", _ratio("axis"), by_default=False, needs_grid=True),
    Metric("axis_alignment", "fit", _ratio("alignment"), by_default=False, needs_grid=True),
    Metric(
        "linear_ratio",
        "fit",
        _ratio("linear"),
        invariant=("linear_ratio",),
        by_default=False,
        needs_grid=True,
    ),
    Metric(
        "factor_distances",
        "fit",
        _factor_distances,
        _DISTANCES,
        invariant=tuple(f"factor_distances_{part}" for part in _DISTANCES[3:]),
        by_default=False,
        needs_grid=True,
    ),
    Metric(
        "global_distances",
        "fit",
        _global_distances,
        _DISTANCES,
        invariant=tuple(f"global_distances_{part}" for part in _DISTANCES[3:]),
        by_default=False,
    ),
    Metric(
        "edi",
        "fit",
        _edi,
        ("modularity", "compactness", "explicitness"),
        by_default=False,
        min_factors=2,
    ),
    Metric(
        "dci_es",
        "fit",
        _dci_es,
        ("explicitness", "size"),
        invariant=("dci_es_explicitness", "dci_es_size"),
        by_default=False,
    ),
    Metric("udr", "runs", _udr, by_default=False),
    Metric("distance_to_orthogonality", "decoder", _distance_to_orthogonality, by_default=False),
)
METRICS = {metric.name: metric for metric in _ROWS}
# What one file's latents and factors decide, in any basis.
OF_LATENTS = tuple(m.name for m in _ROWS if m.source in (*CLOSED_FORMS, "fit"))
DEFAULT = tuple(metric.name for metric in _ROWS if metric.by_default)


def sign_of(column: str) -> int:
    """1 where a higher value of a column is better, -1 where a lower one is.

    Columns that are no metric of a representation, as traversal purity, are better when higher.
    """
    column = column.removeprefix(DECODER_SIDE)
    return next((metric.sign for metric in _ROWS if column in metric.columns), 1)


def is_invariant(column: str) -> bool:
    """Whether no rotation changes a column, but by regularisation."""
    return any(column.removeprefix(DECODER_SIDE) in metric.invariant for metric in _ROWS)


def check_metrics(names: Sequence[str], known: Sequence[str] = OF_LATENTS) -> None:
    """Checks names of metrics.

    Raises:
        InputError: If one is not among `known`, or named twice, or none is given.
    """
    check_names("metric", names, known)


def check_factors(names: Sequence[str], num_factors: int) -> None:
    """Checks that there are as many factors as metrics take.

    Raises:
        InputError: If one compares factors and there is a single one.
    """
    for metric in (METRICS[name] for name in names):
        if num_factors < metric.min_factors:
            raise InputError(
                f"{metric.name} compares factors, and there is {num_factors}; give "
                f"{metric.min_factors} or more, or leave {metric.name} out"
            )


def check_names(what: str, names: Sequence[str], known: Sequence[str]) -> None:
    """Checks names of things, each called a `what`.

    Raises:
        InputError: If one is not among `known`, or named twice, or none is given.
    """
    if not names:
        raise InputError(f"no {what} is named; expected some of {', '.join(known)}")
    for name in names:
        if name not in known:
            raise InputError(f"unknown {what} {name!r}; expected some of {', '.join(known)}")
        if list(names).count(name) > 1:
            raise InputError(f"the {what} {name} is named twice; name each once")
