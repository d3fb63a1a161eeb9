"""The report's content: figures, tables and sentences, filled into one HTML template."""

from __future__ import annotations

import base64
import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from data.files import InputError, load_npz
from models.registry import MODELS
from reproduce.basis import bases, decodability, over_seeds
from reproduce.basis.assessment import CONTROL_TOLERANCE, control_drifts
from reproduce.basis.representation import Representation
from reproduce.metrics.registry import DECODER_SIDE
from reproduce.reporting import (
    by_factor,
    figures,
    gate,
    model_quality,
    names,
    result_tables,
    seed_results,
    seed_verdicts,
    verdict_words,
)
from reproduce.reporting.seed_results import SeedResult
from reproduce.reporting.template import fill
from reproduce.training.origins import Origin
from reproduce.training.run_directory import RunDirectory, flatten
from reproduce.traversal import energy_matching

EXPLORATORY = tuple(
    name
    for name, family in bases.FAMILIES.items()
    if family.role == "null" and not family.is_confirmatory
)
_SHOWN = ("observed", "null_mean", "difference", "low", "high", "z", "p")  # of each null
_OF_IMPORTED = ("model", "network", "num_latents", "posterior", "decoder", "dataset", "variant")
BEST_K = (1, 2, 3, 5, 10)  # how many of the best axes the page tells m* for, beside all of them


def render(
    results: Sequence[SeedResult],
    table: pd.DataFrame,
    contrasts: pd.DataFrame,
    profile: str | None = None,
    summary: str | None = None,
    unfinished: str = "",
) -> str:
    """The whole page as HTML that needs no other file.

    Args:
        results: Every seed's result.
        table: Their verdicts, as `seed_verdicts.judge` gives them.
        contrasts: The contrasts between arms, with them.
        profile: The main job's profile, if it is one.
        summary: The profile's, in words.
        unfinished: What is still to come of a job that has not ended; it marks the page.

    Raises:
        InputError: If a file is missing or damaged.
    """
    arms = list(dict.fromkeys(result.arm for result in results))
    results = sorted(results, key=lambda result: (arms.index(result.arm), result.seed))
    trained = [result for result in results if result.run is not None]
    picking = figures.cherry_picking(results)
    common = seed_results.metrics_of(results)
    if not common:
        raise InputError(
            "no metric was tested in every arm, by which a page could compare them; test all by "
            "one, or write a page for each arm"
        )
    primary = common[0]
    verdicts = table.to_dict("records")
    return fill(
        "report.html.j2",
        profile=profile,
        summary=summary,
        unfinished=unfinished,
        primary=primary,
        primaries=[row for row in verdicts if row["metric"] == _primary(row, table)],
        verdicts=verdicts,
        metrics_tested=_metric_rows(table),
        disagreements=verdict_words.disagreements(table),
        margin=over_seeds.MARGIN,
        contrasts=contrasts.to_dict("records"),
        num_primary=seed_verdicts.NUM_PRIMARY,
        headline_of=verdict_words.headline,
        name=names.name,
        dataset=_describe_dataset(results[0]),
        sections=_sections(results, primary),
        picked=figures.to_svg(picking) if picking else None,
        by_factor=by_factor.sections(results),
        min_r2=decodability.MIN_R2,
        best_k=BEST_K,
        searches=[row for result in results for row in _search_rows(result)],
        exploratory_families=EXPLORATORY,
        exploratory=[row for result in results for row in _exploratory_rows(result)],
        seeds=[_seed_row(result) for result in results],
        qualities=model_quality.rows(trained),
        gate=gate,
        strips=[_strips(result, result.run) for result in trained if result.run],
        energy=energy_matching.ENERGY_SHARE,
        curves=_curves(trained),
        imported=_imported(trained),
        reached=_reached(trained),
        leakages=[entry for result in trained for entry in _leakage(result)],
        labelled=_tables(trained, lambda run: run.labelled_directions_file),
        accuracies=_accuracies(trained),
        num_bases=", ".join(_null_sizes(results)),
        families={name: family.summary for name, family in bases.FAMILIES.items()},
        settings=_settings(trained),
        environments=_environments(trained),
        tolerance=CONTROL_TOLERANCE,
    )


def _sections(results: Sequence[SeedResult], primary: str) -> list[dict[str, Any]]:
    """The figures of the first metric of the latents, on either side, and those of purity."""
    found = []
    for metric in (primary, DECODER_SIDE + primary, names.PURITY):
        shown = [
            result
            for result in results
            if metric == primary
            or (result.is_tested("haar", metric) and not np.isnan(result.observed("haar", metric)))
        ]
        if not shown:
            continue
        dose = figures.interpolation_curves(shown, metric)
        trained = any(result.run is not None for result in results)
        has_active = metric != names.PURITY or any(
            result.is_tested("haar_active", metric) for result in shown
        )
        found.append(
            {
                "name": names.title(metric, shown[0].side(metric)),
                "haar": figures.to_svg(figures.null_histograms(shown, "haar", metric)),
                "haar_active": figures.to_svg(figures.null_histograms(shown, "haar_active", metric))
                if has_active
                else None,
                "dose": figures.to_svg(dose) if dose else None,
                "effects": figures.to_svg(figures.effects(shown, metric)) if trained else None,
            }
        )
    return found


def _describe_dataset(result: SeedResult) -> dict[str, Any]:
    encoded = result.encoded
    factors = [
        f"{name} ({size})"
        for name, size in zip(encoded.factor_names, encoded.factor_sizes, strict=True)
    ]
    return {
        "name": result.data_set,
        "notice": result.run.read_config().data_notice if result.run else "",
        "factors": ", ".join(factors),
        "num_points": len(encoded.latents),
    }


def _seed_row(result: SeedResult) -> dict[str, Any]:
    """One line of the table of seeds."""
    row: dict[str, Any] = {
        "arm": names.name(result.arm),
        "seed": result.seed if result.run else None,
        "active": len(result.encoded.active()),
        "left_out": result.encoded.left_out(),
        "decoded": _describe_decoded(result.decoded),
        "metrics": [],
    }
    drifts = control_drifts(result.frame, result.nulls)
    for metric in seed_results.metrics_of([result]):
        tests = {}
        for family in names.NULLS:
            tests[family] = {
                "observed": result.observed(family, metric),
                "mean": result.null(family, metric).mean(),
                "p": result.p_value(family, metric),
                "tested": result.is_tested(family, metric),
            }
        references = {name: result.row(name, metric) for name in ("pca", "ica", "supervised")}
        row["metrics"].append(
            {
                "name": names.title(metric, result.side(metric)),
                **tests,
                **{name: entry and entry["observed"] for name, entry in references.items()},
                "rho": references["supervised"] and references["supervised"]["rho"],
                "found_on": references["supervised"] and references["supervised"].get("found_on"),
                "drift": drifts.get(metric),
            }
        )
    return row


def _describe_decoded(decoded: Representation | None) -> str:
    """What the decoder's side of a seed is made of, in words; empty if it was not tested."""
    if decoded is None or decoded.reading is None:
        return ""
    reading = decoded.reading
    errors = ", ".join(
        f"{name} {error:.3g} {unit}"
        for name, error, unit in zip(
            decoded.factor_names, reading.errors, reading.units, strict=True
        )
    )
    unread = reading.num_drawn - len(decoded.latents)
    parts = [
        f"{len(decoded.latents)} draws of the {reading.block}, decoded and read by {reading.reader}"
    ]
    parts += [f"{unread} images could not be read"] if unread else []
    parts += [f"which reads images of known factors so well: {errors}"] if errors else []
    parts += [f"hardly vary, and are left out: {', '.join(reading.left_out)}"] * bool(
        reading.left_out
    )
    parts += [decoded.left_out()] if decoded.left_out() else []
    return "; ".join(parts)


def _primary(row: Mapping[Any, Any], table: pd.DataFrame) -> str:
    """The metric of a verdict's card: the arm's primary one, or the first that there is."""
    own = table.loc[
        table["model"].eq(row["model"]) & table["data_set"].eq(row["data_set"]), "metric"
    ]
    return names.primary_metric(row["model"], list(own))


def _tables(
    trained: Sequence[SeedResult], file_of: Callable[[RunDirectory], Path]
) -> list[dict[str, Any]]:
    """An optional table of every run, with its arm and seed."""
    found = []
    for result in trained:
        assert result.run is not None
        file = file_of(result.run)
        if file.exists():
            rows = result_tables.read(file, ["factor"], min_rows=0).to_dict("records")
            found.append({"arm": names.name(result.arm), "seed": result.seed, "rows": rows})
    return found


def _leakage(result: SeedResult) -> list[dict[str, Any]]:
    """One run's leakage as a picture and in words, if its decoder was tested."""
    assert result.run is not None
    if not result.run.leakage_file.exists():
        return []
    learned, random, data = (
        result_tables.read(file, columns)
        for file, columns in (
            (result.run.leakage_file, ["axis", "purity", "dead"]),
            (result.run.random_leakage_file, ["axis", "purity", "dead"]),
            (result.run.data_leakage_file, ["given"]),
        )
    )
    frames = load_npz(result.run.traversals_file, ["learned/frames"])["learned/frames"]
    table = result_tables.read(result.run.traversal_steps_file, ["basis", "axis"])
    axes = table.loc[table["basis"] == "learned", "axis"]
    strips = dict(zip(axes, frames, strict=True))
    factors = [column for column in data.columns if column != "given"]
    sentences = []
    for row in learned[~learned["dead"]].to_dict("records"):
        largest = sorted(factors, key=lambda factor: -row[factor])[:3]
        parts = ", ".join(f"{factor} {100 * row[factor]:.0f}%" for factor in largest)
        sentences.append(f"axis {row['axis']}: {parts}")
    return [
        {
            "arm": names.name(result.arm),
            "seed": result.seed,
            "svg": figures.to_svg(figures.leakage(learned, random, data, strips)),
            "sentences": sentences,
        }
    ]


def _accuracies(trained: Sequence[SeedResult]) -> dict[str, list[dict[str, Any]]]:
    """How exact the predictors are, by the size of the images that they read."""
    found: dict[str, list[dict[str, Any]]] = {}
    for result, table in zip(
        trained, _tables(trained, lambda run: run.predictor_accuracy_file), strict=False
    ):
        assert result.run is not None
        height, width, _ = result.run.read_config().image_shape
        found.setdefault(f"{height} x {width}", table["rows"])
    return found


def _model(result: SeedResult) -> str:
    """The model that a trained result is of."""
    assert result.run is not None
    return result.run.read_config().recipe.model


def _origin(result: SeedResult) -> Origin | None:
    """Where a trained result's weights come from, if they were imported."""
    assert result.run is not None
    return result.run.read_config().origin


def _imported(trained: Sequence[SeedResult]) -> list[dict[str, Any]]:
    """What imported models were trained on, and on what they are tested."""
    found = []
    for result in trained:
        origin = _origin(result)
        if origin is not None:
            found.append(
                {"arm": names.name(result.arm), "data_set": result.data_set}
                | dataclasses.asdict(origin)
            )
    return found


def _curves(trained: Sequence[SeedResult]) -> list[dict[str, str]]:
    """Training curves, a figure for each model."""
    trained = [result for result in trained if _origin(result) is None]
    models = [
        model
        for model in dict.fromkeys(map(_model, trained))
        if any(term.curve for term in MODELS[model].terms)
    ]
    return [
        {
            "name": MODELS[model].title,
            "svg": figures.to_svg(
                figures.training_curves([r for r in trained if _model(r) == model], model)
            ),
        }
        for model in models
    ]


def _reached(trained: Sequence[SeedResult]) -> list[dict[str, str]]:
    """What trainings ended with, seed by seed, beside what was published."""
    arms: dict[str, list[SeedResult]] = {}
    for result in trained:
        if _origin(result) is None:
            arms.setdefault(result.arm, []).append(result)
    rows = []
    for arm, seeds in arms.items():
        model = MODELS[_model(seeds[0])]
        columns = ["step", *model.logged]
        logs = [
            result_tables.read(result.run.training_file, columns, min_rows=0)
            for result in seeds
            if result.run
        ]
        logs = [log for log in logs if len(log)]
        if not logs:
            rows.append({"arm": names.name(arm), "reached": "not trained", "published": ""})
            continue
        parts = []
        for term in model.terms:
            if all(term.column in log for log in logs):
                values = ", ".join(f"{result_tables.at_end(log, term.column):.3g}" for log in logs)
                parts.append(f"{term.label} {values}")
        rows.append(
            {
                "arm": names.name(arm),
                "reached": "; ".join(parts),
                "published": model.published,
            }
        )
    return rows


def _metric_rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Every arm's verdict by every metric, in short."""
    rows = []
    for record in table.to_dict("records"):
        families = {
            family: {key: record.get(f"{family}_{key}") for key in _SHOWN} for family in names.NULLS
        }
        rows.append(
            {
                "arm": names.name(str(record["model"])),
                "metric": names.title(str(record["metric"]), names.text(record.get("side"))),
                "num_seeds": record["num_seeds"],
                "holm_p": record["holm_p"],
                "verdict": verdict_words.short(record),
                **families,
            }
        )
    return rows


def _search_rows(result: SeedResult) -> list[dict[str, Any]]:
    """How many random directions must be looked through to match the best k learned axes."""
    if result.picked is None:
        return []
    by_k = {row["k"]: row for row in result.picked.to_dict("records")}
    rows = [by_k.get(k) for k in BEST_K] + [by_k[max(by_k)]]
    return [
        {
            "arm": names.name(result.arm),
            "seed": result.seed if result.run else None,
            "rows": rows,
        }
    ]


def _exploratory_rows(result: SeedResult) -> list[dict[str, Any]]:
    """The tests against nulls by which no verdict is made: a row for each metric."""
    rows = []
    for metric in seed_results.metrics_of([result]):
        entries = [result.row(family, metric) for family in EXPLORATORY]
        if any(entries):
            rows.append(
                {
                    "arm": names.name(result.arm),
                    "seed": result.seed if result.run else None,
                    "metric": names.title(metric, result.side(metric)),
                    "entries": entries,
                }
            )
    return rows


def _strips(result: SeedResult, run: RunDirectory) -> dict[str, Any]:
    """One seed's traversals as a picture."""
    arrays = load_npz(run.traversals_file, ["learned/frames"])
    table = result_tables.read(run.traversal_steps_file, ["basis", "axis", "step", "dead"])
    strips = {
        key.removesuffix("/frames"): value
        for key, value in arrays.items()
        if key.endswith("/frames")
    }
    picture = figures.to_png(figures.traversals(strips, table, result.encoded.marginal_kl()))
    samples = {
        f"samples, temperature {key.removeprefix('samples/')}": value
        for key, value in arrays.items()
        if key.startswith("samples/")
    }
    sheet = figures.to_png(figures.sample_sheet(samples)) if samples else None
    dead = table.groupby("basis")["dead"].sum()
    return {
        "arm": names.name(result.arm),
        "seed": result.seed,
        "png": base64.b64encode(picture).decode(),
        "samples": base64.b64encode(sheet).decode() if sheet else None,
        "dead_learned": int(dead.get("learned", 0)),
        "dead_random": int(dead.get("random_0", 0)),
        "num_random": len(strips.get("random_0", [])),
        "num_learned": len(strips["learned"]),
    }


def _null_sizes(results: Sequence[SeedResult]) -> list[str]:
    """The numbers of draws in the seeds' confirmatory nulls, without repetitions."""
    sizes = {len(result.null("haar", seed_results.metrics_of([result])[0])) for result in results}
    return [str(size) for size in sorted(sizes)]


def _settings(results: Sequence[SeedResult]) -> dict[str, Any]:
    """Every setting, a column for each arm: empty where it has no such setting.

    Where seeds differ, all their values are told.
    """
    arms: dict[str, list[dict[str, Any]]] = {}
    for result in results:
        assert result.run is not None
        config = flatten(json.loads(result.run.read_config().to_json()))
        if result.run.read_config().origin is not None:  # the kit trained nothing
            config = {key: config[key] for key in _OF_IMPORTED}
        arms.setdefault(names.name(result.arm), []).append(config)
    configs = [config for configs in arms.values() for config in configs]
    keys = dict.fromkeys(key for config in configs for key in config if key != "data_file")
    rows = {}
    for key in keys:
        cells = []
        for own in arms.values():
            values = dict.fromkeys(_plain(config[key]) for config in own if key in config)
            cells.append(", ".join(values))
        rows[key] = cells
    return {"arms": list(arms), "rows": rows}


def _environments(results: Sequence[SeedResult]) -> dict[str, str]:
    """The versions the runs were made with; several where they differ."""
    merged: dict[str, dict[str, None]] = {}
    for result in results:
        if result.run:
            for key, value in result.run.read_environment().items():
                merged.setdefault(key, {})[_plain(value)] = None
    return {key: ", ".join(values) for key, values in merged.items()}


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return " x ".join(str(entry) for entry in value)
    return np.format_float_positional(value, trim="-") if isinstance(value, float) else str(value)
