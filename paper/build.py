r"""Builds the paper from result files alone: figures, tables, the numbers of the text, the PDF.

Writes figures/ (PDF and PNG), tables/ (CSV and LaTeX), text.json and paper.pdf. Whatever needs a
file that is missing says so in its place, and the rest is built; the same results give the same
bytes on one machine.

Examples:
    python -m paper.build --results=paper/results
    python -m paper.build --results=results --output=/tmp/paper
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from absl import flags

from data.files import InputError, atomic_write, write_text
from reproduce import program

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from paper.sources import Results

_RESULTS = flags.DEFINE_string("results", "paper/results", "The folder of result files.")
_OUTPUT = flags.DEFINE_string("output", "paper", "Where the paper and its parts are written.")
HERE = Path(__file__).parent
_DPI = 300
_MECHANISMS = ("rolinek_table", "rolinek_toy", "zietlow", "bau_geodesic", "szegedy", "likelihood")


def figures() -> dict[str, Callable[[Results], Figure]]:
    """Every figure by its file's name."""
    from paper import pictures, plots
    from paper.sources import FACES, LONG, QUICK

    found: dict[str, Callable[[Results], Figure]] = {
        "operating-characteristics": plots.operating_characteristics
    }
    for profile in (QUICK, FACES):
        for make in (
            *(plots.headline, plots.dose_response, plots.cherry_picking),
            *(pictures.traversals, pictures.leakage),
        ):
            label = make.__name__.replace("_", "-")
            found[f"{label}-{profile}"] = partial(make, profile=profile)
    for profile in (QUICK, FACES, LONG):
        found[f"posteriors-{profile}"] = partial(plots.posteriors, profile=profile)
    return found


def tables() -> dict[str, Callable[[Results], pd.DataFrame]]:
    """Every table by its file's name."""
    from paper import tables
    from paper.sources import FACES, QUICK

    found: dict[str, Callable[[Results], pd.DataFrame]] = {
        "predictions": tables.predictions,
        "controls": tables.controls,
        "claims": tables.claims,
        "claims-by-paper": tables.claims_by_paper,
        "calibration": tables.calibration,
    }
    for profile in (QUICK, FACES):
        found[f"verdicts-{profile}"] = partial(tables.verdicts, profile=profile)
        found[f"settings-{profile}"] = partial(tables.settings, profile=profile)
    for file in _MECHANISMS:
        found[file.replace("_", "-")] = partial(tables.mechanism, file=f"{file}.csv")
    return found


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
    from paper.sentences import SENTENCES

    drawn = _make(figures(), results, partial(_save_figure, output / "figures"))
    filled = _make(tables(), results, partial(_save_table, output / "tables"))
    said: dict[str, Any] = {}
    silent = _make(SENTENCES, results, said.__setitem__)
    text = {
        "figures": {name: drawn.get(name) for name in figures()},
        "tables": {name: filled.get(name) for name in tables()},
        "sentences": {
            name: {"text": said.get(name), "why": silent.get(name)} for name in SENTENCES
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


def _make(
    parts: Mapping[str, Callable[[Results], Any]],
    results: Results,
    save: Callable[[str, Any], None],
) -> dict[str, str]:
    """Makes and saves each part; returns why those that are not available are not."""
    from paper.sources import MissingError

    missing = {}
    for name, make in parts.items():
        try:
            made = make(results)
        except MissingError as error:
            missing[name] = str(error)
            continue
        save(name, made)
    return missing


def _save_figure(folder: Path, name: str, figure: Figure) -> None:
    import matplotlib.pyplot as plt

    from paper.plots import STYLE

    with plt.rc_context(STYLE):
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
    import typst

    content = typst.compile(
        str(HERE / "paper.typ"),
        root="/",
        sys_inputs={"parts": str(output.resolve())},
        ignore_system_fonts=True,
        timestamp=0,
    )
    with atomic_write(output / "paper.pdf") as file:
        file.write(content)


def main() -> None:
    """Checks flags and builds."""
    root = Path(_RESULTS.value)
    if not root.is_dir():
        raise InputError(f"--results={root}: no such folder; expected one of result files")
    from paper.sources import Results

    output = Path(_OUTPUT.value)
    missing = build(Results(root), output)
    for line in missing:
        print(line)
    print(f"{output / 'paper.pdf'} is built" + (f"; {len(missing)} parts are not available" * bool(missing)))


if __name__ == "__main__":
    program.run(main)
