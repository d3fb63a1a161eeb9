"""A finished run, loaded: its decoder, where traversals start, the spaces that can be rotated."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from data import random_streams
from data.dataset import Dataset
from data.files import InputError
from models.layer_chain import LayerChain
from models.registry import row_of
from reproduce.basis import bases
from reproduce.basis.representation import Representation
from reproduce.metrics.basis_scorer import BasisScorer
from reproduce.metrics.labelled_latents import LabelledLatents
from reproduce.reporting import names
from reproduce.training import trained_model
from reproduce.training.run_directory import RunDirectory
from reproduce.traversal import energy_matching, purity
from reproduce.traversal.energy_matching import Decode
from reproduce.traversal.predictors import load as load_predictor
from reproduce.traversal.predictors import matching
from reproduce.traversal.purity import Derivative

METRICS = ("mig", "mig_sup", "modularity", "sap_continuous", "gaussian_total_correlation")
NUM_IMAGES = 24  # to start from
MAX_SHOWN = 12  # axes of a space
MAX_SIZE = 256  # dimensions: the path's Schur form takes seconds in more
_LEAKAGE_IMAGES = 8
_NUM_RANDOM = 199


@dataclasses.dataclass(frozen=True, eq=False)
class Space:
    """A part of a decoder's input whose basis is rotated.

    Attributes:
        name: `active` or `latents` of a VAE; otherwise a latent block's.
        summary: In a few words.
        labels: The k learned axes' names.
        axes: float64 [k, D], the learned axes as directions of the decoder's input.
        has_unit_steps: Whether directions are scaled to unit length, as `reproduce.traverse` does
            with those of active latents.
        scorer: Scores the same k latents of the representation; None where it lacks them.
        derivative: Predicted factors' along the k learned axes; None without a predictor.
    """

    name: str
    summary: str
    labels: tuple[str, ...]
    axes: np.ndarray
    has_unit_steps: bool
    scorer: BasisScorer | None
    derivative: Derivative | None

    @property
    def size(self) -> int:
        """Its dimension k."""
        return len(self.labels)

    def embed(self, coordinates: np.ndarray) -> np.ndarray:
        """Directions float64 [m, D] of the decoder's input, of coordinates float [m, k]."""
        directions = coordinates @ self.axes
        if self.has_unit_steps:
            directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        return directions

    def rotation(self, path: int) -> np.ndarray:
        """The random basis float64 [k, k] at a path's end: of `reproduce.traverse --seed=PATH`."""
        return bases.haar(1, self.size, random_streams.generator(path, random_streams.RANDOM_AXES))[
            0
        ]

    @functools.cached_property
    def random_bases(self) -> np.ndarray:
        """Haar draws, for comparison: float64 [b, k, k]."""
        rng = random_streams.generator(0, random_streams.EXPLORED_BASES)
        return bases.haar(_NUM_RANDOM, self.size, rng)


@dataclasses.dataclass(frozen=True, eq=False)
class LoadedRun:
    """What the explorer knows of a run.

    Attributes:
        title: The arm and the seed.
        data_set: Its name.
        factor_names: The names of the data set's k' factors.
        decode: The decoder.
        layer_chain: The same without TensorFlow; None where it is no chain of layers.
        starts: float64 [i, D], decoder inputs of real images.
        energy: The mean squared pixel change of every strip.
        spaces: What can be rotated, by name, the main one first.
        notice: What must be said wherever its images are shown; empty for most.
    """

    title: str
    data_set: str
    factor_names: tuple[str, ...]
    decode: Decode
    layer_chain: LayerChain | None
    starts: np.ndarray
    energy: float
    spaces: dict[str, Space]
    notice: str = ""


def title_of(run: RunDirectory) -> str:
    """A run's arm and seed, as the report names them."""
    config = run.read_config()
    return f"{names.name(config.arm)}, seed {config.seed}"


def load(run: RunDirectory, predictors: Sequence[RunDirectory]) -> LoadedRun:
    """Loads a finished run with its representation.npz.

    Args:
        run: A generative model's.
        predictors: Factor predictors' runs; the first that was trained on the same images is used.

    Raises:
        InputError: If a file is missing or damaged, or the run has no space that can be rotated.
    """
    config = run.read_config()
    model = trained_model.load_model(run)
    encoded = trained_model.representation_of(run, model)
    dataset = trained_model.load_dataset(run)
    sample = trained_model.draw_images(dataset, energy_matching.ENERGY_SAMPLE, config.seed)
    # One by one, for a seed's noise depends on how many there are.
    rows = trained_model.draw_images(dataset, len(encoded.latents), config.seed)[:NUM_IMAGES]
    starts = np.concatenate(
        [trained_model.start_inputs(model, dataset, row[None], config.seed) for row in rows]
    )
    decode = trained_model.decoder(model)
    differentiate = _differentiator(run, predictors, dataset, decode, starts)
    spaces = spaces_of(model, encoded, config.seed, differentiate)
    if not spaces:
        raise InputError(f"{run.path} has no latents of which two can be turned")
    return LoadedRun(
        title_of(run),
        config.data_set,
        dataset.factor_names,
        decode,
        model.layer_chain() if hasattr(model, "layer_chain") else None,
        starts,
        energy_matching.default_energy(dataset.images(sample)),
        spaces,
        config.data_notice,
    )


def spaces_of(
    model: Any,
    encoded: Representation,
    seed: int,
    differentiate: Callable[[np.ndarray], Derivative] | None,
) -> dict[str, Space]:
    """What can be rotated in a model, the main space first; none may be left.

    Args:
        model: As `models` documents it; of a VAE, the representation says all.
        encoded: Its representation.
        seed: The seed of the metrics.
        differentiate: From axes [k, D] to the derivative of predicted factors, if any.
    """
    spaces = {}
    for name, summary, labels, axes, has_unit_steps, points in _parts(model, encoded):
        scorer = BasisScorer(points, METRICS, seed) if points else None
        space = Space(name, summary, labels, axes, has_unit_steps, scorer, None)
        if differentiate:
            derivative = differentiate(space.embed(np.eye(space.size)))
            space = dataclasses.replace(space, derivative=derivative)
        spaces[name] = space
    return spaces


_Part = tuple[str, str, tuple[str, ...], np.ndarray, bool, LabelledLatents | None]


def _parts(model: Any, encoded: Representation) -> list[_Part]:
    """Name, summary, axes and their names, whether of unit steps, scored points of each space."""
    row = row_of(model.settings)
    if row.has_posterior:
        return _parts_of_latents(encoded)
    parts: list[_Part] = []
    for index, block in enumerate(model.latent_blocks):
        if not 2 <= block.size <= MAX_SIZE:
            continue
        scored = index == 0 and block.size == encoded.latents.shape[1]
        noun = row.axis_nouns.get(block.name, "latent")
        labels = tuple(f"{noun} {axis}" for axis in range(block.size))
        points = encoded.points() if scored else None
        axes = block.embed(np.eye(block.size))
        parts.append((block.name, block.summary, labels, axes, False, points))
    return parts


def _parts_of_latents(encoded: Representation) -> list[_Part]:
    """What a VAE's bases rotate: the active latents, standardised, and all of them as they are."""
    parts: list[_Part] = []
    active, d = encoded.active(), encoded.latents.shape[1]
    if len(active) >= 2:
        axes = np.zeros((len(active), d))
        axes[np.arange(len(active)), active] = encoded.latents[:, active].std(axis=0)
        labels = tuple(f"latent {axis}" for axis in active)
        summary = f"the {len(active)} active latents, standardised"
        points = bases.FAMILIES["geodesic"].points(encoded)
        parts.append(("active", summary, labels, axes, True, points))
    if d <= MAX_SIZE:
        labels = tuple(f"latent {axis}" for axis in range(d))
        parts.append(("latents", f"all {d} latents", labels, np.eye(d), False, encoded.points()))
    return parts


def _differentiator(
    run: RunDirectory,
    predictors: Sequence[RunDirectory],
    dataset: Dataset,
    decode: Decode,
    starts: np.ndarray,
) -> Callable[[np.ndarray], Derivative] | None:
    """Differentiates a predictor's predicted factors along axes [k, D], if there is a predictor."""
    predictor = matching(run, predictors)
    if predictor is None or len(dataset.factor_names) < 2:  # of one factor there is no purity
        return None
    _, predict, layout = load_predictor(predictor, dataset)
    setup = purity.TraversalSetup(decode, predict, layout, starts[:_LEAKAGE_IMAGES], 0.0)
    return functools.partial(purity.differentiate, setup)


def find_predictors(run: RunDirectory) -> list[RunDirectory]:
    """The factor predictors of the main job that trained a run; none if it was trained alone."""
    configs = run.path.resolve().parent.parent.glob("predictors/*/config.json")
    return [RunDirectory(Path(config).parent) for config in sorted(configs)]
