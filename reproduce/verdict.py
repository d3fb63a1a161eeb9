"""Judges many seeds' basis tests together: one verdict an arm, and the contrast between arms.

Reads the run directories' config.json, training.csv, representation.npz, basis_test.csv and
null.npz; writes verdict.csv, and contrast.csv beside it.

Example:
    python -m reproduce.verdict --runs=runs/a,runs/b,runs/c --output=verdict.csv
"""

from __future__ import annotations

from pathlib import Path

from absl import flags

from data.files import InputError
from reproduce import program

_RUNS = flags.DEFINE_list("runs", [], "Tested run directories, or folders of them.")
_ALPHA = flags.DEFINE_float("alpha", 0.05, "Level of significance.", 0.0, 1.0)
_SEED = flags.DEFINE_integer("seed", 0, "Of the joint draws' shuffles.", lower_bound=0)
_OUTPUT = flags.DEFINE_string("output", "verdict.csv", "The verdicts, one row each.")


def main() -> None:
    """Judges, writes, prints the sentences."""
    if not _RUNS.value:
        raise InputError("--runs is missing; give tested run directories")
    from data.files import write_text
    from reproduce import verdicts
    from reproduce.runs import find_runs

    results = verdicts.read_results(find_runs(_RUNS.value))
    table, contrasts = verdicts.judge(results, _SEED.value, _ALPHA.value)
    output = Path(_OUTPUT.value)
    write_text(output, table.to_csv(index=False))
    write_text(output.parent / "contrast.csv", contrasts.to_csv(index=False))
    for frame in (table, contrasts):
        for row in frame.to_dict("records"):
            print(row["sentence"])


if __name__ == "__main__":
    program.run(main)
