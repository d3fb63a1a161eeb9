r"""Runs a grid of trainings with their tests: on this machine, or on a cluster through Ray.

What is done already is not done again: after any crash, the same command goes on. Writes
OUTPUT/sweep.csv, one row for each run, OUTPUT/attempts.csv, and for each data set a folder with
its runs/, verdict.csv and contrast.csv. Sweep files: reproduce/pipeline/sweep_files.py.

Examples:
    python -m reproduce.sweep --sweep=paper/sweeps/smoke.toml --output=results/smoke
    python -m reproduce.sweep --profile=paper --ray_address=auto --output=/shared/results/paper
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from absl import flags

from data.files import InputError, exclusive
from reproduce import program
from reproduce.pipeline import executors, jobs, profile_runs, sweep_files, sweep_results
from reproduce.pipeline.profiles import PROFILES, Profile

_SWEEP = flags.DEFINE_string("sweep", None, "A sweep file, in TOML.")
_PROFILE = flags.DEFINE_string(
    "profile", None, f"Or a profile of the main job, on all its data sets: {', '.join(PROFILES)}."
)
_OUTPUT = flags.DEFINE_string("output", None, "A folder; by default results/sweeps/NAME.")
_WORKERS = flags.DEFINE_integer(
    "workers", None, "Runs at once here; by default one a core, or one a GPU.", lower_bound=1
)
_RAY_ADDRESS = flags.DEFINE_string(
    "ray_address",
    None,
    "A Ray cluster that takes the runs, one a core, or one a GPU: HOST:PORT, or auto for the one "
    "that this machine belongs to. --output has to be on a file system that all its nodes share.",
)
_RETRIES = flags.DEFINE_integer(
    "retries", 2, "How often a run that failed is tried again.", lower_bound=0
)


def _profile() -> tuple[str, Profile]:
    """The name of what is run, and its grid."""
    if bool(_SWEEP.value) == bool(_PROFILE.value):
        raise InputError("give either --sweep, a sweep file, or --profile")
    if _PROFILE.value:
        name = program.require_choice(_PROFILE.value, PROFILES, "profile")
        return name, PROFILES[name]
    path = Path(_SWEEP.value)
    return path.stem, sweep_files.load(path)


def _executor() -> executors.LocalExecutor | executors.RayExecutor:
    if not _RAY_ADDRESS.value:
        return executors.LocalExecutor(_WORKERS.value)
    if _WORKERS.value:
        raise InputError("--workers is for this machine; leave it out with --ray_address")
    return executors.RayExecutor(_RAY_ADDRESS.value)


def main() -> None:
    """Plans the runs, has them run, judges them."""
    name, profile = _profile()
    output = Path(_OUTPUT.value or f"results/sweeps/{name}").absolute()
    runs = profile_runs.plan(profile, {dataset: output / dataset for dataset in profile.arms})
    try:
        with exclusive(output / ".lock", wait=False):
            sweep_results.claim(output, profile, runs)
            with _executor() as executor:
                # Only now, since Ray sets a handler of its own: so that programs are ended, too.
                signal.signal(signal.SIGTERM, signal.default_int_handler)
                failures = _execute(runs, executor, sweep_results.Table(output, runs))
                for dataset in profile.arms:
                    done = [run for run in runs if run.dataset == dataset and run.is_done()]
                    if done:
                        profile_runs.judge(output / dataset, done, executor.leash)
                        for sentence in profile_runs.sentences(output / dataset):
                            print(f"{dataset}: {sentence}")
    except BlockingIOError as error:
        raise InputError(
            f"{output} is in use by another sweep; wait for it, or give another --output"
        ) from error
    for path, failure in failures.items():
        print(f"{path}: {failure}", file=sys.stderr)
    if failures:
        raise program.RunError(
            f"{len(failures)} of {len(runs)} runs failed; see {output / 'sweep.csv'} and their "
            "log.txt, then run this again"
        )
    print(f"Results: {output / 'sweep.csv'}")


def _execute(
    runs: Sequence[profile_runs.Run], executor: jobs.Executor, table: sweep_results.Table
) -> dict[Path, jobs.Failure]:
    """Does whatever is not done yet; returns what failed at last, by run directory."""
    ended = jobs.run_chains(
        profile_runs.order(runs),
        executor,
        "sweep",
        _RETRIES.value,
        lambda chain, failure, _: table.record(chain, failure),
    )
    failures = {run.path: failure for run in runs if (failure := run.failure(ended))}
    for path, failure in failures.items():
        table.fail(path, failure)  # those, too, that only waited for a predictor
    return failures


if __name__ == "__main__":
    program.run(main)
