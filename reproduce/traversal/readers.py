"""What reads factors from decoded images: a trained factor predictor, by one interface."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from reproduce.training import trained_model
from reproduce.training.run_directory import RunDirectory
from reproduce.traversal import predicted_factors, predictors


@dataclasses.dataclass(frozen=True)
class Reader:
    """Reads k factors of variation from images.

    Attributes:
        name: As results name it.
        fingerprint: SHA-256 of all that decides what it reads.
        factor_names: The k names.
        factor_sizes: The k numbers of classes.
        read: Images float32 [n, height, width, channels] in [0, 1] to float [n, P]; a row that is
            not finite is of an image that could not be read.
        classes: Finite rows [n, P], all of a representation together, to int [n, k].
        errors: How exact each factor is read from images of known factors.
        units: The errors'.
    """

    name: str
    fingerprint: str
    factor_names: tuple[str, ...]
    factor_sizes: tuple[int, ...]
    read: Callable[[np.ndarray], np.ndarray]
    classes: Callable[[np.ndarray], np.ndarray]
    errors: tuple[float, ...]
    units: tuple[str, ...]


def of_predictor(run: RunDirectory, seed: int) -> Reader:
    """The reader that a finished run of a factor predictor is.

    Its errors are those on images of the data set that its training never saw, drawn by the seed.

    Raises:
        InputError: If the run is unfinished, damaged, or another model's.
    """
    dataset = trained_model.load_dataset(run)
    predictor, predict, layout = predictors.load(run, dataset)
    accuracies = predictors.accuracies(predictor, predict, layout, dataset, seed)
    return Reader(
        run.path.name,
        run.fingerprint(),
        layout.names,
        predicted_factors.class_sizes(layout),
        predict,
        lambda values: predicted_factors.classes(layout, values),
        tuple(accuracies["value"]),
        tuple(accuracies["unit"]),
    )
