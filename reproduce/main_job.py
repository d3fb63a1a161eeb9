"""The main job: trains every arm's seeds, tests their axes, judges, and writes a report.

The report is there as soon as the first pair of arms is tested, and says what is still to come.
What is done already is not done again: interrupted, the same command goes on.

Examples:
    python -m reproduce.main_job --profile=quick --output=results/quick
    python -m reproduce.main_job --dataset=images.npz
"""

from __future__ import annotations

import dataclasses
import signal
import time
from collections.abc import Sequence
from pathlib import Path

from absl import flags

from data.files import InputError
from reproduce import program
from reproduce.pipeline import arms_for_own_data, jobs, profile_runs, released
from reproduce.pipeline.executors import LocalExecutor
from reproduce.pipeline.profiles import PROFILES, Profile

_PROFILE = flags.DEFINE_string("profile", "quick", f"One of {', '.join(PROFILES)}.")
_DATASET = flags.DEFINE_string(
    "dataset", "dsprites", "One of the profile's, or all; or your own, an .npz."
)
_SYSTEMS = flags.DEFINE_list("systems", [], "Models to run, of the profile's; by default all.")
_SEEDS = flags.DEFINE_list("seeds", [], "Seeds, in the profile's place.")
_OUTPUT = flags.DEFINE_string("output", None, "A folder; by default results/PROFILE.")
_WORKERS = flags.DEFINE_integer(
    "workers", None, "Programs at once; by default one a core, or one a GPU.", lower_bound=1
)

_TRAIN_PREDICTOR = flags.DEFINE_bool(
    "train_predictor",
    False,
    "Train the predictor of a built-in data set's factors, though one is released.",
)


def _seeds(profile: Profile) -> tuple[int, ...]:
    if not _SEEDS.value:
        return profile.seeds
    if not all(seed.isdecimal() for seed in _SEEDS.value):
        raise InputError(f"--seeds={','.join(_SEEDS.value)}; expected whole numbers, as in 10,11")
    return tuple(int(seed) for seed in _SEEDS.value)


def main() -> None:
    """Plans the chains of programs, runs them, judges and reports."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that programs are ended, too
    started = time.monotonic()
    profile_name = program.require_choice(_PROFILE.value, PROFILES, "profile")
    profile, seeds = PROFILES[profile_name], _seeds(PROFILES[profile_name])
    names = list(profile.arms)
    if _DATASET.value.endswith(".npz"):
        name, profile = arms_for_own_data.plan(profile, Path(_DATASET.value))
        names = [name]
    elif _DATASET.value != "all":
        names = [program.require_choice(_DATASET.value, [*names, "all"], "data set")]
    profile = dataclasses.replace(profile, seeds=seeds)
    outputs, failures = [], []
    with LocalExecutor(_WORKERS.value) as executor:
        for name in names:
            try:
                outputs.append(_reproduce(name, profile_name, profile, executor))
            except program.RunError as error:  # which is no reason to leave out other data sets
                failures.append(str(error))
    minutes, seconds = divmod(round(time.monotonic() - started), 60)
    for output in outputs:
        print(f"Report: {output / 'report.html'}")
    print(f"Time: {minutes} min {seconds:02d} s")
    if failures:
        raise program.RunError("; ".join(failures))


def _output(dataset: str, profile_name: str) -> Path:
    """Where a data set's results go; dSprites is the main one."""
    base = Path(_OUTPUT.value or f"results/{profile_name}")
    return base if dataset == "dsprites" else base.with_name(f"{base.name}-{dataset}")


def _reproduce(dataset: str, profile_name: str, profile: Profile, executor: LocalExecutor) -> Path:
    """The whole job on one data set; returns its output folder."""
    output = _output(dataset, profile_name)
    systems = {arm.model for arm in profile.arms[dataset]}
    for system in _SYSTEMS.value:
        program.require_choice(system, sorted(systems), "system")
    arms = [arm for arm in profile.arms[dataset] if arm.model in (_SYSTEMS.value or systems)]
    profile = dataclasses.replace(profile, arms={dataset: tuple(arms)})
    released.lay_out_runs(profile, dataset, output)
    if not _TRAIN_PREDICTOR.value:
        released.lay_out_predictors(profile, dataset, output)
    runs = profile_runs.plan(profile, {dataset: output})

    def write(done: Sequence[profile_runs.Run], unfinished: str = "") -> None:
        profile_runs.judge(output, done, executor.leash)
        profile_runs.report(output, done, executor.leash, profile_name, unfinished)

    pages = profile_runs.EarlyPages(runs, write)
    try:
        failures = jobs.run_chains(
            profile_runs.order(runs),
            executor,
            dataset,
            on_end=lambda *ended: pages.update(ended[2]),
        )
    finally:
        pages.close()
    if failures:
        named = "; ".join(
            f"{failure.where} on {chain.run.path} ({failure.status})"
            for chain, failure in failures.items()
        )
        raise program.RunError(f"failed: {named}; see log.txt there, then run this again")
    write(runs)
    print("", *profile_runs.sentences(output), "", sep="\n")
    if profile.released:
        print(released.compare(profile, dataset, output))
    return output


if __name__ == "__main__":
    program.run(main)
