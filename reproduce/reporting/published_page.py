"""The page of published models: the question's words one by one, and strips to be looked at."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import pandas as pd

from reproduce.basis.decodability import MIN_R2
from reproduce.reporting import figures, names, published_strips, published_tables, result_tables
from reproduce.reporting.template import fill
from reproduce.training.run_directory import RunDirectory

PAGE = "published.html"


def render(runs: Sequence[RunDirectory]) -> dict[str, bytes]:
    """The page, its tables and its pictures, by the name of the file.

    Args:
        runs: Tested runs of imported weights.

    Raises:
        InputError: If a file is missing or damaged.
    """
    of_photographs = [run for run in runs if _trained_on(run) != "dSprites"]
    attributes = pd.concat([published_tables.attributes(run) for run in runs], ignore_index=True)
    tables = {
        "attributes.csv": attributes,
        "agreement.csv": published_tables.agreement(attributes),
        "losses.csv": published_tables.losses(runs),
        "metrics.csv": published_tables.metrics(runs),
    }
    pictures = {}
    for run in runs:
        origin = run.read_config().origin
        assert origin is not None
        title = f"{origin.name}: {origin.loss}, trained on {origin.trained_on}"
        pictures[f"strips_{origin.name}.png"] = figures.to_png(
            published_strips.draw(run, title), published_strips.DPI
        )
    html = fill(
        "published.html.j2",
        pages=[f"{name}/report.html" for name in dict.fromkeys(_folder(run) for run in runs)],
        models=[_model(run) for run in runs],
        words=list(names.WORDS),
        cells=_cells(attributes, [_name(run) for run in of_photographs]),
        attributes=attributes.to_dict("records"),
        agreement=tables["agreement.csv"].to_dict("records"),
        instruments=list(dict.fromkeys(attributes["instrument"])),
        losses=tables["losses.csv"].to_dict("records"),
        metrics=[
            row | {"title": names.title(row["metric"])} for row in _rows(tables["metrics.csv"])
        ],
        pictures={name: base64.b64encode(content).decode() for name, content in pictures.items()},
        alpha=published_tables.ALPHA,
        min_r2=MIN_R2,
        leakages=[entry for run in runs for entry in _leakage(run)],
    )
    texts = {name: table.to_csv(index=False).encode() for name, table in tables.items()}
    return {PAGE: html.encode()} | texts | pictures


def _rows(table: pd.DataFrame) -> list[dict[Any, Any]]:
    return table.to_dict("records")


def _folder(run: RunDirectory) -> str:
    """Where a run and its report are, beside the page."""
    return run.path.parent.parent.name


def _name(run: RunDirectory) -> str:
    origin = run.read_config().origin
    assert origin is not None
    return origin.name


def _trained_on(run: RunDirectory) -> str:
    origin = run.read_config().origin
    assert origin is not None
    return origin.trained_on


def _model(run: RunDirectory) -> dict[str, Any]:
    config = run.read_config()
    origin = config.origin
    assert origin is not None
    return {
        "name": origin.name,
        "loss": origin.loss,
        "trained_on": origin.trained_on,
        "tested_on": config.data_set,
        "epochs": origin.epochs,
        "source": origin.source,
        "licence": origin.licence,
        "sha256": origin.sha256,
        "seed": origin.seed,
    }


def _cells(attributes: pd.DataFrame, models: Sequence[str]) -> list[dict[str, Any]]:
    """A row for each model and instrument: what it says of each word, its factors below another."""
    rows = []
    for name in models:
        own = attributes[attributes["model"] == name]
        for instrument, part in own.groupby("instrument", sort=False):
            by_word = {word: _rows(part[part["word"] == word]) for word in names.WORDS}
            rows.append(
                {
                    "model": name,
                    "loss": own["loss"].iloc[0],
                    "instrument": instrument,
                    "words": by_word,
                }
            )
    return rows


def _leakage(run: RunDirectory) -> list[dict[str, Any]]:
    """Rows of traversal purity, where a predictor read the decoder's images."""
    file = run.path / "leakage.csv"
    if not file.exists():
        return []
    table = result_tables.read(file, ["axis", "purity", "dead"])
    factors = [column for column in table.columns if column not in ("axis", "purity", "dead")]
    return [{"model": _name(run), "names": factors, "rows": _rows(table)}]
