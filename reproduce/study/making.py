"""Makes a study: draws its strips, deals them to lists, writes what is public and what is not."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
import os
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from data import random_streams
from data.dataset import Dataset
from data.files import InputError, save_npz, write_text
from models.latent_blocks import LatentBlock
from reproduce.study import (
    catch_trials,
    design,
    pairs,
    responses,
    sample_size,
    strip_metrics,
    strips,
    study_plan,
)
from reproduce.study.simulated_raters import Truth
from reproduce.study.study_plan import Plan
from reproduce.training import progress, trained_model
from reproduce.training.run_directory import RunDirectory
from reproduce.traversal import energy_matching
from reproduce.traversal.energy_matching import Decode

_SAMPLE = 2_000  # images, for the energy
_STARTS_AT_ONCE = 50  # encoded together
_MAX_STARTS = 50  # starting images that are tried for a pair with two live strips
_PREFERENCES = (0.6, 0.65, 0.7)
_PUBLISHED = 946_684_800  # 2000-01-01, of every public file
_NOTICE = "All pictures are rendered by a computer or made by a model; none shows a real person."


@dataclasses.dataclass(eq=False)
class _Drawn:
    """One pair before it has names."""

    kind: str
    arm: tuple[str, str]
    key: list[dict[str, Any]]  # of the two strips, the target first
    frames: list[np.ndarray]
    directions: list[np.ndarray | None]


def make(
    runs: Sequence[RunDirectory],
    predictors: Sequence[RunDirectory],
    plan: Plan,
    title: str,
    output: str,
) -> list[str]:
    """Makes a study.

    Args:
        runs: Finished ones.
        predictors: Finished factor predictors, by which strips' purity is measured.
        plan: Its numbers, checked.
        title: What raters see.
        output: The study's folder.

    Returns:
        What to print: the power calculation, and what was made.
    """
    arms: dict[tuple[str, str], list[RunDirectory]] = {}
    for run in runs:
        arms.setdefault(study_plan.arm_of(run.read_config()), []).append(run)
    power = _power(plan, len(arms))
    per_arm = plan.pairs + plan.label_free_pairs
    test: list[_Drawn] = []
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
    others = _rendered(arms, plan) + _identical(test, plan)
    return _write(test + others, plan, power, title, Path(output), arms)


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
) -> list[_Drawn]:
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
        drawn.append(_Drawn("test", arm, key, frames, [strip.coordinates for strip in both]))
        bar.update(1)
    directions = np.stack([own for pair in drawn for own in pair.directions if own is not None])
    measured = strip_metrics.measure(
        run, model, dataset, predictors, np.stack(starts), directions, energy
    )
    for number, row in enumerate(row for pair in drawn for row in pair.key):
        row["metrics"] = {name: float(values[number]) for name, values in measured.items()}
    return drawn


def _rendered(arms: dict[tuple[str, str], list[RunDirectory]], plan: Plan) -> list[_Drawn]:
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


def _catch_pair(pair: catch_trials.CatchPair, data_set: str) -> _Drawn:
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
    return _Drawn("catch", ("", data_set), rows, frames, [None, None])


def _identical(test: Sequence[_Drawn], plan: Plan) -> list[_Drawn]:
    """Strips of test pairs, learned and random in turn, each against itself."""
    count = study_plan.IDENTICAL_PAIRS_PER_TRIAL * plan.identical_trials
    rng = random_streams.generator(plan.seed, random_streams.LISTS)
    found = []
    for number, index in enumerate(rng.choice(len(test), count, replace=count > len(test))):
        pair, which = test[index], number % 2
        row = {key: value for key, value in pair.key[which].items() if key != "metrics"}
        row |= {"kind": "identical", "basis": "same", "rule": "", "target": False}
        frames = pair.frames[which]
        found.append(_Drawn("identical", pair.arm, [row, dict(row)], [frames] * 2, [None] * 2))
    return found


def _write(
    drawn: Sequence[_Drawn],
    plan: Plan,
    power: dict[str, Any],
    title: str,
    output: Path,
    arms: dict[tuple[str, str], list[RunDirectory]],
) -> list[str]:
    """Names everything, deals it to lists, writes it."""
    sizes = {frames.shape for pair in drawn for frames in pair.frames}
    if len(sizes) > 1:
        raise InputError(
            "the runs' pictures have several proportions; make a study of each of them"
        )
    secret = _secret(drawn, plan)
    rng = np.random.default_rng(secret)
    names = iter(rng.permutation([rng.bytes(16).hex() for _ in range(3 * len(drawn))]))
    named: list[tuple[_Drawn, design.Pair]] = []
    for pair in drawn:
        item, first, second = (str(next(names)) for _ in range(3))
        named.append((pair, design.Pair(item, (first, second))))
    groups = _groups(named, plan)
    design.check_groups(groups)
    num_lists = design.lists_needed(list(groups.values()), plan.raters)
    lists = design.deal(list(groups.values()), num_lists, plan.names, rng)
    rows, metrics, content, directions = [], [], {}, {}
    for pair, own in named:
        for strip, row, frames, direction in zip(
            own.strips, pair.key, pair.frames, pair.directions, strict=True
        ):
            rows.append({"item": own.item, "strip": strip} | row)
            content[strip] = frames
            if direction is not None:
                directions[strip] = direction
            metrics += [(strip, name, value) for name, value in row.get("metrics", {}).items()]
    key = pd.DataFrame(rows).sort_values("strip")[list(responses.KEY_COLUMNS)]
    table = pd.DataFrame(metrics, columns=["strip", "metric", "value"]).sort_values(
        ["metric", "strip"]
    )

    public, private = output / "public", output / "private"
    strips.write(public / "strips", content)
    frames = next(iter(content.values()))
    document = {
        "study": rng.bytes(8).hex(),
        "title": title,
        "data_sets": sorted({data_set for _, data_set in arms}),
        "num_lists": num_lists,
        "trials_per_list": plan.trials_per_list,
        "break_every": study_plan.BREAK_EVERY,
        "practice": [_practice(pair, own, rng) for pair, own in named if pair.kind == "practice"],
        "notice": _NOTICE,
        "image": {
            "width": frames.shape[2],
            "height": frames.shape[1],
            "frames": frames.shape[0],
            "animated": strips.ANIMATED,
            "still": strips.STILL,
        },
    }
    for number, trials in enumerate(lists):
        entries = [{"trial": t} | dataclasses.asdict(trial) for t, trial in enumerate(trials)]
        _write_json(public / "lists" / f"{number}.json", {"list": number, "trials": entries})
    _write_json(public / "study.json", document)
    for file in [file for file in public.rglob("*") if file.is_file()]:
        os.utime(file, (_PUBLISHED, _PUBLISHED))
    write_text(private / "key.csv", key.to_csv(index=False))
    write_text(private / "metrics.csv", table.to_csv(index=False))
    save_npz(private / "directions.npz", directions)
    _write_json(
        private / "design.json",
        {
            "study": document["study"],
            "plan": dataclasses.asdict(plan),
            "runs": {" ".join(arm): [run.path.name for run in own] for arm, own in arms.items()},
            "version": metadata.version("axisbias"),
            "power": power,
            "exclusion_rules": responses.EXCLUSION_RULES,
            "primary": "pairs whose directions are drawn uniformly from the live ones",
            "secondary": "label-free rule: of up to "
            f"{pairs.LABEL_FREE_CANDIDATES} live axes drawn from the basis the one that reaches "
            "the energy in the smallest step",
        },
    )
    counts = pd.Series([pair.kind for pair in drawn]).value_counts()
    made = ", ".join(f"{count} {kind}" for kind, count in counts.items())
    return [
        *power["sentences"],
        f"{output}: pairs: {made}; {num_lists} lists of {plan.trials_per_list} trials",
        f"raters receive {public}; {private} tells which strip is which: keep it apart",
    ]


def _secret(drawn: Sequence[_Drawn], plan: Plan) -> list[int]:
    """A seed for names, sides and orders: fixed by the command, but not known without the key.

    With the flag's seed alone, who has this program could tell from the names which is which.
    """
    digest = hashlib.sha256(json.dumps(dataclasses.asdict(plan), sort_keys=True).encode())
    for pair in drawn:
        for row in pair.key:
            digest.update(repr((row["step"], row["energy"], row["start_image"])).encode())
    return [int(word) for word in np.frombuffer(digest.digest(), np.uint32)]


def _groups(named: Sequence[tuple[_Drawn, design.Pair]], plan: Plan) -> dict[str, design.Group]:
    """The pairs of each kind, those of one arm and run side by side."""

    def of(kind: str, rule: str = "") -> list[design.Pair]:
        return [own for pair, own in named if (pair.kind, pair.key[0]["rule"]) == (kind, rule)]

    return {
        "test": design.Group(of("test", "uniform"), plan.trials),
        "label-free": design.Group(of("test", "label_free"), plan.label_free_trials),
        "catch": design.Group(of("catch"), plan.catch_trials),
        "identical": design.Group(of("identical"), plan.identical_trials),
    }


def _practice(pair: _Drawn, own: design.Pair, rng: np.random.Generator) -> dict[str, Any]:
    left, right = rng.permutation(own.strips)
    single, double = (
        " and ".join(
            catch_trials.WORDS.get(name, name.replace("_", " "))
            for name in row["direction"].split(" and ")
        )
        for row in pair.key
    )
    return {
        "item": own.item,
        "left": str(left),
        "right": str(right),
        "correct": own.strips[0],
        "feedback": f"One strip changes just one thing ({single}); the other changes two "
        f"({double}).",
    }


def _write_json(file: Path, document: dict[str, Any]) -> None:
    write_text(file, json.dumps(document, indent=1) + "\n")


def _power(plan: Plan, num_arms: int) -> dict[str, Any]:
    """The power calculation, for what each arm gets of the planned raters' answers."""
    own = max(plan.trials // num_arms, 1)
    own = max(divisor for divisor in range(1, own + 1) if plan.pairs % divisor == 0)
    shape = (plan.raters, own, plan.pairs)
    floors = {share: sample_size.independent_trials(share) for share in _PREFERENCES}
    total = len(_PREFERENCES) * plan.power_repetitions
    with progress.bar(desc="power", total=total, unit=" studies") as bar:
        powers = {
            share: sample_size.mixed_power(
                Truth(share), shape, plan.power_repetitions, plan.seed, bar.update
            )
            for share in _PREFERENCES
        }
    truth = Truth()
    sentences = [
        "were all answers independent, the exact binomial test at the two-sided level .05 would "
        "have power 90% with "
        + ", ".join(f"{count} trials to detect {share:.0%}" for share, count in floors.items()),
        f"the mixed model with rater and pair deviations of {truth.sd_rater:g} and "
        f"{truth.sd_item:g} logits, {plan.raters} raters of {own} trials an arm and {plan.pairs} "
        f"pairs detects "
        + ", ".join(f"{share:.0%} with power {power:.2f}" for share, power in powers.items())
        + f" ({plan.power_repetitions} simulated studies each)",
    ]
    return {
        "independent_trials": {str(share): count for share, count in floors.items()},
        "mixed_model": {str(share): power for share, power in powers.items()},
        "raters": plan.raters,
        "trials_per_rater_and_arm": own,
        "pairs_per_arm": plan.pairs,
        "sentences": sentences,
    }
