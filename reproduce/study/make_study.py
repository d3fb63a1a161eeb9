"""Makes a study: draws its strips, deals them to lists, writes what is public and what is not."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from data.files import InputError, save_npz, write_text
from reproduce.study import (
    catch_trials,
    design,
    drawn_pairs,
    pairs,
    responses,
    sample_size,
    strips,
    study_plan,
)
from reproduce.study.drawn_pairs import Arms, DrawnPair
from reproduce.study.study_plan import Plan
from reproduce.training.run_directory import RunDirectory

_PUBLISHED = 946_684_800  # 2000-01-01, of every public file
_NOTICE = "All pictures are rendered by a computer or made by a model; none shows a real person."

_Named = Sequence[tuple[DrawnPair, design.Pair]]


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
    power = sample_size.of_plan(plan, len(arms))
    drawn = drawn_pairs.draw(arms, predictors, plan)
    if len({frames.shape for pair in drawn for frames in pair.frames}) > 1:
        raise InputError(
            "the runs' pictures have several proportions; make a study of each of them"
        )
    rng = np.random.default_rng(_secret(drawn, plan))
    named = _named(drawn, rng)
    groups = _groups(named, plan)
    design.check_groups(groups)
    num_lists = design.lists_needed(list(groups.values()), plan.raters)
    lists = design.deal(list(groups.values()), num_lists, plan.names, rng)
    document = {
        "study": rng.bytes(8).hex(),
        "title": title,
        "data_sets": sorted({data_set for _, data_set in arms}),
        "num_lists": num_lists,
        "trials_per_list": plan.trials_per_list,
        "break_every": study_plan.BREAK_EVERY,
        "practice": [_practice(pair, own, rng) for pair, own in named if pair.kind == "practice"],
        "notice": _NOTICE,
    }
    public, private = Path(output) / "public", Path(output) / "private"
    _write_public(public, named, document, lists)
    _write_private(private, named, plan, str(document["study"]), power, arms)
    counts = pd.Series([pair.kind for pair in drawn]).value_counts()
    made = ", ".join(f"{count} {kind}" for kind, count in counts.items())
    return [
        *power["sentences"],
        f"{output}: pairs: {made}; {num_lists} lists of {plan.trials_per_list} trials",
        f"raters receive {public}; {private} tells which strip is which: keep it apart",
    ]


def _named(drawn: Sequence[DrawnPair], rng: np.random.Generator) -> _Named:
    """Each pair with names for itself and for its strips, which tell nothing."""
    names = iter(rng.permutation([rng.bytes(16).hex() for _ in range(3 * len(drawn))]))
    named: list[tuple[DrawnPair, design.Pair]] = []
    for pair in drawn:
        item, first, second = (str(next(names)) for _ in range(3))
        named.append((pair, design.Pair(item, (first, second))))
    return named


def _write_public(
    folder: Path,
    named: _Named,
    document: dict[str, Any],
    lists: Sequence[Sequence[design.Trial]],
) -> None:
    """Writes all that raters receive: strips, lists, and the study's description."""
    content = {
        strip: frames
        for pair, own in named
        for strip, frames in zip(own.strips, pair.frames, strict=True)
    }
    strips.write(folder / "strips", content)
    frames = next(iter(content.values()))
    image = {
        "width": frames.shape[2],
        "height": frames.shape[1],
        "frames": frames.shape[0],
        "animated": strips.ANIMATED,
        "still": strips.STILL,
    }
    for number, trials in enumerate(lists):
        entries = [{"trial": t} | dataclasses.asdict(trial) for t, trial in enumerate(trials)]
        _write_json(folder / "lists" / f"{number}.json", {"list": number, "trials": entries})
    _write_json(folder / "study.json", document | {"image": image})
    for file in [file for file in folder.rglob("*") if file.is_file()]:
        os.utime(file, (_PUBLISHED, _PUBLISHED))


def _write_private(
    folder: Path, named: _Named, plan: Plan, study: str, power: dict[str, Any], arms: Arms
) -> None:
    """Writes which strip is which, what was measured of each, and how the study was made."""
    rows, metrics, directions = [], [], {}
    for pair, own in named:
        for strip, row, direction in zip(own.strips, pair.key, pair.directions, strict=True):
            rows.append({"item": own.item, "strip": strip} | row)
            if direction is not None:
                directions[strip] = direction
            metrics += [(strip, name, value) for name, value in row.get("metrics", {}).items()]
    key = pd.DataFrame(rows).sort_values("strip")[list(responses.KEY_COLUMNS)]
    table = pd.DataFrame(metrics, columns=["strip", "metric", "value"]).sort_values(
        ["metric", "strip"]
    )
    write_text(folder / "key.csv", key.to_csv(index=False))
    write_text(folder / "metrics.csv", table.to_csv(index=False))
    save_npz(folder / "directions.npz", directions)
    _write_json(
        folder / "design.json",
        {
            "study": study,
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


def _secret(drawn: Sequence[DrawnPair], plan: Plan) -> list[int]:
    """A seed for names, sides and orders: fixed by the command, but not known without the key.

    With the flag's seed alone, who has this program could tell from the names which is which.
    """
    digest = hashlib.sha256(json.dumps(dataclasses.asdict(plan), sort_keys=True).encode())
    for pair in drawn:
        for row in pair.key:
            digest.update(repr((row["step"], row["energy"], row["start_image"])).encode())
    return [int(word) for word in np.frombuffer(digest.digest(), np.uint32)]


def _groups(named: _Named, plan: Plan) -> dict[str, design.Group]:
    """The pairs of each kind, those of one arm and run side by side."""

    def of(kind: str, rule: str = "") -> list[design.Pair]:
        return [own for pair, own in named if (pair.kind, pair.key[0]["rule"]) == (kind, rule)]

    return {
        "test": design.Group(of("test", "uniform"), plan.trials),
        "label-free": design.Group(of("test", "label_free"), plan.label_free_trials),
        "catch": design.Group(of("catch"), plan.catch_trials),
        "identical": design.Group(of("identical"), plan.identical_trials),
    }


def _practice(pair: DrawnPair, own: design.Pair, rng: np.random.Generator) -> dict[str, Any]:
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
