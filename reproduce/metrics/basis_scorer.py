"""Metrics of a representation as it is, and of its latents in many bases at once."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Protocol

import numpy as np

from data import blocks
from reproduce.metrics.factor_vae_score import draw, group_covariances
from reproduce.metrics.information import InformationEngine, entropies
from reproduce.metrics.labelled_latents import LabelledLatents
from reproduce.metrics.modularity import thread_pools
from reproduce.metrics.registry import (
    METRICS,
    NUM_GROUPS,
    Covariance,
    Entropies,
    FitSettings,
    GroupRows,
    Groups,
    Information,
    check_factors,
)

_MAX_COVARIANCES = 2**29  # bytes of the groups' covariances; larger ones are not kept

Scores = dict[str, np.ndarray]


class Engine(Protocol):
    """What tells of the binned latents in many bases; see `InformationEngine`."""

    def __call__(self, bases: np.ndarray) -> np.ndarray:
        """Mutual information with the factors: float64 [b, m, k]."""

    def entropies(self, bases: np.ndarray) -> np.ndarray:
        """Of the latents themselves: float64 [b, m]."""


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
        points: LabelledLatents,
        metrics: Sequence[str],
        seed: int,
        device: str = "cpu",
        num_groups: int = NUM_GROUPS,
    ) -> None:
        """Computes what the metrics need whatever the basis.

        Args:
            points: What is scored.
            metrics: Some of `registry.OF_LATENTS`.
            seed: The seed of splits, groups of rows and fits: the same in every basis.
            device: `cpu`, or `gpu` for mutual information, with TensorFlow started.
            num_groups: As `FitSettings` has it.

        Raises:
            InputError: If a metric compares factors, and there is but one.
        """
        check_factors(metrics, points.factors.shape[1])
        self._points, self._settings = points, FitSettings(seed, num_groups)
        self._closed = [name for name in metrics if METRICS[name].source != "fit"]
        self._fitted = [name for name in metrics if METRICS[name].source == "fit"]
        sources = {METRICS[name].source for name in self._closed}
        if sources & {"information", "entropies"}:
            engine = _information_engine(device)
            self._engine = engine(points.latents, points.factors, points.eps)
            self.factor_entropies = entropies(points.factors)
        if "covariance" in sources:
            d = points.latents.shape[1]
            covariance = blocks.covariance(points.latents, points.factors)
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
        return self._engine(self._read_out(bases))

    def closed_forms(self, bases: np.ndarray, information: np.ndarray | None = None) -> Scores:
        """The metrics that need no fit, by column: float64 [b].

        Args:
            bases: float [b, d, m].
            information: What `information` gives for these bases, where it is known already.
        """
        scores: Scores = {}
        bases = self._read_out(bases)
        sources = {METRICS[name].source for name in self._closed}
        if sources & {"information", "entropies"}:
            known = self._engine(bases) if information is None else information
            scores |= self.of_information(known)
        if "entropies" in sources:
            own = Entropies(known, self._engine.entropies(bases), self.factor_entropies)
            scores |= self._computed("entropies", own)
        if "covariance" in sources:
            transposed = np.swapaxes(bases, 1, 2)
            covariance = Covariance(
                transposed @ self._covariance @ bases,
                transposed @ self._cross,
                self._factor_variances,
            )
            scores |= self._computed("covariance", covariance)
        if "groups" in sources:
            scores |= self._computed("groups", self._groups_in(bases))
        return scores

    def _read_out(self, bases: np.ndarray) -> np.ndarray:
        """Bases of the latents that are meant as bases of those that are kept."""
        readout = self._points.readout
        return bases if readout is None else readout @ bases

    def _groups_in(self, bases: np.ndarray) -> Groups | GroupRows:
        num_train = self._settings.num_groups
        if self._drawn is not None:
            return GroupRows(self._points.latents, self._drawn, num_train, bases)
        assert self._groups is not None
        return Groups(*self._groups, num_train, bases)

    def of_information(self, information: np.ndarray) -> Scores:
        """The metrics that are functions of mutual information alone, [b, m, k], by column."""
        return self._computed("information", Information(information, self.factor_entropies))

    def _computed(
        self, source: str, known: Information | Entropies | Covariance | Groups | GroupRows
    ) -> Scores:
        scores: Scores = {}
        for metric in (METRICS[name] for name in self._closed):
            if metric.source == source:
                found = metric.compute(known)
                values = found if metric.parts else (found,)
                scores |= dict(zip(metric.columns, values, strict=True))
        return scores

    def fits(
        self, bases: np.ndarray, workers: int = 1, progress: Callable[[], object] | None = None
    ) -> Iterator[dict[str, float]]:
        """The metrics that need a fit, by column, basis after basis.

        Args:
            bases: float [b, d, m].
            workers: Processes over which the bases are spread, or threads for a single one; the
                values do not depend on it.
            progress: Called after each factor of a single basis' fits that take long.
        """
        if not self._fitted:
            return
        threads = workers if len(bases) == 1 else 1
        told = progress if len(bases) == 1 else None
        settings = dataclasses.replace(self._settings, threads=threads, progress=told)
        own = dataclasses.replace(self._points, readout=None)
        jobs = [(own, self._fitted, settings, basis) for basis in self._read_out(bases)]
        if workers == 1 or len(jobs) == 1:
            yield from map(_fit, jobs)
            return
        with ProcessPoolExecutor(min(workers, len(jobs))) as pool:
            yield from pool.map(_fit, jobs)


def _fit(job: tuple[LabelledLatents, list[str], FitSettings, np.ndarray]) -> dict[str, float]:
    points, names, settings, basis = job
    scores: dict[str, float] = {}
    rotated = points.mapped(lambda latents: latents @ basis)
    with thread_pools().limit(limits=1), warnings.catch_warnings():
        # Programs say it once, as `Representation.identifiers` has it.
        warnings.filterwarnings("ignore", "The number of unique classes is greater than 50%")
        for name in names:
            metric = METRICS[name]
            scores |= dict(zip(metric.columns, metric.compute(rotated, settings), strict=True))
    return scores


def score(
    points: LabelledLatents,
    metrics: Sequence[str],
    seed: int,
    workers: int = 1,
    progress: Callable[[], object] | None = None,
) -> dict[str, float]:
    """The metrics of points in the basis that they have, by column, in the order of `metrics`."""
    scorer = BasisScorer(points, metrics, seed)
    identity = np.eye(points.dimension)[None]
    scores = {name: float(value[0]) for name, value in scorer.closed_forms(identity).items()}
    for fitted in scorer.fits(identity, workers, progress):
        scores |= fitted
    return {column: scores[column] for name in metrics for column in METRICS[name].columns}
