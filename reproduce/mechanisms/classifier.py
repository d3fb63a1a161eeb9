"""The small convolutional classifier whose hidden units two experiments look at.

It reads dSprites' factors from its images (`models.factor_predictor`); its units are those of its
last hidden layer, behind the ReLU, on images that its training never saw.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from reproduce.mechanisms.trainings import Training
from reproduce.pipeline import jobs


@dataclasses.dataclass(frozen=True)
class Settings:
    """The classifier's settings.

    Attributes:
        seeds: So many classifiers are trained.
        recipe: A key of `reproduce.training.recipes.RECIPES`.
        changes: What is set otherwise than in it.
        num_images: Held-out images on which units are looked at.
    """

    seeds: tuple[int, ...]
    recipe: str
    changes: Mapping[str, str]
    num_images: int

    def training(self) -> Training:
        """What is trained; in float32, since coarser activations would tie."""
        changes = {"precision": "float32", **self.changes}
        return Training("classifier", self.recipe, changes, model="factor_predictor")

    def chains(self, output: Path) -> list[jobs.Chain]:
        """Trains the classifiers."""
        return [self.training().chain(output, seed) for seed in self.seeds]


PROFILES = {
    "smoke": Settings((0,), "predictor_smoke", {"num_steps": "20", "batch_size": "8"}, 600),
    "quick": Settings((30, 31, 32), "predictor_quick", {"num_steps": "1500"}, 10_000),
    "paper": Settings(tuple(range(300, 310)), "predictor_paper", {}, 36_000),
}


@dataclasses.dataclass(frozen=True, eq=False)
class Units:
    """A classifier's live hidden units on held-out images.

    Attributes:
        activations: float32 [n, d], of the units that are active on some image.
        factors: int64 [n, k], class indices.
        factor_names: The k names.
    """

    activations: np.ndarray
    factors: np.ndarray
    factor_names: tuple[str, ...]


def units(settings: Settings, output: Path, seed: int) -> Units:
    """Loads a trained classifier and runs it on held-out images, the same for every seed."""
    import keras

    from models.factor_predictor import held_out
    from reproduce import program
    from reproduce.training import trained_model

    program.start_tensorflow()
    run = settings.training().run(output, seed)
    predictor, dataset = trained_model.load_predictor(run), trained_model.load_dataset(run)
    network = predictor._network
    hidden = keras.Model(network.inputs, network.layers[-2].output)
    unseen = np.flatnonzero(held_out(predictor.settings, len(dataset)))
    rng = np.random.default_rng(0)
    chosen = np.sort(rng.choice(unseen, min(settings.num_images, len(unseen)), replace=False))
    values = trained_model.on_arrays(lambda images: hidden(images))(dataset.images(chosen))
    live = values.max(axis=0) > 0
    return Units(
        values[:, live],
        dataset.factors[chosen].astype(np.int64),
        dataset.factor_names,
    )
