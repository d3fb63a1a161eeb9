"""The report's content: figures, tables and sentences, filled into one HTML template."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import pandas as pd

from data.files import InputError, load_npz
from reproduce import bases, figures, representation, significance, traversals, verdicts
from reproduce.assessment import CONTROL_TOLERANCE, control_drifts
from reproduce.runs import flatten
from reproduce.verdicts import SeedResult


def render(
    results: Sequence[SeedResult], verdict_file: Path, profile: str | None, summary: str | None
) -> str:
    """The whole page as HTML that needs no other file.

    Args:
        results: Every seed's result.
        verdict_file: verdict.csv; contrast.csv lies beside it.
        profile: The main job's profile, if it is one.
        summary: The profile's, in words.

    Raises:
        InputError: If a file is missing or damaged.
    """
    results = sorted(results, key=lambda result: (result.arm, result.config.seed))
    tables = [_read_csv(verdict_file), _read_csv(verdict_file.with_name("contrast.csv"))]
    sections = []
    for metric in verdicts.metrics_of(results):
        dose = figures.dose_response(results, metric)
        sections.append(
            {
                "name": metric.upper(),
                "haar": figures.to_svg(figures.null_histograms(results, "haar", metric)),
                "haar_active": figures.to_svg(
                    figures.null_histograms(results, "haar_active", metric)
                ),
                "dose": figures.to_svg(dose) if dose else None,
                "effects": figures.to_svg(figures.effects(results, metric)),
            }
        )
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("reproduce"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2").render(
        profile=profile,
        summary=summary,
        verdicts=tables[0].to_dict("records"),
        contrasts=tables[1].to_dict("records"),
        num_primary=verdicts.NUM_PRIMARY,
        name=verdicts.name,
        dataset=_describe_dataset(results[0]),
        sections=sections,
        seeds=[_seed_row(result) for result in results],
        strips=[_strips(result) for result in results],
        energy=traversals.ENERGY_SHARE,
        curves=figures.to_svg(figures.training_curves(results)),
        num_bases=", ".join(_null_sizes(results)),
        families={name: family.summary for name, family in bases.FAMILIES.items()},
        settings=_settings(results),
        environments=_environments(results),
        version=metadata.version("axisbias"),
        tolerance=CONTROL_TOLERANCE,
    )


def _read_csv(file: Path) -> pd.DataFrame:
    try:
        return pd.read_csv(file)
    except (OSError, ValueError) as error:
        raise InputError(f"{file}: missing or damaged ({error}); run reproduce.verdict") from error


def _describe_dataset(result: SeedResult) -> dict[str, Any]:
    encoded = representation.load(result.run.representation_file)
    factors = [
        f"{name} ({size})"
        for name, size in zip(encoded.factor_names, encoded.factor_sizes, strict=True)
    ]
    return {
        "name": result.config.data_set,
        "source": result.config.data_source,
        "factors": ", ".join(factors),
        "num_points": len(encoded.latents),
    }


def _seed_row(result: SeedResult) -> dict[str, Any]:
    """One line of the table of seeds."""
    row: dict[str, Any] = {
        "arm": verdicts.name(result.arm),
        "seed": result.config.seed,
        "active": result.active,
        "reconstruction": result.training.get("reconstruction"),
        "kl": result.training.get("kl"),
        "metrics": [],
    }
    drifts = control_drifts(result.frame, result.nulls)
    for metric in verdicts.metrics_of([result]):
        tests = {}
        for family in verdicts.NULLS:
            observed, null = result.observed(family, metric), result.null(family, metric)
            tests[family] = {
                "observed": observed,
                "mean": null.mean(),
                "z": significance.z_score(observed, null),
                "p": significance.p_value(observed, null),
                "tested": f"{family}/{metric}" in result.nulls,
            }
        references = {name: result.row(name, metric) for name in ("pca", "ica")}
        row["metrics"].append(
            {
                "name": metric.upper(),
                **tests,
                **{name: entry and entry["observed"] for name, entry in references.items()},
                "drift": drifts.get(metric),
            }
        )
    return row


def _strips(result: SeedResult) -> dict[str, Any]:
    """One seed's traversals as a picture."""
    arrays = load_npz(result.run.traversals_file, ["learned/frames"])
    table = _read_csv(result.run.path / "traversals.csv")
    strips = {
        key.removesuffix("/frames"): value
        for key, value in arrays.items()
        if key.endswith("/frames")
    }
    kl = representation.load(result.run.representation_file).marginal_kl()
    picture = figures.to_png(figures.traversals(strips, table, kl))
    dead = table.groupby("basis")["dead"].sum()
    return {
        "arm": verdicts.name(result.arm),
        "seed": result.config.seed,
        "png": base64.b64encode(picture).decode(),
        "dead_learned": int(dead.get("learned", 0)),
        "dead_random": int(dead.get("random_0", 0)),
        "num_random": len(strips.get("random_0", [])),
        "num_learned": len(strips["learned"]),
    }


def _null_sizes(results: Sequence[SeedResult]) -> list[str]:
    """The numbers of draws in the seeds' confirmatory nulls, without repetitions."""
    sizes = {len(result.null("haar", verdicts.metrics_of([result])[0])) for result in results}
    return [str(size) for size in sorted(sizes)]


def _settings(results: Sequence[SeedResult]) -> dict[str, Any]:
    """Every setting, a column for each arm, with the seeds' union where they differ."""
    arms: dict[str, list[dict[str, Any]]] = {}
    for result in results:
        config = flatten(json.loads(result.config.to_json()))
        arms.setdefault(verdicts.name(result.arm), []).append(config)
    keys = [key for key in next(iter(arms.values()))[0] if key != "data_file"]
    rows = {}
    for key in keys:
        cells = []
        for configs in arms.values():
            values = dict.fromkeys(_plain(config.get(key)) for config in configs)
            cells.append(", ".join(values))
        rows[key] = cells
    return {"arms": list(arms), "rows": rows}


def _environments(results: Sequence[SeedResult]) -> dict[str, str]:
    """The versions the runs were made with; several where they differ."""
    merged: dict[str, dict[str, None]] = {}
    for result in results:
        if result.run.environment_file.exists():
            for key, value in json.loads(result.run.environment_file.read_text()).items():
                merged.setdefault(key, {})[_plain(value)] = None
    return {key: ", ".join(values) for key, values in merged.items()}


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return " x ".join(str(entry) for entry in value)
    return np.format_float_positional(value, trim="-") if isinstance(value, float) else str(value)
