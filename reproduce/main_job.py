"""The main job: trains every arm's seeds, tests their axes, judges, and writes a report.

What is done already is not done again: interrupted, the same command goes on.

Examples:
    python -m reproduce.main_job --profile=quick --output=results/quick
    python -m reproduce.main_job --dataset=images.npz
"""

from __future__ import annotations

import itertools
import signal
import time
from pathlib import Path

from absl import flags

from data.files import InputError
from reproduce import chains, jobs, own_data, program
from reproduce.executors import LocalExecutor
from reproduce.profiles import PROFILES, Profile

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
        name, profile = own_data.plan(profile, Path(_DATASET.value))
        names = [name]
    elif _DATASET.value != "all":
        names = [program.require_choice(_DATASET.value, [*names, "all"], "data set")]
    outputs = [
        _reproduce(name, profile_name, profile, seeds, _output(name, profile_name))
        for name in names
    ]
    minutes, seconds = divmod(round(time.monotonic() - started), 60)
    for output in outputs:
        print(f"Report: {output / 'report.html'}")
    print(f"Time: {minutes} min {seconds:02d} s")


def _output(dataset: str, profile_name: str) -> Path:
    """Where a data set's results go; dSprites is the main one."""
    base = Path(_OUTPUT.value or f"results/{profile_name}")
    return base if dataset == "dsprites" else base.with_name(f"{base.name}-{dataset}")


def _reproduce(
    dataset: str, profile_name: str, profile: Profile, seeds: tuple[int, ...], output: Path
) -> Path:
    """The whole job on one data set; returns its output folder."""
    systems = {arm.model for arm in profile.arms[dataset]}
    for system in _SYSTEMS.value:
        program.require_choice(system, sorted(systems), "system")
    arms = [arm for arm in profile.arms[dataset] if arm.model in (_SYSTEMS.value or systems)]
    predictors = {  # none where the profile wants no purity test
        size: chains.of_predictor(output, dataset, profile, size)
        for size in map(chains.image_size, arms)
        if profile.predictor
    }
    # Seed by seed, so that every arm has a result as early as possible.
    pairs = list(itertools.product(seeds, arms))
    trained = [chains.of_run(output, dataset, profile, arm, seed) for seed, arm in pairs]
    _run([*predictors.values(), *_long_ones_first(trained, len(arms))], "training")
    tests = [
        chains.of_purity_test(profile, chain, predictors[chains.image_size(arm)], seed)
        for (seed, arm), chain in zip(pairs, trained, strict=True)
        if profile.predictor
    ]
    _run(_long_ones_first(tests, len(arms)), "traversal purity")
    runs = program.listed([chain.run.path for chain in trained])
    judge = jobs.Step(
        ("reproduce.verdict", f"--runs={runs}", f"--output={output / 'verdict.csv'}"),
        output / "verdict.csv",
    )
    jobs.run_step(judge, output / "log.txt")
    report = jobs.Step(
        (
            "reproduce.report",
            f"--runs={runs}",
            f"--verdict={output / 'verdict.csv'}",
            f"--profile={profile_name}",
            f"--output={output / 'report.html'}",
        ),
        output / "report.html",
    )
    jobs.run_step(report, output / "log.txt")
    _print_sentences(output)
    print()
    return output


def _long_ones_first(planned: list[jobs.Chain], num_arms: int) -> list[jobs.Chain]:
    """Each seed's arms from the last to the first, so that no core waits for a long one's end."""
    seeds = [planned[first : first + num_arms] for first in range(0, len(planned), num_arms)]
    return [chain for arms in seeds for chain in reversed(arms)]


def _run(planned: list[jobs.Chain], what: str) -> None:
    """Runs chains on this machine; raises RunError if some failed, after all others are done."""
    with LocalExecutor(_WORKERS.value) as executor:
        failures = jobs.run_chains(planned, executor, what)
    if failures:
        named = "; ".join(
            f"{failure.where} on {chain.run.path} ({failure.status})" for chain, failure in failures
        )
        raise program.RunError(f"failed: {named}; see log.txt there, then run this again")


def _print_sentences(output: Path) -> None:
    import pandas as pd

    print()
    for name in ("verdict.csv", "contrast.csv"):
        for sentence in pd.read_csv(output / name)["sentence"]:
            print(sentence)


if __name__ == "__main__":
    program.run(main)
