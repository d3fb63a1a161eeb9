"""The decoder's side of a model: latents from its prior beside the factors of their images.

Every test that an encoder's representation takes then applies to any decoder: no encoder and no
data are needed, and a rotation of a standard normal prior is exact by construction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from data import random_streams
from data.files import InputError
from models.latent_blocks import LatentBlock
from reproduce.basis.representation import ACTIVE_VARIANCE, Reading, Representation
from reproduce.training import trained_model
from reproduce.traversal.readers import Reader

BATCH = 500
NUM_RESPONSES = 200  # draws by which a latent's effect on the images is measured
MAX_SHARE = 0.99  # of images in one class: a factor above it does not vary

Decode = Callable[[np.ndarray], np.ndarray]


def block_of(model: Any, name: str | None = None) -> LatentBlock:
    """A latent block by its name; by default the model's primary one.

    Raises:
        InputError: If there is none, or it has fewer than two latents.
    """
    blocks = {block.name: block for block in model.latent_blocks}
    if name is not None and name not in blocks:
        raise InputError(f"unknown latent block {name!r}; expected one of {', '.join(blocks)}")
    block = blocks[name] if name else model.latent_blocks[0]
    if block.size < 2:
        raise InputError(
            f"{block.name}: {block.size} latents; expected 2 or more, or there is no basis to turn"
        )
    return block


def from_prior(
    model: Any,
    reader: Reader,
    num_images: int,
    seed: int,
    block: LatentBlock,
    progress: Callable[[int], object] = lambda done: None,
) -> Representation:
    """Draws decoder inputs from a model's prior, decodes them, and reads the images' factors.

    A latent is active if the images respond to it: see `responses`. A factor that reads the same in
    nearly all images is left out, and named in the representation's `reading`.

    Args:
        model: As `models` documents it.
        reader: What reads the factors.
        num_images: How many are drawn; the first ones are the same whatever the number.
        seed: The seed of the draws.
        block: The latents whose basis is to be tested; the others are drawn all the same.
        progress: Called with the number of images decoded since the last call.

    Raises:
        InputError: If fewer than two images can be read.
    """
    decode = trained_model.decoder(model)
    latents, values = [], []
    for inputs in _draws(model, num_images, seed):
        latents.append(block.read(inputs))
        values.append(reader.read(decode(inputs)))
        progress(len(inputs))
    read = np.concatenate(values)
    kept = np.isfinite(read).all(axis=1)
    if kept.sum() < 2:
        raise InputError(
            f"{reader.name} reads {kept.sum()} of {num_images} decoded images; expected 2 or more: "
            "are they images of what it reads?"
        )
    classes = reader.classes(read[kept])
    largest = np.array([np.bincount(column).max() for column in classes.T]) / len(classes)
    varies = largest <= MAX_SHARE
    effect = responses(model, decode, block, seed)
    names = np.array(reader.factor_names)
    return Representation(
        np.concatenate(latents)[kept].astype(np.float32).astype(np.float64),
        classes[:, varies],
        tuple(names[varies].tolist()),
        tuple(np.array(reader.factor_sizes)[varies].tolist()),
        responsive=effect > ACTIVE_VARIANCE * effect.max(),
        reading=Reading(
            reader.name,
            reader.fingerprint,
            tuple(np.array(reader.errors)[varies].tolist()),
            tuple(np.array(reader.units)[varies].tolist()),
            block.name,
            num_images,
            tuple(names[~varies].tolist()),
        ),
    )


def responses(model: Any, decode: Decode, block: LatentBlock, seed: int) -> np.ndarray:
    """The variance of images that each latent has a part in: float64 [k], mean over pixels.

    The total effect E (f(z) - f(z'))^2 / 2, where z' has the one latent drawn anew (Jansen 1999,
    Computer Physics Communications 117, eq. 6). A latent that a VAE does not use has none.

    Args:
        model: As `models` documents it.
        decode: Its decoder on arrays.
        block: Whose latents are changed.
        seed: The seed of the draws.
    """
    inputs = next(_draws(model, NUM_RESPONSES, seed))
    images = decode(inputs).astype(np.float64)
    fresh = random_streams.generator(seed, random_streams.CHANGED_LATENTS).normal(
        size=(len(inputs), block.size)
    )
    found = []
    for axis, own, new in zip(block.unit_axes(), block.read(inputs).T, fresh.T, strict=True):
        changed = decode(inputs + np.outer(new - own, axis))
        found.append(float(np.square(changed - images).mean() / 2))
    return np.array(found)


def _draws(model: Any, num_images: int, seed: int) -> Iterator[np.ndarray]:
    """Decoder inputs from the prior in batches float64 [batch, D], each from its own seed."""
    import tensorflow as tf

    for start in range(0, num_images, BATCH):
        of_batch = tf.random.fold_in((seed, random_streams.PRIOR_LATENTS), start)
        drawn = np.asarray(model.draw(BATCH, of_batch), np.float64)
        yield drawn[: num_images - start]
