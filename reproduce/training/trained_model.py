"""The model of a finished run: loading it, encoding and decoding with it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

import data
import models
from data import random_streams
from data.dataset import Dataset
from data.files import InputError
from models.registry import MODELS, row_of
from reproduce.basis import representation
from reproduce.basis.representation import Representation, normal_scores
from reproduce.training.run_directory import RunDirectory

_BATCH = 500


def load_model(run: RunDirectory) -> Any:
    """Builds a finished run's generative model with its trained weights.

    Raises:
        InputError: If the run is unfinished, damaged, or a factor predictor's.
    """
    row = MODELS[run.read_config().recipe.model]
    if not row.is_generative:
        raise InputError(f"{run.path} is a {row.key}'s; expected a generative model's run")
    return _load(run)


def load_predictor(run: RunDirectory) -> Any:
    """Builds a finished run's factor predictor with its trained weights.

    Raises:
        InputError: If the run is unfinished, damaged, or another model's.
    """
    if MODELS[run.read_config().recipe.model].is_generative:
        raise InputError(f"{run.path} is no factor_predictor's; expected the run of one")
    return _load(run)


def _load(run: RunDirectory) -> Any:
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
    dataset = data.load(config.dataset, config.data_source, path, config.variant)
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
    rng = random_streams.generator(seed, random_streams.ENCODED_IMAGES)
    return rng.choice(len(dataset), num_images, replace=False)


def encode(model: Any, dataset: Dataset, indices: np.ndarray) -> Representation:
    """Encodes images: the posterior's means, with its log marginal variances if there are any.

    InfoGAN's codes are uniform, and Q's means can leave their cube: to be rotated, they are mapped
    to normal scores of their ranks (see paper/protocol.md).

    Args:
        model: As `models` documents it.
        dataset: The images and their factors.
        indices: int [n].

    Raises:
        InputError: If the model has fewer than two latents, as an InfoGAN without codes.
    """
    encode_batch = tf.function(model.encode, autograph=False)
    batches = [
        encode_batch(dataset.images(indices[start:][:_BATCH]))
        for start in range(0, len(indices), _BATCH)
    ]
    latents = np.concatenate([latents for latents, _ in batches]).astype(np.float64)
    log_variance = None
    if batches[0][1] is not None:
        log_variance = np.concatenate([part for _, part in batches]).astype(np.float64)
    if latents.shape[1] < 2:
        raise InputError(
            f"the model has {latents.shape[1]} latents that an encoder reads; expected 2 or more, "
            "or there is no basis to turn"
        )
    if row_of(model.settings).has_uniform_latents:
        latents = normal_scores(latents)
    factors = dataset.factors[indices].astype(np.int64)
    return Representation(
        latents, factors, dataset.factor_names, dataset.factor_sizes, log_variance
    )


def representation_of(run: RunDirectory, model: Any) -> Representation:
    """What a finished run's own encoder wrote, as latents of its model.

    Raises:
        InputError: If the file is missing, damaged, or of another run or model.
    """
    encoded = representation.load(run.representation_file, run.fingerprint())
    found, wanted = encoded.latents.shape[1], model.latent_blocks[0].size
    if row_of(model.settings).has_posterior and found != wanted:
        raise InputError(
            f"{run.representation_file} holds {found} latents, and the model has {wanted}; encode "
            "it anew by reproduce.represent"
        )
    return encoded


def start_inputs(model: Any, dataset: Dataset, indices: np.ndarray, seed: int) -> np.ndarray:
    """Decoder inputs that stand for images: float64 [n, D].

    Args:
        model: As `models` documents it.
        dataset: The images.
        indices: int [n].
        seed: The seed of whatever the images do not decide, as a generator's noise.
    """
    start = tf.function(model.start, autograph=False)
    parts = [
        start(
            dataset.images(indices[first:][:_BATCH]), tf.constant([seed, first], tf.int32)
        ).numpy()
        for first in range(0, len(indices), _BATCH)
    ]
    return np.concatenate(parts).astype(np.float64)


def sample(model: Any, num_images: int, seed: int, stream: int) -> np.ndarray:
    """Images drawn from a model: float32 [num_images, h, w, c] in [0, 1].

    Args:
        model: As `models` documents it.
        num_images: How many.
        seed: The draws' seed.
        stream: Their number in `random_streams`.
    """
    first = tf.constant([seed, stream], tf.int32)
    parts = [
        model.sample(min(_BATCH, num_images - start), tf.random.fold_in(first, start)).numpy()
        for start in range(0, num_images, _BATCH)
    ]
    return np.concatenate(parts)


def decoder(model: Any) -> Callable[[np.ndarray], np.ndarray]:
    """A model's decoder on arrays: float [n, D] to float32 [n, h, w, c] in [0, 1]."""
    return on_arrays(model.decode)


def on_arrays(function: Callable[[tf.Tensor], tf.Tensor]) -> Callable[[np.ndarray], np.ndarray]:
    """A function of tensors float32 [batch, ...] as one of arrays of any length."""
    compiled = tf.function(function, reduce_retracing=True, autograph=False)

    def call(values: np.ndarray) -> np.ndarray:
        values = values.astype(np.float32)
        parts = [values[start:][:_BATCH] for start in range(0, len(values), _BATCH)]
        return np.concatenate([compiled(tf.constant(part)).numpy() for part in parts])

    return call
