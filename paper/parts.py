"""The parts of the paper by name, and how they are made, saved and typeset."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
import typst
from matplotlib.figure import Figure

from data.files import atomic_write, write_text
from paper import answer, beta, claims, mechanisms, pictures, plots
from paper import tables as made_tables
from paper.sentences import SENTENCES
from paper.sources import FACES, LONG, QUICK, QUICK_FACES, SHORT, MissingError, Results

TEXT = Path(__file__).parent / "paper.typ"
_DPI = 300


def figures() -> dict[str, Callable[[Results], Figure]]:
    """Every figure by its file's name."""
    found: dict[str, Callable[[Results], Figure]] = {
        "overview": answer.overview,
        "beta": beta.figure,
        "operating-characteristics": plots.operating_characteristics,
        "mechanisms": mechanisms.panels,
    }
    for profile in (QUICK, QUICK_FACES):
        found[f"headline-{profile}"] = partial(plots.headline, profile=profile)
        found[f"traversals-{profile}"] = partial(pictures.traversals, profile=profile)
        found[f"leakage-{profile}"] = partial(pictures.leakage, profile=profile)
    found[f"dose-response-{QUICK_FACES}"] = partial(plots.dose_response, profile=QUICK_FACES)
    found[f"cherry-picking-{QUICK_FACES}"] = partial(plots.cherry_picking, profile=QUICK_FACES)
    for profile in (QUICK, QUICK_FACES, SHORT, FACES, LONG):
        found[f"posteriors-{profile}"] = partial(plots.posteriors, profile=profile)
    return found


def tables() -> dict[str, Callable[[Results], pd.DataFrame]]:
    """Every table by its file's name."""
    found: dict[str, Callable[[Results], pd.DataFrame]] = {
        "predictions": made_tables.predictions,
        "controls": made_tables.controls,
        "replaced": made_tables.replaced,
        "claims": claims.table,
        "claims-by-paper": claims.by_paper,
        "calibration": made_tables.calibration,
        "error-rates": made_tables.error_rates,
        "beta": beta.table,
    }
    for profile in (QUICK, QUICK_FACES, SHORT, FACES):
        found[f"verdicts-{profile}"] = partial(made_tables.verdicts, profile=profile)
    for profile in (QUICK, QUICK_FACES, SHORT):
        found[f"settings-{profile}"] = partial(made_tables.settings, profile=profile)
    found[f"picking-{QUICK_FACES}"] = partial(made_tables.picking, profile=QUICK_FACES)
    for file in mechanisms.FILES:
        found[file.replace("_", "-")] = partial(mechanisms.table, file=file)
    return found


def sentences() -> dict[str, Callable[[Results], str]]:
    """Every sentence that the text asks for, by its key."""
    used = re.findall(r'#say\("([^"]+)"\)', TEXT.read_text(encoding="utf-8"))
    return {key: SENTENCES[key] for key in dict.fromkeys(used)}


def build(results: Results, output: Path) -> list[str]:
    """Writes the paper and all its parts.

    Args:
        results: The result files.
        output: The folder that it is written to.

    Returns:
        A line for each part that is not available, and why.

    Raises:
        InputError: If a result file is damaged.
    """
    drawn = make(figures(), results, partial(_save_figure, output / "figures"))
    filled = make(tables(), results, partial(_save_table, output / "tables"))
    said: dict[str, Any] = {}
    silent = make(sentences(), results, said.__setitem__)
    text = {
        "figures": {name: drawn.get(name) for name in figures()},
        "tables": {name: filled.get(name) for name in tables()},
        "sentences": {
            name: {"text": said.get(name), "why": silent.get(name)} for name in sentences()
        },
    }
    write_text(output / "text.json", json.dumps(text, ensure_ascii=False, indent=1) + "\n")
    _remove_others(output / "figures", figures(), drawn)
    _remove_others(output / "tables", tables(), filled)
    typeset(output)
    return [
        f"{kind} {name}: {why}"
        for kind, missing in (("figure", drawn), ("table", filled), ("sentence", silent))
        for name, why in missing.items()
    ]


def make(
    parts: Mapping[str, Callable[[Results], Any]],
    results: Results,
    save: Callable[[str, Any], None],
) -> dict[str, str]:
    """Makes and saves each part; returns why those that are not available are not."""
    missing = {}
    for name, part in parts.items():
        try:
            made = part(results)
        except MissingError as error:
            missing[name] = str(error)
            continue
        save(name, made)
    return missing


def _save_figure(folder: Path, name: str, figure: Figure) -> None:
    with plt.rc_context(plots.STYLE):
        for kind, metadata in (("pdf", {"CreationDate": None}), ("png", {"Software": None})):
            buffer = io.BytesIO()
            figure.savefig(buffer, format=kind, dpi=_DPI, metadata=metadata)
            with atomic_write(folder / f"{name}.{kind}") as file:
                file.write(buffer.getvalue())
    plt.close(figure)


def _save_table(folder: Path, name: str, table: pd.DataFrame) -> None:
    write_text(folder / f"{name}.csv", table.to_csv(index=False))
    write_text(folder / f"{name}.tex", table.to_latex(index=False, escape=True))


def _remove_others(folder: Path, parts: Mapping[str, Any], missing: Mapping[str, str]) -> None:
    """Removes what an earlier build made and this one could not."""
    for file in folder.glob("*.*"):
        if file.stem not in parts or file.stem in missing:
            file.unlink()


def typeset(output: Path) -> None:
    """Typesets paper.typ with the parts in a folder, without network or the machine's own fonts."""
    content = typst.compile(
        str(TEXT),
        root="/",
        sys_inputs={"parts": str(output.resolve())},
        ignore_system_fonts=True,
        timestamp=0,
    )
    with atomic_write(output / "paper.pdf") as file:
        file.write(content)
