"""Trained factor predictors: found by the images that they were trained on, and loaded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from data import random_streams
from data.dataset import Dataset
from models.factor_predictor import held_out
from reproduce.training import trained_model
from reproduce.training.run_directory import RunDirectory
from reproduce.traversal import predicted_factors
from reproduce.traversal.predicted_factors import Factors

Predict = Callable[[np.ndarray], np.ndarray]

_NUM_JUDGED = 4_000  # images by which a predictor is judged
_UNITS = {"categorical": "share right", "ordered": "RMSE, classes", "angle": "RMSE, degrees"}


def matching(run: RunDirectory, predictors: Sequence[RunDirectory]) -> RunDirectory | None:
    """The first predictor's run that was trained on a run's images at its size, if there is one."""
    config = run.read_config()
    return next((p for p in predictors if p.read_config().sees_images_of(config)), None)


def load(run: RunDirectory, dataset: Dataset) -> tuple[Any, Predict, Factors]:
    """Loads a predictor.

    Args:
        run: Its run.
        dataset: What it was trained on.

    Returns:
        The predictor; images float [n, h, w, c] to predicted factors float [n, P]; their layout.

    Raises:
        InputError: If the run is unfinished, damaged, or another model's.
    """
    predictor = trained_model.load_predictor(run)
    layout = predicted_factors.describe(dataset.factor_names, predictor.settings, dataset.factors)
    return predictor, trained_model.on_arrays(predictor.predict), layout


def accuracies(
    predictor: Any, predict: Predict, layout: Factors, dataset: Dataset, seed: int
) -> pd.DataFrame:
    """How exact a predictor is on images that it never saw: columns factor, unit, value.

    Args:
        predictor: As `load` gives it, with the next two.
        predict: Its function of images.
        layout: What it predicts.
        dataset: What it was trained on.
        seed: The seed of the draw of images.
    """
    unseen = np.flatnonzero(held_out(predictor.settings, len(dataset)))
    rng = random_streams.generator(seed, random_streams.PREDICTOR_IMAGES)
    unseen = rng.permutation(unseen)[:_NUM_JUDGED]
    found = predicted_factors.accuracy(
        layout, predict(dataset.images(unseen)), dataset.factors[unseen]
    )
    rows = [
        (name, _UNITS[kind], value)
        for kind, (name, value) in zip(layout.kinds, found.items(), strict=True)
    ]
    return pd.DataFrame(rows, columns=["factor", "unit", "value"])
