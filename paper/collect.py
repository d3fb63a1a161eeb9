r"""Copies what the paper needs of finished results into paper/results: small files, same names.

Tables and settings are copied, draws and traversals thinned (paper/thin.py). What was collected
before under that name is replaced, all at once.

Examples:
    python -m paper.collect --results=results/quick
    python -m paper.collect --results=results/mechanisms --output=paper/results/mechanisms
"""

from __future__ import annotations

from pathlib import Path

from absl import flags

from data.files import InputError
from reproduce import program

_RESULTS = flags.DEFINE_string("results", None, "A folder of finished results.")
_OUTPUT = flags.DEFINE_string(
    "output", None, "Where to; by default the folder of the same name in paper/results."
)


def main() -> None:
    """Checks flags and collects."""
    if _RESULTS.value is None or not Path(_RESULTS.value).is_dir():
        raise InputError(f"--results={_RESULTS.value}: no such folder; expected finished results")
    source = Path(_RESULTS.value)
    target = Path(_OUTPUT.value or f"paper/results/{source.resolve().name}")
    if target.resolve() == source.resolve():
        raise InputError("--output is --results; give another folder")
    from paper.kept_results import collect

    size = collect(source, target)
    print(f"{target}: {size / 1000:.0f} kB")


if __name__ == "__main__":
    program.run(main)
