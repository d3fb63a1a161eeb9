"""Tables of what there is to choose from, each read from where it is registered."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from paper.regions import table
from reproduce.metrics.registry import METRICS, Metric
from reproduce.pipeline.profiles import PROFILES

_ROOT = Path(__file__).resolve().parents[1]
_SOURCES = {
    "information": "mutual information",
    "entropies": "mutual information and entropies",
    "covariance": "covariances",
    "groups": "groups of images",
    "fit": "a fit in every basis",
    "runs": "several models",
    "decoder": "a decoder",
}


def metrics() -> str:
    """Every metric in the order of definitions.md, which names some by those before them."""
    text = (_ROOT / "reproduce" / "metrics" / "definitions.md").read_text(encoding="utf-8")
    defined = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", text, re.MULTILINE))
    in_order = sorted(METRICS.values(), key=lambda m: [*defined, m.name].index(m.name))
    rows = [
        [
            f"`{metric.name}`",
            defined.get(metric.name, ""),
            _SOURCES[metric.source],
            _better(metric),
            _under_rotation(metric),
        ]
        for metric in in_order
    ]
    return table(["name", "what it is", "computed from", "better", "under rotation"], rows)


def _better(metric: Metric) -> str:
    if metric.source == "decoder":  # nothing is tested by it
        return "–"
    return "higher" if metric.sign > 0 else "lower"


def _under_rotation(metric: Metric) -> str:
    if metric.source in ("runs", "decoder"):
        return "not asked"
    if set(metric.columns) <= set(metric.invariant):
        return "does not change"
    kept = [part for part in metric.parts if f"{metric.name}_{part}" in metric.invariant]
    return f"changes, but for {', '.join(kept)}" if kept else "changes"


def objectives() -> str:
    """Every objective of the VAE, by the first line of its file."""
    rows = []
    for file in sorted((_ROOT / "models" / "objectives").glob("*.py")):
        if file.stem not in ("__init__", "base"):
            doc = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
            rows.append([f"`{file.stem}`", doc.partition("\n\n")[0].replace("\n", " ")])
    return table(["`--set=objective=`", "loss"], rows)


def profiles() -> str:
    """Every scale of the main job."""
    rows = [
        [f"`{name}`", profile.summary, _range(profile.seeds)] for name, profile in PROFILES.items()
    ]
    return table(["`PROFILE=`", "what it is", "seeds"], rows)


def _range(seeds: Sequence[int]) -> str:
    return str(seeds[0]) if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}"


TABLES: Mapping[str, Callable[[], str]] = {
    "metrics": metrics,
    "objectives": objectives,
    "profiles": profiles,
}
