"""A finished run, loaded: its decoder, where traversals start, the spaces that can be turned."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from data.dataset import Dataset
from data.files import InputError
from reproduce import bases, purity, readings, representation, trained, traversals, verdicts
from reproduce.points import Points
from reproduce.purity import Derivative
from reproduce.representation import Representation
from reproduce.runs import RunDirectory
from reproduce.scoring import BasisScorer
from reproduce.traversals import Decode

METRICS = ("mig", "mig_sup", "modularity", "sap_continuous", "gaussian_total_correlation")
NUM_IMAGES = 24  # to start from
MAX_SHOWN = 12  # axes of a space
MAX_SIZE = 256  # dimensions: the path's Schur form takes seconds in more
_LEAKAGE_IMAGES = 8
_NUM_RANDOM = 199
_NOUNS = {"codes": "code", "noise": "noise", "channels": "channel", "position": "channel"}


@dataclasses.dataclass(frozen=True, eq=False)
class Space:
    """A part of a decoder's input whose basis is turned.

    Attributes:
        name: `active` or `latents` of a VAE; otherwise a stratum's.
        summary: In a few words.
        labels: The k learned axes' names.
        embed: Linear up to length, from coordinates float [m, k] to directions [m, D] of the
            decoder's input; as `reproduce.traverse` takes them.
        scorer: Of the representation's same k latents; None if it has none of this space.
        derivative: Of a factor predictor's readings along the k learned axes; None without one.
    """

    name: str
    summary: str
    labels: tuple[str, ...]
    embed: Callable[[np.ndarray], np.ndarray]
    scorer: BasisScorer | None
    derivative: Derivative | None

    @property
    def size(self) -> int:
        """Its dimension k."""
        return len(self.labels)

    def rotation(self, path: int) -> np.ndarray:
        """The random basis float64 [k, k] at a path's end: of `reproduce.traverse --seed=PATH`."""
        return bases.haar(1, self.size, np.random.default_rng([path, 2]))[0]

    @functools.cached_property
    def random_bases(self) -> np.ndarray:
        """Haar draws, for comparison: float64 [b, k, k]."""
        return bases.haar(_NUM_RANDOM, self.size, np.random.default_rng([0, 9]))


@dataclasses.dataclass(frozen=True, eq=False)
class Stage:
    """What the explorer knows of a run.

    Attributes:
        title: The arm and the seed.
        data_set: Its name.
        factor_names: Of the data set's k' factors.
        decode: The decoder.
        starts: float64 [i, D], decoder inputs of real images.
        energy: The mean squared pixel change of every strip.
        spaces: What can be turned, by name, the main one first.
        notice: What must be said wherever its images are shown; empty for most.
    """

    title: str
    data_set: str
    factor_names: tuple[str, ...]
    decode: Decode
    starts: np.ndarray
    energy: float
    spaces: dict[str, Space]
    notice: str = ""


def title_of(run: RunDirectory) -> str:
    """A run's arm and seed, as the report names them."""
    config = run.read_config()
    return f"{verdicts.name(config.arm)}, seed {config.seed}"


def load(run: RunDirectory, predictors: Sequence[RunDirectory]) -> Stage:
    """Loads a finished run with its representation.npz.

    Args:
        run: Of a generative model.
        predictors: Factor predictors' runs; the first that was trained on the same images is used.

    Raises:
        InputError: If a file is missing or damaged, or the run has no space that can be turned.
    """
    config = run.read_config()
    encoded = representation.load(run.representation_file)
    model = trained.load_model(run)
    dataset = trained.load_dataset(run)
    sample = trained.draw_images(dataset, traversals.ENERGY_SAMPLE, config.seed)
    # One by one, for a seed's noise depends on how many there are.
    rows = trained.draw_images(dataset, len(encoded.latents), config.seed)[:NUM_IMAGES]
    starts = np.concatenate(
        [trained.start_inputs(model, dataset, row[None], config.seed) for row in rows]
    )
    decode = trained.decoder(model)
    differentiate = _differentiator(run, predictors, dataset, decode, starts)
    spaces = spaces_of(model, encoded, config.seed, differentiate)
    if not spaces:
        raise InputError(f"{run.path} has no latents of which two can be turned")
    return Stage(
        title_of(run),
        config.data_set,
        dataset.factor_names,
        decode,
        starts,
        traversals.default_energy(dataset.images(sample)),
        spaces,
        config.data_notice,
    )


def spaces_of(
    model: Any,
    encoded: Representation,
    seed: int,
    differentiate: Callable[[np.ndarray], Derivative] | None,
) -> dict[str, Space]:
    """What can be turned in a model, the main space first; none may be left.

    Args:
        model: As `models` documents it; of a VAE, the representation says all.
        encoded: Its representation.
        seed: Of the metrics.
        differentiate: From axes [k, D] to the derivative of a predictor's readings, if any.
    """
    return {
        name: Space(
            name,
            summary,
            labels,
            embed,
            BasisScorer(points, METRICS, seed) if points else None,
            differentiate(embed(np.eye(len(labels)))) if differentiate else None,
        )
        for name, summary, labels, embed, points in _parts(model, encoded)
    }


_Part = tuple[str, str, tuple[str, ...], Callable[[np.ndarray], np.ndarray], Points | None]


def _parts(model: Any, encoded: Representation) -> list[_Part]:
    """Name, summary, axes' names, embedding and scored points of what can be turned."""
    if encoded.log_variance is not None:
        return _parts_of_latents(encoded)
    parts: list[_Part] = []
    for index, stratum in enumerate(model.strata):
        if not 2 <= stratum.size <= MAX_SIZE:
            continue
        scored = index == 0 and stratum.size == encoded.latents.shape[1]
        noun = _NOUNS.get(stratum.name, "latent")
        labels = tuple(f"{noun} {axis}" for axis in range(stratum.size))
        points = encoded.points() if scored else None
        parts.append((stratum.name, stratum.summary, labels, stratum.embed, points))
    return parts


def _parts_of_latents(encoded: Representation) -> list[_Part]:
    """Of a VAE: the active latents, standardised, and all of them as they are."""
    parts: list[_Part] = []
    active, d = encoded.active(), encoded.latents.shape[1]
    if len(active) >= 2:
        family = bases.FAMILIES["geodesic"]
        embed = functools.partial(traversals.along_active, encoded)
        labels = tuple(f"latent {axis}" for axis in active)
        summary = f"the {len(active)} active latents, standardised"
        parts.append(("active", summary, labels, embed, family.points(encoded)))
    if d <= MAX_SIZE:
        labels = tuple(f"latent {axis}" for axis in range(d))
        parts.append(("latents", f"all {d} latents", labels, np.asarray, encoded.points()))
    return parts


def _differentiator(
    run: RunDirectory,
    predictors: Sequence[RunDirectory],
    dataset: Dataset,
    decode: Decode,
    starts: np.ndarray,
) -> Callable[[np.ndarray], Derivative] | None:
    """Differentiates a predictor's readings along axes [k, D], if there is a predictor."""
    config = run.read_config()
    if len(dataset.factor_names) < 2:  # then there is no purity
        return None
    for other in predictors:
        theirs = other.read_config()
        if (theirs.fingerprint, theirs.image_shape) != (config.fingerprint, config.image_shape):
            continue
        predictor = trained.load_predictor(other)
        layout = readings.describe(dataset.factor_names, predictor.settings, dataset.factors)
        predict = trained.on_arrays(predictor.predict)
        scene = purity.Scene(decode, predict, layout, starts[:_LEAKAGE_IMAGES], 0.0)
        return functools.partial(purity.differentiate, scene)
    return None


def find_predictors(run: RunDirectory) -> list[RunDirectory]:
    """The factor predictors of the main job that trained a run; none if it was trained alone."""
    configs = run.path.resolve().parent.parent.glob("predictors/*/config.json")
    return [RunDirectory(Path(config).parent) for config in sorted(configs)]
