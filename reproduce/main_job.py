"""The main job: trains every arm's seeds, tests their axes, judges, and writes a report.

What is done already is not done again: interrupted, the same command goes on.

Example:
    python -m reproduce.main_job --profile=quick --output=results/quick
"""

from __future__ import annotations

import dataclasses
import itertools
import signal
import time
from pathlib import Path

from absl import flags

from data.files import InputError
from reproduce import jobs, program, recipes
from reproduce.profiles import PROFILES, Arm, Profile
from reproduce.runs import RunDirectory

_PROFILE = flags.DEFINE_string("profile", "quick", f"One of {', '.join(PROFILES)}.")
_DATASET = flags.DEFINE_string("dataset", "dsprites", "One of the profile's, or all.")
_SYSTEMS = flags.DEFINE_list("systems", [], "Models to run, of the profile's; by default all.")
_SEEDS = flags.DEFINE_list("seeds", [], "Seeds, in the profile's place.")
_OUTPUT = flags.DEFINE_string("output", None, "A folder; by default results/PROFILE.")
_WORKERS = flags.DEFINE_integer(
    "workers", None, "Programs at once; by default a core each, or one on a GPU.", lower_bound=1
)


def _num_workers() -> int:
    """One program for each core; on a GPU, whose device nodes are there, one in all."""
    if _WORKERS.value:
        return _WORKERS.value
    if Path("/dev/nvidia0").exists():
        return 1
    return program.num_cores()


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
    if _DATASET.value != "all":
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
    predictors = {
        size: _predictor(output, dataset, profile, size) for size in map(_image_size, arms)
    }
    # Seed by seed, so that every arm has a result as early as possible.
    chains = [_chain(output, dataset, profile, arm, seed) for seed in seeds for arm in arms]
    jobs.run_chains([*predictors.values(), *chains], _num_workers(), "training")
    tests = [
        _purity(profile, chain, predictors[_image_size(arm)], seed)
        for (seed, arm), chain in zip(itertools.product(seeds, arms), chains, strict=True)
    ]
    jobs.run_chains(tests, _num_workers(), "traversal purity")
    runs = ",".join(str(chain.run.path) for chain in chains)
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


def _image_size(arm: Arm) -> int:
    """Of the images that an arm's models see; 0 is the data set's own."""
    return recipes.find(arm.model, arm.recipe).image_size


def _predictor(output: Path, dataset: str, profile: Profile, image_size: int) -> jobs.Chain:
    """Trains what reads factors from images of a size."""
    run = RunDirectory(output / "predictors" / (str(image_size) if image_size else "full_size"))
    num_steps = recipes.find("factor_predictor", profile.predictor).num_steps
    train = jobs.Step(
        (
            "reproduce.train",
            "--model=factor_predictor",
            f"--dataset={dataset}",
            f"--recipe={profile.predictor}",
            f"--set=image_size={image_size}",
            f"--run_dir={run.path}",
        ),
        run.checkpoint_dir / f"step_{num_steps:08d}.npz",
    )
    return jobs.Chain(run, num_steps, (train,))


def _purity(profile: Profile, chain: jobs.Chain, predictor: jobs.Chain, seed: int) -> jobs.Chain:
    """Tests a trained run's decoder, once there is a predictor."""
    test = jobs.Step(
        (
            "reproduce.purity_test",
            f"--run_dir={chain.run.path}",
            f"--predictor_dir={predictor.run.path}",
            f"--num_bases={profile.num_purity_bases}",
            f"--num_linear_bases={profile.num_bases}",
            f"--num_directions={profile.num_purity_bases}",
            f"--num_images={profile.num_purity_images}",
            f"--seed={seed}",
        ),
        chain.run.purity_file,
        (chain.run.representation_file, predictor.steps[-1].target),
    )
    return jobs.Chain(chain.run, chain.num_steps, (test,))


def _chain(output: Path, dataset: str, profile: Profile, arm: Arm, seed: int) -> jobs.Chain:
    """Train, represent, test, traverse: one seed of one arm."""
    run = RunDirectory(output / "runs" / f"{arm.name}-seed{seed}")
    recipe = recipes.override(recipes.find(arm.model, arm.recipe), dict(arm.changes))
    weights = run.checkpoint_dir / f"step_{recipe.num_steps:08d}.npz"
    here = f"--run_dir={run.path}"
    train = jobs.Step(
        (
            "reproduce.train",
            f"--model={arm.model}",
            f"--dataset={dataset}",
            f"--recipe={arm.recipe}",
            f"--seed={seed}",
            here,
            *(f"--set={key}={value}" for key, value in arm.changes.items()),
        ),
        weights,
    )
    represent = jobs.Step(
        ("reproduce.represent", here, f"--num_points={profile.num_points}"),
        run.representation_file,
        (weights,),
    )
    test = jobs.Step(
        (
            "reproduce.basis_test",
            f"--representation={run.representation_file}",
            f"--num_bases={profile.num_bases}",
            f"--seed={seed}",
            "--skip_inactive",
            f"--output={run.basis_test_file}",
        ),
        run.basis_test_file,
        (run.representation_file,),
    )
    traverse = jobs.Step(
        ("reproduce.traverse", here, f"--seed={seed}"),
        run.path / "traversals.csv",
        (run.representation_file,),
    )
    steps = [train, represent, test, traverse]
    if arm.turned_factors:
        turned = dataclasses.replace(
            test,
            arguments=(
                *test.arguments[:-1],
                f"--turned_factors={','.join(arm.turned_factors)}",
                f"--output={run.turned_test_file}",
            ),
            target=run.turned_test_file,
        )
        steps.append(turned)
    return jobs.Chain(run, recipe.num_steps, tuple(steps))


def _print_sentences(output: Path) -> None:
    import pandas as pd

    print()
    for name in ("verdict.csv", "contrast.csv"):
        for sentence in pd.read_csv(output / name)["sentence"]:
            print(sentence)


if __name__ == "__main__":
    program.run(main)
