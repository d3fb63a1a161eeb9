"""How the test does where the truth is known: calibration under the null, power against an effect.

The points are synthetic, for both need the truth and hundreds of null distributions.
"""

from __future__ import annotations

import dataclasses
import itertools
import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import numpy as np
import pandas as pd
import scipy.stats

from data.numba_cache import numba
from reproduce.basis import assessment, bases, significance
from reproduce.basis.assessment import Progress
from reproduce.basis.representation import Representation
from reproduce.metrics.labelled_latents import LabelledLatents
from reproduce.metrics.registry import METRICS

LEVELS = (0.01, 0.05, 0.1, 0.5)
HAAR = ("haar_active", "haar")
BOTH = "haar_active and haar"  # what a verdict asks for: the larger of the two p-values
CALIBRATION_COLUMNS = (
    "null",
    "family",
    "metric",
    "repetitions",
    "num_bases",
    *(f"share_{level}" for level in LEVELS),
    "tail",
    "uniform",
    "ties",
)
POWER_COLUMNS = (
    "t",
    "family",
    "metric",
    "num_bases",
    "level",
    "power",
    "low",
    "high",
    "repetitions",
)
_QUICK = ("information", "entropies", "covariance")
_NUM_GROUPS = 500  # for the BetaVAE and FactorVAE scores; the full 10,000 would take days


@dataclasses.dataclass(frozen=True)
class Null:
    """Representations of which the null hypothesis is true: the learned basis is one more draw.

    Attributes:
        name: In the table.
        families: Those of which the basis is one more draw, but for `haar_active`'s scaling.
        learned: From aligned points and a generator to the latents in the drawn basis.
    """

    name: str
    families: tuple[str, ...]
    learned: Callable[[LabelledLatents, np.random.Generator], np.ndarray]


def _rotated(points: LabelledLatents, rng: np.random.Generator) -> np.ndarray:
    return points.latents @ bases.haar(1, points.latents.shape[1], rng)[0]


def _rotated_unequal(points: LabelledLatents, rng: np.random.Generator) -> np.ndarray:
    scales = np.geomspace(1, 0.3, points.latents.shape[1])
    return _rotated(points.mapped(lambda latents: latents * scales), rng)


def _mapped_linearly(points: LabelledLatents, rng: np.random.Generator) -> np.ndarray:
    return bases.whiten(points).latents @ bases.general_linear(1, points.latents.shape[1], rng)[0]


def _rotated_whitened(points: LabelledLatents, rng: np.random.Generator) -> np.ndarray:
    return _rotated(bases.whiten(points), rng)


# Scaling each active latent to variance 1 does not commute with rotations. It does nothing where
# the points are a round cloud, so only an oblong one can show what that does to p.
NULLS = (
    Null("rotation of a round cloud", HAAR, _rotated),
    Null("rotation of an oblong cloud", HAAR, _rotated_unequal),
    Null("linear map", ("general_linear", "general_linear_traversal"), _mapped_linearly),
    Null("rotation of a round cloud, by pairs", ("sparse",), _rotated),
    Null("rotation of the whitened cloud", ("haar_data",), _rotated_whitened),
)


@dataclasses.dataclass(frozen=True)
class Design:
    """The size of the points, and what is asked about them.

    Attributes:
        metrics: Some of `registry.OF_LATENTS`.
        nulls: For calibration: some of `NULLS`.
        num_bases: Draws of each null family.
        num_points: Points.
        num_latents: Latents, the first of which carry a factor each.
        num_factors: Factors, at most as many.
        num_classes: Values of each.
        noise: Its standard deviation, where a factor gives its latent one of 1.
    """

    metrics: tuple[str, ...]
    nulls: tuple[Null, ...] = NULLS
    num_bases: int = 99
    num_points: int = 150
    num_latents: int = 3
    num_factors: int = 2
    num_classes: int = 3
    noise: float = 0.3


def planted(design: Design, rng: np.random.Generator) -> LabelledLatents:
    """Aligned points: latent j is factor j with variance 1, or nothing, plus noise."""
    n, k = design.num_points, design.num_factors
    factors = rng.integers(design.num_classes, size=(n, k))
    classes = np.arange(design.num_classes)
    signal = np.zeros((n, design.num_latents))
    signal[:, :k] = (factors - classes.mean()) / classes.std()
    # What carries no factor has the same variance, or a rotation would not be of a round cloud.
    signal[:, k:] = rng.standard_normal((n, design.num_latents - k))
    return LabelledLatents(signal + design.noise * rng.standard_normal(signal.shape), factors)


def calibration_designs(
    metrics: Sequence[str], num_bases: int, num_tree_bases: int
) -> tuple[Design, ...]:
    """Metrics on points as small as their cost demands.

    Args:
        metrics: Some of `registry.OF_LATENTS`; those without a p-value, and those that need a grid
            of factors, are left out. No other metric's draws depend on it.
        num_bases: Draws of each family, for all metrics but `dci`.
        num_tree_bases: For `dci`, whose boosted trees take as long as all other metrics together.
    """
    known = [METRICS[name] for name in metrics]
    tested = [one.name for one in known if {*one.columns} - {*one.invariant} and not one.needs_grid]
    trees = tuple(name for name in tested if METRICS[name].is_slow)
    quick = tuple(name for name in tested if METRICS[name].source in _QUICK)
    slow = tuple(name for name in tested if name not in (*quick, *trees))
    return (
        Design(trees, NULLS[1:], num_tree_bases, num_points=60, num_classes=2),
        # Accuracies: with less noise most bases have all of them right, and are equal.
        Design(slow, NULLS[1:], num_bases, noise=1.0),
        Design(quick, NULLS, num_bases),
    )


def calibrate(
    designs: Sequence[Design],
    repetitions: int,
    seed: int,
    workers: int = 1,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """How often p is at most each level where the null hypothesis is true.

    Args:
        designs: Each with metrics of its own, as `calibration_designs` gives them.
        repetitions: Representations for each design and null.
        seed: The seed of everything.
        workers: Processes; no value depends on it.
        progress: Called with 1 for each representation tested.

    Returns:
        The columns `CALIBRATION_COLUMNS`, a row for each null, family and metric. `share_x` is
        the share of p at most x; `tail` the smallest probability, over the levels, of so many or
        more if P(p <= level) = level; `uniform` the p-value of Kolmogorov and Smirnov's test
        that p is uniform, which it is not where `ties`, the mean share of draws that equal the
        learned basis, is not 0.
    """
    jobs = [
        (design, null, [seed, d, n, repetition])
        for d, design in enumerate(designs)
        if design.metrics
        for n, null in enumerate(design.nulls)
        for repetition in range(repetitions)
    ]
    found = pd.DataFrame(_each(_one_null, jobs, workers, progress))
    rows = []
    for key, group in found.groupby(["null", "family", "metric"], sort=False):
        p, num_bases = group["p"].to_numpy(), int(group["num_bases"].iloc[0])
        counts = [int(np.sum(p <= level)) for level in LEVELS]
        tails = [
            scipy.stats.binom.sf(count - 1, len(p), level)
            for count, level in zip(counts, LEVELS, strict=True)
        ]
        # p is one of 1, ..., N + 1 over N + 1: in the middle of its step it is compared.
        middle = p - 0.5 / (num_bases + 1)
        shares = [count / len(p) for count in counts]
        uniform = scipy.stats.kstest(middle, "uniform").pvalue
        ties = group["ties"].mean()
        rows.append((*key, len(p), num_bases, *shares, min(tails), uniform, ties))
    return pd.DataFrame(rows, columns=list(CALIBRATION_COLUMNS))


def power_curve(
    design: Design,
    repetitions: int,
    seed: int,
    times: Sequence[float],
    workers: int = 1,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """How often the test tells aligned latents, rotated part of the way, from random bases.

    The latents are aligned @ Q^t, with fresh points and a fresh Haar draw Q for each repetition:
    at t = 1 the basis is one more draw, at t = 0 each axis is a factor.

    Args:
        design: Points and metrics.
        repetitions: Representations for each t; one Q serves for all t.
        seed: The seed of everything.
        times: Values of t.
        workers: Processes; no value depends on it.
        progress: Called with 1 for each representation tested.

    Returns:
        The columns `POWER_COLUMNS`, a row for each t, family, metric and level: `power` is the
        share of p at most `level`, `low` and `high` its exact 95% interval.
    """
    jobs = [
        (design, time, [seed, repetition])
        for repetition, time in itertools.product(range(repetitions), times)
    ]
    found = pd.DataFrame(_each(_one_effect, jobs, workers, progress))
    rows = []
    for key, group in found.groupby(["t", "family", "metric", "num_bases"]):
        for level in (0.05, 0.01):
            count = int(np.sum(group["p"] <= level))
            interval = scipy.stats.binomtest(count, len(group)).proportion_ci(method="exact")
            power = count / len(group)
            rows.append((*key, level, power, interval.low, interval.high, len(group)))
    return pd.DataFrame(rows, columns=list(POWER_COLUMNS))


def _each(
    function: Callable[..., list[dict[str, Any]]],
    jobs: Sequence[tuple],
    workers: int,
    progress: Progress | None,
) -> Iterator[dict[str, Any]]:
    """The rows that a function gives for each job, in the order of the jobs."""

    def collect(results: Iterator[list[dict[str, Any]]]) -> Iterator[dict[str, Any]]:
        for rows in results:
            yield from rows
            if progress:
                progress(1)

    if workers == 1:
        yield from collect(itertools.starmap(function, jobs))
        return
    # A fork of a process whose numba has started threads would end at its own first ones.
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, spawn, numba.set_num_threads, (1,)) as pool:
        yield from collect(pool.map(function, *zip(*jobs, strict=True)))


def _one_null(design: Design, null: Null, seed: list[int]) -> list[dict[str, Any]]:
    rng = np.random.default_rng(seed)
    points = planted(design, rng)
    tested = LabelledLatents(null.learned(points, rng), points.factors)
    return [{"null": null.name, **row} for row in _p_values(tested, design, null.families, rng)]


def _one_effect(design: Design, time: float, seed: list[int]) -> list[dict[str, Any]]:
    rng = np.random.default_rng(seed)
    points = planted(design, rng)
    (turn,) = bases.geodesic(bases.haar(1, design.num_latents, rng)[0], (time,))
    tested = points.mapped(lambda latents: latents @ turn)
    return [{"t": time, **row} for row in _p_values(tested, design, HAAR, rng)]


def _p_values(
    points: LabelledLatents, design: Design, families: tuple[str, ...], rng: np.random.Generator
) -> list[dict[str, Any]]:
    """P-values and shares of ties, by family, metric and number of draws."""
    names = tuple(f"factor {j}" for j in range(design.num_factors))
    sizes = (design.num_classes,) * design.num_factors
    plan = assessment.Plan(
        families,
        design.metrics,
        design.num_bases,
        design.num_bases,
        int(rng.integers(2**31)),
        num_groups=_NUM_GROUPS,
        table_only=True,
    )
    found = assessment.assess(Representation(points.latents, points.factors, names, sizes), plan)
    rows: list[dict[str, Any]] = []
    for row in found.table.dropna(subset="p_value").to_dict("records"):
        null = found.nulls[f"{row['family']}/{row['metric']}"]
        ties = np.mean(np.abs(null - row["observed"]) <= significance.TIE)
        rows.append(
            {
                "family": row["family"],
                "metric": row["metric"],
                "num_bases": row["num_bases"],
                "p": row["p_value"],
                "ties": ties,
            }
        )
    if families == HAAR:
        half = len(rows) // 2
        for one, other in zip(rows[:half], rows[half:], strict=True):
            p, ties = max(one["p"], other["p"]), max(one["ties"], other["ties"])
            rows.append({**one, "family": BOTH, "p": p, "ties": ties})
    return rows
