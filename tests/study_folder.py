"""A small study as the stimuli's contract has it, for the tests of the page and the collector."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
from PIL import Image

SIZE = 24
FRAMES = 7
CONDITIONS = ("test", "catch", "identical")
# What key.csv and design.json alone may say; "seed" and the like would be words of any text.
CONDITION_WORDS = (
    *("learned", "label_free", "uniform", "identical", "catch", "beta_vae", "info_gan", "dsprites"),
    *("secret-run", "start_image", "direction", "energy", "target", "basis", "rejected_by_rule"),
)


def write_study(
    folder: Path, num_lists: int = 3, num_trials: int = 4, break_every: int = 2
) -> Path:
    """Writes STUDY/public and STUDY/private; the same call gives the same study.

    Every list has the same pairs, the sides rotated about in every other one; the first pair of a
    list asks for a name.
    """
    rng = np.random.default_rng(0)

    def name() -> str:
        return rng.bytes(8).hex()

    strips = folder / "public" / "strips"
    strips.mkdir(parents=True)
    (folder / "public" / "lists").mkdir()
    (folder / "private").mkdir()

    def strip(number_of_changes: int) -> str:
        image = np.zeros((SIZE, FRAMES, SIZE, 3), np.uint8)
        for frame in range(FRAMES):
            size = 5 + frame if number_of_changes else 8
            place = 2 + frame if number_of_changes > 1 else 7
            image[place : place + size, frame, place : place + size] = (230, 160, 30)
        path = strips / f"{name()}.png"
        Image.fromarray(image.reshape(SIZE, FRAMES * SIZE, 3)).save(path)
        path.write_bytes(path.read_bytes().ljust(2000, b"\0"))  # no file's size tells anything
        return path.stem

    practice = []
    for turned in (False, True):
        pair = [strip(1), strip(2)]
        left, right = pair[::-1] if turned else pair
        text = "Only the size changes; in the other strip the place changes as well."
        practice.append(
            {"item": name(), "left": left, "right": right, "correct": pair[0], "feedback": text}
        )
    rows, pairs = [], []
    for trial in range(num_trials):
        item, kind = name(), CONDITIONS[trial % 3]
        pair = (strip(1), strip(2))
        pairs.append((item, *pair))
        for basis, one in zip(("learned", "random"), pair, strict=True):
            rows.append(
                {
                    **{"item": item, "strip": one, "kind": kind, "basis": basis},
                    **{"rule": "uniform", "run": "runs/secret-run", "model": "beta_vae"},
                    **{"direction": "0.123456789 0.987654321", "target": basis == "learned"},
                }
            )
    for number in range(num_lists):
        trials = [
            {
                **{"trial": trial, "item": item, "ask_name": trial == 0},
                **dict(zip(("left", "right"), pair[:: -1 if number % 2 else 1], strict=True)),
            }
            for trial, (item, *pair) in enumerate(pairs)
        ]
        text = json.dumps({"list": number, "trials": trials})
        (folder / "public" / "lists" / f"{number}.json").write_text(text)
    study = {
        **{"study": name(), "title": "One change or more?", "data_sets": ["shapes"]},
        **{"num_lists": num_lists, "trials_per_list": num_trials, "break_every": break_every},
        **{"practice": practice, "notice": "The pictures were made by a computer."},
        "image": {"width": SIZE, "height": SIZE, "frames": FRAMES},
    }
    (folder / "public" / "study.json").write_text(json.dumps(study))
    (folder / "private" / "design.json").write_text(json.dumps({"rejected_by_rule": ".8"}))
    with (folder / "private" / "key.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    return folder


def read_lists(study: Path) -> list[list[dict]]:
    """The trials of every list."""
    files = sorted((study / "public" / "lists").iterdir(), key=lambda file: int(file.stem))
    return [json.loads(file.read_text())["trials"] for file in files]


def answer_to(trial: dict, side: str, rt_ms: int = 1234, name: str = "") -> dict:
    """What a browser sends that chose a side."""
    other = "right" if side == "left" else "left"
    return {
        **{"item": trial["item"], "chosen": trial[side], "rejected": trial[other]},
        **{"side": side, "rt_ms": rt_ms, "name": name},
    }
