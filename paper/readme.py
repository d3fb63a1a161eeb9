r"""Fills the marked regions of README.md, docs/ and paper/results/README.md from result files.

Whatever stands between the marks `begin: NAME` and `end` is written by this program, so that
nothing measured is typed by hand. A test checks that the pages are as this program writes them.

Examples:
    python -m paper.readme
    python -m paper.readme --results=results --root=/tmp/copy
"""

from __future__ import annotations

from pathlib import Path

from absl import flags

from data.files import InputError, write_text
from reproduce import program

_RESULTS = flags.DEFINE_string("results", "paper/results", "The folder of result files.")
_ROOT = flags.DEFINE_string("root", ".", "The repository's root, with README.md and docs/.")


def main() -> None:
    """Checks flags and fills."""
    results, root = Path(_RESULTS.value), Path(_ROOT.value)
    if not results.is_dir():
        raise InputError(f"--results={results}: no such folder; expected one of result files")
    if not (root / "README.md").is_file():
        raise InputError(f"--root={root}: holds no README.md; expected the repository's root")
    from paper.page_parts import pages
    from paper.sources import Results

    for file, text in pages(Results(results), root).items():
        if file.read_text(encoding="utf-8") != text:
            write_text(file, text)
            print(f"{file} is written anew")


if __name__ == "__main__":
    program.run(main)
