"""Trained factor predictors: found by the images that they were trained on, and loaded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from data.dataset import Dataset
from reproduce.training import trained_model
from reproduce.training.run_directory import RunDirectory
from reproduce.traversal import predicted_factors
from reproduce.traversal.predicted_factors import Factors

Predict = Callable[[np.ndarray], np.ndarray]


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
