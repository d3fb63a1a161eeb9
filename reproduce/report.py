"""Writes report.html: one self-contained page from result files alone.

Example:
    python -m reproduce.report --runs=results/quick/runs --verdict=results/quick/verdict.csv
"""

from __future__ import annotations

from pathlib import Path

from absl import flags

from data.files import InputError
from reproduce import program
from reproduce.profiles import PROFILES

_RUNS = flags.DEFINE_list("runs", [], "Tested run directories, or folders of them.")
_VERDICT = flags.DEFINE_string("verdict", None, "verdict.csv, with contrast.csv beside it.")
_PROFILE = flags.DEFINE_string("profile", None, "The main job's profile, to be named on the page.")
_OUTPUT = flags.DEFINE_string("output", "report.html", "The page.")


def main() -> None:
    """Reads, draws, writes."""
    if not _RUNS.value:
        raise InputError("--runs is missing; give tested run directories")
    if not _VERDICT.value:
        raise InputError("--verdict is missing; give the verdict.csv of reproduce.verdict")
    if _PROFILE.value is not None:
        program.require_choice(_PROFILE.value, PROFILES, "profile")

    from data.files import write_text
    from reproduce import page, verdicts
    from reproduce.runs import find_runs

    results = verdicts.read_results(find_runs(_RUNS.value))
    summary = PROFILES[_PROFILE.value].summary if _PROFILE.value else None
    write_text(
        Path(_OUTPUT.value), page.render(results, Path(_VERDICT.value), _PROFILE.value, summary)
    )
    print(_OUTPUT.value)


if __name__ == "__main__":
    program.run(main)
