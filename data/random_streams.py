"""The random streams that follow from a seed, listed once.

Steps that share a seed draw from streams of their own, so that no step's draws depend on another's.
A stream is NumPy's generator of [seed, number]; numbers stay as they are, or results would change.
Two steps have the same number only where their seeds, or what they draw, have nothing in common.
"""

from __future__ import annotations

import zlib

import numpy as np

# Of a training's seed.
WEIGHTS = 0  # initial weights
ENCODED_IMAGES = 1  # images that are encoded, and from which traversals start
FIRST_BATCH = 4  # images that a model is shown before its first step
BATCHES, FIRST_NOISE = 0, 1  # of TensorFlow's own generators: steps, and that first batch's noise

# Of a test's seed.
RANDOM_AXES = 2  # bases that are traversed
TEST_SPLIT = 3  # rows that are held out, where a file has no test split
DECODER_LATENTS = 4  # latents at which a decoder is differentiated
PURITY_BASES = 5  # bases by traversal purity, one stream for each latent block
PREDICTOR_IMAGES = 6  # images by which a factor predictor is judged
LABELLED_DIRECTIONS = 7  # random directions beside labelled ones
SAMPLES = 8  # images drawn from a model
EXPLORED_BASES = 9  # bases that the explorer compares with
PRIOR_LATENTS = 10  # latents drawn from a model's prior, to be decoded
CHANGED_LATENTS = 13  # values that replace one latent, to see whether images respond
BOOTSTRAP = 14  # resampled images of intervals by factor
DECODED_HALVES = 15  # rows that a regression of factors is fitted on
SAMPLED_ROWS = 16  # rows of latents too large to be kept twice, to which components are fitted

# Of a verdict's seed.
EFFECTS = {"haar": 0, "haar_active": 1}  # bootstraps of seeds, by family
CONTRAST = 2  # permutations of seeds over arms, or sign flips of pairs

# Of an experiment's seed, in `reproduce.mechanisms`.
TOY_NULL, TOY_POINTS = 0, 1
UNIT_ROTATIONS, IMAGE_SETS, LATENT_ROTATIONS = 5, 6, 7

# Of a study's seed.
PREFERENCES, NAMES = 11, 12  # sign flips of raters
PAIRS, CATCH_TRIALS, LISTS = 20, 21, 22  # what raters are shown
RATERS = 30  # simulated ones


def of_family(seed: int, name: str) -> np.random.Generator:
    """The generator of a family's bases, which no other family's draws depend on."""
    return np.random.default_rng([seed, zlib.crc32(name.encode())])


def generator(seed: int, stream: int, *parts: int) -> np.random.Generator:
    """The generator of a stream; `parts` number streams of the same kind."""
    return np.random.default_rng([seed, stream, *parts])
