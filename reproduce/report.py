"""Writes report.html, one self-contained page, from result files alone.

Of trained runs, with their verdict; or of somebody's own representations with their basis tests.

Examples:
    python -m reproduce.report --runs=results/quick/runs --verdict=results/quick/verdict.csv
    python -m reproduce.report --representation=mine.npz --basis_test=basis_test.csv
"""

from __future__ import annotations

from pathlib import Path

from absl import flags

from data.files import InputError, check_outputs
from reproduce import program
from reproduce.pipeline.profiles import PROFILES

_RUNS = flags.DEFINE_list("runs", [], "Tested run directories, or folders of them.")
_VERDICT = flags.DEFINE_string("verdict", None, "verdict.csv, with contrast.csv beside it.")
_REPRESENTATION = flags.DEFINE_list("representation", [], "Somebody's own representations.")
_BASIS_TEST = flags.DEFINE_list("basis_test", [], "The basis_test.csv of each of these.")
_ARMS = flags.DEFINE_list("arms", [], "What each is a seed of; by default each stands alone.")
_CONTROL = flags.DEFINE_string("control", None, "The arm that all others are contrasted with.")
_PROFILE = flags.DEFINE_string("profile", None, "The main job's profile, to be named on the page.")
_UNFINISHED = flags.DEFINE_string(
    "unfinished", None, "What is still to come: marks the page of a job that has not ended."
)
_OUTPUT = flags.DEFINE_string("output", "report.html", "The page.")


def main() -> None:
    """Reads, draws, writes."""
    if bool(_RUNS.value) == bool(_REPRESENTATION.value):
        raise InputError(
            "give either --runs, trained run directories, or --representation, files of your own"
        )
    if _RUNS.value and not _VERDICT.value:
        raise InputError("--verdict is missing; give the verdict.csv of reproduce.verdict")
    if _REPRESENTATION.value and not _BASIS_TEST.value:
        raise InputError("--basis_test is missing; give the basis_test.csv of each representation")
    if _PROFILE.value is not None:
        program.require_choice(_PROFILE.value, PROFILES, "profile")

    given = [*program.paths(_REPRESENTATION.value), *program.paths(_BASIS_TEST.value)]
    check_outputs([_OUTPUT.value], [*given, *filter(None, [_VERDICT.value])])
    from data.files import write_text
    from reproduce.reporting import page, seed_results, seed_verdicts
    from reproduce.training.run_directory import find_runs

    if _RUNS.value:
        results = seed_results.read_results(find_runs(program.paths(_RUNS.value)))
        table, contrasts = seed_verdicts.read_verdicts(Path(_VERDICT.value))
        seed_verdicts.check_verdicts(Path(_VERDICT.value), table, results)
    else:
        files, tests = (
            [Path(path) for path in program.paths(flag.value)]
            for flag in (_REPRESENTATION, _BASIS_TEST)
        )
        results = seed_results.read_representations(files, tests, _ARMS.value)
        table, contrasts = seed_verdicts.judge(results, seed=0, control=_CONTROL.value)
    summary = PROFILES[_PROFILE.value].summary if _PROFILE.value else None
    html = page.render(results, table, contrasts, _PROFILE.value, summary, _UNFINISHED.value or "")
    write_text(Path(_OUTPUT.value), html)
    print(_OUTPUT.value)


if __name__ == "__main__":
    program.run(main)
