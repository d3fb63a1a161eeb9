"""The test of traversal purity: a decoder's learned axes against random ones."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import scipy.stats

from data import random_streams
from data.random_matrices import haar, stiefel
from models.latent_blocks import LatentBlock
from reproduce.basis import significance
from reproduce.basis.assessment import ALPHA, COLUMNS
from reproduce.traversal import purity
from reproduce.traversal.purity import TraversalSetup

METRIC = "traversal_purity"
# Latent blocks of up to so many dimensions are looked at whole; of larger ones some axes, drawn
# beforehand.
MAX_WHOLE, MAX_AXES = 32, 8
# In more dimensions than these a random direction hardly changes an image within three prior
# standard deviations: such latent blocks are compared in the limit of small steps alone.
MAX_FINITE = 128
_BATCH = 256

Progress = Callable[[int], object]


@dataclasses.dataclass(frozen=True)
class PurityPlan:
    """How hard a decoder is tested.

    Attributes:
        num_bases: Random bases of each latent block, at finite steps.
        num_linear_bases: Random bases in the limit of small steps, the first of them the same.
        seed: The seed of the draws; each latent block has its own stream.
    """

    num_bases: int = 199
    num_linear_bases: int = 9999
    seed: int = 0


@dataclasses.dataclass(frozen=True, eq=False)
class PurityAssessment:
    """What a test found.

    Attributes:
        table: The columns `assessment.COLUMNS`, and `agreement`: Spearman's correlation of the
            values at finite steps and in the limit of small ones, over random bases.
        nulls: The draws by "family/metric".
        leakage: A row for each learned axis of the first latent block that is looked at: its step,
            energy, whether it is dead, its purity, and the share of each factor.
        random_leakage: The same of the axes of its first random basis, for comparison.
    """

    table: pd.DataFrame
    nulls: dict[str, np.ndarray]
    leakage: pd.DataFrame
    random_leakage: pd.DataFrame


def assess(
    setup: TraversalSetup,
    blocks: Sequence[tuple[str, str, LatentBlock]],
    plan: PurityPlan,
    progress: Progress = lambda done: None,
) -> PurityAssessment:
    """Tests the learned axes of each latent block by traversal purity.

    Args:
        setup: Where traversals start and how they are looked at.
        blocks: The family of bases (a null of the verdict's), the metric's name in the results,
            and what is rotated; the first is the primary one.
        plan: How hard.
        progress: Called with the number of bases done.
    """
    rows, nulls = [], {}
    leakages: list[pd.DataFrame] = []
    for index, (family, metric, block) in enumerate(blocks):
        rng = random_streams.generator(plan.seed, random_streams.PURITY_BASES, index)
        axes, draws = _bases(block, plan, rng)
        learned = np.eye(block.size)[:, axes]
        if index == 0:
            compared = (learned, axes), (draws[0], np.arange(draws.shape[2]))
            leakages = [
                _table(purity.measure(setup, block.embed(basis.T)), numbers, setup)
                for basis, numbers in compared
            ]
        if block.size > MAX_FINITE:
            small_steps = []
            for basis in (learned, *draws):
                small_steps.append(purity.small_step_purity(setup, block.embed(basis.T)))
                progress(1)
            linear = f"{metric}_linear"
            nulls[f"{family}/{linear}"] = np.array(small_steps[1:])
            rows.append(_row(family, linear, small_steps[0], nulls[f"{family}/{linear}"]))
            continue
        guess = purity.StepGuess(setup, block.embed(np.eye(block.size)))
        measured: list[float] = []
        for basis in (learned, *draws[: plan.num_bases]):
            found = purity.measure(setup, block.embed(basis.T), guess(basis))
            if not measured:
                guess.learn(basis, found)
            measured.append(purity.purity_of_basis(found))
            progress(1)
        observed, null = np.nan_to_num(measured[0]), measured[1:]
        # A basis whose directions are all dead cannot be compared: it counts as a tie.
        values = np.where(np.isnan(null), observed, null)
        nulls[f"{family}/{metric}"] = values
        row = _row(family, metric, float(observed), values)
        rows.append(row)
        derivative = purity.differentiate(setup, block.embed(np.eye(block.size)))
        limits = derivative.purity(draws)
        linear = f"{metric}_linear"
        nulls[f"{family}/{linear}"] = limits
        rows.append(_row(family, linear, derivative.purity(learned[None])[0], limits))
        if len(null) > 2 and np.ptp(values) > 0 and np.ptp(limits) > 0:
            row["agreement"] = float(scipy.stats.spearmanr(values, limits[: len(values)])[0])
    columns = [*COLUMNS, "agreement"]
    return PurityAssessment(pd.DataFrame(rows, columns=columns), nulls, *leakages)


def _bases(
    block: LatentBlock, plan: PurityPlan, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Which learned axes are looked at, int [a], and random bases float64 [b, k, a].

    Of a large block, a of the learned axes are drawn, and the random ones are the first a axes
    of Haar draws: were the learned basis one more Haar draw, any a of its axes would be the same.
    """
    k = block.size
    num_draws = max(plan.num_bases, plan.num_linear_bases) if k <= MAX_FINITE else plan.num_bases
    if k <= MAX_WHOLE:
        return np.arange(k), haar(num_draws, k, rng)
    chosen = np.sort(rng.choice(k, MAX_AXES, replace=False))
    return chosen, stiefel(num_draws, k, MAX_AXES, rng)


def _row(family: str, metric: str, observed: float, null: np.ndarray) -> dict[str, object]:
    return {
        "family": family,
        "metric": metric,
        "observed": observed,
        "null_mean": null.mean(),
        "null_sd": null.std(ddof=1) if len(null) > 1 else float("nan"),
        "null_max": null.max(),
        "z": significance.z_score(observed, null),
        "p_value": significance.p_value(observed, null),
        "num_bases": len(null),
        "detectable": significance.smallest_detectable(null, ALPHA),
    }


def _table(leakage: purity.Leakage, axes: np.ndarray, setup: TraversalSetup) -> pd.DataFrame:
    frame = pd.DataFrame(
        {
            "axis": axes,
            "step": leakage.steps,
            "energy": leakage.energies,
            "dead": leakage.dead,
            "purity": purity.purity_of_rows(leakage.rows),
        }
    )
    shares = pd.DataFrame(leakage.rows, columns=list(setup.factors.names))
    return pd.concat([frame, shares], axis=1)


def compare_labelled_directions(
    setup: TraversalSetup,
    inputs: np.ndarray,
    factors: np.ndarray,
    block: LatentBlock,
    num_directions: int,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Directions from labelled means against random ones: does each change its own factor more?

    Args:
        setup: Where traversals start and how they are looked at.
        inputs: float [n, D], decoder inputs of real images.
        factors: int [n, k], their class indices.
        block: In which random directions are drawn, uniformly.
        num_directions: How many of them.
        rng: Draws them.

    Returns:
        A row for each factor that has such a direction: `share` of its changes that is the
        factor's own, whether it is `dead`, mean and maximum of random directions' shares, p_value
        of the one-sided test, and `num_directions`, the live ones.
    """
    labelled = purity.labelled_directions(inputs, factors, setup.factors.kinds)
    random = rng.standard_normal((num_directions, block.size))
    random /= np.linalg.norm(random, axis=1, keepdims=True)
    parts = [
        purity.measure(setup, block.embed(random[start : start + MAX_WHOLE]))
        for start in range(0, num_directions, MAX_WHOLE)
    ]
    dead = np.concatenate([part.dead for part in parts])
    shares = np.concatenate([part.rows for part in parts])[~dead]
    rows = []
    for j, direction in labelled.items():
        found = purity.measure(setup, direction[None])
        share = 0.0 if found.dead[0] else float(found.rows[0, j])
        rows.append(
            {
                "factor": setup.factors.names[j],
                "share": share,
                "dead": bool(found.dead[0]),
                "random_mean": shares[:, j].mean() if len(shares) else float("nan"),
                "random_max": shares[:, j].max() if len(shares) else float("nan"),
                "p_value": significance.p_value(share, shares[:, j]),
                "num_directions": len(shares),
            }
        )
    return pd.DataFrame(rows)
