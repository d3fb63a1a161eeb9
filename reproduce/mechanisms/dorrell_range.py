"""Dorrell et al. 2025 (2410.06232): one data point decides whether a representation is modular.

A nonnegative linear autoencoder codes two sources s: activities g = W s + b >= 0, from which a
linear readout recovers s exactly, at the least energy

    E |g|^2 + l (|W|^2 + |R|^2),     R the least readout, W^+.

With centred sources the least bias of a neuron with weights w is h(w) = max over points of -w.s,
and its energy w^T C w + h(w)^2, C the sources' covariance. With Q = W^T W the whole is

    tr(C Q) + sum over neurons of h(w)^2 + l (tr Q + tr Q^-1),

which is convex in the measure that neurons make on directions. The modular solution has neurons
along the sources alone, each by its cheaper sign, with h_i = h(+-e_i), and it is optimal if and
only if for all unit directions u

    2 u_1 u_2 C_12 + h(u)^2 - u_1^2 h_1^2 - u_2^2 h_2^2 >= 0,     (the margin)

whatever l is: these are its conditions of Karush, Kuhn and Tucker, and the paper's theorem for two
sources. So the support's corners decide, and not independence.

Here points lie in the diamond |s_1| + |s_2| <= 1 with the four corners (+-1, +-1) beside them; each
corner in turn is taken away. The margin says what the optimum is; trainings show where they end.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.optimize

from data import random_streams
from reproduce.mechanisms import results
from reproduce.pipeline import jobs
from reproduce.training import progress

MARGIN, MODULARITY = "margin", "modularity"
MODULAR = 0.999  # modularity from which neurons count as modular; of an optimum it is 1
_EXACT = 1e-9
_CORNERS = np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])


@dataclasses.dataclass(frozen=True)
class Settings:
    """The experiment's settings.

    Attributes:
        num_points: Points in the diamond.
        num_neurons: A trained autoencoder's.
        num_starts: Trainings from random weights; the one of the least energy counts.
        weight: l, the factor of the weights' energy.
        num_directions: Directions on the circle at which the margin is taken.
        seeds: A set of points each.
    """

    num_points: int = 100
    num_neurons: int = 6
    num_starts: int = 8
    weight: float = 0.1
    num_directions: int = 3_600
    seeds: tuple[int, ...] = (30, 31, 32)


PROFILES = {
    "smoke": Settings(num_points=20, num_starts=1, seeds=(0,)),
    "quick": Settings(),
    "paper": Settings(num_points=1_000, num_starts=50, seeds=tuple(range(300, 310))),
}


def sources(num_points: int, missing: int | None, rng: np.random.Generator) -> np.ndarray:
    """Points in the diamond and the corners, not centred: float64 [n, 2].

    Args:
        num_points: In the diamond, uniformly.
        missing: Which corner is left out, 0 to 3; None for none.
        rng: Draws them.
    """
    turned = rng.uniform(-1, 1, (num_points, 2))
    diamond = turned @ np.array([[0.5, 0.5], [0.5, -0.5]])
    corners = np.delete(_CORNERS, missing, axis=0) if missing is not None else _CORNERS
    return np.concatenate([diamond, corners])


def margin(points: np.ndarray, num_directions: int) -> float:
    """The least margin over directions; 0 is that of the modular solution itself.

    Args:
        points: Sources, float [n, 2].
        num_directions: On the circle, a multiple of 4.
    """
    centred = points - points.mean(axis=0)
    angle = 2 * np.pi * np.arange(num_directions) / num_directions
    u = np.stack([np.cos(angle), np.sin(angle)])
    bias = np.max(-centred @ u, axis=0)
    quarter = num_directions // 4
    h_1, h_2 = min(bias[0], bias[2 * quarter]), min(bias[quarter], bias[3 * quarter])
    covariance = float(np.mean(centred[:, 0] * centred[:, 1]))
    found = 2 * u[0] * u[1] * covariance + bias**2 - (u[0] * h_1) ** 2 - (u[1] * h_2) ** 2
    return float(found.min())


def energy(w: np.ndarray, centred: np.ndarray, weight: float) -> tuple[float, np.ndarray]:
    """The energy of neurons w [m, 2] with their least biases, and its (sub)gradient."""
    drive = centred @ w.T
    lowest = drive.argmin(axis=0)
    bias = -drive[lowest, np.arange(len(w))]
    covariance = centred.T @ centred / len(centred)
    q = w.T @ w
    inverse = np.linalg.inv(q + 1e-12 * np.eye(2))
    value = np.sum((w @ covariance) * w) + np.sum(bias**2)
    value += weight * (np.trace(q) + np.trace(inverse))
    slope = 2 * w @ covariance - 2 * bias[:, None] * centred[lowest]
    slope += 2 * weight * (w - w @ inverse @ inverse)
    return float(value), slope


def train(points: np.ndarray, settings: Settings, rng: np.random.Generator) -> np.ndarray:
    """The best of several trainings: weights float64 [m, 2]."""
    centred = points - points.mean(axis=0)
    shape = settings.num_neurons, 2

    def flat(x: np.ndarray) -> tuple[float, np.ndarray]:
        value, slope = energy(x.reshape(shape), centred, settings.weight)
        return value, slope.ravel()

    ends = []
    for _ in range(settings.num_starts):
        end = scipy.optimize.minimize(flat, rng.normal(0, 0.5, shape).ravel(), jac=True)
        for _ in range(3):  # where the energy has a kink the search stops early
            nudged = end.x + rng.normal(0, 1e-4, end.x.shape)
            again = scipy.optimize.minimize(flat, nudged, jac=True)
            end = again if again.fun < end.fun else end
        ends.append(end)
    return min(ends, key=lambda end: float(end.fun)).x.reshape(shape)


def modularity(w: np.ndarray) -> float:
    """Share of the neurons' squared weights that lies on their larger source; 1 if modular."""
    squared = w**2
    return float(squared.max(axis=1).sum() / squared.sum())


def chains(settings: Settings, output: Path) -> list[jobs.Chain]:
    """None: the autoencoders are trained in the measuring."""
    return []


def measure(settings: Settings, output: Path) -> pd.DataFrame:
    """Margins and trained autoencoders, with all corners and without each."""
    arms = {"all corners": None} | {
        f"without ({x:+.0f}, {y:+.0f})": i for i, (x, y) in enumerate(_CORNERS)
    }
    rows: list[results.Row] = []
    found: dict[str, dict[str, list[float]]] = {}
    for arm, missing in progress.bar(arms.items(), desc="autoencoders", unit=" arms"):
        margins, shares = {}, {}
        for seed in settings.seeds:
            # The same diamond for every arm.
            points = sources(
                settings.num_points,
                missing,
                random_streams.generator(seed, random_streams.TOY_POINTS),
            )
            rng = random_streams.generator(seed, random_streams.TOY_NULL)
            margins[seed] = margin(points, settings.num_directions)
            shares[seed] = modularity(train(points, settings, rng))
        rows += results.measured(arm, MARGIN, margins)
        rows += results.measured(arm, MODULARITY, shares)
        found[arm] = {MARGIN: list(margins.values()), MODULARITY: list(shares.values())}
    return results.table("dorrell_range", [*rows, *_summaries(found)])


def _summaries(found: dict[str, dict[str, list[float]]]) -> list[results.Row]:
    whole = found["all corners"]
    cut = [measures for arm, measures in found.items() if arm != "all corners"]
    margins = [value for measures in cut for value in measures[MARGIN]]
    shares = [value for measures in cut for value in measures[MODULARITY]]
    flipped = sum(share < MODULAR for share in shares)
    return [
        results.summary(
            "theorem",
            "the corners decide whether the modular solution is optimal",
            min(whole[MARGIN]) >= -_EXACT and max(margins) < -_EXACT,
            f"With all corners the modular solution's margin is at least {min(whole[MARGIN]):.2g}; "
            f"without one corner, of {len(margins)} cases, at most {max(margins):.2g}.",
        ),
        results.summary(
            "trained",
            "trained autoencoders are modular with all corners, and mixed without one",
            min(whole[MODULARITY]) >= MODULAR and flipped == len(shares),
            f"With all corners trained neurons are modular to "
            f"{np.mean(whole[MODULARITY]):.3f} "
            f"(the least {min(whole[MODULARITY]):.3f}); without one corner, of which {flipped} of "
            f"{len(shares)} cases are mixed, {np.mean(shares):.3f}.",
        ),
    ]
