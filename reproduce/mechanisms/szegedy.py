"""Szegedy et al. 2014 (1312.6199), section 3: do single units mean more than random directions?

The paper looks at the images of a held-out set on which a unit of a high layer is the most active,
and at those with the largest projection on a random direction of the same layer, and finds that
both look equally coherent. Here the layer is the last hidden one of a small classifier of
dSprites' factors, and coherence a number: of the `num_top` images, how far the entropy of a
factor's values falls short of that of as many random images,

    coherence = 1 - H(values among the top images) / E H(values among random images),

as the mean over factors, and as the largest of the factors (what they have in common the most).
A basis scores the mean over its directions, each by its positive end, as units behind a ReLU have
no other; p is exact under "the natural basis is one more Haar draw". Dead units are left out.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd

from data import random_streams
from reproduce.basis import bases, over_seeds
from reproduce.mechanisms import classifier, results
from reproduce.pipeline import jobs
from reproduce.training import progress

MEASURES = ("mean_coherence", "largest_coherence")


@dataclasses.dataclass(frozen=True)
class Settings:
    """The experiment's settings.

    Attributes:
        units: The classifiers.
        num_bases: Random bases for each classifier.
        num_top: Images that are looked at for a direction.
        num_chance: Draws of as many random images.
    """

    units: classifier.Settings
    num_bases: int
    num_top: int = 16
    num_chance: int = 2_000


PROFILES = {
    "smoke": Settings(classifier.PROFILES["smoke"], 2, num_chance=50),
    "quick": Settings(classifier.PROFILES["quick"], 99),
    "paper": Settings(classifier.PROFILES["paper"], 999),
}


def entropies(values: np.ndarray) -> np.ndarray:
    """Plug-in entropy of a few values, in nats: float64 [m], from int [m, num_top]."""
    num_top = values.shape[1]
    # By how often each value occurs: H = log n - 1/n sum over draws of log(count of the draw).
    counts = np.sum(values[:, :, None] == values[:, None, :], axis=2)
    return np.log(num_top) - np.log(counts).sum(axis=1) / num_top


def chance(
    factors: np.ndarray, num_top: int, num_draws: int, rng: np.random.Generator
) -> np.ndarray:
    """Mean entropy of each factor among random images: float64 [k]."""
    drawn = factors[rng.integers(len(factors), size=(num_draws, num_top))]
    return np.array([entropies(drawn[:, :, j]).mean() for j in range(factors.shape[1])])


def coherence(
    activations: np.ndarray, factors: np.ndarray, by_chance: np.ndarray, num_top: int
) -> np.ndarray:
    """The scores of a basis, as `MEASURES`: float64 [2].

    Args:
        activations: float [n, d], projections of images on directions.
        factors: int [n, k].
        by_chance: float [k], as `chance` gives it.
        num_top: As there.
    """
    top = np.argpartition(activations, len(activations) - num_top, axis=0)[-num_top:]
    values = factors[top.T]  # [d, num_top, k]
    found = np.stack([entropies(values[:, :, j]) for j in range(factors.shape[1])], axis=1)
    score = 1 - found / by_chance
    return np.array([score.mean(), score.max(axis=1).mean()])


def chains(settings: Settings, output: Path) -> list[jobs.Chain]:
    """Trains the classifiers."""
    return settings.units.chains(output)


def measure(settings: Settings, output: Path) -> pd.DataFrame:
    """Scores the natural and the random bases of every classifier."""
    natural: dict[int, np.ndarray] = {}
    random: dict[int, np.ndarray] = {}
    bar = progress.bar(
        total=settings.num_bases * len(settings.units.seeds),
        desc="directions",
        unit=" bases",
    )
    with bar:
        for seed in settings.units.seeds:
            units = classifier.units(settings.units, output, seed)
            rng = random_streams.generator(seed, random_streams.IMAGE_SETS)
            expected = chance(units.factors, settings.num_top, settings.num_chance, rng)
            arguments = units.factors, expected, settings.num_top
            natural[seed] = coherence(units.activations, *arguments)
            scores = []
            for _ in range(settings.num_bases):
                basis = bases.haar(1, units.activations.shape[1], rng)[0].astype(np.float32)
                scores.append(coherence(units.activations @ basis, *arguments))
                bar.update()
            random[seed] = np.array(scores)
    rows, summaries = [], []
    for m, name in enumerate(MEASURES):
        rows += results.measured("natural", name, {s: float(v[m]) for s, v in natural.items()})
        rows += results.measured(
            "random", name, {s: float(v[:, m].mean()) for s, v in random.items()}
        )
        observed = float(np.mean([value[m] for value in natural.values()]))
        nulls = [values[:, m] for values in random.values()]
        summaries.append(_summary(name, observed, nulls, settings.num_top))
    return results.table("szegedy", [*rows, *summaries])


def _summary(name: str, observed: float, nulls: list[np.ndarray], num_top: int) -> results.Row:
    null = over_seeds.joint_null(nulls)
    p = null.p_value(observed)
    what = "on average over factors" if name == MEASURES[0] else "in what they share the most"
    return results.summary(
        name,
        "no distinction between units and random directions",
        p > 0.05,
        f"The {num_top} images that excite a unit most are {observed:.3f} more coherent than "
        f"chance {what}, those of random directions {null.mean:.3f} "
        f"({len(nulls)} classifiers, p = {p:.2g}, at least {1 / (null.num_draws + 1):.2g}).",
        p,
    )
