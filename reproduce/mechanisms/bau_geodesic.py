"""Bau et al. 2017 (1704.05796), section 3.2: detectors on the way to a random basis.

The paper counts a layer's unique detectors: a unit detects the concept that it agrees with best,
by intersection over union (IoU) of the pixels where it is above its top .5% and those of the
concept, if IoU exceeds .04. Rotations Q^t of AlexNet's conv5, from the learned basis (t = 0) to a
random one (t = 1), lose detectors gradually, at the end about 80% (this number is quoted from
memory, sure: C, and only its direction is checked).

Here a concept is a value of a factor of dSprites, a unit a hidden unit of a small classifier of
these factors, and images take the place of pixels; the top .5% and .04 are the paper's. With them
a concept can only be detected if it is rarer than one image in eight, so that position's and
orientation's 104 values count, and shape's and size's 9 do not. The same is done to the latents of
the beta-VAEs of `zietlow`, of which there are only five.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd

from data import random_streams
from reproduce.basis import bases, over_seeds
from reproduce.mechanisms import classifier, results, zietlow
from reproduce.mechanisms.trainings import represented
from reproduce.pipeline import jobs
from reproduce.training import progress

TOP_SHARE, MIN_IOU = 0.005, 0.04
CLASSIFIER, LATENTS = "classifier", "beta_vae"
UNIQUE = "unique_detectors"


@dataclasses.dataclass(frozen=True)
class Settings:
    """The experiment's settings.

    Attributes:
        units: The classifiers.
        latents: The beta-VAEs.
        num_bases: Random bases, and paths to them, for each trained model.
        times: t.
    """

    units: classifier.Settings
    latents: zietlow.Settings
    num_bases: int
    times: tuple[float, ...] = bases.GEODESIC_TIMES


PROFILES = {
    scale: Settings(classifier.PROFILES[scale], zietlow.PROFILES[scale], num_bases)
    for scale, num_bases in (("smoke", 2), ("quick", 19), ("paper", 99))
}


def unique_detectors(activations: np.ndarray, factors: np.ndarray) -> int:
    """How many values of factors some unit detects.

    Args:
        activations: float [n, d], of units on images.
        factors: int [n, k], class indices.
    """
    n, d = activations.shape
    top = max(1, round(TOP_SHARE * n))
    threshold = np.partition(activations, n - top - 1, axis=0)[n - top - 1]
    images, units = np.nonzero(activations > threshold)
    num_active = np.bincount(units, minlength=d)
    overlaps = []
    for column in factors.T:
        size = column.max() + 1
        both = np.bincount(units * size + column[images], minlength=d * size).reshape(d, size)
        either = num_active[:, None] + np.bincount(column, minlength=size) - both
        overlaps.append(both / np.maximum(either, 1))
    iou = np.concatenate(overlaps, axis=1)
    best = iou.argmax(axis=1)
    return len(np.unique(best[iou.max(axis=1) > MIN_IOU]))


def interpolation_curves(
    activations: np.ndarray,
    factors: np.ndarray,
    times: tuple[float, ...],
    num_bases: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Unique detectors on paths from the learned basis to Haar draws: int64 [num_bases, times]."""
    d = activations.shape[1]
    counts = np.empty((num_bases, len(times)), np.int64)
    learned = unique_detectors(activations, factors)
    for index in range(num_bases):
        path = bases.geodesic(bases.haar(1, d, rng)[0], times)
        for t, basis in enumerate(path):
            turned = activations @ basis.astype(activations.dtype)
            counts[index, t] = learned if times[t] == 0 else unique_detectors(turned, factors)
    return counts


def chains(settings: Settings, output: Path) -> list[jobs.Chain]:
    """Trains the classifiers and the beta-VAEs on the original images."""
    latents = [
        chain
        for chain in zietlow.chains(settings.latents, output)
        if chain.run.path.name.startswith("zietlow-original")
    ]
    return [*settings.units.chains(output), *latents]


def measure(settings: Settings, output: Path) -> pd.DataFrame:
    """Turns the units of every trained model and counts."""
    rows = []
    models = [(CLASSIFIER, seed) for seed in settings.units.seeds]
    models += [(LATENTS, seed) for seed in settings.latents.seeds]
    found: dict[str, dict[int, np.ndarray]] = {CLASSIFIER: {}, LATENTS: {}}
    widths = {}
    for model, seed in progress.bar(models, desc="geodesics", unit=" models"):
        if model == CLASSIFIER:
            units = classifier.units(settings.units, output, seed)
            activations, factors = units.activations, units.factors
        else:
            training = settings.latents.trainings(output)["original"]
            encoded = represented(training.run(output, seed), settings.latents.num_points)
            activations, factors = encoded.latents, encoded.factors
        widths[model] = activations.shape[1]
        rng = random_streams.generator(seed, random_streams.UNIT_ROTATIONS)
        found[model][seed] = interpolation_curves(
            activations, factors, settings.times, settings.num_bases, rng
        )
    for model, by_seed in found.items():
        for t, time in enumerate(settings.times):
            values = {seed: float(counts[:, t].mean()) for seed, counts in by_seed.items()}
            rows += results.measured(f"{model}, t = {time}", UNIQUE, values)
    summaries = [
        row
        for model, by_seed in found.items()
        for row in _summaries(model, widths[model], list(by_seed.values()), settings.times)
    ]
    return results.table("bau_geodesic", [*rows, *summaries])


def _summaries(
    model: str, width: int, counts: list[np.ndarray], times: tuple[float, ...]
) -> list[results.Row]:
    curve = np.mean([c.mean(axis=0) for c in counts], axis=0)
    null = over_seeds.joint_null([c[:, -1].astype(float) for c in counts])
    p = null.p_value(float(curve[0]))
    lost = 1 - curve[-1] / max(curve[0], 1e-9)
    change = f"{100 * abs(lost):.0f}% {'fewer' if lost >= 0 else 'more'}"
    listed = ", ".join(f"{c:.1f} at t = {t:g}" for t, c in zip(times, curve, strict=True))
    units = "hidden units" if model == CLASSIFIER else "latents"
    name = "classifiers" if model == CLASSIFIER else "beta-VAEs"
    return [
        results.summary(
            f"{model}: learned above random",
            "the learned basis has more unique detectors than random ones (about 80% are lost)",
            curve[0] > curve[-1] and p <= 0.05,
            f"The {width} {units} of {len(counts)} {name} detect {curve[0]:.1f} values of factors "
            f"on average; in random bases they detect {curve[-1]:.1f} ({change}, "
            f"p = {p:.2g}, which cannot be below {1 / (null.num_draws + 1):.2g}).",
            p,
        ),
        results.summary(
            f"{model}: gradual",
            "the loss is gradual along the geodesic",
            bool(np.all(np.diff(curve) <= 0) and curve[0] > curve[-1]),
            f"On the way to random bases the {name} have {listed} unique detectors.",
        ),
    ]
