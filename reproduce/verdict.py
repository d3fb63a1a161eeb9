r"""Judges many seeds' basis tests together: one verdict an arm, and the contrast between arms.

Reads the run directories' config.json, training.csv, representation.npz, basis_test.csv and
null.npz, or somebody's own representations with their basis tests; writes verdict.csv, and
contrast.csv beside it.

Examples:
    python -m reproduce.verdict --runs=runs/a,runs/b,runs/c --output=verdict.csv
    python -m reproduce.verdict --representation=a0.npz,a1.npz,b0.npz,b1.npz \
        --basis_test=a0/basis_test.csv,a1/basis_test.csv,b0/basis_test.csv,b1/basis_test.csv \
        --arms=mine,mine,theirs,theirs --control=theirs
"""

from __future__ import annotations

from pathlib import Path

from absl import flags

from data.files import InputError, check_outputs
from reproduce import program

_RUNS = flags.DEFINE_list("runs", [], "Tested run directories, or folders of them.")
_REPRESENTATION = flags.DEFINE_list("representation", [], "Or somebody's own representations.")
_BASIS_TEST = flags.DEFINE_list("basis_test", [], "The basis_test.csv of each of these.")
_ARMS = flags.DEFINE_list("arms", [], "What each is a seed of; by default each stands alone.")
_CONTROL = flags.DEFINE_string("control", None, "The arm that all others are contrasted with.")
_ALPHA = flags.DEFINE_float("alpha", 0.05, "Level of significance.", 0.0, 1.0)
_SEED = flags.DEFINE_integer("seed", 0, "The seed of the joint null's permutations.", lower_bound=0)
_OUTPUT = flags.DEFINE_string("output", "verdict.csv", "The verdicts, one row each.")


def main() -> None:
    """Judges, writes, prints the sentences."""
    if bool(_RUNS.value) == bool(_REPRESENTATION.value):
        raise InputError(
            "give either --runs, tested run directories, or --representation, files of your own"
        )
    output = Path(_OUTPUT.value)
    given = [*program.paths(_REPRESENTATION.value), *program.paths(_BASIS_TEST.value)]
    check_outputs([output, output.parent / "contrast.csv"], given)
    from data.files import write_text
    from reproduce.reporting import seed_results, seed_verdicts
    from reproduce.training.run_directory import find_runs

    if _RUNS.value:
        results = seed_results.read_results(find_runs(program.paths(_RUNS.value)))
    else:
        files, tests = (
            [Path(path) for path in program.paths(flag.value)]
            for flag in (_REPRESENTATION, _BASIS_TEST)
        )
        results = seed_results.read_representations(files, tests, _ARMS.value)
    table, contrasts = seed_verdicts.judge(results, _SEED.value, _ALPHA.value, _CONTROL.value)
    write_text(output, table.to_csv(index=False))
    write_text(output.parent / "contrast.csv", contrasts.to_csv(index=False))
    for frame in (table, contrasts):
        for row in frame.to_dict("records"):
            print(row["sentence"])


if __name__ == "__main__":
    program.run(main)
