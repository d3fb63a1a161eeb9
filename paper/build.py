r"""Builds the paper from result files alone: figures, tables, the numbers of the text, the PDF.

Writes figures/ (PDF and PNG), tables/ (CSV and LaTeX), text.json and paper.pdf. Whatever needs a
file that is missing says so in its place, and the rest is built; the same results give the same
bytes on one machine.

Examples:
    python -m paper.build --results=paper/results
    python -m paper.build --results=results --output=/tmp/paper
"""

from __future__ import annotations

from pathlib import Path

from absl import flags

from data.files import InputError
from reproduce import program

_RESULTS = flags.DEFINE_string("results", "paper/results", "The folder of result files.")
_OUTPUT = flags.DEFINE_string("output", "paper", "Where the paper and its parts are written.")


def main() -> None:
    """Checks flags and builds."""
    root = Path(_RESULTS.value)
    if not root.is_dir():
        raise InputError(f"--results={root}: no such folder; expected one of result files")
    from paper.parts import build
    from paper.sources import Results

    output = Path(_OUTPUT.value)
    missing = build(Results(root), output)
    for line in missing:
        print(line)
    rest = f"; {len(missing)} parts of it are not available" if missing else ""
    print(f"{output / 'paper.pdf'} is built{rest}")


if __name__ == "__main__":
    program.run(main)
