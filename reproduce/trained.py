"""The model of a finished run: loading it, encoding and decoding with it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

import data
import models
from data.dataset import Dataset
from data.files import InputError
from reproduce.representation import Representation
from reproduce.runs import RunDirectory

_BATCH = 500


def load_model(run: RunDirectory) -> Any:
    """Builds a finished run's model with its trained weights.

    Raises:
        InputError: If the run is unfinished or damaged.
    """
    config = run.read_config()
    model = models.build(config.recipe.settings, config.image_shape, config.seed)
    run.load_finished(model.variables())
    return model


def load_dataset(run: RunDirectory) -> Dataset:
    """Loads the data set that a run was trained on.

    Raises:
        InputError: If its content has changed since.
    """
    config = run.read_config()
    path = Path(config.data_file) if config.data_file else None
    dataset = data.load(config.dataset, config.data_source, path)
    if dataset.fingerprint != config.fingerprint:
        raise InputError(
            f"{config.data_file or config.dataset} has changed since {run.path} was trained; "
            "restore it, or train anew"
        )
    return dataset.at_size(config.recipe.image_size)


def draw_images(dataset: Dataset, num_images: int, seed: int) -> np.ndarray:
    """Indices of images drawn without replacement, all of them if there are no more."""
    if num_images >= len(dataset):
        return np.arange(len(dataset))
    return np.random.default_rng([seed, 1]).choice(len(dataset), num_images, replace=False)


def encode(model: Any, dataset: Dataset, indices: np.ndarray) -> Representation:
    """Encodes images: the posterior's means, with its log marginal variances.

    Args:
        model: As `models.build` documents it.
        dataset: The images and their factors.
        indices: int [n].
    """
    encode_batch = tf.function(model.encode)
    parts = []
    for start in range(0, len(indices), _BATCH):
        parts.append(
            [part.numpy() for part in encode_batch(dataset.images(indices[start:][:_BATCH]))]
        )
    means, log_variances = (
        np.concatenate(part).astype(np.float64) for part in zip(*parts, strict=True)
    )
    factors = dataset.factors[indices].astype(np.int64)
    return Representation(means, factors, dataset.factor_names, dataset.factor_sizes, log_variances)


def decoder(model: Any) -> Callable[[np.ndarray], np.ndarray]:
    """A model's decoder on arrays of any length: float [n, d] to float32 [n, h, w, c] in [0, 1]."""
    decode = tf.function(model.decode, reduce_retracing=True)

    def on_arrays(latents: np.ndarray) -> np.ndarray:
        latents = latents.astype(np.float32)
        parts = [latents[start:][:_BATCH] for start in range(0, len(latents), _BATCH)]
        return np.concatenate([decode(tf.constant(part)).numpy() for part in parts])

    return on_arrays
