"""The test factor by factor: each factor's own gap in the learned basis against random bases."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import pandas as pd

from data import random_streams
from reproduce.basis import significance
from reproduce.basis.decodability import MIN_R2
from reproduce.metrics.information import NUM_BINS, discretise
from reproduce.metrics.mig import gaps

COLUMNS = (
    "family",
    "factor",
    "gap",
    "low",
    "high",
    "null_mean",
    "null_sd",
    "null_max",
    "z",
    "p_value",
    "holm_p",
    "best_axis",
    "second_axis",
    "information",
    "r2",
    "carried",
    "num_bases",
)
NUM_RESAMPLES = 199
_LEVEL = 0.95
_RIVALS = 3  # the axes that tell most about a factor; the second best of a resample is among them


@dataclasses.dataclass(frozen=True, eq=False)
class Tested:
    """What a null family says of each factor.

    Attributes:
        family: A key of `bases.FAMILIES`.
        latents: float [n, m], whose axes are the learned ones.
        factors: int [n, k].
        information: float64 [m, k], of the learned axes, nats.
        null: float64 [b, k], gaps of random bases, as `mig.gaps` gives them.
        axes: The learned axes' numbers among all latents.
    """

    family: str
    latents: np.ndarray
    factors: np.ndarray
    information: np.ndarray
    null: np.ndarray
    axes: np.ndarray


def judge(
    tested: Tested, entropies: np.ndarray, names: Sequence[str], r2: np.ndarray, seed: int
) -> pd.DataFrame:
    """One row a factor: the summand of MIG, its null, p, and Holm's adjustment over factors.

    Factors that the latents do not carry (R^2 below MIN_R2, or not a number) are shown, and left
    out of the adjustment: `carried` is false and `holm_p` not a number.

    Args:
        tested: What was measured.
        entropies: float64 [k], of factors, nats.
        names: The k factors'.
        r2: float64 [k], of `decodability.held_out_r2`.
        seed: The seed of the bootstrap.

    Returns:
        The columns `COLUMNS`. `low` and `high` bound a 95% percentile interval, over resampled
        images, of how much more the best axis tells than the best of the others; below 0 where
        another one does better.
    """
    observed = gaps(tested.information, entropies)
    order = np.argsort(-tested.information, axis=0, kind="stable")
    low, high = _intervals(tested, order, entropies, seed)
    carried = r2 >= MIN_R2
    p = np.array(
        [
            significance.p_value(value, null)
            for value, null in zip(observed, tested.null.T, strict=True)
        ]
    )
    holm = np.full(len(p), np.nan)
    holm[carried] = significance.holm(p[carried].tolist(), int(carried.sum()))
    rows = []
    for j, name in enumerate(names):
        null = tested.null[:, j]
        row = [tested.family, name, observed[j], low[j], high[j], null.mean()]
        row += [null.std(ddof=1) if len(null) > 1 else np.nan, null.max()]
        row += [significance.z_score(observed[j], null), p[j], holm[j]]
        row += [tested.axes[order[0, j]], tested.axes[order[min(1, len(order) - 1), j]]]
        row += [tested.information[order[0, j], j] / entropies[j], r2[j], bool(carried[j])]
        rows.append([*row, len(null)])
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _intervals(
    tested: Tested, order: np.ndarray, entropies: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """The bounds of each factor's interval: float64 [k] each. Bins stay those of all images."""
    rng = random_streams.generator(seed, random_streams.BOOTSTRAP)
    rivals = order[:_RIVALS]
    n, k = tested.factors.shape
    needed = np.unique(rivals)
    bins = dict(zip(needed.tolist(), discretise(tested.latents[:, needed]).T, strict=True))
    cells = {
        (i, j): bins[i] * (tested.factors[:, j].max() + 1) + tested.factors[:, j]
        for j in range(k)
        for i in rivals[:, j].tolist()
    }
    found = np.empty((NUM_RESAMPLES, k))
    for resample in found:
        rows = rng.integers(n, size=n)
        for j in range(k):
            size = int(tested.factors[:, j].max()) + 1
            told = [_information(cells[i, j][rows], size) for i in rivals[:, j].tolist()]
            resample[j] = (told[0] - max(told[1:], default=0.0)) / entropies[j]
    outside = (1 - _LEVEL) / 2
    low, high = np.quantile(found, [outside, 1 - outside], axis=0)
    return low, high


def _information(cells: np.ndarray, size: int) -> float:
    """Plug-in mutual information, nats, of a binned latent and a factor, from their joint cells."""
    joint = np.bincount(cells, minlength=NUM_BINS * size).reshape(NUM_BINS, size) / len(cells)
    independent = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0, keepdims=True)
    seen = joint > 0
    return float(np.sum(joint[seen] * np.log(joint[seen] / independent[seen])))


def shares(information: np.ndarray, entropies: np.ndarray, names: Sequence[str]) -> pd.DataFrame:
    """What each learned axis tells about each factor, as a share of the factor's entropy.

    Args:
        information: float64 [d, k], nats.
        entropies: float64 [k], nats.
        names: The k factors'.

    Returns:
        `axis`, and a column for each factor, 0 to 1.
    """
    frame = pd.DataFrame(information / entropies, columns=list(names))
    frame.insert(0, "axis", np.arange(len(frame)))
    return frame
