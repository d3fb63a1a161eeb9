"""The trainings that experiments need, by the kit's own program, and what they learned."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

from reproduce import program
from reproduce.basis import representation
from reproduce.basis.representation import Representation
from reproduce.pipeline import jobs
from reproduce.training import recipes
from reproduce.training.run_directory import RunDirectory


@dataclasses.dataclass(frozen=True)
class Training:
    """A model under one setting.

    Attributes:
        name: Names its runs' folders.
        recipe: As `reproduce.train --recipe` takes it.
        changes: As `reproduce.train --set` takes them.
        model: As `reproduce.train --model` takes it.
        data_file: An .npz in place of dSprites.
    """

    name: str
    recipe: str
    changes: Mapping[str, str]
    model: str = "beta_vae"
    data_file: Path | None = None

    def run(self, output: Path, seed: int) -> RunDirectory:
        """The run directory of a seed."""
        return RunDirectory(output / "runs" / f"{self.name}-seed{seed}")

    def chain(self, output: Path, seed: int) -> jobs.Chain:
        """Trains a seed, by `reproduce.train`."""
        run = self.run(output, seed)
        recipe = recipes.override(recipes.find(self.model, self.recipe), dict(self.changes))
        weights = run.checkpoint_dir / f"step_{recipe.num_steps:08d}.npz"
        data = ["--dataset=dsprites"]
        if self.data_file is not None:
            data = ["--dataset=npz", f"--data_file={self.data_file}"]
        train = (
            "reproduce.train",
            f"--model={self.model}",
            *data,
            f"--recipe={self.recipe}",
            f"--seed={seed}",
            f"--run_dir={run.path}",
            *(f"--set={key}={value}" for key, value in self.changes.items()),
        )
        return jobs.Chain(run, recipe.num_steps, (jobs.Step(train, weights),), kind=self.name)


def represented(run: RunDirectory, num_points: int) -> Representation:
    """A finished run's representation, as `reproduce.represent` writes it; encoded if missing."""
    weights = max(run.checkpoints().values(), default=run.checkpoint_dir)
    if jobs.Step((), run.representation_file, (weights,)).is_done():
        return representation.load(run.representation_file)
    program.start_tensorflow()
    from reproduce.training import trained_model

    model, dataset = trained_model.load_model(run), trained_model.load_dataset(run)
    indices = trained_model.draw_images(dataset, num_points, run.read_config().seed)
    representation.save(run.representation_file, trained_model.encode(model, dataset, indices))
    return representation.load(run.representation_file)
