"""The chains of programs of a profile: from a training to its tests."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from models.registry import PREDICTOR
from reproduce.pipeline import jobs
from reproduce.pipeline.profiles import PlannedArm, Profile
from reproduce.training import recipes
from reproduce.training.run_directory import RunDirectory

NUM_EXPLORATORY = 999  # draws of nulls by which no verdict is made


def of_run(output: Path, dataset: str, profile: Profile, arm: PlannedArm, seed: int) -> jobs.Chain:
    """Train, represent, test, traverse: one seed of one arm."""
    run = RunDirectory(output / "runs" / f"{arm.name}-seed{seed}")
    recipe = recipes.override(recipes.find(arm.model, arm.recipe), dict(arm.changes))
    weights = run.final_file(recipe.num_steps)
    here = f"--run_dir={run.path}"
    train = jobs.Step(
        (
            "reproduce.train",
            f"--model={arm.model}",
            *profile.flags_of(dataset),
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
    test = _basis_test(profile, run.representation_file, run.basis_test_file, seed)
    traverse = jobs.Step(
        ("reproduce.traverse", here, f"--seed={seed}"),
        run.traversal_steps_file,
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
    return jobs.Chain(run, recipe.num_steps, tuple(steps), kind=f"{arm.name} on {dataset}")


def of_predictor(output: Path, dataset: str, profile: Profile, image_size: int) -> jobs.Chain:
    """Trains what reads factors from images of a size; 0 is the data set's own."""
    run = RunDirectory(output / "predictors" / (str(image_size) if image_size else "full_size"))
    num_steps = recipes.find(PREDICTOR, profile.predictor).num_steps
    train = jobs.Step(
        (
            "reproduce.train",
            f"--model={PREDICTOR}",
            *profile.flags_of(dataset),
            f"--recipe={profile.predictor}",
            f"--set=image_size={image_size}",
            f"--run_dir={run.path}",
        ),
        run.final_file(num_steps),
    )
    title = f"predictor {run.path.name}"
    return jobs.Chain(run, num_steps, (train,), kind=f"{title} on {dataset}", title=title)


def of_decoder_tests(
    profile: Profile, chain: jobs.Chain, predictor: jobs.Chain, seed: int
) -> jobs.Chain:
    """Looks at a run's images and tests its decoder, once there is a predictor."""
    run, reads = chain.run, predictor.steps[-1].target
    quality = jobs.Step(
        (
            "reproduce.quality",
            f"--run_dir={run.path}",
            f"--predictor_dir={predictor.run.path}",
            f"--num_images={min(profile.num_points, 2_000)}",
        ),
        run.quality_file,
        (chain.steps[0].target, reads),
    )
    represent = jobs.Step(
        (
            "reproduce.represent",
            f"--run_dir={run.path}",
            "--from_prior",
            f"--predictor={predictor.run.path}",
            f"--num_points={profile.num_points}",
        ),
        run.decoder_representation_file,
        (chain.steps[0].target, reads),
    )
    test = _basis_test(profile, represent.target, run.decoder_test_file, seed)
    purity = jobs.Step(
        (
            "reproduce.purity_test",
            f"--run_dir={run.path}",
            f"--predictor_dir={predictor.run.path}",
            f"--num_bases={profile.num_purity_bases}",
            f"--num_linear_bases={profile.num_bases}",
            f"--num_directions={profile.num_purity_bases}",
            f"--num_images={profile.num_purity_images}",
            f"--seed={seed}",
        ),
        run.purity_file,
        (run.representation_file, reads),
    )
    return jobs.Chain(
        run,
        0,
        (quality, represent, test, purity),
        after=(chain, predictor),
        kind=f"decoder of {chain.kind}",
        title=f"decoder of {run.path.name}",
    )


def _basis_test(profile: Profile, representation: Path, output: Path, seed: int) -> jobs.Step:
    """Tests a representation of either side."""
    return jobs.Step(
        (
            "reproduce.basis_test",
            f"--representation={representation}",
            f"--metrics={','.join(profile.metrics)}",
            f"--num_bases={profile.num_bases}",
            f"--num_exploratory={min(profile.num_bases, NUM_EXPLORATORY)}",
            f"--seed={seed}",
            "--skip_inactive",
            f"--output={output}",
        ),
        output,
        (representation,),
    )


def image_size(arm: PlannedArm) -> int:
    """The size of the images that an arm's models see; 0 is the data set's own."""
    return recipes.override(recipes.find(arm.model, arm.recipe), dict(arm.changes)).image_size
