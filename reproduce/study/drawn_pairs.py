"""The pairs of strips of a study, before they have names: drawn, rendered, or a strip twice."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from data import random_streams
from data.dataset import Dataset
from data.files import InputError
from models.latent_blocks import LatentBlock
from reproduce.study import catch_trials, pairs, strip_metrics, strips, study_plan
from reproduce.study.study_plan import Plan
from reproduce.training import progress, trained_model
from reproduce.training.run_directory import RunDirectory
from reproduce.traversal import energy_matching
from reproduce.traversal.energy_matching import Decode

_SAMPLE = 2_000  # images, for the energy
_STARTS_AT_ONCE = 50  # encoded together
_MAX_STARTS = 50  # starting images that are tried for a pair with two live strips

Arms = Mapping[tuple[str, str], Sequence[RunDirectory]]  # by arm and data set


@dataclasses.dataclass(eq=False)
class DrawnPair:
    """One pair.

    Attributes:
        kind: `test`, `catch`, `practice` or `identical`.
        arm: The arm and the data set; no arm if it is rendered.
        key: What there is to know of each of the two strips, the target first.
        frames: Their pictures, uint8 [f, height, width, 3] each.
        directions: Their directions in the latent block, float64 [k]; None if it is rendered.
    """

    kind: str
    arm: tuple[str, str]
    key: list[dict[str, Any]]
    frames: list[np.ndarray]
    directions: list[np.ndarray | None]


def draw(arms: Arms, predictors: Sequence[RunDirectory], plan: Plan) -> list[DrawnPair]:
    """All pairs of a study.

    Args:
        arms: The finished runs of each arm on each data set.
        predictors: Finished factor predictors, by which strips' purity is measured.
        plan: How many.
    """
    per_arm = plan.pairs + plan.label_free_pairs
    test: list[DrawnPair] = []
    datasets: dict[tuple[str, int], Dataset] = {}
    with progress.bar(desc="pairs", total=len(arms) * per_arm, unit=" pairs") as bar:
        for index, (arm, own) in enumerate(sorted(arms.items())):
            for number, (run, rules) in enumerate(_share(own, plan)):
                seed = [plan.seed, random_streams.PAIRS, index, number]
                config = run.read_config()
                which = (config.fingerprint, config.recipe.image_size)
                if which not in datasets:
                    datasets[which] = trained_model.load_dataset(run)
                dataset = datasets[which]
                test += _draw_pairs(run, dataset, rules, arm, plan, predictors, seed, bar)
    return test + _rendered(arms, plan) + _identical(test, plan)


def _share(runs: Sequence[RunDirectory], plan: Plan) -> list[tuple[RunDirectory, list[str]]]:
    """The rule of each pair of each run: as even as can be."""
    shares: list[list[str]] = [[] for _ in runs]
    for rule, count in zip(pairs.RULES, (plan.pairs, plan.label_free_pairs), strict=True):
        for number in range(count):
            shares[number % len(runs)].append(rule)
    return list(zip(runs, shares, strict=True))


def _energy(dataset: Dataset, plan: Plan) -> float:
    images = dataset.images(trained_model.draw_images(dataset, _SAMPLE, plan.seed))
    return energy_matching.default_energy(images) / energy_matching.ENERGY_SHARE * plan.energy_share


def _starts(
    model: Any, dataset: Dataset, plan: Plan, rng: np.random.Generator
) -> Iterator[tuple[int, np.ndarray]]:
    """Images drawn from a data set with the decoder inputs that stand for them, without end."""
    for batch in itertools.count():
        images = rng.integers(len(dataset), size=_STARTS_AT_ONCE)
        starts = trained_model.start_inputs(model, dataset, images, plan.seed + batch)
        yield from zip(images.tolist(), starts, strict=True)


def _first_live(
    draws: Iterator[tuple[int, np.ndarray]],
    decode: Decode,
    block: LatentBlock,
    rule: str,
    energy: float,
    rng: np.random.Generator,
) -> tuple[int, np.ndarray, list[pairs.Strip]] | None:
    """The first starting image from which both bases have a live axis, and their strips."""
    for image, start in itertools.islice(draws, _MAX_STARTS):
        found = [
            pairs.draw_strip(decode, start, block, basis, rule, energy, rng)
            for basis in ("learned", "random")
        ]
        both = [strip for strip in found if strip is not None]
        if len(both) == 2:
            return image, start, both
    return None


def _draw_pairs(
    run: RunDirectory,
    dataset: Dataset,
    rules: Sequence[str],
    arm: tuple[str, str],
    plan: Plan,
    predictors: Sequence[RunDirectory],
    seed: Sequence[int],
    bar: Any,
) -> list[DrawnPair]:
    """One run's pairs."""
    config = run.read_config()
    model = trained_model.load_model(run)
    decode, block = trained_model.decoder(model), model.latent_blocks[0]
    energy = _energy(dataset, plan)
    rng = np.random.default_rng(seed)
    drawn, starts = [], []
    draws = _starts(model, dataset, plan, np.random.default_rng([*seed, 1]))
    for rule in rules:
        pair = _first_live(draws, decode, block, rule, energy, rng)
        if pair is None:
            raise InputError(
                f"{run.path}: from {_MAX_STARTS} images no axis reaches the energy; lower "
                "--energy_share, or leave this run out"
            )
        image, start, both = pair
        starts += [start, start]
        key = [
            {
                "kind": "test",
                "basis": basis,
                "rule": rule,
                "run": run.path.name,
                "model": arm[0],
                "data_set": arm[1],
                "seed": config.seed,
                "direction": f"{basis} {strip.axis}",
                "step": strip.step,
                "energy": strip.energy,
                "start_image": image,
                "target": basis == "learned",
            }
            for basis, strip in zip(("learned", "random"), both, strict=True)
        ]
        frames = [strips.as_frames(strip.frames) for strip in both]
        drawn.append(DrawnPair("test", arm, key, frames, [strip.coordinates for strip in both]))
        bar.update(1)
    directions = np.stack([own for pair in drawn for own in pair.directions if own is not None])
    measured = strip_metrics.measure(
        run, model, dataset, predictors, np.stack(starts), directions, energy
    )
    for number, row in enumerate(row for pair in drawn for row in pair.key):
        row["metrics"] = {name: float(values[number]) for name, values in measured.items()}
    return drawn


def _rendered(arms: Arms, plan: Plan) -> list[DrawnPair]:
    """Catch and practice trials, dealt over the data sets."""
    configs = {runs[0].read_config().data_set: runs[0].read_config() for runs in arms.values()}
    count = study_plan.CATCH_PAIRS_PER_TRIAL * plan.catch_trials + study_plan.NUM_PRACTICE
    by_data_set = []
    for index, (name, config) in enumerate(sorted(configs.items())):
        renderer = catch_trials.renderer_of(config.dataset, config.image_shape[2])
        rng = random_streams.generator(plan.seed, random_streams.CATCH_TRIALS, index)
        sample = renderer.render(rng.integers(renderer.sizes, size=(200, len(renderer.sizes))))
        energy = (
            energy_matching.default_energy(sample)
            / energy_matching.ENERGY_SHARE
            * plan.energy_share
        )
        own = -(-count // len(configs))
        found = catch_trials.draw(renderer, energy, own, study_plan.NUM_FRAMES, rng)
        by_data_set.append([_catch_pair(pair, name) for pair in found])
    dealt = [pair for hand in zip(*by_data_set, strict=True) for pair in hand][:count]
    for pair in dealt[: study_plan.NUM_PRACTICE]:
        pair.kind = "practice"
        for row in pair.key:
            row["kind"] = "practice"
    return dealt


def _catch_pair(pair: catch_trials.CatchPair, data_set: str) -> DrawnPair:
    rows = [
        {
            "kind": "catch",
            "basis": basis,
            "rule": "",
            "run": "",
            "model": "",
            "data_set": data_set,
            "seed": "",
            "direction": direction,
            "step": "",
            "energy": energy,
            "start_image": " ".join(map(str, pair.start)),
            "target": basis == "single",
        }
        for basis, direction, energy in (
            ("single", pair.single_factor, pair.single_energy),
            ("double", " and ".join(pair.double_factors), pair.double_energy),
        )
    ]
    frames = [strips.as_frames(pair.single), strips.as_frames(pair.double)]
    return DrawnPair("catch", ("", data_set), rows, frames, [None, None])


def _identical(test: Sequence[DrawnPair], plan: Plan) -> list[DrawnPair]:
    """Strips of test pairs, learned and random in turn, each against itself."""
    count = study_plan.IDENTICAL_PAIRS_PER_TRIAL * plan.identical_trials
    rng = random_streams.generator(plan.seed, random_streams.LISTS)
    found = []
    for number, index in enumerate(rng.choice(len(test), count, replace=count > len(test))):
        pair, which = test[index], number % 2
        row = {key: value for key, value in pair.key[which].items() if key != "metrics"}
        row |= {"kind": "identical", "basis": "same", "rule": "", "target": False}
        frames = pair.frames[which]
        found.append(DrawnPair("identical", pair.arm, [row, dict(row)], [frames] * 2, [None] * 2))
    return found
