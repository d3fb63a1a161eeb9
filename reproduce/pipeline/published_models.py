"""The chain of programs that tests a published model: import, losses, latents, tests, strips."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from data.files import InputError
from reproduce.metrics.registry import CLOSED_FORMS, METRICS
from reproduce.pipeline import jobs
from reproduce.training import origins
from reproduce.training.run_directory import RunDirectory

FAMILIES = ("haar_active", "haar", "pca", "supervised")
_CLOSED = tuple(name for name, metric in METRICS.items() if metric.source in CLOSED_FORMS)
# The FactorVAE score takes five times as long as all others together where there are eleven
# factors, of which the rendered faces are only a stand-in for what the models know.
_OF_FACES = tuple(name for name in _CLOSED if METRICS[name].source != "groups")


@dataclasses.dataclass(frozen=True)
class Published:
    """A folder with a published model.

    Attributes:
        name: The folder's.
        weights: model.pt in it.
        trained_on: The data set's name.
    """

    name: str
    weights: Path
    trained_on: str


def find(folder: Path) -> list[Published]:
    """The published models in a folder, in order of name.

    Raises:
        InputError: If there are none, or one is damaged.
    """
    files = sorted(folder.glob("*/model.pt"))
    if not files:
        raise InputError(
            f"{folder} holds no model.pt in a folder of its own; give the folder results of "
            "YannDubs/disentangling-vae"
        )
    return [Published(f.parent.name, f, origins.read(f).trained_on) for f in files]


def chain(model: Published, output: Path, num_bases: int, face_variant: str) -> jobs.Chain:
    """Imports a model, and tests it on what the kit can render of what it knows.

    Args:
        model: The model.
        output: The job's folder.
        num_bases: Draws of each null.
        face_variant: The variant of the faces that models of photographs are tested on.
    """
    run = RunDirectory(output / model.trained_on.lower() / "runs" / model.name)
    here = f"--run_dir={run.path}"
    variant = [] if model.trained_on == "dSprites" else [f"--variant={face_variant}"]
    metrics = _CLOSED if model.trained_on == "dSprites" else _OF_FACES
    weights = f"--weights={model.weights.parent}"
    encoded = run.representation_file
    steps = (
        jobs.Step(
            ("reproduce.import_weights", weights, here, *variant),
            run.config_file,
            (model.weights,),
        ),
        jobs.Step(("reproduce.losses", here), run.losses_file, (run.config_file,)),
        jobs.Step(("reproduce.represent", here, "--seed=0"), encoded, (run.config_file,)),
        jobs.Step(
            (
                "reproduce.basis_test",
                f"--representation={encoded}",
                f"--families={','.join(FAMILIES)}",
                f"--metrics={','.join(metrics)}",
                f"--num_bases={num_bases}",
                f"--output={run.basis_test_file}",
            ),
            run.basis_test_file,
            (encoded,),
        ),
        jobs.Step(("reproduce.traverse", here), run.traversal_steps_file, (encoded,)),
    )
    return jobs.Chain(run, 0, steps, kind=model.trained_on)
