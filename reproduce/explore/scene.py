"""What the page is told of a run beside its frames."""

from __future__ import annotations

from typing import Any

import numpy as np

from reproduce.explore import blind, frames
from reproduce.explore.loaded_run import MAX_SHOWN, LoadedRun, Space
from reproduce.metrics import registry
from reproduce.reporting import names


def describe(run: LoadedRun, space: Space) -> dict[str, Any]:
    """A run with one space chosen, and the metrics' values in random bases of it."""
    null = frames.measure(space, space.random_bases).metrics
    return {
        "title": run.title,
        "data_set": run.data_set,
        "notice": run.notice,
        "space": space.name,
        "spaces": [{"name": s.name, "summary": s.summary} for s in run.spaces.values()],
        "labels": list(space.labels[:MAX_SHOWN]),
        "size": space.size,
        "factors": list(run.factor_names),
        "images": len(run.starts),
        "energy": run.energy,
        "metrics": [_describe_metric(name, values) for name, values in null.items()],
        "has_leakage": space.derivative is not None,
        "has_information": space.scorer is not None,
        "blind_rounds": list(blind.NUM_ROUNDS) if space.size >= blind.MIN_SIZE else [],
    }


def _describe_metric(name: str, values: np.ndarray) -> dict[str, Any]:
    low, median, high = np.quantile(values, [0.05, 0.5, 0.95])
    return {
        "name": name,
        "title": names.title(name),
        "sign": registry.sign_of(name),
        "random": {"low": low, "median": median, "high": high},
        "draws": np.sort(values).tolist(),
    }


def with_path(known: dict[str, Any], space: Space, rotation: np.ndarray) -> dict[str, Any]:
    """A description with the metrics' values on the way to a rotation [k, k]: the curve's."""
    times, path = frames.path_of(rotation)
    found = frames.measure(space, path).metrics
    metrics = [{**metric, "path": found[metric["name"]].tolist()} for metric in known["metrics"]]
    return {**known, "times": times.tolist(), "metrics": metrics}
