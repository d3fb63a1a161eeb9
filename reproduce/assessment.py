"""The test itself: a representation's metrics in the learned basis against other bases."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from reproduce import bases, choices, significance
from reproduce.metrics.information import InformationEngine, entropies
from reproduce.metrics.mig import mig
from reproduce.representation import Representation

METRICS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {"mig": mig}
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
)
CONTROL_TOLERANCE = 0.005  # a signed permutation can move a value across a bin's edge
_BATCH = 256

Progress = Callable[[int], object]


def _no_progress(done: int) -> None:
    del done


def assess(
    representation: Representation,
    families: Sequence[str],
    metrics: Sequence[str],
    num_bases: int,
    seed: int,
    progress: Progress = _no_progress,
) -> tuple[pd.DataFrame, dict[str, np.ndarray]]:
    """Tests the learned basis of a representation against families of other bases.

    Args:
        representation: What is tested.
        families: Keys of `bases.FAMILIES`.
        metrics: Keys of `METRICS`.
        num_bases: Draws of each null family.
        seed: Of the draws; each family has its own stream, whichever others are asked for.
        progress: Called with the number of bases evaluated since the last call.

    Returns:
        A frame with the columns `COLUMNS`: `observed` is the learned basis' value (a reference's
        row: that of the reference basis); only null families have `z` and `p_value`; a
        dose-response has a row for each t. And the draws' values by "family/metric", float64
        [bases], for a dose-response [times, bases].

    Raises:
        InputError: If a name is unknown, or too few latents are active for a family.
    """
    choices.check(families, metrics)
    factor_entropies = entropies(representation.factors)
    rows: list[dict[str, object]] = []
    nulls: dict[str, np.ndarray] = {}
    for name in families:
        family = bases.FAMILIES[name]
        rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
        latents = family.latents(representation)
        if family.fit is not None:
            latents = family.fit(latents, seed)
        engine = InformationEngine(latents, representation.factors)
        d = latents.shape[1]

        def scores(batch: np.ndarray, engine: InformationEngine = engine) -> dict[str, np.ndarray]:
            information = engine(batch)
            progress(len(batch))
            return {metric: METRICS[metric](information, factor_entropies) for metric in metrics}

        observed = scores(np.eye(d)[None])
        count = min(num_bases, family.max_bases or num_bases)
        if family.role == "reference":
            rows += [_row(name, metric, observed[metric][0], num_bases=1) for metric in metrics]
        elif family.role == "dose_response":
            assert family.draw is not None
            paths = np.stack([bases.geodesic(q) for q in family.draw(count, d, rng)], axis=1)
            values = [_gather(scores, path, metrics) for path in paths]
            for metric in metrics:
                nulls[f"{name}/{metric}"] = np.stack([v[metric] for v in values])
                for time, value in zip(bases.GEODESIC_TIMES, values, strict=True):
                    summary = _summary(value[metric])
                    rows.append(_row(name, metric, observed[metric][0], **summary, t=time))
        else:
            assert family.draw is not None
            chunks = []
            for start in range(0, count, _BATCH):
                draws = family.draw(min(_BATCH, count - start), d, rng)
                chunks.append(scores(draws))
            for metric in metrics:
                null = np.concatenate([chunk[metric] for chunk in chunks])
                nulls[f"{name}/{metric}"] = null
                value = observed[metric][0]
                tests = {}
                if family.role == "null":
                    tests["z"] = significance.z_score(value, null)
                    tests["p_value"] = significance.p_value(value, null)
                rows.append(_row(name, metric, value, **_summary(null), **tests))
    return pd.DataFrame(rows, columns=list(COLUMNS)), nulls


def control_drifts(frame: pd.DataFrame, nulls: dict[str, np.ndarray]) -> dict[str, float]:
    """How far each metric moved under signed permutations, at most; empty if none were drawn."""
    drifts = {}
    for row in frame.to_dict("records"):
        if bases.FAMILIES[row["family"]].role == "control":
            null = nulls[f"{row['family']}/{row['metric']}"]
            drifts[str(row["metric"])] = float(np.abs(null - row["observed"]).max())
    return drifts


def total_bases(families: Sequence[str], num_bases: int) -> int:
    """How many bases `assess` evaluates, for a progress bar."""
    total = 0
    for name in families:
        family = bases.FAMILIES[name]
        count = min(num_bases, family.max_bases or num_bases)
        if family.role == "dose_response":
            count *= len(bases.GEODESIC_TIMES)
        total += 1 + (0 if family.role == "reference" else count)
    return total


def _gather(
    scores: Callable[[np.ndarray], dict[str, np.ndarray]],
    many: np.ndarray,
    metrics: Sequence[str],
) -> dict[str, np.ndarray]:
    chunks = [scores(many[start : start + _BATCH]) for start in range(0, len(many), _BATCH)]
    return {metric: np.concatenate([chunk[metric] for chunk in chunks]) for metric in metrics}


def _summary(null: np.ndarray) -> dict[str, float]:
    return {
        "null_mean": float(null.mean()),
        "null_sd": float(null.std(ddof=1)) if len(null) > 1 else 0.0,
        "null_max": float(null.max()),
        "num_bases": len(null),
    }


def _row(family: str, metric: str, observed: float, **entries: float) -> dict[str, object]:
    return {"family": family, "metric": metric, "observed": float(observed), **entries}
