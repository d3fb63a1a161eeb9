"""Every metric by name: of a representation as it is, and of its latents in many bases at once."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Literal

import numpy as np

from data.files import InputError
from reproduce.metrics import dci as dci_module
from reproduce.metrics.beta_vae_score import beta_vae_score
from reproduce.metrics.correlation import (
    gaussian_total_correlation,
    gaussian_wasserstein_correlation,
)
from reproduce.metrics.dci_es import dci_es
from reproduce.metrics.factor_vae_score import (
    draw,
    factor_vae_score_from_covariances,
    factor_vae_scores,
    group_covariances,
)
from reproduce.metrics.information import InformationEngine, entropies
from reproduce.metrics.irs import irs
from reproduce.metrics.mig import mig
from reproduce.metrics.mig_sup import mig_sup
from reproduce.metrics.modularity import explicitness, modularity, thread_pools
from reproduce.metrics.sap import sap, sap_continuous_from_covariance
from reproduce.metrics.udr import udr
from reproduce.points import Points
from reproduce.representation import Representation

NUM_GROUPS = 10_000  # disentanglement_lib's
_MAX_COVARIANCES = 2**29  # bytes of the groups' covariances; larger ones are not kept

Scores = dict[str, np.ndarray]
Engine = Callable[[np.ndarray], np.ndarray]  # bases [b, d, m] to mutual information [b, m, k]


@dataclasses.dataclass(frozen=True)
class Settings:
    """What metrics are computed with, besides points.

    Attributes:
        seed: Of splits, groups of rows and fits: the same in every basis.
        num_groups: Groups of rows that train the BetaVAE and FactorVAE scores; half as many
            evaluate them.
        threads: For a fit; no value depends on it.
        progress: Called after each part of a fit that takes long.
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
        source: What it is a function of: `information`, `covariance` and `groups` (of rows that
            share a factor's value) are computed for many bases at once; `fit` needs its own fit
            for every basis.
        columns: What its rows are called; a test of bases uses them all.
        sign: 1 where higher is better, -1 where lower is.
        invariant: Columns that no rotation changes but by regularisation; they get no p-value.
        fit: For the source `fit`: (points, settings) to the columns' values.
    """

    source: Literal["information", "covariance", "groups", "fit"]
    columns: tuple[str, ...]
    sign: int = 1
    invariant: tuple[str, ...] = ()
    fit: Callable[[Points, Settings], tuple[float, ...]] | None = None


def _dci(points: Points, settings: Settings) -> tuple[float, ...]:
    split = points.split(settings.seed)
    found = dci_module.dci(
        *split, seed=settings.seed, n_jobs=settings.threads, progress=settings.progress
    )
    return found.disentanglement, found.completeness, found.informativeness


def _dci_linear(points: Points, settings: Settings) -> tuple[float, ...]:
    split = points.split(settings.seed)
    found = dci_module.dci_linear(*split, seed=settings.seed, n_jobs=settings.threads)
    return found.disentanglement, found.completeness, found.informativeness


def _dci_es(points: Points, settings: Settings) -> tuple[float, ...]:
    found = dci_es(*points.split(settings.seed), seed=settings.seed)
    return found.explicitness, found.size


def _columns(prefix: str) -> tuple[str, ...]:
    return tuple(
        f"{prefix}_{part}" for part in ("disentanglement", "completeness", "informativeness")
    )


METRICS: dict[str, Metric] = {
    "mig": Metric("information", ("mig",)),
    "mig_sup": Metric("information", ("mig_sup",)),
    "modularity": Metric("information", ("modularity",)),
    "sap_continuous": Metric("covariance", ("sap_continuous",)),
    "gaussian_total_correlation": Metric("covariance", ("gaussian_total_correlation",), -1),
    "gaussian_wasserstein_correlation": Metric(
        "covariance", ("gaussian_wasserstein_correlation",), -1
    ),
    "factor_vae": Metric("groups", ("factor_vae",)),
    "beta_vae": Metric(
        "fit",
        ("beta_vae",),
        fit=lambda points, settings: (
            beta_vae_score(points.latents, points.factors, seed=settings.seed, **settings.groups()),
        ),
    ),
    "irs": Metric(
        "fit", ("irs",), fit=lambda points, settings: (irs(points.latents, points.factors),)
    ),
    "sap": Metric(
        "fit", ("sap",), fit=lambda points, settings: (sap(*points.split(settings.seed)),)
    ),
    "explicitness": Metric(
        "fit",
        ("explicitness",),
        invariant=("explicitness",),
        fit=lambda points, settings: (explicitness(*points.split(settings.seed))[1],),
    ),
    "dci": Metric("fit", _columns("dci"), fit=_dci),
    "dci_linear": Metric(
        "fit",
        _columns("dci_linear"),
        invariant=("dci_linear_informativeness",),
        fit=_dci_linear,
    ),
    "dci_es": Metric(
        "fit",
        ("dci_es_explicitness", "dci_es_size"),
        invariant=("dci_es_explicitness", "dci_es_size"),
        fit=_dci_es,
    ),
}


def sign_of(column: str) -> int:
    """1 where a higher value of a column is better, -1 where a lower one is.

    Columns that are no metric of a representation, as traversal purity, are better when higher.
    """
    return next((metric.sign for metric in METRICS.values() if column in metric.columns), 1)


def is_invariant(column: str) -> bool:
    """Whether no rotation changes a column, but by regularisation."""
    return any(column in metric.invariant for metric in METRICS.values())


def _information_engine(device: str) -> Callable[[np.ndarray, np.ndarray, float], Engine]:
    if device == "cpu":
        return InformationEngine
    from reproduce.metrics.information_tensorflow import TensorFlowInformationEngine

    return TensorFlowInformationEngine


class BasisScorer:
    """The metrics of the same points in many bases; built once, called on batches.

    Its memory does not grow with the number of bases.
    """

    def __init__(
        self,
        points: Points,
        metrics: Sequence[str],
        seed: int,
        device: str = "cpu",
        num_groups: int = NUM_GROUPS,
    ) -> None:
        """Computes what the metrics need whatever the basis.

        Args:
            points: What is scored.
            metrics: Keys of `METRICS`.
            seed: Of splits, groups of rows and fits: the same in every basis.
            device: `cpu`, or `gpu` for mutual information, with TensorFlow started.
            num_groups: As `Settings` has it.
        """
        self._points, self._settings = points, Settings(seed, num_groups)
        self._closed = [name for name in metrics if METRICS[name].source != "fit"]
        self._fitted = [name for name in metrics if METRICS[name].source == "fit"]
        sources = {METRICS[name].source for name in self._closed}
        if "information" in sources:
            engine = _information_engine(device)
            self._engine = engine(points.latents, points.factors, points.eps)
            self.factor_entropies = entropies(points.factors)
        if "covariance" in sources:
            d = points.latents.shape[1]
            covariance = np.cov(np.hstack([points.latents, points.factors]), rowvar=False)
            self._covariance, self._cross = covariance[:d, :d], covariance[:d, d:]
            self._factor_variances = np.diagonal(covariance)[d:]
        if "groups" in sources:
            rng = np.random.default_rng(seed)
            groups = self._settings.groups()
            d = points.latents.shape[1]
            self._drawn, self._groups = None, None
            if 8 * sum(groups.values()) * d**2 > _MAX_COVARIANCES:
                self._drawn = draw(points.factors, rng, **groups)
            else:
                self._groups = group_covariances(points.latents, points.factors, rng, **groups)

    def information(self, bases: np.ndarray) -> np.ndarray:
        """Mutual information in each basis, as `InformationEngine` gives it."""
        return self._engine(bases)

    def closed_forms(self, bases: np.ndarray, information: np.ndarray | None = None) -> Scores:
        """The metrics that need no fit, by column: float64 [b].

        Args:
            bases: float [b, d, m].
            information: Of these bases, where it is known already.
        """
        scores: Scores = {}
        sources = {METRICS[name].source for name in self._closed}
        if "information" in sources:
            known = self._engine(bases) if information is None else information
            scores |= self.of_information(known)
        if "covariance" in sources:
            turned = np.swapaxes(bases, 1, 2) @ self._covariance @ bases
        for name in self._closed:
            if METRICS[name].source == "information":
                continue
            if name == "sap_continuous":
                cross = np.swapaxes(bases, 1, 2) @ self._cross
                scores[name] = sap_continuous_from_covariance(turned, cross, self._factor_variances)
            elif name == "gaussian_total_correlation":
                scores[name] = gaussian_total_correlation(turned)
            elif name == "gaussian_wasserstein_correlation":
                scores[name] = gaussian_wasserstein_correlation(turned)
            elif self._drawn is not None:
                scores[name] = factor_vae_scores(
                    self._points.latents, self._drawn, self._settings.num_groups, bases
                )
            else:
                assert self._groups is not None
                whole, groups, group_factors = self._groups
                scores[name] = factor_vae_score_from_covariances(
                    whole, groups, group_factors, self._settings.num_groups, bases
                )
        return scores

    def of_information(self, information: np.ndarray) -> Scores:
        """The metrics that are functions of mutual information alone, [b, m, k], by column."""
        scores: Scores = {}
        for name in self._closed:
            if name == "mig":
                scores[name] = mig(information, self.factor_entropies)
            elif name == "mig_sup":
                scores[name] = mig_sup(information, self.factor_entropies)
            elif name == "modularity":
                scores[name] = modularity(information)
        return scores

    def fits(
        self, bases: np.ndarray, workers: int = 1, progress: Callable[[], object] | None = None
    ) -> Iterator[dict[str, float]]:
        """The metrics that need a fit, by column, basis after basis.

        Args:
            bases: float [b, d, m].
            workers: Processes over which the bases are spread, or threads for a single one; the
                values do not depend on it.
            progress: Called after each part of a single basis' fits that takes long.
        """
        if not self._fitted:
            return
        threads = workers if len(bases) == 1 else 1
        told = progress if len(bases) == 1 else None
        settings = dataclasses.replace(self._settings, threads=threads, progress=told)
        jobs = [(self._points, self._fitted, settings, basis) for basis in bases]
        if workers == 1 or len(jobs) == 1:
            yield from map(_fit, jobs)
            return
        with ProcessPoolExecutor(min(workers, len(jobs))) as pool:
            yield from pool.map(_fit, jobs)


def _fit(job: tuple[Points, list[str], Settings, np.ndarray]) -> dict[str, float]:
    points, names, settings, basis = job
    scores: dict[str, float] = {}
    rotated = points.mapped(lambda latents: latents @ basis)
    with thread_pools().limit(limits=1):
        for name in names:
            metric = METRICS[name]
            assert metric.fit is not None
            scores |= dict(zip(metric.columns, metric.fit(rotated, settings), strict=True))
    return scores


def score(
    points: Points,
    metrics: Sequence[str],
    seed: int,
    workers: int = 1,
    progress: Callable[[], object] | None = None,
) -> dict[str, float]:
    """The metrics of points in the basis that they have, by column, in the order of `metrics`."""
    scorer = BasisScorer(points, metrics, seed)
    identity = np.eye(points.latents.shape[1])[None]
    scores = {name: float(value[0]) for name, value in scorer.closed_forms(identity).items()}
    for fitted in scorer.fits(identity, workers, progress):
        scores |= fitted
    return {column: scores[column] for name in metrics for column in METRICS[name].columns}


def agreement(representations: Sequence[Representation]) -> np.ndarray:
    """UDR of models that encoded the same images: float64 [models].

    Raises:
        InputError: If there are fewer than two, or the images' factors differ.
    """
    if len(representations) < 2:
        raise InputError("udr compares models: give two or more --representation, with commas")
    first = representations[0].factors
    if not all(np.array_equal(other.factors, first) for other in representations[1:]):
        raise InputError("udr compares models on the same images; these files' factors differ")
    kls = [other.marginal_kl() for other in representations]
    known = [kl for kl in kls if kl is not None]
    return udr([r.latents for r in representations], known if len(known) == len(kls) else None)
